"""Look-ups by position: which lane samples are near, and how far the edge of the drivable surface is."""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sim.roads.geometry import Floats, groups
from sim.roads.network import DRIVING_KINDS, LaneStrip, RoadNetwork

CELL_M = 8.0
REACH_M = 2.0  # beside a lane's corridor the grid still finds it
CLIP_M = 8.0
DRIVABLE_KINDS = DRIVING_KINDS | {"shoulder", "stop", "parking"}
_FINE = 4  # raster pixels per cell and axis
_TILE = 256  # cells
_SHIFT = 5  # fractional bits of raster coordinates
_MAX_HOLE_M2 = 150.0
_MAX_CELLS = 2**27  # half a gigabyte


@dataclass
class SampleGrid:
    """Square cells, row-major in y then x; each lists the samples whose corridor reaches it, ascending."""

    origin_world_m: Floats  # (2,)
    shape: tuple[int, int]  # columns, rows
    cell_first: NDArray[np.int64]  # (cells + 1,)
    cell_sample: NDArray[np.int64]


@dataclass
class EdgeMap:
    """Signed distance to the edge of the drivable surface (inside positive) at the corners of square cells."""

    origin_world_m: Floats  # (2,)
    distance_m: NDArray[np.float32]  # (rows, columns)


def sample_grid(xy_world_m: Floats, width_m: Floats, step_m: Floats) -> SampleGrid:
    """Sort samples (P, 2) with lane widths (P,) and spacings (P,) into cells; ValueError where they span too much."""
    reach = np.hypot(0.5 * width_m, 0.5 * step_m) + REACH_M
    origin = np.floor((xy_world_m - reach[:, None]).min(axis=0) / CELL_M) * CELL_M
    shape = np.floor(((xy_world_m + reach[:, None]).max(axis=0) - origin) / CELL_M).astype(np.int64) + 1
    if int(shape[0]) * int(shape[1]) > _MAX_CELLS // 16:
        size = " x ".join(f"{count * CELL_M:.0f}" for count in shape)
        raise ValueError(f"the map spans {size} m, too much for its grid of {CELL_M:g} m cells; use a part of it")
    low = np.floor((xy_world_m - reach[:, None] - origin) / CELL_M).astype(np.int64)
    high = np.floor((xy_world_m + reach[:, None] - origin) / CELL_M).astype(np.int64)
    cells, samples = [], []
    for dy in range(int((high - low)[:, 1].max()) + 1):
        for dx in range(int((high - low)[:, 0].max()) + 1):
            cell = low + (dx, dy)
            corner = origin + cell * CELL_M
            away = np.maximum(np.maximum(corner - xy_world_m, xy_world_m - corner - CELL_M), 0.0)
            hit = np.flatnonzero((cell <= high).all(axis=1) & (np.hypot(away[:, 0], away[:, 1]) <= reach))
            cells.append(cell[hit, 1] * shape[0] + cell[hit, 0])
            samples.append(hit)
    cell, sample = np.concatenate(cells), np.concatenate(samples)
    order = np.lexsort((sample, cell))
    first = np.searchsorted(cell[order], np.arange(shape[0] * shape[1] + 1))
    return SampleGrid(origin, (int(shape[0]), int(shape[1])), first, sample[order])


