"""Signals, controllers and objects of OpenDRIVE maps: places in closed form, kinds by catalogue, oddities."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from tiny_maps import line, read, road

from sim.mapfiles.opendrive import read_opendrive
from sim.roads.signal_kinds import sign_speed_mps, signal_kind

OPENDRIVE = Path(__file__).resolve().parents[3] / "shared" / "data" / "opendrive"
real_maps = pytest.mark.skipif(not OPENDRIVE.is_dir(), reason="needs the real maps in ../shared/data/opendrive")


def signal(id="7", rest="", **attributes):
    given = {"s": 40, "t": -4, "zOffset": 2, "dynamic": "no", "orientation": "+", "type": "206", "subtype": "-1"}
    text = " ".join(f'{key}="{value}"' for key, value in (given | attributes).items())
    return f'<signal id="{id}" {text}>{rest}</signal>'


def signals(*elements):
    return f"<signals>{''.join(elements)}</signals>"


def objects(*elements):
    return f"<objects>{''.join(elements)}</objects>"


def test_a_stop_sign(tmp_path):
    geometry = line(0, 0, 0.5)
    sign = read(tmp_path, road(geometry=geometry, after=signals(signal(country="OpenDRIVE")))).signals[0]
    assert (sign.id, sign.road, sign.kind, sign.forward, sign.dynamic) == ("7", "1", "stop", True, False)
    assert (sign.s_m, sign.t_m, sign.z_m, sign.value, sign.lanes) == (40.0, -4.0, 2.0, None, ())
    assert sign.yaw_rad == pytest.approx(0.5) and not sign.reference


def test_orientation_and_lanes(tmp_path):
    both = '<validity fromLane="-5" toLane="9"/>'
    middle = '<validity fromLane="0" toLane="0"/>'
    body = road(after=signals(
        signal("a", both, orientation="-"), signal("b", middle, orientation="none"), signal("c", hOffset="0.2")
    ))  # fmt: skip
    back, nobody, turned = read(tmp_path, body).signals
    assert back.forward is False and abs(back.yaw_rad) == pytest.approx(math.pi) and back.lanes == (-1, 1)
    assert nobody.forward is None and nobody.lanes == (0,)  # the centre lane: valid for nobody
    assert turned.yaw_rad == pytest.approx(0.2)


def test_references_are_valid_where_they_lie(tmp_path):
    reference = (
        '<signalReference id="7" s="10" t="3" orientation="-"><validity fromLane="1" toLane="1"/></signalReference>'
    )
    dangling = '<signalReference id="8" s="10" t="3" orientation="-"/>'
    network = read(tmp_path, road("1", after=signals(signal(type="1000001", dynamic="yes")))
                   + road("2", geometry=line(0, 50), after=signals(reference, dangling)))  # fmt: skip
    own, other = network.signals
    assert (own.road, own.reference, own.kind) == ("1", False, "light")
    assert (other.id, other.road, other.s_m, other.lanes, other.reference) == ("7", "2", 10.0, (1,), True)
    assert abs(other.yaw_rad) == pytest.approx(math.pi)
    assert "refers to signal '8', which does not exist" in network.source.warnings[0]


def test_where_a_signal_stands_apart(tmp_path):
    on_road = '<positionRoad roadId="2" s="20" t="5" zOffset="4" hOffset="0"/>'
    inertial = '<positionInertial x="1" y="2" z="3" hdg="0"/>'
    body = road("1", after=signals(signal("a", on_road), signal("b", inertial))) + road("2", geometry=line(0, 50))
    a, b = read(tmp_path, body).signals
    np.testing.assert_allclose(a.stands_at_world_m, [20.0, 55.0, 4.0])
    assert b.stands_at_world_m == (1.0, 2.0, 3.0)


def test_meaning_in_so_many_words(tmp_path):
    """OpenDRIVE 1.8 semantics count before the catalogue."""
    limit = '<semantics><speed type="maximum" value="50" unit="km/h"/></semantics>'
    wait = '<semantics><priority type="yield"/></semantics>'
    body = road(after=signals(signal("a", limit, type="x", unit="km/h"), signal("b", wait, type="x")))
    fast, slow = read(tmp_path, body).signals
    assert (fast.kind, fast.value, slow.kind) == ("speed_limit", pytest.approx(50 / 3.6), "yield")


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (("1000001",), "light"), (("1000011",), "light"), (("1000002",), "pedestrian_light"),
        (("1000013",), "bicycle_light"), (("206", "-1", "OpenDRIVE"), "stop"), (("205", "", "de"), "yield"),
        (("274", "57", "DEU"), "speed_limit"), (("274.2", "", "de"), "speed_limit_end"), (("306",), "priority"),
        (("307",), "priority_end"), (("301",), "priority_next"), (("267",), "no_entry"), (("293",), "crossing"),
        (("350",), "crossing"), (("294",), "stop_line"), (("123", "", "de"), "warning"), (("274", "1", "us"), "other"),
        (("R1-1", "", "US"), "stop"), (("r2-1", "", "usa"), "speed_limit"), (("c", "31", "se"), "speed_limit"),
        (("b", "2", "SE"), "stop"), (("601.1", "", "gb"), "stop"), (("-1", "", "", "Stencil_STOP"), "stop"),
        (("-1", "-1", "", "Yield_2"), "yield"), (("", "", "", "de_274-50"), "speed_limit"), (("9999",), "other"),
        (("-1", "", "", "Sg306Vorfahrtstrasse02.flt"), "priority"), (("-1", "", "", "StopLine"), "stop_line"),
    ],
)  # fmt: skip
def test_kinds_by_catalogue(code, kind):
    assert signal_kind(*code) == kind


@pytest.mark.parametrize(
    ("sign", "kmh"),
    [
        ((70.0, "km/h", "274", "57", "OpenDRIVE", ""), 70), ((None, "", "274", "55", "de", ""), 50),
        ((5.0, "", "c", "31", "se", ""), 50), ((25.0, "mph", "r2-1", "", "us", ""), 25 * 1.609344),
        ((25.0, "", "r2-1", "", "us", ""), 25 * 1.609344), ((50.0, "", "274", "", "de", ""), 50),
        ((None, "", "", "", "", "Speed_90"), 90), ((None, "", "", "", "", "de_274-50"), 50),
        ((10.0, "m/s", "", "", "", ""), 36),
    ],
)  # fmt: skip
def test_limits_on_signs(sign, kmh):
    assert sign_speed_mps(*sign) == pytest.approx(kmh / 3.6)


def test_a_sign_without_a_figure_tells_none():
    assert sign_speed_mps(None, "", "274", "", "de", "sign") is None


def test_controllers_and_their_turn(tmp_path):
    body = road(after=signals(signal("1"), signal("2"))) + (
        '<controller id="a" name="north"><control signalId="1"/><control signalId="1"/><control signalId="9"/>'
        "</controller>"
        '<controller id="b" sequence="4"><control signalId="2"/></controller>'
        '<junction id="j"><controller id="a" sequence="2"/><controller id="c"/></junction>'
    )
    network = read(tmp_path, body)
    a, b = network.controllers
    assert (a.id, a.signals, a.junction, a.sequence, a.name) == ("a", ("1",), "j", 2, "north")
    assert (b.signals, b.junction, b.sequence) == (("2",), None, 4)
    told = "\n".join(network.source.warnings)
    assert "controls signal '9'" in told and "names controller 'c'" in told


def test_outlines_in_both_frames(tmp_path):
    local = "".join(f'<cornerLocal u="{u}" v="{v}" z="0" height="3"/>' for u, v in ((-2, -1), (2, -1), (2, 1), (-2, 1)))
    on_road = "".join(f'<cornerRoad s="{s}" t="{t}" dz="0.5" height="1"/>' for s, t in ((10, 2), (20, 2), (20, 4)))
    body = road(geometry=line(5, 6, math.pi / 2), after=objects(
        f'<object id="h" type="building" s="30" t="10" zOffset="1" hdg="0"><outline>{local}</outline></object>',
        f'<object id="i" type="trafficIsland" s="15" t="3"><outlines><outline>{on_road}</outline>'
        '<outline outer="false"><cornerRoad s="1" t="1"/></outline></outlines></object>',
    ))  # fmt: skip
    house, island = read(tmp_path, body).objects
    np.testing.assert_allclose(
        house.outline_xyz_world_m, [[-4, 34, 1], [-4, 38, 1], [-6, 38, 1], [-6, 34, 1]], atol=1e-9
    )
    assert (house.kind, house.height_m) == ("building", 3.0)
    np.testing.assert_allclose(island.outline_xyz_world_m, [[3, 16, 0.5], [3, 26, 0.5], [1, 26, 0.5]], atol=1e-9)


def test_repeated_objects(tmp_path):
    posts = '<repeat s="10" length="40" distance="10" tStart="5" tEnd="9" heightStart="1" heightEnd="3"/>'
    rail = (
        '<repeat s="20" length="50" distance="0" tStart="-5" tEnd="-5" heightStart="1" heightEnd="1" widthStart="0.4"/>'
    )
    body = road(after=objects(f'<object id="p" type="pole" s="0" t="0">{posts}</object>',
                              f'<object id="r" type="barrier" s="0" t="0">{rail}</object>'))  # fmt: skip
    *copies, along = read(tmp_path, body).objects
    assert [(c.s_m, c.t_m, c.height_m) for c in copies] == [(10 + 10 * i, 5 + i, 1 + 0.5 * i) for i in range(5)]
    outline = along.outline_xyz_world_m
    np.testing.assert_allclose(outline.min(axis=0), [20.0, -5.2, 0.0], atol=1e-9)
    np.testing.assert_allclose(outline.max(axis=0), [70.0, -4.8, 0.0], atol=1e-9)
    assert (along.s_m, along.length_m, along.height_m) == (45.0, 50.0, 1.0)


def test_kinds_of_objects(tmp_path):
    kinds = {
        'type="parkingSpace"': "parking", 'type="crosswalk"': "crosswalk", 'name="LadderCrosswalk"': "crosswalk",
        'type="crosswalk" name="SolidSingleWhite"': "roadMark", 'name="StopLine"': "stopLine",
        'type="tree"': "tree", "": "other",
    }  # fmt: skip
    body = objects(*(f'<object id="{i}" s="1" t="0" {text}/>' for i, text in enumerate(kinds)))
    assert [thing.kind for thing in read(tmp_path, road(after=body)).objects] == list(kinds.values())
    bridge = objects('<bridge id="b" s="10" length="30" type="concrete"/>')
    span = read(tmp_path, road(after=bridge)).objects[0]
    assert (span.kind, span.s_m, span.length_m) == ("bridge", 10.0, 30.0)


def test_named_signs_of_an_exporter_are_signals(tmp_path):
    body = objects(
        '<object id="1" s="20" t="-5" type="-1" name="Speed_30" orientation="+"/>',
        '<object id="2" s="90" t="-2" type="-1" name="Stencil_STOP" orientation="-"/>',
    )
    limit, stop = read(tmp_path, road(after=body)).signals
    assert (limit.kind, limit.value, limit.forward) == ("speed_limit", pytest.approx(30 / 3.6), True)
    assert (stop.kind, stop.forward, stop.s_m) == ("stop", False, 90.0)


def test_things_beyond_the_road_are_kept_and_told(tmp_path):
    body = road(after=signals(signal(s=500)) + objects('<object id="1" s="-20" t="0" type="pole"/>'))
    network = read(tmp_path, body)
    assert network.signals[0].s_m == 100.0 and network.objects[0].s_m == -20.0
    assert len(network.source.warnings) == 2 and all("outside road '1'" in text for text in network.source.warnings)


@real_maps
def test_signals_of_real_maps():
    town = read_opendrive(OPENDRIVE / "carla" / "Town04.xodr")
    own = Counter(s.kind for s in town.signals if not s.reference)
    assert own == {"speed_limit": 53, "light": 43, "stop": 10} and len(town.controllers) == 43
    assert Counter(thing.kind for thing in town.objects)["crosswalk"] == 27
    assert all(controller.signals for controller in town.controllers)
    lights = {s.id for s in town.signals if s.kind == "light"}
    assert {id for controller in town.controllers for id in controller.signals} == lights
    crossings = read_opendrive(OPENDRIVE / "esmini" / "multi_intersections.xodr")
    kinds = Counter(s.kind for s in crossings.signals)
    assert (kinds["light"], kinds["pedestrian_light"], kinds["priority"], kinds["yield"]) == (34, 34, 10, 7)
    assert sorted({round(3.6 * s.value) for s in crossings.signals if s.kind == "speed_limit"}) == [50, 70]
