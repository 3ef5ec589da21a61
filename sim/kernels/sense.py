"""What is read from the present state: the route ahead, the boxes around the ego, an observation of every actor."""

import warp as wp

from sim.kernels.lanes import STOREY_M, Lanes, lane_center, lane_pose, wrap_angle
from sim.kernels.order import ABSENT, LANE_SHIFT, key_slot

wp.set_module_options({"enable_backward": False})

PATH_POINTS = wp.constant(10)
PATH_STEP_M = wp.constant(5.0)
OWN = wp.constant(8)
OBSERVE_RANGE_M2 = wp.constant(6400.0)  # 80 m
NOBODY = wp.constant(wp.int64(4294967295))  # in place of an actor's index

# An observation is three of these: own and path, the four nearest others, the next four.
observation_part = wp.types.vector(length=28, dtype=wp.float32)
nearest_keys = wp.types.vector(length=8, dtype=wp.int64)


@wp.func
def distance_key(squared_m2: float, j: wp.int64) -> wp.int64:
    """A key that sorts by distance, then by index: the bits of floats that are not negative are in their order."""
    return (wp.int64(wp.cast(squared_m2, wp.int32)) << wp.int64(32)) | j


@wp.func
def key_of_other(mine: wp.vec4, z: float, other: wp.vec4, other_z: float, j: int) -> wp.int64:
    """Key of actor j as seen from `mine`; beyond the range where it is on another storey."""
    dx = other[0] - mine[0]
    dy = other[1] - mine[1]
    far = wp.abs(other_z - z) > STOREY_M
    return distance_key(wp.where(far, 1.0e9, dx * dx + dy * dy), wp.int64(j))


@wp.func
def nearest_others(
    b: int,
    i: int,
    mine: wp.vec4,
    z: float,
    box: wp.array2d(dtype=wp.vec4),
    body: wp.array2d(dtype=wp.vec4),
    sorted_x: wp.array2d(dtype=wp.int64),
    rank_x: wp.array2d(dtype=wp.int32),
) -> nearest_keys:
    """Keys of the eight nearest within range, ascending.

    To the right and to the left from the own place in the x order, until x alone is farther than the eighth; kept in
    order without branches, which would be guessed wrong here.
    """
    none = distance_key(OBSERVE_RANGE_M2, NOBODY)
    k0 = wp.int64(none)
    k1 = wp.int64(none)
    k2 = wp.int64(none)
    k3 = wp.int64(none)
    k4 = wp.int64(none)
    k5 = wp.int64(none)
    k6 = wp.int64(none)
    k7 = wp.int64(none)
    count = sorted_x.shape[1]
    limit = float(OBSERVE_RANGE_M2)
    k = rank_x[b, i] + 1
    while k < count:
        key = sorted_x[b, k]
        j = key_slot(key)
        other = box[b, j]
        dx = other[0] - mine[0]
        k = k + 1
        if (key >> LANE_SHIFT) == ABSENT or dx * dx > limit:
            k = count
        else:
            x = key_of_other(mine, z, other, body[b, j][2], j)
            k7 = wp.min(k7, wp.max(k6, x))
            k6 = wp.min(k6, wp.max(k5, x))
            k5 = wp.min(k5, wp.max(k4, x))
            k4 = wp.min(k4, wp.max(k3, x))
            k3 = wp.min(k3, wp.max(k2, x))
            k2 = wp.min(k2, wp.max(k1, x))
            k1 = wp.min(k1, wp.max(k0, x))
            k0 = wp.min(k0, x)
            limit = wp.cast(wp.int32(k7 >> wp.int64(32)), wp.float32)
    k = rank_x[b, i] - 1
    while k >= 0:
        j = key_slot(sorted_x[b, k])
        other = box[b, j]
        dx = other[0] - mine[0]
        k = k - 1
        if dx * dx > limit:
            k = -1
        else:
            x = key_of_other(mine, z, other, body[b, j][2], j)
            k7 = wp.min(k7, wp.max(k6, x))
            k6 = wp.min(k6, wp.max(k5, x))
            k5 = wp.min(k5, wp.max(k4, x))
            k4 = wp.min(k4, wp.max(k3, x))
            k3 = wp.min(k3, wp.max(k2, x))
            k2 = wp.min(k2, wp.max(k1, x))
            k1 = wp.min(k1, wp.max(k0, x))
            k0 = wp.min(k0, x)
            limit = wp.cast(wp.int32(k7 >> wp.int64(32)), wp.float32)
    return nearest_keys(k0, k1, k2, k3, k4, k5, k6, k7)


