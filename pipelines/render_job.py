"""`roadloop render`: labelled scenes on disk, spread over Ray workers, the same bits for any number of them.

A scene is a function of the configuration and its seed. Scenes are drawn in batches; each batch leaves its pictures and
a part of the annotations, so an interrupted job goes on with the next batch that is missing.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from agents.classical import ClassicalAgent
from agents.contract import empty_action, fill_action
from configs.schema import Experiment
from perception.data import ANNOTATIONS, coco_annotations, coco_document, coco_image
from perception.oracle import oracle_percept
from pipelines.fanout import fan_out_resumable
from pipelines.progress import Report, progress
from pipelines.runs import claim, default_folder, run_folder, versions, write_json, written_whole
from pipelines.worlds import (
    SEEDS_PER_BLOCK,
    Worlds,
    batches_by_map,
    check_inputs,
    make_renderer,
    make_simulator,
    make_weather,
    make_worlds,
)
from sim.types import GroundTruth, SensorFrame

PARTS = ".parts"  # annotations of finished batches, until all are joined


def render(experiment: Experiment, out: Path | None) -> None:
    """Render `render.scenes` scenes into `out`. ValueError or OSError on bad input."""
    last = experiment.seed + experiment.render.scenes - 1
    if experiment.seed < SEEDS_PER_BLOCK <= last:
        raise ValueError(
            f"seeds {experiment.seed} to {last} reach into the held-out ones (1000000 on); choose a lower --seed"
        )
    with run_folder(out or default_folder("render")) as folder, progress("render", "scenes") as report:
        check_inputs(experiment)
        count = render_scenes(experiment, folder, report)
    print(f"{experiment.render.scenes} scenes, {count} labelled objects in {folder}")


def render_scenes(experiment: Experiment, folder: Path, report: Report) -> int:
    """Render what is missing in `folder` and join the annotations; returns the number of labelled objects."""
    claim(experiment, folder, ("images", "semantic", ANNOTATIONS))
    for name in ("images", "semantic"):
        (folder / name).mkdir(exist_ok=True)
    total, size = experiment.render.scenes, experiment.render.batch
    batches = batches_by_map(experiment, experiment.seed, total, size)
    tasks = {f"{index:06d}": (experiment, str(folder), scenes) for index, scenes in enumerate(batches)}
    parts = fan_out_resumable(
        render_batch, tasks, folder / PARTS, experiment.workers, lambda count: report(min(count * size, total), total)
    )
    return _join(experiment, folder, parts)


def render_batch(task: tuple[Experiment, str, list[int]]) -> dict[str, Any]:
    """Draw the numbered scenes, write their pictures, return their COCO entries."""
    experiment, folder, scenes = task
    seeds = [experiment.seed + scene for scene in scenes]
    frame, truth, worlds = draw_scenes(experiment, seeds)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for row, (scene, seed) in enumerate(zip(scenes, seeds, strict=True)):
        stem = f"{scene:06d}"
        _write_png(Path(folder) / "images" / f"{stem}.png", frame.rgb[row, 0].numpy()[..., ::-1])
        _write_png(Path(folder) / "semantic" / f"{stem}.png", truth.semantic[row, 0].numpy())
        image_id, weather = scene + 1, worlds.weathers[row]
        images.append(coco_image(frame.camera, image_id, f"{stem}.png", seed, weather, road=worlds.places[row]))
        annotations += coco_annotations(
            frame.camera, truth.boxes_2d, truth.boxes_3d, row, image_id, len(annotations) + 1
        )
    return {"images": images, "annotations": annotations}


@torch.inference_mode()
def draw_scenes(experiment: Experiment, seeds: list[int]) -> tuple[SensorFrame, GroundTruth, Worlds]:
    """One frame of each seed's world after its traffic has run for a while, with the worlds they show.

    The classical agent drives meanwhile, so that the ego stands where cars stand.
    """
    worlds = make_worlds(experiment, seeds)
    simulator = make_simulator(experiment, worlds)
    agent, action = ClassicalAgent(), empty_action(len(seeds), experiment.sim.actors)
    for _ in range(round(experiment.render.settle_s / experiment.sim.dt_s)):
        ego = simulator.ego_state()
        percept = oracle_percept(simulator.boxes_3d(), ego.time_s)
        fill_action(action, agent.act(percept, simulator.route(), ego))
        simulator.step(action)
    renderer = make_renderer(experiment, worlds)
    ego, boxes = simulator.ego_state(), simulator.boxes_3d()
    frame, truth = renderer.render(simulator.world, simulator.state, make_weather(worlds), ego, boxes)
    return frame, truth, worlds


def _join(experiment: Experiment, folder: Path, parts: list[dict[str, Any]]) -> int:
    """Write annotations.json from all parts, by scene; annotation ids count through."""
    images = sorted((image for part in parts for image in part["images"]), key=lambda image: image["id"])
    found = sorted((entry for part in parts for entry in part["annotations"]), key=lambda entry: entry["image_id"])
    annotations = [entry | {"id": i + 1} for i, entry in enumerate(found)]
    document = coco_document(
        images, annotations, description="Roadloop scenes", seed=experiment.seed, versions=versions()
    )
    write_json(folder / ANNOTATIONS, document)
    return len(annotations)


def _write_png(path: Path, image: np.ndarray) -> None:
    with written_whole(path) as part:
        if not cv2.imwrite(str(part), np.ascontiguousarray(image)):
            raise OSError(f"{path}: the image could not be written")
