"""All that is measured on a frame: the catalogue's sources, in one beam or two, and field stars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from iop4d.model.frame import FrameFacts
from iop4d.model.result import FieldStar, Measurement
from iop4d.model.source import Catalogue
from iop4d.reduction.field import Field
from iop4d.reduction.sources import both_beams, in_frame, measure_source, without_false_alarms
from iop4d.reduction.stars import Stars
from iop4d.science.photometry import Aperture, Pixels, measure
from iop4d.science.tan import Wcs

_FIELD_SNR = 30.0  # peak over sky noise that a field star needs: 1 % of its flux
_REFERENCE_STARS = 200  # brightest stars of a whole frame by which sub-frames are placed


def measure_sources(pixels: Pixels, catalogue: Catalogue, field: Field, aperture: Aperture,
                    facts: FrameFacts, *, sky_level: float) -> tuple[Measurement, ...]:
    """Every source of the catalogue in the frame; of two beams each by itself and their sum.

    A source of which one image lies outside has the other one's row alone.
    """
    def beam(wcs: Wcs, name: str) -> dict[str, Measurement]:
        found = [measure_source(pixels, source.name, x, y, aperture, exptime_s=facts.exptime_s,
                                sky_level=sky_level)
                 for source, x, y in in_frame(catalogue.sources, wcs, facts.shape)]
        if pixels.bad is None:
            found = list(without_false_alarms(found))
        return {m.source: replace(m, beam=name) for m in found}

    if field.ordinary is None:
        return tuple(beam(field.wcs, "").values())
    extraordinary, ordinary = beam(field.wcs, "E"), beam(field.ordinary, "O")
    both = [both_beams(ordinary[name], extraordinary[name])
            for name in extraordinary if name in ordinary]
    return (*both, *ordinary.values(), *extraordinary.values())


def measure_field_stars(pixels: Pixels, stars: Stars, field: Field, aperture: Aperture,
                        facts: FrameFacts, *, most: int, besides: tuple[Measurement, ...],
                        ) -> tuple[FieldStar, ...]:
    """The brightest clean stars that are none of the sources measured, with their sky places.

    They tell the transparency of a frame of one beam; the catalogue's calibrators are among them.
    """
    found = stars.detections
    good = np.flatnonzero(~found.saturated & ~found.edge & ~stars.sharp
                          & (found.peak > _FIELD_SNR * stars.sky.sigma))
    chosen: list[FieldStar] = []
    for i in good.tolist():
        if len(chosen) == most:
            break
        x, y = float(found.x[i]), float(found.y[i])
        if any(np.hypot(m.x - x, m.y - y) < aperture.radius for m in besides):
            continue
        flux = measure(pixels, x, y, aperture, own=i)
        if flux.flags or not flux.flux > 0:
            continue
        ra, dec = field.wcs.to_sky(np.array([x]), np.array([y]))
        chosen.append(FieldStar(
            ra_deg=float(ra[0]), dec_deg=float(dec[0]), flux=flux.flux / facts.exptime_s,
            flux_err=flux.photon_err / facts.exptime_s))
    return tuple(chosen)


def reference_stars(stars: Stars) -> tuple[tuple[float, float, float], ...]:
    """(x, y, flux) of a whole frame's stars, brightest first, rounded to a thousandth of a pixel.
    """
    found = stars.detections.only(~stars.sharp)
    return tuple((round(float(x), 3), round(float(y), 3), round(float(f), 1)) for x, y, f in zip(
        found.x[:_REFERENCE_STARS], found.y[:_REFERENCE_STARS], found.flux[:_REFERENCE_STARS],
        strict=True))
