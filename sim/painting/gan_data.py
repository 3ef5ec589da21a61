"""Example pictures that the GAN learns from: façades, grass, asphalt, foliage and skies, drawn by rules.

Richer and slower than what the renderer draws for itself: every leaf, brick and window pane is a shape of its own,
drawn at SCALE times the resolution and averaged. All are a function of (seed, kind, index). Surface tiles wrap around
on both axes; a sky is one view of it and does not. No file is read.
"""

from collections.abc import Callable
from enum import IntEnum

import cv2
import numpy as np
import torch

TILE_PX = 64
SKY_PX = (
    64,
    128,
)  # a view of the sky: rows from SKY_TOP_RAD above the horizon (first) down to it, columns over SKY_SPAN_RAD
SKY_TOP_RAD, SKY_SPAN_RAD = np.pi / 4, np.pi / 2
SCALE = 2  # drawn larger, then averaged


class TileKind(IntEnum):
    """The classes that the tile generator is told to paint, in this order."""

    FACADE = 0
    GRASS = 1
    ASPHALT = 2
    FOLIAGE = 3


Rng = np.random.Generator
Image = np.ndarray  # (rows, columns, 3) float32 in 0..1


def example_tiles(kind: TileKind, count: int, seed: int) -> torch.Tensor:
    """`count` tiles (count, 3, TILE_PX, TILE_PX), float32 in -1..1; tile i depends on (seed, kind, i) only."""
    painter = _PAINTERS[kind]
    return torch.stack([_finish(painter(np.random.default_rng((seed, int(kind), i)))) for i in range(count)])


def example_skies(count: int, seed: int) -> torch.Tensor:
    """`count` views (count, 3, *SKY_PX), float32 in -1..1; sky i depends on (seed, i) only."""
    return torch.stack([_finish(_sky(np.random.default_rng((seed, len(TileKind), i)))) for i in range(count)])


def _finish(image: Image) -> torch.Tensor:
    rows, columns = image.shape[0] // SCALE, image.shape[1] // SCALE
    small = image.reshape(rows, SCALE, columns, SCALE, 3).mean(axis=(1, 3))
    return torch.from_numpy(np.clip(small, 0.0, 1.0).transpose(2, 0, 1) * 2.0 - 1.0).float().contiguous()


def _noise(rng: Rng, rows: int, columns: int, slope: float, lowest: float = 1.0) -> np.ndarray:
    """Periodic noise (rows, columns) of mean 0 and deviation 1 whose amplitude falls as frequency^-slope.

    Frequencies are in cycles a picture; those below `lowest` are left out, so that no blotch repeats.
    """
    fy = np.fft.fftfreq(rows)[:, None] * rows
    fx = np.fft.rfftfreq(columns)[None, :] * columns
    frequency = np.hypot(fy, fx)
    amplitude = np.where(frequency >= lowest, np.maximum(frequency, 1.0) ** -slope, 0.0)
    spectrum = np.fft.rfft2(rng.standard_normal((rows, columns))) * amplitude
    field = np.fft.irfft2(spectrum, s=(rows, columns))
    return (field / (field.std() + 1e-9)).astype(np.float32)


def _color(rng: Rng, palette: list[tuple[float, float, float]], spread: float = 0.04) -> np.ndarray:
    """One colour of the palette (3,), a little lighter or darker and a little off in hue."""
    color = np.asarray(palette[rng.integers(len(palette))], dtype=np.float32)
    return np.clip(color * rng.uniform(0.88, 1.1) + rng.normal(0.0, spread, 3) * 0.5, 0.02, 0.98).astype(np.float32)


def _rgb(red: float, green: float, blue: float) -> np.ndarray:
    return np.array((red, green, blue), dtype=np.float32)


def _blend(image: Image, color: np.ndarray, share: np.ndarray) -> None:
    """Paint `color` (3,) or (rows, columns, 3) over the image in place with opacity `share` (rows, columns)."""
    image += (color - image) * share[..., None]


