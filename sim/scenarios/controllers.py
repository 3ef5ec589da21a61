"""Controllers that files give to entities: the ones that are built in, and an outside driver in their place.

Built in is a plain adaptive cruise control (ACCController; ALKSController is the same with its lane kept). It
looks along the lane for the nearest entity ahead, within max(50 m, 6 m + v^2/b), b its greatest deceleration, measured
between reference points, on the same lane's way and within `lateralDist` across; then for anything close in front. With
g the gap between bumpers, v its own and u the other's speed, w the speed set: d = 3 + T max(v, u), k = min(1, (g -
d)/d), a = 2.5 k - k (v - w) - (1 - k)(v - min(w, u)), within the limits of the vehicle; never above w, and it stands
still below 1 m.
Without a lead a = 0.7 A (w - v), A its greatest acceleration. What other actions do to its speed becomes the speed set.
"""

import warnings
from collections.abc import Sequence

import numpy as np

from sim.roads.geometry import Floats
from sim.scenarios.distances import Distances
from sim.scenarios.entities import Controller
from sim.scenarios.motions import Bodies
from sim.scenarios.road_tables import Bools
from sim.scenarios.values import Where

CRUISE = ("ACCController", "ALKSController")
DEFAULT = ("DefaultController", "")
_KEEP_M, _STAND_M = 3.0, 1.0
_LOOK_M = 50.0
_RESUME = 0.7
_CLOSE_LEFT_M, _CLOSE_RIGHT_M = 0.2, -0.5


class Cruise:
    """The cruise control of one entity."""

    def __init__(self, entity: int, controller: Controller, bodies: Bodies, distances: Distances, where: Where) -> None:
        self.entity, self.bodies, self.distances = entity, bodies, distances
        given = controller.properties
        self.gap_s = _number(given, "timeGap", 1.5, where)
        self.across_m = _number(given, "lateralDist", 5.0, where)
        self.moves = given.get("mode", "additive") == "override"
        size = bodies.draw.size
        self.set_at = _number(given, "setSpeed", np.nan, where)
        self.active = np.zeros(size, dtype=bool)
        self.speed, self.set_mps = np.zeros((2, size))

    def activate(self, runs: Bools, on: bool) -> None:
        """Switch it on or off in some runs."""
        bodies, e = self.bodies, self.entity
        now = bodies.speed_mps[e]
        if on:
            wanted = now if not self.moves or np.isnan(self.set_at) else np.full_like(now, self.set_at)
            self.speed, self.set_mps = np.where(runs, now, self.speed), np.where(runs, wanted, self.set_mps)
        self.active = np.where(runs, on, self.active)
        if self.moves:
            bodies.speed_taken[e] = np.where(runs, on, bodies.speed_taken[e])

    def step(self, live: Bools, dt_s: float) -> None:
        """Set the speed for the next tick, where it is active."""
        bodies, e = self.bodies, self.entity
        runs = live & self.active & bodies.valid[e]
        if not runs.any():
            return
        changed = np.abs(bodies.speed_mps[e] - self.speed) > 1e-3
        self.set_mps = np.where(runs & changed, bodies.speed_mps[e], self.set_mps)
        gap, other, led = self._lead()
        speed, up, down = self.speed, bodies.max_accel_mps2[e], bodies.max_decel_mps2[e]
        wanted_gap = _KEEP_M + self.gap_s * np.abs(np.maximum(speed, other))
        share = np.minimum(1.0, (gap - wanted_gap) / wanted_gap)
        accel = 2.5 * share - share * (speed - self.set_mps)
        accel = accel - (1.0 - share) * (speed - np.minimum(self.set_mps, other))
        behind = np.maximum(0.0, speed + np.clip(accel, -down, up) * dt_s)
        behind = np.minimum(behind, self.set_mps)  # a gap that is long enough is not closed
        behind = np.where(gap < _STAND_M, 0.0, behind)
        resume = np.clip((self.set_mps - speed) * _RESUME * up, -down, _RESUME * up)
        alone = speed + resume * dt_s
        alone = np.where(np.abs(alone - self.set_mps) > np.abs(speed - self.set_mps), self.set_mps, alone)
        self.speed = np.where(runs, np.where(led, behind, alone), speed)
        if self.moves:
            rows = bodies.rows(e, runs)
            bodies.advance(rows, self.speed[runs] * dt_s)
        bodies.speed_mps[e] = np.where(runs, self.speed, bodies.speed_mps[e])

    def _lead(self) -> tuple[Floats, Floats, Bools]:
        """Gap to and speed of what is ahead, and whether there is anything."""
        bodies, e = self.bodies, self.entity
        size = bodies.draw.size
        gap, speed, led = np.full(size, np.inf), np.zeros(size), np.zeros(size, dtype=bool)
        look = np.maximum(_LOOK_M, 2.0 * _KEEP_M + self.speed**2 / bodies.max_decel_mps2[e])
        front = 0.5 * bodies.length_m[e] + bodies.centre_x_m[e]
        for i in range(len(bodies.names)):
            if i == e:
                continue
            other = bodies.speed_mps[i]
            picked = np.zeros(size, dtype=bool)
            if bodies.tables is not None:
                along = self.distances.along_roads(e, i, backwards=False)
                same_way = np.cos(bodies.heading_rad[e] - bodies.heading_rad[i]) > 0.0
                rear = 0.5 * bodies.length_m[i] + np.where(same_way, -1.0, 1.0) * bodies.centre_x_m[i]
                free = along.ds_m - front - rear
                picked = along.found & (np.abs(along.ds_m) < look) & along.same_lane & bodies.valid[i]
                picked &= (free > 0.0) & (free < gap) & (np.abs(along.dt_m) < self.across_m)
                gap, speed, led = np.where(picked, free, gap), np.where(picked, other, speed), led | picked
            near = self.distances.free(e, i)
            reach = 1.0 + bodies.length_m[i] + 0.5 * np.maximum(0.0, self.speed - other)
            close = ~picked & bodies.valid[i] & (near.longitudinal_m > 0.0) & (near.longitudinal_m < reach)
            close &= (near.lateral_m < _CLOSE_LEFT_M) & (near.lateral_m > _CLOSE_RIGHT_M)
            gap, speed = np.where(close, near.longitudinal_m, gap), np.where(close, other, speed)
            led |= close
        return gap, speed, led


