"""Every command run for real on the tiny preset: what it writes, and that it goes on where it stopped."""

import csv
import json
import re
import shutil
import signal
import subprocess
import sys
import time

import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from pycocotools.coco import COCO

from pipelines.config_io import load_experiment

SMOKE = ("--config", "smoke")


def read(path):
    return json.loads(path.read_text())


def same_files(first, second, names):
    return all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_drive_on_the_oracle(roadloop, tmp_path):
    out = tmp_path / "run"
    ran = roadloop("drive", *SMOKE, "--agent", "classical", "--perception", "oracle", "--seed", 3, "--out", out)
    assert ran.code == 0, ran.err
    assert sorted(p.name for p in out.iterdir()) == ["config.yaml", "drive.mp4", "metrics.json", "report.html"]
    metrics = read(out / "metrics.json")
    assert metrics["ended"] == "time" and metrics["ticks"] == 20 and metrics["detection"] is None
    assert 0 < metrics["route_completion"] <= 1 and not metrics["collision"]
    scores, absent = metrics["scores"]["scores"], metrics["scores"]["absent"]
    assert scores["carla_2_0"] == pytest.approx(metrics["route_completion"], abs=0.02)
    # The expert itself: nobody gets farther than he does.
    assert metrics["scores"]["terms"]["epdms"]["ego_progress"] == 1.0
    assert all(0 <= scores[name] <= 1 for name in ("carla_2_1", "nuplan", "pdms", "epdms"))
    assert {name for name, value in scores.items() if value is None} == set(absent)
    told = (
        "CARLA driving score 2.0",
        "CARLA driving score 2.1",
        "nuPlan",
        "PDMS",
        "EPDMS",
        "TTC",
        "PET",
        "DRAC",
        "RSS",
    )
    assert all(name in ran.out and name in (out / "report.html").read_text() for name in told)
    about = next(imageio_ffmpeg.read_frames(str(out / "drive.mp4")))
    assert about["codec"] == "h264" and about["duration"] == pytest.approx(2.0, abs=0.11)
    page = re.sub(r"<script.*?</script>", "", (out / "report.html").read_text(), flags=re.DOTALL)
    assert 'src="data:video/mp4;base64,' in page and not re.search(r'(src|href)="(?!data:)', page)
    assert load_experiment(out / "config.yaml").seed == 3


