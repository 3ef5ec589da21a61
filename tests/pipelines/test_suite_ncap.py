"""Euro NCAP points of a suite of the public scenario set."""

import json
from pathlib import Path

import pytest
import torch

from pipelines.suite_job import Request, play_suite
from pipelines.verdicts.ncap import Colour, band_colours

pytest.importorskip("euroncap_rating_2026", reason="the official calculator (extra `ncap`) is not installed")
RUNS = Path(__file__).resolve().parents[3] / "shared/data/openscenario/ncap2026/OpenSCENARIO/NCAP/CA-FC_2026/Variations"
SINGLE = RUNS / "SingleExecution"


@pytest.mark.skipif(not SINGLE.exists(), reason="the Euro NCAP scenarios are not here")
def test_points_follow_from_what_the_runs_did(tmp_path):
    files = tuple(SINGLE / f"{name}.xosc" for name in ("CPNA_25_50kph", "CBNA_50_50kph", "CCRs_50kph"))
    play_suite(Request(paths=files, agent="reg157"), 0, tmp_path / "suite", False)
    rated = {
        row["Euro NCAP scenario"]: row for row in json.loads((tmp_path / "suite/metrics.json").read_text())["euro_ncap"]
    }
    lines = (tmp_path / "suite/results.csv").read_text().splitlines()
    header = lines[0].split(",")
    rows = {line.split(",")[header.index("Scenario_ID")]: line.split(",") for line in lines[1:]}
    assert set(rows) == {"CPNA", "CBNA", "CCRs"}
    for name, scenario in (("CPNA", "CPNA day"), ("CBNA", "CBNA"), ("CCRs", "CCRs")):
        row = dict(zip(header, rows[name]))
        hit = row["collision"] == "yes"
        value = 3.6 * float(row["closing_mps"]) if hit else 0.0
        colour = Colour(int(band_colours(scenario, torch.tensor([50.0]), torch.tensor([value]))[0]))
        assert rated[scenario]["runs"] == 1 and rated[scenario][colour.name.lower()] == 1
    assert "Euro NCAP 2026" in (tmp_path / "suite/report.html").read_text()


@pytest.mark.skipif(not SINGLE.exists(), reason="the Euro NCAP scenarios are not here")
def test_a_suite_without_a_driver_has_no_points(tmp_path):
    play_suite(Request(paths=(SINGLE / "CCRs_50kph.xosc",)), 0, tmp_path / "suite", False)
    assert json.loads((tmp_path / "suite/metrics.json").read_text())["euro_ncap"] == []
