"""Rendering at scale: stages used again, batches that share maps, workers and jobs killed while they render."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from configs.schema import Experiment
from pipelines.datasets import frames as drawn
from pipelines.memory import MEMORY, memory_told
from pipelines.worlds import batches_by_map, map_key

ROOT = Path(__file__).parents[2]
ALL = ["normals", "flow", "keypoints", "lanes", "panoptic", "signs"]
TREE = {
    "road": {"kind": "urban", "pool": 2},
    "weather": "any",
    "sensor": "dashcam",
    "lidar": {"like": "hdl64", "azimuths": 180},
    "radar": {},
    "sim": {"actors": 24, "pedestrians": 8, "cyclists": 2, "dynamics": "dynamic"},
    "camera": {"width_px": 96, "height_px": 54, "supersample": 1},
    "render": {"settle_s": 0.6, "frames": 2, "interval_s": 0.1, "labels": ALL},
}


def same(a, b):
    """Whether two values are equal bit by bit, whatever they are made of."""
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    if hasattr(a, "__dict__"):
        return all(same(value, getattr(b, name)) for name, value in vars(a).items())
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(value, b[name]) for name, value in a.items())
    return a == b


def copied(frame):
    """The frame with arrays of its own: those that are yielded are overwritten by the next time."""
    arrays: dict[str, Any] = {k: v.copy() for k, v in vars(frame).items() if isinstance(v, np.ndarray)}
    return replace(frame, **arrays)


def taken(experiment, seeds):
    return [copied(frame) for frame in drawn.draw_frames(experiment, list(range(len(seeds))), seeds, {})]


@pytest.mark.parametrize("seeds, others", [([10, 12], [2, 4]), ([11, 12], [2, 1])], ids=["one map", "two, swapped"])
def test_a_stage_that_is_used_again_draws_the_same_bits_as_a_new_one(seeds, others):
    experiment = Experiment.model_validate(TREE)
    drawn._STAGES.clear()
    fresh = taken(experiment, seeds)
    taken(experiment, others)  # other seeds on the same maps
    stage = drawn._STAGES[0]
    again = taken(experiment, seeds)
    assert drawn._STAGES[0] is stage, "the stage was made anew: nothing is tested here"
    assert len(fresh) == len(again) == 4 and fresh[0].annotations
    for a, b in zip(fresh, again, strict=True):
        for name, value in vars(a).items():
            assert same(value, getattr(b, name)), name


def test_a_stage_is_not_used_where_settings_differ():
    experiment = Experiment.model_validate(TREE)
    taken(experiment, [2, 4])
    stage = drawn._STAGES[0]
    taken(Experiment.model_validate(TREE | {"sensor": "ideal"}), [2, 4])
    assert drawn._STAGES[0] is not stage


@pytest.mark.parametrize("count, pool, size", [(313, 4, 8), (24, 16, 8), (100, 3, 16), (5, 8, 8), (64, 32, 8)])
def test_batches_hold_every_scene_once_and_mix_maps_only_where_they_are_small(count, pool, size):
    experiment = Experiment.model_validate({"road": {"pool": pool}})
    batches = batches_by_map(experiment, 7000, count, size)
    assert sorted(n for batch in batches for n in batch) == list(range(count))
    assert max(map(len, batches)) <= size
    batches_of = {}
    for batch in batches:
        for key in {map_key(experiment, 7000 + n) for n in batch}:
            batches_of.setdefault(key, []).append(batch)
    for of_map in batches_of.values():
        alone = [batch for batch in of_map if len({map_key(experiment, 7000 + n) for n in batch}) == 1]
        assert len(of_map) == 1 or (len(alone) == len(of_map) and max(map(len, alone)) - min(map(len, alone)) <= 1)


# ------------------------------------------------------------------------------------------------------------- kills

SCENES = 60
SETTINGS = ["road.pool=2", "road.kind=town", "render.batch=3", "render.settle_s=0.5", "sim.actors=20",
            "sim.pedestrians=6", "camera.width_px=160", "camera.height_px=96", "camera.supersample=1"]  # fmt: skip
FOLDERS = ("images", "semantic", "instance", "depth")


def start(folder, workers):
    command = [sys.executable, "-m", "pipelines.cli", "render", "--scenes", str(SCENES), "--workers", str(workers)]
    command += ["--out", str(folder), *(part for setting in SETTINGS for part in ("--set", setting))]
    with (folder.parent / f"{folder.name}.log").open("a") as log:
        return subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, start_new_session=True)


def parts(folder):
    return len(list((folder / ".parts").glob("[0-9]*.json")))


def wait_for(folder, job, count):
    deadline = time.monotonic() + 240
    while parts(folder) < count:
        assert job.poll() is None, (folder.parent / f"{folder.name}.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def last_worker(folder):
    """The process that finished the last batch, as the job's own log tells."""
    lines = (folder / MEMORY).read_text().splitlines()
    return int(next(line for line in reversed(lines) if ",worker," in line).split(",")[2])


def files(folder):
    return {f"{name}/{path.name}": path.read_bytes() for name in FOLDERS for path in (folder / name).iterdir()}


@pytest.mark.slow
def test_workers_and_a_job_that_are_killed_leave_exactly_the_dataset_of_one_that_is_not(tmp_path):
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    quiet = start(calm, 0)
    assert quiet.wait(timeout=600) == 0, (tmp_path / "calm.log").read_text()

    job = start(killed, 2)
    for ready in (2, 7):
        wait_for(killed, job, ready)
        os.kill(last_worker(killed), signal.SIGKILL)
    wait_for(killed, job, 12)
    os.killpg(job.pid, signal.SIGKILL)
    job.wait()
    assert not (killed / "annotations.json").exists() and parts(killed) < SCENES // 3
    kept = {path: path.stat().st_mtime_ns for path in (killed / ".parts").glob("[0-9]*.json")}
    job = start(killed, 2)
    assert job.wait(timeout=600) == 0, (tmp_path / "killed.log").read_text()

    assert all(path.stat().st_mtime_ns == before for path, before in kept.items()), "finished batches were drawn again"
    assert (killed / "annotations.json").read_bytes() == (calm / "annotations.json").read_bytes()
    assert files(killed) == files(calm)
    assert not list(killed.rglob(".*.part*"))
    document = json.loads((killed / "annotations.json").read_text())
    names, ids = [i["file_name"] for i in document["images"]], [a["id"] for a in document["annotations"]]
    assert len(set(names)) == len(names) == SCENES and len(set(ids)) == len(ids)
    assert {a["image_id"] for a in document["annotations"]} <= {i["id"] for i in document["images"]}
    assert all(cv2.imread(str(killed / "depth" / name), cv2.IMREAD_UNCHANGED) is not None for name in names)
    assert set(memory_told(killed)) == {"driver", "worker"} and max(memory_told(killed).values()) < 4000
