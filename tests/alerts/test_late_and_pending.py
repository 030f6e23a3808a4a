"""Flares that are over when they are found; points that no other confirmed."""

from __future__ import annotations

import pytest

from iop4d.alerts.compose import notice_of
from iop4d.alerts.summary import write
from iop4d.alerts.summary.gather import gather
from iop4d.store.schema import Alert, Outbox, Result
from tests.alerts.bench import UNIX_OF_JD, Night, Start, channel, point, rule
from tests.support.rows import last, rows

HOUR = 60.0  # minutes
TELLS = rule() + "tell_pending = true\n"


def late_flare(night: Night) -> None:
    """Two quiet nights are known; the frames of the flare between them come afterwards."""
    night.see_all([13.5, 13.5])
    night.see_all([13.5, 13.5], start=int(36 * HOUR))
    night.see_all([12.5, 12.5], start=int(12 * HOUR))


def test_a_flare_that_is_over_when_it_is_found_says_so_first(start: Start) -> None:
    night = start(rule() + "notify_resolved = true\n", channel())
    late_flare(night)
    assert (night.state(), night.kinds()) == ("resolved", ["alert"])
    content = last(night.database, Outbox).content
    assert content["subject"].startswith("Over: BL Lac")
    mail = notice_of(content, message_id="<a@b>", at=0.0)
    assert "over since 2025-11-22 12:01" in mail.text.splitlines()[2]
    assert "it was found late" in mail.text
    assert "over since" in mail.html
    assert "The alert is resolved when" not in mail.text + mail.html
    assert "does not fire again" not in mail.text + mail.html


def test_a_flare_that_is_found_while_it_lasts_says_nothing_of_its_end(start: Start) -> None:
    night = start(rule() + "notify_resolved = true\n", channel())
    night.see_all([13.5, 12.5, 12.5])
    assert last(night.database, Outbox).content["subject"].startswith("Firing: BL Lac")
    assert last(night.database, Outbox).content["over_utc"] == ""
    night.see_all([13.5, 13.5], start=10)
    assert night.kinds() == ["alert", "resolved"]


def test_the_end_is_told_also_where_a_late_point_moved_the_beginning(start: Start) -> None:
    night = start(rule() + "notify_resolved = true\n", channel())
    night.see_all([12.5, 12.5], start=10)
    with night.database.write() as tx:  # all at once
        night.engine.on_results(tx, [point(tx, 9, 12.5), point(tx, 20, 13.5), point(tx, 21, 13.5)])
    assert night.episodes() == [("resolved", 10.0, 21.0)]
    assert night.kinds() == ["alert", "resolved"]


def unconfirmed(night: Night) -> None:
    """One bright point, the last of a night; then forty minutes without another."""
    night.clock.now = UNIX_OF_JD + 120.0
    night.see_all([13.5, 12.5])
    night.tend()
    assert night.kinds() == []
    night.clock.advance(40 * 60.0)
    night.tend()
    night.tend()


def test_a_flare_in_the_last_frame_of_a_night_is_told_as_unconfirmed_once(start: Start) -> None:
    night = start(TELLS, channel())
    unconfirmed(night)
    assert (night.state(), night.kinds()) == ("pending", ["pending"])
    content = last(night.database, Outbox).content
    assert content["subject"].startswith("Unconfirmed: BL Lac R = 12.5")
    mail = notice_of(content, message_id="<a@b>", at=0.0)
    assert "met by 1 point, of 2 that are needed" in mail.text
    assert "1 point of 2; no other followed" in mail.html


def test_an_unconfirmed_flare_counts_every_point_that_met_it(start: Start) -> None:
    night = start(rule(confirm=3) + "tell_pending = true\n", channel())
    night.clock.now = UNIX_OF_JD + 120.0
    night.see_all([13.5, 12.5, 12.4])
    night.clock.advance(40 * 60.0)
    night.tend()
    content = last(night.database, Outbox).content
    assert [point["mag"] for point in content["points"]] == [12.5, 12.4]
    assert "met by 2 points, of 3 that are needed" in notice_of(
        content, message_id="<a@b>", at=0.0).text


def test_a_point_that_was_flagged_meanwhile_is_told_to_nobody(start: Start) -> None:
    night = start(TELLS, channel())
    night.clock.now = UNIX_OF_JD + 120.0
    night.see_all([13.5, 12.5])
    (alert,) = rows(night.database, Alert)
    with night.database.write() as tx:
        tx.update(Result, human_flags=[{"name": "bad", "note": "", "by": "ana"}]).where(
            Result.id.in_(alert.points)).execute()
    night.clock.advance(40 * 60.0)
    night.tend()
    assert night.kinds() == []


def test_without_the_key_nobody_is_told(start: Start) -> None:
    night = start(rule(), channel())
    unconfirmed(night)
    assert night.kinds() == []


@pytest.mark.parametrize(("mag", "kinds"), [(12.5, ["pending", "alert"]), (13.5, ["pending"])])
def test_what_was_told_as_unconfirmed_is_told_once_more_if_it_is_confirmed(
        start: Start, mag: float, kinds: list[str]) -> None:
    night = start(TELLS, channel())
    unconfirmed(night)
    night.see(50, mag)
    assert night.kinds() == kinds
    if mag > 13.0:  # and another one by itself
        night.see(60, 12.5)
        night.clock.advance(80 * 60.0)
        night.tend()
        assert night.kinds() == ["pending", "pending"]


def summary(night: Night, of: str) -> str:
    with night.database.read() as db:
        found = gather(db, night.site, of, since=UNIX_OF_JD - 43200.0, until=UNIX_OF_JD + 43200.0,
                       now=UNIX_OF_JD + 43200.0)
    facts = write.plain(found)
    assert facts.get("pending", ()) == () or "pending:" in write.html(facts)
    return write.text(facts)


def test_the_summary_has_what_is_pending_in_its_night(start: Start) -> None:
    night = start(rule(), channel())
    night.see_all([13.5, 12.5])
    assert "pending: BL Lac R: mag < 13.0 (bright) at 2025-11-" in summary(night, "2025-11-22")
    assert "pending" not in summary(night, "2025-11-21")
    night.see(3, 12.5)
    assert "pending" not in summary(night, "2025-11-22")


def test_once_a_week_the_summary_says_which_rules_wait(start: Start) -> None:
    deaf = rule().replace("mag < 13.0", "change mag < -0.5").replace('"mag > 13.2"', '""')
    night = start(deaf, channel())
    night.see_all([13.5, 13.5])
    assert "RULES THAT WAIT\n  bright: 1 of 1 light curves have fewer than 10 earlier points" in (
        summary(night, "2025-11-23"))  # a Sunday
    assert "RULES THAT WAIT" not in summary(night, "2025-11-22")
    assert rows(night.database, Outbox) == []
