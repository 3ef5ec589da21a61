"""The shade of houses: against rays through a box, on bodies in the picture, and how cameras open up for it."""

import math
from dataclasses import replace

import numpy as np
import torch
import warp as wp
from tiny_scene import BARE, Actor, make_world, shoot

from sim.meshes.street import Street
from sim.render_kernels import house_shade as kernels
from sim.rendering.house_shade import AZIMUTHS, CELL_M, UNIT_M, house_shade
from sim.rendering.planting import Items
from sim.rendering.scenery import Scenery
from sim.rendering.weather import Weather, weather_by_name
from sim.types import ActorKind, Semantic


@wp.kernel
def shares(
    # In
    height: wp.array(dtype=wp.float32),
    top: wp.float32,
    # Out
    share_out: wp.array(dtype=wp.float32),
):
    i = wp.tid()
    share_out[i] = kernels.sunlit(height[i], top)


HOUSE = (12.6, 10.6, 9.0)  # length, width, height


def house(x: float, y: float, yaw: float = 0.0) -> Items:
    items = Items()
    items.add(np.array([x, y]), yaw, HOUSE, Street.TOWN_HOUSE)
    return items


def ray_m(x: float, y: float, turn: float) -> float:
    """How far a ray goes from (x, y) to a house about the origin, in steps of 1 cm; inf where it passes by."""
    along = np.arange(0.0, 60.0, 0.01)
    inside = (np.abs(x + along * math.cos(turn)) < 0.5 * HOUSE[0]) & (
        np.abs(y + along * math.sin(turn)) < 0.5 * HOUSE[1]
    )
    return float(along[inside.argmax()]) if inside.any() else math.inf


def test_the_raster_tells_how_far_and_how_high_the_house_is():
    origin = np.array([-40.0, -30.0])
    raster = house_shade(house(0.0, 0.0), origin, np.array([80.0, 60.0]))
    assert raster.shape == (15, 20, AZIMUTHS, 2)
    for row in range(15):
        for column in range(20):
            x, y = origin + (np.array([column, row]) + 0.5) * CELL_M
            if abs(x) < 6.8 and abs(y) < 5.8:
                assert not raster[row, column].any()  # not in its own shade
                continue
            for k in range(AZIMUTHS):
                far = ray_m(x, y, 2.0 * math.pi * k / AZIMUTHS)
                if math.isinf(far):
                    assert raster[row, column, k, 1] == 0
                else:
                    assert abs(raster[row, column, k, 0] * UNIT_M - far) < 0.2
                    assert raster[row, column, k, 1] * UNIT_M == HOUSE[2]


def test_turned_houses_and_those_off_the_map_shade_it_too():
    raster = house_shade(house(-14.0, 2.0, math.pi / 2), np.zeros(2), np.array([16.0, 4.0]))
    west = raster[0, :, AZIMUTHS // 2]
    np.testing.assert_allclose(west[:, 0] * UNIT_M, np.array([2.0, 6.0, 10.0, 14.0]) + 14.0 - 5.3, atol=0.13)
    assert not house_shade(Items(), np.zeros(2), np.array([16.0, 4.0])).any()


def test_share_of_the_sun_rises_over_the_edge_of_the_shade():
    heights = np.array([0.0, 2.7, 3.0, 3.3, 8.0], np.float32)
    out = wp.zeros(5, dtype=wp.float32, device="cpu")
    wp.launch(shares, 5, [wp.array(heights, device="cpu"), 3.0], [out], device="cpu")
    np.testing.assert_allclose(out.numpy(), np.clip((heights - 3.0) / 0.5 + 1.0, 0.0, 1.0), atol=1e-6)


def beside(items: Items) -> Scenery:
    """The bare straight road with the shade of houses, which themselves are left out of the picture."""
    origin, extent = BARE.ground_origin_world_m[0].numpy(), BARE.shade_shape[0].numpy() * CELL_M
    return replace(BARE, shade=torch.from_numpy(house_shade(items, origin, extent)).reshape(-1))


def sun_from_the_left(elevation_rad: float) -> Weather:
    weather = weather_by_name("clear", 1, torch.tensor([5]))
    weather.sun_azimuth_rad[:] = 0.5 * math.pi
    weather.sun_elevation_rad[:] = elevation_rad
    return weather


def test_a_car_in_the_shade_is_darker_and_the_camera_opens_up():
    world, state = make_world([[Actor(ActorKind.CAR, 14.0, 3.0)]])
    weather, rise = sun_from_the_left(0.6), math.tan(0.6)
    sunny, truth, renderer = shoot(world, state, weather=weather)
    before = sunny.rgb[0, 0].float()
    row = Items()
    for x in np.arange(-30.0, 90.0, HOUSE[0]):  # a closed row, 7 m beside the car
        row.add(np.array([x, 3.0 + 7.0 + 0.5 * HOUSE[1]]), 0.0, HOUSE, Street.TOWN_HOUSE)
    shaded, after, renderer = shoot(world, state, weather=weather, scenery=beside(row))
    assert torch.equal(truth.depth_m, after.depth_m) and torch.equal(truth.instance, after.instance)
    top = float(renderer.scene(world, state)[2].shade_m.numpy()[0, 1])
    assert abs(top - (HOUSE[2] - 7.0 * rise)) < 0.35  # cells know distances to a quarter of a metre
    # Sky light alone is left of sun and sky; the camera makes up for half of it on a logarithmic scale.
    direct, sky = float(weather.sun_rgb[0, 1]) * math.sin(0.6), float(weather.ambient_rgb[0, 1])
    gain = renderer._gain.numpy()[0]
    lit = ((direct + sky) / gain**2 - sky) / direct  # mean over the metered places
    assert 1.0 < gain < math.sqrt((direct + sky) / sky) and 0.0 <= lit < 1.0
    on_car, on_sky = truth.instance[0, 0] == 2, truth.semantic[0, 0] == int(Semantic.SKY)
    assert on_car.sum() > 100
    then, now = before, shaded.rgb[0, 0].float()
    assert now[on_sky].mean() > then[on_sky].mean()  # the same sky, exposed longer
    assert now[on_car].mean() / now[on_sky].mean() < then[on_car].mean() / then[on_sky].mean()


def test_without_houses_nothing_is_shaded_and_the_gain_is_one():
    world, state = make_world([[Actor(ActorKind.CAR, 14.0, 3.0)]])
    _, _, renderer = shoot(world, state, weather=sun_from_the_left(0.6))
    assert renderer.scene(world, state)[2].shade_m.numpy()[0, 1] == 0.0
    np.testing.assert_allclose(renderer._gain.numpy(), 1.0)
