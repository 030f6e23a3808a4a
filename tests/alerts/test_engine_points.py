"""What rules look at, whatever the order of arrival, and what they refuse to be asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from iop4d.alerts.backtest import backtest
from iop4d.alerts.engine import AlertEngine
from iop4d.alerts.points import latest_jd
from iop4d.model.errors import ConfigError
from iop4d.model.flags import Flag
from iop4d.store import catalogue, unjudged
from iop4d.store.schema import Alert, Result
from tests.alerts.bench import (
    COLOUR,
    JD,
    UNIX_OF_JD,
    Night,
    Start,
    changed,
    channel,
    rule,
    site_of,
)
from tests.conftest import FakeClock
from tests.support.rows import rows

DAY = 1440.0  # minutes


@pytest.mark.parametrize(("first", "second"), [("B", "R"), ("R", "B")])
def test_a_colour_fires_whichever_band_is_taken_first(start: Start, first: str,
                                                      second: str) -> None:
    night = start(COLOUR, channel())
    mags = {"B": 13.4, "R": 13.0}
    for n in range(2):
        night.see(n * DAY, mags[first], band=first)
        assert len(rows(night.database, Alert, Alert.state == "firing")) == 0
        night.see(n * DAY + 5, mags[second], band=second)
        assert night.state() == "firing"
        night.see(n * DAY + 60, 14.0, band="B")
        night.see(n * DAY + 65, 13.0, band="R")
        assert night.state() == "resolved"


@pytest.mark.parametrize("bad", [{"err": 0.5}, {"err": None}])
def test_points_that_do_not_count_are_no_gap_between_those_that_do(start: Start,
                                                                   bad: dict[str, float]) -> None:
    night = start(rule(confirm=3) + "max_err = 0.1\n", channel())
    for n in range(3):
        night.see(10 * n, 12.5)
        for between in range(1, 6):
            night.see(10 * n + between, 12.5, **bad)
    assert [row.points for row in rows(night.database, Alert)] == [[1, 7, 13]]


@pytest.mark.parametrize("flag", [Flag.POOR_FIT, Flag.BAD_PIXELS, Flag.BLENDED, Flag.SATURATED,
                                  Flag.PIXELS_DOUBTFUL])
def test_pixels_and_fits_that_are_wrong_fire_no_alert_of_p(start: Start, flag: Flag) -> None:
    night = start(changed("p > 9.5 %"), channel())
    good = {"p_err": 0.002, "p_debiased": 0.1, "chi_deg": 30.0, "chi_err_deg": 0.5}
    for n in range(3):
        night.see(n, 13.5, p=0.1, flags=int(flag), **good)
    assert night.kinds() == []
    for n in range(3, 5):
        night.see(n, 13.5, p=0.1, **good)
    assert night.kinds() == ["alert"]


def test_a_colour_without_its_partner_is_no_gap(start: Start) -> None:
    night = start(COLOUR.replace("confirm = 1", "confirm = 2"), channel())
    for n in range(2):
        night.see(120 * n, 13.4, band="B")
        night.see(120 * n + 5, 13.0, band="R")
        night.see(120 * n + 60, 12.0, band="B")
    assert night.state() == "firing"


def test_tags_may_stand_in_a_list_of_sources(start: Start) -> None:
    night = start(rule().replace('source = "BL Lac"', 'sources = ["Mrk 421", "tag:tev"]'),
                  channel(), '[[tag]]\nname = "tev"\nsources = ["2200+420"]\n')
    night.see(0, 12.5)
    night.see(1, 12.5)
    assert night.state() == "firing"


def test_a_tag_of_the_catalogue_adds_to_that_of_the_site_file(start: Start) -> None:
    """A source that is tagged while the daemon runs is watched from then on."""
    night = start(rule().replace('source = "BL Lac"', 'source = "tag:tev"'), channel(),
                  '[[tag]]\nname = "tev"\nsources = []\n')
    night.see(0, 12.5)
    night.see(1, 12.5)
    assert night.kinds() == []
    with night.database.write() as tx:
        catalogue.save(tx, [replace(catalogue.find(tx, "2200+420"), tags=("tev", "fermi"))])
    night.see(2, 12.5)
    night.see(3, 12.5)
    assert night.state() == "firing"


def test_a_source_that_nobody_knows_is_told_as_an_error_of_its_rule(start: Start) -> None:
    night = start(rule(source="BLLaz"), channel())
    with night.database.read() as db:
        assert night.engine.unknown(db) == {
            "bright": ["BLLaz; did you mean BL Lac or BL Lac C1?"]}


@pytest.mark.parametrize(("wrong", "expected"), [
    (rule(source="tag:tev"), "there is no [[tag]] 'tev'"),
    (rule() + 'instruments = ["AndorT91"]\n', "there is no instrument 'AndorT91'"),
    (rule() + "hold_minutes = 20\n", "hold_minutes does not apply to 'mag < 13.0'"),
    (changed("silent > 2 h", "confirm_within_hours = 2\n"), "confirm_within_hours does not apply"),
    (changed("p > 10 %", "max_err = 1\n", "p < 8 %"), "p is a fraction"),
])
def test_what_would_be_ignored_or_never_hold_is_refused(tmp_path: Path, wrong: str,
                                                        expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        AlertEngine(site_of(tmp_path, wrong, channel()), FakeClock())
    assert expected in str(refused.value)


@pytest.mark.parametrize(("condition", "values", "fires"), [
    ("change p > 5 sigma", [0.02, 0.115], True),  # 9.5 percent points, floor 0.5
    ("change p > 5 sigma", [0.02, 0.04], False),
    ("change chi > 5 sigma", [30.0, 50.0], True),  # floor 2 degrees
    ("change chi > 5 sigma", [30.0, 38.0], False),
])
def test_each_quantity_has_a_floor_of_its_own(start: Start, condition: str, values: list[float],
                                              fires: bool) -> None:
    night = start(changed(condition, "confirm = 1\n").replace("confirm = 2\n", "", 1), channel())
    for n in range(12):
        value = values[0] if n < 11 else values[1]
        p, chi = (value, 30.0) if " p " in condition else (0.1, value)
        night.see(n * DAY / 4, 14.0, night=f"2025-11-{2 + n:02d}", p=p, p_debiased=p, p_err=0.002,
                  chi_deg=chi, chi_err_deg=0.5)
    assert (len(rows(night.database, Alert, Alert.state == "firing")) == 1) is fires


@pytest.mark.parametrize("ahead", [10 * DAY, 15 * 365 * DAY])
@pytest.mark.parametrize("mag", [14.0, 12.5])
def test_a_point_of_the_future_silences_nothing_and_fires_nothing(tmp_path: Path, ahead: float,
                                                                  mag: float) -> None:
    """A clock was wrong: as the newest point it would make every other one a late one."""
    site, clock = site_of(tmp_path, rule(), channel()), FakeClock(UNIX_OF_JD)
    night = Night(site, clock)
    night.engine = AlertEngine(site, clock)
    future = night.see(ahead, mag)
    night.see(0, 14.0)
    clock.advance(3600.0)
    assert rows(night.database, Alert) == []
    night.see_all([12.5, 12.5], start=10)
    watch = night.engine.compiled("bright")
    assert watch is not None
    with night.database.read() as db:
        would = backtest(db, night.engine, watch, JD - 1.0)
    assert (night.state(), [one.fired_jd for one in would.fired]) == (
        "firing", [night_jd(night, "bright")])
    assert night.kinds() == ["alert"]
    night.see_all([14.0, 14.0], start=20)
    assert night.state() == "resolved"
    with night.database.write() as tx:
        assert future in {row.id for row in tx.select(Result)}
    night.database.close()


def test_an_alert_that_a_point_of_the_future_fired_is_withdrawn(tmp_path: Path) -> None:
    site, clock = site_of(tmp_path, rule(), channel()), FakeClock(UNIX_OF_JD)
    night = Night(site, clock)  # its engine is one of an earlier version, which did not look
    night.see_all([12.5, 12.5], start=10 * 365 * 1440)
    assert night.state() == "firing"
    night.engine = AlertEngine(site, clock)
    night.tend()
    assert night.state() == "withdrawn"
    clock.advance(3600.0)
    night.see_all([12.5, 12.5])
    assert night.state() == "firing"
    night.database.close()


@pytest.mark.parametrize("when", ["measured", "fired"])
def test_a_flare_that_comes_while_the_clock_is_set_back_fires_when_it_is_right_again(
        tmp_path: Path, when: str) -> None:
    """An old fault: it fired with the next point of the source, or never."""
    site, clock = site_of(tmp_path, rule(), channel()), FakeClock(UNIX_OF_JD)
    night = Night(site, clock)
    night.engine = AlertEngine(site, clock)
    if when == "fired":
        night.see_all([12.5, 12.5])
        assert night.state() == "firing"
    clock.advance(-86400.0)
    if when == "measured":
        night.see_all([12.5, 12.5])
    night.tend()
    assert [row.state for row in rows(night.database, Alert)] == (
        [] if when == "measured" else ["withdrawn"])
    clock.advance(86400.0)
    with night.database.write() as tx:
        unjudged.put_of_the_future(tx, latest_jd(clock() - 86400.0), latest_jd(clock()))
        night.engine.on_results(tx, unjudged.take(tx))
    assert night.state() == "firing"
    night.database.close()


def test_a_clock_that_was_in_1970_has_the_points_of_the_last_month_judged(tmp_path: Path) -> None:
    site, clock = site_of(tmp_path, rule(), channel()), FakeClock(UNIX_OF_JD)
    night = Night(site, clock)
    night.see(-40 * DAY, 14.0)
    recent = [night.see(-20 * DAY, 14.0), night.see(-60.0, 14.0)]
    with night.database.write() as tx:
        unjudged.put_of_the_future(tx, latest_jd(0.0), latest_jd(clock()))
        assert sorted(unjudged.take(tx)) == recent
    night.database.close()


def night_jd(night: Night, rule_name: str) -> float:
    """When the last alert of a rule fired."""
    return float(rows(night.database, Alert, Alert.rule == rule_name)[-1].fired_jd)
