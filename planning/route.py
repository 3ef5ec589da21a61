"""Geometry of the route ahead: its continuation, curvature and speeds, and where objects lie relative to it.

Everything is batched over worlds. Transcendental functions only see contiguous tensors: torch evaluates strided ones by
another code path, which would make a world's bits depend on the batch around it.
"""

from dataclasses import dataclass

import torch

from sim.types import ROUTE_STEP_M, Boxes3D, Route

STRAIGHT_1PM = 1.0e-4  # curvature below which a route counts as straight


@dataclass
class RoutePoints:
    """A route's points with a meaning everywhere: beyond its end it goes straight on."""

    xy_ego_m: torch.Tensor  # (B, P, 2)
    tangent_ego: torch.Tensor  # (B, P, 2) unit vectors along the route


@dataclass
class RouteCoordinates:
    """Where objects lie relative to the route."""

    along_m: torch.Tensor  # (B, K) from the rear axle; negative behind it
    lateral_m: torch.Tensor  # (B, K) left of the route
    along_speed_mps: torch.Tensor  # (B, K) along the route's direction there
    half_along_m: torch.Tensor  # (B, K) half extent of the box along the route
    half_lateral_m: torch.Tensor  # (B, K) and across it


def route_points(route: Route) -> RoutePoints:
    """The route's points, continued straight beyond its last valid one, with unit tangents.

    A route without two valid points continues along the lane's direction that `heading_rad` tells.
    """
    points = route.xy_ego_m.shape[1]
    count = route.valid.sum(dim=1)
    last = (count - 1).clamp(min=0)
    before = (count - 2).clamp(min=0)
    rows = torch.arange(len(last), device=last.device)
    end, step = route.xy_ego_m[rows, last], route.xy_ego_m[rows, last] - route.xy_ego_m[rows, before]
    heading = route.heading_rad.contiguous()
    lane = torch.stack((torch.cos(heading), -torch.sin(heading)), dim=-1)
    lane_foot = torch.stack((-torch.sin(heading), -torch.cos(heading)), dim=-1) * route.lateral_m[:, None]
    direction = torch.where((count > 1)[:, None], _unit(step), lane)
    end = torch.where((count > 0)[:, None], end, lane_foot)
    ahead = torch.arange(points, device=last.device)[None] - last[:, None]
    beyond = end[:, None] + direction[:, None] * (ahead * ROUTE_STEP_M)[..., None]
    xy = torch.where(route.valid[..., None], route.xy_ego_m, beyond)
    return RoutePoints(xy_ego_m=xy, tangent_ego=_tangents(xy))


def _unit(vector: torch.Tensor) -> torch.Tensor:
    x, y = vector[..., 0], vector[..., 1]
    length = torch.sqrt(x * x + y * y).clamp(min=1.0e-6)
    return vector / length[..., None]


def _tangents(xy: torch.Tensor) -> torch.Tensor:
    """Unit tangents (B, P, 2) by central differences, one-sided at both ends."""
    inner = xy[:, 2:] - xy[:, :-2]
    return _unit(torch.cat((xy[:, 1:2] - xy[:, :1], inner, xy[:, -1:] - xy[:, -2:-1]), dim=1))


def point_at(points: RoutePoints, along_m: torch.Tensor, offset_m: torch.Tensor) -> torch.Tensor:
    """The ego-frame points (B, 2) at `along_m` (B,) metres along the route, `offset_m` (B,) left of it."""
    last = points.xy_ego_m.shape[1] - 1
    position = (along_m / ROUTE_STEP_M).clamp(0.0, float(last))
    low = position.long().clamp(max=last - 1)
    share = (position - low)[:, None]
    rows = torch.arange(len(low), device=low.device)
    a, b = points.xy_ego_m[rows, low], points.xy_ego_m[rows, low + 1]
    tangent = points.tangent_ego[rows, low] * (1.0 - share) + points.tangent_ego[rows, low + 1] * share
    left = torch.stack((-tangent[:, 1], tangent[:, 0]), dim=-1)
    return a * (1.0 - share) + b * share + left * offset_m[:, None]


