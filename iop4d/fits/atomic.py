"""Write a file as a whole or not at all."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable
from pathlib import Path


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
            for piece in pieces:
                file.write(piece)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
