"""Which boxes touch (sort and sweep along x, then separating axes) and which wheels are off the drivable surface."""

import warp as wp

from sim.kernels.lanes import Lanes, edge_distance
from sim.kernels.order import ABSENT, LANE_SHIFT, key_slot

wp.set_module_options({"enable_backward": False})

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
    size_m: wp.array2d(dtype=wp.vec3),
    box: wp.array2d(dtype=wp.vec4),
) -> bool:
    """Whether two actors overlap; people pass through each other."""
    if i >= first_person and j >= first_person:
        return False
    mine = box[b, i]
    other = box[b, j]
    size = size_m[b, i]
    other_size = size_m[b, j]
    dx = other[0] - mine[0]
    dy = other[1] - mine[1]
    reach = 0.5 * (size[0] + size[1] + other_size[0] + other_size[1])
    if dx * dx + dy * dy > reach * reach:
        return False
    half = wp.vec2(0.5 * size[0], 0.5 * size[1])
    return boxes_touch(mine, half, other, wp.vec2(0.5 * other_size[0], 0.5 * other_size[1]))


@wp.kernel
def find_collisions(
    # World
    threads: int,
    lanes: Lanes,
    map_index: wp.array(dtype=wp.int32),
    size_m: wp.array2d(dtype=wp.vec3),
    first_person: int,
    # State
    valid: wp.array2d(dtype=wp.bool),
    # In
    mask: wp.array(dtype=wp.bool),
    box: wp.array2d(dtype=wp.vec4),
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
        size = size_m[b, i]
        reach = 0.5 * (size[0] + size[1]) + MAX_RADIUS_M
        count = sorted_x.shape[1]
        lowest = int(count)
        k = rank_x[b, i] - 1
        while k >= 0:
            j = key_slot(sorted_x[b, k])
            if mine[0] - box[b, j][0] > reach:
                break
            if j < lowest and touches(b, i, j, first_person, size_m, box):
                lowest = j
            k = k - 1
        k = rank_x[b, i] + 1
        while k < count:
            key = sorted_x[b, k]
            j = key_slot(key)
            if (key >> LANE_SHIFT) == ABSENT or box[b, j][0] - mine[0] > reach:
                break
            if j < lowest and touches(b, i, j, first_person, size_m, box):
                lowest = j
            k = k + 1
        collided_out[b, i] = lowest < count
        collided_with_out[b, i] = wp.where(lowest < count, lowest, 0)
        off = bool(False)
        if i < first_person:
            forward = wp.vec2(mine[2], mine[3]) * (0.5 * size[0])
            left = wp.vec2(-mine[3], mine[2]) * (0.5 * size[1])
            center = wp.vec2(mine[0], mine[1])
            world_map = map_index[b]
            # One look-up in the middle settles it for whoever is well inside.
            if edge_distance(lanes, world_map, center) < 0.5 * (size[0] + size[1]):
                off = edge_distance(lanes, world_map, center + forward + left) < 0.0
                off = off or edge_distance(lanes, world_map, center + forward - left) < 0.0
                off = off or edge_distance(lanes, world_map, center - forward + left) < 0.0
                off = off or edge_distance(lanes, world_map, center - forward - left) < 0.0
        offroad_out[b, i] = off
