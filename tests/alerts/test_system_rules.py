"""Rules about the system: they fire for what lasts, end when it is over, and are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts import actions, system_rules
from iop4d.alerts.compose import notice_of
from iop4d.alerts.system_rules import SystemRules, SystemState
from iop4d.archives.nights import any_observes
from iop4d.model.units import jd_of_unix
from iop4d.store import catalogue
from iop4d.store.catalogue_csv import builtin, parse
from iop4d.store.database import Database, Transaction
from iop4d.store.events import emit
from iop4d.store.schema import Alert, AlertStep, Event, Frame, Job, Outbox, Result
from tests.alerts.bench import channel, point, site_of
from tests.conftest import FakeClock
from tests.support.rows import first, last, rows, update

ARCHIVE = '[[archive]]\nname = "one"\npath = "raw"\ntelescope = "OSN-T090"\n'
HOUR = 3600.0
DAY = 24 * HOUR


class System:
    """A site whose state is told."""

    def __init__(self, root: Path, condition: str, more: str = "") -> None:
        self.clock = FakeClock()
        site = site_of(root, ARCHIVE, f'[[rule]]\nname = "r"\ncondition = "{condition}"\n'
                       f'hold_minutes = 10\nchannels = ["team"]\n{more}', channel())
        self.database = Database(site.database)
        self.night = True
        self.unknown: dict[str, list[str]] = {}
        self.rules = SystemRules(site, self.clock, lambda _: self.night, lambda _: self.unknown)
        self.beat: dict[str, Any] = {"disk_free_gb": 100.0, "archives": [
            {"name": "one", "state": "ok"}]}

    def look(self, minutes: float = 0.0, *, every: int = 1) -> list[tuple[str, str]]:
        """Look every so many minutes for so long; the alerts."""
        for _ in range(int(minutes) // every + 1):
            with self.database.write() as tx:
                self.rules.run_once(tx, self.beat)
            self.clock.advance(60.0 * every)
        return [(row.source, row.state) for row in rows(self.database, Alert)]

    def told(self) -> list[str]:
        return [row.content["state"] for row in rows(self.database, Outbox)]


Make = Callable[..., System]


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Make]:
    made: list[System] = []

    def make(condition: str, more: str = "") -> System:
        made.append(System(tmp_path, condition, more))
        return made[-1]

    yield make
    for one in made:
        one.database.close()


def frame(tx: Transaction, now: float, **columns: Any) -> Frame:
    return tx.create(Frame, **{
        "archive": "one", "path": f"/x/{now}", "name": "x.fit", "size": 1, "mtime_ns": 1,
        "state": "done", "telescope": "OSN-T090", "kind": "science", "completed_at": now,
        "seen_at": now, "changed_at": now, **columns})


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


def test_a_telescope_that_is_silent_by_night_is_told_and_by_day_is_not(system: Make) -> None:
    it = system("silent > 2 h")
    with it.database.write() as tx:
        frame(tx, it.clock() - HOUR)
    it.night = False
    assert it.look(300, every=5) == []
    it.night = True
    assert it.look(120, every=5) == []  # the night has only begun
    assert it.look(12) == [("OSN-T090", "firing")]
    with it.database.write() as tx:
        frame(tx, it.clock())
    assert it.look(12) == [("OSN-T090", "resolved")]


def test_a_telescope_that_was_silent_all_night_has_no_new_frames_in_the_morning(
        system: Make) -> None:
    it = system("silent > 2 h", "notify_resolved = true\ncooldown_hours = 0\n")
    with it.database.write() as tx:
        frame(tx, it.clock() - HOUR)
    assert it.look(150, every=5) == [("OSN-T090", "firing")]
    it.night = False
    assert it.look(12) == [("OSN-T090", "resolved")]
    assert last(it.database, Outbox).content["head"] == (
        "Resolved: OSN-T090 sent no frame: the night is over")
    assert last(it.database, Alert).note == "no frame came: the night is over"
    it.night = True
    assert it.look(150, every=5)[-1] == ("OSN-T090", "firing")
    with it.database.write() as tx:
        frame(tx, it.clock())
    assert it.look(12)[-1] == ("OSN-T090", "resolved")
    assert last(it.database, Outbox).content["head"] == (
        "Resolved: OSN-T090 has new frames again")


def test_an_archive_without_a_telescope_is_silent_by_itself(system: Make) -> None:
    it = system("silent > 2 h", '[[archive]]\nname = "plain"\npath = "plain"\n')
    for minutes, found in ((75, []), (75, [("plain", "firing")])):
        with it.database.write() as tx:
            frame(tx, it.clock())  # of the other archive
        assert it.look(minutes) == found
    with it.database.write() as tx:
        frame(tx, it.clock() + 1.0, archive="plain", telescope="")
    assert it.look(12) == [("plain", "resolved")]


def test_an_archive_without_a_telescope_is_expected_in_its_own_hours(tmp_path: Path) -> None:
    site = site_of(tmp_path, ARCHIVE, '[[archive]]\nname = "plain"\npath = "plain"\n'
                   'observing_hours = "20:00-04:00"\n')
    assert not any_observes(site.archive, {}, "plain", 12 * HOUR)
    assert any_observes(site.archive, {}, "plain", 21 * HOUR)


def test_an_archive_out_of_reach_is_told(system: Make) -> None:
    it = system("unreachable > 30 min")
    it.beat["archives"][0]["state"] = "degraded"
    assert it.look(30) == []
    assert it.look(15) == [("one", "firing")]
    it.beat["archives"][0]["state"] = "ok"
    assert it.look(12) == [("one", "resolved")]


def test_frames_that_fail_and_fields_that_are_not_recognised_are_counted(system: Make) -> None:
    it = system("failed > 2", "window_days = 0.5\n")
    with it.database.write() as tx:
        for n in range(3):
            frame(tx, it.clock() + n, state="failed", reason="solve: no match")
        for n in range(3, 7):
            frame(tx, it.clock() + n)
        frame(tx, it.clock() - 86400.0, state="quarantined")
        look = SystemState(db=tx, site=it.rules._site, now=it.clock() + 10, beat=it.beat,
                           observes=lambda _: True)
        assert system_rules.failed(look, 0.5) == {"iop4d": 3.0}
        assert system_rules.unsolved(look, 0.5)["OSN-T090"] == pytest.approx(300 / 7)
    assert it.look(12) == [("iop4d", "firing")]


def test_a_zero_point_that_drops_means_clouds(system: Make) -> None:
    it = system("clouds > 0.5 mag", "window_days = 1\n")
    with it.database.write() as tx:
        for n, zero in enumerate((22.0, 22.05, 21.3)):
            point(tx, n, 13.0, zero_point=zero, created_at=it.clock() + n)
        point(tx, 9, 13.0, zero_point=19.0, band="B", created_at=it.clock())
    assert it.look(12) == [("T090", "firing")]
    update(it.database, Result, zero_point=22.0)
    assert it.look(12) == [("T090", "resolved")]


def measured(it: System, quantity: str, window: float = 1.0, **more: Any) -> dict[str, float]:
    """What a rule about the system is compared with now."""
    with it.database.read() as db:
        state = SystemState(db=db, site=it.rules._site, now=it.clock(), beat=it.beat, **{
            "observes": lambda _: True, **more})
        return system_rules.MEASURES[quantity](state, window)


@pytest.mark.parametrize(("count", "share"), [(4, None), (5, 40.0)])
def test_of_few_frames_no_share_is_a_measure(system: Make, count: int,
                                             share: float | None) -> None:
    it = system("unsolved > 30 %")
    with it.database.write() as tx:
        for n in range(count):
            frame(tx, it.clock() - n, **({"state": "failed", "reason": "solve: no match"} if n < 2
                                     else {}))
        for n in range(9):
            frame(tx, it.clock() - 100 - n, kind="flat")
            frame(tx, it.clock() - 200 - n, state="queued")
            frame(tx, it.clock() - 86401 - n)
    assert measured(it, "unsolved").get("OSN-T090") == share


def test_only_what_failed_within_the_window_is_counted(system: Make) -> None:
    it = system("failed > 2")
    with it.database.write() as tx:
        for n, fate in enumerate(("failed", "quarantined", "rejected", "done", "waiting")):
            frame(tx, it.clock() - 1 - n, state=fate)
        frame(tx, it.clock() - 86401, state="failed")
    assert measured(it, "failed") == {"iop4d": 2.0}


@pytest.mark.parametrize(("hours", "below"), [(5.99, 0.7), (6.01, None)])
def test_a_zero_point_of_hours_ago_says_nothing_of_the_sky(system: Make, hours: float,
                                                           below: float | None) -> None:
    it = system("clouds > 0.5 mag")
    with it.database.write() as tx:
        for n, zero in enumerate((22.0, 21.3)):
            point(tx, n, 13.0, zero_point=zero, created_at=it.clock() - 3600 * hours)
    assert measured(it, "clouds").get("T090") == (
        below if below is None else pytest.approx(below))


@pytest.mark.parametrize("other", [{"band": "V"}, {"exptime_s": 10.0}, {"instrument": "DIPOL"},
                                   {"telescope": "T150"}])
def test_zero_points_of_unlike_frames_are_not_compared(system: Make,
                                                       other: dict[str, Any]) -> None:
    it = system("clouds > 0.5 mag")
    with it.database.write() as tx:
        point(tx, 0, 13.0, zero_point=24.0, created_at=it.clock(), **other)
        point(tx, 1, 13.0, zero_point=22.0, created_at=it.clock())
        point(tx, 2, 13.0, zero_point=23.0, created_at=it.clock() - 86401.0)
        point(tx, 3, None, zero_point=None, created_at=it.clock())
    assert measured(it, "clouds")["T090"] == 0.0


@pytest.mark.parametrize(("archive", "hours"), [("ok", 0.0), ("starting", 0.0), ("paused", 0.0),
                                                ("degraded", 2.0), ("down", 2.0)])
def test_an_archive_is_unreachable_for_as_long_as_it_is_not_in_order(
        system: Make, archive: str, hours: float) -> None:
    it = system("unreachable > 1 h")
    it.beat["archives"][0]["state"] = archive
    since: dict[tuple[str, str], float] = {}
    measured(it, "unreachable", since=since)
    it.clock.advance(2 * HOUR)
    assert measured(it, "unreachable", since=since) == {"one": hours}


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


def test_other_nodes_are_watched_by_their_heartbeats(system: Make) -> None:
    """One that is silent is unreachable, one that was stopped is not; archives, disks and jobs of
    those that are seen count as this one's."""
    it = system("unreachable > 1 h")
    now = it.clock()
    seen = {"state": "running", "disk_free_gb": 3.0, "senders": {"T220": ["", True]},
            "archives": [{"name": "two", "state": "unreachable", "reason": "refused"}]}
    others = {"calar": seen | {"beat_at": now - 2.0}, "gone": seen | {"beat_at": now - 60.0},
              "off": {"state": "stopped", "beat_at": now - 1e6}}
    since = dict.fromkeys((("bad", name) for name in ("two", "gone")), now - 2 * HOUR)
    assert measured(it, "unreachable", others=others, since=since) == {
        "one": 0.0, "two": 2.0, "calar": 0.0, "gone": 2.0, "off": 0.0}
    with it.database.read() as db:
        state = SystemState(db=db, site=it.rules._site, now=now, beat=it.beat, others=others,
                            observes=lambda _: False)
        assert system_rules.why(state, "unreachable", "gone").startswith("no heartbeat since")
        assert system_rules.why(state, "unreachable", "two") == "refused"
    assert measured(it, "disk_free", others=others) == {"iop4d": 100.0, "calar": 3.0}
    assert measured(it, "backlog", others=others) == dict.fromkeys(
        ("iop4d", "calar", "gone", "off"), 0.0)
    assert measured(it, "silent", others=others, observes=lambda _: False, since={
        ("observes", "T220"): now - 3 * HOUR}) == {"OSN-T090": 0.0, "T220": 3.0}


