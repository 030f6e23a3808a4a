"""Changes of the catalogue by hand: each with a row of audit, and each can be undone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from iop4d.model.errors import CatalogueError
from iop4d.model.source import Source, canonical
from iop4d.store import audit, catalogue, catalogue_edit, events, schema
from iop4d.store.catalogue_cells import cells_of, list_of, source_of
from iop4d.store.database import Connection, Transaction
from iop4d.store.former_names import RENAME, names_before
from iop4d.store.schema import Audit

EDIT, ADD, REMOVE = "edit source", "add source", "remove source"
EXCLUDE, INCLUDE = "exclude calibrator", "include calibrator"
ADOPT, UNDO = "add calibrators", "undo change of the catalogue"
IMPORT = "import sources"
ACTS = (EDIT, ADD, REMOVE, RENAME, EXCLUDE, INCLUDE, ADOPT, IMPORT, UNDO)
#: What the page cannot undo: a name has gone into results, and a table is imported again instead.
NOT_UNDONE = (RENAME, IMPORT)
_LOOKED_AT = 200  # changes of the catalogue among which those of a source are sought

Cells = dict[str, str]
#: Sources before or after a change, by name; None: not in the catalogue.
Sources = dict[str, Cells | None]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A cell of a source that a change changed; empty: there was, or is, nothing."""

    source: str
    column: str
    was: str
    now: str


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of the catalogue, as the audit has it."""

    id: int
    at: float
    by: str
    act: str
    subject: str
    why: str
    was: Sources
    now: Sources

    @property
    def differences(self) -> list[Difference]:
        """What it changed, cell by cell; of a source that came or went its name alone."""
        found = []
        for name in dict.fromkeys((*self.was, *self.now)):
            before, after = self.was.get(name), self.now.get(name)
            if before is None or after is None:
                found.append(Difference(source=name, column="", was=name if before else "",
                                        now=name if after else ""))
                continue
            found += [Difference(source=name, column=column, was=before.get(column, ""),
                                 now=after.get(column, ""))
                      for column in dict.fromkeys((*before, *after))
                      if before.get(column, "") != after.get(column, "")]
        return found

    @property
    def targets(self) -> tuple[str, ...]:
        """The sources of which the change may move results: those it names, and what they
        calibrate."""
        return tuple(dict.fromkeys(
            name for cells in (self.was, self.now) for own, row in cells.items()
            for name in (own, *list_of((row or {}).get("calibrates", "")))))

    @property
    def moves_places(self) -> bool:
        """Whether frames must be measured again: a place changed, a source or calibrator came."""
        return any(one.column in ("ra", "dec", "aperture_arcsec", "calibrates")
                   or (not one.column and one.now) for one in self.differences)


def write(tx: Transaction, new: Mapping[str, Source | None], *, act: str, subject: str, by: str,
          at: float, why: str = "") -> int:
    """Give sources, by their names now, their new values, or take them out (None); the audit's id.

    Raises CatalogueError where nothing changes, or a name would belong to two sources.
    """
    was = _now(tx, new)
    saved = [source for source in new.values() if source is not None]
    if own := [source.name for source in saved if source.name in source.calibrates]:
        raise CatalogueError(f"{own[0]} cannot calibrate itself")
    for name, source in new.items():
        if source is None:
            tx.delete(schema.Source).where(schema.Source.name == name).execute()
    catalogue.save(tx, saved)
    now = _now(tx, new)
    if was == now:
        raise CatalogueError("nothing was changed: all values are as they were")
    events.emit(tx, "catalogue", at, source=subject)
    return audit.record(tx, at=at, by=by, act=act, subject=f"source {subject}",
                        was=_plain(was), now=_plain(now), why=why)


def edit(tx: Transaction, before: Source, after: Source, *, by: str, at: float,
         why: str = "") -> int:
    """Change a source; its name stays."""
    return write(tx, {before.name: replace(after, name=before.name)}, act=EDIT,
                 subject=before.name, by=by, at=at, why=why)


def add(tx: Transaction, source: Source, *, by: str, at: float, why: str = "") -> int:
    """Add a source; raises CatalogueError for a name that another source has."""
    catalogue.check_names((*catalogue.load(tx).sources, source))
    return write(tx, {source.name: source}, act=ADD, subject=source.name, by=by, at=at, why=why)


def remove(tx: Transaction, source: Source, *, by: str, at: float, why: str = "") -> int:
    """Take a source out, with what it is calibrated by; its results stay."""
    served = {one.name: replace(one, calibrates=tuple(
        name for name in one.calibrates if name != source.name))
        for one in catalogue.load(tx).sources if source.name in one.calibrates}
    return write(tx, {source.name: None, **served}, act=REMOVE, subject=source.name, by=by, at=at,
                 why=why)


def rename(tx: Transaction, source: Source, name: str, *, by: str, at: float, why: str = "",
           keep: bool = True) -> int:
    """Give a source another name, with all its results; how many those are."""
    was = {source.name: cells_of(source)}
    count = catalogue_edit.rename(tx, source, name, keep=keep)
    events.emit(tx, "catalogue", at, source=name)
    audit.record(tx, at=at, by=by, act=RENAME, subject=f"source {name}", was=_plain(was),
                 now=_plain({name: cells_of(catalogue.find(tx, name))}), why=why)
    return count


def serve(tx: Transaction, star: Source, target: Source, *, serves: bool, by: str, at: float,
          why: str = "") -> int:
    """Have a star calibrate a target from now on, or no more."""
    others = tuple(name for name in star.calibrates if name != target.name)
    return write(tx, {star.name: replace(
        star, calibrates=(*others, *((target.name,) if serves else ())))},
        act=INCLUDE if serves else EXCLUDE, subject=star.name, by=by, at=at, why=why)


def adopt(tx: Transaction, stars: Iterable[Source], target: Source, *, by: str, at: float,
          why: str = "") -> int:
    """Add calibrators of a target, all in one change."""
    return write(tx, {star.name: star for star in stars}, act=ADOPT, subject=target.name, by=by,
                 at=at, why=why)


def import_table(tx: Transaction, sources: Iterable[Source], *, by: str, at: float,
                 why: str) -> tuple[int, int]:
    """Add the sources of a table, and replace those of the same name; (added, replaced)."""
    new = {source.name: source for source in sources}
    was = _now(tx, new)
    counts = catalogue.save(tx, new.values())
    now = {name: row for name, row in _now(tx, new).items() if row != was[name]}
    if now:
        events.emit(tx, "catalogue", at)
        audit.record(tx, at=at, by=by, act=IMPORT, subject="catalogue",
                     was=_plain({name: was[name] for name in now}), now=_plain(now), why=why)
    return counts


def undo(tx: Transaction, change: Change, *, by: str, at: float, why: str = "") -> int:
    """Give all sources of a change their values from before it; raises CatalogueError.

    Only where they still are as the change left them, and never of another name.
    """
    if change.act in NOT_UNDONE:
        raise CatalogueError("a change of name, or an imported table, is undone by another one")
    if _plain(_now(tx, change.now)) != _plain(change.now):
        raise CatalogueError("the sources were changed again since; undo the later change first")
    return write(tx, {name: None if row is None else source_of(row)
                      for name, row in change.was.items()},
                 act=UNDO, subject=change.subject.removeprefix("source "), by=by, at=at,
                 why=why or f"undoes change {change.id}: {change.act}")


def of_source(db: Connection, name: str, most: int = 20) -> list[Change]:
    """The changes of a source and of the stars that calibrate it, newest first."""
    names = {name, *names_before(db, name)}
    rows = db.select(Audit).where(Audit.act.in_(ACTS)).order_by(Audit.id.desc()).limit(_LOOKED_AT)
    found = [_about(change, names) for row in rows if names & {*(change := _change(row)).targets}]
    return found[:most]


def _about(change: Change, names: set[str]) -> Change:
    """What of a change is about a source, by its names of all times, and the stars that calibrate
    it."""
    mine = {own for cells in (change.was, change.now) for own, row in cells.items()
            if own in names or names & {*list_of((row or {}).get("calibrates", ""))}}
    return replace(change, was={own: row for own, row in change.was.items() if own in mine},
                   now={own: row for own, row in change.now.items() if own in mine})


def by_id(db: Connection, id_: int) -> Change:
    """A change; raises CatalogueError for what is none."""
    row = audit.find(db, id_)
    if row is None or row.act not in ACTS:
        raise CatalogueError(f"there is no change {id_} of the catalogue")
    return _change(row)


def _change(row: Audit) -> Change:
    return Change(id=row.id, at=row.at, by=row.by, act=row.act, subject=row.subject, why=row.why,
                  was=_whole(row.was), now=_whole(row.now))


def _whole(kept: Any) -> Sources:
    return {str(name): dict(row) if row is not None else None for name, row in (kept or {}).items()}


def _now(db: Connection, names: Iterable[str]) -> Sources:
    known = {canonical(source.name): source for source in catalogue.load(db).sources}
    return {name: cells_of(known[key]) if (key := canonical(name)) in known else None
            for name in names}


def _plain(sources: Mapping[str, Cells | None]) -> dict[str, Any]:
    """Without empty cells."""
    return {name: row and {column: cell for column, cell in row.items() if cell}
            for name, row in sources.items()}
