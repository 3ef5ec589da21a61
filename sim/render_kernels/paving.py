"""The ground's colour: grass, asphalt, slabs, kerbs and lane markings, filtered over a pixel's footprint."""

import warp as wp

from sim.render_kernels.appearance import Images, hashed, log2_of, mix, sample
from sim.render_kernels.terrain import Ground, ground_distances

wp.set_module_options({"enable_backward": False})

TAP_M = wp.constant(1.5)  # longest stretch of ground along the view that one tap filters
MOST_TAPS = wp.constant(8)
MARKING_RANGE_M = wp.constant(130.0)
GROUND_RANGE_M = wp.constant(400.0)


@wp.func
def dash_length(s: wp.float32, period: wp.float32, dash: wp.float32):
    """Painted length of a dashed line from 0 to s."""
    turns = wp.floor(s / period)
    return turns * dash + wp.min(s - turns * period, dash)


@wp.func
def markings_at(ground: Ground, scene: wp.int32, x: wp.float32, y: wp.float32, across: wp.vec2, along: wp.vec2):
    """Share of a footprint, spanned by two vectors around (x, y), that is (white, yellow) paint: box-filtered."""
    white = float(0.0)
    yellow = float(0.0)
    origin = ground.mark_origin[scene]
    shape = ground.mark_shape[scene]
    column = int(wp.floor((x - origin[0]) / ground.mark_cell_m))
    row = int(wp.floor((y - origin[1]) / ground.mark_cell_m))
    if column < 0 or row < 0 or column >= shape[0] or row >= shape[1]:
        return wp.vec2(0.0, 0.0)
    cell = ground.mark_grid_first[scene] + row * shape[0] + column
    # No line farther from the middle than this can reach into the footprint.
    reach = 0.5 * (wp.abs(across[0]) + wp.abs(across[1]) + wp.abs(along[0]) + wp.abs(along[1])) + 0.004
    for item in range(ground.mark_first[cell], ground.mark_first[cell + 1]):
        segment = ground.mark_item[item]
        line = ground.mark_line[segment]
        size = ground.mark_shape_m[segment]
        dx = x - line[0]
        dy = y - line[1]
        s = dx * line[2] + dy * line[3]
        d = dy * line[2] - dx * line[3]
        if wp.abs(d) > reach + 0.5 * size[1] or s < -reach or s > size[0] + reach:
            continue
        paint = ground.mark_paint[segment]
        half_d = 0.5 * (
            wp.abs(across[1] * line[2] - across[0] * line[3]) + wp.abs(along[1] * line[2] - along[0] * line[3])
        )
        half_s = 0.5 * (
            wp.abs(across[0] * line[2] + across[1] * line[3]) + wp.abs(along[0] * line[2] + along[1] * line[3])
        )
        half_d = wp.max(half_d, 0.004)
        half_s = wp.max(half_s, 0.004)
        half_w = 0.5 * size[1]
        over_d = wp.min(d + half_d, half_w) - wp.max(d - half_d, -half_w)
        start = wp.max(s - half_s, 0.0)
        end = wp.min(s + half_s, size[0])
        if over_d > 0.0 and end > start:
            painted = end - start
            if size[3] > 0.0:
                painted = dash_length(size[2] + end, size[3], paint[0]) - dash_length(
                    size[2] + start, size[3], paint[0]
                )
            cover = over_d * painted / (4.0 * half_d * half_s)
            if paint[1] > 0.5:
                yellow += cover
            else:
                white += cover
    return wp.vec2(wp.min(white, 1.0), wp.min(yellow, 1.0))


