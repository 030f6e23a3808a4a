"""Many messages at once become one digest, and nobody gets more than so many in ten minutes."""

from __future__ import annotations

from typing import Any

from peewee import Case, fn

from iop4d.alerts.notify import digest
from iop4d.alerts.rendering import clean
from iop4d.config import Alerts
from iop4d.config.alerting import SEVERITIES, rank
from iop4d.store.schema import Outbox

_WINDOW = 600.0  # seconds in which messages to a recipient are counted
_KEPT = 5  # of so many messages of that window only what is critical may use one
_LISTED = 40  # messages that a digest names; the others are counted
_ALONE = ("digest", "summary", "test")  # kinds of message that are no part of a digest
_KIND = fn.COALESCE(fn.json_extract(Outbox.content, "$.kind"), "alert")
IS_DIGEST = _KIND == "digest"
#: How severe a message is, for queries.
SEVERITY = Case(Outbox.severity, [(name, rank(name)) for name in SEVERITIES], 0)


class Folder:
    """Looks at what waits for a recipient. Inside the transaction that claims a message."""

    def __init__(self, settings: Alerts) -> None:
        self._settings = settings

    def rest(self, row: Outbox, now: float) -> float:
        """Until when a recipient is to be left alone (Unix seconds); in the past: no longer.

        A part of the messages of the ten minutes is kept for what is critical.
        """
        most = self._settings.max_per_10min
        if row.severity != "critical":
            most -= max(1, most // _KEPT)
        sent = [at for (at,) in Outbox.select(Outbox.sent_at).where(
            _of(row) & (Outbox.state == "sent") & (Outbox.sent_at > now - _WINDOW)
            & (Outbox.sent_at <= now))  # others were sent before the clock was set back
            .order_by(Outbox.sent_at.desc()).limit(most).tuples()]
        return sent[-1] + _WINDOW if len(sent) >= most else 0.0

    def unfold(self, due: Any) -> None:
        """Take digests that were refused apart, so that the next one tells what came since too."""
        for old in list(Outbox.select().where(
                due & IS_DIGEST & (Outbox.last_error != "") & ~Outbox.unsure)):
            Outbox.update(
                state="queued", digest=None, not_before=0.0, last_error=old.last_error,
                attempts=fn.MAX(Outbox.attempts, old.attempts),
                refused_at=fn.COALESCE(Outbox.refused_at, old.refused_at)).where(
                    (Outbox.digest == old.id) & (Outbox.state == "folded")).execute()
            Outbox.update(state="dropped", last_error=f"made anew: {old.last_error}").where(
                Outbox.id == old.id).execute()

    def fold(self, row: Outbox, now: float) -> Outbox | None:
        """The digest that says what a message and those beside it say; None: it goes by itself.

        A message that may have been accepted is left as it is: a repeat has the same id. A digest
        that was refused and waits for its next try goes with what is new.
        """
        if not row.unsure and row.content.get("kind", "alert") not in _ALONE:
            self.unfold(_of(row) & (Outbox.state == "queued"))
        mine = (_of(row) & (Outbox.state == "queued") & _foldable()
                & (Outbox.held_until <= now))  # and those that wait for another try
        if row.grouped_by and (made := self._gather(row, mine, now)) is not None:
            return made
        count, oldest = Outbox.select(fn.COUNT(Outbox.id), fn.MIN(Outbox.created_at)).where(
            mine).tuples().get()
        late = count > 1 and now - oldest > 60.0 * self._settings.digest_after_minutes
        if not (count > self._settings.digest_over or late):
            return None
        return self._made(row, mine, now, late=late)

    def _gather(self, row: Outbox, mine: Any, now: float) -> Outbox | None:
        """One message of those about the same source that waited for each other."""
        mine &= Outbox.grouped_by == row.grouped_by
        return self._made(row, mine, now, late=False) if Outbox.select().where(
            mine).count() > 1 else None

    def _made(self, row: Outbox, mine: Any, now: float, *, late: bool) -> Outbox:
        """The digest of these messages, of which ``row`` is one or stands beside them."""
        count, oldest, newest, tries, least, severest = Outbox.select(
            fn.COUNT(Outbox.id), fn.MIN(Outbox.created_at), fn.MAX(Outbox.id),
            fn.MAX(Outbox.attempts), fn.MIN(SEVERITY), fn.MAX(SEVERITY)).where(mine).tuples().get()
        named = list(Outbox.select(
            fn.json_extract(Outbox.content, "$.subject"), Outbox.created_at,
            fn.json_extract(Outbox.content, "$.links.alerts"), Outbox.severity).where(mine)
            .order_by(SEVERITY.desc(), Outbox.id.desc()).limit(_LISTED).tuples())
        first, *_, severity = named[0]
        mixed = least < severest
        key = digest("digest", row.channel, row.recipient, row.id, newest, now)
        made: Outbox = Outbox.create(
            dedup_key=key, channel=row.channel, recipient=row.recipient, state="queued",
            severity=severity, attempts=tries,
            message_id=f"<iop4d.{key[:32]}@{row.message_id.rpartition('@')[2]}", created_at=now,
            content={"kind": "digest", "severity": severity, "total": count, "late": late,
                     "mixed": mixed, "subject": _subject(str(first or ""), count, mixed=mixed),
                     "since": oldest,
                     "items": [{"subject": clean(str(said or ""), 160), "at": at,
                                "link": link or ""} for said, at, link, _ in named]})
        Outbox.update(state="folded", digest=made.id).where(mine & (Outbox.id <= newest)).execute()
        return made


def _subject(first: str, count: int, *, mixed: bool) -> str:
    site = first[:first.find("]") + 1] if first.startswith("[") else ""
    which = "the severest" if mixed else "the last"
    return clean(f"{site} {count} alerts, {which}: {first[len(site):].strip()}".strip())


def _of(row: Outbox) -> Any:
    return (Outbox.channel == row.channel) & (Outbox.recipient == row.recipient)


def _foldable() -> Any:
    return _KIND.not_in(_ALONE) & ~Outbox.unsure
