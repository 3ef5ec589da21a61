"""All scores of drives in one row each: CARLA 2.0 and 2.1, nuPlan, PDMS, EPDMS and the criticality measures.

A score whose terms do not exist for a run is absent, None, with the reason beside it; never a 0, never NaN. Progress is
relative to an expert: whoever the caller says drove the same episode well, or else the file's own actions.
"""

import math
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from pipelines.verdicts import carla, navsim, nuplan
from pipelines.verdicts.criticality import criticality, pet_s
from pipelines.verdicts.fault import collisions
from pipelines.verdicts.navsim_terms import FRAME_S, epdms_progress, factors, pdms_progress, qualities
from pipelines.verdicts.road import DriveFacts, Road, drive_facts
from pipelines.verdicts.trace import CHUNK, EGO, Trace
from sim.types import ActorKind

SCORES = ("carla_2_0", "carla_2_1", "nuplan", "pdms", "epdms")
CRITICALITY = (
    "least_ttc_s", "least_thw_s", "least_pet_s", "max_drac_mps2", "max_btn", "tet_s", "tit_s2", "rss_s",
)  # fmt: skip
COLUMNS = (*SCORES, *CRITICALITY)
CHECKPOINTS = 4  # of the CARLA leaderboard's minimum speed, equal parts of the route
LAST_CHECKPOINT = 0.95  # of the route: who has come this far has passed the last one too
STANDING_MPS = 0.1  # who never drives faster is parked, no traffic to keep up with
NO_ROAD = "the run has no road"
NO_LANE = "it never was on or beside a lane"
NO_EXPERT = "nobody else drove this run: there is no expert to compare its progress with"
SHORT = f"it lasted no longer than {FRAME_S:g} s: nothing to take rates of change from"
NO_MEETING = "no two came near the same place within 5 s"
NOT_CLOSING = "nobody ahead in its corridor was approached"
NOBODY_AHEAD = "nobody was ahead in its corridor"
CONTACT = "no braking avoids a contact that is there"
_NOTHING = {"least_ttc_s": NOT_CLOSING, "least_thw_s": NOBODY_AHEAD, "least_pet_s": NO_MEETING}


@dataclass(frozen=True)
class Expert:
    """How the expert did in the same runs."""

    along_m: Tensor  # (B, T) its progress along the route by each tick
    multiplier: Tensor  # (B,) PDMS's factors of its whole drive
    extended_multiplier: Tensor  # (B,) EPDMS's


@dataclass
class Scorecard:
    """One run: its scores, the terms they were made of, and why others are absent."""

    scores: dict[str, float | None] = field(default_factory=dict)
    terms: dict[str, dict[str, float]] = field(default_factory=dict)  # by nuplan, navsim, carla
    absent: dict[str, str] = field(default_factory=dict)

    def row(self) -> dict[str, float | str | None]:
        """The scores, and in words which are absent and why."""
        reasons: dict[str, list[str]] = {}
        for name, reason in self.absent.items():
            reasons.setdefault(reason, []).append(name)
        words = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())
        return {**{name: self.scores.get(name) for name in COLUMNS}, "absent": words}


