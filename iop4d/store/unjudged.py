"""Results that are to be judged again, or that a node wrote which does not judge the rules."""

from __future__ import annotations

from collections.abc import Iterable

from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Unjudged

_AT_ONCE = 2000  # results of one transaction


def put(tx: Transaction, ids: Iterable[int]) -> None:
    """Leave results to whoever judges the rules."""
    tx.insert_many(Unjudged, [{"result": id_} for id_ in ids])


def is_any(db: Connection) -> bool:
    """Whether some were left."""
    return bool(db.rows('SELECT 1 FROM "unjudged" LIMIT 1'))


def take(tx: Transaction) -> list[int]:
    """The results that were left, the oldest first, some at a time; they count as judged."""
    rows = list(tx.select(Unjudged).order_by(Unjudged.id).limit(_AT_ONCE))
    if rows:
        tx.delete(Unjudged).where(Unjudged.id <= rows[-1].id).execute()
    return sorted({row.result for row in rows})
