"""Positions, routes and trajectories of OpenSCENARIO files; one reader for each element, in tables."""

from collections.abc import Callable
from typing import Any

from sim.scenarios.positions import (
    Clothoid,
    ClothoidSegment,
    ClothoidSpline,
    LanePosition,
    Orientation,
    Polyline,
    Position,
    RelativeLanePosition,
    RelativeObjectPosition,
    RelativeRoadPosition,
    RelativeWorldPosition,
    RoadPosition,
    Route,
    RoutePosition,
    Trajectory,
    TrajectoryPosition,
    Vertex,
    WorldPosition,
)
from sim.scenarios.xosc_catalogs import from_catalog, with_parameters
from sim.scenarios.xosc_xml import Element, Reader, same


def position(read: Reader, element: Element) -> Position:
    """The position in a <Position>, or in another element of its type."""
    return read.one(element, POSITIONS)


def _orientation(read: Reader, element: Element) -> Orientation | None:
    child = read.optional_child(element, "Orientation")
    if child is None:
        return None
    heading, pitch, roll = (read.number(child, key, default="0") for key in "hpr")
    relative = read.choice(child, "type", {"absolute": False, "relative": True}, default="absolute")
    return Orientation(heading, pitch, roll, relative)


def _world(read: Reader, element: Element) -> WorldPosition:
    x, y = (read.number(element, key) for key in "xy")
    return WorldPosition(x, y, *(read.optional_number(element, key) for key in "zhpr"))


def _lane(read: Reader, element: Element) -> LanePosition:
    read.holds(element, "Orientation")
    return LanePosition(
        road=read.value(element, "roadId"),
        lane=read.number(element, "laneId"),
        s=read.number(element, "s"),
        offset=read.number(element, "offset", default="0"),
        orientation=_orientation(read, element),
    )


def _relative_lane(read: Reader, element: Element) -> RelativeLanePosition:
    read.holds(element, "Orientation")
    ds, ds_lane = read.optional_number(element, "ds"), read.optional_number(element, "dsLane")
    if (ds is None) == (ds_lane is None):
        raise read.error(element, "needs one of the attributes ds and dsLane")
    return RelativeLanePosition(
        entity=read.entity(element),
        lanes=read.number(element, "dLane"),
        ds=ds,
        ds_lane=ds_lane,
        offset=read.number(element, "offset", default="0"),
        orientation=_orientation(read, element),
    )


def _road(read: Reader, element: Element) -> RoadPosition:
    read.holds(element, "Orientation")
    road, s, t = read.value(element, "roadId"), read.number(element, "s"), read.number(element, "t")
    return RoadPosition(road, s, t, _orientation(read, element))


def _relative_road(read: Reader, element: Element) -> RelativeRoadPosition:
    read.holds(element, "Orientation")
    ds, dt = read.number(element, "ds"), read.number(element, "dt")
    return RelativeRoadPosition(read.entity(element), ds, dt, _orientation(read, element))


def _relative_axes(kind: type) -> Callable[[Reader, Element], Any]:
    def reader(read: Reader, element: Element) -> Any:
        read.holds(element, "Orientation")
        dx, dy = read.number(element, "dx"), read.number(element, "dy")
        dz = read.number(element, "dz", default="0")
        return kind(read.entity(element), dx, dy, dz, _orientation(read, element))

    return reader


def _route_position(read: Reader, element: Element) -> RoutePosition:
    read.holds(element, "RouteRef", "InRoutePosition", "Orientation")
    route_of = read.one(read.child(element, "RouteRef"), ROUTES)
    place = read.one(read.child(element, "InRoutePosition"), _IN_ROUTE)
    return RoutePosition(route=route_of, orientation=_orientation(read, element), **place)


def _from_lane(read: Reader, element: Element) -> dict[str, Any]:
    place = {"s": read.number(element, "pathS"), "lane": read.number(element, "laneId")}
    return place | {"lane_offset": read.number(element, "laneOffset", default="0"), "t": None, "entity": None}


def _from_road(read: Reader, element: Element) -> dict[str, Any]:
    place = {"s": read.number(element, "pathS"), "t": read.number(element, "t")}
    return place | {"lane": None, "lane_offset": None, "entity": None}


def _from_entity(read: Reader, element: Element) -> dict[str, Any]:
    return {"s": None, "lane": None, "lane_offset": None, "t": None, "entity": read.entity(element)}


