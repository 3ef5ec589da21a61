"""Run folders: checked before any work starts, files written whole or not at all."""

import importlib.metadata
import json
import math
import os
import platform
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from configs.schema import Experiment
from pipelines.config_io import experiment_yaml

PACKAGES = ("roadloop", "torch", "warp-lang", "numpy", "stable-baselines3", "gymnasium", "ray")


def prepare_folder(path: Path) -> Path:
    """Make sure that a folder exists and can be written; OSError with one clear line where not.

    Folders made here are removed again if the check fails, so that a refused job leaves nothing behind.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as error:
        for folder in missing:
            if folder.is_dir():
                folder.rmdir()
        raise OSError(
            f"output folder {path} cannot be written ({error.strerror or error}); choose another with --out"
        ) from error
    return path


@contextmanager
def run_folder(path: Path) -> Iterator[Path]:
    """A folder for a job's results, checked before the work; if the job fails with nothing written, it goes again."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    prepare_folder(path)
    try:
        yield path
    except BaseException:
        for folder in missing:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        raise


def default_folder(job: str) -> Path:
    """runs/JOB-DATE-TIME below the current folder."""
    return Path("runs") / f"{job}-{time.strftime('%Y%m%d-%H%M%S')}"


def check_file_target(path: Path) -> Path:
    """Make sure that a file can be written at `path` before the work that fills it; OSError with one clear line."""
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; name a file")
    prepare_folder(path.parent)
    return path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` and rename it into place on success; on failure nothing remains."""
    part = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> None:
    """Remove what `written_whole` left below a folder where it was killed; nobody else may be writing there."""
    for path in folder.rglob(".*.part*"):
        path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole."""
    with written_whole(path) as part:
        part.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON whole; ValueError where a number is not finite, so that no NaN passes as a score."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_config(folder: Path, experiment: Experiment) -> None:
    """Write the resolved configuration, so that `--config FOLDER/config.yaml` repeats the job."""
    write_text(folder / "config.yaml", experiment_yaml(experiment))


def claim(experiment: Experiment, folder: Path, results: Sequence[str]) -> None:
    """Make the folder this job's: with the same settings it goes on where it stopped, other settings are refused.

    `results` are names that only such a job writes. The number of workers is no part of the settings.
    """
    config = folder / "config.yaml"
    comparable = experiment.model_copy(update={"workers": 0})
    if config.exists() and config.read_text(encoding="utf-8") != experiment_yaml(comparable):
        raise ValueError(
            f"{folder} holds results of other settings (see its config.yaml); choose another folder with --out"
        )
    foreign = [name for name in results if (folder / name).exists()]
    if not config.exists() and foreign:
        raise ValueError(f"{folder} already holds {foreign[0]}, of another origin; choose another folder with --out")
    write_config(folder, comparable)


def finite_or_none(value: float) -> float | None:
    """A number for JSON: None where it is infinite (nothing ahead); NaN is an error."""
    if math.isnan(value):
        raise ValueError("a figure came out as NaN")
    return value if math.isfinite(value) else None


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that figures depend on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def machine() -> dict[str, Any]:
    """What a figure was measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [
            line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return {"cpu": model, "cores": os.cpu_count(), "system": platform.platform()}


def csv_field(text: str) -> str:
    """A text as a field of CSV, quoted where it must be."""
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text
