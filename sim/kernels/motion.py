"""How traffic moves: on rails along its planned lanes, from lane to lane by a smooth sideways profile."""

import warp as wp

from sim.kernels.cycling import BICYCLE
from sim.kernels.lanes import Lanes, draw_successor, lane_pose, lane_project, wrap_angle
from sim.kernels.rng import PATH, random_key

wp.set_module_options({"enable_backward": False})

LANE_CHANGE_S = wp.constant(3.0)
SIDLE_M = wp.constant(8.0)  # way on which a cyclist moves over
VEER_M = wp.constant(25.0)  # and a vehicle within its lane
THERE_M = wp.constant(0.005)


@wp.func
def travelled(speed: float, accel: float, dt: float) -> wp.vec2:
    """Distance and new speed after `dt` of constant acceleration; braking ends at a standstill, never in reverse."""
    after = speed + accel * dt
    if after >= 0.0:
        return wp.vec2(0.5 * (speed + after) * dt, after)
    return wp.vec2(0.5 * speed * speed / wp.max(-accel, 1.0e-6), 0.0)


@wp.func
def shift_path(
    lanes: Lanes,
    seed: wp.int64,
    tick: wp.int64,
    b: int,
    i: int,
    wheelbase: float,
    route_lane: wp.array2d(dtype=wp.int32),
    route_valid: wp.array2d(dtype=wp.bool),
    route_index: wp.array(dtype=wp.int32),
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
) -> int:
    """Step to the next lane of the path and append one more: the ego's from its route, others' drawn."""
    path = path_lane[b, i]
    tail = path[3]
    found = bool(path_valid[b, i, 3])
    if i == 0:
        index = route_index[b] + 1
        if index < route_lane.shape[1] and route_valid[b, index]:
            route_index[b] = index
        ahead = index + 3
        if ahead < route_lane.shape[1] and route_valid[b, ahead]:
            tail = route_lane[b, ahead]
            path_lane[b, i] = wp.vec4i(path[1], path[2], path[3], tail)
            return path[1]
    if found:
        # Drawn by place in the path, not by lane number: that depends on the other maps of the graph.
        drawn = draw_successor(lanes, tail, random_key(seed, PATH, i, tick), 0, wheelbase)
        found = drawn >= 0
        tail = wp.where(found, drawn, tail)
    for k in range(3):
        path_valid[b, i, k] = path_valid[b, i, k + 1]
    path_valid[b, i, 3] = found
    path_lane[b, i] = wp.vec4i(path[1], path[2], path[3], tail)
    return path[1]


@wp.func
def draw_path(
    lanes: Lanes,
    key: wp.uint64,
    b: int,
    i: int,
    lane: int,
    wheelbase: float,
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
):
    """Fill an actor's path from `lane` on with random successors."""
    path = wp.vec4i(lane, lane, lane, lane)
    path_valid[b, i, 0] = True
    found = bool(True)
    tail = int(lane)
    for k in range(1, 4):
        if found:
            drawn = draw_successor(lanes, tail, key, k, wheelbase)
            found = drawn >= 0
            tail = wp.where(found, drawn, tail)
        path[k] = tail
        path_valid[b, i, k] = found
    path_lane[b, i] = path


@wp.func
def rail_pose(
    lanes: Lanes,
    b: int,
    i: int,
    s: float,
    wheelbase: float,
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
) -> wp.vec4:
    """Rear-axle x, y, heading and lane yaw of a vehicle whose two axles both stand on the planned lanes' centre.

    With the body along the lane's tangent instead, the nose of a bus would swing into the next lane in a tight turn.
    """
    path = path_lane[b, i]
    rear = lane_pose(lanes, path[0], s)
    k = int(0)
    lane = int(path[0])
    ahead = s + wheelbase
    while k < 3 and ahead > lanes.meta[lane][0] and path_valid[b, i, k + 1]:
        ahead -= lanes.meta[lane][0]
        k = k + 1
        lane = path[k]
    front = lane_pose(lanes, lane, ahead)
    beyond = ahead - lanes.meta[lane][0]
    dx = front[0] - rear[0]
    dy = front[1] - rear[1]
    if beyond > 0.0:
        dx += beyond * wp.cos(front[2])
        dy += beyond * wp.sin(front[2])
    return wp.vec4(rear[0], rear[1], wp.atan2(dy, dx), rear[2])


@wp.func
def change_offset(start_m: float, time_s: float) -> wp.vec2:
    """Lateral offset and its rate `time_s` into a lane change that began `start_m` from the new lane's centre.

    Minimum-jerk profile (Flash and Hogan, 1985): at rest laterally at both ends.
    """
    u = wp.clamp(time_s / LANE_CHANGE_S, 0.0, 1.0)
    done = u * u * u * (10.0 + u * (6.0 * u - 15.0))
    rate = 30.0 * u * u * (1.0 - u) * (1.0 - u) / LANE_CHANGE_S
    return wp.vec2(start_m * (1.0 - done), -start_m * rate)


