"""Bring a database of an older schema to this one: columns and indexes are added, nothing is lost.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import peewee as pw

from iop4d.model.frame import FrameKind
from iop4d.model.states import MasterState
from iop4d.store.kind import Kind
from iop4d.store.schema import TABLES, Alert, Frame, Master, Outbox, Result, ResultHistory, Summary
from iop4d.store.table import Table


def migrate(kind: Kind) -> list[str]:
    """Add what the tables lack, inside the caller's transaction; what was done, in words.

    A column comes with its default. Unique indexes over other columns than now are replaced.
    """
    db, done = kind.db, []
    for changed in _INDEXES:
        db.execute_sql(f'DROP INDEX IF EXISTS "{changed}"')
    for table in TABLES:
        meta: Any = table._meta
        name: str = meta.table_name
        if not db.table_exists(name):
            continue
        have = {column.name for column in db.get_columns(name)}
        for renamed, old, new in _COLUMNS:
            if renamed is table and old in have:
                db.execute_sql(f'ALTER TABLE "{name}" RENAME COLUMN "{old}" TO "{new}"')
                have = have - {old} | {new}
                done.append(f"{name}.{old} is {new} now")
        for field in meta.sorted_fields:
            if field.column_name not in have:
                db.execute_sql(f'ALTER TABLE "{name}" ADD COLUMN {_column(db, field)}')
                done.append(f"{name}.{field.column_name} added")
        named = [index for index in meta.indexes if isinstance(index, tuple)]
        wanted = {tuple(meta.fields[part].column_name for part in parts)
                  for parts, unique in named if unique}
        for index in db.get_indexes(name):
            kept = tuple(index.columns) in wanted or set(index.columns) == _keys(table)
            if index.unique and len(index.columns) > 1 and index.sql and not kept:
                db.execute_sql(f'DROP INDEX "{index.name}"')
                done.append(f"index {index.name} dropped")
    done += _renamed(kind)
    return done


def _keys(table: type[Table]) -> set[str]:
    """The columns of a primary key."""
    meta: Any = table._meta
    return {field.column_name for field in meta.get_primary_keys()}


def _renamed(kind: Kind) -> list[str]:
    """Give states and words the names of today."""
    db, done = kind.db, []
    for table, old, new in _STATES:
        if db.table_exists(table._meta.table_name) and table.update(state=new.value).where(
                table.state == old).bind(db).execute():
            done.append(f"{table._meta.table_name}.state: {old} is {new} now")
    for column, before, now in _WORDS:
        table, name = column.model._meta.table_name, column.column_name
        if db.table_exists(table):
            db.execute_sql(kind.sql(
                f'UPDATE "{table}" SET "{name}" = replace("{name}", ?, ?) '  # noqa: S608
                f'WHERE instr("{name}", ?) > 0'), (before, now, before))
    return done


def _column(db: pw.Database, field: pw.Field) -> str:
    """Name, type and default as the database takes them; NOT NULL where the field says so."""
    default: Any = field.default() if callable(field.default) else field.default
    value = field.db_value(default) if default is not None else None
    kind = str(field.field_type)
    said = f'"{field.column_name}" {db.field_types.get(kind, kind)}'
    if value is None:
        return said
    literal = (str(value).upper() if isinstance(value, int | float)
               else "'" + value.replace("'", "''") + "'")
    return f"{said} {'' if field.null else 'NOT NULL '}DEFAULT {literal}"


#: Indexes over something else than before: they are made anew, or others do their work.
_INDEXES = ("frame_began", "frame_path", "frame_known", "job_due")

#: Columns that had another name before: table, old, new.
_COLUMNS: tuple[tuple[Any, str, str], ...] = (
    (Alert, "told_at", "notified_at"), (Summary, "letters", "messages"))

#: States that had another name before: table, old, new.
_STATES: tuple[tuple[Any, str, StrEnum], ...] = ((Master, "set aside", MasterState.REJECTED),)

#: Words that had another form before: column, old, new. Those in JSON stand between quotes.
_WORDS: tuple[tuple[Any, str, str], ...] = (
    (Frame.kind, "light", FrameKind.SCIENCE.value),
    (Summary.facts, '"kind":"light"', '"kind":"science"'),
    (Summary.facts, '"firing":', '"active":'),
    (Summary.facts, '"told_in":', '"reported_in":'),
    (Frame.info, '"placed_by":', '"astrometry_from":'),
    (Frame.info, '"wcs_left":', '"wcs_ordinary":'),
    (Outbox.content, '"kind":"again"', '"kind":"reminder"'),
    (Outbox.content, '"kind":"ended"', '"kind":"resolved"'),
    (Outbox.content, '"state":"again"', '"state":"reminder"'),
    (Outbox.content, '"state":"ended"', '"state":"resolved"'),
    (Result.method, "left", "ordinary"),
    (Result.method, "right", "extraordinary"),
    (Result.methods, '"method":"left"', '"method":"ordinary"'),
    (Result.methods, '"method":"right"', '"method":"extraordinary"'),
    (ResultHistory.was, '"method":"left"', '"method":"ordinary"'),
    (ResultHistory.was, '"method":"right"', '"method":"extraordinary"'),
)
