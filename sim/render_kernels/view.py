"""Where cameras and actors stand, and which instances each view can see."""

import warp as wp

from sim.render_kernels.bodies import model_of
from sim.render_kernels.house_shade import shade_at, sun_of
from sim.render_kernels.terrain import Ground, normal_at

wp.set_module_options({"enable_backward": False})

NEAR_M = wp.constant(0.05)
FARTHEST_M = wp.constant(2000.0)  # keys have room for 2048 m
DEPTH_ONE = wp.constant(1048576.0)
EMPTY = wp.constant(wp.int64(0x7FFFFFFFFFFFFFFF))
SKYLINE_M = wp.constant(1900.0)  # depths end at 2000 m
STATIC_FLAG = wp.constant(wp.int64(1 << 31))
ITEM_SHIFT = wp.constant(wp.int64(12))
ACTORS_END = wp.constant(int(STATIC_FLAG) >> int(ITEM_SHIFT))  # items of names from here on stand still
TRIANGLE_MASK = wp.constant((1 << 12) - 1)
TERRAIN_NAME = wp.constant(wp.uint32(0xFFFFFFFE))  # ground of maps that are not flat; of flat ones it is EMPTY's
FINE_PX = wp.constant(56.0)  # models whose longest side looks larger than this are drawn in full detail
MIDDLE_PX = wp.constant(22.0)  # and those that look smaller than this in a coarser one
SPECK_PX = wp.constant(6.0)  # and those that look smaller still as specks
LEAST_PX = wp.constant(0.7)  # what looks smaller still is left out
SHADOW_PX = wp.constant(2.0)
SHADOW_ROWS_PX = wp.constant(0.25)  # shadows that look flatter than this pass between the rows' centres, or should
WHEEL_TURN_M = wp.constant(2.07)  # way that a wheel of 0.33 m radius rolls in one turn
LEFT_DOOR = wp.constant(4)  # after the levels of detail of a model; its right door follows


@wp.struct
class Meshes:
    corner: wp.array(dtype=wp.vec3)  # 3 per triangle, unit box
    row: wp.array2d(dtype=wp.float32)  # (13, T) per triangle in the unit box: x, y, z of its corners, then its plane
    normal: wp.array(dtype=wp.vec3)
    material: wp.array(dtype=wp.int32)
    first: wp.array2d(dtype=wp.int32)
    count: wp.array2d(dtype=wp.int32)
    semantic: wp.array(dtype=wp.int32)
    # Per triangle, in the unit box: its plane, the direction of its surface `base + bend p`, its pattern's anchor
    plane: wp.array(dtype=wp.vec4)
    facet: wp.array(dtype=wp.mat44)  # the plane again, then `base` and `bend`: all that shading takes, in one place
    anchor: wp.array(dtype=wp.vec3)
    look: wp.array(dtype=wp.vec4)  # per material: colour, gloss
    glyph: wp.array(dtype=wp.int32)  # letters and digits, 3 x 5


@wp.struct
class Statics:
    pose: wp.array(dtype=wp.vec4)  # x, y, cos yaw, sin yaw
    size_m: wp.array(dtype=wp.vec3)
    model: wp.array(dtype=wp.int32)
    tint: wp.array(dtype=wp.int32)
    z: wp.array(dtype=wp.float32)  # of their base
    detail: wp.array(dtype=wp.int32)  # face of a sign, the map's signal group of a signal head, else 0
    cell_m: wp.float32
    origin: wp.array(dtype=wp.vec2)
    shape: wp.array(dtype=wp.vec2i)
    grid_first: wp.array(dtype=wp.int32)
    cell_first: wp.array(dtype=wp.int32)
    map_first: wp.array(dtype=wp.int32)


@wp.struct
class Views:
    eye: wp.array(dtype=wp.vec3)  # (V,) world
    camera_from_world: wp.array(dtype=wp.mat33)  # (V,)
    focal_px: wp.array(dtype=wp.float32)  # (C,)
    center_px: wp.array(dtype=wp.vec2)  # (C,)
    cameras: wp.int32
    width: wp.int32
    height: wp.int32
    samples: wp.int32  # per pixel and axis
    gain: wp.array(dtype=wp.float32)  # (V,) how much more it is exposed than in the sun


