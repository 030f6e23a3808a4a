"""Frames that the index does not solve: placed by another frame, by the catalogue, or refused."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from iop4d.model.frame import FrameFacts, FrameKind
from iop4d.model.messages import StarList
from iop4d.model.source import Catalogue, Source, SourceKind
from iop4d.reduction.pattern import find_by_pattern
from iop4d.science.detect import Detections
from iop4d.science.tan import Wcs

Floats = NDArray[np.float64]

SCALE = 0.774
TURNED = math.radians(3.0)
STEP = SCALE / 3600.0
TRUTH = Wcs(ra0=330.68, dec0=42.28, x0=500.0, y0=520.0, cd=(
    (-STEP * math.cos(TURNED), STEP * math.sin(TURNED)),
    (STEP * math.sin(TURNED), STEP * math.cos(TURNED))))
FACTS = FrameFacts(telescope="T", instrument="I", kind=FrameKind.SCIENCE, night="2022-09-08",
                   jd_start=2459831.4, exptime_s=60.0, shape=(1024, 1024), band="R", object="T")


def detections(x: Floats, y: Floats) -> Detections:
    n, no = x.size, np.zeros(x.size, dtype=bool)
    return Detections(x=x, y=y, flux=np.linspace(2.0, 1.0, n) * 1e4, peak=np.full(n, 1e3),
                      radius=np.full(n, 1.5), elongation=np.ones(n), saturated=no, edge=no)


def field(seed: int, n: int) -> tuple[Floats, Floats]:
    """Pixels of stars of a field, brightest first."""
    x, y = np.random.default_rng(seed).uniform(30.0, 990.0, (2, n))
    return x, y


def reference(x: Floats, y: Floats, shift: float) -> StarList:
    """A frame of the same field that points elsewhere by a shift, both ways."""
    wcs = Wcs(ra0=TRUTH.ra0, dec0=TRUTH.dec0, x0=TRUTH.x0 + shift, y0=TRUTH.y0 + shift,
              cd=TRUTH.cd)
    return StarList(frame=1, x=tuple(x + shift), y=tuple(y + shift), flux=tuple(np.ones(x.size)),
                    wcs=wcs.cards())


def catalogue(x: Floats, y: Floats) -> Catalogue:
    """The first star is the target, the others its calibrators."""
    ra, dec = TRUTH.to_sky(x, y)
    target = Source(name="T", ra_deg=float(ra[0]), dec_deg=float(dec[0]), kind=SourceKind.TARGET)
    return Catalogue(version=1, sources=(target, *(
        Source(name=f"C{i}", ra_deg=float(ra[i]), dec_deg=float(dec[i]),
               kind=SourceKind.CALIBRATOR, calibrates=("T",), magnitudes={"R": (12.0 + i, 0.01)})
        for i in range(1, x.size))))


NOTHING = Catalogue(version=1, sources=())


def find(found: Detections, known: Catalogue = NOTHING,
         other: StarList | None = None) -> tuple[str, float] | None:
    """How a frame was placed, and how far off its middle then is, in pixels."""
    placed = find_by_pattern([found], FACTS, scale_arcsec=SCALE, fwhm=4.0, catalogue=known,
                             reference=other, only=lambda every: every)
    if placed is None:
        return None
    match, _, how = placed
    ra, dec = match.wcs.to_sky([512.0], [512.0])
    x, y = TRUTH.to_pixel(ra, dec)
    return how, float(np.hypot(x - 512.0, y - 512.0)[0])


@pytest.mark.parametrize("seed", range(5))
def test_few_stars_are_placed_on_another_frame_of_the_field(seed: int) -> None:
    x, y = field(seed, 60)
    rays = field(seed + 100, 3)
    mine = detections(np.append(x[:7], rays[0]), np.append(y[:7], rays[1]))
    how, off = find(mine, other=reference(x, y, 40.0)) or ("", math.nan)
    assert how == "frame"
    assert off < 0.1


@pytest.mark.parametrize("seed", range(20))
def test_stars_of_another_field_are_placed_on_nothing(seed: int) -> None:
    mine = detections(*field(seed, 12))
    assert find(mine, other=reference(*field(seed + 500, 60), 40.0)) is None
    assert find(mine, catalogue(*field(seed + 900, 7))) is None


def test_four_stars_are_too_few_for_another_frame() -> None:
    x, y = field(1, 60)
    assert find(detections(x[:4], y[:4]), other=reference(x, y, 40.0)) is None


@pytest.mark.parametrize("seed", range(5))
def test_stars_of_the_catalogue_place_a_frame(seed: int) -> None:
    x, y = field(seed, 12)
    how, off = find(detections(x, y), catalogue(x[:6], y[:6])) or ("", math.nan)
    assert how == "catalogue"
    assert off < 0.2


def test_a_calibrator_that_should_be_seen_and_is_not_belies_the_place() -> None:
    x, y = field(3, 12)
    known = catalogue(np.append(x[:4], [200.0, 700.0, 800.0]),
                      np.append(y[:4], [800.0, 300.0, 120.0]))
    assert find(detections(x, y), known) is None


def test_another_frame_is_preferred_to_the_catalogue() -> None:
    x, y = field(4, 30)
    how, _ = find(detections(x, y), catalogue(x[:6], y[:6]), reference(x, y, 12.0)) or ("", 0.0)
    assert how == "frame"
