"""Places that every road of a kind has, by names that need no ids: a junction's approach, the ring, the on-ramp ...

A place is a point on a way; what stands before or after it is measured along that way. Where a network has several
such places the choice depends on the network alone: more room before it first, then the order of its roads.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sim.roads.lanelinks import LaneKey
from sim.scenarios.ways import Streets, Unfit, Way

SIGNS = ("light", "stop", "yield", "priority", "none")
_ENOUGH_M = 150.0  # of room before a place; beyond it, more is no better
_FROM_RAD = {"from_left": -math.pi / 2.0, "from_right": math.pi / 2.0, "from_ahead": math.pi}
_ARM_TOLERANCE_RAD = math.radians(55.0)

PLACES = {
    "road": "the beginning of the longest way without a junction",
    "approach": "the entry of the junction or roundabout that the scenario is about",
    "from_left": "the same, for who comes from the left of it",
    "from_right": "the same, for who comes from the right of it",
    "from_ahead": "the same, for who comes from the far side of it",
    "ring": "in the roundabout, where the approach joins it",
    "merge": "on the carriageway, where an on-ramp's acceleration lane begins",
    "on_ramp": "on that ramp, where its acceleration lane begins",
    "off_ramp": "on the way out of a motorway, where the ramp parts from the carriageway",
    "lane_drop": "on a lane that ends, where it begins to slide into its neighbour",
    "crosswalk": "on a lane, at a crosswalk away from junctions where there is one",
    "parking": "on the lane beside a row of parking spaces, where the row begins",
}


@dataclass(frozen=True)
class Spot:
    """A way and the place on it."""

    way: Way
    at_m: float


@dataclass(frozen=True)
class JunctionChoice:
    """Which junction a scenario is about; None where any will do."""

    arms: int | None = None
    sign: str | None = None  # of the approach
    sides: frozenset[str] = frozenset()  # from_left, from_right, from_ahead: arms that must be there


@dataclass(frozen=True)
class Approach:
    """The lanes of one road that lead into a junction, from the right, and what they lead into."""

    lanes: tuple[LaneKey, ...]
    junction: int  # index of the junction or roundabout in the network


def place(
    streets: Streets,
    name: str,
    lane: str | None = None,
    turns: Sequence[str] = (),
    choice: JunctionChoice | None = None,
    ego_turns: Sequence[str] = (),
) -> Spot:
    """A named place, on the lane asked for (right, left, or counted from the right) or on the first that can turn so.

    `choice` and `ego_turns` pick the junction. Raises Unfit where the network has no such place.
    """
    if name not in PLACES:
        raise ValueError(f"no place is called {name!r}; there are {', '.join(PLACES)}")
    finders: dict[str, Callable[[], tuple[LaneKey, float]]] = {
        "road": lambda: _longest_road(streets),
        "approach": lambda: _end(streets, main_approach(streets, choice, ego_turns).lanes[0]),
        "ring": lambda: _ring(streets, main_approach(streets, choice, ego_turns)),
        "merge": lambda: _merge(streets),
        "on_ramp": lambda: _on_ramp(streets),
        "off_ramp": lambda: _off_ramp(streets),
        "lane_drop": lambda: _lane_drop(streets),
        "crosswalk": lambda: _crosswalk(streets),
        "parking": lambda: _parking(streets),
    }
    if name in _FROM_RAD:
        arm = _arm(streets, name, main_approach(streets, choice, ego_turns), approaches(streets))
        if arm is None:
            raise Unfit(f"no arm {name} at the junction")
        key, along_m = _end(streets, arm.lanes[0])
    else:
        key, along_m = finders[name]()
    return on_lane(streets, key, along_m, lane, turns)


def on_lane(streets: Streets, key: LaneKey, along_m: float, lane: str | None, turns: Sequence[str]) -> Spot:
    """A place beside `along_m` of a lane, on the lane that is asked for. Unfit where it has no such lane or turn."""
    beside = streets.abreast(key)
    if lane is None:
        wanted = [key, *(k for k in beside if k != key)] if turns else [key]
    elif lane in ("right", "left"):
        wanted = [beside[0 if lane == "right" else -1]]
    elif lane.isdigit() and 1 <= int(lane) <= len(beside):
        wanted = [beside[int(lane) - 1]]
    else:
        raise Unfit(f"no lane {lane}: road {key[0]} has {len(beside)} in this direction")
    problem: Unfit | None = None
    for candidate in wanted:
        try:
            way, index = streets.way(candidate, turns)
            return Spot(way, way.starts_m[index] + along_m)
        except Unfit as error:
            problem = problem or error
    raise problem or Unfit("no lane")


# --- Roads and junctions ---


def _longest_road(streets: Streets) -> tuple[LaneKey, float]:
    """The first lane of the longest chain outside junctions that traffic may use at will, its outermost lane."""

    def chain_m(key: LaneKey) -> float:
        length, seen = 0.0, {key}
        while True:
            length += streets.length_m[key]
            nexts = [n for n in streets.after[key] if not streets.inside(n) and n not in seen]
            if not nexts:
                return length
            key = nexts[0]
            seen.add(key)

    outermost = {streets.abreast(k)[0] for k in streets.length_m if streets.kind(k) == "driving"}
    starts = [
        k
        for k in streets.length_m
        if k in outermost and not streets.inside(k) and all(streets.inside(b) for b in streets.before[k])
    ]
    starts = starts or [k for k in streets.length_m if not streets.inside(k)]
    if not starts:
        raise Unfit("no road outside junctions")
    return max(starts, key=chain_m), 0.0


def approaches(streets: Streets) -> list[Approach]:
    """Every way into every junction of at least three, in the order of the network's roads."""
    found: dict[tuple[str, bool], list[LaneKey]] = {}
    for key in streets.length_m:
        if streets.leads_into_junction(key):
            found.setdefault((key[0], streets.forward(key)), []).append(key)
    groups = [(tuple(sorted(lanes, key=streets.abreast(lanes[0]).index)), lanes[0]) for lanes in found.values()]
    entered = [streets.junction_of(next(n for n in streets.after[key] if streets.inside(n))) for _, key in groups]
    return [Approach(lanes, j) for (lanes, _), j in zip(groups, entered) if entered.count(j) >= 3]


