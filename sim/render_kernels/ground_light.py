"""The light from a pack of points of the ground: of what its pixels see there, in sun, sky and lamps; kerbs."""

import warp as wp

from sim.render_kernels.appearance import Images, Light, mix
from sim.render_kernels.ground_cover import (
    Asphalt,
    Covers,
    Places,
    Spans,
    asphalt_of,
    covers_of,
    places_of,
    snowed,
    spans_of,
    verges_of,
    walked,
)
from sim.render_kernels.packs import PACK, Colours, Points, Shot
from sim.render_kernels.paving import Place, Site, kerb_stone, lane_at, mirrored
from sim.render_kernels.terrain import Ground, kerb_normal

wp.set_module_options({"enable_backward": False, "max_unroll": 5})


@wp.func
def lit_ground(
    site: Site, light: Light, points: Points, spans: Spans, asphalt: Asphalt, covers: Covers, places: Places,
    beside: Colours,
):  # fmt: skip
    """The road laid over what is beside it, in the light of sun, sky and lamps, with what wet ground mirrors."""
    out = Colours()
    ray_x = points.x
    ray_y = points.y
    ray_z = points.z
    length = points.length
    dark = points.dark
    under = points.under
    lamp = points.lamp
    pool = points.pool
    sun = spans.sun
    noise = asphalt.noise
    grain = asphalt.grain
    red = asphalt.rgb.red
    green = asphalt.rgb.green
    blue = asphalt.rgb.blue
    road = covers.road
    side = covers.side
    stone = covers.stone
    gutter = covers.gutter
    below = covers.below
    paint = covers.paint
    d = places.d
    tone = places.tone
    track = places.track
    rut = places.rut
    mixed = places.mixed
    beside_red = beside.red
    beside_green = beside.green
    beside_blue = beside.blue
    for i in range(PACK):
        place = Place()
        place.d = d[i]
        place.track = track[i]
        place.rut = rut[i]
        place.mixed = mixed[i]
        bright = site.tint * tone[i] * (1.0 + 0.045 * noise[i])
        rgb = wp.vec3(red[i] * (1.0 + 0.05 * site.warm), green[i], blue[i] * (1.0 - 0.06 * site.warm)) * bright
        part = 1.0 / wp.max(road[i], 1.0e-6)
        paved = lane_at(
            light, rgb, site.warm, noise[i], grain[i], place, gutter[i],
            wp.vec4(below[i], below[PACK + i], below[2 * PACK + i], below[3 * PACK + i]) * part,
            wp.vec4(paint[i], paint[PACK + i], paint[2 * PACK + i], paint[3 * PACK + i]) * part,
        )  # fmt: skip
        albedo = wp.vec3(beside_red[i], beside_green[i], beside_blue[i])
        albedo = mix(albedo, wp.vec3(paved[0], paved[1], paved[2]), road[i])
        curb = kerb_stone(site, light) * (0.8 + 0.2 * grain[i])
        albedo = mix(albedo, curb, wp.clamp(stone[i], 0.0, 1.0) * (1.0 - 0.7 * light.snow))
        shine = side[i] * 0.45 * light.wet * (1.0 - snowed(light, noise[i])) + road[i] * paved[3]
        incoming = light.sun_rgb * (sun[i] * (1.0 - dark[i] - under[i]))
        incoming += light.ambient_rgb * (1.0 - 0.15 * dark[i] - 0.78 * under[i])
        incoming += wp.vec3(1.0, 0.95, 0.85) * (0.9 * lamp[i])
        incoming += wp.vec3(1.0, 0.78, 0.50) * (pool[i] * (1.0 - under[i]))
        sight = wp.vec3(ray_x[i], ray_y[i], ray_z[i]) * (1.0 / length[i])
        rgb = wp.cw_mul(albedo, incoming) + mirrored(light, shine, sight) * (1.0 - 0.8 * under[i])
        out.red[i] = rgb[0]
        out.green[i] = rgb[1]
        out.blue[i] = rgb[2]
    return out


@wp.func
def kerbed(ground: Ground, site: Site, light: Light, shot: Shot, points: Points, spans: Spans, seen: Colours):
    """Colours with the faces of kerbs, point by point: few see one."""
    out = Colours()
    dark = points.dark
    under = points.under
    lamp = points.lamp
    pool = points.pool
    kerb = spans.kerb
    x = spans.x
    y = spans.y
    red = seen.red
    green = seen.green
    blue = seen.blue
    kerbs = int(0)
    for i in range(PACK):
        kerbs = kerbs | wp.where(kerb[i] > 0.01, 1, 0)
    if kerbs != 0:
        for i in range(PACK):
            if kerb[i] > 0.01:
                # It sees half of the sky, and is dirty from the road.
                lit = wp.max(wp.dot(kerb_normal(ground, shot.scene, x[i], y[i]), light.sun), 0.0)
                incoming = light.sun_rgb * (lit * (1.0 - dark[i] - under[i]))
                incoming += light.ambient_rgb * (0.6 - 0.09 * dark[i] - 0.468 * under[i])
                incoming += wp.vec3(1.0, 0.95, 0.85) * (0.9 * lamp[i])
                incoming += wp.vec3(1.0, 0.78, 0.50) * (pool[i] * (1.0 - under[i]))
                rgb = wp.cw_mul(kerb_stone(site, light) * 0.6, incoming)
                red[i] = red[i] + (rgb[0] - red[i]) * kerb[i]
                green[i] = green[i] + (rgb[1] - green[i]) * kerb[i]
                blue[i] = blue[i] + (rgb[2] - blue[i]) * kerb[i]
    out.red = red
    out.green = green
    out.blue = blue
    return out


@wp.func
def ground_light(images: Images, ground: Ground, site: Site, light: Light, shot: Shot, points: Points):
    """Light from the ground at a pack of points, kerbs included."""
    spans = spans_of(ground, site.plot, light, shot, points)
    asphalt = asphalt_of(images, ground, site, shot, spans)
    covers = covers_of(ground, site, shot, points, spans, asphalt)
    beside = verges_of(images, site, light, shot, spans, asphalt, covers)
    places = places_of(ground, shot, spans, asphalt)
    beside = walked(site, light, spans, asphalt, covers, places, beside)
    seen = lit_ground(site, light, points, spans, asphalt, covers, places, beside)
    return kerbed(ground, site, light, shot, points, spans, seen)
