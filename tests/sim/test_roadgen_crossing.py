"""Generated crossings: controlled as the seed says, with lights that never let conflicting approaches go together."""

import math

import numpy as np
import pytest

from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes

SEEDS = range(24)


def arms_of(network):
    """The approach roads by id, with their heading out of the junction."""
    return {
        road.id: float(road.plan.at(np.array([0.0]))[1][0]) for road in network.roads.values() if road.junction is None
    }


@pytest.mark.parametrize("seed", SEEDS)
def test_every_approach_is_controlled_as_the_seed_says(seed):
    network = generate_road("crossing", seed)
    kinds = sorted(signal.kind for signal in network.signals if signal.kind != "speed_limit")
    arms = len(arms_of(network))
    assert arms in (3, 4)
    assert (
        kinds
        == (
            ["light"] * arms,
            ["priority"] * 2 + ["stop"] * (arms - 2),
            ["priority"] * 2 + ["yield"] * (arms - 2),
            ["stop"] * arms,
        )[seed % 4]
    )


@pytest.mark.parametrize("seed", range(0, 24, 4))
def test_only_approaches_that_face_each_other_share_a_controller(seed):
    network, out = generate_road("crossing", seed), arms_of(generate_road("crossing", seed))
    road = {signal.id: signal.road for signal in network.signals}
    lights = [signal.id for signal in network.signals if signal.kind == "light"]
    assert sorted(id for c in network.controllers for id in c.signals) == sorted(lights)
    assert sorted(c.sequence for c in network.controllers) == list(range(len(network.controllers)))
    for controller in network.controllers:
        assert controller.junction in network.junctions
        for a in controller.signals:
            for b in controller.signals:
                turn = math.remainder(out[road[b]] - out[road[a]] - math.pi, 2 * math.pi)
                assert a == b or abs(turn) < math.radians(45)


@pytest.mark.parametrize("seed", SEEDS)
def test_stop_lines_cross_the_lanes_that_the_signal_is_for(seed):
    network = generate_road("crossing", seed)
    for signal in network.signals:
        if signal.kind == "speed_limit":
            continue
        road = network.roads[signal.road]
        assert signal.forward is False and all(lane > 0 for lane in signal.lanes)  # arms start at the junction
        driving = [id for id, lane in road.sections[0].lanes.items() if id > 0 and lane.kind == "driving"]
        assert sorted(signal.lanes) == sorted(driving)
        assert 0.5 < signal.s_m < 8.0
        inner = road.borders(0, min(driving), np.array([signal.s_m]))[0][0]
        outer = road.borders(0, max(driving), np.array([signal.s_m]))[2][0]
        assert signal.t_m > outer > inner  # beside the lanes, on their right
        lines = [
            m
            for m in network.paint
            if np.allclose(np.hypot(*np.diff(m.xy_world_m, axis=0)[0]), outer - inner, atol=0.11)
        ]
        assert lines or signal.kind == "priority"


@pytest.mark.parametrize("seed", SEEDS)
def test_every_lane_of_a_crossing_leads_on_or_out_of_the_map(seed):
    network = generate_road("crossing", seed)
    graph = compile_lanes([network])
    ends = int((graph.successor_first[1:] == graph.successor_first[:-1]).sum())
    entries = int((graph.predecessor_first[1:] == graph.predecessor_first[:-1]).sum())
    out = sum(
        lane.kind == "driving" and id < 0
        for road in network.roads.values()
        if road.junction is None
        for id, lane in road.sections[0].lanes.items()
    )
    assert ends == entries == out
    assert graph.curvature_1pm.abs().max() < 1 / 5.0
