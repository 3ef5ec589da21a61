"""The looks of walls with deep windows and of leaves, which fill most of a street's picture: written so that compilers
can work on packs of them."""

import warp as wp

from sim.render_kernels.appearance import Images, Light, hashed, log2_of, mix, sample, smooth
from sim.render_kernels.facades import FACADE, FACADE_M, SHOP_M, Look, frac, street_glow

wp.set_module_options({"enable_backward": False, "max_unroll": 5})

WINDOW_DEPTH_M = wp.constant(0.17)
STOREY_M = wp.constant(3.0)
FOLIAGE_M = wp.constant(4.0)
RELIEF_TEXEL_M = wp.constant(0.14)  # beyond this footprint windows are flat
CONIFER = wp.constant(15)  # models that keep their needles
PINE = wp.constant(303)


@wp.func
def is_wall(material: wp.int32):
    return material == FACADE or material == 41 or material == 42


@wp.func
def is_leaf(material: wp.int32):
    return material == 13 or material == 49


@wp.struct
class Spot:
    """Where on a wall a ray ends, and what it meets there."""

    u: wp.float32  # in tiles of the painting
    v: wp.float32
    tone: wp.float32  # of the wall's light
    sun: wp.float32  # share of the sun's light that reaches it
    chance: wp.float32  # the window's own
    opening: wp.bool  # in the cell's window, seen from afar as well
    pane: wp.bool  # behind the opening


@wp.func
def facade_spot(
    picture: wp.int32,
    layout: wp.array2d(dtype=wp.float32),
    material: wp.int32,
    along: wp.float32,
    length: wp.float32,
    height: wp.float32,
    sideways: wp.vec2,
    sunny: wp.vec2,
    rise: wp.vec2,
    tint: wp.int32,
    texel_m: wp.float32,
):
    """A wall of storeys and bays of about 3 m. Near by its windows lie deep: the ray goes on to the pane behind the
    opening, or meets the reveal; where the sun is outside of the opening the pane lies in shadow. Of sight and sun:
    `sideways` and `sunny` are their parts along the wall and into or out of it, `rise` are those upwards."""
    spot = Spot()
    left_edge = layout[picture, 0]
    foot = layout[picture, 1]
    right_edge = layout[picture, 2]
    head = layout[picture, 3]
    spot.tone = 1.0
    spot.sun = 1.0
    bay_m = length / wp.max(wp.floor(length / STOREY_M + 0.5), 1.0)
    column = along / bay_m + 0.5 * wp.floor(length / bay_m + 0.5)
    row = height / STOREY_M
    left = wp.floor(column)
    floor = wp.floor(row)
    cu = column - left
    cv = row - floor
    if material == 42:
        # Party walls have no windows: the pier beside them, to and fro.
        half = wp.max(wp.min(left_edge, 1.0 - right_edge) - 0.15, 0.04)
        cu = half * (4.0 * wp.abs(frac(column / (4.0 * half)) - 0.5) - 1.0)
        left = 0.0
    else:
        spot.chance = hashed(tint * 31 + int(left), int(floor) + 77)
        spot.opening = cu > left_edge and cu < right_edge and cv > foot and cv < head
        if spot.opening and texel_m < RELIEF_TEXEL_M:
            step = WINDOW_DEPTH_M / wp.max(sideways[1], 0.12)
            cu += sideways[0] * step / bay_m
            cv += rise[0] * step / STOREY_M
            if cu < left_edge or cu > right_edge or cv < foot or cv > head:
                spot.tone = 0.72
                if cv > head:
                    spot.tone = 0.5
                elif cv < foot:
                    spot.tone = 1.0
                cu = 0.03
            else:
                spot.pane = True
                step = WINDOW_DEPTH_M / wp.max(sunny[1], 0.05)
                su = cu + sunny[0] * step / bay_m
                if su < left_edge or su > right_edge or cv + rise[1] * step / STOREY_M > head:
                    spot.sun = 0.25
    spot.u = (left + cu) * 0.25
    spot.v = -(floor + cv) * 0.25
    return spot


