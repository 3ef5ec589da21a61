"""The simulator as its callers see it: senses in closed form, errors, and a long soak on generated towns."""

import numpy as np
import pytest
import torch
from lane_graphs import crossing, ring, straight

from configs.schema import SimConfig
from sim.buffers import OBSERVATION_SIZE
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.simulator import Simulator
from sim.types import PATH_LANES, ROUTE_POINTS, ROUTE_STEP_M, ActorKind, LaneGraph


def build(lanes: LaneGraph, worlds: int = 2, actors: int = 6, people: int = 1, **config: object) -> Simulator:
    settings = SimConfig(**({"actors": actors, "pedestrians": people} | config))
    return Simulator(lanes, settings, torch.arange(worlds), torch.zeros(worlds, dtype=torch.int32))


def test_the_route_lies_ahead_in_the_ego_frame_and_ends_at_the_goal() -> None:
    sim = build(straight(400.0, limit_mps=13.0), route_m=5000.0)
    state = sim.state
    start = state.lane_s_m[:, 0].clone()
    # 6 m before the end of a map is the goal, so that the nose stays on the road.
    assert sim.world.route_length_m.numpy() == pytest.approx((400.0 - start - 6.0).numpy(), abs=1e-3)
    state.xy_world_m[:, 0] = torch.tensor([350.0, 0.8])
    state.lane_s_m[:, 0], state.lane_lateral_m[:, 0] = 350.0, 0.8
    state.yaw_world_rad[:, 0] = 0.1
    route = sim.route()
    assert route.xy_ego_m.shape == (2, ROUTE_POINTS, 2)
    ahead = np.minimum(np.arange(ROUTE_POINTS) * ROUTE_STEP_M, 44.0)
    c, s = np.cos(0.1), np.sin(0.1)
    expected = np.stack((c * ahead - s * 0.8, -s * ahead - c * 0.8), axis=1)
    assert route.xy_ego_m[0].numpy() == pytest.approx(expected, abs=1e-3)
    assert route.valid[0].tolist() == [2.0 * p <= 44.0 for p in range(ROUTE_POINTS)]
    assert route.remaining_m.tolist() == pytest.approx([44.0, 44.0], abs=1e-3)
    assert route.heading_rad.tolist() == pytest.approx([0.1, 0.1])
    assert route.lateral_m.tolist() == pytest.approx([0.8, 0.8])
    assert route.speed_limit_mps[0].tolist() == [13.0] * ROUTE_POINTS


def test_boxes_stand_in_the_ego_frame_in_actor_order() -> None:
    sim = build(straight(), actors=4, people=1)
    state, world = sim.state, sim.world
    state.valid[:] = torch.tensor([True, True, False, True])
    state.speed_mps[:] = 0.0
    state.yaw_world_rad[:, 0] = np.pi / 2
    state.xy_world_m[:, 0] = torch.tensor([100.0, 0.0])
    sim.action.valid[:] = False
    sim.step(sim.action)
    boxes = sim.boxes_3d()
    assert boxes.valid.tolist() == [[True, False, True]] * 2
    assert boxes.track_id[0].tolist() == [1, 2, 3]
    ego = state.xy_world_m[:, 0]
    for b in range(2):
        yaw = float(state.yaw_world_rad[b, 1])
        center = state.xy_world_m[b, 1] + 0.5 * world.wheelbase_m[b, 1] * torch.tensor([np.cos(yaw), np.sin(yaw)])
        dx, dy = (center - ego[b]).tolist()
        height = float(world.size_m[b, 1, 2])
        assert boxes.center_ego_m[b, 0].tolist() == pytest.approx([dy, -dx, height / 2], abs=1e-3)
        assert float(boxes.yaw_ego_rad[b, 0]) == pytest.approx(yaw - np.pi / 2, abs=1e-4)
        speed = float(state.speed_mps[b, 1])
        assert boxes.velocity_ego_mps[b, 0].tolist() == pytest.approx([0.0, -speed], abs=1e-4)
        assert int(boxes.kind[b, 2]) == ActorKind.PEDESTRIAN
        assert float(boxes.size_m[b, 1].sum()) == 0.0


