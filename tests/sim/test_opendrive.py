"""Reading OpenDRIVE: tiny maps with closed forms, bad input, and real files where they lie beside the repository."""

import math
from pathlib import Path

import numpy as np
import pytest
from tiny_maps import HEADER, LINE, lane, line, read, road, section

from sim.mapfiles.opendrive import read_opendrive
from sim.roads.lanelinks import join_lanes
from sim.roads.network import DRIVING_KINDS

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
real_maps = pytest.mark.skipif(
    not (DATA / "opendrive").is_dir(), reason="needs the real maps in ../shared/data/opendrive"
)


def strip_of(network, lane, section=0, road="1"):
    return next(s for s in network.strips() if (s.road, s.section, s.lane) == (road, section, lane))


def test_lanes_of_a_straight_road(tmp_path):
    network = read(tmp_path, road())
    right, left = strip_of(network, -1), strip_of(network, 1)
    np.testing.assert_allclose(right.center_xyz_world_m[[0, -1]], [[0, -1.5, 0], [100, -1.5, 0]], atol=1e-5)
    np.testing.assert_allclose(left.center_xyz_world_m[[0, -1]], [[100, 1.5, 0], [0, 1.5, 0]], atol=1e-5)
    assert right.yaw_world_rad[0] == pytest.approx(0.0)
    assert abs(left.yaw_world_rad[0]) == pytest.approx(math.pi)
    np.testing.assert_allclose(right.left_xy_world_m[:, 1], 0.0)  # the middle of the road lies left of travel
    np.testing.assert_allclose(left.left_xy_world_m[:, 1], 0.0)
    np.testing.assert_allclose(left.right_xy_world_m[:, 1], 3.0)
    assert left.s_m[0] == 100.0 and left.s_m[-1] == 0.0


def test_left_hand_traffic_runs_the_other_way(tmp_path):
    network = read(tmp_path, road(attributes='rule="LHT"'))
    left = strip_of(network, 1)
    assert left.yaw_world_rad[0] == pytest.approx(0.0)
    np.testing.assert_allclose(left.right_xy_world_m[:, 1], 0.0)
    np.testing.assert_allclose(left.left_xy_world_m[:, 1], 3.0)


def test_a_curved_lane_is_its_own_circle(tmp_path):
    arc = f'<geometry s="0" x="0" y="0" hdg="0" length="{25 * math.pi}"><arc curvature="0.02"/></geometry>'
    network = read(tmp_path, road(geometry=arc, length=25 * math.pi))
    outer = strip_of(network, -1)  # radius 51.5 about (0, 50)
    np.testing.assert_allclose(
        np.hypot(outer.center_xyz_world_m[:, 0], outer.center_xyz_world_m[:, 1] - 50.0), 51.5, atol=1e-6
    )
    assert outer.yaw_world_rad[-1] == pytest.approx(math.pi / 2, abs=1e-6)


def test_yaw_follows_the_lane_centre_not_the_reference_line(tmp_path):
    geometry = '<geometry s="0" x="3" y="4" hdg="0.3" length="60"><spiral curvStart="0.0" curvEnd="0.02"/></geometry>'
    widths = '<width sOffset="0" a="3" b="0" c="0.003" d="-0.00002"/>'
    offset = '<laneOffset s="0" a="0" b="0.05" c="-0.001" d="0"/>'
    section = (
        f'<laneSection s="0"><left>{lane(1, width=widths)}</left><right>{lane(-1, width=widths)}</right></laneSection>'
    )
    network = read(tmp_path, road(geometry=geometry, lanes=section, length=60, before_sections=offset))
    for id in (1, -1):
        strip = strip_of(network, id)
        step = strip.center_xyz_world_m[2:, :2] - strip.center_xyz_world_m[:-2, :2]
        chord = np.arctan2(step[:, 1], step[:, 0])
        off = (strip.yaw_world_rad[1:-1] - chord + math.pi) % (2 * math.pi) - math.pi
        assert np.abs(off).max() < 5e-4
        np.testing.assert_allclose(
            np.hypot(*(strip.left_xy_world_m - strip.right_xy_world_m).T), strip.width_m, atol=1e-9
        )


