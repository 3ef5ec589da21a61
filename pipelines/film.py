"""drive.mp4: the camera with detections and attention, the bird's-eye view beside it, instruments below."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from configs.schema import CameraConfig, Experiment
from pipelines.birdseye import BirdsEye
from pipelines.overlay import STRIP_HEIGHT_PX, Instruments, Seen, draw_attention, draw_detections, draw_strip
from pipelines.rollout import Tick
from pipelines.sight import DetectorSight, Sight
from pipelines.video import fit, video_writer
from pipelines.worlds import Worlds, current_weather, make_renderer, make_weather
from sim.simulator import Simulator
from sim.types import Boxes3D, EgoState

VIEW_HEIGHT_PX = 576
BIRDSEYE_WIDTH_PX = 480
BACKLOG = 6  # pictures composed behind the drive


@dataclass(frozen=True)
class Scene:
    """Copies of all that one picture shows."""

    image: np.ndarray
    seen: Seen
    attention: np.ndarray | None
    pose: tuple[np.ndarray, float]
    ego_size_m: np.ndarray
    ego_wheelbase_m: float
    route_xy_ego_m: np.ndarray
    actual: dict[str, np.ndarray]
    believed: dict[str, np.ndarray]
    instruments: Instruments


class Film:
    """Draws world 0 of a rollout. Pictures are composed on a second thread while the drive goes on."""

    def __init__(self, experiment: Experiment, worlds: Worlds, simulator: Simulator, sight: Sight) -> None:
        self._experiment, self._worlds, self._simulator, self._sight = experiment, worlds, simulator, sight
        self._camera = video_camera(experiment)
        self._renderer = make_renderer(experiment, worlds, self._camera)
        self._weather = make_weather(worlds)
        self._birdseye = BirdsEye(worlds.maps.networks[0], BIRDSEYE_WIDTH_PX, VIEW_HEIGHT_PX)
        self.width_px = fit(
            np.zeros((self._camera.height_px, self._camera.width_px, 3), np.uint8), VIEW_HEIGHT_PX
        ).shape[1]
        self.width_px += BIRDSEYE_WIDTH_PX
        self.height_px = VIEW_HEIGHT_PX + STRIP_HEIGHT_PX
        self._image: np.ndarray | None = None
        self._boxes_px: np.ndarray | None = None
        self.still: np.ndarray | None = None  # the last picture

    @contextmanager
    def recording(self, path: Path) -> Iterator["Film"]:
        """Write the pictures of `add` to `path`; the file appears when all went well."""
        pending: deque[Future] = deque()
        fps = 1.0 / self._experiment.sim.dt_s
        with video_writer(path, self.width_px, self.height_px, fps) as write, ThreadPoolExecutor(1) as pool:

            def submit(scene: Scene) -> None:
                pending.append(pool.submit(lambda: write(self._compose(scene))))
                while len(pending) > BACKLOG:
                    pending.popleft().result()

            self._submit = submit
            yield self
            while pending:
                pending.popleft().result()

    def shoot(self, ego: EgoState, boxes: Boxes3D) -> None:
        """Draw the video camera now; called before the step that changes the world."""
        world, state = self._simulator.world, self._simulator.state
        self._weather = current_weather(self._worlds, self._weather, ego.time_s)
        frame, truth = self._renderer.render(world, state, self._weather, ego, boxes)
        self._image = frame.rgb[0, 0].numpy().copy()
        self._boxes_px = truth.boxes_2d.visible_px[0, 0].numpy().copy()
        self._actors = truth.boxes_2d.actor[0, 0].numpy().copy()
        self._shown = (truth.boxes_2d.visible_pixels[0, 0] > 0).numpy() & truth.boxes_2d.valid[0, 0].numpy()

    def add(self, tick: Tick) -> None:
        """Add the picture of this tick to the film."""
        assert self._image is not None, "shoot() comes before the step"
        self._submit(
            Scene(
                image=self._image,
                seen=self._seen(tick),
                attention=self._attention(),
                pose=(tick.ego_xy_world_m[0].numpy().astype(float), float(tick.ego_yaw_world_rad[0])),
                ego_size_m=tick.ego.size_m[0].numpy().copy(),
                ego_wheelbase_m=float(tick.ego.wheelbase_m[0]),
                route_xy_ego_m=tick.route.xy_ego_m[0][tick.route.valid[0]].numpy().copy(),
                actual=_arrays(tick.boxes),
                believed=_arrays(tick.view.percept.objects),
                instruments=self._instruments(tick),
            )
        )

    def _compose(self, scene: Scene) -> np.ndarray:
        view = fit(scene.image, VIEW_HEIGHT_PX).copy()
        scale = VIEW_HEIGHT_PX / scene.image.shape[0]
        bare = view.copy() if scene.attention is not None else view
        seen = scene.seen
        draw_detections(view, Seen(seen.boxes_px * scale, seen.kind, seen.score, seen.distance_m))
        if scene.attention is not None:
            draw_attention(view, scene.attention, backdrop=bare)
        beside = self._birdseye.draw(
            *scene.pose, scene.ego_size_m, scene.ego_wheelbase_m, scene.route_xy_ego_m, scene.actual, scene.believed
        )
        above = np.hstack([view, beside])
        self.still = np.vstack([above, draw_strip(above.shape[1], scene.instruments)])
        return self.still

    def _seen(self, tick: Tick) -> Seen:
        """Detections in pixels of the video camera: the detector's own, or the oracle's objects by their labels."""
        if isinstance(self._sight, DetectorSight):
            found = self._sight.perceiver.detections_px
            keep = found.valid[0]
            ratio = self._camera.width_px / self._experiment.camera.width_px
            boxes, depth = found.box_px[0][keep].numpy() * ratio, found.depth_m[0][keep].numpy()
            return Seen(boxes, found.kind[0][keep].numpy(), found.score[0][keep].numpy(), depth)
        objects = tick.view.percept.objects
        known = objects.valid[0].numpy()
        actors, kinds = objects.track_id[0].numpy()[known], objects.kind[0].numpy()[known]
        center = objects.center_ego_m[0].numpy()[known]
        rows = [np.flatnonzero((self._actors == actor) & self._shown) for actor in actors]
        keep = np.array([len(row) == 1 for row in rows], bool)
        assert self._boxes_px is not None
        boxes = np.array([self._boxes_px[row[0]] for row in rows if len(row) == 1]).reshape(-1, 4)
        return Seen(boxes, kinds[keep], np.ones(len(boxes)), np.hypot(center[keep, 0], center[keep, 1]))

    def _attention(self) -> np.ndarray | None:
        if not isinstance(self._sight, DetectorSight):
            return None
        return self._sight.perceiver.attention[0].float().numpy().copy()

    def _instruments(self, tick: Tick) -> Instruments:
        outcome, route_m = tick.outcome, float(self._simulator.world.route_length_m[0])
        note = (
            "collision"
            if outcome.collided[0]
            else "off the road"
            if outcome.offroad[0]
            else "off its route"
            if outcome.offroute[0]
            else ""
        )
        drive = self._experiment.drive
        return Instruments(
            speed_mps=float(tick.ego.speed_mps[0]),
            limit_mps=float(tick.route.speed_limit_mps[0, 0]),
            accel_mps2=float(tick.action.accel_mps2[0, 0]),
            steer_rad=float(tick.action.steer_rad[0, 0]),
            time_s=float(tick.ego.time_s[0]),
            done=min(float(outcome.progress_m[0]) / route_m, 1.0),
            weather=self._worlds.weathers[0],
            agent=Path(drive.agent).stem,
            perception=Path(drive.perception).stem,
            place=self._worlds.places[0],
            note="arrived" if not note and outcome.arrived[0] else note,
        )


def video_camera(experiment: Experiment) -> CameraConfig:
    """The experiment's camera with the video's width and the same field of view."""
    camera, width_px = experiment.camera, experiment.drive.video_width_px
    height_px = 2 * round(width_px * camera.height_px / camera.width_px / 2)
    return camera.model_copy(update={"width_px": width_px, "height_px": height_px, "supersample": 1})


def _arrays(boxes: Boxes3D) -> dict[str, np.ndarray]:
    keep = boxes.valid[0]

    def kept(values: torch.Tensor) -> np.ndarray:
        return values[0][keep].numpy().copy()

    return {
        "center": kept(boxes.center_ego_m),
        "size": kept(boxes.size_m),
        "yaw": kept(boxes.yaw_ego_rad),
        "velocity": kept(boxes.velocity_ego_mps),
        "kind": kept(boxes.kind),
    }
