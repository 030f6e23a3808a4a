"""Gathers what the summary of a night says: frames, results, alerts and trouble."""

from __future__ import annotations

import math
import platform
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from importlib import metadata
from itertools import groupby
from statistics import fmean, median, quantiles, stdev
from types import SimpleNamespace
from typing import TYPE_CHECKING

from iop4d import __version__
from iop4d.alerts.backtest import waits_for
from iop4d.alerts.check import without_wrong_rules
from iop4d.alerts.engine import AlertEngine
from iop4d.alerts.rendering import clean, count
from iop4d.alerts.summary import statistics
from iop4d.alerts.summary.facts import (
    AlertLine,
    BandNight,
    Failure,
    KindLine,
    Latency,
    NightSummary,
    PolarisationNight,
    SourceNight,
    StandardLine,
    TelescopeNight,
    TroubleLine,
    Uncalibrated,
)
from iop4d.config import Site
from iop4d.model import flags
from iop4d.model.bands import band_order
from iop4d.model.frame import FrameKind
from iop4d.model.result import STACK
from iop4d.model.source import SourceKind
from iop4d.model.states import REPLACED_FRAMES, FrameState
from iop4d.model.uncertainty import between, chi_total, mag_total, p_total, total
from iop4d.model.units import jd_of_unix, plus_minus, utc_of_jd, utc_of_unix
from iop4d.store import alerts, catalogue, groups, health, nodes, results, standards, summaries
from iop4d.store.database import Connection
from iop4d.store.sources import display_name
from iop4d.store.status import TROUBLE

if TYPE_CHECKING:
    from iop4d.store.schema import Alert, Result

_SUNDAY = 6  # of date.weekday()
_SHOWN = 5  # frames that are named of those that failed for one reason
_KINDS = (*(kind.value for kind in FrameKind), "polarimetry", "")
_ORDER = [SourceKind.TARGET.value, "", SourceKind.STANDARD.value, SourceKind.CALIBRATOR.value]
_NEAR = 2.0  # days around a night within which its points lie, wherever the telescopes stand
#: What the numbers rest on, besides iop4d itself.
_PACKAGES = ("numpy", "scipy", "astropy", "photutils", "sep", "astrometry")


def gather(db: Connection, site: Site, night: str, *, since: float, until: float, now: float,
           whole: bool = False) -> NightSummary:
    """Everything of a night. ``since``, ``until``: when the one before it and itself ended.

    Frames and results belong to a night by themselves, alerts as ``alerts_of`` says. ``whole``:
    also the night's alerts that the summary of another night reports.
    """
    return NightSummary(
        night=night, site=clean(site.site.name), url=site.site.url.rstrip("/"), since=since,
        until=until, made_at=now, telescopes=_telescopes(db, night, since, until),
        failures=_failures(db, night, since, until),
        sources=_sources(db, summaries.results(db, night)), uncalibrated=_uncalibrated(db, night),
        alerts=alerts_of(db, night, since=since, until=until, whole=whole),
        active=alerts.count_active(db), pending=_pending(db, night),
        waiting=_waiting(db, site, night, now), archives=_archives(db, since, until),
        standards=_standards(db, night),
        groups=tuple(TroubleLine(name=clean(groups.described(group), 120), state=group.state,
                                 reason=clean(group.reason, 300))
                     for group in groups.without_polarisation(db, night=night)),
        channels=_channels(db, since, until), latency=_latency(summaries.latencies(db, night)),
        masters=summaries.master_counts(db, night), versions=_versions())


# Frames.


