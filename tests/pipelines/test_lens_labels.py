"""Labels through lenses: on real streets they close over frames, agree with each other and with the formulas."""

from typing import Any

import numpy as np
import pytest
import torch

from configs.schema import Experiment
from pipelines.datasets import frames as drawn
from sim.rendering.lens_models import directions, pixel_rays, project
from sim.types import Lens, Semantic

WIDE, HIGH = 192, 128
BARREL = {"model": "brown_conrady", "k": [-0.28, 0.09, 0.0008, -0.0005, -0.02]}
FISHEYE = {"model": "fisheye", "k": [0.02, -0.006, 0.001, -0.0002]}
LENSES = {"barrel": (BARREL, 90.0), "fisheye": (FISHEYE, 120.0), "all round": (FISHEYE, 185.0)}
TREE: dict[str, Any] = {
    "road": {"kind": "town", "pool": 1},
    "sim": {"actors": 40, "pedestrians": 20, "parked": 4},
    "render": {"settle_s": 3.0, "frames": 2, "interval_s": 0.1}
    | {"labels": ["normals", "flow", "keypoints", "lanes", "panoptic", "signs"]},
}


def shot(lens, fov_deg, **camera):
    size = {"width_px": WIDE, "height_px": HIGH, "fov_deg": fov_deg, "pitch_deg": 4.0}
    tree = TREE | {"camera": size | ({"lens": lens} if lens else {}) | camera}
    found = []
    for frame in drawn.draw_frames(Experiment.model_validate(tree), [0, 1, 2], [3, 4, 5], {}):
        arrays = {k: v.copy() for k, v in vars(frame).items() if isinstance(v, np.ndarray)}
        labels = {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in vars(frame.labels).items()}
        found.append((vars(frame) | arrays, labels))
    camera_model = drawn._STAGES[0]._renderer.camera
    before = {f["scene"]: f for f, _ in found if f["index"] == 0}
    return [(f, labels, before[f["scene"]]) for f, labels in found if f["index"] == 1], camera_model


@pytest.fixture(scope="module", params=LENSES)
def bent(request):
    return shot(*LENSES[request.param]), LENSES[request.param][0]


def test_a_lens_that_bends_nothing_has_the_labels_of_a_pinhole():
    bent, _ = shot({"model": "brown_conrady"}, 90.0, supersample=1)
    plain, _ = shot(None, 90.0, supersample=1)
    for (a, labels, _), (b, want, _) in zip(bent, plain, strict=True):
        assert np.array_equal(a["semantic"], b["semantic"])
        for name in ("panoptic", "road", "bird"):
            assert (labels[name] != want[name]).mean() < 2e-3, name  # depths differ in their last bits
        assert np.array_equal(labels["flow_valid"], want["flow_valid"])
        np.testing.assert_allclose(labels["normal_camera"], want["normal_camera"], atol=1e-6)
        assert np.abs(labels["flow_px"] - want["flow_px"]).max() < 2e-3
        assert labels["signs"] == want["signs"] and labels["segments"] == want["segments"]
        for entry, other in zip(a["annotations"], b["annotations"], strict=True):
            assert entry["bbox"] == other["bbox"]
            if "keypoints" in other:
                np.testing.assert_allclose(entry["keypoints"], other["keypoints"], atol=0.011)


def test_depth_and_flow_close_over_frames(bent):
    """A point of the static world, by its pixel's own ray and depth, projects to where its flow leads."""
    (shots, camera), lens = bent
    rays = pixel_rays(camera)[0].astype(float)
    model = Lens(lens["model"], tuple(lens["k"]))
    mount, focal = camera.ego_from_camera[0].double().numpy(), float(camera.focal_px[0])
    v, u = np.mgrid[:HIGH, :WIDE] + 0.5
    checked = 0
    for frame, labels, before in shots:
        depth = frame["depth_m"]
        kept = np.isfinite(depth) & (frame["instance"] == 0) & labels["flow_valid"] & (rays[..., 2] > 0)
        kept &= (depth < 60.0) & (depth > 0.2)
        here = rays[kept] * depth[kept][:, None]
        world = frame["world_from_ego"] @ mount @ np.column_stack([here, np.ones(len(here))]).T
        there = (np.linalg.inv(before["world_from_ego"] @ mount) @ world)[:3].T
        ahead = there[:, 2] > 0.3
        want = project(model, there[ahead], focal, camera.center_px[0].double().numpy())
        got = np.column_stack([u[kept], v[kept]])[ahead] + labels["flow_px"][kept][ahead]
        error = np.abs(want - got).max(axis=1)
        assert len(error) > 5000 and np.quantile(error, 0.995) < 0.5 and np.median(error) < 0.05
        checked += np.abs(labels["flow_px"][kept]).max() > 1.0
    assert checked, "nobody moved: nothing is tested here"


