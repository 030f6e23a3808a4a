"""Results: what each rests on, with plots, cutouts, and its calibrators over time."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, request

from iop4d.config import tried
from iop4d.config.site import METHODS
from iop4d.model.errors import Iop4dError
from iop4d.model.result import STACK
from iop4d.store import frames, provenance, requests, result_pages, results
from iop4d.store.database import Connection
from iop4d.web import result_charts
from iop4d.web.context import kept, parts, reading, render
from iop4d.web.explained import lines_of, modulation
from iop4d.web.heavy import heavy
from iop4d.web.policy import Access, for_reader, sees
from iop4d.web.views.data.images import pictures

blueprint = Blueprint("results", __name__)

_LOOKED_AT = 200  # newest trials among which those of a result are looked for


@blueprint.get("/results/<int:id_>")
@reading
def result(db: Connection, id_: int) -> str:
    """What a result rests on: plots, cutouts, and all of it as text."""
    chain = _chain(db, id_)
    first = next((frame for frame in chain["frames"] if frame["measured"]), None)
    return render(db, "result.html", chain=chain, result=chain["result"], lines=lines_of(chain),
                  drawn=_drawn(db, chain, first), first=first, row=results.find(db, id_),
                  tried=_tried(db, chain["result"]),
                  settings={key: result_pages.changed(said, parts().site)
                            for key, said in chain["settings"].items()})


def _tried(db: Connection, found: dict[str, Any]) -> dict[str, Any]:
    """What can be tried on a result, and what was."""
    usual = tried.as_the_site(parts().site, instrument=found["instrument"], source=found["source"])
    apart = found["mode"] == "polarimetry"
    return {
        "can": found["mode"] != STACK,
        "fields": [(name, usual.get(name, "as now"),
                    METHODS if name == tried.METHOD else expected)
                   for name, (expected, _) in tried.TRIED.items()
                   if apart or not name.startswith("polarimetry.")],
        "before": [row for row in requests.trials(db, _LOOKED_AT)
                   if row.content.get("result") == found["id"]]}


def _drawn(db: Connection, chain: dict[str, Any], first: dict[str, Any] | None,
           ) -> dict[str, Any]:
    """The plots of a result's page; ``first``: the first of its frames that was measured."""
    found, site = chain["result"], parts().site
    drawn = {"modulation": result_charts.modulation(db, chain, site),
             "calibrators": result_charts.calibrators(
                 chain, f"{request.script_root}/results/{found['id']}")}
    if first is None:
        return drawn
    drawn["growth"] = result_charts.growth(
        result_pages.growth(db, first["id"], found["source"]), found["aperture_arcsec"])
    frame = frames.by_id(db, first["id"])
    path = frame.reduced_path
    if path and frame.node == db.node and sees(Access.SITE):
        place = first["measured"][-1]
        drawn["profile"] = result_charts.profile(
            pictures(), path, site, x=place["x"], y=place["y"],
            aperture_px=first["aperture_px"], annulus_px=first["annulus_px"])
    return drawn


@blueprint.get("/results/<int:id_>/stars/<path:name>")
@reading
def star(db: Connection, id_: int, name: str) -> str:
    """A calibrator of a result: how far it was off whenever it was used, or could have been."""
    row = results.find(db, id_)
    uses = [] if row is None else result_pages.uses_of(db, row, name)
    if row is None or not uses:
        abort(404, f"Result {id_} has no calibrator {name}.")
    return render(db, "star.html", result=row, star=name, uses=uses,
                  drawn=result_charts.star_history(name, uses, id_, request.script_root))


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
