"""Means, pasts and changes, from numbers that can be computed by hand."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from iop4d.alerts.atel.compare import (
    baseline_of,
    fastest_change,
    mean_of,
    night_of,
    nights_of,
    stretches,
)
from iop4d.alerts.atel.values import GoodPoint, MagnitudeChange, MeanMagnitude
from iop4d.science.ensemble import solve

JD = 2461000.5
HOUR = 1.0 / 24.0


def point(id_: int, hours: float, mag: float, err: float = 0.02, **more: Any) -> GoodPoint:
    values = {"common_err": 0.0, "night": "2026-11-22", "band": "R", "telescope": "T",
              "exptime_s": 60.0, "n_frames": 1, "calibrators": (), "flags": 0,
              "provisional": False}
    return GoodPoint(id=id_, jd=JD + hours * HOUR, mag=mag, mag_err=err, **(values | more))


def level(hours: float, mag: float, err: float = 0.01, id_: int = 1) -> MeanMagnitude:
    at = JD + hours * HOUR
    return MeanMagnitude(mag=mag, mag_err=err, jd=at, jd_first=at, jd_last=at, n_frames=1,
                         exposure_s=60.0, results=(id_,))


def test_the_mean_of_equal_points_is_in_the_middle_with_an_error_smaller_by_the_root() -> None:
    found = mean_of([point(1, 0.0, 13.00), point(2, 1.0, 13.02), point(3, 2.0, 13.01),
                     point(4, 3.0, 13.01)])
    assert found.mag == pytest.approx(13.01)
    assert found.mag_err == pytest.approx(0.01)
    assert found.jd == pytest.approx(JD + 1.5 * HOUR)
    assert (found.n_frames, found.exposure_s, found.results) == (4, 240.0, (1, 2, 3, 4))


def test_the_better_point_weighs_more_by_the_square_of_the_errors() -> None:
    found = mean_of([point(1, 0.0, 13.00, 0.03), point(2, 1.0, 13.10, 0.06)])
    assert found.mag == pytest.approx((4 * 13.00 + 13.10) / 5)


def test_the_error_of_the_zero_point_is_not_averaged_away() -> None:
    points = [point(n, n, 13.0, math.hypot(0.02, 0.01), common_err=0.01) for n in range(100)]
    assert mean_of(points).mag_err == pytest.approx(math.hypot(0.002, 0.01))


def test_points_whose_error_is_all_common_have_an_error_of_their_scatter() -> None:
    points = [point(1, 0.0, 14.52, 0.012, common_err=0.006),
              *(point(n, n, 14.52 + 0.01 * (-1)**n, 0.02, common_err=0.02) for n in (2, 3))]
    assert 0.02 < mean_of(points).mag_err < 0.025


def test_points_that_scatter_more_than_their_errors_say_have_a_larger_error() -> None:
    found = mean_of([point(1, 0.0, 12.9), point(2, 1.0, 13.1)])
    # chi2 = 2 (0.1 / 0.02)^2 = 50 with one degree of freedom
    assert found.mag_err == pytest.approx(0.02 / math.sqrt(2) * math.sqrt(50))


def test_a_group_counts_with_all_its_frames() -> None:
    found = mean_of([point(1, 0.0, 13.0, n_frames=4, exptime_s=90.0)])
    assert (found.n_frames, found.exposure_s) == (4, 360.0)


def test_a_lone_point_has_its_own_error() -> None:
    assert mean_of([point(1, 0.0, 13.0, 0.03, common_err=0.01)]).mag_err == pytest.approx(0.03)


def test_a_steady_night_did_not_vary() -> None:
    noise = random.Random(1)
    varied = 0
    for _ in range(300):
        night = night_of([point(n, n / 4, noise.gauss(13.0, 0.02)) for n in range(20)])
        varied += night.varied
    assert varied == 0


@pytest.mark.parametrize(("apart", "scatters"), [(0.008, False), (0.03, True)])
def test_a_hundredth_of_a_magnitude_is_no_scatter_however_small_the_errors(
        apart: float, scatters: bool) -> None:
    points = [point(n, n / 4, 13.0 + apart * (-1)**n, 0.001) for n in range(20)]
    assert night_of(points).scatters == scatters


@pytest.mark.parametrize(("apart", "varied"), [(0.045, False), (0.055, True)])
def test_a_night_varied_from_a_twentieth_of_a_magnitude_between_its_means(
        apart: float, varied: bool) -> None:
    night = night_of([point(n, n / 4, 13.0 + apart * (n >= 10), 0.001) for n in range(20)])
    assert night.scatters
    assert night.varied == varied


def test_a_change_below_a_twentieth_of_a_magnitude_is_no_fastest_one() -> None:
    assert fastest_change([level(0, 13.0, 0.001), level(1, 13.045, 0.001)]) is None
    assert fastest_change([level(0, 13.0, 0.001), level(1, 13.055, 0.001)]) is not None


def test_a_night_with_a_slope_varied_and_its_extremes_are_its_ends() -> None:
    night = night_of([point(n, n / 4, 13.0 - 0.02 * n) for n in range(20)])
    assert night.varied
    assert night.faintest.results[0] == 0
    assert night.brightest.results[-1] == 19


def test_an_extreme_is_no_single_point_where_there_are_more_within_half_an_hour() -> None:
    points = [point(n, n / 10, 13.0) for n in range(10)] + [point(10, 0.25, 12.5)]
    assert len(night_of(points).brightest.results) > 1


def test_steps_are_half_an_hour_long_at_most() -> None:
    found = stretches([point(n, n / 10, 13.0) for n in range(30)])
    assert all(part.jd_last - part.jd_first <= 0.5 * HOUR + 1e-9 for part in found)
    assert sum(len(part.results) for part in found) == 30


def test_telescopes_bands_and_nights_are_kept_apart() -> None:
    found = nights_of([point(1, 0, 13.0), point(2, 1, 14.0, band="B"),
                       point(3, 2, 13.0, telescope="U"), point(4, 24, 13.0, night="2026-11-23")])
    assert [(n.night[-2:], n.band, n.telescope) for n in found] == [
        ("22", "R", "T"), ("22", "B", "T"), ("22", "R", "U"), ("23", "R", "T")]


def test_the_past_is_the_median_of_nights_however_many_points_each_has() -> None:
    points = [point(n, n / 10, 12.0, night="a") for n in range(50)]
    points += [point(60, 30, 13.0, night="b"), point(61, 50, 13.2, night="c")]
    found = baseline_of(points)
    assert found is not None
    assert (found.median, found.nights, found.n) == (13.0, 3, 52)
    assert found.scatter == pytest.approx(1.4826 * 0.2)
    assert baseline_of([]) is None


def test_the_fastest_change_is_that_of_the_greatest_rate() -> None:
    found = fastest_change([level(0, 13.5, id_=1), level(24, 13.2, id_=2), level(26, 13.0, id_=3),
                            level(30, 13.1, id_=4)])
    assert found is not None
    assert found.results == (2, 3)
    assert found.mag == pytest.approx(-0.2)
    assert found.days == pytest.approx(2 * HOUR)


def test_noise_makes_no_fastest_change() -> None:
    noise = random.Random(2)
    found = [fastest_change([level(n / 2, noise.gauss(13.0, 0.02), 0.02) for n in range(20)])
             for _ in range(300)]
    assert sum(change is not None for change in found) <= 3


def test_a_change_carries_both_errors() -> None:
    change = MagnitudeChange(of=level(0, 13.5, 0.03), to=level(1, 13.1, 0.04))
    assert change.mag_err == pytest.approx(0.05)
    assert change.significance == pytest.approx(8.0)


def test_within_a_telescope_the_common_error_makes_no_change_less_certain() -> None:
    def of(hours: float, mag: float, telescope: str) -> MeanMagnitude:
        return replace(level(hours, mag, math.hypot(0.003, 0.03)), common_err=0.03,
                       camera=(telescope, ""))

    same = MagnitudeChange(of=of(0, 13.5, "T"), to=of(1, 13.4, "T"))
    assert same.mag_err == pytest.approx(0.003 * math.sqrt(2))
    other = MagnitudeChange(of=of(0, 13.5, "T"), to=of(1, 13.4, "U"))
    assert other.mag_err == pytest.approx(math.hypot(0.003 * math.sqrt(2), 0.03))  # once


@pytest.mark.parametrize(("stars", "noise"), [(1, 0.02), (2, 0.02), (1, 0.03), (2, 0.03),
                                              (5, 0.02)])
def test_a_constant_night_is_not_said_to_vary_whatever_its_calibrators(stars: int,
                                                                       noise: float) -> None:
    """24 frames of R 13 to 3 mmag, calibrators of 20 or 30 mmag a frame, 20 mmag in the catalogue.

    At most one night in a hundred; all of them did when the zero point's noise counted as common.
    """
    rng = np.random.default_rng(stars)
    said = 0
    for _ in range(120):
        off = 0.02 * rng.standard_normal(stars)
        zero = solve(15.0 + off + noise * rng.standard_normal((24, stars)),
                     np.full((24, stars), noise), np.full(stars, 0.02))
        mags = 13.0 - 15.0 + zero.zero + 0.003 * rng.standard_normal(24)
        common = math.hypot(zero.common_err, 0.02 if stars == 1 else 0.0)
        points = [point(n, n / 12, float(mags[n]), math.hypot(0.003, zero.random_err[n], common),
                        common_err=common) for n in range(24)]
        found = night_of(points)
        said += (found.scatters or found.varied
                 or fastest_change(stretches(points)) is not None)
    assert said <= 1


def test_a_scatter_of_a_hundredth_is_no_variation_however_small_the_errors() -> None:
    """The scatter is 0.01 mag, which flats and sky make; two of thirty points are farther off."""
    offsets = [0.008, -0.008] * 14 + [0.026, -0.026]
    night = night_of([point(n, float(n), 13.0 + off, err=0.001) for n, off in enumerate(offsets)])
    assert not night.varied
    far = night_of([point(n, float(n), 13.0 + 3 * off, err=0.001) for n, off in enumerate(offsets)])
    assert far.varied
