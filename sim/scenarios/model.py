"""A scenario as its file tells it: entities, initial actions and a storyboard whose leaves are unevaluated `Value`s.

The readers of OpenSCENARIO XML (`xosc.py`), of Roadloop's own YAML and of recordings make this tree; `storyboard.py`
evaluates it for a batch of parameter values. Names and meanings are those of ASAM OpenSCENARIO XML 1.3. Metres,
radians, m/s; lanes, roads and s as in OpenDRIVE; the reference point of a vehicle is its rear axle on the ground, of a
recorded one the middle of its box.
"""

from dataclasses import dataclass
from pathlib import Path

from sim.scenarios.behaviours import Behaviour
from sim.scenarios.conditions import Trigger
from sim.scenarios.entities import Entity
from sim.scenarios.positions import Position
from sim.scenarios.values import Scope, Value, Where


@dataclass(frozen=True)
class Action:
    name: str
    body: Behaviour
    where: Where


@dataclass(frozen=True)
class Event:
    name: str
    priority: str  # override (overwrite), skip, parallel
    executions: Value
    actions: tuple[Action, ...]
    start: Trigger | None  # None: starts with its parent
    where: Where


@dataclass(frozen=True)
class Maneuver:
    name: str
    events: tuple[Event, ...]


@dataclass(frozen=True)
class ManeuverGroup:
    name: str
    executions: Value
    actors: tuple[Value, ...]
    triggering_actors: bool  # those that met the trigger act too
    maneuvers: tuple[Maneuver, ...]
    where: Where


@dataclass(frozen=True)
class Act:
    name: str
    groups: tuple[ManeuverGroup, ...]
    start: Trigger | None
    stop: Trigger | None
    where: Where


@dataclass(frozen=True)
class Story:
    name: str
    acts: tuple[Act, ...]


@dataclass(frozen=True)
class Parameter:
    """A declaration; one of the constraint groups must hold, a group when all its (rule, value) do."""

    name: str
    kind: str  # double, int, unsignedInt, unsignedShort, boolean, string, dateTime
    value: Value
    constraints: tuple[tuple[tuple[str, Value], ...], ...] = ()


@dataclass(frozen=True)
class Criterion:
    """What a run is judged by, in Roadloop's own scenarios: a named measure of the ego and its bound."""

    name: str
    rule: str
    value: Value
    where: Where


@dataclass(frozen=True)
class RoadFiles:
    """The OpenDRIVE files of runs that differ in them."""

    name: Value  # as the scenario writes it
    files: dict[str, Path]  # by that name


@dataclass(frozen=True)
class Scenario:
    """One scenario file, read for one draw of the parameters that shape it."""

    name: str
    file: Path
    description: str
    scope: Scope
    parameters: tuple[Parameter, ...]
    variables: dict[str, Value]
    road_file: Path | None  # OpenDRIVE; None: generated or of several files, see below
    entities: tuple[Entity, ...]  # in file order; a trailer follows its tractor
    init: tuple[tuple[str | None, Action], ...]  # (entity or None for the world, action), in file order
    stories: tuple[Story, ...]
    stop: Trigger | None
    where: Where
    road_files: RoadFiles | None = None  # where runs differ in it
    road_kind: str | None = None  # generated road and its seed
    road_seed: Value | None = None
    ego: str | None = None  # entity that an agent drives; None: the first entity
    ego_goal: Position | None = None  # where it should go, for agents that follow a route
    duration_s: Value | None = None  # at most this long
    criteria: tuple[Criterion, ...] = ()
    notes: tuple[str, ...] = ()  # what the user should know about the reading: files found elsewhere
