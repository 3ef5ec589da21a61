"""What turning beams meet: an atomic-min visibility buffer over azimuth and elevation.

A column is a half-plane through the sensor's axis, and along it a ray is (cos a, sin a, t) with t the tangent of its
elevation. A plane through two corners of a triangle bounds an interval of t in every column, as in raster.py, whatever
the table of elevations: each ray meets exactly what it would meet alone. While the sensor turns it may move on
straight and turn with its car; actors move on at their speed. Columns are then seen from where they were shot.
"""

import warp as wp

from sim.render_kernels.appearance import turns_of
from sim.render_kernels.raster import edge_plane
from sim.render_kernels.view import (
    DEPTH_ONE,
    FARTHEST_M,
    FINE_PX,
    ITEM_SHIFT,
    LEAST_PX,
    MIDDLE_PX,
    STATIC_FLAG,
    Actors,
    Meshes,
    Statics,
    turned,
)

wp.set_module_options({"enable_backward": False})

NO_KEY = wp.constant(wp.int64(0x7FFFFFFFFFFFFFFF))
NEAREST_M = wp.constant(0.05)
TURN = wp.constant(6.2831853)
SLACK = wp.constant(0.1)  # columns that azimuths may be off, as they come from a polynomial; edges decide


@wp.struct
class Beams:
    """The rays of one sensor in every world; elevations ascend."""

    tan: wp.array(dtype=wp.float32)  # (R,) of the elevations
    channel: wp.array(dtype=wp.int32)  # first ray whose tangent is at least a bin's lower end
    tan_first: wp.float32  # lower end of the first bin
    bins_per_tan: wp.float32
    channels: wp.int32
    columns: wp.int32
    first_rad: wp.float32  # azimuth of the first column, counter-clockwise from ahead
    step_rad: wp.float32
    spin_s: wp.float32  # time from the first column to the tick; 0: all at once


@wp.struct
class Place:
    """Where the sensors are at the tick, and how far they came during the spin."""

    eye: wp.array(dtype=wp.vec3)  # (B,) world
    sensor_from_world: wp.array(dtype=wp.mat33)
    travel: wp.array(dtype=wp.vec3)  # in sensor axes
    turn_rad: wp.array(dtype=wp.float32)
    aim: wp.array2d(dtype=wp.vec2)  # (B, A) cosine and sine of each column's azimuth, in the axes at the tick


@wp.struct
class Near:
    """The instances that the beams may meet."""

    count: wp.array(dtype=wp.int32)  # (B,)
    name: wp.array2d(dtype=wp.int64)  # (B, S) as view.DrawList
    triangles: wp.array2d(dtype=wp.vec2i)
    axes: wp.array2d(dtype=wp.mat33)  # sensor_from_unit
    shift: wp.array2d(dtype=wp.vec3)
    drift: wp.array2d(dtype=wp.vec3)  # way of the sensor past the instance during the spin
    source: wp.array2d(dtype=wp.vec3)  # the sensor in the unit box at the tick
    source_before: wp.array2d(dtype=wp.vec3)  # and a spin before


@wp.func
def share_of(beams: Beams, column: wp.int32):
    """When a column is shot: -1 a spin before the tick, 0 at it."""
    if beams.spin_s <= 0.0:
        return 0.0
    return (float(column) + 0.5) / float(beams.columns) - 1.0


@wp.kernel
def place_sensors(
    # State
    xy_world_m: wp.array3d(dtype=wp.float32),
    z_world_m: wp.array2d(dtype=wp.float32),
    yaw_world_rad: wp.array2d(dtype=wp.float32),
    pitch_rad: wp.array2d(dtype=wp.float32),
    speed_mps: wp.array2d(dtype=wp.float32),
    yaw_rate_radps: wp.array2d(dtype=wp.float32),
    # In
    ego_from_sensor: wp.mat44,
    beams: Beams,
    # Out
    place_out: Place,
    count_out: wp.array(dtype=wp.int32),
):
    world = wp.tid()
    yaw = yaw_world_rad[world, 0]
    pitch = pitch_rad[world, 0]
    body = turned(wp.cos(yaw), wp.sin(yaw), wp.cos(pitch), wp.sin(pitch))
    pose = ego_from_sensor
    mount = wp.mat33(
        pose[0, 0], pose[0, 1], pose[0, 2], pose[1, 0], pose[1, 1], pose[1, 2], pose[2, 0], pose[2, 1], pose[2, 2]
    )
    arm = body * wp.vec3(pose[0, 3], pose[1, 3], pose[2, 3])
    place_out.eye[world] = wp.vec3(xy_world_m[world, 0, 0], xy_world_m[world, 0, 1], z_world_m[world, 0]) + arm
    sensor_from_world = wp.transpose(body * mount)
    place_out.sensor_from_world[world] = sensor_from_world
    rate = yaw_rate_radps[world, 0]
    velocity = body * wp.vec3(speed_mps[world, 0], 0.0, 0.0) + wp.vec3(-rate * arm[1], rate * arm[0], 0.0)
    place_out.travel[world] = sensor_from_world * velocity * beams.spin_s
    turn = rate * beams.spin_s
    place_out.turn_rad[world] = turn
    for column in range(beams.columns):
        azimuth = beams.first_rad + float(column) * beams.step_rad + turn * share_of(beams, column)
        place_out.aim[world, column] = wp.vec2(wp.cos(azimuth), wp.sin(azimuth))
    count_out[world] = 0


