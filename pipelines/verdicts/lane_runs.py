"""Runs in the coordinates of the ego's lane, the scene a performance model sees in them, and driving them again.

`replay` puts a performance model in the ego's place: everybody else moves as recorded, the model starts where and as
fast as the ego did and keeps to the lane. Whether it crashes tells whether the model could have prevented a collision.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from agents.performance_models import PerformanceModel, Scene
from pipelines.verdicts.trace import EGO, Trace, box_centre_world_m, heading, velocity_world_mps


@dataclass(frozen=True)
class LaneRun:
    """B runs x T ticks x N actors along the ego's lane; the ego is actor 0. Positions are those of box centres."""

    dt_s: float
    lane_width_m: Tensor  # (B,)
    s_m: Tensor  # (B, T, N) along the middle of the ego's lane
    offset_m: Tensor  # (B, T, N) left of it
    heading_rad: Tensor  # (B, T, N) relative to it
    speed_mps: Tensor  # (B, T, N) along it
    lateral_mps: Tensor  # (B, T, N) to the left
    accel_mps2: Tensor  # (B, T, N) along it
    size_m: Tensor  # (B, N, 3)
    front_axle_m: Tensor  # (B, N) ahead of the box centre
    valid: Tensor  # (B, T, N) bool

    def rows(self, index: Tensor) -> "LaneRun":
        """Some of the runs: an index or mask along the run axis."""
        chosen = {name: value[index] for name, value in vars(self).items() if isinstance(value, Tensor)}
        return replace(self, **chosen)


@dataclass(frozen=True)
class DriveOutcome:
    """How a model fared in B runs."""

    collided: Tensor  # (B,) bool
    tick: Tensor  # (B,) int64 of the contact, valid where collided
    impact_mps: Tensor  # (B,) closing speed along the lane at the contact, 0 without one; negative if run into
    least_gap_m: Tensor  # (B,) to what was in the corridor ahead; inf if nothing ever was
    final_speed_mps: Tensor  # (B,) at the end, or where the run stopped counting


def straight_lane_run(trace: Trace, origin_world_m: Tensor, yaw_rad: Tensor, lane_width_m: Tensor) -> LaneRun:
    """Runs on a straight lane whose middle goes through `origin_world_m` (B, 2) in direction `yaw_rad` (B,).

    The front axle is taken to be at half the box length less 0.9 m ahead of the box centre, a car's front overhang.
    """
    along = heading(yaw_rad)[:, None, None]
    centre = box_centre_world_m(trace) - origin_world_m[:, None, None]
    velocity = velocity_world_mps(trace)
    turn = trace.yaw_world_rad - yaw_rad[:, None, None]
    return LaneRun(
        dt_s=trace.dt_s,
        lane_width_m=lane_width_m,
        s_m=(centre * along).sum(dim=-1),
        offset_m=centre[..., 1] * along[..., 0] - centre[..., 0] * along[..., 1],
        heading_rad=torch.atan2(torch.sin(turn), torch.cos(turn)),
        speed_mps=(velocity * along).sum(dim=-1),
        lateral_mps=velocity[..., 1] * along[..., 0] - velocity[..., 0] * along[..., 1],
        accel_mps2=trace.accel_mps2 * torch.cos(turn),
        size_m=trace.size_m,
        front_axle_m=(0.5 * trace.size_m[..., 0] - 0.9).clamp(min=0.0),
        valid=trace.valid,
    )


def front_wheel_past_marking_m(run: LaneRun) -> Tensor:
    """How far (B, T, N) each actor's front wheel on the ego's side is inside the ego's lane; negative outside.

    Wheels are taken to stand at the body's full width. UN R157 calls 0.3 m an intrusion.
    """
    side = torch.where(run.offset_m < 0, -1.0, 1.0)
    axle_m = run.offset_m + run.front_axle_m[:, None] * torch.sin(run.heading_rad)
    wheel_m = side * axle_m - 0.5 * run.size_m[:, None, :, 1] * torch.cos(run.heading_rad)
    return 0.5 * run.lane_width_m[:, None, None] - wheel_m