def test_normals_of_the_road_point_up_and_all_are_unit(bent):
    (shots, camera), _ = bent
    up = camera.ego_from_camera[0, :3, :3].double().numpy().T @ [0.0, 0.0, 1.0]
    for frame, labels, _ in shots:
        normal = labels["normal_camera"]
        road = frame["semantic"] == Semantic.ROAD
        drawn_pixels = np.isfinite(frame["depth_m"])
        assert road.sum() > 1000 and (normal[road] @ up).min() > 0.99
        assert np.abs(np.linalg.norm(normal[drawn_pixels], axis=-1) - 1.0).max() < 1e-4
        assert (normal[frame["semantic"] == Semantic.SKY] == 0).all()


def test_panoptic_ids_agree_with_class_and_instance(bent):
    (shots, _), _ = bent
    for frame, labels, _ in shots:
        ids, instance = labels["panoptic"], frame["instance"].astype(int)
        assert (np.where(ids >= 1000, ids // 1000, ids) == frame["semantic"]).all()
        assert (ids[instance > 0] % 1000 == instance[instance > 0] - 1).all()
        for sign in labels["signs"]:
            left, top, wide, high = (int(n) for n in sign["bbox"])
            kind = frame["semantic"][top : top + high, left : left + wide]
            assert (kind == {"traffic_light": 19, "traffic_sign": 20}[sign["category"]]).sum() >= sign["visible_pixels"]


def test_joints_lie_where_the_formula_puts_them(bent):
    (shots, camera), lens = bent
    model, seen = Lens(lens["model"], tuple(lens["k"])), 0
    for frame, _, _ in shots:
        for entry in frame["annotations"]:
            if "keypoints" not in entry:
                continue
            marks = np.array(entry["keypoints"]).reshape(-1, 3)
            there = np.array(entry["joints_camera_m"])
            own = marks[:, 2] > 0
            if own.any():
                want = project(model, there[own], float(camera.focal_px[0]), camera.center_px[0].double().numpy())
                np.testing.assert_allclose(marks[own, :2], want, atol=0.2)  # joints are told to 0.1 mm
            for u, v, mark in marks:
                if mark == 2:
                    near = frame["instance"][max(int(v) - 2, 0) : int(v) + 3, max(int(u) - 2, 0) : int(u) + 3]
                    seen += (near == entry["actor"] + 1).any()
    assert seen > 20


def test_lines_lie_where_the_formula_puts_them(bent):
    (shots, camera), lens = bent
    model, mount = Lens(lens["model"], tuple(lens["k"])), camera.ego_from_camera[0].double().numpy()
    tested = on_line = 0
    for _, labels, _ in shots:
        assert (labels["road"] & 1).any() and (labels["bird"] & 1).any()
        for line in labels["lines"]:
            there = (np.array(line["xyz_ego_m"]) - mount[:3, 3]) @ mount[:3, :3]
            want = project(model, there, float(camera.focal_px[0]), camera.center_px[0].double().numpy())
            for (u, v), exact, visible in zip(line["uv_px"], want, line["visible"], strict=True):
                if visible:
                    assert abs(u - exact[0]) < 0.2 and abs(v - exact[1]) < 0.2
                    near = labels["road"][max(int(v) - 1, 0) : int(v) + 2, max(int(u) - 1, 0) : int(u) + 2]
                    tested, on_line = tested + 1, on_line + bool(near.any())
    assert tested > 30 and on_line > 0.8 * tested


def test_rays_of_pixels_are_directions():
    for lens, fov in LENSES.values():
        tree = TREE | {"camera": {"width_px": 64, "height_px": 48, "fov_deg": fov, "lens": lens}}
        from sim.rendering.rigs import rig_from_config

        experiment = Experiment.model_validate(tree)
        rig = rig_from_config(experiment.camera, experiment.rig)
        rays = pixel_rays(rig)[0]
        v, u = np.mgrid[:48, :64] + 0.5
        way, shown = directions(
            rig.lenses[0], np.stack([u, v], -1), float(rig.focal_px[0]), rig.center_px[0].double().numpy()
        )
        kept = shown & (np.abs(way[..., 2]) > 1e-3)
        np.testing.assert_allclose(rays[kept] * way[kept][:, 2:], way[kept], atol=1e-5)
        assert torch.from_numpy(rays).isfinite().all()
