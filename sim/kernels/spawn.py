"""How an episode begins: everything drawn from (seed, map) alone, so a world is the same wherever it stands in a batch.

Spawning is serial within a world: each actor is placed clear of those before it.
"""

import warp as wp

from sim.kernels.cycling import BICYCLE
from sim.kernels.lanes import Lanes, cell_at, lane_pose, sample_at, sample_s, wrap_angle
from sim.kernels.motion import draw_path, rail_pose
from sim.kernels.order import ABSENT, LANE_SHIFT
from sim.kernels.rng import (
    CHARACTER,
    EGO,
    KIND,
    MANNERS,
    PLACE,
    ROUTE,
    below,
    between,
    random_key,
    uniform,
)

wp.set_module_options({"enable_backward": False})

CHILD_SHARE = wp.constant(0.12)  # of people
CAR = wp.constant(0)
TRUCK = wp.constant(1)
BUS = wp.constant(2)
PEDESTRIAN = wp.constant(3)
MOTORCYCLE = wp.constant(5)
EGO_TRIES = wp.constant(48)
PLACE_TRIES = wp.constant(32)
NEAR_M = wp.constant(130.0)  # traffic is placed this close to the ego's route
MIN_GAP_M = wp.constant(7.0)
BESIDE_M = wp.constant(2.9)
EGO_FRONT_M = wp.constant(4.0)
CYCLING_LIMIT_MPS = wp.constant(26.0)  # nobody cycles on faster roads: motorways and their like
GOAL_BEFORE_END_M = wp.constant(6.0)


@wp.func
def draw_route(
    lanes: Lanes,
    key: wp.uint64,
    b: int,
    lane: int,
    s: float,
    wanted_m: float,
    route_lane: wp.array2d(dtype=wp.int32),
    route_valid: wp.array2d(dtype=wp.bool),
    route_offset_m: wp.array2d(dtype=float),
) -> float:
    """Random successors from (lane, s) until `wanted_m`, a dead end or the array's end; returns the length drawn."""
    covered = -s
    at = int(lane)
    more = bool(True)
    for r in range(route_lane.shape[1]):
        route_lane[b, r] = at
        route_valid[b, r] = more
        route_offset_m[b, r] = covered
        if more:
            covered += lanes.meta[at][0]
            first = lanes.successor_first[at]
            count = lanes.successor_first[at + 1] - first
            if count == 0:
                covered -= GOAL_BEFORE_END_M  # so that the nose is still on the road at the goal
            more = covered < wanted_m and count > 0
            if more:
                at = lanes.successor[first + below(key, r, count)]
    return wp.min(covered, wanted_m)


@wp.func
def fits(lanes: Lanes, sample: int, front: float) -> bool:
    """Whether a vehicle may start at a sample: outside junctions, on a full lane, its nose short of the lane's end."""
    lane = lanes.sample_lane[sample]
    to_end = lanes.meta[lane][0] - sample_s(lanes, sample)
    return lanes.meta[lane][3] < 0.5 and lanes.width_m[sample] > 2.4 and to_end > front + 2.0


@wp.func
def cruise_mps(lanes: Lanes, lane: int, kind: int, factor: float) -> float:
    """What a vehicle would like to drive on a lane without bends."""
    limit = lanes.meta[lane][2]
    return wp.where(kind == BICYCLE, wp.min(limit, factor), limit * factor)


@wp.func
def may_use(lanes: Lanes, lane: int, kind: int) -> bool:
    return kind != BICYCLE or lanes.meta[lane][2] < CYCLING_LIMIT_MPS


