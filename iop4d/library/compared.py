"""What is stored beside what was computed by hand, as tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from astropy import units as u
from astropy.table import QTable, Table

from iop4d.ledger.compared import Compared
from iop4d.model.flags import names

_FLUX = u.adu / u.s
_NAN = math.nan


def comparison(stored: Mapping[tuple[str, str], Any], tried: Mapping[tuple[str, str], Any],
               ) -> QTable:
    """A row for each source and beam of either; see ``Reduction.compare``."""
    keys = sorted({*stored, *tried})
    table = QTable()
    table["source"] = [source for source, _ in keys]
    table["beam"] = [beam for _, beam in keys]
    before = np.array([_pair(stored.get(key)) for key in keys]).reshape(-1, 2)
    after = np.array([_pair(tried.get(key)) for key in keys]).reshape(-1, 2)
    table["stored"], table["stored_err"] = before[:, 0] * _FLUX, before[:, 1] * _FLUX
    table["tried"], table["tried_err"] = after[:, 0] * _FLUX, after[:, 1] * _FLUX
    difference = after[:, 0] - before[:, 0]
    table["difference"] = difference * _FLUX
    with np.errstate(divide="ignore", invalid="ignore"):
        table["sigmas"] = difference / before[:, 1]
        table["difference_mag"] = -2.5 * np.log10(after[:, 0] / before[:, 0]) * u.mag
    table["flags"] = [";".join(names(tried[key].flags)) if key in tried else "" for key in keys]
    return table


def _pair(one: Any) -> tuple[float, float]:
    if one is None:
        return _NAN, _NAN
    if hasattr(one, "flux_err") and not hasattr(one, "_listing"):
        return one.flux, one.flux_err
    return tuple(_NAN if one[name] is None else one[name]  # type: ignore[return-value]
                 for name in ("flux", "flux_err"))


def table_of(lines: list[Compared]) -> Table:
    """Lines of a comparison: NaN where there is no value."""
    table = Table()
    table["quantity"] = [line.label for line in lines]
    table["unit"] = [line.unit for line in lines]
    for name in ("kept", "stored", "tried"):
        pairs = [getattr(line, name) for line in lines]
        table[name] = _floats([value for value, _ in pairs])
        table[f"{name}_err"] = _floats([error for _, error in pairs])
    table["difference"] = _floats([line.difference for line in lines])
    table["sigmas"] = _floats([line.sigmas for line in lines])
    return table


def _floats(values: list[float | None]) -> Any:
    return np.array([_NAN if value is None else value for value in values], dtype=np.float64)
