"""The oracle: what a perfect sensor with the camera's reach would report, straight from the labels."""

import math
from dataclasses import replace

import torch

from sim.types import Boxes3D, Percept


def oracle_percept(boxes: Boxes3D, time_s: torch.Tensor, range_m: float = 60.0, fov_deg: float = 90.0) -> Percept:
    """The labels (B, K) whose centre lies within `range_m` of the ego and within its forward field of view.

    Only `valid` is new; the other fields are the label's own tensors, not copies, so that a percept costs next to
    nothing. Keep one beyond the next step only as a clone. ValueError for a field of view outside (0, 180) degrees.
    """
    if not 0.0 < fov_deg < 180.0:
        raise ValueError(f"fov_deg must lie between 0 and 180, not {fov_deg}")
    x, y = boxes.center_ego_m[..., 0], boxes.center_ego_m[..., 1]
    in_range = x * x + y * y <= range_m * range_m
    in_view = y.abs() <= x * math.tan(math.radians(fov_deg) / 2.0)
    return Percept(objects=replace(boxes, valid=boxes.valid & in_range & in_view), time_s=time_s)
