"""What a pack's pixels see of the ground: how far each spans, asphalt, what lies on it, and what is beside it."""

import warp as wp

from sim.render_kernels.appearance import Images, Light, log2_of, mix, sample
from sim.render_kernels.packs import PACK, Colours, Floats, Ints, Points, Shot
from sim.render_kernels.paving import (
    CLASS_MASK,
    DECAL_FLAG,
    FINE_M,
    GROUND_RANGE_M,
    MARKING_RANGE_M,
    MOST_TAPS,
    TAP_M,
    Site,
    decals_at,
    noise_at,
    place_of,
    tap_at,
    verge_at,
    walk_at,
    walk_of,
)
from sim.render_kernels.terrain import (
    EDGE_FLAG,
    FAR_FLAG,
    Ground,
    Plot,
    cell_of,
    code_at,
    kerb_share,
    normal_on,
    step_on,
)

# Few loops are unrolled: those over a pack shall become vector instructions.
wp.set_module_options({"enable_backward": False, "max_unroll": 5})

Tints = wp.types.vector(length=4 * PACK, dtype=wp.float32)  # four rows: colour times share, and share


@wp.struct
class Spans:
    """Where a pack's rays end on the ground, walks raised, and what of it their pixels span."""

    depth: Floats
    x: Floats
    y: Floats
    ax: Floats  # two vectors in the plane of the ground, across and along the view
    ay: Floats
    bx: Floats
    by: Floats
    wide_m: Floats  # their lengths
    long_m: Floats
    kerb: Floats  # share that is a kerb's face
    sun: Floats  # how much the ground faces it
    taps: Ints  # looks at what is there


@wp.func
def spans_of(ground: Ground, plot: Plot, light: Light, shot: Shot, points: Points):
    """Walks first: they are raised, and rays end on them before they would on the road."""
    spans = Spans()
    ray_x = points.x
    ray_y = points.y
    ray_z = points.z
    length = points.length
    depth = points.depth
    step = points.step
    low = Floats()
    high = Floats()
    shift = Floats()
    up_x = Floats()
    up_y = Floats()
    up_z = Floats()
    for i in range(PACK):
        rise = step_on(ground, plot, shot.eye, wp.vec3(ray_x[i], ray_y[i], ray_z[i]), depth[i])
        depth[i] = rise.depth
        low[i] = rise.low_m
        high[i] = rise.high_m
        shift[i] = rise.shift_m
    for i in range(PACK):
        spans.x[i] = shot.eye[0] + depth[i] * ray_x[i]
        spans.y[i] = shot.eye[1] + depth[i] * ray_y[i]
        up_z[i] = 1.0
    if not plot.flat:
        x = spans.x
        y = spans.y
        for i in range(PACK):
            normal = normal_on(ground, plot, x[i], y[i])
            up_x[i] = normal[0]
            up_y[i] = normal[1]
            up_z[i] = normal[2]
    for i in range(PACK):
        toward = wp.vec3(ray_x[i], ray_y[i], ray_z[i])
        texel_m = depth[i] * step[i] * shot.pixel
        up = wp.vec3(up_x[i], up_y[i], up_z[i])
        inverse = texel_m / wp.min(wp.dot(up, toward), -0.002)
        slide = wp.dot(up, shot.right) * inverse
        ax = shot.right[0] * texel_m - toward[0] * slide
        ay = shot.right[1] * texel_m - toward[1] * slide
        slide = wp.dot(up, shot.down) * inverse
        bx = shot.down[0] * texel_m - toward[0] * slide
        by = shot.down[1] * texel_m - toward[1] * slide
        wide = wp.sqrt(ax * ax + ay * ay)
        long = wp.sqrt(bx * bx + by * by)
        spans.ax[i] = ax
        spans.ay[i] = ay
        spans.bx[i] = bx
        spans.by[i] = by
        spans.wide_m[i] = wide
        spans.long_m[i] = long
        spans.kerb[i] = kerb_share(low[i], high[i], shift[i], wide, long)
        spans.sun[i] = wp.max(wp.dot(up, light.sun), 0.0) * wp.where(light.sun[2] > 0.0, 1.0, 0.0)
        spans.taps[i] = wp.where(
            depth[i] * length[i] > GROUND_RANGE_M, 0, wp.clamp(int(long / TAP_M) + 1, 1, MOST_TAPS)
        )
    spans.depth = depth
    return spans


@wp.struct
class Asphalt:
    """A pack's codes, noise and asphalt; its grain and stains also tell where paint is worn and water stands."""

    code: Ints
    noise: Floats
    grain: Floats
    rgb: Colours


