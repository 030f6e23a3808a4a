"""Which points count for a rule, and as which number: every limit has a point on either side."""

from __future__ import annotations

import math
from typing import Any

import pytest

from iop4d.alerts import points
from iop4d.alerts.points import PointReader, since_jd
from iop4d.alerts.rules import CompiledRule, RulePoint, compile_rule
from iop4d.config import Rule
from iop4d.model.flags import NEVER_ALERTS, Flag
from iop4d.store.database import Transaction
from tests.alerts.bench import JD, MINUTE, Start, channel, point, rule

DAY = 1440.0  # minutes


def compiled(condition: str, **keys: Any) -> CompiledRule:
    return compile_rule(Rule(name="r", condition=condition, **keys))


def seen(tx: Transaction, condition: str, *, band: str = "R", since: float = JD - 1.0,
         **keys: Any) -> list[RulePoint]:
    return since_jd(tx, compiled(condition, **keys), "BL Lac", band, since, math.inf)


def polarised(tx: Transaction, n: float, p: float, chi: float, *, p_err: float = 0.01,
              **more: Any) -> int:
    return point(tx, n, 13.0, p=p, p_debiased=p, p_err=p_err, chi_deg=chi, chi_err_deg=2.0, **more)


@pytest.mark.parametrize("condition", ["chi > 90 deg", "change chi > 30 deg",
                                       "rotation chi > 90 deg"])
def test_an_angle_counts_where_p_is_three_times_its_error(tx: Transaction, condition: str) -> None:
    """The angle of noise is any angle."""
    ids = [polarised(tx, n, p, 100.0) for n, p in enumerate((0.0, 0.01, 0.0299, 0.03, 0.0301))]
    assert [p.id for p in seen(tx, condition)] == ids[3:]
    assert [p.id for p in seen(tx, "p > 0.5")] == ids


def test_an_angle_needs_p_above_the_instrument_s_error_too(tx: Transaction) -> None:
    sure = polarised(tx, 0, 0.05, 0.0, q=0.05, u=0.0, q0_err=0.01, u0_err=0.02)
    polarised(tx, 1, 0.05, 45.0, q=0.0, u=0.05, q0_err=0.01, u0_err=0.02)
    assert [p.id for p in seen(tx, "chi < 180 deg")] == [sure]


def test_a_value_has_all_of_its_error_and_the_largest_error_is_of_all(tx: Transaction) -> None:
    point(tx, 0, 13.0, err=0.03, mag_err_common=0.04)
    assert [p.error for p in seen(tx, "mag < 14")] == pytest.approx([0.05])
    assert seen(tx, "mag < 14", max_err=0.049) == []
    (flux,) = seen(tx, "flux_mjy > 1")
    assert flux.error == pytest.approx(0.05 * 0.9210340371976183 * flux.value)


def test_a_rule_on_changes_looks_at_random_errors_of_one_camera(tx: Transaction) -> None:
    for n in range(12):
        for k, camera in enumerate(["Andor", "DIPOL"][:1 + (n < 4)]):  # their offset is known
            point(tx, (n - 20) * DAY + k, 13.0 + 0.005 * (-1) ** n, err=0.005, mag_err_common=0.03,
                  night=f"2025-11-{1 + n:02d}", instrument=camera)
    keys: dict[str, Any] = {"since": JD, "window_days": 40.0, "min_points": 5, "min_scatter": 0.0}
    point(tx, 0, 12.88, err=0.005, mag_err_common=0.03, night="2025-11-22")
    point(tx, 1, 12.88, err=0.005, mag_err_common=0.03, night="2025-11-22", instrument="DIPOL")
    same, other = (p.value for p in seen(tx, "change mag < -5 sigma", **keys))
    assert same == pytest.approx(-0.12 / math.hypot(0.005 * 1.4826, 0.005), rel=0.01)
    assert other == pytest.approx(-0.12 / math.hypot(0.005 * 1.4826, 0.005, 0.03), rel=0.01)


