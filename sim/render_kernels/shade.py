"""The colour of each pixel: ground, meshes or sky, seen through air, on a filmic curve.

Colours are linear RGB until the tone curve. Every quantity is a function of the pixel's own world.
"""

import warp as wp

from sim.render_kernels.appearance import Images, Light, exp_of, headlight, light_of, mix, sky_at, to_the_24th
from sim.render_kernels.paving import ground_at, kerb_stone, mirrored, site_of
from sim.render_kernels.surface import mesh_at
from sim.render_kernels.terrain import Ground, kerb_normal, kerb_share, lamplight_at, normal_at, step_at
from sim.render_kernels.view import (
    DEPTH_ONE,
    ITEM_SHIFT,
    STATIC_FLAG,
    TERRAIN_NAME,
    Actors,
    Meshes,
    Statics,
    Views,
    turned,
)

wp.set_module_options({"enable_backward": False})

CURVE_STEPS = wp.constant(4096)  # of the curve from light to bytes: 256 to an octave
CURVE_SHIFT = wp.constant(15)  # of a float's bits, to its octave and step
CURVE_START = wp.constant((127 - 12) << 8)  # the curve begins at 2^-12 and ends at BRIGHTEST
BRIGHTEST = wp.constant(15.9)
GLARE = wp.constant(2.0)  # of the light of one sample in a pixel of several, so that lamps do not fray their edges
FILM_SATURATION = wp.constant(0.88)
ACTORS_END = wp.constant(int(STATIC_FLAG) >> int(ITEM_SHIFT))  # items of names from here on stand still
LEAST_CLEAR = wp.constant(0.002)  # what shines through thicker fog with a smaller share is not worth drawing


@wp.func
def byte_of(curve: wp.array(dtype=wp.uint8), x: wp.float32):
    """The byte that shows so much light, from a table over its logarithm, which a float's bits are nearly."""
    bits = wp.cast(wp.min(x, BRIGHTEST), wp.int32)
    return curve[wp.clamp((bits >> CURVE_SHIFT) - CURVE_START, 0, CURVE_STEPS - 1)]


@wp.func
def developed(light: Light, rgb: wp.vec3, near_sun: wp.float32):
    """Scene light as it falls on the sensor: veiled by what the lens scatters, a little greyed."""
    seen = (rgb + light.veil_rgb + light.glow_rgb * (0.02 * near_sun)) * light.exposure
    grey = 0.2126 * seen[0] + 0.7152 * seen[1] + 0.0722 * seen[2]
    return mix(wp.vec3(grey, grey, grey), seen, FILM_SATURATION)


@wp.func
def name_of(key: wp.int64):
    """The triangle that a sample saw, without its depth."""
    return wp.uint32(key & wp.int64(0xFFFFFFFF))


