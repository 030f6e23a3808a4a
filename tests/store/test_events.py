"""Events are kept for a long time, and not for ever."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iop4d.store import events
from iop4d.store.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = Database(tmp_path / "iop4d.db")
    yield made
    made.close()


def test_only_the_oldest_events_are_trimmed(database: Database,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_KEEP", 20)
    with database.write() as tx:
        events.trim(tx)
        for number in range(50):
            events.emit(tx, "frame", 1.0, number=number)
        events.trim(tx)
        kept = events.after(tx, 0, 100)
    assert [event.content["number"] for event in kept] == list(range(30, 50))


def test_an_event_is_never_numbered_as_one_that_was_trimmed(
        database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_KEEP", 1)
    with database.write() as tx:
        for _ in range(3):
            events.emit(tx, "frame", 1.0)
        last = events.newest(tx)
        events.trim(tx)
        events.emit(tx, "alert", 1.0)
        assert events.newest(tx) == last + 1
        assert events.kinds_after(tx, last) == ["alert"]
