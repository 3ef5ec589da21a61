"""Who drives the ego of a scenario: the file alone, a performance model of UN R157, or a driving agent.

A performance model sees the others along its lane and commands acceleration; the entity keeps its lane by itself. A
driving agent (classical, ppo, weights) sees boxes within its camera's field of view and range, a route, and steers.
"""

from dataclasses import fields
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from agents.contract import make_agent
from agents.performance_models import PERFORMANCE_MODELS, ModelState, Scene, performance_model
from sim.scenarios.player import EgoCommand, Gaps, Player, State

NOBODY = "none"
SIGHTLESS = (NOBODY, *PERFORMANCE_MODELS)  # drivers that need no eyes


class Driver(Protocol):
    """Moves a player on by one tick."""

    def advance(self, gaps: Gaps | None, state: State) -> None:
        """One tick; `gaps` is what the ego sees before it (None without roads), `state` where everybody is."""
        ...

    def close(self) -> None:
        """The runs are over."""
        ...


def check_agent(name: str) -> None:
    """ValueError where nobody of that name can drive. Cheap: meant for before the work."""
    if name not in (*SIGHTLESS, "classical", "random", "ppo"):
        try:
            make_agent(name, 1)
        except ValueError:
            names = ", ".join(SIGHTLESS)
            raise ValueError(f"--agent: {name!r} is none of {names}, classical, ppo or a .safetensors file") from None


def check_perception(name: str, agent: str) -> None:
    """ValueError where there is no such perception, or a driver that would not use it."""
    if name == "oracle":
        return
    if agent in SIGHTLESS:
        raise ValueError(f"--perception {name}: {agent} does not look; give it a driving agent, such as --agent ppo")
    from pipelines.sight import detector_weights

    detector_weights(name)


def driven_entities(agent: str, ego: str) -> tuple[str, ...]:
    """Which entities the player has to leave to a driver."""
    return () if agent == NOBODY else (ego,)


def make_driver(agent: str, player: Player, ego: str, perception: str = "oracle", film: Path | None = None) -> Driver:
    """The driver called `agent` at the wheel of `ego`; `perception` and `film` are for driving agents."""
    if agent == NOBODY:
        return Script(player)
    if agent in PERFORMANCE_MODELS:
        if not player.has_roads:
            raise ValueError(f"--agent {agent} needs a road; the scenario has none")
        return ModelDriver(agent, player, ego)
    from pipelines.scenario_drive import AgentDriver  # here, so that performance models do without the simulator

    return AgentDriver(agent, perception, player, ego, film)


def sight(player: Player, ego: str) -> Gaps | None:
    """What the ego sees along its lane; None without roads."""
    return player.gaps(ego) if player.has_roads else None


class Script:
    """The file's own actions move every entity."""

    def __init__(self, player: Player) -> None:
        self._player = player

    def advance(self, gaps: Gaps | None, state: State) -> None:
        self._player.step()

    def close(self) -> None:
        pass


class ModelDriver:
    """A performance model, from the moment that the storyboard leaves the ego to its driver."""

    def __init__(self, name: str, player: Player, ego: str) -> None:
        self._model = performance_model(name)
        self._player = player
        self._ego = player.entities.index(ego)
        self._state = self._model.start(len(player.done))
        size = player.entities.size_m
        self._sizes = size[:, self._ego], *(size[..., axis].T.contiguous().T for axis in (0, 1))  # laid out as gaps are

    def advance(self, gaps: Gaps | None, state: State) -> None:
        assert gaps is not None
        player = self._player
        accel, after = self._model.step(
            self._state, scene_of(gaps, state.accel_mps2[:, self._ego], *self._sizes), player.dt_s
        )
        driving = player.driving[:, 0]
        self._state = after if bool(driving.all()) else _where(driving, after, self._state)
        player.step(EgoCommand(accel[:, None]))

    def close(self) -> None:
        pass


def scene_of(gaps: Gaps, ego_accel: Tensor, ego_size: Tensor, length: Tensor, width: Tensor) -> Scene:
    """What a performance model sees of a player's tick: the ego's acceleration (B,) and size (B, 3), others' (B, E)."""
    return Scene(
        ego_speed_mps=gaps.ego_speed_mps,
        ego_lateral_mps=gaps.ego_lateral_mps,
        ego_accel_mps2=ego_accel,
        ego_size_m=ego_size,
        lane_width_m=gaps.lane_width_m,
        gap_m=gaps.gap_m,
        lateral_gap_m=gaps.lateral_gap_m,
        lateral_offset_m=gaps.lateral_offset_m,
        lateral_speed_mps=gaps.lateral_speed_mps,
        speed_mps=gaps.speed_mps,
        accel_mps2=gaps.accel_mps2,
        length_m=length,
        width_m=width,
        in_lane_overlap=gaps.in_lane_overlap,
        valid=gaps.valid,
    )


def _where(mask: Tensor, after: ModelState, before: ModelState) -> ModelState:
    """The memory after a tick for the drivers that drove, before it for the others."""
    names = [field.name for field in fields(ModelState)]
    return ModelState(**{name: torch.where(mask, getattr(after, name), getattr(before, name)) for name in names})
