"""The simulated sky: real blazars among invented stars."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

DATA = Path(str(resources.files("iop4d.simulator") / "data"))
FIELD_RADIUS_ARCMIN = 14.0
BANDS = ("B", "V", "R", "I")
_NEIGHBOUR_ARCSEC = 8.0  # within which a neighbour cannot be told apart in any seeing
_NEIGHBOUR_LIGHT = 0.002  # part of a check star's light that such neighbours may add


@dataclass(frozen=True, kw_only=True)
class Field:
    """A field: the target's name in the catalogue, as observers type it, and how crowded it is.

    ``extinction_r``: the Galaxy's in R (Schlafly & Finkbeiner 2011); the simulated stars' colours
    know nothing of it, their polarisation may.
    """

    source: str
    object: str
    density: str  # sparse, normal, crowded
    quiet_mag: float  # R of the target when it is quiet
    extinction_r: float = 0.0


FIELDS: tuple[Field, ...] = (
    Field(source="2200+420", object="BLLac", density="crowded", quiet_mag=13.6,
          extinction_r=0.714),
    Field(source="0716+714", object="S50716+714", density="normal", quiet_mag=13.4,
          extinction_r=0.067),
    Field(source="1641+399", object="3C345", density="sparse", quiet_mag=15.5,
          extinction_r=0.028),
    Field(source="1101+384", object="Mrk421", density="sparse", quiet_mag=13.0,
          extinction_r=0.033),
    Field(source="0851+202", object="OJ287", density="normal", quiet_mag=14.6,
          extinction_r=0.061),
    Field(source="1959+650", object="1ES1959+650", density="crowded", quiet_mag=14.5,
          extinction_r=0.377),
    Field(source="0219+428", object="3C66A", density="normal", quiet_mag=14.2,
          extinction_r=0.182),
    Field(source="1226+023", object="3C273", density="sparse", quiet_mag=12.6,
          extinction_r=0.045),
    Field(source="2251+158", object="3C454.3", density="normal", quiet_mag=15.0,
          extinction_r=0.233),
    Field(source="1633+382", object="4C38.41", density="sparse", quiet_mag=15.8,
          extinction_r=0.025),
)


def field_of(name: str) -> Field:
    """The field of a target, by its catalogue name or as observers type it."""
    for field in FIELDS:
        if name in (field.source, field.object):
            return field
    raise ValueError(f"no simulated field '{name}'; there are "
                     + ", ".join(field.object for field in FIELDS))


@dataclass(frozen=True, kw_only=True)
class Stars:
    """Stars of a field: arrays of shape (n,); ``magnitudes`` maps band to magnitudes.

    ``name`` is empty for a star that is not in the catalogue; ``kind`` is target, calibrator, star.
    """

    name: NDArray[np.str_]
    kind: NDArray[np.str_]
    ra: NDArray[np.float64]  # ICRS degrees
    dec: NDArray[np.float64]
    magnitudes: dict[str, NDArray[np.float64]]


class Sky:
    """All stars."""

    def __init__(self, table: NDArray[np.void]) -> None:
        self._table = table

    def stars(self, field: Field) -> Stars:
        """The stars of a field; the target is the first."""
        rows = self._table[self._table["field"] == FIELDS.index(field)]
        return Stars(name=rows["name"].astype(str), kind=rows["kind"].astype(str),
                     ra=rows["ra"].astype(float), dec=rows["dec"].astype(float),
                     magnitudes={band: rows[band].astype(float) for band in BANDS})

    def check_stars(self, field: Field, count: int) -> dict[str, int]:
        """Names of isolated stars of R 13 to 17.5 near the target, and their rows."""
        stars = self.stars(field)
        red = stars.magnitudes["R"]
        x = (stars.ra - stars.ra[0]) * np.cos(np.radians(stars.dec[0])) * 60.0
        y = (stars.dec - stars.dec[0]) * 60.0
        found: dict[str, int] = {}
        for i in np.flatnonzero((stars.name == "") & (red > 13.0) & (red < 17.5)
                                & (np.hypot(x, y) < 6.0)):
            if len(found) == count:
                break
            apart = np.hypot(x - x[i], y - y[i]) * 60.0
            neighbours = (apart > 0) & (apart < _NEIGHBOUR_ARCSEC)
            light = float(np.sum(10 ** (-0.4 * (red[neighbours] - red[i]))))
            if light < _NEIGHBOUR_LIGHT:
                found[f"{field.object} check {len(found) + 1}"] = int(i)
        return found

    def catalogue_csv(self, seed: int | None = None, *, fields: tuple[Field, ...] = FIELDS,
                      check_stars: int = 0) -> str:
        """The targets and calibrators as a table that ``iop4d catalogue import`` takes.

        With a seed, each listed magnitude is the true one plus a Gaussian error of the listed
        ``mag_err``, since real catalogues have errors too; without, it is the true one.
        ``check_stars``: so many more stars of each field are listed as targets, so that accuracy is
        measured on stars that do not vary.
        """
        rng = np.random.default_rng(seed)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(["name", "other_names", "ra", "dec", "kind", "calibrates",
                         *(f"mag_{band}" for band in BANDS), "mag_err", "extinction_R"])
        for field in fields:
            stars = self.stars(field)
            checks = self.check_stars(field, check_stars)
            served = ";".join([field.source, *checks])
            for i in np.flatnonzero(stars.name != ""):
                place = [f"{stars.ra[i]:.7f}", f"{stars.dec[i]:.7f}"]
                if stars.kind[i] == "target":
                    writer.writerow([stars.name[i], _typed(field.object), *place, "target", "",
                                     *([""] * 5), f"{field.extinction_r:.3f}"])
                    continue
                error = 0.005 if seed is None else float(rng.choice([0.005, 0.01, 0.02]))
                listed = [float(stars.magnitudes[band][i]) for band in BANDS]
                if seed is not None:
                    listed = [mag + rng.normal(0.0, error) for mag in listed]
                writer.writerow([stars.name[i], "", *place, "calibrator", served,
                                 *(f"{mag:.4f}" for mag in listed), f"{error:.4f}", ""])
            for name, row in checks.items():
                writer.writerow([name, "", f"{stars.ra[row]:.7f}", f"{stars.dec[row]:.7f}",
                                 "target", "", *([""] * 5), f"{field.extinction_r:.3f}"])
        return out.getvalue()


def _typed(name: str) -> str:
    """A name as observers type it, and in letters and digits alone, as for DIPOL."""
    letters = "".join(filter(str.isalnum, name))
    return name if letters == name else f"{name};{letters}"


def load_sky() -> Sky:
    """The sky that ships with iop4d."""
    return Sky(np.array(fits.getdata(DATA / "sky.fits", 1)))


def index_folder() -> Path:
    """The folder of the sky's astrometry.net index files."""
    return DATA / "index"


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
