"""Where points lie on a road network: world to (road, s, t) and to lanes, in batches, exact to rounding.

Samples of every reference line lie in a grid of cells. A look-up takes the nearest sample of each road near the point
and finds the foot of the perpendicular on the exact line by Newton's method, kept between the neighbouring samples.
Its cost does not grow with the map, but for points that are far from every road.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.roads.geometry import Floats, groups, wrap_rad

if TYPE_CHECKING:
    from sim.roads.network import Road, RoadPose

Ints = NDArray[np.int64]

_SPACING_M = 2.0  # of samples, less in tight curves
_MARGIN_M = 8.0  # beside a road its cells still list it
_CELL_M = 16.0
_BATCH = 4096  # points looked up together


class RoadPoints(NamedTuple):
    """Places on roads, each (n,): index of the road in file order, s and t, and how far outside the road's lanes."""

    road: Ints
    s_m: Floats
    t_m: Floats
    outside_m: Floats  # 0 on the road


class LanePoints(NamedTuple):
    """Places on driving lanes, each (n,); `offset_m` is t less the centre's t. Nothing near where not `valid`."""

    road: Ints
    section: Ints
    lane: Ints
    s_m: Floats
    offset_m: Floats
    outside_m: Floats  # 0 on the lane
    valid: NDArray[np.bool_]


class _Pairs(NamedTuple):
    """Points and the roads near them, each (m,), sorted by road."""

    point: Ints
    road: Ints
    s_m: Floats
    t_m: Floats
    beyond_m: Floats  # past the road's end
    above_m: Floats  # heights of the points over the surface; 0 where heights are unknown


