"""The detector: an attention-based residual CNN that reads one image and finds road users.

Layout for an image of H x W (each a multiple of 32):

    space-to-depth 4 -> stem /4 -> residual stage /4 -> /8 -> /16 -> /32      channel and spatial attention after each
                                                                |
                                                   self-attention over all cells of /32
                                                                |
    heads at /4  <- neck /4 <- /8 <- /16 <- /32                 top-down feature pyramid, sub-pixel upsampling

All convolutions are dense: depthwise ones train several times slower on CPUs. The heads are anchor-free: each cell of
the stride-4 map says how likely a centre of each kind lies there and, if so, what the object looks like.

Sources: residual blocks, He et al. 2016 (arXiv:1512.03385); channel and spatial attention, Woo et al. 2018
(arXiv:1807.06521); self-attention, Vaswani et al. 2017 (arXiv:1706.03762); feature pyramid, Lin et al. 2017
(arXiv:1612.03144); sub-pixel upsampling, Shi et al. 2016 (arXiv:1609.05158); objects as points, Zhou et al. 2019
(arXiv:1904.07850).
"""

import copy
import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from sim.types import DETECTED_KINDS, Semantic

HEAD_STRIDE = 4
INPUT_MULTIPLE = 32
SEMANTIC_STRIDE = 8
HEAD_CHANNELS = (len(DETECTED_KINDS), 4, 2, 1, 3, 2)  # heat, box, center, depth, size, angle
# The classes of the auxiliary segmentation, in the order of its channels.
SEMANTIC_CLASSES = (
    Semantic.UNLABELED,
    Semantic.ROAD,
    Semantic.SIDEWALK,
    Semantic.BUILDING,
    Semantic.VEGETATION,
    Semantic.TERRAIN,
    Semantic.SKY,
    Semantic.PERSON,
    Semantic.CAR,
    Semantic.TRUCK,
    Semantic.BUS,
)
# Depth and size are predicted as logarithms relative to these, so that a zero output is a sensible guess.
DEPTH_UNIT_M = 20.0
SIZE_UNIT_M = ((4.5, 1.9, 1.6), (8.0, 2.5, 3.2), (11.5, 2.55, 3.2), (0.5, 0.6, 1.75))  # by DETECTED_KINDS


@dataclass(frozen=True)
class DetectorConfig:
    """Widths and depths; saved in the header of the weights file."""

    widths: tuple[int, int, int, int] = (32, 64, 96, 128)  # channels at /4, /8, /16, /32
    blocks: tuple[int, int, int, int] = (1, 1, 2, 1)  # residual blocks at /4, /8, /16, /32
    neck: int = 48
    head: int = 48
    attention_heads: int = 4

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "DetectorConfig":
        """Inverse of `to_dict`, also after a trip through JSON; TypeError or ValueError for foreign keys or values."""
        tuples: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        config = cls(**tuples)
        numbers = (*config.widths, *config.blocks, config.neck, config.head, config.attention_heads)
        if len(config.widths) != 4 or len(config.blocks) != 4:
            raise ValueError("widths and blocks must have four entries")
        if any(not isinstance(n, int) or not 0 < n <= 4096 for n in numbers):
            raise ValueError("widths must be whole numbers between 1 and 4096")
        return config


@dataclass
class DetectorOutput:
    """Raw maps of B images; h = H / 4, w = W / 4. Angles, logarithms and offsets as in `perception/decode.py`."""

    heat: torch.Tensor  # (B, kinds, h, w) logits of a centre
    box: torch.Tensor  # (B, 4, h, w) log of the distances from the cell centre to left, top, right, bottom, in strides
    center: torch.Tensor  # (B, 2, h, w) projected 3-D centre minus cell centre (u, v), in strides
    depth: torch.Tensor  # (B, 1, h, w) log(depth / DEPTH_UNIT_M), along the optical axis
    size: torch.Tensor  # (B, 3, h, w) log(size / SIZE_UNIT_M of the kind)
    angle: torch.Tensor  # (B, 2, h, w) sine and cosine of the observation angle (yaw minus bearing of the object)
    semantic: torch.Tensor  # (B, classes, H / 8, W / 8) logits in the order of SEMANTIC_CLASSES
    attention: torch.Tensor  # (B, H / 8, W / 8) spatial attention in 0..1
    self_attention: torch.Tensor  # (B, H / 32, W / 32) share of all self-attention that each cell receives; sums to 1


