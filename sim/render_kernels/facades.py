"""The looks of what stands beside the road: façades with deep windows, shops, leaves, signs and signals.

The numbers are those of `sim.meshes.sculpt.Material`; `surface.mesh_at` lights what comes from here.
"""

import warp as wp

from sim.render_kernels.appearance import Images, Light, hashed, log2_of, mix, sample, smooth

wp.set_module_options({"enable_backward": False})

FACADE = wp.constant(15)
FIRST = wp.constant(40)  # of the materials that are only known here
WINDOW_DEPTH_M = wp.constant(0.17)
STOREY_M = wp.constant(3.0)
FACADE_M = wp.constant(12.0)
SHOP_M = wp.constant(4.0)
FOLIAGE_M = wp.constant(2.5)
RELIEF_TEXEL_M = wp.constant(0.14)  # beyond this footprint windows are flat
CONIFER = wp.constant(15)  # models that keep their needles
PINE = wp.constant(303)


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
def wall_tint(tint: wp.int32):
    """The paint of one house over the texture of its kind."""
    light = 0.80 + 0.38 * hashed(tint, 1)
    warm = hashed(tint, 2) - 0.5
    return wp.vec3(light * (1.0 + 0.16 * warm), light, light * (1.0 - 0.26 * warm))


@wp.func
def facade_look(
    images: Images,
    light: Light,
    look: Look,
    material: wp.int32,
    local: wp.vec3,
    size: wp.vec3,
    flat: wp.vec3,
    sight: wp.vec3,
    sun: wp.vec3,
    tint: wp.int32,
    variant: wp.int32,
    texel_m: wp.float32,
):
    """A wall of storeys and bays of about 3 m. Near by its windows lie deep: the ray goes on to the pane behind the
    opening, or meets the reveal; where the sun is outside of the opening the pane lies in shadow. `flat`, `sight` and
    `sun` are in the body's axes."""
    kind = (tint + 8 * variant) % images.facade_variants
    frame = images.facade_layout[kind]
    along = local[1] * size[1]
    length = size[1]
    inward = wp.abs(sight[0])
    sideways = sight[1]
    sunny = sun[0] * wp.sign(flat[0])
    sun_along = sun[1]
    if wp.abs(flat[1]) > wp.abs(flat[0]):
        along = local[0] * size[0]
        length = size[0]
        inward = wp.abs(sight[1])
        sideways = sight[0]
        sunny = sun[1] * wp.sign(flat[1])
        sun_along = sun[0]
    base = float(0.0)
    if material == 41:
        base = SHOP_M
    height = local[2] * size[2] - base
    bays = wp.max(wp.floor(length / 3.0 + 0.5), 1.0)
    bay_m = length / bays
    column = along / bay_m + 0.5 * bays
    row = height / STOREY_M
    mip = log2_of(wp.max(texel_m / FACADE_M, 1.0e-5)) + float(images.facade_log2)
    left = wp.floor(column)
    floor = wp.floor(row)
    cu = column - left
    cv = row - floor
    shade = float(1.0)
    reveal = bool(False)
    inside = bool(False)
    if material == 42:
        # Party walls have no windows: the pier beside them, over and over.
        cu = 0.02 + 0.02 * frac(cu * 7.0)
    elif texel_m < RELIEF_TEXEL_M and cu > frame[0] and cu < frame[2] and cv > frame[1] and cv < frame[3]:
        inside = True
        step = WINDOW_DEPTH_M / wp.max(inward, 0.12)
        pu = cu + sideways * step / bay_m
        pv = cv + sight[2] * step / STOREY_M
        if pu < frame[0] or pu > frame[2] or pv < frame[1] or pv > frame[3]:
            reveal = True
            shade = 0.72
            if pv > frame[3]:
                shade = 0.5
            elif pv < frame[1]:
                shade = 1.0
            cu = 0.03
        else:
            cu = pu
            cv = pv
            step = WINDOW_DEPTH_M / wp.max(sunny, 0.05)
            su = pu + sun_along * step / bay_m
            sv = pv + sun[2] * step / STOREY_M
            if su < frame[0] or su > frame[2] or sv > frame[3]:
                look.sun_share *= 0.25
    wall = sample(
        images.texel, images.facade_first, images.facade_log2, kind, (left + cu) * 0.25, -(floor + cv) * 0.25, mip
    )
    paint = wall_tint(tint)
    chance = hashed(tint * 31 + int(left), int(floor) + 77)
    if inside and not reveal:
        # Curtains and blinds differ from window to window; panes mirror the sky.
        look.albedo = wall * (0.55 + 0.7 * chance)
        dim = smooth(0.16, 0.08, wall[0] + wall[1] * 0.5)
        look.gloss = 0.03 + 0.09 * dim
    else:
        look.albedo = wp.cw_mul(wall, paint) * shade
        if material != 42 and not reveal:
            look.gloss = 0.05 * smooth(0.10, 0.04, wall[0] + wall[1] * 0.5)
    if light.lamps > 0.0 and material != 42 and frac(chance * 7.3) < 0.36:
        lit = smooth(0.24, 0.05, wall[0] + wall[1] * 0.5)
        if inside and not reveal:
            lit = wp.max(lit, 0.35)
        elif cu < frame[0] or cu > frame[2] or cv < frame[1] or cv > frame[3]:
            lit *= 0.15
        warm = frac(chance * 13.7)
        look.emission = wp.vec3(1.0, 0.60 + 0.25 * warm, 0.26 + 0.4 * warm) * (0.6 * light.lamps * lit * (0.4 + chance))
    # Streets are darker near the ground, and rain has run down below the eaves.
    look.sky_share *= 0.72 + 0.28 * wp.clamp((height + base) / 5.0, 0.0, 1.0)
    if height + base < 0.5:
        look.albedo *= 0.82
    return look


