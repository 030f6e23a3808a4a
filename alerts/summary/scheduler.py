"""Makes the summary of every night once, whatever dies and starts again.

Run every minute, by a clock of UTC. What is due follows from the sun and from the rows that are
there, not from what was scheduled: so a restart, a loop that hung for hours or a clock that was set
change nothing but the time. The row of a night and its messages are one transaction. Times are Unix
seconds.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable, Container, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, partial
from typing import Any

from iop4d.alerts.summary import write
from iop4d.alerts.summary.facts import NightSummary
from iop4d.alerts.summary.gather import gather
from iop4d.alerts.summary.plots import plot_requests
from iop4d.config import Site
from iop4d.instruments.telescopes import Telescope, sun_altitude_deg
from iop4d.model.messages import NightPlotRequest
from iop4d.model.units import SECONDS_A_DAY
from iop4d.store import summaries
from iop4d.store.database import Connection, Transaction
from iop4d.store.thread import DatabaseThread

log = logging.getLogger(__name__)

_PLOT_WAIT = 60.0  # seconds that a plot may take, then the summary goes without it
_ATTEMPTS = 3  # at a night that cannot be summed up; then people are notified of that
#: Altitudes of the sun that end a night, the first that it reaches: the end of astronomical or
#: else of nautical twilight.
_ENDS_DEG = (-18.0, -12.0)
_STEP = 300.0  # seconds between the altitudes among which the lowest is looked for
_EXACT = 1.0  # seconds to which the end of twilight is found
_NOON = "12:00"

Plot = Callable[[NightPlotRequest], Awaitable[bytes | None]]


class SummaryScheduler:
    """Makes the summaries of a site. ``wake`` is called when there are new messages; ``plot``
    draws in a worker."""

    def __init__(self, *, site: Site, database: DatabaseThread, telescopes: Sequence[Telescope],
                 clock: Callable[[], float], plot: Plot,
                 wake: Callable[[], None] = lambda: None) -> None:
        self._site = site
        self._database = database
        self._clock = clock
        self._plot = plot
        self._wake = wake
        self._running = asyncio.Lock()
        self._attempts: Counter[str] = Counter()
        self.end = cache(partial(end_of_night, telescopes=tuple(telescopes),
                                 at=site.summary.send_at))

    async def run_once(self) -> list[str]:
        """Make the summaries that are due; the nights of those that were made."""
        made = []
        async with self._running:
            for night in await self._database.write(self._due, self._clock()):
                if await self._guarded(night):
                    made.append(night.isoformat())  # noqa: PERF401 - one after the other
        if made:
            self._wake()
        return made

    async def make(self, night: date) -> bool:
        """Make a night's summary; whether it was not there yet."""
        summary, requests = await self._database.read(self._gather, night)
        pictures = {}
        for source, request in requests:
            png = await self._draw(source, request)
            if png is not None:
                pictures[source] = await self._database.run(
                    write.save_picture, self._site.root, summary.night, source, png)
        return await self._database.write(self._commit, write.with_pictures(summary, pictures))

    def _due(self, tx: Transaction, now: float) -> list[date]:
        """The nights whose summary is due, the oldest first."""
        summaries.settle(tx)
        since = summaries.began_by(tx, now)
        return nights_due(now, end=self.end, made=summaries.nights(tx, now), since=since,
                          most=self._site.summary.max_late_nights)

    async def _guarded(self, night: date) -> bool:
        name = night.isoformat()
        try:
            made = await self.make(night)
        # A night that cannot be summed up (a number that no template foresaw, a full disk) must
        # not keep the later ones from theirs. It is tried again, then people are notified.
        except Exception as error:
            log.exception("the summary of the night %s could not be made", name)
            self._attempts[name] += 1
            if self._attempts[name] < _ATTEMPTS:
                return False
            reason = f"{type(error).__name__}: {error}; the log has the traceback"
            made = await self._database.write(self._commit, self._bare(night, reason))
        if made:
            log.info("made the summary of the night %s", name)
        return made

    def _gather(self, db: Connection,
                night: date) -> tuple[NightSummary, list[tuple[str, NightPlotRequest]]]:
        summary = gather(db, self._site, night.isoformat(), now=self._clock(),
                         since=self.end(night - timedelta(days=1)), until=self.end(night))
        plots = plot_requests(db, summary.night) if self._site.summary.plots else ()
        return summary, list(plots)

    def _bare(self, night: date, reason: str) -> NightSummary:
        info = self._site.site
        return NightSummary(
            night=night.isoformat(), site=info.name, url=info.url.rstrip("/"),
            since=self.end(night - timedelta(days=1)), until=self.end(night),
            made_at=self._clock(), trouble=reason)

    async def _draw(self, source: str, request: NightPlotRequest) -> bytes | None:
        try:
            async with asyncio.timeout(_PLOT_WAIT):
                return await self._plot(request)
        except TimeoutError:
            log.warning("the summary of %s has no plot of %s: drawing timed out after %.0f s",
                        request.night, source, _PLOT_WAIT)
            return None

    def _commit(self, tx: Transaction, summary: NightSummary) -> bool:
        old, now = summaries.of_night(tx, summary.night), self._clock()
        early = old is not None and summaries.is_of_future(old.made_at, now)
        if old is not None and early and write.says_the_same(summary, old.facts):
            summaries.stands(tx, summary.night, now)
            return False
        write.post(tx, self._site, summary, now=now, again="clock set back" if early else "")
        return old is None or early


