"""How the materials of road users look. Their numbers are those of `sim.meshes.sculpt.Material`."""

import warp as wp

from sim.render_kernels.appearance import Light, hashed, mix, smooth, turns_of

wp.set_module_options({"enable_backward": False})

LETTERS = wp.constant(22)
DIGITS = wp.constant(10)
DUST = wp.constant(wp.vec3(0.17, 0.15, 0.12))


@wp.struct
class Coat:
    """What a point of a surface does to light."""

    albedo: wp.vec3
    emission: wp.vec3
    gloss: wp.float32  # share that it mirrors when one looks straight at it
    retro: wp.float32  # how much more of the ego's own light comes back than from a dull surface
    sun_share: wp.float32
    sky_share: wp.float32


@wp.func
def paint_rgb(chance: wp.float32, shade: wp.float32):
    """Car colours, about as often as they are bought; `shade` in [0, 1] varies each."""
    tone = 0.8 + 0.4 * shade
    if chance < 0.22:
        return wp.vec3(0.74, 0.74, 0.73) * (0.9 + 0.1 * shade)
    if chance < 0.40:
        return wp.vec3(0.010, 0.010, 0.012) * tone
    if chance < 0.58:
        return wp.vec3(0.075, 0.078, 0.085) * (0.6 + 0.9 * shade)
    if chance < 0.72:
        return wp.vec3(0.40, 0.41, 0.42) * tone
    if chance < 0.81:
        return mix(wp.vec3(0.008, 0.022, 0.085), wp.vec3(0.02, 0.09, 0.28), shade)
    if chance < 0.89:
        return mix(wp.vec3(0.30, 0.012, 0.012), wp.vec3(0.16, 0.010, 0.014), shade)
    if chance < 0.92:
        return mix(wp.vec3(0.02, 0.06, 0.035), wp.vec3(0.10, 0.14, 0.06), shade)
    if chance < 0.955:
        return mix(wp.vec3(0.16, 0.12, 0.08), wp.vec3(0.36, 0.31, 0.24), shade)
    if chance < 0.98:
        return mix(wp.vec3(0.06, 0.20, 0.34), wp.vec3(0.22, 0.36, 0.42), shade)
    return mix(wp.vec3(0.60, 0.22, 0.015), wp.vec3(0.62, 0.46, 0.03), shade)


@wp.func
def cloth_rgb(chance: wp.float32, other: wp.float32):
    """Colours of clothes; those that trousers have first: black, jeans, beige."""
    if chance < 0.30:
        return wp.vec3(0.009, 0.009, 0.011) + wp.vec3(0.045, 0.045, 0.050) * (other * other)
    if chance < 0.50:
        return mix(wp.vec3(0.006, 0.010, 0.030), wp.vec3(0.050, 0.090, 0.190), other * other)
    if chance < 0.58:
        return mix(wp.vec3(0.10, 0.07, 0.042), wp.vec3(0.44, 0.36, 0.26), other)
    if chance < 0.68:
        return wp.vec3(0.07, 0.07, 0.075) + wp.vec3(0.28, 0.27, 0.26) * other
    if chance < 0.80:
        return wp.vec3(0.52, 0.52, 0.51) + wp.vec3(0.26, 0.25, 0.24) * other
    if chance < 0.87:
        return mix(wp.vec3(0.20, 0.008, 0.012), wp.vec3(0.46, 0.05, 0.035), other)
    if chance < 0.92:
        return mix(wp.vec3(0.012, 0.035, 0.016), wp.vec3(0.14, 0.18, 0.06), other)
    if chance < 0.96:
        return mix(wp.vec3(0.40, 0.10, 0.18), wp.vec3(0.14, 0.04, 0.18), other)
    return mix(wp.vec3(0.62, 0.42, 0.05), wp.vec3(0.55, 0.18, 0.02), other)


@wp.func
def skin_rgb(tint: wp.int32):
    share = hashed(tint, 4)
    if share < 0.5:
        return mix(wp.vec3(0.56, 0.34, 0.25), wp.vec3(0.40, 0.22, 0.14), share * 2.0)
    return mix(wp.vec3(0.40, 0.22, 0.14), wp.vec3(0.07, 0.035, 0.022), share * 2.0 - 1.0)