def test_a_telescope_is_silent_for_the_shorter_of_its_night_and_its_silence(system: Make) -> None:
    it = system("silent > 2 h")
    since = {("observes", "OSN-T090"): it.clock() - 3 * HOUR}
    assert measured(it, "silent", since=dict(since)) == {"OSN-T090": 3.0}  # no frame ever
    with it.database.write() as tx:
        frame(tx, it.clock() - HOUR)
    assert measured(it, "silent", since=dict(since)) == {"OSN-T090": 1.0}
    assert measured(it, "silent", since=dict(since), observes=lambda _: False) == {
        "OSN-T090": 0.0}


def test_jobs_that_may_run_now_are_the_backlog(system: Make) -> None:
    it = system("backlog > 100")
    with it.database.write() as tx:
        for n, (state, wait) in enumerate((("queued", 0), ("queued", 60), ("running", 0),
                                           ("waiting", 0))):
            tx.create(Job, kind="reduce", key=n, priority=1, state=state, changed_at=0.0,
                       not_before=it.clock() + wait)
    assert measured(it, "backlog") == {"iop4d": 1.0}


def test_errors_of_a_rule_are_counted_with_the_sources_that_it_cannot_find(system: Make) -> None:
    it = system("rule_error > 0")
    with it.database.write() as tx:
        for age in (0.0, 10.0, 86401.0):
            emit(tx, "alert-error", it.clock() - age, rule="flares", reason=f"{age}")
        emit(tx, "alert", it.clock(), rule="flares")
    assert measured(it, "rule_error", unknown={"r": ["BLLaz", "3C 34"]}) == {
        "flares": 2.0, "r": 2.0}


