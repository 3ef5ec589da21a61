"""Exact labels of one pass: depth, semantic and instance images, and 2-D boxes."""

import warp as wp

from sim.render_kernels.packs import PACK, Floats, Ints
from sim.render_kernels.terrain import ON_LAND, ON_ROAD, Ground, plot_of, step_on
from sim.render_kernels.view import (
    ACTORS_END,
    DEPTH_ONE,
    ITEM_SHIFT,
    TERRAIN_NAME,
    TRIANGLE_MASK,
    Actors,
    Meshes,
    Statics,
    Views,
)

wp.set_module_options({"enable_backward": False})
wp.set_module_options({"max_unroll": 5})  # loops over a pack shall become vector instructions

ROAD = wp.constant(7)
SIDEWALK = wp.constant(8)
TERRAIN = wp.constant(22)
SKY = wp.constant(23)
RIDER = wp.constant(25)
BICYCLE = wp.constant(4)  # ActorKind; a motorcycle's follows
FIRST_OF_RIDER = wp.constant(21)  # Material.RIDER_SKIN to RIDER_SHOE
LAST_OF_RIDER = wp.constant(25)


@wp.func
def count_stretch(
    visible: wp.array2d(dtype=wp.int32),
    bounds: wp.array3d(dtype=wp.int32),
    view: wp.int32,
    row: wp.int32,
    item: wp.int32,
    start: wp.int32,
    end: wp.int32,
):
    """Add the pixels of a row from `start` to `end` to what is visible of an actor; others are passed over."""
    if item < 0 or item >= ACTORS_END:
        return
    wp.atomic_add(visible, view, item, end - start + 1)
    wp.atomic_min(bounds, view, item, 0, start)
    wp.atomic_min(bounds, view, item, 1, row)
    wp.atomic_max(bounds, view, item, 2, end + 1)
    wp.atomic_max(bounds, view, item, 3, row + 1)


@wp.kernel
def label_pixels(
    # World
    map_index: wp.array(dtype=wp.int32),
    kind: wp.array2d(dtype=wp.int32),
    # In
    views: Views,
    meshes: Meshes,
    actors: Actors,
    statics: Statics,
    ground: Ground,
    key: wp.array3d(dtype=wp.int64),
    semantic_of_kind: wp.array(dtype=wp.int32),
    stride: wp.int32,
    # Out
    depth_out: wp.array3d(dtype=wp.float32),
    semantic_out: wp.array3d(dtype=wp.uint8),
    instance_out: wp.array3d(dtype=wp.int16),
    visible_out: wp.array2d(dtype=wp.int32),
    bounds_out: wp.array3d(dtype=wp.int32),
):
    """`stride` threads share a row; `bounds_out` collects each actor's visible (u min, v min, u max, v max)."""
    view, row, lane = wp.tid()
    world = view // views.cameras
    scene = map_index[world]
    first = statics.map_first[scene]
    camera = view % views.cameras
    scale = 1.0 / views.focal_px[camera]
    center = views.center_px[camera]
    eye = views.eye[view]
    plot = plot_of(ground, scene)
    # The ray through the row's column 0, and how rays change from column to column.
    world_from_camera = wp.transpose(views.camera_from_world[view])
    ray = world_from_camera * wp.vec3((0.5 - center[0]) * scale, (float(row) + 0.5 - center[1]) * scale, 1.0)
    side = world_from_camera * wp.vec3(scale, 0.0, 0.0)
    # Ground is looked up a pack at a time.
    queued = int(0)
    queued_at = Ints()
    queued_depth = Floats()
    # A stretch of pixels that show the same instance is counted at its end.
    held = int(-1)
    start = int(0)
    end = int(0)
    semantic_held = int(0)
    ridden = int(-1)  # first triangle of a two-wheeler
    for column in range(lane, views.width, stride):
        seen = key[view, row, column]
        name = wp.uint32(seen & wp.int64(0xFFFFFFFF))
        instance = int(0)
        semantic = SKY
        depth = float(wp.inf)
        if name < TERRAIN_NAME:
            depth = float(seen >> wp.int64(32)) / DEPTH_ONE
            item = int(name >> wp.uint32(ITEM_SHIFT))
            if item != held:
                count_stretch(visible_out, bounds_out, view, row, held, start, end)
                held = item
                start = column
                ridden = -1
                if item >= ACTORS_END:
                    semantic_held = meshes.semantic[statics.model[first + item - ACTORS_END]]
                else:
                    semantic_held = semantic_of_kind[kind[world, item]]
                    if kind[world, item] >= BICYCLE:
                        ridden = meshes.first[actors.model[world, item], 0]
            end = column
            semantic = semantic_held
            if ridden >= 0:
                material = meshes.material[ridden + (int(name) & TRIANGLE_MASK)]
                if material >= FIRST_OF_RIDER and material <= LAST_OF_RIDER:
                    semantic = RIDER
            if item < ACTORS_END:
                instance = item + 1
        else:
            count_stretch(visible_out, bounds_out, view, row, held, start, end)
            held = -1
            fall = ray[2] + side[2] * float(column)
            if name == TERRAIN_NAME or (plot.flat and fall < -1.0e-6):
                depth = wp.where(name == TERRAIN_NAME, float(seen >> wp.int64(32)) / DEPTH_ONE, -eye[2] / fall)
                queued_at[queued & (PACK - 1)] = column
                queued_depth[queued & (PACK - 1)] = depth
                queued += 1
        depth_out[view, row, column] = depth
        semantic_out[view, row, column] = wp.uint8(semantic)
        instance_out[view, row, column] = wp.int16(instance)
        if queued == PACK or (queued > 0 and column + stride >= views.width):
            depths = Floats()
            parts = Ints()
            for i in range(PACK):
                # What is left at the end makes a pack with pixels of earlier ones.
                step = step_on(ground, plot, eye, ray + side * float(queued_at[i]), queued_depth[i])
                depths[i] = step.depth
                parts[i] = wp.where(step.part == ON_ROAD, ROAD, wp.where(step.part == ON_LAND, TERRAIN, SIDEWALK))
            for i in range(queued):
                depth_out[view, row, queued_at[i]] = depths[i]
                semantic_out[view, row, queued_at[i]] = wp.uint8(parts[i])
            queued = 0
    count_stretch(visible_out, bounds_out, view, row, held, start, end)


