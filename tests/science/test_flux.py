"""Flux densities and spectral indices: by hand, and errors that hold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from iop4d.science.flux import (
    WAVELENGTH_UM,
    BandFlux,
    flux_mjy,
    has_lever,
    magnitude,
    spectral_index,
)


@pytest.mark.parametrize(("band", "jansky"), [
    ("U", 1790), ("B", 4063), ("V", 3636), ("R", 3080), ("I", 2416), ("g", 3631)])
def test_a_star_of_magnitude_zero_has_the_published_flux(band: str, jansky: float) -> None:
    assert flux_mjy(0.0, band) == pytest.approx(1e3 * jansky)
    assert flux_mjy(12.5, band) == pytest.approx(1e-2 * jansky)
    assert magnitude(flux_mjy(14.2, band), band) == pytest.approx(14.2)
    assert math.isnan(magnitude(0.0, band))


def test_a_band_without_a_zero_point_has_no_flux() -> None:
    assert math.isnan(flux_mjy(14.0, "Clear"))
    assert math.isnan(magnitude(1.0, "Clear"))


def _power_law(alpha: float, band: str, dust: float) -> float:
    """Magnitude of 5 mJy at 0.6 micrometres with a slope, behind dust."""
    return magnitude(5.0 * (0.6 / WAVELENGTH_UM[band]) ** alpha, band) + dust


@pytest.mark.parametrize(("first", "second"), [("R", "B"), ("B", "R"), ("V", "I"), ("g", "i")])
def test_a_power_law_has_its_slope_whichever_band_comes_first(first: str, second: str) -> None:
    dust = {"B": 1.193, "V": 0.902, "R": 0.714, "I": 0.495, "g": 1.1, "i": 0.56}
    found = spectral_index(*(BandFlux(band=b, mag=_power_law(-1.3, b, dust[b]), err=0.01,
                                      common_err=0.0, extinction_mag=dust[b])
                             for b in (first, second)))
    assert found is not None
    assert found.alpha == pytest.approx(-1.3)


def test_errors_of_an_index_are_the_scatter_of_its_noise() -> None:
    rng = np.random.default_rng(1)

    def index(db: float, dr: float) -> float:
        found = spectral_index(
            BandFlux(band="B", mag=14.0 + db, err=0.02, common_err=0.01, extinction_mag=0.5),
            BandFlux(band="R", mag=13.0 + dr, err=0.01, common_err=0.02, extinction_mag=0.3))
        assert found is not None
        assert found.err == pytest.approx(expected, rel=1e-6)
        # 0.2 mag of extinction between the bands, known to 16 %.
        assert found.common_err == pytest.approx(
            expected * math.hypot(0.01, 0.02, 0.032) / math.hypot(0.02, 0.01))
        return found.alpha

    expected = 0.4 * math.log(10) * math.hypot(0.02, 0.01) / math.log(0.641 / 0.438)
    alphas = [index(*pair) for pair in rng.normal(0.0, [0.02, 0.01], (2000, 2))]
    assert np.std(alphas) == pytest.approx(expected, rel=0.05)


def test_bands_too_near_or_unknown_and_unknown_dust_make_no_index() -> None:
    assert not has_lever("R", "r")
    assert not has_lever("R", "Clear")
    known = BandFlux(band="R", mag=13.0, err=0.01, common_err=0.0, extinction_mag=0.1)
    assert spectral_index(known, BandFlux(band="B", mag=14.0, err=0.01, common_err=0.0,
                                          extinction_mag=math.nan)) is None
    assert spectral_index(known, BandFlux(band="r", mag=14.0, err=0.01, common_err=0.0,
                                          extinction_mag=0.1)) is None
