"""The ground's shape: signed distances to the edges of what is paved, heights, kerbs, and where a ray meets it."""

import warp as wp

wp.set_module_options({"enable_backward": False})

GROUND_UNIT_M = wp.constant(1.0 / 2048.0)  # of the packed signed distances
FAR_M = wp.constant(1500.0)  # no ground is seen beyond, but on flat maps
BEND_1PM = wp.constant(0.006)  # curvature that land is expected to stay below
MOST_STEPS = wp.constant(48)
SECANTS = wp.constant(4)
ON_LAND = wp.constant(0)  # parts of the ground
ON_ROAD = wp.constant(1)
ON_KERB = wp.constant(2)  # the upright face of a kerb
ON_WALK = wp.constant(3)  # what kerbs raise
KERBS_FADE_M = wp.constant(50.0)  # from here on kerbs get lower, to nothing in
KERBS_END_M = wp.constant(80.0)
EDGE_FLAG = wp.constant(1 << 22)  # of codes: an edge is near
FAR_FLAG = wp.constant(1 << 24)
CLASS_SHIFT = wp.constant(20)
INSIDE_M = wp.constant(0.6)  # ground without that flag is farther from every edge
KERB_COLUMN = wp.constant(8)  # of the style: their height


@wp.struct
class Ground:
    cell_m: wp.float32
    origin: wp.array(dtype=wp.vec2)
    shape: wp.array(dtype=wp.vec2i)
    first: wp.array(dtype=wp.int32)
    distance: wp.array(dtype=wp.int32)  # carriageway in the upper, sidewalk in the lower 16 bits, signed
    flat: wp.array(dtype=wp.int32)  # per map: 1 where all heights are 0
    height_cell_m: wp.array(dtype=wp.float32)
    height_origin: wp.array(dtype=wp.vec2)
    height_shape: wp.array(dtype=wp.vec2i)
    height_first: wp.array(dtype=wp.int32)
    height_top_m: wp.array(dtype=wp.float32)
    height_m: wp.array(dtype=wp.float32)
    pool_cell_m: wp.float32  # light of street lamps, from the same origin
    pool_shape: wp.array(dtype=wp.vec2i)
    pool_first: wp.array(dtype=wp.int32)
    pool: wp.array(dtype=wp.uint8)
    shade_shape: wp.array(dtype=wp.vec2i)  # what houses hide of the sky, as in rendering/house_shade.py
    shade_first: wp.array(dtype=wp.int32)
    shade: wp.array(dtype=wp.uint8)
    code_cell_m: wp.float32  # cells from the same origin, each with a code as in rendering/lane_cells.py
    code_shape: wp.array(dtype=wp.vec2i)
    code_first: wp.array(dtype=wp.int32)
    code: wp.array(dtype=wp.int32)
    lane_first: wp.array(dtype=wp.int32)
    lane_line: wp.array2d(dtype=wp.float32)  # (L, 4) x, y of the start, unit direction
    lane_shape_m: wp.array2d(
        dtype=wp.float32
    )  # (L, 4) distance along at the start, half width, tone, depth of wheel tracks
    noise: wp.array(dtype=wp.float32)  # two levels of the same
    style: wp.array2d(dtype=wp.float32)  # (M, 9) as roadwear.Style.row
    mark_first: wp.array(dtype=wp.int32)  # per cell of codes, and one more per map
    mark_item: wp.array(dtype=wp.int32)
    mark_thin: wp.array(dtype=wp.int32)  # per map: the first piece that is seen near the camera only
    mark_line: wp.array(dtype=wp.vec4)  # x, y of the start, unit direction
    mark_shape_m: wp.array(dtype=wp.vec4)  # length, width (discs: -diameter), distance along at its start, period
    mark_paint: wp.array(dtype=wp.vec4)  # dash length, kind, wear, rim
    mark_rgb: wp.array(dtype=wp.vec3)  # per kind


@wp.struct
class Plot:
    """Where one map's rasters lie: numbers that kernels read once and not for every point."""

    flat: wp.bool
    west_m: wp.float32  # of codes and distances
    south_m: wp.float32
    code_columns: wp.int32
    code_rows: wp.int32
    code_first: wp.int32
    codes_per_m: wp.float32
    columns: wp.int32  # of distances
    rows: wp.int32
    first: wp.int32
    per_m: wp.float32
    height_west_m: wp.float32
    height_south_m: wp.float32
    height_columns: wp.int32
    height_rows: wp.int32
    height_first: wp.int32
    heights_per_m: wp.float32
    kerb_m: wp.float32  # height of kerbs


