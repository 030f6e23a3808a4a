"""Nights: the list, and the frames and results of each."""

from __future__ import annotations

import re

from flask import Blueprint, abort, request

from iop4d.web import queries
from iop4d.web.context import page_number, reading, render

blueprint = Blueprint("nights", __name__)


@blueprint.get("/nights")
@reading
def night_list() -> str:
    """Every night."""
    return render("nights.html", nights=queries.nights())


@blueprint.get("/nights/<night>")
@reading
def night(night: str) -> str:
    """A night: its frames by state and its results."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", night):
        abort(404, "A night is named by the date of its evening, such as 2025-11-22.")
    states = queries.night_states(night)
    summary = queries.summarise(night)
    if not states and not summary:
        abort(404, f"There is no frame of the night {night}.")
    state = request.args.get("state") or None
    return render("night.html", night=night, states=states, summary=summary, chosen=state,
                  page=queries.night_frames(night, state, page_number()))
