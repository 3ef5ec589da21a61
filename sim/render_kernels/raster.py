"""Which triangle is seen at each sample: an atomic-min visibility buffer, silhouettes and shadow stencils.

A sample's key is depth in units of 2^-20 m in the upper 32 bits and the triangle's name in the lower ones, so that the
minimum over all triangles, in whatever order they arrive, is the visible one. Edge functions are homogeneous (Olano and
Greer, "Triangle scan conversion using 2D homogeneous coordinates", 1997): a ray (x, y, 1) meets the triangle p0 p1 p2
where all of ray . (p_i x p_j) have the sign of the triangle's volume, and no clipping at the near plane is needed.
"""

import warp as wp

from sim.render_kernels.terrain import Ground, hit
from sim.render_kernels.view import (
    DEPTH_ONE,
    ITEM_SHIFT,
    NEAR_M,
    STATIC_FLAG,
    TERRAIN_NAME,
    Actors,
    DrawList,
    Meshes,
    Views,
    sphere_in_view,
)

wp.set_module_options({"enable_backward": False})

ALL_BITS = wp.constant(wp.uint32(0xFFFFFFFF))
FARTHEST_M = wp.constant(2000.0)  # keys have room for 2048 m
PEDESTRIAN = wp.constant(3)


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


@wp.func
def box_of(p0: wp.vec3, p1: wp.vec3, p2: wp.vec3, focal: wp.float32, center: wp.vec2):
    """(u min, v min, u max, v max) of a triangle wholly in front of the camera."""
    i0 = focal / p0[2]
    i1 = focal / p1[2]
    i2 = focal / p2[2]
    u0 = p0[0] * i0
    u1 = p1[0] * i1
    u2 = p2[0] * i2
    v0 = p0[1] * i0
    v1 = p1[1] * i1
    v2 = p2[1] * i2
    return wp.vec4(
        wp.min(u0, wp.min(u1, u2)) + center[0],
        wp.min(v0, wp.min(v1, v2)) + center[1],
        wp.max(u0, wp.max(u1, u2)) + center[0],
        wp.max(v0, wp.max(v1, v2)) + center[1],
    )


@wp.func
def cut_box(p0: wp.vec3, p1: wp.vec3, p2: wp.vec3, focal: wp.float32, center: wp.vec2):
    """The same of what of a triangle lies beyond the near plane; empty where nothing does."""
    box = widen(wp.vec4(1.0e9, 1.0e9, -1.0e9, -1.0e9), p0, p1, focal, center)
    return widen(widen(box, p1, p2, focal, center), p2, p0, focal, center)


@wp.func
def centres_in(low: wp.float32, high: wp.float32, count: wp.int32):
    """First and last of `count` pixels whose centre lies between two coordinates, with slack: edges decide."""
    first = int(wp.ceil(wp.clamp(low - 0.51, -1.0, 1.0e6)))
    last = int(wp.floor(wp.clamp(high - 0.49, -1.0, 1.0e6)))
    return wp.vec2i(wp.max(first, 0), wp.min(last, count - 1))


