"""The relay: every mail is delivered at least once, and no channel waits for another."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iop4d.alerts import outbox
from iop4d.alerts.letters import Letters
from iop4d.alerts.outbox import Relay
from iop4d.alerts.transport import Notice, SendError
from iop4d.config import Site
from iop4d.model.work import PlotRequest
from iop4d.store.alertschema import Outbox
from iop4d.store.schema import Event
from tests.alerts.bench import PNG, Mailbox, Night, channel, free_port, rule, run_db, site_of
from tests.conftest import FakeClock

DAY = 86400.0


async def plot(_: PlotRequest) -> bytes | None:
    await asyncio.sleep(0)
    return PNG


class FakeChannel:
    """Keeps what it is given; ``answers`` are raised first."""

    def __init__(self, *answers: SendError) -> None:
        self.answers = list(answers)
        self.mails: list[tuple[str, Notice]] = []
        self.tries = 0

    async def send(self, notice: Notice, recipient: str) -> None:
        await asyncio.sleep(0)
        self.tries += 1
        if self.answers:
            raise self.answers.pop(0)
        self.mails.append((recipient, notice))


class HungChannel(FakeChannel):
    """A server that takes a connection and says nothing."""

    async def send(self, notice: Notice, recipient: str) -> None:
        self.tries += 1
        await asyncio.Event().wait()


DOWN = SendError("no connection", permanent=False, channel_down=True)
LATER = SendError("451 come back later", permanent=False)
NEVER = SendError("550 no such user", permanent=True)


class Post:
    """A night whose alert is committed, and a relay for its mails."""

    def __init__(self, root: Path, clock: FakeClock, *parts: str, **channels: FakeChannel) -> None:
        self.clock = clock
        self.site: Site = site_of(root, *parts)
        self.night = Night(self.site, clock)
        self.relay = self.new_relay(channels or None)

    def new_relay(self, channels: dict[str, FakeChannel] | None = None) -> Relay:
        return Relay(run_db=run_db, site=self.site, clock=self.clock, plot=plot,
                     database=self.night.database, channels=channels)

    def fire(self, episode: int = 0) -> None:
        start = episode * 60 * 24
        self.night.see_all([12.5, 12.5, 13.5, 13.5], start=start)

    def send(self) -> int:
        return asyncio.run(self.relay.send_due())

    def states(self) -> list[tuple[str, int, str]]:
        return [(m.state, m.attempts, m.last_error) for m in Outbox.select().order_by(Outbox.id)]

    def events(self, kind: str) -> list[dict[str, object]]:
        return [event.content for event in Event.select().where(Event.kind == kind)]


@pytest.fixture
def posts() -> Iterator[list[Post]]:
    made: list[Post] = []
    yield made
    for post in made:
        post.night.database.close()


TWO = channel("team", to='["ana@example.org", "ben@example.org"]')


def post(posts: list[Post], root: Path, clock: FakeClock, *parts: str,
         **channels: FakeChannel) -> Post:
    posts.append(Post(root, clock, *(parts or (rule(), TWO)), **channels))
    return posts[-1]


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
        "[iop4d] BL Lac R = 12.50 ± 0.02: mag < 13.0 [#1]")
    assert mail["Message-ID"] == Outbox.get().message_id
    assert "image/png" in [part.get_content_type() for part in mail.walk()]
    assert it.states() == [("sent", 1, "")]
    assert Outbox.get().sent_at == clock.now
    assert it.events("mail") == [{"id": 1, "alert": 1, "channel": "team", "state": "sent"}]


def test_a_server_that_was_dead_gets_the_same_mail_later(posts: list[Post], tmp_path: Path,
                                                         clock: FakeClock) -> None:
    port = free_port()
    it = post(posts, tmp_path, clock, rule(), channel(port=port, more='host = "127.0.0.1"'))
    it.fire()
    before = Outbox.get()
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
    assert [mail["Message-ID"] for mail in box.mails] == [Outbox.get().message_id]


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
        pauses.append(Outbox.get().not_before - clock.now)
        clock.advance(pauses[-1])
    for pause, expected in zip(pauses, [30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600],
                               strict=True):
        assert 0.8 * expected <= pause <= 1.2 * expected
    assert it.send() == 1
    assert it.states() == [("sent", 11, "")]


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
        clock.advance(Outbox.get().not_before - clock.now)
        Outbox.update(not_before=clock.now).where(Outbox.id == 1).execute()
    Outbox.update(not_before=clock.now + 3600).execute()
    it.fire(episode=1)
    assert it.send() == 2
    assert [(recipient, notice.kind) for recipient, notice in team.mails] == [
        ("ana@example.org", "digest"), ("ben@example.org", "digest")]
    assert "2 alerts that could not be told before" in team.mails[-1][1].text


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
    Outbox.update(content={"subject": "of another version"}).where(Outbox.id == 1).execute()
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

    monkeypatch.setattr(Letters, "mark_sent", fail)
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

    it.relay._plot = count
    it.fire()
    assert it.send() == 2
    assert len(asked) == 1


@pytest.mark.parametrize("slow", [True, False])
def test_a_mail_goes_without_its_picture_when_there_is_none(
        posts: list[Post], tmp_path: Path, clock: FakeClock, slow: bool,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_PLOT_WAIT", 0.05)
    team = FakeChannel()
    it = post(posts, tmp_path, clock, rule(), channel(), team=team)

    async def none(_: PlotRequest) -> bytes | None:
        if slow:
            await asyncio.Event().wait()
        return None

    it.relay._plot = none
    it.fire()
    assert it.send() == 1
    assert "<img" not in team.mails[0][1].html
    assert not team.mails[0][1].pictures


async def until(met: object, seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not met():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.01)


def test_the_loop_sends_what_is_committed_at_once_and_a_hung_channel_holds_up_nothing(
        posts: list[Post], tmp_path: Path, clock: FakeClock,
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_FINISH_IN", 0.05)
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
    monkeypatch.setattr(outbox, "_LONGEST_REST", 0.05)
    posts.append(it := Post(tmp_path, FakeClock(), rule(), channel(), team=FakeChannel()))
    it.fire()
    faults = iter([OSError("locked"), OSError("locked")])
    due = Letters.due

    def faulty(self: Letters) -> tuple[list[str], float | None]:
        if (error := next(faults, None)) is not None:
            raise error
        return due(self)

    monkeypatch.setattr(Letters, "due", faulty)

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
    letters = list(Outbox.select().where(Outbox.alert.is_null(False)))
    assert [letter.state for letter in letters] == ["folded"] * 8
    (told,) = Outbox.select().where(Outbox.state == "sent")
    assert {letter.digest for letter in letters} == {told.id}


def test_a_recipient_gets_so_many_messages_in_ten_minutes_at_most(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    team = FakeChannel()
    it = post(posts, tmp_path, clock, "most = 3\n", rule(cooldown=0.0), channel(), team=team)
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
    with it.night.database.write():
        for start in range(0, 10_000, 500):
            Outbox.insert_many([{
                "dedup_key": str(n), "channel": "team", "recipient": "ana@example.org",
                "message_id": f"<{n}@x>", "state": "queued", "created_at": clock.now,
                "content": {"kind": "alert", "subject": f"[iop4d] alert {n}"}}
                for n in range(start, start + 500)]).execute()
    assert it.send() == 1
    ((_, notice),) = team.mails
    assert notice.subject == "[iop4d] 10000 alerts, the last: alert 9999"
    assert "and 9960 more" in notice.text
    assert len(notice.text) <= 4096


def test_a_message_whose_fate_is_unknown_is_no_part_of_a_digest(
        posts: list[Post], tmp_path: Path, clock: FakeClock) -> None:
    """It may have arrived: its repeat must carry the same id."""
    team = FakeChannel()
    it = post(posts, tmp_path, clock, rule(cooldown=0.0), channel(), team=team)
    it.fire()
    first = Outbox.get()
    Outbox.update(attempts=1).execute()  # the power failed behind the sending
    for episode in range(1, 8):
        it.fire(episode)
    it.send()
    assert [notice.kind for _, notice in team.mails] == ["digest", "alert"]
    assert team.mails[1][1].id == first.message_id


def test_quiet_hours_hold_back_all_but_what_is_urgent(posts: list[Post], tmp_path: Path,
                                                      clock: FakeClock) -> None:
    team = FakeChannel()
    urgent = rule().replace('"bright"', '"urgent"') + 'severity = "critical"\n'
    # The clock stands at 22:13 UTC, which is 23:13 in Madrid.
    it = post(posts, tmp_path, clock, 'quiet = "23:00-08:00"\nquiet_zone = "Europe/Madrid"\n',
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
    assert Outbox.get().not_before == clock.now + 77.0