@wp.struct
class Actors:
    pose: wp.array2d(dtype=wp.vec4)  # (B, N) x, y of the box centre, cos yaw, sin yaw
    z: wp.array2d(dtype=wp.float32)  # of the middle of the box's base
    pitch: wp.array2d(dtype=wp.float32)  # nose down positive
    turn: wp.array2d(dtype=wp.mat33)  # world_from_body
    size_m: wp.array2d(dtype=wp.vec3)
    model: wp.array2d(dtype=wp.int32)  # -1 where not drawn
    # bit 0 brakes, 1 indicates left, 2 right, 3..5 eighths that the wheels have turned, 6..9 steer + 8 in 1/16 rad,
    # 10 its left front door is open, 11 its right one
    detail: wp.array2d(dtype=wp.int32)
    shade_m: wp.array2d(
        dtype=wp.float32
    )  # height above its base up to which houses shade it; of those drawn, by `cull`


@wp.struct
class DrawList:
    count: wp.array(dtype=wp.int32)  # (V,)
    name: wp.array2d(dtype=wp.int64)  # (V, S) flag, instance and the level's first triangle: add a triangle's index
    triangles: wp.array2d(dtype=wp.vec2i)  # of the level: first, count
    axes: wp.array2d(dtype=wp.mat33)  # camera_from_unit
    shift: wp.array2d(dtype=wp.vec3)
    source: wp.array2d(dtype=wp.vec3)  # the eye, or the direction to the sun, in the unit box


@wp.func
def turned(yaw_cos: wp.float32, yaw_sin: wp.float32, pitch_cos: wp.float32, pitch_sin: wp.float32):
    """world_from_body of a body that first pitches (nose down positive), then turns."""
    return wp.mat33(
        yaw_cos * pitch_cos, -yaw_sin, yaw_cos * pitch_sin,
        yaw_sin * pitch_cos, yaw_cos, yaw_sin * pitch_sin,
        -pitch_sin, 0.0, pitch_cos,
    )  # fmt: skip


@wp.kernel
def place_views(
    # State
    xy_world_m: wp.array3d(dtype=wp.float32),
    z_world_m: wp.array2d(dtype=wp.float32),
    yaw_world_rad: wp.array2d(dtype=wp.float32),
    pitch_rad: wp.array2d(dtype=wp.float32),
    # In
    ego_from_camera: wp.array(dtype=wp.mat44),
    cameras: wp.int32,
    # Out
    eye_out: wp.array(dtype=wp.vec3),
    camera_from_world_out: wp.array(dtype=wp.mat33),
    drawn_out: wp.array(dtype=wp.int32),
    shadows_out: wp.array(dtype=wp.int32),
):
    view = wp.tid()
    world = view // cameras
    pose = ego_from_camera[view % cameras]
    yaw = yaw_world_rad[world, 0]
    pitch = pitch_rad[world, 0]
    turn = turned(wp.cos(yaw), wp.sin(yaw), wp.cos(pitch), wp.sin(pitch))
    body = wp.mat33(
        pose[0, 0], pose[0, 1], pose[0, 2], pose[1, 0], pose[1, 1], pose[1, 2], pose[2, 0], pose[2, 1], pose[2, 2]
    )
    camera_from_world_out[view] = wp.transpose(turn * body)
    mount = turn * wp.vec3(pose[0, 3], pose[1, 3], pose[2, 3])
    eye_out[view] = wp.vec3(xy_world_m[world, 0, 0], xy_world_m[world, 0, 1], z_world_m[world, 0]) + mount
    drawn_out[view] = 0
    shadows_out[view] = 0


