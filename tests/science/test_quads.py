"""A small frame placed on a large one."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from iop4d.science.quads import Placement, place

Floats = NDArray[np.float64]


def turned(x: Floats, y: Floats, degrees: float, shift: tuple[float, float], *,
           mirror: bool = False) -> tuple[Floats, Floats]:
    angle = np.radians(degrees)
    x = -x if mirror else x
    return (np.cos(angle) * x - np.sin(angle) * y + shift[0],
            np.sin(angle) * x + np.cos(angle) * y + shift[1])


def test_four_stars_are_placed_by_their_shape() -> None:
    x, y = np.array([100.0, 900.0, 300.0, 650.0]), np.array([120.0, 200.0, 700.0, 480.0])
    placed = place(x, y, *turned(x, y, 3.0, (1500.0, 900.0)))
    assert placed is not None
    assert len(placed.matched) == 4
    assert placed.rms_px < 1e-6
    assert placed(np.array([10.0]), np.array([20.0]))[0] == pytest.approx(
        turned(np.array([10.0]), np.array([20.0]), 3.0, (1500.0, 900.0))[0])


def test_a_mirror_image_is_placed_only_when_it_may_be_one() -> None:
    x, y = np.array([100.0, 900.0, 300.0, 650.0]), np.array([120.0, 200.0, 700.0, 480.0])
    there = turned(x, y, 20.0, (2000.0, 100.0), mirror=True)
    assert place(x, y, *there) is None
    placed = place(x, y, *there, reflected=True)
    assert placed is not None
    assert np.linalg.det(placed.rotation) == pytest.approx(-1.0)


def test_pairs_look_the_same_upside_down_and_the_turn_is_bounded() -> None:
    """Two images of each star: a point-symmetric figure."""
    extraordinary_x, extraordinary_y = np.array([300.0, 700.0]), np.array([300.0, 500.0])
    x = np.concatenate([extraordinary_x, extraordinary_x - 209.0])
    y = np.concatenate([extraordinary_y, extraordinary_y + 13.0])
    placed = place(x, y, *turned(x, y, 1.0, (50.0, 60.0)), most_turn_deg=20.0)
    assert placed is not None
    assert placed.rotation[0, 0] > 0.9
    assert place(x, y, *turned(x, y, 90.0, (50.0, 60.0)), most_turn_deg=20.0) is None


def test_two_stars_with_both_images_are_placed_whatever_the_noise() -> None:
    """A parallelogram: which of its ends is the first one is decided by noise."""
    for seed in range(30):
        rng = np.random.default_rng(seed)
        x = np.array([300.0, 700.0, 91.0, 491.0])
        y = np.array([300.0, 510.0, 313.0, 523.0])
        rx, ry = turned(x, y, 0.5, (50.0, 60.0))
        placed = place(x, y, rx + rng.normal(0, 0.3, 4), ry + rng.normal(0, 0.3, 4),
                       most_turn_deg=20.0)
        assert placed is not None
        assert placed.rotation[0, 0] > 0.99


def scene(seed: int, stars: int, others: int) -> tuple[tuple[Floats, ...], tuple[float, float]]:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 1120, stars), rng.uniform(0, 896, stars)
    rx, ry = turned(x, y, rng.normal(0, 1), (1500.0, 1000.0))
    rx = np.concatenate([rx + rng.normal(0, 0.3, stars), rng.uniform(1400, 2800, others)])
    ry = np.concatenate([ry + rng.normal(0, 0.3, stars), rng.uniform(900, 2000, others)])
    order = rng.permutation(rx.size)
    return (x, y, rx[order], ry[order]), (1500.0, 1000.0)


def test_noisy_frames_among_other_stars_are_placed_within_a_pixel() -> None:
    for seed in range(20):
        rng = np.random.default_rng(1000 + seed)
        arrays, shift = scene(seed, int(rng.integers(6, 12)), int(rng.integers(0, 10)))
        placed = place(*arrays)
        assert isinstance(placed, Placement)
        x, y = placed(np.array([0.0]), np.array([0.0]))
        assert np.hypot(x[0] - shift[0], y[0] - shift[1]) < 1.5
        assert placed.second < len(placed.matched)


def test_frames_of_another_field_are_not_placed_on_many_stars() -> None:
    for seed in range(20):
        (x, y, _, _), _ = scene(seed, 8, 0)
        (_, _, rx, ry), _ = scene(seed + 500, 8, 4)
        placed = place(x, y, rx, ry, most_turn_deg=20.0)
        assert placed is None or len(placed.matched) <= 5


def test_three_stars_make_no_quad() -> None:
    x, y = np.array([1.0, 200.0, 500.0]), np.array([1.0, 300.0, 20.0])
    assert place(x, y, x, y) is None
