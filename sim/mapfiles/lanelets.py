"""A road network from lanelets: those side by side that run the same way become the lanes of one road.

A road is called after its leftmost lanelet; its lanes are -1, -2, ... from the left, all driven along s, whatever side
a country drives on. The reference line is the leftmost bound, smoothed: pairs of arcs that share a tangent, through
points of the bound (biarcs), as few as keep it near. Lane offset and widths are cubics that bring the bounds back where
the file has them, to some centimetres. Where one road's end meets one road's start they are linked, else they meet in a
direct junction. Lanelets that run against each other lie on different roads.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from sim.mapfiles.commonroad import CommonRoad, Lanelet
from sim.roads.geometry import Arc, Cubics, Floats, Piece, PlanView, wrap_rad
from sim.roads.locate import RoadIndex
from sim.roads.network import (
    DASH_M,
    GAP_M,
    MARK_WIDTH_M,
    Connection,
    Junction,
    Lane,
    LaneSection,
    MapSource,
    MarkLine,
    Road,
    RoadLink,
    RoadMark,
    RoadNetwork,
)

KNOT_M = 5.0
NEAR_M = 0.2  # of the bound, for the reference line
_FINE_M, _MOST_POINTS = 0.25, 4000  # between points of a bound that are measured, and how many of them
_LEAST_KNOTS = 4
_CLOSEST_M = 2.0  # of the points that the reference line goes through
_KINDS = {"sidewalk": "sidewalk", "bicycleLane": "biking", "shoulder": "shoulder", "border": "border"}
_CROSSWALK = "crosswalk"
_MARKS = {
    "solid": "solid", "broad_solid": "solid", "dashed": "broken", "broad_dashed": "broken", "curb": "curb",
    "lowered_curb": "curb", "solid_solid": "solid solid", "dashed_dashed": "broken broken",
    "solid_dashed": "solid broken", "dashed_solid": "broken solid", "no_marking": "none",
}  # fmt: skip
_Row = tuple[Lanelet, ...]  # from the left


def lanelet_network(file: CommonRoad) -> RoadNetwork:
    """The roads of a file. ValueError, with its place, for lanelets that lie beside each other in a circle."""
    rows = lanelet_rows(file)
    roads = {str(row[0].id): _road(row, _is_forked(row, file)) for row in rows}
    junctions, infos = _join(rows, roads)
    source = MapSource(version=f"CommonRoad {file.version}", warnings=file.notes)
    return RoadNetwork(file.name, roads, junctions, junction_info=infos, source=source)


def lanelet_rows(file: CommonRoad) -> list[_Row]:
    """Lanelets side by side, from the left, rows in file order; crosswalks, which lie across roads, are left out."""
    kept = {id: lanelet for id, lanelet in file.lanelets.items() if _CROSSWALK not in lanelet.kinds}
    right = {}
    for lanelet in kept.values():
        other = None if lanelet.right is None else kept.get(lanelet.right)
        if other is not None and other.left == lanelet.id:  # both say so
            right[lanelet.id] = other.id
    followers, rows = set(right.values()), []
    for first in (lanelet for id, lanelet in kept.items() if id not in followers):
        row = [first]
        while row[-1].id in right:
            row.append(kept[right[row[-1].id]])
        rows.append(tuple(row))
    left_over = set(kept) - {lanelet.id for row in rows for lanelet in row}
    if left_over:
        lanelet = kept[min(left_over)]
        raise ValueError(
            f"{file.path.name}:{lanelet.line}: <lanelet> {lanelet.id} lies beside itself, over its neighbours; "
            "correct adjacentLeft and adjacentRight"
        )
    if not rows:
        raise ValueError(f"{file.path.name}: there are only crosswalks; a scenario needs lanelets to drive on")
    return rows


# --- Geometry ---


def _road(row: _Row, forked: bool) -> Road:
    bare = _reference(str(row[0].id), row)
    length, level = bare.length_m, bare.sections[0].lanes[0]
    bounds = [row[0].left_xy_world_m, *(lanelet.right_xy_world_m for lanelet in row)]
    knots = np.linspace(0.0, length, _knots(length) + 1)
    index = RoadIndex((bare,))
    t = [_offsets(index, length, bound, knots) for bound in bounds]
    lanes = {0: replace(level, marks=_mark(_between(None, row[0]), row[0].marks[0], forked))}
    for i, lanelet in enumerate(row):
        after = row[i + 1] if i + 1 < len(row) else None
        told = lanelet.marks[1] or ("" if after is None else after.marks[0])
        lanes[-1 - i] = Lane(
            id=-1 - i,
            kind=next((_KINDS[kind] for kind in lanelet.kinds if kind in _KINDS), "driving"),
            width=_smooth(knots, np.maximum(t[i] - t[i + 1], 0.0)),
            marks=_mark(_between(lanelet, after), told, forked),
            speeds=() if lanelet.limit_mps is None else ((0.0, lanelet.limit_mps),),
        )
    name = " ".join(str(lanelet.id) for lanelet in row)
    return replace(
        bare, sections=(LaneSection(0.0, length, length, lanes),), lane_offset=_smooth(knots, t[0]), name=name
    )


def _reference(id: str, row: _Row) -> Road:
    """A road without lanes along the leftmost bound; along the middle of the row where that bound is much shorter."""
    left, right = row[0].left_xy_world_m, row[-1].right_xy_world_m
    fine = _points(max(_length(left), _length(right)))
    line = resampled(left, fine)
    middle = 0.5 * (line + resampled(right, fine))
    if _length(left) < 0.5 * _length(middle):
        line = middle
    level, count = Lane(0, "none", Cubics(np.zeros(0), np.zeros((0, 4)))), 2
    while True:
        plan, length = biarcs(resampled(line, count))
        road = Road(id, length, plan, (LaneSection(0.0, length, length, {0: level}),))
        if count * _CLOSEST_M > length or np.abs(RoadIndex((road,)).project(0, line)[1]).max() < NEAR_M:
            return road
        count += (count + 1) // 2


def _knots(length_m: float) -> int:
    return max(round(length_m / KNOT_M), _LEAST_KNOTS)


def _points(length_m: float) -> int:
    return min(max(round(length_m / _FINE_M), 2), _MOST_POINTS)


def _length(xy: Floats) -> float:
    return float(np.hypot(*np.diff(xy, axis=0).T).sum())


def resampled(xy: Floats, count: int) -> Floats:
    """Points (count + 1, 2) evenly along a polyline (n, 2), its ends included."""
    along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))))
    at = np.linspace(0.0, along[-1], count + 1)
    return np.column_stack([np.interp(at, along, xy[:, axis]) for axis in (0, 1)])


def biarcs(xy: Floats) -> tuple[PlanView, float]:
    """A line of arcs with continuous heading through points (n, 2), n > 2, and its length.

    Headings at points are those of the chords between their neighbours; those at the ends continue the turn. Between
    two points lie two arcs whose tangents are equally long, d: with the chord v and unit tangents p and q,
    (2 - 2 p.q) d^2 + 2 v.(p + q) d - v.v = 0.
    """
    chord = np.diff(xy, axis=0)
    course = np.unwrap(np.arctan2(chord[:, 1], chord[:, 0]))
    inner = xy[2:] - xy[:-2]
    heading = np.concatenate(([0.0], np.arctan2(inner[:, 1], inner[:, 0]), [0.0]))
    heading[0], heading[-1] = 2.0 * course[0] - heading[1], 2.0 * course[-1] - heading[-2]
    heading = np.unwrap(heading)
    tangent = np.column_stack((np.cos(heading), np.sin(heading)))
    p, q = tangent[:-1], tangent[1:]
    square, ahead = (chord * chord).sum(axis=1), (chord * (p + q)).sum(axis=1)
    bend = 2.0 - 2.0 * (p * q).sum(axis=1)
    d = square / (ahead + np.sqrt(ahead * ahead + bend * square))
    joint = 0.5 * (xy[:-1] + xy[1:] + d[:, None] * (p - q))
    pieces: list[Piece] = []
    s = 0.0
    for i in range(len(chord)):
        start = float(heading[i])
        for a, b in ((xy[i], joint[i]), (joint[i], xy[i + 1])):
            reach = float(np.hypot(*(b - a)))
            turn = float(wrap_rad(np.arctan2(b[1] - a[1], b[0] - a[0]) - start))
            length = reach / float(np.sinc(turn / np.pi))
            pieces.append(Piece(s, float(a[0]), float(a[1]), start, length, Arc(2.0 * turn / length)))
            s, start = s + length, start + 2.0 * turn
    return PlanView(tuple(pieces)), s


def _offsets(index: RoadIndex, length_m: float, bound: Floats, knots: Floats) -> Floats:
    """t of a bound (n, 2) at knots (m,) of the one road of an index."""
    points = resampled(bound, _points(_length(bound)))
    s, t = index.project(0, points)
    inside = (s > 1e-6) & (s < length_m - 1e-6)
    if not inside.any():
        inside[:] = True
    order = np.argsort(s[inside], kind="stable")
    return np.interp(knots, s[inside][order], t[inside][order])


def _smooth(knots: Floats, values: Floats) -> Cubics:
    """Cubics through values (m,) at even knots (m,), with the slopes of their neighbours."""
    span = knots[1] - knots[0]
    slope = np.gradient(values, span)
    rise = np.diff(values) / span
    square = (3.0 * rise - 2.0 * slope[:-1] - slope[1:]) / span
    cube = (slope[:-1] + slope[1:] - 2.0 * rise) / span**2
    return Cubics(knots[:-1].copy(), np.column_stack((values[:-1], slope[:-1], square, cube)))


# --- Marks ---


def _between(left: Lanelet | None, right: Lanelet | None) -> str:
    """The mark of a bound that tells none: traffic may change between lanes, not leave the road."""
    return "solid" if left is None or right is None else "broken"


def _mark(usual: str, told: str, forked: bool) -> tuple[RoadMark, ...]:
    """What a file says, or the usual mark; where ways fork, as in junctions, nothing is painted unless it is told."""
    kind = _MARKS.get(told, "none" if forked else usual)
    lines = () if kind in ("none", "curb") else _lines(kind.split())
    return (RoadMark(0.0, kind, "white", lines),)


def _lines(kinds: list[str]) -> tuple[MarkLine, ...]:
    """Painted lines from the inside out; two lie a line's width apart."""
    dashes = {"solid": (0.0, 0.0), "broken": (DASH_M, GAP_M)}
    side = (0.0,) if len(kinds) == 1 else (MARK_WIDTH_M, -MARK_WIDTH_M)
    return tuple(MarkLine(t, MARK_WIDTH_M, *dashes[kind]) for t, kind in zip(side, kinds, strict=True))


