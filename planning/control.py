"""Plans to controls: pure pursuit along the route, car following, and the limits both keep."""

import torch

from planning.plan import MAX_ACCEL_MPS2, MAX_DECEL_MPS2, Plan
from planning.route import RoutePoints, point_at
from sim.types import Action, EgoState

MAX_STEER_RAD = 0.6
LOOKAHEAD_BASE_M = 2.5
LOOKAHEAD_TIME_S = 0.45


def lookahead_m(speed_mps: torch.Tensor) -> torch.Tensor:
    """How far ahead to aim (B,): grows with speed, so that steering stays calm where it acts fast."""
    return LOOKAHEAD_BASE_M + LOOKAHEAD_TIME_S * speed_mps.clamp(min=0.0)


def pure_pursuit_steer_rad(target_ego_m: torch.Tensor, wheelbase_m: torch.Tensor) -> torch.Tensor:
    """The steer (B,) whose circle leaves the rear axle along x and passes through targets (B, 2).

    steer = atan(2 L y / (x^2 + y^2)) (Coulter, "Implementation of the Pure Pursuit Path Tracking Algorithm", 1992).
    """
    x, y = target_ego_m[:, 0], target_ego_m[:, 1]
    curvature = 2.0 * y / (x * x + y * y).clamp(min=0.25)
    return torch.atan((wheelbase_m * curvature).contiguous()).clamp(-MAX_STEER_RAD, MAX_STEER_RAD)


def idm_accel_mps2(
    speed_mps: torch.Tensor,
    desired_mps: torch.Tensor,
    gap_m: torch.Tensor,
    lead_speed_mps: torch.Tensor,
    time_gap_s: float = 1.4,
    min_gap_m: float = 3.0,
    max_accel_mps2: float = 2.0,
    comfort_decel_mps2: float = 2.5,
) -> torch.Tensor:
    """Intelligent Driver Model (Treiber, Hennecke, Helbing 2000); shapes broadcast; `gap_m` may be infinite.

    a (1 - (v/v0)^4 - (s*/s)^2) with s* = s0 + max(0, v T + v dv / (2 sqrt(a b))). Above the desired speed the free
    term is held at the comfortable deceleration, which the formula's fourth power would far exceed.
    """
    ratio = speed_mps / desired_mps.clamp(min=0.1)
    square = ratio * ratio
    free = (max_accel_mps2 * (1.0 - square * square)).clamp(min=-comfort_decel_mps2)
    closing = speed_mps * (speed_mps - lead_speed_mps) / (2.0 * (max_accel_mps2 * comfort_decel_mps2) ** 0.5)
    wanted = min_gap_m + (speed_mps * time_gap_s + closing).clamp(min=0.0)
    share = wanted / gap_m.clamp(min=0.1)
    return free - max_accel_mps2 * share * share


def track(plan: Plan, points: RoutePoints, ego: EgoState) -> Action:
    """The ego's `Action` (B, 1) that carries out a plan: pure pursuit of the offset route, pedals within limits."""
    target = point_at(points, lookahead_m(ego.speed_mps), plan.offset_m)
    steer = pure_pursuit_steer_rad(target, ego.wheelbase_m)
    accel = plan.accel_mps2.clamp(-MAX_DECEL_MPS2, MAX_ACCEL_MPS2)
    valid = torch.ones_like(accel, dtype=torch.bool)
    return Action(accel_mps2=accel[:, None], steer_rad=steer[:, None], valid=valid[:, None])
