"""What a scenario player takes and shows: commands, entities, their state, what a driver sees, and traces.

Shapes are batch first: B runs, E entities, D driven ones, T ticks; float64 unless said.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class EgoCommand:
    """What an outside driver wants of the driven entities for the coming tick, in their order in `driven`."""

    accel_mps2: Tensor  # (B, D)
    steer_rad: Tensor | None = None  # (B, D); None: the entity keeps its lane and its place across it


@dataclass(frozen=True)
class Entities:
    """Who takes part; a trailer follows its tractor. Sizes may differ by run."""

    names: tuple[str, ...]
    kinds: tuple[str, ...]  # vehicle, pedestrian, misc
    categories: tuple[str, ...]  # car, van, truck, trailer, bicycle, pedestrian ...
    size_m: Tensor  # (B, E, 3) length, width, height
    centre_offset_m: Tensor  # (B, E) of the box's middle, ahead of the reference point
    centre_left_m: Tensor  # (B, E) of the box's middle, left of the reference point
    wheelbase_m: Tensor  # (B, E); 0 where there are no axles

    def index(self, name: str) -> int:
        """The column of an entity. ValueError where there is no such name."""
        if name not in self.names:
            raise ValueError(f"no entity {name!r}; there are {', '.join(self.names)}")
        return self.names.index(name)


@dataclass(frozen=True)
class State:
    """Where entities are and how they move, each (B, E), float64 unless said; views that the next step changes."""

    x_m: Tensor
    y_m: Tensor
    z_m: Tensor
    heading_rad: Tensor
    pitch_rad: Tensor
    roll_rad: Tensor
    speed_mps: Tensor  # along the heading, negative in reverse
    accel_mps2: Tensor  # change of speed over the last tick
    valid: Tensor  # bool: takes part
    road: Tensor  # int64: index in the network's file order, -1 off the network
    lane: Tensor  # int64: lane id
    s_m: Tensor
    offset_m: Tensor  # from the lane's centre, to the left of the reference line
    travelled_m: Tensor
    standstill_s: Tensor  # for how long it has been standing


@dataclass(frozen=True)
class Gaps:
    """Others as a driver of entity `ego` sees them along its lane, each (B, E); the ego's own column is not valid."""

    gap_m: Tensor  # bumper to bumper along the ego's lane; negative: beside it or behind
    lateral_gap_m: Tensor  # free distance between the boxes across the lane, 0 where they overlap across
    lateral_offset_m: Tensor  # of the other's box centre from the middle of the ego's lane, to the left of travel
    lateral_speed_mps: Tensor  # of the other towards the middle of the ego's lane
    speed_mps: Tensor  # of the other along the ego's lane
    accel_mps2: Tensor  # of the other along the ego's lane
    in_lane_overlap: Tensor  # bool: part of its box is inside the ego's lane
    valid: Tensor  # bool
    ego_speed_mps: Tensor  # (B,) along its lane
    ego_lateral_mps: Tensor  # (B,) to the left of travel
    ego_offset_m: Tensor  # (B,) of its box centre from its lane's middle, to the left of travel
    lane_width_m: Tensor  # (B,) of the ego's lane


@dataclass(frozen=True)
class Trace:
    """Every tick of B runs, from the first (time 0) on; entries after a run's end, or not `valid`, mean nothing."""

    names: tuple[str, ...]
    dt_s: float
    ticks: Tensor  # (B,) int64: ticks that a run has, the first and the last included
    end_reason: tuple[str, ...]
    xyz_world_m: Tensor  # (B, T, E, 3)
    hpr_rad: Tensor  # (B, T, E, 3) heading, pitch, roll
    speed_mps: Tensor  # (B, T, E)
    valid: Tensor  # (B, T, E) bool