@wp.func
def list_one(
    beams: Beams,
    place: Place,
    meshes: Meshes,
    near: Near,
    world: wp.int32,
    name: wp.int64,
    model: wp.int32,
    base: wp.vec3,
    body: wp.mat33,
    size: wp.vec3,
    velocity: wp.vec3,
    range_m: wp.float32,
):
    """Append one instance, if beams can reach it; `body` is its world_from_body."""
    turn = place.sensor_from_world[world]
    away = base - place.eye[world]
    middle = turn * (away + (0.5 * size[2]) * wp.vec3(body[0, 2], body[1, 2], body[2, 2]))
    drift = place.travel[world] - turn * velocity * beams.spin_s
    radius = 0.5 * wp.length(size) + wp.length(drift)
    distance = wp.length(middle)
    looks_px = wp.max(size[0], wp.max(size[1], size[2])) / (wp.abs(beams.step_rad) * wp.max(distance, 0.1))
    if distance - radius > range_m or looks_px < LEAST_PX:
        return
    level = wp.sqrt(middle[0] * middle[0] + middle[1] * middle[1])
    # Wholly above the highest beam or below the lowest: cones, whose distance from a point is that from their edge.
    high = beams.tan[beams.channels - 1]
    low = beams.tan[0]
    above = (middle[2] - high * level) / wp.sqrt(1.0 + high * high)
    below = (low * level - middle[2]) / wp.sqrt(1.0 + low * low)
    if (high > 0.0 and above > radius) or (low < 0.0 and below > radius):
        return
    detail = int(0)
    if looks_px < MIDDLE_PX:
        detail = 2
    elif looks_px < FINE_PX:
        detail = 1
    first = meshes.first[model, detail]
    slot = wp.atomic_add(near.count, world, 1)
    near.name[world, slot] = name + wp.int64(first - meshes.first[model, 0])
    near.triangles[world, slot] = wp.vec2i(first, meshes.count[model, detail])
    near.axes[world, slot] = turn * body * wp.diag(size)
    near.shift[world, slot] = turn * away
    near.drift[world, slot] = drift
    near.source[world, slot] = wp.cw_div(-away * body, size)
    before = away + wp.transpose(turn) * drift
    near.source_before[world, slot] = wp.cw_div(-before * body, size)


@wp.kernel
def list_near(
    # World
    map_index: wp.array(dtype=wp.int32),
    # State
    speed_mps: wp.array2d(dtype=wp.float32),
    # In
    beams: Beams,
    place: Place,
    meshes: Meshes,
    actors: Actors,
    statics: Statics,
    range_m: wp.float32,
    reach: wp.int32,
    actor_count: wp.int32,
    threads: wp.int32,
    # Out
    near_out: Near,
):
    """`threads` threads share a world's candidates: first the actors, then the cells of the static grid around it."""
    world, thread = wp.tid()
    scene = map_index[world]
    side = 2 * reach + 1
    eye = place.eye[world]
    corner = statics.origin[scene]
    shape = statics.shape[scene]
    base = statics.map_first[scene]
    for candidate in range(thread, actor_count + side * side, threads):
        if candidate < actor_count:
            model = actors.model[world, candidate]
            if model >= 0:
                pose = actors.pose[world, candidate]
                turn = actors.turn[world, candidate]
                list_one(
                    beams, place, meshes, near_out, world, wp.int64(candidate) << ITEM_SHIFT, model,
                    wp.vec3(pose[0], pose[1], actors.z[world, candidate]), turn, actors.size_m[world, candidate],
                    turn * wp.vec3(speed_mps[world, candidate], 0.0, 0.0), range_m,
                )  # fmt: skip
            continue
        cell = candidate - actor_count
        column = int(wp.floor((eye[0] - corner[0]) / statics.cell_m)) + cell % side - reach
        row = int(wp.floor((eye[1] - corner[1]) / statics.cell_m)) + cell // side - reach
        if column < 0 or row < 0 or column >= shape[0] or row >= shape[1]:
            continue
        at = statics.grid_first[scene] + row * shape[0] + column
        for item in range(statics.cell_first[at], statics.cell_first[at + 1]):
            pose = statics.pose[item]
            list_one(
                beams, place, meshes, near_out, world, STATIC_FLAG | (wp.int64(item - base) << ITEM_SHIFT),
                statics.model[item], wp.vec3(pose[0], pose[1], statics.z[item]), turned(pose[2], pose[3], 1.0, 0.0),
                statics.size_m[item], wp.vec3(0.0, 0.0, 0.0), range_m,
            )  # fmt: skip


