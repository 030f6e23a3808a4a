"""Sources as the pages show them: found by id or any name, with their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import peewee as pw

from iop4d.model.errors import CatalogueError
from iop4d.model.source import Source, SourceKind
from iop4d.store import catalogue, schema
from iop4d.store.schema import Result


@dataclass(frozen=True, kw_only=True)
class SourceLine:
    """A source of the list, with how much is known of it. ``entry`` None: not catalogued."""

    name: str
    entry: Source | None
    count: int = 0
    last: Any = None


def find(key: str) -> tuple[str, Source | None] | None:
    """A source by id or by any of its names; its name, and its catalogue entry if it has one.

    A source that left the catalogue keeps its results and its page.
    """
    if key.isdecimal():
        for source in catalogue.load().sources:
            if source.id == int(key):
                return source.name, source
    try:
        found = catalogue.find(key)
    except CatalogueError:
        known = Result.select(Result.id).where(Result.source == key).exists()
        return (key, None) if known else None
    return found.name, found


def listed() -> list[SourceLine]:
    """Every source that was measured, and every target; targets first."""
    counts = dict(Result.select(Result.source, pw.fn.COUNT(Result.id)).group_by(Result.source)
                  .tuples())
    entries = {source.name: source for source in catalogue.load().sources}
    names = set(counts) | {source.name for source in entries.values()
                           if source.kind is not SourceKind.CALIBRATOR}
    lines = [SourceLine(name=name, entry=entries.get(name), count=counts.get(name, 0),
                        last=last_result(name) if name in counts else None) for name in names]
    return sorted(lines, key=_order)


def last_result(name: str) -> Any:
    """The latest result of a source that has a magnitude."""
    return (Result.select().where((Result.source == name) & Result.mag.is_null(False))
            .order_by(Result.jd_mid.desc()).limit(1).first())


def count(name: str) -> int:
    """How many results a source has."""
    return int(Result.select().where(Result.source == name).count())


def latest_results(name: str, count: int) -> list[Result]:
    """The latest results of a source."""
    return list(Result.select().where(Result.source == name)
                .order_by(Result.jd_mid.desc()).limit(count))


def calibrators(name: str) -> tuple[Source, ...]:
    """The stars that calibrate a source."""
    return catalogue.load().calibrators_of(name)


def other_names() -> dict[str, str]:
    """The first other name of each source, to be shown beside its own."""
    rows = schema.Source.select(schema.Source.name, schema.Source.other_names).tuples()
    return {name: others[0] for name, others in rows if others}


def _order(line: SourceLine) -> tuple[bool, bool, str]:
    target = line.entry is not None and line.entry.kind is SourceKind.TARGET
    return not line.count, not target, line.name.casefold()
