"""Judges the rules in the transaction that writes results, and leaves alerts and mails as rows.

Firing and ending are both recorded in the alert's row, and told on the page by an event. Mail goes
out for firing alone, one to each recipient: that a source is back is no reason to wake anybody,
and with hysteresis it comes hours later.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from iop4d.alerts.conditions import Form
from iop4d.alerts.guard import guarded
from iop4d.alerts.notify import Notifier, step
from iop4d.alerts.points import Reader, since_jd
from iop4d.alerts.rules import (
    ACTIVE,
    Edge,
    History,
    Phase,
    Point,
    Standing,
    Watch,
    is_pending,
    judge,
    understand,
)
from iop4d.alerts.subjects import Subjects
from iop4d.config import Site
from iop4d.instruments.discovery import find_instruments
from iop4d.model.errors import ConfigError
from iop4d.store.database import ambient
from iop4d.store.events import emit
from iop4d.store.schema import Alert, Result


class AlertEngine:
    """The rules of a site. Raises ConfigError when a rule cannot be understood."""

    def __init__(self, site: Site, clock: Callable[[], float]) -> None:
        self._site = site
        self._clock = clock
        self._all = tuple(understand(rule) for rule in site.rule)
        self._watches = tuple(w for w in self._all if w.condition.form is not Form.SYSTEM)
        self._subjects = Subjects(site, self._watches)
        _check_instruments(site)
        self._notifier = Notifier(site, clock)

    def on_results(self, result_ids: list[int]) -> None:
        """Judge the rules that watch these results; inside the transaction that wrote them."""
        if not self._watches or not result_ids:
            return
        self._subjects.read()
        due: dict[tuple[int, str, str], float] = {}
        for (source, band), since in _changed(result_ids).items():
            for number, watch in enumerate(self._watches):
                label = _label(watch, band)
                if label and self._subjects.is_watched(watch, source):
                    key = (number, source, label)
                    due[key] = min(since - _reach(watch, band), due.get(key, math.inf))
        reader = Reader()
        for (number, source, label), since in due.items():
            self._guarded(self._watches[number], source, label, since, reader)

    def judge_again(self, alert: Alert, since: float) -> None:
        """Judge an alert's rule from JD ``since`` on, because points are good no more."""
        if (watch := self.watch_of(alert.rule)) is not None:
            self._subjects.read()
            self._guarded(watch, alert.source, alert.band, since, Reader())

    def on_flags(self, result_ids: list[int]) -> None:
        """Judge what follows from flags that were set or taken away; inside a transaction."""
        self._subjects.read()
        for (source, band), since in _changed(result_ids).items():
            for alert in list(Alert.select().where(
                    (Alert.source == source) & (Alert.state == Phase.RESOLVED)
                    & (Alert.fired_jd <= since) & (Alert.resolved_jd >= since - _BESIDE))):
                watch = self.watch_of(alert.rule)
                if watch is not None and alert.band == _label(watch, band):
                    with guarded(self._clock, rule=alert.rule, source=source, band=alert.band):
                        self._end_again(watch, alert)
        self.on_results(result_ids)

    def _end_again(self, watch: Watch, alert: Alert) -> None:
        """Find the end of an episode anew; it goes on if the points that ended it are bad."""
        later = Alert.select().where(
            (Alert.rule == alert.rule) & (Alert.source == alert.source)
            & (Alert.band == alert.band) & (Alert.episode > alert.episode))
        if later.exists():
            return
        now = self._clock()
        firing = Standing(phase=Phase.FIRING, edge_jd=alert.fired_jd, fired_jd=alert.fired_jd)
        points = since_jd(watch, alert.source, alert.band, alert.fired_jd)
        edges = judge(watch, History(now=firing), points, since=alert.fired_jd)
        changes: dict[str, Any]
        if edges:
            changes = {"resolved_jd": edges[0].jd}
        else:
            changes = {"state": Phase.FIRING.value, "resolved_jd": None, "resolved_at": None}
            step(ambient(), alert, Phase.FIRING.value, now,
                 note="a point that ended it is flagged")
        Alert.update(**changes).where(Alert.id == alert.id).execute()
        emit_alert(Alert.get_by_id(alert.id), now)

    def unknown(self) -> dict[str, list[str]]:
        """What rules name that the catalogue does not know; inside a connection."""
        self._subjects.read()
        return self._subjects.unknown()

    def subjects(self, watch: Watch) -> list[tuple[str, str]]:
        """Every source, and band or colour, that a rule watches and that there are results of."""
        self._subjects.read()
        pairs = {(source, _label(watch, band)) for source, band in Result.select(
            Result.source, Result.band).distinct().tuples()}
        return sorted((source, label) for source, label in pairs
                      if label and self._subjects.is_watched(watch, source))

    @property
    def rules(self) -> list[str]:
        """The names of the rules that people can mute."""
        return [*(watch.rule.name for watch in self._all), OWN]

    def watch_of(self, rule: str) -> Watch | None:
        """A rule of the site file by its name."""
        return next((w for w in self._all if w.rule.name == rule), None)

    def _guarded(self, watch: Watch, source: str, band: str, since: float,
                 reader: Reader) -> None:
        """Judge a rule so that its failure leaves the results, and the other rules, in place."""
        with guarded(self._clock, rule=watch.rule.name, source=source, band=band):
            self._judge(watch, source, band, *reader.load(watch, source, band, since))

    def _judge(self, watch: Watch, source: str, band: str, since: float,
               points: list[Point]) -> None:
        rows = list(Alert.raw(_LATEST, watch.rule.name, source, band))
        waiting = rows.pop(0) if rows and rows[0].state in _NOT_YET else None
        latest = rows[0] if rows else None
        history = history_of(rows)
        edges = judge(watch, history, points, since=since)
        for edge in edges:
            latest = self._write(watch, source, band, edge, latest, waiting)
            if waiting is not None and latest.id == waiting.id:
                waiting = None
        if latest is not None and latest.state == Phase.FIRING and latest.told_at is None:
            self._tell_late(watch, latest, points)
        if not edges:
            self._pend(watch, source, band, is_pending(watch, history.now, points), points,
                       latest, waiting)

    def _write(self, watch: Watch, source: str, band: str, edge: Edge, latest: Alert | None,
               waiting: Alert | None) -> Alert:
        now = self._clock()
        told = ""
        if edge.phase is Phase.FIRING and not edge.moved:
            latest = self._begin(watch, source, band, edge, latest, waiting)
            step(ambient(), latest, latest.state, now)
            told = "alert"
        else:
            assert latest is not None
            if edge.phase is Phase.FIRING:
                changes = _fired(edge)
            else:
                changes = {"state": Phase.RESOLVED.value, "resolved_jd": edge.jd,
                           "resolved_at": latest.resolved_at or now}
                if latest.state != Phase.RESOLVED:
                    step(ambient(), latest, Phase.RESOLVED.value, now)
                    told = "ended" if watch.rule.notify_resolved and latest.told_at else ""
            Alert.update(**changes).where(Alert.id == latest.id).execute()
            latest = Alert.get_by_id(latest.id)
        if told:
            self._notifier.notify(ambient(), watch, latest, told, points=edge.points)
            latest = Alert.get_by_id(latest.id)
        emit_alert(latest, now)
        return latest

    def _begin(self, watch: Watch, source: str, band: str, edge: Edge, latest: Alert | None,
               waiting: Alert | None) -> Alert:
        now = self._clock()
        columns = {"state": Phase.FIRING.value, "condition": watch.rule.condition,
                   "severity": watch.rule.severity, "fired_at": now, **_fired(edge)}
        if waiting is not None:
            Alert.update(**columns).where(Alert.id == waiting.id).execute()
            begun: Alert = Alert.get_by_id(waiting.id)
        else:
            begun = Alert.create(rule=watch.rule.name, source=source, band=band,
                                 episode=latest.episode + 1 if latest else 1, **columns)
        return begun

    def _tell_late(self, watch: Watch, alert: Alert, points: list[Point]) -> None:
        """An alert that nobody was told of, being old or muted, and that still goes on."""
        if points and watch.condition.holds(points[-1].value):
            self._notifier.notify(ambient(), watch, alert, "alert",
                                  points=points[-watch.rule.confirm:])

    def _pend(self, watch: Watch, source: str, band: str, pending: bool, points: list[Point],
              latest: Alert | None, waiting: Alert | None) -> None:
        """Write down that a rule is about to fire, or is not any more."""
        now = self._clock()
        if pending:
            last = points[-1]
            columns = {"fired_jd": last.jd, "points": [last.id], "value": last.value}
            if waiting is None:
                waiting = Alert.create(
                    rule=watch.rule.name, source=source, band=band, state=Phase.PENDING.value,
                    episode=latest.episode + 1 if latest else 1, fired_at=now,
                    condition=watch.rule.condition, severity=watch.rule.severity, **columns)
            elif waiting.state == Phase.PENDING:
                Alert.update(**columns).where(Alert.id == waiting.id).execute()
                return
            else:
                Alert.update(state=Phase.PENDING.value, fired_at=now, **columns).where(
                    Alert.id == waiting.id).execute()
        elif waiting is not None and waiting.state == Phase.PENDING:
            Alert.update(state=Phase.INACTIVE.value).where(Alert.id == waiting.id).execute()
        else:
            return
        waiting = Alert.get_by_id(waiting.id)
        step(ambient(), waiting, waiting.state, now)
        emit_alert(waiting, now)


