"""Sends what lies in the outbox: at least once, with retries; a dead channel holds up no other."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable
from typing import ParamSpec, Protocol, TypeVar

from peewee import fn

from iop4d.alerts.channels import Sender, SendError, sender_of
from iop4d.alerts.message import build, one_line
from iop4d.config import Site
from iop4d.model.work import PlotRequest
from iop4d.store.database import Database
from iop4d.store.events import emit
from iop4d.store.schema import Outbox

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
_LONGEST_PAUSE = 5.0  # seconds between looks at the outbox
_DAY = 86400.0


class RunDb(Protocol):
    """Runs a function on the thread that owns the database."""

    def __call__(self, function: Callable[P, T], *args: P.args,
                 **kwargs: P.kwargs) -> Awaitable[T]: ...


class Relay:
    """Sends due messages. First sent, then marked: after a crash between the two a message goes
    out again, under the same Message-ID."""

    def __init__(self, *, database: Database, run_db: RunDb, site: Site,
                 clock: Callable[[], float],
                 plot: Callable[[PlotRequest], Awaitable[bytes | None]]) -> None:
        self._database = database
        self._run_db = run_db
        self._settings = site.alerts
        self._channels = {channel.name: channel for channel in site.channel}
        self._senders: dict[str, Sender] = {
            channel.name: sender_of(channel, timeout=site.alerts.timeout)
            for channel in site.channel}
        self._clock = clock
        self._plot = plot

    async def run(self, stop: asyncio.Event, wake: asyncio.Event) -> None:
        """Send until told to stop; ``wake`` is set when there may be something new."""
        while not stop.is_set():
            wake.clear()
            try:
                await self.send_due()
            # A message that cannot be built or a database that is locked must not end the relay:
            # it is told, and the next look comes.
            except Exception:
                log.exception("sending messages failed")
            pause = await self._pause()
            waits = [asyncio.create_task(event.wait()) for event in (stop, wake)]
            await asyncio.wait(waits, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
            for task in waits:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def send_due(self) -> int:
        """Send what is due; how many were taken by their servers."""
        rows = await self._run_db(self._due)
        by_channel: dict[str, list[Outbox]] = {}
        for row in rows:
            by_channel.setdefault(row.channel, []).append(row)
        sent = await asyncio.gather(*(self._send_all(channel, some)
                                      for channel, some in by_channel.items()))
        return sum(sent)

    async def _send_all(self, channel: str, rows: list[Outbox]) -> int:
        """The messages of one channel, in order; when the whole channel is dead the rest waits."""
        sent = 0
        for number, row in enumerate(rows):
            try:
                await self._send(channel, row)
            except SendError as error:
                log.warning("message to %s through %s: %s", row.recipient, channel, error)
                behind = rows[number + 1:] if error.whole_channel else []
                await self._run_db(self._failed, row, error, behind)
                if error.whole_channel:
                    break
            else:
                await self._run_db(self._sent, row)
                sent += 1
        return sent

    async def _send(self, name: str, row: Outbox) -> None:
        if name not in self._channels:
            raise SendError(f"the site file has no channel '{name}' any more", permanent=True)
        message = build(row.content, channel=self._channels[name], recipient=row.recipient,
                        message_id=row.message_id, plot=await self._picture(row))
        await self._senders[name].send(message, row.recipient)

    async def _picture(self, row: Outbox) -> bytes | None:
        """The plot; a message goes without one rather than not at all."""
        content = row.content
        if not content["light_curve"]:
            return None
        threshold = float(content["condition"].split()[-1])
        try:
            return await self._plot(PlotRequest(
                title=f"{content['source']} {content['band']}", band=content["band"],
                points=tuple((p[0], p[1], p[2]) for p in content["light_curve"]),
                highlight_jd=content["points"][-1]["jd"], threshold=threshold))
        except (OSError, RuntimeError, ValueError):
            log.exception("no plot for a message")
            return None

    # The rows.

    def _due(self) -> list[Outbox]:
        with self._database.connected():
            return list(Outbox.select().where(
                (Outbox.state == "queued") & (Outbox.not_before <= self._clock()))
                .order_by(Outbox.id).limit(100))

    async def _pause(self) -> float:
        def soonest() -> float | None:
            with self._database.connected():
                due: float | None = Outbox.select(fn.MIN(Outbox.not_before)).where(
                    Outbox.state == "queued").scalar()
                return due
        due = await self._run_db(soonest)
        if due is None:
            return _LONGEST_PAUSE
        return min(max(due - self._clock(), 0.05), _LONGEST_PAUSE)

    def _sent(self, row: Outbox) -> None:
        now = self._clock()
        with self._database.write():
            Outbox.update(state="sent", sent_at=now, last_error="", attempts=Outbox.attempts + 1
                          ).where(Outbox.id == row.id).execute()
            emit("mail", now, id=row.id, recipient=row.recipient)

    def _failed(self, row: Outbox, error: SendError, behind: list[Outbox]) -> None:
        now = self._clock()
        attempts = row.attempts + 1
        given_up = error.permanent or now - row.created_at > self._settings.give_up * _DAY
        pause = min(self._settings.retry_first * 2.0 ** min(attempts - 1, 30),
                    self._settings.retry_longest) * random.uniform(0.8, 1.2)
        with self._database.write():
            Outbox.update(state="failed" if given_up else "queued", attempts=attempts,
                          not_before=now + pause, last_error=one_line(str(error), 1000)
                          ).where(Outbox.id == row.id).execute()
            if behind:
                Outbox.update(not_before=now + pause).where(
                    Outbox.id.in_([other.id for other in behind])).execute()
            if given_up:
                emit("mail-failed", now, id=row.id, recipient=row.recipient, reason=str(error))
