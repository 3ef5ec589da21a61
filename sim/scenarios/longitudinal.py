"""Actions that set an entity's speed: change it, follow a profile of it, keep a distance, or meet another in time.

`start` and `step` act on the runs (B,) of a mask and return those in which the action has ended. The speed that they
set moves the entity in the same tick. Where a driver has taken over the longitudinal domain the action is over at once.
"""

import numpy as np

from sim.roads.geometry import Floats
from sim.scenarios.behaviours import LongitudinalDistance, SpeedChange, SpeedProfile
from sim.scenarios.distances import Distances
from sim.scenarios.motions import SMALL, Bodies
from sim.scenarios.road_tables import Bools
from sim.scenarios.transitions import Transition
from sim.scenarios.values import Value

_CLOSE_M = 0.1  # a distance is reached this close to it
_SPRING_PER_S2 = 0.4
_LARGE = 1e10

LONGITUDINAL, LATERAL = "longitudinal", "lateral"


class ChangeSpeed:
    """SpeedAction. A target relative to another entity is read anew every tick."""

    domains = frozenset({LONGITUDINAL})

    def __init__(self, body: SpeedChange, entity: int, bodies: Bodies) -> None:
        self.entity, self.bodies, self.body = entity, bodies, body
        draw = bodies.draw
        self.value, self.given = body.value.numbers(draw), body.dynamics.value.numbers(draw)
        self.other = None if body.entity is None else bodies.index(body.entity)
        over = "time" if body.dynamics.dimension == "distance" else body.dynamics.dimension
        self.transition = Transition(body.dynamics.shape, over, draw.size)

    def _target(self) -> Floats:
        target = self.value
        if self.other is not None:
            speed = self.bodies.speed_mps[self.other]
            target = speed * self.value if self.body.factor else speed + self.value
        limit = self.bodies.max_speed_mps[self.entity]
        return np.clip(target, -limit, limit)

    def start(self, runs: Bools) -> Bools:
        bodies, e = self.bodies, self.entity
        taken = runs & bodies.speed_taken[e]
        runs = runs & ~taken
        speed, target = bodies.speed_mps[e], self._target()
        given = self.given
        if self.body.dynamics.dimension == "distance":
            given = _time_over(given, speed, target)
        self.transition.begin(runs, speed, target, given)
        rising = target > speed
        self.transition.limit(runs, np.where(rising, bodies.max_accel_mps2[e], bodies.max_decel_mps2[e]))
        bodies.speed_mps[e] = np.where(runs, self.transition.value(), speed)
        return taken

    def step(self, runs: Bools, dt_s: float) -> Bools:
        bodies, e, transition = self.bodies, self.entity, self.transition
        taken = runs & bodies.speed_taken[e]
        runs = runs & ~taken
        target = self._target()
        if self.other is not None:
            transition.aim(runs, target)
        speed, top = bodies.speed_mps[e], bodies.max_speed_mps[e]
        with np.errstate(invalid="ignore"):  # at time 0 an absent limit, infinite, meets a tick of no length
            up, down = bodies.max_accel_mps2[e] * dt_s, bodies.max_decel_mps2[e] * dt_s
        over = (transition.range > 0.0) & transition.complete
        transition.step(runs & ~over, dt_s)
        planned = transition.value()
        wanted = np.where(over, target, planned)
        change = np.clip(wanted - speed, -down, up)
        limited = (wanted - speed > up + SMALL * dt_s) | (wanted - speed < -down - SMALL * dt_s)
        reachable = np.where(over | limited, np.clip(speed + change, -top, top), wanted)
        # What the limits held back is made up for later: the transition goes back in proportion.
        share = np.where(limited, change / np.where(limited, wanted - speed, 1.0), 1.0)
        transition.step(runs & limited & ~over, -(1.0 - share) * dt_s)
        new = reachable if dt_s > 0.0 else wanted
        done = transition.complete & (np.abs(new - transition.target) < SMALL)
        bodies.speed_mps[e] = np.where(runs, np.where(done, target, new), speed)
        if self.other is not None and self.body.continuous:
            return taken
        return taken | (runs & done)


def _time_over(distance: Floats, before: Floats, after: Floats) -> Floats:
    """Time (B,) over which a speed changes within a distance; through zero where its sign changes."""
    turns = (np.abs(before) > SMALL) & (np.abs(after) > SMALL) & ((before < 0.0) != (after < 0.0))
    share = before**2 / np.where(turns, before**2 + after**2, 1.0)
    through = 2.0 * distance * share / np.where(turns, np.abs(before), 1.0)
    through = through + 2.0 * distance * (1.0 - share) / np.where(turns, np.abs(after), 1.0)
    total = np.abs(before + after)
    plain = np.where(np.abs(after - before) < SMALL, 0.0, 2.0 * distance / np.where(total > 0.0, total, 1.0))
    return np.where(turns, through, plain)


