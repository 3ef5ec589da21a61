"""What the weather is in a person's terms, drawn by name and seed, given explicitly, or between keyframes."""

import math
from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

import numpy as np

from configs.schema import WeatherConfig, WeatherName
from sim.rendering.sun import sun_position

NAMES: tuple[WeatherName, ...] = get_args(WeatherName)
DRY_FRICTION, _WET_FRICTION, _SNOW_FRICTION = 0.95, 0.6, 0.3


@dataclass(frozen=True)
class Conditions:
    """Time, place and weather of one world. A sun that is given outright takes the place of time and place."""

    day_of_year: float
    time_h: float  # mean local time
    latitude_deg: float
    north_deg: float  # where the map's +y axis points, clockwise from north
    turbidity: float  # optical depth of all air over that of its molecules
    cloud: float  # cover, 0..1
    visibility_m: float  # in haze and fog, without rain and snow
    rain_mmph: float
    snowfall_mmph: float  # as melted water
    wet: float
    snow: float  # cover of everything that faces up
    town: float  # lamps around that the night sky mirrors, 0..1
    exposure_ev: float
    sun_azimuth_deg: float | None = None  # counter-clockwise from the map's x axis
    sun_elevation_deg: float | None = None

    def sun(self) -> tuple[float, float]:
        """Azimuth (rad, counter-clockwise from the map's x axis) and elevation (rad) of the sun."""
        compass, up = (float(x) for x in sun_position(self.day_of_year, self.time_h, self.latitude_deg))
        azimuth = 0.5 * math.pi - compass + math.radians(self.north_deg)
        if self.sun_azimuth_deg is not None:
            azimuth = math.radians(self.sun_azimuth_deg)
        if self.sun_elevation_deg is not None:
            up = math.radians(self.sun_elevation_deg)
        return azimuth % (2.0 * math.pi), up

    def friction(self) -> float:
        """Of tyres on the road: dry 0.95, wet 0.6, snow 0.3."""
        wet = DRY_FRICTION + (_WET_FRICTION - DRY_FRICTION) * min(1.0, 1.5 * self.wet)
        return wet + (_SNOW_FRICTION - wet) * min(1.0, 1.5 * self.snow)


Range = tuple[float, float]


@dataclass(frozen=True)
class _Preset:
    """Ranges that seeds draw from, evenly; visibility and precipitation evenly in their logarithm."""

    sun_deg: Range  # elevation
    cloud: Range
    visibility_m: Range
    half: Literal["any", "morning", "evening"] = "any"
    turbidity: Range = (1.6, 3.2)
    rain_mmph: Range | None = None
    snowfall_mmph: Range | None = None
    wet: Range = (0.0, 0.0)
    snow: Range = (0.0, 0.0)


_PRESETS: dict[WeatherName, _Preset] = {
    "clear": _Preset((18.0, 65.0), (0.0, 0.3), (8e3, 4e4)),
    "fog": _Preset((8.0, 50.0), (0.8, 1.0), (60.0, 300.0)),
    "dusk": _Preset((-4.0, 2.5), (0.0, 0.6), (6e3, 2e4), half="evening"),
    "cloudy": _Preset((12.0, 60.0), (0.45, 0.8), (8e3, 2.5e4)),
    "overcast": _Preset((8.0, 55.0), (0.92, 1.0), (4e3, 1.5e4)),
    "dawn": _Preset((-4.0, 2.5), (0.0, 0.6), (3e3, 1.5e4), half="morning"),
    "low_sun": _Preset((3.5, 10.0), (0.0, 0.2), (6e3, 2e4), turbidity=(2.0, 3.5)),
    "night": _Preset((-60.0, -9.0), (0.0, 1.0), (6e3, 3e4)),
    "rain": _Preset((8.0, 50.0), (0.92, 1.0), (3e3, 1e4), rain_mmph=(1.0, 6.0), wet=(0.6, 0.9)),
    "heavy_rain": _Preset((8.0, 50.0), (1.0, 1.0), (1.5e3, 4e3), rain_mmph=(10.0, 40.0), wet=(0.95, 1.0)),
    "night_rain": _Preset((-60.0, -9.0), (0.9, 1.0), (3e3, 8e3), rain_mmph=(1.0, 10.0), wet=(0.7, 1.0)),
    "wet": _Preset((10.0, 50.0), (0.3, 0.9), (8e3, 2.5e4), wet=(0.35, 0.9)),
    "snow": _Preset((6.0, 30.0), (0.85, 1.0), (2e3, 8e3), snowfall_mmph=(0.2, 2.0), wet=(0.2, 0.5), snow=(0.5, 1.0)),
}


