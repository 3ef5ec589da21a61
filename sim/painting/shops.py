"""Paintings of ground floors with shops: piers, frames, panes with what stands behind them, doors.

A painting is 12 m wide and 4 m high and shows three fronts of 4 m; rows run downwards from 4 m above the pavement.
Colours are sRGB. By day the rooms behind the panes are lit from within, so that goods and posters can be told.
"""

import itertools

import numpy as np

from sim.painting.facades import Rgb, fill
from sim.painting.noise import tiling_noise, to_bytes

_WALLS: tuple[Rgb, ...] = (
    (0.66, 0.63, 0.57), (0.58, 0.56, 0.53), (0.73, 0.70, 0.64), (0.56, 0.44, 0.37), (0.62, 0.56, 0.46),
    (0.47, 0.46, 0.45),
)  # fmt: skip
_FRAMES: tuple[Rgb, ...] = (
    (0.30, 0.31, 0.32), (0.82, 0.81, 0.78), (0.40, 0.26, 0.17), (0.62, 0.62, 0.61), (0.20, 0.30, 0.26),
    (0.78, 0.76, 0.70),
)  # fmt: skip
_TOP, _SILL, _FOOT = 0.30, 0.86, 1.0  # of the panes' upper edge, their sill and the pavement, as shares of the height
Box = tuple[float, float, float, float]  # left, top, right, bottom, shares of the painting


def paint_shops(rng: np.random.Generator, size: int) -> np.ndarray:
    """Three fronts side by side, (size, size, 3) uint8."""
    image = np.zeros((size, size, 3))
    for k in range(3):
        _front(rng, image, k / 3, (k + 1) / 3)
    image *= (1.0 + 0.025 * tiling_noise(rng, size, size, 1.0))[..., None]
    return to_bytes(image)


def _front(rng: np.random.Generator, image: np.ndarray, left: float, right: float) -> None:
    """One front: a wall with piers, in it two windows and a door, or a wide window, or a gate."""
    wall = np.array(_WALLS[int(rng.integers(len(_WALLS)))]) * rng.uniform(0.92, 1.06)
    frame = np.array(_FRAMES[int(rng.integers(len(_FRAMES)))])
    fill(image, (left, 0.0, right, 1.0), wall)
    _courses(image, (left, 0.0, right, 1.0), wall)
    pier, door = rng.uniform(0.030, 0.048), 0.080  # 36 to 58 cm; 96 cm
    low, high = left + pier, right - pier
    kind = rng.random()
    if kind < 0.07:
        _gate(image, (low + 0.02, _TOP + 0.02, high - 0.02, _FOOT), rng)
    elif kind < 0.30:  # a house's own door between two windows
        middle = 0.5 * (low + high)
        _window(rng, image, (low, _TOP + 0.06, middle - 0.065, 0.76), frame)
        _window(rng, image, (middle + 0.065, _TOP + 0.06, high, 0.76), frame)
        _door(image, (middle - 0.045, _TOP + 0.04, middle + 0.045, _FOOT), frame, np.array([0.34, 0.22, 0.15]))
    else:
        at = low if rng.random() < 0.5 else high - door
        window = (low, high - door - 0.022) if at > low else (low + door + 0.022, high)
        if kind < 0.65:
            half = 0.5 * (window[0] + window[1])
            _window(rng, image, (window[0], _TOP, half - 0.012, _SILL), frame)
            _window(rng, image, (half + 0.012, _TOP, window[1], _SILL), frame)
        else:
            _window(rng, image, (window[0], _TOP, window[1], _SILL), frame)
        _door(image, (at, _TOP, at + door, _FOOT), frame, np.array([0.42, 0.43, 0.43]))
    fill(image, (left, 0.955, right, 1.0), wall * 0.80)  # what splashes up from the pavement
    fill(image, (left, 0.0, right, 0.03), wall * 0.85)  # the shade of the cornice


def _courses(image: np.ndarray, box: Box, wall: np.ndarray) -> None:
    """Joints of ashlar, 40 cm apart."""
    height = 1.0 / image.shape[0]
    for k in range(1, 10):
        fill(image, (box[0], 0.1 * k, box[2], 0.1 * k + height), wall * 0.86)


def _window(rng: np.random.Generator, image: np.ndarray, box: Box, frame: np.ndarray) -> None:
    """A pane in its frame over a sill; a transom light above it now and then."""
    left, top, right, bottom = box
    edge_u, edge_v = 0.0055, 0.015  # 6 cm each way
    fill(image, (left - 0.004, bottom, right + 0.004, bottom + 0.025), np.array([0.60, 0.58, 0.54]))
    fill(image, box, frame)
    inner = (left + edge_u, top + edge_v, right - edge_u, bottom - edge_v)
    _room(rng, image, inner)
    if rng.random() < 0.6:
        at = top + rng.uniform(0.10, 0.14)
        fill(image, (left, at, right, at + edge_v), frame)
    if right - left > 0.12:
        middle = 0.5 * (left + right)
        fill(image, (middle - 0.5 * edge_u, top, middle + 0.5 * edge_u, bottom), frame)


