"""Batched episodes: simulator, oracle senses and the rules that end an episode; no opinion about who drives."""

from dataclasses import dataclass, fields
from typing import get_args

import torch

from agents.contract import empty_action, fill_action
from configs.schema import RoadConfig, RoadKind, SimConfig
from perception.oracle import oracle_percept
from sim.mapfiles.opendrive import read_opendrive
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.simulator import Simulator
from sim.types import Action, EgoState, LaneGraph, Percept, Route

OFFROUTE_M = 4.0  # this far beside the route's lane centre counts as having left it
STUCK_S = 30.0  # without `STUCK_M` of progress
STUCK_M = 1.0
GOAL_M = 1.0  # the route counts as completed this close to its end
MIXED_KINDS: tuple[RoadKind, ...] = ("town", "rural", "town", "highway")  # towns are hardest, so every second one


@dataclass
class Outcome:
    """How one tick ended, per world (B,). `terminated` is the union of the five reasons before it."""

    collided: torch.Tensor
    offroad: torch.Tensor
    offroute: torch.Tensor
    stuck: torch.Tensor
    success: torch.Tensor
    terminated: torch.Tensor
    truncated: torch.Tensor  # out of time, and not terminated
    progress_m: torch.Tensor  # float32, made in this tick
    completion: torch.Tensor  # float32 in [0, 1], share of the route so far

    @property
    def done(self) -> torch.Tensor:
        return self.terminated | self.truncated


def kind_of_seed(kind: RoadKind | str, seed: int) -> RoadKind:
    """The kind of road that seed drives on: `kind` itself, or where it is "any" or "all" one after the other."""
    mixed = {"any": MIXED_KINDS, "all": get_args(RoadKind)}.get(kind)
    return mixed[seed % len(mixed)] if mixed else kind  # type: ignore[return-value]


def lane_pool(road: RoadConfig, seed: int) -> LaneGraph:
    """The lanes to drive on: the map file of `road`, or its pool of generated roads of seeds `seed`, `seed` + 1, ...

    Raises:
        ValueError, OSError: what `read_opendrive` says of the file.
    """
    if road.map is not None:
        return compile_lanes([read_opendrive(road.map)])
    return compile_lanes([generate_road(kind_of_seed(road.kind, s), s) for s in range(seed, seed + road.pool)])


class Episodes:
    """B episodes side by side. `percept`, `route` and `ego` are what the drivers see now; a step overwrites them."""

    percept: Percept
    route: Route
    ego: EgoState

    def __init__(
        self, lanes: LaneGraph, config: SimConfig, seeds: torch.Tensor, device: str | torch.device = "cpu"
    ) -> None:
        self.device = torch.device(device)
        self.worlds = len(seeds)
        self._maps = len(lanes.lane_first) - 1
        self._time_limit = max(1, round(config.seconds / config.dt_s))
        self._stuck_ticks = round(STUCK_S / config.dt_s)
        self.simulator = Simulator(lanes, config, seeds, self._map_of(seeds), str(device))
        self._action = empty_action(self.worlds, config.actors, self.device)
        self._mark_m = torch.zeros(self.worlds, device=self.device)  # progress when it last moved on
        self._mark_tick = torch.zeros(self.worlds, dtype=torch.int64, device=self.device)
        self._progress_m = torch.zeros(self.worlds, device=self.device)
        self._sense()

    def _map_of(self, seeds: torch.Tensor) -> torch.Tensor:
        return (seeds % self._maps).to(torch.int32)

    def begin(self, mask: torch.Tensor, seeds: torch.Tensor) -> None:
        """Start new episodes in the worlds of `mask` (B,) with `seeds` (B,) int64; the others go on."""
        self.simulator.reset(mask, seeds, self._map_of(seeds))
        self._mark_m.masked_fill_(mask, 0.0)
        self._mark_tick.masked_fill_(mask, 0)
        self._progress_m.masked_fill_(mask, 0.0)
        self.simulator.sense_reset()
        self.percept = oracle_percept(self._boxes, self.ego.time_s)

    def step(self, ego: Action) -> Outcome:
        """Drive one tick with the egos' commands (B, 1) and judge where that led. Starts no new episode."""
        fill_action(self._action, ego)
        self.simulator.step(self._action)
        self._sense()
        return self._judge()

    def _sense(self) -> None:
        self.route, self.ego = self.simulator.route(), self.simulator.ego_state()
        self._boxes = self.simulator.boxes_3d()
        self.percept = oracle_percept(self._boxes, self.ego.time_s)

    def _judge(self) -> Outcome:
        state, length = self.simulator.state, self.simulator.world.route_length_m
        made = state.progress_m - self._progress_m
        self._progress_m.copy_(state.progress_m)
        moved = state.progress_m - self._mark_m > STUCK_M
        self._mark_m = torch.where(moved, state.progress_m, self._mark_m)
        self._mark_tick = torch.where(moved, state.tick, self._mark_tick)
        collided, offroad = state.collided[:, 0].clone(), state.offroad[:, 0].clone()
        offroute = self.route.lateral_m.abs() > OFFROUTE_M
        success = (length - state.progress_m <= GOAL_M) & ~collided & ~offroad & ~offroute
        stuck = (state.tick - self._mark_tick >= self._stuck_ticks) & ~success
        terminated = collided | offroad | offroute | stuck | success
        return Outcome(
            collided=collided,
            offroad=offroad,
            offroute=offroute,
            stuck=stuck,
            success=success,
            terminated=terminated,
            truncated=(state.tick >= self._time_limit) & ~terminated,
            progress_m=made,
            completion=torch.where(success, 1.0, (state.progress_m / length).clamp(0.0, 1.0)),
        )


def rows(outcome: Outcome, index: int) -> dict[str, float]:
    """One world's outcome as plain numbers, for infos and tables."""
    return {field.name: float(getattr(outcome, field.name)[index]) for field in fields(outcome)}
