"""Augmentation of one labelled frame: mirror, zoom and colour. Labels stay exact."""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from perception.data import MIN_HEIGHT_PX, Objects


@dataclass(frozen=True)
class Augmentation:
    flip: float = 0.5  # probability
    max_zoom: float = 1.25
    brightness: float = 0.25  # half ranges about one
    contrast: float = 0.25
    tint: float = 0.12


def augment(
    rgb: np.ndarray,
    semantic: np.ndarray,
    objects: Objects,
    center_px: np.ndarray,
    random: np.random.Generator,
    config: Augmentation,
) -> tuple[np.ndarray, np.ndarray, Objects]:
    """A changed copy of image (H, W, 3), labels (H, W) and objects; `center_px` is the camera's principal point."""
    zoom = random.uniform(1.0, config.max_zoom)
    mirror = random.random() < config.flip
    rgb = cv2.LUT(rgb, _color_table(random, config))
    rgb, semantic, objects = _zoom(rgb, semantic, objects, center_px, zoom)
    if mirror:
        rgb, semantic, objects = flip(rgb, semantic, objects)
    return rgb, semantic, objects


def flip(rgb: np.ndarray, semantic: np.ndarray, objects: Objects) -> tuple[np.ndarray, np.ndarray, Objects]:
    """Mirror left and right: the observation angle changes its sign, and so does the side of the centre."""
    width = rgb.shape[1]
    u0, v0, u1, v1 = objects.box_px.T
    center_px = objects.center_px * (-1.0, 1.0) + (width, 0.0)
    mirrored = replace(
        objects,
        box_px=np.stack((width - u1, v0, width - u0, v1), axis=1),
        center_px=center_px.astype(np.float32),
        angle_rad=-objects.angle_rad,
    )
    return rgb[:, ::-1], semantic[:, ::-1], mirrored


def _zoom(
    rgb: np.ndarray, semantic: np.ndarray, objects: Objects, center_px: np.ndarray, zoom: float
) -> tuple[np.ndarray, np.ndarray, Objects]:
    """Magnify about the principal point. To a camera of the old focal length that is the same scene at depth / zoom."""
    height, width = rgb.shape[:2]
    u, v = float(center_px[0]), float(center_px[1])
    # OpenCV counts from pixel centres, labels from pixel corners: half a pixel apart.
    matrix = np.array([[zoom, 0.0, (1.0 - zoom) * (u - 0.5)], [0.0, zoom, (1.0 - zoom) * (v - 0.5)]])
    rgb = cv2.warpAffine(rgb, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    rows = np.floor(v + (np.arange(height) + 0.5 - v) / zoom).astype(int).clip(0, height - 1)
    columns = np.floor(u + (np.arange(width) + 0.5 - u) / zoom).astype(int).clip(0, width - 1)
    whole = (objects.box_px - (u, v, u, v)) * zoom + (u, v, u, v)
    box_px = whole.clip(0.0, (width, height, width, height)).astype(np.float32)
    shown = _area(box_px) / np.maximum(_area(whole), 1e-6)
    cut = (shown < 0.3) | (box_px[:, 3] - box_px[:, 1] < MIN_HEIGHT_PX)
    zoomed = replace(
        objects,
        box_px=box_px,
        center_px=((objects.center_px - (u, v)) * zoom + (u, v)).astype(np.float32),
        depth_m=objects.depth_m / np.float32(zoom),
        ignore=objects.ignore | cut,
    )
    return rgb, semantic[np.ix_(rows, columns)], zoomed


def _area(box_px: np.ndarray) -> np.ndarray:
    return (box_px[:, 2] - box_px[:, 0]) * (box_px[:, 3] - box_px[:, 1])


def _color_table(random: np.random.Generator, config: Augmentation) -> np.ndarray:
    """A look-up table (1, 256, 3) of brightness, contrast about mid grey and a gain for each channel."""
    brightness = 1.0 + random.uniform(-config.brightness, config.brightness)
    contrast = 1.0 + random.uniform(-config.contrast, config.contrast)
    tint = 1.0 + random.uniform(-config.tint, config.tint, 3)
    levels = np.arange(256)[:, None] * brightness * tint
    return ((levels - 128.0) * contrast + 128.0).clip(0, 255).astype(np.uint8)[None]
