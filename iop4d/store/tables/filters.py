"""Filters on columns: read from the fields of an address, and written as conditions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from iop4d.model.errors import Iop4dError
from iop4d.model.flags import Flag
from iop4d.model.units import MomentError, is_day, jd_of_text, unix_of_jd
from iop4d.store import sources
from iop4d.store.database import Connection
from iop4d.store.patterns import PatternError, pattern
from iop4d.store.tables.columns import ASKS, Column, Kind, Listing

#: Values of one filter, or of one field of an address.
MOST_VALUES = 200
#: The same where each value is compared with each row at some cost.
_FEWER_VALUES = {"has": 20, "lacks": 20, "matches": 3}
_NIGHT = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_LONGEST = 300  # characters of a value
_LARGEST = 2**63
_YES = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


class FilterError(Iop4dError):
    """What is asked for makes no sense: in which field of the address, and why."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(f"{field}: {why}")
        self.field = field
        self.why = why


@dataclass(frozen=True, kw_only=True)
class Filter:
    """A column, how it is asked for, and the values as they were given; ``given``: by which name in
    the address, where that is another."""

    column: Column
    operator: str
    values: tuple[str, ...]
    given: str = ""

    @property
    def field(self) -> str:
        """Its name in an address."""
        return self.given or (
            f"{self.column.name}.{self.operator}" if self.operator else self.column.name)

    @property
    def words(self) -> str:
        """What it asks, for people."""
        if self.operator == "is":
            asks = "is known" if self.values[0] == "some" else "is not known"
            return f"{self.column.words} {asks}"
        asks = "has" if self.operator == "has" and self.column.kind is Kind.FLAGS \
            else ASKS[self.operator]
        return f"{self.column.words} {asks} {' or '.join(self.values)}"


#: A condition in SQL and its values.
Condition = tuple[str, list[Any]]


def read_filters(listing: Listing, fields: Iterable[tuple[str, str]]) -> tuple[Filter, ...]:
    """The filters among an address' fields; empty ones and those that are no columns are none.

    ``since`` and ``until`` are about the table's main time. Raises FilterError.
    """
    found: dict[tuple[str, str], tuple[str, list[str]]] = {}
    for field, text in fields:
        value = text.strip()
        name, _, operator = main_field(listing, field).partition(".")
        column = listing.by_name.get(name)
        if not value or column is None:
            continue
        if operator not in column.operators:
            ways = ", ".join(f"{name}.{way}" if way else name for way in column.operators)
            raise FilterError(field, f"expected {ways}" if ways else
                              "this column is computed when it is shown: it is no filter")
        if len(value) > _LONGEST or "\0" in value:
            raise FilterError(field, f"expected {_LONGEST} characters at most")
        _, values = found.setdefault((name, operator), (field, []))
        if value not in values:
            values.append(value)
        most = _FEWER_VALUES.get(operator, MOST_VALUES)
        if len(values) > most:
            raise FilterError(field, f"expected {most} values at most")
    filters = {key: Filter(column=listing.by_name[key[0]], operator=key[1], values=tuple(values),
                           given=field) for key, (field, values) in found.items()}
    for (name, operator), wanted in filters.items():
        if operator == "to" and (begin := filters.get((name, "from"))) is not None:
            _check_range(begin, wanted)
    return tuple(filters.values())


def _check_range(begin: Filter, end: Filter) -> None:
    """Refuse a range that ends before it begins, which no row meets."""
    if _bound(end) < _bound(begin):
        raise FilterError(end.field, f"'{end.values[0][:40]}' is before '{begin.values[0][:40]}', "
                                     f"where {begin.field} begins")


def main_field(listing: Listing, field: str) -> str:
    """The field of the table's main time for ``since`` and ``until``, any other as it is."""
    if listing.main_time and field in ("since", "until"):
        return f"{listing.main_time}.{'from' if field == 'since' else 'to'}"
    return field


def is_path(listing: Listing, wanted: Filter, order: Column) -> bool:
    """Whether an index finds what meets a filter in the order of the list, or finds few rows."""
    if wanted.column.name == listing.key and not wanted.operator:
        return True
    if wanted.column.name == order.name:
        return wanted.operator in ("from", "to")
    if wanted.operator or len(wanted.values) != 1:
        return False
    is_usual = order.name == listing.order.removeprefix("-")
    return wanted.column.name in listing.few or (is_usual and wanted.column.name in listing.paths)


def condition(db: Connection, wanted: Filter, *, is_path: bool) -> Condition:
    """A filter as a condition. One that is no path must not lead to an index."""
    column = wanted.column
    expression = column.expression if is_path else f"+{column.expression}"
    values = wanted.values
    match wanted.operator:
        case "is":
            found: Condition = _is_there(wanted, expression), []
        case "matches":
            found = _each(f"matches(?, {expression})", [_pattern(wanted, v) for v in values], "AND")
        case "has" | "lacks" if column.kind is Kind.FLAGS:
            found = _flags(column, wanted)
        case "has":
            found = _each(f"instr(lower({expression}), lower(?)) > 0", list(values), "OR")
        case "from" | "to":
            found = f"{expression} {'>=' if wanted.operator == 'from' else '<='} ?", [
                _bound(wanted)]
        case _:
            plain = [_value(db, wanted, value) for value in values]
            found = f"{expression} IN ({', '.join('?' * len(plain))})", plain
    return found


