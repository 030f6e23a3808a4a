"""What tells the database of one site from that of another, wherever its folder is."""

from __future__ import annotations

import secrets

from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Meta

_KEY = "identity"


def of(db: Connection) -> str:
    """The identity of a site, or of one of the nodes that share a database; empty where it has none
    yet."""
    row = db.get(Meta, Meta.key == _KEY)
    return " ".join(filter(None, (str(row.value), db.node))) if row else ""


def ensure(tx: Transaction) -> None:
    """Give a database its identity, if it has none."""
    if tx.get(Meta, Meta.key == _KEY) is None:
        renew(tx)


def renew(tx: Transaction) -> None:
    """Give it another one: it is a copy, and that of which it was copied is still there."""
    tx.replace(Meta, key=_KEY, value=secrets.token_hex(16))
