"""How messages fared, for people: what did not get through and why, and the tally of each channel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peewee import JOIN, fn

from iop4d.model.states import MessageState
from iop4d.store.database import Connection
from iop4d.store.schema import Outbox

_SHOWN = 86400.0  # seconds for which a message that was given up counts as undelivered


def undelivered(db: Connection, now: float) -> list[dict[str, Any]]:
    """Channels with messages that did not get through: how many, since when, and why.

    A recipient who was given up counts for a day, or until a later message was accepted.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in [*_retried(db), *_given_up(db, now - _SHOWN)]:
        there = found.setdefault(one["channel"], {**one, "messages": 0})
        there["messages"] += one["messages"]
        there["since"] = min(there["since"], one["since"])
        there.pop("recipient", None)
    return list(found.values())


def _given_up(db: Connection, since: float) -> list[dict[str, Any]]:
    """Recipients of whom messages were given up, except those who got a later one."""
    later = Outbox.alias()
    rows = (db.select(Outbox, Outbox.channel, Outbox.recipient, fn.COUNT(Outbox.id),
                      fn.MIN(Outbox.created_at), fn.MAX(Outbox.id))
            .join(later, JOIN.LEFT_OUTER, on=(
                (later.channel == Outbox.channel) & (later.recipient == Outbox.recipient)
                & (later.state == MessageState.SENT) & (later.sent_at > Outbox.given_up_at)))
            .where((Outbox.state == MessageState.FAILED) & (Outbox.given_up_at >= since)
                   & later.id.is_null()).group_by(Outbox.channel, Outbox.recipient)
            .order_by(Outbox.channel, Outbox.recipient).tuples())
    return [{"channel": channel, "recipient": recipient, "messages": count, "since": first,
             "reason": f"{recipient} was given up: {_last_error(db, newest)}"}
            for channel, recipient, count, first, newest in rows]


def _retried(db: Connection) -> list[dict[str, Any]]:
    rows = (db.select(Outbox, Outbox.channel, fn.COUNT(Outbox.id), fn.MIN(Outbox.created_at),
                      fn.MAX(Outbox.id))
            .where((Outbox.state == MessageState.QUEUED) & (Outbox.last_error != ""))
            .group_by(Outbox.channel).order_by(Outbox.channel).tuples())
    return [{"channel": channel, "messages": count, "since": first,
             "reason": _last_error(db, newest)} for channel, count, first, newest in rows]


def _last_error(db: Connection, id_: int) -> str:
    return str(db.by_id(Outbox, id_).last_error)


@dataclass(kw_only=True)
class Tally:
    """How the messages of a channel fared: how many of each state, the last success and error."""

    counts: dict[str, int]
    sent_at: float | None = None
    last_error: str = ""


def tallies(db: Connection) -> dict[str, Tally]:
    """The tally of each channel that ever had a message."""
    found: dict[str, Tally] = {}
    for channel, state, count, sent_at in db.select(
            Outbox, Outbox.channel, Outbox.state, fn.COUNT(Outbox.id), fn.MAX(Outbox.sent_at)
            ).group_by(Outbox.channel, Outbox.state).tuples():
        tally = found.setdefault(channel, Tally(counts={}))
        tally.counts[state] = count
        if state == MessageState.SENT:
            tally.sent_at = sent_at
    latest = Outbox.select(fn.MAX(Outbox.id)).where(Outbox.last_error != "").group_by(
        Outbox.channel)
    for row in db.select(Outbox, Outbox.channel, Outbox.last_error).where(Outbox.id.in_(latest)):
        found[row.channel].last_error = row.last_error
    return found
