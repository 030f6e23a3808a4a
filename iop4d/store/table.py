"""What all tables are made of: JSON columns, and rows read by their key."""

from __future__ import annotations

import json
import math
import re
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import orjson
import peewee as pw

_MARK = "\N{REPLACEMENT CHARACTER}"
#: Halves of letters, of which a name that is no UTF-8 is made; pairs of them are one letter.
_HALVES = re.compile("[\ud800-\udfff]")
#: That a JSON text may hold what a server's functions of JSON do not read.
_UNREAD = ("NaN", "Infinity", r"\u0000", r"\ud")


class JSONField(pw.TextField):
    """Plain values kept as JSON text that every database reads."""

    def db_value(self, value: Any) -> str | None:
        return None if value is None else as_json(value)

    def python_value(self, value: str | None) -> Any:
        if value is None:
            return None
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:  # what the standard library alone reads, such as NaN
            return json.loads(value)


def as_json(value: Any) -> str:
    """Plain values as JSON text. What JSON or a server does not know is put in other words: NaN and
    infinities are null, NUL and halves of letters the mark of a letter that is none."""
    with suppress(TypeError):  # of what the standard library alone writes, such as large integers
        text = orjson.dumps(value)
        if text.isascii() and b"\\u" not in text:
            return text.decode()
    return readable_json(json.dumps(value, separators=(",", ":")))


def readable_json(text: str) -> str:
    """A JSON text as ``as_json`` would have written it."""
    if not any(part in text for part in _UNREAD):
        return text
    return json.dumps(_clean(json.loads(text)), separators=(",", ":"))


def _clean(value: Any) -> Any:
    match value:
        case dict():
            return {_clean(name): _clean(one) for name, one in value.items()}
        case list():
            return [_clean(one) for one in value]
        case float() if not math.isfinite(value):
            return None
        case str():
            return _HALVES.sub(_MARK, value.replace("\0", _MARK))
    return value


def is_filled(column: JSONField) -> Any:
    """The condition that a column's list is not empty.

    ``column != []`` is none that SQL knows: a list stands for several values there.
    """
    return pw.fn.json_array_length(column) > 0


def number_in(document: str, path: str, kind: str = "DOUBLE PRECISION") -> str:
    """SQL of a number that a JSON document holds at a path such as ``info.sky``."""
    return f"CAST(json_extract({document}, '$.{path}') AS {kind})"


def in_json(column: Any, path: str) -> Any:
    """What a JSON column holds at a path such as ``links.alerts``."""
    # The path is text of the statement: a value of it would differ where a row is grouped by it.
    return pw.fn.json_extract(column, pw.SQL(f"'$.{path}'"))


def values_of(array: Any, kind: str) -> Any:
    """The values of a JSON array, ``BIGINT`` or ``TEXT``, for ``column.in_``: one value of a
    statement, however many they are."""
    begin = f'(SELECT CAST("value" AS {kind}) FROM json_each('  # noqa: S608 - a kind of ours
    return pw.NodeList((pw.SQL(begin), array, pw.SQL("))")), glue="")


def as_number(found: Any, kind: str = "DOUBLE PRECISION") -> Any:
    """What was found in JSON, as a number."""
    return found.cast(kind)


def larger(one: Any, other: Any) -> Any:
    """The larger of two columns or values that are not NULL."""
    return pw.Case(None, [(one > other, one)], other)


class _Select(pw.ModelSelect):
    """A SELECT that writes the columns of a whole row as one text.

    To have each of fifty columns write itself takes ten times as long as to find the row.
    """

    def __sql_selection__(self, ctx: Any, is_subquery: bool = False) -> Any:
        if is_subquery or not self._is_default:
            return super().__sql_selection__(ctx, is_subquery)
        return ctx.literal(_all_columns(self.model, ctx.alias_manager[self.model._meta.table]))


class Table(pw.Model):
    """Base of all tables. Bound to no database: see ``database.Connection``."""

    @classmethod
    def select(cls, *columns: Any) -> pw.ModelSelect:
        """A SELECT of columns, of whole rows if none is named."""
        return _Select(cls, columns or cls._meta.sorted_fields, is_default=not columns)


@cache
def _all_columns(table: type[pw.Model], alias: str) -> str:
    """The columns of a table that goes by another name in a statement, all of them."""
    return ", ".join(f'"{alias}".{_quoted(field)}' for field in table._meta.sorted_fields)


@cache
def select_by(table: type[pw.Model], column: str) -> str:
    """The statement for the rows of which a column has a value, made once for a table.

    To make it anew takes five times as long as to run it, for a table as wide as ``Frame``.
    """
    sql: str = table.select().where(table._meta.combined[column] == 0).sql()[0]
    return sql


