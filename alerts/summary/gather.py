"""Reads a night out of the database; every function within a connection."""

from __future__ import annotations

import platform
from collections import defaultdict
from importlib import metadata
from statistics import median, quantiles
from typing import Any

from peewee import fn

from iop4d import __version__
from iop4d.alerts.rendering import clean
from iop4d.alerts.summary.alerted import alerts_of
from iop4d.alerts.summary.facts import (
    Facts,
    Failure,
    KindLine,
    Latency,
    TelescopeNight,
    Trouble,
)
from iop4d.alerts.summary.measured import results_of, sources_of, uncalibrated_of
from iop4d.config import Site
from iop4d.model.frame import FrameKind
from iop4d.model.states import ACTIVE_ALERTS, FrameState
from iop4d.model.units import JD_UNIX_EPOCH, utc_of_jd
from iop4d.store import outages
from iop4d.store.database import ambient
from iop4d.store.schema import Alert, Frame, Master, Outbox
from iop4d.store.status import TROUBLE, heartbeat

_SHOWN = 5  # frames that are named of those that failed for one reason
_COPIES = (FrameState.DUPLICATE, FrameState.SUPERSEDED)
_KINDS = (*(kind.value for kind in FrameKind), "polarimetry", "")
#: What the numbers rest on, besides iop4d itself.
_PACKAGES = ("numpy", "scipy", "astropy", "photutils", "sep", "astrometry")


def gather(site: Site, night: str, *, since: float, until: float, now: float,
           whole: bool = False) -> Facts:
    """Everything of a night. ``since``, ``until``: when the one before it and itself ended.

    Frames and results belong to a night by themselves, alerts as ``alerts_of`` says; files in
    which no night could be read, by the time at which they came. ``whole``: for whoever looks at
    the night, also with its alerts that the summary of another night tells.
    """
    rows = results_of(night)
    return Facts(
        night=night, site=clean(site.site.name), url=site.site.url.rstrip("/"), since=since,
        until=until, made_at=now, telescopes=_telescopes(night, since, until),
        failures=_failures(night, since, until), sources=sources_of(rows),
        uncalibrated=uncalibrated_of(night),
        alerts=alerts_of(night, since=since, until=until, whole=whole),
        firing=Alert.select().where(Alert.state.in_(ACTIVE_ALERTS)).count(),
        archives=_archives(since, until), channels=_channels(since, until), latency=_latency(night),
        masters=_masters(night), versions=_versions())


def _of_night(night: str, since: float, until: float) -> Any:
    """The condition that a frame is of a night, or came in it and tells none."""
    came = (Frame.night == "") & (Frame.seen_at >= since) & (Frame.seen_at < until)
    return (Frame.night == night) | came


def _place(telescope: str, archive: str) -> str:
    return clean(telescope, 60) or f"archive {clean(archive, 60)}"


def _telescopes(night: str, since: float, until: float) -> tuple[TelescopeNight, ...]:
    what = (Frame.telescope, Frame.archive, Frame.instrument, Frame.kind, Frame.mode, Frame.state)
    rows = (Frame.select(*what, fn.COUNT(Frame.id)).where(_of_night(night, since, until))
            .group_by(*what).tuples())
    counts: dict[str, dict[str, dict[str, int]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(int)))
    instruments: dict[str, set[str]] = defaultdict(set)
    for telescope, archive, instrument, kind, mode, state, count in rows:
        place = _place(telescope, archive)
        of = "polarimetry" if kind == FrameKind.SCIENCE and mode == "polarimetry" else kind or ""
        counts[place][of][state] += count
        if instrument:
            instruments[place].add(clean(instrument, 60))
    return tuple(TelescopeNight(
        name=place, instruments=tuple(sorted(instruments[place])),
        kinds=tuple(line for kind in _KINDS if (line := _line(kind, kinds[kind])).frames),
        copies=sum(states[copy] for states in kinds.values() for copy in _COPIES))
        for place, kinds in sorted(counts.items()))


def _line(kind: str, states: dict[str, int]) -> KindLine:
    counted = {state: n for state, n in states.items() if state not in _COPIES}
    reduced = counted.get(FrameState.DONE, 0)
    failed = sum(counted.get(state, 0) for state in TROUBLE)
    frames = sum(counted.values())
    return KindLine(kind=kind or "not read", frames=frames, reduced=reduced, failed=failed,
                    open=frames - reduced - failed)


