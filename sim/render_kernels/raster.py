"""Which triangle is seen at each sample: an atomic-min visibility buffer, silhouettes and shadow stencils.

A sample's key is depth in units of 2^-20 m in the upper 32 bits and the triangle's name in the lower ones, so that the
minimum over all triangles, in whatever order they arrive, is the visible one. Edge functions are homogeneous (Olano and
Greer, "Triangle scan conversion using 2D homogeneous coordinates", 1997): a ray (x, y, 1) meets the triangle p0 p1 p2
where all of ray . (p_i x p_j) have the sign of the triangle's volume, and no clipping at the near plane is needed.
"""

import warp as wp

from sim.render_kernels.view import (
    DEPTH_ONE,
    NEAR_M,
    PERSON,
    STATIC_FLAG,
    Actors,
    DrawList,
    Meshes,
    Views,
    sphere_in_view,
)

wp.set_module_options({"enable_backward": False})

ALL_BITS = wp.constant(wp.uint32(0xFFFFFFFF))


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
def between_columns(p0: wp.vec3, p1: wp.vec3, p2: wp.vec3, focal: wp.float32, center: wp.float32, width: wp.int32):
    """Whether no column's centre lies under the triangle: a quick way out, as most far ones are that narrow."""
    if wp.min(p0[2], wp.min(p1[2], p2[2])) < NEAR_M:
        return False
    u0 = p0[0] / p0[2]
    u1 = p1[0] / p1[2]
    u2 = p2[0] / p2[2]
    # The same hundredth of a pixel of slack as for rows.
    low = wp.min(u0, wp.min(u1, u2)) * focal + center - 0.51
    high = wp.max(u0, wp.max(u1, u2)) * focal + center - 0.49
    return high < 0.0 or low > float(width - 1) or wp.ceil(low) > high


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
        if rows[0] > rows[1] or between_columns(p0, p1, p2, focal, center[0], width):
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
        if rows[0] > rows[1] or between_columns(p0, p1, p2, focal, center[0], width):
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
    body = turn * actors.turn[world, actor]
    size = actors.size_m[world, actor]
    middle = turn * wp.vec3(pose[0] - eye[0], pose[1] - eye[1], actors.z[world, actor] - eye[2])
    if not sphere_in_view(
        middle, 0.6 * size[0], views.focal_px[camera], views.center_px[camera], float(views.width), float(views.height)
    ):
        return
    ahead = body * wp.vec3(0.49 * size[0], 0.0, 0.0)
    left = body * wp.vec3(0.0, 0.46 * size[1], 0.0)
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
