"""A server in memory with what goes wrong on it, and an archive that polls it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from iop4d.archives.known import KnownFiles
from iop4d.archives.retry import Breaker
from iop4d.archives.server import PolledServer
from iop4d.archives.session import (
    Listing,
    PathError,
    RemoteEntry,
    RemoteError,
    TransferError,
    UnreadableError,
)
from iop4d.config import FtpArchive
from iop4d.model.frame import CompleteFile

NIGHT, FOLDER = "2026-11-22", "/20261122"
NOW = 1795382400.0  # 2026-11-22T20:00 UTC
SETTLE = 0.05


@dataclass
class FakeServer:
    """Folders in memory, and what goes wrong."""

    files: dict[str, tuple[bytes, float]] = field(default_factory=dict)
    refuses: RemoteError | None = None
    cuts: dict[str, int] = field(default_factory=dict)  # how often a file breaks off half-way
    stalls: set[str] = field(default_factory=set)  # files that never come
    commands: Counter[str] = field(default_factory=Counter)
    sessions: list[FakeSession] = field(default_factory=list)  # that are open
    most: int = 0
    minutes: bool = False  # its listings tell no seconds
    cut_off: str = ""
    unreadable: set[str] = field(default_factory=set)  # paths: its disk is bad there

    def put(self, name: str, content: bytes | None = None, mtime: float = NOW - 60) -> None:
        self.files[f"{FOLDER}/{name}"] = (content or name.encode() * 1000, mtime)

    async def connect(self, _archive: FtpArchive) -> FakeSession:
        self.commands["connect"] += 1
        await asyncio.sleep(0)
        if self.refuses is not None:
            raise self.refuses
        session = FakeSession(self)
        self.sessions.append(session)
        self.most = max(self.most, self.open)
        return session

    @property
    def open(self) -> int:
        return len(self.sessions)

    def end_sessions(self) -> None:
        """As a server does with those that were idle for too long."""
        for session in self.sessions:
            session.ended = True


class FakeSession:
    """One connection to it."""

    def __init__(self, server: FakeServer) -> None:
        self.server = server
        self.ended = False

    async def list(self, path: str) -> Listing:
        self.server.commands["list"] += 1
        await self._live()
        self.server.commands[f"list {path}"] += 1
        if path in self.server.unreadable:
            raise UnreadableError(f"{path}: 451 local error")
        step = 60.0 if self.server.minutes else 1.0
        found = [RemoteEntry(name=name.rpartition("/")[2], size=len(content),
                             mtime=mtime // step * step, precision=step)
                 for name, (content, mtime) in self.server.files.items()
                 if name.rpartition("/")[0] == path]
        inside = {name[len(path) + 1:].partition("/")[0] for name in self.server.files
                  if name.startswith(f"{path}/") and "/" in name[len(path) + 1:]}
        if not found and not inside:
            raise PathError(f"{path}: no such folder")
        folders = [RemoteEntry(name=name, size=0, mtime=None, folder=True)
                   for name in sorted(inside)]
        return Listing(entries=(*found, *folders), cut_off=self.server.cut_off)

    async def stat(self, path: str) -> RemoteEntry | None:
        self.server.commands["stat"] += 1
        await self._live()
        content, mtime = self.server.files[path]
        return RemoteEntry(name=path, size=len(content), mtime=mtime)

    @asynccontextmanager
    async def read(self, path: str, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        self.server.commands[f"read {path}"] += 1
        await self._live()
        if path not in self.server.files:
            raise PathError(f"{path}: no such file")
        if path in self.server.unreadable:
            raise UnreadableError(f"{path}: 451 local error")
        content = self.server.files[path][0][offset:]

        async def blocks() -> AsyncIterator[bytes]:
            if path in self.server.stalls:
                await asyncio.sleep(3600)
            yield content[:len(content) // 2]
            if self.server.cuts.get(path, 0) > 0:
                self.server.cuts[path] -= 1
                self.ended = True
                raise TransferError("the connection was reset")
            yield content[len(content) // 2:]

        yield blocks()

    async def close(self) -> None:
        self.server.sessions.remove(self)
        self.ended = True

    async def _live(self) -> None:
        await asyncio.sleep(0)
        if self.server.refuses is not None or self.ended:
            self.ended = True
            raise self.server.refuses or TransferError("the session has ended")


class Bench:
    """An archive on a fake server, and what it delivered."""

    def __init__(self, root: Path, server: FakeServer, known: KnownFiles | None = None, *,
                 short: Callable[[], str] = str, **keys: object) -> None:
        self.server, self.delivered = server, list[CompleteFile]()
        self.known = known if known is not None else KnownFiles()
        keys = {"poll_interval": 0.05, "poll_interval_day": 0.05, "settle": SETTLE,
                "lookback_nights": 1} | keys
        self.archive = FtpArchive(name="T", host="h", path=root / "T", **keys)
        self.remote = PolledServer(
            archive=self.archive, known=self.known, deliver=self.deliver, telescope=None,
            connect=server.connect, clock=lambda: NOW, short=short,
            breaker=Breaker(first=0.05, longest=0.4, chance=lambda: 0.5))

    async def deliver(self, _name: str, files: list[CompleteFile]) -> None:
        self.delivered += files

    @property
    def names(self) -> list[str]:
        return sorted(file.path.name for file in self.delivered)

    def run(self, *steps: Callable[[], bool], seconds: float = 20.0) -> None:
        """Run until each condition has come true, in turn."""
        async def go() -> None:
            stop = asyncio.Event()
            task = asyncio.create_task(self.remote.run(stop))
            deadline = time.monotonic() + seconds
            for step in steps:
                while not step():
                    assert time.monotonic() < deadline, self.remote.status
                    assert not task.done(), task.exception()
                    await asyncio.sleep(0.005)
            stop.set()
            await asyncio.wait_for(task, 5.0)

        asyncio.run(go())
        assert self.server.open == 0


def looks(bench: Bench, more: int) -> Callable[[], bool]:
    """A condition: so many more listings than when it is first asked."""
    begun: list[int] = []

    def came() -> bool:
        begun.append(bench.server.commands["list"])
        return begun[-1] >= begun[0] + more

    return came
