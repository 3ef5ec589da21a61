"""The light from meshes: where a ray meets a triangle, what its material does there, sun, sky and what gloss mirrors.

The numbers of materials are those of `sim.meshes.sculpt.Material`; their plain looks are in a table, their patterns in
`coats` and `facades`.
"""

import warp as wp

from sim.render_kernels.appearance import Images, Light, clear_sky, mix, smooth, to_the_128th
from sim.render_kernels.coats import Coat, body_coat
from sim.render_kernels.facades import is_roadside, roadside_look
from sim.render_kernels.house_shade import sunlit
from sim.render_kernels.instances import Instance, hit_at, instance_of, lamps_at
from sim.render_kernels.packs import MESH, PACK, WALL, Colours, Floats, Ints, Points, Shot
from sim.render_kernels.view import ITEM_SHIFT, TRIANGLE_MASK, Actors, Meshes, Statics
from sim.render_kernels.walls import CONIFER, FOLIAGE_M, PINE, leaf_look, wall_look

wp.set_module_options({"enable_backward": False, "max_unroll": 5})

FIRST_COLOUR = wp.constant(100)  # materials from here on are the plain colours of users' models


@wp.func
def environment(light: Light, toward: wp.vec3, road: wp.vec3):
    """What a glossy surface mirrors: sky, below it an uneven skyline, and the road from the horizon down."""
    ridge = 2.2 * toward[0] + toward[1]
    skyline = 0.05 + 0.18 * wp.abs(ridge - wp.floor(ridge) - 0.5)
    sky = mix(clear_sky(light, toward), light.cloud_rgb, light.cloud)
    far = light.ambient_rgb * 0.13 + light.sun_rgb * 0.03
    rgb = mix(far, sky, wp.clamp((toward[2] - skyline) * 14.0 + 0.5, 0.0, 1.0))
    return mix(road, rgb, wp.clamp(toward[2] * 10.0 + 0.5, 0.0, 1.0))


@wp.func
def road_rgb(light: Light, lit: wp.float32):
    """What the road sends back of the sky, and of the sun where that reaches it."""
    sun = light.sun_rgb * (lit * 0.25 * wp.max(light.sun[2], 0.0))
    return wp.cw_mul(light.ambient_rgb * 0.35 + sun, wp.vec3(0.20, 0.19, 0.16))


@wp.func
def seen_through(light: Light, sight: wp.vec3, flat: wp.vec3, metric: wp.vec3, local: wp.vec3, road: wp.vec3):
    """What one sees through a car's window: the dark of the cabin, seats, and a little of the world beyond."""
    far = mix(light.ambient_rgb * 0.16, light.horizon_rgb, wp.clamp(sight[2] * 6.0 + 0.45, 0.0, 1.0))
    far = mix(road, far, wp.clamp(sight[2] * 10.0 + 0.7, 0.0, 1.0))
    share = float(0.035)
    if wp.abs(flat[1]) > 0.5:
        at = metric[0] * 1.1 - wp.floor(metric[0] * 1.1)
        share = 0.12
        if local[2] < 0.86 and at > 0.25 and at < 0.62:
            share = 0.045
    return far * share


