"""The labelled-frame format: writer and reader agree, augmentation keeps labels exact, bad files fail clearly."""

import json
import math

import cv2
import numpy as np
import pytest
import torch
from drawn_scenes import draw, make_boxes_3d, make_camera, write_scenes

from perception.augment import Augmentation, augment, flip
from perception.data import ANNOTATIONS, coco_annotations, is_ignored, read_document, read_documents, read_frames
from perception.detector import SEMANTIC_CLASSES
from perception.lifting import project
from perception.targets import make_batch, make_targets
from sim.types import DETECTED_KINDS, ActorKind, Semantic


def test_one_object_is_written_and_read_as_it_is(tmp_path):
    """A car straight ahead of a level camera: every number is known."""
    camera = make_camera(pitch_rad=0.0)
    boxes = make_boxes_3d([(ActorKind.CAR, 21.6, 0.0, 0.5)])
    _, _, boxes_2d = draw(camera, boxes, np.random.default_rng(0))
    (annotation,) = coco_annotations(camera, boxes_2d, boxes, 0, image_id=7, first_id=3)
    assert (annotation["id"], annotation["image_id"], annotation["category_id"], annotation["actor"]) == (3, 7, 1, 1)
    assert annotation["depth_m"] == pytest.approx(20.0) and annotation["distance_m"] == pytest.approx(21.6)
    np.testing.assert_allclose(annotation["center_camera_m"], [0.0, 0.75, 20.0], atol=1e-5)
    assert annotation["yaw_camera_rad"] == pytest.approx(0.5) and annotation["yaw_ego_rad"] == pytest.approx(0.5)
    assert annotation["size_m"] == pytest.approx([4.4, 1.8, 1.5])
    assert annotation["ignore"] == annotation["iscrowd"] == 0
    x, y, w, h = annotation["bbox"]
    assert x + w / 2 == pytest.approx(160.0, abs=1.5) and y < 102.0 < y + h
    json.dumps(annotation)


def test_labels_survive_the_trip_through_the_folder(tmp_path):
    document = write_scenes(tmp_path, 3)
    frames = read_frames(read_document(tmp_path))
    assert len(frames) == 3 and frames.rgb.shape == (3, 192, 320, 3)
    assert frames.document()["annotations"] == document["annotations"]
    for image, objects, rows in zip(frames.images, frames.objects, frames.annotations, strict=True):
        pose = torch.tensor(image["camera"]["ego_from_camera"])
        center_ego_m = torch.tensor([r["center_camera_m"] for r in rows]) @ pose[:3, :3].T + pose[:3, 3]
        uv, depth_m = project(center_ego_m, make_camera())
        np.testing.assert_allclose(objects.center_px, uv, atol=1e-2)
        np.testing.assert_allclose(objects.depth_m, depth_m, atol=1e-4)
    present = {SEMANTIC_CLASSES[i] for i in np.unique(frames.semantic)}
    assert {Semantic.ROAD, Semantic.SKY, Semantic.CAR} <= present


@pytest.mark.parametrize(
    ("height_px", "occlusion", "truncation", "depth_m", "expected"),
    [
        (6.0, 0.8, 0.8, 0.5, False),
        (5.9, 0, 0, 9, True),
        (9, 0.81, 0, 9, True),
        (9, 0, 0.9, 9, True),
        (9, 0, 0, 0.4, True),
    ],
)
def test_the_ignore_rule(height_px, occlusion, truncation, depth_m, expected):
    assert is_ignored(height_px, occlusion, truncation, depth_m) is expected


def test_a_mirrored_scene_has_the_labels_of_the_mirrored_world():
    """Drawing a mirrored world and mirroring a drawing give the same boxes, centres and angles."""
    camera, rows = make_camera(), [(ActorKind.CAR, 15.0, 4.0, 0.7), (ActorKind.TRUCK, 25.0, -6.0, -2.0)]
    mirrored_rows = [(kind, x, -y, -yaw) for kind, x, y, yaw in rows]
    objects, expected = (_drawn_objects(camera, r) for r in (rows, mirrored_rows))
    blank = np.zeros((192, 320, 3), np.uint8)
    _, _, actual = flip(blank, blank[..., 0], objects)
    np.testing.assert_allclose(actual.center_px, expected.center_px, atol=1e-3)
    np.testing.assert_allclose(actual.box_px, expected.box_px, atol=1.01)
    np.testing.assert_allclose(actual.angle_rad, expected.angle_rad, atol=1e-5)
    np.testing.assert_allclose(actual.depth_m, expected.depth_m, rtol=1e-6)


def _drawn_objects(camera, rows):
    from perception.data import _objects, coco_image

    boxes = make_boxes_3d(rows)
    _, _, boxes_2d = draw(camera, boxes, np.random.default_rng(0))
    return _objects(coco_image(camera, 1, "a.png", 0, "clear"), coco_annotations(camera, boxes_2d, boxes, 0, 1, 1))


