"""Combination: a mean that one bad value does not move, and no good value lost."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.science import combine
from iop4d.science.combine import clipped_mean, robust_level, typical_sigma


def test_an_outlier_is_left_out_of_the_mean() -> None:
    cube = np.random.default_rng(1).normal(100.0, 2.0, (5, 20, 20)).astype(np.float32)
    good = cube[:, 3, 4].copy()
    cube[2, 3, 4] = 5000.0
    mean = clipped_mean(cube, clip=4.0)
    assert mean[3, 4] == pytest.approx(np.delete(good, 2).mean(), rel=1e-6)


@pytest.mark.parametrize("n", [3, 4, 7, 20, 50])
def test_good_values_stay(n: int) -> None:
    cube = np.random.default_rng(n).normal(500.0, 3.0, (n, 100, 100)).astype(np.float32)
    mean = clipped_mean(cube, clip=4.0)
    assert mean.std() == pytest.approx(3.0 / np.sqrt(n), rel=0.03)
    assert mean.mean() == pytest.approx(500.0, abs=0.1)
    assert np.mean(np.abs(mean - cube.mean(axis=0)) < 1e-3) > 0.98


def test_quantised_frames_are_not_clipped_to_their_mode() -> None:
    rng = np.random.default_rng(2)
    cube = rng.choice([100.0, 101.0], p=[0.8, 0.2], size=(9, 100, 100)).astype(np.float32)
    assert clipped_mean(cube, clip=4.0).mean() == pytest.approx(100.2, abs=0.01)


def test_missing_values_count_for_nothing() -> None:
    cube = np.full((4, 2, 2), 7.0, dtype=np.float32)
    cube[0, 0, 0] = np.nan
    cube[:, 1, 1] = np.nan
    mean = clipped_mean(cube, clip=4.0)
    assert mean[0, 0] == 7.0
    assert np.isnan(mean[1, 1])


def test_two_frames_give_their_mean() -> None:
    cube = np.array([[[1.0]], [[3.0]]], dtype=np.float32)
    assert clipped_mean(cube, clip=4.0)[0, 0] == 2.0


def test_the_typical_sigma_is_that_of_the_noise() -> None:
    for n in (3, 10):
        cube = np.random.default_rng(n).normal(0.0, 5.0, (20000, n)).astype(np.float32)
        assert typical_sigma(cube) == pytest.approx(5.0, rel=0.03)


def test_the_level_does_not_see_the_stars() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(10.0, 2.0, 20000)
    values[:300] += 500.0
    level, sigma = robust_level(values)
    assert level == pytest.approx(10.0, abs=0.05)
    assert sigma == pytest.approx(2.0, rel=0.02)
    assert all(np.isnan(robust_level(np.array([np.nan]))))
    assert robust_level(np.full(10, 4.0)) == (4.0, 0.0)


@pytest.mark.parametrize("n", [129, 130, 1000, 4001, 50_000, 99_999, 262_144])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_level_of_a_large_image_has_the_bits_of_that_of_a_small_one(
        n: int, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found without copies of the image: values alike, whole numbers, a lopsided tail."""
    rng = np.random.default_rng(n)
    images = (rng.normal(300.0, 5.0, n), np.round(rng.normal(3.0, 0.7, n)), rng.exponential(2.0, n),
              np.concatenate([rng.normal(0.0, 1e-3, n - n // 3), np.full(n // 3, 60000.0)]),
              np.full(n, 7.25), np.where(rng.random(n) < 0.6, 1.0, -4.0))
    for image in images:
        values = image.astype(kind)
        expected = robust_level(values)
        with monkeypatch.context() as patch:
            patch.setattr(combine, "_WHOLE", 128)
            assert robust_level(values) == expected


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9])
@pytest.mark.parametrize("holes", [0, 40])
def test_the_order_of_frames_does_not_matter(n: int, holes: int) -> None:
    rng = np.random.default_rng(n)
    cube = np.round(rng.normal(300.0, 3.0, (n, 20, 30))).astype(np.float32)
    cube[rng.integers(n, size=holes), rng.integers(20, size=holes), 3] = np.nan
    spoilt = cube.copy()
    spoilt[-1, 5, 5] = 60000.0  # a cosmic ray
    expected = clipped_mean(spoilt, clip=5.0)
    assert n < 3 or expected[5, 5] < 320.0
    for _ in range(5):
        np.testing.assert_array_equal(clipped_mean(rng.permutation(spoilt), clip=5.0), expected)
