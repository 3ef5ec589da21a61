"""Labels that datasets carry when asked to: read back, they agree with each other, whatever the weather."""

import json
import tarfile
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from pycocotools.coco import COCO

from configs.schema import Experiment
from perception.loaders import FolderDataset, ShardDataset
from pipelines.datasets.frames import draw_frames
from pipelines.render_job import render_scenes

ALL = ["normals", "flow", "keypoints", "lanes", "panoptic", "signs"]
SCENES, FRAMES = 3, 2
TREE = {
    "road": {"kind": "town", "pool": 1},
    "sim": {"actors": 40, "pedestrians": 28},
    "camera": {"width_px": 192, "height_px": 108, "supersample": 1},
}
RENDER = {"scenes": SCENES, "batch": 3, "settle_s": 2.0, "frames": FRAMES, "interval_s": 0.1, "labels": ALL}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    tree = TREE | {"render": RENDER | {"format": ["coco", "webdataset", "kitti", "nuscenes"]}}
    render_scenes(Experiment.model_validate(tree), folder, lambda done, total, **figures: None)
    return folder


def read(folder, name, image) -> np.ndarray:
    content = cv2.imread(str(folder / name / image["file_name"]), cv2.IMREAD_UNCHANGED)
    assert content is not None
    return content[..., ::-1] if content.ndim == 3 else content


def images(folder):
    return json.loads((folder / "annotations.json").read_text())["images"]