@wp.kernel
def sense_route(
    # World
    lanes: Lanes,
    step_m: float,
    route_lane: wp.array2d(dtype=wp.int32),
    route_valid: wp.array2d(dtype=wp.bool),
    route_offset_m: wp.array2d(dtype=float),
    route_length_m: wp.array(dtype=float),
    # State
    xy_world_m: wp.array2d(dtype=wp.vec2),
    yaw_world_rad: wp.array2d(dtype=float),
    path_lane: wp.array2d(dtype=wp.vec4i),
    lane_s_m: wp.array2d(dtype=float),
    lane_lateral_m: wp.array2d(dtype=float),
    route_index: wp.array(dtype=wp.int32),
    # In
    mask: wp.array(dtype=wp.bool),
    # Out
    xy_ego_m_out: wp.array2d(dtype=wp.vec2),
    speed_limit_mps_out: wp.array2d(dtype=float),
    valid_out: wp.array2d(dtype=wp.bool),
    lateral_m_out: wp.array(dtype=float),
    heading_rad_out: wp.array(dtype=float),
    remaining_m_out: wp.array(dtype=float),
):
    """Point p lies p * step ahead of the ego along its route, in its frame; points past the goal repeat the goal."""
    b, p = wp.tid()
    if not mask[b]:
        return
    index = int(route_index[b])
    lane = path_lane[b, 0][0]
    s = lane_s_m[b, 0]
    # Past the goal the path runs on beyond the route: nothing remains.
    remaining = float(0.0)
    if lane == route_lane[b, index]:
        remaining = wp.max(route_length_m[b] - route_offset_m[b, index] - s, 0.0)
    yaw = yaw_world_rad[b, 0]
    if p == 0:
        here = lane_pose(lanes, lane, s)
        lateral_m_out[b] = lane_lateral_m[b, 0]
        heading_rad_out[b] = wrap_angle(yaw - here[2])
        remaining_m_out[b] = remaining
    ahead = float(p) * step_m
    valid_out[b, p] = ahead <= remaining
    s = s + wp.min(ahead, remaining)
    while s > lanes.meta[lane][0] and index + 1 < route_lane.shape[1] and route_valid[b, index + 1]:
        s = s - lanes.meta[lane][0]
        index = index + 1
        lane = route_lane[b, index]
    pose = lane_pose(lanes, lane, s)
    dx = pose[0] - xy_world_m[b, 0][0]
    dy = pose[1] - xy_world_m[b, 0][1]
    c = wp.cos(yaw)
    n = wp.sin(yaw)
    xy_ego_m_out[b, p] = wp.vec2(c * dx + n * dy, c * dy - n * dx)
    speed_limit_mps_out[b, p] = lanes.meta[lane][2]


@wp.kernel
def sense_ego(
    # World
    dt: float,
    wheelbase_m: wp.array2d(dtype=float),
    size_m: wp.array2d(dtype=wp.vec3),
    # State
    tick: wp.array(dtype=wp.int64),
    speed_mps: wp.array2d(dtype=float),
    accel_mps2: wp.array2d(dtype=float),
    steer_rad: wp.array2d(dtype=float),
    yaw_rate_radps: wp.array2d(dtype=float),
    # Out
    speed_mps_out: wp.array(dtype=float),
    accel_mps2_out: wp.array(dtype=float),
    steer_rad_out: wp.array(dtype=float),
    yaw_rate_radps_out: wp.array(dtype=float),
    wheelbase_m_out: wp.array(dtype=float),
    size_m_out: wp.array(dtype=wp.vec3),
    time_s_out: wp.array(dtype=float),
):
    """Odometry of actor 0."""
    b = wp.tid()
    speed_mps_out[b] = speed_mps[b, 0]
    accel_mps2_out[b] = accel_mps2[b, 0]
    steer_rad_out[b] = steer_rad[b, 0]
    yaw_rate_radps_out[b] = yaw_rate_radps[b, 0]
    wheelbase_m_out[b] = wheelbase_m[b, 0]
    size_m_out[b] = size_m[b, 0]
    time_s_out[b] = float(tick[b]) * dt


@wp.kernel
def sense_boxes(
    # World
    size_m: wp.array2d(dtype=wp.vec3),
    kind: wp.array2d(dtype=wp.int32),
    # State
    valid: wp.array2d(dtype=wp.bool),
    xy_world_m: wp.array2d(dtype=wp.vec2),
    yaw_world_rad: wp.array2d(dtype=float),
    speed_mps: wp.array2d(dtype=float),
    # In
    mask: wp.array(dtype=wp.bool),
    box: wp.array2d(dtype=wp.vec4),
    body: wp.array2d(dtype=wp.vec4),
    # Out
    center_ego_m_out: wp.array2d(dtype=wp.vec3),
    size_m_out: wp.array2d(dtype=wp.vec3),
    yaw_ego_rad_out: wp.array2d(dtype=float),
    velocity_ego_mps_out: wp.array2d(dtype=wp.vec2),
    kind_out: wp.array2d(dtype=wp.int32),
    score_out: wp.array2d(dtype=float),
    track_id_out: wp.array2d(dtype=wp.int32),
    valid_out: wp.array2d(dtype=wp.bool),
):
    """Box k is actor k + 1 as seen from the ego; rows that are not valid are zero."""
    b, k = wp.tid()
    if not mask[b]:
        return
    i = k + 1
    valid_out[b, k] = valid[b, i]
    track_id_out[b, k] = i
    if not valid[b, i]:
        center_ego_m_out[b, k] = wp.vec3(0.0, 0.0, 0.0)
        size_m_out[b, k] = wp.vec3(0.0, 0.0, 0.0)
        yaw_ego_rad_out[b, k] = 0.0
        velocity_ego_mps_out[b, k] = wp.vec2(0.0, 0.0)
        kind_out[b, k] = 0
        score_out[b, k] = 0.0
        return
    ego = box[b, 0]
    at = box[b, i]
    dx = at[0] - xy_world_m[b, 0][0]
    dy = at[1] - xy_world_m[b, 0][1]
    size = size_m[b, i]
    speed = speed_mps[b, i]
    center_ego_m_out[b, k] = wp.vec3(ego[2] * dx + ego[3] * dy, ego[2] * dy - ego[3] * dx, 0.5 * size[2])
    size_m_out[b, k] = wp.vec3(size[0], body[b, i][1], size[2])  # open doors included
    yaw_ego_rad_out[b, k] = wrap_angle(yaw_world_rad[b, i] - yaw_world_rad[b, 0])
    cos = ego[2] * at[2] + ego[3] * at[3]
    sin = ego[2] * at[3] - ego[3] * at[2]
    velocity_ego_mps_out[b, k] = wp.vec2(speed * cos, speed * sin)
    kind_out[b, k] = kind[b, i]
    score_out[b, k] = 1.0


