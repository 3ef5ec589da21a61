"""What verdicts read: how every actor of B runs moved over T ticks, as float64 arrays with a mask.

One type serves a single scenario, a suite of thousands of runs and a recorded drive. All verdicts are pure functions of
it and of explicit arguments; the ego is actor 0.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import torch
from torch import Tensor

EGO = 0
CHUNK = 1 << 17  # entries (runs x ticks x actors) worked on at once: arrays that stay in a core's cache


Verdict = TypeVar("Verdict")


@dataclass(frozen=True)
class Trace:
    """B runs x T ticks x N actors; world frame, x east, y north, yaw counter-clockwise.

    Entries that are not `valid` may hold anything. Shapes and finiteness of the valid entries are checked.
    """

    dt_s: float
    xy_world_m: Tensor  # (B, T, N, 2) entity reference point: the rear axle of vehicles, the middle of people
    yaw_world_rad: Tensor  # (B, T, N)
    speed_mps: Tensor  # (B, T, N) along the heading, negative in reverse
    accel_mps2: Tensor  # (B, T, N) along the heading
    valid: Tensor  # (B, T, N) bool: the actor exists at this tick
    size_m: Tensor  # (B, N, 3) length, width, height
    centre_offset_m: Tensor  # (B, N) box centre ahead of the reference point
    kind: Tensor  # (B, N) int ActorKind

    def __post_init__(self) -> None:
        if not self.dt_s > 0:
            raise ValueError(f"trace: dt_s = {self.dt_s}: the time step must be positive")
        if self.speed_mps.dim() != 3:
            raise ValueError(f"trace: speed_mps has shape {tuple(self.speed_mps.shape)}; expected (B, T, N)")
        for name, tensor in self._tensors():
            self._check(name, tensor)

    @classmethod
    def of(cls, dt_s: float, **arrays: object) -> "Trace":
        """From NumPy arrays, lists or tensors under the names of the fields; numbers become float64."""
        kinds = {"valid": torch.bool, "kind": torch.int32}
        tensors = {name: torch.as_tensor(array, dtype=kinds.get(name, torch.float64)) for name, array in arrays.items()}
        return cls(dt_s=dt_s, **tensors)

    @property
    def runs(self) -> int:
        """B."""
        return self.speed_mps.shape[0]

    @property
    def ticks(self) -> int:
        """T."""
        return self.speed_mps.shape[1]

    @property
    def actors(self) -> int:
        """N, the ego included."""
        return self.speed_mps.shape[2]

    def map(self, change: Callable[[Tensor], Tensor]) -> "Trace":
        """The same change to every tensor along its run axis, as in `trace.map(lambda x: x[rows])`."""
        return replace(self, **{name: change(tensor) for name, tensor in self._tensors()})

    def _tensors(self) -> list[tuple[str, Tensor]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self) if field.name != "dt_s"]

    def _check(self, name: str, tensor: Tensor) -> None:
        runs, ticks, actors = self.speed_mps.shape
        shape = {
            "xy_world_m": (runs, ticks, actors, 2),
            "size_m": (runs, actors, 3),
            "centre_offset_m": (runs, actors),
            "kind": (runs, actors),
        }.get(name, (runs, ticks, actors))
        if tuple(tensor.shape) != shape:
            raise ValueError(f"trace: {name} has shape {tuple(tensor.shape)}; expected {shape}")
        if tensor.is_floating_point():
            used = self.valid if name not in ("size_m", "centre_offset_m") else self.valid.any(dim=1)
            used = used[..., None] if tensor.dim() > used.dim() else used
            check_finite(name, torch.where(used, tensor, 0.0))


def check_finite(name: str, values: Tensor) -> Tensor:
    """The values, once none is NaN or infinite; ValueError names the first that is."""
    wrong = ~torch.isfinite(values)
    if wrong.any():
        where = tuple(wrong.nonzero()[0].tolist())
        raise ValueError(f"{name}{list(where)} = {float(values[where])}: every valid entry must be a finite number")
    return values


def velocity_world_mps(trace: Trace) -> Tensor:
    """Velocity over ground (B, T, N, 2) of the reference points: their speed along their heading."""
    return heading(trace.yaw_world_rad) * trace.speed_mps[..., None]


def heading(yaw_rad: Tensor) -> Tensor:
    """Unit vectors (..., 2) of angles (...)."""
    angle = yaw_rad.contiguous()  # strided ones are evaluated otherwise, and a run's bits would depend on its batch
    return torch.stack([torch.cos(angle), torch.sin(angle)], dim=-1)


def box_centre_world_m(trace: Trace) -> Tensor:
    """Middle of each actor's box (B, T, N, 2)."""
    return trace.xy_world_m + heading(trace.yaw_world_rad) * trace.centre_offset_m[:, None, :, None]


def by_chunks(trace: Trace, judge: Callable[[Trace, slice], Verdict]) -> Verdict:
    """A dataclass of tensors (B, ...) that `judge` makes of a few runs at a time, joined along the runs.

    `judge` is given part of the trace and which of its runs these are. It takes no less time to judge all at once, but
    a great deal of memory.
    """
    step = max(CHUNK // max(trace.ticks * trace.actors, 1), 1)
    pieces = [slice(first, first + step) for first in range(0, max(trace.runs, 1), step)]
    parts = [judge(trace.map(lambda x, rows=rows: x[rows]), rows) for rows in pieces]
    columns = zip(*(vars(part).values() for part in parts))
    return type(parts[0])(*(torch.cat(column) for column in columns))
