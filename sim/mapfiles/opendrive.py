"""Read OpenDRIVE 1.4 to 1.8 road networks: roads, links and junctions; lanes, signals and objects in files beside this.

Untrusted: no entities, no DTD, no network; wrong values are errors of one line that names file, line, element, value
and remedy. What can be mended or left out without harm is, and `RoadNetwork.source` tells of it.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from sim.mapfiles.opendrive_lanes import read_sections, speed_mps
from sim.mapfiles.opendrive_objects import read_objects
from sim.mapfiles.opendrive_paint import read_paint
from sim.mapfiles.opendrive_signals import read_controllers, read_signals
from sim.mapfiles.opendrive_xml import Reader, ignored_features, parse
from sim.roads.geometry import Arc, Line, ParamPoly3, Piece, PlanView, Primitive, Spiral, poly3
from sim.roads.network import Connection, Junction, MapSource, Road, RoadLink, RoadNetwork
from sim.roads.surface import Crossfall, LateralShape, Relief

# Where a road type comes without a limit: what is usual there.
_TYPE_MPS = {"motorway": 110 / 3.6, "rural": 80 / 3.6, "town": 50 / 3.6, "lowSpeed": 30 / 3.6, "pedestrian": 10 / 3.6}
_MAX_NETWORK_M = 2e7
_MAX_LANE_M = 2e6
_MAX_JUNCTION_M = 1e4
_MAX_EDGE_M = 500.0  # from the reference line
_MAX_COORDINATE_M = 1e8
_MAX_BANK_RAD = 1.0
_MAX_CURVATURE_1PM = 100.0


def read_opendrive(path: Path) -> RoadNetwork:
    """The road network of an OpenDRIVE file.

    Raises FileNotFoundError or another OSError where the file cannot be read, ValueError where it is no valid map.
    """
    path = Path(path)
    return _network(Reader(path), parse(path))


def _network(read: Reader, root: etree._Element) -> RoadNetwork:
    header = root.find("header")
    major, minor = (
        ("1", "") if header is None else (read.text(header, f"rev{k}", d) for k, d in (("Major", "1"), ("Minor", "")))
    )
    if header is not None and major != "1":
        raise read.error(header, f"has revMajor={major[:20]!r}", "only OpenDRIVE 1.x is supported")
    roads = _roads(read, root)
    junctions, info = _junctions(read, root)
    _check_links(read, root, roads, junctions)
    roads = _with_contacts(read, root, roads)
    signals = read_signals(read, root, roads)
    return RoadNetwork(
        name=read.path.stem,
        roads=roads,
        junctions=junctions,
        signals=signals,
        controllers=read_controllers(read, root, signals),
        objects=read_objects(read, root, roads),
        paint=read_paint(read, root, roads),
        junction_info=info,
        source=MapSource(f"{major}.{minor}".rstrip("."), tuple(read.warnings), ignored_features(root)),
    )


# --- Roads ---


def _roads(read: Reader, root: etree._Element) -> dict[str, Road]:
    roads: dict[str, Road] = {}
    for element in root.findall("road"):
        road = _road(read, element)
        if road.id in roads:
            raise read.error(element, f"repeats the road id {road.id!r}")
        _check_extent(read, element, road)
        roads[road.id] = road
    if not roads:
        raise ValueError(f"{read.path} has no <road>; an OpenDRIVE map needs at least one")
    total = sum(road.length_m for road in roads.values())
    if total > _MAX_NETWORK_M:
        raise ValueError(f"{read.path} has {total:.3g} m of roads, more than {_MAX_NETWORK_M:g}; check their lengths")
    return roads


def _road(read: Reader, element: etree._Element) -> Road:
    id, length = read.text(element, "id"), read.length(element)
    junction = read.text(element, "junction", "-1")
    lanes = element.find("lanes")
    if lanes is None or lanes.find("laneSection") is None:
        raise read.error(element, f"{id!r} has no <laneSection>")
    link = element.find("link")
    return Road(
        id=id,
        length_m=length,
        plan=_plan_view(read, element, length),
        sections=read_sections(read, lanes, length),
        junction=None if junction in ("-1", "") else junction,
        elevation=read.cubics(element.findall("elevationProfile/elevation")),
        lane_offset=read.cubics(lanes.findall("laneOffset")),
        predecessor=_road_link(read, link, "predecessor"),
        successor=_road_link(read, link, "successor"),
        right_hand=read.choice(element, "rule", ("RHT", "LHT")) == "RHT" if element.get("rule") else True,
        speeds=tuple(sorted((_road_speed(read, e) for e in element.findall("type")), key=lambda row: row[0])),
        superelevation=read.cubics(element.findall("lateralProfile/superelevation")),
        reliefs=_reliefs(read, element),
        name=element.get("name", "").strip(),
    )


def _road_link(read: Reader, link: etree._Element | None, key: str) -> RoadLink | None:
    element = link.find(key) if link is not None else None
    if element is None or not element.get("elementId", "").strip():
        return None
    id = read.text(element, "elementId")
    kind = read.choice(element, "elementType", ("road", "junction")) if element.get("elementType") else "road"
    if kind == "junction":
        return RoadLink(kind, id, "")
    if element.get("elementS") is not None:
        return RoadLink(kind, id, "", read.number(element, "elementS"))
    contact = read.choice(element, "contactPoint", ("start", "end")) if element.get("contactPoint") else ""
    return RoadLink(kind, id, contact)


def _road_speed(read: Reader, element: etree._Element) -> tuple[float, float | None]:
    speed = element.find("speed")
    limit = speed_mps(read, speed) if speed is not None else None
    return read.number(element, "s", 0.0), limit if limit is not None else _TYPE_MPS.get(element.get("type", ""))


def _reliefs(read: Reader, road: etree._Element) -> tuple[Relief, ...]:
    """Lateral shapes and the crossfall of OpenDRIVE 1.4, where a road has them."""
    found: list[Relief] = []
    stations: dict[float, list[etree._Element]] = {}
    for element in road.findall("lateralProfile/shape"):
        stations.setdefault(read.number(element, "s"), []).append(element)
    if stations:
        s = sorted(stations)
        found.append(LateralShape(np.array(s), tuple(read.cubics(stations[at], "t") for at in s)))
    falls = road.findall("lateralProfile/crossfall")
    if falls:
        left, right = ([e for e in falls if e.get("side", "both") in (side, "both")] for side in ("left", "right"))
        found.append(Crossfall(read.cubics(left), read.cubics(right)))
    surface = road.find("lateralProfile/crossSectionSurface")
    if surface is not None:
        read.warn(surface, "is not read: the road stays level across")
    return tuple(found)


def _check_extent(read: Reader, element: etree._Element, road: Road) -> None:
    """Refuse roads whose numbers are each possible but whose shape is not."""
    s = np.linspace(0.0, road.length_m, 9)
    with np.errstate(all="ignore"):
        stations, edges = road.stations(s), road.edges(s)
        z = np.abs([stations.z(t) for t in edges])
        widest = np.abs(edges).max(axis=0)
        stretch = 1.0 + np.abs(stations.curvature_1pm) * widest
        bank = np.abs(road.superelevation.at(s)[0])
    for what, value, limit in (
        ("superelevation", bank, _MAX_BANK_RAD),
        ("distance of a lane's edge from the reference line", widest, _MAX_EDGE_M),
        ("coordinate", np.abs(stations.xy_world_m), _MAX_COORDINATE_M),
        ("height", z, _MAX_COORDINATE_M),
        ("length within a junction", np.array([road.length_m if road.junction else 0.0]), _MAX_JUNCTION_M),
        ("length of a lane", stretch * road.length_m, _MAX_LANE_M),
    ):
        if not value.max() <= limit:
            raise read.error(
                element, f"{road.id!r} has a {what} of {value.max():.3g}", f"at most {limit:g} is possible"
            )


# --- Plan view ---


def _plan_view(read: Reader, road: etree._Element, length_m: float) -> PlanView:
    pieces = [_piece(read, e) for e in road.findall("planView/geometry")]
    if not pieces:
        raise read.error(road, f"{road.get('id')!r} has no <geometry> in its <planView>")
    order = sorted(pieces, key=lambda piece: piece.s_m)
    if order != pieces:
        read.warn(road, f"{road.get('id')!r} lists its geometry out of order; it is sorted by s")
    end = order[-1].s_m + order[-1].length_m
    if abs(end - length_m) > max(0.1, 1e-3 * length_m):
        read.warn(road, f"{road.get('id')!r} is {length_m:g} m long but its geometry ends at s={end:g}")
    return PlanView(tuple([piece for piece in order if piece.length_m > 1e-9] or order[:1]))


def _piece(read: Reader, element: etree._Element) -> Piece:
    length = read.length(element)
    shapes = [child for child in element if child.tag in _SHAPES]
    if len(shapes) != 1:
        found = ", ".join(str(child.tag)[:40] for child in element[:5]) or "nothing"
        raise read.error(element, f"holds {found}", f"it needs exactly one of {', '.join(_SHAPES)}")
    s, x, y, heading = (read.number(element, key) for key in ("s", "x", "y", "hdg"))
    return Piece(s, x, y, heading, length, _SHAPES[shapes[0].tag](read, shapes[0], length))


def _arc(read: Reader, element: etree._Element, length_m: float) -> Primitive:
    curvature = read.number(element, "curvature")
    if abs(curvature) > _MAX_CURVATURE_1PM:
        raise read.error(element, f"winds too tightly (curvature {curvature:g} 1/m)")
    return Arc(curvature)


def _spiral(read: Reader, element: etree._Element, length_m: float) -> Primitive:
    start, end = read.number(element, "curvStart"), read.number(element, "curvEnd")
    if abs(start) + abs(end) > _MAX_CURVATURE_1PM or (abs(start) + abs(end)) * length_m > 1e4:
        raise read.error(element, f"winds too tightly (curvatures {start:g} and {end:g} 1/m over {length_m:g} m)")
    return Spiral(start, end, max(length_m, 1e-9))


def _param_poly3(read: Reader, element: etree._Element, length_m: float) -> Primitive:
    u, v = (read.four(element, [f"{c}{axis}" for c in "abcd"]) for axis in "UV")
    # Required since 1.7; before that, a file that says nothing means p in [0, 1].
    unit = read.choice(element, "pRange", ("arcLength", "normalized")) if element.get("pRange") else "normalized"
    shape = ParamPoly3(u, v, length_m if unit == "arcLength" else 1.0, length_m)
    if length_m > 1e-9 and not shape.full_length_m() >= 0.5 * length_m:
        raise read.error(element, f"is {shape.full_length_m():g} m long, not {length_m:g} m", "check pRange and length")
    return shape


def _poly3(read: Reader, element: etree._Element, length_m: float) -> Primitive:
    a, b, c, d = read.four(element, list("abcd"))
    return poly3(a, b, c, d, length_m)


_SHAPES: dict[str, Callable[[Reader, etree._Element, float], Primitive]] = {
    "line": lambda read, element, length_m: Line(),
    "arc": _arc,
    "spiral": _spiral,
    "poly3": _poly3,
    "paramPoly3": _param_poly3,
}


# --- Junctions and links ---


def _junctions(read: Reader, root: etree._Element) -> tuple[dict[str, tuple[Connection, ...]], dict[str, Junction]]:
    connections: dict[str, tuple[Connection, ...]] = {}
    info: dict[str, Junction] = {}
    for element in root.findall("junction"):
        junction = _junction(read, element)
        if junction.id in info:
            raise read.error(element, f"repeats the junction id {junction.id!r}")
        info[junction.id] = junction
        connections[junction.id] = tuple(_connections(read, element, junction))
    return connections, info


def _junction(read: Reader, element: etree._Element) -> Junction:
    span = None
    if element.get("sStart") is not None:
        span = read.number(element, "sStart"), read.number(element, "sEnd", read.number(element, "sStart"))
    priorities = tuple((e.get("high", "").strip(), e.get("low", "").strip()) for e in element.findall("priority"))
    return Junction(
        id=read.text(element, "id"),
        kind=element.get("type", "default").strip() or "default",
        name=element.get("name", "").strip(),
        priorities=priorities,
        main_road=element.get("mainRoad"),
        span_m=span,
    )


def _connections(read: Reader, element: etree._Element, junction: Junction) -> list[Connection]:
    found = []
    for connection in element.findall("connection"):
        target = connection.get("connectingRoad", connection.get("linkedRoad"))  # linkedRoad: direct junctions
        if connection.get("incomingRoad") is None or target is None:
            read.warn(connection, f"of junction {junction.id!r} joins no two roads and is left out")
            continue
        links = tuple((read.integer(e, "from"), read.integer(e, "to")) for e in connection.findall("laneLink"))
        if connection.get("contactPoint") is None:
            read.warn(connection, f"of junction {junction.id!r} lacks contactPoint; start is assumed")
        contact = (
            read.choice(connection, "contactPoint", ("start", "end")) if connection.get("contactPoint") else "start"
        )
        found.append(Connection(read.text(connection, "incomingRoad"), target.strip(), contact, links))
    return found


def _check_links(
    read: Reader, root: etree._Element, roads: dict[str, Road], junctions: dict[str, tuple[Connection, ...]]
) -> None:
    """Refuse links to roads or junctions that do not exist."""
    for element in root.findall("road"):
        road = roads[read.text(element, "id")]
        if road.junction is not None and road.junction not in junctions:
            raise read.error(element, f"belongs to junction {road.junction!r}, which does not exist")
        for link in (road.predecessor, road.successor):
            if link is not None and link.id not in (roads if link.element == "road" else junctions):
                raise read.error(element, f"{road.id!r} is linked to {link.element} {link.id!r}, which does not exist")
    for element in root.iterfind("junction/connection"):
        for key in ("incomingRoad", "connectingRoad", "linkedRoad"):
            if element.get(key) is not None and element.get(key).strip() not in roads:
                raise read.error(element, f"names {key}={element.get(key)!r}, which does not exist")


def _with_contacts(read: Reader, root: etree._Element, roads: dict[str, Road]) -> dict[str, Road]:
    """The roads with links that say which end they meet; where the file does not, it is the nearer one."""
    elements = {read.text(e, "id"): e for e in root.findall("road")}
    whole = dict(roads)
    for road in roads.values():
        for key, s in (("predecessor", 0.0), ("successor", road.length_m)):
            link: RoadLink | None = getattr(road, key)
            if link is not None and link.element == "road" and not link.contact and link.s_m is None:
                read.warn(elements[road.id], f"{road.id!r} does not say which end of road {link.id!r} it meets")
                near = _nearer_end(road.plan.at(np.array([s]))[0][0], roads[link.id])
                whole[road.id] = replace(whole[road.id], **{key: replace(link, contact=near)})
    return whole


def _nearer_end(xy: np.ndarray, other: Road) -> str:
    ends = other.plan.at(np.array([0.0, other.length_m]))[0]
    return ("start", "end")[int(np.argmin(np.hypot(*(ends - xy).T)))]
