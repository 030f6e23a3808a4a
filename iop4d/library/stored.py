"""Rows from the site's own database, which is only read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from iop4d.config import Site as SiteFile
from iop4d.library.errors import NotFoundError, SelectionError
from iop4d.library.reader import Field, Instrument, Known, Page, Row
from iop4d.model.errors import Iop4dError
from iop4d.store import catalogue, provenance
from iop4d.store.database import Connection, Database
from iop4d.store.tables import Listing
from iop4d.store.tables.details import everything
from iop4d.store.tables.filters import FilterError
from iop4d.store.tables.listing import Query, one, parts, read, read_query, total

_ALL = 2**62  # rows
_PIECE = 1000


class StoreReader:
    """See :class:`reader.Reader`."""

    def __init__(self, site: SiteFile, database: Database) -> None:
        self.site = site
        self.database = database

    def __reduce__(self) -> tuple[Any, ...]:
        """In another process the database is opened again."""
        return _reader_of, (self.site,)

    @property
    def words(self) -> str:
        """The site's name, or its folder."""
        return self.site.site.name or str(self.site.root)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection; what cannot be selected is a SelectionError."""
        try:
            with self.database.read() as db:
                yield db
        except FilterError as error:
            raise SelectionError(str(error)) from None

    @property
    def _context(self) -> dict[str, Any]:
        return {"index_minutes": self.site.photometry.spectral_index_minutes}

    def page(self, listing: Listing, fields: tuple[Field, ...], columns: tuple[str, ...],
             size: int, place: Any) -> Page:
        """At most so many rows."""
        with self.reading() as db:
            part = read(db, _query(listing, fields, columns), size, place, context=self._context)
        return Page(rows=part.rows, after=part.after)

    def count(self, listing: Listing, fields: tuple[Field, ...]) -> int:
        """How many rows there are."""
        with self.reading() as db:
            query = _query(listing, fields, (listing.key,))
            if listing.is_computed:  # a night costs queries of its own
                return sum(map(len, parts(lambda: nullcontext(db), query, _PIECE)))
            return total(db, query, most=_ALL).count

    def row(self, listing: Listing, key: Any) -> Row | None:
        """The row of a key."""
        with self.reading() as db:
            return one(db, listing, key, context=self._context)

    def details(self, listing: Listing, key: Any) -> Row | None:
        """The row of a key with everything that belongs to it."""
        if listing.name == "results":  # as a server answers
            return self.explain(key)
        with self.reading() as db:
            return everything(db, listing.name, key)

    def explain(self, result: int) -> Row:
        """All that a result rests on."""
        with self.reading() as db:
            try:
                return provenance.explain(
                    db, result, index_minutes=self.site.photometry.spectral_index_minutes)
            except Iop4dError as error:
                raise NotFoundError(str(error)) from None

    def sources(self) -> list[Known]:
        """The sources of the catalogue."""
        with self.reading() as db:
            return [Known(name=source.name, other_names=source.other_names,
                          bands=tuple(source.magnitudes)) for source in catalogue.load(db).sources]

    def has_results_of(self, source: str) -> bool:
        """Whether there is a result of a source."""
        from iop4d.store.tables.results import RESULTS

        return bool(self.page(RESULTS, (("source", source),), ("id",), 1, None).rows)

    def instruments(self) -> list[Instrument]:
        """The instruments of the site: shipped, of plug-ins and of its file."""
        from iop4d.instruments.discovery import find_instruments

        return [Instrument(name=one.name, telescope=one.telescope.name)
                for one in find_instruments(self.site.camera, self.site.polarimeter)]

    def close(self) -> None:
        """Close this thread's connection."""
        self.database.close()


def _reader_of(site: SiteFile) -> StoreReader:
    return StoreReader(site, Database(site.database, read_only=True))


def _query(listing: Listing, fields: tuple[Field, ...], columns: tuple[str, ...]) -> Query:
    return read_query(listing, [*fields, ("columns", ",".join(columns))])

