"""The light from meshes: materials, façades, foliage, gloss. The numbers are those of `sim.meshes.sculpt.Material`."""

import warp as wp

from sim.render_kernels.appearance import Images, Light, hashed, log2_of, mix, sample, smooth, to_the_128th
from sim.render_kernels.view import TRIANGLE_MASK, Meshes

wp.set_module_options({"enable_backward": False})


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
    eye_m: wp.vec3,
    turn: wp.mat33,
    name: wp.int64,
    model: wp.int32,
    size: wp.vec3,
    tint: wp.int32,
    variant: wp.int32,
    detail: wp.int32,
    phase: wp.int32,
    toward: wp.vec3,
    sight: wp.vec3,
    lamp: wp.float32,
    texel_m: wp.float32,
):
    """Light from a mesh along the world ray `toward` with unit vector `sight`; `lamp` is the ego's light there.

    `eye_m` is the eye seen from the middle of the instance's base in world axes, `turn` its world_from_body,
    `detail` that of Actors or Statics, `phase` what the signal group `detail` shows (meaningless for others).
    """
    triangle = meshes.first[model, 0] + (int(name & wp.int64(0xFFFF)) & TRIANGLE_MASK)
    u0 = meshes.corner[3 * triangle]
    u1 = meshes.corner[3 * triangle + 1]
    u2 = meshes.corner[3 * triangle + 2]
    # The ray in the unit box: exact barycentric coordinates without transforming the corners.
    eye = wp.cw_div(eye_m * turn, size)
    aim = wp.cw_div(toward * turn, size)
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
    normal = turn * flat
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
        if (detail & 1) == 1:
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
        mip = log2_of(wp.max(texel_m / 2.5, 1.0e-5)) + float(images.foliage_log2)
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
        mip = log2_of(wp.max(texel_m / 12.0, 1.0e-5)) + float(images.facade_log2)
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
    if model < 14 or model >= 24:
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
