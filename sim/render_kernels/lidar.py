"""What a lidar makes of the surfaces that its rays meet: echoes, ranges, noise, and what rain, fog and snow do to them.

Rough surfaces send light back as Oren and Nayar's qualitative model has it (SIGGRAPH 1994; light and eye in the same
place), which does not fall to nothing at grazing angles as Lambert's law does. Retroreflectors add an echo of their
own. Air of visibility V takes exp(-6 r / V) of an echo on its way there and back (Koschmieder) and sends one itself:
over a pulse's length l, as a white surface of albedo pi beta l would, with backscatter beta = extinction /
LIDAR_RATIO, times a random clumpiness with a long tail for single drops and flakes. Of both echoes the receiver reports
the stronger, where that reaches its threshold.
"""

import warp as wp

from sim.kernels.rng import GOLDEN, between, mix, random_key, uniform
from sim.render_kernels.appearance import exp_of, hashed
from sim.render_kernels.paving import DECAL_FLAG, decals_at
from sim.render_kernels.spin import NO_KEY, Beams, Place, share_of
from sim.render_kernels.terrain import (
    ON_KERB,
    ON_LAND,
    ON_ROAD,
    Ground,
    cell_of,
    hit_after,
    kerb_normal,
    normal_at,
    plot_of,
    step_at,
)
from sim.render_kernels.view import ACTORS_END, DEPTH_ONE, ITEM_SHIFT, TRIANGLE_MASK, Actors, Meshes, Statics, turned

wp.set_module_options({"enable_backward": False})

PI = wp.constant(3.1415927)
STREAM = wp.constant(40)  # of random numbers
ROAD = wp.constant(7)
SIDEWALK = wp.constant(8)
TERRAIN = wp.constant(22)
PAINT_ALBEDO = wp.constant(0.55)  # of road markings, glass beads included
SNOW_ALBEDO = wp.constant(0.75)
ROUGH_A = wp.constant(0.785)  # Oren and Nayar's A and B for slopes of 0.5 rad
ROUGH_B = wp.constant(0.331)
CLEAR_PM = wp.constant(2.0e-4)  # extinction below which air sends no echo
LIDAR_RATIO_SR = wp.constant(20.0)
PULSE_M = wp.constant(0.75)  # half of 5 ns of light
AIR_FROM_M = wp.constant(1.0)
AIR_TO_M = wp.constant(40.0)
OVERLAP_M = wp.constant(4.0)  # nearer than this the receiver sees only part of the beam


@wp.struct
class Receiver:
    """What one lidar measures with."""

    ego_from_sensor: wp.mat44
    range_m: wp.float32
    nearest_m: wp.float32
    threshold: wp.float32  # least echo over r^2
    noise_m: wp.float32  # standard deviation of ranges
    spread_rad: wp.float32  # of a beam, for what it covers on the ground
    compensated: wp.int32


@wp.func
def bell(key: wp.uint64, counter: wp.int32):
    """A number of zero mean and unit deviation: four uniform ones of 16 bits added up."""
    bits = mix(key ^ (wp.uint64(counter) * GOLDEN))
    low = wp.uint64(0xFFFF)
    total = int(bits & low) + int((bits >> wp.uint64(16)) & low)
    total += int((bits >> wp.uint64(32)) & low) + int(bits >> wp.uint64(48))
    return (float(total) * (1.0 / 65535.0) - 2.0) * 1.7320508


@wp.func
def rough(cosine: wp.float32):
    """Oren and Nayar's reflectance back to where the light comes from, over the albedo."""
    return ROUGH_A * cosine + ROUGH_B * (1.0 - cosine * cosine)


@wp.func
def ground_albedo(
    ground: Ground, scene: wp.int32, x: float, y: float, semantic: wp.int32, footprint: float, wet: float, snow: float
):
    """Of roads with their paint, sidewalks and land; wet ones are darker, snow is bright."""
    albedo = float(0.32)
    if semantic == TERRAIN:
        albedo = 0.45
    elif semantic == ROAD:
        albedo = 0.17
        cell = cell_of(plot_of(ground, scene), x, y)
        if cell >= 0 and (ground.code[cell] & DECAL_FLAG) != 0:
            across = wp.vec2(footprint, 0.0)
            _, paint = decals_at(ground, scene, cell + scene, x, y, across, wp.vec2(0.0, footprint), 0.5)
            albedo += (PAINT_ALBEDO - albedo) * wp.min(paint[3], 1.0)
    albedo *= 1.0 - 0.55 * wet
    return albedo + (SNOW_ALBEDO - albedo) * snow


