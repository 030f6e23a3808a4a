"""What people are told: the number that was judged, and what became of it."""

from __future__ import annotations

import pytest

from iop4d.alerts import actions, points, subject_line
from iop4d.alerts.compose import notice_of
from iop4d.alerts.rules import CompiledRule
from iop4d.model.flags import Flag
from iop4d.store.database import Transaction
from iop4d.store.schema import Alert, AlertStep, Event, Outbox
from tests.alerts.bench import (
    COLOUR,
    JD,
    Night,
    Start,
    changed,
    channel,
    rule,
    site_of,
)
from tests.support.rows import first, last, rows

HOUR = 3600.0


def told(night: Night) -> tuple[str, str]:
    """Subject and text of the last message."""
    row = last(night.database, Outbox)
    notice = notice_of(row.content, message_id="<1@example.org>", at=0.0)
    for part in row.content["judged"].split(", "):
        assert part in notice.html
    assert notice.text.startswith(row.content["head"])
    return subject_line.body_of(notice.subject), notice.text


def test_a_colour_is_told_as_a_colour_and_its_bands_as_they_are(start: Start) -> None:
    night = start(COLOUR, channel())
    night.see(0, 13.4, band="B")
    night.see(5, 13.0, band="R")
    subject, text = told(night)
    assert subject == "Firing: BL Lac B-R = 0.400 ± 0.028 mag; colour B-R < 0.6"
    assert "B = 13.400 ± 0.020 mag; B-R = 0.400 ± 0.028 mag" in text


def test_without_the_host_is_told_with_the_number_that_was_judged(start: Start) -> None:
    night = start(rule(confirm=1) + 'host_galaxy = "corrected"\n', channel())
    night.see(0, 12.5, mag_nucleus=12.9, mag_nucleus_err=0.03)
    subject, text = told(night)
    assert subject == "Firing: BL Lac R = 12.90 ± 0.03 without the host; mag < 13.0"
    assert "R = 12.500 ± 0.020 mag; 12.900 ± 0.030 mag without the host" in text
    # The plot shows what is in the results.
    assert first(night.database, Outbox).content["threshold"] is None


def test_a_known_host_is_left_out_without_being_asked_for(start: Start) -> None:
    night = start(rule(confirm=1), channel())
    night.see(0, 12.5, mag_nucleus=12.9, mag_nucleus_err=0.03, host_mjy=5.0)
    assert told(night)[0] == "Firing: BL Lac R = 12.90 ± 0.03 without the host; mag < 13.0"


def test_a_degree_of_polarisation_without_the_host_has_its_own_error(start: Start) -> None:
    night = start(changed("p > 10 %", 'host_galaxy = "corrected"\n', "p < 8 %"), channel())
    for n in range(2):
        night.see(n, 12.5, p=0.08, p_debiased=0.08, p_err=0.004, p_nucleus=0.12,
                  p_nucleus_err=0.02, chi_deg=10.0, chi_err_deg=1.0)
    subject, text = told(night)
    assert subject == "Firing: BL Lac R p = 12.0 ± 2.0 % without the host; p > 10.0 %"
    assert "p = 12.0 ± 2.0 % without the host" in text


def test_the_end_tells_what_ended_it(start: Start) -> None:
    night = start(rule() + "notify_resolved = true\n", channel())
    night.see_all([12.5, 12.5, 13.5, 13.6])
    subject, text = told(night)
    assert subject == "Resolved: BL Lac R = 13.60 ± 0.02; mag < 13.0"
    assert 'Rule "bright" (mag < 13.0) resolved at 2025-11-21 00:03:00 UTC: mag > 13.2.' in text
    assert "The alert is resolved when" not in text


def test_again_tells_the_newest_point(start: Start) -> None:
    night = start(rule() + "reminder_hours = 2.0\n", channel())
    night.see_all([12.5, 12.5, 12.4])
    night.clock.advance(3 * HOUR)
    night.tend()
    subject, text = told(night)
    assert subject == "Active: BL Lac R = 12.40 ± 0.02; mag < 13.0"
    assert "as of 2025-11-21 00:02:00 UTC" in text


@pytest.mark.parametrize("which", ['source = "tag:all"', 'sources = ["3C 345", "BL Lac"]'])
def test_a_rule_on_several_sources_names_the_one(start: Start, which: str) -> None:
    night = start(rule().replace('source = "BL Lac"', which), channel(),
                  '[[tag]]\nname = "all"\nsources = ["BL Lac", "3C 345"]\n')
    night.see_all([12.5, 12.5])
    assert told(night)[0].startswith("Firing: 2200+420 R = 12.50")


