"""Messages that do not reach people: those that wait for another try, and those given up."""

from __future__ import annotations

from typing import Any

from peewee import JOIN, fn

from iop4d.store.schema import Outbox

_SHOWN = 86400.0  # seconds for which a message that was given up is told of


def undelivered(now: float) -> list[dict[str, Any]]:
    """Channels that do not get rid of their messages: how many, since when, and why.

    A recipient who was given up counts for a day, or until a later message was accepted.
    """
    found: dict[str, dict[str, Any]] = {}
    for one in [*_waiting(), *given_up(now - _SHOWN)]:
        there = found.setdefault(one["channel"], {**one, "messages": 0})
        there["messages"] += one["messages"]
        there["since"] = min(there["since"], one["since"])
        there.pop("recipient", None)
    return list(found.values())


def given_up(since: float, until: float | None = None) -> list[dict[str, Any]]:
    """Recipients of whom messages were given up from ``since`` on: how many, and why.

    Those who got a later message are not in it.
    """
    later = Outbox.alias()
    when = (Outbox.state == "failed") & (Outbox.given_up_at >= since)
    if until is not None:
        when &= Outbox.given_up_at < until
    rows = (Outbox.select(Outbox.channel, Outbox.recipient, fn.COUNT(Outbox.id),
                          fn.MIN(Outbox.created_at), fn.MAX(Outbox.id))
            .join(later, JOIN.LEFT_OUTER, on=(
                (later.channel == Outbox.channel) & (later.recipient == Outbox.recipient)
                & (later.state == "sent") & (later.sent_at > Outbox.given_up_at)))
            .where(when & later.id.is_null()).group_by(Outbox.channel, Outbox.recipient)
            .order_by(Outbox.channel, Outbox.recipient).tuples())
    return [{"channel": channel, "recipient": recipient, "messages": count, "since": first,
             "reason": f"{recipient} was given up: {_reason(newest)}"}
            for channel, recipient, count, first, newest in rows]


def _waiting() -> list[dict[str, Any]]:
    rows = (Outbox.select(Outbox.channel, fn.COUNT(Outbox.id), fn.MIN(Outbox.created_at),
                          fn.MAX(Outbox.id))
            .where((Outbox.state == "queued") & (Outbox.last_error != ""))
            .group_by(Outbox.channel).order_by(Outbox.channel).tuples())
    return [{"channel": channel, "messages": count, "since": first, "reason": _reason(newest)}
            for channel, count, first, newest in rows]


def _reason(id_: int) -> str:
    return str(Outbox.get_by_id(id_).last_error)
