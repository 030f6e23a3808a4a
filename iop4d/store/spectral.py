"""Spectral indices of results, from the results of another band near in time.

They are computed when they are asked for: a flag by hand, a new point, another extinction or window
thus changes them at once.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass

from iop4d.model.flags import NEVER_ALERTS
from iop4d.model.result import STACK
from iop4d.science.flux import BandFlux, SpectralIndex, has_lever, spectral_index
from iop4d.store.database import Connection, number
from iop4d.store.results import STANDS
from iop4d.store.schema import Result
from iop4d.store.table import is_filled

COLUMNS = ("spectral_index", "spectral_index_err", "spectral_index_err_common",
           "spectral_index_with")
_MOST_SOURCES = 10_000  # of one statement, which takes 32,766 variables; of more all are read
_BARS = int(NEVER_ALERTS)


@dataclass(frozen=True, kw_only=True)
class Point:
    """What of a result an index needs."""

    id: int
    jd: float
    flux: BandFlux


Place = tuple[str, str, str, bool]  # source, telescope, night, and whether it is a stack


def indices(db: Connection, rows: Collection[Result], minutes: float,
            ) -> dict[int, tuple[SpectralIndex, int]]:
    """The indices of those results that have one, and the id of the other result of each.

    The other one is of the same source, telescope and night, a stack for a stack alone, of another
    band and at most ``minutes`` away: of each band the nearest in time, and of these the one whose
    index is most certain, which mostly is that of the band farthest away.
    Results with a flag that bars them from alerts, or a flag by hand, have none.
    """
    wanted = {row.id for row in rows if row.mag is not None}
    if not wanted:
        return {}
    found: dict[int, tuple[SpectralIndex, int]] = {}
    for bands in _series(db, rows, minutes).values():
        for band, series in bands.items():
            others = [other for name, other in bands.items() if has_lever(band, name)]
            for point in series:
                if point.id in wanted and (best := _best(point, others, minutes / 1440.0)):
                    found[point.id] = best
    return found


def columns(found: tuple[SpectralIndex, int] | None) -> dict[str, float | int | None]:
    """The columns of an index, None where there is none."""
    if found is None:
        return dict.fromkeys(COLUMNS)
    index, other = found
    return dict(zip(COLUMNS, (index.alpha, index.err, index.common_err, other), strict=True))


def _best(point: Point, others: list[list[Point]],
          days: float) -> tuple[SpectralIndex, int] | None:
    near = [other for series in others if (other := _nearest(series, point.jd, days)) is not None]
    both = [(index, other.id) for other in near
            if (index := spectral_index(point.flux, other.flux)) is not None]
    return min(both, key=lambda pair: (pair[0].err, pair[1]), default=None)


def _nearest(series: list[Point], jd: float, days: float) -> Point | None:
    at = bisect_left(series, jd, key=lambda point: point.jd)
    near = [p for p in series[max(at - 1, 0):at + 1] if abs(p.jd - jd) <= days]
    return min(near, key=lambda p: abs(p.jd - jd), default=None)


def _series(db: Connection, rows: Collection[Result],
            minutes: float) -> dict[Place, dict[str, list[Point]]]:
    """All sound points that may be partners, by place and band, in order of time."""
    first, last = min(row.jd_mid for row in rows), max(row.jd_mid for row in rows)
    near = minutes / 1440.0
    query = db.select(
        Result, Result.id, Result.source, Result.telescope, Result.night, Result.mode, Result.band,
        Result.jd_mid, Result.mag, Result.mag_err, Result.mag_err_common, Result.extinction_mag,
    ).where(
        Result.jd_mid.between(first - near, last + near) & Result.mag.is_null(False)
        & Result.extinction_mag.is_null(False) & STANDS
        & (Result.flags.bin_and(_BARS) == 0) & ~is_filled(Result.human_flags))
    sources = {row.source for row in rows}
    if len(sources) <= _MOST_SOURCES:
        query = query.where(Result.source.in_(sorted(sources)))
    found: dict[Place, dict[str, list[Point]]] = {}
    for id_, source, telescope, night, mode, band, jd, *values in query.order_by(
            Result.jd_mid).tuples():
        mag, err, common, dust = map(number, values)
        if math.isnan(common):
            common = 0.0
        bands = found.setdefault((source, telescope, night, mode == STACK), {})
        bands.setdefault(band, []).append(Point(
            id=id_, jd=jd, flux=BandFlux(band=band, mag=mag, err=err, common_err=common,
                                         extinction_mag=dust)))
    return found
