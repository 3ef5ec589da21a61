"""Narrow places: brushes against a slow twin, who turns off ahead, and long vehicles that meet in tight turns."""

import math

import numpy as np
import pytest
import torch

from configs.schema import SimConfig
from sim.roadgen.generate import generate_road
from sim.roads.brushes import LONG_M, body_brushes
from sim.roads.conflicts import junction_conflicts, ring_lanes
from sim.roads.lanegraph import MapLanes, compile_lanes, map_lanes
from sim.simulator import Simulator

BODIES = ((4.9, 1.95, 3.0), (11.0, 2.5, 5.8))  # length, width, wheelbase of the reference car and bus


def curvature(lanes: MapLanes) -> np.ndarray:
    found = np.zeros(len(lanes.width_m))
    for a, b in zip(lanes.sample_first[:-1], lanes.sample_first[1:]):
        found[a:b] = np.gradient(lanes.yaw_world_rad[a:b]) / np.hypot(
            *np.diff(lanes.xyz_world_m[a : a + 2, :2], axis=0)[0]
        )
    return found


def corners(lanes: MapLanes, lane: int, s_m: float, body: tuple[float, float, float]) -> np.ndarray:
    """Corners (4, 2) of a body whose axles stand on a lane's centre, well before its end."""
    length, width, base = body
    first, last = lanes.sample_first[lane], lanes.sample_first[lane + 1]
    at = np.arange(last - first) * lanes.step_m[lane]
    rear, front = (
        np.array([np.interp(s, at, lanes.xyz_world_m[first:last, k]) for k in range(2)]) for s in (s_m, s_m + base)
    )
    along = (front - rear) / np.hypot(*(front - rear))
    across = np.array([-along[1], along[0]])
    middle = rear + 0.5 * base * along
    return np.array(
        [middle + 0.5 * (u * length * along + v * width * across) for u, v in ((1, 1), (-1, 1), (-1, -1), (1, -1))]
    )


def overlap(a: np.ndarray, b: np.ndarray) -> bool:
    """Separating axes of two rectangles, by projecting their corners."""
    for box in (a, b):
        for axis in (box[0] - box[1], box[1] - box[2]):
            one, other = a @ axis, b @ axis
            if one.max() < other.min() or other.max() < one.min():
                return False
    return True


def test_wherever_two_buses_touch_on_unrelated_lanes_there_is_a_brush() -> None:
    """A slow twin over the turning lanes of a crossing, where axles stay on the lane."""
    lanes = map_lanes(generate_road("crossing", 2))
    conflicts = junction_conflicts(lanes, np.zeros(len(lanes.keys), dtype=np.int64))
    brushes = body_brushes(lanes, curvature(lanes), conflicts)
    inside = [k for k, junction in enumerate(lanes.junction) if junction is not None]
    spans = {}
    for a in inside:
        for e in range(brushes.first[a], brushes.first[a + 1]):
            spans[a, int(brushes.lane[e]), int(brushes.kind[e])] = brushes.span_m[e]
    checked = 0
    for a in inside:
        for b in inside:
            if a == b or set(lanes.predecessors[a]) & set(lanes.predecessors[b]):
                continue
            for s in np.arange(0.0, lanes.length_m[a] - BODIES[1][2], 2.0):
                for t in np.arange(0.0, lanes.length_m[b] - BODIES[1][2], 2.0):
                    if overlap(corners(lanes, a, s, BODIES[1]), corners(lanes, b, t, BODIES[1])):
                        tight = max(
                            np.abs(curvature(lanes)[lanes.sample_first[k] : lanes.sample_first[k + 1]]).max()
                            for k in (a, b)
                        )
                        if tight > 1.0 / 24.0:
                            span = spans[a, b, 3]
                            assert span[0] - 1.1 <= s <= span[1] + 1.1 and span[2] - 1.1 <= t <= span[3] + 1.1
                            checked += 1
    assert checked > 50


