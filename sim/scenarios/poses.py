"""Where the positions of a scenario are, for all runs of a batch: in the world and on the roads.

Relative positions are worked out when they are asked for, from where their entity then is. Orientation that a file does
not give is that of the lane's traffic for lane and route positions, of the road's s for road positions and world
positions without a heading, and the entity's for positions relative to an object. Positions relative to an entity's
lane by `ds` look along s, those by `dsLane` along the lane.
"""

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from sim.roads.geometry import Floats, wrap_rad
from sim.scenarios.motions import Bodies, Course, locate
from sim.scenarios.positions import (
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
    WorldPosition,
)
from sim.scenarios.road_paths import PathFinder
from sim.scenarios.road_tables import END, START, Ints, RoadTables
from sim.scenarios.shapes import Curve, Vertices, polyline, spline
from sim.scenarios.values import Mixed, Value, Where


@dataclass(frozen=True)
class Spot:
    """A place and how a body stands there, each (B,); road -1 where there are no roads."""

    x_m: Floats
    y_m: Floats
    z_m: Floats
    heading_rad: Floats
    pitch_rad: Floats
    roll_rad: Floats
    road: Ints
    lane: Ints
    s_m: Floats
    t_m: Floats
    offset_m: Floats
    turn_rad: Floats
    path_m: Floats | None = None  # along its trajectory, of a trajectory position
    heading_given: bool = False  # in world axes


