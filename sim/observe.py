"""Host side of the observation kernels: a percept-shaped row of numbers per world, normalised by fixed scales.

| columns            | what (scale)                                                                                   |
|--------------------|------------------------------------------------------------------------------------------------|
| 0..3               | ego speed (20 m/s), acceleration (5 m/s^2), steer (0.5 rad), yaw rate (0.5 rad/s)              |
| 4, 5               | the previous action in [-1, 1]                                                                 |
| 6..8               | lateral error (2 m), heading error (0.5 rad), remaining route, at most 100 m (100 m)           |
| 9..11              | speed limit here, speed allowed by limits and bends ahead (20 m/s), allowed - speed (5 m/s)    |
| 12..16             | lead: IDM acceleration (3 m/s^2), gap (30 m), its speed (20 m/s), found, closing speed / gap   |
| 17 + 4 i           | route points `ROUTE_INDEX[i]`: x (50 m), y (25 m), limit (20 m/s), curvature (0.1 / m)         |
| 65 + 16 j          | the `OBJECTS` nearest objects: present, x (50), y (25), vx, vy (20), length (10), width (3),    |
|                    | cos yaw, sin yaw, kind one-hot (4), along the route (50), left of it (10), speed along it (20) |

All are in the ego frame; nothing is a running statistic, so a policy needs no normaliser.
"""

from dataclasses import dataclass
from typing import Any

import torch
import warp as wp

from sim.kernels import observe as kernels
from sim.types import ROUTE_POINTS, EgoState, Percept, Route

OBSERVATION_VERSION = 1
ROUTE_INDEX = (1, 2, 3, 4, 6, 8, 10, 13, 16, 20, 25, 30)
OBJECTS = 8
OBSERVATION_SIZE = 17 + 4 * len(ROUTE_INDEX) + 16 * OBJECTS
OBSERVATION_LIMIT = 10.0  # no entry is larger


@dataclass
class Lead:
    """The object, now or as predicted over 3 s, for which the ego would have to brake hardest."""

    accel_mps2: torch.Tensor  # (B,) the IDM's answer to it; on a free road the free acceleration
    gap_m: torch.Tensor  # (B,) 60 where there is none
    speed_mps: torch.Tensor  # (B,) along the route
    found: torch.Tensor  # (B,) bool


class ObservationKernels:
    """Buffers and launches for B worlds; Warp views of input tensors are kept while the tensors stay where they are."""

    def __init__(self, worlds: int, device: str | torch.device = "cpu") -> None:
        wp.config.log_level = max(wp.config.log_level, wp.LOG_WARNING)
        wp.init()
        self.worlds = worlds
        self.device = torch.device(device)
        self.observation = torch.zeros(worlds, OBSERVATION_SIZE, device=self.device)
        self.previous = torch.zeros(worlds, 2, device=self.device)  # the last action, written by the owner
        self.everyone = torch.ones(worlds, dtype=torch.bool, device=self.device)
        self._points = torch.zeros(worlds, ROUTE_POINTS, 2, device=self.device)
        self._tangents = torch.zeros_like(self._points)
        self._curvature = torch.zeros(worlds, ROUTE_POINTS, device=self.device)
        self._allowed = torch.zeros(worlds, device=self.device)
        self._lead = torch.zeros(worlds, 4, device=self.device)
        self._rank = torch.zeros(worlds, OBJECTS, dtype=torch.int32, device=self.device)
        self._route_index = torch.tensor(ROUTE_INDEX, dtype=torch.int32, device=self.device)
        self._views: dict[str, tuple[int, torch.Size, wp.array]] = {}

    def _view(self, name: str, tensor: torch.Tensor, dtype: type | None = None) -> wp.array:
        """A Warp view, made anew only where the tensor of that name lies elsewhere than last time."""
        tensor = tensor if tensor.is_contiguous() else tensor.contiguous()
        pointer = tensor.data_ptr()
        known = self._views.get(name)
        if known is None or known[0] != pointer or known[1] != tensor.shape:
            known = (pointer, tensor.shape, wp.from_torch(tensor, dtype=dtype))
            self._views[name] = known
        return known[2]

    def __call__(
        self, percept: Percept, route: Route, ego: EgoState, mask: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, Lead]:
        """Fill the rows of `mask` (B,) and return the buffer (B, D), overwritten by the next call, and its lead."""
        view, objects = self._view, percept.objects
        chosen = view("mask", self.everyone if mask is None else mask)
        points, tangents = view("points", self._points, wp.vec2), view("tangents", self._tangents, wp.vec2)
        curvature, allowed = view("curvature", self._curvature), view("allowed", self._allowed)
        limit, route_valid = view("limit", route.speed_limit_mps), view("route_valid", route.valid)
        lateral, heading = view("lateral", route.lateral_m), view("heading", route.heading_rad)
        speed, lead = view("speed", ego.speed_mps), view("lead", self._lead, wp.vec4)
        seen = [
            view("center", objects.center_ego_m, wp.vec3),
            view("size", objects.size_m, wp.vec3),
            view("yaw", objects.yaw_ego_rad),
            view("velocity", objects.velocity_ego_mps, wp.vec2),
            view("kind", objects.kind),
            view("valid", objects.valid),
        ]
        self._launch(
            kernels.continue_route,
            [chosen, view("route", route.xy_ego_m, wp.vec2), limit, route_valid, lateral, heading],
            [points, tangents, curvature, allowed],
        )
        size = [view("wheelbase", ego.wheelbase_m), view("ego_size", ego.size_m, wp.vec3)]
        self._launch(kernels.find_lead, [chosen, *seen, points, tangents, allowed, speed, *size], [lead])
        self._launch(
            kernels.observe,
            [chosen, *seen, points, tangents, curvature, limit, route_valid, lateral, heading]
            + [view("remaining", route.remaining_m), allowed, lead, speed, view("accel", ego.accel_mps2)]
            + [view("steer", ego.steer_rad), view("yaw_rate", ego.yaw_rate_radps), view("previous", self.previous)]
            + [view("route_index", self._route_index), OBJECTS],
            [view("rank", self._rank), view("observation", self.observation)],
        )
        lead_columns = self._lead
        return self.observation, Lead(
            accel_mps2=lead_columns[:, 0],
            gap_m=lead_columns[:, 1],
            speed_mps=lead_columns[:, 2],
            found=lead_columns[:, 3] > 0.5,
        )

    @property
    def points(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The route of the last call continued straight beyond its end: points and unit tangents, (B, P, 2) each."""
        return self._points, self._tangents

    def _launch(self, kernel: Any, inputs: list, outputs: list) -> None:
        wp.launch(kernel, dim=self.worlds, inputs=inputs, outputs=outputs, device=str(self.device))
