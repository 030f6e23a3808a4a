"""The relay: every mail is delivered at least once, and no channel waits for another."""

from __future__ import annotations

import asyncio
import random
import re
import time
from pathlib import Path

import pytest

from iop4d.alerts import relay
from iop4d.alerts.channels.base import SendError
from iop4d.alerts.relay import Relay
from iop4d.model.messages import PlotRequest
from iop4d.store import outbox
from iop4d.store.database import Connection
from iop4d.store.schema import Outbox
from tests.alerts.bench import PNG, Mailbox, channel, free_port, rule
from tests.alerts.posting import (
    DOWN,
    LATER,
    NEVER,
    TWO,
    FakeChannel,
    HungChannel,
    Post,
    plot,
    post,
)
from tests.conftest import FakeClock
from tests.support.rows import first, rows, update

DAY = 86400.0


def test_a_mail_reaches_a_real_server_with_its_picture(posts: list[Post], tmp_path: Path,
                                                       clock: FakeClock) -> None:
    with Mailbox() as box:
        it = post(posts, tmp_path, clock, rule(),
                  channel(port=box.port, more='host = "127.0.0.1"'))
        it.fire()
        assert it.send() == 1
        assert it.send() == 0
    (mail,) = box.mails
    assert re.sub("#[0-9a-f]{6}", "#1", mail["Subject"]) == (
        "Firing: BL Lac R = 12.50 ± 0.02; mag < 13.0 [iop4d #1]")
    assert mail["Message-ID"] == first(it.night.database, Outbox).message_id
    assert "image/png" in [part.get_content_type() for part in mail.walk()]
    assert it.states() == [("sent", 1, "")]
    assert first(it.night.database, Outbox).sent_at == clock.now
    assert it.events("mail") == [{"id": 1, "alert": 1, "channel": "team", "state": "sent"}]


def test_a_server_that_was_dead_gets_the_same_mail_later(posts: list[Post], tmp_path: Path,
                                                         clock: FakeClock) -> None:
    port = free_port()
    it = post(posts, tmp_path, clock, rule(), channel(port=port, more='host = "127.0.0.1"'))
    it.fire()
    before = first(it.night.database, Outbox)
    assert it.send() == 0
    assert it.send() == 0  # not yet due again
    assert [(state, tries) for state, tries, _ in it.states()] == [("queued", 1)]
    it.night.see(1, 12.1)  # measured anew: the mail tells what was known when it fired
    clock.advance(6 * 3600)
    with Mailbox(port) as box:
        it.relay = it.new_relay()  # even after a restart
        assert it.send() == 1
    (mail,) = box.mails
    assert mail["Message-ID"] == before.message_id
    assert mail["Subject"] == before.content["subject"]


