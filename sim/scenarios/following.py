"""Actions that lead an entity along something: a trajectory, a route, or to a meeting with another entity.

On a trajectory without timing the entity keeps its own speed; with timing its place follows the clock and its speed
from that. At the end it goes on straight for what is left of the tick, and from the next tick on along the road, at its
offset from the lane and its angle to it.
Meeting (SynchronizeAction): the entity arrives at its place when the master arrives at its own, with a final speed.
From the distances left and the master's speed, each tick plans two phases of one acceleration each, or one that fits.
"""

import math
from dataclasses import dataclass, fields, replace

import numpy as np

from sim.roads.geometry import Floats, wrap_rad
from sim.scenarios.behaviours import AcquirePosition, AssignRoute, FollowTrajectory, Synchronize
from sim.scenarios.distances import Distances, Place
from sim.scenarios.lateral import BOTH
from sim.scenarios.longitudinal import LATERAL, LONGITUDINAL
from sim.scenarios.motions import SMALL, Bodies
from sim.scenarios.poses import Places, Spot
from sim.scenarios.road_tables import Bools
from sim.scenarios.shapes import Curve, faces_along
from sim.scenarios.values import Value

_LARGE = 1e10
_BRAKE_MPS2 = 8.0  # to stop at once for a master that is too late
_ON_LINE_MPS = 0.1  # near enough to the speed from which one acceleration leads to the final speed


@dataclass
class Tracks:
    """Who follows which curve: the curve, path lengths (B,) and where that is so, by entity."""

    curve: dict[int, Curve]
    s_m: dict[int, Floats]
    on: dict[int, Bools]


