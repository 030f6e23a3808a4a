"""Where the tables of all data are."""

from __future__ import annotations

from flask import Blueprint

from iop4d.store.database import Connection
from iop4d.web.context import reading, render

blueprint = Blueprint("data", __name__)


@blueprint.get("/data")
@reading
def data(db: Connection) -> str:
    """What there is to look through."""
    return render(db, "data.html")
