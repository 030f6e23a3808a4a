"""Triggers: what notices from elsewhere said of sources, and which of them raise one now."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import peewee as pw

from iop4d.model.states import TriggerState
from iop4d.model.units import jd_of_unix, unix_of_jd
from iop4d.store import alerts, audit, unjudged
from iop4d.store.database import Connection, Transaction
from iop4d.store.events import emit
from iop4d.store.results import standing
from iop4d.store.schema import Result
from iop4d.store.trigger_table import Trigger

_AT_ONCE = 500  # rows of a statement
_MOST = 500  # of a source, and on a page
_MOST_JUDGED = 2000  # newest results that are judged again
_JUDGED_AGAIN = 8 * 86400.0  # seconds: a late point of this age may still fire a rule
_ACCEPTED = TriggerState.ACCEPTED.value

# Reading.


def find(db: Connection, id_: int) -> Trigger | None:
    """The trigger of an id."""
    return db.get(Trigger, Trigger.id == id_)


def newest(db: Connection) -> list[Trigger]:
    """Triggers of any state, the latest first."""
    return list(db.select(Trigger).order_by(Trigger.received_at.desc(), Trigger.id.desc()).limit(
        _MOST))


def of_event(db: Connection, event: str) -> Trigger | None:
    """The trigger of an event."""
    return db.get(Trigger, Trigger.event == event)


def active(db: Connection, now: float, source: str | None = None) -> list[Trigger]:
    """Those that raise a source now, or one source; the one that lasts longest first."""
    where = (Trigger.state == _ACCEPTED) & (Trigger.until > now)
    if source is not None:
        where &= Trigger.source == source
    return list(db.select(Trigger).where(where).order_by(Trigger.until.desc(), Trigger.id))


def active_sources(db: Connection, now: float) -> frozenset[str]:
    """The sources that are raised now."""
    rows = db.select(Trigger, Trigger.source).where(
        (Trigger.state == _ACCEPTED) & (Trigger.until > now)).distinct().tuples()
    return frozenset(source for (source,) in rows)


def of_source(db: Connection, source: str) -> list[Trigger]:
    """The triggers of a source that were not withdrawn or ignored, the latest first."""
    return list(db.select(Trigger).where(
        (Trigger.source == source) & Trigger.state.in_((_ACCEPTED, TriggerState.ENDED))
    ).order_by(Trigger.issued_at.desc(), Trigger.id.desc()).limit(_MOST))


def spans(db: Connection, source: str) -> list[tuple[float, float]]:
    """The JD from and until which a source was a priority target, in order of time."""
    return sorted((jd_of_unix(row.issued_at), jd_of_unix(row.until))
                  for row in of_source(db, source))


def unmatched(db: Connection, limit: int = 20) -> list[Trigger]:
    """The latest notices that raise nothing, because the catalogue has no such source or they
    cannot be read."""
    return list(db.select(Trigger).where(
        Trigger.state.in_((TriggerState.UNMATCHED, TriggerState.UNREADABLE))
    ).order_by(Trigger.received_at.desc(), Trigger.id.desc()).limit(limit))


def waiting(db: Connection, now: float) -> list[Trigger]:
    """Those that the catalogue had no source for, whose time is not over."""
    return list(db.select(Trigger).where(
        (Trigger.state == TriggerState.UNMATCHED) & (Trigger.until > now)).order_by(Trigger.id))


# Writing.


def create(tx: Transaction, now: float, **columns: Any) -> Trigger:
    """A new trigger."""
    row = tx.create(Trigger, received_at=now, changed_at=now, **columns)
    _tell(tx, row, now)
    return row


def change(tx: Transaction, row: Trigger, now: float, **columns: Any) -> Trigger:
    """Other columns of a trigger."""
    tx.update(Trigger, changed_at=now, **columns).where(Trigger.id == row.id).execute()
    row = tx.by_id(Trigger, row.id)
    _tell(tx, row, now)
    return row


def end(tx: Transaction, row: Trigger, *, by: str, now: float, why: str = "") -> Trigger:
    """End one before its time, by hand; one that raises nothing stays as it is."""
    if row.state != _ACCEPTED or row.until <= now:
        return row
    audit.record(tx, at=now, by=by, act="end-trigger", subject=f"trigger {row.id}",
                 was={"source": row.source, "until": row.until}, now={"until": now}, why=why)
    return change(tx, row, now, state=TriggerState.ENDED, until=now,
                  reason=f"ended by {by}" + (f": {why}" if why else ""))


def _tell(tx: Transaction, row: Trigger, now: float) -> None:
    """Tell the pages, and have the rules judge again what was measured within its time."""
    emit(tx, "trigger", now, id=row.id, source=row.source, state=row.state)
    if row.source and row.state != TriggerState.IGNORED:
        unjudged.put(tx, _within(tx, row))


def _within(db: Connection, row: Trigger) -> Iterable[int]:
    newest = standing(db, Result.id).where(
        (Result.source == row.source) & (Result.jd_mid >= jd_of_unix(row.issued_at))
    ).order_by(Result.jd_mid.desc()).limit(_MOST_JUDGED).tuples()
    return [id_ for (id_,) in newest]


def older(db: Connection, before: float, now: float) -> list[int]:
    """Ids of the triggers whose time was over before a time, that nothing asks for any more.

    Those stay within whose time an active alert of their source fired, those of the last eight
    days, in which rules may still judge late points, and the newest one, from which ids go on.
    """
    rows = db.select(Trigger, Trigger.id, Trigger.source, Trigger.issued_at, Trigger.until).where(
        (Trigger.until < min(before, now - _JUDGED_AGAIN))
        & (Trigger.received_at < min(before, now - _JUDGED_AGAIN))
    ).order_by(Trigger.id).tuples()
    newest = db.select(Trigger, pw.fn.MAX(Trigger.id)).tuples()
    kept = {id_ for (id_,) in newest}
    fired = [(alert.source, unix_of_jd(alert.fired_jd)) for alert in alerts.unfinished(db)]
    return [id_ for id_, source, begin, until in rows if id_ not in kept and not any(
        source == of and begin <= at < until for of, at in fired)]


def forget(tx: Transaction, before: float, now: float) -> None:
    """Delete these."""
    ids = older(tx, before, now)
    for start in range(0, len(ids), _AT_ONCE):
        tx.delete(Trigger).where(Trigger.id.in_(ids[start:start + _AT_ONCE])).execute()


def at_jd(db: Connection, source: str, jd: float) -> list[Trigger]:
    """Those within whose time a JD is."""
    at = unix_of_jd(jd)
    return [row for row in of_source(db, source) if row.issued_at <= at < row.until]
