"""Cameras as they are: motion blur, lens faults, automatic exposure and white balance, noise, dirt, drops, JPEG.

    finished picture -> blur_motion -> gather_light -> (glare, exposure curve) -> expose -> wet_lens -> JPEG

Only the picture changes. All that is drawn is a function of the world's seed, the camera and the tick; all that is
measured is of the view's own frame, in whole numbers, so that a view is the same alone and in any batch.
"""

from dataclasses import dataclass, fields, replace

import cv2
import numpy as np
import torch
import warp as wp

from configs.schema import SensorConfig, SensorName
from sim.painting.textures import tiling_noise
from sim.render_kernels import sensor as kernels
from sim.rendering.weather import Weather
from sim.types import GroundTruth, SensorFrame, State, World

_MEAN = 0.44  # display light that automatic exposure aims at
_DROPS = 40  # on a lens in heavy rain
_DROP_TICKS = 45  # that a drop stays
_HEAVY_MMPH = 12.0  # rain that wets a lens all over
_DAYLIGHT = 0.15  # of the longest exposure, in full light
_NOISE_SEED = 1
_NIGHT_GAIN = 2.5  # how much noisier nights are than days, less 1
_SMEAR = (0.28, 0.14, 0.06, 0.035, 0.02, 0.012, 0.006)  # light that reaches cells so far away, per pass


@dataclass(frozen=True)
class Sensor:
    """What a sensor does, all of it; 0 is nothing, and 1 for saturation. Units as in `SensorConfig`."""

    exposure_ev: float = 0.0
    auto_exposure: float = 0.0
    white_balance: float = 0.0
    motion_blur_s: float = 0.0
    rolling_shutter_s: float = 0.0
    vignetting: float = 0.0
    glare: float = 0.0
    chromatic_px: float = 0.0
    softness: float = 0.0
    sharpening: float = 0.0
    saturation: float = 1.0
    shot_noise: float = 0.0
    read_noise: float = 0.0
    dirt: float = 0.0
    drops: float = 0.0
    jpeg_quality: int = 0


SENSORS: dict[SensorName, Sensor] = {
    "ideal": Sensor(),
    "dashcam": Sensor(
        auto_exposure=0.15, white_balance=0.2, motion_blur_s=0.016, vignetting=0.22, glare=0.5, chromatic_px=0.5,
        softness=0.30, sharpening=0.15, saturation=0.94, shot_noise=0.007, read_noise=0.0025, dirt=0.03, drops=1.0,
        jpeg_quality=85,
    ),
    "phone": Sensor(
        auto_exposure=0.4, white_balance=0.4, motion_blur_s=0.010, vignetting=0.10, glare=0.3, softness=0.15,
        sharpening=0.35, saturation=1.08, shot_noise=0.005, read_noise=0.0015, jpeg_quality=92,
    ),
    "industrial": Sensor(
        auto_exposure=0.2, motion_blur_s=0.006, vignetting=0.15, glare=0.2, chromatic_px=0.2, softness=0.22,
        saturation=0.88, shot_noise=0.008, read_noise=0.003, drops=0.6,
    ),
}  # fmt: skip


def sensor_from_config(config: SensorName | SensorConfig) -> Sensor:
    """The preset, with the values that the configuration gives in their place."""
    if not isinstance(config, SensorConfig):
        return SENSORS[config]
    return replace(SENSORS[config.like], **config.model_dump(exclude={"like"}, exclude_none=True))


