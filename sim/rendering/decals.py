"""What lies flat on the ground as straight pieces and discs: painted lines, patches, seams, cracks, covers, stains.

Each piece is listed for every cell of a grid (CSR) that it comes near, so that a pixel looks at few. Paint lies over
everything else; within its layer each piece weighs by what it covers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

CELL_M = 1.0
REACH_M = 0.6  # half of the longest footprint that one look-up filters
THIN_REACH_M = 0.2  # of what is drawn near the camera only
TOLERANCE_M = 0.01


class DecalKind(IntEnum):
    """Paints first; the others multiply the colour of what they lie on."""

    WHITE = 0
    YELLOW = 1
    RED = 2
    BLUE = 3
    GREEN = 4
    SEAL = 5  # bitumen
    FRESH = 6  # newer asphalt
    PALE = 7  # older asphalt
    IRON = 8
    STAIN = 9
    CRACK = 10
    RED_LANE = 11
    GREEN_LANE = 12
    SETTS = 13
    CONCRETE = 14


# Linear RGB: of paint, or a factor on what is below.
DECAL_RGB = np.array(
    [
        (0.62, 0.62, 0.59), (0.62, 0.40, 0.06), (0.45, 0.06, 0.05), (0.05, 0.13, 0.40), (0.06, 0.26, 0.12),
        (0.30, 0.30, 0.32), (0.62, 0.62, 0.64), (1.32, 1.30, 1.26), (0.62, 0.55, 0.49), (0.55, 0.54, 0.53),
        (0.38, 0.37, 0.36), (1.65, 0.72, 0.60), (0.66, 1.20, 0.80), (1.12, 1.06, 1.00), (1.75, 1.70, 1.58),
    ],
    np.float32,
)  # fmt: skip
_PAINT_OF_COLOR = {
    "yellow": DecalKind.YELLOW, "orange": DecalKind.YELLOW, "red": DecalKind.RED, "blue": DecalKind.BLUE,
    "green": DecalKind.GREEN,
}  # fmt: skip


@dataclass(frozen=True)
class Decal:
    """A band along a polyline, dashed where there is a gap, or a disc of a diameter where there is one point."""

    xy_world_m: np.ndarray  # (n, 2)
    width_m: float
    kind: DecalKind
    dash_m: float = 1.0
    gap_m: float = 0.0
    wear: float = 0.0  # share of the paint that is gone
    soft_m: float = 0.0  # width of its fading rim, of discs

    @property
    def thin(self) -> bool:
        return self.kind in (DecalKind.SEAL, DecalKind.CRACK, DecalKind.IRON) and self.width_m < 0.3


@dataclass(frozen=True)
class DecalRaster:
    """Straight pieces, and for each cell of a grid those within reach of it (CSR)."""

    first: np.ndarray  # (cells + 1,) int32
    item: np.ndarray  # int32
    line: np.ndarray  # (S, 4) start x, y, unit direction
    shape_m: (
        np.ndarray
    )  # (S, 4) length, width (discs: minus the diameter), distance along at the start, period (0: solid)
    paint: np.ndarray  # (S, 4) dash length, kind, wear, rim
    thin: int  # pieces from this on are seen near the camera only


def paint_of(color: str) -> DecalKind:
    """The paint of a marking's colour; white where it is unknown."""
    return _PAINT_OF_COLOR.get(color, DecalKind.WHITE)


def straightened(xy: np.ndarray, tolerance_m: float = TOLERANCE_M, longest: int = 16) -> np.ndarray:
    """Indices of the points that a polyline needs to stay within the tolerance; greedy, at most `longest` apart."""
    kept, start, n = [0], 0, len(xy)
    while start < n - 1:
        end = start + 1
        while end < n - 1 and end - start < longest:
            chord = xy[end + 1] - xy[start]
            norm = max(float(np.hypot(*chord)), 1e-9)
            between = xy[start + 1 : end + 1] - xy[start]
            if np.abs(chord[0] * between[:, 1] - chord[1] * between[:, 0]).max() / norm > tolerance_m:
                break
            end += 1
        kept.append(end)
        start = end
    return np.array(kept)


