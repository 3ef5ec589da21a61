"""Ways through a road network, lane by lane in the direction of travel: where a car gets to when it drives on.

A way is measured along the reference lines of its roads, as OpenDRIVE's s. Junctions, and roundabouts as a whole, are
crossed by the exit that one turns to; everything is a pure function of the network, in a fixed order.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate

import numpy as np

from sim.roads.lanelinks import LaneKey, join_lanes
from sim.roads.network import DRIVING_KINDS, RoadNetwork
from sim.scenarios.values import Where

TURNS = ("left", "straight", "right", "back")
_STRAIGHT_RAD, _BACK_RAD = math.radians(40.0), math.radians(150.0)
_AHEAD_M, _BEHIND_M = 4000.0, 1500.0  # how far a way is followed
_IDEAL_RAD = {"left": math.pi / 2.0, "straight": 0.0, "right": -math.pi / 2.0, "back": math.pi}


class Unfit(ValueError):
    """The road has no such place; another one might."""

    placed = False  # whether the message says where in the file the place is asked for

    def at(self, where: Where) -> "Unfit":
        """The same with the place in the file, unless it says one already."""
        if self.placed:
            return self
        error = Unfit(f"{where}: {self}")
        error.placed = True
        return error


@dataclass(frozen=True)
class Way:
    """Lanes, each the successor of the one before; `starts_m` are their ends' distances, one more than lanes."""

    lanes: tuple[LaneKey, ...]
    starts_m: tuple[float, ...]

    @property
    def length_m(self) -> float:
        return self.starts_m[-1]

    def index_at(self, distance_m: float) -> int:
        """The lane that holds a distance from the way's start. Unfit where the way is not that long."""
        if not -1e-6 <= distance_m <= self.length_m + 1e-6:
            raise Unfit(f"{distance_m:.1f} m along a way that is {self.length_m:.1f} m long")
        return min(max(bisect_right(self.starts_m, distance_m) - 1, 0), len(self.lanes) - 1)


@dataclass(frozen=True)
class Exit:
    """A way through a junction: the lanes inside and the first one behind it."""

    turn_rad: float  # change of heading, left positive
    path: tuple[LaneKey, ...]

    @property
    def turn(self) -> str:
        size = abs(self.turn_rad)
        if size < _STRAIGHT_RAD:
            return "straight"
        return "back" if size > _BACK_RAD else "left" if self.turn_rad > 0.0 else "right"