def _check_instruments(site: Site) -> None:
    known = {i.name for i in find_instruments(site.camera, site.polarimeter)}
    for rule in site.rule:
        if unknown := set(rule.instruments) - known:
            raise ConfigError(f"[[rule]] '{rule.name}': there is no instrument "
                              f"'{min(unknown)}'; there are: {', '.join(sorted(known))}")


#: The last episodes of a rule. Plain SQL: every rule asks at every point, and to make the
#: statement anew takes five times as long as to run it.
_LATEST = ("SELECT * FROM alert WHERE rule = ? AND source = ? AND band = ? "
           "ORDER BY episode DESC LIMIT 3")

_BESIDE = 1.0  # days between the two bands of a colour, at most

OWN = "rules that fail"  # the rule that a site has without asking

#: States of a row whose episode has not begun.
_NOT_YET = (Phase.PENDING, Phase.INACTIVE)


def _reach(watch: Watch, band: str) -> float:
    """Days before a point from which on it changes what a rule sees.

    A colour stands at the time of its first band, which may be the earlier one.
    """
    bands = watch.condition.bands
    return watch.rule.colour_within_hours / 24.0 if bands and band == bands[1] else 0.0


def _label(watch: Watch, band: str) -> str:
    """By what name a rule's alerts of a band go; empty if the rule does not watch it."""
    if watch.condition.bands:
        return watch.condition.quantity if band in watch.condition.bands else ""
    return band if watch.rule.band in ("*", band) else ""


