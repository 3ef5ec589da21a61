"""How critical a drive was: TTC, THW, PET, DRAC, BTN, TET, TIT and RSS, by the definitions of commonroad-crime.

The plain functions take gaps and speeds of any shape, in whatever frame the caller has them. `criticality` takes them
from a trace, for the straight corridor ahead of the ego: gaps are bumper to bumper along the ego's heading, and the
longitudinal measures look at actors whose box reaches into that corridor. `ttc_sweep_s` has no corridor: it moves all
boxes on with their present velocities.

Where there is no conflict, times are infinite and decelerations, threat numbers and violations zero: nothing is NaN.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from agents.safety_distances import rss_lateral_m, rss_longitudinal_m
from pipelines.verdicts.boxes import RelativeBoxes, boxes_between, contact_window_s, overlap, relative_boxes
from pipelines.verdicts.trace import EGO, Trace, box_centre_world_m, by_chunks

TTC_THRESHOLD_S = 1.5  # of TET and TIT
AVAILABLE_DECEL_MPS2 = 8.0  # of BTN: dry asphalt
PET_HORIZON_S = 5.0


@dataclass(frozen=True)
class Criticality:
    """The worst of each tick and of each run over all actors; T ticks where the ego exists."""

    ttc_s: Tensor  # (B, T) inf: not closing in on anything in the corridor
    ttc_sweep_s: Tensor  # (B, T) inf: no boxes will meet
    thw_s: Tensor  # (B, T) inf: nothing in the corridor, or standing
    drac_mps2: Tensor  # (B, T)
    btn: Tensor  # (B, T) above 1: braking alone cannot avoid it
    rss_violation: Tensor  # (B, T) bool: closer than both safe distances to one ahead
    min_ttc_s: Tensor  # (B,)
    min_ttc_sweep_s: Tensor  # (B,)
    min_thw_s: Tensor  # (B,)
    max_drac_mps2: Tensor  # (B,) inf once in contact
    max_btn: Tensor  # (B,)
    tet_s: Tensor  # (B,) time below the TTC threshold
    tit_s2: Tensor  # (B,) integral of what is missing to it
    rss_violation_s: Tensor  # (B,) time in violation


def ttc_s(gap_m: Tensor, closing_mps: Tensor) -> Tensor:
    """Time to collision, gap / closing speed: infinite where the gap does not close, 0 where there is none left."""
    closes = closing_mps > 0
    return torch.where(closes, gap_m.clamp(min=0.0) / torch.where(closes, closing_mps, 1.0), math.inf)


def thw_s(gap_m: Tensor, speed_mps: Tensor) -> Tensor:
    """Time headway, gap / own speed: infinite for a car that does not move ahead."""
    moves = speed_mps > 0
    return torch.where(moves, gap_m.clamp(min=0.0) / torch.where(moves, speed_mps, 1.0), math.inf)


def drac_mps2(gap_m: Tensor, closing_mps: Tensor) -> Tensor:
    """Deceleration to avoid a crash, v_rel^2 / (2 gap): 0 where the gap does not close, infinite where none is left."""
    closing = closing_mps.clamp(min=0.0)
    return torch.where(closing > 0, closing**2 / (2 * gap_m.clamp(min=0.0)), 0.0)


def btn(
    gap_m: Tensor,
    closing_mps: Tensor,
    lead_accel_mps2: Tensor | float = 0.0,
    available_mps2: Tensor | float = AVAILABLE_DECEL_MPS2,
) -> Tensor:
    """Brake threat number, required over available deceleration; what the lead brakes is required on top of DRAC."""
    required = drac_mps2(gap_m, closing_mps) - lead_accel_mps2
    return torch.where(closing_mps > 0, required.clamp(min=0.0), 0.0) / available_mps2


def tet_s(ttc_s: Tensor, dt_s: float, threshold_s: float = TTC_THRESHOLD_S) -> Tensor:
    """Time exposed TTC (...,): how long the TTC (..., T) was at most the threshold."""
    return (ttc_s <= threshold_s).to(ttc_s).sum(dim=-1) * dt_s


def tit_s2(ttc_s: Tensor, dt_s: float, threshold_s: float = TTC_THRESHOLD_S) -> Tensor:
    """Time integrated TTC (...,): the integral of threshold - TTC (..., T) while it is below the threshold."""
    return (threshold_s - ttc_s).clamp(min=0.0).sum(dim=-1) * dt_s


def rss_violated(
    gap_m: Tensor, lateral_gap_m: Tensor, speed_mps: Tensor, lead_mps: Tensor, lateral_mps: Tensor
) -> Tensor:
    """RSS: whether the follower is closer than the longitudinal and the lateral safe distance at once.

    `lateral_mps` is the lateral speed of the one ahead.
    """
    return (gap_m < rss_longitudinal_m(speed_mps, lead_mps)) & (lateral_gap_m < rss_lateral_m(lateral_mps))


def pet_s(trace: Trace, horizon_s: float = PET_HORIZON_S) -> Tensor:
    """Post-encroachment time (B, N) of the ego with each actor; infinite beyond the horizon, 0 for actors it hit.

    How long after one of the two left a place the other came to be there, the least over all places: in a crossing
    this is t_enter(second) - t_exit(first) of the common area. Found as the least difference of two ticks at which the
    boxes overlap, so it comes out in whole ticks and at most two ticks too long.
    """
    pet = torch.full((trace.runs, trace.actors), math.inf, dtype=torch.float64, device=trace.speed_mps.device)
    centre = box_centre_world_m(trace)
    for lag in range(min(int(horizon_s / trace.dt_s + 1e-9), trace.ticks - 1) + 1):
        for ego_first in (True, False):
            met = _met_after(trace, centre, lag, ego_first, torch.isinf(pet))
            pet = torch.where(met, lag * trace.dt_s, pet)
    return pet


def _met_after(trace: Trace, centre: Tensor, lag: int, ego_first: bool, wanted: Tensor) -> Tensor:
    """Which wanted pairs (B, N) have boxes that overlap if the later one's are taken `lag` ticks afterwards."""
    early, late = slice(None, trace.ticks - lag), slice(lag, None)
    own, other = (early, late) if ego_first else (late, early)
    offset = centre[:, other] - centre[:, own, EGO : EGO + 1]
    half_m = 0.5 * trace.size_m[..., :2]
    reach_m = torch.hypot(half_m[..., 0], half_m[..., 1])
    reach_m = (reach_m + reach_m[:, EGO : EGO + 1])[:, None]
    # Most pairs of ticks are far apart: the exact test is for those whose circles overlap.
    near = (offset[..., 0] ** 2 + offset[..., 1] ** 2 < reach_m**2) & wanted[:, None]
    near = near & trace.valid[:, other] & trace.valid[:, own, EGO : EGO + 1]
    near[:, :, EGO] = False
    run, tick, actor = near.nonzero(as_tuple=True)
    boxes = boxes_between(
        offset_world_m=offset[run, tick, actor],
        motion_world_mps=torch.zeros_like(offset[run, tick, actor]),
        ego_yaw_rad=trace.yaw_world_rad[:, own, EGO][run, tick],
        yaw_rad=trace.yaw_world_rad[:, other][run, tick, actor],
        ego_half_m=half_m[run, EGO],
        half_m=half_m[run, actor],
        valid=torch.ones_like(run, dtype=torch.bool),
    )
    touching = overlap(boxes)
    met = torch.zeros_like(wanted)
    met[run[touching], actor[touching]] = True
    return met