def test_sections_end_with_their_own_records(tmp_path):
    """The lane offset jumps where the second section starts; the first must not jump at its end."""
    body = road(
        before_sections='<laneOffset s="0" a="-6" b="0" c="0" d="0"/><laneOffset s="50" a="0" b="0" c="0" d="0"/>',
        lanes="".join(f'<laneSection s="{s}"><right>{lane(-1)}</right></laneSection>' for s in (0, 50)),
    )
    network = read(tmp_path, body)
    np.testing.assert_allclose(strip_of(network, -1, 0).center_xyz_world_m[:, 1], -7.5)
    np.testing.assert_allclose(strip_of(network, -1, 1).center_xyz_world_m[:, 1], -1.5)


def test_samples_are_start_multiples_and_end(tmp_path):
    lanes = "".join(f'<laneSection s="{s}"><right>{lane(-1)}</right></laneSection>' for s in (0, 12.3))
    network = read(tmp_path, road(lanes=lanes, length=100))
    s = network.strips(5.0)[1].s_m
    np.testing.assert_allclose(s, [12.3, *np.arange(15, 100, 5), 100.0])


def test_elevation_and_speed(tmp_path):
    extra = (
        '<type s="0" type="rural"><speed max="25" unit="mph"/></type>'
        '<elevationProfile><elevation s="0" a="1" b="0.02" c="0" d="0"/></elevationProfile>'
    )
    network = read(tmp_path, road(extra=extra))
    np.testing.assert_allclose(strip_of(network, -1).center_xyz_world_m[[0, -1], 2], [1.0, 3.0], atol=1e-6)
    assert network.roads["1"].speeds == ((0.0, pytest.approx(11.176)),)


def test_markings_have_real_patterns_and_double_lines(tmp_path):
    marks = (
        '<roadMark sOffset="0" type="broken" color="yellow" width="0.15"><type><line length="4" space="8" tOffset="0" '
        'sOffset="0" width="0.2"/></type></roadMark>'
        '<roadMark sOffset="40" type="solid broken" color="standard" width="0.1"/><roadMark sOffset="80" type="none"/>'
    )
    section = f'<laneSection s="0"><center>{lane(0, "none", "", marks)}</center><right>{lane(-1)}</right></laneSection>'
    broken, solid, dashed = read(tmp_path, road(lanes=section)).markings()
    assert (broken.color, broken.width_m, broken.dash_m, broken.gap_m) == ("yellow", 0.2, 4.0, 8.0)
    np.testing.assert_allclose(broken.xy_world_m[[0, -1]], [[0, 0], [40, 0]], atol=1e-5)
    assert (solid.color, solid.gap_m, dashed.dash_m, dashed.gap_m) == ("white", 0.0, 3.0, 6.0)
    assert solid.xy_world_m[0, 1] == pytest.approx(0.1) and dashed.xy_world_m[0, 1] == pytest.approx(-0.1)
    np.testing.assert_allclose(dashed.xy_world_m[[0, -1], 0], [40, 80], atol=1e-5)


def test_single_sided_sections_end_per_side(tmp_path):
    lanes = (
        f'<laneSection s="0"><left>{lane(1)}</left><right>{lane(-1)}</right></laneSection>'
        f'<laneSection s="40" singleSide="true"><right>{lane(-1)}{lane(-2)}</right></laneSection>'
    )
    strips = read(tmp_path, road(lanes=lanes)).strips()
    spans = {(s.section, s.lane): (s.s_m.min(), s.s_m.max()) for s in strips}
    assert spans == {(0, 1): (0.0, 100.0), (0, -1): (0.0, 40.0), (1, -1): (40.0, 100.0), (1, -2): (40.0, 100.0)}


