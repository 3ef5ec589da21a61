import math

import numpy as np
import pytest
import torch

from agents.classical import following_accel_mps2
from agents.observation import Observer, observation_space
from planning.route import allowed_speed_mps, along_and_lateral_m, curvature_1pm, route_coordinates, route_points
from sim.observe import EGO_FEATURES, OBJECTS, OBSERVATION_SIZE, ROUTE_INDEX


def twin(percept, route, ego, lead, previous):
    """The observation of sim/kernels/observe.py, slowly: numpy rows over the torch geometry of planning.route."""
    points = route_points(route)
    allowed, curvature = allowed_speed_mps(route, points), curvature_1pm(points)
    objects = percept.objects
    along, lateral = along_and_lateral_m(points, objects.center_ego_m[..., :2])
    along_speed = route_coordinates(points, objects).along_speed_mps
    rows = []
    for b in range(len(ego.speed_mps)):
        valid = route.valid[b]
        limit = float(route.speed_limit_mps[b, 0] if valid[0] else allowed[b])
        speed, free = float(ego.speed_mps[b]), float(allowed[b])
        gap, lead_speed, found = float(lead.gap_m[b]), float(lead.speed_mps[b]), float(lead.found[b])
        row = [speed / 20, float(ego.accel_mps2[b]) / 5, float(ego.steer_rad[b]) / 0.5]
        row += [float(ego.yaw_rate_radps[b]) / 0.5, *previous[b].tolist()]
        row += [float(route.lateral_m[b]) / 2, float(route.heading_rad[b]) / 0.5]
        row += [min(float(route.remaining_m[b]), 100.0) / 100, limit / 20, free / 20, (free - speed) / 5]
        row += [np.clip(float(lead.accel_mps2[b]) / 3, -3, 3), gap / 30, lead_speed / 20, found]
        closing = max(speed - lead_speed, 0.0) * found
        row += [min(closing / max(gap, 1.0), 3.0), min(gap, 10.0) / 10, closing / 10]
        row += [min(closing**2 / (2 * max(gap - 1.0, 0.3)) / 6, 2.0), min(gap / max(speed, 1.0), 4.0) / 4]
        for p in ROUTE_INDEX:
            x, y = points.xy_ego_m[b, p].tolist()
            ahead = float(route.speed_limit_mps[b, p]) if valid[p] else limit
            row += [x / 50, y / 25, ahead / 20, float(curvature[b, p]) / 0.1]
        distance = (objects.center_ego_m[b, :, :2] ** 2).sum(dim=-1)
        order = [k for k in np.argsort(distance.numpy(), kind="stable") if objects.valid[b, k]][:OBJECTS]
        for k in order:
            x, y, _ = objects.center_ego_m[b, k].tolist()
            vx, vy = objects.velocity_ego_mps[b, k].tolist()
            yaw = float(objects.yaw_ego_rad[b, k])
            row += [1.0, x / 50, y / 25, vx / 20, vy / 20]
            row += [
                float(objects.size_m[b, k, 0]) / 10,
                float(objects.size_m[b, k, 1]) / 3,
                math.cos(yaw),
                math.sin(yaw),
            ]
            row += [float(int(objects.kind[b, k]) == kind) for kind in range(4)]
            row += [float(along[b, k]) / 50, float(lateral[b, k]) / 10, float(along_speed[b, k]) / 20]
        row += [0.0] * (OBSERVATION_SIZE - len(row))
        rows.append(np.clip(row, -10, 10))
    return torch.tensor(np.array(rows), dtype=torch.float32)


def test_the_kernel_agrees_with_its_slow_twin(scene):
    percept, route, ego = scene(200, seed=3)
    observer = Observer(200)
    previous = torch.rand(200, 2) * 2.4 - 1.2
    observer.remember(previous)
    observation, lead = observer(percept, route, ego)
    expected = twin(percept, route, ego, lead, previous.clamp(-1.0, 1.0))
    assert torch.allclose(observation, expected, atol=2e-4)
    assert bool((observation.abs() <= observation_space().high[0]).all())


def test_the_kernel_finds_the_lead_that_the_classical_driver_brakes_for(scene):
    percept, route, ego = scene(300, seed=4)
    points = route_points(route)
    expected = following_accel_mps2(points, percept.objects, ego, allowed_speed_mps(route, points))
    _, lead = Observer(300)(percept, route, ego)
    assert torch.allclose(lead.accel_mps2, expected, rtol=1e-3, atol=1e-3)
    assert 0.2 < float(lead.found.float().mean()) < 0.95


def test_a_car_straight_ahead_is_the_lead_at_its_bumper_gap(scene):
    percept, route, ego = scene(1)
    route.valid[:] = True
    route.xy_ego_m[0, :, 0], route.xy_ego_m[0, :, 1] = torch.arange(32) * 2.0, 0.0
    route.speed_limit_mps[:] = 14.0
    objects = percept.objects
    objects.valid[:] = False
    objects.valid[0, 5] = True
    objects.center_ego_m[0, 5] = torch.tensor([24.0, 0.3, 0.8])
    objects.size_m[0, 5] = torch.tensor([4.0, 1.8, 1.5])
    objects.yaw_ego_rad[0, 5] = 0.0
    objects.velocity_ego_mps[0, 5] = torch.tensor([6.0, 0.0])
    ego.speed_mps[:] = 10.0
    _, lead = Observer(1)(percept, route, ego)
    front = 0.5 * (float(ego.wheelbase_m) + 4.5)
    assert bool(lead.found)
    assert float(lead.gap_m) == pytest.approx(24.0 - 2.0 - front, abs=1e-3)
    assert float(lead.speed_mps) == pytest.approx(6.0, abs=1e-4)


def test_rows_are_the_same_alone_and_in_a_batch_and_masked_rows_stay(scene, row):
    percept, route, ego = scene(33, seed=5)
    together = Observer(33)(percept, route, ego)[0].clone()
    for i in range(0, 33, 4):
        alone, _ = Observer(1)(row(percept, i), row(route, i), row(ego, i))
        assert torch.equal(alone[0], together[i])
    observer = Observer(33)
    mask = torch.arange(33) % 3 == 0
    partly, _ = observer(percept, route, ego, mask)
    assert torch.equal(partly[mask], together[mask])
    assert bool((partly[~mask] == 0.0).all())


def test_no_objects_at_all(scene):
    percept, route, ego = scene(4, objects=0)
    observation, lead = Observer(4)(percept, route, ego)
    assert bool((observation[:, EGO_FEATURES + 4 * len(ROUTE_INDEX) :] == 0.0).all())
    assert not bool(lead.found.any())
