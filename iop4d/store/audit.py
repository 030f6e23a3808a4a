"""What people changed by hand: each change in a row of its own, in the transaction that made it."""

from __future__ import annotations

from typing import Any

from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Audit


def record(tx: Transaction, *, at: float, by: str, act: str, subject: str, was: Any = None,
           now: Any = None, why: str = "") -> int:
    """Keep a change; its id. ``was``, ``now``: plain values from before and after it.

    ``subject`` names what was changed by kind and name, such as "result 12" or "rule flare".
    """
    return int(tx.create(Audit, at=at, by=by, act=act, subject=subject, was=was, now=now,
                         why=why).id)


def of_subject(db: Connection, subject: str, limit: int | None = 100) -> list[Audit]:
    """The changes of one thing, newest first."""
    return list(db.select(Audit).where(Audit.subject == subject).order_by(Audit.id.desc())
                .limit(limit))


def find(db: Connection, id_: int) -> Audit | None:
    """A change; None for an unknown id."""
    return db.get(Audit, Audit.id == id_)
