"""Rules about the system itself: judged now and then, by what holds for long enough.

``unknown``: the sources that each rule names and the catalogue does not know.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from iop4d.alerts.compose import tag
from iop4d.alerts.conditions import SYSTEM, Form
from iop4d.alerts.engine import OWN, emit_alert
from iop4d.alerts.guard import guarded
from iop4d.alerts.notify import Notifier, is_muted, step
from iop4d.alerts.rendering import clean
from iop4d.alerts.rules import ACTIVE, Phase, Watch, understand
from iop4d.alerts.vitals import MEASURES, Vitals, why
from iop4d.config import Rule, Site
from iop4d.model.units import decimal
from iop4d.store.database import ambient
from iop4d.store.schema import Alert
from iop4d.store.table import is_filled

_JD_EPOCH = 2440587.5
_STATE = {"alert": "", "again": " (still)", "ended": " (ended)"}
_LEFT_AFTER = 30.0  # minutes for which nothing must be known of an alert's subject


class SystemRules:
    """Judges the rules about the system. ``look`` runs inside a transaction."""

    def __init__(self, site: Site, clock: Callable[[], float],
                 observes: Callable[[str], bool],
                 unknown: Callable[[], Mapping[str, list[str]]] = dict) -> None:
        self._site = site
        self._clock = clock
        self._observes = observes
        self._unknown = unknown
        self._notifier = Notifier(site, clock)
        watches = [understand(rule) for rule in _with_own(site)]
        self._watches = [w for w in watches if w.condition.form is Form.SYSTEM]
        self._why: Callable[[], str] = str  # of the value that is judged
        self._outside: dict[tuple[str, str], float] = {}
        self._since: dict[tuple[str, str, bool], float] = {}

    def look(self, beat: Mapping[str, Any]) -> None:
        """Judge every rule by the state of the system now."""
        vitals = Vitals(site=self._site, now=self._clock(), beat=beat, observes=self._observes,
                        since=self._outside, unknown=self._unknown())
        judged: set[tuple[str, str]] = set()
        for watch in self._watches:
            with guarded(self._clock, rule=watch.rule.name):
                values = MEASURES[watch.condition.quantity](vitals, watch.rule.window_days)
                for subject, value in values.items():
                    if _is_about(watch, subject):
                        self._why = partial(why, vitals, watch.condition.quantity, subject)
                        self._judge(watch, subject, value)
                        judged.add((watch.rule.name, subject))
        self._leave(judged)

    def _judge(self, watch: Watch, subject: str, value: float) -> None:
        now = self._clock()
        latest = Alert.select().where(
            (Alert.rule == watch.rule.name) & (Alert.source == subject)
            & (Alert.band == "")).order_by(Alert.episode.desc()).first()
        going = latest if latest is not None and latest.state in ACTIVE else None
        turns = watch.condition.holds(value) if going is None else watch.clears(value)
        key = (watch.rule.name, subject, going is not None)
        if self._lasts(key, turns, watch.rule.hold_minutes):
            if going is not None:
                self._end(watch, going, value)
            elif latest is None or now - latest.fired_at >= 3600.0 * watch.rule.cooldown_hours:
                self._fire(watch, subject, value, latest)
        elif going is not None and not turns:
            self._go_on(watch, going, value)

    def _lasts(self, key: tuple[str, str, bool], holds: bool, minutes: float) -> bool:
        """Whether something has held for so long without a break; then it is counted anew."""
        now = self._clock()
        if not holds:
            self._since.pop(key, None)
            return False
        if now - self._since.setdefault(key, now) < 60.0 * minutes:
            return False
        del self._since[key]
        return True

    def _go_on(self, watch: Watch, alert: Alert, value: float) -> None:
        """Tell an alert late, again, or after a snooze."""
        if math.isnan(value):
            return
        now = self._clock()
        if alert.state == Phase.SNOOZED and alert.snoozed_until <= now:
            Alert.update(state=Phase.FIRING.value, snoozed_until=None).where(
                Alert.id == alert.id).execute()
            step(ambient(), alert, Phase.FIRING.value, now)
            self._tell(watch, alert, value, "again")
            emit_alert(Alert.get_by_id(alert.id), now)
        elif alert.state == Phase.FIRING and alert.told_at is None:
            self._tell(watch, alert, value, "alert")
        elif alert.state == Phase.FIRING and watch.rule.reminder_hours and (
                now - alert.told_at >= 3600.0 * watch.rule.reminder_hours):
            self._tell(watch, alert, value, "again")

    def _leave(self, judged: set[tuple[str, str]]) -> None:
        """End alerts that no rule judges any more, or of which there is nothing to tell now."""
        rules = {watch.rule.name for watch in self._watches}
        for alert in list(Alert.select().where(
                (Alert.band == "") & Alert.state.in_(ACTIVE) & ~is_filled(Alert.points))):
            known = alert.rule in rules
            if (alert.rule, alert.source) in judged or not self._lasts(
                    (alert.rule, alert.source, True), True, _LEFT_AFTER if known else 0.0):
                continue
            self._resolve(alert, note=f"nothing is known of {alert.source} any more" if known
                          else f"the site file has no rule '{alert.rule}' any more")

    def _fire(self, watch: Watch, subject: str, value: float, latest: Alert | None) -> None:
        now = self._clock()
        alert = Alert.create(
            rule=watch.rule.name, source=subject, band="", state=Phase.FIRING.value,
            episode=latest.episode + 1 if latest else 1, condition=watch.rule.condition,
            severity=watch.rule.severity, value=value, fired_jd=now / 86400.0 + _JD_EPOCH,
            fired_at=now)
        self._tell(watch, alert, value, "alert")
        step(ambient(), alert, alert.state, now)
        emit_alert(Alert.get_by_id(alert.id), now)

    def _end(self, watch: Watch, alert: Alert, value: float) -> None:
        if watch.rule.notify_resolved and alert.told_at is not None:
            self._tell(watch, alert, value, "ended")
        self._resolve(alert)

    def _resolve(self, alert: Alert, note: str = "") -> None:
        now = self._clock()
        Alert.update(state=Phase.RESOLVED.value, resolved_jd=now / 86400.0 + _JD_EPOCH,
                     resolved_at=now, note=note or alert.note).where(
            Alert.id == alert.id).execute()
        step(ambient(), alert, Phase.RESOLVED.value, now, note=note)
        emit_alert(Alert.get_by_id(alert.id), now)

    def _tell(self, watch: Watch, alert: Alert, value: float, state: str) -> None:
        now = self._clock()
        if watch.rule.muted or is_muted(ambient(), alert.rule, alert.source, now):
            if alert.note != "muted":
                Alert.update(note="muted").where(Alert.id == alert.id).execute()
            return
        self._notifier.post(
            ambient(), watch, alert, self._said(watch, alert, value, state),
            made_of=repr(alert.fired_at),
            identity=(alert.rule, alert.source, "", alert.episode, state,
                      int(now) if state == "again" else 0))
        Alert.update(told_at=now, note="").where(Alert.id == alert.id).execute()

    def _said(self, watch: Watch, alert: Alert, value: float, state: str) -> dict[str, Any]:
        what, unit, of = SYSTEM[watch.condition.quantity]
        site, url = self._site.site, self._site.site.url.rstrip("/")
        told = f"{decimal(value, 0 if unit == '' else 1)} {unit}".strip()
        about = clean(f"{alert.source}: {what}" if of != "site" else what[0].upper() + what[1:])
        mark = tag(alert)
        return {
            "kind": "system", "state": state, "severity": watch.rule.severity, "tag": mark,
            "alert": alert.id, "site": clean(site.name), "rule": clean(alert.rule),
            "subject": clean(f"[{site.name}] {about}: {told}"
                             f"{_STATE[state]} [{mark}]"),
            "about": about, "condition": str(watch.condition), "measured": told,
            "episode": alert.episode, "note": clean(self._why(), 300),
            "links": {"alerts": f"{url}/alerts#alert-{alert.id}"} if url else {},
        }


def _is_about(watch: Watch, subject: str) -> bool:
    """Whether a rule watches a telescope, an archive or a channel."""
    names = watch.rule.sources or (watch.rule.source,)
    return any(name in ("*", subject) for name in names)


def _with_own(site: Site) -> list[Rule]:
    """The site's rules, and one that tells of rules that cannot be judged, unless there is one."""
    rules = list(site.rule)
    channels = tuple(dict.fromkeys(name for rule in rules for name in rule.channels))
    if any("rule_error" in rule.condition for rule in rules) or not channels:
        return rules
    return [*rules, Rule(name=OWN, condition="rule_error > 0", hold_minutes=0.0, window_days=1.0,
                         cooldown_hours=24.0, severity="high", channels=channels)]

