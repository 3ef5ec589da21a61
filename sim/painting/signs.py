"""Faces of traffic signs, drawn once: what `Statics.detail` of a sign counts. Fonts are OpenCV's strokes.

A face fills a square image; its plate stretches it to the sign's width and height, so round plates are circles here and
triangles touch the image's edges.
"""

import functools
from collections.abc import Callable

import cv2
import numpy as np

SIDE = 128  # texels
_DRAWN = 512  # pixels while drawing
Rgb = tuple[int, int, int]
WHITE, BLACK, RED, BLUE = (236, 236, 232), (18, 18, 20), (182, 22, 28), (16, 66, 152)
YELLOW, GREEN, GREY = (240, 196, 30), (20, 104, 62), (122, 124, 126)

LIMITS_KMH = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130)
LIMITS_MPH = tuple(range(15, 80, 5))


class _Easel:
    """A square image; coordinates are shares of it, y downwards."""

    def __init__(self, rgb: Rgb = WHITE) -> None:
        self.image = np.full((_DRAWN, _DRAWN, 3), rgb, np.uint8)

    @staticmethod
    def _at(points: list[tuple[float, float]]) -> np.ndarray:
        return np.rint(np.array(points) * _DRAWN).astype(np.int32)

    def fill(self, points: list[tuple[float, float]], rgb: Rgb) -> "_Easel":
        cv2.fillPoly(self.image, [self._at(points)], rgb, cv2.LINE_AA)
        return self

    def line(self, points: list[tuple[float, float]], rgb: Rgb, wide: float) -> "_Easel":
        cv2.polylines(self.image, [self._at(points)], False, rgb, round(wide * _DRAWN), cv2.LINE_AA)
        return self

    def disc(self, x: float, y: float, radius: float, rgb: Rgb) -> "_Easel":
        cv2.circle(self.image, tuple(self._at([(x, y)])[0].tolist()), round(radius * _DRAWN), rgb, -1, cv2.LINE_AA)
        return self

    def box(self, left: float, top: float, right: float, bottom: float, rgb: Rgb) -> "_Easel":
        return self.fill([(left, top), (right, top), (right, bottom), (left, bottom)], rgb)

    def arrow(self, tail: tuple[float, float], tip: tuple[float, float], rgb: Rgb, wide: float = 0.11) -> "_Easel":
        """A straight arrow with a broad head."""
        t, e = np.array(tail), np.array(tip)
        along = (e - t) / np.linalg.norm(e - t)
        left = np.array([along[1], -along[0]])
        neck = e - 1.9 * wide * along
        self.line([tuple(t), tuple(neck)], rgb, wide)
        return self.fill([tuple(e), tuple(neck + 1.5 * wide * left), tuple(neck - 1.5 * wide * left)], rgb)

    def text(self, words: str, x: float, y: float, high: float, rgb: Rgb, widest: float = 0.8) -> "_Easel":
        """Words around (x, y), as large as height and width allow."""
        font, thick = cv2.FONT_HERSHEY_DUPLEX, 1.0
        (wide, tall), _ = cv2.getTextSize(words, font, thick, 1)
        scale = min(high * _DRAWN / tall, widest * _DRAWN / wide)
        stroke = max(1, round(0.16 * tall * scale))
        at = (round(x * _DRAWN - 0.5 * wide * scale), round(y * _DRAWN + 0.5 * tall * scale))
        cv2.putText(self.image, words, at, font, scale, rgb, stroke, cv2.LINE_AA)
        return self

    def walker(self, x: float, y: float, size: float, rgb: Rgb) -> "_Easel":
        """Somebody who walks, `size` high, around (x, y)."""
        s = size
        self.disc(x, y - 0.42 * s, 0.09 * s, rgb)
        self.line([(x, y - 0.3 * s), (x - 0.02 * s, y + 0.06 * s)], rgb, 0.13 * s)
        self.line([(x - 0.02 * s, y + 0.06 * s), (x + 0.16 * s, y + 0.45 * s)], rgb, 0.08 * s)
        self.line([(x - 0.02 * s, y + 0.06 * s), (x - 0.2 * s, y + 0.45 * s)], rgb, 0.08 * s)
        self.line([(x - 0.2 * s, y - 0.02 * s), (x, y - 0.26 * s), (x + 0.2 * s, y)], rgb, 0.06 * s)
        return self


# --- Grounds ---


def _ring(rim: Rgb = RED, inside: Rgb = WHITE, wide: float = 0.12) -> _Easel:
    """Prohibitions: a round white plate with a red rim."""
    return _Easel(rim).disc(0.5, 0.5, 0.5 - wide, inside)


def _blue_disc() -> _Easel:
    return _Easel(WHITE).disc(0.5, 0.5, 0.475, BLUE)


