"""Lights: what each group shows, a pure function of the map's programme, the world's seed and the tick."""

import warp as wp

from sim.kernels.lanes import Lanes
from sim.kernels.rng import SIGNAL, random_key, uniform

wp.set_module_options({"enable_backward": False})

RED = wp.constant(0)
YELLOW = wp.constant(1)
GREEN = wp.constant(2)


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
