"""Messages between the daemon and a worker: pickled plain values, each after its length.

Both ends are the same program started by the same user over a private pipe. What a message holds
is frozen dataclasses of plain values, so it unpickles wherever it pickles; a message that fails to
all the same costs that one job, not the pool.
"""

from __future__ import annotations

import pickle
import struct
from typing import Any, BinaryIO

LENGTH = struct.Struct("!I")


def pack(message: object) -> bytes:
    """A message as bytes, with its length."""
    body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(body)) + body


def read_message(stream: BinaryIO) -> Any:
    """The next message of a blocking stream; raises EOFError at its end."""
    length = LENGTH.unpack(_exactly(stream, LENGTH.size))[0]
    return pickle.loads(_exactly(stream, length))  # noqa: S301 - from our own other end


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data
