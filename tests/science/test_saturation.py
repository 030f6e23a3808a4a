"""Where a frame is clipped, and values that no detector gives."""

from __future__ import annotations

import math

import numpy as np
import pytest

from iop4d.science.saturation import clip_level, has_hole
from tests.science.skies import moffat_stars

SHAPE = (120, 120)


def raw(rng: np.random.Generator, fwhm: float = 2.8, gain: float = 2.0) -> np.ndarray:
    """A raw frame of a bias of 300 ADU, a sky of 100, and twelve stars of rising brightness."""
    x, y = (v.ravel() + rng.uniform(-0.5, 0.5, 12) for v in np.meshgrid(
        np.arange(15.0, 115.0, 30.0), np.arange(20.0, 120.0, 40.0)))
    light = moffat_stars(SHAPE, x, y, np.geomspace(2e3, 4e5, 12), np.full(12, fwhm)) + 100.0
    return np.rint(300.0 + rng.poisson(light * gain) / gain).astype(np.float32)


@pytest.mark.parametrize(("level", "fwhm"), [
    (2000.0, 2.0), (5000.0, 2.0), (20000.0, 2.0), (5000.0, 2.8), (2000.0, 6.0), (4000.0, 6.0)])
def test_many_pixels_at_one_highest_value_are_a_clip(level: float, fwhm: float) -> None:
    image = raw(np.random.default_rng(1), fwhm)
    assert (image > level).sum() > 3
    assert clip_level(np.minimum(image, np.float32(level)), 2.0) == level


def test_a_frame_that_is_not_clipped_has_no_clip_level() -> None:
    for seed in range(40):
        for fwhm in (2.0, 6.0):
            assert clip_level(raw(np.random.default_rng(seed), fwhm), 2.0) == math.inf


@pytest.mark.parametrize("top", [4095, 16383, 65520])
def test_one_pixel_at_a_converter_s_highest_value_is_a_clip(top: int) -> None:
    image = np.rint(raw(np.random.default_rng(2)) * 0.01) * (16.0 if top == 65520 else 1.0)
    image[60, 60] = top
    assert clip_level(image.astype(np.float32), 2.0) == top


def test_a_pixel_with_such_a_value_by_accident_is_no_clip() -> None:
    image = np.rint(raw(np.random.default_rng(2)) * 0.01).astype(np.float32)
    image[60, 60] = 65520  # but others are no multiples of 16
    assert clip_level(image, 2.0) == math.inf
    image[60, 60] = 4095
    assert clip_level(image, 2.0, is_known=True) == math.inf
    image[61, 60] = 4095
    assert clip_level(image, 2.0, is_known=True) == 4095


def test_an_empty_or_coarse_sky_is_not_clipped() -> None:
    rng = np.random.default_rng(3)
    assert clip_level(np.rint(rng.normal(100.0, 1.0, SHAPE)).astype(np.float32), 1.0) == math.inf
    assert clip_level(np.full(SHAPE, np.nan, np.float32), 1.0) == math.inf
    hole = raw(rng)
    hole[5, 5] = np.nan
    assert clip_level(np.minimum(hole, np.float32(3000.0)), 2.0) == 3000.0


def star(fwhm: float) -> np.ndarray:
    return moffat_stars((41, 41), np.array([20.3]), np.array([19.8]), np.array([1e5]),
                        np.array([fwhm])).astype(float)


@pytest.mark.parametrize("fwhm", [2.0, 2.8, 6.0])
def test_a_core_whose_values_wrapped_has_a_hole_and_a_star_has_none(fwhm: float) -> None:
    inside = np.hypot(*(np.indices((41, 41)) - 20)) < 1.3 * fwhm
    image = star(fwhm)
    assert not has_hole(image, inside, sigma=5.0, gain=2.0)
    full = 0.7 * image.max()
    assert has_hole(np.where(image > full, image - full, image), inside, sigma=5.0, gain=2.0)
    assert has_hole(np.where(image > full, image - 65536.0, image), inside, sigma=5.0, gain=2.0)


def test_a_pixel_far_below_the_sky_is_a_hole() -> None:
    inside = np.hypot(*(np.indices((41, 41)) - 20)) < 14.0
    image = star(2.8)
    image[20, 33] = -80.0
    assert has_hole(image, inside, sigma=5.0, gain=2.0)
    assert not has_hole(image, inside, sigma=10.0, gain=2.0)
