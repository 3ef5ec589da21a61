"""Draws on camera images: detections, the attention inset and the instrument strip. Images are (H, W, 3) uint8 RGB."""

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sim.types import ActorKind

INK = (236, 240, 245)
MUTED = (139, 152, 168)
PANEL = (16, 21, 28)
TRACK = (44, 54, 66)
ACCENT = (56, 189, 248)
GOOD = (74, 222, 128)
WARN = (251, 146, 60)
KIND_COLORS = {
    ActorKind.CAR: (56, 189, 248),
    ActorKind.TRUCK: (251, 146, 60),
    ActorKind.BUS: (250, 204, 21),
    ActorKind.PEDESTRIAN: (244, 114, 182),
    ActorKind.BICYCLE: (74, 222, 128),
    ActorKind.MOTORCYCLE: (167, 139, 250),
}
STRIP_HEIGHT_PX = 84


@dataclass(frozen=True)
class Seen:
    """Detections of one image: boxes (K, 4) as corners in pixels, kind (K,), score (K,), distance_m (K,) or NaN."""

    boxes_px: np.ndarray
    kind: np.ndarray
    score: np.ndarray
    distance_m: np.ndarray


@dataclass(frozen=True)
class Instruments:
    """What the strip under the pictures shows."""

    speed_mps: float
    limit_mps: float
    accel_mps2: float
    steer_rad: float
    time_s: float
    done: float  # share of the route
    weather: str
    agent: str
    perception: str
    place: str
    note: str  # collision, off the road, arrived; empty otherwise


def draw_detections(image: np.ndarray, seen: Seen) -> None:
    """Draw boxes with kind and distance onto `image`, in place; nearer ones last."""
    labels = []
    for index in np.argsort(-np.nan_to_num(seen.distance_m, nan=0.0)):
        kind = ActorKind(int(seen.kind[index]))
        color = KIND_COLORS[kind]
        left, top, right, bottom = (round(float(edge)) for edge in seen.boxes_px[index])
        if right - left < 2 or bottom - top < 2:
            continue
        cv2.rectangle(image, (left, top), (right, bottom), color, 2, cv2.LINE_AA)
        distance = seen.distance_m[index]
        text = kind.name.lower() + (f" {distance:.0f} m" if np.isfinite(distance) else "")
        labels.append((left, top, text, color))
    draw_texts(image, [(left + 4, max(top - 17, 1), text, 13, PANEL, color) for left, top, text, color in labels])


def draw_texts(image: np.ndarray, texts: list[tuple]) -> None:
    """Draw (x, y, text, size, colour, background or None) tuples in place; (x, y) is the upper left corner."""
    if not texts:
        return
    canvas = Image.fromarray(image)
    pen = ImageDraw.Draw(canvas)
    for x, y, text, size, color, background in texts:
        if background is not None:
            left, _, right, _ = pen.textbbox((x, y), text, font=font(size))
            pen.rectangle((left - 4, y - 1, right + 4, y + size + 3), fill=background)
        pen.text((x, y), text, fill=color, font=font(size))
    image[:] = np.asarray(canvas)


@cache
def font(size: int) -> ImageFont.FreeTypeFont:
    """Pillow's built-in scalable font."""
    return ImageFont.load_default(size)  # type: ignore[return-value]


def draw_attention(image: np.ndarray, attention: np.ndarray, backdrop: np.ndarray, width_px: int = 224) -> None:
    """Inset in the lower left corner: `backdrop` in grey under a heat map of `attention` (h, w), higher is hotter."""
    height_px = round(width_px * image.shape[0] / image.shape[1])
    small = cv2.resize(backdrop, (width_px, height_px), interpolation=cv2.INTER_AREA)
    low, high = np.percentile(attention, (70.0, 99.8))  # a gate is open nearly everywhere: show where it is widest
    level = (attention - low) / max(float(high - low), 1e-9)
    level = cv2.resize(level.astype(np.float32), (width_px, height_px), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    heat = cv2.cvtColor(cv2.applyColorMap((level * 255).astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    grey = cv2.cvtColor(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    share = (0.25 + 0.6 * level)[..., None]
    inset = (heat * share + grey * 0.8 * (1 - share)).astype(np.uint8)
    bottom, left = image.shape[0] - 12, 12
    image[bottom - height_px : bottom, left : left + width_px] = inset
    cv2.rectangle(image, (left - 1, bottom - height_px - 1), (left + width_px, bottom), INK, 1)
    draw_texts(image, [(left + 7, bottom - height_px + 5, "attention", 12, INK, None)])


def draw_strip(width_px: int, now: Instruments) -> np.ndarray:
    """The instrument strip (STRIP_HEIGHT_PX, width, 3): speed, limit, pedals, steering, route, time and setting."""
    strip = np.full((STRIP_HEIGHT_PX, width_px, 3), PANEL, np.uint8)
    _pedals(strip, 236, now.accel_mps2)
    _steering(strip, 420, now.steer_rad)
    _bar(strip, 640, 52, 260, now.done, ACCENT)
    over = now.speed_mps > now.limit_mps + 1.0
    speed = f"{now.speed_mps * 3.6:.0f}"
    texts = [
        (22, 14, speed, 46, WARN if over else INK, None),
        (118, 24, "km/h", 15, MUTED, None),
        (118, 44, f"limit {now.limit_mps * 3.6:.0f}", 15, MUTED, None),
        (236, 18, "throttle" if now.accel_mps2 >= 0 else "brake", 14, MUTED, None),
        (420, 18, f"steering {np.degrees(now.steer_rad):+.1f}°", 14, MUTED, None),
        (640, 18, f"route {now.done:.0%}", 14, MUTED, None),
        (930, 14, f"{now.time_s:5.1f} s   {now.place}, {now.weather}", 17, INK, None),
        (930, 44, f"{now.agent} driver on {now.perception}", 15, MUTED, None),
    ]
    if now.note:
        texts.append((width_px - 190, 44, now.note, 17, WARN if now.note != "arrived" else GOOD, None))
    draw_texts(strip, texts)
    return strip


def _bar(strip: np.ndarray, x: int, y: int, width: int, share: float, color: tuple[int, int, int]) -> None:
    cv2.rectangle(strip, (x, y), (x + width, y + 8), TRACK, -1)
    filled = round(width * min(max(share, 0.0), 1.0))
    if filled > 0:
        cv2.rectangle(strip, (x, y), (x + filled, y + 8), color, -1)


def _pedals(strip: np.ndarray, x: int, accel_mps2: float) -> None:
    """Throttle to the right of the middle, brake to the left."""
    _centred(strip, x, accel_mps2 / (4.0 if accel_mps2 > 0 else 8.0), GOOD if accel_mps2 > 0 else WARN)


def _steering(strip: np.ndarray, x: int, steer_rad: float) -> None:
    """Left of the middle steers left."""
    _centred(strip, x, -steer_rad / 0.5, ACCENT)


def _centred(strip: np.ndarray, x: int, share: float, color: tuple[int, int, int], width: int = 150) -> None:
    middle = x + width // 2
    cv2.rectangle(strip, (x, 52), (x + width, 60), TRACK, -1)
    end = middle + round(width / 2 * min(max(share, -1.0), 1.0))
    cv2.rectangle(strip, (min(middle, end), 52), (max(middle, end), 60), color, -1)
    cv2.line(strip, (middle, 49), (middle, 63), MUTED, 1)
