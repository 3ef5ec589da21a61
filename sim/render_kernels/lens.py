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


@wp.struct
class Lenses:
    """The formula of each camera's lens."""

    fisheye: wp.array(dtype=wp.int32)  # 1, or 0 for Brown-Conrady
    k: wp.array2d(dtype=wp.float32)  # (C, 5)
    reach: wp.array(dtype=wp.float32)  # how far from the axis it bends outwards: radians, or focal lengths
    focal_px: wp.array(dtype=wp.float32)
    center_px: wp.array(dtype=wp.vec2)


@wp.func
def projected(lenses: Lenses, camera: wp.int32, ray: wp.vec3):
    """The pixel of a direction in the camera's axes; its third part is 0 where the lens shows nothing."""
    aside = wp.sqrt(ray[0] * ray[0] + ray[1] * ray[1])
    x = float(0.0)
    y = float(0.0)
    shown = float(1.0)
    k1 = lenses.k[camera, 0]
    k2 = lenses.k[camera, 1]
    k3 = lenses.k[camera, 2]
    k4 = lenses.k[camera, 3]
    k5 = lenses.k[camera, 4]
    if lenses.fisheye[camera] == 1:
        theta = wp.atan2(aside, ray[2])
        if theta > lenses.reach[camera]:
            shown = 0.0
        t2 = theta * theta
        bent = theta * (1.0 + t2 * (k1 + t2 * (k2 + t2 * (k3 + t2 * k4))))
        x = ray[0] * bent / wp.max(aside, 1.0e-9)
        y = ray[1] * bent / wp.max(aside, 1.0e-9)
    elif ray[2] < 1.0e-4 or aside > lenses.reach[camera] * ray[2]:
        shown = 0.0
    else:
        a = ray[0] / ray[2]
        b = ray[1] / ray[2]
        r2 = a * a + b * b
        radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k5))
        x = a * radial + 2.0 * k3 * a * b + k4 * (r2 + 2.0 * a * a)
        y = b * radial + k3 * (r2 + 2.0 * b * b) + 2.0 * k4 * a * b
    center = lenses.center_px[camera]
    focal = lenses.focal_px[camera]
    return wp.vec3(x * focal + center[0], y * focal + center[1], shown)


@wp.kernel
def bend_labels(
    # In
    normal: wp.array3d(dtype=wp.vec3),
    flow: wp.array3d(dtype=wp.vec2),
    flow_valid: wp.array3d(dtype=wp.bool),
    thing: wp.array3d(dtype=wp.int32),
    view_of: wp.array3d(dtype=wp.int32),
    uv_of: wp.array3d(dtype=wp.vec2),
    turn: wp.array(dtype=wp.mat33),
    lenses: Lenses,
    ideal: wp.vec3,
    views: wp.int32,
    has_normal: wp.int32,
    has_flow: wp.int32,
    has_thing: wp.int32,
    # Out
    normal_out: wp.array3d(dtype=wp.vec3),
    flow_out: wp.array3d(dtype=wp.vec2),
    flow_valid_out: wp.array3d(dtype=wp.bool),
    thing_out: wp.array3d(dtype=wp.int32),
):
    """One thread per camera and row, as in `resample`; `ideal` is the ideal views' focal length and principal point.

    `turn` (V,) leads from a view's axes to its camera's.
    """
    at, row = wp.tid()
    cameras = view_of.shape[0]
    camera = at % cameras
    base = (at // cameras) * views
    for column in range(view_of.shape[2]):
        own = view_of[camera, row, column]
        away = wp.vec3(0.0, 0.0, 0.0)
        moved = wp.vec2(0.0, 0.0)
        valid = bool(False)
        number = int(0)
        if own >= 0:
            view = base + own
            uv = uv_of[camera, row, column]
            i = wp.clamp(int(uv[0]), 0, int(ideal[1] * 2.0) - 1)
            j = wp.clamp(int(uv[1]), 0, int(ideal[2] * 2.0) - 1)
            if has_normal == 1:
                away = turn[own] * normal[view, j, i]
            if has_thing == 1:
                number = thing[view, j, i]
            if has_flow == 1:
                valid = flow_valid[view, j, i]
                if valid:
                    step = flow[view, j, i]
                    before = wp.vec3(
                        (uv[0] + step[0] - ideal[1]) / ideal[0], (uv[1] + step[1] - ideal[2]) / ideal[0], 1.0
                    )
                    pixel = projected(lenses, camera, turn[own] * before)
                    valid = pixel[2] > 0.5
                    if valid:
                        moved = wp.vec2(pixel[0] - (float(column) + 0.5), pixel[1] - (float(row) + 0.5))
        if has_normal == 1:
            normal_out[at, row, column] = away
        if has_flow == 1:
            flow_out[at, row, column] = moved
            flow_valid_out[at, row, column] = valid
        if has_thing == 1:
            thing_out[at, row, column] = number
