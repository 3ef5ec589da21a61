"""Networks written as OpenDRIVE read back the same, generated or from files, and are valid by ASAM's schema."""

import math
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from configs.schema import RoadKind
from sim.mapfiles.opendrive import read_opendrive
from sim.mapfiles.opendrive_writer import write_opendrive
from sim.roadgen.generate import generate_road
from sim.roads.geometry import Cubics, Line, ParamPoly3, Piece, PlanView, constant
from sim.roads.network import (
    Connection,
    Junction,
    Lane,
    LaneSection,
    Marking,
    MarkLine,
    Road,
    RoadLink,
    RoadMark,
    RoadNetwork,
    Signal,
)
from sim.roads.surface import Crossfall, LateralShape

KINDS = get_args(RoadKind)
SHARED = Path(__file__).parents[3] / "shared" / "data"
MAPS = sorted((SHARED / "opendrive").glob("*/*.xodr"))
SCHEMA = SHARED / "openscenario" / "schema" / "OpenDRIVE_Core.xsd"


def differences(a: Any, b: Any, where="network"):
    """Where two networks differ, to the last bit; their names and sources may."""
    if isinstance(a, np.ndarray):
        return [] if a.dtype == b.dtype and np.array_equal(a, b) else [where]
    if isinstance(a, float):  # of whatever make
        return [] if isinstance(b, float) and a == b else [where]
    if type(a) is not type(b):
        return [where]
    if is_dataclass(a):
        names = [f.name for f in fields(a) if where != "network" or f.name not in ("name", "source")]
        return [d for name in names for d in differences(getattr(a, name), getattr(b, name), f"{where}.{name}")]
    if isinstance(a, dict):
        if list(a) != list(b):
            return [f"{where} keys"]
        return [d for key in a for d in differences(a[key], b[key], f"{where}[{key!r}]")]
    if isinstance(a, tuple | list):
        if len(a) != len(b):
            return [f"{where} length"]
        return [d for i, (x, y) in enumerate(zip(a, b)) for d in differences(x, y, f"{where}[{i}]")]
    return [] if a == b else [where]


