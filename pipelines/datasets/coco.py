"""The default layout: images/, semantic/, instance/, depth/ with the same stems, and annotations.json (COCO).

Where a lidar or radar is configured also lidar/ and radar/, one archive per time, named after its first camera's frame
(points.py); images name theirs as `lidar` and `radar`.

Annotations carry their mask as compressed run lengths, as pycocotools reads them.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import hotcoco.mask
import numpy as np
from numpy.typing import NDArray

from configs.schema import Experiment
from perception.data import ANNOTATIONS, COCO_CATEGORIES
from pipelines.datasets.frames import LabelledFrame
from pipelines.datasets.images import encoded, write_bytes
from pipelines.datasets.label_files import (
    LABEL_FOLDERS,
    PANOPTIC,
    PANOPTIC_CATEGORIES,
    categories_with_joints,
    label_files,
    lines_file,
    numbered,
    numbered_signs,
    segments_row,
)
from pipelines.datasets.points import archive
from pipelines.datasets.tables import part_rows, write_document
from pipelines.runs import versions

Json = dict[str, Any]
FOLDERS = ("images", "semantic", "instance", "depth")
SCANS = ("lidar", "radar")


class CocoWriter:
    """Writes one batch of the default layout."""

    RESULTS = (*FOLDERS, *LABEL_FOLDERS, *SCANS, ANNOTATIONS, PANOPTIC)

    def __init__(self, folder: Path, batch: str, experiment: Experiment) -> None:
        self._folder, self._suffix = folder, experiment.render.image
        self._images: list[Json] = []
        self._annotations: list[Json] = []
        self._labels: dict[str, list[Json]] = {}
        for name in FOLDERS:
            (folder / name).mkdir(exist_ok=True)

    def add(self, frame: LabelledFrame) -> None:
        for name, content in encoded(frame, self._suffix).items():
            suffix = self._suffix if name == "images" else "png"
            write_bytes(self._folder / name / f"{frame.stem}.{suffix}", content)
        for name, content in scan_files(frame).items():
            (self._folder / name).mkdir(exist_ok=True)
            write_bytes(self._folder / name / f"{frame.scan_stem}.npz", content)
        self._add_labels(frame)
        self._images.append(frame.image | scan_names(frame) | {"world_from_ego": frame.world_from_ego.tolist()})
        self._annotations.append({"of": [entry | mask_entry(frame, entry) for entry in frame.annotations]})

    def close(self) -> dict[str, list[Json]]:
        return {"images": self._images, "annotations": self._annotations} | self._labels

    def _add_labels(self, frame: LabelledFrame) -> None:
        files = {f"{name}/{frame.stem}.png": content for name, content in label_files(frame).items()}
        if frame.labels.road is not None:
            files[f"lanes/{frame.stem}.json"] = lines_file(frame.labels)
        for name, content in files.items():
            (self._folder / name).parent.mkdir(exist_ok=True)
            write_bytes(self._folder / name, content)
        if frame.labels.panoptic is not None:
            self._labels.setdefault("panoptic", []).append(segments_row(frame))
        if frame.labels.signs is not None:
            self._labels.setdefault("signs", []).append({"of": list(frame.labels.signs)})

    @staticmethod
    def finish(folder: Path, experiment: Experiment, parts: Sequence[Path]) -> None:
        """Join the annotations of all batches; ids count through in the order of the batches."""
        wanted = experiment.render.labels
        head = {
            "info": {"description": "Roadloop scenes", "seed": experiment.seed, "versions": versions()},
            "categories": categories_with_joints(COCO_CATEGORIES) if "keypoints" in wanted else COCO_CATEGORIES,
        }
        tables: dict[str, Iterable[Json]] = {"images": _images(parts), "annotations": _numbered(parts)}
        if "signs" in wanted:
            tables["signs"] = numbered_signs(parts)
        write_document(folder / ANNOTATIONS, head, tables)
        if "panoptic" in wanted:
            head = {"info": head["info"], "categories": PANOPTIC_CATEGORIES}
            tables = {"images": _images(parts), "annotations": numbered(parts, "panoptic")}
            write_document(folder / PANOPTIC, head, tables)


def scan_files(frame: LabelledFrame) -> dict[str, bytes]:
    """Archives of the frame's scans by sensor; with its first camera alone."""
    if frame.scans is None or frame.camera > 0:
        return {}
    return {name: archive(rows) for name in SCANS if (rows := getattr(frame.scans, name)) is not None}


def scan_names(frame: LabelledFrame) -> Json:
    """What an image tells of its scans: their files, and where the sensors stand."""
    told: Json = {}
    for name in SCANS:
        if frame.scans is not None and getattr(frame.scans, name) is not None:
            told[name] = f"{frame.scan_stem}.npz"
            told[f"ego_from_{name}"] = getattr(frame.scans, f"ego_from_{name}").tolist()
    return told


def _images(parts: Sequence[Path]) -> Iterator[Json]:
    for image_id, row in enumerate(part_rows(parts, "images"), 1):
        yield row | {"id": image_id}


def _numbered(parts: Sequence[Path]) -> Iterator[Json]:
    ids = count(1)
    for image_id, row in enumerate(part_rows(parts, "annotations"), 1):
        for entry in row["of"]:
            yield entry | {"id": next(ids), "image_id": image_id}


def mask_entry(frame: LabelledFrame, annotation: Json) -> Json:
    """The COCO fields of an object's visible mask: run lengths and area in pixels."""
    mask = np.asfortranarray(frame.instance == annotation["actor"] + 1, dtype=np.uint8)
    return {"segmentation": run_lengths(mask), "area": float(mask.sum())}


def run_lengths(mask: NDArray[np.uint8]) -> Json:
    """A mask (H, W), column-major, as COCO's compressed run lengths."""
    encoded_mask = hotcoco.mask.encode(mask)
    counts = encoded_mask["counts"]
    return {
        "size": [int(n) for n in encoded_mask["size"]],
        "counts": counts.decode("ascii") if isinstance(counts, bytes) else counts,
    }
