"""Which boxes touch (sort and sweep along x, then separating axes) and which wheels are off the drivable surface."""

import warp as wp

from sim.kernels.cycling import BICYCLE
from sim.kernels.lanes import STOREY_M, Lanes, edge_distance, sample_at
from sim.kernels.order import ABSENT, LANE_SHIFT, key_slot

wp.set_module_options({"enable_backward": False})

EDGE_ERROR_M = wp.constant(0.25)  # of the distances between the raster's corners
MAX_RADIUS_M = wp.constant(8.0)  # half diagonal of the longest actor allowed


@wp.func
def boxes_touch(a: wp.vec4, half_a: wp.vec2, b: wp.vec4, half_b: wp.vec2) -> bool:
    """Separating-axis test of two oriented boxes (centre x, y, cos, sin), half length and half width."""
    dx = b[0] - a[0]
    dy = b[1] - a[1]
    c = wp.abs(a[2] * b[2] + a[3] * b[3])
    n = wp.abs(a[2] * b[3] - a[3] * b[2])
    if wp.abs(dx * a[2] + dy * a[3]) > half_a[0] + half_b[0] * c + half_b[1] * n:
        return False
    if wp.abs(dy * a[2] - dx * a[3]) > half_a[1] + half_b[0] * n + half_b[1] * c:
        return False
    if wp.abs(dx * b[2] + dy * b[3]) > half_b[0] + half_a[0] * c + half_a[1] * n:
        return False
    return wp.abs(dy * b[2] - dx * b[3]) <= half_b[1] + half_a[0] * n + half_a[1] * c


@wp.func
def touches(
    b: int,
    i: int,
    j: int,
    first_person: int,
    mine: wp.vec4,
    size: wp.vec4,
    box: wp.array2d(dtype=wp.vec4),
    body: wp.array2d(dtype=wp.vec4),
) -> bool:
    """Whether two actors on the same storey overlap; people pass through each other."""
    if i >= first_person and j >= first_person:
        return False
    other = box[b, j]
    other_size = body[b, j]
    dx = other[0] - mine[0]
    dy = other[1] - mine[1]
    reach = 0.5 * (size[0] + size[1] + other_size[0] + other_size[1])
    if dx * dx + dy * dy > reach * reach or wp.abs(other_size[2] - size[2]) > STOREY_M:
        return False
    half = wp.vec2(0.5 * size[0], 0.5 * size[1])
    return boxes_touch(mine, half, other, wp.vec2(0.5 * other_size[0], 0.5 * other_size[1]))


@wp.func
def leaves_surface(lanes: Lanes, world_map: int, box: wp.vec4, length: float, width: float) -> bool:
    """Whether a corner of the box is off the drivable surface."""
    center = wp.vec2(box[0], box[1])
    forward = wp.vec2(box[2], box[3]) * (0.5 * length)
    # Two corners lie half a width from the middle of each end: this settles it for who is no closer to the edge.
    half = 0.5 * width
    front = edge_distance(lanes, world_map, center + forward)
    rear = edge_distance(lanes, world_map, center - forward)
    if front >= half + EDGE_ERROR_M and rear >= half + EDGE_ERROR_M:
        return False
    left = wp.vec2(-box[3], box[2]) * half
    off = edge_distance(lanes, world_map, center + forward + left) < 0.0
    off = off or edge_distance(lanes, world_map, center + forward - left) < 0.0
    off = off or edge_distance(lanes, world_map, center - forward + left) < 0.0
    return off or edge_distance(lanes, world_map, center - forward - left) < 0.0


@wp.kernel
def find_collisions(
    # World
    threads: int,
    lanes: Lanes,
    map_index: wp.array(dtype=wp.int32),
    first_person: int,
    first_parked: int,
    kind: wp.array2d(dtype=wp.int32),
    wheelbase_m: wp.array2d(dtype=float),
    controlled: wp.array2d(dtype=wp.bool),
    # State
    valid: wp.array2d(dtype=wp.bool),
    path_lane: wp.array2d(dtype=wp.vec4i),
    lane_s_m: wp.array2d(dtype=float),
    lane_lateral_m: wp.array2d(dtype=float),
    # In
    mask: wp.array(dtype=wp.bool),
    box: wp.array2d(dtype=wp.vec4),
    body: wp.array2d(dtype=wp.vec4),
    sorted_x: wp.array2d(dtype=wp.int64),
    rank_x: wp.array2d(dtype=wp.int32),
    # Out
    collided_out: wp.array2d(dtype=wp.bool),
    collided_with_out: wp.array2d(dtype=wp.int32),
    offroad_out: wp.array2d(dtype=wp.bool),
):
    """Flags of every actor; the other one is named by its lowest index."""
    b, t = wp.tid()
    if not mask[b]:
        return
    for i in range(t, wp.int32(valid.shape[1]), threads):
        if not valid[b, i]:
            collided_out[b, i] = False
            collided_with_out[b, i] = 0
            offroad_out[b, i] = False
            continue
        mine = box[b, i]
        size = body[b, i]
        reach = 0.5 * (size[0] + size[1]) + MAX_RADIUS_M
        count = sorted_x.shape[1]
        lowest = int(count)
        k = rank_x[b, i] - 1
        while k >= 0:
            j = key_slot(sorted_x[b, k])
            if mine[0] - box[b, j][0] > reach:
                break
            if j < lowest and touches(b, i, j, first_person, mine, size, box, body):
                lowest = j
            k = k - 1
        k = rank_x[b, i] + 1
        while k < count:
            key = sorted_x[b, k]
            j = key_slot(key)
            if (key >> LANE_SHIFT) == ABSENT or box[b, j][0] - mine[0] > reach:
                break
            if j < lowest and touches(b, i, j, first_person, mine, size, box, body):
                lowest = j
            k = k + 1
        collided_out[b, i] = lowest < count
        collided_with_out[b, i] = wp.where(lowest < count, lowest, 0)
        off = bool(False)
        cycling = bool(False)  # on a cycle lane, or beside one
        if i < first_parked:
            lane = path_lane[b, i][0]
            front = 0.5 * (size[0] + wheelbase_m[b, i])
            swing = 0.5 * lanes.bend_1pm[lane] * front * front
            clear = lanes.relief[sample_at(lanes, lane, lane_s_m[b, i])][3] - swing - EDGE_ERROR_M
            # On rails with both axles on a lane that is wide enough: nothing to look up in the raster.
            cycling = kind[b, i] == BICYCLE and lanes.cycle_m[sample_at(lanes, lane, lane_s_m[b, i])] != 0.0
            if controlled[b, i] or lane_lateral_m[b, i] != 0.0 or clear < 0.5 * size[1]:
                off = leaves_surface(lanes, map_index[b], mine, size[0], size[1])
        offroad_out[b, i] = off and not cycling
