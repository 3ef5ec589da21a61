"""What each cell of ground is, in one number: its class, its lane, and whether an edge or a decal needs a closer look.

A pixel reads one number and stops there on plain ground. Lanes are cut into straight pieces; from its piece a pixel
knows how far along and beside the lane's centre it is, and so where wheels roll.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from sim.rendering.decals import CELL_M, straightened
from sim.rendering.ground import ROAD_KINDS, ROLLED_KINDS, SIDEWALK_KINDS, GroundRaster, Strip

LANE_MASK = (1 << 20) - 1  # index of the lane's piece within the map, plus 1; 0: none
CLASS_SHIFT = 20
VERGE, ROAD, SIDEWALK = 0, 1, 2
EDGE_FLAG = 1 << 22
DECAL_FLAG = 1 << 23
FAR_FLAG = 1 << 24  # land that is farmed where there is any
SHOULDER_M = 1.9  # beside the carriageway the ground depends on the distance to it
FAR_M = 7.0
INSIDE_M = 0.6  # farther than this from every edge ground is plain
_SHIFT = 4
_RIM_M = 0.4


@dataclass(frozen=True)
class LaneCells:
    """Codes of cells of CELL_M from the ground raster's origin, and the pieces of lanes that they name."""

    code: np.ndarray  # (rows, columns) int32
    line: np.ndarray  # (L, 4) start x, y, unit direction
    shape_m: np.ndarray  # (L, 4) distance along at the start, half width, tone, depth of wheel tracks (-1: everywhere)

    @property
    def shape(self) -> tuple[int, int]:
        """Columns, rows."""
        return self.code.shape[1], self.code.shape[0]


def lane_cells(strips: Sequence[Strip], ground: GroundRaster, seed: int) -> LaneCells:
    """Codes of a map's ground; tones vary by road, and `seed`."""
    code = _classes(ground)
    lanes = np.zeros(code.shape, np.int32)
    rows: list[np.ndarray] = []
    for strip in sorted(strips, key=_rank):
        if strip.kind in ROAD_KINDS or strip.kind in SIDEWALK_KINDS:
            rows.append(_draw(strip, lanes, ground.origin_world_m, sum(map(len, rows)), seed))
    pieces = np.concatenate(rows) if rows else np.zeros((0, 8))
    if len(pieces) > LANE_MASK:
        raise ValueError(f"the map's lanes have {len(pieces)} straight pieces; at most {LANE_MASK} can be told apart")
    return LaneCells(code | lanes, pieces[:, :4], pieces[:, 4:])


def reclassed(code: np.ndarray, ground: GroundRaster) -> np.ndarray:
    """Codes of the same lanes and decals on other ground."""
    return _classes(ground) | (code & (LANE_MASK | DECAL_FLAG))


def _rank(strip: Strip) -> int:
    """Later ones cover earlier ones: walks, lanes that few roll on, lanes through junctions, lanes between them."""
    if strip.kind in ROLLED_KINDS:
        return 2 if strip.junction is not None else 3
    return 0 if strip.kind in SIDEWALK_KINDS else 1


def _classes(ground: GroundRaster) -> np.ndarray:
    """Class and edge flag (rows, columns) of the cells, each of 3 x 3 of the raster's points."""
    window = np.ones((3, 3), np.uint8)
    (road_low, road_high), (side_low, side_high) = (
        (cv2.erode(d, window)[1::2, 1::2], cv2.dilate(d, window)[1::2, 1::2])
        for d in (ground.road_m.astype(np.float32), ground.sidewalk_m.astype(np.float32))
    )
    road = road_low > INSIDE_M
    side = (road_high < -INSIDE_M) & (side_low > INSIDE_M)
    verge = (road_high < -SHOULDER_M) & (side_high < -INSIDE_M)
    kind = np.where(road, ROAD, np.where(side, SIDEWALK, VERGE)).astype(np.int32) << CLASS_SHIFT
    far = (road_high < -FAR_M) & (side_high < -FAR_M)
    return (np.where(road | side | verge, kind, EDGE_FLAG) | np.where(far, FAR_FLAG, 0)).astype(np.int32)


def _draw(strip: Strip, lanes: np.ndarray, origin: np.ndarray, start: int, seed: int) -> np.ndarray:
    """Write the numbers of a lane's pieces into the cells that they cover; returns the pieces (n, 8)."""
    left, right = strip.left_xy_world_m, strip.right_xy_world_m
    if len(left) < 2:
        return np.zeros((0, 8))
    middle = 0.5 * (left + right)
    kept = straightened(middle, 0.02)
    step = np.diff(middle[kept], axis=0)
    length = np.maximum(np.hypot(step[:, 0], step[:, 1]), 1e-9)
    along = np.concatenate([[0.0], np.cumsum(length)[:-1]])
    half = 0.5 * np.hypot(*(left - right).T)
    if strip.kind in ROAD_KINDS:  # cells that a rim only touches are left to the neighbour
        kept_share = 1.0 - _RIM_M / np.maximum(half, 2.0 * _RIM_M)
        left, right = (middle + kept_share[:, None] * (edge - middle) for edge in (left, right))
    scale = (1 << _SHIFT) / CELL_M
    for k, (a, b) in enumerate(pairwise(kept)):
        ring = np.concatenate([left[a : b + 1], right[a : b + 1][::-1]])
        pixels = np.rint(((ring - origin) - 0.5 * CELL_M) * scale).astype(np.int32)
        cv2.fillPoly(lanes, [pixels], start + k + 1, shift=_SHIFT)  # type: ignore[call-overload]
    rng = np.random.default_rng([seed, zlib.crc32(strip.road.encode())])
    tone = np.exp(rng.normal(0.0, 0.10))
    rut = rng.uniform(0.5, 1.0) if strip.junction is None else -1.0
    constant = np.broadcast_to([tone, rut if strip.kind in ROLLED_KINDS else 0.0], (len(step), 2))
    return np.column_stack([middle[kept[:-1]], step / length[:, None], along, half[kept[:-1]], constant])
