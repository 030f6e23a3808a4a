"""What rules about the system look at: silence, archives out of reach, clouds, a full disk.

Every function gives, for one quantity of ``conditions.SYSTEM``, a value for each subject, in the
quantity's unit. They read the tables, and the daemon's own account of itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from iop4d.config import Site
from iop4d.store import health, outbox
from iop4d.store.database import Connection

_HOUR = 3600.0
_DAY = 86400.0
_FEWEST = 5  # frames of which a share is a measure
_CLOUDS_RECENT = 0.25  # days: a zero point older than that says nothing of the sky now

Values = dict[str, float]


@dataclass(kw_only=True)
class SystemState:
    """The state of the system at one moment.

    ``beat``: the daemon's heartbeat. ``observes``: whether a telescope's frames are to be expected
    now. ``since``: since when a condition of the outside holds, kept from look to look.
    ``unknown``: what each rule names that is not in the catalogue.
    """

    db: Connection
    site: Site
    now: float
    beat: Mapping[str, Any]
    observes: Callable[[str], bool]
    since: dict[tuple[str, str], float] = field(default_factory=dict)
    unknown: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def hours_of(self, what: str, subject: str, holds: bool) -> float:
        """Hours for which something has held; 0 if it does not."""
        key = (what, subject)
        if not holds:
            self.since.pop(key, None)
            return 0.0
        return (self.now - self.since.setdefault(key, self.now)) / _HOUR


def silent(state: SystemState, _window: float) -> Values:
    """Hours of the present night without a new frame, of every telescope with an archive."""
    found = {}
    for telescope in {a.telescope for a in state.site.archive if a.telescope}:
        observing = state.hours_of("observes", telescope, state.observes(telescope))
        last = health.last_frame_at(state.db, telescope)
        idle = math.inf if last is None else (state.now - last) / _HOUR
        found[telescope] = min(observing, idle)
    return found


def unreachable(state: SystemState, _window: float) -> Values:
    """Hours for which an archive has not been in order."""
    fine = ("ok", "starting", "paused")
    return {a["name"]: state.hours_of("bad", a["name"], a["state"] not in fine)
            for a in state.beat.get("archives", ())}


def failed(state: SystemState, window: float) -> Values:
    """Frames that failed or were quarantined within the window."""
    return {state.site.site.name: float(
        health.failed_frames(state.db, state.now - window * _DAY))}


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
    return {state.site.site.name: float(state.beat.get("disk_free_gb", math.nan))}


def backlog(state: SystemState, _window: float) -> Values:
    """Jobs in the queue."""
    return {state.site.site.name: float(health.queued_jobs(state.db, state.now))}


def undelivered(state: SystemState, _window: float) -> Values:
    """Hours for which a channel has not delivered the oldest of its messages."""
    return {channel.name: 0.0 for channel in state.site.channel} | {
        one["channel"]: (state.now - one["since"]) / _HOUR
        for one in outbox.undelivered(state.db, state.now)}


def rule_error(state: SystemState, window: float) -> Values:
    """How often each rule could not be evaluated within the window, and how many of the sources
    that it names are unknown now."""
    errors = health.rule_errors(state.db, state.now - window * _DAY)
    return {name: float(errors.get(name, 0) + len(state.unknown.get(name, ())))
            for name in {rule.name for rule in state.site.rule} | errors.keys()}


def why(state: SystemState, quantity: str, subject: str) -> str:
    """What is known of the reason for a value, in words; empty if nothing is."""
    if quantity == "unreachable":
        return next((str(a.get("reason") or "") for a in state.beat.get("archives", ())
                     if a["name"] == subject), "")
    if quantity == "undelivered":
        return next((str(one["reason"]) for one in outbox.undelivered(state.db, state.now)
                     if one["channel"] == subject), "")
    if quantity == "rule_error":
        if names := state.unknown.get(subject):
            return f"not in the catalogue: {', '.join(names)}"
        return health.last_rule_error(state.db, subject)
    return ""


MEASURES: dict[str, Callable[[SystemState, float], Values]] = {
    f.__name__: f for f in (silent, unreachable, failed, unsolved, clouds, disk_free, backlog,
                            undelivered, rule_error)}
