"""Pictures and labels of ideal views, looked up as a lens projects them."""

import warp as wp

wp.set_module_options({"enable_backward": False})

UNLABELLED = wp.constant(0)
EVEN = wp.constant(1.0e-5)  # of reciprocal depths on one plane, whose second difference is 0 but for rounding


@wp.func
def plane_depth(depth: wp.array3d(dtype=wp.float32), view: wp.int32, row: wp.int32, column: wp.int32, lens: wp.vec3,
                ray: wp.vec3):  # fmt: skip
    """Depth at which `ray` (third part 1) meets the surface that the pixel sees, taken as the plane through it.

    The reciprocal of depth over a plane is linear in the picture: its slopes come from the neighbours that lie on the
    same plane, which those on both sides do if their reciprocals are even.
    """
    here = depth[view, row, column]
    if here > 1.0e6:
        return here
    inverse = 1.0 / here
    slope_u = float(0.0)
    slope_v = float(0.0)
    if column > 0 and column + 1 < depth.shape[2]:
        left = 1.0 / depth[view, row, column - 1]
        right = 1.0 / depth[view, row, column + 1]
        if wp.abs(left + right - 2.0 * inverse) < EVEN * inverse:
            slope_u = 0.5 * (right - left)
    if row > 0 and row + 1 < depth.shape[1]:
        above = 1.0 / depth[view, row - 1, column]
        below = 1.0 / depth[view, row + 1, column]
        if wp.abs(above + below - 2.0 * inverse) < EVEN * inverse:
            slope_v = 0.5 * (below - above)
    du = ray[0] * lens[0] + lens[1] - (float(column) + 0.5)
    dv = ray[1] * lens[0] + lens[2] - (float(row) + 0.5)
    return 1.0 / (inverse + slope_u * du + slope_v * dv)


@wp.kernel
def resample(
    # In
    rgb: wp.array4d(dtype=wp.uint8),
    depth: wp.array3d(dtype=wp.float32),
    semantic: wp.array3d(dtype=wp.uint8),
    instance: wp.array3d(dtype=wp.int16),
    view_of: wp.array3d(dtype=wp.int32),
    uv_of: wp.array3d(dtype=wp.vec2),
    ray_of: wp.array3d(dtype=wp.vec3),
    axis: wp.array(dtype=wp.vec3),
    lens: wp.vec3,
    views: wp.int32,
    # Out
    rgb_out: wp.array4d(dtype=wp.uint8),
    depth_out: wp.array3d(dtype=wp.float32),
    semantic_out: wp.array3d(dtype=wp.uint8),
    instance_out: wp.array3d(dtype=wp.int16),
    visible_out: wp.array2d(dtype=wp.int32),
    bounds_out: wp.array3d(dtype=wp.int32),
):
    """One thread per camera and row; `lens` is the ideal views' focal length and principal point."""
    at, row = wp.tid()
    cameras = view_of.shape[0]
    camera = at % cameras
    base = (at // cameras) * views
    for column in range(view_of.shape[2]):
        own = view_of[camera, row, column]
        if own < 0:
            for channel in range(3):
                rgb_out[at, row, column, channel] = wp.uint8(0)
            depth_out[at, row, column] = float(wp.inf)
            semantic_out[at, row, column] = wp.uint8(UNLABELLED)
            instance_out[at, row, column] = wp.int16(0)
            continue
        view = base + own
        uv = uv_of[camera, row, column]
        x = wp.clamp(uv[0] - 0.5, 0.0, float(rgb.shape[2] - 1) - 0.001)
        y = wp.clamp(uv[1] - 0.5, 0.0, float(rgb.shape[1] - 1) - 0.001)
        left = int(x)
        top = int(y)
        fx = x - float(left)
        fy = y - float(top)
        for channel in range(3):
            upper = float(rgb[view, top, left, channel]) * (1.0 - fx) + float(rgb[view, top, left + 1, channel]) * fx
            lower = float(rgb[view, top + 1, left, channel]) * (1.0 - fx)
            lower += float(rgb[view, top + 1, left + 1, channel]) * fx
            rgb_out[at, row, column, channel] = wp.uint8(int(upper * (1.0 - fy) + lower * fy + 0.5))
        i = wp.clamp(int(uv[0]), 0, rgb.shape[2] - 1)
        j = wp.clamp(int(uv[1]), 0, rgb.shape[1] - 1)
        ray = ray_of[camera, row, column]
        z = plane_depth(depth, view, j, i, lens, ray)
        if z < 1.0e6:
            z = z * wp.dot(ray, axis[own])
        depth_out[at, row, column] = z
        semantic_out[at, row, column] = semantic[view, j, i]
        actor = int(instance[view, j, i]) - 1
        instance_out[at, row, column] = wp.int16(actor + 1)
        if actor >= 0:
            wp.atomic_add(visible_out, at, actor, 1)
            wp.atomic_min(bounds_out, at, actor, 0, column)
            wp.atomic_min(bounds_out, at, actor, 1, row)
            wp.atomic_max(bounds_out, at, actor, 2, column + 1)
            wp.atomic_max(bounds_out, at, actor, 3, row + 1)
