import math

import pytest
import torch

from planning.control import MAX_STEER_RAD, idm_accel_mps2, lookahead_m, pure_pursuit_steer_rad, track
from planning.plan import MAX_ACCEL_MPS2, MAX_DECEL_MPS2, MAX_OFFSET_M, Plan, plan_from_unit
from planning.route import RoutePoints
from sim.types import ROUTE_POINTS, ROUTE_STEP_M, EgoState


def straight_points(worlds: int) -> RoutePoints:
    x = torch.arange(ROUTE_POINTS) * ROUTE_STEP_M
    xy = torch.stack((x, torch.zeros_like(x)), dim=-1).expand(worlds, -1, -1)
    return RoutePoints(xy_ego_m=xy, tangent_ego=torch.tensor([1.0, 0.0]).expand_as(xy))


def ego_at(speed_mps: torch.Tensor, wheelbase_m: float = 2.8) -> EgoState:
    zero = torch.zeros_like(speed_mps)
    size = torch.tensor([4.5, 1.9, 1.5]).expand(len(speed_mps), 3)
    return EgoState(speed_mps, zero, zero, zero, torch.full_like(zero, wheelbase_m), size, zero)


@pytest.mark.parametrize("radius_m", [-80.0, -12.0, 9.0, 40.0, 500.0])
def test_pure_pursuit_steers_the_circle_it_is_on(radius_m):
    # Points of a circle that starts at the rear axle along x, whatever their distance
    angle = torch.linspace(0.1, 0.5, 6)
    target = torch.stack((abs(radius_m) * torch.sin(angle), radius_m * (1.0 - torch.cos(angle))), dim=-1)
    steer = pure_pursuit_steer_rad(target, torch.full((6,), 2.8))
    assert torch.allclose(steer, torch.full((6,), math.atan(2.8 / radius_m)), atol=1e-4)


def test_pure_pursuit_keeps_to_the_steering_lock():
    steer = pure_pursuit_steer_rad(torch.tensor([[0.2, 2.0], [0.2, -2.0]]), torch.full((2,), 2.8))
    assert steer.tolist() == pytest.approx([MAX_STEER_RAD, -MAX_STEER_RAD])


def test_idm_is_in_equilibrium_at_its_own_gap():
    # At equal speeds the acceleration is zero where gap = (s0 + v T) / sqrt(1 - (v / v0)^4).
    speed, desired = torch.tensor([2.0, 8.0, 14.0]), torch.tensor([10.0, 15.0, 20.0])
    gap = (3.0 + speed * 1.4) / torch.sqrt(1.0 - (speed / desired) ** 4)
    assert torch.allclose(idm_accel_mps2(speed, desired, gap, speed), torch.zeros(3), atol=1e-5)


def test_idm_on_a_free_road():
    desired, gap = torch.full((3,), 10.0), torch.full((3,), torch.inf)
    accel = idm_accel_mps2(torch.tensor([0.0, 10.0, 40.0]), desired, gap, desired)
    assert accel.tolist() == pytest.approx([2.0, 0.0, -2.5])


def test_idm_brakes_harder_the_faster_it_closes_in():
    speed = torch.full((4,), 12.0)
    accel = idm_accel_mps2(speed, torch.full((4,), 15.0), torch.full((4,), 25.0), torch.tensor([12.0, 8.0, 4.0, 0.0]))
    assert bool((accel[1:] < accel[:-1]).all())


def test_units_become_plans():
    plan = plan_from_unit(torch.tensor([[1.0, 1.0], [-1.0, -1.0], [0.0, 0.5], [5.0, -5.0], [-0.5, 0.0]]))
    assert plan.accel_mps2.tolist() == [MAX_ACCEL_MPS2, -MAX_DECEL_MPS2, 0.0, MAX_ACCEL_MPS2, -0.5 * MAX_DECEL_MPS2]
    assert plan.offset_m.tolist() == [MAX_OFFSET_M, -MAX_OFFSET_M, 0.5 * MAX_OFFSET_M, -MAX_OFFSET_M, 0.0]


def test_tracking_an_offset_turns_towards_it_by_the_closed_form():
    ego = ego_at(torch.tensor([0.0, 10.0, 25.0]))
    offset = torch.tensor([1.0, -1.0, 0.5])
    action = track(Plan(torch.tensor([1.0, -9.0, 9.0]), offset), straight_points(3), ego)
    ahead = lookahead_m(ego.speed_mps)
    expected = torch.atan(2.8 * 2.0 * offset / (ahead**2 + offset**2)).clamp(-MAX_STEER_RAD, MAX_STEER_RAD)
    assert torch.allclose(action.steer_rad[:, 0], expected, atol=1e-6)
    assert action.accel_mps2[:, 0].tolist() == [1.0, -MAX_DECEL_MPS2, MAX_ACCEL_MPS2]
    assert bool(action.valid.all())


def test_tracking_brings_a_displaced_car_back_to_the_line():
    # Kinematic bicycle, rear-axle reference, against the straight line y = 0 of the world.
    y, yaw, speed, dt = 1.5, 0.2, 10.0, 0.1
    for _ in range(100):
        x_world = torch.arange(ROUTE_POINTS) * ROUTE_STEP_M
        rel_y = torch.full_like(x_world, -y)
        xy = torch.stack(
            (math.cos(yaw) * x_world + math.sin(yaw) * rel_y, -math.sin(yaw) * x_world + math.cos(yaw) * rel_y), dim=-1
        )[None]
        tangent = torch.tensor([math.cos(yaw), -math.sin(yaw)]).expand_as(xy)
        plan = Plan(torch.zeros(1), torch.zeros(1))
        steer = float(track(plan, RoutePoints(xy, tangent), ego_at(torch.tensor([speed]))).steer_rad)
        y += speed * math.sin(yaw) * dt
        yaw += speed / 2.8 * math.tan(steer) * dt
    assert abs(y) < 0.05
    assert abs(yaw) < 0.01
