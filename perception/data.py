"""Labelled frames on disk and in memory: the COCO file that `roadloop render` writes, and its reader.

    DIR/images/<stem>.png        colour
    DIR/semantic/<stem>.png      8 bit, Cityscapes label ids
    DIR/annotations.json         COCO: images, annotations, categories

Beyond COCO an image carries its `camera` (focal_px, center_px, ego_from_camera), `world_seed` and `weather`; an
annotation `amodal_bbox`, `occlusion`, `truncation`, `visible_pixels`, `actor`, `depth_m` and `center_camera_m` (of the
3-D centre), `size_m` (length, width, height), `yaw_camera_rad` (observation angle: yaw minus bearing), `yaw_ego_rad`,
`velocity_ego_mps` and `distance_m` (from the ego's origin, in the plane). `bbox` is what is visible.

**The ignore rule**, one for training and for scores: an object that is hardly visible is neither demanded nor forbidden
(`is_ignored`). It carries `ignore: 1` and `iscrowd: 1`, COCO's mark for "neither right nor wrong". Kinds that are no
class of the detector (`DETECTED_KINDS`) keep their own category; training and scores treat them by the same rule.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from perception.detector import SEMANTIC_CLASSES
from perception.lifting import bearing_rad
from sim.frames import wrap_angle_rad
from sim.types import DETECTED_KINDS, ActorKind, Boxes2D, Boxes3D, CameraModel

ANNOTATIONS = "annotations.json"
MIN_HEIGHT_PX = 6.0
MAX_OCCLUSION = 0.8
MAX_TRUNCATION = 0.8
MIN_DEPTH_M = 0.5
COCO_CATEGORIES = [{"id": kind + 1, "name": kind.name.lower()} for kind in ActorKind]

Json = dict[str, Any]


def is_ignored(height_px: float, occlusion: float, truncation: float, depth_m: float) -> bool:
    """Whether an object is too little visible, or its centre not before the camera, to be demanded of a detector."""
    hidden = height_px < MIN_HEIGHT_PX or occlusion > MAX_OCCLUSION or truncation > MAX_TRUNCATION
    return hidden or depth_m < MIN_DEPTH_M


def coco_image(
    camera: CameraModel, image_id: int, file_name: str, world_seed: int, weather: str, index: int = 0, **extra: object
) -> Json:
    """The COCO entry of one image of camera `index`; `file_name` is relative to DIR/images; `extra` is added as is."""
    return {
        "id": image_id,
        "file_name": file_name,
        "width": camera.width_px,
        "height": camera.height_px,
        "world_seed": int(world_seed),
        "weather": weather,
        "camera": {
            "focal_px": float(camera.focal_px[index]),
            "center_px": camera.center_px[index].tolist(),
            "ego_from_camera": camera.ego_from_camera[index].tolist(),
        },
        **extra,
    }


def coco_annotations(
    camera: CameraModel, boxes_2d: Boxes2D, boxes_3d: Boxes3D, row: int, image_id: int, first_id: int, index: int = 0
) -> list[Json]:
    """The COCO entries of what is visible in one image: world `row`, camera `index`; ids count from `first_id`.

    Objects of which nothing is visible are left out.
    """
    slot_of_actor = {int(a): k for k, a in enumerate(boxes_3d.track_id[row].tolist()) if boxes_3d.valid[row, k]}
    visible = boxes_2d.valid[row, index] & (boxes_2d.visible_pixels[row, index] > 0)
    annotations = []
    for k in visible.nonzero()[:, 0].tolist():
        slot = slot_of_actor[int(boxes_2d.actor[row, index, k])]
        annotation = _annotation_2d(boxes_2d, row, index, k) | _annotation_3d(camera, boxes_3d, row, slot, index)
        shape = (annotation["bbox"][3], annotation["occlusion"], annotation["truncation"], annotation["depth_m"])
        ignore = {"iscrowd": int(is_ignored(*shape)), "ignore": int(is_ignored(*shape))}
        annotations.append({"id": first_id + len(annotations), "image_id": image_id, **annotation, **ignore})
    return annotations


def _annotation_2d(boxes: Boxes2D, row: int, index: int, k: int) -> Json:
    bbox, amodal = _xywh(boxes.visible_px[row, index, k]), _xywh(boxes.amodal_px[row, index, k])
    occlusion, truncation = float(boxes.occlusion[row, index, k]), float(boxes.truncation[row, index, k])
    return {
        "category_id": int(boxes.kind[row, index, k]) + 1,
        "bbox": bbox,
        "area": round(bbox[2] * bbox[3], 3),
        "amodal_bbox": amodal,
        "occlusion": round(occlusion, 4),
        "truncation": round(truncation, 4),
        "visible_pixels": int(boxes.visible_pixels[row, index, k]),
        "actor": int(boxes.actor[row, index, k]),
    }


def _annotation_3d(camera: CameraModel, boxes: Boxes3D, row: int, k: int, index: int) -> Json:
    center_ego_m = boxes.center_ego_m[row, k].cpu()
    ego_from_camera = camera.ego_from_camera[index].cpu()
    center_camera_m = (center_ego_m - ego_from_camera[:3, 3]) @ ego_from_camera[:3, :3]
    yaw_ego_rad = boxes.yaw_ego_rad[row, k].cpu()
    observed_rad = wrap_angle_rad(yaw_ego_rad - bearing_rad(center_ego_m, camera, index))
    return {
        "depth_m": float(center_camera_m[2]),
        "center_camera_m": center_camera_m.tolist(),
        "size_m": boxes.size_m[row, k].tolist(),
        "yaw_camera_rad": float(observed_rad),
        "yaw_ego_rad": float(yaw_ego_rad),
        "velocity_ego_mps": boxes.velocity_ego_mps[row, k].tolist(),
        "distance_m": float(center_ego_m[:2].norm()),
    }


def _xywh(corners_px: torch.Tensor) -> list[float]:
    u0, v0, u1, v1 = (round(float(c), 3) for c in corners_px)
    return [u0, v0, round(u1 - u0, 3), round(v1 - v0, 3)]


def coco_document(images: list[Json], annotations: list[Json], **info: object) -> Json:
    """The whole file, ready for `json.dump`."""
    return {"info": info, "images": images, "annotations": annotations, "categories": COCO_CATEGORIES}


@dataclass
class Objects:
    """The labels of one image as arrays of n objects (float32 unless said)."""

    box_px: np.ndarray  # (n, 4) corners of what is visible
    center_px: np.ndarray  # (n, 2) projection of the 3-D centre
    depth_m: np.ndarray  # (n,)
    size_m: np.ndarray  # (n, 3)
    angle_rad: np.ndarray  # (n,) observation angle
    kind: np.ndarray  # (n,) int64
    ignore: np.ndarray  # (n,) bool


@dataclass
class Frames:
    """Decoded images and their labels, kept in memory so that an epoch costs no decoding."""

    rgb: np.ndarray  # (n, H, W, 3) uint8
    semantic: np.ndarray  # (n, H, W) uint8 index into SEMANTIC_CLASSES
    objects: list[Objects]
    images: list[Json]  # COCO entries
    annotations: list[list[Json]]  # COCO entries of each image

    def __len__(self) -> int:
        return len(self.images)

    def document(self) -> Json:
        """The COCO document of these frames."""
        return coco_document(self.images, [a for rows in self.annotations for a in rows])


def read_documents(folders: Sequence[Path]) -> Json:
    """The documents of several rendered folders as one; ids count through, images keep their folder's name."""
    images: list[Json] = []
    annotations: list[Json] = []
    for folder in folders:
        document = read_document(folder)
        try:
            ids = {image["id"]: len(images) + i + 1 for i, image in enumerate(document["images"])}
            images += [image | {"id": ids[image["id"]]} for image in document["images"]]
            found = [entry | {"image_id": ids[entry["image_id"]]} for entry in document["annotations"]]
        except (KeyError, TypeError) as error:
            raise ValueError(f"{folder / ANNOTATIONS}: missing or odd entry ({error!r}); render again") from None
        annotations += [entry | {"id": len(annotations) + i + 1} for i, entry in enumerate(found)]
    return coco_document(images, annotations)


