"""What every dataset format has in common: a writer in each worker, and one end when all batches are there."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from configs.schema import Experiment
from pipelines.datasets.coco import CocoWriter
from pipelines.datasets.frames import LabelledFrame
from pipelines.datasets.kitti import KittiWriter
from pipelines.datasets.nuscenes import NuScenesWriter
from pipelines.datasets.shards import ShardWriter

Json = dict[str, Any]


class Writer(Protocol):
    """Writes the frames of one batch. Frames come scene by scene in time or time by time, stems never twice."""

    def add(self, frame: LabelledFrame) -> None: ...

    def close(self) -> dict[str, list[Json]]:
        """Finish the batch's files; its rows of the format's tables, by name."""
        ...


# Format -> how a batch is written: (folder of the dataset, name of the batch, settings) -> writer
WRITERS: dict[str, Callable[[Path, str, Experiment], Writer]] = {
    "coco": CocoWriter,
    "kitti": KittiWriter,
    "nuscenes": NuScenesWriter,
    "webdataset": ShardWriter,
}


def finish(formats: Sequence[str], folder: Path, experiment: Experiment, parts: Sequence[Path]) -> None:
    """Write what each format keeps once for all batches."""
    for name in formats:
        WRITERS[name].finish(folder, experiment, parts)  # type: ignore[attr-defined]


def results(formats: Sequence[str]) -> tuple[str, ...]:
    """Names in the folder that only these formats write."""
    return tuple(name for f in formats for name in WRITERS[f].RESULTS)  # type: ignore[attr-defined]