def edge_map(network: RoadNetwork, cell_m: float) -> EdgeMap:
    """Rasterise the drivable lanes at a quarter of the cell and measure to their edge, tile by tile.

    Good to a pixel (a quarter of the cell) near the edge. ValueError where the map spans too much for a raster.
    """
    strips = [strip for strip in network.strips() if strip.kind in DRIVABLE_KINDS]
    points = np.concatenate([side for strip in strips for side in (strip.left_xy_world_m, strip.right_xy_world_m)])
    origin = np.floor((points.min(axis=0) - CLIP_M) / cell_m) * cell_m
    columns, rows = np.ceil((points.max(axis=0) + CLIP_M - origin) / cell_m).astype(int) + 1
    if int(rows) * int(columns) > _MAX_CELLS:
        raise ValueError(
            f"map {network.name!r} spans {columns * cell_m:.0f} x {rows * cell_m:.0f} m, too much for its edge map of "
            f"{cell_m:g} m cells; use a part of it"
        )
    distance = np.full((rows, columns), -CLIP_M, dtype=np.float32)
    pixel = cell_m / _FINE
    quads, patches = np.concatenate([_quads(strip, origin, pixel) for strip in strips]), _holes(strips, origin, pixel)
    margin = int(CLIP_M / pixel) + 2
    for (left, top), near in _tiles(quads, margin):
        # Only as much of the tile as the lanes and the clipped distance beside them take.
        reach = margin // _FINE + 1
        first = np.maximum((left, top), (near.min(axis=(0, 1)) >> _SHIFT) // _FINE - reach)
        last = np.minimum((left + _TILE, top + _TILE), (near.max(axis=(0, 1)) >> _SHIFT) // _FINE + reach + 1)
        last = np.minimum(last, (columns, rows))
        if (last > first).all():
            fine = _signed_pixels(near, patches, first * _FINE - margin, (last - first) * _FINE + 2 * margin, margin)
            distance[first[1] : last[1], first[0] : last[0]] = fine * pixel
    return EdgeMap(origin, np.clip(distance, -CLIP_M, CLIP_M))


def _tiles(quads: NDArray[np.int32], margin: int) -> Iterator[tuple[tuple[int, int], NDArray[np.int32]]]:
    """First column and row of the cells of each tile that quadrilaterals reach within the margin, and those."""
    size = _TILE * _FINE
    low = ((quads.min(axis=1) >> _SHIFT) - margin) // size
    high = ((quads.max(axis=1) >> _SHIFT) + margin + 1) // size
    low = np.maximum(low, 0).astype(np.int64)
    keys, members = [], []
    for dy in range(int((high - low)[:, 1].max()) + 1):
        for dx in range(int((high - low)[:, 0].max()) + 1):
            rows = np.flatnonzero((low + (dx, dy) <= high).all(axis=1))
            keys.append((low[rows, 1] + dy) * 2**31 + low[rows, 0] + dx)
            members.append(rows)
    member = np.concatenate(members)
    for key, rows in groups(np.concatenate(keys)):
        yield (key % 2**31 * _TILE, key // 2**31 * _TILE), quads[np.sort(member[rows])]


def _quads(strip: LaneStrip, origin: Floats, pixel_m: float) -> NDArray[np.int32]:
    """The strip's (n - 1, 4, 2) quadrilaterals in pixels with `_SHIFT` fractional bits."""
    left, right = strip.left_xy_world_m, strip.right_xy_world_m
    quads = np.stack((left[:-1], left[1:], right[1:], right[:-1]), axis=1)
    return np.round((quads - origin) * (2**_SHIFT / pixel_m)).astype(np.int32)


def _holes(strips: list[LaneStrip], origin: Floats, pixel_m: float) -> list[NDArray[np.int32]]:
    """Patches between the lanes of a junction that no lane covers but that lie within it: (n, 2) polygons."""
    junctions: dict[str, list[NDArray[np.int32]]] = {}
    for strip in strips:
        if strip.junction is not None:
            junctions.setdefault(strip.junction, []).append(_quads(strip, origin, pixel_m))
    found = []
    for quads in junctions.values():
        points = np.concatenate(quads).reshape(-1, 2) >> _SHIFT
        low, size = points.min(axis=0) - 2, points.max(axis=0) - points.min(axis=0) + 5
        contours, tree = cv2.findContours(
            _fill(np.concatenate(quads), [], low, size), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE
        )
        for contour, (_, _, _, parent) in zip(contours, tree[0]):
            if parent >= 0 and cv2.contourArea(contour) * pixel_m**2 < _MAX_HOLE_M2:
                found.append(((contour[:, 0] + low) << _SHIFT).astype(np.int32))
    return found


def _fill(quads: NDArray[np.int32], patches: list[NDArray[np.int32]], low: NDArray, size: NDArray) -> NDArray[np.uint8]:
    """Paint quadrilaterals (n, 4, 2) and polygons into a (size y, size x) mask whose pixel (0, 0) is `low`."""
    mask = np.zeros((int(size[1]), int(size[0])), dtype=np.uint8)
    shift = (np.asarray(low) << _SHIFT).astype(np.int32)
    for quad in quads - shift:
        cv2.fillConvexPoly(mask, quad, 1, cv2.LINE_8, _SHIFT)
    for polygon in patches:
        reach = polygon - shift
        if (reach.max(axis=0) >= 0).all() and (reach.min(axis=0) >> _SHIFT < size).all():
            cv2.fillPoly(mask, [reach], 1, cv2.LINE_8, _SHIFT)
    return mask


def _signed_pixels(
    quads: NDArray[np.int32], patches: list[NDArray[np.int32]], low: NDArray, size: NDArray, margin: int
) -> NDArray[np.float32]:
    """Signed distance in pixels to the painted edge, inside positive, at every `_FINE`-th pixel within the margins."""
    mask = _fill(quads, patches, low, size)
    rim = mask - cv2.erode(mask, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    pick = (slice(margin, -margin, _FINE), slice(margin, -margin, _FINE))
    to_rim = cv2.distanceTransform(1 - rim, cv2.DIST_L2, cv2.DIST_MASK_5)[pick]
    # OpenCV paints every pixel that an outline touches, so the outermost painted centres lie on the edge on average.
    return np.where(mask[pick], to_rim, -to_rim)
