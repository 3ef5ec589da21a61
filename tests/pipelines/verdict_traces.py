"""Small traces for the tests of verdicts."""

import torch

from pipelines.verdicts.trace import Trace

DT_S = 0.1
CAR = (4.0, 2.0, 1.5)


def moving(start, speed, ticks=31, yaw=0.0, accel=0.0, dt_s=DT_S):
    """x, y, yaw, speed and acceleration (ticks, 5) of straight, evenly accelerated motion that ends at a stop."""
    time_s = torch.arange(ticks, dtype=torch.float64) * dt_s
    if accel < 0:
        time_s = time_s.clamp(max=speed / -accel)
    way = speed * time_s + accel * time_s**2 / 2
    now = speed + accel * time_s
    yaw = torch.as_tensor(yaw, dtype=torch.float64)
    columns = [start[0] + way * torch.cos(yaw), start[1] + way * torch.sin(yaw), yaw.expand(ticks), now]
    return torch.stack([*columns, torch.full((ticks,), float(accel), dtype=torch.float64)], dim=1)


def trace_of(*runs, dt_s=DT_S, sizes=None, offset=0.0):
    """A trace of runs, each a list of (ticks, 5) motions of which the first is the ego's; all of one length."""
    motion = torch.stack([torch.stack(list(run), dim=1) for run in runs])
    shape = (motion.shape[0], motion.shape[2])
    size = torch.tensor(sizes if sizes else [CAR] * shape[1], dtype=torch.float64)
    return Trace(
        dt_s=dt_s,
        xy_world_m=motion[..., :2],
        yaw_world_rad=motion[..., 2],
        speed_mps=motion[..., 3],
        accel_mps2=motion[..., 4],
        valid=torch.ones(motion.shape[:3], dtype=torch.bool),
        size_m=size.expand(shape[0], -1, -1),
        centre_offset_m=torch.full(shape, float(offset), dtype=torch.float64),
        kind=torch.zeros(shape, dtype=torch.int32),
    )
