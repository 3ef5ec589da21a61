"""Actions that move an entity across its road: to another lane, or to another offset within its lane.

A lane change moves the entity itself: of the way of a tick, speed times dt, the part across is what the transition
asks, the part along is what remains; without enough speed it goes straight across. The body looks where it goes. It
belongs to the lane that it is in, while the offset that changes is measured from the target lane all along.
A lane offset is set before the entity moves along its lane at full speed; so is the offset that keeps a distance.
"""

import math

import numpy as np

from sim.roads.geometry import Floats, wrap_rad
from sim.scenarios.behaviours import LaneChange, LaneOffset, LateralDistance
from sim.scenarios.distances import Distances
from sim.scenarios.longitudinal import LATERAL, LONGITUDINAL
from sim.scenarios.motions import SMALL, Bodies
from sim.scenarios.road_tables import Bools, Ints
from sim.scenarios.transitions import Transition

_LARGE = 1e10
_THERE_M = 1e-3


class ChangeLane:
    """LaneChangeAction."""

    domains = frozenset({LATERAL})

    def __init__(self, body: LaneChange, entity: int, bodies: Bodies) -> None:
        self.entity, self.bodies = entity, bodies
        draw = bodies.draw
        if bodies.tables is None:
            raise ValueError(f"{body.target.where}: a lane change needs a map; name its file in the <RoadNetwork>")
        self.other = None if body.entity is None else bodies.index(body.entity)
        self.target = np.round(body.target.numbers(draw)).astype(np.int64)
        self.final = np.zeros(draw.size) if body.offset is None else np.array(body.offset.numbers(draw))
        self.given = body.dynamics.value.numbers(draw)
        self.transition = Transition(body.dynamics.shape, body.dynamics.dimension, draw.size)
        self.where = body.target.where
        self.road, self.lane = np.zeros((2, draw.size), dtype=np.int64)
        self.s, self.side = np.zeros(draw.size), np.ones(draw.size)

    def start(self, runs: Bools) -> Bools:
        bodies, e = self.bodies, self.entity
        runs = runs & ~bodies.lateral_taken[e]
        rows = bodies.rows(e, runs)
        bodies.find(rows)
        lane = self._target_lane(runs)
        side = np.where(lane < 0, -1.0, 1.0)
        tables = bodies.tables
        assert tables is not None
        road, s = np.maximum(bodies.road[e], 0), bodies.s_m[e]
        target = tables.lane(road, lane, s)
        if (runs & ~target.valid).any():
            i = int(np.flatnonzero(runs & ~target.valid)[0])
            raise ValueError(
                f"{self.where}: road {tables.roads[road[i]].id!r} has no lane {lane[i]} at s={s[i]:.1f} to change to"
            )
        self._align(rows)
        self.transition.begin(runs, side * (bodies.t_m[e] - target.t_m), side * self.final, self.given)
        self.side = np.where(runs, side, self.side)
        for name, column in (("road", bodies.road[e]), ("lane", lane), ("s", s)):
            setattr(self, name, np.where(runs, column, getattr(self, name)))
        return np.zeros_like(runs)

    def _target_lane(self, runs: Bools) -> Ints:
        if self.other is None:
            return self.target
        bodies = self.bodies
        bodies.find(bodies.rows(self.other, runs))
        lane = bodies.lane[self.other]
        by = self.target * np.where(np.abs(bodies.turn_rad[self.other]) <= 0.5 * math.pi, 1, -1)
        found = lane + by
        crossed = (by != 0) & ((found == 0) | (np.sign(found) != np.sign(lane)))
        return np.where(crossed, found + np.sign(by), found)

    def _align(self, rows: Ints) -> None:
        """Turn bodies along the road."""
        bodies = self.bodies
        turn = bodies.turn_rad.ravel()[rows]
        bodies.turn_rad.ravel()[rows] = np.where(np.abs(turn) <= 0.5 * math.pi, 0.0, -math.pi)
        bodies.settle(rows)

    def step(self, runs: Bools, dt_s: float) -> Bools:
        bodies, e = self.bodies, self.entity
        runs = runs & ~bodies.lateral_taken[e]
        bodies.moved[e] |= runs
        runs = runs & (np.abs(bodies.speed_mps[e]) >= SMALL)
        if not runs.any():
            return runs
        value, along, angle = self._across(runs, dt_s)
        rows = bodies.rows(e, runs)
        for name in ("road", "lane"):
            getattr(bodies, name)[e] = np.where(runs, getattr(self, name), getattr(bodies, name)[e])
        bodies.s_m[e] = np.where(runs, self.s, bodies.s_m[e])
        bodies.offset_m[e] = np.where(runs, value * self.side, bodies.offset_m[e])
        bodies.settle(rows)
        forward = np.where(np.abs(bodies.turn_rad[e]) <= 0.5 * math.pi, 1.0, -1.0)
        way = along * np.where(bodies.speed_mps[e] < 0.0, -1.0, 1.0) * forward
        bodies.shift(rows, bodies.along(rows, way[runs]))
        done = runs & self.transition.reached(value)
        self._remember(runs)
        ahead = np.where(done, 0.0, self.side * angle)
        turned = np.where(forward > 0.0, ahead, wrap_rad(math.pi - ahead))
        bodies.turn_rad[e] = np.where(runs, turned, bodies.turn_rad[e])
        bodies.speed_mps[e] = np.where(runs & bodies.at_end[e], 0.0, bodies.speed_mps[e])
        bodies.settle(rows)
        free = rows[[int(row) not in bodies.courses for row in rows]] if bodies.courses else rows
        bodies.attach(free)
        return done

    def _across(self, runs: Bools, dt_s: float) -> tuple[Floats, Floats, Floats]:
        """The new offset, the way along the lane in this tick, and the heading that results, each (B,)."""
        transition, speed = self.transition, self.bodies.speed_mps[self.entity]
        way = np.abs(speed) * dt_s
        slope = transition.slope / transition.stretch
        sign = np.where(speed < 0.0, -1.0, 1.0) * np.where(slope < 0.0, -1.0, 1.0)
        if transition.over == "distance":
            along = way / np.sqrt(1.0 + np.minimum(np.abs(slope), _LARGE) ** 2)
            transition.step(runs, along)
            return transition.value(), np.where(transition.instant, way, along), np.arctan(slope)
        across = dt_s * np.abs(slope)
        along = np.sqrt(np.maximum(way * way - np.minimum(across, way) ** 2, 0.0))
        able = across < way + SMALL
        change = np.abs(transition.target - transition.start)
        limited = way * transition.range / np.where(change > 0.0, change, 1.0)
        transition.step(runs, np.where(able, dt_s, limited))
        value = np.where(able, transition.value(), transition.value("linear"))
        value = np.where(transition.instant, transition.target, value)
        angle = np.where(able, np.arctan2(sign * across, along), sign * (0.5 * math.pi - SMALL))
        return value, np.where(transition.instant, way, along), angle

    def _remember(self, runs: Bools) -> None:
        """Keep the place in the target lane; where a joint turned the road round, the sides change."""
        bodies, e = self.bodies, self.entity
        self.road, self.lane = (np.where(runs, getattr(bodies, k)[e], getattr(self, k)) for k in ("road", "lane"))
        self.s = np.where(runs, bodies.s_m[e], self.s)
        self.side = np.where(runs, np.where(self.lane < 0, -1.0, 1.0), self.side)


