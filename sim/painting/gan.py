"""Textures and skies painted by a small self-attention GAN: its networks, its weights file and `gan_textures`.

Two generators of one make: tiles (façade, grass, asphalt, foliage; class-conditional; they wrap around on both axes)
and skies (they wrap around horizontally). Both are convolutional and learn on small pictures; painting lays out a
larger grid of the same canvas with fresh noise everywhere, so a texture shows more than one tile without repeating it.

After Zhang et al., "Self-Attention GAN" (2019), with a style and a noise input at each layer after Karras et al.,
"StyleGAN" (2019). All normalisation is per pixel, so a picture does not depend on the others in its batch.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from sim.painting.facades import openings, paint_front, wall_of
from sim.painting.gan_data import SKY_PX, TILE_PX, TileKind
from sim.painting.grading import GRADES, graded
from sim.painting.textures import Textures

SHIPPED_WEIGHTS = Path(__file__).parent / "weights" / "gan.safetensors"
LATENT = 64
FORMAT = "roadloop-gan-1"
LAYOUT = 16  # noise channels of the coarsest grid
REPEAT_TILE, REPEAT_SKY = 2, 4  # canvases a painted texture holds along an axis
NOISE = 4  # noise channels of every other grid
LEVELS = 3  # doublings of the grid; each of its finest cells then paints 2x2 pixels
ATTENTION_LEVEL = 2  # at TILE_PX / 4


def _start(network: nn.Module) -> None:
    """He initialisation without biases: torch's own lets the signal fade by a third per layer, and biases are left."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, a=0.2)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


class WrapConv(nn.Module):
    """3x3 convolution that continues the picture around its left and right edge and, for tiles, top and bottom."""

    def __init__(self, inputs: int, outputs: int, wrap_rows: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 3)
        self.wrap_rows = wrap_rows

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (1, 1, 0, 0), mode="circular")
        return self.conv(F.pad(x, (0, 0, 1, 1), mode="circular" if self.wrap_rows else "replicate"))


def _double(x: Tensor, wrap_rows: bool) -> Tensor:
    """Twice as many rows and columns, bilinear around the edges: with nearest neighbours the coarse grid would show."""
    x = F.pad(F.pad(x, (1, 1, 0, 0), mode="circular"), (0, 0, 1, 1), mode="circular" if wrap_rows else "replicate")
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)[:, :, 2:-2, 2:-2]


def _smooth(x: Tensor, wrap_rows: bool) -> Tensor:
    """Mix each pixel with its neighbours, 1:4:1 along each axis: a third remains of a pattern of every other pixel.

    The four pixels of a cell come from different weights, so such a pattern is what painting cell by cell would leave.
    """
    x = F.pad(x, (1, 1, 0, 0), mode="circular")
    x = (x[..., :-2] + 4.0 * x[..., 1:-1] + x[..., 2:]) / 6.0
    x = F.pad(x, (0, 0, 1, 1), mode="circular" if wrap_rows else "replicate")
    return (x[..., :-2, :] + 4.0 * x[..., 1:-1, :] + x[..., 2:, :]) / 6.0


