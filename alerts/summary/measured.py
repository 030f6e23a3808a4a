"""What was measured of each source in a night: magnitudes and polarisation, band by band."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from statistics import fmean, median, stdev
from typing import Any

from peewee import Case, fn

from iop4d.alerts.rendering import clean
from iop4d.alerts.summary.facts import BandNight, PolarisationNight, SourceNight, Uncalibrated
from iop4d.model import flags
from iop4d.model.bands import band_order
from iop4d.model.source import SourceKind
from iop4d.store.schema import Result, Source

_COLUMNS = (Result.id, Result.source, Result.band, Result.mode, Result.jd_mid, Result.mag,
            Result.mag_err, Result.p, Result.p_err, Result.chi_deg, Result.chi_err_deg, Result.q,
            Result.u, Result.p_limit, Result.flags, Result.human_flags, Result.provisional,
            Result.n_calibrators)
_ORDER = [SourceKind.TARGET.value, "", SourceKind.STANDARD.value, SourceKind.CALIBRATOR.value]


def results_of(night: str, source: str | None = None) -> list[Result]:
    """A night's results, of all sources or one, by source and band and in order of time."""
    query = Result.select(*_COLUMNS).where(
        (Result.night == night) & (Result.withdrawn == False))  # noqa: E712 - SQL
    if source is not None:
        query = query.where(Result.source == source)
    return list(query.order_by(Result.source, Result.band, Result.jd_mid, Result.id))


def is_sound(row: Result, column: Any) -> bool:
    """Whether a number of a result counts: no flag says that it is wrong."""
    return not row.flags & _bars(column) and not row.human_flags


def _bars(column: Any) -> int:
    """The flags that spoil a number; without calibrators a polarisation is as good."""
    bars = flags.NEVER_ALERTS
    return int(bars if column is Result.mag else bars & ~flags.Flag.NO_CALIBRATORS)


def sources_of(rows: Sequence[Result]) -> tuple[SourceNight, ...]:
    """The sources of a night's results; targets first, then those of no catalogue, standards."""
    entries = {entry.name: entry for entry in Source.select()}
    found = []
    for name, group in groupby(rows, key=lambda row: str(row.source)):
        entry, mine = entries.get(name), list(group)
        found.append(SourceNight(
            name=clean(name, 80), kind=entry.kind if entry else "",
            also=clean(next(iter(entry.other_names), ""), 80) if entry else "",
            bands=_by_band(mine, "mag", _band), polarisation=_by_band(mine, "p", _polarisation),
            flags=_flags(mine)))
    return tuple(sorted(found, key=lambda s: (_ORDER.index(s.kind), s.name.casefold())))


def _by_band(rows: Sequence[Result], column: str, make: Any) -> tuple[Any, ...]:
    groups = groupby(rows, key=lambda row: str(row.band))
    made = (make(band, [row for row in group if getattr(row, column) is not None])
            for band, group in groups)
    return tuple(sorted((line for line in made if line is not None), key=lambda line: band_order(
        line.band)))


def _flags(rows: Sequence[Result]) -> tuple[tuple[str, int], ...]:
    counts = Counter(name for row in rows for name in flags.names(row.flags))
    counts.update("flagged by hand" for row in rows if row.human_flags)
    return tuple(counts.most_common())


def _band(band: str, rows: Sequence[Result]) -> BandNight | None:
    if not rows:
        return None
    sound = [row for row in rows if is_sound(row, Result.mag)]
    mags = [row.mag for row in sound]
    mean = _mean(sound)
    typical = _median([row.mag_err for row in sound])
    before, past, past_err = _before(rows[0]) if mags else ("", None, None)
    change = mean - past if mean is not None and past is not None else None
    return BandNight(
        band=clean(band, 20), n=len(sound), left_out=len(rows) - len(sound), mag=mean,
        mag_err=typical, scatter=stdev(mags) if len(mags) > 1 else None,
        brightest=min(mags, default=None), faintest=max(mags, default=None),
        provisional=any(row.provisional for row in rows), before=before, change=change,
        change_err=math.hypot(typical, past_err) if change is not None and typical is not None
        and past_err is not None else None)