def scorecards(
    trace: Trace,
    is_object: Tensor,
    road: Road | None,
    expert: Expert | None,
    arrived: Tensor | None = None,
) -> list[Scorecard]:
    """The scores of every run. `is_object` (B, N): things; `arrived` (B,): it came to its goal, as far as it has one.

    `road` is None where there is none, `expert` where nobody else drove these runs.
    """
    done = torch.zeros(trace.runs, dtype=torch.bool) if arrived is None else arrived
    step = max(CHUNK // max(trace.ticks * trace.actors, 1), 1)
    cards: list[Scorecard] = []
    for first in range(0, trace.runs, step):
        rows = torch.arange(first, min(first + step, trace.runs))
        part = trace.map(lambda x, rows=rows: x[rows])
        cards += _cards(part, is_object[rows], _road_of(road, rows), _expert_of(expert, rows), done[rows])
    return cards


def expert_of(trace: Trace, is_object: Tensor, road: Road) -> Expert:
    """What an expert's own drive is to others. What it drove on after hitting somebody is no progress."""
    facts = drive_facts(trace, road)
    found, first_hit = factors(trace, facts, is_object), collisions(trace, facts.off_lane).first_tick()
    going = torch.arange(trace.ticks) <= first_hit[:, None]
    own = replace(facts, along_m=torch.where(going, facts.along_m, 0.0))
    return Expert(_progress_m(own, trace), found.pdms(), found.epdms())


def _road_of(road: Road | None, rows: Tensor) -> Road | None:
    if road is None:
        return None
    return replace(
        road,
        map_index=road.map_index[rows],
        ego_z_world_m=road.ego_z_world_m[rows],
        route=None if road.route is None else tuple(road.route[int(row)] for row in rows),
        route_length_m=None if road.route_length_m is None else road.route_length_m[rows],
        signal_phase=None if road.signal_phase is None else road.signal_phase[rows],
    )


def _expert_of(expert: Expert | None, rows: Tensor) -> Expert | None:
    return None if expert is None else Expert(*(value[rows] for value in vars(expert).values()))


def _cards(
    trace: Trace, is_object: Tensor, road: Road | None, expert: Expert | None, arrived: Tensor
) -> list[Scorecard]:
    cards = [Scorecard() for _ in range(trace.runs)]
    _add_criticality(cards, trace)
    long_enough = trace.valid[:, :, EGO].sum(dim=1) > max(round(FRAME_S / trace.dt_s), 2)
    if road is None:
        _leave_out(cards, torch.ones(trace.runs, dtype=torch.bool), SCORES, NO_ROAD)
        return cards
    facts = drive_facts(trace, road)
    _leave_out(cards, ~facts.on_lanes, SCORES, NO_LANE)
    _leave_out(cards, facts.on_lanes & ~long_enough, SCORES[2:], SHORT)
    _add_carla(cards, trace, facts, road, is_object, arrived, facts.on_lanes)
    kept = (facts.on_lanes & long_enough).nonzero()[:, 0]
    if expert is None:
        _leave_out(cards, facts.on_lanes & long_enough, SCORES[2:], NO_EXPERT)
    elif len(kept):
        part = DriveFacts(*(value[kept] for value in vars(facts).values()))
        ours = [cards[int(row)] for row in kept]
        _add_planners(ours, trace.map(lambda x: x[kept]), part, _expert_of(expert, kept), is_object[kept])  # type: ignore[arg-type]
    return cards


def _leave_out(cards: list[Scorecard], runs: Tensor, names: tuple[str, ...], reason: str) -> None:
    for card, left_out in zip(cards, runs.tolist(), strict=True):
        if left_out:
            card.scores |= dict.fromkeys(names)
            card.absent |= dict.fromkeys(names, reason)


def _add_criticality(cards: list[Scorecard], trace: Trace) -> None:
    found = criticality(trace)
    pet = pet_s(trace).amin(dim=1)
    measures = (found.min_ttc_s, found.min_thw_s, pet, found.max_drac_mps2, found.max_btn)
    measures += (found.tet_s, found.tit_s2, found.rss_violation_s)
    for name, values in zip(CRITICALITY, measures, strict=True):
        for card, value in zip(cards, values.tolist(), strict=True):
            card.scores[name] = value if math.isfinite(value) else None
            if card.scores[name] is None:
                card.absent[name] = _NOTHING.get(name, CONTACT)


# --- The CARLA leaderboard ---


def _add_carla(
    cards: list[Scorecard],
    trace: Trace,
    facts: DriveFacts,
    road: Road,
    is_object: Tensor,
    arrived: Tensor,
    judged: Tensor,
) -> None:
    if road.route_length_m is None:
        _leave_out(cards, judged, SCORES[:2], road.no_route)
        return
    length = road.route_length_m.double()
    share = (_progress_m(facts, trace).cummax(dim=1).values / length[:, None]).clamp(0.0, 1.0)
    completion = torch.where(arrived, 1.0, share[:, -1])
    valid = trace.valid[:, :, EGO]
    infractions = replace(
        carla.no_infractions(trace.runs),
        **carla.collision_counts(collisions(trace, facts.off_lane), trace.kind, is_object),
        red_light=facts.red_lights,
        stop=facts.stop_signs,
        min_speed_pct=_min_speed_pct(trace, torch.where(arrived[:, None] & ~valid, 1.0, share), arrived),
        outside_lanes_pct=(100 * torch.where(valid, facts.off_route_m, 0.0).sum(dim=1) / length).clamp(max=100.0),
    )
    columns = {
        "carla_2_0": carla.driving_score_2_0(completion, infractions),
        "carla_2_1": carla.driving_score_2_1(completion, infractions),
    }
    told = {"route_completion": completion, "min_speed_pct": infractions.min_speed_pct.mean(dim=1)}
    told |= {name: getattr(infractions, name) for name in ("pedestrian", "vehicle", "static", "red_light", "stop")}
    told["outside_lanes_pct"] = infractions.outside_lanes_pct
    for run, card in enumerate(cards):
        if bool(judged[run]):
            card.scores |= {name: float(column[run]) for name, column in columns.items()}
            card.terms["carla"] = {name: float(column[run]) for name, column in told.items()}


def _min_speed_pct(trace: Trace, share: Tensor, arrived: Tensor) -> Tensor:
    """Mean speed at each checkpoint passed (B, 4) in percent of the other vehicles'; 100 without any or not passed."""
    valid = trace.valid[:, :, EGO]
    kind = trace.kind
    moving = (trace.speed_mps.abs() * trace.valid).amax(dim=1) > STANDING_MPS
    traffic = trace.valid & ((kind != int(ActorKind.PEDESTRIAN)) & moving)[:, None] & valid[..., None]
    traffic[:, :, EGO] = False
    count = traffic.sum(dim=2)
    around = torch.where(traffic, trace.speed_mps, 0.0).sum(dim=2) / count.clamp(min=1)
    counted = valid & (count > 0)
    reached = torch.where(arrived, 1.0, share.amax(dim=1))
    kept = torch.full((trace.runs, CHECKPOINTS), 100.0, dtype=torch.float64)
    for part in range(CHECKPOINTS):
        end = (part + 1) / CHECKPOINTS
        ticks = counted & (share >= part / CHECKPOINTS) & ((share < end) | (end == 1.0))
        own = torch.where(ticks, trace.speed_mps[:, :, EGO], 0.0).sum(dim=1).clamp(min=0.0)
        others = torch.where(ticks, around, 0.0).sum(dim=1)
        passed = (reached >= min(end, LAST_CHECKPOINT)) & (others > 0)
        percent = 100 * own / torch.where(passed, others, 1.0)
        kept[:, part] = torch.where(passed, percent.clamp(max=100.0), 100.0)
    return kept


# --- nuPlan and NAVSIM ---


def _add_planners(cards: list[Scorecard], trace: Trace, facts: DriveFacts, expert: Expert, is_object: Tensor) -> None:
    progress = _progress_m(facts, trace)[:, -1]
    expert_m = _expert_progress_m(trace, expert)
    score = nuplan.nuplan_score(trace, _nuplan_facts(facts, progress, expert_m, is_object))
    found = factors(trace, facts, is_object)
    terms = vars(found) | vars(qualities(trace, facts))
    first = {name: terms[name] for name in (*navsim.PDMS_MULTIPLIERS, *navsim.PDMS_WEIGHTS) if name in terms}
    first["ego_progress"] = pdms_progress(progress, found.pdms(), expert_m, expert.multiplier)
    second = {name: terms[name] for name in (*navsim.EPDMS_MULTIPLIERS, *navsim.EPDMS_WEIGHTS) if name in terms}
    second["ego_progress"] = epdms_progress(progress, found.epdms(), expert_m, expert.extended_multiplier)
    columns = {"nuplan": score.score, "pdms": navsim.pdms(first), "epdms": navsim.epdms(second, None)}
    told = {"nuplan": {k: v for k, v in vars(score).items() if k != "score"}, "pdms": first, "epdms": second}
    for run, card in enumerate(cards):
        card.scores |= {name: float(column[run]) for name, column in columns.items()}
        card.terms |= {kind: {k: float(v[run]) for k, v in part.items()} for kind, part in told.items()}


def _nuplan_facts(facts: DriveFacts, progress: Tensor, expert_m: Tensor, is_object: Tensor) -> nuplan.RoadFacts:
    return nuplan.RoadFacts(
        off_drivable_m=facts.off_drivable_m,
        against_m=facts.against_m,
        off_lane=facts.off_lane,
        in_junction=facts.in_junction,
        speed_limit_mps=facts.speed_limit_mps,
        progress_m=progress,
        expert_progress_m=expert_m,
        is_object=is_object,
    )


def _progress_m(facts: DriveFacts, trace: Trace) -> Tensor:
    """How far the ego has come along its way by each tick (B, T)."""
    return torch.where(trace.valid[:, :, EGO], facts.along_m, 0.0).cumsum(dim=1)


def _expert_progress_m(trace: Trace, expert: Expert) -> Tensor:
    """The expert's progress (B,) by the end of the ego's own drive."""
    last = (trace.valid[:, :, EGO].sum(dim=1) - 1).clamp(0, expert.along_m.shape[1] - 1)
    return expert.along_m.gather(1, last[:, None])[:, 0]
