"""Traces of an independent player, reproduced: positions to 5 cm and speeds to 0.1 m/s at every tick, and the end."""

import csv
import math
from collections import defaultdict
from pathlib import Path

import pytest
import torch

from sim.scenarios.player import play

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "openscenario"
FOLDERS = {
    "alks": DATA / "alks" / "logical_scenarios" / "concrete_scenarios",
    "esmini": DATA / "esmini",
    "ncap26": DATA / "ncap2026" / "OpenSCENARIO" / "NCAP" / "CA-FC_2026",
}
TRACES = sorted((DATA / "traces").glob("*.csv")) if DATA.is_dir() else []
FILES = sorted(path for folder in FOLDERS.values() if folder.is_dir() for path in folder.glob("*.xosc"))
real = pytest.mark.skipif(not TRACES, reason="needs the traces in ../shared/data/openscenario")
pytestmark = pytest.mark.filterwarnings("ignore:controller")


def read_trace(path):
    """Rows (time, x, y, heading, speed) by name."""
    rows = defaultdict(list)
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, skipinitialspace=True):
            rows[row["name"]].append([float(row[key]) for key in ("time", "x", "y", "h", "speed")])
    return {name: torch.tensor(values, dtype=torch.float64) for name, values in rows.items()}


@real
@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_trace_is_reproduced(path):
    folder, name = path.stem.split("__")
    expected = read_trace(path)
    end_s = max(float(rows[-1, 0]) for rows in expected.values())
    trace = play(FOLDERS[folder] / f"{name}.xosc", seconds=end_s + 2.0)
    assert trace.end_reason == ("stop trigger",)
    assert (int(trace.ticks[0]) - 1) * trace.dt_s == pytest.approx(end_s, abs=1e-3)
    assert set(trace.names) == set(expected)
    for who, rows in expected.items():
        entity, tick = trace.names.index(who), torch.round(rows[:, 0] / trace.dt_s).long()
        xy, speed = trace.xyz_world_m[0, tick, entity, :2], trace.speed_mps[0, tick, entity]
        turn = torch.remainder(trace.hpr_rad[0, tick, entity, 0] - rows[:, 3] + math.pi, 2 * math.pi) - math.pi
        assert float(torch.linalg.vector_norm(xy - rows[:, 1:3], dim=1).max()) <= 0.05, who
        assert float((speed - rows[:, 4]).abs().max()) <= 0.1, who
        assert float(turn.abs().max()) <= 0.01, who


@real
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_plays(path):
    if path.stem == "highway_merge":
        pytest.skip("its road is not among the data")
    trace = play(path, seconds=12.0)
    ticks = int(trace.ticks[0])
    assert ticks > 50
    for values in (trace.xyz_world_m, trace.hpr_rad, trace.speed_mps):
        assert bool(torch.isfinite(values[:, :ticks]).all())
