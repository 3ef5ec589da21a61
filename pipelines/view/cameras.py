"""Where the page's cameras stand, and the pictures that they take.

The renderer's camera is fixed to actor 0, which it never draws. Here actor 0 is nobody: it carries the camera, wherever
that shall be, and the world's actors follow it as 1 to N, the ego first. So the ego can be seen from outside.
"""

import math
from dataclasses import dataclass, fields, replace
from functools import lru_cache

import numpy as np
import torch

from configs.schema import CameraConfig, Experiment
from pipelines.view.requests import Dash, Fly, Orbit
from pipelines.view.running import Running
from pipelines.worlds import make_renderer
from sim.rendering.cameras import Cameras
from sim.rendering.scenery import Scenery
from sim.rendering.terrain import HeightRaster
from sim.rendering.weather import Weather
from sim.types import CameraModel, ExtraLabel, GroundTruth, State, World

ABOVE_GROUND_M = 0.4
AIM_M = 1.1  # above the ground: what orbits look at
NOT_OF_ACTORS = ("route_lane", "route_valid", "signal_phase", "signal_valid")
FOLLOW_S = 0.35  # in which an orbit follows two thirds of the ego's turns


@dataclass(frozen=True)
class Eye:
    """A camera in the world: yaw counter-clockwise, pitch nose down positive."""

    x_m: float
    y_m: float
    z_m: float
    yaw_rad: float
    pitch_rad: float

    def world_from_camera(self) -> np.ndarray:
        """Rotation (3, 3): columns are the camera's right, down and forward in world axes."""
        cy, sy, cp, sp = (f(a) for a in (self.yaw_rad, self.pitch_rad) for f in (math.cos, math.sin))
        return np.array([[sy, -cy * sp, cy * cp], [-cy, -sy * sp, sy * cp], [0.0, -cp, -sp]])


class Tripod:
    """Turns what the page asks for into an eye; orbits follow the ego softly."""

    def __init__(self, camera: CameraConfig, scenery: Scenery) -> None:
        self._camera, self._ground = camera, heights_of(scenery)
        self._course_rad: float | None = None

    def eye(self, asked: Dash | Orbit | Fly, state: State, wheelbase_m: float, passed_s: float) -> Eye:
        """`passed_s` since the last picture."""
        x, y = (float(v) for v in state.xy_world_m[0, 0])
        z, yaw, pitch = (float(getattr(state, n)[0, 0]) for n in ("z_world_m", "yaw_world_rad", "pitch_rad"))
        course = self._follow(yaw, passed_s)
        if isinstance(asked, Dash):
            ahead, up = self._camera.x_ego_m, self._camera.z_ego_m
            level, rise = ahead * math.cos(pitch) + up * math.sin(pitch), up * math.cos(pitch) - ahead * math.sin(pitch)
            side = math.radians(asked.yaw_deg)
            nose = math.radians(asked.pitch_deg + self._camera.pitch_deg) + pitch * math.cos(side)
            return Eye(x + level * math.cos(yaw), y + level * math.sin(yaw), z + rise, yaw + side, nose)
        if isinstance(asked, Fly):
            floor = self._floor(asked.x_m, asked.y_m)
            yaw, pitch = math.radians(asked.yaw_deg), math.radians(asked.pitch_deg)
            return Eye(asked.x_m, asked.y_m, floor + max(asked.z_m, ABOVE_GROUND_M), yaw, pitch)
        yaw, pitch = course + math.radians(asked.azimuth_deg), math.radians(asked.elevation_deg)
        middle = 0.5 * wheelbase_m
        cx, cy = x + middle * math.cos(course), y + middle * math.sin(course)
        level = asked.distance_m * math.cos(pitch)
        ex, ey = cx - level * math.cos(yaw), cy - level * math.sin(yaw)
        high = max(z + AIM_M + asked.distance_m * math.sin(pitch), self._floor(ex, ey) + ABOVE_GROUND_M)
        return Eye(ex, ey, high, yaw, math.atan2(high - z - AIM_M, level))

    def above_ground_m(self, eye: Eye) -> float:
        return eye.z_m - self._floor(eye.x_m, eye.y_m)

    def _floor(self, x_m: float, y_m: float) -> float:
        return float(self._ground.at(np.array([[x_m, y_m]]))[0])

    def _follow(self, yaw: float, passed_s: float) -> float:
        if self._course_rad is None:
            self._course_rad = yaw
        gap = (yaw - self._course_rad + math.pi) % (2.0 * math.pi) - math.pi
        self._course_rad += gap * (1.0 - math.exp(-passed_s / FOLLOW_S))
        return self._course_rad


