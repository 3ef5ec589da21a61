"""Who goes first at generated junctions: lights, stop and yield signs with their lines, zebra crossings, arrows.

Signs are numbered as in Germany's road traffic regulations, lights as in the OpenDRIVE catalogue, so that a file
written from a generated network says the same as the network.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from sim.roadgen.build import Arm, outward, turn_between_rad
from sim.roads.geometry import Floats
from sim.roads.network import Junction, Marking, Road, RoadNetwork, RoadObject, Signal, SignalController

Control = Literal["signals", "stop", "yield", "all_way_stop"]
CONTROLS: tuple[Control, ...] = ("signals", "stop", "yield", "all_way_stop")

# kind: (type, country, height in m, width in m, lower edge in m)
_SIGNS = {
    "light": ("1000001", "OpenDRIVE", 0.9, 0.3, 2.4),
    "yield": ("205", "DE", 0.8, 0.9, 2.1),
    "stop": ("206", "DE", 0.9, 0.9, 2.1),
    "priority": ("306", "DE", 0.6, 0.6, 2.1),
    "speed_limit": ("274", "DE", 0.6, 0.6, 2.1),
    "crossing": ("350", "DE", 0.6, 0.6, 2.1),
}
DECIMALS = 9  # of outlines and paint in metres, so that a file that says them in other frames gives them back
_SIGN_ASIDE_M = 0.6  # from the carriageway's edge
_ZEBRA_M = 3.0
_ZEBRA_FROM_JUNCTION_M = 1.1
_STOP_LINE_M = 0.4


@dataclass
class Furniture:
    """What a network holds beside its roads, while it grows."""

    paint: list[Marking] = field(default_factory=list)
    signals: list[Signal] = field(default_factory=list)
    controllers: list[SignalController] = field(default_factory=list)
    objects: list[RoadObject] = field(default_factory=list)

    def furnish(self, network: RoadNetwork) -> RoadNetwork:
        """The network with all of it, in the order of its roads, as a file lists it."""
        order = {id: i for i, id in enumerate(network.roads)}
        return RoadNetwork(
            network.name, network.roads, network.junctions,
            paint=tuple(sorted(self.paint, key=lambda line: order[line.road])),
            signals=tuple(sorted(self.signals, key=lambda signal: order[signal.road])),
            controllers=tuple(self.controllers),
            objects=tuple(sorted(self.objects, key=lambda thing: order[thing.road])),
            junction_info={id: _junction(network, id) for id in network.junctions},
        )  # fmt: skip

    def add_sign(
        self,
        road: Road,
        kind: str,
        s_m: float,
        t_m: float,
        forward: bool,
        lanes: tuple[int, ...] = (),
        value: float | None = None,
    ) -> str:
        """Stand a sign or light beside a road, for travel along s or against it; returns its id."""
        type, country, height, width, lower = _SIGNS[kind]
        heading = float(road.plan.at(np.array([s_m]))[1][0]) + (0.0 if forward else math.pi)
        id = f"s{len(self.signals)}"
        self.signals.append(
            Signal(
                id=id,
                road=road.id,
                s_m=s_m,
                t_m=t_m,
                z_m=lower,
                yaw_rad=math.remainder(heading, 2.0 * math.pi),
                forward=forward,
                dynamic=kind == "light",
                kind=kind,
                type=type,
                subtype="-1",
                country=country,
                value=value,
                height_m=height,
                width_m=width,
                lanes=tuple(sorted(lanes)),
            )
        )  # fmt: skip
        return id

    def add_object(
        self,
        road: Road,
        kind: str,
        s_m: float,
        t_m: float,
        length_m: float,
        width_m: float,
        lanes: tuple[int, ...] = (),
    ) -> None:
        """Lay a rectangle on a road, its length along it, with its corners."""
        pose = road.pose(np.array([s_m]), np.array([t_m]))
        heading = float(pose.heading_world_rad[0])
        u, v = 0.5 * length_m * np.array([1, -1, -1, 1]), 0.5 * width_m * np.array([1, 1, -1, -1])
        cos, sin = math.cos(heading), math.sin(heading)
        local = np.column_stack((u * cos - v * sin, u * sin + v * cos, np.zeros(4)))
        corners = np.round(pose.xyz_world_m + local, DECIMALS)
        self.objects.append(
            RoadObject(
                id=f"o{len(self.objects)}",
                road=road.id,
                kind=kind,
                s_m=s_m,
                t_m=t_m,
                z_m=0.0,
                yaw_world_rad=math.remainder(heading, 2.0 * math.pi),
                length_m=length_m,
                width_m=width_m,
                height_m=0.0,
                outline_xyz_world_m=corners, lanes=lanes,
            )
        )  # fmt: skip

    def add_paint(
        self,
        road: Road,
        xy_world_m: Floats,
        width_m: float,
        dash_m: float = 3.0,
        gap_m: float = 0.0,
        color: str = "white",
    ) -> None:
        """Paint a line through points (n, 2)."""
        self.paint.append(Marking(np.round(xy_world_m, DECIMALS), width_m, color, dash_m, gap_m, road.id))

    def add_line(
        self, road: Road, s_m: float, t_m: tuple[float, float], width_m: float, dash_m: float = 0.5, gap_m: float = 0.0
    ) -> None:
        """Paint a line across a road, from one t to another."""
        ends = np.array([_beside(road, s_m, t)[0] for t in t_m])
        self.add_paint(road, ends, width_m, dash_m, gap_m)


def _junction(network: RoadNetwork, id: str) -> Junction:
    """Direct where its connections lead straight onto roads that are not its own."""
    direct = any(network.roads[way.connecting].junction != id for way in network.junctions[id])
    return Junction(id, "direct" if direct else "default")


def _beside(road: Road, s_m: float, t_m: float) -> tuple[tuple[float, float], float]:
    xy, heading, _ = road.plan.at(np.array([s_m]))
    angle = float(heading[0])
    return (float(xy[0, 0]) - t_m * math.sin(angle), float(xy[0, 1]) + t_m * math.cos(angle)), angle


# --- Junctions ---


def control_junction(
    network: RoadNetwork, furniture: Furniture, junction: str, arms: list[Arm], major: set[int], control: Control
) -> None:
    """Signs, lights, lines, crosswalks and arrows at all arms of a junction; `major` are the arms with priority.

    Lights of arms that face each other switch together, all others take turns. Arms with sidewalks get zebras.
    """
    groups: list[list[int]] = []
    for a, arm in enumerate(arms):
        zebra = arm.profile.sidewalk_m > 0.0
        kind = _sign_kind(control, a in major)
        if kind != "priority":
            _waiting_line(network.roads[arm.road], furniture, arm, zebra, dashed=kind == "yield")
        if zebra:
            add_zebra(network.roads[arm.road], furniture, arm)
        sign = _arm_sign(network.roads[arm.road], furniture, arm, kind, zebra)
        if arm.profile.lanes > 1:
            _arrows(network, furniture, junction, arm)
        if kind == "light":
            facing = next((group for group in groups if _facing(network, arms[group[0]], arm)), None)
            if facing is None:
                groups.append([a])
                furniture.controllers.append(
                    SignalController(f"c{len(furniture.controllers)}", (sign,), junction, len(groups) - 1)
                )
            else:
                facing.append(a)
                _join_controller(furniture, junction, groups.index(facing), sign)


def _join_controller(furniture: Furniture, junction: str, sequence: int, sign: str) -> None:
    for i, controller in enumerate(furniture.controllers):
        if (controller.junction, controller.sequence) == (junction, sequence):
            signals = (*controller.signals, sign)
            furniture.controllers[i] = SignalController(controller.id, signals, junction, sequence)


def _facing(network: RoadNetwork, a: Arm, b: Arm) -> bool:
    return abs(turn_between_rad(outward(network, a)[1], outward(network, b)[1])) < math.radians(45.0)


def _sign_kind(control: Control, major: bool) -> str:
    if control == "signals":
        return "light"
    if control == "all_way_stop":
        return "stop"
    return "priority" if major else control


def waiting_s_m(road: Road, arm: Arm, zebra: bool) -> float:
    """Where the stop line of an arm lies along its road: the edge that faces the traffic."""
    before = _ZEBRA_FROM_JUNCTION_M + _ZEBRA_M + 1.3 if zebra else 0.8
    return road.length_m - before if arm.contact == "end" else before


def _inward(arm: Arm) -> float:
    """The sign of ds towards the junction."""
    return 1.0 if arm.contact == "end" else -1.0


def _incoming(arm: Arm) -> tuple[int, ...]:
    return tuple(arm.incoming_lane(k) for k in range(arm.profile.lanes))


def _arm_sign(road: Road, furniture: Furniture, arm: Arm, kind: str, zebra: bool) -> str:
    aside = arm.profile.carriageway_m + _SIGN_ASIDE_M
    s, t = waiting_s_m(road, arm, zebra), -_inward(arm) * aside
    return furniture.add_sign(road, kind, s, t, arm.contact == "end", _incoming(arm))


def _waiting_line(road: Road, furniture: Furniture, arm: Arm, zebra: bool, dashed: bool) -> None:
    """Across the incoming lanes: solid to stop at, dashed to yield at."""
    s = waiting_s_m(road, arm, zebra) + 0.5 * _STOP_LINE_M * _inward(arm)
    first = arm.profile.median_m + 0.05
    last = arm.profile.median_m + arm.profile.lanes * arm.profile.width_m - 0.05
    side = -_inward(arm)
    furniture.add_line(road, s, (side * first, side * last), _STOP_LINE_M, gap_m=0.25 if dashed else 0.0)


def add_zebra(road: Road, furniture: Furniture, arm: Arm) -> None:
    """A zebra crossing just before the junction, as paint and as an object."""
    before = _ZEBRA_FROM_JUNCTION_M + 0.5 * _ZEBRA_M
    add_crosswalk(
        road, furniture, road.length_m - before if arm.contact == "end" else before, arm.profile.carriageway_m
    )


def add_crosswalk(road: Road, furniture: Furniture, s_m: float, half_m: float) -> None:
    """A zebra crossing over a carriageway of `half_m` to either side of the reference line."""
    furniture.add_line(road, s_m, (half_m - 0.25, 0.25 - half_m), _ZEBRA_M, gap_m=0.5)
    furniture.add_object(road, "crosswalk", s_m, 0.0, _ZEBRA_M, 2.0 * half_m)


# --- Arrows ---

_ARROW_M = 5.0
_ARROW_BEFORE_LINE_M = 4.0


def _arrows(network: RoadNetwork, furniture: Furniture, junction: str, arm: Arm) -> None:
    """An arrow on each incoming lane for the ways it leads through the junction."""
    road = network.roads[arm.road]
    middle = waiting_s_m(road, arm, arm.profile.sidewalk_m > 0.0) - _inward(arm) * (
        _ARROW_BEFORE_LINE_M + 0.5 * _ARROW_M
    )
    for k, lane in enumerate(_incoming(arm)):
        turns = [
            turn
            for connection in network.junctions[junction]
            if connection.incoming == arm.road and (lane, -1) in connection.lane_links
            for turn in [_turn_of(network.roads[connection.connecting])]
        ]
        t = -_inward(arm) * (arm.profile.median_m + (k + 0.5) * arm.profile.width_m)
        at, heading = _beside(road, middle, t)
        _paint_arrow(furniture, road, at, heading + (0.0 if arm.contact == "end" else math.pi), sorted(set(turns)))


def _turn_of(road: Road) -> int:
    """-1 for a right turn, 0 for straight on, 1 for a left turn."""
    _, heading, _ = road.plan.at(np.array([0.0, road.length_m]))
    turn = float(heading[1] - heading[0])
    return 0 if abs(turn) < math.radians(40.0) else int(math.copysign(1, turn))


def _paint_arrow(
    furniture: Furniture, road: Road, at: tuple[float, float], heading_rad: float, turns: list[int]
) -> None:
    """A shaft of 5 m with a head for every way, each painted as lines (u ahead, v to the left)."""
    cos, sin = math.cos(heading_rad), math.sin(heading_rad)

    def paint(points: list[tuple[float, float]], width_m: float) -> None:
        u, v = np.array(points).T
        furniture.add_paint(road, np.column_stack((at[0] + u * cos - v * sin, at[1] + u * sin + v * cos)), width_m)

    def head(tip: tuple[float, float], angle_rad: float) -> None:
        """A triangle 0.9 m long: its outline and what that leaves open."""
        along = np.array([math.cos(angle_rad), math.sin(angle_rad)])
        left, end = np.array([-along[1], along[0]]), np.array(tip)
        corners = [end - 0.1 * along, end - 0.9 * along + 0.28 * left, end - 0.9 * along - 0.28 * left]
        paint([tuple(corner) for corner in (*corners, corners[0])], 0.15)
        paint([tuple(end - 0.9 * along), tuple(end - 0.35 * along)], 0.25)

    half, straight = 0.5 * _ARROW_M, 0 in turns
    fork = half - 3.4 if straight else half - 2.2
    paint([(-half, 0.0), (half - 0.9 if straight else fork, 0.0)], 0.15)
    if straight:
        head((half, 0.0), 0.0)
    for turn in turns:
        if turn:
            paint([(fork, 0.0), (fork + 0.8, 0.45 * turn)], 0.15)
            head((fork + 1.3, 1.15 * turn), math.radians(55.0) * turn)
