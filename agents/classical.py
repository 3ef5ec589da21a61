"""A driver without learning: follow the route, keep distance by IDM, give way to what is predicted to cross.

Every object is predicted over a few seconds at constant velocity. Where it lies in the ego's corridor at a time at
which the ego would be near, the ego follows it (or stops before it) as if a lead vehicle were there.
"""

import torch

from planning.control import idm_accel_mps2, track
from planning.plan import MAX_DECEL_MPS2, Plan
from planning.route import RoutePoints, allowed_speed_mps, along_and_lateral_m, route_coordinates, route_points
from sim.types import Action, ActorKind, Boxes3D, EgoState, Percept, Route

PREDICT_S = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
LATE_S = 1.5  # an object matters while the ego reaches its place up to this much later
MARGIN_M = 0.5  # kept free on either side of the car
PERSON_MARGIN_M = 1.0


class ClassicalAgent:
    """Route following, IDM and pure pursuit. Keeps no memory."""

    def reset(self, mask: torch.Tensor, seed: torch.Tensor) -> None:
        """Nothing to forget."""

    def act(self, percept: Percept, route: Route, ego: EgoState) -> Action:
        """The ego's commands (B, 1)."""
        points = route_points(route)
        desired = allowed_speed_mps(route, points)
        accel = following_accel_mps2(points, percept.objects, ego, desired)
        plan = Plan(accel_mps2=accel.clamp(min=-MAX_DECEL_MPS2), offset_m=torch.zeros_like(accel))
        return track(plan, points, ego)


def following_accel_mps2(
    points: RoutePoints, objects: Boxes3D, ego: EgoState, desired_mps: torch.Tensor
) -> torch.Tensor:
    """The lowest IDM acceleration (B,) over all objects now and as predicted; the free-road one where none matters."""
    front_m = (0.5 * (ego.wheelbase_m + ego.size_m[:, 0]))[:, None]
    here = route_coordinates(points, objects)
    margin = torch.where(objects.kind == int(ActorKind.PEDESTRIAN), PERSON_MARGIN_M, MARGIN_M)
    reach_m = 0.5 * ego.size_m[:, 1:2] + here.half_lateral_m + margin
    speed, desired = ego.speed_mps[:, None], desired_mps[:, None]
    accel = idm_accel_mps2(ego.speed_mps, desired_mps, torch.full_like(desired_mps, torch.inf), desired_mps)
    for time_s in PREDICT_S:
        future = objects.center_ego_m[..., :2] + objects.velocity_ego_mps * time_s
        along, lateral = along_and_lateral_m(points, future)
        gap = along - here.half_along_m - front_m
        ahead = along + here.half_along_m > front_m + speed * time_s  # the ego will not have passed it by then
        near = gap < speed * (time_s + LATE_S) + front_m
        matters = objects.valid & (lateral.abs() < reach_m) & ahead & near & (along > front_m)
        # A predicted place lies where the object will be: what follows it now is the place less the way it makes.
        lead_speed = here.along_speed_mps.clamp(min=0.0)
        now_gap = gap - lead_speed * time_s
        each = idm_accel_mps2(speed, desired, now_gap.clamp(min=0.3), lead_speed)
        accel = torch.minimum(accel, torch.where(matters, each, torch.inf).amin(dim=1))
    return accel
