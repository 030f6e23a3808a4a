"""The sessions of an archive's server: one kept for all looks, and a few that downloads used."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Awaitable, Callable

from iop4d.archives.session import PathError, RemoteError, Session
from iop4d.config import ServerArchive

Connect = Callable[[ServerArchive], Awaitable[Session]]

IDLE = 300.0  # seconds of idleness over which a session is not kept: servers end it by then


class KeptSessions:
    """Opens sessions of an archive and keeps them for later. ``connect``: opens one."""

    def __init__(self, archive: ServerArchive, connect: Connect) -> None:
        self._archive = archive
        self._connect = connect
        self._first: Session | None = None
        self._spare: list[tuple[Session, float]] = []  # that downloads used, and until when

    @property
    def connected(self) -> bool:
        """Whether there is a session that all looks share; the server may have ended it."""
        return self._first is not None

    async def first(self) -> Session:
        """The one that all looks share; raises RemoteError."""
        if self._first is None:
            self._first = await self._connect(self._archive)
        return self._first

    async def another(self, remote: str) -> Session:
        """One that was used before, is not old and still answers about a file; else a new one.

        A server ends those that were idle for it too long, which is no failure of a file. Raises
        RemoteError.
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

    def keep(self, session: Session) -> None:
        """Keep one that is whole for the next files."""
        self._spare.append((session, time.monotonic() + IDLE))

    async def close(self) -> None:
        """Close all of them; the next look opens a new one."""
        sessions = [session for session, _ in self._spare]
        if self._first is not None:
            sessions.append(self._first)
        self._first, self._spare = None, []
        for session in sessions:
            await session.close()
