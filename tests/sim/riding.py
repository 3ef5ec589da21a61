"""Simulators with two-wheelers for tests, and vehicles put where a test wants them."""

import torch

from configs.schema import SimConfig
from sim.simulator import Simulator
from sim.types import LaneGraph


def riders(lanes: LaneGraph, worlds: int = 1, actors: int = 8, **counts: int) -> Simulator:
    """Worlds in which the traffic model moves everybody."""
    config = SimConfig(actors=actors, pedestrians=0, **counts)  # type: ignore[arg-type]
    index = (torch.arange(worlds) % (len(lanes.lane_first) - 1)).int()
    return Simulator(lanes, config, torch.arange(worlds), index, controlled=[False] * actors)


def place(sim: Simulator, rows: dict[int, tuple[int, float, float]]) -> None:
    """Put actors of world 0 on straight lanes: {actor: (lane, s_m, speed_mps)}; all others leave."""
    state = sim.state
    state.valid[:] = False
    for i, (lane, s, speed) in rows.items():
        state.valid[0, i] = True
        state.path_lane[0, i], state.path_valid[0, i] = lane, torch.tensor([True, False, False, False])
        state.lane_s_m[0, i], state.speed_mps[0, i], state.lane_lateral_m[0, i] = s, speed, 0.0
        state.xy_world_m[0, i] = torch.tensor([s, 3.5 * lane])
        state.yaw_world_rad[0, i] = 0.0