def ttc_sweep_s(boxes: RelativeBoxes) -> Tensor:
    """TTC (B, T, N) of boxes that all keep velocity and heading: infinite where they never meet, 0 in contact."""
    return contact_window_s(boxes)[0].clamp(min=0.0)


def corridor(boxes: RelativeBoxes) -> tuple[Tensor, Tensor, Tensor]:
    """Gap along the ego's heading, gap across it (both m), and which boxes are ahead in its corridor; all (B, T, N).

    The gap is to the part of a box that lies in the corridor, which of a box that stands askew need not be its nearest
    corner; of a box beside the corridor it is to the nearest corner.
    """
    lateral_m = (boxes.y_m.abs() - boxes.ego_half_m[..., 1] - boxes.half_across_m()).clamp(min=0.0)
    inside = lateral_m <= 0
    rear_m = torch.where(inside, _rear_in_corridor_m(boxes), boxes.x_m - boxes.half_along_m())
    return rear_m - boxes.ego_half_m[..., 0], lateral_m, boxes.valid & (boxes.x_m > 0) & inside


def _rear_in_corridor_m(boxes: RelativeBoxes) -> Tensor:
    """Least x (B, T, N) of the part of each box within the ego's width; of the whole box where no part is.

    It is that of a corner in the corridor, or where a side crosses one of the corridor's edges.
    """
    width = boxes.ego_half_m[..., 1]
    signs = ((1, 1), (1, -1), (-1, -1), (-1, 1))
    half_x, half_y = boxes.half_m[..., 0], boxes.half_m[..., 1]
    xs = [boxes.x_m + u * half_x * boxes.cos - v * half_y * boxes.sin for u, v in signs]
    ys = [boxes.y_m + u * half_x * boxes.sin + v * half_y * boxes.cos for u, v in signs]
    least = torch.full_like(boxes.x_m, math.inf)
    for one in range(4):
        x, y, x2, y2 = xs[one], ys[one], xs[one - 1], ys[one - 1]
        least = torch.where(y.abs() <= width, torch.minimum(least, x), least)
        for edge in (width, -width):
            crosses = (y - edge) * (y2 - edge) < 0
            at = x + (x2 - x) * (edge - y) / torch.where(crosses, y2 - y, 1.0)
            least = torch.where(crosses, torch.minimum(least, at), least)
    return torch.where(torch.isfinite(least), least, boxes.x_m - boxes.half_along_m())


