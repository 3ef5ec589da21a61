"""Objects on and beside roads, as OpenDRIVE files write them: outlines, repetitions, crosswalks, parking, bridges."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from sim.mapfiles.opendrive_xml import Reader
from sim.roads.geometry import Floats
from sim.roads.network import Road, RoadObject

_KINDS = {"parkingSpace": "parking", "": "other", "-1": "other"}
_MAX_COPIES = 20_000
_DECIMALS = 9  # of outlines in metres: rounded, so that files that say them in other frames tell the same
_STRIP_STEP_M = 2.0  # of the outlines of objects that run along the road
# An exporter of city maps names painted things and gives them no type, or the type of another thing.
_NAMES = (
    (re.compile(r"^(solid|broken|dashed)\w*(white|yellow)", re.I), "roadMark"),
    (re.compile(r"crosswalk", re.I), "crosswalk"),
    (re.compile(r"^stop_?line", re.I), "stopLine"),
    (re.compile(r"^stencil_", re.I), "roadMark"),
)


def read_objects(read: Reader, root: etree._Element, roads: dict[str, Road]) -> tuple[RoadObject, ...]:
    """All objects in file order; a repeated one appears once per copy, or once with an outline along the road."""
    found: list[RoadObject] = []
    for element in root.iterfind("road/objects/*"):
        road = roads[element.getparent().getparent().get("id").strip()]
        if element.tag == "object" and not (element.get("type") == "roadMark" and element.find("markings") is not None):
            found.extend(_objects(read, element, road))
        elif element.tag in ("tunnel", "bridge"):
            found.append(_span(read, element, road))
    return tuple(found)


@dataclass(frozen=True)
class _Place:
    """One copy of an object: where it stands and how big it is."""

    s_m: float
    t_m: float
    z_m: float
    length_m: float
    width_m: float
    height_m: float


def _objects(read: Reader, element: etree._Element, road: Road) -> Iterator[RoadObject]:
    place = _place(read, element)
    if not -1e-3 <= place.s_m <= road.length_m + 1e-3:
        read.warn(element, f"lies at s={place.s_m:g}, outside road {road.id!r} of {road.length_m:g} m")
    repeats = element.findall("repeat")
    for repeat in repeats:
        if read.number(repeat, "distance", 0.0) > 0.0:
            for copy in _copies(read, repeat, place):
                yield from _placed(read, element, road, copy)
        else:
            yield _along(read, element, repeat, road, place)
    if not repeats:
        yield from _placed(read, element, road, place)


def _place(read: Reader, element: etree._Element) -> _Place:
    radius = read.number(element, "radius", 0.0)
    return _Place(
        read.number(element, "s", 0.0), read.number(element, "t", 0.0), read.number(element, "zOffset", 0.0),
        abs(read.number(element, "length", 2.0 * radius)), abs(read.number(element, "width", 2.0 * radius)),
        abs(read.number(element, "height", 0.0)),
    )  # fmt: skip


def _kind(element: etree._Element) -> str:
    type, name = element.get("type", "").strip(), element.get("name", "").strip()
    if type in ("", "-1", "none", "crosswalk"):
        named = next((kind for pattern, kind in _NAMES if pattern.search(name)), None)
        if named is not None:
            return named
    return _KINDS.get(type, type)


def _placed(read: Reader, element: etree._Element, road: Road, place: _Place) -> Iterator[RoadObject]:
    """The object at one place: once, or once for each outline of its own."""
    pose = road.pose(np.array([place.s_m]), np.array([place.t_m]))
    origin = pose.xyz_world_m[0] + (0.0, 0.0, place.z_m)
    yaw = float(pose.heading_world_rad[0]) + read.number(element, "hdg", 0.0)
    tilt = read.number(element, "pitch", 0.0), read.number(element, "roll", 0.0)
    outlines = [e for e in _outlines(element) if e.get("outer", "true") in ("true", "1")]
    for outline in outlines or [None]:
        corners, height = np.zeros((0, 3)), place.height_m
        if outline is not None:
            corners, tallest = _corners(read, outline, road, origin, _rotation(yaw, *tilt))
            height = height or tallest
        yield _object(read, element, road, place, yaw, corners, height)


def _object(
    read: Reader, element: etree._Element, road: Road, place: _Place, yaw: float, corners: Floats, height: float
) -> RoadObject:
    return RoadObject(
        id=read.text(element, "id", ""), road=road.id, kind=_kind(element), s_m=place.s_m, t_m=place.t_m,
        z_m=place.z_m, yaw_world_rad=math.remainder(yaw, 2.0 * math.pi), length_m=place.length_m,
        width_m=place.width_m, height_m=height, outline_xyz_world_m=np.round(corners, _DECIMALS),
        lanes=_lanes(read, element, road), name=element.get("name", "").strip(),
    )  # fmt: skip


def _outlines(element: etree._Element) -> list[etree._Element]:
    return element.findall("outline") + element.findall("outlines/outline")


def _rotation(yaw: float, pitch: float, roll: float) -> Floats:
    """World from object axes: R_z(yaw) R_y(pitch) R_x(roll)."""
    (cy, sy), (cp, sp), (cr, sr) = ((math.cos(a), math.sin(a)) for a in (yaw, pitch, roll))
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def _corners(read: Reader, outline: etree._Element, road: Road, origin: Floats, axes: Floats) -> tuple[Floats, float]:
    """World corners (n, 3) of an outline and the greatest height that one of them gives."""
    local, on_road = outline.findall("cornerLocal"), outline.findall("cornerRoad")
    tallest = max((read.number(e, "height", 0.0) for e in (*local, *on_road)), default=0.0)
    if local:
        uvz = np.array([[read.number(e, "u"), read.number(e, "v"), read.number(e, "z", 0.0)] for e in local])
        return origin + uvz @ axes.T, tallest
    if not on_road:
        return np.zeros((0, 3)), tallest
    s, t, up = np.array([[read.number(e, "s"), read.number(e, "t"), read.number(e, "dz", 0.0)] for e in on_road]).T
    corners = road.pose(s, t).xyz_world_m
    corners[:, 2] += up
    return corners, tallest


def outline_corners(read: Reader, element: etree._Element, road: Road) -> dict[int, Floats]:
    """World corners (3,) of an object's outlines by the ids that markings refer to."""
    place = _place(read, element)
    pose = road.pose(np.array([place.s_m]), np.array([place.t_m]))
    tilt = read.number(element, "pitch", 0.0), read.number(element, "roll", 0.0)
    axes = _rotation(float(pose.heading_world_rad[0]) + read.number(element, "hdg", 0.0), *tilt)
    found: dict[int, Floats] = {}
    for outline in _outlines(element):
        points, _ = _corners(read, outline, road, pose.xyz_world_m[0] + (0.0, 0.0, place.z_m), axes)
        corners = outline.findall("cornerLocal") or outline.findall("cornerRoad")
        for i, (corner, point) in enumerate(zip(corners, points)):
            found.setdefault(read.integer(corner, "id") if corner.get("id") else i, point)
    return found


