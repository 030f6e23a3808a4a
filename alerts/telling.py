"""Whom to tell of an alert, and when: messages put into the outbox, as the transaction's part."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr
from typing import Any
from zoneinfo import ZoneInfo

from iop4d.alerts import content
from iop4d.alerts.rules import Point, Watch
from iop4d.config import Channel, Site
from iop4d.config.alerting import rank
from iop4d.store.schema import Alert, AlertStep, Mute, Outbox

_JD_EPOCH = 2440587.5  # JD of the Unix epoch


class Teller:
    """Puts messages about alerts into the outbox. Inside the transaction that changes the alert."""

    def __init__(self, site: Site, clock: Callable[[], float]) -> None:
        self._site = site
        self._clock = clock
        self._channels = {channel.name: channel for channel in site.channel}

    def tell(self, watch: Watch, alert: Alert, kind: str, *, points: Sequence[Point] = (),
             ) -> bool:
        """Tell what became of an alert, unless it is muted or old; whether people are told.

        ``kind``: alert, again, ended or withdrawn. ``points``: those that say so, by the newest of
        which its age is judged; the ones that fired it, if not given. What is withdrawn is told
        to whoever was told of it, however old it is.
        """
        now = self._clock()
        newest = points[-1].jd if points else alert.fired_jd
        why = self._muted(watch, alert, now) or (
            "" if kind == "withdrawn" else self._too_old(watch, newest, now))
        if why:
            if alert.note != why and kind != "withdrawn":
                Alert.update(note=why).where(Alert.id == alert.id).execute()
            return False
        said = content.of_alert(self._site.site, watch, alert, kind, points)
        self.post(watch, alert, said, identity=(
            alert.rule, alert.source, alert.band, alert.episode, kind,
            int(now) if kind == "again" else 0), made_of=repr(alert.fired_jd))
        note = "" if kind == "alert" else alert.note
        Alert.update(told_at=now, note=note).where(Alert.id == alert.id).execute()
        return True

    def post(self, watch: Watch, alert: Alert, said: dict[str, Any], *,
             identity: tuple[object, ...], made_of: str) -> None:
        """A message to each recipient of a rule's channels; at most once for an identity."""
        now = self._clock()
        held = self.held_until(watch.rule.severity, now)
        for name in watch.rule.channels:
            channel = self._channels[name]
            for recipient in (*channel.to, *channel.bcc):
                key = digest(*identity, name, recipient)
                group = alert.source if watch.rule.group_wait else ""
                Outbox.insert(
                    dedup_key=key, alert=alert.id, channel=name, recipient=recipient,
                    message_id=message_id(key, made_of, channel), content=said, state="queued",
                    severity=watch.rule.severity, created_at=now, grouped_by=group,
                    held_until=max(held, self._gathered(watch, name, recipient, group)),
                ).on_conflict_ignore().execute()

    def _gathered(self, watch: Watch, channel: str, recipient: str, group: str) -> float:
        """Until when a message waits for others of its group: as long as the first one does."""
        if not group:
            return 0.0
        now = self._clock()
        first = Outbox.select(Outbox.held_until).where(
            (Outbox.state == "queued") & (Outbox.grouped_by == group)
            & (Outbox.channel == channel) & (Outbox.recipient == recipient)
            & (Outbox.held_until > now)).order_by(Outbox.id).limit(1).scalar()
        return first or now + watch.rule.group_wait

    def _muted(self, watch: Watch, alert: Alert, now: float) -> str:
        muted = watch.rule.muted or is_muted(alert.rule, alert.source, now)
        return "muted" if muted else ""

    def _too_old(self, watch: Watch, jd: float, now: float) -> str:
        """Why nobody is told of points that end at a JD; empty if people are."""
        limit = watch.rule.max_age if watch.rule.max_age >= 0 else self._site.alerts.max_age
        age = ((now / 86400.0 + _JD_EPOCH) - jd) * 24.0
        if limit and age > limit:
            return f"its points are older than {limit:g} h: nobody was told"
        return ""

    def held_until(self, severity: str, now: float) -> float:
        """When quiet hours end, if it is one of them and the severity does not pass; else 0."""
        settings = self._site.alerts
        if not settings.quiet or rank(severity) >= rank(settings.quiet_lets):
            return 0.0
        return quiet_end(settings.quiet, settings.quiet_zone, now)


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


def is_muted(rule: str, source: str, now: float) -> bool:
    """Whether people do not want to hear of a rule or source now."""
    return bool(Mute.select().where(
        (Mute.until > now) & Mute.rule.in_(("", rule)) & Mute.source.in_(("", source))).exists())


def step(alert: Alert, state: str, now: float, *, by: str = "", note: str = "") -> None:
    """A line of an alert's history."""
    AlertStep.create(alert=alert.id, at=now, state=state, by=by, note=note)


def digest(*parts: object) -> str:
    """What identifies a message."""
    return hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()


def message_id(key: str, made_of: str, channel: Channel) -> str:
    """An id that every attempt shares, so that a mail sent twice is known as one."""
    domain = parseaddr(channel.sender)[1].rpartition("@")[2]
    safe = "".join(c for c in domain if c.isascii() and (c.isalnum() or c in ".-"))
    return f"<iop4d.{digest(key, made_of)[:32]}@{safe or 'localhost'}>"
