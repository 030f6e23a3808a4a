"""Polarimetry groups: each with its frames, their angles and fates, and its results."""

from __future__ import annotations

from flask import Blueprint, abort
from markupsafe import Markup

from iop4d.model.errors import Iop4dError
from iop4d.store import frame_pages, groups, provenance
from iop4d.store.database import Connection
from iop4d.store.schema import Result
from iop4d.web import result_charts
from iop4d.web.context import parts, reading, render

blueprint = Blueprint("groups", __name__)


@blueprint.get("/groups/<int:id_>")
@reading
def group(db: Connection, id_: int) -> str:
    """Everything that is known of a group."""
    row = groups.find(db, id_)
    if row is None:
        abort(404, f"There is no group {id_}.")
    results = frame_pages.results_of_group(db, id_)
    return render(db, "group.html", group=row, results=results,
                  frames=frame_pages.group_frames(db, id_),
                  work=frame_pages.jobs_of_group(db, id_),
                  drawn=[(result, drawn) for result in results
                         if (drawn := _modulation(db, result)) is not None])


def _modulation(db: Connection, result: Result) -> Markup | None:
    if result.withdrawn or result.p is None:
        return None
    site = parts().site
    try:
        chain = provenance.explain(db, result.id,
                                   index_minutes=site.photometry.spectral_index_minutes)
    except Iop4dError:
        return None
    return result_charts.modulation(db, chain, site)
