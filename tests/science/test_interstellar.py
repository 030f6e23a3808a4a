"""The polarisation that dust gives to a field, separated from the transparency: its errors hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from iop4d.science.fieldstars import Transparency, normalise
from iop4d.science.interstellar import (
    LEAST,
    GroupOfField,
    Prior,
    by_dust,
    combined,
    mean_of_groups,
    raw_of_field,
    reddening,
    shared_by_field,
)
from iop4d.science.polarimetry import Beam, single_beam

Floats = NDArray[np.float64]
ANGLES = np.array([-45.0, 0.0, 45.0, 90.0])
WAVE = np.stack([np.cos(np.radians(2 * ANGLES)), np.sin(np.radians(2 * ANGLES))])
SCATTER = 0.02


def ensemble(relative: Floats) -> Transparency:
    return Transparency(relative=relative, err=1e-4, extra=0.0, scatter=0.003,
                        used=np.ones(10, dtype=bool), n=10)


def shared(relative: Floats, prior: Prior, q0_err: float = 0.0) -> tuple[float, float]:
    found = shared_by_field(ANGLES, ensemble(relative), prior, scatter=SCATTER, q0_err=q0_err,
                            u0_err=q0_err)
    return found.q, float(np.sqrt(found.covariance[0, 0] + found.common[0, 0]))


def test_a_known_polarisation_is_believed_and_one_that_is_not_is_read_off() -> None:
    relative = 1.0 + 0.01 * WAVE[0]
    assert shared(relative, Prior(q=0.0, u=0.0, err=1e-5))[0] == pytest.approx(
        0.0, abs=1e-5)
    q, err = shared(relative, Prior(q=0.0, u=0.0, err=1.0))
    assert q == pytest.approx(0.01, rel=0.01)
    # Two of four fluxes make q: a scatter s of each is one of s / sqrt(2), here of half of that,
    # since the fluxes that cannot be polarisation are steady.
    assert 0.2 * SCATTER < err < SCATTER / math.sqrt(2.0)


def test_the_error_of_the_instrument_s_constants_stays_common() -> None:
    found = shared_by_field(ANGLES, ensemble(np.ones(4)), Prior(q=0.0, u=0.0, err=0.1),
                            scatter=1e-4, q0_err=0.003, u0_err=0.001)
    assert np.sqrt(np.diag(found.common)) == pytest.approx([0.003, 0.001], rel=0.01)
    assert np.sqrt(np.diag(found.covariance)).max() < 3e-4


@pytest.mark.parametrize("isp", [0.003, 0.006, 0.01, 0.02])
def test_a_star_behind_the_same_dust_has_pulls_of_unit_width(isp: float) -> None:
    """All light of a field polarised by ``isp``: it was subtracted, at rms pulls of 3 to 13.

    The transparency changes by 2 %, the instrument's constants are off within their errors.
    """
    rng = np.random.default_rng(7)
    pulls = []
    for _ in range(200):
        clear = 1 + 0.02 * rng.standard_normal(4)
        own = np.array([0.058, 0.058]) + 0.003 * rng.standard_normal(2)
        dust = np.array([isp, 0.0])
        stars = (dust + own)[:, None] + 0.3 * isp * rng.standard_normal((2, 30))
        flux = clear[:, None] * (1 + WAVE.T @ stars) * (1 + 0.002 * rng.standard_normal((4, 30)))
        found = normalise(ANGLES, flux, 0.002 * flux, harmonic=2, q0=0.058, u0=0.058)
        assert found is not None
        field = shared_by_field(ANGLES, found, Prior(q=0.0, u=0.0, err=0.012), scatter=0.0184,
                                q0_err=0.003, u0_err=0.003)
        true = np.array([0.05, 0.0]) + dust
        seen = clear * (1 + (true + own) @ WAVE) * (1 + 0.001 * rng.standard_normal(4))
        even = seen * (1 + np.array([field.q, field.u]) @ WAVE) / found.relative
        fit = single_beam(ANGLES, Beam(flux=even, err=even * np.hypot(0.001, found.err)),
                          harmonic=2, method="ensemble")
        assert fit is not None
        err = np.sqrt(np.diag(fit.stokes.covariance + field.covariance + field.common))
        pulls.append((np.array([fit.stokes.q, fit.stokes.u]) - 0.058 - true) / err)
    assert 0.75 < np.sqrt(np.mean(np.array(pulls) ** 2)) < 1.25


def test_the_dust_of_a_field_is_that_of_its_extinction() -> None:
    assert reddening({"R": 0.714}) == pytest.approx(0.329, abs=0.001)  # BL Lac
    assert reddening({"B": 3.626, "V": 2.742}) == pytest.approx(1.0)
    assert math.isnan(reddening({}))
    assert by_dust(0.329) == pytest.approx(0.03 * 0.329 / math.sqrt(2.0))
    assert by_dust(0.0) == LEAST


def test_over_many_groups_the_field_shows_its_polarisation_within_the_error() -> None:
    """Of 1 % in q, behind a transparency that changes by 2 %, in one night of clouds by 20 %."""
    rng = np.random.default_rng(11)
    pulls = []
    for _ in range(150):
        groups = []
        for n in range(16):
            clear = 1 + (0.2 if n == 3 else 0.02) * rng.standard_normal(4)
            relative = clear * (1 + 0.01 * WAVE[0])
            q, u = raw_of_field(ANGLES, ensemble(relative / relative.mean()))
            groups.append(GroupOfField(q=q, u=u, q0_err=0.001, u0_err=0.001,
                                       angle_err_deg=0.0))
        mean = mean_of_groups(groups)
        assert mean is not None
        off = rng.normal(0.0, 0.001, 2)  # of the instrument's constants
        pulls += [(mean.q + off[0] - 0.01) / mean.q_err, (mean.u + off[1]) / mean.u_err]
    assert np.sqrt(np.mean(np.square(pulls))) == pytest.approx(1.0, abs=0.2)
    assert mean_of_groups(groups[:2]) is None
    two = combined([mean, mean])
    assert (two.q, two.q_err) == pytest.approx((mean.q, mean.q_err / math.sqrt(2.0)))


def test_the_error_of_the_zero_angle_is_across_the_field_s_polarisation() -> None:
    """A degree turns 2 % by 0.02 x 2 x pi / 180: of q into u, and the error of no mean is less."""
    groups = [GroupOfField(q=0.02, u=0.0, q0_err=0.0, u0_err=0.0, angle_err_deg=1.0)] * 400
    mean = mean_of_groups(groups)
    assert mean is not None
    assert mean.q_err < 1e-4
    assert mean.u_err == pytest.approx(0.02 * math.radians(2.0), rel=0.01)


def test_a_result_says_by_how_much_it_follows_the_stars() -> None:
    for prior_err, part in ((1e-5, 0.0), (1.0, 1.0)):
        found = shared_by_field(ANGLES, ensemble(np.ones(4)), Prior(q=0.0, u=0.0, err=prior_err),
                                scatter=SCATTER, q0_err=0.0, u0_err=0.0)
        assert found.followed == pytest.approx(part * np.eye(2), abs=0.01)
