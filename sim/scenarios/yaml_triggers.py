"""When things happen in scenario YAML: conditions in one line each, and `all` and `any` of them."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from sim.scenarios.conditions import (
    Acceleration,
    Collision,
    Condition,
    Distance,
    ElementState,
    EndOfRoad,
    EntityCondition,
    Offroad,
    ReachPosition,
    RelativeSpeed,
    SimulationTime,
    Speed,
    StandStill,
    TimeHeadway,
    TimeToCollision,
    TraveledDistance,
    Trigger,
    ValueCondition,
)
from sim.scenarios.values import Value, constant
from sim.scenarios.yaml_positions import Stage
from sim.scenarios.yaml_tree import Entry, hint

_MAX_GROUPS = 100


@dataclass
class Cues:
    """What conditions refer to: the stage with its actors, and the steps of the story by name."""

    stage: Stage
    steps: tuple[str, ...] = ()


def trigger(entry: Entry, cues: Cues) -> Trigger:
    """The groups of conditions, one of which must hold as a whole."""
    if entry.is_mapping and ("all" in entry.items() or "any" in entry.items()):
        key, inside = entry.single(("all", "any"))
        parts = [trigger(part, cues) for part in inside.sequence()]
        if not parts:
            raise inside.error("no conditions; list at least one")
        groups = tuple(group for part in parts for group in part)
        if key == "all":
            if len(groups) > _MAX_GROUPS:
                raise inside.error(f"more than {_MAX_GROUPS} conditions")
            groups = tuple(tuple(c for group in chosen for c in group) for chosen in product(*parts))
        if len(groups) > _MAX_GROUPS:
            raise inside.error(f"more than {_MAX_GROUPS} alternatives; write fewer `any` inside `all`")
        return groups
    return ((_condition(entry, cues),),)


def _condition(entry: Entry, cues: Cues) -> Condition:
    found = entry.items()
    name = next((key for key in CONDITIONS if key in found), None)
    if name is None:
        given = next(iter(found), "nothing")
        raise entry.error(f"{given!r} is no condition{hint(given, [*CONDITIONS, 'all', 'any'])}")
    required, optional, read = CONDITIONS[name]
    found = entry.mapping((name, *required), (*optional, "delay"))
    test, who = read(found, cues)
    number = cues.stage.reading.number
    delay = number(found["delay"], "time", 0.0) if "delay" in found else constant(0.0, entry.where)
    # Without an edge a state that holds from the start counts as well.
    return Condition(entry.where.element, delay, "none", test, entry.where, who)


# --- One reader a condition ---

_Read = Callable[[dict[str, Entry], Cues], tuple[ValueCondition | EntityCondition, tuple[Value, ...]]]


def _who(entry: Entry, cues: Cues) -> Value:
    name = cues.stage.reading.word(entry, tuple(cues.stage.entities))
    return constant(name, entry.where)


def _pair(entry: Entry, cues: Cues) -> tuple[Value, Value]:
    both = entry.sequence()
    if len(both) != 2:
        raise entry.error("two actors are needed, as in [cutter, ego]")
    return _who(both[0], cues), _who(both[1], cues)


def _bound(found: dict[str, Entry], cues: Cues, quantity: str) -> tuple[Value, str]:
    given = [key for key in ("above", "below") if key in found]
    if len(given) != 1:
        first = next(iter(found.values()))
        raise first.error("one of `above` and `below` is needed")
    value = cues.stage.reading.number(found[given[0]], quantity)
    return value, {"above": "greaterThan", "below": "lessThan"}[given[0]]


def _time(found: dict[str, Entry], cues: Cues) -> tuple[ValueCondition, tuple[Value, ...]]:
    return SimulationTime(cues.stage.reading.number(found["time"], "time", 0.0), "greaterOrEqual"), ()


def _after(found: dict[str, Entry], cues: Cues) -> tuple[ValueCondition, tuple[Value, ...]]:
    return ElementState("act", found["after"].word(cues.steps), "completeState"), ()


def _started(found: dict[str, Entry], cues: Cues) -> tuple[ValueCondition, tuple[Value, ...]]:
    return ElementState("act", found["started"].word(cues.steps), "runningState"), ()


def _distance(name: str, kind: str, coordinates: str) -> _Read:
    def read(found: dict[str, Entry], cues: Cues) -> tuple[EntityCondition, tuple[Value, ...]]:
        who, other = _pair(found[name], cues)
        return Distance(other, None, *_bound(found, cues, "length"), kind, coordinates, True), (who,)

    return read


def _in_time(name: str, test: type[TimeHeadway] | type[TimeToCollision]) -> _Read:
    def read(found: dict[str, Entry], cues: Cues) -> tuple[EntityCondition, tuple[Value, ...]]:
        who, other = _pair(found[name], cues)
        value, rule = _bound(found, cues, "time")
        if test is TimeHeadway:
            return TimeHeadway(other, value, rule, "longitudinal", "lane", True), (who,)
        return TimeToCollision(other, None, value, rule, "euclidian", "entity", True), (who,)

    return read


def _speed(found: dict[str, Entry], cues: Cues) -> tuple[EntityCondition, tuple[Value, ...]]:
    return Speed(*_bound(found, cues, "speed"), None), (_who(found["speed"], cues),)


def _relative_speed(found: dict[str, Entry], cues: Cues) -> tuple[EntityCondition, tuple[Value, ...]]:
    who, other = _pair(found["relative_speed"], cues)
    return RelativeSpeed(other, *_bound(found, cues, "speed"), "longitudinal"), (who,)


def _acceleration(found: dict[str, Entry], cues: Cues) -> tuple[EntityCondition, tuple[Value, ...]]:
    return Acceleration(*_bound(found, cues, "acceleration"), "longitudinal"), (_who(found["acceleration"], cues),)


def _traveled(found: dict[str, Entry], cues: Cues) -> tuple[EntityCondition, tuple[Value, ...]]:
    distance = cues.stage.reading.number(found["above"], "length", 0.0)
    return TraveledDistance(distance), (_who(found["traveled"], cues),)


def _for(name: str, test: type[StandStill] | type[EndOfRoad] | type[Offroad]) -> _Read:
    def read(found: dict[str, Entry], cues: Cues) -> tuple[EntityCondition, tuple[Value, ...]]:
        seconds = found.get("for")
        where = found[name].where
        duration = cues.stage.reading.number(seconds, "time", 0.0) if seconds else constant(0.0, where)
        return test(duration), (_who(found[name], cues),)

    return read


def _collision(found: dict[str, Entry], cues: Cues) -> tuple[EntityCondition, tuple[Value, ...]]:
    if found["collision"].is_list:
        who, other = _pair(found["collision"], cues)
        return Collision(other, None), (who,)
    return Collision(None, None), (_who(found["collision"], cues),)


def _reaches(found: dict[str, Entry], cues: Cues) -> tuple[EntityCondition, tuple[Value, ...]]:
    position = cues.stage.position(cues.stage.site(found["at"]))
    within = cues.stage.reading.number(found["within"], "length", 0.1, 1000.0)
    return ReachPosition(position, within), (_who(found["reaches"], cues),)


_BOUNDS = ("above", "below")
CONDITIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...], _Read]] = {  # needed keys, possible keys, reader
    "time": ((), (), _time),
    "after": ((), (), _after),
    "started": ((), (), _started),
    "distance": ((), _BOUNDS, _distance("distance", "euclidian", "entity")),
    "gap": ((), _BOUNDS, _distance("gap", "longitudinal", "lane")),
    "headway": ((), _BOUNDS, _in_time("headway", TimeHeadway)),
    "ttc": ((), _BOUNDS, _in_time("ttc", TimeToCollision)),
    "speed": ((), _BOUNDS, _speed),
    "relative_speed": ((), _BOUNDS, _relative_speed),
    "acceleration": ((), _BOUNDS, _acceleration),
    "traveled": (("above",), (), _traveled),
    "stands": ((), ("for",), _for("stands", StandStill)),
    "end_of_road": ((), ("for",), _for("end_of_road", EndOfRoad)),
    "offroad": ((), ("for",), _for("offroad", Offroad)),
    "collision": ((), (), _collision),
    "reaches": (("at", "within"), (), _reaches),
}
