"""What sources were called before they were renamed, as the audit has it."""

from __future__ import annotations

from iop4d.model.source import canonical
from iop4d.store.database import Connection
from iop4d.store.schema import Audit

#: The act of the audit: ``was`` and ``now`` have a source by its name before and after.
RENAME = "rename source"


def name_now(db: Connection, name: str) -> str:
    """What a source is called that had a name before; empty if none had it.

    Of a name that several sources had one after another, the one that had it last.
    """
    now = name
    for before, after in _renamed(db):
        if canonical(before) in (canonical(now), canonical(name)):
            now = after
    return now if canonical(now) != canonical(name) else ""


def names_before(db: Connection, name: str) -> tuple[str, ...]:
    """What a source was called before, its present name excepted, the last one first."""
    names = [name]
    for before, after in reversed(_renamed(db)):
        if canonical(after) == canonical(names[-1]):
            names.append(before)
    return tuple(one for one in dict.fromkeys(names) if canonical(one) != canonical(name))


def _renamed(db: Connection) -> list[tuple[str, str]]:
    """The changes of names, before and after, the oldest first."""
    rows = db.select(Audit, Audit.was, Audit.now).where(Audit.act == RENAME).order_by(Audit.id)
    return [(before, after) for row in rows
            for before, after in zip(row.was or {}, row.now or {}, strict=False)]
