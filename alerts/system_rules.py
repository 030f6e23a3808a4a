"""Rules about the system itself: what they look at, and alerts on what holds for long enough.

A measure gives, for one quantity of ``conditions.SYSTEM``, a value for each subject (a telescope,
an archive, a channel, a rule, or the site), in the quantity's unit. It reads the tables, and the
daemon's own account of itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from iop4d.alerts import episodes
from iop4d.alerts.check import OWN
from iop4d.alerts.conditions import Condition, Form
from iop4d.alerts.engine import isolated, reminder_is_due, snooze_is_over, without_rule
from iop4d.alerts.notify import Notifier
from iop4d.alerts.rules import CompiledRule, compile_rule
from iop4d.config import Rule, Site
from iop4d.model.states import ACTIVE_ALERTS, AlertState, MessageKind
from iop4d.model.units import jd_of_unix, utc_of_unix
from iop4d.store import alerts, deliveries, health, nodes, standards
from iop4d.store.database import Connection, Transaction
from iop4d.store.schema import Alert

_HOUR = 3600.0
_DAY = 86400.0
_FEWEST = 5  # frames of which a share is a measure
_CLOUDS_RECENT = 0.25  # days: a zero point older than that says nothing of the sky now
_CLOUDS_DAYS, _CLOUDED = 14.0, 0.7  # days whose best zero point counts; mag below it
_LEFT_AFTER = 30.0  # minutes without information of an alert's subject after which it ends

Values = dict[str, float]


@dataclass(kw_only=True)
class SystemState:
    """The state of the system at one moment.

    ``beat``: the daemon's heartbeat. ``observes``: whether a telescope's frames are to be expected
    now. ``since``: since when a condition of the outside holds, kept from look to look.
    ``unknown``: what each rule names that is not in the catalogue. ``by``: the hour and the time
    zone of a condition on data. ``others``: the last heartbeats of the other daemons that share
    the database, by their nodes.
    """

    db: Connection
    site: Site
    now: float
    beat: Mapping[str, Any]
    observes: Callable[[str], bool]
    since: dict[tuple[str, str], float] = field(default_factory=dict)
    unknown: Mapping[str, Sequence[str]] = field(default_factory=dict)
    by: tuple[str, str] = ("", "")
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """By which alerts of the site go, or those of this node."""
        return self.site.site.node or self.site.site.name

    @property
    def running(self) -> dict[str, Mapping[str, Any]]:
        """The heartbeats of the other nodes that are seen."""
        return {node: beat for node, beat in self.others.items() if nodes.is_seen(beat, self.now)}

    def senders(self) -> dict[str, str]:
        """The telescopes that have an archive, of whatever node; and the archives without one,
        with their own names."""
        found = {subject: str(archive) for beat in self.running.values()
                 for subject, (archive, _) in beat.get("senders", {}).items()}
        return found | senders(self.site)

    def is_observed(self, subject: str) -> bool:
        """Whether frames of a telescope are to be expected now, at any node."""
        return self.observes(subject) or any(
            beat.get("senders", {}).get(subject, ("", False))[1]
            for beat in self.running.values())

    def hours_of(self, what: str, subject: str, holds: bool) -> float:
        """Hours for which something has held; 0 if it does not."""
        key = (what, subject)
        if not holds:
            self.since.pop(key, None)
            return 0.0
        # Not after now: the clock was set back since.
        self.since[key] = min(self.since.get(key, self.now), self.now)
        return (self.now - self.since[key]) / _HOUR


def silent(state: SystemState, _window: float) -> Values:
    """Hours of the present night without a new frame, of every telescope with an archive and of
    every archive without a telescope."""
    found = {}
    for subject, archive in state.senders().items():
        observing = state.hours_of("observes", subject, state.is_observed(subject))
        last = health.last_frame_at(state.db, subject, archive=archive)
        # A frame of the future came before the clock was set back: since when is not known.
        ahead = state.hours_of("ahead", subject, last is not None and last > state.now)
        idle = math.inf if last is None else max(ahead, (state.now - last) / _HOUR)
        found[subject] = min(observing, idle)
    return found


def unreachable(state: SystemState, _window: float) -> Values:
    """Hours for which an archive, the engine of Dask, the broker of triggers or another node has
    not been in order."""
    fine = ("ok", "starting", "paused")
    return {a["name"]: state.hours_of("bad", a["name"], a["state"] not in fine)
            for a in _reached(state)}


def _reached(state: SystemState) -> list[Mapping[str, Any]]:
    """What is reached over a network: the archives, the engine where that is Dask, the broker of
    triggers, other nodes."""
    found = _reached_by(state.beat)
    for node, beat in state.others.items():
        away = nodes.is_away(beat, state.now)
        found += [] if away else _reached_by(beat, f" of {node}")
        found.append({"name": node, "state": "unreachable" if away else "ok", "reason": (
            f"no heartbeat since {utc_of_unix(float(beat.get('beat_at') or 0.0))} UTC"
            if away else "")})
    return found


def _reached_by(beat: Mapping[str, Any], whose: str = "") -> list[Mapping[str, Any]]:
    others = [beat[name] for name in ("engine", "triggers") if beat.get(name)]
    return [*beat.get("archives", ()),
            *({**one, "name": f"{one['name']}{whose}"} for one in others)]


def failed(state: SystemState, window: float) -> Values:
    """Frames that failed or were quarantined within the window."""
    since = state.now - window * _DAY
    return {state.name: float(health.failed_frames(state.db, since))} | {
        node: float(health.failed_frames(state.db, since, node=node)) for node in state.others}


def unsolved(state: SystemState, window: float) -> Values:
    """Percent of a telescope's frames of the window without an astrometric solution."""
    rows = health.unsolved_frames(state.db, state.now - window * _DAY)
    return {name: 100.0 * bad / count for name, count, bad in rows if count >= _FEWEST}


