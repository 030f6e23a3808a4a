"""Stokes parameters: degree, angle, errors, corrections; and p without the bias of noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import rice

from iop4d.model.polarimeter import InstrumentalPolarisation
from iop4d.science.rice import Debiased, noise_bias, rice_below, upper_limit
from iop4d.science.stokes import (
    UNKNOWN_ANGLE_ERR,
    Stokes,
    corrected,
    debiased,
    rotated,
)


def stokes(q: float, u: float, q_err: float = 0.001, u_err: float = 0.001) -> Stokes:
    return Stokes(q=q, u=u, covariance=np.diag([q_err**2, u_err**2]), method="fit", n=4)


@pytest.mark.parametrize(("q", "u", "chi"), [
    (0.1, 0.0, 0.0), (0.0, 0.1, 45.0), (-0.1, 0.0, 90.0), (0.0, -0.1, 135.0)])
def test_the_angle_is_half_that_of_q_and_u(q: float, u: float, chi: float) -> None:
    assert stokes(q, u).p == pytest.approx(0.1)
    assert stokes(q, u).chi_deg == pytest.approx(chi)


def test_errors_of_p_and_chi_are_those_along_and_across() -> None:
    found = stokes(0.1, 0.0, q_err=0.003, u_err=0.005)
    assert found.p_err == pytest.approx(0.003)
    assert found.chi_err_deg == pytest.approx(math.degrees(0.005 / 0.1) / 2)


def test_nothing_is_known_of_the_angle_of_an_unpolarised_star() -> None:
    found = stokes(0.0, 0.0)
    assert found.p_err == pytest.approx(0.001)
    assert found.chi_err_deg == pytest.approx(UNKNOWN_ANGLE_ERR)
    assert stokes(1e-6, 0.0).chi_err_deg == pytest.approx(UNKNOWN_ANGLE_ERR)


def test_a_rotation_adds_to_the_angle_and_turns_the_errors() -> None:
    turned = rotated(stokes(0.1, 0.0, q_err=0.003, u_err=0.005), 45.0)
    assert turned.chi_deg == pytest.approx(45.0)
    assert (turned.q_err, turned.u_err) == pytest.approx((0.005, 0.003))
    assert rotated(stokes(0.06, -0.03), -18.0).p == pytest.approx(stokes(0.06, -0.03).p)


def test_the_instrument_is_subtracted_first_and_then_turned() -> None:
    constants = InstrumentalPolarisation(q0=0.0579, q0_err=0.003, u0=0.0583, u0_err=0.0023,
                                         angle_deg=-18.0, angle_err_deg=0.5)
    seen = stokes(0.0579 + 0.1, 0.0583)
    sky = corrected(seen, constants)
    assert sky.p == pytest.approx(0.1)
    assert sky.chi_deg == pytest.approx(162.0)  # 0 - 18
    assert sky.p_err == pytest.approx(0.001)
    assert sky.chi_err_deg == pytest.approx(math.degrees(0.001 / 0.1) / 2)
    assert sky.angle_err_deg == pytest.approx(0.5)
    c, s = math.cos(math.radians(36.0)), math.sin(math.radians(36.0))
    assert sky.q0_err == pytest.approx(math.hypot(c * 0.003, s * 0.0023))
    assert sky.u0_err == pytest.approx(math.hypot(s * 0.003, c * 0.0023))


def test_errors_of_constants_that_field_stars_told_do_not_count() -> None:
    constants = InstrumentalPolarisation(q0=0.05, q0_err=0.01, u0=0.0, u0_err=0.01,
                                         angle_deg=10.0, angle_err_deg=0.0)
    sky = corrected(stokes(0.15, 0.0), constants, zero_measured=True)
    assert (sky.p, sky.chi_deg, sky.p_err) == pytest.approx((0.1, 10.0, 0.001))
    assert (sky.q0_err, sky.u0_err) == (0.0, 0.0)


def test_an_uncertain_zero_angle_is_no_random_error() -> None:
    exact = Stokes(q=0.1, u=0.0, covariance=np.zeros((2, 2)), method="fit", n=4, angle_err_deg=1.0)
    assert (exact.q_err, exact.u_err, exact.p_err, exact.chi_err_deg) == (0.0, 0.0, 0.0, 0.0)
    assert exact.angle_err_deg == 1.0


def test_turning_q_and_u_turns_their_covariance() -> None:
    seen = Stokes(q=0.1, u=0.0, covariance=np.diag([4e-6, 1e-6]), method="fit", n=4)
    turned = rotated(seen, 22.5)
    assert turned.qu_cov == pytest.approx(1.5e-6)
    assert turned.q_err == pytest.approx(math.sqrt(2.5e-6))


ROUND = np.eye(2) * 0.01**2
LONG = np.array([[0.01**2, 0.0], [0.0, 0.003**2]])


def trials(p0: float, covariance: np.ndarray, count: int, *, seed: int) -> list[Debiased]:
    """Measurements of a source polarised along q; their noise along q averages to nothing."""
    rng = np.random.default_rng(seed)
    noise = rng.multivariate_normal([0.0, 0.0], covariance, count // 2)
    noise = np.concatenate([noise, noise * [-1.0, 1.0]])
    return [debiased(p0 + float(q), float(u), covariance) for q, u in noise]


def test_the_formula_by_hand() -> None:
    found = debiased(0.03, 0.04, ROUND)
    assert found.raw == pytest.approx(0.05)
    assert found.p == pytest.approx(0.05 - 1e-4 * (1.0 - math.exp(-25.0)) / 0.1)
    assert found.p_err == pytest.approx(0.01)
    assert math.isnan(found.limit)


def test_the_bias_comes_from_the_noise_across_and_the_error_from_that_along() -> None:
    found = debiased(0.10, 0.0, LONG)
    assert found.p == pytest.approx(0.10 - 0.003**2 / 0.20)
    assert found.p_err == pytest.approx(0.01)
    turned = debiased(0.0, 0.10, LONG)
    assert turned.p == pytest.approx(0.10 - 0.01**2 / 0.20)
    assert turned.p_err == pytest.approx(0.003)


def test_a_turn_of_the_sky_changes_nothing() -> None:
    turn = np.array([[math.cos(1.1), -math.sin(1.1)], [math.sin(1.1), math.cos(1.1)]])
    q, u = turn @ np.array([0.02, 0.01])
    one, other = debiased(0.02, 0.01, LONG), debiased(float(q), float(u), turn @ LONG @ turn.T)
    for name in ("p", "p_err", "raw", "limit"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), nan_ok=True)


def test_the_bias_of_a_small_p_is_half_of_it() -> None:
    assert noise_bias(1e-6, 1e-4) == pytest.approx(0.5e-6)
    assert noise_bias(0.0, 1e-4) == 0.0
    assert noise_bias(0.1, 0.0) == 0.0


def test_no_polarisation_at_all() -> None:
    found = debiased(0.0, 0.0, LONG)
    assert found.p == found.raw == 0.0
    assert found.p_err == pytest.approx(math.sqrt((0.01**2 + 0.003**2) / 2.0))
    assert found.limit == pytest.approx(0.01 * math.sqrt(2.0 * math.log(20.0)))


def test_what_is_not_known_is_not_a_number() -> None:
    for q, covariance in ((math.nan, ROUND), (0.1, ROUND * math.nan), (0.1, -ROUND)):
        found = debiased(q, 0.0, covariance)
        assert math.isnan(found.p)
        assert math.isnan(found.limit)
    assert math.isnan(upper_limit(math.nan, 0.01))


@pytest.mark.parametrize("snr", [1.0, 2.0, 3.0, 4.0, 5.0])
@pytest.mark.parametrize("covariance", [ROUND, LONG])
def test_it_is_less_biased_than_the_raw_one(snr: float, covariance: np.ndarray) -> None:
    p0 = snr * 0.01
    found = trials(p0, covariance, 3000, seed=int(10 * snr))
    raw = np.array([one.raw for one in found]).mean() - p0
    bias = np.array([one.p for one in found]).mean() - p0
    assert raw > 0
    assert abs(bias) < raw
    if snr >= 2.0 and covariance is ROUND:
        assert abs(bias) < 0.08 * 0.01  # of sigma: the paper's claim from two sigmas on
        assert np.std([one.p for one in found]) == pytest.approx(0.01, rel=0.12)


def test_the_rice_distribution_is_scipys() -> None:
    for p, p0 in ((0.5, 0.0), (1.0, 2.0), (4.0, 3.0)):
        assert rice_below(p * 0.01, p0 * 0.01, 0.01) == pytest.approx(rice.cdf(p, p0))
    assert rice_below(0.02, 0.0, 0.01) == pytest.approx(1.0 - math.exp(-2.0))


@pytest.mark.parametrize("p", [0.0, 0.01, 0.5, 1.0, 2.0, 2.9])
def test_the_limit_is_where_so_little_is_that_rare(p: float) -> None:
    limit = upper_limit(p, 1.0)
    assert limit > p
    if p > 0:
        assert rice_below(p, limit, 1.0) / rice_below(p, 0.0, 1.0) == pytest.approx(0.05, rel=1e-4)
    assert upper_limit(p, 1.0, 0.9973) > limit
    assert upper_limit(p * 0.01, 0.01) == pytest.approx(0.01 * limit)


def test_far_from_zero_the_limit_is_the_gaussian_one() -> None:
    assert upper_limit(30.0, 1.0) == pytest.approx(30.0 + 1.645, abs=0.03)
    assert upper_limit(0.1, 0.0) == 0.1


@pytest.mark.parametrize("snr", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_the_limit_holds_as_often_as_it_says(snr: float) -> None:
    rng = np.random.default_rng(5)
    raw = np.hypot(rng.normal(snr, 1.0, 3000), rng.normal(0.0, 1.0, 3000))
    holds = np.mean([upper_limit(float(p), 1.0) >= snr for p in raw])
    assert holds >= 0.95 - 0.01
    if snr == 3.0:
        assert holds < 0.98  # and is not much larger than need be


def test_there_is_a_limit_below_three_sigmas_only() -> None:
    assert math.isfinite(debiased(0.029, 0.0, ROUND).limit)
    assert math.isnan(debiased(0.031, 0.0, ROUND).limit)
