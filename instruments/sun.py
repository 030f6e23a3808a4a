"""Where the sun stands."""

from __future__ import annotations

import math

from iop4d.instruments.telescopes import JD_UNIX_EPOCH


def sun_altitude_deg(unix: float, latitude_deg: float, longitude_deg: float) -> float:
    """Altitude of the sun's centre, without refraction, good to 0.02 degrees.

    Low-precision formulae of the Astronomical Almanac, section C.
    """
    days = unix / 86400.0 + JD_UNIX_EPOCH - 2451545.0
    mean_longitude = math.radians((280.460 + 0.9856474 * days) % 360.0)
    anomaly = math.radians((357.528 + 0.9856003 * days) % 360.0)
    longitude = mean_longitude + math.radians(
        1.915 * math.sin(anomaly) + 0.020 * math.sin(2.0 * anomaly))
    obliquity = math.radians(23.439 - 4e-7 * days)
    ra = math.atan2(math.cos(obliquity) * math.sin(longitude), math.cos(longitude))
    dec = math.asin(math.sin(obliquity) * math.sin(longitude))
    sidereal = math.radians((280.46062 + 360.98564737 * days + longitude_deg) % 360.0)
    latitude = math.radians(latitude_deg)
    return math.degrees(math.asin(
        math.sin(latitude) * math.sin(dec)
        + math.cos(latitude) * math.cos(dec) * math.cos(sidereal - ra)))
