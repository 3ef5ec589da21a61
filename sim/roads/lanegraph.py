"""Compile road networks into the lane graph that the simulator drives on: flat arrays of equally spaced samples.

`compile_lanes` keeps the driving lanes, samples each about every metre along its own centre, joins them end to start
(across sections, roads and junctions), finds neighbours to change to, conflicts inside junctions, and two look-ups by
position: a grid of samples and the distance to the edge of the drivable surface.
"""

from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray

from sim.roads.brushes import Brushes, body_brushes
from sim.roads.conflicts import Conflicts, junction_conflicts
from sim.roads.cycling import cycle_lanes
from sim.roads.geometry import Floats
from sim.roads.lanelinks import LaneKey, join_lanes
from sim.roads.lanemaps import CELL_M, EdgeMap, SampleGrid, edge_map, sample_grid
from sim.roads.network import DRIVING_KINDS, Road, RoadNetwork, sample_s
from sim.roads.parking import parking_spaces
from sim.roads.signals import LaneRules, crosswalks, lane_rules
from sim.roads.surface import Stations
from sim.types import LaneGraph

DEFAULT_SPEED_MPS = 50.0 / 3.6
EDGE_CELL_M = 0.5
STEP_M = 1.0
_MAX_LENGTH_M = 2e6
_MIN_LENGTH_M = 0.05  # shorter lanes are bridged
_MIN_WIDTH_M = 1.0  # lanes that are nowhere wider are no lanes to drive on


@dataclass
class MapLanes:
    """The driving lanes of one map; indices are the map's own."""

    keys: list[LaneKey]
    xyz_world_m: Floats  # (P, 3)
    yaw_world_rad: Floats  # (P,)
    width_m: Floats  # (P,)
    sample_first: NDArray[np.int64]  # (L + 1,)
    length_m: Floats  # (L,)
    junction: list[str | None]
    right_hand: NDArray[np.bool_]  # (L,)
    successors: list[list[int]]
    predecessors: list[list[int]]

    @property
    def step_m(self) -> Floats:
        return self.length_m / (np.diff(self.sample_first) - 1)


def compile_lanes(networks: list[RoadNetwork]) -> LaneGraph:
    """The lane graph (CPU tensors) of maps laid one behind the other in the lane axis.

    Raises ValueError where a map has no driving lane.
    """
    if not networks:
        raise ValueError("no maps to compile; give at least one road network")
    return _stack([_compile_map(network) for network in networks])


def to_device(lanes: LaneGraph, device: str | torch.device) -> LaneGraph:
    """The same graph with its tensors on `device`."""
    moved = {
        f.name: getattr(lanes, f.name).to(device)
        for f in fields(lanes)
        if isinstance(getattr(lanes, f.name), torch.Tensor)
    }
    return replace(lanes, **moved)


@dataclass
class _CompiledMap:
    lanes: MapLanes
    curvature_1pm: Floats
    speed_mps: Floats
    left: tuple[NDArray[np.int64], NDArray[np.bool_]]
    right: tuple[NDArray[np.int64], NDArray[np.bool_]]
    conflicts: Conflicts
    brushes: Brushes
    rules: LaneRules
    cycle_m: Floats
    crosswalks: Floats
    parking: Floats
    grid: SampleGrid
    edge: EdgeMap


def _compile_map(network: RoadNetwork) -> _CompiledMap:
    lanes = map_lanes(network)
    step = np.repeat(lanes.step_m, np.diff(lanes.sample_first))
    speed_mps = _speeds(network, lanes)
    rules = lane_rules(network, lanes, speed_mps)
    curvature, conflicts = _curvature(lanes, step), junction_conflicts(lanes, rules.control)
    return _CompiledMap(
        lanes=lanes,
        curvature_1pm=curvature,
        speed_mps=speed_mps,
        left=_neighbours(network, lanes, left=True),
        right=_neighbours(network, lanes, left=False),
        conflicts=conflicts,
        brushes=body_brushes(lanes, curvature, conflicts),
        rules=rules,
        cycle_m=cycle_lanes(network, lanes),
        crosswalks=crosswalks(network, lanes),
        parking=parking_spaces(network, lanes),
        grid=sample_grid(lanes.xyz_world_m[:, :2], lanes.width_m, step),
        edge=edge_map(network, EDGE_CELL_M),
    )


# --- Samples ---