def test_records_in_any_order_are_sorted(tmp_path):
    pieces = [f'<geometry s="{s}" x="{s}" y="0" hdg="0" length="50"><line/></geometry>' for s in (50, 0)]
    lanes = section(60, (), (-1, -2)) + section(0, (), (-1,))
    limits = '<type s="50" type="town"/><type s="0" type="rural"><speed max="70" unit="km/h"/></type>'
    network = read(tmp_path, road(geometry="".join(pieces), lanes=lanes, extra=limits))
    np.testing.assert_allclose(network.roads["1"].plan.at(np.array([10.0, 80.0]))[0][:, 0], [10.0, 80.0])
    assert [part.s_m for part in network.roads["1"].sections] == [0.0, 60.0]
    assert network.roads["1"].speeds == ((0.0, pytest.approx(70 / 3.6)), (50.0, pytest.approx(50 / 3.6)))
    assert len(network.source.warnings) == 2


@pytest.mark.parametrize(
    ("speed", "mps"),
    [
        ('max="50" unit="km/h"', 50 / 3.6), ('max="30" unit="mph"', 13.4112), ('max="20" unit="m/s"', 20.0),
        ('max="20"', 20.0), ('max="no limit"', None), ('max="undefined"', None), ('max="-1" unit="mph"', None),
    ],
)  # fmt: skip
def test_limits_in_all_units(tmp_path, speed, mps):
    lanes = section(rest=f'<speed sOffset="0" {speed}/>')
    network = read(tmp_path, road(lanes=lanes, extra=f'<type s="0" type="unknown"><speed {speed}/></type>'))
    assert network.roads["1"].speeds == ((0.0, None if mps is None else pytest.approx(mps)),)
    limits = network.roads["1"].sections[0].lanes[1].speeds
    assert limits == (() if mps is None else ((0.0, pytest.approx(mps)),))


def test_borders_mean_what_widths_mean(tmp_path):
    def lanes(tag, first, second):
        record = '<{} sOffset="0" a="{}" b="0.01" c="0" d="0"/>'
        return (
            f'<laneSection s="0"><right>{lane(-1, width=record.format(tag, first))}'
            f"{lane(-2, width=second and record.format(tag, second))}</right></laneSection>"
        )

    widths = read(tmp_path, road(lanes=lanes("width", 3, 2)))
    borders = read(tmp_path, road(lanes=lanes("border", -3, -5).replace('b="0.01"', 'b="-0.01"')), "borders.xodr")
    s = np.array([0.0, 50.0])
    first = [network.roads["1"].lane_at(0, -1, s) for network in (widths, borders)]
    np.testing.assert_allclose(first[0][0], first[1][0])
    np.testing.assert_allclose(borders.roads["1"].lane_at(0, -2, s)[2], [2.0, 2.0])
    np.testing.assert_allclose(widths.roads["1"].lane_at(0, -2, s)[2], [2.0, 2.5])


def test_superelevation_and_lateral_profiles_lift_the_lanes(tmp_path):
    banked = (
        '<elevationProfile><elevation s="0" a="5" b="0.1" c="0" d="0"/></elevationProfile><lateralProfile>'
        '<superelevation s="0" a="0.1" b="0" c="0" d="0"/>'
        '<shape s="0" t="-10" a="0.3" b="0" c="0" d="0"/><shape s="0" t="0" a="0.3" b="-0.02" c="0" d="0"/>'
        "</lateralProfile>"
    )
    network = read(tmp_path, road(extra=banked))
    right, left = (strip_of(network, id).center_xyz_world_m[strip_of(network, id).s_m == 50.0][0] for id in (-1, 1))
    np.testing.assert_allclose(right, [50.0, -1.5 * math.cos(0.1), 10.0 - 1.5 * math.sin(0.1) + 0.3])
    np.testing.assert_allclose(left, [50.0, 1.5 * math.cos(0.1), 10.0 + 1.5 * math.sin(0.1) + 0.3 - 0.03])
    roof = '<lateralProfile><crossfall side="both" s="0" a="0.02" b="0" c="0" d="0"/></lateralProfile>'
    z = [strip_of(read(tmp_path, road(extra=roof)), id).center_xyz_world_m[0, 2] for id in (-1, 1)]
    np.testing.assert_allclose(z, -1.5 * math.sin(0.02))


