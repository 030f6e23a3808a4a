"""Write what IOP4 kept into a site: the catalogue, then the results, each in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from iop4d.moving import records, results, sources
from iop4d.moving.results import Imported
from iop4d.store import audit, catalogue, catalogue_changes, events, imported
from iop4d.store.database import Database, Transaction
from iop4d.store.results import columns_of

_AT_A_TIME = 2000  # results in one transaction, so that others may write between


@dataclass(kw_only=True)
class Report:
    """What came, a number each, and what has no counterpart, a line each."""

    sources_added: int = 0
    sources_known: int = 0
    results: Counter[str] = field(default_factory=Counter)  # added, changed, same, measured here
    instruments: Counter[str] = field(default_factory=Counter)  # results of each
    flagged: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)


def bring(database: Database, found: records.Records, *, by: str, now: float, dry_run: bool,
          with_results: bool = True, progress: Callable[[int], None] = lambda done: None) -> Report:
    """Bring sources and results of IOP4; a second time only what is new or changed.

    Raises CatalogueError if a name would belong to two sources.
    """
    with database.read() as db:
        here = catalogue.load(db).sources
    new = sources.convert(found.sources, here)
    report = Report(sources_added=new.added, sources_known=new.known, notes=new.notes)
    if new.new and not dry_run:
        with database.write() as tx:
            catalogue_changes.import_table(tx, new.new, by=by, at=now, why="from IOP4")
    every = {source.name: source for source in (*here, *new.new)}
    rows, report.left_out = results.convert(found.results if with_results else (), new.names, every)
    report.flagged = sum(bool(row.flags) for row in rows)
    report.instruments = Counter(row.instrument for row in rows)
    for start in range(0, len(rows), _AT_A_TIME):
        part = rows[start:start + _AT_A_TIME]
        if dry_run:
            with database.read() as db:
                report.results["added"] += len(part) - (known := sum(
                    imported.is_measured(db, r.telescope, r.night, r.files, r.value)
                    for r in part))
                report.results["measured here"] += known
        else:
            with database.write() as tx:
                report.results += Counter(_save(tx, row, by=by, now=now) for row in part)
        progress(min(start + _AT_A_TIME, len(rows)))
    if not dry_run and report.results["added"] + report.results["changed"]:
        with database.write() as tx:
            events.emit(tx, "catalogue", now)  # pages of sources have new points
            audit.record(tx, at=now, by=by, act="import-iop4", subject="results",
                         now=dict(report.results), why="from IOP4")
    return report


def _save(tx: Transaction, row: Imported, *, by: str, now: float) -> str:
    where = (row.telescope, row.night, row.files, row.value)
    if imported.is_measured(tx, *where):
        return "measured here"
    columns = columns_of(row.value) | {
        "telescope": row.telescope, "instrument": row.instrument, "night": row.night,
        "frames": list(row.files)}
    marks = [{"name": name, "note": "set in IOP4", "by": by, "at": now} for name in row.flags]
    return imported.save(tx, imported.key_of(*where), columns, marks, now=now)
