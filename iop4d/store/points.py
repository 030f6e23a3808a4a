"""The good points of a source and band: what rules, messages and drafts look at."""

from __future__ import annotations

import json
import math
from collections import namedtuple
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from peewee import SQL, Case, Field, Value, fn

from iop4d.model import flags
from iop4d.model.result import STACK
from iop4d.model.uncertainty import (
    chi_common,
    mag_common,
    nucleus_common,
    nucleus_host,
    p_common,
    p_nucleus_common,
    p_nucleus_host,
)
from iop4d.store.database import Connection
from iop4d.store.schema import Result
from iop4d.store.table import JSONField

_NO_MARKS = Value([], converter=JSONField().db_value, unpack=False)  # a list is no list of values
_SURE = 3.0  # standard errors of p that an angle needs


def _auto(nucleus: Any, whole: Any) -> Any:
    """One column where the host galaxy is known, else the other."""
    return Case(None, [(Result.host_mjy.is_null(False), nucleus)], whole)


#: For each quantity, the columns of its value and error.
COLUMNS: dict[str, tuple[Any, Any]] = {
    "mag": (Result.mag, Result.mag_err),
    "mag_nucleus": (Result.mag_nucleus, Result.mag_nucleus_err),
    "p": (Result.p_debiased, Result.p_err),
    "p_nucleus": (Result.p_nucleus, Result.p_nucleus_err),
    "chi": (Result.chi_deg, Result.chi_err_deg),
    "mag_auto": (_auto(Result.mag_nucleus, Result.mag), _auto(Result.mag_nucleus_err,
                                                              Result.mag_err)),
    "p_auto": (_auto(Result.p_nucleus, Result.p_debiased), _auto(Result.p_nucleus_err,
                                                                 Result.p_err)),
}
_OF_P = (Result.p, Result.q, Result.u, Result.q0_err, Result.u0_err)
_OF_HOST = (Result.mag, Result.mag_nucleus, Result.host_mjy, Result.host_mjy_err)
_NUCLEUS = (nucleus_common, nucleus_host, (*_OF_HOST, Result.mag_err_common))
_P_NUCLEUS = (p_nucleus_common, p_nucleus_host, (*_OF_HOST, *_OF_P, Result.p_nucleus))
#: For each quantity, what points of a camera share of its error, what the host's flux makes of it,
#: and the columns that these follow from. Where no host is known the nucleus is the whole.
_COMMON: dict[str, tuple[Callable[[Any], float], Callable[[Any], float], tuple[Any, ...]]] = {
    "mag": (mag_common, lambda _: 0.0, (Result.mag_err_common,)),
    "mag_nucleus": _NUCLEUS, "mag_auto": _NUCLEUS,
    "p": (p_common, lambda _: 0.0, _OF_P),
    "p_nucleus": _P_NUCLEUS, "p_auto": _P_NUCLEUS,
    "chi": (chi_common, lambda _: 0.0, (*_OF_P, Result.chi_err_common)),
}


@dataclass(frozen=True, kw_only=True)
class PointSelection:
    """Which points of a source and band: those with a quantity, a key of ``COLUMNS``.

    ``bars``: flags that a point must not have, besides those that no point may have.
    ``instruments``: those that count; empty for all. ``until``: JD after which none counts.
    ``stacks``: whether a night's frames put together count.
    """

    source: str
    band: str
    quantity: str
    bars: int = 0
    instruments: tuple[str, ...] = ()
    until: float = math.inf
    stacks: bool = False


def good_points(source: str, band: Any, *, needs_mag: bool = True, stacks: bool = False) -> Any:
    """The condition, for a query of results, that a point counts for alerts.

    ``band``: its name, or the column for any. A polarisation needs no calibrator. ``stacks``: a
    night's frames put together count too, besides each by itself.
    """
    good = ((Result.source == source) & (Result.band == band)
            & (Result.flags.bin_and(barring_flags(needs_mag=needs_mag)) == 0)
            & (Result.human_flags == _NO_MARKS))
    if not stacks:
        good &= Result.mode != STACK
    return good & Result.mag.is_null(False) if needs_mag else good


def barring_flags(*, needs_mag: bool) -> int:
    """The flags with which a point never counts for alerts."""
    bars = flags.NEVER_ALERTS
    return int(bars if needs_mag else bars & ~flags.Flag.NO_CALIBRATORS)