@wp.func
def hair_rgb(tint: wp.int32):
    share = hashed(tint, 5)
    if share > 0.85:
        return wp.vec3(0.36, 0.35, 0.33) * (0.6 + hashed(tint, 6))
    dark = 1.0 - share
    return mix(
        wp.vec3(0.30, 0.19, 0.07), wp.vec3(0.012, 0.009, 0.007), wp.min(2.0 * dark * hashed(tint, 4) + dark, 1.0)
    )


@wp.func
def ink(glyphs: wp.array(dtype=wp.int32), glyph: wp.int32, x: wp.float32, z: wp.float32):
    """Whether a glyph's cell, 0..1 from its left and 0..1 from its foot, is inked."""
    if x < 0.0 or x >= 1.0 or z < 0.0 or z >= 1.0:
        return 0.0
    bit = 3 * (4 - int(z * 5.0)) + int(x * 3.0)
    return float((glyphs[glyph] >> bit) & 1)


@wp.func
def letter_of(tint: wp.int32, place: wp.int32):
    return int(hashed(tint, 40 + place) * float(LETTERS))


@wp.func
def plate_ink(glyphs: wp.array(dtype=wp.int32), tint: wp.int32, along: wp.float32, up: wp.float32):
    """Two letters, three digits, two letters, 6 cm each, about the middle of a number plate."""
    at = along / 0.062 + 3.5
    place = int(wp.floor(at))
    if place < 0 or place > 6:
        return 0.0
    glyph = letter_of(tint, place)
    if place > 1 and place < 5:
        glyph = LETTERS + int(hashed(tint, 40 + place) * float(DIGITS))
    return ink(glyphs, glyph, (at - float(place)) * 1.3 - 0.15, up / 0.075 + 0.5)


@wp.func
def seam_share(d: wp.float32, texel_m: wp.float32):
    """How much of a pixel a seam of 8 mm covers whose middle is `d` away."""
    return wp.clamp(0.5 + (0.004 - wp.abs(d)) / wp.max(texel_m, 0.002), 0.0, 1.0) * wp.min(0.010 / texel_m, 1.0)


@wp.func
def painted(
    coat: Coat, tint: wp.int32, facing: wp.float32, flat: wp.vec3, metric: wp.vec3, anchor: wp.vec3, texel_m: wp.float32
):
    """Car paint: flakes that darken towards the edges, dirt towards the sills, seams and door handles."""
    chance = hashed(tint, 1)
    albedo = paint_rgb(chance, hashed(tint, 2))
    if chance > 0.40:
        albedo = albedo * (0.62 + 0.55 * facing)
    grime = 1.0 - metric[2] * 1.6
    if grime > 0.0:
        albedo = mix(albedo, DUST, grime * grime * (0.15 + 0.6 * hashed(tint, 9)))
        coat.gloss *= 1.0 - 0.6 * grime
    if anchor[2] > 0.0 and texel_m < 0.05:
        cover = float(0.0)
        if wp.abs(flat[2]) < 0.72:
            ahead = metric[0] - anchor[0]
            cover = seam_share(ahead, texel_m)
            if anchor[2] > 0.1 and ahead > 0.06 and ahead < 0.25 and wp.abs(metric[2] - anchor[2]) < 0.017:
                albedo = albedo * 0.45
        else:
            cover = seam_share(wp.abs(metric[1]) - anchor[1], texel_m)
        albedo = albedo * (1.0 - 0.9 * cover)
    coat.albedo = albedo
    return coat


@wp.func
def lamp_of_tail(coat: Coat, light: Light, detail: wp.int32, metric: wp.vec3, anchor: wp.vec3):
    """A tail lamp: red, with the indicator in its lower outer part; the third brake lamp hangs in the middle."""
    outward = wp.abs(metric[1]) - wp.abs(anchor[1])
    braking = (detail & 1) != 0
    if wp.abs(metric[1]) < 0.3:
        if braking:
            coat.emission = wp.vec3(2.0, 0.03, 0.02)
        return coat
    left = metric[1] > 0.0
    if metric[2] < anchor[2] - 0.02 and outward > -0.02:
        coat.albedo = wp.vec3(0.24, 0.035, 0.008)
        if (left and (detail & 2) != 0) or (not left and (detail & 4) != 0):
            coat.emission = wp.vec3(3.2, 1.15, 0.05)
    elif metric[2] < anchor[2] - 0.02:
        coat.albedo = wp.vec3(0.30, 0.12, 0.12)
    else:
        coat.emission = wp.vec3(0.75, 0.016, 0.012) * light.lamps
        if braking:
            coat.emission += wp.vec3(2.0, 0.03, 0.02)
    coat.retro = 1.5
    return coat


