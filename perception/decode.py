"""From the detector's maps to a fixed number of detections per image."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from perception.detector import DEPTH_UNIT_M, HEAD_STRIDE, SIZE_UNIT_M, DetectorOutput

MAX_DEPTH_M = 200.0


@dataclass
class Detections:
    """What was found in B images, K a padded axis, best score first."""

    box_px: torch.Tensor  # (B, K, 4) u_min, v_min, u_max, v_max of what is visible
    center_px: torch.Tensor  # (B, K, 2) projection of the 3-D centre
    depth_m: torch.Tensor  # (B, K) of the 3-D centre, along the optical axis
    size_m: torch.Tensor  # (B, K, 3) length, width, height
    angle_rad: torch.Tensor  # (B, K) observation angle: yaw minus the bearing of the object, in the ego's xy plane
    kind: torch.Tensor  # (B, K) int32 ActorKind
    score: torch.Tensor  # (B, K) in 0..1
    valid: torch.Tensor  # (B, K) bool


def decode(output: DetectorOutput, top_k: int = 32, min_score: float = 0.2, nms_iou: float = 0.6) -> Detections:
    """Detections of B images: the `top_k` local maxima of the heat that reach `min_score`, then box NMS.

    A local maximum is a cell that no other cell within one (same kind) exceeds; NMS works across kinds, because one
    object can be a maximum of two of them. Fewer than `top_k` detections are padded with `valid` false.
    """
    heat = torch.sigmoid(output.heat.float())
    _, kinds, h, w = heat.shape
    top_k = min(top_k, kinds * h * w)
    peaks = heat * (heat == F.max_pool2d(heat, 3, 1, 1))
    score, index = peaks.flatten(1).topk(top_k, dim=1)
    kind, cell = index // (h * w), index % (h * w)
    cell_uv = torch.stack((cell % w, cell // w), dim=-1) + 0.5
    box_px = _boxes_px(cell_uv, _at(output.box, cell), h, w)
    size_unit = torch.tensor(SIZE_UNIT_M, device=heat.device)[kind]
    sine_cosine = _at(output.angle, cell)
    detections = Detections(
        box_px=box_px,
        center_px=(cell_uv + _at(output.center, cell)) * HEAD_STRIDE,
        depth_m=(_at(output.depth, cell)[..., 0].clamp(-6.0, 6.0).exp() * DEPTH_UNIT_M).clamp(max=MAX_DEPTH_M),
        size_m=_at(output.size, cell).clamp(-2.0, 2.0).exp() * size_unit,
        angle_rad=torch.atan2(sine_cosine[..., 0], sine_cosine[..., 1]),
        kind=kind.to(torch.int32),
        score=score,
        valid=score >= min_score,
    )
    detections.valid &= _survives_nms(detections, nms_iou)
    return detections


def _at(values: torch.Tensor, cell: torch.Tensor) -> torch.Tensor:
    """Values (B, D, h, w) at flat cells (B, K) as (B, K, D)."""
    flat = values.float().flatten(2)
    return flat.gather(2, cell[:, None].expand(-1, flat.shape[1], -1)).transpose(1, 2)


def _boxes_px(cell_uv: torch.Tensor, log_ltrb: torch.Tensor, h: int, w: int) -> torch.Tensor:
    ltrb = log_ltrb.clamp(-6.0, 6.0).exp()
    corners = torch.cat((cell_uv - ltrb[..., :2], cell_uv + ltrb[..., 2:]), dim=-1)
    limit = torch.tensor([w, h, w, h], device=corners.device, dtype=corners.dtype)
    return torch.minimum(corners.clamp(min=0.0), limit) * HEAD_STRIDE


def _survives_nms(detections: Detections, iou: float) -> torch.Tensor:
    """What (B, K) no kept one of a better score in the same image overlaps by more than `iou`; rows go by score.

    As torchvision's `nms`, which loads half a compiler. Who is kept follows from those before it alone, so that
    applying the rule to all at once settles, rank by rank, on what going through them one by one gives.
    """
    low, high = detections.box_px.chunk(2, dim=-1)
    area = (high - low).prod(dim=-1)
    shared_low, shared_high = (
        torch.maximum(low[:, :, None], low[:, None]),
        torch.minimum(high[:, :, None], high[:, None]),
    )
    shared = (shared_high - shared_low).clamp(min=0.0).prod(dim=-1)
    hides = (shared > iou * (area[:, :, None] + area[:, None] - shared)).tril(-1)  # (B, K, K): column before row
    keep = detections.valid
    for _ in range(keep.shape[1]):
        settled = detections.valid & ~(hides & keep[:, None]).any(dim=-1)
        if torch.equal(settled, keep):
            break
        keep = settled
    return keep
