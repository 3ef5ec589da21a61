"""The storyboard of a batch: stories, acts, groups, maneuvers, events and actions with a state for every run.

A tick goes through it twice from the top: first triggers are tested, on the world as the last tick left it, and start
or stop elements; then the actions that run move on. What starts in a tick therefore acts in the same tick. An element
is complete when its children are; a group or event that may run again goes back to standby instead.
Masks (B,) say in which runs something happens; a branch that nobody takes costs nothing.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol

import numpy as np

from sim.scenarios.conditions import ElementState, Trigger
from sim.scenarios.distances import Distances
from sim.scenarios.model import Act, Action, Event, ManeuverGroup, Scenario
from sim.scenarios.motions import Bodies
from sim.scenarios.poses import Places
from sim.scenarios.road_tables import Bools
from sim.scenarios.triggers import Firing
from sim.scenarios.values import Where
from sim.scenarios.variables import Variables

if TYPE_CHECKING:
    from sim.scenarios.actions import Deeds

INITIAL, STANDBY, RUNNING, COMPLETE = range(4)
START, END, STOP, SKIP, READY = range(5)
_STATES = {"standbyState": STANDBY, "runningState": RUNNING, "completeState": COMPLETE}
_TRANSITIONS = {"startTransition": START, "endTransition": END, "stopTransition": STOP, "skipTransition": SKIP}
_LEVELS = ("storyboard", "story", "act", "maneuverGroup", "maneuver", "event", "action")
_MANY = 2**31


class Deed(Protocol):
    """What an action does to the world. `entity` is whom it moves, -1 for the world; `domains` what of it."""

    entity: int
    domains: frozenset[str]

    def start(self, runs: Bools) -> Bools: ...

    def step(self, runs: Bools, dt_s: float) -> Bools: ...


class Stage:
    """What all parts of a storyboard share."""

    def __init__(self, scenario: Scenario, bodies: Bodies) -> None:
        self.scenario, self.bodies = scenario, bodies
        self.places, self.distances = Places(bodies), Distances(bodies)
        self.variables = Variables(scenario, bodies.draw)
        self.time_s = 0.0
        self.acting: dict[int, list[Element]] = {}  # the actions of each entity
        self._watches: list[tuple[ElementState, Where, _Watch]] = []

    def watch(self, test: ElementState, where: Where) -> Callable[[Bools], Bools]:
        """A test of an element's state; which element is settled when the storyboard stands."""
        watch = _Watch(test, self.bodies.draw.size)
        self._watches.append((test, where, watch))
        return watch.test

    def settle(self, root: "Element") -> None:
        """Find the elements that are watched. ValueError where there is none of the name."""
        for test, where, watch in self._watches:
            found = [e for e in root.all() if e.level == test.kind and _is_called(e.path, test.element)]
            if not found:
                known = ", ".join(sorted({e.name for e in root.all() if e.level == test.kind})) or "none"
                raise ValueError(f"{where}: the storyboard has no {test.kind} {test.element!r}; there are: {known}")
            found[0].watches.append(watch)


def _is_called(path: str, name: str) -> bool:
    return path == name or path.endswith("::" + name)


class _Watch:
    """What a condition knows of an element: its last state, and what happened since it was last tested."""

    def __init__(self, test: ElementState, size: int) -> None:
        self.state, self.transition = _STATES.get(test.state), _TRANSITIONS.get(test.state)
        self.changed, self.matched, self.is_so = np.zeros((3, size), dtype=bool)

    def note(self, runs: Bools, state: int, transition: int) -> None:
        hit = state == self.state if self.state is not None else transition == self.transition
        self.changed = self.changed | runs
        self.matched = self.matched | (runs & hit)
        if self.state is not None:
            self.is_so = np.where(runs, hit, self.is_so)

    def test(self, runs: Bools) -> Bools:
        found = np.where(self.changed, self.matched, self.is_so)
        self.changed, self.matched = self.changed & ~runs, self.matched & ~runs
        return found


