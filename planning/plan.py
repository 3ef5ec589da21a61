"""What a driver decides and a controller carries out: the seam between deciding and steering."""

from dataclasses import dataclass

import torch

MAX_ACCEL_MPS2 = 2.5  # what an agent may ask of the drive train
MAX_DECEL_MPS2 = 6.0  # and of the brakes, a positive number
MAX_OFFSET_M = 1.0  # how far from the lane's centre an agent may aim


@dataclass
class Plan:
    """The next tick's intention of B cars, relative to their routes."""

    accel_mps2: torch.Tensor  # (B,)
    offset_m: torch.Tensor  # (B,) where to aim, left of the route's centre line


def plan_from_unit(unit: torch.Tensor) -> Plan:
    """The plan that actions (B, 2) in [-1, 1] stand for; values outside are clipped.

    Column 0 is longitudinal: +1 is `MAX_ACCEL_MPS2`, -1 is `-MAX_DECEL_MPS2`, linear on either side of 0.
    Column 1 is the tracking point's offset: +1 is `MAX_OFFSET_M` left of the lane's centre.
    """
    unit = unit.clamp(-1.0, 1.0)
    pedal = unit[:, 0]
    accel = torch.where(pedal > 0.0, pedal * MAX_ACCEL_MPS2, pedal * MAX_DECEL_MPS2)
    return Plan(accel_mps2=accel, offset_m=unit[:, 1] * MAX_OFFSET_M)
