"""What happens to one science frame, from its file to its results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import astrometry
import numpy as np

from iop4d.config import Site
from iop4d.fits.kept import raw_headers
from iop4d.fits.overscan import trimmed
from iop4d.fits.read import open_fits, raw_image
from iop4d.fits.write import StoredPixels
from iop4d.instruments.base import Instrument
from iop4d.instruments.telescopes import Telescope
from iop4d.model.errors import FrameError
from iop4d.model.flags import Flag
from iop4d.model.frame import AstrometryFrom, FrameFacts
from iop4d.model.messages import MeasuredFrame, Reduced, ReduceRequest
from iop4d.model.result import FieldStar, Measurement
from iop4d.model.source import Catalogue, Source
from iop4d.reduction.beams import TwoBeams, match_beams, refuse_second_images
from iop4d.reduction.calibrate import RESULT_KINDS, airmass_at, calibrate, targets_of
from iop4d.reduction.context import Stages
from iop4d.reduction.doubts import time_doubts
from iop4d.reduction.field import Field, find_field, quality
from iop4d.reduction.masters import (
    CalibratedImage,
    FloatImage,
    MasterCache,
    MasterSet,
    calibrate_pixels,
)
from iop4d.reduction.measure import (
    as_seen_elsewhere,
    circles_of,
    measure_field_stars,
    measure_sources,
    reference_stars,
)
from iop4d.reduction.pixel_doubts import (
    DarkNote,
    dark_note,
    flat_doubt,
    mark_wrapped,
    sky_doubt,
)
from iop4d.reduction.product import Mark, write_preview, write_reduced
from iop4d.reduction.rungs import Search
from iop4d.reduction.stars import Stars, find_sky, find_stars, without_cosmic_rays
from iop4d.science import times
from iop4d.science.pairs import hidden_images
from iop4d.science.photometry import (
    Aperture,
    Pixels,
    aperture_for,
    scintillation,
    total_fluxes,
)
from iop4d.science.tan import Wcs

FINE_ARCSEC = 0.45  # pixels are taken together up to this size to find stars
POOR_SEEING_ARCSEC = 5.0  # as the flag says
POOR_SEEING_PX = 3.0  # of coarse pixels, which widen every PSF


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What a reduction needs besides the frame: the site, the sky, the instrument."""

    site: Site
    catalogue: Catalogue
    instrument: Instrument
    solver: astrometry.Solver
    masters: MasterCache


