"""Gathers what a draft says. It follows from the good results alone: the same give the same."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING

from iop4d.alerts.atel.compare import (
    baseline_of,
    fastest_change,
    nights_of,
    past_of,
    stretches,
    without_host,
)
from iop4d.alerts.atel.facts import DraftFacts, PhotometryFacts, PolarimetryFacts
from iop4d.alerts.atel.values import (
    NAN,
    ArchiveRecord,
    Camera,
    GoodPoint,
    MagnitudeChange,
    MeanMagnitude,
    NightlyPhotometry,
)
from iop4d.model.errors import Iop4dError
from iop4d.model.flags import Flag, names
from iop4d.model.source import Source
from iop4d.model.uncertainty import (
    chi_common,
    mag_common,
    nucleus_common,
    nucleus_host,
    p_common,
    p_nucleus_common,
    p_nucleus_host,
)
from iop4d.model.units import utc_of_jd
from iop4d.store import catalogue, publishable, results
from iop4d.store.database import Connection, number
from iop4d.store.points import jd_span

if TYPE_CHECKING:
    from iop4d.store.schema import Alert

PAST_NIGHTS = 30  # with data, that make the baseline
LAST_DAYS = 5.0  # before the chosen night, in which the fastest change is looked for
CURVE_DAYS = 60.0  # before the chosen night, for the figure
_MOST_DRAWN = 3000
_COMMON = {"mag_err": (mag_common,), "mag_nucleus_err": (nucleus_common, nucleus_host),
           "p_err": (p_common,), "p_nucleus_err": (p_nucleus_common, p_nucleus_host),
           "chi_err_deg": (chi_common,)}
_BEST_BANDS = ("R", "r", "V", "I")  # the first of these with new points is what a draft is about


class NothingToReport(Iop4dError):  # noqa: N818 - it is no fault of anything
    """There is no good result from which a draft could be made; the message says why."""


@dataclass(frozen=True, kw_only=True)
class DraftRequest:
    """Of what a draft is wanted. ``called``: what people call the source; ``band`` and
    ``camera`` of the alert, empty where a person asks; ``night``: that it must be about."""

    source: Source
    called: str
    since_jd: float
    until_jd: float
    band: str = ""
    camera: Camera = ("", "")
    night: str = ""


def gather(db: Connection, asked: DraftRequest) -> DraftFacts:
    """All that is known for a draft: ``PhotometryFacts``, or ``PolarimetryFacts`` where no good
    magnitude is new. Raises NothingToReport."""
    name = asked.source.name
    if new := _points(publishable.photometry(db, name, asked.since_jd, asked.until_jd)):
        return _photometry(db, asked, new)
    if seen := _conclusive(_points(publishable.polarimetry(
            db, name, asked.since_jd, asked.until_jd))):
        return _polarimetry(db, asked, seen)
    raise NothingToReport(_why_nothing(db, asked))


def of_alert(db: Connection, alert: Alert, *, called: str) -> DraftFacts:
    """All that is known for the draft of an alert: the points that confirmed it.

    What the night was like before them would only blur the news. ``called``: what people call the
    source. Raises NothingToReport or CatalogueError.
    """
    source = catalogue.find(db, alert.source)
    last = results.find(db, alert.points[-1]) if alert.points else None
    span = jd_span(db, alert.points) if last else None
    return gather(db, DraftRequest(
        source=source, called=called, since_jd=alert.fired_jd - 1.0 if span is None else span[0],
        until_jd=alert.fired_jd, band=alert.band, night=last.night if last else "",
        camera=(last.telescope, last.instrument) if last else ("", "")))


# Photometry.


def _photometry(db: Connection, asked: DraftRequest,
                new: Sequence[GoodPoint]) -> PhotometryFacts:
    name, nights = asked.source.name, nights_of(new)
    chosen = _choose(asked, nights)
    past = _points(publishable.preceding_photometry(
        db, name, chosen.band, night=chosen.night, before_jd=chosen.mean.jd_first,
        nights=PAST_NIGHTS))
    baseline = baseline_of(past_of(chosen.camera, past))
    level = _level(chosen, baseline.median if baseline else None)
    same = [night for night in nights if night.night == chosen.night and night is not chosen]
    polarised = _polarised(db, asked, chosen, level)
    return PhotometryFacts(
        source=asked.source, called=asked.called, since_jd=asked.since_jd,
        until_jd=asked.until_jd, chosen=chosen, level=level, is_extreme=chosen.varied,
        without_host=without_host([p for p in chosen.points if p.id in level.results]),
        others=tuple(sorted(same, key=lambda n: (n.band, n.camera))),
        earlier=tuple(night for night in nights if night.band == chosen.band
                      and night.camera == chosen.camera and night.night < chosen.night),
        baseline=baseline, before=_before(chosen, level, past), fastest=_fastest(chosen, past),
        record=_record(db, name, chosen, level,
                       bright=baseline is None or level.mag <= baseline.median),
        polarised=polarised, polarised_before=_polarised_before(db, name, polarised),
        curve=_curve(db, asked, level.jd), calibrators=_calibrators(db, name, (chosen, *same)))


def _choose(asked: DraftRequest, nights: Sequence[NightlyPhotometry]) -> NightlyPhotometry:
    """The night that a draft is about: the alert's, else the last one in the best band.

    Of several cameras the alert's, else the one with the most points.
    """
    band = _best_band(asked, {night.band for night in nights}) or max(
        nights, key=lambda night: (len(night.points), night.band)).band
    mine = [night for night in nights if night.band == band]
    wanted = [night for night in mine if night.night == asked.night] or mine
    last = max(night.night for night in wanted)
    return max((night for night in wanted if night.night == last), key=lambda night: (
        night.camera == asked.camera, night.telescope == asked.camera[0], len(night.points),
        night.camera))


def _best_band(asked: DraftRequest, bands: Collection[str]) -> str:
    """The alert's band, or the best one that there is; empty for none of these."""
    wanted = [asked.band, *_BEST_BANDS] if asked.band else list(_BEST_BANDS)
    return next((band for band in wanted if band in bands), "")


