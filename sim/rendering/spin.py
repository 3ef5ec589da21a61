"""Beams that turn, host side: tables of rays, and what each of them meets in every world at one tick."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import warp as wp

from sim.render_kernels import spin as kernels
from sim.rendering.render import Renderer
from sim.types import State, World

_BINS = 4096  # of the table from elevations to rays
_LANES_CUDA = 32  # threads that share one instance's triangles
_NO_KEY = 0x7FFFFFFFFFFFFFFF


@dataclass(frozen=True)
class Rays:
    """The rays of one spin: every elevation at every azimuth."""

    elevation_rad: np.ndarray  # (R,) ascending
    azimuth_rad: np.ndarray  # (A,) evenly spaced
    range_m: float
    ego_from_sensor: np.ndarray  # (4, 4)
    spin_s: float = 0.0  # time from the first column to the tick; 0: all columns are of the tick


class Spin:
    """Traces one sensor's rays through the worlds of a renderer; `key` (B, A, R) is overwritten by the next call."""

    def __init__(self, renderer: Renderer, rays: Rays) -> None:
        if len(rays.elevation_rad) < 2 or len(rays.azimuth_rad) < 2 or (np.diff(rays.elevation_rad) <= 0.0).any():
            raise ValueError("rays: want two elevations and azimuths or more, elevations ascending")
        self.rays, self._renderer = rays, renderer
        self.device, self.worlds, self.actors = renderer.device, renderer.worlds, renderer.actors
        self._reach, self._slots = renderer.neighbourhood(rays.range_m)
        self.beams, self.place, self._near = self._beams(), self._places(), self._list()
        shape = (self.worlds, len(rays.azimuth_rad), len(rays.elevation_rad))
        self._key = torch.full(shape, _NO_KEY, dtype=torch.int64, device=self.device)
        self.key = wp.from_torch(self._key)

    def clear(self) -> None:
        """Forget the last spin."""
        self._key.fill_(_NO_KEY)

    def record(self, world: World, state: State) -> list[Any]:
        """The launches that fill `key`, to be replayed after `clear` as long as these tensors are the same."""
        rays, renderer = self.rays, self._renderer
        command, meshes, placed, statics, _ = renderer.scene(world, state)
        moves = [state.xy_world_m, state.z_world_m, state.yaw_world_rad, state.pitch_rad, state.speed_mps]
        moves.append(state.yaw_rate_radps)
        mount = wp.mat44(rays.ego_from_sensor.astype(np.float32))
        inputs = [*(wp.from_torch(tensor) for tensor in moves), mount, self.beams]
        commands = [
            command,
            self._launch(kernels.place_sensors, (self.worlds,), inputs, [self.place, self._near.count]),
        ]
        cells = self.actors + (2 * self._reach + 1) ** 2
        threads, lanes = (1, 1) if self.device == "cpu" else (cells, _LANES_CUDA)
        inputs = [wp.from_torch(world.map_index), wp.from_torch(state.speed_mps), self.beams, self.place, meshes]
        inputs += [placed, statics, rays.range_m, self._reach, self.actors, threads]
        commands.append(self._launch(kernels.list_near, (self.worlds, threads), inputs, [self._near]))
        threads = 1 if self.device == "cpu" else self._slots * lanes
        inputs = [self.beams, self.place, meshes, self._near, threads, lanes]
        commands.append(self._launch(kernels.sweep, (self.worlds, threads), inputs, [self.key]))
        return commands

    def _launch(self, kernel: Any, dim: tuple[int, ...], inputs: list, outputs: list) -> Any:
        return wp.launch(kernel, dim, inputs=inputs, outputs=outputs, device=self.device, record_cmd=True)

    def _beams(self) -> Any:  # kernels.Beams
        rays, result = self.rays, kernels.Beams()
        tan = np.tan(rays.elevation_rad).astype(np.float32)
        first, last = float(tan[0]) - 1e-4, float(tan[-1]) + 1e-4
        edges = np.linspace(first, last, _BINS + 1)[:-1]
        result.tan = wp.array(tan, dtype=wp.float32, device=self.device)
        # A bin early, so that rounding in the kernel cannot pass over a ray.
        channel = np.searchsorted(tan, np.concatenate([edges[:1], edges[:-1]]))
        result.channel = wp.array(channel.astype(np.int32), dtype=wp.int32, device=self.device)
        result.tan_first, result.bins_per_tan = first, _BINS / (last - first)
        result.channels, result.columns = len(tan), len(rays.azimuth_rad)
        result.first_rad = float(rays.azimuth_rad[0])
        result.step_rad = float(rays.azimuth_rad[-1] - rays.azimuth_rad[0]) / (len(rays.azimuth_rad) - 1)
        result.spin_s = rays.spin_s
        return result

    def _places(self) -> Any:  # kernels.Place
        result = kernels.Place()
        result.eye = wp.zeros(self.worlds, dtype=wp.vec3, device=self.device)
        result.sensor_from_world = wp.zeros(self.worlds, dtype=wp.mat33, device=self.device)
        result.travel = wp.zeros(self.worlds, dtype=wp.vec3, device=self.device)
        result.turn_rad = wp.zeros(self.worlds, dtype=wp.float32, device=self.device)
        result.aim = wp.zeros((self.worlds, len(self.rays.azimuth_rad)), dtype=wp.vec2, device=self.device)
        return result

    def _list(self) -> Any:  # kernels.Near
        shape, result = (self.worlds, self._slots), kernels.Near()
        result.count = wp.zeros(self.worlds, dtype=wp.int32, device=self.device)
        result.name = wp.zeros(shape, dtype=wp.int64, device=self.device)
        result.triangles = wp.zeros(shape, dtype=wp.vec2i, device=self.device)
        result.axes = wp.zeros(shape, dtype=wp.mat33, device=self.device)
        for name in ("shift", "drift", "source", "source_before"):
            setattr(result, name, wp.zeros(shape, dtype=wp.vec3, device=self.device))
        return result
