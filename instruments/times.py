"""Julian dates as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from iop4d.instruments.telescopes import JD_UNIX_EPOCH


def iso_of(jd: float) -> str:
    """JD(UTC) as ``2024-03-14T21:30:00``, rounded to the second."""
    moment = datetime.fromtimestamp(round((jd - JD_UNIX_EPOCH) * 86400.0), tz=UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
