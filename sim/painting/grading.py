"""Painted surfaces brought to what is measured in the world: the mean they reflect, and how far they stray from it.

A painter knows what grass looks like, not how bright it is beside a road; the renderer's light is physical, so what it
falls on has to be as well. Means are those of reflectance in daylight: leaves about 0.05 red, 0.10 green, 0.04 blue, of
which a crown, where leaves shade each other, shows half; grass a little more; aged asphalt 0.12 (ECOSTRESS spectral
library; Akbari and Rose, Urban surfaces and heat island mitigation, 2008).
"""

from dataclasses import dataclass

import numpy as np

from sim.painting.noise import to_bytes


@dataclass(frozen=True)
class Grade:
    """Mean albedo (3,), linear RGB; share of the painting's own contrast, and of its own differences of hue, kept."""

    mean: tuple[float, float, float]
    contrast: float
    hue: float


GRADES = {
    "grass": Grade((0.065, 0.093, 0.030), 0.8, 0.6),
    "asphalt": Grade((0.127, 0.126, 0.122), 0.8, 1.0),
    "foliage": Grade((0.030, 0.051, 0.019), 1.2, 0.25),
}


def graded(image: np.ndarray, grade: Grade) -> np.ndarray:
    """An image (..., 3) in sRGB bytes whose linear mean is that of the grade, as bytes."""
    light = np.where(image <= 10.3, image / 255.0 / 12.92, ((image / 255.0 + 0.055) / 1.055) ** 2.4)
    share = light / np.maximum(light.mean(axis=(0, 1)), 1e-4)
    grey = np.maximum(share.mean(axis=-1, keepdims=True), 1e-3)
    share = grey**grade.contrast * (1.0 + grade.hue * (share / grey - 1.0))
    albedo = np.clip(share / share.mean(axis=(0, 1)) * np.array(grade.mean), 0.0, 1.0)
    return to_bytes(np.where(albedo <= 0.0031308, 12.92 * albedo, 1.055 * albedo ** (1 / 2.4) - 0.055))
