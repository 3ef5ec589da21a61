"""Textures, sky and light: what the shading of every surface shares. Colours are linear RGB."""

import warp as wp

wp.set_module_options({"enable_backward": False})

HASH_A = wp.constant(wp.uint32(0x9E3779B9))
HASH_B = wp.constant(wp.uint32(0x85EBCA6B))
HASH_C = wp.constant(wp.uint32(0x846CA68B))
CLOUDLESS = wp.constant(0.27)  # with less cover no cloud of the panorama is to be seen
TEXEL_ONE = wp.constant(1023)  # the root of a texel's channel that is 1
TEXEL_BITS = wp.constant(wp.uint32(10))
TEXEL_MASK = wp.constant(wp.uint32((1 << 10) - 1))


@wp.struct
class Images:
    texel: wp.array(dtype=wp.uint32)  # roots of linear RGB in 10 bits each, all kinds, variants and mip levels
    variants: wp.int32
    facade_first: wp.int32
    facade_log2: wp.int32
    facade_variants: wp.int32
    facade_layout: wp.array2d(dtype=wp.float32)  # (variants, 4) where a cell's window is: left, low, right, high
    shops_first: wp.int32
    shops_log2: wp.int32
    shops_variants: wp.int32
    signs_first: wp.int32
    signs_log2: wp.int32
    signs_variants: wp.int32
    grass_first: wp.int32
    grass_log2: wp.int32
    asphalt_first: wp.int32
    asphalt_log2: wp.int32
    foliage_first: wp.int32
    foliage_log2: wp.int32
    sky_first: wp.int32
    sky_rows: wp.int32
    sky_columns: wp.int32
    curve: wp.array(dtype=wp.uint8)  # (CURVE_STEPS,) bytes that show so much light, by its logarithm


@wp.struct
class Light:
    sun: wp.vec3  # direction towards it
    sun_rgb: wp.vec3
    ambient_rgb: wp.vec3
    extinction: wp.float32
    fog_rgb: wp.vec3
    zenith_rgb: wp.vec3
    horizon_rgb: wp.vec3
    glow_rgb: wp.vec3
    lamps: wp.float32  # vehicle lights and lit windows, 0 by day
    exposure: wp.float32
    wet: wp.float32  # 0 dry .. 1 water stands on the road
    snow: wp.float32  # 0 none .. 1 everything that faces up is covered
    street: wp.float32  # street lights, 0 off .. 1 on
    rain_mmph: wp.float32
    snowfall_mmph: wp.float32
    sunward_rgb: wp.vec3  # added to the horizon below the sun
    sunward: wp.vec2  # horizontal direction towards the sun
    cloud_rgb: wp.vec3
    cloud: wp.float32
    beam: wp.float32  # light that lamps throw on the road in front of them
    veil_rgb: wp.vec3  # light scattered over the whole picture


@wp.func
def three(weather: wp.array2d(dtype=wp.float32), world: wp.int32, first: wp.int32):
    return wp.vec3(weather[world, first], weather[world, first + 1], weather[world, first + 2])


@wp.func
def light_of(weather: wp.array2d(dtype=wp.float32), world: wp.int32):
    """A world's row of `Weather.packed()`."""
    light = Light()
    flat = wp.cos(weather[world, 1])
    light.sunward = wp.vec2(wp.cos(weather[world, 0]), wp.sin(weather[world, 0]))
    light.sun = wp.vec3(flat * light.sunward[0], flat * light.sunward[1], wp.sin(weather[world, 1]))
    light.sun_rgb = three(weather, world, 2)
    light.ambient_rgb = three(weather, world, 5)
    light.extinction = 3.0 / weather[world, 8]
    light.fog_rgb = three(weather, world, 9)
    light.zenith_rgb = three(weather, world, 12)
    light.horizon_rgb = three(weather, world, 15)
    light.glow_rgb = three(weather, world, 18)
    light.lamps = weather[world, 21]
    light.exposure = weather[world, 22]
    light.wet = weather[world, 23]
    light.snow = weather[world, 24]
    light.street = weather[world, 25]
    light.rain_mmph = weather[world, 26]
    light.snowfall_mmph = weather[world, 27]
    light.sunward_rgb = three(weather, world, 28)
    light.cloud_rgb = three(weather, world, 31)
    light.cloud = weather[world, 34]
    light.beam = weather[world, 35]
    light.veil_rgb = three(weather, world, 36)
    return light