def _telescopes(db: Connection, night: str, since: float,
                until: float) -> tuple[TelescopeNight, ...]:
    counts: dict[str, dict[str, dict[str, int]]] = defaultdict(
        lambda: defaultdict(lambda: defaultdict(int)))
    instruments: dict[str, set[str]] = defaultdict(set)
    for telescope, archive, instrument, kind, mode, state, n in summaries.frame_counts(
            db, night, since, until):
        place = _place(telescope, archive)
        is_polarimetry = kind == FrameKind.SCIENCE and mode == "polarimetry"
        counts[place]["polarimetry" if is_polarimetry else kind or ""][state] += n
        if instrument:
            instruments[place].add(clean(instrument, 60))
    return tuple(TelescopeNight(
        name=place, instruments=tuple(sorted(instruments[place])),
        kinds=tuple(line for kind in _KINDS if (line := _kind_line(kind, kinds[kind])).frames),
        copies=sum(states[copy] for states in kinds.values() for copy in REPLACED_FRAMES))
        for place, kinds in sorted(counts.items()))


def _place(telescope: str, archive: str) -> str:
    return clean(telescope, 60) or f"archive {clean(archive, 60)}"


def _kind_line(kind: str, states: dict[str, int]) -> KindLine:
    frames = sum(n for state, n in states.items() if state not in REPLACED_FRAMES)
    reduced = states.get(FrameState.DONE, 0)
    failed = sum(states.get(state, 0) for state in TROUBLE)
    return KindLine(kind=kind or "not read", frames=frames, reduced=reduced, failed=failed,
                    open=frames - reduced - failed)


def _failures(db: Connection, night: str, since: float, until: float) -> tuple[Failure, ...]:
    """Why frames were not used; what happened most often first."""
    groups: dict[tuple[str, str, str], list[tuple[int, str]]] = defaultdict(list)
    for frame in summaries.unused_frames(db, night, since, until):
        reason = clean(frame.reason, 240) or "no reason recorded"
        groups[_place(frame.telescope, frame.archive), frame.state, reason].append(
            (frame.id, clean(frame.name, 120)))
    ordered = sorted(groups.items(), key=lambda group: -len(group[1]))
    return tuple(Failure(telescope=place, state=state, reason=reason, count=len(frames),
                         frames=tuple(frames[:_SHOWN]))
                 for (place, state, reason), frames in ordered)


def _latency(seconds: Sequence[float]) -> Latency | None:
    if not seconds:
        return None
    most = quantiles(seconds, n=20, method="inclusive")[-1] if len(seconds) > 1 else seconds[0]
    return Latency(frames=len(seconds), median=median(seconds), most=most, longest=seconds[-1])