@wp.kernel
def place_actors(
    # World
    kind: wp.array2d(dtype=wp.int32),
    size_m: wp.array3d(dtype=wp.float32),
    wheelbase_m: wp.array2d(dtype=wp.float32),
    appearance_id: wp.array2d(dtype=wp.int32),
    # State
    valid: wp.array2d(dtype=wp.bool),
    xy_world_m: wp.array3d(dtype=wp.float32),
    z_world_m: wp.array2d(dtype=wp.float32),
    yaw_world_rad: wp.array2d(dtype=wp.float32),
    pitch_rad: wp.array2d(dtype=wp.float32),
    walk_s_m: wp.array2d(dtype=wp.float32),
    speed_mps: wp.array2d(dtype=wp.float32),
    accel_mps2: wp.array2d(dtype=wp.float32),
    steer_rad: wp.array2d(dtype=wp.float32),
    lane_s_m: wp.array2d(dtype=wp.float32),
    lane_lateral_m: wp.array2d(dtype=wp.float32),
    indicator: wp.array2d(dtype=wp.float32),
    door_s: wp.array2d(dtype=wp.float32),
    tick: wp.array(dtype=wp.int64),
    # In
    blinks_per_tick: wp.float32,
    # Out
    actors_out: Actors,
):
    world, actor = wp.tid()
    if actor == 0 or not valid[world, actor]:
        actors_out.model[world, actor] = -1
        return
    yaw = yaw_world_rad[world, actor]
    pitch = pitch_rad[world, actor]
    if kind[world, actor] == 3:
        pitch = 0.0  # people stand upright on any slope
    turn = turned(wp.cos(yaw), wp.sin(yaw), wp.cos(pitch), wp.sin(pitch))
    ahead = turn * wp.vec3(0.5 * wheelbase_m[world, actor], 0.0, 0.0)
    x = xy_world_m[world, actor, 0] + ahead[0]
    y = xy_world_m[world, actor, 1] + ahead[1]
    size = wp.vec3(size_m[world, actor, 0], size_m[world, actor, 1], size_m[world, actor, 2])
    actors_out.pose[world, actor] = wp.vec4(x, y, turn[1, 1], -turn[0, 1])
    actors_out.z[world, actor] = z_world_m[world, actor] + ahead[2]
    actors_out.pitch[world, actor] = pitch
    actors_out.turn[world, actor] = turn
    actors_out.size_m[world, actor] = size
    way = wp.where(kind[world, actor] == 3, walk_s_m[world, actor], lane_s_m[world, actor])
    actors_out.model[world, actor] = model_of(
        kind[world, actor], size, appearance_id[world, actor], way, speed_mps[world, actor]
    )
    rolled = lane_s_m[world, actor] / WHEEL_TURN_M
    detail = int((rolled - wp.floor(rolled)) * 8.0) & 7
    detail = (detail << 3) | ((wp.clamp(int(wp.round(steer_rad[world, actor] * 16.0)), -8, 7) + 8) << 6)
    if accel_mps2[world, actor] < -1.0:
        detail |= 1
    blink = float(tick[world]) * blinks_per_tick + float(actor) * 0.37
    if indicator[world, actor] != 0.0 and blink - wp.floor(blink) < 0.5:
        detail |= wp.where(indicator[world, actor] > 0.0, 2, 4)
    if door_s[world, actor] > 0.0:
        detail |= wp.where(lane_lateral_m[world, actor] < 0.0, 1 << 10, 1 << 11)
    actors_out.detail[world, actor] = detail


@wp.func
def sphere_in_view(p: wp.vec3, radius: wp.float32, focal: wp.float32, center: wp.vec2, width: float, height: float):
    """Whether a sphere around p, in camera axes, reaches into the viewing pyramid."""
    left = center[0]
    right = width - center[0]
    top = center[1]
    bottom = height - center[1]
    return (
        p[2] + radius > NEAR_M
        and p[0] * focal + p[2] * left > -radius * wp.sqrt(focal * focal + left * left)
        and p[0] * focal - p[2] * right < radius * wp.sqrt(focal * focal + right * right)
        and p[1] * focal + p[2] * top > -radius * wp.sqrt(focal * focal + top * top)
        and p[1] * focal - p[2] * bottom < radius * wp.sqrt(focal * focal + bottom * bottom)
    )


