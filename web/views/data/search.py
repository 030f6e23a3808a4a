"""The search field of every page: a source, a frame or a night leads to its page."""

from __future__ import annotations

import re

from flask import Blueprint, abort, redirect, request, url_for
from werkzeug.wrappers import Response

from iop4d.store import frames, sources
from iop4d.store.database import Connection
from iop4d.web.context import reading
from iop4d.web.policy import Access, sees

blueprint = Blueprint("search", __name__)

_LONGEST = 200
_NIGHT = re.compile(r"\d{4}-\d\d-\d\d")


@blueprint.get("/search")
@reading
def search(db: Connection) -> Response:
    """To the page of what was asked for."""
    text = request.args.get("q", "").strip()[:_LONGEST]
    address = _address_of(db, text) if text else url_for("source_list.source_list")
    if address is None:
        abort(404, f"No source, frame or night is called '{text}'. A night is written as "
                   "2025-11-22, a frame as its file is called.")
    return redirect(address, code=303)


def _address_of(db: Connection, text: str) -> str | None:
    if found := sources.find(db, text):
        return url_for("sources.source", key=found[0])
    if not sees(Access.SITE):
        return None
    if _NIGHT.fullmatch(text):
        return url_for("night.night", night=text)
    id_ = frames.id_of_name(db, text)
    return None if id_ is None else url_for("frames.frame", id_=id_)
