"""The light from a pack of points of a kind, ground, meshes or sky, seen through air and through the lens."""

import warp as wp

from sim.render_kernels.appearance import (
    CLOUDLESS,
    Images,
    Light,
    bare_sky,
    clouded,
    exp_of,
    headlight,
    mix,
    to_the_24th,
)
from sim.render_kernels.ground_light import ground_light
from sim.render_kernels.packs import GROUND, PACK, SKY, Colours, Floats, Ints, Points, Shot
from sim.render_kernels.paving import Site
from sim.render_kernels.surface import mesh_light
from sim.render_kernels.terrain import Ground, lamplight_at
from sim.render_kernels.view import Actors, Meshes, Statics

wp.set_module_options({"enable_backward": False, "max_unroll": 5})

GLARE = wp.constant(2.0)  # of the light of one sample in a pixel of several, so that lamps do not fray their edges
FILM_SATURATION = wp.constant(0.88)


@wp.func
def points_of(ground: Ground, light: Light, shot: Shot, u: Floats, v: Floats, depth: Floats, step: Floats):
    """Rays through (u, v), pixels from the optical axis, that meet something at `depth`, and the lamps' light there."""
    points = Points()
    x = Floats()
    y = Floats()
    z = Floats()
    length = Floats()
    near_sun = Floats()
    lamp = Floats()
    pool = Floats()
    for i in range(PACK):
        toward = shot.ahead + shot.right * (u[i] * shot.pixel) + shot.down * (v[i] * shot.pixel)
        x[i] = toward[0]
        y[i] = toward[1]
        z[i] = toward[2]
        length[i] = wp.length(toward)
        near_sun[i] = to_the_24th(wp.max(wp.dot(toward, light.sun) / length[i], 0.0))
    if light.lamps > 0.0:
        for i in range(PACK):
            ray = wp.vec3(u[i] * shot.pixel, v[i] * shot.pixel, 1.0)
            lamp[i] = headlight(light, ray, depth[i] * length[i])
    if light.street > 0.0:
        for i in range(PACK):
            spread = lamplight_at(ground, shot.scene, shot.eye[0] + depth[i] * x[i], shot.eye[1] + depth[i] * y[i])
            pool[i] = wp.where(depth[i] > 0.0, light.street * light.beam * 0.45 * spread, 0.0)
    points.x = x
    points.y = y
    points.z = z
    points.length = length
    points.depth = depth
    points.step = step
    points.near_sun = near_sun
    points.lamp = lamp
    points.pool = pool
    return points


@wp.func
def sky_light(images: Images, light: Light, shot: Shot, points: Points):
    """Light from the sky along a pack of rays, with the sun and with clouds where there are any."""
    x = points.x
    y = points.y
    z = points.z
    length = points.length
    near_sun = points.near_sun
    out = Colours()
    red = Floats()
    green = Floats()
    blue = Floats()
    for i in range(PACK):
        sight = wp.vec3(x[i], y[i], z[i]) * (1.0 / length[i])
        rgb = bare_sky(light, sight, near_sun[i])
        red[i] = rgb[0]
        green[i] = rgb[1]
        blue[i] = rgb[2]
    if light.cloud >= CLOUDLESS:
        for i in range(PACK):
            sight = wp.vec3(x[i], y[i], z[i]) * (1.0 / length[i])
            rgb = clouded(images, light, shot.variant, sight, near_sun[i], wp.vec3(red[i], green[i], blue[i]))
            red[i] = rgb[0]
            green[i] = rgb[1]
            blue[i] = rgb[2]
    out.red = red
    out.green = green
    out.blue = blue
    return out


@wp.func
def through_air(light: Light, points: Points, seen: Colours, whole: Floats):
    """What reaches the sensor of light from a pack of points; `whole` is 1 where a point has a pixel to itself."""
    z = points.z
    length = points.length
    depth = points.depth
    near_sun = points.near_sun
    red = seen.red
    green = seen.green
    blue = seen.blue
    for i in range(PACK):
        thickness = depth[i] * length[i]
        if depth[i] <= 0.0:
            thickness = 55.0 / (wp.clamp(z[i] / length[i], 0.0, 1.0) + 0.012)
        clear = exp_of(-light.extinction * thickness)
        air = light.fog_rgb + light.glow_rgb * (0.25 * near_sun[i])
        rgb = developed(light, mix(air, wp.vec3(red[i], green[i], blue[i]), clear), near_sun[i])
        most = wp.where(whole[i] > 0.0, 1.0e9, GLARE)
        red[i] = wp.min(rgb[0], most)
        green[i] = wp.min(rgb[1], most)
        blue[i] = wp.min(rgb[2], most)
    out = Colours()
    out.red = red
    out.green = green
    out.blue = blue
    return out


@wp.func
def developed(light: Light, rgb: wp.vec3, near_sun: wp.float32):
    """Scene light as it falls on the sensor: veiled by what the lens scatters, a little greyed."""
    seen = (rgb + light.veil_rgb + light.glow_rgb * (0.02 * near_sun)) * light.exposure
    grey = 0.2126 * seen[0] + 0.7152 * seen[1] + 0.0722 * seen[2]
    return mix(wp.vec3(grey, grey, grey), seen, FILM_SATURATION)


@wp.struct
class Pack:
    """What is known of some points of a kind before they are shaded."""

    u: Floats  # in pixels from the optical axis
    v: Floats
    depth: Floats
    share: Floats  # 1, or minus the share of its pixel where this has several surfaces
    dark: Floats  # shares in shadow, and below a vehicle
    under: Floats
    name: Ints  # triangles of meshes
    shade_m: Floats  # how far up houses shade what meshes belong to


@wp.func
def pack_light(
    images: Images, meshes: Meshes, actors: Actors, statics: Statics, ground: Ground, site: Site, light: Light,
    shot: Shot, appearance_id: wp.array2d(dtype=wp.int32), signal_phase: wp.array2d(dtype=wp.int32),
    sample: wp.float32, kind: wp.int32, pack: Pack,
):  # fmt: skip
    """What reaches the sensor from points of a kind; `sample` is the side of one, in pixels."""
    share = pack.share
    step = Floats()
    for i in range(PACK):
        step[i] = wp.where(share[i] > 0.0, 1.0, sample)
    points = points_of(ground, light, shot, pack.u, pack.v, pack.depth, step)
    points.dark = pack.dark
    points.under = pack.under
    colours = Colours()
    if kind == GROUND:
        colours = ground_light(images, ground, site, light, shot, points)
    elif kind == SKY:
        colours = sky_light(images, light, shot, points)
    else:
        colours = mesh_light(
            images, meshes, actors, statics, light, shot, appearance_id, signal_phase, points, pack.name,
            pack.shade_m, kind,
        )  # fmt: skip
    return through_air(light, points, colours, share)
