"""The terms of NAVSIM's PDMS and EPDMS, of a closed-loop drive (autonomousvision/navsim).

NAVSIM scores the plan of one moment over 4 s; here the whole drive takes the plan's place, and what others really did
that of their recorded future. Constants are NAVSIM's. Two terms need somebody or something that a drive lacks:

- ego progress is relative to a rule-based driver in the same episode, who takes PDM-Closed's place;
- extended comfort compares two plans half a second apart. Our drivers hand over controls, not plans: the plan of a
  moment is what the car does if acceleration and steering stay as they are. The term is the share of such pairs of a
  drive that are within bounds, as NAVSIM's own figure is a mean over its scenes.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.verdicts.boxes import boxes_between, overlap
from pipelines.verdicts.comfort import ACCEL_WINDOW_S, RATE_WINDOW_S, comfort, ego_ticks, parabola, unwrapped
from pipelines.verdicts.fault import collisions
from pipelines.verdicts.nuplan import AHEAD_DEG, BEHIND_DEG, TTC_STOPPED_MPS, direction_term
from pipelines.verdicts.road import EDGE_TOLERANCE_M, DriveFacts
from pipelines.verdicts.trace import EGO, Trace, box_centre_world_m, heading, velocity_world_mps

TTC_STEPS_S = (0.0, 0.3, 0.6, 0.9)
PROGRESS_M = 5.0  # where nobody gets farther than this everybody has made progress
KEPT_LANE_M = 0.5  # beside the centre line, and for how long at a stretch:
KEPT_LANE_S = 2.0
PLAN_S = 4.0
FRAME_S = 0.5  # between two plans
MAX_ACCEL_CHANGE_MPS2 = 0.7  # root mean squares of the differences of two plans
MAX_JERK_CHANGE_MPS3 = 0.5
MAX_YAW_RATE_CHANGE_RADPS = 0.1
MAX_YAW_ACCEL_CHANGE_RADPS2 = 0.1
PLAN_STEP_S = 0.1
STEERING_MPS = 0.5  # below this speed the yaw rate says nothing about the steering


@dataclass(frozen=True)
class Factors:
    """The terms (B,) that multiply the others; EPDMS has all four, PDMS the first two."""

    no_at_fault_collisions: Tensor
    drivable_area_compliance: Tensor
    driving_direction_compliance: Tensor
    traffic_light_compliance: Tensor

    def pdms(self) -> Tensor:
        """Their product in PDMS."""
        return self.no_at_fault_collisions * self.drivable_area_compliance

    def epdms(self) -> Tensor:
        """Their product in EPDMS."""
        return self.pdms() * self.driving_direction_compliance * self.traffic_light_compliance


@dataclass(frozen=True)
class Qualities:
    """The terms (B,) that are weighed, but for progress."""

    time_to_collision_within_bound: Tensor
    lane_keeping: Tensor
    comfort: Tensor  # PDMS's
    history_comfort: Tensor
    extended_comfort: Tensor


def factors(trace: Trace, facts: DriveFacts, is_object: Tensor) -> Factors:
    """The factors of every run; `is_object` (B, N) says which actors are things."""
    valid, hits = trace.valid[:, :, EGO], collisions(trace, facts.off_lane)
    fault = torch.where(is_object, 0.5, 0.0).double()
    return Factors(
        no_at_fault_collisions=torch.where(hits.at_fault, fault, 1.0).amin(dim=1),
        drivable_area_compliance=(~(valid & (facts.off_drivable_m > EDGE_TOLERANCE_M)).any(dim=1)).double(),
        driving_direction_compliance=direction_term(facts.off_route_m, valid, trace.dt_s),
        traffic_light_compliance=(facts.red_lights == 0).double(),
    )


def qualities(trace: Trace, facts: DriveFacts) -> Qualities:
    """The weighed terms of every run.

    Raises ValueError for a run that is shorter than two plans apart, or without three ticks.
    """
    comfortable = comfort(trace).comfortable().double()
    return Qualities(
        time_to_collision_within_bound=(~_ttc_violated(trace, facts)).double(),
        lane_keeping=lane_keeping(facts, trace.valid[:, :, EGO], trace.dt_s),
        comfort=comfortable,
        history_comfort=comfortable,  # the whole drive is judged: its past is in it
        extended_comfort=extended_comfort(trace),
    )


def pdms_progress(progress_m: Tensor, multiplier: Tensor, expert_m: Tensor, expert_multiplier: Tensor) -> Tensor:
    """PDMS's ego progress (B,): both drivers' metres count as much as their multipliers, and the better one's is 1."""
    own, best = _masked(progress_m, multiplier, expert_m, expert_multiplier)
    far = best > PROGRESS_M
    return torch.where(far, own / torch.where(far, best, 1.0), (multiplier > 0).double())


