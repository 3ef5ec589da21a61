"""From detections in the image to boxes in the ego frame."""

import torch

from perception.decode import Detections
from sim.frames import wrap_angle_rad
from sim.types import Boxes3D, CameraModel


def lift(detections: Detections, camera: CameraModel, index: int = 0) -> Boxes3D:
    """Boxes (B, K) in the ego frame from detections of camera `index`; velocity is zero and track_id the slot.

    The centre is the pinhole back-projection of `center_px` at `depth_m`; the yaw is the observation angle plus the
    bearing of the centre as seen from the camera (Mousavian et al. 2017, arXiv:1612.00496).
    """
    uv, depth_m = detections.center_px, detections.depth_m
    ego_from_camera = camera.ego_from_camera[index].to(uv)
    xy = (uv - camera.center_px[index].to(uv)) / camera.focal_px[index].to(uv) * depth_m[..., None]
    xyz_camera_m = torch.cat((xy, depth_m[..., None]), dim=-1)
    # Written out instead of a matrix product, whose rounding may depend on how many rows it has.
    rotation = ego_from_camera[:3, :3]
    terms = [xyz_camera_m[..., i : i + 1] * rotation[:, i] for i in range(3)]
    center_ego_m = terms[0] + terms[1] + terms[2] + ego_from_camera[:3, 3]
    yaw_rad = wrap_angle_rad(detections.angle_rad + bearing_rad(center_ego_m, camera, index))
    slot = torch.arange(uv.shape[1], dtype=torch.int32, device=uv.device)
    return Boxes3D(
        center_ego_m=center_ego_m,
        size_m=detections.size_m,
        yaw_ego_rad=yaw_rad,
        velocity_ego_mps=torch.zeros_like(center_ego_m[..., :2]),
        kind=detections.kind,
        score=detections.score,
        track_id=slot.expand(detections.kind.shape).clone(),
        valid=detections.valid,
    )


def bearing_rad(center_ego_m: torch.Tensor, camera: CameraModel, index: int = 0) -> torch.Tensor:
    """Direction (...) in the horizontal plane, counter-clockwise from ego x, from the camera to points (..., 3)."""
    mount = camera.ego_from_camera[index, :2, 3].to(center_ego_m)
    return torch.atan2(center_ego_m[..., 1] - mount[1], center_ego_m[..., 0] - mount[0])


def project(xyz_ego_m: torch.Tensor, camera: CameraModel, index: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels (..., 2) and depths (...) in metres of ego points (..., 3); pixels mean something where depth > 0."""
    pose = camera.ego_from_camera[index].to(xyz_ego_m)
    xyz_camera_m = (xyz_ego_m - pose[:3, 3]) @ pose[:3, :3]
    uv = xyz_camera_m[..., :2] / xyz_camera_m[..., 2:] * camera.focal_px[index].to(xyz_ego_m)
    return uv + camera.center_px[index].to(xyz_ego_m), xyz_camera_m[..., 2]
