"""The colour of each pixel: its points are collected in packs of a kind, shaded, and put on a filmic curve.

Colours are linear RGB until the tone curve. Every quantity is a function of the pixel's own world.
"""

import warp as wp

from sim.render_kernels.appearance import Images, light_of
from sim.render_kernels.house_shade import way_of
from sim.render_kernels.instances import first_triangle, kind_of, shade_of
from sim.render_kernels.pack_light import Pack, pack_light
from sim.render_kernels.packs import GROUND, KINDS, PACK, SKY, Shot
from sim.render_kernels.paving import site_of
from sim.render_kernels.terrain import Ground
from sim.render_kernels.view import DEPTH_ONE, ITEM_SHIFT, TERRAIN_NAME, TRIANGLE_MASK, Actors, Meshes, Statics, Views

wp.set_module_options({"enable_backward": False, "max_unroll": 5})
# Packs fill vectors of 16 numbers where the processor has them; compilers are shy of these by default. Colours, unlike
# labels, need not be exact to the last bit, and none is ever infinite or undefined.
_FASTER = (
    "-mprefer-vector-width=512 -ffp-contract=fast -freciprocal-math -fno-signed-zeros -menable-no-nans"
    " -menable-no-infs -Wno-nan-infinity-disabled"
)
wp.set_module_options({"cpu_compiler_flags": f"{wp.config.cpu_compiler_flags or ''} {_FASTER}"})

CURVE_STEPS = wp.constant(4096)  # of the curve from light to bytes: 256 to an octave
CURVE_SHIFT = wp.constant(15)  # of a float's bits, to its octave and step
CURVE_START = wp.constant((127 - 12) << 8)  # the curve begins at 2^-12 and ends at BRIGHTEST
BRIGHTEST = wp.constant(15.9)
# A pack of each kind, side by side. Warp counts negative places from the end; masks tell the compiler that none is.
SLOTS = 1 << (KINDS - 1).bit_length()
SLOT_MASK = wp.constant(SLOTS - 1)
PLACE_MASK = wp.constant(SLOTS * PACK - 1)
QueuedFloats = wp.types.vector(length=SLOTS * PACK, dtype=wp.float32)
QueuedInts = wp.types.vector(length=SLOTS * PACK, dtype=wp.int32)
Counts = wp.types.vector(length=SLOTS, dtype=wp.int32)
Steps = wp.types.vector(length=3 * PACK, dtype=wp.int32)
KNOWN = 64  # items whose shade a thread remembers, by their number's last bits
KnownFloats = wp.types.vector(length=KNOWN, dtype=wp.float32)
KnownInts = wp.types.vector(length=KNOWN, dtype=wp.int32)


@wp.func
def step_of(x: wp.float32):
    """Where in the curve from light to bytes so much light is: by its logarithm, which a float's bits are nearly."""
    bits = wp.cast(wp.min(x, BRIGHTEST), wp.int32)
    return wp.clamp((bits >> CURVE_SHIFT) - CURVE_START, 0, CURVE_STEPS - 1)


@wp.func
def byte_of(curve: wp.array(dtype=wp.uint8), x: wp.float32):
    """The byte that shows so much light."""
    return curve[step_of(x)]


@wp.func
def name_of(key: wp.int64):
    """The triangle that a sample saw, without its depth."""
    return wp.uint32(key & wp.int64(0xFFFFFFFF))


@wp.func
def shot_of(
    map_index: wp.array(dtype=wp.int32),
    seed: wp.array(dtype=wp.int64),
    views: Views,
    variants: wp.int32,
    view: wp.int32,
):
    """Whose view it is, and where it looks from; its world's seed picks among `variants` of textures."""
    shot = Shot()
    shot.world = view // views.cameras
    shot.scene = map_index[shot.world]
    shot.variant = int(seed[shot.world] % wp.int64(variants))
    shot.eye = views.eye[view]
    axes = views.camera_from_world[view]
    shot.right = wp.vec3(axes[0, 0], axes[0, 1], axes[0, 2])
    shot.down = wp.vec3(axes[1, 0], axes[1, 1], axes[1, 2])
    shot.ahead = wp.vec3(axes[2, 0], axes[2, 1], axes[2, 2])
    shot.pixel = 1.0 / views.focal_px[view % views.cameras]
    return shot


@wp.struct
class Seen:
    """One of the surfaces that a pixel's samples see."""

    members: wp.int32  # samples that see it; 0 where an earlier sample already stands for them
    u: wp.float32  # middle of these samples, in pixels from the pixel's corner
    v: wp.float32
    dark: wp.float32  # shares of them in shadow, and below a vehicle
    under: wp.float32


