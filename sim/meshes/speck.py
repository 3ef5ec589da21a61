"""What a thing is drawn as where it is a few pixels high: two open boxes, one upon the other, in 16 triangles.

Each is as wide as the thing is there on average, seen along x and along y, and made of what most of it is made of:
trees keep a stem and a crown, cars their windows, and a post stays as thin as it is.
"""

from itertools import pairwise

import numpy as np

from sim.meshes.sculpt import Mesh, Sculptor

_COLUMNS, _ROWS = 40, 20  # points at which silhouettes are looked up; rows of both boxes


def speck(mesh: Mesh) -> Mesh:
    """A mesh that reaches as far up and down as the given one, with its silhouettes' widths."""
    points = mesh.corners_m.reshape(-1, 3)
    low, high = points.min(axis=0), points.max(axis=0)
    covered = [_covered(mesh.corners_m[..., [axis, 2]], low[[axis, 2]], high[[axis, 2]]) for axis in (0, 1)]
    levels = np.linspace(low[2], high[2], 3)
    sculptor = Sculptor()
    for half, (bottom, top) in enumerate(pairwise(levels)):
        rows = slice(half * _ROWS // 2, (half + 1) * _ROWS // 2)
        x, y = (_stretch(np.any(cover[:, rows], axis=0), low[axis], high[axis]) for axis, cover in enumerate(covered))
        seen = sum(cover[:, rows].sum(axis=(1, 2)) for cover in covered)
        foot = np.array([(x[0], y[0], bottom), (x[1], y[0], bottom), (x[1], y[1], bottom), (x[0], y[1], bottom)])
        material = np.full((1, 4), np.bincount(mesh.material, seen).argmax())
        sculptor.loft(np.array([foot, foot + (0.0, 0.0, top - bottom)]), material)
    return sculptor.mesh()


def _covered(corner: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Which triangles (T, 3, 2) cover which points (_ROWS, _COLUMNS) of a box, (T, rows, columns)."""
    across = low[0] + (np.arange(_COLUMNS) + 0.5) / _COLUMNS * (high[0] - low[0])
    up = low[1] + (np.arange(_ROWS) + 0.5) / _ROWS * (high[1] - low[1])
    side = np.roll(corner, -1, axis=1) - corner
    flat = np.abs(side[:, 0, 0] * side[:, 1, 1] - side[:, 0, 1] * side[:, 1, 0]) < 1e-9  # seen edge on
    turn = side[..., 0, None, None] * (up[:, None] - corner[..., 1, None, None])
    turn = turn - side[..., 1, None, None] * (across - corner[..., 0, None, None])
    inside = (turn >= 0.0).all(axis=1) | (turn <= 0.0).all(axis=1)
    return inside & ~flat[:, None, None]


def _stretch(covered: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """From where to where a box reaches that has the area of a silhouette (rows, columns), about its middle."""
    half = 0.5 * max(covered.mean(), 0.5 / _COLUMNS) * (high - low)
    column = np.nonzero(covered)[1].mean() + 0.5 if covered.any() else 0.5 * _COLUMNS
    middle = min(max(low + column / _COLUMNS * (high - low), low + half), high - half)
    return middle - half, middle + half
