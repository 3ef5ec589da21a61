"""UN R157: cut-ins, the must-avoid line, judges, and verdicts on whole runs."""

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from verdict_traces import moving, trace_of

from agents.performance_models import PERFORMANCE_MODELS, performance_model
from pipelines.verdicts.cut_in import CutIn, cut_in_outcome
from pipelines.verdicts.lane_runs import front_wheel_past_marking_m, replay, scene_at, straight_lane_run
from pipelines.verdicts.r157 import Outcome, intrusions, r157_verdict

DT_S = 0.02
FAR = {"detection_range_m": 1e9}


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def gap_for_ttc(ttc_s, closing_mps, lateral_mps):
    """Gap at the beginning of a cut-in that has this TTC at intrusion: the wheel has 1.1 m to go until then."""
    return (ttc_s + 1.1 / lateral_mps) * closing_mps


def test_the_moment_of_intrusion():
    case = CutIn(numbers(25.0, 10.0), numbers(15.0, 20.0), numbers(30.0, 5.0), numbers(1.0, 2.0))
    # Half a lane of 1.75 m less half a car of 0.95 m and 0.3 m beyond the marking.
    assert case.intrusion_s().tolist() == pytest.approx([1.1, 0.55])
    assert case.ttc_at_intrusion_s().tolist() == pytest.approx([1.9, math.inf])
    assert case.must_avoid().tolist() == [True, True]
    on_the_line = CutIn(numbers(22.0), numbers(10.0), numbers(gap_for_ttc(1.3, 12.0, 1.0)), numbers(1.0))
    assert not bool(on_the_line.must_avoid())  # 12/12 + 0.35 = 1.35 s
    assert bool(on_the_line.must_avoid(reaction_s=0.25))


@settings(max_examples=6, deadline=None)
@given(st.floats(3.0, 15.0), st.floats(0.8, 1.8), st.sampled_from([(3.5, 1.9), (3.75, 2.0), (3.5, 1.7)]), st.booleans())
def test_reg157_avoids_exactly_what_must_be_avoided(closing, lateral, widths, follow):
    lane_m, car_m = widths
    line = closing / 12 + 0.35
    ttc = line + torch.linspace(-0.2, 0.2, 41, dtype=torch.float64)
    gap = (ttc + (lane_m / 2 - car_m / 2 + 0.3) / lateral) * closing
    model, size = performance_model("reg157", follow=follow, **FAR), {"lane_width_m": lane_m, "width_m": car_m}
    crash = cut_in_outcome(model, 30.0, 30.0 - closing, gap, lateral, dt_s=0.01, **size).collided
    assert bool(crash[ttc < line - 0.02].all())
    assert not bool(crash[ttc > line + 0.02].any())


def test_the_constant_of_the_eu_moves_the_line_of_model_and_rule():
    ttc = numbers(1.2, 1.28, 1.4)  # 12/12 + 0.25 lies between the first two
    gap = gap_for_ttc(ttc, 12.0, 1.2)
    model = performance_model("reg157", follow=False, reaction_s=0.25, **FAR)
    assert cut_in_outcome(model, 30.0, 18.0, gap, 1.2, dt_s=0.01).collided.tolist() == [True, False, False]
    rule = CutIn(*torch.broadcast_tensors(numbers(30.0), numbers(18.0), gap, numbers(1.2)))
    assert rule.must_avoid(reaction_s=0.25).tolist() == [False, True, True]
    assert rule.must_avoid().tolist() == [False, False, True]


def test_the_human_prevents_less_than_reg157_and_more_distance_never_hurts():
    gap = torch.arange(14.0, 60.0, 1.0, dtype=torch.float64)
    crash = {
        name: cut_in_outcome(performance_model(name, follow=False, **FAR), 60 / 3.6, 20 / 3.6, gap, 1.2).collided
        for name in PERFORMANCE_MODELS
    }
    for name, crashes in crash.items():
        assert bool(crashes[0]) and not bool(crashes[-1]), name
        assert bool((crashes[1:] <= crashes[:-1]).all()), name
    assert int(crash["cc_human"].sum()) > int(crash["reg157"].sum())
    # Those that look at what is still beside them, and not only at what has crossed the marking, see it coming.
    assert int(crash["fsm"].sum()) < int(crash["reg157"].sum())
    assert int(crash["rss"].sum()) < int(crash["reg157"].sum())


def test_impact_speed_of_a_cut_in_nobody_can_avoid():
    # 30 m/s against 10 m/s: TTC 1 s at intrusion, 0.35 s of reaction, 0.65 s of braking would take 7/20 of v_rel.
    gap = gap_for_ttc(1.0, 20.0, 1.8)
    outcome = cut_in_outcome(performance_model("reg157", follow=False, **FAR), 30.0, 10.0, gap, 1.8, dt_s=0.01)
    # v^2 = 20^2 - 2 * 6 * (20 * 0.65)
    assert float(outcome.impact_mps) == pytest.approx(math.sqrt(400 - 12 * 13), abs=0.15)
    assert float(outcome.least_gap_m) == 0.0