@wp.func
def seen_by(
    key: wp.array3d(dtype=wp.int64), stencil: wp.array3d(dtype=wp.uint8), samples: int, view: int, row: int,
    column: int, k: int,
):  # fmt: skip
    """The samples of a pixel that see the same surface as its sample k, if that is the first of them."""
    name = name_of(key[view, row * samples + k // samples, column * samples + k % samples])
    seen = Seen()
    sum_u = int(0)
    sum_v = int(0)
    dark = int(0)
    under = int(0)
    earlier = bool(False)
    for down in range(samples):
        for across in range(samples):
            if name_of(key[view, row * samples + down, column * samples + across]) == name:
                earlier = earlier or down * samples + across < k
                seen.members += 1
                sum_u += across
                sum_v += down
                mark = int(stencil[view, row * samples + down, column * samples + across])
                dark += mark & 1
                under += mark >> 1
    mean = 1.0 / float(seen.members)
    side = 1.0 / float(samples)
    seen.u = (float(sum_u) * mean + 0.5) * side
    seen.v = (float(sum_v) * mean + 0.5) * side
    seen.dark = float(dark) * mean
    seen.under = float(under) * mean
    if earlier:
        seen.members = 0
    return seen


@wp.func
def whole_pixel(key: wp.array3d(dtype=wp.int64), samples: int, view: int, row: int, column: int):
    """Whether all samples of a pixel see the same surface."""
    name = name_of(key[view, row * samples, column * samples])
    whole = bool(True)
    for sample in range(1, samples * samples):
        other = key[view, row * samples + sample // samples, column * samples + sample % samples]
        if name_of(other) != name:
            whole = False
    return whole


@wp.kernel
def shade_pixels(
    # World
    map_index: wp.array(dtype=wp.int32),
    seed: wp.array(dtype=wp.int64),
    appearance_id: wp.array2d(dtype=wp.int32),
    # State
    signal_phase: wp.array2d(dtype=wp.int32),
    # In
    views: Views,
    meshes: Meshes,
    actors: Actors,
    statics: Statics,
    ground: Ground,
    images: Images,
    weather: wp.array2d(dtype=wp.float32),
    key: wp.array3d(dtype=wp.int64),
    stencil: wp.array3d(dtype=wp.uint8),
    band: wp.int32,
    stride: wp.int32,
    # Out
    mixed_out: wp.array2d(dtype=wp.vec4),
    rgb_out: wp.array2d(dtype=wp.uint8),
):
    """`stride` threads share a band of rows. A pixel is shaded once for each surface that its samples see.

    Points of a kind are collected until they make a pack. Pixels of several surfaces add up in `mixed_out`, which is
    there where there are several samples: colour, and whether a pixel is one of these. Pixels are in one row a view.
    """
    view, block, lane = wp.tid()
    shot = shot_of(map_index, seed, views, images.variants, view)
    light = light_of(weather, shot.world)
    light.exposure *= views.gain[view]
    site = site_of(images, ground, shot.scene, shot.variant)
    center = views.center_px[view % views.cameras]
    flat = ground.flat[shot.scene] == 1
    samples = views.samples
    first = block * band
    end = wp.min(first + band, views.height)
    count = Counts()
    held = int(-1)  # the item that the last point of a mesh is on, and the first triangle of its model
    first_of = int(0)
    shade_m = float(0.0)
    way = way_of(light.sun)
    known = KnownInts()
    known_shade_m = KnownFloats()
    queued_shade = QueuedFloats()
    queued_u = QueuedFloats()
    queued_v = QueuedFloats()
    queued_depth = QueuedFloats()
    queued_share = QueuedFloats()
    queued_dark = QueuedFloats()
    queued_under = QueuedFloats()
    queued_name = QueuedInts()
    queued_at = QueuedInts()
    # After the last row one more turn shades what has not made up packs.
    for row in range(first, end + 1):
        last = row == end
        for column in range(lane, wp.where(last, lane + 1, views.width), stride):
            passes = int(1)
            whole = bool(True)
            if last:
                passes = KINDS
            elif samples > 1:
                whole = whole_pixel(key, samples, view, row, column)
                mixed_out[view, row * views.width + column] = wp.vec4(0.0, 0.0, 0.0, wp.where(whole, 0.0, 1.0))
                if not whole:
                    passes = samples * samples
            for k in range(passes):
                kind = int(k)
                if not last:
                    word = key[view, row * samples, column * samples]
                    u = float(column) + 0.5 - center[0]
                    v = float(row) + 0.5 - center[1]
                    share = float(1.0)
                    mark = int(0)
                    if samples == 1:
                        mark = int(stencil[view, row, column])
                    dark = float(mark & 1)
                    under = float(mark >> 1)
                    if samples > 1:
                        seen = seen_by(key, stencil, samples, view, row, column, k)
                        if seen.members == 0:
                            continue
                        word = key[view, row * samples + k // samples, column * samples + k % samples]
                        u += seen.u - 0.5
                        v += seen.v - 0.5
                        share = float(seen.members) / float(samples * samples)
                        dark = seen.dark
                        under = seen.under
                    depth = float(word >> wp.int64(32)) / DEPTH_ONE
                    if name_of(word) == TERRAIN_NAME:
                        kind = GROUND
                    elif name_of(word) < TERRAIN_NAME:
                        item = int(name_of(word) >> wp.uint32(ITEM_SHIFT))
                        if item != held:
                            held = item
                            first_of = first_triangle(meshes, actors, statics, shot, item)
                            slot = item & (KNOWN - 1)
                            if known[slot] != item + 1:
                                known[slot] = item + 1
                                known_shade_m[slot] = shade_of(actors, statics, ground, light.sun, way, shot, item)
                            shade_m = known_shade_m[slot]
                        kind = kind_of(meshes.material[first_of + (int(name_of(word)) & TRIANGLE_MASK)])
                    else:
                        kind = SKY
                        depth = 0.0
                        down = shot.ahead[2] + (shot.right[2] * u + shot.down[2] * v) * shot.pixel
                        if flat and down < -1.0e-6:
                            kind = GROUND
                            depth = -shot.eye[2] / down
                    own = kind & SLOT_MASK
                    at = (kind * PACK + count[own]) & PLACE_MASK
                    count[own] = count[own] + 1
                    queued_u[at] = u
                    queued_v[at] = v
                    queued_depth[at] = depth
                    queued_share[at] = wp.where(whole, 1.0, -share)
                    queued_dark[at] = dark
                    queued_under[at] = under
                    queued_name[at] = int(name_of(word))
                    queued_shade[at] = shade_m
                    queued_at[at] = row * views.width + column
                full = count[kind & SLOT_MASK]
                if full == PACK or (last and full > 0):
                    count[kind & SLOT_MASK] = 0
                    start = (kind * PACK) & PLACE_MASK
                    # What is left at the end makes a pack with copies of its first point.
                    for i in range(full, PACK):
                        queued_u[start + i] = queued_u[start]
                        queued_v[start + i] = queued_v[start]
                        queued_depth[start + i] = queued_depth[start]
                        queued_name[start + i] = queued_name[start]
                        queued_shade[start + i] = queued_shade[start]
                    pack = Pack()
                    for i in range(PACK):
                        at = start + i
                        pack.u[i] = queued_u[at]
                        pack.v[i] = queued_v[at]
                        pack.depth[i] = queued_depth[at]
                        pack.share[i] = queued_share[at]
                        pack.dark[i] = queued_dark[at]
                        pack.under[i] = queued_under[at]
                        pack.name[i] = queued_name[at]
                        pack.shade_m[i] = queued_shade[at]
                    colours = pack_light(
                        images, meshes, actors, statics, ground, site, light, shot, appearance_id, signal_phase,
                        1.0 / float(samples), kind, pack,
                    )  # fmt: skip
                    share_of = pack.share
                    red = colours.red
                    green = colours.green
                    blue = colours.blue
                    steps_of = Steps()
                    for i in range(PACK):
                        steps_of[i] = step_of(red[i])
                        steps_of[PACK + i] = step_of(green[i])
                        steps_of[2 * PACK + i] = step_of(blue[i])
                    for i in range(full):
                        at = queued_at[start + i]
                        if share_of[i] > 0.0:
                            rgb_out[view, 3 * at] = images.curve[steps_of[i]]
                            rgb_out[view, 3 * at + 1] = images.curve[steps_of[PACK + i]]
                            rgb_out[view, 3 * at + 2] = images.curve[steps_of[2 * PACK + i]]
                        else:
                            part = wp.vec4(red[i], green[i], blue[i], 0.0) * -share_of[i]
                            mixed_out[view, at] = mixed_out[view, at] + part
    if samples > 1:
        for row in range(first, end):
            for column in range(lane, views.width, stride):
                at = row * views.width + column
                sum = mixed_out[view, at]
                if sum[3] > 0.0:
                    for c in range(3):
                        rgb_out[view, 3 * at + c] = byte_of(images.curve, sum[c])
