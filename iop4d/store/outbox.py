"""Messages to people: rows that are queued, claimed, and marked as sent, put off or given up."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from peewee import Case, fn

from iop4d.config.alerting import SEVERITIES, rank
from iop4d.model.states import MessageKind, MessageState
from iop4d.store.channel_state import known_recipients
from iop4d.store.database import Connection, Transaction
from iop4d.store.events import emit
from iop4d.store.schema import Outbox
from iop4d.store.statement import Statement
from iop4d.store.table import in_json, larger

_DAY = 86400.0
_UNCONFIRMED = 2 * _DAY  # seconds for which an unconfirmed message begins a thread
#: Kinds of message that are never part of a digest.
ALONE = (MessageKind.DIGEST, MessageKind.SUMMARY, MessageKind.TEST)

_QUEUED = Outbox.state == MessageState.QUEUED
_KIND = fn.COALESCE(in_json(Outbox.content, "kind"), MessageKind.ALERT.value)
_IS_DIGEST = _KIND == MessageKind.DIGEST
_SEVERITY = Case(Outbox.severity, [(name, rank(name)) for name in SEVERITIES], 0)
_DUE_AT = larger(Outbox.not_before, Outbox.held_until)
_DUE_TIMES = Statement(lambda _: Outbox.select(Outbox.channel, fn.MIN(_DUE_AT)).where(
    _QUEUED).group_by(Outbox.channel))
#: A message at which the connection broke again and again must not hold up all others.
_STUCK = Case(None, [(Outbox.unsure & (Outbox.attempts >= 3), 1)], 0)


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message that was claimed. ``attempts`` counts the one that is under way."""

    id: int
    alert_id: int | None
    channel: str
    recipient: str
    message_id: str
    content: dict[str, Any]
    attempts: int
    created_at: float
    unsure: bool = False  # an earlier attempt may have been accepted
    first_id: str = ""  # of the first message about its alert, if it is a later one


# Queueing.


def queue(tx: Transaction, *, dedup_key: str, **columns: Any) -> int:
    """Queue a message unless one of its key is there already; the id of the one that is there."""
    tx.insert(Outbox, dedup_key=dedup_key, state=MessageState.QUEUED,
              **columns).on_conflict_ignore().execute()
    return int(tx.select(Outbox, Outbox.id).where(Outbox.dedup_key == dedup_key).scalar())


def group_held_until(db: Connection, channel: str, recipient: str, group: str,
                     now: float) -> float | None:
    """Until when the first message of a group waits for the others; None if there is none."""
    held: float | None = db.select(Outbox, Outbox.held_until).where(
        _QUEUED & (Outbox.grouped_by == group) & (Outbox.channel == channel)
        & (Outbox.recipient == recipient) & (Outbox.held_until > now)
    ).order_by(Outbox.id).limit(1).scalar()
    return held


# Claiming.


def due_times(db: Connection) -> dict[str, float]:
    """When the first waiting message of each channel is due."""
    return dict(db.tuples(_DUE_TIMES))


def most_severe_due(db: Connection, channel: str, now: float) -> Outbox | None:
    """The most severe, then oldest message of a channel that is due."""
    row: Outbox | None = db.select(Outbox).where(_is_due(channel, now)).order_by(
        _STUCK, _SEVERITY.desc(), Outbox.id).limit(1).first()
    return row


def claim(tx: Transaction, row: Outbox) -> Message | None:
    """Begin an attempt at a message; None if it is not queued any more.

    From now on it may have been accepted, until its outcome is noted.
    """
    claimed = tx.update(Outbox, attempts=row.attempts + 1, unsure=True).where(
        _QUEUED & (Outbox.id == row.id) & (Outbox.attempts == row.attempts)).execute()
    return Message(
        id=row.id, alert_id=row.alert_id, channel=row.channel, recipient=row.recipient,
        message_id=row.message_id, content=row.content, attempts=row.attempts + 1,
        created_at=row.created_at, unsure=row.unsure,
        first_id=_first_id(tx, row)) if claimed else None


def _first_id(db: Connection, row: Outbox) -> str:
    """The id of the first message that told a recipient of an alert; empty if it is this one.

    One that went in a digest has the digest's. One that was given up still names the thread. An
    unconfirmed one of days ago does not: it was about an earlier point, which nothing confirmed.
    """
    if row.alert_id is None:
        return ""
    first = db.select(Outbox).where(
        _to(row.channel, row.recipient) & (Outbox.alert == row.alert_id)
        & (Outbox.state != MessageState.DROPPED) & (Outbox.id < row.id)
        & ((_KIND != MessageKind.PENDING) | (Outbox.created_at >= row.created_at - _UNCONFIRMED))
    ).order_by(Outbox.id).limit(1).first()
    if first is not None and first.state == MessageState.FOLDED:
        first = db.by_id(Outbox, first.digest)
    return first.message_id if first is not None else ""


