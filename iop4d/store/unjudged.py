"""Results that are to be judged again, or that a node wrote which does not judge the rules."""

from __future__ import annotations

from collections.abc import Iterable

from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Result, Unjudged

_AT_ONCE = 2000  # results of one transaction
_OVER = 30.0  # days after which no alert rests on a point


def put(tx: Transaction, ids: Iterable[int]) -> None:
    """Leave results to whoever judges the rules."""
    tx.insert_many(Unjudged, [{"result": id_} for id_ in ids])


def put_of_the_future(tx: Transaction, after_jd: float, until_jd: float) -> None:
    """The results between two moments (JD, middle of the exposure) are to be judged: they were in
    the future of a clock that was behind. Those of the last month alone, where it was in 1970: no
    alert rests on older ones."""
    after_jd = max(after_jd, until_jd - _OVER)
    put(tx, [id_ for (id_,) in tx.select(Result, Result.id).where(
        (Result.jd_mid > after_jd) & (Result.jd_mid <= until_jd)).order_by(Result.id).tuples()])


def is_any(db: Connection) -> bool:
    """Whether some were left."""
    return bool(db.rows('SELECT 1 FROM "unjudged" LIMIT 1'))


def take(tx: Transaction) -> list[int]:
    """The results that were left, the oldest first, some at a time; they count as judged."""
    rows = list(tx.select(Unjudged).order_by(Unjudged.id).limit(_AT_ONCE))
    if rows:
        tx.delete(Unjudged).where(Unjudged.id <= rows[-1].id).execute()
    return sorted({row.result for row in rows})
