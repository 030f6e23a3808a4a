"""Judges the rules in the transaction that writes results, and leaves alerts and mails as rows.

Firing and ending are both recorded in the alert's row, and told on the page by an event. Mail goes
out for firing alone, one to each recipient: that a source is back is no reason to wake anybody,
and with hysteresis it comes hours later.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from email.utils import parseaddr
from typing import Any

from iop4d.alerts import content
from iop4d.alerts.rules import Edge, History, Phase, Point, Standing, Watch, judge, understand
from iop4d.config import Channel, Site
from iop4d.model.source import SourceKind
from iop4d.store import catalogue
from iop4d.store.catalogue import canonical
from iop4d.store.events import emit
from iop4d.store.schema import Alert, Outbox, Result

log = logging.getLogger(__name__)

_LATE = 7.0  # days before the newest point in which a late one can still make an edge
_MOST = 2000  # points looked at for one judgement


@dataclass(frozen=True, kw_only=True)
class _Names:
    """The catalogue as rules need it: canonical names to sources, and which are targets."""

    version: int
    owner: dict[str, str]
    targets: frozenset[str]


class AlertEngine:
    """The rules of a site. Raises ConfigError when a rule cannot be understood."""

    def __init__(self, site: Site, clock: Callable[[], float]) -> None:
        self._site = site
        self._clock = clock
        self._watches = tuple(understand(rule) for rule in site.rule)
        self._channels = {channel.name: channel for channel in site.channel}
        self._names = _Names(version=-1, owner={}, targets=frozenset())

    def on_results(self, result_ids: list[int]) -> None:
        """Judge the rules that watch these results; inside the transaction that wrote them."""
        if not self._watches or not result_ids:
            return
        self._read_names()
        for (source, band), since in _changed(result_ids).items():
            for watch in self._watches:
                if watch.rule.band == band and self._is_watched(watch, source):
                    self._guarded(watch, source, band, since)

    def _read_names(self) -> None:
        if catalogue.version() == self._names.version:
            return
        loaded = catalogue.load()
        self._names = _Names(
            version=loaded.version,
            owner={canonical(name): s.name for s in loaded.sources
                   for name in (s.name, *s.other_names)},
            targets=frozenset(s.name for s in loaded.sources if s.kind is SourceKind.TARGET))
        for watch in self._watches:
            name = watch.rule.source
            if name != "*" and canonical(name) not in self._names.owner:
                log.warning("rule '%s' watches '%s', which is not in the catalogue",
                            watch.rule.name, name)

    def _is_watched(self, watch: Watch, source: str) -> bool:
        if watch.rule.source == "*":
            return source in self._names.targets
        wanted = canonical(watch.rule.source)
        return wanted == canonical(source) or self._names.owner.get(wanted) == source

    def _guarded(self, watch: Watch, source: str, band: str, since: float) -> None:
        """Judge a rule so that its failure leaves the results, and the other rules, in place."""
        database = Alert._meta.database
        try:
            with database.atomic():
                self._judge(watch, source, band, since)
        # A fault in one rule must cost neither the measurement nor the other rules: its rows are
        # rolled back to the savepoint and the fault is told. If the database itself failed, the
        # whole transaction is gone, and the error goes on to whoever began it.
        except Exception as error:
            if not database.connection().in_transaction:
                raise
            log.exception("rule '%s' could not be judged for %s %s", watch.rule.name, source, band)
            emit("alert-error", self._clock(), rule=watch.rule.name, source=source, band=band,
                 reason=f"{type(error).__name__}: {error}")

    def _judge(self, watch: Watch, source: str, band: str, since: float) -> None:
        since, points = _points(watch, source, band, since)
        rows = list(Alert.select().where(
            (Alert.rule == watch.rule.name) & (Alert.source == source) & (Alert.band == band))
            .order_by(Alert.episode.desc()).limit(2))
        latest = rows[0] if rows else None
        for edge in judge(watch, _history(rows), points, since=since):
            latest = self._write(watch, source, band, edge, latest)

    def _write(self, watch: Watch, source: str, band: str, edge: Edge,
               latest: Alert | None) -> Alert:
        now = self._clock()
        if edge.phase is Phase.FIRING and not edge.moved:
            latest = Alert.create(
                rule=watch.rule.name, source=source, band=band,
                episode=latest.episode + 1 if latest else 1, state=Phase.FIRING.value,
                condition=watch.rule.condition, fired_jd=edge.jd, fired_at=now,
                points=[point.id for point in edge.points])
            self._post(watch, latest, now)
        else:
            assert latest is not None
            if edge.phase is Phase.FIRING:
                changes = {"fired_jd": edge.jd, "points": [point.id for point in edge.points]}
            else:
                changes = {"state": Phase.RESOLVED.value, "resolved_jd": edge.jd,
                           "resolved_at": latest.resolved_at or now}
            Alert.update(**changes).where(Alert.id == latest.id).execute()
            latest = Alert.get_by_id(latest.id)
        emit("alert", now, id=latest.id, rule=latest.rule, source=source, band=band,
             episode=latest.episode, state=latest.state)
        return latest

    def _post(self, watch: Watch, alert: Alert, now: float) -> None:
        """Put a message for every recipient into the outbox."""
        channels = [self._channels[name] for name in watch.rule.channels]
        said = content.fired(self._site.site, watch, alert) if channels else {}
        for channel in channels:
            for recipient in channel.to:
                key = _digest(alert.rule, alert.source, alert.band, alert.episode, alert.state,
                              channel.name, recipient)
                Outbox.insert(
                    dedup_key=key, alert=alert.id, channel=channel.name, recipient=recipient,
                    message_id=_message_id(key, alert, channel), content=said, state="queued",
                    created_at=now).on_conflict_ignore().execute()


def _changed(result_ids: list[int]) -> dict[tuple[str, str], float]:
    """The earliest changed point of every (source, band)."""
    earliest: dict[tuple[str, str], float] = {}
    for id_ in result_ids:
        row = Result.get_by_id(id_)
        key = (row.source, row.band)
        earliest[key] = min(row.jd_mid, earliest.get(key, row.jd_mid))
    return earliest


def _points(watch: Watch, source: str, band: str, since: float) -> tuple[float, list[Point]]:
    """The good points from ``since`` on, with ``confirm - 1`` before; and where they begin."""
    column = getattr(Result, watch.condition.quantity)
    good = content.good_points(source, band) & column.is_null(False)
    query = Result.select(Result.id, Result.jd_mid, column).order_by(
        Result.jd_mid.desc(), Result.id.desc())
    newest = next(iter(query.where(good).limit(1).tuples()), None)
    if newest is None:
        return since, []
    since = max(since, newest[1] - _LATE)
    after = list(query.where(good & (Result.jd_mid >= since)).limit(_MOST).tuples())
    before: Iterable[Any] = query.where(good & (Result.jd_mid < since)).limit(
        watch.rule.confirm - 1).tuples()
    if len(after) == _MOST:
        since, before = after[-1][1], ()
    rows = [*after, *before]
    return since, [Point(id=id_, jd=jd, value=value) for id_, jd, value in reversed(rows)]


def _history(rows: list[Alert]) -> History:
    """Where a rule stands, from its last two episodes, the latest first."""
    if not rows:
        return History()
    latest = rows[0]
    firing = Standing(phase=Phase.FIRING, edge_jd=latest.fired_jd, fired_jd=latest.fired_jd)
    if latest.state == Phase.RESOLVED:
        now = Standing(phase=Phase.RESOLVED, edge_jd=latest.resolved_jd,
                       fired_jd=latest.fired_jd)
        return History(now=now, before=firing)
    before = Standing()
    if len(rows) > 1:
        before = Standing(phase=Phase.RESOLVED, edge_jd=rows[1].resolved_jd,
                          fired_jd=rows[1].fired_jd)
    return History(now=firing, before=before)


def _digest(*parts: object) -> str:
    return hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()


def _message_id(key: str, alert: Alert, channel: Channel) -> str:
    """An id that every attempt shares, so that a mail sent twice is known as one."""
    domain = parseaddr(channel.sender)[1].rpartition("@")[2]
    safe = "".join(c for c in domain if c.isascii() and (c.isalnum() or c in ".-"))
    return f"<iop4d.{_digest(key, repr(alert.fired_jd))[:32]}@{safe or 'localhost'}>"