def _level(chosen: NightlyPhotometry, past: float | None) -> MeanMagnitude:
    """What is reported of a night: its mean, or the extreme that lies away from the past."""
    if not chosen.varied:
        return chosen.mean
    if past is None:
        return chosen.brightest
    return max(chosen.brightest, chosen.faintest, key=lambda part: abs(part.mag - past))


def _record(db: Connection, source: str, chosen: NightlyPhotometry, level: MeanMagnitude, *,
            bright: bool) -> ArchiveRecord | None:
    """The last earlier point that was as bright, or as faint, be it of the same night, and the
    first of the archive."""
    first = publishable.first_photometry(db, source, chosen.band, chosen.night)
    if first is None:
        return None
    find = publishable.last_as_bright if bright else publishable.last_as_faint
    since = find(db, source, chosen.band, level.jd, level.mag,
                 besides=[point.id for point in chosen.points])
    return ArchiveRecord(bright=bright, first=_point(first),
                         since=_point(since) if since else None)


def _before(chosen: NightlyPhotometry, level: MeanMagnitude,
            past: Sequence[GoodPoint]) -> MagnitudeChange | None:
    """The change against the preceding night with data, with the same camera if it has any."""
    if not past:
        return None
    last = max(point.night for point in past)
    nights = nights_of(point for point in past if point.night == last)
    best = max(nights, key=lambda n: (
        n.camera == chosen.camera, n.telescope == chosen.telescope, len(n.points)))
    return MagnitudeChange(of=best.mean, to=level)


def _fastest(chosen: NightlyPhotometry, past: Iterable[GoodPoint]) -> MagnitudeChange | None:
    """The fastest significant change of the last nights, with the camera of the chosen one."""
    by_night: dict[str, list[GoodPoint]] = {chosen.night: list(chosen.points)}
    for point in past:
        if (point.camera == chosen.camera
                and point.jd >= chosen.mean.jd_first - LAST_DAYS):
            by_night.setdefault(point.night, []).append(point)
    return fastest_change([mean for points in by_night.values() for mean in stretches(points)])


def _polarised(db: Connection, asked: DraftRequest, chosen: NightlyPhotometry,
               level: MeanMagnitude) -> tuple[GoodPoint, ...]:
    """The polarisation of the chosen night: in its band if there is any, nearest in time first."""
    points = _conclusive(_points(publishable.polarimetry_of_night(
        db, asked.source.name, chosen.night, asked.until_jd)))
    return tuple(sorted(points, key=lambda p: (p.band != chosen.band, abs(p.jd - level.jd), p.id)))


