"""FTP, in clear or over TLS.

aioftp speaks the protocol; by itself it waits for ever, gives up a listing for one odd line, and
is out of step with the server after any error (it reads the late answer of one command as that of
the next). So each wait has a limit here, listings are read as bytes, and a session that failed in
any way but a plain refusal is cut off. Its own limits stay unused: they rest on asyncio.wait_for,
which loses a cancellation that comes together with an answer (Python before 3.12).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import aioftp
from aioftp.errors import AIOFTPException, StatusCodeError

from iop4d.archives.ftp_listing import mlsx_entry, moment_of, parse_list, parse_mlsd
from iop4d.archives.ftp_login import (
    BYTES,
    UNKNOWN_COMMAND,
    context_of,
    errors_named,
    is_answer,
    log_in,
    said,
)
from iop4d.archives.names import printable
from iop4d.archives.session import (
    BLOCK,
    ForbiddenError,
    Listing,
    LoginError,
    PathError,
    RemoteEntry,
    TransferError,
    UnreadableError,
    is_around,
)
from iop4d.config import FtpArchive
from iop4d.config.secret import secret_of

_PASSIVE = ("EPSV", "PASV")  # commands that ask for a port of the server, the better one first
_LARGEST_LISTING = 1 << 28  # bytes
_GOODBYE = 1.0  # seconds for this machine to close a socket that was cut off
_REFUSED = ("450", "550", "553")  # of a path
_UNREADABLE = ("451",)  # by the server itself: a local error
_NO_PASSIVE = ("421", "530")  # answers to EPSV after which PASV would have no other
_FORBIDDEN = re.compile(r"(?i)permission denied|access (is )?denied|not permitted")
_NOT_WHOLE = re.compile(r"(?i)truncated|failed to open directory")  # of a listing
_ZONE = 900.0  # seconds: clocks of places on the Earth differ by whole quarters of an hour
_MINUTE = 60.0  # seconds: the precision of listings without seconds
_MOST_LINKS = 2000  # of a folder that are followed


async def connect(archive: FtpArchive) -> FtpSession:
    """A logged-in session; raises HostError, LoginError or ConfigError, which name the key."""
    password = secret_of(archive).read()
    context = context_of(archive) if archive.tls != "none" else None
    client = aioftp.Client(encoding=BYTES, ssl=context if archive.tls == "implicit" else None)
    session = FtpSession(archive, client, context)
    try:
        with errors_named(archive, password):
            async with asyncio.timeout(archive.connect_timeout):
                await log_in(client, archive, context, password)
                await session.begin()
    except BaseException:
        await session.close()
        raise
    return session


class _NoFactsError(Exception):
    """A server gives no facts of a file by MLST."""


class FtpSession:
    """One control connection; see ``session.Session``. One command or transfer at a time."""

    def __init__(self, archive: FtpArchive, client: aioftp.Client,
                 context: ssl.SSLContext | None = None) -> None:
        self._archive = archive
        self._client = client
        self._context = context  # of the data connections, None: in clear
        self._passive: tuple[str, ...] = _PASSIVE
        self._home = "/"
        self._has_mlsd = self._has_mlst = self._has_mdtm = True
        self._listed: dict[str, float] = {}  # times to the minute, of the last listing
        self._zone: float | None = None  # seconds by which LIST is ahead of MDTM, once it is known
        self._links: set[str] = set()  # of which MLST tells the link's own size
        self._answer = ""  # the last one after data
        self._busy = asyncio.Lock()
        self._data: set[asyncio.StreamWriter] = set()

    async def begin(self) -> None:
        """What follows the login: bytes as they are, and the folder that relative paths start at.
        """
        await self._command("TYPE I", "200")
        with contextlib.suppress(StatusCodeError):
            info = await self._command("PWD", "257")
            self._home = str(self._client.parse_directory_response(info[-1])) or "/"

    async def list(self, path: str) -> Listing:
        """The entries of a folder."""
        async with self._busy:
            with self._guarded(path):
                listing = await self._listing_of(path)
                if _NOT_WHOLE.search(self._answer):
                    listing = replace(listing, cut_off=printable(self._answer))
                links = [entry for entry in listing.entries if entry.link][:_MOST_LINKS]
                if not links:
                    return listing
                followed = [await self._followed(path, entry) for entry in links]
                return replace(listing, entries=(
                    *(e for e in listing.entries if not e.link), *filter(None, followed)))

    async def _listing_of(self, path: str) -> Listing:
        if self._has_mlsd:
            try:
                raw = await self._fetched(f"MLSD {self._raw(path)}")
                return await asyncio.to_thread(parse_mlsd, raw, self._archive.encoding)
            except StatusCodeError as error:
                if is_answer(error, _REFUSED):  # CWD says why, where MLSD does not (Pure-FTPd)
                    await self._command(f"CWD {self._raw(path)}", "2xx")
                if not is_answer(error, UNKNOWN_COMMAND):
                    raise
                self._has_mlsd = self._has_mlst = False
        # LIST of a folder that is not there is empty on some servers; CWD tells.
        await self._command(f"CWD {self._raw(path)}", "2xx")
        raw = await self._fetched("LIST")
        listing = await asyncio.to_thread(parse_list, raw, self._archive.encoding,
                                          datetime.now(tz=UTC))
        self._listed = {f"{path.rstrip('/')}/{entry.name}": entry.mtime
                        for entry in listing.entries
                        if entry.mtime is not None and entry.precision == _MINUTE}
        return listing

    async def _followed(self, folder: str, link: RemoteEntry) -> RemoteEntry | None:
        """What a link leads to; None for nothing that can be fetched."""
        path = f"{folder.rstrip('/')}/{link.name}"
        self._links.add(path)
        try:
            if (found := await self._size_and_time(path)) is not None:
                return replace(found, link=True)
        except StatusCodeError as error:
            if not is_answer(error, (*_REFUSED, *_UNREADABLE, *UNKNOWN_COMMAND)):
                raise
        try:
            await self._command(f"CWD {self._raw(path)}", "2xx")
        except StatusCodeError as error:
            if not is_answer(error, (*_REFUSED, *_UNREADABLE)):
                raise
            return None
        target = await self._working_folder()
        await self._command(f"CWD {self._raw(folder)}", "2xx")
        return None if is_around(target, await self._working_folder()) else replace(
            link, folder=True)

    async def _working_folder(self) -> str:
        """Where CWD has led, without the links on the way."""
        info = await self._command("PWD", "257")
        return str(self._client.parse_directory_response(info[-1]))

    async def stat(self, path: str) -> RemoteEntry | None:
        """A file as it is now, to the second where the server knows MLST or MDTM.

        A command that a server forbids (``cmds_denied``, ``<Limit>``) is one that it does not have.
        """
        async with self._busy:
            with self._guarded(path):
                try:
                    if self._has_mlst and path not in self._links:
                        with contextlib.suppress(_NoFactsError):
                            return await self._facts(path)
                    return await self._size_and_time(path)
                except StatusCodeError as error:
                    if _is_not_given(error):
                        return None
                    raise

    async def _facts(self, path: str) -> RemoteEntry | None:
        """A file by MLST; raises _NoFactsError where that is not given, or answered in words."""
        command = f"MLST {self._raw(path)}"
        try:
            info = await self._command(command, "250")
        except StatusCodeError as error:
            if not _is_not_given(error):
                raise
            self._has_mlst = not is_answer(error, UNKNOWN_COMMAND)
            raise _NoFactsError from None
        try:
            return mlsx_entry(info[1].encode(BYTES), self._archive.encoding)
        except (ValueError, LookupError):
            raise _NoFactsError from None

    async def _size_and_time(self, path: str) -> RemoteEntry | None:
        """A file, or what a link leads to; None where the answer holds no size."""
        size = (await self._command(f"SIZE {self._raw(path)}", "213"))[-1].strip()
        if not size.isdigit():
            return None
        return RemoteEntry(name=path.rpartition("/")[2], size=int(size),
                           mtime=await self._time(path))

    async def _time(self, path: str) -> float | None:
        """When a file was changed, to the second, by the clock of the listings.

        MDTM tells UTC, LIST what the server calls its time: their difference is known from a file
        of which both are. None where it is not, or where the server has no MDTM.
        """
        if not self._has_mdtm:
            return None
        try:
            moment = await self._command(f"MDTM {self._raw(path)}", "213")
        except StatusCodeError as error:
            if not _is_not_given(error):
                raise
            self._has_mdtm = not is_answer(error, UNKNOWN_COMMAND)
            return None
        try:
            mtime = moment_of(moment[-1].strip().encode(BYTES))
        except ValueError:  # it is no time of RFC 3659
            return None
        if self._has_mlsd:
            return mtime
        if path in self._listed:
            off = self._listed[path] - mtime // _MINUTE * _MINUTE
            self._zone = _ZONE * round(off / _ZONE)
        return None if self._zone is None else mtime + self._zone

    @asynccontextmanager
    async def read(self, path: str, offset: int = 0) -> AsyncIterator[AsyncIterator[bytes]]:
        """Blocks of a file from a byte on; the server must say at the end that it sent all.

        What goes wrong where they are put, on a full disk, say, is no fault of the server's.
        """
        local: OSError | None = None
        async with self._busy:
            try:
                with self._guarded(path):
                    async with self._opened(f"RETR {self._raw(path)}", offset) as blocks:
                        try:
                            yield blocks
                        except OSError as error:
                            local = error
                            raise
            except TransferError:
                if local is not None:
                    raise local from None
                raise

    async def close(self) -> None:
        """Cut the connection off."""
        writers = [*self._data]
        with contextlib.suppress(ConnectionError):  # never connected
            writers.append(self._client.stream.writer)
        self._data.clear()
        for writer in writers:
            await _cut_off(writer)

    async def _fetched(self, command: str) -> bytes:
        """All that a command sends over the data connection."""
        parts, size = [], 0
        async with self._opened(command, 0) as blocks:
            async for block in blocks:
                parts.append(block)
                size += len(block)
                if size > _LARGEST_LISTING:
                    raise TransferError("the listing has no end")
        return b"".join(parts)

    @asynccontextmanager
    async def _opened(self, command: str, offset: int) -> AsyncIterator[AsyncIterator[bytes]]:
        """The data connection of a command. Leaving it early leaves the session out of step."""
        reader, writer = await self._data_connection()
        self._data.add(writer)
        done = False

        async def blocks() -> AsyncGenerator[bytes, None]:
            nonlocal done
            while True:
                try:
                    async with asyncio.timeout(self._archive.timeout):
                        block = await reader.read(BLOCK)
                except TimeoutError:
                    raise TransferError(f"{self._archive.host} sent nothing for "
                                        f"{self._archive.timeout:g} s") from None
                except OSError as error:
                    raise TransferError(
                        f"the connection to {self._archive.host} broke off "
                        f"({type(error).__name__} {error})") from None
                if not block:
                    done = True
                    return
                yield block

        source = blocks()
        try:
            if offset:
                await self._command(f"REST {offset}", "350")
            await self._command(command, "1xx")
            await self._encrypt_data(writer)
            yield source
            if not done:
                raise TransferError("the transfer was stopped before its end")
        finally:
            await source.aclose()
            self._data.discard(writer)
            await _cut_off(writer)
        self._answer = " ".join(await self._command(None, "2xx", "1xx"))

    async def _data_connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the port that the server names, on the host that it is known by.

        The address that PASV tells is that of a server behind a router, or anybody's.
        """
        port = await self._passive_port()
        peer = self._client.stream.writer.get_extra_info("peername")
        try:
            async with asyncio.timeout(self._archive.connect_timeout):
                return await asyncio.open_connection(peer[0], port)
        except OSError as error:  # TimeoutError is one
            if len(self._passive) > 1:
                # Routers that open the port of a PASV as it goes by may not know EPSV.
                self._passive = self._passive[1:]
                with contextlib.suppress(StatusCodeError):
                    return await self._data_connection()
            if not isinstance(error, TimeoutError):
                raise
            raise TransferError(
                f"port {port} of {self._archive.host}, which it names for files, does not answer "
                f"within {self._archive.connect_timeout:g} s: does a firewall close the passive "
                "ports?") from None

    async def _passive_port(self) -> int:
        for command in self._passive:
            try:
                said = await self._command(command, "229" if command == "EPSV" else "227")
            except StatusCodeError as error:
                if command != self._passive[-1] and not is_answer(error, _NO_PASSIVE):
                    self._passive = self._passive[1:]
                    continue
                raise
            _, port = (self._client.parse_epsv_response if command == "EPSV" else
                       self._client.parse_pasv_response)(said[-1])
            return port
        raise AssertionError("no command is left")

    async def _encrypt_data(self, writer: asyncio.StreamWriter) -> None:
        """TLS on a data connection: servers begin it once they have a command for it."""
        if self._context is None:
            return
        limit = self._archive.connect_timeout
        try:
            async with asyncio.timeout(limit):
                await writer.start_tls(self._context, server_hostname=self._archive.host)
        except TimeoutError:
            raise TransferError(
                f"no TLS with {self._archive.host} for a file or listing within {limit:g} s; check "
                "the keys 'tls' and 'max_tls_version'") from None
        except ssl.SSLError as error:
            raise TransferError(
                f"TLS with {self._archive.host} for a file or listing failed ({error.reason}); "
                "check the keys 'tls' and 'max_tls_version'") from None

    async def _command(self, command: str | None, expected: str,
                       before: str | tuple[str, ...] = ()) -> Sequence[str]:
        """The lines of the answer to a command, or of the server's next; raises TimeoutError.

        ``before``: codes of answers that may come before it.
        """
        async with asyncio.timeout(self._archive.timeout):
            _, info = await self._client.command(command, expected, before)
            return info

    def _raw(self, path: str) -> str:
        """An absolute path, as the characters that stand for its bytes."""
        if set(path) & set("\r\n\0"):
            raise PathError(f"{printable(path)}: FTP has no way to ask for such a name")
        whole = path if path.startswith("/") else f"{self._home.rstrip('/')}/{path}"
        return whole.encode(self._archive.encoding, "surrogateescape").decode(BYTES)

    @contextmanager
    def _guarded(self, path: str) -> Iterator[None]:
        """Errors as a session's; all but a refused path leave the connection of no more use."""
        shown = printable(path)
        try:
            yield
        except (PathError, LoginError):
            raise
        except StatusCodeError as error:
            if is_answer(error, _REFUSED) and "timeout" not in said(error).lower():
                kind = ForbiddenError if _FORBIDDEN.search(said(error)) else PathError
                raise kind(f"{shown}: {said(error)}") from None
            if is_answer(error, _UNREADABLE):
                raise UnreadableError(f"{shown}: {said(error)}") from None
            self._abort()
            cause = LoginError if is_answer(error, ("530",)) else TransferError
            raise cause(f"{shown}: {self._archive.host} says {said(error)}") from None
        except TransferError as error:
            self._abort()
            raise TransferError(f"{shown}: {error}") from None
        except TimeoutError:
            self._abort()
            raise TransferError(f"{shown}: {self._archive.host} sent nothing for "
                                f"{self._archive.timeout:g} s") from None
        except UnicodeEncodeError:
            raise PathError(f"{shown}: its name has characters outside the encoding "
                            f"{self._archive.encoding}; check the key 'encoding'") from None
        except (OSError, AIOFTPException, ValueError, LookupError, EOFError) as error:
            self._abort()
            raise TransferError(f"{shown}: the connection to {self._archive.host} broke off "
                                f"({type(error).__name__} {error})") from None
        except BaseException:
            self._abort()
            raise

    def _abort(self) -> None:
        """Nobody can tell what the server will say next."""
        for writer in self._data:
            writer.transport.abort()
        with contextlib.suppress(ConnectionError):
            self._client.stream.writer.transport.abort()


def _is_not_given(error: StatusCodeError) -> bool:
    """Whether a server does not have a command, or not for this login."""
    return is_answer(error, UNKNOWN_COMMAND) or (
        is_answer(error, _REFUSED) and _FORBIDDEN.search(said(error)) is not None)


async def _cut_off(writer: asyncio.StreamWriter) -> None:
    """Close a connection at once, whatever the other side does."""
    writer.transport.abort()
    with contextlib.suppress(OSError, TimeoutError, ssl.SSLError):
        async with asyncio.timeout(_GOODBYE):
            await writer.wait_closed()
