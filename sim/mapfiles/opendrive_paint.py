"""Paint of objects, as OpenDRIVE files write it: markings along outlines or along the sides of a bounding box."""

import math
from collections.abc import Iterator

import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from sim.mapfiles.opendrive_objects import outline_corners
from sim.mapfiles.opendrive_xml import Reader
from sim.roads.geometry import Floats
from sim.roads.network import MARK_WIDTH_M, Marking, Road

# Corners of a bounding box, in halves of its length and width, from where to where its sides run.
_SIDES = {
    "left": ((-1, 1), (1, 1)),
    "right": ((-1, -1), (1, -1)),
    "front": ((1, -1), (1, 1)),
    "rear": ((-1, -1), (-1, 1)),
}


def read_paint(read: Reader, root: etree._Element, roads: dict[str, Road]) -> tuple[Marking, ...]:
    """The painted lines of all objects, in file order."""
    found: list[Marking] = []
    for element in root.iterfind("road/objects/object"):
        if element.find("markings") is not None:
            road = roads[element.getparent().getparent().get("id").strip()]
            found.extend(_lines(read, element, road))
    return tuple(found)


def _lines(read: Reader, element: etree._Element, road: Road) -> Iterator[Marking]:
    corners = outline_corners(read, element, road)
    for marking in element.iterfind("markings/marking"):
        side = marking.get("side")
        if side is not None:
            points = _side(read, element, road, read.choice(marking, "side", tuple(_SIDES)))
        else:
            ids = [read.integer(e, "id") for e in marking.findall("cornerReference")]
            unknown = next((id for id in ids if id not in corners), None)
            if unknown is not None or len(ids) < 2:
                read.warn(marking, f"refers to corner {unknown}, which does not exist" if ids else "names no corners")
                continue
            points = np.array([corners[id] for id in ids])
        offsets = read.number(marking, "startOffset", 0.0), read.number(marking, "stopOffset", 0.0)
        points = _shortened(points[:, :2], *offsets)
        width, dash = read.number(marking, "width", 0.0), read.number(marking, "lineLength", 0.0)
        if len(points) < 2:
            continue
        yield Marking(
            np.round(points, 9), width if width > 0.0 else MARK_WIDTH_M,
            {"standard": "white"}.get(color := read.text(marking, "color", "white"), color),
            dash if dash > 0.0 else 1.0, max(0.0, read.number(marking, "spaceLength", 0.0)), road.id,
        )  # fmt: skip


def _side(read: Reader, element: etree._Element, road: Road, side: str) -> Floats:
    pose = road.pose(np.array([read.number(element, "s", 0.0)]), np.array([read.number(element, "t", 0.0)]))
    yaw = float(pose.heading_world_rad[0]) + read.number(element, "hdg", 0.0)
    half = 0.5 * np.array([read.number(element, "length", 0.0), read.number(element, "width", 0.0)])
    cos, sin = math.cos(yaw), math.sin(yaw)
    return pose.xyz_world_m[0, :2] + (np.array(_SIDES[side]) * half) @ np.array([[cos, sin], [-sin, cos]])


def _shortened(points: Floats, start_m: float, stop_m: float) -> Floats:
    """A polyline (n, 2) without so much at its start and at its end; nothing where that leaves nothing."""
    if start_m == 0.0 and stop_m == 0.0:
        return points
    along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))))
    first, last = max(0.0, start_m), along[-1] - max(0.0, stop_m)
    if last - first < 1e-6:
        return points[:0]
    at = np.concatenate(([first], along[(along > first) & (along < last)], [last]))
    return np.column_stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)])
