"""Bicycles and motorcycles: how they look and are labelled, how learned drivers are told of them, how they ride."""

import numpy as np
import pytest
import torch
from lane_graphs import straight
from riding import place, riders
from tiny_scene import Actor, make_world, shoot

from configs.schema import RoadKind, SimConfig
from sim.observe import EGO_FEATURES, ROUTE_INDEX, ObservationKernels
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.simulator import Simulator
from sim.types import ActorKind, Percept, Semantic

CAR, PERSON, BICYCLE, MOTORCYCLE = ActorKind.CAR, ActorKind.PEDESTRIAN, ActorKind.BICYCLE, ActorKind.MOTORCYCLE
LABEL = {BICYCLE: Semantic.BICYCLE, MOTORCYCLE: Semantic.MOTORCYCLE}


@pytest.mark.parametrize("kind", LABEL)
def test_rider_and_machine_are_one_actor_of_two_classes(kind: ActorKind) -> None:
    """Seen from the side: the silhouette fills the label's box, yet one sees through it."""
    world, state = make_world([[Actor(kind, 8.0, -1.75, np.pi / 2)]])
    _, truth, _ = shoot(world, state, 320, 192)
    machine, rider = (truth.semantic[0, 0] == int(part) for part in (LABEL[kind], Semantic.RIDER))
    seen = machine | rider
    assert torch.equal(seen, truth.instance[0, 0] == 2)
    assert 0.2 < int(rider.sum()) / int(seen.sum()) < 0.8
    height = [float(part.nonzero()[:, 0].float().mean()) for part in (rider, machine)]
    assert height[0] < height[1]  # rows count downwards
    assert int(truth.boxes_2d.kind[0, 0, 0]) == kind
    box = truth.boxes_2d.amodal_px[0, 0, 0].tolist()
    rows, columns = seen.nonzero(as_tuple=True)
    assert [int(columns.min()), int(rows.min())] == pytest.approx(box[:2], abs=1.5)
    assert [int(columns.max()) + 1, int(rows.max()) + 1] == pytest.approx(box[2:], abs=1.5)
    area = (box[2] - box[0]) * (box[3] - box[1])
    assert 0.15 * area < int(seen.sum()) < 0.7 * area


def test_two_wheelers_wear_the_colours_of_their_appearance() -> None:
    colours = []
    for appearance in range(4):
        world, state = make_world([[Actor(BICYCLE, 6.0, -1.75, np.pi / 2, appearance=appearance)]])
        frame, truth, _ = shoot(world, state, 160, 96)
        colours.append(tuple(frame.rgb[0, 0][truth.instance[0, 0] == 2].float().mean(dim=0).tolist()))
    assert len(set(colours)) == 4


def test_learned_drivers_are_told_of_four_kinds_as_before() -> None:
    """A cyclist reads like a person in the same place, a motorcycle like a car."""
    sim = Simulator(straight(), SimConfig(actors=2, pedestrians=0), torch.arange(1), torch.zeros(1, dtype=torch.int32))
    boxes, rows = sim.boxes_3d(), {}
    boxes.center_ego_m[0, 0], boxes.valid[0, 0] = torch.tensor([15.0, 1.0, 0.8]), True
    for kind in (CAR, PERSON, BICYCLE, MOTORCYCLE):
        boxes.kind[0, 0] = int(kind)
        ego = sim.ego_state()
        rows[kind] = ObservationKernels(1)(Percept(boxes, ego.time_s), sim.route(), ego)[0].clone()
    first = EGO_FEATURES + 4 * len(ROUTE_INDEX)
    told = {kind: row[0, first + 9 : first + 13].tolist() for kind, row in rows.items()}
    assert told[BICYCLE] == told[PERSON] == [0.0, 0.0, 0.0, 1.0]
    assert told[MOTORCYCLE] == told[CAR] == [1.0, 0.0, 0.0, 0.0]
    assert rows[BICYCLE].shape == rows[CAR].shape


def test_the_last_vehicles_are_motorcycles_and_bicycles_of_real_size() -> None:
    sim = riders(straight(400.0), worlds=64, actors=12, cyclists=3, motorcycles=2)
    kind, size, world = sim.world.kind, sim.world.size_m, sim.world
    assert (kind[:, 9:] == BICYCLE).all() and (kind[:, 7:9] == MOTORCYCLE).all() and (kind[:, :7] <= 2).all()
    assert (size[:, 7:, 1] <= 0.8).all() and (size[:, 7:, 0] < 2.3).all()
    assert (world.wheelbase_m[:, 7:] < size[:, 7:, 0]).all() and (world.wheelbase_m[:, 7:] > 1.0).all()
    cycling_kmh = 3.6 * world.desired_speed_factor[:, 9:]
    assert cycling_kmh.min() >= 12.0 and cycling_kmh.max() <= 25.0 and cycling_kmh.std() > 2.0
    assert world.max_accel_mps2[:, 7:9].min() > world.max_accel_mps2[:, :7].max()


