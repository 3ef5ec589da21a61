"""Matching of detections to labels on hand-made boxes."""

import pytest

from pipelines.detection_log import iou_xywh, match_counts


def label(bbox, category=1, crowd=0):
    return {"bbox": bbox, "category_id": category, "iscrowd": crowd}


def found(bbox, score=0.9, category=1):
    return {"bbox": bbox, "score": score, "category_id": category}


def test_iou_of_half_shifted_boxes_is_a_third():
    assert iou_xywh([0, 0, 10, 10], [5, 0, 10, 10]) == pytest.approx(1 / 3)
    assert iou_xywh([0, 0, 10, 10], [20, 0, 10, 10]) == 0.0


def test_two_detections_of_one_object_are_one_hit_and_one_false_alarm():
    counts = match_counts([label([0, 0, 10, 10])], [found([0, 0, 10, 10]), found([1, 0, 10, 10], 0.5)])
    assert counts == {"truth_count": 1, "found_count": 1, "false_count": 1}


def test_other_kind_does_not_count():
    counts = match_counts([label([0, 0, 10, 10], 2)], [found([0, 0, 10, 10])])
    assert counts == {"truth_count": 1, "found_count": 0, "false_count": 1}


def test_ignored_objects_are_neither_demanded_nor_forbidden():
    labels = [label([0, 0, 10, 10], crowd=1)]
    assert match_counts(labels, [found([0, 0, 10, 10])] * 2) == {"truth_count": 0, "found_count": 0, "false_count": 0}


def test_a_demanded_object_goes_before_an_ignored_one():
    labels = [label([0, 0, 10, 10], crowd=1), label([1, 0, 10, 10])]
    assert match_counts(labels, [found([0, 0, 10, 10])])["found_count"] == 1