def main_approach(streets: Streets, choice: JunctionChoice | None, turns: Sequence[str]) -> Approach:
    """The approach that a scenario is about. Unfit where none has the arms, the sign or the turn asked for."""
    choice, every = choice or JunctionChoice(), approaches(streets)
    arms = {a.junction: sum(b.junction == a.junction for b in every) for a in every}
    fitting = [
        a
        for a in every
        if choice.arms in (None, arms[a.junction])
        and choice.sign in (None, sign_of(streets, a))
        and all(_arm(streets, side, a, every) is not None for side in choice.sides)
        and (not turns or any(way.turn == turns[0] for key in a.lanes for way in streets.exits(key)))
    ]
    if not fitting:
        wish = [f"{choice.arms} arms"] * (choice.arms is not None) + [f"sign {choice.sign}"] * (choice.sign is not None)
        wish += [f"an arm {side}" for side in sorted(choice.sides)] + [f"a way {turn}" for turn in turns[:1]]
        raise Unfit(f"no junction with {' and '.join(wish) or 'three arms'}")
    return max(fitting, key=lambda a: (min(_room_m(streets, a.lanes[0]), _ENOUGH_M), arms[a.junction]))


def sign_of(streets: Streets, approach: Approach) -> str:
    """What regulates an approach: a light, a sign, or none."""
    key = approach.lanes[0]
    road, forward = streets.network.roads[key[0]], streets.forward(key)
    end = road.length_m if forward else 0.0
    kinds = {
        s.kind
        for s in streets.network.signals
        if s.road == key[0] and s.forward in (None, forward) and abs(s.s_m - end) < 30.0
    }
    return next((sign for sign in SIGNS if sign in kinds), "none")


def _arm(streets: Streets, name: str, main: Approach, every: Sequence[Approach]) -> Approach | None:
    """The other approach of the junction that lies best in the direction asked for; None where none does."""
    heading = streets.yaw_rad(main.lanes[0], at_end=True)

    def off_rad(other: Approach) -> float:
        turned = streets.yaw_rad(other.lanes[0], at_end=True) - heading
        return abs(math.remainder(turned - _FROM_RAD[name], 2.0 * math.pi))

    others = [a for a in every if a.junction == main.junction and a != main]
    best = min(others, key=off_rad)
    return best if off_rad(best) <= _ARM_TOLERANCE_RAD else None


def _room_m(streets: Streets, key: LaneKey) -> float:
    """How far one can drive towards the end of a lane without passing a junction."""
    length, seen = streets.length_m[key], {key}
    while True:
        befores = [b for b in streets.before[key] if not streets.inside(b) and b not in seen]
        if not befores or length > _ENOUGH_M:
            return length
        key = befores[0]
        seen.add(key)
        length += streets.length_m[key]


