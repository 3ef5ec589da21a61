"""Where bodies of vehicles touch though the centres of their lanes keep apart: tight bends and turns swing them out.

A vehicle on rails has both axles on its lanes' centre, so the nose of a bus reaches far over the outer edge of a tight
bend and its flank over the inner one. Here the boxes of a car and of a bus are moved along all lanes near tight ones,
and every pair of places where two of them touch becomes part of a brush: from where to where neither may be on one lane
while the other is on the other, as arc lengths of the rear axle.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.roads.conflicts import Conflicts
from sim.roads.geometry import Floats

if TYPE_CHECKING:
    from sim.roads.lanegraph import MapLanes

Ints = NDArray[np.int64]

TIGHT_1PM = 1.0 / 25.0
MARGIN_M = 0.1  # between two bodies
_STOREYS_M = 3.0
_CELL_M = 12.0  # no two boxes whose middles lie further apart can touch
LONG_M = 6.5  # longer vehicles count as long
DIVERGED_M = 2.4  # between the centres of lanes that have parted


@dataclass(frozen=True)
class _Body:
    """A reference vehicle: the largest of the short ones, the largest of the long ones."""

    length_m: float
    width_m: float
    wheelbase_m: float


_BODIES = (_Body(4.9, 1.95, 3.0), _Body(11.0, 2.5, 5.8))


@dataclass
class Brushes:
    """Brushes of a map's lanes as CSR rows per lane."""

    first: Ints  # (L + 1,)
    lane: Ints  # (E,) the other lane
    span_m: Floats  # (E, 4) own start, own end, other start, other end, of rear axles
    kind: Ints  # (E,) 1 where the own vehicle is long, plus 2 where the other one is
    diverge_m: Floats  # (L,) how far a lane overlaps with others that follow the same lane; 0 where none does


@dataclass
class _Boxes:
    """Boxes of one reference body with its rear axle at lane samples."""

    lane: Ints
    s_m: Floats
    xyz: Floats  # (n, 3) middle
    cos_sin: Floats  # (n, 2)


def body_brushes(lanes: "MapLanes", curvature_1pm: Floats, conflicts: Conflicts) -> Brushes:
    """Brushes between lanes that do not follow each other, and for short vehicles are in no conflict; curvature (P,).

    Conflicts are told for cars; long vehicles touch over a longer way.
    """
    count = len(lanes.keys)
    first = lanes.sample_first[:-1]
    tight = np.maximum.reduceat(np.abs(curvature_1pm), first) > TIGHT_1PM
    diverge_m = _diverging(lanes)
    told = _related(lanes)
    owner = np.repeat(np.arange(count), np.diff(conflicts.first))
    crossed = np.union1d(told, owner * count + conflicts.lane)
    boxes = [_boxes(lanes, body) for body in _BODIES]
    rows = []
    for mine in range(2):
        near_tight = _near_tight(lanes, boxes[mine], tight)
        for other in range(2):
            i, j = _close_pairs(boxes[mine], boxes[other], near_tight)
            known = np.isin(boxes[mine].lane[i] * count + boxes[other].lane[j], told if mine or other else crossed)
            i, j = i[~known], j[~known]
            touch = _touch(boxes[mine], i, _BODIES[mine], boxes[other], j, _BODIES[other])
            a, b = (boxes[mine], i[touch]), (boxes[other], j[touch])
            rows.append(_spans(*a, *b, count, mine + 2 * other))
            rows.append(_spans(*b, *a, count, other + 2 * mine))
    return _assemble(np.concatenate(rows), count, diverge_m)


