"""Roads that lie above the ground: which parts of lanes do, and what carries them: slabs, girders, parapets, piers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sim.meshes.street import Street
from sim.rendering.ground import ROAD_KINDS, SIDEWALK_KINDS, GroundRaster, Strip
from sim.rendering.planting import Items
from sim.rendering.terrain import HeightRaster

FREE_M = 0.25  # a road so far above the ground needs a deck
STEP_M = 0.06  # between the level pieces of a deck
LONGEST_M = 12.0
GIRDER_M, PARAPET_M, PIER_M = 0.9, 0.95, 0.9
PIER_EVERY_M = 24.0
_SLAB_M = 0.06


@dataclass(frozen=True)
class Part:
    """A stretch of a lane."""

    road: str
    section: int
    kind: str
    junction: str | None
    left_xy_world_m: np.ndarray
    right_xy_world_m: np.ndarray
    left_z_world_m: np.ndarray
    right_z_world_m: np.ndarray


def storeys(strips: Sequence[Strip], heights: HeightRaster) -> tuple[list[Strip], list[Part]]:
    """The lanes that lie on the ground, and the parts of lanes that lie above it."""
    if heights.flat:
        return list(strips), []
    low: list[Strip] = []
    high: list[Part] = []
    for strip in strips:
        above = _above_m(strip, heights) > FREE_M
        if not above.any():
            low.append(strip)
            continue
        # A change of storey belongs to both parts, so that no gap opens between them.
        ends = np.concatenate([[0], np.flatnonzero(np.diff(above)) + 1, [len(above)]])
        for first, end in pairwise(ends):
            part = _part(strip, max(first - 1, 0) if above[first] else first, min(end + 1, len(above)))
            (high if above[first] else low).append(part)
    return low, high


def _part(strip: Strip, first: int, end: int) -> Part:
    span = slice(first, end)
    return Part(
        strip.road, strip.section, strip.kind, strip.junction, strip.left_xy_world_m[span],
        strip.right_xy_world_m[span], strip.left_z_world_m[span], strip.right_z_world_m[span],
    )  # fmt: skip


def _above_m(strip: Strip, heights: HeightRaster) -> np.ndarray:
    """How far (n,) the middle of a lane is above the ground."""
    middle = 0.5 * (strip.left_xy_world_m + strip.right_xy_world_m)
    return 0.5 * (strip.left_z_world_m + strip.right_z_world_m) - heights.at(middle)


def span_bridges(items: Items, parts: Sequence[Part], ground: GroundRaster, heights: HeightRaster) -> None:
    """Add what carries the parts of lanes above the ground: level pieces, so short that wheels stay on them."""
    paved = [p for p in parts if p.kind in ROAD_KINDS | SIDEWALK_KINDS and len(p.left_xy_world_m) > 1]
    covered = _footprint(paved)
    for part in paved:
        for left, right, z in _pieces(part):
            middle = 0.25 * (left[0] + left[1] + right[0] + right[1])
            way = 0.5 * (left[1] - left[0] + right[1] - right[0])
            yaw, long_m = float(np.arctan2(way[1], way[0])), float(np.hypot(*way)) + 0.05
            wide_m = 0.5 * float(np.hypot(*(left[0] - right[0])) + np.hypot(*(left[1] - right[1])))
            if wide_m > 0.1:
                _carry(items, middle, yaw, (long_m, wide_m), z)
                for edge, other in ((left, right), (right, left)):
                    rim, out = 0.5 * (edge[0] + edge[1]), 0.5 * (edge[0] + edge[1] - other[0] - other[1])
                    if not _lies_in(covered, rim + 0.6 * out / np.hypot(*out)):
                        items.add(
                            rim, yaw, (long_m, 0.3, PARAPET_M + GIRDER_M), Street.GIRDER, base_world_m=z - GIRDER_M
                        )
        _stand(items, part, ground, heights)


def _carry(items: Items, middle: np.ndarray, yaw: float, size_m: tuple[float, float], z: float) -> None:
    items.add(middle, yaw, (*size_m, _SLAB_M), Street.DECK, base_world_m=z - _SLAB_M)
    items.add(middle, yaw, (*size_m, GIRDER_M), Street.GIRDER, base_world_m=z - GIRDER_M - _SLAB_M)


def _stand(items: Items, part: Part, ground: GroundRaster, heights: HeightRaster) -> None:
    """Piers under a high part, beside the roads below."""
    middle = 0.5 * (part.left_xy_world_m + part.right_xy_world_m)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(middle, axis=0).T))])
    for s in np.arange(0.5 * PIER_EVERY_M, along[-1], PIER_EVERY_M):
        at = int(np.searchsorted(along, s))
        foot = float(heights.at(middle[at : at + 1])[0])
        rise = 0.5 * float(part.left_z_world_m[at] + part.right_z_world_m[at]) - GIRDER_M - foot
        if rise > 2.5 and ground.paved_m(middle[at : at + 1])[0] < -1.0:
            items.add(middle[at], 0.0, (PIER_M, PIER_M, rise + 0.2), Street.GIRDER, base_world_m=foot - 0.2)


def _pieces(part: Part) -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
    """Ends (2, 2) of the left and right edge of each level piece, and its height."""
    z = 0.5 * (part.left_z_world_m + part.right_z_world_m)
    middle = 0.5 * (part.left_xy_world_m + part.right_xy_world_m)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(middle, axis=0).T))])
    start = 0
    while start < len(z) - 1:
        end = start + 1
        while end < len(z) - 1 and abs(z[end + 1] - z[start]) < STEP_M and along[end + 1] - along[start] < LONGEST_M:
            end += 1
        ends = [start, end]
        yield part.left_xy_world_m[ends], part.right_xy_world_m[ends], float(0.5 * (z[start] + z[end]))
        start = end


def _footprint(parts: Sequence[Part]) -> set[tuple[int, int]]:
    """Half-metre cells that decks cover."""
    cells: set[tuple[int, int]] = set()
    for part in parts:
        for share in np.linspace(0.0, 1.0, 12):
            points = part.left_xy_world_m + share * (part.right_xy_world_m - part.left_xy_world_m)
            for between in (0.0, 0.5):
                at = points[:-1] + between * np.diff(points, axis=0)
                cells.update(map(tuple, np.floor(at * 2.0).astype(int).tolist()))
    return cells


def _lies_in(cells: set[tuple[int, int]], point: np.ndarray) -> bool:
    return (int(np.floor(2.0 * point[0])), int(np.floor(2.0 * point[1]))) in cells