class Trace:
    """FollowTrajectoryAction."""

    def __init__(self, body: FollowTrajectory, entity: int, bodies: Bodies, places: Places, tracks: Tracks) -> None:
        self.entity, self.body, self.bodies, self.places, self.tracks = entity, body, bodies, places, tracks
        draw = bodies.draw
        self.domains = frozenset({LATERAL}) if body.timing is None else BOTH
        first = body.initial_distance
        self.first = np.zeros(draw.size) if first is None else np.array(first.numbers(draw))
        if body.timing is not None:
            self.scale, self.shift = (value.numbers(draw) for value in body.timing[1:])
        self.curve: Curve | None = None
        self.s, self.time = np.zeros((2, draw.size))
        self.reversed = np.zeros(draw.size, dtype=bool)

    def start(self, runs: Bools) -> Bools:
        bodies, e = self.bodies, self.entity
        runs = runs & ~bodies.lateral_taken[e]
        curve = self.places.curve(self.body.trajectory, self._here())
        speed = bodies.speed_mps[e]
        if self.body.timing is not None:
            if curve.time_s is None:
                raise ValueError(
                    f"{self.body.timing[1].where}: trajectory {self.body.trajectory.name!r} has vertices without "
                    "times; give every vertex one, or no <Timing>"
                )
            curve = curve.timed(self.body.mode == "follow", speed)
        self.curve = curve if self.curve is None or runs.all() else _merged(runs, curve, self.curve)
        self.s = np.where(runs, np.clip(self.first, 0.0, curve.length_m), self.s)
        backing = runs & (speed < 0.0) & (not curve.given) & (self.body.timing is None)
        self.reversed = np.where(runs, backing, self.reversed)
        self._place(runs)
        if self.body.timing is not None:
            self.time = np.where(runs, self.curve.time_at(self.s), self.time)
            assert self.curve.speed_mps is not None
            bodies.speed_mps[e] = np.where(runs, self.curve.speed_mps[0], speed)
        self.tracks.curve[e], self.tracks.s_m[e] = self.curve, self.s
        self.tracks.on[e] = self.tracks.on.get(e, np.zeros_like(runs)) | runs
        bodies.jumped[e] |= runs
        return np.zeros_like(runs)

    def _here(self) -> Spot:
        bodies, e = self.bodies, self.entity
        names = ("x_m", "y_m", "z_m", "heading_rad", "pitch_rad", "roll_rad", "road", "lane", "s_m", "t_m")
        return Spot(*(getattr(bodies, k)[e].copy() for k in (*names, "offset_m", "turn_rad")))

    def _place(self, runs: Bools) -> None:
        """Put the body where it is on the curve."""
        assert self.curve is not None
        bodies, e = self.bodies, self.entity
        at = self.curve.at(self.s)
        heading = np.where(self.reversed, wrap_rad(at.heading_rad + math.pi), at.heading_rad)
        self.course = at.course_rad
        for name, column in (("x_m", at.x_m), ("y_m", at.y_m), ("heading_rad", heading)):
            getattr(bodies, name)[e] = np.where(runs, column, getattr(bodies, name)[e])
        bodies.loose[e] |= runs
        if bodies.tables is not None and not bodies.tables.flat.all():
            bodies.find(bodies.rows(e, runs))
            bodies.lift(bodies.rows(e, runs))
        if at.z_m.any():
            bodies.z_m[e] = np.where(runs & (at.z_m != 0.0), at.z_m, bodies.z_m[e])

    def step(self, runs: Bools, dt_s: float) -> Bools:
        bodies, e, curve = self.bodies, self.entity, self.curve
        assert curve is not None
        runs = runs & ~bodies.lateral_taken[e]
        bodies.moved[e] |= runs
        if dt_s <= 0.0 or not runs.any():
            return np.zeros_like(runs)
        before, speed = self.s, bodies.speed_mps[e]
        facing = faces_along(bodies.heading_rad[e], self.course)
        onward = np.where((speed < 0.0) == facing, -1.0, 1.0)
        if self.body.timing is None:
            wanted = before + onward * np.abs(speed) * dt_s
            if curve.closed:
                wanted = np.remainder(wanted, curve.length_m)
            self.s = np.where(runs, np.clip(wanted, 0.0, curve.length_m), before)
            ends = (wanted > curve.length_m - SMALL) | ((wanted < SMALL) & (onward < 0.0))
            ends &= (np.abs(speed) > 0.0) & (not curve.closed)
            left = np.abs(speed) * dt_s - np.abs(self.s - before)
        else:
            ends, left = self._clocked(runs, before, facing, dt_s)
        self._place(runs)
        self.tracks.s_m[e] = self.s
        done = runs & ends
        if done.any():
            self._leave(done, left)
        return done

    def _clocked(self, runs: Bools, before: Floats, facing: Bools, dt_s: float) -> tuple[Bools, Floats]:
        """Follow the clock; whether the end is reached, and the way that is left after it."""
        bodies, e, curve = self.bodies, self.entity, self.curve
        assert curve is not None and self.body.timing is not None
        if self.body.timing[0] == "absolute":
            time = (bodies.clock_s + dt_s) * self.scale
        else:
            time = self.time + self.scale * dt_s
        self.time = np.where(runs, time, self.time)
        self.s = np.where(runs, np.clip(curve.s_at(self.time + self.shift), 0.0, curve.length_m), before)
        end = curve.ends_s
        running = self.time + (self.shift if self.body.timing[0] == "relative" else 0.0) < end + SMALL
        speed = np.where(facing, 1.0, -1.0) * np.abs(self.s - before) / dt_s
        bodies.speed_mps[e] = np.where(runs & running, speed, bodies.speed_mps[e])
        return self.time >= end, (self.time - end) * bodies.speed_mps[e]

    def _leave(self, runs: Bools, left: Floats) -> None:
        """Go on straight for the rest of the tick, then belong to the road again."""
        bodies, e = self.bodies, self.entity
        heading = bodies.heading_rad[e]
        bodies.x_m[e] = np.where(runs, bodies.x_m[e] + left * np.cos(heading), bodies.x_m[e])
        bodies.y_m[e] = np.where(runs, bodies.y_m[e] + left * np.sin(heading), bodies.y_m[e])
        self.tracks.on[e] = self.tracks.on[e] & ~runs

    def stop(self, runs: Bools) -> None:
        """Somebody else ended it."""
        if self.entity in self.tracks.on:
            self.tracks.on[self.entity] = self.tracks.on[self.entity] & ~runs


