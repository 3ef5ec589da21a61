"""What stands beside the roads of one map: the list of things, the room that is left, and who fills it.

Signs come first, where the network says; then furniture along the edges of what is paved, buildings, and plants in what
room remains. All of it is drawn from one random generator, so that a map looks the same for the same seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from sim.rendering.ground import CELL_M, ROAD_KINDS, SIDEWALK_KINDS, GroundRaster, Strip
from sim.rendering.terrain import HeightRaster

OCCUPIED_CELL_M = 1.0
SURROUND_M = 170.0  # how far from the roads trees still grow
_WIDE_M = 6.0  # things wider than this sink to the lowest ground under their corners


@dataclass
class Items:
    """Rows of things that stand still."""

    xy_world_m: list[tuple[float, float]] = field(default_factory=list)
    yaw_world_rad: list[float] = field(default_factory=list)
    size_m: list[tuple[float, float, float]] = field(default_factory=list)
    model: list[int] = field(default_factory=list)
    detail: list[int] = field(default_factory=list)
    tint: list[int] = field(default_factory=list)
    base_m: list[float] = field(default_factory=list)  # height of the foot: above the ground, or of the world
    on_ground: list[bool] = field(default_factory=list)

    def add(
        self,
        xy: np.ndarray,
        yaw_rad: float,
        size_m: tuple[float, float, float],
        model: int,
        detail: int = 0,
        tint: int | None = None,
        above_m: float = 0.0,
        base_world_m: float | None = None,
    ) -> None:
        """Stand something `above_m` above the ground, or at a height of the world."""
        self.xy_world_m.append((float(xy[0]), float(xy[1])))
        self.yaw_world_rad.append(float(yaw_rad))
        self.size_m.append((float(size_m[0]), float(size_m[1]), float(size_m[2])))
        self.model.append(int(model))
        self.detail.append(detail)
        self.tint.append(len(self.model) * 7919 % 65521 if tint is None else tint)
        self.base_m.append(above_m if base_world_m is None else base_world_m)
        self.on_ground.append(base_world_m is None)

    def z_m(self, heights: HeightRaster, lift_m: np.ndarray | float = 0.0) -> np.ndarray:
        """Heights (I,) of their feet in the world; a large thing stands on the lowest ground under its corners.

        What stands on the ground is lifted by `lift_m` (I,) above the raster, for kerbs.
        """
        base = np.array(self.base_m, dtype=float)
        base = base + np.where(np.array(self.on_ground, dtype=bool), lift_m, 0.0)
        if heights.flat or not len(base):
            return base
        xy, size, yaw = np.array(self.xy_world_m), np.array(self.size_m), np.array(self.yaw_world_rad)
        ground = heights.at(xy)
        along = np.column_stack([np.cos(yaw), np.sin(yaw)]) * (0.5 * size[:, :1])
        aside = np.column_stack([-np.sin(yaw), np.cos(yaw)]) * (0.5 * size[:, 1:2])
        wide = size[:, :2].max(axis=1) > _WIDE_M
        for corner in (along + aside, along - aside, -along + aside, -along - aside):
            ground = np.where(wide, np.minimum(ground, heights.at(xy + corner)), ground)
        return np.where(np.array(self.on_ground), ground + base, base)


@dataclass(frozen=True)
class Run:
    """A stretch of the outer edge of what is paved, with the direction away from it; on the right going along."""

    xy_world_m: np.ndarray  # (n, 2)
    outward: np.ndarray  # (n, 2)
    along_m: np.ndarray  # (n,) from its start
    is_sidewalk: bool
    is_highway: bool
    is_junction: bool

    @property
    def length_m(self) -> float:
        return float(self.along_m[-1])

    def at(self, s_m: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Point and unit outward direction at distances along the run."""
        xy = np.stack([np.interp(s_m, self.along_m, self.xy_world_m[:, k]) for k in (0, 1)], axis=-1)
        out = np.stack([np.interp(s_m, self.along_m, self.outward[:, k]) for k in (0, 1)], axis=-1)
        return xy, out / np.maximum(np.linalg.norm(out, axis=-1, keepdims=True), 1e-9)


