"""How far painted pictures are from drawn ones, the sliced Wasserstein distance of patches, and the model card.

After Karras et al., "Progressive Growing of GANs" (2018), section 5: pictures are split into a Laplacian pyramid; at
each level 7x7 patches are projected on random directions and the sorted projections are compared. Unlike there, both
sets are normalised by the statistics of the first one, so that a wrong colour counts.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from configs.schema import GanTraining
from sim.painting.gan import Generator, load_generators, sky_generator, tile_generator
from sim.painting.gan_data import TileKind, example_skies, example_tiles

PATCH = 7
PATCHES_PER_PICTURE = 128
DIRECTIONS = 256
SMALLEST_PX = 16
HELD_OUT = 64  # pictures per class to judge by


def sliced_wasserstein(reference: Tensor, pictures: Tensor, seed: int = 0) -> float:
    """Distance of two sets (n, 3, H, W), the mean over pyramid levels: 0 for equal distributions.

    Raises ValueError where the shapes differ.
    """
    if reference.shape != pictures.shape:
        raise ValueError(f"sets of shapes {tuple(reference.shape)} and {tuple(pictures.shape)}; want two equal ones")
    stream = torch.Generator().manual_seed(seed)
    distances = []
    for wanted, found in zip(_pyramid(reference), _pyramid(pictures)):
        mean = wanted.mean((0, 2, 3), keepdim=True)
        deviation = wanted.std((0, 2, 3), keepdim=True) + 1e-4
        sets = [_patches((level - mean) / deviation, stream) for level in (wanted, found)]
        directions = F.normalize(torch.randn(sets[0].shape[1], DIRECTIONS, generator=stream), dim=0)
        sorted_sets = [(patches @ directions).sort(dim=0).values for patches in sets]
        distances.append((sorted_sets[0] - sorted_sets[1]).abs().mean())
    return float(torch.stack(distances).mean())


def _pyramid(pictures: Tensor) -> list[Tensor]:
    """Band-pass levels from fine to coarse; the last holds what is left."""
    levels = []
    while min(pictures.shape[2:]) > SMALLEST_PX:
        half = F.avg_pool2d(pictures, 2)
        levels.append(pictures - F.interpolate(half, scale_factor=2, mode="bilinear", align_corners=False))
        pictures = half
    return [*levels, pictures]


def _patches(level: Tensor, stream: torch.Generator) -> Tensor:
    """(n * PATCHES_PER_PICTURE, 3 * PATCH * PATCH) patches from random places."""
    count, _, rows, columns = level.shape
    windows = level.unfold(2, PATCH, 1).unfold(3, PATCH, 1)
    picture = torch.arange(count).repeat_interleave(PATCHES_PER_PICTURE)
    row = torch.randint(rows - PATCH + 1, (len(picture),), generator=stream)
    column = torch.randint(columns - PATCH + 1, (len(picture),), generator=stream)
    return windows[picture, :, row, column].flatten(1)


@dataclass(frozen=True)
class HeldOut:
    """Drawn pictures (count, 3, H, W) by class name, tiles in the order of TileKind and then the sky."""

    pictures: dict[str, Tensor]
    count: int
    seed: int


def held_out(seed: int, count: int) -> HeldOut:
    """Pictures that no training run sees: those draw from seeds below 2^31."""
    unseen = seed + 2**32
    pictures = {kind.name.lower(): example_tiles(kind, count, unseen) for kind in TileKind}
    return HeldOut(pictures | {"sky": example_skies(count, unseen)}, count, seed)


def distances(tiles: Generator, sky: Generator, reference: HeldOut) -> dict[str, float]:
    """Sliced Wasserstein distance between painted and held-out drawn pictures by class name."""
    networks = [(tiles, int(kind)) for kind in TileKind] + [(sky, 0)]
    return {
        name: sliced_wasserstein(drawn, _paint(network, kind, reference.count, reference.seed))
        for (name, drawn), (network, kind) in zip(reference.pictures.items(), networks)
    }


def _paint(network: Generator, kind: int, count: int, seed: int) -> Tensor:
    kinds = torch.full((count,), kind)
    latent, noise = network.draw_inputs(kinds, torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        return network.eval()(latent, kinds, noise)


def write_model_card(
    weights: Path, card: Path, config: GanTraining, seed: int, workers: int, seconds: float
) -> dict[str, dict]:
    """Measure `weights` against held-out pictures and write the model card; the figures by column, then class."""
    tiles, sky = load_generators(weights)
    first, second = (held_out(start, min(HELD_OUT, config.examples)) for start in (seed, seed + 2**31))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        untrained = distances(tile_generator(), sky_generator(), first)
    data = {name: sliced_wasserstein(drawn, second.pictures[name]) for name, drawn in first.pictures.items()}
    columns = {"untrained": untrained, "trained": distances(tiles, sky, first), "data": data}
    parameters = sum(p.numel() for network in (tiles, sky) for p in network.parameters())
    rows = [f"| {name} | " + " | ".join(f"{c[name]:.4f}" for c in columns.values()) + " |" for name in untrained]
    text = _CARD.format(
        parameters=f"{parameters:,}",
        kilobytes=weights.stat().st_size // 1024,
        seed=seed,
        minutes=f"{seconds / 60:.1f}",
        speed=f"{config.steps / seconds:.2f}" if seconds > 0 else "-",
        workers=workers,
        rows="\n".join(rows),
        held_out=first.count,
        **config.model_dump(),
    )
    partial = card.with_name(card.name + ".part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(card)
    return columns


_CARD = """# Texture GAN

Paints façades, grass, asphalt, foliage and skies for the renderer (`--appearance gan`). Two convolutional
self-attention generators, {parameters} parameters, {kilobytes} KiB of float16 safetensors.

Written by `roadloop train gan --seed {seed}` after measuring; nothing here is typed in by hand.

| setting | value |
|---|---|
| seed | {seed} |
| steps | {steps} |
| batch | {batch} |
| learning rate | {learning_rate} |
| examples per class | {examples} |
| workers | {workers} |
| training time | {minutes} min ({speed} steps/s) |

Data: pictures drawn by `sim/painting/gan_data.py` from the seed; no photograph, no download.

Sliced Wasserstein distance of 7x7 patches to {held_out} held-out pictures per class (lower is better;
`sim/painting/gan_quality.py`). "Data" compares two sets of held-out pictures with each other: what a perfect
painter would reach.

| class | untrained | trained | data |
|---|---|---|---|
{rows}

Limits: single tiles of 64 px teach it, so nothing larger than a tile (a whole house front, a shop at street
level) is planned; skies hold no sun and show 45 degrees above the horizon, mirrored above that.
"""