def test_a_rule_on_the_angle_does_not_fire_on_noise(start: Start) -> None:
    night = start(rule().replace('"mag < 13.0"', '"chi > 90 deg"').replace(
        '"mag > 13.2"', '"chi < 80 deg"'), channel())
    for n in range(4):
        night.see(n, 13.0, p=0.01, p_debiased=0.01, p_err=0.004, chi_deg=120.0, chi_err_deg=12.0)
    assert night.kinds() == []
    for n in range(4, 6):
        night.see(n, 13.0, p=0.02, p_debiased=0.02, p_err=0.004, chi_deg=120.0, chi_err_deg=6.0)
    assert (night.state(), night.kinds()) == ("firing", ["alert"])


@pytest.mark.parametrize("flag", list(Flag))
def test_flags_that_spoil_a_value_bar_a_point_and_others_do_not(tx: Transaction,
                                                                flag: Flag) -> None:
    polarised(tx, 0, 0.1, 30.0, flags=int(flag))
    assert len(seen(tx, "mag < 13.5")) == (flag not in NEVER_ALERTS)
    polarisation_counts = flag not in NEVER_ALERTS or flag is Flag.NO_CALIBRATORS
    assert len(seen(tx, "p > 5 %")) == polarisation_counts
    assert len(seen(tx, "chi > 1")) == (polarisation_counts and flag is not Flag.FIELD_ROTATED)


@pytest.mark.parametrize(("keys", "flag", "counts"), [
    ({"reject_flags": ("clouds",)}, Flag.CLOUDS, False),
    ({"reject_flags": ("clouds",)}, Flag.LOW_SNR, True),
    ({"reject_flags": ("low_snr", "poor_wcs")}, Flag.POOR_WCS, False),
    ({"require_stable_stars": True}, Flag.UNSTEADY, False),
    ({"require_stable_stars": True}, Flag.FEW_CALIBRATORS, False),
    ({"require_stable_stars": True}, Flag.CLOUDS, False),
    ({"require_stable_stars": True}, Flag.LOW_SNR, True),
    ({}, Flag.CLOUDS | Flag.UNSTEADY | Flag.FEW_CALIBRATORS, True)])
def test_a_rule_may_bar_more_flags(tx: Transaction, keys: dict[str, Any], flag: Flag,
                                   counts: bool) -> None:
    point(tx, 0, 13.0, flags=int(flag))
    assert len(seen(tx, "mag < 13.5", **keys)) == counts


@pytest.mark.parametrize("condition", ["mag < 13.5", "p > 5 %"])
def test_what_a_person_flagged_does_not_count(tx: Transaction, condition: str) -> None:
    polarised(tx, 0, 0.1, 30.0, human_flags=[{"name": "bad"}])
    assert seen(tx, condition) == []


def test_instruments_and_the_largest_error_may_be_named(tx: Transaction) -> None:
    ids = [point(tx, 0, 13.0, err=0.05), point(tx, 1, 13.0, err=0.0501),
           point(tx, 2, 13.0, err=None), point(tx, 3, 13.0, err=0.01, instrument="DIPOL")]
    assert [p.id for p in seen(tx, "mag < 14")] == ids
    assert [p.id for p in seen(tx, "mag < 14", max_err=0.05)] == [ids[0], ids[3]]
    assert [p.id for p in seen(tx, "mag < 14", instruments=("DIPOL", "CAFOS"))] == ids[3:]


@pytest.mark.parametrize(("band", "zero_mjy"), [
    ("U", 1.790e6), ("B", 4.063e6), ("V", 3.636e6), ("R", 3.080e6), ("I", 2.416e6),
    ("g", 3.631e6), ("z", 3.631e6)])
def test_a_magnitude_is_the_flux_of_its_band(tx: Transaction, band: str, zero_mjy: float) -> None:
    """Six magnitudes and a quarter are a factor of 10^-2.5; an error is 0.4 ln 10 of the flux."""
    point(tx, 0, 16.25, band=band, err=0.02)
    (flux,) = seen(tx, "flux_mjy > 1", band=band)
    expected = zero_mjy * 10.0**-6.5
    assert flux.value == pytest.approx(expected, rel=1e-12)
    assert flux.error == pytest.approx(0.02 * 0.9210340371976183 * expected, rel=1e-9)


