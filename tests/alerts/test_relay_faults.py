"""What may go wrong on the way: faults in channels, clocks set back, recipients who left."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from iop4d.alerts import relay
from iop4d.alerts.channels.base import Notice, SendError
from iop4d.model.messages import PlotRequest
from iop4d.store.schema import ChannelState, Outbox
from tests.alerts.bench import PNG, channel, rule
from tests.alerts.posting import (
    DOWN,
    LATER,
    NEVER,
    TWO,
    FakeChannel,
    HungChannel,
    Post,
    many_alerts,
    post,
)
from tests.conftest import FakeClock
from tests.support.rows import first, rows, update

HOUR, DAY = 3600.0, 86400.0


def moved(to: str) -> SendError:
    return SendError("moved", permanent=False, moved_to=to)


class FaultyChannel(FakeChannel):
    """Code of an installed package that does what it should not."""

    async def send(self, notice: Notice, recipient: str) -> None:
        if recipient == "ana@example.org":
            self.tries += 1
            raise ZeroDivisionError("of the package")
        await super().send(notice, recipient)


def test_a_fault_in_a_channel_is_told_tried_seldom_and_holds_up_no_other(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FaultyChannel()
    it = post(posts, tmp_path, clock, team=team)
    it.fire()
    assert [it.send(), it.send()] == [1, 0]
    assert team.tries == 2
    assert it.states() == [
        ("queued", 1, "channel 'team' failed: ZeroDivisionError: of the package"),
        ("sent", 1, "")]
    row = first(it.night.database, Outbox, Outbox.id == 1)
    assert row.unsure
    assert row.not_before - clock.now >= 24.0
    assert it.undelivered(clock.now)[0]["channel"] == "team"


def test_a_channel_that_hangs_is_told_of(posts: list[Post], tmp_path: Path, clock: FakeClock,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_WHOLE", 0.01)  # of the ten seconds for a server's answer
    it = post(posts, tmp_path, clock, rule(), channel(), team=HungChannel())
    it.fire()
    assert it.send() == 0
    assert it.states() == [("queued", 1, "channel 'team': the delivery timed out after 0.1 s")]
    assert first(it.night.database, Outbox).unsure


@pytest.mark.parametrize("broken", ["the drawing", "the points"])
def test_a_picture_that_cannot_be_drawn_costs_no_message(
        posts: list[Post], tmp_path: Path, clock: FakeClock, broken: str) -> None:
    team = FakeChannel()
    it = post(posts, tmp_path, clock, rule(), channel(), team=team)

    async def fail(_: PlotRequest) -> bytes | None:
        await asyncio.sleep(0)
        raise OSError("no worker")

    it.fire()
    if broken == "the drawing":
        it.plot = fail
    else:
        content = first(it.night.database, Outbox).content
        update(it.night.database, Outbox, content=content | {"light_curve": [["a", "b"]]})
    assert it.send() == 1
    ((_, notice),) = team.mails
    assert not notice.pictures
    assert "12.50" in notice.text


def test_what_is_told_again_shows_what_was_measured_since(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    it = post(posts, tmp_path, clock, team=FakeChannel())
    asked: list[PlotRequest] = []

    async def draw(request: PlotRequest) -> bytes | None:
        await asyncio.sleep(0)
        asked.append(request)
        return PNG

    it.plot = draw
    it.fire()
    it.send()
    row = first(it.night.database, Outbox, Outbox.id == 1)
    later = row.content | {"kind": "reminder", "light_curve": [*row.content["light_curve"],
                                                            [2461001.0, 12.1, 0.02]]}
    with it.night.database.write() as tx:
        tx.create(Outbox, dedup_key="reminder", alert=row.alert_id, channel="team",
                  recipient=row.recipient, message_id="<again@x>", content=later,
                  state="queued", created_at=clock.now)
    it.send()
    assert [len(request.points) for request in asked] == [2, 3]


def test_a_message_at_which_the_connection_breaks_does_not_hold_up_the_others_for_ever(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    class Choking(FakeChannel):
        async def send(self, notice: Notice, recipient: str) -> None:
            if recipient == "ana@example.org":
                raise SendError("gone", permanent=False, channel_down=True, unsure=True)
            await super().send(notice, recipient)

    team = Choking()
    it = post(posts, tmp_path, clock, team=team)
    it.fire()
    for _ in range(6):
        it.send()
        clock.advance(HOUR)
    assert [recipient for recipient, _ in team.mails] == ["ben@example.org"]
    assert first(it.night.database, Outbox, Outbox.id == 1).state == "queued"


def test_a_digest_that_is_refused_is_tried_at_growing_intervals(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel(*[LATER] * 6)
    it = many_alerts(posts, tmp_path, clock, team)
    pauses = []
    for _ in range(6):
        assert it.send() == 0
        waiting = first(it.night.database, Outbox, Outbox.state == "queued")
        pauses.append(waiting.not_before - clock.now)
        clock.advance(pauses[-1] + 0.1)
    for pause, expected in zip(pauses, [30, 60, 120, 240, 480, 960], strict=True):
        assert 0.8 * expected <= pause <= 1.2 * expected
    assert it.send() == 1
    assert team.mails[0][1].facts["total"] == 7


def test_what_was_told_in_digests_alone_is_given_up_after_some_days_too(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel(*[DOWN] * 1000)
    it = many_alerts(posts, tmp_path, clock, team)
    began = clock.now
    while clock.now < began + 5.2 * DAY:
        it.send()
        alerts = rows(it.night.database, Outbox, Outbox.alert.is_null(False))
        if clock.now - began > 3 * DAY and len(alerts) == 7:
            it.fire(7)
        clock.advance(HOUR)
    alerts = rows(it.night.database, Outbox, Outbox.alert.is_null(False))
    assert [row.state for row in alerts[:7]] == ["failed"] * 7
    assert {row.last_error for row in alerts[:7]} == {"given up after 5 days: no connection"}
    assert alerts[7].state in ("queued", "folded")
    team.answers.clear()
    clock.advance(2 * HOUR)
    assert it.send() == 1
    assert first(it.night.database, Outbox, Outbox.id == alerts[7].id).state in ("sent", "folded")


def test_a_message_without_a_subject_does_not_end_the_folding(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel()
    it = many_alerts(posts, tmp_path, clock, team)
    update(it.night.database, Outbox, Outbox.id == 7, content={"kind": "alert"})
    assert it.send() == 1
    assert team.mails[0][1].facts["total"] == 7


def test_a_digest_lists_the_most_severe_first(posts: list[Post], tmp_path: Path,
                                           clock: FakeClock) -> None:
    team = FakeChannel()
    rules = [rule().replace('"bright"', f'"{name}"') + f'severity = "{name}"\n'
             for name in ("info", "critical", "notice")]
    it = post(posts, tmp_path, clock, "digest_over = 2\n", *rules, channel(), team=team)
    it.fire()
    update(it.night.database, Outbox, Outbox.severity == "critical",
           content={"kind": "alert", "subject": "the worst [iop4d #1a2b3c]"})
    assert it.send() == 1
    ((_, notice),) = team.mails
    assert notice.subject == "3 alerts: the worst [iop4d]"
    assert notice.severity == "critical"
    assert notice.facts["items"][0]["subject"] == "the worst [iop4d #1a2b3c]"
    assert "3 alerts, most severe first, then newest." in notice.text


def test_a_recipient_who_moved_has_one_limit_under_all_names(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel(moved("new@example.org"))
    it = post(posts, tmp_path, clock, "max_per_10min = 4\n", rule(cooldown=0.0), channel(),
              team=team)
    for episode in range(8):
        it.fire(episode)
        it.send()
        clock.advance(10.0)
    assert [to for to, _ in team.mails] == ["new@example.org"] * 3


def test_a_recipient_who_moves_to_and_fro_is_not_followed_without_a_pause(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    names = ["b@example.org", "ana@example.org"]
    team = FakeChannel(*[moved(names[n % 2]) for n in range(1000)])
    it = post(posts, tmp_path, clock, rule(), channel(), team=team)
    it.fire()
    assert it.send() == 0
    assert team.tries == 4
    assert first(it.night.database, Outbox).not_before > clock.now


def test_who_left_the_site_file_gets_nothing_more(posts: list[Post], tmp_path: Path,
                                                  clock: FakeClock) -> None:
    it = post(posts, tmp_path, clock, team=FakeChannel(NEVER, DOWN))
    it.fire()
    it.send()
    assert it.states()[0][0] == "failed"
    assert it.undelivered(clock.now)[0]["messages"] == 2
    team = FakeChannel()
    it = post(posts, tmp_path, clock, rule(), channel(to='["cleo@example.org"]'), team=team)
    it.restart(team=team)
    assert team.tries == 0
    assert [state for state, _, _ in it.states()] == ["failed", "dropped"]
    assert it.states()[1][2] == "the site file does not list this recipient any more"
    assert it.undelivered(clock.now) == []


def test_who_moved_is_no_stranger(posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel(moved("b@example.org"), moved("c@example.org"), DOWN)
    it = post(posts, tmp_path, clock, rule(), channel(), team=team)
    it.fire()
    assert it.send() == 0
    it.restart(team=team)
    assert [to for to, _ in team.mails] == ["c@example.org"]


def test_the_new_name_of_who_moved_may_stand_in_the_site_file(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel(moved("b@example.org"))
    it = post(posts, tmp_path, clock, rule(cooldown=0.0), channel(), team=team)
    it.fire()
    it.send()
    it.fire(1)
    it = post(posts, tmp_path, clock, rule(), channel(to='["b@example.org"]'), team=team)
    it.restart(team=team)
    assert [to for to, _ in team.mails] == ["b@example.org"] * 2


@pytest.mark.parametrize("restart", [True, False])
def test_a_clock_that_was_ahead_leaves_no_message_waiting_for_its_time(
        posts: list[Post], tmp_path: Path, clock: FakeClock, restart: bool) -> None:
    team = FakeChannel()
    it = post(posts, tmp_path, clock,
              'quiet_hours = "23:00-08:00"\nquiet_min_severity = "critical"\n', rule(),
              channel(), team=team)
    right = clock.now
    clock.advance(100 * DAY)
    it.night.see_all([12.5, 12.5], start=100 * 1440)
    update(it.night.database, Outbox, held_until=clock.now + 8 * HOUR, not_before=clock.now + HOUR)
    assert it.send() == 0
    clock.now = right
    if restart:
        it.restart(team=team)
    else:
        it.send()
        clock.advance(9 * HOUR)
        it.send()
        clock.advance(HOUR)
        it.send()
    assert len(team.mails) == 1


def test_a_rest_that_was_asked_for_by_a_clock_that_was_ahead_is_no_longer_than_asked(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel(SendError("429", permanent=False, channel_down=True, retry_after=HOUR))
    it = post(posts, tmp_path, clock, rule(), channel(), team=team)
    it.fire()
    right = clock.now
    clock.advance(100 * DAY)
    it.send()
    clock.now = right
    it.restart(team=team)
    clock.advance(0.9 * HOUR)
    it.restart(team=team)
    assert team.tries == 1
    clock.advance(0.2 * HOUR)
    it.restart(team=team)
    assert len(team.mails) == 1


def test_a_message_that_was_not_tried_for_days_is_not_given_up_at_the_first_refusal(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    it = post(posts, tmp_path, clock, rule(), channel(), team=FakeChannel(DOWN))
    it.fire()
    clock.advance(6 * DAY)  # nothing ran
    it.send()
    assert it.states() == [("queued", 1, "no connection")]


def test_a_message_refused_by_a_clock_that_was_ahead_is_given_up_in_time(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    it = post(posts, tmp_path, clock, rule(), channel(), team=FakeChannel(*[DOWN] * 1000))
    it.fire()
    right = clock.now
    clock.advance(100 * DAY)
    it.send()
    clock.now = right
    while clock.now < right + 5.2 * DAY:
        it.send()
        clock.advance(2 * HOUR)
    ((state, _, error),) = it.states()
    assert (state, error) == ("failed", "given up after 5 days: no connection")


def test_messages_sent_by_a_clock_that_was_ahead_hold_up_none(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel()
    it = post(posts, tmp_path, clock, "max_per_10min = 2\n", rule(cooldown=0.0), channel(),
              team=team)
    it.fire()
    it.send()
    update(it.night.database, Outbox, sent_at=clock.now + 100 * DAY)
    it.fire(1)
    assert it.send() == 1


def test_what_is_put_off_by_the_server_stays_so_when_the_site_file_is_loaded_anew(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    """New messages are put off as well, without a try."""
    team = FakeChannel(SendError("503", permanent=False, channel_down=True, retry_after=HOUR))
    it = post(posts, tmp_path, clock, rule(cooldown=0.0), TWO, team=team)
    it.fire()
    it.send()
    it.fire(1)
    it.restart(team=team)
    assert team.tries == 1
    values: list[Any] = [row.value for row in rows(it.night.database, ChannelState)]
    assert values == [f"{clock.now!r} {clock.now + HOUR!r}"]
