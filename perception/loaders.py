"""Rendered datasets for torch: folders frame by frame, WebDataset shards in a stream.

Both yield (image, target): the image float32 (3, H, W) in [0, 1], the target as torchvision's detectors take it:
`boxes` (n, 4) float32 corners in pixels, `labels` (n,) int64 from 1, `iscrowd`, `area`, `image_id`. With it come the
label images: `semantic` (H, W) uint8 Cityscapes ids, `instance` (H, W) int32, `depth_m` (H, W) float32, inf where there
is none. Where the dataset has scans, `lidar` and `radar` are tables of tensors, a row an echo (n, ...), in the ego
frame. In shards they come with the frames of a rig's first camera. Labels of `render.labels` come where there are any
(`perception/label_files.py`).
"""

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from perception.data import read_document
from perception.label_files import LABEL_FILES, label_targets

Sample = tuple[torch.Tensor, dict[str, Any]]
Json = dict[str, Any]
DEPTH_UNITS_PER_M = 256.0
LABELS = ("semantic", "instance", "depth")
SCANS = {"lidar", "radar"}


class FolderDataset(Dataset[Sample]):
    """The default layout of `roadloop render`, decoded frame by frame. ValueError where the folder is not one."""

    def __init__(self, folder: Path) -> None:
        document = read_document(folder)
        self._folder = folder
        self._images: list[Json] = document["images"]
        self._categories: list[Json] = document["categories"]
        self._of_image: dict[int, list[Json]] = {image["id"]: [] for image in self._images}
        for entry in document["annotations"]:
            self._of_image[entry["image_id"]].append(entry)
        self._labels = [name for name in LABEL_FILES if (folder / name.partition(".")[0]).is_dir()]
        # Rows of images, where there are any: signs in sight, and segments of the panoptic image.
        self._rows: dict[int, Json] = {image["id"]: {} for image in self._images}
        for sign in document.get("signs", []):
            self._rows[sign["image_id"]].setdefault("signs", []).append(sign)
        if (folder / "panoptic.json").exists():
            for row in json.loads((folder / "panoptic.json").read_text(encoding="utf-8"))["annotations"]:
                self._rows[row["image_id"]]["segments_info"] = row["segments_info"]
        if "signs" in document:
            for rows in self._rows.values():
                rows.setdefault("signs", [])

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Sample:
        image = self._images[index]
        name = Path(str(image["file_name"]))
        if name.name != str(image["file_name"]):
            raise ValueError(f"{self._folder}: file_name {image['file_name']!r} leads out of the folder")
        files = {"colour": _bytes(self._folder / "images" / name)}
        files |= {label: _bytes(self._folder / label / name.with_suffix(".png")) for label in LABELS}
        files |= {
            sensor: _bytes(self._folder / sensor / Path(str(image[sensor])).name) for sensor in SCANS & image.keys()
        }
        entries, stem = self._of_image[image["id"]], name.with_suffix("")
        known = self._rows[image["id"]] | label_targets(self._found(stem), entries, self._categories, str(name))
        return _sample(files, entries, image["id"], str(name), known)

    def _found(self, stem: Path) -> dict[str, bytes]:
        """The extra label files of a frame; a rig's further cameras have no view from above."""
        paths = {
            name: self._folder / name.partition(".")[0] / f"{stem}.{name.partition('.')[2]}" for name in self._labels
        }
        return {name: _bytes(path) for name, path in paths.items() if name != "bev.png" or path.exists()}


class ShardDataset(IterableDataset[Sample]):
    """All shards of a folder, one after another; the workers of a DataLoader share them out."""

    def __init__(self, folder: Path) -> None:
        self._paths = sorted((folder / "shards").glob("*.tar"))
        if not self._paths:
            raise ValueError(f"{folder}/shards holds no .tar; make some with `roadloop render --format webdataset`")

    def __iter__(self) -> Iterator[Sample]:
        info = get_worker_info()
        number, workers = (0, 1) if info is None else (info.id, info.num_workers)
        for path in self._paths[number::workers]:
            for number_in_shard, (stem, members) in enumerate(_members(path)):
                suffix = next((s for s in ("png", "jpg") if s in members), None)
                absent = [name for name in (*(f"{label}.png" for label in LABELS), "json") if name not in members]
                if suffix is None or absent:
                    raise ValueError(f"{path}: {stem} lacks {absent or 'its picture'}; render the shard again")
                files = {"colour": members[suffix]} | {label: members[f"{label}.png"] for label in LABELS}
                files |= {sensor: members[f"{sensor}.npz"] for sensor in SCANS if f"{sensor}.npz" in members}
                record = json.loads(members["json"])
                entries, name = record["annotations"], f"{path.name}/{stem}"
                known = {key: record[key] for key in ("signs", "segments_info") if key in record}
                extra = {label: members[label] for label in LABEL_FILES if label in members}
                known |= label_targets(extra, entries, record["categories"], name)
                yield _sample(files, entries, number_in_shard, name, known)


def _members(path: Path) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Frames of a shard: the stem, and its files by what follows the stem's dot."""
    stem, files = "", {}
    with tarfile.open(path) as tar:
        for member in tar:
            if not member.isfile():
                continue
            own, _, suffix = member.name.partition(".")
            if own != stem and files:
                yield stem, files
                files = {}
            stem = own
            content = tar.extractfile(member)
            assert content is not None
            files[suffix] = content.read()
    if files:
        yield stem, files


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise ValueError(f"{path} is missing; render the folder again")
    return path.read_bytes()


def _sample(files: dict[str, bytes], entries: list[Json], image_id: int, name: str, known: Json) -> Sample:
    images = {key: _decoded(content, key, name) for key, content in files.items() if key not in SCANS}
    scans = {key: _table(content, key, name) for key, content in files.items() if key in SCANS}
    corners = np.array([e["bbox"] for e in entries], dtype=np.float32).reshape(-1, 4)
    corners[:, 2:] += corners[:, :2]
    units = images["depth"].astype(np.float32)
    target = {
        "boxes": torch.from_numpy(corners),
        "labels": torch.tensor([e["category_id"] for e in entries], dtype=torch.int64),
        "iscrowd": torch.tensor([e["iscrowd"] for e in entries], dtype=torch.int64),
        "area": torch.tensor([e["area"] for e in entries], dtype=torch.float32),
        "image_id": image_id,
        "semantic": torch.from_numpy(images["semantic"]),
        "instance": torch.from_numpy(images["instance"].astype(np.int32)),
        "depth_m": torch.from_numpy(np.where(units > 0, units / DEPTH_UNITS_PER_M, np.inf).astype(np.float32)),
        **scans,
        **known,
    }
    rgb = np.ascontiguousarray(images["colour"][..., ::-1].transpose(2, 0, 1))
    return torch.from_numpy(rgb).float() / 255.0, target


def _table(content: bytes, key: str, name: str) -> dict[str, torch.Tensor]:
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as rows:
            numbers = {field: rows[field] for field in rows.files}
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(f"{name}: its {key} is not an archive of arrays ({error}); render it again") from error
    wide = {
        field: column.astype(np.int32) if column.dtype == np.uint16 else column for field, column in numbers.items()
    }
    return {field: torch.from_numpy(column) for field, column in wide.items()}


def _decoded(content: bytes, key: str, name: str) -> np.ndarray:
    image = cv2.imdecode(
        np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR if key == "colour" else cv2.IMREAD_UNCHANGED
    )
    if image is None:
        raise ValueError(f"{name}: its {key} is not an image; render it again")
    return image
