"""What a new process pays before its first frame: no module too many, and what earlier processes made is found."""

import gc
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from configs.schema import Experiment
from pipelines import kept as shelf
from pipelines.kept import kept, source_digest
from pipelines.startup import import_quickly
from pipelines.worlds import make_worlds
from sim.roads.lanegraph import compile_lanes

ROOT = Path(__file__).parents[2]
LATER = (
    "torchvision",
    "ray",
    "gymnasium",
    "stable_baselines3",
    "matplotlib",
    "torch._dynamo",
    "tensorboard",
    "sim.rendering.lidar",
)
CODE = (
    "import sys; from pipelines.startup import import_quickly; import_quickly('pipelines.{job}'); print(*sys.modules)"
)


@dataclass
class Thing:
    number: float
    rows: torch.Tensor


@pytest.mark.parametrize("job", ["render_job", "view_job", "drive"])
def test_a_job_loads_nothing_that_its_first_frame_does_not_need(job):
    loaded = subprocess.run(
        [sys.executable, "-c", CODE.format(job=job)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not set(LATER) & set(loaded.stdout.split())
    assert loaded.stderr == ""


def test_importing_quickly_leaves_the_collector_on():
    frozen = gc.get_freeze_count()
    assert import_quickly("json").__name__ == "json"
    assert gc.isenabled() and gc.get_freeze_count() == frozen  # it was there before: nobody's garbage is kept
    assert import_quickly("this").__name__ == "this"
    assert gc.isenabled() and gc.get_freeze_count() > frozen
    gc.unfreeze()


def test_what_was_made_once_is_found_again_with_the_same_bits(tmp_path):
    rows = torch.tensor([[0.1, -0.0], [float("inf"), 1e-42]])
    calls = []

    def make():
        calls.append(1)
        return Thing(0.1, rows.T)

    for _ in range(3):
        found = kept(Thing, ("a", 1), make, tmp_path)
        assert found.number == 0.1 and torch.equal(found.rows, rows.T)
        assert torch.equal(torch.signbit(found.rows), torch.signbit(rows.T))
    assert len(calls) == 1
    kept(Thing, ("a", 2), make, tmp_path)
    assert len(calls) == 2
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:50])  # damaged: made again
    assert torch.equal(kept(Thing, ("a", 1), make, tmp_path).rows, rows.T) and len(calls) == 3
    kept(Thing, ("a", 1), make, tmp_path)
    assert len(calls) == 3


def test_the_digest_sees_every_change_of_the_source(tmp_path):
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c.safetensors").write_bytes(b"2")
    before = source_digest.__wrapped__(tmp_path)
    assert source_digest.__wrapped__(tmp_path) == before
    (tmp_path / "b" / "c.safetensors").write_bytes(b"3")
    assert source_digest.__wrapped__(tmp_path) != before


def test_the_longest_unused_go_first(tmp_path, monkeypatch):
    monkeypatch.setattr(shelf, "MOST_BYTES", 3000)
    for number in range(4):
        kept(Thing, number, lambda: Thing(1.0, torch.zeros(200)), tmp_path)  # 800 bytes and a head each
        kept(Thing, 0, lambda: Thing(1.0, torch.zeros(200)), tmp_path)  # in use
    calls = []
    for number in (0, 3, 1):
        kept(Thing, number, lambda number=number: calls.append(number) or Thing(1.0, torch.zeros(200)), tmp_path)
    assert calls == [1]


def test_maps_that_were_kept_are_those_that_are_made(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    experiment = Experiment.model_validate({"road": {"kind": "rural", "pool": 2}})
    first, second = make_worlds(experiment, [3]).maps, make_worlds(experiment, [1]).maps
    assert first is second  # the same map, in this process
    lanes = compile_lanes(list(first.networks))
    made, scenery = first.lanes, first.scenery
    again = type(first)(first.make, first.key)  # as another process has it
    assert len(list((tmp_path / "roadloop").glob("*.safetensors"))) == 2
    for a, b in ((lanes, made), (lanes, again.lanes), (scenery, again.scenery)):
        for name, value in vars(a).items():
            other = getattr(b, name)
            assert value.dtype == other.dtype if isinstance(value, torch.Tensor) else value == other, name
            assert not isinstance(value, torch.Tensor) or torch.equal(value, other), name
