"""Heights under actors, and roads above each other that do not meet."""

from dataclasses import replace

import pytest
import torch
from lane_graphs import crossing, straight

from configs.schema import SimConfig
from sim.simulator import Simulator
from sim.types import LaneGraph


def bridge(height_m: float) -> LaneGraph:
    """The crossing, whose road north (lanes 3 to 5) passes over the one east; nothing conflicts."""
    flat = crossing()
    z = torch.where(flat.sample_lane >= 3, height_m, 0.0)
    none = {name: getattr(flat, name)[:0] for name in ("conflict_lane", "conflict_span_m", "conflict_yields")}
    return replace(flat, z_world_m=z, conflict_first=torch.zeros_like(flat.conflict_first), **none)


def meet(height_m: float) -> Simulator:
    """Actor 0 on the road east and actor 1 on the one north, both at the origin, after a tick."""
    config = SimConfig(actors=2, pedestrians=0)
    zero = torch.zeros(1, dtype=torch.int64)
    sim = Simulator(bridge(height_m), config, zero, zero.int(), controlled=[True, True])
    state = sim.state
    state.valid[:], state.path_valid[:], state.speed_mps[:], state.xy_world_m[:] = True, True, 0.0, 0.0
    state.path_lane[0] = torch.tensor([[1, 2, 2, 2], [4, 5, 5, 5]])
    state.lane_s_m[:] = 6.0
    state.yaw_world_rad[0] = torch.tensor([0.0, torch.pi / 2])
    sim.action.valid[:] = False
    sim.step(sim.action)
    return sim


@pytest.mark.parametrize("height_m,together", [(0.5, True), (2.9, True), (3.1, False), (-6.0, False)])
def test_actors_more_than_three_metres_apart_in_height_neither_touch_nor_see_each_other(
    height_m: float, together: bool
) -> None:
    sim = meet(height_m)
    assert sim.state.z_world_m[0].tolist() == pytest.approx([0.0, height_m])
    assert sim.state.collided[0].tolist() == [together] * 2
    seen = sim.observe_all()[0, :, 28:].reshape(2, 8, 7).abs().sum(dim=2) > 0.0
    assert seen.sum(dim=1).tolist() == [int(together)] * 2


@pytest.mark.parametrize("height_m", [0.5, 6.0])
def test_only_a_road_on_the_same_storey_is_entered_from_beside(height_m: float) -> None:
    """Who stands across the end of its lane is an obstacle on the nearest other lane, but not on one of a bridge."""
    sim = meet(height_m)
    assert (sim._private["entry_key"][0, :2] >> 39).tolist() == [1, 4]
    sim.state.xy_world_m[0, 0] = torch.tensor([0.0, 1.5])  # over the edge of its lane
    sim.step(sim.action)
    found = int(sim._private["entry_key"][0, 2] >> 39)
    assert found == (4 if height_m < 3.0 else 2**23)


def test_heights_are_linear_between_samples_and_people_stand_on_the_road() -> None:
    flat = straight(400.0, lanes=2, limit_mps=12.0)
    lanes = replace(flat, z_world_m=0.001 * flat.xy_world_m[:, 0] ** 2)
    config = SimConfig(actors=12, pedestrians=4)
    sim = Simulator(lanes, config, torch.arange(8), torch.zeros(8, dtype=torch.int32))
    for _ in range(40):
        sim.step(sim.action)
    state = sim.state
    x, z, valid = state.xy_world_m[..., 0], state.z_world_m, state.valid
    cars, people = valid[:, :8], valid[:, 8:]
    # Between samples 1 m apart the chord lies 0.001 / 4 m above the parabola at most, lane changes move x a little.
    s = state.lane_s_m[:, :8]
    assert float((z[:, :8] - 0.001 * s**2)[cars].abs().max()) < 3e-4
    assert float((z[:, 8:] - 0.001 * x[:, 8:] ** 2)[people].abs().max()) < 0.5
    assert people.any()
    # The mean slope of the metre it is on
    grade = 0.001 * (2.0 * torch.floor(s.clamp(max=399.0)) + 1.0)
    on_rails = cars.clone()
    on_rails[:, 0] = False
    assert torch.allclose(state.pitch_rad[:, :8][on_rails], -torch.atan(grade)[on_rails], atol=2e-3)