def _blue_square() -> _Easel:
    return _Easel(WHITE).box(0.03, 0.03, 0.97, 0.97, BLUE)


def _triangle(inside: Rgb = WHITE) -> _Easel:
    """Warnings: point upwards."""
    return _Easel(RED).fill([(0.5, 0.2), (0.86, 0.91), (0.14, 0.91)], inside)


def _limit(figure: int) -> _Easel:
    return _ring().text(str(figure), 0.5, 0.5, 0.34, BLACK, 0.62)


def _limit_mph(figure: int) -> _Easel:
    easel = _Easel(WHITE).box(0.03, 0.03, 0.97, 0.97, BLACK).box(0.06, 0.055, 0.94, 0.945, WHITE)
    easel.text("SPEED", 0.5, 0.18, 0.12, BLACK).text("LIMIT", 0.5, 0.36, 0.12, BLACK)
    return easel.text(str(figure), 0.5, 0.7, 0.36, BLACK, 0.7)


def _end(easel: _Easel, rgb: Rgb = BLACK) -> _Easel:
    """Struck out by bars from the lower left."""
    for k in (-0.07, 0.0, 0.07):
        easel.line([(0.18 + k, 0.86 + k), (0.86 + k, 0.18 + k)], rgb, 0.028)
    return easel


def _car(easel: _Easel, x: float, rgb: Rgb) -> _Easel:
    easel.box(x - 0.12, 0.46, x + 0.12, 0.6, rgb).box(x - 0.08, 0.36, x + 0.08, 0.48, rgb)
    return easel.box(x - 0.11, 0.58, x - 0.05, 0.66, rgb).box(x + 0.05, 0.58, x + 0.11, 0.66, rgb)


def _board(rgb: Rgb, words: tuple[str, ...], ink: Rgb = WHITE, arrow: str = "") -> _Easel:
    """A direction board with one to three names, perhaps an arrow beside each."""
    easel = _Easel(rgb).box(0.015, 0.03, 0.985, 0.97, ink).box(0.03, 0.06, 0.97, 0.94, rgb)
    middle = 0.56 if arrow else 0.5
    for k, word in enumerate(words):
        y = (k + 0.5) / len(words) * 0.84 + 0.08
        easel.text(word, middle, y, 0.42 / len(words), ink, 0.62 if arrow else 0.8)
        if arrow == "up":
            easel.arrow((0.15, y + 0.12), (0.15, y - 0.14), ink, 0.04)
        elif arrow == "right":
            easel.arrow((0.1, y + 0.1), (0.22, y - 0.12), ink, 0.04)
    return easel


def _chevrons(turn: float) -> _Easel:
    easel = _Easel(WHITE)
    for x in (-0.05, 0.28, 0.61):
        points = [(x, 0.0), (x + 0.16, 0.0), (x + 0.38, 0.5), (x + 0.16, 1.0), (x, 1.0), (x + 0.22, 0.5)]
        easel.fill([(p if turn > 0 else 1.0 - p, q) for p, q in points], RED)
    return easel


def _bend(turn: float) -> _Easel:
    points = [(0.5 - 0.08 * turn, 0.84), (0.5 - 0.08 * turn, 0.66), (0.5 + 0.1 * turn, 0.54), (0.5 + 0.1 * turn, 0.4)]
    return _triangle().line(points, BLACK, 0.07)


def _roundabout() -> _Easel:
    easel = _blue_disc()
    for k in range(3):
        turn = np.linspace(0.0, 1.35, 9) + k * 2.0 * np.pi / 3.0
        arc = [(0.5 + 0.26 * np.cos(a), 0.5 - 0.26 * np.sin(a)) for a in turn]
        easel.line(arc, WHITE, 0.075)
        a = turn[-1]
        tip = np.array([0.5 + 0.26 * np.cos(a + 0.42), 0.5 - 0.26 * np.sin(a + 0.42)])
        aside = np.array([np.cos(a), -np.sin(a)])
        base = np.array(arc[-1])
        easel.fill([tuple(tip), tuple(base + 0.12 * aside), tuple(base - 0.12 * aside)], WHITE)
    return easel


def _crossing() -> _Easel:
    easel = _blue_square().fill([(0.5, 0.12), (0.9, 0.86), (0.1, 0.86)], WHITE)
    for k in range(4):
        easel.box(0.22 + 0.15 * k, 0.76, 0.3 + 0.15 * k, 0.84, BLACK)
    return easel.walker(0.5, 0.56, 0.42, BLACK)


def _diamond() -> _Easel:
    easel = _Easel(WHITE)
    return easel.fill([(0.5, 0.16), (0.84, 0.5), (0.5, 0.84), (0.16, 0.5)], YELLOW)


