"""Sources: the list, and each with its light curve."""

from __future__ import annotations

from flask import Blueprint, abort

from iop4d.alerts.summary.statistics import camera_nights
from iop4d.store import catalogue, sources, summaries
from iop4d.store.database import Connection
from iop4d.store.results import frame_ids
from iop4d.web import lightcurve
from iop4d.web.auth import relax
from iop4d.web.context import reading, render

blueprint = Blueprint("sources", __name__)

_SHOWN = 60  # results in the table
_NIGHTS = 20  # in the table of nights


@blueprint.get("/sources/<path:key>")
@reading
def source(db: Connection, key: str) -> str:
    """A source: its light curve, results, catalogue entry and calibrators."""
    found = sources.find(db, key)
    if found is None:
        abort(404, f"No source has the id or name {key}.")
    # Bokeh puts <style> elements into its shadow roots and cannot give them a nonce.
    relax(style_src="'self' 'unsafe-inline'")
    name, entry = found
    results = sources.latest_results(db, name, _SHOWN)
    nights = camera_nights(summaries.of_source(db, name, _NIGHTS))
    return render(db, "source.html", name=name, entry=entry, results=results, nights=nights[::-1],
                  count=sources.count(db, name), drawn=lightcurve.LIMIT,
                  calibrators=catalogue.load(db).calibrators_of(name),
                  frames=frame_ids(db, [row.id for row in results]))
