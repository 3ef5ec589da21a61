"""Verdicts of UN R157 (ALKS): following gap, cut-ins that must be avoided, and who could have prevented a collision.

A collision fails a run if the regulation's must-avoid line says it had to be avoided, or if one of the judges, the
performance models driven again in the ego's place among the recorded others, avoids it. A collision that none of them
prevents is a verdict of its own and not a failure.
"""

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from agents.performance_models import PERFORMANCE_MODELS, performance_model
from agents.safety_distances import MUST_AVOID_REACTION_S, minimum_following_gap_m, must_avoid_ttc_s
from pipelines.verdicts.criticality import ttc_s
from pipelines.verdicts.cut_in import INTRUSION_M
from pipelines.verdicts.lane_runs import LaneRun, front_wheel_past_marking_m, replay
from pipelines.verdicts.trace import EGO


class Outcome(IntEnum):
    """The verdict on a run."""

    PASSED = 0  # no collision
    FAILED = 1  # a collision that could have been avoided
    UNPREVENTABLE = 2  # a collision that neither the rule nor any judge says could have been


@dataclass(frozen=True)
class Intrusions:
    """Cut-ins of each actor but the ego, (B, N - 1): its first wheel to come 0.3 m into the ego's lane."""

    happened: Tensor  # bool; an actor that began in the lane does not cut in
    tick: Tensor  # int64, valid where it happened
    ttc_s: Tensor  # at that tick; inf where none happened or the ego is not faster
    limit_s: Tensor  # the must-avoid line at that tick, v_rel / (2 x 6 m/s2) + reaction
    must_avoid: Tensor  # bool: ahead of the ego then, and TTC above the line


@dataclass(frozen=True)
class R157Verdict:
    """The verdict on B runs and what it rests on; all (B,)."""

    outcome: Tensor  # int32 Outcome
    collided: Tensor  # bool
    collided_with: Tensor  # int64 actor, valid where collided
    impact_mps: Tensor  # closing speed along the lane, 0 without a collision
    cut_in: Tensor  # bool: somebody cut in
    ttc_at_intrusion_s: Tensor  # of the cut-in with the least margin; inf if there was none
    margin_s: Tensor  # of that TTC over the must-avoid line; inf if there was none
    must_avoid: Tensor  # bool: the actor collided with had cut in above the line
    preventable: dict[str, Tensor]  # bool by judge: the model does not crash in this run
    least_gap_ratio: Tensor  # least gap to a lead in the lane over the minimum following gap; inf without a lead
    below_gap_s: Tensor  # time spent closer than the minimum following gap to a lead in the lane


def intrusions(run: LaneRun, reaction_s: float = MUST_AVOID_REACTION_S) -> Intrusions:
    """Every actor's first intrusion into the ego's lane, and whether it must be avoided."""
    others = slice(EGO + 1, None)
    valid = run.valid[:, :, others] & run.valid[:, :, EGO : EGO + 1]
    inside = (front_wheel_past_marking_m(run)[:, :, others] >= INTRUSION_M) & valid
    crossing = inside[:, 1:] & ~inside[:, :-1] & valid[:, :-1]
    began_inside = (inside & (valid.cumsum(dim=1) == 1)).any(dim=1)
    happened = crossing.any(dim=1) & ~began_inside
    tick = torch.where(happened, crossing.to(torch.int8).argmax(dim=1) + 1, 0)

    gap_m = _at(_gaps_m(run), tick)
    closing = _at(run.speed_mps[:, :, EGO : EGO + 1] - run.speed_mps[:, :, others], tick)
    ahead = happened & (_at(run.s_m[:, :, others] - run.s_m[:, :, EGO : EGO + 1], tick) > 0)
    ttc = torch.where(happened, ttc_s(gap_m, closing), torch.inf)
    limit = must_avoid_ttc_s(closing.clamp(min=0.0), reaction_s)
    return Intrusions(happened, tick, ttc, limit, ahead & (ttc > limit))


