"""The page of what happens now, and its parts as the live page fetches them."""

from __future__ import annotations

from flask import Blueprint, abort

from iop4d.web import queries
from iop4d.web.context import reading, render

blueprint = Blueprint("now", __name__)

_CARDS = 24
_FEW = 8


@blueprint.get("/")
@reading
def live() -> str:
    """What happens now."""
    return render("live.html", **_now(), **_frames(), **_results(), **_alerts(), **_failed())


def _now() -> dict[str, object]:
    return {"newest": next(iter(queries.latest_frames(1)), None)}


def _frames() -> dict[str, object]:
    return {"lines": queries.latest_frames(_CARDS)}


def _results() -> dict[str, object]:
    night = queries.last_night()
    return {"night": night, "summary": queries.summarise(night) if night else []}


def _alerts() -> dict[str, object]:
    return {"episodes": queries.episodes(1, _FEW), "mails": queries.latest_mails(_FEW)}


def _failed() -> dict[str, object]:
    return {"failed": queries.failed_frames(1, _FEW)}


_FRAGMENTS = {"banner": dict, "now": _now, "frames": _frames, "results": _results,
              "alerts": _alerts, "failed": _failed}


@blueprint.get("/fragments/<name>")
@reading
def fragment(name: str) -> str:
    """A part of the live page as it is now."""
    if name not in _FRAGMENTS:
        abort(404)
    return render(f"part_{name}.html", **_FRAGMENTS[name]())
