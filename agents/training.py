"""Train the learned driver: SB3's PPO on the batched worlds, alone or as one of several data-parallel workers.

Under an initialised `torch.distributed` every worker drives its own worlds and the gradients are averaged before each
optimiser step. Minibatches are equally many everywhere and nothing stops an update early, so nobody waits for ever.
"""

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback

from agents.ppo import read_tensors, save_policy, write_tensors
from agents.sb3 import RoadloopSb3Env
from agents.vector import EPISODE_FIGURES, RoadloopVectorEnv
from configs.schema import AgentTraining, RoadConfig, SimConfig

HIDDEN = (64, 64)
CHECKPOINT = "checkpoint.safetensors"
POLICY = "agent.safetensors"
CHECKPOINT_KEY = "roadloop_agent_checkpoint"
CHECKPOINT_S = 20.0  # at least this long between two checkpoints
WINDOW = 512  # episodes that figures are averaged over

Report = Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class Rank:
    """This process among its equals."""

    index: int
    count: int

    @staticmethod
    def current() -> "Rank":
        together = dist.is_available() and dist.is_initialized()
        return Rank(dist.get_rank(), dist.get_world_size()) if together else Rank(0, 1)


def train_agent(
    config: AgentTraining,
    road: RoadConfig,
    sim: SimConfig,
    out: Path,
    seed: int = 0,
    resume: Path | None = None,
    report: Report | None = None,
) -> Path:
    """Train for `config.steps` environment steps in all and return the policy's file, `out`/agent.safetensors.

    `resume` is an earlier run's folder (or its checkpoint); its steps count. `report` receives step, steps_per_s,
    reward and the episodes' figures after every rollout, on the first worker only.

    Raises:
        ValueError, OSError: a checkpoint or map file that cannot be used.
    """
    rank = Rank.current()
    model = _new_model(config, road, sim, seed, rank)
    done = _restore(model, resume) if resume is not None else 0
    if rank.count > 1:
        _share_gradients(model, rank)
    model.num_timesteps = done // rank.count
    left = config.steps // rank.count - model.num_timesteps
    if left > 0:
        model.learn(left, callback=_Progress(out, seed, rank, report), reset_num_timesteps=False)
    if rank.index == 0:
        _save(model, out, seed, model.num_timesteps * rank.count)
    if rank.count > 1:
        dist.barrier()
    return out / POLICY


def _new_model(config: AgentTraining, road: RoadConfig, sim: SimConfig, seed: int, rank: Rank) -> PPO:
    envs = RoadloopVectorEnv(config.worlds, road, sim, map_seed=seed)
    # Far apart, so that no two workers drive the same episodes
    env = RoadloopSb3Env(envs, seed=seed + rank.index * 10_007)
    model = PPO(
        "MlpPolicy",
        env,
        learning_rate=lambda left: config.learning_rate * max(left, 0.05),
        n_steps=config.rollout,
        batch_size=min(config.minibatch, config.rollout * config.worlds),
        n_epochs=config.epochs,
        gamma=config.gamma,
        gae_lambda=0.95,
        ent_coef=0.0,
        max_grad_norm=float("inf") if rank.count > 1 else 0.5,
        policy_kwargs={
            "net_arch": {"pi": list(HIDDEN), "vf": list(HIDDEN)},
            "log_std_init": -0.7,
            "optimizer_kwargs": {"eps": 1e-5, "fused": True},
        },
        seed=seed,
        device="cpu",
    )
    # SB3 seeds torch globally: equal first weights on every worker, then different noise.
    torch.manual_seed(seed + 7919 * rank.index)
    return model


