"""An SFTP server of this machine that misbehaves as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import asyncssh

USER, PASSWORD = "observer", "canary-of-the-password"


@dataclass(kw_only=True)
class Faults:
    """What goes wrong in the files that are served."""

    extra: list[bytes] = field(default_factory=list)  # names listed besides those of the folder
    short: dict[str, int] = field(default_factory=dict)  # bytes after which a file ends
    piece: int = 0  # most bytes of an answer; 0: as many as were asked for
    silent: str = ""  # the request that is never answered: scandir, stat, open, read, close
    wordless: bool = False  # listings tell neither size nor type
    failing: bool = False  # every file cannot be read
    no_stat: bool = False  # of no file it can tell what it is


class SftpServer:
    """Serves a folder; an async context manager."""

    def __init__(self, root: Path, *, faults: Faults | None = None, user: str = USER,
                 password: str = PASSWORD, keys: list[asyncssh.SSHKey] | None = None) -> None:
        self._root, self._user, self._password = root, user, password
        self._user_keys = keys or []
        self.faults = faults or Faults()
        self.host_keys = [asyncssh.generate_private_key("ssh-ed25519")]
        self.port = 0
        self.logins = 0
        self.open: set[asyncssh.SSHServerConnection] = set()
        self._listening: asyncssh.SSHAcceptor | None = None

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its first key."""
        return str(self.host_keys[0].get_fingerprint())

    def known_hosts(self, path: Path) -> Path:
        """Write a file that holds its keys."""
        path.write_text("".join(
            f"[127.0.0.1]:{self.port} {key.export_public_key().decode()}"
            for key in self.host_keys))
        return path

    async def change_key(self, *algorithms: str) -> None:
        """Show other keys from now on, at the same port."""
        self.host_keys = [asyncssh.generate_private_key(name)
                          for name in algorithms or ("ssh-ed25519",)]
        await self._close()
        await self._listen()

    async def __aenter__(self) -> SftpServer:
        await self._listen()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        trace: TracebackType | None) -> None:
        await self._close()

    async def _listen(self) -> None:
        self._listening = await asyncssh.listen(
            "127.0.0.1", self.port, server_host_keys=self.host_keys, encoding=None,
            server_factory=lambda: _Login(self), sftp_factory=lambda channel: _Files(
                channel, self._root, self.faults), gss_host=None, reuse_address=True)
        self.port = self._listening.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._listening is not None
        self._listening.close()
        for connection in list(self.open):
            connection.abort()
            await connection.wait_closed()
        await self._listening.wait_closed()
        await asyncio.sleep(0)

    def accepts(self, user: str, password: str) -> bool:
        return (user, password) == (self._user, self._password)

    def accepts_key(self, user: str, key: asyncssh.SSHKey) -> bool:
        return user == self._user and key in [own.convert_to_public() for own in self._user_keys]


class _Login(asyncssh.SSHServer):
    """Lets in whom it knows."""

    def __init__(self, server: SftpServer) -> None:
        self._server = server
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, connection: asyncssh.SSHServerConnection) -> None:
        self._connection = connection
        self._server.open.add(connection)

    def connection_lost(self, error: Exception | None) -> None:
        assert self._connection is not None
        self._server.open.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def auth_completed(self) -> None:
        self._server.logins += 1

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return self._server.accepts(username, password)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self._server.accepts_key(username, key)


class _Files(asyncssh.SFTPServer):
    """The folder, with its faults."""

    def __init__(self, channel: asyncssh.SSHServerChannel[bytes], root: Path,
                 faults: Faults) -> None:
        super().__init__(channel, chroot=str(root).encode())
        self._connection = channel.get_connection()
        self._faults = faults
        self._names: dict[Any, str] = {}

    async def _answer(self, request: str) -> None:
        if self._faults.silent == request:
            await self._connection.wait_closed()

    async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
        await self._answer("scandir")
        for name in self._faults.extra:
            yield asyncssh.SFTPName(name, b"", asyncssh.SFTPAttrs(
                size=2880, permissions=0o100644, mtime=1_700_000_000, atime=1_700_000_000))
        async for entry in super().scandir(path):
            if self._faults.wordless:
                entry.attrs = asyncssh.SFTPAttrs()
            yield entry

    async def stat(self, path: bytes) -> Any:
        await self._answer("stat")
        if self._faults.no_stat and path.endswith(b".fits"):
            raise asyncssh.SFTPFailure("the disk is broken")
        return super().stat(path)

    async def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> object:
        await self._answer("open")
        if self._faults.failing:
            raise asyncssh.SFTPFailure("the disk is broken")
        file = super().open(path, pflags, attrs)
        self._names[file] = path.rpartition(b"/")[2].decode()
        return file

    async def read(self, file: Any, offset: int, size: int) -> bytes:
        await self._answer("read")
        end = self._faults.short.get(self._names[file])
        if end is not None:
            size = max(0, min(size, end - offset))
        if self._faults.piece:
            size = min(size, self._faults.piece)
        data = super().read(file, offset, size)
        assert isinstance(data, bytes)
        return data

    async def close(self, file: Any) -> None:
        await self._answer("close")
        super().close(file)
