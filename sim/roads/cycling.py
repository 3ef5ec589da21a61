"""Cycle lanes: where beside a driving lane the next lane towards the kerb is one for bicycles."""

from typing import TYPE_CHECKING

import numpy as np

from sim.roads.geometry import Floats
from sim.roads.network import RoadNetwork

if TYPE_CHECKING:
    from sim.roads.lanegraph import MapLanes

_MIN_WIDTH_M = 1.0


def cycle_lanes(network: RoadNetwork, lanes: "MapLanes") -> Floats:
    """Per sample (P,) the middle of the cycle lane beside it, left of the lane's centre; 0 where there is none.

    Along bends the share of the way stands for the share of s: widths change slowly enough for that.
    """
    found = np.zeros(len(lanes.width_m))
    for lane, (road_id, section, id) in enumerate(lanes.keys):
        road = network.roads[road_id]
        part = road.sections[section]
        beside = id + (1 if id > 0 else -1)
        if lanes.junction[lane] is not None or beside not in part.lanes or part.lanes[beside].kind != "biking":
            continue
        samples = slice(int(lanes.sample_first[lane]), int(lanes.sample_first[lane + 1]))
        s = np.linspace(part.s_m, part.end_m(id) - 1e-6, samples.stop - samples.start)
        s = s if road.forward(id) else s[::-1]
        width = road.lane_at(section, beside, s)[2]
        middle = 0.5 * (lanes.width_m[samples] + width) * (-1.0 if road.right_hand else 1.0)
        found[samples] = np.where(width >= _MIN_WIDTH_M, middle, 0.0)
    return found
