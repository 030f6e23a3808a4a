"""From fluxes to q and u: a truth by hand, then what noise makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from iop4d.science.polarimetry import (
    Beam,
    half_wave_fit,
    half_wave_fit_k,
    half_wave_ratio,
    half_wave_sum,
    modulation,
    normalised_difference,
    polariser,
    single_beam,
)
from iop4d.science.stokes import Stokes

Floats = NDArray[np.float64]

POLARISER = np.array([-45.0, 0.0, 45.0, 90.0])
FOUR = np.array([0.0, 22.5, 45.0, 67.5])
SIXTEEN = np.arange(16) * 22.5
Q, U = 0.12, -0.07
METHODS = (half_wave_fit, half_wave_fit_k, half_wave_ratio, half_wave_sum)


def through_polariser(angles: Floats, q: float = Q, u: float = U, total: float = 200.0) -> Floats:
    phase = np.radians(2 * angles)
    return total / 2 * (1 + q * np.cos(phase) + u * np.sin(phase))


def through_plate(angles: Floats, k: float = 0.0, q: float = Q,
                  u: float = U) -> tuple[Floats, Floats]:
    m = q * np.cos(np.radians(4 * angles)) + u * np.sin(np.radians(4 * angles))
    return 100 * (1 + k) * (1 + m), 100 * (1 - k) * (1 - m)


def beam(flux: Floats, relative_err: float = 0.01) -> Beam:
    return Beam(flux=flux, err=np.abs(flux) * relative_err)


def test_a_fully_polarised_star_vanishes_at_90_degrees() -> None:
    found = polariser(POLARISER, beam(np.array([50.0, 100.0, 50.0, 1e-12])))
    assert found is not None
    assert (found.stokes.q, found.stokes.u) == pytest.approx((1.0, 0.0), abs=1e-9)
    assert found.intensity == pytest.approx(50.0)


def test_the_polariser_formula_and_the_fit_find_the_truth() -> None:
    flux = beam(through_polariser(POLARISER))
    for found in (polariser(POLARISER, flux),
                  single_beam(POLARISER, flux, harmonic=2, method="ensemble")):
        assert found is not None
        assert (found.stokes.q, found.stokes.u) == pytest.approx((Q, U))
        assert found.intensity == pytest.approx(100.0)


def test_the_error_of_the_intensity_knows_nothing_of_the_polarisation() -> None:
    plain = polariser(POLARISER, beam(through_polariser(POLARISER, q=0.0, u=0.0), 0.01))
    strong = polariser(POLARISER, beam(through_polariser(POLARISER, q=0.4, u=0.2), 0.01))
    assert plain is not None
    assert strong is not None
    assert plain.intensity_err == pytest.approx(0.5)
    assert strong.intensity_err == pytest.approx(0.5, rel=0.06)


def test_an_error_of_the_transparency_enters_q_and_u() -> None:
    found = polariser(POLARISER, beam(through_polariser(POLARISER, 0, 0), 1e-6), extra=0.02)
    assert found is not None
    assert found.stokes.q_err == pytest.approx(0.02 / np.sqrt(2), rel=1e-3)


def test_three_positions_are_enough_for_a_fit_and_not_for_the_formula() -> None:
    flux = through_polariser(POLARISER)
    flux[2] = np.nan
    assert polariser(POLARISER, beam(flux)) is None
    found = single_beam(POLARISER, beam(flux), harmonic=2, method="ensemble")
    assert found is not None
    assert (found.stokes.q, found.stokes.u, found.stokes.n) == pytest.approx((Q, U, 3))
    flux[0] = np.nan
    assert single_beam(POLARISER, beam(flux), harmonic=2, method="ensemble") is None


def test_the_left_image_is_bright_where_the_right_one_is_faint() -> None:
    ordinary, extraordinary = through_plate(FOUR)
    difference, err = normalised_difference(beam(ordinary), beam(extraordinary))
    assert difference == pytest.approx([Q, U, -Q, -U])
    assert err == pytest.approx(np.full(4, 0.01 / np.sqrt(2)), rel=0.03)


@pytest.mark.parametrize("angles", [FOUR, SIXTEEN])
@pytest.mark.parametrize("method", METHODS)
def test_every_method_finds_the_truth(method: object, angles: Floats) -> None:
    ordinary, extraordinary = through_plate(angles)
    found = method(angles, beam(ordinary), beam(extraordinary))  # type: ignore[operator]
    assert isinstance(found, Stokes)
    assert (found.q, found.u) == pytest.approx((Q, U), abs=1e-9)
    assert found.q_err == pytest.approx(0.01 / np.sqrt(2) * np.sqrt(2 / len(angles)), rel=0.05)


def test_beams_of_unequal_transmission_cancel_in_ratios_and_are_fitted() -> None:
    ordinary, extraordinary = through_plate(FOUR, k=0.05)
    ratio = half_wave_ratio(FOUR, beam(ordinary), beam(extraordinary))
    fitted = half_wave_fit_k(FOUR, beam(ordinary), beam(extraordinary))
    plain = half_wave_fit(FOUR, beam(ordinary, 0.001), beam(extraordinary, 0.001))
    assert ratio is not None
    assert fitted is not None
    assert plain is not None
    assert (ratio.q, ratio.u) == pytest.approx((Q, U), abs=1e-12)
    assert (fitted.q, fitted.u, fitted.k) == pytest.approx((Q, U, 0.05), abs=1e-9)
    assert plain.chi2 > 100  # it does not fit, and says so


def test_one_image_alone_is_enough_where_the_transparency_is_known() -> None:
    ordinary, extraordinary = through_plate(SIXTEEN)
    for flux, sign in ((ordinary, 1.0), (extraordinary, -1.0)):
        found = single_beam(SIXTEEN, beam(flux), harmonic=4, sign=sign, method="ordinary")
        assert found is not None
        assert (found.stokes.q, found.stokes.u) == pytest.approx((Q, U))


def test_a_missing_position_costs_only_itself() -> None:
    ordinary, extraordinary = through_plate(SIXTEEN)
    ordinary[3], extraordinary[7] = np.nan, -5.0
    flux = (beam(ordinary), Beam(flux=extraordinary, err=np.full(16, 1.0)))
    assert half_wave_sum(SIXTEEN, *flux) is None
    for method in (half_wave_fit, half_wave_fit_k, half_wave_ratio):
        found = method(SIXTEEN, *flux)
        assert found is not None
        assert (found.q, found.u) == pytest.approx((Q, U), abs=1e-9)
    fitted = half_wave_fit(SIXTEEN, *flux)
    assert fitted is not None
    assert fitted.n == 14


def test_too_few_positions_give_nothing() -> None:
    ordinary, extraordinary = through_plate(np.array([0.0, 45.0]))
    two = (np.array([0.0, 45.0]), beam(ordinary), beam(extraordinary))
    assert all(method(*two) is None for method in METHODS)


@pytest.mark.parametrize("method", METHODS)
def test_errors_hold_for_many_noisy_groups(method: object) -> None:
    rng = np.random.default_rng(5)
    pulls = []
    for _ in range(400):
        ordinary, extraordinary = through_plate(SIXTEEN)
        ordinary, extraordinary = (f + rng.normal(0.0, 1.0, 16) for f in (ordinary, extraordinary))
        err = np.ones(16)
        found = method(SIXTEEN, Beam(flux=ordinary, err=err),  # type: ignore[operator]
                       Beam(flux=extraordinary, err=err))
        pulls += [(found.q - Q) / found.q_err, (found.u - U) / found.u_err]
    assert abs(np.mean(pulls)) < 0.12
    assert np.std(pulls) == pytest.approx(1.0, abs=0.1)


def test_a_modulation_is_that_of_its_stokes_parameters() -> None:
    ordinary, extraordinary = through_plate(FOUR)
    found = half_wave_fit(FOUR, beam(ordinary), beam(extraordinary))
    assert found is not None
    assert modulation(found, FOUR, harmonic=4) == pytest.approx([Q, U, -Q, -U])


def test_a_fit_that_scatters_more_than_its_errors_has_larger_ones() -> None:
    left, right = through_plate(SIXTEEN)
    off = 1.0 + 0.05 * np.random.default_rng(9).standard_normal(16)
    calm = half_wave_fit(SIXTEEN, beam(left), beam(right))
    rough = half_wave_fit(SIXTEEN, beam(left * off), beam(right))
    assert calm is not None
    assert rough is not None
    assert rough.chi2 > 5.0 * rough.dof
    # Trusting the errors is worth four degrees of freedom.
    scale = np.sqrt((rough.chi2 + 4.0) / (rough.dof + 4.0))
    assert rough.q_err / calm.q_err == pytest.approx(scale, rel=0.1)