def test_nothing_is_made_of_a_disk_of_which_nothing_is_known(system: Make) -> None:
    it = system("disk_free < 5 GB")
    it.beat.pop("disk_free_gb")
    assert it.look(30) == []


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


def test_a_backlog_and_messages_that_do_not_go_out_are_told(system: Make) -> None:
    it = system("backlog > 100")
    with it.database.write() as tx:
        tx.insert_many(Job, [{"kind": "reduce", "key": n, "priority": 1, "state": "queued",
                          "changed_at": 0.0} for n in range(101)])
        tx.create(Outbox, dedup_key="1", channel="team", recipient="a", message_id="<1>",
                  content={}, state="queued", last_error="no connection",
                  created_at=it.clock() - HOUR)
        look = SystemState(db=tx, site=it.rules._site, now=it.clock(), beat=it.beat,
                           observes=lambda _: True)
        assert system_rules.undelivered(look, 1.0) == {"team": 1.0}
    assert it.look(12) == [("iop4d", "firing")]


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


def test_a_rule_may_watch_one_telescope(system: Make) -> None:
    it = system("silent > 1 h", 'source = "CAHA-T220"\n')
    assert it.look(200, every=5) == []
    it = system("silent > 1 h", 'source = "OSN-T090"\n')
    assert it.look(200, every=5) == [("OSN-T090", "firing")]


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
    monkeypatch.setitem(system_rules.MEASURES, "backlog", fails)
    it.beat["disk_free_gb"] = 3.0
    assert ("iop4d", "firing") in it.look(30)
    assert first(it.database, Event, Event.kind == "alert-error").content["rule"] == "s"


