"""nuScenes-style tables below v1.0-roadloop/, images below samples/<camera>/.

Schema as published with nuScenes 1.0: scene, sample, sample_data, ego_pose, calibrated_sensor, sensor, instance,
sample_annotation, category, attribute, visibility, log, map. Tokens are digests of what they stand for, so the same job
gives the same tables. LIDAR_TOP's scans are .pcd.bin files, RADAR_FRONT's .pcd. `num_lidar_pts` counts points inside a
box, `num_radar_pts` the radar's echoes of the object; without these sensors both are 0: ask nuScenes' tools for boxes
by visibility.
"""

import hashlib
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from configs.schema import Experiment
from pipelines.datasets.frames import LabelledFrame
from pipelines.datasets.images import encode, write_bytes
from pipelines.datasets.labels import FrameLabels
from pipelines.datasets.points import pcd_bin, radar_pcd
from pipelines.datasets.tables import part_rows, write_array
from sim.types import ActorKind

Json = dict[str, Any]
VERSION = "v1.0-roadloop"
SCANNERS = {"LIDAR_TOP": "lidar", "RADAR_FRONT": "radar"}  # channels and modalities
CATEGORIES = {
    ActorKind.CAR: "vehicle.car",
    ActorKind.TRUCK: "vehicle.truck",
    ActorKind.BUS: "vehicle.bus.rigid",
    ActorKind.PEDESTRIAN: "human.pedestrian.adult",
    ActorKind.BICYCLE: "vehicle.bicycle",
    ActorKind.MOTORCYCLE: "vehicle.motorcycle",
}
# Upper bounds of the shares that are visible, as nuScenes bins them.
VISIBILITIES = {"1": ("v0-40", 0.4), "2": ("v40-60", 0.6), "3": ("v60-80", 0.8), "4": ("v80-100", 1.0)}
MOVING_MPS = 0.2
PER_BATCH = ("scene", "sample", "sample_data", "ego_pose", "instance", "sample_annotation")
MICROSECONDS = 1_000_000


class NuScenesWriter:
    """Writes one batch: images at once, rows when the scenes are whole."""

    RESULTS = (VERSION, "samples")

    def __init__(self, folder: Path, batch: str, experiment: Experiment) -> None:
        self._folder, self._suffix = folder, experiment.render.image
        self._frames: dict[int, list[LabelledFrame]] = {}

    def add(self, frame: LabelledFrame) -> None:
        path = self._folder / file_name(frame, self._suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, encode(frame.rgb[..., ::-1], self._suffix))
        for channel, rows, _ in scanners(frame):
            assert frame.scans is not None
            path = self._folder / scan_name(frame, channel)
            path.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(path, pcd_bin(frame.scans, rows) if channel == "LIDAR_TOP" else radar_pcd(rows))
        self._frames.setdefault(frame.scene, []).append(_without_images(frame))

    def close(self) -> dict[str, list[Json]]:
        tables: dict[str, list[Json]] = {name: [] for name in (*PER_BATCH, "calibrated_sensor")}
        for scene, frames in self._frames.items():
            for name, rows in scene_tables(scene, frames, self._suffix).items():
                tables[name] += rows
        return tables

    @staticmethod
    def finish(folder: Path, experiment: Experiment, parts: Sequence[Path]) -> None:
        """Stream every table into its file, and write those that are the same for all jobs."""
        tables = folder / VERSION
        tables.mkdir(exist_ok=True)
        for name in PER_BATCH:
            write_array(tables / f"{name}.json", part_rows(parts, name))
        sensors = {row["token"]: row for row in part_rows(parts, "calibrated_sensor")}
        write_array(tables / "calibrated_sensor.json", sensors.values())
        used = {row["sensor_token"] for row in sensors.values()}
        for name, rows in fixed_tables(used).items():
            write_array(tables / f"{name}.json", rows)


