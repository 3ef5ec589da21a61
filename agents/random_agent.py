"""A driver that acts at random: the floor every other one is compared with."""

import torch

from agents.keyed import unit_from_key
from planning.control import track
from planning.plan import plan_from_unit
from planning.route import route_points
from sim.types import Action, EgoState, Percept, Route


class RandomAgent:
    """Draws plans uniformly, held for `HOLD_TICKS`, keyed by (world seed, tick): no state of any generator."""

    HOLD_TICKS = 5

    def __init__(self, worlds: int, device: str | torch.device = "cpu") -> None:
        self._seed = torch.zeros(worlds, dtype=torch.int64, device=device)
        self._tick = torch.zeros(worlds, dtype=torch.int64, device=device)

    def reset(self, mask: torch.Tensor, seed: torch.Tensor) -> None:
        """Start the worlds of `mask` (B,) again with `seed` (B,)."""
        self._seed = torch.where(mask, seed, self._seed)
        self._tick = torch.where(mask, 0, self._tick)

    def act(self, percept: Percept, route: Route, ego: EgoState) -> Action:
        """The ego's commands (B, 1)."""
        counter = self._tick // self.HOLD_TICKS
        pedal = 2.0 * unit_from_key(self._seed, counter, 0) - 1.0
        offset = 2.0 * unit_from_key(self._seed, counter, 1) - 1.0
        self._tick = self._tick + 1
        # Brakes are stronger than the drive: without this shift a random driver hardly ever leaves its place.
        return track(plan_from_unit(torch.stack((pedal + 0.3, offset), dim=1)), route_points(route), ego)
