"""Judges the rules in the transaction that writes results, and leaves alerts and mails as rows.

Firing and ending are both recorded in the alert's row and shown on the page. Mail goes out for
firing alone, one to each recipient, unless a rule asks for more: that a source is back is no
reason to wake anybody, and with hysteresis it comes hours later.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from iop4d.alerts import episodes
from iop4d.alerts.check import check_rules
from iop4d.alerts.conditions import Form
from iop4d.alerts.light_curves import LightCurves
from iop4d.alerts.notify import Notifier
from iop4d.alerts.points import PointReader, latest_jd, since_jd
from iop4d.alerts.rules import (
    CompiledRule,
    Edge,
    History,
    RulePoint,
    Standing,
    judge,
    pending_points,
)
from iop4d.alerts.subjects import Subjects
from iop4d.alerts.upkeep import isolated, reminder_is_due, snooze_is_over, without_rule
from iop4d.alerts.withdrawals import (
    BEFORE,
    BESIDE,
    measured_again,
    results_beside,
    withdrawn_because,
)
from iop4d.config import Site
from iop4d.model.states import ACTIVE_ALERTS, AlertState, MessageKind
from iop4d.model.units import jd_of_unix, unix_of_jd
from iop4d.store import alerts, points, results
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Alert

_UNCONFIRMED = 1800.0  # seconds without another point after which a pending alert is notified


@dataclass(frozen=True, kw_only=True)
class _Subject:
    """A rule on a source and band, and its episodes: the last one that began, and the row that
    waits to become the next."""

    compiled: CompiledRule
    source: str
    band: str
    latest: Alert | None
    waiting: Alert | None
    history: History


class AlertEngine:
    """The rules of a site. Raises ConfigError when a rule is wrong (``check``)."""

    def __init__(self, site: Site, clock: Callable[[], float]) -> None:
        self._clock = clock
        checked = check_rules(site)
        self._all = tuple(one for one in checked if one.rule.enabled)
        self._disabled = {one.rule.name for one in checked if not one.rule.enabled}
        self._wrong = {wrong.name for wrong in site.wrong_rules}
        self._of_points = tuple(c for c in self._all if c.condition.form is not Form.SYSTEM)
        self._subjects = Subjects(site, self._of_points)
        self._notifier = Notifier(site, clock)
        self._curves = LightCurves()

    @property
    def until(self) -> float:
        """The JD after which no point counts now."""
        return latest_jd(self._clock())

    def compiled(self, rule: str) -> CompiledRule | None:
        """A rule of the site file that is evaluated, by its name."""
        return next((c for c in self._all if c.rule.name == rule), None)

    def unknown(self, db: Connection) -> dict[str, list[str]]:
        """What rules name that is not in the catalogue."""
        self._subjects.read(db)
        return self._subjects.unknown()

    def series(self, db: Connection, compiled: CompiledRule) -> list[tuple[str, str]]:
        """Every source, and band or colour, that a rule watches and that there are results of."""
        self._subjects.read(db)
        pairs = {(source, _label(compiled, band)) for source, band in points.measured(db)}
        return sorted((source, label) for source, label in pairs
                      if label and self._subjects.is_watched(compiled, source))

    def on_results(self, tx: Transaction, result_ids: Sequence[int]) -> bool:
        """Judge the rules that watch these results, in the transaction that wrote them; whether
        that queued a message."""
        if not self._of_points or not result_ids:
            return False
        before = self._notifier.queued
        self._subjects.read(tx)
        due: dict[tuple[int, str, str], float] = {}
        for (source, band), since in points.earliest(tx, result_ids).items():
            for number, compiled in enumerate(self._of_points):
                label = _label(compiled, band)
                if label and self._subjects.is_watched(compiled, source):
                    key = (number, source, label)
                    due[key] = min(since - _reach(compiled, band), due.get(key, math.inf))
        reader = PointReader(tx, self.until, self._curves)
        for (number, source, label), since in due.items():
            self._judge(tx, self._of_points[number], source, label, since, reader,
                        frozenset(result_ids))
        return self._notifier.queued > before

    def on_flags(self, tx: Transaction, result_ids: Sequence[int]) -> None:
        """Judge what follows from flags that were set or removed."""
        self._subjects.read(tx)
        for (source, band), since in points.earliest(tx, result_ids).items():
            for alert in alerts.resolved_last(tx, source, since, BESIDE):
                compiled = self.compiled(alert.rule)
                if compiled is not None and alert.band == _label(compiled, band):
                    with isolated(tx, self._clock(), rule=alert.rule, source=source,
                                  band=alert.band):
                        self._end_again(tx, compiled, alert)
        self.on_results(tx, result_ids)

    def run_once(self, tx: Transaction) -> None:
        """Look at every active or pending alert, and at what people flagged since the last look."""
        self._subjects.read(tx)
        for alert in alerts.unfinished_of_points(tx):
            with isolated(tx, self._clock(), rule=alert.rule, source=alert.source,
                          band=alert.band):
                self._look_after(tx, alert)
        if flagged := results.take_changed_flags(tx):
            self.on_flags(tx, flagged)

    def _look_after(self, tx: Transaction, alert: Alert) -> None:
        compiled, now = self.compiled(alert.rule), self._clock()
        if compiled is None and alert.rule in self._wrong:
            return  # it continues once its rule is mended
        if compiled is None or compiled.condition.form is Form.SYSTEM:
            self._end_without_rule(tx, alert, without_rule(alert, self._disabled))
        elif not self._watches(compiled, alert):
            self._end_without_rule(tx, alert, f"the rule '{alert.rule}' does not watch "
                                   f"{alert.source} {alert.band} any more")
        elif alert.state == AlertState.PENDING:
            self._tell_pending(tx, compiled, alert)
        elif why := withdrawn_because(tx, compiled, alert, self.until):
            self._withdraw(tx, compiled, alert, why)
        elif snooze_is_over(alert, now):
            alert = episodes.move(tx, alert, AlertState.FIRING, now=now, snoozed_until=None)
            self._remind(tx, compiled, alert)
        elif reminder_is_due(alert, compiled.rule, now):
            self._remind(tx, compiled, alert)

    def _tell_pending(self, tx: Transaction, compiled: CompiledRule, alert: Alert) -> None:
        """Notify people of a point that none confirmed within half an hour, if the rule allows."""
        waited = self._clock() - max(alert.fired_at, unix_of_jd(alert.fired_jd))
        if (compiled.rule.tell_pending and alert.notified_at is None and waited >= _UNCONFIRMED
                and not withdrawn_because(tx, compiled, alert, self.until)):
            self._notifier.notify(tx, compiled, alert, MessageKind.PENDING)

    def _watches(self, compiled: CompiledRule, alert: Alert) -> bool:
        """Whether a rule is about the source and the band of an alert, as it is now."""
        if ("-" in alert.band) != (compiled.condition.bands is not None):
            return False
        label = compiled.condition.quantity if "-" in alert.band else compiled.rule.band
        return label in ("*", alert.band) and self._subjects.is_watched(compiled, alert.source)

    def _end_without_rule(self, tx: Transaction, alert: Alert, why: str) -> None:
        """The site file does not have the alert's rule any more, or not enabled, or it is about the
        system now, or about other sources."""
        now = self._clock()
        if alert.state == AlertState.PENDING:
            episodes.move(tx, alert, AlertState.INACTIVE, now=now)
            return
        span = points.jd_span(tx, alert.points)
        episodes.move(tx, alert, AlertState.RESOLVED, now=now, resolved_at=now,
                      resolved_jd=span[1] if span else alert.fired_jd,
                      reason=why)

    def _measured_again(self, tx: Transaction, compiled: CompiledRule, alert: Alert, since: float,
                        written: frozenset[int], reader: PointReader) -> list[RulePoint]:
        """The points that fired an alert as they are now, if they were measured again and one of
        them does not meet the condition any more."""
        is_other_band = compiled.condition.bands is not None and since <= alert.fired_jd
        if alert.state == AlertState.WITHDRAWN or not written:
            return []
        beside = any(row.id in written for row in results_beside(tx, compiled, alert))
        if not is_other_band and not written & set(alert.points) and not beside:
            return []
        span = points.jd_span(tx, alert.points)
        if span is None:
            return []
        now = [point for point in reader.since(compiled, alert.source, alert.band,
                                               span[0] - BEFORE)
               if point.id in alert.points]
        # What is not confirmed any more by the points beside is not known.
        fails = any(not compiled.condition.holds(point.value)
                    and (beside or not math.isnan(point.value)) for point in now)
        return now if fails else []

    def _withdraw(self, tx: Transaction, compiled: CompiledRule, alert: Alert, why: str,
                  now: Sequence[RulePoint] = ()) -> None:
        """Points that fired an alert are bad, or were measured again, ``now`` as they are: it is
        withdrawn, its rule judged without it."""
        span = points.jd_span(tx, alert.points)
        assert span is not None
        begin = min(span[0], jd_of_unix(alert.fired_at))  # a point of the future came then
        alert = episodes.move(tx, alert, AlertState.WITHDRAWN, now=self._clock(), reason=why,
                              resolved_jd=begin - BEFORE, resolved_at=self._clock())
        if alert.notified_at is not None:
            self._notifier.notify(tx, compiled, alert, MessageKind.WITHDRAWN, points=now)
        self._judge(tx, compiled, alert.source, alert.band, begin,
                    PointReader(tx, self.until, self._curves))

    def _remind(self, tx: Transaction, compiled: CompiledRule, alert: Alert) -> None:
        """Notify people again of an active alert, if its newest point meets the condition."""
        found = since_jd(tx, compiled, alert.source, alert.band, alert.fired_jd, self.until)
        if found and compiled.condition.holds(found[-1].value):
            self._notifier.notify(tx, compiled, alert, MessageKind.REMINDER,
                                  points=found[-compiled.rule.confirm:])

    def _end_again(self, tx: Transaction, compiled: CompiledRule, alert: Alert) -> None:
        """Find the end of an episode again; it is active if the points that ended it are bad."""
        now = self._clock()
        found = since_jd(tx, compiled, alert.source, alert.band, alert.fired_jd, self.until)
        edges = judge(compiled, History(now=_firing(alert)), found, since=alert.fired_jd)
        if edges:
            episodes.revise(tx, alert, now=now, resolved_jd=edges[0].jd)
        else:
            episodes.move(tx, alert, AlertState.FIRING, now=now, resolved_jd=None,
                          resolved_at=None, note="a point that ended it is flagged")

    def _judge(self, tx: Transaction, compiled: CompiledRule, source: str, band: str,
               since: float, reader: PointReader, written: frozenset[int] = frozenset()) -> None:
        """Judge a rule so that its failure leaves the results, and the other rules, in place.

        ``written``: the results that were written just now, new or measured again.
        """
        with isolated(tx, self._clock(), rule=compiled.rule.name, source=source, band=band):
            since, found = reader.load(compiled, source, band, since)
            rows = alerts.latest_episodes(tx, compiled.rule.name, source, band)
            waiting = rows.pop(0) if rows and not alerts.has_begun(rows[0]) else None
            if rows and (again := self._measured_again(
                    tx, compiled, rows[0], since, written, reader)):
                self._withdraw(tx, compiled, rows[0],
                               measured_again(compiled, rows[0], again), again)
                return
            subject = _Subject(compiled=compiled, source=source, band=band, waiting=waiting,
                               latest=rows[0] if rows else None, history=history_of(rows))
            edges = judge(compiled, subject.history, found, since=since)
            latest = subject.latest
            over: float | None = None
            for edge, after in zip_longest(edges, edges[1:]):
                if (over is None and edge.state is AlertState.FIRING and not edge.moved
                        and after is not None):
                    over = after.jd
                latest = self._write(tx, subject, edge, latest, waiting, over)
                over = over if edge.state is AlertState.FIRING else None
                if waiting is not None and latest.id == waiting.id:
                    waiting = None
            if (latest is not None and latest.state == AlertState.FIRING
                    and latest.notified_at is None):
                self._notify_late(tx, compiled, latest, found)
            if not edges:
                self._keep_pending(tx, subject, found)

    def _write(self, tx: Transaction, subject: _Subject, edge: Edge, latest: Alert | None,
               waiting: Alert | None, over: float | None) -> Alert:
        """Write an edge: a new episode, the end of one, or either at an earlier point than it was.

        ``over``: the JD at which an episode ended that is found when it is over. Its message says
        so, and there is none of its end.
        """
        now = self._clock()
        kind: MessageKind | None = None
        if edge.state is AlertState.FIRING and not edge.moved:
            latest = self._begin(tx, subject, edge, latest, waiting)
            kind = MessageKind.ALERT
        else:
            assert latest is not None
            if edge.state is AlertState.FIRING:
                latest = episodes.revise(tx, latest, now=now, **_fired(edge.points))
            elif latest.state == AlertState.RESOLVED:
                latest = episodes.revise(tx, latest, now=now, resolved_jd=edge.jd)
            else:
                latest = episodes.move(tx, latest, AlertState.RESOLVED, now=now,
                                       resolved_jd=edge.jd, resolved_at=now)
                if (subject.compiled.rule.notify_resolved and latest.notified_at
                        and over is None):
                    kind = MessageKind.RESOLVED
        if kind is not None:
            self._notifier.notify(tx, subject.compiled, latest, kind, points=edge.points,
                                  over_jd=over)
            latest = alerts.by_id(tx, latest.id)
        return latest

    def _begin(self, tx: Transaction, subject: _Subject, edge: Edge, latest: Alert | None,
               waiting: Alert | None) -> Alert:
        now, rule = self._clock(), subject.compiled.rule
        if waiting is None:
            return episodes.begin(tx, rule, subject.source, subject.band, AlertState.FIRING,
                                  after=latest, now=now, **_fired(edge.points))
        return episodes.move(tx, waiting, AlertState.FIRING, now=now, fired_at=now,
                             notified_at=None, condition=rule.condition, severity=rule.severity,
                             **_fired(edge.points))

    def _notify_late(self, tx: Transaction, compiled: CompiledRule, alert: Alert,
                     found: list[RulePoint]) -> None:
        """Notify people of an active alert of which they were not, it being old or muted."""
        if found and compiled.condition.holds(found[-1].value):
            self._notifier.notify(tx, compiled, alert, MessageKind.ALERT,
                                  points=found[-compiled.rule.confirm:])

    def _keep_pending(self, tx: Transaction, subject: _Subject, found: list[RulePoint]) -> None:
        """Write down that a rule is about to fire, or is not any more."""
        now, waiting = self._clock(), subject.waiting
        met = pending_points(subject.compiled, subject.history.now, found)
        if not met:
            if waiting is not None and waiting.state == AlertState.PENDING:
                episodes.move(tx, waiting, AlertState.INACTIVE, now=now, notified_at=None)
            return
        columns = _fired(met)
        if waiting is None:
            episodes.begin(tx, subject.compiled.rule, subject.source, subject.band,
                           AlertState.PENDING, after=subject.latest, now=now, **columns)
        elif waiting.state == AlertState.PENDING:
            alerts.update(tx, waiting, **columns)
        else:
            episodes.move(tx, waiting, AlertState.PENDING, now=now, fired_at=now, **columns)


def history_of(rows: Sequence[Alert]) -> History:
    """Where a rule stands, from its last two episodes that began, the latest first."""
    if not rows:
        return History()
    latest = rows[0]
    if latest.state in ACTIVE_ALERTS:
        return History(now=_firing(latest), before=_ended(rows[1]) if len(rows) > 1 else Standing())
    if latest.state == AlertState.WITHDRAWN:  # it never was: there is no cooldown, and no moving it
        return History(now=_ended(latest))
    return History(now=_ended(latest), before=_firing(latest))


def _firing(row: Alert) -> Standing:
    return Standing(state=AlertState.FIRING, edge_jd=row.fired_jd, fired_jd=row.fired_jd)


def _ended(row: Alert) -> Standing:
    fired = -math.inf if row.state == AlertState.WITHDRAWN else row.fired_jd
    return Standing(state=AlertState.RESOLVED, edge_jd=row.resolved_jd, fired_jd=fired)


def _fired(by: Sequence[RulePoint]) -> dict[str, Any]:
    """The columns of an alert that say which points met the condition."""
    return {"fired_jd": by[-1].jd, "points": [point.id for point in by], "value": by[-1].value}


def _reach(compiled: CompiledRule, band: str) -> float:
    """Days before a point from which on it changes what a rule sees.

    A colour stands at the time of its first band, which may be the earlier one.
    """
    bands = compiled.condition.bands
    return compiled.rule.colour_within_hours / 24.0 if bands and band == bands[1] else 0.0


def _label(compiled: CompiledRule, band: str) -> str:
    """By what name a rule's alerts of a band go; empty if the rule does not watch it."""
    if compiled.condition.bands:
        return compiled.condition.quantity if band in compiled.condition.bands else ""
    return band if compiled.rule.band in ("*", band) else ""


