"""Alerts as people live with them: pending, acknowledged, snoozed, repeated, muted, withdrawn."""

from __future__ import annotations

import random

import pytest

from iop4d.alerts import actions, points
from iop4d.model.flags import Flag
from iop4d.store.schema import Alert, AlertStep, Event, Outbox, Result
from tests.alerts.bench import Night, Start, channel, point, rule
from tests.support.rows import first, rows, update

HOUR = 3600.0


def test_a_first_point_is_pending_and_the_next_confirms_or_clears_it(start: Start) -> None:
    night = start()
    night.see(0, 12.5)
    assert (night.state(), night.kinds()) == ("pending", [])
    night.see(1, 13.5)
    assert night.state() == "inactive"
    night.see(2, 12.5)
    assert night.state() == "pending"
    night.see(3, 12.5)
    assert (night.state(), night.kinds()) == ("firing", ["alert"])
    assert len(rows(night.database, Alert)) == 1
    assert [step.state for step in rows(night.database, AlertStep)] == [
        "pending", "inactive", "pending", "firing"]


def test_a_point_that_is_flagged_as_bad_takes_the_alert_back_and_people_are_told(
        start: Start) -> None:
    night = start()
    flagged, _ = night.see_all([12.5, 12.4])
    night.flag(flagged, "trailed")
    night.tend()
    assert (night.state(), night.kinds()) == ("pending", ["alert", "withdrawn"])
    gone = first(night.database, Alert, Alert.state == "withdrawn")
    assert "BLLac_0R.fit is flagged trailed" in gone.note
    second = first(night.database, Outbox, Outbox.id == 2)
    assert "BLLac_0R.fit is flagged trailed" in second.content["note"]
    night.see(2, 12.4)
    assert (night.state(), night.kinds()) == ("firing", ["alert", "withdrawn", "alert"])


def undo(night: Night) -> None:
    with night.database.write() as tx:
        night.engine.run_once(tx)
        raise ZeroDivisionError


def test_a_flag_counts_though_the_step_that_took_it_into_account_is_undone(start: Start) -> None:
    night = start()
    *_, fainter = night.see_all([12.5, 12.5, 13.5, 12.5, 13.5])
    night.see(5, 13.5)
    assert night.state() == "resolved"
    night.flag(fainter)
    with pytest.raises(ZeroDivisionError):
        undo(night)
    night.tend()
    assert night.state() == "firing"


@pytest.mark.parametrize("ended", [False, True])
def test_an_alert_whose_point_is_measured_again_as_fainter_is_withdrawn_with_both_numbers(
        start: Start, ended: bool) -> None:
    night = start()
    night.see_all([12.93, 12.88, *([13.6, 13.6] if ended else [])])
    night.see(1, 13.61)
    assert night.kinds() == ["alert", "withdrawn"]
    gone = first(night.database, Alert, Alert.state == "withdrawn")
    assert gone.note == "measured again: mag is 12.930, 13.610, 12.880 when it fired"
    said = first(night.database, Outbox, Outbox.id == 2).content
    assert "R = 13.61" in said["subject"]
    assert "12.880 when it fired" in said["note"]
    night.see(0, 13.55)
    assert night.kinds() == ["alert", "withdrawn"]
    night.see_all([12.5, 12.5], start=10)
    assert (night.state(), night.kinds()) == ("firing", ["alert", "withdrawn", "alert"])


def test_an_alert_whose_points_still_meet_the_condition_is_not_withdrawn(start: Start) -> None:
    night = start()
    night.see_all([12.93, 12.88, 13.6])
    night.see(1, 12.95)
    night.see(2, 13.1)
    assert (night.state(), night.kinds()) == ("firing", ["alert"])


def test_a_flag_of_the_program_withdraws_too(start: Start) -> None:
    night = start()
    first, _ = night.see_all([12.5, 12.4])
    update(night.database, Result, Result.id == first, flags=int(Flag.SATURATED))
    night.tend()
    assert len(rows(night.database, Alert, Alert.state == "withdrawn")) == 1


