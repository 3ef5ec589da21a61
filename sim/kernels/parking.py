"""Parked cars: where they stand, and doors that open in moving traffic.

An open door is DOOR_M of the car's box on the side of the road: others collide with it, traffic stops behind it where
it reaches into their way, and 3-D labels contain it.
"""

import warp as wp

from sim.kernels.lanes import Lanes, nearest_sample, sample_s
from sim.kernels.order import key_lane, key_slot, lane_key, lower_bound
from sim.kernels.rng import DOOR, PARK, below, random_key, uniform

wp.set_module_options({"enable_backward": False})

PARK_TRIES = wp.constant(24)
PARK_NEAR_M = wp.constant(150.0)  # of the ego's start, where there is room
WALK_CLEAR_M = wp.constant(3.2)  # nobody parks where people walk
DOOR_S = wp.constant(4.0)
DOOR_EVERY_S = wp.constant(40.0)
DOOR_DECEL_MPS2 = wp.constant(3.0)  # whoever opens a door sees to it that the next one can brake like this
DOOR_REACT_S = wp.constant(1.0)
LOOK_BACK_M = wp.constant(60.0)
SEEN_FROM_M = wp.constant(25.0)  # closer to its start one does not see who turns into a lane


@wp.func
def near_walk(p: wp.vec2, start: wp.vec2, end: wp.vec2) -> bool:
    """Whether a point is near somebody's way across the road."""
    walk = end - start
    share = wp.clamp(wp.dot(p - start, walk) / wp.max(wp.dot(walk, walk), 1.0e-6), 0.0, 1.0)
    return wp.length(p - start - share * walk) < WALK_CLEAR_M


@wp.kernel
def park_cars(
    # World
    lanes: Lanes,
    mask: wp.array(dtype=wp.bool),
    seed: wp.array(dtype=wp.int64),
    map_index: wp.array(dtype=wp.int32),
    first_parked: int,
    first_person: int,
    wheelbase_m: wp.array2d(dtype=float),
    walk_from_world_m: wp.array2d(dtype=wp.vec2),
    walk_to_world_m: wp.array2d(dtype=wp.vec2),
    # Out
    valid_out: wp.array2d(dtype=wp.bool),
    xy_world_m_out: wp.array2d(dtype=wp.vec2),
    yaw_world_rad_out: wp.array2d(dtype=float),
    speed_mps_out: wp.array2d(dtype=float),
    steer_rad_out: wp.array2d(dtype=float),
    path_lane_out: wp.array2d(dtype=wp.vec4i),
    path_valid_out: wp.array3d(dtype=wp.bool),
    lane_s_m_out: wp.array2d(dtype=float),
    lane_lateral_m_out: wp.array2d(dtype=float),
    door_s_out: wp.array2d(dtype=float),
):
    """Each parked car takes a free space of the map, near the ego if one of some drawn ones is; else it is absent."""
    b = wp.tid()
    if not mask[b]:
        return
    first = lanes.parking_first[map_index[b]]
    count = lanes.parking_first[map_index[b] + 1] - first
    for i in range(first_parked, first_person):
        chosen = int(-1)
        for attempt in range(2 * PARK_TRIES):
            if chosen < 0 and count > 0:
                space = first + below(random_key(seed[b], PARK, i, wp.int64(attempt)), 0, count)
                at = lanes.parking_world[space]
                p = wp.vec2(at[0], at[1])
                free = attempt >= PARK_TRIES or wp.length(p - xy_world_m_out[b, 0]) < PARK_NEAR_M
                for j in range(first_parked, i):
                    if valid_out[b, j]:
                        c = wp.cos(yaw_world_rad_out[b, j])
                        n = wp.sin(yaw_world_rad_out[b, j])
                        other = xy_world_m_out[b, j] + 0.5 * wheelbase_m[b, j] * wp.vec2(c, n)
                        free = free and wp.length(other - p) > 1.0
                for j in range(first_person, valid_out.shape[1]):
                    if valid_out[b, j]:
                        free = free and not near_walk(p, walk_from_world_m[b, j], walk_to_world_m[b, j])
                if free:
                    chosen = space
        valid_out[b, i] = chosen >= 0
        speed_mps_out[b, i] = 0.0
        steer_rad_out[b, i] = 0.0
        door_s_out[b, i] = 0.0
        for k in range(4):
            path_valid_out[b, i, k] = k == 0
        path_lane_out[b, i] = path_lane_out[b, 0]
        if chosen >= 0:
            at = lanes.parking_world[chosen]
            p = wp.vec2(at[0], at[1])
            sample = wp.max(nearest_sample(lanes, map_index[b], p, -1), 0)
            lane = lanes.sample_lane[sample]
            pose = lanes.pose[sample]
            path_lane_out[b, i] = wp.vec4i(lane, lane, lane, lane)
            away = p - wp.vec2(pose[0], pose[1])
            ahead = wp.vec2(wp.cos(pose[2]), wp.sin(pose[2]))
            lane_s_m_out[b, i] = wp.clamp(sample_s(lanes, sample) + wp.dot(away, ahead), 0.0, lanes.meta[lane][0])
            lane_lateral_m_out[b, i] = away[1] * ahead[0] - away[0] * ahead[1]
            xy_world_m_out[b, i] = p - 0.5 * wheelbase_m[b, i] * wp.vec2(at[2], at[3])
            yaw_world_rad_out[b, i] = wp.atan2(at[3], at[2])


@wp.func
def may_open(
    b: int,
    lane: int,
    s: float,
    half: float,
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
) -> bool:
    """Whether nobody on the lane is beside the car or too close behind it to brake."""
    k = lower_bound(sorted_key, b, lane_key(lane, s - LOOK_BACK_M, 0))
    while k < sorted_key.shape[1] and key_lane(sorted_key[b, k]) == lane:
        at = entry[b, key_slot(sorted_key[b, k])]
        if at[0] - at[2] > s + half:
            return True
        gap = s - half - at[0] - at[3]
        if gap < 2.0 + at[1] * (DOOR_REACT_S + at[1] / (2.0 * DOOR_DECEL_MPS2)):
            return False
        k = k + 1
    return True


@wp.kernel
def open_doors(
    # World
    lanes: Lanes,
    seed: wp.array(dtype=wp.int64),
    dt: float,
    first_parked: int,
    first_person: int,
    size_m: wp.array2d(dtype=wp.vec3),
    # State
    tick: wp.array(dtype=wp.int64),
    valid: wp.array2d(dtype=wp.bool),
    path_lane: wp.array2d(dtype=wp.vec4i),
    lane_s_m: wp.array2d(dtype=float),
    # In
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
    # Out
    door_s_out: wp.array2d(dtype=float),
):
    """Doors open at drawn times where the driver sees a gap, and close after DOOR_S; `door_s_out` counts down."""
    b = wp.tid()
    for i in range(first_parked, first_person):
        left = door_s_out[b, i] - dt
        if left <= 0.0:
            left = 0.0
            due = uniform(random_key(seed[b], DOOR, i, tick[b]), 0) * DOOR_EVERY_S < dt
            s = lane_s_m[b, i]
            if due and valid[b, i] and s > SEEN_FROM_M:
                if may_open(b, path_lane[b, i][0], s, 0.5 * size_m[b, i][0], sorted_key, entry):
                    left = DOOR_S
        door_s_out[b, i] = left
