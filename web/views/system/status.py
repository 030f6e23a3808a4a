"""The state of the daemon, its workers, its queue and its archives."""

from __future__ import annotations

from flask import Blueprint

from iop4d.store.database import Connection
from iop4d.web.context import reading, render

blueprint = Blueprint("system", __name__)


@blueprint.get("/system")
@reading
def system(db: Connection) -> str:
    """The state of everything that runs."""
    return render(db, "system.html")