def _is_forked(row: _Row, file: CommonRoad) -> bool:
    """Whether a row is one of several ways on from, or back to, one lanelet."""
    for lanelet in row:
        before = [file.lanelets[id].successors for id in lanelet.predecessors]
        after = [file.lanelets[id].predecessors for id in lanelet.successors]
        if any(len(others) > 1 for others in (*before, *after)):
            return True
    return False


# --- Links ---


def _join(
    rows: Sequence[_Row], roads: dict[str, Road]
) -> tuple[dict[str, tuple[Connection, ...]], dict[str, Junction]]:
    """Link the roads, in place; returns junctions where more than one end and one start meet."""
    places = {lanelet.id: (str(row[0].id), -1 - i) for row in rows for i, lanelet in enumerate(row)}
    lanelets = [lanelet for row in rows for lanelet in row]
    pairs = {(a.id, b) for a in lanelets for b in a.successors} | {(a, b.id) for b in lanelets for a in b.predecessors}
    links: dict[tuple[str, str], list[tuple[int, int]]] = {}  # from a road's end to another's start, lane by lane
    for a, b in sorted(pairs):
        if a in places and b in places:
            (road, lane), (after, there) = places[a], places[b]
            links.setdefault((road, after), []).append((lane, there))
    junctions: dict[str, tuple[Connection, ...]] = {}
    for group in _meetings(links):
        if len(group) == 1:
            _link(roads, *group[0], links[group[0]])
            continue
        id = f"j{len(junctions)}"
        found: list[Connection] = []
        for road, after in group:
            roads[road] = replace(roads[road], successor=RoadLink("junction", id, ""))
            roads[after] = replace(roads[after], predecessor=RoadLink("junction", id, ""))
            lanes = tuple(links[road, after])
            found.append(Connection(road, after, "start", lanes))
            found.append(Connection(after, road, "end", tuple((b, a) for a, b in lanes)))  # the way back, for look-ups
        junctions[id] = tuple(found)
    return junctions, {id: Junction(id, kind="direct") for id in junctions}


