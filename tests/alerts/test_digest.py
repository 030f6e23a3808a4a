"""Digests, limits and quiet hours: many messages become few, and none is lost or doubled."""

from __future__ import annotations

from pathlib import Path

from iop4d.alerts.channels.base import SendError
from iop4d.store import outbox
from iop4d.store.schema import Outbox
from tests.alerts.bench import channel, rule
from tests.alerts.posting import DOWN, FakeChannel, Post, many_alerts, post
from tests.conftest import FakeClock
from tests.support.rows import first, rows, update


def test_late_messages_are_one_digest_and_nothing_is_missing_in_it(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel(*[DOWN] * 40)
    it = post(posts, tmp_path, clock, rule(cooldown=0.0), channel(), team=team)
    for episode in range(8):
        it.fire(episode)
        it.send()
        clock.advance(2700.0)
    team.answers.clear()
    clock.advance(3600.0)
    assert it.send() == 1
    ((recipient, notice),) = team.mails
    assert (recipient, notice.kind, notice.facts["total"]) == ("ana@example.org", "digest", 8)
    assert len(notice.facts["items"]) == 8
    letters = rows(it.night.database, Outbox, Outbox.alert.is_null(False))
    assert [letter.state for letter in letters] == ["folded"] * 8
    (told,) = rows(it.night.database, Outbox, Outbox.state == "sent")
    assert {letter.digest for letter in letters} == {told.id}


def test_a_recipient_gets_so_many_messages_in_ten_minutes_at_most(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel()
    it = post(posts, tmp_path, clock, "max_per_10min = 4\n", rule(cooldown=0.0), channel(),
              team=team)
    for episode in range(10):
        it.fire(episode)
        it.send()
        clock.advance(10.0)
    assert [notice.kind for _, notice in team.mails] == ["alert"] * 3
    clock.advance(600.0)
    it.send()
    assert [notice.kind for _, notice in team.mails] == ["alert"] * 3 + ["digest"]
    assert team.mails[-1][1].facts["total"] == 7


def test_ten_thousand_messages_at_once_are_one_digest(posts: list[Post], tmp_path: Path,
                                                      clock: FakeClock) -> None:
    team = FakeChannel()
    it = post(posts, tmp_path, clock, rule(), channel(), team=team)
    with it.night.database.write() as tx:
        for start in range(0, 10_000, 500):
            tx.insert_many(Outbox, [{
                "dedup_key": str(n), "channel": "team", "recipient": "ana@example.org",
                "message_id": f"<{n}@x>", "state": "queued", "created_at": clock.now,
                "content": {"kind": "alert", "subject": f"alert {n} [iop4d]"}}
                for n in range(start, start + 500)])
    assert it.send() == 1
    ((_, notice),) = team.mails
    assert notice.subject == "10000 alerts: alert 9999 [iop4d]"
    assert "prefers-color-scheme: dark" in notice.html
    assert "and 9960 more" in notice.text
    assert len(notice.text) <= 4096


def test_a_message_that_may_have_arrived_is_no_part_of_a_digest(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    """Its repeat must carry the same id, also when it was refused before, or after."""
    team = FakeChannel()
    it = post(posts, tmp_path, clock, rule(cooldown=0.0), channel(), team=team)
    it.fire()
    message = first(it.night.database, Outbox)
    clock.advance(100.0)
    assert it.claim() is not None  # and the power fails
    update(it.night.database, Outbox, last_error="451 come back later")
    for episode in range(1, 8):
        it.fire(episode)
    it.send()
    assert [notice.kind for _, notice in team.mails] == ["digest", "alert"]
    assert team.mails[1][1].id == message.message_id


def test_a_digest_that_may_have_arrived_is_repeated_as_it_was(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel(SendError("no answer", permanent=False, channel_down=True, unsure=True))
    it = many_alerts(posts, tmp_path, clock, team)
    it.send()
    before = first(it.night.database, Outbox, Outbox.alert.is_null())
    assert before.unsure
    it.fire(8)
    clock.advance(3600.0)
    it.send()
    assert [(n.kind, n.facts.get("total")) for _, n in team.mails] == [("digest", 7), (
        "alert", None)]
    assert team.mails[0][1].id == before.message_id


def test_a_digest_that_was_refused_is_made_anew_with_what_came_since(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel(DOWN)
    it = many_alerts(posts, tmp_path, clock, team)
    it.send()
    it.fire(8)
    clock.advance(3600.0)
    it.send()
    assert [(n.kind, n.facts.get("total")) for _, n in team.mails] == [("digest", 8)]


def test_a_refused_digest_that_still_waits_goes_with_what_is_new(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel(*[DOWN] * 3)
    it = many_alerts(posts, tmp_path, clock, team)
    for _ in range(3):
        it.send()
        clock.advance(200.0)
    queued = (Outbox.state == "queued") & Outbox.alert.is_null()
    assert first(it.night.database, Outbox, queued).not_before > 0
    it.fire(8)
    it.send()
    assert [(n.kind, n.facts.get("total")) for _, n in team.mails] == [("digest", 8)]


def test_what_is_critical_comes_first_and_has_messages_kept_for_it(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel()
    urgent = rule().replace('"bright"', '"urgent"') + 'severity = "critical"\n'
    plain = rule(cooldown=0.0) + 'severity = "info"\n'
    it = post(posts, tmp_path, clock, "max_per_10min = 5\n", plain, channel(), team=team)
    for episode in range(5):
        it.fire(episode)
        it.send()
        clock.advance(10.0)
    assert [n.severity for _, n in team.mails] == ["info"] * 4
    later = post(posts, tmp_path, clock, "max_per_10min = 5\n", urgent, channel(), team=team)
    later.fire(9)
    later.send()
    assert [n.severity for _, n in team.mails] == ["info"] * 4 + ["critical"]
    later.fire(10)
    later.send()
    assert len(team.mails) == 5


def test_what_is_critical_is_bounded_too(posts: list[Post], tmp_path: Path,
                                         clock: FakeClock) -> None:
    team = FakeChannel()
    it = post(posts, tmp_path, clock, rule(), channel(), team=team)
    times: list[float] = []
    for number in range(100):
        with it.night.database.write() as tx:
            tx.insert_many(Outbox, [{
                "dedup_key": f"{number} {n}", "channel": "team", "recipient": "ana@example.org",
                "message_id": f"<{number}.{n}@x>", "state": "queued", "created_at": clock.now,
                "severity": "critical",
                "content": {"kind": "alert", "subject": f"alert {number} {n}"}}
                for n in range(10)])
        times += [clock.now] * it.send()
        clock.advance(12.0)
    clock.advance(600.0)
    it.send()
    assert max(sum(begin <= at < begin + 600.0 for at in times) for begin in times) == 10
    told = sum(int(notice.facts.get("total", 1)) for _, notice in team.mails)
    assert told == 1000


def test_the_bands_of_a_source_that_flare_together_are_one_message(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel()
    every = rule().replace('band = "R"', 'band = "*"') + "group_wait = 60\n"
    alone = rule().replace('"bright"', '"alone"')
    it = post(posts, tmp_path, clock, every, alone, channel(), team=team)
    for band in ("R", "B", "V"):
        for n in range(2):
            it.night.see(n, 12.5, band=band)
        clock.advance(10.0)
        it.send()
    assert [n.facts["rule"] for _, n in team.mails] == ["alone"]
    clock.advance(31.0)
    it.send()
    assert [n.kind for _, n in team.mails] == ["alert", "digest"]
    said = team.mails[-1][1]
    assert said.subject.startswith("3 alerts: Firing: BL Lac V = 12.50")
    assert [item["subject"].split(" = ")[0] for item in said.facts["items"]] == [
        "Firing: BL Lac V", "Firing: BL Lac B", "Firing: BL Lac R"]
    it.night.see(200, 12.5, band="I")
    it.night.see(201, 12.5, band="I")
    clock.advance(61.0)
    it.send()
    assert [n.kind for _, n in team.mails] == ["alert", "digest", "alert"]


def test_the_most_severe_goes_first(posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel()
    rules = [rule().replace('"bright"', f'"{name}"') + f'severity = "{name}"\n'
             for name in ("info", "atel", "critical", "notice")]
    it = post(posts, tmp_path, clock, *rules, channel(), team=team)
    it.fire()
    it.send()
    assert [n.severity for _, n in team.mails] == ["critical", "atel", "notice", "info"]


def test_quiet_hours_hold_back_all_but_what_is_urgent(posts: list[Post], tmp_path: Path,
                                                      clock: FakeClock) -> None:
    team = FakeChannel()
    urgent = rule().replace('"bright"', '"urgent"') + 'severity = "critical"\n'
    # The clock stands at 22:13 UTC, which is 23:13 in Madrid.
    it = post(posts, tmp_path, clock,
              'quiet_hours = "23:00-08:00"\nquiet_timezone = "Europe/Madrid"\n',
              rule(), urgent, channel(), team=team)
    it.fire()
    it.send()
    assert [notice.facts["rule"] for _, notice in team.mails] == ["urgent"]
    clock.advance(8.7 * 3600.0)
    it.send()
    assert len(team.mails) == 1
    clock.advance(0.2 * 3600.0)
    it.send()
    assert [notice.facts["rule"] for _, notice in team.mails] == ["urgent", "bright"]


def test_what_quiet_hours_hold_back_is_in_no_digest_before_they_end(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel()
    urgent = rule().replace('"bright"', '"urgent"').replace("< 13.0", "< 12.0") + (
        'severity = "critical"\n')
    it = post(posts, tmp_path, clock, 'quiet_hours = "22:00-08:00"\ndigest_over = 2\n',
              rule(cooldown=0.0), urgent, channel(), team=team)
    for episode in range(3):
        it.fire(episode)
    it.night.see_all([11.5, 11.5], start=3 * 24 * 60)
    it.send()
    assert [(n.kind, n.severity) for _, n in team.mails] == [("alert", "critical")]
    clock.advance(10 * 3600.0)
    it.send()
    assert [(n.kind, n.facts.get("total")) for _, n in team.mails[1:]] == [("digest", 4)]


def test_a_summary_is_no_part_of_a_digest(posts: list[Post], tmp_path: Path,
                                          clock: FakeClock) -> None:
    team = FakeChannel()
    it = post(posts, tmp_path, clock, rule(cooldown=0.0), channel(), team=team)
    with it.night.database.write() as tx:
        outbox.queue(tx, dedup_key="night", channel="team", recipient="ana@example.org",
                     message_id="<night@x>", created_at=clock.now, content={
                         "kind": "summary", "subject": "Night 2025-11-21", "text": "All is well."})
    for episode in range(7):
        it.fire(episode)
    it.send()
    assert {(n.kind, n.facts.get("total")) for _, n in team.mails} == {
        ("digest", 7), ("summary", None)}