def _conv_bn(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(outputs))


class ResidualBlock(nn.Module):
    """relu(x + conv(relu(conv(x)))), both 3 x 3."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv_bn(width, width)
        self.second = _conv_bn(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu_(self.second(F.relu_(self.first(x))).add_(x))


class ConvAttention(nn.Module):
    """Scales channels by what the whole image holds, then cells by what their neighbourhood holds.

    Returns the features and the spatial gate (B, 1, h, w) in 0..1.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(width, max(width // 4, 8))
        self.excite = nn.Linear(max(width // 4, 8), width)
        self.spatial = nn.Conv2d(2, 1, 5, padding=2)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        channel = torch.sigmoid(self.excite(F.relu(self.squeeze(x.mean(dim=(2, 3))))))
        x = x * channel[:, :, None, None]
        summary = torch.cat((x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)), dim=1)
        gate = torch.sigmoid(self.spatial(summary))
        return x * gate, gate


class SelfAttention(nn.Module):
    """Multi-head self-attention and a small MLP over all cells of a map, each added to its input.

    Returns the features and how much attention each cell receives, (B, h, w), averaged over heads and queries.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads or width % 4:
            raise ValueError(f"the width {width} of the self-attention must be divisible by 4 and by its {heads} heads")
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        b, c, h, w = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        normed = self.norm(tokens) + _position_code(c, h, w, x.device)
        q, k, v = self.qkv(normed).view(b, h * w, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4)
        weights = torch.softmax((q @ k.transpose(-2, -1)) / math.sqrt(c // self.heads), dim=-1)
        tokens = tokens + self.out((weights @ v).transpose(1, 2).reshape(b, h * w, c))
        tokens = tokens + self.mlp(tokens)
        return tokens.transpose(1, 2).reshape(b, c, h, w), weights.mean(dim=(1, 2)).view(b, h, w)


def _position_code(width: int, h: int, w: int, device: torch.device) -> torch.Tensor:
    """Sines and cosines of row and column, (h * w, width)."""
    rate = 1.0 / 100.0 ** (torch.arange(width // 4, device=device) / (width // 4))
    row = torch.arange(h, device=device)[:, None, None] * rate
    column = torch.arange(w, device=device)[None, :, None] * rate
    code = torch.cat((torch.sin(row), torch.cos(row)), dim=-1).expand(h, w, -1)
    other = torch.cat((torch.sin(column), torch.cos(column)), dim=-1).expand(h, w, -1)
    return torch.cat((code, other), dim=-1).reshape(h * w, -1)


def _space_to_depth(rgb: torch.Tensor) -> torch.Tensor:
    """Images (B, 3, H, W) as (B, 48, H / 4, W / 4), channels last in memory: one copy where `rgb` is so too."""
    b, c, height, width = rgb.shape
    h, w, s = height // HEAD_STRIDE, width // HEAD_STRIDE, HEAD_STRIDE
    patches = rgb.permute(0, 2, 3, 1).reshape(b, h, s, w, s, c).permute(0, 1, 3, 2, 4, 5)
    return patches.reshape(b, h, w, s * s * c).permute(0, 3, 1, 2)


class Stage(nn.Module):
    """Entry convolution (stride 2 but for the first stage), residual blocks, attention."""

    def __init__(self, inputs: int, width: int, blocks: int, stride: int) -> None:
        super().__init__()
        self.entry = _conv_bn(inputs, width, 3, stride)
        self.blocks = nn.Sequential(*[ResidualBlock(width) for _ in range(blocks)])
        self.attention = ConvAttention(width)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.attention(self.blocks(F.relu_(self.entry(x))))


class Detector(nn.Module):
    """See the module's text. Weights are drawn from torch's global generator; `build_detector` takes a seed."""

    def __init__(self, config: DetectorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DetectorConfig()
        w4, w8, w16, w32 = config.widths
        b4, b8, b16, b32 = config.blocks
        self.stage4 = Stage(3 * HEAD_STRIDE**2, w4, b4, 1)
        self.stage8 = Stage(w4, w8, b8, 2)
        self.stage16 = Stage(w8, w16, b16, 2)
        self.stage32 = Stage(w16, w32, b32, 2)
        self.self_attention = SelfAttention(w32, config.attention_heads)
        self.up32 = nn.Conv2d(w32, 4 * config.neck, 1)
        self.lateral16 = nn.Conv2d(w16, config.neck, 1)
        self.lateral8 = nn.Conv2d(w8, config.neck, 1)
        self.smooth8 = _conv_bn(config.neck, config.neck)
        self.up16 = nn.Conv2d(config.neck, 4 * config.neck, 1)
        self.up8 = nn.Conv2d(config.neck, 4 * w4, 1)
        self.head = _conv_bn(w4, config.head)
        self.maps = nn.Conv2d(config.head, sum(HEAD_CHANNELS), 1)
        self.semantic = nn.Conv2d(config.neck, len(SEMANTIC_CLASSES), 1)
        self._initialise()

    def _initialise(self) -> None:
        """Start the heat at 1 % (focal loss, arXiv:1708.02002) and residual branches at zero."""
        nn.init.normal_(self.maps.weight, std=0.01)
        nn.init.zeros_(self.maps.bias)  # type: ignore[arg-type]
        nn.init.constant_(self.maps.bias[: len(DETECTED_KINDS)], -math.log(99.0))  # type: ignore[index]
        for module in self.modules():
            if isinstance(module, ResidualBlock):
                nn.init.zeros_(module.second[1].weight)  # type: ignore[arg-type]

    def forward(self, rgb: torch.Tensor) -> DetectorOutput:
        """Detect in images (B, 3, H, W) in 0..1; ValueError where H or W is not a multiple of 32."""
        if rgb.ndim != 4 or rgb.shape[1] != 3 or rgb.shape[2] % INPUT_MULTIPLE or rgb.shape[3] % INPUT_MULTIPLE:
            shape = tuple(rgb.shape)
            raise ValueError(f"images must have the shape (B, 3, H, W) with H and W multiples of 32, not {shape}")
        c4, _ = self.stage4(_space_to_depth(rgb))
        c8, gate = self.stage8(c4)
        c16, _ = self.stage16(c8)
        c32, _ = self.stage32(c16)
        c32, received = self.self_attention(c32)
        p16 = self.lateral16(c16) + F.pixel_shuffle(self.up32(c32), 2)
        p8 = F.relu_(self.smooth8(self.lateral8(c8) + F.pixel_shuffle(self.up16(p16), 2)))
        p4 = F.relu_(c4 + F.pixel_shuffle(self.up8(p8), 2))
        heat, box, center, depth, size, angle = self.maps(F.relu_(self.head(p4))).split(HEAD_CHANNELS, dim=1)
        return DetectorOutput(heat, box, center, depth, size, angle, self.semantic(p8), gate[:, 0], received)

    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())

    def fused(self) -> "Detector":
        """A copy for inference with each batch normalisation folded into its convolution."""
        clone = copy.deepcopy(self).eval()
        for module in list(clone.modules()):
            if isinstance(module, nn.Sequential) and len(module) == 2 and isinstance(module[1], nn.BatchNorm2d):
                module[0] = fuse_conv_bn_eval(module[0], module[1])  # type: ignore[arg-type]
                module[1] = nn.Identity()
        return clone.to(memory_format=torch.channels_last).requires_grad_(False)  # type: ignore[call-overload]


def build_detector(config: DetectorConfig | None = None, seed: int = 0) -> Detector:
    """A new detector whose weights depend on `seed` alone; torch's global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Detector(config).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def images_to_input(rgb: torch.Tensor) -> torch.Tensor:
    """Images (B, H, W, 3) uint8 to the detector's input (B, 3, H, W) float in 0..1."""
    return rgb.permute(0, 3, 1, 2).to(torch.float32) / 255.0
