"""Maps as tables and pictures."""

import csv
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.maps import CSV_COLUMNS, draw_map, summary, write_map_csv
from sim.opendrive import read_opendrive
from sim.roadgen import generate_road

OPENDRIVE = Path(__file__).resolve().parents[3] / "shared" / "data" / "opendrive"
real_maps = pytest.mark.skipif(not OPENDRIVE.is_dir(), reason="needs the real maps in ../shared/data/opendrive")


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_table_holds_exact_centres(tmp_path):
    network, path = generate_road("highway", 2), tmp_path / "map.csv"
    count = write_map_csv(network, path)
    rows = rows_of(path)
    assert path.read_text().splitlines()[0] == ",".join(CSV_COLUMNS) and len(rows) == count
    assert {row["lane"] for row in rows} == {"4", "3", "2", "-2", "-3", "-4"}
    road = network.roads["0"]
    for row in rows[::97]:
        assert float(row["s"]) % 5.0 == 0.0
        xyz, yaw, width, _ = road.lane_at(0, int(row["lane"]), np.array([float(row["s"])]))
        np.testing.assert_allclose([float(row[k]) for k in "xyz"], xyz[0], atol=1e-6)
        assert math.remainder(float(row["yaw"]) - yaw[0], 2 * math.pi) == pytest.approx(0.0, abs=1e-8)
        assert float(row["width"]) == pytest.approx(width[0], abs=1e-6)
        assert (row["is_junction"], row["junction"]) == ("0", "-1")


def test_junctions_are_named(tmp_path):
    write_map_csv(generate_road("town", 0), tmp_path / "map.csv")
    inside = [row for row in rows_of(tmp_path / "map.csv") if row["is_junction"] == "1"]
    assert inside and all(row["junction"].startswith("j") for row in inside)


@real_maps
def test_town01_as_an_independent_reader_sees_it(tmp_path):
    """Waypoints that the CARLA 0.9.16 wheel computed from the same file (its y mirrored back)."""
    write_map_csv(read_opendrive(OPENDRIVE / "carla" / "Town01.xodr"), tmp_path / "map.csv")
    rows = rows_of(tmp_path / "map.csv")
    assert len(rows) == 1330
    found = {(row["road"], row["lane"], float(row["s"])): row for row in rows}
    row = found["355", "-1", 0.0]
    np.testing.assert_allclose([float(row["x"]), float(row["y"])], [144.990234, -59.493351], atol=1e-3)
    assert float(row["width"]) == pytest.approx(4.0) and row["is_junction"] == "1"


@real_maps
def test_param_poly3_roads_as_an_independent_reader_sees_them(tmp_path):
    write_map_csv(read_opendrive(OPENDRIVE / "esmini" / "fabriksgatan.xodr"), tmp_path / "map.csv")
    found = {(row["road"], row["lane"], float(row["s"])): row for row in rows_of(tmp_path / "map.csv")}
    row = found["16", "-1", 0.0]
    np.testing.assert_allclose([float(row["x"]), float(row["y"])], [22.504871, 4.617763], atol=1e-3)
    assert float(row["yaw"]) == pytest.approx(-math.radians(79.545952), abs=1e-4)
    assert len(found) == 251


@pytest.mark.parametrize("kind", ["rural", "highway", "town"])
def test_the_picture_shows_the_roads(tmp_path, kind):
    network = generate_road(kind, 1)
    draw_map(network, tmp_path / "map.png")
    image = cv2.imread(str(tmp_path / "map.png"))
    assert image is not None and max(image.shape) <= 2600
    asphalt = (image == (98, 92, 88)).all(axis=2).mean()
    assert 0.002 < asphalt < 0.6
    assert (image == (80, 200, 255)).all(axis=2).any()  # arrows of travel
    assert (image > 245).all(axis=2).mean() > 0.01  # paint, and the legend's panel
    assert list(tmp_path.iterdir()) == [tmp_path / "map.png"]


def test_a_summary_counts():
    figures = summary(generate_road("highway", 0))
    assert (figures["roads"], figures["junctions"], figures["driving_lanes"]) == (1, 0, 6)
    assert figures["driving_lane_km"] == pytest.approx(6 * figures["road_km"], rel=0.02)


def test_a_failed_write_leaves_nothing(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError):
        write_map_csv(generate_road("rural", 0), target)
    assert list(tmp_path.iterdir()) == [target] and not list(target.iterdir())
