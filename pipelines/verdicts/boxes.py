"""Oriented boxes of the others as the ego sees them: whether they touch, when they will, and how far along and across.

Everything follows from separating axes. Two rectangles overlap iff their projections overlap on the four axes of their
sides; with constant velocities each projection overlaps during one interval of time, so the boxes overlap exactly in
the intersection of four intervals.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pipelines.verdicts.trace import EGO, Trace, box_centre_world_m, heading, velocity_world_mps


@dataclass(frozen=True)
class RelativeBoxes:
    """Every actor in the frame of the ego's box (x forward, y left, origin in its middle), (B, T, N) here."""

    x_m: Tensor
    y_m: Tensor
    vx_mps: Tensor  # velocity relative to the ego, in axes that do not turn
    vy_mps: Tensor
    cos: Tensor  # of the heading relative to the ego's
    sin: Tensor
    half_m: Tensor  # (B, 1, N, 2) half lengths and widths
    ego_half_m: Tensor  # (B, 1, 1, 2)
    valid: Tensor  # (B, T, N) both exist; never for the ego itself

    def half_along_m(self) -> Tensor:
        """Half of each box's extent along the ego's heading."""
        return self.cos.abs() * self.half_m[..., 0] + self.sin.abs() * self.half_m[..., 1]

    def half_across_m(self) -> Tensor:
        """Half of each box's extent across the ego's heading."""
        return self.sin.abs() * self.half_m[..., 0] + self.cos.abs() * self.half_m[..., 1]


def relative_boxes(trace: Trace) -> RelativeBoxes:
    """The others as the ego sees them at every tick."""
    centre, velocity, yaw = box_centre_world_m(trace), velocity_world_mps(trace), trace.yaw_world_rad
    valid = trace.valid & trace.valid[:, :, EGO : EGO + 1]
    valid[:, :, EGO] = False
    half_m = 0.5 * trace.size_m[:, None, :, :2]
    return boxes_between(
        offset_world_m=centre - centre[:, :, EGO : EGO + 1],
        motion_world_mps=velocity - velocity[:, :, EGO : EGO + 1],
        ego_yaw_rad=yaw[:, :, EGO : EGO + 1],
        yaw_rad=yaw,
        ego_half_m=half_m[:, :, EGO : EGO + 1],
        half_m=half_m,
        valid=valid,
    )


def boxes_between(
    offset_world_m: Tensor,
    motion_world_mps: Tensor,
    ego_yaw_rad: Tensor,
    yaw_rad: Tensor,
    ego_half_m: Tensor,
    half_m: Tensor,
    valid: Tensor,
) -> RelativeBoxes:
    """Boxes by middle and velocity relative to the ego (..., 2), headings (...) and half extents (..., 2)."""
    ahead, turn = heading(ego_yaw_rad), heading(yaw_rad - ego_yaw_rad)
    return RelativeBoxes(
        x_m=offset_world_m[..., 0] * ahead[..., 0] + offset_world_m[..., 1] * ahead[..., 1],
        y_m=offset_world_m[..., 1] * ahead[..., 0] - offset_world_m[..., 0] * ahead[..., 1],
        vx_mps=motion_world_mps[..., 0] * ahead[..., 0] + motion_world_mps[..., 1] * ahead[..., 1],
        vy_mps=motion_world_mps[..., 1] * ahead[..., 0] - motion_world_mps[..., 0] * ahead[..., 1],
        cos=turn[..., 0],
        sin=turn[..., 1],
        half_m=half_m,
        ego_half_m=ego_half_m,
        valid=valid,
    )


def overlap(boxes: RelativeBoxes) -> Tensor:
    """Whether each actor's box overlaps the ego's (B, T, N); boxes that only touch do not."""
    apart = [position.abs() >= reach for position, _, reach in _axes(boxes)]
    return boxes.valid & ~(apart[0] | apart[1] | apart[2] | apart[3])


def front_overlap(boxes: RelativeBoxes) -> Tensor:
    """Whether each actor's box meets the ego's front edge (B, T, N), which is a box of no length."""
    front = boxes.ego_half_m.clone()
    front[..., 0] = 0.0
    edge = replace(boxes, x_m=boxes.x_m - boxes.ego_half_m[..., 0], ego_half_m=front)
    apart = [position.abs() > reach for position, _, reach in _axes(edge)]
    return boxes.valid & ~(apart[0] | apart[1] | apart[2] | apart[3])


def contact_window_s(boxes: RelativeBoxes) -> tuple[Tensor, Tensor]:
    """When the boxes overlap if all keep velocity and heading: from `enter` to `leave` (B, T, N), in s from now.

    Where they already overlap `enter` is negative; where they never do, or only did in the past, both are infinite.
    """
    enter = torch.full_like(boxes.x_m, -math.inf)
    leave = torch.full_like(boxes.x_m, math.inf)
    for position, speed, reach in _axes(boxes):
        moving = speed.abs() > 1e-9
        rate = torch.where(moving, speed.abs(), 1.0)
        towards = -torch.sign(speed) * position  # the distance still to go until the middles are level
        inside = torch.where(position.abs() < reach, math.inf, -math.inf)
        enter = torch.maximum(enter, torch.where(moving, (towards - reach) / rate, -inside))
        leave = torch.minimum(leave, torch.where(moving, (towards + reach) / rate, inside))
    meets = boxes.valid & (enter < leave) & (leave > 0)
    return torch.where(meets, enter, math.inf), torch.where(meets, leave, math.inf)


def _axes(boxes: RelativeBoxes) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Offset of the middles, its rate and the sum of the half extents on each of the four axes."""
    cos, sin = boxes.cos, boxes.sin
    ego_x, ego_y = boxes.ego_half_m[..., 0], boxes.ego_half_m[..., 1]
    return [
        (boxes.x_m, boxes.vx_mps, ego_x + boxes.half_along_m()),
        (boxes.y_m, boxes.vy_mps, ego_y + boxes.half_across_m()),
        (
            boxes.x_m * cos + boxes.y_m * sin,
            boxes.vx_mps * cos + boxes.vy_mps * sin,
            boxes.half_m[..., 0] + cos.abs() * ego_x + sin.abs() * ego_y,
        ),
        (
            boxes.y_m * cos - boxes.x_m * sin,
            boxes.vy_mps * cos - boxes.vx_mps * sin,
            boxes.half_m[..., 1] + sin.abs() * ego_x + cos.abs() * ego_y,
        ),
    ]
