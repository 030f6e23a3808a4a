"""A night whose alerts are sent by a relay to channels that are told what to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from iop4d.alerts import digest
from iop4d.alerts.channels.base import Notice, SendError
from iop4d.alerts.relay import Relay
from iop4d.config import Site
from iop4d.model.messages import PlotRequest
from iop4d.store import deliveries
from iop4d.store.lasting import Lasting
from iop4d.store.outbox import Message
from iop4d.store.schema import Event, Outbox
from iop4d.store.thread import DatabaseThread
from tests.alerts.bench import PNG, Night, channel, rule, site_of
from tests.conftest import FakeClock
from tests.support.rows import rows


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


async def plot(_: PlotRequest) -> bytes | None:
    await asyncio.sleep(0)
    return PNG


class Post:
    """A night whose alert is committed, and a relay for its mails; ``plot`` draws its pictures."""

    def __init__(self, root: Path, clock: FakeClock, *parts: str, **channels: FakeChannel) -> None:
        self.clock = clock
        self.site: Site = site_of(root, *parts)
        self.night = Night(self.site, clock)
        self.thread = DatabaseThread(Lasting(lambda: self.night.database), ThreadPoolExecutor(1))
        self.plot: Callable[[PlotRequest], Awaitable[bytes | None]] = plot
        self.relay = self.new_relay(channels or None)

    def new_relay(self, channels: dict[str, FakeChannel] | None = None) -> Relay:
        return Relay(database=self.thread, site=self.site, clock=self.clock,
                     plot=self._draw, channels=channels)

    async def _draw(self, request: PlotRequest) -> bytes | None:
        return await self.plot(request)

    def fire(self, episode: int = 0) -> None:
        start = episode * 60 * 24
        self.night.see_all([12.5, 12.5, 13.5, 13.5], start=start)

    def send(self) -> int:
        return asyncio.run(self.relay.send_due())

    def claim(self) -> Message | None:
        """What the relay would send next, claimed and left."""
        with self.night.database.write() as tx:
            return digest.claim_next(tx, "team", self.site.alerts, self.clock())

    def close(self) -> None:
        self.thread.close()
        self.night.database.close()

    def restart(self, **channels: FakeChannel) -> None:
        """The daemon begins anew: a new relay, which sends what it may."""
        async def scene() -> None:
            stop = asyncio.Event()
            task = asyncio.create_task(self.relay.run(stop, asyncio.Event()))
            await asyncio.sleep(0.2)
            stop.set()
            await asyncio.wait_for(task, 5.0)

        self.relay = self.new_relay(dict(channels))
        asyncio.run(scene())

    def undelivered(self, now: float) -> list[dict[str, Any]]:
        with self.night.database.read() as db:
            return deliveries.undelivered(db, now)

    def states(self) -> list[tuple[str, int, str]]:
        return [(m.state, m.attempts, m.last_error) for m in rows(self.night.database, Outbox)]

    def events(self, kind: str) -> list[dict[str, object]]:
        return [event.content for event in rows(self.night.database, Event, Event.kind == kind)]


TWO = channel("team", to='["ana@example.org", "ben@example.org"]')


def post(posts: list[Post], root: Path, clock: FakeClock, *parts: str,
         **channels: FakeChannel) -> Post:
    posts.append(Post(root, clock, *(parts or (rule(), TWO)), **channels))
    return posts[-1]


def many_alerts(posts: list[Post], root: Path, clock: FakeClock, team: FakeChannel,
                count: int = 7) -> Post:
    """So many alerts for one recipient at once, which make a digest."""
    it = post(posts, root, clock, rule(cooldown=0.0), channel(), team=team)
    for episode in range(count):
        it.fire(episode)
    return it