@wp.kernel
def clear_boxes(
    # In
    views: Views,
    stride: wp.int32,
    # Out
    bitmap_out: wp.array4d(dtype=wp.uint32),
    silhouette_out: wp.array2d(dtype=wp.int32),
    amodal_out: wp.array3d(dtype=wp.float32),
):
    """Erase the last frame's silhouettes, which lie within its amodal boxes; `stride` threads share one of them."""
    view, actor, lane = wp.tid()
    if silhouette_out[view, actor] > 0:
        first = wp.clamp(int(amodal_out[view, actor, 0]) - 1, 0, views.width - 1) >> 5
        last = wp.clamp(int(amodal_out[view, actor, 2]) + 1, 0, views.width - 1) >> 5
        top = wp.clamp(int(amodal_out[view, actor, 1]) - 1, 0, views.height - 1)
        bottom = wp.clamp(int(amodal_out[view, actor, 3]) + 1, 0, views.height - 1)
        for row in range(top + lane, bottom + 1, stride):
            for word in range(first, last + 1):
                bitmap_out[view, actor, row, word] = wp.uint32(0)


@wp.kernel
def reset_boxes(
    # Out
    silhouette_out: wp.array2d(dtype=wp.int32),
    visible_out: wp.array2d(dtype=wp.int32),
    bounds_out: wp.array3d(dtype=wp.int32),
    amodal_out: wp.array3d(dtype=wp.float32),
):
    view, actor = wp.tid()
    silhouette_out[view, actor] = 0
    visible_out[view, actor] = 0
    for side in range(2):
        bounds_out[view, actor, side] = 1 << 30
        bounds_out[view, actor, side + 2] = 0
        amodal_out[view, actor, side] = 1.0e9
        amodal_out[view, actor, side + 2] = -1.0e9


@wp.kernel
def finish_boxes(
    # World
    kind: wp.array2d(dtype=wp.int32),
    # In
    views: Views,
    silhouette: wp.array2d(dtype=wp.int32),
    visible: wp.array2d(dtype=wp.int32),
    bounds: wp.array3d(dtype=wp.int32),
    amodal: wp.array3d(dtype=wp.float32),
    # Out
    amodal_px_out: wp.array3d(dtype=wp.float32),
    visible_px_out: wp.array3d(dtype=wp.float32),
    visible_pixels_out: wp.array2d(dtype=wp.int32),
    occlusion_out: wp.array2d(dtype=wp.float32),
    truncation_out: wp.array2d(dtype=wp.float32),
    kind_out: wp.array2d(dtype=wp.int32),
    actor_out: wp.array2d(dtype=wp.int32),
    valid_out: wp.array2d(dtype=wp.bool),
):
    """Row k is actor k + 1. Rows that are not valid are zero."""
    view, box = wp.tid()
    actor = box + 1
    own = silhouette[view, actor]
    seen = visible[view, actor]
    kind_out[view, box] = kind[view // views.cameras, actor]
    actor_out[view, box] = actor
    valid_out[view, box] = own > 0
    visible_pixels_out[view, box] = seen
    for side in range(4):
        amodal_px_out[view, box, side] = 0.0
        visible_px_out[view, box, side] = 0.0
    occlusion_out[view, box] = 0.0
    truncation_out[view, box] = 0.0
    if own == 0:
        return
    for side in range(4):
        amodal_px_out[view, box, side] = amodal[view, actor, side]
        if seen > 0:
            visible_px_out[view, box, side] = float(bounds[view, actor, side])
    occlusion_out[view, box] = 1.0 - float(seen) / float(own)
    u0 = amodal[view, actor, 0]
    v0 = amodal[view, actor, 1]
    u1 = amodal[view, actor, 2]
    v1 = amodal[view, actor, 3]
    inside = wp.max(wp.min(u1, float(views.width)) - wp.max(u0, 0.0), 0.0)
    inside *= wp.max(wp.min(v1, float(views.height)) - wp.max(v0, 0.0), 0.0)
    truncation_out[view, box] = 1.0 - inside / wp.max((u1 - u0) * (v1 - v0), 1.0e-9)