def token(*what: object) -> str:
    """32 hexadecimal digits for what a row stands for."""
    return hashlib.sha256("/".join(map(str, what)).encode()).hexdigest()[:32]


def camera_name(camera: int) -> str:
    """CAM_FRONT, and by number where a rig has more."""
    return "CAM_FRONT" if camera == 0 else f"CAM_{camera}"


def file_name(frame: LabelledFrame, suffix: str) -> str:
    """Where the frame's image lies, from the dataset's folder."""
    return f"samples/{camera_name(frame.camera)}/{frame.stem}.{suffix}"


def scan_name(frame: LabelledFrame, channel: str) -> str:
    """Where the frame's scan lies, from the dataset's folder."""
    return f"samples/{channel}/{frame.scan_stem}.{'pcd.bin' if channel == 'LIDAR_TOP' else 'pcd'}"


def scanners(frame: LabelledFrame) -> list[tuple[str, dict[str, Any], NDArray[np.float64]]]:
    """Channel, rows and pose of the frame's scans; with its first camera alone."""
    if frame.scans is None or frame.camera > 0:
        return []
    both = {channel: getattr(frame.scans, kind) for channel, kind in SCANNERS.items()}
    poses = {channel: getattr(frame.scans, f"ego_from_{kind}") for channel, kind in SCANNERS.items()}
    return [(channel, rows, poses[channel]) for channel, rows in both.items() if rows is not None]


def quaternion(rotation: NDArray[np.float64]) -> list[float]:
    """w, x, y, z of a rotation matrix (3, 3), w >= 0 (Shepperd 1978: divide by the largest component)."""
    m = np.asarray(rotation, dtype=np.float64)
    square = np.array([1 + m[0, 0] + m[1, 1] + m[2, 2], 1 + m[0, 0] - m[1, 1] - m[2, 2],
                       1 - m[0, 0] + m[1, 1] - m[2, 2], 1 - m[0, 0] - m[1, 1] + m[2, 2]])  # fmt: skip
    largest = int(square.argmax())
    # Rows of 4 q q^T.
    outer = np.array([
        [square[0], m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1]],
        [m[2, 1] - m[1, 2], square[1], m[1, 0] + m[0, 1], m[0, 2] + m[2, 0]],
        [m[0, 2] - m[2, 0], m[1, 0] + m[0, 1], square[2], m[2, 1] + m[1, 2]],
        [m[1, 0] - m[0, 1], m[0, 2] + m[2, 0], m[2, 1] + m[1, 2], square[3]],
    ])  # fmt: skip
    q = outer[largest] / (2.0 * math.sqrt(square[largest]))
    return (q if q[0] >= 0.0 else -q).tolist()


def scene_tables(scene: int, frames: list[LabelledFrame], suffix: str) -> dict[str, list[Json]]:
    """The rows of one whole scene."""
    frames = sorted(frames, key=lambda frame: (frame.index, frame.camera))
    times = {frame.index: frame.time_s for frame in frames}
    samples = [token("sample", scene, index) for index in times]
    first = frames[0].image
    tables: dict[str, list[Json]] = {
        "scene": [
            {
                "token": token("scene", scene),
                "log_token": token("log"),
                "nbr_samples": len(samples),
                "first_sample_token": samples[0],
                "last_sample_token": samples[-1],
                "name": f"scene-{scene:06d}",
                "description": f"{first['road']}, {first['weather']}, world seed {first['world_seed']}",
            }
        ],
        "sample": [
            {"token": own, "timestamp": round(times[index] * MICROSECONDS), "scene_token": token("scene", scene)}
            | {"prev": before, "next": after}
            for index, own, before, after in zip(times, samples, ["", *samples[:-1]], [*samples[1:], ""], strict=True)
        ],
    }
    tables["ego_pose"] = [_ego_pose(frame) for frame in frames]
    tables["calibrated_sensor"] = [_calibrated_sensor(frame.camera, frame.image["camera"]) for frame in frames]
    data = [_sample_data(frame, suffix) for frame in frames]
    for frame in frames:
        for channel, _, pose in scanners(frame):
            tables["calibrated_sensor"].append(_calibrated_scanner(channel, pose))
            data.append(_scan_data(frame, channel, pose))
    tables["sample_data"] = _chained(data, "calibrated_sensor_token")
    # An object that several cameras see is annotated once, where most of it is visible.
    seen: dict[tuple[int, int], Json] = {}
    for frame in frames:
        for entry in frame.annotations:
            key = (frame.index, entry["actor"])
            row = _annotation(scene, frame, entry)
            if key not in seen or row["visibility_token"] > seen[key]["visibility_token"]:
                seen[key] = row
    tables["sample_annotation"] = _chained([seen[key] for key in sorted(seen)], "instance_token")
    tables["instance"] = list(_instances(scene, frames, tables["sample_annotation"]))
    return tables


