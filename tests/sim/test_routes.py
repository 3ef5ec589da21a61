"""Routes by A*: against breadth of all lanes on real maps, and what a driver would call a route."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.mapfiles.opendrive import read_opendrive
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.roads.routes import CHANGE_COST_M, LanePlace, RouteFinder

MAPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "opendrive"


@pytest.fixture(scope="module")
def town():
    lanes = compile_lanes([generate_road("town", 4)])
    return lanes, RouteFinder(lanes)


def dijkstra_m(lanes, start, goal):
    """Cost of the cheapest way between two lanes entered at their beginnings, successors and changes, the slow way."""
    length = lanes.length_m.numpy()
    cost = np.full(len(length), np.inf)
    cost[start] = 0.0
    for _ in range(len(length)):
        before = cost.copy()
        for lane in range(len(length)):
            for other in lanes.successor[lanes.successor_first[lane] : lanes.successor_first[lane + 1]].tolist():
                cost[other] = min(cost[other], cost[lane] + length[lane])
        if (cost == before).all():
            return cost[goal]
    return cost[goal]


def test_a_route_is_as_short_as_any(town):
    lanes, finder = town
    rng = np.random.default_rng(1)
    for _ in range(12):
        start, goal = rng.integers(0, len(lanes.length_m), 2).tolist()
        best = dijkstra_m(lanes, start, goal)
        if start == goal:
            continue
        if not np.isfinite(best):
            continue
        route = finder.find(LanePlace(start, 0.0, 0.0), LanePlace(goal, 0.0, 0.0))
        changes = sum(
            after not in lanes.successor[lanes.successor_first[lane] : lanes.successor_first[lane + 1]].tolist()
            for lane, after in zip(route.lanes, route.lanes[1:])
        )
        assert route.length_m + CHANGE_COST_M * changes <= best + 1e-3


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_points_run_on_without_jumps_from_start_to_goal(town, seed):
    lanes, finder = town
    rng = np.random.default_rng(seed)
    start = finder.onward(LanePlace(int(rng.integers(0, len(lanes.length_m))), 0.0, 0.0), 300.0)
    xy, owner = finder.points(start, 2.0)
    assert (np.hypot(*np.diff(xy, axis=0).T) < 2.05).all()
    assert set(owner.tolist()) <= set(start.lanes)
    assert abs(len(xy) * 2.0 - start.length_m) < 6.0


def test_a_goal_behind_on_the_same_lane_needs_a_way_round(town):
    lanes, finder = town
    lane = int(np.argmax(lanes.length_m.numpy()))
    length = float(lanes.length_m[lane])
    route = finder.find(LanePlace(lane, 0.9 * length, 0.0), LanePlace(lane, 0.1 * length, 0.0))
    assert len(route.lanes) > 2 and route.lanes[0] == route.lanes[-1] == lane


def test_locate_returns_the_place_it_was_asked_for(town):
    lanes, finder = town
    for sample in range(5, len(lanes.xy_world_m), 97):
        lane = int(lanes.sample_lane[sample])
        yaw = float(lanes.yaw_world_rad[sample])
        xy = lanes.xy_world_m[sample].double().numpy() + 0.5 * np.array((-np.sin(yaw), np.cos(yaw)))
        place = finder.locate(xy, yaw)
        where = finder._on_lane(place.lane, np.array([place.s_m]))[0]
        assert np.hypot(*(where - xy)) < 0.6
        if place.lane == lane:
            assert place.lateral_m == pytest.approx(0.5, abs=0.05)
    with pytest.raises(ValueError, match="no lane runs within"):
        finder.locate(np.array([1e5, 0.0]))


def test_no_way_is_an_error():
    finder = RouteFinder(compile_lanes([generate_road("highway", 1)]))
    with pytest.raises(ValueError, match="no route leads"):
        finder.find(LanePlace(0, 50.0, 0.0), LanePlace(0, 10.0, 0.0))


@pytest.mark.skipif(not MAPS.exists(), reason="the shared maps are not here")
def test_a_route_across_town_changes_lanes_where_it_must():
    lanes = compile_lanes([read_opendrive(MAPS / "carla" / "Town04.xodr")])
    finder = RouteFinder(lanes)
    beside = lanes.has_left.nonzero()[:, 0]
    lane = int(beside[np.argmax(lanes.length_m[beside].numpy())])
    goal = int(lanes.left_lane[lane])
    route = finder.find(LanePlace(lane, 0.0, 0.0), LanePlace(goal, float(lanes.length_m[goal]), 0.0))
    assert route.lanes == (lane, goal)
    xy, _ = finder.points(route, 1.0)
    assert (np.hypot(*np.diff(xy, axis=0).T) < 1.05).all()
