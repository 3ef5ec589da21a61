"""Who drives the ego of a scenario: the file alone, a performance model of UN R157, or a driving agent.

A performance model sees the others along its lane and commands acceleration; the entity keeps its lane by itself. A
driving agent (classical, ppo, weights) sees boxes within its camera's field of view and range, a route, and steers.
"""

from dataclasses import fields
from typing import Protocol

import torch
from torch import Tensor

from agents.contract import Agent, make_agent
from agents.performance_models import PERFORMANCE_MODELS, ModelState, Scene, performance_model
from perception.oracle import oracle_percept
from sim.roads import RoadNetwork
from sim.scenarios.player import EgoCommand, Gaps, Player, State
from sim.types import Action

NOBODY = "none"
DECISION_S = 0.1  # agents were trained at ten decisions a second; the last one holds in between
FOV_DEG = 90.0


class Driver(Protocol):
    """Moves a player on by one tick."""

    def advance(self, gaps: Gaps, state: State) -> None:
        """One tick; `gaps` is what the ego sees before it, `state` where everybody is."""
        ...


def check_agent(name: str) -> None:
    """ValueError where nobody of that name can drive. Cheap: meant for before the work."""
    if name not in (NOBODY, *PERFORMANCE_MODELS, "classical", "random", "ppo"):
        try:
            make_agent(name, 1)
        except ValueError:
            names = ", ".join((NOBODY, *PERFORMANCE_MODELS))
            raise ValueError(f"--agent: {name!r} is none of {names}, classical, ppo or a .safetensors file") from None


def driven_entities(agent: str, ego: str) -> tuple[str, ...]:
    """Which entities the player has to leave to a driver."""
    return () if agent == NOBODY else (ego,)


def make_driver(agent: str, player: Player, ego: str, network: RoadNetwork | None) -> Driver:
    """The driver called `agent` at the wheel of `ego`."""
    if agent == NOBODY:
        return Script(player)
    if agent in PERFORMANCE_MODELS:
        return ModelDriver(agent, player, ego)
    if network is None:
        raise ValueError(f"--agent {agent} needs a road; the scenario has none")
    return AgentDriver(agent, player, ego, network)


class Script:
    """The file's own actions move every entity."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def advance(self, gaps: Gaps, state: State) -> None:
        self._player.step()


class ModelDriver:
    """A performance model, from the moment that the storyboard leaves the ego to its driver."""

    def __init__(self, name: str, player: Player, ego: str) -> None:
        self._model = performance_model(name)
        self._player = player
        self._ego = player.entities.index(ego)
        self._state = self._model.start(len(player.done))

    def advance(self, gaps: Gaps, state: State) -> None:
        player = self._player
        accel, after = self._model.step(self._state, scene_of(player, self._ego, gaps, state), player.dt_s)
        driving = player.driving[:, 0]
        self._state = _where(driving, after, self._state)
        player.step(EgoCommand(accel[:, None]))


class AgentDriver:
    """A driving agent on oracle percepts."""

    def __init__(self, name: str, player: Player, ego: str, network: RoadNetwork) -> None:
        from sim.lanegraph import compile_lanes  # here, so that performance models do without the simulator
        from sim.scenarios.stage import Stage

        runs = len(player.done)
        self._stage = Stage(player, compile_lanes([network]), ego)
        self._agent: Agent = make_agent(name, runs)
        self._agent.reset(torch.ones(runs, dtype=torch.bool), self._stage.world.seed)
        self._hold = max(round(DECISION_S / player.dt_s), 1)
        self._action: Action | None = None

    def advance(self, gaps: Gaps, state: State) -> None:
        stage = self._stage
        if self._action is None or stage.player.tick % self._hold == 0:
            ego = stage.ego_state()
            percept = oracle_percept(stage.boxes_3d(), ego.time_s, fov_deg=FOV_DEG)
            self._action = self._agent.act(percept, stage.route(), ego)
        stage.step(self._action)


def scene_of(player: Player, ego: int, gaps: Gaps, state: State) -> Scene:
    """What a performance model sees of a player's tick."""
    size = player.entities.size_m
    return Scene(
        ego_speed_mps=gaps.ego_speed_mps,
        ego_lateral_mps=gaps.ego_lateral_mps,
        ego_accel_mps2=state.accel_mps2[:, ego],
        ego_size_m=size[:, ego],
        lane_width_m=gaps.lane_width_m,
        gap_m=gaps.gap_m,
        lateral_gap_m=gaps.lateral_gap_m,
        lateral_offset_m=gaps.lateral_offset_m,
        lateral_speed_mps=gaps.lateral_speed_mps,
        speed_mps=gaps.speed_mps,
        accel_mps2=gaps.accel_mps2,
        length_m=size[..., 0],
        width_m=size[..., 1],
        in_lane_overlap=gaps.in_lane_overlap,
        valid=gaps.valid,
    )


def _where(mask: Tensor, after: ModelState, before: ModelState) -> ModelState:
    """The memory after a tick for the drivers that drove, before it for the others."""
    names = [field.name for field in fields(ModelState)]
    return ModelState(**{name: torch.where(mask, getattr(after, name), getattr(before, name)) for name in names})
