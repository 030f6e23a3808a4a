"""Curves of growth: known fluxes inside several circles, with one sky."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from photutils.aperture import CircularAperture

from iop4d.model.flags import Flag
from iop4d.science.detect import Detections, detect
from iop4d.science.growth import Curves, measure_curves
from iop4d.science.photometry import (
    Pixels,
    aperture_for,
    measure,
    nearest_pixel,
    total_fluxes,
)
from iop4d.science.psf import Psf, encircled, moffat_radius
from tests.science.skies import moffat_stars

SHAPE = (161, 161)
FWHM, BETA = 5.0, 3.5
RADII = np.array([5.0, 6.25, 7.8, 9.8, 12.2, 15.3])
ANNULUS = (40.0, 60.0)
NO_STAR = np.array([-1])


def frame(image: np.ndarray, *, sigma: float = 1.0, found: Detections | None = None) -> Pixels:
    psf = Psf(fwhm=FWHM, beta=BETA, slopes=np.zeros(5), covariance=np.zeros((5, 5)), shape=SHAPE)
    if found is None:
        found = detect(image.astype(np.float32), sigma=sigma, threshold=1e9)
    return Pixels(image=image.astype(np.float32), sigma=sigma, gain=2.0, bad=None, saturated=None,
                  detections=found, fluxes=total_fluxes(found, psf), psf=psf)


def stars(*places: tuple[float, float, float]) -> np.ndarray:
    x, y, flux = np.array(places).T
    return moffat_stars(SHAPE, x, y, flux, np.full(x.size, FWHM), BETA)


def at(pixels: Pixels, x: float, y: float, own: int = -1) -> Curves:
    return measure_curves(pixels, np.array([x]), np.array([y]), np.array([own]), RADII, ANNULUS)


def test_a_circle_holds_the_part_of_a_moffat_star_that_its_integral_says() -> None:
    found = at(frame(stars((80.3, 79.6, 1e5)) + 3.0), 80.3, 79.6)
    assert found.flux[0] / 1e5 == pytest.approx(encircled(RADII, FWHM, BETA), abs=0.008)
    assert found.sky[0] == pytest.approx(3.0, abs=0.02)
    assert not found.flags.any()


def test_errors_of_circles_hold_the_scintillation() -> None:
    calm = frame(stars((80.3, 79.6, 1e6)))
    still, found = (at(pixels, 80.3, 79.6)
                    for pixels in (calm, dataclasses.replace(calm, scintillation=0.01)))
    assert found.flux_err == pytest.approx(np.hypot(still.flux_err, 0.01 * still.flux))
    assert found.photon_err == pytest.approx(still.photon_err)


def test_the_sums_are_photutils_own() -> None:
    image = np.random.default_rng(1).normal(50.0, 5.0, SHAPE)
    found = at(frame(image, sigma=5.0), 80.3, 79.6)
    for radius, flux in zip(RADII, found.flux[0], strict=True):
        expected = CircularAperture((80.3, 79.6), radius).do_photometry(
            image.astype(np.float32).astype(float), method="exact")[0][0]
        assert flux + found.sky[0] * math.pi * radius**2 == pytest.approx(expected, rel=1e-5)


def test_a_curve_agrees_with_the_single_aperture() -> None:
    image = stars((80.3, 79.6, 4e4)) + np.random.default_rng(2).normal(0.0, 4.0, SHAPE)
    pixels = frame(image, sigma=4.0)
    aperture = aperture_for(FWHM, radius=3.0, inner=5.0, outer=9.0)
    one = measure(pixels, 80.3, 79.6, aperture)
    curve = measure_curves(pixels, np.array([80.3]), np.array([79.6]), NO_STAR,
                           np.array([aperture.radius]), ANNULUS)
    assert curve.flux[0, 0] == pytest.approx(one.flux, rel=4e-3)
    assert curve.flux_err[0, 0] == pytest.approx(one.flux_err, rel=0.1)
    assert curve.photon_err[0, 0] == pytest.approx(one.photon_err, rel=0.1)


def test_pulls_have_unit_width() -> None:
    clean, rng, pulls = stars((80.3, 79.6, 5e3)), np.random.default_rng(3), []
    truth = at(frame(clean), 80.3, 79.6).flux
    nothing = detect(clean, sigma=math.sqrt(50.0), threshold=1e9)
    for _ in range(400):
        image = rng.poisson((clean + 100.0) * 2.0) / 2.0 - 100.0
        found = at(frame(image, sigma=math.sqrt(50.0), found=nothing), 80.3, 79.6)
        pulls.append(((found.flux - truth) / found.flux_err)[0])
    assert np.mean(pulls, axis=0) == pytest.approx(np.zeros(RADII.size), abs=0.25)
    assert np.std(pulls, axis=0) == pytest.approx(np.ones(RADII.size), abs=0.2)


def test_a_neighbour_is_subtracted_from_every_circle_and_told_where_it_counts() -> None:
    places = ((80.3, 79.6, 1e5), (92.0, 82.0, 3e4))
    image = stars(*places)
    found = detect(image, sigma=5.0, threshold=5.0)
    assert len(found) == 2
    blended, alone = at(frame(image, sigma=5.0, found=found), 80.3, 79.6, own=0), at(
        frame(stars(places[0])), 80.3, 79.6)
    assert blended.flux[0] == pytest.approx(alone.flux[0], rel=0.02)
    told = (blended.flags[0] & int(Flag.BLENDED)) > 0
    assert told.tolist() == sorted(told.tolist())
    assert told[-1]
    assert (np.abs(blended.flux - alone.flux) < blended.flux_err)[0, told].all()


def test_bright_stars_in_the_annulus_leave_the_sky_alone() -> None:
    places = ((80.3, 79.6, 1e5), (125.0, 80.0, 5e5), (80.0, 30.0, 2e5))
    image = stars(*places)
    found = detect(image, sigma=2.0, threshold=5.0)
    own = int(np.argmin(np.hypot(found.x - 80.3, found.y - 79.6)))
    seen = at(frame(image, sigma=2.0, found=found), 80.3, 79.6, own=own)
    assert seen.sky[0] == pytest.approx(0.0, abs=0.2)
    assert seen.flux[0] == pytest.approx(at(frame(stars(places[0])), 80.3, 79.6).flux[0], rel=3e-3)


def test_a_circle_beyond_the_edge_has_no_flux() -> None:
    found = at(frame(stars((10.0, 80.0, 1e5))), 10.0, 80.0)
    assert np.isfinite(found.flux[0]).tolist() == (RADII <= 10.5).tolist()


@pytest.mark.parametrize(("name", "flag"), [
    ("saturated", Flag.SATURATED), ("nonlinear", Flag.NONLINEAR)])
def test_a_pixel_is_told_by_the_circles_that_it_touches(name: str, flag: Flag) -> None:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[80, 90] = True
    found = at(dataclasses.replace(frame(stars((80.0, 80.0, 1e5))), **{name: mask}), 80.0, 80.0)
    assert (found.flags[0] == int(flag)).tolist() == (RADII > 9.5).tolist()


@pytest.mark.parametrize("part", [0.001, 0.2])
def test_saturated_pixels_touch_the_circles_that_reach_the_nearest_one(part: float) -> None:
    rng = np.random.default_rng(5)
    mask = rng.random(SHAPE) < part
    x, y = rng.uniform(-3.0, 163.0, (2, 40))
    curves = measure_curves(dataclasses.replace(frame(np.zeros(SHAPE)), saturated=mask), x, y,
                            np.full(40, -1), RADII, ANNULUS)
    touched = [[nearest_pixel(mask, *place, float(RADII[-1])) < r for r in RADII]
               for place in zip(x, y, strict=True)]
    assert ((curves.flags & int(Flag.SATURATED) > 0) == np.array(touched)).all()
    assert np.any(touched)


def test_bad_pixels_are_made_up_for_and_told_where_they_take_much() -> None:
    image, bad = stars((80.0, 80.0, 1e5)), np.zeros(SHAPE, dtype=bool)
    whole = at(frame(image), 80.0, 80.0)
    bad[80, 88:90] = True  # in the wings
    faint = at(dataclasses.replace(frame(np.where(bad, 0.0, image)), bad=bad), 80.0, 80.0)
    assert faint.flux[0] == pytest.approx(whole.flux[0], rel=1e-3)
    assert not faint.flags.any()
    bad[80, 81] = True  # a twentieth of the light
    much = at(dataclasses.replace(frame(np.where(bad, 0.0, image)), bad=bad), 80.0, 80.0)
    assert (much.flags[0] == int(Flag.BAD_PIXELS)).all()
    assert much.flux[0] == pytest.approx(whole.flux[0], rel=0.02)
    assert (np.abs(much.flux - whole.flux) < much.flux_err).all()


def test_a_place_with_a_wider_image_is_brought_to_the_typical_star() -> None:
    wide = moffat_stars(SHAPE, np.array([80.3]), np.array([79.6]), np.array([1e5]),
                        np.array([FWHM * 1.05]), BETA)
    psf = Psf(fwhm=FWHM, beta=BETA, slopes=np.array([math.log(1.05) / 1.0, 0, 0, 0, 0]),
              covariance=np.zeros((5, 5)), shape=(161, 81))
    pixels = dataclasses.replace(frame(wide), psf=psf)
    found = at(pixels, 80.3, 79.6)
    assert found.flux[0] == pytest.approx(
        at(frame(stars((80.3, 79.6, 1e5))), 80.3, 79.6).flux[0], rel=3e-3)


def test_the_circle_of_a_part_of_the_light_is_the_inverse_of_its_part() -> None:
    parts = np.array([0.1, 0.5, 0.99])
    assert encircled(moffat_radius(parts, FWHM, BETA), FWHM, BETA) == pytest.approx(parts)
