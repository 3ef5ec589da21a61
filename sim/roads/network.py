"""Road networks as OpenDRIVE describes them, with lanes and markings evaluated exactly.

A road is a reference line with lanes beside it: lane ids grow to the left (positive) and fall to the right (negative)
of lane 0, which has no width. A lane is offset from the line by the lane offset and the widths of the lanes inside it.
`RoadNetwork` holds what a map file or the generator said; strips and markings are its geometry, sampled on demand.
World frame, metres, radians; right-handed. Superelevation tilts the cross-section about the reference line, so that t
and widths are measured in the tilted plane and appear a little shorter from above.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim.roads.geometry import Cubics, Floats, PlanView, wrap_rad
from sim.roads.locate import LanePoints, RoadIndex, RoadPoints
from sim.roads.surface import Relief, RoadPose, Stations

DRIVING_KINDS = frozenset(
    {"driving", "entry", "exit", "onRamp", "offRamp", "connectingRamp", "slipLane", "bidirectional"}
    | {"mwyEntry", "mwyExit"}  # of OpenDRIVE 1.4
)
DASH_M, GAP_M = 3.0, 6.0  # of broken markings whose file gives no pattern
MARK_WIDTH_M = 0.12
_MIN_SECTION_M = 1e-6


@dataclass(frozen=True)
class MarkLine:
    """One painted line of a road mark: gap 0 is solid; `t_m` is its offset to the left of the lane's border.

    It starts and ends so far after the mark's own start; none reaches beyond the mark's end.
    """

    t_m: float
    width_m: float
    dash_m: float
    gap_m: float
    start_m: float = 0.0
    end_m: float = math.inf


@dataclass(frozen=True)
class RoadMark:
    """The mark on a lane's outer border from `s_offset_m` (from the section's start) to the next one."""

    s_offset_m: float
    kind: str  # none, solid, broken, "solid broken", curb ... read from the lane's inside to its outside
    color: str
    lines: tuple[MarkLine, ...]


@dataclass(frozen=True)
class Lane:
    """One lane of one section. `border` (of its outer edge) replaces `width` where a file uses borders."""

    id: int
    kind: str
    width: Cubics
    border: Cubics | None = None
    predecessors: tuple[int, ...] = ()
    successors: tuple[int, ...] = ()
    marks: tuple[RoadMark, ...] = ()
    speeds: tuple[tuple[float, float], ...] = ()  # (s offset in m, limit in m/s)
    heights: tuple[tuple[float, float, float], ...] = ()  # (s offset, inner and outer height above the road in m)

    def raised_m(self, ds_m: Floats) -> tuple[Floats, Floats]:
        """Heights (n,) of the inner and the outer edge above the road's surface, ds (n,) after the section's start."""
        table = np.array(((-math.inf, 0.0, 0.0), *self.heights))
        row = np.searchsorted(table[:, 0], ds_m + 1e-7, side="right") - 1
        return table[row, 1], table[row, 2]


@dataclass(frozen=True)
class LaneSection:
    """Lanes from `s_m` to an end, which may differ by side where a file has single-sided sections."""

    s_m: float
    end_left_m: float
    end_right_m: float
    lanes: dict[int, Lane]  # by id
    sides: tuple[str, ...] = ("left", "right")  # those it speaks about; on others the section before it goes on

    def end_m(self, lane: int) -> float:
        return self.end_left_m if lane > 0 else self.end_right_m


@dataclass(frozen=True)
class RoadLink:
    """What a road's end is joined to: another road's start or end, a place amid it, or a junction (contact empty)."""

    element: str  # road, junction
    id: str
    contact: str  # start, end, or ""
    s_m: float | None = None  # amid the other road, in a virtual junction


def _level() -> Cubics:
    return Cubics(np.zeros(0), np.zeros((0, 4)))


@dataclass(frozen=True)
class Road:
    """A reference line and what lies along it."""

    id: str
    length_m: float
    plan: PlanView
    sections: tuple[LaneSection, ...]
    junction: str | None = None
    elevation: Cubics = field(default_factory=_level)
    lane_offset: Cubics = field(default_factory=_level)
    predecessor: RoadLink | None = None
    successor: RoadLink | None = None
    right_hand: bool = True
    speeds: tuple[tuple[float, float | None], ...] = ()  # (s in m, limit in m/s or unknown)
    superelevation: Cubics = field(default_factory=_level)  # rad, positive where the left side is higher
    reliefs: tuple[Relief, ...] = ()
    name: str = ""

    def forward(self, lane: int) -> bool:
        """Whether traffic on the lane runs with growing s."""
        return (lane < 0) == self.right_hand

    def stations(self, s_m: Floats) -> Stations:
        """The cross-sections at s (n,); outside [0, length] the road's ends continue."""
        return Stations(self.plan, self.elevation, self.superelevation, self.reliefs, np.asarray(s_m, dtype=np.float64))

    def pose(self, s_m: Floats, t_m: Floats) -> RoadPose:
        """Where the surface is at (s, t), each (n,), and how it lies there."""
        return self.stations(s_m).pose(np.asarray(t_m, dtype=np.float64))

    @cached_property
    def _section_starts(self) -> dict[str, tuple[Floats, NDArray[np.int64]]]:
        """Starts and indices of the sections that speak about each side."""
        found = {}
        for side in ("left", "right"):
            rows = [(part.s_m, i) for i, part in enumerate(self.sections) if side in part.sides] or [(0.0, 0)]
            found[side] = np.array([s for s, _ in rows]), np.array([i for _, i in rows])
        return found

    def section_at(self, s_m: Floats, lane: int) -> NDArray[np.int64]:
        """The section (n,) that holds at s (n,) on the lane's side of the road."""
        starts, indices = self._section_starts["left" if lane > 0 else "right"]
        return indices[np.maximum(np.searchsorted(starts, s_m + 1e-7, side="right") - 1, 0)]

    def lane_t(self, lane: int, s_m: Floats, driving: bool = False) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """t of a lane's centre and its width at s, each (n,), in whatever section; and where there is such a lane."""
        t, width, valid = np.zeros_like(s_m), np.zeros_like(s_m), np.zeros(len(s_m), dtype=bool)
        sections = self.section_at(s_m, lane)
        for index in np.unique(sections):
            found = self.sections[index].lanes.get(lane)
            if found is not None and (not driving or found.kind in DRIVING_KINDS):
                rows = sections == index
                inner, _, outer, _ = self.borders(int(index), lane, s_m[rows])
                t[rows], width[rows], valid[rows] = 0.5 * (inner + outer), np.abs(outer - inner), True
        return t, width, valid

    def lane_pose(self, lane: int, s_m: Floats, offset_m: Floats) -> RoadPose:
        """The surface at s (n,), `offset_m` (n,) to the left of a lane's centre, seen along the reference line.

        Raises ValueError where the road has no such lane at one of them.
        """
        t, _, valid = self.lane_t(lane, s_m)
        if not valid.all():
            raise ValueError(
                f"road {self.id!r} has no lane {lane} at s={s_m[~valid][0]:g}; name a lane that exists there"
            )
        return self.pose(s_m, t + offset_m)

    @cached_property
    def driving_lanes(self) -> tuple[int, ...]:
        """Ids of the lanes that are for driving in at least one section."""
        return tuple(
            sorted(
                {id for part in self.sections for id, lane in part.lanes.items() if id and lane.kind in DRIVING_KINDS}
            )
        )

    def edges(self, s_m: Floats) -> tuple[Floats, Floats]:
        """t of the rightmost and of the leftmost lane's outer edge at s, each (n,)."""
        found = []
        for sign in (-1, 1):
            sections, t = self.section_at(s_m, sign), np.zeros_like(s_m)
            for index in np.unique(sections):
                rows = sections == index
                outermost = max((id * sign for id in self.sections[index].lanes), default=0)
                t[rows] = self.borders(int(index), sign * max(outermost, 0), s_m[rows])[2]
            found.append(t)
        return found[0], found[1]

    def borders(self, section: int, lane: int, s_m: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """Inner and outer t (left of the reference line) and their slopes dt/ds of a lane at s (n,)."""
        part = self.sections[section]
        inner, inner_slope = self.lane_offset.at(s_m)
        outer, outer_slope = inner, inner_slope
        sign, ds = (1 if lane > 0 else -1), s_m - part.s_m
        for id in range(sign, lane + sign, sign) if lane else ():
            inner, inner_slope = outer, outer_slope
            outer, outer_slope = _outer_border(part.lanes[id], sign, ds, inner, inner_slope)
        return inner, inner_slope, outer, outer_slope

    def lane_at(self, section: int, lane: int, s_m: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """A lane's centres xyz (n, 3), direction of travel (n,), width (n,) and |d centre/ds| (n,) at s (n,)."""
        return self.lane_on(section, lane, self.stations(s_m))

    def lane_on(self, section: int, lane: int, at: Stations) -> tuple[Floats, Floats, Floats, Floats]:
        """`lane_at` on cross-sections that are evaluated already."""
        inner, inner_slope, outer, outer_slope = self.borders(section, lane, at.s_m)
        return self._lane(section, lane, at, inner, inner_slope, outer, outer_slope)

    def _lane(
        self, section: int, lane: int, at: Stations, t0: Floats, dt0: Floats, t1: Floats, dt1: Floats
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """`lane_at` between the borders t0 and t1, whose slopes are dt0 and dt1."""
        t, part = 0.5 * (t0 + t1), self.sections[section]
        z = at.z(t)
        if part.lanes[lane].heights:
            z = z + 0.5 * sum(part.lanes[lane].raised_m(at.s_m - part.s_m))
        yaw, stretch = at.course(t, 0.5 * (dt0 + dt1))
        yaw = wrap_rad(yaw + (0.0 if self.forward(lane) else math.pi))
        return np.column_stack((at.xy(t), z)), yaw, np.abs(t1 - t0), stretch


def _outer_border(lane: Lane, sign: int, ds: Floats, inner: Floats, inner_slope: Floats) -> tuple[Floats, Floats]:
    if lane.border is not None:
        return lane.border.at(ds)
    width, slope = lane.width.at(ds)
    negative = width < 0.0  # rounding of tapers that end at zero
    width, slope = np.where(negative, 0.0, width), np.where(negative, 0.0, slope)
    return inner + sign * width, inner_slope + sign * slope


@dataclass(frozen=True)
class Connection:
    """A way through a junction: from an incoming road onto a connecting road, lane by lane."""

    incoming: str
    connecting: str
    contact: str  # which end of the connecting road: start, end
    lane_links: tuple[tuple[int, int], ...]  # (incoming lane, connecting lane)


@dataclass(frozen=True)
class Junction:
    """What a junction is, beside its connections; a virtual one lies along a main road that goes on through it."""

    id: str
    kind: str = "default"  # default, direct, virtual, crossing
    name: str = ""
    priorities: tuple[tuple[str, str], ...] = ()  # connecting roads: (goes first, gives way)
    main_road: str | None = None
    span_m: tuple[float, float] | None = None  # of a virtual junction along its main road


@dataclass(frozen=True)
class MapSource:
    """Where a network came from: the version of its file, what was amiss in it and what of it was not read."""

    version: str = ""
    warnings: tuple[str, ...] = ()
    ignored: dict[str, int] = field(default_factory=dict)  # parent/element and how many


@dataclass(frozen=True)
class Signal:
    """A sign or a light beside or above a road, or one that lies elsewhere and is valid here too (a reference)."""

    id: str
    road: str
    s_m: float  # where it is valid; its stop line, where it has one
    t_m: float
    z_m: float  # of its lower edge above the road
    yaw_rad: float  # of the direction it faces against: a signal for travel along s has the road's heading
    forward: bool | None  # valid for travel along s (True), against it (False), or both (None)
    dynamic: bool
    kind: str  # light, stop, yield, priority, speed_limit, crossing, no_entry, ... or other
    type: str  # as in the file
    subtype: str
    country: str
    value: float | None  # limits in m/s
    height_m: float
    width_m: float
    lanes: tuple[int, ...] = ()  # ids it is valid for; empty for all of its direction, (0,) for none
    name: str = ""
    reference: bool = False  # stands elsewhere; this is one more place where it is valid
    stands_at_world_m: tuple[float, float, float] | None = None  # where the file tells a place apart from (s, t)


@dataclass(frozen=True)
class SignalController:
    """Lights that switch together; the controllers of a junction take turns in `sequence`."""

    id: str
    signals: tuple[str, ...]
    junction: str | None = None
    sequence: int = 0
    name: str = ""


@dataclass(frozen=True)
class RoadObject:
    """Something on or beside a road: a crosswalk, a parking space, a pole, a barrier ..."""

    id: str
    road: str
    kind: str  # crosswalk, parking, pole, barrier, tree, building, vegetation, trafficIsland, ... as in the file
    s_m: float
    t_m: float
    z_m: float
    yaw_world_rad: float
    length_m: float
    width_m: float
    height_m: float
    outline_xyz_world_m: Floats  # (n, 3) corners in order; empty where the file gives none
    lanes: tuple[int, ...] = ()
    name: str = ""


@dataclass(frozen=True)
class LaneStrip:
    """One lane of one lane section, sampled along its direction of travel."""

    road: str
    section: int
    lane: int
    kind: str
    junction: str | None
    s_m: Floats  # (n,) of the road's reference line; falls along the travel of backward lanes
    center_xyz_world_m: Floats  # (n, 3)
    yaw_world_rad: Floats  # (n,) direction of travel, in [-pi, pi)
    width_m: Floats  # (n,)
    left_xy_world_m: Floats  # (n, 2) left of travel
    right_xy_world_m: Floats  # (n, 2)
    left_z_world_m: Floats  # (n,) of the road's surface, on which kerbs raise some lanes
    right_z_world_m: Floats  # (n,)


@dataclass(frozen=True)
class Marking:
    """A painted line; gap 0 is solid, and a broken one starts with a dash at its first point."""

    xy_world_m: Floats  # (n, 2)
    width_m: float
    color: str
    dash_m: float
    gap_m: float
    road: str = ""  # on which it lies, where it belongs to no lane
    z_world_m: Floats | None = None  # (n,) of lines along lanes


@dataclass(frozen=True)
class RoadNetwork:
    """A map: roads by id in file order, junctions, painted lines that belong to no lane, and furniture."""

    name: str
    roads: dict[str, Road]
    junctions: dict[str, tuple[Connection, ...]] = field(default_factory=dict)
    paint: tuple[Marking, ...] = ()
    signals: tuple[Signal, ...] = ()
    controllers: tuple[SignalController, ...] = ()
    objects: tuple[RoadObject, ...] = ()
    junction_info: dict[str, Junction] = field(default_factory=dict)
    source: MapSource = field(default_factory=MapSource)

    @cached_property
    def index(self) -> RoadIndex:
        """Where roads and lanes are, for look-ups by position; built when it is first asked for."""
        return RoadIndex(tuple(self.roads.values()))

    def locate(self, xy_world_m: Floats, z_world_m: Floats | None = None) -> RoadPoints:
        """Roads, s and t of world points (n, 2); with heights (n,) given, roads above one another are told apart."""
        return self.index.locate(xy_world_m, z_world_m)

    def locate_lanes(
        self, xy_world_m: Floats, z_world_m: Floats | None = None, yaw_world_rad: Floats | None = None
    ) -> LanePoints:
        """The driving lanes that world points (n, 2) are on or next to; yaws (n,) prefer lanes that run that way."""
        return self.index.locate_lanes(xy_world_m, z_world_m, yaw_world_rad)

    def strips(self, step_m: float = 1.0) -> list[LaneStrip]:
        """Every lane of non-zero length, at its section's start, the multiples of `step_m` of s, and its end."""
        return [strip for road in self.roads.values() for strip in _road_strips(road, step_m)]

    def markings(self, step_m: float = 1.0) -> list[Marking]:
        """The painted lines; kerbs and the like are no paint."""
        lanes = [marking for road in self.roads.values() for marking in _road_markings(road, step_m)]
        return lanes + list(self.paint)


def sample_s(start_m: float, end_m: float, step_m: float) -> Floats:
    """The start, the multiples of the step strictly between, and the end."""
    inside = np.arange(math.floor(start_m / step_m) + 1, math.ceil(end_m / step_m)) * step_m
    inside = inside[(inside > start_m + 1e-9) & (inside < end_m - 1e-9)]
    return np.concatenate(([start_m], inside, [end_m]))


def _inside(s: Floats) -> Floats:
    """The samples with the last one a micrometre short: a section's end belongs to its own records, not to the next."""
    inside = s.copy()
    inside[-1] = max(s[0], s[-1] - 1e-6)
    return inside


def _road_strips(road: Road, step_m: float) -> Iterator[LaneStrip]:
    for index, section in enumerate(road.sections):
        for sign in (1, -1):
            ids = sorted((id for id in section.lanes if id * sign > 0), key=abs)
            end = section.end_m(sign)
            if ids and end - section.s_m > _MIN_SECTION_M:
                yield from _side_strips(road, index, ids, sample_s(section.s_m, end, step_m))


def _side_strips(road: Road, index: int, ids: list[int], s: Floats) -> Iterator[LaneStrip]:
    """The strips of one side of a section, from the inside out, sharing one evaluation of the reference line."""
    section, at = road.sections[index], road.stations(_inside(s))
    inner, inner_slope = road.lane_offset.at(at.s_m)
    inner_xy, inner_z = at.xy(inner), at.z(inner)
    for id in ids:
        lane = section.lanes[id]
        outer, outer_slope = _outer_border(lane, (1 if id > 0 else -1), at.s_m - section.s_m, inner, inner_slope)
        outer_xy, outer_z = at.xy(outer), at.z(outer)
        xyz, yaw, width, _ = road._lane(index, id, at, inner, inner_slope, outer, outer_slope)
        order = slice(None) if road.forward(id) else slice(None, None, -1)
        # In right-hand traffic every lane has the road's middle on its left; in left-hand traffic on its right.
        inside, outside = (inner_xy, inner_z), (outer_xy, outer_z)
        left, right = (inside, outside) if road.right_hand else (outside, inside)
        yield LaneStrip(
            road.id, index, id, lane.kind, road.junction,
            s[order], xyz[order], yaw[order], width[order], left[0][order], right[0][order],
            left[1][order], right[1][order],
        )  # fmt: skip
        inner, inner_slope, inner_xy, inner_z = outer, outer_slope, outer_xy, outer_z


def _road_markings(road: Road, step_m: float) -> Iterator[Marking]:
    for index, section in enumerate(road.sections):
        for lane in section.lanes.values():
            end = max(section.end_left_m, section.end_right_m) if lane.id == 0 else section.end_m(lane.id)
            starts = [section.s_m + mark.s_offset_m for mark in lane.marks] + [end]
            for mark, start, stop in zip(lane.marks, starts[:-1], starts[1:]):
                yield from _painted_lines(road, index, lane.id, mark, start, min(stop, end), step_m)


def _painted_lines(
    road: Road, section: int, lane: int, mark: RoadMark, start_m: float, end_m: float, step_m: float
) -> Iterator[Marking]:
    for line in mark.lines:
        first, last = start_m + line.start_m, min(start_m + line.end_m, end_m)
        if last - first > _MIN_SECTION_M:
            at = road.stations(_inside(sample_s(first, last, step_m)))
            border = road.borders(section, lane, at.s_m)[2]
            t_m = border + line.t_m
            yield Marking(at.xy(t_m), line.width_m, mark.color, line.dash_m, line.gap_m, z_world_m=at.z(t_m))