def test_every_quantity_of_the_system_is_measured() -> None:
    from iop4d.alerts.conditions import SYSTEM

    assert set(system_rules.MEASURES) == set(SYSTEM)


def test_a_standard_that_is_off_the_literature_is_told(system: Make) -> None:
    watched = system("standard_off > 3 sigma", "window_days = 3")
    now = jd_of_unix(watched.clock())
    with watched.database.write() as tx:
        catalogue.save(tx, parse(builtin("standards")))
        star = catalogue.find(tx, "HD 25443")
        for n, turned in enumerate((9.0, 1.0)):  # the newest one counts
            point(tx, n, 9.0, source=star.name, instrument=f"I{n}", jd_mid=now - 0.1, p=star.p,
                  p_debiased=star.p, p_err=0.001, chi_deg=star.chi_deg + turned, chi_err_deg=1.0)
    assert watched.look(15) == [("I0", "firing")]


def at(hour: float) -> float:
    """A moment of the evening of 2026-11-22, UTC."""
    return 1795305600.0 + 3600.0 * hour


def test_no_data_by_an_hour_is_told_at_that_hour(system: Make) -> None:
    it = system("no data by 22:00", "notify_resolved = true\n")
    it.clock.now = at(21.5)
    with it.database.write() as tx:
        frame(tx, at(-3.0))  # of the night before
        frame(tx, at(21.0), path="flat", kind="flat")
    assert it.look(25) == []
    assert it.look(25) == [("OSN-T090", "firing")]
    assert "no data tonight" in last(it.database, Outbox).content["subject"]
    assert "not known" in last(it.database, Outbox).content["note"]
    with it.database.write() as tx:
        frame(tx, it.clock(), path="science")
    assert it.look(15) == [("OSN-T090", "resolved")]


