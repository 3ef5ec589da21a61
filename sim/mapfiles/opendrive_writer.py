"""Write road networks as OpenDRIVE 1.8 that `read_opendrive` reads back as the same network, number by number.

Numbers are written with as many digits as tell them apart. Speeds are in m/s, reference lines of polynomials are
paramPoly3, painted lines are explicit patterns. Signals, objects and free paint are in `opendrive_furniture`.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from sim.mapfiles.opendrive_furniture import add, number, write_controllers, write_objects, write_signals
from sim.roads.geometry import Arc, Cubics, Line, ParamPoly3, Piece, Spiral
from sim.roads.network import Connection, Junction, Lane, LaneSection, Road, RoadLink, RoadMark, RoadNetwork
from sim.roads.surface import Crossfall, LateralShape

_LEVEL = Cubics(np.zeros(0), np.zeros((0, 4)))


def write_opendrive(network: RoadNetwork, path: Path) -> None:
    """Write the network to a file, which appears whole or not at all; OSError where it cannot be written.

    Read back it is equal in everything but its name, which is the file's, and its source. Outlines and paint are kept
    to a nanometre.
    """
    path = Path(path)
    data = etree.tostring(_root(network), xml_declaration=True, encoding="UTF-8", pretty_print=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _root(network: RoadNetwork) -> etree._Element:
    root = etree.Element("OpenDRIVE")
    add(root, "header", revMajor=1, revMinor=8, name=network.name, version="1.0", vendor="Roadloop")
    for road in network.roads.values():
        element = _write_road(root, road)
        write_objects(element, network, road)
        write_signals(element, network, road)
    write_controllers(root, network)
    for id, connections in network.junctions.items():
        _write_junction(root, network, network.junction_info.get(id, Junction(id)), connections)
    return root


# --- Roads ---


def _write_road(root: etree._Element, road: Road) -> etree._Element:
    rule = "RHT" if road.right_hand else "LHT"
    element = add(
        root, "road", name=road.name, length=road.length_m, id=road.id, junction=road.junction or "-1", rule=rule
    )
    links = {key: link for key, link in (("predecessor", road.predecessor), ("successor", road.successor)) if link}
    if links:
        parent = add(element, "link")
        for key, link in links.items():
            _write_link(parent, key, link)
    for s, limit in road.speeds:
        kind = add(element, "type", s=s, type=_road_type(limit))
        if limit is not None:
            add(kind, "speed", max=limit, unit="m/s")
    plan = add(element, "planView")
    for piece in road.plan.pieces:
        _write_piece(plan, piece)
    if not _same(road.elevation, _LEVEL):
        _write_cubics(add(element, "elevationProfile"), "elevation", road.elevation)
    _write_lateral_profile(element, road)
    lanes = add(element, "lanes")
    if not _same(road.lane_offset, _LEVEL):
        _write_cubics(lanes, "laneOffset", road.lane_offset)
    for section in road.sections:
        _write_section(lanes, section)
    return element


def _write_link(parent: etree._Element, key: str, link: RoadLink) -> None:
    more: dict[str, str | float] = {}
    if link.contact:
        more["contactPoint"] = link.contact
    if link.s_m is not None:
        more |= {"elementS": link.s_m, "elementDir": "+"}
    add(parent, key, elementType=link.element, elementId=link.id, **more)


def _road_type(limit_mps: float | None) -> str:
    """The usual type of a road with such a limit; unknown where there is none, so that none is read back."""
    if limit_mps is None:
        return "unknown"
    return "town" if limit_mps < 51.0 / 3.6 else "rural" if limit_mps < 101.0 / 3.6 else "motorway"


def _write_piece(plan: etree._Element, piece: Piece) -> None:
    geometry = add(
        plan, "geometry", s=piece.s_m, x=piece.x_world_m, y=piece.y_world_m, hdg=piece.heading_world_rad,
        length=piece.length_m,
    )  # fmt: skip
    shape = piece.shape
    if isinstance(shape, Line):
        add(geometry, "line")
    elif isinstance(shape, Arc):
        add(geometry, "arc", curvature=shape.curvature_1pm)
    elif isinstance(shape, Spiral):
        add(geometry, "spiral", curvStart=shape.curvature_start_1pm, curvEnd=shape.curvature_end_1pm)
    elif isinstance(shape, ParamPoly3) and shape.p_end in (1.0, piece.length_m):
        unit = "arcLength" if shape.p_end == piece.length_m else "normalized"
        values = {f"{c}{axis}": v for axis, row in (("U", shape.u), ("V", shape.v)) for c, v in zip("abcd", row)}
        add(geometry, "paramPoly3", **values, pRange=unit)
    else:
        raise ValueError(f"a piece of a reference line is {shape!r}, which OpenDRIVE cannot say; use its primitives")


def _write_lateral_profile(element: etree._Element, road: Road) -> None:
    if _same(road.superelevation, _LEVEL) and not road.reliefs:
        return
    profile = add(element, "lateralProfile")
    if not _same(road.superelevation, _LEVEL):
        _write_cubics(profile, "superelevation", road.superelevation)
    for relief in road.reliefs:
        if isinstance(relief, LateralShape):
            for s, cubics in zip(relief.s_m, relief.profiles):
                _write_cubics(profile, "shape", cubics, start="t", s=float(s))
        elif isinstance(relief, Crossfall):
            _write_cubics(profile, "crossfall", relief.left, side="left")
            _write_cubics(profile, "crossfall", relief.right, side="right")
        else:
            raise ValueError(f"road {road.id!r} has a relief {relief!r}, which OpenDRIVE cannot say; use a shape")


def _write_cubics(
    parent: etree._Element, tag: str, cubics: Cubics, start: str = "s", **more: str | float | int
) -> None:
    for s, row in zip(cubics.start_m, cubics.abcd):
        add(parent, tag, **more, **{start: float(s)}, **dict(zip("abcd", map(float, row))))


def _same(a: Cubics, b: Cubics) -> bool:
    return np.array_equal(a.start_m, b.start_m) and np.array_equal(a.abcd, b.abcd)


# --- Lanes ---


def _write_section(lanes: etree._Element, section: LaneSection) -> None:
    single = {} if section.sides == ("left", "right") else {"singleSide": "true"}
    element = add(lanes, "laneSection", s=section.s_m, **single)
    for side, members in (
        ("left", [lane for id, lane in section.lanes.items() if id > 0]),
        ("center", [lane for id, lane in section.lanes.items() if id == 0] or [Lane(0, "none", _LEVEL)]),
        ("right", [lane for id, lane in section.lanes.items() if id < 0]),
    ):
        if members or (single and side in section.sides):
            parent = add(element, side)
            for lane in members:
                _write_lane(parent, lane)


def _write_lane(parent: etree._Element, lane: Lane) -> None:
    element = add(parent, "lane", id=lane.id, type=lane.kind, level="false")
    if lane.predecessors or lane.successors:
        link = add(element, "link")
        for key, ids in (("predecessor", lane.predecessors), ("successor", lane.successors)):
            for id in ids:
                add(link, key, id=id)
    if lane.border is not None:
        _write_cubics(element, "border", lane.border, "sOffset")
    elif lane.id or not _same(lane.width, _LEVEL):
        _write_cubics(element, "width", lane.width, "sOffset")
    for mark in lane.marks:
        _write_mark(element, mark)
    for s, limit in lane.speeds:
        add(element, "speed", sOffset=s, max=limit, unit="m/s")
    for s, inner, outer in lane.heights:
        add(element, "height", sOffset=s, inner=inner, outer=outer)


def _write_mark(lane: etree._Element, mark: RoadMark) -> None:
    element = add(lane, "roadMark", sOffset=mark.s_offset_m, type=mark.kind, color=mark.color)
    if not mark.lines:
        return
    element.set("width", number(mark.lines[0].width_m))
    if any(np.isfinite(line.end_m) for line in mark.lines):
        strokes = add(element, "explicit")
        for line in mark.lines:
            more = {"length": line.end_m - line.start_m} if np.isfinite(line.end_m) else {}
            add(strokes, "line", sOffset=line.start_m, tOffset=line.t_m, width=line.width_m, **more)
        return
    pattern = add(element, "type", name=mark.kind, width=mark.lines[0].width_m)
    for line in mark.lines:
        add(
            pattern, "line", length=line.dash_m, space=line.gap_m, tOffset=line.t_m, sOffset=line.start_m,
            width=line.width_m,
        )  # fmt: skip


# --- Junctions ---


def _write_junction(
    root: etree._Element, network: RoadNetwork, junction: Junction, connections: Iterable[Connection]
) -> None:
    element = add(root, "junction", id=junction.id, name=junction.name)
    if junction.kind != "default":
        element.set("type", junction.kind)
    if junction.main_road is not None:
        element.set("mainRoad", junction.main_road)
    if junction.span_m is not None:
        element.set("sStart", number(junction.span_m[0]))
        element.set("sEnd", number(junction.span_m[1]))
    target = "linkedRoad" if junction.kind == "direct" else "connectingRoad"
    for i, connection in enumerate(connections):
        way = add(
            element, "connection", id=i, incomingRoad=connection.incoming, **{target: connection.connecting},
            contactPoint=connection.contact,
        )  # fmt: skip
        for a, b in connection.lane_links:
            add(way, "laneLink", **{"from": a, "to": b})
    for high, low in junction.priorities:
        add(element, "priority", high=high, low=low)
    for controller in network.controllers:
        if controller.junction == junction.id:
            add(element, "controller", id=controller.id, sequence=controller.sequence)