def test_an_alert_that_goes_on_is_told_again_until_somebody_acknowledges(start: Start) -> None:
    night = start(rule() + "reminder_hours = 2.0\n", channel())
    night.see_all([12.5, 12.4])
    night.tend()
    assert night.kinds() == ["alert"]
    night.clock.advance(2.1 * HOUR)
    night.tend()
    night.tend()
    assert night.kinds() == ["alert", "reminder"]
    with night.database.write() as tx:
        actions.acknowledge(tx, first(night.database, Alert), by="Ana", now=night.clock())
    night.clock.advance(5 * HOUR)
    night.tend()
    assert night.kinds() == ["alert", "reminder"]
    night.see_all([13.5, 13.5], start=10)
    assert night.state() == "resolved"
    assert [(s.state, s.by) for s in rows(night.database, AlertStep)][-2:] == [
        ("acknowledged", "Ana"), ("resolved", "")]


def test_a_snooze_ends_by_itself(start: Start) -> None:
    night = start(rule() + "reminder_hours = 1.0\n", channel())
    night.see_all([12.5, 12.4])
    with night.database.write() as tx:
        actions.snooze(tx, first(night.database, Alert), actions.duration_of("3h"), by="Ana",
                       now=night.clock())
    night.clock.advance(2 * HOUR)
    night.tend()
    assert (night.state(), night.kinds()) == ("snoozed", ["alert"])
    night.clock.advance(1.1 * HOUR)
    night.tend()
    assert (night.state(), night.kinds()) == ("firing", ["alert", "reminder"])


def test_the_end_is_told_where_the_rule_asks_for_it(start: Start) -> None:
    night = start(rule() + "notify_resolved = true\n", channel())
    night.see_all([12.5, 12.4, 13.5, 13.5])
    assert night.kinds() == ["alert", "resolved"]
    assert "Resolved" in first(night.database, Outbox, Outbox.id == 2).content["subject"]


@pytest.mark.parametrize(("of_rule", "of_source"), [("bright", ""), ("", "2200+420"),
                                                    ("bright", "BL Lac")])
def test_what_is_muted_is_recorded_and_not_told_until_the_mute_ends(
        start: Start, of_rule: str, of_source: str) -> None:
    night = start()
    with night.database.write() as tx:
        actions.mute(tx, rule=of_rule, source=of_source, seconds=HOUR, by="Ana", now=night.clock())
    night.see_all([12.5, 12.4])
    assert (night.state(), night.kinds()) == ("firing", [])
    assert first(night.database, Alert).note == "muted"
    night.clock.advance(1.1 * HOUR)
    night.see(2, 12.4)
    assert night.kinds() == ["alert"]


def test_an_old_archive_tells_nobody(start: Start) -> None:
    night = start()
    night.clock.advance(60 * 86400.0)
    night.see_all([12.5, 12.4])
    assert (night.state(), night.kinds()) == ("firing", [])
    assert "older than 48 h" in first(night.database, Alert).note


def test_a_flare_that_began_while_nobody_looked_and_goes_on_is_told(start: Start) -> None:
    night = start()
    night.clock.advance(60 * HOUR)
    night.see_all([12.5, 12.4])
    assert night.kinds() == []
    night.see(59 * 60, 12.4)
    assert night.kinds() == ["alert"]


def test_points_too_far_apart_do_not_confirm_each_other(start: Start) -> None:
    night = start(rule() + "confirm_within_hours = 1.0\n", channel())
    night.see(0, 12.5)
    night.see(90, 12.5)
    assert night.state() == "pending"
    night.see(120, 12.5)
    assert night.state() == "firing"


def test_a_rule_on_a_change_fires_with_what_it_measured(start: Start) -> None:
    flare = rule().replace('"mag < 13.0"', '"change mag < -0.5"').replace(
        '"mag > 13.2"', '"change mag > -0.2"')
    night = start(flare, channel())
    for n in range(12):
        night.see(-1440 * 3 + n, 14.0, night="2025-11-19")
    night.see_all([13.2, 13.1])
    said = first(night.database, Outbox).content
    assert said["measured"] == "change mag = -0.90 mag"
    assert said["subject"].startswith(
        "Firing: BL Lac R change -0.90 mag; R = 13.10 ± 0.02; change mag < -0.5")