def read_document(data_dir: Path) -> Json:
    """DIR/annotations.json, checked; every image is told its folder. ValueError of one line naming file and fault."""
    path = data_dir / ANNOTATIONS
    if not path.is_file():
        raise ValueError(f"{path} does not exist; make it with `roadloop render --out {data_dir}`")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is not readable JSON ({error}); render the folder again") from None
    for key in ("images", "annotations", "categories"):
        if not isinstance(document, dict) or not isinstance(document.get(key), list):
            raise ValueError(f"{path} has no list '{key}'; render the folder again")
    names = {c.get("id"): c.get("name") for c in document["categories"] if isinstance(c, dict)}
    known = {c["id"]: c["name"] for c in COCO_CATEGORIES}
    # Folders rendered before there were two-wheelers list the detector's classes alone.
    if names not in (known, {kind + 1: known[kind + 1] for kind in DETECTED_KINDS}):
        raise ValueError(f"{path}: categories are {names}, not Roadloop's; render the folder again")
    if not all(isinstance(image, dict) for image in document["images"]):
        raise ValueError(f"{path}: an entry of 'images' is not an object; render the folder again")
    return document | {"images": [image | {"folder": str(data_dir)} for image in document["images"]]}


def read_frames(document: Json, images: list[Json] | None = None) -> Frames:
    """Decode the frames of a document that `read_document(s)` returned, or only those of the given `images` entries.

    Raises ValueError of one line for a missing file or key, an odd size or an unknown label.
    """
    images = document["images"] if images is None else images
    if not images:
        raise ValueError("the rendered folder holds no images; render some with `roadloop render --out DIR`")
    of_image: dict[object, list[Json]] = {}
    try:
        for image in images:
            of_image[image["id"]] = []
        for annotation in document["annotations"]:
            if annotation["image_id"] in of_image:
                of_image[annotation["image_id"]].append(annotation)
        objects = [_objects(image, of_image[image["id"]]) for image in images]
        shape = (int(images[0]["height"]), int(images[0]["width"]))
        places = [(Path(image["folder"]), str(image["file_name"])) for image in images]
    except (KeyError, TypeError, IndexError, ValueError) as error:
        folders = ", ".join(sorted({str(image.get("folder")) for image in images}))
        raise ValueError(f"{ANNOTATIONS} in {folders}: missing or odd entry ({error!r}); render again") from None
    rgb = np.empty((len(images), *shape, 3), dtype=np.uint8)
    semantic = np.empty((len(images), *shape), dtype=np.uint8)
    for i, (folder, name) in enumerate(places):
        color = _read_image(folder / "images", name, cv2.IMREAD_COLOR, shape)
        rgb[i] = color[..., ::-1]
        labels = Path(name).with_suffix(".png").name
        semantic[i] = _CLASS_OF_LABEL[_read_image(folder / "semantic", labels, cv2.IMREAD_UNCHANGED, shape)]
    return Frames(rgb, semantic, objects, images, [of_image[image["id"]] for image in images])


