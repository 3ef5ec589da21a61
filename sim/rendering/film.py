"""How a camera turns light into bytes: a filmic curve, as a table for the shading kernel."""

import numpy as np

from sim.render_kernels import shade

_SPEED, _TOE, _WHITE = 1.7, 0.012, 3.0


def developed(light: np.ndarray) -> np.ndarray:
    """sRGB shares of scene light, both of any shape.

    Reinhard's shoulder (Photographic Tone Reproduction, 2002, equation 4) that turns white at _WHITE, after a toe:
    light well below _TOE is held back. It is as flat as cars' cameras record: what lies in shade keeps its shape.
    """
    exposed = _SPEED * light * light / (light + _TOE)
    value = np.clip(exposed * (1.0 + exposed / _WHITE**2) / (1.0 + exposed), 0.0, 1.0)
    return np.where(value <= 0.0031308, 12.92 * value, 1.055 * np.maximum(value, 0.0031308) ** (1 / 2.4) - 0.055)


def film_curve() -> np.ndarray:
    """Bytes (CURVE_STEPS,) of the light in the middle of each step of the kernel's table."""
    steps = (np.arange(int(shade.CURVE_STEPS)) + int(shade.CURVE_START)) << int(shade.CURVE_SHIFT)
    middle = (steps + (1 << (int(shade.CURVE_SHIFT) - 1))).astype(np.int32).view(np.float32).astype(np.float64)
    return np.rint(developed(middle) * 255.0).astype(np.uint8)