class FollowProfile:
    """SpeedProfileAction with straight pieces between its entries (following mode position)."""

    domains = frozenset({LONGITUDINAL})

    def __init__(self, body: SpeedProfile, entity: int, bodies: Bodies) -> None:
        self.entity, self.bodies = entity, bodies
        draw = bodies.draw
        self.other = None if body.entity is None else bodies.index(body.entity)
        self.speeds = np.stack([speed.numbers(draw) for speed, _ in body.entries])
        self.times = [None if time is None else time.numbers(draw) for _, time in body.entries]
        up, _, down, _ = body.limits
        own = bodies.max_accel_mps2[entity], bodies.max_decel_mps2[entity]
        self.up, self.down = (_or(value, default, bodies) for value, default in zip((up, down), own))
        count = len(body.entries) + 1
        self.knot_s, self.knot_mps = np.zeros((2, count, draw.size))
        self.elapsed = np.zeros(draw.size)

    def start(self, runs: Bools) -> Bools:
        speed = self.bodies.speed_mps[self.entity]
        offset = 0.0 if self.other is None else self.bodies.speed_mps[self.other]
        time, at = np.zeros_like(speed), speed
        first = self.times[0]
        if first is not None:
            at = np.where(first < SMALL, self.speeds[0] + offset, at)  # an entry at time 0 replaces the present speed
        knots = [(time, at)]
        for wanted, given in zip(self.speeds + offset, self.times):
            change = wanted - at
            needed = np.where(change < 0.0, -change / self.down, change / self.up)
            time, at = time + (needed if given is None else given), wanted
            knots.append((time, at))
        for i, (when, what) in enumerate(knots):
            self.knot_s[i] = np.where(runs, when, self.knot_s[i])
            self.knot_mps[i] = np.where(runs, what, self.knot_mps[i])
        self.elapsed = np.where(runs, 0.0, self.elapsed)
        return np.zeros_like(runs)

    def step(self, runs: Bools, dt_s: float) -> Bools:
        taken = runs & self.bodies.speed_taken[self.entity]
        runs = runs & ~taken
        self.elapsed = np.where(runs, self.elapsed + dt_s, self.elapsed)
        speed = self.knot_mps[-1].copy()
        for i in range(len(self.knot_s) - 2, -1, -1):
            span = self.knot_s[i + 1] - self.knot_s[i]
            share = (self.elapsed - self.knot_s[i]) / np.where(span > SMALL, span, 1.0)
            between = self.knot_mps[i] + share * (self.knot_mps[i + 1] - self.knot_mps[i])
            speed = np.where((self.elapsed < self.knot_s[i + 1]) & (span > SMALL), between, speed)
        now = self.bodies.speed_mps[self.entity]
        self.bodies.speed_mps[self.entity] = np.where(runs, speed, now)
        return taken | (runs & (self.elapsed > self.knot_s[-1] - SMALL))


class KeepDistance:
    """LongitudinalDistanceAction: a critically damped spring on the distance, within limits; without limits a bar.

    As in players, the spring acts over the time since it last acted, so that it does nothing in the tick of its start.
    """

    domains = frozenset({LONGITUDINAL})

    def __init__(self, body: LongitudinalDistance, entity: int, bodies: Bodies, distances: Distances) -> None:
        self.entity, self.body, self.bodies, self.distances = entity, body, bodies, distances
        draw = bodies.draw
        self.other = bodies.index(body.entity)
        given = body.distance if body.distance is not None else body.time_gap
        assert given is not None
        self.wanted = given.numbers(draw)
        self.limited = body.max_acceleration is not None or body.max_deceleration is not None
        self.up, self.down, self.top = (
            _or(value, _LARGE, bodies) for value in (body.max_acceleration, body.max_deceleration, body.max_speed)
        )
        self.sign, self.acted_s = np.ones(draw.size), np.zeros(draw.size)

    def _distance(self) -> Floats:
        if self.body.freespace:
            return self.distances.free(self.entity, self.other)[2]
        return self.distances.between(self.entity, self.other, "longitudinal", self.body.coordinates)

    def start(self, runs: Bools) -> Bools:
        sign = {"leadingReferencedEntity": -1.0, "trailingReferencedEntity": 1.0}.get(self.body.displacement)
        found = np.where(self._distance() < 0.0, -1.0, 1.0) if sign is None else sign
        self.sign = np.where(runs, found, self.sign)
        self.acted_s = np.where(runs, self.bodies.clock_s, self.acted_s)
        return np.zeros_like(runs)

    def step(self, runs: Bools, dt_s: float) -> Bools:
        bodies, e = self.bodies, self.entity
        runs = runs & ~bodies.speed_taken[e]
        speed, other = bodies.speed_mps[e], bodies.speed_mps[self.other]
        wanted = self.wanted if self.body.distance is not None else np.abs(other) * self.wanted
        off = self._distance() - self.sign * np.abs(wanted)
        if self.limited:
            spring = _SPRING_PER_S2 * np.where(off < 0.0, self.up, self.down)
            accel = np.clip(off * spring - (speed - other) * 2.0 * np.sqrt(spring), -self.down, self.up)
            new = np.clip(speed + accel * (bodies.clock_s - self.acted_s), -self.top, self.top)
            self.acted_s = np.where(runs, bodies.clock_s, self.acted_s)
        else:
            bodies.advance(bodies.rows(e, runs), off[runs])
            new = other
        bodies.speed_mps[e] = np.where(runs, new, speed)
        return np.zeros_like(runs) if self.body.continuous else runs & (np.abs(off) < _CLOSE_M)


def _or(value: Value | None, default: Floats | float, bodies: Bodies) -> Floats:
    if value is not None:
        return value.numbers(bodies.draw)
    return np.broadcast_to(np.asarray(default, dtype=np.float64), (bodies.draw.size,))
