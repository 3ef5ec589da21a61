"""Paintings of house fronts: walls with windows of several styles.

A front shows 4 storeys of 4 windows, each in a cell of 3 m by 3 m. The renderer needs to know where in its cell an
opening is, so that the panes can lie deeper than the wall: each style has one opening for all its cells.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np

from sim.painting.noise import tiling_noise, to_bytes

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Style:
    """One kind of front; shares of the cell, from its lower left corner."""

    wall: Rgb
    left: float
    low: float
    right: float
    high: float
    panes: tuple[int, int]  # columns, rows
    frame: Rgb = (0.86, 0.86, 0.84)
    brick: bool = False
    surround: float = 0.0  # width of a painted frame on the wall, as a share of the cell
    shutters: bool = False
    panels: bool = False  # joints between slabs of concrete


STYLES = (
    Style((0.80, 0.76, 0.68), 0.30, 0.26, 0.70, 0.80, (2, 2), surround=0.045),
    Style((0.55, 0.36, 0.29), 0.29, 0.28, 0.71, 0.80, (2, 3), brick=True),
    Style((0.84, 0.82, 0.78), 0.32, 0.27, 0.68, 0.78, (2, 2), frame=(0.40, 0.30, 0.22), shutters=True),
    Style((0.70, 0.69, 0.66), 0.16, 0.30, 0.84, 0.80, (3, 1), panels=True),
    Style((0.78, 0.68, 0.50), 0.33, 0.10, 0.67, 0.80, (2, 3), surround=0.05),
    Style((0.44, 0.31, 0.27), 0.24, 0.24, 0.76, 0.82, (2, 1), frame=(0.20, 0.21, 0.22), brick=True),
    Style((0.86, 0.85, 0.83), 0.20, 0.28, 0.80, 0.78, (2, 1), frame=(0.25, 0.26, 0.28)),
    Style((0.72, 0.62, 0.56), 0.31, 0.25, 0.69, 0.82, (2, 2), surround=0.04),
)  # fmt: skip


def fill(image: np.ndarray, box: tuple[float, float, float, float], rgb: np.ndarray | Rgb) -> None:
    """Fill (left, top, right, bottom), shares of the image, in place."""
    height, width = image.shape[:2]
    rows = slice(max(round(box[1] * height), 0), max(round(box[3] * height), 0))
    image[rows, max(round(box[0] * width), 0) : max(round(box[2] * width), 0)] = rgb


def _window(rng: np.random.Generator, cell: np.ndarray, style: Style) -> None:
    """One window in a cell: dark glass, lighter above where it mirrors the sky, curtains or blinds, a frame."""
    left, top, right, bottom = style.left, 1.0 - style.high, style.right, 1.0 - style.low
    wide, high = right - left, bottom - top
    if style.surround:
        s = style.surround
        fill(cell, (left - s, top - 1.3 * s, right + s, bottom + s), np.minimum(np.array(style.wall) * 1.14, 0.95))
    if style.shutters:
        for x in (left - 0.13, right + 0.02):
            fill(cell, (x, top, x + 0.11, bottom), (0.24, 0.34, 0.28))
    fill(cell, (left - 0.03, bottom, right + 0.03, bottom + 0.035), (0.74, 0.72, 0.68))
    glass = np.array([0.17, 0.20, 0.24]) * rng.uniform(0.5, 1.3)
    steps = np.linspace(0.0, 1.0, 9)
    for a, b in pairwise(steps):
        fill(cell, (left, top + a * high, right, top + b * high), glass * (1.55 - 0.85 * a))
    look = rng.random()
    if look < 0.30:  # curtains to both sides
        for x in (left, right - 0.24 * wide):
            fill(cell, (x, top, x + 0.24 * wide, bottom), np.array([0.62, 0.60, 0.55]) * rng.uniform(0.7, 1.1))
    elif look < 0.50:  # a blind, part of the way down
        fill(
            cell,
            (left, top, right, top + high * rng.uniform(0.2, 0.95)),
            np.array([0.64, 0.63, 0.60]) * rng.uniform(0.7, 1.1),
        )
    elif look < 0.62:  # net curtains over the lower half
        fill(cell, (left, top + 0.5 * high, right, bottom), np.array([0.50, 0.50, 0.49]))
    edge = 0.022
    for k in range(style.panes[0] + 1):
        x = left + wide * k / style.panes[0]
        fill(cell, (max(x - edge, left), top, min(x + edge, right), bottom), style.frame)
    for k in range(style.panes[1] + 1):
        y = top + high * k / style.panes[1]
        fill(cell, (left, max(y - edge, top), right, min(y + edge, bottom)), style.frame)


def wall_of(front: np.ndarray) -> Rgb:
    """The colour of the wall of a painted front (S, S, 3) uint8: that of the piers where its cells meet."""
    side = front.shape[1] // 4
    beside = np.minimum(np.arange(front.shape[1]) % side, side - 1 - np.arange(front.shape[1]) % side)
    red, green, blue = np.median(front[:, beside < max(side // 16, 1)].reshape(-1, 3), axis=0) / 255.0
    return float(red), float(green), float(blue)


def paint_front(rng: np.random.Generator, size: int, number: int, wall_rgb: Rgb | None = None) -> np.ndarray:
    """The front of style `number` modulo the styles, (size, size, 3) uint8, with a wall of its colour or another."""
    style = STYLES[number % len(STYLES)]
    style = replace(style, wall=wall_rgb or style.wall)
    wall = np.array(style.wall) * rng.uniform(0.95, 1.05)
    relief = 0.030 * tiling_noise(rng, size, size, 1.2) + 0.022 * tiling_noise(rng, size, size, 0.1)
    image = wall * (1.0 + relief)[..., None]
    if style.brick:
        rows, columns = max(size * 128 // 256, 1), max(size * 64 // 256, 1)
        tone = cv2.resize(rng.uniform(-0.08, 0.08, (rows, columns)), (size, size), interpolation=cv2.INTER_NEAREST)
        image = image * (1.0 + tone)[..., None]
    side = size // 4
    for floor in range(4):
        if style.panels:
            fill(image, (0.0, floor / 4, 1.0, floor / 4 + 1.2 / size), wall * 0.7)
        for bay in range(4):
            cell = image[floor * side : (floor + 1) * side, bay * side : (bay + 1) * side]
            if style.panels:
                fill(cell, (0.0, 0.0, 1.2 / side, 1.0), wall * 0.7)
            _window(rng, cell, style)
            # Rain has washed dirt from the sill down the wall.
            for x in (style.left, style.right):
                fill(cell, (x - 0.012, 1.0 - style.low + 0.035, x + 0.012, 1.0 - style.low + 0.16), wall * 0.9)
    return to_bytes(image)


def openings(count: int) -> np.ndarray:
    """Where the windows of the first `count` fronts are in their cells: (count, 1, 1, 4) left, low, right, high."""
    rows = [(s.left, s.low, s.right, s.high) for s in (STYLES[k % len(STYLES)] for k in range(count))]
    return np.array(rows, np.float32).reshape(count, 1, 1, 4)