def test_impossible_cut_ins_are_refused():
    model = performance_model("fsm")
    with pytest.raises(ValueError, match="lateral speed 0"):
        cut_in_outcome(model, 20.0, 10.0, 20.0, 0.0)
    with pytest.raises(ValueError, match="finite"):
        cut_in_outcome(model, 20.0, 10.0, math.nan, 1.0)


@pytest.mark.parametrize("name", PERFORMANCE_MODELS)
def test_outcomes_do_not_depend_on_the_batch(name):
    draw = torch.Generator().manual_seed(5)
    ego, cut, gap, lateral = (torch.rand(4, 40, generator=draw, dtype=torch.float64) + 0.3) * numbers(30, 15, 50, 1.5)[
        :, None
    ]
    model = performance_model(name)
    whole = cut_in_outcome(model, ego, cut, gap, lateral, dt_s=0.1)
    order = torch.randperm(40, generator=draw)
    mixed = cut_in_outcome(model, ego[order], cut[order], gap[order], lateral[order], dt_s=0.1)
    for field, value in vars(whole).items():
        assert torch.equal(getattr(mixed, field), value[order]), field
    alone = cut_in_outcome(model, ego[7], cut[7], gap[7], lateral[7], dt_s=0.1)
    assert bool(alone.collided) == bool(whole.collided[7])
    assert float(alone.impact_mps) == float(whole.impact_mps[7])


# Whole runs


def cut_in_motion(gap_m, speed, lateral, ticks, begins_s=0.0):
    """A car of 4 m x 2 m that comes in from the left, parallel to the lane, as (ticks, 5)."""
    motion = moving((gap_m + 4.0, 0.0), speed, ticks, dt_s=DT_S)
    time_s = torch.arange(ticks, dtype=torch.float64) * DT_S
    motion[:, 1] = (3.5 - lateral * (time_s - begins_s).clamp(min=0.0)).clamp(min=0.0)
    return motion


def lane_run(*runs):
    trace = trace_of(*runs, dt_s=DT_S)
    zero = torch.zeros(trace.runs, dtype=torch.float64)
    run = straight_lane_run(trace, zero[:, None].expand(-1, 2), zero, zero + 3.5)
    lateral = torch.diff(run.offset_m, dim=1, append=run.offset_m[:, -1:]) / DT_S
    return replace(run, lateral_mps=lateral)  # the cars above slide sideways without turning


def cruise(speed, ticks=400):
    return moving((0, 0), speed, ticks, dt_s=DT_S)


def test_straight_lane_coordinates_of_a_turned_lane():
    trace = trace_of([moving((10, 5), 8.0, 5, yaw=math.pi / 2), moving((8, 15), 6.0, 5, yaw=math.pi / 2 + 0.1)])
    run = straight_lane_run(trace, numbers(10.0, 0.0)[None], numbers(math.pi / 2), numbers(3.5))
    assert run.s_m[0, 0].tolist() == pytest.approx([5.0, 15.0])
    assert run.offset_m[0, 0].tolist() == pytest.approx([0.0, 2.0])
    assert run.heading_rad[0, 0].tolist() == pytest.approx([0.0, 0.1])
    assert run.speed_mps[0, 0].tolist() == pytest.approx([8.0, 6.0 * math.cos(0.1)])
    assert run.lateral_mps[0, 0].tolist() == pytest.approx([0.0, 6.0 * math.sin(0.1)])
    scene = scene_at(run, 0)
    along = 2.0 * math.cos(0.1) + 1.0 * math.sin(0.1)
    assert float(scene.gap_m) == pytest.approx(10.0 - along - 2.0)
    assert float(scene.lateral_speed_mps) == pytest.approx(-6.0 * math.sin(0.1))  # it moves away
    assert bool(scene.in_lane_overlap)  # 2.0 m off the middle, a side at 0.83 m


def test_front_wheels_past_the_marking():
    trace = trace_of([moving((0, 0), 8.0, 3), moving((20, 3.5), 8.0, 3), moving((20, -2.0), 8.0, 3, yaw=0.1)])
    run = straight_lane_run(trace, numbers(0.0, 0.0)[None], numbers(0.0), numbers(3.5))
    past = front_wheel_past_marking_m(run)[0, 0]
    assert float(past[1]) == pytest.approx(1.75 - 2.5)
    # The axle is 1.1 m ahead of the middle; the left wheels of the car on the right are the nearer ones.
    wheel_m = 2.0 - 1.1 * math.sin(0.1) - 1.0 * math.cos(0.1)
    assert float(past[2]) == pytest.approx(1.75 - wheel_m)