@wp.func
def others_part(
    b: int,
    mine: wp.vec4,
    speed: float,
    keys: nearest_keys,
    first: int,
    box: wp.array2d(dtype=wp.vec4),
    body: wp.array2d(dtype=wp.vec4),
) -> observation_part:
    """Four others from the `first` key on: x, y, velocity relative to one's own speed, cos, sin, length."""
    part = observation_part()
    for k in range(4):
        key = keys[first + k]
        if (key & NOBODY) != NOBODY:
            j = int(key & NOBODY)
            other = box[b, j]
            body_j = body[b, j]
            dx = other[0] - mine[0]
            dy = other[1] - mine[1]
            cos = mine[2] * other[2] + mine[3] * other[3]
            sin = mine[2] * other[3] - mine[3] * other[2]
            part[7 * k] = mine[2] * dx + mine[3] * dy
            part[7 * k + 1] = mine[2] * dy - mine[3] * dx
            part[7 * k + 2] = body_j[3] * cos - speed
            part[7 * k + 3] = body_j[3] * sin
            part[7 * k + 4] = cos
            part[7 * k + 5] = sin
            part[7 * k + 6] = body_j[0]
    return part


@wp.kernel
def observe_actors(
    # World
    threads: int,
    lanes: Lanes,
    first_person: int,
    # State
    valid: wp.array2d(dtype=wp.bool),
    accel_mps2: wp.array2d(dtype=float),
    steer_rad: wp.array2d(dtype=float),
    yaw_world_rad: wp.array2d(dtype=float),
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
    lane_s_m: wp.array2d(dtype=float),
    lane_lateral_m: wp.array2d(dtype=float),
    # In
    box: wp.array2d(dtype=wp.vec4),
    body: wp.array2d(dtype=wp.vec4),
    sorted_x: wp.array2d(dtype=wp.int64),
    rank_x: wp.array2d(dtype=wp.int32),
    # Out
    observation_out: wp.array3d(dtype=observation_part),
):
    """Per actor, in its own axes: motion and size (8), the path ahead (10 points x 2), the 8 nearest others (x 7)."""
    b, t = wp.tid()
    for i in range(t, wp.int32(valid.shape[1]), threads):
        part = observation_part()
        if not valid[b, i]:
            observation_out[b, i, 0] = part
            observation_out[b, i, 1] = part
            observation_out[b, i, 2] = part
            continue
        mine = box[b, i]
        own = body[b, i]
        part[0] = own[3]
        part[1] = accel_mps2[b, i]
        part[2] = steer_rad[b, i]
        part[3] = lane_lateral_m[b, i]
        part[4] = own[0]
        part[5] = own[1]
        if i < first_person:
            path = path_lane[b, i]
            lane = int(path[0])
            s = float(lane_s_m[b, i])
            part[6] = wrap_angle(yaw_world_rad[b, i] - lane_pose(lanes, lane, s)[2])
            part[7] = lanes.meta[lane][2]
            k = int(0)
            p = int(0)
            while p < PATH_POINTS:
                s += PATH_STEP_M
                while k < 3 and s > lanes.meta[lane][0] and path_valid[b, i, k + 1]:
                    s -= lanes.meta[lane][0]
                    k = k + 1
                    lane = path[k]
                at = lane_center(lanes, lane, s)
                dx = at[0] - mine[0]
                dy = at[1] - mine[1]
                part[OWN + 2 * p] = mine[2] * dx + mine[3] * dy
                part[OWN + 2 * p + 1] = mine[2] * dy - mine[3] * dx
                p = p + 1
        observation_out[b, i, 0] = part
        keys = nearest_others(b, i, mine, own[2], box, body, sorted_x, rank_x)
        observation_out[b, i, 1] = others_part(b, mine, own[3], keys, 0, box, body)
        observation_out[b, i, 2] = others_part(b, mine, own[3], keys, 4, box, body)
