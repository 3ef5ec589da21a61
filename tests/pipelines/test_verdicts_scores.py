"""The scores of the CARLA leaderboard, nuPlan and NAVSIM: every constant, every term, no silent zero."""

import math
from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from verdict_traces import moving, trace_of

from pipelines.verdicts import carla, navsim, nuplan
from pipelines.verdicts.fault import collisions
from sim.types import ActorKind

COUNTS = {
    "pedestrian": (0.50, 1.00),
    "vehicle": (0.60, 0.70),
    "static": (0.65, 0.60),
    "red_light": (0.70, 0.40),
    "stop": (0.80, 0.25),
    "scenario_timeout": (0.70, 0.40),
    "yield_emergency": (0.70, 0.40),
}


def numbers(*values):
    return torch.tensor(values, dtype=torch.float64)


def infractions(**counts):
    return replace(carla.no_infractions(1), **{name: numbers(value) for name, value in counts.items()})


@pytest.mark.parametrize("name", COUNTS)
def test_one_and_two_infractions_of_each_kind(name):
    factor, cost = COUNTS[name]
    for count in (1, 2):
        what = infractions(**{name: count})
        assert float(carla.driving_score_2_0(numbers(1.0), what)) == pytest.approx(factor**count)
        assert float(carla.driving_score_2_1(numbers(0.5), what)) == pytest.approx(0.5 / (1 + count * cost))
        assert not bool(carla.bench2drive_success(numbers(1.0), what))


def test_infractions_combine():
    what = infractions(vehicle=1, red_light=2)
    assert float(carla.driving_score_2_0(numbers(0.8), what)) == pytest.approx(0.8 * 0.60 * 0.70**2)
    assert float(carla.driving_score_2_1(numbers(0.8), what)) == pytest.approx(0.8 / (1 + 0.70 + 0.80))


def test_driving_slowly_and_outside_the_lanes():
    slow = replace(carla.no_infractions(1), min_speed_pct=numbers(50.0, 100.0)[None])
    assert float(carla.driving_score_2_0(numbers(1.0), slow)) == pytest.approx(1 - 0.3 * 0.5)
    assert float(carla.driving_score_2_1(numbers(1.0), slow)) == pytest.approx(1 / 1.2)
    assert float(carla.bench2drive_score(numbers(1.0), slow)) == 1.0
    assert bool(carla.bench2drive_success(numbers(1.0), slow))
    assert not bool(carla.bench2drive_success(numbers(0.999), slow))
    outside = infractions(outside_lanes_pct=25.0)
    assert float(carla.driving_score_2_1(numbers(1.0), outside)) == pytest.approx(0.75)
    assert float(carla.driving_score_2_0(numbers(1.0), outside)) == 1.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 4), min_size=7, max_size=7), st.floats(0, 1), st.sampled_from(list(COUNTS)))
def test_driving_scores_are_shares_and_fall_with_every_infraction(counts, completion, more):
    what = infractions(**dict(zip(COUNTS, counts)))
    worse = replace(what, **{more: getattr(what, more) + 1})
    for score in (carla.driving_score_2_0, carla.driving_score_2_1, carla.bench2drive_score):
        value = float(score(numbers(completion), what))
        assert 0.0 <= value <= completion
        assert float(score(numbers(completion), worse)) <= value


def test_numbers_that_are_none_and_impossible_ones_are_refused():
    for name in (*COUNTS, "outside_lanes_pct"):
        with pytest.raises(ValueError, match=name):
            infractions(**{name: math.nan})
        with pytest.raises(ValueError, match=name):
            infractions(**{name: -1.0})
    with pytest.raises(ValueError, match="min_speed_pct = 101"):
        replace(carla.no_infractions(1), min_speed_pct=numbers(101.0)[None])
    for completion in (math.nan, 1.1, -0.1):
        with pytest.raises(ValueError, match="route_completion"):
            carla.driving_score_2_0(numbers(completion), carla.no_infractions(1))


def test_collisions_are_counted_by_what_was_hit():
    others = [moving((20 + 10 * n, 0), 0.0, 101) for n in range(3)]
    trace = trace_of([moving((0, 0), 10.0, 101), *others, moving((50, 9), 0.0, 101)])
    kind = torch.tensor([[ActorKind.CAR, ActorKind.PEDESTRIAN, ActorKind.TRUCK, ActorKind.CAR, ActorKind.CAR]])
    thing = torch.tensor([[False, False, False, True, False]])
    counts = carla.collision_counts(collisions(trace), kind, thing)
    assert {name: value.tolist() for name, value in counts.items()} == {
        "pedestrian": [1],
        "vehicle": [1],
        "static": [1],
    }


