"""Points that others measured, kept beside ours: they are compared with, and count for nothing."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from iop4d.model.errors import Iop4dError
from iop4d.model.external import PointTable
from iop4d.store import audit
from iop4d.store.database import Connection, Transaction, finite
from iop4d.store.external_tables import ExternalPoint, ExternalTable

#: Kinds of change of the audit.
IMPORTED, REMOVED = "external import", "external remove"
#: What ``rows`` gives of each point.
COLUMNS = ("origin", "band", "jd", "mag", "mag_err", "mag_limit", "p", "p_err", "chi_deg",
           "chi_err_deg")
#: Points of one table.
MOST = 200_000


def save(tx: Transaction, source: str, found: PointTable, *, origin: str, reference: str,
         file: str, by: str, now: float) -> tuple[ExternalTable, int]:
    """Keep the points of a table instead of those of the same origin; how many these were."""
    if not origin.strip():
        raise Iop4dError("an origin is needed: a telescope, a survey or a paper")
    if len(found.points) > MOST:
        raise Iop4dError(f"{file} has {len(found.points)} points; the most is {MOST}")
    before = tx.get(ExternalTable, (ExternalTable.source == source)
                    & (ExternalTable.origin == origin))
    if before is not None:
        _delete(tx, before)
    row = tx.create(ExternalTable, source=source, origin=origin, reference=reference, file=file,
                    sha256=found.sha256, times=found.times, count=len(found.points),
                    first_jd=found.points[0].jd, last_jd=found.points[-1].jd, imported_by=by,
                    imported_at=now)
    tx.insert_many(ExternalPoint, [
        {"table": row.id, "source": source, "origin": origin, "band": one.band, "jd": one.jd}
        | {name: finite(value) for name, value in asdict(one).items()
           if name not in ("band", "jd")} for one in found.points])
    audit.record(tx, at=now, by=by, act=IMPORTED, subject=f"source {source}",
                 was=_said(before), now=_said(row))
    return row, before.count if before is not None else 0


def remove(tx: Transaction, id_: int, *, by: str, now: float) -> ExternalTable:
    """Remove a table with its points. Raises Iop4dError where there is none."""
    row = tx.get(ExternalTable, ExternalTable.id == id_)
    if row is None:
        raise Iop4dError(f"there is no external table {id_}")
    _delete(tx, row)
    audit.record(tx, at=now, by=by, act=REMOVED, subject=f"source {row.source}", was=_said(row))
    return row


def tables(db: Connection, source: str | None = None) -> list[ExternalTable]:
    """What was imported, of a source or of all."""
    query = db.select(ExternalTable).order_by(ExternalTable.source, ExternalTable.origin)
    return list(query if source is None else query.where(ExternalTable.source == source))


def rows(db: Connection, source: str, *, since_jd: float,
         until_jd: float) -> list[tuple[Any, ...]]:
    """``COLUMNS`` of the points of a source between two JD, in order of time."""
    return db.rows(f"SELECT {', '.join(COLUMNS)} FROM externalpoint WHERE source = ? "  # noqa: S608 - names of ours
                   "AND jd BETWEEN ? AND ? ORDER BY jd, id", source, since_jd, until_jd)


def _delete(tx: Transaction, row: ExternalTable) -> None:
    tx.delete(ExternalPoint).where(ExternalPoint.table == row.id).execute()
    tx.delete(ExternalTable).where(ExternalTable.id == row.id).execute()


def _said(row: ExternalTable | None) -> dict[str, Any] | None:
    return None if row is None else {
        name: getattr(row, name) for name in ("origin", "reference", "file", "sha256", "count")}
