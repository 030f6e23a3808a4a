"""What tests share: a site in a temporary folder, a clock that is told, the real frames."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from iop4d.config import Site
from iop4d.config.load import parse_site
from iop4d.instruments import discovery
from iop4d.instruments.base import Instrument
from iop4d.ledger.ledger import FoundFile, Ledger
from iop4d.ledger.plan import Claim
from iop4d.model.messages import Outcome
from iop4d.store.database import Database, Transaction
from tests.support import on_postgresql

# How long an example takes says something of the machine's other work, not of the program.
settings.register_profile("iop4d", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("iop4d")


def pytest_configure(config: pytest.Config) -> None:
    if on_postgresql.IS_ON:
        on_postgresql.start(config)
        on_postgresql.use()


def pytest_unconfigure(config: pytest.Config) -> None:
    on_postgresql.stop(config)


#: Files that take long, the longest first: begun last they would be waited for alone.
_LONG = ("tests/test_daemon.py", "tests/docs/test_commands.py", "tests/ledger/test_dask.py",
         "tests/system/test_service.py",
         "tests/web/test_auth.py", "tests/cli/test_cli.py", "tests/simulator/test_polarised.py",
         "tests/archives/test_names.py", "tests/alerts/test_light_curves.py",
         "tests/alerts/test_summary_alerts.py", "tests/alerts/atel/test_figure.py",
         "tests/web/test_browser.py", "tests/simulator/test_headers.py",
         "tests/archives/test_download.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    places = {name: place for place, name in enumerate(_LONG)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(places)))
    if on_postgresql.IS_ON:
        on_postgresql.skip_what_says_nothing_here(items)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    return True if on_postgresql.IS_ON and on_postgresql.is_run_once(collection_path) else None


_LOG_LEVEL = logging.getLogger().level

REALDATA = Path(__file__).resolve().parents[2] / "shared" / "realdata"


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class LedgerAlone:
    """A ledger without a daemon: whatever it does is a transaction of its own.

    ``on_results``: called with the ids of new results, in their transaction.
    """

    def __init__(self, *, database: Database, site: Site, instruments: dict[str, Instrument],
                 clock: Callable[[], float],
                 on_results: Callable[[list[int]], None] = lambda _: None) -> None:
        self.database = database
        self.ledger = Ledger(site, instruments, clock, listener=self)
        self._on_results = on_results

    def on_results(self, tx: Transaction, ids: list[int]) -> None:
        self._on_results(ids)

    def recover(self) -> int:
        with self.database.write() as tx:
            return self.ledger.recover(tx)

    def accept(self, files: Iterable[FoundFile]) -> list[int]:
        with self.database.write() as tx:
            return self.ledger.accept(tx, files)

    def redo(self, ids: Iterable[int]) -> list[int]:
        with self.database.write() as tx:
            return self.ledger.redo(tx, ids)

    def reject(self, ids: Iterable[int], reason: str) -> list[int]:
        with self.database.write() as tx:
            return self.ledger.reject_masters(tx, ids, reason)

    def ignore(self, ids: Iterable[int], reason: str) -> list[int]:
        with self.database.write() as tx:
            return self.ledger.ignore(tx, ids, reason)

    def restore(self, ids: Iterable[int]) -> list[int]:
        with self.database.write() as tx:
            return self.ledger.restore_masters(tx, ids)

    def follow_catalogue(self, version: int) -> tuple[int, int]:
        with self.database.write() as tx:
            return self.ledger.follow_catalogue(tx, version)

    def claim(self, limit: int) -> list[Claim]:
        with self.database.read() as db:
            if not self.ledger.is_due(db):
                return []
        with self.database.write() as tx:
            return self.ledger.claim(tx, limit)

    def next_due(self) -> float | None:
        with self.database.read() as db:
            return self.ledger.next_due(db)

    def finish(self, claim: Claim, outcome: Outcome, *, then: int = 0) -> list[Claim]:
        with self.database.write() as tx:
            return self.ledger.finish(tx, claim, outcome, then=then)

    def give_back(self, claims: Iterable[Claim]) -> None:
        with self.database.write() as tx:
            self.ledger.give_back(tx, claims)


def work_off(ledger: LedgerAlone, clock: FakeClock, answer: Callable[[Claim], Outcome], *,
             most: int = 3000) -> list[str]:
    """Do all there is to do, the clock going on to what is due; labels in the order of the work."""
    done: list[str] = []
    for _ in range(most):
        claims = ledger.claim(1)
        if not claims:
            due = ledger.next_due()
            if due is None:
                return done
            clock.now = max(clock.now, due) + 1e-3
            continue
        done.append(claims[0].label)
        ledger.finish(claims[0], answer(claims[0]))
    raise AssertionError(f"no end of work: {done[-5:]}")


def in_a_hurry(database: Database) -> None:
    """Let this thread's commits not wait for the disk: no power fails while a test runs."""
    if not on_postgresql.IS_ON:
        database.db.execute_sql("PRAGMA synchronous = off")


@cache
def _points_of(group: str, _: tuple[str, ...]) -> EntryPoints:
    return entry_points(group=group)


@pytest.fixture(autouse=True, scope="session")
def _plug_ins_are_looked_up_once() -> Iterator[None]:
    """All that is installed is read for each look-up, and thousands of tests ask for instruments.

    Once for each ``sys.path``: a test that puts a plug-in there finds it.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(discovery, "entry_points",
                      lambda *, group: _points_of(group, tuple(sys.path)))
        yield


@pytest.fixture(autouse=True)
def _no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command prints has the width of a pipe, whatever runs the tests says of its own."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """A command that sets up its log in this process does so for itself alone.

    Also one that a fixture of the whole session runs, before the first test that uses it.
    """
    root = logging.getLogger()
    root.setLevel(_LOG_LEVEL)
    root.handlers[:] = handlers = [
        one for one in root.handlers if type(one).__module__.startswith("_pytest")]
    yield
    root.setLevel(_LOG_LEVEL)
    root.handlers[:] = handlers


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with one folder as its archive, and no waiting for more calibration frames."""
    return parse_site(
        '[[archive]]\nname = "raw"\npath = "raw"\n[masters]\nbuild_delay = 0.0\n', root=tmp_path)


@pytest.fixture
def database(site: Site) -> Iterator[Database]:
    opened = Database(site.database)
    in_a_hurry(opened)
    yield opened
    opened.close()


@pytest.fixture
def hatp32() -> Path:
    folder = REALDATA / "hatp32"
    if not folder.is_dir():
        pytest.skip("the real frames are not here")
    return folder
