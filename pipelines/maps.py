"""Maps as tables and pictures: what `roadloop map` writes."""

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.runs import csv_field, written_whole
from sim.roads.geometry import Floats
from sim.roads.lanelinks import LaneKey, join_lanes
from sim.roads.network import DRIVING_KINDS, LaneStrip, Marking, Road, RoadNetwork

CSV_COLUMNS = ("road", "section", "lane", "s", "x", "y", "z", "yaw", "width", "is_junction", "junction")
CSV_STEP_M = 5.0

# --- Table ---


def write_map_csv(network: RoadNetwork, path: Path, successors: bool = False) -> int:
    """Write the driving lanes' centres at each section's start and every multiple of 5 m of the road's s; count rows.

    Metres and radians in the map's own right-handed frame; `yaw` is the direction of travel, `section` counts from 0,
    `junction` is the id of the junction that the road belongs to, or -1. With `successors` a last column lists the
    driving lanes that follow where traffic leaves the section, as road:section:lane joined by semicolons; it is empty
    where none does. The file appears whole or not at all.
    """
    follows = join_lanes(network) if successors else None
    lines = [",".join(CSV_COLUMNS if follows is None else (*CSV_COLUMNS, "successors"))]
    for road in network.roads.values():
        lines.extend(_csv_rows(road, follows))
    with written_whole(Path(path)) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines) - 1


def _csv_rows(road: Road, follows: dict[LaneKey, set[LaneKey]] | None) -> Iterator[str]:
    junction = "0,-1" if road.junction is None else f"1,{csv_field(road.junction)}"
    for index, section in enumerate(road.sections):
        for lane in section.lanes.values():
            if lane.id == 0 or lane.kind not in DRIVING_KINDS:
                continue
            s = _table_s(section.s_m, section.end_m(lane.id))
            xyz, yaw, width, _ = road.lane_at(index, lane.id, s)
            last = junction
            if follows is not None:
                after = sorted(follows.get((road.id, index, lane.id), ()))
                last += "," + csv_field(";".join(f"{r}:{i}:{id}" for r, i, id in after))
            for at, (x, y, z), heading, wide in zip(s, xyz, yaw, width):
                numbers = f"{at:.6f},{x:.6f},{y:.6f},{z:.6f},{heading:.9f},{wide:.6f}"
                yield f"{csv_field(road.id)},{index},{lane.id},{numbers},{last}"


def _table_s(start_m: float, end_m: float) -> Floats:
    """The section's start and the multiples of the step inside it; its end is the next section's or road's start."""
    multiples = np.arange(math.floor(start_m / CSV_STEP_M) + 1, math.ceil(end_m / CSV_STEP_M)) * CSV_STEP_M
    return np.concatenate(([start_m], multiples[(multiples > start_m + 1e-6) & (multiples < end_m - 1e-6)]))


# --- Picture ---

_PIXELS = 2400  # the longer side
_SUPERSAMPLE = 2
_SHIFT = 4
_BACKGROUND = (226, 234, 230)  # colours are BGR
_LANE_COLORS = {
    "driving": (98, 92, 88),
    "shoulder": (142, 140, 136),
    "stop": (142, 140, 136),
    "parking": (150, 128, 112),
    "biking": (110, 120, 170),
    "sidewalk": (196, 200, 204),
    "border": (178, 204, 184),
    "median": (160, 196, 168),
}
_RAMP, _OTHER, _JUNCTION = (128, 98, 84), (206, 216, 210), (124, 104, 98)
_MARK_COLORS = {
    "white": (250, 250, 250),
    "yellow": (60, 190, 245),
    "blue": (220, 140, 60),
    "red": (70, 70, 220),
    "green": (90, 180, 90),
    "orange": (40, 140, 250),
}
_ARROW, _INK = (80, 200, 255), (60, 56, 52)
_PAINT_ORDER = ("border", "none", "median", "sidewalk", "shoulder", "stop", "parking", "biking")


class _Canvas:
    """An image in the world's axes (north up), drawn oversampled with subpixel corners."""

    def __init__(self, points: Floats) -> None:
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.03 * float((high - low).max()) + 5.0
        self.low, size = low - margin, high - low + 2.0 * margin
        self.px_per_m = min(_PIXELS / float(size.max()), 24.0) * _SUPERSAMPLE
        wide, tall = np.maximum(np.ceil(size * self.px_per_m / _SUPERSAMPLE).astype(int), (480, 200)) * _SUPERSAMPLE
        self.image = np.full((tall, wide, 3), _BACKGROUND, dtype=np.uint8)

    def pixels(self, xy_world_m: Floats) -> NDArray[np.int32]:
        px = (xy_world_m - self.low) * self.px_per_m
        px[..., 1] = self.image.shape[0] - px[..., 1]
        return np.round(px * 2**_SHIFT).astype(np.int32)

    def fill(self, polygon_world_m: Floats, color: tuple[int, int, int]) -> None:
        cv2.fillPoly(self.image, [self.pixels(polygon_world_m)], color, cv2.LINE_8, _SHIFT)