@wp.func
def plot_of(ground: Ground, scene: wp.int32):
    """Where the rasters of a map lie, by its number."""
    plot = Plot()
    plot.flat = ground.flat[scene] == 1
    plot.west_m = ground.origin[scene][0]
    plot.south_m = ground.origin[scene][1]
    plot.code_columns = ground.code_shape[scene][0]
    plot.code_rows = ground.code_shape[scene][1]
    plot.code_first = ground.code_first[scene]
    plot.codes_per_m = 1.0 / ground.code_cell_m
    plot.columns = ground.shape[scene][0]
    plot.rows = ground.shape[scene][1]
    plot.first = ground.first[scene]
    plot.per_m = 1.0 / ground.cell_m
    plot.height_west_m = ground.height_origin[scene][0]
    plot.height_south_m = ground.height_origin[scene][1]
    plot.height_columns = ground.height_shape[scene][0]
    plot.height_rows = ground.height_shape[scene][1]
    plot.height_first = ground.height_first[scene]
    plot.heights_per_m = 1.0 / ground.height_cell_m[scene]
    plot.kerb_m = ground.style[scene, KERB_COLUMN]
    return plot


@wp.func
def cell_of(plot: Plot, x: wp.float32, y: wp.float32):
    """The cell of codes of a point, -1 off the map."""
    gx = (x - plot.west_m) * plot.codes_per_m
    gy = (y - plot.south_m) * plot.codes_per_m
    inside = gx >= 0.0 and gy >= 0.0 and gx < float(plot.code_columns) and gy < float(plot.code_rows)
    return wp.where(inside, plot.code_first + int(gy) * plot.code_columns + int(gx), -1)


@wp.func
def code_at(ground: Ground, plot: Plot, x: wp.float32, y: wp.float32):
    """The code of a point's cell; far land off the map."""
    cell = cell_of(plot, x, y)
    return wp.where(cell < 0, FAR_FLAG, ground.code[wp.max(cell, 0)])


@wp.func
def distances_at(ground: Ground, plot: Plot, x: wp.float32, y: wp.float32):
    """Signed distances to the edges of carriageway and sidewalk in metres, inside positive; -8 off the map."""
    gx = (x - plot.west_m) * plot.per_m
    gy = (y - plot.south_m) * plot.per_m
    inside = gx >= 0.0 and gy >= 0.0 and gx < float(plot.columns - 1) and gy < float(plot.rows - 1)
    column = wp.clamp(int(gx), 0, plot.columns - 2)
    row = wp.clamp(int(gy), 0, plot.rows - 2)
    fx = gx - float(column)
    fy = gy - float(row)
    at = plot.first + row * plot.columns + column
    a = ground.distance[at]
    b = ground.distance[at + 1]
    c = ground.distance[at + plot.columns]
    d = ground.distance[at + plot.columns + 1]
    road = (float(a >> 16) * (1.0 - fx) + float(b >> 16) * fx) * (1.0 - fy)
    road += (float(c >> 16) * (1.0 - fx) + float(d >> 16) * fx) * fy
    side = (float((a << 16) >> 16) * (1.0 - fx) + float((b << 16) >> 16) * fx) * (1.0 - fy)
    side += (float((c << 16) >> 16) * (1.0 - fx) + float((d << 16) >> 16) * fx) * fy
    return wp.vec2(wp.where(inside, road * GROUND_UNIT_M, -8.0), wp.where(inside, side * GROUND_UNIT_M, -8.0))


@wp.func
def ground_distances(ground: Ground, scene: wp.int32, x: wp.float32, y: wp.float32):
    """`distances_at` on a map by its number."""
    return distances_at(ground, plot_of(ground, scene), x, y)


@wp.func
def lamplight_at(ground: Ground, scene: wp.int32, x: wp.float32, y: wp.float32):
    """Light of street lamps on the ground, 1 right below one lantern."""
    origin = ground.origin[scene]
    shape = ground.pool_shape[scene]
    gx = (x - origin[0]) / ground.pool_cell_m
    gy = (y - origin[1]) / ground.pool_cell_m
    if gx < 0.0 or gy < 0.0 or gx >= float(shape[0] - 1) or gy >= float(shape[1] - 1):
        return 0.0
    column = int(gx)
    row = int(gy)
    fx = gx - float(column)
    fy = gy - float(row)
    at = ground.pool_first[scene] + row * shape[0] + column
    low = float(ground.pool[at]) * (1.0 - fx) + float(ground.pool[at + 1]) * fx
    high = float(ground.pool[at + shape[0]]) * (1.0 - fx) + float(ground.pool[at + shape[0] + 1]) * fx
    return (low * (1.0 - fy) + high * fy) * (1.0 / 96.0)


