"""What happens to one light frame, from its file to its results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import astrometry
import numpy as np

from iop4d.config import Site
from iop4d.instruments.base import Instrument
from iop4d.model.errors import FrameError
from iop4d.model.frame import FrameFacts
from iop4d.model.result import Measurement
from iop4d.model.source import Catalogue, Source
from iop4d.model.work import MeasuredFrame, Reduced, ReduceRequest
from iop4d.reduction.calibrate import airmass_at, calibrate, targets_of
from iop4d.reduction.field import find_field, quality, refine_field
from iop4d.reduction.fitsfile import open_fits, raw_image
from iop4d.reduction.masters import MasterCache
from iop4d.reduction.pixels import Calibrated, calibrate_pixels
from iop4d.reduction.preview import Mark, write_preview
from iop4d.reduction.product import write_reduced
from iop4d.reduction.sources import in_frame, measure_source, without_false_alarms
from iop4d.reduction.stages import Stages
from iop4d.reduction.stars import Stars, find_sky, find_stars
from iop4d.science import times
from iop4d.science.photometry import Aperture, Frame, aperture_for, total_fluxes
from iop4d.science.refine import Refined
from iop4d.science.tan import Wcs


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a reduction needs besides the frame: the site, the sky, the instrument."""

    site: Site
    catalogue: Catalogue
    instrument: Instrument
    solver: astrometry.Solver
    masters: MasterCache


def reduce_frame(request: ReduceRequest, tools: Tools, stages: Stages) -> Reduced:
    """Reduce a light frame; raises FrameError, or StageError naming the step that failed."""
    facts, site, instrument = request.facts, tools.site, tools.instrument
    scale = instrument.pixel_arcsec(facts.binning)
    with stages("read"):
        raw = raw_image(open_fits(request.path))
        _check(raw.shape, facts)
    with stages("masters"):
        masters = tools.masters.set_of(request.masters, raw.shape)
    with stages("calibrate"):
        frame = calibrate_pixels(raw, masters, exptime_s=facts.exptime_s,
                                 saturation_adu=instrument.saturation_adu)
        calibrated = frame.image.copy() if request.reduced_path else None
    with stages("background"):
        sky = find_sky(frame)
    with stages("detect"):
        stars = find_stars(frame, sky, threshold=site.photometry.detection)
    with stages("solve"):
        match = find_field(frame, stars, solver=tools.solver, scale_arcsec=scale,
                           pointing_deg=facts.pointing_deg, settings=site.astrometry)
    with stages("refine"):
        known = _sky_of(tools.catalogue.sources)
        field = refine_field(match, stars, shape=raw.shape, known_ra=known[0], known_dec=known[1])
    with stages("photometry"):
        aperture = aperture_for(stars.psf.fwhm, radius=site.photometry.aperture,
                                inner=site.photometry.annulus_inner,
                                outer=site.photometry.annulus_outer)
        measurements = _measure(frame, stars, field.wcs, aperture, facts, tools)
    with stages("results"):
        reduced = _reduced(facts, tools, stars, field, aperture, measurements,
                           warnings=_warnings(request, stars))
    if request.reduced_path and calibrated is not None:
        with stages("product"):
            write_reduced(request.reduced_path, calibrated, reduced, request)
    if request.preview_path:
        with stages("preview"):
            write_preview(request.preview_path, frame.image, sigma=sky.sigma,
                          radius=aperture.outer, marks=_marks(measurements, tools.catalogue))
    return replace(reduced, stages=dict(stages.seconds))


def _check(shape: tuple[int, int], facts: FrameFacts) -> None:
    if shape != facts.shape:
        raise FrameError(f"has {shape[1]} x {shape[0]} pixels, and had {facts.shape[1]} x "
                         f"{facts.shape[0]} when it was classified")
    if not facts.exptime_s > 0:
        raise FrameError("has an exposure time of 0 s")
    if min(shape) < 32:
        raise FrameError(f"is too small to hold a field: {shape[1]} x {shape[0]} pixels")


def _sky_of(sources: Sequence[Source]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([s.ra_deg for s in sources]), np.array([s.dec_deg for s in sources])


def _measure(frame: Calibrated, stars: Stars, wcs: Wcs, aperture: Aperture, facts: FrameFacts,
             tools: Tools) -> tuple[Measurement, ...]:
    pixels = Frame(image=frame.image, sigma=stars.sky.sigma, gain=tools.instrument.gain_e_adu,
                   bad=frame.bad, saturated=frame.saturated, detections=stars.detections,
                   fluxes=total_fluxes(stars.detections, stars.psf), psf=stars.psf)
    measured = tuple(
        measure_source(pixels, source.name, x, y, aperture, exptime_s=facts.exptime_s,
                       sky_level=stars.sky.level)
        for source, x, y in in_frame(tools.catalogue.sources, wcs, facts.shape))
    return without_false_alarms(measured) if frame.bad is None else measured


def _reduced(facts: FrameFacts, tools: Tools, stars: Stars, field: Refined, aperture: Aperture,
             measurements: tuple[Measurement, ...], *, warnings: tuple[str, ...]) -> Reduced:
    telescope, wcs, fwhm = tools.instrument.telescope, field.wcs, stars.psf.fwhm
    airmass = airmass_at(facts.jd_mid, wcs.ra0, wcs.dec0, telescope)
    bjd = times.bjd_tdb(facts.jd_mid, wcs.ra0, wcs.dec0)
    measured = MeasuredFrame(
        id=0, facts=facts, measurements=measurements, fwhm_arcsec=fwhm * wcs.scale_arcsec,
        airmass=airmass, bjd_tdb=bjd, flags=int(quality(field, fwhm)))
    results = tuple(
        calibrate(target, [measured], catalogue=tools.catalogue, telescope=telescope)[0]
        for target in targets_of(measured, tools.catalogue))
    return Reduced(
        wcs=wcs.cards(), n_detected=len(stars.detections), n_matched=field.n_matched,
        wcs_rms_px=field.rms_px, fwhm_px=fwhm, fwhm_arcsec=fwhm * wcs.scale_arcsec,
        sky=stars.sky.level, sky_sigma=stars.sky.sigma, aperture_px=aperture.radius,
        annulus_px=(aperture.inner, aperture.outer), airmass=airmass, bjd_tdb=bjd,
        measurements=measurements, results=results, frame_flags=measured.flags,
        warnings=warnings)


def _warnings(request: ReduceRequest, stars: Stars) -> tuple[str, ...]:
    said = [f"the master {ref.kind} is of another night" for ref in request.masters
            if ref.provisional]
    if not stars.measured_width:
        said.append("no star is exposed well enough to measure the star images' width")
    return tuple(said)


def _marks(measurements: Sequence[Measurement], catalogue: Catalogue) -> list[Mark]:
    kinds = {source.name: source.kind for source in catalogue.sources}
    return [Mark(x=m.x, y=m.y, label=m.source, kind=kinds[m.source]) for m in measurements]
