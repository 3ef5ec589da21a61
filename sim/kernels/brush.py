"""Bodies that reach out of their lanes: vehicles on lanes that part, and long ones that swing out in tight bends."""

import warp as wp

from sim.kernels.lanes import Lanes
from sim.kernels.order import key_lane, key_slot, lane_key, lower_bound

wp.set_module_options({"enable_backward": False})

FAR_M = wp.constant(1.0e6)
LONG_M = wp.constant(6.5)  # as in sim/roads/brushes.py
BRUSH_AHEAD_M = wp.constant(30.0)


@wp.func
def sibling_gap(
    lanes: Lanes,
    b: int,
    me: int,
    before: int,
    lane: int,
    s: float,
    first_person: int,
    actors: int,
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
) -> wp.vec2:
    """Arc length of the next tail from `s` on, and its speed, on lanes that leave `before` beside `lane`.

    A vehicle that has turned off still bars the way until it is clear of it. FAR_M where there is none.
    """
    tail = float(FAR_M)
    speed = float(0.0)
    for q in range(lanes.successor_first[before], lanes.successor_first[before + 1]):
        sibling = lanes.successor[q]
        if sibling != lane:
            k = lower_bound(sorted_key, b, lane_key(sibling, s, 0))
            if k < sorted_key.shape[1]:
                key = sorted_key[b, k]
                slot = key_slot(key)
                at = entry[b, slot]
                other = slot % actors
                if key_lane(key) == sibling and other != me and other < first_person:
                    if at[0] - at[2] < wp.min(tail, lanes.diverge_m[sibling]):
                        tail = at[0] - at[2]
                        speed = at[1]
    return wp.vec2(tail, speed)


@wp.func
def arrival_s(gap: float, speed: float) -> float:
    """When a vehicle is there if it goes on like this, or at a walking pace."""
    return gap / wp.max(speed, 0.5)


@wp.func
def goes_first(other_s: float, other: int, my_s: float, me: int) -> bool:
    """A strict order that both compute from the same figures."""
    return other_s < my_s or (other_s == my_s and other < me)


@wp.func
def brush_gap(
    lanes: Lanes,
    b: int,
    me: int,
    s: float,
    speed: float,
    length: float,
    first_person: int,
    actors: int,
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
) -> float:
    """Way to where the vehicle lets another one through a place too narrow for both; FAR_M where it may go on.

    Who is in it or would be there sooner goes first.
    """
    stop = float(FAR_M)
    mine = wp.where(length > LONG_M, 1, 0)
    offset = -s
    for k in range(3):
        if offset > BRUSH_AHEAD_M or not path_valid[b, me, k]:
            break
        lane = path_lane[b, me][k]
        for e in range(lanes.brush_first[lane], lanes.brush_first[lane + 1]):
            span = lanes.brush_span_m[e]
            gap = offset + span[0]
            if lanes.brush_kind[e] % 2 != mine or gap < -0.3 or gap > wp.min(BRUSH_AHEAD_M, stop):
                continue
            other_lane = lanes.brush_lane[e]
            my_s = arrival_s(gap, speed)
            j = lower_bound(sorted_key, b, lane_key(other_lane, span[2] - BRUSH_AHEAD_M, 0))
            while j < sorted_key.shape[1]:
                key = sorted_key[b, j]
                slot = key_slot(key)
                at = entry[b, slot]
                if key_lane(key) != other_lane or at[0] > span[3]:
                    break
                j = j + 1
                other = slot % actors
                is_long = wp.where(at[2] + at[3] > LONG_M, 1, 0)
                if other != me and other < first_person and lanes.brush_kind[e] / 2 == is_long:
                    if span[2] <= at[0] or goes_first(arrival_s(span[2] - at[0], at[1]), other, my_s, me):
                        stop = wp.min(stop, gap)
            if span[2] < BRUSH_AHEAD_M and stop > gap:
                for q in range(lanes.predecessor_first[other_lane], lanes.predecessor_first[other_lane + 1]):
                    before = lanes.predecessor[q]
                    j = lower_bound(sorted_key, b, lane_key(before + 1, 0.0, 0)) - 1
                    if j >= 0 and key_lane(sorted_key[b, j]) == before:
                        slot = key_slot(sorted_key[b, j])
                        at = entry[b, slot]
                        other = slot % actors
                        is_long = wp.where(at[2] + at[3] > LONG_M, 1, 0)
                        there = lanes.meta[before][0] - at[0] + span[2]
                        if slot < first_person and other != me and lanes.brush_kind[e] / 2 == is_long:
                            if there < BRUSH_AHEAD_M and path_lane[b, other][1] == other_lane:
                                if goes_first(arrival_s(there, at[1]), other, my_s, me):
                                    stop = wp.min(stop, gap)
        offset += lanes.meta[lane][0]
    return stop
