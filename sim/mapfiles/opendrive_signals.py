"""Signals, their references and their controllers, as OpenDRIVE files write them."""

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from sim.mapfiles.opendrive_xml import Reader
from sim.roads.network import Road, Signal, SignalController
from sim.roads.signal_kinds import sign_speed_mps, signal_kind

_FORWARD = {"+": True, "-": False}
_SPEED_KINDS = ("speed_limit", "speed_minimum")
# What 1.8 says about a signal's meaning in so many words, to our kinds.
_SEMANTICS = {
    "stop": "stop", "yield": "yield", "trafficLight": "light", "priorityRoad": "priority", "stopLine": "stop_line",
    "priorityRoadEnd": "priority_end", "priorityToTheRightRule": "yield_right", "waitingLine": "yield_line",
    "4way": "stop", "maximum": "speed_limit", "zone": "speed_limit", "maximumEnd": "speed_limit_end",
    "zoneEnd": "speed_limit_end", "minimum": "speed_minimum",
}  # fmt: skip


def read_signals(read: Reader, root: etree._Element, roads: dict[str, Road]) -> tuple[Signal, ...]:
    """All signals, then all references; those to signals that do not exist are left out with a warning."""
    own: dict[str, Signal] = {}
    repeated: dict[str, etree._Element] = {}
    found: list[Signal] = []
    for element in root.iterfind("road/signals/signal"):
        signal = _signal(read, element, _road_of(element, roads), roads)
        if signal.id in own:
            repeated.setdefault(signal.id, element)
        own.setdefault(signal.id, signal)
        found.append(signal)
    for id, element in repeated.items():
        read.warn(element, f"repeats the signal id {id!r}, as others may; references mean the first")
    for element in root.iterfind("road/signals/signalReference"):
        id = read.text(element, "id")
        if id not in own:
            read.warn(element, f"refers to signal {id!r}, which does not exist; it is left out")
            continue
        found.append(_reference(read, element, _road_of(element, roads), own[id]))
    found.extend(_painted_signs(read, root, roads))
    return tuple(found)


def _road_of(element: etree._Element, roads: dict[str, Road]) -> Road:
    return roads[element.getparent().getparent().get("id").strip()]


def _signal(read: Reader, element: etree._Element, road: Road, roads: dict[str, Road]) -> Signal:
    type, subtype = element.get("type", "").strip(), element.get("subtype", "").strip()
    country, name = element.get("country", "").strip(), element.get("name", "").strip()
    dynamic = element.get("dynamic", "no").strip() == "yes"
    meant = next((e.get("type", "") for e in element.iterfind("semantics/*") if e.get("type") in _SEMANTICS), None)
    kind = _SEMANTICS[meant] if meant else signal_kind(type, subtype, country, name, dynamic)
    value = _value(read, element)
    if kind in _SPEED_KINDS:
        value = sign_speed_mps(value, element.get("unit", ""), type, subtype, country, name)
    s, t = _station(read, element, road)
    forward, lanes = _validity(read, element, road, s)
    return Signal(
        id=read.text(element, "id"), road=road.id, s_m=s, t_m=t, z_m=read.number(element, "zOffset", 0.0),
        yaw_rad=_facing(road, s, forward, read.number(element, "hOffset", 0.0)), forward=forward, dynamic=dynamic,
        kind=kind, type=type, subtype=subtype, country=country, value=value,
        height_m=max(0.0, read.number(element, "height", 0.0)), width_m=max(0.0, read.number(element, "width", 0.0)),
        lanes=lanes, name=name, stands_at_world_m=_elsewhere(read, element, roads),
    )  # fmt: skip


def _reference(read: Reader, element: etree._Element, road: Road, signal: Signal) -> Signal:
    s, t = _station(read, element, road)
    forward, lanes = _validity(read, element, road, s)
    yaw = _facing(road, s, forward, 0.0)
    return replace(signal, road=road.id, s_m=s, t_m=t, yaw_rad=yaw, forward=forward, lanes=lanes, reference=True)


def _station(read: Reader, element: etree._Element, road: Road) -> tuple[float, float]:
    """s and t, s held to the road."""
    s, t = read.number(element, "s", 0.0), read.number(element, "t", 0.0)
    if not -1e-3 <= s <= road.length_m + 1e-3:
        read.warn(element, f"lies at s={s:g}, outside road {road.id!r} of {road.length_m:g} m; moved to its end")
    return min(max(s, 0.0), road.length_m), t


def _value(read: Reader, element: etree._Element) -> float | None:
    """What a sign says in figures; -1 and 0 say nothing, by many exporters' habit."""
    said = next(element.iterfind("semantics/speed"), element)
    text = said.get("value", "").strip()
    if not text:
        return None
    value = read.number(said, "value")
    return None if value in (-1.0, 0.0) else value


