"""The light from meshes: where a ray meets a triangle, what its material does there, sun, sky and what gloss mirrors.

The numbers of materials are those of `sim.meshes.sculpt.Material`; their plain looks are in a table, their patterns in
`coats` and `facades`.
"""

import warp as wp

from sim.render_kernels.appearance import Images, Light, clear_sky, mix, smooth, to_the_128th
from sim.render_kernels.coats import Coat, body_coat
from sim.render_kernels.facades import is_roadside, roadside_look
from sim.render_kernels.view import TRIANGLE_MASK, Meshes

wp.set_module_options({"enable_backward": False})

FIRST_COLOUR = wp.constant(100)  # materials from here on are the plain colours of users' models


@wp.func
def environment(light: Light, toward: wp.vec3, road_rgb: wp.vec3):
    """What a glossy surface mirrors: sky, below it an uneven skyline, and the road from the horizon down."""
    ridge = 2.2 * toward[0] + toward[1]
    skyline = 0.05 + 0.18 * wp.abs(ridge - wp.floor(ridge) - 0.5)
    sky = mix(clear_sky(light, toward), light.cloud_rgb, light.cloud)
    far = light.ambient_rgb * 0.13 + light.sun_rgb * 0.03
    rgb = mix(far, sky, wp.clamp((toward[2] - skyline) * 14.0 + 0.5, 0.0, 1.0))
    return mix(road_rgb, rgb, wp.clamp(toward[2] * 10.0 + 0.5, 0.0, 1.0))


@wp.func
def seen_through(light: Light, sight: wp.vec3, flat: wp.vec3, metric: wp.vec3, local: wp.vec3, road_rgb: wp.vec3):
    """What one sees through a car's window: the dark of the cabin, seats, and a little of the world beyond."""
    far = mix(light.ambient_rgb * 0.16, light.horizon_rgb, wp.clamp(sight[2] * 6.0 + 0.45, 0.0, 1.0))
    far = mix(road_rgb, far, wp.clamp(sight[2] * 10.0 + 0.7, 0.0, 1.0))
    share = float(0.035)
    if wp.abs(flat[1]) > 0.5:
        at = metric[0] * 1.1 - wp.floor(metric[0] * 1.1)
        share = 0.20
        if local[2] < 0.86 and at > 0.25 and at < 0.62:
            share = 0.02
    return far * share


@wp.func
def mesh_at(
    images: Images,
    meshes: Meshes,
    light: Light,
    eye: wp.vec3,
    inverse: wp.vec3,
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

    `eye` is the eye in the instance's unit box, `inverse` 1 / size, `turn` the instance's world_from_body,
    `detail` that of Actors or Statics, `phase` what the signal group `detail` shows (meaningless for others).
    """
    triangle = meshes.first[model, 0] + (int(name & wp.int64(0xFFFF)) & TRIANGLE_MASK)
    material = meshes.material[triangle]
    # Where the ray meets the triangle's plane, in the unit box; silhouettes may ask for a point just outside.
    aim = wp.cw_mul(toward * turn, inverse)
    plane = meshes.plane[triangle]
    upright = wp.vec3(plane[0], plane[1], plane[2])
    reach = (plane[3] - wp.dot(upright, eye)) / wp.min(wp.dot(upright, aim), -1.0e-6)
    local = eye + aim * reach
    local = wp.vec3(wp.clamp(local[0], -0.5, 0.5), wp.clamp(local[1], -0.5, 0.5), wp.clamp(local[2], 0.0, 1.0))
    flat = wp.normalize(wp.cw_mul(meshes.base[triangle] + meshes.bend[triangle] * local, inverse))
    normal = turn * flat
    metric = wp.cw_mul(local, size)
    facing = wp.clamp(-wp.dot(normal, sight), 0.0, 1.0)
    sun_share = wp.max(wp.dot(normal, light.sun), 0.0)
    sky_share = 0.5 + 0.5 * normal[2]
    road_rgb = wp.cw_mul(
        light.ambient_rgb * 0.35 + light.sun_rgb * (0.25 * wp.max(light.sun[2], 0.0)), wp.vec3(0.20, 0.19, 0.16)
    )
    look = meshes.look[material]
    coat = Coat()
    coat.albedo = wp.vec3(look[0], look[1], look[2])
    coat.gloss = look[3]
    coat.retro = 1.0
    if material == 1:
        coat.emission = seen_through(light, sight, flat, metric, local, road_rgb)
    elif material < FIRST_COLOUR and is_roadside(material):
        # Pictures lie along the face itself, not along the round shape that its light follows.
        flat = wp.cw_mul(upright, inverse)
        answer = roadside_look(
            images, light, turn, model, material, metric, local, size, flat, normal, sight, tint, variant, detail,
            phase, lamp, texel_m,
        )  # fmt: skip
        coat.albedo = answer.albedo
        coat.emission = answer.emission
        coat.gloss = answer.gloss
        sun_share = answer.sun_share
        sky_share = answer.sky_share
    elif material < FIRST_COLOUR:
        anchor = wp.cw_mul(meshes.anchor[triangle], size)
        seen_from = -(sight * turn)
        coat = body_coat(
            meshes.glyph, light, coat, material, tint, detail, facing, flat, seen_from, metric, anchor, size, texel_m
        )
        if light.snow > 0.0:
            settled = light.snow * 0.55 * smooth(0.6, 0.95, normal[2])
            coat.albedo = mix(coat.albedo, wp.vec3(0.80, 0.81, 0.83), settled)
            coat.gloss *= 1.0 - settled
        if light.wet > 0.0 and coat.gloss < 0.04:
            # A film of water darkens what is dull and mirrors a little where it faces up.
            coat.albedo = coat.albedo * (1.0 - 0.30 * light.wet)
            coat.gloss += 0.015 * light.wet * wp.max(normal[2], 0.0)
    if not is_roadside(material):
        # Little sky reaches the flanks near the ground.
        sky_share *= 0.40 + 0.60 * wp.clamp(metric[2] / 0.7, 0.0, 1.0)
    incoming = light.sun_rgb * sun_share + light.ambient_rgb * sky_share + road_rgb * (0.5 - 0.5 * normal[2])
    incoming += wp.vec3(1.0, 0.95, 0.85) * (lamp * facing * coat.retro)
    if light.street > 0.0 and not is_roadside(material):
        # Street lamps shine from above, and so does what they light all around.
        incoming += wp.vec3(1.0, 0.78, 0.50) * (0.030 * light.street * (0.45 + 0.55 * normal[2]))
    rgb = wp.cw_mul(coat.albedo, incoming) + coat.emission
    gloss = coat.gloss
    if gloss > 0.0:
        graze = 1.0 - facing
        graze = graze * graze * graze * graze * graze
        fresnel = gloss + (1.0 - gloss) * (0.75 + 0.15 * light.wet) * graze
        mirrored = sight - normal * (2.0 * wp.dot(normal, sight))
        spark = to_the_128th(wp.max(wp.dot(mirrored, light.sun), 0.0))
        rgb = rgb * (1.0 - fresnel)
        rgb += (environment(light, mirrored, road_rgb) + light.sun_rgb * (7.0 * spark)) * fresnel
    return rgb
