"""A driving agent at the wheel of a scenario's ego, on what it sees: the oracle, or our camera and detector.

Agents were trained at ten decisions a second; the storyboard may tick faster, and the last command then holds.
"""

from contextlib import ExitStack
from pathlib import Path

import torch

from agents.contract import EGO, Agent, make_agent
from configs.schema import Experiment
from pipelines.film import Film
from pipelines.rollout import Tick, outcome_of
from pipelines.scenario_weather import forecasts_of, weather_of
from pipelines.sight import Sight, make_sight
from pipelines.worlds import Maps, Worlds
from sim.scenarios.goals import goal_xy_world_m
from sim.scenarios.player import Gaps, Player, State
from sim.scenarios.stage import Stage
from sim.types import Action

DECISION_S = 0.1


class AgentDriver:
    """Looks, decides and steers in every run of a player; films the first run where it is asked to."""

    def __init__(self, agent: str, perception: str, player: Player, ego: str, film: Path | None = None) -> None:
        """`agent` and `perception` as in `roadloop drive`.

        Raises ValueError where the scenario has no road, an ego stands beside all lanes, or no lane leads to its goal.
        """
        scenario, draw, network = player.scenario, player.draw, player.network
        if network is None:
            raise ValueError(f"{scenario.file.name}: --agent {agent} needs a road, and the scenario has none")
        maps = Maps(lambda: (network,))
        self._stage = stage = Stage(player, maps.lanes, ego, goal_xy_world_m(scenario, draw, network))
        self._agent: Agent = make_agent(agent, draw.size)
        worlds = Worlds(
            maps=maps,
            map_index=stage.world.map_index,
            seeds=stage.world.seed,
            places=(scenario.name,) * draw.size,
            weathers=(weather_of(scenario, draw),) * draw.size,
            forecasts=forecasts_of(scenario, draw),
        )
        experiment = _experiment(agent, perception, len(stage.names), player.dt_s)
        self._sight: Sight = make_sight(perception, experiment, worlds)
        everyone = torch.ones(draw.size, dtype=torch.bool)
        self._agent.reset(everyone, stage.world.seed)
        self._sight.reset(everyone)
        self._hold = max(round(DECISION_S / player.dt_s), 1)
        self._action: Action | None = None
        self._closing = ExitStack()
        self._film = None
        if film is not None:
            self._film = Film(experiment, worlds, stage, self._sight)  # type: ignore[arg-type]
            self._closing.enter_context(self._film.recording(film))

    def advance(self, gaps: Gaps | None, state: State) -> None:
        """One tick of the player; `gaps` and `state` are for drivers that need no senses of their own."""
        if self._action is None or self._stage.player.tick % self._hold == 0:
            self._decide()
        else:
            self._stage.step(self._action)

    def close(self) -> None:
        """Finish the film."""
        self._closing.close()

    def _decide(self) -> None:
        stage = self._stage
        ego, route, boxes = stage.ego_state(), stage.route(), stage.boxes_3d()
        active = ~stage.player.done
        if self._film is not None:
            self._film.shoot(ego, boxes)
        view = self._sight.look(stage, ego, boxes)  # type: ignore[arg-type]
        self._action = self._agent.act(view.percept, route, ego)
        xy, yaw = stage.state.xy_world_m[:, EGO].clone(), stage.state.yaw_world_rad[:, EGO].clone()
        index = stage.player.tick // self._hold
        stage.step(self._action)
        if self._film is not None:
            outcome = outcome_of(stage, route)  # type: ignore[arg-type]
            self._film.add(Tick(index, active, ego, xy, yaw, route, boxes, view, self._action, outcome))


def _experiment(agent: str, perception: str, actors: int, dt_s: float) -> Experiment:
    """The settings that camera, detector and film read."""
    experiment = Experiment()
    sim = experiment.sim.model_copy(update={"actors": actors, "pedestrians": 0, "dt_s": max(dt_s, DECISION_S)})
    who = experiment.drive.model_copy(update={"agent": agent, "perception": perception})
    return experiment.model_copy(update={"sim": sim, "drive": who})
