"""What triggers of a scenario test: conditions on values and on entities, as unevaluated values."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sim.scenarios.positions import Position
from sim.scenarios.values import Value, Where

# Rules by their names in the standard, exact; triggers compare with a tolerance of their own.
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "greaterThan": operator.gt,
    "greaterOrEqual": operator.ge,
    "lessThan": operator.lt,
    "lessOrEqual": operator.le,
    "equalTo": operator.eq,
    "notEqualTo": operator.ne,
}


@dataclass(frozen=True)
class SimulationTime:
    value: Value
    rule: str  # greaterThan, greaterOrEqual, lessThan, lessOrEqual, equalTo, notEqualTo


@dataclass(frozen=True)
class ElementState:
    kind: str  # story, act, maneuverGroup, maneuver, event, action
    element: str  # a name, or a path of names joined by ::
    state: str  # startTransition, endTransition, stopTransition, skipTransition, completeState, runningState, ...


@dataclass(frozen=True)
class VariableCondition:
    """Also of a parameter, and of a user-defined value, which counts as unset."""

    name: str
    value: Value
    rule: str
    of_parameter: bool = False


@dataclass(frozen=True)
class TimeOfDay:
    date_time: Value
    rule: str


@dataclass(frozen=True)
class TraveledDistance:
    value: Value


@dataclass(frozen=True)
class StandStill:
    duration: Value


@dataclass(frozen=True)
class Speed:
    value: Value
    rule: str
    direction: str | None  # longitudinal, lateral, vertical; None: its magnitude


@dataclass(frozen=True)
class Acceleration:
    value: Value
    rule: str
    direction: str | None


@dataclass(frozen=True)
class RelativeSpeed:
    entity: Value
    value: Value
    rule: str
    direction: str | None


@dataclass(frozen=True)
class Distance:
    """To an entity (RelativeDistanceCondition) or to a position (DistanceCondition)."""

    entity: Value | None
    position: Position | None
    value: Value
    rule: str
    kind: str  # euclidian, longitudinal, lateral
    coordinates: str  # entity, lane, road, trajectory, world
    freespace: bool


@dataclass(frozen=True)
class TimeHeadway:
    entity: Value
    value: Value
    rule: str
    kind: str
    coordinates: str
    freespace: bool


@dataclass(frozen=True)
class TimeToCollision:
    entity: Value | None
    position: Position | None
    value: Value
    rule: str
    kind: str
    coordinates: str
    freespace: bool


@dataclass(frozen=True)
class Angle:
    """Of the heading, pitch or roll; relative to `entity` where one is given."""

    angle: Value
    tolerance: Value
    kind: str
    coordinates: str
    entity: Value | None = None


@dataclass(frozen=True)
class EndOfRoad:
    duration: Value


@dataclass(frozen=True)
class Offroad:
    duration: Value


@dataclass(frozen=True)
class Collision:
    """With an entity, or with any of a kind (vehicle, pedestrian, misc; None: anything)."""

    entity: Value | None
    kind: str | None


@dataclass(frozen=True)
class ReachPosition:
    position: Position
    tolerance: Value


ValueCondition = SimulationTime | ElementState | VariableCondition | TimeOfDay
EntityCondition = (
    TraveledDistance
    | StandStill
    | Speed
    | Acceleration
    | RelativeSpeed
    | Distance
    | TimeHeadway
    | TimeToCollision
    | Angle
    | EndOfRoad
    | Offroad
    | Collision
    | ReachPosition
)


@dataclass(frozen=True)
class Condition:
    """A test on values, or on the triggering entities, of which `any` or all must meet it."""

    name: str
    delay: Value
    edge: str  # none, rising, falling, risingOrFalling
    test: ValueCondition | EntityCondition
    where: Where
    entities: tuple[Value, ...] = ()
    any: bool = True


Trigger = tuple[tuple[Condition, ...], ...]  # one of the groups must hold, a group when all its conditions do
