"""Where things stand in the sky of the Sierra Nevada Observatory, and what the air does to light.

Positions are good to some arcminutes, enough for airmass and twilight, and need no ephemeris.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

LATITUDE_DEG = 37.0642
LONGITUDE_DEG = -3.3846
_J2000 = 2451545.0
_UNIX_EPOCH = 2440587.5


def noon(night: date) -> float:
    """JD(UTC) of the local mean noon at which a night begins."""
    days = (night - date(1970, 1, 1)).days
    return _UNIX_EPOCH + days + 0.5 - LONGITUDE_DEG / 360.0


def altitude_deg(jd: ArrayLike, ra_deg: ArrayLike, dec_deg: ArrayLike) -> Floats:
    """Altitude above the horizon, without refraction and precession."""
    # Greenwich mean sidereal time: Meeus, Astronomical Algorithms, eq. 12.4.
    days = np.asarray(jd, dtype=np.float64) - _J2000
    sidereal = 280.46061837 + 360.98564736629 * days + LONGITUDE_DEG
    hour_angle = np.radians(sidereal - np.asarray(ra_deg))
    lat, dec = math.radians(LATITUDE_DEG), np.radians(dec_deg)
    sine = math.sin(lat) * np.sin(dec) + math.cos(lat) * np.cos(dec) * np.cos(hour_angle)
    return np.asarray(np.degrees(np.arcsin(sine)))


def sun_altitude_deg(jd: ArrayLike) -> Floats:
    """Altitude of the Sun (Astronomical Almanac's low-precision formula, 0.01 deg)."""
    days = np.asarray(jd, dtype=np.float64) - _J2000
    anomaly = np.radians(357.529 + 0.98560028 * days)
    longitude = np.radians(280.459 + 0.98564736 * days + 1.915 * np.sin(anomaly)
                           + 0.020 * np.sin(2 * anomaly))
    obliquity = np.radians(23.439 - 0.00000036 * days)
    ra = np.degrees(np.arctan2(np.cos(obliquity) * np.sin(longitude), np.cos(longitude)))
    dec = np.degrees(np.arcsin(np.sin(obliquity) * np.sin(longitude)))
    return altitude_deg(jd, ra, dec)


def dark_hours(night: date, sun_deg: float) -> tuple[float, float]:
    """JD(UTC) between which the Sun is below ``sun_deg``, to the minute."""
    minutes = noon(night) + np.arange(1440) / 1440.0
    dark = np.flatnonzero(sun_altitude_deg(minutes) < sun_deg)
    return float(minutes[dark[0]]), float(minutes[dark[-1]])


def airmass(altitude: float) -> float:
    """Airmass of an altitude in degrees (Kasten & Young 1989, Appl. Opt. 28, 4735)."""
    h = max(altitude, 0.0)
    return 1.0 / (math.sin(math.radians(h)) + 0.50572 * (h + 6.07995) ** -1.6364)


def scintillation(*, aperture_cm: float, airmass: float, altitude_m: float,
                  exptime_s: float) -> float:
    """Relative rms of a star's flux (Young 1967, AJ 72, 747)."""
    return (0.09 * aperture_cm ** (-2 / 3) * airmass**1.75 * math.exp(-altitude_m / 8000.0)
            / math.sqrt(2.0 * exptime_s))


@dataclass(frozen=True, kw_only=True)
class Clouds:
    """Thin clouds, the same over the field: extinction up to about ``mag``, changing in minutes."""

    mag: float = 0.0
    seed: int = 0

    def extinction_mag(self, jd: ArrayLike) -> Floats:
        """Magnitudes lost at times JD; never negative, zero about a third of the time."""
        rng = np.random.default_rng([self.seed, 0xC10])
        hours = np.asarray(jd, dtype=np.float64) % 1000.0 * 24.0
        wave = np.zeros_like(hours)
        for period, weight in ((2.5, 0.6), (0.9, 0.4), (0.31, 0.2), (0.12, 0.1)):
            phase = rng.uniform(0.0, 2 * math.pi)
            wave += weight * np.sin(2 * math.pi * hours / period + phase)
        return np.asarray(self.mag * np.maximum(wave + 0.3, 0.0))
