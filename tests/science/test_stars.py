"""Detection, centroids, widths and the star image, on stars that are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from iop4d.reduction.masters import CalibratedImage
from iop4d.reduction.stars import find_sky
from iop4d.science.detect import detect, refine_centroids, subtract_sky
from iop4d.science.fwhm import core_fwhm, measure_widths, moffat_excess
from iop4d.science.psf import encircled, fit_psf, plain_psf, surface
from tests.science.skies import gaussian_stars, grid, moffat_stars

SHAPE = (300, 300)


@pytest.mark.parametrize("fwhm", [2.0, 3.0, 5.0, 8.0])
def test_a_gaussian_has_the_width_that_it_is_given(fwhm: float) -> None:
    x, y = np.array([50.2, 120.0, 200.7]), np.array([60.4, 150.5, 210.1])
    image = gaussian_stars(SHAPE, x, y, np.full(3, 1e5), fwhm)
    seen = np.sqrt(fwhm**2 + 2.3548**2 / 12.0)  # pixels widen it
    assert core_fwhm(image, x, y, half=int(np.ceil(fwhm))) == pytest.approx(seen, rel=0.015)


@pytest.mark.parametrize("beta", [2.5, 3.5, 6.0])
def test_the_excess_of_a_moffat_star_s_width_is_known(beta: float) -> None:
    x, y = np.array([80.3, 200.1]), np.array([90.0, 180.6])
    image = moffat_stars(SHAPE, x, y, np.full(2, 1e5), np.full(2, 5.0), beta)
    seen = np.sqrt(25.0 + 2.3548**2 / 12.0)
    assert core_fwhm(image, x, y, half=6) / moffat_excess(beta) == pytest.approx(seen, rel=0.01)


def test_there_is_no_width_without_a_star() -> None:
    empty = np.zeros((40, 40), dtype=np.float32)
    assert np.isnan(core_fwhm(empty, np.array([20.0]), np.array([20.0]), half=4)).all()
    assert core_fwhm(empty, np.zeros(0), np.zeros(0), half=4).size == 0


def field(seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = grid(6, 300, rng)
    image = gaussian_stars(SHAPE, x, y, np.full(36, 2e4), 3.5)
    return x, y, (image + rng.normal(100.0, 5.0, SHAPE)).astype(np.float32)


def test_every_star_is_detected_where_it_is() -> None:
    x, y, image = field()
    sky = subtract_sky(image, None)
    assert sky.level == pytest.approx(100.0, abs=1.0)
    assert sky.sigma == pytest.approx(5.0, rel=0.05)
    found = refine_centroids(image, detect(image, sigma=sky.sigma, threshold=5.0), 3.5)
    assert len(found) == 36
    off = [np.hypot(found.x - a, found.y - b).min() for a, b in zip(x, y, strict=True)]
    assert np.sqrt(np.mean(np.square(off)) / 2) < 0.03


def test_cosmic_rays_and_galaxies_do_not_make_the_width() -> None:
    rng = np.random.default_rng(4)
    _, _, image = field(4)
    rows, columns = rng.integers(10, 290, (2, 60))
    image[rows, columns] += 4000.0
    image[rows, columns + 1] += 2000.0
    image += gaussian_stars(SHAPE, np.array([25.0, 150.0]), np.array([275.0, 10.0]),
                            np.full(2, 2e5), 12.0)
    sky = subtract_sky(image, None)
    found = detect(image, sigma=sky.sigma, threshold=5.0)
    widths = measure_widths(image, found, sigma=sky.sigma)
    assert widths.fwhm == pytest.approx(3.55, rel=0.02)


def test_a_saturated_star_is_told() -> None:
    x, y, image = field()
    full = np.zeros(SHAPE, dtype=bool)
    full[round(y[7]), round(x[7])] = True
    sky = subtract_sky(image, None)
    found = detect(image, sigma=sky.sigma, threshold=5.0, saturated=full)
    at = np.hypot(found.x - x[7], found.y - y[7]).argmin()
    assert found.saturated[at]
    assert found.saturated.sum() == 1


def test_bad_pixels_are_no_stars() -> None:
    _, _, image = field()
    bad = np.zeros(SHAPE, dtype=bool)
    bad[100:103, 40:200] = True
    image[bad] = np.nan
    sky = subtract_sky(image, bad)
    assert np.isfinite(image).all()
    assert sky.level == pytest.approx(100.0, abs=1.0)


@pytest.mark.parametrize("flux", [3e4, 1e5, 3e5])
def test_a_star_thirty_pixels_wide_is_no_sky(flux: float) -> None:
    """DIPOL in a seeing of 4 arcsec: faint stars lost 4 %, brighter ones 1 %, so that p rose."""
    rng, fwhm, middle = np.random.default_rng(8), 30.0, np.array([550.3])
    rows, columns = np.indices((896, 1120))
    r = np.hypot(columns - 550.3, rows - 440.6)
    inside, ring = r < 1.274 * fwhm, (r > 2.1 * fwhm) & (r < 3.8 * fwhm)
    lost = []
    for _ in range(3):
        image = moffat_stars((896, 1120), middle, np.array([440.6]), np.array([flux]),
                             np.array([fwhm]), 3.5)
        image = (image + rng.normal(100.0, 10.0, image.shape)).astype(np.float32)
        frame = CalibratedImage(image=image.copy(), saturated=None, bad=None)
        find_sky(frame, shrink=3)  # as for its pixels of 0.134 arcsec
        gone = image - frame.image
        lost.append(float(gone[inside].sum() - inside.sum() * gone[ring].mean()) / flux)
    assert abs(np.mean(lost)) < 0.003


def test_a_large_frame_has_the_same_sky() -> None:
    rng = np.random.default_rng(6)
    slope = np.linspace(90.0, 110.0, 801, dtype=np.float32)[:, None]
    image = (slope + rng.normal(0.0, 4.0, (801, 700))).astype(np.float32)
    sky = subtract_sky(image, None)
    assert (sky.level, sky.sigma) == pytest.approx((100.0, 4.0), rel=0.02)
    assert abs(float(image[:100].mean())) < 0.4
    assert abs(float(image[-100:].mean())) < 0.4


def test_the_light_in_a_circle() -> None:
    # Of a Moffat star of beta 2 half of the light lies within alpha.
    alpha = 3.0 / (2.0 * np.sqrt(np.sqrt(2.0) - 1.0))
    assert float(encircled(alpha, 3.0, 2.0)) == pytest.approx(0.5)
    rows, columns = np.indices((401, 401)) - 200
    light = surface((rows**2 + columns**2).astype(float), 6.0, 3.5)
    assert light.sum() == pytest.approx(1.0, abs=2e-3)
    assert light[rows**2 + columns**2 <= 144].sum() == pytest.approx(
        float(encircled(12.0, 6.0, 3.5)), abs=2e-3)


def test_a_width_that_grows_to_the_right_is_followed() -> None:
    rng = np.random.default_rng(2)
    x, y = grid(6, 300, rng)
    width = 4.0 * (1.0 + 0.05 * (2.0 * x / 299.0 - 1.0))
    image = moffat_stars(SHAPE, x, y, np.full(36, 1e5), width)
    image += rng.normal(0.0, 5.0, SHAPE).astype(np.float32)
    found = detect(image, sigma=5.0, threshold=5.0)
    psf = fit_psf(image, found, measure_widths(image, found, sigma=5.0), sigma=5.0)
    assert psf.fwhm == pytest.approx(4.06, rel=0.02)
    here, err = psf.fwhm_at([0.0, 299.0], [150.0, 150.0])
    assert here[1] / here[0] == pytest.approx(1.05 / 0.95, abs=0.02)
    assert (err < 0.01).all()
    assert psf.beta == pytest.approx(3.5, rel=0.25)
    # The wider star loses more light, and its factor gives it back.
    factor, _ = psf.aperture_factor([0.0, 299.0], [150.0, 150.0], 5.1)
    truth = encircled(5.1, np.array([3.8, 4.2]), 3.5)
    assert factor[1] / factor[0] == pytest.approx(truth[0] / truth[1], abs=0.003)


def test_the_psf_of_one_place_is_that_of_many() -> None:
    psf = replace(plain_psf(3.2, SHAPE), slopes=np.array([0.03, -0.02, 0.01, 0.005, -0.015]))
    for x, y in ((150.0, 150.0), (3.4, 280.1), (299.0, 0.0)):
        here = psf.place(x, y, 4.1)
        (fwhm,), _ = psf.fwhm_at(x, y)
        (factor,), (err,) = psf.aperture_factor(x, y, 4.1)
        assert (here.fwhm, here.factor) == pytest.approx((fwhm, factor), rel=1e-13)
        assert here.factor_err == pytest.approx(err, rel=1e-10)
        assert here.inside == pytest.approx(float(encircled(4.1, fwhm, psf.beta)), rel=1e-13)


def test_nothing_known_means_an_honest_error() -> None:
    psf = plain_psf(3.0, SHAPE)
    assert psf.aperture_factor(150.0, 150.0, 3.8)[0] == pytest.approx(1.0)
    _, err = psf.aperture_factor([0.0], [0.0], 3.8)
    assert 0.01 < err[0] < 0.1
