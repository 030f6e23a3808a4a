"""The PSF that a frame's own stars show: how closely, at any sampling, and with too few stars."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.science.empirical_psf import FLUX, SHIFT_X, WIDTH, fit_empirical_psf
from tests.science.skies import noisy_field


@pytest.mark.parametrize("fwhm", [1.3, 2.0, 2.8, 4.5, 6.0])
def test_the_pixels_of_bright_stars_agree_with_it_to_a_hundredth(fwhm: float) -> None:
    field = noisy_field(fwhm)
    psf = field.pixels.empirical_psf
    assert psf.n_stars >= 12
    assert psf.misfit < 0.01
    assert (psf.scatter < 0.02).all()


def test_a_trailed_star_image_is_followed_too() -> None:
    psf = noisy_field(2.8, ellipticity=0.4).pixels.empirical_psf
    assert psf.misfit < 0.03
    along = psf.design(np.array([[2.0]]), np.array([[2.0]]), np.array([2.8]))[0, FLUX, 0, 0]
    across = psf.design(np.array([[2.0]]), np.array([[-2.0]]), np.array([2.8]))[0, FLUX, 0, 0]
    assert along > 1.5 * across  # drawn out at 0.6 radians


def test_its_terms_are_the_changes_of_its_light() -> None:
    psf = noisy_field(2.8).pixels.empirical_psf
    x, y, fwhm = np.linspace(-3, 3, 7)[None, :], np.linspace(-2, 4, 7)[None, :], np.array([2.8])
    step = 1e-4
    at, moved = psf.design(x, y, fwhm), psf.design(x - step, y, fwhm)
    assert np.allclose((moved - at)[:, FLUX] / step, at[:, SHIFT_X], atol=1e-4)
    wider = psf.design(x, y, fwhm * (1.0 + step))
    assert np.allclose((wider - at)[:, FLUX] / step, at[:, WIDTH], atol=1e-4)


def test_of_three_stars_it_is_the_moffat_profile_alone() -> None:
    pixels = noisy_field(2.8).pixels
    psf = fit_empirical_psf(pixels.image, pixels.detections, pixels.psf, sigma=pixels.sigma,
                            gain=pixels.gain, usable=np.arange(3))
    assert psf.n_stars == 0
    assert not psf.coefficients.any()
    assert psf.misfit == pytest.approx(0.03)
