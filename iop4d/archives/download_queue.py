"""Files of a server that stand still are fetched: several at a time, each handed over once it came.

A file that breaks off holds up no other one: a later look tries it again, from where it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable

from iop4d.archives.download import Limiter, download
from iop4d.archives.kept_sessions import KeptSessions
from iop4d.archives.names import printable
from iop4d.archives.session import PathError, RemoteError, Session, TakenError, TransferError
from iop4d.archives.standing import Standing
from iop4d.archives.survey import WantedFile, is_here
from iop4d.config import ServerArchive

log = logging.getLogger(__name__)

#: Errors of a disk on which no other file can be written either.
FULL = {errno.ENOSPC, errno.EDQUOT, errno.EROFS}
_MOST_BREAKS = 3  # transfers in a row that break off, after which the server is left alone


class DownloadQueue:
    """Fetches files of an archive to their places.

    ``hand_over``: called for each once it is here; ``standing``: learns which came and which broke
    off; ``tick``: called as bytes come.
    """

    def __init__(self, *, archive: ServerArchive, sessions: KeptSessions, standing: Standing,
                 hand_over: Callable[[WantedFile], Awaitable[None]],
                 tick: Callable[[], None]) -> None:
        self._archive = archive
        self._sessions = sessions
        self._standing = standing
        self._hand_over = hand_over
        self._tick = tick
        self._limiter = Limiter(archive.max_kb_per_s * 1000.0) if archive.max_kb_per_s else None
        self._reached: dict[str, int] = {}  # bytes of files that broke off
        self._running: dict[str, list[int]] = {}  # name: bytes that came, bytes in all
        self.waiting = 0  # files of the present look that were not begun
        self.fetched = 0  # files
        self.bytes = 0

    @property
    def running(self) -> dict[str, str]:
        """How much of each file that is being fetched is here, for people."""
        return {name: f"{100 * done // max(size, 1)} %"
                for name, (done, size) in self._running.items()}

    async def fetch(self, files: list[WantedFile]) -> None:
        """Fetch files; those that broke off before come last.

        Raises RemoteError where the server is not to be asked further, OSError where the disk is
        full.
        """
        left = deque(sorted(files, key=lambda f: f.remote in self._standing.failures))
        self.waiting = len(left)
        helpers = [asyncio.create_task(self._help(left), name=f"fetch {self._archive.name} {n}")
                   for n in range(1, min(self._archive.parallel_downloads, len(left)))]
        try:
            await self._work_off(left)
            await asyncio.gather(*helpers)
        finally:
            for task in helpers:
                task.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            self.waiting = len(left)

    async def _work_off(self, left: deque[WantedFile]) -> None:
        """Fetch on the session of the looks; after too many breaks in a row the rest has to wait.
        """
        in_a_row = 0
        while left:
            try:
                await self._take(left, await self._sessions.first())
                in_a_row = 0
            except TransferError:
                await self._sessions.close()
                in_a_row += 1
                if in_a_row >= _MOST_BREAKS:
                    raise

    async def _help(self, left: deque[WantedFile]) -> None:
        """Fetch on a session of its own, which is kept; that there is no second one is no fault."""
        try:
            session = await self._sessions.another(left[0].remote if left else "")
        except RemoteError as error:
            log.info("archive %s: no second session: %s", self._archive.name, error)
            return
        whole = False
        try:
            with contextlib.suppress(TransferError):  # it is logged, and the first session works
                while left:
                    await self._take(left, session)
                whole = True
        finally:
            if whole:
                self._sessions.keep(session)
            else:
                await session.close()

    async def _take(self, left: deque[WantedFile], session: Session) -> None:
        """Fetch the next file."""
        file = left.popleft()
        self.waiting = len(left)
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
            if error.errno in FULL:
                raise
            self._failed(file, f"cannot write the local file: {error}")

    def _failed(self, file: WantedFile, reason: str) -> None:
        self._standing.failed(file.remote, self._reached.get(file.remote, 0), reason,
                              time.monotonic())
        log.warning("archive %s: download of %s failed: %s", self._archive.name,
                    printable(file.remote), reason)

    async def _fetch(self, file: WantedFile, session: Session) -> None:
        """One file, to its place here; then it is handed over."""
        if not await asyncio.to_thread(is_here, file):
            await asyncio.to_thread(file.local.parent.mkdir, parents=True, exist_ok=True)
            progress = self._running.setdefault(file.entry.name, [0, file.entry.size])

            def came(done: int) -> None:
                progress[0] = self._reached[file.remote] = done
                self._tick()

            try:
                fetched = await download(session, file.remote, file.entry, file.local,
                                         limiter=self._limiter, progress=came)
            finally:
                self._running.pop(file.entry.name, None)
            self.fetched += 1
            self.bytes += fetched
        await self._hand_over(file)
        self._standing.came(file.remote)
        self._reached.pop(file.remote, None)