def test_an_intrusion_and_its_must_avoid_line():
    run = lane_run(
        [cruise(20.0), cut_in_motion(30.0, 10.0, 1.0, 400)], [cruise(20.0), moving((40, 0), 10.0, 400, dt_s=DT_S)]
    )
    cuts = intrusions(run)
    # The wheel begins 0.75 m beside the marking: 1.05 m at 1 m/s.
    assert cuts.happened[:, 0].tolist() == [True, False]  # the second was in the lane from the beginning
    assert float(cuts.tick[0, 0]) * DT_S == pytest.approx(1.05, abs=DT_S)
    assert float(cuts.ttc_s[0, 0]) == pytest.approx(3.0 - 1.05, abs=DT_S)
    assert float(cuts.limit_s[0, 0]) == pytest.approx(10 / 12 + 0.35)
    assert cuts.must_avoid[:, 0].tolist() == [True, False]
    assert float(cuts.ttc_s[1, 0]) == math.inf


def test_verdicts():
    """Four drivers who do nothing: past a cut-in, into one above the line, into one below it, into a standing car."""
    runs = [
        [cruise(10.0), cut_in_motion(30.0, 10.0, 1.0, 400)],
        [cruise(20.0), cut_in_motion(30.0, 10.0, 1.0, 400)],
        [cruise(20.0), cut_in_motion(11.5, 10.0, 1.5, 400)],
        [cruise(20.0), moving((100, 0), 0.0, 400, dt_s=DT_S)],
    ]
    verdict = r157_verdict(lane_run(*runs))
    assert verdict.collided.tolist() == [False, True, True, True]
    assert verdict.cut_in.tolist() == [True, True, True, False]
    assert verdict.must_avoid.tolist() == [False, True, False, False]
    prevented = {name: values.tolist() for name, values in verdict.preventable.items()}
    assert prevented["reg157"] == [True, True, False, True]
    assert [Outcome(int(value)) for value in verdict.outcome[:2]] == [Outcome.PASSED, Outcome.FAILED]
    assert Outcome(int(verdict.outcome[3])) == Outcome.FAILED
    only_the_human = r157_verdict(lane_run(*runs), judges=("cc_human",))
    assert list(only_the_human.preventable) == ["cc_human"]
    assert Outcome(int(only_the_human.outcome[2])) == Outcome.UNPREVENTABLE
    assert verdict.impact_mps.tolist() == pytest.approx([0.0, 10.0, 10.0, 20.0])
    assert verdict.collided_with.tolist() == [0, 1, 1, 1]
    assert float(verdict.margin_s[0]) == math.inf and float(verdict.margin_s[3]) == math.inf
    assert float(verdict.margin_s[1]) == pytest.approx(1.95 - 10 / 12 - 0.35, abs=DT_S)


def test_a_car_that_runs_into_the_ego_from_behind_does_not_count_as_above_the_line():
    run = lane_run([cruise(10.0), cut_in_motion(-40.0, 20.0, 1.0, 400)])
    verdict = r157_verdict(run)
    assert bool(verdict.collided) and not bool(verdict.must_avoid)
    assert float(verdict.impact_mps) == pytest.approx(-10.0)


def test_the_following_gap():
    # 20 m/s: 1.72 s, 34.4 m. Half that at the beginning, opening at 5 m/s.
    run = lane_run([cruise(20.0), moving((21.2, 0), 25.0, 400, dt_s=DT_S)])
    verdict = r157_verdict(run)
    assert float(verdict.least_gap_ratio) == pytest.approx(0.5)
    assert float(verdict.below_gap_s) == pytest.approx(17.2 / 5, abs=DT_S)
    alone = r157_verdict(lane_run([cruise(20.0), moving((40, 3.5), 25.0, 400, dt_s=DT_S)]))
    assert float(alone.least_gap_ratio) == math.inf and float(alone.below_gap_s) == 0.0


def test_replaying_with_others_that_come_and_go():
    """A car that stands in the way is no danger once it is gone, and nothing it holds then matters."""
    run = lane_run([cruise(15.0), moving((120, 0), 0.0, 400, dt_s=DT_S)])
    assert bool(r157_verdict(run).collided)
    gone = run.valid.clone()
    gone[:, 100:, 1] = False
    nothing = run.s_m.clone()
    nothing[:, 100:, 1] = math.nan
    for name in PERFORMANCE_MODELS:
        outcome = replay(performance_model(name, follow=False), replace(run, valid=gone, s_m=nothing))
        assert not bool(outcome.collided)
        assert float(outcome.final_speed_mps) == pytest.approx(15.0, abs=1e-9)


def test_permuting_runs_permutes_verdicts():
    runs = [[cruise(10.0 + 3 * n), cut_in_motion(8.0 + 4 * n, 8.0, 0.8 + 0.2 * n, 400)] for n in range(5)]
    order = torch.tensor([4, 1, 3, 0, 2])
    whole, mixed = r157_verdict(lane_run(*runs)), r157_verdict(lane_run(*runs).rows(order))
    assert torch.equal(mixed.outcome, whole.outcome[order])
    assert torch.equal(mixed.margin_s, whole.margin_s[order])
    for name in PERFORMANCE_MODELS:
        assert torch.equal(mixed.preventable[name], whole.preventable[name][order])
