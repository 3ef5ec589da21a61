"""The colour of each pixel: ground with filtered lane markings, meshes, sky, air and tone curve.

Colours are linear RGB until the tone curve. Every quantity is a function of the pixel's own world.
"""

import warp as wp

from sim.kernels.labels import Ground, ground_distances
from sim.kernels.raster import (
    DEPTH_ONE,
    EMPTY,
    STATIC_FLAG,
    TRIANGLE_MASK,
    Actors,
    Meshes,
    Statics,
    Views,
)

wp.set_module_options({"enable_backward": False})

TAP_M = wp.constant(1.5)  # longest stretch of ground along the view that one tap filters
MOST_TAPS = wp.constant(8)
MARKING_RANGE_M = wp.constant(130.0)
GROUND_RANGE_M = wp.constant(400.0)
CURVE_STEPS = wp.constant(4096)
HASH_A = wp.constant(wp.uint32(0x9E3779B9))
HASH_B = wp.constant(wp.uint32(0x85EBCA6B))
HASH_C = wp.constant(wp.uint32(0x846CA68B))


@wp.struct
class Images:
    texel: wp.array(dtype=wp.uint32)  # square roots of linear RGB, 8 bits each, all kinds, variants and mip levels
    variants: wp.int32
    facade_first: wp.int32
    facade_log2: wp.int32
    grass_first: wp.int32
    grass_log2: wp.int32
    asphalt_first: wp.int32
    asphalt_log2: wp.int32
    foliage_first: wp.int32
    foliage_log2: wp.int32
    sky_first: wp.int32
    sky_rows: wp.int32
    sky_columns: wp.int32
    curve: wp.array(dtype=wp.uint8)  # (CURVE_STEPS,) sRGB of a tone-mapped linear value


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
    lamps: wp.float32
    exposure: wp.float32


@wp.func
def light_of(weather: wp.array2d(dtype=wp.float32), world: wp.int32):
    light = Light()
    flat = wp.cos(weather[world, 1])
    light.sun = wp.vec3(flat * wp.cos(weather[world, 0]), flat * wp.sin(weather[world, 0]), wp.sin(weather[world, 1]))
    light.sun_rgb = wp.vec3(weather[world, 2], weather[world, 3], weather[world, 4])
    light.ambient_rgb = wp.vec3(weather[world, 5], weather[world, 6], weather[world, 7])
    light.extinction = 3.0 / weather[world, 8]
    light.fog_rgb = wp.vec3(weather[world, 9], weather[world, 10], weather[world, 11])
    light.zenith_rgb = wp.vec3(weather[world, 12], weather[world, 13], weather[world, 14])
    light.horizon_rgb = wp.vec3(weather[world, 15], weather[world, 16], weather[world, 17])
    light.glow_rgb = wp.vec3(weather[world, 18], weather[world, 19], weather[world, 20])
    light.lamps = weather[world, 21]
    light.exposure = weather[world, 22]
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
def texel_rgb(word: wp.uint32):
    r = float(word & wp.uint32(255))
    g = float((word >> wp.uint32(8)) & wp.uint32(255))
    b = float((word >> wp.uint32(16)) & wp.uint32(255))
    return wp.vec3(r * r, g * g, b * b) * (1.0 / 65025.0)


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
    column = int(wp.floor(x))
    row = int(wp.floor(y))
    fx = x - float(column)
    fy = y - float(row)
    mask = side - 1
    c0 = column & mask
    c1 = (column + 1) & mask
    r0 = base + (row & mask) * side
    r1 = base + ((row + 1) & mask) * side
    top = texel_rgb(texel[r0 + c0]) * (1.0 - fx) + texel_rgb(texel[r0 + c1]) * fx
    bottom = texel_rgb(texel[r1 + c0]) * (1.0 - fx) + texel_rgb(texel[r1 + c1]) * fx
    return top * (1.0 - fy) + bottom * fy


@wp.func
def mix(a: wp.vec3, b: wp.vec3, share: wp.float32):
    return a + (b - a) * share


