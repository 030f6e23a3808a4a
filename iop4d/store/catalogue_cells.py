"""A source as cells of text, as a table and a form have it, and back: every wrong cell is named."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from iop4d.model.errors import CatalogueError
from iop4d.model.source import Source, SourceKind
from iop4d.model.units import degrees_of

T = TypeVar("T")

ISP = ("q_isp", "q_isp_err", "u_isp", "u_isp_err")
#: The columns that stand once; those by band come beside them.
PLAIN = ("name", "other_names", "ra", "dec", "kind", "calibrates", "p", "p_err", "chi", "chi_err",
         "redshift", *ISP, "aperture_arcsec", "tags", "note")
OF_A_MAGNITUDE = re.compile(r"^mag_(?!err$)([A-Za-z]+)(_err)?$")
BY_BAND = re.compile(r"^(extinction_[A-Za-z]+|colour_[A-Za-z]+-[A-Za-z]+(_err)?)$")
_KINDS = {**{kind.value: kind for kind in SourceKind}, "blazar": SourceKind.TARGET}
_NAN = float("nan")

_BRIGHTEST, _FAINTEST = -2.0, 30.0  # magnitudes: -9.99 and 99.99 stand for none in many tables
_MOST_POLARISED = 0.7  # no source of light in the sky is more
#: What the other columns may hold, both ends included.
_RANGES = {"p": (0.0, _MOST_POLARISED), "p_err": (0.0, _MOST_POLARISED), "chi": (-180.0, 360.0),
           "chi_err": (0.0, 90.0), "redshift": (-0.01, 20.0)}
_LARGEST_ERR = 1.0  # magnitudes, of a calibrator that is of any use
#: Magnitudes of the columns by band: more dust than this hides what it is before, and the reddest
#: stars have a V-K of about 9.
_RANGES_BY_BAND = {"extinction": (0.0, 10.0), "colour": (-3.0, 10.0)}
_LARGEST_APERTURE = 60.0  # arcsec
_MOST_DUST = 0.2  # of q and u, a fraction


class WrongCellsError(CatalogueError):
    """Cells that hold what cannot be; ``by_column``: what is wrong with each."""

    def __init__(self, by_column: Mapping[str, str]) -> None:
        super().__init__("; ".join(dict.fromkeys(by_column.values())))
        self.by_column = dict(by_column)


def source_of(cells: Mapping[str, str]) -> Source:
    """The source of a row's cells, by column; raises WrongCellsError with all that is wrong."""
    read = _Reader(cells)
    for column, (low, high) in {**_RANGES, **_ranges_by_band(cells)}.items():
        read.at(column, lambda column=column, low=low, high=high: _within(  # type: ignore[misc]
            cells, column, low, high))
    source = Source(
        name=read.at("name", lambda: _name(cells)) or "",
        other_names=list_of(cells.get("other_names", "")),
        ra_deg=read.number("ra", lambda: _ra(cells)),
        dec_deg=read.number("dec", lambda: _dec(cells)),
        kind=read.at("kind", lambda: _kind(cells)) or SourceKind.TARGET,
        calibrates=list_of(cells.get("calibrates", "")), magnitudes=_magnitudes(cells, read),
        p=read.plain("p"), p_err=read.plain("p_err"), chi_deg=read.plain("chi"),
        chi_err_deg=read.plain("chi_err"), redshift=read.plain("redshift"),
        aperture_arcsec=read.number("aperture_arcsec", lambda: _aperture(cells)),
        extinction={column.removeprefix("extinction_"): read.plain(column)
                    for column in cells if column.startswith("extinction_") and cells[column]},
        colours={column.removeprefix("colour_"): (read.plain(column), read.plain(f"{column}_err"))
                 for column in cells if column.startswith("colour_")
                 and not column.endswith("_err") and cells[column]},
        interstellar=read.at("q_isp", lambda: _interstellar(cells)),
        tags=list_of(cells.get("tags", "")), note=cells.get("note", ""))
    if read.wrong:
        raise WrongCellsError(read.wrong)
    return source


class _Reader:
    """Reads cells, and keeps what is wrong with them by column."""

    def __init__(self, cells: Mapping[str, str]) -> None:
        self._cells = cells
        self.wrong: dict[str, str] = {}

    def at(self, column: str, read: Callable[[], T]) -> T | None:
        """What a function reads; None where that is wrong, which is kept."""
        try:
            return read()
        except CatalogueError as error:
            self.wrong.setdefault(column, str(error))
            return None

    def number(self, column: str, read: Callable[[], float]) -> float:
        """The same of a number: NaN where it is wrong."""
        found = self.at(column, read)
        return _NAN if found is None else found

    def plain(self, column: str) -> float:
        """A cell's number, NaN of an empty one."""
        return self.number(column, lambda: _number(self._cells, column))


def _name(cells: Mapping[str, str]) -> str:
    if not cells.get("name"):
        raise CatalogueError("the name is missing")
    return cells["name"]


def _kind(cells: Mapping[str, str]) -> SourceKind:
    said = cells.get("kind", "")
    if said.lower() not in _KINDS:
        raise CatalogueError(f"kind is '{said}', expected {', '.join(_KINDS)}")
    return _KINDS[said.lower()]