class ShiftOffset:
    """LaneOffsetAction."""

    domains = frozenset({LATERAL})

    def __init__(self, body: LaneOffset, entity: int, bodies: Bodies) -> None:
        self.entity, self.bodies = entity, bodies
        draw = bodies.draw
        if bodies.tables is None:
            raise ValueError(f"{body.target.where}: a lane offset needs a map; name its file in the <RoadNetwork>")
        if body.continuous and body.entity is not None:
            raise ValueError(
                f"{body.target.where}: a continuous lane offset relative to an entity is not supported; "
                "set continuous to false"
            )
        self.other = None if body.entity is None else bodies.index(body.entity)
        self.target = np.array(body.target.numbers(draw))
        limit = body.max_lateral_acceleration
        self.limit = np.full(draw.size, _LARGE) if limit is None else limit.numbers(draw)
        self.transition = Transition(body.shape, "time", draw.size)

    def start(self, runs: Bools) -> Bools:
        bodies, e = self.bodies, self.entity
        runs = runs & ~bodies.lateral_taken[e]
        bodies.find(bodies.rows(e, runs))
        target = self.target
        if self.other is not None:
            bodies.find(bodies.rows(self.other, runs))
            forward = np.where(np.abs(bodies.turn_rad[self.other]) <= 0.5 * math.pi, 1.0, -1.0)
            target = bodies.t_m[self.other] + target * forward - (bodies.t_m[e] - bodies.offset_m[e])
        self.transition.begin(runs, bodies.offset_m[e], target, self.transition.range)
        spans = self.transition.range_of_peak_curvature(np.maximum(self.limit, SMALL))
        self.transition.begin(runs, bodies.offset_m[e], target, spans)
        return np.zeros_like(runs)

    def step(self, runs: Bools, dt_s: float) -> Bools:
        bodies, e, transition = self.bodies, self.entity, self.transition
        runs = runs & ~bodies.lateral_taken[e]
        value = transition.value()
        done = runs & transition.reached(value)
        speed = bodies.speed_mps[e]
        slope = transition.slope / np.where(speed < 0.0, np.minimum(speed, -SMALL), np.maximum(speed, SMALL))
        forward = np.abs(bodies.turn_rad[e]) <= 0.5 * math.pi
        ahead = np.where(done, 0.0, np.arctan(slope))
        turned = np.where(forward, ahead, wrap_rad(math.pi - ahead))
        bodies.offset_m[e] = np.where(runs, np.where(done, transition.target, value), bodies.offset_m[e])
        bodies.turn_rad[e] = np.where(runs, turned, bodies.turn_rad[e])
        rows = bodies.rows(e, runs & (bodies.road[e] >= 0))
        bodies.settle(rows)
        transition.step(runs, dt_s)
        return done


