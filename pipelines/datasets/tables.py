"""Tables of a dataset: rows that workers leave in part files, streamed into JSON files of any length."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipelines.runs import written_whole

Json = dict[str, Any]


def read_part(path: Path) -> Json:
    """All tables of one batch."""
    return json.loads(path.read_text(encoding="utf-8"))


def part_rows(parts: Iterable[Path], table: str) -> Iterator[Json]:
    """The rows of one table in all parts, one part in memory at a time."""
    for path in parts:
        yield from read_part(path)[table]


def write_array(path: Path, rows: Iterable[Json]) -> int:
    """Write a JSON file that is one array, row by row; how many there were."""
    with written_whole(path) as part, part.open("w", encoding="utf-8") as file:
        count = _stream(file, rows)
        file.write("\n")
    return count


def write_document(path: Path, head: Json, tables: dict[str, Iterable[Json]]) -> dict[str, int]:
    """Write a JSON object: the entries of `head`, then each table as an array, row by row; how many rows each had."""
    counts = {}
    with written_whole(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head, allow_nan=False)[:-1])
        for name, rows in tables.items():
            file.write(f",\n{json.dumps(name)}: ")
            counts[name] = _stream(file, rows)
        file.write("}\n")
    return counts


def _stream(file: Any, rows: Iterable[Json]) -> int:
    count = 0
    file.write("[")
    for row in rows:
        file.write((",\n" if count else "\n") + json.dumps(row, allow_nan=False))
        count += 1
    file.write("]")
    return count
