"""From fluxes to q and u: a truth by hand, then what noise makes of it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from iop4d.science.polarimetry import (
    Beam,
    BeamRatio,
    beam_ratio,
    fixed_analysers,
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


def test_the_ratio_of_two_beams_has_errors_of_frame_instrument_and_stars_apart() -> None:
    """Four stars: 1 % of noise each, 0.3 % of their own, 0.4 % of dust that all share."""
    four = np.array([0.03, 0.05, 0.03, 0.05]), np.full(4, 0.01)
    own = np.hypot(0.003 / 2.0, 0.004)
    assert beam_ratio(*four, shared=(0.02, 0.004), known=(0.0, np.nan)) == pytest.approx(
        (0.02, 0.005, 0.0, own))
    seen = np.hypot(0.005, own)  # as well known as the instrument's: half of each
    assert beam_ratio(*four, shared=(0.02, 0.004), known=(0.04, seen)) == pytest.approx(
        (0.03, 0.0025, seen / 2.0, own / 2.0))
    none = np.array([np.nan]), np.array([0.01])
    assert beam_ratio(*none, shared=(0.0, 0.004), known=(0.01, 0.002)) == (0.01, 0.0, 0.002, 0.0)
    assert np.isnan(beam_ratio(*none, shared=(0.0, 0.004), known=(0.0, np.nan))[2])


def test_what_all_groups_share_of_a_ratio_s_error_is_common() -> None:
    """An old fault: it was random, so that it shrank in the mean of a night.

    Of two prisms each gives a component, with all of its error. Four prisms, of which two are at
    right angles to the others, halve the variance of the noise and of the instrument; but what
    polarises the other stars looks the same in each pair.
    """
    for angles, part in ((np.array([0.0, 45.0]), 1.0), (np.array([0.0, 45.0, 90.0, 135.0]), 0.5)):
        n = angles.size
        even = Beam(flux=np.full(n, 50.0), err=np.full(n, 0.5))  # F = 0 +- 0.01 / sqrt(2)
        for noise, instrument, stars in ((0.003, 0.0, 0.0), (0.0, 0.02, 0.0), (0.0, 0.0, 0.02)):
            ratio = BeamRatio(k=np.zeros(n), noise=np.full(n, noise),
                              instrument=np.full(n, instrument), stars=np.full(n, stars))
            found = fixed_analysers(angles, even, even, ratio)
            assert found is not None
            assert np.diag(found.covariance) == pytest.approx(part * (0.5e-4 + noise**2))
            assert np.diag(found.common) == pytest.approx(part * instrument**2 + stars**2)


def test_groups_behind_fixed_analysers_scatter_by_their_random_error_about_a_common_shift() -> None:
    rng = np.random.default_rng(8)
    angles = np.array([0.0, 45.0])
    m, k = np.array([Q, U]), np.array([0.05, -0.03])
    wrong = 0.01 * rng.standard_normal(2)
    found = []
    for _ in range(400):
        o = 100 * (1 + k) * (1 + m) + 0.5 * rng.standard_normal(2)
        e = 100 * (1 - k) * (1 - m) + 0.5 * rng.standard_normal(2)
        ratio = BeamRatio(k=k + wrong, noise=np.zeros(2), instrument=np.full(2, 0.01),
                          stars=np.zeros(2))
        beams = (Beam(flux=light, err=np.full(2, 0.5)) for light in (o, e))
        found.append(fixed_analysers(angles, *beams, ratio))
    values = np.array([(one.q, one.u) for one in found if one is not None])
    one = found[0]
    assert one is not None
    assert values.std(axis=0) == pytest.approx([one.q_err, one.u_err], rel=0.1)
    assert np.abs(values.mean(axis=0) - (Q, U) + wrong) == pytest.approx(0.0, abs=1e-3)
    assert (one.q0_err, one.u0_err) == pytest.approx((0.01, 0.01), rel=0.03)
