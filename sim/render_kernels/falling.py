"""Rain and snow on their way down, and the spray that wheels throw up, over finished pictures."""

import warp as wp

from sim.render_kernels.appearance import Light, hashed, light_of
from sim.render_kernels.sensor import byte_of

wp.set_module_options({"enable_backward": False})

RAIN_MPS = wp.constant(8.0)  # fall of rain drops (Gunn and Kinzer, 1949: 2 to 5 mm across)
SPRAY_UNIT = wp.constant(1000.0)  # of optical depth, so that sums in whole numbers do not depend on their order
SPRAY_BLOBS = wp.constant(4)
LAYERS = wp.constant(4)


@wp.func
def film(x: wp.float32):
    """The renderer's filmic curve and about sRGB's, without its table."""
    shown = wp.clamp((x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14), 0.0, 1.0)
    return 255.0 * wp.pow(shown, 1.0 / 2.2)


@wp.func
def display_of(light: Light, rgb: wp.vec3):
    """Bytes of scene light after exposure and film; once a row, so that powers may be taken."""
    seen = rgb * light.exposure
    return wp.vec3(film(seen[0]), film(seen[1]), film(seen[2]))


@wp.kernel
def throw_spray(
    # World
    wheelbase_m: wp.array2d(dtype=wp.float32),
    size_m: wp.array2d(dtype=wp.vec3),
    kind: wp.array2d(dtype=wp.int32),
    # State
    valid: wp.array2d(dtype=wp.bool),
    pose: wp.array2d(dtype=wp.vec4),
    # In
    weather: wp.array2d(dtype=wp.float32),
    world_from_ego: wp.array(dtype=wp.mat44),
    ego_from_camera: wp.array(dtype=wp.mat44),
    focal_px: wp.array(dtype=wp.float32),
    center_px: wp.array(dtype=wp.vec2),
    depth: wp.array3d(dtype=wp.float32),
    cameras: wp.int32,
    # Out
    spray_out: wp.array3d(dtype=wp.int32),
):
    """Optical depth of clouds behind moving vehicles; `pose` is x, y, yaw, speed."""
    view, actor = wp.tid()
    world = view // cameras
    camera = view % cameras
    light = light_of(weather, world)
    who = pose[world, actor]
    speed = who[3]
    if actor == 0 or not valid[world, actor] or kind[world, actor] == 3 or light.wet < 0.3 or speed < 5.0:
        return
    camera_from_world = wp.inverse(world_from_ego[world] * ego_from_camera[camera])
    size = size_m[world, actor]
    focal = focal_px[camera]
    center = center_px[camera]
    ahead = wp.vec2(wp.cos(who[2]), wp.sin(who[2]))
    rear = wp.vec2(who[0], who[1]) + ahead * (0.5 * wheelbase_m[world, actor] - 0.5 * size[0])
    strength = light.wet * wp.min((speed - 5.0) / 15.0, 1.5) * (0.35 + 0.15 * size[2])
    base_z = world_from_ego[world][2, 3]
    for blob in range(SPRAY_BLOBS):
        back = (float(blob) + 0.4) * 0.12 * speed
        radius = 0.42 * size[1] * (1.0 + 0.35 * float(blob))
        spot = rear - ahead * back
        p = wp.transform_point(camera_from_world, wp.vec3(spot[0], spot[1], base_z + 0.6 * radius))
        if p[2] < 1.5 or p[2] > 90.0:
            continue
        scale = focal / p[2]
        u = p[0] * scale + center[0]
        v = p[1] * scale + center[1]
        rx = wp.max(1.3 * radius * scale, 1.0)
        ry = wp.max(radius * scale, 1.0)
        thick = strength * 0.55 / (1.0 + 0.5 * float(blob))
        for row in range(wp.max(int(v - ry), 0), wp.min(int(v + ry) + 1, depth.shape[1])):
            dv = (float(row) + 0.5 - v) / ry
            for column in range(wp.max(int(u - rx), 0), wp.min(int(u + rx) + 1, depth.shape[2])):
                du = (float(column) + 0.5 - u) / rx
                inner = 1.0 - du * du - dv * dv
                if inner > 0.0:
                    # What stands within the cloud hides its far part.
                    shown = wp.clamp((depth[view, row, column] - p[2]) / radius + 0.5, 0.0, 1.0)
                    amount = int(thick * inner * inner * shown * SPRAY_UNIT)
                    wp.atomic_add(spray_out, view, row, column, amount)


@wp.func
def layer_m(layer: wp.int32):
    """How far away a layer of drops or flakes falls."""
    return 1.1 * float((layer + 1) * (layer + 1))


