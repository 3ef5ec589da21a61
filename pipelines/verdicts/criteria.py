"""The criteria of Roadloop's own scenarios: each a number measured of a run, held against its bound.

Names, meanings and bounds are those of sim/scenarios/yaml_criteria.py. All measures are pure functions of the trace and
of what map and task say of it; a criterion that needs what is not given is an error.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipelines.verdicts.boxes import RelativeBoxes, overlap, relative_boxes
from pipelines.verdicts.comfort import comfort
from pipelines.verdicts.criticality import corridor, thw_s, ttc_sweep_s
from pipelines.verdicts.fault import STOPPED_MPS, collisions
from pipelines.verdicts.trace import EGO, Trace, box_centre_world_m, heading
from sim.roads.lanemaps import EdgeMap
from sim.scenarios.model import Criterion
from sim.scenarios.values import Draw

GOAL_M = 6.0  # who has come this close to the goal, over a lane beside it too, is there
EDGE_TOLERANCE_M = 0.1  # a corner this far beyond the edge is still on the road: the edge map's own accuracy


@dataclass(frozen=True)
class Facts:
    """What a trace cannot know; None where nobody asks for it."""

    off_road: Tensor | None = None  # (B, T) bool: a corner of the ego is off the drivable surface
    off_lane: Tensor | None = None  # (B, T) bool: it is in several lanes, or off the drivable surface
    goal_xy_world_m: Tensor | None = None  # (B, 2)


@dataclass(frozen=True)
class Judgement:
    """One criterion in B runs; `value` and `bound` in the unit of its name, `inf` where something never happened."""

    name: str
    value: Tensor  # (B,) float64
    bound: Tensor  # (B,)
    passed: Tensor  # (B,) bool


def judge(criteria: Sequence[Criterion], draw: Draw, trace: Trace, facts: Facts) -> tuple[Judgement, ...]:
    """All criteria of a scenario, in its order, for the runs of a draw.

    Raises ValueError for a criterion that there is not, or that needs facts that are not given.
    """
    return tuple(_judgement(criterion, draw, trace, facts) for criterion in criteria)


def _judgement(criterion: Criterion, draw: Draw, trace: Trace, facts: Facts) -> Judgement:
    if criterion.name not in MEASURES:
        raise ValueError(f"no criterion is called {criterion.name!r}; there are {', '.join(MEASURES)}")
    value = MEASURES[criterion.name](trace, facts).to(torch.float64)
    if torch.isnan(value).any():
        raise ValueError(f"criterion {criterion.name}: not a number in run {int(torch.isnan(value).nonzero()[0])}")
    if criterion.rule == "equalTo":  # written `true`: nothing of the kind may happen, or the goal be missed
        bound = torch.full_like(value, GOAL_M if criterion.name == "reach_goal" else 0.0)
    else:
        bound = torch.from_numpy(np.array(criterion.value.numbers(draw)))
    passed = value >= bound if criterion.rule == "greaterOrEqual" else value <= bound
    return Judgement(criterion.name, value, bound, passed)


# --- Measures: a trace and its facts in, one number a run out ---


def hits(trace: Trace, facts: Facts) -> Tensor:
    """How many others the ego touched."""
    return overlap(relative_boxes(trace)).any(dim=1).sum(dim=1)


def hits_at_fault(trace: Trace, facts: Facts) -> Tensor:
    """How many of these collisions were its fault."""
    return collisions(trace, facts.off_lane).at_fault.sum(dim=1)


def off_road_s(trace: Trace, facts: Facts) -> Tensor:
    """How long a corner of the ego was off the drivable surface."""
    if facts.off_road is None:
        raise ValueError("criterion stay_on_road: nobody says where the road's edge is; give facts.off_road")
    return (facts.off_road & _ego_there(trace)).sum(dim=1) * trace.dt_s


def goal_distance_m(trace: Trace, facts: Facts) -> Tensor:
    """How close the middle of the ego came to the goal."""
    return torch.where(_ego_there(trace), _to_goal_m(trace, facts), math.inf).amin(dim=1)


def goal_time_s(trace: Trace, facts: Facts) -> Tensor:
    """When it was there first."""
    return _first_s(trace, _to_goal_m(trace, facts) <= GOAL_M)


def standstill_time_s(trace: Trace, facts: Facts) -> Tensor:
    """When it stood first."""
    return _first_s(trace, trace.speed_mps[:, :, EGO].abs() <= STOPPED_MPS)


def least_ttc_s(trace: Trace, facts: Facts) -> Tensor:
    """The least time to a collision with anybody if all kept their speeds and headings."""
    return ttc_sweep_s(relative_boxes(trace)).amin(dim=(1, 2))


def least_gap_m(trace: Trace, facts: Facts) -> Tensor:
    """The least distance from the ego's box to another's, seen from above; 0 where they touch."""
    return box_distance_m(relative_boxes(trace)).amin(dim=(1, 2))


def least_headway_s(trace: Trace, facts: Facts) -> Tensor:
    """The least time in which the ego, at its speed, is where the next one ahead in its corridor is now."""
    gap, _, ahead = corridor(relative_boxes(trace))
    return torch.where(ahead, thw_s(gap, trace.speed_mps[:, :, EGO, None]), math.inf).amin(dim=(1, 2))


def hardest_braking_mps2(trace: Trace, facts: Facts) -> Tensor:
    """The largest deceleration; 0 for an ego that only sped up."""
    slowing = -trace.accel_mps2[:, :, EGO] * torch.sign(trace.speed_mps[:, :, EGO])
    return torch.where(_ego_there(trace), slowing, 0.0).amax(dim=1).clamp(min=0.0)


def hardest_cornering_mps2(trace: Trace, facts: Facts) -> Tensor:
    """The largest lateral acceleration, smoothed as for comfort."""
    return comfort(trace).max_lateral_accel_mps2


def highest_speed_mps(trace: Trace, facts: Facts) -> Tensor:
    return torch.where(_ego_there(trace), trace.speed_mps[:, :, EGO], -math.inf).amax(dim=1)


def lowest_speed_mps(trace: Trace, facts: Facts) -> Tensor:
    return torch.where(_ego_there(trace), trace.speed_mps[:, :, EGO], math.inf).amin(dim=1)


def mean_speed_mps(trace: Trace, facts: Facts) -> Tensor:
    there = _ego_there(trace)
    return torch.where(there, trace.speed_mps[:, :, EGO], 0.0).sum(dim=1) / there.sum(dim=1)


MEASURES: dict[str, Callable[[Trace, Facts], Tensor]] = {
    "no_collision": hits,
    "no_at_fault_collision": hits_at_fault,
    "stay_on_road": off_road_s,
    "reach_goal": goal_distance_m,
    "finish_before_s": goal_time_s,
    "stop_before_s": standstill_time_s,
    "min_ttc_s": least_ttc_s,
    "min_gap_m": least_gap_m,
    "min_headway_s": least_headway_s,
    "max_decel_mps2": hardest_braking_mps2,
    "max_lateral_accel_mps2": hardest_cornering_mps2,
    "max_speed_mps": highest_speed_mps,
    "min_speed_mps": lowest_speed_mps,
    "min_mean_speed_mps": mean_speed_mps,
}


def _ego_there(trace: Trace) -> Tensor:
    """Ticks (B, T) at which there is an ego. ValueError for a run without one."""
    there = trace.valid[:, :, EGO]
    if not there.any(dim=1).all():
        raise ValueError(f"run {int((~there.any(dim=1)).nonzero()[0])} has no ego at any tick; nothing can be measured")
    return there


def _first_s(trace: Trace, happens: Tensor) -> Tensor:
    """Time (B,) of the first tick (B, T) at which something happens to an ego that is there; `inf` if never."""
    happens = happens & _ego_there(trace)
    first = happens.to(torch.int8).argmax(dim=1) * trace.dt_s
    return torch.where(happens.any(dim=1), first.to(torch.float64), math.inf)


def _to_goal_m(trace: Trace, facts: Facts) -> Tensor:
    if facts.goal_xy_world_m is None:
        raise ValueError("criterion: the scenario has no goal, or nobody says where it is; give facts.goal_xy_world_m")
    apart = box_centre_world_m(trace)[:, :, EGO] - facts.goal_xy_world_m[:, None]
    return torch.hypot(apart[..., 0], apart[..., 1])


def box_distance_m(boxes: RelativeBoxes) -> Tensor:
    """Distance (B, T, N) between the ego's box and the others', 0 where they overlap, infinite where not valid.

    Two rectangles that do not overlap are closest at a corner of one of them.
    """
    u = boxes.half_m[..., 0, None] * torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=boxes.x_m.dtype)
    v = boxes.half_m[..., 1, None] * torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=boxes.x_m.dtype)
    cos, sin, x, y = (part[..., None] for part in (boxes.cos, boxes.sin, boxes.x_m, boxes.y_m))
    theirs = _outside_m(x + u * cos - v * sin, y + u * sin + v * cos, boxes.ego_half_m)
    ego_u = boxes.ego_half_m[..., 0, None] * torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=boxes.x_m.dtype) - x
    ego_v = boxes.ego_half_m[..., 1, None] * torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=boxes.x_m.dtype) - y
    ours = _outside_m(ego_u * cos + ego_v * sin, ego_v * cos - ego_u * sin, boxes.half_m)
    apart = torch.minimum(theirs, ours).amin(dim=-1)
    apart = torch.where(overlap(boxes), 0.0, apart)
    return torch.where(boxes.valid, apart, math.inf)


def _outside_m(x_m: Tensor, y_m: Tensor, half_m: Tensor) -> Tensor:
    """How far points (..., 4) are from a rectangle about the origin with half extents (..., 2)."""
    beyond_x = (x_m.abs() - half_m[..., 0, None]).clamp(min=0.0)
    beyond_y = (y_m.abs() - half_m[..., 1, None]).clamp(min=0.0)
    return torch.hypot(beyond_x, beyond_y)


# --- Facts ---


def off_road(trace: Trace, edge: EdgeMap, cell_m: float) -> Tensor:
    """Whether a corner of the ego is off the drivable surface, (B, T), by an edge map of cells of `cell_m`."""
    half = 0.5 * trace.size_m[:, None, EGO, :2]
    ahead = heading(trace.yaw_world_rad[:, :, EGO])
    left = torch.stack((-ahead[..., 1], ahead[..., 0]), dim=-1)
    centre = box_centre_world_m(trace)[:, :, EGO]
    beyond = torch.zeros(centre.shape[:2], dtype=torch.bool)
    for u, v in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
        corner = centre + u * half[..., :1] * ahead + v * half[..., 1:] * left
        beyond |= _edge_distance_m(corner, edge, cell_m) < -EDGE_TOLERANCE_M
    return beyond & trace.valid[:, :, EGO]


def _edge_distance_m(xy_world_m: Tensor, edge: EdgeMap, cell_m: float) -> Tensor:
    """Signed distance of points (..., 2) to the edge, inside positive, bilinear; beyond the map as at its rim."""
    table = torch.from_numpy(edge.distance_m).to(torch.float64)
    last = torch.tensor([table.shape[1] - 1, table.shape[0] - 1], dtype=torch.float64)
    at = (xy_world_m - torch.from_numpy(edge.origin_world_m)) / cell_m
    at = torch.minimum(torch.nan_to_num(at).clamp(min=0.0), last)
    low = torch.minimum(at.floor(), last - 1.0).clamp(min=0.0)
    (fx, fy), (column, row) = (at - low).unbind(-1), low.long().unbind(-1)
    top = table[row, column] * (1 - fx) + table[row, column + 1] * fx
    bottom = table[row + 1, column] * (1 - fx) + table[row + 1, column + 1] * fx
    return top * (1 - fy) + bottom * fy