class RoadIndex:
    """Look-ups by position on roads. ValueError where there are no roads."""

    def __init__(self, roads: "tuple[Road, ...]") -> None:
        if not roads:
            raise ValueError("there are no roads to look up positions on; give at least one")
        self.roads = roads
        samples = [_samples(road) for road in roads]
        self._first = np.cumsum([0] + [len(s) for s in samples])
        self._s = np.concatenate(samples)
        self._road = np.repeat(np.arange(len(roads)), np.diff(self._first))
        self._xy = np.concatenate([road.plan.at(s)[0] for road, s in zip(roads, samples)])
        edges = np.concatenate([np.abs(road.edges(s)).max(axis=0) for road, s in zip(roads, samples)])
        self._reach = edges + _MARGIN_M + _SPACING_M
        self._cell_m = max(_CELL_M, 0.5 * float(self._reach.max()))
        self._keys, self._members = self._grid()

    def _grid(self) -> tuple[Ints, Ints]:
        """Keys of cells, ascending, and the sample that each entry lists."""
        low, high = (self._cell(self._xy + sign * self._reach[:, None]) for sign in (-1.0, 1.0))
        keys, members = [], []
        for dy in range(int((high - low)[:, 1].max()) + 1):
            for dx in range(int((high - low)[:, 0].max()) + 1):
                rows = np.flatnonzero((low + (dx, dy) <= high).all(axis=1))
                keys.append(_key(low[rows] + (dx, dy)))
                members.append(rows)
        key, member = np.concatenate(keys), np.concatenate(members)
        order = np.lexsort((member, key))
        return key[order], member[order]

    def _cell(self, xy: Floats) -> Ints:
        return np.floor(xy / self._cell_m).astype(np.int64)

    # --- World to road ---

    def locate(self, xy_world_m: Floats, z_world_m: Floats | None = None) -> RoadPoints:
        """The road, s and t of points (n, 2) in m; heights (n,) tell roads above one another apart.

        Of overlapping roads the one whose reference line is nearest counts; off the roads the one whose edge is.
        """
        return RoadPoints(*_batched(self._locate, _points(xy_world_m), z_world_m))

    def _locate(self, xy: Floats, z: Floats | None) -> tuple[NDArray, ...]:
        pairs = self._pairs(xy, z)
        outside = np.zeros(len(pairs.point))
        for road, rows in groups(pairs.road):
            right, left = self.roads[road].edges(pairs.s_m[rows])
            outside[rows] = np.maximum(np.maximum(right - pairs.t_m[rows], pairs.t_m[rows] - left), 0.0)
        outside = np.hypot(outside, pairs.beyond_m)
        away = np.round(np.hypot(outside, pairs.above_m), 6)
        best = _first_per_point(pairs.point, np.lexsort((np.abs(pairs.t_m), away, pairs.point)))
        return pairs.road[best], pairs.s_m[best], pairs.t_m[best], outside[best]

    def project(self, road: int, xy_world_m: Floats) -> tuple[Floats, Floats]:
        """s and t (n,) of points (n, 2) on one road, given by its index, however far it is."""
        xy = _points(xy_world_m)
        nearest = [self._nearest(part, self._first[road], self._first[road + 1]) for part in _chunks(xy)]
        s, beside, _ = self._foot(road, xy, np.concatenate(nearest))
        return s, self.roads[road].stations(s).t(beside)

    def _pairs(self, xy: Floats, z: Floats | None) -> _Pairs:
        point, sample = self._near(xy)
        road = self._road[sample]
        s, t, beyond, above = (np.zeros(len(point)) for _ in range(4))
        for index, rows in groups(road):
            s[rows], beside, beyond[rows] = self._foot(index, xy[point[rows]], sample[rows])
            stations = self.roads[index].stations(s[rows])
            t[rows] = stations.t(beside)
            if z is not None:
                above[rows] = z[point[rows]] - stations.z(t[rows])
        return _Pairs(point, road, s, t, beyond, above)

    def _near(self, xy: Floats) -> tuple[Ints, Ints]:
        """Points and samples: the nearest sample of each road that a point's cell lists, else of all roads."""
        key = _key(self._cell(xy))
        start, end = (np.searchsorted(self._keys, key, side=side) for side in ("left", "right"))
        count = end - start
        point = np.repeat(np.arange(len(xy)), count)
        entry = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + np.repeat(start, count)
        sample = self._members[entry]
        distance = ((xy[point] - self._xy[sample]) ** 2).sum(axis=1)
        road = self._road[sample]
        order = np.lexsort((distance, road, point))
        same = (np.diff(point[order]) == 0) & (np.diff(road[order]) == 0)
        best = order[np.concatenate(([True], ~same))] if len(order) else order
        lost = np.flatnonzero(count == 0)
        far = [self._nearest(part, 0, len(self._s)) for part in _chunks(xy[lost])]
        return np.concatenate((point[best], lost)), np.concatenate((sample[best], *far)).astype(np.int64)

    def _nearest(self, xy: Floats, first: int, last: int) -> Ints:
        """The nearest of a range of samples to points (n, 2), by brute force."""
        off = xy[:, None] - self._xy[None, first:last]
        return first + np.argmin((off * off).sum(axis=2), axis=1)

    def _foot(self, road: int, xy: Floats, sample: Ints) -> tuple[Floats, Floats, Floats]:
        """s of the foot (n,), the distance to the left seen from above, and how far the point lies past the ends."""
        plan = self.roads[road].plan
        first, last = self._first[road], self._first[road + 1] - 1
        low, high = self._s[np.maximum(sample - 1, first)], self._s[np.minimum(sample + 1, last)]
        s = self._s[sample]
        for _ in range(80):  # bisection alone gets from metres to rounding in about 45
            foot, heading, curvature = plan.at(s)
            off, cos, sin = xy - foot, np.cos(heading), np.sin(heading)
            ahead, beside = off[:, 0] * cos + off[:, 1] * sin, off[:, 1] * cos - off[:, 0] * sin
            low, high = np.where(ahead > 0.0, s, low), np.where(ahead > 0.0, high, s)
            stretch = 1.0 - curvature * beside
            step = s + ahead / np.where(stretch > 0.05, stretch, 0.05)
            inside = (step > low) & (step < high)
            moved = np.where(inside, step, np.where(_at_end(s, step, self._s[[first, last]]), s, 0.5 * (low + high)))
            still = np.abs(moved - s) >= 1e-11
            if not still.any():
                break
            s = np.where(still, moved, s)  # a point stops by itself, so that its answer does not depend on the others
        ends = (s <= self._s[first] + 1e-9) | (s >= self._s[last] - 1e-9)
        return s, beside, np.where(ends, np.abs(ahead), 0.0)

    # --- World to lane ---

    def locate_lanes(
        self, xy_world_m: Floats, z_world_m: Floats | None = None, yaw_world_rad: Floats | None = None
    ) -> LanePoints:
        """The driving lanes that points (n, 2) are on, or else the nearest ones.

        Heights (n,) tell roads above one another apart. Of overlapping lanes the one that runs most along the yaw (n,)
        counts, without yaws the one whose centre is nearest.
        """
        found = _batched(self._locate_lanes, _points(xy_world_m), z_world_m, yaw_world_rad)
        return LanePoints(*found)

    def _locate_lanes(self, xy: Floats, z: Floats | None, yaw: Floats | None) -> tuple[NDArray, ...]:
        pairs = self._pairs(xy, z)
        parts = list(self._lanes_of(pairs, yaw))
        row, section, lane, offset, outside, turn = (np.concatenate(column) for column in zip(*parts, strict=True))
        away = np.round(np.hypot(outside, pairs.above_m[row]), 2)
        order = np.lexsort((np.abs(offset), np.round(turn, 3), away, pairs.point[row]))
        best = _first_per_point(pairs.point[row], order)
        valid = np.zeros(len(xy), dtype=bool)
        at = pairs.point[row[best]]
        valid[at] = True
        columns = pairs.road[row], section, lane, pairs.s_m[row], offset, outside
        spread = [np.zeros(len(xy), dtype=column.dtype) for column in columns]
        for target, column in zip(spread, columns):
            target[at] = column[best]
        return *spread, valid

    def _lanes_of(self, pairs: _Pairs, yaw: Floats | None) -> Iterator[tuple[NDArray, ...]]:
        """Row of the pair, section, lane, offset, distance outside and turn against the yaw of the lanes of roads."""
        none = np.zeros(0, dtype=np.int64)
        yield none, none, none, np.zeros(0), np.zeros(0), np.zeros(0)
        for index, rows in groups(pairs.road):
            road = self.roads[index]
            for lane in road.driving_lanes:
                t, width, valid = road.lane_t(lane, pairs.s_m[rows], driving=True)
                kept = np.flatnonzero(valid & (width > 1e-3))
                at = rows[kept]
                offset = pairs.t_m[at] - t[kept]
                outside = np.hypot(np.maximum(np.abs(offset) - 0.5 * width[kept], 0.0), pairs.beyond_m[at])
                turn = np.zeros(len(at))
                if yaw is not None:
                    along = road.plan.at(pairs.s_m[at])[1] + (0.0 if road.forward(lane) else np.pi)
                    turn = np.abs(wrap_rad(yaw[pairs.point[at]] - along))
                section = road.section_at(pairs.s_m[at], lane)
                yield at, section, np.full(len(at), lane), offset, outside, turn

    # --- Road to world ---

    def poses(self, road: Ints, s_m: Floats, t_m: Floats) -> "RoadPose":
        """World poses (n,) of places on roads, given by their indices."""
        xyz, heading, pitch, roll = np.zeros((len(s_m), 3)), *np.zeros((3, len(s_m)))
        for index, rows in groups(np.asarray(road)):
            pose = self.roads[index].pose(s_m[rows], t_m[rows])
            xyz[rows], heading[rows], pitch[rows], roll[rows] = pose
        return type(pose)(xyz, heading, pitch, roll)


