"""People: they wait at the kerb, cross when the gap is long enough, wait at the far end and come back.

On a crosswalk it is enough that drivers can brake comfortably, for they must; where its lanes have lights, people start
only while these stay red for long enough. Who jaywalks waits for a gap. Members of a group draw the same numbers.
"""

import warp as wp

from sim.kernels.lanes import Lanes, wrap_angle
from sim.kernels.order import ABSENT, LANE_SHIFT, key_lane, key_slot, lane_key, lower_bound
from sim.kernels.rng import GROUP, WAIT, between, random_key, uniform
from sim.kernels.signals import cycle_time_s

wp.set_module_options({"enable_backward": False})

CROSSINGS = wp.constant(8)  # lanes one walk can cross
SAFETY_S = wp.constant(1.5)
BOLD_AFTER_S = wp.constant(15.0)  # then it is enough that drivers can brake comfortably
CROSSWALK_WALK = wp.constant(1)  # `walk_style` of those who cross where drivers must let them; others have 0
LIGHT = wp.constant(1)  # LaneControl
HALT_REACH_M = wp.constant(25.0)
GROUP_SIZE = wp.constant(3)
GROUP_SHARE = wp.constant(0.15)
BODY = wp.constant(1)  # `walk_hold`: a body bars the way, or one is coming
COMING = wp.constant(2)
BODY_AHEAD_M = wp.constant(12.0)
BODY_CLEAR_M = wp.constant(0.45)  # between a walker's middle and a body; drivers leave more
LANE_WALK_S = wp.constant(3.0)  # to walk over one lane
GIVE_UP_S = wp.constant(6.0)
STAND_CLEAR_M = wp.constant(0.1)  # people who wait for a vehicle to move on stand this far inside its lane at most
SEE_BODY_M = wp.constant(0.9)
CROSSWALK_SEEN_M = wp.constant(8.0)  # drivers let people pass who are this far from their lane
WARNING_M = wp.constant(2.1)  # drivers see who is about to step into their lane


@wp.func
def leader_of(seed: wp.int64, first_person: int, p: int) -> int:
    """The actor whose draws person p shares: the first of its three where these walk together, else itself."""
    first = p - p % GROUP_SIZE
    if uniform(random_key(seed, GROUP, first, wp.int64(0)), 0) < GROUP_SHARE:
        return first_person + first
    return first_person + p


@wp.func
def red_left_s(lanes: Lanes, group: int, seed: wp.int64, tick: wp.int64, dt: float) -> float:
    """How long a group of lights will still be red; 0 where it is not."""
    plan = lanes.signal_plan_s[group]
    time = cycle_time_s(lanes, group, seed, tick, dt)
    return wp.where(time < plan[2] + plan[3], 0.0, plan[0] - time)


@wp.func
def lights_permit(
    lanes: Lanes,
    b: int,
    p: int,
    position: float,
    back: bool,
    walk_speed: float,
    first_group: int,
    seed: wp.int64,
    tick: wp.int64,
    dt: float,
    cross_count: wp.array2d(dtype=wp.int32),
    cross_lane: wp.array3d(dtype=wp.int32),
    cross_s_m: wp.array3d(dtype=float),
    cross_at_m: wp.array3d(dtype=float),
) -> bool:
    """Whether the lights of every lane of the walk, or of those it leads into, are red until the walker has left it.

    Lights away from junctions count where the walk is at most HALT_REACH_M beyond their stop line.
    """
    for c in range(cross_count[b, p]):
        lane = cross_lane[b, p, c]
        away = wp.where(back, position - cross_at_m[b, p, c], cross_at_m[b, p, c] - position)
        leave_s = (away + 2.3) / walk_speed
        if lanes.control[lane][0] == LIGHT:
            if red_left_s(lanes, first_group + lanes.control[lane][1], seed, tick, dt) < leave_s:
                return False
        if lanes.halts > 0:
            for h in range(lanes.halt_first[lane], lanes.halt_first[lane + 1]):
                beyond = cross_s_m[b, p, c] - lanes.halt_m[h]
                if beyond > 0.0 and beyond < HALT_REACH_M:
                    if red_left_s(lanes, first_group + lanes.halt_group[h], seed, tick, dt) < leave_s:
                        return False
        for q in range(lanes.successor_first[lane], lanes.successor_first[lane + 1]):
            rule = lanes.control[lanes.successor[q]]
            if rule[0] == LIGHT and red_left_s(lanes, first_group + rule[1], seed, tick, dt) < leave_s:
                return False
    return True


