"""An FTP server of this machine that misbehaves as told, by a script of a few words."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType

USER, PASSWORD = "observer", "canary-of-the-password"
STALLS = ("banner", "USER", "PASS", "EPSV", "connect", "data", "end", "MLSD")
_BLOCK = 4096


@dataclass(kw_only=True)
class Faults:
    """What goes wrong. ``stall``: where the server says and does nothing more; see ``STALLS``."""

    stall: str = ""
    cut: int = -1  # bytes of a file after which the connections are reset
    cuts: int = 1_000_000  # how many more times that happens
    read: Callable[[], int] | None = None  # bytes that the client took, for which a cut waits
    short: int = -1  # bytes of a file after which it says that it sent all
    answer: str = ""  # to RETR, instead of the file: "550 no"
    ending: str = ""  # after the data, instead of 226
    listing: bytes | None = None  # what MLSD and LIST send
    no_mlsd: bool = False
    no_epsv: bool = False
    refuse_epsv: str = ""  # another answer to it, such as "550 no"
    closed_epsv: bool = False  # it names a port that is closed, as a router leaves it
    pasv_host: str = ""  # that PASV names, such as 10,0,0,1
    greeting: bytes = b"220 ready\r\n"
    rename: str = ""  # the name that a file gets just when it is asked for
    after: dict[str, str] = field(default_factory=dict)  # command: answer to it


class FtpServer:
    """Serves files by path; an async context manager, on a free port.

    ``files``: path to (content, Unix time). ``script``: path to what goes wrong with each of its
    transfers in turn, before all goes well. ``commands`` and ``sent`` count what was asked and how
    many bytes of files went out; ``heard`` holds all that came in clear.
    """

    def __init__(self, files: dict[str, tuple[bytes, float]], *, faults: Faults | None = None,
                 tls: ssl.SSLContext | None = None, implicit: bool = False) -> None:
        self.files = files
        self.faults = faults or Faults()
        self.port = 0
        self.script: dict[str, list[Faults]] = {}
        self.commands: Counter[str] = Counter()
        self.connections = 0
        self.sent = 0
        self.heard = b""
        self.tls = tls
        self._implicit = implicit
        self._server: asyncio.Server | None = None
        self.tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> FtpServer:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, ssl=self.tls if self._implicit else None)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        for task in [*self.tasks]:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.connections += 1
        try:
            with contextlib.suppress(ConnectionError, ssl.SSLError, asyncio.CancelledError):
                await _Talk(self, reader, writer).run()
        finally:
            self.tasks.discard(task)
            await shut(writer)


class _Talk:
    """One control connection."""

    def __init__(self, server: FtpServer, reader: asyncio.StreamReader,
                 writer: asyncio.StreamWriter) -> None:
        self.server, self.faults = server, server.faults
        self.reader, self.writer = reader, writer
        self.data: asyncio.Future[tuple[asyncio.StreamReader, asyncio.StreamWriter]] | None = None
        self.listening: asyncio.Server | None = None
        self.offset = 0
        self.secret = False

    async def run(self) -> None:
        if self.faults.stall == "banner":
            await asyncio.sleep(3600)
        self.writer.write(self.faults.greeting)
        try:
            while line := await self.reader.readline():
                if not self.secret:
                    self.server.heard += line
                word, _, rest = line.decode("latin-1").rstrip("\r\n").partition(" ")
                word = word.upper()
                self.server.commands[word] += 1
                if self.faults.stall == word:
                    await asyncio.sleep(3600)
                if word in self.faults.after:
                    self.say(self.faults.after[word])
                    continue
                if word == "QUIT":
                    return
                await getattr(self, f"do_{word.lower()}", self.unknown)(rest)
        finally:
            await self.close_data()

    def say(self, text: str) -> None:
        self.writer.write(text.encode("latin-1") + b"\r\n")

    async def unknown(self, _rest: str) -> None:
        self.say("502 not implemented")

    async def do_auth(self, _rest: str) -> None:
        if self.server.tls is None:
            self.say("502 no TLS here")
            return
        self.say("234 go on")
        await self.writer.drain()
        await self.writer.start_tls(self.server.tls)
        self.secret = True

    async def do_pbsz(self, _rest: str) -> None:
        self.say("200 ok")

    do_prot = do_type = do_pbsz

    async def do_user(self, rest: str) -> None:
        self.user = rest
        self.say("331 password")

    async def do_pass(self, rest: str) -> None:
        good = (self.user, rest) == (USER, PASSWORD)
        self.say("230 in" if good else f"530 not with '{rest}'")

    async def do_pwd(self, _rest: str) -> None:
        self.say('257 "/home/observer" is here')

    async def do_cwd(self, rest: str) -> None:
        there = any(path.startswith(rest.rstrip("/") + "/") for path in self.server.files)
        self.say("250 ok" if there else "550 no such folder")

    async def do_epsv(self, _rest: str) -> None:
        if self.faults.no_epsv:
            self.say("502 no EPSV")
            return
        if self.faults.refuse_epsv:
            self.say(self.faults.refuse_epsv)
            return
        if self.faults.closed_epsv:
            with socket.create_server(("127.0.0.1", 0)) as closed:
                port = closed.getsockname()[1]
            self.say(f"229 ok (|||{port}|)")
            return
        self.say(f"229 ok (|||{await self.listen()}|)")

    async def do_pasv(self, _rest: str) -> None:
        port = await self.listen()
        host = self.faults.pasv_host or "127,0,0,1"
        self.say(f"227 ok ({host},{port >> 8},{port & 255})")

    async def listen(self) -> int:
        """A data connection to come; a port that nobody answers at, if it is to stall."""
        await self.close_data()
        self.data = asyncio.get_running_loop().create_future()
        if self.faults.stall == "connect":
            deaf = socket.socket()
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(0)
            self.deaf = [deaf, *(_filling(deaf.getsockname()) for _ in range(3))]
            return int(deaf.getsockname()[1])

        def came(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if self.is_secret:
                writer.transport.pause_reading()  # type: ignore[attr-defined]  # until TLS begins
            if self.data is not None and not self.data.done():
                self.data.set_result((reader, writer))

        self.listening = await asyncio.start_server(came, "127.0.0.1", 0)
        return int(self.listening.sockets[0].getsockname()[1])

    @property
    def is_secret(self) -> bool:
        """Whether data are encrypted."""
        return self.secret or self.server._implicit

    async def close_data(self) -> None:
        for deaf in getattr(self, "deaf", ()):
            deaf.close()
        if self.listening is not None:
            self.listening.close()
            self.listening = None
        if self.data is not None and self.data.done():
            await shut(self.data.result()[1])
        self.data = None

    async def do_rest(self, rest: str) -> None:
        self.offset = int(rest)
        self.say("350 go on")

    async def do_mlsd(self, rest: str) -> None:
        if self.faults.no_mlsd:
            self.say("500 what?")
            return
        await self.list(rest, lambda name, size, mtime: (
            f"type=file;size={size};modify={datetime.fromtimestamp(mtime, tz=UTC):%Y%m%d%H%M%S}; "
            f"{name}\r\n").encode())

    async def do_list(self, _rest: str) -> None:
        await self.list("", lambda name, size, mtime: (
            f"-rw-r--r--   1 obs  obs  {size} {datetime.fromtimestamp(mtime, tz=UTC):%b %d %H:%M} "
            f"{name}\r\n").encode())

    async def list(self, folder: str, line: object) -> None:
        found = [(path.rpartition("/")[2], len(content), mtime)
                 for path, (content, mtime) in self.server.files.items()
                 if not folder or path.rpartition("/")[0] == folder.rstrip("/")]
        if not found and self.faults.listing is None:
            self.say("550 no such folder")
            return
        listing = self.faults.listing
        if listing is None:
            listing = b"".join(line(*entry) for entry in found)  # type: ignore[operator]
        await self.send(listing)

    async def do_mlst(self, rest: str) -> None:
        if self.faults.no_mlsd or rest not in self.server.files:
            self.say("500 what?" if self.faults.no_mlsd else "550 no such file")
            return
        content, mtime = self.server.files[rest]
        moment = datetime.fromtimestamp(mtime, tz=UTC)
        self.say(f"250-\r\n type=file;size={len(content)};modify={moment:%Y%m%d%H%M%S}; {rest}"
                 "\r\n250 end")

    async def do_size(self, rest: str) -> None:
        found = self.server.files.get(rest)
        self.say("550 no" if found is None else f"213 {len(found[0])}")

    async def do_retr(self, rest: str) -> None:
        if script := self.server.script.get(rest):
            self.faults = script.pop(0)
        if self.faults.rename:
            new = f"{rest.rpartition('/')[0]}/{self.faults.rename}"
            self.server.files[new] = self.server.files.pop(rest)
        if self.faults.answer:
            self.say(self.faults.answer)
            return
        if rest not in self.server.files:
            self.say("550 no such file")
            return
        offset, self.offset = self.offset, 0
        await self.send(self.server.files[rest][0], offset, file=True)

    async def _until_read(self, faults: Faults, offset: int) -> None:
        """A reset throws away what the client has not read."""
        if faults.read is None:
            await asyncio.sleep(0.05)
            return
        while faults.read() < offset:  # noqa: ASYNC110 - of something from outside
            await asyncio.sleep(0.005)

    async def send(self, content: bytes, offset: int = 0, *, file: bool = False) -> None:
        """Over the data connection, with all that may go wrong there."""
        assert self.data is not None
        self.say("150 here it comes")
        _, writer = await self.data
        if self.server.tls is not None and self.is_secret:
            # As real servers do it: not before there is a command for the data.
            await writer.start_tls(self.server.tls)
        faults = self.faults
        end = len(content) if faults.short < 0 or not file else faults.short
        while offset < end:
            if faults.stall == "data" and file and offset >= len(content) // 2:
                await asyncio.sleep(3600)
            if file and 0 <= faults.cut <= offset and faults.cuts > 0:
                faults.cuts -= 1
                await self._until_read(faults, offset)
                reset(writer)
                reset(self.writer)
                raise ConnectionResetError
            block = content[offset:min(offset + _BLOCK, end)]
            if file and faults.cut > offset and faults.cuts > 0:
                block = block[:faults.cut - offset]
            writer.write(block)
            await writer.drain()
            offset += len(block)
            self.server.sent += len(block) if file else 0
        await shut(writer)
        if faults.stall == "end" and file:
            await asyncio.sleep(3600)
        self.say(faults.ending if faults.ending and file else "226 sent")


def _filling(address: tuple[str, int]) -> socket.socket:
    """One of the connections that fill up a queue that nobody empties."""
    filler = socket.socket()
    filler.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        filler.connect(address)
    return filler


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection by a reset, as a router does."""
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def shut(writer: asyncio.StreamWriter) -> None:
    """Close a connection."""
    writer.close()
    with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
        async with asyncio.timeout(1.0):
            await writer.wait_closed()
