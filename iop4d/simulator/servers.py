"""FTP, SFTP and mail servers on this machine: archives and the mailbox of demo and tests."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

_START = 30.0  # seconds within which a server must listen

USER = "observer"


class _Listening(Protocol):
    def close(self) -> Any: ...


class Server:
    """A server in a thread of its own, on a free local port.

    ``open``: starts it on the thread's loop and returns (what closes it, its port).
    """

    def __init__(self, name: str, start: Callable[[], Awaitable[tuple[_Listening, int]]]) -> None:
        self._start = start
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"server {name}")
        self.port = 0

    def start(self) -> None:
        """Listen; raises what kept it from that."""
        self._thread.start()
        if not self._ready.wait(_START):
            raise TimeoutError(f"the {self._thread.name} does not start")
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Stop listening."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(_START)

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        try:
            listening, self.port = await self._start()
        except Exception as error:  # noqa: BLE001 - told to whoever started it
            self._error = error
            self._ready.set()
            return
        self._ready.set()
        await self._stop.wait()
        closed = listening.close()
        if closed is not None:
            await closed
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


def ftp_server(folder: Path, password: str) -> Server:
    """An FTP server that shows a folder, for reading, to USER."""
    async def start() -> tuple[_Listening, int]:
        import aioftp

        # Clients that hang up are no news here.
        logging.getLogger("aioftp.server").setLevel(logging.CRITICAL)
        reader = aioftp.User(USER, password, base_path=folder, permissions=[
            aioftp.Permission("/", readable=True, writable=False)])
        server = aioftp.Server([reader])
        await server.start("127.0.0.1", 0)
        return server, int(server.server_port)

    return Server("ftp", start)


def sftp_server(folder: Path, password: str, key: Any) -> Server:
    """An SFTP server with a host key that shows a folder to USER."""
    async def start() -> tuple[_Listening, int]:
        import asyncssh

        logging.getLogger("asyncssh").setLevel(logging.CRITICAL)

        class Login(asyncssh.SSHServer):
            """Knows one user."""

            def begin_auth(self, username: str) -> bool:
                return True

            def password_auth_supported(self) -> bool:
                return True

            def validate_password(self, username: str, given: str) -> bool:
                return (username, given) == (USER, password)

        def files(channel: Any) -> asyncssh.SFTPServer:
            return asyncssh.SFTPServer(channel, chroot=str(folder).encode())

        listening = await asyncssh.create_server(
            Login, "127.0.0.1", 0, server_host_keys=[key], sftp_factory=files)
        return listening, int(listening.get_port())

    return Server("sftp", start)


def host_key() -> tuple[Any, str]:
    """A new host key, and its fingerprint as a site file pins it."""
    import asyncssh

    key = asyncssh.generate_private_key("ssh-ed25519")
    return key, str(key.get_fingerprint("sha256"))


class Mailbox:
    """An SMTP server on a free local port; each message becomes ``<number>.eml`` in a folder."""

    def __init__(self, folder: Path, *, port: int = 0) -> None:
        from aiosmtpd.controller import Controller

        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._count = len(list(folder.glob("*.eml")))
        self._controller = Controller(self, hostname="127.0.0.1", port=port or free_port())

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Keep a message; aiosmtpd calls it by this name."""
        self._count += 1
        part = self.folder / f".{self._count:05d}.part"
        part.write_bytes(envelope.original_content or envelope.content)
        part.replace(self.folder / f"{self._count:05d}.eml")
        return "250 OK"

    @property
    def port(self) -> int:
        """The port that it listens at."""
        return int(self._controller.port)

    def messages(self) -> list[Path]:
        """The messages kept, oldest first."""
        return sorted(self.folder.glob("*.eml"))

    def start(self) -> None:
        """Listen."""
        self._controller.start()

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()

    def wait_for(self, count: int, *, seconds: float) -> bool:
        """Wait until there are ``count`` messages; whether there are."""
        deadline = time.monotonic() + seconds
        while len(self.messages()) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        return len(self.messages()) >= count


def free_port() -> int:
    """A port that nobody listens at."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
