"""CommonRoad XML, 2018b and 2020a: lanelets, recorded obstacles and the planning problem, as plain arrays.

Untrusted: no entities, no DTD, no network. An error is a ValueError (an OSError for the file itself) of one line that
names file, line, element, value and remedy. Quantities that a file gives as an interval count as its middle. World
frame, metres, radians, m/s; time in whole steps of `dt_s`; the reference point of a recorded body is what its states
tell, in these files the middle of its box. Heights, signs but speed limits, lights and intersections are not read.
"""

import math
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from sim.mapfiles.commonroad_shapes import Shape, read_shape
from sim.mapfiles.commonroad_xml import Element, Reader, parse
from sim.roads.geometry import Floats, wrap_rad

VERSIONS = ("2018b", "2020a")
_LIMITS = ("274", "274.1", "R2-1", "r301")  # ids of signs whose value is a speed limit in m/s
_UNREAD = ("trafficLight", "intersection", "environmentObstacle", "phantomObstacle")
_MAX_STEP = 10**7
_MAX_LIMIT_MPS = 200.0
_MAX_LENGTH_M = 10_000.0  # of a bound
_ROOT = re.compile(rb"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)")


@dataclass(frozen=True)
class Lanelet:
    """A piece of lane between two bounds, driven from their first points to their last."""

    id: int
    line: int
    left_xy_world_m: Floats  # (n, 2)
    right_xy_world_m: Floats  # (m, 2)
    predecessors: tuple[int, ...]
    successors: tuple[int, ...]
    left: int | None  # the lanelet beside it that runs the same way
    right: int | None
    kinds: tuple[str, ...]  # urban, highway, sidewalk, ...; none in 2018b
    marks: tuple[str, str]  # of the left and the right bound, as in the file; "" where it says nothing
    limit_mps: float | None


@dataclass(frozen=True)
class Track:
    """A recorded obstacle: its states at the steps from `first_step` on, one a step; one state where it is static."""

    id: int
    line: int
    static: bool
    kind: str  # car, truck, pedestrian, ... as in the file
    shape: Shape
    first_step: int
    xy_world_m: Floats  # (T, 2)
    heading_rad: Floats  # (T,)
    speed_mps: Floats  # (T,) along the heading


@dataclass(frozen=True)
class Goal:
    """Where the ego should be and from which step to which; a place is a point or a lanelet, or is not asked for."""

    line: int
    xy_world_m: tuple[float, float] | None
    lanelet: int | None
    first_step: int
    last_step: int


@dataclass(frozen=True)
class Problem:
    """Where the ego starts, at which step, and its goal."""

    id: int
    line: int
    step: int
    xy_world_m: tuple[float, float]
    heading_rad: float
    speed_mps: float
    goal: Goal | None


@dataclass(frozen=True)
class CommonRoad:
    """One file."""

    path: Path
    version: str
    name: str
    dt_s: float
    lanelets: dict[int, Lanelet]
    tracks: tuple[Track, ...]
    problem: Problem
    notes: tuple[str, ...]


def is_commonroad(path: Path) -> bool:
    """Whether a file's root element is that of CommonRoad; False where there is no such file."""
    if path.suffix.lower() != ".xml" or not path.is_file():
        return False
    with path.open("rb") as file:
        head = re.sub(rb"<!--.*?-->|<\?.*?\?>|<!DOCTYPE", b"", file.read(65536), flags=re.DOTALL)
    # A DTD, which is refused later, may hold declarations (<!...>) before the root element.
    root = _ROOT.search(head)
    return root is not None and root[1] == b"commonRoad"


