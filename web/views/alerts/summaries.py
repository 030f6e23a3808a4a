"""The summaries of nights, as they were sent."""

from __future__ import annotations

import re

from flask import Blueprint, Response, abort, redirect, url_for
from werkzeug.wrappers import Response as Redirect

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
def summary_page(db: Connection, night: str) -> Redirect:
    """The summary of a night, which stands on the page of the night; mails lead here."""
    check_night(night)
    if summaries.of_night(db, night) is None:
        abort(404, f"The night {night} has no summary yet: it is made as the night ends.")
    return redirect(url_for("night.night", night=night, _anchor="summary"), code=302)


@blueprint.get("/summaries/<night>/<name>")
def plot(night: str, name: str) -> Response:
    """A plot of a summary."""
    check_night(night)
    if not _PICTURE.fullmatch(name):
        abort(404, "There is no such picture.")
    root = parts().site.folder("summaries")
    # The name carries a digest of the contents.
    return picture((root / night / name).absolute(), root)
