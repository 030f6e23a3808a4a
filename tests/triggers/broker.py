"""A broker of alerts in memory, and what a listener reports of it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from iop4d.config.triggers import Triggers

TOPIC = "gcn.classic.text.FERMI_LAT_MONITOR"


class Told:
    """A message, or an error in its place."""

    def __init__(self, value: bytes | None, topic: str = TOPIC, error: str | None = None) -> None:
        self._value, self._topic, self._error = value, topic, error

    def topic(self) -> str:
        return self._topic

    def value(self) -> bytes | None:
        return self._value

    def error(self) -> str | None:
        return self._error


class Broker:
    """Keeps messages, and what was committed of them, whatever clients come and go."""

    def __init__(self) -> None:
        self.messages: list[Told] = []
        self.committed = 0
        self.down = ""  # why it does not answer
        self.refuses = 0  # so many clients cannot be made
        self.topics = [TOPIC]
        self.clients: list[Client] = []
        self.troubled: Callable[[str], None] = print

    def connect(self, settings: Triggers, troubled: Callable[[str], None]) -> Client:
        if self.refuses:
            self.refuses -= 1
            raise OSError("no such host")
        self.troubled = troubled
        self.clients.append(Client(self))
        return self.clients[-1]


class Client:
    """A client that blocks, as the real one does."""

    def __init__(self, broker: Broker) -> None:
        self._broker, self._next = broker, broker.committed
        self.closed = False
        self.threads: set[str] = set()

    def poll(self, timeout: float) -> Told | None:
        self.threads.add(threading.current_thread().name)
        if self._broker.down or self._next >= len(self._broker.messages):
            time.sleep(min(timeout, 0.02))
            return None
        self._next += 1
        return self._broker.messages[self._next - 1]

    def commit(self, *, message: Told, asynchronous: bool) -> None:
        assert not asynchronous
        self._broker.committed = self._broker.messages.index(message) + 1

    def list_topics(self, *, timeout: float) -> Any:
        if self._broker.down:
            self._broker.troubled(self._broker.down)
            raise OSError("Failed to get metadata: Local: Broker transport failure")
        return SimpleNamespace(topics=dict.fromkeys(self._broker.topics))

    def close(self) -> None:
        self.closed = True


async def until(met: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for what another thread brings about."""
    async with asyncio.timeout(seconds):
        while not met():  # noqa: ASYNC110 - of a thread and a client, which tell of no event
            await asyncio.sleep(0.005)
