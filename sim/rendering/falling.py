"""Rain, snow and spray in the air of finished pictures; labels do not see them."""

import torch
import warp as wp

from sim.frames import world_from_ego
from sim.render_kernels import falling as kernels
from sim.rendering.weather import Weather
from sim.types import CameraModel, GroundTruth, SensorFrame, State, World


class Falling:
    """Draws what falls before the pinhole views of `camera`, in place; nothing where all is dry."""

    def __init__(self, camera: CameraModel, worlds: int, device: str = "cpu") -> None:
        self._device, self._cameras = device, len(camera.focal_px)
        shape = (worlds * self._cameras, camera.height_px, camera.width_px)
        self._spray = torch.zeros(shape, dtype=torch.int32, device=device)
        self._mount = camera.ego_from_camera.to(device, torch.float32).contiguous()
        self._focal, self._center = camera.focal_px.to(device), camera.center_px.to(device).contiguous()

    def apply(self, frame: SensorFrame, truth: GroundTruth, world: World, state: State, weather: Weather) -> None:
        """Add what falls to `frame.rgb`, keyed by each world's seed and tick."""
        if not bool(((weather.rain_mmph > 0) | (weather.snowfall_mmph > 0) | (weather.wet >= 0.3)).any()):
            return
        light = wp.from_torch(weather.packed().contiguous())
        lens = [wp.from_torch(self._focal), wp.from_torch(self._center, dtype=wp.vec2)]
        depth = wp.from_torch(truth.depth_m.flatten(0, 1))
        self._spray.zero_()
        pose = torch.stack([*state.xy_world_m.unbind(-1), state.yaw_world_rad, state.speed_mps], dim=-1)
        ego = world_from_ego(state.xy_world_m[:, 0], state.yaw_world_rad[:, 0], state.z_world_m[:, 0]).contiguous()
        inputs = [
            wp.from_torch(world.wheelbase_m),
            wp.from_torch(world.size_m, dtype=wp.vec3),
            wp.from_torch(world.kind),
        ]
        inputs += [wp.from_torch(state.valid), wp.from_torch(pose, dtype=wp.vec4), light]
        inputs += [wp.from_torch(x, dtype=wp.mat44) for x in (ego, self._mount)]
        spray = wp.from_torch(self._spray)
        dim = (len(self._spray), world.kind.shape[1])
        wp.launch(kernels.throw_spray, dim, [*inputs, *lens, depth, self._cameras], [spray], device=self._device)
        inputs = [wp.from_torch(x) for x in (world.seed, state.tick, frame.ego.speed_mps.contiguous())]
        inputs += [light, *lens, depth, spray, self._cameras]
        rgb = wp.from_torch(frame.rgb.flatten(0, 1), dtype=wp.vec3ub)
        wp.launch(kernels.fall, self._spray.shape[:2], inputs, [rgb], device=self._device)
