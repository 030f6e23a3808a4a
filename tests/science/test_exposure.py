"""Exposure times: photons that can be counted by hand, and back again."""

from __future__ import annotations

import math

import pytest

from iop4d.model.units import MAG_PER_RELATIVE_FLUX
from iop4d.science import exposure
from iop4d.science.exposure import Rates

BRIGHT = Rates(source=10_000.0, sky=0.0, floor=0.0)


def test_ten_thousand_electrons_are_known_to_one_percent() -> None:
    assert exposure.relative_error(BRIGHT, 1.0) == pytest.approx(0.01)
    assert exposure.mag_error(BRIGHT, 1.0) == pytest.approx(0.010857, abs=1e-6)
    assert exposure.exposure_of_error(BRIGHT, 0.001) == pytest.approx(100.0)


def test_where_the_read_noise_rules_the_error_halves_with_twice_the_time() -> None:
    faint = Rates(source=1e-3, sky=0.0, read_noise=100.0, floor=0.0)
    assert exposure.relative_error(faint, 1.0) / exposure.relative_error(faint, 2.0) == \
        pytest.approx(2.0, rel=1e-4)


def test_where_the_sky_rules_it_needs_four_times_the_time() -> None:
    sky = Rates(source=1.0, sky=1e6, floor=0.0)
    assert exposure.exposure_of_error(sky, 0.05) / exposure.exposure_of_error(sky, 0.1) == \
        pytest.approx(4.0, rel=1e-4)


@pytest.mark.parametrize("seconds", [0.1, 30.0, 3600.0])
@pytest.mark.parametrize("rates", [
    BRIGHT, Rates(source=1e5, sky=100.0, scintillation=0.004),
    Rates(source=50.0, sky=800.0, read_noise=60.0),
    Rates(source=3.0, sky=2.0, read_noise=200.0)])
def test_the_exposure_of_an_error_has_that_error(rates: Rates, seconds: float) -> None:
    error = exposure.relative_error(rates, seconds)
    assert exposure.exposure_of_error(rates, error) == pytest.approx(seconds, rel=1e-6)
    assert exposure.exposure_of_mag_error(rates, MAG_PER_RELATIVE_FLUX * error) == \
        pytest.approx(seconds, rel=1e-6)
    of_p = exposure.p_error(rates, seconds, 4)
    assert exposure.exposure_of_p_error(rates, of_p, 4) == pytest.approx(seconds, rel=1e-6)


def test_scintillation_falls_with_the_root_of_the_time() -> None:
    """Of photons without end 1 % in a second is 0.1 % in a hundred."""
    bright = Rates(source=1e12, sky=0.0, scintillation=0.01, floor=0.0)
    assert exposure.relative_error(bright, 1.0) == pytest.approx(0.01, rel=1e-3)
    assert exposure.relative_error(bright, 100.0) == pytest.approx(0.001, rel=1e-3)
    assert exposure.exposure_of_error(bright, 0.001) == pytest.approx(100.0, rel=1e-3)


def test_no_exposure_beats_the_floor() -> None:
    rates = Rates(source=1e4, sky=1.0, floor=0.0012)
    assert exposure.exposure_of_error(rates, 0.0012) == math.inf
    assert exposure.planned(math.inf) == exposure.NEVER
    assert not exposure.NEVER.is_reachable


def test_four_positions_of_a_signal_to_noise_of_a_hundred_give_p_to_seven_permille() -> None:
    """q is half the difference of two positions, each known to 1 percent: 0.01 / sqrt(2)."""
    assert exposure.p_error(BRIGHT, 1.0, 4) == pytest.approx(0.01 / math.sqrt(2.0))
    assert exposure.p_error(BRIGHT, 1.0, 8) == pytest.approx(0.005)
    assert math.isnan(exposure.p_error(BRIGHT, 1.0, 0))


def test_the_rates_of_a_flux_count_the_pixels_of_the_aperture() -> None:
    rates = exposure.rates_of_flux(flux_adu_s=100.0, sky_adu_s=2.0, aperture_px=10.0,
                                   gain_e_adu=1.5, read_noise_e=4.0)
    assert rates.source == pytest.approx(150.0)
    assert rates.sky == pytest.approx(3.0 * math.pi * 100.0)
    assert rates.read_noise**2 == pytest.approx(16.0 * math.pi * 100.0)


def test_the_zero_point_is_the_magnitude_of_one_adu_per_second() -> None:
    assert exposure.flux_of_magnitude(20.0, 25.0) == pytest.approx(100.0)


def test_a_star_of_two_pixels_saturates_by_its_peak() -> None:
    """The peak of a Gaussian of FWHM 2 px holds 22 percent of the light."""
    longest = exposure.saturation_s(flux_adu_s=1000.0, sky_adu_s=0.0, fwhm_px=2.0,
                                    saturation_adu=60_000.0)
    assert longest == pytest.approx(0.7 * 60_000.0 / 220.64, rel=1e-4)


def test_a_measured_error_falls_with_the_square_root_of_the_time() -> None:
    advice = exposure.measured_advice(error=0.02, wanted=0.01, exptime_s=60.0, rates=BRIGHT)
    assert advice == exposure.Advice(exptime_s=pytest.approx(240.0), frames=1)


def test_an_error_that_is_small_enough_needs_no_other_exposure() -> None:
    advice = exposure.measured_advice(error=0.008, wanted=0.01, exptime_s=60.0, rates=BRIGHT)
    assert advice == exposure.Advice(exptime_s=60.0, frames=1)


def test_what_would_saturate_is_divided() -> None:
    advice = exposure.measured_advice(error=0.02, wanted=0.01, exptime_s=60.0, rates=BRIGHT,
                                      longest_s=100.0)
    assert advice == exposure.Advice(exptime_s=pytest.approx(80.0), frames=3)


@pytest.mark.parametrize(("error", "wanted", "floor"), [
    (0.02, 0.01, 0.01), (math.nan, 0.01, 0.0), (0.02, math.nan, 0.0), (0.02, 0.0, 0.0),
    (0.02, 1e-5, 0.0)])
def test_what_cannot_be_reached_says_so(error: float, wanted: float, floor: float) -> None:
    assert not exposure.measured_advice(error=error, wanted=wanted, exptime_s=60.0, rates=BRIGHT,
                                        floor=floor).is_reachable
