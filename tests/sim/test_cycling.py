"""Cycle lanes and passing: where they are, that cyclists use and leave them, and how much room drivers give."""

import numpy as np
import pytest
import torch
from lane_graphs import crossing, graph, line, straight
from riding import place, riders
from tiny_maps import lane, read, road, section

from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.types import ActorKind, LaneGraph


def beside(lanes: LaneGraph, offset_m: float = -2.6) -> LaneGraph:
    """Give every lane outside junctions a cycle lane."""
    lanes.cycle_m[:] = torch.where(lanes.is_junction[lanes.sample_lane.long()], 0.0, offset_m)
    return lanes


def test_a_lane_knows_the_middle_of_the_cycle_lane_beside_it(tmp_path) -> None:
    """Driving lanes of 3 m; a cycle lane of 2 m beside lane -1, only parking beside lane 1."""
    wide = '<width sOffset="0" a="2" b="0" c="0" d="0"/>'
    lanes = section().replace("</right>", lane(-2, "biking", wide) + "</right>")
    lanes = lanes.replace("<left>", "<left>" + lane(2, "parking", wide))
    found = compile_lanes([read(tmp_path, road(lanes=lanes))])
    right = found.xy_world_m[:, 1] < 0.0
    assert found.cycle_m[right].unique().tolist() == [-2.5]
    assert not found.cycle_m[~right].any()


def test_generated_cities_have_them_and_riders_keep_to_them() -> None:
    lanes = compile_lanes([generate_road("urban", seed) for seed in (3, 4)])
    assert (lanes.cycle_m < -2.0).any() and not lanes.cycle_m[lanes.is_junction[lanes.sample_lane.long()]].any()
    sim = riders(lanes, worlds=6, actors=20, cyclists=8)
    aside, long, off = 0, 0, 0
    for _ in range(900):
        sim.step(sim.action)
        state = sim.state
        at = lanes.sample_first[state.path_lane[:, 12:, 0].long()] + state.lane_s_m[:, 12:].long()
        here = (lanes.cycle_m[at.clamp(max=len(lanes.cycle_m) - 1).long()] != 0.0) & state.valid[:, 12:]
        mid_block = (state.lane_s_m[:, 12:] > 40.0) & (
            lanes.length_m[state.path_lane[:, 12:, 0].long()] - state.lane_s_m[:, 12:] > 60.0
        )
        aside += int((here & mid_block & (state.lane_lateral_m[:, 12:] < -1.9)).sum())
        long += int((here & mid_block).sum())
        off += int(state.offroad[:, 12:].sum())
        assert not state.collided.any()
    assert long > 500 and aside > 0.9 * long
    assert off == 0


def test_a_cyclist_on_its_lane_holds_nobody_up_and_is_held_up_by_nobody() -> None:
    sim = riders(beside(straight(700.0, limit_mps=14.0)), actors=4, cyclists=2)
    sim.world.desired_speed_factor[0] = torch.tensor([1.0, 1.0, 6.0, 4.0])
    sim.world.controlled[0, 0] = True  # stands in the driving lane
    place(sim, {0: (0, 400.0, 0.0), 1: (0, 20.0, 10.0), 2: (0, 60.0, 5.0), 3: (0, 90.0, 4.0)})
    sim.state.lane_lateral_m[0, 2:] = -2.6
    sim.state.xy_world_m[0, 2:, 1] = -2.6
    passed = False
    for _ in range(700):
        sim.step(sim.action)
        s = sim.state.lane_s_m[0]
        passed |= float(s[1]) > float(s[3]) + 20.0 and float(sim.state.speed_mps[0, 1]) > 12.0
        assert not sim.state.collided.any()
    assert passed
    assert float(sim.state.lane_s_m[0, 1]) < 400.0  # behind who stands there
    assert 6.0 > float(sim.state.speed_mps[0, 2]) > 3.0  # behind the slower cyclist, past the car
    assert float(sim.state.lane_s_m[0, 3]) > 330.0


def test_before_a_junction_cyclists_pull_into_gaps() -> None:
    sim = riders(beside(crossing(200.0)), worlds=12, actors=14, cyclists=5)
    state, entered, waited = sim.state, 0, 0
    state.valid[:, 0] = False  # the ego would stand at the road's end
    state.xy_world_m[:, 0] = 1.0e5
    before = state.path_lane[:, 9:, 0].clone()
    for _ in range(1500):
        sim.step(sim.action)
        now = state.path_lane[:, 9:, 0]
        goes_in = (now != before) & ((now == 1) | (now == 4)) & state.valid[:, 9:]
        assert (state.lane_lateral_m[:, 9:][goes_in].abs() < 1.2).all()
        entered += int(goes_in.sum())
        waited += int((state.valid[:, 9:] & (state.speed_mps[:, 9:] < 0.1)).sum())
        before = now.clone()
        assert not state.collided.any()
    assert entered > 60
    assert waited < 0.2 * 12 * 5 * 1500


@pytest.mark.parametrize("width_m", [4.0, 5.5])
def test_drivers_pass_on_a_lane_that_leaves_a_metre_and_a_half(width_m: float) -> None:
    lanes = graph([line((0.0, 0.0), (700.0, 0.0))], {}, limit_mps=14.0, width_m=width_m)
    sim = riders(lanes, actors=3, cyclists=1)
    sim.world.kind[0, 1], sim.world.size_m[0, 1] = int(ActorKind.CAR), torch.tensor([4.5, 1.8, 1.5])
    sim.world.wheelbase_m[0, 1] = 2.7
    sim.world.desired_speed_factor[0] = torch.tensor([1.0, 1.0, 5.0])
    place(sim, {1: (0, 60.0, 10.0), 2: (0, 100.0, 5.0)})
    nearest = np.inf
    for _ in range(350):
        sim.step(sim.action)
        state = sim.state
        assert not state.collided.any() and not state.offroad[0, 1]
        x, y = state.xy_world_m[0, 1].tolist()
        if x - 3.0 < float(state.xy_world_m[0, 2, 0]) + 0.5 < x + 4.0:  # side by side
            nearest = min(nearest, y - float(state.xy_world_m[0, 2, 1]) - 0.5 * (1.8 + 0.6))
    ahead = float(sim.state.xy_world_m[0, 1, 0] - sim.state.xy_world_m[0, 2, 0])
    if width_m < 5.0:
        assert ahead < -3.0
    else:
        assert ahead > 50.0 and nearest > 1.4
        assert abs(float(sim.state.lane_lateral_m[0, 1])) < 0.05