def through_file(network, folder):
    path = folder / "map.xodr"
    write_opendrive(network, path)
    return read_opendrive(path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(kind=st.sampled_from(KINDS), seed=st.integers(0, 2**31))
def test_generated_networks_read_back_to_the_last_bit(kind, seed, tmp_path):
    network = generate_road(kind, seed)
    again = through_file(network, tmp_path)
    assert differences(network, again) == []
    assert again.source.version == "1.8" and not again.source.warnings and not again.source.ignored


@pytest.mark.skipif(not MAPS, reason="the maps of ../shared/data/opendrive are not there")
@pytest.mark.parametrize("path", MAPS, ids=lambda path: path.stem)
def test_maps_read_back_to_the_last_bit(path, tmp_path):
    network = read_opendrive(path)
    assert differences(network, through_file(network, tmp_path)) == []


@pytest.mark.skipif(not SCHEMA.exists(), reason="the schema of ../shared/data/openscenario/schema is not there")
def test_files_are_valid_by_the_schema(tmp_path):
    xmlschema = pytest.importorskip("xmlschema")
    schema = xmlschema.XMLSchema11(str(SCHEMA))
    for kind in KINDS:
        write_opendrive(generate_road(kind, 1), tmp_path / "map.xodr")
        schema.validate(str(tmp_path / "map.xodr"))


def rare_road():
    """One road with everything that generated ones do without."""
    cubic = Cubics(np.array([0.0, 7.3]), np.array([[0.1, 0.01, 0.0, -1e-5], [0.2, 0.0, 1 / 3, 0.0]]))
    marks = (
        RoadMark(0.0, "solid broken", "yellow", (MarkLine(0.1, 0.12, 3.0, 0.0), MarkLine(-0.1, 0.12, 2.0, 5.0, 0.7))),
        RoadMark(20.0, "custom", "white", (MarkLine(0.05, 0.2, 3.0, 0.0, 1.0, 2.5),)),
        RoadMark(30.0, "curb", "white", ()),
    )
    first = {
        1: Lane(1, "driving", constant(0.0), border=constant(3.3), successors=(1, 2), heights=((0.0, 0.1, 0.15),)),
        0: Lane(0, "none", constant(0.0), marks=marks),
        -1: Lane(-1, "driving", constant(3.0), successors=(-1,), speeds=((0.0, 8.3), (5.0, 1 / 3))),
    }
    second = {-1: Lane(-1, "driving", constant(3.0), predecessors=(-1,)), 0: Lane(0, "none", constant(0.0))}
    sections = (
        LaneSection(0.0, 40.0, 25.0, first),
        LaneSection(25.0, 40.0, 40.0, dict(sorted(second.items(), reverse=True)), ("right",)),
    )
    pieces = (
        Piece(0.0, 1e-3, -7.0, 3.0, 10.0, Line()),
        Piece(10.0, 2.0, 3.0, 3.0, 12.0, ParamPoly3((0.0, 12.0, 0.0, 0.1), (0.0, 0.0, 0.3, 1 / 7), 1.0, 12.0)),
        Piece(22.0, 2.0, 3.0, -3.0, 18.0, ParamPoly3((0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1e-3, 1e-5), 18.0, 18.0)),
    )
    return Road(
        "r 1", 40.0, PlanView(pieces), sections, elevation=cubic, lane_offset=constant(0.5), right_hand=False,
        speeds=((0.0, 13.9), (10.0, None), (20.0, 31.0)), superelevation=constant(0.03), name="Ring & <Way>",
        reliefs=(LateralShape(np.array([0.0, 9.0]), (constant(0.1), cubic)), Crossfall(constant(0.01), constant(0.02))),
        successor=RoadLink("road", "r 1", "start"),
    )  # fmt: skip


def test_what_generated_networks_do_without_is_written_too(tmp_path):
    light = Signal(
        "7", "r 1", 12.0, 4.5, 2.0, 1.25, None, True, "light", "own", "9", "", 5.5, 0.9, 0.3, (-1, 1), "L",
        stands_at_world_m=(1.0, 2.0, 1 / 3),
    )  # fmt: skip
    network = RoadNetwork(
        "rare", {"r 1": rare_road()}, {"a": (), "v": (Connection("r 1", "r 1", "end", ((1, 1), (-1, -1))),)},
        paint=(Marking(np.array([[0.5, 0.25], [1.0, 4.0], [2.0, 8.0]]), 0.3, "red", 1.0, 0.5, "r 1"),),
        signals=(light, replace(light, s_m=30.0, yaw_rad=light.yaw_rad, reference=True)),
        junction_info={
            "a": Junction("a", "crossing", "plaza", (("r 1", "r 1"),)),
            "v": Junction("v", "virtual", main_road="r 1", span_m=(3.0, 9.5)),
        },
    )  # fmt: skip
    again = through_file(network, tmp_path)
    # A reference has no offset of its own: it faces along its road.
    facing = math.remainder(float(again.roads["r 1"].plan.at(np.array([30.0]))[1][0]), 2 * math.pi)
    expected = replace(network, signals=(light, replace(network.signals[1], yaw_rad=facing)))
    assert differences(expected, again) == []


def test_a_file_appears_whole_or_not_at_all(tmp_path):
    network = generate_road("rural", 0)
    road = network.roads["0"]

    bent = replace(
        road, plan=PlanView((replace(road.plan.pieces[0], shape=ParamPoly3((0, 1, 0, 0), (0, 0, 0, 0), 0.3, 5.0)),))
    )
    with pytest.raises(ValueError, match="OpenDRIVE cannot say"):
        write_opendrive(replace(network, roads={"0": bent}), tmp_path / "map.xodr")
    with pytest.raises(OSError):
        write_opendrive(network, tmp_path / "absent" / "map.xodr")
    assert not list(tmp_path.iterdir())
