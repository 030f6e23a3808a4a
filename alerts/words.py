"""Numbers, times and foreign text as messages write them."""

from __future__ import annotations

import math
import unicodedata
from datetime import UTC, datetime, timedelta

_EPOCH_JD = 2440587.5  # JD of 1970-01-01T00:00
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOTHING = "–"


def clean(text: str, limit: int = 200) -> str:
    """Text on one line, fit for a header: no control, direction or line-break character.

    Names come from headers of frames and from catalogues; a line break in one would let it write
    headers of its own, and the mail library refuses it, which would lose the alert.
    """
    kept = ("" if unicodedata.category(c) in ("Cf", "Cs", "Co", "Cn") else
            " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)
    joined = " ".join("".join(kept).split())
    return joined if len(joined) <= limit else joined[:limit - 1].rstrip() + "…"


def utc_of_jd(jd: float) -> str:
    """A JD(UTC) as ``2026-11-22 21:04:05``."""
    try:
        moment = _EPOCH + timedelta(days=jd - _EPOCH_JD)
    except (OverflowError, ValueError):
        return NOTHING
    return (moment + timedelta(milliseconds=500)).strftime("%Y-%m-%d %H:%M:%S")


def utc_of_unix(seconds: float) -> str:
    """Unix seconds as ``2026-11-22 21:04``."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")


def number(value: float | None, digits: int) -> str:
    """A number with so many decimals; a dash for none."""
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def plus_minus(value: float | None, error: float | None, digits: int = 3) -> str:
    """``12.871 ± 0.021``, without the error if there is none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if error is None or not math.isfinite(error):
        return number(value, digits)
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def headline(value: float | None, error: float | None) -> str:
    """The same in two decimals, or in three where the error needs them."""
    return plus_minus(value, error, 3 if error is not None and error < 0.01 else 2)
