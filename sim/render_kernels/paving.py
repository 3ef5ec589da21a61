"""The ground's look: asphalt and what wore it, paint, kerbs, walks, verges and fields, wet or under snow.

Everything is filtered over a pixel's footprint. A pixel reads the code of its cell first (rendering/lane_cells.py) and
looks at edges, lanes and decals only where the code says that there are any.
"""

import warp as wp

from sim.render_kernels.appearance import TEXEL_ONE, Images, Light, hashed, mix, texel_rgb
from sim.render_kernels.terrain import EDGE_FLAG, FAR_FLAG, Ground, Plot, distances_at, plot_of

wp.set_module_options({"enable_backward": False})

TAP_M = wp.constant(1.0)  # longest stretch of ground along the view that one tap filters
MOST_TAPS = wp.constant(8)
MARKING_RANGE_M = wp.constant(130.0)
GROUND_RANGE_M = wp.constant(400.0)
FINE_M = wp.constant(0.22)  # footprints above this see no grain
NOISE_SIDE = wp.constant(128)  # samples a side of the finer level; the coarser one has a quarter
NOISE_M = wp.constant(61.0)
LANE_MASK = wp.constant((1 << 20) - 1)
ROAD = wp.constant(1 << 20)
SIDEWALK = wp.constant(2 << 20)
CLASS_MASK = wp.constant(3 << 20)
DECAL_FLAG = wp.constant(1 << 23)
THIN_M = wp.constant(0.12)  # wider pixels do not show cracks
PAINTS = wp.constant(5)  # kinds of decals from this on lie below the paint
TRACK_M = wp.constant(0.82)  # of wheels beside the middle of their lane


@wp.struct
class Site:
    """What all pixels of a map share: where its rasters lie, textures' mean colours, and its style."""

    plot: Plot
    asphalt: wp.vec3
    grass: wp.vec3
    tint: wp.float32  # of asphalt, as roadwear.Style.row from here on
    warm: wp.float32
    walk: wp.int32  # how sidewalks are paved
    slab_m: wp.float32
    dry: wp.float32
    gravel_m: wp.float32
    farmed: wp.bool
    stone: wp.float32


@wp.func
def dash_length(s: wp.float32, period: wp.float32, dash: wp.float32):
    """Painted length of a dashed line from 0 to s."""
    turns = wp.floor(s / period)
    return turns * dash + wp.min(s - turns * period, dash)


@wp.func
def noise_at(noise: wp.array(dtype=wp.float32), x: wp.float32, y: wp.float32, footprint: wp.float32):
    """Tiling noise of zero mean and unit deviation, bilinear in one of two levels; it fades where it would flicker."""
    first = int(0)
    side = int(NOISE_SIDE)
    if footprint > 1.0:
        first = NOISE_SIDE * NOISE_SIDE
        side = NOISE_SIDE // 4
    gx = x * (float(side) / NOISE_M)
    gy = y * (float(side) / NOISE_M)
    left = wp.floor(gx)
    low = wp.floor(gy)
    mask = side - 1
    c0 = int(left) & mask
    c1 = (c0 + 1) & mask
    r0 = first + (int(low) & mask) * side
    r1 = first + ((int(low) + 1) & mask) * side
    fx = gx - left
    fy = gy - low
    a = noise[r0 + c0] + (noise[r0 + c1] - noise[r0 + c0]) * fx
    b = noise[r1 + c0] + (noise[r1 + c1] - noise[r1 + c0]) * fx
    return (a + (b - a) * fy) * wp.clamp(2.0 - 0.25 * footprint, 0.0, 1.0)


