"""Heights of the ground as a raster: exact on and beside the roads, gently rolling land beyond, one storey.

Each sample of a lane's cross-section carries its height and slope, and speaks for the raster's nodes around it, so that
linear interpolation meets the roads' own surface. Where roads lie above one another the raster takes the lower one.
Between and beyond them heights are filled in smoothly (push-pull: Gortler et al. 1996, "The Lumigraph"), which makes
cuttings and embankments, and low hills set in at a distance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

CELL_M = 2.0
MOST_NODES = 16_000_000  # larger maps take larger cells
MARGIN_M = 160.0  # of land around the roads; beyond, the heights of the raster's edge go on
STOREY_M = 3.0  # what lies so much higher than a road below it is a bridge
FLAT_M = 1e-3
ACROSS_M = 1.0  # distance of samples across a lane
SPREAD_M = 0.9  # standard deviation of a sample's weight
BLEND_M = (4.0, 60.0)  # from the roads: where hills set in, and where they have their full height
HILL_M = 7.0
HILL_WAVE_M = 260.0
_SMOOTHINGS = 40


class Strip(Protocol):
    """What heights need of a lane; `sim.roads.network.LaneStrip` has it."""

    @property
    def left_xy_world_m(self) -> np.ndarray: ...
    @property
    def right_xy_world_m(self) -> np.ndarray: ...
    @property
    def left_z_world_m(self) -> np.ndarray: ...
    @property
    def right_z_world_m(self) -> np.ndarray: ...


@dataclass(frozen=True)
class HeightRaster:
    """Heights at points `origin + (column, row) * cell`; flat maps have one node of height 0."""

    origin_world_m: np.ndarray  # (2,)
    cell_m: float
    height_m: np.ndarray  # (rows, columns) float32
    flat: bool

    def at(self, xy_world_m: np.ndarray) -> np.ndarray:
        """Heights (n,) at points (n, 2), linear between nodes as cameras see it; the edge's go on beyond it."""
        if self.flat:
            return np.zeros(len(xy_world_m))
        rows, columns = self.height_m.shape
        p = np.clip((xy_world_m - self.origin_world_m) / self.cell_m, 0.0, [columns - 1.001, rows - 1.001])
        column, row = np.floor(p).astype(int).T
        fx, fy = (p - np.floor(p)).T
        low = self.height_m[row, column] * (1.0 - fx) + self.height_m[row, column + 1] * fx
        high = self.height_m[row + 1, column] * (1.0 - fx) + self.height_m[row + 1, column + 1] * fx
        return low * (1.0 - fy) + high * fy


@dataclass(frozen=True)
class _Samples:
    """Points of the roads' surface."""

    xy_world_m: np.ndarray  # (n, 2)
    z_world_m: np.ndarray  # (n,)
    slope: np.ndarray  # (n, 2) rise per metre along x and y


def raise_ground(strips: Sequence[Strip], rng: np.random.Generator) -> HeightRaster:
    """The heights of a map whose lanes are these; hills between and beyond the roads are drawn from `rng`."""
    if all(max(np.abs(s.left_z_world_m).max(), np.abs(s.right_z_world_m).max()) < FLAT_M for s in strips):
        return HeightRaster(np.zeros(2), CELL_M, np.zeros((1, 1), np.float32), True)
    samples = _samples(strips)
    low, high = samples.xy_world_m.min(axis=0) - MARGIN_M, samples.xy_world_m.max(axis=0) + MARGIN_M
    cell = CELL_M
    while np.prod((high - low) / cell) > MOST_NODES:
        cell *= 2.0
    origin = np.floor(low)
    columns, rows = (np.ceil((high - origin) / cell) + 1).astype(int)
    sums, weight = _spread(samples, origin, cell, (rows, columns))
    known = weight > 0.0
    height = np.divide(sums, weight, out=np.zeros_like(sums), where=known)
    height = _smoothed(_filled(height, known.astype(np.float64)), known, height)
    away = cv2.distanceTransform(1 - known.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) * cell
    share = np.clip((away - BLEND_M[0]) / (BLEND_M[1] - BLEND_M[0]), 0.0, 1.0)
    height += share * share * (3.0 - 2.0 * share) * _hills(rng, (rows, columns), cell)
    return HeightRaster(origin, cell, height.astype(np.float32), False)