def fixed_tables(sensors: Collection[str]) -> dict[str, Iterable[Json]]:
    """Tables that are the same for every job with sensors of these tokens."""
    known = [{"token": token("sensor", c), "channel": c, "modality": kind} for c, kind in SCANNERS.items()]
    others = [row for row in known if row["token"] in sensors]
    cameras = len(sensors) - len(others)
    kinds = {"moving": "vehicle.moving", "stopped": "vehicle.stopped", "walking": "pedestrian.moving"}
    attributes = {**kinds, "standing": "pedestrian.standing", "rider": "cycle.with_rider"}
    return {
        "sensor": [
            *({"token": token("sensor", c), "channel": camera_name(c), "modality": "camera"} for c in range(cameras)),
            *others,
        ],
        "category": [{"token": token("category", k), "name": n, "description": ""} for k, n in CATEGORIES.items()],
        "attribute": [{"token": token("attribute", k), "name": n, "description": ""} for k, n in attributes.items()],
        "visibility": [
            {"token": t, "level": level, "description": f"visibility of the object is between {level[1:]} %"}
            for t, (level, _) in VISIBILITIES.items()
        ],
        "log": [{"token": token("log"), "logfile": "", "vehicle": "roadloop", "date_captured": "", "location": ""}],
        "map": [{"token": token("map"), "log_tokens": [token("log")], "category": "semantic_prior", "filename": ""}],
    }


def _ego_pose(frame: LabelledFrame) -> Json:
    return {
        "token": token("ego", frame.stem),
        "timestamp": round(frame.time_s * MICROSECONDS),
        "translation": frame.world_from_ego[:3, 3].tolist(),
        "rotation": quaternion(frame.world_from_ego[:3, :3]),
    }


def _calibrated_sensor(number: int, camera: Json) -> Json:
    pose, (u, v) = np.array(camera["ego_from_camera"]), camera["center_px"]
    return {
        "token": token("calibration", number, camera),
        "sensor_token": token("sensor", number),
        "translation": pose[:3, 3].tolist(),
        "rotation": quaternion(pose[:3, :3]),
        "camera_intrinsic": [[camera["focal_px"], 0.0, u], [0.0, camera["focal_px"], v], [0.0, 0.0, 1.0]],
    }


def _calibrated_scanner(channel: str, pose: NDArray[np.float64]) -> Json:
    return {
        "token": token("calibration", channel, pose.tolist()),
        "sensor_token": token("sensor", channel),
        "translation": pose[:3, 3].tolist(),
        "rotation": quaternion(pose[:3, :3]),
        "camera_intrinsic": [],
    }


def _scan_data(frame: LabelledFrame, channel: str, pose: NDArray[np.float64]) -> Json:
    row = _sample_data(frame, "pcd") | {"token": token("data", channel, frame.stem), "height": 0, "width": 0}
    calibration = token("calibration", channel, pose.tolist())
    return row | {"calibrated_sensor_token": calibration, "filename": scan_name(frame, channel)}


