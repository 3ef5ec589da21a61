"""Images as the words that kernels sample: roots of linear light in 10 bits each, with all halvings."""

from dataclasses import dataclass

import numpy as np

from sim.painting.textures import Textures
from sim.render_kernels import appearance
from sim.rendering.clouds import clouds_of

_CHAINS = ("facade", "grass", "asphalt", "foliage", "shops", "signs")


def _linear_of_bytes() -> np.ndarray:
    value = np.arange(256, dtype=np.float32) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


_LINEAR = _linear_of_bytes()


def linear(image: np.ndarray) -> np.ndarray:
    """sRGB bytes to linear values (IEC 61966-2-1)."""
    return _LINEAR[image]


def words_of(light: np.ndarray) -> np.ndarray:
    """Linear RGB (..., 3) as one uint32 (...) with a channel's root in each 10 bits, as `appearance.bilinear` takes it:
    roots spread the steps about as evenly over what one sees as sRGB does, and cost a kernel one product to undo."""
    channel = np.rint(np.sqrt(np.clip(light, 0.0, 1.0)) * int(appearance.TEXEL_ONE)).astype(np.uint32)
    return channel[..., 0] | (channel[..., 1] << np.uint32(10)) | (channel[..., 2] << np.uint32(20))


def _words_of_bytes(image: np.ndarray) -> np.ndarray:
    """The same of sRGB bytes (..., 3), from a table."""
    red = words_of(_LINEAR[:, None] * np.array([1.0, 0.0, 0.0], dtype=np.float32))
    return red[image[..., 0]] | (red << np.uint32(10))[image[..., 1]] | (red << np.uint32(20))[image[..., 2]]


def mip_chain(images: np.ndarray) -> np.ndarray:
    """Images (V, S, S, 3) as texel words: variant by variant, each with all its halvings down to one texel."""
    level, levels = linear(images), [_words_of_bytes(images).reshape(len(images), -1)]
    while level.shape[1] > 1:
        rows = level[:, ::2] + level[:, 1::2]
        level = (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float32(0.25)
        levels.append(words_of(level).reshape(len(images), -1))
    return np.concatenate(levels, axis=1).reshape(-1)


@dataclass(frozen=True)
class Packed:
    """All images of a set of textures as words, one behind the other."""

    texel: np.ndarray  # (T,) uint32
    first: dict[str, int]  # where each image's chain begins
    sky_first: int  # and where the clouds do, row by row


_LAST: list[tuple[Textures, Packed]] = []  # renderers made one after the other share textures, which nobody writes to


def packed(textures: Textures) -> Packed:
    """The words of the textures; those of the last ones asked for are kept."""
    if _LAST and _LAST[0][0] is textures:
        return _LAST[0][1]
    chains = [mip_chain(getattr(textures, name).cpu().numpy()) for name in _CHAINS]
    starts = np.cumsum([0, *(len(chain) for chain in chains)]).tolist()
    clouds = words_of(clouds_of(linear(textures.sky.cpu().numpy()))).reshape(-1)
    found = Packed(np.concatenate([*chains, clouds]), dict(zip(_CHAINS, starts, strict=False)), starts[-1])
    _LAST[:] = [(textures, found)]
    return found