@wp.func
def tan_limits(slope: wp.float32, rest: wp.float32, limits: wp.vec2):
    """Narrow an interval of t to where slope t + rest >= 0."""
    low = limits[0]
    high = limits[1]
    if slope > 0.0:
        low = wp.max(low, -rest / slope)
    elif slope < 0.0:
        high = wp.min(high, -rest / slope)
    elif rest < 0.0:
        high = low - 1.0
    return wp.vec2(low, high)


@wp.func
def wrapped(turns: wp.float32):
    return turns - wp.round(turns)


@wp.func
def first_channel(beams: Beams, tan: wp.float32):
    """The lowest ray at or above an elevation's tangent; the number of rays where there is none."""
    if tan > beams.tan[beams.channels - 1]:
        return beams.channels
    at = beams.channel[wp.max(int((tan - beams.tan_first) * beams.bins_per_tan), 0)]
    while beams.tan[at] < tan:
        at += 1
    return at


@wp.func
def azimuths_of(p0: wp.vec3, p1: wp.vec3, p2: wp.vec3, start: wp.float32):
    """Smallest and largest azimuth of a triangle in turns, counted on from near `start`; 9 apart where it lies over
    or under the sensor."""
    a = start + wrapped(turns_of(p0[1], p0[0]) - start)
    b = a + wrapped(turns_of(p1[1], p1[0]) - a)
    c = b + wrapped(turns_of(p2[1], p2[0]) - b)
    if wp.abs(c - a) > 0.5:
        return wp.vec2(-4.0, 5.0)
    return wp.vec2(wp.min(a, wp.min(b, c)), wp.max(a, wp.max(b, c)))


@wp.func
def draw_column(
    beams: Beams,
    key: wp.array3d(dtype=wp.int64),
    world: wp.int32,
    column: wp.int32,
    aim: wp.vec2,
    e0: wp.vec3,
    e1: wp.vec3,
    e2: wp.vec3,
    normal: wp.vec3,
    volume: wp.float32,
    bounds: wp.vec2,
    tag: wp.int64,
):
    """Put what of a triangle lies in a column into the buffer."""
    limits = tan_limits(e0[2], e0[0] * aim[0] + e0[1] * aim[1], bounds)
    limits = tan_limits(e1[2], e1[0] * aim[0] + e1[1] * aim[1], limits)
    limits = tan_limits(e2[2], e2[0] * aim[0] + e2[1] * aim[1], limits)
    if limits[1] < limits[0]:
        return
    rest = normal[0] * aim[0] + normal[1] * aim[1]
    channel = first_channel(beams, limits[0])
    while channel < beams.channels:
        tan = beams.tan[channel]
        if tan > limits[1]:
            break
        slope = rest + normal[2] * tan
        level = volume / slope
        if slope < 0.0 and level > NEAREST_M and level < FARTHEST_M:
            wp.atomic_min(key, world, column, channel, (wp.int64(level * DEPTH_ONE + 0.5) << wp.int64(32)) | tag)
        channel += 1


