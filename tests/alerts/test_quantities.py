"""What conditions compare: changes, rates, rotations and colours, of known series."""

from __future__ import annotations

import math

import numpy as np
import pytest

from iop4d.alerts.conditions import parse_condition
from iop4d.alerts.quantities import Past, PointSeries, colours, derived
from iop4d.config import Rule

PAST = Past(window=14.0, min_points=10, floor=0.02)


def series(values: list[float], *, error: float = 0.01, step: float = 0.1,
           per_night: int = 5) -> PointSeries:
    """So many points a night, the first of each at a whole JD."""
    jd = [n // per_night + (n % per_night) * step for n in range(len(values))]
    return PointSeries(ids=list(range(len(values))), night=[f"{int(t):04d}" for t in jd],
                  jd=jd, value=values, error=[error] * len(values))


def last(condition: str, of: PointSeries, past: Past = PAST) -> float:
    return float(derived(parse_condition(condition), of, past, since=-math.inf)[-1])


def test_a_change_is_told_against_the_median_of_earlier_nights() -> None:
    flat = [13.0, 13.1, 12.9, 13.0, 13.0] * 2
    assert last("change mag < -0.5", series([*flat, 12.0, 12.4])) == pytest.approx(-0.6)


def test_a_change_of_flux_may_be_in_percent() -> None:
    assert last("change flux_mjy > 50 %", series([10.0] * 10 + [16.0])) == pytest.approx(60.0)


def test_sigma_holds_the_scatter_the_points_own_error_and_the_floor() -> None:
    values = [13.0, 13.1, 12.9, 13.05, 12.95] * 2
    scatter = 1.4826 * 0.05
    expected = -0.5 / math.sqrt(scatter**2 + 0.03**2 + 0.02**2)
    assert last("change mag < -5 sigma", series([*values, 12.5], error=0.03)) == pytest.approx(
        expected)


@pytest.mark.parametrize(("condition", "before", "now", "sigma"), [
    ("change mag < -5 sigma", 13.0, 12.9, -5.0),  # floor 0.02 mag
    ("change flux_mjy > 5 sigma", 10.0, 11.0, 5.0),  # floor 2 % of the median
    ("change p > 2 sigma", 0.10, 0.11, 2.0),  # floor 0.005
    ("change chi > 5 sigma", 30.0, 40.0, 5.0),  # floor 2 degrees
])
def test_a_quiet_past_has_the_floor_of_its_quantity(condition: str, before: float, now: float,
                                                    sigma: float) -> None:
    """Without scatter and errors the floor is all there is."""
    past = Past.of(Rule(name="r", condition=condition), parse_condition(condition).quantity)
    assert last(condition, series([before] * 10 + [now], error=0.0), past) == pytest.approx(sigma)
    own = Past.of(Rule(name="r", condition=condition, min_scatter=0.5),
                  parse_condition(condition).quantity)
    assert last(condition, series([before] * 10 + [now], error=0.0), own) == pytest.approx(
        (now - before) / 0.5)


@pytest.mark.parametrize(("sigmas", "known"), [(2.99, False), (3.01, True)])
def test_a_rate_is_known_from_three_standard_errors_on(sigmas: float, known: bool) -> None:
    """Five points, a day apart: the error of the slope is their error over the root of 10."""
    slope = sigmas * 0.05 / math.sqrt(10.0)
    past = Past(window=10.0, min_points=5, floor=0.03)
    line = series([13.0 + slope * n for n in range(5)], error=0.04, per_night=1)
    assert last("rate mag < -0.3 mag/d", line, past) == pytest.approx(
        slope if known else math.nan, nan_ok=True)


def test_a_rate_needs_three_points_whatever_a_rule_asks_for_and_a_rotation_two() -> None:
    past = Past(window=10.0, min_points=2, floor=0.0)
    assert math.isnan(last("rate mag < -1 mag/d", series([13.0, 12.0], per_night=1), past))
    assert last("rate mag < -0.3 mag/d", series([13.0, 12.0, 11.0], per_night=1),
                past) == pytest.approx(-1.0)
    four = Past(window=10.0, min_points=4, floor=0.0)
    assert math.isnan(last("rate mag < -0.3 mag/d", series([13.0, 12.0, 11.0], per_night=1), four))
    assert math.isnan(last("rotation chi > 9", series([30.0]), past))
    assert last("rotation chi > 9", series([30.0, 40.0]), past) == pytest.approx(10.0)


def test_a_past_whose_directions_cancel_gives_no_change_of_angle() -> None:
    assert math.isnan(last("change chi > 30 deg", series([0.0, 90.0] * 5 + [45.0])))


def test_a_change_in_percent_needs_a_positive_flux() -> None:
    assert math.isnan(last("change flux_mjy > 50 %", series([0.0] * 10 + [1.0])))


@pytest.mark.parametrize("n", [0, 4, 9])
def test_too_few_points_tell_no_change(n: int) -> None:
    assert math.isnan(last("change mag < -0.5", series([13.0] * 5 + [12.0])))
    assert math.isnan(last("change mag < -0.5", series([13.0] * n + [12.0], per_night=1),
                           Past(window=8.0, min_points=10, floor=0.0)))


def test_points_of_the_same_night_are_no_past() -> None:
    """A flare that lasts all night does not become its own yardstick."""
    night = [13.0] * 10 + [12.0] * 5
    assert last("change mag < -0.5", series(night)) == pytest.approx(-1.0)


def test_points_before_the_window_are_forgotten() -> None:
    values = [10.0] * 50 + [13.0] * 50 + [12.5]
    assert last("change mag < -0.3", series(values, per_night=5),
                Past(window=9.0, min_points=10, floor=0.0)) == pytest.approx(-0.5)


def test_angles_are_compared_modulo_180() -> None:
    assert last("change chi > 20", series([179.0, 1.0] * 5 + [3.0])) == pytest.approx(3.0)
    assert last("change chi > 20", series([88.0, 92.0] * 5 + [175.0])) == pytest.approx(85.0)


def test_a_rotation_goes_on_across_180_degrees() -> None:
    turning = [(20.0 * n) % 180.0 for n in range(12)]
    past = Past(window=14.0, min_points=3, floor=0.0)
    assert last("rotation chi > 90", series(turning, per_night=1), past) == pytest.approx(220.0)
    there_and_back = [0.0, 40.0, 80.0, 40.0, 0.0]
    assert last("rotation chi > 90", series(there_and_back, per_night=1), past) == pytest.approx(80)


def test_a_rate_is_the_slope_a_day_and_no_rate_where_it_is_not_sure() -> None:
    past = Past(window=1.0, min_points=4, floor=0.0)
    rising = [13.0 - 0.5 * n / 24 for n in range(12)]
    hourly = series(rising, per_night=100, step=1 / 24)
    assert last("rate mag < -0.3 mag/d", hourly, past) == pytest.approx(-0.5)
    noise = np.random.default_rng(1).normal(13.0, 0.01, 12)
    assert math.isnan(last("rate mag < -0.3 mag/d",
                           series(list(noise), per_night=100, step=1 / 24), past))


def test_colours_pair_the_nearest_points_within_the_limit() -> None:
    red = PointSeries(ids=[1, 2], night=["a", "a"], jd=[0.0, 0.5], value=[13.0, 13.0],
                 error=[0.03, 0.03])
    blue = PointSeries(ids=[3, 4], night=["a", "a"], jd=[0.01, 0.2], value=[14.0, 15.0],
                  error=[0.04, 0.04])
    made = colours(blue, red, within=0.5)
    assert (list(made.ids), list(made.value)) == ([3], [1.0])
    assert made.error[0] == pytest.approx(0.05)
    assert len(colours(blue, PointSeries(ids=[], night=[], jd=[], value=[], error=[]),
                       within=1.0)) == 0


def test_values_before_since_are_not_worked_out() -> None:
    out = derived(parse_condition("change mag < 1"), series([13.0] * 20), PAST, since=3.0)
    assert all(map(math.isnan, out[:15]))
    assert all(map(math.isfinite, out[15:]))


def test_a_change_needs_enough_points_of_earlier_nights_alone() -> None:
    night = series([13.0] * 10 + [12.0], step=0.01, per_night=11)  # all of one night
    assert math.isnan(last("change mag < -0.5", night))
    rise = series([13.0] * 11 + [12.5] * 10 + [12.0], step=0.01, per_night=11)
    assert last("change mag < -0.5", rise) == pytest.approx(-1.0)
