"""Pinhole cameras on the ego vehicle."""

import math

import torch

from configs.schema import CameraConfig
from sim.frames import ego_from_camera
from sim.types import CameraModel


def camera_from_config(config: CameraConfig) -> CameraModel:
    """The front camera (C = 1): square pixels, principal point in the middle of the image."""
    focal_px = 0.5 * config.width_px / math.tan(0.5 * math.radians(config.fov_deg))
    pose = ego_from_camera((config.x_ego_m, 0.0, config.z_ego_m), pitch_rad=math.radians(config.pitch_deg))
    return CameraModel(
        width_px=config.width_px,
        height_px=config.height_px,
        focal_px=torch.tensor([focal_px], dtype=torch.float32),
        center_px=torch.tensor([[0.5 * config.width_px, 0.5 * config.height_px]], dtype=torch.float32),
        ego_from_camera=pose[None],
    )
