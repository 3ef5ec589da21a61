"""Which model of the library an actor wears: by kind, size and `appearance_id`, people also by how they walk.

The numbers are those of `sim.meshes.library.Model`, `vehicles.car_number` and `people.BODIES`.
"""

import warp as wp

from sim.render_kernels.appearance import hashed

wp.set_module_options({"enable_backward": False})

PERSON = wp.constant(100)
CHILDREN = wp.constant(4)  # bodies of people; those of adults follow
ADULTS = wp.constant(12)
CHILD_M = wp.constant(1.47)  # smaller people wear a child's body
WALK_PHASES = wp.constant(8)  # of a stride; the pose after them stands
STANDS_MPS = wp.constant(0.2)
STRIDE_SHARE = wp.constant(0.86)  # both steps of a walking cycle, of the body's height
PEDAL_TURN_M = wp.constant(4.6)  # way of a bicycle while its pedals turn once
TURNED_PEDALS = wp.constant(244)  # `two_wheelers.TURNED`
SALOON = wp.constant(0)
HATCHBACK = wp.constant(1)
SUV = wp.constant(2)
VAN = wp.constant(3)
ESTATE = wp.constant(4)
COUPE = wp.constant(5)
MINIVAN = wp.constant(6)
PICKUP = wp.constant(7)
CITY_CAR = wp.constant(8)


@wp.func
def car_model(kind: wp.int32, variant: wp.int32):
    """`vehicles.car_number`."""
    if kind < 4:
        return wp.where(variant == 0, kind, 25 + 3 * kind + variant)
    return 38 + 4 * (kind - 4) + variant


@wp.func
def car_of(size_m: wp.vec3, taste: wp.float32, variant: wp.int32):
    """The class that stretches least to a car's size, the rarer ones now and then."""
    kind = int(SALOON)
    if size_m[2] > 1.88:
        kind = VAN
        if taste < 0.25 and size_m[0] > 4.7:
            kind = PICKUP
        elif taste < 0.45:
            kind = MINIVAN
    elif size_m[2] > 1.58:
        kind = SUV
        if taste < 0.2:
            kind = MINIVAN
        elif size_m[0] > 5.0:
            kind = PICKUP
    elif size_m[0] < 3.9 or (size_m[0] < 4.35 and taste < 0.22):
        kind = CITY_CAR
    elif size_m[0] < 4.4:
        kind = HATCHBACK
    elif taste < 0.16 or size_m[2] < 1.36:
        kind = COUPE
    elif taste < 0.52:
        kind = ESTATE
    return car_model(kind, variant)


@wp.func
def person_of(size_m: wp.vec3, taste: wp.float32, walk_s_m: wp.float32, speed_mps: wp.float32):
    """A body by height, in the phase of its stride."""
    body = CHILDREN + wp.min(int(taste * float(ADULTS)), ADULTS - 1)
    if size_m[2] < CHILD_M:
        body = wp.min(int(taste * float(CHILDREN)), CHILDREN - 1)
    pose = int(WALK_PHASES)
    if wp.abs(speed_mps) > STANDS_MPS:
        phase = walk_s_m / (STRIDE_SHARE * size_m[2])
        pose = wp.min(int((phase - wp.floor(phase)) * float(WALK_PHASES)), WALK_PHASES - 1)
    return PERSON + (WALK_PHASES + 1) * body + pose


@wp.func
def model_of(kind: wp.int32, size_m: wp.vec3, appearance: wp.int32, walk_s_m: wp.float32, speed_mps: wp.float32):
    """The model of an actor of an ActorKind: 16 bits of `appearance` choose it, all of them its paint.

    `walk_s_m` is the way that a person has walked or a bicycle rolled.
    """
    shape = appearance & 0xFFFF
    taste = hashed(shape, 91)
    variant = wp.min(int(hashed(shape, 92) * 4.0), 3)
    if kind == 3:
        return person_of(size_m, taste, walk_s_m, speed_mps)
    if kind == 4:
        turns = walk_s_m / PEDAL_TURN_M
        phase = int((turns - wp.floor(turns)) * 4.0) & 3
        if phase > 0:
            return TURNED_PEDALS + 3 * variant + phase - 1
        return wp.where(variant == 0, 24, 67 + variant)
    if kind == 5:
        return wp.where(variant == 0, 25, 70 + variant)
    if kind == 1:
        if size_m[0] > 11.0:
            return 61 + wp.min(int(taste * 3.0), 2)
        if size_m[2] < 2.5:
            return car_model(VAN, variant)
        return wp.where(taste < 0.4, 4, 57 + wp.max(variant, 1))
    if kind == 2:
        if size_m[2] > 3.3 or taste < 0.3:
            return 66 + (variant & 1)
        return wp.where(variant < 2, 5, 65)
    return car_of(size_m, taste, variant)
