"""One driving world as a plain `gymnasium.Env`, and the registration of both forms.

import gymnasium
env = gymnasium.make("agents.env:Roadloop-v0", road=RoadConfig(kind="town"))
"""

from typing import Any

import gymnasium
import numpy as np
import torch

from agents.driving import DrivingWorlds
from agents.episodes import lane_pool
from agents.observation import action_space, observation_space
from agents.vector import EPISODE_FIGURES, default_sim
from configs.schema import RoadConfig, SimConfig
from sim.types import LaneGraph


class RoadloopEnv(gymnasium.Env):
    """A single world. Observation: sim/observe.py. Action: agents/driving.py."""

    metadata = {"render_modes": []}  # noqa: RUF012 (Gymnasium's protocol)

    def __init__(
        self,
        road: RoadConfig | None = None,
        sim: SimConfig | None = None,
        map_seed: int = 0,
        device: str = "cpu",
        lanes: LaneGraph | None = None,
        render_mode: str | None = None,
    ) -> None:
        if render_mode is not None:
            raise ValueError(f"render_mode: {render_mode!r}, but this environment draws nothing; use `roadloop drive`")
        self.render_mode = None
        self.road, self.sim, self.device = road or RoadConfig(), sim or default_sim(), device
        self.lanes = lanes if lanes is not None else lane_pool(self.road, map_seed)
        self.observation_space, self.action_space = observation_space(), action_space()
        self._worlds: DrivingWorlds | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Start the episode of `seed`; without one, the next in the row that the last given seed began."""
        super().reset(seed=seed)
        seeds = None if seed is None else torch.tensor([seed])
        if self._worlds is None:
            first = seeds if seeds is not None else torch.zeros(1, dtype=torch.int64)
            self._worlds = DrivingWorlds(self.lanes, self.sim, first, self.device, autoreset=False)
            return self._worlds.first_observation()[0].cpu().numpy(), {}
        return self._worlds.reset(seeds)[0].cpu().numpy(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """One tick; the last observation of an episode is its own, not that of the next."""
        if self._worlds is None:
            raise ValueError("step: call reset first")
        unit = torch.as_tensor(np.asarray(action), dtype=torch.float32)[None].to(self.device)
        transition = self._worlds.step(unit)
        outcome = transition.outcome
        info = {name: float(getattr(outcome, name)[0]) for name in EPISODE_FIGURES}
        return (
            transition.observation[0].cpu().numpy(),
            float(transition.reward[0]),
            bool(outcome.terminated[0]),
            bool(outcome.truncated[0]),
            info,
        )


def register() -> None:
    """Make "Roadloop-v0" known to Gymnasium; importing this module does it."""
    if "Roadloop-v0" not in gymnasium.registry:
        gymnasium.register(
            "Roadloop-v0",
            entry_point="agents.env:RoadloopEnv",
            vector_entry_point="agents.vector:RoadloopVectorEnv",
        )


register()
