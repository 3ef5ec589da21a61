"""Small lane graphs with closed-form geometry for the engine's tests: a ring, parallel straight lanes, a crossing."""

from itertools import pairwise

import numpy as np
import torch

from sim.types import LaneGraph


def ring(radius_m: float = 60.0, limit_mps: float = 12.0) -> LaneGraph:
    """One lane that runs counter-clockwise round the origin into itself."""
    angle = np.linspace(0.0, 2.0 * np.pi, int(2.0 * np.pi * radius_m) + 1)
    xy = radius_m * np.stack((np.cos(angle), np.sin(angle)), axis=1)
    return graph([(xy, angle + np.pi / 2, np.full(len(xy), 1.0 / radius_m))], {0: [0]}, limit_mps=limit_mps)


def straight(length_m: float = 400.0, lanes: int = 1, limit_mps: float = 15.0) -> LaneGraph:
    """Parallel lanes along x, 3.5 m apart, lane 0 rightmost at y = 0; all end in nothing."""
    rows = [line((0.0, 3.5 * k), (length_m, 3.5 * k)) for k in range(lanes)]
    return graph(rows, {}, left={k: k + 1 for k in range(lanes - 1)}, limit_mps=limit_mps)


def crossing(arm_m: float = 150.0, limit_mps: float = 12.0) -> LaneGraph:
    """A road along x and one along y meet on 12 m: lanes 0 -> 1 -> 2 east, 3 -> 4 -> 5 north; north gives way."""
    half = 6.0
    points = [(-arm_m, 0.0), (-half, 0.0), (half, 0.0), (arm_m, 0.0)]
    rows = [line(a, b) for a, b in pairwise(points)]
    rows += [line(a[::-1], b[::-1]) for a, b in pairwise(points)]
    span = [4.0, 8.0, 4.0, 8.0]
    conflicts = {1: [(4, span, False)], 4: [(1, span, True)]}
    return graph(rows, {0: [1], 1: [2], 3: [4], 4: [5]}, junction={1, 4}, conflicts=conflicts, limit_mps=limit_mps)


