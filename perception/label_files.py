"""Files of the labels that `render.labels` asks for, as tensors of a target.

`normal_camera` (H, W, 3) float32, 0 in the sky. `flow_px` (H, W, 2) float32 to the frame before, `flow_valid` (H, W).
`panoptic` (H, W) int32 ids. `road` (H, W) uint8 bits, and `bird` (200, 200) of them from above. `lines`: a list of
dictionaries with `xyz_ego_m` (P, 3), `uv_px` (P, 2), `visible` (P,) bool, `style`, `color`. Of objects (n,):
`keypoints` (n, 17, 3) float32 u, v, mark as torchvision takes them, and for those where `is_person` is set `sex`
(0 female, 1 male) and `age` (0 child, 1 adult, 2 old).
"""

import json
from typing import Any

import cv2
import numpy as np
import torch

Json = dict[str, Any]
LABEL_FILES = ("normals.png", "flow.png", "panoptic.png", "lanes.png", "lanes.json", "bev.png")
FLOW_UNITS_PER_PX, FLOW_ZERO = 64.0, 2**15
SEXES, AGES = ("female", "male"), ("child", "adult", "old")
JOINTS = 17


def label_targets(files: dict[str, bytes], entries: list[Json], categories: list[Json], name: str) -> Json:
    """What the files of a frame, by LABEL_FILES, and its annotations hold; joints where some category has them.

    ValueError where one is no such file.
    """
    target: Json = _people(entries) if any("keypoints" in category for category in categories) else {}
    if "normals.png" in files:
        rgb = _image(files, "normals.png", name)[..., ::-1]
        normal = rgb.astype(np.float32) / 127.5 - 1.0
        target["normal_camera"] = torch.from_numpy(
            np.where((rgb == 128).all(-1, keepdims=True), 0.0, normal).astype("f4")
        )
    if "flow.png" in files:
        units = _image(files, "flow.png", name)[..., ::-1].astype(np.float32)
        valid = units[..., 2] > 0
        flow = np.where(valid[..., None], (units[..., :2] - FLOW_ZERO) / FLOW_UNITS_PER_PX, 0.0)
        target |= {"flow_px": torch.from_numpy(flow.astype(np.float32)), "flow_valid": torch.from_numpy(valid)}
    if "panoptic.png" in files:
        blue, green, red = np.moveaxis(_image(files, "panoptic.png", name).astype(np.int32), -1, 0)
        target["panoptic"] = torch.from_numpy(red + 256 * green + 65536 * blue)
    for file, key in (("lanes.png", "road"), ("bev.png", "bird")):
        if file in files:
            target[key] = torch.from_numpy(_image(files, file, name))
    if "lanes.json" in files:
        target["lines"] = [_line(line) for line in json.loads(files["lanes.json"])["lines"]]
    return target


def _people(entries: list[Json]) -> Json:
    joints = torch.zeros(len(entries), JOINTS, 3)
    sex, age = (torch.zeros(len(entries), dtype=torch.int64) for _ in range(2))
    is_person = torch.tensor(["keypoints" in entry for entry in entries])
    for row, entry in enumerate(entries):
        if "keypoints" in entry:
            joints[row] = torch.tensor(entry["keypoints"]).reshape(JOINTS, 3)
            sex[row], age[row] = SEXES.index(entry["sex"]), AGES.index(entry["age"])
    return {"keypoints": joints, "is_person": is_person, "sex": sex, "age": age}


def _line(line: Json) -> Json:
    return line | {
        "xyz_ego_m": torch.tensor(line["xyz_ego_m"]).reshape(-1, 3),
        "uv_px": torch.tensor(line["uv_px"]).reshape(-1, 2),
        "visible": torch.tensor(line["visible"], dtype=torch.bool),
    }


def _image(files: dict[str, bytes], key: str, name: str) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(files[key], np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError(f"{name}: its {key} is not an image; render it again")
    return image