@wp.func
def wall_look(
    images: Images,
    light: Light,
    material: wp.int32,
    picture: wp.int32,
    along: wp.float32,
    length: wp.float32,
    height: wp.float32,
    sideways: wp.vec2,
    sunny: wp.vec2,
    rise: wp.float32,
    up: wp.float32,
    sun_share: wp.float32,
    tint: wp.int32,
    texel_m: wp.float32,
):
    """A wall at a height and a place along its length, `sideways` and `sunny` as `facade_spot`; the unit sight line
    rises by `rise`, the wall's normal by `up`."""
    look = Look()
    chance = hashed(tint, 1)
    warm = hashed(tint, 2) - 0.5
    above = wp.where(material == 41, height - SHOP_M, height)
    spot = facade_spot(
        picture, images.facade_layout, material, along, length, above, sideways, sunny, wp.vec2(rise, light.sun[2]),
        tint, texel_m,
    )  # fmt: skip
    mip = log2_of(wp.max(texel_m / FACADE_M, 1.0e-5)) + float(images.facade_log2)
    mip = wp.min(mip, float(images.facade_log2))
    painted = sample(images.texel, images.facade_first, images.facade_log2, picture, spot.u, spot.v, mip)
    dark = painted[0] + painted[1] * 0.5
    # The paint of one house over the painting of its kind.
    bright = (0.80 + 0.38 * chance) * spot.tone
    albedo = wp.cw_mul(painted, wp.vec3(bright * (1.0 + 0.16 * warm), bright, bright * (1.0 - 0.26 * warm)))
    # Curtains and blinds differ from window to window; panes mirror the sky.
    albedo = mix(albedo, painted * (0.55 + 0.7 * spot.chance), wp.where(spot.pane, 1.0, 0.0))
    sill = wp.where(spot.opening and spot.tone == 1.0, 0.05 * smooth(0.10, 0.04, dark), 0.0)
    gloss = wp.where(spot.pane, 0.03 + 0.09 * smooth(0.16, 0.08, dark), sill)
    albedo = albedo * wp.where(height < 0.5, 0.82, 1.0)
    lit = smooth(0.24, 0.05, dark)
    lit = wp.where(spot.pane, wp.max(lit, 0.35), wp.where(spot.opening, lit, 0.15 * lit))
    lit *= (
        0.6 * light.lamps * (0.4 + spot.chance) * wp.where(material != 42 and frac(spot.chance * 7.3) < 0.36, 1.0, 0.0)
    )
    tone = frac(spot.chance * 13.7)
    look.emission = wp.vec3(lit, (0.60 + 0.25 * tone) * lit, (0.26 + 0.4 * tone) * lit)
    look.emission += street_glow(light, albedo, height, up)
    albedo = mix(albedo, wp.vec3(0.76, 0.78, 0.82), light.snow * smooth(0.35, 0.75, up))
    look.albedo = albedo * (1.0 - 0.22 * light.wet)
    look.gloss = wp.max(gloss, 0.03 * light.wet)
    look.sun_share = sun_share * wp.where(spot.pane, spot.sun, 1.0)
    # Streets are darker near the ground.
    look.sky_share = (0.5 + 0.5 * up) * (0.72 + 0.28 * wp.clamp(height / 5.0, 0.0, 1.0))
    return look


@wp.func
def leaf_look(
    images: Images,
    light: Light,
    evergreen: wp.bool,
    picture: wp.int32,
    u: wp.float32,
    v: wp.float32,
    high: wp.float32,
    height: wp.float32,
    up: wp.float32,
    toward_sun: wp.float32,
    tint: wp.int32,
    texel_m: wp.float32,
):
    """Leaves at (u, v) of their tile, `high` in their crown from 0 to 1; `toward_sun` is how the normal faces it."""
    look = Look()
    chance = hashed(tint, 1)
    other = hashed(tint, 2)
    mip = log2_of(wp.max(texel_m / FOLIAGE_M, 1.0e-5)) + float(images.foliage_log2)
    mip = wp.min(mip, float(images.foliage_log2))
    painted = sample(images.texel, images.foliage_first, images.foliage_log2, picture, u, v, mip)
    needles = wp.where(evergreen, 1.0, 0.0)
    hue = wp.vec3(0.80 + 0.30 * chance * chance, 0.86 + 0.08 * other, 0.86 + 0.30 * other)
    albedo = wp.cw_mul(painted, mix(hue, wp.vec3(0.58, 0.70, 0.66), needles)) * (0.85 + 0.35 * other)
    # Light shines through leaves, and they shade each other: dark below and inside, bright on top.
    clump = wp.clamp(12.0 * painted[1], 0.0, 1.0)
    inner = (0.62 + 0.38 * high) * (0.70 + 0.44 * clump)
    look.sun_share = inner * (0.16 + 0.84 * wp.clamp(0.7 * toward_sun + 0.3, 0.0, 1.0))
    look.sky_share = (0.24 + 0.66 * (0.35 + 0.65 * high) * (0.5 + 0.5 * up)) * (0.85 + 0.25 * clump)
    bare = 0.85 * light.snow * (1.0 - needles)
    albedo = mix(albedo, wp.vec3(0.075, 0.062, 0.050) * (0.5 + clump), bare)
    albedo = mix(albedo, wp.vec3(0.74, 0.76, 0.80), light.snow * smooth(0.25, 0.8, up + 0.35 * clump))
    look.albedo = albedo
    look.emission = street_glow(light, albedo, height, up)
    return look
