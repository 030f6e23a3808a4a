"""Sources as an address names them."""

from __future__ import annotations

from iop4d.store.database import Connection
from iop4d.web.context import source_named


def name_of_source(db: Connection, key: str) -> str:
    """The name of a source by its number or any of its names; answers 404 for none."""
    return source_named(db, key)[0]
