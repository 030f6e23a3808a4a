"""How numbers, times and states are written on the pages."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from markupsafe import Markup, escape

from iop4d.model import flags as quality

UNIX_EPOCH_JD = 2440587.5
NOTHING = "–"

#: Sign of each state, so that colour alone never carries it.
_SIGNS = {
    "done": "✓", "ready": "✓", "ok": "✓", "sent": "✓", "running": "▶", "busy": "▶",
    "resolved": "✓", "idle": "○", "queued": "○", "waiting": "◔", "wanted": "○", "rejected": "✕",
    "failed": "✕", "refused": "✕", "down": "✕", "quarantined": "⚠", "degraded": "⚠",
    "firing": "▲", "duplicate": "⧉", "superseded": "⤳", "stopping": "◔", "never": "○",
    "provisional": "◔", "pending": "◔", "acknowledged": "☑", "snoozed": "☾", "withdrawn": "✗",
    "folded": "≡", "dropped": "–",
}


def unix_of_jd(jd: float) -> float:
    """Unix seconds of a JD(UTC)."""
    return (jd - UNIX_EPOCH_JD) * 86400


def jd_of_unix(at: float) -> float:
    """JD(UTC) of Unix seconds."""
    return at / 86400 + UNIX_EPOCH_JD


def utc(at: float | None, *, date: bool = True) -> str:
    """Unix seconds as ``2025-11-22 21:04:05``, or the time alone."""
    if at is None or not math.isfinite(at) or not 0 <= at < 253402300800:
        return NOTHING
    moment = datetime.fromtimestamp(at, UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")


def utc_of_jd(jd: float | None, *, date: bool = True) -> str:
    """A JD(UTC) as ``2025-11-22 21:04:05``, or the time alone."""
    return NOTHING if jd is None else utc(unix_of_jd(jd), date=date)


def jd(value: float | None) -> str:
    """A Julian date to about a second."""
    return NOTHING if value is None else f"{value:.5f}"


def duration(seconds: float | None) -> str:
    """A span of time in its largest unit: ``12 s``, ``3 min``, ``5 h``, ``9 d``."""
    if seconds is None:
        return NOTHING
    seconds = max(0.0, seconds)
    for unit, size, limit in (("s", 1, 60), ("min", 60, 3600), ("h", 3600, 172800)):
        if seconds < limit:
            return f"{int(seconds / size)} {unit}"
    return f"{int(seconds / 86400)} d"


def when(at: float | None, now: float) -> Markup:
    """A relative time that the page keeps up to date, with the absolute one in its title."""
    if at is None:
        return escape(NOTHING)
    return Markup('<time datetime="{}Z" title="{} UTC" data-at="{:.0f}">{} ago</time>').format(
        utc(at).replace(" ", "T"), utc(at), at, duration(now - at))


def plus_minus(value: float | None, error: float | None, digits: int = 3) -> str:
    """A value with its error: ``13.376 ± 0.012``; without one if there is none."""
    if value is None:
        return NOTHING
    if error is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ± {error:.{digits}f}"


def number(value: Any, digits: int = 1, unit: str = "") -> str:
    """A number with so many digits and its unit."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return NOTHING
    text = f"{value:,.{digits}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{text}\N{NO-BREAK SPACE}{unit}" if unit else text


def size(octets: int | None) -> str:
    """A file's size in MB."""
    return NOTHING if octets is None else number(octets / 1e6, 1, "MB")


def sexagesimal(degrees: float | None, *, hours: bool = False) -> str:
    """An angle as ``22:02:43.29`` (hours) or ``+42:16:39.9``."""
    if degrees is None:
        return NOTHING
    unit, digits = (15, 2) if hours else (1, 1)
    total = round(abs(degrees) / unit * 3600, digits)
    minutes, seconds = divmod(total, 60)
    whole, minutes = divmod(int(minutes), 60)
    sign = "" if hours else "-" if degrees < 0 else "+"
    return f"{sign}{whole:02d}:{minutes:02d}:{seconds:0{digits + 3}.{digits}f}"


def state(name: str | None) -> Markup:
    """A state as a coloured word with its sign."""
    text = name or "unknown"
    return Markup('<span class="state state-{}"><span aria-hidden="true">{}</span> {}</span>'
                  ).format(text, _SIGNS.get(text, "•"), text)


def flag_names(flags: int) -> str:
    """Names of the flags set, ``good`` for none."""
    return ", ".join(name.replace("_", " ") for name in quality.names(flags)) or "good"


def flag_marks(flags: int) -> Markup:
    """The flags set as words that explain themselves when pointed at."""
    marks = [
        Markup('<span class="flag" title="{}">{}</span>').format(
            quality.DESCRIPTIONS[flag], str(flag.name).lower().replace("_", " "))
        for flag in quality.Flag if flags & flag]
    return Markup(" ").join(marks) if marks else escape("")