def _fired(edge: Edge) -> dict[str, Any]:
    return {"fired_jd": edge.jd, "points": [point.id for point in edge.points],
            "value": edge.points[-1].value}


def emit_alert(alert: Alert, now: float) -> None:
    """Tell the page of an alert."""
    emit(ambient(), "alert", now, id=alert.id, rule=alert.rule, source=alert.source,
         band=alert.band, episode=alert.episode, state=alert.state)


def _changed(result_ids: list[int]) -> dict[tuple[str, str], float]:
    """The earliest changed point of every (source, band)."""
    earliest: dict[tuple[str, str], float] = {}
    for id_ in result_ids:
        row = Result.get_by_id(id_)
        key = (row.source, row.band)
        earliest[key] = min(row.jd_mid, earliest.get(key, row.jd_mid))
    return earliest


def history_of(rows: list[Alert]) -> History:
    """Where a rule stands, from its last two episodes that began, the latest first."""
    if not rows:
        return History()
    latest = rows[0]
    firing = Standing(phase=Phase.FIRING, edge_jd=latest.fired_jd, fired_jd=latest.fired_jd)
    if latest.state in ACTIVE:
        return History(now=firing, before=_ended(rows[1]) if len(rows) > 1 else Standing())
    if latest.state == Phase.WITHDRAWN:  # it never was: there is no cooldown, and no moving it
        return History(now=_ended(latest))
    return History(now=_ended(latest), before=firing)


def _ended(row: Alert) -> Standing:
    fired = -math.inf if row.state == Phase.WITHDRAWN else row.fired_jd
    return Standing(phase=Phase.RESOLVED, edge_jd=row.resolved_jd, fired_jd=fired)
