"""People's joints in the images: where they are, and whether anything hides them."""

import warp as wp

from sim.render_kernels.view import DEPTH_ONE, NEAR_M, TERRAIN_NAME, Actors, Views

wp.set_module_options({"enable_backward": False})

PEDESTRIAN = wp.constant(3)  # ActorKind
JOINTS = wp.constant(17)
HIDDEN = wp.constant(1)  # COCO's marks; 0: not in the image
SEEN = wp.constant(2)


@wp.kernel
def label_joints(
    # World
    kind: wp.array2d(dtype=wp.int32),
    # In
    views: Views,
    actors: Actors,
    key: wp.array3d(dtype=wp.int64),
    joint: wp.array2d(dtype=wp.vec3),
    below_skin: wp.array(dtype=wp.float32),
    person: wp.array(dtype=wp.vec4i),
    # Out
    uv_out: wp.array3d(dtype=wp.vec2),
    xyz_out: wp.array3d(dtype=wp.vec3),
    visibility_out: wp.array3d(dtype=wp.uint8),
    valid_out: wp.array2d(dtype=wp.bool),
    person_out: wp.array2d(dtype=wp.vec4i),
):
    """Row k is actor k + 1. `joint` (models, 17) in the unit box, `below_skin` (17,) as a share of the body's height:
    what lies farther than this before a joint hides it, be it the body's own or another's."""
    view, row = wp.tid()
    world = view // views.cameras
    camera = view % views.cameras
    actor = row + 1
    model = actors.model[world, actor]
    is_person = kind[world, actor] == PEDESTRIAN and model >= 0
    pose = actors.pose[world, actor]
    base = wp.vec3(pose[0], pose[1], actors.z[world, actor])
    size = actors.size_m[world, actor]
    any_inside = bool(False)
    for i in range(JOINTS):
        uv = wp.vec2(0.0, 0.0)
        there = wp.vec3(0.0, 0.0, 0.0)
        mark = int(0)
        if is_person:
            point = base + actors.turn[world, actor] * wp.cw_mul(joint[model, i], size)
            there = views.camera_from_world[view] * (point - views.eye[view])
            if there[2] > NEAR_M:
                u = there[0] / there[2] * views.focal_px[camera] + views.center_px[camera][0]
                v = there[1] / there[2] * views.focal_px[camera] + views.center_px[camera][1]
                if u >= 0.0 and v >= 0.0 and u < float(views.width) and v < float(views.height):
                    uv = wp.vec2(u, v)
                    mark = SEEN
                    any_inside = True
                    seen = key[view, int(v), int(u)]
                    depth = float(seen >> wp.int64(32)) / DEPTH_ONE
                    drawn = wp.uint32(seen & wp.int64(0xFFFFFFFF)) <= TERRAIN_NAME
                    if drawn and depth < there[2] - below_skin[i] * size[2]:
                        mark = HIDDEN
        uv_out[view, row, i] = uv
        xyz_out[view, row, i] = there
        visibility_out[view, row, i] = wp.uint8(mark)
    valid_out[view, row] = any_inside
    if camera == 0:
        who = wp.vec4i(0, 0, 0, 0)
        if is_person:
            who = person[model]
        person_out[world, row] = who
