"""The looks of what stands beside the road: shops, signs, signals, posters and plain surfaces.

The numbers are those of `sim.meshes.sculpt.Material`; `surface.lit_up` lights what comes from here. Walls with deep
windows and leaves are in `walls`.
"""

import warp as wp

from sim.render_kernels.appearance import Images, Light, hashed, log2_of, mix, sample, smooth

wp.set_module_options({"enable_backward": False})

FACADE = wp.constant(15)
FIRST = wp.constant(40)  # of the materials that are only known here
FACADE_M = wp.constant(12.0)
SHOP_M = wp.constant(4.0)


@wp.struct
class Look:
    """How a surface answers light."""

    albedo: wp.vec3
    emission: wp.vec3
    gloss: wp.float32  # what it mirrors head-on
    sun_share: wp.float32
    sky_share: wp.float32


@wp.func
def is_roadside(material: wp.int32):
    return material >= FIRST or (material >= 13 and material <= 19)


@wp.func
def frac(x: wp.float32):
    return x - wp.floor(x)


@wp.func
def line_cover(x: wp.float32, period: wp.float32, wide: wp.float32, texel: wp.float32):
    """Share of a pixel that lines of a width cover, one each period; their mean where a pixel holds several."""
    if texel > 0.5 * period:
        return wide / period
    away = wp.abs(frac(x / period) - 0.5) * period
    return wp.clamp((0.5 * wide - (0.5 * period - away)) / texel + 0.5, 0.0, 1.0) * wp.min(1.0, wide / texel)


@wp.func
def street_glow(light: Light, albedo: wp.vec3, height: wp.float32, up: wp.float32):
    """Light from street lamps, which stand along the way and shine down: it falls off above them."""
    glow = 0.035 * light.street * (0.35 + 0.65 * wp.clamp(1.2 - 0.11 * height, 0.0, 1.0)) * (1.0 - 0.5 * up)
    return wp.cw_mul(albedo, wp.vec3(1.0, 0.80, 0.55)) * glow


@wp.func
def curtain_look(look: Look, along: wp.float32, height: wp.float32, lamps: float, tint: wp.int32, texel_m: float):
    """Glass between mullions each 1.5 m and dark bands at the floors each 3.4 m."""
    storey = int(wp.floor(height / 3.4))
    frame = wp.max(line_cover(along, 1.5, 0.08, texel_m), line_cover(height, 3.4, 0.12, texel_m))
    chance = hashed(int(wp.floor(along / 1.5)) + 131 * tint, storey)
    band = float(0.0)
    if frac(height / 3.4) > 0.74:
        band = 1.0
    glass = wp.vec3(0.022, 0.032, 0.040) * (0.6 + 1.1 * chance)
    if chance > 0.72:
        glass = wp.vec3(0.17, 0.17, 0.16)  # blinds
    glass = mix(glass, mix(wp.vec3(0.10, 0.12, 0.14), wp.vec3(0.30, 0.29, 0.27), hashed(tint, 4)), band)
    look.albedo = mix(glass, wp.vec3(0.30, 0.31, 0.32), frame)
    look.gloss = 0.16 * (1.0 - frame) * (1.0 - 0.6 * band)
    if lamps > 0.0 and chance < 0.45 and band < 0.5:
        look.emission = wp.vec3(0.75, 0.78, 0.72) * (0.55 * lamps * (1.0 - frame) * (0.4 + chance))
    return look


@wp.func
def signal_look(look: Look, material: wp.int32, phase: wp.int32, exposure: wp.float32):
    """The lamp that the group of lights shows: 0 red, 1 yellow, 2 green. People walk while it is red.

    Where lit it is as bright as a camera can show in colour, else dark glass."""
    rgb = wp.vec3(1.0, 0.05, 0.03)
    lit = phase == 0
    if material == 53:
        rgb = wp.vec3(1.0, 0.50, 0.03)
        lit = phase == 1
    elif material == 54:
        rgb = wp.vec3(0.04, 0.95, 0.45)
        lit = phase == 2
    elif material == 56:
        lit = phase != 0
    elif material == 57:
        rgb = wp.vec3(0.05, 0.95, 0.40)
    look.albedo = rgb * 0.05 + wp.vec3(0.01, 0.01, 0.01)
    look.gloss = 0.04
    if lit:
        look.emission = rgb * (1.1 / exposure)
    return look


@wp.func
def poster_rgb(along: wp.float32, height: wp.float32, tint: wp.int32, texel_m: wp.float32):
    """Boards with names and advertisements: a colour, a second one, and dashes that pass for letters."""
    ground = wp.vec3(hashed(tint, 11), hashed(tint, 12), hashed(tint, 13))
    grey = (ground[0] + ground[1] + ground[2]) / 3.0
    ground = mix(wp.vec3(grey, grey, grey), ground, 0.55)
    ground = wp.cw_mul(ground, ground) * 0.6 + wp.vec3(0.03, 0.03, 0.03)
    ink = wp.vec3(0.70, 0.69, 0.64)
    if ground[0] + ground[1] + ground[2] > 0.9:
        ink = wp.vec3(0.03, 0.03, 0.05)
    line = int(wp.floor(height / 0.42))
    letter = hashed(int(wp.floor(along / 0.22)) + 71 * line, tint)
    inside = wp.abs(frac(height / 0.42) - 0.5) < 0.3 and frac(along / 0.22) < 0.72
    strength = wp.clamp(0.16 / texel_m, 0.0, 1.0)
    if inside and letter > 0.3 and hashed(line, tint) > 0.35:
        ground = mix(mix(ground, ink, 0.35), ink, strength)
    return ground