def times(db: Connection, selection: PointSelection, *, limit: int, since: float | None = None,
          before: float | None = None) -> list[float]:
    """The JD of the newest of these points, the newest first, between two JD."""
    query = db.select(Result, Result.jd_mid).where(_chosen(selection))
    if since is not None:
        query = query.where(Result.jd_mid >= since)
    if before is not None:
        query = query.where(Result.jd_mid < before)
    newest = query.order_by(Result.jd_mid.desc(), Result.id.desc()).limit(limit)
    return [jd for (jd,) in newest.tuples()]


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredPoint:
    """A point: ``error`` random, None if unknown; ``common``: what points of a ``camera`` share;
    ``host``: the error that the host's flux makes, alike in all."""

    id: int
    jd: float
    night: str
    value: float
    error: float | None
    common: float
    host: float
    camera: str


def values(db: Connection, selection: PointSelection, since: float, *,
           limit: int) -> list[StoredPoint]:
    """The newest of these points from a JD on, oldest first."""
    newest = db.select(Result, *_columns(selection)).where(
        _chosen(selection) & (Result.jd_mid >= since)).order_by(
            Result.jd_mid.desc(), Result.id.desc()).limit(limit)
    return [_stored(selection, row) for row in reversed(list(newest.namedtuples()))]


def among(db: Connection, selection: PointSelection, ids: Collection[int]) -> list[StoredPoint]:
    """Those of some results that are such points. ``until`` is not asked for."""
    text, values, row_type = _among(replace(selection, until=math.inf))
    return [_stored(selection, row_type._make(row))
            for row in db.rows(text, *values, json.dumps(list(ids)))]


@lru_cache(maxsize=4096)
def _among(selection: PointSelection) -> tuple[str, tuple[Any, ...], Any]:
    """The statement of ``among``, made once: to make it takes longer than to run it."""
    columns = _columns(selection)
    wanted = SQL("t1.id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))", (None,))
    text, values = Result.select(*columns).where(_chosen(selection) & wanted).sql()
    names = [column.name if isinstance(column, Field) else column._alias for column in columns]
    assert values[-1] is None
    # Not by the index of the source, whose points may be many: by the ids, which are few.
    text = text.replace('"t1"."source" = ?', '+"t1"."source" = ?')
    return text, tuple(values[:-1]), namedtuple("_Row", names)


def oldest(db: Connection, selection: PointSelection, *, limit: int) -> list[StoredPoint]:
    """The oldest of these points, in order of (JD, id)."""
    found = db.select(Result, *_columns(selection)).where(_chosen(selection)).order_by(
        Result.jd_mid, Result.id).limit(limit)
    return [_stored(selection, row) for row in found.namedtuples()]


def first_night(db: Connection, source: str) -> str:
    """The first night with a good magnitude of a source in any band; empty without any."""
    found = db.select(Result, Result.night).where(good_points(source, Result.band)).order_by(
        Result.jd_mid).limit(1).tuples()
    return next((night for (night,) in found), "")


def bands(db: Connection, source: str) -> list[str]:
    """The bands that there are results of a source in."""
    return [band for (band,) in db.select(Result, Result.band).where(
        Result.source == source).distinct().order_by(Result.band).tuples()]


def nightly(db: Connection, selection: PointSelection, before: str, *,
            limit: int = 1000) -> list[tuple[str, str, float]]:
    """Night, camera and mean value of such points, of the last nights before one."""
    value, _ = COLUMNS[selection.quantity]
    found = db.select(Result, Result.night, Result.telescope, Result.instrument,
                      fn.AVG(value)).where(_chosen(selection) & (Result.night < before)).group_by(
        Result.night, Result.telescope, Result.instrument).order_by(
        Result.night.desc()).limit(limit)
    return [(night, f"{telescope} {instrument}", mean)
            for night, telescope, instrument, mean in found.tuples()]


def _columns(selection: PointSelection) -> list[Any]:
    value, error = COLUMNS[selection.quantity]
    return [Result.id, Result.jd_mid, Result.night, Result.telescope, Result.instrument,
            value.alias("value"), error.alias("error"), *_COMMON[selection.quantity][2]]


def _stored(selection: PointSelection, row: Any) -> StoredPoint:
    common, host, _ = _COMMON[selection.quantity]
    return StoredPoint(id=row.id, jd=row.jd_mid, night=row.night, value=row.value,
                       error=row.error, common=common(row), host=host(row),
                       camera=f"{row.telescope} {row.instrument}")


def earliest(db: Connection, ids: Collection[int]) -> dict[tuple[str, str], float]:
    """The JD of the earliest of some results, for every source and band of them."""
    found: dict[tuple[str, str], float] = {}
    for id_ in ids:
        for source, band, jd in db.rows("SELECT source, band, jd_mid FROM result WHERE id = ?",
                                        id_):
            found[source, band] = min(jd, found.get((source, band), jd))
    return found


