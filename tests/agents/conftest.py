import dataclasses

import pytest
import torch

from sim.types import ROUTE_POINTS, ROUTE_STEP_M, Boxes3D, EgoState, Percept, Route


def make_scene(worlds: int, objects: int = 15, seed: int = 0) -> tuple[Percept, Route, EgoState]:
    """Winding routes of all lengths with objects of all kinds around them."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator)

    index = torch.arange(ROUTE_POINTS)
    bend = uniform(-0.05, 0.05, worlds, 1) * index
    step = torch.stack((torch.cos(bend), torch.sin(bend)), dim=-1) * ROUTE_STEP_M
    xy = torch.cumsum(step, dim=1) - step[:, :1]
    count = (uniform(0.0, 1.6, worlds) * ROUTE_POINTS).long().clamp(max=ROUTE_POINTS)
    valid = index[None] < count[:, None]
    route = Route(
        xy_ego_m=torch.where(valid[..., None], xy, 0.0),
        speed_limit_mps=uniform(5.0, 25.0, worlds, ROUTE_POINTS),
        valid=valid,
        lateral_m=uniform(-0.5, 0.5, worlds),
        heading_rad=uniform(-0.2, 0.2, worlds),
        remaining_m=count * ROUTE_STEP_M,
    )
    center = torch.stack(
        (uniform(-5, 55, worlds, objects), uniform(-20, 20, worlds, objects), torch.ones(worlds, objects)), dim=-1
    )
    boxes = Boxes3D(
        center_ego_m=center,
        size_m=torch.stack([uniform(low, 3 * low, worlds, objects) for low in (2.5, 1.0, 1.5)], dim=-1),
        yaw_ego_rad=uniform(-3.1, 3.1, worlds, objects),
        velocity_ego_mps=uniform(-8.0, 8.0, worlds, objects, 2),
        kind=uniform(0, 3.999, worlds, objects).int(),
        score=torch.ones(worlds, objects),
        track_id=torch.arange(objects, dtype=torch.int32).repeat(worlds, 1),
        valid=uniform(0, 1, worlds, objects) > uniform(0, 1, worlds, 1),
    )
    ego = EgoState(
        speed_mps=uniform(0.0, 15.0, worlds),
        accel_mps2=uniform(-3.0, 2.0, worlds),
        steer_rad=uniform(-0.4, 0.4, worlds),
        yaw_rate_radps=uniform(-0.4, 0.4, worlds),
        wheelbase_m=uniform(2.5, 3.0, worlds),
        size_m=torch.tensor([4.5, 1.9, 1.5]).repeat(worlds, 1),
        time_s=torch.zeros(worlds),
    )
    return Percept(objects=boxes, time_s=ego.time_s), route, ego


def row_of(value, index: int):
    """One world of a dataclass of batched tensors, as fresh tensors."""
    picked = {}
    for field in dataclasses.fields(value):
        part = getattr(value, field.name)
        picked[field.name] = row_of(part, index) if dataclasses.is_dataclass(part) else part[index : index + 1].clone()
    return type(value)(**picked)


@pytest.fixture
def scene():
    return make_scene


@pytest.fixture
def row():
    return row_of
