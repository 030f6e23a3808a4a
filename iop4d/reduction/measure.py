"""All that is measured on a frame: the catalogue's sources, in one beam or two, and field stars."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from iop4d.model.flags import Flag
from iop4d.model.frame import FrameFacts
from iop4d.model.result import NAN, FieldStar, GrowthPoint, Measurement
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.reduction.apertures import annulus_for, flux_fields, radii_for, with_flux
from iop4d.reduction.field import Field
from iop4d.reduction.host import aperture_of, find_table
from iop4d.reduction.stars import OFF_CENTRE_FWHM, OFF_CENTRE_PX, Stars
from iop4d.science.aperture_check import Checked, measure_all_checked
from iop4d.science.growth import Curves, measure_curves
from iop4d.science.photometry import (
    NEIGHBOUR_ERR,
    Aperture,
    Pixels,
    mask_flags,
)
from iop4d.science.tan import Wcs

_FIELD_SNR = 30.0  # peak over sky noise that a field star needs: 1 % of its flux
_REFERENCE_STARS = 200  # brightest stars of a whole frame by which sub-frames are placed
NEARBY_FWHM = 1.5  # a star within this, but off its place, gets a flag
_BRIGHT_SNR = 50.0  # a star so bright shows what its image looks like
#: Calibrators in a frame from which on each other shows that one is hit: they are not looked at
#: pixel by pixel, which takes 0.5 ms each.
ENOUGH = 5
_FALSE_ALARM = 0.25  # part of the bright stars from which on not all can have been hit
_TRUST_CENTROID = 20.0  # peak over sky noise from which the centroid beats the solution


@dataclass(frozen=True, kw_only=True)
class Circles:
    """The circles of a frame's curves of growth, for all its stars: radii in arcsec, and a pixel's
    size in arcsec."""

    radii: tuple[float, ...]
    pixel_arcsec: float

    def measure(self, pixels: Pixels, x: Sequence[float], y: Sequence[float],
                own: Sequence[int | None]) -> Curves:
        """The curves of growth of the stars at 0-based pixels; ``own``: their detections."""
        inner, outer = annulus_for(self.radii)
        return measure_curves(
            pixels, np.array(x), np.array(y), np.array([-1 if i is None else i for i in own]),
            np.array(self.radii) / self.pixel_arcsec,
            (inner / self.pixel_arcsec, outer / self.pixel_arcsec))


def circles_of(catalogue: Catalogue, field: Field, aperture: Aperture,
               facts: FrameFacts) -> Circles:
    """The circles of a frame: about its own aperture, and those that sources in it ask for."""
    scale = field.wcs.scale_arcsec
    wanted = (aperture_of(source) for wcs in (field.wcs, field.ordinary) if wcs is not None
              for source, _, _ in in_frame(catalogue.sources, wcs, facts.shape))
    return Circles(radii=radii_for(aperture.radius * scale, wanted, pixel_arcsec=scale),
                   pixel_arcsec=scale)


def measure_sources(pixels: Pixels, catalogue: Catalogue, field: Field, aperture: Aperture,
                    facts: FrameFacts, *, sky_level: float,
                    circles: Circles) -> tuple[Measurement, ...]:
    """Every source of the catalogue in the frame; of two beams each by itself and their sum.

    A source of which one image lies outside has the other one's row alone.
    """
    beams = {"": field.wcs} if field.ordinary is None else {"E": field.wcs, "O": field.ordinary}
    here = [(beam, source, x, y) for beam, wcs in beams.items()
            for source, x, y in in_frame(catalogue.sources, wcs, facts.shape)]
    placed = [place_source(pixels, source.name, x, y) for _, source, x, y in here]
    calibrators = Counter(beam for beam, source, _, _ in here
                          if source.kind is SourceKind.CALIBRATOR)
    closely = [calibrators[beam] < ENOUGH or source.kind is not SourceKind.CALIBRATOR
               for beam, source, _, _ in here]
    measured = measure_places(
        pixels, placed, aperture, exptime_s=facts.exptime_s, sky_level=sky_level, closely=closely,
        extended=[find_table((source.name, *source.other_names)) is not None
                  for _, source, _, _ in here])
    measurements = [replace(m, beam=beam) if beam else m for m, (beam, *_) in zip(
        with_growth(pixels, placed, measured, circles, facts.exptime_s), here, strict=True)]
    by_profile = [
        not (close and pixels.empirical_psf.n_stars) and not (
            m.flags & Flag.BAD_PIXELS and mask_flags(pixels, m.x, m.y, aperture.radius)
            & Flag.BAD_PIXELS)
        for m, close in zip(measurements, closely, strict=True)]
    found = {beam: without_false_alarms(
        [m for m in measurements if m.beam == beam],
        [by for m, by in zip(measurements, by_profile, strict=True) if m.beam == beam])
        for beam in beams}
    if field.ordinary is None:
        return tuple(found[""])
    ordinary = {m.source: m for m in found["O"]}
    both = [both_beams(ordinary[m.source], m, scintillation=pixels.scintillation)
            for m in found["E"] if m.source in ordinary]
    return (*both, *found["O"], *found["E"])


def as_seen_elsewhere(measurements: tuple[Measurement, ...],
                      blended: Collection[str]) -> tuple[Measurement, ...]:
    """The measurements of a frame with too few stars to know its PSF: that a star is two was seen
    on another frame of the field.
    """
    return tuple(replace(m, flags=m.flags | int(Flag.BLENDED)) if m.source in blended else m
                 for m in measurements)


def measure_field_stars(pixels: Pixels, stars: Stars, field: Field, aperture: Aperture,
                        facts: FrameFacts, *, most: int, besides: tuple[Measurement, ...],
                        circles: Circles) -> tuple[FieldStar, ...]:
    """The brightest clean stars that are none of the sources measured, with their sky places.

    They show the transparency of a frame of one beam; the catalogue's calibrators are among them.
    """
    detections = stars.detections
    good = np.flatnonzero(~detections.saturated & ~detections.edge & ~stars.sharp
                          & (detections.peak > _FIELD_SNR * stars.sky.sigma))[:2 * most]
    x, y = detections.x, detections.y
    for m in besides:
        good = good[np.hypot(x[good] - m.x, y[good] - m.y) >= aperture.radius]
    good = good[[not pixels.looks_double(i) for i in good.tolist()]] if good.size else good
    own = measure_curves(pixels, x[good], y[good], good, np.array([aperture.radius]),
                         (aperture.inner, aperture.outer))
    clean = np.flatnonzero((own.flags[:, 0] == 0) & (own.flux[:, 0] > 0))[:most]
    chosen = good[clean]
    if not chosen.size:
        return ()
    x, y = x[chosen], y[chosen]
    ra, dec = field.wcs.to_sky(x, y)
    curves = circles.measure(pixels, x.tolist(), y.tolist(), chosen.tolist())
    flux, err = (of[clean, 0] / facts.exptime_s for of in (own.flux, own.err_between_frames))
    growth = _clean_points(curves, circles, facts.exptime_s)
    return tuple(
        FieldStar(ra_deg=at_ra, dec_deg=at_dec, flux=one, flux_err=its_err, growth=points)
        for at_ra, at_dec, one, its_err, points in zip(
            ra.tolist(), dec.tolist(), flux.tolist(), err.tolist(), growth, strict=True))


def _clean_points(curves: Curves, circles: Circles,
                  exptime_s: float) -> list[tuple[tuple[float, float, float], ...]]:
    """The field stars' curves of growth, without the circles that hold anything odd."""
    good = np.isfinite(curves.flux) & (curves.flags == 0)
    return [tuple(point[:3] for point in zip(circles.radii, *star, strict=True) if point[3])
            for star in zip((curves.flux / exptime_s).tolist(),
                            (curves.err_between_frames / exptime_s).tolist(), good.tolist(),
                            strict=True)]


