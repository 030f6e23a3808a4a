"""What can be told of the system: silence, archives out of reach, clouds, a full disk.

Every function gives, for one quantity of ``conditions.SYSTEM``, a value for each subject, in the
quantity's unit. They read the tables inside a connection, and the daemon's own account of itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import peewee as pw

from iop4d.config import Site
from iop4d.model.messages import UNSOLVED
from iop4d.store import outbox
from iop4d.store.schema import Event, Frame, Job, Result

_HOUR = 3600.0
_DAY = 86400.0
_FEWEST = 5  # frames of which a share is told
_CLOUDS_RECENT = 0.25  # days: a zero point older than that tells nothing of the sky now

Values = dict[str, float]


@dataclass(kw_only=True)
class Vitals:
    """The state of the system at one moment.

    ``beat``: the daemon's heartbeat. ``observes``: whether a telescope's frames are to be expected
    now. ``since``: since when a condition of the outside holds, kept from look to look.
    ``unknown``: what each rule names that the catalogue does not know.
    """

    site: Site
    now: float
    beat: Mapping[str, Any]
    observes: Callable[[str], bool]
    since: dict[tuple[str, str], float] = field(default_factory=dict)
    unknown: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def lasting(self, what: str, subject: str, holds: bool) -> float:
        """Hours for which something has held; 0 if it does not."""
        key = (what, subject)
        if not holds:
            self.since.pop(key, None)
            return 0.0
        return (self.now - self.since.setdefault(key, self.now)) / _HOUR


def silent(vitals: Vitals, _window: float) -> Values:
    """Hours of the present night without a new frame, of every telescope with an archive."""
    found = {}
    for telescope in {a.telescope for a in vitals.site.archive if a.telescope}:
        for_so_long = vitals.lasting("observes", telescope, vitals.observes(telescope))
        last = Frame.select(pw.fn.MAX(Frame.seen_at)).where(Frame.telescope == telescope).scalar()
        idle = math.inf if last is None else (vitals.now - last) / _HOUR
        found[telescope] = min(for_so_long, idle)
    return found


def unreachable(vitals: Vitals, _window: float) -> Values:
    """Hours for which an archive has not been in order."""
    fine = ("ok", "starting", "paused")
    return {a["name"]: vitals.lasting("bad", a["name"], a["state"] not in fine)
            for a in vitals.beat.get("archives", ())}


def failed(vitals: Vitals, window: float) -> Values:
    """Frames that failed or were set aside within the window."""
    return {vitals.site.site.name: float(Frame.select().where(
        Frame.state.in_(("failed", "quarantined"))
        & (Frame.changed_at > vitals.now - window * _DAY)).count())}


def unsolved(vitals: Vitals, window: float) -> Values:
    """Percent of a telescope's frames of the window whose field was not recognised."""
    lost = pw.fn.SUM(pw.Case(None, [(Frame.reason.startswith(f"{UNSOLVED}:"), 1)], 0))
    rows = Frame.select(Frame.telescope, pw.fn.COUNT(Frame.id), lost).where(
        (Frame.kind == "science") & Frame.state.in_(("done", "failed"))
        & (Frame.seen_at > vitals.now - window * _DAY)).group_by(Frame.telescope)
    return {name: 100.0 * bad / count for name, count, bad in rows.tuples() if count >= _FEWEST}


def clouds(vitals: Vitals, window: float) -> Values:
    """Magnitudes that the newest zero point lies below the best, of like frames of a telescope.

    Like frames: the same instrument, band and exposure. NaN where the newest is not of now.
    """
    found: Values = {}
    alike = (Result.telescope, Result.instrument, Result.band, Result.exptime_s)
    after = vitals.now - window * _DAY
    for *key, best, newest in Result.select(
            *alike, pw.fn.MAX(Result.zero_point), pw.fn.MAX(Result.id)).where(
            Result.zero_point.is_null(False) & (Result.created_at > after)).group_by(
            *alike).tuples():
        row = Result.get_by_id(newest)
        if vitals.now - row.created_at < _CLOUDS_RECENT * _DAY:
            found[key[0]] = max(found.get(key[0], 0.0), best - row.zero_point)
    return found


def disk_free(vitals: Vitals, _window: float) -> Values:
    """Gigabytes that are free on the site's disk."""
    return {vitals.site.site.name: float(vitals.beat.get("disk_free_gb", math.nan))}


def backlog(vitals: Vitals, _window: float) -> Values:
    """Jobs that wait."""
    return {vitals.site.site.name: float(Job.select().where(
        (Job.state == "queued") & (Job.not_before <= vitals.now)).count())}


def undelivered(vitals: Vitals, _window: float) -> Values:
    """Hours for which the oldest message of a channel has been tried in vain."""
    return {channel.name: 0.0 for channel in vitals.site.channel} | {
        one["channel"]: (vitals.now - one["since"]) / _HOUR
        for one in outbox.undelivered(vitals.now)}


def rule_error(vitals: Vitals, window: float) -> Values:
    """How often each rule could not be judged within the window, or whom it cannot find now."""
    rule = pw.fn.json_extract(Event.content, "$.rule")
    rows = Event.select(rule, pw.fn.COUNT(Event.id)).where(
        (Event.kind == "alert-error") & (Event.at > vitals.now - window * _DAY)).group_by(rule)
    failed_so_often = {str(name): float(count) for name, count in rows.tuples()}
    return {name: failed_so_often.get(name, 0.0) + len(vitals.unknown.get(name, ()))
            for name in {rule.name for rule in vitals.site.rule} | failed_so_often.keys()}


def why(vitals: Vitals, quantity: str, subject: str) -> str:
    """What is known of the reason for a value, in words; empty if nothing is."""
    if quantity == "unreachable":
        return next((str(a.get("reason") or "") for a in vitals.beat.get("archives", ())
                     if a["name"] == subject), "")
    if quantity == "undelivered":
        return next((str(one["reason"]) for one in outbox.undelivered(vitals.now)
                     if one["channel"] == subject), "")
    if quantity == "rule_error":
        if names := vitals.unknown.get(subject):
            return f"the catalogue does not know {', '.join(names)}"
        rule = pw.fn.json_extract(Event.content, "$.rule")
        reason = pw.fn.json_extract(Event.content, "$.reason")
        return str(Event.select(reason).where((Event.kind == "alert-error") & (rule == subject))
                   .order_by(Event.id.desc()).limit(1).scalar() or "")
    return ""


MEASURES: dict[str, Callable[[Vitals, float], Values]] = {
    f.__name__: f for f in (silent, unreachable, failed, unsolved, clouds, disk_free, backlog,
                            undelivered, rule_error)}