def _copies(read: Reader, repeat: etree._Element, place: _Place) -> Iterator[_Place]:
    """The places of an object that is repeated at a distance, its sizes changing linearly from first to last."""
    length, distance = read.length(repeat), read.number(repeat, "distance")
    if length / distance > _MAX_COPIES:
        raise read.error(repeat, f"asks for {length / distance:.3g} copies", f"{_MAX_COPIES} are the most; correct it")
    for i in range(int(length / distance + 1e-9) + 1):
        yield _repeated(read, repeat, place, i * distance, i * distance / length if length > 0.0 else 0.0)


def _repeated(read: Reader, repeat: etree._Element, place: _Place, ds: float, share: float) -> _Place:
    def between(key: str, default: float) -> float:
        start = read.number(repeat, f"{key}Start", default)
        return start + share * (read.number(repeat, f"{key}End", start) - start)

    return _Place(
        read.number(repeat, "s", place.s_m) + ds, between("t", place.t_m), between("zOffset", place.z_m),
        between("length", place.length_m), between("width", place.width_m), between("height", place.height_m),
    )  # fmt: skip


def _along(read: Reader, element: etree._Element, repeat: etree._Element, road: Road, place: _Place) -> RoadObject:
    """An object that runs on along the road: its outline follows the road, there on the left and back on the right."""
    length = read.length(repeat)
    start = _repeated(read, repeat, place, 0.0, 0.0)
    count = max(2, min(int(length / _STRIP_STEP_M) + 2, _MAX_COPIES))
    ends = _repeated(read, repeat, place, length, 1.0)
    share = np.linspace(0.0, 1.0, count)
    s, t, up, half = (
        a + share * (b - a)
        for a, b in (
            (start.s_m, ends.s_m), (start.t_m, ends.t_m), (start.z_m, ends.z_m),
            (0.5 * start.width_m, 0.5 * ends.width_m),
        )
    )  # fmt: skip
    sides = []
    for side, order in ((half, slice(None)), (-half, slice(None, None, -1))):
        edge = road.pose(s, t + side).xyz_world_m
        edge[:, 2] += up
        sides.append(edge[order])
    middle = _repeated(read, repeat, place, 0.5 * length, 0.5)
    yaw = float(road.plan.at(np.array([middle.s_m]))[1][0])
    place = _Place(middle.s_m, middle.t_m, middle.z_m, length, middle.width_m, max(start.height_m, ends.height_m))
    return _object(read, element, road, place, yaw, np.concatenate(sides), place.height_m)


def _span(read: Reader, element: etree._Element, road: Road) -> RoadObject:
    """A bridge or a tunnel: where it lies along the road; it has no outline of its own."""
    s, length = read.number(element, "s"), read.length(element)
    yaw = float(road.plan.at(np.array([s]))[1][0])
    return RoadObject(
        id=read.text(element, "id", ""), road=road.id, kind=element.tag, s_m=s, t_m=0.0, z_m=0.0,
        yaw_world_rad=math.remainder(yaw, 2.0 * math.pi), length_m=length, width_m=0.0, height_m=0.0,
        outline_xyz_world_m=np.zeros((0, 3)), lanes=_lanes(read, element, road), name=element.get("name", "").strip(),
    )  # fmt: skip


def _lanes(read: Reader, element: etree._Element, road: Road) -> tuple[int, ...]:
    """Lanes that the object is said to be valid for, of all sections."""
    spans = [sorted((read.integer(e, "fromLane"), read.integer(e, "toLane"))) for e in element.findall("validity")]
    if not spans:
        return ()
    ids = {id for part in road.sections for id in part.lanes if id}
    return tuple(sorted(id for id in ids if any(low <= id <= high for low, high in spans)))
