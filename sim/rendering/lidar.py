"""Lidars: one spin a tick through the same worlds as the cameras, as points with exact labels.

    Spin (which triangle each ray meets) -> receive (ground, echoes, weather, noise) -> LidarScan, LidarLabels

Elevations of beams are those of data sheets: Velodyne HDL-64E S2 (two blocks of 32) and HDL-32E, Ouster OS1-128; those
of Waymo's top lidar follow the published inclinations roughly: dense near the horizon. Mounts are those of KITTI,
nuScenes and Waymo. Rays pass through the own car.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import warp as wp

from configs.schema import LidarConfig, LidarName
from sim.meshes.sculpt import Material
from sim.render_kernels import lidar as kernels
from sim.rendering.render import Renderer
from sim.rendering.spin import Rays, Spin
from sim.rendering.weather import Weather
from sim.types import SEMANTIC_OF_KIND, ActorKind, LidarLabels, LidarScan, State, World


def _quadratic(low_deg: float, high_deg: float, count: int) -> tuple[float, ...]:
    """Elevations that lie three times as dense at the upper end as at the lower one."""
    down = np.linspace(0.0, 1.0, count)
    return tuple(np.sort(high_deg - (high_deg - low_deg) * (0.5 * down + 0.5 * down**2)))


@dataclass(frozen=True)
class LidarSpec:
    """A lidar: its beams, where it stands and how it measures."""

    elevation_deg: tuple[float, ...]  # ascending
    azimuths: int
    range_m: float
    sees_tenth_m: float  # range at which a surface of albedo 0.1 that faces it is just seen
    xyz_ego_m: tuple[float, float, float]
    noise_m: float = 0.02  # standard deviation of ranges
    nearest_m: float = 0.9
    spread_rad: float = 0.003  # of a beam
    spin_s: float = 0.0  # columns are shot one after another for so long before the tick; 0: all at it
    compensated: bool = True  # points of a spin that takes time are corrected for the ego's motion


LIDARS: dict[LidarName, LidarSpec] = {
    "hdl64": LidarSpec(
        (*np.linspace(-24.33, -8.83, 32), *np.linspace(-8.33, 2.0, 32)), 2083, 120.0, 60.0, (0.86, 0.0, 1.73)
    ),
    "hdl32": LidarSpec(tuple(np.linspace(-30.67, 10.67, 32)), 1084, 100.0, 60.0, (0.94, 0.0, 1.84)),
    "waymo": LidarSpec(_quadratic(-17.6, 2.4, 64), 2650, 75.0, 75.0, (1.43, 0.0, 2.18), noise_m=0.015),
    "ouster128": LidarSpec(
        tuple(np.linspace(-22.5, 22.5, 128)), 1024, 120.0, 70.0, (1.2, 0.0, 1.9), noise_m=0.025, nearest_m=0.5
    ),
}

_M = Material
# At 905 nm: albedo, how much it varies from one thing to the next, what it mirrors back to where light comes from, and
# the mean depth (m) that beams get into it: between leaves.
_REFLECTANCE: dict[Material, tuple[float, float, float, float]] = {
    _M.PAINT: (0.42, 0.6, 0.0, 0.0),
    _M.GLASS: (0.012, 0.0, 0.0, 0.0),
    _M.PANE: (0.012, 0.0, 0.0, 0.0),
    _M.CURTAIN_WALL: (0.10, 0.0, 0.0, 0.0),
    _M.TYRE: (0.05, 0.0, 0.0, 0.0),
    _M.DARK: (0.05, 0.0, 0.0, 0.0),
    _M.BLACK: (0.08, 0.0, 0.0, 0.0),
    _M.GRILLE: (0.06, 0.0, 0.0, 0.0),
    _M.INTERIOR: (0.05, 0.0, 0.0, 0.0),
    _M.HEAD_LAMP: (0.30, 0.0, 0.3, 0.0),
    _M.TAIL_LAMP: (0.30, 0.0, 0.7, 0.0),
    _M.INDICATOR: (0.30, 0.0, 0.4, 0.0),
    _M.REFLECTOR: (0.30, 0.0, 3.0, 0.0),
    _M.NUMBER_PLATE: (0.60, 0.0, 2.5, 0.0),
    _M.PLATE: (0.60, 0.0, 2.5, 0.0),
    _M.SIGN_FACE: (0.50, 0.0, 3.0, 0.0),
    _M.STRIPES: (0.50, 0.0, 1.5, 0.0),
    _M.SKIN: (0.55, 0.0, 0.0, 0.0),
    _M.FACE: (0.55, 0.0, 0.0, 0.0),
    _M.HAIR: (0.30, 0.3, 0.0, 0.0),
    _M.SHIRT: (0.50, 0.5, 0.0, 0.0),
    _M.TROUSERS: (0.45, 0.4, 0.0, 0.0),
    _M.RIDER_SHIRT: (0.50, 0.5, 0.0, 0.0),
    _M.RIDER_TROUSERS: (0.45, 0.4, 0.0, 0.0),
    _M.FOLIAGE: (0.50, 0.15, 0.0, 0.3),
    _M.HEDGE: (0.48, 0.1, 0.0, 0.1),
    _M.TUFT: (0.45, 0.1, 0.0, 0.0),
    _M.BARK: (0.30, 0.1, 0.0, 0.0),
    _M.FACADE: (0.45, 0.3, 0.0, 0.0),
    _M.WALL_ABOVE: (0.45, 0.3, 0.0, 0.0),
    _M.BLIND_WALL: (0.45, 0.3, 0.0, 0.0),
    _M.SHOP: (0.20, 0.1, 0.0, 0.0),
    _M.BRICK: (0.35, 0.1, 0.0, 0.0),
    _M.ROOF: (0.30, 0.15, 0.0, 0.0),
    _M.CONCRETE: (0.40, 0.0, 0.0, 0.0),
    _M.METAL: (0.45, 0.0, 0.0, 0.0),
    _M.CARGO: (0.55, 0.3, 0.0, 0.0),
    _M.CURTAIN: (0.50, 0.4, 0.0, 0.0),
    _M.ORANGE: (0.55, 0.0, 0.8, 0.0),
}
_OTHER = (0.35, 0.1, 0.0, 0.0)


def lidar_from_config(config: LidarName | LidarConfig, dt_s: float) -> LidarSpec:
    """The preset, with the values that the configuration gives in their place; a rolling spin takes `dt_s`, a tick."""
    if not isinstance(config, LidarConfig):
        return LIDARS[config]
    given = config.model_dump(exclude={"like"}, exclude_none=True)
    spec = LIDARS[config.like]
    at = tuple(given.pop(f"{axis}_ego_m", own) for axis, own in zip("xyz", spec.xyz_ego_m, strict=True))
    spin_s = dt_s if given.pop("rolling") else 0.0
    return replace(spec, xyz_ego_m=at, spin_s=spin_s, **given)


class Lidar:
    """Scans the worlds of a renderer; a scan is overwritten by the next one."""

    def __init__(self, renderer: Renderer, spec: LidarSpec) -> None:
        """ValueError for tables of beams that cannot be."""
        self.spec, device = spec, renderer.device
        azimuth = np.pi - (np.arange(spec.azimuths) + 0.5) * (2.0 * np.pi / spec.azimuths)  # clockwise from behind
        pose = np.eye(4)
        pose[:3, 3] = spec.xyz_ego_m
        elevation = np.radians(spec.elevation_deg)
        self._spin = Spin(renderer, Rays(elevation, azimuth, spec.range_m, pose, spec.spin_s))
        self._renderer = renderer
        shape = (renderer.worlds, len(elevation), spec.azimuths)
        late = ((np.arange(spec.azimuths) + 0.5) / spec.azimuths - 1.0) * spec.spin_s
        self._scan = LidarScan(
            xyz_ego_m=torch.zeros(*shape, 3, device=device),
            range_m=torch.zeros(shape, device=device),
            intensity=torch.zeros(shape, device=device),
            valid=torch.zeros(shape, dtype=torch.bool, device=device),
            elevation_rad=torch.tensor(elevation, dtype=torch.float32, device=device),
            azimuth_rad=torch.tensor(azimuth, dtype=torch.float32, device=device),
            time_s=torch.tensor(late, dtype=torch.float32, device=device),
            ego_from_lidar=torch.tensor(pose, dtype=torch.float32, device=device),
        )
        self._labels = LidarLabels(
            range_m=torch.zeros(shape, device=device),
            semantic=torch.zeros(shape, dtype=torch.uint8, device=device),
            instance=torch.zeros(shape, dtype=torch.int16, device=device),
            from_air=torch.zeros(shape, dtype=torch.bool, device=device),
        )
        self._air = torch.zeros(renderer.worlds, 3, device=device)
        self._receiver = self._describe(pose)
        table = np.full((max(Material) + 1, 4), _OTHER, np.float32)
        for material, row in _REFLECTANCE.items():
            table[material] = row
        self._reflectance = wp.array(table, dtype=wp.vec4, device=device)
        kinds = [int(SEMANTIC_OF_KIND[kind]) for kind in ActorKind]
        self._semantic_of_kind = wp.array(kinds, dtype=wp.int32, device=device)
        self._bound: tuple[int, ...] = ()
        self._commands: list[Any] = []

    def scan(self, world: World, state: State, weather: Weather) -> tuple[LidarScan, LidarLabels]:
        """One spin that ends at the current tick."""
        self._air.copy_(torch.stack([3.0 / weather.visibility_m, weather.wet, weather.snow], dim=1))
        tensors = [t for t in (*vars(world).values(), *vars(state).values()) if isinstance(t, torch.Tensor)]
        bound = tuple(t.data_ptr() for t in tensors)
        if bound != self._bound:
            self._bound, self._commands = bound, [*self._spin.record(world, state), self._receive(world, state)]
        self._spin.clear()
        for command in self._commands:
            command.launch()
        return self._scan, self._labels

    def _describe(self, pose: np.ndarray) -> Any:  # kernels.Receiver
        spec, result = self.spec, kernels.Receiver()
        result.ego_from_sensor = wp.mat44(pose.astype(np.float32))
        result.range_m, result.nearest_m, result.noise_m = spec.range_m, spec.nearest_m, spec.noise_m
        result.threshold = 0.1 / spec.sees_tenth_m**2
        result.spread_rad, result.compensated = spec.spread_rad, int(spec.compensated)
        return result

    def _receive(self, world: World, state: State) -> Any:
        worlds = kernels.Worlds()
        _, worlds.meshes, worlds.actors, worlds.statics, worlds.ground = self._renderer.scene(world, state)
        worlds.reflectance, worlds.semantic_of_kind = self._reflectance, self._semantic_of_kind
        known = (world.map_index, world.seed, world.kind, world.appearance_id, state.tick)
        inputs = [wp.from_torch(tensor) for tensor in known]
        inputs += [self._spin.beams, self._spin.place, self._receiver, worlds]
        inputs += [wp.from_torch(self._air, dtype=wp.vec3), self._spin.key]
        scan, labels = self._scan, self._labels
        outputs = [wp.from_torch(scan.xyz_ego_m, dtype=wp.vec3)]
        rows = (scan.range_m, scan.intensity, scan.valid)
        rows += (labels.range_m, labels.semantic, labels.instance, labels.from_air)
        outputs += [wp.from_torch(tensor) for tensor in rows]
        dim = (self._renderer.worlds, self.spec.azimuths)
        return wp.launch(
            kernels.receive, dim, inputs=inputs, outputs=outputs, device=self._renderer.device, record_cmd=True
        )