@wp.func
def shop_look(
    images: Images,
    light: Light,
    look: Look,
    local: wp.vec3,
    size: wp.vec3,
    flat: wp.vec3,
    tint: wp.int32,
    texel_m: wp.float32,
):
    """A ground floor of shop windows and doors."""
    along = local[1] * size[1]
    if wp.abs(flat[1]) > wp.abs(flat[0]):
        along = local[0] * size[0]
    u = along / FACADE_M + 0.25 * float(tint % 4)
    v = -local[2] * size[2] / SHOP_M
    mip = log2_of(wp.max(texel_m / 8.0, 1.0e-5)) + float(images.shops_log2)
    wall = sample(images.texel, images.shops_first, images.shops_log2, tint % images.shops_variants, u, v, mip)
    look.albedo = wall
    dim = smooth(0.5, 0.1, wall[0] + wall[1] * 0.5)
    look.gloss = 0.09 * dim
    look.emission = wp.cw_mul(wall + wp.vec3(0.06, 0.055, 0.045), wp.vec3(1.5, 1.25, 0.9)) * (light.lamps * (0.3 + dim))
    look.sky_share *= 0.8
    return look


@wp.func
def curtain_look(
    light: Light, look: Look, local: wp.vec3, size: wp.vec3, flat: wp.vec3, tint: wp.int32, texel_m: wp.float32
):
    """Glass between mullions each 1.5 m and dark bands at the floors each 3.4 m."""
    along = local[1] * size[1]
    if wp.abs(flat[1]) > wp.abs(flat[0]):
        along = local[0] * size[0]
    height = local[2] * size[2] - SHOP_M
    pane = int(wp.floor(along / 1.5))
    storey = int(wp.floor(height / 3.4))
    frame = wp.max(line_cover(along, 1.5, 0.08, texel_m), line_cover(height, 3.4, 0.12, texel_m))
    chance = hashed(pane + 131 * tint, storey)
    band = float(0.0)
    if frac(height / 3.4) > 0.74:
        band = 1.0
    glass = wp.vec3(0.022, 0.032, 0.040) * (0.6 + 1.1 * chance)
    if chance > 0.72:
        glass = wp.vec3(0.17, 0.17, 0.16)  # blinds
    glass = mix(glass, mix(wp.vec3(0.10, 0.12, 0.14), wp.vec3(0.30, 0.29, 0.27), hashed(tint, 4)), band)
    look.albedo = mix(glass, wp.vec3(0.30, 0.31, 0.32), frame)
    look.gloss = 0.16 * (1.0 - frame) * (1.0 - 0.6 * band)
    if light.lamps > 0.0 and chance < 0.45 and band < 0.5:
        look.emission = wp.vec3(0.75, 0.78, 0.72) * (0.55 * light.lamps * (1.0 - frame) * (0.4 + chance))
    return look