@wp.func
def smooth(low: wp.float32, high: wp.float32, x: wp.float32):
    t = wp.clamp((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@wp.func
def to_the_24th(x: wp.float32):
    cube = x * x * x
    sixth = cube * cube
    twelfth = sixth * sixth
    return twelfth * twelfth


@wp.func
def to_the_128th(x: wp.float32):
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
def sky_at(images: Images, light: Light, variant: wp.int32, toward: wp.vec3, near_sun: wp.float32):
    """The sky in a unit direction above the horizon: panorama, tints, glow around the sun; `near_sun` is cos^24."""
    up = wp.clamp(toward[2], 0.0, 1.0)
    elevation = 4.0 * turns_of(up, wp.sqrt(wp.max(1.0 - up * up, 0.0)))
    v = (1.0 - elevation) * float(images.sky_rows) - 0.5
    u = (turns_of(toward[1], toward[0]) + 1.0) * float(images.sky_columns) - 0.5
    column = int(wp.floor(u))
    row = int(wp.floor(v))
    fx = u - float(column)
    fy = v - float(row)
    mask = images.sky_columns - 1
    base = images.sky_first + variant * images.sky_rows * images.sky_columns
    r0 = base + wp.clamp(row, 0, images.sky_rows - 1) * images.sky_columns
    r1 = base + wp.clamp(row + 1, 0, images.sky_rows - 1) * images.sky_columns
    c0 = column & mask
    c1 = (column + 1) & mask
    top = texel_rgb(images.texel[r0 + c0]) * (1.0 - fx) + texel_rgb(images.texel[r0 + c1]) * fx
    bottom = texel_rgb(images.texel[r1 + c0]) * (1.0 - fx) + texel_rgb(images.texel[r1 + c1]) * fx
    rgb = wp.cw_mul(top * (1.0 - fy) + bottom * fy, mix(light.horizon_rgb, light.zenith_rgb, wp.sqrt(elevation)))
    disc = to_the_128th(near_sun)
    return rgb + light.glow_rgb * (0.55 * near_sun + 6.0 * disc)


@wp.func
def headlight(light: Light, ray: wp.vec3, distance: wp.float32):
    """The ego's own low beam on what it faces: a wide, soft cone below the horizon."""
    aside = ray[0] * 1.1
    beam = wp.exp(-aside * aside * 2.0) * smooth(0.10, -0.02, -ray[1] - 0.02)
    return light.lamps * 0.9 * beam / (1.0 + distance * distance / 180.0)


@wp.func
def dash_length(s: wp.float32, period: wp.float32, dash: wp.float32):
    """Painted length of a dashed line from 0 to s."""
    turns = wp.floor(s / period)
    return turns * dash + wp.min(s - turns * period, dash)


@wp.func
def markings_at(ground: Ground, scene: wp.int32, x: wp.float32, y: wp.float32, across: wp.vec2, along: wp.vec2):
    """Share of a footprint, spanned by two vectors around (x, y), that is (white, yellow) paint: box-filtered."""
    white = float(0.0)
    yellow = float(0.0)
    origin = ground.mark_origin[scene]
    shape = ground.mark_shape[scene]
    column = int(wp.floor((x - origin[0]) / ground.mark_cell_m))
    row = int(wp.floor((y - origin[1]) / ground.mark_cell_m))
    if column < 0 or row < 0 or column >= shape[0] or row >= shape[1]:
        return wp.vec2(0.0, 0.0)
    cell = ground.mark_grid_first[scene] + row * shape[0] + column
    for item in range(ground.mark_first[cell], ground.mark_first[cell + 1]):
        segment = ground.mark_item[item]
        line = ground.mark_line[segment]
        size = ground.mark_shape_m[segment]
        paint = ground.mark_paint[segment]
        dx = x - line[0]
        dy = y - line[1]
        s = dx * line[2] + dy * line[3]
        d = dy * line[2] - dx * line[3]
        half_d = 0.5 * (
            wp.abs(across[1] * line[2] - across[0] * line[3]) + wp.abs(along[1] * line[2] - along[0] * line[3])
        )
        half_s = 0.5 * (
            wp.abs(across[0] * line[2] + across[1] * line[3]) + wp.abs(along[0] * line[2] + along[1] * line[3])
        )
        half_d = wp.max(half_d, 0.004)
        half_s = wp.max(half_s, 0.004)
        half_w = 0.5 * size[1]
        over_d = wp.min(d + half_d, half_w) - wp.max(d - half_d, -half_w)
        start = wp.max(s - half_s, 0.0)
        end = wp.min(s + half_s, size[0])
        if over_d > 0.0 and end > start:
            painted = end - start
            if size[3] > 0.0:
                painted = dash_length(size[2] + end, size[3], paint[0]) - dash_length(
                    size[2] + start, size[3], paint[0]
                )
            cover = over_d * painted / (4.0 * half_d * half_s)
            if paint[1] > 0.5:
                yellow += cover
            else:
                white += cover
    return wp.vec2(wp.min(white, 1.0), wp.min(yellow, 1.0))


@wp.func
def ground_at(
    images: Images,
    ground: Ground,
    scene: wp.int32,
    variant: wp.int32,
    point: wp.vec2,
    across: wp.vec2,
    along: wp.vec2,
    distance: wp.float32,
):
    """Albedo of the ground under a pixel whose footprint is spanned by two vectors around a point."""
    long_m = wp.length(along)
    wide_m = wp.length(across)
    footprint = wp.max(wide_m, 0.35 * long_m)
    level = wp.log2(wp.max(footprint, 1.0e-4))
    taps = wp.clamp(int(long_m / TAP_M) + 1, 1, MOST_TAPS)
    share = 1.0 / float(taps)
    step = along * share
    soft = wp.max(wide_m, wp.length(step) * 0.3) + 0.01
    road = float(0.0)
    side = float(0.0)
    kerb = float(0.0)
    paint = wp.vec2(0.0, 0.0)
    if distance > GROUND_RANGE_M:
        taps = 0
    for tap in range(taps):
        offset = (float(tap) + 0.5) * share - 0.5
        p = point + along * offset
        distances = ground_distances(ground, scene, p[0], p[1])
        on_road = wp.clamp(0.5 + distances[0] / soft, 0.0, 1.0)
        road += on_road
        side += wp.clamp(0.5 + distances[1] / soft, 0.0, 1.0) * (1.0 - on_road)
        if distances[1] > -0.6:
            kerb += wp.clamp(0.5 + (distances[0] + 0.22) / soft, 0.0, 1.0) - on_road
        if on_road > 0.0 and distance < MARKING_RANGE_M:
            paint += markings_at(ground, scene, p[0], p[1], across, step)
    road *= share
    side *= share
    kerb *= share
    paint *= share
    albedo = wp.vec3(0.0, 0.0, 0.0)
    if wp.max(road, side) < 1.0:
        grass = sample(
            images.texel, images.grass_first, images.grass_log2, variant, point[0] / 3.0, point[1] / 3.0,
            level + float(images.grass_log2) - 1.585,
        )  # fmt: skip
        patch = sample(
            images.texel, images.grass_first, images.grass_log2, variant, point[0] / 71.0, point[1] / 71.0,
            wp.max(level + float(images.grass_log2) - 6.15, 2.0),
        )  # fmt: skip
        albedo = mix(grass, patch, 0.45)
    if side > 0.0:
        slab = sample(
            images.texel, images.asphalt_first, images.asphalt_log2, variant, point[1] / 5.0, point[0] / 5.0,
            level + float(images.asphalt_log2) - 2.32,
        )  # fmt: skip
        gx = wp.abs(point[0] / 1.2 - wp.floor(point[0] / 1.2) - 0.5) * 1.2
        gy = wp.abs(point[1] / 1.2 - wp.floor(point[1] / 1.2) - 0.5) * 1.2
        joint_soft = footprint + 0.01
        joint = wp.clamp((0.02 - (0.6 - wp.max(gx, gy))) / joint_soft + 0.5, 0.0, 1.0)
        joint *= wp.clamp(0.05 / footprint, 0.0, 1.0)
        tile = hashed(int(wp.floor(point[0] / 1.2)), int(wp.floor(point[1] / 1.2))) - 0.5
        tone = 1.0 + 0.12 * tile * wp.clamp(0.5 / footprint, 0.0, 1.0) - 0.35 * joint
        slab = mix(slab, wp.vec3(0.30, 0.29, 0.27), 0.72) * tone
        albedo = mix(albedo, slab, side)
    if road > 0.0:
        asphalt = sample(
            images.texel, images.asphalt_first, images.asphalt_log2, variant, point[0] / 4.0, point[1] / 4.0,
            level + float(images.asphalt_log2) - 2.0,
        )  # fmt: skip
        stain = sample(
            images.texel, images.asphalt_first, images.asphalt_log2, variant, point[0] / 43.0, point[1] / 43.0,
            wp.max(level + float(images.asphalt_log2) - 5.43, 1.0),
        )  # fmt: skip
        asphalt = mix(asphalt, stain, 0.4) * 0.85
        wear = 0.78 + 0.6 * (asphalt[1] - 0.12)
        asphalt = mix(asphalt, wp.vec3(0.72, 0.72, 0.69), paint[0] * wear)
        asphalt = mix(asphalt, wp.vec3(0.70, 0.50, 0.08), paint[1] * wear)
        albedo = mix(albedo, asphalt, road)
    return mix(albedo, wp.vec3(0.40, 0.39, 0.37), wp.clamp(kerb, 0.0, 1.0))


@wp.func
def paint_rgb(chance: wp.float32):
    """Car colours, about as often as they are bought."""
    if chance < 0.20:
        return wp.vec3(0.72, 0.72, 0.71)
    if chance < 0.36:
        return wp.vec3(0.018, 0.018, 0.02)
    if chance < 0.54:
        return wp.vec3(0.13, 0.135, 0.145)
    if chance < 0.68:
        return wp.vec3(0.42, 0.43, 0.44)
    if chance < 0.78:
        return wp.vec3(0.02, 0.06, 0.22)
    if chance < 0.87:
        return wp.vec3(0.36, 0.02, 0.022)
    if chance < 0.91:
        return wp.vec3(0.03, 0.11, 0.06)
    if chance < 0.95:
        return wp.vec3(0.22, 0.16, 0.10)
    if chance < 0.98:
        return wp.vec3(0.05, 0.22, 0.42)
    return wp.vec3(0.62, 0.30, 0.02)


@wp.func
def cloth_rgb(chance: wp.float32, other: wp.float32):
    grey = wp.vec3(0.03, 0.03, 0.035) + wp.vec3(0.5, 0.49, 0.46) * other * other
    if chance < 0.55:
        return grey
    if chance < 0.70:
        return mix(wp.vec3(0.03, 0.06, 0.20), wp.vec3(0.10, 0.22, 0.45), other)
    if chance < 0.82:
        return mix(wp.vec3(0.35, 0.03, 0.03), wp.vec3(0.55, 0.12, 0.05), other)
    if chance < 0.92:
        return mix(wp.vec3(0.05, 0.15, 0.06), wp.vec3(0.35, 0.38, 0.12), other)
    return mix(wp.vec3(0.60, 0.42, 0.06), wp.vec3(0.45, 0.2, 0.4), other)


@wp.func
def environment(light: Light, toward: wp.vec3):
    """What a glossy surface mirrors: sky by height, dull ground below."""
    sky = mix(
        light.horizon_rgb * 0.75,
        wp.cw_mul(light.zenith_rgb, wp.vec3(0.16, 0.30, 0.60)),
        wp.sqrt(wp.clamp(toward[2], 0.0, 1.0)),
    )
    return mix(light.ambient_rgb * 0.16, sky, wp.clamp(toward[2] * 12.0 + 0.5, 0.0, 1.0))


@wp.func
def mesh_at(
    images: Images,
    meshes: Meshes,
    light: Light,
    view_eye: wp.vec3,
    name: wp.int64,
    model: wp.int32,
    pose: wp.vec4,
    size: wp.vec3,
    tint: wp.int32,
    variant: wp.int32,
    braking: wp.bool,
    toward: wp.vec3,
    sight: wp.vec3,
    lamp: wp.float32,
    texel_m: wp.float32,
):
    """Light from a mesh along the world ray `toward` with unit vector `sight`; `lamp` is the ego's light there."""
    level = int((name >> wp.int64(10)) & wp.int64(1))
    triangle = meshes.first[model, level] + (int(name & wp.int64(0xFFFF)) & TRIANGLE_MASK)
    u0 = meshes.corner[3 * triangle]
    u1 = meshes.corner[3 * triangle + 1]
    u2 = meshes.corner[3 * triangle + 2]
    # The ray in the unit box: exact barycentric coordinates without transforming the corners.
    dx = view_eye[0] - pose[0]
    dy = view_eye[1] - pose[1]
    eye = wp.vec3(
        (pose[2] * dx + pose[3] * dy) / size[0], (pose[2] * dy - pose[3] * dx) / size[1], view_eye[2] / size[2]
    )
    aim = wp.vec3(
        (pose[2] * toward[0] + pose[3] * toward[1]) / size[0],
        (pose[2] * toward[1] - pose[3] * toward[0]) / size[1],
        toward[2] / size[2],
    )
    p0 = u0 - eye
    p1 = u1 - eye
    p2 = u2 - eye
    w0 = wp.dot(aim, wp.cross(p1, p2))
    w1 = wp.dot(aim, wp.cross(p2, p0))
    w2 = wp.dot(aim, wp.cross(p0, p1))
    # Pixels on a silhouette may ask for a point just outside: stay on the triangle.
    w0 = wp.min(w0, 0.0)
    w1 = wp.min(w1, 0.0)
    w2 = wp.min(w2, 0.0)
    total = w0 + w1 + w2
    if total > -1.0e-20:
        w0 = -1.0
        w1 = -1.0
        w2 = -1.0
        total = -3.0
    w0 = w0 / total
    w1 = w1 / total
    w2 = w2 / total
    local = u0 * w0 + u1 * w1 + u2 * w2
    bent = (
        meshes.normal[3 * triangle] * w0 + meshes.normal[3 * triangle + 1] * w1 + meshes.normal[3 * triangle + 2] * w2
    )
    flat = wp.normalize(wp.cw_div(bent, size))
    normal = wp.vec3(pose[2] * flat[0] - pose[3] * flat[1], pose[3] * flat[0] + pose[2] * flat[1], flat[2])
    metric = wp.cw_mul(local, size)
    material = meshes.material[triangle]
    chance = hashed(tint, 1)
    other = hashed(tint, 2)
    albedo = wp.vec3(0.2, 0.2, 0.2)
    emission = wp.vec3(0.0, 0.0, 0.0)
    gloss = float(0.0)
    sun_share = wp.max(wp.dot(normal, light.sun), 0.0)
    sky_share = 0.5 + 0.5 * normal[2]
    if material == 0:
        albedo = paint_rgb(chance)
        if model == 5:
            albedo = mix(wp.vec3(0.55, 0.06, 0.04), wp.vec3(0.60, 0.50, 0.06), wp.floor(chance * 3.0) * 0.5)
        gloss = 0.05
    elif material == 1:
        albedo = wp.vec3(0.012, 0.015, 0.018)
        gloss = 0.10
    elif material == 2:
        albedo = wp.vec3(0.015, 0.015, 0.016)
    elif material == 3:
        albedo = wp.vec3(0.20, 0.205, 0.21)
        gloss = 0.08
    elif material == 4:
        albedo = wp.vec3(0.02, 0.02, 0.022)
    elif material == 5:
        albedo = wp.vec3(0.75, 0.77, 0.80)
        gloss = 0.08
        emission = wp.vec3(3.2, 3.0, 2.6) * light.lamps
    elif material == 6:
        albedo = wp.vec3(0.35, 0.01, 0.01)
        gloss = 0.05
        emission = wp.vec3(0.9, 0.02, 0.015) * light.lamps
        if braking:
            emission += wp.vec3(1.8, 0.06, 0.04)
    elif material == 7:
        albedo = wp.vec3(0.70, 0.70, 0.67)
    elif material == 8:
        albedo = wp.vec3(0.62, 0.62, 0.60)
        if other > 0.6:
            albedo = mix(paint_rgb(hashed(tint, 3)), wp.vec3(0.62, 0.62, 0.60), 0.25)
        # Ribs of the cargo box.
        rib = metric[0] / 0.6 - wp.floor(metric[0] / 0.6)
        if rib < 0.08 and texel_m < 0.05:
            albedo = albedo * 0.82
    elif material == 9:
        albedo = mix(wp.vec3(0.52, 0.30, 0.20), wp.vec3(0.10, 0.05, 0.03), hashed(tint, 4))
    elif material == 10:
        albedo = mix(wp.vec3(0.015, 0.01, 0.008), wp.vec3(0.22, 0.13, 0.05), hashed(tint, 5) * hashed(tint, 6))
    elif material == 11:
        albedo = cloth_rgb(chance, other)
    elif material == 12:
        albedo = cloth_rgb(0.72 * hashed(tint, 7), 0.7 * hashed(tint, 8))
    elif material == 13:
        u = metric[0] + 0.6 * metric[1]
        if wp.abs(flat[0]) > wp.abs(flat[1]):
            u = metric[1] - 0.6 * metric[0]
        mip = wp.log2(wp.max(texel_m / 2.5, 1.0e-5)) + float(images.foliage_log2)
        leaves = sample(
            images.texel,
            images.foliage_first,
            images.foliage_log2,
            (variant + tint) % images.variants,
            u / 2.5,
            -metric[2] / 2.5 + 0.3 * metric[0],
            mip,
        )
        albedo = wp.cw_mul(leaves, wp.vec3(0.9 + 0.5 * chance, 1.0, 0.8 + 0.4 * other)) * (1.0 + 0.25 * (other - 0.5))
        # Leaves let light through and shade each other: soft light, dark below and inside.
        sun_share = 0.25 + 0.75 * wp.clamp(0.6 * wp.dot(normal, light.sun) + 0.4, 0.0, 1.0)
        sun_share *= 0.55 + 0.45 * local[2]
        sky_share = 0.35 + 0.65 * local[2] * (0.5 + 0.5 * normal[2])
    elif material == 14:
        albedo = wp.vec3(0.10, 0.07, 0.045)
    elif material == 15:
        along = local[1]
        length = size[1]
        if wp.abs(flat[1]) > wp.abs(flat[0]):
            along = local[0]
            length = size[0]
        bays = wp.max(wp.floor(length / 3.0 + 0.5), 1.0)
        u = (along + 0.5) * bays * 0.25
        v = -metric[2] / 12.0
        mip = wp.log2(wp.max(texel_m / 12.0, 1.0e-5)) + float(images.facade_log2)
        wall = sample(
            images.texel, images.facade_first, images.facade_log2, (variant + tint) % images.variants, u, v, mip
        )
        albedo = wp.cw_mul(wall, wp.vec3(0.85 + 0.35 * chance, 0.88 + 0.25 * chance, 0.80 + 0.4 * other))
        dim = smooth(0.14, 0.06, wall[0] + wall[1] * 0.5)
        gloss = 0.10 * dim
        window = hashed(tint * 31 + int(wp.floor(u * 4.0)), int(wp.floor(v * 4.0)) + 77)
        if window < 0.30:
            emission = wp.vec3(1.1, 0.72, 0.34) * (0.75 * light.lamps * dim)
        sky_share *= 0.75 + 0.25 * wp.clamp(metric[2] / 4.0, 0.0, 1.0)
    elif material == 16:
        tile = metric[2] / 0.35 - wp.floor(metric[2] / 0.35)
        albedo = mix(wp.vec3(0.24, 0.085, 0.05), wp.vec3(0.10, 0.10, 0.11), wp.floor(other * 2.0))
        albedo = albedo * (0.85 + 0.3 * chance - 0.25 * tile * wp.clamp(0.12 / texel_m, 0.0, 1.0))
    elif material == 17:
        albedo = wp.vec3(0.30, 0.29, 0.28)
    elif material == 18:
        albedo = wp.vec3(0.26, 0.27, 0.28)
        gloss = 0.05
    elif material == 19:
        albedo = wp.vec3(0.5, 0.5, 0.48)
        emission = wp.vec3(2.2, 1.7, 1.0) * light.lamps
    if model < 14:
        # Little sky reaches the flanks near the ground.
        sky_share *= 0.45 + 0.55 * wp.clamp(metric[2] / 0.7, 0.0, 1.0)
    bounce = wp.cw_mul(
        light.ambient_rgb * 0.35 + light.sun_rgb * (0.25 * wp.max(light.sun[2], 0.0)), wp.vec3(0.20, 0.19, 0.16)
    )
    incoming = light.sun_rgb * sun_share + light.ambient_rgb * sky_share + bounce * (1.0 - 0.5 * (1.0 + normal[2]))
    incoming += wp.vec3(1.0, 0.95, 0.85) * (lamp * wp.abs(wp.dot(normal, sight)))
    rgb = wp.cw_mul(albedo, incoming) + emission
    if gloss > 0.0:
        facing = wp.clamp(-wp.dot(normal, sight), 0.0, 1.0)
        graze = 1.0 - facing
        fresnel = gloss + (1.0 - gloss) * graze * graze * graze * graze * graze * 0.7
        mirrored = sight - normal * (2.0 * wp.dot(normal, sight))
        spark = to_the_128th(wp.max(wp.dot(mirrored, light.sun), 0.0))
        rgb = rgb * (1.0 - fresnel) + (environment(light, mirrored) + light.sun_rgb * (6.0 * spark)) * fresnel
    return rgb


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