def line(start: tuple[float, ...], end: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples of a straight lane: centre, yaw, curvature."""
    a, b = np.array(start), np.array(end)
    length = np.linalg.norm(b - a)
    count = int(np.ceil(length)) + 1
    xy = a + np.linspace(0.0, 1.0, count)[:, None] * (b - a)
    return xy, np.full(count, np.arctan2(*(b - a)[::-1])), np.zeros(count)


def graph(
    rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
    successors: dict[int, list[int]],
    left: dict[int, int] | None = None,
    junction: set[int] | None = None,
    conflicts: dict[int, list] | None = None,
    limit_mps: float = 12.0,
    width_m: float = 3.5,
) -> LaneGraph:
    """A one-map graph; the drivable surface is all within half a lane width of a centre line."""
    left, junction, conflicts = left or {}, junction or set(), conflicts or {}
    count = len(rows)
    right = {v: k for k, v in left.items()}
    xy = np.concatenate([r[0] for r in rows])
    steps = [float(np.linalg.norm(r[0][1] - r[0][0])) for r in rows]
    # Arc length, not chord: on the ring they differ by 1e-5.
    sample_count = [len(r[0]) for r in rows]
    predecessors: dict[int, list[int]] = {}
    for lane, after in successors.items():
        for other in after:
            predecessors.setdefault(other, []).append(lane)
    successor_first, successor = _csr([successors.get(k, []) for k in range(count)])
    predecessor_first, predecessor = _csr([predecessors.get(k, []) for k in range(count)])
    conflict_rows = [conflicts.get(k, []) for k in range(count)]
    conflict_first, _ = _csr([[c[0] for c in row] for row in conflict_rows])
    flat = [c for row in conflict_rows for c in row]
    low = xy.min(axis=0) - 20.0
    size = xy.max(axis=0) + 20.0 - low
    cell_first, cell_sample, shape = _grid(xy, low, size, 10.0, 7.0)
    edge, edge_shape = _edge(xy, low, size, 1.0, width_m)
    f32, i32 = torch.float32, torch.int32
    return LaneGraph(
        xy_world_m=torch.tensor(xy, dtype=f32),
        z_world_m=torch.zeros(len(xy)),
        yaw_world_rad=torch.tensor(np.concatenate([r[1] for r in rows]), dtype=f32),
        curvature_1pm=torch.tensor(np.concatenate([r[2] for r in rows]), dtype=f32),
        width_m=torch.full((len(xy),), width_m),
        cycle_m=torch.zeros(len(xy)),
        sample_lane=torch.tensor(np.repeat(np.arange(count), sample_count), dtype=i32),
        sample_first=torch.tensor(np.concatenate(([0], np.cumsum(sample_count))), dtype=i32),
        length_m=torch.tensor([s * (n - 1) for s, n in zip(steps, sample_count, strict=True)], dtype=f32),
        step_m=torch.tensor(steps, dtype=f32),
        speed_limit_mps=torch.full((count,), limit_mps),
        is_junction=torch.tensor([k in junction for k in range(count)]),
        left_lane=torch.tensor([left.get(k, 0) for k in range(count)], dtype=i32),
        has_left=torch.tensor([k in left for k in range(count)]),
        right_lane=torch.tensor([right.get(k, 0) for k in range(count)], dtype=i32),
        has_right=torch.tensor([k in right for k in range(count)]),
        successor_first=successor_first,
        successor=successor,
        predecessor_first=predecessor_first,
        predecessor=predecessor,
        conflict_first=conflict_first,
        conflict_lane=torch.tensor([c[0] for c in flat], dtype=i32),
        conflict_span_m=torch.tensor([c[1] for c in flat], dtype=f32).reshape(-1, 4),
        conflict_yields=torch.tensor([c[2] for c in flat], dtype=torch.bool),
        brush_first=torch.zeros(count + 1, dtype=i32),
        brush_lane=torch.zeros(0, dtype=i32),
        brush_span_m=torch.zeros(0, 4),
        brush_kind=torch.zeros(0, dtype=i32),
        diverge_m=torch.zeros(count),
        control=torch.zeros(count, dtype=i32),
        signal_group=torch.zeros(count, dtype=i32),
        kerb_side=torch.full((count,), -1.0),
        stop_m=torch.zeros(count),
        signal_first=torch.zeros(2, dtype=i32),
        signal_plan_s=torch.zeros(0, 4),
        signal_junction=torch.zeros(0, dtype=i32),
        halt_first=torch.zeros(count + 1, dtype=i32),
        halt_m=torch.zeros(0),
        halt_group=torch.zeros(0, dtype=i32),
        crosswalk_first=torch.zeros(2, dtype=i32),
        crosswalk_world=torch.zeros(0, 4),
        parking_first=torch.zeros(2, dtype=i32),
        parking_world=torch.zeros(0, 4),
        lane_first=torch.tensor([0, count], dtype=i32),
        grid_cell_m=10.0,
        grid_origin_world_m=torch.tensor(low, dtype=f32)[None],
        grid_shape=torch.tensor([shape], dtype=i32),
        grid_first=torch.zeros(1, dtype=i32),
        cell_first=cell_first,
        cell_sample=cell_sample,
        edge_cell_m=1.0,
        edge_origin_world_m=torch.tensor(low, dtype=f32)[None],
        edge_shape=torch.tensor([edge_shape], dtype=i32),
        edge_first=torch.zeros(1, dtype=i32),
        edge_distance_m=torch.tensor(edge, dtype=f32),
    )


def _csr(rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    first = np.concatenate(([0], np.cumsum([len(r) for r in rows])))
    values = [v for row in rows for v in row]
    return torch.tensor(first, dtype=torch.int32), torch.tensor(values, dtype=torch.int32)


def _grid(xy: np.ndarray, low: np.ndarray, size: np.ndarray, cell_m: float, reach_m: float) -> tuple:
    columns, rows = (np.ceil(size / cell_m).astype(int) + 1).tolist()
    cells = []
    for y in range(rows):
        for x in range(columns):
            corner = low + np.array([x, y]) * cell_m
            nearest = np.clip(xy, corner, corner + cell_m)
            cells.append(np.nonzero(np.linalg.norm(xy - nearest, axis=1) < reach_m)[0].tolist())
    return *_csr(cells), [columns, rows]


def _edge(xy: np.ndarray, low: np.ndarray, size: np.ndarray, cell_m: float, width_m: float) -> tuple:
    columns, rows = (np.ceil(size / cell_m).astype(int) + 1).tolist()
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    corners = low + np.stack((x.ravel(), y.ravel()), axis=1) * cell_m
    distance = np.full(len(corners), np.inf)
    for part in np.array_split(xy, max(1, len(xy) // 64)):
        distance = np.minimum(distance, np.linalg.norm(corners[:, None] - part[None], axis=2).min(axis=1))
    return np.clip(width_m / 2 - distance, -8.0, 8.0), [columns, rows]
