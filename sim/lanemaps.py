"""Look-ups by position: which lane samples are near, and how far the edge of the drivable surface is."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sim.geometry import Floats
from sim.roads import DRIVING_KINDS, LaneStrip, RoadNetwork

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
    """Sort samples (P, 2) with lane widths (P,) and spacings (P,) into cells."""
    reach = np.hypot(0.5 * width_m, 0.5 * step_m) + REACH_M
    origin = np.floor((xy_world_m - reach[:, None]).min(axis=0) / CELL_M) * CELL_M
    shape = np.floor(((xy_world_m + reach[:, None]).max(axis=0) - origin) / CELL_M).astype(np.int64) + 1
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
    quad_low, quad_high = quads.min(axis=1), quads.max(axis=1)
    margin = int(CLIP_M / pixel) + 2
    for top in range(0, rows, _TILE):
        for left in range(0, columns, _TILE):
            high, wide = min(_TILE, rows - top), min(_TILE, columns - left)
            low = np.array([left, top]) * _FINE - margin
            size = np.array([wide, high]) * _FINE + 2 * margin
            near = ((quad_low <= (low + size) << _SHIFT) & (quad_high >= low << _SHIFT)).all(axis=1)
            if not near.any():
                continue
            # Only as much of the tile as the lanes and the clipped distance beside them take.
            first = np.maximum((left, top), (quad_low[near].min(axis=0) >> _SHIFT) // _FINE - margin // _FINE - 1)
            last = np.minimum(
                (left + wide, top + high), (quad_high[near].max(axis=0) >> _SHIFT) // _FINE + margin // _FINE + 2
            )
            if (last > first).all():
                fine = _signed_pixels(
                    [*quads[near], *patches], first * _FINE - margin, (last - first) * _FINE + 2 * margin, margin
                )
                distance[first[1] : last[1], first[0] : last[0]] = fine * pixel
    return EdgeMap(origin, np.clip(distance, -CLIP_M, CLIP_M))


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
            junctions.setdefault(strip.junction, []).extend(_quads(strip, origin, pixel_m))
    found = []
    for quads in junctions.values():
        points = np.concatenate(quads) >> _SHIFT
        low, size = points.min(axis=0) - 2, points.max(axis=0) - points.min(axis=0) + 5
        contours, tree = cv2.findContours(_fill(quads, low, size), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
        for contour, (_, _, _, parent) in zip(contours, tree[0]):
            if parent >= 0 and cv2.contourArea(contour) * pixel_m**2 < _MAX_HOLE_M2:
                found.append(((contour[:, 0] + low) << _SHIFT).astype(np.int32))
    return found


def _fill(polygons: list[NDArray[np.int32]], low: NDArray, size: NDArray) -> NDArray[np.uint8]:
    """Paint polygons into a (size y, size x) mask whose pixel (0, 0) is `low`."""
    mask = np.zeros((int(size[1]), int(size[0])), dtype=np.uint8)
    shift = (np.asarray(low) << _SHIFT).astype(np.int32)
    for polygon in polygons:
        if len(polygon) == 4:
            cv2.fillConvexPoly(mask, polygon - shift, 1, cv2.LINE_8, _SHIFT)
        else:
            cv2.fillPoly(mask, [polygon - shift], 1, cv2.LINE_8, _SHIFT)
    return mask


def _signed_pixels(polygons: list[NDArray[np.int32]], low: NDArray, size: NDArray, margin: int) -> NDArray[np.float32]:
    """Signed distance in pixels to the painted edge, inside positive, at every `_FINE`-th pixel within the margins."""
    mask = _fill(polygons, low, size)
    rim = mask - cv2.erode(mask, np.ones((3, 3), np.uint8), borderType=cv2.BORDER_REPLICATE)
    pick = (slice(margin, -margin, _FINE), slice(margin, -margin, _FINE))
    to_rim = cv2.distanceTransform(1 - rim, cv2.DIST_L2, cv2.DIST_MASK_5)[pick]
    # OpenCV paints every pixel that an outline touches, so the outermost painted centres lie on the edge on average.
    return np.where(mask[pick], to_rim, -to_rim)
