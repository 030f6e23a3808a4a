"""Reads what a draft says from the store; every function needs a connection.

Only good points count: those that count for alerts (see ``alerts.compose.good_points``), with an
error. What follows depends on the results alone, so the same results give the same facts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from peewee import fn

from iop4d.alerts.atel.compare import (
    baseline_of,
    fastest_change,
    nights_of,
    steps,
)
from iop4d.alerts.atel.facts import (
    NAN,
    About,
    Change,
    Facts,
    Level,
    Night,
    NothingToReport,
    Point,
    Polarisation,
    Record,
)
from iop4d.alerts.atel.numbers import has_angle
from iop4d.alerts.compose import good_points
from iop4d.model.flags import NEVER_ALERTS, Flag, names
from iop4d.model.source import Source
from iop4d.model.units import utc_of_jd
from iop4d.store import catalogue
from iop4d.store.database import number
from iop4d.store.schema import Alert, Result

PAST_NIGHTS = 30  # with data, that make the baseline
LAST_DAYS = 5.0  # before the chosen night, in which the fastest change is looked for
CURVE_DAYS = 60.0  # before the chosen night, for the figure
_MOST = 5000  # points that one question to the store gives
_MOST_DRAWN = 3000
_BARS = int(NEVER_ALERTS | Flag.POOR_FIT)
_BEST_BANDS = ("R", "r", "V", "I")  # the first of these with new points is what a draft is about


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a draft is wanted of. ``called``: what people call the source; ``band`` and
    ``telescope`` of the alert, empty where a person asks; ``night``: that it must be about."""

    source: Source
    called: str
    since_jd: float
    until_jd: float
    band: str = ""
    telescope: str = ""
    night: str = ""


def gather(asked: Asked) -> About:
    """All that is known for a draft: ``Facts``, or ``Polarisation`` where no good magnitude is new.

    Raises NothingToReport.
    """
    is_new = Result.jd_mid.between(asked.since_jd, asked.until_jd)
    name = asked.source.name
    if new := _points(_good(name) & is_new, calibrators=True):
        return _of_light(asked, new)
    if seen := [p for p in _points(_polarimetry(name) & is_new) if _says_something(p)]:
        return _of_polarisation(asked, seen)
    raise NothingToReport(_nothing(asked))


def _of_light(asked: Asked, new: Sequence[Point]) -> Facts:
    name, nights = asked.source.name, nights_of(new)
    chosen = _choose(asked, nights)
    past = _past(name, chosen)
    baseline = baseline_of(past)
    level, is_extreme = _level(chosen, baseline.median if baseline else None)
    same = [night for night in nights if night.night == chosen.night and night is not chosen]
    polarised = _polarised(name, chosen, level, asked.until_jd)
    return Facts(
        source=asked.source, called=asked.called, since_jd=asked.since_jd,
        until_jd=asked.until_jd, chosen=chosen, level=level, is_extreme=is_extreme,
        others=tuple(sorted(same, key=lambda n: (n.band, n.telescope))),
        earlier=tuple(night for night in nights if night.band == chosen.band
                      and night.telescope == chosen.telescope and night.night < chosen.night),
        baseline=baseline, record=_record(name, chosen, level, baseline is None
                                          or level.mag <= baseline.median),
        before=_before(chosen, level, past), fastest=_fastest(chosen, past),
        polarised=polarised, polarised_before=_polarised_before(name, polarised),
        curve=_curve(asked, level.jd), calibrators=_calibrators(name, (chosen, *same)))


def _of_polarisation(asked: Asked, seen: Sequence[Point]) -> Polarisation:
    """Of the alert's night or the last one the last point, in the alert's band or the best one."""
    wanted = [p for p in seen if p.night == asked.night] or seen
    night = [p for p in wanted if p.night == wanted[-1].night]
    bands = [p.band for p in night]
    band = _band_of(asked, bands) or max(bands, key=lambda band: (bands.count(band), band))
    told = max((p for p in night if p.band == band), key=lambda p: (p.jd, p.id))
    beside = [min((p for p in night if p.band == other), key=lambda p: (abs(p.jd - told.jd), p.id))
              for other in sorted({*bands} - {band})]
    mine = sorted((p for p in night if p.band == band), key=lambda p: (-p.jd, -p.id))
    return Polarisation(
        source=asked.source, called=asked.called, since_jd=asked.since_jd,
        until_jd=asked.until_jd, polarised=tuple(mine), others=tuple(beside),
        polarised_before=_polarised_before(asked.source.name, mine),
        curve=_curve(asked, told.jd))


