"""A simple radar: what its rays meet, collected in cells of range, azimuth and speed, the strongest as detections.

    Spin (which triangle each ray meets) -> hear (cells) -> sums of cells -> measure (fluctuation, threshold) -> report

Every square metre that is seen has a radar cross-section by its class, so what is half hidden echoes half as loud; what
falls into one cell is one detection. Echoes fall with range^4; a car of 10 m2 is just heard at the radar's range. Rain
takes 1.1 R^0.71 dB per km at 77 GHz (after ITU-R P.838-3), fog and snow nothing. The road itself is not heard; ghosts
are second echoes between a target and the own car, at twice range and speed.
"""

import math
from typing import Any

import numpy as np
import torch
import warp as wp

from configs.schema import RadarConfig
from sim.render_kernels import radar as kernels
from sim.rendering.render import Renderer
from sim.rendering.spin import Rays, Spin
from sim.rendering.weather import Weather
from sim.types import SEMANTIC_OF_KIND, ActorKind, RadarLabels, RadarScan, Semantic, State, World

_ELEVATION_DEG = (-5.0, 7.0, 0.25)
_COLUMN_DEG = 0.5
# Cross-section per square metre that is seen: a car's rear of 2.8 m2 has 10 m2, a person 0.5 m2.
_GAIN: dict[Semantic, float] = {
    Semantic.CAR: 3.5,
    Semantic.TRUCK: 3.5,
    Semantic.BUS: 3.0,
    Semantic.MOTORCYCLE: 2.5,
    Semantic.BICYCLE: 1.5,
    Semantic.PERSON: 0.6,
    Semantic.GUARD_RAIL: 2.0,
    Semantic.TRAFFIC_SIGN: 3.0,
    Semantic.TRAFFIC_LIGHT: 1.5,
    Semantic.POLE: 2.0,
    Semantic.FENCE: 0.8,
    Semantic.WALL: 0.2,
    Semantic.BUILDING: 0.1,
    Semantic.STATIC: 0.3,
    Semantic.DYNAMIC: 0.3,
    Semantic.VEGETATION: 0.02,
}


