"""Which instance each point of a pack is on, and where on it: placed models and the triangles that rays meet."""

import warp as wp

from sim.render_kernels.appearance import Images, Light
from sim.render_kernels.house_shade import shade_of_static
from sim.render_kernels.packs import LEAF, MESH, WALL, Shot
from sim.render_kernels.terrain import Ground
from sim.render_kernels.view import ACTORS_END, Actors, Meshes, Statics, turned
from sim.render_kernels.walls import is_leaf, is_wall

wp.set_module_options({"enable_backward": False})


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
    sun: wp.vec3  # in the body's axes
    facade: wp.int32  # painting of its walls
    foliage: wp.int32  # and of its leaves


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


@wp.struct
class Hit:
    """Where a ray meets a triangle."""

    local: wp.vec3  # in the instance's unit box
    face: wp.vec3  # along the triangle's normal in the body's axes, of any length
    normal: wp.vec3  # unit normal of the surface in the world


@wp.func
def hit_at(meshes: Meshes, inst: Instance, triangle: wp.int32, toward: wp.vec3):
    hit = Hit()
    aim = wp.cw_mul(toward * inst.turn, inst.inverse)
    facet = meshes.facet[triangle]
    upright = wp.vec3(facet[0, 0], facet[0, 1], facet[0, 2])
    reach = (facet[0, 3] - wp.dot(upright, inst.eye)) / wp.min(wp.dot(upright, aim), -1.0e-6)
    # Silhouettes may ask for a point just outside.
    x = wp.clamp(inst.eye[0] + aim[0] * reach, -0.5, 0.5)
    y = wp.clamp(inst.eye[1] + aim[1] * reach, -0.5, 0.5)
    z = wp.clamp(inst.eye[2] + aim[2] * reach, 0.0, 1.0)
    flat = wp.vec3(
        facet[1, 0] + facet[1, 1] * x + facet[1, 2] * y + facet[1, 3] * z,
        facet[2, 0] + facet[2, 1] * x + facet[2, 2] * y + facet[2, 3] * z,
        facet[3, 0] + facet[3, 1] * x + facet[3, 2] * y + facet[3, 3] * z,
    )
    hit.local = wp.vec3(x, y, z)
    hit.face = wp.cw_mul(upright, inst.inverse)
    hit.normal = inst.turn * wp.normalize(wp.cw_mul(flat, inst.inverse))
    return hit


@wp.func
def lamps_at(shot: Shot, inst: Instance, depth: float, rise: float, lamp: wp.float32, pool: wp.float32):
    """Light of the ego's lamps and of street lamps: upright things are lit aslant, those above lanterns hardly."""
    return lamp + pool * wp.clamp(1.1 - 0.12 * (shot.eye[2] + depth * rise - inst.base_z), 0.05, 0.5)
