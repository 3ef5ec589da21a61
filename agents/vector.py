"""The native Gymnasium `VectorEnv`: B driving worlds in one batch, with same-step autoreset.

    import agents.env                                   # registers Roadloop-v0
    envs = gymnasium.make_vec("Roadloop-v0", num_envs=64)
    envs = RoadloopVectorEnv(64, road=RoadConfig(kind="rural"), sim=SimConfig(seconds=60.0))

Observation: sim/observe.py. Action: agents/driving.py. `reset(seed=s)` starts world i with seed s + i (or `seed[i]`).
When an episode ends, its last observation stands in `infos["final_obs"]` and its figures in `infos["final_info"]`.
"""

from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from agents.driving import DrivingWorlds, Transition
from agents.episodes import lane_pool
from agents.observation import action_space, observation_space
from configs.schema import RoadConfig, SimConfig
from sim.types import LaneGraph

EPISODE_FIGURES = ("completion", "collided", "offroad", "offroute", "stuck", "success")
EPISODE_SECONDS = 60.0  # long enough for the default route in town, lights of traffic included


def default_sim() -> SimConfig:
    """Worlds for driving: the schema's defaults with an episode long enough to complete the route."""
    return SimConfig(seconds=EPISODE_SECONDS)


class RoadloopVectorEnv(VectorEnv):
    """B driving worlds; see the module."""

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012 (Gymnasium's protocol)

    def __init__(
        self,
        num_envs: int = 1,
        road: RoadConfig | None = None,
        sim: SimConfig | None = None,
        map_seed: int = 0,
        device: str = "cpu",
        lanes: LaneGraph | None = None,
        max_episode_steps: int | None = None,
    ) -> None:
        """`lanes` replaces the pool of roads of `road` and `map_seed`; `max_episode_steps` overrides `sim.seconds`.

        Raises:
            ValueError: no worlds, or a map file that holds no road network.
        """
        if num_envs < 1:
            raise ValueError(f"num_envs: {num_envs}, but at least one world is needed")
        self.num_envs = num_envs
        self.road, self.sim, self.device = road or RoadConfig(), sim or default_sim(), device
        if max_episode_steps is not None:
            self.sim = self.sim.model_copy(update={"seconds": max_episode_steps * self.sim.dt_s})
        self.lanes = lanes if lanes is not None else lane_pool(self.road, map_seed)
        self.single_observation_space, self.single_action_space = observation_space(), action_space()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.worlds: DrivingWorlds | None = None

    def reset(
        self, *, seed: int | list[int | None] | np.ndarray | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start all worlds anew; without `seed` each with its next one."""
        super().reset(seed=seed if isinstance(seed, int) else None)
        seeds = self._seeds(seed)
        if self.worlds is None:
            first = seeds if seeds is not None else torch.arange(self.num_envs)
            self.worlds = DrivingWorlds(self.lanes, self.sim, first, self.device)
            return self.worlds.first_observation().cpu().numpy(), {}
        return self.worlds.reset(seeds).cpu().numpy(), {}

    def _seeds(self, seed: Any) -> torch.Tensor | None:
        if seed is None:
            return None
        if isinstance(seed, (int, np.integer)):
            return int(seed) + torch.arange(self.num_envs)
        if len(seed) != self.num_envs or any(s is None for s in seed):
            raise ValueError(f"seed: {len(seed)} values for {self.num_envs} worlds; give one number or one for each")
        return torch.as_tensor([int(s) for s in seed])

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """One tick of all worlds; rewards are float64 as in Gymnasium's own vector environments."""
        transition = self.transition(actions)
        outcome = transition.outcome
        return (
            transition.observation.cpu().numpy(),
            transition.reward.double().cpu().numpy(),
            outcome.terminated.cpu().numpy(),
            outcome.truncated.cpu().numpy(),
            self._infos(transition),
        )

    def transition(self, actions: np.ndarray) -> Transition:
        """`step` without Gymnasium's wrapping."""
        if self.worlds is None:
            raise ValueError("step: call reset first")
        unit = torch.as_tensor(np.asarray(actions), dtype=torch.float32).to(self.device)
        if unit.shape != self.action_space.shape:
            raise ValueError(f"actions: shape {tuple(unit.shape)}, but {self.action_space.shape} is needed")
        return self.worlds.step(unit)

    def _infos(self, transition: Transition) -> dict[str, Any]:
        if len(transition.finished) == 0:
            return {}
        finished = transition.finished.cpu().numpy()
        done = np.zeros(self.num_envs, dtype=bool)
        done[finished] = True
        final_obs = np.full(self.num_envs, None, dtype=object)
        for row, world in zip(transition.final_observation.cpu().numpy(), finished):
            final_obs[world] = row
        episode = {"r": np.zeros(self.num_envs), "l": np.zeros(self.num_envs, dtype=np.int64), "_r": done, "_l": done}
        episode["r"][finished] = transition.episode_return.cpu().numpy()
        episode["l"][finished] = transition.episode_ticks.cpu().numpy()
        final: dict[str, Any] = {"episode": episode, "_episode": done}
        for name in EPISODE_FIGURES:
            final[name] = np.where(done, getattr(transition.outcome, name).cpu().numpy(), 0)
            final["_" + name] = done
        return {"final_obs": final_obs, "_final_obs": done, "final_info": final, "_final_info": done}
