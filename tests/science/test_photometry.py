"""Aperture photometry: a Gaussian of known flux, errors that hold, and each flag."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from photutils.aperture import CircularAperture

from iop4d.model.flags import Flag
from iop4d.science.detect import Detections, detect
from iop4d.science.exposure import GRAIN
from iop4d.science.photometry import (
    Aperture,
    Pixels,
    aperture_for,
    measure,
    measure_all,
    scintillation,
    total_fluxes,
)
from iop4d.science.psf import Psf
from tests.science.skies import gaussian_stars

SHAPE = (80, 80)
FWHM = 4.0
NO_WINGS = 200.0  # Moffat's exponent of what is nearly a Gaussian
APERTURE = aperture_for(FWHM, radius=3.0, inner=5.0, outer=9.0)


def frame(image: np.ndarray, *, sigma: float, found: Detections | None = None,
          gain: float = 2.0) -> Pixels:
    psf = Psf(fwhm=FWHM, beta=NO_WINGS, slopes=np.zeros(5), covariance=np.zeros((5, 5)),
              shape=SHAPE)
    if found is None:
        found = detect(image.astype(np.float32), sigma=max(sigma, 1.0), threshold=1e9)
    return Pixels(image=image.astype(np.float32), sigma=sigma, gain=gain, bad=None, saturated=None,
                 detections=found, fluxes=total_fluxes(found, psf), psf=psf)


def star(x: float = 40.3, y: float = 39.6, flux: float = 1e5) -> np.ndarray:
    return gaussian_stars(SHAPE, np.array([x]), np.array([y]), np.array([flux]), FWHM)


def test_a_gaussian_of_known_flux() -> None:
    wide = aperture_for(FWHM, radius=5.0, inner=7.0, outer=11.0)
    found = measure(frame(star() + 3.0, sigma=1.0), 40.3, 39.6, wide)
    assert found.flux == pytest.approx(1e5, rel=1e-3)
    assert found.sky == pytest.approx(3.0, abs=0.01)
    assert found.flags == 0


def test_three_sigmas_hold_nearly_99_percent_of_a_gaussian() -> None:
    found = measure(frame(star(), sigma=1.0), 40.3, 39.6, APERTURE)
    # The pixels widen the star, and once more the aperture's rim.
    variance = (FWHM / 2.3548) ** 2 + 2.0 / 12.0
    inside = 1.0 - math.exp(-APERTURE.radius**2 / (2.0 * variance))
    assert found.flux == pytest.approx(1e5 * inside, rel=1e-3)


def test_the_sum_is_photutils_own() -> None:
    image = np.random.default_rng(1).normal(50.0, 5.0, SHAPE)
    aperture = Aperture(radius=5.3, inner=8.0, outer=15.0)
    found = measure(frame(image, sigma=5.0), 40.3, 39.6, aperture)
    expected = CircularAperture((40.3, 39.6), 5.3).do_photometry(
        image.astype(np.float32).astype(float), method="exact")[0][0]
    assert found.flux + found.sky * math.pi * 5.3**2 == pytest.approx(expected, rel=1e-6)


def test_the_variance_is_the_formula() -> None:
    rng = np.random.default_rng(2)
    noise = rng.normal(0.0, 10.0, SHAPE)
    found = measure(frame(star() + noise, sigma=10.0), 40.3, 39.6, APERTURE)
    area = math.pi * APERTURE.radius**2
    ring = math.pi * (APERTURE.outer**2 - APERTURE.inner**2)
    variance = found.flux / 2.0 + area * 100.0 * (1.0 + area / ring) + (GRAIN * found.flux) ** 2
    assert found.flux_err == pytest.approx(math.sqrt(variance), rel=0.03)


def test_a_short_exposure_twinkles_by_what_the_telescope_and_the_airmass_make_of_it() -> None:
    """An old fault: 1.2 mmag for every exposure, where 5 s of a small telescope make ten."""
    calm = frame(star(flux=1e6), sigma=1.0)
    still = measure(calm, 40.3, 39.6, APERTURE)
    part = scintillation(0.2, 5.0, 2.0, 500.0)
    assert part == pytest.approx(0.0122, rel=0.01)
    found = measure(dataclasses.replace(calm, scintillation=part), 40.3, 39.6, APERTURE)
    assert found.flux_err == pytest.approx(math.hypot(still.flux_err, part * still.flux))
    assert found.photon_err == still.photon_err  # two images of a star share it


@pytest.mark.parametrize("flux", [800.0, 2e4])
def test_pulls_have_unit_width(flux: float) -> None:
    rng = np.random.default_rng(3)
    gain, sky = 2.0, 200.0
    clean = star(flux=flux)
    truth = measure(frame(clean, sigma=1.0), 40.3, 39.6, APERTURE).flux
    pulls, sigma = [], math.sqrt(sky / gain)
    nothing = detect(clean, sigma=sigma, threshold=1e9)
    for _ in range(500):
        image = rng.poisson((clean + sky) * gain) / gain - sky
        pixels = frame(image, sigma=sigma, gain=gain, found=nothing)
        found = measure(pixels, 40.3, 39.6, APERTURE)
        pulls.append((found.flux - truth) / found.flux_err)
    assert np.mean(pulls) == pytest.approx(0.0, abs=0.15)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.12)


def test_a_neighbour_is_told_and_taken_away() -> None:
    x, y = np.array([40.3, 47.0]), np.array([39.6, 41.0])
    image = gaussian_stars(SHAPE, x, y, np.array([1e5, 3e4]), FWHM)
    found = detect(image, sigma=5.0, threshold=5.0)
    assert len(found) == 2
    blended = measure(frame(image, sigma=5.0, found=found), 40.3, 39.6, APERTURE, own=0)
    alone = measure(frame(star(), sigma=5.0), 40.3, 39.6, APERTURE)
    assert blended.flags & Flag.BLENDED
    assert blended.flux == pytest.approx(alone.flux, rel=0.03)


def test_a_far_neighbour_does_no_harm() -> None:
    image = gaussian_stars(SHAPE, np.array([40.3, 55.0]), np.array([39.6, 41.0]),
                           np.array([1e5, 5e4]), FWHM)
    found = detect(image, sigma=5.0, threshold=5.0)
    seen = measure(frame(image, sigma=5.0, found=found), 40.3, 39.6, APERTURE, own=0)
    alone = measure(frame(star(), sigma=5.0), 40.3, 39.6, APERTURE)
    assert not seen.flags & Flag.BLENDED
    assert seen.flux == pytest.approx(alone.flux, rel=2e-3)


def mask_at(x: int, y: int) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[y, x] = True
    return mask


def test_saturated_and_bad_pixels_are_told_inside_the_aperture_only() -> None:
    plain = frame(star(), sigma=5.0)
    for name, flag in (("saturated", Flag.SATURATED), ("bad", Flag.BAD_PIXELS)):
        inside = dataclasses.replace(plain, **{name: mask_at(42, 40)})
        outside = dataclasses.replace(plain, **{name: mask_at(60, 40)})
        assert measure(inside, 40.3, 39.6, APERTURE).flags == flag
        assert measure(outside, 40.3, 39.6, APERTURE).flags == 0


def test_the_edge_is_told() -> None:
    image = star(x=10.0)
    seen = measure(frame(image, sigma=5.0), 10.0, 39.6, APERTURE)
    assert seen.flags == Flag.EDGE
    assert seen.flux == pytest.approx(1e5, rel=0.02)
    outside = measure(frame(image, sigma=5.0), -3.0, 39.6, APERTURE)
    assert outside.flags == Flag.EDGE
    assert math.isnan(outside.flux)


def test_no_star_is_low_signal_to_noise() -> None:
    image = np.random.default_rng(4).normal(0.0, 5.0, SHAPE)
    seen = measure(frame(image, sigma=5.0), 40.0, 40.0, APERTURE)
    assert seen.flags == Flag.LOW_SNR
    assert abs(seen.flux) < 5.0 * seen.flux_err


def test_a_cosmic_ray_in_the_aperture_is_told() -> None:
    image = star(flux=2e4) + np.random.default_rng(5).normal(0.0, 5.0, SHAPE)
    bright = detect(star().astype(np.float32), sigma=5.0, threshold=5.0)
    assert not measure(frame(image, sigma=5.0, found=bright), 40.3, 39.6, APERTURE, own=0).flags
    image[42, 43] += 3000.0
    hit = measure(frame(image, sigma=5.0, found=bright), 40.3, 39.6, APERTURE, own=0)
    assert hit.flags & Flag.BAD_PIXELS


def test_the_aperture_is_never_smaller_than_two_pixels() -> None:
    assert aperture_for(1.0, radius=3.0, inner=5.0, outer=9.0).radius == pytest.approx(2.0)
    assert APERTURE.radius == pytest.approx(3.0 * FWHM / 2.3548)
    assert APERTURE.outer == pytest.approx(9.0 * FWHM / 2.3548)


def test_two_stars_too_close_to_part_are_told() -> None:
    x, y = np.array([40.3, 44.3]), np.array([39.6, 39.6])
    image = gaussian_stars(SHAPE, x, y, np.array([1e5, 4e4]), FWHM)
    others = gaussian_stars(SHAPE, np.array([12.0, 68.0, 12.0]), np.array([12.0, 68.0, 68.0]),
                            np.full(3, 5e4), FWHM)
    found = detect(image + others, sigma=5.0, threshold=5.0)
    assert len(found) == 4
    seen = frame(image + others, sigma=5.0, found=found)
    assert [seen.looks_double(own) for own in range(4)] == [True, False, False, False]


def test_scintillation_falls_with_the_mirror_and_the_time_and_grows_with_the_air() -> None:
    """Young 1967: 0.09 D^(-2/3) X^1.75 (2 t)^(-1/2) exp(-h / 8000)."""
    base = scintillation(1.0, 50.0, 1.0, 0.0)
    assert base == pytest.approx(0.09 * 100 ** (-2 / 3) / 10)
    assert scintillation(8.0, 50.0, 1.0, 0.0) == pytest.approx(base / 4)
    assert scintillation(1.0, 200.0, 1.0, 0.0) == pytest.approx(base / 2)
    assert scintillation(1.0, 50.0, 2.0, 0.0) == pytest.approx(base * 2**1.75)
    assert scintillation(1.0, 50.0, 1.0, 8000.0) == pytest.approx(base / math.e)
    assert scintillation(1.0, 50.0, math.nan, 0.0) == pytest.approx(base * 1.3**1.75)


# The terms of the error, each alone; the numbers are typed here a second time.


def test_a_bright_star_is_no_better_than_the_flat_field_and_the_air() -> None:
    calm = frame(star(flux=1e9), sigma=1.0)
    found = measure(dataclasses.replace(calm, scintillation=0.0012), 40.3, 39.6, APERTURE)
    assert found.flux_err / found.flux == pytest.approx(math.hypot(0.0012, 0.0004), rel=0.01)
    assert found.photon_err / found.flux == pytest.approx(0.0004, rel=0.01)  # the flat's alone


def test_a_sky_from_few_pixels_makes_the_flux_uncertain() -> None:
    narrow = Aperture(radius=10.0, inner=11.0, outer=12.0)
    noise = np.random.default_rng(6).normal(0.0, 10.0, SHAPE)
    found = measure(frame(noise, sigma=10.0), 40.3, 39.6, narrow)
    area, ring = math.pi * 100.0, math.pi * (144.0 - 121.0)
    assert found.flux_err == pytest.approx(10.0 * math.sqrt(area * (1.0 + area / ring)), rel=0.15)


def test_a_neighbour_makes_the_flux_uncertain_by_a_part_of_its_light() -> None:
    image = gaussian_stars(SHAPE, np.array([40.3, 47.0]), np.array([39.6, 41.0]),
                           np.array([1e5, 3e5]), FWHM)
    found = detect(image, sigma=5.0, threshold=5.0)
    seen = measure(frame(image, sigma=5.0, found=found, gain=1e6), 40.3, 39.6, APERTURE, own=0)
    own = measure(frame(star(), sigma=5.0, gain=1e6), 40.3, 39.6, APERTURE)
    assert seen.neighbours > 0.02
    others = 0.15 * seen.neighbours * seen.flux
    assert seen.flux_err == pytest.approx(math.hypot(own.flux_err, others), rel=0.1)
    assert others > 2.0 * own.flux_err


def test_an_uncertain_width_makes_the_aperture_s_part_uncertain() -> None:
    plain = frame(star(), sigma=1.0)
    wide = dataclasses.replace(plain, psf=dataclasses.replace(
        plain.psf, covariance=np.diag([0.2, 0.0, 0.0, 0.0, 0.0])))
    small = Aperture(radius=2.5, inner=8.5, outer=15.3)
    sure, unsure = (measure(one, 40.3, 39.6, small).flux_err for one in (plain, wide))
    _, relative = wide.psf.aperture_factor(40.3, 39.6, small.radius)
    flux = measure(plain, 40.3, 39.6, small).flux
    assert float(relative[0]) * flux > sure
    assert unsure == pytest.approx(math.hypot(sure, float(relative[0]) * flux), rel=0.01)


@pytest.mark.parametrize(("signal", "is_low"), [(3.5, True), (7.0, False)])
def test_low_signal_to_noise_is_below_five(signal: float, is_low: bool) -> None:
    noise = np.random.default_rng(4).normal(0.0, 5.0, SHAPE)
    empty = measure(frame(noise, sigma=5.0), 40.3, 39.6, APERTURE)
    missing = (signal * empty.flux_err - empty.flux) / 0.985
    image = noise + star(flux=missing)
    seen = measure(frame(image, sigma=5.0, gain=1e6), 40.3, 39.6, APERTURE)
    assert seen.flux / seen.flux_err == pytest.approx(signal, rel=0.1)
    assert bool(seen.flags & Flag.LOW_SNR) is is_low


def test_hot_pixels_in_the_annulus_have_no_part_in_the_sky() -> None:
    rng = np.random.default_rng(7)
    image = rng.normal(0.0, 5.0, SHAPE) + 100.0 * (rng.random(SHAPE) < 0.04)
    assert abs(measure(frame(image, sigma=5.0), 40.3, 39.6, APERTURE).sky) < 1.0


def test_many_sources_are_measured_as_each_by_itself() -> None:
    places = [(40.3, 39.6, 1e5), (47.0, 42.0, 2e4), (3.2, 60.0, 5e4), (77.9, 78.2, 8e4),
              (20.0, 20.0, 3e4)]
    rng = np.random.default_rng(4)
    image = sum((star(*place) for place in places), rng.normal(0.0, 5.0, SHAPE))
    image[20, 22] += 5e3  # a cosmic ray
    bad = rng.random(SHAPE) < 0.01
    image[bad] = 0.0
    found = detect(image.astype(np.float32), sigma=5.0, threshold=5.0)
    pixels = dataclasses.replace(
        frame(image, sigma=5.0, found=found), bad=bad, nonlinear=image > 5e3,
        hidden=(np.array([44.0]), np.array([36.0]), np.array([9e3])))
    x, y = ([*(place[k] for place in places), outside] for k, outside in ((0, -3.0), (1, 10.0)))
    own = [*(int(np.argmin(np.hypot(found.x - a, found.y - b))) for a, b, _ in places), None]
    find = [True, False, True, True, True, True]
    together = measure_all(pixels, x, y, APERTURE, own=own, find_hits=find)
    alone = [measure(pixels, *at, APERTURE, own=star, find_hits=look)
             for *at, star, look in zip(x, y, own, find, strict=True)]
    flags = Flag(0)
    for one, other in zip(together, alone, strict=True):
        assert repr(one) == repr(other)
        flags |= one.flags
    assert {Flag.EDGE, Flag.BLENDED, Flag.BAD_PIXELS, Flag.NONLINEAR} <= set(flags)
    assert math.isnan(together[-1].flux)