@wp.func
def leaf_look(
    images: Images,
    light: Light,
    look: Look,
    model: wp.int32,
    metric: wp.vec3,
    local: wp.vec3,
    flat: wp.vec3,
    normal: wp.vec3,
    tint: wp.int32,
    variant: wp.int32,
    texel_m: wp.float32,
):
    """Leaves: light shines through them, they shade each other, and snow lies on what faces up."""
    # Seen along the axis that the surface faces most; the offsets keep neighbouring crowns apart.
    u = metric[0]
    v = -metric[2]
    if wp.abs(flat[2]) > 0.75:
        v = metric[1]
    elif wp.abs(flat[0]) > wp.abs(flat[1]):
        u = metric[1] + 0.9
    u += 0.37 * float(tint & 7)
    mip = log2_of(wp.max(texel_m / FOLIAGE_M, 1.0e-5)) + float(images.foliage_log2)
    leaves = sample(
        images.texel, images.foliage_first, images.foliage_log2, (variant + tint) % images.variants,
        u / FOLIAGE_M, v / FOLIAGE_M, mip,
    )  # fmt: skip
    chance = hashed(tint, 1)
    other = hashed(tint, 2)
    hue = wp.vec3(0.78 + 0.55 * chance * chance, 0.92 + 0.12 * other, 0.72 + 0.35 * other)
    if model == CONIFER or model == PINE:
        hue = wp.vec3(0.52, 0.66, 0.62)
    look.albedo = wp.cw_mul(leaves, hue) * (1.15 + 0.4 * other)
    # A crown is a heap of bright and dark clumps: dark below and inside, bright on top.
    clump = wp.clamp(8.0 * leaves[1], 0.0, 1.0)
    inner = (0.62 + 0.38 * local[2]) * (0.84 + 0.3 * clump)
    look.sun_share = inner * (0.22 + 0.78 * wp.clamp(0.65 * wp.dot(normal, light.sun) + 0.35, 0.0, 1.0))
    look.sky_share = (0.42 + 0.5 * local[2] * (0.5 + 0.5 * normal[2])) * (0.85 + 0.25 * clump)
    if light.snow > 0.0:
        if model != CONIFER and model != PINE:
            look.albedo = mix(look.albedo, wp.vec3(0.075, 0.062, 0.050) * (0.5 + clump), 0.85 * light.snow)
        look.albedo = mix(
            look.albedo, wp.vec3(0.74, 0.76, 0.80), light.snow * smooth(0.25, 0.8, normal[2] + 0.35 * clump)
        )
    return look


@wp.func
def sign_look(
    images: Images,
    light: Light,
    look: Look,
    local: wp.vec3,
    size: wp.vec3,
    detail: wp.int32,
    lamp: float,
    texel_m: float,
):
    """A face of the atlas; its sheeting throws headlights back."""
    mip = log2_of(wp.max(texel_m / wp.min(size[1], size[2]), 1.0e-5)) + float(images.signs_log2)
    edge = 0.5 / float(1 << images.signs_log2)
    u = wp.clamp(local[1] + 0.5, edge, 1.0 - edge)
    v = wp.clamp(1.0 - local[2], edge, 1.0 - edge)
    face = wp.clamp(detail, 0, images.signs_variants - 1)
    look.albedo = sample(images.texel, images.signs_first, images.signs_log2, face, u, v, wp.min(mip, 5.0)) * 0.92
    look.emission = look.albedo * (2.5 * lamp)
    look.sky_share = 0.7 + 0.3 * look.sky_share
    look.gloss = 0.02
    return look


@wp.func
def lamp_look(light: Light, look: Look, rgb: wp.vec3, lit: wp.bool):
    """A lens of a signal: where lit, as bright as a camera can show in colour, else dark glass."""
    look.albedo = rgb * 0.05 + wp.vec3(0.01, 0.01, 0.01)
    look.gloss = 0.04
    if lit:
        look.emission = rgb * (1.1 / light.exposure)
    return look


@wp.func
def signal_look(light: Light, look: Look, material: wp.int32, phase: wp.int32):
    """The lamp that the group of lights shows: 0 red, 1 yellow, 2 green. People walk while it is red."""
    if material == 52:
        return lamp_look(light, look, wp.vec3(1.0, 0.05, 0.03), phase == 0)
    if material == 53:
        return lamp_look(light, look, wp.vec3(1.0, 0.50, 0.03), phase == 1)
    if material == 54:
        return lamp_look(light, look, wp.vec3(0.04, 0.95, 0.45), phase == 2)
    if material == 56:
        return lamp_look(light, look, wp.vec3(1.0, 0.06, 0.03), phase != 0)
    return lamp_look(light, look, wp.vec3(0.05, 0.95, 0.40), phase == 0)


