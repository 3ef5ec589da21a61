"""The performance models of UN R157: their constants, how each responds to danger, and that they follow sanely."""

import itertools
import math
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import safety_distances as distances
from agents.performance_models import PERFORMANCE_MODELS, Scene, performance_model

DT_S = 0.05


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def scene(ego_mps, gap_m=(), lead_mps=(), lead_accel=(), lateral_gap_m=None, lateral_mps=None, ego_accel=None):
    """One row per ego speed; one other in its lane, unless told otherwise."""
    speed = numbers(*ego_mps)
    zero = torch.zeros_like(speed)
    column = zero[:, None] if len(gap_m) else torch.zeros(len(speed), 0, dtype=torch.float64)
    gap = numbers(*gap_m)[:, None] if len(gap_m) else column
    lateral = column if lateral_gap_m is None else numbers(*lateral_gap_m)[:, None]
    return Scene(
        ego_speed_mps=speed,
        ego_lateral_mps=zero,
        ego_accel_mps2=zero if ego_accel is None else numbers(*ego_accel),
        ego_size_m=torch.tensor([4.3, 1.9, 1.5], dtype=torch.float64).expand(len(speed), 3),
        lane_width_m=zero + 3.5,
        gap_m=gap,
        lateral_gap_m=lateral,
        lateral_offset_m=torch.where(lateral > 0, lateral + 1.9, 0.0),
        lateral_speed_mps=column if lateral_mps is None else numbers(*lateral_mps)[:, None],
        speed_mps=numbers(*lead_mps)[:, None] if len(lead_mps) else column,
        accel_mps2=numbers(*lead_accel)[:, None] if len(lead_accel) else column,
        length_m=column + 4.3,
        width_m=column + 1.9,
        in_lane_overlap=lateral < 0.8,
        valid=torch.ones_like(gap, dtype=torch.bool),
    )


def drive_behind(model, ego_mps, gap_m, lead_mps, dt_s=DT_S, set_speed_mps=None):
    """Speeds and gaps (T, B) of cars behind leads of speeds (T, B), each starting with its own speed and gap."""
    speed, gap, accel = numbers(*ego_mps), numbers(*gap_m), torch.zeros(len(ego_mps), dtype=torch.float64)
    state = model.start(len(speed), set_speed_mps=None if set_speed_mps is None else speed * 0 + set_speed_mps)
    speeds, gaps = [], []
    for now, then in itertools.pairwise(lead_mps):
        view = scene(speed, gap, now, (then - now) / dt_s, ego_accel=accel)
        accel, state = model.step(state, view, dt_s)
        gap = gap + (now + then) / 2 * dt_s - speed * dt_s - accel * dt_s**2 / 2
        speed = speed + accel * dt_s
        speeds.append(speed)
        gaps.append(gap)
    return torch.stack(speeds), torch.stack(gaps)


def test_time_gap_of_the_regulation():
    speed = numbers(0.0, 2.0, 10 / 3.6, 50 / 3.6, 60 / 3.6, 130 / 3.6)
    assert distances.following_time_gap_s(speed).tolist() == pytest.approx([1.0, 1.0, 1.1, 1.5, 1.6, 2.3])
    gap = distances.minimum_following_gap_m(speed)
    assert gap.tolist() == pytest.approx([2.0, 2.0, 11 / 3.6, 75 / 3.6, 96 / 3.6, 299 / 3.6])
    assert float(distances.following_time_gap_s(numbers((2.0 + 10 / 3.6) / 2))) == pytest.approx(1.05)


def test_must_avoid_line_and_its_constant():
    assert distances.must_avoid_ttc_s(numbers(0.0, 6.0, 12.0)).tolist() == pytest.approx([0.35, 0.85, 1.35])
    assert float(distances.must_avoid_ttc_s(numbers(12.0), reaction_s=0.25)) == pytest.approx(1.25)


def test_rss_distances():
    # 20*0.75 + 3*0.75^2/2 + (20+2.25)^2/12 - 10^2/12 = 15 + 0.84375 + 41.255208 - 8.333333
    assert float(distances.rss_longitudinal_m(numbers(20.0), numbers(10.0))) == pytest.approx(48.7656250)
    # 0.3 + (2+0.75)*0.75/2 + 1.75^2/2 = 0.3 + 1.03125 + 1.53125
    assert float(distances.rss_lateral_m(numbers(1.0))) == pytest.approx(2.8625)
    assert float(distances.rss_lateral_m(numbers(0.0))) == pytest.approx(0.3 + 0.28125 + 0.28125)


