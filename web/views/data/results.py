"""Results: what each rests on."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, request

from iop4d.model.errors import Iop4dError
from iop4d.store import provenance
from iop4d.store.database import Connection
from iop4d.web.context import kept, parts, reading, render
from iop4d.web.explained import lines_of, modulation
from iop4d.web.heavy import heavy
from iop4d.web.policy import for_reader

blueprint = Blueprint("results", __name__)


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
