"""roadloop scenario: traces, parameters, drivers, and errors of one line."""

import csv
import math
import re
from pathlib import Path

import numpy as np
import pytest
from crossing_cars import write_cars

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "openscenario"


@pytest.fixture(scope="module")
def cars(tmp_path_factory):
    return write_cars(tmp_path_factory.mktemp("cars"))[0]


def rows_of(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_trace_has_one_row_per_entity_and_tick(roadloop, cars, tmp_path):
    ran = roadloop("scenario", cars, "--set", "v=20", "--set", "gap=200", "--trace", tmp_path / "t.csv")
    assert ran.code == 0, ran.err
    text = (tmp_path / "t.csv").read_text()
    assert text.splitlines()[0] == "time,id,name,x,y,z,h,speed"
    rows = rows_of(tmp_path / "t.csv")
    assert [row["name"] for row in rows[:4]] == ["Ego", "Lead", "Ego", "Lead"]
    assert [row["id"] for row in rows[:2]] == ["0", "1"]
    times = np.array([float(row["time"]) for row in rows[::2]])
    assert np.allclose(times, 0.05 * np.arange(161), atol=1e-9)
    for row in rows[::2]:
        assert float(row["x"]) == pytest.approx(50 + 20 * float(row["time"]), abs=1e-4)
        assert float(row["y"]) == pytest.approx(-1.75, abs=1e-4)
        assert 0.0 <= float(row["h"]) < 2 * math.pi and float(row["speed"]) == pytest.approx(20)


def test_headings_are_never_two_pi(roadloop, cars, tmp_path):
    roadloop("scenario", cars, "--trace", tmp_path / "t.csv", "--dt", "0.1")
    assert all(float(row["h"]) < 6.283185 for row in rows_of(tmp_path / "t.csv"))


def test_what_happened_is_told(roadloop, cars):
    ran = roadloop("scenario", cars, "--set", "gap=40")
    assert ran.code == 0, ran.err
    cells = [line.split("│") for line in ran.out.splitlines() if line.count("│") == 3]
    told = {row[1].strip(): row[2].strip() for row in cells}
    assert told["collision"] == "yes" and told["collision with"] == "Lead" and told["at fault"] == "yes"
    assert float(told["impact mps"]) == pytest.approx(15.0)
    # Front to rear 40 m less the halves of both cars, closed at 15 m/s.
    assert float(told["collision s"]) == pytest.approx((40 - 4.5) / 15, abs=0.06)
    assert told["verdict"] == "avoidable" and "reg157" in told["prevented by"]
    scores = {row[1].strip(): row[2:4] for line in ran.out.splitlines() if len(row := line.split("│")) == 5}
    assert "no route" in scores["CARLA driving score 2.0"][1] and scores["CARLA driving score 2.1"][0].strip() == "none"
    for name in ("nuPlan closed-loop score", "PDMS", "EPDMS"):
        assert float(scores[name][0]) == 0.0 and "at fault collisions 0" in scores[name][1]
    assert float(scores["least TTC, s"][0]) == 0.0 and "contact" in scores["highest DRAC, m/s2"][1]


def test_a_driver_is_measured_by_the_files_own_actions(roadloop, cars):
    # The file drives on at 20 m/s for 8 s; the model follows the other at 5 m/s behind a gap of 60 m.
    ran = roadloop("scenario", cars, "--agent", "reg157", "--set", "gap=60")
    assert ran.code == 0, ran.err
    text = re.sub(r"[│\s]+", " ", ran.out)
    assert "drivable area compliance 1" in text and "no at fault collisions 1" in text
    assert 0 < float(re.search(r"ego progress along expert route ([0-9.]+)", text)[1]) <= 1


@pytest.mark.parametrize("agent", ["reg157", "cc_human", "rss", "fsm"])
def test_performance_models_drive_and_stay_clear(roadloop, cars, agent):
    ran = roadloop("scenario", cars, "--agent", agent, "--set", "gap=60")
    assert ran.code == 0, ran.err
    assert "passed" in ran.out and agent in ran.out


def test_the_same_scenario_twice_is_the_same_file(roadloop, cars, tmp_path):
    for name in "ab":
        assert roadloop("scenario", cars, "--agent", "fsm", "--trace", tmp_path / name).code == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_library_is_listed_and_played_by_name(roadloop):
    listed = roadloop("scenario", "--list")
    assert listed.code == 0 and "cut_in" in listed.out
    played = roadloop("scenario", "lead_stopped", "--seconds", "2")
    assert played.code == 0, played.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "speed=3"], "has no parameter 'speed'; its parameters are: v, gap, lane"),
        (["--set", "v"], "--set: 'v' is not NAME=VALUE"),
        (["--set", "v=fast"], "--set: v='fast' is no number; it is a double"),
        (["--set", "v=31"], "v=31 is outside its constraints: lessOrEqual 30"),
        (["--set", "lane=0.5"], "parameter lane is 0.5, which is no int"),
        (["--dt", "0"], "--dt: 0.0 is not between"),
        (["--seconds", "-1"], "--seconds: -1.0 is not between"),
        (["--agent", "nobody"], "--agent: 'nobody' is none of none, reg157"),
    ],
)
def test_wrong_arguments_are_one_line(roadloop, cars, arguments, message):
    ran = roadloop("scenario", cars, *arguments)
    assert ran.code == 2 and len(ran.error_lines) == 1
    assert message in ran.error_lines[0]


def test_wrong_files_are_one_line(roadloop, tmp_path):
    _, variation = write_cars(tmp_path)
    assert "is a parameter variation" in roadloop("scenario", variation).error_lines[0]
    assert "there is no scenario file" in roadloop("scenario", tmp_path / "gone.xosc").error_lines[0]
    assert "name a scenario file" in roadloop("scenario").error_lines[0]
    (tmp_path / "half.xosc").write_text("<OpenSCENARIO><Story")
    assert "is not well-formed XML" in roadloop("scenario", tmp_path / "half.xosc").error_lines[0]


@pytest.mark.skipif(not DATA.is_dir(), reason="needs the real scenarios in ../shared/data/openscenario")
def test_files_found_elsewhere_are_told(roadloop):
    ran = roadloop("scenario", DATA / "esmini" / "straight_500m.xosc", "--seconds", "0.1")
    assert ran.code == 0, ran.err
    assert "straight_500m.xodr' is not there; took" in ran.out


def test_a_scenario_without_roads_plays(roadloop, tmp_path):
    cars, _ = write_cars(tmp_path)
    text = cars.read_text().replace('<LogicFile filepath="road.xodr"/>', "")
    for x in (0, 40):
        start = text.index("<LanePosition")
        text = text[:start] + f'<WorldPosition x="{x}" y="0"/>' + text[text.index("/>", start) + 2 :]
    cars.write_text(text)
    ran = roadloop("scenario", cars, "--trace", tmp_path / "t.csv")
    assert ran.code == 0, ran.err
    assert "unjudged" in ran.out and "the run has no road" in ran.out
    assert float(rows_of(tmp_path / "t.csv")[-2]["x"]) == pytest.approx(160.0)
    assert "needs a road" in roadloop("scenario", cars, "--agent", "fsm").error_lines[0]
