"""Scores against hand-made moments: time to collision is gap over closing speed."""

import math

import pytest
import torch

from pipelines.scores import time_to_collision_s
from sim.types import ROUTE_POINTS, ROUTE_STEP_M, Boxes3D, EgoState, Route

WHEELBASE_M, LENGTH_M = 2.8, 4.6
FRONT_M = (WHEELBASE_M + LENGTH_M) / 2  # of the ego, ahead of its rear axle


def straight(ego_speed_mps, objects):
    """An ego on a straight route and objects (x, y, speed along x), 4 m long and 2 m wide."""
    along = torch.arange(ROUTE_POINTS) * ROUTE_STEP_M
    route = Route(
        xy_ego_m=torch.stack([along, torch.zeros_like(along)], -1)[None],
        speed_limit_mps=torch.full((1, ROUTE_POINTS), 14.0),
        valid=torch.ones(1, ROUTE_POINTS, dtype=torch.bool),
        lateral_m=torch.zeros(1),
        heading_rad=torch.zeros(1),
        remaining_m=torch.full((1,), 100.0),
    )
    zero = torch.zeros(1)
    ego = EgoState(
        speed_mps=torch.full((1,), float(ego_speed_mps)),
        accel_mps2=zero,
        steer_rad=zero,
        yaw_rate_radps=zero,
        wheelbase_m=torch.full((1,), WHEELBASE_M),
        size_m=torch.tensor([[LENGTH_M, 1.8, 1.5]]),
        time_s=zero,
    )
    k = len(objects)
    boxes = Boxes3D(
        center_ego_m=torch.tensor([[[x, y, 0.8] for x, y, _ in objects]]).reshape(1, k, 3),
        size_m=torch.tensor([4.0, 2.0, 1.6]).repeat(1, k, 1),
        yaw_ego_rad=torch.zeros(1, k),
        velocity_ego_mps=torch.tensor([[[v, 0.0] for _, _, v in objects]]).reshape(1, k, 2),
        kind=torch.zeros(1, k, dtype=torch.int32),
        score=torch.ones(1, k),
        track_id=torch.arange(k, dtype=torch.int32)[None],
        valid=torch.ones(1, k, dtype=torch.bool),
    )
    return ego, route, boxes


def ttc(ego_speed_mps, *objects):
    return float(time_to_collision_s(*straight(ego_speed_mps, objects)))


def test_gap_over_closing_speed():
    assert ttc(15.0, (30.0, 0.0, 5.0)) == pytest.approx((30.0 - 2.0 - FRONT_M) / 10.0, rel=1e-5)


def test_nearest_in_time_counts_not_nearest_in_space():
    near, far = (20.0, 0.0, 9.0), (40.0, 0.0, 0.0)
    assert ttc(10.0, near, far) == pytest.approx((40.0 - 2.0 - FRONT_M) / 10.0, rel=1e-5)


@pytest.mark.parametrize("other", [(30.0, 0.0, 12.0), (30.0, 3.5, 0.0), (-20.0, 0.0, 30.0)])
def test_what_is_not_approached_is_infinite(other):
    assert ttc(10.0, other) == math.inf


def test_touching_is_zero():
    assert ttc(10.0, (FRONT_M + 1.9, 0.0, 0.0)) == 0.0


def test_empty_road_is_infinite():
    assert ttc(10.0) == math.inf
