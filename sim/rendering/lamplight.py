"""Pools of light that street lamps throw on the ground, as a raster."""

import numpy as np

from sim.meshes.library import Model
from sim.meshes.street import Street
from sim.rendering.planting import Items

CELL_M = 2.0
REACH_M = 30.0
ONE = 96  # of the raster, right below a lantern
# Where lanterns hang, along x in widths of the model's box from its middle.
_LANTERNS = {Model.LAMP_POST: (0.32,), Street.DOUBLE_LAMP: (-0.4, 0.4), Street.PARK_LAMP: (0.0,)}


def lamp_pools(items: Items, origin_world_m: np.ndarray, extent_m: np.ndarray) -> np.ndarray:
    """Light (rows, columns) uint8 on level ground at points `origin + (column, row) * CELL_M`, from all lamps around.

    A lantern of height h lights the ground d beside it by h^3 / (h^2 + d^2)^1.5 of what it does right below.
    """
    columns, rows = (np.ceil(extent_m / CELL_M) + 1).astype(int)
    light = np.zeros((rows, columns))
    reach = int(REACH_M / CELL_M)
    for model, (x, y), yaw, size in zip(items.model, items.xy_world_m, items.yaw_world_rad, items.size_m):
        for share in _LANTERNS.get(model, ()):
            at = (np.array([x, y]) + share * size[0] * np.array([np.cos(yaw), np.sin(yaw)]) - origin_world_m) / CELL_M
            low = np.maximum(np.floor(at).astype(int) - reach, 0)
            high = np.minimum(np.ceil(at).astype(int) + reach + 1, (columns, rows))
            if (high > low).all():
                beside = np.square((np.arange(low[0], high[0]) - at[0]) * CELL_M)[None, :]
                beside = beside + np.square((np.arange(low[1], high[1]) - at[1]) * CELL_M)[:, None]
                rim = np.clip(2.0 - 2.0 * np.sqrt(beside) / REACH_M, 0.0, 1.0)
                fall = size[2] ** 3 / np.power(size[2] ** 2 + beside, 1.5)
                light[low[1] : high[1], low[0] : high[0]] += rim * fall * min(size[2] / 6.0, 1.0)
    return np.minimum(np.rint(light * ONE), 255).astype(np.uint8)
