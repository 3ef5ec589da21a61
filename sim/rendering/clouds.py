"""Clouds out of a painted sky: the light of sky and clouds is the weather's, their shapes are the picture's."""

import numpy as np

_CLEAREST = 10.0  # percentile of a row's whiteness that passes for clear sky


def clouds_of(sky: np.ndarray) -> np.ndarray:
    """Cover and brightness of clouds (V, H, W, 3) in 0..1, the last channel 0, from linear RGB panoramas of that shape.

    Clouds are white where clear sky is blue: cover is how much of the way from the row's clearest part to white the
    texel has gone. Near the horizon even clear air is white, so little cover can be told there.
    """
    whiteness = sky[..., 0] / np.maximum(sky[..., 2], 1e-4)
    clear = np.percentile(whiteness, _CLEAREST, axis=2, keepdims=True)
    clear = np.minimum(np.minimum.accumulate(clear[:, ::-1], axis=1)[:, ::-1], 0.9)  # rows get whiter downwards
    cover = np.clip((whiteness - clear) / (1.0 - clear), 0.0, 1.0)
    brightness = sky.mean(axis=-1)
    brightest = np.percentile(brightness, 98.0, axis=(1, 2), keepdims=True)
    lit = np.clip(brightness / np.maximum(brightest, 1e-4), 0.0, 1.0)
    return np.stack([cover, lit, np.zeros_like(cover)], axis=-1)