def _share_gradients(model: PPO, rank: Rank) -> None:
    """Average gradients over the workers, then clip, before every optimiser step; start from worker 0's weights."""
    parameters = [p for p in model.policy.parameters() if p.requires_grad]
    for parameter in parameters:
        dist.broadcast(parameter.data, src=0)

    def average(*_: object) -> None:
        flat = torch.cat([p.grad.reshape(-1) for p in parameters if p.grad is not None])
        dist.all_reduce(flat)
        first = 0
        for p in parameters:
            if p.grad is not None:
                p.grad.copy_(flat[first : first + p.numel()].view_as(p) / rank.count)
                first += p.numel()
        torch.nn.utils.clip_grad_norm_(parameters, 0.5)

    model.policy.optimizer.register_step_pre_hook(average)


class _Progress(BaseCallback):
    """Reports after every rollout and saves now and then, always between two updates."""

    def __init__(self, out: Path, seed: int, rank: Rank, report: Report | None) -> None:
        super().__init__()
        self._out, self._seed, self._rank, self._report = out, seed, rank, report
        self._episodes: deque[dict] = deque(maxlen=WINDOW)
        self._started = self._saved = time.monotonic()
        self._first_step: int | None = None

    def _on_step(self) -> bool:
        self._episodes.extend(info for info in self.locals["infos"] if info)
        return True

    def _on_rollout_start(self) -> None:
        if self._first_step is None:
            self._first_step, self._started = self.num_timesteps, time.monotonic()
            return
        self._tell()
        if self._rank.index == 0 and time.monotonic() - self._saved > CHECKPOINT_S:
            _save(self.model, self._out, self._seed, self.num_timesteps * self._rank.count)  # type: ignore[arg-type]
            self._saved = time.monotonic()

    def _on_training_end(self) -> None:
        self._tell()

    def _tell(self) -> None:
        if self._rank.index == 0 and self._report is not None:
            self._report(self._figures())

    def _figures(self) -> dict[str, float]:
        made = (self.num_timesteps - (self._first_step or 0)) * self._rank.count
        figures = {
            "step": float(self.num_timesteps * self._rank.count),
            "steps_per_s": made / max(time.monotonic() - self._started, 1e-9),
        }
        if self._episodes:
            figures["reward"] = float(np.mean([info["episode"]["r"] for info in self._episodes]))
            for name in EPISODE_FIGURES:
                figures[name] = float(np.mean([info[name] for info in self._episodes]))
        return figures


def policy_layers(model: PPO) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Weights and biases of the policy's mean, first layer to last."""
    hidden = [m for m in model.policy.mlp_extractor.policy_net if isinstance(m, torch.nn.Linear)]
    return [(layer.weight.data, layer.bias.data) for layer in (*hidden, model.policy.action_net)]  # type: ignore[union-attr]


def _save(model: PPO, out: Path, seed: int, steps: int) -> None:
    """The deployable policy, and all of the learner in one file: a kill between the two loses nothing."""
    save_policy(out / POLICY, policy_layers(model), {"steps": steps, "seed": seed})
    tensors = {f"policy.{name}": value for name, value in model.policy.state_dict().items()}
    for index, state in model.policy.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{name}": value for name, value in state.items()}
    header = {CHECKPOINT_KEY: json.dumps({"steps": steps, "seed": seed})}
    write_tensors(out / CHECKPOINT, {name: value.detach().clone() for name, value in tensors.items()}, header)


def _restore(model: PPO, resume: Path) -> int:
    """Load weights and optimiser of an earlier run; returns the steps it had made."""
    path = resume / CHECKPOINT if resume.is_dir() else resume
    tensors, header = read_tensors(path, "a training checkpoint")
    if CHECKPOINT_KEY not in header:
        raise ValueError(f"{path}: not a training checkpoint: its header has no {CHECKPOINT_KEY!r}")
    weights = {name.removeprefix("policy."): v for name, v in tensors.items() if name.startswith("policy.")}
    try:
        model.policy.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path}: made by another version: its weights do not fit; train anew") from error
    whole = model.policy.optimizer.state_dict()
    whole["state"] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            whole["state"].setdefault(int(index), {})[key] = value
    model.policy.optimizer.load_state_dict(whole)
    return int(json.loads(header[CHECKPOINT_KEY])["steps"])
