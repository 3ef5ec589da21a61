"""Where people walk: over a crosswalk, along the pavement or, where a map has neither and for the bold, straight over a
road from kerb to kerb; beside it where traffic is fast."""

import warp as wp

from sim.kernels.lanes import Lanes, edge_distance, lane_pose, nearest_sample, sample_s, wrap_angle
from sim.kernels.people import CROSSINGS, CROSSWALK_WALK, GROUP_SIZE, leader_of
from sim.kernels.rng import CROSSING, CROSSWALK, below, between, random_key, uniform
from sim.kernels.spawn import draw_sample

wp.set_module_options({"enable_backward": False})

CROSSING_TRIES = wp.constant(24)
CROSSWALK_SHARE = wp.constant(0.5)  # of the people on a map with crosswalks; the rest of these but
JAYWALK_SHARE = wp.constant(0.1)  # walks along the pavement
STROLL_SHARE = wp.constant(0.5)  # of the people on a map without crosswalks walks beside the road
STROLL_M = wp.constant(30.0)  # way along a straight pavement, and in bends
STROLL_LEAST_M = wp.constant(15.0)
STRAY_M = wp.constant(2.0)  # how much further from the asphalt than need be that way may lead
CROSSWALK_NEAR_M = wp.constant(150.0)  # people use crosswalks this close to the ego's start while there are some
CORNER_M = wp.constant(6.0)  # who does not use a crosswalk keeps this far from turning traffic
REFUGE_M = wp.constant(0.5)  # people wait at least this far from the asphalt
ABREAST_M = wp.constant(0.8)  # between members of a group
WIDE_LIMIT_MPS = wp.constant(17.0)  # nor several lanes of traffic faster than this
CROSSING_LIMIT_MPS = wp.constant(25.5)  # nobody crosses faster roads on foot


@wp.func
def kerb_distance(lanes: Lanes, world_map: int, xy: wp.vec2, direction: wp.vec2) -> float:
    """Distance from a point on the road to its edge along `direction`, in steps of 0.5 m; 100 where it is over 20 m."""
    for k in range(40):
        away = 0.5 * float(k)
        if edge_distance(lanes, world_map, xy + direction * away) < 0.0:
            return away
    return 100.0


@wp.func
def list_crossed_lanes(
    lanes: Lanes,
    world_map: int,
    b: int,
    p: int,
    origin: wp.vec2,
    goal: wp.vec2,
    inside: bool,
    cross_lane: wp.array3d(dtype=wp.int32),
    cross_s_m: wp.array3d(dtype=float),
    cross_at_m: wp.array3d(dtype=float),
) -> int:
    """List the lanes between two kerbs, where each is met; their number, 0 where they are too many or, unless `inside`
    is set, one of them lies in a junction."""
    across = goal - origin
    width = wp.length(across)
    direction = across / width
    count = int(0)
    for k in range(int(width)):
        at = 0.5 + float(k)
        xy = origin + direction * at
        near = nearest_sample(lanes, world_map, xy, -1)
        if near < 0:
            continue
        pose = lanes.pose[near]
        other = lanes.sample_lane[near]
        off = wp.vec2(pose[0], pose[1]) - xy
        fresh = wp.length(off) < 1.2
        for q in range(count):
            fresh = fresh and cross_lane[b, p, q] != other
        if not fresh:
            continue
        if (lanes.meta[other][3] > 0.5 and not inside) or count == CROSSINGS:
            return 0
        cross_lane[b, p, count] = other
        met = at + wp.dot(off, direction)
        beside = origin + direction * met - wp.vec2(pose[0], pose[1])
        cross_s_m[b, p, count] = sample_s(lanes, near) + wp.dot(beside, wp.vec2(wp.cos(pose[2]), wp.sin(pose[2])))
        cross_at_m[b, p, count] = met
        count = count + 1
    return count


@wp.func
def at_corner(lanes: Lanes, world_map: int, xy: wp.vec2) -> bool:
    """Whether a point is so close to a lane in a junction that a long vehicle turning there may swing over it."""
    near = nearest_sample(lanes, world_map, xy, -1)
    if near < 0:
        return False
    pose = lanes.pose[near]
    return lanes.meta[lanes.sample_lane[near]][3] > 0.5 and wp.length(wp.vec2(pose[0], pose[1]) - xy) < CORNER_M


