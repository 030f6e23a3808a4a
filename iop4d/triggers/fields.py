"""What the forms of notices share: numbers, times and names as they write them."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Any

from iop4d.model.notice import NoticeError
from iop4d.model.source import canonical

LONGEST = 300  # characters of a text of a notice that are kept
_LONGEST_NAME = 80
_PICTURE = re.compile(r"_\d+\.(png|gif)$", re.IGNORECASE)  # Fermi names a source by its plot


def number(name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """A finite number within limits; raises NoticeError."""
    try:
        found = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not math.isfinite(found) or not low <= found <= high:
        limits = f" from {low:g} to {high:g}" if math.isfinite(low) else ""
        raise NoticeError(f"{name} is {shown(value)}; expected a number{limits}")
    return found


def moment(name: str, value: Any) -> float:
    """Unix seconds of a time as ISO 8601 writes it, in UTC without a zone; raises NoticeError."""
    try:
        found = datetime.fromisoformat(str(value).strip()[:40])
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise NoticeError(f"{name} is {shown(value)}; expected a time in UTC such as "
                          "2026-11-22T21:00:00Z") from None


def position(ra: Any, dec: Any) -> tuple[float, float]:
    """A position in degrees; raises NoticeError."""
    return number("ra", ra, 0.0, 360.0), number("dec", dec, -90.0, 90.0)


def source_name(value: str) -> str:
    """The name of a source, without what Fermi adds of its plot."""
    return _PICTURE.sub("", one_line(value))[:_LONGEST_NAME]


def one_line(value: str) -> str:
    """A text without line ends and what cannot be printed."""
    return "".join(c if c.isprintable() else " " for c in " ".join(value.split()))[:LONGEST]


def event_of(stream: str, id_: str, source: str = "") -> str:
    """By what two notices are of one event: its stream (mission and kind), number and source."""
    return " ".join(filter(None, (canonical(stream), id_.strip(), canonical(source))))[:LONGEST]


def shown(value: Any) -> str:
    """A value for a message."""
    return f"'{one_line(str(value))[:40]}'"