def _trajectory_position(read: Reader, element: Element) -> TrajectoryPosition:
    read.holds(element, "TrajectoryRef", "Orientation")
    return TrajectoryPosition(
        trajectory=read.one(read.child(element, "TrajectoryRef"), TRAJECTORIES),
        s=read.number(element, "s"),
        t=read.number(element, "t", default="0"),
        orientation=_orientation(read, element),
    )


# --- Routes and trajectories ---


def route(read: Reader, element: Element) -> Route:
    """A <Route>, in the scenario or in a catalog."""
    read.holds(element, "ParameterDeclarations", "Waypoint")
    read = with_parameters(read, element)
    waypoints = element.findall("Waypoint")
    if len(waypoints) < 2:
        raise read.error(element, f"has {len(waypoints)} waypoints", "a route needs two or more")
    return Route(
        name=read.text(element, "name"),
        closed=read.boolean(element, "closed"),
        waypoints=tuple(position(read, read.child(waypoint, "Position")) for waypoint in waypoints),
        strategies=tuple(read.choice(waypoint, "routeStrategy", _STRATEGIES) for waypoint in waypoints),
    )


def trajectory(read: Reader, element: Element) -> Trajectory:
    """A <Trajectory>, in the scenario or in a catalog."""
    read.holds(element, "ParameterDeclarations", "Shape")
    read = with_parameters(read, element)
    shape = read.one(read.child(element, "Shape"), _SHAPES)
    return Trajectory(read.text(element, "name"), read.boolean(element, "closed"), shape)


def _polyline(read: Reader, element: Element) -> Polyline:
    vertices = [
        Vertex(position(read, read.child(vertex, "Position")), read.optional_number(vertex, "time"))
        for vertex in read.children(element, "Vertex")
    ]
    if len(vertices) < 2:
        raise read.error(element, f"has {len(vertices)} vertices", "a polyline needs two or more")
    return Polyline(tuple(vertices))


def _clothoid(read: Reader, element: Element) -> Clothoid:
    read.holds(element, "Position")
    return Clothoid(
        curvature=read.number(element, "curvature"),
        curvature_rate=read.number(element, "curvaturePrime", "curvatureDot"),
        length=read.duration(element, "length"),
        start=position(read, read.child(element, "Position")),
        time_start_s=read.optional_number(element, "startTime"),
        time_end_s=read.optional_number(element, "stopTime"),
    )


def _spline(read: Reader, element: Element) -> ClothoidSpline:
    segments = tuple(_segment(read, segment) for segment in read.children(element, "ClothoidSplineSegment"))
    if not segments:
        raise read.error(element, "has no <ClothoidSplineSegment>")
    if segments[0].start is None:
        raise read.error(element, "does not say where it starts", "add <PositionStart> to its first segment")
    return ClothoidSpline(segments, read.optional_number(element, "timeEnd"))


def _segment(read: Reader, element: Element) -> ClothoidSegment:
    read.holds(element, "PositionStart")
    start = read.optional_child(element, "PositionStart")
    return ClothoidSegment(
        curvature_start=read.number(element, "curvatureStart"),
        curvature_end=read.number(element, "curvatureEnd"),
        length=read.duration(element, "length"),
        heading_offset=read.optional_number(element, "hOffset"),
        start=None if start is None else position(read, start),
        time_start_s=read.optional_number(element, "timeStart"),
    )


_STRATEGIES = same("shortest", "fastest", "leastIntersections", "random")
_SHAPES = {"Polyline": _polyline, "Clothoid": _clothoid, "ClothoidSpline": _spline}
ROUTES = {"Route": route, "CatalogReference": lambda read, element: from_catalog(read, element, {"Route": route})}
TRAJECTORIES = {
    "Trajectory": trajectory,
    "CatalogReference": lambda read, element: from_catalog(read, element, {"Trajectory": trajectory}),
}
_IN_ROUTE = {
    "FromLaneCoordinates": _from_lane,
    "FromRoadCoordinates": _from_road,
    "FromCurrentEntity": _from_entity,
}
POSITIONS: dict[str, Callable[[Reader, Element], Position]] = {
    "WorldPosition": _world,
    "RelativeWorldPosition": _relative_axes(RelativeWorldPosition),
    "RelativeObjectPosition": _relative_axes(RelativeObjectPosition),
    "RoadPosition": _road,
    "RelativeRoadPosition": _relative_road,
    "LanePosition": _lane,
    "RelativeLanePosition": _relative_lane,
    "RoutePosition": _route_position,
    "TrajectoryPosition": _trajectory_position,
}
