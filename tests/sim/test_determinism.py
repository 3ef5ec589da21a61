"""An episode is a function of its seed and its map: alone, in a batch, after a reset in place, bit for bit."""

from dataclasses import fields

import pytest
import torch

from configs.schema import SimConfig
from sim.roadgen.generate import generate_road
from sim.roads.lanegraph import compile_lanes
from sim.simulator import Simulator
from sim.types import LaneGraph, State, World

ACTORS, PEOPLE, TICKS = 20, 4, 80
CONFIG = SimConfig(actors=ACTORS, pedestrians=PEOPLE)


@pytest.fixture(scope="module")
def maps() -> LaneGraph:
    return compile_lanes([generate_road("town", 3), generate_road("rural", 4), generate_road("highway", 5)])


def drive(sim: Simulator, ticks: int = TICKS) -> None:
    """The ego steers by its own speed and seed: the same commands for the same episode, wherever it runs."""
    sim.action.valid[:, 0] = True
    for _ in range(ticks):
        sim.action.accel_mps2[:, 0] = torch.sin(sim.state.tick * 0.1 + sim.world.seed)
        sim.action.steer_rad[:, 0] = 0.02 * torch.cos(sim.state.tick * 0.2)
        sim.step(sim.action)


def snapshot(sim: Simulator, world: int) -> dict[str, torch.Tensor]:
    """Everything one world shows: constants, state and senses."""
    found = {f.name: getattr(sim.world, f.name) for f in fields(World) if f.name not in ("lanes", "dt_s")}
    found |= {f.name: getattr(sim.state, f.name) for f in fields(State)}
    found |= {f"route_{k}": v for k, v in vars(sim.route()).items()}
    found |= {f"ego_{k}": v for k, v in vars(sim.ego_state()).items()}
    found |= {f"boxes_{k}": v for k, v in vars(sim.boxes_3d()).items()}
    found["observation"] = sim.observe_all()
    return {name: value[world].clone() for name, value in found.items()}


def differences(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> list[str]:
    return [name for name in a if not torch.equal(a[name], b[name])]


def test_a_world_is_the_same_alone_in_a_batch_of_64_and_after_reset_in_place(maps: LaneGraph) -> None:
    seeds = torch.arange(64) + 100
    index = (torch.arange(64) % 3).int()
    batch = Simulator(maps, CONFIG, seeds, index)
    drive(batch)
    for world in (0, 1, 2, 17, 63):
        lone = Simulator(maps, CONFIG, seeds[world : world + 1], index[world : world + 1])
        drive(lone)
        assert differences(snapshot(batch, world), snapshot(lone, 0)) == []
    # Reset some worlds, others run on; seeds change places.
    mask = torch.arange(64) % 2 == 0
    kept = {world: snapshot(batch, world) for world in (1, 17)}
    batch.reset(mask, seeds.flip(0), index.flip(0))
    for world, before in kept.items():
        assert differences(snapshot(batch, world), before) == []
    drive(batch)
    for world in (0, 30, 62):
        lone = Simulator(maps, CONFIG, seeds.flip(0)[world : world + 1], index.flip(0)[world : world + 1])
        drive(lone)
        assert differences(snapshot(batch, world), snapshot(lone, 0)) == []
    ran_on = Simulator(maps, CONFIG, seeds[17:18], index[17:18])
    drive(ran_on, 2 * TICKS)
    assert differences(snapshot(batch, 17), snapshot(ran_on, 0)) == []


def test_different_seeds_give_different_episodes(maps: LaneGraph) -> None:
    sim = Simulator(maps, CONFIG, torch.tensor([1, 2]), torch.zeros(2, dtype=torch.int32))
    assert not torch.equal(sim.state.xy_world_m[0], sim.state.xy_world_m[1])
    assert not torch.equal(sim.world.size_m[0], sim.world.size_m[1])


def test_numbers_of_a_key_are_uniform_and_independent_of_neighbouring_keys() -> None:
    """A NumPy twin of the generator, checked through what spawning drew with it."""
    import numpy as np

    def mix(x: np.uint64) -> np.uint64:
        with np.errstate(over="ignore"):
            z = np.uint64(x) + np.uint64(0x9E3779B97F4A7C15)
            z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            return z ^ (z >> np.uint64(31))

    def key(seed: int, stream: int, actor: int, tick: int) -> np.uint64:
        k = mix(np.uint64(seed))
        for part in (stream, actor, tick):
            k = mix(k ^ np.uint64(part))
        return k

    def uniform(k: np.uint64, counter: int) -> float:
        with np.errstate(over="ignore"):
            return float(mix(k ^ (np.uint64(counter) * np.uint64(0x9E3779B97F4A7C15))) >> np.uint64(40)) / 2**24

    from lane_graphs import ring

    config = SimConfig(actors=8, pedestrians=0)
    seeds = torch.tensor([0, 5, 2**31 - 1])
    sim = Simulator(ring(), config, seeds, torch.zeros(3, dtype=torch.int32))
    for b, seed in enumerate(seeds.tolist()):
        for i in range(8):
            temper = key(seed, 4, i, 0)
            assert float(sim.world.time_gap_s[b, i]) == pytest.approx(1.0 + 0.8 * uniform(temper, 2), abs=1e-6)
    draws = np.array([uniform(key(seed, 1, i, 0), c) for seed in range(40) for i in range(10) for c in range(5)])
    counts = np.histogram(draws, bins=10, range=(0.0, 1.0))[0]
    # Chi-squared with 9 degrees of freedom: 27.9 is its 0.1 % point.
    assert float(((counts - 200.0) ** 2 / 200.0).sum()) < 27.9
