"""The summaries of nights, as they were sent."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Response, abort, request

from iop4d.alerts.summary import write
from iop4d.store.schema import Outbox, Summary
from iop4d.web import queries
from iop4d.web.context import parts, reading, render
from iop4d.web.reader import RefusedError, open_inside

blueprint = Blueprint("summaries", __name__)

_NIGHT = re.compile(r"\d{4}-\d\d-\d\d")
_PICTURE = re.compile(r"[a-z0-9+][a-z0-9+-]*\.png")
_PNG = b"\x89PNG\r\n\x1a\n"
_LIMIT = 8 << 20


@blueprint.get("/summaries")
@reading
def summary_list() -> str:
    """Every summary, the latest first."""
    number = max(1, request.args.get("page", 1, type=int))
    total = Summary.select().count()
    number = min(number, max(1, -(-total // queries.PAGE)))
    rows = list(Summary.select().order_by(Summary.night.desc()).paginate(number, queries.PAGE))
    return render("summaries.html",
                  page=queries.Page(rows=rows, number=number, total=total))


@blueprint.get("/summaries/<night>")
@reading
def summary_page(night: str) -> str:
    """The summary of a night."""
    if not _NIGHT.fullmatch(night):
        abort(404, "A night is named by the date of its evening, such as 2025-11-22.")
    row = Summary.get_or_none(Summary.night == night)
    if row is None:
        abort(404, f"The night {night} has no summary yet: it is made as the night ends.")
    letters = list(Outbox.select(Outbox.recipient, Outbox.channel, Outbox.state, Outbox.sent_at,
                                 Outbox.last_error)
                   .where(Outbox.id.in_(row.letters)).order_by(Outbox.id))
    earlier, later = _beside(night)
    return render("summary_page.html", row=row, facts=row.facts, letters=letters,
                  earlier=earlier, later=later, **write.helpers())


def _beside(night: str) -> tuple[Any, Any]:
    """The summaries before and after one."""
    nights = Summary.select(Summary.night)
    earlier = nights.where(Summary.night < night).order_by(Summary.night.desc()).limit(1).scalar()
    later = nights.where(Summary.night > night).order_by(Summary.night).limit(1).scalar()
    return earlier, later


@blueprint.get("/summaries/<night>/<name>")
def picture(night: str, name: str) -> Response:
    """A plot of a summary."""
    if not _NIGHT.fullmatch(night) or not _PICTURE.fullmatch(name):
        abort(404, "There is no such picture.")
    root = parts().site.folder("summaries")
    try:
        with open_inside((root / night / name).absolute(), [root]) as file:
            content = file.read(_LIMIT)
    except RefusedError:
        abort(404, "There is no such picture.")
    if not content.startswith(_PNG):
        abort(404, "This is not a PNG picture.")
    answer = Response(content, mimetype="image/png")
    # The name carries a digest of the contents.
    answer.headers["Cache-Control"] = "private, max-age=86400, immutable"
    return answer
