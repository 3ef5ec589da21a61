"""Percept, route and odometry to one flat row of numbers per world: what a learned driver sees.

The layout is told in sim/observe.py. One thread a world: the objects are ranked and each is compared with the route.
"""

import warp as wp

wp.set_module_options({"enable_backward": False})

ROUTE_STEP_M = wp.constant(2.0)
EGO_FEATURES = wp.constant(21)
ROUTE_FEATURES = wp.constant(4)
OBJECT_FEATURES = wp.constant(16)
CAR = wp.constant(0)
PERSON = wp.constant(3)
BICYCLE = wp.constant(4)
MOTORCYCLE = wp.constant(5)
PREDICT_STEP_S = wp.constant(0.5)
PREDICT_STEPS = wp.constant(7)
LATE_S = wp.constant(1.5)
MARGIN_M = wp.constant(0.5)
PERSON_MARGIN_M = wp.constant(1.0)
NO_GAP_M = wp.constant(60.0)
CLIP = wp.constant(10.0)


@wp.func
def observed_kind(kind: int):
    """The one of four kinds that a learned driver is told: cyclists are as vulnerable as people on foot."""
    if kind == BICYCLE:
        return PERSON
    return wp.where(kind == MOTORCYCLE, CAR, kind)


@wp.func
def scaled(value: float, scale: float):
    return wp.clamp(value / scale, -CLIP, CLIP)


@wp.func
def unit(v: wp.vec2):
    return v / wp.max(wp.length(v), 1.0e-6)


@wp.func
def idm(speed: float, desired: float, gap: float, lead_speed: float):
    """Intelligent Driver Model with the constants of planning.control.idm_accel_mps2."""
    ratio = speed / wp.max(desired, 0.1)
    square = ratio * ratio
    free = wp.max(2.0 * (1.0 - square * square), -2.5)
    closing = speed * (speed - lead_speed) / (2.0 * wp.sqrt(5.0))
    wanted = 3.0 + wp.max(speed * 1.4 + closing, 0.0)
    share = wanted / wp.max(gap, 0.1)
    return free - 2.0 * share * share


@wp.func
def nearest(points: wp.array2d(dtype=wp.vec2), b: int, xy: wp.vec2):
    best = float(1.0e30)
    index = int(0)
    for p in range(points.shape[1]):
        d = xy - points[b, p]
        square = d[0] * d[0] + d[1] * d[1]
        if square < best:
            best = square
            index = p
    return index


@wp.func
def along_lateral(
    points: wp.array2d(dtype=wp.vec2), tangents: wp.array2d(dtype=wp.vec2), b: int, index: int, xy: wp.vec2
):
    rel = xy - points[b, index]
    t = tangents[b, index]
    return wp.vec2(float(index) * ROUTE_STEP_M + (rel[0] * t[0] + rel[1] * t[1]), t[0] * rel[1] - t[1] * rel[0])


