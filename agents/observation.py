"""What a learned driver sees: the observation row of sim/observe.py plus the memory of its own last action."""

import numpy as np
import torch
from gymnasium import spaces

from planning.route import RoutePoints
from sim.observe import OBSERVATION_LIMIT, OBSERVATION_SIZE, Lead, ObservationKernels
from sim.types import EgoState, Percept, Route

ACTION_SIZE = 2


def observation_space() -> spaces.Box:
    """The row of numbers that `sim/observe.py` documents."""
    return spaces.Box(-OBSERVATION_LIMIT, OBSERVATION_LIMIT, (OBSERVATION_SIZE,), np.float32)


def action_space() -> spaces.Box:
    """Pedal and tracking point, as `planning.plan.plan_from_unit` reads them."""
    return spaces.Box(-1.0, 1.0, (ACTION_SIZE,), np.float32)


class Observer:
    """Observations of B worlds."""

    def __init__(self, worlds: int, device: str | torch.device = "cpu") -> None:
        self._kernels = ObservationKernels(worlds, device)

    def reset(self, mask: torch.Tensor) -> None:
        """Forget the last action of the worlds of `mask` (B,)."""
        self._kernels.previous.masked_fill_(mask[:, None], 0.0)

    def remember(self, unit: torch.Tensor) -> None:
        """Keep the actions (B, 2) just taken for the next observation."""
        self._kernels.previous.copy_(unit.clamp(-1.0, 1.0))

    def __call__(
        self, percept: Percept, route: Route, ego: EgoState, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, Lead]:
        """Observations (B, D) and leads; only rows of `mask` are brought up to date. The next call overwrites them."""
        return self._kernels(percept, route, ego, mask)

    @property
    def points(self) -> RoutePoints:
        """The route that the last call saw, as controllers want it."""
        xy, tangent = self._kernels.points
        return RoutePoints(xy_ego_m=xy, tangent_ego=tangent)
