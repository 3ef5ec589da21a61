"""Rigs of cameras after public data sets, or of one's own.

Positions and yaws are those of the sets' published calibrations, rounded: nuScenes (Caesar et al., 2020; its
`calibrated_sensor` table, scene 0061), Waymo Open Dataset (Sun et al., 2020; camera calibrations of its first segment),
KITTI (Geiger et al., 2013, figure 3 and the calibration of 2011-09-26). Widths to heights there: nuScenes 16:9, Waymo
3:2, KITTI 1242:375; take `camera.width_px` and `height_px` accordingly.
"""

import math

import torch

from configs.schema import CameraConfig, LensConfig, MountConfig, RigName
from sim.frames import BODY_FROM_OPTICAL
from sim.types import CameraModel, Lens


def _mount(x: float, y: float, z: float, yaw_deg: float, fov_deg: float) -> MountConfig:
    return MountConfig(x_ego_m=x, y_ego_m=y, z_ego_m=z, yaw_deg=yaw_deg, fov_deg=fov_deg)


RIGS: dict[RigName, tuple[MountConfig, ...]] = {
    "nuscenes": (
        _mount(1.70, 0.02, 1.51, 0.3, 64.6),  # front
        _mount(1.55, -0.49, 1.50, -56.0, 64.8),  # front right
        _mount(1.01, -0.48, 1.56, -110.8, 64.8),  # back right
        _mount(0.03, 0.00, 1.58, -179.7, 89.3),  # back
        _mount(1.04, 0.48, 1.59, 108.6, 65.0),  # back left
        _mount(1.52, 0.49, 1.51, 55.2, 64.3),  # front left
    ),
    "waymo": (
        _mount(1.54, -0.02, 2.12, 0.0, 50.4),  # front
        _mount(1.50, 0.10, 2.12, 45.0, 50.4),  # front left
        _mount(1.49, -0.09, 2.12, -45.0, 50.4),  # front right
        _mount(1.43, 0.11, 2.12, 90.0, 50.4),  # side left
        _mount(1.43, -0.11, 2.12, -90.0, 50.4),  # side right
    ),
    "kitti": (
        _mount(1.13, 0.06, 1.65, 0.0, 81.4),  # camera 2, left colour
        _mount(1.13, -0.47, 1.65, 0.0, 81.4),  # camera 3, right colour
    ),
}


def rig_from_config(camera: CameraConfig, rig: RigName | tuple[MountConfig, ...] = "front") -> CameraModel:
    """The configured cameras, (C,): square pixels, principal points in the middle, all of the front camera's size.

    Raises ValueError where a field of view is too wide for its lens.
    """
    if rig == "front":
        front = MountConfig(
            x_ego_m=camera.x_ego_m, z_ego_m=camera.z_ego_m, pitch_deg=camera.pitch_deg, fov_deg=camera.fov_deg
        )
        rig = (front,)
    mounts = rig if isinstance(rig, tuple) else RIGS[rig]
    lenses = [mount.lens or camera.lens for mount in mounts]
    focal = [focal_px(camera.width_px, m.fov_deg, lens) for m, lens in zip(mounts, lenses, strict=True)]
    plain = all(lens.model == "pinhole" for lens in lenses)
    return CameraModel(
        width_px=camera.width_px,
        height_px=camera.height_px,
        focal_px=torch.tensor(focal, dtype=torch.float32),
        center_px=torch.tensor([[0.5 * camera.width_px, 0.5 * camera.height_px]] * len(mounts), dtype=torch.float32),
        ego_from_camera=torch.stack([_pose(mount) for mount in mounts]),
        lenses=() if plain else tuple(Lens(lens.model, lens.k) for lens in lenses),
    )


def focal_px(width_px: int, fov_deg: float, lens: LensConfig) -> float:
    """Focal length of a lens that shows `fov_deg` over the width; Brown-Conrady's before it bends the picture."""
    half = math.radians(0.5 * fov_deg)
    if lens.model == "fisheye":
        return 0.5 * width_px / (half * (1.0 + sum(k * half ** (2 * i + 2) for i, k in enumerate(lens.k))))
    if fov_deg >= 150.0:
        raise ValueError(f"fov_deg = {fov_deg:g}: a {lens.model} lens shows less than 150 degrees; take a fisheye")
    return 0.5 * width_px / math.tan(half)


def _pose(mount: MountConfig) -> torch.Tensor:
    """ego_from_camera (4, 4): turned left by yaw, nose down by pitch, right side down by roll, in this order."""
    yaw, pitch, roll = (math.radians(a) for a in (mount.yaw_deg, mount.pitch_deg, mount.roll_deg))
    (cy, sy), (cp, sp), (cr, sr) = ((math.cos(a), math.sin(a)) for a in (yaw, pitch, roll))
    about_z = torch.tensor([[cy, -sy, 0.0], [sy, cy, 0.0], [0.0, 0.0, 1.0]])
    about_y = torch.tensor([[cp, 0.0, sp], [0.0, 1.0, 0.0], [-sp, 0.0, cp]])
    about_x = torch.tensor([[1.0, 0.0, 0.0], [0.0, cr, -sr], [0.0, sr, cr]])
    pose = torch.eye(4)
    pose[:3, :3] = about_z @ about_y @ about_x @ BODY_FROM_OPTICAL
    pose[:3, 3] = torch.tensor([mount.x_ego_m, mount.y_ego_m, mount.z_ego_m])
    return pose