def draw_map(network: RoadNetwork, path: Path) -> None:
    """Draw the map as a PNG: lanes by type, paint, arrows of travel, a legend and a scale bar. North is up."""
    strips = network.strips()
    if not strips:
        raise ValueError(f"map {network.name!r} has no lanes to draw")
    sides = [side for strip in strips for side in (strip.left_xy_world_m, strip.right_xy_world_m)]
    canvas = _Canvas(np.concatenate(sides))
    for strip in sorted(strips, key=_paint_order):
        outline = np.concatenate((strip.left_xy_world_m, strip.right_xy_world_m[::-1]))
        canvas.fill(outline, _lane_color(strip))
    for marking in network.markings():
        _draw_marking(canvas, marking)
    for strip in strips:
        if strip.kind in DRIVING_KINDS:
            _draw_arrows(canvas, strip)
    image = cv2.resize(canvas.image, None, fx=1 / _SUPERSAMPLE, fy=1 / _SUPERSAMPLE, interpolation=cv2.INTER_AREA)
    image = np.concatenate((image, _legend(image.shape[1], network, strips, canvas.px_per_m / _SUPERSAMPLE)))
    ok, data = cv2.imencode(".png", image)
    if not ok:
        raise ValueError(f"map {network.name!r} could not be encoded as PNG")
    with written_whole(Path(path)) as part:
        part.write_bytes(data.tobytes())


def _paint_order(strip: LaneStrip) -> tuple[int, bool]:
    order = _PAINT_ORDER.index(strip.kind) if strip.kind in _PAINT_ORDER else len(_PAINT_ORDER)
    return order, strip.junction is not None


def _lane_color(strip: LaneStrip) -> tuple[int, int, int]:
    if strip.kind == "driving" and strip.junction is not None:
        return _JUNCTION
    return _LANE_COLORS.get(strip.kind, _RAMP if strip.kind in DRIVING_KINDS else _OTHER)


def _draw_marking(canvas: _Canvas, marking: Marking) -> None:
    color = _MARK_COLORS.get(marking.color, _MARK_COLORS["white"])
    half = 0.5 * max(marking.width_m, 1.2 * _SUPERSAMPLE / canvas.px_per_m)  # never thinner than about a pixel
    for dash in _dashes(marking):
        along = np.gradient(dash, axis=0)
        side = (
            half
            * np.column_stack((-along[:, 1], along[:, 0]))
            / np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)[:, None]
        )
        canvas.fill(np.concatenate((dash + side, (dash - side)[::-1])), color)


def _dashes(marking: Marking) -> list[Floats]:
    """The painted pieces (n, 2) of a line."""
    xy = marking.xy_world_m
    s = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))))
    if marking.gap_m <= 0.0:
        return [xy]
    pieces = []
    for start in np.arange(0.0, s[-1], marking.dash_m + marking.gap_m):
        end = min(start + marking.dash_m, s[-1])
        at = np.concatenate(([start], s[(s > start + 1e-6) & (s < end - 1e-6)], [end]))
        pieces.append(np.column_stack((np.interp(at, s, xy[:, 0]), np.interp(at, s, xy[:, 1]))))
    return pieces


def _draw_arrows(canvas: _Canvas, strip: LaneStrip) -> None:
    """Arrows along a lane, about 90 pixels apart and at least one on a lane that is long enough to carry it."""
    size_m = float(np.clip(9.0 * _SUPERSAMPLE / canvas.px_per_m, 1.6, 8.0))
    step = max(int(90.0 * _SUPERSAMPLE / canvas.px_per_m), 12)
    count = len(strip.s_m)
    for i in range(min(step, count) // 2, count, step):
        if count < 2 * size_m or strip.width_m[i] < 1.5:
            continue
        cos, sin = math.cos(strip.yaw_world_rad[i]), math.sin(strip.yaw_world_rad[i])
        wide = min(0.32 * size_m, 0.35 * strip.width_m[i])
        shape = np.array([[0.5 * size_m, 0.0], [-0.5 * size_m, wide], [-0.25 * size_m, 0.0], [-0.5 * size_m, -wide]])
        canvas.fill(shape @ np.array([[cos, sin], [-sin, cos]]) + strip.center_xyz_world_m[i, :2], _ARROW)


def _legend(width_px: int, network: RoadNetwork, strips: list[LaneStrip], px_per_m: float) -> NDArray[np.uint8]:
    """The strip below the map: its name, a scale bar and the colours of the lane types present."""
    panel = np.full((64, width_px, 3), 255, dtype=np.uint8)
    bar_m = next(m for m in (1000, 500, 200, 100, 50, 20, 10, 5) if m * px_per_m <= 0.25 * width_px or m == 5)
    bar = round(bar_m * px_per_m)
    _text(panel, f"{network.name}   {bar_m} m", (14, 24), 0.6)
    cv2.line(panel, (14, 44), (14 + bar, 44), _INK, 2)
    for x in (14, 14 + bar):
        cv2.line(panel, (x, 38), (x, 50), _INK, 2)
    kinds = {"junction" if strip.junction and strip.kind == "driving" else strip.kind: strip for strip in strips}
    x = 14 + max(bar, 220) + 40
    for kind in sorted(kinds, key=lambda kind: (kind != "driving", kind)):
        cv2.rectangle(panel, (x, 36), (x + 22, 50), _lane_color(kinds[kind]), cv2.FILLED)
        _text(panel, kind, (x + 28, 48), 0.5)
        x += 52 + 10 * len(kind)
    return panel


def _text(image: NDArray[np.uint8], text: str, at: tuple[int, int], scale: float) -> None:
    cv2.putText(image, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, _INK, 1, cv2.LINE_AA)
