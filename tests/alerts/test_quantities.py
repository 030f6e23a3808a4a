"""What conditions compare: changes, rates, rotations and colours, of known series."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

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


def nightly(values: list[float], *, error: float, common: list[float],
            camera: list[str] | None = None, step: float = 1.0) -> PointSeries:
    """One point a step (days), with random and common errors."""
    jd = [n * step for n in range(len(values))]
    return PointSeries(ids=list(range(len(values))), jd=jd, night=[f"{int(t):04d}" for t in jd],
                       value=values, error=[error] * len(values), common=common,
                       camera=camera or ["A"] * len(values))


STEADY = [float(m) for m in 14.0 + 0.005 * np.array([1, -1, 0.5, -0.5, 0.674, -0.674] * 3 + [0, 0])]
FREE = Past(window=40.0, min_points=5, floor=0.0)


def test_a_change_of_a_steady_source_is_as_sure_as_its_random_errors() -> None:
    """0.12 mag, steady to 5 mmag, where all magnitudes may be off by 0.03 together."""
    of = nightly([*STEADY, 13.88], error=0.004, common=[0.03] * 21)
    assert last("change mag < -3 sigma", of, FREE) == pytest.approx(-19.0, abs=1.5)
    floor = Past(window=40.0, min_points=5, floor=0.02)
    assert last("change mag < -3 sigma", of, floor) == pytest.approx(-5.7, abs=0.2)


def test_a_change_between_cameras_has_the_common_error_once() -> None:
    of = nightly([*STEADY, 13.88], error=0.004, common=[0.03] * 21, camera=["A"] * 20 + ["B"])
    expected = 0.12 / math.hypot(0.03, 0.004, 0.005)
    assert last("change mag < -3 sigma", of, FREE) == pytest.approx(-expected, rel=0.01)


def test_a_point_with_fewer_calibrators_has_what_the_past_does_not_share() -> None:
    of = nightly([*STEADY, 13.88], error=0.004, common=[0.01] * 20 + [0.02])
    expected = 0.12 / math.hypot(math.sqrt(0.02**2 - 0.01**2), 0.004, 0.005)
    assert last("change mag < -3 sigma", of, FREE) == pytest.approx(-expected, rel=0.01)


def test_the_host_makes_no_change_of_its_nucleus_less_certain_but_by_its_different_weight(
        ) -> None:
    """Its flux, unknown by 10 %, moves all points to one side: those of now by 8 mmag less."""
    of = replace(nightly([*STEADY, 13.88], error=0.004, common=[0.0] * 21),
                 host=[0.054] * 20 + [0.046])
    expected = 0.12 / math.hypot(0.008, 0.004, 0.005)
    assert last("change mag < -3 sigma", of, FREE) == pytest.approx(-expected, rel=0.01)
    assert of.total[-1] == pytest.approx(math.hypot(0.004, 0.046))


def test_a_change_of_p_has_the_instrument_s_error_once_since_chi_may_have_changed() -> None:
    of = nightly([0.10] * 20 + [0.13], error=0.001, common=[0.003] * 21)
    assert last("change p > 3 sigma", of, FREE) == pytest.approx(
        0.03 / math.hypot(0.003, 0.001), rel=0.01)


@pytest.mark.parametrize("common", [0.0, 0.01, 0.03, 0.3])
def test_a_rate_is_as_sure_as_random_errors_make_it(common: float) -> None:
    """0.8 mag a day for three hours, 5 mmag a point."""
    noise = 0.005 * np.random.default_rng(2).standard_normal(13)
    values = [float(14.0 - 0.8 * n * 0.25 / 24 + noise[n]) for n in range(13)]
    of = nightly(values, error=0.005, common=[common] * 13, step=0.25 / 24)
    past = Past(window=0.2, min_points=5, floor=0.02)
    assert last("rate mag < -0.2 mag/d", of, past) == pytest.approx(-0.8, abs=0.1)


@pytest.mark.parametrize(("common", "known"), [(0.001, True), (0.05, False)])
def test_a_step_between_two_cameras_is_no_rate(common: float, known: bool) -> None:
    """One camera sees 14.00 for six hours, the other 13.95 for the next six."""
    of = nightly([14.0] * 12 + [13.95] * 12, error=0.003, common=[common] * 24,
                 camera=["A"] * 12 + ["B"] * 12, step=0.5 / 24)
    rate = last("rate mag < -0.05 mag/d", of, Past(window=1.0, min_points=5, floor=0.0))
    assert math.isfinite(rate) == known


def test_a_slope_that_two_cameras_share_is_a_rate_whatever_their_offset() -> None:
    values = [14.0 - 0.8 * n / 48 + 0.05 * (n % 2) for n in range(24)]
    of = nightly(values, error=0.003, common=[0.05] * 24, camera=["A", "B"] * 12, step=1 / 48)
    past = Past(window=1.0, min_points=5, floor=0.0)
    assert last("rate mag < -0.05 mag/d", of, past) == pytest.approx(-0.8, abs=0.01)


@pytest.mark.parametrize(("error", "points", "limit"), [(9.0, 12, 30.0), (9.0, 20, 30.0),
                                                        (5.0, 12, 20.0)])
def test_a_constant_angle_does_not_turn_by_its_noise(error: float, points: int,
                                                     limit: float) -> None:
    rng = np.random.default_rng(points)
    past = Past(window=0.5, min_points=10, floor=2.0)
    condition = parse_condition(f"rotation chi > {limit:g} deg")
    fired = 0
    for _ in range(200):
        of = nightly([float(x) for x in (80.0 + error * rng.standard_normal(points)) % 180.0],
                     error=error, common=[0.5] * points, step=0.02)
        turned = derived(condition, of, past, since=-math.inf)
        fired += any(min(pair) > limit for pair in pairwise(turned))  # confirmed by a second one
    assert fired <= 2


@pytest.mark.parametrize("condition", ["rotation chi > 10 deg", "rotation chi > 5 sigma"])
@pytest.mark.parametrize("p", [1.0, 3.0, 5.0, 6.0, 12.0])
def test_a_constant_polarisation_does_not_turn_whatever_its_error(condition: str,
                                                                 p: float) -> None:
    """q and u with unit errors: angles of those that are let through, where p is at 3 sigma."""
    rng = np.random.default_rng(7)
    asked, past = parse_condition(condition), Past(window=0.5, min_points=3, floor=2.0)
    fired = 0
    for _ in range(300):
        q, u = p + rng.standard_normal(20), rng.standard_normal(20)
        debiased = np.sqrt(np.maximum(q**2 + u**2 - 1.0, 0.0))
        used = debiased >= 3.0
        chi = np.degrees(np.arctan2(u, q))[used] / 2.0 % 180.0
        of = nightly([float(x) for x in chi], error=0.0, common=[0.0] * len(chi), step=0.02)
        of = replace(of, error=[math.degrees(0.5) / float(x) for x in debiased[used]])
        turned = derived(asked, of, past, since=-math.inf)
        fired += any(asked.holds(a) and asked.holds(b) for a, b in pairwise(turned))
    assert fired == 0


def test_a_rotation_may_be_asked_for_in_its_errors() -> None:
    """66 degrees of angles that are good to 2 degrees each."""
    turning = [(6.0 * n) % 180.0 for n in range(12)]
    past = Past(window=0.5, min_points=10, floor=2.0)
    of = nightly(turning, error=2.0, common=[0.5] * 12, step=0.02)
    assert last("rotation chi > 5 sigma", of, past) == pytest.approx(math.degrees(0.5) / 2.0)
    slow = nightly([angle / 4.0 for angle in turning], error=2.0, common=[0.5] * 12, step=0.02)
    assert last("rotation chi > 5 sigma", slow, past) == pytest.approx(16.5 / math.hypot(2.0, 2.0))


def test_angles_of_noise_take_no_part_in_a_rotation() -> None:
    """Between two good angles that are alike, two bad ones lead the path once around."""
    of = replace(nightly([10.0, 70.0, 130.0, 10.0], error=1.0, common=[0.0] * 4, step=0.02),
                 error=[1.0, 9.0, 9.0, 1.0])
    past = Past(window=0.5, min_points=2, floor=2.0)
    assert last("rotation chi > 5 deg", of, past) == 0.0
    assert math.isnan(derived(parse_condition("rotation chi > 5 deg"), of, past,
                              since=-math.inf)[2])


def test_a_rotation_beyond_its_noise_is_one() -> None:
    turning = [(6.0 * n) % 180.0 for n in range(12)]
    of = nightly(turning, error=5.0, common=[0.5] * 12, step=0.02)
    assert last("rotation chi > 30", of, Past(window=0.5, min_points=10, floor=2.0)) == 66.0


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
