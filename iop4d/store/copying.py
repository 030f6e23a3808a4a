"""Everything that a site knows, copied from one database into another, and compared row by row."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import peewee as pw

from iop4d.config.store import FilePlace
from iop4d.model.errors import Iop4dError
from iop4d.store.database import Connection, Database, Transaction
from iop4d.store.schema import TABLES, Meta, ResultChange, WebSession
from iop4d.store.table import JSONField, Table, readable_json

_AT_ONCE = 1000  # rows of a transaction
_OWN = "schema"  # a line of Meta that the database writes for itself


def copy(source: Database, target: Database, *, replace: bool = False,
         progress: Callable[[str, int], None] = lambda _table, _rows: None) -> int:
    """Copy all rows into a database that holds none; how many there are.

    ``replace``: delete what it holds first. ``progress``: called with a table and how many of its
    rows are there. It is one transaction: what is interrupted, and what differs in the end, leaves
    the target as it was. Raises Iop4dError where it differs, or the target holds something.
    """
    count = 0
    with target.write() as tx:
        if replace:
            empty(tx)
        elif filled := [_name(table) for table in TABLES if _has_rows(tx, table)]:
            raise Iop4dError(f"{target.place} is not empty ({', '.join(filled[:4])}): copy into a "
                             "new database")
        for table in (*(one for one in TABLES if one is not ResultChange), ResultChange):
            if table is ResultChange:
                # What the copied results said of themselves as they were written is no news.
                tx.delete(ResultChange).execute()
            there = 0
            for rows in _parts(source, table):
                _insert(tx, table, rows)
                there += len(rows)
                progress(_name(table), there)
            count += there
        differing = [_name(table) for table in TABLES
                     if _digest(source, table) != _digest(target, table)]
        if differing:
            raise Iop4dError(
                f"the copy differs from {source.place} in {', '.join(differing)}: did anything "
                "write meanwhile? Nothing was copied; try again")
    return count


def save(source: Database, path: Path) -> None:
    """Write everything of a database, as of one moment, into a new file of SQLite, while others
    write. Sessions of browsers are left out: they end."""
    with source.read():
        if lacking := source.kind.missing():  # the copy would have it, and nothing in it
            raise Iop4dError(f"the database {source.place} is damaged: {lacking[0]}")
        if not source.kind.save_as(path):
            target = Database(FilePlace(path))
            try:
                with source.kind.snapshot():
                    copy(source, target)
            finally:
                target.close()
    target = Database(FilePlace(path))
    try:
        with target.write() as tx:
            tx.delete(WebSession).execute()
        with target.read():
            if wrong := target.kind.wrong():
                raise Iop4dError(f"the database {source.place} is damaged: {wrong[0]}; its copy "
                                 "would be, too")
    finally:
        target.close()


def empty(tx: Transaction) -> None:
    """Delete every row of a database, but for its schema's version."""
    # What deleted results say of themselves goes last.
    for table in (*reversed(TABLES), ResultChange):
        rows = tx.delete(table)
        (rows.where(Meta.key != _OWN) if table is Meta else rows).execute()


def counts(db: Connection, among: Iterable[str] | None = None) -> list[tuple[str, int]]:
    """The tables that hold rows, and how many, the largest first.

    ``among``: names of tables, as older versions may not have all of them.
    """
    names = [name for name in map(_name, TABLES) if among is None or name in set(among)]
    found = [(name, int(db.rows(f'SELECT count(*) FROM "{name}"')[0][0]))  # noqa: S608 - of ours
             for name in names]
    return sorted((one for one in found if one[1]), key=lambda one: -one[1])


def _name(table: type[Table]) -> str:
    name: str = table._meta.table_name
    return name


def _has_rows(db: Connection, table: type[Table]) -> bool:
    found = db.rows(f'SELECT 1 FROM "{_name(table)}"{_but_own(table)} LIMIT 1')  # noqa: S608 - of ours
    return bool(found)


def _but_own(table: type[Table]) -> str:
    return f" WHERE \"key\" <> '{_OWN}'" if table is Meta else ""


def _keys(table: type[Table]) -> list[str]:
    meta: Any = table._meta
    if meta.composite_key:
        return [meta.fields[name].column_name for name in meta.primary_key.field_names]
    return [meta.primary_key.column_name]


def _parts(database: Database, table: type[Table]) -> Iterator[list[list[Any]]]:
    """The rows of a table in the order of their keys, some at once; each as any database has it."""
    fields: list[pw.Field] = table._meta.sorted_fields
    names = [field.column_name for field in fields]
    keys = _keys(table)
    places = [names.index(key) for key in keys]
    said = ", ".join(f'"{name}"' for name in names)
    order = ", ".join(f'"{key}"' for key in keys)
    past: list[Any] = []
    truths = [number for number, field in enumerate(fields) if isinstance(field, pw.BooleanField)]
    texts = [number for number, field in enumerate(fields) if isinstance(field, pw.TextField)]
    numbers = [number for number, field in enumerate(fields) if isinstance(field, pw.FloatField)]
    documents = [number for number, field in enumerate(fields) if isinstance(field, JSONField)]
    while True:
        after = f"({order}) > ({', '.join('?' * len(keys))})" if past else ""
        own = _but_own(table).removeprefix(" WHERE ")
        where = " AND ".join(part for part in (after, own) if part)
        with database.read() as db:
            found = [list(row) for row in db.rows(
                f'SELECT {said} FROM "{_name(table)}" '  # noqa: S608 - names of ours
                f"{'WHERE ' + where if where else ''} ORDER BY {order} LIMIT {_AT_ONCE}", *past)]
        if not found:
            return
        past = [found[-1][place] for place in places]
        for row in found:
            for number in truths:
                row[number] = None if row[number] is None else bool(row[number])
            for number in texts:  # a server takes no NUL within a text
                if row[number] and "\0" in row[number]:
                    row[number] = row[number].replace("\0", "\N{REPLACEMENT CHARACTER}")
            for number in numbers:  # nor does SQLite know NaN, and a zero's sign
                row[number] = _number(row[number])
            for number in documents:
                row[number] = row[number] and readable_json(row[number])
        yield found


def _number(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return None if math.isnan(value) else value + 0.0


def _insert(tx: Transaction, table: type[Table], rows: list[list[Any]]) -> None:
    names = [field.column_name for field in table._meta.sorted_fields]
    tx.insert_plain(table, names, rows)


def _digest(database: Database, table: type[Table]) -> str:
    digest = hashlib.sha256()
    for rows in _parts(database, table):
        for row in rows:
            digest.update(repr(row).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
