"""The light from meshes: where a ray meets a triangle, what its material does there, sun, sky and what gloss mirrors.

The numbers of materials are those of `sim.meshes.sculpt.Material`; their plain looks are in a table, their patterns in
`coats` and `facades`.
"""

import warp as wp

from sim.render_kernels.appearance import Images, Light, clear_sky, mix, smooth, to_the_128th
from sim.render_kernels.coats import Coat, body_coat
from sim.render_kernels.facades import is_roadside, roadside_look
from sim.render_kernels.house_shade import shade_of_static, sunlit
from sim.render_kernels.packs import LEAF, MESH, PACK, WALL, Colours, Floats, Ints, Points, Shot
from sim.render_kernels.terrain import Ground
from sim.render_kernels.view import ITEM_SHIFT, STATIC_FLAG, TRIANGLE_MASK, Actors, Meshes, Statics, turned
from sim.render_kernels.walls import CONIFER, FOLIAGE_M, PINE, is_leaf, is_wall, leaf_look, wall_look

wp.set_module_options({"enable_backward": False, "max_unroll": 5})

ACTORS_END = wp.constant(int(STATIC_FLAG) >> int(ITEM_SHIFT))  # items of names from here on stand still
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
        share = 0.12
        if local[2] < 0.86 and at > 0.25 and at < 0.62:
            share = 0.045
    return far * share


@wp.struct
class Instance:
    """What all points of one instance share."""

    base_z: wp.float32
    size: wp.vec3
    inverse: wp.vec3  # 1 / size
    turn: wp.mat33  # world_from_body
    eye: wp.vec3  # in its unit box
    first: wp.int32  # triangle of its model
    model: wp.int32
    tint: wp.int32
    detail: wp.int32  # that of Actors or Statics
    phase: wp.int32  # what the signal group `detail` shows (meaningless for others)
    facade: wp.int32  # painting of its walls
    foliage: wp.int32  # and of its leaves
    sun: wp.vec3  # in the body's axes


@wp.func
def first_triangle(meshes: Meshes, actors: Actors, statics: Statics, shot: Shot, item: wp.int32):
    """Of the model that an item of the visibility buffer wears."""
    if item >= ACTORS_END:
        return meshes.first[statics.model[statics.map_first[shot.scene] + item - ACTORS_END], 0]
    return meshes.first[actors.model[shot.world, item], 0]


@wp.func
def shade_of(actors: Actors, statics: Statics, ground: Ground, sun: wp.vec3, way: wp.vec2, shot: Shot, item: wp.int32):
    """How far up houses shade an item of the visibility buffer, in metres."""
    if item < ACTORS_END:
        return actors.shade_m[shot.world, item]
    at = statics.map_first[shot.scene] + item - ACTORS_END
    pose = statics.pose[at]
    base = wp.vec3(pose[0], pose[1], statics.z[at])
    turn = turned(pose[2], pose[3], 1.0, 0.0)
    return shade_of_static(ground, shot.scene, sun, way, base, turn, statics.size_m[at][1])


@wp.func
def kind_of(material: wp.int32):
    """What kind of points a material makes."""
    return wp.where(is_wall(material), WALL, wp.where(is_leaf(material), LEAF, MESH))


@wp.func
def instance_of(
    images: Images, meshes: Meshes, actors: Actors, statics: Statics, light: Light, shot: Shot,
    appearance_id: wp.array2d(dtype=wp.int32), signal_phase: wp.array2d(dtype=wp.int32), item: wp.int32,
):  # fmt: skip
    result = Instance()
    base = wp.vec3()
    if item >= ACTORS_END:
        at = statics.map_first[shot.scene] + item - ACTORS_END
        pose = statics.pose[at]
        base = wp.vec3(pose[0], pose[1], statics.z[at])
        result.model = statics.model[at]
        result.tint = statics.tint[at]
        result.size = statics.size_m[at]
        result.detail = statics.detail[at]
        result.phase = signal_phase[shot.world, wp.clamp(result.detail, 0, signal_phase.shape[1] - 1)]
        result.turn = turned(pose[2], pose[3], 1.0, 0.0)
    else:
        pose = actors.pose[shot.world, item]
        base = wp.vec3(pose[0], pose[1], actors.z[shot.world, item])
        result.model = actors.model[shot.world, item]
        result.tint = appearance_id[shot.world, item]
        result.size = actors.size_m[shot.world, item]
        result.detail = actors.detail[shot.world, item]
        result.turn = actors.turn[shot.world, item]
    result.base_z = base[2]
    result.first = meshes.first[result.model, 0]
    result.inverse = wp.vec3(1.0 / result.size[0], 1.0 / result.size[1], 1.0 / result.size[2])
    result.sun = light.sun * result.turn
    result.facade = (result.tint + 8 * shot.variant) % images.facade_variants
    result.foliage = (result.tint + shot.variant) % images.variants
    result.eye = wp.cw_mul((shot.eye - base) * result.turn, result.inverse)
    return result


