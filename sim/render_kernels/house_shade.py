"""Whether houses keep the sun from what stands in the street: once for each instance, not for each pixel."""

import warp as wp

from sim.render_kernels.appearance import turns_of
from sim.render_kernels.terrain import Ground

wp.set_module_options({"enable_backward": False})

AZIMUTHS = wp.constant(16)  # of the raster that `rendering.house_shade` makes, a full turn; a power of 2
CELL_M = wp.constant(4.0)
UNIT_M = wp.constant(0.25)  # of its bytes
LEAST_RISE = wp.constant(0.02)  # tangent of the lowest sun
BESIDE_M = wp.constant(3.0)  # how far before the side that faces the sun a thing's shade is looked up
SOFT_M = wp.constant(0.5)  # height over which shade gives way to sun: half a degree of sun, and roofs are no knives


@wp.func
def sun_of(weather: wp.array2d(dtype=wp.float32), world: wp.int32):
    """The direction towards a world's sun."""
    azimuth = weather[world, 0]
    elevation = weather[world, 1]
    level = wp.cos(elevation)
    return wp.vec3(level * wp.cos(azimuth), level * wp.sin(azimuth), wp.sin(elevation))


@wp.func
def shade_in_cell(ground: Ground, scene: wp.int32, column: wp.int32, row: wp.int32, way: wp.vec2):
    """Height (m) up to which houses shade the middle of a cell, from the two directions next to the sun's `way`."""
    shape = ground.shade_shape[scene]
    if column < 0 or row < 0 or column >= shape[0] or row >= shape[1]:
        return 0.0
    at = way[0] * float(AZIMUTHS)
    first = int(wp.floor(at))
    share = at - float(first)
    cell = (ground.shade_first[scene] + row * shape[0] + column) * AZIMUTHS
    low = 2 * (cell + (first & (AZIMUTHS - 1)))
    high = 2 * (cell + ((first + 1) & (AZIMUTHS - 1)))
    one = wp.max(float(ground.shade[low + 1]) - float(ground.shade[low]) * way[1], 0.0)
    other = wp.max(float(ground.shade[high + 1]) - float(ground.shade[high]) * way[1], 0.0)
    return UNIT_M * (one + (other - one) * share)


@wp.func
def way_of(sun: wp.vec3):
    """The sun's azimuth in turns and the tangent of its elevation."""
    level = wp.max(wp.sqrt(sun[0] * sun[0] + sun[1] * sun[1]), 1.0e-3)
    return wp.vec2(turns_of(sun[1], sun[0]), wp.max(sun[2] / level, LEAST_RISE))


@wp.func
def shade_at(ground: Ground, scene: wp.int32, sun: wp.vec3, x: wp.float32, y: wp.float32):
    """Height (m) up to which houses shade a place, bilinear between cells: for what moves."""
    way = way_of(sun)
    origin = ground.origin[scene]
    gx = (x - origin[0]) / CELL_M - 0.5
    gy = (y - origin[1]) / CELL_M - 0.5
    column = int(wp.floor(gx))
    row = int(wp.floor(gy))
    fx = gx - float(column)
    fy = gy - float(row)
    low = shade_in_cell(ground, scene, column, row, way) * (1.0 - fx)
    low += shade_in_cell(ground, scene, column + 1, row, way) * fx
    high = shade_in_cell(ground, scene, column, row + 1, way) * (1.0 - fx)
    high += shade_in_cell(ground, scene, column + 1, row + 1, way) * fx
    return low * (1.0 - fy) + high * fy


@wp.func
def shade_of_static(
    ground: Ground, scene: wp.int32, sun: wp.vec3, way: wp.vec2, base: wp.vec3, turn: wp.mat33, width: wp.float32
):
    """Height (m) up to which other houses shade a thing on the side along its y axis that faces the sun."""
    across = wp.vec2(turn[0, 1], turn[1, 1])
    toward = sun[0] * across[0] + sun[1] * across[1]
    side = wp.where(toward < 0.0, -1.0, 1.0)
    away = 0.5 * width + BESIDE_M
    origin = ground.origin[scene]
    column = int(wp.floor((base[0] + side * away * across[0] - origin[0]) / CELL_M))
    row = int(wp.floor((base[1] + side * away * across[1] - origin[1]) / CELL_M))
    top = shade_in_cell(ground, scene, column, row, way)
    # The thing's side is farther from what shades it than the place before it.
    return top - BESIDE_M * sun[2] / wp.max(wp.abs(toward), 0.25)


@wp.func
def sunlit(height: wp.float32, top: wp.float32):
    """Share of the sun at a height where shade reaches up to `top`: full from there on, none from SOFT_M below."""
    return wp.clamp((height - top) / SOFT_M + 1.0, 0.0, 1.0)
