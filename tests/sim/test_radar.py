"""Radar against closed forms: where a car is, how fast it comes, how loud it is, what hides and what merges."""

import math
from dataclasses import replace

import torch
from tiny_scene import BARE, SCENERY, TEXTURES, Actor, make_world

from configs.schema import CameraConfig, RadarConfig
from sim.rendering.camera import camera_from_config
from sim.rendering.radar import Radar
from sim.rendering.render import Renderer
from sim.rendering.scenery import Scenery
from sim.rendering.weather import Weather, weather_by_name
from sim.types import ActorKind, RadarLabels, RadarScan, State, World

QUIET = RadarConfig(noise=0.0)


def clear(world: World) -> Weather:
    return weather_by_name("clear", len(world.seed), world.seed)


def heard(
    world: World, state: State, config: RadarConfig = QUIET, scenery: Scenery = BARE, weather: Weather | None = None
) -> tuple[RadarScan, RadarLabels, Radar]:
    camera = camera_from_config(CameraConfig(width_px=16, height_px=16))
    radar = Radar(Renderer(scenery, TEXTURES, camera, *world.kind.shape), config)
    return *radar.scan(world, state, weather or clear(world)), radar


def test_a_car_ahead_is_where_it_is_and_as_fast_as_it_closes_in():
    world, state = make_world([[Actor(ActorKind.CAR, 33.4 + 2.3, -1.75)]])
    state.speed_mps[0] = torch.tensor([20.0, 14.0])
    scan, labels, _ = heard(world, state)
    loudest = 0
    assert labels.instance[0, loudest] == 2 and labels.semantic[0, loudest] == 26
    assert abs(float(scan.range_m[0, loudest]) - 30.0) < 0.4
    assert abs(float(scan.azimuth_rad[0, loudest])) < math.radians(2.0)
    assert abs(float(scan.radial_mps[0, loudest]) + 6.0) < 0.05
    assert (labels.instance[0][scan.valid[0]] == 2).all()
    assert not scan.valid[0, -1] and scan.rcs_dbsm[0, -1] == 0.0
    total = (10.0 ** (0.1 * scan.rcs_dbsm[0][scan.valid[0]])).sum()
    assert 6.0 < float(total) < 14.0  # about ten square metres


def test_a_crossing_car_seen_from_a_turning_ego():
    """Radial speed is the relative velocity along the line of sight; the sensor's arm turns with the ego."""
    world, state = make_world([[Actor(ActorKind.CAR, 30.0, 8.0, yaw=-math.pi / 2)]])
    state.speed_mps[0], state.yaw_rate_radps[0, 0] = torch.tensor([10.0, 7.0]), 0.3
    scan, labels, _ = heard(world, state)
    k = int((labels.instance[0] == 2).nonzero()[0])
    azimuth = float(scan.azimuth_rad[0, k])
    want = (0.0 - 10.0) * math.cos(azimuth) + (-7.0 - 0.3 * 3.4) * math.sin(azimuth)
    assert abs(float(scan.radial_mps[0, k]) - want) < 0.15


def test_what_another_hides_is_not_heard_and_rain_dims_what_is_far():
    bus, car = Actor(ActorKind.BUS, 22.0, -1.75), Actor(ActorKind.CAR, 60.0, -1.75)
    _, alone, _ = heard(*make_world([[car, replace(bus, y=60.0)]]))
    _, hidden, _ = heard(*make_world([[car, bus]]))
    assert (alone.instance == 2).any() and not (hidden.instance == 2).any()
    far = make_world([[Actor(ActorKind.CAR, 150.0, -1.75)]])
    pour = replace(clear(far[0]), rain_mmph=torch.tensor([60.0]))
    assert heard(*far)[0].valid.any()
    assert not heard(*far, weather=pour)[0].valid.any()


def test_cars_closer_than_a_cell_are_one_detection_and_finer_cells_tell_them_apart():
    pair = make_world([[Actor(ActorKind.CAR, 40.0, -0.7), Actor(ActorKind.CAR, 40.0, -2.8)]])
    for wide, count in ((20.0, 1), (1.0, 2)):
        config = RadarConfig(noise=0.0, azimuth_step_deg=wide, range_step_m=10.0)
        scan, labels, _ = heard(*pair, config)
        assert len(labels.instance[0][scan.valid[0]].unique()) == count


def test_noise_is_of_the_tick_and_the_world_alone():
    cars = [[Actor(ActorKind.CAR, 30.0 + b, 1.0), Actor(ActorKind.PEDESTRIAN, 20.0, -5.0)] for b in range(3)]
    world, state = make_world(cars)
    many, sources, radar = heard(world, state, RadarConfig(), SCENERY)
    one, own, _ = heard(*make_world([cars[2]], seeds=[2]), RadarConfig(), SCENERY)
    for whole, part in ((many, one), (sources, own)):
        for name, tensor in vars(part).items():
            if name != "ego_from_radar":
                assert torch.equal(getattr(whole, name)[2:], tensor), name
    before = many.range_m.clone()
    state.tick += 1
    assert not torch.equal(radar.scan(world, state, clear(world))[0].range_m, before)


def test_ghosts_lie_at_twice_the_range_and_speed_of_what_they_mirror():
    world, state = make_world([[Actor(ActorKind.BUS, 22.0, -1.75)]])
    state.speed_mps[0, 0] = 8.0
    scan, labels, _ = heard(world, state, RadarConfig(noise=0.0, ghosts=1.0))
    ghost = labels.ghost[0] & scan.valid[0]
    true = scan.valid[0] & ~labels.ghost[0]
    assert ghost.any() and (labels.instance[0][ghost] == 2).all()
    k, first = int(ghost.nonzero()[0]), int(true.nonzero()[0])
    assert abs(float(scan.range_m[0, k] / scan.range_m[0, first]) - 2.0) < 0.05
    assert abs(float(scan.radial_mps[0, k] / scan.radial_mps[0, first]) - 2.0) < 0.02
    assert not heard(world, state)[1].ghost.any()