def read_commonroad(path: Path) -> CommonRoad:
    """Read a file; again only when it changes."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist; name a CommonRoad file (.xml)")
    stat = path.stat()
    return _read(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=8)
def _read(path: Path, time_ns: int, size: int) -> CommonRoad:
    root, read = parse(path), Reader(path)
    version = root.get("commonRoadVersion", "").strip()
    if version not in VERSIONS:
        raise read.error(root, f"has commonRoadVersion={version[:20]!r}", f"versions {' and '.join(VERSIONS)} are read")
    dt_s = read.attribute(root, "timeStepSize")
    if not 1e-3 <= dt_s <= 10.0:
        raise read.error(root, f"has timeStepSize={dt_s:g}", "it must be from 0.001 to 10 s")
    lanelets = _lanelets(read, root)
    tracks = _tracks(read, root)
    return CommonRoad(
        path=path,
        version=version,
        name=root.get("benchmarkID", path.stem).strip(),
        dt_s=dt_s,
        lanelets=lanelets,
        tracks=tuple(_with_speeds(track, dt_s) for track in tracks),
        problem=_problem(read, root, lanelets),
        notes=_notes(root),
    )


def _notes(root: Element) -> tuple[str, ...]:
    notes = []
    unread = {tag: len(root.findall(tag)) for tag in _UNREAD}
    if any(unread.values()):
        counts = ", ".join(f"{count} <{tag}>" for tag, count in unread.items() if count)
        notes.append(f"not read: {counts}")
    if root.find("lanelet/leftBound/point/z") is not None:
        notes.append("heights of lanelets are not read; the road is flat")
    problems = root.findall("planningProblem")
    if len(problems) > 1:
        notes.append(f"of {len(problems)} planning problems the first, {problems[0].get('id')}, is played")
    return tuple(notes)


# --- Lanelets ---


def _lanelets(read: Reader, root: Element) -> dict[int, Lanelet]:
    limits = _sign_limits(read, root)
    found: dict[int, Lanelet] = {}
    elements = root.findall("lanelet")
    for element in elements:
        lanelet = _lanelet(read, element, limits)
        if lanelet.id in found:
            raise read.error(element, f"repeats the id {lanelet.id}", "lanelets need ids of their own")
        found[lanelet.id] = lanelet
    if not found:
        raise read.error(root, "has no <lanelet>", "a scenario needs a road")
    for element in elements:
        for tag in ("predecessor", "successor", "adjacentLeft", "adjacentRight"):
            for child in element.findall(tag):
                if read.id(child, "ref") not in found:
                    raise read.error(child, f"refers to lanelet {child.get('ref')}, which does not exist")
    return found


def _lanelet(read: Reader, element: Element, limits: dict[int, float]) -> Lanelet:
    bounds = [_bound(read, read.child(element, tag)) for tag in ("leftBound", "rightBound")]
    signs = [limits[id] for e in element.findall("trafficSignRef") if (id := read.id(e, "ref")) in limits]
    limit = _limit(read, element) if element.find("speedLimit") is not None else min(signs, default=None)
    return Lanelet(
        id=read.id(element),
        line=element.sourceline or 0,
        left_xy_world_m=bounds[0][0],
        right_xy_world_m=bounds[1][0],
        predecessors=tuple(dict.fromkeys(read.id(e, "ref") for e in element.findall("predecessor"))),
        successors=tuple(dict.fromkeys(read.id(e, "ref") for e in element.findall("successor"))),
        left=_beside(read, element, "adjacentLeft"),
        right=_beside(read, element, "adjacentRight"),
        kinds=tuple((e.text or "").strip() for e in element.findall("laneletType")),
        marks=(bounds[0][1], bounds[1][1]),
        limit_mps=limit,
    )


def _bound(read: Reader, element: Element) -> tuple[Floats, str]:
    """The points of a bound, none twice in a row, and how it is marked."""
    points = np.array([read.point(e) for e in element.findall("point")]).reshape(-1, 2)
    if len(points):
        points = points[np.concatenate(([True], np.hypot(*np.diff(points, axis=0).T) > 1e-6))]
    if len(points) < 2:
        raise read.error(element, f"has {len(points)} different points", "a bound needs at least two")
    length = float(np.hypot(*np.diff(points, axis=0).T).sum())
    if length > _MAX_LENGTH_M:
        raise read.error(element, f"is {length:.0f} m long", f"bounds of up to {_MAX_LENGTH_M:.0f} m are read")
    return points, (element.findtext("lineMarking") or "").strip()


def _beside(read: Reader, element: Element, tag: str) -> int | None:
    found = element.find(tag)
    if found is None or read.word(found, "drivingDir", ("same", "opposite")) == "opposite":
        return None
    return read.id(found, "ref")


def _limit(read: Reader, element: Element, tag: str = "speedLimit") -> float:
    value = read.quantity(element, tag)
    if not 0.0 < value <= _MAX_LIMIT_MPS:
        raise read.error(element, f"has a speed limit of {value:g} m/s", f"use up to {_MAX_LIMIT_MPS:g}")
    return value


def _sign_limits(read: Reader, root: Element) -> dict[int, float]:
    """Speed limits by the ids of the signs that give them."""
    return {
        read.id(sign): _limit(read, part, "additionalValue")
        for sign in root.findall("trafficSign")
        for part in sign.findall("trafficSignElement")
        if (part.findtext("trafficSignID") or "").strip() in _LIMITS and part.find("additionalValue") is not None
    }


# --- Obstacles ---


def _tracks(read: Reader, root: Element) -> list[Track]:
    tags = {"staticObstacle": True, "dynamicObstacle": False}
    found: dict[int, Track] = {}
    for element in root:
        if element.tag == "obstacle":  # of 2018b
            static = read.text(element, "role") == "static"
        elif element.tag in tags:
            static = tags[element.tag]
        else:
            continue
        track = _track(read, element, static)
        if track.id in found:
            raise read.error(element, f"repeats the id {track.id}", "obstacles need ids of their own")
        found[track.id] = track
    return list(found.values())


def _track(read: Reader, element: Element, static: bool) -> Track:
    states = [read.child(element, "initialState")]
    if not static:
        if element.find("occupancySet") is not None:
            raise read.error(element.find("occupancySet"), "is not supported", "record a <trajectory> instead")
        states += element.findall("trajectory/state")
    shape = read_shape(read, read.child(element, "shape"))
    steps = _steps(read, states)
    heading = wrap_rad(np.array([read.quantity(state, "orientation") for state in states]))
    speeds = [math.nan if state.find("velocity") is None else read.quantity(state, "velocity") for state in states]
    return Track(
        id=read.id(element),
        line=element.sourceline or 0,
        static=static,
        kind=read.text(element, "type"),
        shape=shape,
        first_step=steps,
        xy_world_m=np.array([read.position(state) for state in states]),
        heading_rad=heading,
        speed_mps=np.array(speeds),
    )


def _steps(read: Reader, states: list[Element]) -> int:
    """The first of the states' time steps, which must follow each other without a gap."""
    first = _step(read, states[0])
    for i, state in enumerate(states):
        if _step(read, state) != first + i:
            raise read.error(
                state, f"is at time step {_step(read, state)}, but {first + i} comes next", "record every time step"
            )
    return first


