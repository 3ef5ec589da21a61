"""Look-ups on the lane graph: pose along a lane, speed allowed by its curves, surface edge, nearest lane to a point."""

import warp as wp

from sim.kernels.rng import below

wp.set_module_options({"enable_backward": False})

STOREY_M = wp.constant(3.0)  # roads and actors farther apart in height do not meet
LATERAL_ACCEL_MPS2 = wp.constant(2.5)  # comfort limit in curves
SHARPEST_TURN_RAD = wp.constant(0.45)  # wheelbase x curvature that a driver takes where there is another way
CURVE_DECEL_MPS2 = wp.constant(1.5)  # braking ahead of a curve


@wp.struct
class Lanes:
    """The lane graph as kernels read it; packed so that one look-up touches one or two cache lines."""

    pose: wp.array(dtype=wp.vec4)  # per sample: x, y, yaw, curvature
    curve_speed_mps: wp.array(dtype=float)  # per sample: fastest speed from which the lane's curves ahead can be taken
    width_m: wp.array(dtype=float)  # per sample
    cycle_lanes: int  # 1 where there are any
    cycle_m: wp.array(dtype=float)  # per sample: middle of the cycle lane beside, 0 where there is none
    # Per sample: height, grade (rise per metre) to the next sample, width, least distance to the edge of the drivable
    # surface from the lane's centre up to 9 m before and behind; negative near the lane's ends
    relief: wp.array(dtype=wp.vec4)
    sample_lane: wp.array(dtype=wp.int32)
    sample_first: wp.array(dtype=wp.int32)
    meta: wp.array(dtype=wp.vec4)  # per lane: length, 1 / step, speed limit, 1 inside a junction
    bend_1pm: wp.array(dtype=float)  # per lane: its sharpest curvature
    side_lane: wp.array(dtype=wp.vec2i)  # per lane: left, right neighbour
    side_valid: wp.array(dtype=wp.vec2i)  # 1 where there is one
    successor_first: wp.array(dtype=wp.int32)
    successor: wp.array(dtype=wp.int32)
    predecessor_first: wp.array(dtype=wp.int32)
    predecessor: wp.array(dtype=wp.int32)
    conflict_first: wp.array(dtype=wp.int32)
    conflict_lane: wp.array(dtype=wp.int32)
    conflict_span_m: wp.array(dtype=wp.vec4)
    conflict_rank: wp.array(dtype=wp.int32)  # 1: this lane gives way, -1: the other one does, 0: neither or both
    brush_first: wp.array(dtype=wp.int32)
    brush_lane: wp.array(dtype=wp.int32)
    brush_span_m: wp.array(dtype=wp.vec4)  # of rear axles
    brush_kind: wp.array(dtype=wp.int32)  # 1 where the own vehicle is long, plus 2 where the other one is
    diverge_m: wp.array(dtype=float)  # per lane: overlap with lanes that follow the same one
    control: wp.array(dtype=wp.vec2i)  # per lane: LaneControl, group of lights within the map
    kerb_side: wp.array(dtype=float)  # per lane: -1 where slow traffic keeps right, 1 where it keeps left
    stop_m: wp.array(dtype=float)  # per lane: its stop line from its start, at most 0
    signal_first: wp.array(dtype=wp.int32)  # per map
    signal_plan_s: wp.array(dtype=wp.vec4)  # per group: cycle, start of green, green, yellow
    signal_junction: wp.array(dtype=wp.int32)  # per group
    halts: int  # lights away from junctions there are in all
    halt_first: wp.array(dtype=wp.int32)  # per lane: lights away from junctions
    halt_m: wp.array(dtype=float)  # their stop lines from the lane's start
    halt_group: wp.array(dtype=wp.int32)  # their groups within the map
    crosswalk_first: wp.array(dtype=wp.int32)  # per map
    crosswalk_world: wp.array(dtype=wp.vec4)  # centre, walking direction
    parking_first: wp.array(dtype=wp.int32)  # per map
    parking_world: wp.array(dtype=wp.vec4)  # centre, heading
    lane_first: wp.array(dtype=wp.int32)  # per map
    entry_first: wp.array(dtype=wp.int32)  # per map: its lanes without predecessor
    entry_lane: wp.array(dtype=wp.int32)
    grid_cell_m: float
    grid_origin_world_m: wp.array(dtype=wp.vec2)
    grid_shape: wp.array(dtype=wp.vec2i)
    grid_first: wp.array(dtype=wp.int32)
    cell_first: wp.array(dtype=wp.int32)
    cell_sample: wp.array(dtype=wp.int32)
    edge_cell_m: float
    edge_origin_world_m: wp.array(dtype=wp.vec2)
    edge_shape: wp.array(dtype=wp.vec2i)
    edge_first: wp.array(dtype=wp.int32)
    edge_distance_m: wp.array(dtype=float)


