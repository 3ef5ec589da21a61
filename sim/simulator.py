"""The batched world: B worlds x N actors in torch tensors that Warp kernels spawn and step in place.

One tick is what `step` reads like: traffic plans on the state before the tick, everybody moves, the orders along lanes
and along x are brought up to date, collisions are found. All buffers live as long as the simulator; nothing is
allocated in the loop, so callers that keep a result must copy it.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
import warp as wp

from configs.schema import SimConfig
from sim.kernels import collision, motion, order, people, respawn, sense, spawn, spawn_people, traffic
from sim.lanegraph import to_device
from sim.lanepack import pack_lanes, warp_view
from sim.types import (
    PATH_LANES,
    ROUTE_POINTS,
    ROUTE_STEP_M,
    Action,
    Boxes3D,
    EgoState,
    LaneGraph,
    Route,
    State,
    World,
)
from sim.warp_start import start_warp

OBSERVATION_SIZE = 8 + 2 * 10 + 7 * 8  # of `observe_all`: own, path points, nearest others
MAX_ACTORS = 2048  # two lane entries each fit the 12 slot bits of a sort key

# Buffers whose last axis kernels read as one vector
_AS_VECTORS = frozenset(
    (
        "xy_world_m",
        "size_m",
        "path_lane",
        "walk_from_world_m",
        "walk_to_world_m",
        "box",
        "entry",
        "xy_ego_m",
        "center_ego_m",
        "velocity_ego_mps",
    )
)


class Simulator:
    """B worlds of N actors: the ego (actor 0), vehicles, and people last.

    lanes: the maps. config: how many actors, how long a tick, how long a route. seeds (B,) int64 and map_index (B,)
    int32 say which episode each world starts. `controlled` (N,) bool: who `Action` moves; the ego by default.
    Raises ValueError where shapes, counts or map numbers do not fit.
    """

    def __init__(
        self,
        lanes: LaneGraph,
        config: SimConfig,
        seeds: torch.Tensor,
        map_index: torch.Tensor,
        device: str | torch.device = "cpu",
        controlled: torch.Tensor | Sequence[bool] | None = None,
    ) -> None:
        start_warp()
        self.config = config
        self.device = torch.device(device)
        self._wp_device = wp.device_from_torch(self.device)
        self.worlds = len(seeds)
        self.actors = config.actors
        self.people = config.pedestrians
        self.first_person = self.actors - self.people
        if self.first_person < 1:
            raise ValueError(
                f"sim.pedestrians is {config.pedestrians} of sim.actors {config.actors}: the ego needs a place too"
            )
        if self.actors > MAX_ACTORS:
            raise ValueError(f"sim.actors is {self.actors}, at most {MAX_ACTORS} are possible")
        if self.worlds < 1:
            raise ValueError("seeds is empty: at least one world is needed")
        self._maps = len(lanes.lane_first) - 1
        # One thread walks through a world's actors on the CPU, where each thread costs ~30 ns to set up its arguments.
        self._threads = self.actors if self.device.type == "cuda" else 1
        self._wants_control = self._control_mask(controlled)
        self._graph = to_device(lanes, self.device)
        self._lanes, self._lane_tensors = pack_lanes(self._graph, self.device)
        self.world = self._allocate_world()
        self.state = self._allocate_state()
        self._allocate_private()
        self._record()
        self.reset(torch.ones(self.worlds, dtype=torch.bool), seeds, map_index)

    # ---------------------------------------------------------------- episodes

    def reset(self, mask: torch.Tensor, seeds: torch.Tensor, map_index: torch.Tensor | None = None) -> None:
        """Start new episodes in the worlds of `mask` (B,) bool, in place, the same bits as in a fresh simulator.

        `seeds` (B,) int64 and `map_index` (B,) int32 are read where the mask is set; without `map_index` worlds keep
        their map. Raises ValueError on wrong shapes and unknown maps.
        """
        for name, value in (("mask", mask), ("seeds", seeds), ("map_index", map_index)):
            if value is not None and value.shape != (self.worlds,):
                raise ValueError(f"{name} has shape {tuple(value.shape)}, expected ({self.worlds},)")
        if map_index is not None:
            used = map_index[mask.to(map_index.device)]
            if len(used) and (int(used.min()) < 0 or int(used.max()) >= self._maps):
                raise ValueError(f"map_index must lie in 0..{self._maps - 1}, got {int(used.min())}..{int(used.max())}")
        self._mask.copy_(mask)
        self._new_seed.copy_(seeds)
        self._new_map.copy_(self.world.map_index if map_index is None else map_index)
        for launch in self._reset_launches:
            launch.launch()

    def step(self, action: Action) -> None:
        """Advance every world by one tick of `world.dt_s` seconds; `action` rows count where `world.controlled`."""
        if action.accel_mps2 is not self._action.accel_mps2:
            self._action.accel_mps2.copy_(action.accel_mps2)
            self._action.steer_rad.copy_(action.steer_rad)
            self._action.valid.copy_(action.valid)
        for launch in self._step_launches:
            launch.launch()

    @property
    def action(self) -> Action:
        """The action buffer itself: fill it and hand it to `step` to save a copy."""
        return self._action

    # ---------------------------------------------------------------- senses

    def route(self) -> Route:
        """The route ahead of each ego; the same buffers every call."""
        self._route_launch.launch()
        return self._route

    def ego_state(self) -> EgoState:
        """Odometry of each ego; the same buffers every call."""
        self._ego_launch.launch()
        return self._ego

    def boxes_3d(self) -> Boxes3D:
        """All actors but the ego, K = N - 1 in actor order, in the ego frame; the same buffers every call."""
        if self._boxes_launch is not None:
            self._boxes_launch.launch()
        return self._boxes

    def sense_reset(self) -> None:
        """Bring route, odometry and boxes up to date in the worlds last reset; the other rows stay as sensed."""
        for launch in self._sense_reset_launches:
            launch.launch()

    def observe_all(self) -> torch.Tensor:
        """An observation of every actor (B, N, OBSERVATION_SIZE): itself, its path, its 8 nearest.

        Rows of invalid actors are zero.
        """
        self._observe_launch.launch()
        return self._observation

    # ---------------------------------------------------------------- set-up

    def _control_mask(self, controlled: torch.Tensor | Sequence[bool] | None) -> torch.Tensor:
        mask = torch.zeros(self.actors, dtype=torch.bool)
        if controlled is None:
            mask[0] = True
        else:
            mask[:] = torch.as_tensor(controlled, dtype=torch.bool)
        if mask[self.first_person :].any():
            raise ValueError(f"controlled may only name vehicles (actors 0..{self.first_person - 1}), not people")
        return mask.to(self.device)

    # ---------------------------------------------------------------- launches

    def _views(self) -> dict[str, object]:
        """Every kernel argument by its name; kernels ask for what they need."""
        views: dict[str, object] = {
            "lanes": self._lanes,
            "dt": self.config.dt_s,
            "first_person": self.first_person,
            "people": self.people,
            "threads": self._threads,
            "wanted_m": self.config.route_m,
            "step_m": ROUTE_STEP_M,
        }
        tensors = {f.name: getattr(self.world, f.name) for f in fields(World) if f.name not in ("lanes", "dt_s")}
        tensors |= {f.name: getattr(self.state, f.name) for f in fields(State)}
        tensors |= {f"action_{f.name}": getattr(self._action, f.name) for f in fields(Action)}
        tensors |= self._private
        tensors |= {"mask": self._mask, "new_seed": self._new_seed, "new_map": self._new_map}
        tensors["everyone"] = self._everyone
        tensors |= {"wants_control": self._wants_control, "observation": self._observation}
        for alias in ("speed_factor", "walk_speed_mps"):
            tensors[alias] = self.world.desired_speed_factor
        views |= {name: warp_view(tensor, name in _AS_VECTORS) for name, tensor in tensors.items()}
        return views

    # Pyright takes a decorated kernel for a function, hence Any.
    def _launch(self, kernel: Any, dim: int | tuple[int, ...], result: object = None, **renamed: str) -> Any:
        """Record a launch with arguments bound by name: `x` and `x_out` are the buffer x, or field x of `result`."""
        values = []
        for argument in kernel.adj.args:
            name = argument.label.removesuffix("_out")
            if result is not None and argument.label.endswith("_out"):
                tensor = getattr(result, name)
                values.append(warp_view(tensor, tensor.ndim > 1 and name in _AS_VECTORS))
            else:
                values.append(self._bound[str(renamed.get(name, name))])
        return wp.launch(kernel, dim=dim, inputs=values, device=self._wp_device, record_cmd=True)

    def _record(self) -> None:
        """Record every launch once; `step` and `reset` only replay them."""
        self._bound = self._views()
        b, n, p = self.worlds, self.actors, self.people
        each = (b, self._threads)

        def settle(mask: str) -> list[Any]:
            return [
                self._launch(order.enter_vehicles, each, mask=mask),
                *([self._launch(people.enter_people, each, mask=mask)] if p else []),
                self._launch(order.sort_keys, b, key="entry_key", mask=mask),
                self._launch(order.sort_keys, b, key="x_key", sorted_key="sorted_x", rank="rank_x", mask=mask),
            ]

        self._step_launches = [
            self._launch(traffic.plan_traffic, each),
            self._launch(motion.move_traffic, each),
            self._launch(motion.move_controlled, each),
            *([self._launch(people.walk, each)] if p else []),
            self._launch(respawn.respawn, b),
            *settle("everyone"),
            self._launch(collision.find_collisions, each, mask="everyone"),
        ]
        self._reset_launches = [
            self._launch(spawn.spawn_ego, b),
            self._launch(spawn.draw_character, (b, n)),
            self._launch(spawn.spawn_vehicles, b),
            *([self._launch(spawn_people.spawn_people, (b, p))] if p else []),
            self._launch(spawn.clear_rest, (b, n)),
            *settle("mask"),
            self._launch(respawn.settle_speeds, (b, n)),
            *settle("mask"),
            self._launch(collision.find_collisions, each),
        ]
        self._route_launch = self._launch(sense.sense_route, (b, ROUTE_POINTS), self._route, mask="everyone")
        self._ego_launch = self._launch(sense.sense_ego, b, self._ego)
        boxes = (sense.sense_boxes, (b, n - 1), self._boxes)
        self._boxes_launch = self._launch(*boxes, mask="everyone") if n > 1 else None
        self._sense_reset_launches = [
            self._launch(sense.sense_route, (b, ROUTE_POINTS), self._route),
            self._ego_launch,
            *([self._launch(*boxes)] if n > 1 else []),
        ]
        self._observe_launch = self._launch(sense.observe_actors, each)

    def _empty(self, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.zeros(*shape, dtype=dtype, device=self.device)

    def _allocate_world(self) -> World:
        b, n = self.worlds, self.actors
        route = 16 + int(np.ceil(self.config.route_m / 10.0))
        empty, i32 = self._empty, torch.int32
        return World(
            lanes=self._graph,
            map_index=empty(b, dtype=i32),
            seed=empty(b, dtype=torch.int64),
            dt_s=self.config.dt_s,
            kind=empty(b, n, dtype=i32),
            size_m=empty(b, n, 3),
            wheelbase_m=empty(b, n),
            appearance_id=empty(b, n, dtype=i32),
            desired_speed_factor=empty(b, n),
            time_gap_s=empty(b, n),
            max_accel_mps2=empty(b, n),
            comfort_decel_mps2=empty(b, n),
            controlled=empty(b, n, dtype=torch.bool),
            route_lane=empty(b, route, dtype=i32),
            route_valid=empty(b, route, dtype=torch.bool),
            route_length_m=empty(b),
            walk_from_world_m=empty(b, n, 2),
            walk_to_world_m=empty(b, n, 2),
        )

    def _allocate_state(self) -> State:
        b, n = self.worlds, self.actors
        empty, i32 = self._empty, torch.int32
        return State(
            tick=empty(b, dtype=torch.int64),
            valid=empty(b, n, dtype=torch.bool),
            xy_world_m=empty(b, n, 2),
            z_world_m=empty(b, n),
            yaw_world_rad=empty(b, n),
            speed_mps=empty(b, n),
            accel_mps2=empty(b, n),
            steer_rad=empty(b, n),
            yaw_rate_radps=empty(b, n),
            path_lane=empty(b, n, PATH_LANES, dtype=i32),
            path_valid=empty(b, n, PATH_LANES, dtype=torch.bool),
            lane_s_m=empty(b, n),
            lane_lateral_m=empty(b, n),
            walk_s_m=empty(b, n),
            route_index=empty(b, dtype=i32),
            progress_m=empty(b),
            collided=empty(b, n, dtype=torch.bool),
            collided_with=empty(b, n, dtype=i32),
            offroad=empty(b, n, dtype=torch.bool),
        )

    def _allocate_private(self) -> None:
        """What only the engine needs: orders, lane entries, intentions, crossings; and the result buffers."""
        b, n, p = self.worlds, self.actors, max(self.people, 1)
        empty, i32, i64 = self._empty, torch.int32, torch.int64
        self._mask, self._new_seed, self._new_map = empty(b, dtype=torch.bool), empty(b, dtype=i64), empty(b, dtype=i32)
        self._everyone = torch.ones(b, dtype=torch.bool, device=self.device)
        self._private = {
            "box": empty(b, n, 4),
            "x_key": empty(b, n, dtype=i64),
            "sorted_x": empty(b, n, dtype=i64),
            "rank_x": empty(b, n, dtype=i32),
            "entry": empty(b, 2 * n, 4),
            "entry_key": empty(b, 2 * n, dtype=i64),
            "sorted_key": empty(b, 2 * n, dtype=i64),
            "rank": empty(b, 2 * n, dtype=i32),
            "command_mps2": empty(b, n),
            "change_to": empty(b, n, dtype=i32),
            "change_start_m": empty(b, n),
            "change_time_s": empty(b, n),
            "committed": empty(b, n, dtype=i32),
            "next_committed": empty(b, n, dtype=i32),
            "wait_s": empty(b, n),
            "next_wait_s": empty(b, n),
            "crash_s": empty(b, n),
            "walk_wait_s": empty(b, p),
            "cross_count": empty(b, p, dtype=i32),
            "cross_lane": empty(b, p, 8, dtype=i32),
            "cross_s_m": empty(b, p, 8),
            "cross_at_m": empty(b, p, 8),
            "route_offset_m": empty(b, self.world.route_lane.shape[1]),
        }
        self._action = Action(empty(b, n), empty(b, n), empty(b, n, dtype=torch.bool))
        self._observation = empty(b, n, OBSERVATION_SIZE)
        points, boxes = ROUTE_POINTS, n - 1
        self._route = Route(
            empty(b, points, 2), empty(b, points), empty(b, points, dtype=torch.bool), empty(b), empty(b), empty(b)
        )
        self._ego = EgoState(empty(b), empty(b), empty(b), empty(b), empty(b), empty(b, 3), empty(b))
        self._boxes = Boxes3D(
            center_ego_m=empty(b, boxes, 3),
            size_m=empty(b, boxes, 3),
            yaw_ego_rad=empty(b, boxes),
            velocity_ego_mps=empty(b, boxes, 2),
            kind=empty(b, boxes, dtype=i32),
            score=empty(b, boxes),
            track_id=empty(b, boxes, dtype=i32),
            valid=empty(b, boxes, dtype=torch.bool),
        )
