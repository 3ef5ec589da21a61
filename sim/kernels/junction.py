"""Giving way at junctions: whom a vehicle must let pass before it enters, and where it stops.

Lights and stop signs come first: red holds everybody who can stop, yellow everybody who can stop comfortably, a stop
sign everybody until it has stood. Then a vehicle that can still stop waits before the junction while a conflicting
lane is occupied, while a vehicle with priority arrives there sooner than it could clear it, or while there is no room
behind the junction. One that goes commits itself; others respect that. Two that commit at once are told apart by the
priority table, then by index: a strict order, so no deadlock. Where both must stop at a sign, whoever has stood
longer goes first. When a driver's patience ends only moving vehicles that arrive soon are still let pass, and among
those that stand the longest waiting goes first.
"""

import warp as wp

from sim.kernels.lanes import Lanes
from sim.kernels.order import key_lane, key_slot, lane_key, lower_bound
from sim.kernels.signals import GREEN, PAST_LINE_M, RED, stopping_m

wp.set_module_options({"enable_backward": False})

FAR_M = wp.constant(1.0e6)
GO_ACCEL_MPS2 = wp.constant(1.5)  # assumed when judging who arrives when
MARGIN_S = wp.constant(1.0)
ASIDE = wp.constant(2)  # in `committed`, where 1 is committed to a junction: on a cycle lane
LIGHT = wp.constant(1)  # LaneControl
STOP = wp.constant(2)
STOOD_S = wp.constant(1.0)  # a full stop
AT_LINE_M = wp.constant(4.0)
DIVERGE_M = wp.constant(1.0)  # overlaps that begin this close to both lanes' starts: the lanes part here


@wp.func
def arrival_s(distance: float, speed: float) -> float:
    """Time to cover a distance from `speed`, accelerating moderately."""
    v = wp.max(speed, 0.0)
    d = wp.max(distance, 0.0)
    return (wp.sqrt(v * v + 2.0 * GO_ACCEL_MPS2 * d) - v) / GO_ACCEL_MPS2


@wp.func
def clearing_s(distance: float, speed: float, cruise: float) -> float:
    """Time to cover a distance from `speed` when the curve ahead allows no more than `cruise`."""
    cap = wp.max(cruise, 1.0)
    v = wp.clamp(speed, 0.0, cap)
    ramp = (cap * cap - v * v) / (2.0 * GO_ACCEL_MPS2)
    if distance < ramp:
        return arrival_s(distance, v)
    return (cap - v) / GO_ACCEL_MPS2 + (distance - ramp) / cap


@wp.func
def occupied(
    b: int,
    me: int,
    lane: int,
    end_m: float,
    first_person: int,
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
    actors: int,
) -> bool:
    """Whether another vehicle is on `lane` and its tail has not passed `end_m`."""
    k = lower_bound(sorted_key, b, lane_key(lane, 0.0, 0))
    while k < sorted_key.shape[1]:
        key = sorted_key[b, k]
        if key_lane(key) != lane:
            return False
        slot = key_slot(key)
        other = slot % actors
        at = entry[b, slot]
        if other != me and other < first_person and at[0] - at[2] < end_m:
            return True
        k = k + 1
    return False


