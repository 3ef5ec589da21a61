"""Scans of lidar and radar as files: what their numbers mean in each format.

Default layout and shards: NumPy archives without pickles, one row an echo, in the ego frame. `lidar`: xyz_ego_m (n, 3)
float32, intensity (n,) float32 0..1, ring (n,) uint16 from the lowest up, time_s (n,) float32 from the frame's time,
semantic (n,) uint8 and instance (n,) uint16 as in the label images, from_air (n,) bool (an echo of rain, fog or snow:
its labels are 0). `radar`: range_m, azimuth_rad, radial_mps (measured), still_mps (the same less the ego's own motion:
0 for what stands), rcs_dbsm (n,) float32, xy_ego_m (n, 2) float32, semantic (n,) uint8, instance (n,) uint16,
ghost (n,) bool.
"""

import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.types import GroundTruth, SensorFrame

Json = dict[str, Any]
Rows = dict[str, Any]  # of arrays


@dataclass(frozen=True)
class Scans:
    """Echoes of one world at one time, rows as described above, and where the sensors stand."""

    lidar: Rows | None
    radar: Rows | None
    ego_from_lidar: NDArray[np.float64]  # (4, 4)
    ego_from_radar: NDArray[np.float64]

    def points_in(self, entry: Json, center_ego_m: NDArray) -> Json:
        """Fields of an annotation: lidar points inside its box, as nuScenes counts them, and radar echoes of it."""
        counts = {}
        if self.lidar is not None:
            away = self.lidar["xyz_ego_m"] - center_ego_m
            c, s = math.cos(entry["yaw_ego_rad"]), math.sin(entry["yaw_ego_rad"])
            local = np.stack([away[:, 0] * c + away[:, 1] * s, away[:, 1] * c - away[:, 0] * s, away[:, 2]], axis=1)
            counts["lidar_points"] = int((np.abs(local) <= 0.5 * np.array(entry["size_m"])).all(axis=1).sum())
        if self.radar is not None:
            counts["radar_points"] = int((self.radar["instance"] == entry["actor"] + 1).sum())
        return counts


def scans_of(frame: SensorFrame, truth: GroundTruth, row: int) -> Scans | None:
    """The echoes of world `row`, copied; None where there is neither a lidar nor a radar."""
    if frame.lidar is None and frame.radar is None:
        return None
    lidar = radar = None
    poses = [np.eye(4), np.eye(4)]
    if frame.lidar is not None and truth.lidar is not None:
        scan, labels = frame.lidar, truth.lidar
        poses[0] = scan.ego_from_lidar.double().cpu().numpy()
        valid = scan.valid[row].cpu().numpy()
        ring, column = np.nonzero(valid)
        solid = ~labels.from_air[row].cpu().numpy()[valid]
        lidar = {
            "xyz_ego_m": scan.xyz_ego_m[row].cpu().numpy()[valid],
            "intensity": scan.intensity[row].cpu().numpy()[valid],
            "ring": ring.astype(np.uint16),
            "time_s": scan.time_s.cpu().numpy()[column],
            "semantic": labels.semantic[row].cpu().numpy()[valid] * solid,
            "instance": labels.instance[row].cpu().numpy()[valid].astype(np.uint16) * solid,
            "from_air": ~solid,
        }
    if frame.radar is not None and truth.radar is not None:
        heard, sources = frame.radar, truth.radar
        poses[1] = heard.ego_from_radar.double().cpu().numpy()
        valid = heard.valid[row]
        names = ("range_m", "azimuth_rad", "radial_mps", "rcs_dbsm")
        radar = {name: getattr(heard, name)[row][valid].cpu().numpy() for name in names}
        aside = radar["range_m"] * np.sin(radar["azimuth_rad"])
        level = np.stack([radar["range_m"] * np.cos(radar["azimuth_rad"]), aside], axis=1)
        yaw, arm = math.atan2(poses[1][1, 0], poses[1][0, 0]), poses[1][:2, 3]
        speed, rate = float(frame.ego.speed_mps[row]), float(frame.ego.yaw_rate_radps[row])
        own = (speed - rate * arm[1]) * np.cos(radar["azimuth_rad"] + yaw)
        own += rate * arm[0] * np.sin(radar["azimuth_rad"] + yaw)
        radar["still_mps"] = (radar["radial_mps"] + own).astype(np.float32)
        radar["xy_ego_m"] = (level @ poses[1][:2, :2].T + poses[1][:2, 3]).astype(np.float32)
        radar["semantic"] = sources.semantic[row][valid].cpu().numpy()
        radar["instance"] = sources.instance[row][valid].cpu().numpy().astype(np.uint16)
        radar["ghost"] = sources.ghost[row][valid].cpu().numpy()
    return Scans(lidar, radar, poses[0], poses[1])