def test_what_is_not_read_is_counted(tmp_path):
    extra = (
        '<userData code="x"><road/><road/></userData><surface><CRG file="a.crg"/></surface>'
        "<lateralProfile><crossSectionSurface><surfaceStrips/></crossSectionSurface></lateralProfile>"
    )
    source = read(tmp_path, road(extra=extra, lanes=section(rest='<material sOffset="0" friction="1"/>'))).source
    assert source.version == "1.6"
    told = {"lane/material": 2, "lateralProfile/crossSectionSurface": 1, "road/surface": 1, "road/userData": 1}
    assert source.ignored == told
    assert "<crossSectionSurface> is not read" in source.warnings[0]


def test_explicit_lines_and_first_dashes(tmp_path):
    mark = (
        '<roadMark sOffset="10" type="custom" color="white" width="0.1"><explicit>'
        '<line length="5" tOffset="0.5" sOffset="20" width="0.3"/><line length="500" tOffset="0" sOffset="2"/>'
        "</explicit>"
        '</roadMark><roadMark sOffset="60" type="broken" color="white" width="0.1"><type name="broken">'
        '<line length="3" space="6" tOffset="0" sOffset="4"/></type></roadMark>'
    )
    lanes = f'<laneSection s="0"><center>{lane(0, "none", "", mark)}</center><right>{lane(-1)}</right></laneSection>'
    stroke, long, dashes = read(tmp_path, road(lanes=lanes)).markings()
    np.testing.assert_allclose(stroke.xy_world_m[[0, -1]], [[30, 0.5], [35, 0.5]], atol=1e-5)
    assert (stroke.width_m, stroke.gap_m, long.width_m) == (0.3, 0.0, 0.1)
    np.testing.assert_allclose(long.xy_world_m[[0, -1], 0], [12, 60], atol=1e-5)
    assert dashes.xy_world_m[0, 0] == pytest.approx(64.0) and dashes.gap_m == 6.0


def test_files_with_a_namespace_read_alike(tmp_path):
    path = tmp_path / "spaced.xodr"
    path.write_text(
        f'<OpenDRIVE xmlns="http://code.asam.net/simulation/standard/opendrive_schema">{HEADER}{road()}</OpenDRIVE>'
    )
    assert list(read_opendrive(path).roads) == ["1"]


# --- Junctions ---


def linked(id, geometry, before=None, after=None, **more):
    ends = "".join(
        f'<{word} elementType="{kind}" elementId="{other}" {contact}/>'
        for word, end in (("predecessor", before), ("successor", after))
        if end
        for kind, other, contact in [end]
    )
    return road(id, geometry, extra=f"<link>{ends}</link>", **more)


def test_a_direct_junction_joins_without_connecting_roads(tmp_path):
    """A motorway's lane -2 leaves onto a ramp, its lane -1 goes on."""
    body = (
        linked("1", line(0, 0), after=("junction", "9", ""), lanes=section(0, (), (-1, -2)))
        + linked("2", line(100, 0), before=("junction", "9", ""), lanes=section(0, (), (-1,)))
        + linked("3", line(100, -3), before=("junction", "9", ""), lanes=section(0, (), (-1,)))
        + '<junction id="9" type="direct" name="exit">'
        + '<connection id="0" incomingRoad="1" linkedRoad="2" contactPoint="start">'
        + '<laneLink from="-1" to="-1"/></connection>'
        + '<connection id="1" incomingRoad="1" linkedRoad="3" contactPoint="start">'
        + '<laneLink from="-2" to="-1"/></connection>'
        + '<priority high="2" low="3"/></junction>'
    )
    network = read(tmp_path, body)
    assert join_lanes(network) == {("1", 0, -1): {("2", 0, -1)}, ("1", 0, -2): {("3", 0, -1)}}
    assert (network.junction_info["9"].kind, network.junction_info["9"].priorities) == ("direct", (("2", "3"),))


