"""Whom to notify of an alert, and when: rows of the outbox, in the transaction of the alert."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from iop4d.alerts import compose
from iop4d.alerts.rules import CompiledRule, RulePoint
from iop4d.config import Channel, Site
from iop4d.config.alerting import rank
from iop4d.model.units import jd_of_unix
from iop4d.store import mutes, outbox
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Alert


class Notifier:
    """Puts messages about alerts into the outbox, in the transaction that changes the alert."""

    def __init__(self, site: Site, clock: Callable[[], float]) -> None:
        self._site = site
        self._clock = clock
        self._channels = {channel.name: channel for channel in site.channel}

    def notify(self, tx: Transaction, watch: CompiledRule, alert: Alert, kind: str, *,
               points: Sequence[RulePoint] = ()) -> bool:
        """Notify people of an alert unless it is muted or old; whether they are notified.

        ``kind``: alert, again, ended or withdrawn. ``points``: those that say so, by the newest of
        which its age is judged; the ones that fired it, if not given. Whoever was notified of an
        alert is notified of its withdrawal, however old it is.
        """
        now = self._clock()
        newest = points[-1].jd if points else alert.fired_jd
        muted = watch.rule.muted or mutes.is_muted(tx, alert.rule, alert.source, now)
        why = "muted" if muted else (
            "" if kind == "withdrawn" else self._too_old(watch, newest, now))
        if why:
            if alert.note != why and kind != "withdrawn":
                tx.update(Alert, note=why).where(Alert.id == alert.id).execute()
            return False
        content = compose.of_alert(tx, self._site.site, watch, alert, kind, points)
        self.post(tx, watch, alert, content, identity=(
            alert.rule, alert.source, alert.band, alert.episode, kind,
            int(now) if kind == "again" else 0), made_of=repr(alert.fired_jd))
        note = "" if kind == "alert" else alert.note
        tx.update(Alert, told_at=now, note=note).where(Alert.id == alert.id).execute()
        return True

    def post(self, tx: Transaction, watch: CompiledRule, alert: Alert, content: dict[str, Any], *,
             identity: tuple[object, ...], made_of: str) -> None:
        """A message to each recipient of a rule's channels; at most once for an identity."""
        now = self._clock()
        held = self._held_until(watch.rule.severity, now)
        for name in watch.rule.channels:
            channel = self._channels[name]
            for recipient in channel.recipients:
                key = dedup_key(*identity, name, recipient)
                group = alert.source if watch.rule.group_wait else ""
                outbox.queue(
                    tx, dedup_key=key, alert=alert.id, channel=name, recipient=recipient,
                    message_id=message_id(key, made_of, channel), content=content,
                    severity=watch.rule.severity, created_at=now, grouped_by=group,
                    held_until=max(held, self._gathered(tx, watch, name, recipient, group)))

    def _gathered(self, db: Connection, watch: CompiledRule, channel: str, recipient: str,
                  group: str) -> float:
        """Until when a message waits for others of its group: as long as the first one does."""
        if not group:
            return 0.0
        now = self._clock()
        first = outbox.group_held_until(db, channel, recipient, group, now)
        return first or now + watch.rule.group_wait

    def _too_old(self, watch: CompiledRule, jd: float, now: float) -> str:
        """Why nobody is notified of points that end at a JD; empty if people are."""
        own = watch.rule.max_age_hours
        limit = own if own >= 0 else self._site.alerts.max_age_hours
        age = (jd_of_unix(now) - jd) * 24.0
        if limit and age > limit:
            return f"its points are older than {limit:g} h: nobody was notified"
        return ""

    def _held_until(self, severity: str, now: float) -> float:
        """When quiet hours end, if it is one of them and the severity does not pass; else 0."""
        settings = self._site.alerts
        if not settings.quiet_hours or rank(severity) >= rank(settings.quiet_min_severity):
            return 0.0
        return quiet_end(settings.quiet_hours, settings.quiet_timezone, now)


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
