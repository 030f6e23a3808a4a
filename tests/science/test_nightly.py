"""Statistics of a night: by hand, against scipy, then as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import chi2 as chi_square

from iop4d.science.nightly import (
    MagnitudePoint,
    StokesPoint,
    chance,
    fractional_variability,
    magnitudes,
    polarisation,
    unwrapped,
)


def stokes(p: float, chi_deg: float, err: float = 0.002) -> StokesPoint:
    two = math.radians(2.0 * chi_deg)
    return StokesPoint(q=p * math.cos(two), u=p * math.sin(two), q_err=err, u_err=err)


def test_the_mean_is_weighted_by_random_errors_and_keeps_the_common_one() -> None:
    found = magnitudes([MagnitudePoint(mag=13.0, err=0.01, common=0.03),
                        MagnitudePoint(mag=13.1, err=0.02, common=0.03)])
    assert found is not None
    assert found.mag == pytest.approx((4 * 13.0 + 13.1) / 5)
    assert found.err == pytest.approx(0.02 / math.sqrt(5))
    assert found.common == pytest.approx(0.03)
    assert found.chi2 == pytest.approx(4 / 1 * 0.2**2 / 0.02**2 * 0.1**2 + (0.08 / 0.02)**2)
    assert (found.n, found.dof) == (2, 1)
    assert found.scatter == pytest.approx(0.1 / math.sqrt(2))


def test_a_point_without_a_common_error_does_not_hide_that_of_the_others() -> None:
    found = magnitudes([MagnitudePoint(mag=13.0, err=0.01, common=math.nan),
                        MagnitudePoint(mag=13.1, err=0.02, common=0.03)])
    assert found is not None
    assert found.common == pytest.approx(0.03)
    turned = polarisation([stokes(0.05, 10.0), StokesPoint(
        q=0.05, u=0.0, q_err=0.002, u_err=0.002, q0_err=0.001, u0_err=0.002, chi_common=math.nan)])
    assert turned is not None
    assert (turned.q0_err, turned.u0_err, turned.chi_common) == (0.0005, 0.001, 0.0)


def test_one_point_is_its_own_mean_and_tells_no_scatter() -> None:
    found = magnitudes([MagnitudePoint(mag=13.0, err=0.01)])
    assert found is not None
    assert (found.mag, found.err, found.dof) == (13.0, 0.01, 0)
    assert all(math.isnan(x) for x in (found.p_value, found.fvar, found.fvar_err, found.scatter))
    assert magnitudes([MagnitudePoint(mag=13.0, err=math.nan)]) is None
    assert magnitudes([]) is None


def test_the_fractional_variability_by_hand() -> None:
    """Fluxes 8 and 12, errors 1: S^2 = 8, F_var = sqrt(7) / 10."""
    fvar, err = fractional_variability([8.0, 12.0], [1.0, 1.0])
    assert fvar == pytest.approx(math.sqrt(7.0) / 10.0)
    assert err == pytest.approx(math.hypot(math.sqrt(1 / 4) * 0.01 / fvar,
                                           math.sqrt(1 / 2) / 10.0))


def test_without_more_scatter_than_errors_the_variability_is_nothing_with_an_error() -> None:
    fvar, err = fractional_variability([10.0, 10.0, 10.0, 10.0], [1.0] * 4)
    assert fvar == 0.0
    assert err == pytest.approx(math.sqrt(math.sqrt(2 / 4) * 0.01))


def test_chances_and_variabilities_are_those_of_the_noise() -> None:
    rng = np.random.default_rng(5)
    chances, pulls = [], []
    for _ in range(400):
        found = magnitudes([MagnitudePoint(mag=float(m), err=0.02)
                            for m in rng.normal(13.0, 0.02, 20)])
        assert found is not None
        chances.append(found.p_value)
        flux = 1.0 + rng.normal(0.0, 0.1, 400)  # of 10 % besides 3 % errors
        fvar, err = fractional_variability(
            [float(f) for f in flux + rng.normal(0.0, 0.03, 400)], [0.03] * 400)
        # Equation B2 is the error by the measurements alone, not that of the finite sample.
        pulls.append((fvar - float(np.std(flux, ddof=1)) / float(np.mean(flux))) / err)
    assert np.mean(np.array(chances) < 0.1) == pytest.approx(0.1, abs=0.05)
    assert np.mean(chances) == pytest.approx(0.5, abs=0.05)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize("dof", [1, 2, 5, 40, 500])
@pytest.mark.parametrize("ratio", [0.01, 0.5, 1.0, 2.0, 6.0])
def test_the_chance_is_that_of_chi_square(dof: int, ratio: float) -> None:
    assert chance(ratio * dof, dof) == pytest.approx(chi_square.sf(ratio * dof, dof), rel=1e-9,
                                                     abs=1e-13)


def test_no_degrees_of_freedom_no_chance() -> None:
    assert math.isnan(chance(1.0, 0))
    assert chance(0.0, 3) == 1.0


def test_the_mean_of_q_and_u_is_weighted_with_their_covariance() -> None:
    """Against the same by matrices."""
    points = [StokesPoint(q=0.05, u=0.02, q_err=0.002, u_err=0.004, qu_cov=3e-6),
              StokesPoint(q=0.06, u=0.03, q_err=0.003, u_err=0.001, qu_cov=-1e-6)]
    found = polarisation(points)
    assert found is not None
    inverse = [np.linalg.inv([[p.q_err**2, p.qu_cov], [p.qu_cov, p.u_err**2]]) for p in points]
    covariance = np.linalg.inv(sum(inverse))
    mean = covariance @ sum(i @ [p.q, p.u] for i, p in zip(inverse, points, strict=True))
    assert (found.q, found.u) == pytest.approx(tuple(mean))
    assert (found.q_err**2, found.u_err**2, found.qu_cov) == pytest.approx(
        (covariance[0, 0], covariance[1, 1], covariance[0, 1]))
    off = [np.array([p.q, p.u]) - mean for p in points]
    assert found.chi2 == pytest.approx(sum(float(x @ i @ x)
                                           for x, i in zip(off, inverse, strict=True)))
    assert found.dof == 2


def test_the_mean_of_178_and_2_degrees_is_0_and_chi_turned_by_4() -> None:
    found = polarisation([stokes(0.1, 178.0), stokes(0.1, 2.0)])
    assert found is not None
    assert min(found.chi_deg, 180.0 - found.chi_deg) == pytest.approx(0.0, abs=1e-6)
    assert found.turn_deg == pytest.approx(4.0)
    assert found.range_deg == pytest.approx(4.0)
    assert found.turn_err == pytest.approx(math.degrees(0.002 / 0.1) / 2 * math.sqrt(2))


def test_chi_goes_on_across_180_degrees() -> None:
    assert unwrapped([170.0, 10.0, 50.0, 130.0, 30.0]) == pytest.approx([170, 190, 230, 310, 390])
    assert unwrapped([]) == []


def test_many_points_of_no_polarisation_have_a_limit_far_below_that_of_one() -> None:
    rng = np.random.default_rng(3)
    points = [StokesPoint(q=float(q), u=float(u), q_err=0.01, u_err=0.01, q0_err=q0, u0_err=q0)
              for q, u in rng.normal(0.0, 0.01, (100, 2)) for q0 in [0.0]]
    found = polarisation(points)
    assert found is not None
    assert found.limit < 0.004
    assert found.p_value > 0.001
    # The instrument's own polarisation is in all of them.
    unsure = polarisation([StokesPoint(q=p.q, u=p.u, q_err=p.q_err, u_err=p.u_err, q0_err=0.005,
                                       u0_err=0.005) for p in points])
    assert unsure is not None
    assert unsure.limit > 0.009
    assert (unsure.q_err, unsure.p_err) == pytest.approx((found.q_err, found.p_err))
