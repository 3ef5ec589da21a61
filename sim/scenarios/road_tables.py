"""Roads as arrays: reference lines, lanes and links looked up for thousands of places at once, on several maps too.

A road is cut into cells wherever one of its records starts, and finely in curves; within a cell its line, its heading
and the t of its lanes' centres are cubics of s that agree with the exact road at both ends, in value and in slope. They
stay within a tenth of a millimetre of it. Heights and banks are evaluated exactly. Cells of a road are
made when it is first needed, and a look-up does not depend on what else was looked up before or with it.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim.roads.geometry import Floats, Line, PlanView, wrap_rad
from sim.roads.network import DRIVING_KINDS, Connection, Road, RoadNetwork
from sim.roads.surface import Stations

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_CURVED_M = 2.0  # cells are no longer where the line is not straight
_TURN_RAD = 0.2  # and turn no more than this
_INSIDE_M = 4e-7  # a cell's end is read this far inside: its very end belongs to the next record
START, END = 0, 1


class LanePlaces(NamedTuple):
    """Lanes at places, each (n,)."""

    t_m: Floats  # of the centre
    slope: Floats  # dt/ds of the centre
    width_m: Floats
    valid: Bools  # there is such a lane


@dataclass(frozen=True)
class Atlas:
    """The maps that a batch of runs is played on."""

    networks: tuple[RoadNetwork, ...]
    map_of: Ints  # (B,) index of each run's map
    parameters: frozenset[str] = frozenset()  # that decide which it is


@dataclass(frozen=True)
class Way:
    """How a lane goes on beyond a road's end."""

    road: int
    lane: int
    end: int  # of that road, where it is entered: START or END


@dataclass
class _Cells:
    """Cells of one road (m,): where they start, cubics of x, y and heading (m, 3, 4), and of lanes (m, lanes, 2, 4)."""

    start_m: Floats
    line: Floats
    lanes: Floats  # t of the centre, width
    has_lane: Bools  # (m, lanes)
    drives: Bools  # (m, lanes) for driving
    edges: Floats  # (m, 2, 4) t of the right and of the left edge; lanes of no kind do not count
    section: Ints  # (m, 2) of the right and of the left side


