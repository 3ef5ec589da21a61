"""Labels beyond depth and class: surface normals, optical flow to the image before, and every thing's own number."""

import warp as wp

from sim.render_kernels.terrain import ON_KERB, Ground, kerb_normal, normal_at, step_at
from sim.render_kernels.view import (
    ACTORS_END,
    DEPTH_ONE,
    ITEM_SHIFT,
    NEAR_M,
    TERRAIN_NAME,
    TRIANGLE_MASK,
    Actors,
    Meshes,
    Statics,
    Views,
    turned,
)

wp.set_module_options({"enable_backward": False})


@wp.struct
class Before:
    """Where cameras and actors were at the image before; tick -1 where there was none."""

    tick: wp.array(dtype=wp.int64)  # (B,)
    seed: wp.array(dtype=wp.int64)
    map_index: wp.array(dtype=wp.int32)
    eye: wp.array(dtype=wp.vec3)  # (V,)
    camera_from_world: wp.array(dtype=wp.mat33)
    base: wp.array2d(dtype=wp.vec3)  # (B, N) of the bodies
    turn: wp.array2d(dtype=wp.mat33)
    size_m: wp.array2d(dtype=wp.vec3)
    model: wp.array2d(dtype=wp.int32)  # -1 where not drawn


@wp.func
def base_of(actors: Actors, world: wp.int32, actor: wp.int32):
    pose = actors.pose[world, actor]
    return wp.vec3(pose[0], pose[1], actors.z[world, actor])


@wp.func
def carried(meshes: Meshes, triangle: wp.int32, to: wp.int32, p: wp.vec3):
    """A point of one triangle in another that takes its place, by barycentric coordinates, in the unit box."""
    a = meshes.corner[3 * triangle]
    u = meshes.corner[3 * triangle + 1] - a
    v = meshes.corner[3 * triangle + 2] - a
    uu = wp.dot(u, u)
    uv = wp.dot(u, v)
    vv = wp.dot(v, v)
    pu = wp.dot(p - a, u)
    pv = wp.dot(p - a, v)
    whole = wp.max(uu * vv - uv * uv, 1.0e-20)
    s = (vv * pu - uv * pv) / whole
    t = (uu * pv - uv * pu) / whole
    b = meshes.corner[3 * to]
    return b + (meshes.corner[3 * to + 1] - b) * s + (meshes.corner[3 * to + 2] - b) * t


