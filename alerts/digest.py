"""Which message goes next, and how many: many that wait for one recipient become one digest."""

from __future__ import annotations

from iop4d.alerts import subject_line
from iop4d.alerts.notify import dedup_key
from iop4d.alerts.rendering import clean
from iop4d.config import Alerts
from iop4d.model.states import MessageKind
from iop4d.store import channel_state, outbox
from iop4d.store.database import Connection, Transaction
from iop4d.store.outbox import Extent, Foldable, Message
from iop4d.store.schema import Outbox

_WINDOW = 600.0  # seconds in which messages to a recipient are counted
_KEPT = 5  # of so many messages of that window only what is critical may use one
_LISTED = 40  # messages that a digest lists; the others are counted


def claim_next(tx: Transaction, channel: str, settings: Alerts, now: float) -> Message | None:
    """Claim the most severe, then oldest message of a channel that is due; None: there is none.

    Many that wait for one recipient become a digest; a recipient who got many lately waits.
    """
    outbox.unfold_due(tx, channel, now)
    while (row := outbox.most_severe_due(tx, channel, now)) is not None:
        if channel_state.follow_recipient(tx, channel, row.recipient):
            continue
        rest = max(_rest_until(tx, row, settings, now),
                   channel_state.rest_until(tx, channel, row.recipient, now))
        if rest > now:
            outbox.put_off_others(tx, row, now, rest)
            continue
        if (message := outbox.claim(tx, _digest_of(tx, row, settings, now) or row)) is not None:
            return message
    return None


def _rest_until(db: Connection, row: Outbox, settings: Alerts, now: float) -> float:
    """Until when a recipient has had enough messages (Unix seconds); in the past: no longer.

    A part of the messages of the ten minutes is kept for what is critical.
    """
    most = settings.max_per_10min
    if row.severity != "critical":
        most -= max(1, most // _KEPT)
    # Only up to now: others were sent before the clock was set back.
    sent = outbox.sent_times(db, row.channel, row.recipient, now - _WINDOW, now, most)
    return sent[-1] + _WINDOW if len(sent) >= most else 0.0


def _digest_of(tx: Transaction, row: Outbox, settings: Alerts, now: float) -> Outbox | None:
    """The digest that holds a message and those beside it; None: the message goes by itself.

    A message that may have been accepted is left as it is: a repeat has the same id. A digest
    that was refused and waits for its next try goes with what is new.
    """
    if not row.unsure and row.content.get("kind", MessageKind.ALERT) not in outbox.ALONE:
        outbox.unfold_waiting(tx, row.channel, row.recipient)
    if row.grouped_by:
        group = Foldable(channel=row.channel, recipient=row.recipient, now=now,
                         group=row.grouped_by)
        found = outbox.extent(tx, group)
        if found is not None and found.count > 1:
            return _fold(tx, row, group, found, late=False)
    everything = Foldable(channel=row.channel, recipient=row.recipient, now=now)
    found = outbox.extent(tx, everything)
    if found is None:
        return None
    late = found.count > 1 and now - found.oldest > 60.0 * settings.digest_after_minutes
    if found.count <= settings.digest_over and not late:
        return None
    return _fold(tx, row, everything, found, late=late)


def _fold(tx: Transaction, row: Outbox, which: Foldable, found: Extent, *, late: bool) -> Outbox:
    """The digest of these messages, of which ``row`` is one or stands beside them."""
    listed = outbox.most_severe(tx, which, _LISTED)
    first, _, _, severity = listed[0]
    mixed = found.least < found.most
    key = dedup_key("digest", row.channel, row.recipient, row.id, found.newest, which.now)
    return outbox.fold(
        tx, which, dedup_key=key, severity=severity, attempts=found.attempts,
        message_id=f"<iop4d.{key[:32]}@{row.message_id.rpartition('@')[2]}",
        content={"kind": MessageKind.DIGEST, "severity": severity, "total": found.count,
                 "late": late, "mixed": mixed, "since": found.oldest,
                 "subject": _subject(str(first or ""), found.count, late=late),
                 "items": [{"subject": clean(str(subject or ""), 160), "at": at,
                            "link": link or ""} for subject, at, link, _ in listed]})


def _subject(first: str, count: int, *, late: bool) -> str:
    """How many, and the first of them; the site stands last, as in theirs."""
    said = subject_line.body_of(first)
    site, _, tag = first[len(said):].strip(" []").rpartition(" #")
    return subject_line.subject(f"{count} {'delayed ' if late else ''}alerts: {said}", "",
                                site=site or tag)