# nuPlan


def facts_of(trace, **changes):
    """Facts of a drive without fault whose expert drove as far."""
    shape = trace.speed_mps.shape[:2]
    runs = trace.runs
    facts = nuplan.RoadFacts(
        off_drivable_m=torch.zeros(shape, dtype=torch.float64),
        against_m=torch.zeros(shape, dtype=torch.float64),
        off_lane=torch.zeros(shape, dtype=torch.bool),
        in_junction=torch.zeros(shape, dtype=torch.bool),
        speed_limit_mps=torch.full(shape, 30.0, dtype=torch.float64),
        progress_m=torch.full((runs,), 60.0, dtype=torch.float64),
        expert_progress_m=torch.full((runs,), 60.0, dtype=torch.float64),
        is_object=torch.zeros(runs, trace.actors, dtype=torch.bool),
    )
    return replace(facts, **changes)


def clear_road():
    return trace_of([moving((0, 0), 20.0), moving((100, 0), 20.0)])


def test_a_drive_without_fault_scores_one():
    score = nuplan.nuplan_score(clear_road(), facts_of(clear_road()))
    assert {field.name: getattr(score, field.name).tolist() for field in fields(score)} == {
        field.name: [1.0] for field in fields(score)
    }


def test_weights_and_multipliers():
    ones = {name: numbers(1.0) for name in (*nuplan.MULTIPLIERS, *nuplan.WEIGHTS)}
    weights = {"ego_progress_along_expert_route": 5, "time_to_collision_within_bound": 5}
    weights |= {"speed_limit_compliance": 4, "ego_is_comfortable": 2}
    for name, weight in weights.items():
        assert float(nuplan.combine({**ones, name: numbers(0.0)})) == pytest.approx(1 - weight / 16)
    multipliers = ("no_ego_at_fault_collisions", "drivable_area_compliance")
    multipliers += ("ego_is_making_progress", "driving_direction_compliance")
    for name in multipliers:
        assert float(nuplan.combine({**ones, name: numbers(0.5)})) == pytest.approx(0.5)


@pytest.mark.parametrize("off_m,expected", [(0.0, 1.0), (0.3, 1.0), (0.31, 0.0)])
def test_drivable_area(off_m, expected):
    trace = clear_road()
    off = torch.zeros(1, 31, dtype=torch.float64)
    off[0, 7] = off_m
    assert float(nuplan.nuplan_score(trace, facts_of(trace, off_drivable_m=off)).drivable_area_compliance) == expected


@pytest.mark.parametrize("against_m,expected", [(1.9, 1.0), (2.1, 0.5), (5.9, 0.5), (6.1, 0.0)])
def test_driving_direction_within_any_second(against_m, expected):
    trace = clear_road()
    against = torch.zeros(1, 31, dtype=torch.float64)
    against[0, 12:22] = against_m / 10
    score = nuplan.nuplan_score(trace, facts_of(trace, against_m=against))
    assert float(score.driving_direction_compliance) == expected
    # Over more than a second it does not add up.
    apart = torch.zeros(1, 31, dtype=torch.float64)
    apart[0, 0] = apart[0, 11] = 1.5
    assert float(nuplan.nuplan_score(trace, facts_of(trace, against_m=apart)).driving_direction_compliance) == 1.0


def test_progress():
    ratio = nuplan.progress_ratio(numbers(50.0, 120.0, 0.05, -5.0, 12.0), numbers(100.0, 100.0, 0.02, 100.0, 60.0))
    assert ratio.tolist() == pytest.approx([0.5, 1.0, 1.0, 0.0, 0.2])
    trace = clear_road()
    for progress, making in [(12.0, 1.0), (11.9, 0.0)]:
        score = nuplan.nuplan_score(trace, facts_of(trace, progress_m=numbers(progress)))
        assert float(score.ego_is_making_progress) == making
        assert float(score.ego_progress_along_expert_route) == pytest.approx(progress / 60)


