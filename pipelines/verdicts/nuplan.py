"""nuPlan's closed-loop score of a drive, every term under its own name (motional/nuplan-devkit).

score = no_ego_at_fault_collisions x drivable_area_compliance x ego_is_making_progress x driving_direction_compliance
x the weighted mean of ego_progress_along_expert_route (5), time_to_collision_within_bound (5), speed_limit_compliance
(4) and ego_is_comfortable (2). What a trace cannot know of the map comes as explicit arguments, `RoadFacts`.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from pipelines.verdicts.boxes import contact_window_s, relative_boxes
from pipelines.verdicts.comfort import comfort, ego_ticks
from pipelines.verdicts.fault import Collisions, collisions
from pipelines.verdicts.trace import EGO, Trace, check_finite, heading

WEIGHTS = {
    "ego_progress_along_expert_route": 5.0,
    "time_to_collision_within_bound": 5.0,
    "speed_limit_compliance": 4.0,
    "ego_is_comfortable": 2.0,
}
MULTIPLIERS = (
    "no_ego_at_fault_collisions",
    "drivable_area_compliance",
    "ego_is_making_progress",
    "driving_direction_compliance",
)
DRIVABLE_TOLERANCE_M = 0.3
DIRECTION_FULL_M = 2.0  # driven against the traffic within one second
DIRECTION_HALF_M = 6.0
DIRECTION_WINDOW_S = 1.0
LEAST_PROGRESS = 0.2
PROGRESS_FLOOR_M = 0.1  # an expert who moved less counts as having moved this far
OVERSPEED_MPS = 2.23
TTC_STEP_S = 0.1
TTC_HORIZON_S = 3.0
LEAST_TTC_S = 0.95
TTC_STOPPED_MPS = 0.005
AHEAD_DEG = 30.0
BEHIND_DEG = 150.0


@dataclass(frozen=True)
class RoadFacts:
    """What the map and the route say about each tick of the ego; entries beyond a run's end may hold anything."""

    off_drivable_m: Tensor  # (B, T) how far its outermost corner is off the drivable area; 0 or less inside
    against_m: Tensor  # (B, T) driven against the lane's direction within the tick; 0 where with it
    off_lane: Tensor  # (B, T) bool: in several lanes, or off the drivable area
    in_junction: Tensor  # (B, T) bool
    speed_limit_mps: Tensor  # (B, T)
    progress_m: Tensor  # (B,) along the expert's route
    expert_progress_m: Tensor  # (B,)
    is_object: Tensor  # (B, N) bool: a thing (cone, barrier), neither vehicle nor person


@dataclass(frozen=True)
class NuplanScore:
    """The terms (B,), each in [0, 1], and the score."""

    no_ego_at_fault_collisions: Tensor
    drivable_area_compliance: Tensor
    ego_is_making_progress: Tensor
    driving_direction_compliance: Tensor
    ego_progress_along_expert_route: Tensor
    time_to_collision_within_bound: Tensor
    speed_limit_compliance: Tensor
    ego_is_comfortable: Tensor
    score: Tensor


def nuplan_score(trace: Trace, facts: RoadFacts) -> NuplanScore:
    """The closed-loop score of every run.

    Raises:
        ValueError: a fact of a valid tick is NaN or infinite, or a run has fewer than three ticks.
    """
    valid = trace.valid[:, :, EGO]
    ticks = ego_ticks(trace)
    for field in fields(facts):
        value = getattr(facts, field.name)
        if value.is_floating_point():
            check_finite(field.name, torch.where(valid, value, 0.0) if value.dim() == 2 else value)
    hits = collisions(trace, facts.off_lane)
    off_m = torch.where(valid, facts.off_drivable_m, 0.0).amax(dim=1)
    progress = progress_ratio(facts.progress_m, facts.expert_progress_m)
    terms = {
        "no_ego_at_fault_collisions": _collision_term(trace, hits, facts.is_object),
        "drivable_area_compliance": (off_m <= DRIVABLE_TOLERANCE_M).double(),
        "ego_is_making_progress": (progress >= LEAST_PROGRESS).double(),
        "driving_direction_compliance": direction_term(facts.against_m, valid, trace.dt_s),
        "ego_progress_along_expert_route": progress,
        "time_to_collision_within_bound": (projected_ttc_s(trace, hits, facts) >= LEAST_TTC_S).double(),
        "speed_limit_compliance": _speed_term(trace, facts.speed_limit_mps, valid, ticks),
        "ego_is_comfortable": comfort(trace).comfortable().double(),
    }
    return NuplanScore(**terms, score=combine(terms))


def combine(terms: dict[str, Tensor]) -> Tensor:
    """The score (B,) of terms by name.

    Raises:
        ValueError: a term is missing, unknown, NaN or outside [0, 1].
    """
    check_terms(terms, (*MULTIPLIERS, *WEIGHTS))
    mean = sum((weight * terms[name] for name, weight in WEIGHTS.items()), torch.zeros(()).double())
    score = mean / sum(WEIGHTS.values())
    for name in MULTIPLIERS:
        score = score * terms[name]
    return score


