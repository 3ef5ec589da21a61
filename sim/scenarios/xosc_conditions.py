"""Triggers and conditions of OpenSCENARIO files; one reader for each element, in tables."""

from collections.abc import Callable
from typing import Any

from sim.scenarios.conditions import (
    Acceleration,
    Angle,
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
    TimeOfDay,
    TimeToCollision,
    TraveledDistance,
    Trigger,
    ValueCondition,
    VariableCondition,
)
from sim.scenarios.xosc_positions import position
from sim.scenarios.xosc_xml import RULES, Element, Reader, same

_EDGES = same("none", "rising", "falling", "risingOrFalling")
_DIRECTIONS = same("longitudinal", "lateral", "vertical")
_COORDINATES = same("entity", "lane", "road", "trajectory", "world")
_DISTANCES = {
    "euclidianDistance": "euclidian",
    "euclideanDistance": "euclidian",
    "cartesianDistance": "euclidian",  # 1.0
    "longitudinal": "longitudinal",
    "lateral": "lateral",
}
_STATES = same(
    "startTransition", "endTransition", "stopTransition", "skipTransition",
    "completeState", "runningState", "standbyState",
)  # fmt: skip
_KINDS = same("story", "act", "maneuverGroup", "maneuver", "event", "action")
_TYPES = {"vehicle": "vehicle", "pedestrian": "pedestrian", "miscellaneous": "misc"}


def trigger(read: Reader, element: Element | None) -> Trigger | None:
    """A <StartTrigger> or <StopTrigger>; None where there is none. An empty one starts at once, and never stops."""
    if element is None:
        return None
    return tuple(
        tuple(_condition(read, condition) for condition in read.children(group, "Condition"))
        for group in read.children(element, "ConditionGroup")
    )


def _condition(read: Reader, element: Element) -> Condition:
    test, entities, some = read.one(element, _TESTS)
    return Condition(
        name=element.get("name", ""),  # as written: nothing refers to it, and some files put half an expression there
        delay=read.duration(element, "delay", default="0"),
        edge=read.choice(element, "conditionEdge", _EDGES, default="none"),
        test=test,
        where=read.where(element),
        entities=entities,
        any=some,
    )


def _by_value(read: Reader, element: Element) -> Any:
    return read.one(element, VALUE_CONDITIONS), (), True


def _by_entity(read: Reader, element: Element) -> Any:
    read.holds(element, "TriggeringEntities", "EntityCondition")
    triggering = read.child(element, "TriggeringEntities")
    entities = tuple(member for child in read.children(triggering, "EntityRef") for member in read.entity_values(child))
    if not entities:
        raise read.error(triggering, "has no <EntityRef>")
    some = read.choice(triggering, "triggeringEntitiesRule", {"any": True, "all": False})
    return read.one(read.child(element, "EntityCondition"), ENTITY_CONDITIONS), entities, some


_TESTS = {"ByValueCondition": _by_value, "ByEntityCondition": _by_entity}


def _rule(read: Reader, element: Element) -> str:
    return read.choice(element, "rule", RULES)


def _direction(read: Reader, element: Element) -> str | None:
    return read.choice(element, "direction", _DIRECTIONS) if "direction" in element.attrib else None


def _space(read: Reader, element: Element) -> dict[str, Any]:
    """How a distance is measured; `alongRoute`, of 1.0, is ignored beside what replaced it, and still euclidian."""
    later = "coordinateSystem" in element.attrib or "relativeDistanceType" in element.attrib
    along = not later and read.optional_boolean(element, "alongRoute")
    coordinates, kind = "road" if along else "entity", "euclidianDistance"
    return {
        "rule": _rule(read, element),
        "kind": read.choice(element, "relativeDistanceType", _DISTANCES, default=kind),
        "coordinates": read.choice(element, "coordinateSystem", _COORDINATES, default=coordinates),
        "freespace": read.boolean(element, "freespace"),
    }


# --- By value ---


def _element_state(read: Reader, element: Element) -> ElementState:
    return ElementState(
        kind=read.choice(element, "storyboardElementType", _KINDS),
        element=read.text(element, "storyboardElementRef"),
        state=read.choice(element, "state", _STATES),
    )


