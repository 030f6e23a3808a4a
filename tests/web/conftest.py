"""An empty site, a populated one, and a real server with its address."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.datastructures import Headers
from werkzeug.routing import Rule
from werkzeug.security import generate_password_hash

from iop4d.config import Site
from iop4d.store import alerts, requests, users
from iop4d.store.database import Database
from iop4d.store.schema import Event, Frame
from iop4d.system.lock import SiteLock
from iop4d.web.app import create_app
from iop4d.web.server import serve
from tests.support.rows import rows, update
from tests.web import observatory


class _Compiled(BytecodeCache):
    """Templates compiled once for all the applications that the tests make."""

    def __init__(self) -> None:
        self._known: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._known:
            bucket.bytecode_from_string(self._known[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._known[bucket.key] = bucket.bytecode_to_string()


Flask.jinja_options = {**Flask.jinja_options, "bytecode_cache": _Compiled()}

_BUILDERS: dict[tuple[Any, ...], Callable[..., tuple[str, str]]] = {}
_compile_builder = Rule._compile_builder


def _builder_once(rule: Rule, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
    """Each route compiled once: that is nine tenths of the time that an application takes to make.

    What it builds an address with is a function of the route's text alone, which takes the route.
    """
    if rule.defaults:
        return _compile_builder(rule, append_unknown)
    key = (rule.rule, append_unknown, tuple(rule._trace))
    if key not in _BUILDERS:
        _BUILDERS[key] = _compile_builder(rule, append_unknown)
    return _BUILDERS[key]


Rule._compile_builder = _builder_once  # type: ignore[method-assign]

OURS = {"Origin": "http://localhost"}
PASSWORD = "correct horse"
Serving = Callable[[Site], AbstractContextManager[str]]

PAGES = ("/", "/sources", "/nights", "/failed", "/alerts", "/mailbox", "/fragments/banner",
         "/fragments/health", "/fragments/firing", "/fragments/tonight-sources",
         "/fragments/telescopes", "/fragments/trouble", "/system", "/fragments/system/state",
         "/fragments/system/wrong", "/fragments/system/latency", "/fragments/system/channels",
         "/drafts", "/summaries", "/sign-in")
PROGRAMS = ("/api/status", "/api/live", "/api/results", "/healthz")
FILLED = (*PAGES, *PROGRAMS, "/sources/1", "/sources/BL%20Lac", "/sources/2200+420", "/frames/1",
          "/frames/24", "/frames/25", "/frames/26", "/frames/1/preview.png", "/frames/1/raw",
          "/frames/1/reduced", "/mailbox/0001.eml", "/mailbox/0001.eml/html",
          "/api/sources/BL%20Lac/points", "/curves?source=1", "/curves.svg?source=1",
          "/curves", "/fragments/points?id=1,2", "/static/live.js",
          "/results/1", "/api/results/1", "/failed?page=99", "/alerts?page=x",
          f"/sources/{observatory.HOSTILE}")

MISSING = ("/nothing", "/frames/999/raw", "/results/99999", "/api/results/99999",
           "/results/1/modulation.png")


@dataclass(frozen=True)
class Answer:
    """What came for an address."""

    status: int
    mimetype: str
    headers: Headers
    text: str


Answers = dict[str, Answer]


@pytest.fixture
def empty(tmp_path: Path) -> Site:
    """A site whose database has no row."""
    made = observatory.site(tmp_path / "site", mailbox=tmp_path / "site" / "mails")
    Database(made.database).close()
    return made


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A populated site whose daemon runs; its tests only read it."""
    made = observatory.site(tmp_path_factory.mktemp("filled") / "site",
                            mailbox=tmp_path_factory.getbasetemp() / "mails")
    observatory.fill(made)
    # Its daemon must not fall silent while the tests run.
    execute(made, DAEMON_SAYS,
            json.dumps(observatory.heartbeat(made, time.time() + 86_400)))
    assert made.web.mailbox is not None
    observatory.write_mail(made.web.mailbox)
    observatory.write_mail(made.web.mailbox, "0002.eml", observatory.HOSTILE)
    lock = SiteLock(made.lock)
    yield made
    lock.close()