@wp.func
def asphalt_of(images: Images, ground: Ground, site: Site, shot: Shot, spans: Spans):
    asphalt = Asphalt()
    plot = site.plot
    x = spans.x
    y = spans.y
    wide = spans.wide_m
    long = spans.long_m
    code = Ints()
    for i in range(PACK):
        code[i] = code_at(ground, plot, x[i], y[i])
        asphalt.noise[i] = noise_at(ground.noise, x[i], y[i], wp.max(wide[i], 0.35 * long[i]))
    fine = int(0)
    red = Floats()
    green = Floats()
    blue = Floats()
    for i in range(PACK):
        hard = (code[i] & (CLASS_MASK | EDGE_FLAG)) != 0
        fine = fine | wp.where(wp.max(wide[i], 0.35 * long[i]) < FINE_M and hard, 1, 0)
        asphalt.grain[i] = 1.0
        red[i] = site.asphalt[0]
        green[i] = site.asphalt[1]
        blue[i] = site.asphalt[2]
    if fine != 0:
        for i in range(PACK):
            footprint = wp.max(wide[i], 0.35 * long[i])
            level = log2_of(wp.max(footprint, 1.0e-4)) + float(images.asphalt_log2) - 1.32
            rgb = sample(
                images.texel, images.asphalt_first, images.asphalt_log2, shot.variant, x[i] / 2.5, y[i] / 2.5, level
            )
            seen = footprint < FINE_M and (code[i] & (CLASS_MASK | EDGE_FLAG)) != 0
            red[i] = wp.where(seen, rgb[0], red[i])
            green[i] = wp.where(seen, rgb[1], green[i])
            blue[i] = wp.where(seen, rgb[2], blue[i])
            asphalt.grain[i] = green[i] / (site.asphalt[1] + 1.0e-4)
    asphalt.code = code
    asphalt.rgb.red = red
    asphalt.rgb.green = green
    asphalt.rgb.blue = blue
    return asphalt


@wp.struct
class Covers:
    """Shares of what a pack's pixels cover, and colour times share of what lies below the paint, and of paint."""

    road: Floats
    side: Floats
    stone: Floats
    gutter: Floats
    gravel: Floats
    below: Tints
    paint: Tints


@wp.func
def covers_of(ground: Ground, site: Site, shot: Shot, points: Points, spans: Spans, asphalt: Asphalt):
    """Tap by tap; then paint and patches, which few points see."""
    covers = Covers()
    scene = shot.scene
    plot = site.plot
    length = points.length
    depth = spans.depth
    x = spans.x
    y = spans.y
    ax = spans.ax
    ay = spans.ay
    bx = spans.bx
    by = spans.by
    wide = spans.wide_m
    long = spans.long_m
    taps = spans.taps
    noise = asphalt.noise
    grain = asphalt.grain
    road = Floats()
    side = Floats()
    stone = Floats()
    gutter = Floats()
    gravel = Floats()
    below = Tints()
    paint = Tints()
    most = int(0)
    for i in range(PACK):
        most = wp.max(most, taps[i])
    for tap in range(most):
        cell = Ints()
        for i in range(PACK):
            cell[i] = -1
            if tap < taps[i]:
                share = 1.0 / float(taps[i])
                at = (float(tap) + 0.5) * share - 0.5
                px = x[i] + bx[i] * at
                py = y[i] + by[i] * at
                soft = wp.max(wide[i], long[i] * share * 0.3) + 0.01
                gravel_m = site.gravel_m * (1.0 + 0.0135 * noise[i])
                there = cell_of(plot, px, py)
                on = wp.where(there < 0, FAR_FLAG, ground.code[wp.max(there, 0)])
                cover = tap_at(ground, plot, on, px, py, soft, gravel_m)
                road[i] = road[i] + cover.road * share
                side[i] = side[i] + cover.side * share
                stone[i] = stone[i] + cover.stone * share
                gutter[i] = gutter[i] + cover.gutter * share
                gravel[i] = gravel[i] + cover.gravel * share
                marked = (on & DECAL_FLAG) != 0 and depth[i] * length[i] < MARKING_RANGE_M
                cell[i] = wp.where(cover.road > 0.0 and marked, there, -1)
        for i in range(PACK):
            if cell[i] >= 0:
                share = 1.0 / float(taps[i])
                at = (float(tap) + 0.5) * share - 0.5
                under_rgb, over_rgb = decals_at(
                    ground, scene, cell[i] + scene, x[i] + bx[i] * at, y[i] + by[i] * at, wp.vec2(ax[i], ay[i]),
                    wp.vec2(bx[i], by[i]) * share, 0.45 * noise[i] + 1.6 * (grain[i] - 1.0),
                )  # fmt: skip
                for k in range(4):
                    below[PACK * k + i] = below[PACK * k + i] + under_rgb[k] * share
                    paint[PACK * k + i] = paint[PACK * k + i] + over_rgb[k] * share
    covers.road = road
    covers.side = side
    covers.stone = stone
    covers.gutter = gutter
    covers.gravel = gravel
    covers.below = below
    covers.paint = paint
    return covers


