"""What rules can say, from the site file to the alert: and, or, low states, new sources."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts.backtest import backtest, waits_for
from iop4d.config.load import parse_site
from iop4d.model.errors import ConfigError
from iop4d.model.flags import Flag
from iop4d.model.source import Source, SourceKind
from iop4d.store import catalogue
from iop4d.store.schema import Alert, Outbox
from tests.alerts.bench import JD, Night, Start, changed, channel
from tests.support.rows import last, rows

DAY = 1440.0  # minutes
PAST = "window_days = 30\nmin_points = 5\n"


def polarised(night: Night, n: float, mag: float | None, p: float) -> int:
    return night.see(n, mag, p=p, p_debiased=p, p_err=0.005, mode="polarimetry", chi_deg=30.0,
                     chi_err_deg=1.0)


def quiet(night: Night, mags: dict[str, float], nights: int = 8, **more: Any) -> None:
    """One point a night in each band."""
    for n in range(nights):
        for k, (band, mag) in enumerate(mags.items()):
            night.see((n - 10) * DAY + k, mag + 0.01 * (n % 3), band=band,
                      night=f"2025-11-{n + 1:02d}", **more)


def fired(night: Night) -> int:
    return sum(row.state == "firing" for row in rows(night.database, Alert))


@pytest.mark.parametrize(("points", "fires"), [
    ([(12.5, 0.2), (12.5, 0.2)], 1), ([(13.5, 0.2), (13.5, 0.2)], 0),
    ([(12.5, 0.1), (12.5, 0.1)], 0), ([(12.5, 0.2), (12.5, 0.1)], 0)])
def test_both_conditions_are_met_by_the_points_that_confirm(
        start: Start, points: list[tuple[float, float]], fires: int) -> None:
    night = start(changed("p > 15 % and mag < 13"), channel())
    for n, (mag, p) in enumerate(points):
        polarised(night, n, mag, p)
    assert fired(night) == fires
    if fires:
        content = last(night.database, Outbox).content
        assert content["condition"] == "p > 15.0 % and mag < 13.0"
        assert "R = 12.5" in content["subject"]


def test_photometry_is_joined_with_the_polarisation_of_the_same_half_hour(start: Start) -> None:
    night = start(changed("p > 15 % and mag < 13"), channel())
    polarised(night, 0, 13.5, 0.2)  # polarised, and faint in that minute
    night.see_all([12.5, 12.5], start=40)
    assert fired(night) == 0
    polarised(night, 73, 13.5, 0.2)
    polarised(night, 75, 13.5, 0.2)
    night.see_all([12.5, 12.5], start=80)
    assert fired(night) == 1


def test_one_point_of_a_quantity_is_not_confirmed_by_points_of_another(start: Start) -> None:
    night = start(changed("p > 15 % and mag < 13"), channel())
    night.see_all([12.5] * 3, start=0)
    polarised(night, 5, 12.5, 0.2)
    night.see_all([12.5] * 3, start=6)
    assert fired(night) == 0, "a single point of p counted again beside each magnitude"
    polarised(night, 12, 12.5, 0.2)
    night.see(13, 12.5)
    assert fired(night) == 1


def test_one_bad_point_of_either_quantity_fires_no_or(start: Start) -> None:
    night = start(changed("p > 15 % or mag < 13"), channel())
    night.see_all([13.5] * 5, start=0)
    polarised(night, 6, 13.5, 0.2)
    night.see_all([13.5] * 5, start=7)
    polarised(night, 13, 13.5, 0.05)
    night.see(14, 12.5)
    polarised(night, 15, None, 0.05)
    polarised(night, 16, None, 0.05)
    night.see(17, 13.5)
    assert fired(night) == 0


def test_one_bad_point_of_a_quantity_ends_no_and_but_two_do(start: Start) -> None:
    night = start(changed("p > 15 % and mag < 13"), channel())
    polarised(night, 0, None, 0.2)
    polarised(night, 1, None, 0.2)
    night.see_all([12.5] * 2, start=2)
    assert night.state() == "firing"
    polarised(night, 6, None, 0.05)
    night.see_all([12.5] * 3, start=7)
    assert night.state() == "firing"
    polarised(night, 12, None, 0.05)
    night.see_all([12.5] * 2, start=13)
    assert night.state() == "resolved"


def test_where_one_point_is_enough_one_of_each_quantity_is(start: Start) -> None:
    night = start(changed("p > 15 % and mag < 13").replace("confirm = 2", "confirm = 1"),
                  channel())
    polarised(night, 0, None, 0.2)
    night.see(5, 12.5)
    assert fired(night) == 1


def test_points_far_from_each_other_confirm_no_term(start: Start) -> None:
    night = start(changed("p > 15 % and mag < 13", "confirm_within_hours = 0.5\n"), channel())
    polarised(night, 0, None, 0.2)
    polarised(night, 60, None, 0.2)
    night.see_all([12.5] * 3, start=61)
    assert fired(night) == 0
    polarised(night, 70, None, 0.2)
    night.see_all([12.5] * 2, start=71)
    assert fired(night) == 1


@pytest.mark.parametrize("condition", ["p > 15 % and mag < 13", "p > 15 % or mag < 13",
                                       "(p > 15 % or mag < 12) and mag < 13"])
def test_points_that_are_judged_as_they_come_fire_where_a_back_test_does(
        start: Start, condition: str) -> None:
    pick = random.Random(7)
    again = changed(condition).replace("cooldown_hours = 12.0", "cooldown_hours = 0.0")
    assert "cooldown_hours = 0.0" in again
    night = start(again, channel())
    seen = [(n, pick.choice((12.5,) * 5 + (13.5, 13.5, None)),
             pick.choice((None, 0.05, 0.2, 0.2, 0.2))) for n in range(0, 240, 3)]
    points = [(n, mag, p) for n, mag, p in seen if mag or p]
    for n, mag, p in points:  # as they were taken
        if p is None:
            night.see(n, mag)
        else:
            polarised(night, n, mag, p)
    compiled = night.engine.compiled("bright")
    assert compiled is not None
    with night.database.read() as db:
        found = backtest(db, night.engine, compiled, JD)
    assert len(found.fired) > 1
    assert sorted({one.fired_jd for one in found.fired}) == sorted(
        {row.fired_jd for row in rows(night.database, Alert)
         if row.state not in {"pending", "inactive"}})


def test_or_needs_one_of_them_and_ends_when_none_is_met(start: Start) -> None:
    night = start(changed("p > 15 % or mag < 13"), channel())
    polarised(night, 0, 13.5, 0.2)
    polarised(night, 1, 13.5, 0.2)
    assert night.state() == "firing"
    polarised(night, 60, 13.5, 0.1)
    polarised(night, 61, 13.5, 0.1)
    assert night.state() == "resolved"


def test_a_joined_condition_is_the_same_whatever_comes_first(start: Start) -> None:
    night = start(changed("p > 15 % and mag < 13"), channel())
    for n in (3, 0, 2, 1):
        polarised(night, n, 12.5, 0.2)
    assert fired(night) == 1
    assert last(night.database, Alert).fired_jd == pytest.approx(JD + 1.0 / DAY)


def test_a_colour_changes_against_its_own_past(start: Start) -> None:
    night = start(changed("change B-R > 0.2 mag", PAST).replace('band = "R"', 'band = "*"'),
                  channel())
    quiet(night, {"B": 14.9, "R": 14.0})
    for n in range(2):
        night.see(10.0 * n, 14.95, band="B")
        night.see(10.0 * n + 1, 14.0, band="R")
    assert fired(night) == 0
    for n in range(2, 4):
        night.see(10.0 * n, 15.25, band="B")
        night.see(10.0 * n + 1, 14.0, band="R")
    assert fired(night) == 1
    row = last(night.database, Alert)
    assert row.band == "B-R"
    assert row.value == pytest.approx(0.34, abs=0.03)


@pytest.mark.parametrize(("mags", "fires"), [
    ([14.35, 14.35], 1), ([14.05, 14.05], 0), ([14.35, 14.0], 0), ([13.5, 13.5], 0)])
def test_a_low_state_is_fainter_than_all_of_the_window(start: Start, mags: list[float],
                                                       fires: int) -> None:
    night = start(changed("state low", PAST), channel())
    quiet(night, {"R": 14.0})
    night.see_all(mags)
    assert fired(night) == fires


def test_a_high_state_is_brighter_than_all_of_the_window_by_as_much_as_is_asked(
        start: Start) -> None:
    night = start(changed("brightest mag > 0.3", PAST), channel())
    quiet(night, {"R": 14.0})
    night.see_all([13.75, 13.75])
    assert fired(night) == 0
    night.see_all([13.65, 13.65], start=5)
    assert fired(night) == 1


def test_a_new_source_is_told_once_by_its_first_results(start: Start) -> None:
    night = start(changed("new source", "cooldown_hours = 0\n").replace(
        "cooldown_hours = 12.0\n", "").replace('"BL Lac"', '"*"'), channel())
    night.see_all([13.0, 13.0, 13.0, 13.0, 13.1])
    with night.database.write() as tx:
        catalogue.save(tx, [Source(name="3C 345", ra_deg=250.7, dec_deg=39.8,
                                   kind=SourceKind.TARGET)])
    for n in range(10, 14):
        night.see(n, 16.0, source="3C 345")
    found = [(row.source, row.state) for row in rows(night.database, Alert)]
    assert found == [("BL Lac", "resolved"), ("3C 345", "resolved")]
    assert night.kinds() == ["alert", "alert"]


SATURATED = {"flags": int(Flag.SATURATED)}


@pytest.mark.parametrize(("more", "points", "bands"), [
    ("", [("V", 0, {}), ("R", 1, {}), ("R", 2, {})], ["R"]),  # another band of the same night
    ("", [("R", 0, SATURATED), ("R", 1, {}), ("R", 2, {})], ["R"]),
    ("", [("R", 0, SATURATED), ("R", DAY, {}), ("R", DAY + 1, {})], ["R"]),
    ("", [("R", 0, {}), ("R", DAY, {})], ["R"]),  # one point a night
    ("", [("V", 0, {}), ("R", DAY, {}), ("R", DAY + 1, {})], []),  # known, in another band
    ("max_err = 0.1\n", [("R", 0, {"err": 0.5}), ("R", 1, {}), ("R", 2, {})], ["R"]),
    ("confirm_within_hours = 6\n", [("R", 0, {}), ("R", DAY, {}), ("R", DAY + 1, {}),
                                    ("R", DAY + 2, {})], ["R"]),
    ("*", [("V", 0, {}), ("R", 0, {}), ("V", 1, {}), ("R", 1, {})], ["V"]),
    ("*", [("V", 0, {}), ("R", 1, {}), ("R", 2, {}), ("V", 3, {})], ["R"])])
def test_a_source_is_new_by_its_first_good_points(
        start: Start, more: str, points: list[tuple[str, float, dict[str, Any]]],
        bands: list[str]) -> None:
    one = changed("new source", "" if more == "*" else more)
    night = start(one.replace('band = "R"', 'band = "*"') if more == "*" else one, channel())
    for band, n, values in points:
        night.see(n, 14.0, band=band, night=f"2025-11-{22 + n // DAY:02.0f}", **values)
    begun = rows(night.database, Alert, Alert.state.not_in(("pending", "inactive")))
    assert [row.band for row in begun] == bands


@pytest.mark.parametrize("condition", [
    "p > 15 % and mag < 13", "change B-R > 0.2 mag", "state low", "new source"])
def test_what_a_rule_can_say_can_be_back_tested(start: Start, condition: str) -> None:
    night = start(changed(condition, PAST).replace('band = "R"', 'band = "*"'), channel())
    quiet(night, {"B": 14.9, "R": 14.0})
    for n in range(4):
        polarised(night, 10.0 * n, 12.5 if "mag" in condition[9:] else 14.5, 0.2)
        night.see(10.0 * n + 1, 15.9, band="B")
    compiled = night.engine.compiled("bright")
    assert compiled is not None
    with night.database.read() as db:
        found = backtest(db, night.engine, compiled, -math.inf if condition == "new source" else JD)
    assert len(found.fired) >= 1
    assert sorted({one.fired_jd for one in found.fired}) == sorted(
        {row.fired_jd for row in rows(night.database, Alert)
         if row.state not in {"pending", "inactive"}})


def test_a_combined_rule_on_polarisation_alone_waits_for_no_magnitude(start: Start) -> None:
    night = start(changed("p > 15 % or chi > 100 deg"), channel())
    polarised(night, 0.0, None, 0.2)
    compiled = night.engine.compiled("bright")
    assert compiled is not None
    with night.database.read() as db:
        assert waits_for(db, night.engine, compiled) == ""


@pytest.mark.parametrize(("keys", "why"), [
    ('condition = "p > 15 % and mag < 13"\nclear = "mag > 13.2"', "clear does not apply"),
    ('condition = "p > 15 % and mag < 13"\nmax_err = 0.1', "max_err does not apply"),
    ('condition = "change p > 5 sigma and change mag < -5 sigma"\nmin_scatter = 0.1',
     "min_scatter does not apply to a condition on mag and p"),
    ('condition = "state low"\nwindow_days = 0.5', "expected more than 1"),
    ('condition = "mag < 13 and change mag < -0.5"\nwindow_days = 1', "expected more than 1"),
    ('condition = "no data by 22:00"\nconfirm = 3', "about the system")])
def test_keys_without_meaning_are_refused(tmp_path: Path, keys: str, why: str) -> None:
    from iop4d.alerts.check import check_rules

    site = parse_site(f'[[rule]]\nname = "r"\n{keys}\n', root=tmp_path)
    with pytest.raises(ConfigError, match=why):
        check_rules(site)
