"""Judges the rules in the transaction that writes results, and leaves alerts and mails as rows.

Firing and ending are both recorded in the alert's row, and told on the page by an event. Mail goes
out for firing alone, one to each recipient: that a source is back is no reason to wake anybody,
and with hysteresis it comes hours later.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from iop4d.alerts.conditions import Form
from iop4d.alerts.points import Reader
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
from iop4d.alerts.telling import Teller, step
from iop4d.config import Site
from iop4d.model.source import SourceKind
from iop4d.store import catalogue
from iop4d.store.alertschema import Alert
from iop4d.store.catalogue import canonical
from iop4d.store.events import emit
from iop4d.store.schema import Result

log = logging.getLogger(__name__)


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
        self._all = tuple(understand(rule) for rule in site.rule)
        self._watches = tuple(w for w in self._all if w.condition.form is not Form.SYSTEM)
        self._tags = {tag.name: tag.sources for tag in site.tag}
        self._teller = Teller(site, clock)
        self._names = _Names(version=-1, owner={}, targets=frozenset())

    def on_results(self, result_ids: list[int]) -> None:
        """Judge the rules that watch these results; inside the transaction that wrote them."""
        if not self._watches or not result_ids:
            return
        self._read_names()
        due: dict[tuple[int, str, str], float] = {}
        for (source, band), since in _changed(result_ids).items():
            for number, watch in enumerate(self._watches):
                label = _label(watch, band)
                if label and self._is_watched(watch, source):
                    key = (number, source, label)
                    due[key] = min(since, due.get(key, since))
        reader = Reader()
        for (number, source, label), since in due.items():
            self._guarded(self._watches[number], source, label, since, reader)

    def judge_again(self, alert: Alert, since: float) -> None:
        """Judge an alert's rule from JD ``since`` on, because points are good no more."""
        if (watch := self.watch_of(alert.rule)) is not None:
            self._read_names()
            self._guarded(watch, alert.source, alert.band, since, Reader())

    def subjects(self, watch: Watch) -> list[tuple[str, str]]:
        """Every source, and band or colour, that a rule watches and that there are results of."""
        self._read_names()
        pairs = {(source, _label(watch, band)) for source, band in Result.select(
            Result.source, Result.band).distinct().tuples()}
        return sorted((source, label) for source, label in pairs
                      if label and self._is_watched(watch, source))

    def watch_of(self, rule: str) -> Watch | None:
        """A rule of the site file by its name."""
        return next((w for w in self._all if w.rule.name == rule), None)

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
            for name in self._sources_of(watch):
                if name != "*" and canonical(name) not in self._names.owner:
                    log.warning("rule '%s' watches '%s', which is not in the catalogue",
                                watch.rule.name, name)

    def _sources_of(self, watch: Watch) -> tuple[str, ...]:
        rule = watch.rule
        if rule.sources:
            return rule.sources
        if rule.source.startswith("tag:"):
            return self._tags.get(rule.source.removeprefix("tag:").strip(), ())
        return (rule.source,)

    def _is_watched(self, watch: Watch, source: str) -> bool:
        for name in self._sources_of(watch):
            if name == "*":
                if source in self._names.targets:
                    return True
                continue
            wanted = canonical(name)
            if wanted == canonical(source) or self._names.owner.get(wanted) == source:
                return True
        return False

    def _guarded(self, watch: Watch, source: str, band: str, since: float,
                 reader: Reader) -> None:
        """Judge a rule so that its failure leaves the results, and the other rules, in place."""
        database = Alert._meta.database
        try:
            with database.atomic():
                self._judge(watch, source, band, *reader.load(watch, source, band, since))
        # A fault in one rule must cost neither the measurement nor the other rules: its rows are
        # rolled back to the savepoint and the fault is told. If the database itself failed, the
        # whole transaction is gone, and the error goes on to whoever began it.
        except Exception as error:
            if not database.connection().in_transaction:
                raise
            log.exception("rule '%s' could not be judged for %s %s", watch.rule.name, source, band)
            emit("alert-error", self._clock(), rule=watch.rule.name, source=source, band=band,
                 reason=f"{type(error).__name__}: {error}")

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
            step(latest, latest.state, now)
            told = "alert"
        else:
            assert latest is not None
            if edge.phase is Phase.FIRING:
                changes = _fired(edge)
            else:
                changes = {"state": Phase.RESOLVED.value, "resolved_jd": edge.jd,
                           "resolved_at": latest.resolved_at or now}
                if latest.state != Phase.RESOLVED:
                    step(latest, Phase.RESOLVED.value, now)
                    told = "ended" if watch.rule.tell_end and latest.told_at else ""
            Alert.update(**changes).where(Alert.id == latest.id).execute()
            latest = Alert.get_by_id(latest.id)
        if told:
            self._teller.tell(watch, latest, told, newest_jd=edge.jd)
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
            self._teller.tell(watch, alert, "alert", newest_jd=points[-1].jd)

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
        step(waiting, waiting.state, now)
        emit_alert(waiting, now)


#: The last episodes of a rule. Plain SQL: every rule asks at every point, and to make the
#: statement anew takes five times as long as to run it.
_LATEST = ("SELECT * FROM alert WHERE rule = ? AND source = ? AND band = ? "
           "ORDER BY episode DESC LIMIT 3")

#: States of a row whose episode has not begun.
_NOT_YET = (Phase.PENDING, Phase.INACTIVE)


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
    emit("alert", now, id=alert.id, rule=alert.rule, source=alert.source, band=alert.band,
         episode=alert.episode, state=alert.state)


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
