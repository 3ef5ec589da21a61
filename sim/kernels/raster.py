"""Which triangle is seen at each sample: culling, an atomic-min visibility buffer, silhouettes and shadow stencils.

A sample's key is depth in units of 2^-20 m in the upper 32 bits and the triangle's name in the lower ones, so that the
minimum over all triangles, in whatever order they arrive, is the visible one. Edge functions are homogeneous (Olano and
Greer, "Triangle scan conversion using 2D homogeneous coordinates", 1997): a ray (x, y, 1) meets the triangle p0 p1 p2
where all of ray . (p_i x p_j) have the sign of the triangle's volume, and no clipping at the near plane is needed.
"""

import warp as wp

wp.set_module_options({"enable_backward": False})

NEAR_M = wp.constant(0.05)
DEPTH_ONE = wp.constant(1048576.0)
EMPTY = wp.constant(wp.int64(0x7FFFFFFFFFFFFFFF))
STATIC_FLAG = wp.constant(wp.int64(1 << 31))
LEVEL_BIT = wp.constant(1 << 10)
TRIANGLE_MASK = wp.constant((1 << 10) - 1)
FINE_PX = wp.constant(34.0)  # models whose longest side looks larger than this are drawn in full detail
PERSON = wp.constant(6)
WALK_PHASES = wp.constant(8)
STRIDE_M = wp.constant(1.5)
ALL_BITS = wp.constant(wp.uint32(0xFFFFFFFF))


@wp.struct
class Meshes:
    corner: wp.array(dtype=wp.vec3)  # 3 per triangle, unit box
    normal: wp.array(dtype=wp.vec3)
    material: wp.array(dtype=wp.int32)
    first: wp.array2d(dtype=wp.int32)
    count: wp.array2d(dtype=wp.int32)
    semantic: wp.array(dtype=wp.int32)


@wp.struct
class Statics:
    pose: wp.array(dtype=wp.vec4)  # x, y, cos yaw, sin yaw
    size_m: wp.array(dtype=wp.vec3)
    model: wp.array(dtype=wp.int32)
    tint: wp.array(dtype=wp.int32)
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


@wp.struct
class Actors:
    pose: wp.array2d(dtype=wp.vec4)  # (B, N) x, y of the box centre, cos yaw, sin yaw
    size_m: wp.array2d(dtype=wp.vec3)
    model: wp.array2d(dtype=wp.int32)  # -1 where not drawn


@wp.struct
class DrawList:
    count: wp.array(dtype=wp.int32)  # (V,)
    name: wp.array2d(dtype=wp.int64)  # (V, S) flag, instance and level, ready to take the triangle's index
    model: wp.array2d(dtype=wp.int32)
    axes: wp.array2d(dtype=wp.mat33)  # camera_from_unit
    shift: wp.array2d(dtype=wp.vec3)


