"""What becomes of alerts with time: reminders, the end of a snooze, withdrawal, rules that left."""

from __future__ import annotations

from collections.abc import Callable

from iop4d.alerts import episodes
from iop4d.alerts.engine import AlertEngine, isolated
from iop4d.alerts.notify import Notifier
from iop4d.alerts.points import since_jd
from iop4d.alerts.rules import CompiledRule
from iop4d.config import Rule, Site
from iop4d.model.states import AlertState
from iop4d.store import alerts, points, results
from iop4d.store.database import Transaction
from iop4d.store.schema import Alert, Result

_BEFORE = 1e-6  # days before an alert's first point, so that this is judged again


class Upkeep:
    """Looks after active and pending alerts."""

    def __init__(self, site: Site, engine: AlertEngine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._notifier = Notifier(site, clock)
        self._clock = clock
        self._looked = 0  # the last event that was searched for flags

    def run_once(self, tx: Transaction) -> None:
        """Look at every active or pending alert, and at what people flagged since the last look."""
        for alert in alerts.unfinished_of_points(tx):
            with isolated(tx, self._clock(), rule=alert.rule, source=alert.source,
                          band=alert.band):
                self._look_after(tx, alert)
        flagged, self._looked = results.take_changed_flags(tx, self._looked)
        if flagged:
            self._engine.on_flags(tx, flagged)

    def _look_after(self, tx: Transaction, alert: Alert) -> None:
        compiled, now = self._engine.compiled(alert.rule), self._clock()
        if compiled is None:
            self._end_without_rule(tx, alert)
        elif alert.state == AlertState.PENDING:
            return
        elif why := _withdrawn_because(tx, compiled, alert):
            self._withdraw(tx, compiled, alert, why)
        elif snooze_is_over(alert, now):
            alert = episodes.move(tx, alert, AlertState.FIRING, now=now, snoozed_until=None)
            self._remind(tx, compiled, alert)
        elif reminder_is_due(alert, compiled.rule, now):
            self._remind(tx, compiled, alert)

    def _end_without_rule(self, tx: Transaction, alert: Alert) -> None:
        """The site file does not have the alert's rule any more."""
        now = self._clock()
        if alert.state == AlertState.PENDING:
            episodes.move(tx, alert, AlertState.INACTIVE, now=now)
            return
        span = points.jd_span(tx, alert.points)
        episodes.move(tx, alert, AlertState.RESOLVED, now=now, resolved_at=now,
                      resolved_jd=span[1] if span else alert.fired_jd,
                      reason=without_rule(alert))

    def _withdraw(self, tx: Transaction, compiled: CompiledRule, alert: Alert, why: str) -> None:
        """Points that fired an alert are bad: it is withdrawn, its rule judged without them."""
        span = points.jd_span(tx, alert.points)
        assert span is not None
        alert = episodes.move(tx, alert, AlertState.WITHDRAWN, now=self._clock(), reason=why,
                              resolved_jd=span[0] - _BEFORE, resolved_at=self._clock())
        if alert.told_at is not None:
            self._notifier.notify(tx, compiled, alert, "withdrawn")
        self._engine.judge_again(tx, alert, span[0])

    def _remind(self, tx: Transaction, compiled: CompiledRule, alert: Alert) -> None:
        """Notify people again of an active alert, if its newest point meets the condition."""
        found = since_jd(tx, compiled, alert.source, alert.band, alert.fired_jd)
        if found and compiled.condition.holds(found[-1].value):
            self._notifier.notify(tx, compiled, alert, "again",
                                  points=found[-compiled.rule.confirm:])


def snooze_is_over(alert: Alert, now: float) -> bool:
    """Whether people asked for no reminders of an alert until a time that has come."""
    return alert.state == AlertState.SNOOZED and bool(alert.snoozed_until <= now)


def reminder_is_due(alert: Alert, rule: Rule, now: float) -> bool:
    """Whether people were notified of an alert, and are to be again."""
    return alert.state == AlertState.FIRING and alert.told_at is not None and (
        0 < 3600.0 * rule.reminder_hours <= now - alert.told_at)


def without_rule(alert: Alert) -> str:
    """Why an alert ends whose rule left the site file."""
    return f"the site file has no rule '{alert.rule}' any more"


def _withdrawn_because(tx: Transaction, compiled: CompiledRule, alert: Alert) -> str:
    """Why the points that fired an alert do not count any more; empty if they do."""
    rows = alerts.results_of(tx, alert.points)
    bad = [f"{row.frames[0] if row.frames else row.id} is flagged "
           f"{', '.join(str(mark['name']) for mark in row.human_flags) or 'as bad'}"
           for row in rows if row.human_flags or _is_barred(row)]
    if not bad and compiled.condition.bands and rows:
        begin = min(row.jd_mid for row in rows) - _BEFORE
        there = {point.id for point in since_jd(tx, compiled, alert.source, alert.band, begin)}
        if not set(alert.points) <= there:
            return f"its point in {compiled.condition.bands[1]} is flagged"
    return ", ".join(bad)


def _is_barred(row: Result) -> bool:
    return bool(row.flags & points.barring_flags(needs_mag=row.p is None))
