"""The bird's-eye view beside the camera: road, route, actors as they are and as the car believes them to be."""

import cv2
import numpy as np

from pipelines.overlay import ACCENT, INK, KIND_COLORS, MUTED, draw_texts
from sim.roads.network import LaneStrip, Marking, RoadNetwork
from sim.types import ActorKind

SCALE_PX_PER_M = 6.0
EGO_FROM_BOTTOM = 0.22  # share of the height
SHIFT = 3  # cv2's fixed-point bits, for smooth motion
SURFACES = {
    "driving": (52, 60, 70),
    "sidewalk": (70, 78, 88),
    "parking": (58, 62, 78),
    "biking": (72, 58, 58),
    "shoulder": (44, 50, 58),
    "border": (44, 50, 58),
    "median": (36, 52, 42),
}
GROUND = (24, 33, 30)
ACTUAL = (150, 160, 172)


class BirdsEye:
    """Draws the surroundings of the ego, ego pointing up. Lanes far from it cost nothing."""

    def __init__(self, network: RoadNetwork, width_px: int, height_px: int) -> None:
        self.width_px, self.height_px = width_px, height_px
        self._origin = np.array([width_px / 2, height_px * (1 - EGO_FROM_BOTTOM)])
        self._reach_m = float(np.hypot(width_px, height_px)) / SCALE_PX_PER_M
        strips = [strip for strip in network.strips(2.0) if strip.kind in SURFACES]
        strips.sort(key=lambda strip: (strip.kind == "driving", strip.junction is not None))
        self._strips = [(_outline(strip), SURFACES[strip.kind]) for strip in strips]
        self._markings = [(stroke, marking.color) for marking in network.markings(1.0) for stroke in _strokes(marking)]
        self._strip_box = _bounds([outline for outline, _ in self._strips])
        self._marking_box = _bounds([stroke for stroke, _ in self._markings])

    def draw(
        self,
        ego_xy_world_m: np.ndarray,
        ego_yaw_world_rad: float,
        ego_size_m: np.ndarray,
        ego_wheelbase_m: float,
        route_xy_ego_m: np.ndarray,
        actual: dict[str, np.ndarray],
        believed: dict[str, np.ndarray],
    ) -> np.ndarray:
        """The picture (height, width, 3) RGB. `actual` and `believed` hold arrays of valid boxes in the ego frame:
        `center` (K, 3), `size` (K, 3), `yaw` (K,), `velocity` (K, 2), `kind` (K,)."""
        image = np.full((self.height_px, self.width_px, 3), GROUND, np.uint8)
        for index in _near(self._strip_box, ego_xy_world_m, self._reach_m):
            outline, color = self._strips[index]
            self._fill(image, _to_ego(outline, ego_xy_world_m, ego_yaw_world_rad), color)
        for index in _near(self._marking_box, ego_xy_world_m, self._reach_m):
            stroke, color = self._markings[index]
            paint = (214, 178, 74) if color == "yellow" else (186, 194, 204)
            self._line(image, _to_ego(stroke, ego_xy_world_m, ego_yaw_world_rad), paint, 1)
        self._route(image, route_xy_ego_m)
        for corners, _, _ in _boxes(actual):
            self._fill(image, corners, ACTUAL)
        ego_center = np.array([[ego_wheelbase_m / 2, 0.0]])
        self._fill(image, _corners(ego_center[0], ego_size_m, 0.0), ACCENT)
        for corners, kind, ahead in _boxes(believed):
            self._line(image, np.vstack([corners, corners[:1]]), KIND_COLORS[ActorKind(kind)], 2)
            self._line(image, ahead, KIND_COLORS[ActorKind(kind)], 1)
        self._legend(image)
        return image

    def _pixels(self, xy_ego_m: np.ndarray) -> np.ndarray:
        """Ego points (n, 2) to fixed-point pixels: forward is up, left is left."""
        uv = self._origin - xy_ego_m[:, ::-1] * SCALE_PX_PER_M
        return np.round(uv * (1 << SHIFT)).astype(np.int32)

    def _fill(self, image: np.ndarray, xy_ego_m: np.ndarray, color: tuple[int, int, int]) -> None:
        cv2.fillPoly(image, [self._pixels(xy_ego_m)], color, cv2.LINE_AA, SHIFT)

    def _line(self, image: np.ndarray, xy_ego_m: np.ndarray, color: tuple[int, int, int], thickness: int) -> None:
        cv2.polylines(image, [self._pixels(xy_ego_m)], False, color, thickness, cv2.LINE_AA, SHIFT)

    def _route(self, image: np.ndarray, xy_ego_m: np.ndarray) -> None:
        """The route as a translucent band."""
        if len(xy_ego_m) < 2:
            return
        band = image.copy()
        self._line(band, xy_ego_m, ACCENT, 9)
        cv2.addWeighted(band, 0.35, image, 0.65, 0.0, dst=image)

    def _legend(self, image: np.ndarray) -> None:
        y = self.height_px - 24
        image[y - 10 :] = (image[y - 10 :] * 0.35 + np.array(GROUND) * 0.4).astype(np.uint8)
        cv2.rectangle(image, (12, y + 2), (24, y + 12), ACTUAL, -1)
        cv2.rectangle(image, (84, y + 2), (96, y + 12), KIND_COLORS[ActorKind.CAR], 2)
        cv2.line(image, (182, y + 7), (202, y + 7), ACCENT, 5)
        draw_texts(
            image,
            [
                (30, y, "actual", 13, MUTED, None),
                (103, y, "perceived", 13, MUTED, None),
                (209, y, "route", 13, MUTED, None),
            ],
        )
        ten_m = round(10 * SCALE_PX_PER_M)
        right = self.width_px - 16
        cv2.line(image, (right - ten_m, y + 10), (right, y + 10), INK, 1)
        draw_texts(image, [(right - ten_m // 2 - 14, y - 8, "10 m", 12, INK, None)])


def _outline(strip: LaneStrip) -> np.ndarray:
    return np.vstack([strip.left_xy_world_m, strip.right_xy_world_m[::-1]])


def _strokes(marking: Marking) -> list[np.ndarray]:
    """The painted pieces of a marking, each (n, 2); solid lines in pieces short enough to cull."""
    along_m = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(marking.xy_world_m, axis=0).T))])
    length_m = float(along_m[-1])
    paint_m, period_m = (marking.dash_m, marking.dash_m + marking.gap_m) if marking.gap_m > 0 else (20.0, 20.0)
    strokes = []
    for start_m in np.arange(0.0, length_m, max(period_m, 0.5)):
        s = np.linspace(start_m, min(start_m + paint_m, length_m), 2 if marking.gap_m > 0 else 11)
        strokes.append(np.stack([np.interp(s, along_m, marking.xy_world_m[:, axis]) for axis in (0, 1)], axis=1))
    return strokes