@wp.kernel
def spawn_ego(
    # World
    lanes: Lanes,
    wanted_m: float,
    mask: wp.array(dtype=wp.bool),
    new_seed: wp.array(dtype=wp.int64),
    new_map: wp.array(dtype=wp.int32),
    # Out
    seed_out: wp.array(dtype=wp.int64),
    map_index_out: wp.array(dtype=wp.int32),
    route_lane_out: wp.array2d(dtype=wp.int32),
    route_valid_out: wp.array2d(dtype=wp.bool),
    route_offset_m_out: wp.array2d(dtype=float),
    route_length_m_out: wp.array(dtype=float),
    tick_out: wp.array(dtype=wp.int64),
    route_index_out: wp.array(dtype=wp.int32),
    progress_m_out: wp.array(dtype=float),
    path_lane_out: wp.array2d(dtype=wp.vec4i),
    lane_s_m_out: wp.array2d(dtype=float),
):
    """Seed, clock, start and route of each masked world: of some drawn starts the first with a route long enough."""
    b = wp.tid()
    if not mask[b]:
        return
    seed = new_seed[b]
    world_map = new_map[b]
    seed_out[b] = seed
    map_index_out[b] = world_map
    tick_out[b] = wp.int64(0)
    route_index_out[b] = 0
    progress_m_out[b] = 0.0
    first = lanes.sample_first[lanes.lane_first[world_map]]
    count = lanes.sample_first[lanes.lane_first[world_map + 1]] - first
    best = float(-1.0)
    best_try = int(0)
    best_sample = int(first)
    for k in range(EGO_TRIES + 1):
        attempt = k
        if k == EGO_TRIES:
            attempt = best_try  # none was long enough: draw the longest again
        key = random_key(seed, EGO, attempt, wp.int64(0))
        sample = first + below(key, 0, count)
        if k == EGO_TRIES:
            sample = best_sample
        lane = lanes.sample_lane[sample]
        s = sample_s(lanes, sample)
        usable = fits(lanes, sample, EGO_FRONT_M) and best < wanted_m
        if usable or (k == EGO_TRIES and best < wanted_m):
            length = draw_route(
                lanes,
                random_key(seed, ROUTE, attempt, wp.int64(0)),
                b,
                lane,
                s,
                wanted_m,
                route_lane_out,
                route_valid_out,
                route_offset_m_out,
            )
            if length > best or k == EGO_TRIES:
                best = length
                best_try = attempt
                best_sample = sample
    route_length_m_out[b] = best
    lane_s_m_out[b, 0] = sample_s(lanes, best_sample)
    path_lane_out[b, 0] = wp.vec4i(lanes.sample_lane[best_sample], 0, 0, 0)


