"""A PostgreSQL server for the tests of a module, and a schema of it for each of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from iop4d.config.store import ServerPlace
from tests.support.postgresql import PostgresServer


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """Keeps what was committed when it is killed."""
    made = PostgresServer(durable=True)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def place(server: PostgresServer, request: pytest.FixtureRequest) -> ServerPlace:
    """A schema of its own for each test; of no node."""
    name = f"t{abs(hash(request.node.name))}"
    return ServerPlace(f"{server.url}?options=-csearch_path%3D{name}")
