"""Labels as pictures over the camera's own, and boxes as lines for the page to draw."""

import colorsys
from typing import Any

import cv2
import numpy as np

from pipelines.datasets.contact import COLOURS
from pipelines.view.cameras import Eye
from pipelines.view.requests import Layer
from sim.types import ActorKind, CameraModel, ExtraLabel, GroundTruth, State, World

EXTRAS: tuple[ExtraLabel, ...] = ("normals", "flow", "things")
NEAR_M = 0.1
DEEPEST_M, NEAREST_M = 250.0, 2.0  # between which the depth's colours go round
FAST_PX = 12.0  # of flow, in full colour
BOX_M = 150.0  # up to which boxes in space are drawn
# Corners of a box in halves of its size, from its middle, and which of them its edges join; the last two mark its nose
CORNERS = np.array([[x, y, z] for z in (-1, 1) for x, y in ((1, 1), (1, -1), (-1, -1), (-1, 1))], float)
EDGES = np.array(
    [[0, 1], [1, 2], [2, 3], [3, 0], [4, 5], [5, 6], [6, 7], [7, 4], [0, 4], [1, 5], [2, 6], [3, 7], [0, 5], [1, 4]]
)

_CLASSES = np.zeros((256, 3), np.uint8)
for _label, _colour in COLOURS.items():
    _CLASSES[_label] = _colour


def extras_of(layer: Layer) -> tuple[ExtraLabel, ...]:
    """What the renderer has to label besides the usual: all at once, which costs no more than one of them."""
    return EXTRAS if layer in EXTRAS else ()


def picture(rgb: np.ndarray, truth: GroundTruth, layer: Layer, opacity: float) -> np.ndarray:
    """The layer's colours over `rgb` (H, W, 3); `rgb` itself where there is no layer."""
    if layer == "none" or opacity <= 0.0:
        return rgb
    colours = np.ascontiguousarray(_DRAWN[layer](truth))
    return cv2.addWeighted(colours, opacity, rgb, 1.0 - opacity, 0.0)


def _semantic(truth: GroundTruth) -> np.ndarray:
    return _CLASSES[truth.semantic[0, 0].numpy()]


def _instance(truth: GroundTruth) -> np.ndarray:
    colours = np.array([(18, 22, 28), *(_hue(n) for n in range(1, 512))], np.uint8)
    return colours[truth.instance[0, 0].numpy() % 512]


def _things(truth: GroundTruth) -> np.ndarray:
    """Every thing in a shade of its own of its class's colour."""
    assert truth.extra.thing is not None
    thing = truth.extra.thing[0, 0].numpy()
    shade = 0.62 + 0.75 * ((thing.astype(np.int64) * 2654435761 >> 8) % 256) / 255.0
    shade = np.where(thing == 0, 1.0, shade).astype(np.float32)
    return np.clip((_semantic(truth) + 24.0 * (thing > 0)[..., None]) * shade[..., None], 0, 255).astype(np.uint8)


def _depth(truth: GroundTruth) -> np.ndarray:
    depth = truth.depth_m[0, 0].numpy()
    near = 1.0 - np.log(np.clip(depth, NEAREST_M, DEEPEST_M) / NEAREST_M) / np.log(DEEPEST_M / NEAREST_M)
    colours = cv2.applyColorMap(np.rint(near * 255.0).astype(np.uint8), cv2.COLORMAP_TURBO)
    return np.where(np.isfinite(depth)[..., None], cv2.cvtColor(colours, cv2.COLOR_BGR2RGB), 0).astype(np.uint8)


def _normals(truth: GroundTruth) -> np.ndarray:
    assert truth.extra.normal_camera is not None
    normal = truth.extra.normal_camera[0, 0].numpy() * np.array([1.0, -1.0, -1.0], np.float32)
    return np.where(normal.any(-1, keepdims=True), np.rint(127.5 * (normal + 1.0)), 0).astype(np.uint8)