class SensorStage:
    """Develops the pictures of `worlds` worlds with the same cameras; its output is overwritten by the next call."""

    def __init__(self, sensor: Sensor, seed: int = 0) -> None:
        self._sensor, self._seed = sensor, seed
        self._shape: tuple[int, ...] = ()
        optics = kernels.Optics()
        # Vignetting is of light; on the display's scale half as much is lost.
        optics.vignetting, optics.chromatic_px = 0.5 * sensor.vignetting, sensor.chromatic_px
        optics.edge, optics.saturation = sensor.sharpening - sensor.softness, sensor.saturation
        optics.glare, optics.dirt = sensor.glare, sensor.dirt
        self._optics = optics

    def apply(
        self, frame: SensorFrame, truth: GroundTruth, world: World, state: State, weather: Weather
    ) -> SensorFrame:
        """The frame as this sensor takes it. Motion is the ego's own, past things that stand still."""
        rgb = frame.rgb
        if self._shape != tuple(rgb.shape):
            self._allocate(rgb)
        source, device = rgb.flatten(0, 1), str(rgb.device)
        views, height, width = source.shape[:3]
        if self._sensor.motion_blur_s > 0.0 or self._sensor.rolling_shutter_s > 0.0:
            source = self._blurred(frame, truth, weather)
        bright, totals = self._bright, self._totals.zero_()
        outputs = [wp.from_torch(bright, dtype=wp.vec3), wp.from_torch(totals)]
        inputs = [_pixels(source), height, width]
        wp.launch(kernels.gather_light, bright.shape[:2], inputs, outputs, device=device)
        cameras = frame.rgb.shape[1]
        keys = [wp.from_torch(world.seed), wp.from_torch(state.tick)]
        curve = exposure_curve(self._sensor, totals, 16 * bright.shape[1] * bright.shape[2])
        inputs = [*keys, _pixels(source), wp.from_torch(self._glare(weather, cameras), dtype=wp.vec3)]
        inputs += [wp.from_torch(x) for x in (self._dirt, curve.flatten(), self._noisy(weather), self._noise)]
        inputs += [self._optics, cameras, height, width]
        wp.launch(kernels.expose, (views, height), inputs, [_pixels(self._out)], device=device)
        wet = (weather.rain_mmph / _HEAVY_MMPH).clamp(max=1.0).sqrt() * self._sensor.drops
        if bool((wet > 0.0).any()):
            self._clean.copy_(self._out)
            inputs = [*keys, wp.from_torch(self._clean), wp.from_torch(wet.contiguous()), cameras, _DROPS, _DROP_TICKS]
            wp.launch(kernels.wet_lens, (views, height), inputs, [wp.from_torch(self._out)], device=device)
        if self._sensor.jpeg_quality > 0:
            self._compress()
        return replace(frame, rgb=self._out.view(rgb.shape))

    def _glare(self, weather: Weather, cameras: int) -> torch.Tensor:
        """Light around what is bright; lamps in the dark are brighter than a picture can show."""
        source, target = self._bright, self._smeared
        strength = torch.sqrt(1.0 + 3.0 * weather.beam)
        for down, across in ((0, 1), (1, 0)):
            inputs = [wp.from_torch(source, dtype=wp.vec3), wp.from_torch(self._weight), wp.from_torch(strength)]
            inputs += [cameras, down, across]
            outputs = [wp.from_torch(target, dtype=wp.vec3)]
            wp.launch(kernels.smear, source.shape[:2], inputs, outputs, device=str(source.device))
            source, target = target, source
        return source

    def _noisy(self, weather: Weather) -> torch.Tensor:
        """Deviation of the noise by world and byte (B * 256,): in the dark a sensor turns up its gain."""
        gain = 1.0 + _NIGHT_GAIN * weather.beam.clamp(max=2.0) / 2.0
        return (gain[:, None] * self._deviation).flatten()

    def _blurred(self, frame: SensorFrame, truth: GroundTruth, weather: Weather) -> torch.Tensor:
        camera, device = frame.camera, str(frame.rgb.device)
        dark = weather.lamps.clamp(0.0, 1.0)
        exposure = self._sensor.motion_blur_s * (_DAYLIGHT + (1.0 - _DAYLIGHT) * dark)
        mount = camera.ego_from_camera.to(device, torch.float32).contiguous()
        inputs = [wp.from_torch(x.contiguous()) for x in (frame.ego.speed_mps, frame.ego.yaw_rate_radps)]
        inputs += [_pixels(frame.rgb), wp.from_torch(truth.depth_m.flatten())]
        inputs += [wp.from_torch(mount, dtype=wp.mat44), wp.from_torch(camera.focal_px.to(device))]
        inputs += [wp.from_torch(camera.center_px.to(device).contiguous(), dtype=wp.vec2), wp.from_torch(exposure)]
        views, height, width = self._clean.shape[:3]
        inputs += [self._sensor.rolling_shutter_s, height, width]
        wp.launch(kernels.blur_motion, (views, height), inputs, [_pixels(self._clean)], device=device)
        return self._clean

    def _allocate(self, rgb: torch.Tensor) -> None:
        worlds, cameras, height, width, _ = self._shape = tuple(rgb.shape)
        rows, columns = -(-height // int(kernels.CELL)), -(-width // int(kernels.CELL))
        self._out = torch.empty_like(rgb).flatten(0, 1)
        self._clean = torch.empty_like(self._out)
        self._bright = torch.zeros(worlds * cameras, rows, columns, 3, device=rgb.device)
        self._smeared = torch.zeros_like(self._bright)
        self._weight = torch.tensor(_SMEAR, device=rgb.device)
        self._totals = torch.zeros(worlds * cameras, 3, dtype=torch.int64, device=rgb.device)
        dirt = np.stack([dirt_film(self._seed + camera, rows, columns) for camera in range(cameras)])
        self._dirt = torch.from_numpy(dirt).to(rgb.device)
        light = (torch.arange(256, device=rgb.device) / 255.0) ** 2.2
        # Photons come one by one: noise grows as the root of light; the display's curve stretches it in the dark.
        spread_of = torch.sqrt(self._sensor.read_noise**2 + self._sensor.shot_noise**2 * light)
        slope = (light.clamp(min=0.01) ** (1.0 / 2.2 - 1.0) / 2.2).clamp(max=3.0)
        full = ((255.0 - torch.arange(256, device=rgb.device)) / 25.0).clamp(max=1.0)  # white is white: it is clipped
        self._deviation = (spread_of * slope * full * 255.0).float()
        dice = np.random.default_rng(_NOISE_SEED).standard_normal(int(kernels.NOISE_MASK) + 4)
        self._noise = torch.from_numpy(dice.astype(np.float32)).to(rgb.device)

    def _compress(self) -> None:
        quality = [int(cv2.IMWRITE_JPEG_QUALITY), self._sensor.jpeg_quality]
        for view in self._out:
            done, coded = cv2.imencode(".jpg", np.ascontiguousarray(view.cpu().numpy()[..., ::-1]), quality)
            if not done:
                raise OSError("a frame could not be coded as JPEG")
            view.copy_(torch.from_numpy(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR))[..., ::-1].copy()))


