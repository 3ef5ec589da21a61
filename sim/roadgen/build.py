"""Building blocks of generated roads: paths of primitives, cross-sections, junctions with connecting roads, paint.

What is built is what a map file would say, links included, so that it takes the same way into the lane graph.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np

from sim.roads.geometry import Arc, Cubics, Floats, Line, Piece, PlanView, Primitive, Spiral, blend, constant
from sim.roads.network import Connection, Lane, LaneSection, MarkLine, Road, RoadLink, RoadMark, RoadNetwork


@dataclass
class Path:
    """A growing reference line: each primitive starts where and as the last one ended."""

    x_world_m: float
    y_world_m: float
    heading_rad: float
    length_m: float = 0.0
    pieces: list[Piece] = field(default_factory=list)

    def copy(self) -> "Path":
        return Path(self.x_world_m, self.y_world_m, self.heading_rad, self.length_m, list(self.pieces))

    def line(self, length_m: float) -> None:
        self.extend(Line(), length_m)

    def arc(self, length_m: float, curvature_1pm: float) -> None:
        self.extend(Arc(curvature_1pm), length_m)

    def spiral(self, length_m: float, start_1pm: float, end_1pm: float) -> None:
        self.extend(Spiral(start_1pm, end_1pm, length_m), length_m)

    def extend(self, shape: Primitive, length_m: float) -> None:
        if length_m < 1e-6:
            return
        piece = Piece(self.length_m, self.x_world_m, self.y_world_m, self.heading_rad, length_m, shape)
        end = np.array([self.length_m + length_m])
        xy, heading, _ = PlanView((piece,)).at(end)
        self.pieces.append(piece)
        self.x_world_m, self.y_world_m, self.heading_rad = float(xy[0, 0]), float(xy[0, 1]), float(heading[0])
        self.length_m += length_m

    @property
    def plan(self) -> PlanView:
        return PlanView(tuple(self.pieces))

    def points(self, step_m: float) -> Floats:
        """Points (n, 2) every `step_m`."""
        return self.plan.at(np.arange(0.0, self.length_m, step_m))[0]

    def part(self, start_m: float, end_m: float) -> "Path":
        """The stretch of this path from one arc length to another."""
        xy, heading, _ = self.plan.at(np.array([start_m]))
        part = Path(float(xy[0, 0]), float(xy[0, 1]), float(heading[0]))
        for piece in self.pieces:
            low, high = max(start_m - piece.s_m, 0.0), min(end_m - piece.s_m, piece.length_m)
            if high > low:
                part.extend(_cut(piece.shape, low, high), high - low)
        return part

    def turned_round(self) -> "Path":
        """The same line from its end to its start."""
        back = Path(self.x_world_m, self.y_world_m, self.heading_rad + math.pi)
        for piece in reversed(self.pieces):
            back.extend(_mirrored(piece.shape), piece.length_m)
        return back

    def beside(self, s_m: float, t_m: float) -> "Path":
        """An empty path that starts `t_m` to the left of this one at `s_m`, with its heading."""
        xy, heading, _ = self.plan.at(np.array([s_m]))
        angle = float(heading[0])
        return Path(float(xy[0, 0]) - t_m * math.sin(angle), float(xy[0, 1]) + t_m * math.cos(angle), angle)


def _cut(shape: Primitive, low_m: float, high_m: float) -> Primitive:
    if not isinstance(shape, Spiral):
        return shape
    rate = (shape.curvature_end_1pm - shape.curvature_start_1pm) / shape.length_m
    start = shape.curvature_start_1pm + rate * low_m
    return Spiral(start, start + rate * (high_m - low_m), high_m - low_m)


def _mirrored(shape: Primitive) -> Primitive:
    """The shape driven from its end to its start: what bent left bends right."""
    if isinstance(shape, Arc):
        return Arc(-shape.curvature_1pm)
    if isinstance(shape, Spiral):
        return Spiral(-shape.curvature_end_1pm, -shape.curvature_start_1pm, shape.length_m)
    return shape


def polyline_path(points: Floats, start_m: float, end_m: float, radius_min_m: float, radius_max_m: float) -> Path:
    """Straights between points (n, 2) with arcs that round the corners, cut short by `start_m` and `end_m`.

    Raises ValueError where the points lie too close for the smallest radius.
    """
    legs = np.diff(points, axis=0)
    length, heading = np.hypot(legs[:, 0], legs[:, 1]), np.arctan2(legs[:, 1], legs[:, 0])
    turn = np.remainder(np.diff(heading) + math.pi, 2.0 * math.pi) - math.pi
    free = length.copy()
    free[0] -= start_m
    free[-1] -= end_m
    # Inner legs are shared by two corners; a straight of 4 m stays between a corner and a junction.
    share = np.where((np.arange(len(free)) == 0) | (np.arange(len(free)) == len(free) - 1), free - 4.0, 0.5 * free)
    room = np.minimum(share[:-1], share[1:])
    half = np.tan(0.5 * np.abs(turn))
    radius = np.minimum(room / np.maximum(half, 1e-9), radius_max_m)
    if (free <= 0.0).any() or (radius < radius_min_m).any():
        raise ValueError(f"corners at {points.tolist()} leave no room for a radius of {radius_min_m:g} m")
    tangent = radius * half
    start = points[0] + legs[0] / length[0] * start_m
    path = Path(float(start[0]), float(start[1]), float(heading[0]))
    for i, leg in enumerate(free):
        path.line(float(leg - (tangent[i - 1] if i > 0 else 0.0) - (tangent[i] if i < len(turn) else 0.0)))
        if i < len(turn):
            path.arc(float(radius[i] * abs(turn[i])), float(math.copysign(1.0 / radius[i], turn[i])))
    return path


KERB_M, TAPER_M = 14.0, 2.5  # from a junction to where parking may begin, and how soon it is as wide as a car


@dataclass(frozen=True)
class Profile:
    """A symmetric cross-section and its paint.

    Per direction median, driving lanes, cycle lane, parking lane, shoulder, sidewalk. Near junctions and in the middle
    of long blocks the sidewalk takes the place of the parking lane.
    """

    lanes: int
    width_m: float
    speed_mps: float
    median_m: float = 0.0  # per direction
    shoulder_m: float = 0.0
    sidewalk_m: float = 0.0
    dash_m: float = 3.0
    gap_m: float = 6.0
    mark_width_m: float = 0.12
    edge_lines: bool = True
    inner_color: str = "white"  # between the directions
    solid_m: float = 0.0  # before junctions the middle line is solid
    double_line: bool = False
    bike_m: float = 0.0
    parking_m: float = 0.0
    clear_m: float = 0.0  # before junctions nothing is painted along the road

    @property
    def half_width_m(self) -> float:
        return self.carriageway_m + self.shoulder_m + self.walk_m

    @property
    def carriageway_m(self) -> float:
        """At a junction, from the reference line to the edge of the asphalt that is driven or cycled on."""
        return self.driven_m + self.bike_m

    @property
    def driven_m(self) -> float:
        """From the reference line to the outer edge of the driving lanes."""
        return self.median_m + self.lanes * self.width_m

    @property
    def walk_m(self) -> float:
        """The sidewalk's width at a junction."""
        return self.sidewalk_m + self.parking_m

    @property
    def first_driving(self) -> int:
        """The absolute id of the innermost driving lane."""
        return 2 if self.median_m > 0.0 else 1