def map_lanes(network: RoadNetwork) -> MapLanes:
    """Sample the driving lanes of a map and join them."""
    parts = [part for road in network.roads.values() for part in _road_samples(road)]
    joined = join_lanes(network)
    kept = {part.key: i for i, part in enumerate(parts)}
    if not kept:
        raise ValueError(f"map {network.name!r} has no driving lanes to drive on")
    successors = _successors(joined, kept)
    predecessors: list[list[int]] = [[] for _ in parts]
    for lane, targets in enumerate(successors):
        for target in targets:
            predecessors[target].append(lane)
    roads = [network.roads[part.key[0]] for part in parts]
    return MapLanes(
        keys=[part.key for part in parts],
        xyz_world_m=np.concatenate([part.xyz for part in parts]),
        yaw_world_rad=np.concatenate([part.yaw for part in parts]),
        width_m=np.concatenate([part.width for part in parts]),
        sample_first=np.cumsum([0] + [len(part.yaw) for part in parts]),
        length_m=np.array([part.length_m for part in parts]),
        junction=[road.junction for road in roads],
        right_hand=np.array([road.right_hand for road in roads]),
        successors=successors,
        predecessors=predecessors,
    )


@dataclass
class _LaneSamples:
    key: LaneKey
    length_m: float
    xyz: Floats
    yaw: Floats
    width: Floats


def _road_samples(road: Road) -> list[_LaneSamples]:
    found = []
    for index, section in enumerate(road.sections):
        for sign in (1, -1):
            ids = [id for id, lane in section.lanes.items() if id * sign > 0 and lane.kind in DRIVING_KINDS]
            if not ids or section.end_m(sign) - section.s_m <= 1e-6:
                continue
            s = _knots(road, section.s_m, section.end_m(sign))
            between = road.stations(0.5 * (s[1:] + s[:-1]))
            for id in ids:
                samples = _lane_samples(road, index, id, s, between)
                if samples.length_m >= _MIN_LENGTH_M and samples.width.max() >= _MIN_WIDTH_M:
                    found.append(samples)
    return found


def _knots(road: Road, start_m: float, end_m: float) -> Floats:
    """Values of s half a step apart, and those where pieces of the reference line meet.

    There curvature jumps and with it the lane's length per length of road.
    """
    joints = road.plan.starts_m
    inside = slice(*np.searchsorted(joints, (start_m + 1e-6, end_m - 1e-6)))
    return np.union1d(sample_s(start_m, end_m, 0.5 * STEP_M), joints[inside])


def _lane_samples(road: Road, section: int, lane: int, s: Floats, between: Stations) -> _LaneSamples:
    """Samples equally spaced along the lane's own centre, exact positions at each."""
    speed = road.lane_on(section, lane, between)[3]
    length = np.concatenate(([0.0], np.cumsum(speed * np.diff(s))))
    if not length[-1] <= _MAX_LENGTH_M:
        raise ValueError(f"lane {lane} of road {road.id!r} is {length[-1]:.3g} m long; is its road bent too tightly?")
    count = max(1, round(length[-1] / STEP_M))
    at = np.interp(np.linspace(0.0, length[-1], count + 1), length, s)
    # A section's end belongs to its own records, not to the next.
    at[-1] = max(road.sections[section].s_m, at[-1] - 1e-6)
    xyz, yaw, width, _ = road.lane_at(section, lane, at)
    order = slice(None) if road.forward(lane) else slice(None, None, -1)
    return _LaneSamples((road.id, section, lane), float(length[-1]), xyz[order], np.unwrap(yaw[order]), width[order])


def _curvature(lanes: MapLanes, step: Floats) -> Floats:
    """Change of heading per metre (P,), central differences inside a lane."""
    curvature = np.zeros(len(step))
    first, last = lanes.sample_first[:-1], lanes.sample_first[1:] - 1
    yaw = lanes.yaw_world_rad
    curvature[1:-1] = (yaw[2:] - yaw[:-2]) / (2.0 * step[1:-1])
    curvature[first] = (yaw[first + 1] - yaw[first]) / step[first]
    curvature[last] = (yaw[last] - yaw[last - 1]) / step[last]
    return curvature


# --- Topology ---