def test_the_largest_error_of_a_flux_is_in_mjy(tx: Transaction) -> None:
    point(tx, 0, 15.0, err=0.02)  # 3.08 mJy +- 0.0567
    assert len(seen(tx, "flux_mjy > 1", max_err=0.057)) == 1
    assert seen(tx, "flux_mjy > 1", max_err=0.056) == []


def test_without_the_host_galaxy_the_nucleus_counts(tx: Transaction) -> None:
    polarised(tx, 0, 0.1, 30.0, mag_nucleus=14.0, mag_nucleus_err=0.1, p_nucleus=0.2,
              p_nucleus_err=0.03)
    polarised(tx, 1, 0.1, 30.0)
    found = {c: [(p.value, p.error) for p in seen(tx, c, host_galaxy="corrected")]
             for c in ("mag < 15", "p > 5 %")}
    assert found == {"mag < 15": [(14.0, 0.1)], "p > 5 %": [(0.2, 0.03)]}
    (flux,) = seen(tx, "flux_mjy > 1", host_galaxy="corrected")
    assert flux.value == pytest.approx(3.080e6 * 10.0**-5.6)


def test_by_itself_a_rule_judges_the_nucleus_where_the_host_is_known(tx: Transaction) -> None:
    polarised(tx, 0, 0.1, 30.0, mag_nucleus=14.0, mag_nucleus_err=0.1, p_nucleus=0.2,
              p_nucleus_err=0.03, host_mjy=5.0)
    polarised(tx, 1, 0.1, 30.0)
    point(tx, 2, 13.3, host_mjy=9.0)  # the host leaves nothing of it
    for asked, mags, degrees in (("auto", [14.0, 13.0], [0.2, 0.1]),
                                 ("raw", [13.0, 13.0, 13.3], [0.1, 0.1])):
        assert [p.value for p in seen(tx, "mag < 15", host_galaxy=asked)] == mags
        assert [p.value for p in seen(tx, "p > 5 %", host_galaxy=asked)] == degrees
    assert seen(tx, "mag < 15") == seen(tx, "mag < 15", host_galaxy="auto")


def test_a_colour_is_of_source_and_host_together(tx: Transaction) -> None:
    point(tx, 0, 13.0, band="R", mag_nucleus=14.0, mag_nucleus_err=0.1, host_mjy=5.0)
    point(tx, 0, 13.9, band="B")
    (found,) = seen(tx, "colour B-R < 1", band="B-R")
    assert found.value == pytest.approx(0.9)


def test_a_colour_needs_the_second_band_just_before_the_first_point_that_is_asked_for(
        tx: Transaction) -> None:
    point(tx, -20, 13.0, band="R")
    blue = point(tx, 0, 13.9, band="B")
    found = seen(tx, "colour B-R < 1", band="B-R", since=JD, colour_within_hours=0.5)
    assert [(p.id, round(p.value, 6)) for p in found] == [(blue, 0.9)]
    assert seen(tx, "colour B-R < 1", band="B-R", since=JD, colour_within_hours=0.3) == []


def test_the_points_of_a_colour_need_the_second_band_just_before_their_span(
        tx: Transaction) -> None:
    point(tx, -20, 13.0, band="R")
    blue = point(tx, 0, 13.9, band="B")
    rule_ = compiled("colour B-R < 1", colour_within_hours=0.5)
    assert points.colours(tx, rule_, "BL Lac", JD - 1e-4, JD + 1e-4) == {blue}


def test_a_change_reaches_back_by_its_window(tx: Transaction) -> None:
    for n in range(5):
        point(tx, (n - 10) * DAY, 13.0, night=f"2025-11-{1 + n:02d}")
    point(tx, 0, 12.0, night="2025-11-20")
    for days, change in ((10.5, -1.0), (9.5, math.nan)):
        (found,) = seen(tx, "change mag < -0.5", since=JD, window_days=days, min_points=5)
        assert found.value == pytest.approx(change, nan_ok=True)


# What is read for one judgement.


