"""Traffic that comes and goes: safe speeds at the start of an episode, new places for vehicles that left the map."""

import warp as wp

from sim.kernels.junction import FAR_M
from sim.kernels.lanes import Lanes, lane_pose, sample_at, sample_s, wrap_angle
from sim.kernels.motion import draw_path, rail_pose
from sim.kernels.order import key_lane, key_slot, lane_key, lower_bound
from sim.kernels.rng import PATH, RESPAWN, below, random_key
from sim.kernels.signals import halt_gap
from sim.kernels.spawn import cruise_mps, fits, may_use
from sim.kernels.traffic import leader_on_path, next_entry

wp.set_module_options({"enable_backward": False})

ENTRY_CLEAR_M = wp.constant(15.0)
ENTRY_FROM_EGO_M = wp.constant(60.0)
ANYWHERE_FROM_EGO_M = wp.constant(100.0)


@wp.kernel
def settle_speeds(
    # World
    lanes: Lanes,
    mask: wp.array(dtype=wp.bool),
    first_person: int,
    size_m: wp.array2d(dtype=wp.vec3),
    wheelbase_m: wp.array2d(dtype=float),
    # In
    rank: wp.array2d(dtype=wp.int32),
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
    signal_phase: wp.array2d(dtype=wp.int32),
    # State
    valid: wp.array2d(dtype=wp.bool),
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
    lane_s_m: wp.array2d(dtype=float),
    speed_mps: wp.array2d(dtype=float),
):
    """Nobody starts faster than lets it stop at 2.5 m/s^2 behind a standing leader or at a junction: v^2 = 2 b gap."""
    b, i = wp.tid()
    if not mask[b] or i >= first_person or not valid[b, i]:
        return
    front = 0.5 * (size_m[b, i][0] + wheelbase_m[b, i])
    lead = leader_on_path(
        lanes,
        b,
        i,
        lane_s_m[b, i],
        front,
        150.0,
        rank[b, i] + 1,
        sorted_key,
        entry,
        path_lane,
        path_valid,
        first_person,
        wp.int32(valid.shape[1]),
    )
    gap = lead[0]
    path = path_lane[b, i]
    if path_valid[b, i, 1] and lanes.meta[path[1]][3] > 0.5:
        to_junction = lanes.meta[path[0]][0] - lane_s_m[b, i] - front
        to_line = to_junction + lanes.stop_m[path[1]]
        gap = wp.min(gap, wp.where(to_line > 0.0, to_line, to_junction))
    if lanes.halts > 0:
        gap = wp.min(gap, halt_gap(lanes, b, i, lane_s_m[b, i], front, 0.0, 150.0, path_lane, path_valid, signal_phase))
    if gap < FAR_M:
        speed_mps[b, i] = wp.min(speed_mps[b, i], wp.sqrt(5.0 * wp.max(gap - 2.0, 0.1)))


@wp.kernel
def respawn(
    # World
    lanes: Lanes,
    seed: wp.array(dtype=wp.int64),
    map_index: wp.array(dtype=wp.int32),
    first_parked: int,
    kind: wp.array2d(dtype=wp.int32),
    size_m: wp.array2d(dtype=wp.vec3),
    wheelbase_m: wp.array2d(dtype=float),
    speed_factor: wp.array2d(dtype=float),
    controlled: wp.array2d(dtype=wp.bool),
    # In
    sorted_key: wp.array2d(dtype=wp.int64),
    entry: wp.array2d(dtype=wp.vec4),
    # State
    tick: wp.array(dtype=wp.int64),
    valid: wp.array2d(dtype=wp.bool),
    xy_world_m: wp.array2d(dtype=wp.vec2),
    yaw_world_rad: wp.array2d(dtype=float),
    speed_mps: wp.array2d(dtype=float),
    accel_mps2: wp.array2d(dtype=float),
    yaw_rate_radps: wp.array2d(dtype=float),
    path_lane: wp.array2d(dtype=wp.vec4i),
    path_valid: wp.array3d(dtype=wp.bool),
    lane_s_m: wp.array2d(dtype=float),
    lane_lateral_m: wp.array2d(dtype=float),
    change_start_m: wp.array2d(dtype=float),
):
    """Each tick one vehicle of a world may come back, at an entry of the map or, where it has none, far from the ego.

    One a tick, so that no two take the same place. The clock advances here, after its last use in the tick.
    """
    b = wp.tid()
    now = tick[b]
    tick[b] = now + wp.int64(1)
    if first_parked < 2:
        return
    i = 1 + int(now % wp.int64(first_parked - 1))
    if valid[b, i] or controlled[b, i]:
        return
    key = random_key(seed[b], RESPAWN, i, now)
    world_map = map_index[b]
    entries = lanes.entry_first[world_map + 1] - lanes.entry_first[world_map]
    actors = wp.int32(valid.shape[1])
    lane = int(0)
    s = float(0.0)
    far = float(ENTRY_FROM_EGO_M)
    if entries > 0:
        lane = lanes.entry_lane[lanes.entry_first[world_map] + below(key, 0, entries)]
        s = 0.5 * (size_m[b, i][0] - wheelbase_m[b, i]) + 0.5
    else:
        first = lanes.sample_first[lanes.lane_first[world_map]]
        count = lanes.sample_first[lanes.lane_first[world_map + 1]] - first
        sample = first + below(key, 0, count)
        lane = lanes.sample_lane[sample]
        s = sample_s(lanes, sample)
        far = ANYWHERE_FROM_EGO_M
        if s < 2.0 * ENTRY_CLEAR_M:
            return  # who comes from the lane before could not be seen in time
    pose = lane_pose(lanes, lane, s)
    xy = wp.vec2(pose[0], pose[1])
    if not fits(lanes, sample_at(lanes, lane, s), 0.5 * (size_m[b, i][0] + wheelbase_m[b, i])):
        return
    if not may_use(lanes, lane, kind[b, i]):
        return
    if wp.length(xy - xy_world_m[b, 0]) < far:
        return
    cruise = cruise_mps(lanes, lane, kind[b, i], speed_factor[b, i])
    speed = wp.min(cruise, lanes.curve_speed_mps[sample_at(lanes, lane, s)])
    at = lower_bound(sorted_key, b, lane_key(lane, s, 0))
    slot = next_entry(b, i, at, lane, sorted_key, actors)
    if slot >= 0:
        ahead = entry[b, slot]
        gap = ahead[0] - ahead[2] - s - 0.5 * (size_m[b, i][0] + wheelbase_m[b, i])
        if gap < ENTRY_CLEAR_M:
            return
        speed = wp.min(speed, wp.sqrt(ahead[1] * ahead[1] + 4.0 * (gap - 3.0)))
    if at > 0 and key_lane(sorted_key[b, at - 1]) == lane:
        behind = entry[b, key_slot(sorted_key[b, at - 1])]
        if s - behind[0] - behind[3] < ENTRY_CLEAR_M + 2.0 * behind[1]:
            return
    valid[b, i] = True
    xy_world_m[b, i] = xy
    speed_mps[b, i] = 0.9 * speed
    accel_mps2[b, i] = 0.0
    yaw_rate_radps[b, i] = 0.0
    lane_s_m[b, i] = s
    lane_lateral_m[b, i] = 0.0
    change_start_m[b, i] = 0.0
    draw_path(lanes, random_key(seed[b], PATH, i, now), b, i, lane, wheelbase_m[b, i], path_lane, path_valid)
    placed = rail_pose(lanes, b, i, s, wheelbase_m[b, i], path_lane, path_valid)
    yaw_world_rad[b, i] = wrap_angle(placed[2])
