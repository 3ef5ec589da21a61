"""Where cars can park: the parking spaces of a map beside its driving lanes."""

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim.roads.network import RoadNetwork

if TYPE_CHECKING:
    from sim.roads.lanegraph import MapLanes

SPACE_M = (5.0, 1.95)  # the shortest and narrowest space for any car
BESIDE_LANE_M = 8.0  # farther from a lane's centre nobody parks: those spaces lie on lots


def parking_spaces(network: RoadNetwork, lanes: "MapLanes") -> NDArray[np.float64]:
    """Centre x, y and heading cos, sin (K, 4) of spaces that fit a car, facing the way the nearest lane runs."""
    rows = []
    for space in network.objects:
        if space.kind != "parking" or space.length_m < SPACE_M[0] or space.width_m < SPACE_M[1]:
            continue
        road = network.roads[space.road]
        middle = road.pose(np.array([space.s_m]), np.array([space.t_m])).xyz_world_m[0, :2]
        away = np.hypot(*(lanes.xyz_world_m[:, :2] - middle).T)
        nearest = int(np.argmin(away))
        if away[nearest] > BESIDE_LANE_M:
            continue
        yaw = space.yaw_world_rad
        if math.cos(yaw - lanes.yaw_world_rad[nearest]) < 0.0:
            yaw += math.pi
        rows.append((*middle, math.cos(yaw), math.sin(yaw)))
    return np.array(rows).reshape(-1, 4)
