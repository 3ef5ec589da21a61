"""Triggers: when conditions hold, for all runs of a batch.

A condition's value is tested, then its edge, then delayed. An edge needs a test before it, so a condition that is first
tested while true has not risen. Within a group the tests go in order and stop at the first that does not hold, but
those with a delay are always tested. A delayed condition tells what it was `delay` ago; when it fires or not shows only
at the ticks where it is tested, and a value that came and went is told once.
Comparisons leave a millionth: greater means greater by more than that, equal within it.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from sim.roads.geometry import Floats, wrap_rad
from sim.scenarios import conditions as kinds
from sim.scenarios.conditions import Condition, EntityCondition, Trigger
from sim.scenarios.distances import Place
from sim.scenarios.motions import SMALL
from sim.scenarios.poses import Spot
from sim.scenarios.road_tables import Bools

if TYPE_CHECKING:
    from sim.scenarios.storyboard import Stage

_RULES: dict[str, Callable[[Floats, Floats], Bools]] = {
    "greaterThan": lambda a, b: a > b + SMALL,
    "greaterOrEqual": lambda a, b: a >= b - SMALL,
    "lessThan": lambda a, b: a < b - SMALL,
    "lessOrEqual": lambda a, b: a <= b + SMALL,
    "equalTo": lambda a, b: np.abs(a - b) <= SMALL,
    "notEqualTo": lambda a, b: np.abs(a - b) > SMALL,
}
Test = Callable[[Bools], Bools]


class Firing:
    """A trigger of the batch. ValueError for conditions that cannot be tested, naming their place."""

    def __init__(self, trigger: Trigger, stage: "Stage") -> None:
        self.groups = [[_Delayed(condition, stage) for condition in group] for group in trigger]
        self.by: dict[int, Bools] = {}  # entities of its conditions, where each was one that made it fire last
        for e in (e for group in self.groups for condition in group for e in condition.entities):
            self.by[e] = np.zeros(stage.bodies.draw.size, dtype=bool)

    def test(self, runs: Bools) -> Bools:
        """Where the trigger fires now, among some runs (B,)."""
        fired = np.zeros_like(runs)
        for group in self.groups:
            holds = runs if group else fired & False
            for condition in group:
                tested = holds | (runs & condition.late)
                if tested.any():
                    holds = holds & condition.test(tested)
            if holds.any() and self.by:
                self._remember(group, holds, fired)
            fired = fired | holds
        if fired.any():
            for group in self.groups:
                for condition in group:
                    condition.tested &= ~fired
        return fired

    def _remember(self, group: "list[_Delayed]", fires: Bools, fired: Bools) -> None:
        """Note who makes it fire by a group, beside those of the groups before."""
        for e in self.by:
            met = [condition.met[e] for condition in group if e in condition.met]
            now = np.any(met, axis=0) if met else fired & False
            self.by[e] = np.where(fires, now | (fired & self.by[e]), self.by[e])

    def reset(self, runs: Bools) -> None:
        """Forget what was, before a next execution."""
        for group in self.groups:
            for condition in group:
                condition.reset(runs)


class _Delayed:
    """A condition with its edge and its delay, remembered by run."""

    def __init__(self, condition: Condition, stage: "Stage") -> None:
        self.stage, self.edge = stage, condition.edge
        self.met: dict[int, Bools] = {}  # who met it when it was last tested, or ceased to where that is what counts
        self.value = _test(condition, stage, self.met)
        self.entities = tuple(stage.bodies.index(entity) for entity in condition.entities)
        size = stage.bodies.draw.size
        self.delay = condition.delay.numbers(stage.bodies.draw)
        self.late = self.delay > 0.0
        self.tested, self.was, self.known = np.zeros((3, size), dtype=bool)
        self.last = np.zeros(size, dtype=bool)  # the latest value noted
        self.noted_s = np.full(size, -np.inf)
        self.waiting: list[tuple[float, Bools, Bools]] = []  # time, runs that it still waits for, values

    def test(self, runs: Bools) -> Bools:
        """Whether it holds now, among some runs."""
        now = self.value(runs) & runs
        edge = self._edge(now)
        self.was = np.where(runs, now, self.was)
        self.tested = self.tested | runs
        return self._delayed(runs, edge) & runs

    def _edge(self, now: Bools) -> Bools:
        if self.edge == "none":
            return now
        rising, falling = now & ~self.was, ~now & self.was
        found = {"rising": rising, "falling": falling, "risingOrFalling": rising | falling}[self.edge]
        return found & self.tested

    def _delayed(self, runs: Bools, value: Bools) -> Bools:
        time = self.stage.time_s
        fresh = runs & (~self.known | ((value != self.last) & (time >= self.noted_s + SMALL)))
        self.last = np.where(fresh, value, self.last)
        self.noted_s = np.where(fresh, time, self.noted_s)
        self.known = self.known | fresh
        if not self.late.any():
            return self.last
        pending = np.zeros_like(runs)
        for _, waits, _ in self.waiting:
            pending |= waits
        settled = runs & ~pending & ~fresh
        found = np.where(settled, self.last, False)
        self.waiting.append((time, fresh, value.copy()))
        left = []
        for since, waits, values in self.waiting:
            due = waits & runs & (time - self.delay > since - SMALL)
            found = found | (due & values)
            waits = waits & ~due
            if waits.any():
                left.append((since, waits, values))
        self.waiting = left
        return found

    def reset(self, runs: Bools) -> None:
        self.known = self.known & ~runs
        self.noted_s = np.where(runs, -np.inf, self.noted_s)
        self.waiting = [(since, waits & ~runs, values) for since, waits, values in self.waiting]


def _test(condition: Condition, stage: "Stage", met: dict[int, Bools]) -> Test:
    """The test of a condition, which notes in `met` who met it. ValueError where there is none for it."""
    test, draw = condition.test, stage.bodies.draw
    if isinstance(test, kinds.SimulationTime):
        rule, value = _rule(test.rule), test.value.numbers(draw)
        return lambda runs: rule(np.full(draw.size, stage.time_s), value)
    if isinstance(test, kinds.ElementState):
        return stage.watch(test, condition.where)
    if isinstance(test, kinds.VariableCondition):
        return stage.variables.test(test)
    if isinstance(test, kinds.TimeOfDay):
        raise ValueError(f"{condition.where}: conditions on the time of day are not supported; use the simulation time")
    entities = [stage.bodies.index(entity) for entity in condition.entities]
    each = _Entity(test, stage, condition).test
    valid = stage.bodies.valid

    def test_all(runs: Bools) -> Bools:
        results = [(each(e), valid[e]) for e in entities]
        met.update(
            zip(entities, (~result if condition.edge == "falling" else result & there for result, there in results))
        )
        if condition.any:
            return np.any([result & there for result, there in results], axis=0)
        some = np.any([there for _, there in results], axis=0)
        return some & np.all([result | ~there for result, there in results], axis=0)

    return test_all


def _rule(name: str) -> Callable[[Floats, Floats], Bools]:
    return _RULES[name]


class _Entity:
    """The test of one condition on one entity."""

    def __init__(self, test: EntityCondition, stage: "Stage", condition: Condition) -> None:
        self.stage, self.bodies, self.distances = stage, stage.bodies, stage.distances
        self.condition, self.body = condition, test
        self.test = self._tests(test)
        draw = self.bodies.draw
        value = getattr(test, "value", getattr(test, "duration", getattr(test, "tolerance", None)))
        self.value = None if value is None else value.numbers(draw)
        self.rule = _rule(getattr(test, "rule", "greaterThan"))
        other = getattr(test, "entity", None)
        self.other = None if other is None else self.bodies.index(other)

    def _tests(self, test: EntityCondition) -> Callable[[int], Bools]:
        if getattr(test, "coordinates", "entity") == "trajectory":
            raise ValueError(
                f"{self.condition.where}: coordinateSystem='trajectory' is not supported; use road, lane or entity"
            )
        if isinstance(test, kinds.Offroad):
            self.bodies.watch_edges = True
        found: dict[type, Callable[[int], Bools]] = {
            kinds.TraveledDistance: lambda e: self.bodies.travelled_m[e] >= self.number,
            kinds.StandStill: lambda e: self._lasts(self.bodies.standing[e], self.bodies.stood_since_s[e]),
            kinds.EndOfRoad: lambda e: self._lasts(self.bodies.ended[e], self.bodies.ended_since_s[e]),
            kinds.Offroad: lambda e: self._lasts(self.bodies.off_road[e], self.bodies.off_since_s[e]),
            kinds.Speed: lambda e: self.rule(self._speed(e), self.number),
            kinds.Acceleration: lambda e: self.rule(self._acceleration(e), self.number),
            kinds.RelativeSpeed: self._relative_speed,
            kinds.Distance: lambda e: self.rule(np.abs(self._distance(e)), self.number),
            kinds.TimeHeadway: self._headway,
            kinds.TimeToCollision: self._time_to_collision,
            kinds.Angle: self._angle,
            kinds.Collision: self._collision,
            kinds.ReachPosition: self._reach,
        }
        if type(test) not in found:
            raise ValueError(f"{self.condition.where}: a condition on {type(test).__name__} is not supported")
        return found[type(test)]

    @property
    def number(self) -> Floats:
        assert self.value is not None
        return self.value

    def _lasts(self, holds: Bools, since: Floats) -> Bools:
        return np.where(holds, self.stage.time_s - since, 0.0) > self.number

    # --- Motion ---

    def _split(self, vx: Floats, vy: Floats, heading: Floats, direction: str | None) -> Floats | None:
        """The part of a world vector along or across a heading; None where the whole is asked for."""
        if direction == "longitudinal":
            return vx * np.cos(heading) + vy * np.sin(heading)
        if direction == "lateral":
            return vy * np.cos(heading) - vx * np.sin(heading)
        return None if direction is None else np.zeros_like(vx)

    def _direction(self) -> str | None:
        return getattr(self.body, "direction", None)

    def _speed(self, e: int) -> Floats:
        bodies = self.bodies
        part = self._split(bodies.vx_mps[e], bodies.vy_mps[e], bodies.heading_rad[e], self._direction())
        return bodies.speed_mps[e] if part is None else part

    def _acceleration(self, e: int) -> Floats:
        bodies = self.bodies
        ax, ay, heading = bodies.ax_mps2[e], bodies.ay_mps2[e], bodies.heading_rad[e]
        part = self._split(ax, ay, heading, self._direction())
        if part is not None:
            return part
        along = ax * np.cos(heading) + ay * np.sin(heading)
        return np.where(along < 0.0, -1.0, 1.0) * np.hypot(ax, ay)

    def _relative_speed(self, e: int) -> Bools:
        bodies, other = self.bodies, self._other()
        heading, direction = bodies.heading_rad[other], self._direction()
        own = self._split(bodies.vx_mps[e], bodies.vy_mps[e], heading, direction)
        its = self._split(bodies.vx_mps[other], bodies.vy_mps[other], heading, direction)
        plain = bodies.speed_mps[e] - bodies.speed_mps[other]
        return self.rule(plain if own is None or its is None else own - its, self.number) & bodies.valid[other]

    def _angle(self, e: int) -> Bools:
        test, draw = self.body, self.bodies.draw
        assert isinstance(test, kinds.Angle)
        column = {"heading": "heading_rad", "pitch": "pitch_rad", "roll": "roll_rad"}[test.kind]
        angle = getattr(self.bodies, column)[e]
        if self.other is not None:
            angle = angle - getattr(self.bodies, column)[self.other]
        elif test.coordinates in ("road", "lane") and test.kind == "heading":
            self.bodies.find(np.arange(draw.size) + e * draw.size)
            angle = self.bodies.turn_rad[e]
        return np.abs(wrap_rad(angle - test.angle.numbers(draw))) <= test.tolerance.numbers(draw)

    # --- Distances ---

    def _other(self) -> int:
        assert self.other is not None
        return self.other

    def _spot(self, e: int) -> Spot:
        assert isinstance(self.body, kinds.Distance | kinds.TimeToCollision | kinds.ReachPosition)
        assert self.body.position is not None
        return self.stage.places.spot(self.body.position, e)

    def _distance(self, e: int) -> Floats:
        """From the entity to the other one, or to the position: signed, FAR_M where there is no way."""
        test = self.body
        assert isinstance(test, kinds.Distance | kinds.TimeHeadway | kinds.TimeToCollision)
        spot = None if self.other is not None else self._spot(e)
        if not test.freespace:
            if spot is None:
                return self.distances.between(e, self._other(), test.kind, test.coordinates)
            place = Place(spot.x_m, spot.y_m, spot.road, spot.lane, spot.s_m, spot.t_m)
            return self.distances.to(e, place, test.kind, test.coordinates)
        if test.kind != "euclidian" and test.coordinates in ("road", "lane") and spot is None:
            ds, dt = self.distances.free_along(e, self._other())
            return dt if test.kind == "lateral" else ds
        if spot is None:
            free = self.distances.free(e, self._other(), shortest=test.kind == "euclidian")
        else:
            free = self.distances.free_point(e, spot.x_m, spot.y_m)
        if test.kind == "euclidian":
            return np.where(free.longitudinal_m < 0.0, -1.0, 1.0) * free.shortest_m
        return free.lateral_m if test.kind == "lateral" else free.longitudinal_m

    def _headway(self, e: int) -> Bools:
        distance, speed = self._distance(e), self.bodies.speed_mps[e]
        moves = (speed >= SMALL) & (distance >= 0.0)
        return moves & self.rule(distance / np.where(moves, speed, 1.0), self.number) & self.bodies.valid[self._other()]

    def _time_to_collision(self, e: int) -> Bools:
        bodies, distance = self.bodies, self._distance(e)
        closing = bodies.speed_mps[e]
        if self.other is not None:
            closing = self._closing(e, self.other)
        known = (np.abs(distance) >= SMALL) & (np.abs(closing) >= SMALL)
        time = distance / np.where(known, closing, 1.0)
        there = np.ones_like(known) if self.other is None else bodies.valid[self.other]
        return known & (time >= 0.0) & self.rule(time, self.number) & there

    def _closing(self, e: int, other: int) -> Floats:
        """How fast an entity comes nearer to another, along the way that the other moves."""
        bodies = self.bodies
        vx, vy = bodies.vx_mps[other], bodies.vy_mps[other]
        still = (np.abs(vx) < SMALL) & (np.abs(vy) < SMALL)
        pace = np.where(still, 1.0, np.hypot(vx, vy))
        along = (bodies.vx_mps[e] * vx + bodies.vy_mps[e] * vy) / pace
        signs = np.where(bodies.speed_mps[e] < 0.0, -1.0, 1.0) * np.where(along < 0.0, -1.0, 1.0)
        return np.where(still, bodies.speed_mps[e], signs * (along - np.abs(bodies.speed_mps[other])))

    def _collision(self, e: int) -> Bools:
        test, bodies = self.body, self.bodies
        assert isinstance(test, kinds.Collision)
        if self.other is not None:
            others = [self.other]
        else:
            others = [i for i, body in enumerate(bodies.entities) if i != e and test.kind in (None, body.kind)]
        hit = np.zeros(bodies.draw.size, dtype=bool)
        for other in others:
            hit |= self.distances.overlap(e, other) & bodies.valid[other]
        return hit

    def _reach(self, e: int) -> Bools:
        spot = self._spot(e)
        return np.hypot(spot.x_m - self.bodies.x_m[e], spot.y_m - self.bodies.y_m[e]) < self.number
