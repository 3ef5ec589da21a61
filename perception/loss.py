"""The detector's loss: one term a head."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from perception.detector import DetectorOutput
from perception.targets import Targets


@dataclass(frozen=True)
class LossWeights:
    heat: float = 1.0
    box: float = 1.0
    center: float = 0.15
    depth: float = 1.0
    size: float = 0.5
    angle: float = 0.5
    semantic: float = 0.5


def detector_loss(
    output: DetectorOutput, targets: Targets, semantic: torch.Tensor, weights: LossWeights
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """The weighted sum and its terms (detached). `semantic` (B, H / 8, W / 8) holds class indices.

    Heat: penalty-reduced focal loss (Zhou et al. 2019, arXiv:1904.07850). Box: generalised IoU (Rezatofighi et al.
    2019, arXiv:1902.09630). Centre, log-depth, log-size and angle: smooth L1. All are means over objects.
    """
    objects = targets.objects.clamp(min=1).float()
    index, weight = (targets.image, targets.cell), targets.weight

    def mean(loss: torch.Tensor) -> torch.Tensor:
        return (loss * weight).sum() / objects

    terms = {
        "heat": focal_loss(output.heat.float(), targets.heat, targets.demanded) / objects,
        "box": mean(_giou_loss(_at(output.box, *index), targets.box)),
        "center": mean(_smooth(_at(output.center, *index), targets.center, 1.0)),
        "depth": mean(_smooth(_at(output.depth, *index), targets.depth[:, None], 0.1)),
        "size": mean(_smooth(_at(output.size, *index), targets.size, 0.1)),
        "angle": mean(_smooth(_at(output.angle, *index), targets.angle, 0.3)),
        "semantic": F.cross_entropy(output.semantic.float(), semantic),
    }
    loss = torch.stack([getattr(weights, name) * term for name, term in terms.items()]).sum()
    return loss, {name: term.detach() for name, term in terms.items()}


def focal_loss(logits: torch.Tensor, heat: torch.Tensor, demanded: torch.Tensor) -> torch.Tensor:
    """Sum over all demanded cells; cells near a centre (heat close to one) are hardly punished."""
    probability = torch.sigmoid(logits)
    found = (1.0 - probability) ** 2 * F.logsigmoid(logits)
    absent = (1.0 - heat) ** 4 * probability**2 * F.logsigmoid(-logits)
    return -(torch.where(heat >= 1.0, found, absent) * demanded).sum()


def _at(values: torch.Tensor, image: torch.Tensor, cell: torch.Tensor) -> torch.Tensor:
    """Values (B, D, h, w) at P cells as (P, D)."""
    return values.flatten(2).transpose(1, 2)[image, cell].float()


def _smooth(estimate: torch.Tensor, target: torch.Tensor, beta: float) -> torch.Tensor:
    return F.smooth_l1_loss(estimate, target, beta=beta, reduction="none").sum(dim=-1)


def _giou_loss(log_ltrb: torch.Tensor, ltrb: torch.Tensor) -> torch.Tensor:
    """1 - GIoU of boxes around the same cell centre, plus a little L1 in logarithms against vanishing gradients."""
    estimate = log_ltrb.clamp(-6.0, 6.0).exp()
    inner, outer = torch.minimum(estimate, ltrb), torch.maximum(estimate, ltrb)
    size_in = (inner[:, :2] + inner[:, 2:]).clamp(min=0.0)
    overlap, hull = size_in.prod(dim=-1), (outer[:, :2] + outer[:, 2:]).prod(dim=-1)
    area_a, area_b = (estimate[:, :2] + estimate[:, 2:]).prod(dim=-1), (ltrb[:, :2] + ltrb[:, 2:]).prod(dim=-1)
    union = (area_a + area_b - overlap).clamp(min=1e-6)
    giou = overlap / union - (hull - union) / hull.clamp(min=1e-6)
    positive = ltrb.clamp(min=0.05)
    return 1.0 - giou + 0.1 * F.smooth_l1_loss(log_ltrb, positive.log(), reduction="none").sum(dim=-1)
