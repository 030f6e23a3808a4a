"""Queries whose text is made once, for what is asked at every frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import peewee as pw

_SQLITE = pw.SqliteDatabase(None)  # of no file: its language is what the text is written in


@dataclass(frozen=True)
class _Given:
    """Stands for a value that every run of a statement gives."""

    name: str


class Statement:
    """A query whose text is made at its first run, since that takes longer than to run it.

    ``make`` makes the query, bound to no database; what it calls with a name stands for a value of
    this name, as the database keeps it: a text, a number, a truth or None. A column that may be
    NULL is compared by :func:`same`: ``==`` holds for no NULL here.
    """

    def __init__(self, make: Callable[[Callable[[str], Any]], Any]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> tuple[type[pw.Model], str, list[Any]]:
        query = self._make(lambda name: pw.SQL("?", (_Given(name),)))
        text, values = query.bind(_SQLITE).sql()
        return query.model, text, values

    @property
    def table(self) -> type[pw.Model]:
        """Of which the rows are."""
        return self._made[0]

    def filled(self, given: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The text and its values; raises KeyError where one that it needs is not given."""
        _, text, values = self._made
        return text, [given[value.name] if isinstance(value, _Given) else value
                      for value in values]


def same(column: Any, value: Any) -> Any:
    """The condition that a column has a value, which may be NULL."""
    return pw.Expression(column, "IS NOT DISTINCT FROM", value)
