"""Shortest routes on the lane graph by A*: along lanes, through junctions, and across permitted lane changes."""

import heapq
import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from sim.roads.geometry import Floats
from sim.types import LaneGraph

CHANGE_COST_M = 20.0  # a lane change is worth a detour of this length
_CHANGE_SPACE_M = 30.0  # lane that it takes
NEAR_M = 6.0  # how far beside a lane's centre a place may lie


_Node = tuple[int, bool]  # a lane, and whether it was entered beyond the goal


@dataclass(frozen=True)
class LaneRoute:
    """Lanes in order of travel; a lane beside its predecessor is reached by a lane change."""

    lanes: tuple[int, ...]
    start_s_m: float  # on the first lane
    goal_s_m: float  # on the last
    length_m: float  # along the lanes, changes not counted


@dataclass(frozen=True)
class LanePlace:
    """A place on a lane."""

    lane: int
    s_m: float
    lateral_m: float  # left of its centre


class RouteFinder:
    """A* over the lanes of one graph, read once into arrays of the host."""

    def __init__(self, lanes: LaneGraph) -> None:
        self._length = _host(lanes.length_m)
        self._first = _host(lanes.sample_first)
        self._xy = _host(lanes.xy_world_m).astype(np.float64)
        self._yaw = _host(lanes.yaw_world_rad)
        self._lane = _host(lanes.sample_lane)
        self._step = _host(lanes.step_m)
        self._successor_first, self._successor = _host(lanes.successor_first), _host(lanes.successor)
        self._sides = [
            (_host(lanes.left_lane), _host(lanes.has_left)),
            (_host(lanes.right_lane), _host(lanes.has_right)),
        ]
        self._map_first = _host(lanes.lane_first)

    def locate(self, xy_world_m: Floats, yaw_world_rad: float | None = None, map_index: int = 0) -> LanePlace:
        """The lane nearest to a point (2,); with a yaw among lanes that run within 90 degrees of it.

        Raises ValueError where no lane's centre is within 6 m.
        """
        low, high = self._first[self._map_first[map_index]], self._first[self._map_first[map_index + 1]]
        away = np.hypot(*(self._xy[low:high] - np.asarray(xy_world_m)).T)
        if yaw_world_rad is not None:
            away = np.where(np.cos(self._yaw[low:high] - yaw_world_rad) > 0.0, away, np.inf)
        nearest = int(np.argmin(away))
        if away[nearest] > NEAR_M:
            x, y = xy_world_m
            raise ValueError(
                f"no lane runs within {NEAR_M:g} m of ({x:.2f}, {y:.2f}); the nearest is {away[nearest]:.1f} m off"
            )
        sample = low + nearest
        lane = int(self._lane[sample])
        forward = np.array((math.cos(self._yaw[sample]), math.sin(self._yaw[sample])))
        beyond = np.asarray(xy_world_m) - self._xy[sample]
        s = (sample - self._first[lane]) * self._step[lane] + float(beyond @ forward)
        lateral = float(forward[0] * beyond[1] - forward[1] * beyond[0])
        return LanePlace(lane, float(np.clip(s, 0.0, self._length[lane])), lateral)

    def find(self, start: LanePlace, goal: LanePlace) -> LaneRoute:
        """The shortest route between two places. ValueError where no lane leads from one to the other."""
        target = self._on_lane(goal.lane, np.array([goal.s_m]))[0]
        frontier: list[tuple[float, float, int, float, _Node | None]] = [(0.0, 0.0, start.lane, start.s_m, None)]
        came: dict[_Node, _Node | None] = {}
        while frontier:
            _, cost, lane, s, before = heapq.heappop(frontier)
            late = lane == goal.lane and s > goal.s_m + 1e-6  # entered beyond the goal: only a way round reaches it
            node = lane, late
            if node in came:
                continue
            came[node] = before
            if lane == goal.lane and not late:
                return self._trace(came, node, start, goal)
            for other, entry, step_cost in self._moves(lane, s):
                # Straight to the goal is never further than by lane: a change costs more than it moves sideways.
                estimate = float(np.hypot(*(self._on_lane(other, np.array([entry]))[0] - target)))
                heapq.heappush(frontier, (cost + step_cost + estimate, cost + step_cost, other, entry, node))
        raise ValueError(
            f"no route leads from lane {start.lane} to lane {goal.lane}; choose a goal the start can reach"
        )

    def onward(self, start: LanePlace, length_m: float) -> LaneRoute:
        """The route that keeps to the straightest way at every junction, until `length_m` or the road's end."""
        lanes, covered = [start.lane], float(self._length[start.lane]) - start.s_m
        while covered < length_m and (options := self._after(lanes[-1])) and len(lanes) < 10_000:
            lanes.append(min(options, key=lambda lane: (abs(self._turn(lane)), lane)))
            covered += float(self._length[lanes[-1]])
        end = float(self._length[lanes[-1]]) - max(covered - length_m, 0.0)
        return LaneRoute(tuple(lanes), start.s_m, end, min(covered, length_m))

    def points(self, route: LaneRoute, step_m: float) -> tuple[Floats, NDArray[np.int64]]:
        """The route's centre line (n, 2) every `step_m` from start to goal, and the lane of each point (n,).

        A lane change crosses over along the last 30 m of the lane that is left.
        """
        pieces, owners = [], []
        s = route.start_s_m
        for index, lane in enumerate(route.lanes):
            last = index + 1 == len(route.lanes)
            changes = not last and route.lanes[index + 1] not in self._after(lane)
            end = route.goal_s_m if last else float(self._length[lane])
            if changes:
                end = min(s, max(end - _CHANGE_SPACE_M, 0.0))
            along = np.append(np.arange(s, end, 1.0), end) if end > s else np.array([s])
            pieces.append(self._on_lane(lane, along))
            owners.append(np.full(len(along), lane))
            s = (
                0.0
                if not changes
                else self._beside(lane, route.lanes[index + 1], min(end + _CHANGE_SPACE_M, float(self._length[lane])))
            )
        xy, lane = np.concatenate(pieces), np.concatenate(owners)
        gap = np.hypot(*np.diff(xy, axis=0).T)
        keep = np.concatenate(([True], gap > 1e-6))
        xy, lane = xy[keep], lane[keep]
        run = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))))
        wanted = np.arange(0.0, run[-1] + 1e-9, step_m)
        at = np.clip(np.searchsorted(run, wanted, side="right") - 1, 0, len(run) - 1)
        return np.column_stack([np.interp(wanted, run, xy[:, axis]) for axis in (0, 1)]), lane[at]

    # ---------------------------------------------------------------- steps

    def _after(self, lane: int) -> list[int]:
        return [int(x) for x in self._successor[self._successor_first[lane] : self._successor_first[lane + 1]]]

    def _moves(self, lane: int, s: float) -> list[tuple[int, float, float]]:
        """Where one can go from a lane entered at s: (lane, s there, cost)."""
        left = max(float(self._length[lane]) - s, 0.0)
        moves = [(other, 0.0, left) for other in self._after(lane)]
        for neighbour, exists in self._sides:
            if exists[lane] and left > 1.0:
                space = min(left, _CHANGE_SPACE_M)
                other = int(neighbour[lane])
                moves.append((other, self._beside(lane, other, s + space), space + CHANGE_COST_M))
        return moves

    def _beside(self, lane: int, other: int, s: float) -> float:
        return s * float(self._length[other]) / float(self._length[lane])

    def _turn(self, lane: int) -> float:
        first, last = self._first[lane], self._first[lane + 1] - 1
        return float(self._yaw[last] - self._yaw[first])  # yaw is continuous along a lane

    def _on_lane(self, lane: int, s: Floats) -> Floats:
        first, count = self._first[lane], self._first[lane + 1] - self._first[lane]
        at = np.arange(count) * self._step[lane]
        return np.column_stack([np.interp(s, at, self._xy[first : first + count, axis]) for axis in (0, 1)])

    def _trace(self, came: "dict[_Node, _Node | None]", end: "_Node", start: LanePlace, goal: LanePlace) -> LaneRoute:
        lanes: list[int] = []
        node: _Node | None = end
        while node is not None:
            lanes.append(node[0])
            node = came[node]
        lanes.reverse()
        return LaneRoute(tuple(lanes), start.s_m, goal.s_m, self._travelled(lanes, start, goal))

    def _travelled(self, lanes: list[int], start: LanePlace, goal: LanePlace) -> float:
        """Metres along the lanes; a change goes on beside where it began."""
        total, s = 0.0, start.s_m
        for lane, after in pairwise(lanes):
            if after in self._after(lane):
                total, s = total + float(self._length[lane]) - s, 0.0
            else:
                s = self._beside(lane, after, s)
        return total + goal.s_m - s


def _host(tensor: object) -> NDArray:
    return tensor.cpu().numpy()  # type: ignore[attr-defined]