def _wrapped(draw: Callable[[float, float], object], x: float, y: float, reach: float, size: int) -> None:
    """Call draw(x, y) at every repetition of a square tile of `size` that reaches into it."""
    if reach <= min(x, y) and max(x, y) < size - reach:
        draw(x, y)
        return
    for shift_y in (-size, 0, size):
        for shift_x in (-size, 0, size):
            px, py = x + shift_x, y + shift_y
            if -reach <= px < size + reach and -reach <= py < size + reach:
                draw(px, py)


# Façades ------------------------------------------------------------------------------------------

_PLASTER = [
    (0.86, 0.80, 0.68),
    (0.80, 0.62, 0.46),
    (0.90, 0.88, 0.84),
    (0.74, 0.74, 0.70),
    (0.88, 0.74, 0.52),
    (0.70, 0.52, 0.44),
]
_BRICK = [(0.58, 0.29, 0.22), (0.66, 0.38, 0.28), (0.48, 0.26, 0.21), (0.72, 0.56, 0.42)]
_PANEL = [(0.64, 0.65, 0.66), (0.52, 0.56, 0.60), (0.76, 0.75, 0.72), (0.42, 0.45, 0.50)]
_FRAME = [(0.92, 0.92, 0.90), (0.92, 0.92, 0.90), (0.30, 0.22, 0.17), (0.20, 0.22, 0.24), (0.80, 0.78, 0.70)]
_GLASS = [(0.20, 0.27, 0.34), (0.14, 0.18, 0.22), (0.30, 0.40, 0.48), (0.24, 0.30, 0.30)]
_SHUTTER = [(0.24, 0.38, 0.28), (0.36, 0.22, 0.16), (0.26, 0.34, 0.46), (0.55, 0.16, 0.14)]


def _facade(rng: Rng) -> Image:
    """Two floors of 2 or 4 bays: wall, then each window; the first row of the picture is the top."""
    size = TILE_PX * SCALE
    style = rng.choice(["brick", "plaster", "panel"], p=[0.35, 0.4, 0.25])
    image = {"brick": _brick_wall, "plaster": _plaster_wall, "panel": _panel_wall}[style](rng, size)
    bays = 2 if rng.random() < 0.7 else 4
    look = _WindowLook(rng, bays, glassy=style == "panel")
    pitch_x, pitch_y = size // bays, size // 2
    for floor in range(2):
        if style != "panel" and look.ledge:
            _rect(image, 0, floor * pitch_y - 2, size, 4, look.frame * 0.92)
            _rect(image, 0, floor * pitch_y + 2, size, 2, image.mean(axis=(0, 1)) * 0.6)
        for bay in range(bays):
            look.draw(image, rng, int((bay + 0.5) * pitch_x), int((floor + 0.5) * pitch_y))
    image *= (1.0 + 0.03 * _noise(rng, size, size, 0.8, 2.0))[..., None]
    return image


