"""Stokes parameters: degree, angle, errors, corrections."""

from __future__ import annotations

import math

import numpy as np
import pytest

from iop4d.model.polarimeter import InstrumentalPolarisation
from iop4d.science.stokes import (
    UNKNOWN_ANGLE_ERR,
    Stokes,
    angle_difference,
    corrected,
    mean_angle,
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
    assert sky.p_err == pytest.approx(math.hypot(0.001, 0.003))
    assert sky.chi_err_deg == pytest.approx(
        math.hypot(0.5, math.degrees(math.hypot(0.001, 0.0023) / 0.1) / 2))


def test_errors_of_constants_that_field_stars_told_do_not_count() -> None:
    constants = InstrumentalPolarisation(q0=0.05, q0_err=0.01, u0=0.0, u0_err=0.01,
                                         angle_deg=10.0, angle_err_deg=0.0)
    sky = corrected(stokes(0.15, 0.0), constants, measured=True)
    assert (sky.p, sky.chi_deg, sky.p_err) == pytest.approx((0.1, 10.0, 0.001))


def test_angles_know_no_difference_of_180_degrees() -> None:
    assert angle_difference(179.0, 1.0) == pytest.approx(-2.0)
    assert angle_difference(1.0, 179.0) == pytest.approx(2.0)
    assert mean_angle(np.array([179.0, 3.0])) == pytest.approx(1.0)
    assert mean_angle(np.array([10.0, 20.0]), np.array([3.0, 1.0])) == pytest.approx(12.4, abs=0.2)
    assert math.isnan(mean_angle(np.array([0.0, 90.0])))


def test_an_uncertain_zero_angle_turns_q_and_u_into_each_other() -> None:
    exact = Stokes(q=0.1, u=0.0, covariance=np.zeros((2, 2)), method="fit", n=4, angle_err_deg=1.0)
    assert exact.q_err == pytest.approx(0.0)
    assert exact.u_err == pytest.approx(0.1 * 2.0 * math.radians(1.0))
    assert exact.p_err == pytest.approx(0.0)
    assert exact.chi_err_deg == pytest.approx(1.0)
