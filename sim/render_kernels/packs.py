"""Packs: a few surface points that are shaded together, one number of each in a row.

Compilers turn a loop of fixed length over rows into vector instructions, also where its body branches or reads memory
that it computes the place of. What is particular to few points (decals, kerbs, materials) is done point by point.
"""

import warp as wp

wp.set_module_options({"enable_backward": False})

PACK = 16
MESH = wp.constant(0)  # kinds of points, of which a pack has one: meshes but for what fills most of the picture
WALL = wp.constant(1)
LEAF = wp.constant(2)
GROUND = wp.constant(3)
SKY = wp.constant(4)
KINDS = 5
Floats = wp.types.vector(length=PACK, dtype=wp.float32)
Ints = wp.types.vector(length=PACK, dtype=wp.int32)


@wp.struct
class Shot:
    """One view: whose it is, where it looks from, and its camera's axes in the world."""

    world: wp.int32
    scene: wp.int32
    variant: wp.int32  # of textures
    eye: wp.vec3
    right: wp.vec3
    down: wp.vec3
    ahead: wp.vec3
    pixel: wp.float32  # width of a pixel at depth 1


@wp.struct
class Points:
    """Where the rays of a pack go and what they are to meet there."""

    x: Floats  # ray per unit of depth, world
    y: Floats
    z: Floats
    length: Floats  # of that ray
    depth: Floats  # 0 or less where nothing is met
    step: Floats  # side of what is shaded, in pixels
    dark: Floats  # share in shadow
    under: Floats  # share below a vehicle
    lamp: Floats  # light of the ego's lamps
    pool: Floats  # of street lamps
    near_sun: Floats


@wp.struct
class Colours:
    red: Floats
    green: Floats
    blue: Floats
