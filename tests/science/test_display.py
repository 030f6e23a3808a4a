"""How an image is shown: codes of pixels, cuts, and the light about a place."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.visualization import ZScaleInterval

from iop4d.science.display import (
    NONE,
    STEP,
    decode,
    encode,
    levels_of,
    projections,
    radial_profile,
    zscale,
)


def noise(sky: float = 200.0, sigma: float = 8.0) -> np.ndarray:
    return np.random.default_rng(1).normal(sky, sigma, (400, 500)).astype(np.float32)


def test_a_code_is_its_pixel_to_half_a_step() -> None:
    pixels = np.array([[-50.0, 200.0, 201.0, 260.0, 3000.0, 65535.0]], dtype=np.float32)
    again = decode(encode(pixels, 200.0, 8.0), 200.0, 8.0)
    allowed = 0.51 * STEP * np.hypot(8.0, pixels - 200.0)
    assert (np.abs(again - pixels) <= allowed).all()
    assert again[0, 1] == 200.0


def test_what_has_no_value_has_the_code_of_none() -> None:
    codes = encode(np.array([[np.nan, np.inf, 1e30]], dtype=np.float32), 0.0, 1.0)
    assert codes[0].tolist()[:2] == [NONE, NONE]
    assert math.isnan(float(decode(codes, 0.0, 1.0)[0, 0]))
    assert codes[0, 2] > 0


def test_levels_of_noise_are_its_mean_and_sigma() -> None:
    levels = levels_of(noise())
    assert levels.sky == pytest.approx(200.0, abs=0.1)
    assert levels.sigma == pytest.approx(8.0, rel=0.02)
    percents = dict(levels.percentiles)
    assert percents[97.5] == pytest.approx(200.0 + 1.96 * 8.0, abs=0.3)
    assert levels.gaps == 0.0
    assert sum(levels.counts) == 400 * 500
    # The fullest bins are those about the sky, whose code is 0.
    fullest = int(np.argmax(levels.counts))
    assert abs(levels.first + levels.codes * (fullest + 0.5)) * STEP < 0.8


def test_an_image_without_any_value_has_levels_too() -> None:
    levels = levels_of(np.full((20, 20), np.nan, dtype=np.float32))
    assert (levels.gaps, levels.counts) == (1.0, ())
    flat = levels_of(np.full((20, 20), 7.0, dtype=np.float32))
    assert (flat.sky, flat.sigma > 0) == (7.0, True)


def test_zscale_is_that_of_astropy() -> None:
    pixels = noise()
    pixels[::40, ::40] += 5000.0  # stars
    ours = zscale(np.sort(pixels.ravel()).astype(float))
    theirs = ZScaleInterval(n_samples=5000).get_limits(pixels)
    span = theirs[1] - theirs[0]
    assert ours[0] == pytest.approx(theirs[0], abs=0.15 * span)
    assert ours[1] == pytest.approx(theirs[1], abs=0.15 * span)


def test_a_profile_is_the_light_by_distance() -> None:
    j, i = np.indices((41, 41))
    image = (100.0 * np.exp(-np.hypot(i - 20.0, j - 18.0) ** 2 / 18.0)).astype(np.float32)
    image[18, 20] = np.nan
    found = radial_profile(image, 20.0, 18.0, 10.0)
    assert found.distance.max() <= 10.0
    assert 0.0 not in found.distance
    at = dict(zip(found.ring.tolist(), found.median.tolist(), strict=True))
    assert at[3.0] == pytest.approx(100.0 * math.exp(-9.0 / 18.0), rel=0.15)
    assert at[9.0] < at[3.0] < at[1.0]


def test_projections_are_sums_across_a_strip() -> None:
    image = np.zeros((7, 9))
    image[3, 5], image[4, 5], image[3, 6], image[0, 5] = 10.0, 4.0, 2.0, 100.0
    image[2, 4] = math.nan
    along_x, along_y = projections(image, 5.0, 3.0, reach=2.0, half_width=1.0)
    assert along_x.offset.tolist() == [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert along_x.value.tolist() == [0.0, 0.0, 14.0, 2.0, 0.0]  # not the star three rows below
    assert along_y.offset.tolist() == [-2.0, -1.0, 0.0, 1.0, 2.0]
    assert along_y.value.tolist() == [0.0, 0.0, 12.0, 4.0, 0.0]
    none, _ = projections(np.full((3, 3), math.nan), 1.0, 1.0, 1.0, 1.0)
    assert np.isnan(none.value).all()
