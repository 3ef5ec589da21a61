"""Generated networks of every kind hold together: lanes meet, bend gently, lead on, and are signed and marked."""

import math
from typing import get_args

import numpy as np
import pytest

from configs.schema import RoadKind
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import map_lanes
from sim.roads.network import DRIVING_KINDS

KINDS = get_args(RoadKind)
CLOSED = {"town", "urban"}  # no street leads out
SEEDS = range(8)
TIGHTEST_M = {"crossing": 5.5, "roundabout": 10.0, "motorway": 60.0, "urban": 7.5, "hills": 90.0}


@pytest.fixture(scope="module")
def networks():
    return {(kind, seed): generate_road(kind, seed) for kind in KINDS for seed in SEEDS}


@pytest.mark.parametrize("kind", KINDS)
def test_lanes_meet_end_to_start(networks, kind):
    for seed in SEEDS:
        lanes = map_lanes(networks[kind, seed])
        first, last = lanes.sample_first[:-1], lanes.sample_first[1:] - 1
        for lane, targets in enumerate(lanes.successors):
            for target in targets:
                gap = lanes.xyz_world_m[first[target]] - lanes.xyz_world_m[last[lane]]
                turn = lanes.yaw_world_rad[first[target]] - lanes.yaw_world_rad[last[lane]]
                assert np.abs(gap).max() < 1e-3, (seed, lanes.keys[lane], lanes.keys[target])
                assert abs(math.remainder(turn, 2 * math.pi)) < 1e-3, (seed, lanes.keys[lane], lanes.keys[target])
                assert abs(lanes.width_m[first[target]] - lanes.width_m[last[lane]]) < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_every_lane_leads_on_and_is_led_to_except_at_the_edge_of_the_map(networks, kind):
    """Lanes end or start only where their whole road does, linked to nothing; in closed networks nowhere."""
    for seed in SEEDS:
        network = networks[kind, seed]
        lanes = map_lanes(network)
        for key, targets, sources in zip(lanes.keys, lanes.successors, lanes.predecessors):
            road = network.roads[key[0]]
            ends = [road.successor, road.predecessor] if road.forward(key[2]) else [road.predecessor, road.successor]
            for joined, link in ((targets, ends[0]), (sources, ends[1])):
                aux = road.sections[0].lanes[key[2]].kind in ("entry", "exit")
                assert joined or (link is None and kind not in CLOSED and not aux), (seed, key)


@pytest.mark.parametrize("kind", sorted(TIGHTEST_M))
def test_bends_can_be_driven(networks, kind):
    for seed in SEEDS:
        lanes = map_lanes(networks[kind, seed])
        inside = np.diff(np.repeat(np.arange(len(lanes.keys)), np.diff(lanes.sample_first))) == 0
        step = np.repeat(lanes.step_m, np.diff(lanes.sample_first))[:-1]
        bend = np.abs(np.diff(np.unwrap(lanes.yaw_world_rad))) / step
        assert bend[inside].max() < 1.0 / TIGHTEST_M[kind], seed


@pytest.mark.parametrize("kind", KINDS)
def test_lanes_of_different_roads_keep_apart_outside_junctions(networks, kind):
    """Half a width and more between lane centres; ramps part from their carriageway where they meet it."""
    for seed in SEEDS:
        strips = [s for s in networks[kind, seed].strips(4.0) if s.junction is None and s.kind in DRIVING_KINDS]
        xy = np.concatenate([s.center_xyz_world_m[:, :2] for s in strips])
        width = np.concatenate([s.width_m for s in strips])
        road = np.concatenate([np.full(len(s.s_m), int(s.road)) for s in strips])
        end = np.concatenate([(s.s_m < s.s_m.min() + 5.0) | (s.s_m > s.s_m.max() - 5.0) for s in strips])
        away = np.hypot(*(xy[:, None] - xy[None]).transpose(2, 0, 1))
        near = (away < 0.45 * (width[:, None] + width[None])) & (road[:, None] != road[None])
        near &= ~(end[:, None] & end[None])  # the same place, where roads meet
        assert not near.any(), seed


@pytest.mark.parametrize("kind", KINDS)
def test_signals_stand_beside_their_road_and_face_its_traffic(networks, kind):
    for seed in SEEDS:
        network = networks[kind, seed]
        for signal in network.signals:
            road = network.roads[signal.road]
            assert 0.0 <= signal.s_m <= road.length_m and signal.forward is not None
            lanes = road.sections[0].lanes
            assert all(road.forward(lane) == signal.forward for lane in signal.lanes)
            assert all(lanes[lane].kind in DRIVING_KINDS for lane in signal.lanes)
            right, left = road.edges(np.array([signal.s_m]))
            assert right[0] - 3.0 < signal.t_m < left[0] + 3.0
            heading = road.plan.at(np.array([signal.s_m]))[1][0] + (0.0 if signal.forward else math.pi)
            assert math.remainder(signal.yaw_rad - heading, 2 * math.pi) == pytest.approx(0.0, abs=1e-9)


def test_ids_are_unique(networks):
    for network in networks.values():
        for things in (network.signals, network.objects, network.controllers):
            assert len({thing.id for thing in things}) == len(things)


# --- What makes each kind what it is ---


