"""Motion against closed forms, and the kernels' arithmetic against slow twins."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lane_graphs import ring, straight

from configs.schema import SimConfig
from sim.simulator import Simulator
from sim.types import LaneGraph


def alone(lanes: LaneGraph, **config: object) -> Simulator:
    """One world with nobody but a controlled ego."""
    settings = {"actors": 1, "pedestrians": 0} | config
    return Simulator(lanes, SimConfig(**settings), torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int32))


def put(sim: Simulator, x: float, y: float, yaw: float, speed: float, steer: float = 0.0) -> None:
    sim.state.xy_world_m[0, 0] = torch.tensor([x, y])
    sim.state.yaw_world_rad[0, 0] = yaw
    sim.state.speed_mps[0, 0] = speed
    sim.state.steer_rad[0, 0] = steer


def command(sim: Simulator, accel: float, steer: float) -> None:
    sim.action.accel_mps2[0, 0] = accel
    sim.action.steer_rad[0, 0] = steer
    sim.action.valid[0, 0] = True
    sim.step(sim.action)


@pytest.mark.parametrize("steer", [0.1, 0.35, -0.5])
def test_constant_steer_drives_a_circle_of_radius_wheelbase_over_tan_steer(steer: float) -> None:
    sim = alone(straight())
    put(sim, 100.0, 0.0, 0.3, 6.0, steer)
    radius = float(sim.world.wheelbase_m[0, 0]) / math.tan(steer)
    center = np.array([100.0 - radius * math.sin(0.3), radius * math.cos(0.3)])
    for _ in range(120):
        command(sim, 0.0, steer)
        away = np.linalg.norm(sim.state.xy_world_m[0, 0].numpy() - center)
        assert away == pytest.approx(abs(radius), rel=1e-4)


@pytest.mark.parametrize("speed,decel", [(13.0, 3.0), (9.3, 7.7)])
def test_braking_distance_is_v_squared_over_2a_and_never_reverses(speed: float, decel: float) -> None:
    sim = alone(straight())
    put(sim, 50.0, 0.0, 0.0, speed)
    for _ in range(int(speed / decel * 10) + 5):
        command(sim, -decel, 0.0)
        assert sim.state.speed_mps[0, 0] >= 0.0
    assert float(sim.state.speed_mps[0, 0]) == 0.0
    assert float(sim.state.xy_world_m[0, 0, 0]) == pytest.approx(50.0 + speed**2 / (2 * decel), abs=2e-3)


def test_commands_beyond_the_limits_are_clamped_and_the_steering_turns_at_a_limited_rate() -> None:
    sim = alone(straight())
    put(sim, 50.0, 0.0, 0.0, 5.0)
    command(sim, 50.0, 3.0)
    assert float(sim.state.accel_mps2[0, 0]) == pytest.approx(4.0, abs=1e-4)
    assert float(sim.state.steer_rad[0, 0]) == pytest.approx(0.1)
    for _ in range(20):
        command(sim, -50.0, 3.0)
    assert float(sim.state.steer_rad[0, 0]) == pytest.approx(0.6)


def test_an_invalid_action_coasts_with_the_steering_held() -> None:
    sim = alone(straight())
    put(sim, 50.0, 0.0, 0.0, 5.0, 0.2)
    sim.action.valid[:] = False
    sim.step(sim.action)
    assert float(sim.state.speed_mps[0, 0]) == 5.0
    assert float(sim.state.steer_rad[0, 0]) == pytest.approx(0.2)


@settings(max_examples=25, deadline=None)
@given(
    x=st.floats(20.0, 300.0),
    yaw=st.floats(-0.4, 0.4),
    speed=st.floats(0.0, 20.0),
    accel=st.floats(-8.0, 4.0),
    steer=st.floats(-0.6, 0.6),
)
def test_one_bicycle_step_equals_fine_euler_integration(
    x: float, yaw: float, speed: float, accel: float, steer: float
) -> None:
    sim = _SHARED
    put(sim, x, 0.0, yaw, speed, steer)
    base = float(sim.world.wheelbase_m[0, 0])
    command(sim, accel, steer)
    px, py, heading, v = x, 0.0, yaw, speed
    n = 4000
    for _ in range(n):
        dt = 0.1 / n
        px += v * math.cos(heading) * dt
        py += v * math.sin(heading) * dt
        heading += v * math.tan(steer) / base * dt
        v = max(0.0, v + accel * dt)
    assert sim.state.xy_world_m[0, 0].numpy() == pytest.approx([px, py], abs=2e-3)
    turn = float(sim.state.yaw_world_rad[0, 0]) - heading
    assert math.remainder(turn, 2 * math.pi) == pytest.approx(0.0, abs=1e-3)
    assert float(sim.state.speed_mps[0, 0]) == pytest.approx(v, abs=1e-3)


_SHARED = alone(straight())


def test_projection_of_the_ego_follows_a_ring_round_and_round() -> None:
    radius = 60.0
    sim = alone(ring(radius), route_m=2000.0)
    start = float(sim.state.lane_s_m[0, 0])
    put(
        sim,
        (radius - 1.0) * math.cos(start / radius),
        (radius - 1.0) * math.sin(start / radius),
        start / radius + math.pi / 2,
        10.0,
        math.atan(float(sim.world.wheelbase_m[0, 0]) / (radius - 1.0)),
    )
    steer = float(sim.state.steer_rad[0, 0])
    for tick in range(1, 500):
        command(sim, 0.0, steer)
        assert float(sim.state.lane_lateral_m[0, 0]) == pytest.approx(1.0, abs=0.03)
        expected = tick * 1.0 * radius / (radius - 1.0)
        assert float(sim.state.progress_m[0]) == pytest.approx(expected, rel=2e-3, abs=0.1)
    assert int(sim.state.route_index[0]) >= 1


def test_traffic_on_rails_keeps_both_axles_on_the_lane() -> None:
    radius = 25.0
    config = SimConfig(actors=4, pedestrians=0)
    sim = Simulator(ring(radius), config, torch.arange(3), torch.zeros(3, dtype=torch.int32), controlled=[False] * 4)
    for _ in range(60):
        sim.step(sim.action)
    state, base = sim.state, sim.world.wheelbase_m
    yaw = state.yaw_world_rad
    front = state.xy_world_m + base[..., None] * torch.stack((torch.cos(yaw), torch.sin(yaw)), dim=-1)
    rear_radius = state.xy_world_m.norm(dim=-1)[state.valid]
    assert rear_radius.numpy() == pytest.approx(np.full(len(rear_radius), radius), abs=0.01)
    # The chord is shorter than the arc by wheelbase^3 / (24 radius^2) only.
    assert front.norm(dim=-1)[state.valid].numpy() == pytest.approx(np.full(len(rear_radius), radius), abs=0.06)