def test_a_virtual_junction_leaves_its_main_road_whole(tmp_path):
    amid = '<predecessor elementType="road" elementId="1" elementS="40" elementDir="+"/>'
    body = (
        road("1")
        + road("2", line(40, -1.5, -1.5), extra=f"<link>{amid}</link>", lanes=section(0, (), (-1,)))
        + '<junction id="9" type="virtual" mainRoad="1" sStart="35" sEnd="45" orientation="-">'
        + '<connection id="0" type="virtual"/></junction>'
    )
    network = read(tmp_path, body)
    info = network.junction_info["9"]
    assert (info.kind, info.main_road, info.span_m) == ("virtual", "1", (35.0, 45.0))
    assert network.roads["2"].predecessor.s_m == 40.0 and join_lanes(network) == {}


def test_a_link_without_contact_meets_the_nearer_end(tmp_path):
    lanes = section(rest='<link><predecessor id="-1"/><successor id="-1"/></link>')
    body = linked("1", line(0, 0), after=("road", "2", ""), lanes=lanes) + road("2", line(200, 0, math.pi), lanes=lanes)
    network = read(tmp_path, body)
    assert network.roads["1"].successor.contact == "end" and "does not say which end" in network.source.warnings[0]


BAD = {
    "nan": (road(geometry=LINE.replace('x="0"', 'x="nan"')), r"line 1: <geometry> has x='nan'"),
    "text": (road(geometry=LINE.replace('hdg="0"', 'hdg="east"')), r"hdg='east'.*not a finite number"),
    "negative length": (road(length=-5), r"<road> has length=-5"),
    "negative piece": (road(geometry=LINE.replace("100", "-1")), r"<geometry> has length=-1"),
    "no shape": (road(geometry=LINE.replace("<line/>", "")), r"<geometry> holds nothing; it needs exactly one of"),
    "no plan": (road(geometry=""), r"has no <geometry>"),
    "no lanes": (road(lanes=" "), r"has no <laneSection>"),
    "lane gap": (road(lanes=f'<laneSection s="0"><right>{lane(-2)}</right></laneSection>'), r"lacks lane -1"),
    "twice": (road() + road(), r"repeats the road id '1'"),
    "section outside": (
        road(lanes=f'<laneSection s="200"><right>{lane(-1)}</right></laneSection>'),
        r"starts at s=200",
    ),
    "rule": (road(attributes='rule="MIDDLE"'), r"rule='MIDDLE'; use one of RHT, LHT"),
    "dangling": (
        road(extra='<link><successor elementType="road" elementId="77" contactPoint="start"/></link>'),
        r"linked to road '77', which does not exist",
    ),
    "junction twice": (road() + '<junction id="5"/><junction id="5"/>', r"repeats the junction id '5'"),
    "no such junction": (road(junction="5"), r"belongs to junction '5', which does not exist"),
    "lane id": (road(lanes=section().replace('id="1"', 'id="one"')), r"<lane> has id='one', which is not an integer"),
    "overflow": (road(geometry=LINE.replace('x="0"', 'x="1e300"')), r"x='1e300', which is not a finite number up to"),
    "far": (road(geometry=LINE.replace('x="0"', 'x="1e11"')), r"has a coordinate of 1e\+11"),
    "wide": (
        road(lanes=section().replace('a="3"', 'a="3e4"')),
        r"distance of a lane's edge from the reference line of",
    ),
    "steep": (
        road(extra='<lateralProfile><superelevation s="0" a="1.6" b="0" c="0" d="0"/></lateralProfile>'),
        r"superelevation of 1.6; at most 1",
    ),
    "tight": (
        road(geometry=LINE.replace("<line/>", '<arc curvature="1e6"/>')),
        r"<arc> winds too tightly .curvature 1e\+06",
    ),
    "many lanes": (
        road(lanes=f'<laneSection s="0"><right>{"".join(lane(-i) for i in range(1, 300))}</right></laneSection>'),
        r"has 299 lanes on one side; 255 are the most",
    ),
    "copies": (
        road(
            after='<objects><object id="1" s="0" t="0"><repeat s="0" length="90" distance="1e-9"/></object></objects>'
        ),
        r"asks for 9e\+10 copies",
    ),
    "underscore": (road(geometry=LINE.replace('x="0"', 'x="1_0"')), r"x='1_0'"),
    "unit": (road(extra='<type s="0"><speed max="3" unit="knots"/></type>'), r"unit='knots'"),
    "nothing": ("", r"has no <road>"),
}