def reference_stars(stars: Stars) -> tuple[tuple[float, float, float], ...]:
    """(x, y, flux) of a whole frame's stars, brightest first, rounded to a thousandth of a pixel.
    """
    real = np.flatnonzero(~stars.sharp)[:_REFERENCE_STARS]
    found = stars.detections
    x, y, flux = (np.round(of[real], places).tolist() for of, places in (
        (found.x, 3), (found.y, 3), (found.flux, 1)))
    return tuple(zip(x, y, flux, strict=True))


def in_frame(sources: Sequence[Source], wcs: Wcs,
             shape: tuple[int, int]) -> list[tuple[Source, float, float]]:
    """The sources inside a frame of (ny, nx) pixels with their 0-based x, y."""
    x, y = wcs.to_pixel([s.ra_deg for s in sources], [s.dec_deg for s in sources])
    ny, nx = shape
    inside = (x > -0.5) & (x < nx - 0.5) & (y > -0.5) & (y < ny - 0.5)
    return [(sources[i], float(x[i]), float(y[i])) for i in np.flatnonzero(inside).tolist()]


@dataclass(frozen=True, kw_only=True)
class SourcePlace:
    """Where a source is measured: 0-based pixel; ``own``: its detection, None if it has none."""

    source: str
    x: float
    y: float
    own: int | None
    flags: Flag


