"""The fetching of one file: resumed after a break, checked, and there as a whole or not at all.

What has come stands in a part beside the file's place, hidden, so that no look at the folder takes
it for a frame. Its name holds a hash of whence it came, size and time: a part of another version
of the file is never gone on with.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from pathlib import Path
from typing import BinaryIO

from iop4d.archives.names import printable
from iop4d.archives.session import (
    RemoteEntry,
    Session,
    TakenError,
    TransferError,
    is_same_time,
)
from iop4d.archives.survey import Known
from iop4d.archives.tree import look, protect
from iop4d.config import Archive
from iop4d.model.frame import CompleteFile

OVERLAP = 1 << 16  # bytes at a part's end that are fetched again and compared
STALE = 3600.0  # seconds after which a part that nobody goes on with is litter
_PART = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{12}\.part", re.DOTALL)


class Limiter:
    """Most bytes a second, of all downloads that share it; 0: no limit.

    Whoever took too much waits, in the order of asking; ``burst`` seconds that nobody used may be
    made up for at once.
    """

    def __init__(self, rate: float, *, burst: float = 0.25,
                 clock: Callable[[], float] = time.monotonic,
                 sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._rate, self._burst = rate, burst
        self._clock, self._sleep = clock, sleep
        self._paid_until = clock() - burst

    async def take(self, amount: int) -> None:
        """Account for bytes that came; wait until they are paid for."""
        if self._rate <= 0:
            return
        now = self._clock()
        self._paid_until = max(self._paid_until, now - self._burst) + amount / self._rate
        if self._paid_until > now:
            await self._sleep(self._paid_until - now)


async def download(session: Session, remote_path: str, entry: RemoteEntry, target: Path, *,
                   limiter: Limiter | None = None, progress: Callable[[int], None] | None = None,
                   ) -> int:
    """Fetch a file to ``target``, which is replaced if it is there; the bytes that came.

    ``entry``: the file as listings agreed on it. ``progress`` is told how many of its bytes stand
    here. Raises RemoteError: TransferError where the file broke off (the part is kept, and the
    next call resumes it), or is not as listed (the part goes); TakenError where another process
    downloads it; OSError where it cannot be written.
    The session must tell a file's time in ``list`` and ``stat`` by one clock, to its precision.
    """
    fetch = _Fetch(session, remote_path, entry, target, limiter, progress)
    opening = asyncio.ensure_future(asyncio.to_thread(fetch.open))
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:  # a thread cannot be stopped: what it opens is to be closed
        with contextlib.suppress(TakenError, OSError):
            await opening
            _close(fetch.file, fetch.part, entry.size)
        raise
    try:
        try:
            await fetch.go_on()
        except _OtherBytesError:  # not the version that it was begun with after all
            await asyncio.to_thread(fetch.file.truncate, 0)
            await fetch.go_on()
        mtime = await fetch.check()
        await asyncio.to_thread(_put_in_place, fetch.file, fetch.part, target, mtime)
    except _ChangedError as error:
        await asyncio.to_thread(fetch.part.unlink, missing_ok=True)
        raise TransferError(str(error)) from None
    finally:
        await asyncio.to_thread(_close, fetch.file, fetch.part, entry.size)
    return fetch.came


def part_of(target: Path, remote_path: str, entry: RemoteEntry) -> Path:
    """Where a file's part stands."""
    version = f"{remote_path}\0{entry.size}\0{entry.mtime}".encode("utf-8", "surrogatepass")
    return target.with_name(f".{target.name}.{hashlib.sha256(version).hexdigest()[:12]}.part")


def sweep(folder: Path, *, wanted: Collection[str] = (), stale: float = STALE,
          clock: Callable[[], float] = time.time) -> list[Path]:
    """Remove old parts in a folder and those below it; those that went. To be called in a thread.

    ``wanted``: names of files that are still to be fetched, whose parts stay.
    """
    gone = []
    for place, _, names in os.walk(folder):
        for name in names:
            found = _PART.fullmatch(name)
            path = Path(place, name)
            if found is None or found["name"] in wanted:
                continue
            try:
                if clock() - path.stat().st_mtime > stale:
                    path.unlink()
                    gone.append(path)
            except OSError:  # it went, or is not ours: the next sweep looks again
                continue
    return gone


class _ChangedError(Exception):
    """The file is not as it was listed."""


class _OtherBytesError(Exception):
    """The part's last bytes are not those of the file."""


