"""What many processes make anew from the same source, kept on disk between them: maps compiled and planted, textures.

A file is found by a digest of all that it depends on: our source and weights, versions of the packages, the settings.
Whatever changes gives another digest, so nothing here can be out of date. The folder is `roadloop` in the user's cache
folder (XDG_CACHE_HOME or ~/.cache), where meshes lie too; files longest unused go when it grows too large. It may be
removed at any time.
"""

import contextlib
import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from pipelines.runs import written_whole
from sim.meshes.library import cache_folder

SOURCE = Path(__file__).parent.parent / "sim"
MOST_BYTES = 512 * 2**20
Kept = TypeVar("Kept")


def kept(kind: type[Kept], key: object, make: Callable[[], Kept], folder: Path | None = None) -> Kept:
    """`make()`, or what it made before for the same key: a dataclass of tensors (CPU) and numbers.

    `key` has a `repr` that tells all that the result depends on besides the source. A file that cannot be read or
    written only costs the time to make it again.
    """
    path = (folder or cache_folder()) / f"{kind.__name__}-{_digest(key, source_digest())}.safetensors"
    try:
        found = _read(kind, path)
    except (OSError, SafetensorError, ValueError, KeyError):
        found = make()
        _write(found, path)
    return found


@cache
def source_digest(source: Path = SOURCE) -> str:
    """A digest of every file of the source, weights included, and of the versions of what computes with it."""
    found = hashlib.sha256(f"{sys.version} {np.__version__} {torch.__version__} {cv2.__version__}".encode())
    for path in sorted(source.rglob("*")):
        if path.suffix in (".py", ".safetensors", ".yaml") and "__pycache__" not in path.parts:
            found.update(str(path.relative_to(source)).encode() + b"\0" + path.read_bytes())
    return found.hexdigest()


def _digest(key: object, source: str) -> str:
    return hashlib.sha256(f"{source} {key!r}".encode()).hexdigest()[:40]


def _read(kind: type[Kept], path: Path) -> Kept:
    values: dict[str, Any] = {}
    with safe_open(path, framework="pt") as file:
        values |= {name: file.get_tensor(name) for name in list(file.keys())}
        values |= {name: float(number) for name, number in (file.metadata() or {}).items()}
    with contextlib.suppress(OSError):  # somebody else's file, or a disk that is only read
        os.utime(path)  # in use: not among the first to go
    return kind(**{f.name: values[f.name] for f in fields(kind)})  # type: ignore[arg-type]


def _write(made: Any, path: Path) -> None:
    values = {f.name: getattr(made, f.name) for f in fields(made)}
    tensors = {name: value.contiguous() for name, value in values.items() if isinstance(value, torch.Tensor)}
    numbers = {name: repr(float(value)) for name, value in values.items() if name not in tensors}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part:
            save_file(tensors, part, numbers)
        _make_room(path.parent)
    except OSError:
        return  # a full or read-only disk


def _make_room(folder: Path) -> None:
    files = [(path.stat(), path) for path in folder.iterdir() if path.suffix in (".safetensors", ".npz")]
    total = sum(about.st_size for about, _ in files)
    for about, path in sorted(files, key=lambda entry: max(entry[0].st_mtime, entry[0].st_atime)):
        if total <= MOST_BYTES:
            return
        path.unlink(missing_ok=True)
        total -= about.st_size