def test_speeding():
    trace = clear_road()
    limit = torch.full((1, 31), 20.0 - 0.223, dtype=torch.float64)
    score = nuplan.nuplan_score(trace, facts_of(trace, speed_limit_mps=limit))
    assert float(score.speed_limit_compliance) == pytest.approx(0.9)
    fast = nuplan.nuplan_score(trace, facts_of(trace, speed_limit_mps=limit - 5.0))
    assert float(fast.speed_limit_compliance) == 0.0


@pytest.mark.parametrize("gap_m,ttc_s,within", [(9.4, 1.0, 1.0), (8.9, 0.9, 0.0), (30.5, math.inf, 1.0)])
def test_time_to_collision_is_sampled_in_steps(gap_m, ttc_s, within):
    # Closing at 10 m/s; the last tick has the least gap.
    trace = trace_of([moving((0, 0), 20.0, 3), moving((4 + gap_m + 2, 0), 10.0, 3)])
    facts = facts_of(trace)
    assert float(nuplan.projected_ttc_s(trace, collisions(trace), facts)) == pytest.approx(ttc_s)
    assert float(nuplan.nuplan_score(trace, facts).time_to_collision_within_bound) == within


def test_time_to_collision_counts_what_is_beside_only_off_the_lane_or_in_junctions():
    # A car comes from the left at 45 degrees ahead and would be hit within 0.9 s.
    trace = trace_of([moving((0, 0), 10.0, 3), moving((8, 8), 10.0, 3, yaw=-math.pi / 2)])
    hits = collisions(trace)
    yes = torch.ones(1, 3, dtype=torch.bool)
    assert float(nuplan.projected_ttc_s(trace, hits, facts_of(trace))) == math.inf
    for fact in ("off_lane", "in_junction"):
        assert float(nuplan.projected_ttc_s(trace, hits, facts_of(trace, **{fact: yes}))) < 0.95
    standing = trace_of([moving((0, 0), 0.0, 3), moving((7, 0), 10.0, 3, yaw=math.pi)])
    assert float(nuplan.projected_ttc_s(standing, collisions(standing), facts_of(standing, off_lane=yes))) == math.inf


def test_collisions_at_fault():
    trace = trace_of([moving((0, 0), 10.0, 61), moving((20, 0), 0.0, 61), moving((40, 0), 0.0, 61)])
    for things, expected in [((0, 0, 0), 0.0), ((0, 1, 0), 0.0), ((0, 1, 1), 0.0)]:
        score = nuplan.nuplan_score(trace, facts_of(trace, is_object=torch.tensor([things]).bool()))
        assert float(score.no_ego_at_fault_collisions) == expected
        assert float(score.time_to_collision_within_bound) == 0.0 and float(score.score) == 0.0
    one = trace_of([moving((0, 0), 10.0, 31), moving((20, 0), 0.0, 31), moving((40, 0), 0.0, 31)])
    score = nuplan.nuplan_score(one, facts_of(one, is_object=torch.tensor([[False, True, True]])))
    assert float(score.no_ego_at_fault_collisions) == 0.5
    rear = trace_of([moving((0, 0), 10.0), moving((-20, 0), 20.0)])
    assert float(nuplan.nuplan_score(rear, facts_of(rear)).no_ego_at_fault_collisions) == 1.0


def test_missing_facts_are_errors():
    trace = clear_road()
    limit = torch.full((1, 31), 30.0, dtype=torch.float64)
    limit[0, 30] = math.nan
    with pytest.raises(ValueError, match=r"speed_limit_mps\[0, 30\] = nan"):
        nuplan.nuplan_score(trace, facts_of(trace, speed_limit_mps=limit))
    with pytest.raises(ValueError, match="expert_progress_m"):
        nuplan.nuplan_score(trace, facts_of(trace, expert_progress_m=numbers(math.nan)))
    shorter = trace.valid.clone()
    shorter[:, 30] = False
    assert (
        float(nuplan.nuplan_score(replace(trace, valid=shorter), facts_of(trace, speed_limit_mps=limit)).score) == 1.0
    )
    gap = trace.valid.clone()
    gap[:, 5] = False
    with pytest.raises(ValueError, match="run 0: the ego must be valid from the first tick on without gaps"):
        nuplan.nuplan_score(replace(trace, valid=gap), facts_of(trace))