@wp.func
def ground_at(
    images: Images,
    ground: Ground,
    scene: wp.int32,
    variant: wp.int32,
    point: wp.vec2,
    across: wp.vec2,
    along: wp.vec2,
    distance: wp.float32,
):
    """Albedo of the ground under a pixel whose footprint is spanned by two vectors around a point."""
    long_m = wp.length(along)
    wide_m = wp.length(across)
    footprint = wp.max(wide_m, 0.35 * long_m)
    level = log2_of(wp.max(footprint, 1.0e-4))
    taps = wp.clamp(int(long_m / TAP_M) + 1, 1, MOST_TAPS)
    share = 1.0 / float(taps)
    step = along * share
    soft = wp.max(wide_m, wp.length(step) * 0.3) + 0.01
    road = float(0.0)
    side = float(0.0)
    kerb = float(0.0)
    paint = wp.vec2(0.0, 0.0)
    if distance > GROUND_RANGE_M:
        taps = 0
    for tap in range(taps):
        offset = (float(tap) + 0.5) * share - 0.5
        p = point + along * offset
        distances = ground_distances(ground, scene, p[0], p[1])
        on_road = wp.clamp(0.5 + distances[0] / soft, 0.0, 1.0)
        road += on_road
        side += wp.clamp(0.5 + distances[1] / soft, 0.0, 1.0) * (1.0 - on_road)
        if distances[1] > -0.6:
            kerb += wp.clamp(0.5 + (distances[0] + 0.22) / soft, 0.0, 1.0) - on_road
        if on_road > 0.0 and distance < MARKING_RANGE_M:
            paint += markings_at(ground, scene, p[0], p[1], across, step)
    road *= share
    side *= share
    kerb *= share
    paint *= share
    albedo = wp.vec3(0.0, 0.0, 0.0)
    if wp.max(road, side) < 1.0:
        grass = sample(
            images.texel, images.grass_first, images.grass_log2, variant, point[0] / 3.0, point[1] / 3.0,
            level + float(images.grass_log2) - 1.585,
        )  # fmt: skip
        patch = sample(
            images.texel, images.grass_first, images.grass_log2, variant, point[0] / 71.0, point[1] / 71.0,
            wp.max(level + float(images.grass_log2) - 6.15, 2.0),
        )  # fmt: skip
        albedo = mix(grass, patch, 0.45)
    if side > 0.0:
        slab = sample(
            images.texel, images.asphalt_first, images.asphalt_log2, variant, point[1] / 5.0, point[0] / 5.0,
            level + float(images.asphalt_log2) - 2.32,
        )  # fmt: skip
        gx = wp.abs(point[0] / 1.2 - wp.floor(point[0] / 1.2) - 0.5) * 1.2
        gy = wp.abs(point[1] / 1.2 - wp.floor(point[1] / 1.2) - 0.5) * 1.2
        joint_soft = footprint + 0.01
        joint = wp.clamp((0.02 - (0.6 - wp.max(gx, gy))) / joint_soft + 0.5, 0.0, 1.0)
        joint *= wp.clamp(0.05 / footprint, 0.0, 1.0)
        tile = hashed(int(wp.floor(point[0] / 1.2)), int(wp.floor(point[1] / 1.2))) - 0.5
        tone = 1.0 + 0.12 * tile * wp.clamp(0.5 / footprint, 0.0, 1.0) - 0.35 * joint
        slab = mix(slab, wp.vec3(0.30, 0.29, 0.27), 0.72) * tone
        albedo = mix(albedo, slab, side)
    if road > 0.0:
        asphalt = sample(
            images.texel, images.asphalt_first, images.asphalt_log2, variant, point[0] / 4.0, point[1] / 4.0,
            level + float(images.asphalt_log2) - 2.0,
        )  # fmt: skip
        stain = sample(
            images.texel, images.asphalt_first, images.asphalt_log2, variant, point[0] / 43.0, point[1] / 43.0,
            wp.max(level + float(images.asphalt_log2) - 5.43, 1.0),
        )  # fmt: skip
        asphalt = mix(asphalt, stain, 0.4) * 0.85
        wear = 0.78 + 0.6 * (asphalt[1] - 0.12)
        asphalt = mix(asphalt, wp.vec3(0.72, 0.72, 0.69), paint[0] * wear)
        asphalt = mix(asphalt, wp.vec3(0.70, 0.50, 0.08), paint[1] * wear)
        albedo = mix(albedo, asphalt, road)
    return mix(albedo, wp.vec3(0.40, 0.39, 0.37), wp.clamp(kerb, 0.0, 1.0))
