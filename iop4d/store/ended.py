"""Work that ended and that no page shows: answered requests of commands and pages, and jobs.

Of a frame the last job stays, with how it ended, and so does whatever failed: its page says that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peewee import fn

from iop4d.model.states import JobState, RequestState
from iop4d.store.database import Connection, Transaction
from iop4d.store.jobs import JobKind
from iop4d.store.schema import Job, Request

_MOST = 200_000  # rows of each that are found at once; the others are found the next time


@dataclass(frozen=True, kw_only=True)
class Ended:
    """The ids of what may go."""

    requests: tuple[int, ...] = ()
    jobs: tuple[int, ...] = ()


def found(db: Connection, before: float) -> Ended:
    """What ended before a time, of this node: the oldest."""
    return Ended(requests=_ids(db, Request, _requests(db, before)),
                 jobs=_ids(db, Job, _jobs(db, before)))


def _ids(db: Connection, table: Any, which: Any) -> tuple[int, ...]:
    rows = db.select(table, table.id).where(which).order_by(table.id).limit(_MOST)
    return tuple(id_ for id_, in rows.tuples())


def forget(tx: Transaction, what: Ended, before: float) -> None:
    """Delete these, but for what is worked on again meanwhile."""
    tx.delete(Request).where(Request.id.in_(what.requests)).execute()
    tx.delete(Job).where(Job.id.in_(what.jobs) & _has_ended(before)).execute()


def _requests(db: Connection, before: float) -> Any:
    """The newest one stays: no other ever gets its number."""
    newest = Request.alias()
    return ((Request.node == db.node) & (Request.state == RequestState.DONE)
            & (Request.created_at < before) & (Request.id < newest.select(fn.MAX(newest.id))))


def _has_ended(before: float) -> Any:
    return (Job.state == JobState.DONE) & (Job.changed_at < before)


def _jobs(db: Connection, before: float) -> Any:
    """Those that calibrated a light curve, or looked at a file whose frame was reduced since."""
    later = Job.alias()
    reduced = later.select(later.id).where(
        (later.kind == JobKind.REDUCE.value) & (later.key == Job.key))
    return (Job.node == db.node) & _has_ended(before) & (
        (Job.kind == JobKind.CALIBRATE.value)
        | ((Job.kind == JobKind.CLASSIFY.value) & fn.EXISTS(reduced)))