class Element:
    """One element of the tree; B states."""

    def __init__(self, level: str, name: str, parent: "Element | None", size: int) -> None:
        self.level, self.name, self.parent = level, name, parent
        above = "" if parent is None or parent.level == "storyboard" else parent.path + "::"
        self.path = above + name
        self.children: list[Element] = []
        self.begin: Firing | None = None
        self.finish: Firing | None = None
        self.most = np.full(size, _MANY)
        self.state, self.runs_made = np.zeros((2, size), dtype=np.int64)
        self.watches: list[_Watch] = []
        if parent is not None:
            parent.children.append(self)

    def all(self) -> "list[Element]":
        """This element and all below it, in order."""
        return [self, *(below for child in self.children for below in child.all())]

    def _enter(self, runs: Bools, state: int, transition: int) -> None:
        changed = runs & (self.state != state)
        if changed.any():
            for watch in self.watches:
                watch.note(changed, state, transition)
            self.state = np.where(changed, state, self.state)

    def start(self, runs: Bools) -> None:
        """Get ready, where there is a trigger to wait for, else run."""
        waits = runs & (self.state == INITIAL) if self.begin is not None else runs & False
        goes = runs & ~waits & ((self.state <= STANDBY) | (self.runs_made > 0))
        self._enter(waits, STANDBY, READY)
        self._go(goes)
        if self.level != "event" and goes.any():
            for child in self.children:
                child.start(goes)

    def _go(self, runs: Bools) -> None:
        self._enter(runs, RUNNING, START)
        self.runs_made = self.runs_made + runs

    def trigger(self, runs: Bools) -> None:
        """Test the triggers, here and below."""
        running = runs & (self.state == RUNNING)
        if self.finish is not None and running.any():
            stops = self.finish.test(running)
            if stops.any():
                self.stop(stops)
        ready = runs & (self.state == STANDBY)
        if ready.any():
            fired = ready if self.begin is None else self.begin.test(ready)
            if fired.any():
                self.start(fired)
        running = runs & (self.state == RUNNING)
        if running.any():
            for child in self.children:
                child.trigger(running)

    def step(self, runs: Bools, dt_s: float) -> None:
        """Let the actions that run below move on."""
        running = runs & (self.state == RUNNING)
        if running.any():
            for child in self.children:
                child.step(running, dt_s)

    def stop(self, runs: Bools) -> None:
        """Stop it and all below, for good."""
        for child in self.children:
            child.stop(runs)
        before = runs & (self.state != COMPLETE)
        self._enter(before & (self.state != INITIAL), COMPLETE, STOP)
        if self.parent is not None and before.any():
            self.parent.child_done(before)

    def child_done(self, runs: Bools) -> None:
        """End it where all its children are complete."""
        if self.level == "storyboard":
            return
        over = runs & (self.state != COMPLETE)
        for child in self.children:
            over = over & (child.state == COMPLETE)
        if over.any():
            self.end(over)

    def end(self, runs: Bools) -> None:
        """End it, or let it wait for its next execution."""
        runs = runs & (self.state != COMPLETE)
        if not runs.any():
            return
        for child in self.children:
            going = runs & (child.state == RUNNING)
            if going.any():
                child.end(going)
        runs = runs & (self.state != COMPLETE)
        able = runs & (self.state != INITIAL)
        again = able & (self.runs_made < self.most) if self.level in ("maneuverGroup", "event") else able & False
        self._enter(able & ~again, COMPLETE, END)
        if again.any():
            for trigger in (self.begin, self.finish):
                if trigger is not None:
                    trigger.reset(again)
            self._enter(again, STANDBY, END)
            for child in self.children:
                child.reset(again)
        if self.parent is not None and runs.any():
            self.parent.child_done(runs)

    def reset(self, runs: Bools) -> None:
        """Back to the beginning, for a next execution of what is above."""
        for child in self.children:
            child.reset(runs)
        self.state = np.where(runs, INITIAL, self.state)


class ActionElement(Element):
    """An action."""

    def __init__(self, name: str, parent: Element | None, size: int, deed: Deed) -> None:
        super().__init__("action", name, parent, size)
        self.deed = deed

    def start(self, runs: Bools) -> None:
        super().start(runs)
        self._after(self.deed.start(runs))

    def leave_out(self, runs: Bools) -> None:
        """Nothing to do in these runs: whose action it is has not triggered the event."""
        if runs.any():
            self._enter(runs, COMPLETE, SKIP)
            assert self.parent is not None
            self.parent.child_done(runs)

    def trigger(self, runs: Bools) -> None:
        """Actions have no triggers of their own."""

    def step(self, runs: Bools, dt_s: float) -> None:
        running = runs & (self.state == RUNNING)
        if running.any():
            self._after(self.deed.step(running, dt_s))

    def _after(self, ended: Bools) -> None:
        if ended.any():
            self.end(ended)

    def _enter(self, runs: Bools, state: int, transition: int) -> None:
        leave = getattr(self.deed, "stop", None)
        if leave is not None and state != RUNNING:
            leave(runs & (self.state == RUNNING))
        super()._enter(runs, state, transition)


