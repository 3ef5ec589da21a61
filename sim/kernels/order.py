"""Who is where: entries of actors on lanes, sorted by (lane, s), and actors sorted by x.

Both are kept by insertion sort, which is linear because a tick hardly changes the order. Keys end in the entry's slot,
so they are unique and the sorted order depends on the present state only, not on history.
"""

import warp as wp

from sim.kernels.lanes import (
    STOREY_M,
    Lanes,
    lane_pose,
    lane_project,
    nearest_on_storey,
    nearest_sample,
    sample_at,
    sample_s,
    wrap_angle,
)

wp.set_module_options({"enable_backward": False})

INDICATE_M = wp.constant(12.0)  # before a junction, and so many seconds more
INDICATE_S = wp.constant(2.5)
TURN_RAD = wp.constant(0.55)  # what bends less than this goes straight on
DOOR_M = wp.constant(0.9)  # an open door, on the side of the road
WIDEST_HALF_M = wp.constant(1.35)  # of vehicles, with some air
SLOT_BITS = wp.constant(wp.int64(12))
SLOT_MASK = wp.constant(wp.int64(4095))
LANE_SHIFT = wp.constant(wp.int64(39))
X_OFFSET_MM = wp.constant(wp.int64(8589934592))  # makes every x positive within 8000 km
ABSENT = wp.constant(wp.int64(8388608))  # a lane number no graph reaches: absent entries sort last


@wp.func
def lane_key(lane: int, s: float, slot: int) -> wp.int64:
    """Sort key of an entry: lane, arc length in millimetres, slot."""
    mm = wp.int64(wp.max(s, 0.0) * 1000.0)
    return (wp.int64(lane) << LANE_SHIFT) | (mm << SLOT_BITS) | wp.int64(slot)


@wp.func
def key_lane(key: wp.int64) -> int:
    return int(key >> LANE_SHIFT)


@wp.func
def key_slot(key: wp.int64) -> int:
    return int(key & SLOT_MASK)


@wp.func
def lower_bound(sorted_key: wp.array2d(dtype=wp.int64), b: int, key: wp.int64) -> int:
    """First position in world b's order whose key is not below `key`; bisection without branches to guess wrong."""
    low = int(0)
    left = int(sorted_key.shape[1])
    while left > 1:
        half = left // 2
        low = wp.where(sorted_key[b, low + half - 1] < key, low + half, low)
        left = left - half
    return wp.where(sorted_key[b, low] < key, low + 1, low)


@wp.func
def height_near(lanes: Lanes, world_map: int, start: wp.vec2, end: wp.vec2, otherwise: float) -> float:
    """Height of the lane nearest to `start` or, where none is near, to the first point on the way to `end` that has
    one."""
    for k in range(9):
        sample = nearest_sample(lanes, world_map, start + (end - start) * (0.125 * float(k)), -1)
        if sample >= 0:
            return lanes.relief[sample][0]
    return otherwise


@wp.kernel
def lift_people(
    # World
    lanes: Lanes,
    map_index: wp.array(dtype=wp.int32),
    first_person: int,
    mask: wp.array(dtype=wp.bool),
    walk_from_world_m: wp.array2d(dtype=wp.vec2),
    walk_to_world_m: wp.array2d(dtype=wp.vec2),
    # State
    path_lane: wp.array2d(dtype=wp.vec4i),
    # Out
    walk_z_m_out: wp.array2d(dtype=wp.vec2),
):
    """Height of both ends of every walk: that of the road there, of the ego's where none is near."""
    b, p = wp.tid()
    if not mask[b]:
        return
    start = walk_from_world_m[b, first_person + p]
    end = walk_to_world_m[b, first_person + p]
    ego_z = lanes.relief[lanes.sample_first[path_lane[b, 0][0]]][0]
    walk_z_m_out[b, p] = wp.vec2(
        height_near(lanes, map_index[b], start, end, ego_z), height_near(lanes, map_index[b], end, start, ego_z)
    )


@wp.func
def lane_turn(lanes: Lanes, lane: int) -> float:
    """How far a lane turns from its start to its end, to the left, in [-pi, pi)."""
    return wrap_angle(lanes.pose[lanes.sample_first[lane + 1] - 1][2] - lanes.pose[lanes.sample_first[lane]][2])


