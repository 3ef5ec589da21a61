"""Road networks as OpenDRIVE describes them, with lanes and markings evaluated exactly.

A road is a reference line with lanes beside it: lane ids grow to the left (positive) and fall to the right (negative)
of lane 0, which has no width. A lane is offset from the line by the lane offset and the widths of the lanes inside it.
`RoadNetwork` holds what a map file or the generator said; strips and markings are its geometry, sampled on demand.
World frame, metres, radians; right-handed. Superelevation is not modelled: roads lie at the reference line's height.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from sim.geometry import Cubics, Floats, PlanView, wrap_rad

DRIVING_KINDS = frozenset(
    {"driving", "entry", "exit", "onRamp", "offRamp", "connectingRamp", "slipLane", "bidirectional"}
)
DASH_M, GAP_M = 3.0, 6.0  # of broken markings whose file gives no pattern
MARK_WIDTH_M = 0.12
_MIN_SECTION_M = 1e-6


@dataclass(frozen=True)
class MarkLine:
    """One painted line of a road mark: gap 0 is solid; `t_m` is its offset to the left of the lane's border."""

    t_m: float
    width_m: float
    dash_m: float
    gap_m: float


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


@dataclass(frozen=True)
class LaneSection:
    """Lanes from `s_m` to an end, which may differ by side where a file has single-sided sections."""

    s_m: float
    end_left_m: float
    end_right_m: float
    lanes: dict[int, Lane]  # by id

    def end_m(self, lane: int) -> float:
        return self.end_left_m if lane > 0 else self.end_right_m


@dataclass(frozen=True)
class RoadLink:
    """What a road's end is joined to: another road's start or end, or a junction (contact empty)."""

    element: str  # road, junction
    id: str
    contact: str  # start, end, or ""


@dataclass(frozen=True)
class Road:
    """A reference line and what lies along it."""

    id: str
    length_m: float
    plan: PlanView
    sections: tuple[LaneSection, ...]
    junction: str | None = None
    elevation: Cubics = field(default_factory=lambda: Cubics(np.zeros(0), np.zeros((0, 4))))
    lane_offset: Cubics = field(default_factory=lambda: Cubics(np.zeros(0), np.zeros((0, 4))))
    predecessor: RoadLink | None = None
    successor: RoadLink | None = None
    right_hand: bool = True
    speeds: tuple[tuple[float, float | None], ...] = ()  # (s in m, limit in m/s or unknown)

    def forward(self, lane: int) -> bool:
        """Whether traffic on the lane runs with growing s."""
        return (lane < 0) == self.right_hand

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
        xy, heading, curvature = self.plan.at(s_m)
        inner, inner_slope, outer, outer_slope = self.borders(section, lane, s_m)
        return self._lane(lane, s_m, xy, heading, curvature, inner, inner_slope, outer, outer_slope)

    def _lane(
        self,
        lane: int,
        s_m: Floats,
        xy: Floats,
        heading: Floats,
        curvature: Floats,
        t0: Floats,
        dt0: Floats,
        t1: Floats,
        dt1: Floats,
    ) -> tuple[Floats, Floats, Floats, Floats]:
        t, slope = 0.5 * (t0 + t1), 0.5 * (dt0 + dt1)
        xyz = np.column_stack((_beside(xy, heading, t), self.elevation.at(s_m)[0]))
        # d(P + t N)/ds = (1 - kappa t) T + t' N, so a lane that widens or shifts has a direction of its own.
        along = 1.0 - curvature * t
        yaw = heading + np.arctan2(slope, along) + (0.0 if self.forward(lane) else math.pi)
        return xyz, wrap_rad(yaw), np.abs(t1 - t0), np.hypot(along, slope)


def _outer_border(lane: Lane, sign: int, ds: Floats, inner: Floats, inner_slope: Floats) -> tuple[Floats, Floats]:
    if lane.border is not None:
        return lane.border.at(ds)
    width, slope = lane.width.at(ds)
    negative = width < 0.0  # rounding of tapers that end at zero
    width, slope = np.where(negative, 0.0, width), np.where(negative, 0.0, slope)
    return inner + sign * width, inner_slope + sign * slope


def _beside(xy: Floats, heading: Floats, t: Floats) -> Floats:
    """Points (n, 2) at t (n,) to the left of points (n, 2) with headings (n,)."""
    return xy + t[:, None] * np.column_stack((-np.sin(heading), np.cos(heading)))


@dataclass(frozen=True)
class Connection:
    """A way through a junction: from an incoming road onto a connecting road, lane by lane."""

    incoming: str
    connecting: str
    contact: str  # which end of the connecting road: start, end
    lane_links: tuple[tuple[int, int], ...]  # (incoming lane, connecting lane)


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
    lanes: tuple[int, ...] = ()  # ids it is valid for; empty for all of its direction
    name: str = ""


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


@dataclass(frozen=True)
class Marking:
    """A painted line; gap 0 is solid, and a broken one starts with a dash at its first point."""

    xy_world_m: Floats  # (n, 2)
    width_m: float
    color: str
    dash_m: float
    gap_m: float


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
    section, at = road.sections[index], _inside(s)
    xy, heading, curvature = road.plan.at(at)
    inner, inner_slope = road.lane_offset.at(at)
    inner_xy = _beside(xy, heading, inner)
    for id in ids:
        lane = section.lanes[id]
        outer, outer_slope = _outer_border(lane, (1 if id > 0 else -1), at - section.s_m, inner, inner_slope)
        outer_xy = _beside(xy, heading, outer)
        xyz, yaw, width, _ = road._lane(id, at, xy, heading, curvature, inner, inner_slope, outer, outer_slope)
        order = slice(None) if road.forward(id) else slice(None, None, -1)
        # In right-hand traffic every lane has the road's middle on its left; in left-hand traffic on its right.
        left, right = (inner_xy, outer_xy) if road.right_hand else (outer_xy, inner_xy)
        yield LaneStrip(
            road.id, index, id, lane.kind, road.junction,
            s[order], xyz[order], yaw[order], width[order], left[order], right[order],
        )  # fmt: skip
        inner, inner_slope, inner_xy = outer, outer_slope, outer_xy


def _road_markings(road: Road, step_m: float) -> Iterator[Marking]:
    for index, section in enumerate(road.sections):
        for lane in section.lanes.values():
            end = max(section.end_left_m, section.end_right_m) if lane.id == 0 else section.end_m(lane.id)
            starts = [section.s_m + mark.s_offset_m for mark in lane.marks] + [end]
            for mark, start, stop in zip(lane.marks, starts[:-1], starts[1:]):
                if mark.lines and min(stop, end) - start > _MIN_SECTION_M:
                    yield from _mark_lines(road, index, lane.id, mark, _inside(sample_s(start, min(stop, end), step_m)))


def _mark_lines(road: Road, section: int, lane: int, mark: RoadMark, s: Floats) -> Iterator[Marking]:
    xy, heading, _ = road.plan.at(s)
    _, _, border, _ = road.borders(section, lane, s)
    for line in mark.lines:
        points = _beside(xy, heading, border + line.t_m)
        yield Marking(points, line.width_m, mark.color, line.dash_m, line.gap_m)
