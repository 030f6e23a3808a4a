"""Sources: the list, and each with its light curve."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, abort, request
from werkzeug.wrappers import Response

from iop4d.alerts.summary.statistics import camera_nights
from iop4d.model.source import SourceKind
from iop4d.store import alert_pages, catalogue, changes, curves, sources, summaries, triggers
from iop4d.store.alert_pages import EpisodeFilter
from iop4d.store.database import Connection
from iop4d.store.results import frame_ids
from iop4d.web.context import reading, render
from iop4d.web.policy import Access, sees
from iop4d.web.views.sources.curves import chosen, relax_for_plots, shown
from iop4d.web.views.sources.moved import moved_to

blueprint = Blueprint("sources", __name__)

_SHOWN = 60  # results in the table
_NIGHTS = 20  # in the table of nights
_EPISODES = 10  # of alerts


@blueprint.get("/sources/<path:key>")
@reading
def source(db: Connection, key: str) -> str | Response:
    """A source: its light curve, results, catalogue entry and calibrators."""
    found = sources.find(db, key)
    if found is None:
        abort(404, f"No source has the id or name {key}.")
    name, entry = found
    if (moved := moved_to(db, "sources.source", key, name)) is not None:
        return moved
    relax_for_plots()
    choice = chosen([found])
    known = catalogue.load(db)
    targets = [one.name for one in known.sources if one.kind is SourceKind.TARGET]
    results = changes.kept_of(db, name, "latest",
                              lambda: sources.latest_results(db, name, _SHOWN))
    nights = changes.kept_of(db, name, "nights", lambda: camera_nights(
        summaries.of_source(db, name, _NIGHTS)))
    return render(db, "source.html", name=name, entry=entry, results=results, nights=nights[::-1],
                  count=changes.kept_of(db, name, "count", lambda: sources.count(db, name)),
                  neighbours=curves.neighbours(db, name, targets),
                  **shown(db, choice, f"{request.script_root}/sources/{quote(name)}"),
                  episodes=alert_pages.episodes(db, EpisodeFilter(source=name), 1, _EPISODES)
                  if sees(Access.SITE) else None,
                  triggers=triggers.of_source(db, name)[:_EPISODES]
                  if sees(Access.SITE) else [],
                  calibrators=known.calibrators_of(name),
                  frames=frame_ids(db, [row.id for row in results]))
