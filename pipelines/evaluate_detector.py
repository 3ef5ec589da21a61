"""`roadloop evaluate detector`: AP50 by kind, distance and weather on held-out worlds, errors in 3-D, and latency."""

import statistics
import time
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
import torch

from configs.schema import Experiment
from perception.data import coco_annotations, coco_document, coco_image
from perception.decode import decode
from perception.detector import Detector, images_to_input
from perception.lifting import lift
from perception.metrics import coco_results, evaluate_detections, lifting_errors
from perception.weights import load_detector
from pipelines.datasets.frames import draw_scenes
from pipelines.fanout import fan_out_resumable
from pipelines.progress import progress
from pipelines.report import BLUE, GREEN, ORANGE, Card, figure_html, page, table_html
from pipelines.runs import claim, machine, versions, write_json, write_text
from pipelines.sight import detector_weights
from pipelines.tables import print_table
from pipelines.worlds import batches_by_map

PARTS = ".parts"
MIN_SCORE = 0.02  # before average precision hardly anything is cut
LATENCY_RUNS = 30
Row = dict[str, Any]


def evaluate_detector(experiment: Experiment, folder: Path) -> dict[str, Any]:
    """Score the detector on `evaluate.episodes` held-out scenes; write and return the scores."""
    weights = detector_weights(experiment.evaluate.detector)
    detector = load_detector(weights)
    claim(experiment, folder, ("scores.json",))
    first, count, size = experiment.evaluate.first_seed, experiment.evaluate.episodes, experiment.render.batch
    batches = batches_by_map(experiment, first, count, size)
    tasks = {f"{index:06d}": (experiment, str(weights), first, numbers) for index, numbers in enumerate(batches)}
    with progress("evaluate detector", "scenes") as report:
        parts = fan_out_resumable(
            detect_batch,
            tasks,
            folder / PARTS,
            experiment.workers,
            lambda done: report(count * done // len(tasks), count),
        )
    truth, detections = _joined(parts)
    scores = evaluate_detections(truth, detections).to_dict()
    result = {
        "weights": str(weights),
        "parameters": detector.parameter_count(),
        "scores": scores,
        "lifting": vars(lifting_errors(truth, detections)),
        "latency_ms": {str(batch): latency_ms(detector, experiment, batch) for batch in (1, 8)},
        "versions": versions(),
        "machine": machine(),
    }
    write_json(folder / "scores.json", result)
    _write_report(experiment, folder, result)
    _print(result, folder)
    return result


@torch.inference_mode()
def detect_batch(task: tuple[Experiment, str, int, list[int]]) -> Row:
    """Draw one batch of held-out scenes and detect in each picture alone, so that the batch changes nothing."""
    experiment, weights, first_seed, numbers = task
    frame, truth, worlds = draw_scenes(experiment, [first_seed + number for number in numbers])
    detector = load_detector(Path(weights)).fused()
    images, annotations, detections = [], [], []
    for row, number in enumerate(numbers):
        image_id = number + 1
        seed, weather, road = int(worlds.seeds[row]), worlds.weathers[row], worlds.places[row]
        images.append(coco_image(frame.camera, image_id, f"{image_id}.png", seed, weather, road=road))
        annotations += coco_annotations(frame.camera, truth.boxes_2d, truth.boxes_3d, row, image_id, 1)
        found = decode(detector(images_to_input(frame.rgb[row : row + 1, 0])), min_score=MIN_SCORE)
        detections += coco_results(found, lift(found, frame.camera), 0, image_id)
    return {"images": images, "annotations": annotations, "detections": detections}


@torch.inference_mode()
def latency_ms(detector: Detector, experiment: Experiment, batch: int) -> dict[str, float]:
    """Median and 90th percentile time of one call, pictures in to detections out, on one thread."""
    fused, camera = detector.fused(), experiment.camera
    stream = torch.Generator().manual_seed(0)
    rgb = torch.randint(0, 256, (batch, camera.height_px, camera.width_px, 3), dtype=torch.uint8, generator=stream)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        times = []
        for _ in range(LATENCY_RUNS + 3):
            start_s = time.perf_counter()
            decode(fused(images_to_input(rgb)))
            times.append((time.perf_counter() - start_s) * 1e3)
    finally:
        torch.set_num_threads(threads)
    times = sorted(times[3:])
    return {"median": statistics.median(times), "p90": times[int(0.9 * len(times))], "threads": 1}


def _joined(parts: list[Row]) -> tuple[Row, list[Row]]:
    """Truth and detections in the order of the scenes."""
    images = sorted((image for part in parts for image in part["images"]), key=lambda image: image["id"])
    annotations = sorted((entry for part in parts for entry in part["annotations"]), key=lambda e: e["image_id"])
    numbered = [entry | {"id": index + 1} for index, entry in enumerate(annotations)]
    return coco_document(images, numbered), sorted(
        (entry for part in parts for entry in part["detections"]), key=lambda entry: entry["image_id"]
    )


def _rows(scores: Row) -> list[Row]:
    """One row a kind: objects, AP50, by distance and by weather."""
    return [
        {"kind": kind, "objects": scores["objects"][kind], "AP50": scores["ap50_by_kind"][kind]}
        | {f"{name} m": value for name, value in scores["ap50_by_kind_and_distance_m"][kind].items()}
        | scores["ap50_by_kind_and_weather"][kind]
        for kind in scores["ap50_by_kind"]
    ]


def _write_report(experiment: Experiment, folder: Path, result: Row) -> None:
    scores, latency = result["scores"], result["latency_ms"]
    kinds = list(scores["ap50_by_kind"])
    by_distance, by_weather = go.Figure(), go.Figure()
    for color, (name, _) in zip((BLUE, ORANGE, GREEN), scores["map50_by_distance_m"].items()):
        values = [scores["ap50_by_kind_and_distance_m"][kind][name] for kind in kinds]
        by_distance.add_bar(x=kinds, y=values, name=f"{name} m", marker_color=color)
    for color, (name, _) in zip((BLUE, ORANGE, GREEN), scores["map50_by_weather"].items()):
        values = [scores["ap50_by_kind_and_weather"][kind][name] for kind in kinds]
        by_weather.add_bar(x=kinds, y=values, name=name, marker_color=color)
    body = [
        table_html(_rows(scores)),
        '<p class="note">"none" means that no such object was there to be found.</p>',
        '<div class="pair">',
        figure_html(by_distance, "AP50 by distance", "", "AP50", 320),
        figure_html(by_weather, "AP50 by weather", "", "AP50", 320),
        "</div><h2>In 3-D, medians over objects that were found</h2>",
        table_html([result["lifting"]]),
    ]
    cards = [
        Card(_figure(scores["map50"]), "mAP50 over the kinds"),
        Card(_figure(scores["ap50_by_kind"]["car"]), "AP50 of cars"),
        Card(f"{latency['1']['median']:.1f} ms", "a picture, batch 1, one thread"),
        Card(f"{latency['8']['median'] / 8:.1f} ms", "a picture, batch 8, one thread"),
        Card(f"{result['parameters'] / 1e6:.2f} M", "parameters"),
    ]
    settings = experiment.evaluate
    subtitle = f"{scores['images']} scenes of held-out seeds {settings.first_seed} on; {Path(result['weights']).name}"
    write_text(folder / "report.html", page("The detector on held-out worlds", subtitle, cards, body))


def _figure(value: float | None) -> str:
    return "no objects" if value is None else f"{value:.2f}"


def _print(result: Row, folder: Path) -> None:
    scores, latency = result["scores"], result["latency_ms"]
    print_table(_rows(scores), f"AP50 on {scores['images']} held-out scenes, mAP50 {_figure(scores['map50'])}")
    print(f"latency {latency['1']['median']:.1f} ms at batch 1, {latency['8']['median']:.1f} ms at batch 8, one thread")
    print(f"report {folder / 'report.html'}")
