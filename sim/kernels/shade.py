"""The colour of each pixel: ground, meshes or sky, seen through air, on a filmic curve.

Colours are linear RGB until the tone curve. Every quantity is a function of the pixel's own world.
"""

import warp as wp

from sim.kernels.appearance import Images, Light, headlight, light_of, mix, sky_at, to_the_24th
from sim.kernels.labels import Ground
from sim.kernels.paving import ground_at
from sim.kernels.surface import mesh_at
from sim.kernels.view import DEPTH_ONE, EMPTY, STATIC_FLAG, Actors, Meshes, Statics, Views

wp.set_module_options({"enable_backward": False})

CURVE_STEPS = wp.constant(4096)


@wp.func
def toned(x: wp.float32):
    """A filmic curve (Narkowicz's fit of ACES): linear light to display light."""
    return wp.clamp((x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14), 0.0, 1.0)


@wp.func
def shade_ray(
    images: Images,
    ground: Ground,
    meshes: Meshes,
    actors: Actors,
    statics: Statics,
    appearance_id: wp.array2d(dtype=wp.int32),
    accel_mps2: wp.array2d(dtype=wp.float32),
    light: Light,
    world: wp.int32,
    scene: wp.int32,
    variant: wp.int32,
    eye: wp.vec3,
    world_from_camera: wp.mat33,
    focal: wp.float32,
    ray: wp.vec3,
    seen: wp.int64,
    shadow: wp.float32,
    covered: wp.float32,
    step: wp.float32,
):
    """Display light along one ray whose sample saw `seen`; `step` is the width in pixels of what it stands for."""
    # One call of each of the larger functions: the CPU compiler then inlines them instead of copying their arguments.
    toward = world_from_camera * ray
    length = wp.length(toward)
    sight = toward / length
    rgb = wp.vec3(0.0, 0.0, 0.0)
    distance = float(0.0)
    if seen != EMPTY:
        item = int((seen & ~STATIC_FLAG & wp.int64(0xFFFFFFFF)) >> wp.int64(11))
        depth = float(seen >> wp.int64(32)) / DEPTH_ONE
        distance = depth * length
        model = int(0)
        tint = int(0)
        pose = wp.vec4(0.0, 0.0, 1.0, 0.0)
        size = wp.vec3(1.0, 1.0, 1.0)
        braking = bool(False)
        if (seen & STATIC_FLAG) != wp.int64(0):
            at = statics.map_first[scene] + item
            model = statics.model[at]
            tint = statics.tint[at]
            pose = statics.pose[at]
            size = statics.size_m[at]
        else:
            model = actors.model[world, item]
            tint = appearance_id[world, item]
            pose = actors.pose[world, item]
            size = actors.size_m[world, item]
            braking = accel_mps2[world, item] < -1.0
        lamp = headlight(light, ray, distance)
        rgb = mesh_at(
            images, meshes, light, eye, seen, model, pose, size, tint, variant, braking, toward, sight, lamp,
            depth / focal,
        )  # fmt: skip
    elif toward[2] < -1.0e-6:
        inverse = 1.0 / toward[2]
        z = -eye[2] * inverse
        point = wp.vec2(eye[0] + z * toward[0], eye[1] + z * toward[1])
        texel_m = z * step / focal
        slope_r = world_from_camera[2, 0] * inverse
        slope_b = world_from_camera[2, 1] * inverse
        width = wp.vec2(world_from_camera[0, 0] - toward[0] * slope_r, world_from_camera[1, 0] - toward[1] * slope_r)
        height = wp.vec2(world_from_camera[0, 1] - toward[0] * slope_b, world_from_camera[1, 1] - toward[1] * slope_b)
        distance = z * length
        albedo = ground_at(images, ground, scene, variant, point, width * texel_m, height * texel_m, distance)
        sun = light.sun_rgb * (wp.max(light.sun[2], 0.0) * (1.0 - shadow - covered))
        sky = light.ambient_rgb * (1.0 - 0.15 * shadow - 0.78 * covered)
        lamp = headlight(light, ray, distance) * 0.9
        rgb = wp.cw_mul(albedo, sun + sky + wp.vec3(1.0, 0.95, 0.85) * lamp)
    near_sun = to_the_24th(wp.max(wp.dot(sight, light.sun), 0.0))
    air = light.fog_rgb + light.glow_rgb * (0.25 * near_sun)
    clear = float(0.0)
    if distance > 0.0:
        clear = wp.exp(-light.extinction * distance)
    else:
        rgb = sky_at(images, light, variant, sight, near_sun)
        clear = wp.exp(-light.extinction * 55.0 / (wp.clamp(sight[2], 0.0, 1.0) + 0.012))
    rgb = mix(air, rgb, clear) * light.exposure
    return wp.vec3(toned(rgb[0]), toned(rgb[1]), toned(rgb[2]))


