"""How numbers, times and states are written on the pages, besides what ``model.units`` has."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache, wraps
from typing import Any

from jinja2 import Undefined
from markupsafe import Markup, escape

from iop4d.model import flags as quality
from iop4d.model.source import canonical
from iop4d.model.units import NOTHING, decimal, span_text, utc_of_unix

#: Sign of each state, so that colour alone never carries it.
_SIGNS = {
    "done": "✓", "ready": "✓", "ok": "✓", "sent": "✓", "made": "✓", "resolved": "✓",
    "running": "▶", "busy": "▶", "idle": "○", "queued": "○", "wanted": "○", "never": "○",
    "waiting": "◔", "starting": "◔", "stopping": "◔", "provisional": "◔", "pending": "◔",
    "rejected": "✕", "failed": "✕", "refused": "✕", "stopped": "✕", "silent": "✕", "down": "✕",
    "quarantined": "⚠", "degraded": "⚠", "firing": "▲", "acknowledged": "☑", "snoozed": "☾",
    "withdrawn": "✗", "duplicate": "⧉", "superseded": "⤳", "folded": "≡", "dropped": "–",
    "accepted": "★", "unreadable": "⚠", "unreachable": "✕",
}

_PLACE = re.compile(r"(?:[^:]*/)?([\w.-]+\.toml)(, line \d+)?"
                    r"(?:: (\[?[A-Za-z0-9_.-]+\]?)(?=[ ;:]))?")


def of_missing(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function for templates, where what a row does not have is none."""

    @wraps(function)
    def of_known(*args: Any, **options: Any) -> Any:
        return function(*(None if isinstance(one, Undefined) else one for one in args), **options)

    return of_known


def place(message: str) -> str:
    """Of a message on the site file what everybody may read: file, line and key."""
    found = _PLACE.match(message)
    if found is None:
        return "the site file"
    key = found[3] if found[3] and ("." in found[3] or "[" in found[3]) else ""
    return f"{found[1]}{found[2] or ''}" + (f": {key}" if key else "")


def spelled_once(names: Sequence[str], name: str) -> list[str]:
    """The other names of a source without those that differ by blanks, dashes or case alone."""
    seen = {canonical(name): name}
    for one in names:
        seen.setdefault(canonical(one), one)
    return list(seen.values())[1:]


def sentence(why: str) -> str:
    """What an error says, as a sentence."""
    return f"{why[:1].upper()}{why[1:]}".rstrip(".") + "."


def jd(value: float | None) -> str:
    """A Julian date to about a second."""
    return decimal(value, 5)


def when(at: float | None, now: float) -> Markup:
    """A relative time that the page keeps up to date, with the absolute one in its title."""
    if at is None:
        return escape(NOTHING)
    return Markup('<time datetime="{}Z" title="{} UTC" data-at="{:.0f}">{} ago</time>').format(
        utc_of_unix(at).replace(" ", "T"), utc_of_unix(at), at, span_text(now - at))


def percent(fraction: float | None) -> float | None:
    """A fraction in percent."""
    return None if fraction is None else 100 * fraction


def number(value: Any, digits: int = 1, unit: str = "") -> str:
    """A number with so many digits and its unit."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return NOTHING
    text = f"{value:,.{digits}f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    return f"{text}\N{NO-BREAK SPACE}{unit}" if unit else text


def size(octets: int | None) -> str:
    """A file's size in MB."""
    return NOTHING if octets is None else number(octets / 1e6, 1, "MB")


def state(name: str | None) -> Markup:
    """A state as a coloured word with its sign."""
    text = name or "unknown"
    return Markup('<span class="state state-{}"><span aria-hidden="true">{}</span> {}</span>'
                  ).format(text.replace(" ", "-"), _SIGNS.get(text, "•"), text)


@lru_cache(maxsize=4096)
def flag_marks(flags: int) -> Markup:
    """The flags set as words that explain themselves when pointed at."""
    marks = [
        Markup('<span class="flag" title="{}">{}</span>').format(
            quality.DESCRIPTIONS[flag], str(flag.name).lower().replace("_", " "))
        for flag in quality.Flag if flags & flag]
    return Markup(" ").join(marks) if marks else escape("")
