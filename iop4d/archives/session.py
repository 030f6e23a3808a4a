"""What a connection to a server can do, in the same words for FTP and SFTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol

from iop4d.config import ServerArchive, SftpArchive
from iop4d.model.errors import Iop4dError

BLOCK = 1 << 16  # bytes that are read at a time


@dataclass(frozen=True, kw_only=True)
class RemoteEntry:
    """A file or folder of a listing.

    ``name``: as the server writes it, undecodable bytes as surrogates; not to be trusted as a
    place on this machine: see ``names``. ``size`` in bytes; ``mtime``: Unix seconds by the server's
    clock, None where it says none; ``precision``: seconds to which that time is given, truncated
    and not rounded (60 where a listing gives minutes, 86400 where it gives days). ``link``: it
    leads to a file or folder elsewhere, of which size and time are.
    """

    name: str
    size: int
    mtime: float | None
    folder: bool = False
    precision: float = 1.0
    link: bool = False


def is_same_time(one_s: float, other_s: float, precision_s: float) -> bool:
    """Whether two times of a file, by one clock, are one as far as the coarser of them tells."""
    if precision_s <= 1.0:
        return abs(one_s - other_s) < 1.0
    return one_s // precision_s == other_s // precision_s


def is_around(folder: str, other: str) -> bool:
    """Whether a folder is another one, or above it; both without links."""
    return PurePosixPath(other).is_relative_to(PurePosixPath(folder))


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A folder's entries; ``skipped``: lines that could not be parsed, of which a few are kept.

    ``cut_off``: why there are more than these, in the server's words, such as that the folder may
    not be read; empty where these are all.
    """

    entries: tuple[RemoteEntry, ...]
    skipped: int = 0
    examples: tuple[str, ...] = ()
    cut_off: str = ""


class RemoteError(Iop4dError):
    """Something is wrong with an archive; the message says what, and which key to look at.

    The session that raised it is of no more use, except after PathError.
    """


class HostError(RemoteError):
    """No connection: unknown host, refused, no answer, no encryption, or another host's key."""


class LoginError(RemoteError):
    """The server refused user or password, or no secret could be read."""


class PathError(RemoteError):
    """There is no such folder or file, or it may not be read. The session stays of use."""


class ForbiddenError(PathError):
    """It is there, but this login may not read it. The session stays of use."""


class UnreadableError(PathError):
    """It is there, and the server fails to read it, from a bad disk, say. The session stays of use.
    """


class TakenError(PathError):
    """Another process of this machine downloads the file. The session stays of use."""


class TransferError(RemoteError):
    """A listing or a file broke off, timed out, or is shorter than it should be: to be resumed."""


class Session(Protocol):
    """One logged-in connection. Every call ends within the archive's timeouts."""

    async def list(self, path: str) -> Listing:
        """The entries of a folder, '.' and '..' left out; raises RemoteError.

        Links are followed, but for those to the folder itself or to one above it, which would list
        everything again and again.
        """
        ...

    async def stat(self, path: str) -> RemoteEntry | None:
        """A file as it is now, its time by the clock of ``list``; None if the server cannot tell.

        Its time is None where only that is unknown. Raises RemoteError.
        """
        ...

    def read(self, path: str, offset: int = 0,
             ) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Blocks of a file from a byte on.

        Leaving it without an error means that the server said that it sent all; else TransferError.
        """
        ...

    async def close(self) -> None:
        """End the connection at once, without waiting for the server; raises nothing."""
        ...


async def connect(archive: ServerArchive) -> Session:
    """A logged-in session; raises HostError, LoginError or ConfigError (no secret)."""
    if isinstance(archive, SftpArchive):
        from iop4d.archives import sftp

        return await sftp.connect(archive)
    from iop4d.archives import ftp

    return await ftp.connect(archive)