def test_permuting_runs_permutes_scores():
    runs = [[moving((0, 0), 5.0 + 3 * n), moving((25, n - 2), 2.0 * n)] for n in range(6)]
    trace, order = trace_of(*runs), torch.tensor([3, 0, 5, 1, 4, 2])
    facts = facts_of(trace, progress_m=numbers(10, 20, 30, 40, 50, 60))
    whole = nuplan.nuplan_score(trace, facts)
    mixed_facts = nuplan.RoadFacts(**{name: value[order] for name, value in vars(facts).items()})
    mixed = nuplan.nuplan_score(trace.map(lambda x: x[order]), mixed_facts)
    for field in fields(whole):
        value = getattr(whole, field.name)
        assert torch.equal(getattr(mixed, field.name), value[order])
        assert bool(((value >= 0) & (value <= 1)).all())


# NAVSIM

PDMS_TERMS = ("no_at_fault_collisions", "drivable_area_compliance", "ego_progress", "time_to_collision_within_bound")
PDMS_TERMS += ("comfort",)
EPDMS_TERMS = ("no_at_fault_collisions", "drivable_area_compliance", "driving_direction_compliance")
EPDMS_TERMS += ("traffic_light_compliance", "ego_progress", "time_to_collision_within_bound", "lane_keeping")
EPDMS_TERMS += ("history_comfort", "extended_comfort")


def terms_of(names, **changes):
    return {**{name: numbers(1.0) for name in names}, **{name: numbers(value) for name, value in changes.items()}}


@pytest.mark.parametrize("name,expected", zip(PDMS_TERMS, (0.5, 0.5, 9.5 / 12, 9.5 / 12, 11 / 12)))
def test_pdms_terms(name, expected):
    assert float(navsim.pdms(terms_of(PDMS_TERMS))) == 1.0
    assert float(navsim.pdms(terms_of(PDMS_TERMS, **{name: 0.5}))) == pytest.approx(expected)


@pytest.mark.parametrize(
    "name,expected", zip(EPDMS_TERMS, (0.5,) * 4 + (13.5 / 16, 13.5 / 16, 15 / 16, 15 / 16, 15 / 16))
)
def test_epdms_terms_and_the_human_filter(name, expected):
    human = terms_of(EPDMS_TERMS)
    assert float(navsim.epdms(terms_of(EPDMS_TERMS, **{name: 0.5}), human)) == pytest.approx(expected)
    assert float(navsim.epdms(terms_of(EPDMS_TERMS, **{name: 0.5}), terms_of(EPDMS_TERMS, **{name: 0.0}))) == 1.0
    assert float(navsim.epdms(terms_of(EPDMS_TERMS, **{name: 0.5}), terms_of(EPDMS_TERMS, **{name: 0.5}))) < 1.0


def test_without_a_human_driver_nothing_is_forgiven():
    terms = terms_of(EPDMS_TERMS, traffic_light_compliance=0.0)
    assert float(navsim.epdms(terms, None)) == 0.0
    assert float(navsim.epdms(terms, terms)) == 1.0


@pytest.mark.parametrize("name", EPDMS_TERMS)
def test_a_missing_or_undefined_term_is_an_error(name):
    whole = terms_of(EPDMS_TERMS)
    without = {key: value for key, value in whole.items() if key != name}
    for terms, human in [(without, whole), (whole, without)]:
        with pytest.raises(ValueError, match=f"{name} are missing"):
            navsim.epdms(terms, human)
    for value in (math.nan, -0.1, 1.1):
        with pytest.raises(ValueError, match=f"{name} of run 0 is"):
            navsim.epdms(terms_of(EPDMS_TERMS, **{name: value}), whole)
        with pytest.raises(ValueError, match=f"{name} of run 0 is"):
            navsim.epdms(whole, terms_of(EPDMS_TERMS, **{name: value}))
    with pytest.raises(ValueError, match="unknown terms speed"):
        navsim.epdms({**whole, "speed": numbers(1.0)}, whole)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=9, max_size=9), st.integers(0, 8), st.floats(0, 1))
def test_scores_of_navsim_are_shares_and_grow_with_every_term(values, index, share):
    human = terms_of(EPDMS_TERMS)
    terms = terms_of(EPDMS_TERMS, **dict(zip(EPDMS_TERMS, values)))
    lower = {**terms, EPDMS_TERMS[index]: terms[EPDMS_TERMS[index]] * share}
    score = float(navsim.epdms(terms, human))
    assert 0.0 <= score <= 1.0
    assert float(navsim.epdms(lower, human)) <= score + 1e-12