@wp.kernel
def draw_character(
    # World
    mask: wp.array(dtype=wp.bool),
    seed: wp.array(dtype=wp.int64),
    first_person: int,
    first_parked: int,
    cyclists: int,
    motorcycles: int,
    trucks: float,
    buses: float,
    wants_control: wp.array(dtype=wp.bool),
    # Out
    controlled_out: wp.array2d(dtype=wp.bool),
    kind_out: wp.array2d(dtype=wp.int32),
    size_m_out: wp.array2d(dtype=wp.vec3),
    wheelbase_m_out: wp.array2d(dtype=float),
    appearance_id_out: wp.array2d(dtype=wp.int32),
    speed_factor_out: wp.array2d(dtype=float),
    time_gap_s_out: wp.array2d(dtype=float),
    max_accel_mps2_out: wp.array2d(dtype=float),
    comfort_decel_mps2_out: wp.array2d(dtype=float),
    patience_s_out: wp.array2d(dtype=float),
    politeness_out: wp.array2d(dtype=float),
):
    """Kind, body and temper of every actor. Cars: body = appearance_id % 4 (saloon, hatchback, SUV, van)."""
    b, i = wp.tid()
    if not mask[b]:
        return
    key = random_key(seed[b], KIND, i, wp.int64(0))
    temper = random_key(seed[b], CHARACTER, i, wp.int64(0))
    appearance = below(key, 1, 65536)
    u = uniform(key, 0)
    kind = int(CAR)
    body = appearance % 4
    size = wp.vec3(4.7, 1.82, 1.45)
    wheelbase = float(2.8)
    if body == 1:
        size = wp.vec3(4.2, 1.78, 1.5)
        wheelbase = 2.55
    elif body == 2:
        size = wp.vec3(4.6, 1.9, 1.7)
        wheelbase = 2.7
    elif body == 3:
        size = wp.vec3(4.9, 1.95, 2.0)
        wheelbase = 3.0
    accel = between(temper, 0, 1.4, 2.2)
    if i >= first_person:
        kind = PEDESTRIAN
        size = wp.vec3(0.75, 0.55, between(key, 2, 1.55, 1.9))
        if uniform(key, 3) < CHILD_SHARE:
            size = wp.vec3(0.5, 0.42, between(key, 4, 1.05, 1.45))
        wheelbase = 0.0
    elif i >= first_parked:
        kind = CAR
    elif i >= first_parked - cyclists:
        kind = BICYCLE
        size = wp.vec3(1.75, 0.6, 1.75)
        wheelbase = 1.06
        accel = between(temper, 0, 0.8, 1.3)
    elif i >= first_parked - cyclists - motorcycles:
        kind = MOTORCYCLE
        size = wp.vec3(2.1, 0.8, 1.6)
        wheelbase = 1.42
        accel = between(temper, 0, 2.4, 3.5)
    elif i > 0 and u > 1.0 - buses:
        kind = BUS
        size = wp.vec3(11.0, 2.5, 3.1)
        wheelbase = 5.8
        accel = between(temper, 0, 0.9, 1.2)
    elif i > 0 and u > 1.0 - buses - trucks:
        kind = TRUCK
        size = wp.vec3(8.0, 2.5, 3.2)
        wheelbase = 4.5
        accel = between(temper, 0, 0.8, 1.2)
    controlled_out[b, i] = wants_control[i]
    kind_out[b, i] = kind
    size_m_out[b, i] = size
    wheelbase_m_out[b, i] = wheelbase
    appearance_id_out[b, i] = appearance
    factor = between(temper, 1, 0.8, 1.1)
    if i >= first_person:
        factor = between(temper, 1, 1.1, 1.7)
    elif kind == BICYCLE:
        factor = between(temper, 1, 3.4, 6.9)  # m/s: 12 to 25 km/h
    elif kind == MOTORCYCLE:
        factor = between(temper, 1, 0.95, 1.2)
    elif kind != CAR:
        factor = between(temper, 1, 0.75, 0.95)
    speed_factor_out[b, i] = factor
    time_gap_s_out[b, i] = between(temper, 2, 1.0, 1.8)
    max_accel_mps2_out[b, i] = accel
    comfort_decel_mps2_out[b, i] = between(temper, 3, 1.6, 2.5)
    manners = random_key(seed[b], MANNERS, i, wp.int64(0))
    patience_s_out[b, i] = between(manners, 0, 2.5, 7.5)
    politeness_out[b, i] = between(manners, 1, 0.0, 0.5)


@wp.func
def clear_of(
    b: int,
    i: int,
    pose: wp.vec4,
    size_m: wp.array2d(dtype=wp.vec3),
    wheelbase_m: wp.array2d(dtype=float),
    xy_world_m: wp.array2d(dtype=wp.vec2),
    yaw_world_rad: wp.array2d(dtype=float),
    valid: wp.array2d(dtype=wp.bool),
) -> bool:
    """Whether actor i at `pose` keeps the minimum gap, in its own axes and in theirs, to all placed before it."""
    c = wp.cos(pose[2])
    n = wp.sin(pose[2])
    x = pose[0] + 0.5 * wheelbase_m[b, i] * c
    y = pose[1] + 0.5 * wheelbase_m[b, i] * n
    for j in range(i):
        if valid[b, j]:
            cj = wp.cos(yaw_world_rad[b, j])
            nj = wp.sin(yaw_world_rad[b, j])
            dx = xy_world_m[b, j][0] + 0.5 * wheelbase_m[b, j] * cj - x
            dy = xy_world_m[b, j][1] + 0.5 * wheelbase_m[b, j] * nj - y
            reach = 0.5 * (size_m[b, i][0] + size_m[b, j][0]) + MIN_GAP_M
            if wp.abs(c * dx + n * dy) < reach and wp.abs(c * dy - n * dx) < BESIDE_M:
                return False
            if wp.abs(cj * dx + nj * dy) < reach and wp.abs(cj * dy - nj * dx) < BESIDE_M:
                return False
    return True


