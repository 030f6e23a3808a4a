"""The rows of a database, for tests that look at what was written, or change it behind its back."""

from __future__ import annotations

from typing import Any, TypeVar

from peewee import SQL

from iop4d.config.store import FilePlace
from iop4d.store.database import Database
from iop4d.store.table import Table

Row = TypeVar("Row", bound=Table)


def rows(database: Database, table: type[Row], *conditions: Any) -> list[Row]:
    """The rows that meet the conditions, as they were written one after the other."""
    with database.read() as db:
        query = db.select(table).order_by(_order(database, table))
        return list(query.where(*conditions) if conditions else query)


def _order(database: Database, table: type[Table]) -> Any:
    meta: Any = table._meta
    if meta.auto_increment:
        return meta.primary_key
    return SQL("rowid" if isinstance(database.place, FilePlace) else "ctid")


def first(database: Database, table: type[Row], *conditions: Any) -> Row:
    """The first of these rows; there must be one."""
    return rows(database, table, *conditions)[0]


def last(database: Database, table: type[Row], *conditions: Any) -> Row:
    """The last of these rows; there must be one."""
    return rows(database, table, *conditions)[-1]


def update(database: Database, table: type[Table], *conditions: Any, **columns: Any) -> int:
    """Set columns of the rows that meet the conditions; how many rows these are."""
    with database.write() as tx:
        query = tx.update(table, **columns)
        return int((query.where(*conditions) if conditions else query).execute())
