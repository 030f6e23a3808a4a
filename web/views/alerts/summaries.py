"""The summaries of nights, as they were sent."""

from __future__ import annotations

import re

from flask import Blueprint, Response, abort

from iop4d.alerts.summary import write
from iop4d.store import pages, summaries
from iop4d.store.database import Connection
from iop4d.web.context import page_number, parts, picture, reading, render
from iop4d.web.views.tonight.nights import check_night

blueprint = Blueprint("summaries", __name__)

_PICTURE = re.compile(r"[a-z0-9+][a-z0-9+-]*\.png")


@blueprint.get("/summaries")
@reading
def summary_list(db: Connection) -> str:
    """Every summary, the latest first."""
    return render(db, "summaries.html", page=pages.summaries(db, page_number()))


@blueprint.get("/summaries/<night>")
@reading
def summary_page(db: Connection, night: str) -> str:
    """The summary of a night."""
    check_night(night)
    row = summaries.of_night(db, night)
    if row is None:
        abort(404, f"The night {night} has no summary yet: it is made as the night ends.")
    earlier, later = pages.summaries_beside(db, night)
    return render(db, "summary_page.html", row=row, facts=row.facts,
                  messages=pages.messages_of(db, row), earlier=earlier, later=later,
                  **write.helpers())


@blueprint.get("/summaries/<night>/<name>")
def plot(night: str, name: str) -> Response:
    """A plot of a summary."""
    check_night(night)
    if not _PICTURE.fullmatch(name):
        abort(404, "There is no such picture.")
    root = parts().site.folder("summaries")
    # The name carries a digest of the contents.
    return picture((root / night / name).absolute(), root)