def _merged(runs: Bools, new: Curve, old: Curve) -> Curve:
    """The curves of runs that start again beside those of the others. Their vertices are as many."""
    changed = {
        field.name: np.where(runs, getattr(new, field.name), getattr(old, field.name))
        for field in fields(Curve)
        if isinstance(getattr(new, field.name), np.ndarray)
    }
    return replace(new, **changed)


class TakeRoute:
    """AssignRouteAction and AcquirePositionAction: which way to take where roads fork."""

    def __init__(self, body: AssignRoute | AcquirePosition, entity: int, bodies: Bodies, places: Places) -> None:
        self.entity, self.body, self.places = entity, body, places
        self.domains = frozenset() if isinstance(body, AssignRoute) else frozenset({LONGITUDINAL})
        if isinstance(body, AssignRoute):
            places.route(body.route)

    def start(self, runs: Bools) -> Bools:
        rows = np.flatnonzero(runs)
        if isinstance(self.body, AssignRoute):
            self.places.course(self.entity, rows, self.places.route(self.body.route))
        else:
            self.places.course_to(self.entity, self.body.position, rows)
        return np.zeros_like(runs)

    def step(self, runs: Bools, dt_s: float) -> Bools:
        return runs


# --- Meeting ---

_NONE, _LINEAR, _TWO_PHASE, _STOPPED, _STOPPING, _WAITING, _STEADY = range(7)


