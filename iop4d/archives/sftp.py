"""An archive on an SFTP server: what a session, once it is logged in, can do."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any, TypeVar

import asyncssh

from iop4d.archives.names import printable
from iop4d.archives.session import (
    BLOCK,
    ForbiddenError,
    Listing,
    PathError,
    RemoteEntry,
    RemoteError,
    TransferError,
    UnreadableError,
    is_around,
)
from iop4d.archives.sftp_login import PORT, HostKey, no_connection, read_known_hosts, read_login
from iop4d.config import SftpArchive

_AHEAD = 8  # blocks of a file that are asked for at a time, so that a far server is not slow
_BATCH = 128  # names that are waited for at a time
_LINKS = 16  # links that are followed at a time
_GRACE = 1.0  # seconds for a question to end that nobody waits for any more
_KEEPALIVE, _KEEPALIVES = 15, 3  # seconds between signs of life, and how many may go unanswered
_EXAMPLES = 5
_NO_SUCH = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath,
            asyncssh.SFTPNotADirectory, asyncssh.SFTPFileIsADirectory,
            asyncssh.SFTPInvalidFilename)
_BROKEN = (asyncssh.Error, OSError, EOFError, ValueError)  # ValueError: packets that make no sense
T = TypeVar("T")


async def connect(archive: SftpArchive) -> SftpSession:
    """Log in to an archive's server, within its connect_timeout.

    Raises HostError or LoginError; the message names the keys of the site file to look at.
    """
    login = await asyncio.to_thread(read_login, archive)
    host_key = HostKey(archive, await asyncio.to_thread(read_known_hosts, archive))
    try:
        async with asyncio.timeout(archive.connect_timeout):
            connection = await asyncssh.connect(
                archive.host, archive.port or PORT, username=archive.user, config=None,
                client_factory=lambda: host_key, known_hosts=host_key.trusted,
                server_host_key_algs=host_key.algorithms, x509_trusted_certs=None,
                x509_trusted_cert_paths=[],  # else it looks into the home, which may be hidden
                gss_host=None, host_based_auth=False, utf8_decode_errors="replace",
                connect_timeout=archive.connect_timeout, login_timeout=archive.connect_timeout,
                keepalive_interval=_KEEPALIVE, keepalive_count_max=_KEEPALIVES, **login.options)
            try:
                sftp = await connection.start_sftp_client(path_encoding=None)
            except BaseException:
                connection.abort()
                raise
    # UnicodeError, a ValueError: a host's name that can be none.
    except (*_BROKEN, TimeoutError) as error:
        raise no_connection(archive, error, host_key, login) from None
    return SftpSession(archive=archive, connection=connection, sftp=sftp)


class SftpSession:
    """A logged-in connection; see ``session.Session``."""

    def __init__(self, *, archive: SftpArchive, connection: asyncssh.SSHClientConnection,
                 sftp: asyncssh.SFTPClient) -> None:
        self._archive = archive
        self._connection = connection
        self._sftp = sftp

    async def list(self, path: str) -> Listing:
        """The entries of a folder; links stand for what they lead to."""
        names = self._sftp.scandir(self._encode(path))
        found: list[asyncssh.SFTPName] = []
        while batch := await self._ask(_next_of(names), path):
            found += batch
        entries: list[RemoteEntry] = []
        skipped: list[str] = []
        for start in range(0, len(found), _BATCH):
            chunk = [name for name in found[start:start + _BATCH]
                     if name.filename not in (b"", b".", b"..")]
            for name, entry in zip(chunk, await self._entries(path, chunk), strict=True):
                if entry is not None:
                    entries.append(entry)
                else:
                    skipped.append(printable(self._decode(_bytes(name.filename))))
        return Listing(entries=tuple(entries), skipped=len(skipped),
                       examples=tuple(skipped[:_EXAMPLES]))

    async def stat(self, path: str) -> RemoteEntry | None:
        """A file as it is now."""
        attrs = await self._ask(self._sftp.stat(self._encode(path)), path)
        return _entry(path.rpartition("/")[2], attrs)

    @asynccontextmanager
    async def read(self, path: str, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        """Blocks of a file from a byte on, to the size that it had when it was opened."""
        file = await self._ask(self._sftp.open(self._encode(path), "rb", block_size=0), path)
        grace = _GRACE
        try:
            async with aclosing(self._blocks(file, path, offset)) as blocks:
                yield blocks
            grace = self._archive.timeout
        finally:
            with suppress(RemoteError):
                await self._ask(file.close(), path, limit=grace)

    async def close(self) -> None:
        """End the connection at once."""
        self._connection.abort()
        with suppress(TimeoutError):  # it depends on the loop alone, so that is not to come
            async with asyncio.timeout(_GRACE):
                await self._connection.wait_closed()
        await asyncio.sleep(0)  # for the socket

    async def _blocks(self, file: asyncssh.SFTPClientFile, path: str, offset: int,
                      ) -> AsyncGenerator[bytes, None]:
        size = (await self._ask(file.stat(), path)).size
        if size is not None and size < offset:
            raise TransferError(f"{self._of(path)}: has only {size} bytes; {offset} were "
                                "downloaded before")
        end = float("inf") if size is None else size
        at = asked = offset
        ahead: deque[asyncio.Task[bytes]] = deque()
        try:
            while at < end:
                while len(ahead) < _AHEAD and asked < end:
                    length = int(min(BLOCK, end - asked))
                    ahead.append(asyncio.create_task(_fill(file, asked, length), name="block"))
                    asked += length
                expected = min(BLOCK, end - at)
                block = await self._ask(ahead.popleft(), path)
                at += len(block)
                if block:
                    yield block
                if len(block) < expected:
                    break
        finally:
            await _drop(*ahead)
        if size is not None and at < size:
            raise TransferError(f"{self._of(path)}: broke off after {at} of {size} bytes")

    async def _entries(self, path: str, names: Sequence[asyncssh.SFTPName],
                       ) -> Sequence[RemoteEntry | None]:
        """An entry for each name; None for what is neither file nor folder."""
        entries = [_entry(self._decode(_bytes(name.filename)), name.attrs) for name in names]
        vague = [at for at, name in enumerate(names) if _is_vague(name.attrs)]
        for start in range(0, len(vague), _LINKS):
            chosen = vague[start:start + _LINKS]
            answers = await asyncio.gather(
                *(self._follow(path, _bytes(names[at].filename)) for at in chosen),
                return_exceptions=True)  # so that none is left behind
            for at, answer in zip(chosen, answers, strict=True):
                if isinstance(answer, BaseException):
                    raise answer
                is_link = names[at].attrs.type == asyncssh.FILEXFER_TYPE_SYMLINK
                entries[at] = answer and replace(answer, link=is_link)
        return entries

    async def _follow(self, path: str, name: bytes) -> RemoteEntry | None:
        """What a link leads to; None where that is nowhere, or the folder itself or one above."""
        link = self._encode(path).rstrip(b"/") + b"/" + name
        try:
            attrs = await self._ask(self._sftp.stat(link), path)
            entry = _entry(self._decode(name), attrs)
            if entry is not None and entry.folder and is_around(
                    *[self._decode(_bytes(await self._ask(self._sftp.realpath(place), path)))
                      for place in (link, self._encode(path))]):
                return None
        except PathError:
            return None
        return entry

    async def _ask(self, question: Awaitable[T], path: str, *, limit: float | None = None) -> T:
        """The answer to a question, or an error of ours.

        asyncssh asks again while it gives up (it closes the handle), and waits for the answer: a
        server that is silent must be cut off, or this would never end.
        """
        seconds = self._archive.timeout if limit is None else limit
        task = asyncio.ensure_future(question)
        try:
            done, _ = await asyncio.wait({task}, timeout=seconds)
        except asyncio.CancelledError:
            if not await _drop(task):
                self._connection.abort()
            raise
        if not done:
            self._connection.abort()
            await _drop(task)
            raise TransferError(f"{self._of(path)}: timed out after {seconds:g} s")
        try:
            return task.result()
        except asyncssh.SFTPPermissionDenied as error:
            raise ForbiddenError(f"{self._of(path)}: {printable(str(error))}") from None
        except _NO_SUCH as error:
            raise PathError(f"{self._of(path)}: {printable(str(error))}") from None
        except asyncssh.SFTPFailure as error:  # an answer; the line is in order
            raise UnreadableError(f"{self._of(path)}: the server cannot read it: "
                                  f"{printable(str(error))}") from None
        except _BROKEN as error:
            raise TransferError(
                f"{self._of(path)}: {printable(str(error)) or type(error).__name__}") from None

    def _of(self, path: str) -> str:
        return f"the archive {self._archive.name}: {printable(path)}"

    def _encode(self, path: str) -> bytes:
        try:
            return path.encode(self._archive.encoding, "surrogateescape")
        except (UnicodeEncodeError, LookupError) as error:
            raise PathError(f"{self._of(path)}: has characters outside the encoding: "
                            f"{error}; check the key 'encoding'") from None

    def _decode(self, name: bytes) -> str:
        """A name as text that ``_encode`` turns into the same bytes again."""
        with suppress(UnicodeError, LookupError):
            text = name.decode(self._archive.encoding, "surrogateescape")
            if text.encode(self._archive.encoding, "surrogateescape") == name:
                return text
        return name.decode("ascii", "surrogateescape")


async def _next_of(names: AsyncIterator[asyncssh.SFTPName]) -> list[asyncssh.SFTPName]:
    """The next names of a listing; none at its end."""
    batch: list[asyncssh.SFTPName] = []
    async for name in names:
        batch.append(name)
        if len(batch) == _BATCH:
            break
    return batch


async def _fill(file: asyncssh.SFTPClientFile, offset: int, length: int) -> bytes:
    """So many bytes, fewer only at the file's end: a server may give less than it is asked for."""
    data = b""
    while len(data) < length:
        more: bytes = await file.read(length - len(data), offset + len(data))
        if not more:
            break
        data += more
    return data