def epdms_progress(progress_m: Tensor, multiplier: Tensor, expert_m: Tensor, expert_multiplier: Tensor) -> Tensor:
    """EPDMS's: as PDMS's, but the own metres count in full, and everybody has made progress where nobody gets far."""
    best = _masked(progress_m, multiplier, expert_m, expert_multiplier)[1]
    far = best > PROGRESS_M
    return torch.where(far, (progress_m.clamp(min=0.0) / torch.where(far, best, 1.0)).clamp(max=1.0), 1.0)


def _masked(progress_m: Tensor, multiplier: Tensor, expert_m: Tensor, expert_multiplier: Tensor) -> tuple[Tensor, ...]:
    own = progress_m.clamp(min=0.0) * multiplier
    return own, torch.maximum(own, expert_m.clamp(min=0.0) * expert_multiplier)


def lane_keeping(facts: DriveFacts, valid: Tensor, dt_s: float) -> Tensor:
    """0 for a run (B,) that is more than 0.5 m beside its centre line for 2 s on end; junctions do not interrupt that.

    Ticks in junctions neither count nor end a stretch.
    """
    needed = math.ceil(KEPT_LANE_S / dt_s - 1e-9)
    stretch, longest = torch.zeros(len(valid)), torch.zeros(len(valid))
    for tick in range(valid.shape[1]):
        counted = valid[:, tick] & ~facts.in_junction[:, tick]
        beside = facts.deviation_m[:, tick] > KEPT_LANE_M
        stretch = torch.where(counted, torch.where(beside, stretch + 1, 0.0), stretch)
        longest = torch.maximum(longest, stretch)
    return (longest < needed).double()


def extended_comfort(trace: Trace) -> Tensor:
    """Share (B,) of a run's moments, half a second apart, whose held controls differ comfortably from the last one's.

    ValueError for a run without two moments.
    """
    ticks, frame = ego_ticks(trace), max(round(FRAME_S / trace.dt_s), 1)
    if int(ticks.min()) <= frame:
        raise ValueError(f"run {int(ticks.argmin())} ends within {FRAME_S:g} s: there are no two plans to compare")
    yaw, speed = unwrapped(trace.yaw_world_rad[:, :, EGO]), trace.speed_mps[:, :, EGO]
    rate = parabola(yaw, ticks, trace.dt_s, RATE_WINDOW_S, 1)
    accel = parabola(trace.accel_mps2[:, :, EGO], ticks, trace.dt_s, ACCEL_WINDOW_S, 0)
    bend = torch.where(speed.abs() > STEERING_MPS, rate / torch.where(speed == 0, 1.0, speed), 0.0)
    last, now = slice(0, trace.ticks - frame, frame), slice(frame, None, frame)
    before = _held(speed[:, last], accel[:, last], bend[:, last], FRAME_S)
    after = _held(speed[:, now], accel[:, now], bend[:, now], 0.0)
    bounds = (MAX_ACCEL_CHANGE_MPS2, MAX_JERK_CHANGE_MPS3, MAX_YAW_RATE_CHANGE_RADPS, MAX_YAW_ACCEL_CHANGE_RADPS2)
    smooth = trace.valid[:, now, EGO]
    pairs = smooth.sum(dim=1)
    for one, other, bound in zip(before, after, bounds, strict=True):
        smooth = smooth & (((one - other) ** 2).mean(dim=-1).sqrt() <= bound)
    return smooth.sum(dim=1).double() / pairs


