"""What stands beside the roads: buildings, trees, lamp posts, guard rails and delineators."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from sim.meshes.library import Model
from sim.rendering.ground import ROAD_KINDS, SIDEWALK_KINDS, GroundRaster, Strip

OCCUPIED_CELL_M = 1.0
SURROUND_M = 170.0  # how far from the roads trees still grow


@dataclass
class Items:
    """Rows of things that stand still."""

    xy_world_m: list[tuple[float, float]] = field(default_factory=list)
    yaw_world_rad: list[float] = field(default_factory=list)
    size_m: list[tuple[float, float, float]] = field(default_factory=list)
    model: list[int] = field(default_factory=list)

    def add(self, xy: np.ndarray, yaw_rad: float, size_m: tuple[float, float, float], model: Model) -> None:
        self.xy_world_m.append((float(xy[0]), float(xy[1])))
        self.yaw_world_rad.append(float(yaw_rad))
        self.size_m.append(size_m)
        self.model.append(int(model))


@dataclass(frozen=True)
class Edges:
    """Points on the outer edge of what is paved, with the direction away from it."""

    xy_world_m: np.ndarray  # (n, 2)
    outward: np.ndarray  # (n, 2)
    along_m: np.ndarray  # (n,) distance along its strip
    strip: np.ndarray  # (n,)
    is_sidewalk: np.ndarray  # (n,) bool
    is_highway: np.ndarray  # (n,) bool
    is_junction: np.ndarray  # (n,) bool


class Site:
    """Where there is still room: a raster of what is taken, 1 m cells."""

    def __init__(self, ground: GroundRaster) -> None:
        self._pad = int(SURROUND_M / OCCUPIED_CELL_M)
        self.origin = ground.origin_world_m - SURROUND_M
        paved = np.maximum(ground.road_m, ground.sidewalk_m)[::2, ::2]
        self.taken = np.pad((paved > -0.9).astype(np.uint8), self._pad)
        self.extent_m = np.array([self.taken.shape[1], self.taken.shape[0]]) * OCCUPIED_CELL_M

    def free(self, points: np.ndarray) -> bool:
        """Whether all points (n, 2) lie on the raster and on ground that nothing has taken."""
        at = np.rint((points - self.origin) / OCCUPIED_CELL_M).astype(int)
        if (at < 0).any() or (at[:, 0] >= self.taken.shape[1]).any() or (at[:, 1] >= self.taken.shape[0]).any():
            return False
        return not self.taken[at[:, 1], at[:, 0]].any()

    def take(self, corners: np.ndarray) -> None:
        """Mark a convex polygon (n, 2) as taken."""
        pixels = np.rint((corners - self.origin) / OCCUPIED_CELL_M).astype(np.int32)
        cv2.fillPoly(self.taken, [pixels], 1)


def find_edges(strips: Sequence[Strip], ground: GroundRaster) -> Edges:
    """Borders of strips beyond which nothing is paved."""
    lanes: dict[tuple[str, int], int] = {}
    for s in strips:
        lanes[(s.road, s.section)] = lanes.get((s.road, s.section), 0) + (s.kind == "driving")
    walks = {s.road for s in strips if s.kind in SIDEWALK_KINDS}
    columns: list[tuple] = []
    for index, s in enumerate(strips):
        if s.kind not in ROAD_KINDS | SIDEWALK_KINDS:
            continue
        for here, there in ((s.left_xy_world_m, s.right_xy_world_m), (s.right_xy_world_m, s.left_xy_world_m)):
            across = here - there
            wide = np.hypot(across[:, 0], across[:, 1])
            outward = across / np.maximum(wide, 1e-6)[:, None]
            outer = (wide > 0.3) & (ground.paved_m(here + 1.2 * outward) < -0.6)
            gone = np.hypot(*np.diff(here, axis=0).T)
            along = np.concatenate([[0.0], np.cumsum(gone)])
            highway = lanes[(s.road, s.section)] >= 2 and s.road not in walks and s.kind not in SIDEWALK_KINDS
            flags = (
                index,
                s.kind in SIDEWALK_KINDS,
                highway and lanes[(s.road, s.section)] >= 3,
                s.junction is not None,
            )
            for i in np.flatnonzero(outer):
                columns.append((*here[i], *outward[i], along[i], *flags))
    table = np.array(columns, dtype=float).reshape(-1, 9)
    return Edges(
        table[:, 0:2],
        table[:, 2:4],
        table[:, 4],
        table[:, 5].astype(int),
        table[:, 6] > 0,
        table[:, 7] > 0,
        table[:, 8] > 0,
    )


def _rectangle(center: np.ndarray, axis: np.ndarray, length: float, depth: float, fill: bool) -> np.ndarray:
    """Corners (4, 2) of a rectangle along `axis`, or points (n, 2) about 1 m apart all over it."""
    left = np.array([-axis[1], axis[0]])
    if fill:
        u = np.linspace(-0.5, 0.5, max(2, int(length) + 1)) * length
        v = np.linspace(-0.5, 0.5, max(2, int(depth) + 1)) * depth
        grid = np.stack(np.meshgrid(u, v), -1).reshape(-1, 2)
        return center + grid[:, :1] * axis + grid[:, 1:] * left
    signs = np.array([(0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5), (0.5, -0.5)]) * (length, depth)
    return center + signs[:, :1] * axis + signs[:, 1:] * left


def _building(rng: np.random.Generator, urban: bool) -> tuple[Model, float, float, float]:
    """A model with length, depth and height in metres."""
    if urban and rng.random() < 0.62:
        floors = int(rng.choice([2, 3, 4, 4, 5, 6, 8]))
        return Model.BLOCK, 3.0 * rng.integers(3, 9), 3.0 * rng.integers(3, 5), 3.0 * floors + 0.8
    model = Model.GABLED if rng.random() < 0.6 else Model.HIPPED
    return model, rng.uniform(9.0, 15.0), rng.uniform(8.0, 11.0), rng.uniform(6.5, 9.5)


def place_buildings(items: Items, site: Site, edges: Edges, rng: np.random.Generator) -> None:
    """Rows of houses along sidewalks, with a second row behind; single houses along country roads."""
    order = rng.permutation(len(edges.xy_world_m))
    for i in order:
        urban = bool(edges.is_sidewalk[i])
        if edges.is_highway[i] or rng.random() > (0.5 if urban else 0.004):
            continue
        setback = rng.choice([rng.uniform(1.2, 4.0), rng.uniform(16.0, 34.0)]) if urban else rng.uniform(9.0, 40.0)
        model, length, depth, height = _building(rng, urban)
        out = edges.outward[i]
        axis = np.array([-out[1], out[0]])
        center = edges.xy_world_m[i] + out * (setback + 0.5 * depth)
        if site.free(_rectangle(center, axis, length + 2.4, depth + 2.4, True)):
            site.take(_rectangle(center, axis, length, depth, False))
            yaw = np.arctan2(axis[1], axis[0])
            items.add(center, yaw, (float(length), float(depth), float(height)), model)


def place_furniture(items: Items, site: Site, edges: Edges, rng: np.random.Generator) -> None:
    """Lamp posts along sidewalks, guard rails along highways, delineators along other roads."""
    spacing = {"lamp": 28.0, "rail": 4.0, "post": 33.0}
    for i in range(len(edges.xy_world_m)):
        out, xy = edges.outward[i], edges.xy_world_m[i]
        yaw_in, yaw_along = np.arctan2(-out[1], -out[0]), np.arctan2(out[0], -out[1])
        what = "lamp" if edges.is_sidewalk[i] else ("rail" if edges.is_highway[i] else "post")
        turn = edges.along_m[i] / spacing[what]
        first = i == 0 or edges.strip[i - 1] != edges.strip[i]
        if edges.is_junction[i] or (first and what != "rail") or int(turn) == int(edges.along_m[i - 1] / spacing[what]):
            continue
        if what == "lamp":
            # The lantern hangs over the kerb: the post stands 0.95 m behind the middle of its box.
            items.add(xy - out * 0.75, yaw_in, (1.99, 0.28, 7.9), Model.LAMP_POST)
        elif what == "rail":
            items.add(xy + out * 0.9, yaw_along + np.pi, (4.05, 0.2, 0.75), Model.GUARD_RAIL)
        else:
            items.add(xy + out * 0.6, yaw_in, (0.12, 0.12, 1.0), Model.DELINEATOR)


_TREES = (Model.BROADLEAF, Model.BROADLEAF, Model.BROADLEAF, Model.CONIFER, Model.POPLAR, Model.BUSH)


def _plant(items: Items, site: Site, xy: np.ndarray, rng: np.random.Generator, grove: int) -> None:
    model = _TREES[(grove + int(rng.random() < 0.35) * int(rng.integers(6))) % 6]
    height = {Model.BROADLEAF: 8.0, Model.CONIFER: 9.5, Model.POPLAR: 10.5, Model.BUSH: 1.5}[model] * rng.uniform(
        0.65, 1.35
    )
    wide = {Model.BROADLEAF: 0.72, Model.CONIFER: 0.42, Model.POPLAR: 0.27, Model.BUSH: 1.6}[model] * height
    wide *= rng.uniform(0.85, 1.2)
    reach = 0.5 * wide
    turn = np.arange(8) * np.pi / 4
    ring = xy + reach * np.column_stack([np.cos(turn), np.sin(turn)])
    if site.free(np.concatenate([ring, ring * 0.5 + xy * 0.5, xy[None]])):
        items.add(xy, rng.uniform(-np.pi, np.pi), (wide, wide * rng.uniform(0.85, 1.15), height), model)
        site.take(xy + 0.5 * (ring - xy))


def place_trees(items: Items, site: Site, edges: Edges, rng: np.random.Generator) -> None:
    """Trees beside the roads in groves, and a sparse wood all around so that no horizon is bare."""
    order = rng.permutation(len(edges.xy_world_m))
    for i in order:
        xy = edges.xy_world_m[i]
        # Groves: density follows slow waves over the map.
        wave = np.sin(xy[0] / 37.0) * np.cos(xy[1] / 29.0)
        dense = 0.16 if edges.is_sidewalk[i] else 0.05 + 0.14 * max(0.0, wave)
        if rng.random() < dense:
            nearest = 1.5 if edges.is_sidewalk[i] else (7.0 if edges.is_highway[i] else 4.0)
            away = nearest + 2.5 + rng.exponential(9.0 if not edges.is_sidewalk[i] else 5.0)
            sway = rng.normal(0.0, 2.0)
            out = edges.outward[i]
            point = xy + out * away + sway * np.array([-out[1], out[0]])
            _plant(items, site, point, rng, int(abs(wave) * 5.0))
    for _ in range(int(site.extent_m[0] * site.extent_m[1] / 700.0)):
        xy = site.origin + rng.random(2) * site.extent_m
        wave = np.sin(xy[0] / 43.0 + 1.0) * np.cos(xy[1] / 51.0)
        if rng.random() < 0.3 + 0.7 * wave:
            _plant(items, site, xy, rng, int(abs(wave) * 5.0))


def plant(strips: Sequence[Strip], ground: GroundRaster, rng: np.random.Generator) -> Items:
    """Everything that stands still on one map; nothing of it on road or sidewalk except lamp posts."""
    items, site = Items(), Site(ground)
    edges = find_edges(strips, ground)
    place_furniture(items, site, edges, rng)
    place_buildings(items, site, edges, rng)
    place_trees(items, site, edges, rng)
    return items
