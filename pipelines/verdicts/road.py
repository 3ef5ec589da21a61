"""What the road says about a drive: lanes under the ego, its route, the surface's edge, lights and stop signs passed.

All facts follow from the trace and the lane graph that the simulator drives on. Places are looked up in the graph's own
grid: a point is in a lane where it lies between two cross-sections of it, within its width. NumPy throughout.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipelines.verdicts.trace import EGO, Trace, box_centre_world_m, heading
from sim.types import LaneControl, LaneGraph, SignalPhase

STOREY_M = 3.0  # lanes so much above or below the ego are not under it
EDGE_TOLERANCE_M = 0.1  # the edge map's own accuracy
ALONG_COS = 0.5  # lanes within 60 degrees of the heading lead the same way
STOP_MPS = 0.1  # as slow as this counts as having stopped at a sign
STOP_ZONE_M = 4.0  # before the stop line
OFF_MAP_M = 8.0  # beyond the edge map, and as far as it tells

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
CORNERS = ((1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0))


@dataclass(frozen=True)
class Road:
    """The road of B runs; T ticks as in their trace."""

    lanes: LaneGraph
    map_index: Tensor  # (B,)
    ego_z_world_m: Tensor  # (B, T) tells bridges from what lies below
    route: tuple[tuple[int, ...], ...] | None = None  # lanes of each run's route; None: where it should go is not said
    route_length_m: Tensor | None = None  # (B,) there exactly where the route is
    signal_phase: Tensor | None = None  # (B, T, G) SignalPhase; None: no light shines
    no_route: str = "nobody says where it should go: no route to complete"


@dataclass(frozen=True)
class DriveFacts:
    """What the road says about each tick of the ego, float64; nothing is said of ticks without one."""

    off_drivable_m: Tensor  # (B, T) how far its outermost corner is off the drivable area; 0 or less inside
    along_m: Tensor  # (B, T) driven within the tick along the lane, the route's where there is one; negative against it
    against_m: Tensor  # (B, T) driven within the tick against the direction of the lane it is in
    off_route_m: Tensor  # (B, T) driven within the tick in no lane of the route and no junction
    off_lane: Tensor  # (B, T) bool: in lanes that do not follow one another, or off the drivable area
    in_junction: Tensor  # (B, T) bool
    speed_limit_mps: Tensor  # (B, T) of the last lane it was in
    deviation_m: Tensor  # (B, T) from the nearest centre line, of the route where there is one; `inf` beyond its lanes
    red_lights: Tensor  # (B,) junctions entered, and stop lines elsewhere passed, while their light was red
    stop_signs: Tensor  # (B,) junctions entered without having stopped at their sign
    on_lanes: Tensor  # (B,) bool: it was on or beside some lane at some tick


@dataclass(frozen=True)
class _Near:
    """Pairs of points and lanes beside them, each (m,)."""

    point: Ints  # ascending
    lane: Ints
    s_m: Floats
    lateral_m: Floats  # left of its centre
    yaw_rad: Floats
    inside: Bools

    def take(self, mask: Bools | Ints) -> "_Near":
        return _Near(*(column[mask] for column in vars(self).values()))


class _Lanes:
    """A lane graph in arrays of the host."""

    def __init__(self, graph: LaneGraph) -> None:
        self._arrays: dict[str, NDArray] = {
            name: value.cpu().numpy() for name, value in vars(graph).items() if isinstance(value, Tensor)
        }
        self.cell_m, self.edge_cell_m = graph.grid_cell_m, graph.edge_cell_m

    def __getitem__(self, name: str) -> NDArray:
        return self._arrays[name]

    def near(self, map_index: Ints, xy: Floats, z: Floats) -> _Near:
        """The lanes that points (n, 2) at heights z (n,) are in or up to 2 m beside."""
        cell = np.floor((xy - self["grid_origin_world_m"][map_index]) / self.cell_m).astype(np.int64)
        shape = self["grid_shape"][map_index]
        there = ((cell >= 0) & (cell < shape)).all(axis=1)
        row = self["grid_first"][map_index] + cell[:, 1] * shape[:, 0] + cell[:, 0]
        row = np.where(there, row, 0)
        first = self["cell_first"][row].astype(np.int64)
        point, entry = _ragged(first, np.where(there, self["cell_first"][row + 1] - first, 0))
        sample = self["cell_sample"][entry]
        lane = self["sample_lane"][sample]
        yaw, step = self["yaw_world_rad"][sample].astype(np.float64), self["step_m"][lane]
        off = xy[point] - self["xy_world_m"][sample]
        cos, sin = np.cos(yaw), np.sin(yaw)
        along, lateral = off[:, 0] * cos + off[:, 1] * sin, off[:, 1] * cos - off[:, 0] * sin
        # Between the cross-sections half a step before and behind, which open out to the outside of a bend.
        stretch = np.maximum(1.0 - self["curvature_1pm"][sample] * lateral, 0.3)
        kept = np.abs(along) <= 0.5 * step * stretch + 0.02
        kept &= np.abs(z[point] - self["z_world_m"][sample]) < STOREY_M
        s = (sample - self["sample_first"][lane]) * step + along
        inside = np.abs(lateral) <= 0.5 * self["width_m"][sample]
        return _Near(point, lane.astype(np.int64), s.astype(np.float64), lateral, yaw, inside).take(kept)

    def edge_m(self, map_index: Ints, xy: Floats) -> Floats:
        """Signed distance (n,) of points (n, 2) to the edge of the drivable surface, inside positive, bilinear."""
        at = (xy - self["edge_origin_world_m"][map_index]) / self.edge_cell_m
        shape = self["edge_shape"][map_index].astype(np.int64)
        low = np.floor(at).astype(np.int64)
        there = ((low >= 0) & (low + 1 < shape)).all(axis=1)
        fx, fy = (at - low).T
        first = np.where(there, self["edge_first"][map_index] + low[:, 1] * shape[:, 0] + low[:, 0], 0)
        up = np.where(there, first + shape[:, 0], 0)
        table, last = self["edge_distance_m"], len(self["edge_distance_m"]) - 1
        bottom, top = (
            table[row] * (1 - fx) + table[np.minimum(row + 1, last)] * fx for row in (first, np.minimum(up, last))
        )
        return np.where(there, bottom * (1 - fy) + top * fy, -OFF_MAP_M)


def drive_facts(trace: Trace, road: Road) -> DriveFacts:
    """The facts of every run. ValueError where the road is not one of as many runs and ticks."""
    if road.ego_z_world_m.shape != trace.speed_mps.shape[:2]:
        raise ValueError(f"road: heights of {tuple(road.ego_z_world_m.shape)} runs and ticks, not those of the trace")
    return _Facts(trace, road).all()


class _Facts:
    """The ego's places in a flat row of ticks (B x T), and what the lanes say about them."""

    def __init__(self, trace: Trace, road: Road) -> None:
        self.trace, self.road = trace, road
        self.lanes = _Lanes(road.lanes)
        self.runs, self.ticks = trace.runs, trace.ticks
        self.valid = trace.valid[:, :, EGO].numpy().ravel()
        self.map = np.repeat(road.map_index.numpy().astype(np.int64), self.ticks)
        self.run = np.repeat(np.arange(self.runs), self.ticks)
        self.z = road.ego_z_world_m.numpy().astype(np.float64).ravel()
        self.yaw = trace.yaw_world_rad[:, :, EGO].numpy().ravel()
        self.middle = box_centre_world_m(trace)[:, :, EGO]
        self.moved = self._moved()
        self.leads = None if road.route is None else _route_lanes(self.lanes, road.route)
        self.middles = self._near(self.middle)

    def all(self) -> DriveFacts:
        off_m, off_lane = self._corners()
        best = self._best(self.middles, self.leads)
        any_best = best if self.leads is None else self._best(self.middles, None)
        along, against = self._along(best), -np.minimum(self._along(any_best), 0.0)
        junction = self._any(self.middles.take(self.middles.inside & self._is("is_junction", self.middles)))
        on_route = self._any(self.middles.take(self.middles.inside & self._leads_on(self.middles)))
        outside = np.where(on_route | junction, 0.0, np.linalg.norm(self.moved, axis=1))
        reds, stops = self._passed()
        rows = {
            "off_drivable_m": off_m, "along_m": along, "against_m": against, "off_route_m": outside,
            "off_lane": off_lane, "in_junction": junction, "speed_limit_mps": self._limits(),
            "deviation_m": self._deviation(),
        }  # fmt: skip
        return DriveFacts(
            **{name: torch.from_numpy(row.reshape(self.runs, self.ticks)) for name, row in rows.items()},
            red_lights=torch.from_numpy(reds),
            stop_signs=torch.from_numpy(stops),
            on_lanes=torch.from_numpy(np.bincount(self.run[self.middles.point], minlength=self.runs) > 0),
        )

    # ---------------------------------------------------------------- places

    def _near(self, xy_world_m: Tensor) -> _Near:
        """Lanes near one point of the ego at each tick (B, T, 2)."""
        there = np.flatnonzero(self.valid)
        near = self.lanes.near(self.map[there], xy_world_m.numpy().reshape(-1, 2)[there], self.z[there])
        return _Near(there[near.point], *list(vars(near).values())[1:])

    def _moved(self) -> Floats:
        """How far the middle of the ego came within each tick (B x T, 2)."""
        moved = torch.zeros_like(self.middle)
        moved[:, 1:] = self.middle[:, 1:] - self.middle[:, :-1]
        return np.where(self.valid[:, None], moved.numpy().reshape(-1, 2), 0.0)

    def _is(self, name: str, near: _Near) -> NDArray:
        return self.lanes[name][near.lane]

    def _any(self, near: _Near) -> Bools:
        """Ticks that have such a pair."""
        return np.bincount(near.point, minlength=len(self.valid)) > 0

    def _turn_cos(self, near: _Near) -> Floats:
        return np.cos(near.yaw_rad - self.yaw[near.point])

    def _leads_on(self, near: _Near) -> Bools:
        """Which lanes are the route's or beside one of it; without a route those that lead the ego's way."""
        if self.leads is None:
            return self._turn_cos(near) > 0.0
        return self.leads[self.run[near.point], near.lane]

    # ---------------------------------------------------------------- lanes

    def _best(self, near: _Near, leads: Bools | None) -> _Near:
        """Of the lanes that each tick's middle is in the one along its heading; of `leads` (B, L) if given."""
        kept = near.inside if leads is None else near.inside & leads[self.run[near.point], near.lane]
        near = near.take(kept)
        order = np.lexsort((np.abs(near.lateral_m), -self._turn_cos(near).round(6), near.point))
        return near.take(order[_firsts(near.point[order])])

    def _along(self, best: _Near) -> Floats:
        along = np.zeros(len(self.valid))
        way = np.column_stack((np.cos(best.yaw_rad), np.sin(best.yaw_rad)))
        along[best.point] = (self.moved[best.point] * way).sum(axis=1)
        return along

    def _limits(self) -> Floats:
        """Limit of the lane at each tick, else of the last tick that had one, else of the first; 0 without any."""
        near = self.middles
        order = np.lexsort((-self._turn_cos(near), ~near.inside, near.point))
        best = near.take(order[_firsts(near.point[order])])
        limit, known = np.zeros(len(self.valid)), np.zeros((self.runs, self.ticks), dtype=bool)
        limit[best.point] = self._is("speed_limit_mps", best)
        known.ravel()[best.point] = True
        at = np.maximum.accumulate(np.where(known, np.arange(self.ticks), -1), axis=1)
        at = np.where(at < 0, known.argmax(axis=1)[:, None], at)
        return np.take_along_axis(limit.reshape(self.runs, self.ticks), at, axis=1).ravel()

    def _deviation(self) -> Floats:
        near = self.middles
        exact = None if self.road.route is None else _route_lanes(self.lanes, self.road.route, beside=False)
        kept = self._turn_cos(near) > 0.0 if exact is None else exact[self.run[near.point], near.lane]
        deviation = np.full(len(self.valid), np.inf)
        near = near.take(kept)
        np.minimum.at(deviation, near.point, np.abs(near.lateral_m))
        return deviation

    def _corners(self) -> tuple[Floats, Bools]:
        """How far the outermost corner is off the drivable area, and where the corners are in unconnected lanes."""
        half = 0.5 * self.trace.size_m[:, None, EGO, :2]
        ahead = heading(self.trace.yaw_world_rad[:, :, EGO])
        left = torch.stack((-ahead[..., 1], ahead[..., 0]), dim=-1)
        off, pairs = np.full(len(self.valid), -OFF_MAP_M), []
        for corner, (u, v) in enumerate(CORNERS):
            xy = self.middle + u * half[..., :1] * ahead + v * half[..., 1:] * left
            flat = np.where(self.valid[:, None], xy.numpy().reshape(-1, 2), 0.0)
            off = np.maximum(off, -self.lanes.edge_m(self.map, flat))
            near = self._near(xy)
            pairs.append((near.point[near.inside], near.lane[near.inside], corner))
        off = np.where(self.valid, off, 0.0)
        point = np.concatenate([p for p, _, _ in pairs])
        lane = np.concatenate([x for _, x, _ in pairs])
        corner = np.concatenate([np.full(len(p), c) for p, _, c in pairs])
        several = self._count(point, lane) > 1
        return off, (several & ~self._in_one_lane(point, lane, corner)) | (off > EDGE_TOLERANCE_M)

    def _in_one_lane(self, point: Ints, lane: Ints, corner: Ints) -> Bools:
        """Ticks at which one lane and those that follow it hold all four corners."""
        first = self.lanes["predecessor_first"][lane].astype(np.int64)
        row, entry = _ragged(first, self.lanes["predecessor_first"][lane + 1] - first)
        before = self.lanes["predecessor"][entry]
        rows = np.column_stack(
            [np.concatenate((column, column[row] if more is None else more)) for column, more in
             ((point, None), (lane, before), (corner, None))]
        )  # fmt: skip
        rows = np.unique(rows, axis=0)
        held, count = np.unique(rows[:, :2], axis=0, return_counts=True)
        whole = np.zeros(len(self.valid), dtype=bool)
        whole[held[count == len(CORNERS), 0]] = True
        return whole

    def _count(self, point: Ints, lane: Ints) -> Ints:
        """How many lanes hold a corner at each tick."""
        pairs = np.unique(np.column_stack((point, lane)), axis=0)
        return np.bincount(pairs[:, 0], minlength=len(self.valid))

    # ---------------------------------------------------------------- junctions

    def _passed(self) -> tuple[Ints, Ints]:
        """Red lights and stop signs (B,) that the ego passed: its front came over the start of a lane they rule."""
        front = self.middle + 0.5 * self.trace.size_m[:, None, EGO, :1] * heading(self.trace.yaw_world_rad[:, :, EGO])
        near = self._near(front)
        leads = self._turn_cos(near) > ALONG_COS
        if self.road.route is not None:
            leads &= _route_lanes(self.lanes, self.road.route, beside=False)[self.run[near.point], near.lane]
        near = near.take(near.inside & leads)
        halted = self._halts_passed(near)
        near = near.take(self._is("control", near) != LaneControl.NONE)
        entries = near.take(self._entering(near))
        control = self._is("control", entries)
        red = (control == LaneControl.LIGHT) & self._red(entries.point, self._is("signal_group", entries))
        rolled = (control == LaneControl.STOP) & ~self._stopped(entries)
        # Without a route lanes of one approach are entered at once: only what all of them forbid was forbidden.
        return self._junctions(entries, red) + halted, self._junctions(entries, rolled)

    def _entering(self, near: _Near) -> Bools:
        """Pairs whose lane the front was not in at the tick before, and in whose first metres it is now."""
        key = near.point * np.int64(len(self.lanes["length_m"])) + near.lane
        earlier = np.isin(key - len(self.lanes["length_m"]), key) | (near.point % self.ticks == 0)
        return ~earlier & (near.s_m <= 0.5 + 1.5 * np.linalg.norm(self.moved[near.point], axis=1))

    def _halts_passed(self, near: _Near) -> Ints:
        """Red lights away from junctions (B,) over whose lines the front came."""
        first = self.lanes["halt_first"][near.lane].astype(np.int64)
        row, halt = _ragged(first, self.lanes["halt_first"][near.lane + 1] - first)
        beyond_m, moved_m = near.s_m[row] - self.lanes["halt_m"][halt], np.linalg.norm(self.moved, axis=1)
        over = (beyond_m >= 0.0) & (beyond_m < moved_m[near.point[row]])
        over[over] = self._red(near.point[row[over]], self.lanes["halt_group"][halt[over]])
        ticks = np.bincount(near.point[row[over]], minlength=len(self.valid)) > 0
        return ticks.reshape(self.runs, self.ticks).sum(axis=1)

    def _red(self, point: Ints, group: Ints) -> Bools:
        """Whether groups of lights are red at ticks, each (n,)."""
        if self.road.signal_phase is None or self.road.signal_phase.shape[-1] == 0:
            return np.zeros(len(point), dtype=bool)
        return self.road.signal_phase.numpy().reshape(len(self.valid), -1)[point, group] == SignalPhase.RED

    def _stopped(self, entries: _Near) -> Bools:
        """Whether the ego stood between a little before the stop line and the junction."""
        speed = np.abs(self.trace.speed_mps[:, :, EGO].numpy())
        way = np.cumsum(np.linalg.norm(self.moved, axis=1).reshape(self.runs, self.ticks), axis=1)
        stood = np.zeros(len(entries.point), dtype=bool)
        for row, (point, line) in enumerate(zip(entries.point, self._is("stop_m", entries), strict=True)):
            run, tick = divmod(int(point), self.ticks)
            zone = way[run, : tick + 1] >= way[run, tick] - STOP_ZONE_M + line
            stood[row] = (speed[run, : tick + 1][zone] <= STOP_MPS).any()
        return stood

    def _junctions(self, entries: _Near, wrong: Bools) -> Ints:
        """How many entries (B,) were wrong, counted once a tick and only where every lane entered says so."""
        all_of = np.bincount(entries.point, minlength=len(self.valid))
        of_them = np.bincount(entries.point[wrong], minlength=len(self.valid))
        return ((all_of > 0) & (all_of == of_them)).reshape(self.runs, self.ticks).sum(axis=1)


def _route_lanes(lanes: _Lanes, routes: tuple[tuple[int, ...], ...], beside: bool = True) -> Bools:
    """Which lanes (B, L) are on each route, or beside it in the same direction."""
    on = np.zeros((len(routes), len(lanes["length_m"])), dtype=bool)
    for run, route in enumerate(routes):
        on[run, list(route)] = True
    if not beside:
        return on
    for side in ("left", "right"):
        row, lane = np.nonzero(on)
        while len(lane):
            has = lanes[f"has_{side}"][lane]
            row, lane = row[has], lanes[f"{side}_lane"][lane[has]]
            new = ~on[row, lane]
            row, lane = row[new], lane[new]
            on[row, lane] = True
    return on


def _ragged(first: Ints, count: Ints) -> tuple[Ints, Ints]:
    """Row and entry of all entries of rows that begin at `first` and are `count` long, each (n,)."""
    row = np.repeat(np.arange(len(first)), count)
    entry = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    return row, entry


def _firsts(ordered: Ints) -> Bools:
    """Where each value of an ordered row comes first."""
    return np.concatenate(([True], np.diff(ordered) != 0)) if len(ordered) else np.zeros(0, dtype=bool)
