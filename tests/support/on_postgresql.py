"""The tests on PostgreSQL: ``make test-postgresql``, or ``IOP4D_TESTS_ON=postgresql pytest``.

Every site of a test is a schema of one server, which the first process starts. A path of a
database stands for the schema of its folder; what is about SQLite's file is skipped.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from iop4d.config import store
from iop4d.store import database
from tests.support.postgresql import PostgresServer

_SERVER = pytest.StashKey[PostgresServer]()
IS_ON = os.environ.get("IOP4D_TESTS_ON") == "postgresql"


def start(config: pytest.Config) -> None:
    """Start the server in the process that starts the others; they find its address."""
    # The driver minds connections of threads that ended, which SQLite does not.
    config.addinivalue_line("filterwarnings", "ignore:.*psycopg.Connection:ResourceWarning")
    if hasattr(config, "workerinput"):
        return
    server = PostgresServer()
    server.start()
    config.stash[_SERVER] = server
    os.environ[store.VARIABLE] = server.url_of_sites


def stop(config: pytest.Config) -> None:
    """End the server."""
    if (server := config.stash.get(_SERVER, None)) is not None:
        server.stop()


def _as_place(place: store.Place | Path) -> store.Place:
    if not isinstance(place, Path):
        return place
    return store.place_of_url("", place.parent if place.name == store.FILE else place)


def use() -> None:
    """Have what opens a database by its path open the schema of the folder."""
    database.as_place = _as_place  # type: ignore[attr-defined]


def skip_what_is_of_sqlite(items: list[pytest.Item]) -> None:
    """Skip the tests that are marked as being about SQLite's file."""
    for item in items:
        if item.get_closest_marker("sqlite"):
            item.add_marker(pytest.mark.skip(reason="about SQLite's file"))
