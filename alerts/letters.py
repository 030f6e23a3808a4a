"""The rows of the outbox: claimed one by one, then marked as sent, put off, or given up."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from peewee import Case, fn

from iop4d.alerts.folding import Folder
from iop4d.alerts.transport import SendError
from iop4d.config import Alerts
from iop4d.config.alerting import SEVERITIES, rank
from iop4d.store.alertschema import ChannelState, Outbox
from iop4d.store.database import Database
from iop4d.store.events import emit

_DAY = 86400.0
_SEVERITY = Case(Outbox.severity, [(name, rank(name)) for name in SEVERITIES], 0)
_DUE = fn.MAX(Outbox.not_before, Outbox.held_until)  # of two columns: the larger


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
    unsure: bool = False  # an earlier attempt may have been accepted


class Letters:
    """The outbox in the database. Every method runs on the database's thread."""

    def __init__(self, *, database: Database, settings: Alerts, clock: Callable[[], float]) -> None:
        self._database = database
        self._settings = settings
        self._clock = clock
        self._folder = Folder(settings)

    def due(self) -> tuple[list[str], float | None]:
        """The channels with messages that are due, and when the next other one will be."""
        with self._database.connected():
            firsts = (Outbox.select(Outbox.channel, fn.MIN(_DUE))
                      .where(Outbox.state == "queued").group_by(Outbox.channel).tuples())
            times = dict(firsts)
        now = self._clock()
        later = [at for at in times.values() if at > now]
        return [name for name, at in times.items() if at <= now], min(later, default=None)

    def claim(self, channel: str) -> Letter | None:
        """Take the severest, then oldest message of a channel that is due; None: there is none.

        Many that wait for one recipient become a digest; a recipient who got many of late waits.
        """
        with self._database.write():
            now = self._clock()
            self._folder.unfold(self._is_due(channel))
            while (row := Outbox.select().where(self._is_due(channel))
                   .order_by(_SEVERITY.desc(), Outbox.id).limit(1).first()) is not None:
                if (rest := max(self._folder.rest(row, now), self._asked(row))) > now:
                    Outbox.update(not_before=rest).where(
                        self._is_due(channel) & (Outbox.recipient == row.recipient)).execute()
                    continue
                row = self._folder.fold(row, now) or row
                to = _now_at(row)
                Outbox.update(attempts=row.attempts + 1, recipient=to, unsure=True).where(
                    Outbox.id == row.id).execute()
                return Letter(id=row.id, alert_id=row.alert_id, channel=row.channel,
                              recipient=to, message_id=row.message_id,
                              content=row.content, attempts=row.attempts + 1,
                              created_at=row.created_at, unsure=row.unsure)
            return None

    def mark_sent(self, letter: Letter) -> None:
        """A message was accepted."""
        now = self._clock()
        with self._database.write():
            Outbox.update(state="sent", sent_at=now, last_error="", unsure=False).where(
                Outbox.id == letter.id).execute()
            emit("mail", now, id=letter.id, alert=letter.alert_id, channel=letter.channel,
                 state="sent")

    def mark_refused(self, letter: Letter, error: SendError) -> None:
        """A message was not accepted: try it later, or give it up.

        With a channel that is down, its other messages that are due wait as long, untried.
        """
        now = self._clock()
        again = now + (self._pause(letter.attempts) if error.retry_after is None
                       else max(error.retry_after, 1.0))
        with self._database.write():
            Outbox.update(unsure=letter.unsure or error.unsure).where(
                Outbox.id == letter.id).execute()
            if error.moved_to:
                self._move(letter, error.moved_to)
                return
            if error.retry_after is not None:
                self._ask_rest(letter, "" if error.channel_down else letter.recipient, again)
            if error.permanent:
                self._give_up(Outbox.id == letter.id, error.reason, now)
                return
            mine = Outbox.id == letter.id
            if error.channel_down:
                mine = (Outbox.channel == letter.channel) & (Outbox.state == "queued")
            due = mine & (now >= _DUE)
            Outbox.update(not_before=again, last_error=error.reason).where(due).execute()
            days = self._settings.give_up
            self._give_up(mine & (Outbox.created_at <= now - days * _DAY),
                          f"given up after {days:g} days: {error.reason}", now)

    def _move(self, letter: Letter, to: str) -> None:
        """A recipient goes by another name now: what waits follows, and later messages too."""
        Outbox.update(recipient=to, not_before=0.0).where(
            (Outbox.channel == letter.channel) & (Outbox.recipient == letter.recipient)
            & (Outbox.state == "queued")).execute()
        ChannelState.insert(channel=letter.channel, name=f"moved {letter.recipient}",
                            value=to).on_conflict_replace().execute()

    def _ask_rest(self, letter: Letter, recipient: str, until: float) -> None:
        """A server asked to be left alone, by a recipient or as a whole; a restart heeds it too."""
        ChannelState.insert(channel=letter.channel, name=f"rest {recipient}".rstrip(),
                            value=repr(until)).on_conflict_replace().execute()

    def _asked(self, row: Outbox) -> float:
        """Until when the server wants to be left alone (Unix seconds)."""
        names = ("rest", f"rest {_now_at(row)}")
        asked = [float(value) for (value,) in ChannelState.select(ChannelState.value).where(
            (ChannelState.channel == row.channel) & ChannelState.name.in_(names)).tuples()]
        return max(asked, default=0.0)

    def resume(self, channel: str | None = None) -> None:
        """Make every waiting message due, of one channel or of all."""
        which = Outbox.state == "queued"
        if channel is not None:
            which = which & (Outbox.channel == channel)
        with self._database.write():
            Outbox.update(not_before=0.0).where(which).execute()

    def _is_due(self, channel: str) -> Any:
        return ((Outbox.channel == channel) & (Outbox.state == "queued")
                & (self._clock() >= _DUE))

    def _pause(self, attempts: int) -> float:
        """Seconds before the next attempt: doubling, spread by a fifth so that they part."""
        settings = self._settings
        doubled = settings.retry_first * 2.0 ** min(attempts - 1, 60)
        return min(doubled, settings.retry_longest) * random.uniform(0.8, 1.2)

    @staticmethod
    def _give_up(which: Any, reason: str, now: float) -> None:
        for row in list(Outbox.select().where(which & (Outbox.state == "queued"))):
            Outbox.update(state="failed", last_error=reason, given_up_at=now).where(
                Outbox.id == row.id).execute()
            emit("mail-failed", now, id=row.id, alert=row.alert_id, channel=row.channel,
                 reason=reason)


def _now_at(row: Outbox) -> str:
    """By what name a recipient goes now."""
    moved = ChannelState.get_or_none((ChannelState.channel == row.channel)
                                     & (ChannelState.name == f"moved {row.recipient}"))
    return str(moved.value if moved else row.recipient)