def _solid(profile: Profile, color: str) -> RoadMark:
    return RoadMark(0.0, "solid", color, (MarkLine(0.0, profile.mark_width_m, 3.0, 0.0),))


def _broken(profile: Profile, color: str, s_m: float = 0.0) -> RoadMark:
    line = MarkLine(0.0, profile.mark_width_m, profile.dash_m, profile.gap_m)
    return RoadMark(s_m, "broken", color, (line,))


def _middle_marks(profile: Profile, length_m: float) -> tuple[RoadMark, ...]:
    if profile.median_m > 0.0:
        return ()
    if profile.double_line:
        lines = tuple(MarkLine(t, profile.mark_width_m, 3.0, 0.0) for t in (0.12, -0.12))
        return (RoadMark(0.0, "solid solid", profile.inner_color, lines),)
    solid = _solid(profile, profile.inner_color)
    if profile.solid_m == 0.0:
        return (_broken(profile, profile.inner_color),)
    if length_m < 3.0 * profile.solid_m:
        return (solid,)
    broken = _broken(profile, profile.inner_color, profile.solid_m)
    end = RoadMark(length_m - profile.solid_m, "solid", profile.inner_color, solid.lines)
    return (solid, broken, end)


def _clear_ends(profile: Profile, length_m: float, marks: tuple[RoadMark, ...]) -> tuple[RoadMark, ...]:
    """The marks without what lies between a stop line and the junction."""
    if profile.clear_m == 0.0 or not marks:
        return marks
    nothing = RoadMark(0.0, "none", "white", ())
    kept = [replace(mark, s_offset_m=max(mark.s_offset_m, profile.clear_m)) for mark in marks]
    return (nothing, *kept, replace(nothing, s_offset_m=length_m - profile.clear_m))


