"""The learned driver: a small policy network in a .safetensors file, and nothing else of what trained it.

The file holds `layer{i}.weight` and `layer{i}.bias` of an MLP and, in its header, what it expects and means, so that no
code is unpickled and a file of another observation or action is refused.
"""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from agents.observation import ACTION_SIZE, Observer
from planning.control import track
from planning.plan import MAX_ACCEL_MPS2, MAX_DECEL_MPS2, MAX_OFFSET_M, plan_from_unit
from sim.observe import OBSERVATION_SIZE, OBSERVATION_VERSION
from sim.types import Action, EgoState, Percept, Route

SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "ppo.safetensors"
HEADER_KEY = "roadloop_agent"


def policy_header() -> dict[str, Any]:
    """What this version of the code expects of a policy and makes of its answers."""
    return {
        "observation_version": OBSERVATION_VERSION,
        "observation_size": OBSERVATION_SIZE,
        "activation": "tanh",
        "action": ["pedal", "offset"],
        "max_accel_mps2": MAX_ACCEL_MPS2,
        "max_decel_mps2": MAX_DECEL_MPS2,
        "max_offset_m": MAX_OFFSET_M,
    }


class PolicyMlp:
    """Tanh MLP with a linear output, the mean of the policy.

    On the CPU every row is computed by itself: a matrix product over a batch sums in an order that depends on the
    batch's size, and a world's episode must not.
    """

    def __init__(self, layers: list[tuple[torch.Tensor, torch.Tensor]], device: str | torch.device = "cpu") -> None:
        self.layers = [(weight.to(device).contiguous(), bias.to(device).contiguous()) for weight, bias in layers]

    @torch.no_grad()
    def __call__(self, observation: torch.Tensor) -> torch.Tensor:
        """Answers (B, 2) to observations (B, D)."""
        if observation.device.type != "cpu":
            return self._forward(observation)
        # Cloned: a row inside the batch may be aligned otherwise than one alone, and take another path in the BLAS.
        return torch.stack([self._forward_row(row.clone()) for row in observation])

    def _forward(self, x: torch.Tensor) -> torch.Tensor:
        for weight, bias in self.layers[:-1]:
            x = torch.tanh(nn.functional.linear(x, weight, bias))
        return nn.functional.linear(x, *self.layers[-1])

    def _forward_row(self, x: torch.Tensor) -> torch.Tensor:
        for weight, bias in self.layers[:-1]:
            x = torch.tanh(torch.mv(weight, x) + bias)
        weight, bias = self.layers[-1]
        return torch.mv(weight, x) + bias


class PpoAgent:
    """Drives by the mean of a trained policy."""

    def __init__(self, policy: PolicyMlp, worlds: int, device: str | torch.device = "cpu") -> None:
        self.policy = policy
        self._observer = Observer(worlds, device)

    @classmethod
    def load(cls, path: Path, worlds: int, device: str | torch.device = "cpu") -> "PpoAgent":
        """The agent of a file, for B worlds.

        Raises:
            ValueError: the file is no policy, or one for another observation or action.
            OSError: it cannot be read.
        """
        return cls(PolicyMlp(load_policy(path), device), worlds, device)

    def reset(self, mask: torch.Tensor, seed: torch.Tensor) -> None:
        """Forget the last actions of the worlds of `mask` (B,)."""
        self._observer.reset(mask)

    def act(self, percept: Percept, route: Route, ego: EgoState) -> Action:
        """The ego's commands (B, 1)."""
        observation, _ = self._observer(percept, route, ego)
        unit = self.policy(observation).clamp(-1.0, 1.0)
        self._observer.remember(unit)
        return track(plan_from_unit(unit), self._observer.points, ego)


def save_policy(path: Path, layers: list[tuple[torch.Tensor, torch.Tensor]], notes: dict[str, Any]) -> None:
    """Write a policy; `notes` (steps, seed, ...) join the header. Whole or not at all."""
    tensors = {}
    for i, (weight, bias) in enumerate(layers):
        tensors[f"layer{i}.weight"], tensors[f"layer{i}.bias"] = weight.detach().clone(), bias.detach().clone()
    write_tensors(path, tensors, {HEADER_KEY: json.dumps(policy_header() | {"notes": notes})})


def write_tensors(path: Path, tensors: dict[str, torch.Tensor], header: dict[str, str]) -> None:
    """Write a .safetensors file by way of a temporary one beside it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    save_file({name: tensor.contiguous().cpu() for name, tensor in tensors.items()}, temporary, metadata=header)
    os.replace(temporary, path)


def read_tensors(path: Path, what: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors and header of a .safetensors file that should be `what`; ValueError or OSError in one line."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; {what} is a .safetensors file that training wrote")
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path}: not {what}: {' '.join(str(error).split())}") from error


def load_policy(path: Path) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """The layers (weight, bias) of a policy file, checked against what this code expects.

    Raises:
        ValueError: the file is no policy, or one for another observation or action.
        OSError: it cannot be read.
    """
    tensors, header = read_tensors(path, "an agent's weights")
    if HEADER_KEY not in header:
        raise ValueError(f"{path}: not an agent's weights: its header has no {HEADER_KEY!r}")
    found = json.loads(header[HEADER_KEY])
    for key, wanted in policy_header().items():
        if found.get(key) != wanted:
            raise ValueError(f"{path}: {key} is {found.get(key)!r}, but this version needs {wanted!r}; train it anew")
    return _checked_layers(path, tensors)


def _checked_layers(path: Path, tensors: dict[str, torch.Tensor]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    layers, width = [], OBSERVATION_SIZE
    for i in range(len(tensors) // 2):
        weight, bias = tensors.get(f"layer{i}.weight"), tensors.get(f"layer{i}.bias")
        if (
            weight is None
            or bias is None
            or weight.ndim != 2
            or weight.shape[1] != width
            or bias.shape != weight.shape[:1]
        ):
            raise ValueError(f"{path}: layer {i} is missing or does not fit the one before it")
        if weight.dtype != torch.float32 or not bool(torch.isfinite(weight).all() and torch.isfinite(bias).all()):
            raise ValueError(f"{path}: layer {i} is not finite float32")
        layers.append((weight, bias))
        width = weight.shape[0]
    if not layers or width != ACTION_SIZE:
        raise ValueError(f"{path}: the last layer answers {width} numbers, but an action has {ACTION_SIZE}")
    return layers
