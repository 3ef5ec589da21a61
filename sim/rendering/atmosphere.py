"""Clear skies: what sun and sky send down, by the sun's elevation and the air's turbidity.

One scattering of sunlight by molecules and haze in a round atmosphere with ozone, integrated once per process into a
table; what scatters more often comes evenly from all sides. Coefficients: Bruneton and Neyret, "Precomputed
Atmospheric Scattering", 2008, with the ozone of Hillaire, "A Scalable and Production Ready Sky and Atmosphere Rendering
Technique", 2020; optical depth towards the sun: Schueler's fit of Chapman's function, GPU Pro 3, 2012. Colours are
linear RGB; 1 is what a white matt surface would send back if it faced the sun outside the atmosphere, so irradiances
come divided by pi.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

_EARTH_M = 6.36e6
_RAYLEIGH = np.array([5.802e-6, 13.558e-6, 33.1e-6])  # per metre at sea level
_RAYLEIGH_M = 8000.0  # scale heights
_HAZE_M = 1200.0
_OZONE = np.array([0.650e-6, 1.881e-6, 0.085e-6]) * 15000.0  # vertical optical depth of a layer 25 km up
_OZONE_M = 25000.0
_FORWARD = 0.76  # of haze (Cornette and Shanks' phase function)
_HAZE_ALBEDO = 0.92
_GROUND_ALBEDO = 0.2
_AGAIN = 0.2  # share of scattered light that is scattered once more

ELEVATION_DEG = np.concatenate([np.arange(-20.0, -6.0, 2.0), np.arange(-6.0, 10.0, 1.0), np.linspace(10.0, 90.0, 17)])
TURBIDITY = np.array([1.5, 2.5, 4.0, 6.5, 10.0])
LEAST = 1.0e-9  # radiance is interpolated on a logarithmic scale above this


@dataclass
class Sky:
    """Light from a clear sky, (B, 3) each."""

    sun_rgb: np.ndarray  # on a surface that faces the sun
    ambient_rgb: np.ndarray  # of the sky on a surface that faces up
    zenith_rgb: np.ndarray  # radiance overhead
    near_rgb: np.ndarray  # radiance just above the horizon below the sun
    far_rgb: np.ndarray  # radiance just above the horizon opposite of the sun
    glow_rgb: np.ndarray  # how much brighter it is 8 degrees beside the sun


def clear_sky(elevation_rad: np.ndarray, turbidity: np.ndarray) -> Sky:
    """The light at B sun elevations and turbidities (1 is air without haze), each (B,), held to the table's range."""
    e = _position(ELEVATION_DEG, np.degrees(elevation_rad))
    t = _position(TURBIDITY, turbidity)
    table = _table()
    (e0, fe), (t0, ft) = e, t
    fe, ft = fe[:, None, None], ft[:, None, None]
    low = table[e0, t0] * (1 - ft) + table[e0, t0 + 1] * ft
    high = table[e0 + 1, t0] * (1 - ft) + table[e0 + 1, t0 + 1] * ft
    values = np.exp(low * (1 - fe) + high * fe) - LEAST
    return Sky(*(np.maximum(values[:, i], 0.0) for i in range(len(fields(Sky)))))


