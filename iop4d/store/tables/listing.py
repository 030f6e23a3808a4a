"""Rows of a table that meet filters, in an order, a page at a time, in bounded time.

A page goes on from the row where the one before ended, so that the last page costs what the first
one does. Where filters leave few rows of many, a search looks at so many rows and then says how far
it came: the next page goes on from there. An order that no index has is that of the newest rows.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from iop4d.store.database import Connection
from iop4d.store.tables.columns import Column, Kind, Listing
from iop4d.store.tables.filters import (
    Condition,
    Filter,
    FilterError,
    condition,
    is_path,
    read_filters,
)

_MOST_STEPS = 4  # of one search
_SLOW = 4  # times as long takes a row that is compared with a regular expression
_COUNTED = 20_000  # rows that are counted by an index
_LARGEST = 2**63


@dataclass(frozen=True, kw_only=True)
class Query:
    """What is asked of a table: filters, order (a minus before it: the largest first), columns.

    ``extra``: columns of the database that are read besides. Rows have the table's key, too.
    """

    listing: Listing
    filters: tuple[Filter, ...] = ()
    order: str = ""
    columns: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def by(self) -> Column:
        """The column that gives the order."""
        return self.listing.by_name[self.order.removeprefix("-")]

    @property
    def falls(self) -> bool:
        """Whether the largest value comes first."""
        return self.order.startswith("-")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Between two rows: the one before it, by the value that gives the order and by its key.

    ``number``: how many rows come before it, where that is known. ``back``: read towards the
    beginning.
    """

    value: Any
    key: Any
    number: int | None = 0
    back: bool = False


@dataclass(frozen=True, kw_only=True)
class Part:
    """Some rows; and the places where the ones after and before them begin, if there are any.

    ``first``: how many rows come before these. ``searched_to``: how far a search came that ended
    before it had as many rows as were asked for. ``ordered``: the rows of this order are among so
    many of the newest alone.
    """

    rows: list[dict[str, Any]]
    after: Place | None = None
    before: Place | None = None
    first: int | None = 0
    searched_to: Any = None
    ordered: int | None = None


@dataclass(frozen=True, kw_only=True)
class Total:
    """How many rows there are; at least so many, where counting all would take too long."""

    count: int
    is_exact: bool


def read_query(listing: Listing, fields: Iterable[tuple[str, str]]) -> Query:
    """What an address asks for: filters, ``sort`` and ``columns``. Raises FilterError."""
    fields = list(fields)
    order, columns = listing.order, list[str]()
    for name, text in fields:
        if name == "sort" and text.strip():
            order = text.strip()
        elif name == "columns":
            columns += [part.strip() for part in text.split(",") if part.strip()]
    by = listing.by_name.get(order.removeprefix("-"))
    if by is None or by.derived:
        raise FilterError("sort", f"there is no column '{order.removeprefix('-')[:40]}' to sort by")
    return Query(listing=listing, filters=read_filters(listing, fields), order=order,
                 columns=_columns(listing, columns))


def _columns(listing: Listing, wanted: list[str]) -> tuple[str, ...]:
    if not wanted:
        return listing.shown
    if "all" in wanted:
        return tuple(listing.by_name)
    for name in wanted:
        if name not in listing.by_name:
            raise FilterError("columns", f"there is no column '{name[:40]}'")
    return tuple(dict.fromkeys(wanted))


# Places in an address.


