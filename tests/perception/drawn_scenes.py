"""Small drawn scenes in the format of `roadloop render`: flat-coloured boxes on a plane, labelled exactly."""

import json
import math

import cv2
import numpy as np
import torch

from perception.data import coco_annotations, coco_document, coco_image
from perception.lifting import project
from sim.frames import ego_from_camera
from sim.types import ActorKind, Boxes2D, Boxes3D, CameraModel, Semantic

SIZES_M = {ActorKind.CAR: (4.4, 1.8, 1.5), ActorKind.TRUCK: (8.0, 2.5, 3.2), ActorKind.PEDESTRIAN: (0.5, 0.6, 1.75)}
COLORS = {ActorKind.CAR: (200, 40, 40), ActorKind.TRUCK: (60, 60, 220), ActorKind.PEDESTRIAN: (240, 200, 40)}
LABELS = {ActorKind.CAR: Semantic.CAR, ActorKind.TRUCK: Semantic.TRUCK, ActorKind.PEDESTRIAN: Semantic.PERSON}


def make_camera(width_px=320, height_px=192, pitch_rad=0.07):
    pose = ego_from_camera((1.6, 0.0, 1.5), pitch_rad)
    center = torch.tensor([[width_px / 2, height_px / 2]])
    return CameraModel(width_px, height_px, torch.tensor([width_px / 2]), center, pose[None])


def box_corners(center_m, size_m, yaw_rad):
    """The eight corners (8, 3) of an upright box."""
    signs = np.array([[x, y, z] for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)])
    local = signs * size_m
    cos, sin = math.cos(yaw_rad), math.sin(yaw_rad)
    turned = np.stack((cos * local[:, 0] - sin * local[:, 1], sin * local[:, 0] + cos * local[:, 1], local[:, 2]), 1)
    return turned + center_m


def make_boxes_3d(rows):
    """One world of (kind, x, y, yaw)."""
    n = len(rows)
    sizes = torch.tensor([SIZES_M[kind] for kind, *_ in rows])
    center = torch.tensor([[x, y, SIZES_M[kind][2] / 2] for kind, x, y, _ in rows])
    return Boxes3D(
        center_ego_m=center[None],
        size_m=sizes[None],
        yaw_ego_rad=torch.tensor([[yaw for *_, yaw in rows]]),
        velocity_ego_mps=torch.zeros(1, n, 2),
        kind=torch.tensor([[int(kind) for kind, *_ in rows]], dtype=torch.int32),
        score=torch.ones(1, n),
        track_id=torch.arange(1, n + 1, dtype=torch.int32)[None],
        valid=torch.ones(1, n, dtype=torch.bool),
    )


def draw(camera, boxes, random):
    """Image, semantic labels and Boxes2D of one world, far objects first."""
    height, width = camera.height_px, camera.width_px
    image = np.full((height, width, 3), random.integers(70, 110, 3), dtype=np.uint8)
    image[: height // 2] = random.integers(150, 200, 3)
    image += random.integers(0, 12, image.shape, dtype=np.uint8)
    semantic = np.full((height, width), Semantic.ROAD, dtype=np.uint8)
    semantic[: height // 2] = Semantic.SKY
    instance = np.zeros((height, width), dtype=np.int16)
    n = boxes.kind.shape[1]
    amodal = torch.zeros(1, 1, n, 4)
    own_pixels = np.zeros(n)
    for k in np.argsort(-boxes.center_ego_m[0, :, 0].numpy(), kind="stable"):
        kind = ActorKind(int(boxes.kind[0, k]))
        corners = box_corners(boxes.center_ego_m[0, k].numpy(), SIZES_M[kind], float(boxes.yaw_ego_rad[0, k]))
        uv, _ = project(torch.from_numpy(corners).float(), camera)
        amodal[0, 0, k] = torch.cat((uv.amin(dim=0), uv.amax(dim=0)))
        hull = cv2.convexHull(uv.numpy().astype(np.float32)).round().astype(np.int32)
        mask = np.zeros((height, width), np.uint8)
        cv2.fillConvexPoly(mask, hull, 1)
        own_pixels[k] = mask.sum()
        image[mask > 0], semantic[mask > 0], instance[mask > 0] = COLORS[kind], LABELS[kind], k + 1
    return image, semantic, _boxes_2d(boxes, amodal, instance, own_pixels)


def _boxes_2d(boxes, amodal, instance, own_pixels):
    n = boxes.kind.shape[1]
    visible, pixels = torch.zeros(1, 1, n, 4), torch.zeros(1, 1, n, dtype=torch.int32)
    for k in range(n):
        rows, columns = np.nonzero(instance == k + 1)
        pixels[0, 0, k] = len(rows)
        if len(rows):
            edges = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            visible[0, 0, k] = torch.tensor(edges, dtype=torch.float32)
    hidden = 1.0 - pixels / torch.from_numpy(own_pixels).clamp(min=1).float()
    return Boxes2D(
        amodal_px=amodal,
        visible_px=visible,
        visible_pixels=pixels,
        occlusion=hidden.clamp(min=0.0),
        truncation=torch.zeros(1, 1, n),
        kind=boxes.kind[None],
        actor=boxes.track_id[None],
        valid=torch.from_numpy(own_pixels > 0)[None, None],
    )


def random_rows(random, count):
    """Objects in well separated directions, so that they rarely hide each other."""
    rows = []
    for direction in np.linspace(-0.55, 0.55, count):
        kind = (ActorKind.CAR, ActorKind.CAR, ActorKind.TRUCK, ActorKind.PEDESTRIAN)[random.integers(4)]
        distance = random.uniform(7.0, 16.0) if kind == ActorKind.PEDESTRIAN else random.uniform(9.0, 28.0)
        y = distance * math.tan(direction + random.uniform(-0.05, 0.05))
        rows.append((kind, float(distance), float(y), float(random.uniform(-3.1, 3.1))))
    return rows


def write_scenes(folder, count, seed=0, objects=4):
    """A folder as `roadloop render` makes it."""
    camera, random = make_camera(), np.random.default_rng(seed)
    images, annotations = [], []
    for name in ("images", "semantic"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for i in range(count):
        boxes = make_boxes_3d(random_rows(random, objects))
        image, semantic, boxes_2d = draw(camera, boxes, random)
        cv2.imwrite(str(folder / "images" / f"{i:06d}.png"), image[..., ::-1])
        cv2.imwrite(str(folder / "semantic" / f"{i:06d}.png"), semantic)
        images.append(coco_image(camera, i + 1, f"{i:06d}.png", world_seed=i, weather="clear"))
        annotations += coco_annotations(camera, boxes_2d, boxes, 0, i + 1, len(annotations) + 1)
    document = coco_document(images, annotations)
    (folder / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
    return document
