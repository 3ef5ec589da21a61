"""The static world that cameras see: ground rasters, painted lines and things that stand still, flat over maps."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np
import torch

from sim.rendering.ground import (
    CELL_M,
    MARK_CELL_M,
    GroundRaster,
    MarkingRaster,
    PaintedLine,
    Strip,
    rasterise_ground,
    rasterise_markings,
)
from sim.rendering.planting import Items
from sim.rendering.roadside import plant
from sim.rendering.signs import Furnished
from sim.rendering.terrain import HeightRaster, raise_ground

ITEM_CELL_M = 32.0


class Network(Furnished, Protocol):
    """What scenery needs of a map; `sim.roads.network.RoadNetwork` has it."""

    @property
    def name(self) -> str: ...
    def strips(self, step_m: float = 1.0) -> Sequence[Strip]: ...
    def markings(self, step_m: float = 1.0) -> Sequence[PaintedLine]: ...


@dataclass
class Scenery:
    """Constant arrays, maps one behind the other, as in LaneGraph. `M` maps, `I` items, `S` pieces of painted lines."""

    # Ground: signed distances in metres / 2048, carriageway in the upper and sidewalk in the lower 16 bits
    ground_cell_m: float
    ground_origin_world_m: torch.Tensor  # (M, 2)
    ground_shape: torch.Tensor  # (M, 2) int32 columns, rows
    ground_first: torch.Tensor  # (M,) int32
    ground_distance: torch.Tensor  # flat int32, row-major
    # Heights: bilinear between nodes; flat maps (1) have height 0 everywhere
    ground_flat: torch.Tensor  # (M,) int32
    height_cell_m: torch.Tensor  # (M,)
    height_origin_world_m: torch.Tensor  # (M, 2)
    height_shape: torch.Tensor  # (M, 2) int32 columns, rows
    height_first: torch.Tensor  # (M,) int32
    height_top_m: torch.Tensor  # (M,) the largest
    height_m: torch.Tensor  # flat, row-major
    # Painted lines, and a grid of cells that list those near
    mark_cell_m: float
    mark_origin_world_m: torch.Tensor  # (M, 2)
    mark_shape: torch.Tensor  # (M, 2) int32
    mark_grid_first: torch.Tensor  # (M,) int32 first cell
    mark_first: torch.Tensor  # (cells + M,) int32: CSR
    mark_item: torch.Tensor  # int32
    mark_line: torch.Tensor  # (S, 4) start x, y, direction
    mark_shape_m: torch.Tensor  # (S, 4) length, width, distance along at the start, period
    mark_paint: torch.Tensor  # (S, 2) dash length, colour
    # Things that stand still, sorted by the cell that holds their middle
    item_cell_m: float
    item_origin_world_m: torch.Tensor  # (M, 2)
    item_shape: torch.Tensor  # (M, 2) int32
    item_grid_first: torch.Tensor  # (M,) int32
    item_cell_first: torch.Tensor  # (cells + M,) int32: CSR
    item_first: torch.Tensor  # (M + 1,) int32 first item of each map
    item_pose: torch.Tensor  # (I, 4) x, y, cos yaw, sin yaw
    item_size_m: torch.Tensor  # (I, 3)
    item_model: torch.Tensor  # (I,) int32 Model
    item_tint: torch.Tensor  # (I,) int32 picks colours
    item_z_m: torch.Tensor  # (I,) of its base
    item_detail: torch.Tensor  # (I,) int32 face of a sign, the map's signal group of a signal head, else 0

    def to(self, device: str | torch.device) -> "Scenery":
        """A copy on a device."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self) if f.type is torch.Tensor}
        return replace(self, **{name: tensor.to(device) for name, tensor in tensors.items()})


@dataclass(frozen=True)
class _Map:
    """One map's parts before they are put behind the others'."""

    ground: GroundRaster
    heights: HeightRaster
    marks: MarkingRaster
    items: Items


def build_scenery(networks: Sequence[Network], seed: int) -> Scenery:
    """Scenery of the maps; what stands beside a map's roads depends on `seed` and the map alone, not on its neighbours.

    Raises ValueError for no map, or a map without any paved lane.
    """
    if not networks:
        raise ValueError("networks: empty; want at least one map")
    maps = []
    for network in networks:
        strips = network.strips(1.0)
        ground = rasterise_ground(strips)
        rng = np.random.default_rng([seed & 0x7FFFFFFF, zlib.crc32(network.name.encode())])
        heights = raise_ground(strips, np.random.default_rng([seed & 0x7FFFFFFF, zlib.crc32(network.name.encode()), 2]))
        items = plant(network, strips, ground, rng)
        maps.append(_Map(ground, heights, rasterise_markings(network.markings(1.0)), items))
    return _joined(maps)


def _starts(lengths: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)])