@wp.func
def must_wait_for_approach(
    lanes: Lanes,
    b: int,
    me: int,
    my_entry_lane: int,
    lane: int,
    span: wp.vec4,
    rank: int,
    clear_s: float,
    waited_s: float,
    patience_s: float,
    i_committed: bool,
    first_person: int,
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
    path_lane: wp.array2d(dtype=wp.vec4i),
    committed: wp.array2d(dtype=wp.int32),
    wait_s: wp.array2d(dtype=float),
    signal_phase: wp.array2d(dtype=wp.int32),
    i_stopped: bool,
    actors: int,
) -> bool:
    """Whether a vehicle on its way to the conflicting `lane` goes first."""
    rule = lanes.control[lane]
    red = rule[0] == LIGHT and signal_phase[b, rule[1]] == RED
    in_turn = i_stopped and rule[0] == STOP
    for p in range(lanes.predecessor_first[lane], lanes.predecessor_first[lane + 1]):
        before = lanes.predecessor[p]
        if before == my_entry_lane:
            continue
        length = lanes.meta[before][0]
        k = lower_bound(sorted_key, b, lane_key(before + 1, 0.0, 0)) - 1
        looked = int(0)
        while k >= 0 and looked < 3:
            key = sorted_key[b, k]
            if key_lane(key) != before:
                break
            slot = key_slot(key)
            k = k - 1
            if slot < first_person and committed[b, slot] == ASIDE:
                continue  # others drive past it, and it does not come before it has pulled in
            looked = looked + 1
            if slot >= first_person or slot == me:
                continue
            at = entry[b, slot]
            distance = length - at[0] - at[3]
            if distance > 80.0:
                break
            if at[1] < 1.0:
                looked = 3  # whoever queues behind a standing vehicle does not come
            if path_lane[b, slot][1] != lane:
                continue
            if committed[b, slot] == 1:
                if not i_committed or rank == 1 or (rank == 0 and slot < me):
                    return True
            elif in_turn:
                earlier = wait_s[b, slot] > waited_s or (wait_s[b, slot] == waited_s and slot < me)
                if at[1] < 0.5 and distance + lanes.stop_m[lane] < AT_LINE_M and earlier:
                    return True
            elif not red and (rank == 1 or (rank == 0 and slot < me)):
                speed = at[1]
                soon = arrival_s(distance + span[2], speed) < clear_s + MARGIN_S
                if waited_s < patience_s:
                    if soon:
                        return True
                elif soon and speed > 1.0 and distance < 4.0 * speed:
                    return True
                elif speed <= 1.0 and distance + lanes.stop_m[lane] < AT_LINE_M:
                    # Who stands further back is held up by something else, perhaps by this very queue.
                    if wait_s[b, slot] > waited_s or (wait_s[b, slot] == waited_s and slot < me):
                        return True
    return False


@wp.func
def inside_gap(
    lanes: Lanes,
    b: int,
    me: int,
    lane: int,
    s: float,
    front: float,
    patient: bool,
    first_person: int,
    actors: int,
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
) -> float:
    """Gap to where a vehicle inside a junction lets another one inside pass that is nearer to their common spot."""
    stop = float(FAR_M)
    for e in range(lanes.conflict_first[lane], lanes.conflict_first[lane + 1]):
        span = lanes.conflict_span_m[e]
        gap = span[0] - s - front
        if gap < -2.0 or gap > stop or (span[0] < DIVERGE_M and span[2] < DIVERGE_M):
            continue
        other_lane = lanes.conflict_lane[e]
        k = lower_bound(sorted_key, b, lane_key(other_lane, 0.0, 0))
        while k < sorted_key.shape[1] and key_lane(sorted_key[b, k]) == other_lane:
            slot = key_slot(sorted_key[b, k])
            k = k + 1
            other = slot % actors
            at = entry[b, slot]
            if other >= first_person or other == me or at[0] - at[2] > span[3]:
                continue
            other_gap = span[2] - at[0] - at[3]
            if (other_gap < gap or (other_gap == gap and other < me)) and (patient or other < me):
                stop = wp.min(stop, gap)
    return stop