@wp.func
def vehicle_permits(distance: float, speed: float, leave_s: float, bold: bool) -> bool:
    """Gap acceptance: the vehicle arrives after the walker has left its lane, stands, or (bold) can brake gently."""
    if distance < 1.0:
        return distance < -30.0
    if speed < 0.5:
        return True
    if bold and distance > 1.0 * speed + speed * speed / 5.0 + 3.0:
        return True
    return distance / speed > leave_s + SAFETY_S


@wp.func
def may_cross(
    lanes: Lanes,
    b: int,
    p: int,
    position: float,
    back: bool,
    walk_speed: float,
    bold: bool,
    first_person: int,
    actors: int,
    cross_count: wp.array2d(dtype=wp.int32),
    cross_lane: wp.array3d(dtype=wp.int32),
    cross_s_m: wp.array3d(dtype=float),
    cross_at_m: wp.array3d(dtype=float),
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
) -> bool:
    """Whether the traffic on every lane of the walk leaves time enough."""
    for c in range(cross_count[b, p]):
        lane = cross_lane[b, p, c]
        s = cross_s_m[b, p, c]
        away = cross_at_m[b, p, c] - position
        if back:
            away = -away
        leave_s = (away + 2.3) / walk_speed
        k = lower_bound(sorted_key, b, lane_key(lane, s, 0))
        if k < sorted_key.shape[1] and key_lane(sorted_key[b, k]) == lane:
            slot = key_slot(sorted_key[b, k])
            at = entry[b, slot]
            if slot % actors < first_person and at[0] - at[2] < s + 1.0:
                return False
        seen = bool(False)
        k = k - 1
        while k >= 0 and key_lane(sorted_key[b, k]) == lane and not seen:
            slot = key_slot(sorted_key[b, k])
            if slot % actors < first_person:
                at = entry[b, slot]
                seen = True
                if not vehicle_permits(s - at[0] - at[3], at[1], leave_s, bold):
                    return False
            k = k - 1
        if not seen:
            for q in range(lanes.predecessor_first[lane], lanes.predecessor_first[lane + 1]):
                before = lanes.predecessor[q]
                k = lower_bound(sorted_key, b, lane_key(before + 1, 0.0, 0)) - 1
                if k >= 0 and key_lane(sorted_key[b, k]) == before:
                    slot = key_slot(sorted_key[b, k])
                    at = entry[b, slot]
                    gap = lanes.meta[before][0] - at[0] - at[3] + s
                    if slot % actors < first_person and not vehicle_permits(gap, at[1], leave_s, bold):
                        return False
    return True


@wp.func
def lane_barred(
    lanes: Lanes,
    b: int,
    lane: int,
    s: float,
    first_person: int,
    actors: int,
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
) -> int:
    """BODY where a vehicle's body stands across the walk, COMING where one arrives that cannot brake gently, else 0."""
    k = lower_bound(sorted_key, b, lane_key(lane, s + BODY_AHEAD_M, 0)) - 1
    while k >= 0 and key_lane(sorted_key[b, k]) == lane:
        slot = key_slot(sorted_key[b, k])
        k = k - 1
        if slot % actors < first_person:
            at = entry[b, slot]
            if at[0] - at[2] > s + BODY_CLEAR_M:
                continue
            if at[0] + at[3] > s - BODY_CLEAR_M:
                return BODY
            if not vehicle_permits(s - at[0] - at[3] + 1.0, at[1], LANE_WALK_S, True):
                return COMING
            return 0
    for q in range(lanes.predecessor_first[lane], lanes.predecessor_first[lane + 1]):
        before = lanes.predecessor[q]
        k = lower_bound(sorted_key, b, lane_key(before + 1, 0.0, 0)) - 1
        if k >= 0 and key_lane(sorted_key[b, k]) == before:
            slot = key_slot(sorted_key[b, k])
            if slot % actors < first_person:
                at = entry[b, slot]
                gap = lanes.meta[before][0] - at[0] - at[3] + s
                if gap < BODY_CLEAR_M and gap + at[2] + at[3] > -BODY_CLEAR_M:
                    return BODY
                if not vehicle_permits(gap + 1.0, at[1], LANE_WALK_S, True):
                    return COMING
    return 0


