"""Tells the service manager how the daemon is, by the protocol of sd_notify(3)."""

from __future__ import annotations

import contextlib
import os
import socket
import time

_LONGER = 60_000_000  # microseconds within which the next word comes, of one that starts


class Notifier:
    """Speaks to the socket that NOTIFY_SOCKET names; says nothing where there is none."""

    def __init__(self) -> None:
        self._address = os.environ.get("NOTIFY_SOCKET", "")
        pid = os.environ.get("WATCHDOG_PID", "")
        mine = not pid or pid == str(os.getpid())
        usec = os.environ.get("WATCHDOG_USEC", "") if mine else ""
        #: Seconds within which a sign of life is expected; None: none is.
        self.watchdog: float | None = int(usec) / 1e6 if usec.isdigit() and int(usec) else None

    def ready(self, status: str) -> None:
        """All works."""
        self._send("READY=1", _status(status))

    def reloading(self) -> None:
        """The configuration is being read anew; ``ready`` ends it."""
        moment = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={moment}")

    def stopping(self) -> None:
        """It comes to an end."""
        self._send("STOPPING=1", _status("stopping: running jobs may end"))

    def status(self, text: str) -> None:
        """A line for people."""
        self._send(_status(text))

    def starting(self, status: str) -> None:
        """It takes its time to start, and is not to be started again for that."""
        self._send(f"EXTEND_TIMEOUT_USEC={_LONGER}", _status(status))

    def alive(self) -> None:
        """A sign of life."""
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):
            address = "\0" + address[1:]  # a socket without a file
        # A service manager that is gone is no trouble of ours.
        with contextlib.suppress(OSError), \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto("\n".join(lines).encode(), address)


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())