def test_proactive_fuzzy_metric():
    speed, lead = numbers(20.0), numbers(14.0)
    # safe 15 + 50 - 14 + 2 = 53, unsafe 15 + 33.3333 - 14 = 34.3333; the gap counts less 2 m
    for gap, expected in [(55.0, 0.0), (60.0, 0.0), (36.3333333, 1.0), (20.0, 1.0), (45.6666667, 0.5)]:
        assert float(distances.proactive_fuzzy(numbers(gap), speed, lead)) == pytest.approx(expected, abs=1e-6)
    assert float(distances.fsm_safe_m(speed, lead)) == pytest.approx(55.0)


def test_critical_fuzzy_metric():
    speed, lead, steady = numbers(20.0), numbers(12.0), numbers(0.0)
    # closing 8: 8*0.75 + 64/8 = 14 is safe, 6 + 64/12 = 11.3333 is not
    for gap, expected in [(14.0, 0.0), (11.3333333, 1.0), (12.6666667, 0.5), (5.0, 1.0)]:
        assert float(distances.critical_fuzzy(numbers(gap), speed, lead, steady)) == pytest.approx(expected, abs=1e-6)
    assert float(distances.critical_fuzzy(numbers(1.0), lead, speed, steady)) == 0.0
    # braking with 8 (counted as 4), closing 2: slower after 0.75 s, and 2^2/16 = 0.25 m decides
    for gap, expected in [(0.2, 1.0), (0.3, 0.0)]:
        assert float(distances.critical_fuzzy(numbers(gap), numbers(14.0), lead, numbers(-8.0))) == expected
    # accelerating with 2: after = 8 + 1.5; 8.75*0.75 + 9.5^2/8
    edge = 8.75 * 0.75 + 9.5**2 / 8
    assert float(distances.critical_fuzzy(numbers(edge - 1e-9), speed, lead, numbers(2.0))) == pytest.approx(
        0, abs=1e-6
    )
    assert float(distances.critical_fuzzy(numbers(edge - 0.5), speed, lead, numbers(2.0))) > 0.1


def response(name, seconds, dt_s=0.05, follow=False, **constants):
    """Accelerations over time when the way is suddenly blocked 20 m ahead at 20 m/s."""
    model = performance_model(name, follow=follow, **constants)
    state, accels = model.start(1), []
    for _ in range(round(seconds / dt_s)):
        accel, state = model.step(state, scene([20.0], [20.0], [0.0]), dt_s)
        accels.append(float(accel[0]))
    return accels


def test_reg157_holds_its_speed_for_035_s_then_brakes_with_6():
    assert response("reg157", 0.6) == pytest.approx([0.0] * 7 + [-6.0] * 5)


def test_reaction_times_between_ticks_are_kept_on_average():
    # Ticks of 0.1 s: the brakes come on in the middle of the fourth.
    assert response("reg157", 0.6, dt_s=0.1) == pytest.approx([0.0, 0.0, 0.0, -3.0, -6.0, -6.0])


def test_the_human_coasts_while_reacting_then_brakes_within_the_jerk_limit():
    accels = response("cc_human", 2.0)
    ramp = [-min(0.4 + 12.65 * 0.05 * n, 0.774 * 9.81) for n in range(1, 26)]
    assert accels[:15] == pytest.approx([-0.4] * 15)
    assert accels[15:] == pytest.approx(ramp)
    assert accels[-1] == pytest.approx(-7.59294)


def test_rss_holds_its_speed_for_075_s_then_brakes_as_the_human():
    accels = response("rss", 2.0)
    assert accels == pytest.approx([0.0] * 15 + [-min(12.65 * 0.05 * n, 7.59294) for n in range(1, 26)])


def test_fsm_brakes_as_hard_as_its_metrics_say():
    assert response("fsm", 2.0)[-1] == pytest.approx(-6.0)  # CFS = 1
    model = performance_model("fsm", follow=False)
    state = model.start(1)
    for _ in range(60):  # CFS 0, PFS 0.5 (see above): 4/2 m/s2
        accel, state = model.step(state, scene([20.0], [45.6666667], [14.0]), 0.05)
    assert float(accel[0]) == pytest.approx(-2.0, abs=1e-6)


