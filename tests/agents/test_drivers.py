import dataclasses

import pytest
import torch

from agents.classical import ClassicalAgent
from agents.contract import empty_action, fill_action, make_agent
from agents.keyed import seed_from_key, unit_from_key
from agents.random_agent import RandomAgent
from planning.plan import MAX_ACCEL_MPS2, MAX_DECEL_MPS2


def straight(scene):
    percept, route, ego = scene(1)
    route.valid[:] = True
    route.xy_ego_m[0, :, 0], route.xy_ego_m[0, :, 1] = torch.arange(32) * 2.0, 0.0
    route.speed_limit_mps[:] = 12.0
    percept.objects.valid[:] = False
    ego.speed_mps[:] = 10.0
    return percept, route, ego


def put(percept, x_m, y_m, velocity_mps, kind=3, size_m=(0.6, 0.6, 1.7)):
    objects = percept.objects
    objects.valid[0, 0] = True
    objects.center_ego_m[0, 0] = torch.tensor([x_m, y_m, 0.9])
    objects.velocity_ego_mps[0, 0] = torch.tensor(velocity_mps)
    objects.size_m[0, 0], objects.kind[0, 0], objects.yaw_ego_rad[0, 0] = torch.tensor(size_m), kind, 0.0


def accel_of(percept, route, ego) -> float:
    return float(ClassicalAgent().act(percept, route, ego).accel_mps2)


def test_free_road_accelerates_towards_the_limit(scene):
    percept, route, ego = straight(scene)
    assert accel_of(percept, route, ego) == pytest.approx(2.0 * (1.0 - (10.0 / 12.0) ** 4), abs=1e-4)


def test_brakes_for_someone_who_will_step_into_the_way(scene):
    percept, route, ego = straight(scene)
    free = accel_of(percept, route, ego)
    put(percept, 22.0, 4.0, (0.0, -1.6))  # at the kerb, on the road when the ego arrives
    assert accel_of(percept, route, ego) < free - 1.0


def test_ignores_who_stays_beside_or_has_long_gone_when_the_car_arrives(scene):
    percept, route, ego = straight(scene)
    free = accel_of(percept, route, ego)
    put(percept, 25.0, 4.0, (1.2, 0.0))  # walks along the kerb
    assert accel_of(percept, route, ego) == free
    put(percept, 50.0, 1.0, (0.0, 6.0))  # leaves the road at once
    assert accel_of(percept, route, ego) == free


def test_stops_behind_a_standing_car(scene):
    percept, route, ego = straight(scene)
    put(percept, 16.0, 0.0, (0.0, 0.0), kind=0, size_m=(4.5, 1.8, 1.5))
    assert accel_of(percept, route, ego) == -MAX_DECEL_MPS2


def test_classical_is_the_same_alone_and_in_a_batch(scene, row):
    percept, route, ego = scene(65, seed=9)
    together = ClassicalAgent().act(percept, route, ego)
    for i in range(0, 65, 8):
        alone = ClassicalAgent().act(row(percept, i), row(route, i), row(ego, i))
        assert torch.equal(alone.accel_mps2[0], together.accel_mps2[i])
        assert torch.equal(alone.steer_rad[0], together.steer_rad[i])


def test_random_depends_on_seed_and_tick_alone(scene, row):
    percept, route, ego = scene(6)
    seeds = torch.tensor([5, 6, 7, 5, 8, 9])
    batch, alone = RandomAgent(6), RandomAgent(1)
    batch.reset(torch.ones(6, dtype=torch.bool), seeds)
    alone.reset(torch.ones(1, dtype=torch.bool), seeds[2:3])
    accelerations = []
    for _ in range(40):
        action = batch.act(percept, route, ego)
        one = alone.act(row(percept, 2), row(route, 2), row(ego, 2))
        assert torch.equal(one.accel_mps2[0], action.accel_mps2[2])
        assert torch.equal(one.steer_rad[0], action.steer_rad[2])
        accelerations.append(action.accel_mps2[:, 0])
    series = torch.stack(accelerations)
    assert torch.equal(series[:, 0], series[:, 3])  # equal seeds
    assert not torch.equal(series[:, 0], series[:, 1])
    assert series.min() >= -MAX_DECEL_MPS2 and series.max() <= MAX_ACCEL_MPS2


def test_random_starts_again_where_it_is_reset(scene):
    percept, route, ego = scene(2)
    agent = RandomAgent(2)
    seeds = torch.tensor([1, 2])
    agent.reset(torch.ones(2, dtype=torch.bool), seeds)
    first = [agent.act(percept, route, ego).accel_mps2.clone() for _ in range(12)]
    agent.reset(torch.tensor([True, False]), seeds)
    again = agent.act(percept, route, ego).accel_mps2
    assert torch.equal(again[0], first[0][0])
    assert not torch.equal(again[1], first[0][1])


def test_keyed_numbers_are_uniform_and_separate_by_stream():
    seed = torch.arange(200_000)
    zero = torch.zeros_like(seed)
    first, second = unit_from_key(seed, zero, 0), unit_from_key(seed, zero, 1)
    assert float(first.mean()) == pytest.approx(0.5, abs=3e-3)
    assert float(first.var()) == pytest.approx(1.0 / 12.0, abs=1e-3)
    assert float(torch.corrcoef(torch.stack((first, second)))[0, 1]) == pytest.approx(0.0, abs=0.01)
    seeds = seed_from_key(seed, zero + 1, 3)
    assert int(seeds.min()) >= 0 and int(seeds.max()) < 2**31
    assert len(seeds.unique()) > 0.9999 * len(seeds)


def test_fill_action_touches_the_ego_alone():
    action = empty_action(3, 5)
    ego = dataclasses.replace(empty_action(3, 1), accel_mps2=torch.ones(3, 1), valid=torch.ones(3, 1, dtype=torch.bool))
    fill_action(action, ego)
    assert action.valid.sum() == 3 and bool(action.valid[:, 0].all())
    assert action.accel_mps2.sum() == 3.0


def test_unknown_agents_are_named():
    with pytest.raises(ValueError, match="'clasical' is neither"):
        make_agent("clasical", 1)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors"):
        make_agent("nowhere.safetensors", 1)