def _boxes(lanes: "MapLanes", body: _Body) -> _Boxes:
    """The body at every sample of every lane, its front axle on each lane that may follow."""
    first, size = lanes.sample_first[:-1], np.diff(lanes.sample_first)
    lane = np.repeat(np.arange(len(size)), size)
    s = (np.arange(len(lane)) - first[lane]) * lanes.step_m[lane]
    ahead = s + body.wheelbase_m
    inside = ahead <= lanes.length_m[lane]
    at = np.flatnonzero(inside)
    parts = [(at, _along(lanes, lane[at], ahead[at]))]
    most = max((len(after) for after in lanes.successors), default=0)
    for k in range(max(most, 1)):
        follows = np.array([after[k] if k < len(after) else -1 for after in lanes.successors])
        at = np.flatnonzero(~inside & (follows[lane] >= 0))
        parts.append((at, _along(lanes, follows[lane[at]], ahead[at] - lanes.length_m[lane[at]])))
    ends = np.array([not after for after in lanes.successors])
    at = np.flatnonzero(~inside & ends[lane])
    last = lanes.sample_first[lane[at] + 1] - 1
    beyond, yaw = ahead[at] - lanes.length_m[lane[at]], lanes.yaw_world_rad[last]
    straight = np.column_stack((np.cos(yaw), np.sin(yaw))) * beyond[:, None]
    parts.append((at, lanes.xyz_world_m[last, :2] + straight))
    rear = np.concatenate([index for index, _ in parts])
    along = np.concatenate([front for _, front in parts]) - lanes.xyz_world_m[rear, :2]
    along /= np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-6)[:, None]
    middle = lanes.xyz_world_m[rear].copy()
    middle[:, :2] += 0.5 * body.wheelbase_m * along
    return _Boxes(lane[rear], s[rear], middle, along)


def _along(lanes: "MapLanes", lane: Ints, s_m: Floats) -> Floats:
    """Points (n, 2) at arc lengths (n,) of lanes (n,), linear between samples, held at their ends."""
    u = np.clip(s_m / lanes.step_m[lane], 0.0, np.diff(lanes.sample_first)[lane] - 1.0)
    low = np.minimum(u.astype(np.int64), np.diff(lanes.sample_first)[lane] - 2)
    at, share = lanes.sample_first[lane] + low, (u - low)[:, None]
    return lanes.xyz_world_m[at, :2] * (1.0 - share) + lanes.xyz_world_m[at + 1, :2] * share