@pytest.mark.parametrize("name", PERFORMANCE_MODELS)
def test_nobody_reacts_to_an_empty_road_or_to_what_is_invalid_beside_or_behind(name):
    model = performance_model(name, follow=False)
    empty, _ = model.step(model.start(2), scene([20.0, 0.0]), DT_S)
    assert empty.tolist() == [0.0, 0.0]
    blocked = scene([20.0] * 3, [5.0, 5.0, -30.0], [0.0] * 3, lateral_gap_m=[0.0, 5.0, 0.0])
    blocked.valid[0] = False
    for driver in (model, replace(model, follow=True)):
        state = driver.start(3)
        for _ in range(40):
            accel, state = driver.step(state, blocked, DT_S)
            assert accel.tolist() == [0.0, 0.0, 0.0]


def test_reg157_sees_46_m_far_and_half_a_metre_beside_its_corridor():
    """Half a metre beside a car 1.9 m wide is 0.3 m inside a lane of 3.5 m; in a wider lane that is sooner."""
    model = performance_model("reg157", follow=False)
    wide = scene([30.0] * 2, [5.0] * 2, [0.0] * 2, lateral_gap_m=[0.74, 0.76])
    _, state = model.step(model.start(2), replace(wide, lane_width_m=wide.lane_width_m + 0.5), DT_S)
    assert state.alarmed.tolist() == [True, False]
    view = scene([30.0] * 4, [45.9, 46.1, 5.0, 5.0], [0.0] * 4, lateral_gap_m=[0.0, 0.0, 0.49, 0.51])
    _, state = model.step(model.start(4), view, DT_S)
    assert state.alarmed.tolist() == [True, False, True, False]


def test_the_human_recognises_a_cut_in_after_0375_and_072_m():
    model = performance_model("cc_human", follow=False)
    edge = 3.5 - 0.375 - 0.72 - 1.9  # the lateral gap when the other's middle is 1.095 m off its lane's
    view = scene([20.0] * 2, [10.0] * 2, [10.0] * 2, lateral_gap_m=[edge - 0.01, edge + 0.01], lateral_mps=[1.0] * 2)
    _, state = model.step(model.start(2), view, DT_S)
    assert state.alarmed.tolist() == [True, False]


def test_the_human_takes_04_s_more_to_see_that_a_lead_brakes_hard():
    model = performance_model("cc_human", follow=False)
    view = scene([20.0] * 3, [19.0, 30.0, 41.0], [10.0, 20.0, 20.0], [0.0, -6.0, -6.0])
    _, state = model.step(model.start(3), view, DT_S)
    assert state.alarmed.tolist() == [True, True, False]  # TTC 1.9 s; headway 1.5 s; headway above 2 s
    assert state.reaction_s[:2].tolist() == pytest.approx([0.75 - DT_S, 1.15 - DT_S])


@pytest.mark.parametrize("name", PERFORMANCE_MODELS)
def test_models_keep_their_first_speed_and_return_to_it_gently(name):
    model = performance_model(name)
    _, state = model.step(model.start(1), scene([20.0]), DT_S)
    speed = 12.0
    for _ in range(800):
        accel, state = model.step(state, scene([speed]), DT_S)
        assert float(accel[0]) <= 1.0
        speed += float(accel[0]) * DT_S
    assert speed == pytest.approx(20.0, abs=0.05)


@pytest.mark.parametrize("name", PERFORMANCE_MODELS)
def test_models_settle_behind_slower_leads(name):
    lead = numbers(0.0, 5.0, 15.0)
    fast = 60 / 3.6 if name == "reg157" else 25.0  # its 46 m are made for 60 km/h
    speeds, gaps = drive_behind(performance_model(name), [fast] * 3, [120.0] * 3, lead.expand(2000, 3))
    assert float(gaps.min()) > 1.0
    assert speeds[-1].tolist() == pytest.approx(lead.tolist(), abs=0.2)
    assert bool((gaps[-1] > 0.95 * distances.minimum_following_gap_m(lead)).all())


