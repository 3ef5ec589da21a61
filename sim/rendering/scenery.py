"""The static world that cameras see: ground rasters, painted lines and things that stand still, flat over maps."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np
import torch

from sim.meshes.street import Street
from sim.rendering.bridges import span_bridges
from sim.rendering.ground import CELL_M, PaintedLine, Strip
from sim.rendering.house_shade import house_shade
from sim.rendering.lamplight import lamp_pools
from sim.rendering.land import Land, csr, joined_land, lay_land, paved, starts
from sim.rendering.planting import Items
from sim.rendering.roadside import plant
from sim.rendering.signs import Furnished

ITEM_CELL_M = 32.0
SKYLINE = (Street.FAR_WOOD, Street.FAR_TOWN)  # models that are drawn from however far


class Network(Furnished, Protocol):
    """What scenery needs of a map; `sim.roads.network.RoadNetwork` has it."""

    @property
    def name(self) -> str: ...
    def strips(self, step_m: float = 1.0) -> Sequence[Strip]: ...
    def markings(self, step_m: float = 1.0) -> Sequence[PaintedLine]: ...


@dataclass
class Scenery:
    """Constant arrays, maps one behind the other, as in LaneGraph. `M` maps, `I` items, `S` pieces of decals."""

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
    # Looks: a row per map, codes of cells, and the lanes' straight pieces that codes name
    ground_style: torch.Tensor  # (M, 9) as roadwear.Style.row
    ground_noise: torch.Tensor  # tiling noise, two levels flat
    code_shape: torch.Tensor  # (M, 2) int32 columns, rows
    code_first: torch.Tensor  # (M,) int32
    code: torch.Tensor  # flat int32, as in lane_cells
    lane_first: torch.Tensor  # (M,) int32
    lane_line: torch.Tensor  # (L, 4) start x, y, direction
    lane_shape_m: torch.Tensor  # (L, 4) distance along at the start, half width, tone, depth of wheel tracks
    # Light of street lamps on the ground, lamplight.ONE right below a lantern
    pool_shape: torch.Tensor  # (M, 2) int32 columns, rows
    pool_first: torch.Tensor  # (M,) int32
    pool: torch.Tensor  # flat uint8
    # What houses hide of the sky around each cell, as in house_shade
    shade_shape: torch.Tensor  # (M, 2) int32 columns, rows
    shade_first: torch.Tensor  # (M,) int32 first cell
    shade: torch.Tensor  # flat uint8, AZIMUTHS pairs of distance and height per cell
    # Decals, and those near each cell
    mark_first: torch.Tensor  # (cells + M,) int32: CSR
    mark_item: torch.Tensor  # int32
    mark_thin: torch.Tensor  # (M,) int32 the first piece that is seen near the camera only
    mark_line: torch.Tensor  # (S, 4) start x, y, direction
    mark_shape_m: torch.Tensor  # (S, 4) length, width, distance along at the start, period
    mark_paint: torch.Tensor  # (S, 4) dash length, kind, wear, rim
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

    land: Land
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
        rng = np.random.default_rng([seed & 0x7FFFFFFF, zlib.crc32(network.name.encode())])
        land = lay_land(network.name, strips, network.markings(1.0), seed)
        items, ground = plant(network, land.strips, land.ground, rng)
        land = paved(land, ground)
        span_bridges(items, land.above, land.ground, land.heights)
        maps.append(_Map(land, items))
    return _joined(maps)


def _item_grid(items: Items) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(origin, shape, CSR row starts, order of the items by cell); the skyline has one more cell behind the others."""
    xy = np.array(items.xy_world_m, dtype=float).reshape(-1, 2)
    if not len(xy):
        return np.zeros(2), np.ones(2, int), np.zeros(3, int), np.zeros(0, int)
    far = np.isin(items.model, SKYLINE)
    near = xy[~far] if not far.all() else xy
    origin = near.min(axis=0) - 1.0
    shape = (np.floor((near.max(axis=0) + 1.0 - origin) / ITEM_CELL_M) + 1).astype(int)
    at = np.floor((xy - origin) / ITEM_CELL_M).astype(int)
    cell = np.where(far, shape[0] * shape[1], at[:, 1] * shape[0] + at[:, 0])
    first = np.concatenate([[0], np.cumsum(np.bincount(cell, minlength=shape[0] * shape[1] + 1))])
    return origin, shape, first, np.argsort(cell, kind="stable")


def _pools(maps: list[_Map]) -> dict[str, torch.Tensor]:
    """Lamplight on the ground of every map."""
    pools = [lamp_pools(m.items, m.land.ground.origin_world_m, np.array(m.land.cells.shape) * 1.0) for m in maps]
    return {
        "pool_shape": torch.tensor([p.shape[::-1] for p in pools], dtype=torch.int32),
        "pool_first": torch.tensor(starts([p.size for p in pools])[:-1], dtype=torch.int32),
        "pool": torch.from_numpy(np.concatenate([p.reshape(-1) for p in pools])),
    }


def _shades(maps: list[_Map]) -> dict[str, torch.Tensor]:
    """What houses hide of the sky on every map."""
    shades = [house_shade(m.items, m.land.ground.origin_world_m, np.array(m.land.cells.shape) * 1.0) for m in maps]
    return {
        "shade_shape": torch.tensor([s.shape[1::-1] for s in shades], dtype=torch.int32),
        "shade_first": torch.tensor(starts([s.shape[0] * s.shape[1] for s in shades])[:-1], dtype=torch.int32),
        "shade": torch.from_numpy(np.concatenate([s.reshape(-1) for s in shades])),
    }


def _joined(maps: list[_Map]) -> Scenery:
    def tensor(rows: object, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.as_tensor(np.asarray(rows), dtype=dtype).contiguous()

    def int32(rows: object) -> torch.Tensor:
        return tensor(rows, torch.int32)

    grids = [_item_grid(m.items) for m in maps]
    order = [g[3] for g in grids]
    yaw = np.concatenate([np.array(m.items.yaw_world_rad)[o] for m, o in zip(maps, order)])
    xy = np.concatenate([np.array(m.items.xy_world_m).reshape(-1, 2)[o] for m, o in zip(maps, order)])
    return Scenery(
        ground_cell_m=CELL_M,
        **joined_land([m.land for m in maps]),
        **_pools(maps),
        **_shades(maps),
        item_cell_m=ITEM_CELL_M,
        item_origin_world_m=tensor([g[0] for g in grids]),
        item_shape=int32([g[1] for g in grids]),
        item_grid_first=int32(starts([len(g[2]) for g in grids])[:-1]),
        item_cell_first=int32(csr([g[2] for g in grids])),
        item_first=int32(starts([len(o) for o in order])),
        item_pose=tensor(np.column_stack([xy, np.cos(yaw), np.sin(yaw)])),
        item_size_m=tensor(np.concatenate([np.array(m.items.size_m).reshape(-1, 3)[o] for m, o in zip(maps, order)])),
        item_model=int32(np.concatenate([np.array(m.items.model, int)[o] for m, o in zip(maps, order)])),
        item_tint=int32(np.concatenate([np.array(m.items.tint, int)[o] for m, o in zip(maps, order)])),
        item_z_m=tensor(
            np.concatenate(
                [m.items.z_m(m.land.heights, m.land.kerbs_m(m.items.xy_world_m))[o] for m, o in zip(maps, order)]
            )
        ),
        item_detail=int32(np.concatenate([np.array(m.items.detail, int)[o] for m, o in zip(maps, order)])),
    )
