"""Barycentric time and airmass of a moment, a direction and a place, by the ERFA library."""

from __future__ import annotations

import math
import warnings
from functools import lru_cache

import erfa  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

LIGHT_SECOND_PER_AU = 499.004783836  # s, IAU 2012 astronomical unit over the speed of light
TT_MINUS_TAI = 32.184  # s, by definition
_DAY = 86400.0


def bjd_tdb(jd_utc: float, ra_deg: float, dec_deg: float) -> float:
    """BJD(TDB) of JD(UTC), at the Earth's centre, for an ICRS direction in degrees.

    The Earth's own radius, at most 0.02 s, is left out. Eastman, Siverd & Gaudi 2010, PASP 122,
    935. Leap seconds are those that the ERFA library knows.
    """
    tdb, earth = _earth(jd_utc)
    ra, dec = math.radians(ra_deg), math.radians(dec_deg)
    towards = (math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec))
    delay = float(np.dot(earth, towards)) * LIGHT_SECOND_PER_AU
    return tdb + delay / _DAY


def airmass(jd_utc: float, ra_deg: float, dec_deg: float, *, latitude_deg: float,
            longitude_deg: float, height_m: float = 0.0) -> float:
    """Airmass of an ICRS direction; NaN below the horizon or for an unknown (NaN) place.

    Young 1994, Appl. Opt. 33, 1108, of the true zenith distance. UT1 is taken as UTC, which
    shifts the sky by at most 15".
    """
    if not (math.isfinite(latitude_deg) and math.isfinite(longitude_deg)):
        return math.nan
    moment = _seen_from(jd_utc, latitude_deg, longitude_deg, height_m)
    seen = erfa.atciq(math.radians(ra_deg), math.radians(dec_deg), 0.0, 0.0, 0.0, 0.0, moment)
    _, zenith_distance, *_ = erfa.atioq(*seen, moment)
    z = math.cos(float(zenith_distance))
    if z <= 0.0:
        return math.nan
    return ((1.002432 * z * z + 0.148386 * z + 0.0096467)
            / (z**3 + 0.149864 * z * z + 0.0102963 * z + 0.000303978))


# A frame asks for its middle and for each of its targets.
@lru_cache(maxsize=16)
def _seen_from(jd_utc: float, latitude_deg: float, longitude_deg: float,
               height_m: float) -> NDArray[np.void]:
    """The sky of a moment and a place, as ERFA takes it: a structure without shape."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", erfa.ErfaWarning)  # years without known leap seconds
        moment, _ = erfa.apco13(
            2400000.5, jd_utc - 2400000.5, 0.0, math.radians(longitude_deg),
            math.radians(latitude_deg), height_m, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5)
    return np.asarray(moment)


@lru_cache(maxsize=16)
def _earth(jd_utc: float) -> tuple[float, NDArray[np.float64]]:
    """(JD(TDB), (3,) the Earth's place from the barycentre in astronomical units)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", erfa.ErfaWarning)  # far years: less certain, not wrong
        tdb = jd_utc + _tdb_minus_utc(jd_utc) / _DAY
        _, barycentric = erfa.epv00(2400000.5, tdb - 2400000.5)
    return tdb, np.asarray(barycentric["p"])


def _tdb_minus_utc(jd_utc: float) -> float:
    """Seconds; TDB - TT by its largest term, good to 0.05 ms (Astronomical Almanac, B7)."""
    year, month, day, fraction = erfa.jd2cal(2400000.5, jd_utc - 2400000.5)
    tai_minus_utc = float(erfa.dat(year, month, day, fraction))
    anomaly = math.radians(357.53 + 0.98560028 * (jd_utc - 2451545.0))
    return tai_minus_utc + TT_MINUS_TAI + 0.001657 * math.sin(anomaly)
