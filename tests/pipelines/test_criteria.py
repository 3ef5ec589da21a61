"""Criteria of scenarios: measures in scenes with closed-form answers, bounds, and the agreement with the format."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from verdict_traces import moving, trace_of

from pipelines.verdicts.boxes import relative_boxes
from pipelines.verdicts.criteria import GOAL_M, MEASURES, Facts, box_distance_m, judge, off_road
from sim.roads.lanemaps import EdgeMap
from sim.scenarios.model import Criterion
from sim.scenarios.values import Draw, Scope, Value, constant
from sim.scenarios.yaml_criteria import CRITERIA
from sim.scenarios.yaml_tree import Key

HERE = Key(Path("test.yaml"), 1, "criteria")


def criterion(name, rule="equalTo", value=1.0):
    return Criterion(name, rule, constant(value, HERE), HERE)


def measured(name, trace, facts=None):
    return MEASURES[name](trace, facts or Facts()).tolist()


def test_every_criterion_of_the_format_is_measured_and_no_other():
    assert set(MEASURES) == set(CRITERIA)


def test_collisions_are_counted_and_blamed():
    into = trace_of([moving((0, 0), 10), moving((15, 0), 0)], [moving((0, 0), 10), moving((15, 5), 0)])
    assert measured("no_collision", into) == [1, 0]
    assert measured("no_at_fault_collision", into) == [1, 0]
    from_behind = trace_of([moving((0, 0), 0), moving((-20, 0), 10)])
    assert measured("no_collision", from_behind) == [1]
    assert measured("no_at_fault_collision", from_behind) == [0]


def test_gap_ttc_and_headway_of_two_cars_in_line():
    """4 m long cars 20 m apart between centres, closing at 4 m/s for 3 s: 16 m at first, 4 m at last."""
    trace = trace_of([moving((0, 0), 10), moving((20, 0), 6)])
    assert measured("min_gap_m", trace) == pytest.approx([4.0])
    assert measured("min_ttc_s", trace) == pytest.approx([1.0])
    assert measured("min_headway_s", trace) == pytest.approx([0.4])


def test_gap_between_corners():
    """A car turned by 45 degrees: its corner is sqrt(5) = half diagonal from its middle, along the diagonal's angle."""
    trace = trace_of([moving((0, 0), 0), moving((10, 0), 0, yaw=math.pi / 4)])
    reach = max(abs(2 * math.cos(math.pi / 4) + s * math.sin(math.pi / 4)) for s in (-1, 1))
    assert measured("min_gap_m", trace) == pytest.approx([10 - 2 - reach])


@settings(max_examples=60, deadline=None)
@given(st.floats(-12, 12), st.floats(-12, 12), st.floats(-4, 4))
def test_box_distance_agrees_with_dense_sampling(x, y, yaw):
    trace = trace_of([moving((0, 0), 0, ticks=3), moving((x, y), 0, ticks=3, yaw=yaw)])
    side = np.linspace(-1, 1, 41)
    rim = np.concatenate([np.stack([side * 2, np.full(41, s)], 1) for s in (-1, 1)])
    rim = np.concatenate([rim, *(np.stack([np.full(41, 2 * s), side], 1) for s in (-1, 1))])
    turn = np.array([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])
    other = rim @ turn.T + np.array([x, y])
    sampled = np.hypot(*(rim[:, None] - other[None]).transpose(2, 0, 1)).min()
    distance = float(box_distance_m(relative_boxes(trace))[0, 0, 1])
    assert distance <= sampled + 1e-9
    assert distance == 0.0 or sampled - distance < 0.08


def test_goal_time_and_distance():
    trace = trace_of([moving((0, 0), 10)], [moving((0, 0), 2)])
    facts = Facts(goal_xy_world_m=torch.tensor([[25.0, 0.0], [25.0, 0.0]], dtype=torch.float64))
    assert measured("reach_goal", trace, facts) == pytest.approx([0.0, 19.0])
    assert measured("finish_before_s", trace, facts)[0] == pytest.approx((25.0 - GOAL_M) / 10)
    assert measured("finish_before_s", trace, facts)[1] == math.inf


