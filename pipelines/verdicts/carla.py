"""Driving scores of the CARLA leaderboard 2.0 and 2.1, and success as Bench2Drive counts it.

A route's score is its completion R times a penalty P. In 2.0 every infraction multiplies P by its factor; in 2.1
P = 1 / (1 + the sum of their costs), so that the first infraction matters most. (carla-simulator/leaderboard)
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from pipelines.verdicts.fault import Collisions
from pipelines.verdicts.trace import check_finite
from sim.types import ActorKind

FACTORS_2_0 = {
    "pedestrian": 0.50,
    "vehicle": 0.60,
    "static": 0.65,
    "red_light": 0.70,
    "stop": 0.80,
    "scenario_timeout": 0.70,
    "yield_emergency": 0.70,
}
COSTS_2_1 = {
    "pedestrian": 1.00,
    "vehicle": 0.70,
    "static": 0.60,
    "red_light": 0.40,
    "stop": 0.25,
    "scenario_timeout": 0.40,
    "yield_emergency": 0.40,
}
MIN_SPEED_FACTOR_2_0 = 0.70
MIN_SPEED_COST_2_1 = 0.40


@dataclass(frozen=True)
class Infractions:
    """What happened on B routes; counts are whole numbers of any dtype."""

    pedestrian: Tensor  # (B,) collisions with people
    vehicle: Tensor  # (B,) collisions with vehicles
    static: Tensor  # (B,) collisions with things
    red_light: Tensor  # (B,)
    stop: Tensor  # (B,) stop signs run
    scenario_timeout: Tensor  # (B,)
    yield_emergency: Tensor  # (B,) emergency vehicles not given way
    min_speed_pct: (
        Tensor  # (B, K) speed at K checkpoints in percent of the traffic's, 100 where it was kept; K may be 0
    )
    outside_lanes_pct: Tensor  # (B,) percent of the route driven outside its lanes; only 2.1 counts it

    def __post_init__(self) -> None:
        for name in (*FACTORS_2_0, "outside_lanes_pct", "min_speed_pct"):
            values = check_finite(name, getattr(self, name).double())
            worst = values[values < 0] if not name.endswith("_pct") else values[(values < 0) | (values > 100)]
            if worst.numel():
                bounds = "at least 0" if not name.endswith("_pct") else "between 0 and 100"
                raise ValueError(f"{name} = {float(worst[0])}: it must be {bounds}")


def no_infractions(runs: int) -> Infractions:
    """Faultless drives, to `dataclasses.replace` what did happen."""
    zeros = torch.zeros(runs, dtype=torch.float64)
    counts = {field.name: zeros for field in fields(Infractions) if not field.name.endswith("_pct")}
    return Infractions(**counts, min_speed_pct=torch.full((runs, 1), 100.0).double(), outside_lanes_pct=zeros)


def collision_counts(hits: Collisions, kind: Tensor, is_object: Tensor) -> dict[str, Tensor]:
    """The counts `pedestrian`, `vehicle` and `static` (B,) of actors hit, by kind (B, N); things are neither.

    `is_object` (B, N) says which actors are things.
    """
    person = (kind == int(ActorKind.PEDESTRIAN)) & ~is_object
    hit = hits.hit
    return {
        "pedestrian": (hit & person).sum(dim=1),
        "vehicle": (hit & ~person & ~is_object).sum(dim=1),
        "static": (hit & is_object).sum(dim=1),
    }


def penalty_2_0(infractions: Infractions, min_speed: bool = True) -> Tensor:
    """P (B,): the product of the factors of all infractions, with or without the one for driving too slowly."""
    penalty = torch.ones_like(infractions.pedestrian, dtype=torch.float64)
    for name, factor in FACTORS_2_0.items():
        penalty = penalty * factor ** getattr(infractions, name).double()
    if min_speed:
        missing = 1.0 - infractions.min_speed_pct.double() / 100.0
        penalty = penalty * (1.0 - (1.0 - MIN_SPEED_FACTOR_2_0) * missing).prod(dim=1)
    return penalty


def penalty_2_1(infractions: Infractions) -> Tensor:
    """P (B,): 1 / (1 + the sum of all costs), and less the share driven outside the route's lanes."""
    cost = (MIN_SPEED_COST_2_1 * (1.0 - infractions.min_speed_pct.double() / 100.0)).sum(dim=1)
    for name, each in COSTS_2_1.items():
        cost = cost + each * getattr(infractions, name).double()
    return (1.0 - infractions.outside_lanes_pct.double() / 100.0) / (1.0 + cost)


def driving_score_2_0(route_completion: Tensor, infractions: Infractions) -> Tensor:
    """R x P (B,) in [0, 1], of completions (B,) in [0, 1]; the leaderboard's score is its mean over routes."""
    return _completion(route_completion) * penalty_2_0(infractions)


def driving_score_2_1(route_completion: Tensor, infractions: Infractions) -> Tensor:
    """As `driving_score_2_0`, with the penalty of 2.1."""
    return _completion(route_completion) * penalty_2_1(infractions)


def bench2drive_score(route_completion: Tensor, infractions: Infractions) -> Tensor:
    """Bench2Drive's driving score (B,): that of 2.0 without the factor for driving too slowly."""
    return _completion(route_completion) * penalty_2_0(infractions, min_speed=False)


def bench2drive_success(route_completion: Tensor, infractions: Infractions) -> Tensor:
    """Runs (B,) bool that completed the route without an infraction; driving slowly is none."""
    clean = torch.ones_like(infractions.pedestrian, dtype=torch.bool)
    for name in FACTORS_2_0:
        clean = clean & (getattr(infractions, name) == 0)
    return clean & (_completion(route_completion) >= 1.0)


def _completion(route_completion: Tensor) -> Tensor:
    values = check_finite("route_completion", route_completion.double())
    wrong = values[(values < 0) | (values > 1)]
    if wrong.numel():
        raise ValueError(f"route_completion = {float(wrong[0])}: it must be a share between 0 and 1")
    return values