class KeepAside:
    """LateralDistanceAction: to a distance across from another entity, and to keep it where it is continuous.

    Without limits the entity is there at once. With limits its speed across rises and falls at their rates, never
    above their top, and comes down in time. Without a distance it keeps the one at the start. Free space is between the
    boxes, seen along the own axes.
    """

    domains = frozenset({LATERAL})

    def __init__(self, body: LateralDistance, entity: int, bodies: Bodies, distances: Distances) -> None:
        self.entity, self.body, self.bodies, self.distances = entity, body, bodies, distances
        draw = bodies.draw
        if bodies.tables is None:
            raise ValueError(f"{body.entity.where}: a lateral distance needs a map; name its file in the <RoadNetwork>")
        if body.coordinates == "trajectory":
            raise ValueError(
                f"{body.entity.where}: coordinateSystem='trajectory' is not supported; use road, lane or entity"
            )
        self.other = bodies.index(body.entity)
        limits = body.max_acceleration, body.max_deceleration, body.max_speed
        self.limited = any(limit is not None for limit in limits)
        self.up, self.down, self.top = (
            np.full(draw.size, _LARGE) if limit is None else np.maximum(limit.numbers(draw), SMALL) for limit in limits
        )
        self.given = None if body.distance is None else np.abs(body.distance.numbers(draw))
        self.wanted, self.pace_mps = np.zeros((2, draw.size))
        self.side = np.ones(draw.size)

    def _left(self) -> Floats:
        """The other's distance (B,) to the left, between reference points or box middles; negative to the right."""
        bodies, e, other = self.bodies, self.entity, self.other
        left = self.distances.between(e, other, "lateral", self.body.coordinates)
        if not self.body.freespace:
            return left
        turned = bodies.heading_rad[other] - bodies.heading_rad[e]
        middle = bodies.centre_y_m[other] * np.cos(turned) + bodies.centre_x_m[other] * np.sin(turned)
        return left + middle - bodies.centre_y_m[e]

    def _bodies_between(self) -> Floats:
        """How much (B,) of the distance the boxes take up."""
        bodies, e, other = self.bodies, self.entity, self.other
        turned = bodies.heading_rad[other] - bodies.heading_rad[e]
        across = np.abs(np.cos(turned)) * bodies.width_m[other] + np.abs(np.sin(turned)) * bodies.length_m[other]
        return 0.5 * (bodies.width_m[e] + across) if self.body.freespace else np.zeros_like(across)

    def start(self, runs: Bools) -> Bools:
        left = self._left()
        side = {"leftToReferencedEntity": -1.0, "rightToReferencedEntity": 1.0}.get(self.body.displacement)
        found = np.where(left < 0.0, -1.0, 1.0) if side is None else side
        self.side = np.where(runs, found, self.side)
        present = np.maximum(np.abs(left) - self._bodies_between(), 0.0)
        self.wanted = np.where(runs, present if self.given is None else self.given, self.wanted)
        self.pace_mps = np.where(runs, 0.0, self.pace_mps)
        return np.zeros_like(runs)

    def step(self, runs: Bools, dt_s: float) -> Bools:
        bodies, e = self.bodies, self.entity
        taken = runs & bodies.lateral_taken[e]
        runs = runs & ~taken
        bodies.find(bodies.rows(e, runs))
        off = self._left() - self.side * (self.wanted + self._bodies_between())
        runs = runs & (bodies.road[e] >= 0) & (np.abs(off) < 0.5 * _LARGE)
        move = self._limited(runs, off, dt_s) if self.limited else off
        forward = np.abs(bodies.turn_rad[e]) <= 0.5 * math.pi
        way = np.abs(bodies.speed_mps[e]) * dt_s
        angle = np.arctan2(move, np.maximum(way, SMALL)) if self.limited and dt_s > 0.0 else np.zeros_like(off)
        done = runs & (np.abs(off - move) < _THERE_M)
        angle = np.where(done | (way < SMALL), 0.0, angle)
        turned = np.where(forward, angle, wrap_rad(math.pi + angle))
        bodies.offset_m[e] = np.where(runs, bodies.offset_m[e] + np.where(forward, move, -move), bodies.offset_m[e])
        bodies.turn_rad[e] = np.where(runs, turned, bodies.turn_rad[e])
        rows = bodies.rows(e, runs)
        bodies.settle(rows)
        bodies.attach(rows[[int(row) not in bodies.courses for row in rows]] if bodies.courses else rows)
        return taken if self.body.continuous else taken | done

    def _limited(self, runs: Bools, off: Floats, dt_s: float) -> Floats:
        """The way across (B,) of this tick."""
        if dt_s <= 0.0:
            return np.zeros_like(off)
        # The pace from which braking within `off` is just possible, counting this tick's own way.
        brake = self.down * dt_s
        least = np.sqrt(brake * brake / 4.0 + 2.0 * self.down * np.abs(off)) - brake / 2.0
        wanted = np.sign(off) * np.minimum(np.minimum(least, self.top), np.abs(off) / dt_s)
        slows = np.abs(wanted) < np.abs(self.pace_mps)
        rate = np.where(slows, self.down, self.up) * dt_s
        pace = self.pace_mps + np.clip(wanted - self.pace_mps, -rate, rate)
        self.pace_mps = np.where(runs, pace, self.pace_mps)
        return pace * dt_s


BOTH = frozenset({LATERAL, LONGITUDINAL})
