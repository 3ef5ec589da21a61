"""Ways that generated roads take: reference lines that wander, and whether they keep clear of each other."""

import math

import numpy as np

from sim.roadgen.build import Path
from sim.roads.geometry import Floats


def _wander(
    rng: np.random.Generator, path: Path, length_m: float, radius_m: tuple[float, float], swing_rad: float
) -> None:
    """Extend a path by `length_m` of straights and clothoid-arc-clothoid curves that keep turning back."""
    start, heading, side = path.length_m, path.heading_rad, rng.choice((-1.0, 1.0))
    while (left := length_m - (path.length_m - start)) > 1.0:
        if left < 60.0:
            path.line(left)
            return
        path.line(min(rng.uniform(0.02, 0.12) * length_m, left - 50.0))
        radius = rng.uniform(*radius_m)
        drift = path.heading_rad - heading
        side = -math.copysign(1.0, drift) if abs(drift) > 0.25 * swing_rad else -side
        turn = min(rng.uniform(0.5, 1.0) * swing_rad, length_m * 0.3 / radius)
        clothoid = 0.35 * turn * radius
        arc = max(turn * radius - clothoid, 5.0)
        if 2.0 * clothoid + arc > length_m - (path.length_m - start):
            path.line(length_m - (path.length_m - start))
            return
        path.spiral(clothoid, 0.0, side / radius)
        path.arc(arc, side / radius)
        path.spiral(clothoid, side / radius, 0.0)


def clear_of_itself(points: Floats, step_m: float, width_m: float) -> bool:
    """Whether a path sampled every `step_m` (n, 2) keeps its width between parts that are not neighbours along it."""
    away = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    along = np.abs(np.subtract.outer(np.arange(len(points)), np.arange(len(points)))) * step_m
    return bool((away[along > 2.5 * width_m] > width_m).all())


def wandering_path(
    rng: np.random.Generator,
    start: Path,
    length_m: float,
    radius_m: tuple[float, float],
    swing_rad: float,
    clear_m: float,
) -> Path:
    """A wandering continuation of `start` that stays clear of itself."""
    while True:
        path = start.copy()
        _wander(rng, path, length_m, radius_m, swing_rad)
        if clear_of_itself(path.points(5.0), 5.0, clear_m):
            return path


def clear_of_each_other(lines: list[Floats], near_m: float, within_m: float) -> bool:
    """Whether lines (n, 2) from one centre keep `near_m` apart outside `within_m` of it."""
    far = [line[np.hypot(line[:, 0], line[:, 1]) > within_m] for line in lines]
    return all(
        np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1)).min() > near_m
        for i, a in enumerate(far)
        for b in far[i + 1 :]
    )
