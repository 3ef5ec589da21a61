"""What a dataset holds, counted frame by frame: rows that add up in any order."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.datasets.frames import LabelledFrame
from pipelines.datasets.tables import read_part
from sim.types import ActorKind, Semantic

Json = dict[str, Any]
DISTANCE_EDGES_M = (0.0, 10.0, 20.0, 30.0, 40.0, 60.0, 80.0, 120.0)  # the last bin is open
HEIGHT_EDGES_PX = (0.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
SHARE_EDGES = (0.0, 0.01, 0.2, 0.4, 0.6, 0.8)
MAP_CELLS = (12, 20)  # rows and columns of the map of where objects stand in the image


@dataclass
class Summary:
    """Counts over the frames of a dataset."""

    frames: int = 0
    objects: int = 0
    counts: dict[str, Counter[str]] = field(default_factory=dict)  # of frames by weather, of objects by kind ...
    pixels: Counter[str] = field(default_factory=Counter)  # of semantic classes
    where: NDArray[np.int64] = field(default_factory=lambda: np.zeros(MAP_CELLS, np.int64))  # middles of visible boxes

    def add(self, frame: LabelledFrame) -> None:
        """Count one more frame."""
        self.frames += 1
        self.objects += len(frame.annotations)
        self._count("frames by weather", frame.image["weather"])
        self._count("frames by road", frame.image["road"])
        for key, value in frame.image.get("cell", {}).items():
            if key not in ("weather", "road.kind"):
                self._count(f"frames by {key}", str(value))
        self._count("frames by objects in them", _bin(len(frame.annotations), (0, 1, 2, 4, 8, 16), ""))
        counts = np.bincount(frame.semantic.reshape(-1))
        self.pixels.update({Semantic(int(label)).name.lower(): int(counts[label]) for label in counts.nonzero()[0]})
        for entry in frame.annotations:
            self._count_object(frame, entry)

    def _count_object(self, frame: LabelledFrame, entry: Json) -> None:
        kind = ActorKind(entry["category_id"] - 1).name.lower()
        left, top, wide, high = entry["bbox"]
        self._count("objects by kind", kind)
        self._count("objects by distance", _bin(entry["distance_m"], DISTANCE_EDGES_M, " m"))
        self._count("objects by height in the image", _bin(high, HEIGHT_EDGES_PX, " px"))
        self._count("objects by occlusion", _bin(entry["occlusion"], SHARE_EDGES, ""))
        self._count("objects by truncation", _bin(entry["truncation"], SHARE_EDGES, ""))
        row = int((top + 0.5 * high) / frame.image["height"] * MAP_CELLS[0])
        column = int((left + 0.5 * wide) / frame.image["width"] * MAP_CELLS[1])
        self.where[min(row, MAP_CELLS[0] - 1), min(column, MAP_CELLS[1] - 1)] += 1

    def _count(self, what: str, value: str) -> None:
        self.counts.setdefault(what, Counter())[value] += 1

    def row(self) -> Json:
        """As plain values that JSON holds."""
        return {
            "frames": self.frames,
            "objects": self.objects,
            "counts": {what: dict(counter) for what, counter in self.counts.items()},
            "pixels": dict(self.pixels),
            "where": self.where.tolist(),
        }

    @classmethod
    def joined(cls, parts: Sequence[Path]) -> "Summary":
        """The sum over all part files."""
        total = cls()
        for path in parts:
            row = read_part(path)["summary"]
            total.frames += row["frames"]
            total.objects += row["objects"]
            for what, counts in row["counts"].items():
                total.counts.setdefault(what, Counter()).update(counts)
            total.pixels.update(row["pixels"])
            total.where += np.array(row["where"])
        return total


def _bin(value: float, edges: Sequence[float], unit: str) -> str:
    """The name of the bin that holds a value; the last one is open."""
    index = int(np.searchsorted(edges, value, side="right")) - 1
    low = f"{edges[index]:g}"
    return f"{low}{unit} and more" if index + 1 == len(edges) else f"{low} to {edges[index + 1]:g}{unit}"