def drawn_conditions(name: WeatherName | Literal["any"], seed: int) -> Conditions:
    """Conditions of the named weather: a function of the name and the seed alone."""
    if name == "any":
        name = NAMES[int(np.random.default_rng([seed & 0x7FFFFFFF, 78]).integers(len(NAMES)))]
    preset = _PRESETS[name]
    rng = np.random.default_rng([seed & 0x7FFFFFFF, NAMES.index(name), 77])

    def even(span: Range) -> float:
        return float(rng.uniform(*span))

    def wide(span: Range | None) -> float:
        return 0.0 if span is None else float(np.exp(rng.uniform(*np.log(span))))

    day, time, latitude = _moment(rng, preset)
    return Conditions(
        day_of_year=day,
        time_h=time,
        latitude_deg=latitude,
        north_deg=even((0.0, 360.0)),
        turbidity=even(preset.turbidity),
        cloud=even(preset.cloud),
        visibility_m=wide(preset.visibility_m),
        rain_mmph=wide(preset.rain_mmph),
        snowfall_mmph=wide(preset.snowfall_mmph),
        wet=even(preset.wet),
        snow=even(preset.snow),
        town=even((0.2, 1.0)),
        exposure_ev=float(np.clip(rng.normal(0.0, 0.2), -0.5, 0.5)),
    )


def _moment(rng: np.random.Generator, preset: _Preset) -> tuple[float, float, float]:
    """Day, time and latitude when the sun stands within the preset's range: the first of many drawn, or the nearest."""
    count = 512
    day, latitude = rng.uniform(1.0, 366.0, count), rng.uniform(25.0, 60.0, count)
    time = rng.uniform(0.0, 24.0, count)
    if preset.half != "any":
        time = 0.5 * time + (12.0 if preset.half == "evening" else 0.0)
    up = np.degrees(sun_position(day, time, latitude)[1])
    low, high = preset.sun_deg
    best = int(np.argmin(np.maximum(np.maximum(low - up, up - high), 0.0)))
    return float(day[best]), float(time[best]), float(latitude[best])


def conditions_of(config: WeatherConfig, seed: int) -> Conditions:
    """What the configuration gives, and what the seed draws of its `like` for the rest. A given time is the clock's."""
    given = config.model_dump(exclude={"like", "at_s"}, exclude_none=True)
    if given.keys() & {"day_of_year", "time_h", "latitude_deg"}:
        given.setdefault("north_deg", 0.0)
    drawn = replace(drawn_conditions(config.like, seed), **given)
    if "wet" not in given and drawn.rain_mmph > 0.0:
        drawn = replace(drawn, wet=max(drawn.wet, min(1.0, 0.5 + 0.1 * drawn.rain_mmph)))
    return drawn


def between(before: Conditions, after: Conditions, share: float) -> Conditions:
    """Conditions `share` of the way from one to the other: every number linearly, angles the short way round."""
    mixed: dict[str, float | None] = {}
    for field in fields(Conditions):
        a, b = getattr(before, field.name), getattr(after, field.name)
        if field.name.startswith("sun_") and (a is None) != (b is None):
            stands = np.degrees((before if a is None else after).sun())[int(field.name == "sun_elevation_deg")]
            a, b = (float(stands) if x is None else x for x in (a, b))
        if a is None or b is None:
            mixed[field.name] = None
        elif field.name in ("north_deg", "sun_azimuth_deg"):
            mixed[field.name] = a + share * ((b - a + 180.0) % 360.0 - 180.0)
        else:
            mixed[field.name] = a + share * (b - a)
    return Conditions(**mixed)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Forecast:
    """How one world's weather goes on: keyframes in order of time, constant before the first and after the last."""

    at_s: tuple[float, ...]
    conditions: tuple[Conditions, ...]

    def at(self, time_s: float) -> Conditions:
        after = int(np.searchsorted(self.at_s, time_s, side="right"))
        if after == 0 or after == len(self.at_s):
            return self.conditions[max(after - 1, 0)]
        start, end = self.at_s[after - 1], self.at_s[after]
        return between(self.conditions[after - 1], self.conditions[after], (time_s - start) / (end - start))
