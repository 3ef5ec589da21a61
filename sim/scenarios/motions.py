"""The entities of a batch of runs as arrays: where they are, how fast, and how they move along roads.

Arrays are (E, B), entities first, so that one entity's runs lie together; `rows` are flat indices e * B + b into them.
A body on a road is where its road, lane, s and offset say; `turn_rad` is its heading less the lane's along s. A body
moved in the world by itself is `loose` until somebody asks for its place on the road.
Moving along a lane: a distance is turned into ds by the curvature of the reference line and the body's distance from
it at the start of the tick, and the offset from the lane's centre stays.
"""

import math
from collections.abc import Sequence

import numpy as np

from sim.roads.geometry import Floats, wrap_rad
from sim.scenarios.entities import Axle, Entity
from sim.scenarios.road_tables import END, START, Atlas, Bools, Ints, RoadTables, Way
from sim.scenarios.values import Draw, Value

SMALL = 1e-6
_MAX_LINKS = 8  # roads crossed in one tick at most
_STILL_MPS = 1e-3
_DEFAULT_LIMITS = {"vehicle": (100.0, 10.0, 10.0)}  # speed, acceleration, deceleration where a file gives none
_NO_LIMITS = (math.inf, math.inf, math.inf)
_FLOATS = (
    "curvature_1pm", "x_m", "y_m", "z_m", "heading_rad", "pitch_rad", "roll_rad", "turn_rad", "s_m", "offset_m", "t_m",
    "speed_mps", "accel_mps2", "vx_mps", "vy_mps", "ax_mps2", "ay_mps2", "travelled_m",
    "_old_x", "_old_y", "_old_vx", "_old_vy", "_old_speed", "stood_since_s", "ended_since_s", "off_since_s",
)  # fmt: skip
_BOOLS = (
    "valid", "standing", "at_end", "ended", "off_road", "moved", "loose", "jumped", "lateral_taken", "speed_taken",
)  # fmt: skip