def parking_spans_m(length_m: float) -> list[tuple[float, float]]:
    """Where along a road of some length its parking lanes have their full width."""
    start, end = KERB_M + TAPER_M, length_m - KERB_M - TAPER_M
    if end - start < 20.0:
        return []
    if end - start < 60.0:
        return [(start, end)]
    middle = 0.5 * length_m
    return [(start, middle - 6.0 - TAPER_M), (middle + 6.0 + TAPER_M, end)]


def _parking_widths(profile: Profile, length_m: float) -> tuple[Cubics, Cubics]:
    """The parking lane's width along a road, and the sidewalk's, which takes what parking leaves."""
    wide, narrow = profile.parking_m, profile.sidewalk_m
    if wide == 0.0:
        return constant(0.0), constant(narrow)
    starts, parking, walk = [0.0], [constant(0.0)], [constant(narrow + wide)]
    for start, end in parking_spans_m(length_m):
        starts += [start - TAPER_M, start, end, end + TAPER_M]
        parking += [blend(0.0, wide, TAPER_M), constant(wide), blend(wide, 0.0, TAPER_M), constant(0.0)]
        both = narrow + wide
        walk += [blend(both, narrow, TAPER_M), constant(narrow), blend(narrow, both, TAPER_M), constant(both)]
    tables = (np.concatenate([cubic.abcd for cubic in cubics]) for cubics in (parking, walk))
    first, second = (Cubics(np.array(starts), table) for table in tables)
    return first, second


def _side_lanes(profile: Profile, sign: int, length_m: float) -> list[Lane]:
    """The lanes of one side, from the inside out."""
    strips: list[tuple[str, Cubics, tuple[RoadMark, ...]]] = []
    if profile.median_m > 0.0:
        strips.append(("median", constant(profile.median_m), (_solid(profile, profile.inner_color),)))
    for i in range(profile.lanes):
        outermost = i == profile.lanes - 1
        edge = (_solid(profile, "white"),) if profile.edge_lines or profile.bike_m else ()
        strips.append(("driving", constant(profile.width_m), edge if outermost else (_broken(profile, "white"),)))
    if profile.bike_m > 0.0:
        strips.append(("biking", constant(profile.bike_m), (_solid(profile, "white"),) if profile.parking_m else ()))
    parking, walk = _parking_widths(profile, length_m)
    if profile.parking_m > 0.0:
        strips.append(("parking", parking, ()))
    if profile.shoulder_m > 0.0:
        strips.append(("shoulder", constant(profile.shoulder_m), ()))
    if profile.sidewalk_m > 0.0:
        strips.append(("sidewalk", walk, ()))
    return [
        Lane(sign * (i + 1), kind, width, marks=_clear_ends(profile, length_m, marks))
        for i, (kind, width, marks) in enumerate(strips)
    ]


