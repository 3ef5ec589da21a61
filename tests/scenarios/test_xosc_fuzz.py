# ruff: noqa: E501 - XML does not break well
"""Broken and hostile scenario files: always a clear error, never a crash, a hang or memory without bounds."""

import re
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_scenarios import CAR, event, parameter, place, scenario, speed, write

from sim.scenarios.suites import expand
from sim.scenarios.values import Draw, Mixed
from sim.scenarios.xosc import read_xosc

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "openscenario"
RICH = scenario(
    parameter(
        "v", "10", constraints='<ConstraintGroup><ValueConstraint rule="lessThan" value="${2 * 20}"/></ConstraintGroup>'
    )
    + parameter("n", "2", "int"),
    init=f'<Private entityRef="Ego">{place("${$v * 3}")}{speed("$v")}</Private>',
    events=event(speed("${$v + $n}"), "one") + event(speed("20"), "two"),
)
VALUES = re.compile(r'="([^"]*)"')
ODD = st.sampled_from(
    [
        "",
        "NaN",
        "INF",
        "-1",
        "1e999",
        "0",
        "$v",
        "$gone",
        "${",
        "${$v/0}",
        "../../..",
        "\u0000".join("ab"),
        "true",
        "Ego",
        "9" * 400,
    ]
)
fuzz = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def reads_or_tells(path, draw=None):
    """The file reads, or the error is one that users are meant to see."""
    try:
        read_xosc(path, draw or Draw(1))
    except (ValueError, OSError, Mixed) as error:
        assert str(error)


@given(cut=st.integers(0, len(RICH)))
@fuzz
def test_truncated_files(tmp_path, cut):
    reads_or_tells(write(tmp_path, RICH[:cut]))


@given(data=st.data(), odd=ODD)
@fuzz
def test_odd_attribute_values(tmp_path, data, odd):
    found = list(VALUES.finditer(RICH))
    one = data.draw(st.sampled_from(found))
    odd = odd.replace("\u0000", " ")
    reads_or_tells(write(tmp_path, RICH[: one.start(1)] + odd + RICH[one.end(1) :]))


@given(data=st.data())
@fuzz
def test_elements_taken_out_or_repeated(tmp_path, data):
    found = list(re.finditer(r"<(\w+)([^>]*)/>", RICH))
    one = data.draw(st.sampled_from(found))
    times = data.draw(st.sampled_from([0, 2, 50]))
    reads_or_tells(write(tmp_path, RICH[: one.start()] + one.group() * times + RICH[one.end() :]))


@given(noise=st.binary(max_size=200))
@fuzz
def test_noise(tmp_path, noise):
    path = write(tmp_path, "")
    path.write_bytes(noise)
    reads_or_tells(path)


@given(values=st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=5))
@fuzz
def test_any_drawn_numbers(tmp_path, values):
    reads_or_tells(write(tmp_path, RICH), Draw(len(values), {"v": np.array(values)}))


def test_entity_bombs_are_not_expanded(tmp_path):
    bomb = "".join(f'<!ENTITY x{i} "{f"&x{i - 1};" * 10 if i else "boom"}">' for i in range(12))
    text = RICH.replace("<OpenSCENARIO>", f"<!DOCTYPE OpenSCENARIO [{bomb}]><OpenSCENARIO>").replace(
        'value="20"', 'value="&x11;"'
    )
    with pytest.raises(ValueError, match=r"DTD|well-formed"):
        read_xosc(write(tmp_path, text), Draw(1))


def test_external_entities_are_not_read(tmp_path):
    (tmp_path / "secret").write_text("20")
    doctype = f'<!DOCTYPE OpenSCENARIO [<!ENTITY s SYSTEM "file://{tmp_path}/secret">]>'
    with pytest.raises(ValueError, match=r"DTD|well-formed"):
        read_xosc(write(tmp_path, RICH.replace("<OpenSCENARIO>", doctype + "<OpenSCENARIO>")), Draw(1))


def test_deep_nesting_is_refused(tmp_path):
    deep = "<Properties>" * 100_000 + "</Properties>" * 100_000
    with pytest.raises(ValueError, match="well-formed XML"):
        read_xosc(write(tmp_path, RICH.replace("<Storyboard>", f"<Storyboard>{deep}")), Draw(1))


def test_cyclic_parameters_are_told(tmp_path):
    text = scenario(parameter("a", "${$b + $b}") + parameter("b", "${$a + $a}"))
    with pytest.raises(ValueError, match="refers to itself"):
        read_xosc(write(tmp_path, text), Draw(1))


