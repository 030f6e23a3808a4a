"""A site with rules, whose points are told by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iop4d.store.database import Database, Transaction
from tests.alerts.bench import UNIX_OF_JD, Night, Start, channel, rule, site_of
from tests.alerts.posting import Post
from tests.alerts.watched_system import Make, System
from tests.conftest import FakeClock


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Begins a night, ten minutes after JD, with the parts of a site file."""
    nights: list[Night] = []

    def make(*parts: str) -> Night:
        site = site_of(tmp_path, *(parts or (rule(), channel())))
        nights.append(Night(site, FakeClock(UNIX_OF_JD + 600.0)))
        return nights[-1]

    yield make
    for night in nights:
        night.database.close()


@pytest.fixture
def posts() -> Iterator[list[Post]]:
    made: list[Post] = []
    yield made
    for post in made:
        post.close()


@pytest.fixture
def tx(tmp_path: Path) -> Iterator[Transaction]:
    """A transaction on a database of its own, which is empty."""
    database = Database(tmp_path / "site.db")
    with database.write() as begun:
        yield begun
    database.close()


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Make]:
    """Makes a site with a rule on a condition, and more parts of a site file."""
    made: list[System] = []

    def make(condition: str, more: str = "") -> System:
        made.append(System(tmp_path, condition, more))
        return made[-1]

    yield make
    for one in made:
        one.database.close()