@wp.func
def poster_look(light: Light, look: Look, local: wp.vec3, size: wp.vec3, flat: wp.vec3, tint: wp.int32, texel_m: float):
    """Boards with names and advertisements: a colour, a second one, and dashes that pass for letters."""
    along = local[1] * size[1]
    if wp.abs(flat[1]) > wp.abs(flat[0]):
        along = local[0] * size[0]
    height = local[2] * size[2]
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
    look.albedo = ground
    look.emission = ground * (0.8 * light.lamps)
    return look


@wp.func
def plain_rgb(material: wp.int32, tint: wp.int32, metric: wp.vec3, texel_m: wp.float32):
    """Surfaces of one colour, or of a simple pattern."""
    chance = hashed(tint, 5)
    if material == 14:
        bark = 0.75 + 0.5 * hashed(int(metric[2] * 9.0), int(metric[0] * 23.0) + int(metric[1] * 31.0))
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
        return wp.vec3(0.27, 0.28, 0.285)
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
        return wp.vec3(0.040, 0.058, 0.032) * (0.7 + 0.6 * hashed(int(metric[0] / 3.0), int(metric[2] / 2.0)))
    if material == 67:
        return mix(wp.vec3(0.34, 0.32, 0.30), wp.vec3(0.20, 0.16, 0.15), hashed(int(metric[0] / 9.0), tint))
    if material == 68:
        return mix(wp.vec3(0.52, 0.51, 0.48), wp.vec3(0.06, 0.055, 0.05), line_cover(metric[2], 0.5, 0.09, texel_m))
    if material == 69:
        return mix(wp.vec3(0.10, 0.15, 0.035), wp.vec3(0.30, 0.27, 0.12), chance * (0.3 + 0.9 * metric[2]))
    return wp.vec3(0.45, 0.45, 0.44)


@wp.func
def roadside_look(
    images: Images,
    light: Light,
    turn: wp.mat33,
    model: wp.int32,
    material: wp.int32,
    metric: wp.vec3,
    local: wp.vec3,
    size: wp.vec3,
    flat: wp.vec3,
    normal: wp.vec3,
    sight: wp.vec3,
    tint: wp.int32,
    variant: wp.int32,
    detail: wp.int32,
    phase: wp.int32,
    lamp: wp.float32,
    texel_m: wp.float32,
):
    """The look of a point: `metric` in metres and `local` in the unit box of the model, `flat` its normal in the
    body's axes, `normal` and the unit `sight` in the world's; `phase` is what its group of lights shows."""
    look = Look()
    look.sun_share = wp.max(wp.dot(normal, light.sun), 0.0)
    look.sky_share = 0.5 + 0.5 * normal[2]
    leafy = material == 13 or material == 49
    if leafy:
        look = leaf_look(images, light, look, model, metric, local, flat, normal, tint, variant, texel_m)
    elif material == FACADE or material == 41 or material == 42:
        look = facade_look(
            images, light, look, material, local, size, flat, sight * turn, light.sun * turn, tint, variant, texel_m
        )
    elif material == 40:
        look = shop_look(images, light, look, local, size, flat, tint, texel_m)
    elif material == 43:
        look = curtain_look(light, look, local, size, flat, tint, texel_m)
    elif material == 50:
        look = sign_look(images, light, look, local, size, detail, lamp, texel_m)
    elif material == 60:
        look = poster_look(light, look, local, size, flat, tint, texel_m)
    elif material >= 52 and material <= 57 and material != 55:
        look = signal_look(light, look, material, phase)
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
        # Street lamps stand along the way: their light falls off above them.
        glow = (
            0.035 * light.street * (0.35 + 0.65 * wp.clamp(1.2 - 0.11 * metric[2], 0.0, 1.0)) * (1.0 - 0.5 * normal[2])
        )
        look.emission += wp.cw_mul(look.albedo, wp.vec3(1.0, 0.80, 0.55)) * glow
    if not leafy:
        if light.snow > 0.0:
            look.albedo = mix(look.albedo, wp.vec3(0.76, 0.78, 0.82), light.snow * smooth(0.35, 0.75, normal[2]))
        if light.wet > 0.0:
            look.albedo *= 1.0 - 0.22 * light.wet
            look.gloss = wp.max(look.gloss, 0.03 * light.wet)
    return look