def load(tx: Transaction, since: float, **keys: Any) -> tuple[float, list[float]]:
    begin, found = PointReader(tx, math.inf).load(compiled("mag < 13.0", **keys), "BL Lac", "R",
                                        JD + since * MINUTE)
    return (begin - JD) / MINUTE, [round((p.jd - JD) / MINUTE, 3) for p in found]


def test_a_point_is_judged_with_those_that_may_confirm_it(tx: Transaction) -> None:
    assert load(tx, 0) == (pytest.approx(0.0), [])
    for n in range(10):
        point(tx, n, 13.0)
    assert load(tx, 6, confirm=3)[1] == [4, 5, 6, 7, 8, 9]
    assert load(tx, 6, confirm=1)[1] == [6, 7, 8, 9]
    assert load(tx, 0, confirm=3)[1] == list(range(10))


@pytest.mark.parametrize("between", [30, 300])
def test_points_that_do_not_count_are_passed_over_however_many(tx: Transaction,
                                                               between: int) -> None:
    """With confirm = 2, one point before is looked for, then 20, then all."""
    point(tx, 0, 13.0)
    for n in range(1, between):
        point(tx, n, 13.0, err=0.5)
    point(tx, between, 13.0)
    assert load(tx, between, confirm=2, max_err=0.1)[1] == [0, between]


@pytest.mark.parametrize("between", [15, 300])
def test_points_of_one_band_alone_are_passed_over_where_a_colour_is_judged(tx: Transaction,
                                                                           between: int) -> None:
    for day in (0, 410):
        point(tx, day * DAY, 13.0, band="R")
        point(tx, day * DAY, 13.9, band="B")
    for n in range(between):  # more than a week before the newest
        point(tx, 400 * DAY + n, 13.9, band="B")
    rule_ = compiled("colour B-R < 1", confirm=2)
    _, found = PointReader(tx, math.inf).load(rule_, "BL Lac", "B-R", JD + 410.0)
    assert [round(p.jd - JD) for p in found] == [0, 410]


def test_a_point_a_week_before_the_newest_is_too_late_to_make_an_edge(tx: Transaction) -> None:
    for days in (0, 2.9, 3.1, 10):
        point(tx, days * DAY, 13.0)
    begin, found = load(tx, 0, confirm=1)
    assert begin == pytest.approx(3 * DAY)
    assert found == [3.1 * DAY, 10 * DAY]


def test_no_more_than_the_newest_points_are_judged_at_once(
        tx: Transaction, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (points._MOST, points._MOST_PAST) == (2000, 50_000)  # bound time and memory
    for n in range(10):
        point(tx, n, 13.0)
    monkeypatch.setattr(points, "_MOST", 4)
    assert load(tx, 0, confirm=1) == (pytest.approx(6.0), [6, 7, 8, 9])
    monkeypatch.setattr(points, "_MOST_PAST", 3)
    assert [p.jd for p in seen(tx, "mag < 13")] == [JD + n * MINUTE for n in (7, 8, 9)]


def test_points_are_read_once_for_rules_that_differ_in_their_thresholds_alone(
        tx: Transaction) -> None:
    reader = PointReader(tx, math.inf)
    point(tx, 0, 13.0)
    one = reader.load(compiled("mag < 13.0"), "BL Lac", "R", JD)
    same = (compiled("mag < 14.0", cooldown_hours=3.0, severity="high"),
            compiled("mag < 13.0", clear="mag > 13.2", muted=True))
    others = (compiled("mag < 13.0", max_err=0.1), compiled("mag < 13.0", confirm=3),
              compiled("flux_mjy > 1"), compiled("mag < 13.0", reject_flags=("clouds",)))
    assert all(reader.load(rule, "BL Lac", "R", JD) is one for rule in same)
    assert all(reader.load(rule, "BL Lac", "R", JD) is not one for rule in others)


def test_a_night_s_frames_put_together_count_for_rules_that_ask_for_them_alone(
        tx: Transaction) -> None:
    single = point(tx, 0, 13.0)
    both = point(tx, 1, 13.0, mode="stack")
    assert [p.id for p in seen(tx, "mag < 14")] == [single]
    assert [p.id for p in seen(tx, "mag < 14", stacks=True)] == [single, both]
