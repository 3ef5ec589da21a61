"""KITTI's object detection layout below Kitti/raw/training, where torchvision's `Kitti` looks for it.

Geiger, Lenz and Urtasun 2012, development kit of the object benchmark. Velodyne axes are those of the lidar (x forward,
y left, z up), whose scans lie in velodyne/; without a lidar the ego's, on the ground under the rear axle. Boxes stand
upright in the camera's axes, so yaws of a pitched camera are those of the heading seen along its y axis.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.schema import Experiment
from pipelines.datasets.frames import LabelledFrame
from pipelines.datasets.images import depth_units, encode, write_bytes
from pipelines.datasets.points import velodyne
from sim.types import ActorKind

Json = dict[str, Any]
ROOT = Path("Kitti") / "raw" / "training"
# KITTI has no class for buses and motorcycles.
TYPES = {
    ActorKind.CAR: "Car",
    ActorKind.TRUCK: "Truck",
    ActorKind.BUS: "Misc",
    ActorKind.PEDESTRIAN: "Pedestrian",
    ActorKind.BICYCLE: "Cyclist",
    ActorKind.MOTORCYCLE: "Misc",
}


class KittiWriter:
    """Writes one batch; every frame is one file in each folder."""

    RESULTS = (ROOT.parts[0],)

    def __init__(self, folder: Path, batch: str, experiment: Experiment) -> None:
        self._root = folder / ROOT
        for name in ("image_2", "label_2", "calib", "depth_2"):
            (self._root / name).mkdir(parents=True, exist_ok=True)

    def add(self, frame: LabelledFrame) -> None:
        write_bytes(self._root / "image_2" / f"{frame.stem}.png", encode(frame.rgb[..., ::-1], "png"))
        write_bytes(self._root / "depth_2" / f"{frame.stem}.png", encode(depth_units(frame.depth_m), "png"))
        rows = [label_row(frame.image["camera"], entry) for entry in frame.annotations]
        write_bytes(self._root / "label_2" / f"{frame.stem}.txt", "".join(f"{r}\n" for r in rows).encode())
        ego_from_velodyne = np.eye(4)
        if frame.scans is not None and frame.scans.lidar is not None:
            ego_from_velodyne = frame.scans.ego_from_lidar
            (self._root / "velodyne").mkdir(exist_ok=True)
            points = velodyne(frame.scans, frame.scans.lidar)
            write_bytes(self._root / "velodyne" / f"{frame.stem}.bin", points)
        calib = calibration(frame.image["camera"], ego_from_velodyne)
        write_bytes(self._root / "calib" / f"{frame.stem}.txt", calib.encode())

    def close(self) -> dict[str, list[Json]]:
        return {}

    @staticmethod
    def finish(folder: Path, experiment: Experiment, parts: Sequence[Path]) -> None:
        """Nothing is kept once for all frames."""


def label_row(camera: Json, annotation: Json) -> str:
    """One line of label_2: type, truncation, occlusion, alpha, box, size (h w l), place of the bottom centre, yaw."""
    length, width, height = annotation["size_m"]
    up_camera = np.array(camera["ego_from_camera"])[2, :3]  # the ego's z axis in camera axes
    x, y, z = np.array(annotation["center_camera_m"]) - 0.5 * height * up_camera
    heading = np.array(camera["ego_from_camera"])[:3, :3].T @ [
        math.cos(annotation["yaw_ego_rad"]),
        math.sin(annotation["yaw_ego_rad"]),
        0.0,
    ]
    yaw = math.atan2(-heading[2], heading[0])
    alpha = math.remainder(yaw - math.atan2(x, z), math.tau)
    left, top, wide, high = annotation["bbox"]
    numbers = [alpha, left, top, left + wide, top + high, height, width, length, x, y, z, yaw]
    kind = TYPES[ActorKind(annotation["category_id"] - 1)]
    occluded = sum(annotation["occlusion"] > limit for limit in (0.1, 0.5))
    return f"{kind} {annotation['truncation']:.2f} {occluded} " + " ".join(f"{n:.2f}" for n in numbers)


def calibration(camera: Json, ego_from_velodyne: NDArray[np.float64]) -> str:
    """The calib file: the same camera four times, no rectification."""
    focal, (u, v) = camera["focal_px"], camera["center_px"]
    projection = np.array([[focal, 0, u, 0], [0, focal, v, 0], [0, 0, 1, 0]])
    camera_from_velodyne = (np.linalg.inv(np.array(camera["ego_from_camera"])) @ ego_from_velodyne)[:3]
    velodyne_from_ego = np.linalg.inv(ego_from_velodyne)[:3]
    rows = {f"P{i}": projection for i in range(4)}
    rows |= {"R0_rect": np.eye(3), "Tr_velo_to_cam": camera_from_velodyne}
    rows |= {"Tr_imu_to_velo": velodyne_from_ego}
    return "".join(f"{name}: {' '.join(f'{n:.12e}' for n in m.reshape(-1))}\n" for name, m in rows.items())
