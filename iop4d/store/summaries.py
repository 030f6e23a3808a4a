"""Summaries of nights: their rows, the alerts that they may report, and their messages."""

from __future__ import annotations

from typing import Any

from peewee import fn

from iop4d.model.states import UNBEGUN_ALERTS, MessageState, SummaryState
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Alert, Meta, Outbox, Result, Summary
from iop4d.store.table import is_filled

_BEGAN = "summaries_since"  # key of when the site first asked for summaries
_REPORTED = ("SELECT json_extract(line.value, '$.id'), summary.night "
             "FROM summary, json_each(summary.facts, '$.alerts') AS line")

# Rows of summaries.


def nights(db: Connection) -> set[str]:
    """The nights that have a summary."""
    return {night for (night,) in db.select(Summary, Summary.night).tuples()}


def last_night(db: Connection) -> str:
    """The latest night that has a summary; empty for none."""
    return str(db.select(Summary, fn.MAX(Summary.night)).scalar() or "")


def of_night(db: Connection, night: str) -> Summary | None:
    """The summary of a night."""
    return db.get(Summary, Summary.night == night)


def store(tx: Transaction, night: str, facts: dict[str, Any], *, messages: list[int],
          now: float) -> None:
    """Write the summary of a night, in the place of the one that it may have."""
    state = SummaryState.QUEUED if messages else SummaryState.MADE
    values = {"facts": facts, "state": state.value, "messages": messages, "made_at": now,
              "sent_at": None}
    if not tx.update(Summary, **values).where(Summary.night == night).execute():
        tx.create(Summary, night=night, **values)


def settle(tx: Transaction) -> None:
    """Note what became of the messages of each summary."""
    for row in list(tx.select(Summary).where(Summary.state == SummaryState.QUEUED)):
        messages = list(tx.select(Outbox, Outbox.state, Outbox.sent_at).where(
            Outbox.id.in_(row.messages)))
        if any(message.state == MessageState.QUEUED for message in messages):
            continue
        sent = [message.sent_at for message in messages if message.state == MessageState.SENT]
        state = SummaryState.SENT if sent else SummaryState.FAILED
        tx.update(Summary, state=state.value, sent_at=max(sent, default=None)).where(
            Summary.id == row.id).execute()


def began_at(db: Connection) -> float | None:
    """When the site first asked for summaries; nights that ended before have none."""
    row = db.get(Meta, Meta.key == _BEGAN)
    return None if row is None else float(row.value)


def began_by(tx: Transaction, now: float) -> float:
    """The same; noted if it is the first time, or if the clock was ahead then."""
    began = began_at(tx)
    if began is not None and began <= now:
        return began
    tx.replace(Meta, key=_BEGAN, value=now)
    return now


# Alerts that began.


def reported_alerts(db: Connection) -> dict[int, str]:
    """Ids of the alerts that a summary reports, with the night of that summary."""
    return dict(db.rows(_REPORTED))


def alerts_of_system(db: Connection, since: float, until: float) -> list[Alert]:
    """Alerts without points that fired within some time."""
    return list(_begun(db, ~is_filled(Alert.points) & (Alert.fired_at >= since)
                       & (Alert.fired_at < until)))


def alerts_of_points(db: Connection, fired: tuple[float, float],
                     jd: tuple[float, float]) -> list[Alert]:
    """Alerts on points that fired within some time, or whose points are between two JD."""
    came = (Alert.fired_at >= fired[0]) & (Alert.fired_at < fired[1])
    return list(_begun(db, is_filled(Alert.points) & (came | Alert.fired_jd.between(*jd))))


def night_of_result(db: Connection, id_: int) -> str:
    """The night of a result; empty if there is none."""
    return str(db.select(Result, Result.night).where(Result.id == id_).scalar() or "")


def _begun(db: Connection, condition: Any) -> Any:
    return db.select(Alert).where(Alert.state.not_in(UNBEGUN_ALERTS) & condition)


# Messages that are not delivered: channel, how many, why the newest of them failed.


def waiting_messages(db: Connection) -> list[tuple[str, int, str]]:
    """Messages that wait for another attempt."""
    return _counted(db, (Outbox.state == MessageState.QUEUED) & (Outbox.last_error != ""))


def lost_messages(db: Connection, since: float, until: float) -> list[tuple[str, int, str, str]]:
    """Messages that were given up within some time; the recipient stands last."""
    return _counted(db, (Outbox.state == MessageState.FAILED) & (Outbox.given_up_at >= since)
                    & (Outbox.given_up_at < until), Outbox.recipient, Outbox.last_error)


def _counted(db: Connection, condition: Any, *by: Any) -> list[Any]:
    rows = db.select(Outbox, Outbox.channel, fn.COUNT(Outbox.id), fn.MAX(Outbox.id), *by[:1]).where(
        condition).group_by(Outbox.channel, *by).order_by(Outbox.channel, *by).tuples()
    return [(channel, count, db.by_id(Outbox, newest).last_error, *recipient)
            for channel, count, newest, *recipient in rows]
