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
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from iop4d.archives.download import Limiter, download, left_behind, settled
from iop4d.archives.known import KnownFiles, Recall
from iop4d.archives.names import printable
from iop4d.archives.nights import folder_of, observes, pause_of
from iop4d.archives.retry import Breaker
from iop4d.archives.session import (
    Listing,
    LoginError,
    PathError,
    RemoteError,
    Session,
    TakenError,
    TransferError,
)
from iop4d.archives.shifted import shifted, zone_shift
from iop4d.archives.standing import Standing, exactly
from iop4d.archives.survey import (
    WantedFile,
    above_nights,
    is_here,
    is_known,
    list_night,
    wanted_of,
)
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
_SHORTEST = 0.05  # seconds between looks
_MOST_ASKED = 50  # newest files of a look whose time is asked for where listings tell minutes only
_LONGEST_OUTAGE = 400  # nights that are made up for at most


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
        self._connect = connect
        self._clock = clock
        self._breaker = breaker or Breaker()
        self._limiter = Limiter(archive.max_kb_per_s * 1000.0) if archive.max_kb_per_s else None
        self._session: Session | None = None
        self._spare: list[tuple[Session, float]] = []  # that others used before, and until when
        self._standing = Standing(archive.settle)
        self._tells_minutes = False
        self._skipped: dict[str, int] = {}  # lines of folders that were told of
        self._cut_off: dict[str, str] = {}  # folders whose listing is not whole: what was said
        self._whole_until: date | None = None  # up to which all was looked at
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
            "failing": {name: f"{'once' if f.count == 1 else f'{f.count} times'}: {f.reason}"
                        for name, f in self._standing.failures.items()},
            "breaker": f"open, next attempt in {left:.0f} s after {self._breaker.failures} failures"
            if self._breaker.is_open else "closed",
            "cut_off": dict(self._cut_off),
            "observing": observes(a, self._telescope, self._clock()),
            "last_scan_at": self._last_look_at, **self._counts,
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
            await self._hang_up()

    async def _remember(self) -> None:
        """Learn what was delivered before."""
        if self._recall is not None:
            async for part in self._recall():
                self._known.add(part)
                self.ticked_at = time.monotonic()
        self._whole_until = _newest_night(self._archive, self._known)

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
        every = time.monotonic() - self._old_nights_at >= _OLD_NIGHTS
        nights = self._nights(every=every)
        listed = await self._list_nights(nights, every=every)
        self._follow_zone(listed)
        listed = await self._with_seconds(listed)
        files = [f for f in listed if not is_known(f, self._known)]
        if self._last_look_at is None:
            self._backlog = {file.remote for file in files}
        self._last_look_at = self._clock()
        ready = self._standing.take(files, nights, time.monotonic())
        self._paused = self._short()
        if not self._paused:
            await self._fetch_all(ready)
        return bool(self._standing.nights(time.monotonic()))

    # Listing.

    def _nights(self, *, every: bool) -> list[date]:
        """The nights to look at now, the present one first.

        With ``every`` those before it, after an outage all since; else those of files that are
        about to be fetched.
        """
        tonight = self.tonight()
        back = self._archive.lookback_nights
        if self._whole_until is not None and (tonight - self._whole_until).days > back:
            back = min((tonight - self._whole_until).days, _LONGEST_OUTAGE)
        if not every:
            return [tonight, *sorted(self._standing.nights(time.monotonic()) - {tonight},
                                     reverse=True)]
        return [tonight - timedelta(days=k) for k in range(back + 1)]

    def tonight(self) -> date:
        """The present night, local noon to noon."""
        jd = jd_of_unix(self._clock())
        return date.fromisoformat(night_of(jd, self._telescope or Telescope(name="")))

    async def _list_nights(self, nights: list[date], *, every: bool) -> list[WantedFile]:
        files: list[WantedFile] = []
        if every and (missed := len(nights) - 1 - self._archive.lookback_nights) > 0:
            log.warning("archive %s: nothing was looked at since the night of %s: %d nights more "
                        "than lookback_nights are listed now", self._archive.name,
                        self._whole_until, missed)
        self._folders = 0
        for night in nights:
            files += await self._list(night)
            self.ticked_at = time.monotonic()
        if every:
            if not self._folders:
                await self._check_parent()
            self._old_nights_at, self._whole_until = time.monotonic(), nights[0]
        return files

    async def _list(self, night: date) -> list[WantedFile]:
        """What is wanted of a night; nothing of one that is not there (yet)."""
        folder = folder_of(self._archive.night_folder, night)
        kept = self._session is not None
        try:
            listings = await list_night(await self._connected(), folder)
        except PathError:
            return []
        except RemoteError:
            if not kept:
                raise
            # A kept session may have been ended by the server meanwhile: once more, with a new one.
            await self._hang_up()
            try:
                listings = await list_night(await self._connected(), folder)
            except PathError:
                return []
        self._folders += 1
        files: list[WantedFile] = []
        for below, listing in listings:
            self._note(f"{folder.rstrip('/')}/{below}".rstrip("/"), listing)
            files += await asyncio.to_thread(wanted_of, self._archive, night, listing, below)
        return files

    def _note(self, folder: str, listing: Listing) -> None:
        """Tell what a listing does not tell."""
        name = self._archive.name
        if listing.skipped:
            self._counts["skipped_lines"] += listing.skipped
        if listing.skipped != self._skipped.get(folder, 0):
            self._skipped[folder] = listing.skipped
            log.warning("archive %s: %d lines of the listing of %s cannot be parsed, such as %s",
                        name, listing.skipped, printable(folder),
                        ", ".join(listing.examples) or "none any more")
        if listing.cut_off and folder not in self._cut_off:
            log.error("archive %s: the listing of %s is not whole, the server says '%s': files "
                      "are missing until it may be read, lists more, or they lie in several "
                      "folders", name, printable(folder), listing.cut_off)
            self._cut_off[folder] = listing.cut_off
        elif not listing.cut_off:
            self._cut_off.pop(folder, None)

    def _follow_zone(self, files: list[WantedFile]) -> None:
        """Files that look changed only because the server tells another time now are the same."""
        if seconds := zone_shift(files, self._known):
            same = shifted(files, self._known, seconds)
            log.warning("archive %s: the times of %d files moved by %+.2f h and their sizes did "
                        "not: the server's time zone changed, and they are not fetched again",
                        self._archive.name, len(same), seconds / 3600.0)
            self._known.update(same)

    async def _with_seconds(self, files: list[WantedFile]) -> list[WantedFile]:
        """Files as listed; where that is to the minute, the newest as the server tells when asked.

        Those that are not here, and once more those that came a minute ago.
        """
        found, asked = [], 0
        for file in files:
            if file.entry.precision <= 1.0 or asked >= _MOST_ASKED:
                found.append(file)
                continue
            self._tells_minutes = True
            if self._is_to_be_asked_for(file):
                found.append(await self._asked(file))
                asked += 1
            else:
                found.append(file)
        return found

    def _is_to_be_asked_for(self, file: WantedFile) -> bool:
        due = self._standing.to_be_compared(file.remote, time.monotonic())
        if due or not is_known(file, self._known):
            return True
        # At the start: it may have changed since it came, while no daemon ran.
        _, mtime_ns = self._known[str(file.local)]
        return self._last_look_at is None and mtime_ns % (60 * 10**9) != 0

    async def _asked(self, file: WantedFile) -> WantedFile:
        try:
            now = await (await self._connected()).stat(file.remote)
        except PathError:  # it went; the next listing tells
            return file
        if now is None or now.mtime is None:
            return file
        exact = exactly(file, now.size, now.mtime)
        if is_known(file, self._known) and not is_known(exact, self._known):
            self._standing.changed(file.remote)
        return exact

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
        sessions = [session for session, _ in self._spare]
        if self._session is not None:
            sessions.append(self._session)
        self._session, self._spare = None, []
        for session in sessions:
            await session.close()

    # Fetching.

    async def _fetch_all(self, files: list[WantedFile]) -> None:
        """Fetch files, several at a time; those that broke off before come last."""
        files.sort(key=lambda f: f.remote in self._standing.failures)
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
        """Fetch on a session of its own, which is kept; that there is no second one is no fault."""
        try:
            session = await self._spare_session(left[0].remote if left else "")
        except RemoteError as error:
            log.info("archive %s: no second session: %s", self._archive.name, error)
            return
        whole = False
        try:
            with contextlib.suppress(TransferError):  # it is told; the kept session goes on
                while left:
                    await self._take(left, session)
                whole = True
        finally:
            if whole:
                self._spare.append((session, time.monotonic() + _KEEP))
            else:
                await session.close()

    async def _spare_session(self, remote: str) -> Session:
        """One that was used before, is not old and still answers about a file; else a new one.

        A server ends those that were idle for it too long, which is no failure of a file.
        """
        while self._spare:
            session, until = self._spare.pop()
            if time.monotonic() < until:
                with contextlib.suppress(RemoteError):
                    with contextlib.suppress(PathError):  # the file went; the session is of use
                        await session.stat(remote)
                    return session
            await session.close()
        return await self._connect(self._archive)

    async def _take(self, left: deque[WantedFile], session: Session) -> None:
        """Fetch the next file; what breaks off is tried again by a later look, from where it was.
        """
        file = left.popleft()
        self._waiting = len(left)
        try:
            await self._fetch(file, session)
        except TakenError:  # by hand; the next look finds it here
            return
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
        self._standing.failed(file.remote, self._reached.get(file.remote, 0), reason,
                              time.monotonic())
        log.warning("archive %s: download of %s failed: %s", self._archive.name,
                    printable(file.remote), reason)

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
        self._standing.came(file.remote)
        if self._tells_minutes:
            self._standing.compare_later(file.remote, time.monotonic())
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


def _newest_night(archive: ServerArchive, known: KnownFiles) -> date | None:
    """The newest night of which files were delivered; None if there is none."""
    above = f"{archive.path}/"
    nights = []
    for name in {folder[len(above):].partition("/")[0] for folder in known.folders
                 if folder.startswith(above)}:
        with contextlib.suppress(ValueError):
            nights.append(date.fromisoformat(name))
    return max(nights, default=None)
