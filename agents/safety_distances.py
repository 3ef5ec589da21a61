"""Safe distances of the regulation and of the models behind its performance models, elementwise in float64.

Every argument may be a tensor of any shape or a number; shapes broadcast. Speeds in m/s, distances in m, times in s.
Sources: UN R157 as read by ec-jrc/JRC-FSM and esmini; Shalev-Shwartz et al., "On a formal model of safe and scalable
self-driving cars" (2017); Mattas et al., "Fuzzy surrogate safety metrics" (2020).
"""

import torch
from torch import Tensor

MIN_GAP_M = 2.0  # R157 5.2.3.3: never closer
TEN_KPH_MPS = 10.0 / 3.6
MUST_AVOID_DECEL_MPS2 = 6.0  # R157 5.2.5.2
MUST_AVOID_REACTION_S = 0.35  # EU 2022/1426's table fits 0.25 instead

RSS_REACTION_S = 0.75
RSS_ACCEL_MPS2 = 3.0
RSS_BRAKE_MPS2 = 6.0  # of both vehicles
RSS_LATERAL_ACCEL_MPS2 = 1.0
RSS_MARGIN_M = 0.3

FSM_REACTION_S = 0.75
FSM_BRAKE_MIN_MPS2 = 4.0
FSM_BRAKE_MAX_MPS2 = 6.0
FSM_BRAKE_LEAD_MPS2 = 7.0
FSM_MARGIN_M = 2.0  # once off the distance, once more on the safe one


def following_time_gap_s(speed_mps: Tensor) -> Tensor:
    """R157 5.2.3.3: 1.0 s up to 2.0 m/s, linear to 1.1 s at 10 km/h, then 1.0 s + v [km/h] / 100."""
    slow = 1.0 + 0.1 * (speed_mps - 2.0).clamp(min=0.0) / (TEN_KPH_MPS - 2.0)
    return torch.where(speed_mps < TEN_KPH_MPS, slow, 1.0 + 0.036 * speed_mps)


def minimum_following_gap_m(speed_mps: Tensor) -> Tensor:
    """R157 5.2.3.3: the least distance to keep to a lead, speed x time gap and never below 2 m."""
    return (speed_mps * following_time_gap_s(speed_mps)).clamp(min=MIN_GAP_M)


def must_avoid_ttc_s(closing_mps: Tensor, reaction_s: float = MUST_AVOID_REACTION_S) -> Tensor:
    """R157 5.2.5.2: a cut-in whose TTC at lane intrusion exceeds this must be avoided.

    v_rel / (2 x 6 m/s2) + reaction: the time in which a car that holds its speed for the reaction and then brakes with
    6 m/s2 needs, at the present closing speed, to close just the distance it needs to lose that speed.
    """
    return closing_mps / (2.0 * MUST_AVOID_DECEL_MPS2) + reaction_s


def rss_longitudinal_m(speed_mps: Tensor, lead_mps: Tensor) -> Tensor:
    """RSS: the least distance to a lead that may brake with 6 m/s2 while the follower accelerates for 0.75 s first."""
    fastest = speed_mps + RSS_REACTION_S * RSS_ACCEL_MPS2
    travelled = speed_mps * RSS_REACTION_S + RSS_ACCEL_MPS2 * RSS_REACTION_S**2 / 2
    return (travelled + (fastest**2 - lead_mps**2) / (2 * RSS_BRAKE_MPS2)).clamp(min=0.0)


def rss_lateral_m(lateral_mps: Tensor) -> Tensor:
    """RSS: the least lateral distance to a vehicle of this lateral speed that may accelerate by 1 m/s2 for 0.75 s."""
    gained = RSS_LATERAL_ACCEL_MPS2 * RSS_REACTION_S
    while_reacting = ((2 * lateral_mps + gained) * RSS_REACTION_S / 2).abs()
    return RSS_MARGIN_M + while_reacting + (lateral_mps.abs() + gained) ** 2 / (2 * RSS_LATERAL_ACCEL_MPS2)


def fsm_safe_m(speed_mps: Tensor, lead_mps: Tensor) -> Tensor:
    """The gap at and above which the proactive fuzzy metric is 0: comfortable braking behind a lead that stops hard."""
    lead_stops_m = lead_mps**2 / (2 * FSM_BRAKE_LEAD_MPS2)
    safe = speed_mps * FSM_REACTION_S + speed_mps**2 / (2 * FSM_BRAKE_MIN_MPS2) - lead_stops_m
    return safe + 2 * FSM_MARGIN_M


def proactive_fuzzy(gap_m: Tensor, speed_mps: Tensor, lead_mps: Tensor) -> Tensor:
    """PFS in [0, 1]: 0 at a safe gap, 1 where even the hardest braking is late if the lead stops, linear between."""
    # The safe gap counts the softest own braking and a margin, the unsafe one the hardest and none.
    graded_m = speed_mps**2 * (0.5 / FSM_BRAKE_MIN_MPS2 - 0.5 / FSM_BRAKE_MAX_MPS2) + FSM_MARGIN_M
    return ((fsm_safe_m(speed_mps, lead_mps) - gap_m) / graded_m).clamp(0.0, 1.0)


def critical_fuzzy(gap_m: Tensor, speed_mps: Tensor, lead_mps: Tensor, accel_mps2: Tensor) -> Tensor:
    """CFS in [0, 1]: as PFS for a lead that keeps its speed, from the follower's present acceleration.

    0 where the follower is not faster. Where its present deceleration (counted up to 4 m/s2) makes it the slower one
    within the reaction time, it is 1 or 0: whether it hits the lead before that.
    """
    closing = speed_mps - lead_mps
    after = closing + FSM_REACTION_S * accel_mps2.clamp(min=-FSM_BRAKE_MIN_MPS2)  # closing after the reaction time
    softest = after**2 / (2 * FSM_BRAKE_MIN_MPS2)
    graded_m = softest * (1.0 - FSM_BRAKE_MIN_MPS2 / FSM_BRAKE_MAX_MPS2)
    safe_m = (closing + after) * (FSM_REACTION_S / 2) + softest
    graded = ((safe_m - gap_m) / graded_m.clamp(min=1e-12)).clamp(0.0, 1.0)
    hits = 2 * accel_mps2.abs() * gap_m < closing**2
    return torch.where(after < 0, hits.to(graded), graded) * (closing > 0)
