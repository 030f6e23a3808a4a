"""What rules about the system are compared with, and why it is as it is.

A measure gives, for one quantity of ``conditions.SYSTEM``, a value for each subject (a telescope,
an archive, a channel, a rule, or the site), in the quantity's unit. It reads the tables, and the
daemon's own account of itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from iop4d.alerts.conditions import Condition
from iop4d.config import Site
from iop4d.model.units import jd_of_unix, utc_of_unix
from iop4d.store import deliveries, health, nodes, standards
from iop4d.store.database import Connection

_HOUR = 3600.0
_DAY = 86400.0
_FEWEST = 5  # frames of which a share is a measure
_CLOUDS_RECENT = 0.25  # days: a zero point older than that says nothing of the sky now
_CLOUDS_DAYS, _CLOUDED = 14.0, 0.7  # days whose best zero point counts; mag below it

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
