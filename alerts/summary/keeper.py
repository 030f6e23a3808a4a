"""Sees to it that every night gets its summary, once, whatever dies and starts again.

Asked every minute, by a clock of UTC. What is due follows from the sun and from the rows that are
there, not from what was scheduled: so a restart, a loop that hung for hours or a clock that was set
change nothing but the time. The row of a night and its letters are one transaction.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from functools import cache, partial

from iop4d.alerts.relay import RunDb
from iop4d.alerts.summary import post
from iop4d.alerts.summary.alerted import BEGAN
from iop4d.alerts.summary.facts import Facts
from iop4d.alerts.summary.gather import gather
from iop4d.alerts.summary.plots import plot_requests
from iop4d.alerts.summary.when import end_of_night, nights_due
from iop4d.config import Site
from iop4d.instruments.telescopes import Telescope
from iop4d.model.messages import NightPlotRequest
from iop4d.store.database import Database
from iop4d.store.schema import Meta, Summary

log = logging.getLogger(__name__)

_PLOT_WAIT = 60.0  # seconds that a plot may take, then the summary goes without it
_ATTEMPTS = 3  # at a night that cannot be summed up; then people are told that

Plot = Callable[[NightPlotRequest], Awaitable[bytes | None]]


class Keeper:
    """Makes the summaries of a site. ``wake`` is called when there are new letters.

    ``run_db`` runs a function on the thread that owns the database, ``plot`` draws elsewhere.
    """

    def __init__(self, *, site: Site, database: Database, telescopes: Sequence[Telescope],
                 clock: Callable[[], float], run_db: RunDb, plot: Plot,
                 wake: Callable[[], None] = lambda: None) -> None:
        self._site = site
        self._database = database
        self._clock = clock
        self._run_db = run_db
        self._plot = plot
        self._wake = wake
        self._looking = asyncio.Lock()
        self._attempts: Counter[str] = Counter()
        self.end = cache(partial(end_of_night, telescopes=tuple(telescopes),
                                 at=site.summary.send_at))

    async def look(self) -> list[str]:
        """Make the summaries that are due; the nights of those that were made."""
        made = []
        async with self._looking:
            for night in await self._run_db(self.due, self._clock()):
                if await self._guarded(night):
                    made.append(night.isoformat())  # noqa: PERF401 - one after the other
        if made:
            self._wake()
        return made

    def due(self, now: float) -> list[date]:
        """The nights whose summary is due, the oldest first; on the database's thread."""
        with self._database.write():
            post.settle()
            since = _since(now)
            known = {night for (night,) in Summary.select(Summary.night).tuples()}
        return nights_due(now, end=self.end, made=known, since=since,
                          most=self._site.summary.max_late_nights)

    async def make(self, night: date) -> bool:
        """Make a night's summary; whether it was not there yet."""
        facts, requests = await self._run_db(self._gather, night)
        pictures = {}
        for source, request in requests:
            png = await self._draw(source, request)
            if png is not None:
                pictures[source] = await self._run_db(
                    post.keep_picture, self._site.root, facts.night, source, png)
        return await self._run_db(self._commit, post.with_pictures(facts, pictures))

    async def _guarded(self, night: date) -> bool:
        name = night.isoformat()
        try:
            made = await self.make(night)
        # A night that cannot be summed up (a number that no template foresaw, a full disk) must
        # not keep the later ones from theirs. It is tried again, then people are told.
        except Exception as error:
            log.exception("the summary of the night %s could not be made", name)
            self._attempts[name] += 1
            if self._attempts[name] < _ATTEMPTS:
                return False
            reason = f"{type(error).__name__}: {error}; the log has the trace"
            made = await self._run_db(self._commit, self._bare(night, reason))
        if made:
            log.info("the summary of the night %s is made", name)
        return made

    def _gather(self, night: date) -> tuple[Facts, list[tuple[str, NightPlotRequest]]]:
        with self._database.connected():
            facts = gather(self._site, night.isoformat(), now=self._clock(),
                           since=self.end(night - timedelta(days=1)), until=self.end(night))
            plots = plot_requests(facts.night) if self._site.summary.plots else ()
            return facts, list(plots)

    def _bare(self, night: date, reason: str) -> Facts:
        info = self._site.site
        return Facts(night=night.isoformat(), site=info.name, url=info.url.rstrip("/"),
                     since=self.end(night - timedelta(days=1)), until=self.end(night),
                     made_at=self._clock(), trouble=reason)

    async def _draw(self, source: str, request: NightPlotRequest) -> bytes | None:
        try:
            async with asyncio.timeout(_PLOT_WAIT):
                return await self._plot(request)
        except TimeoutError:
            log.warning("the summary of %s goes without the plot of %s: it took too long",
                        request.night, source)
            return None

    def _commit(self, facts: Facts) -> bool:
        with self._database.write():
            known = Summary.select().where(Summary.night == facts.night).exists()
            post.post(self._site, facts, now=self._clock())
        return not known


def _since(now: float) -> float:
    """When the site first asked for summaries; noted then. Nights that ended before have none."""
    row = Meta.get_or_none(Meta.key == BEGAN)
    if row is not None and row.value <= now:
        return float(row.value)
    # The first time, or a clock that was ahead at the first time.
    Meta.replace(key=BEGAN, value=now).execute()
    return now