@wp.func
def plain_rgb(material: wp.int32, tint: wp.int32, metric: wp.vec3, texel_m: wp.float32):
    """Surfaces of one colour, or of a simple pattern."""
    chance = hashed(tint, 5)
    if material == 14:
        bark = 0.65 + 0.7 * hashed(int(metric[2] * 2.6), int(metric[0] * 37.0) + int(metric[1] * 41.0))
        return wp.vec3(0.095, 0.078, 0.060) * bark
    if material == 16:
        tile = frac(metric[2] / 0.22)
        rgb = wp.vec3(0.23, 0.085, 0.055)
        kind = hashed(tint, 2)
        if kind > 0.5:
            rgb = wp.vec3(0.095, 0.096, 0.105)
        if kind > 0.75:
            rgb = wp.vec3(0.15, 0.105, 0.085)
        column = hashed(int(metric[0] * 3.3 + 200.0), int(metric[2] / 0.22))
        seen = wp.clamp(0.10 / texel_m, 0.0, 1.0)
        return rgb * (0.85 + 0.3 * chance) * (1.0 + seen * (0.25 * column - 0.30 * tile))
    if material == 17:
        return wp.vec3(0.29, 0.285, 0.27) * (0.92 + 0.16 * hashed(int(metric[0] * 2.0), int(metric[2] * 3.0)))
    if material == 18:
        return wp.vec3(0.31, 0.318, 0.32)
    if material == 44:
        rib = 0.12 * wp.clamp(0.10 / texel_m, 0.0, 1.0)
        ridges = frac((metric[0] + metric[1]) / 0.3)
        sheet = mix(wp.vec3(0.42, 0.43, 0.43), wp.vec3(0.16, 0.22, 0.28), wp.floor(chance * 2.0))
        return sheet * (1.0 - rib + 2.0 * rib * wp.abs(2.0 * ridges - 1.0))
    if material == 45:
        return wp.vec3(0.52, 0.50, 0.45) * (0.72 + 0.34 * chance)
    if material == 46:
        door = mix(wp.vec3(0.16, 0.08, 0.04), wp.vec3(0.05, 0.09, 0.07), wp.floor(chance * 2.0))
        panel = wp.abs(frac(metric[2] / 0.9) - 0.5)
        return door * (0.8 + 0.5 * panel)
    if material == 47:
        cloth = mix(wp.vec3(0.42, 0.035, 0.03), wp.vec3(0.03, 0.12, 0.07), wp.floor(chance * 2.0))
        if hashed(tint, 6) < 0.55 and line_cover(metric[0], 0.5, 0.25, texel_m) > 0.5:
            cloth = wp.vec3(0.62, 0.60, 0.54)
        return cloth
    if material == 48:
        board = 0.8 + 0.4 * hashed(int(metric[0] * 6.0), int(metric[1] * 6.0) + 7)
        wood = mix(wp.vec3(0.19, 0.115, 0.065), wp.vec3(0.46, 0.45, 0.42), wp.floor(hashed(tint, 7) * 1.6))
        return wood * board
    if material == 51:
        return wp.vec3(0.28, 0.285, 0.29)
    if material == 55:
        return wp.vec3(0.022, 0.024, 0.024)
    if material == 58:
        if frac((metric[1] + metric[2]) / 0.5) < 0.5:
            return wp.vec3(0.55, 0.03, 0.03)
        return wp.vec3(0.68, 0.68, 0.66)
    if material == 59:
        return wp.vec3(0.78, 0.15, 0.02)
    if material == 61:
        bin = mix(wp.vec3(0.035, 0.04, 0.042), wp.vec3(0.02, 0.08, 0.05), wp.floor(chance * 2.0))
        if chance > 0.8:
            bin = wp.vec3(0.03, 0.09, 0.22)
        return bin
    if material == 62:
        box = mix(wp.vec3(0.72, 0.48, 0.02), wp.vec3(0.45, 0.02, 0.02), wp.floor(chance * 2.0))
        return box
    if material == 63:
        plank = mix(wp.vec3(0.26, 0.28, 0.25), wp.vec3(0.21, 0.15, 0.10), wp.floor(chance * 2.0))
        return plank * (1.0 - 0.25 * line_cover(metric[2], 0.5, 0.06, texel_m))
    if material == 65:
        mortar = line_cover(metric[2], 0.075, 0.012, texel_m)
        brick = hashed(int(metric[2] / 0.075), int((metric[0] + metric[1]) / 0.24))
        return mix(wp.vec3(0.24, 0.095, 0.065) * (0.75 + 0.5 * brick), wp.vec3(0.36, 0.34, 0.31), mortar)
    if material == 66:
        return wp.vec3(0.034, 0.060, 0.031) * (0.7 + 0.6 * hashed(int(metric[0] / 3.0), int(metric[2] / 2.0)))
    if material == 67:
        return mix(wp.vec3(0.34, 0.32, 0.30), wp.vec3(0.20, 0.16, 0.15), hashed(int(metric[0] / 9.0), tint))
    if material == 68:
        return mix(wp.vec3(0.52, 0.51, 0.48), wp.vec3(0.06, 0.055, 0.05), line_cover(metric[2], 0.5, 0.09, texel_m))
    if material == 69:
        return mix(wp.vec3(0.055, 0.075, 0.024), wp.vec3(0.19, 0.17, 0.085), chance * (0.3 + 0.9 * metric[2]))
    if material == 70:
        return wp.vec3(0.105, 0.104, 0.101) * (0.9 + 0.2 * hashed(int(metric[0] * 2.0), int(metric[1] * 2.0)))
    return wp.vec3(0.45, 0.45, 0.44)