def _flow(truth: GroundTruth) -> np.ndarray:
    """Hue by direction of motion in the picture, paler where slower."""
    assert truth.extra.flow_px is not None and truth.extra.flow_valid is not None
    flow = -truth.extra.flow_px[0, 0].numpy()  # as things move, not where they were
    length, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1], angleInDegrees=True)
    strong = np.clip(np.sqrt(length / FAST_PX), 0.0, 1.0)
    hsv = np.stack([angle / 2.0, strong * 255.0, np.full_like(angle, 235.0)], axis=-1).astype(np.uint8)
    colours = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    return np.where(truth.extra.flow_valid[0, 0].numpy()[..., None], colours, 60).astype(np.uint8)


_DRAWN = {
    "semantic": _semantic,
    "instance": _instance,
    "things": _things,
    "depth": _depth,
    "normals": _normals,
    "flow": _flow,
}


def _hue(number: int) -> tuple[int, int, int]:
    """Colours far apart for neighbouring numbers."""
    r, g, b = colorsys.hsv_to_rgb(number * 0.61803398875 % 1.0, 0.62 + 0.3 * (number % 3) / 2, 0.95)
    return round(r * 255), round(g * 255), round(b * 255)


def boxes_2d(truth: GroundTruth) -> list[dict[str, Any]]:
    """What can be seen in the picture: boxes in pixels, actors by their number in the world."""
    boxes, found = truth.boxes_2d, []
    keep = (boxes.valid & (boxes.visible_pixels > 0))[0, 0]
    columns = {
        name: getattr(boxes, name)[0, 0][keep].tolist()
        for name in ("actor", "kind", "amodal_px", "visible_px", "occlusion", "truncation", "visible_pixels")
    }
    for actor, kind, amodal, visible, occlusion, truncation, pixels in zip(*columns.values(), strict=True):
        found.append(
            {
                "actor": actor - 1,
                "kind": ActorKind(kind).name.lower(),
                "amodal": [round(v, 1) for v in amodal],
                "visible": [round(v, 1) for v in visible],
                "occlusion": round(occlusion, 2),
                "truncation": round(truncation, 2),
                "pixels": pixels,
            }
        )
    return found


def boxes_3d(actors: list[int], world: World, state: State, eye: Eye, camera: CameraModel) -> dict[int, list]:
    """Lines (u, v, u, v) in pixels of the boxes of `actors` in the world, cut off where they pass the camera."""
    turn = eye.world_from_camera()
    focal, (cu, cv) = float(camera.focal_px[0]), camera.center_px[0].tolist()
    drawn = {}
    for actor in actors:
        corners = _corners(world, state, actor) - np.array([eye.x_m, eye.y_m, eye.z_m])
        if np.hypot(*corners[:, :2].mean(axis=0)) > BOX_M:
            continue
        ends = (corners @ turn)[EDGES]  # (edges, 2, 3)
        ends = ends[(ends[..., 2] > NEAR_M).any(axis=1)]
        first, last = ends[:, 0], ends[:, 1]
        cut = np.clip((NEAR_M - first[:, 2]) / np.where(last[:, 2] == first[:, 2], 1.0, last[:, 2] - first[:, 2]), 0, 1)
        at = (first + cut[:, None] * (last - first))[:, None]
        ends = np.where(ends[..., 2:] < NEAR_M, at, ends)
        uv = ends[..., :2] / ends[..., 2:] * focal + (cu, cv)
        drawn[actor] = np.clip(np.rint(uv.reshape(-1, 4) * 10), -1e6, 1e6).astype(int).tolist()  # tenths of pixels
    return drawn


def _corners(world: World, state: State, actor: int) -> np.ndarray:
    """Corners (8, 3) of an actor's box in the world."""
    size = world.size_m[0, actor].numpy().astype(float)
    yaw = float(state.yaw_world_rad[0, actor])
    pitch = 0.0 if int(world.kind[0, actor]) == ActorKind.PEDESTRIAN else float(state.pitch_rad[0, actor])
    cy, sy, cp, sp = np.cos(yaw), np.sin(yaw), np.cos(pitch), np.sin(pitch)
    turn = np.array([[cy * cp, -sy, cy * sp], [sy * cp, cy, sy * sp], [-sp, 0.0, cp]])
    local = CORNERS * 0.5 * size + (0.5 * float(world.wheelbase_m[0, actor]), 0.0, 0.5 * size[2])
    base = np.array([*state.xy_world_m[0, actor].tolist(), float(state.z_world_m[0, actor])])
    return local @ turn.T + base