@wp.kernel
def shade_pixels(
    # World
    map_index: wp.array(dtype=wp.int32),
    seed: wp.array(dtype=wp.int64),
    appearance_id: wp.array2d(dtype=wp.int32),
    # State
    accel_mps2: wp.array2d(dtype=wp.float32),
    # In
    views: Views,
    meshes: Meshes,
    actors: Actors,
    statics: Statics,
    ground: Ground,
    images: Images,
    weather: wp.array2d(dtype=wp.float32),
    key: wp.array3d(dtype=wp.int64),
    stencil: wp.array3d(dtype=wp.uint8),
    stride: wp.int32,
    # Out
    rgb_out: wp.array4d(dtype=wp.uint8),
):
    """`stride` threads share a row. What a pixel's samples agree on is shaded once, at its centre; edges per sample."""
    view, row, lane = wp.tid()
    world = view // views.cameras
    camera = view % views.cameras
    scene = map_index[world]
    variant = int(seed[world] % wp.int64(images.variants))
    focal = views.focal_px[camera]
    center = views.center_px[camera]
    eye = views.eye[view]
    world_from_camera = wp.transpose(views.camera_from_world[view])
    light = light_of(weather, world)
    samples = views.samples
    scale = 1.0 / focal
    top = float(CURVE_STEPS - 1)
    for column in range(lane, views.width, stride):
        first = key[view, row * samples, column * samples]
        same = bool(True)
        dark = float(0.0)
        under = float(0.0)
        for k in range(samples * samples):
            seen = key[view, row * samples + k // samples, column * samples + k % samples]
            if (seen & wp.int64(0xFFFFFFFF)) != (first & wp.int64(0xFFFFFFFF)):
                same = False
            if seen == EMPTY:
                mark = stencil[view, row * samples + k // samples, column * samples + k % samples]
                if mark == wp.uint8(1):
                    dark += 1.0
                elif mark == wp.uint8(2):
                    under += 1.0
        passes = samples * samples
        step = 1.0 / float(samples)
        if same:
            dark = dark / float(passes)
            under = under / float(passes)
            passes = 1
            step = 1.0
        display = wp.vec3(0.0, 0.0, 0.0)
        for k in range(passes):
            across = int(0)
            down = int(0)
            if passes > 1:
                across = k % samples
                down = k // samples
                mark = stencil[view, row * samples + down, column * samples + across]
                dark = wp.where(mark == wp.uint8(1), 1.0, 0.0)
                under = wp.where(mark == wp.uint8(2), 1.0, 0.0)
            ray = wp.vec3(
                (float(column) + (float(across) + 0.5) * step - center[0]) * scale,
                (float(row) + (float(down) + 0.5) * step - center[1]) * scale,
                1.0,
            )
            display += shade_ray(
                images, ground, meshes, actors, statics, appearance_id, accel_mps2, light, world, scene, variant, eye,
                world_from_camera, focal, ray, key[view, row * samples + down, column * samples + across],
                dark, under, step,
            )  # fmt: skip
        display *= top / float(passes)
        rgb_out[view, row, column, 0] = images.curve[int(display[0] + 0.5)]
        rgb_out[view, row, column, 1] = images.curve[int(display[1] + 0.5)]
        rgb_out[view, row, column, 2] = images.curve[int(display[2] + 0.5)]
