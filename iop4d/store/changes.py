"""Which results changed, for what is kept in memory of them: rows that triggers write."""

from __future__ import annotations

from dataclasses import dataclass

from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import ResultChange

_KEEP = 50_000  # changes kept; who looked last before them reads everything again


@dataclass(frozen=True, kw_only=True)
class Place:
    """Up to which change somebody looked."""

    id: int = 0
    token: int = 0


def now(db: Connection) -> Place:
    """The place of the newest change."""
    for id_, token in db.rows("SELECT id, token FROM resultchange ORDER BY id DESC LIMIT 1"):
        return Place(id=id_, token=token)
    return Place()


def since(db: Connection, place: Place) -> tuple[Place, list[tuple[int, str, str]]] | None:
    """The changes (result, source, band) after a place, and the place after them.

    None if what came after the place cannot be known: its change is not there any more, being old,
    or of a transaction that was undone.
    """
    found = db.rows("SELECT id, token, result, source, band FROM resultchange WHERE id >= ? "
                    "ORDER BY id", place.id)
    if place.id and (not found or found[0][:2] != (place.id, place.token)):
        return None
    after = found[1:] if place.id else found
    if not after:
        return place, []
    return (Place(id=after[-1][0], token=after[-1][1]),
            [(result, source, band) for _, _, result, source, band in after])


def trim(tx: Transaction) -> None:
    """Delete all but the newest changes."""
    tx.delete(ResultChange).where(ResultChange.id <= now(tx).id - _KEEP).execute()
