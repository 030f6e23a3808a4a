"""The list of nights."""

from __future__ import annotations

import re

from flask import Blueprint, abort
from flask.typing import ResponseReturnValue

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
