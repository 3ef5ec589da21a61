"""Labels that a dataset carries where `render.labels` asks for them, taken from a tick."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from configs.schema import Experiment, LabelName
from pipelines.worlds import Worlds
from sim.meshes.people import PEOPLE, Age, Sex
from sim.painting.signs import FACES
from sim.rendering.rigs import rig_from_config
from sim.rendering.road_labels import RoadLabeller
from sim.rendering.roadside_labels import roadside_boxes
from sim.simulator import Simulator
from sim.types import (
    ActorKind,
    ExtraLabel,
    GroundTruth,
    Keypoints,
    RoadLabels,
    RoadsideBoxes,
    Semantic,
    SignalPhase,
)

Json = dict[str, Any]
INSTANCES = 1000  # Cityscapes' ids of things: class * 1000 + number
ATTRIBUTES = ("hair", "legs", "sleeves", "coat", "hood", "hat", "pack")  # of people.Person: what it wears and carries
_ITEMS = (Semantic.TRAFFIC_LIGHT, Semantic.TRAFFIC_SIGN)
_RENDERED: dict[LabelName, ExtraLabel] = {"normals": "normals", "flow": "flow", "keypoints": "keypoints"}
_RENDERED |= {"panoptic": "things", "signs": "things"}


@dataclass(frozen=True)
class FrameLabels:
    """Labels of one picture; None or empty for those not asked for."""

    normal_camera: NDArray[np.float32] | None = None  # (H, W, 3)
    flow_px: NDArray[np.float32] | None = None  # (H, W, 2)
    flow_valid: NDArray[np.bool_] | None = None  # (H, W)
    panoptic: NDArray[np.int32] | None = None  # (H, W)
    segments: tuple[Json, ...] = ()
    road: NDArray[np.uint8] | None = None  # (H, W) RoadBit
    bird: NDArray[np.uint8] | None = None  # (200, 200) RoadBit
    lines: tuple[Json, ...] = ()
    signs: tuple[Json, ...] | None = None


def rendered_labels(labels: tuple[LabelName, ...]) -> tuple[ExtraLabel, ...]:
    """What the renderer has to add for them."""
    return tuple(dict.fromkeys(_RENDERED[name] for name in labels if name in _RENDERED))


class Labelling:
    """Takes the labels of a tick for every world and camera of a batch."""

    def __init__(self, experiment: Experiment, worlds: Worlds) -> None:
        self.names = experiment.render.labels
        rig, maps = rig_from_config(experiment.camera, experiment.rig), worlds.maps
        with_road = "lanes" in self.names
        self._road = RoadLabeller(maps.networks, maps.lanes, rig, len(worlds.seeds)) if with_road else None
        self._scenery = maps.scenery

    def look(self, truth: GroundTruth, simulator: Simulator) -> "TickLabels":
        """Those of the tick that was just drawn, good until the next is."""
        world, state = simulator.world, simulator.state
        road = self._road.label(truth, world, state) if self._road else None
        signs = roadside_boxes(truth, self._scenery, world, state) if "signs" in self.names else None
        return TickLabels(self.names, truth, road, signs)


@dataclass(frozen=True)
class TickLabels:
    """Batched labels of one tick."""

    names: tuple[LabelName, ...]
    truth: GroundTruth
    road: RoadLabels | None
    signs: RoadsideBoxes | None

    def of(self, row: int, camera: int) -> FrameLabels:
        """The labels of world `row` in one camera."""
        extra, road = self.truth.extra, self.road
        panoptic, segments = self._panoptic(row, camera) if "panoptic" in self.names else (None, ())
        return FrameLabels(
            normal_camera=_image(extra.normal_camera, row, camera),
            flow_px=_image(extra.flow_px, row, camera),
            flow_valid=_image(extra.flow_valid, row, camera),
            panoptic=panoptic,
            segments=segments,
            road=_image(road.seen, row, camera) if road else None,
            bird=road.bird[row].numpy() if road else None,
            lines=_lines(road, row, camera) if road else (),
            signs=_signs(self.signs, row, camera) if self.signs else None,
        )

    def complete(self, annotations: list[Json], row: int, camera: int) -> None:
        """Add COCO's keypoints to the annotations of people, where asked for."""
        keypoints = self.truth.extra.keypoints
        if keypoints is None:
            return
        for entry in annotations:
            if entry["category_id"] == ActorKind.PEDESTRIAN + 1:
                entry |= keypoint_entry(keypoints, row, camera, entry["actor"] - 1)

    def _panoptic(self, row: int, camera: int) -> tuple[NDArray[np.int32], tuple[Json, ...]]:
        thing = self.truth.extra.thing
        assert thing is not None
        shape = (self.truth.semantic, self.truth.instance, thing)
        return panoptic_of(*(tensor[row, camera].numpy() for tensor in shape))