# When a night ends, and of which nights the summary is due.


def telescopes_of(site: Site, known: Iterable[Telescope]) -> tuple[Telescope, ...]:
    """The telescopes by which a site's nights end: those that its archives and cameras name.

    Where none is named, or none of them is known, all that are known.
    """
    telescopes = {telescope.name: telescope for telescope in known}
    named = [archive.telescope for archive in site.archive]
    named += [camera.telescope for camera in site.camera]
    found = {name: telescopes[name] for name in named if name in telescopes}
    return tuple((found or telescopes).values())


def with_those_of(telescopes: Sequence[Telescope],
                  beats: Mapping[str, Mapping[str, Any]]) -> tuple[Telescope, ...]:
    """Those of a site, and those of the other daemons that share its database, by the heartbeats:
    a night is over when it is at all of them."""
    others = [Telescope(name=name, latitude_deg=latitude, longitude_deg=longitude)
              for beat in beats.values()
              for name, latitude, longitude in beat.get("telescopes", ())]
    found = {one.name: one for one in (*others, *telescopes)}
    return tuple(found.values())


def end_of_night(night: date, telescopes: Sequence[Telescope], at: str = "") -> float:
    """When a night is over at all telescopes: at the hour ``at`` of UTC, or as twilight ends it.

    Where the place of no telescope is known, at 12:00 UTC.
    """
    placed = [telescope for telescope in telescopes if telescope.is_placed]
    if at or not placed:
        west = min((t.longitude_deg for t in placed), default=0.0)
        return _next_time(_midnight(night, west), at or _NOON)
    return max(_dawn(night, telescope) for telescope in placed)


def _midnight(night: date, longitude_deg: float) -> float:
    """Local mean midnight of the night that began in the evening of ``night``."""
    begin = datetime.combine(night, time(), tzinfo=UTC).timestamp()
    return begin + SECONDS_A_DAY - longitude_deg / 360.0 * SECONDS_A_DAY


def _next_time(after: float, at: str) -> float:
    hour, minute = map(int, at.split(":"))
    moment = datetime.fromtimestamp(after, UTC).replace(hour=hour, minute=minute, second=0,
                                                        microsecond=0)
    return (moment if moment.timestamp() >= after else moment + timedelta(days=1)).timestamp()


def _dawn(night: date, telescope: Telescope) -> float:
    """The end of astronomical twilight; where there is none, of nautical twilight.

    Where the sun does not get so low, its lowest; where it stays as low all day, 12:00 UTC.
    """
    midnight = _midnight(night, telescope.longitude_deg)

    def altitude(moment: float) -> float:
        return sun_altitude_deg(moment, telescope.latitude_deg, telescope.longitude_deg)

    # The true midnight is within 17 minutes of the mean one.
    lowest = min((midnight + n * _STEP for n in range(-6, 7)), key=altitude)
    noon = midnight + SECONDS_A_DAY / 2
    for end in _ENDS_DEG:
        if altitude(lowest) < end:
            if altitude(noon) <= end:
                return _next_time(midnight, _NOON)
            return _rise(altitude, end, lowest, noon)
    return lowest


def _rise(altitude: Callable[[float], float], end: float, below: float, above: float) -> float:
    """When the sun, below an altitude at one moment and above it at a later one, reaches it."""
    while above - below > _EXACT:
        middle = (below + above) / 2.0
        below, above = (middle, above) if altitude(middle) < end else (below, middle)
    return float(math.ceil(above))


def last_ended(now: float, end: Callable[[date], float]) -> date:
    """The latest night that is over."""
    night = datetime.fromtimestamp(now, UTC).date() + timedelta(days=1)
    while end(night) > now:
        night -= timedelta(days=1)
    return night


def nights_due(now: float, *, end: Callable[[date], float], made: Container[str], since: float,
               most: int) -> list[date]:
    """The nights that are over and have no summary yet, the oldest first.

    Nights that ended before ``since``, when the site began, have none, and ``most`` is how many
    back are made up for. Which are made is asked night by night: a clock that once went wrong, and
    left a night of the future, must not silence those to come.
    """
    last = last_ended(now, end)
    nights = [last - timedelta(days=back) for back in reversed(range(most))]
    return [night for night in nights if end(night) >= since and night.isoformat() not in made]
