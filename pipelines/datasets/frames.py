"""Labelled frames of scenes: traffic runs for a while, the classical agent drives, pictures are taken."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from agents.classical import ClassicalAgent
from agents.contract import empty_action, fill_action
from configs.schema import Experiment
from perception.data import coco_annotations, coco_image
from perception.oracle import oracle_percept
from pipelines.datasets.labels import FrameLabels, Labelling, TickLabels, rendered_labels
from pipelines.datasets.points import Scans, scans_of
from pipelines.worlds import Worlds, make_renderer, make_simulator, make_weather, make_worlds, restart
from sim.simulator import Simulator
from sim.types import GroundTruth, SensorFrame

Json = dict[str, Any]


@dataclass(frozen=True)
class LabelledFrame:
    """One picture of one camera with its labels, as every writer takes it; arrays are (H, W[, 3])."""

    stem: str  # file name without suffix, unique in the dataset
    scene: int
    index: int  # of the frame in its scene
    camera: int
    time_s: float  # since the scene began
    rgb: NDArray[np.uint8]
    semantic: NDArray[np.uint8]  # Cityscapes label ids
    instance: NDArray[np.uint16]  # actor + 1, 0 elsewhere
    depth_m: NDArray[np.float32]  # along the optical axis, inf in the sky
    world_from_ego: NDArray[np.float64]  # (4, 4)
    image: Json  # COCO entry: camera, seed, weather, road
    annotations: list[Json]  # COCO entries without ids
    scans: Scans | None = None  # lidar and radar of the frame, the same for all its cameras
    scan_stem: str = ""  # stem of the first camera's frame, which keeps them
    labels: FrameLabels = field(default_factory=FrameLabels)  # those that were asked for


def draw_frames(experiment: Experiment, scenes: list[int], seeds: list[int], cell: Json) -> Iterator[LabelledFrame]:
    """The frames of the numbered scenes: all scenes at one time, then at the next."""
    settings = experiment.render
    steps = max(round(settings.interval_s / experiment.sim.dt_s), 1)
    with torch.inference_mode():
        stage = _stage(experiment, seeds)
        for index in range(settings.frames):
            frame, truth = stage.look()
            labels = stage.labelling.look(truth, stage.simulator)
            for row, scene in enumerate(scenes):
                scans = scans_of(frame, truth, row)
                for camera in range(frame.rgb.shape[1]):
                    yield _labelled(stage, frame, truth, labels, scans, scene, row, camera, index, cell)
            if index + 1 < settings.frames:
                stage.run(steps)


@torch.inference_mode()
def draw_scenes(experiment: Experiment, seeds: list[int]) -> tuple[SensorFrame, GroundTruth, Worlds]:
    """The first frame of each seed's world, with the worlds they show."""
    stage = _Stage(experiment, make_worlds(experiment, seeds))
    return *stage.look(), stage.worlds


_STAGES: list["_Stage"] = []  # the last one of this process: batches that share maps share buffers and recordings too


def _stage(experiment: Experiment, seeds: list[int]) -> "_Stage":
    """A stage on which these seeds begin: the last batch's if it fits, with the same bits as a new one."""
    worlds = make_worlds(experiment, seeds)
    if _STAGES and _STAGES[0].fits(experiment, worlds):
        _STAGES[0].begin(experiment, worlds)
    else:
        _STAGES.clear()  # before the next one takes its memory
        _STAGES.append(_Stage(experiment, worlds))
    return _STAGES[0]


