"""A field of two images of every star is told from one of single stars."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.science.doubled import second_image


def field(rng: np.random.Generator, stars: int, offset: tuple[float, float] | None,
          side: float = 1024.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stars, few of them bright, each twice where there is an offset; brightest first."""
    x, y = rng.uniform(0, side, (2, stars))
    flux = 1e3 * rng.pareto(1.0, stars) + 1e3
    if offset is not None:
        x, y = np.concatenate([x, x + offset[0]]), np.concatenate([y, y + offset[1]])
        flux = np.concatenate([flux, flux * rng.normal(0.8, 0.03, stars)])
    x, y = x + rng.normal(0, 0.2, x.size), y + rng.normal(0, 0.2, x.size)
    inside = (x > 0) & (x < side) & (y > 0) & (y < side)
    order = np.flatnonzero(inside)[np.argsort(-flux[inside])]
    return x[order], y[order], flux[order]


@pytest.mark.parametrize("offset", [(24.6, 30.6), (-0.9, 38.5), (0.1, 38.5), (-35.7, -0.2),
                                    (-80.0, 10.0)])
@pytest.mark.parametrize("stars", [15, 60, 400])
def test_two_images_of_every_star_are_found(offset: tuple[float, float], stars: int) -> None:
    found = second_image(*field(np.random.default_rng(stars), stars, offset), longest=100.0)
    assert found is not None
    sign = 1.0 if abs(found[1] - offset[1]) < 1.0 else -1.0
    assert (sign * found[0], sign * found[1]) == pytest.approx(offset, abs=0.5)


@pytest.mark.parametrize("stars", [3, 15, 60, 400, 3000])
def test_single_stars_are_not_taken_for_pairs(stars: int) -> None:
    for seed in range(20):
        assert second_image(*field(np.random.default_rng(seed), stars, None),
                            longest=100.0) is None
