"""Sources: the list, each with its light curve, and what each result rests on."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort

from iop4d.explained import lines_of, modulation
from iop4d.model.errors import Iop4dError
from iop4d.store import provenance
from iop4d.store.database import ambient
from iop4d.web import lightcurve, queries, sources
from iop4d.web.auth import relax
from iop4d.web.context import parts, reading, render

blueprint = Blueprint("sources", __name__)


@blueprint.get("/sources")
@reading
def source_list() -> str:
    """Every source."""
    return render("sources.html", lines=sources.listed())


@blueprint.get("/sources/<path:key>")
@reading
def source(key: str) -> str:
    """A source: its light curve, results, catalogue entry and calibrators."""
    found = sources.find(key)
    if found is None:
        abort(404, f"No source has the id or name {key}.")
    # Bokeh puts <style> elements into its shadow roots and cannot give them a nonce.
    relax(style_src="'self' 'unsafe-inline'")
    name, entry = found
    results = sources.latest_results(name, 60)
    return render("source.html", name=name, entry=entry, results=results,
                  count=sources.count(name), shown=lightcurve.LIMIT,
                  calibrators=sources.calibrators(name), frames=queries.frame_ids(results))


@blueprint.get("/results/<int:id_>")
@reading
def result(id_: int) -> str:
    """Why a result is what it is."""
    chain = _chain(id_)
    return render("result.html", chain=chain, result=chain["result"], lines=lines_of(chain))


@blueprint.get("/results/<int:id_>/modulation.png")
@reading
def modulation_of(id_: int) -> Response:
    """The modulation of a result's group, with all fits."""
    try:
        picture = modulation(ambient(), _chain(id_), parts().site)
    except Iop4dError as error:
        abort(404, str(error))
    return Response(picture, mimetype="image/png")


def _chain(id_: int) -> dict[str, Any]:
    try:
        return provenance.explain(ambient(), id_)
    except Iop4dError as error:
        abort(404, str(error))