def archive(rows: Rows) -> bytes:
    """Rows as a NumPy archive; the same rows give the same bytes."""
    file = io.BytesIO()
    np.savez(file, **rows)
    return file.getvalue()


def in_sensor(scans: Scans, rows: Rows) -> NDArray[np.float64]:
    """Points (n, 3) in the lidar's own axes."""
    pose = scans.ego_from_lidar
    return (rows["xyz_ego_m"] - pose[:3, 3]) @ pose[:3, :3]


def velodyne(scans: Scans, rows: Rows) -> bytes:
    """KITTI's .bin: x, y, z in the sensor's axes and intensity 0..1, float32."""
    return np.column_stack([in_sensor(scans, rows), rows["intensity"]]).astype("<f4").tobytes()


def pcd_bin(scans: Scans, rows: Rows) -> bytes:
    """nuScenes' .pcd.bin: x, y, z in the sensor's axes, intensity 0..255 and ring, float32."""
    return np.column_stack([in_sensor(scans, rows), 255.0 * rows["intensity"], rows["ring"]]).astype("<f4").tobytes()


# Fields of nuScenes' radar files: name, bytes, type
_PCD = (
    ("x", 4, "F"), ("y", 4, "F"), ("z", 4, "F"), ("dyn_prop", 1, "I"), ("id", 2, "I"), ("rcs", 4, "F"), ("vx", 4, "F"),
    ("vy", 4, "F"), ("vx_comp", 4, "F"), ("vy_comp", 4, "F"), ("is_quality_valid", 1, "I"), ("ambig_state", 1, "I"),
    ("x_rms", 1, "I"), ("y_rms", 1, "I"), ("invalid_state", 1, "I"), ("pdh0", 1, "I"), ("vx_rms", 1, "I"),
    ("vy_rms", 1, "I"),
)  # fmt: skip
_STANDS_MPS = 0.5


def radar_pcd(rows: Rows) -> bytes:
    """nuScenes' radar .pcd in the radar's own axes; speeds are radial ones as vectors. One point at least, as its tools
    want: where nothing was heard, one that is not a number, which they take for none."""
    count = max(len(rows["range_m"]), 1)
    points = np.zeros(count, dtype=[(name, f"<{'f' if kind == 'F' else 'i'}{size}") for name, size, kind in _PCD])
    points["id"], points["is_quality_valid"], points["ambig_state"] = np.arange(count), 1, 3
    if len(rows["range_m"]):
        cos, sin, moving = np.cos(rows["azimuth_rad"]), np.sin(rows["azimuth_rad"]), np.abs(rows["still_mps"])
        points["x"], points["y"], points["rcs"] = rows["range_m"] * cos, rows["range_m"] * sin, rows["rcs_dbsm"]
        points["vx"], points["vy"] = rows["radial_mps"] * cos, rows["radial_mps"] * sin
        points["vx_comp"], points["vy_comp"] = rows["still_mps"] * cos, rows["still_mps"] * sin
        points["dyn_prop"] = moving < _STANDS_MPS  # 0 moving, 1 stationary
    else:
        points["x"] = np.nan
    names, sizes, kinds = zip(*_PCD, strict=True)
    lines = ["# .PCD v0.7 - Point Cloud Data file format", "VERSION 0.7", f"FIELDS {' '.join(names)}"]
    lines += [f"SIZE {' '.join(map(str, sizes))}", f"TYPE {' '.join(kinds)}", "COUNT" + " 1" * len(_PCD)]
    lines += [f"WIDTH {count}", "HEIGHT 1", "VIEWPOINT 0 0 0 1 0 0 0", f"POINTS {count}", "DATA binary"]
    return ("\n".join(lines) + "\n").encode() + points.tobytes()
