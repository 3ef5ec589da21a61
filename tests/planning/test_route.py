import dataclasses
import math

import pytest
import torch

from planning.route import (
    allowed_speed_mps,
    along_and_lateral_m,
    curvature_1pm,
    point_at,
    route_coordinates,
    route_points,
)
from sim.types import ROUTE_POINTS, ROUTE_STEP_M, Boxes3D, Route


def circle_route(radius_m: float, points: int = ROUTE_POINTS, limit_mps: float = 30.0) -> Route:
    """A left-hand (radius > 0) or right-hand circle that starts at the ego along x."""
    angle = torch.arange(ROUTE_POINTS) * ROUTE_STEP_M / abs(radius_m)
    xy = torch.stack((abs(radius_m) * torch.sin(angle), radius_m * (1.0 - torch.cos(angle))), dim=-1)[None]
    valid = (torch.arange(ROUTE_POINTS) < points)[None]
    # What lies beyond the end must not matter
    xy = torch.where(valid[..., None], xy, 1.0e6)
    limit, remaining = torch.full((1, ROUTE_POINTS), limit_mps), torch.tensor([points * ROUTE_STEP_M])
    return Route(xy, limit, valid, lateral_m=torch.zeros(1), heading_rad=torch.zeros(1), remaining_m=remaining)


@pytest.mark.parametrize("radius_m", [-25.0, 40.0, 300.0])
def test_curvature_of_a_circle(radius_m):
    curvature = curvature_1pm(route_points(circle_route(radius_m)))
    assert torch.allclose(curvature, torch.full_like(curvature, 1.0 / radius_m), rtol=2e-2)


def test_a_bend_limits_speed_by_lateral_acceleration():
    allowed = allowed_speed_mps(circle_route(25.0), route_points(circle_route(25.0)), lateral_accel_mps2=2.0)
    assert float(allowed) == pytest.approx(math.sqrt(2.0 * 25.0), rel=1e-2)


def test_a_limit_ahead_is_met_with_the_given_deceleration():
    route = circle_route(1.0e7)
    route.speed_limit_mps[:, 10:] = 5.0
    allowed = allowed_speed_mps(route, route_points(route), decel_mps2=1.5)
    assert float(allowed) == pytest.approx(math.sqrt(25.0 + 2.0 * 1.5 * 10 * ROUTE_STEP_M), rel=1e-5)


@pytest.mark.parametrize("points", [2, 7, ROUTE_POINTS])
def test_beyond_its_end_the_route_goes_straight_on(points):
    xy = route_points(circle_route(50.0, points)).xy_ego_m[0]
    steps = xy[1:] - xy[:-1]
    assert torch.allclose(steps.norm(dim=-1), torch.full((ROUTE_POINTS - 1,), ROUTE_STEP_M), atol=1e-2)
    beyond = steps[points - 1 :]
    assert torch.allclose(beyond, steps[points - 2].expand_as(beyond), atol=2e-2)


def test_without_any_point_the_lane_s_direction_counts():
    route = circle_route(50.0, 0)
    route.heading_rad[:] = 0.3  # the ego points left of the lane
    route.lateral_m[:] = 1.0  # and stands left of it
    points = route_points(route)
    lane = torch.tensor([math.cos(0.3), -math.sin(0.3)])
    assert torch.allclose(points.tangent_ego[0], lane.expand(ROUTE_POINTS, 2), atol=1e-6)
    # the foot of the ego on the lane lies 1 m to the right, at right angles to the lane
    foot = points.xy_ego_m[0, 0]
    assert float(foot.norm()) == pytest.approx(1.0)
    assert float((foot * lane).sum()) == pytest.approx(0.0, abs=1e-6)
    assert float(foot[1]) < 0.0


def test_point_at_interpolates_and_offsets_to_the_left():
    points = route_points(circle_route(60.0))
    target = point_at(points, torch.tensor([11.0]), torch.tensor([2.0]))[0]
    radius = 58.0  # 2 m left of a left-hand circle is inside it
    angle = 11.0 / 60.0
    assert target.tolist() == pytest.approx([radius * math.sin(angle), 60.0 - radius * math.cos(angle)], abs=0.02)


def test_along_and_lateral_on_a_circle():
    points = route_points(circle_route(40.0))
    angle, radius = torch.tensor([0.3, 0.7, 1.2]), torch.tensor([38.0, 40.0, 43.0])
    xy = torch.stack((radius * torch.sin(angle), 40.0 - radius * torch.cos(angle)), dim=-1)[None]
    along, lateral = along_and_lateral_m(points, xy)
    assert along[0].tolist() == pytest.approx((40.0 * angle).tolist(), abs=0.1)
    assert lateral[0].tolist() == pytest.approx([2.0, 0.0, -3.0], abs=0.05)


def test_behind_the_car_along_is_negative():
    along, lateral = along_and_lateral_m(route_points(circle_route(1.0e7)), torch.tensor([[[-7.0, 1.0]]]))
    assert float(along) == pytest.approx(-7.0, abs=1e-4)
    assert float(lateral) == pytest.approx(1.0, abs=1e-4)


def box(x_m: float, y_m: float, yaw_rad: float, velocity_mps: tuple[float, float]) -> Boxes3D:
    return Boxes3D(
        center_ego_m=torch.tensor([[[x_m, y_m, 0.8]]]),
        size_m=torch.tensor([[[4.0, 2.0, 1.5]]]),
        yaw_ego_rad=torch.tensor([[yaw_rad]]),
        velocity_ego_mps=torch.tensor([[velocity_mps]]),
        kind=torch.zeros(1, 1, dtype=torch.int32),
        score=torch.ones(1, 1),
        track_id=torch.ones(1, 1, dtype=torch.int32),
        valid=torch.ones(1, 1, dtype=torch.bool),
    )


def test_extents_and_speed_of_a_crossing_box():
    points = route_points(circle_route(1.0e7))
    crossing = route_coordinates(points, box(20.0, 3.0, math.pi / 2, (1.0, 6.0)))
    assert float(crossing.half_along_m) == pytest.approx(1.0, abs=1e-4)
    assert float(crossing.half_lateral_m) == pytest.approx(2.0, abs=1e-4)
    assert float(crossing.along_speed_mps) == pytest.approx(1.0, abs=1e-4)
    oblique = route_coordinates(points, box(20.0, 3.0, math.pi / 4, (0.0, 0.0)))
    assert float(oblique.half_along_m) == pytest.approx(0.5 * (4.0 + 2.0) / math.sqrt(2.0), abs=1e-4)


def test_a_world_s_route_is_the_same_alone_and_in_a_batch():
    routes = [circle_route(radius, points) for radius, points in ((20.0, 32), (-33.0, 9), (70.0, 1), (9.0, 20))]
    batch = Route(*(torch.cat([getattr(r, f.name) for r in routes]) for f in dataclasses.fields(Route)))
    together = route_points(batch)
    for i, route in enumerate(routes):
        alone = route_points(route)
        assert torch.equal(alone.xy_ego_m[0], together.xy_ego_m[i])
        assert torch.equal(curvature_1pm(alone)[0], curvature_1pm(together)[i])
        assert torch.equal(allowed_speed_mps(route, alone)[0], allowed_speed_mps(batch, together)[i])
