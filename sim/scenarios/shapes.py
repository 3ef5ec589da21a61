"""Trajectories in the world as polylines, one per run: straight between vertices, by path length or by time.

A clothoid spline is walked in steps of one metre, its last step stretched to its end; a single clothoid finely.
Headings that a file does not give are those of the segments, blended over up to two metres on both sides of a corner.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np

from sim.roads.geometry import Floats, wrap_rad
from sim.scenarios.positions import Clothoid, ClothoidSpline, Position
from sim.scenarios.road_tables import Bools, Ints
from sim.scenarios.values import Draw, Value

_SMALL = 1e-6
_CORNER_M = 2.0
_STEP_M = 1.0  # of splines
_FINE_M = 0.1  # of single clothoids
_MAX_STEPS = 100_000
_PANELS = 8
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(8)


class Standing(Protocol):
    """A place with a heading, each (B,)."""

    @property
    def x_m(self) -> Floats: ...
    @property
    def y_m(self) -> Floats: ...
    @property
    def z_m(self) -> Floats: ...
    @property
    def heading_rad(self) -> Floats: ...
    @property
    def heading_given(self) -> bool: ...


class At(NamedTuple):
    """A place on a curve, each (B,); `course_rad` is the direction of the segment, whatever the heading."""

    x_m: Floats
    y_m: Floats
    z_m: Floats
    heading_rad: Floats
    course_rad: Floats


@dataclass(frozen=True)
class Vertices:
    """Vertices (V, B) of a polyline."""

    x_m: Floats
    y_m: Floats
    z_m: Floats
    heading_rad: Floats
    given: tuple[bool, ...]  # (V,) headings that the file gives
    time_s: Floats | None

    @classmethod
    def of(cls, spots: Sequence[Standing], times: Sequence[Floats | None]) -> "Vertices":
        """From places; times count where every vertex has one."""
        x, y, z, heading = (np.stack([getattr(s, k) for s in spots]) for k in ("x_m", "y_m", "z_m", "heading_rad"))
        known = [time for time in times if time is not None]
        stamps = np.stack(known) if len(known) == len(times) else None
        return cls(x, y, z, heading, tuple(spot.heading_given for spot in spots), stamps)


@dataclass(frozen=True)
class Curve:
    """Polylines (V, B). `step_m` tells that vertices lie that far apart, in the first `count - 1` of each run."""

    x_m: Floats
    y_m: Floats
    z_m: Floats
    heading_rad: Floats
    s_m: Floats
    length_m: Floats  # (B,) of the whole; a spline's may exceed its last vertex's s
    closed: bool = False
    blend: bool = False  # headings run evenly between vertices, none is blended at corners
    given: bool = False  # headings are the file's own
    time_s: Floats | None = None  # (V, B)
    speed_mps: Floats | None = None  # (V, B) at vertices, with the acceleration after them
    accel_mps2: Floats | None = None
    step_m: float = 0.0

    def at(self, s_m: Floats) -> At:
        """Places at path lengths (B,)."""
        return self._within(self._segment(s_m), s_m)

    def _segment(self, s_m: Floats) -> Ints:
        last = len(self.s_m) - 2
        if self.step_m:
            return np.clip(np.ceil((s_m - _SMALL) / self.step_m) - 1.0, 0.0, last).astype(np.int64)
        return np.minimum((s_m > self.s_m[1:-1] + _SMALL).sum(axis=0), last)

    def _within(self, i: Ints, s_m: Floats) -> At:
        run = np.arange(len(i))
        length = np.maximum(self.s_m[i + 1, run] - self.s_m[i, run], _SMALL)
        local = np.clip(s_m - self.s_m[i, run], 0.0, length)
        share = local / length
        x, y, z = (
            (1.0 - share) * a[i, run] + share * a[i + 1, run] for a in (self.x_m, self.y_m, self.z_m)
        )  # fmt: skip
        dx, dy = self.x_m[i + 1, run] - self.x_m[i, run], self.y_m[i + 1, run] - self.y_m[i, run]
        still = np.hypot(dx, dy) < _SMALL
        course = np.where(still, self.heading_rad[i, run], np.arctan2(dy, dx))
        return At(x, y, z, self._heading(i, local, length), course)

    def _heading(self, i: Ints, local: Floats, length: Floats) -> Floats:
        run = np.arange(len(i))
        here, after = self.heading_rad[i, run], self.heading_rad[i + 1, run]
        before = self.heading_rad[np.maximum(i - 1, 0), run]
        if self.blend:
            return wrap_rad(here + local / length * wrap_rad(after - here))
        radius = np.minimum(_CORNER_M, 0.5 * length)
        entering = before + (radius + local) / (2.0 * radius) * wrap_rad(here - before)
        leaving = here + (1.0 - (radius + length - local) / (2.0 * radius)) * wrap_rad(after - here)
        found = np.where(local > length - radius, leaving, here)
        return wrap_rad(np.where((local < radius) & (i > 0), entering, np.where(local < radius, here, found)))

    # --- By time ---

    @property
    def starts_s(self) -> Floats:
        assert self.time_s is not None
        return self.time_s[0]

    @property
    def ends_s(self) -> Floats:
        assert self.time_s is not None
        return self.time_s[-1]

    def timed(self, follow: bool, speed_mps: Floats) -> "Curve":
        """With speeds between vertices: even, or (`follow`) changing evenly from the speed (B,) at the start."""
        assert self.time_s is not None
        speeds, accels = np.zeros_like(self.s_m), np.zeros_like(self.s_m)
        speed = speed_mps
        speeds[0] = speed
        for i in range(len(self.s_m) - 1):
            way, span = self.s_m[i + 1] - self.s_m[i], self.time_s[i + 1] - self.time_s[i]
            safe = np.where(span > _SMALL, span, 1.0)
            if not follow:
                speed = np.where(span > _SMALL, way / safe, 0.0)
                speeds[i] = speed
                speeds[i + 1] = speed
                continue
            accel = 2.0 * (way - speed * span) / (safe * safe)
            stops = ((speed + accel * span) < 0.0) != (speed < 0.0)
            accel = np.where(stops, -(speed * speed) / (2.0 * np.where(way > _SMALL, way, 1.0)), accel)
            moves = way > _SMALL
            accels[i] = np.where(moves, accel, 0.0)
            speed = np.where(moves & ~stops, speed + accel * span, 0.0)
            speeds[i + 1] = speed
        return replace(self, speed_mps=speeds, accel_mps2=accels)

    def s_at(self, time_s: Floats) -> Floats:
        """Path lengths (B,) at times (B,), held at both ends."""
        assert self.time_s is not None and self.speed_mps is not None and self.accel_mps2 is not None
        i = np.minimum((time_s > self.time_s[1:-1]).sum(axis=0), len(self.s_m) - 2)
        run = np.arange(len(i))
        span, accel = time_s - self.time_s[i, run], self.accel_mps2[i, run]
        speed = self.speed_mps[i, run]
        slowing = accel < 0.0
        span = np.where(slowing, np.minimum(span, -speed / np.where(slowing, accel, -1.0)), span)
        s = self.s_m[i, run] + span * speed + 0.5 * accel * span * span
        return np.where(time_s > self.ends_s, self.length_m, np.maximum(s, 0.0))

    def time_at(self, s_m: Floats) -> Floats:
        """Times (B,) at path lengths (B,), evenly between vertices."""
        assert self.time_s is not None
        i = self._segment(s_m)
        run = np.arange(len(i))
        length = np.maximum(self.s_m[i + 1, run] - self.s_m[i, run], _SMALL)
        share = np.clip((s_m - self.s_m[i, run]) / length, 0.0, 1.0)
        return (1.0 - share) * self.time_s[i, run] + share * self.time_s[i + 1, run]


def polyline(vertices: Vertices, closed: bool) -> Curve:
    """The curve through vertices; a closed one returns to its first. ValueError for fewer than two."""
    if len(vertices.x_m) < 2:
        raise ValueError("a polyline needs at least two vertices")
    x, y, z, heading = vertices.x_m, vertices.y_m, vertices.z_m, vertices.heading_rad.copy()
    time, given = vertices.time_s, list(vertices.given)
    if closed and (np.hypot(x[0] - x[-1], y[0] - y[-1]) > _SMALL).any():
        x, y, z, heading = (np.concatenate((a, a[:1])) for a in (x, y, z, heading))
        given.append(given[0])
        time = None
    dx, dy = np.diff(x, axis=0), np.diff(y, axis=0)
    step = np.hypot(dx, dy)
    course = np.arctan2(dy, dx)
    for i in range(len(x)):
        if given[i]:
            continue
        segment = min(i, len(step) - 1)
        still = step[segment] < _SMALL
        heading[i] = np.where(still, heading[i - 1] if i else heading[i], course[segment])
    s = np.concatenate((np.zeros((1, x.shape[1])), np.cumsum(step, axis=0)))
    return Curve(x, y, z, heading, s, s[-1], closed, given=any(given), time_s=time)


# --- Clothoids ---


class _Arcs(NamedTuple):
    """Segments (S, B) of a spline: where they start, their curvature and its change per metre, and lengths."""

    x_m: Floats
    y_m: Floats
    heading_rad: Floats
    curvature: Floats
    rate: Floats
    length_m: Floats


def spline(
    shape: ClothoidSpline | Clothoid, draw: Draw, spot: Callable[[Position], Standing], start: Standing | None
) -> Curve:
    """A clothoid spline or a single clothoid. `start` places a spline that has no start of its own.

    ValueError where there is neither, or where lengths make no sense.
    """
    if isinstance(shape, Clothoid):
        at = spot(shape.start)
        k, rate, length = (np.array(v.numbers(draw)) for v in (shape.curvature, shape.curvature_rate, shape.length))
        arcs = _Arcs(*(v[None] for v in (at.x_m, at.y_m, at.heading_rad, k, rate, length)))
        times = _two(shape.time_start_s, shape.time_end_s, draw)
        return _walked(arcs, _FINE_M, times)
    arcs = _chained(shape, draw, spot, start)
    first = shape.segments[0].time_start_s
    return _walked(arcs, _STEP_M, _two(first, shape.time_end_s, draw))


def _two(start: Value | None, end: Value | None, draw: Draw) -> tuple[Floats, Floats] | None:
    return None if start is None or end is None else (start.numbers(draw), end.numbers(draw))


def _chained(shape: ClothoidSpline, draw: Draw, spot: Callable[[Position], Standing], start: Standing | None) -> _Arcs:
    rows: list[tuple[Floats, ...]] = []
    x = y = heading = np.zeros(draw.size)
    for i, segment in enumerate(shape.segments):
        at = spot(segment.start) if segment.start is not None else start if i == 0 else None
        if at is not None:
            x, y, heading = at.x_m, at.y_m, at.heading_rad
        elif i == 0:
            raise ValueError(f"{segment.length.where}: the spline has no start; give it a <PositionStart>")
        turned = heading if segment.heading_offset is None else heading + segment.heading_offset.numbers(draw)
        k0, k1 = segment.curvature_start.numbers(draw), segment.curvature_end.numbers(draw)
        length = segment.length.numbers(draw)
        if (length < 0.0).any() or (length > _MAX_STEPS).any():
            raise ValueError(f"{segment.length.where}: length must be from 0 to {_MAX_STEPS} m")
        rate = (k1 - k0) / np.where(length > 0.0, length, 1.0)
        rows.append((x, y, turned, k0, rate, length))
        dx, dy, turn = clothoid(turned, k0, rate, length)
        x, y, heading = x + dx, y + dy, wrap_rad(turned + turn)
    return _Arcs(*(np.stack(column) for column in zip(*rows)))


def _walked(arcs: _Arcs, step_m: float, times: tuple[Floats, Floats] | None) -> Curve:
    """Vertices every `step_m` and one at the end, which stands at the last whole step."""
    total = arcs.length_m.sum(axis=0)
    steps = np.maximum((total / step_m).astype(np.int64), 1)
    run = np.arange(len(total))
    covered, segment = np.zeros(len(total)), np.zeros(len(total), dtype=np.int64)
    last = len(arcs.length_m) - 1
    rows = []
    for i in range(int(steps.max()) + 1):
        on = i * step_m > covered + arcs.length_m[segment, run] - _SMALL
        on &= (segment < last) & (i < steps)
        covered, segment = np.where(on, covered + arcs.length_m[segment, run], covered), segment + on
        ends = i >= steps
        piece = np.where(ends, last, segment)
        local = np.where(ends, arcs.length_m[last], i * step_m - covered)
        k, rate, heading = arcs.curvature[piece, run], arcs.rate[piece, run], arcs.heading_rad[piece, run]
        dx, dy, turn = clothoid(heading, k, rate, local)
        rows.append((arcs.x_m[piece, run] + dx, arcs.y_m[piece, run] + dy, wrap_rad(heading + turn)))
    x, y, heading = (np.stack(column) for column in zip(*rows))
    s = np.minimum(np.arange(len(x))[:, None], steps) * step_m
    time = None if times is None else times[0] + s / np.maximum(total, _SMALL) * (times[1] - times[0])
    return Curve(x, y, np.zeros_like(x), heading, s, total, blend=True, time_s=time, step_m=step_m)


def clothoid(heading: Floats, curvature: Floats, rate: Floats, length: Floats) -> tuple[Floats, Floats, Floats]:
    """Displacement in x and y and turn, each (n,), after `length` (n,) of clothoids that start with a heading (n,)."""
    x, y = np.zeros_like(length), np.zeros_like(length)
    half = 0.5 * length / _PANELS
    for panel in range(_PANELS):
        for node, weight in zip(_NODES, _WEIGHTS):
            at = half * (2.0 * panel + 1.0 + node)
            phase = heading + at * (curvature + 0.5 * rate * at)
            x, y = x + weight * half * np.cos(phase), y + weight * half * np.sin(phase)
    return x, y, length * (curvature + 0.5 * rate * length)


def faces_along(heading_rad: Floats, course_rad: Floats) -> Bools:
    """Whether a heading looks along a course rather than back."""
    return np.abs(wrap_rad(heading_rad - course_rad)) <= 0.5 * math.pi + _SMALL
