"""What a worker prints goes into the daemon's log, as far as anybody would read it.

A library that prints without end must fill neither the log's disk nor the memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

log = logging.getLogger(__name__)

_PIECE = 1 << 16  # bytes read at a time
_MOST = 1 << 16  # bytes of one job that are logged
_LONGEST_LINE = 2000
_LAST_WORDS = 0.5  # seconds to wait for what a dead process still said


class Overheard:
    """Listens to the standard error of one process until its end."""

    def __init__(self, stream: asyncio.StreamReader, name: str) -> None:
        self._stream = stream
        self._name = name
        self._logged = self._dropped = 0
        self._rest = b""
        self._task = asyncio.create_task(self._listen(), name=f"what {name} prints")

    def next_job(self) -> None:
        """What is said from now on is of another job."""
        self._tell_dropped()
        self._logged = 0

    async def end(self) -> None:
        """The process is gone: log its last words."""
        await asyncio.wait({self._task}, timeout=_LAST_WORDS)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._say(self._rest)
        self._rest = b""
        self._tell_dropped()

    async def _listen(self) -> None:
        while piece := await self._stream.read(_PIECE):
            room = _MOST - self._logged
            if room <= 0:
                self._dropped += len(piece)
                continue
            self._logged += min(len(piece), room)
            self._dropped += max(len(piece) - room, 0)
            *lines, self._rest = (self._rest + piece[:room]).split(b"\n")
            for line in lines:
                self._say(line)

    def _say(self, line: bytes) -> None:
        if text := line.decode("utf-8", "replace").rstrip():
            log.warning("%s: %s", self._name, text[:_LONGEST_LINE])

    def _tell_dropped(self) -> None:
        if self._dropped:
            log.warning("%s printed %d bytes more, which are not kept", self._name, self._dropped)
        self._dropped = 0