@wp.func
def surface_on(ground: Ground, plot: Plot, x: wp.float32, y: wp.float32):
    """Height and its slopes along x and y, bilinear between nodes; the raster's edge goes on beyond it."""
    gx = wp.clamp((x - plot.height_west_m) * plot.heights_per_m, 0.0, float(plot.height_columns) - 1.001)
    gy = wp.clamp((y - plot.height_south_m) * plot.heights_per_m, 0.0, float(plot.height_rows) - 1.001)
    column = int(gx)
    row = int(gy)
    fx = gx - float(column)
    fy = gy - float(row)
    at = plot.height_first + row * plot.height_columns + column
    a = ground.height_m[at]
    b = ground.height_m[at + 1] - a
    c = ground.height_m[at + plot.height_columns]
    d = ground.height_m[at + plot.height_columns + 1] - c
    low = a + b * fx
    scale = plot.heights_per_m
    return wp.vec3(low + (c + d * fx - low) * fy, (b + (d - b) * fy) * scale, (c - a + (d - b) * fx) * scale)


@wp.func
def surface_at(ground: Ground, scene: wp.int32, x: wp.float32, y: wp.float32):
    """`surface_on` a map by its number."""
    return surface_on(ground, plot_of(ground, scene), x, y)


@wp.func
def normal_on(ground: Ground, plot: Plot, x: wp.float32, y: wp.float32) -> wp.vec3:
    """Upward unit normal, from heights one cell to each side, which smooths over the cells' edges."""
    cell = 1.0 / plot.heights_per_m
    east = surface_on(ground, plot, x + cell, y)[0] - surface_on(ground, plot, x - cell, y)[0]
    north = surface_on(ground, plot, x, y + cell)[0] - surface_on(ground, plot, x, y - cell)[0]
    scale = 1.0 / wp.sqrt(east * east + north * north + 4.0 * cell * cell)
    return wp.vec3(-east * scale, -north * scale, 2.0 * cell * scale)


@wp.func
def normal_at(ground: Ground, scene: wp.int32, x: wp.float32, y: wp.float32) -> wp.vec3:
    """`normal_on` a map by its number."""
    if ground.flat[scene] == 1:
        return wp.vec3(0.0, 0.0, 1.0)
    return normal_on(ground, plot_of(ground, scene), x, y)


@wp.func
def hit_after(
    ground: Ground, scene: wp.int32, eye: wp.vec3, toward: wp.vec3, start: wp.float32, most_m: wp.float32
) -> wp.float32:
    """`hit` of a ray known to be above the ground as far as `start`, looked at as far as `most_m`.

    On land that is not flat each step goes as far as ground of the local slope that bends up by BEND_1PM could allow,
    so it is long over level land; a bracket that it ends in is narrowed by secants (Illinois).
    """
    if ground.flat[scene] == 1:
        if toward[2] < -1.0e-6:
            return -eye[2] / toward[2]
        return 0.0
    level = wp.sqrt(toward[0] * toward[0] + toward[1] * toward[1])
    top = ground.height_top_m[scene]
    t = float(start)
    if eye[2] > top:
        if toward[2] >= 0.0:
            return 0.0
        t = wp.max(t, (top - eye[2]) / toward[2])
    most = most_m / wp.max(level, 1.0e-3)
    bend = 2.0 * BEND_1PM * level * level
    before = float(0.0)
    above = float(0.0)
    below = float(1.0)
    for _ in range(MOST_STEPS):
        p = eye + toward * t
        surface = surface_at(ground, scene, p[0], p[1])
        gap = p[2] - surface[0]
        if gap <= 0.0:
            below = gap
            break
        if t > most or (toward[2] >= 0.0 and p[2] > top):
            return 0.0
        before = t
        above = gap
        closing = surface[1] * toward[0] + surface[2] * toward[1] - toward[2]
        t += wp.max(2.0 * gap / (closing + wp.sqrt(closing * closing + bend * gap) + 1.0e-9), 0.004 * t + 0.02)
    if below > 0.0 or above <= 0.0:
        return 0.0
    after = t
    side = int(0)
    for _ in range(SECANTS):
        t = before + (after - before) * above / (above - below)
        p = eye + toward * t
        gap = p[2] - surface_at(ground, scene, p[0], p[1])[0]
        if gap > 0.0:
            before = t
            above = gap
            if side == 1:
                below *= 0.5
            side = 1
        else:
            after = t
            below = gap
            if side == -1:
                above *= 0.5
            side = -1
    return t


@wp.func
def hit(ground: Ground, scene: wp.int32, eye: wp.vec3, toward: wp.vec3) -> wp.float32:
    """Where a ray first meets the ground, in units of `toward`; 0 or less where it does not."""
    return hit_after(ground, scene, eye, toward, 0.0, FAR_M)