def _position(knots: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Interval (B,) of the knots and the share of it that lies below."""
    at = np.clip(at, knots[0], knots[-1])
    first = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, len(knots) - 2)
    return first, (at - knots[first]) / (knots[first + 1] - knots[first])


@lru_cache(maxsize=1)
def _table() -> np.ndarray:
    """Logarithms of the six colours, (E, T, 6, 3)."""
    elevation, turbidity = (x.ravel() for x in np.meshgrid(np.radians(ELEVATION_DEG), TURBIDITY, indexing="ij"))
    sky = _integrated(elevation, turbidity)
    rgb = np.stack([getattr(sky, f.name) for f in fields(Sky)], axis=1)
    return np.log(rgb + LEAST).reshape(len(ELEVATION_DEG), len(TURBIDITY), len(fields(Sky)), 3)


def _integrated(elevation: np.ndarray, turbidity: np.ndarray) -> Sky:
    source = np.zeros((len(elevation), 3))  # what shines evenly from all sides

    def seen(up_deg: np.ndarray | float, aside_deg: float) -> np.ndarray:
        up = np.radians(np.broadcast_to(up_deg, elevation.shape))
        return radiance(elevation, turbidity, up, np.radians(aside_deg), source)

    sun = sunlight(np.zeros(len(elevation)), np.sin(elevation), turbidity)
    once = _ambient(seen)
    below = _GROUND_ALBEDO * (once + sun * np.maximum(np.sin(elevation), 0.0)[:, None])
    source = 0.5 * (once + below) / (1.0 - _AGAIN)
    zenith, near, far = seen(90.0, 0.0), seen(3.0, 40.0), seen(3.0, 180.0)
    beside = np.clip(np.degrees(elevation), 1.0, 82.0) + 8.0
    glow = np.maximum(seen(beside, 0.0) - seen(beside, 60.0), 0.0)
    return Sky(sun, _ambient(seen), zenith, near, far, glow)


def _ambient(seen: Callable[[float, float], np.ndarray]) -> np.ndarray:
    """Mean over bands that a surface facing up sees equally well, with six azimuths each."""
    total = 0.0
    for band in range(4):
        up = float(np.degrees(np.arcsin(np.sqrt((band + 0.5) / 4))))
        for aside, weight in ((0.0, 1), (60.0, 2), (120.0, 2), (180.0, 1)):
            total = total + seen(up, aside) * weight / 24.0
    return np.asarray(total)


def haze_per_m(turbidity: np.ndarray) -> np.ndarray:
    """Extinction of haze at the ground: turbidity is the optical depth of all air over that of molecules, in green."""
    return (turbidity - 1.0) * _RAYLEIGH[1] * _RAYLEIGH_M / _HAZE_M


def sunlight(height_m: np.ndarray, up: np.ndarray, turbidity: np.ndarray) -> np.ndarray:
    """Share (..., 3) of the sun that reaches a height whose direction has the upward part `up`; 0 in Earth's shadow."""
    radius = _EARTH_M + height_m
    sine = np.sqrt(np.clip(1.0 - up * up, 0.0, 1.0))
    depth = _RAYLEIGH * _RAYLEIGH_M * _slant(radius, up, _RAYLEIGH_M)[..., None]
    depth = depth + (haze_per_m(turbidity) * _HAZE_M * _slant(radius, up, _HAZE_M))[..., None]
    layer = np.clip(1.0 - (radius / (_EARTH_M + _OZONE_M) * sine) ** 2, 1e-3, 1.0)
    depth = depth + _OZONE * np.where(height_m < _OZONE_M, 1.0 / np.sqrt(layer), 0.0)[..., None]
    # The sun's disc is half a degree wide: it sets gradually.
    dip = -np.sqrt(np.clip(1.0 - (_EARTH_M / radius) ** 2, 0.0, 1.0))
    risen = np.clip((up - dip) / 0.0093 + 0.5, 0.0, 1.0)
    return np.exp(-np.minimum(depth, 80.0)) * risen[..., None]


def _slant(radius: np.ndarray, up: np.ndarray, scale_m: float) -> np.ndarray:
    """Air along a slanted way to space over the air straight above sea level (Chapman's function times density)."""
    x, density = radius / scale_m, np.exp(-(radius - _EARTH_M) / scale_m)
    c = np.sqrt(0.5 * np.pi * x)
    rising = density * c / ((c - 1.0) * np.abs(up) + 1.0)
    sine = np.sqrt(np.clip(1.0 - up * up, 1e-9, 1.0))
    lowest = np.exp(-np.maximum(radius * sine - _EARTH_M, 0.0) / scale_m)
    return np.where(up >= 0.0, rising, 2.0 * np.sqrt(0.5 * np.pi * x * sine) * lowest - rising)


def radiance(
    elevation: np.ndarray, turbidity: np.ndarray, up: np.ndarray, aside: float, source: np.ndarray
) -> np.ndarray:
    """Radiance (B, 3) of the clear sky at elevations `up` (B,), `aside` radians of azimuth from the sun.

    `source` (B, 3) is the radiance that comes to the air from all sides besides the sun's.
    """
    # Steps grow along the way: half of what is seen lies in the first kilometres.
    edges = np.linspace(0.0, 1.0, 21) ** 3
    sine = np.sin(up)
    reach = np.sqrt((_EARTH_M * sine) ** 2 + 2.0 * _EARTH_M * 6.0e4 + 6.0e4**2) - _EARTH_M * sine
    along = 0.5 * (edges[1:] + edges[:-1]) * reach[:, None]
    step = np.diff(edges) * reach[:, None]
    east, height = along * np.cos(up)[:, None], _EARTH_M + along * sine[:, None]
    radius = np.hypot(east, height)
    h = np.maximum(radius - _EARTH_M, 0.0)
    toward = np.stack([np.cos(elevation) * np.cos(aside), np.sin(elevation)], axis=-1)  # in the plane of view
    sun_up = (toward[:, :1] * east + toward[:, 1:] * height) / radius
    haze = haze_per_m(turbidity)[:, None, None]
    molecules = _RAYLEIGH * np.exp(-h / _RAYLEIGH_M)[..., None]
    particles = haze * np.exp(-h / _HAZE_M)[..., None]
    depth = np.cumsum((molecules + particles) * step[..., None], axis=1)
    seen = np.exp(-(depth - 0.5 * (molecules + particles) * step[..., None]))
    cosine = np.cos(elevation) * np.cos(aside) * np.cos(up) + np.sin(elevation) * np.sin(up)
    scattered = molecules * _rayleigh_phase(cosine) + particles * (_HAZE_ALBEDO * _haze_phase(cosine))
    light = sunlight(h, sun_up, np.broadcast_to(turbidity[:, None], h.shape))
    evenly = source[:, None] * (molecules + _HAZE_ALBEDO * particles)
    return ((np.pi * light * scattered + evenly) * seen * step[..., None]).sum(axis=1)


def _rayleigh_phase(cosine: np.ndarray) -> np.ndarray:
    return (3.0 / (16.0 * np.pi) * (1.0 + cosine**2))[:, None, None]


def _haze_phase(cosine: np.ndarray) -> np.ndarray:
    g = _FORWARD
    share = 3.0 / (8.0 * np.pi) * (1.0 - g * g) / (2.0 + g * g) * (1.0 + cosine**2)
    return (share / (1.0 + g * g - 2.0 * g * cosine) ** 1.5)[:, None, None]