@wp.func
def append(
    meshes: Meshes,
    listed: DrawList,
    view: wp.int32,
    name: wp.int64,
    model: wp.int32,
    level: wp.int32,
    axes: wp.mat33,
    shift: wp.vec3,
    source: wp.vec3,
):
    first = meshes.first[model, level]
    slot = wp.atomic_add(listed.count, view, 1)
    listed.name[view, slot] = name + wp.int64(first - meshes.first[model, 0])
    listed.triangles[view, slot] = wp.vec2i(first, meshes.count[model, level])
    listed.axes[view, slot] = axes
    listed.shift[view, slot] = shift
    listed.source[view, slot] = source


@wp.func
def cull_one(
    views: Views,
    meshes: Meshes,
    view: wp.int32,
    name: wp.int64,
    model: wp.int32,
    base: wp.vec3,
    body: wp.mat33,
    size: wp.vec3,
    doors: wp.int32,
    ground: Ground,
    scene: wp.int32,
    sun: wp.vec3,
    shadow_range_m: wp.float32,
    drawn: DrawList,
    shadows: DrawList,
):
    """Append one instance to the lists of what is drawn and of what casts a shadow, if it can be seen there.

    Returns whether it is drawn. Shadows fall on the plane through the instance's base along the ground; `body` is its
    world_from_body, `doors` says which is open, 1 the left one, 2 the right one.
    """
    camera = view % views.cameras
    focal = views.focal_px[camera]
    center = views.center_px[camera]
    turn = views.camera_from_world[view]
    away = base - views.eye[view]
    wide = float(views.width)
    high = float(views.height)
    middle = turn * (away + (0.5 * size[2]) * wp.vec3(body[0, 2], body[1, 2], body[2, 2]))
    looks_px = wp.max(size[0], wp.max(size[1], size[2])) * focal / wp.max(wp.length(middle), NEAR_M)
    if looks_px < LEAST_PX:
        return False
    unit = body * wp.diag(size)
    seen = sphere_in_view(middle, 0.5 * wp.length(size), focal, center, wide, high)
    if seen:
        level = 0
        if looks_px < MIDDLE_PX:
            level = wp.where(looks_px < SPECK_PX, 3, 2)
        elif looks_px < FINE_PX:
            level = 1
        source = wp.cw_div(-away * body, size)
        append(meshes, drawn, view, name, model, level, turn * unit, turn * away, source)
        if doors > 0 and level < 2:
            door = LEFT_DOOR + doors // 2
            if meshes.count[model, door] > 0:
                append(meshes, drawn, view, name, model, door, turn * unit, turn * away, source)
    if looks_px < SHADOW_PX or away[0] * away[0] + away[1] * away[1] > shadow_range_m * shadow_range_m:
        return seen
    up = normal_at(ground, scene, base[0], base[1])
    rise = wp.dot(sun, up)
    if rise <= 0.0 or wp.dot(away, up) >= 0.0:
        return seen
    lean = up - sun / rise  # from the top to its shadow, less the height: along the base's plane
    stretch = size[2] * wp.length(lean)
    half = 0.5 * wp.sqrt(size[0] * size[0] + size[1] * size[1]) + 0.5 * stretch
    across = away + 0.5 * size[2] * lean
    beyond = wp.dot(across, across) - half * half
    if -2.0 * half * focal * wp.dot(away, up) < SHADOW_ROWS_PX * beyond:
        return seen
    if sphere_in_view(turn * across, half, focal, center, wide, high):
        flat = wp.identity(n=3, dtype=wp.float32) - wp.outer(sun, up) / rise
        level = 1
        if looks_px < FINE_PX:
            level = wp.where(looks_px < SPECK_PX, 3, 2)
        append(meshes, shadows, view, name, model, level, turn * flat * unit, turn * away, wp.cw_div(sun * body, size))
    return seen


