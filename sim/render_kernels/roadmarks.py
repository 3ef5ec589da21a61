"""What road is at a point: drivable surface, the ego's lane, lines and crosswalks; per pixel and from above."""

import warp as wp

from sim.kernels.lanes import STOREY_M, Lanes, cell_at, edge_distance
from sim.render_kernels.view import Views

wp.set_module_options({"enable_backward": False})

ROAD = wp.constant(7)  # Semantic
DRIVABLE = wp.constant(1)  # types.RoadBit
EGO_LANE = wp.constant(2)
LINE = wp.constant(4)
CROSSWALK = wp.constant(8)
PAINTS = wp.constant(5)  # kinds of pieces from here on are crosswalks
PATH_LANES = wp.constant(4)
BIRD_CELL_M = wp.constant(0.25)
BIRD_AHEAD_M = wp.constant(40.0)
BIRD_LEFT_M = wp.constant(25.0)


@wp.struct
class Marks:
    """Straight pieces of lines and crosswalks, listed for each cell that they come near (CSR), as in `decals`."""

    cell_m: wp.float32
    origin: wp.array(dtype=wp.vec2)  # per map
    shape: wp.array(dtype=wp.vec2i)
    first: wp.array(dtype=wp.int32)  # per map: its first cell
    cell_first: wp.array(dtype=wp.int32)
    item: wp.array(dtype=wp.int32)
    line: wp.array(dtype=wp.vec4)  # x, y of the start, unit direction
    shape_m: wp.array(dtype=wp.vec4)  # length, width, distance along at its start, period
    paint: wp.array(dtype=wp.vec4)  # dash length, kind


@wp.func
def marks_at(marks: Marks, scene: wp.int32, x: wp.float32, y: wp.float32) -> wp.int32:
    """LINE and CROSSWALK where a point lies on one."""
    shape = marks.shape[scene]
    column = int(wp.floor((x - marks.origin[scene][0]) / marks.cell_m))
    row = int(wp.floor((y - marks.origin[scene][1]) / marks.cell_m))
    bits = int(0)
    if column < 0 or row < 0 or column >= shape[0] or row >= shape[1]:
        return bits
    cell = marks.first[scene] + row * shape[0] + column
    for k in range(marks.cell_first[cell], marks.cell_first[cell + 1]):
        piece = marks.item[k]
        line = marks.line[piece]
        size = marks.shape_m[piece]
        s = (x - line[0]) * line[2] + (y - line[1]) * line[3]
        d = (y - line[1]) * line[2] - (x - line[0]) * line[3]
        if s < 0.0 or s > size[0] or wp.abs(d) > 0.5 * size[1]:
            continue
        paint = marks.paint[piece]
        if int(paint[1]) >= PAINTS:
            bits = bits | CROSSWALK
            continue
        turn = float(0.0)
        if size[3] > 0.0:
            turn = size[2] + s - wp.floor((size[2] + s) / size[3]) * size[3]
        if size[3] == 0.0 or turn < paint[0]:
            bits = bits | LINE
    return bits


@wp.func
def on_path(
    lanes: Lanes, scene: wp.int32, path: wp.array3d(dtype=wp.int32), valid: wp.array3d(dtype=wp.bool),
    world: wp.int32, point: wp.vec3,
):  # fmt: skip
    """Whether a point lies on a lane of the ego's path, within half a width of its centre."""
    xy = wp.vec2(point[0], point[1])
    cell = cell_at(lanes, scene, xy)
    found = bool(False)
    if cell >= 0:
        for k in range(lanes.cell_first[cell], lanes.cell_first[cell + 1]):
            sample = lanes.cell_sample[k]
            lane = lanes.sample_lane[sample]
            planned = bool(False)
            for i in range(PATH_LANES):
                planned = planned or (valid[world, 0, i] and path[world, 0, i] == lane)
            pose = lanes.pose[sample]
            away = xy - wp.vec2(pose[0], pose[1])
            relief = lanes.relief[sample]
            near = wp.abs(relief[0] - point[2]) < STOREY_M and wp.length(away) < 0.5 * relief[2] + 1.0
            if planned and near and not found:
                c = wp.cos(pose[2])
                n = wp.sin(pose[2])
                beside = c * away[1] - n * away[0]
                along = c * away[0] + n * away[1]
                # Samples of a bend lie farther apart on its outside.
                half = 0.505 * (1.0 + wp.abs(pose[3] * beside)) / lanes.meta[lane][1]
                found = wp.abs(along) <= half and wp.abs(beside) <= 0.5 * relief[2]
    return found