@wp.func
def verges_of(images: Images, site: Site, light: Light, shot: Shot, spans: Spans, asphalt: Asphalt, covers: Covers):
    """Colours of grass, fields and gravel, where any point sees some."""
    out = Colours()
    x = spans.x
    y = spans.y
    wide = spans.wide_m
    long = spans.long_m
    code = asphalt.code
    noise = asphalt.noise
    grain = asphalt.grain
    road = covers.road
    side = covers.side
    gravel = covers.gravel
    verges = int(0)
    for i in range(PACK):
        verges = verges | wp.where(road[i] + side[i] < 0.999, 1, 0)
    if verges != 0:
        for i in range(PACK):
            footprint = wp.max(wide[i], 0.35 * long[i])
            level = log2_of(wp.max(footprint, 1.0e-4)) + float(images.grass_log2) - 1.585
            grass = sample(
                images.texel, images.grass_first, images.grass_log2, shot.variant, x[i] / 3.0, y[i] / 3.0, level
            )
            grass = mix(grass, site.grass, wp.where(footprint < FINE_M, 0.0, 1.0))
            loose = wp.clamp(gravel[i], 0.0, 1.0) / (1.0 - wp.min(road[i], 0.99))
            rgb = verge_at(site, light, code[i], grass, noise[i], grain[i], loose, x[i], y[i])
            out.red[i] = rgb[0]
            out.green[i] = rgb[1]
            out.blue[i] = rgb[2]
    return out


@wp.struct
class Places:
    """Where in its lane each point of a pack is, as `Place`."""

    s: Floats
    d: Floats
    tone: Floats
    track: Floats
    rut: Floats
    mixed: Floats


@wp.func
def places_of(ground: Ground, shot: Shot, spans: Spans, asphalt: Asphalt):
    places = Places()
    lanes_first = ground.lane_first[shot.scene]
    x = spans.x
    y = spans.y
    wide = spans.wide_m
    code = asphalt.code
    for i in range(PACK):
        place = place_of(ground, lanes_first, code[i], x[i], y[i], wide[i])
        places.s[i] = place.s
        places.d[i] = place.d
        places.tone[i] = place.tone
        places.track[i] = place.track
        places.rut[i] = place.rut
        places.mixed[i] = place.mixed
    return places


@wp.func
def walked(site: Site, light: Light, spans: Spans, asphalt: Asphalt, covers: Covers, places: Places, beside: Colours):
    """Colours of what is beside the road, with walks; any point may see one."""
    out = Colours()
    wide = spans.wide_m
    long = spans.long_m
    noise = asphalt.noise
    grain = asphalt.grain
    road = covers.road
    side = covers.side
    s = places.s
    d = places.d
    red = beside.red
    green = beside.green
    blue = beside.blue
    walks = int(0)
    for i in range(PACK):
        walks = walks | wp.where(side[i] > 0.0, 1, 0)
    if walks != 0:
        walk = walk_of(site)
        for i in range(PACK):
            bright = walk_at(walk, grain[i], s[i], d[i], wp.max(wide[i], 0.35 * long[i]))
            rgb = walk.colour * (bright * (1.0 + 0.009 * noise[i]) * (1.0 - 0.40 * light.wet))
            rgb = mix(rgb, wp.vec3(0.72, 0.74, 0.78), snowed(light, noise[i]))
            part = side[i] / (1.0 - road[i] + 1.0e-4)
            red[i] = red[i] + (rgb[0] - red[i]) * part
            green[i] = green[i] + (rgb[1] - green[i]) * part
            blue[i] = blue[i] + (rgb[2] - blue[i]) * part
    out.red = red
    out.green = green
    out.blue = blue
    return out


@wp.func
def snowed(light: Light, noise: wp.float32):
    """Share of a walk that snow covers."""
    return wp.clamp(2.2 * light.snow - 0.4 + 0.12 * noise, 0.0, 1.0)