def _curve(asked: Asked, jd: float) -> tuple[Point, ...]:
    """What the figure shows."""
    name = asked.source.name
    since = min(asked.since_jd, jd - CURVE_DAYS)
    return tuple(_points((_good(name) | _polarimetry(name)) & Result.jd_mid.between(
        since, asked.until_jd), most=_MOST_DRAWN))


def _good(source: str, band: str | None = None) -> Any:
    """The condition that a result is good enough to be published."""
    column = Result.band if band is None else band
    return (good_points(source, column) & Result.mag_err.is_null(False)
            & (Result.mag_err > 0) & (Result.withdrawn == False))  # noqa: E712 - SQL


def _polarimetry(source: str, band: str | None = None) -> Any:
    """The condition that a polarisation is; it needs no magnitude."""
    column = Result.band if band is None else band
    return (good_points(source, column, needs_mag=False) & Result.p.is_null(False)
            & Result.p_err.is_null(False) & (Result.p_err > 0)
            & (Result.flags.bin_and(int(Flag.POOR_FIT)) == 0)
            & (Result.withdrawn == False))  # noqa: E712 - SQL


def _says_something(point: Point) -> bool:
    """Whether a polarisation is significant, or has an upper limit."""
    return has_angle(point) or math.isfinite(point.p_limit)


def _points(condition: Any, *, most: int = _MOST, calibrators: bool = False) -> list[Point]:
    """The latest points that meet a condition, in order of time.

    Their calibrators are read where they are wanted: of thousands of points it takes a second.
    """
    wanted = [Result.calibrators] if calibrators else []
    rows = (Result.select(*_PLAIN, fn.json_array_length(Result.frames),
                          *(getattr(Result, name) for name in _NAMES), *wanted)
            .where(condition).order_by(Result.jd_mid.desc(), Result.id.desc()).limit(most)
            .tuples())
    return [_point(row) for row in reversed(list(rows))]


_PLAIN = (Result.id, Result.jd_mid, Result.night, Result.band, Result.telescope, Result.exptime_s,
          Result.flags, Result.provisional)
#: Columns of numbers that can be missing.
_NAMES = ("mag", "mag_err", "zero_point_err", "host_mjy", "mag_nucleus", "mag_nucleus_err",
          "p_nucleus", "p_nucleus_err", "p", "p_err", "p_debiased", "p_limit", "chi_deg",
          "chi_err_deg")


def _point(row: tuple[Any, ...]) -> Point:
    id_, jd, night, band, telescope, exptime_s, flags, provisional, n_frames = row[:9]
    values = dict(zip(_NAMES, map(number, row[9:]), strict=False))
    if flags & Flag.NO_CALIBRATORS:  # of one frame of a group: a magnitude that does not count
        values |= {"mag": NAN, "mag_err": NAN}
    common = min(values.pop("zero_point_err"), values["mag_err"])
    used = row[9 + len(_NAMES)] if len(row) > 9 + len(_NAMES) else []
    return Point(
        id=id_, jd=jd, night=night, band=band, telescope=telescope, exptime_s=exptime_s,
        n_frames=max(1, n_frames), flags=flags, provisional=bool(provisional),
        common_err=common if math.isfinite(common) else 0.0,
        calibrators=tuple(use["source"] for use in used if not use.get("why_not")), **values)


def _nothing(asked: Asked) -> str:
    """Why there is nothing to report: what was left out, and when the last good result was."""
    mine = (Result.source == asked.source.name) & (Result.withdrawn == False)  # noqa: E712 - SQL
    rows = list(Result.select(Result.flags, Result.human_flags).where(
        mine & Result.jd_mid.between(asked.since_jd, asked.until_jd)).tuples())
    why = Counter(name.replace("_", " ") for flags, _ in rows for name in names(flags & _BARS))
    why.update("flagged by hand" for _, marks in rows if marks)
    reasons = ", ".join(f"{name} {n}" for name, n in why.most_common()) or "without an error"
    left = f" ({len(rows)} left out: {reasons})" if rows else ""
    newest = (Result.select(Result.jd_mid).where(_good(asked.source.name) | _polarimetry(
        asked.source.name)).order_by(Result.jd_mid.desc()).limit(1).scalar())
    last = f"the last one is of {utc_of_jd(newest)} UTC" if newest else "there is none at all"
    return (f"nothing to report: no good result of {asked.called} from "
            f"{utc_of_jd(asked.since_jd)} to {utc_of_jd(asked.until_jd)} UTC{left}; {last}")


def _band_of(asked: Asked, bands: Collection[str]) -> str:
    """The alert's band, or the best one that there is; empty for none of these."""
    wanted = [asked.band, *_BEST_BANDS] if asked.band else list(_BEST_BANDS)
    return next((band for band in wanted if band in bands), "")


