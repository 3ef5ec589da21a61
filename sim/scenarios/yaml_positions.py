"""Positions of scenario YAML: at a named place, relative to another actor's start, or by the ids of a map.

They are resolved on the road before the run: each becomes a lane, or a spot beside it, with s as an expression of the
parameters. Where runs of a batch fall on different lanes, `Mixed` asks to split them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sim.roads.lanelinks import LaneKey
from sim.roads.network import DRIVING_KINDS
from sim.scenarios.entities import Entity
from sim.scenarios.places import PLACES, JunctionChoice, on_lane, place
from sim.scenarios.positions import LanePosition, Orientation, Position, RoadPosition
from sim.scenarios.values import Mixed, Value, Where, constant
from sim.scenarios.ways import Streets, Unfit, Way
from sim.scenarios.yaml_tree import Entry, hint
from sim.scenarios.yaml_values import Reading, combined, inner

_FORMS = {
    "on": ("before", "after", "lane"),
    "ahead_of": ("gap", "by", "lane"),
    "behind": ("gap", "by", "lane"),
    "beside": ("lane",),
    "oncoming_to": ("ahead", "lane"),
    "road": ("lane", "s"),
}
_COMMON = ("offset", "roadside", "off", "facing", "turned")
_FACING_RAD = {"ahead": 0.0, "left": math.pi / 2.0, "right": -math.pi / 2.0, "back": math.pi}
_SIDES = ("left", "right")
_PAVED = frozenset({"biking", "parking", "shoulder", "stop", "bus", "taxi", "HOV", "restricted"}) | DRIVING_KINDS


@dataclass(frozen=True)
class Site:
    """A resolved position: how far along which way, and how it stands there."""

    way: Way
    along: Value  # from the way's start
    offset: Value | None = None  # left of the lane's centre as one drives
    roadside: str | None = None  # beyond the left or right kerb instead
    off: Value | None = None  # by this much
    heading: str = "0"  # left of the direction of travel, an expression in radians


@dataclass
class Stage:
    """The road of a scenario and where its actors start."""

    streets: Streets
    reading: Reading
    choice: JunctionChoice = field(default_factory=JunctionChoice)
    ego_turns: Sequence[str] = ()
    sites: dict[str, Site] = field(default_factory=dict)
    entities: dict[str, Entity] = field(default_factory=dict)

    # ---------------------------------------------------------------- reading

    def site(self, entry: Entry, own: Entity | None = None, turns: Sequence[str] = ()) -> Site:
        """What a position means on this road; `own` is who stands there. Unfit where the road has no such place."""
        found = entry.items()
        form = next((name for name in _FORMS if name in found), None)
        if form is None:
            raise entry.error(f"one of {', '.join(_FORMS)} is needed to say where; found {', '.join(found) or 'none'}")
        found = entry.mapping((form,), (*_FORMS[form], *_COMMON))
        try:
            base = getattr(self, f"_{form}")(found, own, turns)
        except Unfit as error:
            raise error.at(entry.where) from None
        return self._details(entry, found, base)

    def _on(self, found: dict[str, Entry], own: Entity | None, turns: Sequence[str]) -> Site:
        name = found["on"].word(PLACES)
        lane = self.reading.word(found["lane"], ("right", "left", *map(str, range(1, 9)))) if "lane" in found else None
        spot = place(self.streets, name, lane, turns, self.choice, self.ego_turns)
        if "before" in found and "after" in found:
            raise found["after"].error("stands beside `before`; give one of them")
        sign, entry = ("-", found.get("before")) if "before" in found else ("+", found.get("after"))
        if entry is None:
            return Site(spot.way, constant(spot.at_m, found["on"].where))
        distance = self.reading.number(entry, "length")
        return Site(spot.way, combined(f"{spot.at_m!r} {sign} {inner(distance)}", distance))

    def _ahead_of(self, found: dict[str, Entry], own: Entity | None, turns: Sequence[str]) -> Site:
        return self._beyond(found, "ahead_of", own, turns)

    def _behind(self, found: dict[str, Entry], own: Entity | None, turns: Sequence[str]) -> Site:
        return self._beyond(found, "behind", own, turns)

    def _beyond(self, found: dict[str, Entry], form: str, own: Entity | None, turns: Sequence[str]) -> Site:
        """Ahead of or behind another actor, by a gap between bumpers or from reference point to reference point."""
        name, other = self._actor(found[form])
        if ("gap" in found) == ("by" in found):
            raise found[form].error("either `gap` (between bumpers) or `by` (between reference points) is needed")
        distance = self.reading.number(found["gap" if "gap" in found else "by"], "length")
        sign, bodies = ("+", "") if form == "ahead_of" else ("-", "")
        if "gap" in found:
            first, second = (self.entities[name], own) if form == "ahead_of" else (own, self.entities[name])
            bodies = f" {sign} {inner(combined(f'{_to_front(first)} + {_to_rear(second)}', distance))}"
        along = combined(f"{inner(other.along)} {sign} {inner(distance)}{bodies}", distance)
        return self._beside_lane(found, Site(other.way, along), turns)

    def _beside(self, found: dict[str, Entry], own: Entity | None, turns: Sequence[str]) -> Site:
        return self._beside_lane(found, replace(self._actor(found["beside"])[1], offset=None, roadside=None), turns)

    def _oncoming_to(self, found: dict[str, Entry], own: Entity | None, turns: Sequence[str]) -> Site:
        other = self._actor(found["oncoming_to"])[1]
        if "ahead" not in found:
            raise found["oncoming_to"].error("`ahead` is missing: how far ahead of it")
        distance = self.reading.number(found["ahead"], "length")
        along = combined(f"{inner(other.along)} + {inner(distance)}", distance)
        index = self._index(other.way, along)
        key, length = other.way.lanes[index], self.streets.length_m[other.way.lanes[index]]
        lane = self.reading.word(found["lane"], ("right", "left", *map(str, range(1, 9)))) if "lane" in found else None
        spot = on_lane(self.streets, self.streets.opposite(key), 0.0, lane, turns)
        return Site(spot.way, combined(f"{spot.at_m + length + other.way.starts_m[index]!r} - {inner(along)}", along))

    def _road(self, found: dict[str, Entry], own: Entity | None, turns: Sequence[str]) -> Site:
        if "lane" not in found or "s" not in found:
            raise found["road"].error("`lane` (an id) and `s` are needed beside the road's id")
        road, lane = found["road"].text(), self.reading.integer(found["lane"], -99, 99)
        s = self.reading.number(found["s"], "length")
        if road not in self.streets.network.roads:
            raise found["road"].error(f"no road {road!r}{hint(road, list(self.streets.network.roads)[:20])}")
        keys = [k for k in self.streets.length_m if k[0] == road and k[2] == lane]
        first = keys[0] if keys else None
        for key in keys:
            starts = self.streets.network.roads[road].sections[key[1]].s_m
            first = key if s.numbers(self.reading.draw).min() >= starts else first
        if first is None:
            raise found["lane"].error(f"road {road} has no driving lane {lane}")
        way, index = self.streets.way(first, turns)
        zero, sign = self.streets.road_s(first, 0.0), 1.0 if self.streets.forward(first) else -1.0
        return Site(way, combined(f"{way.starts_m[index]!r} + {sign!r} * ({inner(s)} - {zero!r})", s))

    def _actor(self, entry: Entry) -> tuple[str, Site]:
        name = self.reading.word(entry, tuple(self.sites))
        return name, self.sites[name]

    def _beside_lane(self, found: dict[str, Entry], site: Site, turns: Sequence[str]) -> Site:
        """The same place on a neighbouring lane, where one is asked for; the way goes on from there."""
        index = self._index(site.way, site.along)
        key = site.way.lanes[index]
        if "lane" in found:
            side = self.reading.word(found["lane"], ("left", "same", "right"))
            key = neighbour(self.streets, key, side)
        if key == site.way.lanes[index] and not turns:
            return site
        way, at = self.streets.way(key, turns)
        return Site(way, combined(f"{inner(site.along)} + {way.starts_m[at] - site.way.starts_m[index]!r}", site.along))

    def _details(self, entry: Entry, found: dict[str, Entry], site: Site) -> Site:
        heading = _FACING_RAD[self.reading.word(found["facing"], tuple(_FACING_RAD))] if "facing" in found else 0.0
        turned = inner(self.reading.number(found["turned"], "angle")) if "turned" in found else "0"
        if ("roadside" in found) != ("off" in found) or ("roadside" in found and "offset" in found):
            raise entry.error("`roadside` and `off` belong together, and exclude `offset`")
        number = self.reading.number
        return replace(
            site,
            offset=number(found["offset"], "length", -50.0, 50.0) if "offset" in found else None,
            roadside=self.reading.word(found["roadside"], _SIDES) if "roadside" in found else None,
            off=number(found["off"], "length", -50.0, 50.0) if "off" in found else None,
            heading=f"({heading!r} + {turned})" if heading or turned != "0" else "0",
        )

    # ---------------------------------------------------------------- resolving

    def _index(self, way: Way, along: Value) -> int:
        """Which lane of the way a place is on. Raises Mixed where it is not the same in all runs."""
        distances = np.unique(along.numbers(self.reading.draw)).tolist()
        try:
            indices = {way.index_at(distance) for distance in distances}
        except Unfit as error:
            raise error.at(along.where) from None
        if len(indices) > 1:
            raise Mixed(along.parameters(self.reading.draw))
        return indices.pop()

    def index(self, site: Site) -> int:
        """The lane of its way that a site is on, as an index. Raises Mixed where runs differ."""
        return self._index(site.way, site.along)

    def lane_of(self, site: Site) -> LaneKey:
        return site.way.lanes[self.index(site)]

    def position(self, site: Site) -> Position:
        """The lane position of a site, or a road position beyond the kerb."""
        index, where = self._index(site.way, site.along), site.along.where
        key, forward = site.way.lanes[index], self.streets.forward(site.way.lanes[index])
        travelled = f"({inner(site.along)} - {site.way.starts_m[index]!r})"
        s = combined(f"{self.streets.road_s(key, 0.0)!r} {'+' if forward else '-'} {travelled}", site.along)
        if site.roadside is not None:
            return self._roadside(site, key, s)
        offset = site.offset or constant(0.0, where)
        offset = offset if forward else combined(f"-{inner(offset)}", offset)
        orientation = None if site.heading == "0" else _relative(site, 0.0)
        return LanePosition(constant(key[0], where), constant(str(key[2]), where), s, offset, orientation)

    def _roadside(self, site: Site, key: LaneKey, s: Value) -> RoadPosition:
        assert site.off is not None
        forward = self.streets.forward(key)
        left = (site.roadside == "left") == forward  # of the reference line
        edges = kerb_t_m(self.streets, key, s.numbers(self.reading.draw), left)
        if np.ptp(edges) > 1e-6:
            raise Mixed(site.along.parameters(self.reading.draw))
        t = combined(f"{float(edges[0])!r} {'+' if left else '-'} {inner(site.off)}", site.off)
        return RoadPosition(constant(key[0], s.where), s, t, _relative(site, 0.0 if forward else math.pi))

    def route(self, site: Site) -> tuple[Position, ...]:
        """Points on the way ahead, one a road, as far as it crosses junctions; none where it crosses none."""
        index, where = self._index(site.way, site.along), site.along.where
        lanes = site.way.lanes[index:]
        last = max((i for i, key in enumerate(lanes) if self._decides(key)), default=0)
        found: list[Position] = [self.position(replace(site, offset=None, heading="0", roadside=None))]
        for key in lanes[1 : last + 2]:
            if self.streets.network.roads[key[0]].junction is None:
                s = constant(self.streets.road_s(key, 0.5 * self.streets.length_m[key]), where)
                lane = constant(str(key[2]), where)
                found.append(LanePosition(constant(key[0], where), lane, s, constant(0.0, where), None))
        return tuple(found) if last > 0 else ()

    def _decides(self, key: LaneKey) -> bool:
        return any(len(self.streets.after[before]) > 1 for before in self.streets.before[key])


def neighbour(streets: Streets, key: LaneKey, side: str) -> LaneKey:
    """The lane beside another in the same direction. Unfit where there is none."""
    beside = streets.abreast(key)
    index = beside.index(key) + {"left": 1, "same": 0, "right": -1}[side]
    if not 0 <= index < len(beside):
        raise Unfit(f"no lane to the {side} of lane {key[2]} of road {key[0]}")
    return beside[index]


def kerb_t_m(streets: Streets, key: LaneKey, s_m: np.ndarray, left: bool) -> np.ndarray:
    """t (n,) of the kerb on the reference line's left or right: the outer edge of all that vehicles use."""
    road, sign = streets.network.roads[key[0]], 1 if left else -1
    lanes = road.sections[key[1]].lanes
    outermost = max(
        (id * sign for id, lane in lanes.items() if id * sign > 0 and lane.kind in DRIVING_KINDS), default=0
    )
    while (beyond := lanes.get((outermost + 1) * sign)) is not None and beyond.kind in _PAVED:
        outermost += 1
    return road.borders(key[1], outermost * sign, s_m)[2]


def _relative(site: Site, along_road_rad: float) -> Orientation:
    where: Where = site.along.where
    heading = combined(f"{along_road_rad!r} + {site.heading}", site.along)
    return Orientation(heading, constant(0.0, where), constant(0.0, where), relative=True)


def _to_front(entity: Entity | None) -> str:
    """From the reference point to the front bumper."""
    return "0" if entity is None else _bumper(entity, f"{inner(entity.length)} / 2 + {inner(entity.center_x)}")


def _to_rear(entity: Entity | None) -> str:
    return "0" if entity is None else _bumper(entity, f"{inner(entity.length)} / 2 - {inner(entity.center_x)}")


def _bumper(entity: Entity, expression: str) -> str:
    return inner(combined(expression, entity.length))