def criticality(
    trace: Trace, ttc_threshold_s: float = TTC_THRESHOLD_S, available_mps2: float = AVAILABLE_DECEL_MPS2
) -> Criticality:
    """All measures but PET, which needs pairs of ticks, of every run."""
    return by_chunks(trace, lambda part, _: _criticality(part, ttc_threshold_s, available_mps2))


def _criticality(trace: Trace, threshold_s: float, available_mps2: float) -> Criticality:
    boxes = relative_boxes(trace)
    gap_m, lateral_m, ahead = corridor(boxes)
    speed = trace.speed_mps[:, :, EGO, None]
    lead_accel = trace.accel_mps2 * boxes.cos
    closing = -boxes.vx_mps
    ttc = torch.where(ahead, ttc_s(gap_m, closing), math.inf).amin(dim=2)
    thw = torch.where(ahead, thw_s(gap_m, speed), math.inf).amin(dim=2)
    drac = torch.where(ahead, drac_mps2(gap_m, closing), 0.0).amax(dim=2)
    threat = torch.where(ahead, btn(gap_m, closing, lead_accel, available_mps2), 0.0).amax(dim=2)
    sweep = ttc_sweep_s(boxes).amin(dim=2)
    lateral_mps = trace.speed_mps * boxes.sin
    violated = rss_violated(gap_m, lateral_m, speed, trace.speed_mps * boxes.cos, lateral_mps)
    violated = (violated & boxes.valid & (boxes.x_m > 0)).any(dim=2)
    return Criticality(
        ttc_s=ttc,
        ttc_sweep_s=sweep,
        thw_s=thw,
        drac_mps2=drac,
        btn=threat,
        rss_violation=violated,
        min_ttc_s=ttc.amin(dim=1),
        min_ttc_sweep_s=sweep.amin(dim=1),
        min_thw_s=thw.amin(dim=1),
        max_drac_mps2=drac.amax(dim=1),
        max_btn=threat.amax(dim=1),
        tet_s=tet_s(ttc, trace.dt_s, threshold_s),
        tit_s2=tit_s2(ttc, trace.dt_s, threshold_s),
        rss_violation_s=violated.sum(dim=1).double() * trace.dt_s,
    )
