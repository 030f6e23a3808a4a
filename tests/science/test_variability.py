"""Constant stars pass, a variable one is found, and clouds harm nobody."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2, kstest

from iop4d.science.variability import constancy


def frames(count: int, stars: int, *, seed: int, error: float = 0.01,
           clouds: float = 0.3) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (rng.uniform(-12.0, -9.0, stars)[None, :] + rng.normal(0.0, clouds, count)[:, None]
            + rng.normal(0.0, error, (count, stars)))


def test_three_frames_by_hand() -> None:
    # The zero points are those of the two constant stars; the third is 0.03 off their mean, up and
    # down, with errors of 0.01 of its own and 0.01 / sqrt(2) of the zero point.
    mags = np.array([[-10.0, -11.0, -9.03], [-9.5, -10.5, -8.5], [-10.2, -11.2, -9.17]])
    found = constancy(mags, np.full(mags.shape, 0.01), floor=0.0)
    assert found.n.tolist() == [3, 3, 3]
    assert found.chi2[2] == pytest.approx(2 * 0.03**2 / (1.5 * 0.01**2))
    assert found.p_value[2] == pytest.approx(chi2.sf(12.0, 2))
    assert found.scatter[2] == pytest.approx(0.03)
    assert found.excess[2] == pytest.approx(np.sqrt(0.03**2 - 1.5 * 0.01**2))
    assert not found.varies.any()  # one chance in 400 is no proof


def test_p_values_of_constant_stars_are_uniform() -> None:
    values = [constancy(frames(20, 5, seed=seed), np.full((20, 5), 0.01), floor=0.0).p_value[0]
              for seed in range(200)]
    assert kstest(values, "uniform").pvalue > 0.01


def test_a_variable_star_is_found_and_the_others_are_not_blamed() -> None:
    mags = frames(40, 5, seed=1)
    mags[:, 2] += 0.15 * np.sin(np.arange(40.0))
    found = constancy(mags, np.full(mags.shape, 0.01))
    assert found.varies.tolist() == [False, False, True, False, False]
    assert found.excess[2] == pytest.approx(0.15 / np.sqrt(2.0), rel=0.15)


def test_of_three_stars_the_two_that_agree_are_believed() -> None:
    mags = frames(40, 3, seed=7)
    mags[:, 0] += 0.15 * np.sin(np.arange(40.0))
    assert constancy(mags, np.full(mags.shape, 0.01)).varies.tolist() == [True, False, False]


def test_a_star_that_comes_and_goes_makes_no_step() -> None:
    mags = frames(30, 4, seed=2, error=0.003)
    errors = np.full(mags.shape, 0.003)
    mags[10:20, 0] = np.nan
    errors[5, 3] = np.nan
    found = constancy(mags, errors)
    assert found.n.tolist() == [20, 30, 30, 29]
    assert not found.varies.any()
    assert np.nanmax(found.scatter) < 0.01


def test_tiny_but_certain_scatter_is_not_called_variable() -> None:
    mags = frames(200, 4, seed=3, error=0.004)
    found = constancy(mags, np.full(mags.shape, 0.001), floor=0.0)
    assert (found.p_value < 1e-3).all()
    assert not found.varies.any()


def test_with_too_little_nothing_is_said() -> None:
    two = constancy(frames(10, 2, seed=4), np.full((10, 2), 0.01))
    assert np.isnan(two.chi2).all()
    short = constancy(frames(2, 5, seed=4), np.full((2, 5), 0.01))
    assert np.isnan(short.p_value).all()
    empty = constancy(np.zeros((0, 3)), np.zeros((0, 3)))
    assert not empty.varies.any()


def test_a_scatter_that_flats_and_sky_make_is_no_variation() -> None:
    """A standard deviation of 0.0115 mag in three frames: 3.3 sigma of errors of 0.001, but flats
    make 0.005 of it, which is nothing unusual."""
    mags = np.array([[-10.0, -11.0, -9.0115], [-9.5, -10.5, -8.5], [-10.2, -11.2, -9.1885]])
    errors = np.full(mags.shape, 0.001)
    assert constancy(mags, errors, floor=0.0).varies.tolist() == [False, False, True]
    assert not constancy(mags, errors).varies.any()
