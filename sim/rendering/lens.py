"""Real lenses: pictures and labels of ideal views, resampled as the lens projects.

A lens is a formula from the direction of a ray to a pixel (`lens_models.py`). For each camera a few pinhole views are
rendered that hold everything it sees; a table made once says which view and where in it each pixel looks. Colour is
taken between four pixels, labels from the nearest, its depth moved along the surface there to the pixel's own ray.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
import warp as wp

from sim.render_kernels import lens as kernels
from sim.rendering.lens_labels import LensLabels
from sim.rendering.lens_models import directions, project, reach
from sim.types import Boxes2D, CameraModel, GroundTruth, SensorFrame

_SPAN_RAD = math.radians(50.0)  # from the axis of an ideal view to its edge, where several share a field
_WIDEST_RAD = math.radians(66.0)  # the same of a single view
_TURNED = {  # yaw left and pitch up of the views that together see up to 110 degrees from the axis
    "ahead": (0.0, 0.0), "left": (90.0, 0.0), "right": (-90.0, 0.0), "up": (0.0, 90.0), "down": (0.0, -90.0)
}  # fmt: skip


@dataclass(frozen=True)
class _Table:
    """Where each pixel of each camera looks, (C, H, W, ...)."""

    view: np.ndarray  # int32 ideal view, -1 where the lens shows nothing
    uv: np.ndarray  # (..., 2) float32 pixel in it
    ray: np.ndarray  # (..., 3) float32 in that view's axes, third part 1
    axis: np.ndarray  # (V, 3) the camera's optical axis in each view's axes


class LensStage:
    """The ideal views that a rig with lenses needs, and the way from their pictures and labels to the rig's.

    `ideal` is the CameraModel to render with. Raises ValueError where a lens sees farther aside than 110 degrees.
    """

    def __init__(self, rig: CameraModel, worlds: int, actors: int, device: str = "cpu") -> None:
        self.rig, self._device = rig, device
        self.ideal, table, self._camera_of = _plan(rig)
        cameras, height, width = len(rig.focal_px), rig.height_px, rig.width_px
        self._table = [torch.from_numpy(x).to(device) for x in (table.view, table.uv, table.ray, table.axis)]
        image, views = (worlds, cameras, height, width), len(self.ideal.focal_px)

        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        self._rgb, self._depth_m = zeros(*image, 3, dtype=torch.uint8), zeros(*image)
        self._semantic, self._instance = zeros(*image, dtype=torch.uint8), zeros(*image, dtype=torch.int16)
        self._visible = zeros(worlds, cameras, actors, dtype=torch.int32)
        self._bounds = zeros(worlds, cameras, actors, 4, dtype=torch.int32)
        self._camera_index = torch.tensor(self._camera_of, device=device)
        self._edge = torch.linspace(0.0, 1.0, 9, dtype=torch.float64)
        self._views = views
        view_of, uv_of, _, _ = self._table
        self._extras = LensLabels(rig, self.ideal, self._camera_of, view_of, uv_of, worlds, device)

    def apply(self, frame: SensorFrame, truth: GroundTruth) -> tuple[SensorFrame, GroundTruth]:
        """What the rig's own cameras see of the ideal views; overwritten by the next call."""
        self._visible.zero_()
        self._bounds[..., :2], self._bounds[..., 2:] = 1 << 30, 0
        view, uv, ray, axis = self._table
        inputs = [wp.from_torch(x.flatten(0, 1)) for x in (frame.rgb, truth.depth_m, truth.semantic, truth.instance)]
        inputs += [wp.from_torch(view), wp.from_torch(uv, dtype=wp.vec2), wp.from_torch(ray, dtype=wp.vec3)]
        inputs += [wp.from_torch(axis, dtype=wp.vec3), self._ideal_lens(), self._views]
        images = (self._rgb, self._depth_m, self._semantic, self._instance, self._visible, self._bounds)
        outputs = [wp.from_torch(x.flatten(0, 1)) for x in images]
        dim = (len(self._rgb) * len(self.rig.focal_px), self.rig.height_px)
        wp.launch(kernels.resample, dim, inputs=inputs, outputs=outputs, device=self._device)
        boxes = self._boxes(truth.boxes_2d)
        labels = replace(truth, depth_m=self._depth_m, semantic=self._semantic, instance=self._instance, boxes_2d=boxes)
        labels = replace(labels, extra=self._extras.apply(truth.extra))
        return replace(frame, rgb=self._rgb, camera=self.rig), labels

    def _ideal_lens(self) -> wp.vec3:
        center = self.ideal.center_px[0]
        return wp.vec3(float(self.ideal.focal_px[0]), float(center[0]), float(center[1]))

    def _boxes(self, ideal: Boxes2D) -> Boxes2D:
        """Visible boxes from the resampled instances, the amodal ones by the outlines of the ideal views' boxes."""
        count, bounds = self._visible[..., 1:], self._bounds[..., 1:, :].float()
        amodal, own = self._amodal(ideal)
        seen = count > 0
        visible = torch.where(seen[..., None], bounds, torch.zeros_like(bounds))
        amodal = torch.where(
            seen[..., None],
            torch.cat(
                [torch.minimum(amodal[..., :2], visible[..., :2]), torch.maximum(amodal[..., 2:], visible[..., 2:])], -1
            ),
            amodal,
        )
        size = torch.tensor([self.rig.width_px, self.rig.height_px], device=self._device)
        whole = (amodal[..., 2:] - amodal[..., :2]).clamp(min=0).prod(-1)
        inside = (torch.minimum(amodal[..., 2:], size) - amodal[..., :2].clamp(min=0)).clamp(min=0).prod(-1)
        valid = (own > 0) & (seen | (inside > 0))
        cameras = len(self.rig.focal_px)
        zero = torch.zeros((), device=self._device)
        return Boxes2D(
            amodal_px=torch.where(valid[..., None], amodal, zero),
            visible_px=visible,
            visible_pixels=count.contiguous(),
            occlusion=torch.where(valid, 1.0 - self._shown(ideal, own), zero),
            truncation=torch.where(valid, 1.0 - inside / whole.clamp(min=1e-9), zero),
            kind=ideal.kind[:, :1].expand(-1, cameras, -1).contiguous(),
            actor=ideal.actor[:, :1].expand(-1, cameras, -1).contiguous(),
            valid=valid,
        )

    def _amodal(self, ideal: Boxes2D) -> tuple[torch.Tensor, torch.Tensor]:
        """Bounds (B, C, K, 4) of the outlines of all ideal boxes of a camera; how many views have one."""
        shape = (*self._visible.shape[:2], ideal.amodal_px.shape[2])
        low = torch.full((*shape, 2), 1e9, device=self._device)
        high, own = -low, torch.zeros(shape, dtype=torch.int32, device=self._device)
        for view, camera in enumerate(self._camera_of):
            box, valid = ideal.amodal_px[:, view].double().cpu(), ideal.valid[:, view]
            u = box[..., 0:1] + (box[..., 2:3] - box[..., 0:1]) * self._edge
            v = box[..., 1:2] + (box[..., 3:4] - box[..., 1:2]) * self._edge
            sides = [(u, box[..., 1:2]), (u, box[..., 3:4]), (box[..., 0:1], v), (box[..., 2:3], v)]
            outline = torch.cat([torch.stack(torch.broadcast_tensors(a, b), -1) for a, b in sides], dim=-2)
            pixel = self._seen_at(view, camera, outline.numpy()).to(self._device)
            low[:, camera] = torch.where(
                valid[..., None], torch.minimum(low[:, camera], pixel.amin(-2)), low[:, camera]
            )
            high[:, camera] = torch.where(
                valid[..., None], torch.maximum(high[:, camera], pixel.amax(-2)), high[:, camera]
            )
            own[:, camera] += valid
        return torch.cat([low, high], dim=-1), own

    def _seen_at(self, view: int, camera: int, pixel: np.ndarray) -> torch.Tensor:
        """Pixels of the rig's camera for pixels (..., 2) of an ideal view, held to the field that the view has."""
        focal, center = float(self.ideal.focal_px[view]), self.ideal.center_px[view].numpy()
        limit = 1.5 * np.array([self.ideal.width_px, self.ideal.height_px])
        xy = (np.clip(pixel, -0.5 * limit, limit) - center) / focal
        ray = np.concatenate([xy, np.ones((*xy.shape[:-1], 1))], axis=-1)
        turn = self.rig.ego_from_camera[camera, :3, :3].T @ self.ideal.ego_from_camera[view, :3, :3]
        ray = ray @ turn.double().numpy().T
        lens = self.rig.lenses[camera]
        if lens.model != "fisheye":
            ray = ray / np.maximum(ray[..., 2:], 1e-6)
            aside = np.linalg.norm(ray[..., :2], axis=-1, keepdims=True)
            ray[..., :2] *= np.minimum(1.0, reach(lens) / np.maximum(aside, 1e-9))
        found = project(lens, ray, float(self.rig.focal_px[camera]), self.rig.center_px[camera].numpy())
        return torch.from_numpy(found).float()

    def _shown(self, ideal: Boxes2D, own: torch.Tensor) -> torch.Tensor:
        """Share of the silhouette that nothing hides: of all views of a camera together."""
        seen, total = (torch.zeros(own.shape, device=self._device) for _ in range(2))
        index = self._camera_index
        part = torch.where(ideal.valid, ideal.visible_pixels.float(), 0.0)
        seen.index_add_(1, index, part)
        total.index_add_(1, index, torch.where(part > 0, part / (1.0 - ideal.occlusion).clamp(min=1e-6), 0.0))
        return torch.where(total > 0, seen / total.clamp(min=1e-9), 0.0)


