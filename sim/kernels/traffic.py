"""What traffic wants: the Intelligent Driver Model behind leaders found in the sorted lane entries, speed for curves
and limits, giving way at junctions, and lane changes by MOBIL's incentive and safety criteria.

IDM: Treiber, Hennecke, Helbing, "Congested traffic states in empirical observations and microscopic simulations", 2000.
MOBIL: Kesting, Treiber, Helbing, "General lane-changing model MOBIL for car-following models", 2007.
"""

import warp as wp

from sim.kernels.brush import brush_gap, sibling_gap
from sim.kernels.cycling import (
    BACK_M,
    BICYCLE,
    BOLD_DECEL_MPS2,
    GAP_DECEL_MPS2,
    WAIT_M,
    WORTH_M,
    cycle_lane_left,
    first_to_follow,
    kerb_offset,
    may_pull_in,
    on_cycle_lane,
    passing_offset,
)
from sim.kernels.junction import ASIDE, FAR_M, junction_gap
from sim.kernels.lanes import CURVE_DECEL_MPS2, Lanes, lane_pose, lane_project, sample_at
from sim.kernels.order import key_lane, key_slot, lane_key, lower_bound
from sim.kernels.signals import halt_gap

wp.set_module_options({"enable_backward": False})

JAM_GAP_M = wp.constant(2.0)
STOP_GAP_M = wp.constant(1.0)  # from the front to a stop line
MAX_BRAKE_MPS2 = wp.constant(8.0)
CHANGE_EVERY = wp.constant(wp.int64(10))  # ticks between two looks at the neighbouring lanes
CHANGE_GAIN_MPS2 = wp.constant(0.3)
SAFE_DECEL_MPS2 = wp.constant(3.0)
TOWED_AFTER_S = wp.constant(8.0)
STRANDED_AFTER_S = wp.constant(20.0)
NO_LANE = wp.constant(8388608)
NO_TOP_MPS = wp.constant(1.0e3)


@wp.func
def idm_free(speed: float, desired: float, accel: float, decel: float) -> float:
    """Free-road term, bounded below by comfortable braking where the desired speed has just dropped."""
    r = speed / wp.max(desired, 0.1)
    return wp.max(accel * (1.0 - r * r * r * r), -1.5 * decel)


@wp.func
def idm_follow(
    speed: float, gap: float, leader_speed: float, accel: float, decel: float, time_gap: float, jam_gap: float
) -> float:
    """Interaction term: -a (s* / gap)^2 with s* = s0 + v T + v dv / (2 sqrt(a b))."""
    wanted = jam_gap + wp.max(0.0, speed * time_gap + speed * (speed - leader_speed) / (2.0 * wp.sqrt(accel * decel)))
    r = wanted / wp.max(gap, 0.1)
    return -accel * r * r


@wp.func
def next_entry(b: int, me: int, start: int, lane: int, sorted_key: wp.array2d(dtype=wp.int64), actors: int) -> int:
    """Slot of the first entry on `lane` from position `start` on that is not one's own; -1 where there is none."""
    k = int(start)
    while k < sorted_key.shape[1]:
        key = sorted_key[b, k]
        if key_lane(key) != lane:
            return -1
        slot = key_slot(key)
        if slot % actors != me:
            return slot
        k = k + 1
    return -1


@wp.func
def leader_on_path(
    lanes: Lanes,
    b: int,
    me: int,
    s: float,
    front: float,
    horizon_m: float,
    start: int,
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
    first_person: int,
    actors: int,
) -> wp.vec2:
    """Gap and speed of the next entry on the planned lanes or on a sibling that has not parted from them yet.

    On the own lane that is the next one from position `start` of the order on.

    FAR_M where there is none within the horizon.
    """
    path = path_lane[b, me]
    lane = path[0]
    found = wp.vec2(FAR_M, 0.0)
    slot = next_entry(b, me, start, lane, sorted_key, actors)
    if slot >= 0:
        at = entry[b, slot]
        found = wp.vec2(at[0] - at[2] - s - front, at[1])
    if s < lanes.diverge_m[lane] and lanes.predecessor_first[lane] < lanes.predecessor_first[lane + 1]:
        before = lanes.predecessor[lanes.predecessor_first[lane]]
        beside = sibling_gap(lanes, b, me, before, lane, s, first_person, actors, sorted_key, entry)
        if beside[0] - s - front < found[0]:
            found = wp.vec2(beside[0] - s - front, beside[1])
    if found[0] < FAR_M:
        return found
    offset = lanes.meta[lane][0] - s
    for k in range(1, 4):
        if offset - front > horizon_m or not path_valid[b, me, k]:
            break
        lane = path[k]
        slot = next_entry(b, me, lower_bound(sorted_key, b, lane_key(lane, 0.0, 0)), lane, sorted_key, actors)
        if slot >= 0:
            at = entry[b, slot]
            found = wp.vec2(offset + at[0] - at[2] - front, at[1])
        if lanes.diverge_m[lane] > 0.0:
            beside = sibling_gap(lanes, b, me, path[k - 1], lane, 0.0, first_person, actors, sorted_key, entry)
            if offset + beside[0] - front < found[0]:
                found = wp.vec2(offset + beside[0] - front, beside[1])
        if found[0] < FAR_M:
            return found
        offset += lanes.meta[lane][0]
    return found


