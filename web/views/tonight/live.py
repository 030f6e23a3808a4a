"""The page of what happens now, and its parts as the live page fetches them."""

from __future__ import annotations

from flask import Blueprint, abort

from iop4d.store import pages
from iop4d.store.database import Connection
from iop4d.web.context import reading, render

blueprint = Blueprint("tonight", __name__)

_CARDS = 16
_FEW = 8


@blueprint.get("/")
@reading
def live(db: Connection) -> str:
    """What happens now."""
    return render(db, "live.html", **_now(db), **_frames(db), **_results(db), **_alerts(db),
                  **_unused(db))


def _now(db: Connection) -> dict[str, object]:
    return {"newest": next(iter(pages.latest_frames(db, 1)), None)}


def _frames(db: Connection) -> dict[str, object]:
    return {"lines": pages.latest_frames(db, _CARDS)}


def _results(db: Connection) -> dict[str, object]:
    night = pages.last_night(db)
    return {"night": night, "summary": pages.summarise(db, night) if night else []}


def _alerts(db: Connection) -> dict[str, object]:
    return {"episodes": pages.episodes(db, 1, _FEW), "messages": pages.latest_messages(db, _FEW)}


def _unused(db: Connection) -> dict[str, object]:
    return {"unused": pages.unused_frames(db, 1, _FEW)}


@blueprint.get("/fragments/banner")
@reading
def banner(db: Connection) -> str:
    """What every page says first, when something is wrong."""
    return render(db, "part_banner.html")


_FRAGMENTS = {"now": _now, "system": lambda _: {}, "frames": _frames,
              "results": _results, "alerts": _alerts, "failed": _unused}


@blueprint.get("/fragments/<name>")
@reading
def fragment(db: Connection, name: str) -> str:
    """A part of the live page as it is now."""
    if name not in _FRAGMENTS:
        abort(404)
    return render(db, f"part_{name}.html", **_FRAGMENTS[name](db))
