import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.env_checker import check_env as check_env_sb3

import agents.env  # noqa: F401 (registers)
from agents.contract import empty_action
from agents.driving import DrivingWorlds
from agents.env import RoadloopEnv
from agents.episodes import STUCK_S, Episodes, lane_pool
from agents.sb3 import RoadloopSb3Env
from agents.vector import RoadloopVectorEnv
from configs.schema import RoadConfig, SimConfig

SIM = SimConfig(actors=8, pedestrians=2, seconds=6.0)
GENTLE = np.array([0.4, 0.1], np.float32)


@pytest.fixture(scope="module")
def lanes():
    return lane_pool(RoadConfig(kind="town", pool=2), 0)


@pytest.fixture
def env(lanes):
    return RoadloopEnv(sim=SIM, lanes=lanes)


def vector(lanes, worlds: int, **sim) -> RoadloopVectorEnv:
    return RoadloopVectorEnv(worlds, sim=SIM.model_copy(update=sim), lanes=lanes)


@pytest.mark.filterwarnings("error::UserWarning")
def test_both_checkers_accept_the_environment(env):
    check_env(env, skip_render_check=True)
    check_env_sb3(env, warn=True, skip_render_check=True)


def test_it_is_made_by_name():
    road, sim = RoadConfig(kind="rural", pool=1), SIM
    single = gymnasium.make("agents.env:Roadloop-v0", road=road, sim=sim)
    assert single.reset(seed=1)[0].shape == single.observation_space.shape
    many = gymnasium.make_vec("Roadloop-v0", num_envs=3, road=road, sim=sim, vectorization_mode="vector_entry_point")
    observation, _ = many.reset(seed=1)
    assert many.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert observation.shape == many.observation_space.shape and observation in many.observation_space
    assert np.array_equal(observation[0], single.reset(seed=1)[0])


def test_vector_steps_have_gymnasium_s_shapes_and_types(lanes):
    envs = vector(lanes, 5)
    envs.reset(seed=3)
    observation, reward, terminated, truncated, infos = envs.step(envs.action_space.sample())
    assert observation in envs.observation_space and observation.dtype == np.float32
    for array, dtype in ((reward, np.float64), (terminated, np.bool_), (truncated, np.bool_)):
        assert array.shape == (5,) and array.dtype == dtype
    assert isinstance(infos, dict)
    with pytest.raises(ValueError, match="actions: shape"):
        envs.step(np.zeros((4, 2), np.float32))


def test_episodes_are_the_same_alone_and_in_a_batch_over_autoresets(lanes):
    seeds = [11, 4, 4, 123, 77]
    batch = vector(lanes, 5, seconds=4.0)
    alone = vector(lanes, 1, seconds=4.0)
    first, _ = batch.reset(seed=seeds)
    assert np.array_equal(first[3:4], alone.reset(seed=[123])[0])
    rng = np.random.default_rng(0)
    ended = 0
    for _ in range(100):  # two and a half episodes
        actions = np.tile(rng.uniform(-0.5, 1.0, (1, 2)).astype(np.float32), (5, 1))
        many, one = batch.step(actions), alone.step(actions[:1])
        for batched, single in zip(many[:4], one[:4], strict=True):
            assert np.array_equal(batched[3:4], single)
        assert np.array_equal(many[0][1], many[0][2])  # equal seeds
        ended += bool(one[3][0])
    assert ended == 2
    assert not np.array_equal(many[0][0], many[0][1])


def test_the_single_environment_is_a_row_of_the_vector_one(lanes, env):
    envs = vector(lanes, 3)
    rows, _ = envs.reset(seed=20)
    assert np.array_equal(env.reset(seed=21)[0], rows[1])
    for _ in range(30):
        many, one = envs.step(np.tile(GENTLE, (3, 1))), env.step(GENTLE)
        assert np.array_equal(one[0], many[0][1]) and one[1] == many[1][1]


