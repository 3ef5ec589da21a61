"""Where a scenario's ego should go, in the world."""

import numpy as np

from sim.roads.geometry import Floats
from sim.roads.network import RoadNetwork
from sim.scenarios.model import Scenario
from sim.scenarios.positions import LanePosition, RoadPosition
from sim.scenarios.values import Draw


def goal_xy_world_m(scenario: Scenario, draw: Draw, network: RoadNetwork | None) -> Floats | None:
    """The goal (B, 2) of every run; None where the scenario has none.

    Raises ValueError where it is not given on a road, Mixed where it is on different roads or lanes by run.
    """
    position = scenario.ego_goal
    if position is None:
        return None
    if network is None or not isinstance(position, LanePosition | RoadPosition):
        raise ValueError(f"{scenario.file.name}: the goal is not given on a road; say it by road or lane, and s")
    road, s = network.roads[position.road.text(draw)], position.s.numbers(draw)
    if isinstance(position, RoadPosition):
        t = position.t.numbers(draw)
    else:
        t = road.lane_t(position.lane.integer(draw), np.array(s))[0] + position.offset.numbers(draw)
    return road.pose(s, t).xyz_world_m[:, :2]