def r157_verdict(
    run: LaneRun,
    judges: tuple[str, ...] = PERFORMANCE_MODELS,
    reaction_s: float = MUST_AVOID_REACTION_S,
    replay_all: bool = False,
) -> R157Verdict:
    """Judge every run; collisions are overlaps of boxes in lane coordinates.

    `reaction_s` is the constant of the must-avoid line: 0.35 s, or 0.25 s for EU 2022/1426. Judges drive only the runs
    with a collision unless `replay_all`; in the others, where nothing was left to prevent, they count as preventing.
    """
    touching = _touching(run)
    collided = touching.any(dim=2).any(dim=1)
    tick = touching.any(dim=2).to(torch.int8).argmax(dim=1)
    partner = touching[torch.arange(len(tick), device=tick.device), tick].to(torch.int8).argmax(dim=1)
    closing = run.speed_mps[:, :, EGO : EGO + 1] - run.speed_mps[:, :, EGO + 1 :]
    impact = _at(_at(closing, tick[:, None].expand(-1, closing.shape[2])), partner[:, None], axis=1)

    cuts = intrusions(run, reaction_s)
    earlier = cuts.must_avoid & (cuts.tick <= tick[:, None])
    must_avoid = collided & _at(earlier, partner[:, None], axis=1)
    margin = torch.where(cuts.happened, cuts.ttc_s - cuts.limit_s, torch.inf)
    worst = margin.argmin(dim=1, keepdim=True)
    preventable = {name: _prevented(name, run, collided | replay_all) for name in judges}
    failed = must_avoid
    for prevented in preventable.values():
        failed = failed | (collided & prevented)
    outcome = torch.where(failed, int(Outcome.FAILED), int(Outcome.UNPREVENTABLE))
    ratio, below_s = _following(run)
    return R157Verdict(
        outcome=torch.where(collided, outcome, int(Outcome.PASSED)).to(torch.int32),
        collided=collided,
        collided_with=torch.where(collided, partner + EGO + 1, 0),
        impact_mps=torch.where(collided, impact, 0.0),
        cut_in=cuts.happened.any(dim=1),
        ttc_at_intrusion_s=cuts.ttc_s.gather(1, worst).squeeze(1),
        margin_s=margin.gather(1, worst).squeeze(1),
        must_avoid=must_avoid,
        preventable=preventable,
        least_gap_ratio=ratio,
        below_gap_s=below_s,
    )


def _prevented(name: str, run: LaneRun, rows: Tensor) -> Tensor:
    """Runs (B,) bool in which this judge does not crash, driven where `rows` (B,) says so."""
    prevented = torch.ones_like(rows)
    if bool(rows.any()):
        prevented[rows] = ~replay(performance_model(name, follow=False), run.rows(rows)).collided
    return prevented


def _half_extents_m(run: LaneRun) -> tuple[Tensor, Tensor]:
    """Half of each box's extent along and across the lane, (B, T, N)."""
    cos, sin = torch.cos(run.heading_rad).abs(), torch.sin(run.heading_rad).abs()
    length, width = run.size_m[:, None, :, 0], run.size_m[:, None, :, 1]
    return 0.5 * (cos * length + sin * width), 0.5 * (sin * length + cos * width)


def _gaps_m(run: LaneRun) -> Tensor:
    """Bumper to bumper along the lane (B, T, N - 1), whoever is ahead; negative where side by side."""
    along, _ = _half_extents_m(run)
    apart = (run.s_m[:, :, EGO + 1 :] - run.s_m[:, :, EGO : EGO + 1]).abs()
    return apart - along[:, :, EGO + 1 :] - along[:, :, EGO : EGO + 1]


def _touching(run: LaneRun) -> Tensor:
    """Which actors' boxes overlap the ego's (B, T, N - 1); boxes turned in the lane count with their full extent."""
    _, across = _half_extents_m(run)
    apart = (run.offset_m[:, :, EGO + 1 :] - run.offset_m[:, :, EGO : EGO + 1]).abs()
    beside = apart < across[:, :, EGO + 1 :] + across[:, :, EGO : EGO + 1]
    valid = run.valid[:, :, EGO + 1 :] & run.valid[:, :, EGO : EGO + 1]
    return valid & beside & (_gaps_m(run) < 0)


def _following(run: LaneRun) -> tuple[Tensor, Tensor]:
    """Least ratio (B,) of the gap to the minimum following gap, and time (B,) below it, to leads in the ego's lane."""
    others = slice(EGO + 1, None)
    in_lane = run.offset_m[:, :, others].abs() < 0.5 * run.lane_width_m[:, None, None]
    ahead = run.s_m[:, :, others] > run.s_m[:, :, EGO : EGO + 1]
    lead = in_lane & ahead & run.valid[:, :, others] & run.valid[:, :, EGO : EGO + 1]
    least_m = minimum_following_gap_m(run.speed_mps[:, :, EGO : EGO + 1].clamp(min=0.0))
    ratio = torch.where(lead, _gaps_m(run).clamp(min=0.0) / least_m, torch.inf).amin(dim=2)
    return ratio.amin(dim=1), (ratio < 1.0).sum(dim=1) * run.dt_s


def _at(values: Tensor, index: Tensor, axis: int = 0) -> Tensor:
    """Values (B, T, M) at ticks (B, M); or, with axis 1, values (B, M) at columns (B, 1)."""
    if axis == 1:
        return values.gather(1, index).squeeze(1)
    return values.gather(1, index[:, None]).squeeze(1)