def test_doubling_parameters_take_no_time(tmp_path):
    chain = "".join(parameter(f"p{i}", f"${{$p{i + 1} + $p{i + 1}}}") for i in range(60)) + parameter("p60", "1")
    started = time.process_time()
    read_xosc(write(tmp_path, scenario(chain)), Draw(1))
    assert time.process_time() - started < 2.0


def cyclic_catalog(folder, inner):
    """A scenario whose trajectory is an entry of a catalog that holds `inner`."""
    (folder / "catalogs").mkdir()
    (folder / "catalogs" / "ways.xosc").write_text(
        f'<OpenSCENARIO><Catalog name="ways">{inner}</Catalog></OpenSCENARIO>'
    )
    follow = (
        '<PrivateAction><RoutingAction><FollowTrajectoryAction><TrajectoryRef><CatalogReference catalogName="ways" entryName="a"/>'
        '</TrajectoryRef><TrajectoryFollowingMode followingMode="follow"/></FollowTrajectoryAction></RoutingAction></PrivateAction>'
    )
    more = '<CatalogLocations><TrajectoryCatalog><Directory path="catalogs"/></TrajectoryCatalog></CatalogLocations>'
    return write(folder, scenario(events=event(follow), more=more))


def test_cyclic_catalogs_are_told(tmp_path):
    position = (
        '<Position><TrajectoryPosition s="1"><TrajectoryRef><CatalogReference catalogName="ways" entryName="a"/>'
        "</TrajectoryRef></TrajectoryPosition></Position>"
    )
    shape = f"<Shape><Polyline><Vertex>{position}</Vertex></Polyline></Shape>"
    path = cyclic_catalog(tmp_path, f'<Trajectory name="a" closed="false">{shape}</Trajectory>')
    with pytest.raises(ValueError, match=r"ways.xosc:1: <CatalogReference> is the 16th reference.*circle"):
        read_xosc(path, Draw(1))


def test_catalogs_that_double_at_every_reference_are_bounded(tmp_path):
    def entry(name, place):
        vertices = f"<Vertex><Position>{place}</Position></Vertex>" * 4
        return f'<Trajectory name="{name}" closed="false"><Shape><Polyline>{vertices}</Polyline></Shape></Trajectory>'

    def on(following):
        reference = f'<TrajectoryRef><CatalogReference catalogName="ways" entryName="{following}"/></TrajectoryRef>'
        return f'<TrajectoryPosition s="1">{reference}</TrajectoryPosition>'

    names = ["a", *(f"t{i}" for i in range(12))]
    entries = "".join(entry(name, on(following)) for name, following in pairwise(names))
    entries += entry(names[-1], '<WorldPosition x="0" y="0"/>')
    path = cyclic_catalog(tmp_path, entries)
    started = time.process_time()
    with pytest.raises(ValueError, match="2000 references to catalogs"):
        read_xosc(path, Draw(1))
    assert time.process_time() - started < 5.0


def test_a_vehicle_that_pulls_itself_is_told(tmp_path):
    trailer = '<TrailerHitch dx="-1"/><Trailer><TrailerRef entityRef="Ego"/></Trailer></Vehicle>'
    text = scenario(entities=f'<ScenarioObject name="Ego">{CAR.replace("</Vehicle>", trailer)}</ScenarioObject>')
    with pytest.raises(ValueError, match="pulls itself"):
        read_xosc(write(tmp_path, text), Draw(1))


def test_broken_files_in_a_folder_stop_the_suite_before_it_starts(tmp_path):
    write(tmp_path, RICH)
    (tmp_path / "broken.xosc").write_text(RICH[:400])
    with pytest.raises(ValueError, match=r"broken.xosc is not well-formed XML"):
        expand([tmp_path])


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real scenarios in ../shared/data/openscenario")
@given(data=st.data(), odd=ODD)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_odd_values_in_a_real_scenario(tmp_path, data, odd):
    source = DATA / "ncap2026/OpenSCENARIO/NCAP/CA-FC_2026/CPNCO.xosc"
    text = source.read_text(encoding="utf-8").replace("../", f"{source.parent}/../")
    one = data.draw(st.sampled_from(list(VALUES.finditer(text, text.index("<ParameterDeclarations")))))
    odd = odd.replace("\u0000", " ")
    path = tmp_path / "scene.xosc"
    path.write_text(text[: one.start(1)] + odd + text[one.end(1) :], encoding="utf-8")
    reads_or_tells(path)
