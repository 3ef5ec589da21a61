"""Write signals, their controllers, objects and free paint of a road network as OpenDRIVE elements."""

import math
from collections.abc import Iterator

import numpy as np
from lxml import etree  # pyright: ignore[reportAttributeAccessIssue]

from sim.roads.geometry import Floats
from sim.roads.network import Marking, Road, RoadNetwork, RoadObject, Signal
from sim.roads.signal_kinds import signal_kind

_ORIENTATION = {True: "+", False: "-", None: "none"}
_TYPES = {"parking": "parkingSpace", "other": None, "stopLine": None}  # None: told by the name, or by no type
# Meanings that a code of a catalogue does not tell, in the words of OpenDRIVE 1.8.
_PRIORITY = {
    "stop": "stop", "yield": "yield", "light": "trafficLight", "priority": "priorityRoad", "stop_line": "stopLine",
    "priority_end": "priorityRoadEnd", "yield_right": "priorityToTheRightRule", "yield_line": "waitingLine",
}  # fmt: skip
_SPEED = {"speed_limit": "maximum", "speed_limit_end": "maximumEnd", "speed_minimum": "minimum"}


def add(parent: etree._Element, tag: str, **attributes: str | float | int) -> etree._Element:
    """Append an element; numbers are written so that they read back as the same bits."""
    element = etree.SubElement(parent, tag)
    for key, value in attributes.items():
        element.set(key, number(value))
    return element


def number(value: str | float | int) -> str:
    """The shortest text that reads back as the value; text stays as it is."""
    return value if isinstance(value, str) else str(int(value)) if isinstance(value, int) else repr(float(value))


# --- Signals ---


def write_signals(element: etree._Element, network: RoadNetwork, road: Road) -> None:
    """The signals of one road and its references to signals of others."""
    objects = {(item.id, item.s_m, item.name) for item in network.objects if item.road == road.id}
    own = [signal for signal in network.signals if signal.road == road.id]
    # What reading makes of an object's name is written as that object alone.
    own = [signal for signal in own if signal.type or (signal.id, signal.s_m, signal.name) not in objects]
    if not own:
        return
    signals = add(element, "signals")
    for signal in sorted(own, key=lambda signal: signal.reference):
        if signal.reference:
            place = add(
                signals, "signalReference", s=signal.s_m, t=signal.t_m, id=signal.id,
                orientation=_ORIENTATION[signal.forward],
            )  # fmt: skip
            _write_validity(place, signal.lanes)
        else:
            _write_signal(signals, road, signal)


def _write_signal(signals: etree._Element, road: Road, signal: Signal) -> None:
    heading = float(road.plan.at(np.array([signal.s_m]))[1][0])
    turned = math.pi if signal.forward is False else 0.0
    told = signal_kind(signal.type, signal.subtype, signal.country, signal.name, signal.dynamic) == signal.kind
    element = add(
        signals, "signal", s=signal.s_m, t=signal.t_m, id=signal.id, name=signal.name,
        dynamic="yes" if signal.dynamic else "no", orientation=_ORIENTATION[signal.forward], zOffset=signal.z_m,
        country=signal.country, type=signal.type, subtype=signal.subtype,
        hOffset=_offset_rad(heading, turned, signal.yaw_rad), height=signal.height_m, width=signal.width_m,
    )  # fmt: skip
    value: dict[str, str | float] = {}
    if signal.value is not None:
        value = {"value": signal.value, "unit": "m/s"} if signal.kind in _SPEED else {"value": signal.value}
        if told or signal.kind not in _SPEED:
            _set(element, value)
        else:
            _set(element, {"unit": "m/s"})
    _write_validity(element, signal.lanes)
    if signal.stands_at_world_m is not None:
        x, y, z = signal.stands_at_world_m
        add(element, "positionInertial", x=x, y=y, z=z, hdg=signal.yaw_rad)
    if not told and signal.kind in _PRIORITY:
        add(add(element, "semantics"), "priority", type=_PRIORITY[signal.kind])
    elif not told and signal.kind in _SPEED:
        add(add(element, "semantics"), "speed", type=_SPEED[signal.kind], **value)


def _set(element: etree._Element, values: dict[str, str | float]) -> None:
    for key, value in values.items():
        element.set(key, number(value))


def write_controllers(root: etree._Element, network: RoadNetwork) -> None:
    """All controllers; their junctions name them again."""
    for controller in network.controllers:
        element = add(root, "controller", id=controller.id, name=controller.name, sequence=controller.sequence)
        for signal in controller.signals:
            add(element, "control", signalId=signal)


def _write_validity(element: etree._Element, lanes: tuple[int, ...]) -> None:
    for low, high in _runs(lanes):
        add(element, "validity", fromLane=low, toLane=high)