@wp.kernel
def place_views(
    # State
    xy_world_m: wp.array3d(dtype=wp.float32),
    yaw_world_rad: wp.array2d(dtype=wp.float32),
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
    c = wp.cos(yaw)
    s = wp.sin(yaw)
    turn = wp.mat33(c, -s, 0.0, s, c, 0.0, 0.0, 0.0, 1.0)
    body = wp.mat33(
        pose[0, 0], pose[0, 1], pose[0, 2], pose[1, 0], pose[1, 1], pose[1, 2], pose[2, 0], pose[2, 1], pose[2, 2]
    )
    camera_from_world_out[view] = wp.transpose(turn * body)
    mount = turn * wp.vec3(pose[0, 3], pose[1, 3], pose[2, 3])
    eye_out[view] = wp.vec3(xy_world_m[world, 0, 0], xy_world_m[world, 0, 1], 0.0) + mount
    drawn_out[view] = 0
    shadows_out[view] = 0


@wp.func
def model_of(kind: wp.int32, size_m: wp.vec3, walk_s_m: wp.float32):
    """The body that fits an actor's size best."""
    if kind == 1:
        return 4
    if kind == 2:
        return 5
    if kind == 3:
        phase = walk_s_m / STRIDE_M
        return PERSON + wp.min(int((phase - wp.floor(phase)) * float(WALK_PHASES)), WALK_PHASES - 1)
    if size_m[2] > 1.80:
        return 3
    if size_m[2] > 1.58:
        return 2
    if size_m[0] < 4.35:
        return 1
    return 0


@wp.kernel
def place_actors(
    # World
    kind: wp.array2d(dtype=wp.int32),
    size_m: wp.array3d(dtype=wp.float32),
    wheelbase_m: wp.array2d(dtype=wp.float32),
    # State
    valid: wp.array2d(dtype=wp.bool),
    xy_world_m: wp.array3d(dtype=wp.float32),
    yaw_world_rad: wp.array2d(dtype=wp.float32),
    walk_s_m: wp.array2d(dtype=wp.float32),
    # Out
    pose_out: wp.array2d(dtype=wp.vec4),
    size_out: wp.array2d(dtype=wp.vec3),
    model_out: wp.array2d(dtype=wp.int32),
):
    world, actor = wp.tid()
    if actor == 0 or not valid[world, actor]:
        model_out[world, actor] = -1
        return
    yaw = yaw_world_rad[world, actor]
    c = wp.cos(yaw)
    s = wp.sin(yaw)
    ahead = 0.5 * wheelbase_m[world, actor]
    x = xy_world_m[world, actor, 0] + c * ahead
    y = xy_world_m[world, actor, 1] + s * ahead
    size = wp.vec3(size_m[world, actor, 0], size_m[world, actor, 1], size_m[world, actor, 2])
    pose_out[world, actor] = wp.vec4(x, y, c, s)
    size_out[world, actor] = size
    model_out[world, actor] = model_of(kind[world, actor], size, walk_s_m[world, actor])


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
def cull_one(
    views: Views,
    view: wp.int32,
    flag: wp.int64,
    item: wp.int32,
    model: wp.int32,
    pose: wp.vec4,
    size: wp.vec3,
    sun: wp.vec3,
    shadow_range_m: wp.float32,
    drawn: DrawList,
    shadows: DrawList,
):
    """Append one instance to the lists of what is drawn and of what casts a shadow, if it can be seen there."""
    camera = view % views.cameras
    focal = views.focal_px[camera]
    center = views.center_px[camera]
    turn = views.camera_from_world[view]
    eye = views.eye[view]
    away = wp.vec3(pose[0] - eye[0], pose[1] - eye[1], -eye[2])
    unit = wp.mat33(
        pose[2] * size[0], -pose[3] * size[1], 0.0, pose[3] * size[0], pose[2] * size[1], 0.0, 0.0, 0.0, size[2]
    )
    wide = float(views.width)
    high = float(views.height)
    middle = turn * (away + wp.vec3(0.0, 0.0, 0.5 * size[2]))
    radius = 0.5 * wp.length(size)
    if sphere_in_view(middle, radius, focal, center, wide, high):
        large = wp.max(size[0], wp.max(size[1], size[2])) * focal
        level = 0
        if large < FINE_PX * wp.length(middle):
            level = 1
        slot = wp.atomic_add(drawn.count, view, 1)
        drawn.name[view, slot] = flag | (wp.int64(item) << wp.int64(11)) | (wp.int64(level) << wp.int64(10))
        drawn.model[view, slot] = model
        drawn.axes[view, slot] = turn * unit
        drawn.shift[view, slot] = turn * away
    if sun[2] <= 0.0 or away[0] * away[0] + away[1] * away[1] > shadow_range_m * shadow_range_m:
        return
    lean = wp.vec3(-sun[0] / sun[2], -sun[1] / sun[2], 0.0)
    stretch = size[2] * wp.length(lean)
    half = 0.5 * wp.sqrt(size[0] * size[0] + size[1] * size[1]) + 0.5 * stretch
    if sphere_in_view(turn * (away + 0.5 * size[2] * lean), half, focal, center, wide, high):
        flat = wp.mat33(1.0, 0.0, lean[0], 0.0, 1.0, lean[1], 0.0, 0.0, 0.0)
        slot = wp.atomic_add(shadows.count, view, 1)
        shadows.name[view, slot] = flag | (wp.int64(item) << wp.int64(11)) | wp.int64(LEVEL_BIT)
        shadows.model[view, slot] = model
        shadows.axes[view, slot] = turn * flat * unit
        shadows.shift[view, slot] = turn * away


@wp.kernel
def cull(
    # World
    map_index: wp.array(dtype=wp.int32),
    # In
    views: Views,
    actors: Actors,
    statics: Statics,
    weather: wp.array2d(dtype=wp.float32),
    range_m: wp.float32,
    shadow_range_m: wp.float32,
    reach: wp.int32,
    actor_count: wp.int32,
    # Out
    drawn_out: DrawList,
    shadows_out: DrawList,
):
    """One thread per view and candidate: first the actors, then the cells of the static grid around the camera."""
    view, candidate = wp.tid()
    world = view // views.cameras
    azimuth = weather[world, 0]
    elevation = weather[world, 1]
    flat = wp.cos(elevation)
    sun = wp.vec3(flat * wp.cos(azimuth), flat * wp.sin(azimuth), wp.sin(elevation))
    if candidate < actor_count:
        model = actors.model[world, candidate]
        if model >= 0:
            pose = actors.pose[world, candidate]
            size = actors.size_m[world, candidate]
            cull_one(
                views, view, wp.int64(0), candidate, model, pose, size, sun, shadow_range_m, drawn_out, shadows_out
            )
        return
    scene = map_index[world]
    eye = views.eye[view]
    side = 2 * reach + 1
    cell = candidate - actor_count
    corner = statics.origin[scene]
    column = int(wp.floor((eye[0] - corner[0]) / statics.cell_m)) + cell % side - reach
    row = int(wp.floor((eye[1] - corner[1]) / statics.cell_m)) + cell // side - reach
    shape = statics.shape[scene]
    if column < 0 or row < 0 or column >= shape[0] or row >= shape[1]:
        return
    at = statics.grid_first[scene] + row * shape[0] + column
    base = statics.map_first[scene]
    for item in range(statics.cell_first[at], statics.cell_first[at + 1]):
        pose = statics.pose[item]
        size = statics.size_m[item]
        dx = pose[0] - eye[0]
        dy = pose[1] - eye[1]
        # Small things vanish earlier: posts and bushes beyond some hundred metres are below a pixel anyway.
        limit = wp.min(range_m, 60.0 + 25.0 * wp.max(size[2], 0.25 * size[0]))
        if dx * dx + dy * dy < limit * limit:
            model = statics.model[item]
            cull_one(
                views, view, STATIC_FLAG, item - base, model, pose, size, sun, shadow_range_m, drawn_out, shadows_out
            )


@wp.func
def edge_plane(p: wp.vec3, q: wp.vec3):
    """p x q, computed so that edge_plane(q, p) is exactly its negative: neighbours then leave no gap."""
    if p[0] < q[0] or (p[0] == q[0] and (p[1] < q[1] or (p[1] == q[1] and p[2] < q[2]))):
        return wp.cross(p, q - p)
    return -wp.cross(q, p - q)


@wp.func
def row_limits(edge: wp.vec3, y: wp.float32, limits: wp.vec2):
    """Narrow the interval of ray x along row y to where edge . (x, y, 1) >= 0."""
    rest = edge[1] * y + edge[2]
    low = limits[0]
    high = limits[1]
    if edge[0] > 0.0:
        low = wp.max(low, -rest / edge[0])
    elif edge[0] < 0.0:
        high = wp.min(high, -rest / edge[0])
    elif rest < 0.0:
        high = low - 1.0
    return wp.vec2(low, high)


@wp.func
def row_range(p0: wp.vec3, p1: wp.vec3, p2: wp.vec3, focal: wp.float32, center: wp.float32, height: wp.int32):
    """First and last row whose centre the triangle may cover; all rows where it crosses the near plane."""
    if wp.min(p0[2], wp.min(p1[2], p2[2])) < NEAR_M:
        if wp.max(p0[2], wp.max(p1[2], p2[2])) < NEAR_M:
            return wp.vec2i(0, -1)
        return wp.vec2i(0, height - 1)
    v0 = p0[1] / p0[2]
    v1 = p1[1] / p1[2]
    v2 = p2[1] / p2[2]
    low = wp.min(v0, wp.min(v1, v2)) * focal + center - 0.5
    high = wp.max(v0, wp.max(v1, v2)) * focal + center - 0.5
    # A hundredth of a pixel of slack: the edge functions decide.
    first = wp.max(int(wp.ceil(wp.clamp(low, -1.0, 1.0e6) - 0.01)), 0)
    last = wp.min(int(wp.floor(wp.clamp(high, -1.0, 1.0e6) + 0.01)), height - 1)
    return wp.vec2i(first, last)


@wp.func
def columns_of(limits: wp.vec2, focal: wp.float32, center: wp.float32, width: wp.int32):
    """First and last column whose centre lies in an interval of ray x."""
    low = wp.clamp(limits[0] * focal + center - 0.5, -1.0, 1.0e6)
    high = wp.clamp(limits[1] * focal + center - 0.5, -1.0, 1.0e6)
    first = wp.max(int(wp.ceil(low)), 0)
    last = wp.min(int(wp.floor(high)), width - 1)
    if limits[1] < limits[0]:
        last = first - 1
    return wp.vec2i(first, last)


@wp.func
def bits_of(word: wp.uint32):
    """How many bits are set."""
    x = word - ((word >> wp.uint32(1)) & wp.uint32(0x55555555))
    x = (x & wp.uint32(0x33333333)) + ((x >> wp.uint32(2)) & wp.uint32(0x33333333))
    x = (x + (x >> wp.uint32(4))) & wp.uint32(0x0F0F0F0F)
    return int((x * wp.uint32(0x01010101)) >> wp.uint32(24))


@wp.func
def mark_row(
    bitmap: wp.array4d(dtype=wp.uint32), view: wp.int32, actor: wp.int32, row: wp.int32, first: wp.int32, last: wp.int32
):
    """Set the bits of columns first..last in an actor's silhouette; returns how many were not set before."""
    fresh = int(0)
    for word in range(first >> 5, (last >> 5) + 1):
        mask = ALL_BITS
        low = first - (word << 5)
        high = last - (word << 5)
        if low > 0:
            mask = mask & (ALL_BITS << wp.uint32(low))
        if high < 31:
            mask = mask & (ALL_BITS >> wp.uint32(31 - high))
        before = wp.atomic_or(bitmap, view, actor, row, word, mask)
        fresh += bits_of(mask & (ALL_BITS ^ before))
    return fresh


@wp.func
def widen(bounds: wp.vec4, p: wp.vec3, q: wp.vec3, focal: wp.float32, center: wp.vec2):
    """Extend (u min, v min, u max, v max) by a triangle's edge from p to q, cut at the near plane."""
    if p[2] < NEAR_M and q[2] < NEAR_M:
        return bounds
    a = p
    if p[2] < NEAR_M:
        a = p + (q - p) * ((NEAR_M - p[2]) / (q[2] - p[2]))
    b = a
    if q[2] < NEAR_M:
        b = q + (p - q) * ((NEAR_M - q[2]) / (p[2] - q[2]))
    ua = a[0] / a[2] * focal + center[0]
    va = a[1] / a[2] * focal + center[1]
    ub = b[0] / b[2] * focal + center[0]
    vb = b[1] / b[2] * focal + center[1]
    return wp.vec4(
        wp.min(bounds[0], wp.min(ua, ub)),
        wp.min(bounds[1], wp.min(va, vb)),
        wp.max(bounds[2], wp.max(ua, ub)),
        wp.max(bounds[3], wp.max(va, vb)),
    )


@wp.kernel
def draw(
    # In
    views: Views,
    meshes: Meshes,
    drawn: DrawList,
    lanes: wp.int32,
    silhouettes: wp.bool,
    # Out
    key_out: wp.array3d(dtype=wp.int64),
    bitmap_out: wp.array4d(dtype=wp.uint32),
    silhouette_out: wp.array2d(dtype=wp.int32),
    amodal_out: wp.array3d(dtype=wp.float32),
):
    """Draw every listed instance into the visibility buffer; `lanes` threads share an instance's triangles.

    With `silhouettes`, also collect each actor's own pixels (whether hidden or not) and the bounds of its projection.
    """
    view, slot, lane = wp.tid()
    if slot >= drawn.count[view]:
        return
    camera = view % views.cameras
    scale = float(views.samples)
    focal = views.focal_px[camera] * scale
    center = views.center_px[camera] * scale
    width = views.width * views.samples
    height = views.height * views.samples
    name = drawn.name[view, slot]
    model = drawn.model[view, slot]
    axes = drawn.axes[view, slot]
    shift = drawn.shift[view, slot]
    level = int((name >> wp.int64(10)) & wp.int64(1))
    is_actor = (name & STATIC_FLAG) == wp.int64(0)
    actor = int((name & ~STATIC_FLAG) >> wp.int64(11))
    outline = silhouettes and is_actor
    first = meshes.first[model, level]
    bounds = wp.vec4(1.0e9, 1.0e9, -1.0e9, -1.0e9)
    pixels = int(0)
    for triangle in range(lane, meshes.count[model, level], lanes):
        at = 3 * (first + triangle)
        p0 = axes * meshes.corner[at] + shift
        p1 = axes * meshes.corner[at + 1] + shift
        p2 = axes * meshes.corner[at + 2] + shift
        if outline:
            bounds = widen(bounds, p0, p1, focal, center)
            bounds = widen(bounds, p1, p2, focal, center)
            bounds = widen(bounds, p2, p0, focal, center)
        normal = wp.cross(p1 - p0, p2 - p0)
        volume = wp.dot(normal, p0)
        if volume >= 0.0:
            continue
        rows = row_range(p0, p1, p2, focal, center[1], height)
        if rows[0] > rows[1]:
            continue
        e0 = -edge_plane(p1, p2)
        e1 = -edge_plane(p2, p0)
        e2 = -edge_plane(p0, p1)
        tag = name | wp.int64(triangle)
        for row in range(rows[0], rows[1] + 1):
            y = (float(row) + 0.5 - center[1]) / focal
            limits = row_limits(e0, y, wp.vec2(-1.0e6, 1.0e6))
            limits = row_limits(e1, y, limits)
            limits = row_limits(e2, y, limits)
            columns = columns_of(limits, focal, center[0], width)
            if columns[0] > columns[1]:
                continue
            if outline:
                pixels += mark_row(bitmap_out, view, actor, row, columns[0], columns[1])
            for column in range(columns[0], columns[1] + 1):
                x = (float(column) + 0.5 - center[0]) / focal
                slope = normal[0] * x + normal[1] * y + normal[2]
                z = volume / slope
                if slope < 0.0 and z > NEAR_M and z < 2000.0:
                    key = (wp.int64(z * DEPTH_ONE + 0.5) << wp.int64(32)) | tag
                    wp.atomic_min(key_out, view, row, column, key)
    if outline:
        wp.atomic_add(silhouette_out, view, actor, pixels)
        wp.atomic_min(amodal_out, view, actor, 0, bounds[0])
        wp.atomic_min(amodal_out, view, actor, 1, bounds[1])
        wp.atomic_max(amodal_out, view, actor, 2, bounds[2])
        wp.atomic_max(amodal_out, view, actor, 3, bounds[3])


@wp.kernel
def draw_shadows(
    # In
    views: Views,
    meshes: Meshes,
    shadows: DrawList,
    lanes: wp.int32,
    # Out
    stencil_out: wp.array3d(dtype=wp.uint8),
):
    """Draw the meshes, flattened along the sun onto the ground, into a stencil over the samples."""
    view, slot, lane = wp.tid()
    if slot >= shadows.count[view]:
        return
    camera = view % views.cameras
    scale = float(views.samples)
    focal = views.focal_px[camera] * scale
    center = views.center_px[camera] * scale
    width = views.width * views.samples
    height = views.height * views.samples
    model = shadows.model[view, slot]
    axes = shadows.axes[view, slot]
    shift = shadows.shift[view, slot]
    first = meshes.first[model, 1]
    for triangle in range(lane, meshes.count[model, 1], lanes):
        at = 3 * (first + triangle)
        p0 = axes * meshes.corner[at] + shift
        p1 = axes * meshes.corner[at + 1] + shift
        p2 = axes * meshes.corner[at + 2] + shift
        # Seen from above, which the camera is, only the faces that the sun sees wind this way: each point once.
        if wp.dot(wp.cross(p1 - p0, p2 - p0), p0) >= 0.0:
            continue
        rows = row_range(p0, p1, p2, focal, center[1], height)
        if rows[0] > rows[1]:
            continue
        e0 = -edge_plane(p1, p2)
        e1 = -edge_plane(p2, p0)
        e2 = -edge_plane(p0, p1)
        for row in range(rows[0], rows[1] + 1):
            y = (float(row) + 0.5 - center[1]) / focal
            limits = row_limits(e0, y, wp.vec2(-1.0e6, 1.0e6))
            limits = row_limits(e1, y, limits)
            limits = row_limits(e2, y, limits)
            columns = columns_of(limits, focal, center[0], width)
            for column in range(columns[0], columns[1] + 1):
                stencil_out[view, row, column] = wp.uint8(1)


@wp.kernel
def draw_footprints(
    # In
    views: Views,
    actors: Actors,
    # Out
    stencil_out: wp.array3d(dtype=wp.uint8),
):
    """Mark the ground under each vehicle, where little of the sky's light comes, with 2."""
    view, actor = wp.tid()
    world = view // views.cameras
    model = actors.model[world, actor]
    if model < 0 or model >= PERSON:
        return
    camera = view % views.cameras
    scale = float(views.samples)
    focal = views.focal_px[camera] * scale
    center = views.center_px[camera] * scale
    width = views.width * views.samples
    height = views.height * views.samples
    turn = views.camera_from_world[view]
    eye = views.eye[view]
    pose = actors.pose[world, actor]
    size = actors.size_m[world, actor]
    middle = turn * wp.vec3(pose[0] - eye[0], pose[1] - eye[1], -eye[2])
    if not sphere_in_view(
        middle, 0.6 * size[0], views.focal_px[camera], views.center_px[camera], float(views.width), float(views.height)
    ):
        return
    ahead = turn * wp.vec3(pose[2], pose[3], 0.0) * (0.49 * size[0])
    left = turn * wp.vec3(-pose[3], pose[2], 0.0) * (0.46 * size[1])
    a = middle + ahead - left
    b = middle + ahead + left
    c = middle - ahead + left
    d = middle - ahead - left
    rows_abc = row_range(a, b, c, focal, center[1], height)
    rows_acd = row_range(a, c, d, focal, center[1], height)
    e0 = -edge_plane(a, b)
    e1 = -edge_plane(b, c)
    e2 = -edge_plane(c, d)
    e3 = -edge_plane(d, a)
    for row in range(wp.min(rows_abc[0], rows_acd[0]), wp.max(rows_abc[1], rows_acd[1]) + 1):
        y = (float(row) + 0.5 - center[1]) / focal
        limits = row_limits(e0, y, wp.vec2(-1.0e6, 1.0e6))
        limits = row_limits(e1, y, limits)
        limits = row_limits(e2, y, limits)
        limits = row_limits(e3, y, limits)
        columns = columns_of(limits, focal, center[0], width)
        for column in range(columns[0], columns[1] + 1):
            stencil_out[view, row, column] = wp.uint8(2)
