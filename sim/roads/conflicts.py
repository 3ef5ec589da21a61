"""Where lanes of a junction cross or merge, and who gives way there."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.roads.geometry import Floats, wrap_rad
from sim.types import LaneControl

if TYPE_CHECKING:
    from sim.roads.lanegraph import MapLanes

OVERLAP_M = 2.2  # centres nearer than this cannot both be driven
_BLOCK = 512  # points compared at once
_STOREYS_M = 3.0  # lanes further apart in height pass over each other
_MAX_RING_M = 500.0
_STRAIGHT_RAD = math.radians(30.0)


@dataclass
class Conflicts:
    """Conflicts of a map's lanes as CSR rows per lane, sorted by the other lane."""

    first: NDArray[np.int64]  # (L + 1,)
    lane: NDArray[np.int64]  # (E,)
    span_m: Floats  # (E, 4) own start, own end, other start, other end
    yields: NDArray[np.bool_]  # (E,)


def junction_conflicts(lanes: "MapLanes", control: NDArray[np.int64]) -> Conflicts:
    """Conflicts between the lanes of each junction; every pair appears in both lanes' rows and exactly one yields.

    `control` (L,) LaneControl: who has a stop or yield sign gives way to who has none.
    """
    groups: dict[str, list[int]] = {}
    for lane, junction in enumerate(lanes.junction):
        if junction is not None:
            groups.setdefault(junction, []).append(lane)
    ring = ring_lanes(lanes)
    rows: list[tuple[int, int, float, float, float, float, bool]] = []
    for members in groups.values():
        circling = any(ring[member] for member in members)
        minor = np.isin(control[members], (LaneControl.STOP, LaneControl.YIELD)) | (circling & ~ring[members])
        rank = _ranks(lanes, members, minor)
        spans = _overlaps(lanes, members)
        for (a, b), (a0, a1) in spans.items():
            rows.append((a, b, a0, a1, *spans[b, a], rank[a] > rank[b]))
    rows.sort()
    table = np.array([row[2:6] for row in rows], dtype=np.float64).reshape(-1, 4)
    counts = (
        np.bincount([row[0] for row in rows], minlength=len(lanes.junction))
        if rows
        else np.zeros(len(lanes.junction), dtype=np.int64)
    )
    return Conflicts(
        np.concatenate(([0], np.cumsum(counts))),
        np.array([row[1] for row in rows], dtype=np.int64),
        table,
        np.array([row[6] for row in rows], dtype=bool),
    )


def _overlaps(lanes: "MapLanes", members: list[int]) -> dict[tuple[int, int], tuple[float, float]]:
    """For each ordered pair of lanes that overlap: from where to where (m along the first)."""
    xyz = [lanes.xyz_world_m[lanes.sample_first[lane] : lanes.sample_first[lane + 1]] for lane in members]
    low, high = (np.array([extreme(points, axis=0) for points in xyz]) for extreme in (np.min, np.max))
    apart = np.array([OVERLAP_M, OVERLAP_M, _STOREYS_M])
    meet = (low[:, None] < high[None] + apart).all(axis=2) & (low[None] < high[:, None] + apart).all(axis=2)
    spans, step = {}, lanes.step_m[members]
    for i, j in np.argwhere(np.triu(meet, 1)):
        on_i, on_j = _touching(xyz[i], xyz[j])
        if set(lanes.predecessors[members[i]]) & set(lanes.predecessors[members[j]]):
            on_i, on_j = _after_diverging(on_i), _after_diverging(on_j)
        if on_i.any() and on_j.any():
            spans[members[i], members[j]] = _extent(on_i, float(step[i]))
            spans[members[j], members[i]] = _extent(on_j, float(step[j]))
    return spans


