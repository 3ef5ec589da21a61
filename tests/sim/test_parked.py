"""Parked cars: in their spaces, still, seen and hit like others; doors that open before who can brake."""

import pytest
import torch
from lane_graphs import straight

from configs.schema import SimConfig
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.simulator import Simulator
from sim.types import ActorKind, LaneGraph

DOOR_M = 0.9


@pytest.fixture(scope="module")
def city() -> LaneGraph:
    return compile_lanes([generate_road("urban", seed) for seed in (3, 4, 6)])


def parked_worlds(lanes: LaneGraph, worlds: int = 6, parked: int = 10, people: int = 4) -> Simulator:
    """Worlds of a dozen moving vehicles that the traffic model drives, parked cars and people."""
    actors = 12 + parked + people
    config = SimConfig(actors=actors, pedestrians=people, parked=parked)
    index = (torch.arange(worlds) % (len(lanes.lane_first) - 1)).int()
    return Simulator(lanes, config, torch.arange(worlds), index, controlled=[False] * actors)


def street(beside_m: float = -2.9) -> LaneGraph:
    """One lane of 400 m with a single parking space at s = 200, its middle `beside_m` left of the lane's."""
    lanes = straight(400.0, limit_mps=10.0)
    lanes.parking_world, lanes.parking_first = torch.tensor([[200.0, beside_m, 1.0, 0.0]]), torch.tensor([0, 1]).int()
    return lanes


def test_cars_stand_in_different_spaces_of_their_map_and_stay(city: LaneGraph) -> None:
    sim = parked_worlds(city)
    state, world = sim.state, sim.world
    parked = slice(12, 22)
    assert state.valid[:, parked].all() and (world.kind[:, parked] == ActorKind.CAR).all()
    before = state.xy_world_m[:, parked].clone()
    half = 0.5 * world.wheelbase_m[:, parked, None]
    yaw = state.yaw_world_rad[:, parked, None]
    middle = before + half * torch.cat((torch.cos(yaw), torch.sin(yaw)), dim=2)
    for b in range(6):
        first, last = city.parking_first[b % 3 : b % 3 + 2].tolist()
        away = torch.cdist(middle[b], city.parking_world[first:last, :2], compute_mode="donot_use_mm_for_euclid_dist")
        assert away.amin(dim=1).max() < 0.01
        assert len(set(away.argmin(dim=1).tolist())) == 10
    for _ in range(50):
        sim.step(sim.action)
    assert torch.equal(state.xy_world_m[:, parked], before) and not state.speed_mps[:, parked].any()
    assert not state.offroad[:, parked].any()


def test_traffic_passes_parked_cars_and_stops_for_doors_without_touching(city: LaneGraph) -> None:
    sim = parked_worlds(city)
    opened, gone_m = torch.zeros(6, 26, dtype=torch.bool), torch.zeros(6, 26)
    for _ in range(900):
        sim.step(sim.action)
        opened |= sim.state.door_s > 0.0
        gone_m += sim.state.speed_mps * sim.state.valid * 0.1
        assert not sim.state.collided.any()
    assert opened[:, 12:22].float().mean() > 0.3 and not opened[:, :12].any()
    assert gone_m[:, :12].mean() > 250.0


def test_maps_without_parking_spaces_have_no_parked_cars() -> None:
    sim = parked_worlds(straight(300.0), worlds=2, people=0)
    assert not sim.state.valid[:, 12:].any()


def lonely(lanes: LaneGraph) -> Simulator:
    """The ego, driven by the traffic model, and one parked car."""
    config = SimConfig(actors=2, pedestrians=0, parked=1)
    sim = Simulator(lanes, config, torch.arange(1), torch.zeros(1, dtype=torch.int32), controlled=[False, False])
    sim.state.lane_s_m[0, 0], sim.state.speed_mps[0, 0] = 140.0, 9.0
    sim.state.xy_world_m[0, 0] = torch.tensor([140.0, 0.0])
    return sim


def test_an_open_door_widens_the_box_on_the_side_of_the_road() -> None:
    for beside_m, middle_m in ((-2.9, -2.9 + 0.5 * DOOR_M), (2.9, 2.9 - 0.5 * DOOR_M)):
        sim = lonely(street(beside_m))
        width = float(sim.world.size_m[0, 1, 1])
        sim.state.door_s[0, 1] = 2.0
        sim.step(sim.action)
        boxes = sim.boxes_3d()
        assert float(boxes.size_m[0, 0, 1]) == pytest.approx(width + DOOR_M)
        assert float(boxes.center_ego_m[0, 0, 1]) == pytest.approx(middle_m, abs=1e-3)
        for _ in range(20):
            sim.step(sim.action)
        assert sim.state.door_s[0, 1] == 0.0
        assert float(sim.boxes_3d().size_m[0, 0, 1]) == pytest.approx(width)


@pytest.mark.parametrize(("beside_m", "stops"), [(-2.9, True), (-4.5, False)])
def test_a_car_waits_behind_a_door_in_its_way_and_only_there(beside_m: float, stops: bool) -> None:
    sim = lonely(street(beside_m))
    slowest, collided = 10.0, False
    for _ in range(180):
        sim.state.door_s[0, 1] = 2.0  # held open
        sim.step(sim.action)
        slowest = min(slowest, float(sim.state.speed_mps[0, 0]))
        collided |= bool(sim.state.collided.any())
    assert not collided
    reached = float(sim.state.xy_world_m[0, 0, 0])
    assert (slowest < 0.5 and reached < 197.0) if stops else (slowest > 6.0 and reached > 205.0)


def test_nobody_opens_a_door_before_a_car_that_could_not_brake() -> None:
    sim = lonely(street())
    for tick in range(6000):
        sim.state.lane_s_m[0, 0], sim.state.speed_mps[0, 0] = 185.0, 9.0
        sim.state.xy_world_m[0, 0] = torch.tensor([185.0, 0.0])
        sim.step(sim.action)
        assert sim.state.door_s[0, 1] == 0.0, tick


def test_who_drives_into_a_parked_car_collides_with_it() -> None:
    sim = lonely(street(-0.5))
    for _ in range(100):
        sim.step(sim.action)
    assert sim.state.collided[0].tolist() == [True, True] and int(sim.state.collided_with[0, 0]) == 1


def test_a_world_with_parked_cars_is_the_same_alone_among_others_and_after_another_episode(city: LaneGraph) -> None:
    many, config = parked_worlds(city), SimConfig(actors=26, pedestrians=4, parked=10)
    for _ in range(60):
        many.step(many.action)
    many.reset(torch.ones(6, dtype=torch.bool), torch.arange(6) + 40)
    one = Simulator(city, config, torch.tensor([44]), torch.ones(1, dtype=torch.int32), controlled=[False] * 26)
    for _ in range(150):
        many.step(many.action)
        one.step(one.action)
    for name in ("xy_world_m", "speed_mps", "yaw_world_rad", "valid"):
        assert torch.equal(getattr(many.state, name)[4], getattr(one.state, name)[0]), name
    assert torch.equal(many.state.door_s[4], one.state.door_s[0])


def test_parked_cars_cannot_be_controlled(city: LaneGraph) -> None:
    config = SimConfig(actors=6, pedestrians=1, parked=2)
    with pytest.raises(ValueError, match=r"actors 0\.\.2\), not parked cars or people"):
        Simulator(city, config, torch.arange(1), torch.zeros(1, dtype=torch.int32), controlled=[False, False, True] * 2)
