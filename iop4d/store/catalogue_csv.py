"""The catalogue as a CSV table. Any wrong row: all of them are listed, nothing is imported."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import resources

from iop4d.model.errors import CatalogueError
from iop4d.model.source import Source, canonical
from iop4d.store.catalogue_cells import (
    BY_BAND,
    OF_A_MAGNITUDE,
    PLAIN,
    cells_of,
    source_of,
)

_REQUIRED = ("name", "ra", "dec", "kind")
_Row = Mapping[str | None, str | list[str] | None]

#: Tables that ship with the program, by the name after ``builtin:``.
BUILTIN = {"blazars": "blazars.csv", "standards": "standards.csv"}


def builtin(name: str) -> str:
    """The text of a table that ships with the program."""
    if name not in BUILTIN:
        raise CatalogueError(f"no built-in catalogue '{name}'; there is {', '.join(BUILTIN)}")
    return (resources.files("iop4d.store") / "data" / BUILTIN[name]).read_text(encoding="utf-8")


def parse(text: str, known: Iterable[Source] = ()) -> list[Source]:
    """The sources of a CSV text. ``known``: sources that ``calibrates`` may name besides its own.

    Raises CatalogueError that lists every wrong row by its line. Columns may be parted by
    semicolons, with decimal commas, or by tabs, as spreadsheets write them.
    """
    text = text.lstrip("\ufeff")
    first = text.lstrip().partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=None), skipinitialspace=True,
                            delimiter=delimiter)
    sources: list[Source] = []
    errors: list[str] = []
    try:
        _check_header(reader.fieldnames)
        rows = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise CatalogueError(f"line {reader.line_num + 1}: this is no CSV: {error}") from None
    for line, row in rows:
        if not any(str(value or "").strip() for value in row.values()):
            continue
        try:
            sources.append(_source(row if delimiter == "," else _with_points(row)))
        except CatalogueError as error:
            errors.append(f"line {line}, {row.get('name') or 'no name'}: {error}")
    sources, more = linked(sources, list(known))
    if errors := errors + more:
        raise CatalogueError("nothing was imported:\n  " + "\n  ".join(errors))
    return sources


def decoded(content: bytes) -> str:
    """The text of a table in UTF-8, UTF-16 with its mark, or the Latin letters of Windows."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _with_points(row: _Row) -> _Row:
    """A row whose numbers have decimal points where they have commas."""
    return {name: re.sub(r"^([+-]?\d+),(\d+)$", r"\1.\2", cell.strip())
            if isinstance(cell, str) else cell for name, cell in row.items()}


def _check_header(names: Iterable[str] | None) -> None:
    columns = [name.strip() for name in names or ()]
    wrong = [name for name in columns
             if name not in PLAIN and name != "mag_err" and not OF_A_MAGNITUDE.match(name)
             and not BY_BAND.match(name)]
    missing = [name for name in _REQUIRED if name not in columns]
    if len(set(columns)) < len(columns):
        raise CatalogueError("line 1: a column occurs twice")
    if wrong or missing:
        raise CatalogueError(
            "line 1: " + "; ".join(
                ([f"unknown columns {', '.join(map(repr, wrong))}"] if wrong else [])
                + ([f"missing columns {', '.join(missing)}"] if missing else []))
            + f". The columns are {', '.join(PLAIN)}, mag_<band>, mag_<band>_err, mag_err, "
            "extinction_<band>, colour_<band>-<band> and colour_<band>-<band>_err")


def _source(row: _Row) -> Source:
    if None in row:
        raise CatalogueError("the row has more fields than columns")
    return source_of({str(name).strip(): str(value or "").strip() for name, value in row.items()})


def linked(sources: list[Source], known: list[Source]) -> tuple[list[Source], list[str]]:
    """Turn each name in ``calibrates`` into the target's own name; list those without a target."""
    owners: dict[str, str] = {}
    errors = []
    for source in [*known, *sources]:
        for name in (source.name, *source.other_names):
            owners.setdefault(canonical(name), source.name)
    seen: set[str] = set()
    linked = []
    for source in sources:
        if canonical(source.name) in seen:
            errors.append(f"{source.name}: occurs twice in the table")
        seen.add(canonical(source.name))
        missing = [name for name in source.calibrates if canonical(name) not in owners]
        if missing:
            errors.append(f"{source.name}: calibrates {', '.join(missing)}, which is neither in "
                          "the table nor in the catalogue")
        targets = tuple(owners.get(canonical(name), name) for name in source.calibrates)
        linked.append(replace(source, calibrates=targets))
    return linked, errors


def write(sources: Iterable[Source]) -> str:
    """The sources as a CSV text that ``parse`` reads back unchanged."""
    sources = list(sources)
    bands = sorted({band for source in sources for band in source.magnitudes})
    dust = sorted({band for source in sources for band in source.extinction})
    pairs = sorted({name for source in sources for name in source.colours})
    columns = [*PLAIN[:6], *(c for band in bands for c in (f"mag_{band}", f"mag_{band}_err")),
               *(f"extinction_{band}" for band in dust),
               *(c for name in pairs for c in (f"colour_{name}", f"colour_{name}_err")),
               *PLAIN[6:]]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    for source in sources:
        writer.writerow(cells_of(source))
    return out.getvalue()