def _bicycle(easel: _Easel, y: float, rgb: Rgb) -> _Easel:
    for x in (0.33, 0.67):
        cv2.circle(easel.image, (round(x * _DRAWN), round(y * _DRAWN)), round(0.12 * _DRAWN), rgb, 14, cv2.LINE_AA)
    frame = [(0.33, y), (0.42, y - 0.16), (0.6, y - 0.16), (0.48, y), (0.33, y)]
    return easel.line(frame, rgb, 0.03).line([(0.67, y), (0.6, y - 0.22), (0.66, y - 0.24)], rgb, 0.03)


def _motorway(easel: _Easel) -> _Easel:
    for x in (0.38, 0.62):
        easel.fill(
            [(x - 0.02, 0.2), (x + 0.02, 0.2), (x + (x - 0.5) * 0.9 + 0.09, 0.85), (x + (x - 0.5) * 0.9 - 0.09, 0.85)],
            WHITE,
        )
    return easel.line([(0.14, 0.4), (0.86, 0.4)], WHITE, 0.07)


def _lights_ahead() -> _Easel:
    return _triangle().disc(0.5, 0.47, 0.06, RED).disc(0.5, 0.62, 0.06, YELLOW).disc(0.5, 0.77, 0.06, GREEN)


def _no_turn() -> _Easel:
    easel = (
        _ring()
        .line([(0.4, 0.75), (0.4, 0.45), (0.55, 0.45)], BLACK, 0.08)
        .arrow((0.5, 0.45), (0.72, 0.45), BLACK, 0.06)
    )
    return easel.line([(0.2, 0.2), (0.8, 0.8)], RED, 0.08)


def _no_stopping(bars: int) -> _Easel:
    easel = _Easel(RED).disc(0.5, 0.5, 0.41, BLUE).line([(0.2, 0.2), (0.8, 0.8)], RED, 0.09)
    return easel.line([(0.2, 0.8), (0.8, 0.2)], RED, 0.09) if bars == 2 else easel