@wp.struct
class Worlds:
    """What rays may meet."""

    meshes: Meshes
    actors: Actors
    statics: Statics
    ground: Ground
    # Per material: albedo, how much of it varies by instance, retroreflection, mean depth of echoes below the surface
    reflectance: wp.array(dtype=wp.vec4)
    semantic_of_kind: wp.array(dtype=wp.int32)


@wp.func
def ground_seen(
    worlds: Worlds, scene: wp.int32, part: wp.int32, point: wp.vec3, toward: wp.vec3, footprint: float,
    weather: wp.vec3,
):  # fmt: skip
    """Class and echo of a part of the ground: road, walk, the kerb between, land."""
    semantic = int(SIDEWALK)
    if part == ON_ROAD:
        semantic = ROAD
    elif part == ON_LAND:
        semantic = TERRAIN
    normal = normal_at(worlds.ground, scene, point[0], point[1])
    if part == ON_KERB:
        normal = kerb_normal(worlds.ground, scene, point[0], point[1])
    cosine = wp.abs(wp.dot(normal, wp.normalize(toward)))
    albedo = ground_albedo(worlds.ground, scene, point[0], point[1], semantic, footprint, weather[1], weather[2])
    # Water mirrors light away from grazing beams.
    return semantic, albedo * (rough(cosine) - 0.6 * weather[1] * ROUGH_B * (1.0 - cosine * cosine))


@wp.func
def thing_seen(
    worlds: Worlds,
    scene: wp.int32,
    world: wp.int32,
    name: wp.uint32,
    kind: wp.array2d(dtype=wp.int32),
    appearance_id: wp.array2d(dtype=wp.int32),
    toward: wp.vec3,
    snow: wp.float32,
):
    """Class, instance and echo of a triangle, and how deep in it, as leaves, the echo comes from on average."""
    item = int(name >> wp.uint32(ITEM_SHIFT))
    turn = wp.identity(n=3, dtype=wp.float32)
    size = wp.vec3(1.0, 1.0, 1.0)
    model = int(0)
    look = int(0)
    semantic = int(0)
    instance = int(0)
    if item >= ACTORS_END:
        at = worlds.statics.map_first[scene] + item - ACTORS_END
        stand = worlds.statics.pose[at]
        turn = turned(stand[2], stand[3], 1.0, 0.0)
        size = worlds.statics.size_m[at]
        model = worlds.statics.model[at]
        semantic = worlds.meshes.semantic[model]
        look = worlds.statics.tint[at]
    else:
        turn = worlds.actors.turn[world, item]
        size = worlds.actors.size_m[world, item]
        model = worlds.actors.model[world, item]
        semantic = worlds.semantic_of_kind[kind[world, item]]
        instance = item + 1
        look = appearance_id[world, item]
    triangle = worlds.meshes.first[model, 0] + (int(name) & TRIANGLE_MASK)
    plane = worlds.meshes.plane[triangle]
    normal = turn * wp.normalize(wp.cw_div(wp.vec3(plane[0], plane[1], plane[2]), size))
    cosine = wp.abs(wp.dot(normal, wp.normalize(toward)))
    surface = worlds.reflectance[worlds.meshes.material[triangle]]
    albedo = surface[0] + surface[1] * (hashed(look, 77) - 0.5)
    albedo += (SNOW_ALBEDO - albedo) * snow * wp.max(normal[2], 0.0)
    return semantic, instance, albedo * rough(cosine) + surface[2] * wp.sqrt(cosine), surface[3]


@wp.func
def air_seen(random: wp.uint64, extinction: wp.float32):
    """Where air sends the echo that may be reported, and the echo."""
    range_m = between(random, 3, AIR_FROM_M, AIR_TO_M)
    clump = 1.0 / wp.sqrt(uniform(random, 4) + 1.0e-6)
    overlap = wp.min(range_m / OVERLAP_M, 1.0)
    share = PI * PULSE_M / LIDAR_RATIO_SR * extinction
    return range_m, share * clump * overlap * overlap * exp_of(-2.0 * extinction * range_m)


