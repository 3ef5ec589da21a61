"""A driver that acts at random: the floor every other one is compared with."""

import torch

from planning.control import track
from planning.plan import plan_from_unit
from sim.types import Action, EgoState, Percept, Route

_MIX_1 = -4658895280553007687  # 0xbf58476d1ce4e5b9 as a signed 64-bit integer
_MIX_2 = -7723592293110705685  # 0x94d049bb133111eb
_GOLDEN = -7046029254386353131  # 0x9e3779b97f4a7c15


def mix_64(value: torch.Tensor) -> torch.Tensor:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014) on int64 tensors, which wrap around."""
    value = (value ^ _shift_right(value, 30)) * _MIX_1
    value = (value ^ _shift_right(value, 27)) * _MIX_2
    return value ^ _shift_right(value, 31)


def _shift_right(value: torch.Tensor, bits: int) -> torch.Tensor:
    """Logical shift: torch's `>>` copies the sign bit."""
    return (value >> bits) & ((1 << (64 - bits)) - 1)


def unit_from_key(seed: torch.Tensor, counter: torch.Tensor, stream: int) -> torch.Tensor:
    """Uniform float32 in [0, 1) keyed by int64 seeds and counters of equal shape and a stream number."""
    key = mix_64(mix_64(seed + _GOLDEN * (stream + 1)) + counter * _GOLDEN)
    return _shift_right(key, 40).to(torch.float32) * 2.0**-24


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
        return track(plan_from_unit(torch.stack((pedal + 0.3, offset), dim=1)), route, ego)
