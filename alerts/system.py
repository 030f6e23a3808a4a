"""Rules about the system itself: judged now and then, by what holds for long enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from iop4d.alerts.conditions import SYSTEM, Form
from iop4d.alerts.content import tag
from iop4d.alerts.engine import emit_alert
from iop4d.alerts.rules import ACTIVE, Phase, Watch, understand
from iop4d.alerts.telling import Teller, is_muted, step
from iop4d.alerts.vitals import MEASURES, Vitals
from iop4d.alerts.words import clean, number
from iop4d.config import Rule, Site
from iop4d.store.alertschema import Alert

_JD_EPOCH = 2440587.5
_OWN = "rules that fail"  # the rule that a site has without asking


class SystemRules:
    """Judges the rules about the system. ``look`` runs inside a transaction."""

    def __init__(self, site: Site, clock: Callable[[], float],
                 observes: Callable[[str], bool]) -> None:
        self._site = site
        self._clock = clock
        self._observes = observes
        self._teller = Teller(site, clock)
        watches = [understand(rule) for rule in _with_own(site)]
        self._watches = [w for w in watches if w.condition.form is Form.SYSTEM]
        self._outside: dict[tuple[str, str], float] = {}
        self._since: dict[tuple[str, str, bool], float] = {}

    def look(self, beat: Mapping[str, Any]) -> None:
        """Judge every rule by the state of the system now."""
        vitals = Vitals(site=self._site, now=self._clock(), beat=beat, observes=self._observes,
                        since=self._outside)
        for watch in self._watches:
            values = MEASURES[watch.condition.quantity](vitals, watch.rule.window)
            for subject, value in values.items():
                self._judge(watch, subject, value)

    def _judge(self, watch: Watch, subject: str, value: float) -> None:
        now = self._clock()
        latest = Alert.select().where(
            (Alert.rule == watch.rule.name) & (Alert.source == subject)
            & (Alert.band == "")).order_by(Alert.episode.desc()).first()
        fires = latest is not None and latest.state in ACTIVE
        if fires and latest is not None and latest.state == Phase.SNOOZED and (
                latest.snoozed_until <= now):
            Alert.update(state=Phase.FIRING.value, snoozed_until=None).where(
                Alert.id == latest.id).execute()
        turns = watch.clears(value) if fires else watch.condition.holds(value)
        key = (watch.rule.name, subject, fires)
        if not turns:
            self._since.pop(key, None)
        elif now - self._since.setdefault(key, now) >= 60.0 * watch.rule.lasting:
            del self._since[key]
            if fires:
                self._end(watch, latest, value)
            elif latest is None or now - latest.fired_at >= 3600.0 * watch.rule.cooldown:
                self._fire(watch, subject, value, latest)

    def _fire(self, watch: Watch, subject: str, value: float, latest: Alert | None) -> None:
        now = self._clock()
        alert = Alert.create(
            rule=watch.rule.name, source=subject, band="", state=Phase.FIRING.value,
            episode=latest.episode + 1 if latest else 1, condition=watch.rule.condition,
            severity=watch.rule.severity, value=value, fired_jd=now / 86400.0 + _JD_EPOCH,
            fired_at=now)
        self._tell(watch, alert, value, "alert")
        step(alert, alert.state, now)
        emit_alert(Alert.get_by_id(alert.id), now)

    def _end(self, watch: Watch, alert: Alert, value: float) -> None:
        now = self._clock()
        Alert.update(state=Phase.RESOLVED.value, resolved_jd=now / 86400.0 + _JD_EPOCH,
                     resolved_at=now).where(Alert.id == alert.id).execute()
        if watch.rule.tell_end and alert.told_at is not None:
            self._tell(watch, alert, value, "ended")
        step(alert, Phase.RESOLVED.value, now)
        emit_alert(Alert.get_by_id(alert.id), now)

    def _tell(self, watch: Watch, alert: Alert, value: float, state: str) -> None:
        now = self._clock()
        if watch.rule.muted or is_muted(alert.rule, alert.source, now):
            Alert.update(note="muted").where(Alert.id == alert.id).execute()
            return
        self._teller.post(
            watch, alert.id, self._said(watch, alert, value, state), made_of=repr(alert.fired_at),
            identity=(alert.rule, alert.source, "", alert.episode, state))
        Alert.update(told_at=now).where(Alert.id == alert.id).execute()

    def _said(self, watch: Watch, alert: Alert, value: float, state: str) -> dict[str, Any]:
        what, unit, of = SYSTEM[watch.condition.quantity]
        site, url = self._site.site, self._site.site.url.rstrip("/")
        told = f"{number(value, 0 if unit == '' else 1)} {unit}".strip()
        about = clean(f"{alert.source}: {what}" if of != "site" else what[0].upper() + what[1:])
        mark = tag(alert)
        return {
            "kind": "system", "state": state, "severity": watch.rule.severity, "tag": mark,
            "alert": alert.id, "site": clean(site.name), "rule": clean(alert.rule),
            "subject": clean(f"[{site.name}] {about}: {told}"
                             f"{' (ended)' if state == 'ended' else ''} [{mark}]"),
            "about": about, "condition": str(watch.condition), "measured": told,
            "episode": alert.episode, "note": clean(alert.note, 300),
            "links": {"alerts": f"{url}/alerts#alert-{alert.id}"} if url else {},
        }


def _with_own(site: Site) -> list[Rule]:
    """The site's rules, and one that tells of rules that cannot be judged, unless there is one."""
    rules = list(site.rule)
    channels = tuple(dict.fromkeys(name for rule in rules for name in rule.channels))
    if any("rule_error" in rule.condition for rule in rules) or not channels:
        return rules
    return [*rules, Rule(name=_OWN, condition="rule_error > 0", lasting=0.0, window=1.0,
                         cooldown=24.0, severity="high", channels=channels)]