def _csr(firsts: Sequence[np.ndarray]) -> np.ndarray:
    """Join CSR row starts, each with one entry more than its rows; the extra entries stay, so maps do not touch."""
    starts = _starts([int(f[-1]) for f in firsts])
    return np.concatenate([f + start for f, start in zip(firsts, starts)])


def _item_grid(items: Items) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(origin, shape, CSR row starts, order of the items by cell)."""
    xy = np.array(items.xy_world_m, dtype=float).reshape(-1, 2)
    if not len(xy):
        return np.zeros(2), np.ones(2, int), np.zeros(2, int), np.zeros(0, int)
    origin = xy.min(axis=0) - 1.0
    shape = (np.floor((xy.max(axis=0) + 1.0 - origin) / ITEM_CELL_M) + 1).astype(int)
    at = np.floor((xy - origin) / ITEM_CELL_M).astype(int)
    cell = at[:, 1] * shape[0] + at[:, 0]
    first = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=shape[0] * shape[1]))])
    return origin, shape, first, np.argsort(cell, kind="stable")


def _heights(rasters: list[HeightRaster]) -> dict[str, torch.Tensor]:
    """The fields of `Scenery` that hold the heights of all maps."""
    float32, int32 = torch.float32, torch.int32
    return {
        "ground_flat": torch.tensor([r.flat for r in rasters], dtype=int32),
        "height_cell_m": torch.tensor([r.cell_m for r in rasters], dtype=float32),
        "height_origin_world_m": torch.tensor(np.stack([r.origin_world_m for r in rasters]), dtype=float32),
        "height_shape": torch.tensor([r.height_m.shape[::-1] for r in rasters], dtype=int32),
        "height_first": torch.tensor(_starts([r.height_m.size for r in rasters])[:-1], dtype=int32),
        "height_top_m": torch.tensor([float(r.height_m.max()) for r in rasters], dtype=float32),
        "height_m": torch.from_numpy(np.concatenate([r.height_m.reshape(-1) for r in rasters])),
    }


def _joined(maps: list[_Map]) -> Scenery:
    def tensor(rows: object, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.as_tensor(np.asarray(rows), dtype=dtype).contiguous()

    def int32(rows: object) -> torch.Tensor:
        return tensor(rows, torch.int32)

    grids = [_item_grid(m.items) for m in maps]
    marks = [m.marks for m in maps]
    segments = _starts([len(m.line) for m in marks])
    order = [g[3] for g in grids]
    yaw = np.concatenate([np.array(m.items.yaw_world_rad)[o] for m, o in zip(maps, order)])
    xy = np.concatenate([np.array(m.items.xy_world_m).reshape(-1, 2)[o] for m, o in zip(maps, order)])
    return Scenery(
        ground_cell_m=CELL_M,
        ground_origin_world_m=tensor([m.ground.origin_world_m for m in maps]),
        ground_shape=int32([m.ground.road_m.shape[::-1] for m in maps]),
        ground_first=int32(_starts([m.ground.road_m.size for m in maps])[:-1]),
        ground_distance=int32(np.concatenate([m.ground.packed().reshape(-1) for m in maps])),
        **_heights([m.heights for m in maps]),
        mark_cell_m=MARK_CELL_M,
        mark_origin_world_m=tensor([m.origin_world_m for m in marks]),
        mark_shape=int32([m.shape for m in marks]),
        mark_grid_first=int32(_starts([len(m.first) for m in marks])[:-1]),
        mark_first=int32(_csr([m.first for m in marks])),
        mark_item=int32(np.concatenate([m.item + start for m, start in zip(marks, segments)])),
        mark_line=tensor(np.concatenate([m.line for m in marks])),
        mark_shape_m=tensor(np.concatenate([m.shape_m for m in marks])),
        mark_paint=tensor(np.concatenate([m.paint for m in marks])),
        item_cell_m=ITEM_CELL_M,
        item_origin_world_m=tensor([g[0] for g in grids]),
        item_shape=int32([g[1] for g in grids]),
        item_grid_first=int32(_starts([len(g[2]) for g in grids])[:-1]),
        item_cell_first=int32(_csr([g[2] for g in grids])),
        item_first=int32(_starts([len(o) for o in order])),
        item_pose=tensor(np.column_stack([xy, np.cos(yaw), np.sin(yaw)])),
        item_size_m=tensor(np.concatenate([np.array(m.items.size_m).reshape(-1, 3)[o] for m, o in zip(maps, order)])),
        item_model=int32(np.concatenate([np.array(m.items.model, int)[o] for m, o in zip(maps, order)])),
        item_tint=int32(np.concatenate([np.array(m.items.tint, int)[o] for m, o in zip(maps, order)])),
        item_z_m=tensor(np.concatenate([m.items.z_m(m.heights)[o] for m, o in zip(maps, order)])),
        item_detail=int32(np.concatenate([np.array(m.items.detail, int)[o] for m, o in zip(maps, order)])),
    )
