"""A FITS file with the table as its first extension."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from iop4d import __version__
from iop4d.export.content import BIBCODE, Content, Row, rounded, text_of
from iop4d.store.tables.columns import Column, Kind

if TYPE_CHECKING:
    from astropy.io import fits

#: Rows of one file, whose length stands at its beginning: all of them are held until it is whole.
MOST_ROWS = 100_000
_NULL = -(2**63)  # of whole numbers
_YES, _NO, _UNKNOWN = ord("T"), ord("F"), 0  # of logical values (FITS standard 4.0, 7.3.3.1)
_FLOATS = (Kind.NUMBER, Kind.DAY, Kind.MOMENT)
_PIECE = 1 << 16


def as_fits(content: Content, parts: Iterable[list[Row]]) -> Iterator[bytes]:
    """The table; NaN where there is no number, texts in ASCII. Empty pieces while it is made."""
    from astropy.io import fits  # half a second to import, which the pages need not pay

    kept: dict[str, list[np.ndarray[Any, Any]]] = {column.name: [] for column in content.columns}
    for rows in parts:
        for column in content.columns:
            kept[column.name].append(_array(column, [row[column.name] for row in rows]))
        yield b""
    whole = {column.name: np.concatenate(kept.pop(column.name) or [_array(column, [])])
             for column in content.columns}
    table = fits.BinTableHDU.from_columns(
        [_column(column, whole[column.name]) for column in content.columns],
        name=content.name.upper())
    for column in content.columns:
        if column.kind is Kind.YES_NO:  # astropy writes true and false, and not what is unknown
            np.recarray.field(table.data, column.name)[whole[column.name] == _UNKNOWN] = _UNKNOWN
    for index, column in enumerate(content.columns, 1):
        room = 65 - max(len(column.name), 18)  # of the card's 80 characters
        table.header[f"TTYPE{index}"] = column.name, _ascii(column.says)[:room]
        if column.ucd:
            table.header[f"TUCD{index}"] = column.ucd
        table.header[f"TCOMM{index}"] = _ascii(column.says)[:68]
    first = fits.PrimaryHDU()
    first.header["ORIGIN"] = f"iop4d {__version__}"
    first.header["REFERENC"] = BIBCODE
    for line in content.lines:
        first.header["COMMENT"] = _ascii(line)
    if any(column.kind is Kind.DAY for column in content.columns):
        table.header["TIMESYS"] = "UTC"
    out = io.BytesIO()
    fits.HDUList([first, table]).writeto(out)
    data = out.getbuffer()
    yield from (bytes(data[at:at + _PIECE]) for at in range(0, len(data), _PIECE))


def _array(column: Column, values: list[Any]) -> np.ndarray[Any, Any]:
    if column.kind in _FLOATS:
        return np.array([np.nan if value is None else rounded(column, value) for value in values],
                        dtype=np.float64)
    if column.kind is Kind.WHOLE:
        return np.array([_NULL if value is None else int(value) for value in values],
                        dtype=np.int64)
    if column.kind is Kind.YES_NO:
        return np.array([_UNKNOWN if value is None else _YES if value else _NO for value in values],
                        dtype=np.int8)
    texts = [_ascii(text_of(column, value)).encode() for value in values]
    return np.array(texts, dtype=f"S{max([1, *map(len, texts)])}")


def _column(column: Column, values: np.ndarray[Any, Any]) -> fits.Column:
    from astropy.io import fits

    if column.kind in _FLOATS:
        return fits.Column(name=column.name, format="D", unit=column.unit or None, array=values)
    if column.kind is Kind.WHOLE:
        return fits.Column(name=column.name, format="K", unit=column.unit or None, null=_NULL,
                           array=values)
    if column.kind is Kind.YES_NO:
        return fits.Column(name=column.name, format="L", array=values == _YES)
    return fits.Column(name=column.name, format=f"{values.dtype.itemsize}A", array=values)


def _ascii(text: str) -> str:
    """A text as a card holds it: printable ASCII."""
    return "".join(c if " " <= c <= "~" else "?" for c in text)