def _touching(a: Floats, b: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which of points (n, 3) and (m, 3) are near one of the others; in blocks, as lanes may be long."""
    on_a, on_b = np.zeros(len(a), dtype=bool), np.zeros(len(b), dtype=bool)
    for first in range(0, len(a), _BLOCK):
        block = a[first : first + _BLOCK]
        near = ((block[:, None, :2] - b[None, :, :2]) ** 2).sum(-1) < OVERLAP_M**2
        near &= np.abs(block[:, None, 2] - b[None, :, 2]) < _STOREYS_M
        on_a[first : first + _BLOCK] = near.any(axis=1)
        on_b |= near.any(axis=0)
    return on_a, on_b


def _after_diverging(touches: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Forget the overlap with which two lanes leave a common one."""
    apart = np.flatnonzero(~touches)
    start = apart[0] if len(apart) else len(touches)
    return touches & (np.arange(len(touches)) >= start)


def _extent(touches: NDArray[np.bool_], step_m: float) -> tuple[float, float]:
    at = np.flatnonzero(touches)
    return float(at[0] * step_m), float(at[-1] * step_m)


def ring_lanes(lanes: "MapLanes") -> NDArray[np.bool_]:
    """Which lanes (L,) are part of a roundabout: lanes that lead into each other round a circle.

    From each lane of a junction the walk takes the sharpest turn towards the circle's inside (left where traffic keeps
    to the right). It is a ring if it comes back soon and its points lie about equally far from their middle.
    """
    ring = np.zeros(len(lanes.keys), dtype=bool)
    turn = lanes.yaw_world_rad[lanes.sample_first[1:] - 1] - lanes.yaw_world_rad[lanes.sample_first[:-1]]
    inwards = np.where(lanes.right_hand, 1.0, -1.0)
    for start, junction in enumerate(lanes.junction):
        if junction is None or ring[start]:
            continue
        walk, length = [start], float(lanes.length_m[start])
        while length < _MAX_RING_M and lanes.successors[walk[-1]]:
            after = max(lanes.successors[walk[-1]], key=lambda lane: turn[lane] * inwards[lane])
            if after in walk:
                break
            walk.append(after)
            length += float(lanes.length_m[after])
        if start in lanes.successors[walk[-1]] and _is_round(lanes, walk):
            ring[walk] = True
    return ring


def _is_round(lanes: "MapLanes", walk: list[int]) -> bool:
    points = np.concatenate([lanes.xyz_world_m[lanes.sample_first[k] : lanes.sample_first[k + 1], :2] for k in walk])
    radius = np.hypot(*(points - points.mean(axis=0)).T)
    return bool(radius.min() > 0.8 * radius.max())  # a square block has 0.71


def _ranks(lanes: "MapLanes", members: list[int], minor: NDArray[np.bool_]) -> dict[int, int]:
    """Ranks in a junction: of two lanes in conflict the one with the greater rank gives way.

    Lanes without a sign go before those of `minor` (members,) approaches. Then straight on goes before turning,
    turning without crossing the oncoming lane before turning across it, and among equals whoever comes from the
    right. "From the right" alone is a circle at a crossroads, where four cars would wait for each other; the
    approaches are therefore cut at the widest gap between their headings into a total order, which differs from the
    rule for at most one pair of neighbouring approaches (for none where an approach is missing).
    """
    first, last = lanes.sample_first[members], lanes.sample_first[np.array(members) + 1] - 1
    start = lanes.yaw_world_rad[first]
    turn = lanes.yaw_world_rad[last] - start
    across = np.where(lanes.right_hand[members], turn > 0.0, turn < 0.0)
    manoeuvre = np.where(np.abs(turn) < _STRAIGHT_RAD, 0, np.where(across, 2, 1))
    # Coming from the right is heading further to the left: greater headings go first.
    heading = np.round(wrap_rad(start), 6)
    ordered = np.unique(heading)
    gaps = np.diff(np.concatenate((ordered, ordered[:1] + 2.0 * math.pi)))
    cut = ordered[(int(np.argmax(np.round(gaps, 3))) + 1) % len(ordered)]
    from_cut = np.round(np.remainder(heading - cut, 2.0 * math.pi), 6)
    order = sorted(range(len(members)), key=lambda i: (minor[i], manoeuvre[i], -from_cut[i], members[i]))
    return {members[i]: rank for rank, i in enumerate(order)}
