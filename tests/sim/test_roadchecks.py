"""Findings about maps that read but are not right: each is named by its element and id, and good maps have none."""

from pathlib import Path

import pytest
from tiny_maps import lane, line, read, road, section

from sim.mapfiles.opendrive import read_opendrive
from sim.roadgen.generate import generate_road
from sim.roads.checks import check_network

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
# What these files have: a driving lane without width; links to lanes of a junction's borders that do not exist.
KNOWN = {"tunnels": 1, "X-Intersection_NCAP": 4, "X-Intersection_NCAP_noRoadmarks": 4}

ON = '<link><predecessor id="-1"/><successor id="-1"/></link>'
ONE_WAY = section(right=(-1,), left=(), rest=ON)


def chain(tmp_path, x=100.0, y=0.0, heading=0.0, extra=""):
    """Findings about two roads of one lane, the second placed by hand."""
    after = '<link><successor elementType="road" elementId="2" contactPoint="start"/></link>'
    body = road("1", lanes=ONE_WAY, extra=after) + road("2", line(x, y, heading), lanes=ONE_WAY, extra=extra)
    return check_network(read(tmp_path, body))


def test_roads_that_meet_are_right(tmp_path):
    assert chain(tmp_path) == []


def test_gaps_steps_and_kinks(tmp_path):
    raised = '<elevationProfile><elevation s="0" a="2" b="0" c="0" d="0"/></elevationProfile>'
    lane_1, lane_2 = "road '1', section 0, lane -1", "road '2', section 0, lane -1"
    assert chain(tmp_path, x=100.5) == [f"{lane_1}: ends 0.5 m away from {lane_2}, which follows it"]
    assert chain(tmp_path, extra=raised) == [f"{lane_1}: ends 2 m above or below {lane_2}, which follows it"]
    assert chain(tmp_path, heading=0.5) == [f"{lane_1}: turns by 28.6 degrees into {lane_2}"]


def test_a_lane_may_open_beside_another(tmp_path):
    """A lane that starts with no width touches its forerunner with one edge only."""
    opening = lane(-1, width='<width sOffset="0" a="0" b="0.1" c="0" d="0"/>', rest=ON)
    body = road(lanes=ONE_WAY + f'<laneSection s="50"><right>{opening}</right></laneSection>')
    assert check_network(read(tmp_path, body)) == []


def test_a_broken_reference_line(tmp_path):
    pieces = "".join(
        f'<geometry s="{s}" x="{x}" y="0" hdg="{h}" length="50"><line/></geometry>'
        for s, x, h in ((0, 0, 0), (50, 51, 0))
    )
    assert check_network(read(tmp_path, road(geometry=pieces))) == [
        "road '1' has a gap of 1 m in its reference line at s=50"
    ]
    bent = pieces.replace('x="51"', 'x="50"').replace(
        'hdg="0" length="50"><line/></geometry>', 'hdg="0.4" length="50"><line/></geometry>'
    )
    assert check_network(read(tmp_path, road(geometry=bent, lanes=ONE_WAY)))[0].startswith("road '1' has a ")


def test_widths(tmp_path):
    shrinking = '<width sOffset="0" a="3" b="-0.06" c="0" d="0"/>'
    lanes = f'<laneSection s="0"><right>{lane(-1, width=shrinking)}{lane(-2, width="")}</right></laneSection>'
    negative, missing = check_network(read(tmp_path, road(lanes=lanes)))
    assert negative == "road '1', section 0, lane -1: has a width of -3 m 100 m after the section's start, read as 0"
    assert missing == "road '1', section 0, lane -2: is for driving but has no width"


def test_links_to_nowhere(tmp_path):
    astray = section(right=(-1,), left=(), rest='<link><successor id="-4"/></link>')
    found = check_network(read(tmp_path, road(lanes=astray + section(50, (), (-1,)))))
    assert found[0] == "road '1', section 0, lane -1: names lane -4 as its successor, which the next section lacks"
    assert "road '1', section 0, lane -1: nothing follows it although the road goes on there" in found
    assert "road '1', section 1, lane -1: nothing leads into it although the road goes on there" in found


def test_junctions(tmp_path):
    out = '<link><successor elementType="junction" elementId="j"/></link>'
    body = road("1", lanes=section(right=(-1,), left=()), extra=out) + road("2", line(100, 0), ONE_WAY, junction="j")
    wrong = (
        '<connection id="0" incomingRoad="1" connectingRoad="1" contactPoint="end"><laneLink from="-3" to="-1"/>'
        "</connection>"
    )
    found = check_network(read(tmp_path, body + f'<junction id="j">{wrong}</junction>'))
    assert "junction 'j': links lane -3 of the incoming road '1', which has no such lane" in found
    assert "road '2': belongs to junction 'j', none of whose connections names it" in found
    assert "road '1', section 0, lane -1: nothing follows it although the road goes on there" in found


def test_far_from_the_origin(tmp_path):
    assert "road '1' is over 100 km away" in check_network(read(tmp_path, road(geometry=line(5e5, 5e6))))[0]


@pytest.mark.parametrize("kind", ["rural", "highway", "town"])
def test_generated_roads_are_right(kind):
    assert check_network(generate_road(kind, 5)) == []


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real maps in ../shared/data")
@pytest.mark.parametrize("path", sorted(DATA.rglob("*.xodr")), ids=lambda path: path.stem)
def test_real_maps_are_right(path):
    assert len(check_network(read_opendrive(path))) == KNOWN.get(path.stem, 0)
