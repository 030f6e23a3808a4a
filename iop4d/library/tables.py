"""Rows as tables: of astropy with units and descriptions, of pandas, and as time series."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy import units as u
from astropy.table import Column as PlainColumn
from astropy.table import MaskedColumn, QTable
from astropy.time import Time
from numpy.typing import NDArray

from iop4d import __version__
from iop4d.export.content import BIBCODE, Content, text_of
from iop4d.library.errors import NotInstalledError
from iop4d.library.reader import Row
from iop4d.model.units import utc_of_unix
from iop4d.store.tables import Column, Kind

if TYPE_CHECKING:
    from astropy.timeseries import TimeSeries

_FLOATS = (Kind.NUMBER, Kind.DAY, Kind.MOMENT)
#: Columns of time: the scale of their Julian dates.
SCALES = {"jd_mid": "utc", "bjd_tdb": "tdb"}


def table_of(name: str, about: str, columns: tuple[Column, ...],
             parts: Iterable[list[Row]]) -> QTable:
    """A QTable of all rows. Numbers are float64, NaN for none; whole numbers int64, masked for
    none; flags and lists are texts joined by ``;``, as ``iop4d results`` writes them."""
    kept: dict[str, list[Any]] = {column.name: [] for column in columns}
    for rows in parts:
        for column in columns:
            values = kept[column.name]
            values.extend(row[column.name] for row in rows)
    table = QTable(meta=_meta(name, about))
    for column in columns:
        table[column.name] = array_of(column, kept.pop(column.name))
        info = table[column.name].info
        info.description = column.says
        if column.digits is not None and column.is_number:
            info.format = f".{column.digits}f"
        if column.ucd:
            info.meta = {"ucd": column.ucd}
    return table


def array_of(column: Column, values: list[Any]) -> Any:
    """The values of a column as a Quantity, or as a column of a table where it has no unit."""
    if column.kind in _FLOATS:
        numbers = np.array([math.nan if value is None else value for value in values],
                           dtype=np.float64)
        return numbers * u.Unit(column.unit) if column.unit else PlainColumn(numbers)
    if column.kind in (Kind.WHOLE, Kind.YES_NO):
        dtype = np.int64 if column.kind is Kind.WHOLE else np.bool_
        missing = [value is None for value in values]
        plain: NDArray[Any] = np.array([value or 0 for value in values], dtype=dtype)
        return MaskedColumn(plain, mask=missing) if any(missing) else PlainColumn(plain)
    return PlainColumn(np.array([text_of(column, value) for value in values], dtype=np.str_))


def _meta(name: str, about: str) -> dict[str, Any]:
    content = Content(name=name, columns=(), about=about, made=utc_of_unix(time.time()))
    # Lists are joined by astropy's vstack; texts that differ would be a warning each time.
    return {"name": name, "about": [about], "made": [content.made],
            "software": f"iop4d {__version__}", "citation": content.citation, "bibcode": BIBCODE}


def pandas_of(columns: tuple[Column, ...], parts: Iterable[list[Row]]) -> Any:
    """A DataFrame of all rows; its ``attrs["units"]`` names the units of its columns."""
    try:
        import pandas as pd
    except ImportError:
        raise not_installed("pandas", "pandas") from None
    kept = [[row[column.name] for column in columns] for rows in parts for row in rows]
    frame = pd.DataFrame(kept, columns=[column.name for column in columns])
    for column in columns:
        if column.kind in _FLOATS:
            frame[column.name] = frame[column.name].astype("float64")
        elif column.kind is Kind.WHOLE:
            frame[column.name] = frame[column.name].astype("Int64")
        elif column.kind is Kind.YES_NO:
            # Also of no rows: what is of no type selects columns, not rows.
            frame[column.name] = frame[column.name].astype(
                "boolean" if frame[column.name].isna().any() else "bool")
        elif column.kind in (Kind.FLAGS, Kind.LIST):
            frame[column.name] = [text_of(column, value) for value in frame[column.name]]
    frame.attrs["units"] = {column.name: column.unit for column in columns if column.unit}
    return frame


def series_of(table: QTable, by: str) -> TimeSeries:
    """A TimeSeries of a table's rows in order of one of its times; rows without it are left out."""
    from astropy.timeseries import TimeSeries

    days = table[by].to_value(u.d)
    order = np.argsort(days, kind="stable")
    order = order[np.isfinite(days[order])]
    rest = table[order]
    rest.remove_column(by)
    whole = np.floor(days[order])
    return TimeSeries(data=rest, time=Time(whole, days[order] - whole, format="jd",
                                           scale=SCALES[by]))


def light_curve_of(series: TimeSeries) -> Any:
    """A lightkurve LightCurve of the fluxes of a series, in mJy."""
    try:
        from lightkurve import LightCurve
    except ImportError:
        raise not_installed("lightkurve", "lightkurve") from None
    # A copy: the time of a series carries the series' index, with which bin() fails.
    meta = dict(series.meta)
    if len(series):
        meta["LABEL"] = f"{series['source'][0]} {series['band'][0]}"  # in lightkurve's figures
    return LightCurve(time=series.time.copy(), flux=series["flux_mjy"],
                      flux_err=series["flux_mjy_err"], meta=meta)


def not_installed(package: str, extra: str) -> NotInstalledError:
    """The error for a package that is not installed."""
    return NotInstalledError(f"this needs the package {package}, which is not installed: "
                             f"pip install {extra}")