class Bodies:
    """All bodies of a batch. Raises ValueError for sizes that are none."""

    def __init__(
        self, entities: Sequence[Entity], draw: Draw, tables: RoadTables | None, atlas: Atlas | None = None
    ) -> None:
        """`atlas` has the networks of the tables where there are several."""
        self.entities, self.draw, self.tables, self.atlas = tuple(entities), draw, tables, atlas
        self.map_of = np.zeros(draw.size, dtype=np.int64) if atlas is None else atlas.map_of
        self.names = tuple(entity.name for entity in entities)
        self.shape = (len(entities), draw.size)
        for name in _FLOATS:
            setattr(self, name, np.zeros(self.shape))
        for name in _BOOLS:
            setattr(self, name, np.zeros(self.shape, dtype=bool))
        self.valid[:] = True
        self.road, self.lane = np.full(self.shape, -1, dtype=np.int64), np.zeros(self.shape, dtype=np.int64)
        self.length_m, self.width_m, self.height_m = (self._column(key) for key in ("length", "width", "height"))
        self.centre_x_m, self.centre_y_m = (self._column(key) for key in ("center_x", "center_y"))
        self.centre_z_m = self._column("center_z")
        limits = [[self._limit(e, i) for e in entities] for i in range(3)]
        self.max_speed_mps, self.max_accel_mps2, self.max_decel_mps2 = (np.stack(column) for column in limits)
        self.wheelbase_m = np.stack([self._wheelbase(entity) for entity in entities])
        self.courses: dict[int, Course] = {}  # by row: routes being followed
        self.watch_edges = False  # somebody asks who is off the road
        self.clock_s = 0.0

    curvature_1pm: Floats  # of the reference line, where they are on it
    x_m: Floats
    y_m: Floats
    z_m: Floats
    heading_rad: Floats
    pitch_rad: Floats
    roll_rad: Floats
    turn_rad: Floats
    s_m: Floats
    offset_m: Floats
    t_m: Floats
    speed_mps: Floats
    accel_mps2: Floats
    vx_mps: Floats
    vy_mps: Floats
    ax_mps2: Floats
    ay_mps2: Floats
    travelled_m: Floats
    _old_x: Floats
    _old_y: Floats
    _old_vx: Floats
    _old_vy: Floats
    _old_speed: Floats
    stood_since_s: Floats
    ended_since_s: Floats
    off_since_s: Floats
    valid: Bools
    standing: Bools
    at_end: Bools
    ended: Bools  # the same as of the last tick, which is what conditions see
    off_road: Bools
    moved: Bools  # in this tick, by an action or a driver
    loose: Bools
    jumped: Bools  # put elsewhere in this tick
    lateral_taken: Bools  # a driver decides over its domain
    speed_taken: Bools

    def index(self, value: Value) -> int:
        """The entity that a reference means. ValueError where there is none of the name."""
        name = value.text(self.draw)
        if name not in self.names:
            raise ValueError(f"{value.where}: there is no entity {name!r}; there are {', '.join(self.names)}")
        return self.names.index(name)

    def rows(self, entity: int, runs: Bools) -> Ints:
        """Rows of one entity in the runs (B,) of a mask."""
        return np.flatnonzero(runs) + entity * self.shape[1]

    # --- Moving ---

    def advance(self, rows: Ints, distance_m: Floats, measured: bool = True) -> None:
        """Move bodies along their roads by distances (n,), negative backwards of their heading.

        `measured`: by that distance over ground, else by that much of s.
        """
        if self.tables is None:
            self._straight(rows, distance_m)
            return
        self.find(rows)
        loose = self.road.ravel()[rows] < 0
        if loose.any():
            self._straight(rows[loose], distance_m[loose])
            rows, distance_m = rows[~loose], distance_m[~loose]
        ahead = np.where(np.abs(self.turn_rad.ravel()[rows]) <= 0.5 * math.pi, 1.0, -1.0)
        ds = (self.along(rows, distance_m) if measured else distance_m) * ahead
        self.shift(rows, ds)

    def along(self, rows: Ints, distance_m: Floats) -> Floats:
        """The change of s (n,) that makes bodies move by distances (n,) over ground."""
        stretch = 1.0 - self.curvature_1pm.ravel()[rows] * self.t_m.ravel()[rows]
        return distance_m / np.where(stretch > SMALL, stretch, 1.0)

    def shift(self, rows: Ints, ds_m: Floats) -> None:
        """Move bodies that are on roads by ds (n,), over joints too; they stop where their road ends."""
        tables = self.tables
        assert tables is not None
        road, s = self.road.ravel()[rows], self.s_m.ravel()[rows]
        after = s + ds_m
        length = tables.length_m[road]
        inside = np.minimum(np.maximum(after, 0.0), length)
        self.at_end.ravel()[rows] = False
        if tables.sectioned:
            self.lane.ravel()[rows] = tables.carried(road, self.lane.ravel()[rows], s, inside)
        self.s_m.ravel()[rows] = inside
        for i in np.flatnonzero(inside != after):
            self._cross(int(rows[i]), float(after[i] - length[i] if after[i] > length[i] else after[i]))
        self._at_loose_end(rows)
        self.settle(rows, keep=False)

    def settle(self, rows: Ints, keep: bool = True) -> None:
        """Work out world poses from road, lane, s, offset and turn.

        Unless told to `keep` it, who is in a lane that has narrowed to nothing goes on in the middle of the nearest.
        """
        tables = self.tables
        assert tables is not None
        road, lane, s = self.road.ravel()[rows], self.lane.ravel()[rows], self.s_m.ravel()[rows]
        line, place = tables.place(road, lane, s)
        offset, turn = self.offset_m.ravel()[rows], self.turn_rad.ravel()[rows]
        t = place.t_m + offset
        gone = (place.width_m < SMALL) & (lane != 0)
        if not keep and gone.any() and self._leave(rows[gone], t[gone]):
            self.settle(rows)
            return
        x, y, z, heading, pitch, roll = tables.pose_beside(road, s, t, line)
        if tables.hilly:
            pitch, roll = _turned(pitch, roll, turn)
        columns = (t, x, y, z, wrap_rad(heading + np.arctan(place.slope) + turn), pitch, roll, line[3])
        names = ("t_m", "x_m", "y_m", "z_m", "heading_rad", "pitch_rad", "roll_rad", "curvature_1pm")
        for name, column in zip(names, columns):
            getattr(self, name).ravel()[rows] = column
        self.loose.ravel()[rows] = False

    def _leave(self, rows: Ints, t: Floats) -> bool:
        """Put bodies whose lane has vanished into the middle of the lanes nearest to t; whether there were any."""
        assert self.tables is not None
        lane = self.lane.ravel()[rows]
        found = self.tables.lane_at(self.road.ravel()[rows], self.s_m.ravel()[rows], t)
        moved = found != lane
        self.lane.ravel()[rows[moved]], self.offset_m.ravel()[rows[moved]] = found[moved], 0.0
        return bool(moved.any())

    def find(self, rows: Ints) -> None:
        """Find the places on roads of bodies that were moved in the world."""
        if self.tables is None or not self.loose.any():
            return
        rows = rows[self.loose.ravel()[rows]]
        if len(rows):
            self.snap(rows)

    def snap(self, rows: Ints) -> None:
        """Find road, lane, s and offset of bodies from where they are, keeping where they are and their heading."""
        tables = self.tables
        assert tables is not None
        x, y = self.x_m.ravel()[rows], self.y_m.ravel()[rows]
        on = self.map_of[rows % self.shape[1]]
        road, s, t = locate(tables, x, y, on, self.road.ravel()[rows], self.s_m.ravel()[rows])
        lane = tables.lane_at(road, s, t)
        line, place = tables.place(road, lane, s)
        turn = wrap_rad(self.heading_rad.ravel()[rows] - line[2] - np.arctan(place.slope))
        names = ("road", "lane", "s_m", "t_m", "offset_m", "turn_rad", "curvature_1pm")
        for name, column in zip(names, (road, lane, s, t, t - place.t_m, turn, line[3])):
            getattr(self, name).ravel()[rows] = column
        self.loose.ravel()[rows] = False

    def lift(self, rows: Ints) -> None:
        """Stand bodies that are found on the surface of their roads, where they are."""
        tables = self.tables
        assert tables is not None
        pose = tables.pose(self.road.ravel()[rows], self.s_m.ravel()[rows], self.t_m.ravel()[rows])
        pitch, roll = _turned(pose[4], pose[5], self.heading_rad.ravel()[rows] - pose[3])
        for name, column in (("z_m", pose[2]), ("pitch_rad", pitch), ("roll_rad", roll)):
            getattr(self, name).ravel()[rows] = column

    def attach(self, rows: Ints) -> None:
        """Let bodies belong to the lane that they are in, where they are."""
        tables = self.tables
        assert tables is not None
        road, old = self.road.ravel()[rows], self.lane.ravel()[rows]
        s, t, turn = self.s_m.ravel()[rows], self.t_m.ravel()[rows], self.turn_rad.ravel()[rows]
        lane = tables.lane_at(road, s, t)
        before, place = tables.lane(road, old, s), tables.lane(road, lane, s)
        self.lane.ravel()[rows], self.offset_m.ravel()[rows] = lane, t - place.t_m
        self.turn_rad.ravel()[rows] = wrap_rad(turn + np.arctan(before.slope) - np.arctan(place.slope))

    def _straight(self, rows: Ints, distance_m: Floats) -> None:
        heading = self.heading_rad.ravel()[rows]
        self.x_m.ravel()[rows] += distance_m * np.cos(heading)
        self.y_m.ravel()[rows] += distance_m * np.sin(heading)

    def _cross(self, row: int, rest_m: float) -> None:
        """Go on beyond the end of a road by what is left of ds, negative below its start."""
        tables = self.tables
        assert tables is not None
        road, lane, offset, turn = (a.ravel()[row] for a in (self.road, self.lane, self.offset_m, self.turn_rad))
        end = END if rest_m > 0.0 else START
        rest = abs(rest_m)
        for _ in range(_MAX_LINKS):
            way = self._choose(row, int(road), int(lane), end, float(turn))
            if way is None:
                s, self.at_end.ravel()[row] = (tables.length_m[road] if end == END else 0.0), True
                break
            if way.end == end:  # heads on: the new road's s runs the other way
                offset, turn = -offset, float(wrap_rad(np.array(turn + math.pi)))
            road, length = way.road, float(tables.length_m[way.road])
            start = 0.0 if way.end == START else length
            s = rest if way.end == START else length - rest
            inside = min(max(s, 0.0), length)
            lane = tables.carried(*(np.array([v]) for v in (road, way.lane, start, inside)))[0]
            if 0.0 <= s <= length:
                break
            end, rest, s = (END, s - length, length) if s > length else (START, -s, 0.0)
        for name, value in (("road", road), ("lane", lane), ("s_m", s), ("offset_m", offset), ("turn_rad", turn)):
            getattr(self, name).ravel()[row] = value

    def _choose(self, row: int, road: int, lane: int, end: int, turn: float) -> Way | None:
        """How a body goes on at a road's end: as its route says, else the way that turns least; None: not at all."""
        tables = self.tables
        assert tables is not None
        ways = tables.ways(road, lane, end)
        if row in self.courses:
            ways = self.courses[row].among(tables, road, end, ways)
        if len(ways) <= 1:
            return ways[0] if ways else None
        return min(ways, key=lambda way: abs(bend(tables, road, end, way)))

    def _at_loose_end(self, rows: Ints) -> None:
        """Whoever stands at the very end of a road that leads nowhere is at its end."""
        assert self.tables is not None
        road, s = self.road.ravel()[rows], self.s_m.ravel()[rows]
        for end, near in ((START, s < SMALL), (END, s > self.tables.length_m[road] - SMALL)):
            for i in np.flatnonzero(near):
                here = self.tables.roads[road[i]]
                if (here.predecessor if end == START else here.successor) is None:
                    self.at_end.ravel()[rows[i]] = True

    # --- Ticks ---

    def begin_tick(self) -> None:
        """Forget what this tick's actions will say."""
        self.moved[:], self.jumped[:] = False, False
        for old, now in (("_old_x", "x_m"), ("_old_y", "y_m"), ("_old_vx", "vx_mps"), ("_old_vy", "vy_mps")):
            getattr(self, old)[:] = getattr(self, now)
        self._old_speed = self.speed_mps.copy()

    def end_tick(self, live: Bools, clock_s: float, dt_s: float) -> None:
        """Work out velocities, ways travelled and how long bodies have stood, left the road or come to its end."""
        self.clock_s = clock_s
        if dt_s > 0.0:
            dx, dy = self.x_m - self._old_x, self.y_m - self._old_y
            cos, sin = np.cos(self.heading_rad), np.sin(self.heading_rad)
            vx = np.where(self.jumped, self.speed_mps * cos, dx / dt_s)
            vy = np.where(self.jumped, self.speed_mps * sin, dy / dt_s)
            self.vx_mps, self.vy_mps = np.where(live, vx, self.vx_mps), np.where(live, vy, self.vy_mps)
            self.ax_mps2 = np.where(live, (self.vx_mps - self._old_vx) / dt_s, self.ax_mps2)
            self.ay_mps2 = np.where(live, (self.vy_mps - self._old_vy) / dt_s, self.ay_mps2)
            self.accel_mps2 = np.where(live, (self.speed_mps - self._old_speed) / dt_s, self.accel_mps2)
            self.travelled_m = self.travelled_m + np.where(live & ~self.jumped, np.hypot(dx, dy), 0.0)
        else:
            self.vx_mps = self.speed_mps * np.cos(self.heading_rad)
            self.vy_mps = self.speed_mps * np.sin(self.heading_rad)
        self._since("standing", "stood_since_s", np.abs(self.speed_mps) < _STILL_MPS)
        self._since("at_end", "ended_since_s", self.at_end)
        self.ended = self.at_end.copy()
        if self.watch_edges and self.tables is not None:
            self._since("off_road", "off_since_s", self._beside_road())

    def _since(self, flag: str, since: str, now: Bools) -> None:
        """Note when a state began, and keep it while it lasts; what is so at time 0 counts from the first tick."""
        began = getattr(self, since)
        fresh = now & ~(getattr(self, "_was_" + flag, np.zeros(self.shape, dtype=bool)))
        began[fresh] = self.clock_s
        setattr(self, flag, now)
        setattr(self, "_was_" + flag, now & (self.clock_s > 0.0))

    def _beside_road(self) -> Bools:
        assert self.tables is not None
        rows = np.arange(self.road.size)
        self.find(rows)
        on = np.flatnonzero(self.road.ravel() >= 0)
        right, left = self.tables.edges(self.road.ravel()[on], self.s_m.ravel()[on])
        t, beside = self.t_m.ravel()[on], np.zeros(self.road.size, dtype=bool)
        beside[on] = (t < right) | (t > left)
        return beside.reshape(self.shape)

    # --- Sizes ---

    def _column(self, key: str) -> Floats:
        return np.stack([getattr(entity, key).numbers(self.draw) for entity in self.entities])

    def _limit(self, entity: Entity, which: int) -> Floats:
        value = (entity.max_speed, entity.max_acceleration, entity.max_deceleration)[which]
        if value is None:
            return np.full(self.draw.size, _DEFAULT_LIMITS.get(entity.kind, _NO_LIMITS)[which])
        return value.numbers(self.draw)

    def _wheelbase(self, entity: Entity) -> Floats:
        def at(axle: Axle | None) -> Floats:
            return np.zeros(self.draw.size) if axle is None else axle.x.numbers(self.draw)

        return at(entity.front_axle) - at(entity.rear_axle)