@wp.kernel
def shade_pixels(
    # World
    map_index: wp.array(dtype=wp.int32),
    seed: wp.array(dtype=wp.int64),
    appearance_id: wp.array2d(dtype=wp.int32),
    # State
    signal_phase: wp.array2d(dtype=wp.int32),
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
    """`stride` threads share a row. A pixel is shaded once for each surface that its samples see, in their middle."""
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
    site = site_of(images, ground, scene, variant)
    right_ray = wp.vec3(world_from_camera[0, 0], world_from_camera[1, 0], world_from_camera[2, 0])
    down_ray = wp.vec3(world_from_camera[0, 1], world_from_camera[1, 1], world_from_camera[2, 1])
    ahead_ray = wp.vec3(world_from_camera[0, 2], world_from_camera[1, 2], world_from_camera[2, 2])
    # What the last pixel saw, if a mesh, is most often what the next one sees: its pose is looked up once.
    held = int(-1)
    base = wp.vec3(0.0, 0.0, 0.0)
    model = int(0)
    tint = int(0)
    size = wp.vec3(1.0, 1.0, 1.0)
    detail = int(0)
    phase = int(0)
    turn = wp.mat33()
    inverse_size = wp.vec3(1.0, 1.0, 1.0)
    eye_in_unit = wp.vec3(0.0, 0.0, 0.0)
    for column in range(lane, views.width, stride):
        first = key[view, row * samples, column * samples]
        same = bool(True)
        shadowed = int(0)
        beneath = int(0)
        if samples == 1:
            mark = int(stencil[view, row, column])
            shadowed = mark & 1
            beneath = mark >> 1
        else:
            for sample in range(samples * samples):
                down = sample // samples
                across = sample % samples
                seen = key[view, row * samples + down, column * samples + across]
                if name_of(seen) != name_of(first):
                    same = False
                if name_of(seen) >= TERRAIN_NAME:
                    mark = int(stencil[view, row * samples + down, column * samples + across])
                    shadowed += mark & 1
                    beneath += mark >> 1
        display = wp.vec3(0.0, 0.0, 0.0)
        passes = samples * samples
        share = 1.0 / float(passes)
        for k in range(passes):
            seen = first
            weight = float(1.0)
            step = float(1.0)
            # Where in the pixel the ray passes, from its upper left corner.
            u = float(0.5)
            v = float(0.5)
            dark = float(shadowed) * share
            under = float(beneath) * share
            if same:
                if k > 0:
                    break
            else:
                # The samples that saw the same surface as sample k, if it is the first of them, stand together.
                seen = key[view, row * samples + k // samples, column * samples + k % samples]
                members = int(0)
                earlier = int(0)
                sum_u = int(0)
                sum_v = int(0)
                marks_dark = int(0)
                marks_under = int(0)
                at = int(0)
                for down in range(samples):
                    for across in range(samples):
                        if name_of(key[view, row * samples + down, column * samples + across]) == name_of(seen):
                            if at < k:
                                earlier += 1
                            members += 1
                            sum_u += across
                            sum_v += down
                            mark = int(stencil[view, row * samples + down, column * samples + across])
                            marks_dark += mark & 1
                            marks_under += mark >> 1
                        at += 1
                if earlier > 0:
                    continue
                mean = 1.0 / float(members)
                weight = float(members) * share
                step = 1.0 / float(samples)
                u = (float(sum_u) * mean + 0.5) * step
                v = (float(sum_v) * mean + 0.5) * step
                dark = float(marks_dark) * mean
                under = float(marks_under) * mean
            ray = wp.vec3((float(column) + u - center[0]) * scale, (float(row) + v - center[1]) * scale, 1.0)
            # All this stands in the kernel's own body, with one call of each of the larger functions: the CPU compiler
            # then inlines them, where it would else copy kilobytes of arguments for each pixel.
            toward = ahead_ray + right_ray * ray[0] + down_ray * ray[1]
            length = wp.length(toward)
            sight = toward * (1.0 / length)
            rgb = wp.vec3(0.0, 0.0, 0.0)
            name = name_of(seen)
            on_mesh = name < TERRAIN_NAME
            on_ground = name == TERRAIN_NAME
            # Length of the ray in units of `toward`, whose part along the camera's axis is 1.
            depth = float(0.0)
            if on_mesh or on_ground:
                depth = float(seen >> wp.int64(32)) / DEPTH_ONE
            elif ground.flat[scene] == 1 and toward[2] < -1.0e-6:
                depth = -eye[2] / toward[2]
                on_ground = True
            distance = depth * length
            thickness = distance
            if distance <= 0.0:
                thickness = 55.0 / (wp.clamp(sight[2], 0.0, 1.0) + 0.012)
            clear = exp_of(-light.extinction * thickness)
            near_sun = to_the_24th(wp.max(wp.dot(sight, light.sun), 0.0))
            air = light.fog_rgb + light.glow_rgb * (0.25 * near_sun)
            pool = float(0.0)
            if light.street > 0.0 and distance > 0.0:
                pool = light.street * light.beam * 0.45
                pool *= lamplight_at(ground, scene, eye[0] + depth * toward[0], eye[1] + depth * toward[1])
            if clear < LEAST_CLEAR:
                clear = 0.0
            elif on_mesh:
                item = int(name >> wp.uint32(ITEM_SHIFT))
                if item != held:
                    held = item
                    if item >= ACTORS_END:
                        at = statics.map_first[scene] + item - ACTORS_END
                        model = statics.model[at]
                        tint = statics.tint[at]
                        pose = statics.pose[at]
                        base = wp.vec3(pose[0], pose[1], statics.z[at])
                        size = statics.size_m[at]
                        detail = statics.detail[at]
                        phase = signal_phase[world, wp.clamp(detail, 0, signal_phase.shape[1] - 1)]
                        turn = turned(pose[2], pose[3], 1.0, 0.0)
                    else:
                        model = actors.model[world, item]
                        tint = appearance_id[world, item]
                        pose = actors.pose[world, item]
                        base = wp.vec3(pose[0], pose[1], actors.z[world, item])
                        size = actors.size_m[world, item]
                        detail = actors.detail[world, item]
                        phase = 0
                        turn = actors.turn[world, item]
                    inverse_size = wp.vec3(1.0 / size[0], 1.0 / size[1], 1.0 / size[2])
                    eye_in_unit = wp.cw_mul((eye - base) * turn, inverse_size)
                # What stands upright is lit aslant, and what is above the lanterns hardly at all.
                pool *= wp.clamp(1.1 - 0.12 * (eye[2] + depth * toward[2] - base[2]), 0.05, 0.5)
                lamp = headlight(light, ray, distance) + pool
                rgb = mesh_at(
                    images, meshes, light, eye_in_unit, inverse_size, turn, seen, model, size, tint, variant, detail,
                    phase, toward, sight, lamp, depth * scale,
                )  # fmt: skip
            elif on_ground:
                rise = step_at(ground, scene, eye, toward, depth)
                depth = rise.depth
                point = wp.vec2(eye[0] + depth * toward[0], eye[1] + depth * toward[1])
                texel_m = depth * step * scale
                # The footprint lies in the plane of the ground there.
                up = normal_at(ground, scene, point[0], point[1])
                inverse = 1.0 / wp.min(wp.dot(up, toward), -0.002)
                slide = wp.dot(up, right_ray) * inverse
                width = wp.vec2(right_ray[0] - toward[0] * slide, right_ray[1] - toward[1] * slide)
                slide = wp.dot(up, down_ray) * inverse
                height = wp.vec2(down_ray[0] - toward[0] * slide, down_ray[1] - toward[1] * slide)
                paved = ground_at(
                    images, ground, site, light, scene, variant, point, width * texel_m, height * texel_m, distance
                )
                lit = float(0.0)
                if light.sun[2] > 0.0:
                    lit = wp.max(wp.dot(up, light.sun), 0.0)
                sun = light.sun_rgb * (lit * (1.0 - dark - under))
                sky = light.ambient_rgb * (1.0 - 0.15 * dark - 0.78 * under)
                lamp = headlight(light, ray, distance) * 0.9
                lamps = wp.vec3(1.0, 0.95, 0.85) * lamp + wp.vec3(1.0, 0.78, 0.50) * (pool * (1.0 - under))
                rgb = wp.cw_mul(paved.albedo, sun + sky + lamps)
                rgb += mirrored(light, paved, sight) * (1.0 - 0.8 * under)
                face = kerb_share(rise, wp.length(width) * texel_m, wp.length(height) * texel_m)
                if face > 0.01:
                    # It sees half of the sky, and is dirty from the road.
                    lit = wp.max(wp.dot(kerb_normal(ground, scene, point[0], point[1]), light.sun), 0.0)
                    sun = light.sun_rgb * (lit * (1.0 - dark - under))
                    stone = kerb_stone(ground, light, scene)
                    rgb = mix(rgb, wp.cw_mul(stone * 0.6, sun + sky * 0.6 + lamps), face)
            else:
                rgb = sky_at(images, light, variant, sight, near_sun)
            rgb = developed(light, mix(air, rgb, clear), near_sun)
            if not same:
                rgb = wp.vec3(wp.min(rgb[0], GLARE), wp.min(rgb[1], GLARE), wp.min(rgb[2], GLARE))
            display += weight * rgb
        rgb_out[view, row, column, 0] = byte_of(images.curve, display[0])
        rgb_out[view, row, column, 1] = byte_of(images.curve, display[1])
        rgb_out[view, row, column, 2] = byte_of(images.curve, display[2])
