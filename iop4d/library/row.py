"""One row of a table as an object whose attributes are the columns, with units."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from iop4d.library.errors import NotFoundError
from iop4d.library.reader import Row as Plain
from iop4d.library.values import value_of
from iop4d.model.source import similar
from iop4d.store.tables import Listing

if TYPE_CHECKING:
    from iop4d.library.observatory import Observatory


class Row:
    """A row: every column of its table is an attribute, with a unit where the column has one.

    ``row["mag"]`` is the same as the table has it, without a unit; None for none.
    """

    _listing: ClassVar[Listing]

    def __init__(self, observatory: Observatory, values: Plain) -> None:
        self._observatory = observatory
        self._values = dict(values)

    @property
    def _key(self) -> Any:
        return self._values[self._listing.key]

    def __getitem__(self, column: str) -> Any:
        """The plain value of a column; raises KeyError where the table has none of that name."""
        if column not in self._listing.by_name:
            raise KeyError(f"{self._listing.name} have no column '{column}'"
                           + similar(column, self._listing.by_name))
        if column not in self._values:
            found = self._observatory.reader.row(self._listing, self._key)
            if found is None:
                raise NotFoundError(f"the {self._listing.one} {self._key} is not there any more")
            self._values = found | self._values
        return self._values[column]

    def __getattr__(self, name: str) -> Any:
        # Python asks here for what is not found otherwise, before anything is set, too.
        column = None if name.startswith("_") else self._listing.by_name.get(name)
        if column is None:
            there = [one for one in dir(self) if one[0] != "_"]
            raise AttributeError(f"a {self._listing.one} has no '{name}'" + (
                similar(name, there) or f"; it has {', '.join(there)}"))
        return value_of(column, self[name])

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self._listing.by_name})

    def __eq__(self, other: object) -> bool:
        return (type(self) is type(other) and isinstance(other, Row)
                and self._observatory is other._observatory and self._key == other._key)

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._key))

    @cached_property
    def details(self) -> Plain:
        """All that belongs to it as plain values, as ``/api/v1`` gives it."""
        found = self._observatory.reader.details(self._listing, self._key)
        if found is None:
            raise NotFoundError(f"the {self._listing.one} {self._key} is not there any more")
        return found

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._key}{self._words()}>"

    def _words(self) -> str:
        return ""

    def _repr_html_(self) -> str:
        """For notebooks: every value that it has, with its unit."""
        from iop4d.library.html import html_of_row

        self[self._listing.key]
        return html_of_row(repr(self), self._values, self._listing.columns)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._listing.by_name)