@pytest.mark.parametrize("name", PERFORMANCE_MODELS)
def test_models_do_not_crash_behind_a_lead_that_pulls_away_and_brakes(name):
    time_s = torch.arange(1200, dtype=torch.float64)[:, None] * DT_S
    brake_mps2 = numbers(2.0, 3.0, 4.0, 6.0)
    pull, brake = (1.5 * time_s).clamp(max=15.0), 15.0 - (time_s - 40.0).clamp(min=0.0) * brake_mps2
    lead = torch.minimum(pull, brake).clamp(min=0.0)
    speeds, gaps = drive_behind(performance_model(name), [0.0] * 4, [5.0] * 4, lead, set_speed_mps=20.0)
    assert bool((speeds.amax(dim=0) > 14.0).all())
    assert speeds[-1].tolist() == pytest.approx([0.0] * 4, abs=0.4)  # it creeps up to the lead
    assert float(gaps.min()) > 0.5


@pytest.mark.parametrize("name", PERFORMANCE_MODELS)
def test_models_at_the_minimum_following_gap_survive_full_braking(name):
    """R157 5.2.3.3 has its purpose: whoever keeps the gap can stop behind a lead that brakes with 6 m/s2."""
    speed = numbers(20.0, 40.0, 60.0) / 3.6
    gap = distances.minimum_following_gap_m(speed)
    lead = (speed - 6.0 * torch.arange(300, dtype=torch.float64)[:, None] * DT_S).clamp(min=0.0)
    speeds, gaps = drive_behind(performance_model(name), speed, gap, lead)
    assert float(gaps.min()) > 0.0
    assert speeds[-1].tolist() == pytest.approx([0.0] * 3, abs=0.6)  # some still creep up


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(PERFORMANCE_MODELS))
def test_a_run_has_the_same_bits_in_any_batch(seed, name):
    model = performance_model(name)
    draw = torch.Generator().manual_seed(seed)
    runs, others, ticks = 37, 3, 6

    def random_scene():
        def uniform(low, high, *shape):
            return low + (high - low) * torch.rand(*shape, generator=draw, dtype=torch.float64)

        actors = (runs, others)
        return Scene(
            ego_speed_mps=uniform(0, 35, runs),
            ego_lateral_mps=uniform(0, 0, runs),
            ego_accel_mps2=uniform(-6, 2, runs),
            ego_size_m=uniform(1.5, 5, runs, 3),
            lane_width_m=uniform(3, 4, runs),
            gap_m=uniform(-10, 80, *actors),
            lateral_gap_m=uniform(-1, 2, *actors).clamp(min=0),
            lateral_offset_m=uniform(-4, 4, *actors),
            lateral_speed_mps=uniform(-2, 2, *actors),
            speed_mps=uniform(0, 35, *actors),
            accel_mps2=uniform(-9, 2, *actors),
            length_m=uniform(0.5, 12, *actors),
            width_m=uniform(0.5, 2.5, *actors),
            in_lane_overlap=uniform(0, 1, *actors) > 0.5,
            valid=uniform(0, 1, *actors) > 0.2,
        )

    def rows(part, index):
        return type(part)(**{field.name: getattr(part, field.name)[index] for field in fields(part)})

    scenes = [random_scene() for _ in range(ticks)]
    order = torch.randperm(runs, generator=draw)
    whole, shuffled, alone = model.start(runs), model.start(runs), model.start(1)
    for view in scenes:
        accel, whole = model.step(whole, view, DT_S)
        mixed, shuffled = model.step(shuffled, rows(view, order), DT_S)
        single, alone = model.step(alone, rows(view, slice(17, 18)), DT_S)
        assert torch.equal(mixed, accel[order])
        assert torch.equal(single, accel[17:18])
        assert bool(torch.isfinite(accel).all())
        assert bool((view.ego_speed_mps + accel * DT_S >= -1e-12).all())
        assert bool((accel >= -0.774 * 9.81 - 1e-12).all() & (accel <= 1.0).all())


def test_constants_can_be_replaced_and_names_are_checked():
    assert performance_model("reg157", reaction_s=0.25).reaction_s == 0.25
    assert math.isinf(performance_model("rss").detection_range_m)
    with pytest.raises(ValueError, match=r"reg158.*choose from reg157, cc_human, rss, fsm"):
        performance_model("reg158")
