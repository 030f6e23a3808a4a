"""Rows that are selected, and read only when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from operator import index
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from iop4d.library.errors import SelectionError
from iop4d.library.fields import fields_of, possible
from iop4d.library.known import check, with_names
from iop4d.library.reader import Field, Reader
from iop4d.library.reader import Row as Plain
from iop4d.model.source import similar
from iop4d.store.tables import Column, Listing

if TYPE_CHECKING:
    from astropy.table import QTable, Table

Thing = TypeVar("Thing")
_PART = 1000  # rows read at a time
_KEYS = 100  # of one question
_SHOWN = 4  # fields in a repr
_FIRST = 10  # rows in a notebook


@dataclass(frozen=True)
class Asked:
    """What is asked of a table. ``keys``: of these rows alone; ``usual``: columns of tables."""

    reader: Reader
    listing: Listing
    fields: tuple[Field, ...] = ()
    keys: tuple[Any, ...] | None = None
    order: str = ""
    usual: tuple[str, ...] = ()


class Selection(Generic[Thing]):
    """Some rows of a table: nothing is read until they are counted, iterated or made a table.

    Call it to select among its rows: ``site.frames(night="2026-01-05", state="failed")``. A keyword
    is a column, or a column with one of the endings ``_from``, ``_to``, ``_has``, ``_lacks``,
    ``_is``, ``_matches`` (as a field of ``/api/v1`` with a point); :attr:`keywords` lists them. A
    list of values means any of them, a pair of numbers or times means from and to. Times are a
    Time, a datetime, JD, MJD or text in UTC; up to a date means up to its end.

    Raises TypeError for a keyword that the table has not, SelectionError (a ValueError) for a value
    that makes no sense, NotFoundError for an unknown source.
    """

    def __init__(self, asked: Asked, make: Callable[[Plain], Thing],
                 name_of: Callable[[str], str]) -> None:
        self._asked = asked
        self._make = make
        self._name_of = name_of

    def __call__(self, *values: Any, **keywords: Any) -> Selection[Thing]:
        """Those rows that meet the keywords, too. Values without a keyword are a TypeError."""
        asked = self._asked
        if values:
            raise TypeError(f"{asked.listing.name} are selected by keywords, such as "
                            f"{asked.listing.shown[0]}={values[0]!r}")
        fields = with_names(asked.reader, asked.listing, fields_of(asked.listing, keywords),
                            self._name_of)
        twice = {name for name, _ in asked.fields} & {name for name, _ in fields}
        if twice:
            raise SelectionError(f"{sorted(twice)[0]} is selected already: {self!r}")
        check(asked.reader, asked.listing, fields)
        return type(self)(replace(asked, fields=(*asked.fields, *fields)), self._make,
                          self._name_of)

    # Reading.

    def __iter__(self) -> Iterator[Thing]:
        """The rows as objects, a thousand read at a time."""
        for rows in self._parts(self._asked.order, _unmade(self._asked.listing)):
            yield from map(self._make, rows)

    @overload
    def __getitem__(self, place: int) -> Thing: ...
    @overload
    def __getitem__(self, place: slice) -> list[Thing]: ...
    def __getitem__(self, place: int | slice) -> Thing | list[Thing]:
        """The row at a place of the order, or a list of those of a slice; all before it are read.

        Raises IndexError where there is none, TypeError for what is no whole number.
        """
        if isinstance(place, str):
            raise TypeError(f"rows have a number here; the column is .table('{place}')['{place}']")
        if isinstance(place, slice):
            ends = (place.start or 0, place.stop if place.stop is not None else -1)
            few = min(ends) >= 0 and (place.step or 1) > 0  # what follows need not be read
            return list(islice(self, ends[1]) if few else self)[place]
        if place == -1 and (row := self.last()) is not None:
            return row
        place = index(place)
        rows = list(self) if place < 0 else list(islice(self, place + 1))
        if not -len(rows) <= place < len(rows):
            raise IndexError(f"there is no row {place}: {self!r} has {len(self)}")
        return rows[place]

    def __len__(self) -> int:
        """How many rows there are; it counts them."""
        return self.count()

    def __bool__(self) -> bool:
        """Whether there is any row; it reads one."""
        return next(self._parts(self._asked.order, (self._asked.listing.key,), 1), []) != []

    def count(self) -> int:
        """How many rows there are."""
        return sum(self._asked.reader.count(self._asked.listing, fields)
                   for fields in self._questions())

    def first(self) -> Thing | None:
        """The first row of the order, or None."""
        return self._end(self._asked.order)

    def last(self) -> Thing | None:
        """The last row of the order, or None."""
        order = self._asked.order
        return self._end(order.removeprefix("-") if order.startswith("-") else f"-{order}")

    def _end(self, order: str) -> Thing | None:
        if self._asked.keys is not None:
            rows = list(self)
            return None if not rows else rows[0 if order == self._asked.order else -1]
        row = next((rows[0] for rows in self._parts(order, _unmade(self._asked.listing), 1)
                    if rows), None)
        return None if row is None else self._make(row)

    def _questions(self) -> Iterator[tuple[Field, ...]]:
        """The fields of each question that has to be put."""
        asked = self._asked
        if asked.keys is None:
            yield asked.fields
            return
        for at in range(0, len(asked.keys), _KEYS):
            yield (*asked.fields, *((asked.listing.key, str(key))
                                    for key in asked.keys[at:at + _KEYS]))

    def _parts(self, order: str, columns: tuple[str, ...],
               size: int = _PART) -> Iterator[list[Plain]]:
        asked = self._asked
        for fields in self._questions():
            place = None
            while True:
                page = asked.reader.page(asked.listing, (*fields, ("sort", order)), columns, size,
                                         place)
                if page.rows:
                    yield page.rows
                place = page.after
                if place is None:
                    break

    # Tables.

    @property
    def keywords(self) -> list[str]:
        """Every keyword that selects."""
        return possible(self._asked.listing)

    @property
    def columns(self) -> Table:
        """The columns that a table can have: name, unit, UCD and what it is (all texts)."""
        from astropy.table import Table

        names = ("name", "unit", "ucd", "says")
        return Table([[getattr(column, name) for column in self._asked.listing.columns]
                      for name in names], names=["name", "unit", "ucd", "description"])

    def table(self, *columns: str | Iterable[str]) -> QTable:
        """The rows as a QTable with units and descriptions; ``meta`` says what and how to cite.

        ``columns``: names of columns, or lists of them, by default the usual ones. Numbers are
        float64 with NaN for none, whole numbers int64 and masked for none, flags and lists text
        joined by ``;``.
        """
        from iop4d.library.tables import table_of

        chosen = self._chosen(columns)
        return table_of(self._asked.listing.name, self._about(), chosen,
                        self._parts(self._asked.order, tuple(c.name for c in chosen)))

    def pandas(self, *columns: str | Iterable[str]) -> Any:
        """The same as a DataFrame of pandas, which must be installed (else NotInstalledError).

        ``attrs["units"]`` names the units of its columns.
        """
        from iop4d.library.tables import pandas_of

        chosen = self._chosen(columns)
        return pandas_of(chosen, self._parts(self._asked.order, tuple(c.name for c in chosen)))

    def _chosen(self, columns: tuple[str | Iterable[str], ...]) -> tuple[Column, ...]:
        listing = self._asked.listing
        chosen = tuple(str(name) for one in columns
                       for name in ((one,) if isinstance(one, str) else one))
        names = chosen or self._asked.usual or tuple(
            column.name for column in listing.columns if not column.derived)
        for name in names:
            if name not in listing.by_name:
                raise SelectionError(f"{listing.name} have no column '{name}'" + (
                    similar(name, listing.by_name)
                    or f"; there are {', '.join(listing.by_name)}"))
        return tuple(listing.by_name[name] for name in dict.fromkeys(names))

    def _about(self) -> str:
        said = "; ".join(f"{name}: {text}" for name, text in self._asked.fields)
        what = f"{self._asked.listing.words} of {self._asked.reader.words}"
        return f"{what}: {said}." if said else f"{what}."

    def __repr__(self) -> str:
        fields = [f"{name}={text}" for name, text in self._asked.fields]
        if self._asked.keys is not None:
            fields.append(f"{len(self._asked.keys)} of them")
        more = ", ..." if len(fields) > _SHOWN else ""
        return f"<{self._asked.listing.words}: {', '.join(fields[:_SHOWN]) or 'all'}{more}>"

    def _repr_html_(self) -> str:
        """For notebooks: how many there are, and the first of them."""
        from iop4d.library.html import html_of_rows

        names = self._shown_columns()
        rows = next(self._parts(self._asked.order, names, _FIRST), [])
        return html_of_rows(repr(self), self.count(), rows,
                            [self._asked.listing.by_name[name] for name in names])

    def _shown_columns(self) -> tuple[str, ...]:
        listing = self._asked.listing
        names = [column.name for column in listing.columns
                 if column.shown and not column.derived and column.name != listing.key]
        return (listing.key, *names)


def _unmade(listing: Listing) -> tuple[str, ...]:
    """The columns that cost nothing to read."""
    return tuple(column.name for column in listing.columns if not column.derived)