@wp.func
def hashed(a: wp.int32, b: wp.int32):
    """A number in [0, 1) that looks random in both arguments."""
    x = wp.uint32(a) * HASH_A + wp.uint32(b) * HASH_B
    x = (x ^ (x >> wp.uint32(16))) * wp.uint32(0x7FEB352D)
    x = (x ^ (x >> wp.uint32(15))) * HASH_C
    x = x ^ (x >> wp.uint32(16))
    return float(x >> wp.uint32(8)) / 16777216.0


@wp.func
def exp_of(x: wp.float32):
    """e^x for x <= 0, good to 4e-6 of its value: a polynomial for the fraction of a power of two (no library call)."""
    t = wp.max(x * 1.44269504, -126.0)
    whole = wp.floor(t)
    f = t - whole
    power = 1.0 + f * (0.6930330 + f * (0.2413698 + f * (0.0520548 + f * 0.0135424)))
    return power * wp.cast((wp.int32(whole) + 127) << 23, wp.float32)


@wp.func
def log2_of(x: wp.float32):
    """log2 of a positive number, good to 2e-4, which is plenty to choose a mip level by."""
    bits = wp.cast(x, wp.int32)
    m = wp.cast((bits & 0x7FFFFF) | 0x3F800000, wp.float32) - 1.0
    rest = 1.4383793 + m * (-0.6758807 + m * (0.3181545 + m * -0.0806532))
    return float((bits >> 23) - 127) + m * rest


@wp.func
def texel_rgb(word: wp.uint32):
    """Linear RGB of a texel, times TEXEL_ONE squared."""
    red = float(int(word & TEXEL_MASK))
    green = float(int((word >> TEXEL_BITS) & TEXEL_MASK))
    blue = float(int(word >> (TEXEL_BITS + TEXEL_BITS)))
    return wp.vec3(red * red, green * green, blue * blue)


@wp.func
def bilinear(
    texel: wp.array(dtype=wp.uint32), r0: wp.int32, r1: wp.int32, c0: wp.int32, c1: wp.int32, fx: float, fy: float
):
    """The colour between four texels, rows r and columns c."""
    both = fx * fy
    rgb = texel_rgb(texel[r0 + c0]) * (1.0 - fx - fy + both) + texel_rgb(texel[r0 + c1]) * (fx - both)
    rgb += texel_rgb(texel[r1 + c0]) * (fy - both) + texel_rgb(texel[r1 + c1]) * both
    return rgb * (1.0 / (float(TEXEL_ONE) * float(TEXEL_ONE)))


@wp.func
def sample(
    texel: wp.array(dtype=wp.uint32),
    first: wp.int32,
    log2: wp.int32,
    variant: wp.int32,
    u: float,
    v: float,
    level: float,
):
    """A tiling texture at (u, v) in tiles, v downwards, bilinear in the mip level nearest to `level`."""
    size = 1 << log2
    per_variant = (4 * size * size - 1) // 3
    mip = wp.clamp(int(level + 0.5), 0, log2)
    side = size >> mip
    base = first + variant * per_variant + (4 * size * size - 4 * side * side) // 3
    x = (u - wp.floor(u)) * float(side) - 0.5
    y = (v - wp.floor(v)) * float(side) - 0.5
    left = wp.floor(x)
    top = wp.floor(y)
    column = int(left)
    row = int(top)
    mask = side - 1
    r0 = base + (row & mask) * side
    r1 = base + ((row + 1) & mask) * side
    return bilinear(texel, r0, r1, column & mask, (column + 1) & mask, x - left, y - top)


@wp.func
def mix(a: wp.vec3, b: wp.vec3, share: wp.float32):
    return a + (b - a) * share