def place_source(frame: Pixels, name: str, x: float, y: float) -> SourcePlace:
    """A source's predicted place, or its star's centroid close by where noise does not shift it."""
    own, flags = _own_star(frame, x, y)
    if own is not None and frame.detections.peak[own] > _TRUST_CENTROID * frame.sigma:
        x, y = float(frame.detections.x[own]), float(frame.detections.y[own])
    return SourcePlace(source=name, x=x, y=y, own=own, flags=flags)


@dataclass(frozen=True, kw_only=True)
class MeasuredSource:
    """A source measured; ``unseen``: the error that hits too small to be found leave, ADU/s."""

    measurement: Measurement
    unseen: float


def measure_source(frame: Pixels, place: SourcePlace, aperture: Aperture, *, exptime_s: float,
                   sky_level: float) -> MeasuredSource:
    """Measure one source at its place, whether a star was found there or not."""
    return measure_places(frame, [place], aperture, exptime_s=exptime_s, sky_level=sky_level,
                          closely=[True], extended=[False])[0]


def measure_places(frame: Pixels, places: Sequence[SourcePlace], aperture: Aperture, *,
                   exptime_s: float, sky_level: float, closely: Sequence[bool],
                   extended: Sequence[bool]) -> list[MeasuredSource]:
    """Measure sources at their places, whether stars were found there or not.

    ``closely``: those to look at pixel by pixel; ``extended``: those in a galaxy with a table of
    its light.
    """
    checked = measure_all_checked(
        frame, [place.x for place in places], [place.y for place in places], aperture,
        own=[place.own for place in places], closely=closely, extended=extended)
    return [_measured(place, one, exptime_s=exptime_s, sky_level=sky_level,
                  scintillation=frame.scintillation)
            for place, one in zip(places, checked, strict=True)]


def _measured(place: SourcePlace, checked: Checked, *, exptime_s: float, sky_level: float,
          scintillation: float) -> MeasuredSource:
    measured, parted = checked.flux, math.isfinite(checked.psf_flux)
    return MeasuredSource(unseen=checked.unseen / exptime_s, measurement=Measurement(
        source=place.source, x=place.x, y=place.y, sky=sky_level + measured.sky,
        photon_err=measured.photon_err / exptime_s,
        confusion_err=measured.confusion_err / exptime_s,
        neighbours=measured.neighbours, psf_flux=checked.psf_flux / exptime_s if parted else NAN,
        psf_flux_err=math.hypot(checked.psf_flux_err, scintillation * checked.psf_flux)
        / exptime_s if parted else NAN,
        **flux_fields(measured.flux / exptime_s, measured.flux_err / exptime_s,
                      int(measured.flags | place.flags))))


def with_growth(frame: Pixels, placed: Sequence[SourcePlace], measured: Sequence[MeasuredSource],
                circles: Circles, exptime_s: float) -> list[Measurement]:
    """The measurements with their curves of growth."""
    if not placed:
        return []
    curves = circles.measure(frame, [p.x for p in placed], [p.y for p in placed],
                             [p.own for p in placed])
    rows = zip(*((of / exptime_s).tolist() for of in (
        curves.flux, curves.flux_err, curves.photon_err, curves.confusion_err)),
        curves.flags.tolist(), curves.neighbours.tolist(), strict=True)
    return [replace(one.measurement, growth=_points(
        circles.radii, row, besides=one.measurement.flags, unseen=one.unseen))
        for one, row in zip(measured, rows, strict=True)]


def _points(radii: Sequence[float], row: tuple[list[Any], ...], *, besides: int,
            unseen: float) -> tuple[GrowthPoint, ...]:
    """``row``: fluxes, their errors, those of photons and of faint stars, flags, neighbours."""
    return tuple(GrowthPoint(
        radius_arcsec=radius, flux=flux, flux_err=max(err, unseen),
        photon_err=max(photons, unseen), flags=flags & ~besides, neighbours=neighbours,
        confusion_err=faint)
        for radius, flux, err, photons, faint, flags, neighbours in zip(radii, *row, strict=True)
        if math.isfinite(flux))