@wp.func
def allowed_speed(
    lanes: Lanes,
    b: int,
    i: int,
    s: float,
    factor: float,
    horizon_m: float,
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
) -> float:
    """Speed for the limits and curves here and on the planned lanes, braking ahead of them in time."""
    path = path_lane[b, i]
    meta = lanes.meta[path[0]]
    allowed = wp.min(meta[2] * factor, lanes.curve_speed_mps[sample_at(lanes, path[0], s)])
    offset = meta[0] - s
    for k in range(1, 4):
        if offset > horizon_m or not path_valid[b, i, k]:
            break
        meta = lanes.meta[path[k]]
        there = wp.min(meta[2] * factor, lanes.curve_speed_mps[lanes.sample_first[path[k]]])
        allowed = wp.min(allowed, wp.sqrt(there * there + 2.0 * CURVE_DECEL_MPS2 * wp.max(offset, 0.0)))
        offset += meta[0]
    return allowed


@wp.func
def typical_follow(speed: float, gap: float, leader_speed: float) -> float:
    """Interaction term of somebody else, whose character one does not know: bounded, as nobody brakes harder."""
    return wp.max(idm_follow(speed, gap, leader_speed, 1.5, 2.0, 1.2, JAM_GAP_M), -MAX_BRAKE_MPS2)


@wp.func
def lane_change_gain(
    lanes: Lanes,
    b: int,
    me: int,
    side: int,
    s: float,
    speed: float,
    extents: wp.vec2,
    desired: float,
    character: wp.vec4,
    lead: wp.vec2,
    now_mps2: float,
    rank: wp.array2d(dtype=wp.int32),
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
    path_lane: wp.array2d(dtype=wp.vec4i),
    actors: int,
) -> float:
    """Acceleration won by moving over (MOBIL's incentive); -FAR_M where there is no lane or it is not safe.

    `character` holds the own acceleration, deceleration, time gap and politeness, `lead` gap and speed of the leader.
    What the new follower loses counts by the politeness, and what the present one wins where one makes way for it
    towards the kerb: nobody moves out into the fast lane to be passed.
    """
    lane = path_lane[b, me][0]
    if lanes.side_valid[lane][side] == 0:
        return -FAR_M
    other = lanes.side_lane[lane][side]
    # Beside the own place: in curves, lanes' arc lengths are not proportional.
    pose = lane_pose(lanes, lane, s)
    guess = s * lanes.meta[other][0] / lanes.meta[lane][0]
    there = lane_project(lanes, other, guess, wp.vec2(pose[0], pose[1]))[0]
    at = lower_bound(sorted_key, b, lane_key(other, there, 0))
    accel = idm_free(speed, desired, character[0], character[1])
    room = float(FAR_M)
    pace = float(0.0)
    others = float(0.0)
    slot = next_entry(b, me, at, other, sorted_key, actors)
    if slot >= 0:
        ahead = entry[b, slot]
        gap = ahead[0] - ahead[2] - there - extents[1]
        if gap < JAM_GAP_M:
            return -FAR_M
        room = gap
        pace = ahead[1]
        accel += idm_follow(speed, gap, ahead[1], character[0], character[1], character[2], JAM_GAP_M)
    if at > 0 and key_lane(sorted_key[b, at - 1]) == other:
        slot = key_slot(sorted_key[b, at - 1])
        if slot % actors == me:
            return -FAR_M
        behind = entry[b, slot]
        gap = there - extents[0] - behind[0] - behind[3]
        if gap < JAM_GAP_M:
            return -FAR_M
        forced = typical_follow(behind[1], gap, speed)
        if forced < -SAFE_DECEL_MPS2:
            return -FAR_M
        others += forced - typical_follow(behind[1], gap + extents[0] + extents[1] + room, pace)
    elif there < 30.0:
        return -FAR_M  # the one behind is on an earlier lane: not seen from here
    if accel < -SAFE_DECEL_MPS2:
        return -FAR_M
    mine = rank[b, me]
    to_kerb = (side == 1) == (lanes.kerb_side[lane] < 0.0)
    if to_kerb and mine > 0 and key_lane(sorted_key[b, mine - 1]) == lane:
        slot = key_slot(sorted_key[b, mine - 1])
        if slot != me + actors:
            freed = entry[b, slot]
            gap = s - extents[0] - freed[0] - freed[3]
            others += typical_follow(freed[1], gap + extents[0] + extents[1] + lead[0], lead[1])
            others -= typical_follow(freed[1], gap, speed)
    return accel - now_mps2 + character[3] * others