def _mean(rows: Sequence[Result]) -> float | None:
    """The mean magnitude, weighted where every point has an error."""
    if not rows:
        return None
    if any(not row.mag_err for row in rows):
        return fmean(row.mag for row in rows)
    return fmean((row.mag for row in rows), weights=[row.mag_err ** -2 for row in rows])


def _median(values: Sequence[float | None]) -> float | None:
    return median(known) if (known := [v for v in values if v is not None]) else None


def sound_of(source: str, band: str, column: Any) -> Any:
    """The condition, for a query of results, that a row has a number which ``is_sound``."""
    unmarked = fn.json_array_length(Result.human_flags) == 0
    return ((Result.source == source) & (Result.band == band)
            & (Result.withdrawn == False) & unmarked  # noqa: E712 - SQL
            & (Result.flags.bin_and(_bars(column)) == 0) & column.is_null(False))


def night_before(row: Result, column: Any) -> str:
    """The latest earlier night with sound points of a result's source and band; empty for none."""
    found = (Result.select(Result.night)
             .where(sound_of(row.source, row.band, column)
                    & (Result.jd_mid < row.jd_mid) & (Result.night != row.night))
             .order_by(Result.jd_mid.desc()).limit(1).scalar())
    return str(found or "")


def _before(row: Result) -> tuple[str, float | None, float | None]:
    """The night before, the mean magnitude in it and the typical error; all of sound points."""
    before = night_before(row, Result.mag)
    if not before:
        return "", None, None
    rows = list(Result.select(Result.mag, Result.mag_err).where(
        sound_of(row.source, row.band, Result.mag) & (Result.night == before)))
    return before, _mean(rows), _median([past.mag_err for past in rows])


def _polarisation(band: str, rows: Sequence[Result]) -> PolarisationNight | None:
    if not rows:
        return None
    sound = [row for row in rows if is_sound(row, Result.p)]
    p, chi = _mean_polarisation(sound)
    return PolarisationNight(
        band=clean(band, 20), n=len(sound), left_out=len(rows) - len(sound), p=p, chi_deg=chi,
        p_err=_median([row.p_err for row in sound]),
        chi_err_deg=_median([row.chi_err_deg for row in sound]),
        limit=sound[0].p_limit if len(sound) == 1 else None,
        provisional=any(row.provisional for row in rows))


def _mean_polarisation(rows: Sequence[Result]) -> tuple[float | None, float | None]:
    """p and chi of the mean q and u: the mean of angles alone would fail where they wrap."""
    if not rows:
        return None, None
    if len(rows) == 1:
        return rows[0].p, rows[0].chi_deg
    pairs = [pair for pair in map(_stokes, rows) if pair is not None]
    if not pairs:
        return fmean(row.p for row in rows), None
    q, u = (fmean(values) for values in zip(*pairs, strict=True))
    return math.hypot(q, u), math.degrees(math.atan2(u, q)) / 2.0 % 180.0


def _stokes(row: Result) -> tuple[float, float] | None:
    if row.q is not None and row.u is not None:
        return row.q, row.u
    if row.chi_deg is None:
        return None
    twice = math.radians(2.0 * row.chi_deg)
    return row.p * math.cos(twice), row.p * math.sin(twice)


def uncalibrated_of(night: str) -> tuple[Uncalibrated, ...]:
    """Sources and bands with points that have no magnitude for want of calibrators."""
    bare = (Result.flags.bin_and(int(flags.Flag.NO_CALIBRATORS)) != 0) & Result.mag.is_null()
    lacks = Case(None, [(bare, 1)], 0)
    rows = (Result.select(Result.source, Result.band, fn.SUM(lacks))
            .where((Result.night == night) & (Result.withdrawn == False))  # noqa: E712 - SQL
            .group_by(Result.source, Result.band).having(fn.SUM(lacks) > 0)
            .order_by(Result.source, Result.band).tuples())
    stars = [(entry.calibrates, entry.magnitudes) for entry in Source.select()]
    return tuple(Uncalibrated(
        source=clean(source, 80), band=clean(band, 20), points=points,
        in_catalogue=sum(source in calibrates and band in mags for calibrates, mags in stars))
        for source, band, points in rows)