@wp.kernel
def draw_ground(
    # World
    map_index: wp.array(dtype=wp.int32),
    # In
    views: Views,
    ground: Ground,
    stride: wp.int32,
    # Out
    key_out: wp.array3d(dtype=wp.int64),
):
    """Put the ground of maps that are not flat into the visibility buffer; `stride` threads share a row of samples."""
    view, row, lane = wp.tid()
    scene = map_index[view // views.cameras]
    if ground.flat[scene] == 1:
        return
    camera = view % views.cameras
    scale = 1.0 / (views.focal_px[camera] * float(views.samples))
    center = views.center_px[camera] * float(views.samples)
    world_from_camera = wp.transpose(views.camera_from_world[view])
    y = (float(row) + 0.5 - center[1]) * scale
    for column in range(lane, views.width * views.samples, stride):
        toward = world_from_camera * wp.vec3((float(column) + 0.5 - center[0]) * scale, y, 1.0)
        z = hit(ground, scene, views.eye[view], toward)
        if z > NEAR_M and z < FARTHEST_M:
            key_out[view, row, column] = (wp.int64(z * DEPTH_ONE + 0.5) << wp.int64(32)) | wp.int64(TERRAIN_NAME)


@wp.kernel
def draw(
    # In
    views: Views,
    meshes: Meshes,
    drawn: DrawList,
    threads: wp.int32,
    lanes: wp.int32,
    silhouettes: wp.bool,
    # Out
    key_out: wp.array3d(dtype=wp.int64),
    bitmap_out: wp.array4d(dtype=wp.uint32),
    silhouette_out: wp.array2d(dtype=wp.int32),
    amodal_out: wp.array3d(dtype=wp.float32),
):
    """Draw every listed instance into the visibility buffer; `threads` threads share a view, `lanes` an instance.

    With `silhouettes`, also collect each actor's own pixels (whether hidden or not) and the bounds of its projection.
    """
    view, thread = wp.tid()
    camera = view % views.cameras
    focal = views.focal_px[camera] * float(views.samples)
    scale = 1.0 / focal
    center = views.center_px[camera] * float(views.samples)
    width = views.width * views.samples
    height = views.height * views.samples
    for slot in range(thread // lanes, drawn.count[view], threads // lanes):
        name = drawn.name[view, slot]
        axes = drawn.axes[view, slot]
        shift = drawn.shift[view, slot]
        eye = drawn.source[view, slot]
        extent = drawn.triangles[view, slot]
        actor = int(name >> ITEM_SHIFT)
        outline = silhouettes and (name & STATIC_FLAG) == wp.int64(0)
        bounds = wp.vec4(1.0e9, 1.0e9, -1.0e9, -1.0e9)
        pixels = int(0)
        for triangle in range(thread % lanes, extent[1], lanes):
            plane = meshes.plane[extent[0] + triangle]
            if plane[0] * eye[0] + plane[1] * eye[1] + plane[2] * eye[2] <= plane[3]:
                continue
            at = 3 * (extent[0] + triangle)
            p0 = axes * meshes.corner[at] + shift
            p1 = axes * meshes.corner[at + 1] + shift
            p2 = axes * meshes.corner[at + 2] + shift
            box = wp.vec4()
            if wp.min(p0[2], wp.min(p1[2], p2[2])) < NEAR_M:
                box = cut_box(p0, p1, p2, focal, center)
            else:
                box = box_of(p0, p1, p2, focal, center)
            if outline:
                bounds = wp.vec4(
                    wp.min(bounds[0], box[0]), wp.min(bounds[1], box[1]),
                    wp.max(bounds[2], box[2]), wp.max(bounds[3], box[3]),
                )  # fmt: skip
            # Most far triangles lie between the centres of pixels.
            across = centres_in(box[0], box[2], width)
            rows = centres_in(box[1], box[3], height)
            if across[0] > across[1] or rows[0] > rows[1]:
                continue
            normal = wp.cross(p1 - p0, p2 - p0)
            volume = wp.dot(normal, p0)
            if volume >= 0.0:
                continue
            e0 = -edge_plane(p1, p2)
            e1 = -edge_plane(p2, p0)
            e2 = -edge_plane(p0, p1)
            tag = name + wp.int64(triangle)
            for row in range(rows[0], rows[1] + 1):
                y = (float(row) + 0.5 - center[1]) * scale
                limits = row_limits(e0, y, wp.vec2(-1.0e6, 1.0e6))
                limits = row_limits(e1, y, limits)
                limits = row_limits(e2, y, limits)
                columns = columns_of(limits, focal, center[0], width)
                if columns[0] > columns[1]:
                    continue
                if outline:
                    pixels += mark_row(bitmap_out, view, actor, row, columns[0], columns[1])
                rest = normal[1] * y + normal[2]
                for column in range(columns[0], columns[1] + 1):
                    slope = normal[0] * ((float(column) + 0.5 - center[0]) * scale) + rest
                    z = volume / slope
                    if slope < 0.0 and z > NEAR_M and z < FARTHEST_M:
                        key = (wp.int64(z * DEPTH_ONE + 0.5) << wp.int64(32)) | tag
                        wp.atomic_min(key_out, view, row, column, key)
        if outline:
            wp.atomic_add(silhouette_out, view, actor, pixels)
            wp.atomic_min(amodal_out, view, actor, 0, bounds[0])
            wp.atomic_min(amodal_out, view, actor, 1, bounds[1])
            wp.atomic_max(amodal_out, view, actor, 2, bounds[2])
            wp.atomic_max(amodal_out, view, actor, 3, bounds[3])


@wp.func
def on_the_ground(key: wp.int64, z: wp.float32):
    """Whether a sample saw ground that is not flat at about the depth of a shadow's plane, not another hill."""
    depth = float(key >> wp.int64(32)) / DEPTH_ONE
    return wp.uint32(key & wp.int64(0xFFFFFFFF)) == TERRAIN_NAME and wp.abs(z - depth) < 0.2 * depth + 0.5


@wp.kernel
def draw_shadows(
    # World
    map_index: wp.array(dtype=wp.int32),
    # In
    views: Views,
    meshes: Meshes,
    ground: Ground,
    shadows: DrawList,
    key: wp.array3d(dtype=wp.int64),
    threads: wp.int32,
    lanes: wp.int32,
    # Out
    stencil_out: wp.array3d(dtype=wp.uint8),
):
    """Draw the meshes, flattened along the sun onto the ground, into a stencil over the samples."""
    view, thread = wp.tid()
    camera = view % views.cameras
    focal = views.focal_px[camera] * float(views.samples)
    scale = 1.0 / focal
    center = views.center_px[camera] * float(views.samples)
    width = views.width * views.samples
    height = views.height * views.samples
    flat = ground.flat[map_index[view // views.cameras]] == 1
    for slot in range(thread // lanes, shadows.count[view], threads // lanes):
        axes = shadows.axes[view, slot]
        shift = shadows.shift[view, slot]
        sun = shadows.source[view, slot]
        extent = shadows.triangles[view, slot]
        for triangle in range(thread % lanes, extent[1], lanes):
            # Only the faces that the sun sees: each point once.
            plane = meshes.plane[extent[0] + triangle]
            if plane[0] * sun[0] + plane[1] * sun[1] + plane[2] * sun[2] <= 0.0:
                continue
            at = 3 * (extent[0] + triangle)
            p0 = axes * meshes.corner[at] + shift
            p1 = axes * meshes.corner[at + 1] + shift
            p2 = axes * meshes.corner[at + 2] + shift
            box = wp.vec4()
            if wp.min(p0[2], wp.min(p1[2], p2[2])) < NEAR_M:
                box = cut_box(p0, p1, p2, focal, center)
            else:
                box = box_of(p0, p1, p2, focal, center)
            across = centres_in(box[0], box[2], width)
            rows = centres_in(box[1], box[3], height)
            if across[0] > across[1] or rows[0] > rows[1]:
                continue
            normal = wp.cross(p1 - p0, p2 - p0)
            volume = wp.dot(normal, p0)
            if volume >= 0.0:
                continue
            e0 = -edge_plane(p1, p2)
            e1 = -edge_plane(p2, p0)
            e2 = -edge_plane(p0, p1)
            for row in range(rows[0], rows[1] + 1):
                y = (float(row) + 0.5 - center[1]) * scale
                limits = row_limits(e0, y, wp.vec2(-1.0e6, 1.0e6))
                limits = row_limits(e1, y, limits)
                limits = row_limits(e2, y, limits)
                columns = columns_of(limits, focal, center[0], width)
                rest = normal[1] * y + normal[2]
                for column in range(columns[0], columns[1] + 1):
                    if flat:
                        stencil_out[view, row, column] = wp.uint8(1)
                    else:
                        z = volume / (normal[0] * ((float(column) + 0.5 - center[0]) * scale) + rest)
                        if on_the_ground(key[view, row, column], z):
                            stencil_out[view, row, column] = wp.uint8(1)


@wp.kernel
def draw_footprints(
    # World
    map_index: wp.array(dtype=wp.int32),
    kind: wp.array2d(dtype=wp.int32),
    # In
    views: Views,
    actors: Actors,
    ground: Ground,
    key: wp.array3d(dtype=wp.int64),
    # Out
    stencil_out: wp.array3d(dtype=wp.uint8),
):
    """Mark the ground under each vehicle and at people's feet, where little of the sky's light comes, with 2."""
    view, actor = wp.tid()
    world = view // views.cameras
    if actors.model[world, actor] < 0:
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
    body = turn * actors.turn[world, actor]
    size = actors.size_m[world, actor]
    middle = turn * wp.vec3(pose[0] - eye[0], pose[1] - eye[1], actors.z[world, actor] - eye[2])
    if not sphere_in_view(
        middle, 0.6 * size[0], views.focal_px[camera], views.center_px[camera], float(views.width), float(views.height)
    ):
        return
    share = wp.vec2(0.49, 0.46)
    if kind[world, actor] == PEDESTRIAN:
        share = wp.vec2(0.24, 0.28)
    elif kind[world, actor] > PEDESTRIAN:
        share = wp.vec2(0.42, 0.16)
    ahead = body * wp.vec3(share[0] * size[0], 0.0, 0.0)
    left = body * wp.vec3(0.0, share[1] * size[1], 0.0)
    a = middle + ahead - left
    b = middle + ahead + left
    c = middle - ahead + left
    d = middle - ahead - left
    abc = cut_box(a, b, c, focal, center)
    acd = cut_box(a, c, d, focal, center)
    rows = centres_in(wp.min(abc[1], acd[1]), wp.max(abc[3], acd[3]), height)
    e0 = -edge_plane(a, b)
    e1 = -edge_plane(b, c)
    e2 = -edge_plane(c, d)
    e3 = -edge_plane(d, a)
    flat = ground.flat[map_index[world]] == 1
    normal = wp.cross(ahead, left)
    volume = wp.dot(normal, middle)
    for row in range(rows[0], rows[1] + 1):
        y = (float(row) + 0.5 - center[1]) / focal
        limits = row_limits(e0, y, wp.vec2(-1.0e6, 1.0e6))
        limits = row_limits(e1, y, limits)
        limits = row_limits(e2, y, limits)
        limits = row_limits(e3, y, limits)
        columns = columns_of(limits, focal, center[0], width)
        for column in range(columns[0], columns[1] + 1):
            if flat:
                stencil_out[view, row, column] = wp.uint8(2)
            else:
                x = (float(column) + 0.5 - center[0]) / focal
                z = volume / (normal[0] * x + normal[1] * y + normal[2])
                if on_the_ground(key[view, row, column], z):
                    stencil_out[view, row, column] = wp.uint8(2)