@wp.kernel
def sweep(
    # In
    beams: Beams,
    place: Place,
    meshes: Meshes,
    near: Near,
    threads: wp.int32,
    lanes: wp.int32,
    # Out
    key_out: wp.array3d(dtype=wp.int64),
):
    """Draw every listed instance into the buffer (B, A, R): level distance in units of 2^-20 m and the triangle's name.

    `threads` threads share a world, `lanes` of them an instance.
    """
    world, thread = wp.tid()
    lowest = beams.tan[0]
    highest = beams.tan[beams.channels - 1]
    moves = beams.spin_s > 0.0
    # Azimuths of columns are even also where the car turns.
    step = beams.step_rad
    first = beams.first_rad
    if moves:
        step += place.turn_rad[world] / float(beams.columns)
        first += place.turn_rad[world] * share_of(beams, 0)
    step = step / TURN
    first = first / TURN
    for slot in range(thread // lanes, near.count[world], threads // lanes):
        axes = near.axes[world, slot]
        shift = near.shift[world, slot]
        drift = near.drift[world, slot]
        extent = near.triangles[world, slot]
        eye = near.source[world, slot]
        before = near.source_before[world, slot]
        name = near.name[world, slot]
        for triangle in range(thread % lanes, extent[1], lanes):
            plane = meshes.plane[extent[0] + triangle]
            facing = plane[0] * eye[0] + plane[1] * eye[1] + plane[2] * eye[2] > plane[3]
            if moves and not facing:
                facing = plane[0] * before[0] + plane[1] * before[1] + plane[2] * before[2] > plane[3]
            if not facing:
                continue
            at = 3 * (extent[0] + triangle)
            p0 = axes * meshes.corner[at] + shift
            p1 = axes * meshes.corner[at + 1] + shift
            p2 = axes * meshes.corner[at + 2] + shift
            bounds = wp.vec2(lowest, highest)
            azimuths = wp.vec2(0.0, 0.0)
            if moves:
                azimuths = azimuths_of(p0, p1, p2, 0.0)
                past = azimuths_of(p0 + drift, p1 + drift, p2 + drift, 0.5 * (azimuths[0] + azimuths[1]))
                azimuths = wp.vec2(wp.min(azimuths[0], past[0]), wp.max(azimuths[1], past[1]))
                if azimuths[1] - azimuths[0] > 0.4:
                    azimuths = wp.vec2(-4.0, 5.0)  # passed by so close that it may have been anywhere
            else:
                t0 = p0[2] / wp.max(wp.sqrt(p0[0] * p0[0] + p0[1] * p0[1]), 1.0e-6)
                t1 = p1[2] / wp.max(wp.sqrt(p1[0] * p1[0] + p1[1] * p1[1]), 1.0e-6)
                t2 = p2[2] / wp.max(wp.sqrt(p2[0] * p2[0] + p2[1] * p2[1]), 1.0e-6)
                most = wp.max(t0, wp.max(t1, t2))
                least = wp.min(t0, wp.min(t1, t2))
                if (most < 0.0 and most < lowest) or (least > 0.0 and least > highest):
                    continue
                azimuths = azimuths_of(p0, p1, p2, 0.0)
                # Along an edge the elevation may exceed that of both ends, by at most 1 / cos of half its width.
                half = 0.5 * TURN * (azimuths[1] - azimuths[0])
                if half < 0.75:
                    stretch = 1.0 / (1.0 - 0.5 * half * half) + 1.0e-4
                    slack = 1.0e-5 + 1.0e-4 * wp.max(most, -least)
                    low = wp.where(least < 0.0, least * stretch, least) - slack
                    high = wp.where(most > 0.0, most * stretch, most) + slack
                    bounds = wp.vec2(wp.max(low, lowest), wp.min(high, highest))
                    channel = first_channel(beams, bounds[0])
                    if channel >= beams.channels or beams.tan[channel] > bounds[1]:
                        continue
            normal = wp.cross(p1 - p0, p2 - p0)
            volume = wp.dot(normal, p0)
            e0 = -edge_plane(p1, p2)
            e1 = -edge_plane(p2, p0)
            e2 = -edge_plane(p0, p1)
            tag = name + wp.int64(triangle)
            # Columns may lie a turn on or back.
            for lap in range(-1, 2):
                ends = wp.vec2((azimuths[0] + float(lap) - first) / step, (azimuths[1] + float(lap) - first) / step)
                start = wp.max(int(wp.ceil(wp.min(ends[0], ends[1]) - SLACK)), 0)
                end = wp.min(int(wp.floor(wp.max(ends[0], ends[1]) + SLACK)), beams.columns - 1)
                if azimuths[1] - azimuths[0] > 1.0:
                    start = wp.where(lap == 0, 0, 1)
                    end = wp.where(lap == 0, beams.columns - 1, 0)
                for column in range(start, end + 1):
                    if moves:
                        past_m = drift * share_of(beams, column)
                        q0 = p0 - past_m
                        q1 = p1 - past_m
                        q2 = p2 - past_m
                        volume = wp.dot(normal, q0)
                        e0 = -edge_plane(q1, q2)
                        e1 = -edge_plane(q2, q0)
                        e2 = -edge_plane(q0, q1)
                    if volume < 0.0:
                        draw_column(
                            beams, key_out, world, column, place.aim[world, column], e0, e1, e2, normal, volume,
                            bounds, tag,
                        )  # fmt: skip