def lay_road(
    network: RoadNetwork,
    path: Path,
    lanes: list[Lane],
    speed_mps: float,
    junction: str | None = None,
    before: RoadLink | None = None,
    after: RoadLink | None = None,
    lane_offset: Cubics | None = None,
) -> str:
    """Add a road of one section along a path; returns its id."""
    id = str(len(network.roads))
    by_id = {0: Lane(0, "none", constant(0.0))} | {lane.id: lane for lane in lanes}
    section = LaneSection(0.0, path.length_m, path.length_m, dict(sorted(by_id.items(), reverse=True)))
    network.roads[id] = Road(
        id, path.length_m, path.plan, (section,), junction=junction, lane_offset=lane_offset or constant(0.0),
        predecessor=before, successor=after, speeds=((0.0, speed_mps),),
    )  # fmt: skip
    return id


def add_road(network: RoadNetwork, path: Path, profile: Profile) -> str:
    """Add a two-way road along a path; returns its id."""
    middle = _clear_ends(profile, path.length_m, _middle_marks(profile, path.length_m))
    lanes = [*_side_lanes(profile, 1, path.length_m), Lane(0, "none", constant(0.0), marks=middle)]
    lanes += _side_lanes(profile, -1, path.length_m)
    return lay_road(network, path, lanes, profile.speed_mps)


# --- Junctions ---


@dataclass(frozen=True)
class Arm:
    """A road's end at a junction."""

    road: str
    contact: str
    profile: Profile

    def incoming_lane(self, k: int) -> int:
        """The id of the k-th lane from the middle that leads into the junction."""
        return (k + self.profile.first_driving) * (-1 if self.contact == "end" else 1)

    def outgoing_lane(self, k: int) -> int:
        return -self.incoming_lane(k)

    @property
    def bike(self) -> int:
        """The cycle lane's number, counted like the driving lanes."""
        return self.profile.lanes

    @property
    def walk(self) -> int:
        """The sidewalk's number, counted like the driving lanes."""
        beside = (self.profile.bike_m, self.profile.parking_m, self.profile.shoulder_m)
        return self.profile.lanes + sum(width > 0.0 for width in beside)


def outward(network: RoadNetwork, arm: Arm) -> tuple[Floats, float]:
    """Where an arm's middle line meets the junction (2,) and its heading away from it."""
    road = network.roads[arm.road]
    xy, heading, _ = road.plan.at(np.array([0.0 if arm.contact == "start" else road.length_m]))
    return xy[0], float(heading[0]) + (0.0 if arm.contact == "start" else math.pi)


def junction_reach_m(ways: list[tuple[float, float]]) -> float:
    """How far from a junction's centre its roads end, so that the tightest right turn stays drivable.

    `ways` holds each road's half width in m and its heading away from the centre.
    """
    angles = np.sort([math.remainder(out, 2.0 * math.pi) for _, out in ways])
    gap = float(np.min(np.diff(np.concatenate((angles, angles[:1] + 2.0 * math.pi)))))
    half = max(half for half, _ in ways)
    return max(half + 6.0, (half + 4.0) / math.tan(0.5 * min(gap, 0.5 * math.pi)))


def add_junction(network: RoadNetwork, arms: list[Arm]) -> str:
    """Join roads whose ends lie at one distance from a centre and point at it: every way through, and sidewalks.

    Each turn is one arc (a straight where the arms face each other) between the arms' middle lines; its lane slides
    from the lane it comes from to the one it goes to. Left turns leave the innermost lane, right turns the outermost.
    """
    junction = f"j{len(network.junctions)}"
    connections: list[Connection] = []
    headings = [outward(network, arm)[1] for arm in arms]
    for arm in arms:
        _link_end(network, arm, junction)
    for a, arm in enumerate(arms):
        exits = sorted((turn_between_rad(headings[a], headings[b]), b) for b in range(len(arms)) if b != a)
        for turn, b in exits:
            for k, m in _lane_pairs(arm.profile.lanes, arms[b].profile.lanes, turn):
                connections.append(_connect(network, junction, arm, arms[b], turn, k, m))
        if arm.profile.sidewalk_m > 0.0:  # around the corner to the next arm on the right
            _connect_sidewalk(network, junction, arm, arms[exits[0][1]], exits[0][0])
    network.junctions[junction] = tuple(connections)
    return junction


