"""Rules about the system itself: judged now and then, by what holds for long enough.

``unknown``: the sources that each rule names and the catalogue does not know.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from iop4d.alerts import episodes
from iop4d.alerts.compose import tag
from iop4d.alerts.conditions import SYSTEM, Form
from iop4d.alerts.engine import OWN, isolated
from iop4d.alerts.notify import Notifier
from iop4d.alerts.rendering import clean
from iop4d.alerts.rules import CompiledRule, compile_rule
from iop4d.alerts.system_state import MEASURES, SystemState, why
from iop4d.alerts.upkeep import reminder_is_due, snooze_is_over, without_rule
from iop4d.config import Rule, Site
from iop4d.model.states import ACTIVE_ALERTS, AlertState
from iop4d.model.units import decimal, jd_of_unix
from iop4d.store import alerts, mutes
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Alert

_STATE = {"alert": "", "again": " (still)", "ended": " (ended)"}
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
        compiled = [compile_rule(rule) for rule in _with_own(site)]
        self._rules = [one for one in compiled if one.condition.form is Form.SYSTEM]
        self._why: Callable[[], str] = str  # of the value that is judged
        self._outside: dict[tuple[str, str], float] = {}
        self._since: dict[tuple[str, str, bool], float] = {}

    def run_once(self, tx: Transaction, beat: Mapping[str, Any]) -> None:
        """Judge every rule by the state of the system now; ``beat``: the daemon's heartbeat."""
        state = SystemState(db=tx, site=self._site, now=self._clock(), beat=beat,
                            observes=self._observes, since=self._outside, unknown=self._unknown(tx))
        judged: set[tuple[str, str]] = set()
        for compiled in self._rules:
            with isolated(tx, self._clock(), rule=compiled.rule.name):
                values = MEASURES[compiled.condition.quantity](state, compiled.rule.window_days)
                for subject, value in values.items():
                    if _is_about(compiled, subject):
                        self._why = partial(why, state, compiled.condition.quantity, subject)
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
            elif latest is None or now - latest.fired_at >= 3600.0 * rule.cooldown_hours:
                alert = episodes.begin(tx, rule, subject, "", AlertState.FIRING, after=latest,
                                       now=now, value=value, fired_jd=jd_of_unix(now))
                self._tell(tx, compiled, alert, value, "alert")
        elif active is not None and not turns:
            self._continue(tx, compiled, active, value)

    def _lasts(self, key: tuple[str, str, bool], holds: bool, minutes: float) -> bool:
        """Whether something has held for so long without a break; then the count begins again."""
        now = self._clock()
        if not holds:
            self._since.pop(key, None)
            return False
        if now - self._since.setdefault(key, now) < 60.0 * minutes:
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
            self._tell(tx, compiled, alert, value, "again")
        elif alert.state == AlertState.FIRING and alert.told_at is None:
            self._tell(tx, compiled, alert, value, "alert")
        elif reminder_is_due(alert, compiled.rule, now):
            self._tell(tx, compiled, alert, value, "again")

    def _end_unjudged(self, tx: Transaction, judged: set[tuple[str, str]]) -> None:
        """End alerts that no rule judges any more, or whose subject is not there now."""
        rules = {compiled.rule.name for compiled in self._rules}
        for alert in alerts.active_of_system(tx):
            known = alert.rule in rules
            if (alert.rule, alert.source) in judged or not self._lasts(
                    (alert.rule, alert.source, True), True, _LEFT_AFTER if known else 0.0):
                continue
            self._resolve(tx, alert, f"there is no information about {alert.source} any more"
                          if known else without_rule(alert))

    def _end(self, tx: Transaction, compiled: CompiledRule, alert: Alert, value: float) -> None:
        if compiled.rule.notify_resolved and alert.told_at is not None:
            self._tell(tx, compiled, alert, value, "ended")
        self._resolve(tx, alert)

    def _resolve(self, tx: Transaction, alert: Alert, reason: str = "") -> None:
        now = self._clock()
        episodes.move(tx, alert, AlertState.RESOLVED, now=now, reason=reason,
                      resolved_jd=jd_of_unix(now), resolved_at=now)

    def _tell(self, tx: Transaction, compiled: CompiledRule, alert: Alert, value: float,
              state: str) -> None:
        now = self._clock()
        if compiled.rule.muted or mutes.is_muted(tx, alert.rule, alert.source, now):
            if alert.note != "muted":
                alerts.update(tx, alert, note="muted")
            return
        self._notifier.post(
            tx, compiled, alert, self._content(compiled, alert, value, state),
            made_of=repr(alert.fired_at), identity=(alert.rule, alert.source, "", alert.episode,
                                                    state, int(now) if state == "again" else 0))
        alerts.update(tx, alert, told_at=now, note="")

    def _content(self, compiled: CompiledRule, alert: Alert, value: float,
                 state: str) -> dict[str, Any]:
        what, unit, of = SYSTEM[compiled.condition.quantity]
        site, url = self._site.site, self._site.site.url.rstrip("/")
        told = f"{decimal(value, 0 if unit == '' else 1)} {unit}".strip()
        about = clean(f"{alert.source}: {what}" if of != "site" else what[0].upper() + what[1:])
        mark = tag(alert)
        return {
            "kind": "system", "state": state, "severity": compiled.rule.severity, "tag": mark,
            "alert": alert.id, "site": clean(site.name), "rule": clean(alert.rule),
            "subject": clean(f"[{site.name}] {about}: {told}"
                             f"{_STATE[state]} [{mark}]"),
            "about": about, "condition": str(compiled.condition), "measured": told,
            "episode": alert.episode, "note": clean(self._why(), 300),
            "links": {"alerts": f"{url}/alerts#alert-{alert.id}"} if url else {},
        }


def _is_about(compiled: CompiledRule, subject: str) -> bool:
    """Whether a rule watches a telescope, an archive or a channel."""
    names = compiled.rule.sources or (compiled.rule.source,)
    return any(name in ("*", subject) for name in names)


def _with_own(site: Site) -> list[Rule]:
    """The site's rules, and one that tells of rules that cannot be judged, unless there is one."""
    rules = list(site.rule)
    channels = tuple(dict.fromkeys(name for rule in rules for name in rule.channels))
    if any("rule_error" in rule.condition for rule in rules) or not channels:
        return rules
    return [*rules, Rule(name=OWN, condition="rule_error > 0", hold_minutes=0.0, window_days=1.0,
                         cooldown_hours=24.0, severity="high", channels=channels)]

