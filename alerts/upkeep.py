"""What becomes of alerts with time: withdrawn, told again, woken from a snooze."""

from __future__ import annotations

from collections.abc import Callable

from iop4d.alerts.engine import AlertEngine, emit_alert
from iop4d.alerts.points import since_jd
from iop4d.alerts.rules import ACTIVE, Phase
from iop4d.alerts.telling import Teller, step
from iop4d.config import Site
from iop4d.model.flags import NEVER_ALERTS, Flag
from iop4d.store.alertschema import Alert
from iop4d.store.schema import Result
from iop4d.store.table import is_filled

_BEFORE = 1e-6  # days before an alert's first point, so that this is judged anew


class Upkeep:
    """Looks after the alerts that go on. Its methods run inside a transaction."""

    def __init__(self, site: Site, engine: AlertEngine, clock: Callable[[], float]) -> None:
        self._engine = engine
        self._teller = Teller(site, clock)
        self._clock = clock

    def tend(self) -> None:
        """Look at every alert that goes on."""
        for alert in Alert.select().where(Alert.state.in_(ACTIVE) & is_filled(Alert.points)):
            if spoilt := _spoilt(alert):
                self._withdraw(alert, spoilt)
            elif alert.state == Phase.SNOOZED and alert.snoozed_until <= self._clock():
                self._change(alert, Phase.FIRING, snoozed_until=None)
                self._repeat(Alert.get_by_id(alert.id))
            elif alert.state == Phase.FIRING:
                self._repeat(alert)

    def _withdraw(self, alert: Alert, spoilt: list[Result]) -> None:
        """Points that fired an alert are bad: it is taken back, its rule judged without them."""
        first = min(row.jd_mid for row in Result.select(Result.jd_mid).where(
            Result.id.in_(alert.points)))
        names = ", ".join(f"{row.frames[0] if row.frames else row.id} is flagged "
                          f"{', '.join(row.human_flags) or 'as bad'}" for row in spoilt)
        self._change(alert, Phase.WITHDRAWN, resolved_jd=first - _BEFORE,
                     resolved_at=self._clock(), note=names)
        alert = Alert.get_by_id(alert.id)
        watch = self._engine.watch_of(alert.rule)
        if watch is not None and alert.told_at is not None:
            self._teller.tell(watch, alert, "withdrawn")
        self._engine.judge_again(alert, first)

    def _repeat(self, alert: Alert) -> None:
        """Tell again what goes on, if the rule asks for that and its newest point still says so."""
        watch = self._engine.watch_of(alert.rule)
        if watch is None or not watch.rule.repeat or alert.told_at is None:
            return
        if self._clock() - alert.told_at < 3600.0 * watch.rule.repeat:
            return
        points = since_jd(watch, alert.source, alert.band, alert.fired_jd)
        if points and watch.condition.holds(points[-1].value):
            self._teller.tell(watch, alert, "again", newest_jd=points[-1].jd)

    def _change(self, alert: Alert, state: Phase, **columns: object) -> None:
        now = self._clock()
        Alert.update(state=state.value, **columns).where(Alert.id == alert.id).execute()
        step(alert, state.value, now, note=str(columns.get("note", "")))
        emit_alert(Alert.get_by_id(alert.id), now)


def _spoilt(alert: Alert) -> list[Result]:
    """The points of an alert that are flagged by now."""
    return [row for row in Result.select().where(Result.id.in_(alert.points))
            if row.human_flags or row.flags & _bars(row)]


def _bars(row: Result) -> int:
    """The flags that bar a point; a polarisation needs no calibrator."""
    return int(NEVER_ALERTS & ~Flag.NO_CALIBRATORS if row.p is not None else NEVER_ALERTS)