def sent_times(db: Connection, channel: str, recipient: str, since: float, until: float,
               limit: int) -> list[float]:
    """When the last messages to a recipient were accepted, the latest first."""
    return [at for (at,) in db.select(Outbox, Outbox.sent_at).where(
        _to(channel, recipient) & (Outbox.state == MessageState.SENT)
        & (Outbox.sent_at > since) & (Outbox.sent_at <= until)
    ).order_by(Outbox.sent_at.desc()).limit(limit).tuples()]


def put_off_others(tx: Transaction, row: Outbox, now: float, until: float) -> None:
    """Put off what is due for a message's recipient and is no more severe than that message."""
    tx.update(Outbox, not_before=until).where(
        _is_due(row.channel, now) & (Outbox.recipient == row.recipient)
        & (rank(row.severity) >= _SEVERITY)).execute()


# Digests.


@dataclass(frozen=True, kw_only=True)
class Foldable:
    """The messages to a recipient that may go in one digest now: those of a group, or all.

    Also those that wait for another try; but none that may have been accepted, whose repeat must
    have the same id.
    """

    channel: str
    recipient: str
    now: float
    group: str = ""

    def where(self) -> Any:
        """The condition for a query."""
        mine = (_to(self.channel, self.recipient) & _QUEUED & _KIND.not_in(ALONE)
                & ~Outbox.unsure & (Outbox.held_until <= self.now))
        return mine & (Outbox.grouped_by == self.group) if self.group else mine


@dataclass(frozen=True, kw_only=True)
class Extent:
    """Of some messages: how many, when the first was made, the newest id, the most attempts, and
    the ranks of the least and the most severe."""

    count: int
    oldest: float
    newest: int
    attempts: int
    least: int
    most: int


def extent(db: Connection, which: Foldable) -> Extent | None:
    """The extent of messages; None if there are none."""
    count, *others = db.select(
        Outbox, fn.COUNT(Outbox.id), fn.MIN(Outbox.created_at), fn.MAX(Outbox.id),
        fn.MAX(Outbox.attempts), fn.MIN(_SEVERITY), fn.MAX(_SEVERITY)
    ).where(which.where()).tuples().get()
    names = ("oldest", "newest", "attempts", "least", "most")
    return Extent(count=count, **dict(zip(names, others, strict=True))) if count else None


def most_severe(db: Connection, which: Foldable, limit: int) -> list[
        tuple[Any, float, Any, str]]:
    """Subject, time, link and severity of messages: the most severe first, then the newest."""
    return list(db.select(
        Outbox, in_json(Outbox.content, "subject"), Outbox.created_at,
        in_json(Outbox.content, "links.alerts"), Outbox.severity
    ).where(which.where()).order_by(_SEVERITY.desc(), Outbox.id.desc()).limit(limit).tuples())


def fold(tx: Transaction, which: Foldable, **columns: Any) -> Outbox:
    """A digest with these columns, in the place of messages."""
    made = tx.create(Outbox, state=MessageState.QUEUED, channel=which.channel,
                     recipient=which.recipient, created_at=which.now, **columns)
    tx.update(Outbox, state=MessageState.FOLDED, digest=made.id).where(which.where()).execute()
    return made


def unfold_due(tx: Transaction, channel: str, now: float) -> None:
    """Take the due digests of a channel apart that were refused.

    So the next one holds what came since as well. One that may have been accepted is left.
    """
    _unfold(tx, _is_due(channel, now))


def unfold_waiting(tx: Transaction, channel: str, recipient: str) -> None:
    """Take the digests to a recipient apart that were refused, due or not."""
    _unfold(tx, _to(channel, recipient) & _QUEUED)


def _unfold(tx: Transaction, which: Any) -> None:
    for old in list(tx.select(Outbox).where(
            which & _IS_DIGEST & (Outbox.last_error != "") & ~Outbox.unsure)):
        tx.update(
            Outbox, state=MessageState.QUEUED, digest=None, not_before=0.0,
            last_error=old.last_error, attempts=larger(Outbox.attempts, old.attempts),
            refused_at=fn.COALESCE(Outbox.refused_at, old.refused_at)).where(
                (Outbox.digest == old.id) & (Outbox.state == MessageState.FOLDED)).execute()
        tx.update(Outbox, state=MessageState.DROPPED,
                  last_error=f"replaced by a newer digest: {old.last_error}").where(
                      Outbox.id == old.id).execute()


# Outcomes.


