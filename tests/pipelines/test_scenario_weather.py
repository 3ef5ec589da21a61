import math
from pathlib import Path

import pytest

from pipelines.config_io import PRESETS
from pipelines.scenario_weather import forecasts_of, weather_of
from sim.scenarios.reading import read_scenario
from sim.scenarios.values import Draw

PLAIN = min(p for p in (PRESETS / "scenarios").glob("*.yaml") if "\nweather" not in p.read_text())


def read(folder: Path, weather: str):
    file = folder / "scenario.yaml"
    file.write_text(f"{PLAIN.read_text()}\n{'weather: ' if weather else ''}{weather}\n")
    draw = Draw(2)
    scenario = read_scenario(file, draw)
    return weather_of(scenario, draw), [forecast.at(0.0) for forecast in forecasts_of(scenario, draw)]


@pytest.mark.parametrize(
    ("weather", "name"),
    [
        ("", "clear"),
        ("{visibility_m: 120}", "fog"),
        ("{precipitation: rain, intensity_mm_h: 8}", "rain"),
        ("{precipitation: snow}", "snow"),
        ("{time_of_day: '2026-12-21T23:30:00'}", "night"),
        ("{sun: {elevation_deg: 2}}", "dusk"),
        ("{clouds: overcast}", "overcast"),
    ],
)
def test_what_a_scenario_says_of_its_weather_is_drawn(tmp_path, weather, name):
    assert read(tmp_path, weather)[0] == name


def test_numbers_of_an_environment_are_taken_over(tmp_path):
    text = "{visibility_m: 900, clouds: half, precipitation: rain, intensity_mm_h: 4, "
    text += "sun: {azimuth_deg: 90, elevation_deg: 30}}"
    _, (first, second) = read(tmp_path, text)
    assert (first.visibility_m, first.cloud, first.rain_mmph) == (900.0, 0.5, 4.0)
    azimuth, elevation = first.sun()  # 90 degrees from north over east is the map's x axis
    assert math.cos(azimuth) == pytest.approx(1.0) and math.degrees(elevation) == pytest.approx(30.0)
    assert second.visibility_m == 900.0 and second.turbidity != first.turbidity


def test_a_time_that_is_none_is_refused(tmp_path):
    with pytest.raises(ValueError, match="2026-06-21T18:30:00"):
        read(tmp_path, "{time_of_day: noonish}")