def jd_span(db: Connection, ids: Collection[int]) -> tuple[float, float] | None:
    """The JD of the earliest and of the latest of some results; None without any."""
    found = [row.jd_mid for row in db.select(Result, Result.jd_mid).where(
        Result.id.in_(list(ids)))]
    return (min(found), max(found)) if found else None


def jds(db: Connection, ids: Collection[int]) -> dict[int, float]:
    """The JD of some results, by their ids."""
    return dict(db.select(Result, Result.id, Result.jd_mid).where(
        Result.id.in_(list(ids))).tuples())


def light_curve(db: Connection, source: str, band: str, since: float, until: float, *,
                limit: int) -> list[tuple[float, float, float | None]]:
    """JD, magnitude and error of the newest good points between two JD, the oldest first."""
    newest = db.select(Result, Result.jd_mid, Result.mag, Result.mag_err).where(
        good_points(source, band) & Result.jd_mid.between(since, until)).order_by(
            Result.jd_mid.desc(), Result.id.desc()).limit(limit)
    return list(reversed(list(newest.tuples())))


#: For each quantity, value and error as SQL, for pictures: brightness and p without the host galaxy
#: where that is known, as rules look at them.
_DRAWN = {
    "mag": ("CASE WHEN host_mjy IS NULL THEN mag ELSE mag_nucleus END",
            "CASE WHEN host_mjy IS NULL THEN mag_err ELSE mag_nucleus_err END"),
    "p": ("CASE WHEN host_mjy IS NULL THEN p_debiased ELSE p_nucleus END",
          "CASE WHEN host_mjy IS NULL THEN p_err ELSE p_nucleus_err END"),
    "chi": ("chi_deg", "chi_err_deg"),
}


def drawn(db: Connection, source: str, band: str, quantity: str, since: float, until: float, *,
          limit: int) -> list[tuple[int, float, float, float | None]]:
    """Id, JD, value and error of the newest good points between two JD, the oldest first, for a
    picture; ``quantity``: mag, p or chi. Plain SQL: a page has many."""
    value, error = _DRAWN[quantity]
    bars = barring_flags(needs_mag=quantity == "mag")
    rows = db.rows(
        f"SELECT id, jd_mid, {value} AS v, {error} FROM result "  # noqa: S608  # from the table above
        "WHERE source = ? AND band = ? AND jd_mid BETWEEN ? AND ? "
        f"AND {value} IS NOT NULL AND flags & {bars} = 0 AND human_flags = '[]' AND mode != ? "
        "ORDER BY jd_mid DESC LIMIT ?", source, band, since, until, STACK, limit)
    return [(int(id_), float(jd), float(v), e) for id_, jd, v, e in reversed(list(rows))]


def count_since(db: Connection, source: str, band: str, since: float, *, most: int) -> int:
    """How many results of a source and band there are from a JD on; at most so many are counted."""
    ((count,),) = db.rows(
        "SELECT COUNT(*) FROM (SELECT id FROM result WHERE source = ? AND band = ? "
        "AND jd_mid >= ? LIMIT ?) AS counted", source, band, since, most)
    return int(count)


def measured(db: Connection) -> list[tuple[str, str]]:
    """Every source and band that there are results of."""
    return list(db.select(Result, Result.source, Result.band).distinct().tuples())


def _has_angle() -> Any:
    """Whether p stands out of all of its error: random, and of the instrument's polarisation."""
    instrument = fn.COALESCE(
        (Result.q * Result.q * Result.q0_err * Result.q0_err
         + Result.u * Result.u * Result.u0_err * Result.u0_err)
        / fn.NULLIF(Result.q * Result.q + Result.u * Result.u, 0.0), 0.0)
    # The first alone decides at the limit, which squares would miss by a rounding.
    return (Result.p_debiased >= _SURE * Result.p_err) & (
        Result.p_debiased * Result.p_debiased * (1.0 + 1e-9)
        >= _SURE**2 * (Result.p_err * Result.p_err + instrument))


def _chosen(selection: PointSelection) -> Any:
    needs_mag = selection.quantity.startswith("mag")
    good = good_points(selection.source, selection.band, needs_mag=needs_mag,
                       stacks=selection.stacks) & (
        COLUMNS[selection.quantity][0].is_null(False))
    if selection.quantity == "chi":
        good = good & _has_angle()
    if selection.until < math.inf:
        good = good & (Result.jd_mid <= selection.until)
    if selection.instruments:
        good = good & Result.instrument.in_(selection.instruments)
    return good & (Result.flags.bin_and(selection.bars) == 0) if selection.bars else good