@wp.kernel
def describe_pixels(
    # World
    map_index: wp.array(dtype=wp.int32),
    seed: wp.array(dtype=wp.int64),
    # State
    tick: wp.array(dtype=wp.int64),
    # In
    views: Views,
    meshes: Meshes,
    actors: Actors,
    statics: Statics,
    ground: Ground,
    before: Before,
    key: wp.array3d(dtype=wp.int64),
    actor_count: wp.int32,
    most_m: wp.float32,
    stride: wp.int32,
    # Out
    normal_out: wp.array3d(dtype=wp.vec3),
    flow_out: wp.array3d(dtype=wp.vec2),
    flow_valid_out: wp.array3d(dtype=wp.bool),
    thing_out: wp.array3d(dtype=wp.int32),
):
    """`stride` threads share a row; `most_m` is how far an actor may go within a tick without having been put there."""
    view, row, lane = wp.tid()
    world = view // views.cameras
    scene = map_index[world]
    camera = view % views.cameras
    focal = views.focal_px[camera]
    center = views.center_px[camera]
    camera_from_world = views.camera_from_world[view]
    world_from_camera = wp.transpose(camera_from_world)
    eye = views.eye[view]
    ticks = tick[world] - before.tick[world]
    known = before.tick[world] >= wp.int64(0) and ticks > wp.int64(0)
    known = known and before.seed[world] == seed[world] and before.map_index[world] == scene
    y = (float(row) + 0.5 - center[1]) / focal
    for column in range(lane, views.width, stride):
        seen = key[view, row, column]
        name = wp.uint32(seen & wp.int64(0xFFFFFFFF))
        x = (float(column) + 0.5 - center[0]) / focal
        toward = world_from_camera * wp.vec3(x, y, 1.0)
        depth = float(0.0)
        if name <= TERRAIN_NAME:
            depth = float(seen >> wp.int64(32)) / DEPTH_ONE
        elif ground.flat[scene] == 1 and toward[2] < -1.0e-6:
            depth = -eye[2] / toward[2]
        part = int(0)
        if name >= TERRAIN_NAME and depth > 0.0:
            step = step_at(ground, scene, eye, toward, depth)
            depth = step.depth
            part = step.part
        point = eye + toward * depth
        earlier = point
        normal = wp.vec3(0.0, 0.0, 0.0)
        thing = int(0)
        valid = bool(known)
        if name < TERRAIN_NAME:
            item = int(name >> wp.uint32(ITEM_SHIFT))
            base = wp.vec3(0.0, 0.0, 0.0)
            turn = wp.identity(n=3, dtype=wp.float32)
            size = wp.vec3(1.0, 1.0, 1.0)
            model = int(0)
            if item >= ACTORS_END:
                at = statics.map_first[scene] + item - ACTORS_END
                pose = statics.pose[at]
                turn = turned(pose[2], pose[3], 1.0, 0.0)
                size = statics.size_m[at]
                model = statics.model[at]
                thing = actor_count + 1 + item - ACTORS_END
            else:
                base = base_of(actors, world, item)
                turn = actors.turn[world, item]
                size = actors.size_m[world, item]
                model = actors.model[world, item]
                thing = item + 1
            index = int(name) & TRIANGLE_MASK
            triangle = meshes.first[model, 0] + index
            plane = meshes.plane[triangle]
            flat = wp.cw_div(wp.vec3(plane[0], plane[1], plane[2]), size)
            normal = turn * wp.normalize(flat)
            if item < ACTORS_END:
                was = before.model[world, item]
                valid = valid and was >= 0
                if valid:
                    moved = before.base[world, item] - base
                    valid = wp.length(moved) <= most_m * float(ticks)
                    unit = wp.cw_div((point - base) * turn, size)
                    # Limbs that move: the same triangle of the body's other pose.
                    if was != model and meshes.count[was, 0] == meshes.count[model, 0]:
                        unit = carried(meshes, triangle, meshes.first[was, 0] + index, unit)
                    body = wp.cw_mul(unit, before.size_m[world, item])
                    earlier = before.base[world, item] + before.turn[world, item] * body
        elif depth > 0.0:
            normal = normal_at(ground, scene, point[0], point[1])
            if part == ON_KERB:
                normal = kerb_normal(ground, scene, point[0], point[1])
        away = toward
        if depth > 0.0:
            away = earlier - before.eye[view]
        there = before.camera_from_world[view] * away
        flow = wp.vec2(0.0, 0.0)
        if valid and there[2] > NEAR_M:
            flow = wp.vec2(focal * (there[0] / there[2] - x), focal * (there[1] / there[2] - y))
        else:
            valid = False
        normal_out[view, row, column] = camera_from_world * normal
        flow_out[view, row, column] = flow
        flow_valid_out[view, row, column] = valid
        thing_out[view, row, column] = thing


@wp.kernel
def remember(
    # World
    map_index: wp.array(dtype=wp.int32),
    seed: wp.array(dtype=wp.int64),
    # State
    tick: wp.array(dtype=wp.int64),
    # In
    views: Views,
    actors: Actors,
    # Out
    before_out: Before,
):
    """Keep where everything is for the next image: one thread per world and actor, the first also for its cameras."""
    world, actor = wp.tid()
    before_out.base[world, actor] = base_of(actors, world, actor)
    before_out.turn[world, actor] = actors.turn[world, actor]
    before_out.size_m[world, actor] = actors.size_m[world, actor]
    before_out.model[world, actor] = actors.model[world, actor]
    if actor == 0:
        before_out.tick[world] = tick[world]
        before_out.seed[world] = seed[world]
        before_out.map_index[world] = map_index[world]
        for camera in range(views.cameras):
            view = world * views.cameras + camera
            before_out.eye[view] = views.eye[view]
            before_out.camera_from_world[view] = views.camera_from_world[view]