def test_same_drive_from_its_own_config(roadloop, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    roadloop("drive", *SMOKE, "--agent", "classical", "--perception", "oracle", "--weather", "fog", "--out", first)
    ran = roadloop("drive", "--config", first / "config.yaml", "--out", second)
    assert ran.code == 0, ran.err
    timed = ("ticks_per_second", "total_seconds")
    a, b = ({k: v for k, v in read(run / "metrics.json").items() if k not in timed} for run in (first, second))
    assert a == b and a["weather"] == "fog"
    assert same_files(first, second, ["drive.mp4"])


@pytest.mark.slow
def test_drive_on_the_detector(roadloop, tmp_path, detector_run):
    weights, out = detector_run / "detector.safetensors", tmp_path / "run"
    ran = roadloop("drive", *SMOKE, "--agent", "classical", "--perception", weights, "--out", out)
    assert ran.code == 0, ran.err
    detection = read(out / "metrics.json")["detection"]
    assert set(detection["ap50_by_kind"]) == {"car", "truck", "bus", "pedestrian"}
    assert sum(detection["objects"].values()) > 0 and detection["ap50"] is not None


def test_rendered_scenes_are_consistent_coco(scenes):
    coco = COCO(scenes / "annotations.json")
    images, semantic = (sorted(p.name for p in (scenes / name).iterdir()) for name in ("images", "semantic"))
    assert images == semantic == sorted(image["file_name"] for image in coco.dataset["images"])
    assert len(images) == 24 and len(coco.dataset["annotations"]) > 24
    label_of_category = {1: 26, 2: 27, 3: 28, 4: 24}  # Cityscapes ids
    for image in coco.dataset["images"]:
        labels = cv2.imread(str(scenes / "semantic" / image["file_name"]), cv2.IMREAD_UNCHANGED)
        assert labels.shape == (image["height"], image["width"]) and labels.dtype == np.uint8
        for entry in coco.imgToAnns[image["id"]]:
            left, top, width, height = entry["bbox"]
            inside = labels[int(top) : int(np.ceil(top + height)), int(left) : int(np.ceil(left + width))]
            assert (inside == label_of_category[entry["category_id"]]).any()
    assert len({image["weather"] for image in coco.dataset["images"]}) > 8


@pytest.mark.slow
def test_render_is_the_same_over_workers_and_goes_on(roadloop, tmp_path, scenes):
    spread, stopped = tmp_path / "spread", tmp_path / "stopped"
    ran = roadloop("render", *SMOKE, "--scenes", 24, "--workers", 2, "--out", spread)
    assert ran.code == 0, ran.err
    shutil.copytree(scenes, stopped)
    (stopped / "annotations.json").unlink()
    for name in (".parts/000003.json", "images/000005.png", "semantic/000005.png", "depth/000005.png"):
        (stopped / name).unlink()
    kept = (stopped / "images" / "000011.png").stat().st_mtime_ns
    ran = roadloop("render", *SMOKE, "--scenes", 24, "--out", stopped)
    assert ran.code == 0, ran.err
    assert (stopped / "images" / "000011.png").stat().st_mtime_ns == kept
    kinds = ("images", "semantic", "instance", "depth")
    names = [*(f"{kind}/{i:06d}.png" for kind in kinds for i in range(24)), "annotations.json", "contact.jpg"]
    assert same_files(scenes, spread, names)
    assert same_files(scenes, stopped, names)


def test_other_settings_do_not_mix_into_a_folder(roadloop, scenes):
    before = sorted(scenes.rglob("*"))
    ran = roadloop("render", *SMOKE, "--scenes", 24, "--seed", 7, "--out", scenes)
    assert ran.code == 2 and "other settings" in ran.error_lines[0]
    assert sorted(scenes.rglob("*")) == before


@pytest.mark.slow
def test_evaluate_agents_is_the_same_over_workers(roadloop, tmp_path):
    alone, spread = tmp_path / "alone", tmp_path / "spread"
    for workers, out in ((0, alone), (2, spread)):
        ran = roadloop("evaluate", "agent", *SMOKE, "--workers", workers, "--out", out)
        assert ran.code == 0, ran.err
    assert same_files(alone, spread, ["episodes.csv", "table.csv"])
    rows = list(csv.DictReader((alone / "episodes.csv").open()))
    assert [row["agent"] for row in rows] == ["classical"] * 4 + ["random"] * 4
    assert {int(row["seed"]) for row in rows} == set(range(1_000_000, 1_000_004))
    table = read(alone / "table.json")["table"]
    mean = sum(float(row["driving_score"]) for row in rows[:4]) / 4
    assert table[0]["agent"] == "classical" and table[0]["driving_score"] == pytest.approx(mean)
    means = read(alone / "table.json")["scores"]
    assert [row["agent"] for row in means] == ["classical", "random"]
    for name in ("carla_2_0", "carla_2_1", "nuplan", "pdms", "epdms"):
        assert means[0][name] == pytest.approx(sum(float(row[name]) for row in rows[:4]) / 4)
    assert all(row["least_ttc_s"] or "least_ttc_s" in row["absent"] for row in rows) and "epdms" in ran.out
    assert "classical" in ran.out and (alone / "report.html").stat().st_size > 1_000_000


@pytest.mark.slow
def test_evaluate_detector(roadloop, tmp_path, detector_run):
    weights, out = detector_run / "detector.safetensors", tmp_path / "run"
    ran = roadloop("evaluate", "detector", *SMOKE, "--set", f"evaluate.detector={weights}", "--out", out)
    assert ran.code == 0, ran.err
    result = read(out / "scores.json")
    assert set(result["scores"]["map50_by_distance_m"]) == {"0-20", "20-40", "40-60"}
    assert result["latency_ms"]["1"]["median"] > 0 and result["scores"]["images"] == 4


def test_trained_detector_left_a_whole_run(detector_run):
    names = {path.name for path in detector_run.iterdir()}
    assert {
        "config.yaml",
        "detector.safetensors",
        "checkpoint.pt",
        "progress.jsonl",
        "report.html",
        "tensorboard",
    } <= names
    assert list((detector_run / "tensorboard").glob("events.*"))


def test_train_agent_and_go_on(roadloop, tmp_path):
    out = tmp_path / "run"
    ran = roadloop("train", "agent", *SMOKE, "--set", "train.agent.steps=1024", "--out", out)
    assert ran.code == 0, ran.err
    again = roadloop("train", "agent", *SMOKE, "--out", out)
    assert again.code == 2 and "--resume" in again.error_lines[0]
    ran = roadloop("train", "agent", "--resume", out, "--set", "train.agent.steps=2048")
    assert ran.code == 0, ran.err
    steps = [json.loads(line)["step"] for line in (out / "progress.jsonl").read_text().splitlines()]
    assert steps == sorted(steps) and steps[0] == 512 and steps[-1] > 1024
    weights = out / "agent.safetensors"
    ran = roadloop(
        "evaluate", "agent", *SMOKE, "--set", f"evaluate.agents=[{weights}]", "--episodes", 2, "--out", tmp_path / "e"
    )
    assert ran.code == 0, ran.err


@pytest.mark.slow
def test_killed_training_is_resumed(tmp_path, roadloop):
    out, log = tmp_path / "run", tmp_path / "run" / "progress.jsonl"
    settings = ["--config", "smoke", "--set", "train.agent.steps=1000000"]
    command = [sys.executable, "-m", "pipelines.cli", "train", "agent", *settings, "--out", str(out)]
    job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 240
        while not (out / "checkpoint.safetensors").exists() and time.monotonic() < deadline:
            assert job.poll() is None, "the training ended by itself"
            time.sleep(0.2)
    finally:
        job.send_signal(signal.SIGKILL)
        job.wait()
    done = [json.loads(line)["step"] for line in log.read_text().splitlines()]
    target = int(done[-1]) + 2048
    ran = roadloop("train", "agent", "--resume", out, "--set", f"train.agent.steps={target}")
    assert ran.code == 0, ran.err
    after = [json.loads(line)["step"] for line in log.read_text().splitlines()][len(done) :]
    assert after and after[0] > 512 and after[-1] > done[-1]


@pytest.mark.slow
def test_train_gan_and_paint_with_it(roadloop, tmp_path):
    out = tmp_path / "run"
    ran = roadloop("train", "gan", *SMOKE, "--out", out)
    assert ran.code == 0, ran.err
    from sim.painting.gan import gan_textures

    assert gan_textures(out / "gan.safetensors", 1, 0).facade.float().std() > 0


@pytest.mark.slow
def test_train_as_a_ray_job_with_two_workers(roadloop, tmp_path):
    out = tmp_path / "run"
    ran = roadloop("train", "agent", *SMOKE, "--workers", 2, "--out", out)
    assert ran.code == 0, ran.err
    steps = [json.loads(line)["step"] for line in (out / "progress.jsonl").read_text().splitlines()]
    assert (out / "agent.safetensors").exists() and steps and steps[-1] >= 1024


@pytest.mark.slow
def test_bench_names_its_figures(roadloop, tmp_path):
    file = tmp_path / "figures.json"
    sizes = ("--worlds", 2, "--actors", 6)
    ran = roadloop("bench", "sim", *SMOKE, *sizes, "--json", file)
    assert ran.code == 0, ran.err
    figure = read(file)["agent_steps_per_core_second"]
    assert figure["lowest"] <= figure["value"] <= figure["highest"] and figure["worlds"] == 2
    assert figure["beside"]["highway-env"]["value"] > 0
