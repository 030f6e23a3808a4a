"""The rows of the outbox: claimed one by one, then marked as sent, put off, or given up."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from peewee import fn

from iop4d.alerts.transport import SendError
from iop4d.config import Alerts
from iop4d.store.database import Database
from iop4d.store.events import emit
from iop4d.store.schema import Outbox

_DAY = 86400.0


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A message to one recipient. ``attempts`` counts the one that is under way."""

    id: int
    alert_id: int | None
    channel: str
    recipient: str
    message_id: str
    content: dict[str, Any]
    attempts: int
    created_at: float


class Letters:
    """The outbox in the database. Every method runs on the database's thread."""

    def __init__(self, *, database: Database, settings: Alerts, clock: Callable[[], float]) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock

    def due(self) -> tuple[list[str], float | None]:
        """The channels with messages that are due, and when the next other one will be."""
        with self._database.connected():
            firsts = (Outbox.select(Outbox.channel, fn.MIN(Outbox.not_before))
                      .where(Outbox.state == "queued").group_by(Outbox.channel).tuples())
            times = dict(firsts)
        now = self._clock()
        later = [at for at in times.values() if at > now]
        return [name for name, at in times.items() if at <= now], min(later, default=None)

    def claim(self, channel: str) -> Letter | None:
        """Take the oldest message of a channel that is due; None when there is none."""
        with self._database.write():
            row = (Outbox.select().where(self._is_due(channel)).order_by(Outbox.id).limit(1)
                   .first())
            if row is None:
                return None
            Outbox.update(attempts=row.attempts + 1).where(Outbox.id == row.id).execute()
            return Letter(id=row.id, alert_id=row.alert_id, channel=row.channel,
                          recipient=row.recipient, message_id=row.message_id,
                          content=row.content, attempts=row.attempts + 1,
                          created_at=row.created_at)

    def mark_sent(self, letter: Letter) -> None:
        """A message was accepted."""
        now = self._clock()
        with self._database.write():
            Outbox.update(state="sent", sent_at=now, last_error="").where(
                Outbox.id == letter.id).execute()
            emit("mail", now, id=letter.id, alert=letter.alert_id, channel=letter.channel,
                 state="sent")

    def mark_refused(self, letter: Letter, error: SendError) -> None:
        """A message was not accepted: try it later, or give it up.

        With a channel that is down, its other messages that are due wait as long, untried.
        """
        now = self._clock()
        again = now + self._pause(letter.attempts)
        with self._database.write():
            if error.permanent:
                self._give_up(Outbox.id == letter.id, error.reason, now)
                return
            mine = Outbox.id == letter.id
            if error.channel_down:
                mine = (Outbox.channel == letter.channel) & (Outbox.state == "queued")
            due = mine & (Outbox.not_before <= now)
            Outbox.update(not_before=again, last_error=error.reason).where(due).execute()
            days = self._settings.give_up
            self._give_up(mine & (Outbox.created_at <= now - days * _DAY),
                          f"given up after {days:g} days: {error.reason}", now)

    def resume(self, channel: str | None = None) -> None:
        """Make every waiting message due, of one channel or of all."""
        which = Outbox.state == "queued"
        if channel is not None:
            which = which & (Outbox.channel == channel)
        with self._database.write():
            Outbox.update(not_before=0.0).where(which).execute()

    def _is_due(self, channel: str) -> Any:
        return ((Outbox.channel == channel) & (Outbox.state == "queued")
                & (Outbox.not_before <= self._clock()))

    def _pause(self, attempts: int) -> float:
        """Seconds before the next attempt: doubling, spread by a fifth so that they part."""
        settings = self._settings
        doubled = settings.retry_first * 2.0 ** min(attempts - 1, 60)
        return min(doubled, settings.retry_longest) * random.uniform(0.8, 1.2)

    @staticmethod
    def _give_up(which: Any, reason: str, now: float) -> None:
        for row in list(Outbox.select().where(which & (Outbox.state == "queued"))):
            Outbox.update(state="failed", last_error=reason).where(Outbox.id == row.id).execute()
            emit("mail-failed", now, id=row.id, alert=row.alert_id, channel=row.channel,
                 reason=reason)

