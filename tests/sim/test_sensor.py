from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from test_labels import crowd
from tiny_scene import SCENERY, make_world, shoot

from configs.schema import SensorConfig
from sim.rendering.sensor import SENSORS, Sensor, SensorStage, dirt_film, exposure_curve, sensor_from_config
from sim.rendering.weather import weather_by_name

# frame, truth, world, state, weather
Scene = tuple[Any, Any, Any, Any, Any]


def scene(weather: str = "clear", seeds: tuple[int, ...] = (3,), **kwargs: Any) -> Scene:
    world, state = make_world([crowd()] * len(seeds), seeds=list(seeds))
    frame, truth, _ = shoot(world, state, scenery=SCENERY, weather=weather, **kwargs)
    return frame, truth, world, state, weather_by_name(weather, len(seeds), world.seed)  # type: ignore[arg-type]


def flat(value: int, height: int = 64, width: int = 96) -> Scene:
    """A frame of one colour, as a camera of the tiny scene takes it."""
    frame, truth, world, state, weather = scene(width=width, height=height)
    return replace(frame, rgb=torch.full_like(frame.rgb, value)), truth, world, state, weather


def test_the_ideal_sensor_changes_nothing():
    frame, *rest = scene()
    assert torch.equal(SensorStage(SENSORS["ideal"]).apply(frame, *rest).rgb, frame.rgb)


@pytest.mark.parametrize("name", ["dashcam", "phone", "industrial"])
def test_pictures_change_and_labels_stay_bit_for_bit(name):
    frame, truth, *rest = scene("rain")
    before = [x.clone() for x in (truth.depth_m, truth.semantic, truth.instance, truth.boxes_2d.visible_px)]
    seen = SensorStage(SENSORS[name]).apply(frame, truth, *rest)
    assert not torch.equal(seen.rgb, frame.rgb)
    assert (seen.rgb.float() - frame.rgb.float()).abs().mean() < 30.0
    after = (truth.depth_m, truth.semantic, truth.instance, truth.boxes_2d.visible_px)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def test_a_view_is_the_same_alone_and_in_a_batch_and_differs_by_tick():
    frame, truth, world, state, weather = scene("rain", seeds=(11, 12, 13))
    stage = SensorStage(replace(SENSORS["dashcam"], jpeg_quality=0))
    many = stage.apply(frame, truth, world, state, weather).rgb.clone()
    alone = SensorStage(replace(SENSORS["dashcam"], jpeg_quality=0)).apply(*scene("rain", seeds=(12,))).rgb
    assert torch.equal(alone[0], many[1])
    state.tick += 1
    assert not torch.equal(stage.apply(frame, truth, world, state, weather).rgb, many)
    state.tick -= 1
    assert torch.equal(stage.apply(frame, truth, world, state, weather).rgb, many)


def test_noise_has_the_deviation_that_was_asked_for():
    for value in (40, 128, 220):
        noisy = SensorStage(Sensor(read_noise=0.01, shot_noise=0.03)).apply(*flat(value)).rgb.float()
        light = (value / 255) ** 2.2
        slope = min(max(light, 0.01) ** (1 / 2.2 - 1) / 2.2, 3.0)
        want = np.hypot(0.01, 0.03 * np.sqrt(light)) * slope * 255
        assert float(noisy.std()) == pytest.approx(want, rel=0.06, abs=0.15)
        assert float(noisy.mean()) == pytest.approx(value, abs=0.3)
        pixel = noisy[0, 0] - noisy.mean()
        assert abs(float((pixel[:, 1:] * pixel[:, :-1]).mean())) < 0.1 * float(noisy.var())


def test_vignetting_darkens_the_corners_by_what_was_asked_for():
    seen = SensorStage(Sensor(vignetting=0.5)).apply(*flat(200)).rgb[0, 0].float()
    height, width = seen.shape[:2]
    v, u = np.mgrid[:height, :width] + 0.5
    radius = ((u - width / 2) ** 2 + (v - height / 2) ** 2) * 4 / (width**2 + height**2)
    np.testing.assert_allclose(seen[..., 1].numpy(), 200 * (1 - 0.25 * radius), atol=0.51)


def test_softening_and_fringes_twin():
    frame, *rest = scene()
    seen = SensorStage(Sensor(softness=0.4, chromatic_px=0.8)).apply(frame, *rest).rgb[0, 0].numpy().astype(int)
    image = np.pad(frame.rgb[0, 0].numpy().astype(np.float64), ((1, 1), (1, 1), (0, 0)), mode="edge")
    middle, up, down = image[1:-1, 1:-1], image[:-2, 1:-1], image[2:, 1:-1]
    left, right = image[1:-1, :-2], image[1:-1, 2:]
    height, width = middle.shape[:2]
    v, u = np.mgrid[:height, :width] + 0.5
    way = 0.8 * 2 / np.hypot(width, height)
    sx, sy = way * (u - width / 2), way * (v - height / 2)
    sign = np.array([1.0, 0.0, -1.0])
    want = middle - 0.4 * (middle - 0.25 * (up + down + left + right))
    want -= 0.5 * sign * (sx[..., None] * (right - left) + sy[..., None] * (down - up))
    assert np.abs(seen - np.rint(np.clip(want, 0, 255))).max() <= 1