def curvature_1pm(points: RoutePoints) -> torch.Tensor:
    """Signed curvature (B, P), left positive: the circle through three neighbours, ends copied from theirs.

    kappa = 2 * cross(ab, bc) / (|ab| |bc| |ac|) (Menger).
    """
    xy = points.xy_ego_m
    ab, bc, ac = xy[:, 1:-1] - xy[:, :-2], xy[:, 2:] - xy[:, 1:-1], xy[:, 2:] - xy[:, :-2]
    cross = ab[..., 0] * bc[..., 1] - ab[..., 1] * bc[..., 0]
    square = _square(ab) * _square(bc) * _square(ac)
    inner = 2.0 * cross / torch.sqrt(square).clamp(min=1.0e-3)
    return torch.cat((inner[:, :1], inner, inner[:, -1:]), dim=1)


def _square(vector: torch.Tensor) -> torch.Tensor:
    return vector[..., 0] * vector[..., 0] + vector[..., 1] * vector[..., 1]


def allowed_speed_mps(
    route: Route, points: RoutePoints, lateral_accel_mps2: float = 2.0, decel_mps2: float = 1.5
) -> torch.Tensor:
    """The speed (B,) from which every limit and bend ahead can still be met with `decel_mps2`.

    A bend allows sqrt(a_lat / |kappa|); a limit v at distance d allows sqrt(v^2 + 2 b d) here.
    """
    bend = torch.sqrt(lateral_accel_mps2 / curvature_1pm(points).abs().clamp(min=STRAIGHT_1PM))
    limit = torch.minimum(route.speed_limit_mps, bend)
    ahead_m = torch.arange(limit.shape[1], device=limit.device) * ROUTE_STEP_M
    here = torch.sqrt(limit * limit + 2.0 * decel_mps2 * ahead_m)
    return torch.where(route.valid, here, torch.inf).amin(dim=1).clamp(max=60.0)


def nearest_point(points: RoutePoints, xy_ego_m: torch.Tensor) -> torch.Tensor:
    """Indices (B, K) of the route points nearest to ego-frame positions (B, K, 2)."""
    dx = xy_ego_m[:, :, None, 0] - points.xy_ego_m[:, None, :, 0]
    dy = xy_ego_m[:, :, None, 1] - points.xy_ego_m[:, None, :, 1]
    return (dx * dx + dy * dy).argmin(dim=2)


def along_and_lateral_m(points: RoutePoints, xy_ego_m: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Distance along the route and left of it, (B, K) each, of ego-frame positions (B, K, 2)."""
    along, lateral, _ = _project(points, xy_ego_m)
    return along, lateral


def _project(points: RoutePoints, xy_ego_m: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    near = nearest_point(points, xy_ego_m)
    index = near[..., None].expand(-1, -1, 2)
    tangent = points.tangent_ego.gather(1, index)
    rel = xy_ego_m - points.xy_ego_m.gather(1, index)
    along = near * ROUTE_STEP_M + (rel[..., 0] * tangent[..., 0] + rel[..., 1] * tangent[..., 1])
    lateral = tangent[..., 0] * rel[..., 1] - tangent[..., 1] * rel[..., 0]
    return along, lateral, tangent


def route_coordinates(points: RoutePoints, objects: Boxes3D) -> RouteCoordinates:
    """Project objects onto the route: nearest point, then along and across its tangent."""
    along, lateral, tangent = _project(points, objects.center_ego_m[..., :2])
    yaw = objects.yaw_ego_rad.contiguous()
    cos, sin = torch.cos(yaw), torch.sin(yaw)
    parallel = (cos * tangent[..., 0] + sin * tangent[..., 1]).abs()
    across = (sin * tangent[..., 0] - cos * tangent[..., 1]).abs()
    length, width = objects.size_m[..., 0], objects.size_m[..., 1]
    velocity = objects.velocity_ego_mps
    return RouteCoordinates(
        along_m=along,
        lateral_m=lateral,
        along_speed_mps=velocity[..., 0] * tangent[..., 0] + velocity[..., 1] * tangent[..., 1],
        half_along_m=0.5 * (parallel * length + across * width),
        half_lateral_m=0.5 * (across * length + parallel * width),
    )