@wp.func
def road_at(
    lanes: Lanes, marks: Marks, scene: wp.int32, path: wp.array3d(dtype=wp.int32),
    valid: wp.array3d(dtype=wp.bool), world: wp.int32, point: wp.vec3,
) -> wp.int32:  # fmt: skip
    """The bits of RoadBit at a point of the road."""
    bits = marks_at(marks, scene, point[0], point[1])
    if edge_distance(lanes, scene, wp.vec2(point[0], point[1])) >= 0.0:
        bits = bits | DRIVABLE
        if on_path(lanes, scene, path, valid, world, point):
            bits = bits | EGO_LANE
    return bits


@wp.kernel
def label_road(
    # World
    map_index: wp.array(dtype=wp.int32),
    lanes: Lanes,
    # State
    path_lane: wp.array3d(dtype=wp.int32),
    path_valid: wp.array3d(dtype=wp.bool),
    # In
    views: Views,
    ray: wp.array3d(dtype=wp.vec3),
    marks: Marks,
    depth_m: wp.array3d(dtype=wp.float32),
    semantic: wp.array3d(dtype=wp.uint8),
    stride: wp.int32,
    # Out
    seen_out: wp.array3d(dtype=wp.uint8),
):
    """`stride` threads share a row; `ray` (C, H, W) is where a pixel's point of depth 1 lies, in camera axes."""
    view, row, lane = wp.tid()
    world = view // views.cameras
    scene = map_index[world]
    camera = view % views.cameras
    world_from_camera = wp.transpose(views.camera_from_world[view])
    for column in range(lane, views.width, stride):
        bits = int(0)
        if int(semantic[view, row, column]) == ROAD:
            toward = world_from_camera * ray[camera, row, column]
            point = views.eye[view] + toward * depth_m[view, row, column]
            bits = road_at(lanes, marks, scene, path_lane, path_valid, world, point)
        seen_out[view, row, column] = wp.uint8(bits)


@wp.kernel
def label_bird(
    # World
    map_index: wp.array(dtype=wp.int32),
    lanes: Lanes,
    # State
    xy_world_m: wp.array3d(dtype=wp.float32),
    z_world_m: wp.array2d(dtype=wp.float32),
    yaw_world_rad: wp.array2d(dtype=wp.float32),
    pitch_rad: wp.array2d(dtype=wp.float32),
    path_lane: wp.array3d(dtype=wp.int32),
    path_valid: wp.array3d(dtype=wp.bool),
    # In
    marks: Marks,
    # Out
    bird_out: wp.array3d(dtype=wp.uint8),
):
    """Each cell's middle, on the plane of the ego's road."""
    world, row, column = wp.tid()
    ahead = BIRD_AHEAD_M - (float(row) + 0.5) * BIRD_CELL_M
    left = BIRD_LEFT_M - (float(column) + 0.5) * BIRD_CELL_M
    c = wp.cos(yaw_world_rad[world, 0])
    n = wp.sin(yaw_world_rad[world, 0])
    point = wp.vec3(
        xy_world_m[world, 0, 0] + c * ahead - n * left,
        xy_world_m[world, 0, 1] + n * ahead + c * left,
        z_world_m[world, 0] - wp.tan(pitch_rad[world, 0]) * ahead,
    )
    bits = road_at(lanes, marks, map_index[world], path_lane, path_valid, world, point)
    bird_out[world, row, column] = wp.uint8(bits)
