"""The results of a source by pages: the newest first, each page from where another ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from iop4d.store.database import Connection
from iop4d.store.results import standing
from iop4d.store.schema import Result
from iop4d.store.table import is_filled

#: The mid-exposure and the id of a result, by which the list is ordered.
Place = tuple[float, int]


@dataclass(frozen=True, kw_only=True)
class Which:
    """Which results of a source: between two JD, of some bands and instruments (empty: of all).

    ``flagged``: also those that the program or people flagged.
    """

    source: str
    since_jd: float
    until_jd: float
    bands: tuple[str, ...] = ()
    instruments: tuple[str, ...] = ()
    flagged: bool = True


@dataclass(frozen=True, kw_only=True)
class ResultPage:
    """Some results, the newest first, and whether there are newer and older ones."""

    rows: list[Result]
    has_newer: bool
    has_older: bool


def page(db: Connection, which: Which, count: int, *, older_than: Place | None = None,
         newer_than: Place | None = None) -> ResultPage:
    """The newest results, or those next to a place. Every page costs the same."""
    if newer_than is not None:
        rows = list(_chosen(db, which).where(_beyond(newer_than, newer=True)).order_by(
            Result.jd_mid, Result.id).limit(count + 1))
        if rows:
            return ResultPage(rows=rows[:count][::-1], has_newer=len(rows) > count, has_older=True)
    query = _chosen(db, which)
    if older_than is not None:
        query = query.where(_beyond(older_than, newer=False))
    rows = list(query.order_by(Result.jd_mid.desc(), Result.id.desc()).limit(count + 1))
    return ResultPage(rows=rows[:count], has_newer=older_than is not None,
                      has_older=len(rows) > count)


def count(db: Connection, which: Which) -> int:
    """How many there are on all pages."""
    return int(_chosen(db, which).count())


def _chosen(db: Connection, which: Which) -> Any:
    query = standing(db).where((Result.source == which.source)
                               & Result.jd_mid.between(which.since_jd, which.until_jd))
    if which.bands:
        query = query.where(Result.band.in_(which.bands))
    if which.instruments:
        query = query.where(Result.instrument.in_(which.instruments))
    if not which.flagged:
        # A limit is flagged as not detected: that is what it says.
        is_limit = Result.mag.is_null() & Result.mag_limit.is_null(False)
        query = query.where(((Result.flags == 0) | is_limit) & ~is_filled(Result.human_flags))
    return query


def _beyond(place: Place, *, newer: bool) -> Any:
    at, last = place
    if newer:
        return (Result.jd_mid >= at) & ((Result.jd_mid > at) | (Result.id > last))
    return (Result.jd_mid <= at) & ((Result.jd_mid < at) | (Result.id < last))