@wp.func
def coat_at(
    images: Images, meshes: Meshes, light: Light, inst: Instance, material: wp.int32, triangle: wp.int32,
    variant: wp.int32, local: wp.vec3, face: wp.vec3, flat: wp.vec3, normal: wp.vec3, sight: wp.vec3,
    facing: wp.float32, lamp: wp.float32, texel_m: wp.float32, road_rgb: wp.vec3,
):  # fmt: skip
    """What a point's material does to light, with its shares of sun and sky: with patterns, dirt, snow and water."""
    metric = wp.cw_mul(local, inst.size)
    coat = Coat()
    look = meshes.look[material]
    coat.albedo = wp.vec3(look[0], look[1], look[2])
    coat.gloss = look[3]
    coat.retro = 1.0
    coat.sun_share = wp.max(wp.dot(normal, light.sun), 0.0)
    coat.sky_share = 0.5 + 0.5 * normal[2]
    if material == 1:
        coat.emission = seen_through(light, sight, flat, metric, local, road_rgb)
    elif material < FIRST_COLOUR and is_roadside(material):
        answer = roadside_look(
            images, light, inst.turn, inst.model, material, metric, local, inst.size, face, normal, sight, inst.tint,
            variant, inst.detail, inst.phase, lamp, texel_m,
        )  # fmt: skip
        coat.albedo = answer.albedo
        coat.emission = answer.emission
        coat.gloss = answer.gloss
        coat.sun_share = answer.sun_share
        coat.sky_share = answer.sky_share
    elif material < FIRST_COLOUR:
        anchor = wp.cw_mul(meshes.anchor[triangle], inst.size)
        seen_from = -(sight * inst.turn)
        coat = body_coat(
            meshes.glyph, light, coat, material, inst.tint, inst.detail, facing, flat, seen_from, metric, anchor,
            inst.size, texel_m,
        )  # fmt: skip
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
        coat.sky_share *= 0.40 + 0.60 * wp.clamp(metric[2] / 0.7, 0.0, 1.0)
        if light.street > 0.0:
            # Street lamps shine from above, and so does what they light all around.
            glow = 0.030 * light.street * (0.45 + 0.55 * normal[2])
            coat.emission += wp.cw_mul(coat.albedo, wp.vec3(1.0, 0.78, 0.50)) * glow
    return coat


@wp.func
def mirrored_light(
    light: Light, sun_rgb: wp.vec3, sight: wp.vec3, normal: wp.vec3, gloss: wp.float32, road_rgb: wp.vec3
):
    """What a glossy surface mirrors, and the share of all light that this is (Schlick's law)."""
    graze = 1.0 - wp.clamp(-wp.dot(normal, sight), 0.0, 1.0)
    graze = graze * graze * graze * graze * graze
    fresnel = gloss + (1.0 - gloss) * (0.75 + 0.15 * light.wet) * graze
    toward = sight - normal * (2.0 * wp.dot(normal, sight))
    spark = to_the_128th(wp.max(wp.dot(toward, light.sun), 0.0))
    rgb = environment(light, toward, road_rgb) + sun_rgb * (7.0 * spark)
    return wp.vec4(rgb[0], rgb[1], rgb[2], wp.where(gloss > 0.0, fresnel, 0.0))


