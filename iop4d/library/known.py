"""What a selection may name: sources, bands, instruments and telescopes that there are."""

from __future__ import annotations

from collections.abc import Callable

from iop4d.library.errors import NotFoundError, SelectionError
from iop4d.library.reader import Field, Reader
from iop4d.model.flags import Flag
from iop4d.model.source import similar
from iop4d.store.tables import Kind, Listing


def with_names(reader: Reader, listing: Listing, fields: tuple[Field, ...],
               name_of: Callable[[str], str]) -> tuple[Field, ...]:
    """The fields with sources by their own names; raises NotFoundError for an unknown one.

    What stands in a row is known, too: the subject of an alert may be no source.
    """
    sources = {column.name for column in listing.columns if column.kind is Kind.SOURCE}
    return tuple((name, _named(reader, listing, (name, text), name_of) if name in sources else text)
                 for name, text in fields)


def _named(reader: Reader, listing: Listing, field: Field, name_of: Callable[[str], str]) -> str:
    try:
        return name_of(field[1])
    except NotFoundError:
        if listing.key == field[0] or not _is_there(reader, listing, field):
            raise
        return field[1]


def check(reader: Reader, listing: Listing, fields: tuple[Field, ...]) -> None:
    """Refuse a band, an instrument, a telescope or a flag that neither the site nor any row has.

    Raises SelectionError.
    """
    _check_flags(reader, listing, fields)
    for word, there in (("band", _bands), ("instrument", _instruments), ("telescope", _telescopes)):
        values = {text for name, text in fields if name == word}
        known = there(reader) if values else set()
        unknown = sorted(text for text in values - known
                         if not _is_there(reader, listing, (word, text)))
        if unknown and (known or word == "band"):  # an older server tells no instruments
            raise SelectionError(f"{word}: '{unknown[0]}' is unknown; there are "
                                 f"{', '.join(sorted(known)) or 'none'}")


def _check_flags(reader: Reader, listing: Listing, fields: tuple[Field, ...]) -> None:
    flags = {column.name for column in listing.columns if column.kind is Kind.FLAGS}
    known = [str(flag.name).lower() for flag in Flag]
    for name, text in fields:
        column, _, operator = name.partition(".")
        if column in flags and operator in ("has", "lacks") and text not in known \
                and not _is_there(reader, listing, (f"{column}.has", text)):
            raise SelectionError(f"{column}_{operator}: '{text}' is no flag of the program, and no "
                                 f"row has it{similar(text, known)}")


def _bands(reader: Reader) -> set[str]:
    return {band for source in reader.sources() for band in source.bands}


def _instruments(reader: Reader) -> set[str]:
    return {one.name for one in reader.instruments()}


def _telescopes(reader: Reader) -> set[str]:
    return {one.telescope for one in reader.instruments()}


def _is_there(reader: Reader, listing: Listing, field: Field) -> bool:
    """Whether any row has a value; a search is continued where it ended without a row."""
    place = None
    while True:
        page = reader.page(listing, (field,), (listing.key,), 1, place)
        place = page.after
        if page.rows or place is None:
            return bool(page.rows)
