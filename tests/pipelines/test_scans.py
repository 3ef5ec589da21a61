"""Scans of lidar and radar in every layout of a dataset, read back from its files."""

import json

import cv2
import numpy as np
import pytest
import torch

from configs.schema import Experiment
from perception.loaders import FolderDataset, ShardDataset
from pipelines.config_io import load_experiment
from pipelines.render_job import render_scenes
from sim.types import Semantic

SCENES = 3


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    tree = {
        "road": {"kind": "town", "pool": 1},
        "weather": {"like": "fog", "visibility_m": 150.0},
        "sim": {"actors": 24, "pedestrians": 6, "trucks": 0.12, "buses": 0.13},
        "camera": {"width_px": 192, "height_px": 108, "supersample": 1, "pitch_deg": 0.0},
        "lidar": {"like": "hdl32", "azimuths": 900},
        "radar": {},
        "render": {"scenes": SCENES, "batch": 3, "settle_s": 0.5}
        | {"format": ["coco", "kitti", "nuscenes", "webdataset"]},
    }
    render_scenes(Experiment.model_validate(tree), folder, lambda done, total: None)
    return folder


def images(dataset):
    return json.loads((dataset / "annotations.json").read_text())["images"]


def kept(dataset, image, name):
    with np.load(dataset / name / image[name], allow_pickle=False) as rows:
        return {key: rows[key] for key in rows.files}


def test_every_layout_holds_the_same_points(dataset):
    for image in images(dataset):
        rows, stem = kept(dataset, image, "lidar"), image["file_name"][:-4]
        pose = np.array(image["ego_from_lidar"])
        bins = np.fromfile(dataset / f"Kitti/raw/training/velodyne/{stem}.bin", "<f4").reshape(-1, 4)
        sweep = np.fromfile(dataset / f"samples/LIDAR_TOP/{stem}.pcd.bin", "<f4").reshape(-1, 5)
        assert len(rows["xyz_ego_m"]) > 10_000
        for points in (bins, sweep):
            assert np.abs(points[:, :3] @ pose[:3, :3].T + pose[:3, 3] - rows["xyz_ego_m"]).max() < 1e-4
        assert (bins[:, 3] == rows["intensity"]).all() and rows["intensity"].max() <= 1.0
        assert (sweep[:, 4] == rows["ring"]).all() and rows["ring"].max() == 31


def test_kitti_projects_points_onto_what_they_are_labelled_as(dataset):
    """Solid points that fall onto the image lie on pixels of their own class, but at edges and behind them."""
    agree = total = 0
    for image in images(dataset):
        stem = image["file_name"][:-4]
        text = (dataset / f"Kitti/raw/training/calib/{stem}.txt").read_text()
        calib = {line.split(":")[0]: np.array(line.split()[1:], float) for line in text.splitlines()}
        points = np.fromfile(dataset / f"Kitti/raw/training/velodyne/{stem}.bin", "<f4").reshape(-1, 4)
        rows = kept(dataset, image, "lidar")
        camera = np.column_stack([points[:, :3], np.ones(len(points))]) @ calib["Tr_velo_to_cam"].reshape(3, 4).T
        uvw = camera @ calib["P2"].reshape(3, 4)[:, :3].T
        u, v = (uvw[:, :2] / uvw[:, 2:]).T
        depth = cv2.imread(str(dataset / "depth" / f"{stem}.png"), cv2.IMREAD_UNCHANGED) / 256.0
        semantic = cv2.imread(str(dataset / "semantic" / f"{stem}.png"), cv2.IMREAD_UNCHANGED)
        seen = (camera[:, 2] > 1.0) & (u >= 0) & (u < 192) & (v >= 0) & (v < 108) & ~rows["from_air"]
        at = v[seen].astype(int), u[seen].astype(int)
        near = np.abs(depth[at] - camera[seen, 2]) < 0.3
        total += near.sum()
        agree += (semantic[at] == rows["semantic"][seen])[near].sum()
        assert near.mean() > 0.7
    assert total > 1000
    assert agree > 0.95 * total


