"""Built-up streets are paved up to their house fronts; trees there stand in pits."""

from dataclasses import replace

import cv2
import numpy as np

from sim.meshes.library import Model
from sim.meshes.street import FLAT_SIZES, OFFICE_SIZES, TOWN_HOUSES, Street
from sim.rendering.ground import CELL_M, REACH_M, GroundRaster
from sim.rendering.planting import Items, rectangle

GAP_M = 6.5  # so wide a strip between sidewalk and front is paved; villas keep their gardens
PIT_M = 0.7  # radius of the open ground around a trunk
_FRONTS = (
    *(Street.TOWN_HOUSE + k for k in range(len(TOWN_HOUSES))), *(Street.FLATS + k for k in range(len(FLAT_SIZES))),
    *(Street.OFFICES + k for k in range(len(OFFICE_SIZES))), Street.HALL, Street.CHURCH, Street.PETROL_STATION,
)  # fmt: skip
_TREES = (
    *(Model.BROADLEAF, Model.CONIFER, Model.POPLAR, Model.BUSH),
    *(Street.OAK, Street.MAPLE, Street.BIRCH, Street.PINE),
)


def pave_fronts(ground: GroundRaster, items: Items) -> GroundRaster:
    """The raster with its sidewalks extended to the buildings close to them; as it was where there is no sidewalk.

    What lies between is where the distances to both add up to little; the half of what they lack of GAP_M changes no
    faster than a distance does, as those who read the raster expect.
    """
    if ground.sidewalk_m.max() <= 0.0 or not items.model:
        return ground
    built = np.zeros(ground.sidewalk_m.shape, np.uint8)
    xy, model, size = np.array(items.xy_world_m), np.array(items.model), np.array(items.size_m)
    for at in np.flatnonzero(np.isin(model, _FRONTS)):
        yaw = items.yaw_world_rad[at]
        corners = rectangle(xy[at], np.array([np.cos(yaw), np.sin(yaw)]), size[at, 0], size[at, 1], False)
        cv2.fillPoly(built, [np.rint((corners - ground.origin_world_m) / CELL_M).astype(np.int32)], 1)
    if not built.any():
        return ground
    to_front = cv2.distanceTransform(1 - built, cv2.DIST_L2, cv2.DIST_MASK_5) * CELL_M
    between = 0.5 * (GAP_M - to_front - np.maximum(-ground.sidewalk_m, 0.0))
    walk = np.maximum(ground.sidewalk_m, np.minimum(between, REACH_M))
    _dig_pits(walk, ground, xy[np.isin(model, _TREES)])
    return replace(ground, sidewalk_m=walk.astype(np.float32))


def _dig_pits(walk: np.ndarray, ground: GroundRaster, trunks: np.ndarray) -> None:
    """Take the surroundings of trunks (n, 2) out of the walk."""
    rows, columns = walk.shape
    reach = int(np.ceil((REACH_M + PIT_M) / CELL_M))
    for trunk in (trunks - ground.origin_world_m) / CELL_M:
        column, row = np.rint(trunk).astype(int)
        if not (0 <= column < columns and 0 <= row < rows) or walk[row, column] < -PIT_M:
            continue
        part = slice(max(row - reach, 0), row + reach + 1), slice(max(column - reach, 0), column + reach + 1)
        y, x = np.mgrid[part[0].start : min(part[0].stop, rows), part[1].start : min(part[1].stop, columns)]
        walk[part] = np.minimum(walk[part], np.hypot(x - trunk[0], y - trunk[1]) * CELL_M - PIT_M)