def _sample_data(frame: LabelledFrame, suffix: str) -> Json:
    return {
        "token": token("data", frame.stem),
        "sample_token": token("sample", frame.scene, frame.index),
        "ego_pose_token": token("ego", frame.stem),
        "calibrated_sensor_token": token("calibration", frame.camera, frame.image["camera"]),
        "timestamp": round(frame.time_s * MICROSECONDS),
        "fileformat": suffix,
        "is_key_frame": True,
        "height": frame.image["height"],
        "width": frame.image["width"],
        "filename": file_name(frame, suffix),
    }


def _annotation(scene: int, frame: LabelledFrame, entry: Json) -> Json:
    length, width, height = entry["size_m"]
    ego_from_camera = np.array(frame.image["camera"]["ego_from_camera"])
    center_ego_m = ego_from_camera @ [*entry["center_camera_m"], 1.0]
    yaw = entry["yaw_ego_rad"]
    turn = np.array([[math.cos(yaw), -math.sin(yaw), 0], [math.sin(yaw), math.cos(yaw), 0], [0, 0, 1]])
    share = 1.0 - entry["occlusion"]
    return {
        "token": token("annotation", scene, frame.index, entry["actor"]),
        "sample_token": token("sample", scene, frame.index),
        "instance_token": token("instance", scene, entry["actor"]),
        "visibility_token": next(t for t, (_, most) in VISIBILITIES.items() if share <= most),
        "attribute_tokens": [token("attribute", _attribute(entry))],
        "translation": (frame.world_from_ego @ center_ego_m)[:3].tolist(),
        "size": [width, length, height],
        "rotation": quaternion(frame.world_from_ego[:3, :3] @ turn),
        "num_lidar_pts": entry.get("lidar_points", 0),
        "num_radar_pts": entry.get("radar_points", 0),
    }


def _attribute(entry: Json) -> str:
    kind, moving = ActorKind(entry["category_id"] - 1), math.hypot(*entry["velocity_ego_mps"]) > MOVING_MPS
    if kind in (ActorKind.BICYCLE, ActorKind.MOTORCYCLE):
        return "rider"
    if kind is ActorKind.PEDESTRIAN:
        return "walking" if moving else "standing"
    return "moving" if moving else "stopped"


def _instances(scene: int, frames: list[LabelledFrame], annotations: list[Json]) -> Iterable[Json]:
    kinds = {entry["actor"]: entry["category_id"] - 1 for frame in frames for entry in frame.annotations}
    for actor, kind in sorted(kinds.items()):
        own = token("instance", scene, actor)
        rows = [row["token"] for row in annotations if row["instance_token"] == own]
        yield {
            "token": own,
            "category_token": token("category", ActorKind(kind)),
            "nbr_annotations": len(rows),
            "first_annotation_token": rows[0],
            "last_annotation_token": rows[-1],
        }


def _chained(rows: list[Json], by: str) -> list[Json]:
    """Rows, in order of time, with the tokens of those before and after them that share the value of `by`."""
    groups: dict[str, list[Json]] = {}
    for row in rows:
        row |= {"prev": "", "next": ""}
        groups.setdefault(row[by], []).append(row)
    for group in groups.values():
        for before, after in pairwise(group):
            before["next"], after["prev"] = after["token"], before["token"]
    return rows


def _without_images(frame: LabelledFrame) -> LabelledFrame:
    """The same frame without its pictures, which need not wait in memory for the scene's end."""
    bytes_, words, floats = (np.empty((0, 0), dtype) for dtype in (np.uint8, np.uint16, np.float32))
    scans = frame.scans
    if scans is not None:  # only that there are any
        scans = replace(scans, lidar=None if scans.lidar is None else {}, radar=None if scans.radar is None else {})
    return replace(
        frame, rgb=bytes_, semantic=bytes_, instance=words, depth_m=floats, scans=scans, labels=FrameLabels()
    )