class RoadTables:
    """The roads of networks, by their index in file order, one network after the other. Lanes are given by their ids.

    Networks are maps of different places: nothing leads from one to another, and who looks for a road says on which.
    """

    def __init__(self, *networks: RoadNetwork) -> None:
        self.networks = networks
        self.roads = tuple(road for network in networks for road in network.roads.values())
        self.map_of = np.repeat(np.arange(len(networks)), [len(network.roads) for network in networks])
        self._before = np.cumsum([0, *(len(network.roads) for network in networks)])  # roads of earlier networks
        self._index = [{id: i + first for i, id in enumerate(n.roads)} for n, first in zip(networks, self._before)]
        self.length_m = np.array([road.length_m for road in self.roads])
        self.right_hand = np.array([road.right_hand for road in self.roads])
        self.flat = np.array([_is_flat(road) for road in self.roads])
        self.hilly = not self.flat.all()
        self.sectioned = any(len(road.sections) > 1 for road in self.roads)
        self.in_junction = np.array([road.junction is not None for road in self.roads])
        self._lanes = max((abs(id) for road in self.roads for part in road.sections for id in part.lanes), default=1)
        self._many = np.array([len(road.sections) > 1 for road in self.roads])
        self._made: dict[int, _Cells] = {}
        self._have: Bools = np.zeros(len(self.roads), dtype=bool)
        self._ways: dict[tuple[int, int, int], tuple[Way, ...]] = {}

    # --- Networks ---

    def road(self, map_: int, id: str) -> int:
        """The index of a road of one network by its id, -1 where there is none."""
        return self._index[map_].get(id, -1)

    def linked(self, road: int, id: str) -> int:
        """The index of a road by its id, in the network of another one."""
        return self._index[self.map_of[road]][id]

    def connections(self, road: int, junction: str) -> tuple[Connection, ...]:
        """Those of a junction of the road's network; none where it has no such junction."""
        return tuple(self.networks[self.map_of[road]].junctions.get(junction, ()))

    def find(self, xy_m: Floats, map_of: Ints) -> tuple[Ints, Floats, Floats]:
        """Road, s and t of points (n, 2), each on its network (n,)."""
        road, s, t = np.zeros(len(xy_m), dtype=np.int64), np.zeros(len(xy_m)), np.zeros(len(xy_m))
        for index in np.unique(map_of):
            rows = np.flatnonzero(map_of == index)
            found = self.networks[index].index.locate(xy_m[rows])
            road[rows] = np.where(found.road < 0, -1, found.road + self._before[index])
            s[rows], t[rows] = found.s_m, found.t_m
        return road, s, t

    # --- Look-ups ---

    def line(self, road: Ints, s_m: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """The reference lines at places (n,): x, y, heading and curvature, each (n,)."""
        cell, u = self._cell(road, s_m)
        value = _value(self._line[cell], u[:, None])
        curvature = _slope(self._line[cell, 2], u)
        return value[:, 0], value[:, 1], value[:, 2], curvature

    def lane(self, road: Ints, lane: Ints, s_m: Floats) -> LanePlaces:
        """Lanes at places (n,); lane 0 is the middle line."""
        cell, u = self._cell(road, s_m)
        return self._lanes_in(cell, lane, u)

    def _lanes_in(self, cell: Ints, lane: Ints, u: Floats) -> LanePlaces:
        slot = lane + self._lanes
        known = (slot >= 0) & (slot <= 2 * self._lanes)
        slot = np.where(known, slot, self._lanes)
        cubic = self._lane[cell, slot]
        value = _value(cubic, u[:, None])
        return LanePlaces(value[:, 0], _slope(cubic[:, 0], u), value[:, 1], known & self._has_lane[cell, slot])

    def place(self, road: Ints, lane: Ints, s_m: Floats) -> tuple[tuple[Floats, Floats, Floats, Floats], LanePlaces]:
        """`line` and `lane` at once."""
        cell, u = self._cell(road, s_m)
        value = _value(self._line[cell], u[:, None])
        line = value[:, 0], value[:, 1], value[:, 2], _slope(self._line[cell, 2], u)
        return line, self._lanes_in(cell, lane, u)

    def edges(self, road: Ints, s_m: Floats) -> tuple[Floats, Floats]:
        """t of the right and of the left edge of roads at places (n,), without lanes that are of no kind."""
        cell, u = self._cell(road, s_m)
        value = _value(self._edges[cell], u[:, None])
        return value[:, 0], value[:, 1]

    def pose(self, road: Ints, s_m: Floats, t_m: Floats) -> tuple[Floats, ...]:
        """Places on roads (n,) as x, y, z, heading of the line, pitch and roll of the surface, each (n,)."""
        return self.pose_beside(road, s_m, t_m, self.line(road, s_m))

    def pose_beside(
        self, road: Ints, s_m: Floats, t_m: Floats, line: tuple[Floats, Floats, Floats, Floats]
    ) -> tuple[Floats, ...]:
        """`pose` where the line is known."""
        x, y, heading, _ = line
        zero = np.zeros_like(x)
        found = (x - t_m * np.sin(heading), y + t_m * np.cos(heading), zero, heading, zero.copy(), zero.copy())
        for index in np.unique(road[~self.flat[road]]) if self.hilly else ():
            rows = np.flatnonzero(road == index)
            here = self.roads[index]
            known = _Line(self, int(index))
            pose = Stations(known, here.elevation, here.superelevation, here.reliefs, s_m[rows]).pose(t_m[rows])
            columns = (*pose.xyz_world_m.T, pose.heading_world_rad, pose.pitch_rad, pose.roll_rad)
            for target, column in zip(found, columns):
                target[rows] = column
        return found

    def lane_at(self, road: Ints, s_m: Floats, t_m: Floats, driving: bool = True) -> Ints:
        """The lane (n,) whose centre is nearest at t, of those for driving where there are any."""
        cell, u = self._cell(road, s_m)
        centre = _value(self._lane[cell, :, 0], u[:, None])
        there, drives = np.array(self._has_lane[cell]), self._drives[cell]
        there[:, self._lanes] = False
        if driving:
            there = np.where(np.any(drives, axis=1, keepdims=True), drives, there)
        away = np.where(there, np.abs(centre - t_m[:, None]), np.inf)
        return np.where(there.any(axis=1), np.argmin(away, axis=1) - self._lanes, 0)

    def carried(self, road: Ints, lane: Ints, before_m: Floats, after_m: Floats) -> Ints:
        """What lanes (n,) are called further along their roads, as links between sections say."""
        if not self.sectioned or not self._many[road].any():
            return lane
        side = (lane > 0).astype(np.int64)
        first, last = (self._section[self._cell(road, s)[0], side] for s in (before_m, after_m))
        changed = np.flatnonzero(first - last)
        if not len(changed):
            return lane
        lane = lane.copy()
        for i in changed:
            lane[i] = _follow(self.roads[road[i]], int(lane[i]), int(first[i]), int(last[i]))
        return lane

    def follow(self, road: int, lane: int, first: int, last: int) -> int:
        """A lane's id in the section `last` of a road, by its id in the section `first`."""
        return _follow(self.roads[road], lane, first, last)

    def ways(self, road: int, lane: int, end: int) -> tuple[Way, ...]:
        """Where a lane leads beyond a road's end; several at a junction, none where the road ends."""
        key = (road, lane, end)
        if key not in self._ways:
            self._ways[key] = _ways(self, road, lane, end)
        return self._ways[key]

    # --- Making ---

    def _cell(self, road: Ints, s_m: Floats) -> tuple[Ints, Floats]:
        """Cells (n,) and the distance into them."""
        missing = road[np.logical_not(self._have[road])]
        if len(missing):
            self._make(np.unique(missing))
        inside = np.minimum(np.maximum(s_m, 0.0), self.length_m[road])  # faster than clip where n is small
        key = np.empty(len(road), dtype=np.complex128)  # road and s: complex numbers are ordered by one, then the other
        key.real, key.imag = road, inside
        cell = np.searchsorted(self._key, key, side="right") - 1
        return cell, s_m - self._start[cell]

    def _make(self, roads: Ints) -> None:
        for index in roads:
            self._made[int(index)] = _cells(self.roads[index], self._lanes)
            self._have[index] = True
        made = sorted(self._made)
        parts = [self._made[i] for i in made]
        count = np.array([len(part.start_m) for part in parts])
        self._start = np.concatenate([part.start_m for part in parts])
        self._key = np.repeat(made, count) + 1j * self._start
        self._line = np.concatenate([part.line for part in parts])
        self._lane = np.concatenate([part.lanes for part in parts])
        self._has_lane = np.concatenate([part.has_lane for part in parts])
        self._drives = np.concatenate([part.drives for part in parts])
        self._edges = np.concatenate([part.edges for part in parts])
        self._section = np.concatenate([part.section for part in parts])


class _Line(PlanView):
    """A road's reference line as the tables have it, for cross-sections to stand on."""

    def __init__(self, tables: RoadTables, road: int) -> None:
        super().__init__(tables.roads[road].plan.pieces)
        object.__setattr__(self, "_look_up", lambda s: tables.line(np.full(len(s), road), s))

    def at(self, s_m: Floats) -> tuple[Floats, Floats, Floats]:
        x, y, heading, curvature = self._look_up(s_m)  # type: ignore[attr-defined]
        return np.column_stack((x, y)), heading, curvature


def _value(cubic: Floats, u: Floats) -> Floats:
    return cubic[..., 0] + u * (cubic[..., 1] + u * (cubic[..., 2] + u * cubic[..., 3]))


def _slope(cubic: Floats, u: Floats) -> Floats:
    return cubic[..., 1] + u * (2.0 * cubic[..., 2] + u * 3.0 * cubic[..., 3])


def _hermite(a: Floats, slope_a: Floats, b: Floats, slope_b: Floats, length: Floats) -> Floats:
    """Cubics (m, 4) of the distance from the start with these values and slopes (m,) at both ends."""
    rise = (b - a) / length
    square = (3.0 * rise - 2.0 * slope_a - slope_b) / length
    cube = (slope_a + slope_b - 2.0 * rise) / (length * length)
    return np.stack((a, slope_a, square, cube), axis=-1)


def _is_flat(road: Road) -> bool:
    return not (road.elevation.abcd.any() or road.superelevation.abcd.any() or road.reliefs)


def _cuts(road: Road) -> Floats:
    """Where the cells of a road start."""
    cuts: list[Floats] = [np.zeros(1)]
    for piece in road.plan.pieces:
        count = 1
        if not isinstance(piece.shape, Line):
            s: Floats = np.linspace(0.0, piece.length_m, max(9, int(piece.length_m)), dtype=np.float64)
            turned = float(np.abs(piece.shape.at(s)[3]).max()) * piece.length_m
            count = max(math.ceil(piece.length_m / _CURVED_M), math.ceil(turned / _TURN_RAD), 1)
        cuts.append(piece.s_m + np.arange(min(count, 100_000), dtype=np.float64) * (piece.length_m / count))
    cuts.append(road.lane_offset.start_m)
    for part in road.sections:
        cuts.append(np.array([part.s_m]))
        for lane in part.lanes.values():
            cuts.append(part.s_m + (lane.width if lane.border is None else lane.border).start_m)
    s = np.unique(np.concatenate(cuts))
    s = s[(s >= 0.0) & (s < road.length_m - 1e-6)]
    return s[np.concatenate(([True], np.diff(s) > 2e-6))] if len(s) else np.zeros(1)


def _cells(road: Road, reach: int) -> _Cells:
    start = _cuts(road)
    length = np.maximum(np.append(start[1:], road.length_m) - start, 1e-6) - _INSIDE_M
    ends = (start, start + length)
    (xy_a, heading_a, curvature_a), (xy_b, heading_b, curvature_b) = (road.plan.at(s) for s in ends)
    heading_b = heading_a + wrap_rad(heading_b - heading_a)
    line = np.stack(
        (
            _hermite(xy_a[:, 0], np.cos(heading_a), xy_b[:, 0], np.cos(heading_b), length),
            _hermite(xy_a[:, 1], np.sin(heading_a), xy_b[:, 1], np.sin(heading_b), length),
            _hermite(heading_a, curvature_a, heading_b, curvature_b, length),
        ),
        axis=1,
    )
    count = len(start)
    lanes, edges = np.zeros((count, 2 * reach + 1, 2, 4)), np.zeros((count, 2, 4))
    has, drives = np.zeros((2, count, 2 * reach + 1), dtype=bool)
    section = np.stack([road.section_at(start, sign) for sign in (-1, 1)], axis=1)
    for side, sign in enumerate((-1, 1)):
        for index in np.unique(section[:, side]):
            rows = np.flatnonzero(section[:, side] == index)
            part = road.sections[index]
            for lane in [0, *sorted((id for id in part.lanes if id * sign > 0), key=abs)]:
                (in_a, din_a, out_a, dout_a), (in_b, din_b, out_b, dout_b) = (
                    road.borders(int(index), lane, s[rows]) for s in ends
                )
                centre = _hermite(
                    0.5 * (in_a + out_a), 0.5 * (din_a + dout_a), 0.5 * (in_b + out_b), 0.5 * (din_b + dout_b),
                    length[rows],
                )  # fmt: skip
                width = _hermite(
                    sign * (out_a - in_a), sign * (dout_a - din_a), sign * (out_b - in_b), sign * (dout_b - din_b),
                    length[rows],
                )  # fmt: skip
                lanes[rows, lane + reach, 0], lanes[rows, lane + reach, 1] = centre, width
                has[rows, lane + reach] = True
                drives[rows, lane + reach] = lane != 0 and part.lanes[lane].kind in DRIVING_KINDS
                if lane == 0 or part.lanes[lane].kind != "none":
                    edges[rows, side] = _hermite(out_a, dout_a, out_b, dout_b, length[rows])
    return _Cells(start, line, lanes, has, drives, edges, section)


# --- Links ---


def _follow(road: Road, lane: int, first: int, last: int) -> int:
    """A lane's id some sections further on (or back); without a link it keeps its id where the section has it."""
    step = 1 if last > first else -1
    for index in range(first, last, step):
        here, there = road.sections[index].lanes.get(lane), road.sections[index + step].lanes
        linked = () if here is None else (here.successors if step > 0 else here.predecessors)
        linked = tuple(id for id in linked if id in there)
        if linked:
            lane = linked[0]
        elif lane not in there:
            lane = min((id for id in there if id * lane > 0), key=lambda id: abs(id - lane), default=lane)
    return lane


def _ways(tables: RoadTables, index: int, lane: int, end: int) -> tuple[Way, ...]:
    road = tables.roads[index]
    link = road.successor if end == END else road.predecessor
    if link is None:
        return ()
    if link.element == "road":
        part = road.sections[-1 if end == END else 0]
        here = part.lanes.get(lane)
        linked = () if here is None else (here.successors if end == END else here.predecessors)
        other, entered = tables.linked(index, link.id), END if link.contact == "end" else START
        there = tables.roads[other].sections[-1 if entered == END else 0].lanes
        return tuple(Way(other, id, entered) for id in linked if id in there)
    return tuple(
        Way(tables.linked(index, c.connecting), to, END if c.contact == "end" else START)
        for c in tables.connections(index, link.id)
        if c.incoming == road.id
        for source, to in c.lane_links
        if source == lane
    )
