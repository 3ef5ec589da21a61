import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from configs.schema import WeatherConfig
from sim.rendering.atmosphere import clear_sky
from sim.rendering.clouds import clouds_of
from sim.rendering.conditions import NAMES, Forecast, between, conditions_of, drawn_conditions
from sim.rendering.sun import sun_position
from sim.rendering.weather import WEATHER_FLOATS, visibility_through, weather_of

LUMA = np.array([0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize(
    ("day", "time_h", "latitude", "elevation", "azimuth"),
    [
        # Noon heights are 90 deg - |latitude - declination|; declinations of the Astronomical Almanac.
        (172, 12.03, 51.48, 90 - 51.48 + 23.44, 180.0),  # June solstice at Greenwich
        (355, 11.97, 51.48, 90 - 51.48 - 23.43, 180.0),  # December solstice
        (79.5, 12.12, 0.0, 90.0, None),  # March equinox at the equator
        (172, 12.03, -33.87, 90 - 33.87 - 23.44, 0.0),  # winter in Sydney: the sun stands in the north
        (172, 3.03, 51.48, -5.33, 40.65),  # spherical triangle with hour angle -135 deg and declination 23.44 deg
    ],
)
def test_the_sun_stands_where_the_almanac_says(day, time_h, latitude, elevation, azimuth):
    course, up = (math.degrees(float(x)) for x in sun_position(day, time_h, latitude))
    assert up == pytest.approx(elevation, abs=0.5)
    if azimuth is not None:
        assert (course - azimuth + 180) % 360 - 180 == pytest.approx(0.0, abs=1.0)


def test_the_equation_of_time_has_its_known_extremes():
    # The sun crosses the meridian 14.2 min late on the 11th of February and 16.4 min early on the 3rd of November.
    for day, late_min in ((42, 14.2), (307, -16.4), (106, 0.0), (164, 0.0)):
        before, after = (float(sun_position(day, 12 + m / 60, 45.0)[0]) for m in (late_min - 1.0, late_min + 1.0))
        assert before < math.pi < after


def test_clear_sky_brightens_with_the_sun_and_loses_to_haze():
    elevation = np.radians(np.arange(-15.0, 85.0, 2.5))
    sky = clear_sky(elevation, np.full(len(elevation), 2.5))
    for light in (sky.sun_rgb @ LUMA, sky.zenith_rgb @ LUMA):
        assert (np.diff(light) >= -1e-12).all()
    assert (sky.sun_rgb[elevation < math.radians(-1.5)] < 1e-12).all()
    assert (sky.sun_rgb <= 1.0).all()
    # No more light comes down than came in, and the most of it where there is least haze.
    clean, hazy = (clear_sky(elevation, np.full(len(elevation), t)) for t in (1.6, 8.0))
    up = np.maximum(np.sin(elevation), 0.0)[:, None]
    high = elevation > 0.3
    for light in (clean, sky, hazy):
        assert ((light.sun_rgb * up + light.ambient_rgb)[high] < up[high] * 1.02).all()
    assert ((clean.sun_rgb - hazy.sun_rgb)[high] > 0.1).all()
    # Blue overhead by day, red sun when it stands low.
    assert (sky.zenith_rgb[high & (elevation < 0.9), 2] > 1.4 * sky.zenith_rgb[high & (elevation < 0.9), 0]).all()
    low = clear_sky(np.radians([3.0]), np.array([2.5])).sun_rgb[0]
    assert low[0] > 2.0 * low[1] > 4.0 * low[2]


def test_clear_noon_has_the_light_that_is_measured_outdoors():
    sky = clear_sky(np.radians([60.0]), np.array([2.5]))
    direct, diffuse = float(sky.sun_rgb[0] @ LUMA) * math.sin(math.radians(60.0)), float(sky.ambient_rgb[0] @ LUMA)
    # IES Handbook: about 1e5 lux in the open, a seventh to a third of it from the blue sky.
    assert 0.8e5 < (direct + diffuse) * 1.2e5 < 1.2e5
    assert 1 / 7 < diffuse / (direct + diffuse) < 1 / 3


def conditions(**given):
    return conditions_of(WeatherConfig(**given), seed=3)


def test_clouds_take_the_sun_first_and_then_the_light():
    rows = [conditions(cloud=c, time_h=12.0, latitude_deg=45.0, day_of_year=120) for c in (0.0, 0.3, 0.6, 0.9, 1.0)]
    weather = weather_of(rows)
    share = (weather.sun_rgb @ torch.tensor(LUMA).float()) / (weather.ambient_rgb @ torch.tensor(LUMA).float())
    assert (share.diff() < 0).all() and share[-1] == 0.0
    # The exposure gives back what clouds take: a grey day is no dark picture.
    ground = weather.ambient_rgb + weather.sun_rgb * torch.sin(weather.sun_elevation_rad)[:, None]
    assert ground[-1].mean() == pytest.approx(float(ground[0].mean()), rel=0.6)


def test_visibility_adds_extinctions():
    clear = visibility_through(np.array([1e4]), np.zeros(1), np.zeros(1))
    assert clear[0] == pytest.approx(1e4)
    rain = visibility_through(np.array([1e5]), np.array([1.0, 10.0, 50.0]), np.zeros(3))
    assert (np.diff(rain) < 0).all() and 2000 < rain[1] < 4000
    both = visibility_through(np.array([200.0]), np.array([10.0]), np.zeros(1))
    assert 3 / both[0] == pytest.approx(3 / 200 + 0.25 * 10**0.67 / 1000)


def test_lamps_go_on_when_it_gets_dark_and_street_lights_after_them():
    rows = [conditions(sun_elevation_deg=e, sun_azimuth_deg=10.0, cloud=0.0) for e in np.arange(10.0, -20.0, -1.0)]
    weather = weather_of(rows)
    assert weather.lamps[0] == weather.street[0] == 0.0 and weather.lamps[-1] == weather.street[-1] == 1.0
    assert (weather.lamps.diff() >= 0).all() and (weather.lamps >= weather.street).all()
    assert (weather.beam.diff() >= 0).all() and weather.beam[
        9
    ] < 0.2  # the darker, the longer the exposure, until its limit
    assert weather.beam[-1] < 4.0


@pytest.mark.parametrize("name", NAMES)
def test_presets_stay_in_their_range_and_differ_by_seed(name):
    drawn = [drawn_conditions(name, seed) for seed in range(30)]
    assert drawn[4] == drawn_conditions(name, 4) != drawn[5]
    weather = weather_of(drawn)
    assert weather.packed().shape == (30, WEATHER_FLOATS) and weather.packed().isfinite().all()
    elevation = torch.rad2deg(weather.sun_elevation_rad)
    assert ((elevation < -8.9) == torch.tensor("night" in name)).all()
    assert (weather.rain_mmph > 0).all() == ("rain" in name)
    # Whatever the light, the camera exposes for it: a sunlit or lamplit grey road is neither black nor white.
    ground = 0.15 * (weather.ambient_rgb + weather.sun_rgb * torch.sin(weather.sun_elevation_rad).clamp(0)[:, None])
    lit = (ground.mean(1) + 0.15 * weather.beam * weather.lamps) * weather.exposure
    assert lit.min() > 0.04 and lit.max() < 0.9


def test_what_is_given_is_taken_and_the_rest_drawn():
    found = conditions(like="rain", rain_mmph=3.0, cloud=0.5, time_h=15.0)
    drawn = drawn_conditions("rain", 3)
    assert (found.rain_mmph, found.cloud, found.time_h, found.north_deg) == (3.0, 0.5, 15.0, 0.0)
    assert found.visibility_m == drawn.visibility_m and found.wet >= drawn.wet
    noon = conditions(time_h=12.0, day_of_year=172, latitude_deg=50.0, north_deg=90.0)
    # The map's y axis points east: the southern noon sun stands at its right, along +x.
    assert math.cos(noon.sun()[0]) == pytest.approx(1.0, abs=0.01)


def test_friction_follows_the_road():
    assert conditions().friction() == pytest.approx(0.95)
    assert conditions(wet=1.0).friction() == pytest.approx(0.6)
    assert conditions(like="snow", snow=1.0).friction() == pytest.approx(0.3)


def test_keyframes_are_met_and_between_them_all_goes_evenly():
    dry, wet = conditions(cloud=0.2, rain_mmph=0.0), conditions(like="rain", rain_mmph=8.0, cloud=1.0)
    forecast = Forecast((10.0, 20.0), (dry, wet))
    assert forecast.at(0.0) == forecast.at(10.0) == dry and forecast.at(20.0) == forecast.at(99.0) == wet
    halfway = forecast.at(15.0)
    assert halfway.rain_mmph == pytest.approx(4.0) and halfway.cloud == pytest.approx(0.6)
    turned = between(replace(dry, north_deg=350.0), replace(dry, north_deg=20.0), 0.5)
    assert turned.north_deg == pytest.approx(365.0)
    placed = between(dry, replace(dry, sun_azimuth_deg=40.0, sun_elevation_deg=30.0), 1.0)
    assert placed.sun() == pytest.approx((math.radians(40.0), math.radians(30.0)))
    steps = weather_of([forecast.at(t) for t in np.linspace(10.0, 20.0, 81)])
    steps = replace(steps, visibility_m=3.0 / steps.visibility_m).packed()  # extinction is what goes evenly
    step = steps.diff(dim=0).abs().max(dim=0).values
    assert (step < 0.1 * steps.abs().max(dim=0).values.clamp(min=1.0)).all()


def test_clouds_are_where_the_painted_sky_is_white():
    sky = np.zeros((1, 8, 16, 3))
    sky[..., :] = (0.1, 0.25, 0.6)
    sky[0, :, 4:8] = 0.9
    cover, lit, none = np.moveaxis(clouds_of(sky), -1, 0)
    assert (cover[0, :, 4:8] == 1.0).all() and (cover[0, :, 8:] == 0.0).all()
    assert (lit[0, :, 4:8] == 1.0).all() and (none == 0.0).all()
