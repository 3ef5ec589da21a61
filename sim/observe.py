"""Host side of the observation kernels: a percept-shaped row of numbers per world, normalised by fixed scales.

| columns            | what (scale)                                                                                   |
|--------------------|------------------------------------------------------------------------------------------------|
| 0..3               | ego speed (20 m/s), acceleration (5 m/s^2), steer (0.5 rad), yaw rate (0.5 rad/s)              |
| 4, 5               | the previous action in [-1, 1]                                                                 |
| 6..8               | lateral error (2 m), heading error (0.5 rad), remaining route, at most 100 m (100 m)           |
| 9..11              | speed limit here, speed allowed by limits and bends ahead (20 m/s), allowed - speed (5 m/s)    |
| 12..16             | lead: IDM acceleration (3 m/s^2), gap (30 m), its speed (20 m/s), found, closing speed / gap   |
| 17..20             | gap, at most 10 m (10 m), closing speed (10 m/s), deceleration to stop closing in 1 m before   |
|                    | it (6 m/s^2), time gap, at most 4 s (4 s)                                                      |
| 21 + 4 i           | route points `ROUTE_INDEX[i]`: x (50 m), y (25 m), limit (20 m/s), curvature (0.1 / m)         |
| 69 + 16 j          | the `OBJECTS` nearest objects: present, x (50), y (25), vx, vy (20), length (10), width (3),   |
|                    | cos yaw, sin yaw, kind one-hot (4), along the route (50), left of it (10), speed along it (20) |

All are in the ego frame; nothing is a running statistic, so a policy needs no normaliser. Bicycles are told as people,
motorcycles as cars.
"""

from dataclasses import dataclass
from typing import Any

import torch
import warp as wp

from sim.kernels import observe as kernels
from sim.types import ROUTE_POINTS, EgoState, Percept, Route
from sim.warp_start import start_warp

OBSERVATION_VERSION = 2
ROUTE_INDEX = (1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 25, 30)
OBJECTS = 8
EGO_FEATURES = 21
OBSERVATION_SIZE = EGO_FEATURES + 4 * len(ROUTE_INDEX) + 16 * OBJECTS
OBSERVATION_LIMIT = 10.0  # no entry is larger


@dataclass
class Lead:
    """The object, now or as predicted over 3 s, for which the ego would have to brake hardest."""

    accel_mps2: torch.Tensor  # (B,) the IDM's answer to it; on a free road the free acceleration
    gap_m: torch.Tensor  # (B,) 60 where there is none
    speed_mps: torch.Tensor  # (B,) along the route
    found: torch.Tensor  # (B,) bool


