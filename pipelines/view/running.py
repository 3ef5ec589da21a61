"""A world that runs on while somebody looks at it: roads with traffic, or a scenario file."""

from functools import cached_property
from pathlib import Path
from typing import Protocol

import numpy as np
import torch

from agents.contract import EGO, empty_action, fill_action
from configs.schema import Experiment
from pipelines.rollout import outcome_of
from pipelines.scenario_drive import weather_of
from pipelines.worlds import Maps, Worlds, make_simulator, make_worlds
from sim.rendering.conditions import DRY_FRICTION, Conditions, Forecast, drawn_conditions
from sim.roads.routes import RouteFinder
from sim.scenarios.goals import goal_xy_world_m
from sim.scenarios.library import find_scenario
from sim.scenarios.player import Player
from sim.scenarios.reading import network_of, read_scenario
from sim.scenarios.stage import Stage
from sim.scenarios.values import Draw
from sim.types import PATH_LANES, Action, Boxes3D, EgoState, Route, State, World

FREE_M = 8.0  # kept to others where the ego is put down
NEAR_ROAD_M = 40.0  # a place on the map means the lane nearest to it, up to here
GOAL_BEFORE_END_M = 3.0  # of a road that leads nowhere
SCENARIO_DT_S = 0.025
DRIVEN_BY_FILE = "none"


class Senses(Protocol):
    """What simulator and stage share."""

    @property
    def world(self) -> World: ...
    @property
    def state(self) -> State: ...
    def ego_state(self) -> EgoState: ...
    def route(self) -> Route: ...
    def boxes_3d(self) -> Boxes3D: ...


class Running(Protocol):
    """One world (B = 1) that goes on tick by tick."""

    @property
    def worlds(self) -> Worlds: ...
    @property
    def senses(self) -> Senses: ...
    @property
    def seed(self) -> int: ...
    @property
    def movable(self) -> bool:
        """Whether the ego can be put elsewhere."""
        ...

    @property
    def over(self) -> str:
        """Why it goes no further; empty while it does."""
        ...

    def step(self, ego: Action | None) -> str:
        """One tick with the ego's command (B, 1), or its own; what befell the ego, empty where nothing did."""
        ...

    def restart(self, seed: int) -> None:
        """From its beginning, with the traffic of `seed` where there is a choice."""
        ...

    def move_ego(self, xy_world_m: tuple[float, float]) -> None:
        """Put the ego on the lane nearest to a place. ValueError where there is none, or nobody may be moved."""
        ...

    def hand_over(self, driver: str) -> bool:
        """Get ready for another driver of the ego; true where that began the world anew."""
        ...

    def slip(self, conditions: Conditions) -> None:
        """Let the road be as slippery as the weather makes it."""
        ...


