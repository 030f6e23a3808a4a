"""The log, for admins: by level, telescope and frame, searched through."""

from __future__ import annotations

import math
from typing import Any

from flask import Blueprint, request
from markupsafe import Markup, escape

from iop4d.store.database import Connection
from iop4d.system import logfile
from iop4d.web.context import parts, reading, render, whole_number

blueprint = Blueprint("log", __name__)

_LINES = 200
_LONGEST = 200  # characters of what is searched for


@blueprint.get("/system/log")
@reading
def page(db: Connection) -> str:
    """The messages of the daemon and of the page."""
    return render(db, "log.html", **_log())


@blueprint.get("/fragments/system/log")
@reading
def lines(db: Connection) -> str:
    """The messages alone, as they are now."""
    return render(db, "part_log.html", **_log())


def _log() -> dict[str, Any]:
    """What the address asks of the log, and the answer."""
    asked = request.args
    level = asked.get("level", "info")
    text = asked.get("text", "").strip()[:_LONGEST]
    wanted = logfile.Wanted(
        level=level if level in logfile.LEVELS else "info", text=text,
        telescope=asked.get("telescope", "")[:_LONGEST], frame=whole_number("frame", 0),
        service=asked.get("service", "") if asked.get("service") in ("daemon", "web") else "",
        before=_moment(asked.get("before", "")), limit=_LINES)
    site = parts().site
    return {"found": logfile.read(site.root, wanted), "wanted": wanted, "levels": logfile.LEVELS,
            "telescopes": sorted({a.telescope for a in site.archive if a.telescope}),
            "marked": lambda line: marked(line, text)}


def _moment(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.inf
    return value if math.isfinite(value) else math.inf


def marked(text: str, words: str) -> Markup:
    """A text with what was searched for marked, in any case."""
    if not words:
        return escape(text)
    found, low, wanted, begin = [], text.casefold(), words.casefold(), 0
    if len(low) != len(text):  # some letters have several in the other case
        low, wanted = text.lower(), words.lower()
    while (at := low.find(wanted, begin)) >= 0 and len(low) == len(text):
        found += [escape(text[begin:at]),
                  Markup("<mark>{}</mark>").format(text[at:at + len(wanted)])]
        begin = at + len(wanted)
    return Markup("").join([*found, escape(text[begin:])])
