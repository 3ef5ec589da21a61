import math

import cv2
import numpy as np
import pytest
import torch
from tiny_scene import BARE, SCENERY, TEXTURES, Actor, make_world, nobody

from configs.schema import CameraConfig, LensConfig, MountConfig
from sim.rendering.camera import camera_from_config
from sim.rendering.lens import LensStage, directions, project
from sim.rendering.render import Renderer
from sim.rendering.rigs import RIGS, rig_from_config
from sim.rendering.weather import weather_by_name
from sim.types import ActorKind, Lens

BARREL = Lens("brown_conrady", (-0.31, 0.11, 0.0008, -0.0005, -0.02))
FISHEYE = Lens("fisheye", (0.02, -0.006, 0.001, -0.0002))
CENTER = np.array([80.0, 48.0])


@pytest.mark.parametrize("lens", [BARREL, FISHEYE, Lens()], ids=lambda lens: lens.model)
def test_lenses_project_as_opencv_does_and_back(lens):
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(-1.0, 1.0, (500, 2)), np.ones(500)])
    matrix = np.array([[120.0, 0, CENTER[0]], [0, 120.0, CENTER[1]], [0, 0, 1]])
    got = project(lens, points, 120.0, CENTER)
    if lens.model == "fisheye":
        want, _ = cv2.fisheye.projectPoints(points[:, None], np.zeros(3), np.zeros(3), matrix, np.array(lens.k))
    else:
        want, _ = cv2.projectPoints(points, np.zeros(3), np.zeros(3), matrix, np.array(lens.k))
    np.testing.assert_allclose(got, want[:, 0], atol=1e-6)
    near = np.hypot(points[:, 0], points[:, 1]) < 0.9
    back, shown = directions(lens, got[near], 120.0, CENTER)
    assert shown.all()
    unit = points[near] / np.linalg.norm(points[near], axis=-1, keepdims=True)
    np.testing.assert_allclose(back, unit, atol=1e-6)


def shoot(rig, worlds, scenery=BARE, supersample=1):
    world, state = make_world(worlds)
    count, actors = world.kind.shape
    stage = LensStage(rig, count, actors)
    renderer = Renderer(scenery, TEXTURES, stage.ideal, count, actors, supersample)
    ideal = renderer.render(world, state, weather_by_name("clear", count, world.seed), *nobody(count, actors - 1))
    return (*stage.apply(*ideal), ideal[1])


def rig_of(lens, fov_deg=90.0, width=160, height=96, **mount):
    config = CameraConfig(width_px=width, height_px=height)
    given = LensConfig(model=lens.model, k=lens.k)
    return rig_from_config(config, (MountConfig(fov_deg=fov_deg, lens=given, **mount),))


def test_a_lens_that_bends_nothing_changes_no_label():
    rig = rig_of(Lens("brown_conrady"))
    plain = camera_from_config(CameraConfig(width_px=160, height_px=96, pitch_deg=0.0))
    torch.testing.assert_close(rig.ego_from_camera, plain.ego_from_camera)
    actors = [[Actor(ActorKind.CAR, 12.0, -1.0, 0.4), Actor(ActorKind.BUS, 25.0, 2.0, 0.0)]]
    frame, truth, _ = shoot(rig, actors, SCENERY)
    world, state = make_world(actors)
    renderer = Renderer(SCENERY, TEXTURES, plain, 1, 3, 1)
    want, labels = renderer.render(world, state, weather_by_name("clear", 1, world.seed), *nobody(1, 2))
    assert torch.equal(truth.semantic, labels.semantic) and torch.equal(truth.instance, labels.instance)
    torch.testing.assert_close(truth.depth_m, labels.depth_m, rtol=2e-4, atol=1e-3)
    assert torch.equal(truth.boxes_2d.visible_px, labels.boxes_2d.visible_px)
    assert (frame.rgb.int() - want.rgb.int()).abs().max() <= 1
    torch.testing.assert_close(truth.boxes_2d.occlusion, labels.boxes_2d.occlusion, atol=1e-5, rtol=0.0)
    torch.testing.assert_close(truth.boxes_2d.truncation, labels.boxes_2d.truncation, atol=1e-4, rtol=0.0)