def _successors(joined: dict[LaneKey, set[LaneKey]], kept: dict[LaneKey, int]) -> list[list[int]]:
    """Successor indices of each kept lane, reached through lanes that were too short to keep."""
    found = []
    for key in kept:
        targets, seen, queue = set(), {key}, list(joined.get(key, ()))
        while queue:
            target = queue.pop()
            if target in kept:
                targets.add(kept[target])
            elif target not in seen:
                seen.add(target)
                queue.extend(joined.get(target, ()))
        found.append(sorted(targets))
    return found


def _speeds(network: RoadNetwork, lanes: MapLanes) -> Floats:
    """Limits (L,) in m/s: the lane's, else the road's, else that of a lane before or after it, else the default."""
    speed = [_own_speed(network.roads[road], section, id) for road, section, id in lanes.keys]
    for neighbours in (lanes.predecessors, lanes.successors):
        known = list(speed)
        for lane, near in enumerate(neighbours):
            limits = [known[other] for other in near if known[other] is not None]
            if speed[lane] is None and lanes.junction[lane] is not None and limits:
                speed[lane] = min(limit for limit in limits if limit is not None)
    return np.array([DEFAULT_SPEED_MPS if limit is None else limit for limit in speed])


def _own_speed(road: Road, section: int, lane: int) -> float | None:
    part = road.sections[section]
    if part.lanes[lane].speeds:
        return part.lanes[lane].speeds[0][1]
    before = [limit for s, limit in road.speeds if s <= part.s_m + 1e-6]
    return before[-1] if before else None


