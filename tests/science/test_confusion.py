"""The noise of a sky crowded with stars too faint to be detected."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest

from iop4d.model.flags import Flag
from iop4d.science.confusion import UNSHARED, sky_excess
from iop4d.science.detect import detect
from iop4d.science.photometry import Flux, Pixels, aperture_for, measure, total_fluxes
from iop4d.science.psf import plain_psf
from iop4d.simulator.camera import Psf as SimulatedPsf
from iop4d.simulator.camera import star_light

SHAPE, FWHM, SIGMA = (400, 400), 3.0, 3.0
APERTURE = aperture_for(FWHM, radius=3.0, inner=5.0, outer=9.0)


@cache
def faint_light(density: float, seed: int = 1, fwhm: float = FWHM) -> np.ndarray:
    """Stars of 10 to 220 ADU, none of them above the threshold of detection."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(density * SHAPE[0] * SHAPE[1])
    x, y = rng.uniform(0.0, 400.0, n), rng.uniform(0.0, 400.0, n)
    return star_light(x, y, 10 ** rng.uniform(1.0, 2.35, n), SimulatedPsf(fwhm_px=fwhm),
                      SHAPE) if n else np.zeros(SHAPE)


def crowded(density: float) -> np.ndarray:
    """A sky with such stars."""
    image = faint_light(density) + np.random.default_rng(7).normal(0.0, SIGMA, SHAPE)
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


def seen(light: np.ndarray, noise_seed: int, fwhm: float) -> list[Flux]:
    """Fluxes at places without a star on one frame of a sky of such faint light."""
    image = light + np.random.default_rng(noise_seed).normal(0.0, SIGMA, SHAPE)
    image = (image - np.median(image)).astype(np.float32)
    sky = float(np.std(image[np.abs(image) < 4.0 * SIGMA]))
    psf, nothing = plain_psf(fwhm, SHAPE), detect(image, sigma=1e9, threshold=5.0)
    pixels = Pixels(image=image, sigma=sky, gain=4.5, bad=None, saturated=None, psf=psf,
                    detections=nothing, fluxes=total_fluxes(nothing, psf))
    places = np.random.default_rng(6).uniform(30.0, 370.0, (120, 2)).tolist()
    return [measure(pixels, x, y, APERTURE) for x, y in places]


def pulls_between(one: list[Flux], other: list[Flux], part: float) -> float:
    """Width of the pulls of differences; ``part``: of the faint stars' error that counts."""
    return float(np.std([(a.flux - b.flux) / math.hypot(
        a.photon_err, b.photon_err, part * a.confusion_err, part * b.confusion_err)
        for a, b in zip(one, other, strict=True)]))


def test_faint_stars_cancel_between_frames_of_one_field_in_seeing_that_differs_by_a_tenth() -> None:
    one, other = (seen(faint_light(0.015, fwhm=fwhm), k, fwhm) for k, fwhm in ((1, 3.0), (2, 3.3)))
    assert 0.75 < pulls_between(one, other, UNSHARED) < 1.1
    assert pulls_between(one, other, 1.0) < 0.7  # as if each frame had faint stars of its own


def test_faint_stars_of_other_fields_do_not_cancel() -> None:
    one, other = (seen(faint_light(0.015, seed=k), k, FWHM) for k in (1, 2))
    assert 0.75 < pulls_between(one, other, 1.0) < 1.25
    assert pulls_between(one, other, UNSHARED) > 1.3
