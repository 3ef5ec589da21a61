"""The story of scenario YAML: steps with a trigger and what actors then do, as acts of the storyboard.

A step is an act, an actor in it a maneuver group, and each of its actions an event: those in a list follow each other,
those in one mapping happen at once.
"""

from dataclasses import dataclass, replace

from sim.scenarios.behaviours import Behaviour, DeleteEntity, Dynamics, FollowTrajectory, SpeedChange
from sim.scenarios.conditions import Condition, ElementState, EndOfRoad, SimulationTime, Trigger
from sim.scenarios.model import Act, Action, Event, Maneuver, ManeuverGroup
from sim.scenarios.values import Value, constant
from sim.scenarios.yaml_actions import ACTIONS, Doing, action, weather
from sim.scenarios.yaml_actors import Actor
from sim.scenarios.yaml_positions import Stage
from sim.scenarios.yaml_tree import Entry, Key
from sim.scenarios.yaml_triggers import Cues, trigger
from sim.scenarios.yaml_values import combined, inner

WORLD = "world"  # who changes the weather
MAX_STEPS = 200


@dataclass(frozen=True)
class _Doing:
    """One thing an actor does in a step: after a pause, some behaviours at once."""

    where: Key
    pause: Value
    behaviours: list[tuple[str, Behaviour]]


def read_story(entry: Entry, stage: Stage, actors: dict[str, Actor]) -> tuple[Act, ...]:
    """The acts of all steps."""
    steps = entry.sequence()
    if len(steps) > MAX_STEPS:
        raise entry.error(f"{len(steps)} steps; there may be {MAX_STEPS}")
    found = [step.mapping(("do",), ("when", "name")) for step in steps]
    names = [_name(step, i) for i, step in enumerate(found)]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise steps[i].error(f"the name {name!r} is taken by another step; choose another")
    cues = Cues(stage, tuple(names))
    return tuple(_act(name, step, keys, cues, actors) for name, step, keys in zip(names, steps, found))


def leaving(actors: dict[str, Actor], ego: str) -> tuple[Act, ...]:
    """Acts that take vehicles away where their road ends."""
    found: list[Act] = []
    for name, actor in actors.items():
        if name == ego or actor.entity.kind != "vehicle":
            continue
        who, where = constant(name, actor.entity.where), actor.entity.where
        zero, step = constant(0.0, where), f"{name}.leaves"
        end = Condition(f"{step}.when", zero, "none", EndOfRoad(zero), where, (who,))
        event = Event(
            f"{step}.event", "parallel", constant("1", where), (Action(step, DeleteEntity(who), where),), None, where
        )
        group = ManeuverGroup(f"{step}.group", constant("1", where), (who,), False, (Maneuver(step, (event,)),), where)
        found.append(Act(step, (group,), ((end,),), None, where))
    return tuple(found)


def _name(step: dict[str, Entry], index: int) -> str:
    if "name" not in step:
        return f"step_{index + 1}"
    name = step["name"].text()
    if not name.isidentifier():
        raise step["name"].error(f"{name!r} is no name for a step; use letters, digits and _")
    return name


def _act(name: str, step: Entry, found: dict[str, Entry], cues: Cues, actors: dict[str, Actor]) -> Act:
    start = trigger(found["when"], cues) if "when" in found else at_once(step.where)
    doings = found["do"].mapping(optional=(*actors, WORLD))
    if not doings:
        raise found["do"].error(f"nobody does anything; name an actor: {', '.join(actors)}")
    groups = tuple(_group(name, actor, entry, cues.stage, actors) for actor, entry in doings.items())
    return Act(name, groups, start, None, step.where)


def at_once(where: Key) -> Trigger:
    """Holds from the start."""
    zero = constant(0.0, where)
    return ((Condition("start", zero, "none", SimulationTime(zero, "greaterOrEqual"), where),),)


def _group(step: str, name: str, entry: Entry, stage: Stage, actors: dict[str, Actor]) -> ManeuverGroup:
    doings = _paused(entry, [doing for item in entry.sequence() for doing in _doings(name, item, stage, actors)])
    events: list[Event] = []
    for i, doing in enumerate(doings):
        previous = events[-1].name if events else None
        events.append(_event(f"{step}.{name}.{i + 1}", doing, step, previous))
    actor = () if name == WORLD else (constant(name, entry.where),)
    maneuver = Maneuver(f"{step}.{name}.doing", tuple(events))
    return ManeuverGroup(f"{step}.{name}", constant("1", entry.where), actor, False, (maneuver,), entry.where)


def _event(name: str, doing: _Doing, step: str, previous: str | None) -> Event:
    """An event that starts with its step, or when the one before it is over."""
    after = ElementState("event", previous, "completeState") if previous else ElementState("act", step, "runningState")
    begin = Condition(f"{name}.start", doing.pause, "none", after, doing.where)
    actions = tuple(Action(f"{name}.{verb}", behaviour, doing.where) for verb, behaviour in doing.behaviours)
    return Event(name, "parallel", constant("1", doing.where), actions, ((begin,),), doing.where)


def _paused(entry: Entry, doings: list[_Doing]) -> list[_Doing]:
    """Pauses that stand alone become part of what follows them."""
    found: list[_Doing] = []
    for doing in doings:
        if found and not found[-1].behaviours:
            pause = found.pop().pause
            doing = replace(doing, pause=combined(f"{inner(pause)} + {inner(doing.pause)}", pause))
        found.append(doing)
    if not found or not found[-1].behaviours:
        raise entry.error(f"nothing to do{' after the wait' if found else ''}; there are {', '.join(ACTIONS)}")
    return found


def _doings(name: str, entry: Entry, stage: Stage, actors: dict[str, Actor]) -> list[_Doing]:
    """What one item of an actor's list means."""
    where = entry.where
    found = entry.mapping(optional=("wait", *(("weather",) if name == WORLD else ACTIONS)))
    zero = constant(0.0, where)
    pause = stage.reading.number(found["wait"], "time", 0.0, 3600.0) if "wait" in found else zero
    if name == WORLD:
        return [
            _Doing(where, pause, [("weather", weather(item, stage)) for verb, item in found.items() if verb != "wait"])
        ]
    doing = Doing(stage, actors, name)
    done = [(verb, b) for verb, item in found.items() if verb != "wait" for b in action(verb, item, doing)]
    doings = [_Doing(where, pause, done)]
    if any(isinstance(behaviour, FollowTrajectory) for _, behaviour in done):
        # Who has come to the end of a path stops there instead of going on along the road.
        doings.append(_Doing(where, zero, [("stop", SpeedChange(Dynamics("step", "time", zero), zero))]))
    return doings
