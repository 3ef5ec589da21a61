"""Datasets on disk: every layout read back by an independent reader, plans balanced, loaders and statistics true."""

import json
import math
import tarfile
from collections import Counter

import cv2
import numpy as np
import pytest
import torch
from pycocotools.coco import COCO
from torch.utils.data import DataLoader
from torchvision.datasets import Kitti

from configs.schema import Experiment
from perception.loaders import FolderDataset, ShardDataset
from pipelines.datasets.nuscenes import quaternion
from pipelines.datasets.plan import plan_batches
from pipelines.render_job import render_scenes
from sim.types import ActorKind

SCENES, FRAMES = 6, 2


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    """One small job that writes every layout."""
    folder = tmp_path_factory.mktemp("dataset")
    experiment = Experiment.model_validate(
        {
            "road": {"kind": "town", "pool": 2},
            "sim": {"actors": 24, "pedestrians": 6},
            "camera": {"width_px": 192, "height_px": 108, "supersample": 1},
            "render": {"scenes": SCENES, "batch": 3, "settle_s": 0.5, "frames": FRAMES}
            | {"format": ["coco", "kitti", "nuscenes", "webdataset"]},
        }
    )
    render_scenes(experiment, folder, lambda done, total: None)
    return folder


def document(folder):
    return json.loads((folder / "annotations.json").read_text())


def test_pycocotools_reads_boxes_and_masks_that_agree_with_the_instance_images(dataset):
    coco = COCO(str(dataset / "annotations.json"))
    assert len(coco.imgs) == SCENES * FRAMES
    assert len(coco.anns) > 20
    for entry in coco.anns.values():
        image = coco.imgs[entry["image_id"]]
        instance = cv2.imread(str(dataset / "instance" / image["file_name"]), cv2.IMREAD_UNCHANGED)
        mask = coco.annToMask(entry).astype(bool)
        assert (mask == (instance == entry["actor"] + 1)).all()
        rows, columns = np.nonzero(mask)
        left, top, wide, high = entry["bbox"]
        assert (left, top) == (columns.min(), rows.min())
        assert (left + wide, top + high) == (columns.max() + 1, rows.max() + 1)
        assert entry["area"] == mask.sum()


def test_folders_hold_the_same_stems(dataset):
    stems = [{path.stem for path in (dataset / name).iterdir()} for name in ("images", "semantic", "instance", "depth")]
    assert len(stems[0]) == SCENES * FRAMES
    assert all(s == stems[0] for s in stems)
    assert not list(dataset.rglob(".*.part*"))


def test_torchvision_reads_kitti_and_its_boxes_project_onto_the_image(dataset):
    frames = Kitti(str(dataset), train=True)
    images = {image["file_name"]: image for image in document(dataset)["images"]}
    assert len(frames) == SCENES * FRAMES
    seen = 0
    for index in range(len(frames)):
        _, objects = frames[index]
        stem = (dataset / "Kitti/raw/training/calib" / f"{sorted(images)[index][:-4]}.txt").read_text()
        rows = {line.split(":")[0]: np.array(line.split()[1:], float) for line in stem.splitlines()}
        projection = rows["P2"].reshape(3, 4)
        for entry in objects or []:
            x, y, z = entry["location"]
            if entry["occluded"] or entry["truncated"] > 0 or z < 5.0:
                continue
            height = entry["dimensions"][0]
            u, v, w = projection @ [x, y - 0.5 * height, z, 1.0]  # the middle, as y points down
            left, top, right, bottom = entry["bbox"]
            assert left - 3 <= u / w <= right + 3
            assert top - 3 <= v / w <= bottom + 3
            seen += 1
    assert seen > 5


def test_kitti_yaw_and_alpha_are_of_the_same_heading(dataset):
    annotations = document(dataset)["annotations"]
    labels = sorted((dataset / "Kitti/raw/training/label_2").iterdir())
    lines = [line.split() for path in labels for line in path.read_text().splitlines()]
    assert len(lines) == len(annotations)
    for line in lines:
        x, z, yaw, alpha = float(line[11]), float(line[13]), float(line[14]), float(line[3])
        assert abs(math.remainder(yaw - math.atan2(x, z) - alpha, math.tau)) < 0.02


