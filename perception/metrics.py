"""How good detections are: average precision by kind, distance and weather, and the errors of lifting.

Average precision follows COCO (hotcoco computes it, tests compare it with pycocotools) at an IoU of 0.5 with what is
visible of an object. Ignored objects (`perception/data.py`) are neither demanded nor forbidden, as in training.

A distance bin counts the objects in it; those of other bins are ignored, and so is a detection that matches none and
was itself estimated to lie in another bin: COCO's rule for object sizes, applied to distances.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from hotcoco import COCO, COCOeval

from perception.data import Frames, Json
from perception.decode import Detections, decode
from perception.detector import Detector, images_to_input
from perception.lifting import lift
from sim.types import DETECTED_KINDS, Boxes3D, CameraModel

IOU = 0.5
DISTANCE_BINS_M = ((0.0, 20.0), (20.0, 40.0), (40.0, 60.0))
MAX_DETECTIONS = 100
_EVERYWHERE_M = (0.0, 1e5)


@dataclass
class DetectionScores:
    """AP50 in 0..1; None where there is nothing to detect, which is not the same as nothing found."""

    map50: float | None  # mean over the kinds that occur
    ap50_by_kind: dict[str, float | None]
    map50_by_distance_m: dict[str, float | None]
    ap50_by_kind_and_distance_m: dict[str, dict[str, float | None]]
    map50_by_weather: dict[str, float | None]
    ap50_by_kind_and_weather: dict[str, dict[str, float | None]]
    objects: dict[str, int]  # demanded objects by kind
    images: int

    def to_dict(self) -> Json:
        return asdict(self)


@dataclass
class LiftingErrors:
    """Errors of detections that match an object (IoU >= 0.5, same kind); None where none does."""

    matched: int
    depth_relative: float | None  # median of |estimate - truth| / truth
    center_m: float | None  # median distance between the centres
    yaw_rad: float | None  # median of the absolute difference
    length_relative: float | None


def evaluate_detections(truth: Json, detections: list[Json]) -> DetectionScores:
    """Scores of `detections` against the COCO document `truth` (of `coco_document` or `Frames.document`).

    A detection is {image_id, category_id, bbox [x, y, w, h], score, distance_m}. ValueError for one of an image that
    `truth` does not have.
    """
    images = {image["id"]: image for image in truth["images"]}
    unknown = {d["image_id"] for d in detections} - images.keys()
    if unknown:
        raise ValueError(f"detections of images that the truth does not have: {sorted(unknown)[:5]}")
    truth = _excuse_other_kinds(truth)
    weathers = sorted({str(image["weather"]) for image in images.values() if "weather" in image})
    overall = _ap50_table(truth, detections, list(images))
    by_weather = {
        w: _ap50_table(truth, detections, [i for i in images if images[i].get("weather") == w]) for w in weathers
    }
    bins = [f"{low:.0f}-{high:.0f}" for low, high in DISTANCE_BINS_M]
    kinds = [kind.name.lower() for kind in DETECTED_KINDS]
    return DetectionScores(
        map50=_mean(overall[:, 0]),
        ap50_by_kind={kind: overall[k, 0] for k, kind in enumerate(kinds)},
        map50_by_distance_m={name: _mean(overall[:, 1 + i]) for i, name in enumerate(bins)},
        ap50_by_kind_and_distance_m={
            kind: {name: overall[k, 1 + i] for i, name in enumerate(bins)} for k, kind in enumerate(kinds)
        },
        map50_by_weather={w: _mean(table[:, 0]) for w, table in by_weather.items()},
        ap50_by_kind_and_weather={
            kind: {w: table[k, 0] for w, table in by_weather.items()} for k, kind in enumerate(kinds)
        },
        objects={
            kind: sum(a["category_id"] == k + 1 and not a["iscrowd"] for a in truth["annotations"])
            for k, kind in enumerate(kinds)
        },
        images=len(images),
    )


def _excuse_other_kinds(truth: Json) -> Json:
    """`truth` in which objects that are no class of the detector are ignored, whatever a detection takes them for."""
    known, others = [], []
    for annotation in truth["annotations"]:
        (known if annotation["category_id"] <= len(DETECTED_KINDS) else others).append(annotation)
    if not others:
        return truth
    excused = [{**a, "category_id": kind + 1, "iscrowd": 1, "ignore": 1} for a in others for kind in DETECTED_KINDS]
    numbered = [{**a, "id": i + 1} for i, a in enumerate(known + excused)]
    return {**truth, "annotations": numbered}


def _mean(values: np.ndarray) -> float | None:
    known = [v for v in values if v is not None]
    return float(np.mean(known)) if known else None


def _ap50_table(truth: Json, detections: list[Json], image_ids: list[int]) -> np.ndarray:
    """AP50 (kinds, 1 + distance bins) as an object array; the first column is over all distances, None is unknown."""
    table = np.full((len(DETECTED_KINDS), 1 + len(DISTANCE_BINS_M)), None, dtype=object)
    if not image_ids:
        return table
    documents = by_distance(truth, detections)
    evaluation = run_coco(COCO(documents[0]), COCO(documents[1]), COCOeval, image_ids)
    precision = np.asarray(evaluation.eval["precision"])  # type: ignore[index]  # (IoU, recall, kinds, ranges, max)
    for k in range(table.shape[0]):
        for r in range(table.shape[1]):
            curve = precision[0, :, k, r, -1]
            # COCO marks what has no ground truth by -1.
            table[k, r] = float(curve.mean()) if (curve > -1).all() else None
    return table


def by_distance(truth: Json, detections: list[Json]) -> tuple[Json, Json]:
    """Both as COCO documents in which `area` is the distance in metres, so that COCO's area ranges become bins."""
    with_distance = {**truth, "annotations": [{**a, "area": a["distance_m"]} for a in truth["annotations"]]}
    found = [{**d, "id": i + 1, "area": d["distance_m"], "iscrowd": 0} for i, d in enumerate(detections)]
    return with_distance, {**truth, "annotations": found}


