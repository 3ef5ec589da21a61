"""Training learns, resumes exactly, runs data-parallel, and refuses what does not fit."""

import multiprocessing
from functools import partial

import numpy as np
import pytest
import torch
import torch.distributed as dist
from drawn_scenes import write_scenes
from safetensors.torch import load_file

from configs.schema import DetectorTraining
from perception import training
from perception.augment import Augmentation
from perception.data import read_document, read_frames
from perception.detector import DetectorConfig, build_detector, images_to_input
from perception.loss import LossWeights, detector_loss
from perception.metrics import detect_frames, evaluate_detections, lifting_errors
from perception.targets import make_batch, make_targets
from perception.training import CHECKPOINT, split_images, train_detector
from perception.weights import load_detector, read_record

TINY = DetectorConfig(widths=(8, 16, 16, 16), blocks=(1, 1, 1, 1), neck=16, head=16, attention_heads=2)
train_tiny = partial(train_detector, architecture=TINY, bf16=False)


class Killed(Exception):
    """Stands for the end of the process in the middle of an epoch."""


@pytest.mark.slow
def test_overfits_a_handful_of_scenes(scenes):
    """The shipped architecture learns eight images by heart: boxes, kinds, depths."""
    frames = read_frames(read_document(scenes))
    detector = build_detector(seed=0).train()
    optimizer = torch.optim.AdamW(detector.parameters(), lr=2e-3)
    batch = make_batch(frames, np.arange(len(frames)), None, Augmentation())
    targets, rgb = make_targets(batch), images_to_input(batch.rgb)
    for _ in range(80):  # processors round differently: fifty are enough on some, not on all
        loss, _ = detector_loss(detector(rgb), targets, batch.semantic, LossWeights())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(detector.parameters(), 10.0)
        optimizer.step()
    found = detect_frames(detector, frames)
    scores = evaluate_detections(frames.document(), found)
    assert scores.map50 is not None and scores.map50 > 0.9
    errors = lifting_errors(frames.document(), found)
    assert errors.matched >= 0.9 * sum(scores.objects.values())
    assert errors.depth_relative is not None and errors.depth_relative < 0.1


def test_training_reports_a_falling_loss_and_writes_usable_weights(scenes, tmp_path):
    reports = []
    config = DetectorTraining(epochs=10, batch=2, learning_rate=3e-3)
    path = train_tiny(config, [scenes], tmp_path, 0, report=reports.append)
    losses = [r["loss"] for r in reports if "loss" in r]
    assert len(losses) == 4 and losses[-1] < 0.75 * losses[0]
    assert {"loss_heat", "loss_depth", "images_per_s", "step", "steps"} <= reports[0].keys()
    assert load_detector(path).config == TINY
    assert read_record(path)["training_images"] == 8 and read_record(path)["seed"] == 0


def test_a_killed_run_resumes_to_the_same_weights(scenes, tmp_path, monkeypatch):
    config = DetectorTraining(epochs=3, batch=4)
    whole = train_tiny(config, [scenes], tmp_path / "whole", 5)

    def kill(scalars):
        raise Killed

    monkeypatch.setattr(training, "REPORT_EVERY", 3)  # two steps an epoch: in the middle of the second
    with pytest.raises(Killed):
        train_tiny(config, [scenes], tmp_path / "killed", 5, report=kill)
    assert not (tmp_path / "killed" / "detector.safetensors").exists()
    resumed = train_tiny(config, [scenes], tmp_path / "killed", 5, resume=tmp_path / "killed")
    expected, actual = load_file(whole), load_file(resumed)
    assert expected.keys() == actual.keys()
    for name in expected:
        assert torch.equal(expected[name], actual[name]), name


def test_a_checkpoint_of_other_settings_or_a_damaged_one_is_refused(scenes, tmp_path):
    config = DetectorTraining(epochs=1, batch=4)
    train_tiny(config, [scenes], tmp_path, 0)
    with pytest.raises(ValueError, match=r"checkpoint.pt was trained with seed = 0, not 1"):
        train_tiny(config, [scenes], tmp_path / "other", 1, resume=tmp_path)
    with pytest.raises(ValueError, match="not a readable checkpoint"):
        train_tiny(config, [scenes], tmp_path / "other", 0, resume=tmp_path / "nowhere")
    checkpoint = tmp_path / CHECKPOINT
    checkpoint.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(ValueError, match="not a readable checkpoint") as error:
        train_tiny(config, [scenes], tmp_path / "other", 0, resume=tmp_path)
    assert "\n" not in str(error.value)


def test_too_few_images_are_an_error(scenes, tmp_path):
    with pytest.raises(ValueError, match=r"8 training images .* batch of 64"):
        train_tiny(DetectorTraining(batch=64), [scenes], tmp_path, 0)


def test_no_world_is_both_trained_on_and_held_out():
    images = [{"id": i, "world_seed": i // 5} for i in range(500)]
    kept, held_out = split_images(images)
    worlds = [{image["world_seed"] for image in part} for part in (kept, held_out)]
    assert not worlds[0] & worlds[1] and len(worlds[1]) == 5 and len(kept) + len(held_out) == 500


def test_the_ignored_are_neither_demanded_nor_forbidden(tmp_path):
    """Heat at an ignored object costs nothing; at an empty place it does."""
    write_scenes(tmp_path, 1, objects=1)
    frames = read_frames(read_document(tmp_path))
    frames.objects[0].ignore[:] = True
    targets = make_targets(make_batch(frames, np.arange(1), None, Augmentation()))
    assert targets.objects == 0 and targets.heat.max() == 0.0 and len(targets.image) == 0
    u0, v0, u1, v1 = (frames.objects[0].box_px[0] / 4.0).tolist()
    outside = torch.ones(48, 80, dtype=torch.bool)
    outside[int(v0) : int(-(-v1 // 1)), int(u0) : int(-(-u1 // 1))] = False
    assert torch.equal(targets.demanded[0, 0], outside)


def _train_as_rank(rank, store, scenes, out):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    try:
        train_tiny(DetectorTraining(epochs=2, batch=2), [scenes], out, 3)
    finally:
        dist.destroy_process_group()


@pytest.mark.slow
def test_two_processes_train_one_detector(scenes, tmp_path):
    """Both workers finish; the first writes; the record counts both shards."""
    context = multiprocessing.get_context("spawn")
    arguments = (tmp_path / "store", scenes, tmp_path / "run")
    workers = [context.Process(target=_train_as_rank, args=(rank, *arguments)) for rank in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(240)
    assert [worker.exitcode for worker in workers] == [0, 0]
    weights = tmp_path / "run" / "detector.safetensors"
    record = read_record(weights)
    assert (record["training_images"], record["processes"]) == (8, 2)
    start = build_detector(TINY, 3).state_dict()
    assert not torch.equal(load_detector(weights).state_dict()["maps.weight"], start["maps.weight"])
