"""Instrumental polarisation from standards."""

from __future__ import annotations

import math

import numpy as np
import pytest

from iop4d.model.polarimeter import InstrumentalPolarisation
from iop4d.science.polcal import instrument_constants
from iop4d.science.stokes import Stokes, corrected

NONE = np.array([math.nan])


def seen_of(p: np.ndarray, chi: np.ndarray, q0: float, u0: float, angle: float) -> np.ndarray:
    """As the instrument sees a star: turned back by its angle, with its own polarisation."""
    two = np.radians(2 * (chi - angle))
    return np.stack([p * np.cos(two) + q0, p * np.sin(two) + u0], axis=1)


def test_constants_are_found_that_correct_what_was_seen() -> None:
    p, chi = np.array([0.05, 0.06, 0.0]), np.array([96.7, 20.0, math.nan])
    seen = seen_of(p, np.nan_to_num(chi), -0.00014, -0.0408, 45.1)
    nothing = np.full(3, math.nan)
    found = instrument_constants(seen, np.full((3, 2), 1e-4), p, chi, nothing, nothing)
    assert (found.q0, found.u0, found.angle_deg) == pytest.approx((-0.00014, -0.0408, 45.1))
    assert found.efficiency == pytest.approx(1.0)
    assert found.dof == 3
    constants = InstrumentalPolarisation(
        q0=found.q0, q0_err=0, u0=found.u0, u0_err=0, angle_deg=found.angle_deg, angle_err_deg=0)
    sky = corrected(Stokes(q=seen[0, 0], u=seen[0, 1], covariance=np.zeros((2, 2)), method="fit",
                           n=4), constants)
    assert (sky.p, sky.chi_deg) == pytest.approx((0.05, 96.7))


def test_unpolarised_stars_say_nothing_of_the_angle() -> None:
    seen = np.array([[0.058, 0.058], [0.060, 0.058]])
    nothing = np.full(2, math.nan)
    found = instrument_constants(seen, np.full((2, 2), 0.002), np.zeros(2), nothing, nothing,
                                 nothing)
    assert (found.q0, found.u0) == pytest.approx((0.059, 0.058))
    assert found.q0_err == pytest.approx(0.002 / math.sqrt(2))
    assert math.isnan(found.angle_deg)
    assert math.isnan(found.efficiency)


def test_the_errors_hold() -> None:
    rng = np.random.default_rng(1)
    pulls = []
    for _ in range(200):
        p, chi = rng.uniform(0.03, 0.07, 6), rng.uniform(0, 180, 6)
        seen = seen_of(p, chi, 0.0579, 0.0583, -18.0) + rng.normal(0, 0.002, (6, 2))
        listed_p, listed_chi = p + rng.normal(0, 0.0005, 6), chi + rng.normal(0, 0.5, 6)
        found = instrument_constants(seen, np.full((6, 2), 0.002), listed_p, listed_chi,
                                     np.full(6, 0.0005), np.full(6, 0.5))
        pulls.append([(found.q0 - 0.0579) / found.q0_err, (found.u0 - 0.0583) / found.u0_err,
                      (found.angle_deg + 18.0) / found.angle_err_deg])
    assert np.std(pulls) == pytest.approx(1.0, abs=0.12)
    assert abs(np.mean(pulls)) < 0.15


def test_one_observation_is_not_enough() -> None:
    with pytest.raises(ValueError, match="1 observations of standards"):
        instrument_constants(np.zeros((1, 2)), np.ones((1, 2)), np.zeros(1), NONE, NONE, NONE)
