"""How far painted pictures are from drawn ones: the sliced Wasserstein distance of patches.

After Karras et al., "Progressive Growing of GANs" (2018), section 5: pictures are split into a Laplacian pyramid; at
each level 7x7 patches are projected on random directions and the sorted projections are compared. Unlike there, both
sets are normalised by the statistics of the first one, so that a wrong colour counts.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

PATCH = 7
PATCHES_PER_PICTURE = 128
DIRECTIONS = 256
SMALLEST_PX = 16


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