def test_odometry_and_clock() -> None:
    sim = build(ring())
    for _ in range(7):
        sim.step(sim.action)
    ego = sim.ego_state()
    assert ego.time_s.tolist() == pytest.approx([0.7, 0.7])
    assert torch.equal(ego.speed_mps, sim.state.speed_mps[:, 0])
    assert torch.equal(ego.size_m, sim.world.size_m[:, 0])


def test_observations_list_the_eight_nearest_in_order() -> None:
    sim = Simulator(
        compile_lanes([generate_road("town", 2)]),
        SimConfig(actors=32, pedestrians=6),
        torch.arange(3),
        torch.zeros(3, dtype=torch.int32),
    )
    for _ in range(20):
        sim.step(sim.action)
    observation = sim.observe_all()
    assert observation.shape == (3, 32, OBSERVATION_SIZE)
    state, world = sim.state, sim.world
    yaw = state.yaw_world_rad
    center = state.xy_world_m + 0.5 * world.wheelbase_m[..., None] * torch.stack((yaw.cos(), yaw.sin()), dim=-1)
    distance = torch.cdist(center, center)
    for b in range(3):
        for i in range(32):
            if not state.valid[b, i]:
                assert not observation[b, i].any()
                continue
            near = [float(distance[b, i, j]) for j in range(32) if j != i and state.valid[b, j]]
            near = sorted(d for d in near if d < 80.0)[:8]
            found = observation[b, i, 28:].reshape(8, 7)[:, :2].norm(dim=1)
            assert found[: len(near)].tolist() == pytest.approx(near, abs=1e-2)
            assert not found[len(near) :].any()


@pytest.mark.parametrize("kind", ["town", "rural", "highway"])
def test_worlds_are_busy_around_an_ego_with_a_long_route(kind: str) -> None:
    lanes = compile_lanes([generate_road(kind, 100 + k) for k in range(4)])
    config = SimConfig(actors=20, pedestrians=4, route_m=250.0)
    sim = Simulator(lanes, config, torch.arange(32), (torch.arange(32) % 4).int())
    state, world = sim.state, sim.world
    assert (world.route_length_m >= 250.0 - 1e-3).float().mean() > 0.9
    vehicles = state.valid[:, 1:16]
    assert vehicles.float().mean() > 0.9
    away = (state.xy_world_m - state.xy_world_m[:, :1]).norm(dim=2)[:, 1:16]
    assert ((away < 200.0) & vehicles).float().sum(dim=1).mean() > 6.0
    assert not state.collided.any()
    kinds = world.kind[:, 1:16].flatten()
    assert 0.6 < (kinds == ActorKind.CAR).float().mean() < 0.9
    assert (world.kind[:, 16:] == ActorKind.PEDESTRIAN).all()
    assert state.valid[:, 16:].float().mean() > 0.8


def test_bad_arguments_are_refused_in_one_line() -> None:
    lanes = ring()
    one, zero = torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int32)
    with pytest.raises(ValueError, match="pedestrians"):
        Simulator(lanes, SimConfig(actors=3, pedestrians=3), one, zero)
    with pytest.raises(ValueError, match=r"map_index must lie in 0\.\.0"):
        Simulator(lanes, SimConfig(), one, zero + 1)
    with pytest.raises(ValueError, match="controlled"):
        Simulator(lanes, SimConfig(actors=4, pedestrians=1), one, zero, controlled=[True] * 4)
    sim = build(lanes)
    with pytest.raises(ValueError, match="mask has shape"):
        sim.reset(torch.ones(3, dtype=torch.bool), torch.arange(2))


def test_any_subset_of_vehicles_can_be_controlled() -> None:
    config = SimConfig(actors=5, pedestrians=0)
    controlled = [False, True, False, True, False]
    sim = Simulator(crossing(), config, torch.arange(4), torch.zeros(4, dtype=torch.int32), controlled=controlled)
    valid = sim.state.valid.clone()
    speed = sim.state.speed_mps.clone()
    sim.action.valid[:] = True
    sim.action.accel_mps2[:] = -2.0
    sim.action.steer_rad[:] = 0.0
    sim.step(sim.action)
    for i in (1, 3):
        expected = (speed[:, i] - 0.2).clamp(min=0.0)
        assert torch.allclose(sim.state.speed_mps[:, i][valid[:, i]], expected[valid[:, i]], atol=1e-5)
    assert torch.equal(sim.world.controlled[0], torch.tensor(controlled))