def _held(speed: Tensor, accel: Tensor, bend: Tensor, from_s: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Acceleration, its rate, yaw rate and its rate (B, F, S) of a car that holds acceleration and steering.

    For as long as both plans of a pair last, from `from_s` after the moment of the plan on; it stays where it stops.
    """
    time_s = from_s + torch.arange(round((PLAN_S - FRAME_S) / PLAN_STEP_S) + 1, dtype=torch.float64) * PLAN_STEP_S
    speed, accel, bend = speed[..., None], accel[..., None], bend[..., None]
    then = speed + accel * time_s
    going = (then > 0) | (accel >= 0)
    then, accel = torch.where(going, then, 0.0), torch.where(going, accel, 0.0)
    across = bend * then**2
    total = torch.hypot(accel.expand_as(across), across)
    across_rate = 2 * bend * then * accel
    jerk = torch.where(total > 0, across * across_rate / torch.where(total > 0, total, 1.0), 0.0)
    return total, jerk, bend * then, bend * accel


def _ttc_violated(trace: Trace, facts: DriveFacts) -> Tensor:
    """Runs (B,) whose ego, moved on at its velocity for up to 0.9 s, meets somebody where that one then really is.

    Only who is ahead counts, and who is beside where the ego is off its lane or in a junction. Somebody who does not
    count when he is first met never does. An ego that stands meets nobody.
    """
    first = torch.full((trace.runs, trace.actors), torch.iinfo(torch.int64).max)
    blamed = torch.zeros(trace.runs, trace.actors, dtype=torch.bool)
    for order, step_s in enumerate(TTC_STEPS_S):
        lag = round(step_s / trace.dt_s)
        if lag < trace.ticks:
            met, counts = _met(trace, facts, lag)
            tick = met.to(torch.int8).argmax(dim=1)
            key = torch.where(met.any(dim=1), tick * len(TTC_STEPS_S) + order, torch.iinfo(torch.int64).max)
            counts = counts.gather(1, tick[:, None]).squeeze(1)
            blamed = torch.where(key < first, counts, blamed)
            first = torch.minimum(first, key)
    return blamed.any(dim=1)


def _met(trace: Trace, facts: DriveFacts, lag: int) -> tuple[Tensor, Tensor]:
    """Whom the ego would meet `lag` ticks on, and who counts if so (B, T - lag, N)."""
    now, then = slice(None, trace.ticks - lag), slice(lag, None)
    yaw, centre, half_m = trace.yaw_world_rad, box_centre_world_m(trace), 0.5 * trace.size_m[:, None, :, :2]
    own = centre[:, now, EGO : EGO + 1]
    moved = velocity_world_mps(trace)[:, now, EGO : EGO + 1] * (lag * trace.dt_s)
    valid = trace.valid[:, then] & trace.valid[:, now, EGO : EGO + 1]
    valid = valid & (trace.speed_mps[:, now, EGO : EGO + 1].abs() >= TTC_STOPPED_MPS)
    valid[:, :, EGO] = False
    boxes = boxes_between(
        offset_world_m=centre[:, then] - own - moved,
        motion_world_mps=torch.zeros_like(centre[:, then]),
        ego_yaw_rad=yaw[:, now, EGO : EGO + 1],
        yaw_rad=yaw[:, then],
        ego_half_m=half_m[:, :, EGO : EGO + 1],
        half_m=half_m,
        valid=valid,
    )
    to_other = centre[:, then] - trace.xy_world_m[:, now, EGO : EGO + 1]
    ahead = heading(yaw[:, now, EGO : EGO + 1])
    cos = (to_other * ahead).sum(dim=-1) / torch.hypot(to_other[..., 0], to_other[..., 1]).clamp(min=1e-9)
    loose = (facts.off_lane | facts.in_junction)[:, now, None]
    counts = (cos > math.cos(math.radians(AHEAD_DEG))) | (loose & (cos >= math.cos(math.radians(BEHIND_DEG))))
    return overlap(boxes), counts