def _class_of_label() -> np.ndarray:
    """Cityscapes label id to index in SEMANTIC_CLASSES; what is not among them counts as unlabelled."""
    table = np.zeros(256, dtype=np.uint8)
    for index, label in enumerate(SEMANTIC_CLASSES):
        table[label] = index
    return table


_CLASS_OF_LABEL = _class_of_label()


def _read_image(folder: Path, name: str, flags: int, shape: tuple[int, int]) -> np.ndarray:
    path = folder / name
    if path.resolve().parent != folder.resolve():
        raise ValueError(f"{folder.parent / ANNOTATIONS}: file_name {name!r} leads out of {folder}")
    image = cv2.imread(str(path), flags)
    if image is None:
        raise ValueError(f"{path} is missing or not an image; render the folder again")
    expected = (*shape, 3) if flags == cv2.IMREAD_COLOR else shape
    if image.shape != expected or image.dtype != np.uint8:
        raise ValueError(f"{path} is {image.dtype} of shape {image.shape}, not uint8 {expected}; render again")
    return image


def _objects(image: Json, annotations: list[Json]) -> Objects:
    camera = image["camera"]
    focal_px, center_px = float(camera["focal_px"]), np.asarray(camera["center_px"], dtype=np.float32).reshape(2)
    n = len(annotations)
    boxes = np.array([a["bbox"] for a in annotations], dtype=np.float32).reshape(n, 4)
    center_m = np.array([a["center_camera_m"] for a in annotations], dtype=np.float32).reshape(n, 3)
    depth_m = center_m[:, 2]
    if not all(1 <= a["category_id"] <= len(ActorKind) for a in annotations):
        raise ValueError(f"image {image['id']}: a category_id is outside 1..{len(ActorKind)}")
    if not (np.isfinite(boxes).all() and np.isfinite(center_m).all()):
        raise ValueError(f"image {image['id']}: a box is not finite")
    return Objects(
        box_px=np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), axis=1),
        center_px=center_m[:, :2] / np.maximum(depth_m, MIN_DEPTH_M)[:, None] * focal_px + center_px,
        depth_m=depth_m,
        size_m=np.array([a["size_m"] for a in annotations], dtype=np.float32).reshape(n, 3),
        angle_rad=np.array([a["yaw_camera_rad"] for a in annotations], dtype=np.float32),
        kind=np.array([a["category_id"] - 1 for a in annotations], dtype=np.int64),
        ignore=np.array([bool(a["ignore"]) or a["category_id"] > len(DETECTED_KINDS) for a in annotations], dtype=bool),
    )
