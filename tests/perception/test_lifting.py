"""Projection and lifting are inverse; decoding reads planted maps exactly."""

import math

import pytest
import torch
from drawn_scenes import make_camera
from torchvision.ops import nms

from perception.decode import Detections, _survives_nms, decode
from perception.detector import DEPTH_UNIT_M, HEAD_STRIDE, SIZE_UNIT_M, DetectorOutput
from perception.lifting import bearing_rad, lift, project
from sim.frames import ego_from_camera, wrap_angle_rad
from sim.types import DETECTED_KINDS, ActorKind


def detections_of(center_ego_m, yaw_rad, camera):
    """What a perfect detector would say of cars at (n, 3), as one image."""
    uv, depth_m = project(center_ego_m, camera)
    n = len(center_ego_m)
    return Detections(
        box_px=torch.cat((uv - 5.0, uv + 5.0), dim=-1)[None],
        center_px=uv[None],
        depth_m=depth_m[None],
        size_m=torch.tensor([4.4, 1.8, 1.5]).expand(1, n, 3),
        angle_rad=wrap_angle_rad(yaw_rad - bearing_rad(center_ego_m, camera))[None],
        kind=torch.zeros(1, n, dtype=torch.int32),
        score=torch.ones(1, n),
        valid=torch.ones(1, n, dtype=torch.bool),
    )


def test_projection_of_points_worked_out_by_hand():
    """Level camera at 1.5 m: the ground 15 m ahead lies focal * 1.5 / 15 below the centre, left is smaller u."""
    camera = make_camera(pitch_rad=0.0)
    uv, depth_m = project(torch.tensor([[16.6, 0.0, 0.0], [16.6, 3.0, 1.5]]), camera)
    torch.testing.assert_close(depth_m, torch.tensor([15.0, 15.0]))
    torch.testing.assert_close(uv, torch.tensor([[160.0, 96.0 + 16.0], [160.0 - 32.0, 96.0]]))


@pytest.mark.parametrize("pitch_rad", [0.0, 0.07, -0.2])
def test_lifting_undoes_projection(pitch_rad):
    camera = make_camera(pitch_rad=pitch_rad)
    center = torch.tensor([[10.0, 2.0, 0.75], [40.0, -15.0, 0.9], [5.0, 1.0, 0.5], [25.0, 8.0, 1.6]])
    yaw = torch.tensor([0.3, -3.1, 1.6, 2.9])
    lifted = lift(detections_of(center, yaw, camera), camera)
    torch.testing.assert_close(lifted.center_ego_m[0], center, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(wrap_angle_rad(lifted.yaw_ego_rad[0] - yaw), torch.zeros(4), atol=1e-5, rtol=0.0)


def test_a_turned_camera_lifts_to_its_side():
    camera = make_camera()
    camera.ego_from_camera = ego_from_camera((0.0, 0.5, 1.2), yaw_rad=math.pi / 2)[None]
    center = torch.tensor([[0.0, 12.0, 1.2]])
    found = detections_of(center, torch.tensor([math.pi / 2]), camera)
    torch.testing.assert_close(found.depth_m, torch.tensor([[11.5]]))
    assert abs(float(found.angle_rad)) < 1e-6
    torch.testing.assert_close(lift(found, camera).center_ego_m[0], center, atol=1e-5, rtol=1e-5)


def planted_output(h=48, w=80):
    zeros = {"box": 4, "center": 2, "depth": 1, "size": 3, "angle": 2}
    maps = {name: torch.zeros(1, channels, h, w) for name, channels in zeros.items()}
    heat = torch.full((1, len(DETECTED_KINDS), h, w), -8.0)
    shrunk = torch.zeros(1, h // 8, w // 8)
    return DetectorOutput(
        heat=heat, semantic=torch.zeros(1, 11, h // 2, w // 2), attention=shrunk, self_attention=shrunk, **maps
    )


def test_decoding_reads_a_planted_object_exactly():
    output = planted_output()
    row, column, kind = 20, 30, ActorKind.TRUCK
    output.heat[0, kind, row, column] = 2.0
    output.heat[0, kind, row, column + 1] = 1.5  # a neighbour is not a second object
    output.box[0, :, row, column] = torch.tensor([2.0, 1.5, 3.0, 2.5]).log()
    output.center[0, :, row, column] = torch.tensor([0.25, -0.5])
    output.depth[0, 0, row, column] = math.log(33.0 / DEPTH_UNIT_M)
    output.size[0, :, row, column] = math.log(1.1)
    output.angle[0, :, row, column] = torch.tensor([math.sin(2.2), math.cos(2.2)]) * 0.7
    found = decode(output, top_k=8)
    assert found.valid.tolist() == [[True] + [False] * 7]
    u, v = (column + 0.5) * HEAD_STRIDE, (row + 0.5) * HEAD_STRIDE
    torch.testing.assert_close(found.box_px[0, 0], torch.tensor([u - 8, v - 6, u + 12, v + 10]))
    torch.testing.assert_close(found.center_px[0, 0], torch.tensor([u + 1.0, v - 2.0]))
    assert found.kind[0, 0] == kind and found.score[0, 0] == pytest.approx(1 / (1 + math.exp(-2.0)))
    assert float(found.depth_m[0, 0]) == pytest.approx(33.0, rel=1e-5)
    assert float(found.angle_rad[0, 0]) == pytest.approx(2.2, rel=1e-5)
    torch.testing.assert_close(found.size_m[0, 0], torch.tensor(SIZE_UNIT_M[kind]) * 1.1)


def test_two_kinds_at_one_place_become_one_detection():
    output = planted_output()
    output.heat[0, ActorKind.CAR, 10, 10] = 1.0
    output.heat[0, ActorKind.BUS, 10, 10] = 2.0
    output.heat[0, ActorKind.CAR, 30, 60] = 0.5
    output.box[:] = 1.0
    found = decode(output)
    assert found.kind[0][found.valid[0]].tolist() == [ActorKind.BUS, ActorKind.CAR]


def test_suppression_is_torchvisions():
    generator = torch.Generator().manual_seed(5)
    images, most = 40, 32
    low = 60.0 * torch.rand(images, most, 2, generator=generator)
    box = torch.cat((low, low + 5.0 + 50.0 * torch.rand(images, most, 2, generator=generator)), dim=-1)
    score = torch.rand(images, most, generator=generator).sort(dim=1, descending=True).values
    valid = torch.rand(images, most, generator=generator) < 0.9
    none = torch.zeros(images, most, 3)
    found = Detections(box, low, score, none, score, score.int(), score, valid)
    for iou in (0.2, 0.6):
        kept = _survives_nms(found, iou)
        for image in range(images):
            rows = valid[image].nonzero()[:, 0]
            want = rows[nms(box[image][rows], score[image][rows], iou)].sort().values
            assert torch.equal(kept[image].nonzero()[:, 0], want)
        assert kept.sum() < valid.sum()