@cache
def _versions() -> dict[str, str]:
    found = {"iop4d": __version__, "Python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


# Results.


def _sources(db: Connection, rows: Sequence[Result]) -> tuple[SourceNight, ...]:
    """The sources of a night's results; targets first, then those of no catalogue, standards."""
    entries = {entry.name: entry for entry in catalogue.load(db).sources}
    found = []
    for name, group in groupby(rows, key=lambda row: str(row.source)):
        entry, everything = entries.get(name), list(group)
        mine = [row for row in everything if row.mode != STACK]
        found.append(SourceNight(
            name=clean(name, 80), kind=entry.kind.value if entry else "",
            also=clean(next(iter(entry.other_names), ""), 80) if entry else "",
            bands=tuple(_photometry(db, of) for of in _by_camera(mine, "mag")),
            polarisation=tuple(_polarisation(of) for of in _by_camera(mine, "p")),
            cameras=statistics.camera_nights(sorted(mine, key=lambda row: row.jd_mid)),
            flags=_flags(mine), stacks=tuple(
                _stack(row) for row in everything if row.mode == STACK)))
    return tuple(sorted(found, key=lambda s: (_ORDER.index(s.kind), s.name.casefold())))


def _stack(row: Result) -> str:
    """A night's frames of a faint source put together, in words."""
    value = plus_minus(row.mag, mag_total(row)) if row.mag is not None else (
        f"fainter than {row.mag_limit:.3f} (three sigma)")
    return f"{clean(row.band, 20)}  {value} mag, {count(len(row.frames), 'frame')} put together"


def _by_camera(rows: Sequence[Result], column: str) -> Iterator[list[Result]]:
    """The rows that have a number: each band, telescope and instrument by itself."""
    found: dict[tuple[str, str, str], list[Result]] = defaultdict(list)
    for row in rows:
        if getattr(row, column) is not None:
            found[row.band, row.telescope, row.instrument].append(row)
    for key in sorted(found, key=lambda key: (band_order(key[0]), key)):
        yield found[key]


def _camera(row: Result) -> tuple[str, str]:
    return row.telescope, row.instrument


def _flags(rows: Sequence[Result]) -> tuple[tuple[str, int], ...]:
    counts = Counter(name for row in rows for name in flags.names(row.flags))
    counts.update("flagged by hand" for row in rows if row.human_flags)
    return tuple(counts.most_common())


def _photometry(db: Connection, rows: Sequence[Result]) -> BandNight:
    band = rows[0].band
    sound = [row for row in rows if summaries.is_sound(row, "mag")]
    mags, now = [row.mag for row in sound], _mean_magnitude(sound)
    before = summaries.preceding_night(db, rows[0], "mag") if sound else ""
    past = summaries.sound_magnitudes(db, rows[0].source, band, before) if before else []
    # Two cameras may differ by their filters: compared is one with itself, where it saw both.
    past = [row for row in past if _camera(row) == _camera(rows[0])] or past
    then = _mean_magnitude(past)
    shared = len({_camera(row) for row in (*sound, *past)}) == 1
    return BandNight(
        band=clean(band, 20), n=len(sound), left_out=len(rows) - len(sound),
        mag=now.mag if now else None, mag_err=now.total if now else None,
        scatter=stdev(mags) if len(mags) > 1 else None,
        brightest=min(mags, default=None), faintest=max(mags, default=None),
        provisional=any(row.provisional for row in rows), before=before,
        change=now.mag - then.mag if now and then else None,
        change_err=now.apart(then, shared=shared) if now and then else None,
        telescope=clean(rows[0].telescope, 60), instrument=clean(rows[0].instrument, 60))


@dataclass(frozen=True, kw_only=True)
class _Mean:
    """A mean magnitude; without errors where no point has one."""

    mag: float
    err: float | None = None
    common: float = 0.0

    @property
    def total(self) -> float | None:
        return total(self.err, self.common)

    def apart(self, other: _Mean, *, shared: bool) -> float | None:
        """The error of the difference."""
        if self.err is None or other.err is None:
            return None
        return math.hypot(self.err, other.err, between(self.common, other.common, shared=shared))


def _mean_magnitude(rows: Sequence[Result]) -> _Mean | None:
    """Weighted by the errors; points without one count where no point has any."""
    if not rows:
        return None
    found = statistics.of_magnitudes(rows)
    return _Mean(mag=fmean(row.mag for row in rows)) if found is None else _Mean(
        mag=found.mag, err=found.err, common=found.common)


def _polarisation(rows: Sequence[Result]) -> PolarisationNight:
    sound = [row for row in rows if summaries.is_sound(row, "p")]
    line = PolarisationNight(
        telescope=clean(rows[0].telescope, 60), instrument=clean(rows[0].instrument, 60),
        band=clean(rows[0].band, 20), n=len(sound), left_out=len(rows) - len(sound), p=None,
        p_err=None, chi_deg=None, chi_err_deg=None, limit=None,
        provisional=any(row.provisional for row in rows))
    if len(sound) == 1:
        row = sound[0]
        return replace(line, p=row.p if row.p_debiased is None else row.p_debiased,
                       p_err=p_total(row), chi_deg=row.chi_deg, chi_err_deg=chi_total(row),
                       limit=row.p_limit)
    found = statistics.of_polarisation(sound)
    if found is None:
        return replace(line, p=fmean(row.p for row in sound) if sound else None)
    seen = SimpleNamespace(
        p=math.hypot(found.q, found.u), q=found.q, u=found.u, p_err=found.p_err,
        q0_err=found.q0_err, u0_err=found.u0_err, chi_err_deg=found.chi_err,
        chi_err_common=found.chi_common)
    return replace(line, p=found.p, p_err=p_total(seen), chi_deg=found.chi_deg,
                   chi_err_deg=chi_total(seen),
                   limit=found.limit if math.isfinite(found.limit) else None)


def _uncalibrated(db: Connection, night: str) -> tuple[Uncalibrated, ...]:
    """Sources and bands with points that have no magnitude for want of calibrators."""
    stars = catalogue.load(db)
    return tuple(Uncalibrated(
        source=clean(source, 80), band=clean(band, 20), points=points,
        in_catalogue=sum(band in star.magnitudes for star in stars.calibrators_of(source)))
        for source, band, points in summaries.uncalibrated(db, night))


def _standards(db: Connection, night: str) -> tuple[StandardLine, ...]:
    return tuple(StandardLine(
        source=clean(one.source, 80), band=clean(one.band, 20),
        instrument=clean(one.instrument, 60), p_off=_known(one.p_off), p_err=_known(one.p_err),
        chi_off=_known(one.chi_off), chi_err=_known(one.chi_err), sigmas=one.sigmas)
        for one in standards.of_night(db, night))


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


# Archives and channels.


def _archives(db: Connection, since: float, until: float) -> tuple[TroubleLine, ...]:
    """Archives that were in trouble in the night, or are, by the last heartbeats."""
    away = health.outages(db, since, until)
    now = {str(archive.get("name")): archive for beat in nodes.beats(db).values()
           for archive in beat.get("archives") or ()}
    found = []
    for name in sorted({*away, *now}):
        archive = now.get(name, {})
        reasons = [str(archive.get("reason") or ""), *map(str, archive.get("trouble") or ()),
                   *(f"{file} failed {why}"
                     for file, why in (archive.get("failing") or {}).items())]
        if name in away:
            reasons.append(_outage_text(away[name]))
        state = str(archive.get("state", "ok"))
        reason = clean("; ".join(filter(None, reasons)), 300)
        if reason or not health.is_well(state):
            found.append(TroubleLine(name=clean(name, 60), state=clean(state, 20), reason=reason))
    return tuple(found)


def _outage_text(away: health.Away) -> str:
    often = f"{away.times} times, " if away.times > 1 else ""
    last = "" if away.until is None else f", until {utc_of_unix(away.until)} UTC: {away.reason}"
    return f"in trouble {often}for {away.seconds / 3600.0:.1f} h in total{last}"


def _channels(db: Connection, since: float, until: float) -> tuple[TroubleLine, ...]:
    """Channels with messages that wait for another attempt, or were given up in the night."""
    waiting = ((channel, f"{count(n, 'message')} waiting", error)
               for channel, n, error in summaries.waiting_messages(db))
    lost = ((channel, f"{count(n, 'message')} to {recipient} not delivered", error)
            for channel, n, error, recipient in summaries.lost_messages(db, since, until))
    return tuple(TroubleLine(name=clean(channel, 60), state=clean(state, 120),
                             reason=clean(error, 240))
                 for channel, state, error in (*waiting, *lost))


# Alerts.


@dataclass(frozen=True, kw_only=True)
class _Span:
    """A night, and the Unix seconds between which events are its own."""

    night: str
    since: float
    until: float


def alerts_of(db: Connection, night: str, *, since: float, until: float,
              whole: bool = False) -> tuple[AlertLine, ...]:
    """The alerts that a night's summary reports: each alert stands in one summary, in no other.

    An alert on points is of the night of the point that fired it, and that night's summary reports
    it. If it comes when that is made already, or will never be made, the summary of the night in
    which it came reports it and names its own night; if not even that one can, the next. What was
    reported stands in the summaries that are kept, with the ids of their alerts. An alert of the
    system has no points: it is of the night in which it fired.

    ``since``, ``until``: Unix seconds between which events are the night's. ``whole``: also the
    night's alerts that another summary reports, marked, for whoever looks at the night by itself.
    """
    span = _Span(night=night, since=since, until=until)
    found = [(alert, _alert_line(alert))
             for alert in summaries.alerts_of_system(db, since, until)]
    found += _alerts_of_points(db, span, whole=whole)
    return tuple(
        replace(line, called=clean(display_name(db, line.source), 80)) for _, line in sorted(
            found, key=lambda pair: (pair[0].fired_at, pair[0].id)))


def _alerts_of_points(db: Connection, span: _Span, *,
                      whole: bool) -> Iterator[tuple[Alert, AlertLine]]:
    reported, is_over = summaries.reported_alerts(db), _is_over(db, span)
    began = summaries.began_at(db)
    first = span.since if began is None else min(span.since, began)
    near = (jd_of_unix(span.since) - _NEAR, jd_of_unix(span.until) + _NEAR)
    for alert in summaries.alerts_of_points(db, (first, span.until), near):
        reported_in = reported.get(alert.id, span.night)
        if reported_in != span.night and not whole:
            continue
        own = _night_of(db, alert, span)
        if reported_in != span.night:
            if own == span.night:
                yield alert, _alert_line(alert, reported_in=reported_in)
        elif own == span.night:
            yield alert, _alert_line(alert)
        elif alert.fired_at < span.until and is_over(own):
            yield alert, _alert_line(alert, night=own)


def _night_of(db: Connection, alert: Alert, span: _Span) -> str:
    """The night of the point that fired an alert; if that is gone, by its time."""
    if last := results.find(db, alert.points[-1]):
        return str(last.night)
    since = jd_of_unix(span.since)
    if since <= alert.fired_jd < jd_of_unix(span.until):
        return span.night
    return _days_after(span.night, math.floor(alert.fired_jd - since))


def _is_over(db: Connection, span: _Span) -> Callable[[str], bool]:
    """Whether a night's summary, of another night than the span's, is not to be expected any more.

    It is made, or that of a later night is; or the site had none yet when that night ended; or the
    night lies so far ahead that a clock went wrong.
    """
    began, last = summaries.began_at(db), summaries.last_night(db)
    if began is not None and began >= span.since:
        last = max(last, _days_after(span.night, -1))
    return lambda night: night <= last or night > _days_after(span.night, 1)


def _days_after(night: str, days: int) -> str:
    return (date.fromisoformat(night) + timedelta(days=days)).isoformat()


def _pending(db: Connection, night: str) -> tuple[AlertLine, ...]:
    """What points of a night met, and no other confirmed so far."""
    return tuple(_alert_line(alert) for alert in alerts.pending(db)
                 if (last := results.find(db, alert.points[-1])) and last.night == night)


def _waiting(db: Connection, site: Site, night: str, now: float) -> tuple[TroubleLine, ...]:
    """In the summary of a Sunday's night, the rules that wait for something, and for what."""
    if date.fromisoformat(night).weekday() != _SUNDAY:
        return ()
    engine = AlertEngine(without_wrong_rules(site), lambda: now)
    return tuple(TroubleLine(name=clean(rule.name), state="waits", reason=clean(why, 300))
                 for rule in site.rule if (compiled := engine.compiled(rule.name)) is not None
                 and (why := waits_for(db, engine, compiled)))


def _alert_line(alert: Alert, *, night: str = "", reported_in: str = "") -> AlertLine:
    return AlertLine(
        id=alert.id, rule=clean(alert.rule), source=clean(alert.source, 80),
        band=clean(alert.band, 20), condition=clean(alert.condition),
        utc=utc_of_jd(alert.fired_jd), state=alert.state, night=clean(night, 20),
        reported_in=reported_in)