def _pixels(rgb: torch.Tensor) -> wp.array:
    """Pictures (..., 3) of bytes as a flat array of pixels, without a copy."""
    return wp.from_torch(rgb.view(-1, 3), dtype=wp.vec3ub)


def exposure_curve(sensor: Sensor, totals: torch.Tensor, count: int) -> torch.Tensor:
    """Display bytes (V, 3, 256) as floats after automatic exposure and white balance, from the sums of each channel."""
    mean = (totals.double() / (255.0 * count)).clamp(min=0.02)
    grey = mean @ torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64, device=mean.device)
    # On the display's scale light times 2 is about 2^(1/2.2) brighter. Nights stay dark: at most 1 stop is lifted.
    lift = (_MEAN / grey).clamp(0.62, 1.37) ** sensor.auto_exposure * 2.0 ** (sensor.exposure_ev / 2.2)
    balance = (grey.reshape(-1, 1) / mean).clamp(0.75, 1.33) ** sensor.white_balance
    bytes_in = torch.arange(256, dtype=torch.float64, device=mean.device) / 255.0
    bright = bytes_in * (lift.reshape(-1, 1) * balance)[..., None]
    # A shoulder instead of a wall: what would be more than white comes close to it.
    knee = 0.85
    rolled = knee + (1.0 - knee) * torch.tanh((bright - knee).clamp(min=0.0) / (1.0 - knee))
    one = (lift.reshape(-1, 1) * balance)[..., None] <= 1.0 + 1e-9
    return (255.0 * torch.where((bright > knee) & ~one, rolled, bright)).clamp(0.0, 255.0).float().contiguous()


def dirt_film(seed: int, rows: int, columns: int) -> np.ndarray:
    """How much (rows, columns), 0..1, dust and smears veil each part of a picture: specks, and a film at the edges."""
    rng = np.random.default_rng([seed, 4711])
    rows_2, columns_2 = max(rows, 4), max(columns, 4)
    film = tiling_noise(rng, rows_2, columns_2, 1.2)[:rows, :columns]
    specks = tiling_noise(rng, rows_2, columns_2, 0.3)[:rows, :columns]
    y, x = np.mgrid[:rows, :columns]
    border = ((x / max(columns - 1, 1) - 0.5) ** 2 + (y / max(rows - 1, 1) - 0.5) ** 2) * 2.0
    dirt = np.clip(0.25 * film - 0.1, 0.0, 1.0) + np.clip(0.5 * specks - 1.1, 0.0, 0.8) + 0.25 * border
    return np.clip(dirt, 0.0, 1.0).astype(np.float32)


def touches_nothing(sensor: Sensor) -> bool:
    """Whether pictures would come out as they went in."""
    return all(getattr(sensor, f.name) == f.default for f in fields(Sensor))
