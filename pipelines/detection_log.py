"""Detections of a drive against the truth: counts for every tick, COCO records for the scores."""

from typing import Any

import numpy as np

from perception.data import MAX_OCCLUSION, MAX_TRUNCATION, MIN_HEIGHT_PX, coco_annotations, coco_document, coco_image
from perception.decode import Detections
from perception.lifting import lift
from perception.metrics import coco_results, evaluate_detections
from sim.types import GroundTruth, SensorFrame

MATCH_IOU = 0.5
RULE = (
    "AP at an IoU of 0.5 with the visible part of an object, mean over the kinds that occurred, of the detections the "
    f"car used. Objects lower than {MIN_HEIGHT_PX:g} pixels, or more than {MAX_OCCLUSION:.0%} hidden or "
    f"{MAX_TRUNCATION:.0%} outside the picture, are neither demanded nor forbidden."
)


class DetectionLog:
    """Gathers one camera's labels and detections, world `row` of a batch."""

    def __init__(self, weather: str, seed: int) -> None:
        self._weather, self._seed = weather, seed
        self.images: list[dict[str, Any]] = []
        self.annotations: list[dict[str, Any]] = []
        self.detections: list[dict[str, Any]] = []

    def add(self, frame: SensorFrame, truth: GroundTruth, found: Detections, row: int = 0) -> dict[str, float]:
        """File one frame; returns how many objects were to be seen, how many of them were found, and false alarms."""
        image_id = len(self.images) + 1
        self.images.append(coco_image(frame.camera, image_id, f"{image_id}.png", self._seed, self._weather))
        labels = coco_annotations(
            frame.camera, truth.boxes_2d, truth.boxes_3d, row, image_id, len(self.annotations) + 1
        )
        self.annotations += labels
        results = coco_results(found, lift(found, frame.camera), row, image_id)
        self.detections += results
        return match_counts(labels, results)

    def scores(self) -> dict[str, Any]:
        """AP50 of all frames, overall and by kind, and the rule they follow."""
        found = evaluate_detections(coco_document(self.images, self.annotations), self.detections)
        return {
            "ap50": found.map50,
            "ap50_by_kind": found.ap50_by_kind,
            "objects": found.objects,
            "rule": RULE,
        }


def match_counts(labels: list[dict[str, Any]], results: list[dict[str, Any]]) -> dict[str, float]:
    """Objects demanded, objects found (greedy by score, same kind, IoU at least 0.5), detections that match nothing.

    Labels marked `iscrowd` are neither demanded nor held against a detection that lies on them.
    """
    free = list(range(len(labels)))
    found = false = 0
    for result in sorted(results, key=lambda entry: -entry["score"]):
        overlaps = [
            (iou_xywh(labels[i]["bbox"], result["bbox"]), -labels[i]["iscrowd"], i)
            for i in free
            if labels[i]["category_id"] == result["category_id"]
        ]
        near = [entry for entry in overlaps if entry[0] >= MATCH_IOU]
        if not near:
            false += 1
            continue
        _, ignored, best = max(near, key=lambda entry: (entry[1], entry[0]))
        if ignored == 0:
            free.remove(best)
            found += 1
    demanded = sum(1 for label in labels if not label["iscrowd"])
    return {"truth_count": demanded, "found_count": found, "false_count": false}


def iou_xywh(a: list[float], b: list[float]) -> float:
    """Intersection over union of two boxes given as left, top, width, height."""
    corners = np.array([a, b], dtype=float)
    corners[:, 2:] += corners[:, :2]
    overlap = np.clip(
        np.minimum(corners[0, 2:], corners[1, 2:]) - np.maximum(corners[0, :2], corners[1, :2]), 0, None
    ).prod()
    union = a[2] * a[3] + b[2] * b[3] - overlap
    return float(overlap / union) if union > 0 else 0.0