def _choose(asked: Asked, nights: Sequence[Night]) -> Night:
    """The night that a draft is about: the alert's, else the last one in the best band.

    Of several telescopes the alert's, else the one with the most points.
    """
    band = _band_of(asked, {night.band for night in nights})
    if not band:
        band = max(nights, key=lambda night: (len(night.points), night.band)).band
    mine = [night for night in nights if night.band == band]
    wanted = [night for night in mine if night.night == asked.night] or mine
    last = max(night.night for night in wanted)
    return max((night for night in wanted if night.night == last), key=lambda night: (
        night.telescope == asked.telescope, len(night.points), night.telescope))


def _level(chosen: Night, past: float | None) -> tuple[Level, bool]:
    """What is told of a night: its mean, or the extreme that lies away from the past."""
    if not chosen.varied:
        return chosen.mean, False
    is_fainter = past is not None and chosen.mean.mag > past
    return (chosen.faintest if is_fainter else chosen.brightest), True


def _past(source: str, chosen: Night) -> list[Point]:
    """The points of the preceding nights with data, in the same band."""
    before = _good(source, chosen.band) & (Result.night < chosen.night) & (
        Result.jd_mid < chosen.mean.jd_first)
    nights = [night for night, in Result.select(Result.night).where(before).distinct()
              .order_by(Result.night.desc()).limit(PAST_NIGHTS).tuples()]
    return _points(before & Result.night.in_(nights)) if nights else []


def _record(source: str, chosen: Night, level: Level, bright: bool) -> Record | None:
    """The last earlier point that was as bright, or as faint, and the first of the archive."""
    before = _good(source, chosen.band) & (Result.night < chosen.night)
    start = Result.select(Result.id).where(before).order_by(Result.jd_mid, Result.id).limit(1)
    first = _points(Result.id.in_([id_ for id_, in start.tuples()]))
    if not first:
        return None
    beyond = Result.mag <= level.mag if bright else Result.mag >= level.mag
    since = _points(before & beyond, most=1)
    return Record(bright=bright, first=first[0], since=since[0] if since else None)


def _before(chosen: Night, level: Level, past: Sequence[Point]) -> Change | None:
    """The change against the preceding night with data, at the same telescope if it has any."""
    if not past:
        return None
    last = max(point.night for point in past)
    nights = nights_of(point for point in past if point.night == last)
    best = max(nights, key=lambda n: (n.telescope == chosen.telescope, len(n.points)))
    return Change(of=best.mean, to=level)


def _fastest(chosen: Night, past: Iterable[Point]) -> Change | None:
    """The fastest significant change of the last nights, at the telescope of the chosen one."""
    by_night: dict[str, list[Point]] = {chosen.night: list(chosen.points)}
    for point in past:
        if (point.telescope == chosen.telescope
                and point.jd >= chosen.mean.jd_first - LAST_DAYS):
            by_night.setdefault(point.night, []).append(point)
    return fastest_change([level for points in by_night.values() for level in steps(points)])


def _polarised(source: str, chosen: Night, level: Level, until_jd: float) -> tuple[Point, ...]:
    """The polarisation of the chosen night: in its band if there is any, nearest in time first."""
    points = _points(_polarimetry(source) & (Result.night == chosen.night)
                     & (Result.jd_mid <= until_jd))
    return tuple(sorted(points, key=lambda p: (p.band != chosen.band, abs(p.jd - level.jd), p.id)))


def _polarised_before(source: str, now: Sequence[Point]) -> Point | None:
    if not now:
        return None
    rows = _points(_polarimetry(source, now[0].band) & (Result.night < now[0].night), most=1)
    return rows[0] if rows else None


def _calibrators(source: str, nights: Iterable[Night]) -> tuple[Source, ...]:
    """The stars that entered the zero points, as the catalogue has them."""
    used = {name for night in nights for point in night.points for name in point.calibrators}
    return tuple(star for star in catalogue.load().calibrators_of(source) if star.name in used)


def of_alert(alert: Alert, *, called: str) -> About:
    """All that is known for the draft of an alert: the points that confirmed it.

    What the night was like before them would only blur the news. ``called``: what people call the
    source. Raises NothingToReport or CatalogueError.
    """
    source = catalogue.find(alert.source)
    last = Result.get_or_none(Result.id == (alert.points[-1] if alert.points else 0))
    night = last.night if last is not None else ""
    first = Result.select(fn.MIN(Result.jd_mid)).where(
        Result.id.in_(alert.points)).scalar() if night else None
    return gather(Asked(
        source=source, called=called, since_jd=alert.fired_jd - 1.0 if first is None else first,
        until_jd=alert.fired_jd, band=alert.band, night=night,
        telescope=last.telescope if last is not None else ""))