def text_of(query: Query, place: Place) -> str:
    """A place as it stands in an address; what is in it is for this module alone."""
    content = [query.order, place.value, place.key, place.number, int(place.back)]
    packed = json.dumps(content, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def read_place(query: Query, text: str) -> Place | None:
    """The place of a text of ``text_of``, None for none. Raises FilterError."""
    if not text:
        return None
    try:
        content = json.loads(base64.b64decode(
            text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        order, value, key, number, back = content
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise FilterError("cursor", "expected what an answer before gave") from None
    if order != query.order:
        raise FilterError("cursor", "it belongs to another order of the rows")
    is_count = number is None or (isinstance(number, int) and 0 <= number < _LARGEST)
    if not (is_count and key is not None and _suits(query.by, value)
            and _suits(query.listing.by_name[query.listing.key], key)):
        raise FilterError("cursor", "expected what an answer before gave")
    if query.by.kind is Kind.YES_NO and value is not None:
        value = bool(value)
    return Place(value=value, key=key, number=number, back=bool(back))


def _suits(column: Column, value: Any) -> bool:
    """Whether a value can be one by which rows are ordered: a server compares no others with it."""
    if value is None:
        return True
    if column.kind is Kind.YES_NO:
        return value in (0, 1)
    if column.is_number or (column.kind is Kind.FLAGS and not column.by_hand):
        return (isinstance(value, int | float) and not isinstance(value, bool)
                and math.isfinite(value) and abs(value) < _LARGEST)
    # Half of a pair of code units is a text of JSON and of nothing else.
    return isinstance(value, str) and not re.search("[\0\ud800-\udfff]", value)


# Reading.


@dataclass(frozen=True)
class _Statement:
    """The conditions of a query: those that an index serves, and those on each row."""

    listing: Listing
    paths: list[Condition] = field(default_factory=list)
    others: list[Condition] = field(default_factory=list)


def read(db: Connection, query: Query, count: int, place: Place | None = None, *,
         context: Mapping[str, Any] | None = None) -> Part:
    """At most so many rows, from a place on or from the beginning."""
    if query.listing.may_order(query.by):
        part = _searched(db, query, count, place)
    else:
        part = _ordered(db, query, count, place)
    _derive(db, query, part.rows, context or {})
    return part


def parts(db_of: Callable[[], Any], query: Query, size: int, *, most: int | None = None,
          context: Mapping[str, Any] | None = None) -> Iterator[list[dict[str, Any]]]:
    """All rows of a query in parts, each read by a connection of its own.

    ``db_of`` gives a context manager of a connection.
    """
    place: Place | None = None
    left = most
    while left is None or left > 0:
        with db_of() as db:
            part = read(db, query, size if left is None else min(size, left), place,
                        context=context)
        yield part.rows
        place = part.after
        if place is None:
            return
        if left is not None:
            left -= len(part.rows)


def _searched(db: Connection, query: Query, count: int, place: Place | None) -> Part:
    """Rows in an order that an index has."""
    said = _statement(db, query, query.by)
    falls = query.falls is not (place is not None and place.back)
    found: list[tuple[Any, ...]] = []
    at, floor, steps = place, None, 0
    while True:
        floor = _step_end(db, query, said, at, falls=falls)
        found += _rows(db, query, said, count + 1 - len(found), at, floor, falls=falls)
        steps += 1
        if len(found) > count or floor is None or steps == _MOST_STEPS // _slowness(query):
            break
        at = floor
    return _part(query, found, count, place, floor if len(found) <= count else None)


def _part(query: Query, found: list[tuple[Any, ...]], count: int, place: Place | None,
          floor: Place | None) -> Part:
    """What was found, as a part with its neighbours."""
    is_more, found = len(found) > count, found[:count]
    back = place is not None and place.back
    number = place.number if place is not None else 0
    if back:
        found = found[::-1]
        number = None if number is None else max(number - len(found), 0)
        if not is_more and floor is None:
            number = 0
    last = None if number is None else number + len(found)
    ends = [Place(value=row[-2], key=row[-1], number=n, back=b) for row, n, b in (
        *((row, number, True) for row in found[:1]), *((row, last, False) for row in found[-1:]))]
    edge = None if floor is None else replace(floor, number=number if back else last, back=back)
    if back:
        before = ends[0] if is_more else edge
        after = ends[1] if ends else replace(place, back=False) if place else None
    else:
        after = ends[1] if is_more else edge
        before = (ends[0] if ends else replace(place, back=True)) if place else None
    return Part(rows=_values(query, found), after=after, before=before, first=number,
                searched_to=None if floor is None else floor.value)


def _statement(db: Connection, query: Query, by: Column) -> _Statement:
    said = _Statement(query.listing)
    for wanted in query.filters:
        path = is_path(query.listing, wanted, by)
        (said.paths if path else said.others).append(condition(db, wanted, is_path=path))
    return said


def _slowness(query: Query) -> int:
    return _SLOW if any(wanted.operator == "matches" for wanted in query.filters) else 1


def _step_end(db: Connection, query: Query, said: _Statement, at: Place | None, *,
              falls: bool) -> Place | None:
    """The place up to which one step of a search looks; None: to the end."""
    if not said.others:
        return None
    conditions = [*said.paths, *_beyond(query, at, falls=falls)]
    by, key = query.by.order, _key(query.listing)
    rows = _select(db, query.listing, f"{by}, {key}", conditions,
                   f"ORDER BY {_ordering(query, falls=falls)} LIMIT 1 OFFSET "
                   f"{query.listing.step - 1}")
    return Place(value=rows[0][0], key=rows[0][1], number=None) if rows else None


def _rows(db: Connection, query: Query, said: _Statement, count: int, at: Place | None,
          floor: Place | None, *, falls: bool) -> list[tuple[Any, ...]]:
    conditions = [*said.paths, *_beyond(query, at, falls=falls), *said.others]
    if floor is not None:
        conditions.append(_compared(query, floor, "<=" if not falls else ">="))
    conditions, end = [_base(query), *conditions], f"ORDER BY {_ordering(query, falls=falls)}"
    listing = query.listing
    if listing.is_computed:
        # Else the columns of all rows are computed before the first of them are chosen.
        where, values = _where(conditions)
        listing = replace(listing, source=f"(SELECT t.* FROM {listing.source} {where} {end} "  # noqa: S608
                                          f"LIMIT {count}) AS t")
        return _select(db, listing, _selected(query), [("", values)], end)
    return _select(db, listing, _selected(query), conditions, f"{end} LIMIT {count}")


def _beyond(query: Query, at: Place | None, *, falls: bool) -> list[Condition]:
    return [] if at is None else [_compared(query, at, "<" if falls else ">")]


def _compared(query: Query, place: Place, how: str) -> Condition:
    key = _key(query.listing)
    if query.by.order == key:
        return f"{key} {how} ?", [place.key]
    return f"({query.by.order}, {key}) {how} (?, ?)", [place.value, place.key]


def _ordering(query: Query, *, falls: bool) -> str:
    way = "DESC" if falls else "ASC"
    by, key = query.by.order, _key(query.listing)
    return f"{key} {way}" if by == key else f"{by} {way}, {key} {way}"


def _key(listing: Listing) -> str:
    return f't."{listing.key}"'


def _base(query: Query) -> Condition:
    return query.listing.base, []


def _selected(query: Query) -> str:
    names = dict.fromkeys((*query.columns, *_needed(query)))
    expressions = [query.listing.by_name[name].expression if name in query.listing.by_name
                   else f't."{name}"' for name in names if not _is_derived(query, name)]
    return ", ".join([*expressions, query.by.order, _key(query.listing)])


def _needed(query: Query) -> tuple[str, ...]:
    needs = query.listing.needs if any(_is_derived(query, name) for name in query.columns) else ()
    return (query.listing.key, *needs, *query.extra)


def _is_derived(query: Query, name: str) -> bool:
    column = query.listing.by_name.get(name)
    return column is not None and column.derived


def _select(db: Connection, listing: Listing, what: str, conditions: Sequence[Condition],
            end: str) -> list[tuple[Any, ...]]:
    where, values = _where(conditions)
    # Names and expressions are ours; what people give is among the values.
    return db.rows(f"SELECT {what} FROM {listing.source} {where} {end}", *values)  # noqa: S608


def _where(conditions: Sequence[Condition]) -> Condition:
    where = " AND ".join(said for said, _ in conditions if said)
    return f"WHERE {where}" if where else "", [value for _, some in conditions for value in some]


def _values(query: Query, found: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    """Rows as plain values by name; those that derived columns need are among them."""
    names = [name for name in dict.fromkeys((*query.columns, *_needed(query)))
             if not _is_derived(query, name)]
    rows = [dict(zip(names, row, strict=False)) for row in found]
    for name in names:
        column = query.listing.by_name.get(name)
        made = column.read if column is not None else None
        if made is not None:
            for row in rows:
                row[name] = made(row[name])
    return rows


def _derive(db: Connection, query: Query, rows: list[dict[str, Any]],
            context: Mapping[str, Any]) -> None:
    wanted = frozenset(name for name in query.columns if _is_derived(query, name))
    if wanted and rows and query.listing.derive is not None:
        query.listing.derive(db, rows, wanted, context)


# Orders that no index has.


def _ordered(db: Connection, query: Query, count: int, place: Place | None) -> Part:
    """Rows in the order of any column, among the newest rows that meet what an index serves."""
    listing = query.listing
    newest = replace(query, order=listing.order)
    said = _statement(db, newest, newest.by)
    most = listing.ordered // _slowness(query)
    floor = _nth(db, newest, said, most)
    conditions = [_base(query), *said.paths, *said.others]
    if floor is not None:
        conditions.append(_compared(newest, floor, ">=" if newest.falls else "<="))
    back = place is not None and place.back
    falls = query.falls is not back
    if place is not None:
        conditions.append(_past(query, place, falls=falls, back=back))
    by, key, way = query.by.order, _key(listing), "DESC" if falls else "ASC"
    end = f"ORDER BY {by} IS NULL {'DESC' if back else 'ASC'}, {by} {way}, {key} {way}"
    # Else the columns of all of them are computed and sorted, not those of the rows on the page.
    where, values = _where(conditions)
    those = f"{key} IN (SELECT {key} FROM {listing.source} {where} {end} LIMIT {count + 1})"  # noqa: S608
    found = _select(db, listing, _selected(query), [(those, values)], end)
    return replace(_part(query, found, count, place, None),
                   ordered=None if floor is None else most)


def _nth(db: Connection, query: Query, said: _Statement, number: int) -> Place | None:
    by, key = query.by.order, _key(query.listing)
    rows = _select(db, query.listing, f"{by}, {key}", said.paths,
                   f"ORDER BY {_ordering(query, falls=query.falls)} LIMIT 1 OFFSET {number - 1}")
    return Place(value=rows[0][0], key=rows[0][1]) if rows else None


def _past(query: Query, place: Place, *, falls: bool, back: bool) -> Condition:
    """Rows past a place, where those without a value come last."""
    by, key, how = query.by.order, _key(query.listing), "<" if falls else ">"
    if place.value is None:
        none = f"({by} IS NULL AND {key} {how} ?)"
        return (f"({by} IS NOT NULL OR {none})" if back else none), [place.key]
    said = f"({by} {how} ? OR ({by} = ? AND {key} {how} ?){'' if back else f' OR {by} IS NULL'})"
    return said, [place.value, place.value, place.key]


# How many there are.


def total_with(db: Connection, query: Query, part: Part) -> Total:
    """The same where some rows were read, which often says how many there are."""
    if part.first is not None and (part.rows or not part.first):
        if part.after is None and part.ordered is None:
            return Total(count=part.first + len(part.rows), is_exact=True)
        if not part.first and part.searched_to is not None:
            return Total(count=len(part.rows), is_exact=False)
    return total(db, query)


def total(db: Connection, query: Query, *, most: int | None = None) -> Total:
    """How many rows meet the filters, as far as that is counted in bounded time.

    ``most``: count as many whatever it takes.
    """
    newest = replace(query, order=query.listing.order)
    said = _statement(db, newest, newest.by)
    conditions = [_base(query), *said.paths, *said.others]
    floor, exactly = None, most is not None
    most = most or _COUNTED
    if said.others and not exactly:
        most = query.listing.ordered // _slowness(query)
        floor = _nth(db, newest, said, most)
    if floor is not None:
        conditions.append(_compared(newest, floor, ">=" if newest.falls else "<="))
    where, values = _where(conditions)
    ((count,),) = db.rows(
        f"SELECT count(*) FROM (SELECT 1 FROM {query.listing.source} {where} "  # noqa: S608
        f"LIMIT {most + 1}) AS those", *values)
    return Total(count=min(count, most), is_exact=floor is None and count <= most)


def one(db: Connection, listing: Listing, key: Any, *,
        context: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """The row of a key with every column; None if there is none."""
    query = Query(listing=listing, order=listing.order, columns=tuple(listing.by_name))
    found = _select(db, listing, _selected(query), [(f"{_key(listing)} = ?", [key])], "LIMIT 1")
    rows = _values(query, found)
    _derive(db, query, rows, context or {})
    return rows[0] if rows else None