def _validity(read: Reader, element: etree._Element, road: Road, s: float) -> tuple[bool | None, tuple[int, ...]]:
    """The direction along s and the lanes that a signal is valid for; (0,) where only the centre lane is named."""
    orientation = element.get("orientation", "none").strip()
    if orientation not in ("+", "-", "none"):
        read.warn(element, f"has orientation={orientation[:20]!r}, not +, - or none; none is assumed")
    lanes: set[int] = set()
    spans = element.findall("validity")
    for span in spans:
        ends = sorted((read.integer(span, "fromLane"), read.integer(span, "toLane")))
        lanes |= {id for id in _lanes_at(road, s) if ends[0] <= id <= ends[1]}
    beside_middle = tuple(sorted(lanes - {0}))
    return _FORWARD.get(orientation), beside_middle if beside_middle or not spans else (0,)


def _lanes_at(road: Road, s: float) -> set[int]:
    at = np.array([s])
    return {id for side in (1, -1) for id in road.sections[int(road.section_at(at, side)[0])].lanes}


def _facing(road: Road, s: float, forward: bool | None, offset_rad: float) -> float:
    """The heading of the traffic that a signal is for, as its front faces against it."""
    heading = float(road.plan.at(np.array([s]))[1][0])
    return math.remainder(heading + offset_rad + (math.pi if forward is False else 0.0), 2.0 * math.pi)


def _elsewhere(read: Reader, element: etree._Element, roads: dict[str, Road]) -> tuple[float, float, float] | None:
    """Where the signal stands, if the file gives a place of its own beside the one where it is valid."""
    inertial, on_road = element.find("positionInertial"), element.find("positionRoad")
    if inertial is not None:
        x, y, z = (read.number(inertial, key) for key in "xyz")
        return x, y, z
    if on_road is None:
        return None
    road = roads.get(read.text(on_road, "roadId"))
    if road is None:
        read.warn(on_road, f"names road {on_road.get('roadId')!r}, which does not exist; it is ignored")
        return None
    s, t = _station(read, on_road, road)
    x, y, z = road.pose(np.array([s]), np.array([t])).xyz_world_m[0]
    return float(x), float(y), float(z) + read.number(on_road, "zOffset", 0.0)


def _painted_signs(read: Reader, root: etree._Element, roads: dict[str, Road]) -> Iterator[Signal]:
    """Objects without a type whose names are those of signs, as an exporter of city maps writes them."""
    for element in root.iterfind("road/objects/object"):
        if element.get("type", "-1").strip() not in ("-1", "none", ""):
            continue
        name = element.get("name", "").strip()
        kind = signal_kind("", name=name)
        if kind not in ("stop", "yield", "speed_limit"):
            continue
        road = _road_of(element, roads)
        s, t = _station(read, element, road)
        forward = _FORWARD.get(element.get("orientation", "none").strip())
        value = sign_speed_mps(None, "", "", "", "", name) if kind == "speed_limit" else None
        yield Signal(
            id=read.text(element, "id"), road=road.id, s_m=s, t_m=t, z_m=read.number(element, "zOffset", 0.0),
            yaw_rad=_facing(road, s, forward, 0.0), forward=forward, dynamic=False, kind=kind, type="", subtype="",
            country="", value=value, height_m=0.0, width_m=0.0, name=name,
        )  # fmt: skip


def read_controllers(read: Reader, root: etree._Element, signals: tuple[Signal, ...]) -> tuple[SignalController, ...]:
    """Controllers with the junction that they serve and their turn there."""
    known = {signal.id for signal in signals}
    served = {
        e.get("id", "").strip(): (read.text(junction, "id"), _turn(read, e, 0))
        for junction in root.findall("junction")
        for e in junction.findall("controller")
    }
    found: dict[str, SignalController] = {}
    for element in root.findall("controller"):
        id = read.text(element, "id")
        ids = dict.fromkeys(read.text(e, "signalId") for e in element.findall("control"))
        for signal in ids:
            if signal not in known:
                read.warn(element, f"{id!r} controls signal {signal!r}, which does not exist; it is left out")
        if id in found:
            read.warn(element, f"repeats the controller id {id!r}; the later one is left out")
            continue
        own = _turn(read, element, 0)
        junction, turn = served.get(id, (None, own))
        kept = tuple(signal for signal in ids if signal in known)
        found[id] = SignalController(id, kept, junction, turn or own, element.get("name", ""))
    for junction in root.findall("junction"):
        for element in junction.findall("controller"):
            if element.get("id", "").strip() not in found:
                read.warn(element, f"names controller {element.get('id')!r}, which does not exist; it is ignored")
    return tuple(found.values())


def _turn(read: Reader, element: etree._Element, default: int) -> int:
    return read.integer(element, "sequence") if element.get("sequence") else default
