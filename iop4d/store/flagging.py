"""Flags that people set: on many results at once, cleared, undone, and kept with who and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from iop4d.model.errors import Iop4dError
from iop4d.store import audit
from iop4d.store.database import Connection, Transaction
from iop4d.store.events import emit
from iop4d.store.results import emit_newest, find
from iop4d.store.schema import Audit, Result

#: What a change of flags is called among all changes by hand.
SET, CLEARED, UNDONE = "flag", "unflag", "undo flag"
#: Words that are offered; any other word is a flag too.
NAMES = ("bad", "clouds", "trailed", "blended", "wrong source")
_LONGEST = 40  # characters of a flag
_LONGEST_NOTE = 300
#: Results of one change.
MOST = 10_000

Marks = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Change:
    """Flags that a person changed at one moment: which, why, and of how many results."""

    at: float
    act: str
    name: str
    results: int
    why: str = ""

    @property
    def is_set(self) -> bool:
        """Whether the flag was set, not removed."""
        return self.act == SET


def set_flag(tx: Transaction, ids: Sequence[int], name: str, *, note: str, by: str,
             now: float) -> int:
    """Set a flag on results; one of the same name is replaced. How many results changed.

    Raises Iop4dError for a result that is not there, and for a flag without a name.
    """
    word = word_of(name)
    mark = {"name": word, "note": note.strip()[:_LONGEST_NOTE], "by": by, "at": now}

    def marked(marks: Marks) -> Marks:
        return [*(one for one in marks if one["name"] != word), mark]

    return _changed(tx, ids, marked, act=SET, by=by, why=str(mark["note"]), now=now)


def clear_flag(tx: Transaction, ids: Sequence[int], name: str, *, note: str, by: str,
               now: float) -> int:
    """Remove a flag of results, or with an empty name all of theirs. How many results had one.

    Raises Iop4dError for a result that is not there, and if none has such a flag.
    """
    word = name.strip()
    count = _changed(tx, ids, lambda marks: [one for one in marks if word not in ("", one["name"])],
                     act=CLEARED, by=by, why=note.strip()[:_LONGEST_NOTE], now=now)
    if not count:
        which = f"result {ids[0]} has" if len(ids) == 1 else "none of these results has"
        raise Iop4dError(f"{which} {'no flag' if len(ids) == 1 else 'a flag'}"
                         + (f" '{word}'" if word else "") + " set by hand")
    return count


def undo(tx: Transaction, at: float, *, by: str, now: float, of: str = "") -> tuple[int, int]:
    """Undo a change of that moment, one's own or that ``of`` another person: how many results are
    as before, how many are not.

    A result whose flags were changed since, or of which this was undone already, stays as it is.
    Raises Iop4dError if there is no such change.
    """
    rows = list(tx.select(Audit).where((Audit.at == at) & (Audit.by == (of or by))
                                       & Audit.act.in_((SET, CLEARED))))
    if not rows:
        raise Iop4dError("there is no such change of yours to undo")
    done = 0
    for row in rows:
        result = _result(tx, int(row.subject.removeprefix("result ")))
        if result.human_flags == row.now and _newest(tx, row.subject) == row.id:
            _save(tx, result, row.was, now)
            audit.record(tx, at=now, by=by, act=UNDONE, subject=row.subject, was=row.now,
                         now=row.was, why=row.why)
            done += 1
    _tell(tx, [int(row.subject.removeprefix("result ")) for row in rows], now)
    return done, len(rows) - done


def _newest(db: Connection, subject: str) -> int | None:
    """The id of the newest change of the flags of a result."""
    found: int | None = db.select(Audit, Audit.id).where(
        (Audit.subject == subject) & Audit.act.in_((SET, CLEARED, UNDONE))).order_by(
            Audit.id.desc()).limit(1).scalar()
    return found


def last_change(db: Connection, by: str, *, since: float) -> Change | None:
    """The newest change of flags of a person since a moment, unless it was undone."""
    newest = db.select(Audit).where(
        (Audit.by == by) & (Audit.at >= since) & Audit.act.in_((SET, CLEARED, UNDONE))).order_by(
            Audit.id.desc()).first() if by else None
    if newest is None or newest.act == UNDONE:
        return None
    marks = newest.now if newest.act == SET else newest.was
    count = db.select(Audit).where((Audit.at == newest.at) & (Audit.by == by)
                                   & (Audit.act == newest.act)).count()
    return Change(at=newest.at, act=newest.act, results=count, why=newest.why,
                  name=str(marks[-1]["name"]) if marks else "")


def _changed(tx: Transaction, ids: Sequence[int], turned: Callable[[Marks], Marks], *, act: str,
             by: str, why: str, now: float) -> int:
    if len(ids) > MOST:
        raise Iop4dError(f"{len(ids)} results are too many for one change of flags, which takes "
                         f"{MOST}")
    changed = []
    for id_ in dict.fromkeys(ids):
        result = _result(tx, id_)
        marks = turned(list(result.human_flags))
        if marks != result.human_flags:
            audit.record(tx, at=now, by=by, act=act, subject=f"result {id_}",
                         was=result.human_flags, now=marks, why=why)
            _save(tx, result, marks, now)
            changed.append(id_)
    _tell(tx, changed, now)
    return len(changed)


def _result(tx: Transaction, id_: int) -> Result:
    result = find(tx, id_)
    if result is None:
        raise Iop4dError(f"there is no result {id_}; 'iop4d results' lists their ids")
    return result


def _save(tx: Transaction, result: Result, marks: Marks, now: float) -> None:
    tx.set_by_key(Result, result.id, human_flags=marks, changed_at=now)
    emit(tx, "flag", now, id=result.id, source=result.source)


def _tell(tx: Transaction, ids: Sequence[int], now: float) -> None:
    """Tell the pages: once of each source and band."""
    if ids:
        emit_newest(tx, list(ids), now)


def word_of(name: str) -> str:
    """A flag as it is kept; raises Iop4dError for none."""
    word = name.strip()[:_LONGEST]
    if not word:
        raise Iop4dError("a flag needs a name, such as bad or clouds")
    return word
