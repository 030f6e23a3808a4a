"""Zero points from an ensemble: truths that can be computed by hand, then errors that hold."""

from __future__ import annotations

import math

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
    share = 1 / variance / np.sum(1 / variance)
    assert found.share[0] == pytest.approx(share)
    noise = np.sqrt(np.sum(share**2) * FLOOR**2)  # no other night shares it
    assert found.random_err[0] == pytest.approx(noise)
    chi2 = np.sum((z[0] - expected) ** 2 / variance)
    assert np.hypot(found.common_err, noise) == pytest.approx(
        np.sqrt(chi2 / np.sum(1 / variance)), rel=1e-4)


def test_one_star_gives_its_own_zero_point_with_its_own_error() -> None:
    found = solve(np.array([[20.0], [20.5]]), np.full((2, 1), 0.01), np.array([0.05]))
    assert np.diff(found.zero) == pytest.approx(0.5, abs=1e-9)
    assert found.common_err == pytest.approx(0.05, rel=0.05)


def test_errors_stand_apart_what_the_fluxes_and_what_the_catalogue_make() -> None:
    """Four stars of 12 mmag a frame, 30 mmag in the catalogue: the halves of each, by hand."""
    for frames in (1, 2, 10):
        found = solve(np.full((frames, 4), 20.0), np.full((frames, 4), 0.012), np.full(4, 0.03))
        own = np.hypot(0.012, FLOOR) / 2
        assert found.random_err == pytest.approx(np.full(frames, own), rel=1e-6), frames
        assert found.common_err == pytest.approx(0.015, rel=1e-6)


@pytest.mark.parametrize("stars", [1, 2, 5])
def test_random_errors_hold_within_a_night_and_between_nights(stars: int) -> None:
    """Zero points of two nights with the same wrong catalogue differ by their noise alone."""
    rng = np.random.default_rng(stars)
    within, nights = [], []
    for _ in range(300):
        prior = np.full(stars, 0.03)
        catalogue = 20.0 + rng.normal(0, 0.03, stars)
        errors = np.broadcast_to(rng.choice([0.005, 0.02, 0.03], stars), (6, stars))
        one, other = (solve(catalogue + rng.normal(0, 1, (6, stars)) * np.hypot(errors, FLOOR),
                            errors, prior) for _ in range(2))
        within.append((one.zero[0] - one.zero[1]) / np.hypot(*one.random_err[:2]))
        nights.append((one.zero[0] - other.zero[0]) / np.hypot(one.random_err[0],
                                                               other.random_err[0]))
    # What the offsets took up is the night's: within it the errors are a little too large.
    assert 0.8 < np.std(within) < 1.13
    assert np.std(nights) == pytest.approx(1.0, abs=0.13)


def test_shares_of_a_zero_point_are_those_of_the_catalogue_and_add_up_to_one() -> None:
    z = np.tile([20.0, 20.01, 19.99, 20.0, 20.5], (3, 1))
    z[1, 0] = NAN
    prior = np.array([0.01, 0.02, 0.02, 0.02, 0.02])
    found = solve(z, np.full(z.shape, 0.005), prior)
    assert found.share.sum(axis=1) == pytest.approx(np.ones(3))
    assert (found.share[:, 4] == 0).all()  # off by 0.5 mag: not believed
    assert found.share[1, 0] == 0.0
    moved = z + np.array([0.001, 0.0, 0.0, 0.0, 0.0])
    assert solve(moved, np.full(z.shape, 0.005), prior).zero[0] - found.zero[0] == pytest.approx(
        0.001 * found.share[0, 0], rel=0.1)


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


def test_an_offset_is_as_sure_as_its_catalogue_magnitude_and_its_fluxes() -> None:
    estimates, errors = np.full((2, 4, 3), np.nan)
    estimates[:, :2], errors[:, :2] = 20.0, 0.01
    found = solve(estimates, errors, np.array([0.02, 0.05, 0.03]))
    of_fluxes = math.hypot(0.01, FLOOR) / 2.0  # of four frames
    assert found.offset_errs[:2] == pytest.approx([math.hypot(0.02, of_fluxes),
                                                   math.hypot(0.05, of_fluxes)])
    assert math.isnan(found.offset_errs[2])
