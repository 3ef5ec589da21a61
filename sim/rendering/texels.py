"""Images as the words that kernels sample: linear light in lanes of 21 bits, with all halvings."""

import numpy as np

from sim.render_kernels import appearance


def _linear_of_bytes() -> np.ndarray:
    value = np.arange(256, dtype=np.float32) / 255.0
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


_LINEAR = _linear_of_bytes()


def linear(image: np.ndarray) -> np.ndarray:
    """sRGB bytes to linear values (IEC 61966-2-1)."""
    return _LINEAR[image]


def words_of(light: np.ndarray) -> np.ndarray:
    """Linear RGB (..., 3) as one uint64 (...) with a channel in each 21 bits, as `appearance.bilinear` takes it."""
    channel = np.rint(np.clip(light, 0.0, 1.0) * int(appearance.TEXEL_ONE)).astype(np.uint64)
    return channel[..., 0] | (channel[..., 1] << np.uint64(21)) | (channel[..., 2] << np.uint64(42))


def _words_of_bytes(image: np.ndarray) -> np.ndarray:
    """The same of sRGB bytes (..., 3), from a table."""
    red = words_of(_LINEAR[:, None] * np.array([1.0, 0.0, 0.0], dtype=np.float32))
    return red[image[..., 0]] | (red << np.uint64(21))[image[..., 1]] | (red << np.uint64(42))[image[..., 2]]


def mip_chain(images: np.ndarray) -> np.ndarray:
    """Images (V, S, S, 3) as texel words: variant by variant, each with all its halvings down to one texel."""
    level, levels = linear(images), [_words_of_bytes(images).reshape(len(images), -1)]
    while level.shape[1] > 1:
        rows = level[:, ::2] + level[:, 1::2]
        level = (rows[:, :, ::2] + rows[:, :, 1::2]) * np.float32(0.25)
        levels.append(words_of(level).reshape(len(images), -1))
    return np.concatenate(levels, axis=1).reshape(-1)