async def _drop(*tasks: asyncio.Future[Any]) -> bool:
    """Let go of questions; False if one did not end."""
    if not tasks:
        return True
    for task in tasks:
        task.cancel()
    done, pending = await asyncio.wait(tasks, timeout=_GRACE)
    for task in done:
        if not task.cancelled():
            task.exception()  # seen, so that nobody warns of it
    return not pending


def _bytes(name: bytes | str) -> bytes:
    """What a session without encoding gives as names."""
    return name if isinstance(name, bytes) else name.encode("utf-8", "surrogateescape")


def _is_vague(attrs: asyncssh.SFTPAttrs) -> bool:
    """Whether the listing does not tell what it is: a link, or a server that says little."""
    return attrs.type == asyncssh.FILEXFER_TYPE_SYMLINK or attrs.size is None


def _entry(name: str, attrs: asyncssh.SFTPAttrs) -> RemoteEntry | None:
    """An entry of a file or folder; None for devices and the like, and where no size is told."""
    folder = attrs.type == asyncssh.FILEXFER_TYPE_DIRECTORY
    regular = attrs.type in (asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_UNKNOWN)
    if not (folder or (regular and attrs.size is not None)):
        return None
    return RemoteEntry(name=name, size=attrs.size or 0, folder=folder,
                       mtime=None if attrs.mtime is None else float(attrs.mtime))