def test_motorways_have_ramps_that_join_by_lanes_that_give_way():
    drops = 0
    for seed in range(12):
        network = generate_road("motorway", seed)
        kinds = [lane.kind for road in network.roads.values() for lane in road.sections[0].lanes.values()]
        assert kinds.count("onRamp") == kinds.count("offRamp") == 2
        assert kinds.count("entry") == kinds.count("exit") <= 2  # a weaving lane is both
        yields = [signal for signal in network.signals if signal.kind == "yield"]
        for signal in yields:
            road = network.roads[signal.road]
            (lane,) = signal.lanes
            assert signal.s_m == road.length_m and lane == min(
                id for id, part in road.sections[0].lanes.items() if part.kind in DRIVING_KINDS
            )
        drops += len(yields) - kinds.count("entry")
    assert drops > 0  # of some motorway a lane ends


def test_weaving_lanes_join_a_ramp_to_the_next():
    found = 0
    for seed in range(12):
        network = generate_road("motorway", seed)
        lanes = map_lanes(network)
        kind = [network.roads[road].sections[s].lanes[id].kind for road, s, id in lanes.keys]
        for lane, targets in enumerate(lanes.successors):
            sources = lanes.predecessors[lane]
            found += any(kind[t] == "offRamp" for t in targets) and any(kind[s] == "onRamp" for s in sources)
    assert found > 0


@pytest.mark.parametrize("seed", range(12))
def test_roundabouts_run_round_and_their_entries_yield(seed):
    network = generate_road("roundabout", seed)
    lanes = map_lanes(network)
    arms = len(network.junctions)
    assert 3 <= arms <= 5
    yields = [signal for signal in network.signals if signal.kind == "yield"]
    assert len(yields) == arms and {signal.road for signal in yields} == {str(i) for i in range(arms)}
    # From any ring segment the way around leads back to it, counter-clockwise.
    ring = [i for i, key in enumerate(lanes.keys) if lanes.junction[i] is None and int(key[0]) >= arms]
    for start in ring:
        lane, turned = start, 0.0
        while True:
            first, last = lanes.sample_first[lane], lanes.sample_first[lane + 1] - 1
            turned += lanes.yaw_world_rad[last] - lanes.yaw_world_rad[first]
            around = [t for t in lanes.successors[lane] if int(lanes.keys[t][0]) >= arms]
            lane = max(
                around,
                key=lambda t: (
                    lanes.yaw_world_rad[lanes.sample_first[t + 1] - 1] - lanes.yaw_world_rad[lanes.sample_first[t]]
                ),
            )
            if lane == start:
                break
        assert turned == pytest.approx(2 * math.pi, abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_urban_blocks_have_what_a_city_has(seed):
    network = generate_road("urban", seed)
    objects = [thing.kind for thing in network.objects]
    assert objects.count("crosswalk") >= 3 * len(network.junctions) and objects.count("parking") > 40
    kinds = {signal.kind for signal in network.signals}
    assert kinds & {"light", "stop", "yield"}
    signalled = {controller.junction for controller in network.controllers if controller.junction}
    arms = {id: {way.incoming for way in ways} for id, ways in network.junctions.items()}
    for id in signalled:
        roads = [s.road for s in network.signals for c in network.controllers if c.junction == id and s.id in c.signals]
        assert set(roads) == arms[id] and len(roads) >= 3
    for thing in network.objects:
        if thing.kind == "parking":  # inside its lane, off the driving lanes
            (lane,) = thing.lanes
            road = network.roads[thing.road]
            s = np.linspace(thing.s_m - 0.5 * thing.length_m, thing.s_m + 0.5 * thing.length_m, 5)
            inner, _, outer, _ = road.borders(0, lane, s)
            assert np.allclose(0.5 * (inner + outer), thing.t_m) and np.allclose(np.abs(outer - inner), thing.width_m)
            assert road.sections[0].lanes[lane].kind == "parking"


def test_some_cities_have_cycle_lanes_that_lead_through_junctions():
    linked = 0
    for seed in range(6):
        for road in generate_road("urban", seed).roads.values():
            lanes = road.sections[0].lanes.values()
            linked += any(lane.kind == "biking" and lane.predecessors and lane.successors for lane in lanes)
    assert linked > 20


@pytest.mark.parametrize("seed", range(8))
def test_hills_are_smooth_and_lean_into_curves(seed):
    (road,) = generate_road("hills", seed).roads.values()
    s = np.linspace(0.0, road.length_m - 1e-6, 4000)
    (z, grade), (bank, _), (_, _, bend) = road.elevation.at(s), road.superelevation.at(s), road.plan.at(s)
    assert np.abs(grade).max() <= 0.08 + 1e-9 and z.max() - z.min() > 3.0
    assert np.abs(np.diff(z) - 0.5 * (grade[1:] + grade[:-1]) * np.diff(s)).max() < 1e-4  # no steps
    assert np.abs(np.diff(grade)).max() < 2e-3  # no kinks
    assert np.abs(np.diff(bank)).max() < 2e-3 and 0.05 < np.abs(bank).max() < 0.07
    assert (bank * bend <= 1e-12).all()  # in a left curve the right side is higher
    crests = s[1:][(grade[:-1] > 0) & (grade[1:] <= 0)]
    marks = road.sections[0].lanes[0].marks
    for crest in crests:
        before = [mark for mark in marks if mark.s_offset_m <= crest]
        assert before[-1].kind == "solid"
