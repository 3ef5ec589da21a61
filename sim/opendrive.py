"""Read OpenDRIVE 1.4 to 1.8 road networks. Untrusted: no entities, no DTD, no network; wrong values are errors.

An error is a ValueError (an OSError for the file itself) of one line that names file, line, element, value and remedy.
"""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from sim.geometry import Arc, Cubics, Line, ParamPoly3, Piece, PlanView, Primitive, Spiral, poly3
from sim.roads import (
    DASH_M,
    GAP_M,
    MARK_WIDTH_M,
    Connection,
    Lane,
    LaneSection,
    MarkLine,
    Road,
    RoadLink,
    RoadMark,
    RoadNetwork,
)

_MPS_FROM = {"": 1.0, "m/s": 1.0, "km/h": 1.0 / 3.6, "mph": 0.44704}
# Where a road type comes without a limit: what is usual there.
_TYPE_MPS = {"motorway": 110 / 3.6, "rural": 80 / 3.6, "town": 50 / 3.6, "lowSpeed": 30 / 3.6, "pedestrian": 10 / 3.6}
_COLORS = {"standard": "white"}
_LINE_KINDS = {"solid": 0.0, "broken": GAP_M, "botts": GAP_M}
_MAX_ROAD_M = 1e6


class _Reader:
    """Typed attribute access that knows the file for its errors."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def error(self, element: etree._Element, problem: str, remedy: str = "correct the file") -> ValueError:
        return ValueError(f"{self.path}, line {element.sourceline}: <{element.tag}> {problem}; {remedy}")

    def text(self, element: etree._Element, key: str, default: str | None = None) -> str:
        value = element.get(key, default)
        if value is None:
            raise self.error(element, f"lacks the attribute {key}")
        return value.strip()

    def number(self, element: etree._Element, key: str, default: float | None = None) -> float:
        text = element.get(key)
        if text is None:
            if default is None:
                raise self.error(element, f"lacks the attribute {key}")
            return default
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.error(element, f"has {key}={text!r}, which is not a finite number")
        return value

    def four(self, element: etree._Element, keys: list[str]) -> tuple[float, float, float, float]:
        a, b, c, d = (self.number(element, key) for key in keys)
        return a, b, c, d

    def integer(self, element: etree._Element, key: str) -> int:
        text = self.text(element, key)
        try:
            return int(text)
        except ValueError:
            raise self.error(element, f"has {key}={text!r}, which is not an integer") from None

    def length(self, element: etree._Element, key: str = "length") -> float:
        value = self.number(element, key)
        if not 0.0 <= value <= _MAX_ROAD_M:
            raise self.error(element, f"has {key}={value:g}, which is not between 0 and {_MAX_ROAD_M:g} m")
        return value

    def choice(self, element: etree._Element, key: str, allowed: tuple[str, ...]) -> str:
        value = self.text(element, key)
        if value not in allowed:
            raise self.error(element, f"has {key}={value!r}", f"use one of {', '.join(filter(None, allowed))}")
        return value

    def cubics(self, elements: list[etree._Element], start: str = "s", keys: str = "abcd") -> Cubics:
        rows = [[self.number(e, start, 0.0)] + [self.number(e, k, 0.0) for k in keys] for e in elements]
        rows.sort(key=lambda row: row[0])  # stable: of equal starts the last one counts, as in the file
        table = np.array(rows, dtype=np.float64).reshape(-1, 5)
        return Cubics(table[:, 0].copy(), table[:, 1:].copy())


def read_opendrive(path: Path) -> RoadNetwork:
    """The road network of an OpenDRIVE file.

    Raises FileNotFoundError or another OSError where the file cannot be read, ValueError where it is no valid map.
    """
    path = Path(path)
    return _network(_Reader(path), _parse(path))


def _parse(path: Path) -> etree._Element:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name an OpenDRIVE file (.xodr)")
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist; name an OpenDRIVE file (.xodr)")
    data = path.read_bytes()
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise ValueError(f"{path} is not well-formed XML: {error.msg}; is the file complete?") from None
    info = root.getroottree().docinfo
    if info.internalDTD is not None or info.doctype:
        raise ValueError(f"{path} declares a DTD ({info.doctype}), which maps do not need; remove it and its entities")
    for element in root.iter(etree.Element):  # ASAM's later files may carry a namespace
        element.tag = etree.QName(element).localname
    if root.tag != "OpenDRIVE":
        raise ValueError(f"{path} is not an OpenDRIVE map: its root element is <{root.tag}>, not <OpenDRIVE>")
    return root


def _network(read: _Reader, root: etree._Element) -> RoadNetwork:
    header = root.find("header")
    if header is not None and read.text(header, "revMajor", "1") != "1":
        raise read.error(header, f"has revMajor={header.get('revMajor')!r}", "only OpenDRIVE 1.x is supported")
    roads: dict[str, Road] = {}
    for element in root.findall("road"):
        road = _road(read, element)
        if road.id in roads:
            raise read.error(element, f"repeats the road id {road.id!r}")
        roads[road.id] = road
    if not roads:
        raise ValueError(f"{read.path} has no <road>; an OpenDRIVE map needs at least one")
    junctions = {read.text(e, "id"): _connections(read, e) for e in root.findall("junction")}
    network = RoadNetwork(read.path.stem, roads, junctions)
    _check_links(read, network, root)
    return network


def _check_links(read: _Reader, network: RoadNetwork, root: etree._Element) -> None:
    """Refuse links to roads or junctions that do not exist."""
    for element in root.findall("road"):
        road = network.roads[read.text(element, "id")]
        if road.junction is not None and road.junction not in network.junctions:
            raise read.error(element, f"belongs to junction {road.junction!r}, which does not exist")
        for link in (road.predecessor, road.successor):
            if link is not None and link.id not in (network.roads if link.element == "road" else network.junctions):
                raise read.error(element, f"{road.id!r} is linked to {link.element} {link.id!r}, which does not exist")
    for element in root.iterfind("junction/connection"):
        for key in ("incomingRoad", "connectingRoad", "linkedRoad"):
            if element.get(key) not in (None, *network.roads):
                raise read.error(element, f"names {key}={element.get(key)!r}, which does not exist")


def _road(read: _Reader, element: etree._Element) -> Road:
    id, length = read.text(element, "id"), read.length(element)
    junction = read.text(element, "junction", "-1")
    plan = _plan_view(read, element)
    lanes = element.find("lanes")
    if lanes is None or lanes.find("laneSection") is None:
        raise read.error(element, f"{id!r} has no <laneSection>")
    link = element.find("link")
    return Road(
        id=id,
        length_m=length,
        plan=plan,
        sections=_sections(read, lanes, length),
        junction=None if junction == "-1" or junction == "" else junction,
        elevation=read.cubics(element.findall("elevationProfile/elevation")),
        lane_offset=read.cubics(lanes.findall("laneOffset")),
        predecessor=_road_link(read, link, "predecessor"),
        successor=_road_link(read, link, "successor"),
        right_hand=read.choice(element, "rule", ("RHT", "LHT")) == "RHT" if element.get("rule") else True,
        speeds=tuple(_road_speed(read, e) for e in element.findall("type")),
        superelevation=read.cubics(element.findall("lateralProfile/superelevation")),
        name=element.get("name", ""),
    )


def _road_link(read: _Reader, link: etree._Element | None, key: str) -> RoadLink | None:
    element = link.find(key) if link is not None else None
    if element is None or not element.get("elementId"):
        return None
    kind = read.choice(element, "elementType", ("road", "junction"))
    contact = read.choice(element, "contactPoint", ("start", "end")) if kind == "road" else ""
    return RoadLink(kind, read.text(element, "elementId"), contact)


def _road_speed(read: _Reader, element: etree._Element) -> tuple[float, float | None]:
    speed = element.find("speed")
    limit = _speed_mps(read, speed) if speed is not None else None
    return read.number(element, "s", 0.0), limit if limit is not None else _TYPE_MPS.get(element.get("type", ""))


def _speed_mps(read: _Reader, element: etree._Element) -> float | None:
    """The limit in m/s; None where it says that there is none or that it is unknown."""
    if read.text(element, "max") in ("no limit", "undefined"):
        return None
    unit = read.choice(element, "unit", tuple(_MPS_FROM)) if element.get("unit") is not None else ""
    value = read.number(element, "max") * _MPS_FROM[unit]
    if value < 0.0:
        raise read.error(element, f"has max={element.get('max')!r}, which is negative")
    return value or None


# --- Plan view ---


def _plan_view(read: _Reader, road: etree._Element) -> PlanView:
    pieces = [_piece(read, e) for e in road.findall("planView/geometry")]
    pieces = [piece for piece in pieces if piece.length_m > 1e-9] or pieces[:1]
    if not pieces:
        raise read.error(road, f"{road.get('id')!r} has no <geometry> in its <planView>")
    return PlanView(tuple(sorted(pieces, key=lambda piece: piece.s_m)))


def _piece(read: _Reader, element: etree._Element) -> Piece:
    length = read.length(element)
    shapes = [child for child in element if child.tag in _SHAPES]
    if len(shapes) != 1:
        found = ", ".join(str(child.tag) for child in element) or "nothing"
        raise read.error(element, f"holds {found}", f"it needs exactly one of {', '.join(_SHAPES)}")
    s, x, y, heading = (read.number(element, key) for key in ("s", "x", "y", "hdg"))
    return Piece(s, x, y, heading, length, _SHAPES[shapes[0].tag](read, shapes[0], length))


def _spiral(read: _Reader, element: etree._Element, length_m: float) -> Primitive:
    start, end = read.number(element, "curvStart"), read.number(element, "curvEnd")
    if abs(start) + abs(end) > 100.0 or (abs(start) + abs(end)) * length_m > 1e4:
        raise read.error(element, f"winds too tightly (curvatures {start:g} and {end:g} 1/m over {length_m:g} m)")
    return Spiral(start, end, max(length_m, 1e-9))


def _param_poly3(read: _Reader, element: etree._Element, length_m: float) -> Primitive:
    u, v = (read.four(element, [f"{c}{axis}" for c in "abcd"]) for axis in "UV")
    # Required since 1.7; before that, a file that says nothing means p in [0, 1].
    unit = read.choice(element, "pRange", ("arcLength", "normalized")) if element.get("pRange") else "normalized"
    shape = ParamPoly3(u, v, length_m if unit == "arcLength" else 1.0, length_m)
    if length_m > 1e-9 and shape.full_length_m() < 0.5 * length_m:
        raise read.error(element, f"is {shape.full_length_m():g} m long, not {length_m:g} m", "check pRange and length")
    return shape


def _poly3(read: _Reader, element: etree._Element, length_m: float) -> Primitive:
    a, b, c, d = read.four(element, list("abcd"))
    return poly3(a, b, c, d, length_m)


_SHAPES: dict[str, Callable[[_Reader, etree._Element, float], Primitive]] = {
    "line": lambda read, element, length_m: Line(),
    "arc": lambda read, element, length_m: Arc(read.number(element, "curvature")),
    "spiral": _spiral,
    "poly3": _poly3,
    "paramPoly3": _param_poly3,
}


# --- Lanes ---


def _sections(read: _Reader, lanes: etree._Element, length_m: float) -> tuple[LaneSection, ...]:
    elements = sorted(lanes.findall("laneSection"), key=lambda e: read.number(e, "s"))
    starts = [read.number(e, "s") for e in elements]
    sides = [_sides(e) for e in elements]
    sections = []
    for i, element in enumerate(elements):
        if not -1e-6 <= starts[i] <= length_m + 1e-3:
            raise read.error(element, f"starts at s={starts[i]:g}, outside its road of {length_m:g} m")
        # A section ends where the next one that speaks about the same side starts.
        ends = {
            side: min(length_m, next((starts[j] for j in range(i + 1, len(starts)) if side in sides[j]), length_m))
            for side in ("left", "right")
        }
        sections.append(LaneSection(starts[i], ends["left"], ends["right"], _lanes(read, element)))
    return tuple(sections)


def _sides(section: etree._Element) -> tuple[str, ...]:
    if section.get("singleSide") == "true":
        return tuple(side for side in ("left", "right") if section.find(side) is not None)
    return ("left", "right")


def _lanes(read: _Reader, section: etree._Element) -> dict[int, Lane]:
    lanes: dict[int, Lane] = {}
    for element in section.iterfind("*/lane"):
        lane = _lane(read, element)
        if lane.id in lanes:
            raise read.error(element, f"repeats the lane id {lane.id}")
        lanes[lane.id] = lane
    for sign in (1, -1):
        count = sum(id * sign > 0 for id in lanes)
        missing = next((sign * n for n in range(1, count + 1) if sign * n not in lanes), None)
        if missing is not None:
            raise read.error(section, f"lacks lane {missing}", "lane ids of a side must count up from the middle")
    return dict(sorted(lanes.items(), reverse=True))


def _lane(read: _Reader, element: etree._Element) -> Lane:
    id = read.integer(element, "id")
    borders, widths = element.findall("border"), element.findall("width")
    link = element.find("link")
    ids = {
        key: tuple(read.integer(e, "id") for e in (link.findall(key) if link is not None else ()))
        for key in ("predecessor", "successor")
    }
    speeds = ((read.number(e, "sOffset", 0.0), _speed_mps(read, e)) for e in element.findall("speed"))
    return Lane(
        id=id,
        kind=read.text(element, "type", "none"),
        width=read.cubics(widths, "sOffset"),
        border=read.cubics(borders, "sOffset") if borders and not widths else None,
        predecessors=ids["predecessor"],
        successors=ids["successor"],
        marks=_marks(read, element, id),
        speeds=tuple((s, limit) for s, limit in speeds if limit is not None),
    )


def _marks(read: _Reader, lane: etree._Element, id: int) -> tuple[RoadMark, ...]:
    marks: dict[float, RoadMark] = {}
    for element in lane.findall("roadMark"):
        s = read.number(element, "sOffset", 0.0)
        if s not in marks:
            color = read.text(element, "color", "standard")
            lines = _mark_lines(read, element, id)
            kind = element.get("type", "none").strip()
            marks[s] = RoadMark(s, kind, _COLORS.get(color, color), lines)
    return tuple(sorted(marks.values(), key=lambda mark: mark.s_offset_m))


def _mark_lines(read: _Reader, mark: etree._Element, lane: int) -> tuple[MarkLine, ...]:
    kinds = [kind for kind in mark.get("type", "none").split() if kind in _LINE_KINDS]
    bold = 2.0 if mark.get("weight") == "bold" else 1.0
    default = read.number(mark, "width", MARK_WIDTH_M * bold) or MARK_WIDTH_M * bold
    lines = [_pattern_line(read, e, default) for e in mark.findall("type/line")]
    if lines and kinds:
        return tuple(lines)
    # Read from the inside of the lane to its outside; on lane 0 from left to right.
    outward = 1.0 if lane > 0 else -1.0
    offsets = [0.0] if len(kinds) == 1 else [-outward * default, outward * default]
    return tuple(MarkLine(t, default, DASH_M, _LINE_KINDS[kind]) for t, kind in zip(offsets, kinds))


def _pattern_line(read: _Reader, element: etree._Element, default_m: float) -> MarkLine:
    width = read.number(element, "width", default_m) or default_m
    gap = max(0.0, read.number(element, "space", 0.0))
    dash = read.number(element, "length", DASH_M)
    return MarkLine(read.number(element, "tOffset", 0.0), width, dash if dash > 0.0 else DASH_M, gap)


# --- Junctions ---


def _connections(read: _Reader, junction: etree._Element) -> tuple[Connection, ...]:
    found = []
    for element in junction.findall("connection"):
        target = element.get("connectingRoad", element.get("linkedRoad"))  # linkedRoad: direct junctions
        if element.get("incomingRoad") is None or target is None:
            continue  # virtual connections join no lanes
        links = tuple((read.integer(e, "from"), read.integer(e, "to")) for e in element.findall("laneLink"))
        contact = read.choice(element, "contactPoint", ("start", "end"))
        found.append(Connection(read.text(element, "incomingRoad"), target, contact, links))
    return tuple(found)
