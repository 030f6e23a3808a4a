"""An archive on a server is polled: listed by night, what stands still fetched, and delivered.

Which files are here is known from these files and from the ledger, so a crash at any moment costs
no more than the end of a transfer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import date
from pathlib import Path
from typing import Any

from iop4d.archives.download import left_behind, settled
from iop4d.archives.download_queue import FULL, DownloadQueue
from iop4d.archives.kept_sessions import IDLE, Connect, KeptSessions
from iop4d.archives.known import KnownFiles, Recall
from iop4d.archives.night_listings import NightListings
from iop4d.archives.nights import observes, pause_of
from iop4d.archives.retry import Breaker
from iop4d.archives.session import LoginError, RemoteError
from iop4d.archives.standing import Standing
from iop4d.archives.survey import WantedFile
from iop4d.config import ServerArchive
from iop4d.instruments.telescopes import Telescope, night_of
from iop4d.model.errors import ConfigError
from iop4d.model.frame import CompleteFile
from iop4d.model.units import jd_of_unix

log = logging.getLogger(__name__)

Deliver = Callable[[str, list[CompleteFile]], Awaitable[None]]

_FULL_PAUSE = 60.0  # seconds until the next try when the disk is full
_SHORTEST = 0.05  # seconds between looks


class PolledServer:
    """Polls one server and delivers each frame once it is here.

    ``known`` holds (size, mtime) of the files that were delivered before, by local path; ``recall``
    gives more of them, part by part, before the first look.
    ``telescope``: where the frames come from, None if unknown; ``connect``: opens a session.
    """

    def __init__(self, *, archive: ServerArchive, known: KnownFiles, deliver: Deliver,
                 telescope: Telescope | None, connect: Connect,
                 clock: Callable[[], float] = time.time, breaker: Breaker | None = None,
                 short: Callable[[], str] = str, recall: Recall | None = None) -> None:
        self._archive = archive
        self._short = short  # why nothing is to be fetched now, the disk being full, say
        self._known = known
        self._recall = recall
        self._deliver = deliver
        self._telescope = telescope
        self._clock = clock
        self._breaker = breaker or Breaker()
        self._standing = Standing(archive.settle)
        self._sessions = KeptSessions(archive, connect)
        self._listings = NightListings(
            archive=archive, sessions=self._sessions, known=known, standing=self._standing,
            tonight=self.tonight, tick=self._tick)
        self._downloads = DownloadQueue(
            archive=archive, sessions=self._sessions, standing=self._standing,
            hand_over=self._came, tick=self._tick)
        self._backlog: set[str] = set()  # what was there at the first look
        self._state, self._reason = "starting", ""
        self._looked_here = False
        self._paused = ""
        self._last_look_at: float | None = None
        self.ticked_at = time.monotonic()  # of the loop, for whoever watches over it

    @property
    def interval(self) -> float:
        """Seconds within which the loop ticks, when all is well."""
        archive = self._archive
        return max(archive.poll_interval, archive.poll_interval_day, archive.timeout)

    @property
    def status(self) -> dict[str, Any]:
        """The archive's state, for people."""
        a = self._archive
        left = self._breaker.wait(time.monotonic())
        return {
            "name": a.name, "path": str(a.path), "telescope": a.telescope,
            "state": self._state, "reason": self._reason, "kind": a.kind,
            "watch": f"{a.kind}://{a.host}", "files": len(self._known),
            "settling": len(self._standing), "queue": self._downloads.waiting,
            "fetching": self._downloads.running,
            "failing": {name: f"{'once' if f.count == 1 else f'{f.count} times'}: {f.reason}"
                        for name, f in self._standing.failures.items()},
            "breaker": f"open, next attempt in {left:.0f} s after {self._breaker.failures} failures"
            if self._breaker.is_open else "closed",
            "cut_off": dict(self._listings.cut_off),
            "observing": observes(a, self._telescope, self._clock()),
            "last_scan_at": self._last_look_at, "fetched": self._downloads.fetched,
            "bytes": self._downloads.bytes, "skipped_lines": self._listings.skipped_lines,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until told to stop."""
        stopping = asyncio.create_task(stop.wait(), name=f"archive {self._archive.name} stop")
        try:
            await self._remember()
            while not stop.is_set():
                look = asyncio.create_task(self._try_to_look(), name=f"look {self._archive.name}")
                await asyncio.wait({look, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not look.done():
                    look.cancel()
                    await asyncio.wait({look})
                    break
                pause = look.result()
                await self._idle(stopping, pause)
        finally:
            stopping.cancel()
            await self._sessions.close()

    def _tick(self) -> None:
        self.ticked_at = time.monotonic()

    async def _remember(self) -> None:
        """Learn what was delivered before."""
        if self._recall is not None:
            async for part in self._recall():
                self._known.add(part)
                self._tick()
        self._listings.remember()

    async def _idle(self, stopping: asyncio.Task[bool], pause: float) -> None:
        if pause > IDLE:
            await self._sessions.close()
        ends = time.monotonic() + max(pause, _SHORTEST)
        while (left := ends - time.monotonic()) > 0 and not stopping.done():
            self._tick()
            await asyncio.wait({stopping}, timeout=min(left, 5.0))

    async def _try_to_look(self) -> float:
        """Look once; seconds until the next look."""
        self._tick()
        try:
            soon = await self._look()
        except (RemoteError, ConfigError) as error:
            await self._sessions.close()
            pause = self._breaker.failed(time.monotonic(),
                                         login=isinstance(error, LoginError | ConfigError))
            self._degrade(f"{error}; next attempt in {pause:.0f} s")
            return pause
        except OSError as error:
            await self._sessions.close()
            full = error.errno in FULL
            self._degrade(f"cannot write to the local folder: {error}")
            return _FULL_PAUSE if full else self._breaker.failed(time.monotonic())
        # Whatever else goes wrong is told, and ends neither the watch nor the daemon.
        except Exception as error:
            await self._sessions.close()
            log.exception("archive %s: polling failed", self._archive.name)
            self._degrade(f"{type(error).__name__}: {error}")
            return self._breaker.failed(time.monotonic())
        self._breaker.succeeded()
        if self._state not in ("ok", "paused"):
            log.info("archive %s: %s answers", self._archive.name, self._archive.host)
        self._state, self._reason = ("paused", self._paused) if self._paused else ("ok", "")
        pause = pause_of(self._archive, self._telescope, self._clock())
        return min(pause, max(self._archive.settle, _SHORTEST)) if soon else pause

    async def _look(self) -> bool:
        """List the nights that are due and fetch what is complete; whether more stands to settle.
        """
        if not self._looked_here:
            await self._deliver_what_lies_here()
            self._looked_here = True
        files, nights = await self._listings.look()
        if self._last_look_at is None:
            self._backlog = {file.remote for file in files}
        self._last_look_at = self._clock()
        ready = self._standing.take(files, nights, time.monotonic())
        self._paused = self._short()
        if not self._paused:
            await self._downloads.fetch(ready)
        return bool(self._standing.nights(time.monotonic()))

    def tonight(self) -> date:
        """The present night, local noon to noon."""
        jd = jd_of_unix(self._clock())
        return date.fromisoformat(night_of(jd, self._telescope or Telescope(name="")))

    async def _came(self, file: WantedFile) -> None:
        """A file of the server is in its place here."""
        await self._hand_over([file.local], announced=file.remote not in self._backlog
                              and file.night == self.tonight())
        if self._listings.tells_minutes:
            self._standing.compare_later(file.remote, time.monotonic())

    async def _hand_over(self, paths: list[Path], *, announced: bool) -> None:
        found = await asyncio.to_thread(settled, paths, self._clock(), announced=announced,
                                        read_only=self._archive.make_read_only)
        await self._deliver(self._archive.name, found)
        self._known.update({str(f.path): (f.size, f.mtime_ns) for f in found})

    async def _deliver_what_lies_here(self) -> None:
        """Files that were fetched, and not delivered before a crash or while nobody ran."""
        paths = await asyncio.to_thread(left_behind, self._archive, self._known)
        if paths:
            log.info("archive %s: %d downloaded files were not processed before; processing "
                     "them now", self._archive.name, len(paths))
            await self._hand_over(paths, announced=False)

    def _degrade(self, reason: str) -> None:
        if self._state != "degraded" or reason.partition(";")[0] not in self._reason:
            log.error("archive %s (%s): %s", self._archive.name, self._archive.host, reason)
        self._state, self._reason = "degraded", reason
