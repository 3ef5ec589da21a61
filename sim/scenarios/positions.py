"""Where things are in a scenario: positions, routes and trajectories, as unevaluated values."""

from dataclasses import dataclass

from sim.scenarios.values import Value


@dataclass(frozen=True)
class Orientation:
    heading: Value
    pitch: Value
    roll: Value
    relative: bool  # to the reference context (road, entity, trajectory) instead of to the world


@dataclass(frozen=True)
class WorldPosition:
    x: Value
    y: Value
    z: Value | None
    heading: Value | None
    pitch: Value | None
    roll: Value | None


@dataclass(frozen=True)
class LanePosition:
    road: Value
    lane: Value
    s: Value
    offset: Value
    orientation: Orientation | None


@dataclass(frozen=True)
class RelativeLanePosition:
    entity: Value
    lanes: Value  # to the left of the entity's lane as lane ids grow, lane 0 not counted
    ds: Value | None  # along the road
    ds_lane: Value | None  # or along the lane
    offset: Value
    orientation: Orientation | None


@dataclass(frozen=True)
class RoadPosition:
    road: Value
    s: Value
    t: Value
    orientation: Orientation | None


@dataclass(frozen=True)
class RelativeRoadPosition:
    entity: Value
    ds: Value
    dt: Value
    orientation: Orientation | None


@dataclass(frozen=True)
class RelativeObjectPosition:
    """In the axes of the entity."""

    entity: Value
    dx: Value
    dy: Value
    dz: Value
    orientation: Orientation | None


@dataclass(frozen=True)
class RelativeWorldPosition:
    """In the axes of the world."""

    entity: Value
    dx: Value
    dy: Value
    dz: Value
    orientation: Orientation | None


@dataclass(frozen=True)
class RoutePosition:
    """A place along a route: by path s with lane and offset, with t, or where an entity is on it."""

    route: "Route"
    s: Value | None
    lane: Value | None
    lane_offset: Value | None
    t: Value | None
    entity: Value | None
    orientation: Orientation | None


@dataclass(frozen=True)
class TrajectoryPosition:
    trajectory: "Trajectory"
    s: Value
    t: Value | None
    orientation: Orientation | None


Position = (
    WorldPosition
    | LanePosition
    | RelativeLanePosition
    | RoadPosition
    | RelativeRoadPosition
    | RelativeObjectPosition
    | RelativeWorldPosition
    | RoutePosition
    | TrajectoryPosition
)


@dataclass(frozen=True)
class Route:
    name: str
    closed: bool
    waypoints: tuple[Position, ...]
    strategies: tuple[str, ...]  # shortest, fastest, leastIntersections, random


@dataclass(frozen=True)
class Vertex:
    position: Position
    time_s: Value | None


@dataclass(frozen=True)
class Polyline:
    vertices: tuple[Vertex, ...]


@dataclass(frozen=True)
class ClothoidSegment:
    """Curvature runs linearly from start to end; `start` places it, else it goes on from the segment before."""

    curvature_start: Value
    curvature_end: Value
    length: Value
    heading_offset: Value | None
    start: Position | None
    time_start_s: Value | None


@dataclass(frozen=True)
class ClothoidSpline:
    """Also a single Clothoid: one segment with its end curvature."""

    segments: tuple[ClothoidSegment, ...]
    time_end_s: Value | None


@dataclass(frozen=True)
class Clothoid:
    """A single clothoid as 1.0 to 1.2 write it: curvature at the start and its change per metre."""

    curvature: Value
    curvature_rate: Value
    length: Value
    start: Position
    time_start_s: Value | None
    time_end_s: Value | None


@dataclass(frozen=True)
class Trajectory:
    name: str
    closed: bool
    shape: Polyline | Clothoid | ClothoidSpline
