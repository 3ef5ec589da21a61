"""Cyclists across their lane: near the kerb or on the cycle lane beside it, and how they and others pass each other.

A cyclist on a cycle lane stays an entry of the driving lane, so that cyclists follow each other; who drives on the one
and meets a vehicle on the other passes it. Before the cycle lane ends, or a junction comes, the cyclist looks for a gap
and moves over, or waits for one. On lanes without cycle lane drivers pass where the lane leaves room enough.
"""

import warp as wp

from sim.kernels.lanes import Lanes, sample_at
from sim.kernels.order import DOOR_M, WIDEST_HALF_M, key_lane, key_slot

wp.set_module_options({"enable_backward": False})

BICYCLE = wp.constant(4)  # ActorKind
KERB_M = wp.constant(0.4)  # between a cyclist and the edge of the lane
TAKE_LANE_M = wp.constant(30.0)  # before and in junctions cyclists ride in the middle of their lane
BACK_M = wp.constant(45.0)  # before its end cyclists look for a gap to leave a cycle lane
WORTH_M = wp.constant(60.0)  # shorter cycle lanes they leave alone
WAIT_M = wp.constant(12.0)  # before the end they wait for the gap
PASS_M = wp.constant(1.5)  # between a cyclist and who passes on the same lane
MARKED_M = wp.constant(0.4)  # the same where a line is between them
EDGE_M = wp.constant(0.25)  # from who passes to the far edge of the lane
PASS_AHEAD_M = wp.constant(30.0)
LONG_M = wp.constant(7.0)  # who is longer does not pass within a lane
GAP_DECEL_MPS2 = wp.constant(2.0)  # a cyclist moves over where the next one behind need not brake harder
BOLD_DECEL_MPS2 = wp.constant(3.5)  # when its patience has ended


@wp.func
def on_cycle_lane(lanes: Lanes, lane: int, s: float, lateral: float, width: float) -> bool:
    """Whether a body of `width` is all but out of the driving lane."""
    return wp.abs(lateral) - 0.5 * width > 0.5 * lanes.width_m[sample_at(lanes, lane, s)] - 0.3


@wp.func
def cycle_lane_left(
    lanes: Lanes,
    b: int,
    i: int,
    s: float,
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
) -> float:
    """How far the cycle lane beside goes on, as far as it matters; 0 where there is none."""
    path = path_lane[b, i]
    if lanes.cycle_m[sample_at(lanes, path[0], s)] == 0.0:
        return 0.0
    to_end = lanes.meta[path[0]][0] - s
    left = float(to_end)
    for k in range(1, 5):
        ahead = 0.25 * float(k) * WORTH_M
        if ahead < left and lanes.cycle_m[sample_at(lanes, path[0], s + ahead)] == 0.0:
            left = ahead - 0.25 * WORTH_M
    if left == to_end:
        if not path_valid[b, i, 1]:
            left += 2.0 * WORTH_M  # off the map on the cycle lane
        elif lanes.cycle_m[lanes.sample_first[path[1]]] != 0.0:
            left += lanes.meta[path[1]][0]
    return left


@wp.func
def may_pull_in(
    b: int,
    me: int,
    lane: int,
    s: float,
    rear: float,
    front: float,
    speed: float,
    decel: float,
    first_parked: int,
    actors: int,
    kind: wp.array2d(dtype=wp.int32),
    rank: wp.array2d(dtype=wp.int32),
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
) -> bool:
    """Whether nobody on the driving lane is beside the cyclist and the next one behind can brake by `decel`."""
    k = rank[b, me] + 1
    seen = bool(False)
    while not seen and k < sorted_key.shape[1] and key_lane(sorted_key[b, k]) == lane:
        slot = key_slot(sorted_key[b, k])
        other = slot % actors
        if other < first_parked and kind[b, other] != BICYCLE:
            seen = True
            if entry[b, slot][0] - entry[b, slot][2] < s + front + 1.0:
                return False
        k = k + 1
    k = rank[b, me] - 1
    while k >= 0 and key_lane(sorted_key[b, k]) == lane:
        slot = key_slot(sorted_key[b, k])
        other = slot % actors
        if other < first_parked and kind[b, other] != BICYCLE:
            at = entry[b, slot]
            need = wp.max(at[1] * at[1] - speed * speed, 0.0) / (2.0 * decel)
            return s - rear - at[0] - at[3] > 1.5 + 0.8 * at[1] + need
        k = k - 1
    return True


