"""A rig as the car has it: ideal views, bent by lenses, taken by sensors; and the lidar and radar beside them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from configs.schema import RadarConfig
from sim.meshes.library import MeshLibrary
from sim.painting.textures import Textures
from sim.rendering.falling import Falling
from sim.rendering.lens import LensStage
from sim.rendering.render import Renderer
from sim.rendering.scenery import Scenery
from sim.rendering.sensor import Sensor, SensorStage, touches_nothing
from sim.rendering.weather import Weather
from sim.types import Boxes3D, CameraModel, EgoState, ExtraLabel, GroundTruth, SensorFrame, State, World

if TYPE_CHECKING:
    from sim.rendering.lidar import LidarSpec


class Cameras:
    """Draws `worlds` worlds of `actors` actors through one rig; pinholes and ideal sensors cost nothing extra.

    Raises ValueError where sizes do not fit each other.
    """

    def __init__(
        self,
        scenery: Scenery,
        textures: Textures,
        rig: CameraModel,
        sensor: Sensor,
        worlds: int,
        actors: int,
        supersample: int = 1,
        device: str = "cpu",
        labels: tuple[ExtraLabel, ...] = (),
        library: MeshLibrary | None = None,
        lidar: LidarSpec | None = None,
        radar: RadarConfig | None = None,
    ) -> None:
        self.camera = rig
        self._lens = LensStage(rig, worlds, actors, device) if rig.lenses else None
        self._sensor = None if touches_nothing(sensor) else SensorStage(sensor)
        view = self._lens.ideal if self._lens else rig
        self._falling = Falling(view, worlds, device)
        self._renderer = Renderer(scenery, textures, view, worlds, actors, supersample, device, labels, library)
        self._lidar = self._radar = None
        # Beams' kernels take a fifth of a second to import, which a job with cameras alone need not wait for.
        if lidar:
            from sim.rendering.lidar import Lidar

            self._lidar = Lidar(self._renderer, lidar)
        if radar:
            from sim.rendering.radar import Radar

            self._radar = Radar(self._renderer, radar)

    def forget(self) -> None:
        """Begin anew: the next image has none before it."""
        self._renderer.forget()

    def render(
        self, world: World, state: State, weather: Weather, ego: EgoState, boxes_3d: Boxes3D
    ) -> tuple[SensorFrame, GroundTruth]:
        """Draw the current tick, as `Renderer.render` does; the images are overwritten by the next call."""
        frame, truth = self._renderer.render(world, state, weather, ego, boxes_3d)
        self._falling.apply(frame, truth, world, state, weather)
        if self._lens is not None:
            frame, truth = self._lens.apply(frame, truth)
        if self._sensor is not None:
            frame = self._sensor.apply(frame, truth, world, state, weather)
        if self._lidar is not None:
            scan, labels = self._lidar.scan(world, state, weather)
            frame, truth = replace(frame, lidar=scan), replace(truth, lidar=labels)
        if self._radar is not None:
            heard, sources = self._radar.scan(world, state, weather)
            frame, truth = replace(frame, radar=heard), replace(truth, radar=sources)
        return replace(frame, camera=self.camera), truth