def _bound(wanted: Filter) -> Any:
    """Where what is asked for begins or ends."""
    if len(wanted.values) > 1:
        raise FilterError(wanted.field, "expected one value")
    text, column = wanted.values[0], wanted.column
    limit = _plain(wanted, text)
    is_end_of_time = wanted.operator == "to" and column.kind in (Kind.DAY, Kind.MOMENT)
    return _end(column, text, limit) if is_end_of_time else limit


def _each(said: str, values: list[Any], word: str) -> Condition:
    return f"({f' {word} '.join([said] * len(values))})", values


def _is_there(wanted: Filter, expression: str) -> str:
    if wanted.values not in (("some",), ("none",)):
        raise FilterError(wanted.field, "expected some or none")
    column, some = wanted.column, wanted.values == ("some",)
    if column.kind is Kind.FLAGS:
        hand = f" OR json_array_length({column.by_hand}) > 0" if column.by_hand else ""
        return f"{'' if some else 'NOT '}({_bits(column)} != 0{hand})"
    if column.is_number:
        return f"{expression} IS {'NOT ' if some else ''}NULL"
    return f"coalesce({expression}, '') {'!=' if some else '='} ''"


def _bits(column: Column) -> str:
    return f't."{column.name}"'


def _flags(column: Column, wanted: Filter) -> Condition:
    """Whether each of some flags is set, or none of them."""
    parts, values = [], []
    for name in wanted.values:
        flag = Flag.__members__.get(name.upper())
        if flag is not None and name == name.lower():
            parts.append(f"{_bits(column)} & {int(flag)} != 0")
        elif column.by_hand:
            parts.append(f"EXISTS (SELECT 1 FROM json_each({column.by_hand}) AS h WHERE "  # noqa: S608 - names of ours
                         "CASE h.type WHEN 'object' THEN json_extract(h.value, '$.name') "
                         "ELSE h.value END = ?)")
            values.append(name)
        else:
            known = ", ".join(str(flag.name).lower() for flag in Flag)
            raise FilterError(wanted.field, f"'{name}' is no flag; there are {known}")
    if wanted.operator == "has":
        return f"({' AND '.join(parts)})", values
    return f"NOT ({' OR '.join(parts)})", values


def _pattern(wanted: Filter, value: str) -> str:
    try:
        pattern(value)
    except PatternError as error:
        raise FilterError(wanted.field, str(error)) from error
    return value


def check_values(wanted: Filter) -> None:
    """Raise FilterError for a value that makes no sense, of what can be said without rows."""
    if wanted.operator == "is":
        _is_there(wanted, "")
    elif wanted.operator == "matches":
        for value in wanted.values:
            _pattern(wanted, value)
    elif wanted.operator in ("", "from", "to"):
        for value in wanted.values:
            _plain(wanted, value)


def _value(db: Connection, wanted: Filter, text: str) -> Any:
    """A value as the column has it."""
    return sources.name_of(db, text) if wanted.column.kind is Kind.SOURCE else _plain(wanted, text)


def _plain(wanted: Filter, text: str) -> Any:
    """A value as a column has it that names no source."""
    kind = wanted.column.kind
    if kind is Kind.NUMBER:
        return _number(wanted, text)
    if kind is Kind.WHOLE:
        number = _number(wanted, text)
        if not number.is_integer() and not wanted.operator:
            raise FilterError(wanted.field, f"'{text[:40]}' is no whole number")
        if abs(number) >= _LARGEST:
            raise FilterError(wanted.field, "the number is too large")
        # Whole numbers beyond what a double holds are read as they stand.
        return int(text) if re.fullmatch(r"-?\d{1,18}", text, re.ASCII) else number
    if kind in (Kind.DAY, Kind.MOMENT):
        try:
            jd = jd_of_text(text)
        except MomentError as error:
            raise FilterError(wanted.field, str(error)) from error
        return jd if kind is Kind.DAY else unix_of_jd(jd)
    if kind is Kind.YES_NO:
        if text.lower() not in _YES:
            raise FilterError(wanted.field, "expected yes or no")
        return _YES[text.lower()]
    if kind is Kind.NIGHT and not (is_day(text) and _NIGHT.fullmatch(text)):
        raise FilterError(wanted.field, f"'{text[:40]}' is no night; expected the date of its "
                                        "evening such as 2026-11-22")
    if kind is Kind.CHOICE and text not in wanted.column.choices:
        raise FilterError(wanted.field, f"'{text[:40]}' is none of "
                                        f"{', '.join(wanted.column.choices)}")
    return text


def _number(wanted: Filter, text: str) -> float:
    value = math.nan
    if len(text) < 40:
        with suppress(ValueError):
            value = float(text)
    if not math.isfinite(value):
        raise FilterError(wanted.field, f"'{text[:40]}' is no number")
    return value


def _end(column: Column, text: str, limit: float) -> float:
    """Up to a date: to the end of that day."""
    if is_day(text):
        return limit + (1.0 if column.kind is Kind.DAY else 86_400.0)
    return limit