class Streets:
    """The driving lanes of a network and how they follow each other."""

    def __init__(self, network: RoadNetwork) -> None:
        self.network = network
        self.length_m = {
            (road.id, index, id): float(section.end_m(id) - section.s_m)
            for road in network.roads.values()
            for index, section in enumerate(road.sections)
            for id, lane in section.lanes.items()
            if id != 0 and lane.kind in DRIVING_KINDS and section.end_m(id) - section.s_m > 1e-6
        }
        self.of_road: dict[str, list[LaneKey]] = {}
        for key in self.length_m:
            self.of_road.setdefault(key[0], []).append(key)
        order = {key: i for i, key in enumerate(self.length_m)}
        joined = join_lanes(network)
        self.after = {
            key: sorted((n for n in joined.get(key, ()) if n in order), key=order.__getitem__) for key in order
        }
        self.before: dict[LaneKey, list[LaneKey]] = {key: [] for key in order}
        for key, nexts in self.after.items():
            for following in nexts:
                self.before[following].append(key)

    # ---------------------------------------------------------------- lanes

    def forward(self, key: LaneKey) -> bool:
        return self.network.roads[key[0]].forward(key[2])

    def road_s(self, key: LaneKey, along_m: float) -> float:
        """s on the road, `along_m` after the lane's beginning in the direction of travel."""
        section = self.network.roads[key[0]].sections[key[1]]
        return float(section.s_m + along_m if self.forward(key) else section.end_m(key[2]) - along_m)

    @cache  # noqa: B019 - lives as long as its network
    def yaw_rad(self, key: LaneKey, at_end: bool) -> float:
        """Direction of travel where a lane begins or ends."""
        length = self.length_m[key]
        s = self.road_s(key, max(length - 1e-3, 0.0) if at_end else min(1e-3, length))
        return float(self.network.roads[key[0]].lane_at(key[1], key[2], np.array([s]))[1][0])

    def abreast(self, key: LaneKey) -> list[LaneKey]:
        """The lanes of the same direction beside a lane, itself included, from the right; ramps do not count."""
        road, index, id = key
        lanes = self.network.roads[road].sections[index].lanes
        same = [k for k in self.of_road[road] if k[1] == index and (k[2] > 0) == (id > 0)]
        same = [k for k in same if k == key or lanes[k[2]].kind == "driving"]
        outward = self.network.roads[road].right_hand  # the outermost lane is the rightmost one
        return sorted(same, key=lambda k: -abs(k[2]) if outward else abs(k[2]))

    def kind(self, key: LaneKey) -> str:
        return self.network.roads[key[0]].sections[key[1]].lanes[key[2]].kind

    def opposite(self, key: LaneKey) -> LaneKey:
        """The innermost lane of the other direction. Unfit where the road is one-way."""
        others = [k for k in self.of_road[key[0]] if k[1] == key[1] and (k[2] > 0) != (key[2] > 0)]
        if not others:
            raise Unfit(f"road {key[0]} has no lane for oncoming traffic")
        return min(others, key=lambda k: abs(k[2]))

    # ---------------------------------------------------------------- junctions

    @cached_property
    def ring(self) -> frozenset[LaneKey]:
        """Lanes of roundabouts: circles of one-way roads."""
        ways = {(k[0], k[2] > 0) for k in self.length_m}
        alive = {k for k in self.length_m if (k[0], k[2] < 0) not in ways}
        while True:
            kept = {k for k in alive if any(n in alive for n in self.after[k])}
            kept = {k for k in kept if any(n in kept for n in self.before[k])}
            if len(kept) == len(alive):
                return frozenset(kept)
            alive = kept

    @cached_property
    def _crossings(self) -> frozenset[str]:
        """Junctions of three roads or more; where only lanes begin or end, the road is thought to go on."""
        meeting: dict[str, set[str]] = {}
        for key in self.length_m:
            junction = self.network.roads[key[0]].junction
            if junction is not None:
                outside = {k[0] for k in self.after[key] + self.before[key]}
                meeting.setdefault(junction, set()).update(outside)
        return frozenset(junction for junction, roads in meeting.items() if len(roads) >= 3)

    def inside(self, key: LaneKey) -> bool:
        """Whether a lane belongs to a junction of roads or to a roundabout."""
        return self.network.roads[key[0]].junction in self._crossings or key in self.ring

    def junction_of(self, key: LaneKey) -> int:
        """Which junction or roundabout a lane inside one belongs to, as a number that its lanes share."""
        return self._junctions[key]

    @cached_property
    def _junctions(self) -> dict[LaneKey, int]:
        """Lanes inside of one junction or one after the other inside belong together."""
        number: dict[LaneKey, int] = {}
        by_id: dict[str | None, list[LaneKey]] = {}
        inside = [key for key in self.length_m if self.inside(key)]
        for key in inside:
            by_id.setdefault(self.network.roads[key[0]].junction, []).append(key)
        for start in inside:
            queue = [start] if start not in number else []
            while queue:
                key = queue.pop()
                if key in number or not self.inside(key):
                    continue
                number[key] = len(set(number.values())) if key == start else number[start]
                junction = self.network.roads[key[0]].junction
                queue += self.after[key] + self.before[key] + (by_id[junction] if junction is not None else [])
        return number

    def exits(self, key: LaneKey) -> list[Exit]:
        """The shortest way to each exit of the junction that a lane leads into, from left to right."""
        heading, found = self.yaw_rad(key, at_end=True), {}
        queue = [(0.0, (n,)) for n in self.after[key]]
        seen: set[LaneKey] = set()
        while queue:
            queue.sort(key=lambda item: item[0])
            length, path = queue.pop(0)
            last = path[-1]
            if last in seen:
                continue
            seen.add(last)
            if self.inside(last):
                queue += [(length + self.length_m[last], (*path, n)) for n in self.after[last]]
            elif last[0] not in {p[-1][0] for p in found.values()}:
                found[last] = path
        turns = [
            Exit(math.remainder(self.yaw_rad(end, at_end=False) - heading, 2.0 * math.pi), p)
            for end, p in found.items()
        ]
        return sorted(turns, key=lambda way: -way.turn_rad)

    def leads_into_junction(self, key: LaneKey) -> bool:
        return not self.inside(key) and any(self.inside(n) for n in self.after[key])

    def take(self, key: LaneKey, turn: str) -> Exit:
        """The exit for a turn. Unfit where the lane has none."""
        exits = self.exits(key)
        fitting = [way for way in exits if way.turn == turn]
        if not fitting:
            there = ", ".join(sorted({way.turn for way in exits})) or "none"
            raise Unfit(f"no way {turn} from lane {key[2]} of road {key[0]}; there are {there}")
        return min(fitting, key=lambda way: abs(math.remainder(way.turn_rad - _IDEAL_RAD[turn], 2.0 * math.pi)))

    # ---------------------------------------------------------------- ways

    def way(self, key: LaneKey, turns: Sequence[str] = ()) -> tuple[Way, int]:
        """The way that leads through a lane, and the lane's index in it.

        Ahead it takes one turn a junction, then goes straight on, as far as there is road; behind, it comes straight.
        """
        ahead, behind = self._ahead(key, list(turns)), self._behind(key)
        lanes = (*behind, key, *ahead)
        return Way(lanes, tuple(accumulate((self.length_m[k] for k in lanes), initial=0.0))), len(behind)

    def _ahead(self, key: LaneKey, turns: list[str]) -> list[LaneKey]:
        lanes, length = [key], 0.0
        while length < _AHEAD_M:
            step = self._step(lanes[-1], turns)
            if not step or step[0] in lanes:
                break
            lanes += step
            length += sum(self.length_m[k] for k in step)
        if turns:
            raise Unfit(f"the way ends before the turn {turns[0]}")
        return lanes[1:]

    def _step(self, last: LaneKey, turns: list[str]) -> list[LaneKey]:
        """What follows a lane: one lane, or a junction and the lane behind it, which uses up a turn."""
        if last in self.ring:
            return self._leave_ring(last)
        if not self.leads_into_junction(last):
            return [self._straightest(last, self.after[last])] if self.after[last] else []
        if turns:
            return list(self.take(last, turns.pop(0)).path)
        exits = self.exits(last)
        return list(min(exits, key=lambda way: abs(way.turn_rad)).path) if exits else []

    def _leave_ring(self, key: LaneKey) -> list[LaneKey]:
        """Who drives in a roundabout passes one exit and takes the next."""
        exits = sorted(self.exits(key), key=lambda way: sum(self.length_m[k] for k in way.path))
        return list(exits[min(1, len(exits) - 1)].path) if exits else []

    def _behind(self, key: LaneKey) -> list[LaneKey]:
        lanes, length = [key], 0.0
        while length < _BEHIND_M and self.before[lanes[0]]:
            previous = min(self.before[lanes[0]], key=self._bend_rad)
            if previous in lanes:
                break
            lanes.insert(0, previous)
            length += self.length_m[previous]
        return lanes[:-1]

    def _bend_rad(self, key: LaneKey) -> float:
        return _apart_rad(self.yaw_rad(key, True), self.yaw_rad(key, False))

    def _straightest(self, key: LaneKey, nexts: list[LaneKey]) -> LaneKey:
        heading = self.yaw_rad(key, at_end=True)
        return min(nexts, key=lambda k: _apart_rad(self.yaw_rad(k, False), heading))


def _apart_rad(a: float, b: float) -> float:
    """The angle between two headings, coarse enough for ways that part smoothly to start out equal."""
    return round(abs(math.remainder(a - b, 2.0 * math.pi)), 2)
