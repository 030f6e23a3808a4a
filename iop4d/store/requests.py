"""What commands ask of a running daemon: rows, so that nothing asked is lost in a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import peewee as pw

from iop4d.store.database import Database
from iop4d.store.schema import Ask

_BUSY = 2.0  # seconds to wait for another writer


def put(database: Database, kind: str, content: dict[str, Any], now: float) -> int:
    """Ask for something; the id of the ask."""
    with database.write():
        return int(Ask.create(kind=kind, content=content, created_at=now).id)


def put_beside(path: Path, kind: str, content: dict[str, Any], now: float) -> int:
    """Ask from a process that otherwise only reads: by a connection of its own, for this alone.

    The id of the ask. The tables stay bound to the reader's connection.
    """
    text = (Ask.insert(kind=kind, content=content, created_at=now).sql())
    connection = pw.sqlite3.connect(path, timeout=_BUSY)
    try:
        with connection:
            return int(connection.execute(*text).lastrowid)
    finally:
        connection.close()


def queued(database: Database) -> list[Ask]:
    """What is asked and not answered, oldest first."""
    with database.connected():
        return list(Ask.select().where(Ask.state == "queued").order_by(Ask.id))


def answer(database: Database, ask_id: int, content: dict[str, Any]) -> None:
    """Answer an ask."""
    with database.write():
        Ask.update(state="done", answer=content).where(Ask.id == ask_id).execute()


def answer_of(database: Database, ask_id: int) -> dict[str, Any] | None:
    """The answer to an ask, once there is one."""
    with database.connected():
        ask = Ask.get_by_id(ask_id)
    return dict(ask.answer) if ask.answer is not None else None
