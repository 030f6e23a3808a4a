"""Events are kept for the live page, the newest of them."""

from __future__ import annotations

import pytest

from iop4d.store import events
from iop4d.store.database import Database
from iop4d.store.schema import Event


def test_only_the_newest_events_are_kept(database: Database,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_KEEP", 5)
    with database.write() as tx:
        for number in range(12):
            events.emit(tx, "frame", float(number), id=number)
        events.trim(tx)
        kept = [row.content["id"] for row in tx.select(Event).order_by(Event.id)]
        assert kept == [7, 8, 9, 10, 11]
        events.trim(tx)
        assert tx.select(Event).count() == 5
        assert events.newest(tx) == 12


def test_none_is_no_trouble(database: Database) -> None:
    with database.write() as tx:
        events.trim(tx)
        assert events.newest(tx) == 0
