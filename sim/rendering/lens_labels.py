"""Normals, flow, things and joints as a lens shows them: those of the ideal views, turned, looked up and projected."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import warp as wp

from sim.render_kernels import lens as kernels
from sim.rendering.lens_models import project, reach
from sim.types import CameraModel, ExtraLabels, Keypoints, Lens


class LensLabels:
    """Bends the extra labels of `ideal` views into the pictures of `rig`.

    camera_of: whose camera each view is. view_of (C, H, W) int32, uv_of (C, H, W, 2): where each pixel looks, as
    `lens._Table` has it. A pixel's flow is that of the ideal pixel nearest to its own ray, carried through the lens.
    """

    def __init__(
        self,
        rig: CameraModel,
        ideal: CameraModel,
        camera_of: Sequence[int],
        view_of: torch.Tensor,
        uv_of: torch.Tensor,
        worlds: int,
        device: str,
    ) -> None:
        self._rig, self._device, self._view_of = rig, device, view_of
        self._camera_of = torch.tensor(camera_of, device=device)
        mounts = rig.ego_from_camera[:, :3, :3].double()[list(camera_of)]
        turn = mounts.transpose(1, 2) @ ideal.ego_from_camera[:, :3, :3].double()
        self._turn = turn.float().contiguous().to(device)  # (V, 3, 3) camera_from_view
        self._first = torch.tensor([list(camera_of).index(c) for c in range(len(rig.focal_px))], device=device)
        self._lens = _struct(rig, device)
        center = ideal.center_px[0]
        self._ideal = wp.vec3(float(ideal.focal_px[0]), float(center[0]), float(center[1]))
        self._views = len(ideal.focal_px)
        self._tables = [wp.from_torch(view_of), wp.from_torch(uv_of, dtype=wp.vec2)]
        self._tables.append(wp.from_torch(self._turn, dtype=wp.mat33))
        shape = (worlds, len(rig.focal_px), rig.height_px, rig.width_px)
        self._normal = torch.zeros(*shape, 3, device=device)
        self._flow = torch.zeros(*shape, 2, device=device)
        self._flow_valid = torch.zeros(shape, dtype=torch.bool, device=device)
        self._thing = torch.zeros(shape, dtype=torch.int32, device=device)

    def apply(self, extra: ExtraLabels) -> ExtraLabels:
        """The same labels, those there are, in the rig's cameras; overwritten by the next call."""
        images = (extra.normal_camera, extra.flow_px, extra.flow_valid, extra.thing)
        if any(image is not None for image in images):
            self._bend(*images)
        return replace(
            extra,
            normal_camera=None if extra.normal_camera is None else self._normal,
            flow_px=None if extra.flow_px is None else self._flow,
            flow_valid=None if extra.flow_valid is None else self._flow_valid,
            thing=None if extra.thing is None else self._thing,
            keypoints=None if extra.keypoints is None else self._joints(extra.keypoints),
        )

    def _bend(
        self,
        normal: torch.Tensor | None,
        flow: torch.Tensor | None,
        valid: torch.Tensor | None,
        thing: torch.Tensor | None,
    ) -> None:
        given = (normal, flow, valid, thing)
        types = (wp.vec3, wp.vec2, None, None)
        outputs = (self._normal, self._flow, self._flow_valid, self._thing)
        # What was not asked for is read and written in its own output: a launch of one signature.
        inputs = [
            wp.from_torch((out if image is None else image).flatten(0, 1), dtype=kind)
            for image, out, kind in zip(given, outputs, types, strict=True)
        ]
        has = [int(normal is not None), int(flow is not None), int(thing is not None)]
        inputs += [*self._tables, self._lens, self._ideal, self._views, *has]
        written = [wp.from_torch(out.flatten(0, 1), dtype=kind) for out, kind in zip(outputs, types, strict=True)]
        dim = (written[2].shape[0], written[2].shape[1])
        wp.launch(kernels.bend_labels, dim, inputs=inputs, outputs=written, device=self._device)

    def _joints(self, ideal: Keypoints) -> Keypoints:
        """Joints (B, C, K, 17) by the camera's own axes and lens; what hides them is known in the view they lie in."""
        first = self._turn[self._first]  # any view of a camera has the same eye
        there = torch.einsum("bckji,cni->bckjn", ideal.xyz_camera_m[:, self._first], first)
        pixel, shown = project_rays(self._rig, there)
        size = torch.tensor([self._rig.width_px, self._rig.height_px], device=self._device)
        inside = shown & (pixel >= 0.0).all(-1) & (pixel < size).all(-1)
        at = torch.where(inside[..., None], pixel, 0.0).long()
        cameras = torch.arange(len(self._first), device=self._device)[:, None, None]
        own = self._view_of[cameras, at[..., 1], at[..., 0]]
        marks = ideal.visibility.gather(1, own.clamp(min=0).long())
        marks = torch.where(inside & (own >= 0), marks, torch.zeros_like(marks))
        return replace(
            ideal,
            uv_px=torch.where(marks[..., None] > 0, pixel, 0.0).float(),
            visibility=marks,
            xyz_camera_m=there,
            valid=(marks > 0).any(-1),
        )


def project_rays(rig: CameraModel, ray: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels (B, C, ..., 2) of points or directions (B, C, ..., 3) in the axes of each camera of a rig, and whether its
    lens shows anything so far from the axis."""
    pixels, shown = [], []
    for camera in range(len(rig.focal_px)):
        lens = rig.lenses[camera] if rig.lenses else Lens()
        own = ray[:, camera].double().cpu().numpy()
        aside, far = np.hypot(own[..., 0], own[..., 1]), reach(lens)
        if lens.model == "fisheye":
            within = np.arctan2(aside, own[..., 2]) < far
        else:
            within = (own[..., 2] > 1e-6) & (aside < far * own[..., 2])
        own = np.where(within[..., None], own, [0.0, 0.0, 1.0])
        found = project(lens, own, float(rig.focal_px[camera]), rig.center_px[camera].double().cpu().numpy())
        pixels.append(torch.from_numpy(found).to(ray))
        shown.append(torch.from_numpy(within).to(ray.device))
    return torch.stack(pixels, 1), torch.stack(shown, 1)


def _struct(rig: CameraModel, device: str) -> Any:  # kernels.Lenses
    result, rows = kernels.Lenses(), np.zeros((len(rig.lenses), 5), np.float32)
    for row, lens in zip(rows, rig.lenses, strict=True):
        row[: len(lens.k)] = lens.k
    result.fisheye = wp.array([int(lens.model == "fisheye") for lens in rig.lenses], dtype=wp.int32, device=device)
    result.k = wp.array(rows, dtype=wp.float32, device=device)
    result.reach = wp.array([reach(lens) for lens in rig.lenses], dtype=wp.float32, device=device)
    result.focal_px = wp.array(rig.focal_px.float().cpu().numpy(), dtype=wp.float32, device=device)
    result.center_px = wp.array(rig.center_px.float().cpu().numpy(), dtype=wp.vec2, device=device)
    return result