class Places:
    """Works positions out."""

    def __init__(self, bodies: Bodies) -> None:
        self.bodies, self.draw = bodies, bodies.draw
        self.paths = None if bodies.tables is None else PathFinder(bodies.tables)
        self._fixed: dict[int, tuple[Position, Spot]] = {}
        self._curves: dict[int, tuple[Trajectory, Curve]] = {}
        self._routes: dict[int, tuple[Route, RoadRoute]] = {}

    def spot(self, position: Position, route_of: int | None = None) -> Spot:
        """Where a position is now. ValueError where it is nowhere."""
        if id(position) in self._fixed:
            return self._fixed[id(position)][1]
        spot = self._spot(position, route_of)
        if not _moves(position):
            self._fixed[id(position)] = (position, spot)
        return spot

    def put(self, entity: int, spot: Spot, runs: np.ndarray) -> None:
        """Put a body there, in the runs (B,) of a mask."""
        bodies = self.bodies
        for name in (
            "x_m", "y_m", "z_m", "heading_rad", "pitch_rad", "roll_rad", "road", "lane", "s_m", "t_m", "offset_m",
            "turn_rad",
        ):  # fmt: skip
            column = getattr(bodies, name)
            column[entity] = np.where(runs, getattr(spot, name), column[entity])
        bodies.loose[entity] &= ~runs
        bodies.at_end[entity] &= ~runs
        if bodies.tables is not None:
            curvature = bodies.tables.line(np.maximum(bodies.road[entity], 0), bodies.s_m[entity])[3]
            bodies.curvature_1pm[entity] = np.where(runs, curvature, bodies.curvature_1pm[entity])
        bodies.jumped[entity] |= runs

    # --- Kinds of positions ---

    def _spot(self, position: Position, route_of: int | None) -> Spot:
        if isinstance(position, WorldPosition):
            return self._world(position)
        if isinstance(position, LanePosition):
            road = self._road(position.road)
            return self._on_lane(
                road, self._whole(position.lane), self._number(position.s), self._number(position.offset),
                position.orientation, position.lane.where,
            )  # fmt: skip
        if isinstance(position, RoadPosition):
            road = self._road(position.road)
            return self._on_road(road, self._number(position.s), self._number(position.t), position.orientation)
        if isinstance(position, RelativeLanePosition):
            return self._beside(position, route_of)
        if isinstance(position, RelativeRoadPosition):
            return self._along(position, route_of)
        if isinstance(position, (RelativeObjectPosition, RelativeWorldPosition)):
            return self._relative(position)
        if isinstance(position, RoutePosition):
            return self._on_route(position)
        return self._on_trajectory(position)

    def _world(self, position: WorldPosition) -> Spot:
        x, y = self._number(position.x), self._number(position.y)
        given = position.heading is not None
        heading = self._number(position.heading) if position.heading is not None else np.zeros_like(x)
        spot = self._free(x, y, heading, given)
        if position.z is not None:
            spot = replace(spot, z_m=self._number(position.z))
        pitch, roll = (None if v is None else self._number(v) for v in (position.pitch, position.roll))
        return replace(
            spot,
            pitch_rad=spot.pitch_rad if pitch is None else pitch,
            roll_rad=spot.roll_rad if roll is None else roll,
        )

    def _free(self, x: Floats, y: Floats, heading: Floats, given: bool) -> Spot:
        """A place in the world; its heading is absolute, or relative to the road's where it is not `given`."""
        tables, zero = self.bodies.tables, np.zeros_like(x)
        if tables is None:
            none = np.full(len(x), -1, dtype=np.int64)
            return Spot(
                x, y, zero, wrap_rad(heading), zero, zero, none, none * 0, zero, zero, zero, zero, heading_given=given
            )
        road, s, t = locate(tables, x, y, self.bodies.map_of, np.full(len(x), -1, dtype=np.int64), zero)
        lane = tables.lane_at(road, s, t)
        place = tables.lane(road, lane, s)
        _, _, z, course, pitch, roll = tables.pose(road, s, t)
        course = course + np.arctan(place.slope)
        turn = wrap_rad(heading - course) if given else wrap_rad(heading)
        return Spot(
            x, y, z, wrap_rad(course + turn), pitch, roll, road, lane, s, t, t - place.t_m, turn, heading_given=given
        )

    def _on_lane(
        self, road: Ints, lane: Ints, s: Floats, offset: Floats, orientation: Orientation | None, where: Where
    ) -> Spot:
        tables = self._tables(where)
        s = np.clip(s, 0.0, tables.length_m[road])
        place = tables.lane(road, lane, s)
        if not place.valid.all():
            i = int(np.flatnonzero(~place.valid)[0])
            id = tables.roads[road[i]].id
            raise ValueError(f"{where}: road {id!r} has no lane {lane[i]} at s={s[i]:g}; name one that it has there")
        backwards = tables.right_hand[road] == (lane > 0)
        return self._posed(road, lane, s, place.t_m + offset, offset, orientation, np.where(backwards, math.pi, 0.0))

    def _on_road(self, road: Ints, s: Floats, t: Floats, orientation: Orientation | None) -> Spot:
        tables = self._tables(None)
        s = np.clip(s, 0.0, tables.length_m[road])
        lane = tables.lane_at(road, s, t)
        offset = t - tables.lane(road, lane, s).t_m
        return self._posed(road, lane, s, t, offset, orientation, np.zeros_like(s))

    def _posed(
        self,
        road: Ints,
        lane: Ints,
        s: Floats,
        t: Floats,
        offset: Floats,
        orientation: Orientation | None,
        turn: Floats,
    ) -> Spot:
        """A place on a road; without an orientation, or relative to it, bodies look along s turned by `turn`."""
        tables = self._tables(None)
        x, y, z, course, pitch, roll = tables.pose(road, s, t)
        course = course + np.arctan(tables.lane(road, lane, s).slope)
        given = orientation is not None and not orientation.relative
        if orientation is not None:
            angle = self._number(orientation.heading)
            turn = turn + angle if orientation.relative else wrap_rad(angle - course)
        turn = wrap_rad(turn)
        return Spot(x, y, z, wrap_rad(course + turn), pitch, roll, road, lane, s, t, offset, turn, heading_given=given)

    def _beside(self, position: RelativeLanePosition, route_of: int | None) -> Spot:
        bodies, tables = self.bodies, self._tables(position.entity.where)
        other = bodies.index(position.entity)
        lanes, offset = self._whole(position.lanes), self._number(position.offset)
        lane, turn = bodies.lane[other], bodies.turn_rad[other]
        along_lane = position.ds is None
        forward = tables.right_hand[np.maximum(bodies.road[other], 0)] == (lane < 0)
        if along_lane:
            assert position.ds_lane is not None
            ds = self._number(position.ds_lane) * np.where(forward, 1.0, -1.0)
            flip = np.where((np.abs(turn) <= 0.5 * math.pi) & forward, 1, -1)
            lanes, offset = lanes * flip, offset * flip
        else:
            assert position.ds is not None
            ds = self._number(position.ds)
        road, carried, s = self._walk(other, ds, route_of)
        found = _beside(carried, lanes)
        place = tables.lane(road, found, s)
        if not place.valid.all():
            i = int(np.flatnonzero(~place.valid)[0])
            id = tables.roads[road[i]].id
            raise ValueError(
                f"{position.entity.where}: road {id!r} has no lane {found[i]} at s={s[i]:g}; choose fewer lanes across"
            )
        backwards = tables.right_hand[road] == (found > 0)
        turn = np.where(backwards, math.pi, 0.0) if along_lane else np.zeros_like(s)
        return self._posed(road, found, s, place.t_m + offset, offset, position.orientation, turn)

    def _along(self, position: RelativeRoadPosition, route_of: int | None) -> Spot:
        other = self.bodies.index(position.entity)
        road, lane, s = self._walk(other, self._number(position.ds), route_of)
        tables = self._tables(position.entity.where)
        t = tables.lane(road, lane, s).t_m + self.bodies.offset_m[other] + self._number(position.dt)
        return self._on_road(road, s, t, position.orientation)

    def _walk(self, other: int, ds: Floats, route_of: int | None) -> tuple[Ints, Ints, Floats]:
        """Road, lane and s that lie ds (B,) along s from an entity."""
        bodies, size = self.bodies, self.bodies.shape[1]
        bodies.find(np.arange(size) + other * size)
        walker = Bodies((bodies.entities[other],), self.draw, bodies.tables, bodies.atlas)
        for name in ("x_m", "y_m", "road", "lane", "s_m", "offset_m", "turn_rad"):
            getattr(walker, name)[0] = getattr(bodies, name)[other]
        for e in (other, other if route_of is None else route_of):
            for run in range(size) if bodies.courses else ():
                if e * size + run in bodies.courses:
                    walker.courses[run] = bodies.courses[e * size + run]
        walker.shift(np.arange(size), ds)
        return walker.road[0], walker.lane[0], walker.s_m[0]

    def _relative(self, position: RelativeObjectPosition | RelativeWorldPosition) -> Spot:
        bodies, other = self.bodies, self.bodies.index(position.entity)
        dx, dy, dz = (self._number(v) for v in (position.dx, position.dy, position.dz))
        heading = bodies.heading_rad[other]
        if isinstance(position, RelativeObjectPosition):
            cos, sin = np.cos(heading), np.sin(heading)
            dx, dy = dx * cos - dy * sin, dx * sin + dy * cos
        turned = heading
        if position.orientation is not None:
            angle = self._number(position.orientation.heading)
            turned = heading + angle if position.orientation.relative else angle
        spot = self._free(bodies.x_m[other] + dx, bodies.y_m[other] + dy, turned, True)
        if bodies.tables is None or bodies.tables.flat.all():
            spot = replace(spot, z_m=bodies.z_m[other] + dz)
        return spot

    # --- Routes ---

    def route(self, route: Route) -> "RoadRoute":
        """A route as roads. ValueError where no roads join its waypoints, Mixed where they differ by run."""
        if id(route) not in self._routes:
            self._routes[id(route)] = (route, self._resolve(route))
        return self._routes[id(route)][1]

    def course(self, entity: int, runs: Ints, route: "RoadRoute") -> None:
        """Let an entity follow a route in some runs, from wherever on it it is."""
        for run in runs:
            self.bodies.courses[entity * self.bodies.shape[1] + int(run)] = route.course

    def course_to(self, entity: int, position: Position, runs: Ints) -> None:
        """Let an entity head for a position in some runs."""
        bodies, spot = self.bodies, self.spot(position)
        assert self.paths is not None
        size = bodies.shape[1]
        bodies.find(runs + entity * size)
        for run in runs:
            road, lane = int(bodies.road[entity, run]), int(bodies.lane[entity, run])
            end = END if abs(float(bodies.turn_rad[entity, run])) <= 0.5 * math.pi else START
            path = self.paths.find(road, lane, end, int(spot.road[run]))
            if path is not None:
                bodies.courses[entity * size + int(run)] = Course([(road, end), *path.roads])

    def _resolve(self, route: Route) -> "RoadRoute":
        if not route.waypoints:
            raise ValueError(f"route {route.name!r} has no waypoints; give at least two")
        atlas = self.bodies.atlas
        if atlas is not None and (atlas.map_of != atlas.map_of[0]).any():
            raise Mixed(atlas.parameters)
        spots = [self.spot(waypoint) for waypoint in route.waypoints]
        for spot in spots:
            if (spot.road != spot.road[0]).any() or (spot.lane != spot.lane[0]).any():
                raise Mixed(frozenset(self.draw.values))
        tables = self._tables(None)
        assert self.paths is not None
        roads: list[tuple[int, int]] = []
        for here, there in pairwise(spots):
            road, lane, target = int(here.road[0]), int(here.lane[0]), int(there.road[0])
            if not roads:
                roads.append((road, END if abs(float(here.turn_rad[0])) <= 0.5 * math.pi else START))
            if road == target:
                continue
            end = roads[-1][1] if len(roads) == 1 else 1 - roads[-1][1]
            path = self.paths.find(road, lane, end, target)
            if path is None and len(roads) == 1:
                path = self.paths.find(road, lane, 1 - end, target)
                roads[0] = (road, 1 - end)
            if path is None:
                names = tables.roads[road].id, tables.roads[target].id
                raise ValueError(
                    f"route {route.name!r}: no way leads from road {names[0]!r} to road {names[1]!r}; correct it"
                )
            roads.extend(path.roads)
        return RoadRoute(Course(roads), tuple(roads), spots[0].s_m, tables)

    def _on_route(self, position: RoutePosition) -> Spot:
        if position.s is None:
            where = None if position.entity is None else position.entity.where
            raise ValueError(f"{where}: a position on a route by entity is not supported; give its pathS")
        route = self.route(position.route)
        tables = self._tables(position.s.where)
        road, s, forward = route.at(self._number(position.s))
        if position.lane is not None:
            lane = self._whole(position.lane)
            offset = np.zeros_like(s) if position.lane_offset is None else self._number(position.lane_offset)
            place = tables.lane(road, lane, s)
            if not place.valid.all():
                i = int(np.flatnonzero(~place.valid)[0])
                raise ValueError(
                    f"{position.lane.where}: road {tables.roads[road[i]].id!r} has no lane {lane[i]} at s={s[i]:g}; "
                    "name one that it has there"
                )
            backwards = tables.right_hand[road] == (lane > 0)
            return self._posed(
                road, lane, s, place.t_m + offset, offset, position.orientation, np.where(backwards, math.pi, 0.0)
            )
        t = np.zeros_like(s) if position.t is None else self._number(position.t)
        lane = tables.lane_at(road, s, t)
        offset = t - tables.lane(road, lane, s).t_m
        return self._posed(road, lane, s, t, offset, position.orientation, np.where(forward, 0.0, math.pi))

    # --- Trajectories ---

    def curve(self, trajectory: Trajectory, start: Spot | None = None) -> Curve:
        """A trajectory in the world. `start` is where one begins that has no start of its own."""
        known = self._curves.get(id(trajectory))
        if known is not None:
            return known[1]
        curve = self._curve(trajectory, start)
        if start is None and not any(_moves(p) for p in _anchors(trajectory)):
            self._curves[id(trajectory)] = (trajectory, curve)
        return curve

    def _curve(self, trajectory: Trajectory, start: Spot | None) -> Curve:
        shape = trajectory.shape
        if isinstance(shape, Polyline):
            spots = [self.spot(vertex.position) for vertex in shape.vertices]
            times = [None if v.time_s is None else self._number(v.time_s) for v in shape.vertices]
            return polyline(Vertices.of(spots, times), trajectory.closed)
        return spline(shape, self.draw, self.spot, start)

    def _on_trajectory(self, position: TrajectoryPosition) -> Spot:
        curve = self.curve(position.trajectory)
        s = self._number(position.s)
        at = curve.at(s)
        t = np.zeros_like(s) if position.t is None else self._number(position.t)
        heading, given = at.heading_rad, True
        if position.orientation is not None:
            angle = self._number(position.orientation.heading)
            heading = heading + angle if position.orientation.relative else angle
            given = not position.orientation.relative
        x, y = at.x_m - t * np.sin(at.heading_rad), at.y_m + t * np.cos(at.heading_rad)
        spot = self._free(x, y, heading, True)
        return replace(spot, path_m=s, heading_given=given)

    # --- Values ---

    def _number(self, value: Value) -> Floats:
        return np.array(value.numbers(self.draw))

    def _whole(self, value: Value) -> Ints:
        numbers = value.numbers(self.draw)
        if (numbers != np.round(numbers)).any():
            bad = numbers[numbers != np.round(numbers)][0]
            raise ValueError(f"{value.where}: {value.source!r} is {bad:g}; a whole number is needed")
        return numbers.astype(np.int64)

    def _road(self, value: Value) -> Ints:
        tables = self._tables(value.where)
        texts = value.texts(self.draw)
        road = np.array(
            [tables.road(int(on), str(text)) for on, text in zip(self.bodies.map_of, texts)], dtype=np.int64
        )
        if (road < 0).any():
            unknown = min(str(text) for text in texts[road < 0])
            raise ValueError(f"{value.where}: there is no road {unknown!r} in the map; name one of its roads")
        return road

    def _tables(self, where: Where | None) -> RoadTables:
        if self.bodies.tables is None:
            raise ValueError(f"{where}: a position on a road needs a map; name its file in the <RoadNetwork>")
        return self.bodies.tables


