"""A mail server on this machine that keeps what it gets as files: the demo's mailbox."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


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
