"""The batched worlds as a Stable-Baselines3 `VecEnv`.

SB3 keeps the observation it was given until after the next step, edits rewards in place and wants the last observation
of an ended episode in its info: everything handed over here is a fresh copy.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from agents.driving import Transition
from agents.vector import EPISODE_FIGURES, RoadloopVectorEnv


class RoadloopSb3Env(VecEnv):
    """Wraps a `RoadloopVectorEnv`."""

    def __init__(self, envs: RoadloopVectorEnv, seed: int = 0) -> None:
        self.render_mode = None
        self.envs = envs
        self._next_seed: int | None = seed
        self._actions = np.zeros(envs.action_space.shape or (), np.float32)
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """World i's next reset starts with seed + i."""
        self._next_seed = seed
        return [None if seed is None else seed + i for i in range(self.num_envs)]

    def reset(self) -> np.ndarray:
        """Observations (B, D) of new episodes."""
        observation, _ = self.envs.reset(seed=self._next_seed)
        self._next_seed = None
        self.reset_infos = [{} for _ in range(self.num_envs)]
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        self._actions = actions

    def step_wait(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[dict]]:
        """Observations, rewards, dones and infos."""
        transition = self.envs.transition(self._actions)
        infos: list[dict] = [{} for _ in range(self.num_envs)]
        if len(transition.finished):
            _fill_infos(infos, transition)
        return (
            transition.observation.cpu().numpy(),
            transition.reward.cpu().numpy(),
            transition.outcome.done.cpu().numpy(),
            infos,
        )

    def close(self) -> None:
        self.envs.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The batch's attribute, once for every chosen world."""
        return [getattr(self.envs, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        setattr(self.envs, attr_name, value)

    def env_method(self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any) -> list[Any]:
        """Call the batch's method once; its result stands for every chosen world."""
        result = getattr(self.envs, method_name)(*method_args, **method_kwargs)
        return [result] * len(list(self._get_indices(indices)))

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        return [False] * len(list(self._get_indices(indices)))


def _fill_infos(infos: list[dict], transition: Transition) -> None:
    final = transition.final_observation.cpu().numpy()
    figures = {name: getattr(transition.outcome, name).cpu().numpy() for name in (*EPISODE_FIGURES, "truncated")}
    returns, ticks = transition.episode_return.tolist(), transition.episode_ticks.tolist()
    for row, world in enumerate(transition.finished.tolist()):
        infos[world] = {name: float(figures[name][world]) for name in EPISODE_FIGURES} | {
            "terminal_observation": final[row],
            "TimeLimit.truncated": bool(figures["truncated"][world]),
            "is_success": bool(figures["success"][world]),
            "episode": {"r": returns[row], "l": ticks[row]},
        }
