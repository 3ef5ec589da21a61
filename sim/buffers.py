"""Every buffer of a batch, allocated once: what `World` and `State` show, what only the engine needs, results."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch

from configs.schema import SimConfig
from sim.types import (
    PATH_LANES,
    ROUTE_POINTS,
    Action,
    Boxes3D,
    EgoState,
    LaneGraph,
    Route,
    State,
    World,
)

OBSERVATION_SIZE = 8 + 2 * 10 + 7 * 8  # of `Simulator.observe_all`: own, path points, nearest others


class _Empty:
    """Zeroed tensors on one device."""

    def __init__(self, device: torch.device) -> None:
        self._device = device

    def __call__(self, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.zeros(*shape, dtype=dtype, device=self._device)


@dataclass
class Buffers:
    """All tensors of B worlds x N actors; every one but `wants_control` (N,) has the worlds first."""

    world: World
    state: State
    action: Action
    private: dict[str, torch.Tensor]  # orders, lane entries, intentions, crossings
    mask: torch.Tensor  # (B,) bool: which worlds a reset starts anew
    new_seed: torch.Tensor  # (B,) int64
    new_map: torch.Tensor  # (B,) int32
    everyone: torch.Tensor  # (B,) bool, all true
    wants_control: torch.Tensor  # (N,) bool
    observation: torch.Tensor  # (B, N, OBSERVATION_SIZE)
    route: Route
    ego: EgoState
    boxes: Boxes3D

    def by_name(self) -> dict[str, torch.Tensor]:
        """Every tensor that a kernel may ask for with the worlds first, by the name of the argument."""
        found = {f.name: getattr(self.world, f.name) for f in fields(World) if f.name not in ("lanes", "dt_s")}
        found |= {f.name: getattr(self.state, f.name) for f in fields(State)}
        found |= {f"action_{f.name}": getattr(self.action, f.name) for f in fields(Action)}
        found |= self.private
        found |= {name: getattr(self, name) for name in ("mask", "new_seed", "new_map", "everyone")}
        found["observation"] = self.observation.unflatten(2, (3, 28))
        for alias in ("speed_factor", "walk_speed_mps"):
            found[alias] = self.world.desired_speed_factor
        return found


def allocate(
    graph: LaneGraph, config: SimConfig, worlds: int, wants_control: torch.Tensor, device: torch.device
) -> Buffers:
    """Zeroed buffers of `worlds` worlds of `config.actors` actors."""
    b, n, empty = worlds, config.actors, _Empty(device)
    world = _world(graph, config, b, empty)
    return Buffers(
        world=world,
        state=_state(b, n, _most_groups(graph), empty),
        action=Action(empty(b, n), empty(b, n), empty(b, n, dtype=torch.bool)),
        private=_private(b, n, max(config.pedestrians, 1), world.route_lane.shape[1], empty),
        mask=empty(b, dtype=torch.bool),
        new_seed=empty(b, dtype=torch.int64),
        new_map=empty(b, dtype=torch.int32),
        everyone=torch.ones(b, dtype=torch.bool, device=device),
        wants_control=wants_control.to(device),
        observation=empty(b, n, OBSERVATION_SIZE),
        route=_route(b, ROUTE_POINTS, empty),
        ego=EgoState(empty(b), empty(b), empty(b), empty(b), empty(b), empty(b, 3), empty(b)),
        boxes=_boxes(b, n - 1, empty),
    )


def _world(graph: LaneGraph, config: SimConfig, b: int, empty: Any) -> World:
    n, i32 = config.actors, torch.int32
    route = 16 + int(np.ceil(config.route_m / 10.0))
    return World(
        lanes=graph,
        map_index=empty(b, dtype=i32),
        seed=empty(b, dtype=torch.int64),
        dt_s=config.dt_s,
        friction=empty(b) + config.road_friction,
        kind=empty(b, n, dtype=i32),
        size_m=empty(b, n, 3),
        wheelbase_m=empty(b, n),
        appearance_id=empty(b, n, dtype=i32),
        desired_speed_factor=empty(b, n),
        time_gap_s=empty(b, n),
        max_accel_mps2=empty(b, n),
        comfort_decel_mps2=empty(b, n),
        patience_s=empty(b, n),
        politeness=empty(b, n),
        controlled=empty(b, n, dtype=torch.bool),
        route_lane=empty(b, route, dtype=i32),
        route_valid=empty(b, route, dtype=torch.bool),
        route_length_m=empty(b),
        walk_from_world_m=empty(b, n, 2),
        walk_to_world_m=empty(b, n, 2),
    )


def _most_groups(graph: LaneGraph) -> int:
    """The most groups of lights that any map has, at least 1."""
    return max(1, int(torch.diff(graph.signal_first).max()))


def _state(b: int, n: int, groups: int, empty: Any) -> State:
    i32 = torch.int32
    return State(
        tick=empty(b, dtype=torch.int64),
        valid=empty(b, n, dtype=torch.bool),
        xy_world_m=empty(b, n, 2),
        z_world_m=empty(b, n),
        pitch_rad=empty(b, n),
        yaw_world_rad=empty(b, n),
        speed_mps=empty(b, n),
        lateral_mps=empty(b, n),
        accel_mps2=empty(b, n),
        steer_rad=empty(b, n),
        yaw_rate_radps=empty(b, n),
        path_lane=empty(b, n, PATH_LANES, dtype=i32),
        path_valid=empty(b, n, PATH_LANES, dtype=torch.bool),
        lane_s_m=empty(b, n),
        lane_lateral_m=empty(b, n),
        walk_s_m=empty(b, n),
        indicator=empty(b, n),
        door_s=empty(b, n),
        route_index=empty(b, dtype=i32),
        progress_m=empty(b),
        collided=empty(b, n, dtype=torch.bool),
        collided_with=empty(b, n, dtype=i32),
        offroad=empty(b, n, dtype=torch.bool),
        signal_phase=empty(b, groups, dtype=i32),
        signal_valid=empty(b, groups, dtype=torch.bool),
    )


def _private(b: int, n: int, p: int, route: int, empty: Any) -> dict[str, torch.Tensor]:
    """What only the engine needs, for `p` people and routes of `route` lanes."""
    i32, i64 = torch.int32, torch.int64
    return {
        "box": empty(b, n, 4),
        "body": empty(b, n, 4),
        "x_key": empty(b, n, dtype=i64),
        "sorted_x": empty(b, n, dtype=i64),
        "rank_x": empty(b, n, dtype=i32),
        "entry": empty(b, 2 * n, 4),
        "entry_key": empty(b, 2 * n, dtype=i64),
        "sorted_key": empty(b, 2 * n, dtype=i64),
        "rank": empty(b, 2 * n, dtype=i32),
        "command_mps2": empty(b, n),
        "drive_mps2": empty(b, n),
        "aim_m": empty(b, n),
        "change_to": empty(b, n, dtype=i32),
        "change_start_m": empty(b, n),
        "change_time_s": empty(b, n),
        "committed": empty(b, n, dtype=i32),
        "next_committed": empty(b, n, dtype=i32),
        "wait_s": empty(b, n),
        "next_wait_s": empty(b, n),
        "crash_s": empty(b, n),
        "walk_wait_s": empty(b, p),
        "walk_z_m": empty(b, p, 2),
        "walk_hold": empty(b, p, dtype=i32),
        "walk_style": empty(b, p, dtype=i32),
        "cross_count": empty(b, p, dtype=i32),
        "cross_lane": empty(b, p, 8, dtype=i32),
        "cross_s_m": empty(b, p, 8),
        "cross_at_m": empty(b, p, 8),
        "route_offset_m": empty(b, route),
    }


def _route(b: int, points: int, empty: Any) -> Route:
    flags = empty(b, points, dtype=torch.bool)
    return Route(empty(b, points, 2), empty(b, points), flags, empty(b), empty(b), empty(b))


def _boxes(b: int, k: int, empty: Any) -> Boxes3D:
    return Boxes3D(
        center_ego_m=empty(b, k, 3),
        size_m=empty(b, k, 3),
        yaw_ego_rad=empty(b, k),
        velocity_ego_mps=empty(b, k, 2),
        kind=empty(b, k, dtype=torch.int32),
        score=empty(b, k),
        track_id=empty(b, k, dtype=torch.int32),
        valid=empty(b, k, dtype=torch.bool),
    )
