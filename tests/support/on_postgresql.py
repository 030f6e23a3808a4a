"""The tests on PostgreSQL: ``make test-postgresql``, or ``IOP4D_TESTS_ON=postgresql pytest``.

Every site of a test is a schema of one server, which the first process starts. A path of a
database stands for the schema of its folder; what is about SQLite's file is skipped, and what opens
no database is not run again.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest

from iop4d.config import store
from iop4d.store import database
from tests.support.postgresql import PostgresServer, programs
from tests.support.real_servers import is_required

_SERVER = pytest.StashKey[PostgresServer]()
IS_ON = os.environ.get("IOP4D_TESTS_ON") == "postgresql"
_NO_SERVER = ("the tests on PostgreSQL were skipped, as no server is installed: "
              "apt-get install postgresql, or make real-servers")
_TOP = Path(__file__).resolve().parents[2]
#: What is not run again, unless it is named: it is the same whatever keeps what a site knows.
_WITHOUT_STORE = frozenset(_TOP / "tests" / name for name in (
    # numbers, files and text alone
    "config", "export", "fields", "fits", "instruments", "model", "reduction", "science",
    "alerts/atel/test_sentences.py", "alerts/atel/test_figure.py", "alerts/atel/test_text.py",
    "bench", "docs", "test_docs.py", "test_words.py", "test_mutants.py", "test_contracts.py",
    # how files come, from folders and from servers: what becomes of them is tests/ledger
    "archives", "real_servers", "test_remote_night.py",
    # who does the work
    "ledger/test_dask.py", "ledger/test_dask_connections.py", "ledger/test_dask_members.py",
    "ledger/test_dask_transfer.py",
    # make chaos ARGS="--store postgresql" kills on a server
    "test_killing.py", "test_crash_points.py")) | (
        frozenset((_TOP / "tests/simulator").glob("test_*.py"))
        - {_TOP / "tests/simulator/test_invariants.py"})
#: Tests that take long, for something else than what keeps what they need.
_SLOW = frozenset({
    "test_a_season_of_restarts_and_blocked_loops_gives_one_letter_a_night",
    "test_the_same_alerts_to_the_last_one_as_from_all_points",
    "test_a_new_point_costs_the_same_whatever_the_history"})


def start(config: pytest.Config) -> None:
    """Start the server in the process that starts the others; they find its address."""
    # The driver minds connections of threads that ended, which SQLite does not.
    config.addinivalue_line("filterwarnings", "ignore:.*psycopg.Connection:ResourceWarning")
    warnings.filterwarnings("ignore", ".*psycopg.Connection", ResourceWarning)  # after the tests
    if hasattr(config, "workerinput"):
        return
    if programs() is None:
        pytest.exit(_NO_SERVER, returncode=1 if is_required() else 0)
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


def is_run_once(path: Path) -> bool:
    """Whether tests open no database, so that they say nothing new here."""
    return path in _WITHOUT_STORE


def skip_what_says_nothing_here(items: list[pytest.Item]) -> None:
    """Skip the tests that are marked as being about SQLite's file, or about a browser."""
    for item in items:
        if getattr(item, "originalname", item.name) in _SLOW:
            item.add_marker(pytest.mark.skip(reason="takes long, and not for the database"))
        for mark, reason in (("sqlite", "about SQLite's file"),
                             ("browser", "what a browser does with the same page")):
            if item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=reason))
