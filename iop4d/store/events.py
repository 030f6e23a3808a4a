"""Events for the live page: what happened, in the transaction in which it happened."""

from __future__ import annotations

from typing import Any

from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Event

_KEEP = 20_000  # events kept; a page that was away longer loads again


def emit(tx: Transaction, kind: str, at: float, **content: Any) -> None:
    """Record what happened."""
    tx.create(Event, kind=kind, at=at, content=content)


def newest(db: Connection) -> int:
    """The id of the newest event; 0 if there is none."""
    return int(db.rows('SELECT COALESCE(MAX("id"), 0) FROM "event"')[0][0])


def trim(tx: Transaction) -> None:
    """Delete all but the newest events."""
    tx.delete(Event).where(Event.id <= newest(tx) - _KEEP).execute()