@wp.kernel
def continue_route(
    # In
    mask: wp.array(dtype=wp.bool),
    xy_ego_m: wp.array2d(dtype=wp.vec2),
    limit_mps: wp.array2d(dtype=float),
    route_valid: wp.array2d(dtype=wp.bool),
    lateral_m: wp.array(dtype=float),
    heading_rad: wp.array(dtype=float),
    # Out
    points_out: wp.array2d(dtype=wp.vec2),
    tangents_out: wp.array2d(dtype=wp.vec2),
    curvature_1pm_out: wp.array2d(dtype=float),
    allowed_mps_out: wp.array(dtype=float),
):
    """Twin of planning.route: route_points, curvature_1pm and allowed_speed_mps."""
    b = wp.tid()
    if not mask[b]:
        return
    count = int(0)
    for p in range(xy_ego_m.shape[1]):
        if route_valid[b, p]:
            count += 1
    last = wp.max(count - 1, 0)
    heading = heading_rad[b]
    direction = wp.vec2(wp.cos(heading), -wp.sin(heading))
    end = wp.vec2(-wp.sin(heading), -wp.cos(heading)) * lateral_m[b]
    if count > 0:
        end = xy_ego_m[b, last]
    if count > 1:
        direction = unit(xy_ego_m[b, last] - xy_ego_m[b, last - 1])
    points = xy_ego_m.shape[1]
    for p in range(points):
        if p < count:
            points_out[b, p] = xy_ego_m[b, p]
        else:
            points_out[b, p] = end + direction * (float(p - last) * ROUTE_STEP_M)
    allowed = float(60.0)
    for p in range(points):
        low = wp.max(p - 1, 0)
        high = wp.min(p + 1, points - 1)
        tangents_out[b, p] = unit(points_out[b, high] - points_out[b, low])
        middle = wp.clamp(p, 1, points - 2)
        ab = points_out[b, middle] - points_out[b, middle - 1]
        bc = points_out[b, middle + 1] - points_out[b, middle]
        ac = points_out[b, middle + 1] - points_out[b, middle - 1]
        square = wp.length_sq(ab) * wp.length_sq(bc) * wp.length_sq(ac)
        curvature = 2.0 * (ab[0] * bc[1] - ab[1] * bc[0]) / wp.max(wp.sqrt(square), 1.0e-3)
        curvature_1pm_out[b, p] = curvature
        if p < count:
            bend = wp.sqrt(2.0 / wp.max(wp.abs(curvature), 1.0e-4))
            v = wp.min(limit_mps[b, p], bend)
            allowed = wp.min(allowed, wp.sqrt(v * v + 2.0 * 1.5 * (float(p) * ROUTE_STEP_M)))
    allowed_mps_out[b] = allowed


@wp.kernel
def find_lead(
    # In
    mask: wp.array(dtype=wp.bool),
    center_ego_m: wp.array2d(dtype=wp.vec3),
    size_m: wp.array2d(dtype=wp.vec3),
    yaw_ego_rad: wp.array2d(dtype=float),
    velocity_ego_mps: wp.array2d(dtype=wp.vec2),
    kind: wp.array2d(dtype=int),
    object_valid: wp.array2d(dtype=wp.bool),
    points: wp.array2d(dtype=wp.vec2),
    tangents: wp.array2d(dtype=wp.vec2),
    allowed_mps: wp.array(dtype=float),
    speed_mps: wp.array(dtype=float),
    wheelbase_m: wp.array(dtype=float),
    ego_size_m: wp.array(dtype=wp.vec3),
    # Out
    lead_out: wp.array(dtype=wp.vec4),
):
    """Twin of agents.classical: the object, now or as predicted, that asks for the hardest braking.

    lead_out: acceleration for it (m/s^2; on a free road the free one), gap (m), its speed along the route (m/s), found.
    """
    b = wp.tid()
    if not mask[b]:
        return
    speed = speed_mps[b]
    front = 0.5 * (wheelbase_m[b] + ego_size_m[b][0])
    desired = allowed_mps[b]
    lead = wp.vec4(idm(speed, desired, 1.0e9, desired), NO_GAP_M, 0.0, 0.0)
    for k in range(center_ego_m.shape[1]):
        if not object_valid[b, k]:
            continue
        xy = wp.vec2(center_ego_m[b, k][0], center_ego_m[b, k][1])
        velocity = velocity_ego_mps[b, k]
        margin = MARGIN_M
        if kind[b, k] == PERSON:
            margin = PERSON_MARGIN_M
        size = size_m[b, k]
        # Nothing whose straight distance exceeds the reach of all predictions can matter: the route is never shorter.
        span = float(PREDICT_STEPS - 1) * PREDICT_STEP_S
        reach = 2.0 * front + size[0] + size[1] + (speed + wp.length(velocity)) * span + speed * LATE_S + 10.0
        if wp.length_sq(xy) > reach * reach:
            continue
        index = nearest(points, b, xy)
        t = tangents[b, index]
        c = wp.cos(yaw_ego_rad[b, k])
        s = wp.sin(yaw_ego_rad[b, k])
        parallel = wp.abs(c * t[0] + s * t[1])
        across = wp.abs(s * t[0] - c * t[1])
        half_along = 0.5 * (parallel * size[0] + across * size[1])
        half_lateral = 0.5 * (across * size[0] + parallel * size[1])
        along_speed = wp.max(velocity[0] * t[0] + velocity[1] * t[1], 0.0)
        corridor = 0.5 * ego_size_m[b][1] + half_lateral + margin
        for i in range(PREDICT_STEPS):
            time_s = float(i) * PREDICT_STEP_S
            future = xy + velocity * time_s
            place = along_lateral(points, tangents, b, nearest(points, b, future), future)
            gap = place[0] - half_along - front
            ahead = place[0] > front and place[0] + half_along > front + speed * time_s
            near = gap < speed * (time_s + LATE_S) + front
            if ahead and near and wp.abs(place[1]) < corridor:
                now_gap = wp.max(gap - along_speed * time_s, 0.3)
                accel = idm(speed, desired, now_gap, along_speed)
                if accel < lead[0]:
                    lead = wp.vec4(accel, now_gap, along_speed, 1.0)
    lead_out[b] = lead


