"""What a radar hears from the surfaces that its rays meet, and how echoes fluctuate from tick to tick."""

import warp as wp

from sim.kernels.rng import random_key, uniform
from sim.render_kernels.lidar import bell
from sim.render_kernels.spin import NO_KEY, Beams, Place
from sim.render_kernels.terrain import Ground, hit_after
from sim.render_kernels.view import ACTORS_END, DEPTH_ONE, ITEM_SHIFT, Actors, Meshes, Statics

wp.set_module_options({"enable_backward": False})

STREAM = wp.constant(41)  # of random numbers
SPEEDS = wp.constant(4096)  # bins of speeds
STILL = wp.constant(2048)  # the bin of those from 0 on
NOTHING = wp.constant(wp.int64(0x7FFFFFFFFFFFFFFF))


@wp.struct
class Bins:
    """Cells that a radar cannot look into."""

    range_m: wp.float32
    azimuth_rad: wp.float32
    speed_mps: wp.float32
    most_m: wp.float32


@wp.kernel
def hear(
    # World
    map_index: wp.array(dtype=wp.int32),
    kind: wp.array2d(dtype=wp.int32),
    # State
    speed_mps: wp.array2d(dtype=wp.float32),
    velocity: wp.array(dtype=wp.vec3),
    # In
    beams: Beams,
    place: Place,
    bins: Bins,
    meshes: Meshes,
    actors: Actors,
    statics: Statics,
    ground: Ground,
    gain: wp.array(dtype=wp.float32),
    semantic_of_kind: wp.array(dtype=wp.int32),
    key: wp.array3d(dtype=wp.int64),
    # Out
    cell_out: wp.array2d(dtype=wp.int64),
    area_out: wp.array2d(dtype=wp.float32),
    where_out: wp.array3d(dtype=wp.float32),
    source_out: wp.array2d(dtype=wp.int32),
):
    """One thread a ray: its cell of range, azimuth and speed, the radar cross-section it adds there, range, azimuth and
    radial speed, and where from: 256 (actor + 1) + class. `velocity` is the sensor's in its own axes, `gain` the
    cross-section per square metre that is seen, by class."""
    world, column, channel = wp.tid()
    ray = column * beams.channels + channel
    cell_out[world, ray] = NOTHING
    area_out[world, ray] = 0.0
    source_out[world, ray] = 0
    seen = key[world, column, channel]
    if seen >= NO_KEY:
        return
    scene = map_index[world]
    tan = beams.tan[channel]
    aim = place.aim[world, column]
    level = float(seen >> wp.int64(32)) / DEPTH_ONE
    long = wp.sqrt(1.0 + tan * tan)
    range_m = level * long
    if range_m >= bins.most_m:
        return
    sensor_from_world = place.sensor_from_world[world]
    if ground.flat[scene] == 0:
        toward = wp.transpose(sensor_from_world) * wp.vec3(aim[0], aim[1], tan)
        down = hit_after(ground, scene, place.eye[world], toward, 0.0, level + 1.0)
        if down > 0.0 and down < level:
            return
    item = int(wp.uint32(seen & wp.int64(0xFFFFFFFF)) >> wp.uint32(ITEM_SHIFT))
    moves = -velocity[world]
    semantic = int(0)
    instance = int(0)
    if item >= ACTORS_END:
        semantic = meshes.semantic[statics.model[statics.map_first[scene] + item - ACTORS_END]]
    else:
        instance = item + 1
        semantic = semantic_of_kind[kind[world, item]]
        moves += sensor_from_world * actors.turn[world, item] * wp.vec3(speed_mps[world, item], 0.0, 0.0)
    radial = wp.dot(moves, wp.vec3(aim[0], aim[1], tan)) / long
    azimuth = beams.first_rad + float(column) * beams.step_rad
    above = beams.tan[wp.min(channel + 1, beams.channels - 1)]
    below = beams.tan[wp.max(channel - 1, 0)]
    # Solid angle of the ray: half way to its neighbours.
    solid = 0.5 * (above - below) * wp.abs(beams.step_rad) / (long * long * long)
    row = wp.int64(range_m / bins.range_m)
    side = wp.int64((azimuth + 1.6) / bins.azimuth_rad)
    speed = wp.int64(wp.clamp(int(wp.floor(radial / bins.speed_mps)) + STILL, 0, 4095))
    cell_out[world, ray] = ((row << wp.int64(12)) | side) * wp.int64(SPEEDS) + speed
    area_out[world, ray] = gain[semantic] * range_m * range_m * solid
    where_out[world, ray, 0] = range_m
    where_out[world, ray, 1] = azimuth
    where_out[world, ray, 2] = radial
    source_out[world, ray] = instance * 256 + semantic


