"""Look-ups by position: closed forms, bridges, round trips on every real map."""

import math
from pathlib import Path

import numpy as np
import pytest

from sim.mapfiles.opendrive import read_opendrive
from sim.roadgen.generate import generate_road
from sim.roads.geometry import Arc, Line, Piece, PlanView, constant
from sim.roads.locate import RoadIndex
from sim.roads.network import Lane, LaneSection, Road, RoadNetwork

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MAPS = sorted(DATA.rglob("*.xodr"))


STRAIGHT = Line()


def road(id, x, y, heading, length=100.0, shape=STRAIGHT, z=0.0, **more):
    lanes = {id: Lane(id, "driving", constant(3.5)) for id in (1, -1)} | {0: Lane(0, "none", constant(0.0))}
    plan = PlanView((Piece(0.0, x, y, heading, length, shape),))
    section = LaneSection(0.0, length, length, lanes)
    return Road(id, length, plan, (section,), elevation=constant(z), **more)


def network(*roads):
    return RoadNetwork("test", {r.id: r for r in roads})


def test_beside_a_straight_road_and_an_arc():
    arc = road("arc", 200.0, 0.0, 0.0, 25 * math.pi, Arc(0.02))  # a quarter circle about (200, 50)
    found = network(road("line", 0.0, 0.0, 0.0), arc).locate(np.array([[30.0, 2.0], [200 + 47.0, 50.0]]))
    np.testing.assert_array_equal(found.road, [0, 1])
    np.testing.assert_allclose(found.s_m, [30.0, 25 * math.pi], atol=1e-9)
    np.testing.assert_allclose(found.t_m, [2.0, 3.0], atol=1e-9)
    np.testing.assert_allclose(found.outside_m, 0.0, atol=1e-9)


def test_off_the_road_and_past_its_end():
    found = network(road("line", 0.0, 0.0, 0.0)).locate(np.array([[50.0, 7.5], [104.0, 6.5], [50.0, -5000.0]]))
    np.testing.assert_allclose(found.s_m, [50.0, 100.0, 50.0], atol=1e-9)
    np.testing.assert_allclose(found.t_m, [7.5, 6.5, -5000.0], atol=1e-9)
    np.testing.assert_allclose(found.outside_m, [4.0, 5.0, 4996.5], atol=1e-9)


def test_height_tells_a_bridge_from_the_road_below():
    crossing = network(road("below", -50.0, 0.0, 0.0), road("above", 0.0, -50.0, math.pi / 2, z=6.0))
    at = np.array([[0.5, 1.0], [0.5, 1.0]])
    np.testing.assert_array_equal(crossing.locate(at, np.array([0.2, 5.8])).road, [0, 1])
    np.testing.assert_array_equal(crossing.locate_lanes(at, np.array([0.2, 5.8])).lane, [1, -1])


def test_heading_chooses_between_crossing_lanes_but_never_leaves_the_lane():
    crossing = network(road("east", -50.0, 0.0, 0.0), road("north", 0.0, -50.0, math.pi / 2))
    at, yaw = np.array([[1.0, -1.5]] * 2), np.array([0.1, 1.4])
    found = crossing.locate_lanes(at, yaw_world_rad=yaw)
    np.testing.assert_array_equal(found.road, [0, 1])
    np.testing.assert_array_equal(found.lane, [-1, -1])
    np.testing.assert_allclose(found.offset_m, [0.25, 0.75], atol=1e-9)
    wrong_way = network(road("east", -50.0, 0.0, 0.0)).locate_lanes(np.array([[0.0, 1.0]]), yaw_world_rad=np.zeros(1))
    assert (wrong_way.lane[0], wrong_way.outside_m[0]) == (1, 0.0)


def test_where_there_is_no_driving_lane_nothing_is_valid():
    path = road("path", 0.0, 0.0, 0.0)
    lanes = {0: Lane(0, "none", constant(0.0)), -1: Lane(-1, "sidewalk", constant(2.0))}
    path = Road("path", 100.0, path.plan, (LaneSection(0.0, 100.0, 100.0, lanes),))
    assert not network(path).locate_lanes(np.array([[5.0, -1.0]])).valid[0]


def test_left_hand_traffic_runs_along_the_left_lane():
    found = network(road("1", 0.0, 0.0, 0.0, right_hand=False)).locate_lanes(
        np.array([[50.0, 0.1]]), yaw_world_rad=np.array([math.pi])
    )
    assert found.lane[0] == 1


def test_wrong_questions_are_refused():
    with pytest.raises(ValueError, match="finite"):
        network(road("1", 0.0, 0.0, 0.0)).locate(np.array([[np.nan, 0.0]]))
    with pytest.raises(ValueError, match="no roads"):
        RoadIndex(())
    with pytest.raises(ValueError, match="road '1' has no lane 4 at s=5"):
        road("1", 0.0, 0.0, 0.0).lane_pose(4, np.array([5.0]), np.zeros(1))


def test_an_answer_does_not_depend_on_its_batch():
    town = generate_road("town", 3)
    xy = np.random.default_rng(1).uniform(-150.0, 150.0, (50, 2))
    together = town.locate(xy)
    alone = [town.locate(point[None]) for point in xy]
    for column, ones in zip(together, zip(*alone)):
        np.testing.assert_array_equal(column, np.concatenate(ones))


def _places(network, count, seed):
    """Random places on the lanes of a map: road indices, s and t."""
    rng, roads = np.random.default_rng(seed), list(network.roads.values())
    lengths = np.array([r.length_m for r in roads])
    road = rng.choice(len(roads), count, p=lengths / lengths.sum())
    s, t = rng.random(count) * lengths[road], np.zeros(count)
    for index in np.unique(road):
        rows = road == index
        right, left = roads[index].edges(s[rows])
        t[rows] = right + (left - right) * rng.random(rows.sum())
    return road, s, t


@pytest.mark.skipif(not MAPS, reason="needs the real maps in ../shared/data")
@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_real_maps_there_and_back(path):
    network = read_opendrive(path)
    road, s, t = _places(network, 300, seed=7)
    pose = network.index.poses(road, s, t)
    found = network.locate(pose.xyz_world_m[:, :2], pose.xyz_world_m[:, 2])
    assert found.outside_m.max() < 1e-6
    back = network.index.poses(found.road, found.s_m, found.t_m)
    np.testing.assert_allclose(back.xyz_world_m, pose.xyz_world_m, atol=1e-6)
    for index in np.unique(road):
        rows = road == index
        along, beside = network.index.project(int(index), pose.xyz_world_m[rows, :2])
        np.testing.assert_allclose(along, s[rows], atol=1e-6)
        np.testing.assert_allclose(beside, t[rows], atol=1e-6)


@pytest.mark.skipif(not MAPS, reason="needs the real maps in ../shared/data")
def test_lanes_there_and_back():
    network = read_opendrive(DATA / "opendrive" / "esmini" / "e6mini.xodr")
    road = next(iter(network.roads.values()))
    s = np.linspace(1.0, road.length_m - 1.0, 40)
    for lane in road.driving_lanes:
        pose = road.lane_pose(lane, s, np.full(40, 0.4))
        found = network.locate_lanes(pose.xyz_world_m[:, :2], pose.xyz_world_m[:, 2])
        assert found.valid.all() and (found.lane == lane).all() and found.outside_m.max() == 0.0
        np.testing.assert_allclose(found.offset_m, 0.4, atol=1e-9)
        np.testing.assert_allclose(found.s_m, s, atol=1e-9)
