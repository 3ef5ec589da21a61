"""Broken and hostile OpenDRIVE files: one clear line or a usable map, never a crash, a hang or silent nonsense."""

import random
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from tiny_maps import HEADER, LINE, lane, line, read, road, section

from sim.mapfiles.opendrive import read_opendrive
from sim.roads.checks import check_network
from sim.roads.lanegraph import compile_lanes

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
WRONG = (
    *("nan", "inf", "-inf", "1e308", "-1e308", "1e9", "-1e9", "1e5", "1e-300", "-1", "0", "", "abc", "1e12", "9" * 30),
    *("1_0", "٣", "true", "1e6", "0.5", "100", "3", "-3", "road", "start", "end", "junction", "no limit"),
)

LINKS = '<link><predecessor id="-1"/><successor id="-1"/></link>'
MARKS = (
    '<roadMark sOffset="0" type="broken" color="yellow"><type><line length="3" space="6" sOffset="1"/></type>'
    "</roadMark>"
)


def everything():
    """A map with a bit of all that is read."""
    spiral = '<geometry s="0" x="0" y="0" hdg="0" length="40"><spiral curvStart="0" curvEnd="0.02"/></geometry>'
    cubic = (
        '<geometry s="40" x="39.6" y="5.2" hdg="0.4" length="60"><paramPoly3 pRange="arcLength" aU="0" bU="1" cU="0" '
        'dU="0" aV="0" bV="0" cV="0.001" dV="0"/></geometry>'
    )
    extra = (
        '<link><successor elementType="junction" elementId="j"/></link><type s="0" type="town"><speed max="50" '
        'unit="km/h"/></type><elevationProfile><elevation s="0" a="1" b="0.02" c="0" d="0"/></elevationProfile>'
        '<lateralProfile><superelevation s="0" a="0.02" b="0" c="0" d="0"/>'
        '<shape s="0" t="-9" a="0" b="0.01" c="0" d="0"/></lateralProfile>'
    )
    after = (
        '<objects><object id="o" s="9" t="-5" type="crosswalk"><outline><cornerLocal u="0" v="0" z="0"/>'
        '<cornerRoad s="1" t="2" dz="0"/></outline><repeat s="0" length="50" distance="10" tStart="3" tEnd="4"/>'
        "</object></objects>"
        '<signals><signal id="s" s="30" t="-4" type="1000001" dynamic="yes" orientation="+"><validity fromLane="-1" '
        'toLane="-1"/></signal><signalReference id="s" s="20" t="1" orientation="-"/></signals>'
    )
    lanes = section(0, rest=LINKS + MARKS) + section(50, rest=LINKS + MARKS)
    offset = '<laneOffset s="0" a="0.5" b="0" c="0" d="0"/>'
    back = '<link><predecessor elementType="road" elementId="1" contactPoint="end"/></link>'
    return (
        road("1", spiral + cubic, lanes, extra=extra, after=after, before_sections=offset)
        + road("2", line(100, 20, 0.4, 30), section(rest=LINKS), 30, extra=back, junction="j")
        + '<controller id="c"><control signalId="s"/></controller><junction id="j"><connection id="0" incomingRoad="1" '
        'connectingRoad="2" contactPoint="start"><laneLink from="-1" to="-1"/></connection>'
        '<controller id="c"/></junction>'
    )


def break_something(root, rng):
    """Change an attribute, drop, double, shuffle or transplant elements, a few times."""
    elements = list(root.iter(etree.Element))
    for _ in range(rng.choice((1, 1, 2, 3, 8))):
        element, what = rng.choice(elements), rng.random()
        parent = element.getparent()
        if what < 0.6 and element.attrib:
            key = rng.choice(list(element.attrib))
            if rng.random() < 0.15:
                del element.attrib[key]
            else:
                element.attrib[key] = rng.choice(WRONG)
        elif what < 0.75 and parent is not None:
            parent.remove(element)
        elif what < 0.9 and parent is not None:
            parent.append(etree.fromstring(etree.tostring(element)))
        elif what < 0.95:
            children = list(element)
            rng.shuffle(children)
            for child in children:
                element.append(child)
        else:
            element.append(etree.fromstring(etree.tostring(rng.choice(elements))))


def must_read_or_refuse(path):
    """A map that reads compiles into finite numbers, unless nobody could drive on it; a refusal is one line."""
    started = time.process_time()
    try:
        network = read_opendrive(path)
    except ValueError as error:
        assert "\n" not in str(error) and path.name in str(error)
        assert ", line " in str(error) or "XML" in str(error) or "has no <road>" in str(error)
    else:
        assert all("\n" not in text for text in (*network.source.warnings, *check_network(network)))
        assert all(np.isfinite(marking.xy_world_m).all() for marking in network.markings(5.0))
        try:
            lanes = compile_lanes([network])
        except ValueError as error:
            assert "no driving lanes" in str(error) or "spans" in str(error)
        else:
            for values in (lanes.xy_world_m, lanes.z_world_m, lanes.yaw_world_rad, lanes.width_m, lanes.curvature_1pm):
                assert np.isfinite(values.numpy()).all()
    assert time.process_time() - started < 10.0


@settings(max_examples=80, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32))
def test_broken_maps(tmp_path, seed):
    root = etree.fromstring(f"<OpenDRIVE>{HEADER}{everything()}</OpenDRIVE>")
    break_something(root, random.Random(seed))
    path = tmp_path / "broken.xodr"
    path.write_bytes(etree.tostring(root))
    must_read_or_refuse(path)