@pytest.fixture
def hold_lock() -> Iterator[Callable[[Site], SiteLock]]:
    """Holds the lock of a site, as a daemon that works there does."""
    with ExitStack() as held:
        def hold(site: Site) -> SiteLock:
            lock = SiteLock(site.lock)
            held.callback(lock.close)
            return lock
        yield hold


@pytest.fixture
def client(filled: Site) -> FlaskClient:
    return create_app(filled).test_client()


@pytest.fixture(scope="session")
def answers(filled: Site) -> Answers:
    """The answers of the populated site, got once for the tests that look at all of them."""
    client, found = create_app(filled).test_client(), {}
    for path in (*FILLED, *MISSING):
        with client.get(path) as answer:
            found[path] = Answer(answer.status_code, answer.mimetype or "", answer.headers,
                                 answer.get_data().decode(errors="replace"))
    return found


@pytest.fixture
def own(tmp_path: Path) -> Site:
    """A populated site that a test has to itself, where Ana may sign in."""
    made = observatory.site(tmp_path)
    observatory.fill(made)
    add_account(made)
    return made


@cache
def hashed(password: str) -> str:
    """The hash of a password, a quick one."""
    return generate_password_hash(password, method="pbkdf2:sha256:1")


def add_account(site: Site, name: str = "Ana", password: str = PASSWORD) -> None:
    """Let somebody sign in."""
    with Database(site.database).write() as tx:
        users.save(tx, name, hashed(password), now=0.0)


def enter(client: FlaskClient, password: str = PASSWORD, name: str = "Ana", back: str = "/alerts",
          ) -> Any:
    """Sign in."""
    return client.post("/sign-in", headers=OURS,
                       data={"name": name, "password": password, "back": back})


def firing(site: Site) -> int:
    """The id of the alert that fires."""
    with Database(site.database, read_only=True).read() as db:
        (alert,) = alerts.active(db)
        return int(alert.id)


def requested(site: Site) -> list[dict[str, Any]]:
    """What the daemon is requested to do."""
    with Database(site.database, read_only=True).read() as db:
        return [request.content for request in requests.queued(db)]


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Serve a site from a thread; gives its address."""
    stop, addresses, known = threading.Event(), [], threading.Event()

    def announce(address: str) -> None:
        addresses.append(address)
        known.set()

    thread = threading.Thread(target=serve, args=(site,),
                              kwargs={"stop": stop, "announce": announce})
    thread.start()
    try:
        assert known.wait(10)
        yield addresses[0]
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def serving() -> Serving:
    """What serves a site."""
    return served


#: What a daemon says of itself, as JSON.
DAEMON_SAYS = ("INSERT INTO meta (key, value) VALUES ('daemon', ?) "
               "ON CONFLICT (key) DO UPDATE SET value = excluded.value")


def execute(site: Site, statement: str, *values: Any) -> None:
    """Write as the daemon would, from a connection of its own."""
    database = Database(site.database, prepare=False)
    try:
        with database.write():
            database.db.execute_sql(database.kind.sql(statement), values)
    finally:
        database.close()


def add_info(site: Site, *conditions: Any, **said: Any) -> None:
    """Add what a worker said to the frames that meet the conditions."""
    database = Database(site.database, prepare=False)
    for row in rows(database, Frame, *conditions):
        update(database, Frame, Frame.id == row.id, info=row.info | said)
    database.close()


def emit(site: Site, kind: str = "frame", content: str = '{"id":1}') -> int:
    """Record an event; its id."""
    database = Database(site.database, prepare=False)
    try:
        with database.write() as tx:
            return int(tx.create(Event, at=1.0, kind=kind, content=json.loads(content)).id)
    finally:
        database.close()
