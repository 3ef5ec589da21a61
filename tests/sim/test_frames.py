"""Frames: the conventions of the table hold for hand-checked points, and transforms invert each other."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.frames import ego_from_camera, ego_from_world_xy, rotate_2d, world_from_ego, world_from_ego_xy, wrap_angle_rad

angles = st.floats(-50.0, 50.0)
metres = st.floats(-500.0, 500.0)


def test_a_point_ahead_left_and_up_in_the_ego_frame_lands_where_the_camera_table_says():
    pose = ego_from_camera((1.5, 0.0, 1.2))
    camera_from_ego = torch.linalg.inv(pose)
    point_ego_m = torch.tensor([11.5, 2.0, 2.2, 1.0])  # 10 m ahead of the camera, 2 m left, 1 m above it
    assert torch.allclose(camera_from_ego @ point_ego_m, torch.tensor([-2.0, -1.0, 10.0, 1.0]), atol=1e-5)


def test_positive_pitch_lowers_the_nose_and_positive_yaw_turns_left():
    forward = torch.tensor([0.0, 0.0, 1.0, 0.0])
    down = ego_from_camera((0.0, 0.0, 0.0), pitch_rad=0.1) @ forward
    left = ego_from_camera((0.0, 0.0, 0.0), yaw_rad=0.1) @ forward
    assert torch.allclose(down[:3], torch.tensor([math.cos(0.1), 0.0, -math.sin(0.1)]), atol=1e-6)
    assert torch.allclose(left[:3], torch.tensor([math.cos(0.1), math.sin(0.1), 0.0]), atol=1e-6)


def test_camera_pose_is_a_rotation():
    rotation = ego_from_camera((1.0, 2.0, 3.0), 0.3, -0.7)[:3, :3]
    assert torch.allclose(rotation @ rotation.T, torch.eye(3), atol=1e-6)
    assert torch.linalg.det(rotation).item() > 0.999


@settings(max_examples=50, deadline=None)
@given(metres, metres, metres, metres, angles)
def test_world_and_ego_points_round_trip(x, y, ego_x, ego_y, yaw):
    point = torch.tensor([[[x, y]]], dtype=torch.float64)
    ego_xy, ego_yaw = torch.tensor([[ego_x, ego_y]], dtype=torch.float64), torch.tensor([yaw], dtype=torch.float64)
    back = world_from_ego_xy(ego_from_world_xy(point, ego_xy, ego_yaw), ego_xy, ego_yaw)
    assert torch.allclose(back, point, atol=1e-9)


@settings(max_examples=50, deadline=None)
@given(angles)
def test_wrapping_keeps_the_direction_and_the_range(angle):
    wrapped = wrap_angle_rad(torch.tensor(angle, dtype=torch.float64))
    assert -math.pi <= wrapped.item() < math.pi
    assert math.isclose(math.cos(wrapped.item()), math.cos(angle), abs_tol=1e-9)
    assert math.isclose(math.sin(wrapped.item()), math.sin(angle), abs_tol=1e-9)


def test_pose_matrix_agrees_with_the_planar_transform():
    xy, yaw = torch.tensor([[3.0, -2.0]]), torch.tensor([0.8])
    point_ego_m = torch.tensor([[[4.0, 1.0]]])
    by_matrix = (world_from_ego(xy, yaw) @ torch.tensor([4.0, 1.0, 0.0, 1.0]))[0, :2]
    assert torch.allclose(by_matrix, world_from_ego_xy(point_ego_m, xy, yaw)[0, 0], atol=1e-6)


def test_quarter_turn_is_counter_clockwise():
    turned = rotate_2d(torch.tensor([1.0, 0.0]), torch.tensor(math.pi / 2))
    assert torch.allclose(turned, torch.tensor([0.0, 1.0]), atol=1e-6)
