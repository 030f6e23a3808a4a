"""Sources as an address names them."""

from __future__ import annotations

from flask import abort

from iop4d.store import sources
from iop4d.store.database import Connection


def name_of_source(db: Connection, key: str) -> str:
    """The name of a source by its number or any of its names; answers 404 for none."""
    found = sources.find(db, key)
    if found is None:
        abort(404, f"No source has the id or name {key[:80]}.")
    return found[0]
