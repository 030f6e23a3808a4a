"""The daemon's listener: nothing is lost, nothing blocks, and a broker that is away is said.

The client is a double at its border; ``test_broker`` runs the real one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from tests.triggers.broker import TOPIC, Broker, Told, until
from tests.triggers.told import TEXT, unified

SETTINGS = Triggers(topics=(TOPIC,), servers="localhost:1")


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
