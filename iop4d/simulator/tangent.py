"""The tangent plane of a simulated frame."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def project(wcs: dict[str, float], ra: NDArray[np.float64], dec: NDArray[np.float64],
             ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """0-based pixels of sky positions (degrees) on a tangent plane (Calabretta & Greisen 2002)."""
    a0, d0 = math.radians(wcs["CRVAL1"]), math.radians(wcs["CRVAL2"])
    a, d = np.radians(ra), np.radians(dec)
    below = math.sin(d0) * np.sin(d) + math.cos(d0) * np.cos(d) * np.cos(a - a0)
    xi = np.degrees(np.cos(d) * np.sin(a - a0) / below)
    eta = np.degrees((math.cos(d0) * np.sin(d) - math.sin(d0) * np.cos(d) * np.cos(a - a0))
                     / below)
    det = wcs["CD1_1"] * wcs["CD2_2"] - wcs["CD1_2"] * wcs["CD2_1"]
    x = (wcs["CD2_2"] * xi - wcs["CD1_2"] * eta) / det + wcs["CRPIX1"] - 1
    y = (wcs["CD1_1"] * eta - wcs["CD2_1"] * xi) / det + wcs["CRPIX2"] - 1
    return x, y


def tangent_plane(ra: float, dec: float, *, crpix: tuple[float, float], angle_deg: float,
                  scale_arcsec: float) -> dict[str, float]:
    """FITS keywords: a step along +y leads ``angle_deg`` east of north; not mirrored.

    East is left where the image is turned north up.
    """
    angle, scale = math.radians(angle_deg), scale_arcsec / 3600.0
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    return {"CRVAL1": float(ra), "CRVAL2": float(dec), "CRPIX1": crpix[0], "CRPIX2": crpix[1],
            "CD1_1": -cos, "CD1_2": sin, "CD2_1": sin, "CD2_2": cos}


def airmass(jd: float, ra_deg: float, dec_deg: float, *, latitude_deg: float = 37.0642) -> float:
    """Airmass (secant of the zenith distance), never above 2: the plan is no almanac."""
    sidereal = (280.46061837 + 360.98564736629 * (jd - 2451545.0) - 3.3846) % 360.0
    hour = math.radians(sidereal - ra_deg)
    lat, dec = math.radians(latitude_deg), math.radians(dec_deg)
    sine = math.sin(lat) * math.sin(dec) + math.cos(lat) * math.cos(dec) * math.cos(hour)
    return min(1.0 / max(sine, 0.5), 2.0)
