"""World-space textures: what they are, and simple ones made from filtered noise.

Every texture tiles (the sky only around the horizon). A painter of another kind, such as a GAN, fills the same
dataclass; geometry and labels never depend on it. Sizes may differ between fields but are powers of two.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch

FACADE_TILE_M = 12.0  # a facade texture shows 4 storeys of 4 windows, each 3 m x 3 m
GRASS_TILE_M = 3.0
ASPHALT_TILE_M = 4.0
FOLIAGE_TILE_M = 2.5


@dataclass
class Textures:
    """Images in sRGB, uint8, `V` variants each; a world uses variant `seed % V`."""

    facade: torch.Tensor  # (V, S, S, 3) row 0 at the top; FACADE_TILE_M wide and high
    grass: torch.Tensor  # (V, S, S, 3) GRASS_TILE_M
    asphalt: torch.Tensor  # (V, S, S, 3) ASPHALT_TILE_M
    foliage: torch.Tensor  # (V, S, S, 3) FOLIAGE_TILE_M
    sky: torch.Tensor  # (V, Hs, Ws, 3) row 0 at the zenith, last row at the horizon; columns are azimuth, full circle

    def __post_init__(self) -> None:
        for name, image in vars(self).items():
            powers = all(side & (side - 1) == 0 for side in image.shape[1:3])
            if image.dtype != torch.uint8 or image.dim() != 4 or image.shape[-1] != 3 or not powers:
                raise ValueError(f"texture {name}: {tuple(image.shape)} {image.dtype}; want uint8 (V, 2^m, 2^n, 3)")


def tiling_noise(rng: np.random.Generator, height: int, width: int, slope: float, finest: float = 0.5) -> np.ndarray:
    """Tiling noise (height, width) of zero mean and unit deviation, spectrum 1/f^slope up to frequency `finest`."""
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = 1.0
    gain = frequency**-slope * (frequency <= finest)
    gain[0, 0] = 0.0
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((height, width))) * gain).real
    return noise / noise.std()


def _to_bytes(rgb: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(rgb * 255.0), 0, 255).astype(np.uint8)


def _grass(rng: np.random.Generator, size: int) -> np.ndarray:
    patches, blades = tiling_noise(rng, size, size, 1.3), tiling_noise(rng, size, size, 0.25)
    dry = np.clip(0.35 + 0.25 * patches, 0.0, 1.0)[..., None]
    lush, straw = np.array([0.27, 0.38, 0.14]), np.array([0.45, 0.44, 0.22])
    base = (lush * rng.uniform(0.9, 1.1, 3)) * (1 - dry) + straw * dry
    return _to_bytes(base * (1.0 + 0.20 * blades + 0.06 * patches)[..., None])


def _asphalt(rng: np.random.Generator, size: int) -> np.ndarray:
    stain, grain = tiling_noise(rng, size, size, 1.5), tiling_noise(rng, size, size, 0.1)
    grey = rng.uniform(0.34, 0.42) * (1.0 + 0.05 * stain + 0.07 * grain)
    return _to_bytes(grey[..., None] * np.array([1.0, 0.995, 0.98]))


def _foliage(rng: np.random.Generator, size: int) -> np.ndarray:
    clumps, leaves = tiling_noise(rng, size, size, 1.0), tiling_noise(rng, size, size, 0.4)
    light = np.clip(0.85 + 0.22 * clumps + 0.28 * leaves, 0.25, 1.8)[..., None]
    hue = np.array([0.25, 0.36, 0.13]) + rng.uniform(-0.04, 0.06) * np.array([1.0, 0.2, -0.2])
    return _to_bytes(hue * light)


def _rectangle(image: np.ndarray, box: tuple[float, float, float, float], rgb: np.ndarray) -> None:
    """Fill (left, top, right, bottom), given as shares of the image, in place."""
    height, width = image.shape[:2]
    left, right = round(box[0] * width), round(box[2] * width)
    image[round(box[1] * height) : round(box[3] * height), left:right] = rgb


def _window(
    rng: np.random.Generator, image: np.ndarray, corner: tuple[float, float], span: tuple[float, float]
) -> None:
    """One framed window with a sill, brighter glass above and perhaps a curtain."""
    (left, top), (wide, high) = corner, span
    frame = np.array([0.80, 0.79, 0.76])
    glass = np.array([0.20, 0.25, 0.31]) * rng.uniform(0.6, 1.5)
    edge = 1.0 / 128
    _rectangle(image, (left - edge, top - edge, left + wide + edge, top + high + 2 * edge), frame)
    _rectangle(image, (left, top, left + wide, top + high), glass)
    _rectangle(image, (left, top, left + wide, top + 0.35 * high), glass * 1.35)
    if rng.random() < 0.4:
        _rectangle(image, (left, top, left + wide, top + high * rng.uniform(0.2, 0.7)), np.array([0.62, 0.59, 0.52]))
    _rectangle(image, (left + wide / 2 - edge / 2, top, left + wide / 2 + edge / 2, top + high), frame)


def _facade(rng: np.random.Generator, size: int) -> np.ndarray:
    palette = np.array(
        [
            [0.66, 0.60, 0.52],
            [0.58, 0.40, 0.33],
            [0.72, 0.70, 0.66],
            [0.70, 0.62, 0.44],
            [0.52, 0.54, 0.57],
            [0.62, 0.48, 0.40],
        ]
    )
    wall = palette[rng.integers(len(palette))] * rng.uniform(0.92, 1.08)
    weathering = 0.035 * tiling_noise(rng, size, size, 1.2) + 0.03 * tiling_noise(rng, size, size, 0.1)
    image = wall * (1.0 + weathering)[..., None]
    wide, high = rng.uniform(0.09, 0.16), rng.uniform(0.11, 0.16)
    for floor in range(4):
        _rectangle(image, (0.0, floor / 4, 1.0, floor / 4 + 1.5 / 128), wall * 0.82)
        for bay in range(4):
            _window(rng, image, (bay / 4 + (0.25 - wide) / 2, floor / 4 + 0.055), (wide, high))
    return _to_bytes(image)


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
    return _to_bytes(blue * (1 - cover * fade) + cloud * cover * fade)


def procedural_textures(variants: int, seed: int, size: int = 128, sky_size: tuple[int, int] = (128, 512)) -> Textures:
    """`variants` sets of textures from filtered noise and painted windows; the same for the same seed.

    Raises ValueError where `variants` is below 1 or a size is no power of two.
    """
    if variants < 1:
        raise ValueError(f"variants: {variants}; want at least 1")

    def paint(painter: object, stream: int, *shape: int) -> torch.Tensor:
        images = [painter(np.random.default_rng([seed, stream, i]), *shape) for i in range(variants)]  # type: ignore[operator]
        return torch.from_numpy(np.stack(images))

    return Textures(
        facade=paint(_facade, 0, size),
        grass=paint(_grass, 1, size),
        asphalt=paint(_asphalt, 2, size),
        foliage=paint(_foliage, 3, size),
        sky=paint(_sky, 4, *sky_size),
    )
