"""The weather of a scenario's first environment, as conditions that the cameras draw."""

import math
from dataclasses import replace
from datetime import datetime

from configs.schema import WeatherName
from sim.rendering.conditions import Conditions, Forecast, drawn_conditions
from sim.scenarios.behaviours import Environment, SetEnvironment
from sim.scenarios.model import Scenario
from sim.scenarios.values import Draw, Value

_FOG_BELOW_M = 500.0  # of visibility
_DUSK_BELOW_RAD = 0.1  # of the sun's elevation
_NIGHT_BELOW_RAD = -0.12
_COVER = {  # OpenSCENARIO's fractionalCloudCover, and the cloudState of version 1.0
    **{f"{word}Oktas": okta / 8.0 for okta, word in enumerate(("zero", "one", "two", "three", "four", "five", "six"))},
    **{"sevenOktas": 0.875, "eightOktas": 1.0, "nineOktas": 1.0},
    **{"free": 0.0, "cloudy": 0.6, "overcast": 1.0, "rainy": 1.0},
}  # fmt: skip
_SNOW_COVER = 0.7  # of the ground where it snows


def weather_of(scenario: Scenario, draw: Draw) -> WeatherName:
    """The preset nearest to the environment that the scenario starts with; clear where it sets none."""
    environment = first_environment(scenario)
    if environment is None:
        return "clear"
    (found,) = forecasts_of(scenario, draw)[:1]
    now, up = found.conditions[0], found.conditions[0].sun()[1]
    if now.snowfall_mmph > 0.0 or now.snow > 0.0:
        return "snow"
    if now.rain_mmph > 0.0:
        return "night_rain" if up < _NIGHT_BELOW_RAD else "rain"
    if now.visibility_m < _FOG_BELOW_M:
        return "fog"
    if up < _NIGHT_BELOW_RAD:
        return "night"
    return "dusk" if up < _DUSK_BELOW_RAD else "overcast" if now.cloud > 0.9 else "clear"


def forecasts_of(scenario: Scenario, draw: Draw) -> tuple[Forecast, ...]:
    """Constant weather for every run of the draw: clear, but for what the scenario's first environment says."""
    environment = first_environment(scenario)
    return tuple(
        Forecast((0.0,), (_conditions(environment, draw, run) if environment else drawn_conditions("clear", run),))
        for run in range(draw.size)
    )


def first_environment(scenario: Scenario) -> Environment | None:
    """The environment that holds when the scenario starts: the last of its initial actions that sets one."""
    found = [a.body.environment for _, a in scenario.init if isinstance(a.body, SetEnvironment)]
    return found[-1] if found else None


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"time of day {text!r}: want ISO 8601, as in 2026-06-21T18:30:00") from error


def _conditions(environment: Environment, draw: Draw, run: int) -> Conditions:
    def number(value: Value | None) -> float | None:
        return None if value is None else float(value.numbers(draw)[run])

    found = drawn_conditions("clear", run)
    if environment.time_of_day is not None:
        moment = _moment(environment.time_of_day)
        hours = moment.hour + moment.minute / 60.0 + moment.second / 3600.0
        found = replace(
            found, day_of_year=float(moment.timetuple().tm_yday), time_h=hours, latitude_deg=48.0, north_deg=0.0
        )
    azimuth, elevation = number(environment.sun_azimuth), number(environment.sun_elevation)
    if azimuth is not None:  # from north (+y) over east (+x)
        found = replace(found, sun_azimuth_deg=90.0 - math.degrees(azimuth))
    if elevation is not None:
        found = replace(found, sun_elevation_deg=math.degrees(elevation))
    if environment.cloud is not None:
        found = replace(found, cloud=_COVER.get(environment.cloud, found.cloud))
    visibility = number(environment.fog_visibility)
    if visibility is not None:
        found = replace(found, visibility_m=min(max(visibility, 5.0), 1.0e5))
    amount = number(environment.precipitation_intensity)
    falling = min(3.0 if amount is None else amount, 200.0)
    if environment.precipitation == "rain" and falling > 0.0:
        found = replace(found, rain_mmph=falling, wet=min(1.0, 0.5 + 0.1 * falling))
    if environment.precipitation == "snow" and falling > 0.0:
        found = replace(found, snowfall_mmph=min(falling, 20.0), snow=_SNOW_COVER, wet=0.3)
    return found
