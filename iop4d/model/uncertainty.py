"""Errors put together: what a value has of its own, and what it shares with others.

Columns ``*_err`` are random. A value by itself (against a threshold, in a message, against the
literature) has the random and the common error; a difference of two has of the common errors only
what the two do not share. Unknown parts are None or NaN and count as nothing: results of older
versions hold the total in ``mag_err`` and know no common part, until they are recomputed.
"""

from __future__ import annotations

import math
from typing import Any

from iop4d.model.units import MAG_PER_RELATIVE_FLUX, NOTHING, plus_minus, plus_minus_chi


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
    a, b = _known(one), _known(other)
    return math.sqrt(abs(a * a - b * b)) if shared else max(a, b)


def mag_common(row: Any) -> float:
    """Common error of a magnitude, 0 if unknown. ``row``: a result, as it is stored or a value."""
    return _known(row.mag_err_common)


def nucleus_common(row: Any) -> float:
    """Common error of the magnitude without the host, of the calibrators; of the whole without one.

    Without the host's light an error of the flux weighs more, by the ratio of the two fluxes.
    """
    return _known(row.mag_err_common) * _of_host(row)


def nucleus_host(row: Any) -> float:
    """Error of the magnitude without the host by the host's flux, which is the same in all points.
    """
    return MAG_PER_RELATIVE_FLUX * _by_host(row)


def p_common(row: Any) -> float:
    """Common error of p: of the instrument's polarisation, along the polarisation."""
    return _instrumental(row)[0]


def p_nucleus_common(row: Any) -> float:
    """The same of p without the host, which is larger by the ratio of the fluxes."""
    return p_common(row) * _of_host(row)


def p_nucleus_host(row: Any) -> float:
    """Error of p without the host by the host's flux."""
    return _known(row.p_nucleus) * _by_host(row)


def chi_common(row: Any) -> float:
    """Common error of chi, degrees: of the zero angle, and of the instrument across chi."""
    turned = math.degrees(_instrumental(row)[1] / row.p) / 2.0 if row.p else 0.0
    return math.hypot(_known(row.chi_err_common), turned)


def mag_total(row: Any) -> float | None:
    """Error of a magnitude by itself."""
    return total(row.mag_err, mag_common(row))


def mag_text(row: Any, digits: int = 3) -> str:
    """A result's magnitude with its error by itself, or its limit: ``> 19.2``."""
    limit = getattr(row, "mag_limit", None)
    if row.mag is None and limit is not None and math.isfinite(limit):
        return f"> {limit:.1f}"
    return plus_minus(row.mag, mag_total(row), digits)


def p_shown(row: Any) -> float | None:
    """Degree of polarisation without the bias of noise; as measured where nothing better is known.

    Results of versions that knew no bias have the measured one alone.
    """
    shown: float | None = row.p if row.p_debiased is None else row.p_debiased
    return shown


def p_text(row: Any, digits: int = 2) -> str:
    """A result's polarisation in percent with its error by itself, or its limit: ``< 17.0``."""
    if row.p_limit is not None and math.isfinite(row.p_limit):
        return f"< {100 * row.p_limit:.1f}"
    p, err = p_shown(row), p_total(row)
    return plus_minus(None if p is None else 100 * p, None if err is None else 100 * err,
                      digits)


def chi_text(row: Any, digits: int = 1) -> str:
    """A result's angle in degrees with its error by itself; nothing where p is a limit."""
    if row.p_limit is not None and math.isfinite(row.p_limit):
        return NOTHING
    return plus_minus_chi(row.chi_deg, chi_total(row), digits)


def nucleus_total(row: Any) -> float | None:
    """Error of the magnitude without the host, by itself."""
    return total(row.mag_nucleus_err, nucleus_common(row), nucleus_host(row))


def p_total(row: Any) -> float | None:
    """Error of p by itself."""
    return total(row.p_err, p_common(row))


def chi_total(row: Any) -> float | None:
    """Error of chi by itself, degrees."""
    return total(row.chi_err_deg, chi_common(row))


def _known(error: float | None) -> float:
    return error if error is not None and math.isfinite(error) else 0.0


def _of_host(row: Any) -> float:
    """The flux with the host over that without it; 1 where it is not known."""
    if row.mag is None or row.mag_nucleus is None:
        return 1.0
    ratio = 10.0 ** (0.4 * (row.mag_nucleus - row.mag))
    return ratio if math.isfinite(ratio) else 1.0


def _by_host(row: Any) -> float:
    """Relative error of what is left of the flux, by that of the host's."""
    if not row.host_mjy:
        return 0.0
    part: float = _known(row.host_mjy_err) / row.host_mjy
    return part * (_of_host(row) - 1.0)


def _instrumental(row: Any) -> tuple[float, float]:
    """The instrument's part of the error along and across the polarisation; 0 if unknown."""
    q0_err, u0_err = _known(row.q0_err), _known(row.u0_err)
    p = math.hypot(_known(row.q), _known(row.u))
    if p == 0.0:
        mean = math.sqrt((q0_err**2 + u0_err**2) / 2.0)
        return mean, mean
    return (math.hypot(row.q * q0_err, row.u * u0_err) / p,
            math.hypot(row.u * q0_err, row.q * u0_err) / p)