def test_a_cyclist_rides_at_its_own_speed_near_the_kerb_whatever_the_limit() -> None:
    """3.5 m of lane: 0.6 m of rider, 0.4 m to the edge, hence 1.05 m right of the middle."""
    for limit in (14.0, 25.0):
        sim = riders(straight(450.0, limit_mps=limit), actors=2, cyclists=1)
        place(sim, {1: (0, 50.0, 3.0)})
        for _ in range(400):
            sim.step(sim.action)
        state = sim.state
        assert float(state.speed_mps[0, 1]) == pytest.approx(float(sim.world.desired_speed_factor[0, 1]), abs=0.02)
        assert float(state.lane_lateral_m[0, 1]) == pytest.approx(-1.05, abs=0.01)
        assert float(state.xy_world_m[0, 1, 1]) == pytest.approx(-1.05, abs=0.01)
        assert abs(float(state.yaw_world_rad[0, 1])) < 0.01 and not state.offroad[0, 1]


def test_where_traffic_keeps_left_so_do_cyclists() -> None:
    lanes = straight(450.0)
    lanes.kerb_side[:] = 1.0
    sim = riders(lanes, actors=2, cyclists=1)
    place(sim, {1: (0, 50.0, 4.0)})
    for _ in range(300):
        sim.step(sim.action)
    assert float(sim.state.lane_lateral_m[0, 1]) == pytest.approx(1.05, abs=0.01)


def test_a_car_follows_a_cyclist_on_one_lane_and_passes_on_two() -> None:
    for lanes in (1, 2):
        sim = riders(straight(700.0, lanes=lanes, limit_mps=14.0), actors=3, cyclists=1)
        sim.world.desired_speed_factor[0] = torch.tensor([1.0, 1.0, 5.0])
        place(sim, {1: (0, 60.0, 10.0), 2: (0, 110.0, 5.0)})
        for _ in range(400):
            sim.step(sim.action)
            assert not sim.state.collided.any()
        ahead = float(sim.state.xy_world_m[0, 1, 0] - sim.state.xy_world_m[0, 2, 0])
        speed = float(sim.state.speed_mps[0, 1])
        if lanes == 1:
            assert -15.0 < ahead < -3.0 and speed == pytest.approx(5.0, abs=0.2)
        else:
            assert ahead > 100.0 and speed > 12.0


def test_nobody_cycles_on_a_motorway() -> None:
    sim = riders(straight(500.0, limit_mps=28.0), worlds=8, cyclists=4)
    for _ in range(100):
        assert not sim.state.valid[:, 4:].any() and sim.state.valid[:, 1:4].any()
        sim.step(sim.action)


@pytest.mark.parametrize("kind", ["urban", "roundabout", "crossing"])
def test_two_wheelers_mix_with_traffic_without_touching(kind: RoadKind) -> None:
    """Two minutes of signals, priority and turns: everybody gets on, nobody collides."""
    graph = compile_lanes([generate_road(kind, seed) for seed in (3, 4)])
    sim = riders(graph, worlds=6, actors=24, cyclists=8, motorcycles=4)
    gone_m = torch.zeros(6, 24)
    for _ in range(1200):
        sim.step(sim.action)
        gone_m += sim.state.speed_mps * sim.state.valid * 0.1
        assert not sim.state.collided.any()
    assert gone_m[:, 16:].mean() > 200.0 and gone_m[:, 12:16].mean() > 400.0


def test_a_world_with_riders_is_the_same_alone_and_among_others() -> None:
    graph = compile_lanes([generate_road("town", seed) for seed in (1, 2)])
    many = riders(graph, worlds=6, actors=16, cyclists=4, motorcycles=3)
    config = SimConfig(actors=16, pedestrians=0, cyclists=4, motorcycles=3)
    one = Simulator(graph, config, torch.tensor([5]), torch.ones(1, dtype=torch.int32), controlled=[False] * 16)
    for _ in range(200):
        many.step(many.action)
        one.step(one.action)
    for name in ("xy_world_m", "speed_mps", "yaw_world_rad", "lane_lateral_m", "valid"):
        assert torch.equal(getattr(many.state, name)[5], getattr(one.state, name)[0]), name


def test_too_many_riders_are_refused() -> None:
    with pytest.raises(ValueError, match=r"sim\.cyclists is 5, sim\.motorcycles 3 .*room for 7 vehicles"):
        riders(straight(), actors=8, cyclists=5, motorcycles=3)
