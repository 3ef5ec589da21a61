"""Plan-view primitives: closed forms, arc-length parametrisation, joints."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.roads.geometry import Arc, Cubics, Line, ParamPoly3, Piece, PlanView, Spiral, blend, poly3, wrap_rad

curvatures = st.floats(-0.1, 0.1)
lengths = st.floats(1.0, 200.0)


def fresnel_by_brute_force(k0, k1, length, s, steps=20001):
    """Simpson's rule over the heading: slow, independent of the panels used in sim.roads.geometry."""
    at = np.linspace(0.0, s, steps)
    heading = k0 * at + 0.5 * (k1 - k0) / length * at * at
    weight = np.full(steps, 2.0)
    weight[1::2] = 4.0
    weight[0] = weight[-1] = 1.0
    weight *= s / (steps - 1) / 3.0
    return np.cos(heading) @ weight, np.sin(heading) @ weight


@st.composite
def shapes(draw):
    """A primitive of every kind and its length."""
    length = draw(lengths)
    kind = draw(st.sampled_from(("line", "arc", "spiral", "poly3", "normalized", "arcLength")))
    if kind == "line":
        return Line(), length
    if kind == "arc":
        return Arc(draw(curvatures)), length
    if kind == "spiral":
        return Spiral(draw(curvatures), draw(curvatures), length), length
    c, d = draw(st.floats(-0.004, 0.004)), draw(st.floats(-2e-5, 2e-5))
    if kind == "poly3":
        return poly3(0.0, draw(st.floats(-0.2, 0.2)), c, d, length), length
    p_end = 1.0 if kind == "normalized" else length
    scale = length / p_end
    u = (0.0, scale, draw(st.floats(-0.2, 0.2)) * scale / p_end, 0.0)
    v = (0.0, 0.0, c * scale**2, d * scale**3)
    return ParamPoly3(u, v, p_end, length), length


@settings(max_examples=150, deadline=None)
@given(shapes(), st.floats(0.02, 0.98))
def test_every_primitive_is_parametrised_by_arc_length(shape_length, fraction):
    shape, length = shape_length
    h, s = 1e-3, fraction * length
    u, v, heading, curvature = shape.at(np.array([s - h, s, s + h]))
    speed = math.hypot(u[2] - u[0], v[2] - v[0]) / (2.0 * h)
    assert speed == pytest.approx(1.0, abs=2e-6)
    assert wrap_rad(np.array(math.atan2(v[2] - v[0], u[2] - u[0]) - heading[1])) == pytest.approx(0.0, abs=1e-5)
    assert (heading[2] - heading[0]) / (2.0 * h) == pytest.approx(curvature[1], abs=1e-4)


def test_a_quarter_circle():
    u, v, heading, curvature = Arc(1 / 50).at(np.array([0.0, 50 * math.pi / 2]))
    np.testing.assert_allclose([u[1], v[1], heading[1]], [50.0, 50.0, math.pi / 2], atol=1e-12)
    np.testing.assert_allclose(curvature, 1 / 50)


def test_an_arc_without_curvature_is_a_line():
    u, v, _, _ = Arc(0.0).at(np.array([0.0, 7.0]))
    np.testing.assert_array_equal(u, [0.0, 7.0])
    np.testing.assert_array_equal(v, [0.0, 0.0])


@pytest.mark.parametrize(
    ("k0", "k1", "length"), [(0.0, 0.02, 80.0), (-0.05, 0.05, 120.0), (0.0, 0.5, 60.0), (0.03, 0.03, 40.0)]
)
def test_a_spiral_matches_the_fresnel_integrals(k0, k1, length):
    s = np.array([0.3, 0.5, 1.0]) * length
    u, v, _, _ = Spiral(k0, k1, length).at(s)
    expected = np.array([fresnel_by_brute_force(k0, k1, length, x) for x in s])
    np.testing.assert_allclose(np.column_stack((u, v)), expected, atol=1e-9)


def test_a_param_poly3_is_not_walked_by_its_parameter():
    """v = p^2 / 100 for u = p: arc length to p is known in closed form, s/length is metres away from it."""
    shape = ParamPoly3((0.0, 50.0, 0.0, 0.0), (0.0, 0.0, 25.0, 0.0), 1.0, 57.39)
    p = 0.4
    x = 2 * 25.0 * p / 50.0  # slope at p
    s = 50.0**2 / (2 * 25.0) * 0.5 * (x * math.sqrt(1 + x * x) + math.asinh(x))
    u, v, heading, _ = shape.at(np.array([s]))
    np.testing.assert_allclose([u[0], v[0], heading[0]], [20.0, 4.0, math.atan(x)], atol=1e-9)
    assert abs(s / 57.39 - p) * 50.0 > 1.0


def test_joints_belong_to_the_piece_that_starts_there():
    pieces = (Piece(0.0, 0.0, 0.0, 0.0, 10.0, Line()), Piece(10.0, 10.0, 0.5, 0.1, 10.0, Arc(0.1)))
    xy, heading, curvature = PlanView(pieces).at(np.array([0.0, 9.999999, 10.0, 15.0]))
    np.testing.assert_allclose(xy[2], [10.0, 0.5])
    np.testing.assert_allclose(heading, [0.0, 0.0, 0.1, 0.6])
    np.testing.assert_allclose(curvature, [0.0, 0.0, 0.1, 0.1])


def test_cubics_hold_from_their_start_and_tolerate_rounded_starts():
    cubics = Cubics(np.array([0.0, 10.00000000003]), np.array([[1.0, 0.5, 0.0, 0.0], [2.0, 0.0, 0.25, 0.0]]))
    value, slope = cubics.at(np.array([0.0, 4.0, 9.99, 10.0, 12.0]))
    np.testing.assert_allclose(value, [1.0, 3.0, 5.995, 2.0, 3.0], atol=1e-9)
    np.testing.assert_allclose(slope, [0.5, 0.5, 0.5, 0.0, 1.0], atol=1e-9)


def test_no_records_mean_zero_and_a_blend_arrives_flat():
    value, slope = Cubics(np.zeros(0), np.zeros((0, 4))).at(np.array([3.0]))
    assert value[0] == slope[0] == 0.0
    value, slope = blend(-3.5, 1.0, 20.0).at(np.array([0.0, 20.0]))
    np.testing.assert_allclose(value, [-3.5, 1.0], atol=1e-12)
    np.testing.assert_allclose(slope, [0.0, 0.0], atol=1e-12)
