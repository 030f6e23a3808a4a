"""What all tables are made of: JSON columns, and rows read by their key."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import peewee as pw


class JSONField(pw.TextField):
    """Plain values kept as JSON text."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def python_value(self, value: str | None) -> Any:
        return None if value is None else json.loads(value)


def is_filled(column: JSONField) -> Any:
    """The condition that a column's list is not empty.

    ``column != []`` is none that SQL knows: a list stands for several values there.
    """
    return pw.fn.json_array_length(column) > 0


class Table(pw.Model):
    """Base of all tables. Bound to no database: see ``database.Connection``."""


@cache
def select_by_key(table: type[pw.Model]) -> str:
    """The statement for the row of a primary key, made once for a table.

    To make it anew takes five times as long as to run it, for a table as wide as ``Frame``.
    """
    sql: str = table.select().where(table._meta.primary_key == 0).sql()[0]
    return sql