@wp.struct
class Step:
    """What a ray meets once walks stand above the road that the raster describes."""

    depth: wp.float32  # in units of the ray
    part: wp.int32  # ON_LAND, ON_ROAD, ON_KERB or ON_WALK
    low_m: wp.float32  # signed distance into what is raised, where the ray meets the lower ground
    high_m: wp.float32  # the same where it is as high as the walk
    shift_m: wp.float32  # between the two; 0 where there is no kerb to see


@wp.func
def raised_m(distances: wp.vec2):
    """Signed distance into what kerbs raise: sidewalks as far as the carriageway."""
    return wp.min(distances[1], -distances[0])


@wp.func
def step_on(ground: Ground, plot: Plot, eye: wp.vec3, toward: wp.vec3, depth: wp.float32):
    """What a ray meets that would meet the lower ground at `depth`: that, a walk above it, or the kerb between.

    Distances are read only where the cell's code does not tell, and a second time only where that can matter: they
    change by no more than one goes.
    """
    step = Step()
    x = eye[0] + toward[0] * depth
    y = eye[1] + toward[1] * depth
    level = wp.sqrt(toward[0] * toward[0] + toward[1] * toward[1])
    # Too far to make out kerbs sink, so that rays stay cheap.
    height = plot.kerb_m * wp.clamp((KERBS_END_M - depth * level) / (KERBS_END_M - KERBS_FADE_M), 0.0, 1.0)
    closing = -toward[2]
    if not plot.flat:
        surface = surface_on(ground, plot, x, y)
        closing += surface[1] * toward[0] + surface[2] * toward[1]
    back = wp.where(height > 0.0, wp.min(height / wp.max(closing, 1.0e-4), 0.9 * depth), 0.0)
    shift = back * level
    code = code_at(ground, plot, x, y)
    kind = (code >> CLASS_SHIFT) & 3
    on_walk = kind > ON_ROAD
    step.depth = wp.where(on_walk, depth - back, depth)
    step.part = wp.where(on_walk, ON_WALK, kind)
    if shift >= INSIDE_M or (code & EDGE_FLAG) != 0:
        distances = distances_at(ground, plot, x, y)
        low = wp.min(distances[1], -distances[0])
        high = low
        kerbed = shift > 0.0 and low >= -shift
        if kerbed:
            high = low - shift
            if low < shift + 0.5:
                there = distances_at(ground, plot, x - toward[0] * back, y - toward[1] * back)
                high = wp.min(there[1], -there[0])
        part = wp.where(distances[0] > 0.0, ON_ROAD, wp.where(distances[1] > 0.0, ON_WALK, ON_LAND))
        raised = kerbed and high > 0.0
        faced = kerbed and high <= 0.0 and low > 0.0
        step.part = wp.where(raised, ON_WALK, wp.where(faced, ON_KERB, part))
        along = wp.where(raised, 1.0, wp.where(faced, low / wp.max(low - high, 1.0e-6), 0.0))
        step.depth = depth - back * along
        step.low_m = low
        step.high_m = high
        step.shift_m = wp.where(kerbed, shift, 0.0)
    return step


@wp.func
def step_at(ground: Ground, scene: wp.int32, eye: wp.vec3, toward: wp.vec3, depth: wp.float32):
    """`step_on` a map by its number."""
    return step_on(ground, plot_of(ground, scene), eye, toward, depth)


@wp.func
def kerb_share(low_m: float, high_m: float, shift_m: float, wide_m: wp.float32, long_m: wp.float32):
    """Share of a pixel that is a kerb's face, from its `Step` and the size of its footprint on level ground."""
    fall = wp.clamp((low_m - high_m) / wp.max(shift_m, 1.0e-6), -1.0, 1.0)
    soft = wp.abs(fall) * long_m + wp.sqrt(1.0 - fall * fall) * wide_m + 0.004
    above = wp.clamp(0.5 + high_m / soft, 0.0, 1.0)
    below = wp.clamp(0.5 - low_m / soft, 0.0, 1.0)
    return wp.where(shift_m > 0.0, wp.max(1.0 - above - below, 0.0), 0.0)


@wp.func
def kerb_normal(ground: Ground, scene: wp.int32, x: wp.float32, y: wp.float32) -> wp.vec3:
    """Level unit normal of the kerb nearest to a point."""
    reach = ground.cell_m
    east = raised_m(ground_distances(ground, scene, x + reach, y))
    east -= raised_m(ground_distances(ground, scene, x - reach, y))
    north = raised_m(ground_distances(ground, scene, x, y + reach))
    north -= raised_m(ground_distances(ground, scene, x, y - reach))
    return wp.normalize(wp.vec3(-east, -north, 1.0e-6))