def _plan(rig: CameraModel) -> tuple[CameraModel, _Table, list[int]]:
    """The ideal views of all cameras, the table, and whose camera each view is."""
    height, width = rig.height_px, rig.width_px
    v, u = np.mgrid[:height, :width] + 0.5
    pixel = np.stack([u, v], axis=-1)
    rays, shown, turns, camera_of, views_of = [], [], [], [], []
    for camera, lens in enumerate(rig.lenses):
        ray, valid = directions(lens, pixel, float(rig.focal_px[camera]), rig.center_px[camera].double().numpy())
        aside = np.arccos(np.clip(ray[valid][:, 2], -1.0, 1.0)).max()
        single = aside < _WIDEST_RAD
        names = ["ahead"] if single else [n for n in _TURNED if _needed(n, ray[valid])]
        rays.append(ray)
        shown.append(valid)
        views_of.append(range(len(camera_of), len(camera_of) + len(names)))
        camera_of += [camera] * len(names)
        turns += [_turn(*_TURNED[name]) for name in names]
    several = max(len(v) for v in views_of) > 1
    focal = max(float(f) for f in rig.focal_px)
    reach = [_reach(rays[c][shown[c]] @ turns[v], several) for c in range(len(rays)) for v in views_of[c]]
    half = np.ceil(np.max(reach, axis=0) * focal).astype(int) + 2
    center = half.astype(np.float64)
    table = _Table(
        view=np.full((len(rays), height, width), -1, dtype=np.int32),
        uv=np.zeros((len(rays), height, width, 2), dtype=np.float32),
        ray=np.zeros((len(rays), height, width, 3), dtype=np.float32),
        axis=np.stack([t.T @ [0.0, 0.0, 1.0] for t in turns]).astype(np.float32),
    )
    for camera, ray in enumerate(rays):
        best = np.full(ray.shape[:2], 1e-3)
        for view in views_of[camera]:
            own = ray @ turns[view]
            flat = own / np.maximum(own[..., 2:], 1e-6)
            inside = shown[camera] & (own[..., 2] > best)
            best[inside] = own[inside][:, 2]
            table.view[camera][inside] = view
            table.ray[camera][inside] = flat[inside]
            table.uv[camera][inside] = (flat[..., :2] * focal + center)[inside]
    pose = torch.stack([rig.ego_from_camera[camera] @ _pose(turns[v]) for v, camera in enumerate(camera_of)])
    count = len(camera_of)
    ideal = CameraModel(
        width_px=int(2 * half[0]),
        height_px=int(2 * half[1]),
        focal_px=torch.full((count,), focal),
        center_px=torch.tensor(center, dtype=torch.float32).repeat(count, 1),
        ego_from_camera=pose,
    )
    return ideal, table, camera_of