def test_a_rule_on_the_polarisation_needs_no_calibrator(start: Start) -> None:
    polarised = rule().replace('"mag < 13.0"', '"p > 15 %"').replace('"mag > 13.2"', '"p < 12 %"')
    night = start(polarised, channel())
    for n in range(2):
        night.see(n, None, flags=int(Flag.NO_CALIBRATORS), p=0.16, p_debiased=0.16, p_err=0.004,
                  chi_deg=33.0, chi_err_deg=1.0)
    assert "p = 16.0 ± 0.4 %" in first(night.database, Outbox).content["subject"]


def test_a_rule_on_a_colour_looks_at_both_bands(start: Start) -> None:
    night = start(rule().replace('"mag < 13.0"', '"colour B-R < 0.6"').replace(
        'clear = "mag > 13.2"', ""), channel())
    for n in range(2):
        night.see(10 * n, 13.9, band="B")
        night.see(10 * n + 1, 13.4, band="R")
    alert = first(night.database, Alert)
    assert (alert.state, alert.band, round(alert.value, 3)) == ("firing", "B-R", 0.5)


@pytest.mark.parametrize("flag", [Flag.UNSTEADY, Flag.CLOUDS, Flag.FEW_CALIBRATORS])
def test_a_steady_rule_wants_comparison_stars_that_keep_still(start: Start, flag: Flag) -> None:
    night = start(rule() + "require_stable_stars = true\n", channel())
    for n in range(3):
        night.see(n, 12.5, flags=int(flag))
    assert len(rows(night.database, Alert)) == 0
    for n in range(3, 6):  # that the catalogue is off by the same in every frame moves nothing
        night.see(n, 12.5, flags=int(Flag.CALIBRATORS_DISAGREE))
    assert night.state() == "firing"


def named(name: str) -> str:
    return rule().replace("bright", name)


def test_rules_that_differ_in_their_thresholds_look_at_the_points_once(
        start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    truly = points._load
    monkeypatch.setattr(points, "_load", lambda db, compiled, *where: (
        read.append(compiled.rule.name) or truly(db, compiled, *where)))
    night = start(*(named(f"below {n}").replace("13.0", f"{n}.0").replace("13.2", f"{n}.2")
                    for n in (12, 13, 14)), named("sure") + "max_err = 0.01\n", channel())
    night.see_all([12.5, 12.5])
    assert read == ["below 12", "sure"] * 2
    assert sorted(row.rule for row in rows(night.database, Alert)) == ["below 13", "below 14"]


def test_a_tag_stands_for_several_sources(start: Start) -> None:
    night = start(rule(source="tag:tev"), channel(),
                  '[[tag]]\nname = "tev"\nsources = ["2200+420", "Mrk 421"]\n')
    night.see_all([12.5, 12.4])
    assert night.state() == "firing"


def test_the_same_points_again_tell_nothing_twice(start: Start) -> None:
    night = start()
    ids = night.see_all([12.5, 12.4])
    for _ in range(3):
        with night.database.write() as tx:
            night.engine.on_results(tx, ids)
        night.tend()
    assert night.kinds() == ["alert"]
    with night.database.write() as tx:
        assert point(tx, 0, 12.5) == ids[0]


@pytest.mark.parametrize("seed", range(8))
def test_points_in_any_order_never_break_a_rule(start: Start, seed: int) -> None:
    """Late points move edges while another episode is pending."""
    pick = random.Random(seed)
    night = start(rule(cooldown=0.0), channel())
    mags = [pick.choice([12.5, 12.9, 13.1, 13.4]) for _ in range(40)]
    for n in pick.sample(range(40), 40):
        night.see(n, mags[n])
        if pick.random() < 0.1:
            night.flag(pick.choice([row.id for row in rows(night.database, Result)]))
        night.tend()
    assert len(rows(night.database, Event, Event.kind == "alert-error")) == 0
    episodes = sorted(row.episode for row in rows(night.database, Alert))
    assert episodes == list(range(1, len(episodes) + 1))
