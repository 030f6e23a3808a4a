"""What the network's errors mean, in words, the same wherever a server is asked for something."""

from __future__ import annotations

import errno
import socket

_NO_WAY = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)


def why_unreachable(error: BaseException) -> str:
    """Why a server cannot be reached that has to do with the network alone; empty for others.

    A name that could not be looked up may be right; one that no name server knows is not.
    """
    if isinstance(error, socket.gaierror):
        if error.errno == socket.EAI_AGAIN:
            return "no name server answers: this machine may have no network"
        return "no name server knows this name"
    if isinstance(error, OSError) and error.errno in _NO_WAY:
        return "no way leads there: this machine may have no network"
    return ""