@wp.func
def smooth(low: wp.float32, high: wp.float32, x: wp.float32):
    t = wp.clamp((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@wp.func
def to_the_24th(x: wp.float32):
    x = wp.max(x, 0.05)  # powers that vanish would pass through denormal numbers, which are slow
    cube = x * x * x
    sixth = cube * cube
    twelfth = sixth * sixth
    return twelfth * twelfth


@wp.func
def to_the_128th(x: wp.float32):
    x = wp.max(x, 0.55)
    y = x * x
    y = y * y
    y = y * y
    y = y * y
    y = y * y
    y = y * y
    return y * y


@wp.func
def turns_of(y: wp.float32, x: wp.float32):
    """atan2(y, x) in turns, in [-1/2, 1/2]; the odd polynomial is good to 1e-4 rad (Hastings, 1955)."""
    ax = wp.abs(x)
    ay = wp.abs(y)
    q = wp.min(ax, ay) / wp.max(wp.max(ax, ay), 1.0e-12)
    q2 = q * q
    angle = q * (0.9998660 + q2 * (-0.3302995 + q2 * (0.1801410 + q2 * (-0.0851330 + q2 * 0.0208351))))
    if ay > ax:
        angle = 1.5707963 - angle
    if x < 0.0:
        angle = 3.1415927 - angle
    if y < 0.0:
        angle = -angle
    return angle * 0.15915494


@wp.func
def clear_sky(light: Light, toward: wp.vec3):
    """The sky without clouds in a unit direction, without the glow around the sun; below the horizon its mirror."""
    low = 1.0 - wp.abs(toward[2])
    low = low * low
    ahead = wp.max(0.5 + 0.5 * (toward[0] * light.sunward[0] + toward[1] * light.sunward[1]), 0.0)
    horizon = light.horizon_rgb + light.sunward_rgb * (ahead * ahead)
    return mix(light.zenith_rgb, horizon, low * (0.2 + 0.8 * low))


@wp.func
def bare_sky(light: Light, toward: wp.vec3, near_sun: wp.float32):
    """The sky in a unit direction above the horizon without clouds, and the sun; `near_sun` is cos^24."""
    return clear_sky(light, toward) + light.glow_rgb * (near_sun + 8.0 * to_the_128th(near_sun))


@wp.func
def clouded(images: Images, light: Light, variant: wp.int32, toward: wp.vec3, near_sun: wp.float32, clear: wp.vec3):
    """The panorama's clouds before a clear sky."""
    up = wp.clamp(toward[2], 0.0, 1.0)
    elevation = 4.0 * turns_of(up, wp.sqrt(wp.max(1.0 - up * up, 0.0)))
    v = (1.0 - elevation) * float(images.sky_rows) - 0.5
    u = (turns_of(toward[1], toward[0]) + 1.0) * float(images.sky_columns) - 0.5
    left = wp.floor(u)
    top = wp.floor(v)
    column = int(left)
    row = int(top)
    mask = images.sky_columns - 1
    base = images.sky_first + variant * images.sky_rows * images.sky_columns
    r0 = base + wp.clamp(row, 0, images.sky_rows - 1) * images.sky_columns
    r1 = base + wp.clamp(row + 1, 0, images.sky_rows - 1) * images.sky_columns
    panorama = bilinear(images.texel, r0, r1, column & mask, (column + 1) & mask, u - left, v - top)
    cover = wp.clamp(panorama[0] * wp.min(3.0 * light.cloud, 1.4) + 2.5 * light.cloud - 1.5, 0.0, 1.0)
    # Clouds near the horizon are seen through the air and from their sides.
    lit = light.cloud_rgb * ((0.35 + 0.65 * panorama[1]) * (1.0 + 0.35 * light.cloud * (up - 0.4)))
    silver = light.glow_rgb * (0.3 * near_sun)
    return mix(clear, lit + silver, cover)


@wp.func
def headlight(light: Light, ray: wp.vec3, distance: wp.float32):
    """Light of the ego's own low beam on what it faces: a wide, soft cone below the horizon."""
    if light.lamps <= 0.0:
        return 0.0
    aside = ray[0] * 1.3
    beam = exp_of(-aside * aside * 2.0) * smooth(0.10, -0.02, -ray[1] - 0.02)
    return light.lamps * light.beam * beam / (1.0 + distance * distance / 220.0)