def _ra(cells: Mapping[str, str]) -> float:
    ra = _angle(cells.get("ra", ""), "ra", hours=True)
    if not 0 <= ra < 360:
        raise CatalogueError(f"ra is {cells['ra']}, expected 0 to 24 hours, or 0 to 360 degrees")
    return ra


def _dec(cells: Mapping[str, str]) -> float:
    dec = _angle(cells.get("dec", ""), "dec", hours=False)
    if not -90 <= dec <= 90:
        raise CatalogueError(f"dec is {cells['dec']}, expected -90 to 90 degrees")
    return dec


def _within(cells: Mapping[str, str], column: str, low: float, high: float) -> None:
    value = _number(cells, column)
    if value < low or value > high:
        hint = ", a fraction: 5.21 % is 0.0521" if column in ("p", "p_err") else ""
        raise CatalogueError(f"{column} is {value:g}, expected {low:g} to {high:g}{hint}")


def _ranges_by_band(cells: Mapping[str, str]) -> dict[str, tuple[float, float]]:
    return {column: (0.0, _LARGEST_ERR) if column.endswith("_err") else
            _RANGES_BY_BAND[column.partition("_")[0]] for column in cells
            if BY_BAND.match(column)}


def _magnitudes(cells: Mapping[str, str], read: _Reader) -> dict[str, tuple[float, float]]:
    found = {}
    for column, cell in cells.items():
        match = OF_A_MAGNITUDE.match(column)
        if not match or match.group(2) or not cell:
            continue
        band = match.group(1)
        mag = read.number(column, lambda column=column: _magnitude(  # type: ignore[misc]
            cells, column))
        err = read.number(f"{column}_err", lambda band=band: _magnitude_err(  # type: ignore[misc]
            cells, band))
        found[band] = (mag, err)
    return found


def _magnitude(cells: Mapping[str, str], column: str) -> float:
    mag = _number(cells, column)
    if not _BRIGHTEST <= mag <= _FAINTEST or mag == 0:
        raise CatalogueError(f"{column} is {mag:g}, which is no magnitude of a star; leave the "
                             "cell empty where there is none")
    return mag


def _magnitude_err(cells: Mapping[str, str], band: str) -> float:
    own = _number(cells, f"mag_{band}_err")
    err = own if math.isfinite(own) else _number(cells, "mag_err")
    if err < 0 or err > _LARGEST_ERR:
        raise CatalogueError(f"the error of mag_{band} is {err:g}, expected 0 to {_LARGEST_ERR:g}")
    return err


def _aperture(cells: Mapping[str, str]) -> float:
    radius = _number(cells, "aperture_arcsec")
    if radius <= 0 or radius > _LARGEST_APERTURE:
        raise CatalogueError(f"aperture_arcsec is {radius:g}, expected a radius up to "
                             f"{_LARGEST_APERTURE:.0f} arcsec")
    return radius


def _interstellar(cells: Mapping[str, str]) -> tuple[float, float, float, float] | None:
    q, q_err, u, u_err = (_number(cells, column) for column in ISP)
    if not any(cells.get(column) for column in ISP):
        return None
    if not all(map(math.isfinite, (q, q_err, u, u_err))):
        raise CatalogueError(f"expected all of {', '.join(ISP)}, or none of them")
    if (abs(q) > _MOST_DUST or abs(u) > _MOST_DUST or not 0 <= q_err <= _MOST_DUST
            or not 0 <= u_err <= _MOST_DUST):
        raise CatalogueError("q_isp and u_isp are fractions, which no dust brings above "
                             f"{_MOST_DUST:g}: 1 % is 0.01")
    return q, q_err, u, u_err


def list_of(cell: str) -> tuple[str, ...]:
    """The parts of a cell that are separated by semicolons."""
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
    if not value.strip():
        raise CatalogueError(f"{column} is missing, expected degrees or sexagesimal")
    try:
        return degrees_of(value, hours=hours)
    except ValueError:
        raise CatalogueError(f"{column} is '{value}', expected degrees or sexagesimal") from None


def cells_of(source: Source) -> dict[str, str]:
    """A source's cells, which ``source_of`` reads back; also those that are empty."""
    cells = {
        "name": source.name, "other_names": ";".join(source.other_names),
        "ra": f"{source.ra_deg:.7f}", "dec": f"{source.dec_deg:.7f}", "kind": source.kind.value,
        "calibrates": ";".join(source.calibrates), "p": _text(source.p),
        "p_err": _text(source.p_err), "chi": _text(source.chi_deg),
        "chi_err": _text(source.chi_err_deg), "redshift": _text(source.redshift),
        "aperture_arcsec": _text(source.aperture_arcsec), "tags": ";".join(source.tags),
        "note": source.note,
    }
    for band, (mag, err) in source.magnitudes.items():
        cells[f"mag_{band}"] = _text(mag)
        cells[f"mag_{band}_err"] = _text(err)
    cells |= {f"extinction_{band}": _text(mag) for band, mag in source.extinction.items()}
    for name, (value, err) in source.colours.items():
        cells |= {f"colour_{name}": _text(value), f"colour_{name}_err": _text(err)}
    if source.interstellar:
        cells |= dict(zip(ISP, map(_text, source.interstellar), strict=True))
    return cells


def _text(value: float) -> str:
    return f"{value:.10g}" if math.isfinite(value) else ""
