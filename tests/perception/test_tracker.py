"""The tracker follows known motions, keeps identities, and treats worlds of a batch as if they were alone."""

import math
from dataclasses import fields, replace

import numpy as np
import torch

from perception.tracker import Tracker
from sim.types import ActorKind, Boxes3D, EgoState

DT_S = 0.1


def ego_state(speeds, yaw_rates, time_s=0.0):
    zeros = torch.zeros(len(speeds))
    return EgoState(
        speed_mps=torch.tensor(speeds, dtype=torch.float32),
        accel_mps2=zeros,
        steer_rad=zeros,
        yaw_rate_radps=torch.tensor(yaw_rates, dtype=torch.float32),
        wheelbase_m=zeros + 2.7,
        size_m=torch.zeros(len(speeds), 3),
        time_s=zeros + time_s,
    )


def boxes(xy_ego_m, yaw_rad, kind=None, score=None, valid=None):
    """(B, K) boxes of car size from arrays."""
    xy = torch.as_tensor(np.asarray(xy_ego_m), dtype=torch.float32)
    b, k = xy.shape[:2]
    return Boxes3D(
        center_ego_m=torch.cat((xy, torch.full((b, k, 1), 0.75)), dim=-1),
        size_m=torch.tensor([4.4, 1.8, 1.5]).expand(b, k, 3),
        yaw_ego_rad=torch.as_tensor(np.asarray(yaw_rad), dtype=torch.float32),
        velocity_ego_mps=torch.zeros(b, k, 2),
        kind=torch.zeros(b, k, dtype=torch.int32) if kind is None else kind,
        score=torch.full((b, k), 0.8) if score is None else score,
        track_id=torch.arange(k, dtype=torch.int32).expand(b, k),
        valid=torch.ones(b, k, dtype=torch.bool) if valid is None else valid,
    )


def in_ego(xy_world_m, ego_xy_m, ego_yaw_rad):
    """World vectors (K, 2) in an ego frame."""
    cos, sin = math.cos(ego_yaw_rad), math.sin(ego_yaw_rad)
    return (np.asarray(xy_world_m) - ego_xy_m) @ np.array([[cos, -sin], [sin, cos]])


def drive_circle(ticks, speed_mps=8.0, yaw_rate_radps=0.25):
    """Exact poses (x, y, yaw) of an ego on a circle."""
    for i in range(ticks):
        yaw = yaw_rate_radps * DT_S * i
        radius_m = speed_mps / yaw_rate_radps
        yield np.array([radius_m * math.sin(yaw), radius_m * (1.0 - math.cos(yaw))]), yaw


def test_follows_constant_velocities_while_the_ego_turns():
    """Noise of 0.1 m on two cars; the estimated velocity over ground comes within 0.6 m/s and the ids stay."""
    random, tracker = np.random.default_rng(0), Tracker(1, DT_S)
    velocity = np.array([[6.0, 2.0], [-5.0, 1.0]])
    identities = []
    for i, (ego_xy, ego_yaw) in enumerate(drive_circle(40)):
        place = np.array([[15.0, 3.0], [40.0, -4.0]]) + velocity * DT_S * i
        seen = in_ego(place, ego_xy, ego_yaw) + random.normal(0.0, 0.1, (2, 2))
        yaw = np.arctan2(velocity[:, 1], velocity[:, 0]) - ego_yaw
        percept = tracker(boxes(seen[None], yaw[None]), ego_state([8.0], [0.25], i * DT_S))
        objects = percept.objects
        if i > 0:
            identities.append(objects.track_id[0][objects.valid[0]].tolist())
    assert identities == [[0, 1]] * 39
    expected = in_ego(velocity, np.zeros(2), ego_yaw)
    np.testing.assert_allclose(objects.velocity_ego_mps[0, :2], expected, atol=0.6)
    np.testing.assert_allclose(objects.center_ego_m[0, :2, :2], in_ego(place, ego_xy, ego_yaw), atol=0.3)
    np.testing.assert_allclose(np.cos(objects.yaw_ego_rad[0, :2] - yaw), 1.0, atol=0.01)
    assert percept.time_s.item() == np.float32(3.9)


def test_a_standing_object_is_seen_as_standing_from_a_moving_car():
    tracker = Tracker(1, DT_S)
    for i in range(30):
        objects = tracker(boxes([[[50.0 - 1.2 * i, 2.0]]], [[0.0]]), ego_state([12.0], [0.0])).objects
    assert objects.valid[0].sum() == 1
    np.testing.assert_allclose(objects.velocity_ego_mps[0, 0], 0.0, atol=0.25)


