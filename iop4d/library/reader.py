"""Where rows come from: the site's own database, or a server that has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from iop4d.store.tables import Listing

#: A field of the address of a list of ``/api/v1``, and its value.
Field = tuple[str, str]
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some rows of a selection, and where the following ones begin; None: there are no more."""

    rows: list[Row]
    after: Any = None


@dataclass(frozen=True, kw_only=True)
class Known:
    """A source of the catalogue: its names, and the bands of its magnitudes."""

    name: str
    other_names: tuple[str, ...]
    bands: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """An instrument that the site knows, and the name of its telescope."""

    name: str
    telescope: str


class Reader(Protocol):
    """Reads the tables. Fields are those of the addresses of ``/api/v1``."""

    @property
    def words(self) -> str:
        """What is read, for people."""

    def page(self, listing: Listing, fields: tuple[Field, ...], columns: tuple[str, ...],
             size: int, place: Any) -> Page:
        """At most so many rows, from a place on (None: from the beginning)."""

    def count(self, listing: Listing, fields: tuple[Field, ...]) -> int:
        """How many rows there are."""

    def row(self, listing: Listing, key: Any) -> Row | None:
        """The row of a key with every column, None if there is none."""

    def details(self, listing: Listing, key: Any) -> Row | None:
        """The row of a key with everything that belongs to it, None if there is none."""

    def explain(self, result: int) -> Row:
        """All that a result rests on."""

    def sources(self) -> list[Known]:
        """The sources of the catalogue."""

    def has_results_of(self, source: str) -> bool:
        """Whether there is a result of a source that the catalogue may not have any more."""

    def instruments(self) -> list[Instrument]:
        """The instruments of the site; none where a server does not tell them."""

    def close(self) -> None:
        """Close what is open."""
