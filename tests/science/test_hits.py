"""Cosmic rays differ from stars by their size, and are no neighbours whose light is subtracted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from iop4d.model.flags import Flag
from iop4d.reduction.masters import CalibratedImage
from iop4d.reduction.stars import find_sky, find_stars, without_cosmic_rays
from iop4d.science.photometry import Flux, Pixels, aperture_for, measure, total_fluxes
from iop4d.simulator.camera import Psf, star_light

SHAPE = (420, 420)
GAIN = 4.0
PLACES = [(80.3, 90.1), (330.6, 100.2), (210.2, 210.4), (90.7, 320.8), (320.1, 330.3)]
FLUX = 1.0e5


def image_of(fwhm: float, hits: list[tuple[int, int, float]],
             more: list[tuple[float, float, float]] = ()) -> NDArray[np.float32]:
    """Five stars of ``FLUX``, ``more`` (x, y, flux), and hits (x, y, ADU) of one pixel each."""
    rng = np.random.default_rng(4)
    x, y, flux = np.array([(x, y, FLUX) for x, y in PLACES] + list(more)).T
    light = (star_light(x, y, flux, Psf(fwhm_px=fwhm), SHAPE) + 300.0) * GAIN
    electrons = light + np.sqrt(light) * rng.standard_normal(SHAPE)
    for x0, y0, adu in hits:
        electrons[y0, x0] += adu * GAIN
    return (electrons / GAIN).astype(np.float32)


def pixels_of(image: NDArray[np.float32], *, shrink: int) -> Pixels:
    frame = CalibratedImage(image=image, saturated=None, bad=None)
    stars = find_stars(frame, find_sky(frame), threshold=5.0, shrink=shrink)
    frame, stars = without_cosmic_rays(frame, stars)
    return Pixels(image=frame.image, sigma=stars.sky.sigma, gain=GAIN, bad=frame.bad,
                  saturated=None, detections=stars.detections, psf=stars.psf, sharp=stars.sharp,
                  fluxes=total_fluxes(stars.detections, stars.psf))


@pytest.mark.parametrize(("fwhm", "shrink"), [(2.6, 1), (4.0, 1), (8.0, 1), (16.0, 4)])
@pytest.mark.parametrize("beyond", [1.25, 1.7])
def test_a_cosmic_ray_beside_a_star_takes_no_light_from_it(
        fwhm: float, shrink: int, beyond: float) -> None:
    """It is much taller than the star, and lies outside of the aperture."""
    away, hit = beyond * 3.0 * fwhm / 2.3548 + 3.0, max(7.5 * FLUX / fwhm**2, 1.5e4)
    hits = [(round(x + away), round(y), hit) for x, y in PLACES[:3]]
    pixels = pixels_of(image_of(fwhm, hits), shrink=shrink)
    without = pixels_of(image_of(fwhm, []), shrink=shrink)
    assert len(pixels.detections) == len(PLACES)
    assert pixels.bad is not None
    for place in PLACES[:3]:
        found, right = measured(pixels, *place), measured(without, *place)
        assert found.flux == pytest.approx(right.flux, rel=0.01)
        assert not (found.flags ^ right.flags) & ~Flag.CROWDED  # that is noise here


def measured(pixels: Pixels, x: float, y: float) -> Flux:
    own = int(np.argmin(np.hypot(pixels.detections.x - x, pixels.detections.y - y)))
    return measure(pixels, x, y, aperture_for(pixels.psf.fwhm, radius=3.0, inner=5.0, outer=9.0),
                   own=own)


@pytest.mark.parametrize(("fwhm", "shrink"), [(2.6, 1), (8.0, 1), (16.0, 4)])
def test_a_cosmic_ray_in_the_wings_of_a_star_is_a_bad_pixel(fwhm: float, shrink: int) -> None:
    (x, y), hit = PLACES[2], 12.0 * FLUX / fwhm**2
    pixels = pixels_of(image_of(fwhm, [(round(x + 1.1 * fwhm), round(y), hit)]), shrink=shrink)
    assert measured(pixels, x, y).flags & Flag.BAD_PIXELS


@pytest.mark.parametrize(("fwhm", "shrink"), [(2.0, 1), (4.0, 1), (16.0, 4)])
@pytest.mark.parametrize("part", [0.03, 0.2])
def test_a_faint_star_close_to_a_bright_one_is_none(fwhm: float, shrink: int, part: float) -> None:
    more = [(x + 1.8 * fwhm, y + 0.4, part * FLUX) for x, y in PLACES]
    image = image_of(fwhm, [], more)
    frame = CalibratedImage(image=image, saturated=None, bad=None)
    sky = find_sky(frame)
    stars = find_stars(frame, sky, threshold=5.0, shrink=shrink)
    after, left = without_cosmic_rays(frame, stars)
    assert after.bad is None
    assert len(left.detections) == len(stars.detections)


def test_no_star_of_a_crowded_field_is_one() -> None:
    rng = np.random.default_rng(8)
    more = [(*rng.uniform(5, 415, 2), 10 ** rng.uniform(2.5, 5.0)) for _ in range(1500)]
    frame = CalibratedImage(image=image_of(3.0, [], more), saturated=None, bad=None)
    stars = find_stars(frame, find_sky(frame), threshold=5.0)
    assert len(stars.detections) > 300
    assert without_cosmic_rays(frame, stars)[0] is frame
    assert without_cosmic_rays(frame, stars)[1] is stars


def test_what_is_too_small_for_a_star_has_no_more_light_than_its_isophote() -> None:
    pixels = pixels_of(image_of(16.0, []), shrink=4)
    star = pixels.detections.only(np.array([True, False, False, False, False]))
    small = replace(star, flux=0.1 * total_fluxes(star, pixels.psf))
    assert total_fluxes(small, pixels.psf) == pytest.approx(small.flux)
    assert total_fluxes(star, pixels.psf)[0] > star.flux[0]