@wp.func
def mesh_light(
    images: Images, meshes: Meshes, actors: Actors, statics: Statics, light: Light, shot: Shot,
    appearance_id: wp.array2d(dtype=wp.int32), signal_phase: wp.array2d(dtype=wp.int32), points: Points, name: Ints,
    shade_m: Floats, kind: wp.int32,
):  # fmt: skip
    """Light from meshes at a pack of points of one kind; `name` is each one's triangle, as in the visibility buffer,
    `shade_m` how far up houses shade what it belongs to."""
    ray_x = points.x
    ray_y = points.y
    ray_z = points.z
    length = points.length
    depth = points.depth
    lamps = points.lamp
    pool = points.pool
    # What the road sends back of the sky, and of the sun where that reaches it.
    road_sky_rgb = wp.cw_mul(light.ambient_rgb * 0.35, wp.vec3(0.20, 0.19, 0.16))
    road_sun_rgb = wp.cw_mul(light.sun_rgb * (0.25 * wp.max(light.sun[2], 0.0)), wp.vec3(0.20, 0.19, 0.16))
    albedo_r = Floats()
    albedo_g = Floats()
    albedo_b = Floats()
    own_r = Floats()
    own_g = Floats()
    own_b = Floats()
    gloss = Floats()
    lit = Floats()
    sun = Floats()
    sky = Floats()
    retro = Floats()
    normal_x = Floats()
    normal_y = Floats()
    normal_z = Floats()
    along = Floats()
    length_m = Floats()
    height = Floats()
    side_x = Floats()
    side_y = Floats()
    sun_x = Floats()
    sun_y = Floats()
    tint = Ints()
    rank = Ints()
    picture = Ints()
    # Materials differ from point to point; what the last point's instance is, the next one's is most often too.
    held = int(-1)
    inst = Instance()
    for i in range(PACK):
        item = int(wp.uint32(name[i]) >> wp.uint32(ITEM_SHIFT))
        if item != held:
            held = item
            inst = instance_of(images, meshes, actors, statics, light, shot, appearance_id, signal_phase, item)
        triangle = inst.first + (name[i] & TRIANGLE_MASK)
        material = meshes.material[triangle]
        toward = wp.vec3(ray_x[i], ray_y[i], ray_z[i])
        sight = toward * (1.0 / length[i])
        # Where the ray meets the triangle's plane, in the unit box; silhouettes may ask for a point just outside.
        aim = wp.cw_mul(toward * inst.turn, inst.inverse)
        plane = meshes.plane[triangle]
        upright = wp.vec3(plane[0], plane[1], plane[2])
        reach = (plane[3] - wp.dot(upright, inst.eye)) / wp.min(wp.dot(upright, aim), -1.0e-6)
        local = inst.eye + aim * reach
        local = wp.vec3(wp.clamp(local[0], -0.5, 0.5), wp.clamp(local[1], -0.5, 0.5), wp.clamp(local[2], 0.0, 1.0))
        flat = wp.normalize(wp.cw_mul(meshes.base[triangle] + meshes.bend[triangle] * local, inst.inverse))
        # Pictures lie along the face itself, not along the round shape that its light follows.
        face = wp.cw_mul(upright, inst.inverse)
        normal = inst.turn * flat
        facing = wp.clamp(-wp.dot(normal, sight), 0.0, 1.0)
        # What stands upright is lit aslant, and what is above the lanterns hardly at all.
        lamps[i] = lamps[i] + pool[i] * wp.clamp(
            1.1 - 0.12 * (shot.eye[2] + depth[i] * toward[2] - inst.base_z), 0.05, 0.5
        )
        lit[i] = sunlit(local[2] * inst.size[2], shade_m[i])
        normal_x[i] = normal[0]
        normal_y[i] = normal[1]
        normal_z[i] = normal[2]
        if kind == MESH:
            coat = coat_at(
                images, meshes, light, inst, material, triangle, shot.variant, local, face, flat, normal, sight,
                facing, lamps[i], depth[i] * shot.pixel, road_sky_rgb + road_sun_rgb * lit[i],
            )  # fmt: skip
            albedo_r[i] = coat.albedo[0]
            albedo_g[i] = coat.albedo[1]
            albedo_b[i] = coat.albedo[2]
            own_r[i] = coat.emission[0]
            own_g[i] = coat.emission[1]
            own_b[i] = coat.emission[2]
            gloss[i] = coat.gloss
            retro[i] = coat.retro
            sun[i] = coat.sun_share
            sky[i] = coat.sky_share
        else:
            tint[i] = inst.tint
            height[i] = local[2] * inst.size[2]
            sun[i] = wp.dot(normal, light.sun)
            on_x = wp.abs(face[1]) > wp.abs(face[0])
            if kind == WALL:
                seen = sight * inst.turn
                along[i] = wp.where(on_x, local[0] * inst.size[0], local[1] * inst.size[1])
                length_m[i] = wp.where(on_x, inst.size[0], inst.size[1])
                side_x[i] = wp.where(on_x, seen[0], seen[1])
                side_y[i] = wp.abs(wp.where(on_x, seen[1], seen[0]))
                sun_x[i] = wp.where(on_x, inst.sun[0], inst.sun[1])
                sun_y[i] = wp.where(on_x, inst.sun[1] * wp.sign(face[1]), inst.sun[0] * wp.sign(face[0]))
                rank[i] = material
                picture[i] = inst.facade
            else:
                # Seen along the axis that the face turns to most; the offsets keep neighbouring crowns apart.
                level = wp.abs(face[2]) > wp.max(wp.abs(face[0]), wp.abs(face[1]))
                across = wp.where(level or on_x, local[0] * inst.size[0], local[1] * inst.size[1] + 0.9)
                side_x[i] = (across + 0.37 * float(inst.tint & 7)) / FOLIAGE_M
                side_y[i] = wp.where(level, local[1] * inst.size[1], -height[i]) / FOLIAGE_M
                along[i] = local[2]
                rank[i] = wp.where(inst.model == CONIFER or inst.model == PINE, 1, 0)
                picture[i] = inst.foliage
    if kind == WALL:
        for i in range(PACK):
            look = wall_look(
                images, light, rank[i], picture[i], along[i], length_m[i], height[i], wp.vec2(side_x[i], side_y[i]),
                wp.vec2(sun_x[i], sun_y[i]), ray_z[i] / length[i], normal_z[i], wp.max(sun[i], 0.0), tint[i],
                depth[i] * shot.pixel,
            )  # fmt: skip
            albedo_r[i] = look.albedo[0]
            albedo_g[i] = look.albedo[1]
            albedo_b[i] = look.albedo[2]
            own_r[i] = look.emission[0]
            own_g[i] = look.emission[1]
            own_b[i] = look.emission[2]
            gloss[i] = look.gloss
            retro[i] = 1.0
            sun[i] = look.sun_share
            sky[i] = look.sky_share
    elif kind == LEAF:
        for i in range(PACK):
            leaf = leaf_look(
                images, light, rank[i] == 1, picture[i], side_x[i], side_y[i], along[i], height[i], normal_z[i],
                sun[i], tint[i], depth[i] * shot.pixel,
            )  # fmt: skip
            albedo_r[i] = leaf.albedo[0]
            albedo_g[i] = leaf.albedo[1]
            albedo_b[i] = leaf.albedo[2]
            own_r[i] = leaf.emission[0]
            own_g[i] = leaf.emission[1]
            own_b[i] = leaf.emission[2]
            retro[i] = 1.0
            sun[i] = leaf.sun_share
            sky[i] = leaf.sky_share
    glossy = int(0)
    for i in range(PACK):
        normal = wp.vec3(normal_x[i], normal_y[i], normal_z[i])
        toward = wp.vec3(ray_x[i], ray_y[i], ray_z[i])
        facing = wp.clamp(-wp.dot(normal, toward) / length[i], 0.0, 1.0)
        road_rgb = road_sky_rgb + road_sun_rgb * lit[i]
        incoming = light.sun_rgb * (lit[i] * sun[i]) + light.ambient_rgb * sky[i] + road_rgb * (0.5 - 0.5 * normal[2])
        incoming += wp.vec3(1.0, 0.95, 0.85) * (lamps[i] * facing * retro[i])
        albedo_r[i] = albedo_r[i] * incoming[0] + own_r[i]
        albedo_g[i] = albedo_g[i] * incoming[1] + own_g[i]
        albedo_b[i] = albedo_b[i] * incoming[2] + own_b[i]
        glossy = glossy | wp.where(gloss[i] > 0.0, 1, 0)
    if glossy != 0:
        for i in range(PACK):
            normal = wp.vec3(normal_x[i], normal_y[i], normal_z[i])
            sight = wp.vec3(ray_x[i], ray_y[i], ray_z[i]) * (1.0 / length[i])
            road_rgb = road_sky_rgb + road_sun_rgb * lit[i]
            mirror = mirrored_light(light, light.sun_rgb * lit[i], sight, normal, gloss[i], road_rgb)
            albedo_r[i] = albedo_r[i] + (mirror[0] - albedo_r[i]) * mirror[3]
            albedo_g[i] = albedo_g[i] + (mirror[1] - albedo_g[i]) * mirror[3]
            albedo_b[i] = albedo_b[i] + (mirror[2] - albedo_b[i]) * mirror[3]
    out = Colours()
    out.red = albedo_r
    out.green = albedo_g
    out.blue = albedo_b
    return out