def test_panoptic_ids_are_class_and_actor_and_their_table_is_of_the_image(dataset):
    document = json.loads((dataset / "panoptic.json").read_text())
    of_image = {row["image_id"]: row for row in document["annotations"]}
    known = {c["id"] for c in document["categories"]}
    assert len(of_image) == len(document["images"]) == SCENES * FRAMES
    for image in document["images"]:
        rgb = read(dataset, "panoptic", image).astype(int)
        ids, row = rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2], of_image[image["id"]]
        semantic, instance = read(dataset, "semantic", image), read(dataset, "instance", image).astype(int)
        assert (np.where(ids >= 1000, ids // 1000, ids) == semantic).all()
        assert (ids[instance > 0] % 1000 == instance[instance > 0] - 1).all()
        assert {s["id"] for s in row["segments_info"]} == set(np.unique(ids).tolist())
        for segment in row["segments_info"]:
            rows, columns = np.nonzero(ids == segment["id"])
            assert segment["area"] == len(rows) and segment["category_id"] in known
            left, top, wide, high = segment["bbox"]
            assert (left, top, left + wide, top + high) == (
                columns.min(), rows.min(), columns.max() + 1, rows.max() + 1,
            )  # fmt: skip


def test_pycocotools_reads_joints_that_lie_in_or_near_their_person(dataset):
    coco = COCO(str(dataset / "annotations.json"))
    person: dict[str, Any] = coco.loadCats(coco.getCatIds(catNms=["pedestrian"]))[0]  # type: ignore[assignment]
    assert len(person["keypoints"]) == 17 and person["keypoints"][0] == "nose"
    people: list[Any] = coco.loadAnns(coco.getAnnIds(catIds=[person["id"]]))
    assert people
    for entry in people:
        joints = np.array(entry["keypoints"]).reshape(17, 3)
        assert entry["num_keypoints"] == (joints[:, 2] > 0).sum() and entry["sex"] in ("female", "male")
        assert entry["age"] in ("child", "adult", "old") and len(entry["joints_camera_m"]) == 17
        assert (joints[joints[:, 2] == 0] == 0).all()
        told = entry["attributes"]
        assert told["legs"] in ("trousers", "shorts", "skirt") and told["pack"] in ("none", "backpack", "bag")
        assert told["walks"] or np.hypot(*entry["velocity_ego_mps"][:2]) < 0.5
        x, y, wide, high = entry["amodal_bbox"]
        inside = joints[joints[:, 2] > 0, :2]
        assert (inside >= (x - 2, y - 2)).all() and (inside <= (x + wide + 2, y + high + 2)).all()
    assert all("keypoints" not in a for a in coco.anns.values() if a["category_id"] != person["id"])


def test_flow_and_depth_agree_on_what_stands_still(dataset):
    """A point of the static scene, moved by the ego's poses and projected before, is where its flow leads."""
    rows = images(dataset)
    of_scene = {(image["scene"], image["frame"]): image for image in rows}
    tested = 0
    for (scene, frame), image in of_scene.items():
        flow = read(dataset, "flow", image).astype(float)
        if frame == 0:
            assert (flow == 0).all()
            continue
        before = of_scene[scene, frame - 1]
        units = read(dataset, "depth", image)
        kept = (units > 0) & (read(dataset, "instance", image) == 0) & (flow[..., 2] == 1) & (units < 60 * 256)
        v, u = np.nonzero(kept)
        camera, depth = image["camera"], units[kept] / 256.0
        focal, center, mount = camera["focal_px"], np.array(camera["center_px"]), np.array(camera["ego_from_camera"])
        here = np.column_stack([(np.column_stack([u, v]) + 0.5 - center) / focal, np.ones(len(u))]) * depth[:, None]
        world = np.array(image["world_from_ego"]) @ mount @ np.column_stack([here, np.ones(len(u))]).T
        there = np.linalg.inv(np.array(before["world_from_ego"]) @ mount) @ world
        want = (there[:2] / there[2] * focal).T + center
        got = np.column_stack([u, v]) + 0.5 + (flow[kept][:, :2] - 2**15) / 64.0
        error = np.abs(want - got).max(axis=1)[there[2] > 1.0]
        assert len(error) > 2000 and np.quantile(error, 0.999) < 0.5
        tested += 1
    assert tested == SCENES


def test_normals_are_unit_and_look_back_at_the_camera(dataset):
    for image in images(dataset):
        normal = read(dataset, "normals", image) / 127.5 - 1.0
        sky = read(dataset, "semantic", image) == 23
        assert (read(dataset, "normals", image)[sky] == 128).all()
        assert np.abs(np.linalg.norm(normal[~sky], axis=-1) - 1.0).max() < 0.02


def test_lanes_lie_on_the_road_and_shards_hold_the_same_files(dataset):
    members = {}
    for path in (dataset / "shards").glob("*.tar"):
        with tarfile.open(path) as tar:
            members |= {m.name: file.read() for m in tar if (file := tar.extractfile(m))}
    for image in images(dataset):
        stem = image["file_name"][:-4]
        lanes, semantic = read(dataset, "lanes", image), read(dataset, "semantic", image)
        assert (semantic[lanes > 0] == 7).all() and (lanes & 1).any()
        assert ((lanes & 2) > 0)[(semantic == 7)].any() and read(dataset, "bev", image).shape == (200, 200)
        for name in ("normals", "flow", "panoptic", "lanes", "bev"):
            assert members[f"{stem}.{name}.png"] == (dataset / name / f"{stem}.png").read_bytes()
        assert members[f"{stem}.lanes.json"] == (dataset / "lanes" / f"{stem}.json").read_bytes()
        record = json.loads(members[f"{stem}.json"])
        assert record["segments_info"] and "signs" in record
        for line in json.loads(members[f"{stem}.lanes.json"])["lines"]:
            assert len(line["xyz_ego_m"]) == len(line["uv_px"]) == len(line["visible"])


def test_signs_are_listed_with_their_state(dataset):
    document = json.loads((dataset / "annotations.json").read_text())
    of_id = {image["id"]: image for image in document["images"]}
    assert document["signs"] and len({s["id"] for s in document["signs"]}) == len(document["signs"])
    for sign in document["signs"]:
        semantic = read(dataset, "semantic", of_id[sign["image_id"]])
        left, top, wide, high = (int(n) for n in sign["bbox"])
        label = {"traffic_light": 19, "traffic_sign": 20}[sign["category"]]
        assert (semantic[top : top + high, left : left + wide] == label).sum() >= sign["visible_pixels"] > 0
        assert (sign["state"] in ("red", "yellow", "green")) == (label == 19)


def test_labels_do_not_see_weather_paint_or_sensor():
    def frames(**changed):
        tree = TREE | changed | {"render": RENDER | {"frames": 1, "scenes": 1}}
        return next(iter(draw_frames(Experiment.model_validate(tree), [0], [3], {})))

    first = frames()
    other = frames(weather="night_rain", sensor="dashcam", appearance="gan")
    assert (first.rgb != other.rgb).mean() > 0.5
    for name in ("semantic", "instance", "depth_m"):
        assert np.array_equal(getattr(first, name), getattr(other, name)), name
    for name, value in vars(first.labels).items():
        same = getattr(other.labels, name)
        assert np.array_equal(value, same) if isinstance(value, np.ndarray) else value == same, name
    assert first.annotations == other.annotations


def test_loaders_give_the_labels_of_files_and_shards(dataset):
    folder = FolderDataset(dataset)
    streamed = {float(image.sum()): target for image, target in ShardDataset(dataset)}
    rows = images(dataset)
    people = 0
    for number, row in enumerate(rows):
        image, target = folder[number]
        other = streamed[float(image.sum())]
        assert {key for key in target if key != "image_id"} == {key for key in other if key != "image_id"}
        for key in ("normal_camera", "flow_px", "flow_valid", "panoptic", "road", "bird"):
            assert torch.equal(target[key], other[key]), key
        norm = target["normal_camera"].norm(dim=-1)
        sky = target["semantic"] == 23
        assert (norm[sky] == 0).all() and ((norm[~sky] - 1.0).abs() < 0.02).all()
        assert target["flow_valid"].any() == (row["frame"] > 0)
        ids = target["panoptic"].numpy()
        assert (np.where(ids >= 1000, ids // 1000, ids) == target["semantic"].numpy()).all()
        assert {segment["id"] for segment in target["segments_info"]} == set(np.unique(ids).tolist())
        assert len(target["signs"]) == len(other["signs"])
        for line, same in zip(target["lines"], other["lines"], strict=True):
            assert torch.equal(line["xyz_ego_m"], same["xyz_ego_m"]) and line["visible"].dtype == torch.bool
            assert len(line["uv_px"]) == len(line["visible"]) == len(line["xyz_ego_m"])
        assert target["keypoints"].shape == (len(target["boxes"]), 17, 3)
        assert torch.equal(target["is_person"], target["labels"] == 4)
        assert (target["keypoints"][~target["is_person"]] == 0).all() and (target["age"] <= 2).all()
        people += int(target["is_person"].sum())
    document = json.loads((dataset / "annotations.json").read_text())
    told = [entry for entry in document["annotations"] if "keypoints" in entry]
    assert people == len(told) > 0
    assert sum(len(folder[number][1]["signs"]) for number in range(len(rows))) == len(document["signs"])