@wp.kernel
def receive(
    # World
    map_index: wp.array(dtype=wp.int32),
    seed: wp.array(dtype=wp.int64),
    kind: wp.array2d(dtype=wp.int32),
    appearance_id: wp.array2d(dtype=wp.int32),
    # State
    tick: wp.array(dtype=wp.int64),
    # In
    beams: Beams,
    place: Place,
    receiver: Receiver,
    worlds: Worlds,
    air: wp.array(dtype=wp.vec3),
    key: wp.array3d(dtype=wp.int64),
    # Out
    xyz_out: wp.array3d(dtype=wp.vec3),
    range_out: wp.array3d(dtype=wp.float32),
    intensity_out: wp.array3d(dtype=wp.float32),
    valid_out: wp.array3d(dtype=wp.bool),
    true_range_out: wp.array3d(dtype=wp.float32),
    semantic_out: wp.array3d(dtype=wp.uint8),
    instance_out: wp.array3d(dtype=wp.int16),
    from_air_out: wp.array3d(dtype=wp.bool),
):
    """One thread a column: rays from the lowest up, as each meets the ground behind the one below it.

    `air`: extinction per metre, wet, snow.
    """
    world, column = wp.tid()
    scene = map_index[world]
    share = share_of(beams, column)
    aim = place.aim[world, column]
    world_from_sensor = wp.transpose(place.sensor_from_world[world])
    origin = place.travel[world] * share
    eye = place.eye[world] + world_from_sensor * origin
    weather = air[world]
    extinction = weather[0]
    told = aim
    if receiver.compensated == 0:
        azimuth = beams.first_rad + float(column) * beams.step_rad
        told = wp.vec2(wp.cos(azimuth), wp.sin(azimuth))
        origin = wp.vec3(0.0, 0.0, 0.0)
    behind = float(0.0)
    open_land = bool(False)
    pose = receiver.ego_from_sensor
    for channel in range(beams.channels):
        tan = beams.tan[channel]
        toward = world_from_sensor * wp.vec3(aim[0], aim[1], tan)
        long = wp.sqrt(1.0 + tan * tan)
        seen = key[world, column, channel]
        level = float(wp.inf)
        if seen < NO_KEY:
            level = float(seen >> wp.int64(32)) / DEPTH_ONE
        on_ground = bool(False)
        part = int(0)
        if not open_land:
            down = hit_after(worlds.ground, scene, eye, toward, behind, receiver.range_m)
            if down <= 0.0 and behind > 0.0:
                down = hit_after(worlds.ground, scene, eye, toward, 0.0, receiver.range_m)
            # Rays farther up meet the ground farther away, or not at all.
            behind = 0.9 * down
            open_land = down <= 0.0
            if down > 0.0:
                step = step_at(worlds.ground, scene, eye, toward, down)
                if step.depth < level:
                    level = step.depth
                    part = step.part
                    on_ground = True
        distance = level * long
        point = eye + toward * level
        semantic = int(0)
        instance = int(0)
        echo = float(0.0)
        deep_m = float(0.0)
        if distance > receiver.range_m:
            distance = float(wp.inf)
        elif on_ground:
            footprint = distance * receiver.spread_rad
            semantic, echo = ground_seen(worlds, scene, part, point, toward, footprint, weather)
        else:
            name = wp.uint32(seen & wp.int64(0xFFFFFFFF))
            semantic, instance, echo, deep_m = thing_seen(
                worlds, scene, world, name, kind, appearance_id, toward, weather[2]
            )
        random = random_key(seed[world], STREAM, column * beams.channels + channel, tick[world])
        power = float(0.0)
        if echo > 0.0 and distance > receiver.nearest_m:
            echo *= exp_of(-2.0 * extinction * distance)
            power = echo / (distance * distance) * (1.0 + 0.2 * bell(random, 0))
        told_range = distance + receiver.noise_m * bell(random, 1)
        if deep_m > 0.0:
            told_range += deep_m * wp.min(-wp.log(1.0 - uniform(random, 5)), 4.0)
        told_echo = echo * (1.0 + 0.04 * bell(random, 2))
        from_air = bool(False)
        if extinction > CLEAR_PM:
            air_m, veil = air_seen(random, extinction)
            veil_power = veil / (air_m * air_m)
            from_air = veil_power > wp.max(power, receiver.threshold) and air_m < wp.min(distance, receiver.range_m)
            if from_air:
                power = veil_power
                told_range = air_m
                told_echo = veil
        valid = power > receiver.threshold
        told_point = origin + wp.vec3(told[0], told[1], tan) * (told_range / long)
        spot = wp.vec3(
            pose[0, 0] * told_point[0] + pose[0, 1] * told_point[1] + pose[0, 2] * told_point[2] + pose[0, 3],
            pose[1, 0] * told_point[0] + pose[1, 1] * told_point[1] + pose[1, 2] * told_point[2] + pose[1, 3],
            pose[2, 0] * told_point[0] + pose[2, 1] * told_point[1] + pose[2, 2] * told_point[2] + pose[2, 3],
        )
        if not valid:
            spot = wp.vec3(0.0, 0.0, 0.0)
            told_range = 0.0
            told_echo = 0.0
        xyz_out[world, channel, column] = spot
        range_out[world, channel, column] = told_range
        intensity_out[world, channel, column] = wp.clamp(told_echo, 0.0, 1.0)
        valid_out[world, channel, column] = valid
        true_range_out[world, channel, column] = distance
        semantic_out[world, channel, column] = wp.uint8(semantic)
        instance_out[world, channel, column] = wp.int16(instance)
        from_air_out[world, channel, column] = from_air
