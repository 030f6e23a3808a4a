"""Times, spans, angles and robust numbers, against truths worked out by hand."""

from __future__ import annotations

import math

import pytest

from iop4d.model.units import (
    NOTHING,
    MomentError,
    SpanError,
    angle_difference,
    below_turn,
    end_jd_of_text,
    isot_of_jd,
    jd_of_text,
    jd_of_unix,
    line_fit,
    mean_angle,
    plus_minus,
    plus_minus_chi,
    robust_sigma,
    seconds_of,
    sexagesimal,
    span_text,
    unix_of_jd,
    utc_of_jd,
    utc_of_unix,
)


def test_julian_dates_and_unix_seconds_are_the_same_moments() -> None:
    assert jd_of_unix(0.0) == 2440587.5
    assert unix_of_jd(2451545.0) == 946728000.0  # J2000.0 is 2000-01-01T12:00
    assert utc_of_jd(2451545.0) == "2000-01-01 12:00:00"
    assert isot_of_jd(2451545.0) == "2000-01-01T12:00:00.000"


@pytest.mark.parametrize("at", [None, math.nan, math.inf, 1e18])
def test_what_no_calendar_holds_is_a_dash(at: float | None) -> None:
    assert utc_of_unix(at) == NOTHING


@pytest.mark.parametrize(("text", "jd"), [
    ("2461367.25", 2461367.25), ("61366.75", 2461367.25), ("2026-11-22", 2461366.5),
    ("2026-11-22T18:00", 2461367.25), ("2026-11-22 18:00:00Z", 2461367.25),
    (" 2026-11-22T20:00+02:00 ", 2461367.25), ("20261122", 2461366.5)])
def test_moments_are_read_as_people_write_them(text: str, jd: float) -> None:
    assert jd_of_text(text) == pytest.approx(jd, abs=1e-9)
    assert jd_of_text(text, now_jd=2461400.0) == pytest.approx(jd, abs=1e-9)


@pytest.mark.parametrize(("text", "days"), [
    ("12h", 0.5), ("1.5 d", 1.5), ("2w", 14.0), ("36", 1.5)])
def test_a_duration_before_now_is_a_moment_where_there_is_a_now(text: str, days: float) -> None:
    assert jd_of_text(text, now_jd=2461400.0) == pytest.approx(2461400.0 - days)
    with pytest.raises(MomentError, match="is not a time; expected JD, MJD, a date such as"):
        jd_of_text(text)


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "-3", "1e9", "2026-13-01", "0d"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(MomentError, match="or a duration such as 12h"):
        jd_of_text(text, now_jd=2461400.0)


@pytest.mark.parametrize(("text", "seconds"), [
    ("90s", 90.0), ("90 min", 5400.0), ("90m", 5400.0), ("12h", 43200.0), ("1.5d", 129600.0),
    ("1W", 604800.0), ("3", 10800.0)])
