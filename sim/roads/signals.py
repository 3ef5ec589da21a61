"""What rules the entries of junctions, lights elsewhere on the road and their programmes; and where people may cross.

A light or sign of a road network is valid for lanes at a place. Here each lane inside a junction that leads away from
an approach gets at most one control: a light's group, a stop sign or a yield sign, and where its stop line lies. Lights
away from junctions (at crossings in mid-block, on ramps) make traffic halt on the lane itself. Lights that switch
together are a group; the groups of a junction take turns, and each place away from junctions has a clock of its own.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.roads.geometry import Floats
from sim.roads.network import RoadNetwork, RoadObject, Signal
from sim.types import LaneControl

if TYPE_CHECKING:
    from sim.roads.lanegraph import MapLanes

GREEN_S = 12.0
ALL_RED_S = 2.0
ALONE_RED_S = 10.0  # between two greens of a junction whose lights are one group
REACTION_S, YELLOW_DECEL_MPS2 = 1.0, 3.0  # yellow lasts until nobody is left who could not stop comfortably
YELLOW_S = (3.0, 5.0)
_APPROACH_M = 40.0  # a sign stands at most this far before the junction it rules
_INSIDE_M = 3.0  # stop lines drawn into the junction lie at most this far inside
_BEHIND_M = 5.0  # a light this close behind a junction stands beyond what it rules: who halts there blocks the junction
_ONE_PLACE_M = 40.0  # lights of a road this close together are one place's, such as both sides of a crossing
_SAME_AXIS_RAD = math.radians(45.0)
_PEDESTRIAN_LIGHT = "1000002"
_CONTROL = {"light": LaneControl.LIGHT, "stop": LaneControl.STOP, "yield": LaneControl.YIELD}


@dataclass
class LaneRules:
    """Controls of a map's lanes and the programmes of its groups of lights; indices are the map's own."""

    control: NDArray[np.int64]  # (L,) LaneControl
    group: NDArray[np.int64]  # (L,) of lights; valid where the control is a light
    stop_m: Floats  # (L,) of the stop line from the lane's start, at most 0; valid where there is a control
    halt_first: NDArray[np.int64]  # (L + 1,) bounds of each lane's lights away from junctions
    halt_m: Floats  # (H,) their stop lines from the lane's start, ascending within a lane
    halt_group: NDArray[np.int64]  # (H,)
    plan_s: Floats  # (G, 4) cycle, start of green, green, yellow
    junction: NDArray[np.int64]  # (G,) number of the group's junction or other place: groups of one share their clock
    group_of_signal: dict[str, int]


def lane_rules(network: RoadNetwork, lanes: "MapLanes", speed_mps: Floats) -> LaneRules:
    """The control of every lane that leads into a junction, and the groups of lights; speed limits (L,)."""
    count = len(lanes.keys)
    control, stop_m = np.zeros(count, dtype=np.int64), np.zeros(count)
    signal_of: dict[int, str] = {}
    by_road: dict[str, list[Signal]] = {}
    for signal in network.signals:
        if signal.kind in _CONTROL and signal.type != _PEDESTRIAN_LIGHT:
            by_road.setdefault(signal.road, []).append(signal)
    for lane in _entries(lanes):
        found = _ruling(network, lanes, by_road, lane)
        if found is not None:
            signal, stop_m[lane] = found
            control[lane] = _CONTROL[signal.kind]
            if signal.kind == "light":
                signal_of[lane] = signal.id
    stages = _stages(network, lanes, signal_of)
    group = np.zeros(count, dtype=np.int64)
    for lane in signal_of:
        group[lane] = stages[lane]
    halts = _halts(network, lanes, by_road)
    group_of = {id: stages[lane] for lane, id in signal_of.items()}
    place_of = {stages[lane]: f"junction {lanes.junction[lane]}" for lane in signal_of}
    halt_group = _halt_groups(network, halts, group_of, place_of)
    halt_lane = np.array([halt.lane for halt in halts], dtype=np.int64)
    ruled = np.array([*stages, *halt_lane], dtype=np.int64), np.array([*stages.values(), *halt_group], dtype=np.int64)
    plan_s, junction = _programmes([place_of[g] for g in range(len(place_of))], *ruled, speed_mps)
    return LaneRules(
        control,
        group,
        stop_m,
        np.searchsorted(halt_lane, np.arange(count + 1)),
        np.array([halt.at_m for halt in halts], dtype=np.float64),
        halt_group,
        plan_s,
        junction,
        group_of,
    )


def _entries(lanes: "MapLanes") -> list[int]:
    """The lanes of junctions that follow a lane outside."""
    return [
        lane
        for lane, junction in enumerate(lanes.junction)
        if junction is not None and any(lanes.junction[before] is None for before in lanes.predecessors[lane])
    ]


def _ruling(
    network: RoadNetwork, lanes: "MapLanes", by_road: dict[str, list[Signal]], lane: int
) -> tuple[Signal, float] | None:
    """The signal that rules a junction lane and its stop line from the lane's start: its own, else its approach's.

    Where both a light and signs stand, the light counts, as in the road traffic regulations.
    """
    found: list[tuple[int, float, str, Signal, float]] = []
    for near, own in [(lane, True), *((before, False) for before in lanes.predecessors[lane])]:
        road, _, id = lanes.keys[near]
        forward = network.roads[road].forward(id)
        for signal in by_road.get(road, ()):
            if (id in signal.lanes) if signal.lanes else (signal.forward in (None, forward)):
                at = signal.s_m if forward else network.roads[road].length_m - signal.s_m
                at -= 0.0 if own else network.roads[road].length_m
                if -_APPROACH_M <= at <= (_INSIDE_M if own else 0.0):
                    found.append((int(_CONTROL[signal.kind]), abs(at), signal.id, signal, min(at, 0.0)))
    return min(found)[3:] if found else None


def _stages(network: RoadNetwork, lanes: "MapLanes", signal_of: dict[int, str]) -> dict[int, int]:
    """The group of each lane with a light: by its controller's place in the sequence, else by its approach's axis."""
    controller = {id: c for c in network.controllers for id in c.signals}
    junctions: dict[str, list[int]] = {}
    for lane in signal_of:
        junctions.setdefault(str(lanes.junction[lane]), []).append(lane)
    groups: dict[tuple[str, int], int] = {}
    found: dict[int, int] = {}
    for junction, members in junctions.items():
        steps = [controller[signal_of[lane]].sequence if signal_of[lane] in controller else None for lane in members]
        turns = {signal_of[lane]: step for lane, step in zip(members, steps)}
        if None in steps or (len(set(steps)) == 1 and len(turns) > 1):
            steps = _axes([float(lanes.yaw_world_rad[lanes.sample_first[lane]]) for lane in members])
        for lane, step in sorted(zip(members, steps), key=lambda pair: (pair[1] or 0, pair[0])):
            found[lane] = groups.setdefault((junction, int(step or 0)), len(groups))
    return found


def _axes(yaw_rad: list[float]) -> list[int]:
    """Number approaches so that those of about one axis, whichever way, have one number."""
    axes: list[float] = []
    found = []
    for yaw in yaw_rad:
        near = [i for i, axis in enumerate(axes) if abs(math.remainder(yaw - axis, math.pi)) < _SAME_AXIS_RAD]
        if not near:
            axes.append(yaw)
        found.append(near[0] if near else len(axes) - 1)
    return found


def _programmes(
    place_of: list[str], lane: NDArray[np.int64], group: NDArray[np.int64], speed_mps: Floats
) -> tuple[Floats, NDArray[np.int64]]:
    """Plans (G, 4) of the groups and their places (G,): one green after the other, yellow and all red between.

    `place_of` names the junction or other place of each group, `lane` and `group` tell who obeys whom.
    """
    count = len(place_of)
    fastest = np.zeros(count)
    np.maximum.at(fastest, group, speed_mps[lane])
    yellow = np.clip(REACTION_S + fastest / (2.0 * YELLOW_DECEL_MPS2), *YELLOW_S)
    numbers = {name: i for i, name in enumerate(dict.fromkeys(place_of))}
    plan = np.zeros((count, 4))
    for name in numbers:
        members = [g for g in range(count) if place_of[g] == name]
        spent = np.cumsum([0.0] + [GREEN_S + yellow[g] + ALL_RED_S for g in members])
        cycle = spent[-1] + (ALONE_RED_S if len(members) == 1 else 0.0)
        for g, start in zip(members, spent):
            plan[g] = cycle, start, GREEN_S, yellow[g]
    return plan, np.array([numbers[name] for name in place_of], dtype=np.int64)


# --- Away from junctions ---


@dataclass
class _Halt:
    """A light away from junctions and one lane that halts for it."""

    lane: int
    at_m: float  # from the lane's start
    signal: Signal


def _halts(network: RoadNetwork, lanes: "MapLanes", by_road: dict[str, list[Signal]]) -> list[_Halt]:
    """The lights on lanes outside junctions, by lane and place, but for those that rule the junction ahead."""
    to_junction = {
        (lanes.keys[before][0], network.roads[lanes.keys[before][0]].forward(lanes.keys[before][2]))
        for lane in _entries(lanes)
        for before in lanes.predecessors[lane]
    }
    found = []
    for lane, (road_id, section, id) in enumerate(lanes.keys):
        road, start_m = network.roads[road_id], network.roads[road_id].sections[section].s_m
        end_m = road.sections[section].end_m(id)
        if lanes.junction[lane] is not None:
            continue
        forward = road.forward(id)
        after_junction = any(lanes.junction[before] is not None for before in lanes.predecessors[lane])
        for signal in by_road.get(road_id, ()):
            valid = (id in signal.lanes) if signal.lanes else (signal.forward in (None, forward))
            if signal.kind != "light" or not valid or not start_m <= signal.s_m < end_m:
                continue
            left = road.length_m - signal.s_m if forward else signal.s_m
            along = signal.s_m - start_m if forward else end_m - signal.s_m
            at = along / (end_m - start_m) * float(lanes.length_m[lane])
            before_junction = (road_id, forward) in to_junction and left <= _APPROACH_M
            if not before_junction and not (after_junction and at < _BEHIND_M):
                found.append(_Halt(lane, at, signal))
    return sorted(found, key=lambda halt: (halt.lane, halt.at_m, halt.signal.id))


def _halt_groups(
    network: RoadNetwork, halts: list[_Halt], group_of: dict[str, int], place_of: dict[int, str]
) -> NDArray[np.int64]:
    """Groups (H,) of lights away from junctions: that of the same controller's other lights, else of one place's.

    New groups and the groups of these signals are added to `place_of` and `group_of`.
    """
    controller = {id: c.id for c in network.controllers for id in c.signals}
    of_controller = {controller[id]: group for id, group in group_of.items() if id in controller}
    near: list[tuple[str, float, int]] = []
    for halt in sorted(halts, key=lambda halt: (halt.signal.road, halt.signal.s_m, halt.signal.id)):
        id, road, s = halt.signal.id, halt.signal.road, halt.signal.s_m
        beside = [g for other, at, g in near if other == road and abs(at - s) < _ONE_PLACE_M]
        known = group_of.get(id, of_controller.get(controller.get(id, ""), -1))
        if known < 0 and id not in controller and beside:
            known = beside[-1]
        if known < 0:
            known = len(place_of)
            place_of[known] = f"road {road} at {s:g} m"
        group_of[id] = known
        if id in controller:
            of_controller[controller[id]] = known
        else:
            near.append((road, s, known))
    return np.array([group_of[halt.signal.id] for halt in halts], dtype=np.int64)


# --- Crosswalks ---


def crosswalks(network: RoadNetwork, lanes: "MapLanes") -> Floats:
    """Centre x, y and walking direction cos, sin (C, 4) of the crosswalks that lie over driving lanes."""
    found = [_crosswalk(entry, lanes) for entry in network.objects if entry.kind == "crosswalk"]
    return np.array([row for row in found if row is not None]).reshape(-1, 4)


def _crosswalk(entry: RoadObject, lanes: "MapLanes") -> tuple[float, float, float, float] | None:
    """People walk at right angles to the lane nearest to the crosswalk's middle."""
    if len(entry.outline_xyz_world_m) < 3:
        return None
    middle = entry.outline_xyz_world_m[:, :2].mean(axis=0)
    away = np.hypot(*(lanes.xyz_world_m[:, :2] - middle).T)
    nearest = int(np.argmin(away))
    reach = np.hypot(*(entry.outline_xyz_world_m[:, :2] - middle).T).max()
    if away[nearest] > reach:
        return None
    yaw = float(lanes.yaw_world_rad[nearest]) + 0.5 * math.pi
    return float(middle[0]), float(middle[1]), math.cos(yaw), math.sin(yaw)
