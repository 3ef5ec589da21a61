"""From labels to what the detector's maps should say."""

from dataclasses import dataclass

import numpy as np
import torch

from perception.augment import Augmentation, augment
from perception.data import Frames, Objects
from perception.detector import DEPTH_UNIT_M, HEAD_STRIDE, SEMANTIC_STRIDE, SIZE_UNIT_M
from sim.types import DETECTED_KINDS

POSITIVE = 0.6  # cells whose Gaussian reaches this learn the object's shape, weighted by it
SPREAD = 0.12  # standard deviation of the Gaussian, as a share of the box
MIN_SPREAD = 0.5  # in cells


@dataclass
class Batch:
    """B images and their labels, K a padded axis."""

    rgb: torch.Tensor  # (B, H, W, 3) uint8
    semantic: torch.Tensor  # (B, H / 8, W / 8) int64 index into SEMANTIC_CLASSES
    box_px: torch.Tensor  # (B, K, 4)
    center_px: torch.Tensor  # (B, K, 2)
    depth_m: torch.Tensor  # (B, K)
    size_m: torch.Tensor  # (B, K, 3)
    angle_rad: torch.Tensor  # (B, K)
    kind: torch.Tensor  # (B, K) int64
    ignore: torch.Tensor  # (B, K) bool
    valid: torch.Tensor  # (B, K) bool


@dataclass
class Targets:
    """Maps of h x w cells, and P cells that learn an object's shape."""

    heat: torch.Tensor  # (B, kinds, h, w) 1 at centres, Gaussians about them
    demanded: torch.Tensor  # (B, 1, h, w) bool: false where an ignored object is
    image: torch.Tensor  # (P,) int64
    cell: torch.Tensor  # (P,) int64 row * w + column
    weight: torch.Tensor  # (P,) sums to one for each object
    box: torch.Tensor  # (P, 4) distances from the cell centre to left, top, right, bottom, in strides
    center: torch.Tensor  # (P, 2)
    depth: torch.Tensor  # (P,)
    size: torch.Tensor  # (P, 3)
    angle: torch.Tensor  # (P, 2)
    objects: torch.Tensor  # () how many objects there are


def make_batch(frames: Frames, indices: np.ndarray, key: tuple[int, ...] | None, config: Augmentation) -> Batch:
    """Frames `indices` as a batch, augmented by random numbers that depend on `key` and frame alone; None: as is."""
    images, labels, objects = [], [], []
    for i in indices.tolist():
        rgb, semantic, seen = frames.rgb[i], frames.semantic[i], frames.objects[i]
        if key is not None:
            random = np.random.default_rng((*key, i))
            center_px = np.asarray(frames.images[i]["camera"]["center_px"])
            rgb, semantic, seen = augment(rgb, semantic, seen, center_px, random, config)
        half = SEMANTIC_STRIDE // 2
        images.append(rgb)
        labels.append(semantic[half::SEMANTIC_STRIDE, half::SEMANTIC_STRIDE])
        objects.append(seen)
    count = max(1, max(len(o.kind) for o in objects))
    return Batch(
        rgb=torch.from_numpy(np.stack(images)),
        semantic=torch.from_numpy(np.stack(labels)).long(),
        valid=torch.arange(count) < torch.tensor([len(o.kind) for o in objects])[:, None],
        **{name: _padded(objects, name, count) for name in Objects.__dataclass_fields__},
    )


def _padded(objects: list[Objects], name: str, count: int) -> torch.Tensor:
    first = getattr(objects[0], name)
    padded = np.zeros((len(objects), count, *first.shape[1:]), dtype=first.dtype)
    for row, o in zip(padded, objects, strict=True):
        row[: len(o.kind)] = getattr(o, name)
    return torch.from_numpy(padded)


def make_targets(batch: Batch) -> Targets:
    """Targets for the maps of stride 4. Of two objects that claim a cell the one with the higher Gaussian gets it."""
    h, w = batch.rgb.shape[1] // HEAD_STRIDE, batch.rgb.shape[2] // HEAD_STRIDE
    box = batch.box_px / HEAD_STRIDE
    wanted = batch.valid & ~batch.ignore
    gaussian = _gaussians(box, h, w) * wanted[..., None, None]
    kinds = torch.arange(len(DETECTED_KINDS), device=box.device)
    of_kind = batch.kind[..., None] == kinds
    heat = torch.stack([(gaussian * of_kind[..., k, None, None]).amax(dim=1) for k in range(len(kinds))], dim=1)
    best, owner = gaussian.max(dim=1)
    image, row, column = (best >= POSITIVE).nonzero(as_tuple=True)
    k = owner[image, row, column]
    cell_uv = torch.stack((column, row), dim=-1) + 0.5
    corners = box[image, k]
    strength = best[image, row, column]
    total = torch.zeros(wanted.shape, device=box.device).index_put_((image, k), strength, accumulate=True)
    angle_rad = batch.angle_rad[image, k]
    size_unit = torch.tensor(SIZE_UNIT_M, device=box.device)[batch.kind[image, k]]
    return Targets(
        heat=heat,
        demanded=~(_inside(box, h, w, batch.valid & batch.ignore)[:, None] & (heat < 1.0)),
        image=image,
        cell=row * w + column,
        weight=strength / total[image, k],
        box=torch.cat((cell_uv - corners[:, :2], corners[:, 2:] - cell_uv), dim=-1),
        center=batch.center_px[image, k] / HEAD_STRIDE - cell_uv,
        depth=torch.log(batch.depth_m[image, k].clamp(min=0.1) / DEPTH_UNIT_M),
        size=torch.log(batch.size_m[image, k] / size_unit),
        angle=torch.stack((torch.sin(angle_rad), torch.cos(angle_rad)), dim=-1),
        objects=wanted.sum(),
    )


def _gaussians(box: torch.Tensor, h: int, w: int) -> torch.Tensor:
    """Axis-aligned Gaussians (B, K, h, w) that are one in the cell of each box's centre; boxes (B, K, 4) in cells."""
    center = (box[..., :2] + box[..., 2:]) / 2.0
    spread = ((box[..., 2:] - box[..., :2]) * SPREAD).clamp(min=MIN_SPREAD)
    column, row = torch.arange(w, device=box.device), torch.arange(h, device=box.device)
    cell = center.floor()
    along_u = torch.exp(-(((column - cell[..., 0:1]) / spread[..., 0:1]) ** 2) / 2.0)
    along_v = torch.exp(-(((row - cell[..., 1:2]) / spread[..., 1:2]) ** 2) / 2.0)
    return along_v[..., :, None] * along_u[..., None, :]


def _inside(box: torch.Tensor, h: int, w: int, mask: torch.Tensor) -> torch.Tensor:
    """Cells (B, h, w) that any of the boxes (B, K, 4) marked by `mask` touches; boxes in cells."""
    column, row = torch.arange(w, device=box.device), torch.arange(h, device=box.device)
    in_u = (column + 1 > box[..., 0:1]) & (column < box[..., 2:3]) & mask[..., None]
    in_v = (row + 1 > box[..., 1:2]) & (row < box[..., 3:4])
    return torch.einsum("bkv,bku->bvu", in_v.float(), in_u.float()) > 0.5