def test_speeds_braking_and_standstill():
    trace = trace_of([moving((0, 0), 8, accel=-4)], [moving((0, 0), 8)])
    assert measured("max_decel_mps2", trace) == pytest.approx([4.0, 0.0])
    assert measured("stop_before_s", trace) == pytest.approx([2.0, math.inf])
    assert measured("max_speed_mps", trace) == pytest.approx([8.0, 8.0])
    assert measured("min_speed_mps", trace) == pytest.approx([0.0, 8.0])
    assert measured("min_mean_speed_mps", trace)[1] == pytest.approx(8.0)


def test_cornering_is_speed_times_yaw_rate():
    ticks = torch.arange(31, dtype=torch.float64) * 0.1
    yaw = 0.3 * ticks
    radius = 10 / 0.3
    motion = torch.stack(
        [radius * torch.sin(yaw), radius * (1 - torch.cos(yaw)), yaw, torch.full_like(yaw, 10), 0 * yaw], dim=1
    )
    assert measured("max_lateral_accel_mps2", trace_of([motion])) == pytest.approx([3.0], rel=1e-6)


def test_off_road_by_an_edge_map():
    """A road from y = -4 to 4 along x: a car of 2 m width is off it where its middle is more than 3 m aside."""
    y = np.arange(-8.0, 8.01, 0.5)
    edge = EdgeMap(np.array([-20.0, -8.0]), np.repeat((4.0 - np.abs(y))[:, None], 200, 1).astype(np.float32))
    runs = [[moving((0, aside), 10)] for aside in (0.0, 2.9, 3.3, -3.3)]
    off = off_road(trace_of(*runs), edge, 0.5)
    assert off.any(dim=1).tolist() == [False, False, True, True]
    assert measured("stay_on_road", trace_of(*runs), Facts(off_road=off))[2] == pytest.approx(3.1)


def test_bounds_may_differ_by_run_and_pass_on_the_right_side():
    scope = Scope({"bound": constant(0.5, HERE)})
    bound = Value("$bound", HERE, scope)
    trace = trace_of([moving((0, 0), 10), moving((20, 0), 6)], [moving((0, 0), 10), moving((20, 0), 6)])
    criteria = [
        Criterion("min_ttc_s", "greaterOrEqual", bound, HERE),
        Criterion("max_speed_mps", "lessOrEqual", bound, HERE),
        criterion("no_collision"),
    ]
    ttc, speed, collision = judge(criteria, Draw(2, {"bound": np.array([0.9, 1.1])}), trace, Facts())
    assert ttc.passed.tolist() == [True, False]
    assert ttc.bound.tolist() == [0.9, 1.1]
    assert not speed.passed.any()
    assert collision.passed.all()
    assert collision.value.tolist() == [0.0, 0.0]


def test_runs_do_not_depend_on_their_batch():
    runs = [[moving((0, 0), 10), moving((12 + i, 0.7 * i), 4, yaw=0.1 * i)] for i in range(4)]
    for name in MEASURES:
        facts = Facts(torch.zeros((4, 31), dtype=torch.bool), None, torch.ones((4, 2), dtype=torch.float64))
        one = Facts(torch.zeros((1, 31), dtype=torch.bool), None, torch.ones((1, 2), dtype=torch.float64))
        assert measured(name, trace_of(*runs), facts) == [measured(name, trace_of(run), one)[0] for run in runs]


def test_what_cannot_be_measured_is_an_error():
    trace = trace_of([moving((0, 0), 10)])
    with pytest.raises(ValueError, match=r"polite.*there are no_collision"):
        judge([criterion("polite")], Draw(1), trace, Facts())
    with pytest.raises(ValueError, match="goal"):
        judge([criterion("reach_goal")], Draw(1), trace, Facts())
    with pytest.raises(ValueError, match="edge"):
        judge([criterion("stay_on_road")], Draw(1), trace, Facts())