@wp.func
def streak(x: float, y: float, speed: float, focal: float, layer: wp.int32, salt: wp.int32, density: float):
    """How much of a pixel at (x, y), over the focal length, one layer's rain covers.

    Streaks lean away from where the car drives to: along them x / (1 + y v / fall) is constant.
    """
    away = layer_m(layer)
    wide = 0.055 / away + 2.5 / focal
    high = 0.7 / away
    lean = x / wp.max(1.0 + y * speed / RAIN_MPS, 0.3)
    column = wp.floor(lean / wide)
    at = y / high + 7.0 * hashed(int(column) + 5000 * layer, salt)
    cell = wp.floor(at)
    name = int(column) * 131 + layer * 7919
    if hashed(name, int(cell) + 977 * salt) > density:
        return 0.0
    offset = (hashed(name + 17, int(cell) + 977 * salt) - 0.5) * 0.7
    aside = wp.abs((lean / wide - column - 0.5 - offset) * wide) * focal
    half = wp.max(0.5, 0.0011 / away * focal)
    along = at - cell
    length = wp.clamp(along * (1.0 - along) * 4.5 - 0.35, 0.0, 1.0)
    return wp.max(1.0 - aside / (2.0 * half), 0.0) * length * wp.min(0.0011 / away * focal / half + 0.25, 1.0)


@wp.func
def flake(x: float, y: float, speed: float, focal: float, layer: wp.int32, salt: wp.int32, density: float):
    """How much of a pixel one layer's snow flakes cover."""
    away = layer_m(layer)
    cell_size = 0.16 / away + 4.0 / focal
    column = wp.floor(x / cell_size)
    row = wp.floor(y / cell_size)
    name = int(column) * 131 + layer * 7919
    seed = int(row) + 977 * salt
    if hashed(name, seed) > density:
        return 0.0
    # Near flakes are smeared from the middle of the picture outwards, the more the faster the car.
    smear = wp.min(0.012 * speed / away, 0.3)
    cx = (column + 0.3 + 0.4 * hashed(name + 3, seed)) * cell_size
    cy = (row + 0.3 + 0.4 * hashed(name + 5, seed)) * cell_size
    out = wp.vec2(cx, cy)
    norm = wp.max(wp.length(out), 1.0e-3)
    dx = x - cx
    dy = y - cy
    along = (dx * out[0] + dy * out[1]) / norm
    across = (dx * out[1] - dy * out[0]) / norm
    radius = wp.max((0.002 + 0.004 * hashed(name + 7, seed)) / away, 0.7 / focal)
    long = radius + smear * norm * 0.5
    d = (along * along) / (long * long) + (across * across) / (radius * radius)
    return wp.max(1.0 - d, 0.0) * radius / (radius + 0.35 * (long - radius))


@wp.kernel
def fall(
    # World
    seed: wp.array(dtype=wp.int64),
    # State
    tick: wp.array(dtype=wp.int64),
    speed_mps: wp.array(dtype=wp.float32),
    # In
    weather: wp.array2d(dtype=wp.float32),
    focal_px: wp.array(dtype=wp.float32),
    center_px: wp.array(dtype=wp.vec2),
    depth: wp.array3d(dtype=wp.float32),
    spray: wp.array3d(dtype=wp.int32),
    cameras: wp.int32,
    # Out
    rgb_out: wp.array3d(dtype=wp.vec3ub),
):
    """One thread per view and row: spray, then rain and snow in front of whatever lies farther than their layers."""
    view, row = wp.tid()
    world = view // cameras
    camera = view % cameras
    light = light_of(weather, world)
    if light.wet < 0.3 and light.rain_mmph <= 0.0 and light.snowfall_mmph <= 0.0:
        return
    focal = focal_px[camera]
    center = center_px[camera]
    salt = int((seed[world] * wp.int64(613) + tick[world] * wp.int64(7919) + wp.int64(camera * 31)) & wp.int64(1048575))
    lamps = wp.vec3(1.0, 0.95, 0.85) * (light.beam * light.lamps)
    mist = display_of(light, light.fog_rgb * 0.85 + light.ambient_rgb * 0.15 + lamps * 0.05)
    drops = display_of(light, light.ambient_rgb * 0.8 + light.fog_rgb * 0.3 + lamps * 0.30)
    flakes = display_of(light, light.ambient_rgb * 0.85 + light.sun_rgb * 0.3 + lamps * 0.45)
    # Layers stand for a range of distances: drops per cell grow with the rain, as their number per air does.
    raining = wp.min(0.10 * wp.sqrt(light.rain_mmph), 0.75)
    snowing = wp.min(0.22 * wp.sqrt(light.snowfall_mmph), 0.8)
    y = (float(row) + 0.5 - center[1]) / focal
    for column in range(depth.shape[2]):
        pixel = rgb_out[view, row, column]
        rgb = wp.vec3(float(pixel[0]), float(pixel[1]), float(pixel[2]))
        z = depth[view, row, column]
        amount = spray[view, row, column]
        if amount > 0:
            thick = float(amount) / SPRAY_UNIT
            rgb += (mist - rgb) * (thick / (1.0 + thick))
        x = (float(column) + 0.5 - center[0]) / focal
        for layer in range(LAYERS):
            if z > layer_m(layer):
                if raining > 0.0:
                    rgb += (drops - rgb) * (0.30 * streak(x, y, speed_mps[world], focal, layer, salt, raining))
                if snowing > 0.0:
                    rgb += (flakes - rgb) * (0.85 * flake(x, y, speed_mps[world], focal, layer, salt, snowing))
        rgb_out[view, row, column] = wp.vec3ub(
            wp.uint8(byte_of(rgb[0])), wp.uint8(byte_of(rgb[1])), wp.uint8(byte_of(rgb[2]))
        )