@pytest.mark.parametrize(("why", "said"), [
    ("data", "Resolved: OSN-T090 has data"), ("late", "Resolved: OSN-T090 has data"),
    ("day", "Resolved: OSN-T090 sent no frame: the night is over"),
    ("clouds", "Resolved: OSN-T090 sent no frame: other telescopes see clouds")])
def test_no_data_ends_with_what_ended_it(system: Make, why: str, said: str) -> None:
    it = system("no data by 22:00", "notify_resolved = true\n")
    it.clock.now = at(22.5)
    assert it.look(15) == [("OSN-T090", "firing")]
    it.night = why != "day"
    with it.database.write() as tx:
        if why in ("data", "late"):  # recognised long after it was seen
            frame(tx, it.clock() - (0.0 if why == "data" else HOUR))
        if why == "clouds":
            see_clouds(tx)
    assert it.look(15) == [("OSN-T090", "resolved")]
    assert last(it.database, Outbox).content["head"] == said


def see_clouds(tx: Transaction) -> None:
    """Another telescope sees them."""
    for n, zero_point in enumerate((22.0, 22.0, 20.9)):
        point(tx, n, 14.0, telescope="OSN-T150", zero_point=zero_point,
              jd_mid=jd_of_unix(at(20.0 + 0.5 * n)), created_at=at(20.0 + 0.5 * n))


@pytest.mark.parametrize("why", ["data", "day", "clouds"])
def test_no_data_is_not_told_of_nights_with_data_or_clouds(system: Make, why: str) -> None:
    it = system("no data by 22:00")
    it.clock.now = at(22.5)
    with it.database.write() as tx:
        if why == "data":
            frame(tx, at(20.0))
        if why == "clouds":
            see_clouds(tx)
    it.night = why != "day"
    assert it.look(30) == []


@pytest.mark.parametrize(("hour", "zone", "moment"), [
    ("22:00", "UTC", 22.0), ("22:00", "Europe/Madrid", 21.0), ("23:30", "UTC", -0.5),
    ("22:00", "local", 21.0)])
def test_an_hour_is_that_of_its_zone(hour: str, zone: str, moment: float) -> None:
    assert system_rules.last_time(hour, zone, at(22.5), local="Europe/Madrid") == at(moment)


def test_a_telescope_is_told_to_be_silent_though_its_last_frame_is_of_a_clock_that_was_ahead(
        system: Make) -> None:
    it = system("silent > 2 h")
    it.clock.advance(DAY)
    it.look(5)
    with it.database.write() as tx:
        frame(tx, it.clock())
    it.clock.advance(-DAY)
    assert it.look(120) == []
    assert it.look(20) == [("OSN-T090", "firing")]


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
