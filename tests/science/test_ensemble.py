"""Zero points from an ensemble: truths that can be computed by hand, then errors that hold."""

from __future__ import annotations

import numpy as np
import pytest

from iop4d.science.ensemble import FLOOR, solve

NAN = float("nan")


def test_one_frame_is_the_weighted_mean_of_its_stars() -> None:
    z, prior = np.array([[20.0, 20.3]]), np.array([0.03, 0.06])
    found = solve(z, np.zeros((1, 2)), prior)
    variance = prior**2 + FLOOR**2
    expected = np.sum(z[0] / variance) / np.sum(1 / variance)
    assert found.zero[0] == pytest.approx(expected, abs=1e-6)
    assert found.random_err[0] == 0.0
    chi2 = np.sum((z[0] - expected) ** 2 / variance)
    assert found.common_err == pytest.approx(np.sqrt(chi2 / np.sum(1 / variance)), rel=1e-4)


def test_one_star_gives_its_own_zero_point_with_its_own_error() -> None:
    found = solve(np.array([[20.0], [20.5]]), np.full((2, 1), 0.01), np.array([0.05]))
    assert np.diff(found.zero) == pytest.approx(0.5, abs=1e-9)
    assert found.common_err == pytest.approx(0.05, rel=0.05)


def test_a_star_that_comes_and_goes_makes_no_step() -> None:
    """Three stars with catalogue errors of 0.1 mag; one is missing in half of the frames."""
    catalogue = np.array([0.1, -0.1, 0.05])
    z = np.tile(20.0 + catalogue, (20, 1))
    z[::2, 0] = NAN
    found = solve(z, np.full(z.shape, 0.005), np.full(3, 0.1))
    assert np.ptp(found.zero) < 1e-6
    assert found.offsets - catalogue == pytest.approx(
        np.full(3, found.offsets[0] - catalogue[0]), abs=1e-5)


def test_a_wrong_catalogue_magnitude_is_not_believed() -> None:
    z = np.tile([20.0, 20.01, 19.99, 20.0, 21.0], (10, 1))
    found = solve(z, np.full(z.shape, 0.005), np.full(5, 0.02))
    assert found.zero == pytest.approx(np.full(10, 20.0), abs=0.005)
    assert found.trust[4] == 0.0


def test_a_bad_point_of_one_frame_is_left_out() -> None:
    z = np.tile([20.0, 20.0, 20.0, 20.0, 20.0], (10, 1))
    z[3, 2] += 0.5
    found = solve(z, np.full(z.shape, 0.005), np.full(5, 0.02))
    assert found.weights[3, 2] == 0.0
    assert found.zero[3] == pytest.approx(20.0, abs=1e-3)


def test_a_frame_without_stars_has_no_zero_point() -> None:
    z = np.array([[20.0, 20.1], [NAN, NAN]])
    found = solve(z, np.full(z.shape, 0.01), np.full(2, 0.05))
    assert np.isfinite(found.zero[0])
    assert np.isnan(found.zero[1])
    assert np.isnan(found.random_err[1])


@pytest.mark.parametrize("shape", [(1, 1), (1, 0), (3, 0), (4, 2)])
def test_nothing_usable_is_no_zero_point(shape: tuple[int, int]) -> None:
    found = solve(np.full(shape, NAN), np.full(shape, NAN), np.full(shape[1], 0.05))
    assert np.isnan(found.zero).all()
    assert np.isnan(found.common_err)


@pytest.mark.parametrize(("frames", "stars"), [(10, 2), (10, 3), (30, 5)])
def test_a_frame_in_which_stars_move_is_unsteady_and_a_bad_catalogue_is_not(
        frames: int, stars: int) -> None:
    rng = np.random.default_rng(4)
    errors = np.full((frames, stars), 0.01)
    z = 22.0 + rng.normal(0.0, 0.3, stars) + rng.normal(0.0, 0.01, (frames, stars))
    z += rng.normal(0.0, 0.2, (frames, 1))  # transparency
    assert solve(z, errors, np.full(stars, 0.3)).steady_p.min() > 0.0027
    z[3, :2] += (-0.08, 0.08)
    odd = solve(z, errors, np.full(stars, 0.3)).steady_p < 0.0027
    assert odd.nonzero()[0].tolist() == [3]


def test_one_star_hit_by_a_cosmic_ray_leaves_a_frame_steady() -> None:
    z = np.full((6, 5), 22.0)
    z[2, 0] = 20.0
    assert solve(z, np.full((6, 5), 0.01), np.full(5, 0.02)).steady_p.min() > 0.9


def test_the_order_of_frames_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    z = 20.0 + rng.normal(0, 0.05, 6) + rng.normal(0, 0.01, (12, 6))
    errors, prior = np.full(z.shape, 0.01), np.full(6, 0.05)
    order = rng.permutation(12)
    one, other = solve(z, errors, prior), solve(z[order], errors[order], prior)
    assert one.zero[order] == pytest.approx(other.zero, abs=1e-9)


@pytest.mark.parametrize(("frames", "stars"), [(1, 3), (1, 8), (2, 6), (10, 3), (40, 8)])
def test_pulls_have_unit_width(frames: int, stars: int) -> None:
    rng = np.random.default_rng(frames * 100 + stars)
    pulls = []
    for _ in range(500):
        prior = rng.choice([0.005, 0.01, 0.02], stars)
        errors = np.broadcast_to(rng.choice([0.002, 0.005, 0.02, 0.05], stars), (frames, stars))
        z = (20.0 + rng.normal(0, prior)[None, :] + np.linspace(0, 0.5, frames)[:, None]
             + rng.normal(0, 1, (frames, stars)) * np.hypot(errors, FLOOR))
        found = solve(z, errors, prior)
        pulls.append((found.zero[0] - 20.0) / np.hypot(found.random_err[0], found.common_err))
    assert abs(np.mean(pulls)) < 0.15
    assert np.std(pulls) == pytest.approx(1.0, abs=0.13)
