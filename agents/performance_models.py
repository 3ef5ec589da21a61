"""The four performance models of UN R157 as drivers of one lane, batched: Reg157, CC human driver, RSS, FSM.

    model = performance_model("cc_human")
    state = model.start(batch)
    accel_mps2, state = model.step(state, scene, dt_s)

Each is two things. Its *response* to danger is that of the regulation's annex as read by ec-jrc/JRC-FSM: a danger is
recognised, the driver reacts late, then brakes, within a jerk limit, until the conflict is over. Its *following* is
what the regulation leaves open: keep the set speed, return to it gently when clear, and follow a lead in the path at
the model's own safe distance with comfortable braking. `follow=False` leaves the response alone, as judges use it: the
car then holds its speed where there is no danger.

Everything is elementwise over runs with additions, products and quotients only, so a run's bits do not depend on its
batch. Danger is looked for once a tick: rules with a sharp bound act one tick early rather than one tick late.
Reg157 sees 46 m far, which lets it stop from 60 km/h; give it a longer `detection_range_m` where it drives faster.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from agents.safety_distances import (
    FSM_BRAKE_MAX_MPS2,
    FSM_BRAKE_MIN_MPS2,
    FSM_REACTION_S,
    MUST_AVOID_DECEL_MPS2,
    MUST_AVOID_REACTION_S,
    RSS_REACTION_S,
    critical_fuzzy,
    fsm_safe_m,
    minimum_following_gap_m,
    proactive_fuzzy,
    rss_lateral_m,
    rss_longitudinal_m,
)

HUMAN_BRAKE_MPS2 = 0.774 * 9.81
HUMAN_JERK_MPS3 = 12.65
HUMAN_REACTION_S = 0.75
HUMAN_COAST_MPS2 = 0.4  # foot off the pedal, while reacting
HUMAN_CRITICAL_TTC_S = 2.0
HUMAN_WANDERING_M = 0.375  # nobody takes this much deviation from a lane centre for a cut-in
HUMAN_PERCEPTION_M = 0.72  # a cut-in is recognised after this much more
HUMAN_PERCEPTION_S = 0.4  # and a lead's braking after this time
HUMAN_CRITICAL_HEADWAY_S = 2.0  # a lead that brakes hard is a danger within this headway (esmini's reading)
HARD_BRAKING_MPS2 = 5.0

REG157_LATERAL_SAFE_M = 0.5
REG157_INTRUSION_M = 0.3  # past the marking: the same beside a car 1.9 m wide in a lane of 3.5 m
REG157_DETECTION_M = 46.0

# Following and cruising, the part that the regulation leaves open
IN_PATH_LATERAL_M = 0.5  # what is in the ego's lane and this close to its corridor is followed
STANDSTILL_M = 2.0
FOLLOW_GAP_PER_S2 = 0.25
FOLLOW_SPEED_PER_S = 0.9
OPEN_GAP_DECEL_MPS2 = 2.0  # a short gap alone, without closing in, is opened no harder than this
FOLLOW_DECEL_MPS2 = 4.0
NO_BRAKING_MPS2 = 0.05
CRUISE_ACCEL_MPS2 = 1.0
CRUISE_TIME_S = 2.0


@dataclass
class Scene:
    """The ego (B,) and the others (B, N) in the ego's lane coordinates at one tick; all float64 but the masks."""

    ego_speed_mps: Tensor  # (B,) along the lane
    ego_lateral_mps: Tensor  # (B,) to the left
    ego_accel_mps2: Tensor  # (B,) as measured over the last tick
    ego_size_m: Tensor  # (B, 3) length, width, height
    lane_width_m: Tensor  # (B,) of the ego's lane; the next lanes are taken to be as wide
    gap_m: Tensor  # (B, N) free distance along the lane, bumper to bumper; negative: side by side, or behind
    lateral_gap_m: Tensor  # (B, N) free distance across, 0 where the other overlaps the ego's corridor
    lateral_offset_m: Tensor  # (B, N) of its middle, left of the middle of the ego's lane
    lateral_speed_mps: Tensor  # (B, N) towards the middle of the ego's lane
    speed_mps: Tensor  # (B, N) along the ego's lane
    accel_mps2: Tensor  # (B, N) along the ego's lane
    length_m: Tensor  # (B, N)
    width_m: Tensor  # (B, N)
    in_lane_overlap: Tensor  # (B, N) bool: part of its box is inside the ego's lane
    valid: Tensor  # (B, N) bool


@dataclass(frozen=True)
class ModelState:
    """The memory of B drivers."""

    started: Tensor  # (B,) bool: the set speed is known
    set_speed_mps: Tensor  # (B,)
    alarmed: Tensor  # (B,) bool: responding to a danger
    reaction_s: Tensor  # (B,) left until the brakes act
    decel_mps2: Tensor  # (B,) at the end of the last tick