class _Stage:
    """A batch of worlds in which the classical agent drives, so that the ego stands where cars stand."""

    def __init__(self, experiment: Experiment, worlds: Worlds) -> None:
        self.experiment, self.worlds = experiment, worlds
        self.simulator: Simulator = make_simulator(experiment, worlds)
        self._agent, self._action = ClassicalAgent(), empty_action(len(worlds.seeds), experiment.sim.actors)
        self._renderer = make_renderer(experiment, worlds, labels=rendered_labels(experiment.render.labels))
        self.labelling = Labelling(experiment, worlds)
        self.run(round(experiment.render.settle_s / experiment.sim.dt_s))

    def fits(self, experiment: Experiment, worlds: Worlds) -> bool:
        """Whether other worlds need the same buffers: settings that differ in seed, weather and counts alone do."""
        same = worlds.maps is self.worlds.maps and len(worlds.seeds) == len(self.worlds.seeds)
        return same and _lasting(experiment) == _lasting(self.experiment)

    def begin(self, experiment: Experiment, worlds: Worlds) -> None:
        """Other worlds on the same maps, from their start."""
        self.experiment, self.worlds = experiment, worlds
        restart(self.simulator, experiment, worlds)
        self._renderer.forget()
        self.run(round(experiment.render.settle_s / experiment.sim.dt_s))

    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            ego = self.simulator.ego_state()
            percept = oracle_percept(self.simulator.boxes_3d(), ego.time_s)
            fill_action(self._action, self._agent.act(percept, self.simulator.route(), ego))
            self.simulator.step(self._action)

    def look(self) -> tuple[SensorFrame, GroundTruth]:
        ego, boxes = self.simulator.ego_state(), self.simulator.boxes_3d()
        weather = make_weather(self.worlds, float(ego.time_s[0]))  # all worlds of a batch began together
        return self._renderer.render(self.simulator.world, self.simulator.state, weather, ego, boxes)

    def world_from_ego(self, row: int) -> NDArray[np.float64]:
        state = self.simulator.state
        yaw, pitch = float(state.yaw_world_rad[row, 0]), float(state.pitch_rad[row, 0])
        c, s, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
        pose = np.eye(4)
        # Nose down is a positive turn about the axis to the left.
        pose[:3, :3] = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
        pose[:3, 3] = (*state.xy_world_m[row, 0].tolist(), float(state.z_world_m[row, 0]))
        return pose


def _lasting(experiment: Experiment) -> Experiment:
    """The settings less those that a batch may change on the same stage."""
    render = experiment.render.model_copy(update={"plan": {}, "scenes": 1, "batch": 1})
    return experiment.model_copy(update={"weather": "clear", "seed": 0, "workers": 0, "render": render})


def _labelled(
    stage: _Stage,
    frame: SensorFrame,
    truth: GroundTruth,
    labels: TickLabels,
    scans: Scans | None,
    scene: int,
    row: int,
    camera: int,
    index: int,
    cell: Json,
) -> LabelledFrame:
    settings, worlds = stage.experiment.render, stage.worlds
    stem = f"{scene:06d}"
    if settings.frames > 1:
        stem += f"_{index:03d}"
    scan_stem = f"{stem}_0" if frame.rgb.shape[1] > 1 else stem
    if frame.rgb.shape[1] > 1:
        stem += f"_{camera}"
    time_s = float(frame.ego.time_s[row])
    extra = {"scene": scene, "frame": index, "camera_index": camera, "time_s": time_s, "road": worlds.places[row]}
    image = coco_image(
        frame.camera, 0, f"{stem}.{settings.image}", int(worlds.seeds[row]), worlds.weathers[row], camera, **extra,
        **({"cell": cell} if cell else {}),
    )  # fmt: skip
    annotations = coco_annotations(frame.camera, truth.boxes_2d, truth.boxes_3d, row, 0, 0, camera)
    labels.complete(annotations, row, camera)
    if scans is not None:
        pose = frame.camera.ego_from_camera[camera].double().numpy()
        for entry in annotations:
            entry |= scans.points_in(entry, (pose @ [*entry["center_camera_m"], 1.0])[:3])
    return LabelledFrame(
        stem=stem,
        scene=scene,
        index=index,
        camera=camera,
        time_s=time_s,
        rgb=frame.rgb[row, camera].numpy(),
        semantic=truth.semantic[row, camera].numpy(),
        instance=truth.instance[row, camera].numpy().astype(np.uint16),
        depth_m=truth.depth_m[row, camera].numpy(),
        world_from_ego=stage.world_from_ego(row),
        image=image,
        annotations=annotations,
        scans=scans,
        scan_stem=scan_stem,
        labels=labels.of(row, camera),
    )
