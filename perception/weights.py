"""Detector weights on disk: safetensors with the architecture and a free record in the header; nothing is unpickled."""

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from perception.detector import Detector, DetectorConfig, build_detector

FORMAT = "roadloop-detector-1"
SHIPPED_DETECTOR = Path(__file__).parent / "weights" / "detector.safetensors"


def save_detector(detector: Detector, path: Path, record: dict | None = None) -> None:
    """Write weights, architecture and `record` (anything JSON holds: command, seed, scores) at once or not at all."""
    header = {
        "format": FORMAT,
        "config": json.dumps(detector.config.to_dict()),
        "record": json.dumps(record or {}),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file({k: v.detach().cpu().contiguous() for k, v in detector.state_dict().items()}, temporary, header)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_detector(path: Path = SHIPPED_DETECTOR, device: str | torch.device = "cpu") -> Detector:
    """The detector saved at `path`, in evaluation mode; ValueError of one line for whatever is wrong with it."""
    header, tensors = _read(path)
    try:
        detector = build_detector(DetectorConfig.from_dict(json.loads(header["config"])))
        detector.load_state_dict(tensors)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(f"{path} does not fit this version's detector ({reason}); {_REMEDY}") from None
    return detector.to(device).eval()


def read_record(path: Path = SHIPPED_DETECTOR) -> dict:
    """The record that `save_detector` was given; ValueError as in `load_detector`."""
    header, _ = _read(path, tensors=False)
    try:
        return json.loads(header["record"])
    except (KeyError, ValueError):
        raise ValueError(f"{path} has no readable record in its header; {_REMEDY}") from None


_REMEDY = "give weights written by `roadloop train detector`"


def _read(path: Path, tensors: bool = True) -> tuple[dict[str, str], dict[str, torch.Tensor]]:
    if not path.is_file():
        raise ValueError(f"{path} is not a file; {_REMEDY}")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if header.get("format") != FORMAT:
                found = header.get("format", "none")
                raise ValueError(f"{path} holds no detector (format {found}, not {FORMAT}); {_REMEDY}")
            return header, {k: file.get_tensor(k) for k in file.keys()} if tensors else {}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise ValueError(f"{path} is not a readable safetensors file ({reason}); {_REMEDY}") from None