class Course:
    """A route as the roads it takes, in order, each with the end where it is entered (the first: where it is left)."""

    def __init__(self, roads: Sequence[tuple[int, int]]) -> None:
        self.roads = tuple(roads)
        self._entered = {(road, end) for road, end in roads[1:]}
        self._all = {road for road, _ in roads}

    def among(self, tables: RoadTables, road: int, end: int, ways: tuple[Way, ...]) -> tuple[Way, ...]:
        """Those of the ways that stay on the route: onto one of its roads, or through a junction to one; else all."""
        direct = tuple(way for way in ways if way.road in self._all and (way.road, way.end) in self._entered)
        if direct:
            return direct
        through = tuple(way for way in ways if _leads_to(tables, way, self._all - {road}))
        return through or ways


def _leads_to(tables: RoadTables, way: Way, roads: set[int]) -> bool:
    far = START if way.end == END else END
    link = tables.roads[way.road].successor if far == END else tables.roads[way.road].predecessor
    return link is not None and link.element == "road" and tables.linked(way.road, link.id) in roads


def bend(tables: RoadTables, road: int, end: int, way: Way) -> float:
    """How far (rad, left positive) a way turns from the end of one road to the far end of the next."""
    length = tables.length_m
    s = np.array([length[road] if end == END else 0.0, 0.0 if way.end == END else length[way.road]])
    _, _, heading, _ = tables.line(np.array([road, way.road]), s)
    out = heading[0] + (0.0 if end == END else math.pi)
    into = heading[1] + (0.0 if way.end == START else math.pi)
    return float(wrap_rad(np.array(into - out)))