def heights_of(scenery: Scenery) -> HeightRaster:
    """The ground of the first map."""
    columns, rows = (int(n) for n in scenery.height_shape[0])
    first = int(scenery.height_first[0])
    return HeightRaster(
        origin_world_m=np.asarray(scenery.height_origin_world_m[0]),
        cell_m=float(scenery.height_cell_m[0]),
        height_m=np.asarray(scenery.height_m[first : first + rows * columns]).reshape(rows, columns),
        flat=bool(scenery.ground_flat[0]),
    )


class Photographer:
    """Takes pictures of one running world from anywhere, in several sizes and with several labels."""

    def __init__(self, experiment: Experiment, running: Running) -> None:
        self._experiment, self._worlds, self._running = experiment, running.worlds, running
        self._actors = running.senses.world.kind.shape[1]
        self._bind()

    def rebind(self) -> None:
        """After the running world began anew with other tensors."""
        self._bind()

    def take(
        self, eye: Eye, weather: Weather, width_px: int, samples: int, labels: tuple[ExtraLabel, ...], with_ego: bool
    ) -> tuple[np.ndarray, GroundTruth, CameraModel]:
        """Picture (H, W, 3), labels, and the camera; all are overwritten by the next call of the same kind."""
        senses = self._running.senses
        self._copy()
        world, state = self._world, self._state
        state.xy_world_m[0, 0], state.z_world_m[0, 0] = torch.tensor([eye.x_m, eye.y_m]), eye.z_m
        state.yaw_world_rad[0, 0], state.pitch_rad[0, 0] = eye.yaw_rad, eye.pitch_rad
        state.valid[0, 1] &= with_ego
        cameras = self._cameras(width_px, samples, labels)
        frame, truth = cameras.render(world, state, weather, senses.ego_state(), senses.boxes_3d())
        return frame.rgb[0, 0].numpy(), truth, frame.camera

    def _bind(self) -> None:
        """A world of one actor more than the running one's, the carrier of the camera."""
        senses = self._running.senses
        self._pairs: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._world: World = self._carried(senses.world)
        self._state: State = self._carried(senses.state)

    def _carried(self, shown):  # noqa: ANN001, ANN202  (World or State)
        rows = {}
        for field in fields(shown):
            value = getattr(shown, field.name)
            if isinstance(value, torch.Tensor) and value.ndim > 1 and field.name not in NOT_OF_ACTORS:
                rows[field.name] = torch.zeros(1, self._actors + 1, *value.shape[2:], dtype=value.dtype)
                self._pairs.append((rows[field.name][:, 1:], value))
        return replace(shown, **rows)

    def _copy(self) -> None:
        for copy, value in self._pairs:
            copy.copy_(value)

    @lru_cache(maxsize=4)  # noqa: B019  (a photographer lives as long as its world)
    def _cameras(self, width_px: int, samples: int, labels: tuple[ExtraLabel, ...]) -> Cameras:
        """Made when first asked for: half a second each."""
        own = self._experiment.camera
        update: dict[str, float] = {"x_ego_m": 0.0, "z_ego_m": 0.0, "pitch_deg": 0.0, "supersample": samples}
        update |= {"width_px": width_px, "height_px": 2 * round(width_px * own.height_px / own.width_px / 2)}
        sim = self._experiment.sim.model_copy(update={"actors": self._actors + 1})
        carried = self._experiment.model_copy(update={"sim": sim})
        return make_renderer(carried, self._worlds, own.model_copy(update=update), labels=labels)
