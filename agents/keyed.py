"""Random numbers as functions of what they belong to: (seed, counter, stream) in, the same number out, anywhere."""

import torch

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


def bits_from_key(seed: torch.Tensor, counter: torch.Tensor, stream: int) -> torch.Tensor:
    """64 well-mixed bits (int64) keyed by int64 seeds and counters of equal shape and a stream number."""
    return mix_64(mix_64(seed * _GOLDEN + stream + 1) + counter * _GOLDEN)


def unit_from_key(seed: torch.Tensor, counter: torch.Tensor, stream: int) -> torch.Tensor:
    """Uniform float32 in [0, 1), keyed as `bits_from_key`."""
    return _shift_right(bits_from_key(seed, counter, stream), 40).to(torch.float32) * 2.0**-24


def seed_from_key(seed: torch.Tensor, counter: torch.Tensor, stream: int) -> torch.Tensor:
    """A new seed in [0, 2^31), keyed as `bits_from_key`."""
    return _shift_right(bits_from_key(seed, counter, stream), 33)
