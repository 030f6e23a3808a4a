"""An archive on a server: looked at by night, its frames fetched, resumed, checked, delivered.

One polite session is kept for all looks; a few more are opened while several files are fetched. A
file is taken when two looks agree on its size and time. What is here is told by the files here and
by the ledger, so a crash at any moment costs no more than the end of a transfer.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from iop4d.archives.download import Limiter, download, left_behind, settled
from iop4d.archives.nights import folder_of, observes, pause_of
from iop4d.archives.retry import Breaker
from iop4d.archives.session import (
    LoginError,
    PathError,
    RemoteError,
    Session,
    TransferError,
)
from iop4d.archives.survey import Known, WantedFile, above_nights, is_here, is_known, wanted_of
from iop4d.config import ServerArchive
from iop4d.instruments.telescopes import Telescope, night_of
from iop4d.model.errors import ConfigError
from iop4d.model.frame import CompleteFile
from iop4d.model.units import jd_of_unix

log = logging.getLogger(__name__)

Connect = Callable[[ServerArchive], Awaitable[Session]]
Deliver = Callable[[str, list[CompleteFile]], Awaitable[None]]

_OLD_NIGHTS = 600.0  # seconds between looks at nights before the present one
_KEEP = 300.0  # seconds of idleness over which a session is not kept: servers end it by then
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_FULL_PAUSE = 60.0  # seconds until the next try when the disk is full
_MOST_BREAKS = 3  # transfers in a row that break off, after which the server is left alone
_FIRST_PAUSE, _LONGEST_PAUSE = 15.0, 900.0  # seconds for which a file waits of which nothing came
_SHORTEST = 0.05  # seconds between looks


@dataclass(frozen=True)
class _Failure:
    """How often a file broke off; not to be tried before (monotonic seconds), and why."""

    count: int = 0
    not_before: float = 0.0
    reason: str = ""
    reached: int = 0  # bytes that were here
    idle: int = 0  # how often in a row no more came

    def again(self, reached: int, reason: str) -> _Failure:
        """Once more. A file that grows here is gone on with at the next look, another one waits."""
        idle = 0 if reached > self.reached else self.idle + 1
        pause = min(_FIRST_PAUSE * 2.0 ** (idle - 1), _LONGEST_PAUSE) if idle else 0.0
        return _Failure(count=self.count + 1, not_before=time.monotonic() + pause, reason=reason,
                        reached=max(reached, self.reached), idle=idle)


_NEVER = _Failure()


class PolledServer:
    """Polls one server and delivers each frame once it is here.

    ``known`` holds (size, mtime) of the files that were delivered before, by local path.
    ``telescope``: where the frames come from, None if unknown; ``connect``: opens a session.
    """

    def __init__(self, *, archive: ServerArchive, known: Known, deliver: Deliver,
                 telescope: Telescope | None, connect: Connect,
                 clock: Callable[[], float] = time.time, breaker: Breaker | None = None,
                 short: Callable[[], str] = str) -> None:
        self._archive = archive
        self._short = short  # why nothing is to be fetched now, the disk being full, say
        self._known = known
        self._deliver = deliver
        self._telescope = telescope
        self._connect = connect
        self._clock = clock
        self._breaker = breaker or Breaker()
        self._limiter = Limiter(archive.max_kb_per_s * 1000.0) if archive.max_kb_per_s else None
        self._session: Session | None = None
        self._standing: dict[str, tuple[tuple[int, float | None], float]] = {}
        self._failures: dict[str, _Failure] = {}
        self._reached: dict[str, int] = {}  # bytes of files that broke off
        self._backlog: set[str] = set()  # what was there at the first look
        self._fetching: dict[str, list[int]] = {}  # name: bytes that came, bytes in all
        self._old_nights_at = -1e9
        self._waiting = 0
        self._state, self._reason = "starting", ""
        self._looked_here = False
        self._paused = ""
        self._folders = 0
        self._counts = {"fetched": 0, "bytes": 0, "skipped_lines": 0}
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
            "settling": len(self._standing), "queue": self._waiting,
            "fetching": {name: f"{100 * done // max(size, 1)} %"
                         for name, (done, size) in self._fetching.items()},
            "failing": {name: f"{f.count} times: {f.reason}"
                        for name, f in self._failures.items()},
            "breaker": f"open, next attempt in {left:.0f} s after {self._breaker.failures} failures"
            if self._breaker.is_open else "closed",
            "observing": observes(a, self._telescope, self._clock()),
            "last_scan_at": self._last_look_at, **self._counts,
        }

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until told to stop."""
        stopping = asyncio.create_task(stop.wait(), name=f"archive {self._archive.name} stop")
        try:
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
            await self._hang_up()

    async def _idle(self, stopping: asyncio.Task[bool], pause: float) -> None:
        if pause > _KEEP:
            await self._hang_up()
        ends = time.monotonic() + max(pause, _SHORTEST)
        while (left := ends - time.monotonic()) > 0 and not stopping.done():
            self.ticked_at = time.monotonic()
            await asyncio.wait({stopping}, timeout=min(left, 5.0))

    async def _try_to_look(self) -> float:
        """Look once; seconds until the next look."""
        self.ticked_at = time.monotonic()
        try:
            soon = await self._look()
        except (RemoteError, ConfigError) as error:
            await self._hang_up()
            pause = self._breaker.failed(time.monotonic(),
                                         login=isinstance(error, LoginError | ConfigError))
            self._degrade(f"{error}; next attempt in {pause:.0f} s")
            return pause
        except OSError as error:
            await self._hang_up()
            full = error.errno in _FULL
            self._degrade(f"cannot write to the local folder: {error}")
            return _FULL_PAUSE if full else self._breaker.failed(time.monotonic())
        # Whatever else goes wrong is told, and ends neither the watch nor the daemon.
        except Exception as error:
            await self._hang_up()
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
        files = [f for f in await self._list_nights() if not is_known(f, self._known)]
        if self._last_look_at is None:
            self._backlog = {file.remote for file in files}
        self._last_look_at = self._clock()
        ready, settling = [], {}
        now = time.monotonic()
        for file in files:
            stamp, since = self._standing.get(file.remote, (file.stamp, now))
            if stamp != file.stamp:
                since = now
            settling[file.remote] = (file.stamp, since)
            stands = now - since >= self._archive.settle
            if stands and now >= self._failures.get(file.remote, _NEVER).not_before:
                ready.append(file)
        self._standing = settling
        self._failures = {name: f for name, f in self._failures.items() if name in settling}
        self._paused = self._short()
        if not self._paused:
            await self._fetch_all(ready)
        return bool(self._standing)

    # Listing.

    def nights(self) -> list[date]:
        """The nights to look at now, the present one first."""
        tonight = self.tonight()
        nights = [tonight]
        if time.monotonic() - self._old_nights_at >= _OLD_NIGHTS or self._standing:
            nights += [tonight - timedelta(days=k)
                       for k in range(1, self._archive.lookback_nights + 1)]
        return nights

    def tonight(self) -> date:
        """The present night, local noon to noon."""
        jd = jd_of_unix(self._clock())
        return date.fromisoformat(night_of(jd, self._telescope or Telescope(name="")))

    async def _list_nights(self) -> list[WantedFile]:
        files: list[WantedFile] = []
        nights = self.nights()
        self._folders = 0
        for night in nights:
            files += await self._list(night)
            self.ticked_at = time.monotonic()
        if len(nights) > self._archive.lookback_nights and not self._folders:
            await self._check_parent()
        if len(nights) > 1:
            self._old_nights_at = time.monotonic()
        return files

    async def _list(self, night: date) -> list[WantedFile]:
        """What is wanted of a night; nothing of one that is not there (yet)."""
        folder = folder_of(self._archive.night_folder, night)
        kept = self._session is not None
        try:
            listing = await (await self._connected()).list(folder)
        except PathError:
            return []
        except RemoteError:
            if not kept:
                raise
            # A kept session may have been ended by the server meanwhile: once more, with a new one.
            await self._hang_up()
            try:
                listing = await (await self._connected()).list(folder)
            except PathError:
                return []
        self._folders += 1
        if listing.skipped:
            self._counts["skipped_lines"] += listing.skipped
            log.warning("archive %s: %d lines of the listing of %s cannot be parsed, such as %s",
                        self._archive.name, listing.skipped, folder, ", ".join(listing.examples))
        return await asyncio.to_thread(wanted_of, self._archive, night, listing)

    async def _check_parent(self) -> None:
        """No night has a folder: raises PathError if there is not even one that could hold them."""
        above = above_nights(self._archive)
        try:
            await (await self._connected()).list(above or ".")
        except PathError as error:
            raise PathError(f"folder {above} not found on {self._archive.host}; check the key "
                            f"'night_folder' of the archive '{self._archive.name}' "
                            f"({error})") from None

    async def _connected(self) -> Session:
        if self._session is None:
            self._session = await self._connect(self._archive)
        return self._session

    async def _hang_up(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    # Fetching.

    async def _fetch_all(self, files: list[WantedFile]) -> None:
        """Fetch files, several at a time; those that broke off before come last."""
        files.sort(key=lambda f: f.remote in self._failures)
        left = deque(files)
        self._waiting = len(left)
        helpers = [asyncio.create_task(self._help(left), name=f"fetch {self._archive.name} {n}")
                   for n in range(1, min(self._archive.parallel_downloads, len(left)))]
        try:
            await self._work_off(left)
            await asyncio.gather(*helpers)
        finally:
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            self._waiting = len(left)

    async def _work_off(self, left: deque[WantedFile]) -> None:
        """Fetch on the kept session; one file that breaks off does not hold up the others."""
        in_a_row = 0
        while left:
            try:
                await self._take(left, await self._connected())
                in_a_row = 0
            except TransferError:
                await self._hang_up()
                in_a_row += 1
                if in_a_row >= _MOST_BREAKS:
                    raise

    async def _help(self, left: deque[WantedFile]) -> None:
        """Fetch on a session of its own; a server that gives no second one is no fault."""
        try:
            session = await self._connect(self._archive)
        except RemoteError as error:
            log.info("archive %s: no second session: %s", self._archive.name, error)
            return
        try:
            with contextlib.suppress(TransferError):  # it is told; the kept session goes on
                while left:
                    await self._take(left, session)
        finally:
            await session.close()

    async def _take(self, left: deque[WantedFile], session: Session) -> None:
        """Fetch the next file; what breaks off is tried again by a later look, from where it was.
        """
        file = left.popleft()
        self._waiting = len(left)
        try:
            await self._fetch(file, session)
        except PathError as error:  # gone since it was listed, or refused; the next look tells
            self._failed(file, str(error))
        except TransferError as error:
            self._failed(file, str(error))
            raise
        except OSError as error:
            if error.errno in _FULL:
                raise
            self._failed(file, f"cannot write the local file: {error}")

    def _failed(self, file: WantedFile, reason: str) -> None:
        self._failures[file.remote] = self._failures.get(file.remote, _NEVER).again(
            self._reached.get(file.remote, 0), reason)
        log.warning("archive %s: download of %s failed: %s", self._archive.name, file.remote,
                    reason)

    async def _fetch(self, file: WantedFile, session: Session) -> None:
        """One file, to its place here; then it is delivered."""
        fetched = 0
        if not await asyncio.to_thread(is_here, file):
            await asyncio.to_thread(file.local.parent.mkdir, parents=True, exist_ok=True)
            progress = self._fetching.setdefault(file.entry.name, [0, file.entry.size])

            def came(done: int) -> None:
                progress[0] = self._reached[file.remote] = done
                self.ticked_at = time.monotonic()

            try:
                fetched = await download(session, file.remote, file.entry, file.local,
                                         limiter=self._limiter, progress=came)
            finally:
                self._fetching.pop(file.entry.name, None)
            self._counts["fetched"] += 1
            self._counts["bytes"] += fetched
        await self._hand_over([file.local], announced=file.remote not in self._backlog
                              and file.night == self.tonight())
        self._standing.pop(file.remote, None)
        self._failures.pop(file.remote, None)
        self._reached.pop(file.remote, None)

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
