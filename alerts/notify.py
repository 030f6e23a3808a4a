"""Whom to notify of an alert, and when: rows of the outbox, in the transaction of the alert."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from iop4d.alerts import compose
from iop4d.alerts.episodes import first_name
from iop4d.alerts.rules import CompiledRule, RulePoint
from iop4d.config import Channel, Site
from iop4d.config.alerting import rank
from iop4d.model.states import MessageKind
from iop4d.model.units import jd_of_unix
from iop4d.store import alerts, outbox
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Alert

#: Kinds of message of which an episode may have several.
_REPEATED = (MessageKind.PENDING, MessageKind.REMINDER)


class Notifier:
    """Puts messages about alerts into the outbox, in the transaction that changes the alert."""

    def __init__(self, site: Site, clock: Callable[[], float]) -> None:
        self._site = site
        self._clock = clock
        self._channels = {channel.name: channel for channel in site.channel}
        self.queued = 0  # messages, since this was made

    def notify(self, tx: Transaction, compiled: CompiledRule, alert: Alert, kind: MessageKind, *,
               points: Sequence[RulePoint] = (), over_jd: float | None = None) -> bool:
        """Notify people of an alert unless it is muted or old; whether they are notified.

        ``kind``: one of ``compose.OF_POINTS``. ``points``: those that the message shows, by
        the newest of which its age is judged; the ones that fired it, if not given. Whoever was
        notified of an alert is notified of its withdrawal, however old it is. ``over_jd``: when an
        alert ended that was over when it was found.
        """
        withdrawn = kind == MessageKind.WITHDRAWN
        newest = points[-1].jd if points else alert.fired_jd
        why_not = self._muted(tx, compiled, alert) or (
            "" if withdrawn else self._too_old(compiled, newest))
        if why_not:
            if not withdrawn:
                _note(tx, alert, why_not)
            return False
        content = compose.of_alert(tx, self._site.site, compiled, alert, kind, points,
                                   over_jd=over_jd)
        self._queue(tx, compiled, alert, kind, content, made_of=repr(alert.fired_jd))
        alerts.update(tx, alert, notified_at=self._clock(),
                      note="" if kind == MessageKind.ALERT else alert.note)
        return True

    def notify_of_system(self, tx: Transaction, compiled: CompiledRule, alert: Alert,
                         kind: MessageKind, *, value: float, reason: str,
                         without: str = "") -> None:
        """Notify people of an alert of the system, unless it is muted. ``reason``: of the value;
        ``without``: why it ended, if it did without the frame that was missing."""
        if why_not := self._muted(tx, compiled, alert):
            _note(tx, alert, why_not)
            return
        content = compose.of_system(self._site.site, compiled, alert, kind, value, reason,
                                    without=without)
        self._queue(tx, compiled, alert, kind, content, made_of=repr(alert.fired_at))
        alerts.update(tx, alert, notified_at=self._clock(), note="")

    def _queue(self, tx: Transaction, compiled: CompiledRule, alert: Alert, kind: MessageKind,
               content: dict[str, Any], *, made_of: str) -> None:
        """A message to each recipient of a rule's channels; a reminder apart, only one of a kind.
        """
        rule, now = compiled.rule, self._clock()
        held = self._held_until(rule.severity, now)
        group = alert.source if rule.group_wait else ""
        for name in rule.channels:
            channel = self._channels[name]
            for recipient in channel.recipients:
                key = dedup_key(alert.rule, first_name(alert), alert.band, alert.episode, kind,
                                int(now) if kind in _REPEATED else 0, name, recipient)
                self.queued += 1
                outbox.queue(
                    tx, dedup_key=key, alert=alert.id, channel=name, recipient=recipient,
                    message_id=message_id(key, made_of, channel), content=content,
                    severity=rule.severity, created_at=now, grouped_by=group, held_until=max(
                        held, self._group_held_until(tx, compiled, name, recipient, group)))

    def _group_held_until(self, db: Connection, compiled: CompiledRule, channel: str,
                          recipient: str, group: str) -> float:
        """Until when a message waits for others of its group: as long as the first one does."""
        if not group:
            return 0.0
        now = self._clock()
        first = outbox.group_held_until(db, channel, recipient, group, now)
        return first or now + compiled.rule.group_wait

    def _muted(self, db: Connection, compiled: CompiledRule, alert: Alert) -> str:
        muted = compiled.rule.muted or alerts.is_muted(db, alert.rule, alert.source, self._clock())
        return "muted" if muted else ""

    def _too_old(self, compiled: CompiledRule, jd: float) -> str:
        """Why no message is sent about points that end at a JD; empty if one is."""
        own = compiled.rule.max_age_hours
        limit = own if own >= 0 else self._site.alerts.max_age_hours
        age = (jd_of_unix(self._clock()) - jd) * 24.0
        if limit and age > limit:
            return f"its points are older than {limit:g} h: no message was sent"
        return ""

    def _held_until(self, severity: str, now: float) -> float:
        """When quiet hours end, if it is one of them and the severity does not pass; else 0."""
        settings = self._site.alerts
        if not settings.quiet_hours or rank(severity) >= rank(settings.quiet_min_severity):
            return 0.0
        return quiet_end(settings.quiet_hours, settings.quiet_timezone, now)


def _note(tx: Transaction, alert: Alert, note: str) -> None:
    if alert.note != note:
        alerts.update(tx, alert, note=note)


def quiet_end(hours: str, zone: str, now: float) -> float:
    """The end of the quiet hours that hold now (Unix seconds); 0 if none do.

    Across a change of the clocks the end is the wall clock's, as people mean it.
    """
    start, end = (timedelta(hours=int(text[:2]), minutes=int(text[3:]))
                  for text in hours.split("-"))
    here = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(zone))
    today = here.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    for days in (-1, 0):
        begins = today + timedelta(days=days) + start
        ends = today + timedelta(days=days + (end <= start)) + end
        if begins <= here.replace(tzinfo=None) < ends:
            return ends.replace(tzinfo=ZoneInfo(zone)).timestamp()
    return 0.0


def dedup_key(*parts: object) -> str:
    """What identifies a message."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()


def message_id(key: str, made_of: str, channel: Channel) -> str:
    """An id that every attempt shares, so that a mail sent twice is recognised as one."""
    safe = "".join(c for c in channel.domain if c.isascii() and (c.isalnum() or c in ".-"))
    return f"<iop4d.{dedup_key(key, made_of)[:32]}@{safe or 'localhost'}>"
