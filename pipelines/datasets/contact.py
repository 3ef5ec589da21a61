"""Contact sheets: up to a hundred frames of a dataset at a glance, plain and with their labels."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.datasets.frames import LabelledFrame
from pipelines.datasets.images import encode, write_bytes
from pipelines.datasets.tables import read_part
from sim.types import Semantic

Json = dict[str, Any]
Image = NDArray[np.uint8]
MOST = 100
THUMB_PX = 240
COLUMNS = 10
# The colours in which Cityscapes shows its classes.
COLOURS = {
    Semantic.ROAD: (128, 64, 128),
    Semantic.SIDEWALK: (244, 35, 232),
    Semantic.BUILDING: (70, 70, 70),
    Semantic.WALL: (102, 102, 156),
    Semantic.POLE: (153, 153, 153),
    Semantic.TRAFFIC_LIGHT: (250, 170, 30),
    Semantic.TRAFFIC_SIGN: (220, 220, 0),
    Semantic.VEGETATION: (107, 142, 35),
    Semantic.TERRAIN: (152, 251, 152),
    Semantic.SKY: (70, 130, 180),
    Semantic.PERSON: (220, 20, 60),
    Semantic.RIDER: (255, 0, 0),
    Semantic.CAR: (0, 0, 142),
    Semantic.TRUCK: (0, 0, 70),
    Semantic.BUS: (0, 60, 100),
    Semantic.MOTORCYCLE: (0, 0, 230),
    Semantic.BICYCLE: (119, 11, 32),
}


def shown_scenes(scenes: int) -> set[int]:
    """The scenes whose first frame is on the sheets: all of few, else evenly spread ones."""
    return {int(n) for n in np.linspace(0, scenes - 1, min(scenes, MOST)).round()}


def thumbnails(frame: LabelledFrame) -> Json:
    """Both small pictures of a frame as base64 JPEG, with the line below them."""
    caption = f"{frame.image['weather']}, {frame.image['road']}"
    pictures = {"plain": frame.rgb, "labels": label_picture(frame)}
    small = {name: encode(_small(image)[..., ::-1], "jpg") for name, image in pictures.items()}
    return {"scene": frame.scene, "caption": caption} | {n: base64.b64encode(b).decode() for n, b in small.items()}


def label_picture(frame: LabelledFrame) -> Image:
    """Classes in colour over the picture (H, W, 3), visible boxes around objects, ignored ones thin."""
    palette = np.zeros((256, 3), np.uint8)
    for label, colour in COLOURS.items():
        palette[label] = colour
    picture = np.ascontiguousarray((0.35 * frame.rgb + 0.65 * palette[frame.semantic]).astype(np.uint8))
    for entry in frame.annotations:
        left, top, wide, high = (round(n) for n in entry["bbox"])
        cv2.rectangle(picture, (left, top), (left + wide, top + high), (255, 255, 255), 1 if entry["ignore"] else 2)
    return picture


def write_sheets(folder: Path, parts: Sequence[Path]) -> list[str]:
    """Write contact.jpg and contact_labels.jpg; their names."""
    cells = sorted((cell for path in parts for cell in read_part(path)["thumbnails"]), key=lambda cell: cell["scene"])
    names = []
    for key, name in (("plain", "contact.jpg"), ("labels", "contact_labels.jpg")):
        pictures = [_captioned(_decoded(cell[key]), f"{cell['scene']}  {cell['caption']}") for cell in cells]
        columns = min(COLUMNS, max(round(len(pictures) ** 0.5), 1))
        blank = np.full_like(pictures[0], 255)
        pictures += [blank] * (-len(pictures) % columns)
        rows = [np.hstack(pictures[i : i + columns]) for i in range(0, len(pictures), columns)]
        write_bytes(folder / name, encode(np.vstack(rows), "jpg"))
        names.append(name)
    return names


def _small(image: Image) -> Image:
    height = round(image.shape[0] * THUMB_PX / image.shape[1])
    return cv2.resize(np.ascontiguousarray(image), (THUMB_PX, height), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _decoded(text: str) -> Image:
    image = cv2.imdecode(np.frombuffer(base64.b64decode(text), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return image  # type: ignore[return-value]


def _captioned(image: Image, caption: str) -> Image:
    bordered = cv2.copyMakeBorder(image, 2, 16, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255))
    place = (4, bordered.shape[0] - 5)
    return cv2.putText(bordered, caption, place, cv2.FONT_HERSHEY_SIMPLEX, 0.38, (60, 60, 60), 1, cv2.LINE_AA)  # type: ignore[return-value]