def scene_at(
    run: LaneRun,
    tick: int,
    ego_s_m: Tensor | None = None,
    ego_speed_mps: Tensor | None = None,
    ego_accel_mps2: Tensor | None = None,
) -> Scene:
    """What a performance model sees at a tick: the recorded ego, or one elsewhere on the lane at another speed (B,)."""
    others = slice(EGO + 1, None)
    ego_s = run.s_m[:, tick, EGO] if ego_s_m is None else ego_s_m
    cos, sin = torch.cos(run.heading_rad[:, tick]).abs(), torch.sin(run.heading_rad[:, tick]).abs()
    half_along = 0.5 * (cos * run.size_m[..., 0] + sin * run.size_m[..., 1])
    half_across = 0.5 * (sin * run.size_m[..., 0] + cos * run.size_m[..., 1])
    offset = run.offset_m[:, tick, others]
    across = (offset - run.offset_m[:, tick, :1]).abs() - half_across[:, others] - half_across[:, :1]
    ahead = run.s_m[:, tick, others] - ego_s[:, None]
    return Scene(
        ego_speed_mps=run.speed_mps[:, tick, EGO] if ego_speed_mps is None else ego_speed_mps,
        ego_lateral_mps=run.lateral_mps[:, tick, EGO],
        ego_accel_mps2=run.accel_mps2[:, tick, EGO] if ego_accel_mps2 is None else ego_accel_mps2,
        ego_size_m=run.size_m[:, EGO],
        lane_width_m=run.lane_width_m,
        gap_m=ahead - half_along[:, others] - half_along[:, :1],
        lateral_gap_m=across.clamp(min=0.0),
        lateral_offset_m=offset,
        lateral_speed_mps=-torch.sign(offset) * run.lateral_mps[:, tick, others],
        speed_mps=run.speed_mps[:, tick, others],
        accel_mps2=run.accel_mps2[:, tick, others],
        length_m=2 * half_along[:, others],
        width_m=2 * half_across[:, others],
        in_lane_overlap=offset.abs() - half_across[:, others] < 0.5 * run.lane_width_m[:, None],
        valid=run.valid[:, tick, others],
    )


def replay(model: PerformanceModel, run: LaneRun, set_speed_mps: Tensor | None = None) -> DriveOutcome:
    """Drive every run with the model in the ego's place, in the ego's first lateral position."""
    steady = run.offset_m.clone()
    steady[:, :, EGO] = run.offset_m[:, :1, EGO]
    still = run.lateral_mps.clone()
    still[:, :, EGO] = 0.0
    facing = run.heading_rad.clone()
    facing[:, :, EGO] = 0.0
    run = replace(run, offset_m=steady, lateral_mps=still, heading_rad=facing)
    start = run.s_m[:, 0, EGO]

    def scene_of(tick: int, travelled_m: Tensor, speed_mps: Tensor, accel_mps2: Tensor) -> Scene:
        return scene_at(run, tick, start + travelled_m, speed_mps, accel_mps2)

    return drive(model, run.speed_mps[:, 0, EGO], run.speed_mps.shape[1], run.dt_s, scene_of, set_speed_mps)


def drive(
    model: PerformanceModel,
    speed_mps: Tensor,
    ticks: int,
    dt_s: float,
    scene_of: Callable[[int, Tensor, Tensor, Tensor], Scene],
    set_speed_mps: Tensor | None = None,
    is_over: Callable[[Scene], Tensor] | None = None,
) -> DriveOutcome:
    """Close the loop from `speed_mps` (B,) for up to `ticks` ticks; each run stops counting at its first contact.

    `scene_of(tick, travelled_m, speed_mps, accel_mps2)` is the scene of an ego that has come this far. Runs also stop
    counting once `is_over(scene)` (B,) says that nothing can happen any more.
    """
    speed = speed_mps.to(torch.float64)
    travelled, accel, least = torch.zeros_like(speed), torch.zeros_like(speed), torch.full_like(speed, torch.inf)
    collided, impact, final = torch.zeros_like(speed, dtype=torch.bool), torch.zeros_like(speed), speed
    live, when = ~collided, torch.zeros_like(speed, dtype=torch.int64)
    state = model.start(len(speed), speed.device, set_speed_mps)
    for tick in range(ticks):
        scene = scene_of(tick, travelled, speed, accel)
        beside = scene.valid & (scene.lateral_gap_m <= 0) & (scene.gap_m > -scene.ego_size_m[:, :1] - scene.length_m)
        hits = beside & (scene.gap_m < 0)
        new = live & hits.any(dim=1)
        closing = torch.where(hits, scene.ego_speed_mps[:, None] - scene.speed_mps, -torch.inf).amax(dim=1)
        impact, when, collided = torch.where(new, closing, impact), torch.where(new, tick, when), collided | new
        nearest = torch.where(beside, scene.gap_m, torch.inf).amin(dim=1)
        least, final = torch.where(live, torch.minimum(least, nearest), least), torch.where(live, speed, final)
        live = live & ~new if is_over is None else live & ~new & ~is_over(scene)
        if not bool(live.any()):
            break
        accel, state = model.step(state, scene, dt_s)
        travelled = travelled + speed * dt_s + 0.5 * accel * dt_s**2
        speed = (speed + accel * dt_s).clamp(min=0.0)
    return DriveOutcome(collided, when, impact, torch.where(collided, 0.0, least), final)
