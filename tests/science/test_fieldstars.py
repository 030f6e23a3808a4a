"""Field stars tell the transparency, and its error."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from iop4d.science.fieldstars import normalise
from iop4d.science.polarimetry import Beam, single_beam

Floats = NDArray[np.float64]
ANGLES = np.array([-45.0, 0.0, 45.0, 90.0])


def group(rng: np.random.Generator, stars: int, *, noise: float, polarised: float,
          transparency: float, instrument: tuple[float, float] = (0.0, 0.0),
          ) -> tuple[Floats, Floats]:
    """Fluxes (4, stars) with each star's own small polarisation, and the transparency (4,)."""
    q, u = rng.normal(0.0, max(polarised, 1e-12), (2, stars))
    phase = np.radians(2 * ANGLES)[:, None]
    flux = rng.uniform(100, 1000, stars) * (
        1 + (q + instrument[0]) * np.cos(phase) + (u + instrument[1]) * np.sin(phase))
    clear = 1 + rng.normal(0.0, transparency, 4)
    return flux * clear[:, None] * (1 + rng.normal(0.0, max(noise, 1e-12), (4, stars))), clear


def test_the_transparency_is_found_but_for_its_mean() -> None:
    rng = np.random.default_rng(1)
    flux, clear = group(rng, 10, noise=0.0, polarised=0.0, transparency=0.05)
    found = normalise(ANGLES, flux, 0.001 * flux, harmonic=2)
    assert found is not None
    assert found.relative == pytest.approx(clear / clear.mean())
    assert found.n == 10


def test_a_star_without_one_position_costs_only_itself() -> None:
    rng = np.random.default_rng(2)
    flux, clear = group(rng, 5, noise=0.0, polarised=0.0, transparency=0.05)
    flux[2, 3] = np.nan
    found = normalise(ANGLES, flux, 0.001 * np.abs(flux), harmonic=2)
    assert found is not None
    assert found.used.tolist() == [True, True, True, False, True]
    assert found.relative == pytest.approx(clear / clear.mean())
    flux[0] = np.nan
    assert normalise(ANGLES, flux, 0.001 * np.abs(flux), harmonic=2) is None


def test_a_strongly_polarised_star_is_left_out() -> None:
    rng = np.random.default_rng(3)
    flux, clear = group(rng, 12, noise=0.0, polarised=0.0, transparency=0.02)
    flux[:, 4] *= 1 + 0.2 * np.cos(np.radians(2 * ANGLES))
    found = normalise(ANGLES, flux, 0.001 * flux, harmonic=2)
    assert found is not None
    assert not found.used[4]
    assert found.relative == pytest.approx(clear / clear.mean())


@pytest.mark.parametrize("known", [(0.058, 0.058), (0.054, 0.061)])
@pytest.mark.parametrize("stars", [4, 8, 25])
def test_the_error_of_a_normalised_star_holds(stars: int, known: tuple[float, float]) -> None:
    """q and u of a star of p = 21 % are unbiased, their pulls of unit width.

    The transparency changes by 5 %, the polariser adds 6 % to all stars, of which not all is known.
    """
    rng = np.random.default_rng(stars)
    offs, errs = [], []
    for _ in range(500):
        flux, clear = group(rng, stars, noise=0.004, polarised=0.003, transparency=0.05,
                            instrument=(0.058, 0.058))
        ensemble = normalise(ANGLES, flux, 0.004 * flux, harmonic=2, q0=known[0], u0=known[1])
        assert ensemble is not None
        phase = np.radians(2 * ANGLES)
        target = 500 * clear * (1 + (0.2 + 0.058) * np.cos(phase)
                                + (-0.05 + 0.058) * np.sin(phase))
        target = target * (1 + rng.normal(0.0, 0.002, 4))
        even = target / ensemble.relative
        found = single_beam(ANGLES, Beam(flux=even, err=even * np.hypot(0.002, ensemble.err)),
                            harmonic=2, method="ensemble")
        assert found is not None
        offs.append((found.stokes.q - known[0] - 0.2, found.stokes.u - known[1] + 0.05))
        errs.append((found.stokes.q_err, found.stokes.u_err))
    pulls = np.array(offs) / np.array(errs)
    assert np.mean(offs, axis=0) == pytest.approx([0.0, 0.0], abs=6e-4)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.12)


def test_a_single_star_may_be_polarised_by_three_thousandths() -> None:
    flux = np.full((4, 1), 1000.0)
    found = normalise(ANGLES, flux, 1e-6 * flux, harmonic=2)
    assert found is not None
    # That scatter in q and u is the error of what is divided by its light.
    assert found.err == pytest.approx(0.003 * np.sqrt(4 / 2), rel=1e-3)


def test_a_scatter_that_the_errors_do_not_explain_is_told() -> None:
    rng = np.random.default_rng(8)
    angles = np.arange(16) * 22.5
    flux = 1000.0 * (1.0 + rng.normal(0.0, 0.005, (16, 20)))
    rough, fine = (normalise(angles, flux, err * flux, harmonic=4) for err in (0.001, 0.005))
    assert rough is not None
    assert fine is not None
    assert rough.extra == pytest.approx(0.005, rel=0.15)
    assert fine.extra < 0.0025