def locate(
    tables: RoadTables, x: Floats, y: Floats, map_of: Ints, road: Ints, s: Floats
) -> tuple[Ints, Floats, Floats]:
    """Road, s and t of points (n,), each on its network (n,).

    On the road (n,) of before (-1: none) if they are still there, else anywhere.
    """
    s, t = s.copy(), np.zeros_like(x)
    known = np.flatnonzero(road >= 0)
    fits = np.zeros(len(x), dtype=bool)
    if len(known):
        on, at = road[known], s[known]
        for _ in range(4):
            px, py, heading, curvature = tables.line(on, at)
            dx, dy, cos, sin = x[known] - px, y[known] - py, np.cos(heading), np.sin(heading)
            ahead, beside = dx * cos + dy * sin, dy * cos - dx * sin
            stretch = 1.0 - curvature * beside
            at = np.clip(at + ahead / np.where(stretch > 0.05, stretch, 0.05), 0.0, tables.length_m[on])
        px, py, heading, _ = tables.line(on, at)
        dx, dy, cos, sin = x[known] - px, y[known] - py, np.cos(heading), np.sin(heading)
        ahead, beside = dx * cos + dy * sin, dy * cos - dx * sin
        right, left = tables.edges(on, at)
        fits[known] = (np.abs(ahead) < 1e-3) & (beside > right - 2.0) & (beside < left + 2.0)
        s[known], t[known] = at, beside
    lost = np.flatnonzero(~fits)
    if len(lost):
        road = road.copy()
        road[lost], s[lost], t[lost] = tables.find(np.column_stack((x[lost], y[lost])), map_of[lost])
    return road, s, t


def _turned(pitch: Floats, roll: Floats, turn: Floats) -> tuple[Floats, Floats]:
    """Pitch and roll of a surface as seen by who is turned on it by angles (n,)."""
    ahead, left = -np.tan(pitch), np.tan(roll) / np.cos(pitch)
    along, across = ahead * np.cos(turn) + left * np.sin(turn), left * np.cos(turn) - ahead * np.sin(turn)
    new_pitch = -np.arctan(along)
    return new_pitch, np.arctan(across * np.cos(new_pitch))
