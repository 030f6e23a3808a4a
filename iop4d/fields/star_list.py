"""Star lists as archives give them: CSV, VizieR's TSV, FITS or VOTable; names of columns vary."""

from __future__ import annotations

import csv
import math
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from iop4d.model.errors import CatalogueError
from iop4d.model.units import degrees_of

Floats = NDArray[np.float64]

RA = ("ra", "raMean", "RAJ2000", "RA_ICRS", "_RAJ2000", "_RA.icrs", "_RA", "ra_deg", "raStack")
DEC = ("dec", "decMean", "DEJ2000", "DE_ICRS", "_DEJ2000", "_DE.icrs", "_DE", "dec_deg",
       "decStack")
_MISSING = -900.0  # MAST writes -999 for what is missing
_DELIMITERS = ("\t", "|", ";", ",")


@dataclass(frozen=True, kw_only=True)
class StarTable:
    """A table's columns, by name as the file has it: texts or numbers, all of one length."""

    origin: str
    columns: Mapping[str, Sequence[object]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    def has(self, *names: str) -> bool:
        """Whether there is a column of any of the names."""
        return self._find(names) is not None

    def numbers(self, *names: str) -> Floats:
        """The first column there is of the names, NaN where there is no number; all NaN if none."""
        column = self._find(names)
        if column is None:
            return np.full(len(self), np.nan)
        values = np.array([_number(value) for value in column], dtype=np.float64)
        return np.where(values <= _MISSING, np.nan, values)

    def needed(self, what: str, names: Sequence[str]) -> Floats:
        """As ``numbers``; raises CatalogueError that names the columns when there is none."""
        if not self.has(*names):
            raise CatalogueError(f"{self.origin}: no column for {what}; it may be called "
                                 f"{', '.join(names)}. There are {', '.join(self.columns)}")
        return self.numbers(*names)

    def texts(self, *names: str) -> list[str]:
        """The first column there is of the names as text; empty texts if none."""
        column = self._find(names)
        if column is None:
            return [""] * len(self)
        return [value.decode() if isinstance(value, bytes) else str(value).strip()
                for value in column]

    def places(self) -> tuple[Floats, Floats]:
        """RA and Dec, degrees; sexagesimal text is hours and degrees."""
        return (self._angles("the right ascension", RA, hours=True),
                self._angles("the declination", DEC, hours=False))

    def _angles(self, what: str, names: Sequence[str], *, hours: bool) -> Floats:
        numbers = self.needed(what, names)
        if np.isfinite(numbers).any():
            return numbers
        return np.array([_angle(text, hours=hours) for text in self.texts(*names)])

    def rows(self, keep: NDArray[np.bool_]) -> StarTable:
        """The rows that a mask keeps."""
        kept: list[int] = np.flatnonzero(keep).tolist()
        return StarTable(origin=self.origin, columns={
            name: [column[row] for row in kept] for name, column in self.columns.items()})

    def _find(self, names: Iterable[str]) -> Sequence[object] | None:
        plain = {name.casefold(): column for name, column in self.columns.items()}
        return next((plain[name.casefold()] for name in names if name.casefold() in plain), None)


def read(path: Path, *, origin: str = "") -> StarTable:
    """Read a list of stars; rows without a place are left out. Raises CatalogueError.

    ``origin``: what messages call it; its path if empty.
    """
    return _placed(read_table(path, origin=origin))


def read_table(path: Path, *, origin: str = "") -> StarTable:
    """Read a table of anything. Raises CatalogueError."""
    said = origin or str(path)
    try:
        with path.open("rb") as file:
            head = file.read(2048)
        if head.startswith((b"SIMPLE", b"\x1f\x8b")):
            return _astropy(path, "fits", said)
        if b"<VOTABLE" in head.upper() or head.lstrip().startswith(b"<?xml"):
            return _astropy(path, "votable", said)
        return from_text(path.read_text(encoding="utf-8-sig"), said)
    except CatalogueError:
        raise
    except FileNotFoundError:
        raise CatalogueError(f"{said}: no such file") from None
    except (OSError, ValueError, IndexError, UnicodeDecodeError) as error:
        raise CatalogueError(f"{said} cannot be read as CSV, FITS or VOTable: {error}") from error


def from_text(text: str, origin: str) -> StarTable:
    """A table from text with a line of names: commas, tabs, semicolons, bars or blanks.

    Lines that begin with # are comments; the last one before the numbers may hold the names.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    body = [line for line in lines if not line.startswith("#")]
    if not body:
        raise CatalogueError(f"{origin} holds no table")
    delimiter = max(_DELIMITERS, key=body[0].count)
    rows = _cells(body, delimiter if delimiter in body[0] else "")
    above = lines.index(body[0])
    if above and any(map(_is_number, rows[0])):
        names = _cells([lines[above - 1].lstrip("# ")], delimiter if delimiter in body[0] else "")
        rows = names + rows if len(names[0]) == len(rows[0]) else rows
    named, body_rows = rows[0], [row for row in rows[1:] if len(row) == len(rows[0])]
    return StarTable(origin=origin, columns={
        name: [row[number] for row in body_rows] for number, name in enumerate(named) if name})


def _cells(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    """The cells of lines; without a delimiter blanks stand between them."""
    if not delimiter:
        return [line.split() for line in lines]
    return [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]


def _is_number(text: str) -> bool:
    return math.isfinite(_number(text))


def from_astropy(table: object, origin: str) -> StarTable:
    """From an astropy Table; masked values become None."""
    columns = {}
    for name in table.colnames:  # type: ignore[attr-defined]
        column = table[name]  # type: ignore[index]
        if getattr(column, "ndim", 1) == 1:
            values = column.tolist()
            columns[str(name)] = values
    return StarTable(origin=origin, columns=columns)


def _astropy(path: Path, form: str, origin: str) -> StarTable:
    from astropy.table import Table

    with warnings.catch_warnings():
        # Archives' VOTables and units often stray from the letter of their standards.
        warnings.simplefilter("ignore")
        table = Table.read(path, format=form)
    return from_astropy(table, origin)


def _placed(table: StarTable) -> StarTable:
    ra, dec = table.places()
    good = (ra >= 0) & (ra <= 360) & (np.abs(dec) <= 90)
    if not good.any():
        raise CatalogueError(f"{table.origin}: no row has a place in degrees, or as hours "
                             "and degrees such as 22:02:43.3, +42:16:40")
    return table.rows(good)


def _angle(text: str, *, hours: bool) -> float:
    try:
        return degrees_of(text, hours=hours)
    except ValueError:
        return float("nan")


def _number(value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return float("nan")