def test_crossing_objects_keep_their_identities():
    """Two cars pass each other 3 m apart; their velocities tell them apart."""
    tracker = Tracker(1, DT_S)
    for i in range(40):
        place = np.array([[10.0 + 0.8 * i, 1.5], [42.0 - 0.8 * i, -1.5]])
        order = [0, 1] if i % 2 else [1, 0]
        objects = tracker(boxes(place[None, order], np.zeros((1, 2))), ego_state([0.0], [0.0])).objects
        if i == 5:
            first = {int(t): x for t, x in zip(objects.track_id[0, :2], objects.center_ego_m[0, :2, 0])}
    last = {int(t): x for t, x in zip(objects.track_id[0, :2], objects.center_ego_m[0, :2, 0])}
    assert objects.valid[0].sum() == 2 and first.keys() == last.keys()
    for identity in first:
        assert (last[identity] > first[identity]) == (first[identity] < 26.0)


def test_a_gap_keeps_the_identity_and_a_long_absence_ends_it():
    tracker, seen = Tracker(1, DT_S), torch.ones(1, 1, dtype=torch.bool)
    history = []
    for i in range(40):
        visible = seen & (i not in range(10, 14)) & (i not in range(20, 30))
        objects = tracker(boxes([[[20.0 + 0.5 * i, 0.0]]], [[0.0]], valid=visible), ego_state([0.0], [0.0])).objects
        history.append(objects.track_id[0][objects.valid[0]].tolist())
    assert history[0] == [] and history[1:26] == [[0]] * 25
    assert history[26:31] == [[]] * 5 and history[31:] == [[1]] * 9


def test_one_false_alarm_or_a_weak_one_is_never_reported():
    tracker = Tracker(1, DT_S)
    for i in range(6):
        valid = torch.tensor([[i == 0, True]])
        seen = boxes([[[20.0, 0.0], [30.0, 5.0]]], [[0.0, 0.0]], score=torch.tensor([[0.9, 0.26]]), valid=valid)
        assert not tracker(seen, ego_state([0.0], [0.0])).objects.valid.any()


def test_people_and_vehicles_do_not_exchange_tracks():
    tracker = Tracker(1, DT_S)
    for i in range(6):
        kind = ActorKind.CAR if i < 3 else ActorKind.PEDESTRIAN
        seen = boxes([[[20.0, 0.0]]], [[0.0]], kind=torch.full((1, 1), int(kind), dtype=torch.int32))
        objects = tracker(seen, ego_state([0.0], [0.0])).objects
    kinds = dict(zip(objects.track_id[0][objects.valid[0]].tolist(), objects.kind[0][objects.valid[0]].tolist()))
    assert kinds == {0: ActorKind.CAR, 1: ActorKind.PEDESTRIAN}


def random_world(seed, ticks=25, k=6):
    """Detections of one world, some missing, and its odometry."""
    random = np.random.default_rng(seed)
    start, velocity = random.uniform(-5, 40, (k, 2)), random.uniform(-6, 6, (k, 2))
    for i in range(ticks):
        place = start + velocity * DT_S * i + random.normal(0.0, 0.2, (k, 2))
        valid = torch.from_numpy(random.random((1, k)) < 0.85)
        scores = torch.from_numpy(random.uniform(0.25, 1.0, (1, k))).float()
        kind = torch.from_numpy(random.integers(0, 4, (1, k))).int()
        seen = boxes(place[None], random.uniform(-3, 3, (1, k)), kind=kind, score=scores, valid=valid)
        yield seen, ego_state([random.uniform(0, 12)], [random.uniform(-0.3, 0.3)], i * DT_S)


def stack(parts):
    return type(parts[0])(**{f.name: torch.cat([getattr(p, f.name) for p in parts]) for f in fields(parts[0])})


def test_a_world_is_tracked_bit_for_bit_the_same_alone_and_in_a_batch():
    seeds = list(range(11))
    together = Tracker(len(seeds), DT_S)
    alone = [Tracker(1, DT_S) for _ in seeds]
    for tick in zip(*[random_world(seed) for seed in seeds]):
        batch = together(stack([t[0] for t in tick]), stack([t[1] for t in tick])).objects
        for i, (seen, ego) in enumerate(tick):
            single = alone[i](seen, ego).objects
            for f in fields(Boxes3D):
                assert torch.equal(getattr(batch, f.name)[i], getattr(single, f.name)[0]), f.name
    assert batch.valid.sum() > 20


def test_reset_forgets_only_the_masked_worlds():
    tracker = Tracker(2, DT_S)
    seen = boxes([[[20.0, 0.0]], [[30.0, 0.0]]], [[0.0], [0.0]])
    for _ in range(4):
        tracker(seen, ego_state([5.0, 5.0], [0.1, 0.1]))
    tracker.reset(torch.tensor([True, False]))
    after = tracker(replace(seen, valid=torch.zeros(2, 1, dtype=torch.bool)), ego_state([5.0, 5.0], [0.1, 0.1])).objects
    assert after.valid.sum(dim=1).tolist() == [0, 1]
    assert tracker.xy_odom_m[0].abs().max() == 0.0 and tracker.xy_odom_m[1, 0] > 1.0
