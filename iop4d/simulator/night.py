"""A simulated night: which frames are taken when, and what is true about each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from iop4d.simulator import andor
from iop4d.simulator.camera import (
    ANDOR_T90,
    Ccd,
    Psf,
    expose,
    flat_field,
    scintillation,
    star_light,
)
from iop4d.simulator.sky import Field, Sky, field_of, load_sky

_EXTINCTION = {"B": 0.25, "V": 0.15, "R": 0.10, "I": 0.06}  # magnitudes per airmass
_EVENING = 0.30  # days after the local noon that begins the night
_NOON_JD = 2440587.5 + 0.5 + 3.3846 / 360.0  # of 1970-01-01 at the OSN's longitude
_OVERHEAD_S = 8.0  # between frames: reading out and moving
_LATITUDE = 37.0642


@dataclass(frozen=True, kw_only=True)
class Flare:
    """A rise and fall of the first target: ``mag`` brighter at the peak.

    ``start`` and ``rise`` in hours from the night's first light frame; it decays over 8 rises.
    """

    start: float
    rise: float
    mag: float

    def brightening(self, hours: float) -> float:
        """Magnitudes brighter than quiet."""
        x = (hours - self.start) / self.rise
        if x <= 0:
            return 0.0
        return self.mag * (x if x < 1 else math.exp(-(x - 1) / 8.0))


@dataclass(frozen=True, kw_only=True)
class NightPlan:
    """A night of one camera. ``frames``: light frames in all, the fields taking turns."""

    seed: int = 1
    night: str = "2022-09-08"
    fields: tuple[str, ...] = ("BLLac",)
    bands: tuple[str, ...] = ("R",)
    frames: int = 10
    exptime_s: float = 60.0
    seeing_arcsec: float = 2.0
    cloud_mag: float = 0.0  # strongest extinction by clouds
    n_bias: int = 7
    n_flat: int = 7
    flare: Flare | None = None
    cosmic_rays: int = 12


@dataclass(frozen=True, kw_only=True)
class StarTruth:
    """The stars of a frame, brightest first: 0-based pixel centres, magnitudes, names."""

    x: list[float]
    y: list[float]
    mag: list[float]
    name: list[str]
    saturated: list[bool]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What is true about a light frame; ``target_mag`` is the mean over the exposure."""

    name: str
    source: str
    band: str
    exptime_s: float
    jd_mid: float
    target_mag: float
    wcs: dict[str, float]  # FITS keywords, 1-based CRPIX
    fwhm_arcsec: float
    sky_adu: float
    extinction_mag: float
    airmass: float
    density: str
    stars: StarTruth

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class SimulatedFrame:
    """A raw frame; ``at_s``: seconds from the night's first frame at which it is complete."""

    name: str
    kind: str
    header: fits.Header
    data: NDArray[np.uint16]
    at_s: float
    truth: Truth | None = None


def jd_of_evening(night: str) -> float:
    """JD(UTC) at which a night's first frame is taken."""
    days = (date.fromisoformat(night) - date(1970, 1, 1)).days
    return _NOON_JD + days + _EVENING