@wp.func
def lamp_of_head(
    coat: Coat,
    light: Light,
    tint: wp.int32,
    detail: wp.int32,
    metric: wp.vec3,
    anchor: wp.vec3,
    ahead: wp.float32,
    texel_m: wp.float32,
):
    """A head lamp: dark housing, a bright reflector, running light above, indicator outside; `ahead` is how much the
    lamp's axis points at the viewer."""
    inward = wp.abs(anchor[1]) - wp.abs(metric[1])
    up = metric[2] - anchor[2]
    left = metric[1] > 0.0
    sharp = wp.clamp(0.03 / texel_m, 0.0, 1.0)
    near = inward * inward + up * up
    bulb = smooth(0.008, 0.0035, near)
    coat.albedo = mix(wp.vec3(0.30, 0.31, 0.32), mix(wp.vec3(0.07, 0.07, 0.075), wp.vec3(0.8, 0.8, 0.8), bulb), sharp)
    beam = ahead * ahead
    beam = beam * beam
    strength = light.lamps * (0.5 + 5.0 * beam)
    spread = mix(wp.vec3(0.35, 0.35, 0.35), wp.vec3(bulb, bulb, bulb), sharp)
    coat.emission = wp.cw_mul(wp.vec3(3.4, 3.2, 2.9), spread) * strength
    if hashed(tint, 12) < 0.6:  # running lights
        strip = smooth(0.02, 0.012, wp.abs(up - 0.035))
        coat.emission += wp.vec3(0.9, 0.92, 0.95) * (mix(wp.vec3(0.25), wp.vec3(strip), sharp)[0] * wp.max(ahead, 0.0))
    if inward < -0.08 and ((left and (detail & 2) != 0) or (not left and (detail & 4) != 0)):
        coat.emission += wp.vec3(2.6, 0.95, 0.04)
    return coat


@wp.func
def spokes(coat: Coat, tint: wp.int32, detail: wp.int32, metric: wp.vec3, anchor: wp.vec3, texel_m: wp.float32):
    """The face of a wheel: hub, 5 to 10 spokes turned by how far the vehicle has rolled, dark gaps, bright rim."""
    x = metric[0] - anchor[0]
    z = metric[2] - anchor[2]
    r2 = x * x + z * z
    radius = 0.68 * wp.max(anchor[2], 0.1)  # a hub is a wheel's radius above the ground
    if texel_m > 0.06:
        coat.albedo = coat.albedo * 0.55
        return coat
    part = r2 / (radius * radius)
    if part > 0.86 or part < 0.05:
        return coat
    count = 5.0 + wp.floor(hashed(tint, 10) * 6.0)
    turn = (turns_of(z, x) + float((detail >> 3) & 7) * 0.125) * count
    turn = wp.abs(turn - wp.floor(turn) - 0.5)
    wide = 0.17 + 0.12 * hashed(tint, 11)
    gap = smooth(wide - 0.05, wide + 0.05, turn)
    coat.albedo = coat.albedo * (1.0 - 0.92 * gap * wp.clamp(0.03 / texel_m, 0.0, 1.0))
    coat.gloss *= 1.0 - gap
    return coat


@wp.func
def dressed(coat: Coat, material: wp.int32, tint: wp.int32, metric: wp.vec3, texel_m: wp.float32):
    """Clothes: plain, striped or in two tones."""
    chance = hashed(tint, 1)
    other = hashed(tint, 2)
    if material == 12 or material == 24:
        chance = 0.62 * hashed(tint, 7)
        other = 0.7 * hashed(tint, 8)
    coat.albedo = cloth_rgb(chance, other)
    style = hashed(tint, 13)
    # Folds, and the shade of what hangs over.
    fold = metric[2] * 5.0 + metric[1] * 3.1 + metric[0] * 2.3 + style
    ruffle = metric[2] * 13.0 - metric[1] * 8.0 + metric[0] * 5.0
    crease = wp.abs(fold - wp.floor(fold) - 0.5) + 0.6 * wp.abs(ruffle - wp.floor(ruffle) - 0.5)
    coat.albedo = coat.albedo * (0.80 + 0.50 * crease)
    if material == 12 or material == 24:
        return coat
    if style < 0.07:
        band = metric[2] * 22.0 - wp.floor(metric[2] * 22.0)
        if band < 0.4 and texel_m < 0.02:
            coat.albedo = mix(coat.albedo, cloth_rgb(hashed(tint, 14), other), 0.7)
    elif style < 0.12 and metric[2] > 1.22:
        coat.albedo = cloth_rgb(hashed(tint, 14), other)
    elif style < 0.6 and wp.abs(metric[1]) < 0.012 and metric[0] > 0.0 and texel_m < 0.02:
        coat.albedo = coat.albedo * 0.5  # zip
    return coat


