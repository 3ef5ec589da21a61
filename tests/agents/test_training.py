import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from driver_scores import evaluate_driver
from safetensors import safe_open

from agents.contract import make_agent
from agents.episodes import lane_pool
from agents.ppo import load_policy
from agents.training import CHECKPOINT, POLICY, train_agent
from configs.schema import AgentTraining, RoadConfig, SimConfig

ROAD = RoadConfig(kind="rural", pool=2)
SIM = SimConfig(actors=6, pedestrians=1, seconds=40.0, route_m=150.0)
SMALL = AgentTraining(steps=1024, worlds=16, rollout=16, minibatch=128, epochs=2)
ROOT = Path(__file__).parents[2]


def steps_of(folder: Path) -> int:
    with safe_open(folder / CHECKPOINT, framework="pt") as file:
        return json.loads(file.metadata()["roadloop_agent_checkpoint"])["steps"]


def test_training_reports_and_resumes_where_it_stopped(tmp_path):
    figures: list[dict] = []
    assert train_agent(SMALL, ROAD, SIM, tmp_path / "a", seed=3, report=figures.append) == tmp_path / "a" / POLICY
    assert steps_of(tmp_path / "a") == 1024
    assert [f["step"] for f in figures] == [256.0, 512.0, 768.0, 1024.0]
    assert all(f["steps_per_s"] > 0.0 for f in figures)
    before = load_policy(tmp_path / "a" / POLICY)
    longer = SMALL.model_copy(update={"steps": 2048})
    resumed: list[dict] = []
    train_agent(longer, ROAD, SIM, tmp_path / "b", seed=3, resume=tmp_path / "a", report=resumed.append)
    assert steps_of(tmp_path / "b") == 2048
    assert resumed[0]["step"] == 1280.0
    assert not torch.equal(before[0][0], load_policy(tmp_path / "b" / POLICY)[0][0])
    # Nothing is left to do: the same weights and optimiser come out again
    train_agent(longer, ROAD, SIM, tmp_path / "c", seed=3, resume=tmp_path / "b" / CHECKPOINT)
    assert (tmp_path / "c" / CHECKPOINT).read_bytes() == (tmp_path / "b" / CHECKPOINT).read_bytes()
    assert sorted(p.name for p in (tmp_path / "c").iterdir()) == [POLICY, CHECKPOINT]


def test_the_same_seed_trains_the_same_policy(tmp_path):
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        train_agent(SMALL.model_copy(update={"steps": 1024}), ROAD, SIM, tmp_path / name, seed=seed)
    first, again, other = (load_policy(tmp_path / name / POLICY)[0][0] for name in "abc")
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("content", [b"", b"nonsense" * 50])
def test_a_broken_checkpoint_is_one_clear_error(tmp_path, content):
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(ValueError, match="not a training checkpoint") as error:
        train_agent(SMALL, ROAD, SIM, tmp_path / "out", resume=tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises(FileNotFoundError, match="no such file"):
        train_agent(SMALL, ROAD, SIM, tmp_path / "out", resume=tmp_path / "elsewhere")
    assert not (tmp_path / "out").exists()


KILLED = """
import sys
from pathlib import Path
import agents.training as training
from configs.schema import AgentTraining, RoadConfig, SimConfig
training.CHECKPOINT_S = 0.0
training.train_agent(
    AgentTraining(steps=10_000_000, worlds=16, rollout=16, minibatch=128, epochs=2),
    RoadConfig(kind="rural", pool=2), SimConfig(actors=6, pedestrians=1, seconds=40.0, route_m=150.0),
    Path(sys.argv[1]),
)
"""


@pytest.mark.slow
def test_a_killed_run_leaves_a_checkpoint_to_go_on_from(tmp_path):
    run = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "a")], cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 240.0
    while not (tmp_path / "a" / CHECKPOINT).exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.5)
    run.send_signal(signal.SIGKILL)
    run.wait()
    done = steps_of(tmp_path / "a")
    assert done >= 256 and done % 256 == 0
    goal = SMALL.model_copy(update={"steps": done + 512})
    train_agent(goal, ROAD, SIM, tmp_path / "a", resume=tmp_path / "a")
    assert steps_of(tmp_path / "a") == done + 512


WORKER = """
import os, sys
from pathlib import Path
import torch.distributed as dist
import agents.training as training
from configs.schema import AgentTraining, RoadConfig, SimConfig
rank = int(sys.argv[1])
dist.init_process_group("gloo", init_method=f"file://{sys.argv[2]}/meet", rank=rank, world_size=2)
saved, seen = training._save, []
training._save = lambda model, out, seed, steps: (saved(model, out, seed, steps), seen.append(steps))
learn = training.PPO.learn
def learn_and_keep(model, *args, **kwargs):
    learn(model, *args, **kwargs)
    training.save_policy(Path(sys.argv[2]) / f"rank{rank}.safetensors", training.policy_layers(model), {})
training.PPO.learn = learn_and_keep
training.train_agent(
    AgentTraining(steps=2048, worlds=16, rollout=16, minibatch=128, epochs=2),
    RoadConfig(kind="rural", pool=2), SimConfig(actors=6, pedestrians=1, seconds=40.0, route_m=150.0),
    Path(sys.argv[2]) / "out",
)
assert seen == ([2048] if rank == 0 else []), seen
"""


@pytest.mark.slow
def test_two_workers_keep_equal_weights_and_share_the_steps(tmp_path):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    runs = [
        subprocess.Popen([sys.executable, "-c", WORKER, str(rank), str(tmp_path)], cwd=ROOT, env=environment)
        for rank in range(2)
    ]
    assert [run.wait(timeout=300) for run in runs] == [0, 0]
    first, second = (load_policy(tmp_path / f"rank{rank}.safetensors") for rank in range(2))
    for (weight, bias), (other_weight, other_bias) in zip(first, second, strict=True):
        assert torch.equal(weight, other_weight) and torch.equal(bias, other_bias)
    assert steps_of(tmp_path / "out") == 2048


@pytest.mark.slow
def test_ppo_learns_to_drive(tmp_path):
    config = AgentTraining(steps=98_304, worlds=64, rollout=32, minibatch=1024, gamma=0.98)
    figures: list[dict] = []
    path = train_agent(config, ROAD, SIM, tmp_path, seed=1, report=figures.append)
    lanes, seeds = lane_pool(ROAD, 1_000_000), torch.arange(1_000_000, 1_000_016)
    trained = evaluate_driver(make_agent(str(path), 16), lanes, SIM, seeds)
    random = evaluate_driver(make_agent("random", 16), lanes, SIM, seeds)
    assert float(trained["completion"].mean()) > 0.75
    assert float(trained["completion"].mean()) > float(random["completion"].mean()) + 0.2
    assert figures[-1]["reward"] > figures[5]["reward"]