def test_nuscenes_tables_refer_to_rows_that_exist_and_place_boxes_in_the_world(dataset):
    tables = {p.stem: {r["token"]: r for r in json.loads(p.read_text())} for p in (dataset / "v1.0-roadloop").iterdir()}
    for name, rows in tables.items():
        for row in rows.values():
            for key, value in row.items():
                table = key.removesuffix("_token")
                table = {"first_sample": "sample", "last_sample": "sample"}.get(table, table)
                table = {"first_annotation": "sample_annotation", "last_annotation": "sample_annotation"}.get(
                    table, table
                )
                if key.endswith("_token"):
                    assert value in tables[table], (name, key)
                if key in ("prev", "next") and value:
                    back = "next" if key == "prev" else "prev"
                    assert rows[value][back] == row["token"]
    assert len(tables["scene"]) == SCENES
    assert len(tables["sample"]) == SCENES * FRAMES
    assert sum(row["nbr_annotations"] for row in tables["instance"].values()) == len(tables["sample_annotation"])
    for row in tables["sample_data"].values():
        assert (dataset / row["filename"]).is_file()
    of_stem = {image["file_name"][:-4]: image for image in document(dataset)["images"]}
    poses = {
        data["sample_token"]: of_stem[data["filename"].split("/")[-1][:-4]] for data in tables["sample_data"].values()
    }
    for row in tables["sample_annotation"].values():
        image = poses[row["sample_token"]]
        entry = next(
            e
            for e in document(dataset)["annotations"]
            if e["image_id"] == image["id"]
            and np.allclose(np.array(image["world_from_ego"]) @ np.array(image["camera"]["ego_from_camera"])
                            @ [*e["center_camera_m"], 1.0], [*row["translation"], 1.0], atol=1e-6)
        )  # fmt: skip
        assert row["size"] == [entry["size_m"][1], entry["size_m"][0], entry["size_m"][2]]


def test_quaternions_turn_as_their_matrices():
    rng = np.random.default_rng(0)
    for _ in range(50):
        matrix, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        matrix *= np.sign(np.linalg.det(matrix))
        w, x, y, z = quaternion(matrix)
        vector = rng.normal(size=3)
        axis = np.array([x, y, z])
        turned = vector + 2.0 * np.cross(axis, np.cross(axis, vector) + w * vector)
        assert np.allclose(turned, matrix @ vector, atol=1e-9)


def test_loaders_of_folders_and_shards_give_the_same_frames(dataset):
    folder, shards = FolderDataset(dataset), list(ShardDataset(dataset))
    assert len(folder) == len(shards) == SCENES * FRAMES
    of_sum = {float(image.sum()): target for image, target in shards}
    for image, target in folder:
        other = of_sum[float(image.sum())]
        for key in ("boxes", "labels", "semantic", "instance", "depth_m"):
            assert torch.equal(target[key], other[key])
        sky = target["semantic"] == 23
        assert torch.isinf(target["depth_m"][sky]).all()
        assert (target["depth_m"][~sky] > 0).all()
    streamed = DataLoader(ShardDataset(dataset), batch_size=None, num_workers=2)
    assert sorted(float(image.sum()) for image, _ in streamed) == sorted(of_sum)


def test_shards_hold_every_frame_once(dataset):
    counts: Counter[str] = Counter()
    for path in (dataset / "shards").glob("*.tar"):
        with tarfile.open(path) as tar:
            counts.update(name.partition(".")[0] for name in tar.getnames())
    assert len(counts) == SCENES * FRAMES
    assert set(counts.values()) == {5}
    index = json.loads((dataset / "shards/index.json").read_text())
    assert sum(shard["frames"] for shard in index["shardlist"]) == SCENES * FRAMES


def test_statistics_count_what_the_annotations_hold(dataset):
    statistics, annotations = json.loads((dataset / "statistics.json").read_text()), document(dataset)["annotations"]
    kinds = Counter(ActorKind(a["category_id"] - 1).name.lower() for a in annotations)
    assert statistics["counts"]["objects by kind"] == kinds
    assert statistics["objects"] == len(annotations) == np.sum(statistics["where"])
    assert sum(statistics["pixels"].values()) == SCENES * FRAMES * 192 * 108
    sheet = cv2.imread(str(dataset / "contact.jpg"))
    assert sheet.shape[1] > 2 * 240
    assert "contact_labels.jpg" in (dataset / "index.html").read_text()


def test_a_plan_gives_every_combination_its_share_and_no_seed_twice():
    plan = {"weather": ["clear", "fog", "dusk"], "road.kind": ["town", "rural"], "sim.actors": [4, 9]}
    tree = {"road": {"pool": 5}, "render": {"scenes": 125, "batch": 4, "plan": plan}}
    batches = plan_batches(Experiment.model_validate(tree))
    cells = Counter(tuple(batch.cell.values()) for batch in batches for _ in batch.scenes)
    assert len(cells) == 12
    assert set(cells.values()) <= {10, 11}
    assert sorted(n for batch in batches for n in batch.scenes) == list(range(125))
    seeds = [(batch.experiment.road.kind, seed) for batch in batches for seed in batch.seeds]
    assert len(set(seeds)) == 125
    for batch in batches:
        assert batch.experiment.sim.actors == batch.cell["sim.actors"]
        assert len({seed % 5 for seed in batch.seeds}) == 1  # one map
        assert len(batch.scenes) <= 4


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        ({"sim.actor": [3]}, "no setting 'sim.actor'"),
        ({"sim.actors": [0]}, "sim.actors = 0"),
        ({"weather": ["sunny"]}, "weather"),
    ],
)
def test_a_wrong_plan_is_refused_by_name(plan, told):
    tree = {"render": {"plan": plan}}
    with pytest.raises(ValueError, match=told):
        plan_batches(Experiment.model_validate(tree))
