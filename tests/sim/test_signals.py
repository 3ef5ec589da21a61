"""Lights, signs and crosswalks: what controls each way into a junction, what lights show, and that traffic obeys."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from configs.schema import SimConfig
from sim.roadgen.generate import generate_road
from sim.roads.conflicts import ring_lanes
from sim.roads.lanegraph import compile_lanes, map_lanes
from sim.simulator import Simulator
from sim.types import LaneControl, LaneGraph, SignalPhase

LIT, MINOR_STOP, MINOR_YIELD, ALL_STOP = range(4)  # seeds of crossings by their control


@pytest.fixture(scope="module")
def crossings() -> LaneGraph:
    return compile_lanes(
        [generate_road("crossing", seed) for seed in (LIT, LIT + 4, MINOR_STOP, MINOR_YIELD, ALL_STOP)]
    )


def traffic(lanes: LaneGraph, maps: list[int], actors: int = 16, people: int = 0, seed: int = 0) -> Simulator:
    config = SimConfig(actors=actors, pedestrians=people)
    index, seeds = torch.tensor(maps, dtype=torch.int32), torch.arange(len(maps)) + seed
    sim = Simulator(lanes, config, seeds, index, controlled=[False] * actors)
    sim.state.valid[:, 0] = False
    sim.state.xy_world_m[:, 0] = 1.0e5
    return sim


def step(sim: Simulator, ticks: int = 1) -> None:
    for _ in range(ticks):
        sim.step(sim.action)


def nose_past_line(sim: Simulator, control: LaneControl) -> tuple[torch.Tensor, torch.Tensor]:
    """Of each vehicle on an approach so controlled: whether it is on one (B, V), and its nose's way past the line."""
    g, state, v = sim.world.lanes, sim.state, sim.first_person
    here, ahead = state.path_lane[:, :v, 0].long(), state.path_lane[:, :v, 1].long()
    on = (g.control[ahead] == control) & ~g.is_junction[here] & state.path_valid[:, :v, 1] & state.valid[:, :v]
    front = 0.5 * (sim.world.size_m[:, :v, 0] + sim.world.wheelbase_m[:, :v])
    return on, state.lane_s_m[:, :v] + front - g.length_m[here] - g.stop_m[ahead]


def test_the_generated_signs_control_the_ways_in(crossings: LaneGraph) -> None:
    kinds = [LaneControl.LIGHT, LaneControl.LIGHT, LaneControl.STOP, LaneControl.YIELD, LaneControl.STOP]
    for m, kind in enumerate(kinds):
        lanes = slice(int(crossings.lane_first[m]), int(crossings.lane_first[m + 1]))
        control, inside = crossings.control[lanes], crossings.is_junction[lanes]
        assert set(control.tolist()) == {0, int(kind)}
        assert not control[~inside].any()
        everyone = m in (0, 1, 4)
        assert bool((control[inside] == kind).all()) == everyone
        assert (crossings.stop_m[lanes][control > 0] < -0.5).all()


def test_lights_take_turns_with_yellow_and_all_red_between(crossings: LaneGraph) -> None:
    """Over a cycle each group is green once, no two groups at a time, and someone is always red."""
    sim = traffic(crossings, [0, 0], actors=1)
    shown = []
    cycle = round(float(crossings.signal_plan_s[0, 0]) * 10)
    for _ in range(cycle):
        shown.append(sim.state.signal_phase[:, :2].clone())
        step(sim)
    phase = torch.stack(shown)  # (T, B, G)
    moving = phase != SignalPhase.RED
    assert not (moving[:, :, 0] & moving[:, :, 1]).any()
    assert (~moving).all(dim=2).sum(dim=0).tolist() == pytest.approx([40, 40], abs=3)  # two times 2 s of all red
    green = (phase == SignalPhase.GREEN).sum(dim=0)
    assert green.flatten().tolist() == pytest.approx([120] * 4, abs=2)
    after = phase.roll(-1, dims=0)
    assert not ((phase == SignalPhase.GREEN) & (after == SignalPhase.RED)).any()
    assert not ((phase == SignalPhase.YELLOW) & (after == SignalPhase.GREEN)).any()
    assert not torch.equal(phase[:, 0], phase[:, 1])  # seeds shift the clock
    valid = sim.state.signal_valid.sum(dim=1)
    assert valid.tolist() == [2, 2]


def test_the_phase_is_a_function_of_tick_and_seed_alone(crossings: LaneGraph) -> None:
    """A NumPy twin of the clock."""
    sim = traffic(crossings, [1, 0, 1], actors=2, seed=5)
    step(sim, 437)
    lone = traffic(crossings, [1], actors=9, seed=7)
    step(lone, 437)
    assert torch.equal(lone.state.signal_phase[0], sim.state.signal_phase[2])
    plan = crossings.signal_plan_s[crossings.signal_first[1] : crossings.signal_first[2]].double().numpy()
    cycle = plan[0, 0]
    starts = np.arange(0.0, cycle, 0.05)  # every clock shift that the seed may have drawn
    found = sim.state.signal_phase[0, : len(plan)].tolist()

    def twin(shift: float) -> list[int]:
        time = [(43.7 + shift - start) % cycle for _, start, _, _ in plan]
        return [2 if t < green else 1 if t < green + yellow else 0 for t, (_, _, green, yellow) in zip(time, plan)]

    assert any(twin(shift) == found for shift in starts)


