"""Pairs of places near each other are those that all distances show."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.science.near import pairs_within


@pytest.mark.parametrize("reach", [0.0, 1.0, 7.3, 500.0])
def test_pairs_are_those_of_all_distances(reach: float) -> None:
    rng = np.random.default_rng(3)
    x, y, other_x, other_y = rng.uniform(0.0, 200.0, 40), rng.uniform(0.0, 100.0, 40), \
        rng.uniform(0.0, 200.0, 90), rng.uniform(0.0, 100.0, 90)
    other_x[:5], other_y[:5] = x[:5] + 1.0, y[:5]  # on the rim of a reach of 1, or nearly
    place, other, distance = pairs_within(reach, x, y, other_x, other_y)
    every = np.hypot(other_x - x[:, None], other_y - y[:, None])
    assert np.array_equal(np.argwhere(every < reach), np.column_stack([place, other]))
    assert np.array_equal(distance, every[place, other])


def test_of_nothing_there_are_no_pairs() -> None:
    none, one = np.zeros(0), np.zeros(1)
    assert pairs_within(3.0, one, one, none, none)[0].size == 0
    assert pairs_within(3.0, none, none, one, one)[0].size == 0