class Meet:
    """SynchronizeAction."""

    domains = frozenset({LONGITUDINAL})

    def __init__(
        self, body: Synchronize, entity: int, bodies: Bodies, places: Places, distances: Distances, tracks: Tracks
    ) -> None:
        self.entity, self.body, self.bodies = entity, body, bodies
        self.places, self.distances, self.tracks = places, distances, tracks
        draw = bodies.draw
        self.master = bodies.index(body.master)
        self.near, self.master_near = (
            np.zeros(draw.size) if v is None else v.numbers(draw) for v in (body.tolerance, body.master_tolerance)
        )
        final = body.final_speed
        self.final = None if final is None else final.value.numbers(draw)
        self.steady_m = None
        if final is not None and final.steady_distance is not None:
            self.steady_m = final.steady_distance.numbers(draw)
        elif final is not None and final.steady_time is not None:
            self.steady_m = _steady(final.steady_time, final.relative, bodies) * np.asarray(self.final)
        self.mode = np.full(draw.size, _NONE)
        self.rushing = np.zeros(draw.size, dtype=bool)
        self.last, self.master_last = np.full((2, draw.size), np.inf)

    def start(self, runs: Bools) -> Bools:
        self.goal = self.places.spot(self.body.position, self.entity)
        self.master_goal = self.places.spot(self.body.master_position, self.master)
        self.mode = np.where(runs, _NONE, self.mode)
        self.last, self.master_last = (np.where(runs, np.inf, v) for v in (self.last, self.master_last))
        return np.zeros_like(runs)

    def _left(self, entity: int, goal: Spot) -> Floats:
        """The way (B,) that an entity has to its place: along its trajectory, else along the roads, else straight."""
        bodies = self.bodies
        on = self.tracks.on.get(entity)
        tracked = on is not None and goal.path_m is not None
        if tracked and on is not None and on.all():
            assert goal.path_m is not None
            return goal.path_m - self.tracks.s_m[entity]
        straight = np.hypot(goal.x_m - bodies.x_m[entity], goal.y_m - bodies.y_m[entity])
        place = Place(goal.x_m, goal.y_m, goal.road, goal.lane, goal.s_m, goal.t_m)
        left = straight
        if bodies.tables is not None:
            along = self.distances.along_to(entity, place)
            left = np.where(along.found, np.abs(along.ds_m), straight)
        if tracked:
            assert on is not None and goal.path_m is not None
            left = np.where(on, goal.path_m - self.tracks.s_m[entity], left)
        return left

    def _pace(self, entity: int) -> Floats:
        """Speed (B,) of an entity as far as it gets on along its road, or its trajectory."""
        bodies = self.bodies
        speed = bodies.speed_mps[entity]
        if bodies.tables is None:
            return speed
        size = bodies.shape[1]
        bodies.find(np.arange(size) + entity * size)
        course = bodies.heading_rad[entity] - bodies.turn_rad[entity]
        along = bodies.vx_mps[entity] * np.cos(course) + bodies.vy_mps[entity] * np.sin(course)
        return np.where(speed < 0.0, -1.0, 1.0) * np.abs(along)

    def step(self, runs: Bools, dt_s: float) -> Bools:
        bodies, e = self.bodies, self.entity
        runs = runs & ~bodies.speed_taken[e]
        way, master_way = self._left(e, self.goal), self._left(self.master, self.master_goal)
        done = (way < self.near + SMALL) | (master_way < self.master_near + SMALL)
        done |= (way > self.last) | (master_way > self.master_last)
        self.last, self.master_last = np.where(runs, way, self.last), np.where(runs, master_way, self.master_last)
        way, master_way = np.maximum(way - self.near, SMALL), np.maximum(master_way - self.master_near, SMALL)
        pace = self._pace(self.master)
        moving = pace > SMALL
        time = np.where(moving, master_way / np.where(moving, pace, 1.0), _LARGE)
        done |= moving & (time < dt_s)
        speed = bodies.speed_mps[e]
        if self.final is None:
            wanted = 2.0 * way / time - speed
            new = speed + (wanted - speed) / time * dt_s
            bodies.speed_mps[e] = np.where(runs & ~done, new, speed)
            return runs & done
        new = self._planned(runs & ~done, way, time, self._final(), dt_s)
        bodies.speed_mps[e] = np.where(runs, np.where(done, self._final(), new), speed)
        return runs & done

    def _final(self) -> Floats:
        assert self.final is not None and self.body.final_speed is not None
        return self.final + (self.bodies.speed_mps[self.master] if self.body.final_speed.relative else 0.0)

    def _planned(self, runs: Bools, way: Floats, time: Floats, final: Floats, dt_s: float) -> Floats:
        """The new speed (B,) with this way and this time left to the meeting."""
        speed = self.bodies.speed_mps[self.entity]
        mode = self.mode
        if self.steady_m is not None:
            lead = self.steady_m / np.where(np.abs(final) > SMALL, final, SMALL)
            begins = (mode != _STEADY) & ((way - self.steady_m < SMALL) | (time - lead < SMALL))
            mode = np.where(begins, _STEADY, mode)
            early = mode != _STEADY
            way, time = np.where(early, way - self.steady_m, way), np.where(early, time - lead, time)
        waits = (mode == _WAITING) & (time >= _LARGE)
        mode = np.where((mode == _WAITING) & ~waits, _NONE, mode)
        restarts = (mode == _STOPPED) & (time < 2.0 * way / np.where(final > SMALL, final, SMALL))
        mode = np.where(restarts, _LINEAR, mode)
        linear = mode == _LINEAR  # those that switch to it below keep their speed for this tick
        on_line = 2.0 * way / time - final
        arrives = (mode == _TWO_PHASE) & (time < _LARGE) & (np.abs(speed - on_line) < _ON_LINE_MPS)
        fresh = mode == _NONE
        self.rushing = np.where(runs & fresh, 0.5 * (final + speed) < way / time, self.rushing)
        mode = np.where(fresh, _TWO_PHASE, mode)
        phased = (mode == _TWO_PHASE) & ~arrives
        new, later = self._two_phases(way, time, final, dt_s)
        stopping = mode == _STOPPING
        braked = speed - _BRAKE_MPS2 * dt_s
        straight = np.where((time < 0.001) | (way < 0.001), 0.0, 2.0 * way / time - np.maximum(final, 0.0))
        straight = np.where(time > _LARGE - 1.0, 0.0, np.maximum(straight, 0.0))
        found = np.select(
            [mode == _STEADY, waits, stopping, linear, mode == _STOPPED, phased],
            [final, speed, np.maximum(braked, 0.0), straight, np.zeros_like(speed), new],
            default=speed,
        )
        mode = np.where(arrives, _LINEAR, np.where(phased, later, mode))
        mode = np.where(stopping & (braked < 0.0), _WAITING, mode)
        self.mode = np.where(runs, mode, self.mode)
        return found

    def _two_phases(self, s: Floats, t: Floats, v1: Floats, dt_s: float) -> tuple[Floats, np.ndarray]:
        """The new speed in the first of two phases, and the mode after it.

        With v0 now, v1 at the end, s and t left: accelerate to v at x, then the other way to v1 at t, both at the same
        rate: v = (2 s -+ r)/(2 t) and x = (2 (v1 t - s) -+ r)/(2 (v1 - v0)), r^2 = 4 s^2 - 4 (v0 + v1) s t + 2 (v0^2 +
        v1^2) t^2.
        """
        now = self.bodies.speed_mps[self.entity]
        v0 = self._pace(self.entity)
        r = np.sqrt(np.maximum(4.0 * s * s - 4.0 * (v0 + v1) * t * s + 2.0 * (v0 * v0 + v1 * v1) * t * t, 0.0))
        equal = np.abs(v1 - v0) < SMALL
        gap = np.where(equal, 1.0, v1 - v0)
        top, rate, found = np.zeros_like(s), np.zeros_like(s), np.zeros(s.shape, dtype=bool)
        for sign in (-1.0, 1.0):
            x, v = (2.0 * (v1 * t - s) + sign * r) / (2.0 * gap), (2.0 * s + sign * r) / (2.0 * t)
            inside = (x > 0.0) & (x < t) & ~found
            top, rate = np.where(inside, v, top), np.where(inside, (v - v0) / np.where(inside, x, 1.0), rate)
            found |= inside
        halves = (s - 0.5 * t * v0) / (0.5 * t)
        top, rate = np.where(equal, halves, top), np.where(equal, (halves - v0) / (0.5 * t), rate)
        apex = np.where(self.rushing, rate < 0.0, rate > 0.0)
        mode = np.where(apex, _LINEAR, _TWO_PHASE)
        rate = np.where(apex, 0.0, rate)
        stands = ~apex & (top < 0.0)  # it would have to drive back: stop on the way and wait instead
        first = 2.0 * v0 * s / np.maximum(v0 * v0 + v1 * v1, SMALL)
        slow = np.where(np.abs(first) > SMALL, -v0 / np.where(np.abs(first) > SMALL, first, 1.0), 0.0)
        late = stands & (first * v0 / 2.0 > s / 2.0)
        rate = np.where(late, -_BRAKE_MPS2, np.where(stands, slow, rate))
        mode = np.where(late, _STOPPING, mode)
        halted = stands & (v0 + rate * dt_s < 0.0)
        return np.where(halted, 0.0, now + rate * dt_s), np.where(halted, _STOPPED, mode)


def _steady(time: Value, relative: bool, bodies: Bodies) -> Floats:
    """The steady time (B,) before a meeting. ValueError where it cannot be turned into a distance."""
    if relative:
        raise ValueError(f"{time.where}: a steady time with a relative final speed is not supported; give a distance")
    return time.numbers(bodies.draw)