def turn_between_rad(out_a: float, out_b: float) -> float:
    """The change of heading from coming in along arm a to going out along arm b, in [-pi, pi)."""
    return math.remainder(out_b - (out_a + math.pi), 2.0 * math.pi)


def _lane_pairs(n_from: int, n_to: int, turn_rad: float) -> list[tuple[int, int]]:
    if abs(turn_rad) < math.radians(45.0):
        return [(k, min(k, n_to - 1)) for k in range(min(n_from, n_to))]
    return [(0, 0)] if turn_rad > 0.0 else [(n_from - 1, n_to - 1)]


def _link_end(network: RoadNetwork, arm: Arm, junction: str) -> None:
    road, link = network.roads[arm.road], RoadLink("junction", junction, "")
    ends = {"predecessor": link} if arm.contact == "start" else {"successor": link}
    network.roads[arm.road] = replace(road, **ends)


def _turn_path(network: RoadNetwork, a: Arm, b: Arm, turn_rad: float) -> Path:
    start, out = outward(network, a)
    end, _ = outward(network, b)
    path = Path(float(start[0]), float(start[1]), out + math.pi)
    chord = float(np.hypot(*(end - start)))
    if abs(turn_rad) < 1e-9:
        path.line(chord)
    else:
        radius = chord / (2.0 * math.sin(0.5 * abs(turn_rad)))
        path.arc(radius * abs(turn_rad), math.copysign(1.0 / radius, turn_rad))
    return path


def _connecting_road(
    network: RoadNetwork, junction: str, a: Arm, b: Arm, path: Path, lanes: list[Lane], offset_m: tuple[float, float]
) -> str:
    return lay_road(
        network, path, lanes, min(a.profile.speed_mps, b.profile.speed_mps), junction,
        RoadLink("road", a.road, a.contact), RoadLink("road", b.road, b.contact),
        blend(-offset_m[0], -offset_m[1], path.length_m),
    )  # fmt: skip


def _connect(network: RoadNetwork, junction: str, a: Arm, b: Arm, turn_rad: float, k: int, m: int) -> Connection:
    path = _turn_path(network, a, b, turn_rad)
    lanes = [
        Lane(
            -1, "driving", blend(a.profile.width_m, b.profile.width_m, path.length_m),
            predecessors=(a.incoming_lane(k),), successors=(b.outgoing_lane(m),),
        )
    ]  # fmt: skip
    outermost = k == a.profile.lanes - 1 and m == b.profile.lanes - 1
    if outermost and turn_rad < math.radians(45.0) and a.profile.bike_m and b.profile.bike_m:
        lanes.append(
            Lane(
                -2, "biking", blend(a.profile.bike_m, b.profile.bike_m, path.length_m),
                predecessors=(a.incoming_lane(a.bike),), successors=(b.outgoing_lane(b.bike),),
            )
        )  # fmt: skip
    offset = (a.profile.median_m + k * a.profile.width_m, b.profile.median_m + m * b.profile.width_m)
    id = _connecting_road(network, junction, a, b, path, lanes, offset)
    return Connection(a.road, id, "start", ((a.incoming_lane(k), -1),))


def _connect_sidewalk(network: RoadNetwork, junction: str, a: Arm, b: Arm, turn_rad: float) -> None:
    """The sidewalk around a corner; between wide streets also the asphalt beside it that no turning lane covers."""
    path = _turn_path(network, a, b, turn_rad)
    asphalt = (a.profile.carriageway_m, b.profile.carriageway_m)
    wide = max(a.profile.lanes, b.profile.lanes) > 1 or max(a.profile.bike_m, b.profile.bike_m) > 0.0
    paved = [Lane(-1, "shoulder", blend(*asphalt, path.length_m))] if wide else []
    sidewalk = Lane(
        -1 - len(paved), "sidewalk", blend(a.profile.walk_m, b.profile.walk_m, path.length_m),
        predecessors=(a.incoming_lane(a.walk),), successors=(b.outgoing_lane(b.walk),),
    )  # fmt: skip
    _connecting_road(network, junction, a, b, path, [*paved, sidewalk], (0.0, 0.0) if paved else asphalt)
