"""World-space textures: what they are, and simple ones made from filtered noise.

Every texture tiles (the sky only around the horizon). A painter of another kind, such as a GAN, fills the same
dataclass; geometry and labels never depend on it. Sizes may differ between fields but are powers of two.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
import torch

from sim.painting.facades import STYLES, openings, paint_front
from sim.painting.noise import tiling_noise, to_bytes
from sim.painting.shops import paint_shops
from sim.painting.signs import sign_faces

FACADE_TILE_M = 12.0  # a facade texture shows 4 storeys of 4 windows, each 3 m x 3 m
GRASS_TILE_M = 3.0
ASPHALT_TILE_M = 4.0
FOLIAGE_TILE_M = 4.0
SHOPS = 6  # paintings of three shop fronts each


@dataclass
class Textures:
    """Images in sRGB, uint8, `V` variants each; a world uses variant `seed % V`, a house any of the facades."""

    facade: torch.Tensor  # (V, S, S, 3) row 0 at the top; FACADE_TILE_M wide and high
    grass: torch.Tensor  # (V, S, S, 3) GRASS_TILE_M
    asphalt: torch.Tensor  # (V, S, S, 3) ASPHALT_TILE_M
    foliage: torch.Tensor  # (V, S, S, 3) FOLIAGE_TILE_M
    sky: torch.Tensor  # (V, Hs, Ws, 3) row 0 at the zenith, last row at the horizon; columns are azimuth, full circle
    shops: torch.Tensor = field(default_factory=lambda: _shops(SHOPS, 0, 256))  # (V, S, S, 3) 12 m wide and 4 m high
    signs: torch.Tensor = field(default_factory=lambda: torch.from_numpy(sign_faces()))  # (faces, S, S, 3)
    # (V, 1, 1, 4) where the window is in each cell of a facade: left, low, right, high; zero where that is unknown
    openings: torch.Tensor = field(default_factory=lambda: torch.zeros(0, 1, 1, 4))

    def __post_init__(self) -> None:
        if not len(self.openings):
            self.openings = torch.zeros(len(self.facade), 1, 1, 4)
        if self.openings.shape != (len(self.facade), 1, 1, 4):
            raise ValueError(f"texture openings: {tuple(self.openings.shape)}; want {(len(self.facade), 1, 1, 4)}")
        for name, image in vars(self).items():
            if name == "openings":
                continue
            powers = all(side & (side - 1) == 0 for side in image.shape[1:3])
            if image.dtype != torch.uint8 or image.dim() != 4 or image.shape[-1] != 3 or not powers:
                raise ValueError(f"texture {name}: {tuple(image.shape)} {image.dtype}; want uint8 (V, 2^m, 2^n, 3)")


def _grass(rng: np.random.Generator, size: int) -> np.ndarray:
    patches, blades = tiling_noise(rng, size, size, 1.3), tiling_noise(rng, size, size, 0.25)
    dry = np.clip(0.26 + 0.12 * patches, 0.0, 1.0)[..., None]
    lush, straw = np.array([0.235, 0.32, 0.145]), np.array([0.37, 0.36, 0.22])
    base = (lush * rng.uniform(0.9, 1.1, 3)) * (1 - dry) + straw * dry
    return to_bytes(base * (1.0 + 0.17 * blades + 0.02 * patches)[..., None])


def _asphalt(rng: np.random.Generator, size: int) -> np.ndarray:
    stain, grain = tiling_noise(rng, size, size, 1.5), tiling_noise(rng, size, size, 0.1)
    grey = rng.uniform(0.34, 0.42) * (1.0 + 0.05 * stain + 0.07 * grain)
    return to_bytes(grey[..., None] * np.array([1.0, 0.995, 0.98]))


def _foliage(rng: np.random.Generator, size: int) -> np.ndarray:
    """Sprays of leaves in clumps of all sizes, with the dark of the crown between them; it tiles.

    Light is a product of scales: broad clumps, twigs and leaves, each of them ragged, so that no scale looks regular.
    """
    hue = np.array([0.272, 0.362, 0.198]) + rng.uniform(-0.02, 0.03) * np.array([1.0, 0.4, -0.3])
    clumps, twigs = tiling_noise(rng, size, size, 1.2), tiling_noise(rng, size, size, 0.8)
    light = np.zeros((size, size), np.float32)
    leaf = max(size / 50.0, 1.0)
    for depth in np.linspace(0.0, 1.0, 5):
        for x, y in rng.integers(0, size, (size * size // 45, 2)):
            if 0.6 * clumps[y, x] + 0.55 * twigs[y, x] < 1.9 * depth - 1.5:
                continue
            turn, tone = rng.uniform(0.0, 180.0), 0.30 + 0.62 * depth + rng.uniform(-0.22, 0.22)
            axes = (max(round(leaf * rng.uniform(0.5, 1.1)), 1), max(round(0.45 * leaf), 1))
            for shift in _wraps(int(x), int(y), axes[0] + 1, size):
                cv2.ellipse(light, shift, axes, turn, 0.0, 360.0, float(tone), -1, cv2.LINE_AA)
    light = np.clip(0.08 + 0.92 * light + 0.10 * clumps + 0.06 * twigs, 0.05, 1.4)[..., None]
    # In the shade leaves are seen by the light of the sky and of other leaves: greener and cooler than in the sun.
    cast = 1.0 + (light - 0.6) * np.array([0.16, 0.02, -0.10])
    return to_bytes(hue * light * cast)


def _wraps(x: int, y: int, reach: int, size: int) -> list[tuple[int, int]]:
    """Where something at (x, y) also shows on an image that tiles."""
    columns = [x] + ([x + size] if x < reach else []) + ([x - size] if x >= size - reach else [])
    rows = [y] + ([y + size] if y < reach else []) + ([y - size] if y >= size - reach else [])
    return [(column, row) for column in columns for row in rows]


def _sky(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    elevation = 1.0 - (np.arange(height) + 0.5)[:, None] / height  # 1 at the zenith
    zenith, horizon = np.array([0.27, 0.46, 0.77]), np.array([0.76, 0.84, 0.92])
    blue = horizon + (zenith - horizon) * (elevation**0.55)[..., None]
    # Clouds lie in a flat layer: a ray at a small elevation meets it far away.
    side = 256
    layer = tiling_noise(rng, side, side, 1.9, 0.25)
    azimuth = (np.arange(width) + 0.5) * 2.0 * np.pi / width
    away = 26.0 / (np.tan(np.minimum(elevation, 0.98) * np.pi / 2) + 0.09)
    east, north = ((away * f(azimuth)).astype(np.float32) for f in (np.cos, np.sin))
    density, thicker = (
        cv2.remap(layer.astype(np.float32), east * z % side, north * z % side, cv2.INTER_LINEAR, None, cv2.BORDER_WRAP)
        for z in (1.0, 1.04)
    )
    cover = np.clip((density - rng.uniform(-0.2, 0.9)) * 0.8, 0.0, 1.0)[..., None]
    shade = np.clip(0.93 - 0.08 * thicker - 0.04 * density, 0.72, 1.0)[..., None]
    cloud = np.array([1.0, 0.995, 0.985]) * shade
    fade = np.clip(elevation * 7.0, 0.0, 1.0)[..., None] * 0.92
    return to_bytes(blue * (1 - cover * fade) + cloud * cover * fade)


def procedural_textures(variants: int, seed: int, size: int = 128, sky_size: tuple[int, int] = (128, 512)) -> Textures:
    """`variants` sets of textures from filtered noise and painted windows; the same for the same seed.

    Raises ValueError where `variants` is below 1 or a size is no power of two.
    """
    if variants < 1:
        raise ValueError(f"variants: {variants}; want at least 1")

    def paint(painter: object, stream: int, *shape: int) -> torch.Tensor:
        images = [painter(np.random.default_rng([seed, stream, i]), *shape) for i in range(variants)]  # type: ignore[operator]
        return torch.from_numpy(np.stack(images))

    fronts = [paint_front(np.random.default_rng([seed, 0, i]), 2 * size, i) for i in range(len(STYLES))]
    return Textures(
        facade=torch.from_numpy(np.stack(fronts)),
        grass=paint(_grass, 1, size),
        asphalt=paint(_asphalt, 2, size),
        foliage=paint(_foliage, 3, 2 * size),
        sky=paint(_sky, 4, *sky_size),
        shops=_shops(SHOPS, seed, 2 * size),
        openings=torch.from_numpy(openings(len(STYLES))),
    )


def _shops(variants: int, seed: int, size: int) -> torch.Tensor:
    images = [paint_shops(np.random.default_rng([seed, 5, i]), size) for i in range(variants)]
    return torch.from_numpy(np.stack(images))