class RoadRun:
    """Generated roads or a map, with traffic."""

    movable = True
    over = ""

    def __init__(self, experiment: Experiment) -> None:
        self.seed, self._experiment = experiment.seed, experiment
        self.worlds = make_worlds(experiment, [experiment.seed], pooled=False)
        self.senses = self._simulator = make_simulator(experiment, self.worlds)
        self._action = empty_action(1, experiment.sim.actors)

    def step(self, ego: Action | None) -> str:
        if ego is None:
            self._action.valid[:, EGO] = False
        else:
            fill_action(self._action, ego)
        route = self._simulator.route()
        self._simulator.step(self._action)
        outcome = outcome_of(self._simulator, route)
        if outcome.arrived[0]:
            self._go_on()
        return "collision" if outcome.collided[0] else "off the road" if outcome.offroad[0] else ""

    def restart(self, seed: int) -> None:
        self.seed = seed
        self._simulator.reset(torch.ones(1, dtype=torch.bool), torch.tensor([seed]))

    def hand_over(self, driver: str) -> bool:
        return False

    def slip(self, conditions: Conditions) -> None:
        self._simulator.world.friction.fill_(self._experiment.sim.road_friction * conditions.friction() / DRY_FRICTION)

    def move_ego(self, xy_world_m: tuple[float, float]) -> None:
        lanes = self.worlds.maps.lanes
        away = np.hypot(*(lanes.xy_world_m.numpy() - np.asarray(xy_world_m)).T)
        away = np.where(self._occupied(lanes.xy_world_m.numpy()), np.inf, away)
        nearest = int(np.argmin(away))
        if away[nearest] > NEAR_ROAD_M:
            raise ValueError(f"no free lane within {NEAR_ROAD_M:g} m of there")
        self._put(nearest, keep_speed=False)
        self._simulator.step(empty_action(1, self._experiment.sim.actors))  # orders, heights and slopes follow

    def _occupied(self, xy_world_m: np.ndarray) -> np.ndarray:
        """Which points (n, 2) are too near to somebody else."""
        state = self._simulator.state
        others = state.xy_world_m[0][state.valid[0]].numpy()[1:]
        cell = {(int(x // FREE_M) + i, int(y // FREE_M) + j) for x, y in others for i in (-1, 0, 1) for j in (-1, 0, 1)}
        return np.array([(int(x // FREE_M), int(y // FREE_M)) in cell for x, y in xy_world_m], bool)

    def _go_on(self) -> None:
        """A new route from where the ego is, so that a drive has no end while the road has none."""
        state = self._simulator.state
        lane, s = int(state.path_lane[0, EGO, 0]), float(state.lane_s_m[0, EGO])
        lanes = self.worlds.maps.lanes
        sample = int(lanes.sample_first[lane]) + round(s / float(lanes.step_m[lane]))
        last = int(lanes.sample_first[lane + 1]) - 1
        if lanes.successor_first[lane] < lanes.successor_first[lane + 1]:
            self._put(min(sample, last), keep_speed=True)

    @cached_property
    def _finder(self) -> RouteFinder:
        return RouteFinder(self.worlds.maps.lanes)

    def _put(self, sample: int, keep_speed: bool) -> None:
        """Let the ego's route begin at a lane sample; where it shall not keep its motion, stand it there."""
        lanes, simulator = self.worlds.maps.lanes, self._simulator
        xy, yaw = lanes.xy_world_m[sample], float(lanes.yaw_world_rad[sample])
        place = self._finder.locate(xy.numpy().astype(float), yaw)
        route = self._finder.onward(place, self._experiment.sim.route_m)
        saved = simulator.save()
        rows = saved.tensors
        size = rows["route_lane"].shape[1]
        chosen = torch.tensor(route.lanes[:size], dtype=torch.int32)
        length = lanes.length_m[chosen.long()]
        rows["route_lane"][0], rows["route_valid"][0] = int(chosen[-1]), False
        rows["route_lane"][0, : len(chosen)], rows["route_valid"][0, : len(chosen)] = chosen, True
        offset = length.cumsum(0) - length - place.s_m
        rows["route_offset_m"][0] = float(offset[-1] + length[-1])
        rows["route_offset_m"][0, : len(chosen)] = offset
        rows["route_length_m"][0] = max(min(route.length_m, float(offset[-1] + length[-1])) - GOAL_BEFORE_END_M, 0.1)
        rows["route_index"][0], rows["progress_m"][0] = 0, 0.0
        first = chosen[:PATH_LANES]
        rows["path_lane"][0, EGO], rows["path_valid"][0, EGO] = int(first[-1]), False
        rows["path_lane"][0, EGO, : len(first)], rows["path_valid"][0, EGO, : len(first)] = first, True
        rows["lane_s_m"][0, EGO] = place.s_m
        if not keep_speed:
            rows["xy_world_m"][0, EGO], rows["yaw_world_rad"][0, EGO] = xy, yaw
            rows["z_world_m"][0, EGO] = lanes.z_world_m[sample]
            for name in ("speed_mps", "lateral_mps", "accel_mps2", "steer_rad", "yaw_rate_radps", "lane_lateral_m"):
                rows[name][0, EGO] = 0.0
        simulator.restore(saved)


class ScenarioRun:
    """A scenario file, seen by its ego."""

    movable = False

    def __init__(self, file: Path, driver: str) -> None:
        """ValueError where the file is wrong or has no road."""
        self._file = find_scenario(file)
        self._draw, self.seed = Draw(1), 0
        self._scenario = read_scenario(self._file, self._draw)
        network = network_of(self._scenario, self._draw)
        if network is None:
            raise ValueError(f"{self._file.name}: the scenario has no road, so there is nothing to look at")
        self._network, self._driver = network, driver
        self._begin(Maps(lambda: (network,)))
        name = weather_of(self._scenario, self._draw)
        self.worlds = Worlds(
            maps=self._maps,
            map_index=self.senses.world.map_index,
            seeds=self.senses.world.seed,
            places=(self._scenario.name,),
            weathers=(name,),
            forecasts=(Forecast((0.0,), (drawn_conditions(name, 0),)),),
        )

    def _begin(self, maps: Maps) -> None:
        ego = self._scenario.ego or self._scenario.entities[0].name
        driven = () if self._driver == DRIVEN_BY_FILE else (ego,)
        player = Player(self._scenario, self._draw, self._network, SCENARIO_DT_S, driven)
        goal = goal_xy_world_m(self._scenario, self._draw, self._network)
        self._maps, self.over = maps, ""
        self.senses = self._stage = Stage(player, maps.lanes, ego, goal)

    def step(self, ego: Action | None) -> str:
        if not self.over:
            self._stage.step(ego if self._driver != DRIVEN_BY_FILE else None)
            self.over = self._stage.player.end_reason[0]
        state = self._stage.state
        return "collision" if state.collided[0, EGO] else "off the road" if state.offroad[0, EGO] else ""

    def restart(self, seed: int) -> None:
        self._begin(self._maps)

    def hand_over(self, driver: str) -> bool:
        """The file's own driver and any other are different from the first tick on."""
        changed = (driver == DRIVEN_BY_FILE) != (self._driver == DRIVEN_BY_FILE)
        self._driver = driver
        if changed:
            self._begin(self._maps)
        return changed

    def move_ego(self, xy_world_m: tuple[float, float]) -> None:
        raise ValueError("a scenario says itself where everybody starts; nobody can be moved")

    def slip(self, conditions: Conditions) -> None:
        """The players of scenarios know no friction."""
