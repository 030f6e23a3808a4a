"""Nights: the list, and the frames and results of each."""

from __future__ import annotations

import re

from flask import Blueprint, abort, request
from flask.typing import ResponseReturnValue

from iop4d.store import groups, pages, summaries
from iop4d.store.database import Connection
from iop4d.web.context import page_number, reading, render
from iop4d.web.views.data.tables import page_of

blueprint = Blueprint("nights", __name__)

_NIGHT = re.compile(r"\d{4}-\d\d-\d\d")


def check_night(night: str) -> None:
    """Answer that there is no such page where a night is not named as one."""
    if not _NIGHT.fullmatch(night):
        abort(404, "A night is named by the date of its evening, such as 2025-11-22.")


@blueprint.get("/nights")
def night_list() -> ResponseReturnValue:
    """Every night."""
    return page_of("nights")


@blueprint.get("/nights/<night>")
@reading
def night(db: Connection, night: str) -> str:
    """A night: its frames by state and its results."""
    check_night(night)
    states = pages.night_states(db, night)
    summary = pages.summarise(db, night)
    if not states and not summary:
        abort(404, f"There is no frame of the night {night}.")
    state, kind = request.args.get("state") or None, request.args.get("kind") or None
    return render(db, "night.html", night=night, groups=[
        (groups.described(group), group.reason)
        for group in groups.without_polarisation(db, night=night)],
                  states=states, kinds=pages.night_kinds(db, night), summary=summary,
                  chosen=state, kind=kind, has_summary=night in summaries.nights(db),
                  page=pages.night_frames(db, night, state, page_number(), kind=kind))