class EventElement(Element):
    """An event: its priority decides about others of its maneuver, its actions end others of the same domain."""

    def __init__(self, event: Event, parent: Element, stage: Stage, size: int) -> None:
        super().__init__("event", event.name, parent, size)
        self.stage = stage
        self.priority = {"overwrite": "override"}.get(event.priority, event.priority)
        self.picked: dict[Element, Callable[[], Bools]] = {}  # actions of whoever triggered the event, and where

    def start(self, runs: Bools) -> None:
        runs = runs & (self.state != RUNNING)
        waits = runs & (self.state == INITIAL) if self.begin is not None else runs & False
        assert self.parent is not None
        for other in self.parent.children:
            busy = runs & ~waits & (other.state == RUNNING)
            if other is self or not busy.any():
                continue
            if self.priority == "override":
                other.end(busy)
            elif self.priority == "skip":
                runs = runs & ~busy
        super().start(runs)
        going = runs & (self.state == RUNNING)
        if not going.any():
            return
        if not self.children:
            self.end(going)
        for child in self.children:
            assert isinstance(child, ActionElement)
            acts = going & self.picked[child]() if child in self.picked else going
            self._displace(child, acts)
            child.start(acts & (self.state == RUNNING))
            child.leave_out(going & ~acts)

    def _displace(self, action: ActionElement, runs: Bools) -> None:
        """End what else moves the same entity in the same domain."""
        for other in self.stage.acting.get(action.deed.entity, ()) if action.deed.domains else ():
            assert isinstance(other, ActionElement)
            clash = runs & (other.state == RUNNING)
            if other is not action and clash.any() and other.deed.domains & action.deed.domains:
                other.end(clash)


class Storyboard:
    """The whole of it, with the initial actions before it."""

    def __init__(self, stage: Stage, deeds: "Deeds") -> None:
        scenario, size = stage.scenario, stage.bodies.draw.size
        self.stage, self.size = stage, size
        self.initial: list[ActionElement] = []
        ordered = sorted(scenario.init, key=lambda pair: pair[0] is not None)  # the world's come first
        for name, action in ordered:
            entity = -1 if name is None else stage.bodies.names.index(name)
            self.initial.append(self._action(deeds, action, entity, None))
        self.root = Element("storyboard", "", None, size)
        self.root.finish = None if scenario.stop is None else Firing(scenario.stop, stage)
        for story in scenario.stories:
            branch = Element("story", story.name, self.root, size)
            for act in story.acts:
                self._act(act, branch, deeds)
        stage.settle(self.root)

    def _act(self, act: Act, parent: Element, deeds: "Deeds") -> None:
        element = Element("act", act.name, parent, self.size)
        self._triggers(element, act.start, act.stop)
        for group in act.groups:
            self._group(group, element, deeds)

    def _group(self, group: ManeuverGroup, parent: Element, deeds: "Deeds") -> None:
        stage = self.stage
        element = Element("maneuverGroup", group.name, parent, self.size)
        element.most = _count(group.executions.numbers(stage.bodies.draw))
        actors = [stage.bodies.index(actor) for actor in group.actors]
        for maneuver in group.maneuvers:
            branch = Element("maneuver", maneuver.name, element, self.size)
            for event in maneuver.events:
                leaf = EventElement(event, branch, stage, self.size)
                leaf.most = _count(event.executions.numbers(stage.bodies.draw))
                self._triggers(leaf, event.start, None)
                by = self._triggered_by(group, leaf, parent) if group.triggering_actors else {}
                for action in event.actions:
                    for entity in deeds.whom(action, [*actors, *(e for e in by if e not in actors)]):
                        made = self._action(deeds, action, entity, leaf)
                        if entity in by and entity not in actors:
                            leaf.picked[made] = partial(by.__getitem__, entity)

    def _triggered_by(self, group: ManeuverGroup, event: Element, act: Element) -> dict[int, Bools]:
        """Who may have triggered the event, or its act where the event waits for nobody, and in which runs."""
        for firing in (event.begin, act.begin):
            if firing is not None and firing.by:
                return firing.by
        if group.actors:
            return {}
        raise ValueError(
            f"{group.where}: selectTriggeringEntities='true', but no entity can trigger event {event.name!r}; "
            "name the actors, or test entities in its start trigger"
        )

    def _triggers(self, element: Element, start: Trigger | None, stop: Trigger | None) -> None:
        # A start trigger without any groups fires at once, as players have it.
        element.begin = Firing(start, self.stage) if start else None
        element.finish = None if stop is None else Firing(stop, self.stage)

    def _action(self, deeds: "Deeds", action: Action, entity: int, parent: Element | None) -> ActionElement:
        element = ActionElement(action.name, parent, self.size, deeds.deed(action, entity))
        if entity >= 0:
            self.stage.acting.setdefault(entity, []).append(element)
        return element

    def start(self, runs: Bools) -> None:
        """Do the initial actions and begin."""
        for action in self.initial:
            action.start(runs)
        self.root.start(runs)

    def step(self, runs: Bools, dt_s: float) -> Bools:
        """One tick; where the storyboard has stopped nothing moves any more. Returns where it goes on."""
        self.root.trigger(runs)
        runs = runs & (self.root.state == RUNNING)
        for action in self.initial:
            action.step(runs, dt_s)
        self.root.step(runs, dt_s)
        return runs


def _count(numbers: np.ndarray) -> np.ndarray:
    return np.clip(np.round(numbers), 0, _MANY).astype(np.int64)
