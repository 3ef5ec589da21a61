"""Saved episodes: everything a step reads, in memory or as a safetensors file that knows its maps and configuration."""

import hashlib
import json
import os
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from configs.schema import SimConfig
from sim.buffers import Buffers
from sim.types import LaneGraph

_FORMAT = "roadloop-snapshot-1"
_FREE = {"worlds", "seconds"}  # settings that may differ between the simulators that save and restore


@dataclass(frozen=True)
class Snapshot:
    """Some worlds in mid-episode: `Simulator.save` makes it, `Simulator.restore` puts it back bit for bit."""

    tensors: dict[str, torch.Tensor]  # by the names of `Buffers.by_name`, each (worlds, ...), on the CPU
    maps: str  # digest of the lane graph
    settings: dict[str, object]  # of the simulator, but for what may differ

    @property
    def worlds(self) -> int:
        """How many worlds were saved."""
        return len(self.tensors["tick"])


def take(buffers: Buffers, config: SimConfig, maps: str, rows: torch.Tensor) -> Snapshot:
    """Copies of the worlds `rows` (n,) int64."""
    return Snapshot({name: t[rows].cpu() for name, t in _tensors(buffers).items()}, maps, _settings(config))


def put(snapshot: Snapshot, buffers: Buffers, config: SimConfig, maps: str, rows: torch.Tensor) -> None:
    """Write the saved worlds into the worlds `rows` (n,) int64; ValueError where they would not go on the same."""
    if len(rows) != snapshot.worlds:
        raise ValueError(f"the snapshot holds {snapshot.worlds} worlds, to be put into {len(rows)}: name as many")
    if snapshot.maps != maps:
        raise ValueError(
            f"the snapshot was taken on other maps ({snapshot.maps}) than the simulator's ({maps}): compile the same"
        )
    wanted = _settings(config)
    for key in sorted(wanted.keys() | snapshot.settings.keys()):
        if wanted.get(key) != snapshot.settings.get(key):
            raise ValueError(
                f"sim.{key} was {snapshot.settings.get(key)} when the snapshot was taken and is {wanted.get(key)} now: "
                "make the simulator with the same settings"
            )
    own = _tensors(buffers)
    if own.keys() != snapshot.tensors.keys():
        odd = sorted(own.keys() ^ snapshot.tensors.keys())
        raise ValueError(f"the snapshot is of another version of the simulator (it differs in {', '.join(odd)})")
    for name, tensor in own.items():
        saved = snapshot.tensors[name]
        if saved.shape[1:] != tensor.shape[1:] or saved.dtype != tensor.dtype:
            raise ValueError(f"the snapshot's {name} is {tuple(saved.shape)} {saved.dtype}, not as in this simulator")
    for name, tensor in own.items():
        tensor[rows] = snapshot.tensors[name].to(tensor.device)


def save_snapshot(snapshot: Snapshot, path: Path) -> None:
    """Write a snapshot as safetensors; the file appears whole or not at all. OSError where it cannot be written."""
    metadata = {"format": _FORMAT, "maps": snapshot.maps, "settings": json.dumps(snapshot.settings)}
    temporary = Path(path).with_name(f".{Path(path).name}.part")
    try:
        save_file({name: t.contiguous() for name, t in snapshot.tensors.items()}, temporary, metadata)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def load_snapshot(path: Path) -> Snapshot:
    """Read a snapshot; ValueError where the file is none, OSError where it cannot be read."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise ValueError(
                    f"{path} is no snapshot of a simulator: make one with Simulator.save and save_snapshot"
                )
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path} is not a readable safetensors file ({reason}): save the snapshot again") from None
    return Snapshot(tensors, metadata["maps"], json.loads(metadata["settings"]))


def maps_digest(lanes: LaneGraph) -> str:
    """A short name for the exact content of a lane graph."""
    digest = hashlib.sha256()
    for name in sorted(f.name for f in fields(lanes)):
        value = getattr(lanes, name)
        digest.update(name.encode())
        digest.update(value.cpu().numpy().tobytes() if isinstance(value, torch.Tensor) else repr(value).encode())
    return digest.hexdigest()[:16]


def _tensors(buffers: Buffers) -> dict[str, torch.Tensor]:
    """Every tensor that lives on from tick to tick, once each, the worlds first."""
    unique: dict[int, str] = {}
    found = buffers.by_name()
    for name, tensor in found.items():
        unique.setdefault(tensor.data_ptr(), name)
    transient = ("mask", "new_seed", "new_map", "everyone", "observation")
    return {name: found[name] for name in unique.values() if name not in transient}


def _settings(config: SimConfig) -> dict[str, object]:
    return {name: value for name, value in config.model_dump(mode="json").items() if name not in _FREE}