@wp.func
def mean_of(texel: wp.array(dtype=wp.uint32), first: wp.int32, log2: wp.int32, variant: wp.int32):
    """A texture's mean colour: the last of its mip levels."""
    word = texel[first + (variant + 1) * (((4 << (2 * log2)) - 1) // 3) - 1]
    return texel_rgb(word) * (1.0 / (float(TEXEL_ONE) * float(TEXEL_ONE)))


@wp.func
def site_of(images: Images, ground: Ground, scene: wp.int32, variant: wp.int32):
    site = Site()
    site.plot = plot_of(ground, scene)
    site.tint = 0.85 * ground.style[scene, 0]
    site.warm = ground.style[scene, 1]
    site.walk = int(ground.style[scene, 2])
    site.slab_m = ground.style[scene, 3]
    site.dry = ground.style[scene, 4]
    site.gravel_m = ground.style[scene, 5]
    site.farmed = ground.style[scene, 6] > 0.0
    site.stone = ground.style[scene, 7]
    site.asphalt = mean_of(images.texel, images.asphalt_first, images.asphalt_log2, variant)
    site.grass = mean_of(images.texel, images.grass_first, images.grass_log2, variant)
    return site


@wp.func
def decals_at(
    ground: Ground,
    scene: wp.int32,
    cell: wp.int32,
    x: wp.float32,
    y: wp.float32,
    across: wp.vec2,
    along: wp.vec2,
    pattern: wp.float32,
):
    """Colour times share, and share, of a footprint spanned by two vectors around (x, y): below paint, and paint.

    `cell` counts over all maps, each with one cell more than it has. Paint is thinner where `pattern` is low.
    """
    below = wp.vec4(0.0, 0.0, 0.0, 0.0)
    paint = wp.vec4(0.0, 0.0, 0.0, 0.0)
    # No piece farther from the middle than this can reach into the footprint.
    last = ground.mark_thin[scene]
    if wp.abs(across[0]) + wp.abs(across[1]) < THIN_M:
        last = 1 << 30
    reach = 0.5 * (wp.abs(across[0]) + wp.abs(across[1]) + wp.abs(along[0]) + wp.abs(along[1])) + 0.004
    for item in range(ground.mark_first[cell], ground.mark_first[cell + 1]):
        piece = ground.mark_item[item]
        if piece >= last:
            break
        line = ground.mark_line[piece]
        size = ground.mark_shape_m[piece]
        dx = x - line[0]
        dy = y - line[1]
        s = dx * line[2] + dy * line[3]
        d = dy * line[2] - dx * line[3]
        half_w = 0.5 * wp.abs(size[1])
        beside = wp.abs(d) - half_w
        beyond = wp.max(-s, s - size[0]) + wp.min(0.5 * size[1], 0.0)
        if wp.max(beside, beyond) > reach:  # one branch: it is hard to foretell
            continue
        look = ground.mark_paint[piece]
        cover = float(0.0)
        if size[1] < 0.0:
            cover = wp.clamp(0.5 + (half_w - wp.sqrt(s * s + d * d)) / wp.max(reach, look[3]), 0.0, 1.0)
            small = wp.min(half_w / reach, 1.0)
            cover *= small * small
        else:
            half_d = 0.5 * (
                wp.abs(across[1] * line[2] - across[0] * line[3]) + wp.abs(along[1] * line[2] - along[0] * line[3])
            )
            half_s = 0.5 * (
                wp.abs(across[0] * line[2] + across[1] * line[3]) + wp.abs(along[0] * line[2] + along[1] * line[3])
            )
            half_d = wp.max(half_d, 0.004)
            half_s = wp.max(half_s, 0.004)
            over_d = wp.min(d + half_d, half_w) - wp.max(d - half_d, -half_w)
            start = wp.max(s - half_s, 0.0)
            end = wp.min(s + half_s, size[0])
            if over_d <= 0.0 or end <= start:
                continue
            painted = end - start
            if size[3] > 0.0:
                painted = dash_length(size[2] + end, size[3], look[0]) - dash_length(size[2] + start, size[3], look[0])
            cover = over_d * painted / (4.0 * half_d * half_s)
        kind = int(look[1])
        rgb = ground.mark_rgb[kind]
        if kind < PAINTS:
            cover *= wp.clamp(1.3 - 1.6 * look[2] + pattern * (0.2 + look[2]), 0.08, 1.0)
            paint += wp.vec4(rgb[0] * cover, rgb[1] * cover, rgb[2] * cover, cover)
        else:
            below += wp.vec4(rgb[0] * cover, rgb[1] * cover, rgb[2] * cover, cover)
    return below, paint


@wp.func
def joint(x: wp.float32, period: wp.float32, wide: wp.float32, footprint: wp.float32):
    """Share of a footprint around x that is joint, `wide` metres every `period`."""
    turn = x / period
    away = (0.5 - wp.abs(turn - wp.floor(turn) - 0.5)) * period
    soft = footprint + 0.5 * wide
    return wp.clamp((0.5 * wide - away) / soft + 0.5, 0.0, 1.0) * wp.clamp(2.0 * wide / footprint, 0.0, 1.0)


@wp.struct
class Walk:
    """How a map's sidewalks are paved: stones or slabs in courses, or asphalt."""

    colour: wp.vec3
    long_m: wp.float32
    wide_m: wp.float32
    joint_m: wp.float32
    variety: wp.float32  # of the stones' brightness
    depth: wp.float32  # of the joints' shade


@wp.func
def walk_of(site: Site):
    """Panels, slabs, or pavers, grey ones and reddish ones, in running bond; or asphalt."""
    walk = Walk()
    walk.colour = wp.vec3(0.290, 0.282, 0.262)
    walk.long_m = 1.2
    walk.wide_m = 1.2
    walk.joint_m = 0.012
    walk.variety = 0.28
    walk.depth = 0.45
    if site.walk == 1:
        walk.long_m = site.slab_m
        walk.wide_m = site.slab_m
        walk.colour = wp.vec3(0.295, 0.287, 0.270)
    elif site.walk == 2 or site.walk == 4:
        walk.long_m = 0.2
        walk.wide_m = 0.3
        walk.joint_m = 0.016
        walk.variety = 0.30
        if site.walk == 4:
            walk.colour = wp.vec3(0.262, 0.230, 0.212)
    elif site.walk == 3:
        walk.colour = wp.vec3(0.185, 0.18, 0.175)
        walk.variety = 0.0
        walk.depth = 0.0
    return walk


@wp.func
def walk_at(walk: Walk, grain: wp.float32, s: float, d: float, footprint: float):
    """Brightness of a sidewalk at s metres along it and d beside its middle, as a factor of its colour."""
    row = wp.floor(s / walk.long_m)
    beside = d + 0.5 * walk.wide_m * (row - 2.0 * wp.floor(0.5 * row))
    gap = wp.max(joint(s, walk.long_m, walk.joint_m, footprint), joint(beside, walk.wide_m, walk.joint_m, footprint))
    stone = hashed(int(row), int(wp.floor(beside / walk.wide_m))) - 0.5
    stone *= wp.clamp(0.7 * walk.long_m / footprint, 0.0, 1.0)
    return (0.75 + 0.25 * grain) * (1.0 + walk.variety * stone - walk.depth * gap)


@wp.func
def kerb_stone(site: Site, light: Light):
    """Albedo of kerb stones."""
    return wp.vec3(0.33, 0.325, 0.31) * (site.stone * (1.0 - 0.35 * light.wet))


@wp.func
def field_at(green: wp.vec3, x: wp.float32, y: wp.float32):
    """Land that is farmed: meadow, crops, stubble, ploughed earth, in strips of about a hectare."""
    u = int(wp.floor((0.9 * x + 0.43 * y) * 0.0068))
    v = int(wp.floor((0.9 * y - 0.43 * x) * 0.0115))
    what = hashed(u, v)
    rough = green[1] * 8.0
    crops = wp.where(what >= 0.35 and what < 0.58, 0.8, 0.0)
    stubble = wp.where(what >= 0.58 and what < 0.78, 0.8, 0.0)
    ploughed = wp.where(what >= 0.78, 0.85, 0.0)
    rgb = green * (1.0 - crops - stubble - ploughed) + wp.vec3(0.085, 0.125, 0.035) * (rough * crops)
    return rgb + wp.vec3(0.30, 0.235, 0.105) * (rough * stubble) + wp.vec3(0.155, 0.110, 0.072) * (rough * ploughed)


@wp.struct
class Cover:
    """What lies in a footprint: shares of it, and what is known of its lane."""

    road: wp.float32
    side: wp.float32
    stone: wp.float32  # kerb stones
    gutter: wp.float32
    gravel: wp.float32


@wp.func
def tap_at(ground: Ground, plot: Plot, code: wp.int32, x: wp.float32, y: wp.float32, soft: float, gravel_m: float):
    """Shares of what one tap of a footprint covers, edges softened over `soft` metres."""
    cover = Cover()
    cover.road = wp.where((code & CLASS_MASK) == ROAD, 1.0, 0.0)
    cover.side = wp.where((code & CLASS_MASK) == SIDEWALK, 1.0, 0.0)
    if (code & EDGE_FLAG) != 0:
        distances = distances_at(ground, plot, x, y)
        edge = distances[0]
        cover.road = wp.clamp(0.5 + edge / soft, 0.0, 1.0)
        cover.side = wp.clamp(0.5 + distances[1] / soft, 0.0, 1.0) * (1.0 - cover.road)
        near = wp.where(edge < 0.6, 1.0, 0.0)
        walled = wp.where(distances[1] > edge + 0.8, near, 0.0)
        cover.stone = (wp.clamp(0.5 + (edge + 0.16) / soft, 0.0, 1.0) - cover.road) * walled
        gutter = cover.road - 0.6 * wp.clamp(0.5 + (edge - 0.10) / soft, 0.0, 1.0)
        cover.gutter = (gutter - 0.4 * wp.clamp(0.5 + (edge - 0.30) / soft, 0.0, 1.0)) * walled
        cover.gravel = (wp.clamp(0.5 + (edge + gravel_m) / (soft + 0.3), 0.0, 1.0) - cover.road) * (near - walled)
    return cover


@wp.struct
class Place:
    """Where in its lane a point is, and how that lane is worn."""

    s: wp.float32
    d: wp.float32
    tone: wp.float32
    track: wp.float32  # below wheels
    rut: wp.float32
    mixed: wp.float32  # in junctions wheels roll everywhere


@wp.func
def place_of(ground: Ground, lanes_first: wp.int32, code: wp.int32, x: float, y: float, wide_m: wp.float32):
    place = Place()
    lane = code & LANE_MASK
    on_lane = lane > 0
    piece = wp.where(on_lane, lanes_first + lane - 1, 0)
    dx = x - ground.lane_line[piece, 0]
    dy = y - ground.lane_line[piece, 1]
    ahead_x = ground.lane_line[piece, 2]
    ahead_y = ground.lane_line[piece, 3]
    place.s = wp.where(on_lane, ground.lane_shape_m[piece, 0] + dx * ahead_x + dy * ahead_y, x)
    place.d = wp.where(on_lane, dy * ahead_x - dx * ahead_y, y)
    place.tone = wp.where(on_lane, ground.lane_shape_m[piece, 2], 1.0)
    worn = wp.where(on_lane, ground.lane_shape_m[piece, 3], 0.0)
    place.rut = wp.max(worn, 0.0)
    place.mixed = wp.max(-worn, 0.0)
    u = (wp.abs(place.d) - TRACK_M) * 2.4
    track = wp.max(1.0 - u * u, 0.0)
    place.track = track * track * place.rut * wp.clamp(1.7 - 1.2 * wide_m, 0.0, 1.0)
    return place


@wp.func
def verge_at(
    site: Site,
    light: Light,
    code: wp.int32,
    grass: wp.vec3,
    noise: float,
    grain: float,
    loose: float,
    x: float,
    y: float,
):
    """Albedo of what is not paved: a texture's grass or fields, `loose` of it gravel."""
    # Stains are finer than a stride; where it is dry, grass turns to straw.
    albedo = grass * (0.9 + 0.03 * noise)
    field = wp.where((code & FAR_FLAG) != 0 and site.farmed, 1.0, 0.0)
    albedo = mix(albedo, field_at(albedo, x, y), field)
    dry = wp.clamp(site.dry * (0.3 + 0.12 * noise), 0.0, 0.7)
    albedo = mix(albedo, wp.vec3(1.02, 0.94, 0.50) * albedo[1], dry)
    pebbles = wp.vec3(0.185, 0.168, 0.14) * ((0.5 + 0.5 * grain) * (1.0 + 0.045 * noise))
    albedo = mix(albedo, pebbles, wp.clamp(loose * (0.55 + 0.08 * noise + 0.8 * (grain - 1.0)), 0.0, 1.0))
    albedo = albedo * (1.0 - 0.25 * light.wet)
    cover = wp.clamp(2.4 * light.snow - 0.25 + 0.25 * noise, 0.0, 1.0) * wp.where(light.snow > 0.0, 1.0, 0.0)
    return mix(albedo, wp.vec3(0.80, 0.82, 0.86) * (1.0 + 0.05 * noise), cover)


@wp.func
def lane_at(light: Light, asphalt: wp.vec3, warm: float, noise: float, grain: float, place: Place, gutter: float,
            below: wp.vec4, paint: wp.vec4):  # fmt: skip
    """Colour of a carriageway and the share that water makes smooth; `below` and `paint` as `decals_at`, of it all."""
    d2 = place.d * place.d
    oil = place.rut * wp.max(1.0 - 3.0 * d2, 0.0)
    rgb = asphalt * (1.0 - 0.16 * place.track - 0.07 * oil + 0.05 * warm * place.track)
    factor = wp.vec3(below[0], below[1], below[2]) * (1.0 / wp.max(below[3], 1.0e-6))
    rgb = mix(rgb, wp.cw_mul(rgb, factor), wp.min(below[3], 1.0))
    rgb = mix(rgb, wp.vec3(0.045, 0.042, 0.038) * (1.0 + 0.045 * noise), wp.clamp(gutter, 0.0, 1.0) * 0.8)
    wet = light.wet
    puddle = wp.clamp(1.8 * wet - 1.2 + 0.20 * noise + 0.45 * place.track, 0.0, 1.0)
    rgb = rgb * (1.0 - wet * (0.50 + 0.15 * puddle))
    factor = wp.vec3(paint[0], paint[1], paint[2]) * ((1.0 - 0.15 * wet) / wp.max(paint[3], 1.0e-6))
    rgb = mix(rgb, factor, wp.min(paint[3], 1.0))
    shine = wet * 0.4 + puddle * 0.6
    snow = light.snow
    lies = wp.where(snow > 0.0, 1.0, 0.0)
    rolled = place.track + 0.4 * place.rut * wp.max(1.0 - 0.5 * d2, 0.0) + 0.4 * place.mixed
    cover = wp.clamp(2.0 * snow - 0.55 - rolled * (2.0 - snow) + 0.22 * noise, 0.0, 1.0) * lies
    slush = wp.clamp(1.5 * snow - 0.2, 0.0, 0.7) * lies
    rgb = mix(rgb, wp.vec3(0.26, 0.25, 0.24), slush * (1.0 - cover) * 0.6)
    rgb = mix(rgb, wp.vec3(0.64, 0.66, 0.69) * (1.0 + 0.08 * noise + 0.3 * (grain - 1.0)), cover)
    shine *= 1.0 - cover
    return wp.vec4(rgb[0], rgb[1], rgb[2], shine)


@wp.func
def mirrored(light: Light, mirror: wp.float32, sight: wp.vec3):
    """What `mirror` of water on the ground throws back of the sky along a unit sight line, by Schlick's law."""
    away = 1.0 - wp.clamp(-sight[2], 0.0, 1.0)
    square = away * away
    share = mirror * (0.02 + 0.98 * square * square * away)
    return mix(light.fog_rgb, light.ambient_rgb, 1.0 - away) * (0.75 * share)
