"""How high directions, the Sun and the Moon stand in a night over a place, by the ERFA library.

Accurate to 0.1 degree, enough for planning: refraction and aberration are left out, UT1 is taken
as UTC.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from functools import cached_property

import erfa  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

DARK_DEG = -12.0  # altitude of the Sun below which it is dark enough to observe
HIGH_DEG = 30.0  # altitude from which a direction is well observed: airmass 2
_EARTH_AU = 6378.137 / 149597870.7  # radius of the Earth
_MJD = 2400000.5
_HALF_H = 9.0  # hours before and after midnight that are looked at
_STEP_H = 0.25


@dataclass(frozen=True, kw_only=True)
class NightSky:
    """The sky over a place at T moments of a night.

    ``jd``: (T,) JD(UTC); ``sun_deg``, ``moon_deg``: (T,) their altitudes, the Moon's as seen from
    the place; ``moon_lit``: the part of its disc that is lit, at midnight.
    """

    latitude_deg: float
    jd: Floats
    sidereal: Floats  # (T,) local apparent sidereal time, radians
    to_date: Floats  # (3, 3) from ICRS to the true equator of the night
    sun_deg: Floats
    moon_deg: Floats
    moon: Floats  # (3,) unit vector to the Moon at midnight, from the place, of date
    moon_lit: float

    def altitudes_deg(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> Floats:
        """(N, T) altitudes of N directions, ICRS degrees."""
        return _altitudes(self._of_date(ra_deg, dec_deg), self.sidereal, self.latitude_deg)

    def from_moon_deg(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> Floats:
        """(N,) angles between N directions and the Moon at midnight."""
        cosine = self._of_date(ra_deg, dec_deg) @ self.moon
        return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))

    def observable_hours(self, altitudes_deg: Floats) -> Floats:
        """(N,) hours in which it is dark and a direction stands 30 degrees high, of (N, T)."""
        return np.asarray(_STEP_H * ((altitudes_deg > HIGH_DEG) & self.is_dark).sum(axis=-1))

    @cached_property
    def is_dark(self) -> NDArray[np.bool_]:
        """(T,) whether the Sun is far enough below the horizon."""
        return self.sun_deg < DARK_DEG

    def _of_date(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> Floats:
        ra, dec = np.radians(np.atleast_1d(ra_deg)), np.radians(np.atleast_1d(dec_deg))
        towards = np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra),
                                   np.sin(dec)])
        return np.asarray(towards @ self.to_date.T)


def night_sky(midnight_jd: float, *, latitude_deg: float, longitude_deg: float) -> NightSky:
    """The sky from nine hours before to nine hours after a JD(UTC), each quarter of an hour.

    ``longitude_deg``: east positive.
    """
    hours = np.arange(-_HALF_H, _HALF_H + _STEP_H / 2, _STEP_H)
    jd = midnight_jd + hours / 24.0
    mjd = jd - _MJD
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", erfa.ErfaWarning)  # far years: less certain, not wrong
        _, tt = erfa.taitt(*erfa.utctai(_MJD, mjd))
        middle = tt[tt.size // 2]
        to_date = np.asarray(erfa.pnm06a(_MJD, middle))
        turned = erfa.era00(_MJD, mjd) - erfa.eo06a(_MJD, middle)
        earth, _ = erfa.epv00(_MJD, tt)
        moon = erfa.moon98(_MJD, tt)["p"] @ to_date.T
    sidereal = np.asarray(turned + math.radians(longitude_deg))
    sun = -earth["p"] @ to_date.T
    latitude = math.radians(latitude_deg)
    here = _EARTH_AU * np.column_stack([
        math.cos(latitude) * np.cos(sidereal), math.cos(latitude) * np.sin(sidereal),
        np.full(jd.size, math.sin(latitude))])
    seen = _unit(moon - here)
    middle_of = jd.size // 2
    elongation = float(_unit(sun)[middle_of] @ _unit(moon)[middle_of])
    return NightSky(
        latitude_deg=latitude_deg, jd=jd, sidereal=sidereal, to_date=to_date,
        sun_deg=_own(_unit(sun), sidereal, latitude_deg), moon_deg=_own(seen, sidereal,
                                                                       latitude_deg),
        moon=seen[middle_of], moon_lit=(1.0 - elongation) / 2.0)


def _altitudes(towards: Floats, sidereal: Floats, latitude_deg: float) -> Floats:
    """(N, T) altitudes of N directions of date, degrees."""
    x, y, z = towards.T[:, :, None]
    return _altitude(x, y, z, sidereal, latitude_deg)


def _own(towards: Floats, sidereal: Floats, latitude_deg: float) -> Floats:
    """(T,) altitudes of a direction that moves: (T, 3)."""
    x, y, z = towards.T
    return _altitude(x, y, z, sidereal, latitude_deg)


def _altitude(x: Floats, y: Floats, z: Floats, sidereal: Floats, latitude_deg: float) -> Floats:
    latitude = math.radians(latitude_deg)
    up = math.sin(latitude) * z + math.cos(latitude) * (
        x * np.cos(sidereal) + y * np.sin(sidereal))
    return np.degrees(np.arcsin(np.clip(up, -1.0, 1.0)))


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