def test_what_was_told_is_withdrawn_however_old_it_is(start: Start) -> None:
    night = start()
    flagged, _ = night.see_all([12.5, 12.4])
    night.clock.advance(72 * HOUR)
    night.flag(flagged, "trailed")
    night.tend()
    assert night.kinds() == ["alert", "withdrawn"]
    withdrawn = first(night.database, Alert, Alert.state == "withdrawn")
    assert withdrawn.note == "BLLac_0R.fit is flagged trailed"


def test_a_snooze_that_ends_while_it_goes_on_is_told_once(start: Start) -> None:
    night = start()
    night.see_all([12.5, 12.4])
    with night.database.write() as tx:
        actions.snooze(tx, first(night.database, Alert), HOUR, by="Ana", now=night.clock())
    for _ in range(4):
        night.clock.advance(0.6 * HOUR)
        night.tend()
    assert (night.state(), night.kinds()) == ("firing", ["alert", "reminder"])


def test_flags_on_the_points_that_ended_it_let_it_go_on(start: Start) -> None:
    night = start()
    ids = night.see_all([12.5, 12.5, 13.5, 13.5])
    assert night.state() == "resolved"
    night.flag(ids[3])
    night.tend()
    assert (night.state(), night.kinds()) == ("firing", ["alert"])
    assert first(night.database, Alert).resolved_jd is None
    assert last(night.database, AlertStep).note == (
        "a point that ended it is flagged")
    night.see(10, 13.5)
    assert night.episodes() == [("resolved", 0.0 + 1, 10.0)]


def test_a_flag_on_a_pending_point_ends_the_waiting(start: Start) -> None:
    night = start()
    first = night.see(0, 12.5)
    night.flag(first)
    night.tend()
    assert night.state() == "inactive"
    night.see(1, 12.5)
    assert (night.state(), night.kinds()) == ("pending", [])


def test_a_flag_on_the_other_band_withdraws_a_colour(start: Start) -> None:
    night = start(COLOUR, channel())
    night.see(0, 13.4, band="B")
    night.flag(night.see(5, 13.0, band="R"))
    night.tend()
    assert (night.state(), night.kinds()) == ("withdrawn", ["alert", "withdrawn"])
    assert first(night.database, Alert).note == "its point in R is flagged"