@wp.func
def faced(coat: Coat, tint: wp.int32, metric: wp.vec3, anchor: wp.vec3, texel_m: wp.float32):
    """A face: eyes, brows, the shade of nose and mouth, where a pixel is small enough to tell."""
    coat.albedo = skin_rgb(tint)
    ahead = metric[0] - anchor[0]
    if ahead < 0.02 or texel_m > 0.03:
        return coat
    aside = wp.abs(metric[1] - anchor[1])
    up = metric[2] - anchor[2]
    strength = wp.clamp(0.012 / texel_m, 0.0, 1.0)
    dark = float(0.0)
    if wp.abs(aside - 0.033) < 0.014 and wp.abs(up - 0.010) < 0.008:
        dark = 0.6
    elif wp.abs(up + 0.055) < 0.009 and aside < 0.026:
        dark = 0.45
    elif up < 0.0 and up > -0.035 and aside < 0.016:
        dark = 0.2
    coat.albedo = coat.albedo * (1.0 - dark * strength)
    return coat


@wp.func
def livery(
    glyphs: wp.array(dtype=wp.int32),
    coat: Coat,
    material: wp.int32,
    tint: wp.int32,
    flat: wp.vec3,
    metric: wp.vec3,
    size: wp.vec3,
    texel_m: wp.float32,
):
    """The big panels of buses, lorries and trailers: a colour, a band, the owner's name in large letters (smaller ones
    at the rear), ribs."""
    chance = hashed(tint, 3)
    base = mix(paint_rgb(chance, 0.7), wp.vec3(0.66, 0.66, 0.64), 0.35)
    if material == 8 and chance < 0.55:
        base = wp.vec3(0.66, 0.66, 0.64)
    accent = paint_rgb(0.72 + 0.28 * hashed(tint, 15), 0.6)
    high = metric[2] / size[2]
    behind = material != 34 and flat[0] < -0.7
    if behind or (material != 34 and wp.abs(flat[1]) > 0.7):
        style = hashed(tint, 16)
        if style < 0.35 and high < 0.42:
            base = accent
        elif style > 0.65 and wp.abs(high - 0.36) < 0.035:
            base = accent
        elif style > 0.35 and style < 0.55 and metric[0] + 0.6 * metric[2] < -0.12 * size[0] and not behind:
            base = accent  # the rear part, cut aslant
        if texel_m < 0.3 and style < 0.9:
            ink_rgb = accent * 0.8 + wp.vec3(0.02, 0.02, 0.02)
            if base[0] + base[1] + base[2] < 0.8:
                ink_rgb = wp.vec3(0.72, 0.72, 0.70)
            letters = 5
            tall = 0.20 * size[2]
            at = metric[0] * wp.sign(-flat[1]) / (0.75 * tall) + 0.5 * float(letters)
            if behind:
                tall = 0.11 * size[2]
                at = 0.5 * float(letters) - metric[1] / (0.75 * tall)
            place = int(wp.floor(at))
            if place >= 0 and place < letters:
                mark = ink(
                    glyphs, letter_of(tint, place), (at - float(place)) * 1.25, (metric[2] - 0.60 * size[2]) / tall
                )
                base = mix(base, ink_rgb, 0.9 * mark)
    if material == 34 and wp.abs(flat[1]) > 0.7 and high < 0.5:
        # Buses: many have a band or a skirt of another colour; flaps of luggage holds and engine below the windows.
        style = hashed(tint, 16)
        if (style < 0.4 and high < 0.24) or (style > 0.6 and wp.abs(high - 0.30) < 0.025):
            base = accent
        flap = wp.abs(metric[0] / 1.2 - wp.floor(metric[0] / 1.2) - 0.5) * 1.2
        if metric[2] < 1.05 or size[2] > 3.4:
            base = base * (1.0 - 0.8 * seam_share(flap, texel_m))
        base = base * (1.0 - 0.8 * seam_share(high * size[2] - 0.34 * size[2], texel_m))
    if material == 35 and texel_m < 0.1:  # straps and folds of a tarpaulin
        fold = metric[0] / 0.65 - wp.floor(metric[0] / 0.65)
        if fold < 0.06:
            base = base * 0.6
    elif material == 8 and texel_m < 0.05:
        rib = metric[0] / 0.6 - wp.floor(metric[0] / 0.6)
        if rib < 0.05:
            base = base * 0.8
    grime = 1.0 - (metric[2] - 0.5) * 0.8
    if grime > 0.0:
        base = mix(base, DUST, wp.min(grime, 1.0) * 0.35 * hashed(tint, 9))
    coat.albedo = base
    return coat


