"""Lights: what each group shows, a pure function of the map's programme, the world's seed and the tick, and where one
halts for lights away from junctions."""

import warp as wp

from sim.kernels.lanes import Lanes
from sim.kernels.rng import SIGNAL, random_key, uniform

wp.set_module_options({"enable_backward": False})

RED = wp.constant(0)
YELLOW = wp.constant(1)
GREEN = wp.constant(2)
NO_HALT_M = wp.constant(1.0e6)
PAST_LINE_M = wp.constant(0.5)  # with the nose this far over its line nobody stops for it any more


@wp.func
def cycle_time_s(lanes: Lanes, group: int, seed: wp.int64, tick: wp.int64, dt: float) -> float:
    """Seconds since the start of the group's green; its junction's clock is shifted by the seed."""
    plan = lanes.signal_plan_s[group]
    offset = plan[0] * uniform(random_key(seed, SIGNAL, lanes.signal_junction[group], wp.int64(0)), 0)
    # Whole cycles are taken off in ticks: seconds of a long episode would lose their fractions.
    ticks = wp.max(wp.int64(plan[0] / dt + 0.5), wp.int64(1))
    now = float(tick % ticks) * dt + offset - plan[1] + plan[0]
    return now - plan[0] * wp.floor(now / plan[0])


@wp.func
def phase_of(lanes: Lanes, group: int, time_s: float) -> int:
    """What a group shows `time_s` after the start of its green."""
    plan = lanes.signal_plan_s[group]
    if time_s < plan[2]:
        return GREEN
    return wp.where(time_s < plan[2] + plan[3], YELLOW, RED)


@wp.func
def stopping_m(phase: int, speed: float) -> float:
    """From how close a driver still stops for yellow (comfortably) or red (hard)."""
    return wp.where(phase == RED, speed * speed / 16.0, speed * speed / 6.0)


@wp.func
def halt_gap(
    lanes: Lanes,
    b: int,
    me: int,
    s: float,
    front: float,
    speed: float,
    horizon_m: float,
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
    signal_phase: wp.array2d(dtype=wp.int32),
) -> float:
    """Gap to the next light away from junctions on the planned lanes that is not green and that one can stop for."""
    gap = float(NO_HALT_M)
    offset = -s - front
    path = path_lane[b, me]
    for k in range(4):
        if offset < horizon_m and (k == 0 or path_valid[b, me, k]):
            for h in range(lanes.halt_first[path[k]], lanes.halt_first[path[k] + 1]):
                to_line = offset + lanes.halt_m[h]
                phase = signal_phase[b, lanes.halt_group[h]]
                near = to_line > -PAST_LINE_M and to_line < horizon_m
                if near and phase != GREEN and to_line + PAST_LINE_M >= stopping_m(phase, speed):
                    gap = wp.min(gap, to_line)
            offset += lanes.meta[path[k]][0]
    return gap


@wp.kernel
def show_signals(
    # World
    lanes: Lanes,
    dt: float,
    seed: wp.array(dtype=wp.int64),
    map_index: wp.array(dtype=wp.int32),
    # State
    tick: wp.array(dtype=wp.int64),
    # In
    mask: wp.array(dtype=wp.bool),
    # Out
    signal_phase_out: wp.array2d(dtype=wp.int32),
    signal_valid_out: wp.array2d(dtype=wp.bool),
):
    """The phase of every group of each world's map."""
    b = wp.tid()
    if not mask[b]:
        return
    first = lanes.signal_first[map_index[b]]
    count = lanes.signal_first[map_index[b] + 1] - first
    for g in range(signal_phase_out.shape[1]):
        signal_valid_out[b, g] = g < count
        signal_phase_out[b, g] = RED
        if g < count:
            signal_phase_out[b, g] = phase_of(lanes, first + g, cycle_time_s(lanes, first + g, seed[b], tick[b], dt))