@dataclass(frozen=True)
class View:
    """A scene and what every model derives from it first; computed once, since broadcasting costs more than adding."""

    scene: Scene
    speed_mps: Tensor  # (B, N) of the ego
    closing_mps: Tensor  # (B, N)
    ahead: Tensor  # (B, N) bool: its middle is ahead of the ego's, and near enough to be seen


@dataclass(frozen=True)
class Danger:
    """What a model makes of a scene."""

    threat: Tensor  # (B,) bool: a response must begin or go on
    conflict: Tensor  # (B,) bool: a response under way goes on
    demand_mps2: Tensor  # (B,) deceleration wanted
    delay_s: Tensor  # (B,) reaction time, should the response begin now


@dataclass(frozen=True)
class PerformanceModel:
    """One model: its constants, how it sees danger and how far it stays behind a lead."""

    name: str
    assess: "Callable[[PerformanceModel, View, float], Danger]"
    safe_gap_m: Callable[[Tensor, Tensor], Tensor]  # of the speeds of ego and lead
    reaction_s: float
    max_decel_mps2: float
    jerk_mps3: float
    coast_mps2: float = 0.0
    detection_range_m: float = math.inf
    follow: bool = True

    def start(self, batch: int, device: str | torch.device = "cpu", set_speed_mps: Tensor | None = None) -> ModelState:
        """Drivers at the beginning of their runs; without `set_speed_mps` (B,) they keep the speed they first have."""
        zeros = torch.zeros(batch, dtype=torch.float64, device=device)
        none = torch.zeros(batch, dtype=torch.bool, device=device)
        known = none if set_speed_mps is None else ~none
        return ModelState(known, zeros if set_speed_mps is None else set_speed_mps.to(zeros), none, zeros, zeros)

    def step(self, state: ModelState, scene: Scene, dt_s: float) -> tuple[Tensor, ModelState]:
        """Acceleration (B,) m/s2 to hold for the coming tick, and the drivers' memory after it.

        It never reverses: a car that would stop within the tick is given what stops it at the tick's end.
        """
        speed = scene.ego_speed_mps
        set_speed = torch.where(state.started, state.set_speed_mps, speed)
        view = self._look(scene)
        danger = self.assess(self, view, dt_s)
        alarmed = danger.threat | (state.alarmed & danger.conflict)
        reaction_s = torch.where(state.alarmed, state.reaction_s, danger.delay_s)

        # Within the tick the pedal first stays where it is, or is let go; then the brakes come on.
        braking_s = (dt_s - reaction_s).clamp(min=0.0, max=dt_s)
        held = state.decel_mps2.clamp(min=self.coast_mps2)
        ramped = torch.where(braking_s > 0, torch.minimum(held + self.jerk_mps3 * braking_s, danger.demand_mps2), held)
        response = -(held * (dt_s - braking_s) + ramped * braking_s) / dt_s

        accel = torch.where(alarmed, response, 0.0)
        if self.follow:
            driving = self._drive(view, set_speed)
            # A driver who is still reacting does not follow either; one who brakes may need more to follow.
            accel = torch.where(alarmed & (braking_s <= 0), response, torch.minimum(accel, driving))
            accel = torch.where(alarmed, accel, driving)
        accel = torch.maximum(accel, -speed.clamp(min=0.0) / dt_s)
        decel = torch.where(alarmed, torch.maximum(ramped, -accel), -accel).clamp(min=0.0)
        left_s = torch.where(alarmed, (reaction_s - dt_s).clamp(min=0.0), 0.0)
        return accel, ModelState(torch.ones_like(state.started), set_speed, alarmed, left_s, decel)

    def _drive(self, view: View, set_speed_mps: Tensor) -> Tensor:
        """Cruise at the set speed and follow leads comfortably: acceleration (B,).

        Three terms per lead. Spacing steers the gap to the model's safe one. Closing is the constant deceleration that
        loses the closing speed before 2 m are left: it lets nobody run into a slower lead. Stopping is the one that
        stops 2 m behind where a braking lead will stop: it is what avoids the crash behind a braking lead.
        """
        scene, speed = view.scene, view.speed_mps
        error = scene.gap_m - 1.1 * self.safe_gap_m(speed, scene.speed_mps)
        spacing = (FOLLOW_GAP_PER_S2 * error).clamp(min=-OPEN_GAP_DECEL_MPS2) - FOLLOW_SPEED_PER_S * view.closing_mps
        room = (scene.gap_m - STANDSTILL_M).clamp(min=0.1)
        lost = 0.5 * view.closing_mps.clamp(min=0.0) ** 2 / room
        stops = 0.5 * speed**2 / (room + _stopping_m(scene))
        needed = torch.maximum(lost, stops)
        # Less than that is no reason to brake: every lead would stop some day if it just kept losing a little.
        wanted = torch.minimum(spacing, (-needed).masked_fill(needed < NO_BRAKING_MPS2, math.inf))
        near = (scene.lateral_gap_m <= IN_PATH_LATERAL_M) & scene.in_lane_overlap
        lead = view.ahead & (near | (scene.lateral_gap_m <= 0))
        behind = _reduced(torch.amin, wanted, lead, math.inf)
        cruise = ((set_speed_mps - scene.ego_speed_mps) / CRUISE_TIME_S).clamp(max=CRUISE_ACCEL_MPS2)
        return torch.minimum(cruise, behind).clamp(min=-FOLLOW_DECEL_MPS2)

    def _look(self, scene: Scene) -> View:
        speed = torch.empty_like(scene.gap_m).copy_(scene.ego_speed_mps[:, None])  # in the same layout
        half_lengths = 0.5 * (scene.ego_size_m[:, :1] + scene.length_m)
        ahead = scene.valid & (scene.gap_m > -half_lengths) & (scene.gap_m <= self.detection_range_m)
        return View(scene, speed, speed - scene.speed_mps, ahead)