@pytest.mark.parametrize(
    ("lens", "fov"), [(BARREL, 90.0), (FISHEYE, 120.0), (FISHEYE, 190.0)], ids=["barrel", "fisheye", "all round"]
)
@pytest.mark.parametrize("yaw_deg", [0.0, 35.0])
def test_a_wall_at_ten_metres_has_the_depth_of_each_pixels_own_ray(lens, fov, yaw_deg):
    """A wall across the x axis, 10 m ahead of the camera: straight ahead its depth is 10 everywhere."""
    rig = rig_of(lens, fov, yaw_deg=yaw_deg)
    stage = LensStage(rig, 1, 2)
    world, state = make_world([[Actor(ActorKind.CAR, 9.0, 2.5, 0.3)]])
    renderer = Renderer(BARE, TEXTURES, stage.ideal, 1, 2)
    frame, truth = renderer.render(world, state, weather_by_name("clear", 1, world.seed), *nobody(1, 1))
    v, u = np.mgrid[: stage.ideal.height_px, : stage.ideal.width_px] + 0.5
    for view, pose in enumerate(stage.ideal.ego_from_camera.double().numpy()):
        xy = (np.stack([u, v], -1) - stage.ideal.center_px[view].numpy()) / float(stage.ideal.focal_px[view])
        ahead = np.concatenate([xy, np.ones((*u.shape, 1))], -1) @ pose[0, :3]
        depth = np.where(ahead > 1e-3, 10.0 / np.maximum(ahead, 1e-3), np.inf)
        truth.depth_m[0, view] = torch.from_numpy(depth).float()
    _, bent = stage.apply(frame, truth)
    v, u = np.mgrid[:96, :160] + 0.5
    ray, shown = directions(lens, np.stack([u, v], -1), float(rig.focal_px[0]), CENTER)
    forward = ray @ rig.ego_from_camera[0, 0, :3].double().numpy()
    seen = shown & (forward > 0.15)
    want = 10.0 / forward[seen] * ray[seen][:, 2]
    assert seen.sum() > 5000
    np.testing.assert_allclose(bent.depth_m[0, 0].numpy()[seen], want, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize(("lens", "fov"), [(BARREL, 90.0), (FISHEYE, 120.0), (FISHEYE, 190.0)])
def test_edges_lie_where_the_formula_says(lens, fov):
    """The ground's depth at each pixel is that of the pixel's own ray, to a tenth of a pixel."""
    rig = rig_of(lens, fov, 320, 192)
    _, truth, _ = shoot(rig, [[]])
    v, u = np.mgrid[:192, :320] + 0.5
    ray, shown = directions(lens, np.stack([u, v], -1), float(rig.focal_px[0]), np.array([160.0, 96.0]))
    down = shown & (ray[..., 1] > 0.12) & (ray[..., 2] > 0.05)
    want = 1.5 / ray[down][:, 1] * ray[down][:, 2]
    got = truth.depth_m[0, 0].numpy()[down]
    # A step of 0.1 px in the row moves the ground by this much.
    near = directions(lens, np.stack([u, v + 0.1], -1), float(rig.focal_px[0]), np.array([160.0, 96.0]))[0][down]
    tenth = np.abs(1.5 / near[:, 1] * near[:, 2] - want)
    assert (np.abs(got - want) < tenth + 1e-3).mean() > 0.995


def test_boxes_are_those_of_the_bent_instances():
    actors = [
        [
            Actor(ActorKind.CAR, 9.0, 2.5, 0.3),
            Actor(ActorKind.CAR, 14.0, -3.0, 0.0),
            Actor(ActorKind.CAR, -30.0, 0.0, 0.0),
        ]
    ]
    for lens, fov in ((BARREL, 90.0), (FISHEYE, 190.0)):
        _, truth, _ = shoot(rig_of(lens, fov), actors)
        boxes = truth.boxes_2d
        for k in range(3):
            v, u = np.nonzero(truth.instance[0, 0].numpy() == k + 2)
            assert int(boxes.visible_pixels[0, 0, k]) == len(u)
            if len(u):
                want = [u.min(), v.min(), u.max() + 1, v.max() + 1]
                assert boxes.visible_px[0, 0, k].tolist() == want and boxes.valid[0, 0, k]
                around = boxes.amodal_px[0, 0, k]
                assert (around[:2] <= boxes.visible_px[0, 0, k, :2]).all() and (
                    around[2:] >= boxes.visible_px[0, 0, k, 2:]
                ).all()
        assert boxes.valid[0, 0, :2].all() and not boxes.valid[0, 0, 2]


def test_rigs_look_where_their_mounts_say():
    config = CameraConfig(width_px=160, height_px=90)
    for name, mounts in RIGS.items():
        rig = rig_from_config(config, name)
        assert rig.ego_from_camera.shape == (len(mounts), 4, 4) and not rig.lenses
        for pose, focal, mount in zip(rig.ego_from_camera, rig.focal_px, mounts, strict=True):
            yaw = math.degrees(math.atan2(float(pose[1, 2]), float(pose[0, 2])))
            assert (yaw - mount.yaw_deg + 180) % 360 - 180 == pytest.approx(0.0, abs=1e-3)
            assert math.degrees(2 * math.atan(80.0 / float(focal))) == pytest.approx(mount.fov_deg, abs=1e-3)
    rolled = rig_from_config(config, (MountConfig(roll_deg=90.0, pitch_deg=10.0),)).ego_from_camera[0]
    # The picture's right side points down, the nose 10 degrees down.
    assert float(rolled[2, 0]) == pytest.approx(-math.cos(math.radians(10.0)))
    assert float(rolled[2, 2]) == pytest.approx(-math.sin(math.radians(10.0)))
    with pytest.raises(ValueError, match="fisheye"):
        rig_from_config(config, (MountConfig(fov_deg=170.0),))
