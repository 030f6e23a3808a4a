"""Which results changed, for what is kept in memory of them: rows that triggers write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import ResultChange

_KEEP = 50_000  # changes kept; who looked last before them reads everything again
_MARKS = "changes.marks"
_OF_SOURCES = "changes.of_sources"
_MOST_KEPT = 200

T = TypeVar("T")


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


@dataclass(frozen=True)
class _Marks:
    """The place of each source's last change, as far as it was looked at; ``rest``: of the others.
    """

    place: Place
    of: dict[str, Place]
    rest: Place


def mark(db: Connection, source: str) -> str | None:
    """What is another text whenever a result of a source was made, changed or deleted since.

    It is asked for before the results are read: what is read then is at least as new. None of a
    database that this program writes, of which nothing may be kept.
    """
    if db.kept is None:
        return None
    marks: _Marks | None = db.kept.get(_MARKS)
    found = since(db, marks.place) if marks is not None else None
    if marks is None or found is None:
        here = now(db)
        marks = db.kept[_MARKS] = _Marks(place=here, of={}, rest=here)
    elif found[1]:
        # One place for all of them: it is no older than the change of any.
        marks = db.kept[_MARKS] = _Marks(
            place=found[0], rest=marks.rest,
            of=marks.of | dict.fromkeys((name for _, name, _ in found[1]), found[0]))
    last = marks.of.get(source, marks.rest)
    return f"{last.id}.{last.token}"


def kept_of(db: Connection, source: str, what: str, make: Callable[[], T]) -> T:
    """What is made of a source's results alone, kept until one of them changes.

    Nobody changes it: others are handed the same. The last that were asked for are kept.
    """
    mark_now = mark(db, source)
    if mark_now is None or db.kept is None:
        return make()
    kept: dict[tuple[str, str], tuple[str, T]] = db.kept.setdefault(_OF_SOURCES, {})
    found = kept.pop((what, source), None)
    if found is None or found[0] != mark_now:
        found = mark_now, make()
    kept[what, source] = found  # the last in order
    for old in list(kept)[:-_MOST_KEPT]:
        kept.pop(old, None)
    return found[1]


def trim(tx: Transaction) -> None:
    """Delete all but the newest changes."""
    tx.delete(ResultChange).where(ResultChange.id <= now(tx).id - _KEEP).execute()