def both_beams(ordinary: Measurement, extraordinary: Measurement, *,
               scintillation: float) -> Measurement:
    """All the light of a source from its two images; at the place of the extraordinary one.

    What the images share of their errors, the ``scintillation``, is counted once.
    """
    both = _sum_of(ordinary, extraordinary, scintillation)
    pairs = [(o, e) for o in ordinary.growth for e in extraordinary.growth
             if o.radius_arcsec == e.radius_arcsec]
    psf_flux, psf_flux_err = _psf_sum(ordinary, extraordinary)
    return with_flux(
        extraordinary, both.flux, both.flux_err, beam="", psf_flux=psf_flux,
        psf_flux_err=psf_flux_err, photon_err=both.photon_err, confusion_err=both.confusion_err,
        neighbours=both.neighbours, flags=ordinary.flags | extraordinary.flags,
        growth=tuple(_sum_of(o, e, scintillation) for o, e in pairs))


def _psf_sum(ordinary: Measurement, extraordinary: Measurement) -> tuple[float, float]:
    """PSF photometry of both images, by the aperture where an image has no neighbour; or NaN."""
    images = (ordinary, extraordinary)
    if not any(math.isfinite(m.psf_flux) for m in images):
        return NAN, NAN
    parts = [(m.psf_flux, m.psf_flux_err) if math.isfinite(m.psf_flux) else (m.flux, m.flux_err)
             for m in images]
    return sum(flux for flux, _ in parts), math.hypot(*(err for _, err in parts))


def _sum_of(ordinary: Measurement | GrowthPoint, extraordinary: Measurement | GrowthPoint,
            scintillation: float) -> GrowthPoint:
    """The light of two images inside circles of one radius."""
    flux = ordinary.flux + extraordinary.flux
    alone = math.hypot(ordinary.photon_err, extraordinary.photon_err)
    faint = math.hypot(ordinary.confusion_err, extraordinary.confusion_err)
    others = ordinary.neighbours * ordinary.flux + extraordinary.neighbours * extraordinary.flux
    return GrowthPoint(
        radius_arcsec=extraordinary.radius_arcsec if isinstance(extraordinary, GrowthPoint)
        else NAN, flux=flux,
        flux_err=math.hypot(alone, faint, scintillation * flux, NEIGHBOUR_ERR * others),
        photon_err=alone, confusion_err=faint, flags=ordinary.flags | extraordinary.flags,
        neighbours=others / flux if flux > 0 else 0.0)


def without_false_alarms(measurements: Sequence[Measurement],
                         by_profile: Sequence[bool]) -> list[Measurement]:
    """The measurements without BAD_PIXELS where it is the PSF that is odd.

    Cosmic rays hit one star in many. A trailed or doubled PSF stands out against the
    frame's mean one in most stars at once, and then nothing is wrong with any pixel.
    ``by_profile``: those of which nothing but the profile can say that pixels are bad.
    """
    bright = [m for m, by in zip(measurements, by_profile, strict=True)
              if by and m.snr > _BRIGHT_SNR]
    hit = [m for m in bright if m.flags & Flag.BAD_PIXELS]
    if len(hit) < 2 or len(hit) < _FALSE_ALARM * len(bright):
        return list(measurements)
    return [replace(m, flags=m.flags & ~int(Flag.BAD_PIXELS)) if by else m
            for m, by in zip(measurements, by_profile, strict=True)]


def _own_star(frame: Pixels, x: float, y: float) -> tuple[int | None, Flag]:
    """The detection that is the source's, and what to say of it."""
    detections = frame.detections
    distance = np.hypot(detections.x - x, detections.y - y)
    nearest = int(np.argmin(distance)) if len(detections) else -1
    near = float(distance[nearest]) if len(detections) else math.inf
    fwhm = frame.psf.fwhm
    if near <= max(OFF_CENTRE_PX, OFF_CENTRE_FWHM * fwhm):
        return nearest, Flag(0)
    if near <= max(2.0 * OFF_CENTRE_PX, NEARBY_FWHM * fwhm):
        return None, Flag.OFF_CENTRE
    return None, Flag(0)