def run_coco(truth: object, found: object, evaluator: Callable, image_ids: list[int]) -> COCOeval:
    """Evaluate and accumulate with `evaluator`: hotcoco's or pycocotools' COCOeval."""
    evaluation = evaluator(truth, found, "bbox")
    evaluation.params.imgIds = sorted(image_ids)
    evaluation.params.catIds = [kind + 1 for kind in DETECTED_KINDS]
    evaluation.params.iouThrs = np.array([IOU])
    evaluation.params.maxDets = [1, 10, MAX_DETECTIONS]
    evaluation.params.areaRng = [list(_EVERYWHERE_M), *[list(b) for b in DISTANCE_BINS_M]]
    evaluation.params.areaRngLbl = ["all", *[f"{low:.0f}-{high:.0f}" for low, high in DISTANCE_BINS_M]]
    evaluation.evaluate()
    evaluation.accumulate()
    return evaluation


@torch.inference_mode()
def detect_frames(detector: Detector, frames: Frames, batch: int = 8, min_score: float = 0.02) -> list[Json]:
    """Detections of all frames as COCO results, each with its estimated `distance_m` and its box in the ego frame."""
    fused, device = detector.fused(), next(detector.parameters()).device
    results: list[Json] = []
    for first in range(0, len(frames), batch):
        rgb = torch.from_numpy(frames.rgb[first : first + batch]).to(device)
        found = decode(fused(images_to_input(rgb)), min_score=min_score)
        for row in range(len(rgb)):
            image = frames.images[first + row]
            boxes = lift(found, camera_of(image))
            results += coco_results(found, boxes, row, image["id"])
    return results


def camera_of(image: Json) -> CameraModel:
    """The camera of a COCO image entry."""
    camera = image["camera"]
    return CameraModel(
        width_px=image["width"],
        height_px=image["height"],
        focal_px=torch.tensor([camera["focal_px"]]),
        center_px=torch.tensor([camera["center_px"]]),
        ego_from_camera=torch.tensor([camera["ego_from_camera"]]),
    )


def coco_results(found: Detections, boxes: Boxes3D, row: int, image_id: int) -> list[Json]:
    """The valid detections of batch row `row` as COCO results; `boxes` are the same detections, lifted."""
    keep = found.valid[row].nonzero()[:, 0].tolist()
    corners, center = found.box_px[row].tolist(), boxes.center_ego_m[row].tolist()
    size, yaw, depth = boxes.size_m[row].tolist(), boxes.yaw_ego_rad[row].tolist(), found.depth_m[row].tolist()
    kind, score = found.kind[row].tolist(), found.score[row].tolist()
    return [
        {
            "image_id": image_id,
            "category_id": kind[k] + 1,
            "bbox": [corners[k][0], corners[k][1], corners[k][2] - corners[k][0], corners[k][3] - corners[k][1]],
            "score": score[k],
            "distance_m": float(np.hypot(center[k][0], center[k][1])),
            "depth_m": depth[k],
            "center_ego_m": center[k],
            "size_m": size[k],
            "yaw_ego_rad": yaw[k],
        }
        for k in keep
    ]


def lifting_errors(truth: Json, detections: list[Json], min_score: float = 0.25) -> LiftingErrors:
    """Errors of the 3-D estimates of `detect_frames` against `truth`, over demanded objects that were found."""
    poses = {image["id"]: np.asarray(image["camera"]["ego_from_camera"]) for image in truth["images"]}
    found: dict[tuple[int, int], list[Json]] = {}
    for d in detections:
        if d["score"] >= min_score:
            found.setdefault((d["image_id"], d["category_id"]), []).append(d)
    rows = []
    for a in truth["annotations"]:
        candidates = found.get((a["image_id"], a["category_id"]), [])
        best = max(candidates, key=lambda d: _iou(d["bbox"], a["bbox"]), default=None)
        if best is None or a["iscrowd"] or _iou(best["bbox"], a["bbox"]) < IOU:
            continue
        rows.append(_errors(a, best, poses[a["image_id"]]))
    medians = np.median(rows, axis=0).tolist() if rows else [None] * 4
    return LiftingErrors(len(rows), *medians)


def _errors(truth: Json, found: Json, ego_from_camera: np.ndarray) -> tuple[float, float, float, float]:
    center_ego_m = ego_from_camera[:3, :3] @ np.asarray(truth["center_camera_m"]) + ego_from_camera[:3, 3]
    turn_rad = (found["yaw_ego_rad"] - truth["yaw_ego_rad"] + np.pi) % (2.0 * np.pi) - np.pi
    return (
        abs(found["depth_m"] - truth["depth_m"]) / truth["depth_m"],
        float(np.linalg.norm(np.asarray(found["center_ego_m"]) - center_ego_m)),
        abs(turn_rad),
        abs(found["size_m"][0] - truth["size_m"][0]) / truth["size_m"][0],
    )


def _iou(a: list[float], b: list[float]) -> float:
    """IoU of two boxes [x, y, w, h]."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    overlap = max(width, 0.0) * max(height, 0.0)
    return overlap / max(a[2] * a[3] + b[2] * b[3] - overlap, 1e-9)