@wp.kernel
def move_traffic(
    # World
    threads: int,
    lanes: Lanes,
    seed: wp.array(dtype=wp.int64),
    dt: float,
    first_parked: int,
    kind: wp.array2d(dtype=wp.int32),
    size_m: wp.array2d(dtype=wp.vec3),
    wheelbase_m: wp.array2d(dtype=float),
    controlled: wp.array2d(dtype=wp.bool),
    route_lane: wp.array2d(dtype=wp.int32),
    route_valid: wp.array2d(dtype=wp.bool),
    route_offset_m: wp.array2d(dtype=float),
    route_length_m: wp.array(dtype=float),
    # In
    command_mps2: wp.array2d(dtype=float),
    aim_m: wp.array2d(dtype=float),
    change_to: wp.array2d(dtype=wp.int32),
    next_committed: wp.array2d(dtype=wp.int32),
    next_wait_s: wp.array2d(dtype=float),
    tick: wp.array(dtype=wp.int64),
    # State
    valid: wp.array2d(dtype=wp.bool),
    xy_world_m: wp.array2d(dtype=wp.vec2),
    yaw_world_rad: wp.array2d(dtype=float),
    speed_mps: wp.array2d(dtype=float),
    accel_mps2: wp.array2d(dtype=float),
    steer_rad: wp.array2d(dtype=float),
    yaw_rate_radps: wp.array2d(dtype=float),
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
    lane_s_m: wp.array2d(dtype=float),
    lane_lateral_m: wp.array2d(dtype=float),
    route_index: wp.array(dtype=wp.int32),
    progress_m: wp.array(dtype=float),
    change_start_m: wp.array2d(dtype=float),
    change_time_s: wp.array2d(dtype=float),
    # Out
    committed_out: wp.array2d(dtype=wp.int32),
    wait_s_out: wp.array2d(dtype=float),
):
    """Vehicles on rails: along the lane by the commanded acceleration, across it by a running lane change
    or towards where they want to be in their lane."""
    b, t = wp.tid()
    for i in range(t, wp.int32(valid.shape[1]), threads):
        committed_out[b, i] = next_committed[b, i]
        wait_s_out[b, i] = next_wait_s[b, i]
        if i >= first_parked or controlled[b, i] or not valid[b, i]:
            continue
        speed = speed_mps[b, i]
        moved = travelled(speed, command_mps2[b, i], dt)
        s = lane_s_m[b, i]
        lane = path_lane[b, i][0]
        start = change_start_m[b, i]
        if change_to[b, i] >= 0:
            # The new lane becomes the own one at once; what is left of the old position is the lateral offset.
            other = change_to[b, i]
            ratio = lanes.meta[other][0] / lanes.meta[lane][0]
            on_new = lane_project(lanes, other, s * ratio, xy_world_m[b, i])
            s = on_new[0]
            start = on_new[1]
            lane = other
            draw_path(
                lanes, random_key(seed[b], PATH, i, tick[b]), b, i, lane, wheelbase_m[b, i], path_lane, path_valid
            )
            change_time_s[b, i] = 0.0
            change_start_m[b, i] = start
        s += moved[0]
        length = lanes.meta[lane][0]
        while s > length and path_valid[b, i, 1]:
            s -= length
            lane = shift_path(
                lanes,
                seed[b],
                tick[b],
                b,
                i,
                wheelbase_m[b, i],
                route_lane,
                route_valid,
                route_index,
                path_lane,
                path_valid,
            )
            length = lanes.meta[lane][0]
        front = 0.5 * (size_m[b, i][0] + wheelbase_m[b, i])
        if s + front > length and not path_valid[b, i, 1]:
            # A dead end: traffic leaves here and comes back elsewhere, the ego stands at the end.
            s = wp.min(s, length)
            moved[1] = 0.0
            if i > 0:
                valid[b, i] = False
        lateral = float(0.0)
        drift = float(0.0)
        if start != 0.0:
            # Slow traffic changes lanes more slowly: nobody slides sideways, and no long nose swings over the new lane.
            full_speed = 5.0 + 0.9 * size_m[b, i][0]
            time = change_time_s[b, i] + dt * wp.min(1.0, moved[1] / full_speed)
            across = change_offset(start, time)
            lateral = across[0]
            drift = wp.atan2(across[1], wp.max(moved[1], full_speed))
            change_time_s[b, i] = time
            if time >= LANE_CHANGE_S:
                change_start_m[b, i] = 0.0
        was = lane_lateral_m[b, i]
        if start == 0.0 and (aim_m[b, i] != 0.0 or was != 0.0):
            aside = aim_m[b, i] - was
            if wp.abs(aside) > THERE_M:
                aside = aside * moved[0] / (wp.where(kind[b, i] == BICYCLE, SIDLE_M, VEER_M) + moved[0])
            lateral = was + aside
            drift = wp.atan2(aside, wp.max(moved[0], 0.05))
        base = wheelbase_m[b, i]
        pose = rail_pose(lanes, b, i, s, base, path_lane, path_valid)
        yaw = wrap_angle(pose[2] + drift)
        xy = wp.vec2(pose[0], pose[1])
        if lateral != 0.0:
            xy += lateral * wp.vec2(-wp.sin(pose[3]), wp.cos(pose[3]))
        xy_world_m[b, i] = xy
        turned = wrap_angle(yaw - yaw_world_rad[b, i])
        yaw_rate_radps[b, i] = turned / dt
        yaw_world_rad[b, i] = yaw
        steer_rad[b, i] = wp.atan(base * turned / wp.max(moved[0], 0.05))
        accel_mps2[b, i] = (moved[1] - speed) / dt
        speed_mps[b, i] = moved[1]
        lane_s_m[b, i] = s
        lane_lateral_m[b, i] = lateral
        if i == 0:
            so_far = wp.min(route_offset_m[b, route_index[b]] + s, route_length_m[b])
            progress_m[b] = wp.max(progress_m[b], so_far)