def _samples(road: "Road") -> Floats:
    """s of samples of a road, close enough together that its line turns little between them."""
    count = max(2, int(np.ceil(road.length_m / _SPACING_M)) + 1)
    s = np.linspace(0.0, road.length_m, count)
    tightest = np.abs(road.plan.at(s)[2]).max()
    finer = min(int(np.ceil(tightest * _SPACING_M / 0.4)), 64)
    return s if finer <= 1 else np.linspace(0.0, road.length_m, (count - 1) * finer + 1)


def _at_end(s: Floats, step: Floats, ends: Floats) -> NDArray[np.bool_]:
    """Whether the search stands at an end of the road and wants to leave it."""
    return ((s <= ends[0]) & (step <= ends[0])) | ((s >= ends[1]) & (step >= ends[1]))


def _key(cell: Ints) -> Ints:
    return cell[:, 0] * np.int64(2**31) + cell[:, 1]


def _points(xy: Floats) -> Floats:
    xy = np.asarray(xy, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(xy).all():
        raise ValueError("positions to look up must be finite numbers; check where they come from")
    return xy


def _chunks(xy: Floats) -> list[Floats]:
    return [xy[i : i + 64] for i in range(0, len(xy), 64)]


def _first_per_point(point: Ints, order: Ints) -> Ints:
    """Of rows in an order that is sorted by point, the first of each point."""
    return order[np.unique(point[order], return_index=True)[1]]


def _batched(function: Callable[..., tuple[NDArray, ...]], xy: Floats, *others: Floats | None) -> tuple[NDArray, ...]:
    """Call a function of points and their properties on parts of bounded size."""
    given = [None if other is None else np.asarray(other, dtype=np.float64) for other in others]
    parts = [
        function(xy[i : i + _BATCH], *(None if other is None else other[i : i + _BATCH] for other in given))
        for i in range(0, max(len(xy), 1), _BATCH)
    ]
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))
