"""roadloop suite: every run once, the same results however it is cut, interrupted or spread."""

import csv
import html
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from crossing_cars import DISCARDED, RUNS, write_cars

import pipelines.suite_plan
from pipelines.scenario_runs import REFUSED, Terms, play_able, play_runs
from pipelines.suite_plan import Request, _parts, make_plan
from sim.scenarios.values import Draw

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def variation(tmp_path_factory):
    return write_cars(tmp_path_factory.mktemp("cars"))[1]


@pytest.fixture(scope="module")
def played(roadloop, variation, tmp_path_factory):
    out = tmp_path_factory.mktemp("suite")
    ran = roadloop("suite", variation, "--agent", "reg157", "--constrained", "--out", out)
    assert ran.code == 0, ran.err
    return out, ran


def rows_of(folder):
    with open(folder / "results.csv", newline="") as file:
        return list(csv.DictReader(file))


def test_every_run_has_one_row_in_order(played):
    out, ran = played
    rows = rows_of(out)
    assert [int(row["run"]) for row in rows] == list(range(RUNS))
    assert sum(row["end_reason"] == "outside constraints" for row in rows) == DISCARDED
    assert all((row["end_reason"] == "outside constraints") == (float(row["v"]) > 30) for row in rows)
    assert {row["lane"] for row in rows} == {"-1.0", "-2.0"}
    assert "expands to" in ran.out and str(RUNS) in ran.out


def test_measures_agree_with_the_closed_form(played):
    for row in rows_of(played[0]):
        if row["end_reason"] == "outside constraints":
            assert row["min_ttc_s"] == "" and row["verdict"] == ""
        elif row["lane"] == "-2.0":  # nobody in the ego's lane
            assert (row["min_ttc_s"], row["collision"], row["duration_s"]) == ("", "no", "8.0")
        else:
            closing = float(row["v"]) - 5
            first = (float(row["gap"]) - 4.5) / closing
            assert float(row["min_ttc_s"]) <= first + 1e-9
            assert float(row["max_decel_mps2"]) <= 6.0 + 1e-6


def test_metrics_and_report_are_whole(played):
    out = played[0]
    metrics = json.loads((out / "metrics.json").read_text())
    total = metrics["total"]
    assert (total["expands to"], total["discarded"], total["played"]) == (RUNS, DISCARDED, RUNS - DISCARDED)
    assert total["collisions"] == sum(row["collision"] == "yes" for row in rows_of(out))
    assert "after 60 s, or after 400 s" in metrics["rule"]
    page = (out / "report.html").read_text()
    assert "roadloop scenario" in page and "heatmap" in page and "http" not in page.split("<script>")[0]


def test_a_replay_command_repeats_the_run(roadloop, played):
    out = played[0]
    page = (out / "report.html").read_text()
    command = page.split("<pre>")[1].split("\n")[0].split("</pre>")[0].split()
    ran = roadloop(*command[1:])
    assert ran.code == 0, ran.err


def test_chunks_do_not_matter(roadloop, variation, played, tmp_path, monkeypatch):
    monkeypatch.setattr(pipelines.suite_plan, "CHUNK_RUNS", 16)
    assert roadloop("suite", variation, "--agent", "reg157", "--constrained", "--out", tmp_path / "cut").code == 0
    assert len(list((tmp_path / "cut" / "parts").iterdir())) >= 3
    assert (tmp_path / "cut" / "results.csv").read_bytes() == (played[0] / "results.csv").read_bytes()


@pytest.mark.slow
def test_workers_do_not_matter(roadloop, variation, played, tmp_path, monkeypatch):
    monkeypatch.setattr(pipelines.suite_plan, "CHUNK_RUNS", 16)
    ran = roadloop(
        "suite", variation, "--agent", "reg157", "--constrained", "--out", tmp_path / "two", "--workers", "2"
    )
    assert ran.code == 0, ran.err
    assert (tmp_path / "two" / "results.csv").read_bytes() == (played[0] / "results.csv").read_bytes()


def test_a_killed_suite_goes_on_without_losing_or_repeating_a_run(roadloop, variation, played, tmp_path, monkeypatch):
    out = tmp_path / "killed"
    code = (
        "import time, pipelines.suite_job as job, pipelines.suite_plan as plan\n"
        "plan.CHUNK_RUNS, play = 12, job._play_chunk\n"
        "job._play_chunk = lambda task: (time.sleep(2), play(task))[1]\n"
        "from pipelines.cli import main\n"
        f"main(['suite', {str(variation)!r}, '--agent', 'reg157', '--constrained', '--out', {str(out)!r}])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 120
    while len(list(out.glob("parts/0*.npz"))) < 1 and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in out.glob("parts/*.npz") if not path.name.startswith(".")}
    assert len(kept) >= 1 and not (out / "results.csv").exists()
    monkeypatch.setattr(pipelines.suite_plan, "CHUNK_RUNS", 12)
    ran = roadloop("suite", variation, "--agent", "reg157", "--constrained", "--out", out, "--resume")
    assert ran.code == 0, ran.err
    assert all((out / "parts" / name).stat().st_mtime_ns == when for name, when in kept.items())
    assert (out / "results.csv").read_bytes() == (played[0] / "results.csv").read_bytes()


