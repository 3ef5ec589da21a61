"""Maps as tables and pictures."""

import csv
import math
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.map_report import report
from pipelines.maps import CSV_COLUMNS, draw_map, write_map_csv
from sim.mapfiles.opendrive import read_opendrive
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import map_lanes

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


def test_successors_are_those_of_the_lane_graph(tmp_path):
    """Every lane's followers, and only as the last column; a lane against s leaves its section at the start."""
    network = generate_road("town", 0)
    write_map_csv(network, tmp_path / "plain.csv")
    write_map_csv(network, tmp_path / "map.csv", successors=True)
    plain, full = ((tmp_path / name).read_text().splitlines() for name in ("plain.csv", "map.csv"))
    assert [line.rsplit(",", 1)[0] for line in full] == plain and full[0].endswith(",successors")
    rows, graph = rows_of(tmp_path / "map.csv"), map_lanes(network)
    index = {key: i for i, key in enumerate(graph.keys)}
    for row in rows:
        told = {(r, int(i), int(lane)) for r, i, lane in (s.split(":") for s in row["successors"].split(";") if s)}
        key = (row["road"], int(row["section"]), int(row["lane"]))
        assert {index[other] for other in told} == set(graph.successors[index[key]])


@real_maps
def test_successors_in_town04_as_an_independent_reader_sees_them(tmp_path):
    """Waypoints that the CARLA 0.9.16 wheel finds 2 cm after the end of these lanes' sections."""
    write_map_csv(read_opendrive(OPENDRIVE / "carla" / "Town04.xodr"), tmp_path / "map.csv", successors=True)
    found = {(row["road"], row["section"], row["lane"]): row["successors"] for row in rows_of(tmp_path / "map.csv")}
    assert found["0", "0", "1"] == "158:0:1;161:0:1;179:0:1"  # leaves at the road's start, into a junction
    assert found["779", "1", "2"] == "779:0:6" and found["1076", "1", "6"] == "1076:0:2"  # ids change between sections
    assert found["35", "0", "-1"] == "861:0:-1"


def test_a_report_tells_what_a_map_uses():
    text = "\n".join(report(generate_road("highway", 0)))
    assert "1 (0 in junctions)" in text and "right-hand traffic" in text and "km driving" in text
    assert "warnings     none" in text


@real_maps
def test_a_report_on_a_real_map():
    lines = list(report(read_opendrive(OPENDRIVE / "carla" / "Town04.xodr")))
    rows = {line[2:14].strip(): line[15:] for line in lines[1:]}
    assert lines[0] == "Town04: OpenDRIVE 1.4, right-hand traffic"
    assert rows["roads"].startswith("276 (223 in junctions)") and rows["geometry"] == "900 line, 380 arc"
    assert rows["signals"] == "53 speed_limit, 43 light, 10 stop; 121 references"
    assert rows["elevation"] == "-0.00 to 11.00 m, slope up to 10.1 %"
    assert "1209 lane/userData" in rows["not read"] and rows["warnings"] == "none"


def test_a_failed_write_leaves_nothing(tmp_path):
    target = tmp_path / "folder"
    target.mkdir()
    with pytest.raises(OSError):
        write_map_csv(generate_road("rural", 0), target)
    assert list(tmp_path.iterdir()) == [target] and not list(target.iterdir())
