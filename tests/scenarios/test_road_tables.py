"""Roads as arrays against the roads themselves, and ways from road to road."""

from pathlib import Path

import numpy as np
import pytest

from sim.mapfiles.opendrive import read_opendrive
from sim.scenarios.motions import locate
from sim.scenarios.road_paths import PathFinder
from sim.scenarios.road_tables import END, START, RoadTables

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "opendrive"
MAPS = sorted(DATA.glob("*/*.xodr")) if DATA.is_dir() else []
real = pytest.mark.skipif(not MAPS, reason="needs the real maps in ../shared/data/opendrive")


@real
@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_tables_agree_with_the_roads(path):
    network = read_opendrive(path)
    tables, rng = RoadTables(network), np.random.default_rng(0)
    for index, road in list(enumerate(tables.roads))[:25]:
        s, here = rng.uniform(0.0, road.length_m, 60), np.full(60, index)
        x, y, heading, curvature = tables.line(here, s)
        xy, exact, bend = road.plan.at(s)
        assert np.hypot(x - xy[:, 0], y - xy[:, 1]).max() < 3e-4
        assert np.abs(np.sin(heading - exact)).max() < 1e-3 and np.abs(curvature - bend).max() < 1e-2
        for lane in (-2, -1, 1, 2):
            t, width, valid = road.lane_t(lane, s)
            place = tables.lane(here, np.full(60, lane), s)
            assert (place.valid == valid).all()
            assert np.abs(np.where(valid, t - place.t_m, 0.0)).max() < 1e-6
            assert np.abs(np.where(valid, width - place.width_m, 0.0)).max() < 1e-6
        t = rng.uniform(-3.0, 3.0, 60)
        x, y, z, heading, pitch, roll = tables.pose(here, s, t)
        pose = road.pose(s, t)
        assert np.abs(np.column_stack((x, y, z)) - pose.xyz_world_m).max() < 1e-3
        assert np.abs(pitch - pose.pitch_rad).max() < 1e-3 and np.abs(roll - pose.roll_rad).max() < 1e-3


@real
def test_places_are_found_again_on_their_road():
    tables = RoadTables(read_opendrive(DATA / "esmini" / "curves.xodr"))
    rng = np.random.default_rng(1)
    s, t, here = rng.uniform(5, tables.length_m[0] - 5, 200), rng.uniform(-4, 4, 200), np.zeros(200, dtype=np.int64)
    x, y, *_ = tables.pose(here, s, t)
    for start in (np.full(200, -1), here):
        road, found_s, found_t = locate(
            tables, x, y, start * 0, start, np.clip(s + rng.uniform(-1, 1, 200), 0, tables.length_m[0])
        )
        assert (road == 0).all()
        assert np.abs(found_s - s).max() < 1e-3 and np.abs(found_t - t).max() < 1e-3


@real
def test_a_look_up_does_not_depend_on_what_was_looked_up_before():
    network = read_opendrive(DATA / "esmini" / "fabriksgatan.xodr")
    one, other = RoadTables(network), RoadTables(network)
    roads = np.arange(len(one.roads))
    s = 0.37 * one.length_m
    whole = one.line(roads, s)
    for i in roads[::-1]:
        part = other.line(roads[i : i + 1], s[i : i + 1])
        assert all(a[i] == b[0] for a, b in zip(whole, part))


@real
def test_paths_lead_through_junctions():
    tables = RoadTables(read_opendrive(DATA / "esmini" / "fabriksgatan.xodr"))
    paths = PathFinder(tables)
    start, goal = tables.road(0, "0"), tables.road(0, "1")
    found = [paths.find(start, lane, end, goal) for lane in (-1, 1) for end in (START, END)]
    assert any(path is not None and path.roads[-1][0] == goal for path in found)
    for path in found:
        if path is not None:
            between = sum(tables.length_m[road] for road, _ in path.roads[:-1])
            assert path.between_m == pytest.approx(between)
