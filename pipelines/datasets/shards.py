"""WebDataset shards: one tar file a batch, the files of a frame beside each other under one stem."""

import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from configs.schema import Experiment
from perception.data import COCO_CATEGORIES
from pipelines.datasets.coco import mask_entry, scan_files, scan_names
from pipelines.datasets.frames import LabelledFrame
from pipelines.datasets.images import encoded
from pipelines.datasets.label_files import categories_with_joints, label_files, lines_file
from pipelines.datasets.tables import part_rows
from pipelines.runs import write_json, written_whole

Json = dict[str, Any]
FOLDER = "shards"
INDEX = "index.json"


class ShardWriter:
    """Writes one batch as one shard, whole or not at all. Members: <stem>.png|jpg, .semantic.png, .instance.png,
    .depth.png and .json with `image` and `annotations` as in the default layout; with the first camera's frames also
    .lidar.npz and .radar.npz where there are any. Labels of `render.labels` are .normals.png, .flow.png, .panoptic.png,
    .lanes.png, .lanes.json and .bev.png; segments and signs are in the .json."""

    RESULTS = (FOLDER,)

    def __init__(self, folder: Path, batch: str, experiment: Experiment) -> None:
        self._suffix, self._frames = experiment.render.image, 0
        self._joints = "keypoints" in experiment.render.labels
        (folder / FOLDER).mkdir(exist_ok=True)
        self._path = folder / FOLDER / f"{batch}.tar"
        self._spool = tempfile.TemporaryFile(dir=folder / FOLDER)  # noqa: SIM115
        self._tar = tarfile.open(fileobj=self._spool, mode="w")  # noqa: SIM115

    def add(self, frame: LabelledFrame) -> None:
        for name, content in encoded(frame, self._suffix).items():
            self._put(f"{frame.stem}.{self._suffix}" if name == "images" else f"{frame.stem}.{name}.png", content)
        for name, content in scan_files(frame).items():
            self._put(f"{frame.stem}.{name}.npz", content)
        for name, content in label_files(frame).items():
            self._put(f"{frame.stem}.{name}.png", content)
        if frame.labels.road is not None:
            self._put(f"{frame.stem}.lanes.json", lines_file(frame.labels))
        entries = [entry | mask_entry(frame, entry) for entry in frame.annotations]
        record = {
            "image": frame.image | scan_names(frame) | {"world_from_ego": frame.world_from_ego.tolist()},
            "annotations": entries,
            "categories": categories_with_joints(COCO_CATEGORIES) if self._joints else COCO_CATEGORIES,
        }
        if frame.labels.panoptic is not None:
            record["segments_info"] = list(frame.labels.segments)
        if frame.labels.signs is not None:
            record["signs"] = list(frame.labels.signs)
        self._put(f"{frame.stem}.json", json.dumps(record, allow_nan=False).encode())
        self._frames += 1

    def close(self) -> dict[str, list[Json]]:
        self._tar.close()
        self._spool.seek(0)
        with self._spool, written_whole(self._path) as part, part.open("wb") as file:
            shutil.copyfileobj(self._spool, file)
        return {"shards": [{"url": self._path.name, "frames": self._frames}]}

    def _put(self, name: str, content: bytes) -> None:
        entry = tarfile.TarInfo(name)  # neither time nor owner: the same job gives the same bytes
        entry.size = len(content)
        self._tar.addfile(entry, io.BytesIO(content))

    @staticmethod
    def finish(folder: Path, experiment: Experiment, parts: Sequence[Path]) -> None:
        """List the shards and how many frames each holds."""
        write_json(folder / FOLDER / INDEX, {"shardlist": list(part_rows(parts, "shards"))})