@wp.func
def wrap_angle(angle: float) -> float:
    """Wrap into [-pi, pi)."""
    return angle - 6.283185307179586 * wp.floor((angle + 3.141592653589793) * 0.15915494309189535)


@wp.func
def lane_pose(lanes: Lanes, lane: int, s: float) -> wp.vec4:
    """Centre x, y, yaw and curvature at `s` metres along a lane, linear between samples, held beyond its ends."""
    first = lanes.sample_first[lane]
    last = lanes.sample_first[lane + 1] - 1
    u = wp.max(s * lanes.meta[lane][1], 0.0)
    i = wp.min(int(u), wp.max(last - first - 1, 0))
    f = wp.min(u - float(i), 1.0)
    a = lanes.pose[first + i]
    b = lanes.pose[wp.min(first + i + 1, last)]
    return a + (b - a) * f


@wp.func
def lane_center(lanes: Lanes, lane: int, s: float) -> wp.vec2:
    """Centre x, y of `lane_pose` alone."""
    first = lanes.sample_first[lane]
    last = lanes.sample_first[lane + 1] - 1
    u = wp.max(s * lanes.meta[lane][1], 0.0)
    i = wp.min(int(u), wp.max(last - first - 1, 0))
    f = wp.min(u - float(i), 1.0)
    a = lanes.pose[first + i]
    b = lanes.pose[wp.min(first + i + 1, last)]
    return wp.vec2(a[0] + (b[0] - a[0]) * f, a[1] + (b[1] - a[1]) * f)


@wp.func
def sample_at(lanes: Lanes, lane: int, s: float) -> int:
    """Index of the sample at or before `s`."""
    first = lanes.sample_first[lane]
    return wp.clamp(first + int(s * lanes.meta[lane][1]), first, lanes.sample_first[lane + 1] - 1)


@wp.func
def lane_project(lanes: Lanes, lane: int, s_guess: float, xy: wp.vec2) -> wp.vec2:
    """Arc length and left offset of a point near `s_guess`; s may leave [0, length] where the point lies beyond an end.

    Newton's iteration on dot(p - c(s), t(s)) = 0, whose derivative is -(1 - curvature * lateral).
    """
    s = float(s_guess)
    lateral = float(0.0)
    length = lanes.meta[lane][0]
    for _ in range(4):
        held = wp.clamp(s, 0.0, length)
        pose = lane_pose(lanes, lane, held)
        c = wp.cos(pose[2])
        n = wp.sin(pose[2])
        dx = xy[0] - pose[0]
        dy = xy[1] - pose[1]
        lateral = c * dy - n * dx
        along = c * dx + n * dy
        s = held + wp.clamp(along / wp.max(1.0 - pose[3] * lateral, 0.3), -10.0, 10.0)
    return wp.vec2(s, lateral)


@wp.func
def edge_distance(lanes: Lanes, map_index: int, xy: wp.vec2) -> float:
    """Signed distance to the edge of the drivable surface (inside positive), bilinear, -8 m outside the raster."""
    p = (xy - lanes.edge_origin_world_m[map_index]) / lanes.edge_cell_m
    shape = lanes.edge_shape[map_index]
    x = int(wp.floor(p[0]))
    y = int(wp.floor(p[1]))
    if x < 0 or y < 0 or x + 1 >= shape[0] or y + 1 >= shape[1]:
        return -8.0
    fx = p[0] - float(x)
    fy = p[1] - float(y)
    i = lanes.edge_first[map_index] + y * shape[0] + x
    below = lanes.edge_distance_m[i] * (1.0 - fx) + lanes.edge_distance_m[i + 1] * fx
    above = lanes.edge_distance_m[i + shape[0]] * (1.0 - fx) + lanes.edge_distance_m[i + shape[0] + 1] * fx
    return below * (1.0 - fy) + above * fy