def test_the_unbroken_map_is_whole(tmp_path):
    network = read(tmp_path, everything())
    assert (len(network.signals), len(network.controllers), len(network.objects)) == (2, 1, 6)
    assert network.source.warnings == () and network.source.ignored == {}


@settings(max_examples=40, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_truncated_and_garbled_files(tmp_path, data):
    whole = f'<?xml version="1.0"?><OpenDRIVE>{HEADER}{everything()}</OpenDRIVE>'.encode()
    cut = data.draw(st.integers(0, len(whole) - 1))
    path = tmp_path / "cut.xodr"
    path.write_bytes(whole[:cut] + data.draw(st.binary(max_size=4)) * data.draw(st.integers(0, 1)))
    must_read_or_refuse(path)


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real maps in ../shared/data")
@pytest.mark.parametrize("name", ["fabriksgatan", "X-Intersection_NCAP", "two_plus_one"])
def test_broken_real_maps(tmp_path, name):
    source = next(DATA.rglob(f"{name}.xodr")).read_bytes()
    for seed in range(15):
        root = etree.fromstring(source)
        break_something(root, random.Random(seed))
        path = tmp_path / "broken.xodr"
        path.write_bytes(etree.tostring(root))
        must_read_or_refuse(path)


def cpu_s(function, *arguments):
    started = time.process_time()
    function(*arguments)
    return time.process_time() - started


def many_pieces(count):
    return road(
        geometry="".join(
            f'<geometry s="{i * 0.1:.1f}" x="{i * 0.1:.1f}" y="0" hdg="0" length="0.1"><line/></geometry>'
            for i in range(count)
        ),
        length=count * 0.1,
    )


def many_sections(count):
    return road(
        geometry=line(0, 0, 0, count * 0.5),
        length=count * 0.5,
        lanes="".join(section(i * 0.5, right=()).replace(">", ' singleSide="true">', 1) for i in range(count)),
    )


def many_roads(count):
    return "".join(road(str(i), line(0, 8 * i, 0, 10), length=10) for i in range(count))


def many_elevations(count):
    records = "".join(f'<elevation s="{i * 0.001}" a="1" b="0" c="0" d="0"/>' for i in range(count))
    return road(extra=f"<elevationProfile>{records}</elevationProfile>")


@pytest.mark.parametrize(
    ("body", "count"), [(many_pieces, 20_000), (many_sections, 400), (many_roads, 160), (many_elevations, 20_000)]
)
def test_time_grows_no_faster_than_the_file(tmp_path, body, count):
    """Four times the records take far less than the sixteen times of a quadratic reader."""

    def work(name):
        network = read_opendrive(tmp_path / name)
        check_network(network)
        compile_lanes([network])

    for factor in (1, 4):
        (tmp_path / f"{factor}.xodr").write_text(f"<OpenDRIVE>{HEADER}{body(count * factor // 4)}</OpenDRIVE>")
    small, large = (min(cpu_s(work, f"{factor}.xodr") for _ in range(2)) for factor in (1, 4))
    assert large < 8.0 * small + 0.2


def test_hostile_xml_is_refused_at_once(tmp_path):
    deep = "<userData>" * 50_000 + "</userData>" * 50_000
    long = f'name="{"x" * 11_000_000}"'
    for text in (f"<OpenDRIVE>{deep}</OpenDRIVE>", f"<OpenDRIVE {long}/>", "<OpenDRIVE>\x00</OpenDRIVE>", "\ufffe"):
        path = tmp_path / "hostile.xodr"
        path.write_text(text, encoding="utf-8")
        assert cpu_s(must_read_or_refuse, path) < 2.0


def test_roads_without_length_are_passed_through(tmp_path):
    """A road of no length between two others still joins them."""
    links = [("", "2"), ("1", "3"), ("2", "")]
    body = ""
    for id, (before, after), x, length in zip("123", links, (0, 100, 100), (100, 0, 100)):
        ends = f'<predecessor elementType="road" elementId="{before}" contactPoint="end"/>' if before else ""
        ends += f'<successor elementType="road" elementId="{after}" contactPoint="start"/>' if after else ""
        body += road(id, line(x, 0, 0, length), section(rest=LINKS), length, extra=f"<link>{ends}</link>")
    network = read(tmp_path, body)
    lanes = compile_lanes([network])
    first = lanes.successor_first.tolist()
    assert len(lanes.length_m) == 4 and first[-1] == 1  # only lane -1 is linked, road 1 to road 3
    assert "road '2' has no length (0 m)" in check_network(network)


def test_a_ring_of_one_road_follows_itself(tmp_path):
    extra = (
        '<link><predecessor elementType="road" elementId="1" contactPoint="end"/>'
        '<successor elementType="road" elementId="1" contactPoint="start"/></link>'
    )
    circle = LINE.replace("<line/>", f'<arc curvature="{2 * np.pi / 100}"/>')
    network = read(tmp_path, road(geometry=circle, lanes=section(right=(-1,), left=(), rest=LINKS), extra=extra))
    lanes = compile_lanes([network])
    assert lanes.successor.tolist() == [0] and check_network(network) == []


def test_a_lane_that_meets_itself_head_on_joins_nothing(tmp_path):
    extra = '<link><successor elementType="road" elementId="1" contactPoint="end"/></link>'
    lanes = f'<laneSection s="0"><right>{lane(-1, rest=LINKS)}</right></laneSection>'
    assert compile_lanes([read(tmp_path, road(lanes=lanes, extra=extra))]).successor.tolist() == []
