"""Detector, weights files, perceiver and oracle."""

import math

import pytest
import torch
from drawn_scenes import make_camera
from test_tracker import boxes, ego_state

from perception.detector import DetectorConfig, build_detector, images_to_input
from perception.oracle import oracle_percept
from perception.perceiver import Perceiver
from perception.weights import load_detector, read_record, save_detector
from sim.types import SensorFrame

TINY = DetectorConfig(widths=(8, 16, 16, 16), blocks=(1, 1, 1, 1), neck=16, head=16, attention_heads=2)


def test_the_detector_has_about_a_million_parameters_and_exposes_its_attention():
    detector = build_detector().eval()
    assert 0.7e6 < detector.parameter_count() < 1.3e6
    with torch.inference_mode():
        output = detector(images_to_input(torch.randint(0, 256, (2, 192, 320, 3), dtype=torch.uint8)))
    assert output.heat.shape == (2, 4, 48, 80) and output.box.shape == (2, 4, 48, 80)
    assert output.attention.shape == (2, 24, 40) and 0.0 <= output.attention.min() <= output.attention.max() <= 1.0
    torch.testing.assert_close(output.self_attention.sum(dim=(1, 2)), torch.ones(2))


def test_images_of_a_wrong_size_are_refused():
    with pytest.raises(ValueError, match="multiples of 32"):
        build_detector(TINY)(torch.zeros(1, 3, 100, 320))


def test_building_is_a_function_of_the_seed_and_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    a, b, c = (build_detector(TINY, seed).state_dict() for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert all(torch.equal(a[k], b[k]) for k in a) and any(not torch.equal(a[k], c[k]) for k in a)


def test_folding_the_batch_normalisation_changes_nothing_but_rounding():
    detector = build_detector(TINY).train()
    rgb = torch.rand(4, 3, 64, 96)
    for _ in range(3):
        detector(rgb)  # moves the running statistics
    detector.eval()
    with torch.inference_mode():
        expected, actual = detector(rgb), detector.fused()(rgb)
    torch.testing.assert_close(actual.heat, expected.heat, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(actual.semantic, expected.semantic, atol=1e-4, rtol=1e-4)


def test_weights_survive_the_trip_to_disk(tmp_path):
    detector = build_detector(TINY, seed=4).eval()
    save_detector(detector, tmp_path / "d.safetensors", {"seed": 4, "map50": None})
    loaded = load_detector(tmp_path / "d.safetensors")
    rgb = torch.rand(1, 3, 64, 64)
    assert torch.equal(loaded(rgb).heat, detector(rgb).heat)
    assert read_record(tmp_path / "d.safetensors") == {"seed": 4, "map50": None}
    assert [p.name for p in tmp_path.iterdir()] == ["d.safetensors"]


def damaged(path, how):
    save_detector(build_detector(TINY), path)
    data = path.read_bytes()
    if how == "truncated":
        path.write_bytes(data[: len(data) // 2])
    elif how == "garbage":
        path.write_bytes(b"\x80\x04this is a pickle, perhaps" * 50)
    elif how == "empty":
        path.write_bytes(b"")
    elif how == "other width":
        path.write_bytes(data.replace(b'\\"neck\\": 16', b'\\"neck\\": 24'))
    elif how == "huge width":
        path.write_bytes(data.replace(b'\\"head\\": 16', b'\\"head\\":1e9'))
    elif how == "other format":
        path.write_bytes(data.replace(b"roadloop-detector-1", b"roadloop-lookalike1"))
    elif how == "missing":
        path.unlink()


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("missing", "is not a file"),
        ("truncated", "not a readable safetensors file"),
        ("garbage", "not a readable safetensors file"),
        ("empty", "not a readable safetensors file"),
        ("other width", "does not fit"),
        ("huge width", "does not fit"),
        ("other format", "holds no detector"),
    ],
)
def test_damaged_weights_give_one_clear_line(tmp_path, how, message):
    path = tmp_path / "d.safetensors"
    damaged(path, how)
    with pytest.raises(ValueError, match=message) as error:
        load_detector(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value) and "roadloop train" in str(error.value)


def confident_detector():
    """Untrained, but finding something everywhere: its errors are as good as any for comparing bits."""
    detector = build_detector(TINY, seed=1)
    with torch.no_grad():
        detector.maps.weight.mul_(30.0)
        detector.maps.bias[:4] = 0.0
    return detector


def test_a_world_is_perceived_bit_for_bit_the_same_alone_and_in_a_batch():
    camera, generator = make_camera(), torch.Generator().manual_seed(0)
    rgb = torch.randint(0, 256, (4, 3, 1, 192, 320, 3), dtype=torch.uint8, generator=generator)
    together = Perceiver(confident_detector(), camera, 3, 0.1)
    alone = [Perceiver(confident_detector(), camera, 1, 0.1) for _ in range(3)]
    speeds, turns = [3.0, 7.0, 11.0], [0.1, -0.2, 0.3]
    reported = 0
    for tick in range(4):
        batch = together(SensorFrame(rgb[tick], camera, ego_state(speeds, turns))).objects
        reported += int(batch.valid.sum())
        for i in range(3):
            frame = SensorFrame(rgb[tick, i : i + 1], camera, ego_state(speeds[i : i + 1], turns[i : i + 1]))
            single = alone[i](frame).objects
            for name, value in vars(single).items():
                assert torch.equal(value[0], getattr(batch, name)[i]), name
            assert torch.equal(alone[i].detections_px.box_px[0], together.detections_px.box_px[i])
    assert reported > 0
    assert together.attention.shape == (3, 24, 40) and together.self_attention.shape == (3, 6, 10)


def test_a_wrong_number_of_worlds_is_refused():
    camera = make_camera()
    perceiver = Perceiver(build_detector(TINY), camera, 2, 0.1)
    with pytest.raises(ValueError, match="2 worlds and got images of 1"):
        perceiver(SensorFrame(torch.zeros(1, 1, 192, 320, 3, dtype=torch.uint8), camera, ego_state([0.0], [0.0])))


def test_the_oracle_sees_what_is_near_and_ahead():
    xy = [[[59.0, 0.0], [61.0, 0.0], [10.0, 9.9], [10.0, 10.1], [-5.0, 0.0], [10.0, -9.9], [20.0, 0.0]]]
    labels = boxes(xy, [[0.0] * 7])
    labels.valid[0, 6] = False
    percept = oracle_percept(labels, torch.tensor([1.5]))
    assert percept.objects.valid.tolist() == [[True, False, True, False, False, True, False]]
    assert labels.valid.sum() == 6 and percept.time_s.item() == 1.5
    narrow = oracle_percept(labels, torch.tensor([1.5]), range_m=100.0, fov_deg=2 * math.degrees(math.atan(0.5)))
    assert narrow.objects.valid.tolist() == [[True, True, False, False, False, False, False]]
    with pytest.raises(ValueError, match="fov_deg"):
        oracle_percept(labels, torch.tensor([1.5]), fov_deg=180.0)
