"""From the keywords of a selection to the fields of an address, with words for what is wrong."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any

from iop4d.library.errors import SelectionError
from iop4d.library.reader import Field
from iop4d.model.source import similar
from iop4d.store.tables import Column, Kind, Listing
from iop4d.store.tables.filters import Filter, FilterError, check_values, read_filters

_TIMES = ("since", "until")
#: What people ask a selection for that is asked otherwise.
_OTHERWISE = {"columns": "choose them by .table(NAME, ...)", "limit": "the first three are [:3]",
              **dict.fromkeys(("sort", "order", "order_by"), "sort a table: .table().sort(NAME)")}


def fields_of(listing: Listing, given: Mapping[str, Any]) -> tuple[Field, ...]:
    """The fields that keywords ask for; those that are None ask nothing.

    Raises TypeError for a keyword that the table has not, SelectionError for a value.
    """
    found: list[Field] = []
    for word, value in given.items():
        column, operator = _column(listing, word)
        if value is None:
            continue
        if column.derived:
            raise SelectionError(f"{word}: this column is computed when it is read, and selects no "
                                 "rows")
        name = column.name
        if isinstance(value, tuple):
            if len(value) != 2 or operator or "from" not in column.operators:
                raise SelectionError(f"{word}: a pair (from, to) is for numbers and times; "
                                     "several values are a list")
            found += [(f"{name}.{end}", _text(column, end, word, one))
                      for end, one in zip(("from", "to"), value, strict=True) if one is not None]
            continue
        if operator not in column.operators:
            raise SelectionError(f"{word}: expected {_ways(column)}")
        values = _several(value)
        if not values:
            raise SelectionError(f"{word}: expected at least one value, found none")
        found += [(f"{name}.{operator}" if operator else name, _text(column, operator, word, one))
                  for one in values]
    try:
        read_filters(listing, found)
    except FilterError as error:
        raise SelectionError(str(error)) from None
    return tuple(found)


def possible(listing: Listing) -> list[str]:
    """Every keyword by which rows of a table can be selected."""
    found = list(_TIMES) if listing.main_time else []
    for column in listing.columns:
        pair = [column.name] if {"", "from"} & set(column.operators) else []
        found += pair + [f"{column.name}_{way}" for way in column.operators if way]
    return found


def _column(listing: Listing, word: str) -> tuple[Column, str]:
    if listing.main_time and word in _TIMES:
        return listing.by_name[listing.main_time], "from" if word == "since" else "to"
    if word in listing.by_name:
        return listing.by_name[word], ""
    name, _, operator = word.rpartition("_")
    column = listing.by_name.get(name)
    if column is not None and operator in column.operators:
        return column, operator
    known = possible(listing)
    if word in _OTHERWISE:
        raise TypeError(f"'{word}' selects no rows: {_OTHERWISE[word]}")
    if word in _TIMES and "night" in listing.by_name:
        raise TypeError(f"{listing.name} cannot be selected by '{word}'; did you mean "
                        f"night_{'from' if word == 'since' else 'to'}?")
    short = [one for one in known if one in listing.by_name or one in _TIMES]
    hint = similar(word, known) or f"; there are {', '.join(short)}, and others (see .keywords)"
    raise TypeError(f"{listing.name} cannot be selected by '{word}'{hint}")


def _ways(column: Column) -> str:
    words = {"from": f"a pair {column.name}=(from, to)", "": f"{column.name}=", "to": ""}
    ways = (words.get(way, f"{column.name}_{way}=") for way in column.operators)
    return " or ".join(filter(None, ways))


def _several(value: Any) -> Collection[Any]:
    """The values of a list, a set, an array, a range, a selection and their like; else the one."""
    is_one = isinstance(value, str | bytes | Mapping) or getattr(value, "shape", None) == ()
    if is_one or not isinstance(value, Iterable) or hasattr(value, "utc"):
        return [value]
    return list(value)


def _text(column: Column, operator: str, word: str, value: Any) -> str:
    """A value as an address has it; raises SelectionError where it makes no sense."""
    text = _written(column, operator, word, value)
    try:
        check_values(Filter(column=column, operator=operator, values=(text,)))
    except FilterError as error:
        raise SelectionError(f"{word}: {error.why}") from None
    return text


def _written(column: Column, operator: str, word: str, value: Any) -> str:
    value = _plain(word, value)
    if isinstance(value, bool):
        yes, no = ("some", "none") if operator == "is" else ("yes", "no")
        text = yes if value else no
    elif hasattr(value, "utc") and hasattr(value, "jd"):  # astropy's Time
        text = _of_time(column, word, value)
    elif isinstance(value, datetime | date):
        text = value.isoformat()
    elif hasattr(value, "to_value") and hasattr(value, "unit"):
        text = _number(column, word, value)
    else:
        text = str(getattr(value, "name", value)) if column.kind is Kind.SOURCE else str(value)
    if column.choices and not word.endswith(("_is", "_has")) and text not in column.choices:
        raise SelectionError(f"{word}: '{text}' is none of {', '.join(column.choices)}")
    if not text.strip():
        raise SelectionError(f"{word}: expected a value, found an empty text")
    return evening(word, value if isinstance(value, date) else text) \
        if column.kind is Kind.NIGHT else text


def evening(word: str, value: object) -> str:
    """The date of an evening as text; a datetime only where it is midnight, as those of pandas."""
    text = value.isoformat() if isinstance(value, date) else str(value).strip()
    text = text.removesuffix("T00:00:00")
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise SelectionError(f"{word}: '{text}' is no night; expected the date of its evening, "
                             "such as 2026-11-22")
    return text


def _plain(word: str, value: Any) -> Any:
    """A value of numpy, or bytes, as one of Python."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if not hasattr(value, "dtype") or hasattr(value, "to_value"):
        return value
    if not value.shape and getattr(value, "mask", False):
        raise SelectionError(f"{word}: expected a value, found a masked one")
    if value.dtype.kind == "M":
        value = value.astype("datetime64[us]")  # else a number of nanoseconds
    found = value.item()
    if found is None or value.dtype.kind == "O":
        raise SelectionError(f"{word}: expected a value, found {value}")
    return found.decode("utf-8", "replace") if isinstance(found, bytes) else found


def _of_time(column: Column, word: str, value: Any) -> str:
    """A Time as the number of a column: in TDB for those of the barycentre, as MJD where it is."""
    if value.shape:
        raise SelectionError(f"{word}: expected one time, found {len(value)}")
    if column.name.startswith("bjd"):
        return repr(float(value.tdb.jd))
    if column.kind is Kind.NUMBER and column.name.startswith("mjd"):
        return repr(float(value.utc.mjd))
    if column.kind is Kind.NIGHT:
        raise SelectionError(f"{word}: a night has the date of its evening, such as 2026-11-22; "
                             "a time selects by since and until")
    if column.kind not in (Kind.DAY, Kind.MOMENT):
        raise SelectionError(f"{word}: is in {column.unit or 'no unit'}, found a time")
    return repr(float(value.utc.jd))


def _number(column: Column, word: str, value: Any) -> str:
    from astropy.units import UnitConversionError

    try:
        return repr(float(value.to_value(column.unit)))
    except UnitConversionError:
        raise SelectionError(f"{word}: is in {column.unit or 'no unit'}, found {value}") from None
    except TypeError:
        raise SelectionError(f"{word}: expected one number, found {value}") from None
