"""The list of nights."""

from __future__ import annotations

import re
from datetime import date

from flask import Blueprint, abort, redirect, url_for
from flask.typing import ResponseReturnValue

from iop4d.model.units import is_day
from iop4d.web.views.data.tables import page_of

blueprint = Blueprint("nights", __name__)

_NIGHT = re.compile(r"\d{4}-\d\d-\d\d")


def check_night(night: str) -> None:
    """Answer that there is no such page where a night is not named as one, and lead a date that is
    written in another way to its page."""
    if not _NIGHT.fullmatch(night):
        if is_day(night):
            abort(redirect(url_for("night.night", night=date.fromisoformat(night).isoformat())))
        abort(404, "A night is named by the date of its evening, such as 2025-11-22.")


@blueprint.get("/nights")
def night_list() -> ResponseReturnValue:
    """Every night."""
    return page_of("nights")
