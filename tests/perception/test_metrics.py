"""Scores against closed-form cases and against pycocotools."""

import numpy as np
import pytest
from hotcoco import COCO as HotCoco
from hotcoco import COCOeval as HotEval
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from perception.data import coco_document
from perception.metrics import by_distance, evaluate_detections, lifting_errors, run_coco


def image_entry(image_id, weather="clear"):
    camera = {"focal_px": 160.0, "center_px": [160.0, 96.0], "ego_from_camera": np.eye(4).tolist()}
    return {"id": image_id, "width": 320, "height": 192, "weather": weather, "world_seed": image_id, "camera": camera}


def truth_entry(annotation_id, image_id, bbox, category=1, distance_m=15.0, crowd=0):
    return {
        "id": annotation_id,
        "image_id": image_id,
        "category_id": category,
        "bbox": bbox,
        "area": bbox[2] * bbox[3],
        "iscrowd": crowd,
        "ignore": crowd,
        "distance_m": distance_m,
        "depth_m": distance_m,
        "center_camera_m": [0.0, 0.0, distance_m],
        "size_m": [4.0, 1.8, 1.5],
        "yaw_ego_rad": 0.1,
    }


def found_entry(image_id, bbox, score, category=1, distance_m=15.0):
    return {"image_id": image_id, "category_id": category, "bbox": bbox, "score": score, "distance_m": distance_m}


def random_case(seed, images=20):
    """Objects with jittered, missed and invented detections, in every distance bin, some ignored."""
    random = np.random.default_rng(seed)
    annotations, found = [], []
    for image_id in range(1, images + 1):
        for _ in range(random.integers(0, 8)):
            bbox = [*random.uniform(0, 200, 2), *random.uniform(6, 80, 2)]
            category, distance_m = int(random.integers(1, 4)), float(random.uniform(2, 70))
            crowd = int(random.random() < 0.2)
            annotations.append(truth_entry(len(annotations) + 1, image_id, bbox, category, distance_m, crowd))
            if random.random() < 0.7:
                jittered = (np.array(bbox) * random.uniform(0.85, 1.15, 4)).tolist()
                guess_m = distance_m * float(random.uniform(0.8, 1.2))
                found.append(found_entry(image_id, jittered, float(random.random()), category, guess_m))
            if random.random() < 0.4:
                other = [*random.uniform(0, 200, 2), *random.uniform(6, 80, 2)]
                found.append(found_entry(image_id, other, float(random.random()) * 0.5, category, distance_m))
    weathers = ("clear", "fog")
    document = coco_document([image_entry(i, weathers[i % 2]) for i in range(1, images + 1)], annotations)
    return document, found


@pytest.mark.parametrize("seed", range(5))
def test_hotcoco_agrees_with_pycocotools(seed, capsys):
    truth, found = random_case(seed)
    documents = by_distance(truth, found)
    image_ids = [image["id"] for image in truth["images"]]
    references = []
    for document in documents:
        reference = COCO()
        reference.dataset = document
        reference.createIndex()
        references.append(reference)
    expected = run_coco(*references, COCOeval, image_ids).eval["precision"]
    actual = run_coco(HotCoco(documents[0]), HotCoco(documents[1]), HotEval, image_ids).eval["precision"]
    assert expected.max() > 0.3
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-12)


def test_scores_of_a_case_worked_out_by_hand():
    """Two cars, the best detection right, the next wrong, the last right: AP = (1 + 2/3) / 2 on 101 points."""
    truth = coco_document(
        [image_entry(1), image_entry(2, "fog")],
        [
            truth_entry(1, 1, [10, 10, 40, 30]),
            truth_entry(2, 2, [100, 50, 20, 20], distance_m=30.0),
            truth_entry(3, 2, [200, 50, 30, 20], crowd=1),
        ],
    )
    found = [
        found_entry(1, [10, 10, 40, 30], 0.9),
        found_entry(1, [200, 100, 40, 30], 0.8),
        found_entry(2, [101, 50, 20, 20], 0.7, distance_m=28.0),
        found_entry(2, [201, 50, 30, 20], 0.95),
    ]
    scores = evaluate_detections(truth, found)
    assert scores.ap50_by_kind["car"] == pytest.approx((51 * 1.0 + 50 * 2 / 3) / 101)
    assert scores.map50 == scores.ap50_by_kind["car"]
    # The wrong one claims 15 m, below the right one there; the bin of the far car does not see it.
    assert scores.map50_by_distance_m == {"0-20": pytest.approx(1.0), "20-40": pytest.approx(1.0), "40-60": None}
    assert scores.map50_by_weather == {"clear": pytest.approx(1.0), "fog": pytest.approx(1.0)}
    assert scores.objects == {"car": 2, "truck": 0, "bus": 0, "pedestrian": 0}


def test_what_cannot_be_scored_is_missing_and_what_is_not_found_scores_zero():
    truth = coco_document([image_entry(1)], [truth_entry(1, 1, [10, 10, 40, 30], category=4)])
    scores = evaluate_detections(truth, [])
    assert scores.ap50_by_kind == {"car": None, "truck": None, "bus": None, "pedestrian": 0.0}
    assert evaluate_detections(coco_document([image_entry(1)], []), []).map50 is None


def test_a_cyclist_is_neither_demanded_nor_forbidden():
    """Taking a bicycle for a person, or a car, costs nothing; the same box where nothing is does."""
    rider, car = [100, 50, 20, 40], [10, 10, 40, 30]
    rows = [truth_entry(1, 1, car), truth_entry(2, 1, car, category=4), truth_entry(3, 1, rider, category=5)]
    right = [found_entry(1, car, 0.5), found_entry(1, car, 0.5, category=4)]
    taken = [found_entry(1, rider, 0.9), found_entry(1, rider, 0.9, category=4)]
    with_rider = evaluate_detections(coco_document([image_entry(1)], rows), right + taken)
    without = evaluate_detections(coco_document([image_entry(1)], rows[:2]), right + taken)
    assert with_rider.ap50_by_kind["car"] == with_rider.ap50_by_kind["pedestrian"] == pytest.approx(1.0)
    assert without.map50 == pytest.approx(0.5)
    assert with_rider.objects == {"car": 1, "truck": 0, "bus": 0, "pedestrian": 1}


def test_detections_of_unknown_images_are_refused():
    with pytest.raises(ValueError, match=r"does not have: \[7\]"):
        evaluate_detections(coco_document([image_entry(1)], []), [found_entry(7, [0, 0, 9, 9], 0.5)])


def test_lifting_errors_of_one_object():
    truth = coco_document([image_entry(1)], [truth_entry(1, 1, [10, 10, 40, 30], distance_m=20.0)])
    estimate = {"depth_m": 22.0, "center_ego_m": [3.0, 0.0, 24.0], "size_m": [5.0, 1.8, 1.5], "yaw_ego_rad": 0.3}
    errors = lifting_errors(truth, [found_entry(1, [10, 10, 40, 30], 0.9) | estimate])
    assert (errors.matched, errors.depth_relative, errors.center_m) == (1, pytest.approx(0.1), pytest.approx(5.0))
    assert (errors.yaw_rad, errors.length_relative) == (pytest.approx(0.2), pytest.approx(0.25))
    assert lifting_errors(truth, []).depth_relative is None