def _conclusive(points: Iterable[GoodPoint]) -> list[GoodPoint]:
    """The polarisation of which a text says something: detections and limits."""
    return [point for point in points if point.has_angle or point.has_limit]


def _calibrators(db: Connection, source: str,
                 nights: Iterable[NightlyPhotometry]) -> tuple[Source, ...]:
    """The stars that entered the zero points, as the catalogue has them."""
    used = {name for night in nights for point in night.points for name in point.calibrators}
    return tuple(star for star in catalogue.load(db).calibrators_of(source)
                 if star.name in used)


# Polarimetry, and what both have.


def _polarimetry(db: Connection, asked: DraftRequest,
                 seen: Sequence[GoodPoint]) -> PolarimetryFacts:
    """Of the alert's night or the last one the last point, in the alert's band or the best one."""
    wanted = [p for p in seen if p.night == asked.night] or seen
    night = [p for p in wanted if p.night == wanted[-1].night]
    bands = [p.band for p in night]
    band = _best_band(asked, bands) or max(bands, key=lambda band: (bands.count(band), band))
    mine = sorted((p for p in night if p.band == band), key=lambda p: (-p.jd, -p.id))
    beside = [min((p for p in night if p.band == other),
                  key=lambda p: (abs(p.jd - mine[0].jd), p.id))
              for other in sorted({*bands} - {band})]
    return PolarimetryFacts(
        source=asked.source, called=asked.called, since_jd=asked.since_jd,
        until_jd=asked.until_jd, polarised=tuple(mine), others=tuple(beside),
        polarised_before=_polarised_before(db, asked.source.name, mine),
        curve=_curve(db, asked, mine[0].jd))


def _polarised_before(db: Connection, source: str, now: Sequence[GoodPoint]) -> GoodPoint | None:
    row = publishable.preceding_polarimetry(db, source, now[0].band, now[0].night) if now else None
    return _point(row) if row else None


def _curve(db: Connection, asked: DraftRequest, jd: float) -> tuple[GoodPoint, ...]:
    """What the figure shows."""
    since = min(asked.since_jd, jd - CURVE_DAYS)
    return tuple(_points(publishable.light_curve(
        db, asked.source.name, since, asked.until_jd, _MOST_DRAWN)))


def _points(rows: Iterable[publishable.Row]) -> list[GoodPoint]:
    return [_point(row) for row in rows]


def _point(row: publishable.Row) -> GoodPoint:
    stored = SimpleNamespace(**row)
    values = {name: number(row[name]) for name in publishable.NUMBERS}
    for name, shared in _COMMON.items():  # what a draft says is said of values by themselves
        values[name] = math.hypot(values[name], *(common(stored) for common in shared))
    common_err = mag_common(stored)
    if row["flags"] & Flag.NO_CALIBRATORS:  # of one frame of a group: a magnitude not to be used
        values |= {"mag": NAN, "mag_err": NAN}
        common_err = 0.0
    return GoodPoint(
        id=row["id"], jd=row["jd"], night=row["night"], band=row["band"],
        telescope=row["telescope"], instrument=row["instrument"] or "",
        exptime_s=row["exptime_s"], n_frames=max(1, row["n_frames"]),
        flags=row["flags"], provisional=bool(row["provisional"]),
        common_err=common_err,
        calibrators=tuple(use["source"] for use in row.get("calibrators", ())
                          if not use.get("why_not")), **values)


def _why_nothing(db: Connection, asked: DraftRequest) -> str:
    """Why there is nothing to report: what was left out, and when the last good result was."""
    rows = publishable.flags_of_all(db, asked.source.name, asked.since_jd, asked.until_jd)
    why = Counter(name.replace("_", " ") for flags, _ in rows
                  for name in names(flags & publishable.BARRING_FLAGS))
    why.update("flagged by hand" for _, marks in rows if marks)
    reasons = ", ".join(f"{name} {n}" for name, n in why.most_common()) or "without an error"
    left = f" ({len(rows)} left out: {reasons})" if rows else ""
    newest = publishable.newest_jd(db, asked.source.name)
    last = (f"the last one is of {utc_of_jd(newest)} UTC" if newest
            else "there is none at all")
    return (f"nothing to report: no good result of {asked.called} from "
            f"{utc_of_jd(asked.since_jd)} to {utc_of_jd(asked.until_jd)} UTC{left}; {last}")
