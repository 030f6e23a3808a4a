"""The daemon's listener: nothing is lost, nothing blocks, and a broker that is away is said.

The client is a double at its border; ``test_broker`` runs the real one.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from iop4d.config.triggers import Triggers
from iop4d.store import catalogue
from iop4d.store.catalogue_csv import parse
from iop4d.store.database import Database
from iop4d.store.thread import DatabaseThread
from iop4d.store.trigger_table import Trigger
from iop4d.triggers import listener as module
from iop4d.triggers.listener import HEARTBEAT, Listener
from iop4d.triggers.upkeep import Matching
from tests.support.rows import rows
from tests.triggers.told import TEXT, unified

TOPIC = "gcn.classic.text.FERMI_LAT_MONITOR"
SETTINGS = Triggers(topics=(TOPIC,), servers="localhost:1")


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


@pytest.fixture
def broker() -> Broker:
    return Broker()


@asynccontextmanager
async def listening(database: Database, broker: Broker) -> AsyncIterator[Listener]:
    """A listener at work, with its own thread of the database, until the block ends."""
    thread = DatabaseThread.of(database.place)
    await thread.open()
    stop = asyncio.Event()
    made = Listener(settings=SETTINGS, database=thread, clock=time.time, connect=broker.connect,
                    look=0.05, wait=(0.01, 0.1))
    task = asyncio.create_task(made.run(stop))
    try:
        yield made
    finally:
        stop.set()
        await asyncio.wait_for(task, 5)
        thread.close()


async def until(met: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for what another thread brings about."""
    async with asyncio.timeout(seconds):
        while not met():  # noqa: ASYNC110 - of a thread and a client, which tell of no event
            await asyncio.sleep(0.005)


def test_notices_are_stored_and_then_committed(database: Database, broker: Broker) -> None:
    broker.messages = [Told(TEXT), Told(TEXT), Told(unified()), Told(b"no notice")]

    async def listen() -> None:
        async with listening(database, broker) as made:
            await until(lambda: broker.committed == 4)
            assert (made.status["state"], made.status["received"]) == ("ok", 4)
        assert broker.clients[0].closed, "the broker knows that this client is gone"
        (thread,) = broker.clients[0].threads
        assert thread.startswith("triggers"), "the event loop is not blocked"

    asyncio.run(listen())
    assert [(row.origin, row.state) for row in rows(database, Trigger)] == [
        (f"topic {TOPIC}", "not in the catalogue"), (f"topic {TOPIC}", "not in the catalogue"),
        (f"topic {TOPIC}", "unreadable")]


def test_what_was_not_stored_comes_again(database: Database, broker: Broker,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    broker.messages = [Told(TEXT), Told(unified())]
    fails, stores = [True], module._received

    def received(*args: Any) -> None:
        if len(broker.clients) == 1:
            fails.append(True)
            raise OSError("the disk is full")
        stores(*args)

    monkeypatch.setattr(module, "_received", received)

    async def listen() -> None:
        async with listening(database, broker):
            await until(lambda: broker.committed == 2)

    asyncio.run(listen())
    assert len(fails) == 2, "the first client met the fault"
    assert len(broker.clients) == 2
    assert broker.clients[0].closed
    assert len(rows(database, Trigger)) == 2


def test_a_broker_that_is_away_is_said_and_found_again(database: Database, broker: Broker) -> None:
    broker.refuses, broker.down = 2, "auth.gcn.nasa.gov: no such host"

    async def listen() -> None:
        async with listening(database, broker) as made:
            await until(lambda: made.status["reason"] == "no such host")
            await until(lambda: made.status["reason"] == broker.down)
            assert made.status["state"] == "unreachable"
            broker.messages, broker.down = [Told(TEXT)], ""
            await until(lambda: made.status["state"] == "ok")
            await until(lambda: broker.committed == 1)
            assert made.status["reason"] == ""
        assert len(broker.clients) == 1, "the client connects again by itself"

    asyncio.run(listen())
    assert len(rows(database, Trigger)) == 1


def test_a_topic_that_the_broker_does_not_have_is_said(database: Database, broker: Broker) -> None:
    broker.topics = ["gcn.notices.other"]

    async def listen() -> None:
        async with listening(database, broker) as made:
            await until(lambda: TOPIC in made.status["reason"])
            assert made.status["state"] == "unreachable"

    asyncio.run(listen())


def test_errors_in_the_place_of_messages_and_heartbeats_are_no_notices(
        database: Database, broker: Broker) -> None:
    broker.messages = [Told(None, error="some partition moved"), Told(b"{}", topic=HEARTBEAT),
                       Told(None)]

    async def listen() -> None:
        async with listening(database, broker) as made:
            await until(lambda: broker.committed == 3)
            assert made.status["received"] == 1
            assert made.status["last_at"]

    asyncio.run(listen())
    assert [row.reason for row in rows(database, Trigger)] == ["it is empty"]


def test_sources_are_looked_for_again_when_the_catalogue_changes(
        database: Database, broker: Broker) -> None:
    broker.messages = [Told(unified(hours=1e3, alert_datetime=None))]

    async def listen() -> None:
        async with listening(database, broker) as made:
            await until(lambda: broker.committed == 1)
            matching = Matching(SETTINGS, made._database, time.time)
            await matching.run_once()
            assert [row.source for row in rows(database, Trigger)] == [""]
            await made._database.write(
                catalogue.save, parse("name,ra,dec,kind\nBL Lac,330.68,42.28,target\n"))
            await matching.run_once()
            assert [row.source for row in rows(database, Trigger)] == ["BL Lac"]

    asyncio.run(listen())