class ObservationKernels:
    """Buffers and launches for B worlds, recorded once and replayed while the input tensors stay where they are."""

    def __init__(self, worlds: int, device: str | torch.device = "cpu") -> None:
        start_warp()
        self.worlds = worlds
        self.device = torch.device(device)
        self.observation = torch.zeros(worlds, OBSERVATION_SIZE, device=self.device)
        self.previous = torch.zeros(worlds, 2, device=self.device)  # the last action, written by the owner
        self._mask = torch.ones(worlds, dtype=torch.bool, device=self.device)
        self._object_valid = torch.zeros(worlds, 0, dtype=torch.bool, device=self.device)
        self._points = torch.zeros(worlds, ROUTE_POINTS, 2, device=self.device)
        self._tangents = torch.zeros_like(self._points)
        self._curvature = torch.zeros(worlds, ROUTE_POINTS, device=self.device)
        self._allowed = torch.zeros(worlds, device=self.device)
        self._lead = torch.zeros(worlds, 4, device=self.device)
        self._rank = torch.zeros(worlds, OBJECTS, dtype=torch.int32, device=self.device)
        self._route_index = torch.tensor(ROUTE_INDEX, dtype=torch.int32, device=self.device)
        self._places: list[int] = []
        self._launches: list[Any] = []

    def __call__(
        self, percept: Percept, route: Route, ego: EgoState, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, Lead]:
        """Fill the rows of `mask` (B,) and return the buffer (B, D), overwritten by the next call, and its lead."""
        valid = percept.objects.valid
        if self._object_valid.shape != valid.shape:
            self._object_valid = torch.zeros_like(valid)
        # Masks tend to be new tensors in every tick; buffers of our own keep the recorded launches good.
        self._object_valid.copy_(valid)
        if mask is None:
            self._mask.fill_(True)
        else:
            self._mask.copy_(mask)
        inputs = self._inputs(percept, route, ego)
        places = [tensor.data_ptr() for tensor in inputs.values()]
        if places != self._places:
            self._record(inputs)
            self._places = places
        for launch in self._launches:
            launch.launch()
        lead = self._lead
        return self.observation, Lead(
            accel_mps2=lead[:, 0], gap_m=lead[:, 1], speed_mps=lead[:, 2], found=lead[:, 3] > 0.5
        )

    @property
    def points(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The route of the last call continued straight beyond its end: points and unit tangents, (B, P, 2) each."""
        return self._points, self._tangents

    def _inputs(self, percept: Percept, route: Route, ego: EgoState) -> dict[str, torch.Tensor]:
        """The tensors that kernels read, by the names of their arguments."""
        objects = percept.objects
        tensors = {
            "center_ego_m": objects.center_ego_m,
            "size_m": objects.size_m,
            "yaw_ego_rad": objects.yaw_ego_rad,
            "velocity_ego_mps": objects.velocity_ego_mps,
            "kind": objects.kind,
            "object_valid": self._object_valid,
            "xy_ego_m": route.xy_ego_m,
            "limit_mps": route.speed_limit_mps,
            "route_valid": route.valid,
            "lateral_m": route.lateral_m,
            "heading_rad": route.heading_rad,
            "remaining_m": route.remaining_m,
            "speed_mps": ego.speed_mps,
            "accel_mps2": ego.accel_mps2,
            "steer_rad": ego.steer_rad,
            "yaw_rate_radps": ego.yaw_rate_radps,
            "wheelbase_m": ego.wheelbase_m,
            "ego_size_m": ego.size_m,
        }
        return {name: tensor.contiguous() for name, tensor in tensors.items()}

    def _record(self, inputs: dict[str, torch.Tensor]) -> None:
        """Bind the kernels' arguments by name: `x` and `x_out` are the buffer x."""
        own = {
            "mask": self._mask,
            "points": self._points,
            "tangents": self._tangents,
            "curvature_1pm": self._curvature,
            "allowed_mps": self._allowed,
            "lead": self._lead,
            "rank": self._rank,
            "observation": self.observation,
            "previous": self.previous,
            "route_index": self._route_index,
        }
        views: dict[str, Any] = {name: _view(name, tensor) for name, tensor in (inputs | own).items()}
        views["objects"] = OBJECTS
        self._launches = []
        for kernel in (kernels.continue_route, kernels.find_lead, kernels.observe):
            values = [views[argument.label.removesuffix("_out")] for argument in kernel.adj.args]  # type: ignore
            self._launches.append(
                wp.launch(kernel, dim=self.worlds, inputs=values, device=str(self.device), record_cmd=True)  # type: ignore
            )


_VECTORS: dict[str, type] = {
    "center_ego_m": wp.vec3,
    "size_m": wp.vec3,
    "ego_size_m": wp.vec3,
    "velocity_ego_mps": wp.vec2,
    "xy_ego_m": wp.vec2,
    "points": wp.vec2,
    "tangents": wp.vec2,
    "lead": wp.vec4,
}


def _view(name: str, tensor: torch.Tensor) -> wp.array:
    """Zero-copy Warp view; the last axis of those in `_VECTORS` becomes a vector type."""
    dtype = _VECTORS.get(name)
    if tensor.numel() == 0:
        shape = tensor.shape[:-1] if dtype is not None else tensor.shape
        return wp.empty(tuple(shape), dtype=dtype or wp.dtype_from_torch(tensor.dtype), device=str(tensor.device))
    return wp.from_torch(tensor, dtype=dtype, requires_grad=False)
