"""The formulas of lenses: from the direction of a ray to a pixel and back.

Brown-Conrady (five coefficients, as OpenCV) and fisheye (Kannala and Brandt, 2006; four).
"""

import math
from collections.abc import Callable

import numpy as np

from sim.types import CameraModel, Lens

FARTHEST_RAD = math.radians(110.0)  # from the axis, that a fisheye may see
_WIDEST = 3.0  # tangent of the same of other lenses


def project(lens: Lens, ray: np.ndarray, focal_px: float, center_px: np.ndarray) -> np.ndarray:
    """Pixels (..., 2) of camera-frame directions (..., 3)."""
    ray = np.asarray(ray, dtype=np.float64)
    if lens.model == "fisheye":
        aside = np.hypot(ray[..., 0], ray[..., 1])
        bent = _bent(lens, np.arctan2(aside, ray[..., 2]))
        xy = ray[..., :2] * (bent / np.maximum(aside, 1e-12))[..., None]
    else:
        xy = _brown_conrady(ray[..., :2] / ray[..., 2:], _coefficients(lens))
    return xy * focal_px + center_px


def _coefficients(lens: Lens) -> np.ndarray:
    """All five, 0 where a lens has fewer."""
    k = np.zeros(5)
    k[: len(lens.k)] = lens.k
    return k


def _bent(lens: Lens, far: np.ndarray) -> np.ndarray:
    """How far from its principal point, in focal lengths, a lens shows what is so far off its axis: an angle (fisheye),
    or a radius in focal lengths, of which this is the radial part."""
    k = _coefficients(lens)
    if lens.model == "fisheye":
        return far * (1.0 + sum(k[i] * far ** (2 * i + 2) for i in range(4)))
    return far * (1.0 + far * far * (k[0] + far * far * (k[1] + far * far * k[4])))


def _brown_conrady(xy: np.ndarray, k: np.ndarray) -> np.ndarray:
    x, y = xy[..., 0], xy[..., 1]
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k[0] + r2 * (k[1] + r2 * k[4]))
    return np.stack(
        [
            x * radial + 2.0 * k[2] * x * y + k[3] * (r2 + 2.0 * x * x),
            y * radial + k[2] * (r2 + 2.0 * y * y) + 2.0 * k[3] * x * y,
        ],
        axis=-1,
    )


def directions(lens: Lens, pixel: np.ndarray, focal_px: float, center_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (..., 3) that pixels (..., 2) see, and whether the lens shows anything there (...)."""
    xy = (np.asarray(pixel, dtype=np.float64) - center_px) / focal_px
    if lens.model == "fisheye":
        bent = np.hypot(xy[..., 0], xy[..., 1])
        theta = _solved(lambda t: _bent(lens, t), bent, FARTHEST_RAD)
        unit = xy / np.maximum(bent, 1e-12)[..., None]
        ray = np.concatenate([unit * np.sin(theta)[..., None], np.cos(theta)[..., None]], axis=-1)
        return ray, np.abs(_bent(lens, theta) - bent) < 1e-6
    # The radial part first, along which the formula may turn back; then Newton's method for the whole.
    k, radius = _coefficients(lens), np.hypot(xy[..., 0], xy[..., 1])
    flat = _solved(lambda r: _bent(lens, r), radius, _WIDEST)
    found = xy * (flat / np.maximum(radius, 1e-12))[..., None]
    for _ in range(12):
        found = found - _newton_step(found, xy, k)
    reached = np.abs(_brown_conrady(found, k) - xy).max(axis=-1) < 1e-7
    ray = np.concatenate([found, np.ones((*found.shape[:-1], 1))], axis=-1)
    return ray / np.linalg.norm(ray, axis=-1, keepdims=True), reached


def _solved(curve: Callable[[np.ndarray], np.ndarray], value: np.ndarray, most: float) -> np.ndarray:
    """Where a curve through 0 first reaches each value, up to `most` or its first maximum."""
    knots = np.linspace(0.0, most, 4096)
    rising = curve(knots)
    last = int(np.argmax(np.diff(rising) <= 0.0)) if (np.diff(rising) <= 0.0).any() else len(knots) - 1
    guess = np.interp(value, rising[: last + 1], knots[: last + 1])
    for _ in range(4):  # Newton's method, slopes by a small step
        slope = (curve(guess + 1e-5) - curve(guess - 1e-5)) / 2e-5
        guess = np.clip(guess - (curve(guess) - value) / np.maximum(slope, 1e-3), 0.0, knots[last])
    return guess


def _newton_step(at: np.ndarray, want: np.ndarray, k: np.ndarray) -> np.ndarray:
    miss, h = _brown_conrady(at, k) - want, 1e-6
    dx = (_brown_conrady(at + [h, 0.0], k) - _brown_conrady(at - [h, 0.0], k)) / (2 * h)
    dy = (_brown_conrady(at + [0.0, h], k) - _brown_conrady(at - [0.0, h], k)) / (2 * h)
    det = dx[..., 0] * dy[..., 1] - dy[..., 0] * dx[..., 1]
    det = np.where(np.abs(det) < 1e-9, 1e-9, det)
    a = (dy[..., 1] * miss[..., 0] - dy[..., 0] * miss[..., 1]) / det
    b = (dx[..., 0] * miss[..., 1] - dx[..., 1] * miss[..., 0]) / det
    return np.clip(np.stack([a, b], axis=-1), -0.2, 0.2)


def reach(lens: Lens) -> float:
    """How far from the axis a lens still bends outwards: an angle (fisheye), or a radius in focal lengths."""
    if lens.model == "pinhole":
        return math.inf
    far = np.linspace(0.0, FARTHEST_RAD if lens.model == "fisheye" else _WIDEST, 2048)
    falling = np.diff(_bent(lens, far)) <= 0.0
    return float(far[np.argmax(falling)]) if falling.any() else float(far[-1])


def pixel_rays(rig: CameraModel) -> np.ndarray:
    """Where the point of depth 1 lies that each pixel's centre sees (C, H, W, 3), in camera axes, float32.

    0 where the lens shows nothing; depths are signed along the axis, so that points behind a fisheye's plane of sight
    have negative ones.
    """
    v, u = np.mgrid[: rig.height_px, : rig.width_px] + 0.5
    pixel, rays = np.stack([u, v], axis=-1), []
    for camera in range(len(rig.focal_px)):
        lens = rig.lenses[camera] if rig.lenses else Lens()
        focal, center = float(rig.focal_px[camera]), rig.center_px[camera].double().cpu().numpy()
        if lens.model == "pinhole":
            flat = np.concatenate([(pixel - center) / focal, np.ones((*u.shape, 1))], axis=-1)
        else:
            ray, shown = directions(lens, pixel, focal, center)
            flat = np.where((shown & (np.abs(ray[..., 2]) > 1e-6))[..., None], ray / ray[..., 2:], 0.0)
        rays.append(flat.astype(np.float32))
    return np.stack(rays)