def test_motion_blur_follows_the_flow_of_the_ground():
    """Driving ahead, a vertical line right of the middle is smeared by v t f x / z; without motion it stays."""
    frame, truth, world, state, weather = scene()
    line = torch.zeros_like(frame.rgb)
    line[..., 120:121, :] = 240
    weather = replace(weather, lamps=torch.ones(1))
    wall = replace(truth, depth_m=torch.full_like(truth.depth_m, 8.0))
    for speed, yaw_rate in ((0.0, 0.0), (20.0, 0.0), (0.0, 0.5)):
        ego = replace(frame.ego, speed_mps=torch.tensor([speed]), yaw_rate_radps=torch.tensor([yaw_rate]))
        stage = SensorStage(Sensor(motion_blur_s=0.04))
        seen = stage.apply(replace(frame, rgb=line, ego=ego), wall, world, state, weather).rgb[0, 0, 48, :, 0]
        lit = int((seen > 0).sum())
        x = 40.5 / 80
        want = abs(speed * 0.04 / 8.0 * 80 * x) + abs(yaw_rate) * 0.04 * 80 * (1 + x * x)
        assert lit == pytest.approx(max(1.0, want), abs=1.3)
        assert float(seen.float().sum()) == pytest.approx(240, rel=0.35)


def test_rows_of_a_rolling_shutter_show_their_own_time():
    """Turning left past a far upright line slants it by focal length times angle; driving ahead spreads a wall's lines
    in the rows below the middle, which come later, and draws them together above."""
    frame, truth, world, state, weather = scene()
    height, readout = frame.rgb.shape[2], 0.05
    line = torch.zeros_like(frame.rgb)
    line[..., 79:81, :] = 240
    far = replace(truth, depth_m=torch.full_like(truth.depth_m, 1e6))
    ego = replace(frame.ego, speed_mps=torch.tensor([0.0]), yaw_rate_radps=torch.tensor([0.4]))
    stage = SensorStage(Sensor(rolling_shutter_s=readout))
    seen = stage.apply(replace(frame, rgb=line, ego=ego), far, world, state, weather).rgb[0, 0, :, :, 0].float()
    columns, rows = torch.arange(160) + 0.5, torch.arange(height) + 0.5
    middle = (seen * columns).sum(1) / seen.sum(1)
    late = readout * (rows / height - 0.5)
    assert torch.allclose(middle, 80.0 + 80.0 * 0.4 * late, atol=0.1)  # to the right, as the car turns left

    line = torch.zeros_like(frame.rgb)
    line[..., 119:121, :] = 240
    wall = replace(truth, depth_m=torch.full_like(truth.depth_m, 8.0))
    ego = replace(frame.ego, speed_mps=torch.tensor([20.0]), yaw_rate_radps=torch.tensor([0.0]))
    seen = stage.apply(replace(frame, rgb=line, ego=ego), wall, world, state, weather).rgb[0, 0, :, :, 0].float()
    middle = (seen * columns).sum(1) / seen.sum(1)
    assert torch.allclose(middle - 80.0, 40.0 / (1.0 - 20.0 * late / 8.0), atol=0.35)


def test_a_rolling_shutter_of_a_car_that_stands_changes_nothing():
    frame, truth, world, state, weather = scene()
    ego = replace(frame.ego, speed_mps=torch.zeros(1), yaw_rate_radps=torch.zeros(1))
    seen = SensorStage(Sensor(rolling_shutter_s=0.05)).apply(replace(frame, ego=ego), truth, world, state, weather)
    assert torch.equal(seen.rgb, frame.rgb)


def test_automatic_exposure_evens_frames_and_white_balance_makes_the_mean_grey():
    count = 1000
    mean = torch.tensor([[0.2, 0.25, 0.3], [0.6, 0.55, 0.5]], dtype=torch.float64)
    totals = (mean * 255 * count).long()
    curve = exposure_curve(Sensor(auto_exposure=1.0, white_balance=1.0), totals, count) / 255
    at = curve.gather(2, (mean * 255).long()[..., None])[..., 0]
    assert (at.amax(1) - at.amin(1) < 0.02).all()
    assert at[0].mean() > mean[0].mean() and at[1].mean() < mean[1].mean()
    assert (curve.diff(dim=-1) >= 0).all() and curve.max() <= 1.0
    same = exposure_curve(Sensor(), totals, count)
    assert torch.equal(same, torch.arange(256).float().expand(2, 3, 256))


def test_glare_lights_up_what_lies_beside_a_lamp():
    frame, *rest = flat(30)
    frame.rgb[..., 24:40, 32:48, :] = 255
    seen = SensorStage(Sensor(glare=1.0)).apply(frame, *rest).rgb[0, 0, :, :, 0].float()
    assert seen[31, 52] > seen[31, 62] > seen[31, 95] >= 30.0
    assert float(seen[31, 24]) == pytest.approx(float(seen[31, 55]), abs=4.0)


def test_drops_fall_with_the_rain_only():
    wet, dry = (
        SensorStage(Sensor(drops=1.0)).apply(frame, *rest).rgb.int() - frame.rgb.int()
        for frame, *rest in (scene("heavy_rain"), scene("clear"))
    )
    share = float((wet.abs().amax(-1) > 3).float().mean())
    assert 0.005 < share < 0.5 and int(dry.abs().max()) == 0


def test_jpeg_dirt_and_numbers_of_ones_own():
    frame, *rest = scene()
    coarse, fine = (
        SensorStage(Sensor(jpeg_quality=q)).apply(frame, *rest).rgb.int() - frame.rgb.int() for q in (20, 95)
    )
    assert coarse.abs().float().mean() > 2.0 * fine.abs().float().mean() > 0.0
    film = dirt_film(5, 12, 20)
    assert (
        film.shape == (12, 20)
        and film.min() >= 0.0
        and film.max() <= 1.0
        and not np.array_equal(film, dirt_film(6, 12, 20))
    )
    own = sensor_from_config(SensorConfig(like="dashcam", vignetting=0.0, jpeg_quality=0))
    assert own == replace(SENSORS["dashcam"], vignetting=0.0, jpeg_quality=0)
    assert sensor_from_config("phone") == SENSORS["phone"]
