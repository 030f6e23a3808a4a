"""Rules about the system itself: alerts on what holds for long enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from iop4d.alerts import episodes
from iop4d.alerts.check import OWN
from iop4d.alerts.conditions import Form
from iop4d.alerts.notify import Notifier
from iop4d.alerts.rules import CompiledRule, compile_rule
from iop4d.alerts.system_measures import MEASURES, SystemState, why, why_without_frame
from iop4d.alerts.upkeep import isolated, reminder_is_due, snooze_is_over, without_rule
from iop4d.config import Rule, Site
from iop4d.model.states import ACTIVE_ALERTS, AlertState, MessageKind
from iop4d.model.units import jd_of_unix
from iop4d.store import alerts, nodes
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Alert

_HOUR = 3600.0
_LEFT_AFTER = 30.0  # minutes without information of an alert's subject after which it ends


class SystemRules:
    """Judges the rules about the system.

    ``observes``: whether a telescope's frames are to be expected now. ``unknown``: the sources
    that each rule names and that are not in the catalogue.
    """

    def __init__(self, site: Site, clock: Callable[[], float],
                 observes: Callable[[str], bool],
                 unknown: Callable[[Connection], Mapping[str, list[str]]] = lambda _: {}) -> None:
        self._site = site
        self._clock = clock
        self._observes = observes
        self._unknown = unknown
        self._notifier = Notifier(site, clock)
        compiled = [compile_rule(rule) for rule in _with_own(site) if rule.enabled]
        self._disabled = {rule.name for rule in site.rule if not rule.enabled}
        self._rules = [one for one in compiled if one.condition.form is Form.SYSTEM]
        self._why: Callable[[], str] = str  # of the value that is judged
        self._why_without: Callable[[float], str] = lambda _: ""  # the same of its end
        self._outside: dict[tuple[str, str], float] = {}
        self._since: dict[tuple[str, str, bool], float] = {}

    def run_once(self, tx: Transaction, beat: Mapping[str, Any]) -> None:
        """Judge every rule by the state of the system now; ``beat``: the daemon's heartbeat."""
        state = SystemState(db=tx, site=self._site, now=self._clock(), beat=beat,
                            observes=self._observes, since=self._outside, unknown=self._unknown(tx),
                            others=nodes.others(tx))
        judged: set[tuple[str, str]] = set()
        for compiled in self._rules:
            with isolated(tx, self._clock(), rule=compiled.rule.name):
                state = replace(state, by=compiled.condition.by)
                values = MEASURES[compiled.condition.quantity](state, compiled.rule.window_days)
                for subject, value in values.items():
                    if _is_about(compiled, subject):
                        self._why = partial(why, state, compiled.condition.quantity, subject)
                        self._why_without = partial(
                            why_without_frame, state, compiled.condition, subject)
                        self._judge(tx, compiled, subject, value)
                        judged.add((compiled.rule.name, subject))
        self._end_unjudged(tx, judged)

    def _judge(self, tx: Transaction, compiled: CompiledRule, subject: str, value: float) -> None:
        now, rule = self._clock(), compiled.rule
        latest = next(iter(alerts.latest_episodes(tx, rule.name, subject, "")), None)
        active = latest if latest is not None and latest.state in ACTIVE_ALERTS else None
        turns = compiled.condition.holds(value) if active is None else compiled.clears(value)
        if self._lasts((rule.name, subject, active is not None), turns, rule.hold_minutes):
            if active is not None:
                self._end(tx, compiled, active, value)
            elif latest is None or not 0.0 <= now - latest.fired_at < _HOUR * rule.cooldown_hours:
                alert = episodes.begin(tx, rule, subject, "", AlertState.FIRING, after=latest,
                                       now=now, value=value, fired_jd=jd_of_unix(now))
                self._notify(tx, compiled, alert, value, MessageKind.ALERT)
        elif active is not None and not turns:
            self._continue(tx, compiled, active, value)

    def _lasts(self, key: tuple[str, str, bool], holds: bool, minutes: float) -> bool:
        """Whether something has held for so long without a break; then the count begins again."""
        now = self._clock()
        if not holds:
            self._since.pop(key, None)
            return False
        self._since[key] = min(self._since.get(key, now), now)  # the clock may be set back
        if now - self._since[key] < 60.0 * minutes:
            return False
        del self._since[key]
        return True

    def _continue(self, tx: Transaction, compiled: CompiledRule, alert: Alert,
                  value: float) -> None:
        """Notify people late, again, or after a snooze of an alert that is still active."""
        if math.isnan(value):
            return
        now = self._clock()
        if snooze_is_over(alert, now):
            alert = episodes.move(tx, alert, AlertState.FIRING, now=now, snoozed_until=None)
            self._notify(tx, compiled, alert, value, MessageKind.REMINDER)
        elif alert.state == AlertState.FIRING and alert.notified_at is None:
            self._notify(tx, compiled, alert, value, MessageKind.ALERT)
        elif reminder_is_due(alert, compiled.rule, now):
            self._notify(tx, compiled, alert, value, MessageKind.REMINDER)

    def _end_unjudged(self, tx: Transaction, judged: set[tuple[str, str]]) -> None:
        """End alerts that no rule judges any more, or whose subject is not there now."""
        rules = {compiled.rule.name for compiled in self._rules}
        wrong = {rule.name for rule in self._site.wrong_rules} - rules
        for alert in alerts.active_of_system(tx):
            known = alert.rule in rules
            if alert.rule in wrong or (alert.rule, alert.source) in judged or not self._lasts(
                    (alert.rule, alert.source, True), True, _LEFT_AFTER if known else 0.0):
                continue
            self._resolve(tx, alert, f"there is no information about {alert.source} any more"
                          if known else without_rule(alert, self._disabled))

    def _end(self, tx: Transaction, compiled: CompiledRule, alert: Alert, value: float) -> None:
        without = self._why_without(alert.fired_at)
        if compiled.rule.notify_resolved and alert.notified_at is not None:
            self._notify(tx, compiled, alert, value, MessageKind.RESOLVED, without=without)
        self._resolve(tx, alert, f"no frame came: {without}" if without else "")

    def _resolve(self, tx: Transaction, alert: Alert, reason: str = "") -> None:
        now = self._clock()
        episodes.move(tx, alert, AlertState.RESOLVED, now=now, reason=reason,
                      resolved_jd=jd_of_unix(now), resolved_at=now)

    def _notify(self, tx: Transaction, compiled: CompiledRule, alert: Alert, value: float,
                kind: MessageKind, *, without: str = "") -> None:
        self._notifier.notify_of_system(tx, compiled, alert, kind, value=value,
                                        reason="" if without else self._why(), without=without)


def _is_about(compiled: CompiledRule, subject: str) -> bool:
    """Whether a rule watches a telescope, an archive or a channel."""
    names = compiled.rule.sources or (compiled.rule.source,)
    return any(name in ("*", subject) for name in names)


def _with_own(site: Site) -> list[Rule]:
    """The site's rules, and one about rules that cannot be evaluated, unless the site has one."""
    rules = list(site.rule)
    channels = tuple(dict.fromkeys(name for rule in rules for name in rule.channels))
    if any("rule_error" in rule.condition for rule in rules) or not channels:
        return rules
    return [*rules, Rule(name=OWN, condition="rule_error > 0", hold_minutes=0.0, window_days=1.0,
                         cooldown_hours=24.0, severity="high", channels=channels)]