def _plaster_wall(rng: Rng, size: int) -> Image:
    image = np.broadcast_to(_color(rng, _PLASTER), (size, size, 3)).astype(np.float32, order="C")
    image *= (1.0 + 0.025 * _noise(rng, size, size, 1.0, 3.0))[..., None]
    streaks = _noise(rng, 8, size, 0.6, 2.0).repeat(size // 8, axis=0)
    image *= (1.0 - 0.03 * np.clip(cv2.GaussianBlur(streaks, (1, 31), 0, borderType=cv2.BORDER_REFLECT), 0.0, 3.0))[
        ..., None
    ]
    return image


def _brick_wall(rng: Rng, size: int) -> Image:
    """Courses of 8 by 16 drawn pixels, every other one shifted by half a brick."""
    base, height, width = _color(rng, _BRICK), 8, 16
    mortar = np.clip(base * 0.4 + 0.38, 0.0, 1.0)
    image = np.broadcast_to(mortar, (size, size, 3)).astype(np.float32, order="C")
    for course in range(size // height):
        for brick in range(size // width):
            color = base * rng.uniform(0.82, 1.14) + rng.normal(0.0, 0.012, 3).astype(np.float32)
            x = brick * width + (width // 2 if course % 2 else 0)
            _rect(image, x, course * height, width - 2, height - 2, color, wrap=True)
    return image


def _panel_wall(rng: Rng, size: int) -> Image:
    base = _color(rng, _PANEL)
    image = np.broadcast_to(base, (size, size, 3)).astype(np.float32, order="C")
    columns = int(rng.choice([2, 4]))
    for joint in range(columns):
        _rect(image, joint * size // columns, 0, 2, size, base * 0.62)
    for joint in range(2):
        _rect(image, 0, joint * size // 2, size, 2, base * 0.62)
        _rect(image, 0, joint * size // 2 + 2, size, 2, np.minimum(base * 1.15, 1.0))
    return image


class _WindowLook:
    """What all windows of one façade share; `draw` adds what differs from window to window."""

    def __init__(self, rng: Rng, bays: int, glassy: bool) -> None:
        wide = 1.0 if bays == 2 else 0.5
        self.half_x = int(rng.integers(13, 19) * wide * (1.35 if glassy and bays == 2 else 1.0))
        self.half_y = int(rng.integers(15, 21))
        self.frame = _color(rng, _FRAME)
        self.glass = _color(rng, _GLASS)
        self.columns = 1 if bays == 4 else int(rng.choice([1, 2, 2, 3]))
        self.transom = rng.random() < 0.5
        self.shutter = _color(rng, _SHUTTER) if not glassy and rng.random() < 0.3 else None
        self.balcony = not glassy and rng.random() < 0.3
        self.ledge = rng.random() < 0.5
        self.railing = _color(rng, [(0.16, 0.17, 0.18), (0.85, 0.85, 0.83)])

    def draw(self, image: Image, rng: Rng, x: int, y: int) -> None:
        hx, hy = self.half_x, self.half_y
        _rect(image, x - hx - 2, y - hy - 1, 2 * hx + 6, 2 * hy + 4, image[0].mean(axis=0) * 0.55)  # cast shadow
        _rect(image, x - hx - 2, y - hy - 2, 2 * hx + 4, 2 * hy + 4, self.frame)
        fall = np.linspace(1.35, 0.75, 2 * hy, dtype=np.float32)[:, None, None]
        pane = self.glass * fall * rng.uniform(0.8, 1.2)
        image[y - hy : y + hy, x - hx : x + hx] = pane
        self._behind_glass(image, rng, x, y)
        for column in range(1, self.columns):
            _rect(image, x - hx + column * 2 * hx // self.columns - 1, y - hy, 2, 2 * hy, self.frame)
        if self.transom:
            _rect(image, x - hx, y - hy // 3, 2 * hx, 2, self.frame)
        _rect(image, x - hx - 4, y + hy + 2, 2 * hx + 8, 3, self.frame * 0.95)
        _rect(image, x - hx - 4, y + hy + 5, 2 * hx + 8, 2, image[0].mean(axis=0) * 0.6)
        if self.shutter is not None:
            self._shutters(image, x, y, self.shutter)
        if self.balcony:
            self._balcony(image, x, y)

    def _behind_glass(self, image: Image, rng: Rng, x: int, y: int) -> None:
        """A blind drawn down to some height, curtains at the sides, or a diagonal reflection."""
        hx, hy, choice = self.half_x, self.half_y, rng.random()
        if choice < 0.25:
            _rect(image, x - hx, y - hy, 2 * hx, int(rng.uniform(0.3, 1.2) * hy), _rgb(0.78, 0.75, 0.68))
        elif choice < 0.45:
            for side in (x - hx, x + hx - hx // 2):
                _rect(image, side, y - hy, hx // 2, 2 * hy, _rgb(0.66, 0.62, 0.58))
        elif choice < 0.75:
            pane = image[y - hy : y + hy, x - hx : x + hx]
            v, u = np.mgrid[: 2 * hy, : 2 * hx]
            pane += 0.16 * (((u + v) % (3 * hx)) < hx)[..., None]

    def _shutters(self, image: Image, x: int, y: int, color: np.ndarray) -> None:
        hx, hy, width = self.half_x, self.half_y, max(3, self.half_x // 2)
        for left in (x - hx - 2 - width, x + hx + 2):
            _rect(image, left, y - hy, width, 2 * hy, color)
            for slat in range(y - hy + 1, y + hy, 4):
                _rect(image, left + 1, slat, width - 2, 1, color * 0.7)

    def _balcony(self, image: Image, x: int, y: int) -> None:
        hx, top, foot = self.half_x + 6, y + self.half_y // 4, y + self.half_y + 4
        for bar in range(x - hx, x + hx, 4):
            _rect(image, bar, top, 1, foot - top, self.railing)
        _rect(image, x - hx, top, 2 * hx, 2, self.railing)
        _rect(image, x - hx - 2, foot, 2 * hx + 4, 4, _rgb(0.66, 0.65, 0.63))
        _rect(image, x - hx, foot + 4, 2 * hx, 4, image[0].mean(axis=0) * 0.5)


def _rect(image: Image, x: int, y: int, width: int, height: int, color: np.ndarray, wrap: bool = False) -> None:
    """Fill a rectangle, clipped to the image or, with `wrap`, continued on the other side of it."""
    rows, columns = image.shape[:2]
    if wrap or y < 0 or y + height > rows:
        ys, xs = np.arange(y, y + height) % rows, np.arange(x, x + width)
        xs = xs % columns if wrap else xs[(xs >= 0) & (xs < columns)]
        image[np.ix_(ys, xs)] = color
    else:
        image[y : y + height, max(x, 0) : max(x + width, 0)] = color


# Ground and plants --------------------------------------------------------------------------------


def _grass(rng: Rng) -> Image:
    """Soil-to-green noise, dry patches, blades as short strokes, then clover and flowers."""
    size = TILE_PX * SCALE
    green = _color(rng, [(0.24, 0.40, 0.13), (0.30, 0.45, 0.16), (0.19, 0.34, 0.12), (0.36, 0.46, 0.19)])
    dry = _color(rng, [(0.56, 0.52, 0.27), (0.48, 0.42, 0.24), (0.62, 0.58, 0.34)])
    image = np.broadcast_to(green * 0.8, (size, size, 3)).astype(np.float32, order="C")
    image *= (1.0 + 0.14 * _noise(rng, size, size, 0.7, 2.0))[..., None]
    patch = np.clip(_noise(rng, size, size, 1.5, 2.0) * 0.55 + rng.uniform(-0.75, 0.3), 0.0, 0.8)
    _blend(image, dry * (1.0 + 0.1 * _noise(rng, size, size, 0.4, 4.0))[..., None], patch)
    _blades(image, rng, green, dry, patch)
    if rng.random() < 0.55:
        petal = _color(rng, [(0.95, 0.95, 0.92), (0.95, 0.82, 0.2), (0.68, 0.5, 0.85), (0.9, 0.4, 0.35)])
        _dots(image, rng, petal, int(rng.integers(6, 36)), rng.uniform(1.4, 2.4))
    return image


def _blades(image: Image, rng: Rng, green: np.ndarray, dry: np.ndarray, patch: np.ndarray) -> None:
    size = image.shape[0]
    lean = rng.uniform(-0.5, 0.5)
    for x, y, length, bend, light, pick in zip(
        *rng.uniform(0, size, (2, 620)), rng.uniform(4, 11, 620), rng.normal(lean, 0.5, 620), *rng.random((2, 620))
    ):
        is_dry = pick < patch[int(y), int(x)]
        color = ((dry if is_dry else green) * (0.6 + 0.85 * light)).tolist()

        def stroke(px: float, py: float, length: float = length, bend: float = bend, color: list = color) -> None:
            cv2.line(image, (int(px), int(py)), (int(px + bend * length), int(py - length)), color, 1)

        _wrapped(stroke, x, y, 14.0, size)


def _dots(image: Image, rng: Rng, color: np.ndarray, count: int, radius: float) -> None:
    """Flowers: small discs with a darker rim below, gathered where a slow noise is high."""
    size = image.shape[0]
    odds = np.exp(1.5 * _noise(rng, size, size, 1.6, 2.0)).ravel()
    for place in rng.choice(size * size, count, p=odds / odds.sum()):
        y, x, grow = place // size, place % size, rng.uniform(0.8, 1.3)
        shade = (color * rng.uniform(0.85, 1.05)).tolist()

        def dot(px: float, py: float, shade: list = shade, grow: float = grow) -> None:
            cv2.circle(image, (int(px) + 1, int(py) + 1), round(radius * grow), (0.08, 0.13, 0.05), -1)
            cv2.circle(image, (int(px), int(py)), round(radius * grow), shade, -1)

        _wrapped(dot, float(x), float(y), 6.0, size)


def _asphalt(rng: Rng) -> Image:
    """Grey binder, aggregate grains, worn patches, and cracks or sealed seams on some."""
    size = TILE_PX * SCALE
    grey = rng.uniform(0.27, 0.42)
    tint = 1.0 + rng.normal(0.0, 0.012, 3).astype(np.float32)
    value = grey * (1.0 + 0.05 * _noise(rng, size, size, 1.2, 2.0) + 0.09 * _noise(rng, size, size, 0.0, 8.0))
    grains = _noise(rng, size, size, 0.3, 12.0)
    value = value + 0.13 * (grains > 2.1) - 0.10 * (grains < -2.1)
    image = np.ascontiguousarray(value[..., None] * tint, dtype=np.float32)
    if rng.random() < 0.4:
        for _ in range(int(rng.integers(1, 4))):
            _crack(image, rng, grey)
    return image


def _crack(image: Image, rng: Rng, grey: float) -> None:
    size = image.shape[0]
    x, y, heading = *rng.uniform(0, size, 2), rng.uniform(0, 2 * np.pi)
    for _ in range(int(rng.integers(20, 70))):
        heading += rng.normal(0.0, 0.35)
        nx, ny = x + 3.0 * np.cos(heading), y + 3.0 * np.sin(heading)

        def stroke(px: float, py: float, dx: float = nx - x, dy: float = ny - y) -> None:
            cv2.line(image, (int(px), int(py)), (int(px + dx), int(py + dy)), (grey * 0.5,) * 3, 1)

        _wrapped(stroke, x % size, y % size, 4.0, size)
        x, y = nx, ny


def _foliage(rng: Rng) -> Image:
    """Leaves of one species from the dark inside of the crown to its lit outside, in clusters, with gaps between."""
    size = TILE_PX * SCALE
    leaf = _color(
        rng, [(0.22, 0.40, 0.12), (0.26, 0.38, 0.15), (0.17, 0.30, 0.15), (0.34, 0.42, 0.17), (0.46, 0.37, 0.15)], 0.02
    )
    image = np.broadcast_to(leaf * 0.22, (size, size, 3)).astype(np.float32, order="C")
    length, slim = rng.uniform(5.0, 9.0), rng.uniform(0.4, 0.75)
    cluster = _noise(rng, size, size, 1.3, 2.0)
    count = int(26000 / length**2)
    for layer in range(3):
        odds = np.exp((0.2, 0.7, 1.1)[layer] * cluster).ravel()
        places = rng.choice(size * size, count, p=odds / odds.sum())
        shades = (0.45, 0.8, 1.15)[layer] * rng.uniform(0.75, 1.3, (count, 1)) * leaf
        shades = shades + (rng.random((count, 1)) < 0.2) * layer * _rgb(0.05, 0.06, 0.0)
        grown, angles = length * rng.uniform(0.7, 1.2, count), rng.uniform(0.0, 180.0, count)
        lit, dim = np.minimum(shades * 1.12, 1.0).tolist(), (shades * 0.72).tolist()
        for i, (place, long, angle) in enumerate(zip(places.tolist(), grown.tolist(), angles.tolist())):
            axes = (max(1, round(long / 2)), max(1, round(long * slim / 2)))
            _leaf(image, place % size, place // size, axes, angle, (lit[i], dim[i]))
    if rng.random() < 0.15:
        _dots(image, rng, _color(rng, [(0.95, 0.85, 0.88), (0.96, 0.95, 0.9), (0.85, 0.3, 0.25)]), 60, 2.0)
    return image


def _leaf(image: Image, x: int, y: int, axes: tuple[int, int], angle: float, colors: tuple[list, list]) -> None:
    """An ellipse of the first colour over its own shadow in the second, both half-`axes` large."""
    lit, dim = colors

    def draw(px: float, py: float) -> None:
        cv2.ellipse(image, (int(px) + 1, int(py) + 1), axes, angle, 0, 360, dim, -1)
        cv2.ellipse(image, (int(px), int(py)), axes, angle, 0, 360, lit, -1)

    _wrapped(draw, x, y, 10.0, image.shape[0])


# Skies --------------------------------------------------------------------------------------------


def _sky(rng: Rng) -> Image:
    """Gradient from the horizon (last row) up, hazy or clear, and clouds seen in perspective on a plane overhead.

    No sun: where it stands is the weather's business, and a panorama is laid out from several views side by side.
    """
    rows, columns = SKY_PX[0] * SCALE, SKY_PX[1] * SCALE
    elevation = np.linspace(SKY_TOP_RAD, 0.004, rows, dtype=np.float32)[:, None]
    azimuth = np.linspace(0.0, SKY_SPAN_RAD, columns, endpoint=False, dtype=np.float32)[None, :]
    late = float(rng.choice([0.0, 0.3, 0.7], p=[0.65, 0.25, 0.1]))  # noon, afternoon, evening
    zenith = _color(rng, [(0.24, 0.44, 0.75), (0.30, 0.50, 0.78), (0.20, 0.38, 0.67)], 0.02)
    horizon = _color(rng, [(0.72, 0.81, 0.90), (0.79, 0.84, 0.88)], 0.02)
    zenith, horizon = (
        _mix(zenith, _rgb(0.32, 0.36, 0.55), late),
        _mix(horizon, _rgb(0.93, 0.74, 0.56), late),
    )
    height = (np.sin(elevation) ** rng.uniform(0.5, 0.75))[..., None]
    gradient = horizon * (1 - height) + zenith * height
    image = np.broadcast_to(gradient, (rows, columns, 3)).astype(np.float32, order="C")
    _clouds(image, rng, elevation, azimuth, late)
    return image


def _mix(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    return (a * (1.0 - share) + b * share).astype(np.float32)


def _clouds(image: Image, rng: Rng, elevation: np.ndarray, azimuth: np.ndarray, late: float) -> None:
    """Cumulus, streaky cirrus, overcast or none: noise on a plane at unit height, darker where it is thick."""
    choice, size = rng.choice(4, p=[0.55, 0.2, 0.1, 0.15]), 512
    if choice == 3:
        return
    field = _noise(rng, size, size, (1.55, 1.3, 1.4)[choice], 2.0)
    reach = np.minimum(1.0 / np.tan(elevation + 0.09), 8.0) * rng.uniform(22.0, 34.0)
    stretch = 3.0 if choice == 1 else 1.0
    turn = rng.uniform(0.0, 2 * np.pi)
    x = (reach * np.cos(azimuth + turn) / stretch + size / 2).astype(np.float32)
    y = (reach * np.sin(azimuth + turn) + size / 2).astype(np.float32)
    thick = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    thick = thick + (rng.uniform(-0.7, 0.1), rng.uniform(-0.4, 0.2), rng.uniform(0.9, 1.5))[choice]
    cover = np.clip(thick * (1.9, 0.5, 1.6)[choice], 0.0, (1.0, 0.6, 0.95)[choice])
    haze = np.clip(np.sin(elevation) * 5.0, 0.25, 1.0)
    body = np.clip(0.97 - 0.2 * np.clip(thick - 0.5, 0.0, 1.6) - (0.14 if choice == 2 else 0.0), 0.55, 1.0)
    tint = _mix(_rgb(1.0, 1.0, 1.0), _rgb(0.95, 0.80, 0.72), late)
    _blend(image, (body[..., None] * tint).astype(np.float32), (cover * haze).astype(np.float32))


_PAINTERS: dict[TileKind, Callable[[Rng], Image]] = {
    TileKind.FACADE: _facade,
    TileKind.GRASS: _grass,
    TileKind.ASPHALT: _asphalt,
    TileKind.FOLIAGE: _foliage,
}