def _end(streets: Streets, key: LaneKey) -> tuple[LaneKey, float]:
    return key, streets.length_m[key]


def _ring(streets: Streets, main: Approach) -> tuple[LaneKey, float]:
    for way in streets.exits(main.lanes[0]):
        for key in way.path:
            upstream = [b for b in streets.before[key] if b in streets.ring]
            if key in streets.ring and upstream:
                return _end(streets, upstream[0])
    raise Unfit("no roundabout")


# --- Motorways ---


def _merge(streets: Streets) -> tuple[LaneKey, float]:
    entry = _entry(streets)
    return next(k for k in streets.abreast(entry) if streets.kind(k) == "driving"), 0.0


def _on_ramp(streets: Streets) -> tuple[LaneKey, float]:
    entry = _entry(streets)
    return _end(streets, next(b for b in streets.before[entry] if streets.kind(b) == "onRamp"))


def _entry(streets: Streets) -> LaneKey:
    """The acceleration lane that an on-ramp leads into and that ends in a neighbour, the longest ramp first."""
    found = [
        k
        for k in streets.length_m
        if streets.kind(k) == "entry" and any(streets.kind(b) == "onRamp" for b in streets.before[k])
    ]
    if not found:
        raise Unfit("no on-ramp with an acceleration lane")
    return found[0]


def _off_ramp(streets: Streets) -> tuple[LaneKey, float]:
    found = [
        k
        for k in streets.length_m
        if streets.kind(k) == "offRamp" and any(streets.kind(b) in ("exit", "driving") for b in streets.before[k])
    ]
    if not found:
        raise Unfit("no off-ramp")
    return max(found, key=lambda k: min(_room_m(streets, k), _ENOUGH_M)), 0.0


def _lane_drop(streets: Streets) -> tuple[LaneKey, float]:
    """The end of the outermost main lane where the road goes on with one lane less."""
    for key, nexts in streets.after.items():
        if streets.kind(key) != "driving" or len(nexts) != 1 or not _slides(streets, nexts[0]):
            continue
        if key == max(streets.abreast(key), key=lambda k: abs(k[2])):
            return _end(streets, key)
    raise Unfit("no lane that ends")


def _slides(streets: Streets, inner: LaneKey) -> bool:
    """Whether a lane merges into one that another lane of the same road leads into as well."""
    targets = streets.after[inner]
    if streets.network.roads[inner[0]].junction is None or streets.inside(inner) or len(targets) != 1:
        return False
    sources = [road for b in streets.before[targets[0]] for road in {k[0] for k in streets.before[b]}]
    return len(sources) > 1 and len(set(sources)) == 1


# --- Furniture ---


def _crosswalk(streets: Streets) -> tuple[LaneKey, float]:
    """On the lane with the most room before a crosswalk, between junctions rather than at one."""
    found = [
        ((15.0 < item.s_m < streets.network.roads[item.road].length_m - 15.0, room), key, along)
        for item in streets.network.objects
        if item.kind == "crosswalk"
        for key, along, room in _beside(streets, item.road, item.s_m)
    ]
    if not found:
        raise Unfit("no crosswalk")
    _, key, along = max(found, key=lambda entry: entry[0])
    return streets.abreast(key)[0], along


def _parking(streets: Streets) -> tuple[LaneKey, float]:
    """Where the longest row of parking spaces on the lane's own side begins."""
    rows: dict[LaneKey, list[float]] = {}
    for item in streets.network.objects:
        if item.kind == "parking":
            for key, along, _ in _beside(streets, item.road, item.s_m):
                if (key[2] > 0) == (item.t_m > 0) and streets.abreast(key)[0] == key:
                    rows.setdefault(key, []).append(along - 0.5 * item.length_m)
    longest = max(rows, key=lambda key: len(rows[key]), default=None)
    if longest is None:
        raise Unfit("no parking spaces")
    return longest, max(0.0, min(rows[longest]))


def _beside(streets: Streets, road_id: str, s_m: float) -> list[tuple[LaneKey, float, float]]:
    """Lanes that pass a place of a road, how far along them it lies, and how much room one has before it."""
    road, found = streets.network.roads[road_id], []
    for key in streets.of_road.get(road_id, ()):
        section = road.sections[key[1]]
        if section.s_m <= s_m <= section.end_m(key[2]) and not streets.inside(key):
            along = float(abs(s_m - streets.road_s(key, 0.0)))
            room = min(_room_m(streets, key) - streets.length_m[key] + along, _ENOUGH_M)
            found.append((key, along, room))
    return found
