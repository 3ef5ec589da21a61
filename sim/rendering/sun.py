"""Where the sun stands: NOAA's solar calculation, good to some hundredths of a degree between 1901 and 2099.

Source: NOAA Global Monitoring Laboratory, "General Solar Position Calculations" (Spencer's Fourier series, 1971).
"""

import numpy as np

Angle = np.ndarray | float


def sun_position(day_of_year: Angle, time_h: Angle, latitude_deg: Angle) -> tuple[np.ndarray, np.ndarray]:
    """Azimuth (rad, clockwise from north) and elevation (rad) of the sun's middle at mean local time; no refraction.

    `day_of_year` is 1 on the first of January; `time_h` counts from midnight of the mean sun at the place (the clock of
    a place in the middle of its time zone, in winter). Arguments broadcast.
    """
    year = 2.0 * np.pi / 365.0 * (np.asarray(day_of_year) - 1.0 + (np.asarray(time_h) - 12.0) / 24.0)
    equation_min = 229.18 * (
        0.000075
        + 0.001868 * np.cos(year)
        - 0.032077 * np.sin(year)
        - 0.014615 * np.cos(2.0 * year)
        - 0.040849 * np.sin(2.0 * year)
    )
    declination = (
        0.006918
        - 0.399912 * np.cos(year)
        + 0.070257 * np.sin(year)
        - 0.006758 * np.cos(2.0 * year)
        + 0.000907 * np.sin(2.0 * year)
        - 0.002697 * np.cos(3.0 * year)
        + 0.00148 * np.sin(3.0 * year)
    )
    hour = np.radians((np.asarray(time_h) * 60.0 + equation_min) / 4.0 - 180.0)
    latitude = np.radians(latitude_deg)
    up = np.sin(latitude) * np.sin(declination) + np.cos(latitude) * np.cos(declination) * np.cos(hour)
    east = -np.cos(declination) * np.sin(hour)
    north = np.cos(latitude) * np.sin(declination) - np.sin(latitude) * np.cos(declination) * np.cos(hour)
    return np.arctan2(east, north) % (2.0 * np.pi), np.arcsin(np.clip(up, -1.0, 1.0))