def panoptic_of(
    semantic: NDArray[Any], instance: NDArray[Any], thing: NDArray[Any]
) -> tuple[NDArray[np.int32], tuple[Json, ...]]:
    """Ids (H, W) and segments: class * 1000 + actor, signs and lights counted in the image; stuff: class."""
    label, number = semantic.astype(np.int32), instance.astype(np.int32) - 1
    ids = np.where(instance > 0, label * INSTANCES + number, label)
    for kind in _ITEMS:
        own = (label == kind) & (instance == 0) & (thing > 0)
        ids[own] = kind * INSTANCES + np.unique(thing[own], return_inverse=True)[1].reshape(-1)
    segments = []
    for segment in np.unique(ids):
        rows, columns = np.nonzero(ids == segment)
        left, top = int(columns.min()), int(rows.min())
        kind = int(segment) // INSTANCES if segment >= INSTANCES else int(segment)
        box = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
        entry = {"id": int(segment), "category_id": kind, "area": len(rows), "bbox": box, "iscrowd": 0}
        if segment >= INSTANCES and kind not in _ITEMS:
            entry["actor"] = int(segment) % INSTANCES
        segments.append(entry)
    return ids.astype(np.int32), tuple(segments)


def keypoint_entry(keypoints: Keypoints, row: int, camera: int, k: int) -> Json:
    """COCO's fields of a person, its joints in camera axes, and who it is."""
    marks, person = keypoints.visibility[row, camera, k].tolist(), PEOPLE[int(keypoints.body[row, k])]
    worn = {name: getattr(person, name) for name in ATTRIBUTES}
    places = keypoints.uv_px[row, camera, k].tolist()
    flat = [value for (u, v), mark in zip(places, marks, strict=True) for value in (round(u, 2), round(v, 2), mark)]
    return {
        "keypoints": flat,
        "num_keypoints": sum(mark > 0 for mark in marks),
        "joints_camera_m": [[round(x, 4) for x in joint] for joint in keypoints.xyz_camera_m[row, camera, k].tolist()],
        "sex": Sex(int(keypoints.sex[row, k])).name.lower(),
        "age": Age(int(keypoints.age[row, k])).name.lower(),
        "attributes": worn | {"walks": not bool(keypoints.stands[row, k])},
    }


def _image(batch: torch.Tensor | None, row: int, camera: int) -> Any:
    return None if batch is None else batch[row, camera].numpy()


def _lines(road: RoadLabels, row: int, camera: int) -> tuple[Json, ...]:
    lines = []
    for k in road.valid[row].any(-1).nonzero()[:, 0].tolist():
        kept = road.valid[row, k]
        pixel = road.line_px[row, camera, k][kept]
        lines.append(
            {
                "xyz_ego_m": [[round(x, 3) for x in point] for point in road.line_ego_m[row, k][kept].tolist()],
                "uv_px": [[round(x, 2) for x in point] for point in pixel.tolist()],
                "visible": road.line_visible[row, camera, k][kept].int().tolist(),
                "style": "solid" if road.line_solid[row, k] else "dashed",
                "color": "yellow" if road.line_yellow[row, k] else "white",
            }
        )
    return tuple(lines)


def _signs(boxes: RoadsideBoxes, row: int, camera: int) -> tuple[Json, ...]:
    signs = []
    for k in boxes.valid[row, camera].nonzero()[:, 0].tolist():
        left, top, right, bottom = boxes.visible_px[row, camera, k].tolist()
        kind, shows = Semantic(int(boxes.semantic[row, camera, k])), int(boxes.shows[row, camera, k])
        state = SignalPhase(shows).name.lower() if kind == Semantic.TRAFFIC_LIGHT else FACES[shows]
        signs.append(
            {
                "category": kind.name.lower(),
                "state": state,
                "bbox": [left, top, right - left, bottom - top],
                "visible_pixels": int(boxes.visible_pixels[row, camera, k]),
                "item": int(boxes.item[row, camera, k]),
            }
        )
    return tuple(signs)
