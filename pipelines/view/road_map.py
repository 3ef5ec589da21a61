"""The map beside the picture, as shapes that the page draws: lanes, lines and lights."""

from itertools import pairwise
from typing import Any

import numpy as np

from pipelines.worlds import Worlds
from sim.roads.network import RoadNetwork
from sim.types import LaneControl, LaneGraph

KINDS = ("driving", "sidewalk", "parking", "biking", "shoulder", "border", "median")
MOST_POINTS = 150_000
STEPS_M = (2.0, 4.0, 8.0, 16.0)


def map_of(worlds: Worlds) -> dict[str, Any]:
    """`surfaces`: outlines by kind of lane, the driving ones last; `lines`: painted ones; `lights`: x, y, group."""
    network = worlds.maps.networks[int(worlds.map_index[0])]
    shapes = _surfaces(network)
    corners = np.concatenate([np.reshape(outline, (-1, 2)) for _, outline in shapes])
    return {
        "name": worlds.places[0],
        "bounds": [*corners.min(axis=0).round(1).tolist(), *corners.max(axis=0).round(1).tolist()],
        "surfaces": shapes,
        "lines": [
            [m.color, round(m.gap_m, 1), _flat(m.xy_world_m)] for m in network.markings(3.0) if len(m.xy_world_m) > 1
        ],
        "lights": _lights(worlds.maps.lanes),
    }


def _surfaces(network: RoadNetwork) -> list[list[Any]]:
    for step_m in STEPS_M:
        strips = [s for s in network.strips(step_m) if s.kind in KINDS]
        if sum(len(s.s_m) for s in strips) <= MOST_POINTS:
            break
    strips.sort(key=lambda s: (s.kind == "driving", s.junction is not None))
    return [[s.kind, _flat(np.vstack([s.left_xy_world_m, s.right_xy_world_m[::-1]]))] for s in strips]


def _flat(xy: np.ndarray) -> list[float]:
    """Points (n, 2) as x, y, x, y in decimetres' precision."""
    return np.round(xy, 1).reshape(-1).tolist()


def _lights(lanes: LaneGraph) -> list[list[float]]:
    """Where lanes end at lights."""
    ends = [last - 1 for _, last in pairwise(lanes.sample_first.tolist())]
    lit = (lanes.control == int(LaneControl.LIGHT)).nonzero()[:, 0].tolist()
    return [[*np.round(lanes.xy_world_m[ends[i]].numpy(), 1).tolist(), int(lanes.signal_group[i])] for i in lit]
