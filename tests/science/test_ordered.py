"""Medians and quantiles, against numpy's."""

from __future__ import annotations

import math

import numpy as np
import pytest

from iop4d.science.ordered import median, medians, percentiles


@pytest.mark.parametrize("size", [1, 2, 5, 6, 101, 1000])
def test_medians_and_percentiles_are_those_of_numpy(size: int) -> None:
    values = np.random.default_rng(size).normal(600.0, 8.0, size)
    assert median(values) == np.median(values)
    assert percentiles(values, 0.0, 15.87, 50.0, 84.13, 100.0) == pytest.approx(
        np.percentile(values, (0.0, 15.87, 50.0, 84.13, 100.0)), rel=1e-14)


def test_by_hand() -> None:
    assert median(np.array([[3.0, 1.0], [10.0, 2.0]])) == 2.5
    assert percentiles(np.array([4.0, 0.0, 2.0]), 25.0, 75.0) == (1.0, 3.0)


def test_a_nan_or_no_value_gives_nan() -> None:
    for values in (np.array([]), np.array([1.0, np.nan, 2.0])):
        assert math.isnan(median(values))
        assert all(map(math.isnan, percentiles(values, 10.0, 90.0)))


def test_medians_of_rows_leave_nan_out() -> None:
    rows = np.array([[1.0, np.nan, 5.0, 3.0], [np.nan, np.nan, 2.0, 4.0], [np.nan] * 4])
    assert medians(rows) == pytest.approx([3.0, 3.0, math.nan], nan_ok=True)