class Radar:
    """Scans the worlds of a renderer; a scan is overwritten by the next one."""

    def __init__(self, renderer: Renderer, config: RadarConfig) -> None:
        self._renderer, self._config, device = renderer, config, renderer.device
        yaw = math.radians(config.yaw_deg)
        pose = np.eye(4)
        pose[:2, :2] = [[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]]
        pose[:3, 3] = config.x_ego_m, config.y_ego_m, config.z_ego_m
        half = math.radians(0.5 * config.fov_deg)
        azimuth = np.linspace(half, -half, max(int(config.fov_deg / _COLUMN_DEG), 2))
        elevation = np.radians(np.arange(*_ELEVATION_DEG))
        self._spin = Spin(renderer, Rays(elevation, azimuth, config.range_m, pose))
        self._bins = kernels.Bins()
        self._bins.range_m, self._bins.speed_mps = config.range_step_m, config.speed_step_mps
        self._bins.azimuth_rad, self._bins.most_m = math.radians(config.azimuth_step_deg), config.range_m
        gain = np.zeros(256, np.float32)
        for semantic, value in _GAIN.items():
            gain[semantic] = value
        self._gain = wp.array(gain, dtype=wp.float32, device=device)
        kinds = [int(SEMANTIC_OF_KIND[kind]) for kind in ActorKind]
        self._semantic_of_kind = wp.array(kinds, dtype=wp.int32, device=device)
        self._pose = torch.tensor(pose, dtype=torch.float32, device=device)
        self._allocate(len(azimuth) * len(elevation), device)
        self._bound: tuple[int, ...] = ()
        self._commands: list[Any] = []

    def _allocate(self, rays: int, device: str) -> None:
        worlds, most = self._renderer.worlds, self._config.detections
        if most > 2 * rays:
            raise ValueError(f"radar.detections = {most}: more than twice its {rays} rays")

        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.zeros(worlds, *shape, dtype=dtype, device=device)

        self._velocity, self._loss = zeros(3), zeros()
        self._cell, self._area = zeros(rays, dtype=torch.int64), zeros(rays)
        self._where, self._source = zeros(rays, 3), zeros(rays, dtype=torch.int32)
        # Cells, and as many slots again for their ghosts
        self._sums, self._means, self._names = zeros(2 * rays), zeros(2 * rays, 3), zeros(2 * rays, dtype=torch.int64)
        self._sources = zeros(2 * rays, dtype=torch.int32)
        self._rcs, self._strength, self._chosen = zeros(2 * rays), zeros(2 * rays), zeros(most, dtype=torch.int64)
        numbers = [zeros(most) for _ in range(4)]
        self._scan = RadarScan(
            numbers[0], numbers[1], numbers[2], numbers[3], zeros(most, dtype=torch.bool), self._pose
        )
        self._labels = RadarLabels(
            zeros(most, dtype=torch.int32), zeros(most, dtype=torch.uint8), zeros(most, dtype=torch.bool)
        )

    def scan(self, world: World, state: State, weather: Weather) -> tuple[RadarScan, RadarLabels]:
        """The detections of the current tick."""
        self._loss.copy_(1.1e-3 * weather.rain_mmph**0.71)
        self._velocity.copy_(self._moves(state))
        tensors = [t for t in (*vars(world).values(), *vars(state).values()) if isinstance(t, torch.Tensor)]
        bound = tuple(t.data_ptr() for t in tensors)
        if bound != self._bound:
            self._bound, self._commands = bound, [*self._spin.record(world, state), self._hear(world, state)]
            self._measuring, self._reporting = self._measure(world, state), self._report(world, state)
        self._spin.clear()
        for command in self._commands:
            command.launch()
        self._collect()
        self._measuring.launch()
        self._chosen.copy_(torch.sort(self._strength, dim=1, descending=True, stable=True).indices[:, : self._most])
        self._reporting.launch()
        return self._scan, self._labels

    @property
    def _most(self) -> int:
        return self._config.detections

    def _moves(self, state: State) -> torch.Tensor:
        """Velocity (B, 3) of the sensor over ground in its own axes."""
        speed, rate = state.speed_mps[:, 0], state.yaw_rate_radps[:, 0]
        config = self._config
        ego = torch.stack([speed - rate * config.y_ego_m, rate * config.x_ego_m, torch.zeros_like(speed)], dim=1)
        return ego @ self._pose[:3, :3]

    def _collect(self) -> None:
        """Sum the rays of every cell; the strongest of a cell, which comes first, tells where it is from."""
        loud = torch.sort(self._area, dim=1, descending=True, stable=True).indices
        order = loud.gather(1, torch.sort(self._cell.gather(1, loud), dim=1, stable=True).indices)
        cell, area = self._cell.gather(1, order), self._area.gather(1, order)
        where = self._where.gather(1, order[..., None].expand(-1, -1, 3))
        rays = cell.shape[1]
        starts = torch.ones_like(cell, dtype=torch.bool)
        starts[:, 1:] = cell[:, 1:] != cell[:, :-1]
        slot = starts.cumsum(dim=1) - 1
        weights = torch.cat([area[..., None], area[..., None] * where], dim=2).double()
        sums = torch.zeros_like(weights).scatter_add_(1, slot[..., None].expand(-1, -1, 4), weights)
        self._sums[:, :rays] = sums[..., 0].float()
        self._means[:, :rays] = (sums[..., 1:] / sums[..., :1].clamp(min=1e-12)).float()
        first = torch.full_like(slot, rays).scatter_reduce_(
            1, slot, torch.arange(rays, device=slot.device).expand_as(slot), "amin"
        )
        first = first.clamp(max=rays - 1)
        self._names[:, :rays] = cell.gather(1, first)
        self._sources[:, :rays] = self._source.gather(1, order).gather(1, first)

    def _launch(self, kernel: Any, dim: tuple[int, ...], inputs: list, outputs: list) -> Any:
        return wp.launch(kernel, dim, inputs=inputs, outputs=outputs, device=self._renderer.device, record_cmd=True)

    def _hear(self, world: World, state: State) -> Any:
        _, meshes, placed, statics, ground = self._renderer.scene(world, state)
        inputs = [wp.from_torch(t) for t in (world.map_index, world.kind, state.speed_mps)]
        inputs += [wp.from_torch(self._velocity, dtype=wp.vec3), self._spin.beams, self._spin.place, self._bins]
        inputs += [meshes, placed, statics, ground, self._gain, self._semantic_of_kind, self._spin.key]
        outputs = [wp.from_torch(t) for t in (self._cell, self._area, self._where, self._source)]
        return self._launch(kernels.hear, tuple(self._spin.key.shape), inputs, outputs)

    def _measure(self, world: World, state: State) -> Any:
        inputs = [wp.from_torch(world.seed), wp.from_torch(state.tick), self._bins, self._config.noise]
        inputs += [self._config.ghosts, *(wp.from_torch(t) for t in (self._loss, self._names, self._sums))]
        outputs = [wp.from_torch(t) for t in (self._means, self._rcs, self._strength)]
        return self._launch(kernels.measure, tuple(self._sums.shape), inputs, outputs)

    def _report(self, world: World, state: State) -> Any:
        inputs = [wp.from_torch(world.seed), wp.from_torch(state.tick), self._bins, self._config.noise]
        known = (self._chosen, self._names, self._means, self._rcs, self._strength, self._sources)
        inputs += [wp.from_torch(t) for t in known]
        scan, labels = self._scan, self._labels
        rows = (scan.range_m, scan.azimuth_rad, scan.radial_mps, scan.rcs_dbsm, scan.valid)
        outputs = [wp.from_torch(t) for t in (*rows, labels.instance, labels.semantic, labels.ghost)]
        return self._launch(kernels.report, tuple(self._chosen.shape), inputs, outputs)
