"""The overlap of pixels with a circle: by hand, and against photutils."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from photutils.geometry import circular_overlap_grid

from iop4d.science.overlap import circle_overlap

Floats = NDArray[np.float64]


def centres(half: int, place: float = 0.0) -> Floats:
    return np.arange(-half, half + 1) - place


def by_photutils(dx: Floats, dy: Floats, radius: float) -> Floats:
    return np.asarray(circular_overlap_grid(
        dx[0] - 0.5, dx[-1] + 0.5, dy[0] - 0.5, dy[-1] + 0.5, dx.size, dy.size, radius, 1, 1))


def test_a_circle_within_a_pixel_has_its_own_area() -> None:
    found = circle_overlap(centres(2), centres(2), 0.5)
    assert found[2, 2] == pytest.approx(math.pi / 4.0, rel=1e-15)
    assert found.sum() == found[2, 2]


def test_a_circle_about_a_corner_shares_itself_among_four_pixels() -> None:
    found = circle_overlap(centres(2, 0.5), centres(2, 0.5), 1.0)
    assert found[2:4, 2:4] == pytest.approx(np.full((2, 2), math.pi / 4.0), rel=1e-15)
    assert found.sum() == pytest.approx(math.pi, rel=1e-15)


def test_pixels_inside_count_whole_and_pixels_outside_not_at_all() -> None:
    dx, dy = centres(30, 0.3), centres(28, -0.2)
    found = circle_overlap(dx, dy, 9.7)
    distance = np.hypot(dy[:, None], dx)
    assert (found[distance < 9.7 - math.sqrt(0.5)] == 1.0).all()
    assert (found[distance > 9.7 + math.sqrt(0.5)] == 0.0).all()


def test_a_stamp_that_the_circle_does_not_reach_or_fills_is_even() -> None:
    assert (circle_overlap(centres(2, -9.0), centres(2), 3.0) == 0.0).all()
    assert (circle_overlap(centres(2), centres(2), 30.0) == 1.0).all()


@pytest.mark.parametrize("seed", range(4))
def test_it_is_photutils_overlap_and_the_circle_s_area(seed: int) -> None:
    """photutils is good to 1e-11 of a pixel where the rim only grazes it."""
    rng = np.random.default_rng(seed)
    for radius in rng.uniform(0.3, 25.0, 200):
        half = math.ceil(radius) + 2
        dx, dy = (centres(half, place) for place in rng.uniform(-0.5, 0.5, 2))
        found = circle_overlap(dx, dy, radius)
        assert np.abs(found - by_photutils(dx, dy, radius)).max() <= 2e-11
        assert found.sum() == pytest.approx(math.pi * radius**2, rel=1e-13)


def test_several_circles_at_once_have_each_its_own_overlap() -> None:
    dx, dy = np.stack([centres(9, 0.3), centres(9, -0.5)]), np.stack([centres(8), centres(8, 0.1)])
    found = circle_overlap(dx, dy, 4.2)
    assert found.shape == (2, 17, 19)
    for k in range(2):
        assert found[k].tolist() == circle_overlap(dx[k], dy[k], 4.2).tolist()
