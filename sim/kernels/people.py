"""People: they wait at the kerb, cross when the gap is long enough, wait at the far end and come back."""

import warp as wp

from sim.kernels.lanes import Lanes, wrap_angle
from sim.kernels.order import ABSENT, LANE_SHIFT, key_lane, key_slot, lane_key, lower_bound
from sim.kernels.rng import WAIT, between, random_key

wp.set_module_options({"enable_backward": False})

CROSSINGS = wp.constant(8)  # lanes one walk can cross
SAFETY_S = wp.constant(1.5)
BOLD_AFTER_S = wp.constant(15.0)  # then it is enough that drivers can brake comfortably
WARNING_S = wp.constant(1.5)  # how long before stepping into a lane its drivers see it coming


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
def body_ahead(
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
) -> bool:
    """Whether a vehicle's body bars the lane that the walker is about to step into."""
    for c in range(cross_count[b, p]):
        away = cross_at_m[b, p, c] - position
        if back:
            away = -away
        lane = cross_lane[b, p, c]
        half = 0.5 * lanes.width_m[lanes.sample_first[lane]]
        if away > half - 0.7 and away < half + 0.5:
            s = cross_s_m[b, p, c]
            k = lower_bound(sorted_key, b, lane_key(lane, s - 12.0, 0))
            while k < sorted_key.shape[1] and key_lane(sorted_key[b, k]) == lane:
                slot = key_slot(sorted_key[b, k])
                at = entry[b, slot]
                if at[0] > s + 5.0:
                    break
                if slot % actors < first_person and at[0] - at[2] < s + 0.8 and at[0] + at[3] > s - 0.8:
                    return True
                k = k + 1
    return False


@wp.kernel
def walk(
    # World
    threads: int,
    people: int,
    lanes: Lanes,
    seed: wp.array(dtype=wp.int64),
    dt: float,
    first_person: int,
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
        if s == 0.0 or s == length:
            wait = walk_wait_s[b, p] - dt
            walk_wait_s[b, p] = wait
            if wait <= 0.0 and may_cross(
                lanes,
                b,
                p,
                position,
                back,
                walk_speed_mps[b, i],
                wait < -BOLD_AFTER_S,
                first_person,
                wp.int32(valid.shape[1]),
                cross_count,
                cross_lane,
                cross_s_m,
                cross_at_m,
                sorted_key,
                entry,
            ):
                speed = walk_speed_mps[b, i]
        elif not collided[b, i] and not body_ahead(
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
        ):
            speed = walk_speed_mps[b, i]
        before = s
        s += speed * dt
        if (before < length and s >= length) or s >= 2.0 * length:
            s = wp.where(before < length, length, 0.0)
            walk_wait_s[b, p] = between(random_key(seed[b], WAIT, i, tick[b]), 0, 3.0, 12.0)
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
    speed_mps: wp.array2d(dtype=float),
    # In
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
        for c in range(cross_count[b, p]):
            away = cross_at_m[b, p, c] - position
            if s > length:
                away = -away
            lane = cross_lane[b, p, c]
            half = 0.5 * lanes.width_m[lanes.sample_first[lane]] + radius
            if found < 2 and away > -half and away < half + WARNING_S * speed_mps[b, i]:
                slot = i + found * actors
                entry_out[b, slot] = wp.vec4(cross_s_m[b, p, c], 0.0, radius, radius)
                entry_key_out[b, slot] = lane_key(lane, cross_s_m[b, p, c], slot)
                found = found + 1