def test_nobody_enters_on_red(crossings: LaneGraph) -> None:
    sim = traffic(crossings, [0, 1] * 16, actors=20)
    g, v = sim.world.lanes, sim.first_person
    was_on, was_past = nose_past_line(sim, LaneControl.LIGHT)
    went = {phase: 0 for phase in SignalPhase}
    for _ in range(1800):
        phase = sim.state.signal_phase.clone()
        step(sim)
        on, past = nose_past_line(sim, LaneControl.LIGHT)
        group = g.signal_group[sim.state.path_lane[:, :v, 1].long()].long()
        for b, i in (was_on & on & (was_past <= 0.0) & (past > 0.0)).nonzero().tolist():
            went[SignalPhase(int(phase[b, group[b, i]]))] += 1
        was_on, was_past = on, past
    assert went[SignalPhase.GREEN] > 1000
    assert went[SignalPhase.RED] == 0, went


def test_everybody_stops_fully_at_a_stop_sign(crossings: LaneGraph) -> None:
    sim = traffic(crossings, [2, 4] * 8, actors=16)
    was_on, was_past = nose_past_line(sim, LaneControl.STOP)
    slowest = torch.full_like(was_past, 99.0)
    crossed = 0
    for _ in range(1200):
        step(sim)
        on, past = nose_past_line(sim, LaneControl.STOP)
        fresh = on & ~was_on
        slowest[fresh | (past < -5.0)] = 99.0
        slowest = torch.minimum(slowest, sim.state.speed_mps[:, : sim.first_person])
        over = was_on & on & (was_past <= 0.0) & (past > 0.0)
        crossed += int(over.sum())
        assert (slowest[over] < 0.3).all(), slowest[over]
        was_on, was_past = on, past
    assert crossed > 200


def test_people_cross_at_crosswalks_in_the_red_of_their_lane_unhurt(crossings: LaneGraph) -> None:
    sim = traffic(crossings, [0, 1, 4, 4] * 6, actors=16, people=6)
    state, world, first = sim.state, sim.world, sim.first_person
    g, private = sim.world.lanes, sim._private
    length = (world.walk_to_world_m - world.walk_from_world_m).norm(dim=2)[:, first:]
    crossed, hits, on_green = 0, 0, 0
    uses_crosswalk = (private["walk_style"] == 1) & state.valid[:, first:]
    for _ in range(1800):
        waited = (state.walk_s_m[:, first:] == 0.0) | (state.walk_s_m[:, first:] == length)
        phase = state.signal_phase.clone()
        step(sim)
        starts = waited & (state.speed_mps[:, first:] > 0.0) & uses_crosswalk
        crossed += int(starts.sum())
        for b, p in starts.nonzero().tolist():
            for lane in private["cross_lane"][b, p, : int(private["cross_count"][b, p])].tolist():
                after = g.successor[int(g.successor_first[lane]) : int(g.successor_first[lane + 1])].long()
                lit = [k for k in after.tolist() if int(g.control[k]) == LaneControl.LIGHT]
                on_green += any(int(phase[b, g.signal_group[k]]) == SignalPhase.GREEN for k in lit)
        hits += int((state.collided[:, first:] & uses_crosswalk).sum())
    assert uses_crosswalk.sum() > 40
    assert crossed > 300
    assert on_green == 0
    assert hits == 0


def test_the_ring_of_a_roundabout_goes_first() -> None:
    """Ring lanes give way to nobody who enters, with and without signs, and entries wait for gaps in it."""
    network = generate_road("roundabout", 1)
    bare = replace(network, signals=(), controllers=())
    for roads in (network, bare):
        graph, lanes = compile_lanes([roads]), map_lanes(roads)
        ring = ring_lanes(lanes)
        assert ring.sum() >= 3
        merges = 0
        for lane in range(len(lanes.keys)):
            for e in range(int(graph.conflict_first[lane]), int(graph.conflict_first[lane + 1])):
                other = int(graph.conflict_lane[e])
                if ring[lane] and not ring[other]:
                    assert not graph.conflict_yields[e]
                    merges += 1
        assert merges >= 3
    sim = traffic(compile_lanes([network]), [0] * 8, actors=14)
    inside = torch.tensor(ring_lanes(map_lanes(network)))
    touched, stood, moving = 0, 0, 0
    for _ in range(1200):
        step(sim)
        v = sim.first_person
        on_ring = inside[sim.state.path_lane[:, :v, 0].long()] & sim.state.valid[:, :v]
        stood += int((on_ring & (sim.state.speed_mps[:, :v] < 0.1)).sum())
        moving += int(on_ring.sum())
        touched += int(sim.state.collided.sum())
    assert touched == 0
    assert moving > 2000
    assert stood < 0.1 * moving  # who waits, waits outside
