"""Where two ways through a network cross or join."""

import numpy as np

from sim.roads.geometry import Floats
from sim.scenarios.ways import Streets, Unfit, Way

_STEP_M = 0.5
_NEAR_M = 1.0  # centres closer than this are one place
_REACH_M = 600.0


def crossing_m(streets: Streets, own: Way, own_from: int, other: Way, other_from: int) -> tuple[float, float]:
    """How far along each way the place lies where they first come together, counted from lane indices on.

    Unfit where they do not within 600 m.
    """
    a_m, a_xy = _centres(streets, own, own_from)
    b_m, b_xy = _centres(streets, other, other_from)
    away = np.hypot(*(a_xy[:, None] - b_xy[None]).transpose(2, 0, 1))
    nearest = away.min(axis=1)
    near = np.flatnonzero(nearest < _NEAR_M)
    if not len(near):
        raise Unfit("the two ways do not meet")
    # The first stretch of near centres ends where they part; where they cross, its middle is the crossing.
    first = int(near[0])
    beyond = np.flatnonzero(nearest[first:] >= _NEAR_M)
    last = first + (int(beyond[0]) if len(beyond) else 1) - 1
    at = first + int(np.argmin(nearest[first : last + 1]))
    return float(a_m[at]), float(b_m[np.argmin(away[at])])


def _centres(streets: Streets, way: Way, start: int) -> tuple[Floats, Floats]:
    """Distances along a way (n,) and the centres of its lanes there (n, 2)."""
    along, points = [], []
    for index in range(start, len(way.lanes)):
        if way.starts_m[index] - way.starts_m[start] > _REACH_M:
            break
        road, section, lane = key = way.lanes[index]
        length = streets.length_m[key]
        u = np.arange(0.0, length, _STEP_M)
        zero = streets.road_s(key, 0.0)
        s = zero + u if streets.forward(key) else zero - u
        points.append(streets.network.roads[road].lane_at(section, lane, s)[0][:, :2])
        along.append(way.starts_m[index] + u)
    return np.concatenate(along), np.concatenate(points)