def check_terms(terms: dict[str, Tensor], names: tuple[str, ...]) -> None:
    """Raise ValueError unless there are exactly these terms, each a number in [0, 1] in every run."""
    if missing := [name for name in names if name not in terms]:
        raise ValueError(f"score: the terms {', '.join(missing)} are missing; a score without them is undefined")
    if unknown := [name for name in terms if name not in names]:
        raise ValueError(f"score: unknown terms {', '.join(unknown)}; choose from {', '.join(names)}")
    for name, value in terms.items():
        wrong = ~((value >= 0) & (value <= 1))
        if wrong.any():
            run = int(wrong.nonzero()[0, 0]) if value.dim() else 0
            raise ValueError(f"score: {name} of run {run} is {float(value[wrong][0])}; it must lie in [0, 1]")


def progress_ratio(progress_m: Tensor, expert_progress_m: Tensor) -> Tensor:
    """Own over expert's progress, in [0, 1]; both count as at least the floor unless the ego went backwards."""
    ratio = progress_m.clamp(min=PROGRESS_FLOOR_M) / expert_progress_m.clamp(min=PROGRESS_FLOOR_M)
    return torch.where(progress_m < -PROGRESS_FLOOR_M, 0.0, ratio.clamp(max=1.0))


def projected_ttc_s(trace: Trace, hits: Collisions, facts: RoadFacts) -> Tensor:
    """Least TTC (B,): the first multiple of 0.1 s, below 3 s, at which boxes moved on at their velocities overlap.

    Counted are actors ahead (within 30 degrees of the heading), and those beside (within 150) where the ego is off its
    lane or in a junction; none after the ego hit it. Nothing is expected of an ego that stands; in a collision of its
    own making the TTC is 0.
    """
    boxes = relative_boxes(trace)
    axle = trace.xy_world_m[:, :, EGO : EGO + 1]
    middle = trace.xy_world_m + heading(trace.yaw_world_rad) * trace.centre_offset_m[:, None, :, None]
    to_other, ahead = middle - axle, heading(trace.yaw_world_rad[:, :, EGO])[:, :, None]
    angle = torch.atan2(
        (to_other[..., 1] * ahead[..., 0] - to_other[..., 0] * ahead[..., 1]).abs(), (to_other * ahead).sum(dim=-1)
    )
    beside = (facts.off_lane | facts.in_junction)[..., None] & (angle <= torch.pi * BEHIND_DEG / 180)
    tick = torch.arange(trace.ticks, device=angle.device)[None, :, None]
    gone = hits.hit[:, None] & (tick >= hits.tick[:, None])
    moving = trace.speed_mps[:, :, EGO, None].abs() > TTC_STOPPED_MPS
    counted = ((angle < torch.pi * AHEAD_DEG / 180) | beside) & ~gone & moving
    enter, leave = contact_window_s(boxes)
    first = (torch.floor(enter.clamp(min=0.0) / TTC_STEP_S) + 1) * TTC_STEP_S
    # A step that falls on the first contact only touches; sampling may also step over a short overlap altogether.
    sampled = counted & (first < leave) & (first < TTC_HORIZON_S - 1e-9)
    ttc_s = torch.where(sampled, first, torch.inf).amin(dim=(1, 2))
    return torch.where(hits.any_at_fault(), 0.0, ttc_s)


def _collision_term(trace: Trace, hits: Collisions, is_object: Tensor) -> Tensor:
    """1 without collisions at fault; 0 with one with a vehicle or person, or two with things; 0.5 with one thing."""
    with_objects = (hits.at_fault & is_object).sum(dim=1)
    with_others = (hits.at_fault & ~is_object).sum(dim=1)
    return torch.where(with_others > 0, 0.0, (1.0 - with_objects.double() / 2).clamp(min=0.0))


def direction_term(against_m: Tensor, valid: Tensor, dt_s: float) -> Tensor:
    """1, 0.5 or 0 by the farthest driven against the traffic within any one second."""
    total = torch.where(valid, against_m.clamp(min=0.0), 0.0).cumsum(dim=1)
    window = max(round(DIRECTION_WINDOW_S / dt_s), 1)
    earlier = torch.cat([torch.zeros_like(total[:, :window]), total[:, :-window]], dim=1)[:, : total.shape[1]]
    worst = (total - earlier).amax(dim=1)
    return torch.where(worst <= DIRECTION_FULL_M, 1.0, torch.where(worst <= DIRECTION_HALF_M, 0.5, 0.0)).double()


def _speed_term(trace: Trace, limit_mps: Tensor, valid: Tensor, ticks: Tensor) -> Tensor:
    """1 minus the mean excess over the limit as a share of 2.23 m/s, at least 0."""
    over = torch.where(valid, (trace.speed_mps[:, :, EGO] - limit_mps).clamp(min=0.0), 0.0)
    return (1.0 - over.sum(dim=1) / ticks / OVERSPEED_MPS).clamp(min=0.0)