@wp.kernel
def cull(
    # World
    map_index: wp.array(dtype=wp.int32),
    # In
    views: Views,
    meshes: Meshes,
    actors: Actors,
    statics: Statics,
    ground: Ground,
    weather: wp.array2d(dtype=wp.float32),
    range_m: wp.float32,
    shadow_range_m: wp.float32,
    reach: wp.int32,
    actor_count: wp.int32,
    threads: wp.int32,
    # Out
    drawn_out: DrawList,
    shadows_out: DrawList,
):
    """`threads` threads share a view's candidates: first the actors, then the cells of the static grid around it, and
    last the map's skyline, which lies in a cell of its own behind the grid's."""
    view, thread = wp.tid()
    world = view // views.cameras
    scene = map_index[world]
    sun = sun_of(weather, world)
    side = 2 * reach + 1
    eye = views.eye[view]
    corner = statics.origin[scene]
    shape = statics.shape[scene]
    base = statics.map_first[scene]
    camera = view % views.cameras
    for candidate in range(thread, actor_count + side * side + 1, threads):
        if candidate < actor_count:
            model = actors.model[world, candidate]
            if model >= 0:
                pose = actors.pose[world, candidate]
                seen = cull_one(
                    views, meshes, view, wp.int64(candidate) << ITEM_SHIFT, model,
                    wp.vec3(pose[0], pose[1], actors.z[world, candidate]), actors.turn[world, candidate],
                    actors.size_m[world, candidate], (actors.detail[world, candidate] >> 10) & 3, ground, scene, sun,
                    shadow_range_m, drawn_out, shadows_out,
                )  # fmt: skip
                if seen:  # the same for whichever camera sees it
                    actors.shade_m[world, candidate] = shade_at(ground, scene, sun, pose[0], pose[1])
            continue
        cell = candidate - actor_count
        column = int(wp.floor((eye[0] - corner[0]) / statics.cell_m)) + cell % side - reach
        row = int(wp.floor((eye[1] - corner[1]) / statics.cell_m)) + cell // side - reach
        skyline = cell == side * side
        if skyline:
            column = 0
            row = shape[1]
        elif column < 0 or row < 0 or column >= shape[0] or row >= shape[1]:
            continue
        at = statics.grid_first[scene] + row * shape[0] + column
        first = statics.cell_first[at]
        last = statics.cell_first[at + 1]
        if first == last:
            continue
        ahead = views.camera_from_world[view] * wp.vec3(
            corner[0] + (float(column) + 0.5) * statics.cell_m - eye[0],
            corner[1] + (float(row) + 0.5) * statics.cell_m - eye[1],
            0.0,
        )
        # Cells beyond all shadows need a look only if they are ahead; heights are not known here, hence the slack.
        far = wp.length(ahead)
        if not skyline and far > shadow_range_m + statics.cell_m and not sphere_in_view(
            ahead, 1.4 * statics.cell_m + 0.15 * far, views.focal_px[camera], views.center_px[camera],
            float(views.width), float(views.height),
        ):  # fmt: skip
            continue
        for item in range(first, last):
            pose = statics.pose[item]
            size = statics.size_m[item]
            dx = pose[0] - eye[0]
            dy = pose[1] - eye[1]
            # Small things vanish earlier: posts and bushes beyond some hundred metres are below a pixel anyway.
            limit = wp.min(range_m, 60.0 + 25.0 * wp.max(size[2], 0.25 * size[0]))
            if skyline:
                limit = SKYLINE_M
            if dx * dx + dy * dy < limit * limit:
                cull_one(
                    views, meshes, view, STATIC_FLAG | (wp.int64(item - base) << ITEM_SHIFT), statics.model[item],
                    wp.vec3(pose[0], pose[1], statics.z[item]), turned(pose[2], pose[3], 1.0, 0.0), size,
                    0, ground, scene, sun, shadow_range_m, drawn_out, shadows_out,
                )  # fmt: skip