@wp.func
def draw_crosswalk(lanes: Lanes, key: wp.uint64, world_map: int, near: wp.vec2, anywhere: bool) -> int:
    """A crosswalk of the map, -1 where it is too far from a point."""
    first = lanes.crosswalk_first[world_map]
    drawn = first + below(key, 7, lanes.crosswalk_first[world_map + 1] - first)
    at = lanes.crosswalk_world[drawn]
    if anywhere or wp.length(wp.vec2(at[0], at[1]) - near) < CROSSWALK_NEAR_M:
        return drawn
    return -1


@wp.kernel
def spawn_people(
    # World
    lanes: Lanes,
    mask: wp.array(dtype=wp.bool),
    seed: wp.array(dtype=wp.int64),
    map_index: wp.array(dtype=wp.int32),
    first_person: int,
    route_lane: wp.array2d(dtype=wp.int32),
    route_valid: wp.array2d(dtype=wp.bool),
    # State
    path_lane_out: wp.array2d(dtype=wp.vec4i),
    path_valid_out: wp.array3d(dtype=wp.bool),
    lane_s_m: wp.array2d(dtype=float),
    # Out
    walk_style_out: wp.array2d(dtype=wp.int32),
    walk_from_world_m_out: wp.array2d(dtype=wp.vec2),
    walk_to_world_m_out: wp.array2d(dtype=wp.vec2),
    cross_count_out: wp.array2d(dtype=wp.int32),
    cross_lane_out: wp.array3d(dtype=wp.int32),
    cross_s_m_out: wp.array3d(dtype=float),
    cross_at_m_out: wp.array3d(dtype=float),
    valid_out: wp.array2d(dtype=wp.bool),
    xy_world_m_out: wp.array2d(dtype=wp.vec2),
    yaw_world_rad_out: wp.array2d(dtype=float),
    walk_s_m_out: wp.array2d(dtype=float),
    walk_wait_s_out: wp.array2d(dtype=float),
    walk_hold_out: wp.array2d(dtype=wp.int32),
):
    """Give each person a straight walk and a start."""
    b, p = wp.tid()
    if not mask[b]:
        return
    i = first_person + p
    world_map = map_index[b]
    start_s = lane_s_m[b, 0]
    leader = leader_of(seed[b], first_person, p)
    abreast = ABREAST_M * float(p % GROUP_SIZE) * wp.where(leader == first_person + p - p % GROUP_SIZE, 1.0, 0.0)
    ego = lane_pose(lanes, path_lane_out[b, 0][0], start_s)
    taste = uniform(random_key(seed[b], CROSSWALK, leader, wp.int64(0)), 0)
    has_crosswalk = lanes.crosswalk_first[world_map + 1] > lanes.crosswalk_first[world_map]
    uses_crosswalk = has_crosswalk and taste < CROSSWALK_SHARE
    on_pavement = not uses_crosswalk and taste < wp.where(has_crosswalk, 1.0 - JAYWALK_SHARE, STROLL_SHARE)
    walk_style_out[b, p] = wp.where(uses_crosswalk, CROSSWALK_WALK, 0)
    found = bool(False)
    for attempt in range(CROSSING_TRIES):
        if not found:
            key = random_key(seed[b], CROSSING, leader, wp.int64(attempt))
            center = wp.vec2(0.0, 0.0)
            left = wp.vec2(0.0, 1.0)
            usable = bool(False)
            fast = bool(False)
            if uses_crosswalk:
                crosswalk = draw_crosswalk(
                    lanes, key, world_map, wp.vec2(ego[0], ego[1]), attempt >= CROSSING_TRIES / 2
                )
                if crosswalk >= 0:
                    place = lanes.crosswalk_world[crosswalk]
                    left = wp.vec2(place[2], place[3])
                    shift = abreast - ABREAST_M
                    center = wp.vec2(place[0] + left[1] * shift, place[1] - left[0] * shift)
                    usable = True
            else:
                sample = draw_sample(lanes, key, world_map, 0.9, b, route_lane, route_valid, start_s)
                if sample >= 0 and lanes.meta[lanes.sample_lane[sample]][3] < 0.5:
                    pose = lanes.pose[sample]
                    left = wp.vec2(-wp.sin(pose[2]), wp.cos(pose[2]))
                    center = wp.vec2(pose[0] + left[1] * abreast, pose[1] - left[0] * abreast)
                    usable = True
                    lane = lanes.sample_lane[sample]
                    several = lanes.side_valid[lane][0] + lanes.side_valid[lane][1] > 0
                    fast = lanes.meta[lane][2] > wp.where(several, WIDE_LIMIT_MPS, CROSSING_LIMIT_MPS)
            if usable:
                to_left = kerb_distance(lanes, world_map, center, left)
                to_right = kerb_distance(lanes, world_map, center, -left)
                origin = center - left * (to_right + 1.0)
                goal = center + left * (to_left + 1.0)
                count = int(0)
                if fast or on_pavement:
                    along = wp.vec2(left[1], -left[0])
                    clear_m = wp.where(fast, 1.0, 0.6)
                    origin = center - left * (to_right + wp.where(fast, 2.0, between(key, 11, 0.8, 1.5)))
                    way = wp.where(attempt < CROSSING_TRIES / 2, STROLL_M, STROLL_LEAST_M)
                    goal = origin + along * way
                    found = to_right < 15.0
                    for k in range(1, 5):
                        at = edge_distance(lanes, world_map, origin + along * (0.25 * float(k) * way))
                        found = found and at < -clear_m and at > -clear_m - STRAY_M
                elif to_left + to_right < 24.0:
                    count = list_crossed_lanes(
                        lanes,
                        world_map,
                        b,
                        p,
                        origin,
                        goal,
                        uses_crosswalk,
                        cross_lane_out,
                        cross_s_m_out,
                        cross_at_m_out,
                    )
                    found = count > 0
                # A narrow median is no place to wait at: beyond it are the oncoming lanes.
                found = found and edge_distance(lanes, world_map, origin) < -REFUGE_M
                found = found and edge_distance(lanes, world_map, goal) < -REFUGE_M
                if not uses_crosswalk:
                    found = found and not at_corner(lanes, world_map, origin) and not at_corner(lanes, world_map, goal)
                if found:
                    cross_count_out[b, p] = count
                    walk_from_world_m_out[b, i] = origin
                    walk_to_world_m_out[b, i] = goal
    valid_out[b, i] = found
    for k in range(4):
        path_valid_out[b, i, k] = False
    path_lane_out[b, i] = wp.vec4i(0, 0, 0, 0)
    if not found:
        cross_count_out[b, p] = 0
        walk_from_world_m_out[b, i] = wp.vec2(0.0, 0.0)
        walk_to_world_m_out[b, i] = wp.vec2(1.0, 0.0)
    key = random_key(seed[b], CROSSING, leader, wp.int64(-1))
    walk_hold_out[b, p] = 0
    walk_wait_s_out[b, p] = between(key, 0, 0.0, 8.0)
    origin = walk_from_world_m_out[b, i]
    goal = walk_to_world_m_out[b, i]
    across = goal - origin
    yaw = wp.atan2(across[1], across[0])
    length = wp.length(across)
    if found and cross_count_out[b, p] == 0:  # on the way: nothing can come in between
        s = between(key, 12, 0.05, 1.95) * length
        walk_s_m_out[b, i] = s
        xy_world_m_out[b, i] = origin + across * ((length - wp.abs(s - length)) / length)
        yaw = wp.where(s > length, wrap_angle(yaw + 3.141592653589793), yaw)
    elif uniform(key, 1) < 0.5:
        walk_s_m_out[b, i] = 0.0
        xy_world_m_out[b, i] = origin
    else:
        walk_s_m_out[b, i] = length
        xy_world_m_out[b, i] = goal
        yaw = wrap_angle(yaw + 3.141592653589793)
    yaw_world_rad_out[b, i] = yaw
