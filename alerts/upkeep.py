"""What becomes of alerts with time: withdrawn, told again, woken from a snooze, left behind."""

from __future__ import annotations

from collections.abc import Callable

from iop4d.alerts.engine import AlertEngine, emit_alert
from iop4d.alerts.guard import guarded
from iop4d.alerts.notify import Notifier, step
from iop4d.alerts.points import since_jd
from iop4d.alerts.rules import ACTIVE, Phase, Watch
from iop4d.config import Site
from iop4d.model.flags import NEVER_ALERTS, Flag
from iop4d.store.database import ambient
from iop4d.store.results import take_changed_flags
from iop4d.store.schema import Alert, Result
from iop4d.store.table import is_filled

_BEFORE = 1e-6  # days before an alert's first point, so that this is judged anew
_GOING = (*(phase.value for phase in ACTIVE), Phase.PENDING.value)


class Upkeep:
    """Looks after the alerts that go on. Its methods run inside a transaction."""

    def __init__(self, site: Site, engine: AlertEngine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._notifier = Notifier(site, clock)
        self._clock = clock
        self._looked = 0  # the last event that was searched for flags

    def tend(self) -> None:
        """Look at every alert that goes on, and at what people flagged since the last look."""
        for alert in list(Alert.select().where(
                Alert.state.in_(_GOING) & is_filled(Alert.points))):
            with guarded(self._clock, rule=alert.rule, source=alert.source, band=alert.band):
                self._tend(alert)
        flagged, self._looked = take_changed_flags(ambient(), self._looked)
        if flagged:
            self._engine.on_flags(flagged)

    def _tend(self, alert: Alert) -> None:
        watch = self._engine.watch_of(alert.rule)
        if watch is None:
            self._leave(alert)
        elif alert.state == Phase.PENDING:
            return
        elif spoilt := _spoilt(watch, alert):
            self._withdraw(watch, alert, spoilt)
        elif alert.state == Phase.SNOOZED and alert.snoozed_until <= self._clock():
            self._change(alert, Phase.FIRING, snoozed_until=None)
            self._again(watch, Alert.get_by_id(alert.id))
        elif alert.state == Phase.FIRING and alert.told_at is not None and (
                0 < 3600.0 * watch.rule.reminder_hours <= self._clock() - alert.told_at):
            self._again(watch, alert)

    def _leave(self, alert: Alert) -> None:
        """No rule judges it any more."""
        if alert.state == Phase.PENDING:
            self._change(alert, Phase.INACTIVE)
            return
        newest = Result.select(Result.jd_mid).where(Result.id.in_(alert.points)).order_by(
            Result.jd_mid.desc()).limit(1).scalar()
        self._change(alert, Phase.RESOLVED, resolved_jd=newest or alert.fired_jd,
                     resolved_at=self._clock(),
                     note=f"the site file has no rule '{alert.rule}' any more")

    def _withdraw(self, watch: Watch, alert: Alert, why: str) -> None:
        """Points that fired an alert are bad: it is taken back, its rule judged without them."""
        first = min(row.jd_mid for row in Result.select(Result.jd_mid).where(
            Result.id.in_(alert.points)))
        self._change(alert, Phase.WITHDRAWN, resolved_jd=first - _BEFORE,
                     resolved_at=self._clock(), note=why)
        if alert.told_at is not None:
            self._notifier.notify(ambient(), watch, Alert.get_by_id(alert.id), "withdrawn")
        self._engine.judge_again(alert, first)

    def _again(self, watch: Watch, alert: Alert) -> None:
        """Tell again what goes on, if its newest point still says so."""
        points = since_jd(watch, alert.source, alert.band, alert.fired_jd)
        if points and watch.condition.holds(points[-1].value):
            self._notifier.notify(ambient(), watch, alert, "again",
                                  points=points[-watch.rule.confirm:])

    def _change(self, alert: Alert, state: Phase, **columns: object) -> None:
        now = self._clock()
        Alert.update(state=state.value, **columns).where(Alert.id == alert.id).execute()
        step(ambient(), alert, state.value, now, note=str(columns.get("note", "")))
        emit_alert(Alert.get_by_id(alert.id), now)


def _spoilt(watch: Watch, alert: Alert) -> str:
    """Why the points that fired an alert do not speak for it any more; empty if they do."""
    rows = list(Result.select().where(Result.id.in_(alert.points)))
    bad = [f"{row.frames[0] if row.frames else row.id} is flagged "
           f"{', '.join(str(mark['name']) for mark in row.human_flags) or 'as bad'}"
           for row in rows if row.human_flags or row.flags & _bars(row)]
    if not bad and watch.condition.bands and rows:
        begin = min(row.jd_mid for row in rows) - _BEFORE
        there = {point.id for point in since_jd(watch, alert.source, alert.band, begin)}
        if not set(alert.points) <= there:
            second = watch.condition.bands[1]
            return f"its point in {second} is flagged"
    return ", ".join(bad)


def _bars(row: Result) -> int:
    """The flags that bar a point; a polarisation needs no calibrator."""
    return int(NEVER_ALERTS & ~Flag.NO_CALIBRATORS if row.p is not None else NEVER_ALERTS)