@pytest.mark.parametrize("seed", range(6))
def test_augmented_boxes_still_enclose_their_objects(tmp_path, seed):
    """After zoom and mirror the coloured pixels of a lone car fill its box, to a pixel."""
    camera = make_camera()
    objects = _drawn_objects(camera, [(ActorKind.CAR, 14.0, 2.5, 0.4)])
    u0, v0, u1, v1 = objects.box_px[0].astype(int)
    rgb, semantic = np.zeros((192, 320, 3), np.uint8), np.zeros((192, 320), np.uint8)
    rgb[v0:v1, u0:u1], semantic[v0:v1, u0:u1] = 200, 8
    calm = Augmentation(max_zoom=1.6, brightness=0.05, contrast=0.05, tint=0.0)
    center_px = camera.center_px[0].numpy()
    rgb, semantic, changed = augment(rgb, semantic, objects, center_px, np.random.default_rng(seed), calm)
    for mask in (rgb.max(axis=2) > 100, semantic == 8):
        rows, columns = np.nonzero(mask)
        seen = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(seen, changed.box_px[0], atol=1.0)
    zoom = float(objects.depth_m[0] / changed.depth_m[0])
    assert math.isclose((changed.box_px[0, 3] - changed.box_px[0, 1]) / (v1 - v0), zoom, rel_tol=0.05)


def _break(folder, how):
    path = folder / "annotations.json"
    document = json.loads(path.read_text())
    if how == "truncated":
        path.write_text(path.read_text()[:200])
        return
    if how == "missing":
        path.unlink()
        return
    if how == "no list":
        del document["annotations"]
    if how == "no key":
        del document["annotations"][0]["center_camera_m"]
    if how == "kind":
        document["annotations"][0]["category_id"] = 9
    if how == "not finite":
        document["annotations"][0]["bbox"][0] = float("nan")
    if how == "classes":
        document["categories"][0]["name"] = "zebra"
    if how == "traversal":
        document["images"][0]["file_name"] = "../../secret.png"
    if how == "image":
        (folder / "images" / "000000.png").write_bytes(b"not a picture")
    if how == "size":
        cv2.imwrite(str(folder / "semantic" / "000000.png"), np.zeros((5, 5), np.uint8))
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", "annotations.json does not exist; make it with `roadloop render"),
        ("truncated", "not readable JSON"),
        ("no list", "no list 'annotations'"),
        ("no key", "center_camera_m"),
        ("kind", "category_id is outside"),
        ("not finite", "not finite"),
        ("classes", "zebra"),
        ("traversal", "leads out of"),
        ("image", "000000.png is missing or not an image"),
        ("size", r"uint8 of shape \(5, 5\)"),
    ],
)
def test_a_damaged_folder_gives_one_clear_line(tmp_path, how, message):
    write_scenes(tmp_path, 1)
    _break(tmp_path, how)
    with pytest.raises(ValueError, match=message) as error:
        read_frames(read_document(tmp_path))
    assert "\n" not in str(error.value)


def test_several_folders_read_as_one_and_ids_count_through(tmp_path):
    for name, seed in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        write_scenes(tmp_path / name, 2, objects=seed)
    joined = read_documents([tmp_path / "a", tmp_path / "b"])
    assert [image["id"] for image in joined["images"]] == [1, 2, 3, 4]
    assert len({entry["id"] for entry in joined["annotations"]}) == len(joined["annotations"])
    apart = [read_frames(read_document(tmp_path / name)) for name in ("a", "b")]
    together = read_frames(joined)
    assert np.array_equal(together.rgb, np.concatenate([frames.rgb for frames in apart]))
    boxes = [objects.box_px.tolist() for frames in apart for objects in frames.objects]
    assert [objects.box_px.tolist() for objects in together.objects] == boxes


def test_two_wheelers_are_written_but_are_no_targets(tmp_path):
    """A cyclist keeps its own category; training neither asks for it nor blames the detector for finding it."""
    document = write_scenes(tmp_path, 1, objects=1)
    row = document["annotations"][0] | {"category_id": ActorKind.BICYCLE + 1, "bbox": [100.0, 60.0, 40.0, 60.0]}
    document["annotations"] = [row | {"ignore": 0, "iscrowd": 0}]
    (tmp_path / ANNOTATIONS).write_text(json.dumps(document))
    frames = read_frames(read_document(tmp_path))
    assert frames.objects[0].ignore.tolist() == [True] and frames.objects[0].kind.tolist() == [ActorKind.BICYCLE]
    targets = make_targets(make_batch(frames, np.arange(1), None, Augmentation()))
    assert targets.heat.shape[1] == len(DETECTED_KINDS) and not targets.heat.any() and len(targets.cell) == 0
    assert not targets.demanded[0, 0, 15:30, 25:35].any() and targets.demanded[0, 0, :15].all()


def test_folders_without_two_wheelers_are_still_read(tmp_path):
    document = write_scenes(tmp_path, 1)
    document["categories"] = document["categories"][: len(DETECTED_KINDS)]
    (tmp_path / ANNOTATIONS).write_text(json.dumps(document))
    assert len(read_frames(read_document(tmp_path))) == 1
