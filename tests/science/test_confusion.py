"""The noise of a sky crowded with stars too faint to be detected."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from iop4d.model.flags import Flag
from iop4d.science.confusion import sky_excess
from iop4d.science.detect import detect
from iop4d.science.photometry import Pixels, aperture_for, measure, total_fluxes
from iop4d.science.psf import plain_psf
from iop4d.simulator.camera import Psf as SimulatedPsf
from iop4d.simulator.camera import star_light

SHAPE, FWHM, SIGMA = (400, 400), 3.0, 3.0
APERTURE = aperture_for(FWHM, radius=3.0, inner=5.0, outer=9.0)


@cache
def crowded(density: float, seed: int = 1) -> np.ndarray:
    """A sky with stars of 10 to 220 ADU, none of them above the threshold of detection."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(density * SHAPE[0] * SHAPE[1])
    x, y = rng.uniform(0.0, 400.0, n), rng.uniform(0.0, 400.0, n)
    light = star_light(x, y, 10 ** rng.uniform(1.0, 2.35, n), SimulatedPsf(fwhm_px=FWHM),
                       SHAPE) if n else np.zeros(SHAPE)
    image = light + rng.normal(0.0, SIGMA, SHAPE)
    return np.asarray(image - np.median(image), dtype=np.float32)


def test_independent_pixels_have_no_excess() -> None:
    noise = np.random.default_rng(2).normal(0.0, SIGMA, SHAPE).astype(np.float32)
    assert sky_excess(noise, sigma=SIGMA, area=46.0) == 1.0


def test_pixels_that_are_alike_in_squares_have_their_number_for_excess() -> None:
    coarse = np.random.default_rng(3).normal(0.0, SIGMA, (80, 80)).astype(np.float32)
    assert sky_excess(np.kron(coarse, np.ones((5, 5), np.float32)), sigma=SIGMA,
                      area=25.0) == pytest.approx(25.0, rel=0.1)


def test_bright_stars_and_too_few_squares_do_not_count() -> None:
    noise = np.random.default_rng(4).normal(0.0, SIGMA, SHAPE).astype(np.float32)
    noise[::80, ::80] += 1e4
    assert sky_excess(noise, sigma=SIGMA, area=46.0) == 1.0
    assert sky_excess(5.0 * noise[:20, :20], sigma=SIGMA, area=46.0) == 1.0


def test_wings_of_bright_stars_are_no_confusion() -> None:
    """A few stars of 10,000 sigma, 14 pixels wide, on a sky of independent pixels."""
    noise = np.random.default_rng(4).normal(0.0, SIGMA, (1000, 1000)).astype(np.float32)
    x, y = np.array([100.0, 500.0, 850.0]), np.array([140.0, 520.0, 800.0])
    light = star_light(x, y, np.full(3, 1e7), SimulatedPsf(fwhm_px=14.0), noise.shape)
    image = (noise + light).astype(np.float32)
    assert sky_excess(image, sigma=SIGMA, area=1000.0) < 1.4


@pytest.mark.parametrize("density", [0.0, 0.004, 0.015])
def test_pulls_of_faint_sources_on_a_crowded_sky_are_at_most_a_little_wider_than_one(
        density: float) -> None:
    rng, image, gain = np.random.default_rng(5), crowded(density), 4.5
    sky = float(np.std(image[np.abs(image) < 4.0 * SIGMA]))
    psf = plain_psf(FWHM, SHAPE)
    pulls, flags = [], []
    nothing = detect(image, sigma=1e9, threshold=5.0)
    pixels = Pixels(image=image, sigma=sky, gain=gain, bad=None, saturated=None, psf=psf,
                    detections=nothing, fluxes=total_fluxes(nothing, psf))
    for _ in range(120):
        x, y = rng.uniform(30.0, 370.0, 2)
        found = measure(pixels, x, y, APERTURE)
        pulls.append(found.flux / found.flux_err)
        flags.append(found.flags)
    assert float(np.std(pulls)) < 1.25
    assert float(np.std(pulls)) > 0.75
    assert all(bool(f & Flag.CROWDED) == (density > 0.001) for f in flags)