@wp.func
def barred_ahead(
    lanes: Lanes,
    b: int,
    p: int,
    position: float,
    back: bool,
    first_person: int,
    actors: int,
    cross_count: wp.array2d(dtype=wp.int32),
    cross_lane: wp.array3d(dtype=wp.int32),
    cross_s_m: wp.array3d(dtype=float),
    cross_at_m: wp.array3d(dtype=float),
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
) -> int:
    """What bars the lane that the walker is about to step into, as `lane_barred` says."""
    for c in range(cross_count[b, p]):
        away = cross_at_m[b, p, c] - position
        if back:
            away = -away
        lane = cross_lane[b, p, c]
        half = 0.5 * lanes.width_m[lanes.sample_first[lane]]
        if away > half - STAND_CLEAR_M and away < half + SEE_BODY_M:
            barred = lane_barred(lanes, b, lane, cross_s_m[b, p, c], first_person, actors, sorted_key, entry)
            if barred > 0:
                return barred
    return 0


@wp.kernel
def walk(
    # World
    threads: int,
    people: int,
    lanes: Lanes,
    seed: wp.array(dtype=wp.int64),
    map_index: wp.array(dtype=wp.int32),
    dt: float,
    first_person: int,
    walk_style: wp.array2d(dtype=wp.int32),
    walk_speed_mps: wp.array2d(dtype=float),
    walk_from_world_m: wp.array2d(dtype=wp.vec2),
    walk_to_world_m: wp.array2d(dtype=wp.vec2),
    cross_count: wp.array2d(dtype=wp.int32),
    cross_lane: wp.array3d(dtype=wp.int32),
    cross_s_m: wp.array3d(dtype=float),
    cross_at_m: wp.array3d(dtype=float),
    # In
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
    collided: wp.array2d(dtype=wp.bool),
    tick: wp.array(dtype=wp.int64),
    # State
    valid: wp.array2d(dtype=wp.bool),
    xy_world_m: wp.array2d(dtype=wp.vec2),
    yaw_world_rad: wp.array2d(dtype=float),
    speed_mps: wp.array2d(dtype=float),
    accel_mps2: wp.array2d(dtype=float),
    yaw_rate_radps: wp.array2d(dtype=float),
    walk_s_m: wp.array2d(dtype=float),
    walk_wait_s: wp.array2d(dtype=float),
    walk_hold: wp.array2d(dtype=wp.int32),
):
    """One tick of every person. `walk_s_m` runs to the far end and back: [0, 2 length)."""
    b, t = wp.tid()
    for p in range(t, people, threads):
        i = first_person + p
        if not valid[b, i]:
            continue
        origin = walk_from_world_m[b, i]
        across = walk_to_world_m[b, i] - origin
        length = wp.length(across)
        s = walk_s_m[b, i]
        back = s >= length
        position = wp.where(back, 2.0 * length - s, s)
        speed = float(0.0)
        leader = leader_of(seed[b], first_person, p)
        walk_speed = walk_speed_mps[b, leader]
        if s == 0.0 or s == length:
            wait = walk_wait_s[b, p] - dt
            walk_wait_s[b, p] = wait
            lit = bool(True)
            if wait <= 0.0 and walk_style[b, p] == CROSSWALK_WALK:
                lit = lights_permit(
                    lanes,
                    b,
                    p,
                    position,
                    back,
                    walk_speed,
                    lanes.signal_first[map_index[b]],
                    seed[b],
                    tick[b],
                    dt,
                    cross_count,
                    cross_lane,
                    cross_s_m,
                    cross_at_m,
                )
            bold = wait < -BOLD_AFTER_S or walk_style[b, p] == CROSSWALK_WALK
            if (
                wait <= 0.0
                and lit
                and may_cross(
                    lanes,
                    b,
                    p,
                    position,
                    back,
                    walk_speed,
                    bold,
                    first_person,
                    wp.int32(valid.shape[1]),
                    cross_count,
                    cross_lane,
                    cross_s_m,
                    cross_at_m,
                    sorted_key,
                    entry,
                )
            ):
                speed = walk_speed
        elif not collided[b, i]:
            barred = barred_ahead(
                lanes,
                b,
                p,
                position,
                back,
                first_person,
                wp.int32(valid.shape[1]),
                cross_count,
                cross_lane,
                cross_s_m,
                cross_at_m,
                sorted_key,
                entry,
            )
            walk_hold[b, p] = barred
            if barred == 0:
                speed = walk_speed
                walk_wait_s[b, p] = 0.0
            else:
                walk_wait_s[b, p] = walk_wait_s[b, p] - dt
                if walk_wait_s[b, p] < -GIVE_UP_S:  # the vehicle may wait for somebody whom the walker holds up
                    s = 2.0 * length - s
                    walk_wait_s[b, p] = 0.0
        before = s
        s += speed * dt
        if (before < length and s >= length) or s >= 2.0 * length:
            s = wp.where(before < length, length, 0.0)
            walk_wait_s[b, p] = between(random_key(seed[b], WAIT, leader, tick[b]), 0, 3.0, 12.0)
            speed = 0.0
        back = s > length
        position = wp.where(back, 2.0 * length - s, s)
        direction = across / wp.max(length, 1.0e-3)
        xy_world_m[b, i] = origin + direction * position
        yaw = wp.atan2(direction[1], direction[0])
        if back or (s == length and speed > 0.0):
            yaw = wrap_angle(yaw + 3.141592653589793)
        if speed > 0.0:
            yaw_rate_radps[b, i] = wrap_angle(yaw - yaw_world_rad[b, i]) / dt
            yaw_world_rad[b, i] = yaw
        else:
            yaw_rate_radps[b, i] = 0.0
        accel_mps2[b, i] = (speed - speed_mps[b, i]) / dt
        speed_mps[b, i] = speed
        walk_s_m[b, i] = s