@wp.func
def draw_sample(
    lanes: Lanes,
    key: wp.uint64,
    world_map: int,
    near: float,
    b: int,
    route_lane: wp.array2d(dtype=wp.int32),
    route_valid: wp.array2d(dtype=wp.bool),
    start_s: float,
) -> int:
    """A lane sample around the ego's route (probability `near`) or anywhere on the map; -1 where it hit no road."""
    if uniform(key, 0) > near:
        first = lanes.sample_first[lanes.lane_first[world_map]]
        count = lanes.sample_first[lanes.lane_first[world_map + 1]] - first
        return first + below(key, 1, count)
    along = start_s + between(key, 2, 0.0, NEAR_M)
    r = int(0)
    lane = int(route_lane[b, 0])
    while along > lanes.meta[lane][0] and r + 1 < route_lane.shape[1] and route_valid[b, r + 1]:
        along -= lanes.meta[lane][0]
        r = r + 1
        lane = route_lane[b, r]
    pose = lane_pose(lanes, lane, along)
    angle = between(key, 3, 0.0, 6.2831853)
    away = NEAR_M * uniform(key, 4) * uniform(key, 5)
    cell = cell_at(lanes, world_map, wp.vec2(pose[0] + away * wp.cos(angle), pose[1] + away * wp.sin(angle)))
    if cell < 0:
        return -1
    first = lanes.cell_first[cell]
    count = lanes.cell_first[cell + 1] - first
    if count == 0:
        return -1
    return lanes.cell_sample[first + below(key, 6, count)]


@wp.kernel
def spawn_vehicles(
    # World
    lanes: Lanes,
    mask: wp.array(dtype=wp.bool),
    seed: wp.array(dtype=wp.int64),
    map_index: wp.array(dtype=wp.int32),
    first_parked: int,
    kind: wp.array2d(dtype=wp.int32),
    size_m: wp.array2d(dtype=wp.vec3),
    wheelbase_m: wp.array2d(dtype=float),
    speed_factor: wp.array2d(dtype=float),
    route_lane: wp.array2d(dtype=wp.int32),
    route_valid: wp.array2d(dtype=wp.bool),
    # Out
    valid_out: wp.array2d(dtype=wp.bool),
    xy_world_m_out: wp.array2d(dtype=wp.vec2),
    yaw_world_rad_out: wp.array2d(dtype=float),
    speed_mps_out: wp.array2d(dtype=float),
    steer_rad_out: wp.array2d(dtype=float),
    path_lane_out: wp.array2d(dtype=wp.vec4i),
    path_valid_out: wp.array3d(dtype=wp.bool),
    lane_s_m_out: wp.array2d(dtype=float),
):
    """Place the ego at its start and the other vehicles on free spots, most of them around its route."""
    b = wp.tid()
    if not mask[b]:
        return
    world_map = map_index[b]
    start_s = lane_s_m_out[b, 0]
    for i in range(first_parked):
        lane = int(path_lane_out[b, 0][0])
        s = float(start_s)
        placed = bool(i == 0)
        for attempt in range(PLACE_TRIES):
            if not placed:
                key = random_key(seed[b], PLACE, i, wp.int64(attempt))
                sample = draw_sample(lanes, key, world_map, 0.9, b, route_lane, route_valid, start_s)
                if sample >= 0 and fits(lanes, sample, 0.5 * (size_m[b, i][0] + wheelbase_m[b, i])):
                    pose = lanes.pose[sample]
                    welcome = may_use(lanes, lanes.sample_lane[sample], kind[b, i])
                    if welcome and clear_of(
                        b, i, pose, size_m, wheelbase_m, xy_world_m_out, yaw_world_rad_out, valid_out
                    ):
                        placed = True
                        lane = lanes.sample_lane[sample]
                        s = sample_s(lanes, sample)
        valid_out[b, i] = placed
        if not placed:
            lane = route_lane[b, 0]
            s = 0.0
        lane_s_m_out[b, i] = s
        cruise = cruise_mps(lanes, lane, kind[b, i], speed_factor[b, i])
        allowed = wp.min(cruise, lanes.curve_speed_mps[sample_at(lanes, lane, s)])
        temper = random_key(seed[b], PLACE, i, wp.int64(PLACE_TRIES))
        speed_mps_out[b, i] = allowed * between(temper, 0, 0.5, 0.9)
        draw_path(
            lanes,
            random_key(seed[b], ROUTE, i, wp.int64(-1)),
            b,
            i,
            lane,
            wheelbase_m[b, i],
            path_lane_out,
            path_valid_out,
        )
        at = rail_pose(lanes, b, i, s, wheelbase_m[b, i], path_lane_out, path_valid_out)
        xy_world_m_out[b, i] = wp.vec2(at[0], at[1])
        yaw_world_rad_out[b, i] = wrap_angle(wp.where(i == 0, at[3], at[2]))
        steer_rad_out[b, i] = 0.0
    path = path_lane_out[b, 0]
    tail_on_route = bool(True)
    for k in range(1, 4):
        if tail_on_route and k < route_lane.shape[1] and route_valid[b, k]:
            path[k] = route_lane[b, k]
            path_valid_out[b, 0, k] = True
        else:
            tail_on_route = False
            tail = path[k - 1]
            first = lanes.successor_first[tail]
            count = lanes.successor_first[tail + 1] - first
            path_valid_out[b, 0, k] = count > 0 and path_valid_out[b, 0, k - 1]
            path[k] = tail
            if path_valid_out[b, 0, k]:
                path[k] = lanes.successor[first + below(random_key(seed[b], ROUTE, 0, wp.int64(-2)), k, count)]
    path_lane_out[b, 0] = path


