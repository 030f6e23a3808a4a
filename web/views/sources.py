"""Sources: the list, each with its light curve, and what each result rests on."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, request

from iop4d.alerts.summary.statistics import camera_nights
from iop4d.model.errors import Iop4dError
from iop4d.store import catalogue, provenance, sources, summaries
from iop4d.store.database import Connection
from iop4d.store.results import frame_ids
from iop4d.web import lightcurve
from iop4d.web.auth import relax
from iop4d.web.context import kept, parts, reading, render
from iop4d.web.explained import lines_of, modulation
from iop4d.web.heavy import heavy
from iop4d.web.policy import for_reader

blueprint = Blueprint("sources", __name__)

_SHOWN = 60  # results in the table
_NIGHTS = 20  # in the table of nights


@blueprint.get("/sources")
@reading
def source_list(db: Connection) -> str:
    """Every source."""
    return render(db, "sources.html", lines=sources.listed(db))


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


@blueprint.get("/results/<int:id_>")
@reading
def result(db: Connection, id_: int) -> str:
    """What a result rests on."""
    chain = _chain(db, id_)
    return render(db, "result.html", chain=chain, result=chain["result"], lines=lines_of(chain))


@blueprint.get("/results/<int:id_>/modulation.png")
@heavy
@reading
def modulation_of(db: Connection, id_: int) -> Response:
    """The modulation of a result's group, with all fits."""
    try:
        picture = modulation(db, _chain(db, id_), parts().site)
    except Iop4dError as error:
        abort(404, str(error))
    answer = Response(picture, mimetype="image/png")
    # The page's address carries the result's revision: a new one is another picture.
    return kept(answer) if "v" in request.args else answer


def _chain(db: Connection, id_: int) -> dict[str, Any]:
    try:
        return dict(for_reader(provenance.explain(
            db, id_, index_minutes=parts().site.photometry.spectral_index_minutes)))
    except Iop4dError as error:
        abort(404, str(error))