@wp.kernel
def enter_people(
    # World
    threads: int,
    people: int,
    lanes: Lanes,
    first_person: int,
    walk_style: wp.array2d(dtype=wp.int32),
    size_m: wp.array2d(dtype=wp.vec3),
    walk_from_world_m: wp.array2d(dtype=wp.vec2),
    walk_to_world_m: wp.array2d(dtype=wp.vec2),
    cross_count: wp.array2d(dtype=wp.int32),
    cross_lane: wp.array3d(dtype=wp.int32),
    cross_s_m: wp.array3d(dtype=float),
    cross_at_m: wp.array3d(dtype=float),
    # State
    valid: wp.array2d(dtype=wp.bool),
    walk_s_m: wp.array2d(dtype=float),
    # In
    walk_hold: wp.array2d(dtype=wp.int32),
    mask: wp.array(dtype=wp.bool),
    # Out
    entry_out: wp.array2d(dtype=wp.vec4),
    entry_key_out: wp.array2d(dtype=wp.int64),
):
    """People on a lane, or about to step into it, stand in its order like a stopped vehicle; at most two lanes each."""
    b, t = wp.tid()
    if not mask[b]:
        return
    for p in range(t, people, threads):
        i = first_person + p
        actors = wp.int32(valid.shape[1])
        entry_key_out[b, i] = (ABSENT << LANE_SHIFT) | wp.int64(i)
        entry_key_out[b, i + actors] = (ABSENT << LANE_SHIFT) | wp.int64(i + actors)
        length = wp.length(walk_to_world_m[b, i] - walk_from_world_m[b, i])
        s = walk_s_m[b, i]
        if not valid[b, i] or s == 0.0 or s == length:
            continue
        position = wp.where(s > length, 2.0 * length - s, s)
        radius = 0.5 * size_m[b, i][0] + 0.3
        found = int(0)
        for k in range(cross_count[b, p]):
            c = wp.where(s > length, cross_count[b, p] - 1 - k, k)  # the nearest first
            away = cross_at_m[b, p, c] - position
            if s > length:
                away = -away
            lane = cross_lane[b, p, c]
            half = 0.5 * lanes.width_m[lanes.sample_first[lane]]
            # Who waits for a body on the lane to move on must not hold it up.
            ahead = half + radius + WARNING_M
            if walk_style[b, p] == CROSSWALK_WALK:
                ahead = half + CROSSWALK_SEEN_M
            if walk_hold[b, p] == BODY:
                ahead = half - STAND_CLEAR_M
            if found < 2 and away > -half - radius and away < ahead:
                slot = i + found * actors
                entry_out[b, slot] = wp.vec4(cross_s_m[b, p, c], 0.0, radius, radius)
                entry_key_out[b, slot] = lane_key(lane, cross_s_m[b, p, c], slot)
                found = found + 1