@wp.func
def indicated(lanes: Lanes, lane: int, onward: int, goes_on: bool, s: float, speed: float, change_start_m: float):
    """1 where a vehicle that changes lanes or turns at a junction indicates left, -1 right, else 0.

    `change_start_m` is where a lane change began, left of the new lane's centre; 0 where there is none.
    """
    if change_start_m != 0.0:
        return -wp.sign(change_start_m)
    turn = float(0.0)
    if lanes.meta[lane][3] > 0.5:
        turn = lane_turn(lanes, lane)
    elif goes_on and lanes.meta[onward][3] > 0.5:
        if lanes.meta[lane][0] - s < INDICATE_M + INDICATE_S * speed:
            turn = lane_turn(lanes, onward)
    if wp.abs(turn) < TURN_RAD:
        return 0.0
    return wp.sign(turn)


@wp.kernel
def enter_vehicles(
    # World
    threads: int,
    lanes: Lanes,
    map_index: wp.array(dtype=wp.int32),
    size_m: wp.array2d(dtype=wp.vec3),
    wheelbase_m: wp.array2d(dtype=float),
    controlled: wp.array2d(dtype=wp.bool),
    first_person: int,
    first_parked: int,
    walk_from_world_m: wp.array2d(dtype=wp.vec2),
    walk_to_world_m: wp.array2d(dtype=wp.vec2),
    walk_z_m: wp.array2d(dtype=wp.vec2),
    # State
    valid: wp.array2d(dtype=wp.bool),
    xy_world_m: wp.array2d(dtype=wp.vec2),
    yaw_world_rad: wp.array2d(dtype=float),
    speed_mps: wp.array2d(dtype=float),
    path_lane: wp.array2d(dtype=wp.vec4i),
    lane_s_m: wp.array2d(dtype=float),
    lane_lateral_m: wp.array2d(dtype=float),
    change_start_m: wp.array2d(dtype=float),
    path_valid: wp.array3d(dtype=wp.bool),
    z_world_m: wp.array2d(dtype=float),
    pitch_rad: wp.array2d(dtype=float),
    # In
    door_s: wp.array2d(dtype=float),
    mask: wp.array(dtype=wp.bool),
    # Out
    box_out: wp.array2d(dtype=wp.vec4),
    body_out: wp.array2d(dtype=wp.vec4),
    indicator_out: wp.array2d(dtype=float),
    x_key_out: wp.array2d(dtype=wp.int64),
    entry_out: wp.array2d(dtype=wp.vec4),
    entry_key_out: wp.array2d(dtype=wp.int64),
):
    """Box (centre x, y, cos, sin), body (length, width, z, speed) and x key of every actor; heights; pitch and lane
    entries (s, speed, rear, front extent) of the vehicles.

    A vehicle enters its own lane and, while its body reaches over the edge, the lane beside it.
    """
    b, t = wp.tid()
    if not mask[b]:
        return
    for i in range(t, wp.int32(valid.shape[1]), threads):
        second = i + wp.int32(valid.shape[1])
        if not valid[b, i]:
            x_key_out[b, i] = (ABSENT << LANE_SHIFT) | wp.int64(i)
            entry_key_out[b, i] = (ABSENT << LANE_SHIFT) | wp.int64(i)
            entry_key_out[b, second] = (ABSENT << LANE_SHIFT) | wp.int64(second)
            indicator_out[b, i] = 0.0
            continue
        xy = xy_world_m[b, i]
        yaw = yaw_world_rad[b, i]
        c = wp.cos(yaw)
        n = wp.sin(yaw)
        half_base = 0.5 * wheelbase_m[b, i]
        x = xy[0] + half_base * c
        box_out[b, i] = wp.vec4(x, xy[1] + half_base * n, c, n)
        x_key_out[b, i] = ((wp.int64(x * 1000.0) + X_OFFSET_MM) << SLOT_BITS) | wp.int64(i)
        size = size_m[b, i]
        if i >= first_person:
            walk = walk_to_world_m[b, i] - walk_from_world_m[b, i]
            share = wp.dot(xy - walk_from_world_m[b, i], walk) / wp.max(wp.dot(walk, walk), 1.0e-6)
            ends = walk_z_m[b, i - first_person]
            z = ends[0] + (ends[1] - ends[0]) * wp.clamp(share, 0.0, 1.0)
            z_world_m[b, i] = z
            body_out[b, i] = wp.vec4(size[0], size[1], z, speed_mps[b, i])
            continue
        rear = 0.5 * size[0] - half_base
        front = 0.5 * size[0] + half_base
        lane = path_lane[b, i][0]
        s = lane_s_m[b, i]
        lateral = lane_lateral_m[b, i]
        speed = speed_mps[b, i]
        second_key = (ABSENT << LANE_SHIFT) | wp.int64(second)
        sample_here = sample_at(lanes, lane, s)
        relief = lanes.relief[sample_here]
        past = s - float(sample_here - lanes.sample_first[lane]) / lanes.meta[lane][1]
        z = relief[0] + past * relief[1]
        grade = relief[1]
        body_out[b, i] = wp.vec4(size[0], size[1], z, speed)
        reach = wp.abs(lateral) + 0.5 * size[1] - 0.5 * relief[2]
        if controlled[b, i]:
            # Seen where it is, however it got there: along the lane as its heading says.
            along = wp.cos(yaw - lane_pose(lanes, lane, s)[2])
            speed_along = speed * along
            grade = grade * along
            if reach > 0.0:
                sample = nearest_on_storey(lanes, map_index[b], xy, z, STOREY_M, lane)
                if sample >= 0:
                    pose = lanes.pose[sample]
                    off = wp.length(xy - wp.vec2(pose[0], pose[1]))
                    if off < 0.5 * (size[1] + lanes.width_m[sample]):
                        s_other = sample_s(lanes, sample)
                        entry_out[b, second] = wp.vec4(s_other, speed * wp.cos(yaw - pose[2]), rear, front)
                        second_key = lane_key(lanes.sample_lane[sample], s_other, second)
            speed = speed_along
        elif reach > 0.1:
            side = wp.where(lateral > 0.0, 0, 1)
            if lanes.side_valid[lane][side] == 1:
                other = lanes.side_lane[lane][side]
                # Where it really is: in curves, lanes' arc lengths are not proportional.
                s_other = lane_project(lanes, other, s * lanes.meta[other][0] / lanes.meta[lane][0], xy)[0]
                entry_out[b, second] = wp.vec4(s_other, speed, rear, front)
                second_key = lane_key(other, s_other, second)
        if i >= first_parked:
            # Out of everybody's way but for an open door.
            z_world_m[b, i] = z
            entry_key_out[b, i] = (ABSENT << LANE_SHIFT) | wp.int64(i)
            entry_key_out[b, second] = (ABSENT << LANE_SHIFT) | wp.int64(second)
            if door_s[b, i] > 0.0:
                aside = wp.where(lateral < 0.0, 0.5 * DOOR_M, -0.5 * DOOR_M)
                box_out[b, i] = wp.vec4(x - aside * n, xy[1] + half_base * n + aside * c, c, n)
                body_out[b, i] = wp.vec4(size[0], size[1] + DOOR_M, z, 0.0)
                in_way = wp.abs(lateral) - 0.5 * size[1] - DOOR_M < WIDEST_HALF_M
                if in_way or lanes.cycle_m[sample_here] != 0.0:  # cyclists stop for it, others drive past
                    entry_out[b, i] = wp.vec4(s, 0.0, 0.5 * size[0], 0.5 * size[0])
                    entry_key_out[b, i] = lane_key(lane, s, i)
            continue
        indicator_out[b, i] = indicated(
            lanes, lane, path_lane[b, i][1], path_valid[b, i, 1], s, speed, change_start_m[b, i]
        )
        z_world_m[b, i] = z
        pitch_rad[b, i] = wp.where(grade == 0.0, 0.0, -wp.atan(grade))
        entry_out[b, i] = wp.vec4(s, speed, rear, front)
        entry_key_out[b, i] = lane_key(lane, s, i)
        entry_key_out[b, second] = second_key


@wp.kernel
def sort_keys(
    # In
    mask: wp.array(dtype=wp.bool),
    key: wp.array2d(dtype=wp.int64),
    # Out
    sorted_key_out: wp.array2d(dtype=wp.int64),
    rank_out: wp.array2d(dtype=wp.int32),
):
    """Insertion sort of each world's keys, starting from last tick's order; `rank_out` is the inverse."""
    b = wp.tid()
    if not mask[b]:
        return
    count = sorted_key_out.shape[1]
    for k in range(count):
        x = key[b, key_slot(sorted_key_out[b, k])]
        j = int(k)
        while j > 0 and sorted_key_out[b, j - 1] > x:
            sorted_key_out[b, j] = sorted_key_out[b, j - 1]
            j = j - 1
        sorted_key_out[b, j] = x
    for k in range(count):
        rank_out[b, key_slot(sorted_key_out[b, k])] = k
