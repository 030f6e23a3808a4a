"""Pixels without noise of a nucleus in a galaxy and of a star of its field, in any seeing."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve

from iop4d.model.flags import Flag
from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import MeasuredFrame
from iop4d.model.result import FieldStar, Measurement
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.reduction.apertures import radii_for
from iop4d.reduction.host import aperture_of
from iop4d.reduction.measure import Circles, SourcePlace, measure_source, with_growth
from iop4d.science.detect import Detections
from iop4d.science.host import Table
from iop4d.science.photometry import Pixels, aperture_for
from iop4d.science.psf import Psf, surface

Image = NDArray[np.float64]

SIZE, SCALE, BETA = 361, 0.35, 3.3  # pixels, arcsec a pixel, Moffat's exponent
MIDDLE = SIZE // 2
NUCLEUS, HOST, STAR = 8.0, 14.0, 20.0  # mJy: the host's inside 10 arcsec; Mrk 501's
ADU = 1e5  # of a mJy
_STEPS = 5  # points a pixel each way where the galaxy is steep

GALAXY = Source(name="Galaxy", ra_deg=120.0, dec_deg=30.0, kind=SourceKind.TARGET)
CALIBRATOR = Source(name="C", ra_deg=120.01, dec_deg=30.0, kind=SourceKind.CALIBRATOR,
                    calibrates=("Galaxy",),
                    magnitudes={"R": (float(-2.5 * np.log10(STAR / 3080e3)), 0.005)})
CATALOGUE = Catalogue(version=1, sources=(GALAXY, CALIBRATOR))


def _r2(x: float = 0.0, y: float = 0.0) -> Image:
    """Squared distance from a place beside the middle, pixels."""
    rows, columns = np.indices((SIZE, SIZE), dtype=float)
    return (columns - MIDDLE - x) ** 2 + (rows - MIDDLE - y) ** 2


@cache
def star(fwhm: float) -> Image:
    """A star of 1 mJy in the middle, of a FWHM in arcsec."""
    offsets = (np.arange(_STEPS) - (_STEPS - 1) / 2) / _STEPS
    return np.mean([surface(_r2(x, y), fwhm / SCALE, BETA) for x in offsets for y in offsets],
                   axis=0)


@cache
def _bare(radius: float = 13.0) -> Image:
    """De Vaucouleurs' profile of an effective radius in arcsec, HOST mJy inside 10 arcsec."""
    offsets = (np.arange(_STEPS) - (_STEPS - 1) / 2) / _STEPS
    light = np.mean([np.exp(-7.67 * ((np.sqrt(_r2(x, y)) * SCALE / radius) ** 0.25 - 1.0))
                     for x in offsets for y in offsets], axis=0)
    return light * HOST / light[_r2() <= (10.0 / SCALE) ** 2].sum()


@cache
def host(fwhm: float) -> Image:
    """The galaxy of HOST mJy inside 10 arcsec, seen through the air."""
    psf = star(fwhm)
    return np.asarray(fftconvolve(_bare(), psf / psf.sum(), mode="same"))


@cache
def table() -> Table:
    """What a table of Nilsson et al. 2007 would hold of this galaxy: all its light in circles."""
    radii, widths = np.arange(1.0, 10.1, 0.5), np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    inside = [_r2() <= (r / SCALE) ** 2 for r in radii]
    flux = np.array([[host(w)[circle].sum() for circle in inside] for w in widths])
    return Table(object="Galaxy", radius=radii, fwhm=widths, flux=flux, err=0.02 * flux)


def measured(fwhm: float, *, angle: float | None = None, scale: float = 1.0,
             galaxy: Source = GALAXY, host_part: float = 1.0, id_: int = 0,
             besides: tuple[float, ...] = ()) -> MeasuredFrame:
    """A frame of the galaxy, a calibrator and a field star. ``scale``: the transparency;
    ``besides``: radii in arcsec that other sources ask for."""
    psf = Psf(fwhm=fwhm / SCALE, beta=BETA, slopes=np.zeros(5), covariance=np.zeros((5, 5)),
              shape=(SIZE, SIZE))
    aperture = aperture_for(psf.fwhm, radius=3.0, inner=5.0, outer=9.0)
    radius = aperture.radius * SCALE
    circles = Circles(radii=radii_for(radius, (aperture_of(galaxy), *besides), pixel_arcsec=SCALE),
                      pixel_arcsec=SCALE)

    def of(name: str, image: Image) -> Measurement:
        nothing = np.zeros(0)
        pixels = Pixels(
            image=(ADU * scale * image).astype(np.float32), sigma=1.0, gain=1e4, bad=None,
            saturated=None, fluxes=nothing, psf=psf, detections=Detections(
                x=nothing, y=nothing, flux=nothing, peak=nothing, radius=nothing,
                elongation=nothing, saturated=np.zeros(0, bool), edge=np.zeros(0, bool)))
        place = SourcePlace(source=name, x=float(MIDDLE), y=float(MIDDLE), own=None, flags=Flag(0))
        one = measure_source(pixels, place, aperture, exptime_s=1.0, sky_level=0.0)
        return with_growth(pixels, [place], [one], circles, 1.0)[0]

    alone = of("C", STAR * star(fwhm))
    field = FieldStar(ra_deg=120.02, dec_deg=30.0, flux=alone.flux, flux_err=1e-4 * alone.flux,
                      growth=tuple((p.radius_arcsec, p.flux, 1e-4 * p.flux)
                                   for p in alone.growth))
    facts = FrameFacts(
        telescope="OSN-T090", instrument="AndorT90", kind=FrameKind.SCIENCE, night="2024-03-31",
        jd_start=2460400.5 + id_ / 1440, exptime_s=1.0, shape=(SIZE, SIZE), band="R",
        mode="photometry" if angle is None else "polarimetry", polariser_deg=angle)
    return MeasuredFrame(
        id=id_, facts=facts, fwhm_arcsec=fwhm, airmass=1.1, bjd_tdb=2460400.5,
        aperture_arcsec=radius, psf_beta=BETA,
        measurements=(of(galaxy.name, NUCLEUS * star(fwhm) + host_part * host(fwhm)), alone),
        field_stars=tuple(replace(field, ra_deg=120.02 + k / 100) for k in range(8)))
