"""Distances between entities of a scenario: between their boxes or their reference points, in several axes.

`free` measures between the boxes seen from above, in the axes of the first; `between` and `to` between reference
points: along the course of the road at the first one (coordinates entity) or along the roads (lane, road). Positive is
ahead and to the left. Everything is (B,).
"""

import math
from typing import NamedTuple

import numpy as np

from sim.roads.geometry import Floats, wrap_rad
from sim.scenarios.motions import SMALL, Bodies
from sim.scenarios.road_paths import PathFinder
from sim.scenarios.road_tables import END, START, Bools, Ints

FAR_M = 1e10  # where there is no way
_HEIGHT_M = 2.5  # boxes further apart in height do not touch
_CORNERS = np.array(((1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)))


class Free(NamedTuple):
    """Free distances (B,) from one box to another: the shortest, and across and along the first; 0 for an overlap."""

    shortest_m: Floats
    lateral_m: Floats
    longitudinal_m: Floats


class Along(NamedTuple):
    """Distances (B,), or (E, B) to everybody, along roads; FAR_M where there is no way."""

    ds_m: Floats
    dt_m: Floats
    same_lane: Bools
    found: Bools


class Distances:
    """Measures between bodies."""

    def __init__(self, bodies: Bodies) -> None:
        self.bodies = bodies
        self.paths = None if bodies.tables is None else PathFinder(bodies.tables)
        sides = 0.5 * _CORNERS[:, :, None]
        # Corners (E, 4, B) of boxes, ahead and left of their reference points
        self._ahead_m = bodies.centre_x_m[:, None] + sides[:, 0] * bodies.length_m[:, None]
        self._left_m = bodies.centre_y_m[:, None] + sides[:, 1] * bodies.width_m[:, None]

    # --- Boxes ---

    def free(self, a: int, b: int, shortest: bool = False) -> Free:
        """Between two boxes; the shortest distance only where asked for, else it is 0 or 1 by whether they overlap."""
        corners = self._corners(a), self._corners(b)
        longitudinal, lateral, gap = self._gaps(a, corners)
        _, _, gap_b = self._gaps(b, corners)
        apart = gap | gap_b
        least = np.where(apart, 1.0, 0.0)
        if shortest:
            least = np.where(apart, _least_distance(*corners), 0.0)
        return Free(least, lateral, longitudinal)

    def overlap(self, a: int, b: int) -> Bools:
        """Whether two boxes overlap, seen from above and at about the same height."""
        height = np.abs(self.bodies.z_m[a] - self.bodies.z_m[b])
        return (self.free(a, b).shortest_m == 0.0) & (height <= _HEIGHT_M)

    def _gaps(self, axis: int, corners: tuple[Floats, Floats]) -> tuple[Floats, Floats, Bools]:
        """Signed gaps from the first to the second box along and across the axes of a body, and whether any is open."""
        heading = self.bodies.heading_rad[axis]
        cos, sin = np.cos(heading), np.sin(heading)
        found, open_ = [], np.zeros(heading.shape, dtype=bool)
        for x, y in ((cos, sin), (-sin, cos)):
            first, second = (c[0] * x + c[1] * y for c in corners)
            ahead, behind = second.min(axis=0) - first.max(axis=0), first.min(axis=0) - second.max(axis=0)
            found.append(np.where(ahead > SMALL, ahead, np.where(behind > SMALL, -behind, 0.0)))
            open_ |= (ahead > SMALL) | (behind > SMALL)
        return found[0], found[1], open_

    def _corners(self, e: int) -> Floats:
        """Corners (2, 4, B) of a box, x and y."""
        bodies = self.bodies
        cos, sin = np.cos(bodies.heading_rad[e]), np.sin(bodies.heading_rad[e])
        x, y = self._ahead_m[e], self._left_m[e]
        return np.stack((bodies.x_m[e] + x * cos - y * sin, bodies.y_m[e] + x * sin + y * cos))

    def free_point(self, a: int, x: Floats, y: Floats) -> Free:
        """From a box to points (B,): the shortest way, and its parts across and along the box."""
        bodies = self.bodies
        cos, sin = np.cos(bodies.heading_rad[a]), np.sin(bodies.heading_rad[a])
        dx, dy = x - bodies.x_m[a], y - bodies.y_m[a]
        along = dx * cos + dy * sin - bodies.centre_x_m[a]
        across = dy * cos - dx * sin - bodies.centre_y_m[a]
        half = 0.5 * bodies.length_m[a], 0.5 * bodies.width_m[a]
        ahead, left = (v - np.clip(v, -h, h) for v, h in zip((along, across), half))
        return Free(np.hypot(ahead, left), left, ahead)

    # --- Reference points ---

    def relative(self, a: int, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Points (B,) ahead of and to the left of a body, in the course of its road that it looks along."""
        bodies = self.bodies
        bodies.find(np.arange(bodies.shape[1]) + a * bodies.shape[1])
        turn = np.where(bodies.road[a] >= 0, bodies.turn_rad[a], 0.0)
        course = bodies.heading_rad[a] - np.where(np.abs(turn) > 0.5 * math.pi, wrap_rad(turn - math.pi), turn)
        dx, dy = x - bodies.x_m[a], y - bodies.y_m[a]
        cos, sin = np.cos(course), np.sin(course)
        return dx * cos + dy * sin, dy * cos - dx * sin

    def between(self, a: int, b: int, kind: str, coordinates: str) -> Floats:
        """From one body's reference point to another's."""
        bodies = self.bodies
        if kind != "euclidian" and coordinates in ("lane", "road"):
            along = self.along_roads(a, b)
            return np.where(along.found, along.dt_m if kind == "lateral" else along.ds_m, FAR_M)
        return self._plain(a, bodies.x_m[b], bodies.y_m[b], kind)

    def to(self, a: int, spot: "Place", kind: str, coordinates: str) -> Floats:
        """From a body's reference point to a place."""
        if kind != "euclidian" and coordinates in ("lane", "road"):
            along = self.along_to(a, spot)
            return np.where(along.found, along.dt_m if kind == "lateral" else along.ds_m, FAR_M)
        return self._plain(a, spot.x_m, spot.y_m, kind)

    def _plain(self, a: int, x: Floats, y: Floats, kind: str) -> Floats:
        ahead, left = self.relative(a, x, y)
        if kind == "euclidian":
            return np.where(ahead > 0.0, 1.0, -1.0) * np.hypot(ahead, left)
        return left if kind == "lateral" else ahead

    # --- Along roads ---

    def free_along(self, a: int, b: int) -> tuple[Floats, Floats]:
        """Free distances from one box to another along and across the road of the first; FAR_M where there is no way.

        Each box spans the s and t of its corners in the course of the road at its own reference point.
        """
        along = self.along_roads(a, b)
        forward = np.where(np.abs(self.bodies.turn_rad[a]) <= 0.5 * math.pi, 1.0, -1.0)
        (low_a, high_a), (low_b, high_b) = (self._spans(e) for e in (a, b))
        found = []
        for axis, between in enumerate((along.ds_m * forward, along.dt_m)):
            ahead, behind = between + low_b[axis] - high_a[axis], low_a[axis] - between - high_b[axis]
            found.append(np.where(ahead > 0.0, ahead, np.where(behind > 0.0, -behind, 0.0)))
        return tuple(np.where(along.found, v, FAR_M) for v in (found[0] * forward, found[1]))  # type: ignore[return-value]

    def _spans(self, e: int) -> tuple[Floats, Floats]:
        """The least and greatest (2, B) of a box's corners along s and across, from its reference point."""
        bodies = self.bodies
        cos, sin = np.cos(bodies.turn_rad[e]), np.sin(bodies.turn_rad[e])
        x, y = self._ahead_m[e], self._left_m[e]
        across = x * sin + y * cos
        along = x * cos - y * sin
        if bodies.tables is not None:
            road = np.maximum(bodies.road[e], 0)
            curvature = bodies.tables.line(road, bodies.s_m[e])[3]
            along = along / np.maximum(1.0 - curvature * (bodies.t_m[e] + across), 0.1)
        spans = np.stack((along, across))
        return spans.min(axis=1), spans.max(axis=1)

    def along_roads(self, a: int, b: int, backwards: bool = True) -> Along:
        """From one body to another along roads; `backwards`: also against the heading, over joints."""
        bodies, size = self.bodies, self.bodies.shape[1]
        bodies.find(np.arange(size) + b * size)
        place = Place(bodies.x_m[b], bodies.y_m[b], bodies.road[b], bodies.lane[b], bodies.s_m[b], bodies.t_m[b])
        return self.along_to(a, place, backwards)

    def along_all(self, a: int) -> Along:
        """From one body to every body, each (E, B), along roads."""
        bodies = self.bodies
        bodies.find(np.arange(bodies.road.size))
        return self._along(a, Place(bodies.x_m, bodies.y_m, bodies.road, bodies.lane, bodies.s_m, bodies.t_m), True)

    def along_to(self, a: int, to: "Place", backwards: bool = True) -> Along:
        """From a body to a place along roads."""
        size = self.bodies.shape[1]
        self.bodies.find(np.arange(size) + a * size)
        return self._along(a, to, backwards)

    def _along(self, a: int, to: "Place", backwards: bool) -> Along:
        """From a body whose place is known to places (B,) or (E, B)."""
        bodies = self.bodies
        road, lane, s, t = bodies.road[a], bodies.lane[a], bodies.s_m[a], bodies.t_m[a]
        ahead = np.where(np.abs(bodies.turn_rad[a]) <= 0.5 * math.pi, 1.0, -1.0)
        ds, dt = ahead * (to.s_m - s), to.t_m - t
        found = (road == to.road) & (road >= 0)
        same = found & (lane == to.lane)
        if bodies.tables is not None and bodies.tables.sectioned:
            there = np.where(found, to.s_m, s)
            on, here, along = (np.broadcast_to(row, there.shape).ravel() for row in (np.maximum(road, 0), lane, s))
            same = found & (bodies.tables.carried(on, here, along, there.ravel()).reshape(there.shape) == to.lane)
        elsewhere = (road != to.road) & (road >= 0) & (to.road >= 0)
        for place in zip(*np.nonzero(elsewhere)) if elsewhere.any() else ():
            i = place[-1]
            far = self._far(int(road[i]), int(lane[i]), float(s[i]), float(ahead[i]), to, place, backwards)
            if far is not None:
                dt[place] = float(to.t_m[place]) - far[1] * abs(float(t[i]))
                ds[place], same[place], found[place] = far[0], far[2], True
        return Along(np.where(found, ds, FAR_M), np.where(found, dt, FAR_M), same, found)

    def _far(
        self, road: int, lane: int, s: float, ahead: float, to: "Place", place: tuple[int, ...], backwards: bool
    ) -> tuple[float, float, bool] | None:
        """Distance to a place on another road, the side of the road that the lane has there, whether it is the lane."""
        assert self.paths is not None
        tables, best = self.paths.tables, None
        front = END if ahead > 0.0 else START
        target, there = int(to.road[place]), float(to.s_m[place])
        for end in (front, 1 - front) if backwards else (front,):
            path = self.paths.find(road, lane, end, target)
            if path is None:
                continue
            out = float(tables.length_m[road]) - s if end == END else s
            last = there if path.roads[-1][1] == START else float(tables.length_m[target]) - there
            far = out + path.between_m + last
            if best is None or far < abs(best[0]):
                known = path.lane if path.lane is not None else lane
                side = 1.0 if known > 0 else -1.0
                best = (far if end == front else -far, side, path.lane == int(to.lane[place]))
        return best


class Place(NamedTuple):
    """Places (B,), or (E, B) of everybody, that are measured to."""

    x_m: Floats
    y_m: Floats
    road: Ints
    lane: Ints
    s_m: Floats
    t_m: Floats


def _least_distance(first: Floats, second: Floats) -> Floats:
    """The least distance (B,) between the outlines of boxes given by corners (2, 4, B)."""
    least = np.full(first.shape[2], np.inf)
    for points, edges in ((first, second), (second, first)):
        start, end = edges, np.roll(edges, -1, axis=1)
        along = end - start  # (2, 4, B)
        square = np.maximum((along * along).sum(axis=0), 1e-18)
        off = points[:, :, None] - start[:, None]  # (2, points, edges, B)
        share = np.clip((off * along[:, None]).sum(axis=0) / square, 0.0, 1.0)
        miss = off - share * along[:, None]
        least = np.minimum(least, np.sqrt((miss * miss).sum(axis=0)).min(axis=(0, 1)))
    return least
