"""Which triangle is seen at each sample: an atomic-min visibility buffer, silhouettes and shadow stencils.

A sample's key is depth in units of 2^-20 m in the upper 32 bits and the triangle's name in the lower ones, so that the
minimum over all triangles, in whatever order they arrive, is the visible one. `scan.py` cuts triangles into rows.
"""

import warp as wp

from sim.render_kernels.scan import draw_triangles, shade_triangles
from sim.render_kernels.terrain import Ground, hit
from sim.render_kernels.view import (
    DEPTH_ONE,
    FARTHEST_M,
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
    center = views.center_px[camera] * float(views.samples)
    size = wp.vec2i(views.width * views.samples, views.height * views.samples)
    for slot in range(thread // lanes, drawn.count[view], threads // lanes):
        name = drawn.name[view, slot]
        outline = silhouettes and (name & STATIC_FLAG) == wp.int64(0)
        draw_triangles(
            meshes.row, drawn.axes[view, slot], drawn.shift[view, slot], drawn.source[view, slot],
            1.0, drawn.triangles[view, slot], focal, center, size, thread % lanes, lanes, view, name,
            int(name >> ITEM_SHIFT), outline, key_out, bitmap_out, silhouette_out, amodal_out,
        )  # fmt: skip


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
    center = views.center_px[camera] * float(views.samples)
    size = wp.vec2i(views.width * views.samples, views.height * views.samples)
    flat = ground.flat[map_index[view // views.cameras]] == 1
    for slot in range(thread // lanes, shadows.count[view], threads // lanes):
        # Only the faces that the sun sees: each point once.
        shade_triangles(
            meshes.row, shadows.axes[view, slot], shadows.shift[view, slot], shadows.source[view, slot], 0.0,
            shadows.triangles[view, slot], focal, center, size, thread % lanes, lanes, view, flat, key, stencil_out,
        )  # fmt: skip


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