@dataclass
class Night:
    """Makes the frames of a plan, in order of time. The same plan gives the same bytes."""

    plan: NightPlan
    ccd: Ccd = ANDOR_T90
    sky: Sky = field(default_factory=load_sky)

    def __post_init__(self) -> None:
        self._rng = np.random.default_rng(self.plan.seed)
        self._flat = flat_field(self.ccd)
        self._start = jd_of_evening(self.plan.night)

    def frames(self) -> Iterator[SimulatedFrame]:
        """Biases, flats of each band, then lights."""
        at = 0.0
        for i in range(self.plan.n_bias):
            at += 1.0
            data = expose(self.ccd, np.zeros(self.ccd.shape), self._rng)
            yield self._calibration(f"Bias-{i + 1:04d}.fit", "BIAS", "", 0.0, at, data)
        for band in self.plan.bands:
            for i in range(self.plan.n_flat):
                at += 5.0
                level = self._rng.uniform(18000, 32000)
                data = expose(self.ccd, level * self._flat, self._rng)
                yield self._calibration(f"Flat-{i + 1:04d}{band}.fit", "FLAT", band, 4.0, at, data)
        first = at + 60.0
        at = first
        counts: dict[tuple[str, str], int] = {}
        turns = [(field_of(name), band) for name in self.plan.fields for band in self.plan.bands]
        for i in range(self.plan.frames):
            where, band = turns[i % len(turns)]
            number = counts[where.object, band] = counts.get((where.object, band), 0) + 1
            yield self._light(where, band, number, at, first)
            at += self.plan.exptime_s + _OVERHEAD_S

    def _calibration(self, name: str, kind: str, band: str, exptime: float, at: float,
                     data: NDArray[np.uint16]) -> SimulatedFrame:
        header = andor.header(kind=kind, jd_start=self._start + at / 86400, exptime_s=exptime,
                              band=band, name=kind.capitalize())
        return SimulatedFrame(name=name, kind=kind, header=header, data=data, at_s=at + exptime)

    def _light(self, where: Field, band: str, number: int, at: float,
               first: float) -> SimulatedFrame:
        rng, ccd, plan = self._rng, self.ccd, self.plan
        jd_start = self._start + at / 86400
        jd_mid = jd_start + plan.exptime_s / 2 / 86400
        stars = self.sky.stars(where)
        mags = stars.magnitudes[band].copy()
        mags[0] = self._target_mag(where, mags[0], stars.magnitudes["R"][0],
                                   (at + plan.exptime_s / 2 - first) / 3600)
        airmass = _airmass(jd_mid, stars.ra[0], stars.dec[0])
        clouds = plan.cloud_mag * rng.random() ** 2 if plan.cloud_mag else 0.0
        seeing = plan.seeing_arcsec * airmass**0.6 * rng.normal(1.0, 0.03)
        wcs = self._wcs(stars.ra[0], stars.dec[0])
        x, y = project(wcs, stars.ra, stars.dec)
        inside = (x > -40) & (x < ccd.shape[1] + 40) & (y > -40) & (y < ccd.shape[0] + 40)
        faded = mags + _EXTINCTION[band] * airmass + clouds
        flux = plan.exptime_s * 10 ** (0.4 * (ccd.zero_point[band] - faded[inside]))
        flux *= 1 + scintillation(ccd, plan.exptime_s, airmass) * rng.standard_normal(flux.size)
        sky = plan.exptime_s * ccd.pixel_arcsec**2 * 10 ** (
            0.4 * (ccd.zero_point[band] - ccd.sky_mag[band])) * (1 + clouds)
        slope = np.linspace(-0.01, 0.01, ccd.shape[1])[None, :]
        psf = Psf(fwhm_px=seeing / ccd.pixel_arcsec)
        light = star_light(x[inside], y[inside], flux, psf, ccd.shape)
        data = expose(ccd, (light + sky * (1 + slope)) * self._flat, rng,
                      cosmic_rays=plan.cosmic_rays)
        name = f"{where.object}-{number:04d}{band}.fit"
        pointing = (stars.ra[0] + rng.uniform(-30, 30) / 3600, stars.dec[0]
                    + rng.uniform(-30, 30) / 3600)
        truth = Truth(
            name=name, source=where.source, band=band, exptime_s=plan.exptime_s, jd_mid=jd_mid,
            target_mag=float(mags[0]), wcs=wcs, fwhm_arcsec=float(seeing), sky_adu=float(sky),
            extinction_mag=float(clouds), airmass=airmass, density=where.density,
            stars=_star_truth(x[inside], y[inside], mags[inside], stars.name[inside], data, ccd))
        header = andor.header(kind="LIGHT", jd_start=jd_start, exptime_s=plan.exptime_s, band=band,
                              name=f"{where.object} {band}", pointing_deg=pointing)
        return SimulatedFrame(name=name, kind="LIGHT", header=header, data=data, truth=truth,
                              at_s=at + plan.exptime_s)

    def _target_mag(self, where: Field, mag: float, mag_red: float, hours: float) -> float:
        """Slow variation of every target, and the flare of the first; colour stays."""
        phase = 2 * math.pi * (hours / 9.0 + sum(map(ord, where.source)) % 10 / 10.0)
        mag = mag + (where.quiet_mag - mag_red) + 0.05 * math.sin(phase)
        if self.plan.flare is not None and where == field_of(self.plan.fields[0]):
            mag -= self.plan.flare.brightening(hours)
        return mag

    def _wcs(self, ra: float, dec: float) -> dict[str, float]:
        """A tangent plane: north up to a few degrees, east left, the target near the middle."""
        rng, (ny, nx) = self._rng, self.ccd.shape
        rotation = math.radians(1.3 + rng.normal(0, 0.02))
        scale = self.ccd.pixel_arcsec / 3600.0
        cos, sin = math.cos(rotation) * scale, math.sin(rotation) * scale
        return {"CRVAL1": float(ra), "CRVAL2": float(dec),
                "CRPIX1": nx / 2 + 0.5 + rng.uniform(-15, 15),
                "CRPIX2": ny / 2 + 0.5 + rng.uniform(-15, 15),
                "CD1_1": -cos, "CD1_2": sin, "CD2_1": sin, "CD2_2": cos}


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


def _star_truth(x: NDArray[np.float64], y: NDArray[np.float64], mag: NDArray[np.float64],
                name: NDArray[np.str_], data: NDArray[np.uint16], ccd: Ccd) -> StarTruth:
    order = np.argsort(mag)
    x, y, mag, name = x[order], y[order], mag[order], name[order]
    ny, nx = ccd.shape
    ix, iy = np.clip(np.rint(x).astype(int), 0, nx - 1), np.clip(np.rint(y).astype(int), 0, ny - 1)
    saturated = data[iy, ix] >= ccd.full_adu
    return StarTruth(x=np.round(x, 4).tolist(), y=np.round(y, 4).tolist(),
                     mag=np.round(mag, 5).tolist(), name=name.tolist(),
                     saturated=saturated.tolist())


def _airmass(jd: float, ra_deg: float, dec_deg: float) -> float:
    """Airmass (secant of the zenith distance), never above 2: the plan is no almanac."""
    sidereal = (280.46061837 + 360.98564736629 * (jd - 2451545.0) - 3.3846) % 360.0
    hour = math.radians(sidereal - ra_deg)
    lat, dec = math.radians(_LATITUDE), math.radians(dec_deg)
    sine = math.sin(lat) * math.sin(dec) + math.cos(lat) * math.cos(dec) * math.cos(hour)
    return min(1.0 / max(sine, 0.5), 2.0)