@wp.func
def junction_gap(
    lanes: Lanes,
    b: int,
    me: int,
    speed: float,
    s: float,
    front: float,
    rear: float,
    horizon_m: float,
    top_mps: float,
    leader_gap_m: float,
    leader_speed: float,
    first_person: int,
    actors: int,
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
    committed: wp.array2d(dtype=wp.int32),
    wait_s: wp.array2d(dtype=float),
    patience_s: wp.array2d(dtype=float),
    signal_phase: wp.array2d(dtype=wp.int32),
) -> wp.vec2:
    """Gap to the point where the vehicle must stop (FAR_M where it may go); 1 where it commits itself to entering."""
    path = path_lane[b, me]
    inside = lanes.meta[path[0]][3] > 0.5
    stop = float(FAR_M)
    if inside:
        stop = inside_gap(
            lanes, b, me, path[0], s, front, wait_s[b, me] < patience_s[b, me], first_person, actors, sorted_key, entry
        )
    # The first junction lane ahead
    to_end = lanes.meta[path[0]][0] - s - front
    entry_gap = float(FAR_M)
    k_first = int(0)
    was_inside = bool(inside)
    for k in range(1, 3):
        if k_first == 0 and path_valid[b, me, k]:
            is_in = lanes.meta[path[k]][3] > 0.5
            if is_in and not was_inside:
                entry_gap = to_end
                k_first = k
            was_inside = is_in
            if k_first == 0:
                to_end += lanes.meta[path[k]][0]
    if k_first == 0 or entry_gap > horizon_m:
        return wp.vec2(stop, 0.0)
    braking = speed * speed / 10.0
    i_committed = committed[b, me] == 1
    waited = wait_s[b, me]
    patience = patience_s[b, me]
    line_gap = entry_gap
    rule = lanes.control[path[k_first]]
    if rule[0] > 0 and entry_gap + lanes.stop_m[path[k_first]] > -PAST_LINE_M:
        line_gap += lanes.stop_m[path[k_first]]
        if rule[0] == LIGHT:
            phase = signal_phase[b, rule[1]]
            if phase != GREEN and line_gap + PAST_LINE_M >= stopping_m(phase, speed):
                return wp.vec2(wp.min(stop, line_gap), 0.0)
        elif rule[0] == STOP and not i_committed and line_gap + PAST_LINE_M >= braking:
            if speed > 0.3 or waited < STOOD_S or line_gap > AT_LINE_M:
                return wp.vec2(wp.min(stop, line_gap), 0.0)
    if entry_gap < 0.0 or entry_gap + 0.5 < braking:
        return wp.vec2(stop, 1.0)  # too late to stop, or already over the line
    must_wait = bool(False)
    far_end = entry_gap
    for k in range(1, 4):
        if k >= k_first and not must_wait and path_valid[b, me, k]:
            lane = path[k]
            if lanes.meta[lane][3] < 0.5:
                break
            cruise = wp.min(0.8 * lanes.meta[lane][2], lanes.curve_speed_mps[lanes.sample_first[lane]])
            cruise = wp.min(cruise, top_mps)
            for e in range(lanes.conflict_first[lane], lanes.conflict_first[lane + 1]):
                other = lanes.conflict_lane[e]
                span = lanes.conflict_span_m[e]
                parting = span[0] < DIVERGE_M and span[2] < DIVERGE_M and k == k_first
                if occupied(b, me, other, span[3], first_person, sorted_key, entry, actors):
                    must_wait = True
                elif not parting:
                    clear = clearing_s(far_end + span[1] + front + rear, speed, cruise)
                    must_wait = must_wait_for_approach(
                        lanes,
                        b,
                        me,
                        path[k - 1],
                        other,
                        span,
                        lanes.conflict_rank[e],
                        clear,
                        waited,
                        patience,
                        i_committed,
                        first_person,
                        sorted_key,
                        entry,
                        path_lane,
                        committed,
                        wait_s,
                        signal_phase,
                        rule[0] == STOP,
                        actors,
                    )
                if must_wait:
                    break
            far_end += lanes.meta[lane][0]
    # Keep the junction clear: enter only where there is room behind it.
    if leader_speed < 2.0 and leader_gap_m > entry_gap and leader_gap_m < far_end + front + rear + 3.0:
        if waited < 4.0 * patience:
            must_wait = True
    if must_wait:
        return wp.vec2(wp.min(stop, line_gap), 0.0)
    goes = float(0.0)
    if line_gap < 3.0 + 1.5 * braking:
        goes = 1.0
    return wp.vec2(stop, goes)