class RoadRoute:
    """A route's roads and how far along it they begin, from its first waypoint on."""

    def __init__(
        self, course: Course, roads: tuple[tuple[int, int], ...], first_s_m: Floats, tables: RoadTables
    ) -> None:
        self.course, self.tables = course, tables
        self._road = np.array([road for road, _ in roads], dtype=np.int64)
        # The first road is known by the end where it is left, the others by that where they are entered.
        self._forward = np.array([end == (END if i == 0 else START) for i, (_, end) in enumerate(roads)])
        length = tables.length_m[self._road][:, None] * np.ones_like(first_s_m)
        length[0] = length[0] - first_s_m if self._forward[0] else first_s_m
        self._end = np.cumsum(length, axis=0)  # (roads, B)

    def at(self, path_m: Floats) -> tuple[Ints, Floats, np.ndarray]:
        """Road, s and whether the route follows s, each (B,), at path lengths (B,)."""
        leg = np.minimum((path_m >= self._end).sum(axis=0), len(self._road) - 1)
        left = self._end[leg, np.arange(len(leg))] - path_m
        road, forward = self._road[leg], self._forward[leg]
        s = np.where(forward, self.tables.length_m[road] - left, left)
        return road, np.clip(s, 0.0, self.tables.length_m[road]), forward


def _beside(lane: Ints, by: Ints) -> Ints:
    """Lane ids that lie `by` to the left along s; there is no lane 0."""
    found = lane + by
    crossed = (found == 0) | (np.sign(found) != np.sign(lane))
    return np.where((by != 0) & crossed, found + np.sign(by), found)


def _moves(position: Position) -> bool:
    """Whether a position depends on where entities are."""
    if isinstance(position, TrajectoryPosition):
        return any(_moves(p) for p in _anchors(position.trajectory))
    return isinstance(
        position, (RelativeLanePosition, RelativeObjectPosition, RelativeRoadPosition, RelativeWorldPosition)
    )


def _anchors(trajectory: Trajectory) -> tuple[Position, ...]:
    """The positions that place a trajectory."""
    shape = trajectory.shape
    if isinstance(shape, Polyline):
        return tuple(vertex.position for vertex in shape.vertices)
    if isinstance(shape, ClothoidSpline):
        return tuple(segment.start for segment in shape.segments if segment.start is not None)
    return (shape.start,)
