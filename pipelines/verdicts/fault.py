"""Collisions of the ego: with whom, when, how, how hard, and whose fault.

The kinds and the attribution are those of nuPlan's `no_ego_at_fault_collisions`: at fault is who runs into something
that stands, or into anything with the front, or touches another with a side while not keeping to one lane.
"""

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from pipelines.verdicts.boxes import front_overlap, overlap, relative_boxes
from pipelines.verdicts.trace import EGO, Trace, by_chunks, heading, velocity_world_mps

STOPPED_MPS = 0.05
BEHIND_DEG = 150.0  # a middle seen at more than this from the ego's heading is behind it


class Contact(IntEnum):
    """How the ego and another met."""

    NONE = 0
    STOPPED_EGO = 1  # the ego stood: passive
    STOPPED_OTHER = 2  # the other stood
    FRONT = 3  # active: the ego's front ran into the other
    REAR = 4  # passive: the other ran into the ego's rear
    LATERAL = 5  # a side of the ego, from ahead of its rear


@dataclass(frozen=True)
class Collisions:
    """The first contact of the ego with each actor."""

    hit: Tensor  # (B, N) bool
    tick: Tensor  # (B, N) int64, valid where hit
    contact: Tensor  # (B, N) int32 Contact
    at_fault: Tensor  # (B, N) bool: the ego's fault
    ego_speed_mps: Tensor  # (B, N) at the contact; 0 where there is none
    other_speed_mps: Tensor  # (B, N)
    impact_mps: Tensor  # (B, N) length of the difference of the velocities
    closing_mps: Tensor  # (B, N) its part along the ego's heading, positive when the ego runs into the other

    def any_at_fault(self) -> Tensor:
        """Runs (B,) with a collision of the ego's making."""
        return self.at_fault.any(dim=1)

    def first_tick(self) -> Tensor:
        """Tick (B,) int64 of each run's first contact; the largest int64 where there is none."""
        return torch.where(self.hit, self.tick, torch.iinfo(torch.int64).max).amin(dim=1)


def collisions(trace: Trace, off_lane: Tensor | None = None) -> Collisions:
    """The ego's first contact with every actor, and whether it is to blame.

    `off_lane` (B, T) bool says when the ego is in several lanes or off the drivable area; without it the ego is taken
    to keep to its lane, so that lateral contacts are never its fault. Speeds are those of the tick before the contact,
    which a simulator that stops cars on contact has not touched yet; of the contact itself at the first tick.
    """
    return by_chunks(trace, lambda part, rows: _collisions(part, None if off_lane is None else off_lane[rows]))


def _collisions(trace: Trace, off_lane: Tensor | None) -> Collisions:
    boxes = relative_boxes(trace)
    touching = overlap(boxes)
    hit = touching.any(dim=1)
    tick = touching.to(torch.int8).argmax(dim=1)
    before = (tick - 1).clamp(min=0)
    before = torch.where(_at(trace.valid, before), before, tick)
    speed = trace.speed_mps.abs()
    ego_speed = torch.where(hit, speed[:, :, EGO].gather(1, before), 0.0)
    other_speed = torch.where(hit, _at(speed, before), 0.0)
    velocity = velocity_world_mps(trace)
    relative = velocity - velocity[:, :, EGO : EGO + 1]
    impact = torch.where(hit, torch.hypot(_at(relative[..., 0], before), _at(relative[..., 1], before)), 0.0)
    closing = torch.where(hit, _at(-boxes.vx_mps, before), 0.0)

    contact = _kinds(trace, tick, ego_speed, other_speed, _at(front_overlap(boxes), tick))
    contact = torch.where(hit, contact, int(Contact.NONE))
    loose = torch.zeros_like(hit) if off_lane is None else off_lane.gather(1, tick)
    active = (contact == Contact.FRONT) | (contact == Contact.STOPPED_OTHER)
    return Collisions(
        hit=hit,
        tick=torch.where(hit, tick, 0),
        contact=contact.to(torch.int32),
        at_fault=active | ((contact == Contact.LATERAL) & loose),
        ego_speed_mps=ego_speed,
        other_speed_mps=other_speed,
        impact_mps=impact,
        closing_mps=closing,
    )


def _kinds(trace: Trace, tick: Tensor, ego_mps: Tensor, other_mps: Tensor, front: Tensor) -> Tensor:
    """Kinds (B, N) of contacts at `tick`, in the order of nuPlan's questions: who stood, then behind, front, side."""
    ahead = heading(trace.yaw_world_rad[:, :, EGO])[:, :, None]
    # Seen from the reference point, which lies at the rear axle: what is beside the boot is beside, not behind.
    middle = trace.xy_world_m + heading(trace.yaw_world_rad) * trace.centre_offset_m[:, None, :, None]
    to_other = middle - trace.xy_world_m[:, :, EGO : EGO + 1]
    along, reach = (to_other * ahead).sum(dim=-1), torch.hypot(to_other[..., 0], to_other[..., 1])
    behind = _at(along < reach * torch.cos(torch.deg2rad(torch.tensor(BEHIND_DEG, dtype=along.dtype))), tick)
    kind = torch.full(tick.shape, int(Contact.LATERAL), device=tick.device)
    kind = torch.where(front, int(Contact.FRONT), kind)
    kind = torch.where(behind, int(Contact.REAR), kind)
    kind = torch.where(other_mps <= STOPPED_MPS, int(Contact.STOPPED_OTHER), kind)
    return torch.where(ego_mps <= STOPPED_MPS, int(Contact.STOPPED_EGO), kind)


def _at(values: Tensor, tick: Tensor) -> Tensor:
    """Values (B, T, N) at each actor's own tick (B, N)."""
    return values.gather(1, tick[:, None]).squeeze(1)
