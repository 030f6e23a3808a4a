"""The catalogue as a CSV table. Any wrong row: all of them are listed, nothing is imported."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from importlib import resources

from iop4d.model.errors import CatalogueError
from iop4d.model.source import Source, SourceKind, canonical
from iop4d.model.units import degrees_of

_ISP = ("q_isp", "q_isp_err", "u_isp", "u_isp_err")
_PLAIN = ("name", "other_names", "ra", "dec", "kind", "calibrates", "p", "p_err", "chi",
          "chi_err", "redshift", *_ISP, "aperture_arcsec", "note")
_REQUIRED = ("name", "ra", "dec", "kind")
_BAND = re.compile(r"^mag_(?!err$)([A-Za-z]+)(_err)?$")
_BY_BAND = re.compile(r"^(extinction_[A-Za-z]+|colour_[A-Za-z]+-[A-Za-z]+(_err)?)$")
_KINDS = {**{kind.value: kind for kind in SourceKind}, "blazar": SourceKind.TARGET}
_NAN = float("nan")
_Row = Mapping[str | None, str | list[str] | None]

_BRIGHTEST, _FAINTEST = -2.0, 30.0  # magnitudes: -9.99 and 99.99 stand for none in many tables
_MOST_POLARISED = 0.7  # no source of light in the sky is more
#: What the other columns may hold, both ends included.
_RANGES = {"p": (0.0, _MOST_POLARISED), "p_err": (0.0, _MOST_POLARISED), "chi": (-180.0, 360.0),
           "chi_err": (0.0, 90.0), "redshift": (-0.01, 20.0)}
_LARGEST_ERR = 1.0  # magnitudes, of a calibrator that is of any use
#: Magnitudes of the columns by band: more dust than this hides what it is before, and the reddest
#: stars have a V-K of about 9.
_RANGES_BY_BAND = {"extinction": (0.0, 10.0), "colour": (-3.0, 10.0)}

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
    sources, more = _link(sources, list(known))
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
             if name not in _PLAIN and name != "mag_err" and not _BAND.match(name)
             and not _BY_BAND.match(name)]
    missing = [name for name in _REQUIRED if name not in columns]
    if len(set(columns)) < len(columns):
        raise CatalogueError("line 1: a column occurs twice")
    if wrong or missing:
        raise CatalogueError(
            "line 1: " + "; ".join(
                ([f"unknown columns {', '.join(map(repr, wrong))}"] if wrong else [])
                + ([f"missing columns {', '.join(missing)}"] if missing else []))
            + f". The columns are {', '.join(_PLAIN)}, mag_<band>, mag_<band>_err, mag_err, "
            "extinction_<band>, colour_<band>-<band> and colour_<band>-<band>_err")


def _source(row: _Row) -> Source:
    if None in row:
        raise CatalogueError("the row has more fields than columns")
    cells = {str(name).strip(): str(value or "").strip() for name, value in row.items()}
    if not cells["name"]:
        raise CatalogueError("the name is missing")
    if cells["kind"].lower() not in _KINDS:
        raise CatalogueError(f"kind is '{cells['kind']}', expected {', '.join(_KINDS)}")
    ra = _angle(cells["ra"], "ra", hours=True)
    dec = _angle(cells["dec"], "dec", hours=False)
    if not 0 <= ra < 360:
        raise CatalogueError(f"ra is {cells['ra']}, expected 0 to 360 degrees")
    if not -90 <= dec <= 90:
        raise CatalogueError(f"dec is {cells['dec']}, expected -90 to 90 degrees")
    for column, (low, high) in {**_RANGES, **_ranges_by_band(cells)}.items():
        value = _number(cells, column)
        if value < low or value > high:
            hint = ", a fraction: 5.21 % is 0.0521" if column in ("p", "p_err") else ""
            raise CatalogueError(f"{column} is {value:g}, expected {low:g} to {high:g}{hint}")
    return Source(
        name=cells["name"], other_names=_list(cells.get("other_names", "")), ra_deg=ra,
        dec_deg=dec, kind=_KINDS[cells["kind"].lower()],
        calibrates=_list(cells.get("calibrates", "")), magnitudes=_magnitudes(cells),
        p=_number(cells, "p"), p_err=_number(cells, "p_err"), chi_deg=_number(cells, "chi"),
        chi_err_deg=_number(cells, "chi_err"), redshift=_number(cells, "redshift"),
        aperture_arcsec=_aperture(cells),
        extinction={column.removeprefix("extinction_"): _number(cells, column)
                    for column in cells if column.startswith("extinction_") and cells[column]},
        colours={column.removeprefix("colour_"): (_number(cells, column),
                                                  _number(cells, f"{column}_err"))
                 for column in cells if column.startswith("colour_")
                 and not column.endswith("_err") and cells[column]},
        interstellar=_interstellar(cells), note=cells.get("note", ""))


def _ranges_by_band(cells: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    return {column: (0.0, _LARGEST_ERR) if column.endswith("_err") else
            _RANGES_BY_BAND[column.partition("_")[0]] for column in cells
            if _BY_BAND.match(column)}


def _magnitudes(cells: dict[str, str]) -> dict[str, tuple[float, float]]:
    common = _number(cells, "mag_err")
    found = {}
    for column, cell in cells.items():
        match = _BAND.match(column)
        if not match or match.group(2) or not cell:
            continue
        band = match.group(1)
        own = _number(cells, f"mag_{band}_err")
        err = own if math.isfinite(own) else common
        if err < 0 or err > _LARGEST_ERR:
            raise CatalogueError(f"the error of mag_{band} is {err:g}, expected 0 to "
                                 f"{_LARGEST_ERR:g}")
        mag = _number(cells, column)
        if not _BRIGHTEST <= mag <= _FAINTEST or mag == 0:
            raise CatalogueError(f"{column} is {mag:g}, which is no magnitude of a star; leave the "
                                 "cell empty where there is none")
        found[band] = (mag, err)
    return found


def _aperture(cells: Mapping[str, str]) -> float:
    radius = _number(cells, "aperture_arcsec")
    if radius <= 0 or radius > 60:
        raise CatalogueError(f"aperture_arcsec is {radius:g}, expected a radius up to 60 arcsec")
    return radius


def _interstellar(cells: Mapping[str, str]) -> tuple[float, float, float, float] | None:
    q, q_err, u, u_err = (_number(cells, column) for column in _ISP)
    if not any(cells.get(column) for column in _ISP):
        return None
    if not all(map(math.isfinite, (q, q_err, u, u_err))):
        raise CatalogueError(f"expected all of {', '.join(_ISP)}, or none of them")
    if abs(q) > 0.2 or abs(u) > 0.2 or not 0 <= q_err <= 0.2 or not 0 <= u_err <= 0.2:
        raise CatalogueError("q_isp and u_isp are fractions, which no dust brings above 0.2: "
                             "1 % is 0.01")
    return q, q_err, u, u_err


def _list(cell: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in cell.split(";") if part.strip())


def _number(cells: Mapping[str, str], column: str) -> float:
    value = cells.get(column, "")
    if not value:
        return _NAN
    try:
        parsed = float(value)
    except ValueError:
        parsed = _NAN
    if not math.isfinite(parsed):
        raise CatalogueError(f"{column} is '{value}', expected a number")
    return parsed


def _angle(value: str, column: str, *, hours: bool) -> float:
    """Degrees from decimal degrees or sexagesimal text (hours for right ascension)."""
    try:
        return degrees_of(value, hours=hours)
    except ValueError:
        raise CatalogueError(f"{column} is '{value}', expected degrees or sexagesimal") from None


def _link(sources: list[Source], known: list[Source]) -> tuple[list[Source], list[str]]:
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
    columns = [*_PLAIN[:6], *(c for band in bands for c in (f"mag_{band}", f"mag_{band}_err")),
               *(f"extinction_{band}" for band in dust),
               *(c for name in pairs for c in (f"colour_{name}", f"colour_{name}_err")),
               *_PLAIN[6:]]
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, lineterminator="\n")
    writer.writeheader()
    for source in sources:
        writer.writerow(_cells(source))
    return out.getvalue()


def _cells(source: Source) -> dict[str, str]:
    cells = {
        "name": source.name, "other_names": ";".join(source.other_names),
        "ra": f"{source.ra_deg:.7f}", "dec": f"{source.dec_deg:.7f}", "kind": source.kind.value,
        "calibrates": ";".join(source.calibrates), "p": _text(source.p),
        "p_err": _text(source.p_err), "chi": _text(source.chi_deg),
        "chi_err": _text(source.chi_err_deg), "redshift": _text(source.redshift),
        "aperture_arcsec": _text(source.aperture_arcsec), "note": source.note,
    }
    for band, (mag, err) in source.magnitudes.items():
        cells[f"mag_{band}"] = _text(mag)
        cells[f"mag_{band}_err"] = _text(err)
    cells |= {f"extinction_{band}": _text(mag) for band, mag in source.extinction.items()}
    for name, (value, err) in source.colours.items():
        cells |= {f"colour_{name}": _text(value), f"colour_{name}_err": _text(err)}
    if source.interstellar:
        cells |= dict(zip(_ISP, map(_text, source.interstellar), strict=True))
    return cells


def _text(value: float) -> str:
    return f"{value:.10g}" if math.isfinite(value) else ""
