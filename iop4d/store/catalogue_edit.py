"""What needs a source of the catalogue, and another name for it and all that was measured of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import peewee as pw

from iop4d.config import Site
from iop4d.model.errors import CatalogueError
from iop4d.model.source import Source, canonical
from iop4d.store import catalogue, schema
from iop4d.store.database import Connection, Transaction
from iop4d.store.external_tables import ExternalPoint, ExternalTable
from iop4d.store.results import standing
from iop4d.store.schema import (
    Alert,
    Frame,
    Group,
    Measurement,
    Mute,
    Outbox,
    Result,
    ResultHistory,
    Series,
)
from iop4d.store.trigger_table import Trigger

#: Where a source's name stands in what was measured and told of it.
_NAMED: tuple[tuple[Any, Any], ...] = (
    (Measurement, Measurement.source), (Group, Group.source), (Result, Result.source),
    (Series, Series.source), (Frame, Frame.target), (Alert, Alert.source), (Mute, Mute.source),
    (Outbox, Outbox.grouped_by), (Trigger, Trigger.source),
    (ExternalTable, ExternalTable.source), (ExternalPoint, ExternalPoint.source))
#: Those in which another source of that name is another one for ever.
_MEASURED = tuple((table, column) for table, column in _NAMED
                  if table in (Measurement, Group, Result, Series, Alert))


def checked_name(text: str) -> str:
    """A name that a source may have; raises CatalogueError."""
    name = " ".join(text.split())
    if not name:
        raise CatalogueError("the name is missing")
    if not canonical(name) or not name.isprintable() or "/" in name or ";" in name:
        raise CatalogueError(f"'{name}' is no name of a source; expected text without / and ;")
    if name == "*" or name.casefold().startswith("tag:"):
        raise CatalogueError(f"'{name}' is no name of a source: rules read it as "
                             f"{'every target' if name == '*' else 'those of a tag'}")
    return name


def uses(db: Connection, source: Source, site: Site) -> list[str]:
    """What needs a source of the catalogue, in words."""
    found = []
    if count := standing(db).where(Result.source == source.name).count():
        found.append(f"{count} result{'s' * (count > 1)} of it, which stay, but are not "
                     "calibrated again any more")
    if source.calibrates:
        found.append("the zero points of " + ", ".join(source.calibrates) + ", which it "
                     "calibrates")
    served = [one.name for one in catalogue.load(db).calibrators_of(source.name)]
    if served:
        found.append(("1 calibrator that calibrates it: " if len(served) == 1 else
                      f"{len(served)} calibrators that calibrate it: ")
                     + ", ".join(served[:5]) + " and more" * (len(served) > 5))
    return found + named_by(source, site)


def named_by(source: Source, site: Site) -> list[str]:
    """Where the site file names a source, by any of its names."""
    names = {canonical(name) for name in (source.name, *source.other_names)}

    def is_it(text: str) -> bool:
        return canonical(text) in names

    found = [f"the rule '{rule.name}'" for rule in site.rule
             if any(map(is_it, (rule.source, *rule.sources)))]
    found += [f"the tag '{tag.name}'" for tag in site.tag if any(map(is_it, tag.sources))]
    if any(map(is_it, site.daemon.priority_targets)):
        found.append("[daemon] priority_targets")
    if any(is_it(name.partition("/")[2]) for name in site.polarimetry.method if "/" in name):
        found.append("[polarimetry] method")
    if any(map(is_it, site.web.public_sources)):
        found.append("[web] public_sources")
    if any(is_it(name) for want in site.want for name in want.sources):
        found.append("[[want]] sources")
    found += [f"[atel.{key}]" for key in ("calibration", "related_atels")
              if any(map(is_it, getattr(site.atel, key)))]
    return found


def rename(tx: Transaction, source: Source, name: str, *, keep: bool = True) -> int:
    """Give a source another name, here and in all that was measured of it; how many results.

    ``keep``: the old name stays one of its other names. Raises CatalogueError for a name of another
    source, or one under which anything was measured.
    """
    old = source.name
    others = [one for one in catalogue.load(tx).sources if one.name != old]
    catalogue.check_names((replace(source, name=name), *others))
    for table, column in _MEASURED:
        if canonical(name) != canonical(old) and tx.get(table, column == name) is not None:
            raise CatalogueError(f"there are results, measurements or alerts of '{name}' already, "
                                 "of a source that left the catalogue; expected another name")
    names = dict.fromkeys((*((old,) if keep else ()), *source.other_names))
    values: dict[str, Any] = {"name": name, "other_names": [
        one for one in names if canonical(one) != canonical(name)]}
    tx.update(schema.Source, **values).where(schema.Source.name == old).execute()
    served = [replace(one, calibrates=tuple(name if n == old else n for n in one.calibrates))
              for one in catalogue.load(tx).sources if old in one.calibrates]
    catalogue.save(tx, served)
    count: int = tx.select(Result).where(Result.source == old).count()
    for table, end in ((Result, "/"), (Series, "")):
        tx.update(table, key=pw.fn.REPLACE(table.key.concat("\n"), f"/{old}{end or chr(10)}",
                                           f"/{name}{end or chr(10)}")).where(
            table.source == old).execute()
        tx.update(table, key=pw.fn.RTRIM(table.key, "\n")).where(table.source == old).execute()
    tx.update(Alert, called=old).where((Alert.source == old) & (Alert.called == "")).execute()
    for table, column in _NAMED:
        tx.update(table, **{column.name: name}).where(column == old).execute()
    if source.calibrates:
        _rename_in_results(tx, old, name)
    return count


def _rename_in_results(tx: Transaction, old: str, name: str) -> None:
    """Give a calibrator its new name in what says which zero point each result has of whom."""
    before, after = (f'"source":{json.dumps(one)}' for one in (old, name))
    for table, column in ((Result, Result.calibrators), (ResultHistory, ResultHistory.was)):
        tx.update(table, **{column.name: pw.fn.REPLACE(column, before, after)}).where(
            pw.fn.REPLACE(column, before, "") != column).execute()
