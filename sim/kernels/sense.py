"""What is read from the present state: the route ahead, the boxes around the ego, an observation of every actor."""

import warp as wp

from sim.kernels.lanes import Lanes, lane_pose, wrap_angle
from sim.kernels.order import ABSENT, LANE_SHIFT, key_slot

wp.set_module_options({"enable_backward": False})

NEAREST = wp.constant(8)
PATH_POINTS = wp.constant(10)
PATH_STEP_M = wp.constant(5.0)
OWN = wp.constant(8)
PER_OTHER = wp.constant(7)
OBSERVE_RANGE_M = wp.constant(80.0)

nearest_indices = wp.types.vector(length=8, dtype=wp.int32)
nearest_distances = wp.types.vector(length=8, dtype=wp.float32)


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
    size_m_out[b, k] = size
    yaw_ego_rad_out[b, k] = wrap_angle(yaw_world_rad[b, i] - yaw_world_rad[b, 0])
    cos = ego[2] * at[2] + ego[3] * at[3]
    sin = ego[2] * at[3] - ego[3] * at[2]
    velocity_ego_mps_out[b, k] = wp.vec2(speed * cos, speed * sin)
    kind_out[b, k] = kind[b, i]
    score_out[b, k] = 1.0


@wp.kernel
def observe_actors(
    # World
    threads: int,
    lanes: Lanes,
    size_m: wp.array2d(dtype=wp.vec3),
    first_person: int,
    # State
    valid: wp.array2d(dtype=wp.bool),
    speed_mps: wp.array2d(dtype=float),
    accel_mps2: wp.array2d(dtype=float),
    steer_rad: wp.array2d(dtype=float),
    yaw_world_rad: wp.array2d(dtype=float),
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
    lane_s_m: wp.array2d(dtype=float),
    lane_lateral_m: wp.array2d(dtype=float),
    # In
    box: wp.array2d(dtype=wp.vec4),
    sorted_x: wp.array2d(dtype=wp.int64),
    rank_x: wp.array2d(dtype=wp.int32),
    # Out
    observation_out: wp.array3d(dtype=float),
):
    """Per actor, in its own axes: motion and size (8), the path ahead (10 points x 2), the 8 nearest others (x 7)."""
    b, t = wp.tid()
    for i in range(t, wp.int32(valid.shape[1]), threads):
        if not valid[b, i]:
            for q in range(observation_out.shape[2]):
                observation_out[b, i, q] = 0.0
            continue
        mine = box[b, i]
        observation_out[b, i, 0] = speed_mps[b, i]
        observation_out[b, i, 1] = accel_mps2[b, i]
        observation_out[b, i, 2] = steer_rad[b, i]
        observation_out[b, i, 3] = lane_lateral_m[b, i]
        observation_out[b, i, 4] = size_m[b, i][0]
        observation_out[b, i, 5] = size_m[b, i][1]
        if i < first_person:
            path = path_lane[b, i]
            lane = int(path[0])
            s = float(lane_s_m[b, i])
            observation_out[b, i, 6] = wrap_angle(yaw_world_rad[b, i] - lane_pose(lanes, lane, s)[2])
            observation_out[b, i, 7] = lanes.meta[lane][2]
            k = int(0)
            for p in range(PATH_POINTS):
                s += PATH_STEP_M
                while k < 3 and s > lanes.meta[lane][0] and path_valid[b, i, k + 1]:
                    s -= lanes.meta[lane][0]
                    k = k + 1
                    lane = path[k]
                pose = lane_pose(lanes, lane, s)
                dx = pose[0] - mine[0]
                dy = pose[1] - mine[1]
                observation_out[b, i, OWN + 2 * p] = mine[2] * dx + mine[3] * dy
                observation_out[b, i, OWN + 2 * p + 1] = mine[2] * dy - mine[3] * dx
        index = nearest_indices()
        distance = nearest_distances()
        for k in range(NEAREST):
            distance[k] = OBSERVE_RANGE_M * OBSERVE_RANGE_M
            index[k] = -1
        count = sorted_x.shape[1]
        left = rank_x[b, i] - 1
        right = rank_x[b, i] + 1
        # Outwards from the own place in the x order, until x alone is farther than the worst of the nearest.
        while left >= 0 or right < count:
            j = int(-1)
            from_left = left >= 0
            if from_left:
                j = key_slot(sorted_x[b, left])
                left = left - 1
            else:
                key = sorted_x[b, right]
                j = key_slot(key)
                right = right + 1
                if (key >> LANE_SHIFT) == ABSENT:
                    break
            dx = box[b, j][0] - mine[0]
            if dx * dx > distance[NEAREST - 1]:
                if from_left:
                    left = -1
                    continue
                break
            dy = box[b, j][1] - mine[1]
            d = dx * dx + dy * dy
            if d < distance[NEAREST - 1]:
                k = int(NEAREST - 1)
                while k > 0 and distance[k - 1] > d:
                    distance[k] = distance[k - 1]
                    index[k] = index[k - 1]
                    k = k - 1
                distance[k] = d
                index[k] = j
        for k in range(NEAREST):
            at = OWN + 2 * PATH_POINTS + PER_OTHER * k
            j = index[k]
            if j < 0:
                for q in range(PER_OTHER):
                    observation_out[b, i, at + q] = 0.0
            else:
                other = box[b, j]
                dx = other[0] - mine[0]
                dy = other[1] - mine[1]
                cos = mine[2] * other[2] + mine[3] * other[3]
                sin = mine[2] * other[3] - mine[3] * other[2]
                observation_out[b, i, at] = mine[2] * dx + mine[3] * dy
                observation_out[b, i, at + 1] = mine[2] * dy - mine[3] * dx
                observation_out[b, i, at + 2] = speed_mps[b, j] * cos - speed_mps[b, i]
                observation_out[b, i, at + 3] = speed_mps[b, j] * sin
                observation_out[b, i, at + 4] = cos
                observation_out[b, i, at + 5] = sin
                observation_out[b, i, at + 6] = size_m[b, j][0]
