"""Errors put together: what a value has of its own, and what it shares with others.

Columns ``*_err`` are random. A value by itself (against a threshold, in a message, against the
literature) has the random and the common error; a difference of two has of the common errors only
what the two do not share. Unknown parts are None or NaN and count as nothing: results of older
versions hold the total in ``mag_err`` and know no common part, until they are recomputed.
"""

from __future__ import annotations

import math
from typing import Any


def total(own: float | None, *common: float | None) -> float | None:
    """The quadratic sum of a random error and of common ones; None or NaN where ``own`` is."""
    if own is None or math.isnan(own):
        return own
    return math.hypot(own, *(part for part in common if part is not None and math.isfinite(part)))


def between(one: float | None, other: float | None, *, shared: bool) -> float:
    """What two common errors leave in the difference of two values; never NaN.

    ``shared``: both are of one telescope and instrument. The same calibrators then make the same
    error, which leaves nothing; and where one value rests on some of the other's calibrators alone,
    the difference of two optimal means has the difference of their variances. Otherwise the same
    catalogue was seen by two cameras, and the larger of the two counts once.
    """
    a, b = (0.0 if part is None or not math.isfinite(part) else part for part in (one, other))
    return math.sqrt(abs(a * a - b * b)) if shared else max(a, b)


def mag_total(row: Any) -> float | None:
    """Error of a magnitude by itself. ``row``: a result, as it is stored or as a value."""
    return total(row.mag_err, row.mag_err_common)


def nucleus_total(row: Any) -> float | None:
    """Error of the magnitude without the host: with those of the calibrators and of the host.

    Without the host's light an error of the flux weighs more, by the ratio of the two fluxes.
    """
    if row.mag_nucleus is None or row.mag is None:
        return None
    ratio = 10.0 ** (0.4 * (row.mag_nucleus - row.mag))  # of the flux with the host to that without
    host = None
    if row.host_mjy and row.host_mjy_err is not None:
        host = 2.5 / math.log(10.0) * row.host_mjy_err / row.host_mjy * (ratio - 1.0)
    common = row.mag_err_common
    return total(row.mag_nucleus_err, None if common is None else common * ratio, host)


def p_total(row: Any) -> float | None:
    """Error of p by itself: with that of the instrument's polarisation, along the polarisation."""
    parts = _instrumental(row)
    return total(row.p_err, *(parts[:1] if parts else ()))


def chi_total(row: Any) -> float | None:
    """Error of chi by itself, degrees: with those of the zero angle and of the instrument."""
    parts = _instrumental(row)
    turned = () if parts is None or not row.p else (
        math.degrees(parts[1] / row.p) / 2.0,)
    return total(row.chi_err_deg, row.chi_err_common, *turned)


def _instrumental(row: Any) -> tuple[float, float] | None:
    """The instrument's part of the error along and across the polarisation; None if unknown."""
    values = (row.q, row.u, row.q0_err, row.u0_err)
    if any(value is None or math.isnan(value) for value in values):
        return None
    q, u, q0_err, u0_err = values
    p = math.hypot(q, u)
    if p == 0.0:
        mean = math.sqrt((q0_err**2 + u0_err**2) / 2.0)
        return mean, mean
    return (math.hypot(q * q0_err, u * u0_err) / p, math.hypot(u * q0_err, q * u0_err) / p)
