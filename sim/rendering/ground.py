"""The ground of a map as a raster: signed distances to the edges of carriageway and sidewalk."""

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
CLOSING_M = 1.0  # gaps between lanes up to about twice this are paved

ROAD_KINDS = frozenset(
    ("driving", "entry", "exit", "onRamp", "offRamp", "connectingRamp", "slipLane", "bidirectional", "shoulder")
    + ("border", "parking", "stop", "biking", "bus", "taxi", "HOV", "roadWorks", "mwyEntry", "mwyExit")
    + ("special1", "special2", "special3")
)
ROLLED_KINDS = ROAD_KINDS - {"shoulder", "border", "biking", "parking", "stop"}
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
        return np.maximum(self._nearest(self.road_m, xy_world_m), self._nearest(self.sidewalk_m, xy_world_m))

    def road_distance_m(self, xy_world_m: np.ndarray) -> np.ndarray:
        """Distance (n,) into the carriageway at points (n, 2), likewise."""
        return self._nearest(self.road_m, xy_world_m)

    def raised_m(self, xy_world_m: np.ndarray) -> np.ndarray:
        """Distance (n,) into what kerbs raise at points (n, 2), likewise: sidewalks as far as the carriageway."""
        return np.minimum(self._nearest(self.sidewalk_m, xy_world_m), -self._nearest(self.road_m, xy_world_m))

    def _nearest(self, distance_m: np.ndarray, xy_world_m: np.ndarray) -> np.ndarray:
        at = np.rint((xy_world_m - self.origin_world_m) / CELL_M).astype(int)
        rows, columns = distance_m.shape
        inside = (at >= 0).all(axis=1) & (at[:, 0] < columns) & (at[:, 1] < rows)
        result = np.full(len(xy_world_m), -REACH_M)
        result[inside] = distance_m[at[inside, 1], at[inside, 0]]
        return result

    def packed(self) -> np.ndarray:
        """Both distances in one int32: carriageway in the upper 16 bits, sidewalk in the lower, in UNIT_M."""
        road, side = (
            np.rint(np.clip(d, -REACH_M, REACH_M) / UNIT_M).astype(np.int32) for d in (self.road_m, self.sidewalk_m)
        )
        return ((road << 16) | (side & 0xFFFF)).astype(np.int32)


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
