"""The ground of a map as rasters: signed distances to the edges of carriageway and sidewalk, and painted lines."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

CELL_M = 0.5  # of the distance rasters
FINE_M = 0.25  # of the cover that they are made from
PARTS = 4  # per axis: into so many small pixels a fine one is split to measure its cover
MARGIN_M = 12.0
REACH_M = 8.0  # distances are clipped to this
UNIT_M = 1.0 / 2048.0  # of the stored distances
MARK_CELL_M = 1.0
CLOSING_M = 1.0  # gaps between lanes up to about twice this are paved
YELLOW = 1.0

ROAD_KINDS = frozenset(
    ("driving", "entry", "exit", "onRamp", "offRamp", "connectingRamp", "slipLane", "bidirectional", "shoulder")
    + ("border", "parking", "stop", "biking", "bus", "taxi", "HOV", "roadWorks", "mwyEntry", "mwyExit")
    + ("special1", "special2", "special3")
)
SIDEWALK_KINDS = frozenset({"sidewalk", "walking", "curb"})


class Strip(Protocol):
    """What the ground needs of a lane; `sim.roads.network.LaneStrip` has it."""

    @property
    def road(self) -> str: ...
    @property
    def section(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def junction(self) -> str | None: ...
    @property
    def left_xy_world_m(self) -> np.ndarray: ...
    @property
    def right_xy_world_m(self) -> np.ndarray: ...
    @property
    def left_z_world_m(self) -> np.ndarray: ...
    @property
    def right_z_world_m(self) -> np.ndarray: ...


class PaintedLine(Protocol):
    """What the ground needs of a marking; `sim.roads.network.Marking` has it."""

    @property
    def xy_world_m(self) -> np.ndarray: ...
    @property
    def width_m(self) -> float: ...
    @property
    def color(self) -> str: ...
    @property
    def dash_m(self) -> float: ...
    @property
    def gap_m(self) -> float: ...


@dataclass(frozen=True)
class GroundRaster:
    """Distances at points `origin + (column, row) * CELL_M`; inside positive."""

    origin_world_m: np.ndarray  # (2,)
    road_m: np.ndarray  # (rows, columns)
    sidewalk_m: np.ndarray  # (rows, columns)

    def paved_m(self, xy_world_m: np.ndarray) -> np.ndarray:
        """Distance (n,) into road or sidewalk at points (n, 2), from the nearest sample; -REACH_M off the raster."""
        at = np.rint((xy_world_m - self.origin_world_m) / CELL_M).astype(int)
        rows, columns = self.road_m.shape
        inside = (at >= 0).all(axis=1) & (at[:, 0] < columns) & (at[:, 1] < rows)
        result = np.full(len(xy_world_m), -REACH_M)
        column, row = at[inside, 0], at[inside, 1]
        result[inside] = np.maximum(self.road_m[row, column], self.sidewalk_m[row, column])
        return result

    def packed(self) -> np.ndarray:
        """Both distances in one int32: carriageway in the upper 16 bits, sidewalk in the lower, in UNIT_M."""
        road, side = (
            np.rint(np.clip(d, -REACH_M, REACH_M) / UNIT_M).astype(np.int32) for d in (self.road_m, self.sidewalk_m)
        )
        return ((road << 16) | (side & 0xFFFF)).astype(np.int32)


@dataclass(frozen=True)
class MarkingRaster:
    """Straight pieces of painted lines, and for each cell those within reach of it (CSR)."""

    origin_world_m: np.ndarray  # (2,)
    shape: tuple[int, int]  # columns, rows
    first: np.ndarray  # (cells + 1,) int32
    item: np.ndarray  # int32
    line: np.ndarray  # (S, 4) start x, y, unit direction
    shape_m: np.ndarray  # (S, 4) length, width, distance along the line at the start, period (0: solid)
    paint: np.ndarray  # (S, 2) dash length, colour (0 white, YELLOW)


def _cover(strips: Sequence[Strip], origin: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """How much of each FINE_M pixel the lanes cover, 0 to 255, as (rows, columns)."""
    mask = np.zeros((shape[0] * PARTS, shape[1] * PARTS), np.uint8)
    fraction = 1 << 6
    for strip in strips:
        ring = np.concatenate([strip.left_xy_world_m, strip.right_xy_world_m[::-1]])
        pixels = np.rint(((ring - origin) / FINE_M * PARTS - 0.5) * fraction).astype(np.int32)
        half = len(strip.left_xy_world_m)
        # In short pieces: a lane that comes back over itself must not cancel out.
        for start in range(0, half - 1, 8):
            left, right = pixels[:half][start : start + 9], pixels[half:][::-1][start : start + 9]
            cv2.fillPoly(mask, [np.concatenate([left, right[::-1]])], 255, shift=6)
    return cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_AREA)


def _signed_m(cover: np.ndarray) -> np.ndarray:
    """Signed distance in metres to the edge of what is covered, inside positive, at every second fine pixel.

    The edge runs through the pixels that are covered in part; their cover tells where (Gustavson and Strand 2011,
    "Anti-aliased Euclidean distance transform"), so that kerbs oblique to the grid come out straight.
    """
    inside = (cover >= 128).astype(np.uint8)
    rim = (inside == 1) & (cv2.erode(inside, np.ones((3, 3), np.uint8)) == 0)
    edge = ((cover > 0) & (cover < 255)) | rim
    if not edge.any():
        return np.full(cover[::2, ::2].shape, -REACH_M, np.float32)
    distance, label = cv2.distanceTransformWithLabels(
        1 - edge.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    offset = np.zeros(label.max() + 1, np.float32)
    offset[label[edge]] = cover[edge] / np.float32(255.0) - 0.5
    signed = np.where(inside == 1, distance, -distance) + offset[label]
    return cv2.GaussianBlur(signed, (0, 0), 1.0)[::2, ::2] * np.float32(FINE_M)


def rasterise_ground(strips: Sequence[Strip]) -> GroundRaster:
    """Paint the lanes and take distances. Raises ValueError where there is no lane to pave."""
    paved = [s for s in strips if s.kind in ROAD_KINDS]
    walked = [s for s in strips if s.kind in SIDEWALK_KINDS]
    if not paved:
        raise ValueError("the map has no lane that is paved (driving, shoulder, parking, ...): nothing to draw")
    points = np.concatenate([p for s in paved + walked for p in (s.left_xy_world_m, s.right_xy_world_m)])
    origin = np.floor(points.min(axis=0) - MARGIN_M)
    columns, rows = (2 * np.ceil((points.max(axis=0) + MARGIN_M - origin) / CELL_M)).astype(int)
    road, side = (_cover(kind, origin, (rows, columns)) for kind in (paved, walked))
    reach = 2 * round(CLOSING_M / FINE_M) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    road = cv2.morphologyEx(road, cv2.MORPH_CLOSE, disc)
    if walked:
        side = cv2.morphologyEx(cv2.add(side, road), cv2.MORPH_CLOSE, disc)
    road_m = _signed_m(road)
    return GroundRaster(origin + 0.5 * FINE_M, road_m, _signed_m(side) if walked else np.full_like(road_m, -REACH_M))


def _pieces(marking: PaintedLine) -> np.ndarray:
    """A line as straight pieces (n, 10): start, direction, length, width, distance along, period, dash, colour."""
    xy = np.asarray(marking.xy_world_m, dtype=np.float64)
    xy = xy[_keep(xy)]
    step = np.diff(xy, axis=0)
    length = np.hypot(step[:, 0], step[:, 1])
    used = length > 1e-6
    along = np.concatenate([[0.0], np.cumsum(length)[:-1]])[used]
    xy, step, length = xy[:-1][used], step[used], length[used]
    period = marking.dash_m + marking.gap_m if marking.gap_m > 0.0 else 0.0
    color = YELLOW if marking.color in ("yellow", "orange") else 0.0
    constant = np.broadcast_to([marking.width_m, period, marking.dash_m, color], (len(xy), 4))
    return np.column_stack([xy, step / length[:, None], length, constant[:, 0], along, constant[:, 1:]])


def _keep(xy: np.ndarray, tolerance_m: float = 0.01, longest: int = 16) -> np.ndarray:
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


def rasterise_markings(markings: Sequence[PaintedLine]) -> MarkingRaster:
    """Cut lines into straight pieces and list, for each cell, those that come within one cell of it."""
    tables = [_pieces(m) for m in markings if len(m.xy_world_m) > 1]
    pieces = np.concatenate(tables) if tables else np.zeros((0, 10))
    if not len(pieces):
        return MarkingRaster(
            np.zeros(2),
            (1, 1),
            np.zeros(2, np.int32),
            np.zeros(0, np.int32),
            np.zeros((0, 4)),
            np.zeros((0, 4)),
            np.zeros((0, 2)),
        )
    start, direction, length = pieces[:, :2], pieces[:, 2:4], pieces[:, 4]
    end = start + direction * length[:, None]
    origin = np.floor(np.minimum(start, end).min(axis=0)) - 2.0 * MARK_CELL_M
    columns, rows = (np.ceil((np.maximum(start, end).max(axis=0) - origin) / MARK_CELL_M) + 3).astype(int)
    steps = np.ceil(length / (0.5 * MARK_CELL_M)).astype(int) + 1
    owner = np.repeat(np.arange(len(pieces)), steps)
    share = (np.arange(len(owner)) - np.repeat(np.cumsum(steps) - steps, steps)) / np.repeat(steps - 1, steps)
    points = start[owner] + direction[owner] * (length[owner] * share)[:, None]
    cell = np.floor((points - origin) / MARK_CELL_M).astype(np.int64)
    around = np.array([(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)])
    near = cell[:, None] + around
    flat = near[..., 1] * columns + near[..., 0]
    pairs = np.unique(flat.reshape(-1) * len(pieces) + np.repeat(owner, 9))
    cells, items = pairs // len(pieces), pairs % len(pieces)
    first = np.concatenate([[0], np.cumsum(np.bincount(cells, minlength=columns * rows))])
    return MarkingRaster(
        origin,
        (int(columns), int(rows)),
        first.astype(np.int32),
        items.astype(np.int32),
        pieces[:, :4],
        pieces[:, 4:8],
        pieces[:, 8:10],
    )