@wp.func
def passes(
    lanes: Lanes,
    b: int,
    me: int,
    slot: int,
    lane: int,
    s: float,
    first_person: int,
    first_parked: int,
    actors: int,
    kind: wp.array2d(dtype=wp.int32),
    size_m: wp.array2d(dtype=wp.vec3),
    lane_lateral_m: wp.array2d(dtype=float),
) -> bool:
    """Whether an entry on the own lane is one to drive past: one of both is a cyclist and there is room enough."""
    if slot >= actors or slot >= first_person:
        return False
    mine = kind[b, me] == BICYCLE
    lateral = lane_lateral_m[b, slot]
    width = size_m[b, slot][1]
    if slot >= first_parked:
        return not mine and wp.abs(lateral) - 0.5 * width - DOOR_M >= WIDEST_HALF_M
    if mine == (kind[b, slot] == BICYCLE):
        return False
    own = lane_lateral_m[b, me]
    rider = wp.where(mine, me, slot)
    marked = on_cycle_lane(lanes, lane, s, lane_lateral_m[b, rider], size_m[b, rider][1])
    return wp.abs(lateral - own) - 0.5 * (width + size_m[b, me][1]) > wp.where(marked, MARKED_M, PASS_M)


@wp.func
def first_to_follow(
    lanes: Lanes,
    b: int,
    me: int,
    s: float,
    first_person: int,
    first_parked: int,
    actors: int,
    kind: wp.array2d(dtype=wp.int32),
    size_m: wp.array2d(dtype=wp.vec3),
    lane_lateral_m: wp.array2d(dtype=float),
    path_lane: wp.array2d(dtype=wp.vec4i),
    rank: wp.array2d(dtype=wp.int32),
    sorted_key: wp.array2d(dtype=wp.int64),
) -> int:
    """Position in the order of the next entry ahead that one does not drive past."""
    lane = path_lane[b, me][0]
    k = rank[b, me] + 1
    while k < sorted_key.shape[1] and key_lane(sorted_key[b, k]) == lane:
        slot = key_slot(sorted_key[b, k])
        if slot % actors != me:
            if not passes(
                lanes, b, me, slot, lane, s, first_person, first_parked, actors, kind, size_m, lane_lateral_m
            ):
                return k
        k = k + 1
    return k


@wp.func
def passing_offset(
    lanes: Lanes,
    b: int,
    me: int,
    s: float,
    rear: float,
    front: float,
    first_parked: int,
    actors: int,
    kind: wp.array2d(dtype=wp.int32),
    size_m: wp.array2d(dtype=wp.vec3),
    lane_lateral_m: wp.array2d(dtype=float),
    path_lane: wp.array2d(dtype=wp.vec4i),
    rank: wp.array2d(dtype=wp.int32),
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
) -> float:
    """Where across its lane a driver goes to pass the cyclists next to it in the order; 0 where there is no room."""
    lane = path_lane[b, me][0]
    width = size_m[b, me][1]
    free = 0.5 * (lanes.width_m[sample_at(lanes, lane, s)] - width) - EDGE_M
    aim = float(0.0)
    if rear + front > LONG_M or lanes.meta[lane][3] > 0.5 or lanes.meta[lane][0] - s < 2.0 * PASS_AHEAD_M:
        return aim
    away = -lanes.kerb_side[lane]
    for side in range(2):
        k = rank[b, me] - 1 + 2 * side
        if k >= 0 and k < sorted_key.shape[1] and key_lane(sorted_key[b, k]) == lane:
            slot = key_slot(sorted_key[b, k])
            if slot < first_parked and kind[b, slot] == BICYCLE:
                at = entry[b, slot]
                near = at[0] - at[2] - s - front < PASS_AHEAD_M and at[0] + at[3] > s - rear - 2.0
                want = away * lane_lateral_m[b, slot] + 0.5 * (size_m[b, slot][1] + width) + PASS_M + 0.05
                if near and want <= free:
                    aim = wp.max(aim, want)
    return away * aim


@wp.func
def kerb_offset(
    lanes: Lanes,
    b: int,
    i: int,
    s: float,
    width: float,
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
) -> float:
    """Where a cyclist rides on its driving lane: near the kerb, but so that nobody turns across it."""
    lane = path_lane[b, i][0]
    meta = lanes.meta[lane]
    ahead = path_lane[b, i][1]
    junction_ahead = path_valid[b, i, 1] and lanes.meta[ahead][3] > 0.5 and meta[0] - s < TAKE_LANE_M
    if meta[3] > 0.5 or junction_ahead:
        return 0.0
    room = 0.5 * (lanes.width_m[sample_at(lanes, lane, s)] - width) - KERB_M
    return lanes.kerb_side[lane] * wp.max(room, 0.0)