def test_other_settings_are_refused_in_the_same_folder(roadloop, variation, played):
    ran = roadloop("suite", variation, "--agent", "fsm", "--constrained", "--out", played[0])
    assert ran.code == 2 and "holds another suite" in ran.error_lines[0]


def test_a_sample_is_drawn_once_and_its_runs_are_the_suites(roadloop, variation, played, tmp_path):
    for name in "ab":
        assert (
            roadloop(
                "suite", variation, "--agent", "reg157", "--constrained", "--sample", "9", "--out", tmp_path / name
            ).code
            == 0
        )
    assert (tmp_path / "a" / "results.csv").read_bytes() == (tmp_path / "b" / "results.csv").read_bytes()
    whole = {row["run"]: row for row in rows_of(played[0])}
    sample = rows_of(tmp_path / "a")
    assert len(sample) == 9
    assert all(row == whole[row["run"]] for row in sample)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone"], "gone does not exist"),
        (["--sample", "0"], "--sample: 0 runs are too few"),
        (["--workers", "-1"], "--workers: -1 is negative"),
        (["--agent", "nobody"], "--agent: 'nobody'"),
        (["--dt", "5"], "--dt: 5.0"),
    ],
)
def test_wrong_requests_are_one_line(roadloop, variation, tmp_path, arguments, message):
    path = [variation] if arguments[0].startswith("--") else []
    ran = roadloop("suite", *path, *arguments, "--out", tmp_path / "out")
    assert ran.code == 2 and message in ran.error_lines[0]


def test_runs_of_unlike_length_are_cut_apart(variation):
    lengths = np.repeat([10.0, 400.0], 2000)
    parts = _parts(lengths, 4096)
    assert sorted(np.concatenate(parts).tolist()) == list(range(4000))
    assert all(len(set(lengths[part])) == 1 for part in parts)
    assert len(_parts(np.full(50, 3.0), 4096)) == 1
    assert max(map(len, _parts(np.full(50_000, 3.0), 4096))) <= 4096
    plan = make_plan(Request((variation,), constrained=True))
    assert plan.runs == RUNS - DISCARDED


def test_runs_outside_the_constraints_are_played_and_marked(roadloop, variation, played, tmp_path):
    ran = roadloop("suite", variation, "--agent", "reg157", "--out", tmp_path)
    assert ran.code == 0, ran.err
    rows = rows_of(tmp_path)
    assert all(float(row["duration_s"]) > 0.0 and row["verdict"] for row in rows)
    inside = [row for row in rows_of(played[0]) if row["end_reason"] != "outside constraints"]
    assert [list(row.items()) for row in rows if float(row["v"]) <= 30] == [list(row.items()) for row in inside]
    total = json.loads((tmp_path / "metrics.json").read_text())["total"]
    assert (total["played"], total["discarded"], total["refused"]) == (RUNS, 0, 0)
    assert all((row["constraints"] == "outside") == (float(row["v"]) > 30) for row in rows)
    command = next(
        c for c in (tmp_path / "report.html").read_text().split("<pre>")[1].split("\n") if "--unconstrained" in c
    )
    assert roadloop(*shlex.split(html.unescape(command.split("</pre>")[0]))[1:]).code == 0


def test_a_run_that_cannot_be_played_says_why_and_spoils_no_other(variation):
    scenario = variation.parent / "cars.xosc"
    values = {"v": np.full(3, 20.0), "gap": np.full(3, 60.0), "lane": np.array([-1.0, -9.0, -2.0])}
    columns = play_able(scenario, Draw(3, values), Terms(agent="reg157"), np.array([True, False, True]))
    assert columns["end_reason"][1].startswith(REFUSED) and "-9" in columns["end_reason"][1]
    alone = play_runs(scenario, Draw(3, values).take(np.array([0, 2])), Terms(agent="reg157"))
    assert all((columns[name][[0, 2]] == alone[name]).all() for name in alone)
    assert np.isinf(columns["min_ttc_s"][1]) and columns["verdict"][1] == ""
    with pytest.raises(ValueError, match="-9"):
        play_able(scenario, Draw(3, values), Terms(agent="reg157"), np.array([False, True, True]))


def test_scores_are_columns_when_asked_for_and_do_not_depend_on_chunks(
    roadloop, variation, played, tmp_path, monkeypatch
):
    arguments = ("suite", variation, "--agent", "reg157", "--constrained", "--sample", 6, "--scores", "--out")
    assert roadloop(*arguments, tmp_path / "a").code == 0
    monkeypatch.setattr(pipelines.suite_plan, "SCORED_RUNS", 2)
    assert roadloop(*arguments, tmp_path / "b").code == 0
    assert (tmp_path / "a" / "results.csv").read_bytes() == (tmp_path / "b" / "results.csv").read_bytes()
    rows, bare = rows_of(tmp_path / "a"), {row["run"]: row for row in rows_of(played[0])}
    for row in rows:
        assert row["carla_2_0"] == "" and "carla_2_0" in row["absent"] and "no route" in row["absent"]
        assert all(0.0 <= float(row[name]) <= 1.0 for name in ("nuplan", "pdms", "epdms"))
        assert (float(row["pdms"]) == 0.0) == (row["at_fault"] == "yes") and float(row["tet_s"]) >= 0.0
        assert {name: row[name] for name in bare[row["run"]]} == bare[row["run"]]
    assert "nuplan" not in bare["0"]
