"""The reward of learned drivers: progress times soft factors, nothing off the lane, and infractions end the episode.

After CaRL (Jaeger et al., "CaRL: Learning Scalable Planning Policies with Simple Rewards", 2025): the sum of many
shaped terms fails at large batches, one product of progress with factors in [0, 1] does not.
"""

import torch

from agents.episodes import Outcome
from sim.observe import Lead
from sim.types import EgoState, Route

PER_METRE = 0.1
SPEED_BAND_MPS = 4.0  # this far above the limit progress is worth nothing
TTC_S = 3.0  # below, the factor falls linearly to `TTC_FLOOR`
TTC_FLOOR = 0.3
LANE_HALF_M = 1.4  # off the lane's middle by more, progress is worth nothing
COMFORT_ACCEL_MPS2 = 3.5
COMFORT_FLOOR = 0.6
INFRACTION = 10.0  # what ending an episode badly costs, as much as 100 m of progress


def speed_factor(speed_mps: torch.Tensor, limit_mps: torch.Tensor) -> torch.Tensor:
    """1 up to half a metre per second above the limit, 0 from `SPEED_BAND_MPS` above that on."""
    return (1.0 - (speed_mps - limit_mps - 0.5) / SPEED_BAND_MPS).clamp(0.0, 1.0)


def ttc_factor(speed_mps: torch.Tensor, lead: Lead) -> torch.Tensor:
    """1 while the time to collision with the lead is above `TTC_S`, `TTC_FLOOR` at 0."""
    closing = (speed_mps - lead.speed_mps).clamp(min=0.1)
    ttc = torch.where(lead.found, lead.gap_m / closing, torch.inf)
    return TTC_FLOOR + (1.0 - TTC_FLOOR) * (ttc / TTC_S).clamp(0.0, 1.0)


def comfort_factor(ego: EgoState) -> torch.Tensor:
    """1 below `COMFORT_ACCEL_MPS2` of combined acceleration, falling to `COMFORT_FLOOR` at twice that."""
    lateral = ego.speed_mps * ego.yaw_rate_radps
    total = torch.sqrt(ego.accel_mps2 * ego.accel_mps2 + lateral * lateral)
    return (2.0 - total / COMFORT_ACCEL_MPS2).clamp(0.0, 1.0) * (1.0 - COMFORT_FLOOR) + COMFORT_FLOOR


def reward(outcome: Outcome, lead: Lead, route: Route, ego: EgoState) -> torch.Tensor:
    """The tick's reward (B,)."""
    on_lane = route.lateral_m.abs() <= LANE_HALF_M
    limit = route.speed_limit_mps[:, 0]
    factor = speed_factor(ego.speed_mps, limit) * ttc_factor(ego.speed_mps, lead) * comfort_factor(ego) * on_lane
    bad = outcome.terminated & ~outcome.success
    return PER_METRE * outcome.progress_m * factor - INFRACTION * bad