class SelfAttention(nn.Module):
    """Every place of the grid looks at all others; keys and values are pooled 2x2; starts as the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query = nn.Conv2d(channels, channels // 4, 1)
        self.key = nn.Conv2d(channels, channels // 4, 1)
        self.value = nn.Conv2d(channels, channels // 2, 1)
        self.output = nn.Conv2d(channels // 2, channels, 1)
        self.gain = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.avg_pool2d(x, 2)
        query, key, value = (
            t.flatten(2).transpose(1, 2) for t in (self.query(x), self.key(pooled), self.value(pooled))
        )
        seen = F.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        return x + self.gain * self.output(seen.reshape(len(x), -1, *x.shape[2:]))


class Styled(nn.Module):
    """Per-pixel normalisation, then a factor per channel that the style decides.

    A factor only: with an offset the style can paint flat colour without the grid, and a young generator settles there.
    """

    def __init__(self, channels: int, style: int) -> None:
        super().__init__()
        self.affine = nn.Linear(style, channels)
        nn.init.normal_(self.affine.weight, std=0.5 / math.sqrt(style))
        nn.init.zeros_(self.affine.bias)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        scale = 1.0 + self.affine(style)[:, :, None, None]
        return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-6) * scale


class UpBlock(nn.Module):
    """Residual block that doubles the grid: coarse convolution, doubling, noise, fine convolution."""

    def __init__(self, inputs: int, outputs: int, style: int, wrap_rows: bool) -> None:
        super().__init__()
        self.coarse_style, self.fine_style = Styled(inputs, style), Styled(outputs, style)
        self.coarse, self.fine = WrapConv(inputs, outputs, wrap_rows), WrapConv(outputs, outputs, wrap_rows)
        self.skip = nn.Conv2d(inputs, outputs, 1)
        self.grain = nn.Conv2d(NOISE, outputs, 1, bias=False)
        self.wrap_rows = wrap_rows

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        y = self.coarse(F.leaky_relu(self.coarse_style(x, style), 0.2))
        y = F.interpolate(y, scale_factor=2, mode="nearest") + self.grain(noise)
        y = self.fine(F.leaky_relu(self.fine_style(y, style), 0.2))
        return (_double(self.skip(x), self.wrap_rows) + y) * math.sqrt(0.5)


class Generator(nn.Module):
    """From a latent (B, LATENT), a class (B,) and noise per level to pictures (B, 3, H, W) in -1..1.

    H and W are 16 times those of the coarsest noise, a whole number of times `grid`. `laid_out` says of each class
    whether the place along rows and along columns matters to it: windows have theirs, grass looks alike everywhere.
    """

    laid_out: Tensor
    latent_mean: Tensor
    latent_root: Tensor

    def __init__(
        self, laid_out: list[tuple[bool, bool]], grid: tuple[int, int], channels: tuple[int, ...], wrap_rows: bool
    ) -> None:
        super().__init__()
        style, classes = channels[0], len(laid_out)
        self.grid, self.wrap_rows = grid, wrap_rows
        self.register_buffer("laid_out", torch.tensor(laid_out)[:, :, None, None, None], persistent=False)
        self.embedding = nn.Embedding(classes, LATENT)
        self.mapping = nn.Sequential(
            nn.Linear(2 * LATENT, style), nn.LeakyReLU(0.2), nn.Linear(style, style), nn.LeakyReLU(0.2)
        )
        # What the encoder made of the training pictures, by class: mean and root of the covariance of their latents.
        self.register_buffer("latent_mean", torch.zeros(classes, LATENT))
        self.register_buffer("latent_root", torch.eye(LATENT).repeat(classes, 1, 1))
        self.canvas = nn.Parameter(torch.randn(classes, channels[0], *grid))
        self.layout = nn.Conv2d(LAYOUT, channels[0], 1, bias=False)
        # Chance lays out what has no layout of its own; a façade hardly needs any.
        self.chance = nn.Parameter(torch.tensor([0.1 if all(fixed) else 1.0 for fixed in laid_out]))
        blocks = [UpBlock(a, b, style, wrap_rows) for a, b in pairwise(channels)]
        self.blocks = nn.ModuleList(blocks)
        self.attention = SelfAttention(channels[ATTENTION_LEVEL])
        self.last_style = Styled(channels[-1], style)
        self.paint = WrapConv(channels[-1], 12, wrap_rows)
        _start(self)
        # Within the range of tanh, and the 2x2 pixels of a cell alike: else a checkerboard must be unlearned first.
        self.paint.conv.weight.data = 0.3 * self.paint.conv.weight.data[::4].repeat_interleave(4, dim=0)
        for weight in (block.grain.weight for block in blocks):
            weight.data *= 0.3

    def forward(self, latent: Tensor, kind: Tensor, noise: list[Tensor]) -> Tensor:
        latent = latent * torch.rsqrt(latent.square().mean(1, keepdim=True) + 1e-8)
        style = self.mapping(torch.cat((latent, self.embedding(kind)), dim=1))
        layout = self.layout(noise[0]) * self.chance[kind, None, None, None]
        rows, columns = layout.shape[2] // self.grid[0], layout.shape[3] // self.grid[1]
        canvas = torch.where(self.laid_out[:, 0], self.canvas, self.canvas.mean(2, keepdim=True))
        canvas = torch.where(self.laid_out[:, 1], canvas, canvas.mean(3, keepdim=True))
        x = canvas[kind].repeat(1, 1, rows, columns) + layout
        for level, block in enumerate(self.blocks, start=1):
            x = block(x, style, noise[level])
            if level == ATTENTION_LEVEL:
                x = self.attention(x)
        pixels = F.pixel_shuffle(self.paint(F.leaky_relu(self.last_style(x, style), 0.2)), 2)
        return torch.tanh(_smooth(pixels, self.wrap_rows))

    def draw_inputs(
        self, kind: Tensor, generator: torch.Generator, repeat: tuple[int, int] = (1, 1)
    ) -> tuple[Tensor, list[Tensor]]:
        """Latents (B, LATENT) for classes (B,) and the noise of each level for `repeat` canvases, from one stream."""
        normal = torch.randn(len(kind), LATENT, generator=generator)
        latent = self.latent_mean[kind] + (self.latent_root[kind] @ normal[:, :, None])[:, :, 0]
        return latent, self.draw_noise(len(kind), generator, repeat)

    def draw_noise(self, count: int, generator: torch.Generator, repeat: tuple[int, int] = (1, 1)) -> list[Tensor]:
        """The noise of each level, coarsest first, for `count` pictures of `repeat` canvases."""
        rows, columns = self.grid[0] * repeat[0], self.grid[1] * repeat[1]
        noise = [torch.randn(count, LAYOUT, rows, columns, generator=generator)]
        for level in range(1, LEVELS + 1):
            noise.append(torch.randn(count, NOISE, rows << level, columns << level, generator=generator))
        return noise


class Encoder(nn.Module):
    """From a picture (B, 3, H, W) to its latent (B, LATENT): needed in training only."""

    def __init__(self, size: tuple[int, int], channels: tuple[int, ...]) -> None:
        super().__init__()
        steps = [nn.Conv2d(3, channels[0], 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for a, b in pairwise(channels):
            steps += [nn.Conv2d(a, b, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        cells = (size[0] >> len(channels)) * (size[1] >> len(channels))
        self.layers = nn.Sequential(*steps, nn.Flatten(), nn.Linear(channels[-1] * cells, LATENT))
        _start(self)

    def forward(self, x: Tensor) -> Tensor:
        latent = self.layers(x)
        return latent * torch.rsqrt(latent.square().mean(1, keepdim=True) + 1e-8)


class Discriminator(nn.Module):
    """Real or painted? One logit for the whole picture and one per patch, each told the class by projection.

    The judgement per patch teaches texture, the one per picture layout; the deviation within groups of the batch
    betrays a generator that repeats itself.
    """

    def __init__(self, classes: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, channels[0], 4, stride=2, padding=1)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise(channels))
        self.skips = nn.ModuleList(nn.Conv2d(a, b, 1, bias=False) for a, b in pairwise(channels))
        self.attention = SelfAttention(channels[1])
        self.patch = nn.Conv2d(channels[2], 1, 1)
        self.patch_class = nn.Embedding(classes, channels[2])
        self.last = nn.Conv2d(channels[-1] + 1, channels[-1], 3, padding=1)
        self.whole = nn.Linear(channels[-1], 1)
        self.whole_class = nn.Embedding(classes, channels[-1])
        _start(self)

    def forward(self, x: Tensor, kind: Tensor) -> Tensor:
        """Logits (B, 1 + patches) of pictures (B, 3, H, W)."""
        x = F.leaky_relu(self.stem(x), 0.2)
        patches = x
        for level, (conv, skip) in enumerate(zip(self.convs, self.skips)):
            x = F.leaky_relu(F.avg_pool2d(conv(x), 2) + skip(F.avg_pool2d(x, 2)), 0.2) * math.sqrt(0.5)
            if level == 0:
                x = self.attention(x)
            if level == 1:
                patches = x
        patch = self.patch(patches) + (patches * self.patch_class(kind)[:, :, None, None]).mean(1, keepdim=True)
        x = F.leaky_relu(self.last(torch.cat((x, _deviation(x, kind)), dim=1)), 0.2).mean((2, 3))
        whole = self.whole(x) + (x * self.whole_class(kind)).mean(1, keepdim=True)
        return torch.cat((whole, patch.flatten(1)), dim=1)


def _deviation(x: Tensor, kind: Tensor) -> Tensor:
    """(B, 1, H, W): mean standard deviation of the features among the pictures of the same class in the batch."""
    same = (kind[:, None] == kind[None, :]).to(x.dtype)
    same = same / same.sum(1, keepdim=True)
    flat = x.flatten(1)
    mean = same @ flat
    variance = (same @ flat.square() - mean.square()).clamp_min(0.0)
    return (variance + 1e-6).sqrt().mean(1)[:, None, None, None].expand(-1, 1, *x.shape[2:])


def tile_generator() -> Generator:
    """Paints TileKind tiles (B, 3, TILE_PX, TILE_PX)."""
    laid_out = [(kind == TileKind.FACADE, kind == TileKind.FACADE) for kind in TileKind]
    grid = (TILE_PX >> LEVELS + 1, TILE_PX >> LEVELS + 1)
    return Generator(laid_out, grid, (128, 112, 96, 64), wrap_rows=True)


def sky_generator() -> Generator:
    """Paints views of the sky (B, 3, *SKY_PX); it has one class."""
    grid = (SKY_PX[0] >> LEVELS + 1, SKY_PX[1] >> LEVELS + 1)
    return Generator([(True, False)], grid, (64, 64, 48, 32), wrap_rows=False)


def save_generators(tiles: Generator, sky: Generator, path: Path) -> None:
    """Write both generators as float16 safetensors; the file appears whole or not at all."""
    tensors = {f"tiles.{name}": value for name, value in tiles.state_dict().items()}
    tensors |= {f"sky.{name}": value for name, value in sky.state_dict().items()}
    partial = path.with_name(path.name + ".part")
    save_file(
        {name: value.half().contiguous() for name, value in tensors.items()}, partial, metadata={"format": FORMAT}
    )
    partial.replace(path)


def load_generators(path: Path) -> tuple[Generator, Generator]:
    """Read what `save_generators` wrote. Raises ValueError or OSError with one line that names the file."""
    remedy = "give a file written by `roadloop train gan`, or leave it out to use the shipped one"
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such weights file; {remedy}")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - not a dict
            found = (file.metadata() or {}).get("format")
    except SafetensorError as error:
        raise ValueError(f"{path}: not a readable safetensors file ({str(error).splitlines()[0]}); {remedy}") from error
    if found != FORMAT:
        raise ValueError(f"{path}: holds format {found!r}, expected {FORMAT!r}; {remedy}")
    tiles, sky = tile_generator(), sky_generator()
    for prefix, network in (("tiles.", tiles), ("sky.", sky)):
        own = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
        try:
            network.load_state_dict(own)
        except RuntimeError as error:
            raise ValueError(f"{path}: its tensors do not fit this version's generator; {remedy}") from error
        if not all(bool(torch.isfinite(value).all()) for value in own.values()):
            raise ValueError(f"{path}: holds values that are not finite; {remedy}")
    return tiles.eval(), sky.eval()


def gan_textures(weights: Path | None, variants: int, seed: int) -> Textures:
    """Paint `variants` sets of textures (V, S, S, 3) and skies (V, Hs, Ws, 3), uint8, on the CPU.

    `weights` None takes the shipped file. Set i depends on (seed, i) and the weights only: the same bits whatever
    `variants` is. Raises ValueError or OSError for a bad file, ValueError for `variants` below 1.
    """
    if variants < 1:
        raise ValueError(f"variants {variants}: ask for at least 1")
    tiles, sky = load_generators(SHIPPED_WEIGHTS if weights is None else weights)
    with torch.inference_mode(), _one_thread():
        sets = [_paint_set(tiles, sky, seed, i) for i in range(variants)]
    names = [kind.name.lower() for kind in TileKind] + ["sky"]
    images = {name: torch.stack([painted[i] for painted in sets]) for i, name in enumerate(names)}
    # Windows of its pictures' size blur when seen near by: they are drawn, in walls of the colours that it paints.
    fronts = [_front(front.numpy(), seed, i) for i, front in enumerate(images["facade"])]
    return Textures(**images | {"facade": torch.stack(fronts), "openings": torch.from_numpy(openings(variants))})


def _front(painted: np.ndarray, seed: int, variant: int) -> Tensor:
    rng = np.random.default_rng([seed, 6, variant])
    return torch.from_numpy(paint_front(rng, 2 * painted.shape[0], variant, wall_of(painted)))


def _paint_set(tiles: Generator, sky: Generator, seed: int, variant: int) -> list[Tensor]:
    stream = torch.Generator().manual_seed((seed * 1_000_003 + variant) % 2**63)
    pictures = []
    for kind in TileKind:
        label = torch.tensor([int(kind)])
        latent, noise = tiles.draw_inputs(label, stream, (REPEAT_TILE, REPEAT_TILE))
        pictures.append(tiles(latent, label, noise)[0])
    label = torch.tensor([0])
    latent, noise = sky.draw_inputs(label, stream, (1, REPEAT_SKY))
    pictures.append(_up_to_zenith(sky(latent, label, noise)[0]))
    images = [((x + 1.0) * 127.5).round().to(torch.uint8).permute(1, 2, 0).contiguous() for x in pictures]
    for kind in TileKind:
        if grade := GRADES.get(kind.name.lower()):
            images[kind] = torch.from_numpy(graded(images[kind].numpy(), grade))
    return images


def _up_to_zenith(view: Tensor) -> Tensor:
    """A panorama (3, 2 H, W) from the painted half below 45 degrees (3, H, W): above, its mirror image fades out."""
    mirrored = view.flip(1)
    fade = torch.linspace(1.0, 0.0, view.shape[1])[None, :, None]
    return torch.cat((mirrored + fade * (view[:, :4].mean((1, 2), keepdim=True) - mirrored), view), dim=1)


@contextmanager
def _one_thread() -> Iterator[None]:
    """How a sum is split between threads shows in its last bits: paint with one."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