def test_every_brush_has_its_mirror_image() -> None:
    graph = compile_lanes([generate_road("town", 11)])
    seen = {}
    for lane in range(len(graph.length_m)):
        for e in range(int(graph.brush_first[lane]), int(graph.brush_first[lane + 1])):
            kind = int(graph.brush_kind[e])
            seen[lane, int(graph.brush_lane[e]), kind] = graph.brush_span_m[e].tolist()
    assert len(seen) > 100
    for (a, b, kind), span in seen.items():
        mirror = seen[b, a, (kind >> 1) | ((kind & 1) << 1)]
        assert mirror == [span[2], span[3], span[0], span[1]]


def test_straight_roads_have_no_brushes_and_blocks_are_no_roundabouts() -> None:
    assert len(compile_lanes([generate_road("highway", 0)]).brush_lane) == 0
    assert not ring_lanes(map_lanes(generate_road("town", 0))).any()


def test_a_town_of_long_vehicles_drives_on_without_collisions() -> None:
    """Every vehicle a bus or a truck: the hardest case for tight turns."""
    graph = compile_lanes([generate_road("town", 0), generate_road("rural", 0)])
    config = SimConfig(actors=10, pedestrians=0, trucks=0.12, buses=0.13)
    sim = Simulator(
        graph, config, torch.arange(8), torch.tensor([0, 1] * 4, dtype=torch.int32), controlled=[False] * 10
    )
    sim.state.valid[:, 0] = False
    sim.state.xy_world_m[:, 0] = 1.0e5
    touched, metres = 0, 0.0
    before = sim.state.collided.clone()
    for _ in range(3000):
        sim.step(sim.action)
        touched += int((sim.state.collided & ~before).sum())
        before = sim.state.collided.clone()
        metres += float((sim.state.speed_mps * sim.state.valid).sum()) * 0.1
    assert (sim.world.size_m[:, :, 0] > LONG_M).float().mean() > 0.1
    assert metres > 50_000.0
    assert touched == 0
    assert math.isfinite(float(sim.state.xy_world_m[sim.state.valid].sum()))


def test_who_turns_off_ahead_is_not_driven_into() -> None:
    """A car stands just inside a turn while its follower means to go straight on."""
    graph = compile_lanes([generate_road("crossing", 2)])
    sim = Simulator(
        graph,
        SimConfig(actors=3, pedestrians=0),
        torch.tensor([0]),
        torch.zeros(1, dtype=torch.int32),
        controlled=[False] * 3,
    )
    state, world = sim.state, sim.world
    counts = torch.diff(graph.successor_first)
    approach = int(((counts >= 2) & ~graph.is_junction).nonzero()[0])
    ways = graph.successor[int(graph.successor_first[approach]) : int(graph.successor_first[approach + 1])].tolist()
    assert (graph.diverge_m[ways] > 2.0).all()
    world.size_m[:] = torch.tensor([4.5, 1.8, 1.5])
    world.wheelbase_m[:] = 2.7
    state.valid[:] = torch.tensor([[False, True, True]])
    state.xy_world_m[:, 0] = 1.0e5
    length = float(graph.length_m[approach])
    for i, (lane, s) in enumerate(((ways[0], 1.5), (approach, length - 40.0)), start=1):
        after = ways[1] if lane == approach else lane
        state.path_lane[0, i] = torch.tensor([lane, after, after, after])
        state.path_valid[0, i] = torch.tensor([True, lane == approach, False, False])
        state.lane_s_m[0, i] = s
    state.speed_mps[0] = torch.tensor([0.0, 0.0, 8.0])
    world.desired_speed_factor[0, 1] = 0.0  # it does not get away
    nearest = math.inf
    for _ in range(100):
        sim.step(sim.action)
        state.speed_mps[0, 1] = 0.0
        state.lane_s_m[0, 1] = 1.5
        assert not state.collided.any()
        nearest = min(nearest, length + 1.5 - 0.9 - float(state.lane_s_m[0, 2]) - 3.6)
    assert nearest == pytest.approx(2.0, abs=1.5)  # the jam gap behind its tail
