"""The frames of Roadloop, in one table, and the transforms between them.

| frame  | axes                                | origin                                        | used for         |
|--------|-------------------------------------|-----------------------------------------------|------------------|
| world  | x east, y north, z up               | the map file's own                            | roads, actors    |
| ego    | x forward, y left, z up (ISO 8855)  | on the ground under the rear-axle centre      | percepts, plans  |
| camera | x right, y down, z forward (OpenCV) | optical centre                                | depth, projection|
| pixel  | u right, v down                     | image corner; (u, v) covers [u,u+1) x [v,v+1) | images, 2-D boxes|

Yaw is counter-clockwise from x, steering left is positive, angles are radians. A transform is named `a_from_b` and maps
`p_a = a_from_b @ p_b`; neighbouring names match in a product.
"""

import math

import torch

# Rotates camera axes into a body frame that looks along +x: right = -y, down = -z, forward = +x.
BODY_FROM_OPTICAL = torch.tensor([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])


def wrap_angle_rad(angle_rad: torch.Tensor) -> torch.Tensor:
    """Wrap angles of any shape into [-pi, pi)."""
    return torch.remainder(angle_rad + math.pi, 2.0 * math.pi) - math.pi


def rotate_2d(xy: torch.Tensor, yaw_rad: torch.Tensor) -> torch.Tensor:
    """Rotate vectors (..., 2) counter-clockwise by `yaw_rad` (...)."""
    cos, sin = torch.cos(yaw_rad), torch.sin(yaw_rad)
    x, y = xy[..., 0], xy[..., 1]
    return torch.stack((cos * x - sin * y, sin * x + cos * y), dim=-1)


def ego_from_world_xy(
    xy_world_m: torch.Tensor, ego_xy_world_m: torch.Tensor, ego_yaw_world_rad: torch.Tensor
) -> torch.Tensor:
    """World points (B, K, 2) in metres to the ego frame of ego poses (B, 2), (B,)."""
    return rotate_2d(xy_world_m - ego_xy_world_m[:, None], -ego_yaw_world_rad[:, None])


def world_from_ego_xy(
    xy_ego_m: torch.Tensor, ego_xy_world_m: torch.Tensor, ego_yaw_world_rad: torch.Tensor
) -> torch.Tensor:
    """Ego points (B, K, 2) in metres to the world frame, for ego poses (B, 2), (B,)."""
    return rotate_2d(xy_ego_m, ego_yaw_world_rad[:, None]) + ego_xy_world_m[:, None]


def ego_from_camera(
    xyz_ego_m: tuple[float, float, float], pitch_rad: float = 0.0, yaw_rad: float = 0.0
) -> torch.Tensor:
    """The (4, 4) pose of a camera mounted at `xyz_ego_m`, turned left by yaw and nose-down by pitch."""
    cp, sp, cy, sy = math.cos(pitch_rad), math.sin(pitch_rad), math.cos(yaw_rad), math.sin(yaw_rad)
    # R_z(yaw) @ R_y(pitch): a positive rotation about y (left) lowers the nose.
    body = torch.tensor([[cy * cp, -sy, cy * sp], [sy * cp, cy, sy * sp], [-sp, 0.0, cp]])
    pose = torch.eye(4)
    pose[:3, :3] = body @ BODY_FROM_OPTICAL
    pose[:3, 3] = torch.tensor(xyz_ego_m)
    return pose


def world_from_ego(
    xy_world_m: torch.Tensor, yaw_world_rad: torch.Tensor, z_world_m: torch.Tensor | None = None
) -> torch.Tensor:
    """The (B, 4, 4) poses of egos at (B, 2), (B,), standing upright at height (B,), 0 where not given."""
    pose = torch.eye(4, device=xy_world_m.device).repeat(len(xy_world_m), 1, 1)
    cos, sin = torch.cos(yaw_world_rad), torch.sin(yaw_world_rad)
    pose[:, 0, 0], pose[:, 0, 1], pose[:, 1, 0], pose[:, 1, 1] = cos, -sin, sin, cos
    pose[:, :2, 3] = xy_world_m
    if z_world_m is not None:
        pose[:, 2, 3] = z_world_m
    return pose
