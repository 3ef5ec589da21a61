"""Light and air of each world, from conditions that a person would name: time, place, clouds, rain, fog, snow.

    conditions (named, explicit, or between two keyframes) -> sun, sky and air of the clear atmosphere
                                                           -> clouds, lamps, exposure -> Weather

Colours are linear RGB in units of the camera's exposure: 1 is about where film turns white. Air follows Koschmieder's
law: contrast falls to 5 % at the visibility (meteorological optical range), so extinction = 3 / visibility per metre.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from configs.schema import WeatherName
from sim.rendering.atmosphere import clear_sky
from sim.rendering.conditions import NAMES, Conditions, drawn_conditions

_LUMA = np.array([0.2126, 0.7152, 0.0722])
_FULL_SUN_LUX = 1.2e5  # of light 1 in the atmosphere's units, on a matt surface
_LAMP = 1.6e-4  # what headlights and street lights give a road, in the same units
_METERED_GROUND = 0.17  # albedo of what the exposure meter sees below the horizon
_METER = 0.27  # exposed brightness of the metered mean
_NIGHT_SKY = np.array([0.7e-6, 0.8e-6, 1.1e-6])  # moon and air glow
_TOWN_GLOW = np.array([2.2e-6, 1.7e-6, 1.3e-6])  # lamps mirrored by the haze, at the horizon
_WHITE_BALANCE = 0.65  # how much of the light's colour cameras take out
_NUMBERS = ("turbidity", "cloud", "visibility_m", "rain_mmph", "snowfall_mmph", "snow", "wet", "town", "exposure_ev")
_SKY = 1.35  # clear sky overhead is brighter than what light that is scattered once or evenly makes it
_VEIL = 0.018  # light that lenses and windscreens scatter over the picture


@dataclass
class Weather:
    """Float32 tensors over the B worlds."""

    sun_azimuth_rad: torch.Tensor  # (B,) direction towards the sun, counter-clockwise from east
    sun_elevation_rad: torch.Tensor  # (B,)
    sun_rgb: torch.Tensor  # (B, 3) light of the sun on a surface that faces it
    ambient_rgb: torch.Tensor  # (B, 3) light of the sky on a surface that faces up
    visibility_m: torch.Tensor  # (B,)
    fog_rgb: torch.Tensor  # (B, 3) colour of the air far away
    zenith_rgb: torch.Tensor  # (B, 3) clear sky overhead
    horizon_rgb: torch.Tensor  # (B, 3) clear sky at the horizon
    glow_rgb: torch.Tensor  # (B, 3) of the sky around the sun
    lamps: torch.Tensor  # (B,) brightness of vehicle lights and lit windows, 0 by day
    exposure: torch.Tensor  # (B,) over the automatic one
    wet: torch.Tensor  # (B,) 0 dry .. 1 water stands on the road
    snow: torch.Tensor  # (B,) 0 none .. 1 everything that faces up is covered
    street: torch.Tensor  # (B,) street lights, 0 off .. 1 on
    rain_mmph: torch.Tensor  # (B,) rain that falls now
    snowfall_mmph: torch.Tensor  # (B,) snow that falls now, as melted water
    sunward_rgb: torch.Tensor  # (B, 3) by how much the horizon is brighter below the sun than on the other side
    cloud_rgb: torch.Tensor  # (B, 3) lit clouds
    cloud: torch.Tensor  # (B,) cover, 0..1
    beam: torch.Tensor  # (B,) light that lamps throw on the road in front of them
    veil_rgb: torch.Tensor  # (B, 3) light scattered over the whole picture

    def packed(self) -> torch.Tensor:
        """All parameters as one tensor (B, WEATHER_FLOATS), in the order of the fields."""
        return torch.column_stack(tuple(vars(self).values()))


WEATHER_FLOATS = 39


def weather_by_name(name: WeatherName | Literal["any"], worlds: int, seeds: torch.Tensor) -> Weather:
    """The named weather for `worlds` worlds, varied by `seeds` (B,) int64; "any" draws one of the names per seed.

    Raises ValueError for an unknown name.
    """
    if name != "any" and name not in NAMES:
        raise ValueError(f"weather: unknown name {name!r}; want one of {', '.join(NAMES)}, any")
    if len(seeds) != worlds:
        raise ValueError(f"seeds: {len(seeds)} given for {worlds} worlds")
    drawn = [drawn_conditions(name, seed) for seed in seeds.tolist()]
    return weather_of(drawn, device=str(seeds.device))


def weather_of(conditions: Sequence[Conditions], device: str = "cpu") -> Weather:
    """The light and air of each world's conditions."""
    azimuth, elevation = (np.array(x) for x in zip(*(c.sun() for c in conditions), strict=True))
    turbidity, cloud, fog_m, rain, snowfall, snow, wet, town, stops = (
        np.array([getattr(c, name) for c in conditions], dtype=np.float64) for name in _NUMBERS
    )
    visibility = visibility_through(fog_m, rain, snowfall)
    sky = clear_sky(elevation, turbidity)
    up = np.maximum(np.sin(elevation), 0.0)[:, None]
    # Kasten and Czeplak, Solar Energy 24, 1980: clouds take 0.75 c^3.4 of all light, and their light is diffuse.
    direct, c = sky.sun_rgb * up, cloud[:, None]
    total = (direct + sky.ambient_rgb) * (1.0 - 0.75 * c**3.4)
    # Fog and rain scatter the sun's light too before it comes down, over some hundred metres of them.
    sunny = (1.0 - 0.75 * c**3.4) * np.clip(1.0 - c * c, 0.0, 1.0) * np.exp(-400.0 / visibility)[:, None]
    sun_rgb = sky.sun_rgb * sunny
    diffuse = total - sun_rgb * up
    night = _NIGHT_SKY + 0.35 * town[:, None] * _TOWN_GLOW * (1.0 + 2.0 * c)
    ambient = _towards(diffuse, sky.ambient_rgb, diffuse, c**2) + night
    gain, balance, light = _exposed(sun_rgb * up + ambient, sky.near_rgb + sky.far_rgb, ambient, c)
    dim = np.maximum(1.0 - 0.75 * c**3.4, 0.25)
    fog_share = np.exp(-visibility / 1500.0)[:, None]  # thick air has the light of all the sky
    horizon = sky.far_rgb * dim + night + town[:, None] * _TOWN_GLOW
    sunward = np.maximum(sky.near_rgb - sky.far_rgb, 0.0) * dim * (1.0 - fog_share)
    clear_air = horizon + 0.35 * sunward
    overcast = np.clip(c * 1.6 - 0.6, 0.0, 1.0)
    cloud_rgb = 0.62 * (sky.sun_rgb * 0.45 * (1.0 - c) + diffuse * (1.0 + 0.25 * overcast)) + night
    air = clear_air + (0.9 * diffuse + night - clear_air) * np.maximum(fog_share, overcast)
    scale = gain[:, None] * balance
    veil = _VEIL * (0.4 * ambient + 0.3 * horizon) * scale
    columns = {
        "sun_azimuth_rad": azimuth,
        "sun_elevation_rad": elevation,
        "sun_rgb": sun_rgb * scale,
        "ambient_rgb": ambient * scale,
        "visibility_m": visibility,
        "fog_rgb": air * scale,
        "zenith_rgb": (_SKY * sky.zenith_rgb * dim + night) * scale,
        "horizon_rgb": horizon * scale,
        "glow_rgb": np.minimum(sky.glow_rgb * sunny * scale, 12.0),
        "lamps": np.maximum(_ramp(light, 1500.0, 300.0), 0.8 * _lit_up_by(visibility, rain)),
        "exposure": 2.0**stops,
        "wet": wet,
        "snow": snow,
        "street": _ramp(light, 90.0, 15.0),
        "rain_mmph": rain,
        "snowfall_mmph": snowfall,
        "sunward_rgb": np.minimum(sunward * scale, 6.0),
        "cloud_rgb": cloud_rgb * scale,
        "cloud": cloud,
        "beam": _LAMP * gain,
        "veil_rgb": veil,
    }
    return Weather(**{k: torch.tensor(v, dtype=torch.float32, device=device) for k, v in columns.items()})