def _near_tight(lanes: "MapLanes", boxes: _Boxes, tight: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Boxes on a tight lane, or so close before or behind one that the body is on it."""
    before = np.array([any(tight[k] for k in after) for after in lanes.successors])
    behind = np.array([any(tight[k] for k in earlier) for earlier in lanes.predecessors])
    to_end = lanes.length_m[boxes.lane] - boxes.s_m
    return tight[boxes.lane] | (before[boxes.lane] & (to_end < 10.0)) | (behind[boxes.lane] & (boxes.s_m < 4.0))


def _related(lanes: "MapLanes") -> Ints:
    """Codes a * L + b of pairs in which one minds the other as its leader: the same lane, up to two on, siblings."""
    count, codes = len(lanes.keys), []
    for a, after in enumerate(lanes.successors):
        near = {a, *after, *(c for b in after for c in lanes.successors[b])}
        near |= {c for b in lanes.predecessors[a] for c in lanes.successors[b]}
        codes += [code for b in near for code in (a * count + b, b * count + a)]
    return np.unique(np.array(codes, dtype=np.int64))


def _close_pairs(a: _Boxes, b: _Boxes, of_a: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Indices of boxes, the first among `of_a`, on different lanes, in the same or neighbouring cells."""
    low = b.xyz[:, :2].min(axis=0)
    cell_b = np.floor((b.xyz[:, :2] - low) / _CELL_M).astype(np.int64)
    columns = int(cell_b[:, 0].max()) + 3
    code_b = (cell_b[:, 1] + 1) * columns + cell_b[:, 0] + 1
    order = np.argsort(code_b, kind="stable")
    sorted_b = code_b[order]
    mine = np.flatnonzero(of_a)
    cell_a = np.floor((a.xyz[mine, :2] - low) / _CELL_M).astype(np.int64)
    found_a, found_b = [], []
    for dy in (0, 1, 2):
        code = (cell_a[:, 1] + dy) * columns + cell_a[:, 0]
        start, stop = np.searchsorted(sorted_b, code), np.searchsorted(sorted_b, code + 2, side="right")
        size = stop - start
        found_a.append(np.repeat(mine, size))
        found_b.append(order[np.arange(size.sum()) + np.repeat(start - (np.cumsum(size) - size), size)])
    i, j = np.concatenate(found_a), np.concatenate(found_b)
    near = a.lane[i] != b.lane[j]
    for axis, reach in ((1, _CELL_M), (0, _CELL_M), (2, _STOREYS_M)):  # one by one: most pairs fall out early
        i, j = i[near], j[near]
        near = np.abs(a.xyz[i, axis] - b.xyz[j, axis]) < reach
    return i[near], j[near]


def _touch(a: _Boxes, i: Ints, body_a: _Body, b: _Boxes, j: Ints, body_b: _Body) -> NDArray[np.bool_]:
    """Separating-axis test of boxes a[i] and b[j], the margin added to the first one's width."""
    d = b.xyz[j, :2] - a.xyz[i, :2]
    (ca, sa), (cb, sb) = a.cos_sin[i].T, b.cos_sin[j].T
    c, s = np.abs(ca * cb + sa * sb), np.abs(ca * sb - sa * cb)
    la, wa = 0.5 * body_a.length_m, 0.5 * body_a.width_m + MARGIN_M
    lb, wb = 0.5 * body_b.length_m, 0.5 * body_b.width_m
    apart = np.abs(d[:, 0] * ca + d[:, 1] * sa) > la + lb * c + wb * s
    apart |= np.abs(d[:, 1] * ca - d[:, 0] * sa) > wa + lb * s + wb * c
    apart |= np.abs(d[:, 0] * cb + d[:, 1] * sb) > lb + la * c + wa * s
    apart |= np.abs(d[:, 1] * cb - d[:, 0] * sb) > wb + la * s + wa * c
    return ~apart


def _spans(a: _Boxes, i: Ints, b: _Boxes, j: Ints, count: int, kind: int) -> Floats:
    """Rows (n, 7): lane, other lane, kind, own span, other span of the pairs a[i], b[j] that touch."""
    pair, row = np.unique(a.lane[i] * count + b.lane[j], return_inverse=True)
    spans = np.empty((len(pair), 4))
    spans[:, 0::2], spans[:, 1::2] = np.inf, -np.inf
    for column, s in ((0, a.s_m[i]), (2, b.s_m[j])):
        np.minimum.at(spans[:, column], row, s)
        np.maximum.at(spans[:, column + 1], row, s)
    return np.column_stack((pair // count, pair % count, np.full(len(pair), kind), spans)).astype(np.float64)


def _assemble(rows: Floats, count: int, diverge_m: Floats) -> Brushes:
    """Rows of the same lanes and kind become one with the hull of their spans."""
    key = (rows[:, 0] * count + rows[:, 1]) * 4 + rows[:, 2]
    unique, row = np.unique(key.astype(np.int64), return_inverse=True)
    spans = np.empty((len(unique), 4))
    spans[:, 0::2], spans[:, 1::2] = np.inf, -np.inf
    for column in range(4):
        (np.maximum if column % 2 else np.minimum).at(spans[:, column], row, rows[:, 3 + column])
    lane, other = unique // 4 // count, unique // 4 % count
    first = np.searchsorted(lane, np.arange(count + 1))
    return Brushes(first, other, spans, unique % 4, diverge_m)


def _diverging(lanes: "MapLanes") -> Floats:
    """How far each lane keeps closer than `DIVERGED_M` to a sibling, a lane that follows the same one."""
    far = np.zeros(len(lanes.keys))
    for after in lanes.successors:
        for a in after:
            for b in after:
                if a != b:
                    far[a] = max(far[a], _overlap_m(lanes, a, b))
    return far


def _overlap_m(lanes: "MapLanes", a: int, b: int) -> float:
    n = int(min(np.diff(lanes.sample_first)[[a, b]].min(), 60))
    one = lanes.xyz_world_m[lanes.sample_first[a] : lanes.sample_first[a] + n, :2]
    other = lanes.xyz_world_m[lanes.sample_first[b] : lanes.sample_first[b] + n, :2]
    parted = np.flatnonzero(np.hypot(*(one - other).T) > DIVERGED_M)
    return float((parted[0] if len(parted) else n - 1) * lanes.step_m[a])
