"""The home page, and its parts as an open page fetches them again."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, abort, current_app, request

from iop4d.store import alert_pages, catalogue, pages, sources, tonight, triggers
from iop4d.store.alert_pages import EpisodeFilter
from iop4d.store.database import Connection
from iop4d.web.context import parts, reading, render, site_overview
from iop4d.web.health import health_of
from iop4d.web.views.alerts.episodes import SPANS
from iop4d.web.views.tonight.facts import Kept, NightFacts

blueprint = Blueprint("tonight", __name__)

_FEW = 8
_FIRING = 6
_KEPT = "iop4d-nights"


@blueprint.get("/")
@reading
def live(db: Connection) -> str:
    """What happens now."""
    return render(db, "tonight.html", **_health(db), **_firing(db), **_unused(db))


@blueprint.get("/fragments/banner")
@reading
def banner(db: Connection) -> str:
    """What every page says first, when something is wrong."""
    return render(db, "part_banner.html")


@blueprint.get("/fragments/<name>")
@reading
def fragment(db: Connection, name: str) -> str:
    """A part of the page as it is now."""
    if name not in _FRAGMENTS:
        abort(404)
    template, made = _FRAGMENTS[name]
    return render(db, template, **made(db))


def kept_facts() -> Kept:
    """The facts of nights that this application keeps for a while."""
    kept: Kept = current_app.extensions.setdefault(_KEPT, Kept())
    return kept


def _facts(db: Connection) -> dict[str, Any]:
    night = tonight.last_night(db)
    facts = kept_facts().of(db, parts().site, night, root=request.script_root, now=time.time(),
                            is_home=True) if night else NightFacts(night="")
    return {"facts": facts, "has_catalogue": bool(facts.sources or catalogue.load(db).sources),
            "raised": [
        (sources.display_name(db, row.source), row) for row in triggers.active(db, time.time())]}


def _health(db: Connection) -> dict[str, Any]:
    return _facts(db) | {"health": health_of(site_overview(db),
                                             site_file_wrong=bool(parts().read.wrong))}


def _firing(db: Connection) -> dict[str, Any]:
    return {"firing": alert_pages.episodes(db, EpisodeFilter(state="active"), 1, _FIRING).rows,
            "spans": SPANS}


def _unused(db: Connection) -> dict[str, Any]:
    return {"unused": pages.unused_frames(db, 1, _FEW)}


_FRAGMENTS = {
    "health": ("part_health.html", _health), "firing": ("part_firing.html", _firing),
    "tonight-sources": ("part_tonight_sources.html", _facts),
    "telescopes": ("part_telescopes.html", _facts), "trouble": ("part_trouble.html", _unused)}