def _bounds(shapes: list[np.ndarray]) -> np.ndarray:
    """Axis-aligned boxes (n, 4): lower corner, upper corner."""
    return np.array([[*shape.min(axis=0), *shape.max(axis=0)] for shape in shapes]).reshape(-1, 4)


def _near(boxes: np.ndarray, xy: np.ndarray, reach_m: float) -> np.ndarray:
    outside = np.maximum(boxes[:, :2] - xy, xy - boxes[:, 2:]).max(axis=1, initial=-np.inf)
    return np.flatnonzero(outside < reach_m)


def _to_ego(xy_world_m: np.ndarray, ego_xy_world_m: np.ndarray, ego_yaw_world_rad: float) -> np.ndarray:
    cos, sin = np.cos(ego_yaw_world_rad), np.sin(ego_yaw_world_rad)
    return (xy_world_m - ego_xy_world_m) @ np.array([[cos, -sin], [sin, cos]])


def _corners(center_m: np.ndarray, size_m: np.ndarray, yaw_rad: float) -> np.ndarray:
    cos, sin = np.cos(yaw_rad), np.sin(yaw_rad)
    local = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]]) * size_m[:2] / 2
    return local @ np.array([[cos, sin], [-sin, cos]]) + center_m[:2]


def _boxes(boxes: dict[str, np.ndarray]) -> list[tuple[np.ndarray, int, np.ndarray]]:
    """Corners (4, 2), kind and one second of motion (2, 2) of each box."""
    found = []
    for center, size, yaw, velocity, kind in zip(
        *(boxes[key] for key in ("center", "size", "yaw", "velocity", "kind"))
    ):
        motion = np.stack([center[:2], center[:2] + velocity])
        found.append((_corners(center, size, float(yaw)), int(kind), motion))
    return found