def test_every_vehicle_can_be_driven_by_its_own_observation() -> None:
    """Self-play: pure pursuit of the third path point (15 m ahead) and a gap to whoever is in front, round a ring."""
    vehicles = 6
    config = SimConfig(actors=vehicles, pedestrians=0, route_m=2000.0)
    maps = torch.zeros(3, dtype=torch.int32)
    sim = Simulator(ring(150.0), config, torch.arange(3), maps, controlled=[True] * vehicles)
    state, base, action = sim.state, sim.world.wheelbase_m, sim.action
    there = state.valid.clone()
    assert there.all(dim=1).any()
    travelled = torch.zeros(3, vehicles)
    for _ in range(300):
        seen = sim.observe_all()
        point = seen[..., 8 + 4 : 8 + 6] + torch.stack(
            (0.5 * base, torch.zeros_like(base)), dim=-1
        )  # from the rear axle
        action.steer_rad[:] = torch.atan(2.0 * base * point[..., 1] / point.square().sum(dim=-1))
        others = seen[..., 28:].reshape(3, vehicles, 8, 7)
        bend = others[..., 1] - others[..., 0].square() / 300.0  # left of the ring's curve through oneself
        ahead = (others[..., 0] > 0.0) & (others[..., 0] < 50.0) & (bend.abs() < 2.5)
        gap = torch.where(ahead, others[..., 0] - 12.0, torch.full_like(bend, 50.0)).amin(dim=-1)
        action.accel_mps2[:] = 1.5 * (torch.minimum(gap.clamp(min=0.0) / 1.5, torch.full_like(gap, 8.0)) - seen[..., 0])
        action.valid[:] = True
        sim.step(action)
        travelled += state.speed_mps * sim.world.dt_s
        assert not state.collided.any() and not state.offroad.any()
    assert torch.equal(state.valid, there)  # nobody who is driven is towed or sent elsewhere
    assert float(state.lane_lateral_m[there].abs().max()) < 0.5
    assert float(travelled[there].min()) > 100.0


@pytest.mark.slow
def test_traffic_in_generated_towns_keeps_to_its_lanes_and_keeps_moving() -> None:
    worlds, actors, people, ticks = 16, 32, 6, 2000
    lanes = compile_lanes([generate_road("town", 40 + k) for k in range(8)])
    config = SimConfig(actors=actors, pedestrians=people)
    index = (torch.arange(worlds) % 8).int()
    sim = Simulator(lanes, config, torch.arange(worlds), index, controlled=[False] * actors)
    state, first = sim.state, sim.first_person
    successors = [
        set(lanes.successor[lanes.successor_first[k] : lanes.successor_first[k + 1]].tolist())
        for k in range(len(lanes.length_m))
    ]
    speeds, starts, before = [], 0, torch.zeros(worlds, actors, dtype=torch.bool)
    for tick in range(ticks):
        sim.step(sim.action)
        starts += int((state.collided & ~before)[:, :first].sum())
        before = state.collided.clone()
        if tick % 50 == 0:
            assert torch.isfinite(state.xy_world_m).all() and torch.isfinite(state.yaw_world_rad).all()
            on = state.valid[:, :first]
            s, lane = state.lane_s_m[:, :first][on], state.path_lane[:, :first, 0][on].long()
            assert (s >= 0).all() and (s <= lanes.length_m[lane] + 1e-3).all()
            nearest = lanes.sample_first[lane] + (s / lanes.step_m[lane]).round().long()
            off = (state.xy_world_m[:, :first][on] - lanes.xy_world_m[nearest]).norm(dim=1)
            lateral = state.lane_lateral_m[:, :first][on].abs()
            assert (off <= lateral + 0.6).all()
            for path, valid in zip(
                state.path_lane[:, :first][on].tolist(), state.path_valid[:, :first][on].tolist(), strict=True
            ):
                for k in range(PATH_LANES - 1):
                    assert not valid[k + 1] or path[k + 1] in successors[path[k]]
            speeds.append(float(state.speed_mps[:, :first][on].mean()))
    hours = worlds * first * ticks * sim.world.dt_s / 3600.0
    assert starts / 2 / hours < 3.0, f"{starts / 2 / hours:.2f} collisions per vehicle-hour"
    assert np.mean(speeds[-10:]) > 0.6 * np.mean(speeds[2:12]), speeds