class _Fetch:
    """One download under way."""

    def __init__(self, session: Session, remote_path: str, entry: RemoteEntry, target: Path,
                 limiter: Limiter | None, progress: Callable[[int], None] | None) -> None:
        self._session, self._path, self._entry = session, remote_path, entry
        self._limiter, self._progress = limiter, progress
        self._target = target
        self.part = part_of(target, remote_path, entry)
        self.file: BinaryIO
        self.came = 0
        self._what = printable(remote_path)

    def open(self) -> None:
        """Take hold of the part, until it is closed; raises TakenError, OSError."""
        self.file = _open(self.part, self._target, self._entry.size)

    async def go_on(self) -> None:
        """Append what is missing to the part, after a look at whether its end is right."""
        have = await asyncio.to_thread(self.file.seek, 0, os.SEEK_END)
        start = max(0, have - OVERLAP)
        await asyncio.to_thread(self.file.seek, start)
        async with self._session.read(self._path, start) as blocks:
            at = await self._take(self.file, blocks, start, have)
        if at < self._entry.size:
            raise TransferError(f"{self._what}: {at} of {self._entry.size} bytes were received")

    async def _take(self, file: BinaryIO, blocks: AsyncIterator[bytes], at: int, have: int) -> int:
        """Compare what is here, write what is not; where that ended."""
        async for block in blocks:
            self.came += len(block)
            if at + len(block) > self._entry.size:
                raise _ChangedError(f"{self._what}: is longer than the {self._entry.size} bytes "
                                    "that were listed: it still grows, or was replaced")
            await asyncio.to_thread(_compare_or_write, file, block, max(0, have - at))
            at += len(block)
            if self._progress is not None:
                self._progress(max(at, have))
            if self._limiter is not None:
                await self._limiter.take(len(block))
        return at

    async def check(self) -> float | None:
        """The file's time, as exactly as the server tells it; whether it is still as listed."""
        now, listed = await self._session.stat(self._path), self._entry
        if now is None:
            return listed.mtime
        if now.size != listed.size or (
                now.mtime is not None and listed.mtime is not None and not is_same_time(
                    now.mtime, listed.mtime, max(now.precision, listed.precision))):
            raise _ChangedError(f"{self._what}: changed during the download")
        finer = now.mtime is not None and now.precision < listed.precision
        return now.mtime if finer else listed.mtime


def _open(part: Path, target: Path, size: int) -> BinaryIO:
    """The part, to be read and written, and locked; those of other versions go, and a longer one.

    Raises TakenError where another process has locked it, or one of another version.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with os.scandir(target.parent) as entries:  # 20,000 in a folder, looked at for each file
        beside = [entry.name for entry in entries if entry.name.startswith(f".{target.name}.")]
    for other in map(target.with_name, beside):
        found = _PART.fullmatch(other.name)
        if found and found["name"] == target.name and other != part:
            with contextlib.suppress(FileNotFoundError), other.open("r+b") as file:
                _lock(file, other, target)
                other.unlink()
    part.touch()
    file = part.open("r+b")
    try:
        _lock(file, part, target)
        if os.fstat(file.fileno()).st_size > size:
            file.truncate(0)
    except BaseException:
        file.close()
        raise
    return file


def _lock(file: BinaryIO, part: Path, target: Path) -> None:
    """Lock a part while it is open; raises TakenError where another process has locked it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(file.fileno()).st_ino == part.stat().st_ino:
            return
    except (BlockingIOError, FileNotFoundError):
        pass
    raise TakenError(f"{target.name} is being downloaded by another process")


def _close(file: BinaryIO, part: Path, size: int) -> None:
    """Close the part; nothing that came is nothing to keep."""
    with file:
        if size and not os.fstat(file.fileno()).st_size:
            part.unlink(missing_ok=True)


def _compare_or_write(file: BinaryIO, block: bytes, known: int) -> None:
    """Compare the first ``known`` bytes of a block with the file's, write the rest behind them."""
    if known and file.read(min(known, len(block))) != block[:known]:
        raise _OtherBytesError
    if known < len(block):
        file.seek(0, os.SEEK_CUR)  # between reading and writing
        file.write(block[known:])


def _put_in_place(file: BinaryIO, part: Path, target: Path, mtime: float | None) -> None:
    """Give the file its time and its name, such that no power failure leaves less than all."""
    file.flush()
    os.fsync(file.fileno())
    if mtime is not None:
        os.utime(part, (time.time(), mtime))
    part.replace(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def settled(paths: list[Path], now: float, *, announced: bool,
            read_only: bool) -> list[CompleteFile]:
    """What is handed over of files; one that is gone again is left out."""
    found = []
    for path in paths:
        if (stamp := look(path)) is None:
            continue
        if read_only:
            protect(path)
        found.append(CompleteFile(path=path, size=stamp[0], mtime_ns=stamp[1], completed_at=now,
                                 announced=announced))
    return found


def left_behind(archive: Archive, known: Known) -> list[Path]:
    """Frames below an archive's folder that were not delivered as they are; old parts are swept.

    Makes the folder if need be. Raises OSError where it cannot.
    """
    archive.path.mkdir(parents=True, exist_ok=True)
    sweep(archive.path)
    pattern = re.compile(archive.file_pattern, re.DOTALL)
    found = []
    for path in _files(archive.path):
        stamp = look(path) if pattern.search(path.name) else None
        if stamp is not None and str(path).isprintable() and known.get(str(path)) != stamp[:2]:
            found.append(path)
    return found


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(folder) / name
