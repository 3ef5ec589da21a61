from dataclasses import replace

import torch
from tiny_scene import BARE, TEXTURES, Actor, make_world, nobody

from configs.schema import CameraConfig, SensorName
from sim.rendering.cameras import Cameras
from sim.rendering.conditions import drawn_conditions
from sim.rendering.rigs import rig_from_config
from sim.rendering.sensor import SENSORS
from sim.rendering.weather import weather_of
from sim.types import ActorKind, GroundTruth, SensorFrame

CAR = Actor(ActorKind.CAR, 14.0, -1.75, 0.0)  # in front of the ego


def shoot(
    rain: float = 0.0, snowfall: float = 0.0, wet: float = 0.0, speed: float = 0.0, tick: int = 0,
    seeds: tuple[int, ...] = (5,), sensor: SensorName = "ideal",
) -> tuple[SensorFrame, GroundTruth]:  # fmt: skip
    world, state = make_world([[CAR]] * len(seeds), seeds=list(seeds))
    state.speed_mps[:, 1] = speed
    state.tick += tick
    rig = rig_from_config(CameraConfig(width_px=160, height_px=96, pitch_deg=0.0))
    cameras = Cameras(BARE, TEXTURES, rig, SENSORS[sensor], len(seeds), 2)
    conditions = replace(drawn_conditions("overcast", 5), rain_mmph=rain, snowfall_mmph=snowfall, wet=wet)
    weather = weather_of([conditions] * len(seeds))
    # The same air with and without drops in it.
    weather = replace(weather, visibility_m=torch.full((len(seeds),), 3000.0))
    ego, boxes = nobody(len(seeds), 1)
    return cameras.render(world, state, weather, ego, boxes)


def changed(a, b, by=3):
    return (a[0].rgb.int() - b[0].rgb.int()).abs().amax(-1) > by


def test_labels_do_not_see_rain_snow_or_spray():
    clear = shoot()
    for wet in (shoot(rain=30.0, wet=1.0, speed=25.0), shoot(snowfall=2.0), shoot(rain=5.0, sensor="dashcam")):
        assert changed(clear, wet).any()
        for name in ("depth_m", "semantic", "instance"):
            assert torch.equal(getattr(clear[1], name), getattr(wet[1], name))
        assert torch.equal(clear[1].boxes_2d.visible_px, wet[1].boxes_2d.visible_px)


def test_more_falls_from_heavier_clouds_and_elsewhere_every_tick():
    dry = shoot()
    shares = [float(changed(dry, shoot(rain=r)).float().mean()) for r in (0.0, 1.0, 10.0, 40.0)]
    assert shares[0] == 0.0 and shares[1] < shares[2] < shares[3] < 0.8
    shares = [float(changed(dry, shoot(snowfall=s)).float().mean()) for s in (0.2, 1.0, 3.0)]
    assert 0.0 < shares[0] < shares[1] < shares[2] < 0.5
    now, again, later = shoot(rain=10.0), shoot(rain=10.0), shoot(rain=10.0, tick=1)
    assert torch.equal(now[0].rgb, again[0].rgb) and changed(now, later).any()


def test_a_worlds_rain_is_its_own_whatever_the_batch():
    alone, many = shoot(rain=10.0, seeds=(8,)), shoot(rain=10.0, seeds=(7, 8, 9))
    assert torch.equal(alone[0].rgb[0], many[0].rgb[1])


def test_spray_hangs_behind_moving_cars_on_wet_roads():
    parked, moving = shoot(wet=0.9), shoot(wet=0.9, speed=25.0)
    row, column = torch.nonzero(changed(parked, moving)[0, 0], as_tuple=True)
    assert len(row) > 50
    assert 60 < float(column.float().mean()) < 100 and float(row.float().mean()) > 48.0  # low, around the car
    assert not changed(shoot(), shoot(speed=25.0)).any()  # dry roads throw none up
