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


def kinds_after(db: Connection, event_id: int) -> list[str]:
    """The kinds of the events after one."""
    rows = db.select(Event, Event.kind).where(Event.id > event_id).distinct().tuples()
    return [kind for kind, in rows]


def after(db: Connection, event_id: int, limit: int) -> list[Event]:
    """The first events after one, oldest first."""
    return list(db.select(Event).where(Event.id > event_id).order_by(Event.id).limit(limit))


def older(db: Connection, before: float) -> int:
    """How many events happened before a time, but for the newest one, from which ids go on."""
    return int(db.select(Event).where((Event.at < before) & (Event.id < newest(db))).count())


def forget(tx: Transaction, before: float) -> None:
    """Delete these."""
    tx.delete(Event).where((Event.at < before) & (Event.id < newest(tx))).execute()


def trim(tx: Transaction) -> None:
    """Delete all but the newest events."""
    tx.delete(Event).where(Event.id <= newest(tx) - _KEEP).execute()