@dataclass(frozen=True, kw_only=True)
class Calibrated:
    """The pixels of a frame with its masters applied. ``kept``: a copy with its sky, if wanted;
    ``stored``: the same as it is to be written; ``headers``: of the raw file; ``wrapped``,
    ``uneven``, ``doubt``, ``changed``: what is doubtful, in words, or empty."""

    frame: CalibratedImage
    masters: MasterSet
    wrapped: str
    uneven: str
    doubt: str
    changed: str
    kept: FloatImage | None = None
    stored: StoredPixels | None = None
    headers: tuple[bytes, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Detected:
    """The stars of a frame, whose sky is subtracted now; its pairs, if every star has two images.

    ``doubtful``: of the sky, in words or empty; ``dark``: of the dark.
    """

    stars: Stars
    beams: TwoBeams | None
    doubtful: str
    dark: DarkNote


@dataclass(frozen=True, kw_only=True)
class FramePhotometry:
    """What was measured in an aperture: the sources, and stars that show the transparency.

    ``airmass``: of the frame's middle; NaN where the telescope's place is unknown.
    """

    aperture: Aperture
    airmass: float
    sources: tuple[Measurement, ...]
    field_stars: tuple[FieldStar, ...]


def reduce_frame(request: ReduceRequest, tools: Tools, stages: Stages) -> Reduced:
    """Reduce a science frame; raises FrameError, or StageError naming the step that failed."""
    pixels = calibrate_frame(request, tools, stages, store=True)
    detected = detect_stars(pixels.frame, pixels.masters, request, tools, stages)
    field = solve_field(pixels.frame, detected, request, tools, stages)
    measured = measure_frame(pixels.frame, detected.stars, field, request, tools, stages)
    with stages("results"):
        reduced = _reduced(request, tools, pixels, detected, field, measured)
    if request.reduced_path and pixels.stored is not None:
        with stages("product"):
            write_reduced(request.reduced_path, pixels.stored, reduced, request,
                          headers=pixels.headers)
    if request.preview_path:
        with stages("preview"):
            write_preview(request.preview_path, pixels.frame.image, sigma=detected.stars.sky.sigma,
                          radius=measured.aperture.outer,
                          marks=_marks(measured.sources, tools.catalogue))
    return replace(reduced, stages=dict(stages.seconds))


def calibrate_frame(request: ReduceRequest, tools: Tools, stages: Stages, *,
                    keep: bool = False, store: bool = False) -> Calibrated:
    """Read a frame and apply its masters. ``keep``: keep a copy from which no sky is subtracted;
    ``store``: keep it as it is to be written, if the request wants it written."""
    facts, site, instrument = request.facts, tools.site, tools.instrument
    with stages("read"):
        file = open_fits(request.path, wrong_datasum=site.photometry.wrong_datasum)
        raw = trimmed(raw_image(file), facts,
                      saturation_adu=instrument.saturation_adu)
        _check(raw.shape, facts)
    with stages("masters"):
        masters = tools.masters.set_of(request.masters, raw.shape, facts.origin)
    with stages("calibrate"):
        frame = calibrate_pixels(
            raw, masters, exptime_s=facts.exptime_s, saturation_adu=instrument.saturation_adu,
            gain=instrument.gain_e_adu, linear_to_adu=instrument.linear_to_adu)
        frame, wrapped = mark_wrapped(raw, frame)
        doubt, changed, headers = file.doubt, file.changed, raw_headers(file)
        del file, raw  # of a large frame half of what is held
        return Calibrated(
            frame=frame, masters=masters, wrapped=wrapped,
            uneven=flat_doubt(frame.image, masters), doubt=doubt, changed=changed,
            headers=headers,
            kept=frame.image.copy() if keep else None,
            stored=StoredPixels(frame.image, request.reduced_path.parent)
            if store and request.reduced_path else None)


def detect_stars(frame: CalibratedImage, masters: MasterSet, request: ReduceRequest, tools: Tools,
                 stages: Stages) -> Detected:
    """Subtract the sky in place, find the stars, and their pairs where each has two images."""
    facts, instrument = request.facts, tools.instrument
    shrink = max(1, int(FINE_ARCSEC / instrument.pixel_arcsec(facts.binning)))
    with stages("background"):
        sky = find_sky(frame, shrink=shrink)
        doubtful = sky_doubt(sky.level, sky.sigma, masters)
        dark = dark_note(request.masters, masters, facts, sky.sigma)
    with stages("detect"):
        stars = find_stars(frame, sky, threshold=tools.site.photometry.detection_sigma,
                           shrink=shrink)
    beams = None
    with stages("pairs"):
        if facts.beams > 1:
            beams = match_beams(stars.detections, facts, instrument)
        else:
            refuse_second_images(stars.detections, facts, instrument)
    return Detected(stars=stars, beams=beams, doubtful=doubtful, dark=dark)


def solve_field(frame: CalibratedImage, detected: Detected, request: ReduceRequest, tools: Tools,
                stages: Stages) -> Field:
    """Find where a frame lies on the sky."""
    return find_field(Search(
        frame=frame, stars=detected.stars, beams=detected.beams, facts=request.facts,
        instrument=tools.instrument, catalogue=tools.catalogue, reference=request.reference,
        solver=tools.solver, settings=tools.site.astrometry), stages)


def measure_frame(frame: CalibratedImage, stars: Stars, field: Field, request: ReduceRequest,
                  tools: Tools, stages: Stages) -> FramePhotometry:
    """Measure the sources of the catalogue on a solved frame."""
    photometry = tools.site.photometry
    with stages("photometry"):
        aperture = aperture_for(stars.psf.fwhm, radius=photometry.aperture,
                                inner=photometry.annulus_inner, outer=photometry.annulus_outer)
        return _measure(frame, stars, field, aperture, request, tools)


def _check(shape: tuple[int, int], facts: FrameFacts) -> None:
    if shape != facts.shape:
        raise FrameError(f"has {shape[1]} x {shape[0]} pixels, and had {facts.shape[1]} x "
                         f"{facts.shape[0]} when it was classified")
    if not facts.exptime_s > 0:
        raise FrameError("has an exposure time of 0 s")
    if min(shape) < 32:
        raise FrameError(f"is too small to hold a field: {shape[1]} x {shape[0]} pixels")


def _measure(frame: CalibratedImage, stars: Stars, field: Field, aperture: Aperture,
             request: ReduceRequest, tools: Tools) -> FramePhotometry:
    facts = request.facts
    frame, stars = without_cosmic_rays(frame, stars)
    detections, fluxes = stars.detections, total_fluxes(stars.detections, stars.psf)
    airmass = airmass_at(facts.jd_mid, field.wcs.ra0, field.wcs.dec0, tools.instrument.telescope)
    pixels = Pixels(image=frame.image, sigma=stars.sky.sigma, gain=tools.instrument.gain_e_adu,
                   bad=frame.bad, saturated=frame.saturated, detections=detections, fluxes=fluxes,
                   psf=stars.psf, sharp=stars.sharp, nonlinear=frame.nonlinear,
                   scintillation=_scintillation(facts, airmass, tools.instrument.telescope))
    if field.offset is not None:
        pixels = replace(pixels, hidden=hidden_images(
            detections.x, detections.y, fluxes, offset=field.offset,
            reach=aperture.radius + 0.5 * stars.psf.fwhm))
    circles = circles_of(tools.catalogue, field, aperture, facts)
    sources = measure_sources(pixels, tools.catalogue, field, aperture, facts,
                              sky_level=stars.sky.level, circles=circles)
    if request.reference is not None and not pixels.empirical_psf.n_stars:
        sources = as_seen_elsewhere(sources, request.reference.blended)
    if facts.mode != "polarimetry" or facts.beams > 1:
        return FramePhotometry(aperture=aperture, airmass=airmass, sources=sources, field_stars=())
    targets = tuple(m for m in sources if _is_target(m.source, tools.catalogue))
    return FramePhotometry(
        aperture=aperture, airmass=airmass, sources=sources, field_stars=measure_field_stars(
            pixels, stars, field, aperture, facts, besides=targets,
            most=tools.site.polarimetry.max_field_stars, circles=circles))


def _scintillation(facts: FrameFacts, airmass: float, telescope: Telescope) -> float:
    """Of a frame's stars, a part of their flux; where the airmass is unknown, as at 1.3."""
    return scintillation(telescope.diameter_m, facts.exptime_s, airmass, telescope.height_m)


def _is_target(name: str, catalogue: Catalogue) -> bool:
    return any(s.name == name and s.kind in RESULT_KINDS for s in catalogue.sources)


def _reduced(request: ReduceRequest, tools: Tools, pixels: Calibrated, detected: Detected,
             field: Field, measured: FramePhotometry) -> Reduced:
    """All that is known of a frame, and the results of a frame that stands for itself."""
    facts, telescope, stars = request.facts, tools.instrument.telescope, detected.stars
    wcs, fwhm, aperture = field.refined.wcs, stars.psf.fwhm, measured.aperture
    bjd = times.bjd_tdb(facts.jd_mid, wcs.ra0, wcs.dec0)
    doubts = (*request.doubts, *time_doubts(facts, telescope, airmass=measured.airmass,
                                            seen_at=request.seen_at))
    pixel_doubts, notes = _of_pixels(pixels, detected)
    flags = quality(field.refined, fwhm) | seeing_flag(fwhm, wcs.scale_arcsec)
    if doubts:
        flags |= Flag.TIME_DOUBTFUL
    if any(pixel_doubts):
        flags |= Flag.PIXELS_DOUBTFUL
    if not tools.instrument.gain_known:
        flags |= Flag.GAIN_ASSUMED
    measured_frame = MeasuredFrame(
        id=0, facts=facts, measurements=measured.sources, fwhm_arcsec=fwhm * wcs.scale_arcsec,
        airmass=measured.airmass, bjd_tdb=bjd, flags=int(flags),
        aperture_arcsec=aperture.radius * wcs.scale_arcsec, psf_beta=stars.psf.beta)
    targets = targets_of(measured_frame, tools.catalogue)
    results = () if facts.mode == "polarimetry" else tuple(
        calibrate(target, [measured_frame], catalogue=tools.catalogue, telescope=telescope,
                  system=tools.instrument.system)[0]
        for target in targets)
    whole = field.astrometry_from is AstrometryFrom.INDEX and not flags & Flag.POOR_WCS
    return Reduced(
        wcs=wcs.cards(), wcs_ordinary=field.ordinary.cards() if field.ordinary else {},
        n_detected=len(stars.detections), n_matched=field.refined.n_matched,
        wcs_rms_px=field.refined.rms_px, fwhm_px=fwhm, fwhm_arcsec=fwhm * wcs.scale_arcsec,
        sky=stars.sky.level, sky_sigma=stars.sky.sigma, aperture_px=aperture.radius,
        annulus_px=(aperture.inner, aperture.outer), psf_beta=stars.psf.beta,
        airmass=measured.airmass, bjd_tdb=bjd,
        measurements=measured.sources, results=results, frame_flags=measured_frame.flags,
        target=_main_target(targets, facts, tools.catalogue, wcs),
        field_stars=measured.field_stars, stars=reference_stars(stars) if whole else (),
        astrometry_from=field.astrometry_from, solution=field.solution,
        warnings=(*doubts, *filter(None, (pixels.wrapped, *pixel_doubts, *notes)),
                  *_warnings(request, stars)))


def _of_pixels(pixels: Calibrated, detected: Detected) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What makes a frame's pixels doubtful, and what is to be noted of them; in words or empty."""
    dark = detected.dark
    return ((pixels.doubt, detected.doubtful, pixels.uneven, dark.text if dark.matters else ""),
            (pixels.changed, "" if dark.matters else dark.text))


def seeing_flag(fwhm_px: float, pixel_arcsec: float) -> Flag:
    """POOR_SEEING of a wide PSF, but not where coarse pixels make it so."""
    poor = fwhm_px > POOR_SEEING_PX and fwhm_px * pixel_arcsec > POOR_SEEING_ARCSEC
    return Flag.POOR_SEEING if poor else Flag(0)


def _main_target(targets: Sequence[Source], facts: FrameFacts, catalogue: Catalogue,
                 wcs: Wcs) -> str:
    """The source that the frame was taken for: the one the header names, else the most central."""
    named = catalogue.of_object(facts.object)
    names = [target.name for target in targets]
    if named is not None and named.name in names:
        return named.name
    if not targets:
        return ""
    x, y = wcs.to_pixel([t.ra_deg for t in targets], [t.dec_deg for t in targets])
    ny, nx = facts.shape
    return names[int(np.argmin(np.hypot(x - nx / 2, y - ny / 2)))]


def _warnings(request: ReduceRequest, stars: Stars) -> tuple[str, ...]:
    said = [f"the master {ref.kind} is of another night" for ref in request.masters
            if ref.provisional]
    if not stars.measured_width:
        said.append("no star is exposed well enough to measure the width of the PSF")
    return tuple(said)


def _marks(measurements: Sequence[Measurement], catalogue: Catalogue) -> list[Mark]:
    kinds = {source.name: source.kind for source in catalogue.sources}
    return [Mark(x=m.x, y=m.y, label=m.source + (f" {m.beam}" if m.beam else ""),
                 kind=kinds[m.source])
            for m in measurements if m.beam or not any(
                o.beam and o.source == m.source for o in measurements)]
