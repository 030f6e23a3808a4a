"""The real client against a broker of librdkafka's own, on this machine; needs iop4d[gcn]."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from iop4d.config.load import parse_site
from iop4d.config.triggers import Triggers
from iop4d.model.errors import ConfigError, Iop4dError
from iop4d.store.database import Database
from iop4d.store.thread import DatabaseThread
from iop4d.store.trigger_table import Trigger
from iop4d.triggers import broker
from iop4d.triggers.listener import Listener
from tests.support.rows import rows
from tests.triggers.broker import until
from tests.triggers.told import TEXT, unified

TOPICS = ("gcn.classic.text.FERMI_LAT_MONITOR", "gcn.notices.example")


def test_without_the_extra_the_daemon_says_what_is_missing(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from iop4d.daemon import Daemon

    site = parse_site('[triggers]\ntopics = ["a"]\nservers = "localhost"\n', root=tmp_path)
    monkeypatch.setattr(broker, "find_spec", lambda _: None)
    with pytest.raises(Iop4dError, match=r"pip install 'iop4d\[gcn\]'"):
        Daemon.check(site)


@pytest.mark.parametrize(("text", "said"), [
    ('topics = ["a"]', "client_secret_file"),
    ('client_id = "a"', "client_secret_file"),
    ('topics = ["a b"]', "names of topics"),
    ('servers = "http://x"', "addresses such as"),
    ('domain = "gcn.example"', "one of gcn.nasa.gov"),
])
def test_keys_that_do_not_fit_are_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        parse_site(f"[triggers]\n{text}\n", root=tmp_path)


@pytest.fixture
def kafka() -> Iterator[tuple[str, Any]]:
    """The address of a broker, and who produces messages there."""
    confluent = pytest.importorskip("confluent_kafka")
    producer = confluent.Producer({"bootstrap.servers": "x:1", "test.mock.num.brokers": 1,
                                   "log_level": 2})
    (one,) = producer.list_topics(timeout=10).brokers.values()
    yield f"{one.host}:{one.port}", producer
    producer.flush(5)


async def received(site: Database, servers: str, count: int) -> dict[str, Any]:
    """Listen as the daemon does until so many notices came; how the broker was."""
    thread = DatabaseThread.of(site.place)
    await thread.open()
    stop = asyncio.Event()
    made = Listener(settings=Triggers(topics=TOPICS, servers=servers, group="here"),
                    database=thread, clock=time.time, look=0.2)
    task = asyncio.create_task(made.run(stop))
    try:
        await until(lambda: made.status["received"] >= count, seconds=50.0)
        return made.status
    finally:
        stop.set()
        await asyncio.wait_for(task, 20)
        thread.close()


@pytest.mark.timeout(120)
def test_the_real_client_receives_each_notice_once_over_a_restart(
        kafka: tuple[str, Any], database: Database) -> None:
    servers, producer = kafka
    for topic, body in zip(TOPICS, (TEXT, unified()), strict=True):
        producer.produce(topic, body)
    assert producer.flush(10) == 0
    status = asyncio.run(received(database, servers, 2))
    assert (status["state"], status["reason"]) == ("ok", "")
    assert {row.origin for row in rows(database, Trigger)} == {f"topic {one}" for one in TOPICS}
    producer.produce(TOPICS[1], unified(id="while away"))
    assert producer.flush(10) == 0
    status = asyncio.run(received(database, servers, 1))
    assert status["received"] == 1, "those before were committed"
    assert len(rows(database, Trigger)) == 3


@pytest.mark.timeout(60)
def test_the_real_client_says_why_a_broker_does_not_answer(database: Database) -> None:
    pytest.importorskip("gcn_kafka")

    async def listen() -> str:
        thread = DatabaseThread.of(database.place)
        await thread.open()
        stop = asyncio.Event()
        made = Listener(settings=Triggers(topics=TOPICS, servers="127.0.0.1:1"),
                        database=thread, clock=time.time)
        task = asyncio.create_task(made.run(stop))
        await until(lambda: made.status["state"] != "starting", seconds=30.0)
        stop.set()
        await asyncio.wait_for(task, 20)
        thread.close()
        return str(made.status["reason"])

    assert "refused" in asyncio.run(listen())
