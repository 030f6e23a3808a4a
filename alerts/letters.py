"""The rows of the outbox: claimed one by one, then marked as sent, put off, or given up."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from peewee import Case, fn

from iop4d.alerts import recipients
from iop4d.alerts.channels.base import SendError
from iop4d.alerts.digest import IS_DIGEST, SEVERITY, Folder
from iop4d.config import Alerts
from iop4d.config.alerting import rank
from iop4d.store.database import Database, ambient
from iop4d.store.events import emit
from iop4d.store.schema import Outbox

log = logging.getLogger(__name__)

_DAY = 86400.0
_MOVES = 3  # times that a message follows its recipient at once
_SET_BACK = 60.0  # seconds by which a clock that is set right does not go back
#: A message at which the connection broke again and again must not hold up all others.
_STUCK = Case(None, [(Outbox.unsure & (Outbox.attempts >= 3), 1)], 0)
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
        self._latest = 0.0  # reading of the clock

    def due(self) -> tuple[list[str], float | None]:
        """The channels with messages that are due, and when the next other one will be."""
        now = self._clock()
        self._mend_times(now)
        with self._database.connected():
            firsts = (Outbox.select(Outbox.channel, fn.MIN(_DUE))
                      .where(Outbox.state == "queued").group_by(Outbox.channel).tuples())
            times = dict(firsts)
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
                   .order_by(_STUCK, SEVERITY.desc(), Outbox.id).limit(1).first()) is not None:
                if recipients.follow(channel, row.recipient):
                    continue
                rest = max(self._folder.rest(row, now),
                           recipients.rest(channel, row.recipient, now))
                if rest > now:
                    Outbox.update(not_before=rest).where(
                        self._is_due(channel) & (Outbox.recipient == row.recipient)
                        & (rank(row.severity) >= SEVERITY)).execute()
                    continue
                row = self._folder.fold(row, now) or row
                Outbox.update(attempts=row.attempts + 1, unsure=True).where(
                    Outbox.id == row.id).execute()
                return Letter(id=row.id, alert_id=row.alert_id, channel=row.channel,
                              recipient=row.recipient, message_id=row.message_id,
                              content=row.content, attempts=row.attempts + 1,
                              created_at=row.created_at, unsure=row.unsure)
            return None

    def mark_sent(self, letter: Letter) -> None:
        """A message was accepted."""
        now = self._clock()
        with self._database.write():
            Outbox.update(state="sent", sent_at=now, last_error="", unsure=False).where(
                Outbox.id == letter.id).execute()
            emit(ambient(), "mail", now, id=letter.id, alert=letter.alert_id,
                 channel=letter.channel, state="sent")

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
                recipients.move(letter.channel, letter.recipient, error.moved_to)
                soon = 0.0 if letter.attempts <= _MOVES else again
                Outbox.update(not_before=soon).where(Outbox.id == letter.id).execute()
                return
            if error.retry_after is not None:
                recipients.ask_rest(
                    letter.channel, "" if error.channel_down else letter.recipient, now, again)
            if error.permanent:
                self._give_up(Outbox.id == letter.id, now, error.reason)
                return
            mine = Outbox.id == letter.id
            if error.channel_down:
                mine = (Outbox.channel == letter.channel) & (Outbox.state == "queued")
            due = mine & (now >= _DUE)
            Outbox.update(
                not_before=again, last_error=error.reason,
                refused_at=fn.MIN(fn.COALESCE(Outbox.refused_at, now), now)).where(due).execute()
            self._give_up_old(mine, now, error.reason)

    def begin(self, site: Mapping[str, Collection[str]]) -> None:
        """The daemon starts: whoever starts it may have mended what kept messages back."""
        self.drop_strangers(site)
        with self._database.write():
            Outbox.update(held_until=0.0).where(
                (Outbox.state == "queued") & (Outbox.held_until > self._clock() + _DAY)).execute()
        self.resume()

    def drop_strangers(self, site: Mapping[str, Collection[str]]) -> None:
        """Drop what waits for nobody whom the site file names.

        ``site``: the recipients of each of its channels.
        """
        with self._database.write():
            for channel, names in site.items():
                if dropped := recipients.drop_strangers(channel, names):
                    log.warning("%d messages of channel '%s' are dropped: the site file does not "
                                "name their recipients any more", dropped, channel)

    def resume(self, channel: str | None = None) -> None:
        """Make every waiting message due, of one channel or of all."""
        which = Outbox.state == "queued"
        if channel is not None:
            which = which & (Outbox.channel == channel)
        with self._database.write():
            Outbox.update(not_before=0.0).where(which).execute()

    def _mend_times(self, now: float) -> None:
        """If the clock was set back, what waits for a time far ahead waits no longer for that."""
        back, self._latest = self._latest - now, now
        if back < _SET_BACK:
            return
        log.warning("the clock was set back by %.0f s", back)
        with self._database.write():
            Outbox.update(not_before=Outbox.not_before - back).where(
                (Outbox.state == "queued") & (Outbox.not_before > now)).execute()
            Outbox.update(held_until=Outbox.held_until - back).where(
                (Outbox.state == "queued") & (Outbox.held_until > now + _DAY)).execute()

    def _is_due(self, channel: str) -> Any:
        return ((Outbox.channel == channel) & (Outbox.state == "queued")
                & (self._clock() >= _DUE))

    def _pause(self, attempts: int) -> float:
        """Seconds before the next attempt: doubling, spread by a fifth so that they part."""
        settings = self._settings
        doubled = settings.retry_wait * 2.0 ** min(attempts - 1, 60)
        return min(doubled, settings.max_retry_wait) * random.uniform(0.8, 1.2)

    def _give_up_old(self, which: Any, now: float, reason: str) -> None:
        """Give up what was not accepted for days: of some messages, and of those told in them."""
        days = self._settings.give_up_days
        digests = [id_ for (id_,) in Outbox.select(Outbox.id).where(
            which & IS_DIGEST & ~Outbox.unsure).tuples()]
        told_in_them = (Outbox.state == "folded") & Outbox.digest.in_(digests)
        self._give_up((which | told_in_them) & (Outbox.refused_at <= now - days * _DAY), now,
                      f"given up after {days:g} days: {reason}")

    @staticmethod
    def _give_up(which: Any, now: float, reason: str) -> None:
        for row in list(Outbox.select().where(which & Outbox.state.in_(("queued", "folded")))):
            Outbox.update(state="failed", last_error=reason, given_up_at=now).where(
                Outbox.id == row.id).execute()
            emit(ambient(), "mail-failed", now, id=row.id, alert=row.alert_id,
                 channel=row.channel, reason=reason)
