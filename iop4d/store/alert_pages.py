"""What the pages about alerts list: episodes with what stands beside them, messages, rules' state.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import peewee as pw

from iop4d.model.states import ACTIVE_ALERTS, AlertState, MessageState
from iop4d.store import pages
from iop4d.store.database import Connection
from iop4d.store.pages import Episode, Page
from iop4d.store.schema import Alert, AlertStep, Outbox, Result
from iop4d.store.table import in_json

#: What a list of episodes can be narrowed to, by the word of the address.
STATES: dict[str, tuple[AlertState, ...]] = {
    "active": ACTIVE_ALERTS, "pending": (AlertState.PENDING,),
    "resolved": (AlertState.RESOLVED,), "withdrawn": (AlertState.WITHDRAWN,)}
_BESIDE = 30.0  # days about an episode in which others of its source are neighbours
_MOST_BESIDE = 12


@dataclass(frozen=True, kw_only=True)
class EpisodeFilter:
    """Which episodes a page lists; empty: all."""

    state: str = ""
    rule: str = ""
    source: str = ""

    def where(self) -> Any:
        """The condition for a query."""
        wanted = (Alert.state != AlertState.INACTIVE)
        if self.state:
            wanted &= Alert.state.in_(STATES[self.state])
        if self.rule:
            wanted &= Alert.rule == self.rule
        return wanted & (Alert.source == self.source) if self.source else wanted


def episodes(db: Connection, which: EpisodeFilter, number: int, size: int) -> Page:
    """Episodes, those that are active or pending first, then the latest."""
    first = pw.Case(Alert.state, [(state, 0) for state in (*ACTIVE_ALERTS, AlertState.PENDING)], 1)
    query = db.select(Alert).where(which.where())
    total = query.count()
    number = min(max(1, number), max(1, -(-total // size)))
    alerts = list(query.order_by(first, Alert.fired_at.desc(), Alert.id.desc()).paginate(
        number, size))
    return Page(rows=_whole(db, alerts), number=number, total=total, size=size)


def counts(db: Connection) -> dict[str, int]:
    """How many episodes there are by the words of ``STATES``."""
    by_state = dict(db.select(Alert, Alert.state, pw.fn.COUNT(Alert.id)).group_by(
        Alert.state).tuples())
    return {word: sum(by_state.get(state, 0) for state in states)
            for word, states in STATES.items()}


def episode(db: Connection, id_: int) -> Episode | None:
    """An episode; None for an unknown id."""
    found = _whole(db, list(db.select(Alert).where(Alert.id == id_)))
    return found[0] if found else None


def _whole(db: Connection, alerts: list[Alert]) -> list[Episode]:
    points = {point for alert in alerts for point in alert.points}
    results = {row.id: row for row in db.select(Result).where(Result.id.in_(points))} \
        if points else {}
    messages = pages.by_alert(db, Outbox, alerts, _MESSAGE)
    steps = pages.by_alert(db, AlertStep, alerts)
    return [Episode(alert=alert, results=[results[i] for i in alert.points if i in results],
                    messages=messages.get(alert.id, []), steps=steps.get(alert.id, []))
            for alert in alerts]


def neighbours(db: Connection, of: Alert) -> list[Alert]:
    """Other episodes of the source near in time, and the last ones of the same rule on it."""
    near = Alert.fired_jd.between(of.fired_jd - _BESIDE, of.fired_jd + _BESIDE)
    same = (Alert.rule == of.rule) & (Alert.band == of.band)
    return list(db.select(Alert).where(
        (Alert.source == of.source) & (near | same) & (Alert.id != of.id)
        & (Alert.state != AlertState.INACTIVE)).order_by(Alert.fired_jd.desc()).limit(_MOST_BESIDE))


def beside(db: Connection, of: Alert) -> tuple[int | None, int | None]:
    """The ids of the episodes that fired before and after one."""
    shown = Alert.state != AlertState.INACTIVE
    place = pw.Tuple(Alert.fired_at, Alert.id)
    mine = pw.Tuple(of.fired_at, of.id)
    before = db.select(Alert, Alert.id).where(shown & (place < mine)).order_by(
        Alert.fired_at.desc(), Alert.id.desc()).limit(1).scalar()
    after = db.select(Alert, Alert.id).where(shown & (place > mine)).order_by(
        Alert.fired_at, Alert.id).limit(1).scalar()
    return before, after


# Messages.

#: A message without its contents, of which a light curve is a part, but its subject.
_MESSAGE = (Outbox.id, Outbox.alert, Outbox.channel, Outbox.recipient, Outbox.state,
            Outbox.severity, Outbox.attempts, Outbox.last_error, Outbox.created_at, Outbox.sent_at,
            Outbox.held_until, Outbox.not_before, Outbox.digest, Outbox.dedup_key,
            in_json(Outbox.content, "subject").alias("about"),
            in_json(Outbox.content, "kind").alias("kind"))


@dataclass(frozen=True, kw_only=True)
class MessageFilter:
    """Which messages a page lists; empty: all."""

    channel: str = ""
    state: str = ""

    def where(self) -> Any:
        """The condition for a query; None for all."""
        wanted = [column == value for column, value in (
            (Outbox.channel, self.channel), (Outbox.state, self.state)) if value]
        return wanted[0] & wanted[1] if len(wanted) == 2 else wanted[0] if wanted else None


def messages(db: Connection, which: MessageFilter, number: int, size: int, *,
             total: int) -> Page:
    """Messages, the latest first; ``total``: how many the filter leaves."""
    query = db.select(Outbox, *_MESSAGE)
    if (where := which.where()) is not None:
        query = query.where(where)
    number = min(max(1, number), max(1, -(-total // size)))
    return Page(rows=list(query.order_by(Outbox.id.desc()).paginate(number, size)), number=number,
                total=total, size=size)


def message_counts(db: Connection) -> dict[tuple[str, str], int]:
    """How many messages there are, by channel and state."""
    rows = db.select(Outbox, Outbox.channel, Outbox.state, pw.fn.COUNT(Outbox.id)).group_by(
        Outbox.channel, Outbox.state).tuples()
    return {(channel, state): count for channel, state, count in rows}


def channels(counts: dict[tuple[str, str], int], known: Collection[str]) -> list[str]:
    """The channels that there are messages of, or that the site file has."""
    return sorted({*known, *(channel for channel, _ in counts)})


MESSAGE_STATES = tuple(state.value for state in MessageState)
