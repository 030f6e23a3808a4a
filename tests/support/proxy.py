"""A TCP proxy that spoils the connection as told: what toxiproxy does, in a hundred lines."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from types import TracebackType


@dataclass(kw_only=True)
class Toxics:
    """What goes wrong, on the way from the server to the client; each 0: not at all.

    ``limit_data`` and ``reset_peer`` count the bytes of one connection.
    """

    latency: float = 0.0  # seconds by which each piece comes later
    bandwidth: float = 0.0  # bytes a second
    slicer: int = 0  # bytes of a piece
    limit_data: int = 0  # bytes after which the connection is closed
    reset_peer: int = 0  # bytes after which the client gets a reset
    slow_close: float = 0.0  # seconds by which the close comes later
    timeout: bool = False  # nothing passes, in either direction
    stall: int = 0  # bytes after which nothing more comes
    cuts: int = -1  # connections that are still to be closed or reset; -1: all


class Proxy:
    """Listens at a port of this machine and passes on to a server; an async context manager."""

    def __init__(self, port: int, toxics: Toxics | None = None) -> None:
        self._server_port = port
        self.toxics = toxics or Toxics()
        self.port = 0
        self.sent = 0  # bytes that the client was sent, of all connections
        self.connections = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Proxy:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.connections += 1
        try:
            await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            await _closed(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.toxics.timeout:
            await _swallow(reader)
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._server_port)
        try:
            up = asyncio.create_task(self._up(reader, to_server))
            down = asyncio.create_task(self._down(from_server, writer))
            try:
                await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                up.cancel()
                down.cancel()
                await asyncio.gather(up, down, return_exceptions=True)
        finally:
            await _closed(to_server)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            if self.toxics.timeout:
                await _swallow(reader)
                return
            writer.write(data)
            await writer.drain()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        toxics, sent = self.toxics, 0
        limit = toxics.limit_data or toxics.reset_peer
        while data := await reader.read(toxics.slicer or 1 << 16):
            if toxics.timeout or 0 < toxics.stall <= sent + len(data):
                await asyncio.Event().wait()  # until the client ends it
            cut = 0 < limit <= sent + len(data) and toxics.cuts != 0
            if cut:
                data = data[:limit - sent]
            await asyncio.sleep(
                toxics.latency + (len(data) / toxics.bandwidth if toxics.bandwidth else 0))
            writer.write(data)
            await writer.drain()
            sent += len(data)
            self.sent += len(data)
            if cut:
                toxics.cuts -= toxics.cuts > 0
                if toxics.reset_peer:
                    _reset(writer)
                break
        await asyncio.sleep(toxics.slow_close)


async def _swallow(reader: asyncio.StreamReader) -> None:
    """Take all that comes, and do nothing with it."""
    while await reader.read(1 << 16):
        pass


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close such that the other side gets a reset."""
    writer.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort() if writer.transport.is_closing() else writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), 1.0)
