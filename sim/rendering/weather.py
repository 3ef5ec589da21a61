"""Light and air: continuous parameters of each world, and named presets that vary a little with the seed.

Colours are linear RGB. Fog follows Koschmieder's law: contrast falls to 5 % at the visibility (meteorological optical
range), so extinction = 3 / visibility per metre.
"""

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import torch

from configs.schema import WeatherName

NAMES: tuple[WeatherName, ...] = ("clear", "fog", "dusk")


@dataclass
class Weather:
    """Float32 tensors over the B worlds."""

    sun_azimuth_rad: torch.Tensor  # (B,) direction towards the sun, counter-clockwise from east
    sun_elevation_rad: torch.Tensor  # (B,)
    sun_rgb: torch.Tensor  # (B, 3) light of the sun on a surface that faces it
    ambient_rgb: torch.Tensor  # (B, 3) light of the sky on a surface that faces up
    visibility_m: torch.Tensor  # (B,)
    fog_rgb: torch.Tensor  # (B, 3) colour of the air far away
    zenith_tint_rgb: torch.Tensor  # (B, 3) factor on the sky texture overhead
    horizon_tint_rgb: torch.Tensor  # (B, 3) factor on the sky texture at the horizon
    glow_rgb: torch.Tensor  # (B, 3) of the sky around the sun
    lamps: torch.Tensor  # (B,) brightness of vehicle lights and lit windows, 0 by day
    exposure: torch.Tensor  # (B,)
    wet: torch.Tensor  # (B,) 0 dry .. 1 water stands on the road
    snow: torch.Tensor  # (B,) 0 none .. 1 everything that faces up is covered
    street: torch.Tensor  # (B,) street lights, 0 off .. 1 on
    rain_mmph: torch.Tensor  # (B,) rain that falls now

    def packed(self) -> torch.Tensor:
        """All parameters as one tensor (B, WEATHER_FLOATS), in the order of the fields."""
        return torch.cat([getattr(self, f.name).reshape(len(self.lamps), -1) for f in fields(self)], dim=1)


WEATHER_FLOATS = 27

_DRY = {"wet": (0.0,), "snow": (0.0,), "street": (0.0,), "rain_mmph": (0.0,)}
# Per name: the middle of each parameter. Seeds turn the sun and vary light and visibility around it.
_PRESETS: dict[str, dict[str, tuple[float, ...]]] = {
    "clear": {
        "sun_elevation_rad": (0.72,),
        "sun_rgb": (2.45, 2.25, 1.95),
        "ambient_rgb": (0.62, 0.74, 0.95),
        "visibility_m": (2600.0,),
        "fog_rgb": (0.58, 0.70, 0.86),
        "zenith_tint_rgb": (1.0, 1.0, 1.05),
        "horizon_tint_rgb": (1.0, 1.0, 1.0),
        "glow_rgb": (0.5, 0.45, 0.35),
        "lamps": (0.0,),
        "exposure": (0.80,),
    },
    "fog": {
        "sun_elevation_rad": (0.55,),
        "sun_rgb": (0.22, 0.21, 0.20),
        "ambient_rgb": (0.95, 0.98, 1.02),
        "visibility_m": (130.0,),
        "fog_rgb": (0.60, 0.63, 0.66),
        "zenith_tint_rgb": (0.9, 0.9, 0.9),
        "horizon_tint_rgb": (0.8, 0.8, 0.8),
        "glow_rgb": (0.05, 0.05, 0.05),
        "lamps": (0.7,),
        "exposure": (0.85,),
    },
    "dusk": {
        "sun_elevation_rad": (0.13,),
        "sun_rgb": (0.95, 0.46, 0.20),
        "ambient_rgb": (0.22, 0.24, 0.36),
        "visibility_m": (1500.0,),
        "fog_rgb": (0.42, 0.30, 0.28),
        "zenith_tint_rgb": (0.24, 0.25, 0.40),
        "horizon_tint_rgb": (0.72, 0.42, 0.28),
        "glow_rgb": (1.3, 0.55, 0.18),
        "lamps": (1.0,),
        "exposure": (1.05,),
    },
}


def _draw(name: str, seed: int) -> list[float]:
    """One world's parameters in the order of `Weather`: a function of the name and the seed alone."""
    rng = np.random.default_rng([seed & 0x7FFFFFFF, NAMES.index(name), 77])  # type: ignore[arg-type]
    preset = {key: np.array(values) for key, values in (_DRY | _PRESETS[name]).items()}
    preset["sun_elevation_rad"] = preset["sun_elevation_rad"] * rng.uniform(0.75, 1.25)
    preset["visibility_m"] = preset["visibility_m"] * np.exp(rng.uniform(-0.5, 0.5))
    light = rng.uniform(0.9, 1.1)
    preset["sun_rgb"] = preset["sun_rgb"] * light * rng.uniform(0.97, 1.03, 3)
    preset["ambient_rgb"] = preset["ambient_rgb"] * light * rng.uniform(0.97, 1.03, 3)
    preset["sun_azimuth_rad"] = np.array([rng.uniform(0.0, 2.0 * np.pi)])
    return [float(x) for f in fields(Weather) for x in preset[f.name]]


def weather_by_name(name: WeatherName | Literal["any"], worlds: int, seeds: torch.Tensor) -> Weather:
    """The named weather for `worlds` worlds, varied by `seeds` (B,) int64; "any" draws one of the names per seed.

    Raises ValueError for an unknown name.
    """
    if name != "any" and name not in NAMES:
        raise ValueError(f"weather: unknown name {name!r}; want one of {', '.join(NAMES)}, any")
    if len(seeds) != worlds:
        raise ValueError(f"seeds: {len(seeds)} given for {worlds} worlds")
    rows = []
    for seed in seeds.tolist():
        drawn = NAMES[int(np.random.default_rng([seed & 0x7FFFFFFF, 78]).integers(len(NAMES)))]
        rows.append(_draw(drawn if name == "any" else name, seed))
    return _unpacked(torch.tensor(rows, dtype=torch.float32, device=seeds.device).reshape(worlds, WEATHER_FLOATS))


def _unpacked(rows: torch.Tensor) -> Weather:
    """Views of packed rows (B, WEATHER_FLOATS)."""
    columns, start = {}, 0
    for f in fields(Weather):
        wide = 3 if f.name.endswith("_rgb") else 1
        columns[f.name] = rows[:, start] if wide == 1 else rows[:, start : start + 3]
        start += wide
    return Weather(**columns)
