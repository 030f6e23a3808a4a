"""Bad pixels of many stars at once: those of a mask, and those that an odd PSF only looks like."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from iop4d.model.flags import Flag
from iop4d.model.frame import AstrometryFrom, FrameFacts, FrameKind
from iop4d.model.messages import Solution
from iop4d.model.result import Measurement
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.reduction.field import Field
from iop4d.reduction.measure import as_seen_elsewhere, circles_of, measure_sources
from iop4d.science.refine import Refined
from iop4d.science.tan import Wcs
from tests.science.skies import NoisyField, noisy_field

NONE = np.zeros(0, dtype=np.intp)
WCS = Wcs(ra0=120.0, dec0=30.0, x0=165.0, y0=165.0, cd=((-2.8e-4, 0.0), (0.0, 2.8e-4)))
FIELD = Field(refined=Refined(wcs=WCS, n_matched=9, rms_px=0.1, star=NONE, detection=NONE),
              astrometry_from=AstrometryFrom.INDEX, solution=Solution())
FACTS = FrameFacts(telescope="Test", instrument="Small", kind=FrameKind.SCIENCE, night="2024-01-15",
                   jd_start=2460325.5, exptime_s=30.0, shape=(330, 330), binning=1, band="R")
STARS = range(10)  # the brightest


def spur(image: np.ndarray, x: int, y: int, flux: float) -> None:
    image[y, x + 4] += 0.05 * flux


def hit_stars(field: NoisyField) -> set[int]:
    """Of the ten brightest stars, calibrators all, those with BAD_PIXELS."""
    return {int(m.source) for m in measured(field, SourceKind.CALIBRATOR)
            if m.flags & Flag.BAD_PIXELS}


def measured(field: NoisyField, kind: SourceKind) -> tuple[Measurement, ...]:
    places = [WCS.to_sky(field.x[star], field.y[star]) for star in STARS]
    catalogue = Catalogue(version=1, sources=tuple(
        Source(name=f"{star}", ra_deg=float(ra), dec_deg=float(dec), kind=kind)
        for star, (ra, dec) in zip(STARS, places, strict=True)))
    return measure_sources(
        field.pixels, catalogue, FIELD, field.aperture, FACTS, sky_level=0.0,
        circles=circles_of(catalogue, FIELD, field.aperture, FACTS))


def masked(field: NoisyField, x: float, y: float) -> NoisyField:
    bad = np.zeros((330, 330), dtype=bool)
    bad[round(y), round(x)] = True
    return replace(field, pixels=replace(field.pixels, bad=bad))


@pytest.mark.parametrize("star", [0, 1])
def test_a_hit_and_a_pixel_of_the_mask_are_told(star: int) -> None:
    field = noisy_field(3.0, change=spur, stars=[4])
    assert hit_stars(field) == {4}
    assert hit_stars(masked(field, field.x[star] + 2.0, field.y[star])) == {star, 4}


def test_what_most_stars_have_is_the_psf_s_whether_the_frame_has_bad_pixels_or_not() -> None:
    field = noisy_field(3.0, change=spur, stars=range(36))
    assert hit_stars(field) == set()
    assert hit_stars(masked(field, 3.0, 3.0)) == set()
    assert hit_stars(masked(field, field.x[2] + 2.0, field.y[2])) == {2}


def test_a_blend_that_a_whole_frame_saw_is_one_on_a_sub_frame_that_cannot_see_it() -> None:
    found = measured(noisy_field(3.0), SourceKind.TARGET)
    assert not any(m.flags & Flag.BLENDED for m in found)
    seen = as_seen_elsewhere(found, ("4", "of another field"))
    assert [m.source for m in seen if m.flags & Flag.BLENDED] == ["4"]
    assert [m.flags & ~int(Flag.BLENDED) for m in seen] == [m.flags for m in found]
