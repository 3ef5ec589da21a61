"""The scores of scenario runs: what CARLA, nuPlan and NAVSIM say of them, and how critical they were.

The expert that progress is measured by is the ego that the file's own actions move, in the same run. A route leads from
the ego's start to the scenario's goal; without a goal there is no CARLA score. Scenarios switch no lights.
"""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.scenario_criteria import CriteriaWatch, NetworkKey
from pipelines.scenario_scores import Columns
from pipelines.verdicts.criteria import GOAL_M
from pipelines.verdicts.road import STOREY_M, Road
from pipelines.verdicts.scorecard import COLUMNS, Expert, Scorecard, expert_of, scorecards
from pipelines.verdicts.trace import EGO, Trace, box_centre_world_m
from sim.roads.lanegraph import compile_lanes
from sim.roads.routes import RouteFinder
from sim.scenarios.goals import goal_xy_world_m
from sim.scenarios.player import Player
from sim.types import LaneGraph

CONTACT_MARGIN_M = 0.02  # boxes that the player calls overlapping do so in the verdicts' arithmetic too


def scenario_cards(
    watch: CriteriaWatch, ended_tick: NDArray[np.int64], collided: NDArray[np.bool_], driven: bool
) -> list[Scorecard]:
    """The scores of recorded runs, each up to its end (B,); `driven`: by others than the file's own actions."""
    trace = _level(watch, watch.trace(ended_tick))
    trace = replace(trace, size_m=trace.size_m + CONTACT_MARGIN_M * torch.from_numpy(collided)[:, None, None])
    things = torch.tensor([watch.player.entities.kinds[entity] == "misc" for entity in watch.order]).expand(
        trace.runs, -1
    )
    if watch.network is None:
        return scorecards(trace, things, None, None)
    goal = goal_xy_world_m(watch.scenario, watch.draw, watch.network)
    road, arrived = _road(watch, trace, goal)
    return scorecards(trace, things, road, _expert(watch, ended_tick, trace, things, road, driven), arrived)


def card_columns(cards: list[Scorecard]) -> Columns:
    """Columns of scores for suites: infinite where absent, and why in words."""
    rows = [card.row() for card in cards]
    columns: Columns = {
        name: np.array([np.inf if row[name] is None else row[name] for row in rows], dtype=np.float64)
        for name in COLUMNS
    }
    return columns | {"absent": np.array([row["absent"] for row in rows], dtype=object)}


def _level(watch: CriteriaWatch, trace: Trace) -> Trace:
    """The trace without those on another storey than the ego."""
    z = watch.heights_m()
    return replace(trace, valid=trace.valid & ((z - z[:, :, EGO : EGO + 1]).abs() < STOREY_M))


def _road(watch: CriteriaWatch, trace: Trace, goal: NDArray[np.float64] | None) -> tuple[Road, Tensor]:
    """The road with each run's route (none unless all have one), and who came to the goal."""
    assert watch.network is not None
    lanes, finder = _lanes(NetworkKey(watch.network))
    road = Road(lanes, torch.zeros(trace.runs, dtype=torch.int64), watch.heights_m()[:, :, EGO])
    if goal is None:
        return road, torch.zeros(trace.runs, dtype=torch.bool)
    away = box_centre_world_m(trace)[:, :, EGO] - torch.from_numpy(goal.copy())[:, None]
    near = torch.hypot(away[..., 0], away[..., 1]) <= GOAL_M
    arrived = (near & trace.valid[:, :, EGO]).any(dim=1)
    start, yaw = trace.xy_world_m[:, 0, EGO].numpy(), trace.yaw_world_rad[:, 0, EGO].numpy()
    try:
        routes = [
            finder.find(finder.locate(start[run], float(yaw[run])), finder.locate(goal[run]))
            for run in range(trace.runs)
        ]
    except ValueError as error:
        return replace(road, no_route=str(error)), arrived
    length = torch.tensor([max(route.length_m, 1e-6) for route in routes], dtype=torch.float64)
    return replace(road, route=tuple(route.lanes for route in routes), route_length_m=length), arrived


def _expert(
    watch: CriteriaWatch, ended_tick: NDArray[np.int64], trace: Trace, things: Tensor, road: Road, driven: bool
) -> Expert:
    """The file's own actions at the wheel, for as long as the runs lasted."""
    if not driven:
        return expert_of(trace, things, road)
    player = Player(watch.scenario, watch.draw, watch.network, watch.player.dt_s)
    own = CriteriaWatch(watch.scenario, watch.draw, watch.network, player, watch.ego)
    own.see(player.state)
    while player.tick < int(ended_tick.max()) and not bool(player.done.all()):
        before = player.tick
        player.step()
        if player.tick > before:
            own.see(player.state)
    done = player.done.numpy()
    played = own.trace(np.minimum(np.where(done, player.end_tick.numpy(), player.tick), ended_tick))
    return expert_of(_level(own, played), things, replace(road, ego_z_world_m=own.heights_m()[:, :, EGO]))


@lru_cache(maxsize=8)
def _lanes(key: NetworkKey) -> tuple[LaneGraph, RouteFinder]:
    lanes = compile_lanes([key.network])
    return lanes, RouteFinder(lanes)