def visibility_through(fog_m: np.ndarray, rain_mmph: np.ndarray, snowfall_mmph: np.ndarray) -> np.ndarray:
    """Visibility (m) in fog of the given one with rain and snow in it: extinctions add up.

    Per km, rain takes 0.25 R^0.67 (Carbonneau and Wisely, 1998) and dry snow 1.27 S^1.38 (ITU-R P.1817).
    """
    extinction = 3.0 / fog_m + (0.25 * rain_mmph**0.67 + 1.27 * snowfall_mmph**1.38) / 1000.0
    return 3.0 / extinction


def _towards(total: np.ndarray, clear: np.ndarray, clouded: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Light of the brightness of `total`, its colour between that of a clear sky and that of clouds."""
    level = total @ _LUMA
    blue, white = (x / np.maximum(x @ _LUMA, 1e-12)[:, None] for x in (clear, clouded))
    return level[:, None] * (blue + (white - blue) * np.clip(share, 0.0, 1.0))


def _exposed(
    ground_light: np.ndarray, horizons: np.ndarray, ambient: np.ndarray, cloud: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gain (B,) of the automatic exposure, its white balance (B, 3) and the light on the ground in lux (B,).

    The meter weighs the road and what stands beside it against the sky's lower part; at night it stops at what the
    car's own lamps light up.
    """
    level = ground_light @ _LUMA
    lower_sky = (0.5 * horizons * (1.0 - cloud) + ambient * cloud) @ _LUMA
    metered = 0.72 * _METERED_GROUND * level + 0.28 * 0.5 * lower_sky
    gain = _METER / (metered + 0.6 * _METERED_GROUND * _LAMP)
    tone = ground_light / np.maximum(level, 1e-12)[:, None]
    dark = _ramp(level * _FULL_SUN_LUX, 30.0, 3.0)[:, None]
    balance = np.clip(tone, 0.25, 4.0) ** -(_WHITE_BALANCE * (1.0 - dark))
    return gain, balance / (balance @ _LUMA)[:, None], level * _FULL_SUN_LUX


def _ramp(light: np.ndarray, off: float, on: float) -> np.ndarray:
    """0 where there is more light than `off`, 1 below `on`, by the logarithm between."""
    return np.clip(np.log(off / np.maximum(light, 1e-6)) / np.log(off / on), 0.0, 1.0)


def _lit_up_by(visibility: np.ndarray, rain: np.ndarray) -> np.ndarray:
    """How many turn on their lights for what they see, or for their wipers."""
    return np.maximum(np.clip((900.0 - visibility) / 500.0, 0.0, 1.0), np.clip(rain / 1.5, 0.0, 1.0))