def clouds(state: SystemState, window: float) -> Values:
    """Magnitudes that the newest zero point lies below the best, of like frames of a telescope.

    Like frames: the same instrument, band and exposure. Nothing where the newest is not of now.
    """
    found: Values = {}
    for telescope, best, newest, at in health.zero_points(
            state.db, state.now - window * _DAY):
        if state.now - at < _CLOUDS_RECENT * _DAY:
            found[telescope] = max(found.get(telescope, 0.0), best - newest)
    return found


def disk_free(state: SystemState, _window: float) -> Values:
    """Gigabytes that are free on the site's disk."""
    return {name: float(beat.get("disk_free_gb", math.nan))
            for name, beat in {state.name: state.beat, **state.running}.items()}


def backlog(state: SystemState, _window: float) -> Values:
    """Jobs in the queue."""
    return {state.name: float(health.queued_jobs(state.db, state.now))} | {
        node: float(health.queued_jobs(state.db, state.now, node=node)) for node in state.others}


def undelivered(state: SystemState, _window: float) -> Values:
    """Hours for which a channel has not delivered the oldest of its messages."""
    return {channel.name: 0.0 for channel in state.site.channel} | {
        one["channel"]: (state.now - one["since"]) / _HOUR
        for one in deliveries.undelivered(state.db, state.now)}


def standard_off(state: SystemState, window: float) -> Values:
    """Sigmas by which each instrument's newest standard of the window is off the literature."""
    return {one.instrument: one.sigmas
            for one in standards.newest(state.db, jd_of_unix(state.now) - window)}


def rule_error(state: SystemState, window: float) -> Values:
    """How often each rule could not be evaluated within the window, and how many of the sources
    that it names are unknown now; 1 for a rule that is wrong."""
    errors = health.rule_errors(state.db, state.now - window * _DAY)
    wrong = {rule.name for rule in state.site.wrong_rules}
    return {name: float(errors.get(name, 0) + len(state.unknown.get(name, ())) + (name in wrong))
            for name in {rule.name for rule in state.site.rule} | errors.keys() | wrong}