@wp.kernel
def observe(
    # In
    mask: wp.array(dtype=wp.bool),
    center_ego_m: wp.array2d(dtype=wp.vec3),
    size_m: wp.array2d(dtype=wp.vec3),
    yaw_ego_rad: wp.array2d(dtype=float),
    velocity_ego_mps: wp.array2d(dtype=wp.vec2),
    kind: wp.array2d(dtype=int),
    object_valid: wp.array2d(dtype=wp.bool),
    points: wp.array2d(dtype=wp.vec2),
    tangents: wp.array2d(dtype=wp.vec2),
    curvature_1pm: wp.array2d(dtype=float),
    limit_mps: wp.array2d(dtype=float),
    route_valid: wp.array2d(dtype=wp.bool),
    lateral_m: wp.array(dtype=float),
    heading_rad: wp.array(dtype=float),
    remaining_m: wp.array(dtype=float),
    allowed_mps: wp.array(dtype=float),
    lead: wp.array(dtype=wp.vec4),
    speed_mps: wp.array(dtype=float),
    accel_mps2: wp.array(dtype=float),
    steer_rad: wp.array(dtype=float),
    yaw_rate_radps: wp.array(dtype=float),
    previous: wp.array2d(dtype=float),
    route_index: wp.array(dtype=int),
    objects: int,
    # Out
    rank_out: wp.array2d(dtype=int),
    observation_out: wp.array2d(dtype=float),
):
    b = wp.tid()
    if not mask[b]:
        return
    speed = speed_mps[b]
    limit = limit_mps[b, 0]
    if not route_valid[b, 0]:
        limit = allowed_mps[b]
    observation_out[b, 0] = scaled(speed, 20.0)
    observation_out[b, 1] = scaled(accel_mps2[b], 5.0)
    observation_out[b, 2] = scaled(steer_rad[b], 0.5)
    observation_out[b, 3] = scaled(yaw_rate_radps[b], 0.5)
    observation_out[b, 4] = previous[b, 0]
    observation_out[b, 5] = previous[b, 1]
    observation_out[b, 6] = scaled(lateral_m[b], 2.0)
    observation_out[b, 7] = scaled(heading_rad[b], 0.5)
    observation_out[b, 8] = scaled(wp.min(remaining_m[b], 100.0), 100.0)
    observation_out[b, 9] = scaled(limit, 20.0)
    observation_out[b, 10] = scaled(allowed_mps[b], 20.0)
    observation_out[b, 11] = scaled(allowed_mps[b] - speed, 5.0)
    gap = lead[b][1]
    found = lead[b][3]
    closing = wp.max(speed - lead[b][2], 0.0) * found
    observation_out[b, 12] = wp.clamp(lead[b][0] / 3.0, -3.0, 3.0)
    observation_out[b, 13] = scaled(gap, 30.0)
    observation_out[b, 14] = scaled(lead[b][2], 20.0)
    observation_out[b, 15] = found
    observation_out[b, 16] = wp.min(closing / wp.max(gap, 1.0), 3.0)
    observation_out[b, 17] = wp.min(gap, 10.0) / 10.0
    observation_out[b, 18] = scaled(closing, 10.0)
    observation_out[b, 19] = wp.min(closing * closing / (2.0 * wp.max(gap - 1.0, 0.3)) / 6.0, 2.0)
    observation_out[b, 20] = wp.min(gap / wp.max(speed, 1.0), 4.0) / 4.0
    for i in range(route_index.shape[0]):
        p = route_index[i]
        column = EGO_FEATURES + i * ROUTE_FEATURES
        observation_out[b, column] = scaled(points[b, p][0], 50.0)
        observation_out[b, column + 1] = scaled(points[b, p][1], 25.0)
        ahead_limit = limit
        if route_valid[b, p]:
            ahead_limit = limit_mps[b, p]
        observation_out[b, column + 2] = scaled(ahead_limit, 20.0)
        observation_out[b, column + 3] = scaled(curvature_1pm[b, p], 0.1)
    # The nearest objects, by insertion into a short sorted list
    listed = int(0)
    for k in range(center_ego_m.shape[1]):
        if not object_valid[b, k]:
            continue
        c = center_ego_m[b, k]
        square = c[0] * c[0] + c[1] * c[1]
        slot = listed
        while slot > 0:
            o = center_ego_m[b, rank_out[b, slot - 1]]
            if o[0] * o[0] + o[1] * o[1] <= square:
                break
            if slot < objects:
                rank_out[b, slot] = rank_out[b, slot - 1]
            slot -= 1
        if slot < objects:
            rank_out[b, slot] = k
            listed = wp.min(listed + 1, objects)
    first = EGO_FEATURES + route_index.shape[0] * ROUTE_FEATURES
    for slot in range(objects):
        column = first + slot * OBJECT_FEATURES
        if slot >= listed:
            for i in range(OBJECT_FEATURES):
                observation_out[b, column + i] = 0.0
            continue
        k = rank_out[b, slot]
        center = center_ego_m[b, k]
        xy = wp.vec2(center[0], center[1])
        velocity = velocity_ego_mps[b, k]
        index = nearest(points, b, xy)
        place = along_lateral(points, tangents, b, index, xy)
        t = tangents[b, index]
        observation_out[b, column] = 1.0
        observation_out[b, column + 1] = scaled(center[0], 50.0)
        observation_out[b, column + 2] = scaled(center[1], 25.0)
        observation_out[b, column + 3] = scaled(velocity[0], 20.0)
        observation_out[b, column + 4] = scaled(velocity[1], 20.0)
        observation_out[b, column + 5] = scaled(size_m[b, k][0], 10.0)
        observation_out[b, column + 6] = scaled(size_m[b, k][1], 3.0)
        observation_out[b, column + 7] = wp.cos(yaw_ego_rad[b, k])
        observation_out[b, column + 8] = wp.sin(yaw_ego_rad[b, k])
        code = observed_kind(kind[b, k])
        for i in range(4):
            observation_out[b, column + 9 + i] = wp.where(code == i, 1.0, 0.0)
        observation_out[b, column + 13] = scaled(place[0], 50.0)
        observation_out[b, column + 14] = scaled(place[1], 10.0)
        observation_out[b, column + 15] = scaled(velocity[0] * t[0] + velocity[1] * t[1], 20.0)