@pytest.mark.parametrize("name", BAD)
def test_wrong_values_are_named_in_one_line(tmp_path, name):
    body, message = BAD[name]
    with pytest.raises(ValueError, match=message) as error:
        read(tmp_path, body)
    assert "\n" not in str(error.value) and "map.xodr" in str(error.value)


def test_files_that_are_no_maps(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"missing\.xodr does not exist"):
        read_opendrive(tmp_path / "missing.xodr")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        read_opendrive(tmp_path)
    for text, message in (
        ("<OpenDRIVE><road", "not well-formed XML"),
        ("", "not well-formed XML"),
        ("<svg/>", "root element is <svg>, not <OpenDRIVE>"),
        ('<OpenDRIVE><header revMajor="3"/></OpenDRIVE>', "only OpenDRIVE 1.x"),
    ):
        path = tmp_path / "bad.xodr"
        path.write_text(text)
        with pytest.raises(ValueError, match=message) as error:
            read_opendrive(path)
        assert "\n" not in str(error.value)


def test_entities_are_refused(tmp_path):
    bomb = '<!ENTITY a0 "ha">' + "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for doctype in (f"<!DOCTYPE OpenDRIVE [{bomb}]>", f'<!DOCTYPE OpenDRIVE [<!ENTITY a11 SYSTEM "file://{secret}">]>'):
        path = tmp_path / "bomb.xodr"
        path.write_text(f'<?xml version="1.0"?>{doctype}<OpenDRIVE><header name="&a11;"/></OpenDRIVE>')
        with pytest.raises(ValueError, match=r"DTD|not well-formed") as error:
            read_opendrive(path)
        assert "\n" not in str(error.value) and "secret " not in str(error.value)


def real_files():
    return sorted(DATA.rglob("*.xodr")) or [DATA / "none.xodr"]


@real_maps
@pytest.mark.parametrize("path", real_files(), ids=lambda path: path.stem)
def test_real_maps_are_continuous(path):
    """Neighbouring samples of driving lanes lie as far apart as the lane is long, and face along the way."""
    network = read_opendrive(path)
    strips = [s for s in network.strips() if s.kind in DRIVING_KINDS]
    assert strips
    for strip in strips:
        assert all(np.isfinite(a).all() for a in (strip.center_xyz_world_m, strip.yaw_world_rad, strip.width_m))
        step = np.diff(strip.center_xyz_world_m[:, :2], axis=0)
        assert np.hypot(*step.T).max() < 1.6  # samples are 1 m of the reference line apart; lanes outside curves more
        turned = np.arctan2(step[:, 1], step[:, 0]) - strip.yaw_world_rad[:-1]
        turned = np.abs((turned + math.pi) % (2 * math.pi) - math.pi)
        assert turned[np.hypot(*step.T) > 0.5].max(initial=0.0) < 0.2
