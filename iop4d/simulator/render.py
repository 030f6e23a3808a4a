"""Turn a planned exposure into a raw frame and the truth about it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from iop4d.simulator import andor
from iop4d.simulator.atmosphere import scintillation
from iop4d.simulator.bands import BANDS, ORDER
from iop4d.simulator.camera import Camera, expose, flat_field
from iop4d.simulator.plan import Exposure, NightPlan, airmass_of
from iop4d.simulator.psf import Psf, draw_stars
from iop4d.simulator.sky import Field, Stars, load_sky
from iop4d.simulator.tangent import to_plane, to_sky
from iop4d.simulator.truth import StarsInFrame, Truth

Floats = NDArray[np.float64]
Wcs = dict[str, float | str]

_POINTING_ERROR_ARCSEC = 30.0
_DITHER_PX = 5.0
_MARGIN_PX = 60.0  # stars so far outside still throw light into the frame
_WORST_AIRMASS = 3.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedFrame:
    """A raw frame: ``kind`` is bias, flat or light; ``data`` [y, x] in ADU."""

    name: str
    kind: str
    header: fits.Header
    data: NDArray[np.uint16]
    truth: Truth
    exposure: Exposure


def render(plan: NightPlan, exposure: Exposure) -> SimulatedFrame:
    """The frame of an exposure. It depends on no other frame, so any order gives the same bytes."""
    rng = np.random.default_rng([plan.seed, exposure.number, plan.night.toordinal()])
    if exposure.field is not None:
        return _light(plan, exposure, exposure.field, rng)
    data, sky = _calibration(plan.camera, exposure, rng)
    truth = Truth(name=exposure.name, kind=exposure.kind, night=plan.night.isoformat(),
                  band=exposure.band, exptime_s=exposure.exptime_s, jd_mid=exposure.jd_mid,
                  sky_adu=sky)
    return _frame(plan.camera, exposure, data, truth)


def _frame(camera: Camera, exposure: Exposure, data: NDArray[np.uint16],
           truth: Truth) -> SimulatedFrame:
    field = exposure.field
    header = andor.header(
        camera=camera, kind=exposure.kind, jd_start=exposure.jd_start, band=exposure.band,
        exptime_s=exposure.exptime_s,
        name=exposure.kind.capitalize() if field is None else f"{field.typed} {exposure.band}",
        pointing_deg=None if field is None else (field.ra_deg, field.dec_deg))
    return SimulatedFrame(name=exposure.name, kind=exposure.kind, header=header, data=data,
                          truth=truth, exposure=exposure)


def _calibration(camera: Camera, exposure: Exposure,
                 rng: np.random.Generator) -> tuple[NDArray[np.uint16], float]:
    """A bias or a twilight flat, and the level of its light in ADU."""
    if exposure.band is None:
        return expose(camera, 0.0, 0.0, rng), 0.0
    level = rng.uniform(20000.0, 30000.0)
    light = level * camera.gain_e_adu * flat_field(camera, exposure.band)
    light *= _slope(camera, 0.003, rng)  # twilight is not quite even
    return expose(camera, light, exposure.exptime_s, rng), float(level)


def _slope(camera: Camera, size: float, rng: np.random.Generator) -> Floats:
    """A plane of mean 1 that differs by up to ``size`` from the centre to an edge."""
    ny, nx = camera.shape
    a, b = rng.uniform(-size, size, 2)
    return np.asarray(1.0 + a * np.linspace(-1, 1, nx)[None, :]
                      + b * np.linspace(-1, 1, ny)[:, None])


def _light(plan: NightPlan, exposure: Exposure, field: Field,
           rng: np.random.Generator) -> SimulatedFrame:
    camera, band = plan.camera, BANDS[exposure.band or "R"]
    air = min(airmass_of(field, exposure.jd_mid), _WORST_AIRMASS)
    clouds = _cloud_extinction(plan, exposure)
    zero_point = band.zero_point_mag - band.extinction_mag * air - clouds
    wcs = _wcs(plan, exposure, field, rng)
    target_mag = plan.light_curve(field).mean_mag(
        field.target_mag[band.name], exposure.jd_start, exposure.exptime_s)
    stars = _with_target(load_sky().stars[field.name], field, target_mag, band.name)
    x, y = to_pixel(wcs, stars.ra_deg, stars.dec_deg)
    mag = stars.mag[:, ORDER.index(band.name)]
    seeing = plan.seeing_arcsec * air**0.6 * rng.lognormal(0.0, 0.05)
    sky_rate = 10 ** (0.4 * (band.zero_point_mag - band.sky_mag + plan.moon_mag))
    sky_adu = sky_rate * camera.scale_arcsec**2 * exposure.exptime_s * math.sqrt(air)
    psf = Psf(fwhm_px=seeing / camera.scale_arcsec, shape=camera.shape, growth=camera.psf_growth,
              ellipticity=camera.ellipticity, angle_deg=rng.uniform(0.0, 180.0))
    flux_adu = exposure.exptime_s * 10 ** (0.4 * (zero_point - mag))
    flux_adu *= 1.0 + rng.standard_normal(len(mag)) * scintillation(
        aperture_cm=camera.aperture_cm, airmass=air, altitude_m=camera.altitude_m,
        exptime_s=exposure.exptime_s)
    light = sky_adu * camera.gain_e_adu * _slope(camera, 0.01, rng)
    near = _inside(x, y, camera, _MARGIN_PX)
    draw_stars(light, x[near], y[near], camera.gain_e_adu * flux_adu[near], psf)
    light *= flat_field(camera, band.name)
    data = expose(camera, light, exposure.exptime_s, rng)
    truth = Truth(
        name=exposure.name, kind=exposure.kind, night=plan.night.isoformat(), band=band.name,
        exptime_s=exposure.exptime_s, jd_mid=exposure.jd_mid, field=field.name,
        density=field.density, target_mag=target_mag, wcs=wcs, fwhm_arcsec=float(seeing),
        sky_adu=float(sky_adu), airmass=air, extinction_mag=clouds,
        zero_point_mag=zero_point, stars=_in_frame(stars, x, y, mag, data, camera))
    return _frame(camera, exposure, data, truth)


def _cloud_extinction(plan: NightPlan, exposure: Exposure) -> float:
    """Mean extinction by clouds over the exposure, as light counts it."""
    times = exposure.jd_start + np.linspace(0.0, 1.0, 9) * exposure.exptime_s / 86400.0
    through = 10 ** (-0.4 * plan.clouds.extinction_mag(times))
    return max(-2.5 * math.log10(float(through.mean())), 0.0)


def _wcs(plan: NightPlan, exposure: Exposure, field: Field, rng: np.random.Generator) -> Wcs:
    """Where the camera really looks: a pointing error for each visit, a dither for each frame."""
    camera = plan.camera
    visit = np.random.default_rng([plan.seed, 0x9017, exposure.visit])
    radius = _POINTING_ERROR_ARCSEC * math.sqrt(visit.random())
    angle = visit.uniform(0.0, 2 * math.pi)
    dither = rng.uniform(-_DITHER_PX, _DITHER_PX, 2) * camera.scale_arcsec
    ra, dec = to_sky((radius * math.cos(angle) + dither[0]) / 3600.0,
                     (radius * math.sin(angle) + dither[1]) / 3600.0, field.ra_deg, field.dec_deg)
    scale, turn = camera.scale_arcsec / 3600.0, math.radians(plan.rotation)
    east = scale if camera.is_mirrored else -scale
    ny, nx = camera.shape
    return {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CUNIT1": "deg", "CUNIT2": "deg",
        "RADESYS": "ICRS", "CRVAL1": float(ra), "CRVAL2": float(dec),
        "CRPIX1": (nx + 1) / 2, "CRPIX2": (ny + 1) / 2,
        "CD1_1": east * math.cos(turn), "CD1_2": scale * math.sin(turn),
        "CD2_1": -east * math.sin(turn), "CD2_2": scale * math.cos(turn),
    }


def to_pixel(wcs: Wcs, ra_deg: Floats, dec_deg: Floats) -> tuple[Floats, Floats]:
    """0-based pixels of sky positions by the FITS keywords of a truth."""
    xi, eta = to_plane(ra_deg, dec_deg, float(wcs["CRVAL1"]), float(wcs["CRVAL2"]))
    a, b, c, d = (float(wcs[card]) for card in ("CD1_1", "CD1_2", "CD2_1", "CD2_2"))
    det = a * d - b * c
    return ((d * xi - b * eta) / det + float(wcs["CRPIX1"]) - 1.0,
            (a * eta - c * xi) / det + float(wcs["CRPIX2"]) - 1.0)


def _with_target(stars: Stars, field: Field, mag: float, band: str) -> Stars:
    row = np.where(np.array(ORDER) == band, mag, np.nan)
    return Stars(ra_deg=np.append(field.ra_deg, stars.ra_deg),
                 dec_deg=np.append(field.dec_deg, stars.dec_deg), mag=np.vstack([row, stars.mag]),
                 names=(field.name, *stars.names), is_blended=np.append(False, stars.is_blended))


def _inside(x: Floats, y: Floats, camera: Camera, margin: float) -> NDArray[np.bool_]:
    ny, nx = camera.shape
    edge = 0.5 + margin
    return np.asarray((x > -edge) & (x < nx - 1 + edge) & (y > -edge) & (y < ny - 1 + edge))


def _in_frame(stars: Stars, x: Floats, y: Floats, mag: Floats, data: NDArray[np.uint16],
              camera: Camera) -> StarsInFrame:
    inside = np.flatnonzero(_inside(x, y, camera, 0.0))
    kept = inside[np.argsort(mag[inside], kind="stable")]
    x, y = x[kept], y[kept]
    clipped = np.pad(data >= camera.saturation_adu, 1)
    column, row = np.rint(x).astype(int), np.rint(y).astype(int)
    saturated = np.zeros(len(kept), dtype=np.bool_)
    for dy in (0, 1, 2):
        for dx in (0, 1, 2):
            saturated |= clipped[row + dy, column + dx]
    return StarsInFrame(x=x, y=y, mag=mag[kept], names=tuple(stars.names[k] for k in kept),
                        saturated=saturated, blended=stars.is_blended[kept])