def why(state: SystemState, quantity: str, subject: str) -> str:
    """What is known of the reason for a value, in words; empty if nothing is."""
    if quantity == "unreachable":
        return next((str(a.get("reason") or "") for a in _reached(state)
                     if a["name"] == subject), "")
    if quantity == "undelivered":
        return next((str(one["reason"]) for one in deliveries.undelivered(state.db, state.now)
                     if one["channel"] == subject), "")
    if quantity == "no_data":
        seen = clouds(state, _CLOUDS_DAYS)
        return ("other telescopes see no clouds" if seen.keys() - {subject} else
                "whether it is cloudy is not known: no telescope has zero points of tonight")
    if quantity == "rule_error":
        return _why_of_rule(state, subject)
    return ""


_NEWEST = {"silent": health.last_frame_at, "no_data": health.last_science_frame_at}


def why_without_frame(state: SystemState, condition: Condition, subject: str,
                      fired_at: float) -> str:
    """Why a condition on frames is no longer met though the frame that was missing when it fired
    never came; empty where one did, and of other conditions."""
    if condition.quantity not in _NEWEST:
        return ""
    is_silent = condition.quantity == "silent"
    since = fired_at - condition.threshold * _HOUR if is_silent else _deadline(
        state, fired_at) - _DAY / 2
    last = _NEWEST[condition.quantity](
        state.db, subject, archive=state.senders().get(subject, ""))
    if last is not None and last > since:  # it may be recognised long after it was seen
        return ""
    clouded = not is_silent and state.is_observed(subject)
    return "other telescopes see clouds" if clouded else "the night is over"


def senders(site: Site) -> dict[str, str]:
    """The telescopes that have an archive; and the archives without one, with their own names."""
    return {a.telescope or a.name: "" if a.telescope else a.name for a in site.archive}


def _why_of_rule(state: SystemState, rule: str) -> str:
    if names := state.unknown.get(rule):
        return f"not in the catalogue: {', '.join(names)}"
    if wrong := next((r.why for r in state.site.wrong_rules if r.name == rule), ""):
        return wrong
    return health.last_rule_error(state.db, rule)


def no_data(state: SystemState, _window: float) -> Values:
    """Hours of the night since the hour by which there should have been a science frame, of every
    telescope (or archive without one) that has sent none; 0 where another one sees clouds."""
    deadline = _deadline(state, state.now)
    clouded = {name for name, drop in clouds(state, _CLOUDS_DAYS).items() if drop > _CLOUDED}
    found = {}
    for subject, archive in state.senders().items():
        last = health.last_science_frame_at(state.db, subject, archive=archive)
        fine = (last is not None and last > deadline - _DAY / 2) or bool(clouded - {subject})
        expected = state.now - deadline < _DAY / 2 and state.is_observed(subject)
        found[subject] = 0.0 if fine or not expected else (state.now - deadline) / _HOUR
    return found


def _deadline(state: SystemState, now: float) -> float:
    return last_time(*state.by, now, local=state.site.alerts.quiet_timezone)


def last_time(hour: str, zone: str, now: float, *, local: str = "UTC") -> float:
    """The last moment (Unix seconds) at which clocks of a zone showed an hour such as 22:00."""
    here = datetime.fromtimestamp(now, UTC).astimezone(ZoneInfo(local if zone == "local" else zone))
    at = here.replace(hour=int(hour[:2]), minute=int(hour[3:]), second=0, microsecond=0)
    if at.timestamp() > now:
        at = (at.replace(tzinfo=None) - timedelta(days=1)).replace(tzinfo=here.tzinfo)
    return at.timestamp()


MEASURES: dict[str, Callable[[SystemState, float], Values]] = {
    f.__name__: f for f in (silent, unreachable, failed, unsolved, clouds, disk_free, backlog,
                            undelivered, standard_off, rule_error, no_data)}


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