_PAINTERS: dict[str, Callable[[], _Easel]] = {
    "plain": lambda: (
        _Easel(WHITE)
        .box(0.04, 0.04, 0.96, 0.96, GREY)
        .box(0.07, 0.07, 0.93, 0.93, WHITE)
        .box(0.25, 0.3, 0.75, 0.36, BLACK)
        .box(0.25, 0.48, 0.75, 0.54, BLACK)
        .box(0.25, 0.66, 0.6, 0.72, BLACK)
    ),
    "plain_round": lambda: _ring().box(0.24, 0.46, 0.76, 0.54, BLACK),
    "warning": lambda: _triangle().box(0.455, 0.42, 0.545, 0.7, BLACK).disc(0.5, 0.8, 0.05, BLACK),
    "stop": lambda: (
        _Easel(WHITE)
        .fill([(0.5 + 0.505 * np.cos(a), 0.5 + 0.505 * np.sin(a)) for a in (np.arange(8) + 0.5) * np.pi / 4], RED)
        .text("STOP", 0.5, 0.5, 0.3, WHITE, 0.82)
    ),
    "yield": lambda: _Easel(RED).fill([(0.17, 0.1), (0.83, 0.1), (0.5, 0.76)], WHITE),
    "priority": _diamond,
    "priority_end": lambda: _end(_diamond()),
    "priority_next": lambda: (
        _triangle().line([(0.5, 0.86), (0.5, 0.4)], BLACK, 0.09).line([(0.32, 0.7), (0.68, 0.7)], BLACK, 0.045)
    ),
    "yield_right": lambda: (
        _triangle().line([(0.38, 0.84), (0.62, 0.5)], BLACK, 0.06).line([(0.38, 0.5), (0.62, 0.84)], BLACK, 0.06)
    ),
    "no_entry": lambda: _Easel(RED).box(0.16, 0.41, 0.84, 0.59, WHITE),
    "no_vehicles": lambda: _ring(wide=0.1),
    "one_way": lambda: _blue_square().arrow((0.08, 0.5), (0.92, 0.5), WHITE, 0.16),
    "pass_side": lambda: _blue_disc().arrow((0.28, 0.28), (0.74, 0.74), WHITE),
    "turn": lambda: _blue_disc().arrow((0.18, 0.5), (0.84, 0.5), WHITE),
    "straight": lambda: _blue_disc().arrow((0.5, 0.84), (0.5, 0.16), WHITE),
    "roundabout": _roundabout,
    "crossing": _crossing,
    "no_overtaking": lambda: _car(_car(_ring(), 0.33, RED), 0.66, BLACK),
    "no_overtaking_end": lambda: _end(_car(_car(_ring(GREY, WHITE, 0.04), 0.33, GREY), 0.66, GREY)),
    "restrictions_end": lambda: _end(_ring(GREY, WHITE, 0.04)),
    "no_turn": _no_turn,
    "no_stopping": lambda: _no_stopping(2),
    "no_parking": lambda: _no_stopping(1),
    "parking": lambda: _blue_square().text("P", 0.5, 0.5, 0.6, WHITE),
    "town": lambda: _board(YELLOW, ("Neustadt", "am See"), BLACK),
    "town_end": lambda: _board(YELLOW, ("Altdorf", "Neustadt"), BLACK).line([(0.06, 0.88), (0.94, 0.56)], RED, 0.05),
    "motorway": lambda: _motorway(_blue_square()),
    "motorway_end": lambda: _motorway(_blue_square()).line([(0.1, 0.95), (0.9, 0.05)], RED, 0.07),
    "expressway": lambda: _car(_blue_square(), 0.5, WHITE),
    "expressway_end": lambda: _car(_blue_square(), 0.5, WHITE).line([(0.1, 0.9), (0.9, 0.1)], RED, 0.07),
    "bus_stop": lambda: (
        _Easel(YELLOW).disc(0.5, 0.5, 0.49, GREEN).disc(0.5, 0.5, 0.42, YELLOW).text("H", 0.5, 0.5, 0.46, GREEN)
    ),
    "bus_lane": lambda: (
        _blue_disc()
        .box(0.25, 0.32, 0.75, 0.62, WHITE)
        .box(0.3, 0.38, 0.7, 0.48, BLUE)
        .disc(0.36, 0.64, 0.05, WHITE)
        .disc(0.64, 0.64, 0.05, WHITE)
    ),
    "cycle_path": lambda: _bicycle(_blue_disc(), 0.6, WHITE),
    "footpath": lambda: _blue_disc().walker(0.5, 0.52, 0.6, WHITE),
    "yield_oncoming": lambda: (
        _ring().arrow((0.38, 0.78), (0.38, 0.24), RED, 0.09).arrow((0.62, 0.24), (0.62, 0.78), BLACK, 0.07)
    ),
    "priority_oncoming": lambda: (
        _blue_square().arrow((0.34, 0.84), (0.34, 0.16), WHITE, 0.1).arrow((0.66, 0.2), (0.66, 0.8), RED, 0.08)
    ),
    "level_crossing": lambda: (
        _Easel(WHITE).line([(0.05, 0.05), (0.95, 0.95)], RED, 0.16).line([(0.05, 0.95), (0.95, 0.05)], RED, 0.16)
    ),
    "speed_limit_end": lambda: _end(_ring(GREY, WHITE, 0.04).text("50", 0.5, 0.5, 0.34, GREY, 0.62)),
    "speed_minimum": lambda: _blue_disc().text("30", 0.5, 0.5, 0.36, WHITE, 0.62),
    "chevron_right": lambda: _chevrons(1.0),
    "chevron_left": lambda: _chevrons(-1.0),
    "bend_right": lambda: _bend(1.0),
    "bend_left": lambda: _bend(-1.0),
    "lights_ahead": _lights_ahead,
    "children": lambda: _triangle().walker(0.42, 0.7, 0.34, BLACK).walker(0.6, 0.73, 0.27, BLACK),
    "board_blue": lambda: _board(BLUE, ("Hamburg", "Neustadt", "Airport"), WHITE, "up"),
    "board_exit": lambda: _board(BLUE, ("Exit 23", "Westend"), WHITE, "right"),
    "board_green": lambda: _board(GREEN, ("Springfield", "Lake City", "Center"), WHITE, "up"),
    "board_yellow": lambda: _board(YELLOW, ("Altdorf 4", "Bergen 11"), BLACK, "up"),
    "board_white": lambda: _board(WHITE, ("Centrum", "Station"), BLACK, "right"),
    "street_name": lambda: _board(BLUE, ("Park Street",), WHITE),
    "lanes": lambda: (
        _board(BLUE, ("",), WHITE)
        .arrow((0.3, 0.9), (0.3, 0.3), WHITE, 0.07)
        .arrow((0.68, 0.9), (0.68, 0.3), WHITE, 0.07)
    ),
    "works": lambda: (
        _triangle(YELLOW).walker(0.46, 0.66, 0.4, BLACK).fill([(0.56, 0.86), (0.76, 0.86), (0.66, 0.74)], BLACK)
    ),
    **{f"limit_{figure}": functools.partial(_limit, figure) for figure in LIMITS_KMH},
    **{f"limit_mph_{figure}": functools.partial(_limit_mph, figure) for figure in LIMITS_MPH},
}

FACES: tuple[str, ...] = tuple(_PAINTERS)


def face_index(name: str) -> int:
    """The number of a face; raises ValueError for a name that is not in FACES."""
    return FACES.index(name)


@functools.cache
def sign_faces() -> np.ndarray:
    """All faces (len(FACES), SIDE, SIDE, 3) in sRGB, uint8, in the order of FACES."""
    drawn = [cv2.resize(_PAINTERS[name]().image, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for name in FACES]
    return np.stack(drawn)
