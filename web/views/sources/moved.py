"""Addresses of sources that were renamed."""

from __future__ import annotations

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from iop4d.model.source import canonical
from iop4d.store import former_names
from iop4d.store.database import Connection


def moved_to(db: Connection, endpoint: str, key: str, name: str) -> Response | None:
    """The page of a source by its name of now, with all that the address asks for, where it was
    asked for by a name from before; None by any other of its names."""
    if canonical(key) == canonical(name) or canonical(
            former_names.name_now(db, key)) != canonical(name):
        return None
    query = request.query_string.decode("ascii", "replace")
    # Not for ever: the name may be given to another source, or back.
    return redirect(url_for(endpoint, key=name) + (f"?{query}" if query else ""), code=302)