@cache
def update_by_key(table: type[pw.Model], columns: tuple[str, ...], asked: str = "") -> str:
    """The statement that sets columns, in this order, of the row of a primary key.

    ``asked``: a column whose value it gives.
    """
    meta = table._meta
    setting = ", ".join(f"{_quoted(meta.combined[name])} = ?" for name in columns)
    gives = f" RETURNING {_quoted(meta.combined[asked])}" if asked else ""
    return f'UPDATE "{meta.table_name}" SET {setting} WHERE {_quoted(meta.primary_key)} = ?{gives}'  # noqa: S608 - names of ours


@cache
def insert_row(table: type[pw.Model], columns: tuple[str, ...]) -> str:
    """The statement that makes a row of columns in this order."""
    names = ", ".join(_quoted(table._meta.combined[name]) for name in columns)
    values = ", ".join("?" * len(columns))
    return f'INSERT INTO "{table._meta.table_name}" ({names}) VALUES ({values})'  # noqa: S608 - names of ours


@cache
def replace_row(table: type[pw.Model], columns: tuple[str, ...]) -> str:
    """The statement that makes a row, or sets these columns of the one that has its key.

    The key: the first unique one that the columns hold.
    """
    meta: Any = table._meta
    unique = [(field.name,) for field in meta.sorted_fields if field.unique or field.primary_key]
    unique += [tuple(parts) for parts, is_unique in meta.indexes if is_unique]
    key = next(parts for parts in unique if set(parts) <= set(columns))
    others = [_quoted(meta.combined[name]) for name in columns if name not in key]
    setting = ", ".join(f"{name} = excluded.{name}" for name in others)
    return (f"{insert_row(table, columns)} ON CONFLICT "  # type: ignore[arg-type]
            f"({', '.join(_quoted(meta.combined[name]) for name in key)}) DO UPDATE SET {setting}")


def named_rows(columns: tuple[pw.Field, ...], found: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Plain tuples with the columns' names, of thousands of rows at a fraction of peewee's cost."""
    row_type, converted = _row_type(columns)
    if not converted:
        return [row_type._make(row) for row in found]
    rows = []
    for values in found:
        row = list(values)
        for at, convert in converted:
            row[at] = convert(row[at])
        rows.append(row_type._make(row))
    return rows


@cache
def _row_type(columns: tuple[pw.Field, ...],
              ) -> tuple[Any, list[tuple[int, Callable[[Any], Any]]]]:
    # Of the other kinds SQLite gives what Python has.
    return (namedtuple("Row", [column.name for column in columns]),
            [(at, column.python_value) for at, column in enumerate(columns)
             if isinstance(column, JSONField | pw.BooleanField)])


def read_rows(table: type[pw.Model], names: tuple[str, ...],
              found: Iterable[tuple[Any, ...]]) -> list[Any]:
    """Rows from what a cursor found; a column that is none of the table's is set as it is.

    The same as the rows of ``table.raw``, without a look at the table for each statement.
    """
    fields, converted, others = _columns(table, names)  # type: ignore[arg-type]
    rows = []
    for values in found:
        row = table(__no_default__=True)
        data = row.__data__ = dict(zip(fields, values, strict=True))
        for name, convert in converted:
            data[name] = convert(data[name])
        for name in others:
            setattr(row, name, data.pop(name))
        rows.append(row)
    return rows


@cache
def _columns(table: type[pw.Model], names: tuple[str, ...],
             ) -> tuple[list[str], list[tuple[str, Callable[[Any], Any]]], list[str]]:
    """The name of each column's field, what converts the values of some, which are the table's
    not."""
    fields = [table._meta.combined.get(name) for name in names]
    return ([name if field is None else field.name
             for name, field in zip(names, fields, strict=True)],
            [(field.name, field.python_value) for field in fields
             if isinstance(field, JSONField | pw.BooleanField)],
            [name for name, field in zip(names, fields, strict=True) if field is None])


def db_values(table: type[pw.Model], columns: Mapping[str, Any]) -> list[Any]:
    """Values of columns as the database takes them."""
    return [value if value is None or type(value) is kept else convert(value)
            for (kept, convert), value in zip(
                _converters(table, tuple(columns)), columns.values(), strict=True)]  # type: ignore[arg-type]


@cache
def _converters(table: type[pw.Model], names: tuple[str, ...],
                ) -> list[tuple[type, Callable[[Any], Any]]]:
    """Of each column: the type whose values the database takes as they are, what converts others.
    """
    fields = [table._meta.combined[name] for name in names]
    return [(_kept_type(field), field.db_value) for field in fields]


def _kept_type(field: pw.Field) -> type:
    if isinstance(field, pw.ForeignKeyField):
        return _kept_type(field.rel_field)
    return next((kept for kind, kept in _KEPT.items() if isinstance(field, kind)), type(None))


#: The first that a field is decides.
_KEPT: dict[type[pw.Field], type] = {
    JSONField: type(None), pw.TextField: str, pw.FloatField: float, pw.IntegerField: int,
    pw.BooleanField: bool}


def _quoted(field: pw.Field) -> str:
    return f'"{field.column_name}"'