def _meetings(links: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Links grouped by the places where they are: those that share an end or a start belong together."""
    sharing: dict[tuple[int, str], list[tuple[str, str]]] = {}
    for link in links:
        for place in enumerate(link):
            sharing.setdefault(place, []).append(link)
    groups: list[list[tuple[str, str]]] = []
    seen: set[tuple[str, str]] = set()
    for first in links:
        group = [] if first in seen else [first]
        seen.add(first)
        for link in group:  # which grows meanwhile
            near = [other for place in enumerate(link) for other in sharing[place] if other not in seen]
            seen.update(near)
            group += dict.fromkeys(near)
        groups += [group] if group else []
    return groups


def _link(roads: dict[str, Road], road: str, after: str, lanes: list[tuple[int, int]]) -> None:
    """Let one road go on as another, lane by lane."""
    roads[road] = replace(_linked(roads[road], lanes, "successors"), successor=RoadLink("road", after, "start"))
    back = [(b, a) for a, b in lanes]
    roads[after] = replace(_linked(roads[after], back, "predecessors"), predecessor=RoadLink("road", road, "end"))


def _linked(road: Road, pairs: list[tuple[int, int]], key: str) -> Road:
    section = road.sections[0]
    lanes = dict(section.lanes)
    for id, other in pairs:
        lanes[id] = replace(lanes[id], **{key: (*getattr(lanes[id], key), other)})
    return replace(road, sections=(replace(section, lanes=lanes),))
