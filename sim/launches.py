"""Which kernels make a tick, a reset and each sense, in blocks of worlds."""

import math
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import torch
import warp as wp

from configs.schema import SimConfig
from sim.buffers import Buffers
from sim.kernels import (
    collision,
    dynamics,
    motion,
    order,
    parking,
    people,
    respawn,
    sense,
    signals,
    spawn,
    spawn_people,
    traffic,
)
from sim.kernels import lanes as lane_kernels
from sim.program import Program
from sim.roads.lanepack import warp_view
from sim.types import ROUTE_POINTS, ROUTE_STEP_M
from sim.warp_start import finish_loading, start_loading

# Worlds are stepped in blocks of about this many actors, so that what one kernel wrote is still in the core's cache
# when the next one reads it, however many worlds there are.
BLOCK_ACTORS = 1024

# Buffers whose last axis kernels read as one vector
_AS_VECTORS = frozenset(
    (
        "xy_world_m",
        "size_m",
        "path_lane",
        "walk_from_world_m",
        "walk_to_world_m",
        "walk_z_m",
        "observation",
        "box",
        "body",
        "entry",
        "xy_ego_m",
        "center_ego_m",
        "velocity_ego_mps",
    )
)


@dataclass(frozen=True)
class Loading:
    """Kernels that are being compiled and loaded: those that senses and resets need first, those of steps behind."""

    rest: list[Future]
    steps: list[Future]


def load(config: SimConfig, lit: bool, device: Any) -> Loading:
    """Begin to load all kernels that a simulator launches, `lit` where there are signals; the longest first."""
    rest = [sense, spawn, respawn, order]
    rest += [people, spawn_people] if config.pedestrians else []
    rest += [collision, lane_kernels]
    rest += [parking] if config.parked else []
    rest += [signals] if lit else []
    return Loading(start_loading(rest, device), start_loading([traffic, motion, dynamics], device))