def _neighbours(network: RoadNetwork, lanes: MapLanes, left: bool) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The lane beside each lane to change to (L,), its own index where there is none, and whether there is one (L,)."""
    index = {key: i for i, key in enumerate(lanes.keys)}
    neighbour, has = np.arange(len(lanes.keys)), np.zeros(len(lanes.keys), dtype=bool)
    for i, (road_id, section, id) in enumerate(lanes.keys):
        road = network.roads[road_id]
        inward = left == road.right_hand  # towards the middle of the road
        other = id + (-1 if (id > 0) == inward else 1)
        target = index.get((road_id, section, other))
        if road.junction is None and other * id > 0 and target is not None and _may_cross(road, section, id, other):
            neighbour[i], has[i] = target, True
    return neighbour, has


def _may_cross(road: Road, section: int, lane: int, other: int) -> bool:
    """Whether the marks between two neighbouring lanes let traffic over, for most of the way."""
    part = road.sections[section]
    inner = part.lanes[min(lane, other, key=abs)]
    outward = inner.id == lane
    starts = [mark.s_offset_m for mark in inner.marks] + [part.end_m(lane) - part.s_m]
    free = starts[0]  # before the first mark nothing is painted
    for mark, start, end in zip(inner.marks, starts[:-1], starts[1:]):
        free += (end - start) * _mark_allows(mark.kind, outward)
    return free >= 0.5 * starts[-1]


def _mark_allows(kind: str, outward: bool) -> bool:
    """The paint decides: exporters write laneChange="none" on broken marks and "both" on solid ones."""
    kinds = kind.split()
    if kinds in ([], ["none"]):
        return True
    return kinds[0 if outward else -1] in ("broken", "botts", "dots")  # the line on the own side counts


# --- Assembly ---


def _csr(rows: list[list[int]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    first = np.cumsum([0] + [len(row) for row in rows])
    return first, np.array([value for row in rows for value in row], dtype=np.int64)


def _stack(maps: list[_CompiledMap]) -> LaneGraph:
    lane_counts = [len(m.lanes.keys) for m in maps]
    lane_first = np.cumsum([0] + lane_counts)
    sample_at = np.cumsum([0] + [len(m.lanes.width_m) for m in maps])
    cell_at = np.cumsum([0] + [len(m.grid.cell_first) - 1 for m in maps])
    edge_at = np.cumsum([0] + [m.edge.distance_m.size for m in maps])
    successors, predecessors = ([_csr(getattr(m.lanes, key)) for m in maps] for key in ("successors", "predecessors"))

    def joined(arrays: list[NDArray], shifts: NDArray | None = None) -> torch.Tensor:
        """Concatenate, each map's values shifted by what lies before it; integers become int32, floats float32."""
        moved = arrays if shifts is None else [array + shift for array, shift in zip(arrays, shifts)]
        whole = np.concatenate(moved)
        kinds = {"b": np.bool_, "i": np.int32, "f": np.float32}
        return torch.from_numpy(np.ascontiguousarray(whole, dtype=kinds[whole.dtype.kind]))

    def bounds(arrays: list[NDArray]) -> torch.Tensor:
        """Concatenate CSR bounds, dropping all but the last map's final entry."""
        ends = np.cumsum([0] + [int(array[-1]) for array in arrays])
        body = [array[:-1] + end for array, end in zip(arrays, ends)]
        return joined([*body, ends[-1:]])

    return LaneGraph(
        xy_world_m=joined([m.lanes.xyz_world_m[:, :2] for m in maps]),
        z_world_m=joined([m.lanes.xyz_world_m[:, 2] for m in maps]),
        yaw_world_rad=joined([m.lanes.yaw_world_rad for m in maps]),
        curvature_1pm=joined([m.curvature_1pm for m in maps]),
        width_m=joined([m.lanes.width_m for m in maps]),
        cycle_m=joined([m.cycle_m for m in maps]),
        sample_lane=joined(
            [np.repeat(np.arange(n), np.diff(m.lanes.sample_first)) for n, m in zip(lane_counts, maps)], lane_first
        ),
        sample_first=bounds([m.lanes.sample_first for m in maps]),
        length_m=joined([m.lanes.length_m for m in maps]),
        step_m=joined([m.lanes.step_m for m in maps]),
        speed_limit_mps=joined([m.speed_mps for m in maps]),
        is_junction=joined([np.array([j is not None for j in m.lanes.junction]) for m in maps]),
        left_lane=joined([m.left[0] for m in maps], lane_first),
        has_left=joined([m.left[1] for m in maps]),
        right_lane=joined([m.right[0] for m in maps], lane_first),
        has_right=joined([m.right[1] for m in maps]),
        successor_first=bounds([first for first, _ in successors]),
        successor=joined([lane for _, lane in successors], lane_first),
        predecessor_first=bounds([first for first, _ in predecessors]),
        predecessor=joined([lane for _, lane in predecessors], lane_first),
        conflict_first=bounds([m.conflicts.first for m in maps]),
        conflict_lane=joined([m.conflicts.lane for m in maps], lane_first),
        conflict_span_m=joined([m.conflicts.span_m for m in maps]),
        conflict_yields=joined([m.conflicts.yields for m in maps]),
        brush_first=bounds([m.brushes.first for m in maps]),
        brush_lane=joined([m.brushes.lane for m in maps], lane_first),
        brush_span_m=joined([m.brushes.span_m for m in maps]),
        brush_kind=joined([m.brushes.kind for m in maps]),
        diverge_m=joined([m.brushes.diverge_m for m in maps]),
        control=joined([m.rules.control for m in maps]),
        signal_group=joined([m.rules.group for m in maps]),
        kerb_side=joined([np.where(m.lanes.right_hand, -1.0, 1.0) for m in maps]),
        stop_m=joined([m.rules.stop_m for m in maps]),
        signal_first=joined([np.cumsum([0] + [len(m.rules.junction) for m in maps])]),
        signal_plan_s=joined([m.rules.plan_s for m in maps]),
        signal_junction=joined([m.rules.junction for m in maps]),
        halt_first=bounds([m.rules.halt_first for m in maps]),
        halt_m=joined([m.rules.halt_m for m in maps]),
        halt_group=joined([m.rules.halt_group for m in maps]),
        crosswalk_first=joined([np.cumsum([0] + [len(m.crosswalks) for m in maps])]),
        crosswalk_world=joined([m.crosswalks for m in maps]),
        parking_first=joined([np.cumsum([0] + [len(m.parking) for m in maps])]),
        parking_world=joined([m.parking for m in maps]),
        lane_first=joined([lane_first]),
        grid_cell_m=CELL_M,
        grid_origin_world_m=joined([m.grid.origin_world_m[None] for m in maps]),
        grid_shape=joined([np.array([m.grid.shape]) for m in maps]),
        grid_first=joined([cell_at[:-1]]),
        cell_first=bounds([m.grid.cell_first for m in maps]),
        cell_sample=joined([m.grid.cell_sample for m in maps], sample_at),
        edge_cell_m=EDGE_CELL_M,
        edge_origin_world_m=joined([m.edge.origin_world_m[None] for m in maps]),
        edge_shape=joined([np.array([m.edge.distance_m.shape[::-1]]) for m in maps]),
        edge_first=joined([edge_at[:-1]]),
        edge_distance_m=joined([m.edge.distance_m.ravel() for m in maps]),
    )
