"""The road's surface in 3-D: closed forms of slopes, tilted cross-sections and reliefs, and differences."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.roads.geometry import Arc, Cubics, Line, Piece, PlanView, constant
from sim.roads.network import Lane, LaneSection, Road
from sim.roads.surface import Crossfall, LateralShape, attitude

STRAIGHT = Line()


def cubic(a=0.0, b=0.0, c=0.0, d=0.0, start=0.0):
    return Cubics(np.array([start]), np.array([[a, b, c, d]]))


def road(shape=STRAIGHT, length=100.0, **profile):
    lanes = {id: Lane(id, "driving", constant(3.0)) for id in (2, 1, -1, -2)} | {0: Lane(0, "none", constant(0.0))}
    plan = PlanView((Piece(0.0, 10.0, 20.0, 0.3, length, shape),))
    return Road("1", length, plan, (LaneSection(0.0, length, length, lanes),), **profile)


def rotation(heading, pitch, roll):
    """R_z R_y R_x, as textbooks write them."""
    (ch, sh), (cp, sp), (cr, sr) = ((math.cos(a), math.sin(a)) for a in (heading, pitch, roll))
    z = np.array([[ch, -sh, 0], [sh, ch, 0], [0, 0, 1]])
    y = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    x = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    return z @ y @ x


def test_a_level_road_lies_flat():
    pose = road().pose(np.array([50.0]), np.array([2.0]))
    expected = [10 + 50 * math.cos(0.3) - 2 * math.sin(0.3), 20 + 50 * math.sin(0.3) + 2 * math.cos(0.3), 0.0]
    np.testing.assert_allclose(pose.xyz_world_m[0], expected, atol=1e-12)
    assert (pose.heading_world_rad[0], pose.pitch_rad[0], pose.roll_rad[0]) == (pytest.approx(0.3), 0.0, 0.0)


def test_uphill_raises_the_nose_and_banking_raises_the_left():
    climbing = road(elevation=cubic(5.0, 0.1)).pose(np.array([40.0]), np.array([-3.0]))
    assert climbing.xyz_world_m[0, 2] == pytest.approx(9.0)
    assert (climbing.pitch_rad[0], climbing.roll_rad[0]) == (pytest.approx(-math.atan(0.1)), 0.0)
    banked = road(superelevation=constant(0.06)).pose(np.array([40.0, 40.0]), np.array([4.0, -4.0]))
    np.testing.assert_allclose(banked.xyz_world_m[:, 2], [4 * math.sin(0.06), -4 * math.sin(0.06)])
    np.testing.assert_allclose(banked.roll_rad, 0.06)
    apart = banked.xyz_world_m[0] - banked.xyz_world_m[1]
    assert np.linalg.norm(apart) == pytest.approx(8.0)  # t runs in the tilted plane


def test_lanes_follow_the_tilt():
    banked = road(superelevation=constant(0.1), elevation=constant(2.0))
    xyz, yaw, width, stretch = banked.lane_at(0, -2, np.array([30.0]))
    np.testing.assert_allclose(xyz[0], banked.pose(np.array([30.0]), np.array([-4.5])).xyz_world_m[0])
    assert xyz[0, 2] == pytest.approx(2.0 - 4.5 * math.sin(0.1))
    assert (width[0], stretch[0], yaw[0]) == (pytest.approx(3.0), pytest.approx(1.0), pytest.approx(0.3))


def test_a_raised_lane_lies_above_the_road():
    kerb = Lane(-1, "sidewalk", constant(2.0), heights=((0.0, 0.1, 0.2), (50.0, 0.0, 0.0)))
    part = LaneSection(0.0, 100.0, 100.0, {0: Lane(0, "none", constant(0.0)), -1: kerb})
    path = Road("1", 100.0, road().plan, (part,))
    np.testing.assert_allclose(path.lane_at(0, -1, np.array([10.0, 60.0]))[0][:, 2], [0.15, 0.0])


def test_a_roof_profile():
    """Down to both sides from the middle by 2 %, as a crossfall and as a lateral shape."""
    angle = math.asin(0.02)
    roof = Crossfall(constant(angle), constant(angle))
    shape = Cubics(np.array([-10.0, 0.0]), np.array([[-0.2, 0.02, 0, 0], [0, -0.02, 0, 0]]))
    for relief in (roof, LateralShape(np.array([0.0]), (shape,))):
        pose = road(reliefs=(relief,)).pose(np.array([5.0, 5.0]), np.array([5.0, -5.0]))
        np.testing.assert_allclose(pose.xyz_world_m[:, 2], -0.1)
        np.testing.assert_allclose(pose.roll_rad, [-math.atan(0.02), math.atan(0.02)], atol=1e-12)
        np.testing.assert_allclose(pose.pitch_rad, 0.0)


def test_a_lateral_shape_is_linear_between_its_stations():
    flat, raised = constant(0.0), cubic(1.0, 0.1)
    shape = LateralShape(np.array([20.0, 60.0]), (flat, raised))
    height, along, across = shape.at(np.array([0.0, 20.0, 30.0, 60.0, 90.0]), np.full(5, 2.0))
    np.testing.assert_allclose(height, [0.0, 0.0, 0.3, 1.2, 1.2])
    np.testing.assert_allclose(along, [0.0, 0.03, 0.03, 0.0, 0.0])
    np.testing.assert_allclose(across, [0.0, 0.0, 0.025, 0.1, 0.1])
    outside = shape.at(np.array([90.0]), np.array([-4.0]))  # left of nothing: the profile starts at t = 0
    np.testing.assert_allclose(np.concatenate(outside), [1.0, 0.0, 0.0])


small = st.floats(-0.05, 0.05)


@settings(max_examples=60, deadline=None)
@given(st.floats(-0.04, 0.04), small, small, small, st.floats(-6.0, 6.0), st.floats(10.0, 90.0))
def test_pose_is_tangent_to_the_surface(curvature, rise, bank, twist, t, s):
    """Forward and left axes of the pose agree with finite differences of the surface in plan view."""
    shape = LateralShape(np.array([0.0, 100.0]), (cubic(0.0, 0.02, start=-20.0), cubic(0.3, -0.03, 1e-3, start=-20.0)))
    bumpy = road(
        Arc(curvature), elevation=cubic(1.0, rise, 1e-4), superelevation=cubic(bank, 0.01 * twist), reliefs=(shape,)
    )
    pose = bumpy.pose(np.array([s]), np.array([t]))
    axes = rotation(*(float(angle[0]) for angle in pose[1:]))
    ds, dt = (bumpy.pose(s + h[0] * 1e-5, t + h[1] * 1e-5).xyz_world_m for h in _steps())
    for along in ((ds[1] - ds[0]) / 2e-5, (dt[1] - dt[0]) / 2e-5):
        assert abs(along @ axes[:, 2]) < 1e-6 * max(1.0, np.linalg.norm(along))
    assert np.allclose(axes[:2, 0] / np.hypot(*axes[:2, 0]), [math.cos(pose[1][0]), math.sin(pose[1][0])])


def _steps():
    return (np.array([-1.0, 1.0]), np.zeros(2)), (np.zeros(2), np.array([-1.0, 1.0]))


def test_attitude_of_a_plane():
    """A plane that rises 10 % to the east, looked at northwards: the right side is high."""
    pitch, roll = attitude(np.array([0.0]), np.array([-0.1]))
    assert (pitch[0], roll[0]) == (0.0, pytest.approx(-math.atan(0.1)))