def performance_model(name: str, follow: bool = True, **constants: float) -> PerformanceModel:
    """The model called `name`, with some of its constants (fields of `PerformanceModel`) replaced if given.

    Raises:
        ValueError: there is no such model.
    """
    if name not in _MODELS:
        raise ValueError(f"performance model {name!r}: there is none of that name; choose from {', '.join(_MODELS)}")
    return replace(_MODELS[name], follow=follow, **constants)


def _assess_reg157(model: PerformanceModel, view: View, dt_s: float) -> Danger:
    """Must avoid: it has come into the lane, and the gap is the last at which reaction and braking suffice.

    In the lane is what is 0.3 m past the marking, or within 0.5 m of the ego's corridor. For a lead at constant speed
    the last gap is TTC <= v_rel / (2 b) + reaction; for one that brakes the same with both stopping distances.
    """
    scene, speed, closing = view.scene, view.speed_mps, view.closing_mps
    inside_m = (0.5 * scene.lane_width_m - REG157_INTRUSION_M)[:, None] + 0.5 * scene.width_m
    intruded = (scene.lateral_offset_m.abs() <= inside_m) | (scene.lateral_gap_m <= REG157_LATERAL_SAFE_M)
    relevant = view.ahead & intruded
    late_s = model.reaction_s + dt_s
    twice_brake = 2 * model.max_decel_mps2
    approaching = relevant & (closing > 0)
    last_m = closing * (late_s + closing / twice_brake)
    last_to_stop_m = speed * (late_s + speed / twice_brake) - _stopping_m(scene)
    threat = (approaching & (scene.gap_m <= last_m)) | (relevant & (scene.gap_m <= last_to_stop_m))
    return _full_response(model, threat.any(dim=1), approaching.any(dim=1))


def _assess_human(model: PerformanceModel, view: View, dt_s: float) -> Danger:
    """Competent and careful: TTC below 2 s to what has visibly left its lane for ours, or a lead that brakes hard.

    Of a cut-in the first 0.375 m are wandering and the next 0.72 m go by until it is recognised; that a lead brakes
    hard is recognised 0.4 s after it began to.
    """
    scene = view.scene
    in_path = scene.lateral_gap_m <= 0
    recognised_m = scene.lane_width_m[:, None] - HUMAN_WANDERING_M - HUMAN_PERCEPTION_M
    relevant = view.ahead & (in_path | (scene.lateral_offset_m.abs() <= recognised_m))
    approaching = relevant & (view.closing_mps > 0)
    critical = (approaching & (scene.gap_m < HUMAN_CRITICAL_TTC_S * view.closing_mps)).any(dim=1)
    braking = relevant & in_path & (scene.accel_mps2 <= -HARD_BRAKING_MPS2)
    braking = (braking & (scene.gap_m < HUMAN_CRITICAL_HEADWAY_S * view.speed_mps)).any(dim=1)
    danger = _full_response(model, critical | braking, approaching.any(dim=1))
    return replace(danger, delay_s=torch.where(critical, danger.delay_s, danger.delay_s + HUMAN_PERCEPTION_S))


def _assess_rss(model: PerformanceModel, view: View, dt_s: float) -> Danger:
    """Closer than both the longitudinal and the lateral safe distance, whether closing in or not."""
    scene = view.scene
    relevant = view.ahead & (scene.lateral_gap_m < rss_lateral_m(scene.lateral_speed_mps))
    threat = relevant & (scene.gap_m < rss_longitudinal_m(view.speed_mps, scene.speed_mps))
    approaching = relevant & (view.closing_mps > 0)
    return _full_response(model, threat.any(dim=1), approaching.any(dim=1))


