"""Noise that tiles, from filtered white noise."""

import numpy as np


def tiling_noise(rng: np.random.Generator, height: int, width: int, slope: float, finest: float = 0.5) -> np.ndarray:
    """Tiling noise (height, width) of zero mean and unit deviation, spectrum 1/f^slope up to frequency `finest`."""
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :]
    frequency = np.hypot(fy, fx)
    frequency[0, 0] = 1.0
    gain = frequency**-slope * (frequency <= finest)
    gain[0, 0] = 0.0
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((height, width))) * gain).real
    return noise / noise.std()


def to_bytes(rgb: np.ndarray) -> np.ndarray:
    """Shares of 0 to 1 as bytes."""
    return np.clip(np.rint(rgb * 255.0), 0, 255).astype(np.uint8)