@wp.kernel
def clear_rest(
    # World
    mask: wp.array(dtype=wp.bool),
    first_person: int,
    # Out
    z_world_m_out: wp.array2d(dtype=float),
    pitch_rad_out: wp.array2d(dtype=float),
    speed_mps_out: wp.array2d(dtype=float),
    lateral_mps_out: wp.array2d(dtype=float),
    accel_mps2_out: wp.array2d(dtype=float),
    drive_mps2_out: wp.array2d(dtype=float),
    steer_rad_out: wp.array2d(dtype=float),
    yaw_rate_radps_out: wp.array2d(dtype=float),
    lane_s_m_out: wp.array2d(dtype=float),
    lane_lateral_m_out: wp.array2d(dtype=float),
    walk_s_m_out: wp.array2d(dtype=float),
    change_start_m_out: wp.array2d(dtype=float),
    change_time_s_out: wp.array2d(dtype=float),
    wait_s_out: wp.array2d(dtype=float),
    crash_s_out: wp.array2d(dtype=float),
    committed_out: wp.array2d(dtype=wp.int32),
    command_mps2_out: wp.array2d(dtype=float),
    collided_out: wp.array2d(dtype=wp.bool),
    sorted_key_out: wp.array2d(dtype=wp.int64),
    sorted_x_out: wp.array2d(dtype=wp.int64),
):
    """Zero what a new episode does not inherit, and start both orders from scratch."""
    b, i = wp.tid()
    if not mask[b]:
        return
    actors = wp.int32(collided_out.shape[1])
    if i >= first_person:
        speed_mps_out[b, i] = 0.0
        steer_rad_out[b, i] = 0.0
        lane_s_m_out[b, i] = 0.0
    else:
        walk_s_m_out[b, i] = 0.0
    z_world_m_out[b, i] = 0.0
    pitch_rad_out[b, i] = 0.0
    lateral_mps_out[b, i] = 0.0
    accel_mps2_out[b, i] = 0.0
    drive_mps2_out[b, i] = 0.0
    yaw_rate_radps_out[b, i] = 0.0
    lane_lateral_m_out[b, i] = 0.0
    change_start_m_out[b, i] = 0.0
    change_time_s_out[b, i] = 0.0
    wait_s_out[b, i] = 0.0
    crash_s_out[b, i] = 0.0
    committed_out[b, i] = 0
    command_mps2_out[b, i] = 0.0
    collided_out[b, i] = False
    sorted_key_out[b, i] = (ABSENT << LANE_SHIFT) | wp.int64(i)
    sorted_key_out[b, i + actors] = (ABSENT << LANE_SHIFT) | wp.int64(i + actors)
    sorted_x_out[b, i] = (ABSENT << LANE_SHIFT) | wp.int64(i)