def test_durations_are_read(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-2h", "0h", "1 y", "h", "1h30"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(SpanError, match="not a duration; expected one such as 90min"):
        seconds_of(text)


def test_a_duration_may_have_a_maximum() -> None:
    with pytest.raises(SpanError, match="longer than the maximum of 2 d"):
        seconds_of("3d", longest_s=2 * 86400.0)


@pytest.mark.parametrize(("seconds", "text"), [
    (None, NOTHING), (-5.0, "0 s"), (59.0, "59 s"), (60.0, "1 min"), (7200.0, "2 h"),
    (172799.0, "47 h"), (172800.0, "2 d")])
def test_spans_are_written_in_their_largest_unit(seconds: float | None, text: str) -> None:
    assert span_text(seconds) == text


def test_position_angles_are_compared_and_averaged_across_180_degrees() -> None:
    assert angle_difference(179.0, 1.0) == pytest.approx(-2.0)
    assert angle_difference(1.0, 179.0) == pytest.approx(2.0)
    assert angle_difference(90.0, 0.0) == -90.0
    assert mean_angle([170.0, 20.0]) == pytest.approx(5.0)
    assert mean_angle([10.0, 20.0], [3.0, 1.0]) == pytest.approx(12.4, abs=0.2)
    assert mean_angle([0.0, 30.0], [1.0, 0.0]) == pytest.approx(0.0)
    assert math.isnan(mean_angle([0.0, 90.0]))
    assert math.isnan(mean_angle([]))


def test_the_robust_sigma_is_1_4826_mad_and_an_outlier_moves_it_little() -> None:
    assert robust_sigma([1.0, 2.0, 3.0, 4.0, 100.0]) == pytest.approx(1.4826)
    assert robust_sigma([1.0, 3.0], about=0.0) == pytest.approx(1.4826 * 2.0)
    assert math.isnan(robust_sigma([]))


def test_a_line_has_its_slope_and_the_error_of_that() -> None:
    """Of points on a line with errors of 0.1: the error is 0.1 / sqrt(sum of (x - mean)^2)."""
    x = [0.0, 1.0, 2.0, 3.0]
    slope, error = line_fit(x, [5.0 + 2.0 * at for at in x], [100.0] * 4)
    assert slope == pytest.approx(2.0)
    assert error == pytest.approx(0.1 / math.sqrt(5.0))


def test_points_off_a_line_by_more_than_their_errors_make_its_slope_less_sure() -> None:
    """Residuals of +-1 with errors of 0.1 are a chi2 of 400, 200 for each of two freedoms."""
    slope, error = line_fit([0.0, 1.0, 2.0, 3.0], [1.0, -1.0, -1.0, 1.0], [100.0] * 4)
    assert slope == pytest.approx(0.0)
    assert error == pytest.approx(math.sqrt(200.0 / (100.0 * 5.0)))


def test_a_heavy_point_pulls_a_line() -> None:
    slope, _ = line_fit([0.0, 1.0, 2.0], [0.0, 0.0, 1.0], [1.0, 1e9, 1e9])
    assert slope == pytest.approx(1.0)


@pytest.mark.parametrize(("x", "weights"), [
    ([0.0, 1.0], [1.0, 1.0]), ([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]),
    ([0.0, 1.0, 2.0], [1.0, math.nan, 1.0])])
def test_there_is_no_line_through_too_few_points_or_one_moment(x: list[float],
                                                               weights: list[float]) -> None:
    assert all(map(math.isnan, line_fit(x, [0.0] * len(x), weights)))


def test_numbers_with_errors_never_claim_none() -> None:
    assert plus_minus(12.8714, 0.0211) == "12.871 ± 0.021"
    assert plus_minus(12.8714, 0.0) == "12.871 ± 0.001"
    assert plus_minus(12.8714, None) == "12.871"
    assert plus_minus(None, 0.1) == plus_minus(math.nan, 0.1) == NOTHING


@pytest.mark.parametrize(("chi_deg", "digits", "text"), [
    (179.94, 1, "179.9 ± 0.3"), (179.97, 1, "0.0 ± 0.3"), (179.97, 2, "179.97 ± 0.30"),
    (179.996, 2, "0.00 ± 0.30"), (183.2, 1, "3.2 ± 0.3"), (-0.01, 1, "0.0 ± 0.3")])
def test_an_angle_of_polarisation_is_never_written_as_180_degrees(
        chi_deg: float, digits: int, text: str) -> None:
    assert plus_minus_chi(chi_deg, 0.3, digits) == text
    assert plus_minus_chi(None, 0.3) == plus_minus_chi(math.nan, 0.3) == NOTHING


def test_a_right_ascension_is_never_rounded_to_360_degrees() -> None:
    assert below_turn(359.99999999, 7, 360.0) == 0.0
    assert below_turn(359.9999999, 7, 360.0) == 359.9999999


@pytest.mark.parametrize("day", ["2026-11-22", "20261122", "2026-W47-7", " 2026-11-22 "])
def test_up_to_a_day_is_up_to_its_end_however_it_is_written(day: str) -> None:
    assert end_jd_of_text(day) == 2461367.5


@pytest.mark.parametrize("moment", ["2461366.5", "61366", "2026-11-22T00:00", "20261122T0000"])
def test_up_to_a_moment_is_up_to_that_moment(moment: str) -> None:
    assert end_jd_of_text(moment) == 2461366.5


def test_coordinates_are_written_in_hours_and_degrees() -> None:
    assert sexagesimal(330.680375, hours=True) == "22:02:43.29"
    assert sexagesimal(-0.5) == "-00:30:00.0"
    assert sexagesimal(359.9999999, hours=True) == "00:00:00.00"
