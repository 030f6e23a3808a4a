"""What a database has to know once it was restored from a backup."""

from __future__ import annotations

from peewee import Value, fn

from iop4d.model.states import DaemonState, MessageState
from iop4d.store import events
from iop4d.store.database import Transaction
from iop4d.store.schema import Event, Frame, Master, Outbox
from iop4d.store.status import beat, heartbeat
from iop4d.store.table import Table

#: Events that open pages may have seen since the backup; no id is used twice.
_SEEN_SINCE = 1_000_000
_PATHS: tuple[tuple[type[Table], str], ...] = (
    (Frame, "path"), (Frame, "reduced_path"), (Frame, "preview_path"), (Master, "path"))


def adapt(tx: Transaction, *, was: str, root: str, now: float) -> None:
    """Paths below the folder that the site had are below the one that it has now; messages that
    were queued may have been sent since; the daemon does not run."""
    if was != root:
        for table, column in _PATHS:
            field, begin = getattr(table, column), was.rstrip("/") + "/"
            tx.update(table, **{column: Value(root.rstrip("/") + "/").concat(
                fn.SUBSTR(field, len(begin) + 1))}).where(
                fn.SUBSTR(field, 1, len(begin)) == begin).execute()
    tx.update(Outbox, unsure=True).where(Outbox.state == MessageState.QUEUED).execute()
    if last := heartbeat(tx):
        beat(tx, {**last, "state": DaemonState.STOPPED.value})
    tx.insert_many(Event, [{"id": events.newest(tx) + _SEEN_SINCE, "kind": "restored", "at": now,
                            "content": {}}])
