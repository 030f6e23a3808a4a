"""What a database has to know once it was restored from a backup."""

from __future__ import annotations

from typing import Any

from peewee import Value, fn

from iop4d.model.states import MessageState
from iop4d.store import events, identity, nodes
from iop4d.store.database import Transaction
from iop4d.store.schema import Event, Frame, Master, Outbox

#: Events that open pages may have seen since the backup; no id is used twice.
_SEEN_SINCE = 1_000_000
_PATHS: tuple[tuple[Any, str], ...] = (
    (Frame, "path"), (Frame, "reduced_path"), (Frame, "preview_path"), (Master, "path"))


def adapt(tx: Transaction, *, was: str, root: str, now: float, node: str = "",
          is_copy: bool = False) -> None:
    """Paths below the folder that the site had are below the one that it has now; messages that
    were queued may have been sent since; no daemon runs.

    ``node``: whose paths these are, of several daemons that share the database. ``is_copy``:
    whether the site of which this was is still there: then it is another one from now on.
    """
    if is_copy:
        identity.renew(tx)
    if was != root:
        for table, column in _PATHS:
            field, begin = getattr(table, column), was.rstrip("/") + "/"
            tx.update(table, **{column: Value(root.rstrip("/") + "/").concat(
                fn.SUBSTR(field, len(begin) + 1))}).where(
                (table.node == node) & (fn.SUBSTR(field, 1, len(begin)) == begin)).execute()
    tx.update(Outbox, unsure=True).where(Outbox.state == MessageState.QUEUED).execute()
    nodes.note_stopped(tx)
    tx.insert_many(Event, [{"id": events.newest(tx) + _SEEN_SINCE, "kind": "restored", "at": now,
                            "content": {}}])