def test_nuscenes_counts_the_points_in_its_boxes(dataset):
    tables = {p.stem: json.loads(p.read_text()) for p in (dataset / "v1.0-roadloop").iterdir()}
    channel = {row["token"]: row["channel"] for row in tables["sensor"]}
    assert channel[next(r["sensor_token"] for r in tables["calibrated_sensor"] if not r["camera_intrinsic"])]
    sensors = {row["token"]: channel[row["sensor_token"]] for row in tables["calibrated_sensor"]}
    poses = {row["token"]: row for row in tables["ego_pose"]}
    scans = [row for row in tables["sample_data"] if sensors[row["calibrated_sensor_token"]] == "LIDAR_TOP"]
    assert len(scans) == SCENES == len({row["sample_token"] for row in scans})
    filled = 0
    for scan in scans:
        points = np.fromfile(dataset / scan["filename"], "<f4").reshape(-1, 5)[:, :3]
        mount = next(r for r in tables["calibrated_sensor"] if r["token"] == scan["calibrated_sensor_token"])
        pose = poses[scan["ego_pose_token"]]
        world = turned(points + np.array(mount["translation"]), pose["rotation"]) + pose["translation"]
        for row in tables["sample_annotation"]:
            if row["sample_token"] == scan["sample_token"]:
                w, x, y, z = row["rotation"]
                local = turned(world - row["translation"], [w, -x, -y, -z])
                width, length, height = row["size"]
                inside = (np.abs(local) <= 0.5 * np.array([length, width, height]) + 1e-3).all(axis=1).sum()
                assert abs(int(inside) - row["num_lidar_pts"]) <= 2 + 0.02 * inside
                filled += row["num_lidar_pts"] > 5
    assert filled > 3
    assert sum(row["num_radar_pts"] for row in tables["sample_annotation"]) > 0


def test_radar_files_read_as_nuscenes_reads_them(dataset):
    """Header and records as its `RadarPointCloud.from_file` wants them; what stands still has no speed over ground."""
    for image in images(dataset):
        rows, pose = kept(dataset, image, "radar"), np.array(image["ego_from_radar"])
        content = (dataset / f"samples/RADAR_FRONT/{image['file_name'][:-4]}.pcd").read_bytes()
        head, data = content.split(b"DATA binary\n", 1)
        lines = head.decode().splitlines()
        assert lines[0].startswith("#") and lines[1] == "VERSION 0.7"
        names, sizes, kinds = (line.split()[1:] for line in lines[2:5])
        assert len(names) == len(sizes) == len(kinds) == 18
        assert lines[6] == f"WIDTH {len(rows['range_m'])}" and lines[7] == "HEIGHT 1"
        code = {("F", "4"): "<f4", ("I", "1"): "<i1", ("I", "2"): "<i2"}
        record = np.dtype([(n, code[k, s]) for n, s, k in zip(names, sizes, kinds, strict=True)])
        points = np.frombuffer(data, record)
        xy = np.column_stack([points["x"], points["y"]]) @ pose[:2, :2].T + pose[:2, 3]
        assert np.abs(xy - rows["xy_ego_m"]).max() < 1e-3
        still = np.hypot(points["vx_comp"], points["vy_comp"])
        assert np.abs(still[rows["instance"] == 0]).max() < 0.5
        assert np.abs(np.abs(rows["still_mps"]) - still).max() < 1e-4


def turned(points, quaternion):
    w, axis = quaternion[0], np.array(quaternion[1:])
    return points + 2.0 * np.cross(axis, np.cross(axis, points) + w * points)


def test_loaders_return_scans_with_labels(dataset):
    shards = {float(image.sum()): target for image, target in ShardDataset(dataset)}
    for image, target in FolderDataset(dataset):
        for name in ("lidar", "radar"):
            other = shards[float(image.sum())][name]
            assert all(torch.equal(column, other[key]) for key, column in target[name].items())
        lidar = target["lidar"]
        assert lidar["from_air"].any()
        assert not lidar["semantic"][lidar["from_air"]].any()
        assert (lidar["semantic"] == Semantic.ROAD).sum() > 1000
        assert lidar["xyz_ego_m"].shape == (len(lidar["ring"]), 3)
        assert len(target["radar"]["range_m"]) > 3


def test_lidars_are_named_or_given_in_numbers():
    assert load_experiment(assignments=["lidar=hdl64"]).lidar == "hdl64"
    given = load_experiment(assignments=["lidar.like=waymo", "lidar.azimuths=500", "radar.fov_deg=60"])
    assert (given.lidar.azimuths, given.radar.fov_deg) == (500, 60.0)
    assert load_experiment().lidar is None
    with pytest.raises(ValueError, match="hdl64"):
        load_experiment(assignments=["lidar=hdl65"])
