"""Keypoints of people: places in closed form, visibility by what stands before them."""

import math

import numpy as np
import pytest
import torch
from tiny_scene import BARE, TEXTURES, Actor, CameraConfig, make_world, nobody

from sim.meshes.library import Model, mesh_library
from sim.meshes.people import KEYPOINTS, PEOPLE, POSES, Age
from sim.rendering.camera import camera_from_config
from sim.rendering.render import Renderer
from sim.rendering.weather import weather_by_name
from sim.types import ActorKind, GroundTruth, Keypoints

WIDE, HIGH = 320, 192
MOUNT = (1.6, -1.75, 1.5)  # of the camera in the world of these tests
PERSON = ActorKind.PEDESTRIAN


def seen(*actors: Actor) -> tuple[GroundTruth, Keypoints, np.ndarray]:
    """Labels of one image, its keypoints, and the model of each actor."""
    world, state = make_world([list(actors)])
    count = world.kind.shape[1]
    camera = camera_from_config(CameraConfig(width_px=WIDE, height_px=HIGH, pitch_deg=0.0))
    renderer = Renderer(BARE, TEXTURES, camera, 1, count, labels=("keypoints",))
    _, truth = renderer.render(world, state, weather_by_name("clear", 1, world.seed), *nobody(1, count - 1))
    assert truth.extra.keypoints is not None
    return truth, truth.extra.keypoints, renderer.scene(world, state)[2].model.numpy()[0]


def marks(keypoints: Keypoints, row: int = 0) -> dict[str, int]:
    return dict(zip(KEYPOINTS, keypoints.visibility[0, 0, row].tolist(), strict=True))


@pytest.mark.parametrize("yaw", [0.0, 0.7, math.pi, -1.6])
def test_joints_are_where_the_body_carries_them(yaw: float):
    person = Actor(PERSON, 8.0, -2.5, yaw, size_m=(0.95, 0.62, 1.81), appearance=77)
    _, keypoints, models = seen(person)
    unit = mesh_library().keypoint[models[1]] * (0.95, 0.62, 1.81)
    c, s = math.cos(yaw), math.sin(yaw)
    at = unit @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) + (8.0, -2.5, 0.0) - MOUNT
    camera = np.stack([-at[:, 1], -at[:, 2], at[:, 0]], 1)
    np.testing.assert_allclose(keypoints.xyz_camera_m[0, 0, 0].numpy(), camera, atol=1e-5)
    uv = camera[:, :2] / camera[:, 2:] * (WIDE / 2) + (WIDE / 2, HIGH / 2)
    np.testing.assert_allclose(keypoints.uv_px[0, 0, 0].numpy(), uv, atol=1e-3)
    assert bool(keypoints.valid[0, 0, 0]) and (keypoints.visibility[0, 0, 0] > 0).all()


def test_joints_lie_within_the_silhouette():
    for body in range(8):
        truth, keypoints, _ = seen(Actor(PERSON, 5.0, -1.75, 0.8 * body, appearance=body * 9001))
        u0, v0, u1, v1 = truth.boxes_2d.amodal_px[0, 0, 0].tolist()
        uv = keypoints.uv_px[0, 0, 0]
        assert (uv[:, 0] > u0 - 1).all() and (uv[:, 0] < u1 + 1).all()
        assert (uv[:, 1] > v0 - 1).all() and (uv[:, 1] < v1 + 1).all()
        own = truth.instance[0, 0][uv[:, 1].long(), uv[:, 0].long()] == 2
        assert own.float().mean() > 0.8


def test_who_faces_the_camera_shows_its_eyes_and_who_walks_away_does_not():
    toward, away = (marks(seen(Actor(PERSON, 4.0, -1.75, yaw, appearance=77))[1]) for yaw in (math.pi, 0.0))
    assert toward["nose"] == toward["left_eye"] == toward["right_eye"] == 2
    assert away["nose"] == away["left_eye"] == away["right_eye"] == 1
    for pose in (toward, away):
        assert pose["left_shoulder"] == pose["right_shoulder"] == pose["left_knee"] == pose["right_knee"] == 2
    # Left is the person's own: on the right of the image where it faces us.
    uv = seen(Actor(PERSON, 4.0, -1.75, math.pi))[1].uv_px[0, 0, 0]
    assert uv[KEYPOINTS.index("left_shoulder"), 0] > uv[KEYPOINTS.index("right_shoulder"), 0]
    # From the left a trunk hides the other side's hip.
    side = marks(seen(Actor(PERSON, 4.0, -1.75, -math.pi / 2))[1])
    assert side["right_hip"] == 2 and side["left_hip"] == 1


def test_a_car_hides_legs_and_not_heads():
    person, car = Actor(PERSON, 12.0, -1.75, math.pi), Actor(ActorKind.CAR, 8.0, -1.75, math.pi / 2)
    alone, behind = seen(person)[1], seen(person, car)[1]
    assert torch.equal(alone.uv_px[:, :, 0], behind.uv_px[:, :, 0])
    hidden = marks(behind)
    assert all(hidden[f"{side}_{name}"] == 1 for side in ("left", "right") for name in ("knee", "ankle"))
    assert hidden["nose"] == 2
    assert not behind.valid[0, 0, 1] and (behind.visibility[0, 0, 1] == 0).all()  # the car
    assert (behind.xyz_camera_m[0, 0, 1] == 0).all()


def test_joints_outside_of_the_image_are_not_labelled_but_keep_their_place():
    _, keypoints, _ = seen(Actor(PERSON, 2.6, -1.75, math.pi))
    outside = keypoints.visibility[0, 0, 0] == 0
    assert outside.any() and not outside.all()
    assert (keypoints.uv_px[0, 0, 0][outside] == 0).all() and (keypoints.xyz_camera_m[0, 0, 0, :, 2] > 0).all()
    _, keypoints, _ = seen(Actor(PERSON, -6.0, -1.75, math.pi))
    assert not keypoints.valid.any() and (keypoints.visibility == 0).all()


def test_children_are_told_from_adults():
    child, adult = Actor(PERSON, 6.0, 0.0, size_m=(0.6, 0.4, 1.2)), Actor(PERSON, 6.0, -3.0, size_m=(0.9, 0.6, 1.8))
    _, keypoints, models = seen(child, adult)
    assert keypoints.age[0].tolist()[0] == Age.CHILD and keypoints.age[0].tolist()[1] != Age.CHILD
    who = mesh_library().person[models[1:]]
    assert keypoints.sex[0].tolist() == who[:, 0].tolist() and keypoints.age[0].tolist() == who[:, 1].tolist()


def test_people_are_told_by_body_and_by_whether_they_walk():
    walker, waiter = Actor(PERSON, 6.0, 0.0, walk_s_m=0.4), Actor(PERSON, 6.0, -3.0, appearance=5)
    _, keypoints, models = seen(walker, waiter)
    number = models[1:] - int(Model.PERSON)
    assert keypoints.body[0].tolist() == (number // POSES).tolist()
    assert keypoints.stands[0].tolist() == (number % POSES == POSES - 1).tolist()
    bodies = [PEOPLE[body] for body in keypoints.body[0].tolist()]
    assert [body.sex for body in bodies] == keypoints.sex[0].tolist()
    assert [body.age for body in bodies] == keypoints.age[0].tolist()
    assert (mesh_library().keypoint[models[1]] != mesh_library().keypoint[models[2]]).any()


def test_without_anybody_there_are_no_rows():
    _, keypoints, _ = seen()
    assert keypoints.uv_px.shape == (1, 1, 0, 17, 2) and keypoints.valid.shape == (1, 1, 0)