def _assess_fsm(model: PerformanceModel, view: View, dt_s: float) -> Danger:
    """Fuzzy: brake as hard as the critical metric, else the proactive one, asks for.

    What is still beside the corridor counts if it will be inside before the ego has passed it (and 0.1 s more).
    """
    scene, speed, closing = view.scene, view.speed_mps, view.closing_mps
    until_inside_s = scene.lateral_gap_m / scene.lateral_speed_mps.clamp(min=1e-9)
    until_passed_s = (scene.gap_m + scene.length_m + scene.ego_size_m[:, :1]) / closing.clamp(min=1e-9)
    approaching = view.ahead & (closing > 0)
    comes_in = approaching & (scene.lateral_speed_mps > 0) & (until_inside_s <= until_passed_s + 0.1)
    relevant = (view.ahead & (scene.lateral_gap_m <= 0)) | comes_in
    critical = critical_fuzzy(scene.gap_m, speed, scene.speed_mps, scene.ego_accel_mps2[:, None])
    proactive = proactive_fuzzy(scene.gap_m, speed, scene.speed_mps)
    hard = critical * (FSM_BRAKE_MAX_MPS2 - FSM_BRAKE_MIN_MPS2) + FSM_BRAKE_MIN_MPS2
    wanted = torch.where(critical > 0, hard, proactive * FSM_BRAKE_MIN_MPS2)
    demand = _reduced(torch.amax, wanted, relevant, 0.0).clamp(max=model.max_decel_mps2)
    danger = _full_response(model, demand > 0, (relevant & approaching).any(dim=1))
    return replace(danger, demand_mps2=demand)


def _stopping_m(scene: Scene) -> Tensor:
    """How far (B, N) the others go on if they keep losing speed as now; very far where they do not."""
    return 0.5 * scene.speed_mps**2 / (-scene.accel_mps2).clamp(min=1e-3)


def _full_response(model: PerformanceModel, threat: Tensor, conflict: Tensor) -> Danger:
    """The response with the model's reaction time and its hardest braking."""
    like = torch.zeros(threat.shape, dtype=torch.float64, device=threat.device)
    return Danger(threat, conflict, like + model.max_decel_mps2, like + model.reaction_s)


def _reduced(reduce: Callable[..., Tensor], values: Tensor, chosen: Tensor, otherwise: float) -> Tensor:
    """Least or largest (B,) of the chosen values (B, N), or `otherwise` where none is; N may be 0."""
    if not values.shape[1]:
        return values.new_full(values.shape[:1], otherwise)
    return reduce(values.masked_fill(~chosen, otherwise), dim=1)


def _reg157_gap_m(speed_mps: Tensor, lead_mps: Tensor) -> Tensor:
    return minimum_following_gap_m(speed_mps)


def _human_gap_m(speed_mps: Tensor, lead_mps: Tensor) -> Tensor:
    return STANDSTILL_M + HUMAN_CRITICAL_HEADWAY_S * speed_mps


def _rss_gap_m(speed_mps: Tensor, lead_mps: Tensor) -> Tensor:
    return STANDSTILL_M + rss_longitudinal_m(speed_mps, lead_mps)


_MODELS = {
    "reg157": PerformanceModel(
        name="reg157",
        assess=_assess_reg157,
        safe_gap_m=_reg157_gap_m,
        reaction_s=MUST_AVOID_REACTION_S,
        max_decel_mps2=MUST_AVOID_DECEL_MPS2,
        jerk_mps3=math.inf,
        detection_range_m=REG157_DETECTION_M,
    ),
    "cc_human": PerformanceModel(
        name="cc_human",
        assess=_assess_human,
        safe_gap_m=_human_gap_m,
        reaction_s=HUMAN_REACTION_S,
        max_decel_mps2=HUMAN_BRAKE_MPS2,
        jerk_mps3=HUMAN_JERK_MPS3,
        coast_mps2=HUMAN_COAST_MPS2,
    ),
    "rss": PerformanceModel(
        name="rss",
        assess=_assess_rss,
        safe_gap_m=_rss_gap_m,
        reaction_s=RSS_REACTION_S,
        max_decel_mps2=HUMAN_BRAKE_MPS2,
        jerk_mps3=HUMAN_JERK_MPS3,
    ),
    "fsm": PerformanceModel(
        name="fsm",
        assess=_assess_fsm,
        safe_gap_m=fsm_safe_m,
        reaction_s=FSM_REACTION_S,
        max_decel_mps2=HUMAN_BRAKE_MPS2,
        jerk_mps3=HUMAN_JERK_MPS3,
    ),
}
PERFORMANCE_MODELS = tuple(_MODELS)