def _step(read: Reader, state: Element) -> int:
    value = read.quantity(state, "time")
    if value != round(value) or not 0 <= value <= _MAX_STEP:
        raise read.error(read.child(state, "time"), f"is {value:g}", f"time is a whole step from 0 to {_MAX_STEP}")
    return round(value)


def _with_speeds(track: Track, dt_s: float) -> Track:
    """The track; where its file lacks a speed, all are those of its positions, along its headings."""
    if not np.isnan(track.speed_mps).any():
        return track
    speed = np.zeros(len(track.heading_rad))
    if len(speed) > 1:
        velocity = np.gradient(track.xy_world_m, dt_s, axis=0)
        speed = velocity[:, 0] * np.cos(track.heading_rad) + velocity[:, 1] * np.sin(track.heading_rad)
    return Track(**{**vars(track), "speed_mps": speed})


# --- The ego ---


def _problem(read: Reader, root: Element, lanelets: dict[int, Lanelet]) -> Problem:
    element = root.find("planningProblem")
    if element is None:
        raise read.error(root, "has no <planningProblem>, so that nobody is the ego", "add one with an initial state")
    state, goal = read.child(element, "initialState"), element.find("goalState")
    return Problem(
        id=read.id(element),
        line=element.sourceline or 0,
        step=_step(read, state),
        xy_world_m=read.position(state),
        heading_rad=read.quantity(state, "orientation"),
        speed_mps=read.quantity(state, "velocity"),
        goal=None if goal is None else _goal(read, goal, lanelets),
    )


def _goal(read: Reader, element: Element, lanelets: dict[int, Lanelet]) -> Goal:
    place, xy, lanelet = element.find("position"), None, None
    if place is not None and place.find("lanelet") is not None:
        lanelet = read.id(place.find("lanelet"), "ref")
        if lanelet not in lanelets:
            raise read.error(place.find("lanelet"), f"refers to lanelet {lanelet}, which does not exist")
    elif place is not None:
        xy = read.position(element)
    low, high = read.span(element, "time")
    if not 0.0 <= low <= high <= _MAX_STEP:
        raise read.error(read.child(element, "time"), f"is from {low:g} to {high:g}", "give steps in ascending order")
    return Goal(element.sourceline or 0, xy, lanelet, math.ceil(low), math.floor(high))