def mark_sent(tx: Transaction, message: Message, now: float) -> None:
    """A message was accepted."""
    tx.update(Outbox, state=MessageState.SENT, sent_at=now, last_error="", unsure=False).where(
        Outbox.id == message.id).execute()
    emit(tx, "mail", now, id=message.id, alert=message.alert_id, channel=message.channel,
         state="sent")


def mark_tried(tx: Transaction, message: Message, *, unsure: bool) -> None:
    """The outcome of an attempt is known; ``unsure``: but for whether it was accepted."""
    tx.update(Outbox, unsure=unsure).where(Outbox.id == message.id).execute()


def put_off(tx: Transaction, message: Message, until: float) -> None:
    """Try a message again no sooner than ``until``."""
    tx.update(Outbox, not_before=until).where(Outbox.id == message.id).execute()


def mark_refused(tx: Transaction, message: Message, now: float, *, again: float, reason: str,
                 channel_down: bool, give_up_days: float) -> None:
    """Try a message again, or give it up if it has been refused for days.

    With a channel that is down, its other messages that are due wait as long, untried.
    """
    mine = (Outbox.channel == message.channel) & _QUEUED if channel_down else (
        Outbox.id == message.id)
    tx.update(Outbox, not_before=again, last_error=reason,
              refused_at=Case(None, [(Outbox.refused_at < now, Outbox.refused_at)], now)).where(
                  mine & (now >= _DUE_AT)).execute()
    digests = [id_ for (id_,) in tx.select(Outbox, Outbox.id).where(
        mine & _IS_DIGEST & ~Outbox.unsure).tuples()]
    folded = (Outbox.state == MessageState.FOLDED) & Outbox.digest.in_(digests)
    _give_up(tx, (mine | folded) & (Outbox.refused_at <= now - give_up_days * _DAY), now,
             f"given up after {give_up_days:g} days: {reason}")


def give_up(tx: Transaction, message: Message, now: float, reason: str) -> None:
    """A message was refused for good."""
    _give_up(tx, Outbox.id == message.id, now, reason)


def _give_up(tx: Transaction, which: Any, now: float, reason: str) -> None:
    for row in list(tx.select(Outbox).where(
            which & Outbox.state.in_((MessageState.QUEUED, MessageState.FOLDED)))):
        tx.update(Outbox, state=MessageState.FAILED, last_error=reason, given_up_at=now).where(
            Outbox.id == row.id).execute()
        emit(tx, "mail-failed", now, id=row.id, alert=row.alert_id, channel=row.channel,
             reason=reason)


# Upkeep.


def release_held(tx: Transaction, later_than: float) -> None:
    """Let go what is held for longer than quiet hours last: a clock was ahead."""
    tx.update(Outbox, held_until=0.0).where(_QUEUED & (Outbox.held_until > later_than)).execute()


def resume(tx: Transaction, channel: str | None = None) -> None:
    """Make every waiting message due, of one channel or of all."""
    which = _QUEUED if channel is None else _QUEUED & (Outbox.channel == channel)
    tx.update(Outbox, not_before=0.0).where(which).execute()


def follow_clock(tx: Transaction, back: float, now: float) -> None:
    """The clock was set back by so many seconds: what waits for a time far ahead waits as long
    as before."""
    tx.update(Outbox, not_before=Outbox.not_before - back).where(
        _QUEUED & (Outbox.not_before > now)).execute()
    tx.update(Outbox, held_until=Outbox.held_until - back).where(
        _QUEUED & (Outbox.held_until > now + _DAY)).execute()


def drop_unlisted(tx: Transaction, listed: Mapping[str, Collection[str]]) -> dict[str, int]:
    """Drop what waits for those whom the site file does not list; how many of which channels.

    ``listed``: the recipients of each channel. Those who moved count under all their names. What
    was given up for those who are not listed is not undelivered any more.
    """
    dropped = {}
    for channel, recipients in listed.items():
        strange = (Outbox.channel == channel) & Outbox.recipient.not_in(
            known_recipients(tx, channel, recipients))
        tx.update(Outbox, given_up_at=None).where(
            strange & (Outbox.state == MessageState.FAILED)).execute()
        count = tx.update(
            Outbox, state=MessageState.DROPPED,
            last_error="the site file does not list this recipient any more").where(
                strange & _QUEUED).execute()
        if count:
            dropped[channel] = int(count)
    return dropped


# Conditions.


def _is_due(channel: str, now: float) -> Any:
    return (Outbox.channel == channel) & _QUEUED & (now >= _DUE_AT)


def _to(channel: str, recipient: str) -> Any:
    return (Outbox.channel == channel) & (Outbox.recipient == recipient)
