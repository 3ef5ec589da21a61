"""Whole drives with hand-computed terms: behind a leader, over a red light, on the wrong side, with jerks."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from verdict_traces import DT_S, moving, trace_of

from pipelines.verdicts.navsim_terms import epdms_progress, extended_comfort, pdms_progress, qualities
from pipelines.verdicts.road import Road, drive_facts
from pipelines.verdicts.scorecard import COLUMNS, SCORES, Expert, expert_of, scorecards
from sim.mapfiles.opendrive import read_opendrive
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.types import LaneControl, SignalPhase

LANE = '<lane id="{}" type="driving"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane>'
LANES = (
    f'<left>{LANE.format(1)}</left><center><lane id="0" type="none"/></center>'
    f"<right>{LANE.format(-1)}{LANE.format(-2)}</right>"
)
ROAD = (
    '<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="7"/><road id="1" length="400" junction="-1">'
    '<planView><geometry s="0" x="0" y="0" hdg="0" length="400"><line/></geometry></planView>'
    f'<lanes><laneSection s="0">{LANES}</laneSection></lanes></road></OpenDRIVE>'
)
OWN, NEXT, ONCOMING = -1.75, -5.25, 1.75  # y of the lanes' centres; the ego goes along x


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    path = tmp_path_factory.mktemp("street") / "street.xodr"
    path.write_text(ROAD)
    return compile_lanes([read_opendrive(path)])


def lane_at(graph, y):
    """The lane whose first sample lies on that y."""
    first = graph.sample_first[:-1].long()
    return int((graph.xy_world_m[first, 1] - y).abs().argmin())


def road_for(trace, graph, route=None, length_m=100.0, phase=None):
    return Road(
        lanes=graph,
        map_index=torch.zeros(trace.runs, dtype=torch.int64),
        ego_z_world_m=torch.zeros(trace.runs, trace.ticks),
        route=None if route is None else (tuple(route),) * trace.runs,
        route_length_m=None if route is None else torch.full((trace.runs,), length_m),
        signal_phase=phase,
    )


def nothings(trace):
    return torch.zeros(trace.runs, trace.actors, dtype=torch.bool)


def perfect_expert(trace, metres):
    way = torch.full((trace.runs, trace.ticks), float(metres), dtype=torch.float64)
    return Expert(way, torch.ones(trace.runs).double(), torch.ones(trace.runs).double())


def card_of(trace, road, expert_m=40.0):
    (card,) = scorecards(trace, nothings(trace), road, perfect_expert(trace, expert_m))
    return card


def braking(gap_m):
    """10 m/s, 2 m/s2, so 5 s and 25 m to a stop that leaves `gap_m` behind a car that stands."""
    ego = moving((50, OWN), 10.0, 51, accel=-2.0)
    return trace_of([ego, moving((50 + 25 + 4 + gap_m, OWN), 0.0, 51)])


def test_a_car_that_stops_behind_a_leader(street):
    trace = braking(5.0)
    card = card_of(trace, road_for(trace, street, [lane_at(street, OWN)]))
    scores, pdm, epdm = card.scores, card.terms["pdms"], card.terms["epdms"]
    assert pdm.pop("ego_progress") == pytest.approx(25 / 40) and epdm.pop("ego_progress") == pytest.approx(25 / 40)
    assert set(pdm.values()) == {1.0} and set(epdm.values()) == {1.0}
    assert scores["pdms"] == pytest.approx((5 * 0.625 + 5 + 2) / 12)
    assert scores["epdms"] == pytest.approx((5 * 0.625 + 5 + 2 + 2 + 2) / 16)
    assert scores["nuplan"] == pytest.approx((5 * 0.625 + 5 + 4 + 2) / 16)
    assert scores["carla_2_0"] == pytest.approx(0.25) and scores["carla_2_1"] == pytest.approx(0.25)
    # At speed v the gap is 5 + v^2/4: TTC is least at v = sqrt(20), DRAC greatest at the beginning.
    assert scores["least_ttc_s"] == pytest.approx(10 / math.sqrt(20), rel=1e-3)
    assert scores["max_drac_mps2"] == pytest.approx(100 / 60) and scores["max_btn"] == pytest.approx(100 / 60 / 8)
    assert scores["least_thw_s"] == pytest.approx(10 / math.sqrt(20), rel=1e-3) and scores["tet_s"] == 0.0
    assert scores["least_pet_s"] is None and "5 s" in card.absent["least_pet_s"]


def test_who_stops_too_close_was_within_a_second_of_it(street):
    # A gap of 0.1 m: between 0.12 and 3.5 m/s the car would be through it within 0.9 s.
    trace = braking(0.1)
    card = card_of(trace, road_for(trace, street, [lane_at(street, OWN)]), 25.0)
    assert card.terms["pdms"]["time_to_collision_within_bound"] == 0.0
    assert card.scores["pdms"] == pytest.approx((5 + 2) / 12) and card.scores["epdms"] == pytest.approx(11 / 16)


def test_who_does_not_stop_is_at_fault(street):
    trace = trace_of([moving((50, OWN), 10.0, 51), moving((84, OWN), 0.0, 51)])
    card = card_of(trace, road_for(trace, street, [lane_at(street, OWN)]))
    assert card.scores["pdms"] == card.scores["epdms"] == card.scores["nuplan"] == 0.0
    assert card.terms["carla"]["vehicle"] == 1.0
    assert card.scores["carla_2_0"] == pytest.approx(0.5 * 0.6) and card.scores["carla_2_1"] == pytest.approx(0.5 / 1.7)
    assert card.scores["max_drac_mps2"] is None and "contact" in card.absent["max_drac_mps2"]
    thing = torch.tensor([[False, True]])
    (card,) = scorecards(trace, thing, road_for(trace, street, [lane_at(street, OWN)]), perfect_expert(trace, 100))
    assert card.terms["epdms"]["no_at_fault_collisions"] == 0.5 and card.terms["carla"]["static"] == 1.0


@pytest.mark.parametrize(("speed", "expected"), [(1.5, 1.0), (4.0, 0.5), (10.0, 0.0)])
def test_driving_on_the_wrong_side(street, speed, expected):
    trace = trace_of([moving((100, ONCOMING), speed, 41)])
    card = card_of(trace, road_for(trace, street, [lane_at(street, OWN)]))
    assert card.terms["epdms"]["driving_direction_compliance"] == expected
    assert card.terms["nuplan"]["driving_direction_compliance"] == expected
    outside = 4 * speed  # of 100 m
    assert card.terms["carla"]["outside_lanes_pct"] == pytest.approx(outside)
    assert card.terms["carla"]["route_completion"] == 0.0 and card.scores["carla_2_1"] == 0.0
    right = card_of(trace_of([moving((100, NEXT), speed, 41)]), road_for(trace, street))
    assert right.terms["epdms"]["driving_direction_compliance"] == 1.0


def junction_drive(control, phase, ticks=81, speed=10.0):
    """A car whose middle is 20 m before a controlled junction and that follows its lanes at one speed, and its road."""
    graph, lane = next(
        (graph, int(lanes[0]))
        for graph in (compile_lanes([generate_road("crossing", seed)]) for seed in range(12))
        if len(lanes := (graph.control == int(control)).nonzero()[:, 0])
    )
    before = int(graph.predecessor[int(graph.predecessor_first[lane])])
    after = int(graph.successor[int(graph.successor_first[lane])])
    parts = [slice(int(graph.sample_first[x]), int(graph.sample_first[x + 1])) for x in (before, lane, after)]
    xy = np.concatenate([graph.xy_world_m[part].double().numpy() for part in parts])
    yaw = np.unwrap(np.concatenate([graph.yaw_world_rad[part].double().numpy() for part in parts]))
    run = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(xy, axis=0), axis=1))])
    at = float(graph.length_m[before]) - 20.0 + speed * DT_S * np.arange(ticks)
    columns = [np.interp(at, run, values) for values in (xy[:, 0], xy[:, 1], yaw)]
    rows = torch.from_numpy(np.stack([*columns, np.full(ticks, speed), np.zeros(ticks)], axis=1))
    trace = trace_of([rows])
    shown = torch.full((1, ticks, max(int(graph.signal_first[-1]), 1)), int(SignalPhase.GREEN), dtype=torch.int32)
    shown[:, :, int(graph.signal_group[lane])] = phase
    return trace, road_for(trace, graph, [before, lane, after], phase=shown)


def test_running_a_red_light():
    for phase, fine in ((SignalPhase.RED, 0.0), (SignalPhase.YELLOW, 1.0), (SignalPhase.GREEN, 1.0)):
        trace, road = junction_drive(LaneControl.LIGHT, int(phase))
        card = card_of(trace, road, 80.0)
        assert card.terms["epdms"]["traffic_light_compliance"] == fine
        assert card.terms["carla"]["red_light"] == 1.0 - fine
        assert card.scores["carla_2_0"] == pytest.approx(0.8 * (1.0 if fine else 0.7), abs=2e-3)
        assert card.scores["carla_2_1"] == pytest.approx(0.8 / (1.0 if fine else 1.4), abs=2e-3)
        assert (card.scores["epdms"] > 0) == bool(fine) and card.scores["pdms"] > 0


def test_a_light_that_turns_red_behind_the_car_is_not_run():
    trace, road = junction_drive(LaneControl.LIGHT, int(SignalPhase.GREEN))
    late = road.signal_phase.clone()
    late[:, 25:] = int(SignalPhase.RED)  # the front passes the line 18 m ahead of it within 1.8 s
    assert int(drive_facts(trace, replace(road, signal_phase=late)).red_lights) == 0
    late[:, 15:] = int(SignalPhase.RED)
    assert int(drive_facts(trace, replace(road, signal_phase=late)).red_lights) == 1


def test_running_a_stop_sign():
    trace, road = junction_drive(LaneControl.STOP, 0)
    assert card_of(trace, road, 80.0).terms["carla"]["stop"] == 1.0
    # The same way with a second's halt 1 m before the junction: the middle is then 3 m before it.
    halt = 17
    order = torch.tensor([*range(halt + 1), *[halt] * 10, *range(halt, trace.ticks - 11)])
    series = ("xy_world_m", "yaw_world_rad", "speed_mps", "accel_mps2", "valid")
    stopped = replace(trace, **{name: getattr(trace, name)[:, order] for name in series})
    speed = stopped.speed_mps.clone()
    speed[:, halt : halt + 11] = 0.0
    assert int(drive_facts(replace(stopped, speed_mps=speed), road).stop_signs) == 0


def test_jerking_is_not_comfortable(street):
    smooth = trace_of([moving((50, OWN), 10.0, 101)])
    assert float(qualities(smooth, drive_facts(smooth, road_for(smooth, street))).history_comfort) == 1.0
    assert float(extended_comfort(smooth)) == 1.0
    time_s = torch.arange(101, dtype=torch.float64) * DT_S
    accel = 3.0 * torch.sign(torch.sin(math.pi * time_s + 1e-9))  # +-3 m/s2, a second each
    speed = 10 + torch.cumsum(accel, 0) * DT_S
    rows = torch.stack(
        [50 + torch.cumsum(speed, 0) * DT_S, torch.full_like(speed, OWN), torch.zeros_like(speed), speed, accel], dim=1
    )
    trace = trace_of([rows])
    found = qualities(trace, drive_facts(trace, road_for(trace, street)))
    assert float(found.comfort) == 0.0 and float(found.history_comfort) == 0.0
    # Between any two moments half a second apart the pedals have changed by more than 0.7 m/s2.
    assert float(found.extended_comfort) < 0.2


def test_extended_comfort_is_the_share_of_calm_moments(street):
    # 2 m/s2 from 5.25 s on: of the 20 pairs of moments one spans the change, and differs by more than 0.7.
    time_s = torch.arange(101, dtype=torch.float64) * DT_S
    accel = torch.where(time_s > 5.25, 2.0, 0.0).double()
    speed = 10 + torch.cumsum(accel, 0) * DT_S
    rows = torch.stack(
        [50 + torch.cumsum(speed, 0) * DT_S, torch.full_like(speed, OWN), torch.zeros_like(speed), speed, accel], dim=1
    )
    assert float(extended_comfort(trace_of([rows]))) == pytest.approx(19 / 20)


@pytest.mark.parametrize(("beside_m", "seconds", "kept"), [(0.6, 2.0, 0.0), (0.6, 1.9, 1.0), (0.4, 3.0, 1.0)])
def test_keeping_the_lane(street, beside_m, seconds, kept):
    rows = moving((50, OWN), 10.0, 61)
    rows[10 : 10 + round(seconds / DT_S), 1] += beside_m
    trace = trace_of([rows])
    found = qualities(trace, drive_facts(trace, road_for(trace, street, [lane_at(street, OWN)])))
    assert float(found.lane_keeping) == kept


def test_on_the_edge_and_across_lanes(street):
    # The road ends at y = -7: a car 2 m wide at -6.2 sticks out by 0.2 m, which nuPlan allows and NAVSIM does not.
    trace = trace_of([moving((50, -6.2), 10.0, 31)])
    card = card_of(trace, road_for(trace, street))
    assert card.terms["pdms"]["drivable_area_compliance"] == 0.0 and card.scores["pdms"] == 0.0
    assert card.terms["nuplan"]["drivable_area_compliance"] == 1.0
    across = trace_of([moving((50, -3.5), 10.0, 31)])
    facts = drive_facts(across, road_for(across, street))
    assert bool(facts.off_lane.all()) and not bool(facts.in_junction.any())
    assert float(facts.off_drivable_m.max()) < 0
    within = trace_of([moving((50, OWN), 10.0, 31)])
    facts = drive_facts(within, road_for(within, street))
    assert not bool(facts.off_lane.any()) and float(facts.speed_limit_mps[0, 5]) == pytest.approx(50 / 3.6)
    assert float(facts.along_m.sum()) == pytest.approx(30.0) and float(facts.against_m.sum()) == 0.0


def test_somebody_beside_counts_only_off_the_lane(street):
    # At 1 m/s a car level with the ego moves over at 1.2 m/s: the ego, turned to it, would meet it within 0.9 s.
    for y, within in ((OWN, 1.0), (-3.5, 0.0)):
        other = moving((50, y + 3.5), 1.0, 11)
        other[:, 1] -= torch.arange(11) * 0.12
        ego = moving((50, y), 1.0, 11)
        ego[:, 2] = 0.12
        trace = trace_of([ego, other])
        found = qualities(trace, drive_facts(trace, road_for(trace, street)))
        assert float(found.time_to_collision_within_bound) == within


def test_progress_is_relative_to_an_expert():
    def term(progress, *numbers):
        return float(progress(*(torch.tensor([float(x)], dtype=torch.float64) for x in numbers)))

    assert term(pdms_progress, 30, 1, 60, 1) == term(epdms_progress, 30, 1, 60, 1) == 0.5
    assert term(pdms_progress, 30, 0.5, 30, 1) == 0.5 and term(epdms_progress, 30, 0.5, 30, 1) == 1.0
    assert term(pdms_progress, 30, 1, 60, 0) == 1.0  # an expert who crashes is nobody to be compared with
    assert term(pdms_progress, 1, 1, 4, 1) == term(epdms_progress, 1, 0, 4, 1) == 1.0  # nobody gets far
    assert term(pdms_progress, 1, 0, 4, 1) == 0.0


def test_an_expert_makes_no_progress_through_others(street):
    trace = trace_of([moving((50, OWN), 10.0, 51), moving((74, OWN), 0.0, 51)])
    expert = expert_of(trace, nothings(trace), road_for(trace, street))
    assert float(expert.along_m[0, -1]) == pytest.approx(21.0)  # contact is after 20 m, seen a tick later
    assert float(expert.multiplier) == 0.0


def test_what_cannot_be_scored_says_why(street):
    trace = trace_of([moving((50, OWN), 10.0, 31)])
    (bare,) = scorecards(trace, nothings(trace), None, None)
    assert {bare.scores[name] for name in SCORES} == {None} and all("no road" in bare.absent[name] for name in SCORES)
    card = card_of(trace, road_for(trace, street), 30.0)
    assert card.scores["carla_2_0"] is None and "no route" in card.absent["carla_2_0"] and card.scores["pdms"] == 1.0
    (alone,) = scorecards(trace, nothings(trace), road_for(trace, street), None)
    assert alone.scores["epdms"] is None and "no expert" in alone.absent["epdms"]
    short = trace.map(lambda x: x[:, :4] if x.dim() > 2 and x.shape[1] == 31 else x)
    brief = card_of(short, road_for(short, street, [lane_at(street, OWN)]))
    assert brief.scores["carla_2_0"] == pytest.approx(0.03) and brief.scores["nuplan"] is None
    away = trace_of([moving((50, 300), 10.0, 31)])
    lost = card_of(away, road_for(away, street))
    assert lost.scores["pdms"] is None and "lane" in lost.absent["pdms"]
    for every in (bare, card, alone, brief, lost):
        row = every.row()
        assert tuple(row) == (*COLUMNS, "absent") and all(
            (row[name] is None) == (name in every.absent) for name in COLUMNS
        )
        json.dumps(row, allow_nan=False)


def test_scores_do_not_depend_on_the_batch(street):
    runs = [
        [moving((40 + n, OWN), 8.0 + n, 41, accel=-0.5 * n), moving((75, OWN - n), 2.0 * n, 41, yaw=0.1 * n)]
        for n in range(5)
    ]
    trace = trace_of(*runs)
    road, expert = road_for(trace, street, [lane_at(street, OWN)]), perfect_expert(trace, 30.0)
    whole = scorecards(trace, nothings(trace), road, expert)
    for run in range(5):
        one = trace_of(runs[run])
        (alone,) = scorecards(
            one, nothings(one), road_for(one, street, [lane_at(street, OWN)]), perfect_expert(one, 30.0)
        )
        assert alone == whole[run]
