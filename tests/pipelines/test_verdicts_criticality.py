"""Boxes, criticality, faults and comfort against closed-form answers."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from verdict_traces import DT_S, moving, trace_of

from pipelines.verdicts import criticality as crit
from pipelines.verdicts.boxes import contact_window_s, overlap, relative_boxes
from pipelines.verdicts.comfort import comfort, parabola
from pipelines.verdicts.fault import Contact, collisions
from pipelines.verdicts.trace import Trace


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_measures_of_gaps_and_speeds():
    gap, closing = numbers(20.0, 20.0, 0.0, 20.0), numbers(5.0, -5.0, 5.0, 0.0)
    assert crit.ttc_s(gap, closing).tolist() == [4.0, math.inf, 0.0, math.inf]
    assert crit.thw_s(gap, numbers(10.0, 0.0, 10.0, -1.0)).tolist() == [2.0, math.inf, 0.0, math.inf]
    assert crit.drac_mps2(gap, closing).tolist() == [0.625, 0.0, math.inf, 0.0]
    assert crit.btn(gap, closing, -3.0, 8.0).tolist() == pytest.approx([3.625 / 8, 0.0, math.inf, 0.0])
    assert crit.btn(gap, closing, 1.0, 8.0).tolist() == [0.0, 0.0, math.inf, 0.0]


def test_tet_and_tit():
    ttc = numbers(math.inf, 2.0, 1.5, 1.0, 0.5)
    assert float(crit.tet_s(ttc, 0.1, 1.5)) == pytest.approx(0.3)
    assert float(crit.tit_s2(ttc, 0.1, 1.5)) == pytest.approx((0.5 + 1.0) * 0.1)


def test_criticality_of_closing_in_on_a_slower_lead():
    # 20 m/s behind 10 m/s, 30 m between the reference points of two cars of 4 m: 26 m bumper to bumper.
    result = crit.criticality(trace_of([moving((0, 0), 20.0, 11), moving((30, 0), 10.0, 11)]))
    gap = 26.0 - 10.0 * DT_S * np.arange(11)
    assert result.ttc_s[0].tolist() == pytest.approx((gap / 10).tolist())
    assert result.ttc_sweep_s[0].tolist() == pytest.approx((gap / 10).tolist())
    assert result.thw_s[0].tolist() == pytest.approx((gap / 20).tolist())
    assert result.drac_mps2[0].tolist() == pytest.approx((100 / (2 * gap)).tolist())
    assert float(result.min_ttc_s) == pytest.approx(1.6)
    assert float(result.max_btn) == pytest.approx(100 / 32 / 8)
    assert float(result.rss_violation_s) == pytest.approx(1.1)  # 48.77 m would be safe


def test_nothing_is_critical_without_conflict():
    clear = [moving((0, 0), 20.0, 11), moving((30, 5), 10.0, 11), moving((-20, 0), 30.0, 11)]
    result = crit.criticality(trace_of(clear))
    assert bool(torch.isinf(result.ttc_s).all() & torch.isinf(result.thw_s).all())
    assert float(result.max_drac_mps2) == float(result.max_btn) == float(result.tet_s) == float(result.tit_s2) == 0.0
    assert not bool(result.rss_violation.any())
    alone = crit.criticality(trace_of([moving((0, 0), 20.0, 11)]))
    assert float(alone.min_ttc_sweep_s) == math.inf and float(alone.max_drac_mps2) == 0.0


def test_an_actor_that_is_not_there_does_not_count_whatever_its_numbers_are():
    trace = trace_of([moving((0, 0), 20.0, 11), moving((10, 0), 0.0, 11)])
    gone = trace.valid.clone()
    gone[:, :, 1] = False
    nothing = trace.xy_world_m.clone()
    nothing[:, :, 1] = math.nan
    result = crit.criticality(replace(trace, valid=gone, xy_world_m=nothing))
    assert float(result.min_ttc_s) == float(result.min_ttc_sweep_s) == math.inf
    assert not bool(collisions(replace(trace, valid=gone, xy_world_m=nothing)).hit.any())


def test_valid_entries_must_be_finite_and_shapes_must_agree():
    trace = trace_of([moving((0, 0), 20.0, 5)])
    broken = trace.speed_mps.clone()
    broken[0, 3, 0] = math.nan
    with pytest.raises(ValueError, match=r"speed_mps\[0, 3, 0\] = nan"):
        replace(trace, speed_mps=broken)
    with pytest.raises(ValueError, match=r"size_m has shape \(1, 2, 3\); expected \(1, 1, 3\)"):
        replace(trace, size_m=torch.ones(1, 2, 3))
    with pytest.raises(ValueError, match="time step must be positive"):
        replace(trace, dt_s=0.0)
    again = Trace.of(**{name: value.numpy() if name != "dt_s" else value for name, value in vars(trace).items()})
    assert torch.equal(again.xy_world_m, trace.xy_world_m) and again.valid.dtype == torch.bool


def test_post_encroachment_time_of_a_crossing():
    # Cars of 4 m x 2 m at 10 m/s: the ego's rear leaves the crossing at x = 1, the other's front reaches y = -1.
    ego, other = moving((-20, 0), 10.0, 81), moving((0, -40), 10.0, 81, yaw=math.pi / 2)
    exits_s, enters_s = (20 + 1 + 2) / 10, (40 - 1 - 2) / 10
    pet = crit.pet_s(trace_of([ego, other]))
    assert enters_s - exits_s - 1e-9 <= float(pet[0, 1]) <= enters_s - exits_s + 2 * DT_S
    assert float(pet[0, 0]) == math.inf
    assert torch.equal(crit.pet_s(trace_of([other, ego])), pet)  # whoever is first
    assert float(crit.pet_s(trace_of([ego, other]), horizon_s=1.0)[0, 1]) == math.inf
    meets = crit.pet_s(trace_of([moving((-20, 0), 10.0, 61), moving((0, -20), 10.0, 61, yaw=math.pi / 2)]))
    assert float(meets[0, 1]) == 0.0


def test_ttc_by_sweep_of_crossing_boxes():
    # Front edges meet the other's lane at the same time: |x| <= 2 + 1 from t = 1.7 s on, |y| <= 1 + 2 from t = 1.7 s.
    boxes = relative_boxes(trace_of([moving((-20, 0), 10.0, 3), moving((0, -20), 10.0, 3, yaw=math.pi / 2)]))
    enter, leave = contact_window_s(boxes)
    assert float(enter[0, 0, 1]) == pytest.approx(1.7) and float(leave[0, 0, 1]) == pytest.approx(2.3)
    boxes = relative_boxes(trace_of([moving((-20, 0), 10.0, 3), moving((0, -30), 10.0, 3, yaw=math.pi / 2)]))
    assert float(contact_window_s(boxes)[0][0, 0, 1]) == math.inf


def brute_force_overlap(a, b):
    """Whether rectangles (x, y, yaw, length, width) overlap, by looking for a corner grid point of one in the other."""

    def grid(box):
        x, y, yaw, length, width = box
        u, v = np.meshgrid(np.linspace(-0.5, 0.5, 41) * length, np.linspace(-0.5, 0.5, 41) * width)
        return x + u * np.cos(yaw) - v * np.sin(yaw), y + u * np.sin(yaw) + v * np.cos(yaw)

    def inside(points, box):
        x, y, yaw, length, width = box
        dx, dy = points[0] - x, points[1] - y
        along, across = dx * np.cos(yaw) + dy * np.sin(yaw), dy * np.cos(yaw) - dx * np.sin(yaw)
        return bool(((np.abs(along) < length / 2) & (np.abs(across) < width / 2)).any())

    return inside(grid(a), b) or inside(grid(b), a)


coordinate = st.floats(-5.0, 5.0)
angle = st.floats(-math.pi, math.pi)


@settings(max_examples=60, deadline=None)
@given(coordinate, coordinate, angle, angle)
def test_overlap_of_turned_boxes(x, y, ego_yaw, yaw):
    trace = trace_of(
        [moving((0, 0), 0.0, 3, yaw=ego_yaw), moving((x, y), 0.0, 3, yaw=yaw)], sizes=[(4, 2, 1), (3, 1, 1)]
    )
    ours = bool(overlap(relative_boxes(trace))[0, 0, 1])
    grown = [brute_force_overlap((0, 0, ego_yaw, 4 + d, 2 + d), (x, y, yaw, 3 + d, 1 + d)) for d in (-0.3, 0.3)]
    if grown[0] == grown[1]:  # not within the grid's own resolution of touching
        assert ours == grown[0]


@settings(max_examples=60, deadline=None)
@given(coordinate, coordinate, angle, angle, st.floats(0, 10), st.floats(0, 10))
def test_contact_windows_are_when_boxes_overlap(x, y, ego_yaw, yaw, ego_mps, mps):
    trace = trace_of([moving((-8, -8), ego_mps, 31, yaw=ego_yaw), moving((x, y), mps, 31, yaw=yaw)])
    boxes = relative_boxes(trace)
    enter, leave = (float(edge[0, 0, 1]) for edge in contact_window_s(boxes))
    touching = overlap(boxes)[0, :, 1].tolist()
    for tick, touches in enumerate(touching):
        time_s = tick * DT_S
        if min(abs(time_s - enter), abs(time_s - leave)) > 1e-6:
            assert touches == (enter < time_s < leave)


def test_kinds_of_collisions_and_faults():
    ego = moving((0, 0), 10.0)
    runs = {
        Contact.NONE: [ego, moving((60, 0), 10.0)],
        Contact.STOPPED_OTHER: [ego, moving((20, 0), 0.0)],
        Contact.FRONT: [ego, moving((20, 0), 2.0)],
        Contact.REAR: [ego, moving((-20, 0), 20.0)],
        Contact.LATERAL: [ego, moving((-1, 8), 12.0, yaw=-0.5)],
        Contact.STOPPED_EGO: [moving((0, 0), 0.0), moving((20, 0), 10.0, yaw=math.pi)],
    }
    trace = trace_of(*runs.values())
    result = collisions(trace)
    assert [Contact(int(kind)) for kind in result.contact[:, 1]] == list(runs)
    assert result.at_fault[:, 1].tolist() == [False, True, True, False, False, False]
    loose = collisions(trace, off_lane=torch.ones(len(runs), 31, dtype=torch.bool))
    assert loose.at_fault[:, 1].tolist() == [False, True, True, False, True, False]
    # The gap of 16 m closes at 10 m/s by tick 17, the first with overlap; speeds are those of the tick before.
    assert int(result.tick[1, 1]) == 17 and float(result.impact_mps[1, 1]) == 10.0
    assert float(result.impact_mps[2, 1]) == pytest.approx(8.0) and float(result.other_speed_mps[2, 1]) == 2.0
    assert int(result.first_tick()[0]) == torch.iinfo(torch.int64).max
    assert result.any_at_fault().tolist() == [False, True, True, False, False, False]


def test_the_reference_point_is_not_the_middle_of_the_box():
    # With the box 1.5 m ahead of the reference point of both cars, the gap is the same; of the ego alone it is shorter.
    trace = trace_of([moving((0, 0), 10.0), moving((30, 0), 0.0)], offset=1.5)
    assert float(crit.criticality(trace).ttc_s[0, 0]) == pytest.approx(2.6)
    ego_only = replace(trace, centre_offset_m=numbers(1.5, 0.0)[None])
    assert float(crit.criticality(ego_only).ttc_s[0, 0]) == pytest.approx(2.45)


def test_parabolas_are_exact_for_parabolas_to_the_ends_of_runs_of_any_length():
    time_s = torch.arange(40, dtype=torch.float64) * DT_S
    values = (3.0 + 2.0 * time_s - 0.5 * time_s**2).expand(3, 40).clone()
    ticks = torch.tensor([40, 20, 4])
    for row, end in enumerate(ticks.tolist()):
        values[row, end:] = math.nan
    for derivative, expected in [(0, values[0]), (1, 2.0 - time_s), (2, time_s * 0 - 1.0)]:
        result = parabola(values, ticks, DT_S, 1.5, derivative)
        for row, end in enumerate(ticks.tolist()):
            assert result[row, :end].tolist() == pytest.approx(expected[:end].tolist(), abs=1e-9)
    with pytest.raises(ValueError, match="run 1 has 2 ticks"):
        parabola(values, torch.tensor([40, 2, 4]), DT_S, 1.5, 1)


def test_comfort_of_braking_and_of_a_bend():
    gentle, hard = moving((0, 0), 20.0, accel=-3.0), moving((0, 0), 20.0, accel=-5.0)
    result = comfort(trace_of([gentle], [hard]))
    assert result.min_longitudinal_accel_mps2.tolist() == pytest.approx([-3.0, -5.0])
    assert result.comfortable().tolist() == [True, False]
    bend = trace_of([moving((0, 0), 10.0)], [moving((0, 0), 10.0)])
    rate = numbers(0.45, 0.55)[:, None]
    yaw = rate * DT_S * torch.arange(31, dtype=torch.float64)
    yaw = torch.atan2(torch.sin(yaw), torch.cos(yaw))  # wrapped, as simulators report it
    result = comfort(replace(bend, yaw_world_rad=yaw[..., None]))
    assert result.max_yaw_rate_radps.tolist() == pytest.approx([0.45, 0.55])
    assert result.max_lateral_accel_mps2.tolist() == pytest.approx([4.5, 5.5])
    assert result.comfortable().tolist() == [True, False]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**31))
def test_a_run_is_judged_the_same_in_any_batch(seed):
    draw = torch.Generator().manual_seed(seed)
    drawn = torch.rand(7, 4, 5, generator=draw, dtype=torch.float64)

    def motion(p):
        return moving((40 * p[0] - 20, 20 * p[1] - 10), 20 * p[2], 21, yaw=6 * p[3], accel=float(4 * p[4] - 2))

    trace = trace_of(*[[motion(actor) for actor in run] for run in drawn])
    order = torch.randperm(7, generator=draw)
    for judge in (crit.criticality, collisions, comfort):
        whole, mixed, single = judge(trace), judge(trace.map(lambda x: x[order])), judge(trace.map(lambda x: x[3:4]))
        for name, value in vars(whole).items():
            assert torch.equal(getattr(mixed, name), value[order]), name
            assert torch.equal(getattr(single, name), value[3:4]), name
            assert not bool(torch.isnan(value.double()).any())
    whole = crit.criticality(trace)
    assert bool((whole.ttc_s >= 0).all() & (whole.drac_mps2 >= 0).all() & (whole.tit_s2 <= 1.5 * whole.tet_s).all())