@wp.func
def roadside_look(
    images: Images,
    light: Light,
    material: wp.int32,
    metric: wp.vec3,
    local: wp.vec3,
    size: wp.vec3,
    flat: wp.vec3,
    normal: wp.vec3,
    tint: wp.int32,
    detail: wp.int32,
    phase: wp.int32,
    lamp: wp.float32,
    texel_m: wp.float32,
):
    """The look of a point: `metric` in metres and `local` in the unit box of the model, `flat` along its face's normal
    in the body's axes, `normal` in the world's; `phase` is what its group of lights shows."""
    look = Look()
    look.sun_share = wp.max(wp.dot(normal, light.sun), 0.0)
    look.sky_share = 0.5 + 0.5 * normal[2]
    along = metric[1]
    if wp.abs(flat[1]) > wp.abs(flat[0]):
        along = metric[0]
    height = metric[2]
    # What is painted is looked up once, wherever it is: this is where, and how many metres its tile is wide.
    first = int(-1)
    log2 = int(0)
    picture = int(0)
    u = float(0.0)
    v = float(0.0)
    tile_m = float(FACADE_M)
    finest = float(0.0)
    if material == 40:
        first = images.shops_first
        log2 = images.shops_log2
        picture = tint % images.shops_variants
        u = along / FACADE_M + float(tint % 3) / 3.0
        v = -height / SHOP_M
        tile_m = 8.0
    elif material == 50:
        first = images.signs_first
        log2 = images.signs_log2
        picture = wp.clamp(detail, 0, images.signs_variants - 1)
        edge = 0.5 / float(1 << log2)
        u = wp.clamp(local[1] + 0.5, edge, 1.0 - edge)
        v = wp.clamp(1.0 - local[2], edge, 1.0 - edge)
        tile_m = wp.min(size[1], size[2])
        finest = 2.0  # mips coarser than 4 x 4 texels would mix the face with itself from the other side
    if first >= 0:
        mip = log2_of(wp.max(texel_m / tile_m, 1.0e-5)) + float(log2)
        look.albedo = sample(images.texel, first, log2, picture, u, v, wp.min(mip, float(log2) - finest))
    painted = look.albedo
    dark = painted[0] + painted[1] * 0.5
    if material == 40:
        dim = smooth(0.5, 0.1, dark)
        look.gloss = 0.09 * dim
        goods = wp.cw_mul(painted + wp.vec3(0.06, 0.055, 0.045), wp.vec3(1.5, 1.25, 0.9))
        look.emission = goods * (1.2 * light.lamps * dim)  # walls are bright, rooms behind panes are not
        look.sky_share *= 0.8
    elif material == 50:
        # The sheeting throws headlights back.
        look.albedo = painted * 0.92
        look.emission = painted * (2.3 * lamp)
        look.sky_share = 0.7 + 0.3 * look.sky_share
        look.gloss = 0.02
    elif material == 43:
        look = curtain_look(look, along, height - SHOP_M, light.lamps, tint, texel_m)
    elif material == 60:
        look.albedo = poster_rgb(along, height, tint, texel_m)
        look.emission = look.albedo * (0.8 * light.lamps)
    elif material >= 52 and material <= 57 and material != 55:
        look = signal_look(look, material, phase, light.exposure)
    else:
        look.albedo = plain_rgb(material, tint, metric, texel_m)
        if material == 19:
            look.emission = wp.vec3(2.2, 1.7, 1.0) * light.street
        elif material == 64:
            look.albedo = wp.vec3(0.10, 0.12, 0.12)
            look.gloss = 0.12
        elif material == 18:
            look.gloss = 0.05
    if light.street > 0.0:
        look.emission += street_glow(light, look.albedo, height, normal[2])
    if light.snow > 0.0:
        look.albedo = mix(look.albedo, wp.vec3(0.76, 0.78, 0.82), light.snow * smooth(0.35, 0.75, normal[2]))
    if light.wet > 0.0:
        look.albedo *= 1.0 - 0.22 * light.wet
        look.gloss = wp.max(look.gloss, 0.03 * light.wet)
    return look
