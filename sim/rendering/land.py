"""The ground of maps, ready for kernels: rasters of distances, heights and codes, lanes' pieces and decals."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from sim.painting.textures import tiling_noise
from sim.rendering.bridges import Part, storeys
from sim.rendering.decals import DecalRaster, rasterise_decals
from sim.rendering.ground import SIDEWALK_KINDS, GroundRaster, PaintedLine, Strip, rasterise_ground
from sim.rendering.lane_cells import DECAL_FLAG, LaneCells, lane_cells, reclassed
from sim.rendering.roadwear import Style, draw_style, road_decals
from sim.rendering.terrain import HeightRaster, raise_ground


@dataclass(frozen=True)
class Land:
    """One map's ground."""

    ground: GroundRaster
    heights: HeightRaster
    cells: LaneCells
    decals: DecalRaster
    style: Style
    strips: Sequence[Strip]  # lanes on the ground
    above: Sequence[Part]  # parts of lanes over it

    def kerbs_m(self, xy_world_m: Sequence[tuple[float, float]]) -> np.ndarray:
        """By how much kerbs raise the ground at points (n, 2)."""
        points = np.array(xy_world_m, dtype=float).reshape(-1, 2)
        return np.where(self.ground.raised_m(points) > 0.0, self.style.kerb_m, 0.0)


def lay_land(name: str, strips: Sequence[Strip], lines: Sequence[PaintedLine], seed: int) -> Land:
    """The ground of a map of lanes and painted lines: a function of its name and the seed.

    Raises ValueError where no lane is paved.
    """
    key = (seed & 0x7FFFFFFF) ^ zlib.crc32(name.encode())
    heights = raise_ground(strips, np.random.default_rng([key, 2]))
    strips, above = storeys(strips, heights)
    ground = rasterise_ground(strips)
    style = draw_style(np.random.default_rng([key, 1]), any(s.kind in SIDEWALK_KINDS for s in strips))
    cells = lane_cells(strips, ground, key)
    decals = rasterise_decals(road_decals(strips, lines, ground, style, key), ground.origin_world_m, cells.shape)
    listed = (np.diff(decals.first) > 0).reshape(cells.code.shape)
    cells = LaneCells(cells.code | np.where(listed, DECAL_FLAG, 0).astype(np.int32), cells.line, cells.shape_m)
    return Land(ground, heights, cells, decals, style, strips, above)


def paved(land: Land, ground: GroundRaster) -> Land:
    """The land with other distances to the edges of its sidewalks."""
    return replace(land, ground=ground, cells=replace(land.cells, code=reclassed(land.cells.code, ground)))


def starts(lengths: Sequence[int]) -> np.ndarray:
    """Where each of some parts begins that lie one behind the other, and where the last one ends."""
    return np.concatenate([[0], np.cumsum(lengths)])


def csr(firsts: Sequence[np.ndarray]) -> np.ndarray:
    """Join CSR row starts, each with one entry more than its rows; the extra entries stay, so maps do not touch."""
    offsets = starts([int(f[-1]) for f in firsts])
    return np.concatenate([f + offset for f, offset in zip(firsts, offsets)])


def joined_land(lands: Sequence[Land]) -> dict[str, torch.Tensor]:
    """The fields of `Scenery` that hold the ground of all maps."""
    grounds, cells, decals = [m.ground for m in lands], [m.cells for m in lands], [m.decals for m in lands]
    pieces = starts([len(d.line) for d in decals])
    return _heights([m.heights for m in lands]) | {
        "ground_origin_world_m": _float32(np.stack([g.origin_world_m for g in grounds])),
        "ground_shape": _int32([g.road_m.shape[::-1] for g in grounds]),
        "ground_first": _int32(starts([g.road_m.size for g in grounds])[:-1]),
        "ground_distance": _int32(np.concatenate([g.packed().reshape(-1) for g in grounds])),
        "ground_style": _float32([m.style.row() for m in lands]),
        "ground_noise": _float32(_noise()),
        "code_shape": _int32([c.shape for c in cells]),
        "code_first": _int32(starts([c.code.size for c in cells])[:-1]),
        "code": _int32(np.concatenate([c.code.reshape(-1) for c in cells])),
        "lane_first": _int32(starts([len(c.line) for c in cells])[:-1]),
        "lane_line": _float32(np.concatenate([c.line for c in cells])),
        "lane_shape_m": _float32(np.concatenate([c.shape_m for c in cells])),
        "mark_first": _int32(csr([d.first for d in decals])),
        "mark_item": _int32(np.concatenate([d.item + start for d, start in zip(decals, pieces)])),
        "mark_thin": _int32([d.thin + start for d, start in zip(decals, pieces)]),
        "mark_line": _float32(np.concatenate([d.line for d in decals])),
        "mark_shape_m": _float32(np.concatenate([d.shape_m for d in decals])),
        "mark_paint": _float32(np.concatenate([d.paint for d in decals])),
    }


def _noise() -> np.ndarray:
    """Tiling noise of unit deviation and its averages over 4 x 4 samples, flat; the same for every map."""
    side = 128
    noise = tiling_noise(np.random.default_rng(5), side, side, 1.15)
    coarse = noise.reshape(side // 4, 4, side // 4, 4).mean(axis=(1, 3))
    return np.clip(np.concatenate([noise.reshape(-1), coarse.reshape(-1)]), -2.5, 2.5)


def _heights(rasters: list[HeightRaster]) -> dict[str, torch.Tensor]:
    return {
        "ground_flat": _int32([r.flat for r in rasters]),
        "height_cell_m": _float32([r.cell_m for r in rasters]),
        "height_origin_world_m": _float32(np.stack([r.origin_world_m for r in rasters])),
        "height_shape": _int32([r.height_m.shape[::-1] for r in rasters]),
        "height_first": _int32(starts([r.height_m.size for r in rasters])[:-1]),
        "height_top_m": _float32([r.height_m.max() for r in rasters]),
        "height_m": _float32(np.concatenate([r.height_m.reshape(-1) for r in rasters])),
    }


def _float32(rows: object) -> torch.Tensor:
    return torch.as_tensor(np.asarray(rows), dtype=torch.float32).contiguous()


def _int32(rows: object) -> torch.Tensor:
    return torch.as_tensor(np.asarray(rows), dtype=torch.int32).contiguous()
