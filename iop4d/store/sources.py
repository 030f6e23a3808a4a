"""Sources: found by id or any name, listed, with their results and their names for people."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import peewee as pw

from iop4d.model.errors import CatalogueError
from iop4d.model.flags import NEVER_ALERTS
from iop4d.model.source import Source, SourceKind
from iop4d.store import catalogue, former_names, schema
from iop4d.store.database import Connection
from iop4d.store.results import STANDS, standing
from iop4d.store.schema import Alert, Frame, Result
from iop4d.store.table import is_filled

_UNFLAGGED = (Result.flags.bin_and(int(NEVER_ALERTS)) == 0) & ~is_filled(Result.human_flags)

_LONGEST_ID = 19  # digits
_POINT = (Result.id, Result.band, Result.jd_mid, Result.mag, Result.mag_err, Result.mag_limit,
          Result.mag_err_common, Result.p, Result.p_err, Result.chi_deg, Result.chi_err_deg,
          Result.p_debiased, Result.p_limit, Result.chi_err_common, Result.q, Result.u,
          Result.q0_err, Result.u0_err, Result.telescope, Result.flags, Result.human_flags,
          Result.frames, Result.provisional, Result.mode, Result.withdrawn, Result.changed_at)


@dataclass(frozen=True, kw_only=True)
class SourceLine:
    """A source of the list. ``entry``: None if the catalogue does not have it (any more)."""

    name: str
    entry: Source | None
    count: int = 0
    last: Result | None = None  # the latest with a magnitude; without a doubt, if there is one
    polarised: Result | None = None  # the latest with a polarisation


def find(db: Connection, key: str) -> tuple[str, Source | None] | None:
    """A source by any of its names or its id; its name, and its catalogue entry if it has one.

    A source that left the catalogue keeps its results and its page; one that was renamed is found
    by its names from before, too, unless another has them.
    """
    try:
        found = catalogue.find(db, key)
    except CatalogueError:
        if key.isdecimal() and len(key) <= _LONGEST_ID:
            for source in catalogue.load(db).sources:
                if source.id == int(key):
                    return source.name, source
        if db.get(Result, Result.source == key) is not None:
            return key, None
        now = former_names.name_now(db, key)
        return find(db, now) if now else None
    return found.name, found


def name_of(db: Connection, text: str) -> str:
    """The name of a source by any of its names; the text itself where no source has it."""
    if db.by(schema.Source, "name", text) is not None:
        return text
    found = find(db, text)
    return text if found is None else found[0]


def listed(db: Connection) -> list[SourceLine]:
    """Every source that was measured, and every target; targets first."""
    counts = dict(standing(db, Result.source, pw.fn.COUNT(pw.SQL("*"))).group_by(
        Result.source).tuples())
    entries = {source.name: source for source in catalogue.load(db).sources}
    names = set(counts) | {source.name for source in entries.values()
                           if source.kind is not SourceKind.CALIBRATOR}
    last = _newest(db, counts, Result.mag.is_null(False) & _UNFLAGGED)
    last = _newest(db, counts.keys() - last.keys(), Result.mag.is_null(False)) | last
    polarised = _newest(db, counts, Result.p.is_null(False))
    lines = [SourceLine(name=name, entry=entries.get(name), count=counts.get(name, 0),
                        last=last.get(name), polarised=polarised.get(name)) for name in names]
    return sorted(lines, key=_order)


def _newest(db: Connection, names: Iterable[str], which: Any) -> dict[str, Result]:
    """Of each source the newest result of some, found from the end of the source's index."""
    # The text is made once: that takes longer than to run it.
    sql, (_, *values) = Result.select().where(
        (Result.source == "") & STANDS & which).order_by(
        Result.jd_mid.desc(), Result.id.desc()).limit(1).sql()
    return {row.source: row for name in names for row in db.raw(Result, sql, name, *values)}


def _order(line: SourceLine) -> tuple[bool, bool, str]:
    target = line.entry is not None and line.entry.kind is SourceKind.TARGET
    return not line.count, not target, line.name.casefold()


def count(db: Connection, name: str) -> int:
    """How many results a source has."""
    return int(standing(db).where(Result.source == name).count())


def latest_results(db: Connection, name: str, count: int) -> list[Result]:
    """The latest results of a source, the newest first, without withdrawn ones."""
    return list(standing(db).where(Result.source == name).order_by(
        Result.jd_mid.desc(), Result.id.desc()).limit(count))


def points(db: Connection, name: str, *, after: float | None, limit: int) -> list[Any]:
    """What a plot needs of a source's newest results, or of those that changed at or after a time.

    In order of time. Withdrawn ones are among those that changed alone: a plot loses them.
    """
    query = db.select(Result, *_POINT).where(Result.source == name)
    query = query.where(STANDS if after is None else Result.changed_at >= after)
    newest = query.order_by(Result.jd_mid.desc(), Result.id.desc()).limit(limit)
    return db.plain(newest, _POINT)[::-1]


def other_names(db: Connection) -> dict[str, str]:
    """The first other name of each source, to be shown beside its own."""
    rows = db.select(schema.Source, schema.Source.name, schema.Source.other_names).tuples()
    return {name: others[0] for name, others in rows if others}


def display_name(db: Connection, source: str) -> str:
    """The first other name of a source in the catalogue, which people use; else its own."""
    entry = db.get(schema.Source, schema.Source.name == source)
    return str(next(iter(entry.other_names), source)) if entry else source


def all_names(db: Connection) -> list[tuple[str, list[str]]]:
    """Every source of the catalogue with its other names."""
    return list(db.select(schema.Source, schema.Source.name, schema.Source.other_names).tuples())


def is_known(db: Connection, name: str) -> bool:
    """Whether something of a name is in the catalogue, has results or alerts, or sends frames."""
    return any(db.get(table, condition) is not None for table, condition in (
        (schema.Source, schema.Source.name == name), (Alert, Alert.source == name),
        (Result, Result.source == name),
        (Frame, (Frame.telescope == name) | (Frame.archive == name))))
