"""How far the shadows of houses reach, wherever the sun stands: a raster of what rises around each place.

For each cell and each of AZIMUTHS directions it names the house that hides most of the sky: how far away it is, and how
high. Where the sun's elevation is e, its shadow at the place then reaches up to `height - distance * tan(e)`.
"""

import numpy as np

from sim.meshes.street import SEMANTIC
from sim.render_kernels.house_shade import AZIMUTHS, CELL_M, UNIT_M
from sim.rendering.planting import Items
from sim.types import Semantic

_REACH_M = 56.0
_LOW_M = 2.6  # lower things keep the sun from nobody
_GROWN_M = 0.5  # a place in or this close to a house is not in its own shade


def house_shade(items: Items, origin_world_m: np.ndarray, extent_m: np.ndarray) -> np.ndarray:
    """Distance and height in UNIT_M, (rows, columns, AZIMUTHS, 2) uint8; both 0 where no house stands there.

    Cells have their middle at `origin + (column + 0.5, row + 0.5) * CELL_M`; directions go counter-clockwise from +x.
    """
    columns, rows = np.maximum(np.ceil(extent_m / CELL_M), 1).astype(int)
    slope = np.zeros((rows, columns, AZIMUTHS))
    found = np.zeros((rows, columns, AZIMUTHS, 2), np.uint8)
    for model, middle, yaw, size in zip(items.model, items.xy_world_m, items.yaw_world_rad, items.size_m):
        if SEMANTIC.get(model) != Semantic.BUILDING or size[2] < _LOW_M or max(size) > 2.0 * _REACH_M:
            continue
        at = (np.array(middle) - origin_world_m) / CELL_M
        reach = (_REACH_M + 0.5 * max(size[:2])) / CELL_M
        low = np.clip(np.floor(at - reach), 0, (columns, rows)).astype(int)
        high = np.clip(np.ceil(at + reach), 0, (columns, rows)).astype(int)
        if (high <= low).any():
            continue
        window = slice(low[1], high[1]), slice(low[0], high[0])
        x = (np.arange(low[0], high[0]) + 0.5 - at[0])[None, :] * CELL_M
        y = (np.arange(low[1], high[1]) + 0.5 - at[1])[:, None] * CELL_M
        away = _away_m(x, y, yaw, 0.5 * size[0], 0.5 * size[1])
        steep = size[2] / away
        better = (steep > slope[window]) & (away < 255 * UNIT_M)
        slope[window][better] = steep[better]
        bytes_ = np.stack([np.rint(away / UNIT_M), np.full_like(away, min(round(size[2] / UNIT_M), 255))], -1)
        found[window][better] = bytes_[better].astype(np.uint8)
    return found


def _away_m(x: np.ndarray, y: np.ndarray, yaw: float, half_x: float, half_y: float) -> np.ndarray:
    """How far rays from (x, y) about a box's middle go before they enter it, (rows, columns, AZIMUTHS); else inf."""
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.arange(AZIMUTHS) * (2.0 * np.pi / AZIMUTHS) - yaw
    enter, leave = np.zeros((*np.broadcast_shapes(x.shape, y.shape), AZIMUTHS)), np.inf
    for at, way, half in ((c * x + s * y, np.cos(turn), half_x), (c * y - s * x, np.sin(turn), half_y)):
        way = np.where(np.abs(way) < 1e-6, 1e-6, way)
        one, other = ((sign * half - at[..., None]) / way for sign in (-1.0, 1.0))
        enter, leave = np.maximum(enter, np.minimum(one, other)), np.minimum(leave, np.maximum(one, other))
    inside = (np.abs(c * x + s * y) < half_x + _GROWN_M) & (np.abs(c * y - s * x) < half_y + _GROWN_M)
    return np.where((enter < leave) & (leave > 0.0) & ~inside[..., None], np.maximum(enter, 0.5 * _GROWN_M), np.inf)