@wp.func
def body_coat(
    glyphs: wp.array(dtype=wp.int32),
    light: Light,
    coat: Coat,
    material: wp.int32,
    tint: wp.int32,
    detail: wp.int32,
    facing: wp.float32,
    flat: wp.vec3,
    seen_from: wp.vec3,
    metric: wp.vec3,
    anchor: wp.vec3,
    size: wp.vec3,
    texel_m: wp.float32,
):
    """Materials of road users at a point `metric` of the body, in metres; `seen_from` points to the eye in its axes."""
    if material == 0 or material == 22:
        coat = painted(coat, tint, facing, flat, metric, anchor, texel_m)
    elif material == 27:
        coat = spokes(coat, tint, detail, metric, anchor, texel_m)
    elif material == 6:
        coat = lamp_of_tail(coat, light, detail, metric, anchor)
    elif material == 5:
        coat = lamp_of_head(coat, light, tint, detail, metric, anchor, seen_from[0], texel_m)
    elif material == 9 or material == 21:
        coat.albedo = skin_rgb(tint)
    elif material == 33:
        coat = faced(coat, tint, metric, anchor, texel_m)
    elif material == 10:
        coat.albedo = hair_rgb(tint)
        if anchor[2] > 0.0:  # of the old
            coat.albedo = wp.vec3(0.42, 0.41, 0.39) * (0.5 + 0.7 * hashed(tint, 6))
    elif material == 11 or material == 12 or material == 23 or material == 24:
        coat = dressed(coat, material, tint, metric, texel_m)
    elif material == 32:
        coat.albedo = cloth_rgb(hashed(tint, 17), hashed(tint, 18))
    elif material == 31:
        coat.albedo = coat.albedo + wp.vec3(0.5, 0.5, 0.48) * wp.floor(hashed(tint, 19) * 1.3)
    elif material == 8 or material == 34 or material == 35:
        coat = livery(glyphs, coat, material, tint, flat, metric, size, texel_m)
    elif material == 39:
        along = (metric[1] - anchor[1]) * wp.sign(flat[0])
        mark = plate_ink(glyphs, tint, along, metric[2] - anchor[2])
        coat.albedo = mix(coat.albedo, wp.vec3(0.01, 0.01, 0.015), mark * wp.clamp(0.02 / texel_m, 0.25, 1.0))
        coat.retro = 4.0
    elif material == 38:
        at = metric[1] * wp.sign(flat[0]) / 0.16 + 4.0
        place = wp.clamp(int(wp.floor(at)), 0, 7)
        glow = ink(glyphs, letter_of(tint, place + 8), (at - float(place)) * 1.3, (metric[2] - anchor[2]) / 0.2 + 0.5)
        coat.emission = wp.vec3(1.3, 0.62, 0.04) * (glow * 0.8 + 0.04)
    elif material == 30:
        if (metric[1] > 0.0 and (detail & 2) != 0) or (metric[1] <= 0.0 and (detail & 4) != 0):
            coat.emission = wp.vec3(3.2, 1.15, 0.05)
    elif material == 26 and texel_m < 0.03:
        bar = metric[2] / 0.035 - wp.floor(metric[2] / 0.035)
        if bar < 0.3:
            coat.albedo = coat.albedo + wp.vec3(0.10, 0.10, 0.105) * (0.3 + hashed(tint, 20))
    return coat