def test_out_of_time_is_truncation_with_the_episode_s_own_last_observation(lanes):
    ticks = 8
    envs, single = vector(lanes, 2, seconds=0.8), RoadloopEnv(sim=SIM, lanes=lanes)
    envs.reset(seed=30)
    single.reset(seed=31)
    total = 0.0
    for tick in range(ticks):
        observation, reward, terminated, truncated, infos = envs.step(np.tile(GENTLE, (2, 1)))
        last, earned, *_ = single.step(GENTLE)
        total += earned
        assert bool(truncated.any()) == (tick == ticks - 1) and not terminated.any()
        assert reward[1] == earned
    assert np.array_equal(infos["final_obs"][1], last)
    assert not np.array_equal(observation[1], last)
    episode = infos["final_info"]["episode"]
    assert episode["l"].tolist() == [ticks, ticks]
    assert episode["r"][1] == pytest.approx(total, abs=1e-5)
    # The observation handed out is the first of the next episode, whose seed the worlds name.
    second = int(envs.worlds.seeds[1])
    assert np.array_equal(observation[1], RoadloopEnv(sim=SIM, lanes=lanes).reset(seed=second)[0])


def test_max_episode_steps_is_the_time_limit(lanes):
    envs = RoadloopVectorEnv(2, sim=SIM, lanes=lanes, max_episode_steps=3)
    envs.reset(seed=1)
    flags = [bool(envs.step(np.tile(GENTLE, (2, 1)))[3].all()) for _ in range(6)]
    assert flags == [False, False, True, False, False, True]


def test_sb3_infos_tell_truncation_from_termination(lanes):
    reference = vector(lanes, 16, seconds=20.0)
    env = RoadloopSb3Env(vector(lanes, 16, seconds=20.0), seed=40)
    observation = env.reset()
    assert np.array_equal(observation, reference.reset(seed=40)[0])
    wild = np.tile(np.array([1.0, 1.0], np.float32), (16, 1))
    wild[::4] = [-1.0, 0.0]  # these stand until time is up
    seen = {True: 0, False: 0}
    for _ in range(205):
        kept, before = observation, observation.copy()
        observation, rewards, dones, infos = env.step(wild)
        assert np.array_equal(kept, before)  # what SB3 keeps does not change under its hands
        same, reward, terminated, truncated, native = reference.step(wild)
        assert np.array_equal(observation, same) and np.array_equal(dones, terminated | truncated)
        assert np.array_equal(rewards, reward.astype(np.float32))
        rewards *= 0.0  # SB3 edits them in place
        for i in np.flatnonzero(dones):
            assert np.array_equal(infos[i]["terminal_observation"], native["final_obs"][i])
            assert infos[i]["TimeLimit.truncated"] == bool(truncated[i])
            seen[bool(truncated[i])] += 1
    assert seen[True] > 0 and seen[False] > 0


def test_braking_for_ever_is_stuck_and_the_goal_is_success(lanes):
    episodes = Episodes(lanes, SIM.model_copy(update={"seconds": 60.0}), torch.tensor([1, 2]))
    stand = empty_action(2, 1)
    stand.valid[:] = True
    stand.accel_mps2[:] = -6.0
    stuck_at = None
    for tick in range(1, 400):
        outcome = episodes.step(stand)
        if bool(outcome.stuck[0]):
            stuck_at = tick
            break
    assert stuck_at is not None and STUCK_S / 0.1 <= stuck_at <= STUCK_S / 0.1 + 60
    assert bool(outcome.terminated[0]) and not bool(outcome.success[0])
    episodes.begin(torch.ones(2, dtype=torch.bool), torch.tensor([1, 2]))
    state = episodes.simulator.state
    state.progress_m[0] = episodes.simulator.world.route_length_m[0] - 0.5
    outcome = episodes.step(stand)
    assert outcome.success.tolist() == [True, False] and outcome.terminated.tolist() == [True, False]
    assert float(outcome.completion[0]) == 1.0


def test_seeds_of_later_episodes_follow_from_the_first_alone(lanes):
    one, many = DrivingWorlds(lanes, SIM, torch.tensor([9])), DrivingWorlds(lanes, SIM, torch.tensor([3, 9, 5]))
    for _ in range(3):
        one.reset()
        many.reset()
        assert int(one.seeds[0]) == int(many.seeds[1]) != int(many.seeds[0])


def test_bad_calls_fail_in_one_line(lanes):
    with pytest.raises(ValueError, match="num_envs: 0"):
        RoadloopVectorEnv(0, lanes=lanes)
    with pytest.raises(ValueError, match="call reset first"):
        vector(lanes, 1).step(np.zeros((1, 2), np.float32))
    with pytest.raises(ValueError, match="3 values for 2 worlds"):
        vector(lanes, 2).reset(seed=[1, 2, 3])