class Controllers:
    """Who drives which entity: its controllers by name, and the outside driver where there is one."""

    def __init__(self, bodies: Bodies, distances: Distances, driven: Sequence[int]) -> None:
        self.bodies, self.distances, self.driven = bodies, distances, tuple(driven)
        self.driving = np.zeros((len(driven), bodies.draw.size), dtype=bool)
        self.cruises: list[Cruise] = []
        self._assigned: dict[int, Cruise] = {}

    def check(self, entity: int, controller: Controller | None, where: Where) -> None:
        """Refuse, before the run, to activate what is not built in. ValueError."""
        if entity in self.driven or entity in self._assigned:
            return
        own = self.bodies.entities[entity].controllers
        chosen = controller or (own[-1] if own else None)
        if chosen is None:
            return
        kind = chosen.properties.get("esminiController", chosen.name)
        if kind in CRUISE:
            cruise = Cruise(entity, chosen, self.bodies, self.distances, where)
            self.cruises.append(cruise)
            self._assigned[entity] = cruise
        elif kind not in DEFAULT:
            raise ValueError(
                f"{where}: controller {chosen.name!r} of {self.bodies.names[entity]!r} ({kind}) is not supported; "
                f"use one of {', '.join(CRUISE)}, or drive the entity by an agent"
            )

    def activate(self, entity: int, runs: Bools, lateral: bool | None, longitudinal: bool | None) -> None:
        """Switch an entity's driver on or off in some runs; None leaves a domain as it is."""
        if entity in self.driven:
            on = bool(longitudinal or lateral)
            self.drive(self.driven.index(entity), runs, on)
        elif entity in self._assigned and longitudinal is not None:
            self._assigned[entity].activate(runs, longitudinal)

    def drive(self, which: int, runs: Bools, on: bool) -> None:
        """Let the outside driver take an entity, or give it back."""
        e = self.driven[which]
        self.driving[which] = np.where(runs, on, self.driving[which])
        self.bodies.speed_taken[e] = np.where(runs, on, self.bodies.speed_taken[e])
        self.bodies.lateral_taken[e] = np.where(runs, on, self.bodies.lateral_taken[e])

    def step(self, live: Bools, dt_s: float) -> None:
        """Let the built-in controllers act."""
        for cruise in self.cruises:
            cruise.step(live, dt_s)

    def obey(self, live: Bools, accel_mps2: Floats, steer_rad: Floats | None, dt_s: float) -> None:
        """Move the driven entities as commanded, (D, B) each: speeds change evenly over the tick, never below 0."""
        bodies = self.bodies
        for d, e in enumerate(self.driven):
            runs = live & self.driving[d] & bodies.valid[e]
            if not runs.any():
                continue
            before = bodies.speed_mps[e]
            after = np.maximum(before + accel_mps2[d] * dt_s, 0.0)
            way = 0.5 * (before + after) * dt_s
            if steer_rad is None:
                bodies.advance(bodies.rows(e, runs), way[runs])
            else:
                self._bicycle(e, runs, way, steer_rad[d])
            bodies.speed_mps[e] = np.where(runs, after, before)
            bodies.moved[e] |= runs

    def _bicycle(self, e: int, runs: Bools, way: Floats, steer: Floats) -> None:
        """Move the rear axle by `way` on the arc that the steering angle gives."""
        bodies = self.bodies
        wheelbase = np.where(bodies.wheelbase_m[e] > 0.0, bodies.wheelbase_m[e], 0.6 * bodies.length_m[e])
        turn = way * np.tan(steer) / wheelbase
        middle = bodies.heading_rad[e] + 0.5 * turn
        chord = way * np.sinc(0.5 * turn / np.pi)
        for name, step in (("x_m", chord * np.cos(middle)), ("y_m", chord * np.sin(middle)), ("heading_rad", turn)):
            column = getattr(bodies, name)
            column[e] = np.where(runs, column[e] + step, column[e])
        bodies.loose[e] |= runs
        if bodies.tables is not None and not bodies.tables.flat.all():
            rows = bodies.rows(e, runs)
            bodies.find(rows)
            bodies.lift(rows)


def warn_unused(bodies: Bodies, driven: Sequence[int], activated: set[int]) -> None:
    """Say which controllers of the file do nothing, because nothing activates them."""
    for e, entity in enumerate(bodies.entities):
        for controller in entity.controllers:
            kind = controller.properties.get("esminiController", controller.name)
            if e not in driven and e not in activated and kind not in DEFAULT:
                warnings.warn(f"controller {controller.name!r} of {entity.name!r} is never activated", stacklevel=2)


def _number(properties: dict[str, str], key: str, default: float, where: Where) -> float:
    text = properties.get(key)
    if text is None:
        return default
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{where}: property {key} is {text!r}; a number is needed") from None
