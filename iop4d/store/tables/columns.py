"""What a column of a table is: its name, words, unit and kind, and how a filter asks for it.

The pages, the downloads, the addresses for programs and their description are made from these.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from iop4d.model import flags as quality
from iop4d.model.units import below_turn


class Kind(StrEnum):
    """What the values of a column are."""

    TEXT = "text"
    SOURCE = "source"  # the name of a source; found by any of its names
    CHOICE = "choice"  # one of a few words
    NIGHT = "night"  # the date of an evening
    NUMBER = "number"
    WHOLE = "whole"
    DAY = "day"  # JD(UTC), or another scale as the column says
    MOMENT = "moment"  # Unix seconds
    YES_NO = "yes-no"
    FLAGS = "flags"
    LIST = "list"  # several words or numbers


#: The ways in which each kind can be asked for: the name of a column, a point and one of these;
#: without one, any of the values that are given.
OPERATORS: dict[Kind, tuple[str, ...]] = {
    Kind.TEXT: ("", "has", "is"),
    Kind.SOURCE: ("", "has", "is"),
    Kind.CHOICE: ("", "is"),
    Kind.NIGHT: ("", "from", "to"),
    Kind.NUMBER: ("from", "to", "is"),
    Kind.WHOLE: ("", "from", "to", "is"),
    Kind.DAY: ("from", "to", "is"),
    Kind.MOMENT: ("from", "to", "is"),
    Kind.YES_NO: ("",),
    Kind.FLAGS: ("has", "lacks", "is"),
    Kind.LIST: ("has",),
}
#: What an operator asks, in words.
ASKS = {"": "is", "has": "contains", "lacks": "does not have", "from": "from", "to": "up to",
        "matches": "matches the regular expression", "is": "is there (some) or not (none)"}


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column. ``sql``: its expression, by default the column of that name of the table.

    ``derived``: computed after the rows are read, and thus no filter and no order of rows.
    ``shown``: where nobody chose columns. ``by_hand``: the column with flags that people set, for
    one of flags. ``digits``: behind the point in tables of text. ``is_indexed``: rows can be
    ordered by it however many there are, by ``sort_sql``. ``pattern``: may be asked for by a
    regular expression. ``choices``: every word that it can be, for ``CHOICE``. ``turn``: of an
    angle, where it begins again at 0: no digits of it reach that; 0 for other numbers.
    """

    name: str
    words: str
    says: str
    kind: Kind = Kind.TEXT
    unit: str = ""
    ucd: str = ""
    sql: str = ""
    sort_sql: str = ""
    digits: int | None = None
    turn: float = 0.0
    choices: tuple[str, ...] = ()
    shown: bool = False
    derived: bool = False
    pattern: bool = False
    is_indexed: bool = False
    by_hand: str = ""

    @property
    def expression(self) -> str:
        """Its expression in a statement."""
        return self.sql or f't."{self.name}"'

    @property
    def order(self) -> str:
        """The expression by which rows are ordered."""
        return self.sort_sql or self.expression

    @property
    def operators(self) -> tuple[str, ...]:
        """The ways in which it can be asked for."""
        if self.derived:
            return ()
        return OPERATORS[self.kind] + (("matches",) if self.pattern else ())

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers."""
        return self.kind in (Kind.NUMBER, Kind.WHOLE, Kind.DAY, Kind.MOMENT)

    def rounded(self, value: float, digits: int) -> float:
        """A value with so many digits behind the point."""
        return below_turn(value, digits, self.turn) if self.turn else round(value, digits)

    @property
    def read(self) -> Callable[[Any], Any] | None:
        """How what the database gives becomes a plain value; None: it is one."""
        return _READ.get(self.kind)


def _flags(value: Any) -> list[str]:
    """The names of flags: a number, or a number and the names that people gave, as text."""
    if isinstance(value, int):
        return list(quality.names(value))
    number, *names = str(value or 0).split(";")
    return [*quality.names(int(number)), *names]


def _yes_no(value: Any) -> bool | None:
    return None if value is None else bool(value)


def _list(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value else value


_READ: dict[Kind, Callable[[Any], Any]] = {
    Kind.FLAGS: _flags, Kind.YES_NO: _yes_no, Kind.LIST: _list}

#: What computes derived columns of rows that were read: row by row, name to value.
Derive = Callable[[Any, list[dict[str, Any]], frozenset[str], Mapping[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Listing:
    """A table that can be listed: where its rows are, and its columns.

    ``source``: what stands after FROM, under the name ``t``; ``base``: what all its rows meet.
    ``order``: a column, with a minus for the largest first; ``paths``: columns by which an index
    finds the rows of one value in that order; ``few``: those of which one value has few rows, found
    by an index. ``step``: rows that are looked at in one step of a search; ``ordered``: rows that
    are ordered or counted without an index. ``is_computed``: most columns cost a query of their
    own. ``derive`` computes derived columns, for which
    ``needs`` must be read. ``main_time``: what ``since`` and ``until`` are about. ``usual``: the
    columns that programs get where they chose none; by default all that are not derived.
    """

    name: str
    words: str
    says: str
    source: str
    columns: tuple[Column, ...]
    key: str = "id"
    base: str = ""
    order: str = "-id"
    paths: frozenset[str] = frozenset()
    few: frozenset[str] = frozenset()
    step: int = 5000
    ordered: int = 10_000
    is_computed: bool = False
    derive: Derive | None = None
    needs: tuple[str, ...] = ()
    main_time: str = ""
    usual: tuple[str, ...] = ()
    one: str = ""
    by_name: dict[str, Column] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", {column.name: column for column in self.columns})

    @property
    def shown(self) -> tuple[str, ...]:
        """The columns that are shown where nobody chose."""
        return tuple(column.name for column in self.columns if column.shown)

    @property
    def given(self) -> tuple[str, ...]:
        """The columns that programs get where they chose none."""
        return self.usual or tuple(column.name for column in self.columns if not column.derived)

    def may_order(self, column: Column) -> bool:
        """Whether all rows can be ordered by a column."""
        return column.is_indexed and not column.derived