def record(lanes: Any, config: SimConfig, buffers: Buffers, loading: Loading, device: Any) -> dict[str, Program]:
    """The programs `step`, `reset`, `route`, `ego`, `boxes`, `sense_reset` and `observe` over `buffers`."""
    worlds = len(buffers.mask)
    size = worlds if device.is_cuda else max(1, BLOCK_ACTORS // config.actors)
    blocks = [
        _Block(lanes, config, buffers, slice(first, min(first + size, worlds)), device)
        for first in range(0, worlds, size)
    ]

    def program(launches: Callable[[_Block], list[Any]], awaited: list[Future]) -> Program:
        def make() -> list[Any]:
            finish_loading(awaited)
            return [launch for block in blocks for launch in launches(block)]

        return Program(make, device)

    senses = {name: program(launches, loading.rest) for name, launches in _SENSES.items()}
    step = program(_Block.step, [*loading.rest, *loading.steps])
    return {"step": step, "reset": program(_Block.reset, loading.rest)} | senses


def _gain(dt_s: float, lag_s: float) -> float:
    """Share of a step that a first-order lag has followed after a tick."""
    return 1.0 - math.exp(-dt_s / lag_s) if lag_s > 0.0 else 1.0


class _Block:
    """The launches for some consecutive worlds."""

    def __init__(self, lanes: Any, config: SimConfig, buffers: Buffers, worlds: slice, device: Any) -> None:
        self._buffers, self._worlds, self._device = buffers, worlds, device
        self._count, self._actors, self._people = worlds.stop - worlds.start, config.actors, config.pedestrians
        self._parked = config.parked
        self._lit = len(buffers.world.lanes.signal_junction) > 0
        # One thread walks through a world's actors on the CPU, where each thread costs ~30 ns to set up its arguments.
        self._threads = config.actors if device.is_cuda else 1
        self._bound: dict[str, object] = {
            "lanes": lanes,
            "dt": config.dt_s,
            "dynamic": int(config.dynamics == "dynamic"),
            "accel_gain": _gain(config.dt_s, config.accel_lag_s),
            "steer_gain": _gain(config.dt_s, config.steer_lag_s),
            "most_jerk": config.max_jerk_mps3,
            "first_person": config.actors - config.pedestrians,
            "people": config.pedestrians,
            "first_parked": config.actors - config.pedestrians - config.parked,
            "cyclists": config.cyclists,
            "motorcycles": config.motorcycles,
            "trucks": config.trucks,
            "buses": config.buses,
            "threads": self._threads,
            "wanted_m": config.route_m,
            "step_m": ROUTE_STEP_M,
            "wants_control": warp_view(buffers.wants_control),
        }
        self._bound |= {name: self._view(name, tensor) for name, tensor in buffers.by_name().items()}

    def step(self) -> list[Any]:
        """One tick."""
        return [
            self._launch(traffic.plan_traffic, self._threads),
            self._launch(motion.move_traffic, self._threads),
            self._launch(dynamics.move_controlled, self._threads),
            *([self._launch(people.walk, self._threads)] if self._people else []),
            *([self._launch(parking.open_doors)] if self._parked else []),
            self._launch(respawn.respawn),
            *self._signals("everyone"),
            *self._settle("everyone"),
            self._launch(collision.find_collisions, self._threads, mask="everyone"),
        ]

    def reset(self) -> list[Any]:
        """New episodes."""
        n, p = self._actors, self._people
        return [
            self._launch(spawn.spawn_ego),
            self._launch(spawn.draw_character, n),
            self._launch(spawn.spawn_vehicles),
            *([self._launch(spawn_people.spawn_people, p)] if p else []),
            self._launch(spawn.clear_rest, n),
            *([self._launch(parking.park_cars)] if self._parked else []),
            *([self._launch(order.lift_people, p)] if p else []),
            *self._signals("mask"),
            *self._settle("mask"),
            self._launch(respawn.settle_speeds, n),
            *self._settle("mask"),
            self._launch(collision.find_collisions, self._threads),
        ]

    def route(self, mask: str = "everyone") -> list[Any]:
        return [self._launch(sense.sense_route, ROUTE_POINTS, self._buffers.route, mask=mask)]

    def ego(self) -> list[Any]:
        return [self._launch(sense.sense_ego, None, self._buffers.ego)]

    def boxes(self, mask: str = "everyone") -> list[Any]:
        others = self._actors - 1
        return [self._launch(sense.sense_boxes, others, self._buffers.boxes, mask=mask)] if others else []

    def sense_reset(self) -> list[Any]:
        return [*self.route("mask"), *self.ego(), *self.boxes("mask")]

    def observe(self) -> list[Any]:
        return [self._launch(sense.observe_actors, self._threads)]

    def _signals(self, mask: str) -> list[Any]:
        return [self._launch(signals.show_signals, mask=mask)] if self._lit else []

    def _settle(self, mask: str) -> list[Any]:
        """Bring the orders along lanes and along x up to date."""
        return [
            self._launch(order.enter_vehicles, self._threads, mask=mask),
            *([self._launch(people.enter_people, self._threads, mask=mask)] if self._people else []),
            self._launch(order.sort_keys, key="entry_key", mask=mask),
            self._launch(order.sort_keys, key="x_key", sorted_key="sorted_x", rank="rank_x", mask=mask),
        ]

    # Pyright takes a decorated kernel for a function, hence Any.
    def _launch(self, kernel: Any, per_world: int | None = None, result: object = None, **renamed: str) -> Any:
        """Record a launch with arguments bound by name: `x` and `x_out` are the buffer x, or field x of `result`."""
        values = []
        for argument in kernel.adj.args:
            name = argument.label.removesuffix("_out")
            if result is not None and argument.label.endswith("_out"):
                values.append(self._view(name, getattr(result, name)))
            else:
                values.append(self._bound[str(renamed.get(name, name))])
        dim = self._count if per_world is None else (self._count, per_world)
        return wp.launch(kernel, dim=dim, inputs=values, device=self._device, record_cmd=True)

    def _view(self, name: str, tensor: torch.Tensor) -> wp.array:
        return warp_view(tensor[self._worlds], tensor.ndim > 1 and name in _AS_VECTORS)


_SENSES: dict[str, Callable[[_Block], list[Any]]] = {
    "route": _Block.route,
    "ego": _Block.ego,
    "boxes": _Block.boxes,
    "sense_reset": _Block.sense_reset,
    "observe": _Block.observe,
}
