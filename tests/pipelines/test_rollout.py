"""A world's episode is a function of its seed: the same bits alone, in a batch of 64 and over two Ray workers."""

import numpy as np
import pytest
import torch

from agents.contract import make_agent
from pipelines.config_io import load_experiment
from pipelines.fanout import fan_out
from pipelines.rollout import rollout
from pipelines.sight import make_sight
from pipelines.worlds import make_simulator, make_worlds

SETTINGS = ["road.kind=any", "road.pool=4", "sim.actors=12", "sim.pedestrians=3", "sim.seconds=3"]
TICKS = 30


def episode_bits(task):
    """What the egos of `seeds` lived through, tick by tick: (seeds, ticks, figures) float64, NaN once ended."""
    seeds, agent_name = task
    torch.set_num_threads(1)
    experiment = load_experiment(None, SETTINGS)
    worlds = make_worlds(experiment, seeds)
    simulator = make_simulator(experiment, worlds)
    rows = np.full((len(seeds), TICKS, 8), np.nan)
    agent, sight = make_agent(agent_name, len(seeds)), make_sight("oracle", experiment, worlds)
    for tick in rollout(simulator, agent, sight, TICKS):
        state, running = simulator.state, tick.active.numpy()
        now = torch.cat(
            [
                state.xy_world_m[:, 0].double(),
                state.yaw_world_rad[:, :1].double(),
                state.speed_mps[:, :1].double(),
                tick.action.accel_mps2.double(),
                tick.action.steer_rad.double(),
                state.xy_world_m.double().sum(dim=(1, 2))[:, None],
                tick.outcome.progress_m[:, None].double(),
            ],
            dim=1,
        ).numpy()
        rows[running, tick.index] = now[running]
    return rows


@pytest.mark.parametrize("agent", ["classical", "random"])
def test_alone_and_in_a_batch_of_64(agent):
    seeds = list(range(1_000_000, 1_000_064))
    together = episode_bits((seeds, agent))
    assert np.isfinite(together[:, 0]).all() and len(np.unique(together[:, 10, 0])) > 50
    for row in (0, 1, 17, 63):
        alone = episode_bits(([seeds[row]], agent))
        assert np.array_equal(alone[0], together[row], equal_nan=True), f"seed {seeds[row]}"


@pytest.mark.slow
def test_over_two_ray_workers():
    from ray import cloudpickle

    cloudpickle.register_pickle_by_value(__import__(__name__))
    seeds = list(range(1_000_000, 1_000_008))
    here = episode_bits((seeds, "classical"))
    tasks = [(seeds[i : i + 2], "classical") for i in range(0, 8, 2)]
    there = np.concatenate(list(fan_out(episode_bits, tasks, 2)))
    assert np.array_equal(here, there, equal_nan=True)


def test_ticks_tell_the_same_story_as_the_state():
    experiment = load_experiment(None, SETTINGS)
    worlds = make_worlds(experiment, [1_000_001])
    simulator = make_simulator(experiment, worlds)
    last = None
    for tick in rollout(simulator, make_agent("classical", 1), make_sight("oracle", experiment, worlds), TICKS):
        assert float(tick.ego.time_s[0]) == pytest.approx(0.1 * tick.index, abs=1e-5)
        if last is not None:
            moved = torch.linalg.vector_norm(tick.ego_xy_world_m - last[0], dim=-1)
            assert float(moved) == pytest.approx(0.1 * float(last[1]), abs=0.06)
        last = (tick.ego_xy_world_m.clone(), tick.ego.speed_mps.clone())
    assert last is not None
