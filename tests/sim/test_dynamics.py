"""The dynamic bicycle, the actuators and slopes against closed forms."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lane_graphs import straight

from configs.schema import SimConfig
from sim.simulator import Simulator
from sim.types import LaneGraph

G = 9.81
FRONT, REAR = 8.0, 10.5  # cornering stiffness per axle load


def alone(lanes: LaneGraph | None = None, **config: Any) -> Simulator:
    """One world with nobody but a controlled ego."""
    settings: dict[str, Any] = {"actors": 1, "pedestrians": 0, "dynamics": "dynamic"} | config
    zero = torch.zeros(1, dtype=torch.int64)
    sim = Simulator(lanes or straight(2000.0), SimConfig(**settings), zero, zero.int())
    sim.action.valid[:] = True
    return sim


def put(sim: Simulator, speed: float, yaw: float = 0.0, steer: float = 0.0, lateral: float = 0.0) -> None:
    sim.state.xy_world_m[0, 0] = torch.tensor([500.0, 0.0])
    sim.state.lane_s_m[0, 0] = 500.0
    for name, value in (("yaw_world_rad", yaw), ("speed_mps", speed), ("steer_rad", steer), ("lateral_mps", lateral)):
        getattr(sim.state, name)[0, 0] = value
    sim.state.yaw_rate_radps[:] = 0.0
    sim._private["drive_mps2"][:] = 0.0


def command(sim: Simulator, accel: float, steer: float) -> None:
    sim.action.accel_mps2[0, 0] = accel
    sim.action.steer_rad[0, 0] = steer
    sim.step(sim.action)


def velocity(sim: Simulator) -> np.ndarray:
    """Of the centre of gravity, in the world."""
    yaw, vx, vy = (float(x[0, 0]) for x in (sim.state.yaw_world_rad, sim.state.speed_mps, sim.state.lateral_mps))
    return np.array([math.cos(yaw) * vx - math.sin(yaw) * vy, math.sin(yaw) * vx + math.cos(yaw) * vy])


@pytest.mark.parametrize("steer", [0.01, -0.02, 0.03])
def test_steady_circles_need_wheelbase_over_radius_plus_the_understeer_gradient(steer: float) -> None:
    sim = alone()
    base = float(sim.world.wheelbase_m[0, 0])
    put(sim, 12.0, steer=steer)
    for _ in range(80):
        command(sim, 2.0 * (12.0 - float(sim.state.speed_mps[0, 0])), steer)
    rate, speed = float(sim.state.yaw_rate_radps[0, 0]), float(np.linalg.norm(velocity(sim)))
    lateral = rate * speed
    understeer = lateral / G * (1.0 / FRONT - 1.0 / REAR)
    # The brush tyre is softer than its slope at the origin by about a sixth of the share of grip in use.
    assert steer == pytest.approx(base * rate / speed + understeer, rel=0.03)
    assert abs(rate) < abs(speed * math.tan(steer) / base) * 0.95  # it does understeer


@pytest.mark.parametrize("friction", [0.3, 0.6])
def test_full_braking_stops_within_v_squared_over_2_mu_g(friction: float) -> None:
    sim = alone(road_friction=friction)
    put(sim, 14.0)
    for _ in range(60):
        command(sim, -8.0, 0.0)
    assert float(sim.state.speed_mps[0, 0]) == 0.0
    travelled = float(sim.state.xy_world_m[0, 0, 0]) - 500.0
    assert travelled == pytest.approx(14.0**2 / (2.0 * friction * G), rel=0.01)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    speed=st.floats(0.0, 35.0),
    lateral=st.floats(-6.0, 6.0),
    friction=st.sampled_from([0.15, 0.3, 0.6, 0.95]),
)
def test_no_manoeuvre_accelerates_more_than_mu_g(seed: int, speed: float, lateral: float, friction: float) -> None:
    sim = _SHARED
    sim.world.friction[:] = friction
    put(sim, speed, lateral=lateral)
    rng = np.random.default_rng(seed)
    for _ in range(40):
        before = velocity(sim)
        command(sim, float(rng.uniform(-9.0, 5.0)), float(rng.uniform(-0.7, 0.7)))
        after = velocity(sim)
        assert np.isfinite(after).all()
        assert np.linalg.norm(after - before) <= friction * G * 0.1 * 1.001 + 2e-3


_SHARED = alone()


def test_both_bicycles_agree_at_low_lateral_acceleration() -> None:
    sims = [alone(dynamics=name) for name in ("kinematic", "dynamic")]
    for sim in sims:
        put(sim, 3.0, steer=0.1)
        for tick in range(60):
            command(sim, 0.2 * math.sin(0.3 * tick), 0.1)
    assert float(sims[0].state.speed_mps[0, 0]) == pytest.approx(float(sims[1].state.speed_mps[0, 0]), abs=0.05)
    assert float(sims[0].state.yaw_world_rad[0, 0]) == pytest.approx(float(sims[1].state.yaw_world_rad[0, 0]), rel=0.02)
    away = (sims[0].state.xy_world_m - sims[1].state.xy_world_m).norm()
    assert float(away) < 0.25


def test_the_dynamic_bicycle_comes_to_rest_and_stays_there() -> None:
    sim = alone(road_friction=0.3)
    put(sim, 6.0, steer=0.4, lateral=3.0)
    for _ in range(60):
        command(sim, -3.0, 0.4)
    resting = sim.state.xy_world_m.clone(), sim.state.yaw_world_rad.clone()
    for _ in range(50):
        command(sim, 0.0, -0.4)
    assert float(sim.state.speed_mps[0, 0]) == float(sim.state.lateral_mps[0, 0]) == 0.0
    assert torch.equal(sim.state.xy_world_m, resting[0]) and torch.equal(sim.state.yaw_world_rad, resting[1])


@pytest.mark.parametrize("dynamics", ["kinematic", "dynamic"])
def test_actuators_follow_steps_with_their_time_constants(dynamics: str) -> None:
    sim = alone(dynamics=dynamics, accel_lag_s=0.3, steer_lag_s=0.2)
    put(sim, 10.0)
    for tick in range(1, 15):
        command(sim, 2.0, 0.02)
        time = 0.1 * tick
        assert float(sim._private["drive_mps2"][0, 0]) == pytest.approx(2.0 * (1.0 - math.exp(-time / 0.3)), rel=1e-4)
        assert float(sim.state.steer_rad[0, 0]) == pytest.approx(0.02 * (1.0 - math.exp(-time / 0.2)), rel=1e-4)


def test_jerk_is_limited() -> None:
    sim = alone(dynamics="kinematic", max_jerk_mps3=5.0)
    put(sim, 10.0)
    for tick in range(1, 12):
        command(sim, -4.0, 0.0)
        assert float(sim.state.accel_mps2[0, 0]) == pytest.approx(-min(0.5 * tick, 4.0), abs=1e-4)


def slope(grade: float) -> LaneGraph:
    flat = straight(2000.0)
    return replace(flat, z_world_m=grade * flat.xy_world_m[:, 0])


@pytest.mark.parametrize("dynamics", ["kinematic", "dynamic"])
@pytest.mark.parametrize("grade,yaw", [(0.08, 0.0), (-0.05, 0.0), (0.08, math.pi)])
def test_gravity_pulls_down_the_slope(dynamics: str, grade: float, yaw: float) -> None:
    sim = alone(slope(grade), dynamics=dynamics)
    put(sim, 10.0, yaw)
    command(sim, 0.0, 0.0)  # the first tick settles where it is
    start = float(sim.state.speed_mps[0, 0])
    for _ in range(10):
        command(sim, 0.0, 0.0)
    uphill = math.atan(grade) * math.cos(yaw)
    assert float(sim.state.pitch_rad[0, 0]) == pytest.approx(-uphill, abs=1e-5)
    assert float(sim.state.z_world_m[0, 0]) == pytest.approx(grade * float(sim.state.xy_world_m[0, 0, 0]), abs=1e-3)
    assert float(sim.state.speed_mps[0, 0]) - start == pytest.approx(-G * math.sin(uphill), rel=1e-3)


@pytest.mark.parametrize("dynamics", ["kinematic", "dynamic"])
def test_brakes_hold_on_a_slope(dynamics: str) -> None:
    sim = alone(slope(-0.08), dynamics=dynamics)
    put(sim, 0.0)
    for _ in range(5):
        command(sim, -1.0, 0.0)
    assert float(sim.state.xy_world_m[0, 0, 0]) == 500.0
