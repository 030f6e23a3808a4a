"""Plain values of columns as astropy's: quantities, times, flags."""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy import units as u
from astropy.time import Time

from iop4d.store.tables import Column, Kind


def value_of(column: Column, value: Any) -> Any:
    """A value of a row as people use it.

    Numbers are floats, or quantities where the column has a unit, NaN for none; moments a Time
    (UTC) or None; flags a tuple of names; lists of numbers with a unit an array.
    """
    match column.kind:
        case Kind.NUMBER | Kind.DAY:
            number = float("nan") if value is None else float(value)
            return number * u.Unit(column.unit) if column.unit else number
        case Kind.MOMENT:
            return None if value is None else time_of_unix(value)
        case Kind.FLAGS:
            return tuple(value or ())
        case Kind.LIST:
            if column.unit and isinstance(value, list):
                return np.array(value, dtype=np.float64) * u.Unit(column.unit)
            return tuple(value) if isinstance(value, list) else value
        case _:
            return value


def time_of_jd(jd: float | None, scale: str = "utc") -> Time | None:
    """A Julian date as a Time, without losing what a double holds; None for none."""
    if jd is None or not np.isfinite(jd):
        return None
    day = np.floor(jd)
    return Time(day, jd - day, format="jd", scale=scale)


def time_of_unix(at: float) -> Time:
    """Unix seconds as a Time, UTC."""
    return Time(at, format="unix", scale="utc")


def quantity(value: float | None, unit: str) -> u.Quantity:
    """A number with its unit; NaN for None."""
    return (float("nan") if value is None else float(value)) * u.Unit(unit)