@wp.func
def cell_at(lanes: Lanes, map_index: int, xy: wp.vec2) -> int:
    """Index of the grid cell that holds a point; -1 outside the grid."""
    p = (xy - lanes.grid_origin_world_m[map_index]) / lanes.grid_cell_m
    shape = lanes.grid_shape[map_index]
    x = int(wp.floor(p[0]))
    y = int(wp.floor(p[1]))
    if x < 0 or y < 0 or x >= shape[0] or y >= shape[1]:
        return -1
    return lanes.grid_first[map_index] + y * shape[0] + x


@wp.func
def nearest_sample(lanes: Lanes, map_index: int, xy: wp.vec2, skip_lane: int) -> int:
    """`nearest_on_storey` for a point of unknown height."""
    return nearest_on_storey(lanes, map_index, xy, 0.0, 1.0e9, skip_lane)


@wp.func
def nearest_on_storey(lanes: Lanes, map_index: int, xy: wp.vec2, z: float, storey_m: float, skip_lane: int) -> int:
    """The lane sample nearest to a point in plan view; -1 where none qualifies.

    Looks at those its grid cell lists that are less than `storey_m` above or below `z` and not on `skip_lane`.
    """
    best = int(-1)
    cell = cell_at(lanes, map_index, xy)
    if cell < 0:
        return best
    best_d = float(1.0e9)
    for k in range(lanes.cell_first[cell], lanes.cell_first[cell + 1]):
        sample = lanes.cell_sample[k]
        pose = lanes.pose[sample]
        dx = pose[0] - xy[0]
        dy = pose[1] - xy[1]
        d = dx * dx + dy * dy
        near = d < best_d and lanes.sample_lane[sample] != skip_lane
        if near and wp.abs(lanes.relief[sample][0] - z) < storey_m:
            best_d = d
            best = sample
    return best


@wp.func
def sample_s(lanes: Lanes, sample: int) -> float:
    """Arc length of a sample along its lane."""
    lane = lanes.sample_lane[sample]
    return float(sample - lanes.sample_first[lane]) / lanes.meta[lane][1]


@wp.func
def draw_successor(lanes: Lanes, lane: int, key: wp.uint64, counter: int, wheelbase: float) -> int:
    """A random lane to follow `lane`, -1 at a dead end; long vehicles choose among the turns they can take well."""
    first = lanes.successor_first[lane]
    last = lanes.successor_first[lane + 1]
    if last == first:
        return -1
    easy = int(0)
    for k in range(first, last):
        if lanes.bend_1pm[lanes.successor[k]] * wheelbase < SHARPEST_TURN_RAD:
            easy = easy + 1
    if easy == 0:
        return lanes.successor[first + below(key, counter, last - first)]
    left = below(key, counter, easy)
    chosen = int(first)
    for k in range(first, last):
        if lanes.bend_1pm[lanes.successor[k]] * wheelbase < SHARPEST_TURN_RAD:
            if left == 0:
                chosen = k
            left = left - 1
    return lanes.successor[chosen]


@wp.kernel
def scan_curve_speed(
    # World
    lanes: Lanes,
    # Out
    curve_speed_mps_out: wp.array(dtype=float),
):
    """Per lane, from its end backwards: v^2 = min(a_lat / |curvature|, v_next^2 + 2 b ds)."""
    lane = wp.tid()
    first = lanes.sample_first[lane]
    count = lanes.sample_first[lane + 1] - first
    step = 1.0 / lanes.meta[lane][1]
    v2 = float(1.0e6)
    for k in range(count):
        i = first + count - 1 - k
        here = LATERAL_ACCEL_MPS2 / wp.max(wp.abs(lanes.pose[i][3]), 1.0e-4)
        v2 = wp.min(here, v2 + 2.0 * CURVE_DECEL_MPS2 * step)
        curve_speed_mps_out[i] = wp.sqrt(v2)
