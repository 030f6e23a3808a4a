"""What the page of the audit lists: changes that people made by hand."""

from __future__ import annotations

from dataclasses import dataclass

from iop4d.store.database import Connection
from iop4d.store.schema import Audit


@dataclass(frozen=True, kw_only=True)
class AuditFilter:
    """Which changes a page lists; empty: all. ``since``, ``until``: Unix seconds."""

    by: str = ""
    act: str = ""
    subject: str = ""
    since: float | None = None
    until: float | None = None


def changes(db: Connection, which: AuditFilter, *, before: int | None, limit: int) -> list[Audit]:
    """Changes by hand, the latest first, before the one of an id; one more than ``limit``, if
    there are more."""
    query = db.select(Audit)
    for column, value in ((Audit.by, which.by), (Audit.act, which.act)):
        if value:
            query = query.where(column == value)
    if which.subject:
        query = query.where(Audit.subject.contains(which.subject))
    if which.since is not None:
        query = query.where(Audit.at >= which.since)
    if which.until is not None:
        query = query.where(Audit.at < which.until)
    if before is not None:
        query = query.where(Audit.id < before)
    return list(query.order_by(Audit.id.desc()).limit(limit + 1))


def who_and_what(db: Connection) -> tuple[list[str], list[str]]:
    """Everybody who changed something, and every kind of change."""
    return ([by for (by,) in db.select(Audit, Audit.by).distinct().order_by(Audit.by).tuples()],
            [act for (act,) in db.select(Audit, Audit.act).distinct().order_by(Audit.act).tuples()])