def test_the_mails_of_an_episode_are_one_thread_also_across_a_restart(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    told = rule(cooldown=0.0) + "notify_resolved = true\nreminder_hours = 1.0\n"
    with Mailbox() as box:
        it = post(posts, tmp_path, clock, told,
                  channel(port=box.port, more='host = "127.0.0.1"'))
        it.night.see_all([12.5, 12.5])
        assert it.send() == 1
        clock.advance(2 * 3600)
        it.night.tend()
        it.relay = it.new_relay()  # a restart
        assert it.send() == 1
        it.night.see_all([13.6, 13.6], start=2)
        it.relay = it.new_relay()
        assert it.send() == 1
        it.night.see_all([12.5, 12.5], start=60)
        assert it.send() == 1
    first_of, *later, other = box.mails
    assert [mail["Subject"].split(":")[0] for mail in box.mails] == [
        "Firing", "Active", "Resolved", "Firing"]
    assert first_of["References"] is other["References"] is None
    for mail in later:
        assert mail["In-Reply-To"] == mail["References"] == first_of["Message-ID"]


def test_a_mail_whose_first_went_in_a_digest_is_in_the_thread_of_the_digest(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel()
    it = post(posts, tmp_path, clock, "digest_over = 1\n", rule() + "notify_resolved = true\n",
              rule().replace('"bright"', '"again"'), channel(), team=team)
    it.night.see_all([12.5, 12.5])
    it.send()
    it.night.see_all([13.6, 13.6], start=2)
    it.send()
    (_, folded), (_, ended) = team.mails
    assert (folded.kind, folded.first_id) == ("digest", "")
    assert (ended.kind, ended.first_id) == ("resolved", folded.id)


def test_a_mail_whose_fate_is_unknown_is_sent_again_under_the_same_id(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    with Mailbox() as box:
        box.data = ["drop"]
        it = post(posts, tmp_path, clock, rule(),
                  channel(port=box.port, more='host = "127.0.0.1"'))
        it.fire()
        assert it.send() == 0
        clock.advance(60)
        assert it.send() == 1
    sent = first(it.night.database, Outbox)
    assert [mail["Message-ID"] for mail in box.mails] == [sent.message_id]


def test_a_permanent_refusal_is_final_and_told_with_its_reason(posts: list[Post], tmp_path: Path,
                                                               clock: FakeClock) -> None:
    team = FakeChannel(NEVER)
    it = post(posts, tmp_path, clock, team=team)
    it.fire()
    assert it.send() == 1
    clock.advance(DAY)
    assert it.send() == 0
    assert it.states() == [("failed", 1, "550 no such user"), ("sent", 1, "")]
    assert it.events("mail-failed") == [
        {"id": 1, "alert": 1, "channel": "team", "reason": "550 no such user"}]


def test_a_temporary_refusal_is_tried_at_growing_intervals(posts: list[Post], tmp_path: Path,
                                                           clock: FakeClock) -> None:
    team = FakeChannel(*[LATER] * 10)
    it = post(posts, tmp_path, clock, rule(), channel(), team=team)
    it.fire()
    pauses = []
    for _ in range(10):
        assert it.send() == 0
        pauses.append(first(it.night.database, Outbox).not_before - clock.now)
        clock.advance(pauses[-1])
    for pause, expected in zip(pauses, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600],
                               strict=True):
        assert 0.8 * expected <= pause <= 1.2 * expected
    assert it.send() == 1
    assert it.states() == [("sent", 11, "")]


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_pause_is_up_to_a_fifth_shorter_or_longer(posts: list[Post], tmp_path: Path,
                                                    clock: FakeClock, share: float) -> None:
    it = post(posts, tmp_path, clock, rule(), channel())
    it.relay = Relay(database=it.thread, site=it.site, clock=clock, plot=plot,
                     channels={"team": FakeChannel(LATER)},
                     random_between=lambda low, high: low + share * (high - low))
    it.fire()
    it.send()
    waits = first(it.night.database, Outbox).not_before - clock.now
    assert waits == pytest.approx(24.0 + share * 12.0)


def test_messages_that_are_refused_together_are_not_tried_together(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    it = post(posts, tmp_path, clock, team=FakeChannel(LATER, LATER))
    it.fire()
    random.seed(7)
    it.send()
    expected = random.Random(7)
    assert [row.not_before - clock.now for row in rows(it.night.database, Outbox)] == [
        pytest.approx(30.0 * expected.uniform(0.8, 1.2)) for _ in range(2)]


def test_a_mail_is_given_up_after_some_days(posts: list[Post], tmp_path: Path,
                                            clock: FakeClock) -> None:
    it = post(posts, tmp_path, clock, team=FakeChannel(*[DOWN] * 1000))
    it.fire()
    while clock.now < 1_700_000_000.0 + 4.9 * DAY:
        it.send()
        clock.advance(3600)
    assert {state for state, _, _ in it.states()} == {"queued"}
    clock.advance(DAY)
    it.send()
    reason = "given up after 5 days: no connection"
    assert [(state, error) for state, _, error in it.states()] == [("failed", reason)] * 2
    assert len(it.events("mail-failed")) == 2


def test_a_channel_that_is_down_is_tried_once_for_all_its_mails(posts: list[Post], tmp_path: Path,
                                                                clock: FakeClock) -> None:
    team, boss = FakeChannel(DOWN), FakeChannel()
    it = post(posts, tmp_path, clock, rule().replace('["team"]', '["team", "boss"]'), TWO,
              channel("boss"), team=team, boss=boss)
    it.fire()
    assert it.send() == 1
    assert team.tries == 1
    assert len(boss.mails) == 1
    assert it.states()[:2] == [("queued", 1, "no connection"), ("queued", 0, "no connection")]


def test_once_a_channel_is_back_what_waited_goes_out(posts: list[Post], tmp_path: Path,
                                                     clock: FakeClock) -> None:
    team = FakeChannel(*[DOWN] * 8)
    it = post(posts, tmp_path, clock, team=team)
    it.fire()
    for _ in range(8):
        it.send()
        clock.advance(first(it.night.database, Outbox).not_before - clock.now)
        update(it.night.database, Outbox, Outbox.id == 1, not_before=clock.now)
    update(it.night.database, Outbox, not_before=clock.now + 3600)
    it.fire(episode=1)
    assert it.send() == 2
    assert [(recipient, notice.kind) for recipient, notice in team.mails] == [
        ("ana@example.org", "digest"), ("ben@example.org", "digest")]
    assert "2 delayed alerts, newest first." in team.mails[-1][1].text


def test_a_channel_that_left_the_site_file_keeps_its_mails(posts: list[Post], tmp_path: Path,
                                                           clock: FakeClock) -> None:
    it = post(posts, tmp_path, clock, boss=FakeChannel())
    it.fire()
    assert it.send() == 0
    assert it.states()[0] == ("queued", 1, "the site file has no channel 'team'")


def test_a_mail_that_cannot_be_written_holds_up_no_other(posts: list[Post], tmp_path: Path,
                                                         clock: FakeClock) -> None:
    it = post(posts, tmp_path, clock, team=FakeChannel())
    it.fire()
    update(it.night.database, Outbox, Outbox.id == 1, content={"subject": "of another version"})
    assert it.send() == 1
    assert [state for state, _, _ in it.states()] == ["failed", "sent"]
    assert "cannot be written" in it.states()[0][2]


def test_a_mail_that_could_not_be_marked_is_not_sent_again(
        posts: list[Post], tmp_path: Path, clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch) -> None:
    team = FakeChannel()
    it = post(posts, tmp_path, clock, rule(), channel(), team=team)
    it.fire()

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(outbox, "mark_sent", fail)
    for _ in range(3):
        with pytest.raises(OSError, match="disk full"):
            it.send()
    monkeypatch.undo()
    it.send()
    assert len(team.mails) == 1
    assert [state for state, _, _ in it.states()] == ["sent"]


def test_the_recipients_of_an_alert_share_its_picture(posts: list[Post], tmp_path: Path,
                                                      clock: FakeClock) -> None:
    it = post(posts, tmp_path, clock, team=FakeChannel())
    asked = []

    async def count(request: PlotRequest) -> bytes | None:
        asked.append(request)
        return PNG

    it.plot = count
    it.fire()
    assert it.send() == 2
    assert len(asked) == 1


@pytest.mark.parametrize("slow", [True, False])
def test_a_mail_goes_without_its_picture_when_there_is_none(
        posts: list[Post], tmp_path: Path, clock: FakeClock, slow: bool,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_FIRST_PLOT_WAIT", 0.05)
    team = FakeChannel()
    it = post(posts, tmp_path, clock, rule(), channel(), team=team)

    async def none(_: PlotRequest) -> bytes | None:
        if slow:
            await asyncio.Event().wait()
        return None

    it.plot = none
    it.fire()
    assert it.send() == 1
    assert "<img" not in team.mails[0][1].html
    assert not team.mails[0][1].pictures


def test_only_the_first_picture_since_the_start_is_waited_for_longer(
        posts: list[Post], tmp_path: Path, clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that never drew must import what draws."""
    monkeypatch.setattr(relay, "_PLOT_WAIT", 0.05)
    team = FakeChannel()
    it = post(posts, tmp_path, clock, rule(), channel(), team=team)

    async def slow(_: PlotRequest) -> bytes | None:
        await asyncio.sleep(0.3)
        return PNG

    it.plot = slow
    for episode in (0, 1):
        it.fire(episode)
        assert it.send() == 1
        clock.advance(DAY)
    assert [bool(notice.pictures) for _, notice in team.mails] == [True, False]


async def until(met: object, seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not met():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def test_the_loop_sends_what_is_committed_at_once_and_a_hung_channel_holds_up_nothing(
        posts: list[Post], tmp_path: Path, clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_FINISH_IN", 0.05)
    team, boss = HungChannel(), FakeChannel()
    it = post(posts, tmp_path, clock, rule().replace('["team"]', '["team", "boss"]'),
              channel("team"), channel("boss"), team=team, boss=boss)

    async def scene() -> None:
        stop, wake = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(it.relay.run(stop, wake))
        await asyncio.sleep(0.05)
        for episode in range(3):
            it.fire(episode)
            wake.set()
            await until(lambda wanted=episode + 1: len(boss.mails) == wanted, 1.0)
        stop.set()
        await asyncio.wait_for(task, 2.0)

    asyncio.run(scene())
    assert team.tries == 1
    assert [state for state, _, _ in it.states()] == ["queued", "sent"] * 3


def test_the_loop_retries_by_itself_and_outlives_a_fault(
        posts: list[Post], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(relay, "_LONGEST_REST", 0.05)
    posts.append(it := Post(tmp_path, FakeClock(), rule(), channel(), team=FakeChannel()))
    it.fire()
    faults = iter([OSError("locked"), OSError("locked")])
    due_times = outbox.due_times

    def faulty(db: Connection) -> dict[str, float]:
        if (error := next(faults, None)) is not None:
            raise error
        return due_times(db)

    monkeypatch.setattr(outbox, "due_times", faulty)

    async def scene() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(it.relay.run(stop, asyncio.Event()))
        await until(lambda: it.states()[0][0] == "sent")
        stop.set()
        await asyncio.wait_for(task, 2.0)

    asyncio.run(scene())
    assert caplog.text.count("the outbox could not be read") == 2


def test_a_restart_tries_at_once_what_was_put_off(posts: list[Post], tmp_path: Path,
                                                  clock: FakeClock) -> None:
    it = post(posts, tmp_path, clock, team=FakeChannel(DOWN))
    it.fire()
    it.send()

    async def scene() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(it.relay.run(stop, asyncio.Event()))
        await until(lambda: all(state == "sent" for state, _, _ in it.states()))
        stop.set()
        await asyncio.wait_for(task, 2.0)

    asyncio.run(scene())


def test_a_recipient_that_moved_is_followed(posts: list[Post], tmp_path: Path,
                                            clock: FakeClock) -> None:
    team = FakeChannel(SendError("moved", permanent=False, moved_to="new@example.org"))
    it = post(posts, tmp_path, clock, rule(cooldown=0.0), channel(), team=team)
    it.fire()
    assert it.send() == 1
    it.fire(episode=1)
    assert it.send() == 1
    assert [recipient for recipient, _ in team.mails] == ["new@example.org"] * 2


def test_a_pause_that_is_asked_for_is_kept(posts: list[Post], tmp_path: Path,
                                           clock: FakeClock) -> None:
    team = FakeChannel(SendError("429", permanent=False, channel_down=True, retry_after=77.0))
    it = post(posts, tmp_path, clock, rule(), channel(), team=team)
    it.fire()
    assert it.send() == 0
    assert first(it.night.database, Outbox).not_before == clock.now + 77.0
    clock.advance(76.0)
    it.restart(team=(again := FakeChannel()))
    assert again.tries == 0
    clock.advance(2.0)
    it.restart(team=again)
    assert again.tries == 1


def test_a_recipient_who_is_to_be_left_alone_is_after_a_restart_and_others_are_not(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel(SendError("429", permanent=False, retry_after=3600.0))
    it = post(posts, tmp_path, clock, rule(cooldown=0.0), TWO, team=team)
    it.fire()
    it.send()
    it.fire(episode=1)
    it.restart(team=(again := FakeChannel()))
    assert [recipient for recipient, _ in team.mails] == ["ben@example.org"]
    assert [recipient for recipient, _ in again.mails] == ["ben@example.org"]
    clock.advance(3601.0)
    it.restart(team=again)
    assert [recipient for recipient, _ in again.mails].count("ana@example.org") == 1  # a digest


def test_a_recipient_who_was_given_up_is_told_until_somebody_reaches_him(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    it = post(posts, tmp_path, clock, rule(cooldown=0.0), TWO, team=FakeChannel(NEVER))
    it.fire()
    it.send()
    (trouble,) = it.undelivered(clock.now)
    assert (trouble["channel"], trouble["messages"]) == ("team", 1)
    assert trouble["reason"] == "ana@example.org was given up: 550 no such user"
    assert it.undelivered(clock.now + 2 * DAY) == []
    clock.advance(60.0)
    it.fire(episode=1)
    it.send()
    assert it.undelivered(clock.now) == []
