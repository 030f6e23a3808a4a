"""Points that others measured, from the tables that surveys and papers give."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from iop4d.fields.star_list import Floats, StarTable, read_table
from iop4d.model.errors import CatalogueError
from iop4d.model.external import ExternalPoint, PointTable
from iop4d.model.source import canonical
from iop4d.model.units import MomentError, jd_of_text

_MJD_ZERO = 2400000.5
_JD = ("jd", "jd_mid", "jd_utc", "obsjd")
_MJD = ("mjd", "mjd_mid", "mjd_utc", "obsmjd")
_SUNS = ("hjd", "bjd", "bjd_tdb", "hjd_mid", "bjd_mid")
_TEXT = ("date", "date-obs", "date_obs", "obsdate", "utc", "ut date", "time")
_BAND = ("band", "filter", "filt", "f", "filtercode", "passband")
_MAG = ("mag", "magnitude", "m")
_MAG_ERR = ("mag_err", "magerr", "merr", "dm", "e_mag", "mag_error", "err", "error", "uncertainty")
_LIMIT = ("mag_limit", "limit", "limitmag", "mag5sig", "upper_limit")
_P = ("p_debiased", "p", "pol", "polarization", "polarisation", "pd")
_P_PERCENT = ("p_percent", "p[%]", "p(%)", "pd[%]", "pol_percent")
_P_ERR = ("p_err", "e_p", "sigma_p", "p_error", "pd_err", "pol_err")
_P_PERCENT_ERR = ("p_percent_err", "p_err_percent", "p_err[%]", "e_p[%]")
_CHI = ("chi_deg", "chi", "evpa", "pa", "theta", "pol_angle")
_CHI_ERR = ("chi_err_deg", "chi_err", "evpa_err", "e_evpa", "pa_err", "theta_err", "e_pa")
_FAINTEST = 40.0  # mag; 99.99 and the like stand for nothing
#: JD that a light curve may have: of 1890 to 2100.
_TIMES = (2411368.5, 2488069.5)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Whose points: names of the source. ``band``: of all rows; empty: the table says it.
    ``percent``: the columns ``p`` and ``p_err`` are percent."""

    names: Sequence[str]
    band: str = ""
    percent: bool = False


def read_points(path: Path, wanted: Wanted, *, origin: str = "") -> PointTable:
    """The points of a table: CSV, TSV, text with blanks, ECSV, FITS or VOTable.

    Raises CatalogueError where no row gives a point. Rows without a number are left out, and those
    of another source where a column ``source`` names them.
    """
    table = read_table(path, origin=origin)
    jd, times = _times(table)
    bands = [wanted.band] * len(table) if wanted.band else table.texts(*_BAND)
    magnitudes, limits = _magnitudes(table)
    p, p_err = _polarisation(table, percent=wanted.percent)
    columns = {"mag_err": _positive(table.numbers(*_MAG_ERR)), "p": p, "p_err": p_err,
               "chi_deg": table.numbers(*_CHI) % 180.0,
               "chi_err_deg": _positive(table.numbers(*_CHI_ERR))}
    sources = table.texts("source") if table.has("source") else None
    own = {canonical(name) for name in wanted.names}
    points, left_out = [], Counter[str]()
    for at in range(len(table)):
        values = {name: float(column[at]) for name, column in columns.items()}
        mag, limit = float(magnitudes[at]), float(limits[at])
        why = ("of another source" if sources and canonical(sources[at]) not in own else
               "no time" if not _TIMES[0] < jd[at] < _TIMES[1] else
               "no magnitude, limit or polarisation" if not any(
                   map(math.isfinite, (mag, limit, values["p"]))) else
               "no band" if not bands[at] else "")
        if why:
            left_out[why] += 1
            continue
        points.append(ExternalPoint(
            band=bands[at][:20], jd=float(jd[at]), mag=mag,
            mag_limit=math.nan if math.isfinite(mag) else limit, **values))
    if not points:
        raise CatalogueError(f"{table.origin}: no row gives a point: " + (", ".join(
            f"{count} rows {why}" for why, count in left_out.most_common()) or "it has no rows")
            + (". Give the band of all rows" if set(left_out) == {"no band"} else ""))
    return PointTable(points=sorted(points, key=lambda one: (one.jd, one.band)), times=times,
                      sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
                      left_out=dict(left_out))


def _times(table: StarTable) -> tuple[Floats, str]:
    """JD of all rows, and what the table calls them."""
    for names, zero, said in ((_JD, 0.0, "JD"), (_MJD, _MJD_ZERO, "MJD"),
                              (_SUNS, 0.0, "heliocentric or barycentric JD")):
        if table.has(*names):
            return table.numbers(*names) + zero, said
    if table.has(*_TEXT):
        return np.array([_moment(text) for text in table.texts(*_TEXT)]), "UTC"
    raise CatalogueError(f"{table.origin}: no column for the time; it may be called "
                         f"{', '.join((*_JD, *_MJD, *_SUNS, *_TEXT))}. There are "
                         f"{', '.join(table.columns)}")


def _magnitudes(table: StarTable) -> tuple[Floats, Floats]:
    """Magnitudes and limits; ``>16.5`` among the magnitudes is a limit."""
    mags, limits = table.numbers(*_MAG), table.numbers(*_LIMIT)
    said = np.array([_number_in(text) if text.startswith((">", "<")) else math.nan
                     for text in table.texts(*_MAG)])
    limits = np.where(np.isfinite(said), said, limits)
    return tuple(np.where((one > 0) & (one < _FAINTEST), one, math.nan)
                 for one in (mags, limits))  # type: ignore[return-value]


def _polarisation(table: StarTable, *, percent: bool) -> tuple[Floats, Floats]:
    """p and its error as fractions."""
    p, p_err = table.numbers(*_P), _positive(table.numbers(*_P_ERR))
    if table.has(*_P_PERCENT):
        errors = table.numbers(*_P_PERCENT_ERR) if table.has(*_P_PERCENT_ERR) else p_err
        return table.numbers(*_P_PERCENT) / 100.0, _positive(errors) / 100.0
    if percent:
        return p / 100.0, p_err / 100.0
    if (p > 1.0).any():
        raise CatalogueError(f"{table.origin}: degrees of polarisation above 1: they are percent, "
                             "which must be said")
    return p, p_err


def _positive(values: Floats) -> Floats:
    return np.where((values >= 0) & (values < 90.0), values, math.nan)


def _number_in(text: str) -> float:
    try:
        return float(text.lstrip("<> "))
    except ValueError:
        return math.nan


def _moment(text: str) -> float:
    try:
        return jd_of_text(text)
    except MomentError:
        return math.nan