def _failures(night: str, since: float, until: float) -> tuple[Failure, ...]:
    """Why frames were not used; what happened most often first."""
    rows = (Frame.select(Frame.id, Frame.name, Frame.telescope, Frame.archive, Frame.state,
                         Frame.reason)
            .where(_of_night(night, since, until) & Frame.state.in_(TROUBLE))
            .order_by(Frame.id).tuples())
    groups: dict[tuple[str, str, str], list[tuple[int, str]]] = defaultdict(list)
    for id_, name, telescope, archive, state, reason in rows:
        said = clean(reason, 240) or "no reason recorded"
        groups[_place(telescope, archive), state, said].append((id_, clean(name, 120)))
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return tuple(Failure(telescope=place, state=state, reason=reason, count=len(frames),
                         frames=tuple(frames[:_SHOWN]))
                 for (place, state, reason), frames in ordered)


def _archives(since: float, until: float) -> tuple[Trouble, ...]:
    """Archives that were in trouble in the night, or are, by the daemon's last heartbeat."""
    away = outages.between(ambient(), since, until)
    now = {str(archive.get("name")): archive
           for archive in heartbeat(ambient()).get("archives") or ()}
    found = []
    for name in sorted({*away, *now}):
        archive = now.get(name, {})
        reasons = [str(archive.get("reason") or ""), *map(str, archive.get("trouble") or ()),
                   *(f"{file} failed {why}"
                     for file, why in (archive.get("failing") or {}).items())]
        if name in away:
            reasons.append(_told(away[name]))
        state = str(archive.get("state", "ok"))
        reason = clean("; ".join(filter(None, reasons)), 300)
        if reason or not outages.is_well(state):
            found.append(Trouble(name=clean(name, 60), state=clean(state, 20), reason=reason))
    return tuple(found)


def _told(away: outages.Away) -> str:
    often = f"{away.times} times, " if away.times > 1 else ""
    last = "" if away.until is None else (
        f", until {utc_of_jd(away.until / 86400.0 + JD_UNIX_EPOCH)} UTC: {away.reason}")
    return f"in trouble {often}for {away.seconds / 3600.0:.1f} h in all{last}"


def _channels(since: float, until: float) -> tuple[Trouble, ...]:
    """Channels with messages that wait for another attempt, or were given up in the night."""
    what = (Outbox.channel, fn.COUNT(Outbox.id), fn.MAX(Outbox.id))
    waiting = (Outbox.select(*what)
               .where((Outbox.state == "queued") & (Outbox.last_error != ""))
               .group_by(Outbox.channel).order_by(Outbox.channel).tuples())
    lost = (Outbox.select(*what, Outbox.recipient)
            .where((Outbox.state == "failed") & (Outbox.given_up_at >= since)
                   & (Outbox.given_up_at < until))
            .group_by(Outbox.channel, Outbox.recipient, Outbox.last_error)
            .order_by(Outbox.channel, Outbox.recipient, Outbox.last_error).tuples())
    return (*(_trouble(channel, f"{_messages(count)} waiting", newest)
              for channel, count, newest in waiting),
            *(_trouble(channel, f"{_messages(count)} to {recipient} given up", newest)
              for channel, count, newest, recipient in lost))


def _trouble(channel: str, state: str, newest: int) -> Trouble:
    return Trouble(name=clean(channel, 60), state=clean(state, 120),
                   reason=clean(Outbox.get_by_id(newest).last_error, 240))


def _messages(count: int) -> str:
    return f"{count} message{'s' * (count != 1)}"


def _latency(night: str) -> Latency | None:
    took = fn.json_extract(Frame.info, "$.latency_s")
    seconds = sorted(float(value) for (value,) in Frame.select(took).where(
        (Frame.night == night) & (Frame.kind == FrameKind.SCIENCE)
        & (Frame.state == FrameState.DONE)
        & took.is_null(False)).tuples())
    if not seconds:
        return None
    most = quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return Latency(frames=len(seconds), median=median(seconds), most=most, longest=seconds[-1])


def _masters(night: str) -> dict[str, int]:
    rows = (Master.select(Master.state, fn.COUNT(Master.id)).where(Master.night == night)
            .group_by(Master.state).order_by(Master.state).tuples())
    return {str(state): count for state, count in rows}


def _versions() -> dict[str, str]:
    found = {"iop4d": __version__, "Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not there"
    return found
