"""Files and tables of the labels that `render.labels` asks for: what a pixel of each means."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.datasets.frames import LabelledFrame
from pipelines.datasets.images import encode
from pipelines.datasets.labels import FrameLabels
from pipelines.datasets.tables import part_rows
from sim.meshes.people import KEYPOINTS
from sim.types import ActorKind, Semantic

Json = dict[str, Any]
LABEL_FOLDERS = ("normals", "flow", "panoptic", "lanes", "bev")
PANOPTIC = "panoptic.json"
FLOW_UNITS_PER_PX, FLOW_ZERO = 64.0, 2**15  # KITTI's flow maps
# COCO's skeleton, counted from 1.
SKELETON = [[16, 14], [14, 12], [17, 15], [15, 13], [12, 13], [6, 12], [7, 13], [6, 7], [6, 8], [7, 9], [8, 10],
            [9, 11], [2, 3], [1, 2], [1, 3], [2, 4], [3, 5], [4, 6], [5, 7]]  # fmt: skip
THINGS = (Semantic.TRAFFIC_LIGHT, Semantic.TRAFFIC_SIGN, Semantic.PERSON, Semantic.RIDER, Semantic.CAR,
          Semantic.TRUCK, Semantic.BUS, Semantic.MOTORCYCLE, Semantic.BICYCLE)  # fmt: skip
PANOPTIC_CATEGORIES = [
    {"id": int(label), "name": label.name.lower(), "supercategory": "", "isthing": int(label in THINGS)}
    for label in Semantic
]


def categories_with_joints(categories: list[Json]) -> list[Json]:
    """COCO's categories where people have joints."""
    joints = {"keypoints": list(KEYPOINTS), "skeleton": SKELETON}
    return [c | joints if c["id"] == ActorKind.PEDESTRIAN + 1 else c for c in categories]


def label_files(frame: LabelledFrame) -> dict[str, bytes]:
    """PNG files by folder; the one from above with a rig's first camera alone."""
    files, labels = {}, frame.labels
    if labels.normal_camera is not None:
        files["normals"] = encode(normal_bytes(labels.normal_camera)[..., ::-1], "png")
    if labels.flow_px is not None and labels.flow_valid is not None:
        files["flow"] = encode(flow_units(labels.flow_px, labels.flow_valid)[..., ::-1], "png")
    if labels.panoptic is not None:
        rgb = np.stack([labels.panoptic >> shift & 255 for shift in (0, 8, 16)], -1).astype(np.uint8)
        files["panoptic"] = encode(rgb[..., ::-1], "png")
    if labels.road is not None:
        files["lanes"] = encode(labels.road, "png")
    if labels.bird is not None and frame.camera == 0:
        files["bev"] = encode(labels.bird, "png")
    return files


def lines_file(labels: FrameLabels) -> bytes:
    """The polylines of a picture as JSON."""
    return json.dumps({"lines": labels.lines}, allow_nan=False).encode()


def normal_bytes(normal: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Unit normals (H, W, 3) as RGB: (n + 1) / 2 of 255; the sky, which has none, is (128, 128, 128)."""
    return np.rint((normal + 1.0) * 127.5).astype(np.uint8)


def flow_units(flow: NDArray[np.float32], valid: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """KITTI's flow map (H, W, 3): u and v * 64 + 2^15, and 1 where valid; flow of 512 px and more is not."""
    units = np.rint(flow * FLOW_UNITS_PER_PX) + FLOW_ZERO
    kept = valid & (units >= 0).all(-1) & (units <= np.iinfo(np.uint16).max).all(-1)
    return np.dstack([np.where(kept[..., None], units, 0), kept]).astype(np.uint16)


def segments_row(frame: LabelledFrame) -> Json:
    """The row of COCO's panoptic table, without ids."""
    return {"file_name": f"{frame.stem}.png", "segments_info": list(frame.labels.segments)}


def numbered(parts: Sequence[Path], table: str) -> Iterator[Json]:
    """Rows of a table that holds one for each image, with the image's id."""
    for image_id, row in enumerate(part_rows(parts, table), 1):
        yield row | {"image_id": image_id}


def numbered_signs(parts: Sequence[Path]) -> Iterator[Json]:
    """Signs and lights of all images, with their own ids and their images'."""
    number = 0
    for image_id, row in enumerate(part_rows(parts, "signs"), 1):
        for entry in row["of"]:
            number += 1
            yield {"id": number, "image_id": image_id} | entry