@wp.func
def coat_at(
    images: Images, meshes: Meshes, light: Light, inst: Instance, material: wp.int32, triangle: wp.int32,
    local: wp.vec3, face: wp.vec3, flat: wp.vec3, normal: wp.vec3, sight: wp.vec3,
    facing: wp.float32, lamp: wp.float32, texel_m: wp.float32, road: wp.vec3,
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
        coat.emission = seen_through(light, sight, flat, metric, local, road)
    elif material < FIRST_COLOUR and is_roadside(material):
        answer = roadside_look(
            images, light, material, metric, local, inst.size, face, normal, inst.tint, inst.detail, inst.phase, lamp,
            texel_m,
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
def mirrored_light(light: Light, sun_rgb: wp.vec3, sight: wp.vec3, normal: wp.vec3, gloss: wp.float32, road: wp.vec3):
    """What a glossy surface mirrors, and the share of all light that this is (Schlick's law)."""
    graze = 1.0 - wp.clamp(-wp.dot(normal, sight), 0.0, 1.0)
    graze = graze * graze * graze * graze * graze
    fresnel = gloss + (1.0 - gloss) * (0.75 + 0.15 * light.wet) * graze
    toward = sight - normal * (2.0 * wp.dot(normal, sight))
    spark = to_the_128th(wp.max(wp.dot(toward, light.sun), 0.0))
    rgb = environment(light, toward, road) + sun_rgb * (7.0 * spark)
    return wp.vec4(rgb[0], rgb[1], rgb[2], wp.where(gloss > 0.0, fresnel, 0.0))


@wp.struct
class Hits:
    """Where a pack's rays meet walls or leaves, and what of these looks depend on."""

    x: Floats  # in the instance's unit box
    y: Floats
    z: Floats
    face_x: Floats  # along the triangle's normal in the body's axes, of any length
    face_y: Floats
    face_z: Floats
    normal_x: Floats  # unit normal of the surface in the world
    normal_y: Floats
    normal_z: Floats
    height: Floats  # above the body's base, in metres
    lamp: Floats
    size_x: Floats  # of the instance, in metres
    size_y: Floats
    seen_x: Floats  # sight and the sun along the body's x and y axes
    seen_y: Floats
    sun_x: Floats
    sun_y: Floats
    tint: Ints
    picture: Ints  # painting of walls, or of leaves
    rank: Ints  # material of walls; 1 for leaves that stay in winter


@wp.func
def hits_of(
    images: Images, meshes: Meshes, actors: Actors, statics: Statics, light: Light, shot: Shot,
    appearance_id: wp.array2d(dtype=wp.int32), signal_phase: wp.array2d(dtype=wp.int32), points: Points, name: Ints,
    kind: wp.int32,
):  # fmt: skip
    """What the last point's instance is, the next one's is most often too: it is looked up once."""
    hits = Hits()
    ray_x = points.x
    ray_y = points.y
    ray_z = points.z
    length = points.length
    depth = points.depth
    lamp = points.lamp
    pool = points.pool
    held = int(-1)
    inst = Instance()
    for i in range(PACK):
        item = int(wp.uint32(name[i]) >> wp.uint32(ITEM_SHIFT))
        if item != held:
            held = item
            inst = instance_of(images, meshes, actors, statics, light, shot, appearance_id, signal_phase, item)
        triangle = inst.first + (name[i] & TRIANGLE_MASK)
        toward = wp.vec3(ray_x[i], ray_y[i], ray_z[i])
        hit = hit_at(meshes, inst, triangle, toward)
        hits.x[i] = hit.local[0]
        hits.y[i] = hit.local[1]
        hits.z[i] = hit.local[2]
        hits.face_x[i] = hit.face[0]
        hits.face_y[i] = hit.face[1]
        hits.face_z[i] = hit.face[2]
        hits.normal_x[i] = hit.normal[0]
        hits.normal_y[i] = hit.normal[1]
        hits.normal_z[i] = hit.normal[2]
        hits.height[i] = hit.local[2] * inst.size[2]
        hits.lamp[i] = lamps_at(shot, inst, depth[i], ray_z[i], lamp[i], pool[i])
        hits.size_x[i] = inst.size[0]
        hits.size_y[i] = inst.size[1]
        hits.tint[i] = inst.tint
        if kind == WALL:
            sight = (toward * inst.turn) * (1.0 / length[i])
            hits.seen_x[i] = sight[0]
            hits.seen_y[i] = sight[1]
            hits.sun_x[i] = inst.sun[0]
            hits.sun_y[i] = inst.sun[1]
            hits.picture[i] = inst.facade
            hits.rank[i] = meshes.material[triangle]
        else:
            hits.picture[i] = inst.foliage
            hits.rank[i] = wp.where(inst.model == CONIFER or inst.model == PINE, 1, 0)
    return hits


@wp.struct
class Looks:
    """How a pack of surfaces answers light."""

    albedo: Colours
    own: Colours  # light that they send out
    gloss: Floats
    retro: Floats
    sun: Floats  # shares of sun and sky that reach them
    sky: Floats
    lamp: Floats  # light of the ego's lamps and of street lamps
    height: Floats  # above the body's base, in metres
    normal_x: Floats
    normal_y: Floats
    normal_z: Floats


@wp.func
def coats_of(
    images: Images, meshes: Meshes, actors: Actors, statics: Statics, light: Light, shot: Shot,
    appearance_id: wp.array2d(dtype=wp.int32), signal_phase: wp.array2d(dtype=wp.int32), points: Points, name: Ints,
    shade_m: Floats,
):  # fmt: skip
    """Everything but walls and leaves, point by point, for its materials differ."""
    looks = Looks()
    ray_x = points.x
    ray_y = points.y
    ray_z = points.z
    length = points.length
    depth = points.depth
    lamp = points.lamp
    pool = points.pool
    held = int(-1)
    inst = Instance()
    for i in range(PACK):
        item = int(wp.uint32(name[i]) >> wp.uint32(ITEM_SHIFT))
        if item != held:
            held = item
            inst = instance_of(images, meshes, actors, statics, light, shot, appearance_id, signal_phase, item)
        triangle = inst.first + (name[i] & TRIANGLE_MASK)
        toward = wp.vec3(ray_x[i], ray_y[i], ray_z[i])
        sight = toward * (1.0 / length[i])
        hit = hit_at(meshes, inst, triangle, toward)
        lamps = lamps_at(shot, inst, depth[i], ray_z[i], lamp[i], pool[i])
        height = hit.local[2] * inst.size[2]
        coat = coat_at(
            images, meshes, light, inst, meshes.material[triangle], triangle, hit.local, hit.face,
            hit.normal * inst.turn, hit.normal, sight, wp.clamp(-wp.dot(hit.normal, sight), 0.0, 1.0), lamps,
            depth[i] * shot.pixel, road_rgb(light, sunlit(height, shade_m[i])),
        )  # fmt: skip
        looks.lamp[i] = lamps
        looks.height[i] = height
        looks.normal_x[i] = hit.normal[0]
        looks.normal_y[i] = hit.normal[1]
        looks.normal_z[i] = hit.normal[2]
        looks.albedo.red[i] = coat.albedo[0]
        looks.albedo.green[i] = coat.albedo[1]
        looks.albedo.blue[i] = coat.albedo[2]
        looks.own.red[i] = coat.emission[0]
        looks.own.green[i] = coat.emission[1]
        looks.own.blue[i] = coat.emission[2]
        looks.gloss[i] = coat.gloss
        looks.retro[i] = coat.retro
        looks.sun[i] = coat.sun_share
        looks.sky[i] = coat.sky_share
    return looks


@wp.func
def walls_of(images: Images, light: Light, shot: Shot, points: Points, hits: Hits):
    """A pack of walls, each measured along the axis of its body that it stands along."""
    looks = Looks()
    ray_z = points.z
    length = points.length
    depth = points.depth
    x = hits.x
    y = hits.y
    face_x = hits.face_x
    face_y = hits.face_y
    normal_x = hits.normal_x
    normal_y = hits.normal_y
    normal_z = hits.normal_z
    height = hits.height
    size_x = hits.size_x
    size_y = hits.size_y
    seen_x = hits.seen_x
    seen_y = hits.seen_y
    sun_x = hits.sun_x
    sun_y = hits.sun_y
    tint = hits.tint
    picture = hits.picture
    material = hits.rank
    for i in range(PACK):
        on_x = wp.abs(face_y[i]) > wp.abs(face_x[i])
        out_x = sun_x[i] * wp.sign(face_x[i])
        out_y = sun_y[i] * wp.sign(face_y[i])
        look = wall_look(
            images, light, material[i], picture[i], wp.where(on_x, x[i] * size_x[i], y[i] * size_y[i]),
            wp.where(on_x, size_x[i], size_y[i]), height[i],
            wp.vec2(wp.where(on_x, seen_x[i], seen_y[i]), wp.abs(wp.where(on_x, seen_y[i], seen_x[i]))),
            wp.vec2(wp.where(on_x, sun_x[i], sun_y[i]), wp.where(on_x, out_y, out_x)), ray_z[i] / length[i],
            normal_z[i], wp.max(wp.dot(wp.vec3(normal_x[i], normal_y[i], normal_z[i]), light.sun), 0.0), tint[i],
            depth[i] * shot.pixel,
        )  # fmt: skip
        looks.albedo.red[i] = look.albedo[0]
        looks.albedo.green[i] = look.albedo[1]
        looks.albedo.blue[i] = look.albedo[2]
        looks.own.red[i] = look.emission[0]
        looks.own.green[i] = look.emission[1]
        looks.own.blue[i] = look.emission[2]
        looks.gloss[i] = look.gloss
        looks.retro[i] = 1.0
        looks.sun[i] = look.sun_share
        looks.sky[i] = look.sky_share
    return looks


@wp.func
def leaves_of(images: Images, light: Light, shot: Shot, points: Points, hits: Hits):
    """A pack of leaves; these do not mirror."""
    looks = Looks()
    depth = points.depth
    x = hits.x
    y = hits.y
    z = hits.z
    face_x = hits.face_x
    face_y = hits.face_y
    face_z = hits.face_z
    normal_x = hits.normal_x
    normal_y = hits.normal_y
    normal_z = hits.normal_z
    height = hits.height
    size_x = hits.size_x
    size_y = hits.size_y
    tint = hits.tint
    picture = hits.picture
    rank = hits.rank
    for i in range(PACK):
        # Seen along the axis that the face turns to most; the offsets keep neighbouring crowns apart.
        on_x = wp.abs(face_y[i]) > wp.abs(face_x[i])
        level = wp.abs(face_z[i]) > wp.max(wp.abs(face_x[i]), wp.abs(face_y[i]))
        across = wp.where(level or on_x, x[i] * size_x[i], y[i] * size_y[i] + 0.9)
        leaf = leaf_look(
            images, light, rank[i] == 1, picture[i], (across + 0.37 * float(tint[i] & 7)) / FOLIAGE_M,
            wp.where(level, y[i] * size_y[i], -height[i]) / FOLIAGE_M, z[i], height[i], normal_z[i],
            wp.dot(wp.vec3(normal_x[i], normal_y[i], normal_z[i]), light.sun), tint[i], depth[i] * shot.pixel,
        )  # fmt: skip
        looks.albedo.red[i] = leaf.albedo[0]
        looks.albedo.green[i] = leaf.albedo[1]
        looks.albedo.blue[i] = leaf.albedo[2]
        looks.own.red[i] = leaf.emission[0]
        looks.own.green[i] = leaf.emission[1]
        looks.own.blue[i] = leaf.emission[2]
        looks.retro[i] = 1.0
        looks.sun[i] = leaf.sun_share
        looks.sky[i] = leaf.sky_share
    return looks


@wp.func
def lit_up(light: Light, points: Points, looks: Looks, shade_m: Floats):
    """The light that surfaces send to the eye; houses shade what they belong to up to `shade_m`."""
    ray_x = points.x
    ray_y = points.y
    ray_z = points.z
    length = points.length
    normal_x = looks.normal_x
    normal_y = looks.normal_y
    normal_z = looks.normal_z
    height = looks.height
    lamp = looks.lamp
    red = looks.albedo.red
    green = looks.albedo.green
    blue = looks.albedo.blue
    own_red = looks.own.red
    own_green = looks.own.green
    own_blue = looks.own.blue
    gloss = looks.gloss
    retro = looks.retro
    sun = looks.sun
    sky = looks.sky
    lit = Floats()
    glossy = int(0)
    for i in range(PACK):
        lit[i] = sunlit(height[i], shade_m[i])
        normal = wp.vec3(normal_x[i], normal_y[i], normal_z[i])
        facing = wp.clamp(-wp.dot(normal, wp.vec3(ray_x[i], ray_y[i], ray_z[i])) / length[i], 0.0, 1.0)
        incoming = light.sun_rgb * (lit[i] * sun[i]) + light.ambient_rgb * sky[i]
        incoming += road_rgb(light, lit[i]) * (0.5 - 0.5 * normal[2])
        incoming += wp.vec3(1.0, 0.95, 0.85) * (lamp[i] * facing * retro[i])
        red[i] = red[i] * incoming[0] + own_red[i]
        green[i] = green[i] * incoming[1] + own_green[i]
        blue[i] = blue[i] * incoming[2] + own_blue[i]
        glossy = glossy | wp.where(gloss[i] > 0.0, 1, 0)
    if glossy != 0:
        for i in range(PACK):
            normal = wp.vec3(normal_x[i], normal_y[i], normal_z[i])
            sight = wp.vec3(ray_x[i], ray_y[i], ray_z[i]) * (1.0 / length[i])
            mirror = mirrored_light(light, light.sun_rgb * lit[i], sight, normal, gloss[i], road_rgb(light, lit[i]))
            red[i] = red[i] + (mirror[0] - red[i]) * mirror[3]
            green[i] = green[i] + (mirror[1] - green[i]) * mirror[3]
            blue[i] = blue[i] + (mirror[2] - blue[i]) * mirror[3]
    out = Colours()
    out.red = red
    out.green = green
    out.blue = blue
    return out


@wp.func
def mesh_light(
    images: Images, meshes: Meshes, actors: Actors, statics: Statics, light: Light, shot: Shot,
    appearance_id: wp.array2d(dtype=wp.int32), signal_phase: wp.array2d(dtype=wp.int32), points: Points, name: Ints,
    shade_m: Floats, kind: wp.int32,
):  # fmt: skip
    """Light from meshes at a pack of points of one kind; `name` is each one's triangle, as in the visibility buffer,
    `shade_m` how far up houses shade what it belongs to."""
    looks = Looks()
    if kind == MESH:
        looks = coats_of(
            images, meshes, actors, statics, light, shot, appearance_id, signal_phase, points, name, shade_m
        )
    else:
        hits = hits_of(images, meshes, actors, statics, light, shot, appearance_id, signal_phase, points, name, kind)
        if kind == WALL:
            looks = walls_of(images, light, shot, points, hits)
        else:
            looks = leaves_of(images, light, shot, points, hits)
        looks.lamp = hits.lamp
        looks.height = hits.height
        looks.normal_x = hits.normal_x
        looks.normal_y = hits.normal_y
        looks.normal_z = hits.normal_z
    return lit_up(light, points, looks, shade_m)
