"""Rules about the system: they fire for what lasts, end when it is over, and are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from iop4d.alerts import actions, system_measures
from iop4d.alerts.compose import notice_of
from iop4d.alerts.system_rules import SystemRules
from iop4d.store.events import emit
from iop4d.store.schema import Alert, AlertStep, Event, Outbox
from tests.alerts.bench import channel, site_of
from tests.alerts.watched_system import DAY, HOUR, Make
from tests.support.rows import first, last, rows


def test_a_full_disk_is_told_once_it_lasts_and_its_end_recorded(system: Make) -> None:
    it = system("disk_free < 5 GB", "notify_resolved = true\n")
    it.beat["disk_free_gb"] = 3.0
    assert it.look(9) == []
    assert it.look(2) == [("iop4d", "firing")]
    it.beat["disk_free_gb"] = 50.0
    assert it.look(12) == [("iop4d", "resolved")]
    assert [row.content["state"] for row in rows(it.database, Outbox)] == [
        "alert", "resolved"]
    said = first(it.database, Outbox).content
    html = notice_of(said, message_id="<1@x>", at=0.0).html
    assert "prefers-color-scheme: dark" in html
    assert "<h1" in html
    assert "Firing: disk has 3.0 GB free; disk_free < 5.0 GB [iop4d #" in said["subject"]
    notice = notice_of(said, message_id="<1@x>", at=0.0)
    for text in (notice.text, notice.html):
        assert "disk_free &lt; 5.0 GB" in text or "disk_free < 5.0 GB" in text
        assert said["tag"] in text


def test_what_comes_and_goes_fires_nothing(system: Make) -> None:
    it = system("disk_free < 5 GB")
    for _ in range(10):
        it.beat["disk_free_gb"] = 3.0
        it.look(5)
        it.beat["disk_free_gb"] = 6.0
        it.look(1)
    assert len(rows(it.database, Alert)) == 0


def test_an_archive_out_of_reach_is_told(system: Make) -> None:
    it = system("unreachable > 30 min")
    it.beat["archives"][0]["state"] = "degraded"
    assert it.look(30) == []
    assert it.look(15) == [("one", "firing")]
    it.beat["archives"][0]["state"] = "ok"
    assert it.look(12) == [("one", "resolved")]


def test_a_rule_fires_while_the_broker_of_triggers_is_unreachable(system: Make) -> None:
    it = system("unreachable > 0 h", 'source = "triggers"\n'
                '[triggers]\ntopics = ["a"]\nservers = "localhost"\n')
    it.beat["triggers"] = {"name": "triggers", "state": "unreachable", "reason": "no such host"}
    assert it.look(30) == [("triggers", "firing")]
    it.beat["triggers"] = {"name": "triggers", "state": "ok", "reason": ""}
    assert it.look(30) == [("triggers", "resolved")]


def test_a_rule_fires_while_the_engine_of_dask_is_unreachable(system: Make) -> None:
    it = system("unreachable > 0 h", 'source = "engine"\n')
    reason = "the Dask scheduler tls://server:8786 is unreachable: connection refused"
    it.beat["engine"] = {"name": "engine", "state": "unreachable", "reason": reason}
    assert it.look(30) == [("engine", "firing")]
    content = first(it.database, Outbox).content
    assert reason in notice_of(content, message_id="<1@a>", at=0.0).text
    it.beat["engine"] = {"name": "engine", "state": "ok", "reason": ""}
    assert it.look(30) == [("engine", "resolved")]


def test_a_new_alert_waits_for_the_cooldown(system: Make) -> None:
    it = system("disk_free < 5 GB", "cooldown_hours = 2\n")
    for gigabytes, minutes in ((3.0, 11), (50.0, 11), (3.0, 60)):
        it.beat["disk_free_gb"] = gigabytes
        it.look(minutes)
    assert len(rows(it.database, Alert)) == 1
    assert it.look(60) == [("iop4d", "resolved"), ("iop4d", "firing")]
    assert [row.episode for row in rows(it.database, Alert)] == [1, 2]


def test_rules_that_fail_are_an_alert_once_a_day(system: Make) -> None:
    it = system("disk_free < 1")
    for unknown, states in ((["BLLaz"], ["firing"]), ([], ["resolved"]), (["BLLaz"], ["resolved"])):
        it.unknown = {"r": unknown}
        assert [state for _, state in it.look(10)] == states
    assert [state for _, state in it.look(24 * 60, every=10)] == ["resolved", "firing"]


def test_a_site_with_a_rule_on_rule_errors_has_no_other(system: Make) -> None:
    it = system("rule_error > 0")
    it.unknown = {"r": ["BLLaz"]}
    it.look(12)
    assert [row.rule for row in rows(it.database, Alert)] == ["r"]


def test_no_reminder_is_sent_while_the_value_is_unknown(system: Make) -> None:
    it = system("disk_free < 5 GB", "reminder_hours = 1\n")
    it.beat["disk_free_gb"] = 3.0
    it.look(12)
    del it.beat["disk_free_gb"]
    it.look(120)
    assert (it.told(), first(it.database, Alert).state) == (["alert"], "firing")
    it.beat["disk_free_gb"] = 3.0
    it.look(1)
    assert it.told() == ["alert", "reminder"]


def test_the_end_of_a_muted_alert_is_not_notified(system: Make) -> None:
    it = system("disk_free < 5 GB", "notify_resolved = true\n")
    with it.database.write() as tx:
        actions.mute(tx, rule="r", source="", seconds=HOUR / 4, by="Ana", now=it.clock())
    it.beat["disk_free_gb"] = 3.0
    it.look(12)
    it.beat["disk_free_gb"] = 5.0
    assert it.look(60) == [("iop4d", "resolved")]
    assert it.told() == []


def test_a_rule_that_cannot_be_judged_is_an_alert_that_no_rule_has_to_ask_for(system: Make) -> None:
    it = system("disk_free < 1")
    with it.database.write() as tx:
        emit(tx, "alert-error", it.clock(), rule="flares", source="BL Lac", band="R",
             reason="a bug")
    assert it.look(1) == [("flares", "firing")]
    subject = first(it.database, Outbox).content["subject"]
    assert subject.startswith("Firing: rule flares cannot be evaluated")


def test_what_fired_while_muted_is_told_when_the_mute_ends(system: Make) -> None:
    it = system("disk_free < 5 GB")
    with it.database.write() as tx:
        actions.mute(tx, rule="r", source="", seconds=2 * HOUR, by="Ana", now=it.clock())
    it.beat["disk_free_gb"] = 3.0
    assert (it.look(60), it.told()) == ([("iop4d", "firing")], [])
    it.look(90)
    assert it.told() == ["alert"]


def test_what_goes_on_is_told_again_and_after_a_snooze(system: Make) -> None:
    it = system("disk_free < 5 GB", "reminder_hours = 1\n")
    it.beat["disk_free_gb"] = 3.0
    it.look(150)
    assert it.told() == ["alert", "reminder", "reminder"]
    with it.database.write() as tx:
        actions.snooze(tx, first(it.database, Alert), 2 * HOUR, by="Ana", now=it.clock())
    it.look(110)
    assert it.told() == ["alert", "reminder", "reminder"]
    it.look(20)
    assert it.told() == ["alert", "reminder", "reminder", "reminder"]
    states = [row.state for row in rows(it.database, AlertStep)]
    assert states == ["firing", "snoozed", "firing"]


def test_what_nobody_judges_any_more_ends(system: Make, tmp_path: Path) -> None:
    it = system("unreachable > 0 h")
    it.beat["archives"] = [{"name": "one", "state": "down", "reason": "no route to host"}]
    assert it.look(30) == [("one", "firing")]
    content = first(it.database, Outbox).content
    assert "no route to host" in notice_of(content, message_id="<1@a>", at=0.0).text
    it.beat["archives"] = []
    assert it.look(20) == [("one", "firing")]
    assert it.look(20) == [("one", "resolved")]
    it.beat["archives"] = [{"name": "two", "state": "down", "reason": "no route to host"}]
    it.look(30)
    site = site_of(tmp_path, channel())
    it.rules = SystemRules(site, it.clock, lambda _: True)
    assert it.look() == [("one", "resolved"), ("two", "resolved")]
    assert last(it.database, AlertStep).note == "the site file has no rule 'r' any more"


def test_a_disabled_rule_about_the_system_fires_nothing(system: Make, tmp_path: Path) -> None:
    it = system("unreachable > 0 h")
    it.beat["archives"] = [{"name": "one", "state": "down", "reason": "no route to host"}]
    assert it.look(30) == [("one", "firing")]
    disabled = '[[rule]]\nname = "r"\ncondition = "unreachable > 0 h"\nenabled = false\n'
    it.rules = SystemRules(site_of(tmp_path, disabled, channel()), it.clock, lambda _: True)
    assert it.look() == [("one", "resolved")]
    assert last(it.database, AlertStep).note == "the rule 'r' is disabled"
    assert it.look(30) == [("one", "resolved")]


def test_a_rule_on_a_source_that_nobody_knows_is_told_until_somebody_does(system: Make) -> None:
    it = system("rule_error > 0", "cooldown_hours = 0\n")
    it.unknown = {"r": ["BLLaz"]}
    assert it.look(12) == [("r", "firing")]
    said = notice_of(first(it.database, Outbox).content, message_id="<1@a>", at=0.0).text
    assert "not in the catalogue: BLLaz" in said
    it.unknown = {}
    assert it.look(12) == [("r", "resolved")]


def test_a_vital_that_fails_leaves_the_others(system: Make,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_state: object, _window: float) -> dict[str, float]:
        raise ZeroDivisionError

    it = system("disk_free < 5 GB", '[[rule]]\nname = "s"\ncondition = "backlog > 5"\n'
                'channels = ["team"]\n')
    monkeypatch.setitem(system_measures.MEASURES, "backlog", fails)
    it.beat["disk_free_gb"] = 3.0
    assert ("iop4d", "firing") in it.look(30)
    assert first(it.database, Event, Event.kind == "alert-error").content["rule"] == "s"


def test_a_trouble_after_one_of_a_clock_that_was_ahead_is_told(system: Make) -> None:
    it = system("unreachable > 30 min", "cooldown_hours = 0\n")
    it.clock.advance(DAY)
    it.beat["archives"][0]["state"] = "degraded"
    it.look(45)
    it.clock.advance(-DAY)
    it.beat["archives"][0]["state"] = "ok"
    assert it.look(12) == [("one", "resolved")]
    it.beat["archives"][0]["state"] = "degraded"
    assert it.look(45)[-1] == ("one", "firing")


def test_a_trouble_that_lasts_while_the_clock_is_set_back_is_told(system: Make) -> None:
    it = system("unreachable > 30 min")
    it.beat["archives"][0]["state"] = "degraded"
    it.look(20)
    it.clock.advance(-DAY)
    assert it.look(45) == [("one", "firing")]