def _of_declared(key: str, of_parameter: bool) -> Callable[[Reader, Element], VariableCondition]:
    def reader(read: Reader, element: Element) -> VariableCondition:
        name = read.text(element, key).removeprefix("$")
        if name not in read.book.declared:
            known = ", ".join(sorted(read.book.declared)) or "none"
            raise read.error(element, f"has {key}={name!r}, which is not declared", f"there are: {known}")
        return VariableCondition(name, read.value(element, "value"), _rule(read, element), of_parameter)

    return reader


def _user_defined(read: Reader, element: Element) -> VariableCondition:
    return VariableCondition(read.text(element, "name"), read.value(element, "value"), _rule(read, element))


VALUE_CONDITIONS: dict[str, Callable[[Reader, Element], ValueCondition]] = {
    "SimulationTimeCondition": lambda read, e: SimulationTime(read.number(e, "value"), _rule(read, e)),
    "StoryboardElementStateCondition": _element_state,
    "ParameterCondition": _of_declared("parameterRef", of_parameter=True),
    "VariableCondition": _of_declared("variableRef", of_parameter=False),
    "UserDefinedValueCondition": _user_defined,
    "TimeOfDayCondition": lambda read, e: TimeOfDay(read.value(e, "dateTime"), _rule(read, e)),
}


# --- By entity ---


def _relative_distance(read: Reader, element: Element) -> Distance:
    entity, value = read.entity(element), read.number(element, "value")
    return Distance(entity=entity, position=None, value=value, **_space(read, element))


def _distance(read: Reader, element: Element) -> Distance:
    place, value = position(read, read.child(element, "Position")), read.number(element, "value")
    return Distance(entity=None, position=place, value=value, **_space(read, element))


def _headway(read: Reader, element: Element) -> TimeHeadway:
    return TimeHeadway(read.entity(element), read.number(element, "value"), **_space(read, element))


def _collision_time(read: Reader, element: Element) -> TimeToCollision:
    targets = {
        "EntityRef": lambda read, e: (read.entity(e), None),
        "Position": lambda read, e: (None, position(read, e)),
    }
    entity, place = read.one(read.child(element, "TimeToCollisionConditionTarget"), targets)
    return TimeToCollision(entity, place, read.number(element, "value"), **_space(read, element))


def _angle(read: Reader, element: Element) -> Angle:
    return Angle(
        angle=read.number(element, "angle"),
        tolerance=read.duration(element, "angleTolerance"),
        kind=read.choice(element, "angleType", same("heading", "pitch", "roll")),
        coordinates=read.choice(element, "coordinateSystem", _COORDINATES, default="world"),
        entity=read.entity(element) if element.tag == "RelativeAngleCondition" else None,
    )


def _collision(read: Reader, element: Element) -> Collision:
    return read.one(
        element,
        {
            "EntityRef": lambda read, e: Collision(read.entity(e), None),
            "ByType": lambda read, e: Collision(None, read.choice(e, "type", _TYPES)),
        },
    )


def _relative_speed(read: Reader, element: Element) -> RelativeSpeed:
    entity, value = read.entity(element), read.number(element, "value")
    return RelativeSpeed(entity, value, _rule(read, element), _direction(read, element))


def _reach(read: Reader, element: Element) -> ReachPosition:
    return ReachPosition(position(read, read.child(element, "Position")), read.duration(element, "tolerance"))


ENTITY_CONDITIONS: dict[str, Callable[[Reader, Element], EntityCondition]] = {
    "TraveledDistanceCondition": lambda read, e: TraveledDistance(read.number(e, "value")),
    "StandStillCondition": lambda read, e: StandStill(read.duration(e, "duration")),
    "SpeedCondition": lambda read, e: Speed(read.number(e, "value"), _rule(read, e), _direction(read, e)),
    "AccelerationCondition": lambda read, e: Acceleration(read.number(e, "value"), _rule(read, e), _direction(read, e)),
    "RelativeSpeedCondition": _relative_speed,
    "RelativeDistanceCondition": _relative_distance,
    "DistanceCondition": _distance,
    "TimeHeadwayCondition": _headway,
    "TimeToCollisionCondition": _collision_time,
    "AngleCondition": _angle,
    "RelativeAngleCondition": _angle,
    "EndOfRoadCondition": lambda read, e: EndOfRoad(read.duration(e, "duration")),
    "OffroadCondition": lambda read, e: Offroad(read.duration(e, "duration")),
    "CollisionCondition": _collision,
    "ReachPositionCondition": _reach,
}