def _pieces(decal: Decal) -> np.ndarray:
    """A decal as straight pieces (n, 13): line, shape, paint, reach."""
    xy = np.asarray(decal.xy_world_m, dtype=np.float64)
    reach = THIN_REACH_M if decal.thin else REACH_M
    if len(xy) == 1:
        line, size = (*xy[0], 1.0, 0.0), (0.0, -decal.width_m, 0.0, 0.0)
        return np.array([[*line, *size, 1.0, decal.kind, decal.wear, decal.soft_m, reach]])
    if len(xy) > 2 and not decal.thin:
        xy = xy[straightened(xy)]
    step = np.diff(xy, axis=0)
    length = np.hypot(step[:, 0], step[:, 1])
    used = length > 1e-6
    along = np.concatenate([[0.0], np.cumsum(length)[:-1]])[used]
    xy, step, length = xy[:-1][used], step[used], length[used]
    period = decal.dash_m + decal.gap_m if decal.gap_m > 0.0 else 0.0
    rest = np.broadcast_to([period, decal.dash_m, decal.kind, decal.wear, decal.soft_m, reach], (len(xy), 6))
    wide = np.full(len(xy), decal.width_m)
    return np.column_stack([xy, step / length[:, None], length, wide, along, rest])


def rasterise_decals(decals: Sequence[Decal], origin_world_m: np.ndarray, shape: tuple[int, int]) -> DecalRaster:
    """Cut decals into pieces and list, for each cell of a grid of (columns, rows), those near it; thin ones last."""
    ordered = sorted((d for d in decals if len(d.xy_world_m)), key=lambda d: d.thin)
    tables = [_pieces(d) for d in ordered]
    pieces = np.concatenate(tables) if tables else np.zeros((0, 13))
    cell, owner = _cells_near(pieces, origin_world_m)
    inside = (cell >= 0).all(axis=1) & (cell < shape).all(axis=1)
    flat = cell[inside, 1] * shape[0] + cell[inside, 0]
    pairs = np.unique(flat * max(len(pieces), 1) + owner[inside])
    cells, items = pairs // max(len(pieces), 1), pairs % max(len(pieces), 1)
    first = np.concatenate([[0], np.cumsum(np.bincount(cells, minlength=shape[0] * shape[1]))])
    return DecalRaster(
        first.astype(np.int32),
        items.astype(np.int32),
        pieces[:, :4],
        pieces[:, 4:8],
        pieces[:, 8:12],
        sum(len(t) for t, d in zip(tables, ordered) if not d.thin),
    )


def _cells_near(pieces: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cells (n, 2) of points spread over every piece and its reach, and whose they are (n,)."""
    spread = 0.45 * CELL_M
    half, reach = 0.5 * np.abs(pieces[:, 5]), pieces[:, 12]
    disc = pieces[:, 5] < 0.0
    ahead = pieces[:, 4] + reach + np.where(disc, half, 0.0)
    behind = -reach - np.where(disc, half, 0.0)
    aside = half + reach
    columns = np.ceil((ahead - behind) / spread).astype(int) + 1
    rows = np.ceil(2.0 * aside / spread).astype(int) + 1
    counts = columns * rows
    owner = np.repeat(np.arange(len(pieces)), counts)
    number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
    u = behind[owner] + (number // rows[owner]) * ((ahead - behind) / (columns - 1))[owner]
    v = -aside[owner] + (number % rows[owner]) * (2.0 * aside / (rows - 1))[owner]
    at, way = pieces[owner, :2], pieces[owner, 2:4]
    points = at + u[:, None] * way + v[:, None] * np.column_stack([-way[:, 1], way[:, 0]])
    return np.floor((points - origin) / CELL_M).astype(np.int64), owner