def test_a_colour_stays_whatever_number_of_points_came_after_it(
        start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(points, "_MOST_PAST", 3)
    night = start(COLOUR, channel())
    for n in range(0, 3000, 600):
        night.see(n, 13.4, band="B")
        night.see(n + 5, 13.0, band="R")
    night.tend()
    assert (night.state(), night.kinds()) == ("firing", ["alert"])


BOTH = changed("p > 15 % and mag < 13").replace("confirm = 2", "confirm = 1")
POLARISED = {"p": 0.2, "p_debiased": 0.2, "p_err": 0.005, "chi_deg": 30.0, "chi_err_deg": 1.0,
             "flags": int(Flag.NO_CALIBRATORS)}


def test_a_flag_on_the_point_beside_withdraws_a_combined_condition(start: Start) -> None:
    night = start(BOTH, channel())
    night.see(0, 12.5)
    beside = night.see(5, None, **POLARISED)
    assert night.kinds() == ["alert"]
    night.flag(beside, "trail")
    night.tend()
    assert (night.state(), night.kinds()) == ("withdrawn", ["alert", "withdrawn"])
    assert first(night.database, Alert).note == "BLLac_5R.fit is flagged trail"


def test_a_point_beside_that_is_measured_again_withdraws_a_combined_condition(
        start: Start) -> None:
    night = start(BOTH, channel())
    night.see(0, 12.5)
    night.see(5, None, **POLARISED)
    night.see(5, None, **POLARISED | {"p": 0.1, "p_debiased": 0.1})
    assert (night.state(), night.kinds()) == ("withdrawn", ["alert", "withdrawn"])


@pytest.mark.parametrize("how", ["flagged", "measured again"])
def test_a_point_that_confirmed_the_one_beside_withdraws_a_combined_condition(
        start: Start, how: str) -> None:
    night = start(changed("p > 15 % and mag < 13"), channel())
    first_of_p = night.see(-90, None, **POLARISED)
    night.see(0, None, **POLARISED)
    night.see_all([12.5, 12.5], start=5)
    assert night.kinds() == ["alert"]
    if how == "flagged":
        night.flag(first_of_p, "trail")
    else:
        night.see(-90, None, **POLARISED | {"p": 0.1, "p_debiased": 0.1})
    night.tend()
    assert (night.state(), night.kinds()) == ("withdrawn", ["alert", "withdrawn"])


def test_a_point_beside_that_comes_later_withdraws_no_combined_condition(start: Start) -> None:
    night = start(BOTH, channel())
    night.see(0, 12.5)
    night.see(5, None, **POLARISED)
    night.see(-3, None, created_at=night.clock() + 60.0,
              **POLARISED | {"p": 0.1, "p_debiased": 0.1})
    night.tend()
    assert "withdrawn" not in night.kinds()


def test_a_flag_on_the_other_band_of_the_end_lets_a_colour_go_on(start: Start) -> None:
    """The colour stands at the time of its first band; the flagged point is a little later."""
    night = start(COLOUR, channel())
    night.see(0, 13.4, band="B")
    night.see(5, 13.0, band="R")
    night.see(60, 14.0, band="B")
    ended_by = night.see(65, 13.0, band="R")
    assert night.state() == "resolved"
    night.flag(ended_by)
    night.tend()
    assert night.state() == "firing"


@pytest.mark.parametrize("confirm", [1, 2])
def test_a_flag_that_is_removed_again_lets_the_same_points_fire(start: Start,
                                                                confirm: int) -> None:
    night = start(rule(confirm=confirm), channel())
    last = night.see_all([12.5] * confirm)[-1]
    night.flag(last)
    night.tend()
    assert [state for state, _, _ in night.episodes()] == ["withdrawn"]
    night.unflag(last)
    night.tend()
    assert [(state, fired) for state, fired, _ in night.episodes()] == [
        ("withdrawn", confirm - 1.0), ("firing", confirm - 1.0)]


def test_nobody_is_notified_of_the_withdrawal_of_what_nobody_was_notified_of(
        start: Start) -> None:
    night = start()
    night.clock.advance(60 * 24 * HOUR)
    first, _ = night.see_all([12.5, 12.5])
    night.flag(first)
    night.tend()
    assert [state for state, _, _ in night.episodes()] == ["withdrawn"]
    assert night.kinds() == []


def test_nobody_is_notified_of_the_end_of_what_nobody_was_notified_of(start: Start) -> None:
    night = start(rule() + "notify_resolved = true\n", channel())
    with night.database.write() as tx:
        actions.mute(tx, rule="bright", source="", seconds=HOUR, by="Ana", now=night.clock())
    night.see_all([12.5, 12.5])
    night.clock.advance(2 * HOUR)
    night.see_all([13.5, 13.5], start=2)
    assert (night.state(), night.kinds()) == ("resolved", [])


def test_no_reminder_is_sent_where_the_newest_point_does_not_meet_the_condition(
        start: Start) -> None:
    night = start(rule() + "reminder_hours = 1.0\n", channel())
    night.see_all([12.5, 12.5, 13.1])
    night.clock.advance(2 * HOUR)
    night.tend()
    assert (night.state(), night.kinds()) == ("firing", ["alert"])
    night.see(3, 12.9)
    night.tend()
    assert night.kinds() == ["alert", "reminder"]


def test_what_was_muted_is_notified_late_only_while_it_meets_the_condition(start: Start) -> None:
    night = start()
    with night.database.write() as tx:
        actions.mute(tx, rule="bright", source="", seconds=HOUR, by="Ana", now=night.clock())
    night.see_all([12.5, 12.5])
    night.clock.advance(2 * HOUR)
    night.see(2, 13.1)
    assert night.kinds() == []
    night.see(3, 12.9)
    assert night.kinds() == ["alert"]


def test_a_withdrawn_alert_has_no_cooldown(start: Start) -> None:
    night = start(rule(cooldown=12.0), channel())
    first, _ = night.see_all([12.5, 12.5])
    night.flag(first)
    night.tend()
    night.see(2, 12.5)
    assert [(state, fired) for state, fired, _ in night.episodes()] == [
        ("withdrawn", 1.0), ("firing", 2.0)]


def test_an_old_end_is_not_looked_for_again_where_a_later_episode_began(start: Start) -> None:
    night = start(rule(cooldown=0.0), channel())
    ids = night.see_all([12.5, 12.5, 13.5, 13.5, 12.5, 12.5])
    night.flag(ids[3])
    night.tend()
    assert night.episodes() == [("resolved", 1.0, 3.0), ("firing", 5.0, None)]


def test_an_end_is_looked_for_again_though_another_band_has_later_episodes(start: Start) -> None:
    night = start(rule(cooldown=0.0).replace('band = "R"', 'band = "*"'), channel())
    ended_by = night.see_all([12.5, 12.5, 13.5, 13.5])[-1]
    for n, mag in enumerate((12.5, 12.5, 13.5, 13.5, 12.5, 12.5)):
        night.see(n, mag, band="V")
    night.flag(ended_by)
    night.tend()
    assert {(row.band, row.episode): row.state for row in rows(night.database, Alert)} == {
        ("R", 1): "firing", ("V", 1): "resolved", ("V", 2): "firing"}


def test_alerts_of_the_system_are_not_looked_after_by_points(start: Start) -> None:
    night = start(rule(source="*").replace('"mag < 13.0"', '"disk_free < 5 GB"').replace(
        'clear = "mag > 13.2"', "").replace("confirm = 2", ""), channel())
    with night.database.write() as tx:
        alert = tx.create(Alert, rule="bright", source="iop4d", band="", episode=1,
                          state="firing", condition="disk_free < 5.0 GB", fired_jd=JD,
                          fired_at=night.clock())
        actions.snooze(tx, alert, HOUR, by="Ana", now=night.clock())
    night.clock.advance(2 * HOUR)
    night.tend()
    assert night.state() == "snoozed"
    assert len(rows(night.database, Event, Event.kind == "alert-error")) == 0


def test_an_alert_whose_rule_is_gone_ends(start: Start) -> None:
    night = start()
    night.see_all([12.5, 12.4])
    site = site_of(night.root, rule().replace('"bright"', '"other"'), channel())
    later = Night(site, night.clock)
    later.tend()
    assert first(night.database, Alert, Alert.rule == "bright").state == "resolved"
    assert last(night.database, AlertStep).note == "the site file has no rule 'bright' any more"
    later.database.close()


def test_a_disabled_rule_is_not_evaluated_and_its_alerts_end(start: Start) -> None:
    night = start()
    night.see_all([12.5, 12.4])
    later = Night(site_of(night.root, rule() + "enabled = false\n", channel()), night.clock)
    later.tend()
    assert last(night.database, AlertStep).note == "the rule 'bright' is disabled"
    later.see_all([13.5, 13.5, 12.5, 12.4], start=2000)
    assert [alert.state for alert in rows(night.database, Alert)] == ["resolved"]
    assert later.engine.compiled("bright") is None
    later.database.close()


def test_an_alert_ends_whose_rule_is_about_the_system_now(start: Start) -> None:
    night = start()
    night.see_all([12.5, 12.4])
    with night.database.write() as tx:
        actions.snooze(tx, first(night.database, Alert), HOUR, by="Ana", now=night.clock())
    night.clock.advance(2 * HOUR)
    later = Night(site_of(night.root, '[[rule]]\nname = "bright"\ncondition = "backlog > 5"\n'
                          'channels = ["team"]\n', channel()), night.clock)
    later.tend()
    assert night.state() == "resolved"
    assert len(rows(night.database, Event, Event.kind == "alert-error")) == 0
    later.database.close()


def test_one_alert_that_cannot_be_looked_after_costs_no_other(
        start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    night = start(rule(), rule().replace('"bright"', '"broken"'), channel())
    night.see_all([12.5, 12.4])
    for alert in rows(night.database, Alert):
        with night.database.write() as tx:
            actions.snooze(tx, alert, HOUR, by="Ana", now=night.clock())
    night.clock.advance(2 * HOUR)
    truly = night.engine._remind

    def fails(tx: Transaction, compiled: CompiledRule, alert: Alert) -> None:
        if alert.rule == "broken":
            raise ZeroDivisionError
        truly(tx, compiled, alert)

    monkeypatch.setattr(night.engine, "_remind", fails)
    night.tend()
    assert {row.rule: row.state for row in rows(night.database, Alert)} == {
        "bright": "firing", "broken": "snoozed"}
    assert len(rows(night.database, Event, Event.kind == "alert-error")) == 1