def _samples(strips: Sequence[Strip]) -> _Samples:
    xy, z, slope = [], [], []
    for strip in strips:
        left, right = strip.left_xy_world_m, strip.right_xy_world_m
        if len(left) < 2:
            continue
        across = right - left
        wide = np.hypot(across[:, 0], across[:, 1])
        count = int(np.ceil(wide.max() / ACROSS_M)) + 1
        share = np.linspace(0.0, 1.0, count)[None, :, None]
        points = left[:, None] + share * across[:, None]
        drop = strip.right_z_world_m - strip.left_z_world_m
        heights = strip.left_z_world_m[:, None] + share[..., 0] * drop[:, None]
        along = np.gradient(points, axis=0)
        rise = np.gradient(heights, axis=0)
        xy.append(points.reshape(-1, 2))
        z.append(heights.reshape(-1))
        slope.append(_slopes(along, rise, across[:, None], drop[:, None]).reshape(-1, 2))
    return _Samples(np.concatenate(xy), np.concatenate(z), np.concatenate(slope))


def _slopes(along: np.ndarray, rise: np.ndarray, across: np.ndarray, drop: np.ndarray) -> np.ndarray:
    """Slope (n, k, 2) of the plane that rises by `rise` along one vector and by `drop` along another.

    Along lanes too narrow to tell, the plane is level across.
    """
    wide = np.hypot(across[..., 0], across[..., 1])
    turned = np.stack([along[..., 1], -along[..., 0]], axis=-1)
    across = np.where((wide < 0.3)[..., None], turned, across)
    drop = np.where(wide < 0.3, 0.0, drop)
    det = along[..., 0] * across[..., 1] - along[..., 1] * across[..., 0]
    det = np.where(np.abs(det) < 1e-4, np.inf, det)
    x = (rise * across[..., 1] - drop * along[..., 1]) / det
    y = (drop * along[..., 0] - rise * across[..., 0]) / det
    return np.clip(np.stack([x, y], axis=-1), -0.5, 0.5)


def _spread(
    samples: _Samples, origin: np.ndarray, cell: float, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Sums (rows, columns) of the heights that samples of the lower storey propose for nodes around, and weights."""
    at = np.rint((samples.xy_world_m - origin) / cell).astype(int)
    lowest = np.full(shape, np.inf)
    np.minimum.at(lowest, (at[:, 1], at[:, 0]), samples.z_world_m)
    lowest = cv2.erode(lowest, np.ones((3, 3), np.uint8))
    kept = samples.z_world_m < lowest[at[:, 1], at[:, 0]] + STOREY_M
    at, xy, z, slope = at[kept], samples.xy_world_m[kept], samples.z_world_m[kept], samples.slope[kept]
    sums, weights = np.zeros(shape[0] * shape[1]), np.zeros(shape[0] * shape[1])
    for step in np.ndindex(3, 3):
        node = at + np.array(step) - 1
        offset = origin + node * cell - xy
        weight = np.exp(-0.5 * np.square(offset / SPREAD_M).sum(axis=1)) + 1e-9
        flat = node[:, 1] * shape[1] + node[:, 0]
        sums += np.bincount(flat, weight * (z + (slope * offset).sum(axis=1)), len(sums))
        weights += np.bincount(flat, weight, len(sums))
    return sums.reshape(shape), weights.reshape(shape)


def _filled(value: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Values (rows, columns) everywhere, from those with weight: averages of ever larger cells fill what is unknown."""
    if min(value.shape) == 1 or weight.min() >= 1.0:
        return value if weight.min() >= 1.0 else np.full_like(value, (value * weight).sum() / weight.sum())
    rows, columns = (-(-n // 2) * 2 for n in value.shape)
    pad = ((0, rows - value.shape[0]), (0, columns - value.shape[1]))

    def halved(image: np.ndarray) -> np.ndarray:
        return np.pad(image, pad).reshape(rows // 2, 2, columns // 2, 2).sum(axis=(1, 3))

    total = halved(weight)
    coarse = np.divide(halved(value * weight), total, out=np.zeros_like(total), where=total > 0.0)
    coarse = _filled(coarse, np.minimum(total, 1.0))
    fine = cv2.resize(coarse, (columns, rows), interpolation=cv2.INTER_LINEAR)[: value.shape[0], : value.shape[1]]
    return weight * value + (1.0 - weight) * fine


def _smoothed(filled: np.ndarray, known: np.ndarray, height: np.ndarray) -> np.ndarray:
    for _ in range(_SMOOTHINGS):
        filled = np.where(known, height, cv2.blur(filled, (5, 5)))
    return filled


def _hills(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> np.ndarray:
    """Smooth heights (rows, columns) of about +-HILL_M."""
    coarse = [max(4, int(n * cell / HILL_WAVE_M) + 3) for n in shape]
    hills = cv2.resize(rng.normal(0.0, 0.5, coarse), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return HILL_M * np.tanh(hills)