def _room(rng: np.random.Generator, image: np.ndarray, box: Box) -> None:
    """What a pane shows: a lit ceiling that dims towards the floor, the street mirrored, and goods in front of it."""
    left, top, right, bottom = box
    high, wide = bottom - top, right - left
    tone = rng.uniform(0.36, 0.52) * np.array([1.0, 0.97, 0.91])
    _fade(image, box, tone * 1.18, tone * 0.56)
    for x in rng.uniform(left, right - 0.012, max(int(40 * wide), 1)):  # lamps under the ceiling
        y = top + rng.uniform(0.05, 0.22) * high
        fill(image, (x, y, x + 0.012, y + 0.012), np.array([0.95, 0.92, 0.82]))
    look = rng.random()
    if look < 0.25:  # a poster or a film over part of the pane
        _poster(rng, image, (left + 0.15 * wide, top + 0.25 * high, right - 0.15 * wide, bottom - 0.12 * high))
    elif look < 0.42:  # a blind or curtain
        fill(image, (left, top, right, top + rng.uniform(0.45, 0.9) * high), np.array([0.70, 0.68, 0.62]))
    else:
        _goods(rng, image, box)


def _fade(image: np.ndarray, box: Box, upper: np.ndarray, lower: np.ndarray) -> None:
    """Fill a box with bands of colours from one at its top to another at its bottom."""
    left, top, right, bottom = box
    for a, b in itertools.pairwise(np.linspace(0.0, 1.0, 11)):
        fill(image, (left, top + a * (bottom - top), right, top + b * (bottom - top)), upper + a * (lower - upper))


def _goods(rng: np.random.Generator, image: np.ndarray, box: Box) -> None:
    """Things on a low stage and on shelves behind it, of many colours; some hang or stand high as figures do."""
    left, top, right, bottom = box
    high = bottom - top
    for shelf in (0.55, 0.78):
        y, x = top + shelf * high, left + rng.uniform(0.0, 0.02)
        if rng.random() < 0.4:
            continue
        while x < right - 0.012:
            wide, tall = rng.uniform(0.008, 0.026), rng.uniform(0.06, 0.19) * high
            _thing(rng, image, (x, y - tall, min(x + wide, right), y))
            x += wide + rng.uniform(0.0, 0.02)
        fill(image, (left, y, right, y + 0.010), np.array([0.62, 0.60, 0.55]))
    fill(image, (left, bottom - 0.12 * high, right, bottom), np.array([0.55, 0.52, 0.47]) * rng.uniform(0.6, 1.1))
    for x in rng.uniform(left, right - 0.03, int(rng.integers(1, 4))):
        tall = rng.uniform(0.25, 0.62) * high
        _thing(rng, image, (x, bottom - 0.10 * high - tall, x + rng.uniform(0.014, 0.03), bottom - 0.06 * high))


def _thing(rng: np.random.Generator, image: np.ndarray, box: Box) -> None:
    rgb = 0.55 * rng.uniform(0.2, 0.95) + 0.45 * rng.uniform(0.1, 0.9, 3)
    fill(image, box, rgb)
    fill(image, (box[0], box[1], box[0] + 0.3 * (box[2] - box[0]), box[3]), np.minimum(rgb * 1.2, 1.0))


def _poster(rng: np.random.Generator, image: np.ndarray, box: Box) -> None:
    left, top, right, bottom = box
    fill(image, box, 0.5 + 0.25 * rng.uniform(0.0, 1.0) + 0.2 * rng.uniform(-1.0, 1.0, 3))
    for _ in range(4):
        y = rng.uniform(top, bottom - 0.04)
        x = rng.uniform(left, 0.5 * (left + right))
        fill(image, (x, y, min(x + rng.uniform(0.02, 0.08), right), y + 0.03), rng.uniform(0.05, 0.95, 3))


def _door(image: np.ndarray, box: Box, frame: np.ndarray, pane: np.ndarray) -> None:
    """A door with a light above it, one step over the pavement."""
    left, top, right, bottom = box
    fill(image, box, frame)
    fill(image, (left + 0.008, top + 0.02, right - 0.008, top + 0.11), np.array([0.40, 0.43, 0.46]))
    _fade(image, (left + 0.014, top + 0.135, right - 0.014, bottom - 0.09), pane * 1.15, pane * 0.7)
    fill(image, (right - 0.022, 0.62, right - 0.017, 0.74), np.array([0.75, 0.74, 0.70]))
    fill(image, (left - 0.01, bottom - 0.045, right + 0.01, bottom), np.array([0.50, 0.49, 0.47]))


def _gate(image: np.ndarray, box: Box, rng: np.random.Generator) -> None:
    """A roller gate or the wooden one of a yard."""
    tone = np.array([(0.58, 0.58, 0.57), (0.38, 0.26, 0.18), (0.28, 0.36, 0.32)][int(rng.integers(3))])
    fill(image, (box[0] - 0.012, box[1] - 0.03, box[2] + 0.012, box[3]), np.array([0.64, 0.62, 0.57]))
    fill(image, box, tone)
    count = 12
    for k in range(count):
        x = box[0] + (box[2] - box[0]) * k / count
        fill(image, (x, box[1], x + 0.004, box[3]), tone * 0.78)