@wp.kernel
def measure(
    # World
    seed: wp.array(dtype=wp.int64),
    # State
    tick: wp.array(dtype=wp.int64),
    # In
    bins: Bins,
    noise: wp.float32,
    ghosts: wp.float32,
    loss_db_per_m: wp.array(dtype=wp.float32),
    cell: wp.array2d(dtype=wp.int64),
    area: wp.array2d(dtype=wp.float32),
    # Out
    where_out: wp.array3d(dtype=wp.float32),
    rcs_out: wp.array2d(dtype=wp.float32),
    strength_out: wp.array2d(dtype=wp.float32),
):
    """Turn the mean of each cell into what is measured, in place; `strength_out` >= 1 is heard. Slots past half of the
    row are ghosts of those before. Swerling's third case: cross-sections of a main reflector and many small ones."""
    world, slot = wp.tid()
    half = cell.shape[1] // 2
    own = slot % half
    strength_out[world, slot] = 0.0
    rcs_out[world, slot] = 0.0
    mean = area[world, own]
    if mean <= 0.0:
        return
    found = cell[world, own]
    random = random_key(seed[world], STREAM, int(found & wp.int64(0x7FFFFFFF)), tick[world] ^ (found >> wp.int64(31)))
    fluctuation = float(1.0)
    if noise > 0.0:
        fluctuation = -0.5 * wp.log((1.0 - uniform(random, 0)) * (1.0 - uniform(random, 1)))
    rcs = mean * fluctuation
    range_m = where_out[world, own, 0]
    ghost = slot >= half
    if ghost:
        if uniform(random, 2) >= ghosts or 2.0 * range_m >= bins.most_m:
            return
        rcs = rcs * 0.03
        range_m = 2.0 * range_m
        where_out[world, slot, 1] = where_out[world, own, 1]
        where_out[world, slot, 2] = 2.0 * where_out[world, own, 2]
    where_out[world, slot, 0] = range_m
    quiet = wp.pow(10.0, -0.2 * loss_db_per_m[world] * range_m)
    share = bins.most_m / range_m
    strength_out[world, slot] = 0.1 * rcs * quiet * share * share * share * share
    rcs_out[world, slot] = rcs


@wp.kernel
def report(
    # World
    seed: wp.array(dtype=wp.int64),
    # State
    tick: wp.array(dtype=wp.int64),
    # In
    bins: Bins,
    noise: wp.float32,
    chosen: wp.array2d(dtype=wp.int64),
    cell: wp.array2d(dtype=wp.int64),
    where: wp.array3d(dtype=wp.float32),
    rcs: wp.array2d(dtype=wp.float32),
    strength: wp.array2d(dtype=wp.float32),
    source: wp.array2d(dtype=wp.int32),
    # Out
    range_out: wp.array2d(dtype=wp.float32),
    azimuth_out: wp.array2d(dtype=wp.float32),
    radial_out: wp.array2d(dtype=wp.float32),
    rcs_out: wp.array2d(dtype=wp.float32),
    valid_out: wp.array2d(dtype=wp.bool),
    instance_out: wp.array2d(dtype=wp.int32),
    semantic_out: wp.array2d(dtype=wp.uint8),
    ghost_out: wp.array2d(dtype=wp.bool),
):
    """The strongest cells as detections, with noise of a share of a cell's size."""
    world, row = wp.tid()
    slot = int(chosen[world, row])
    half = cell.shape[1] // 2
    own = slot % half
    heard = strength[world, slot] >= 1.0
    range_out[world, row] = 0.0
    azimuth_out[world, row] = 0.0
    radial_out[world, row] = 0.0
    rcs_out[world, row] = 0.0
    valid_out[world, row] = heard
    instance_out[world, row] = 0
    semantic_out[world, row] = wp.uint8(0)
    ghost_out[world, row] = False
    if not heard:
        return
    found = cell[world, own]
    random = random_key(seed[world], STREAM, int(found & wp.int64(0x7FFFFFFF)), tick[world] ^ (found >> wp.int64(31)))
    first = 3 + 3 * (slot // half)
    range_out[world, row] = where[world, slot, 0] + 0.25 * noise * bins.range_m * bell(random, first)
    azimuth_out[world, row] = where[world, slot, 1] + 0.125 * noise * bins.azimuth_rad * bell(random, first + 1)
    radial_out[world, row] = where[world, slot, 2] + 0.5 * noise * bins.speed_mps * bell(random, first + 2)
    rcs_out[world, row] = 4.3429448 * wp.log(rcs[world, slot])
    instance_out[world, row] = source[world, own] // 256
    semantic_out[world, row] = wp.uint8(source[world, own] % 256)
    ghost_out[world, row] = slot >= half
