"""Write a file as a whole or not at all.

A large file that must be on the disk is written directly, past the system's memory (O_DIRECT).
Few of them are read soon, and to get memory for them takes the system longer than to write them
(docs/numbers.md, Speed).
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

_AT_ONCE = 1 << 21  # bytes that are gathered before they are written: those of a large file
_ALIGNED = 4096  # bytes: what is written directly begins and ends at a multiple of it
_DIRECT: int = getattr(os, "O_DIRECT", 0)  # none where the system has no such way

_spare: list[mmap.mmap] = []  # room that is free for the next file


def write_atomic(path: Path, pieces: Iterable[bytes | memoryview], *, durable: bool) -> None:
    """Write beside ``path``, then rename over it; its folder is made if need be.

    ``durable``: wait until the disk has it, so that no power failure leaves an empty file behind
    a row that tells of it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not the whole name, which may be as long as a name can be.
    beside = path.with_name(f".{zlib.crc32(os.fsencode(path.name)):08x}.{os.getpid()}.tmp")
    try:
        with beside.open("wb") as file:
            if durable:
                _write_through(file.fileno(), pieces)
                os.fsync(file.fileno())
            else:
                for piece in pieces:
                    file.write(piece)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _write_through(file: int, pieces: Iterable[bytes | memoryview]) -> None:
    """Write all pieces; directly, if they are many and the file system can."""
    with _room() as room:
        held, is_direct = 0, False
        for piece in pieces:
            rest = memoryview(piece).cast("B")
            while rest:
                taken = min(len(rest), _AT_ONCE - held)
                room[held:held + taken] = rest[:taken]
                held, rest = held + taken, rest[taken:]
                if held == _AT_ONCE:
                    is_direct = is_direct or _set_direct(file, on=True)
                    _put(file, room)
                    held = 0
        whole = held - held % _ALIGNED if is_direct else 0
        _put(file, room[:whole])
        if is_direct:
            _set_direct(file, on=False)
        _put(file, room[whole:held])


@contextmanager
def _room() -> Iterator[memoryview]:
    """Bytes at an address that direct writing takes; kept for the next file."""
    try:
        held = _spare.pop()
    except IndexError:
        held = mmap.mmap(-1, _AT_ONCE)
    with memoryview(held) as room:
        yield room
    _spare.append(held)


def _set_direct(file: int, *, on: bool) -> bool:
    """Whether the file is written directly from now on: not every file system can."""
    others = fcntl.fcntl(file, fcntl.F_GETFL) & ~_DIRECT
    try:
        fcntl.fcntl(file, fcntl.F_SETFL, others | (_DIRECT if on else 0))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    return on and bool(_DIRECT)


def _put(file: int, data: memoryview) -> None:
    """Write all of it; in the usual way if the disk wants other sizes, or has taken a part."""
    while data:
        try:
            data = data[os.write(file, data):]
        except OSError as error:
            if error.errno != errno.EINVAL or not fcntl.fcntl(file, fcntl.F_GETFL) & _DIRECT:
                raise
            _set_direct(file, on=False)