def _runs(lanes: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    """Neighbouring ids as (lowest, highest)."""
    ids = sorted(lanes)
    starts = [i for i in range(len(ids)) if i == 0 or ids[i] != ids[i - 1] + 1]
    for start, end in zip(starts, [*starts[1:], len(ids)]):
        yield ids[start], ids[end - 1]


def _offset_rad(heading: float, turned: float, yaw: float) -> float:
    """The offset that, added to a heading as reading does it, gives a yaw; exactly, wherever rounding lets it."""
    near = math.remainder(yaw - turned - heading, 2.0 * math.pi)
    step = 0.25 * math.ulp(max(abs(heading), math.pi))
    candidates = [0.0, *(near + sign * k * step for k in range(32) for sign in (1, -1))]
    return min(candidates, key=lambda offset: abs(math.remainder(heading + offset + turned, 2.0 * math.pi) - yaw))


# --- Objects and paint ---


def write_objects(element: etree._Element, network: RoadNetwork, road: Road) -> None:
    """The objects of one road, its bridges and tunnels, and its free paint as road marks along open outlines."""
    first = next(iter(network.roads)) == road.id
    own = [item for item in network.objects if item.road == road.id]
    paint = [line for line in network.paint if line.road == road.id or (first and not line.road)]
    if not own and not paint:
        return
    signs = {(s.id, s.s_m, s.name): s.forward for s in network.signals if s.road == road.id and not s.type}
    objects = add(element, "objects")
    for item in own:
        if item.kind in ("bridge", "tunnel") and not len(item.outline_xyz_world_m):
            span = add(objects, item.kind, s=item.s_m, length=item.length_m, id=item.id, name=item.name)
            span.set("type", "concrete" if item.kind == "bridge" else "standard")
            _write_validity(span, item.lanes)
        else:
            sign = (item.id, item.s_m, item.name)
            _write_object(objects, road, item, sign in signs, signs.get(sign))
    for i, line in enumerate(paint):
        _write_paint(objects, road, line, f"paint{road.id}.{i}")


def _write_object(objects: etree._Element, road: Road, item: RoadObject, is_sign: bool, forward: bool | None) -> None:
    """One object; a painted sign is told by its name, without a type, and by the direction that it is for."""
    origin, heading = _frame(road, item.s_m, item.t_m)
    hdg = _offset_rad(heading, 0.0, item.yaw_world_rad)
    type = None if is_sign else _TYPES.get(item.kind, item.kind)
    more: dict[str, str | float] = {} if type is None else {"type": type}
    if item.length_m > 0.0:
        more["length"] = item.length_m
    element = add(
        objects, "object", id=item.id, name=item.name, s=item.s_m, t=item.t_m, zOffset=item.z_m, hdg=hdg,
        orientation=_ORIENTATION[forward], width=item.width_m, height=item.height_m, **more,
    )  # fmt: skip
    if len(item.outline_xyz_world_m):
        local = _local(item.outline_xyz_world_m, origin + (0.0, 0.0, item.z_m), heading + hdg)
        _write_outline(element, local, item.height_m, closed=True)
    _write_validity(element, item.lanes)
    if type == "parkingSpace":
        add(element, "parkingSpace", access="all")


def _write_paint(objects: etree._Element, road: Road, line: Marking, id: str) -> None:
    """A painted line: an open outline, and a marking that refers to all of its corners."""
    s, t = _beside(road, line.xy_world_m[0])
    origin, heading = _frame(road, s, t)
    element = add(objects, "object", id=id, type="roadMark", s=s, t=t, zOffset=0.0, hdg=0.0, orientation="none")
    xyz = np.column_stack((line.xy_world_m, np.full(len(line.xy_world_m), origin[2])))
    _write_outline(element, _local(xyz, origin, heading), 0.0, closed=False)
    marking = add(
        add(element, "markings"), "marking", color=line.color, width=line.width_m, lineLength=line.dash_m,
        spaceLength=line.gap_m, startOffset=0.0, stopOffset=0.0, zOffset=0.0,
    )  # fmt: skip
    for corner in range(len(xyz)):
        add(marking, "cornerReference", id=corner)


def _write_outline(element: etree._Element, local: Floats, height: float, closed: bool) -> None:
    outline = add(add(element, "outlines"), "outline", id=0, closed="true" if closed else "false", outer="true")
    for i, (u, v, z) in enumerate(local.tolist()):
        add(outline, "cornerLocal", u=u, v=v, z=z, height=height, id=i)


def _frame(road: Road, s: float, t: float) -> tuple[Floats, float]:
    pose = road.pose(np.array([s]), np.array([t]))
    return pose.xyz_world_m[0], float(pose.heading_world_rad[0])


def _local(xyz_world_m: Floats, origin: Floats, yaw: float) -> Floats:
    """Points (n, 3) seen from an upright frame."""
    cos, sin = math.cos(yaw), math.sin(yaw)
    return (xyz_world_m - origin) @ np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def _beside(road: Road, xy_world_m: Floats) -> tuple[float, float]:
    """s of the road's sample nearest to a point, and the point's distance to the left of the line there."""
    s = np.linspace(0.0, road.length_m, max(2, math.ceil(road.length_m)))
    xy, heading, _ = road.plan.at(s)
    near = int(np.argmin(((xy - xy_world_m) ** 2).sum(axis=1)))
    dx, dy = xy_world_m - xy[near]
    return float(s[near]), float(dy * math.cos(heading[near]) - dx * math.sin(heading[near]))