class Site:
    """Where there is still room: a raster of what is taken, 1 m cells."""

    def __init__(self, ground: GroundRaster) -> None:
        self._pad = int(SURROUND_M / OCCUPIED_CELL_M)
        self.ground = ground
        self.origin = ground.origin_world_m - SURROUND_M
        paved = np.maximum(ground.road_m, ground.sidewalk_m)[::2, ::2]
        self.taken = np.pad((paved > -0.9).astype(np.uint8), self._pad)
        self.extent_m = np.array([self.taken.shape[1], self.taken.shape[0]]) * OCCUPIED_CELL_M

    def road_m(self, points: np.ndarray) -> np.ndarray:
        """How deep points (n, 2) lie in the carriageway, negative beside it."""
        rows, columns = self.ground.road_m.shape
        at = np.rint((points - self.ground.origin_world_m) / CELL_M).astype(int)
        at = np.clip(at, 0, (columns - 1, rows - 1))
        return self.ground.road_m[at[:, 1], at[:, 0]]

    def free(self, points: np.ndarray) -> bool:
        """Whether all points (n, 2) lie on the raster and on ground that nothing has taken."""
        return bool(self.each_free(points).all())

    def each_free(self, points: np.ndarray) -> np.ndarray:
        """For points (..., 2), whether each lies on the raster and on ground that nothing has taken."""
        at = np.rint((points - self.origin) / OCCUPIED_CELL_M).astype(int)
        rows, columns = self.taken.shape
        inside = (at >= 0).all(axis=-1) & (at[..., 0] < columns) & (at[..., 1] < rows)
        at = np.clip(at, 0, (columns - 1, rows - 1))
        return inside & (self.taken[at[..., 1], at[..., 0]] == 0)

    def take(self, corners: np.ndarray) -> None:
        """Mark a convex polygon (n, 2) as taken."""
        pixels = np.rint((corners - self.origin) / OCCUPIED_CELL_M).astype(np.int32)
        cv2.fillPoly(self.taken, [pixels], 1)


def rectangle(center: np.ndarray, axis: np.ndarray, length: float, depth: float, fill: bool) -> np.ndarray:
    """Corners (4, 2) of a rectangle along `axis`, or points (n, 2) about 1 m apart all over it."""
    left = np.array([-axis[1], axis[0]])
    if fill:
        u = np.linspace(-0.5, 0.5, max(2, int(length) + 1)) * length
        v = np.linspace(-0.5, 0.5, max(2, int(depth) + 1)) * depth
        grid = np.stack(np.meshgrid(u, v), -1).reshape(-1, 2)
        return center + grid[:, :1] * axis + grid[:, 1:] * left
    signs = np.array([(0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)]) * (length, depth)
    return center + signs[:, :1] * axis + signs[:, 1:] * left


def find_runs(strips: Sequence[Strip], ground: GroundRaster) -> list[Run]:
    """Borders of strips beyond which nothing is paved, cut where they end or turn into inner ones."""
    lanes: dict[tuple[str, int], int] = {}
    for s in strips:
        lanes[(s.road, s.section)] = lanes.get((s.road, s.section), 0) + (s.kind == "driving")
    walks = {s.road for s in strips if s.kind in SIDEWALK_KINDS}
    runs = []
    for s in strips:
        if s.kind not in ROAD_KINDS | SIDEWALK_KINDS or len(s.left_xy_world_m) < 2:
            continue
        sidewalk = s.kind in SIDEWALK_KINDS
        highway = lanes[(s.road, s.section)] >= 3 and s.road not in walks and not sidewalk
        for here, there in ((s.left_xy_world_m, s.right_xy_world_m), (s.right_xy_world_m, s.left_xy_world_m)):
            across = here - there
            wide = np.hypot(across[:, 0], across[:, 1])
            outward = across / np.maximum(wide, 1e-6)[:, None]
            outer = (wide > 0.3) & (ground.paved_m(here + 1.2 * outward) < -0.6)
            gone = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(here, axis=0).T))])
            cuts = np.flatnonzero(np.diff(np.concatenate([[0], outer.astype(np.int8), [0]])))
            for first, last in cuts.reshape(-1, 2):
                if last - first >= 2:
                    along = gone[first:last] - gone[first]
                    runs.append(
                        Run(here[first:last], outward[first:last], along, sidewalk, highway, s.junction is not None)
                    )
    return runs