@wp.kernel
def plan_traffic(
    # World
    threads: int,
    lanes: Lanes,
    dt: float,
    first_person: int,
    first_parked: int,
    cyclists: int,
    kind: wp.array2d(dtype=wp.int32),
    size_m: wp.array2d(dtype=wp.vec3),
    wheelbase_m: wp.array2d(dtype=float),
    speed_factor: wp.array2d(dtype=float),
    time_gap_s: wp.array2d(dtype=float),
    max_accel_mps2: wp.array2d(dtype=float),
    comfort_decel_mps2: wp.array2d(dtype=float),
    patience_s: wp.array2d(dtype=float),
    politeness: wp.array2d(dtype=float),
    controlled: wp.array2d(dtype=wp.bool),
    # State
    tick: wp.array(dtype=wp.int64),
    valid: wp.array2d(dtype=wp.bool),
    speed_mps: wp.array2d(dtype=float),
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
    lane_s_m: wp.array2d(dtype=float),
    lane_lateral_m: wp.array2d(dtype=float),
    change_start_m: wp.array2d(dtype=float),
    collided: wp.array2d(dtype=wp.bool),
    # In
    sorted_key: wp.array2d(dtype=wp.int64),
    rank: wp.array2d(dtype=wp.int32),
    entry: wp.array2d(dtype=wp.vec4),
    committed: wp.array2d(dtype=wp.int32),
    wait_s: wp.array2d(dtype=float),
    signal_phase: wp.array2d(dtype=wp.int32),
    # Out
    command_mps2_out: wp.array2d(dtype=float),
    aim_m_out: wp.array2d(dtype=float),
    change_to_out: wp.array2d(dtype=wp.int32),
    next_committed_out: wp.array2d(dtype=wp.int32),
    next_wait_s_out: wp.array2d(dtype=float),
    crash_s_out: wp.array2d(dtype=float),
):
    """Acceleration and lane change of each vehicle on rails, from the state before this tick."""
    b, t = wp.tid()
    for i in range(t, wp.int32(valid.shape[1]), threads):
        change_to_out[b, i] = -1
        next_committed_out[b, i] = 0
        aim_m_out[b, i] = lane_lateral_m[b, i]
        if i >= first_parked or controlled[b, i] or not valid[b, i]:
            next_wait_s_out[b, i] = 0.0
            continue
        actors = wp.int32(valid.shape[1])
        speed = speed_mps[b, i]
        wait = wait_s[b, i]
        next_wait_s_out[b, i] = wp.where(speed < 0.5, wait + dt, wp.where(speed > 2.0, 0.0, wait))
        crash = crash_s_out[b, i]
        if collided[b, i] or crash > 0.0:
            # Stand where it happened; the ego's episode decides what that means. Others are towed after a while.
            crash_s_out[b, i] = crash + dt
            command_mps2_out[b, i] = -MAX_BRAKE_MPS2
            if crash > TOWED_AFTER_S:
                crash_s_out[b, i] = 0.0
                if i > 0:
                    valid[b, i] = False
            continue
        s = lane_s_m[b, i]
        half_base = 0.5 * wheelbase_m[b, i]
        half = 0.5 * size_m[b, i][0]
        front = half + half_base
        rear = half - half_base
        accel = max_accel_mps2[b, i]
        decel = comfort_decel_mps2[b, i]
        time_gap = time_gap_s[b, i]
        horizon = 30.0 + 1.5 * speed + speed * speed / 4.0
        cycles = kind[b, i] == BICYCLE
        start = rank[b, i] + 1
        hold_gap = float(FAR_M)
        aim = float(0.0)
        aside = bool(False)
        if cyclists > 0:
            start = first_to_follow(
                lanes,
                b,
                i,
                s,
                first_person,
                first_parked,
                actors,
                kind,
                size_m,
                lane_lateral_m,
                path_lane,
                rank,
                sorted_key,
            )
            if cycles:
                aim = kerb_offset(lanes, b, i, s, size_m[b, i][1], path_lane, path_valid)
                if lanes.cycle_lanes > 0:
                    left = cycle_lane_left(lanes, b, i, s, path_lane, path_valid)
                    beside = lanes.cycle_m[sample_at(lanes, path_lane[b, i][0], s)]
                    if on_cycle_lane(lanes, path_lane[b, i][0], s, lane_lateral_m[b, i], size_m[b, i][1]):
                        if left > BACK_M or not may_pull_in(
                            b,
                            i,
                            path_lane[b, i][0],
                            s,
                            rear,
                            front,
                            speed,
                            wp.where(wait > patience_s[b, i], BOLD_DECEL_MPS2, GAP_DECEL_MPS2),
                            first_parked,
                            actors,
                            kind,
                            rank,
                            sorted_key,
                            entry,
                        ):
                            aside = True
                            aim = wp.where(beside == 0.0, lane_lateral_m[b, i], beside)
                            if left <= BACK_M:
                                hold_gap = left - WAIT_M - front
                    elif left > WORTH_M:
                        aim = beside
            elif change_start_m[b, i] == 0.0:
                aim = passing_offset(
                    lanes,
                    b,
                    i,
                    s,
                    rear,
                    front,
                    first_parked,
                    actors,
                    kind,
                    size_m,
                    lane_lateral_m,
                    path_lane,
                    rank,
                    sorted_key,
                    entry,
                )
        aim_m_out[b, i] = aim
        lead = leader_on_path(
            lanes, b, i, s, front, horizon, start, sorted_key, entry, path_lane, path_valid, first_person, actors
        )
        factor = wp.where(cycles, 1.0, speed_factor[b, i])
        top = wp.where(cycles, speed_factor[b, i], NO_TOP_MPS)
        desired = wp.min(allowed_speed(lanes, b, i, s, factor, horizon, path_lane, path_valid), top)
        command = idm_free(speed, desired, accel, decel)
        follow = float(0.0)
        if lead[0] < FAR_M:
            follow = idm_follow(speed, lead[0], lead[1], accel, decel, time_gap, JAM_GAP_M)
        second = i + actors
        lane_beside = key_lane(sorted_key[b, rank[b, second]])
        if change_start_m[b, i] != 0.0 and lane_beside < NO_LANE:
            # Half way between two lanes: mind the leader on both.
            slot = next_entry(b, i, rank[b, second] + 1, lane_beside, sorted_key, actors)
            if slot >= 0:
                at = entry[b, slot]
                gap = at[0] - at[2] - entry[b, second][0] - front
                follow = wp.min(follow, idm_follow(speed, gap, at[1], accel, decel, time_gap, JAM_GAP_M))
        command += follow
        junction = junction_gap(
            lanes,
            b,
            i,
            speed,
            s,
            front,
            rear,
            15.0 + speed + speed * speed / 4.0,
            top,
            lead[0],
            lead[1],
            first_person,
            actors,
            sorted_key,
            entry,
            path_lane,
            path_valid,
            committed,
            wait_s,
            patience_s,
            signal_phase,
        )
        next_committed_out[b, i] = wp.where(aside, ASIDE, int(junction[1]))
        brush = brush_gap(
            lanes, b, i, s, speed, front + rear, first_person, actors, sorted_key, entry, path_lane, path_valid
        )
        if brush < FAR_M and wait > STRANDED_AFTER_S and i > 0:
            valid[b, i] = False  # two that are too long for a bend met in it: one leaves and comes back elsewhere
        stop_gap = wp.min(wp.min(junction[0], brush), hold_gap)
        if lanes.halts > 0:
            halt = halt_gap(
                lanes, b, i, s, front, speed, 15.0 + speed + speed * speed / 4.0, path_lane, path_valid, signal_phase
            )
            stop_gap = wp.min(stop_gap, halt)
        stop = idm_follow(speed, stop_gap, 0.0, accel, decel, 0.5, STOP_GAP_M)
        if stop_gap < FAR_M:
            command = wp.min(command, idm_free(speed, desired, accel, decel) + stop)
        command_mps2_out[b, i] = wp.clamp(command, -MAX_BRAKE_MPS2, accel)
        may_change = (tick[b] + wp.int64(i)) % CHANGE_EVERY == wp.int64(0) and i > 0 and change_start_m[b, i] == 0.0
        lane = path_lane[b, i][0]
        # At a crawl a long body would stand across lanes for long. Cyclists stay in their lane.
        agile = speed > 2.0 + 0.4 * (front + rear) and not cycles
        if may_change and agile and lanes.meta[lane][3] < 0.5 and lanes.meta[lane][0] - s > 4.0 * speed + 15.0:
            character = wp.vec4(accel, decel, time_gap, politeness[b, i])
            extents = wp.vec2(rear, front)
            best = float(CHANGE_GAIN_MPS2)
            for side in range(2):
                gain = lane_change_gain(
                    lanes,
                    b,
                    i,
                    side,
                    s,
                    speed,
                    extents,
                    desired,
                    character,
                    lead,
                    command,
                    rank,
                    sorted_key,
                    entry,
                    path_lane,
                    actors,
                )
                if gain > best:
                    best = gain
                    change_to_out[b, i] = lanes.side_lane[lane][side]
