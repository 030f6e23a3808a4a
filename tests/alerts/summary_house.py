"""A site on which summaries are due, and the channels that get them."""

from __future__ import annotations

import asyncio
from typing import Any

from iop4d.alerts.channels.base import Notice
from iop4d.alerts.relay import Relay
from iop4d.alerts.summary.scheduler import SummaryScheduler
from iop4d.config import Site
from iop4d.instruments.telescopes import T090, T220
from iop4d.model.messages import NightPlotRequest, PlotRequest
from iop4d.store.database import Database
from iop4d.store.schema import Outbox, Summary
from tests.alerts.bench import PNG
from tests.conftest import FakeClock
from tests.support.inline_database import InlineDatabase


async def plot(_: NightPlotRequest) -> bytes | None:
    await asyncio.sleep(0)
    return PNG


async def no_plot(_: PlotRequest) -> bytes | None:
    await asyncio.sleep(0)
    return None


class FakeChannel:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, Notice]] = []

    async def send(self, notice: Notice, recipient: str) -> None:
        await asyncio.sleep(0)
        self.mails.append((recipient, notice))


class House:
    """A site's database with its scheduler, which can be started again."""

    def __init__(self, site: Site, clock: FakeClock, **more: Any) -> None:
        self.site, self.clock = site, clock
        self.database = Database(site.database)
        self.channel = FakeChannel()
        self.wakes = 0
        self.start(**more)

    def start(self, **more: Any) -> None:
        """The daemon begins: nothing is left of the one before but the database and the files."""
        self.scheduler = SummaryScheduler(**{
            "site": self.site, "database": InlineDatabase(self.database), "clock": self.clock,
            "telescopes": (T220, T090), "plot": plot, "wake": self._wake} | more)

    def _wake(self) -> None:
        self.wakes += 1

    def look(self) -> list[str]:
        return asyncio.run(self.scheduler.run_once())

    def send(self) -> int:
        relay = Relay(database=InlineDatabase(self.database), site=self.site,
                      clock=self.clock, plot=no_plot, channels={"team": self.channel})
        return asyncio.run(relay.send_due())

    def nights(self) -> list[str]:
        return [row.night for row in self.summaries()]

    def summaries(self) -> list[Summary]:
        with self.database.read() as db:
            return list(db.select(Summary).order_by(Summary.night))

    def messages(self) -> list[Outbox]:
        with self.database.read() as db:
            return list(db.select(Outbox).order_by(Outbox.id))
