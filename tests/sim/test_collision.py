"""Boxes that touch, against an independent polygon test; the sweep against all pairs; wheels off the surface."""

import math

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lane_graphs import straight

from configs.schema import SimConfig
from sim.simulator import Simulator


def corners(x: float, y: float, yaw: float, length: float, width: float) -> np.ndarray:
    """The box's corners, counter-clockwise."""
    local = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * np.array([length, width]) / 2
    c, s = math.cos(yaw), math.sin(yaw)
    return local @ np.array([[c, s], [-s, c]]) + np.array([x, y])


def overlap_area(a: np.ndarray, b: np.ndarray) -> float:
    """Area common to two convex polygons, by clipping one with the other (Sutherland and Hodgman, 1974)."""
    for k in range(len(b)):
        p, q = b[k], b[(k + 1) % len(b)]
        side = [(q[0] - p[0]) * (v[1] - p[1]) - (q[1] - p[1]) * (v[0] - p[0]) for v in a]
        kept = []
        for m in range(len(a)):
            n = (m + 1) % len(a)
            if side[m] >= 0:
                kept.append(a[m])
            if side[m] * side[n] < 0:
                kept.append(a[m] + (a[n] - a[m]) * side[m] / (side[m] - side[n]))
        if len(kept) < 3:
            return 0.0
        a = np.array(kept)
    x, y = a[:, 0], a[:, 1]
    return 0.5 * abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))))


ACTORS, PEOPLE = 12, 2


def scene() -> Simulator:
    config = SimConfig(actors=ACTORS, pedestrians=PEOPLE)
    seeds, maps = torch.arange(2), torch.zeros(2, dtype=torch.int32)
    return Simulator(straight(lanes=3), config, seeds, maps, controlled=[k < ACTORS - PEOPLE for k in range(ACTORS)])


_SIM = scene()


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**31), spread=st.floats(4.0, 60.0))
def test_flags_equal_polygon_clipping_over_all_pairs(seed: int, spread: float) -> None:
    rng = np.random.default_rng(seed)
    state, world = _SIM.state, _SIM.world
    state.valid[:] = torch.tensor(rng.random((2, ACTORS)) < 0.9)
    state.speed_mps[:] = 0.0
    xy = rng.uniform(0.0, spread, (2, ACTORS, 2)) + np.array([150.0, 0.0])
    yaw = rng.uniform(-math.pi, math.pi, (2, ACTORS))
    people = slice(ACTORS - PEOPLE, ACTORS)
    xy[:, people] = state.xy_world_m[:, people].numpy()  # they stay on their walks
    yaw[:, people] = state.yaw_world_rad[:, people].numpy()
    state.xy_world_m[:] = torch.tensor(xy)
    state.yaw_world_rad[:] = torch.tensor(yaw)
    _SIM.action.valid[:] = False
    _SIM.step(_SIM.action)
    xy, yaw = state.xy_world_m.numpy().astype(float), state.yaw_world_rad.numpy().astype(float)
    center = xy + 0.5 * world.wheelbase_m.numpy()[..., None] * np.stack((np.cos(yaw), np.sin(yaw)), axis=-1)
    size = world.size_m.numpy()
    for b in range(2):
        boxes = [corners(*center[b, i], yaw[b, i], *size[b, i, :2]) for i in range(ACTORS)]
        for i in range(ACTORS):
            touching, unsure = [], False
            for j in range(ACTORS):
                both_walk = min(i, j) >= ACTORS - PEOPLE
                if j == i or both_walk or not (state.valid[b, i] and state.valid[b, j]):
                    continue
                area = overlap_area(boxes[i], boxes[j])
                unsure |= 0.0 < area < 1e-3
                if area > 1e-3:
                    touching.append(j)
            if unsure:
                continue
            assert bool(state.collided[b, i]) == bool(touching), (b, i, touching)
            if touching:
                assert int(state.collided_with[b, i]) == touching[0]


def test_offroad_begins_where_a_corner_leaves_the_surface() -> None:
    config = SimConfig(actors=1, pedestrians=0)
    sim = Simulator(straight(), config, torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int32))
    half_width = float(sim.world.size_m[0, 0, 1]) / 2
    for beyond, expected in ((-0.15, False), (0.15, True)):
        for side in (1.0, -1.0):
            sim.state.xy_world_m[0, 0] = torch.tensor([200.0, side * (1.75 - half_width + beyond)])
            sim.state.yaw_world_rad[:] = 0.0
            sim.state.speed_mps[:] = 0.0
            sim.step(sim.action)
            assert bool(sim.state.offroad[0, 0]) is expected


def test_traffic_that_hit_something_stands_and_is_towed_while_the_ego_stays() -> None:
    config = SimConfig(actors=2, pedestrians=0)
    sim = Simulator(straight(lanes=2), config, torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int32))
    state = sim.state
    state.valid[:] = True
    state.lane_s_m[0, 1] = 100.0
    state.path_lane[0, 1] = 0
    state.speed_mps[0] = torch.tensor([0.0, 10.0])
    state.xy_world_m[0, 0] = torch.tensor([107.0, 0.0])
    state.lane_s_m[0, 0], state.path_lane[0, 0], state.lane_lateral_m[0, 0] = 107.0, 0, 0.0
    state.yaw_world_rad[:] = 0.0
    seen = False
    for _ in range(90):
        sim.step(sim.action)
        seen |= bool(state.collided[0].all())
        if float(state.lane_s_m[0, 1]) < 20.0:
            break  # towed away, and back at the road's beginning
        assert float(state.xy_world_m[0, 1, 0]) < 108.0
    assert seen
    assert float(state.lane_s_m[0, 1]) < 20.0
    assert float(state.xy_world_m[0, 0, 0]) == 107.0