def _needed(name: str, ray: np.ndarray) -> bool:
    """Whether some direction lies nearer to this view's axis than to any other's."""
    axes = np.stack([_turn(*angles)[:, 2] for angles in _TURNED.values()])
    return bool((np.argmax(ray @ axes.T, axis=-1) == list(_TURNED).index(name)).any())


def _reach(own: np.ndarray, several: bool) -> np.ndarray:
    """Half the field of a view in units of its focal length, (2,): what it must hold of directions in its axes."""
    if several:
        return np.array([math.tan(_SPAN_RAD), math.tan(_SPAN_RAD)])
    return np.abs(own[:, :2] / own[:, 2:]).max(axis=0)


def _turn(yaw_deg: float, pitch_up_deg: float) -> np.ndarray:
    """Camera axes from those of a view that is turned left and up."""
    a, b = math.radians(yaw_deg), math.radians(pitch_up_deg)
    left = np.array([[math.cos(a), 0.0, -math.sin(a)], [0.0, 1.0, 0.0], [math.sin(a), 0.0, math.cos(a)]])
    up = np.array([[1.0, 0.0, 0.0], [0.0, math.cos(b), -math.sin(b)], [0.0, math.sin(b), math.cos(b)]])
    return left @ up


def _pose(turn: np.ndarray) -> torch.Tensor:
    pose = torch.eye(4)
    pose[:3, :3] = torch.from_numpy(turn)
    return pose
